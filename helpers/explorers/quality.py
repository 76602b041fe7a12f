"""Quality against quantity: recorded runs of one small model over the size of the pile and its share of dirt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers

WORDS = {
    "size": "different tokens in the pile", "share": "of them dirt", "held_out": "held-out clean files",
    "own": "the clean text it was trained on", "shares": "Held-out files, a line a pile", "sizes": "Over the pile",
    "dirt": "share of dirt", "tokens": "different tokens", "bits": "bits per byte", "pile": "{value} tokens",
    "status": "{size} different tokens, {share} dirt, each read {times}: {held_out} bits per byte on held-out files, "
              "{own} on its own clean text, a gap of {gap}. {worth}",
    "once": "once", "times": "{num} times", "about": "A clean pile of about {tokens} tokens does as well.",
    "less": "Even the smallest clean pile, {tokens} tokens, does better.",
    "clean": "Nothing of it is dirt.",
}


class DataQuality(Explorer):
    """Sliders for the size of the pile and its share of dirt; loss on held-out files and on the pile's own text.

    Args:
        sizes: tokens of the pile, rising.
        shares: of dirt, rising from 0.
        held_out, own: bits per byte [sizes, shares], means over seeds.
        budget: tokens that every run reads.
        source: where the runs come from.

    Raises:
        ValueError: values of another shape, or shares that do not begin with 0.

    Derived in: book/concepts/data_preparation.
    """

    module = "quality"

    def __init__(
        self, sizes: Sequence[int], shares: Sequence[float], held_out: Any, own: Any, budget: int, *, source: str = "",
        id: str | None = None,
    ) -> None:
        for name, values in (("held_out", held_out), ("own", own)):
            if np.shape(values) != (len(sizes), len(shares)):
                raise ValueError(f"DataQuality takes {name} [{len(sizes)}, {len(shares)}], "
                                 f"found the shape {tuple(np.shape(values))}.")
        if shares[0] != 0:
            raise ValueError(f"the first share of dirt must be 0, the clean pile, found {shares[0]!r}.")
        super().__init__({
            "title": "Much text, or clean text?", "words": WORDS, "source": source, "budget": int(budget),
            "hint": "Predict before you turn: is a pile that is half dirt worse than half a pile?",
            "sizes": [int(size) for size in sizes], "shares": numbers(shares),
            "held_out": numbers(held_out, 5), "own": numbers(own, 5),
        }, id=id)

    @staticmethod
    def compute(loss: float, sizes: Sequence[int], clean: Sequence[float]) -> dict[str, float]:
        """How large a clean pile gives the same loss, on straight lines over the logarithm of the size.

        Args:
            loss: to be matched.
            sizes, clean: sizes of clean piles, rising, and their losses, falling.

        Returns:
            tokens: of the clean pile, at the ends the smallest or largest size; inside: whether it lies between them.
        """
        for k in range(len(sizes) - 1):
            if clean[k] >= loss >= clean[k + 1]:
                part = (clean[k] - loss) / (clean[k] - clean[k + 1])
                return {"tokens": math.exp(math.log(sizes[k]) * (1 - part) + math.log(sizes[k + 1]) * part),
                        "inside": True}
        return {"tokens": float(sizes[0] if loss > clean[0] else sizes[-1]), "inside": False}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        sizes, clean = [8192, 32768, 131072], [4.5, 3.1, 2.7]
        return [{"loss": loss, "sizes": sizes, "clean": clean} for loss in (4.8, 4.5, 3.9, 2.75, 2.6)]
