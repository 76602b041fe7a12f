"""The race of optimisers: its steps are those of the readable optimisers, its slopes those of its heights."""

from __future__ import annotations

import pytest
import torch

from helpers.explorers import race
from helpers.training import optimisers

MAKE = {
    "sgd": lambda p, lr: optimisers.SGD(p, lr),
    "momentum": lambda p, lr: optimisers.Momentum(p, lr, 0.8),
    "nesterov": lambda p, lr: optimisers.Momentum(p, lr, 0.8, nesterov=True),
    "rmsprop": lambda p, lr: optimisers.RMSprop(p, lr, 0.95),
    "adam": lambda p, lr: optimisers.Adam(p, lr, (0.8, 0.95)),
}


@pytest.mark.parametrize("surface", race.STARTS)
def test_slopes_are_the_derivatives_of_the_heights(surface: str) -> None:
    for u, v in ((-1.1, 0.4), (0.3, -0.7)):
        across, up = (
            (race.height(surface, u + du, v + dv) - race.height(surface, u - du, v - dv)) / 2e-6
            for du, dv in ((1e-6, 0.0), (0.0, 1e-6))
        )
        assert race.slope(surface, u, v) == pytest.approx((across, up), abs=1e-5)


@pytest.mark.parametrize("method", race.METHODS)
@pytest.mark.parametrize("surface", ["turned", "banana"])
def test_paths_are_those_of_the_readable_optimisers(surface: str, method: str) -> None:
    path, heights = race.run(surface, method, 0.001, 0.8, 0.95, True, 30)
    at = torch.tensor(race.STARTS[surface], dtype=torch.float64, requires_grad=True)
    optimiser = MAKE[method]([at], 0.001)
    for step in range(31):
        assert path[step] == pytest.approx(at.tolist(), abs=1e-9)
        assert heights[step] == pytest.approx(race.height(surface, *at.tolist()), rel=1e-7)
        at.grad = torch.tensor(race.slope(surface, *at.tolist()), dtype=torch.float64)
        optimiser.step()


def test_without_the_correction_the_first_step_of_adam_is_too_long() -> None:
    moves = [race.run("valley", "adam", 1e-4, 0.9, 0.999, on, 1)[0][1][0] - race.STARTS["valley"][0]
             for on in (False, True)]
    assert moves[0] / moves[1] == pytest.approx(0.1 / 0.001**0.5, rel=1e-3)


def test_the_best_rate_is_better_than_others_and_a_path_that_runs_away_ends() -> None:
    found = race.Race.compute("valley", 1.0, 0.9, 0.99, True, 60)
    for share in (0.5, 2.0):
        other = race.Race.compute("valley", share, 0.9, 0.99, True, 60)
        assert other["heights"][0][-1] is None or other["heights"][0][-1] > found["heights"][0][-1]
    path, heights = race.run("valley", "sgd", 9.0, 0.9, 0.99, True, 60)
    assert heights[-1] is None and path[-1] == [None, None] and heights[0] == race.height("valley", *path[0])


def test_noise_has_variance_one_and_an_unknown_surface_is_named() -> None:
    draw = race.noise()
    values = torch.tensor([draw() for _ in range(20_000)])
    assert values.mean().abs() < 0.03 and values.var() == pytest.approx(1.0, abs=0.03)
    with pytest.raises(ValueError, match="unknown surface 'hill': use one of valley, turned, banana, saddle, noisy"):
        race.Race(surface="hill")
