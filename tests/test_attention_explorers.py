"""The explorers of attention: what they compute, what their state holds, what they refuse."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import torch

from helpers.explorers import names
from helpers.explorers.attention import AttentionWeights, HeadSwitches
from helpers.models.attention import Attention, Config


def test_weights_travel_as_bytes_and_keep_their_order() -> None:
    attention = Attention(Config(d_model=16, num_heads=2))
    with torch.no_grad():
        weights = attention.weights(torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(0)))
    shown = AttentionWeights(weights, list("abcde"))
    raw = np.frombuffer(base64.b64decode(shown.state["weights"]), dtype=np.uint8).reshape(1, 2, 5, 5)
    assert np.abs(raw / 255 - weights.numpy()).max() <= 0.5 / 255 + 1e-6
    assert shown.state["token"] == 5 and shown.module in names()
    json.dumps(shown.state, allow_nan=False)


def test_description_of_one_row() -> None:
    found = AttentionWeights.compute([4, 0, 0, 2, 2, 0, 0, 3, 1], 3, 1)
    assert found["share"] == 0.5 and found["effective"] == pytest.approx(2.0)
    assert found["profile"] == pytest.approx([(1 + 0.5 + 0.25) / 3, (0.5 + 0.75) / 2, 0.0])


def test_flipping_one_switch() -> None:
    found = HeadSwitches.compute([k / 10 for k in range(8)], [True, False, True])
    assert found == {"accuracy": 0.5, "num_on": 2, "flipped": [0.4, 0.7, 0.1]}


@pytest.mark.parametrize(("make", "words"), [
    (lambda: AttentionWeights(np.zeros((1, 1, 3, 3)), list("ab")), r"shape \[layers, heads, 2, 2\] for 2 tokens"),
    (lambda: AttentionWeights(np.full((1, 1, 2, 2), 1.5), list("ab")), r"lie in \[0, 1\], found 1.5 to 1.5"),
    (lambda: HeadSwitches([0.5] * 7, layers=1, heads=3), "1 layers of 3 heads have 8 subsets, found 7"),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
