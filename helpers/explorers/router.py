"""Three routers by number of training texts, and what each does when it may pass doubtful messages on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from helpers import metrics

from .base import Explorer, numbers

COLOURS = ("blue", "green", "orange")
WORDS = {
    "texts": "training texts",
    "threshold": "routes from confidence",
    "sizes": "All messages routed",
    "trade": "Doubtful messages passed on",
    "accuracy": "routed rightly",
    "texts_axis": "training texts (log scale)",
    "share": "share of messages routed",
    "of_routed": "right, of those routed",
    "status": "{texts} training texts, confidence {threshold} or more: {list}.",
    "one": "{name} routes {share}, {accuracy} of them rightly [{low}, {high}]",
    "none": "{name} routes nothing",
}


class Routers(Explorer):
    """Sliders for the number of training texts and for the confidence from which a message is routed.

    Args:
        sizes: numbers of training texts, rising.
        methods: name → {"test_accuracy": [sizes][seeds], "confidences": [sizes] of {"right", "wrong"}: how many test
            answers have their confidence in each of equal bins of [0, 1]}, as in the record ask-python-router.
        texts, threshold: setting shown first; by default the middle size, and 0 (all are routed).
        source: where the runs come from.

    Raises:
        ValueError: no or more than three methods, or one without a row for each size.

    Derived in: book/project/text_classifier.
    """

    module = "router"

    def __init__(
        self, sizes: Sequence[int], methods: Mapping[str, Mapping[str, Any]], *, texts: int | None = None,
        threshold: float = 0.0, source: str = "", id: str | None = None,
    ) -> None:
        if not 1 <= len(methods) <= len(COLOURS):
            raise ValueError(f"Routers shows 1 to {len(COLOURS)} methods, found {len(methods)}.")
        for name, found in methods.items():
            for key in ("test_accuracy", "confidences"):
                if len(found[key]) != len(sizes):
                    raise ValueError(f"Routers takes one row a size, found {len(found[key])} of {key!r} of {name!r} "
                                     f"for {len(sizes)} sizes.")
        super().__init__({
            "title": "Who routes best, with how many texts?", "words": WORDS, "sizes": list(sizes),
            "texts": sizes[len(sizes) // 2] if texts is None else texts, "threshold": threshold, "source": source,
            "hint": "Drag the number of texts. Then raise the confidence from which a message is routed.",
            "methods": [{"name": name, "colour": colour, "accuracy": numbers(found["test_accuracy"], 4),
                         "bins": [{key: list(bins[key]) for key in ("right", "wrong")}
                                  for bins in found["confidences"]]}
                        for (name, found), colour in zip(methods.items(), COLOURS)],
        }, id=id)

    @staticmethod
    def compute(right: Sequence[int], wrong: Sequence[int], threshold: float) -> dict[str, float | None]:
        """Share of the messages that are routed, and the accuracy among them with Wilson's 95 % interval.

        Args:
            right, wrong: right and wrong answers in each of equal bins of the confidence from 0 to 1.
            threshold: confidence from which a message is routed, rounded to a border between two bins.

        Source: wilson1927.
        """
        first = math.floor(threshold * len(right) + 0.5)
        hits, misses = sum(right[first:]), sum(wrong[first:])
        given = hits + misses
        accuracy = low = high = None
        if given:
            accuracy, (low, high) = hits / given, metrics.wilson(hits, given)
        return {"share": given / (sum(right) + sum(wrong)), "accuracy": accuracy, "low": low, "high": high}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        bins = {"right": [0, 1, 4, 2, 9], "wrong": [3, 2, 4, 0, 1]}
        return [bins | {"threshold": t} for t in (0.0, 0.2, 0.5, 0.79, 0.8)] + [
            {"right": [5, 0], "wrong": [2, 0], "threshold": 0.5}, {"right": [0, 7], "wrong": [1, 0], "threshold": 0.6}]
