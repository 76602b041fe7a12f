"""A scorecard with weights and scores that can be moved, and how far its order is from turning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers import economics

from .base import Explorer

MOST = 4  # options that can be told apart by colour
WORDS = {
    "spread": "error of a score",
    "scores": "Scores: drag the points",
    "points": "points",
    "strips": "Who leads when one weight moves",
    "weight": "weight; the other weights keep their proportions",
    "totals": "Totals",
    "total": "weighted points",
    "score_of": "{option}, {criterion}",
    "value_of": "{value} points",
    "option": "option",
    "leads": "leads under",
    "status": "{leader} leads with {total} points, {gap} ahead of {second}; it leads under {share} of all weightings.",
    "turn": "Moving {shift} of all weight from {giver} to {receiver} brings {rival} level.",
    "tied": "Two of them are level.",
    "never": "No weights bring another one level.",
    "chance": "With an error of ±{spread} in each score, {second} is truly ahead with a chance of {chance}.",
}


class Scorecard(Explorer):
    """Drag scores, move weights: the totals, the leader, and the smallest change of weights that turns the order.

    Args:
        scores: option → its scores, one a criterion, from 0 to 10; 2 to 4 options.
        criteria: names of the criteria, 2 to 6.
        weights: [num_criteria] shares shown first, which sum to 1.
        spread: standard deviation of one score in points, shown first.
        title, hint, source: first lines of the figure, and where the scores come from.

    Raises:
        ValueError: too many options or criteria, a score outside 0 to 10, or weights that do not sum to 1.

    Derived in: book/outlook/valuation.
    """

    module = "valuation"

    def __init__(
        self,
        scores: dict[str, Sequence[float]],
        criteria: Sequence[str],
        weights: Sequence[float],
        *,
        spread: float = 1.0,
        title: str = "A scorecard, and how firmly it stands",
        hint: str = "Move a weight: the others keep their proportions. Drag a point: the score changes.",
        source: str = "Computed in this page. The ventures and their scores are invented.",
        id: str | None = None,
    ) -> None:
        if not 2 <= len(scores) <= MOST or not 2 <= len(criteria) <= 6:
            raise ValueError(f"Scorecard takes 2 to {MOST} options and 2 to 6 criteria, found {len(scores)} options "
                             f"and {len(criteria)} criteria; leave some out.")
        table = [list(map(float, row)) for row in scores.values()]
        economics.weighted_totals(table, weights)
        for name, row in zip(scores, table):
            if min(row) < 0 or max(row) > 10:
                raise ValueError(f"Scores run from 0 to 10, found {row} for {name}; put all criteria on this scale.")
        super().__init__(
            {"title": title, "hint": hint, "source": source, "words": WORDS, "options": list(scores),
             "criteria": list(criteria), "scores": table, "weights": list(map(float, weights)),
             "spread": float(spread)},
            id=id,
        )

    @staticmethod
    def compute(scores: list[list[float]], weights: list[float], spread: float) -> dict[str, Any]:
        """Totals, leader, shares of all weightings, and the nearest turn of the order.

        Args:
            scores: [num_options, num_criteria] points.
            weights: [num_criteria] of 0 or more; divided by their sum, equal when all are 0.
            spread: standard deviation of one score in points.

        Raises:
            ValueError: as `economics.weighted_totals`.

        Derived in: book/outlook/valuation.
        """
        whole = sum(weights)
        shares = [weight / whole if whole > 0 else 1 / len(weights) for weight in weights]
        totals, first = economics.weighted_totals(scores, shares), economics.leader(scores, shares)
        turns = economics.smallest_turns(scores, shares)
        shifts: list[float | None] = [None] * len(scores)
        for turn in turns:
            shifts[turn.rival] = turn.shift if math.isfinite(turn.shift) else None
        near = turns[0]
        return {
            "totals": totals.tolist(),
            "leader": first,
            "gap": float(totals[first] - np.delete(totals, first).max()),
            "shifts": shifts,
            "nearest": near.rival if near.weights is not None else None,
            "level": [] if near.weights is None else near.weights.tolist(),
            "bounds": economics.weight_bounds(scores, shares).tolist(),
            "shares": economics.leading_shares(scores).tolist(),
            "chances": economics.overtaking_chances(scores, shares, spread).tolist(),
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        scores = [[6.0, 8.0, 5.0, 7.0], [9.0, 6.0, 3.0, 6.0], [8.0, 5.0, 8.0, 4.0]]
        plain = {"scores": scores, "weights": [0.3, 0.2, 0.2, 0.3], "spread": 1.0}
        return [
            plain,
            {**plain, "weights": [0.62, 0.07, 0.11, 0.2], "spread": 0.4},
            {**plain, "weights": [0.0, 0.0, 1.0, 0.0], "spread": 0.0},
            {**plain, "weights": [0.0, 0.0, 0.0, 0.0]},
            {"scores": [[9.0, 8.5, 7.0], [3.0, 2.0, 6.5]], "weights": [0.1, 0.2, 0.7], "spread": 2.0},
            {"scores": [[1.0, 9.0], [8.0, 2.5], [5.0, 5.5], [0.0, 10.0]], "weights": [0.55, 0.45], "spread": 3.0},
        ]
