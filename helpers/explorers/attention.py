"""Two views into a trained transformer: where its heads look, and what it loses when heads are switched off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers, pack_uint8

WORDS = {
    "head": "head", "place": "layer {layer}, head {head}", "token": "token that looks", "row": "Where this token looks",
    "map": "All tokens of this head", "weight": "attention weight", "text": "token looked at",
    "profile": "How far back, on average", "distance": "tokens back", "looks": "token that looks",
    "result": "Layer {layer}, head {head}: token {token}, {sign}, looks most at token {other}, {other_sign}, weight "
              "{share}. Its attention is spread over about {effective} of {num} tokens.",
}
HEAD_WORDS = {
    "group": "layer {layer}", "head": "head {head}", "all": "All subsets", "num_on": "heads switched on",
    "accuracy": "copied right", "one": "Flip one more switch", "flipped": "layer and head that is flipped",
    "now": "these switches", "others": "every subset",
    "result": "{num_on} of {num} heads on: {accuracy} of the tokens copied right. Switching off one more would leave "
              "{worst} at worst (layer {layer}, head {head}).",
    "none": "No head on: {accuracy} of the tokens copied right.",
}


class AttentionWeights(Explorer):
    """Recorded attention weights of every layer and head on one text.

    Args:
        weights: weights [layers, heads, T, T] in [0, 1]; row t holds what token t looks at.
        tokens: the T tokens as they are shown, one or two characters each.
        token: number of the token that is chosen at first, from 1.

    Raises:
        ValueError: the shapes do not fit, or a weight lies outside [0, 1].

    Source: vaswani2017. Derived in: book/algorithms/transformers.
    """

    module = "attention"

    def __init__(self, weights: Any, tokens: Sequence[str], *, token: int | None = None, id: str | None = None) -> None:
        array = np.asarray(weights.detach().cpu() if hasattr(weights, "detach") else weights, dtype=np.float64)
        size = len(tokens)
        if array.ndim != 4 or array.shape[2:] != (size, size):
            raise ValueError(f"weights must have the shape [layers, heads, {size}, {size}] for {size} tokens, "
                             f"found {list(array.shape)}.")
        if array.min() < 0 or array.max() > 1 + 1e-6:
            raise ValueError(f"attention weights lie in [0, 1], found {array.min():g} to {array.max():g}.")
        super().__init__({
            "title": "Where a trained decoder looks", "words": WORDS, "tokens": list(tokens),
            "weights": pack_uint8(np.rint(255 * array.clip(0, 1))), "layers": array.shape[0], "heads": array.shape[1],
            "token": size if token is None else token,
            "hint": "Choose a head and a token. Each row of the map is one token that looks.",
            "source": "Weights recorded from the decoder that this chapter trains, in steps of 1/255.",
        }, id=id)

    @staticmethod
    def compute(weights: list[float], size: int, token: int) -> dict:
        """What one head does.

        Args:
            weights: flat [size · size] of any scale; rows are tokens that look.
            size: number of tokens T.
            token: the row to describe, from 0.

        Returns:
            other: the token looked at most; share: its part of the row; effective: e to the entropy of the row, how
            many tokens share it; profile: mean part at each distance back, over the rows that reach it.
        """
        rows = [[max(weights[t * size + s], 0.0) for s in range(size)] for t in range(size)]
        shares = [[w / (sum(row) or 1.0) for w in row] for row in rows]
        mine = shares[token]
        other = max(range(size), key=lambda s: mine[s])
        entropy = -sum(w * math.log(w) for w in mine if w > 0)
        profile = [sum(shares[t][t - back] for t in range(back, size)) / (size - back) for back in range(size)]
        return {"other": other, "share": mine[other], "effective": math.exp(entropy), "profile": profile}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        return [{"weights": [255, 0, 0, 100, 155, 0, 30, 25, 200], "size": 3, "token": 2},
                {"weights": [255, 0, 128, 127], "size": 2, "token": 1},
                {"weights": [0, 0, 0, 0], "size": 2, "token": 0}]


class HeadSwitches(Explorer):
    """Accuracy of a model for every subset of its heads, recorded; the reader switches heads off.

    Args:
        accuracies: accuracy in [0, 1] of each of the 2^(layers · heads) subsets; bit k of the position tells whether
            head k (layers first) is on.
        layers, heads: layers, and heads in each.

    Raises:
        ValueError: not one accuracy for each subset.

    Source: olsson2022. Derived in: book/algorithms/transformers.
    """

    module = "heads"

    def __init__(self, accuracies: Any, *, layers: int = 2, heads: int = 4, id: str | None = None) -> None:
        values = numbers(accuracies)
        if len(values) != 2 ** (layers * heads):
            raise ValueError(f"{layers} layers of {heads} heads have {2 ** (layers * heads)} subsets, "
                             f"found {len(values)} accuracies.")
        super().__init__({
            "title": "Switch heads off until copying breaks", "words": HEAD_WORDS, "accuracies": values,
            "layers": layers, "heads": heads,
            "hint": "Take away one head after the other. How few heads still copy?",
            "source": "Every subset of heads was measured when this page was built.",
        }, id=id)

    @staticmethod
    def compute(accuracies: list[float], switches: list[bool]) -> dict:
        """Accuracy with these heads on, and with each single switch flipped.

        Args:
            accuracies: as above, for 2^len(switches) subsets.
            switches: one for each head.
        """
        index = sum(2**k for k, on in enumerate(switches) if on)
        return {"accuracy": accuracies[index], "num_on": sum(map(bool, switches)),
                "flipped": [accuracies[index ^ 2**k] for k in range(len(switches))]}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        return [{"accuracies": [0.1, 0.2, 0.3, 0.9], "switches": [True, False]},
                {"accuracies": [k / 7 for k in range(8)], "switches": [True, True, True]}]
