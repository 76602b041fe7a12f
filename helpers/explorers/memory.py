"""Which recurrent cell remembers over which distance: recorded runs, one slider."""

from __future__ import annotations

from typing import Any

from .base import Explorer, numbers

WORDS = {"length": "symbols to remember over", "curves": "While training", "ends": "After training",
         "epoch": "epoch", "accuracy": "accuracy", "guess": "guessing",
         "status": "Over {length} symbols, after {epochs} epochs: {list}."}
COLOURS = ("orange", "green", "blue", "purple", "red")


class MemoryLength(Explorer):
    """Accuracy of recurrent cells on naming the first symbol, for every recorded length.

    Args:
        lengths: recorded numbers of symbols after the first one, rising.
        accuracies: name of a cell → one curve a length, accuracy after each epoch from 0, in [0, 1].
        guess: accuracy of guessing.
        source: where the runs come from.

    Raises:
        ValueError: a cell without one curve for each length, or more cells than colours.

    Derived in: book/algorithms/recurrence.
    """

    module = "memory"

    def __init__(
        self, lengths: list[int], accuracies: dict[str, Any], *, guess: float = 0.25, source: str = "",
        id: str | None = None,
    ) -> None:
        if not 1 <= len(accuracies) <= len(COLOURS):
            raise ValueError(f"MemoryLength shows 1 to {len(COLOURS)} cells, found {len(accuracies)}.")
        for name, curves in accuracies.items():
            if len(curves) != len(lengths):
                raise ValueError(f"MemoryLength takes one curve a length, found {len(curves)} of {name!r} for "
                                 f"{len(lengths)} lengths.")
        super().__init__({
            "title": "How far back can it remember?", "words": WORDS, "lengths": list(lengths), "guess": guess,
            "hint": "Drag the distance. Which cell gives up first?", "source": source,
            "cells": [{"name": name, "colour": colour, "curves": [numbers(curve, 3) for curve in curves]}
                      for (name, curves), colour in zip(accuracies.items(), COLOURS)],
        }, id=id)
