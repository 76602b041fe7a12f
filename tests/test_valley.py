"""The heavy ball in a valley: the factor in closed form against eigenvalues and against the path itself."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.explorers.valley import Valley, shrink


@pytest.mark.parametrize("scaled", [0.01, 0.5, 1.0, 1.99, 2.5, 3.9])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
def test_factor_is_the_spectral_radius_of_one_step(scaled: float, momentum: float) -> None:
    step = np.array([[1 + momentum - scaled, -momentum], [1.0, 0.0]])
    assert shrink(scaled, momentum) == pytest.approx(np.abs(np.linalg.eigvals(step)).max(), abs=1e-7)


def test_the_best_constants_reach_the_best_factor_and_the_edge_is_the_edge() -> None:
    kappa = 100.0
    found = Valley.compute(kappa=kappa, share=4 / (1 + kappa**-0.5) ** 2, momentum=(9 / 11) ** 2, num_steps=200)
    assert found["factor"] == pytest.approx(found["best"], abs=1e-6) == pytest.approx(9 / 11, abs=1e-6)
    assert found["distances"][200] < 1e-12
    assert shrink(0.999 * found["edge"], (9 / 11) ** 2) < 1 < shrink(1.001 * found["edge"], (9 / 11) ** 2)
