"""The memory task and the explorer of its recorded runs."""

from __future__ import annotations

import pytest

from helpers import data
from helpers.explorers.memory import MemoryLength


def test_the_class_is_the_first_symbol_and_nothing_else_tells_it() -> None:
    task = data.load("first_symbol", length=10, num_examples=3000)
    assert task.train.x.shape == (2000, 11) and len(task.test) == 500
    assert (task.train.x[:, 0] == task.train.y).all() and (task.train.x[:, 1:] >= 4).all()
    for symbol in range(4, 8):  # each distractor comes as often after each letter
        shares = [(task.train.x[task.train.y == letter, 1:] == symbol).double().mean() for letter in range(4)]
        assert max(shares) - min(shares) < 0.04


@pytest.mark.parametrize(("options", "words"), [
    ({"length": 0}, "length must be a whole number of at least 1, got 0"),
    ({"num_examples": 3}, "num_examples must be a whole number of at least 6, got 3"),
])
def test_bad_input_is_named(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data.load("first_symbol", **options)


def test_the_explorer_wants_one_curve_a_length() -> None:
    with pytest.raises(ValueError, match="one curve a length, found 1 of 'rnn' for 2 lengths"):
        MemoryLength([5, 10], {"rnn": [[0.2, 1.0]]})
