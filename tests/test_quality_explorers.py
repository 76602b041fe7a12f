"""The explorers of near copies and of quality against quantity."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.data import duplicates
from helpers.explorers.copies import NearCopies
from helpers.explorers.quality import DataQuality


def test_expected_copies_are_those_of_the_curve() -> None:
    found = NearCopies.compute(20, 5, 0.5, [10, 0, 0, 4])              # pairs at J = 0.125 and 0.875
    assert found["copies"] == 4 and found["total"] == 14
    assert found["found"] == pytest.approx(4 * duplicates.chance(0.875, 20, 5))
    assert found["wasted"] == pytest.approx(10 * duplicates.chance(0.125, 20, 5))
    assert duplicates.chance(NearCopies.compute(50, 6, 0.5, [1, 1])["knee"], 50, 6) == pytest.approx(0.64, abs=0.01)


def test_worth_in_clean_tokens_is_read_off_the_line() -> None:
    sizes, clean = [100, 400, 1600], [4.0, 3.0, 2.0]
    assert DataQuality.compute(3.0, sizes, clean) == {"tokens": pytest.approx(400), "inside": True}
    assert DataQuality.compute(2.5, sizes, clean)["tokens"] == pytest.approx(800)
    assert DataQuality.compute(5.0, sizes, clean) == {"tokens": 100, "inside": False}
    assert DataQuality.compute(1.0, sizes, clean) == {"tokens": 1600, "inside": False}


@pytest.mark.parametrize(("make", "words"), [
    (lambda: NearCopies([1]), "two or more bins"),
    (lambda: NearCopies([1, -1]), "two or more bins"),
    (lambda: DataQuality([1, 2], [0, 0.5], np.ones((2, 3)), np.ones((2, 2)), 8), r"held_out \[2, 2\], found"),
    (lambda: DataQuality([1, 2], [0.5, 0.6], np.ones((2, 2)), np.ones((2, 2)), 8), "must be 0, the clean pile"),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
