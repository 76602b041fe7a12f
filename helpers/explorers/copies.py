"""Bands and rows of MinHash signatures: which pairs of texts become candidates, and how many copies are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.data import duplicates

from .base import Explorer, numbers

WORDS = {
    "bands": "bands b", "rows": "rows in a band r", "threshold": "called a near copy from J =",
    "chance": "Chance to become a candidate", "similarity": "Jaccard similarity J", "probability": "probability",
    "pairs": "Pairs of the pile", "count": "pairs, log scale", "all": "all pairs", "candidates": "of them candidates",
    "cut": "called a copy", "knee": "(1/b)^(1/r)",
    "status": "{hashes} hash functions. A pair at J = {threshold} is found with probability {chance}. Of {copies} near "
              "copies in the pile {found} are expected among the candidates, and {wasted} other pairs are checked for "
              "nothing. Comparing all would be {total} comparisons.",
}


class NearCopies(Explorer):
    """Turn bands and rows; the curve of candidates moves over the pairs of a real pile of texts.

    Args:
        counts: number of pairs in equal bins of their Jaccard similarity from 0 to 1.
        bands, rows, threshold: first values.
        source: where the pairs come from.

    Raises:
        ValueError: fewer than two bins, a negative count, or no pair at all.

    Source: broder1997. Derived in: book/concepts/data_preparation.
    """

    module = "copies"

    def __init__(
        self, counts: Sequence[int], *, bands: int = 20, rows: int = 5, threshold: float = 0.7,
        source: str = "Computed in this page.", id: str | None = None,
    ) -> None:
        found = [int(count) for count in counts]
        if len(found) < 2 or min(found) < 0 or not sum(found):
            raise ValueError(f"NearCopies takes the numbers of pairs in two or more bins, found {found[:5]}.")
        super().__init__({
            "title": "Which pairs are worth comparing?", "words": WORDS, "counts": found, "source": source,
            "hint": "Move the steep part of the curve to where copies begin. What does that cost?",
            "bands": bands, "rows": rows, "threshold": numbers(threshold),
        }, id=id)

    @staticmethod
    def compute(bands: int, rows: int, threshold: float, counts: Sequence[int]) -> dict[str, float]:
        """What bands and rows do to the pairs of a pile, each taken at the middle of its bin.

        Args:
            bands, rows: see ``duplicates.chance``.
            threshold: Jaccard similarity from which a pair is called a near copy.
            counts: pairs in equal bins of the similarity.

        Returns:
            chance: at the threshold; knee: (1/bands)^(1/rows); copies: pairs at or above the threshold; found: of them
            expected among the candidates; wasted: other candidates expected; total: pairs.
        """
        middles = (np.arange(len(counts)) + 0.5) / len(counts)
        pairs = np.asarray(counts, float)
        candidates = pairs * duplicates.chance(middles, bands, rows)
        above = middles >= threshold
        return {"chance": float(duplicates.chance(threshold, bands, rows)), "knee": (1 / bands) ** (1 / rows),
                "copies": float(pairs[above].sum()), "found": float(candidates[above].sum()),
                "wasted": float(candidates[~above].sum()), "total": float(pairs.sum())}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        counts = [400, 30, 5, 0, 3, 2, 1, 4, 2, 6]
        return [{"bands": bands, "rows": rows, "threshold": threshold, "counts": counts}
                for bands, rows, threshold in ((20, 5, 0.7), (1, 1, 0.5), (14, 8, 0.72), (64, 2, 0.9))]
