"""Source code as characters."""

from __future__ import annotations

import pytest
import torch

from helpers import data
from helpers.data import code


def test_text_survives_encoding_but_for_foreign_signs() -> None:
    text = "def f(x):\n    return x ** 2  # ~"
    assert code.decode(code.encode(text)) == text
    assert code.decode(code.encode("é\x0c?")) == "��?"


def test_windows_are_shifted_by_one_and_no_file_is_shared() -> None:
    loaded = data.load("python_stdlib", context=32, num_train=500, num_held_out=50)
    for split, number in ((loaded.train, 500), (loaded.validation, 50), (loaded.test, 50)):
        assert split.x.shape == split.y.shape == (number, 32) and split.x.dtype == torch.int64
        assert torch.equal(split.x[:, 1:], split.y[:, :-1])
    held_out = "".join(code.decode(row) for row in loaded.validation.x[:20])
    assert "    " in held_out and loaded.card.licence == "PSF-2.0"
    window = code.decode(loaded.test.x[0])
    assert any(window in text for _, text in code.files())


def test_the_same_seed_gives_the_same_windows() -> None:
    first = data.load("python_stdlib", seed=3, num_train=100, num_held_out=10)
    again = data.load("python_stdlib", seed=3, num_train=100, num_held_out=10)
    other = data.load("python_stdlib", seed=4, num_train=100, num_held_out=10)
    assert first.sha256() == again.sha256() != other.sha256()


@pytest.mark.parametrize(("options", "words"), [
    ({"context": 0}, "context must be a whole number of at least 1, got 0"),
    ({"num_train": 2.5}, "num_train must be a whole number of at least 1, got 2.5"),
    ({"num_held_out": 10**7}, "windows of 64 characters, got 10000000: ask for fewer or for shorter ones"),
])
def test_bad_input_is_named(options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data.load("python_stdlib", **options)
