"""Answer or abstain: a threshold on the confidence of an assistant, and what a thousand questions cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers import metrics

from .base import Explorer, numbers, pack_float16

Z = 1.959963984540054  # half the width of a 95 % interval, in standard errors
WORDS = {
    "group": "who asks",
    "threshold": "threshold",
    "cost_wrong": "a wrong answer",
    "cost_human": "a person's answer",
    "scores": "Confidence of the best passage",
    "is_right": "best passage is right",
    "is_wrong": "it is wrong",
    "share": "share of the questions",
    "confidence": "confidence",
    "cost": "Cost of 1,000 questions",
    "people": "all to people",
    "cheapest": "cheapest",
    "fate": "What happens to 1,000 questions",
    "right": "answered right",
    "wrong": "answered wrong",
    "passed": "passed to a person",
    "trade": "Wrong answers against answers given",
    "answered": "answered",
    "wrong_of_answered": "wrong, of those answered",
    "status": "Answers {answered}: {right} right and {wrong} wrong; of the answers {wrong_of_answered} are wrong "
    "[{low}, {high}]. 1,000 questions cost {cost} [{cost_low}, {cost_high}]; all to people {people}.",
    "status_none": "Answers nothing: 1,000 questions cost {cost}, all for people.",
}


class Abstain(Explorer):
    """Drag the threshold below which an assistant abstains: answered, wrong, and the cost of a thousand questions.

    Args:
        groups: name of a group of questions → (confidence of each question [n], whether its best passage is right [n]).
        threshold: shown first.
        cost_wrong, cost_human: cost of a wrong answer and of an answer by a person, in `unit`; both are assumptions.
        unit: currency of the costs.
        title, hint, source: first lines of the figure, and where the confidences come from.

    Raises:
        ValueError: no group, lengths differ, fewer than two questions, a confidence outside 0 to 1, or a cost not
            above 0.

    Derived in: book/applications/customer_service.
    """

    module = "abstain"

    def __init__(
        self,
        groups: Mapping[str, tuple[Any, Any]],
        *,
        threshold: float = 0.05,
        cost_wrong: float = 10.0,
        cost_human: float = 5.0,
        unit: str = "USD",
        title: str = "Answer, or pass the question on?",
        hint: str = "Drag the threshold. Then change what a wrong answer costs.",
        source: str = "Computed in this page from the confidences of the cell above. The costs are assumed. Intervals "
        "are 95 % and take the questions as independent.",
        id: str | None = None,
    ) -> None:
        if not groups:
            raise ValueError("Abstain needs at least one group of questions, found none.")
        if min(cost_wrong, cost_human) <= 0:
            raise ValueError(f"Costs must be above 0, found {cost_wrong} and {cost_human}.")
        packed, highest = [], 0.0
        for name, (confidence, right) in groups.items():
            values, truth = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v) for v in (confidence, right))
            values, truth = values.astype(np.float64).ravel(), truth.astype(bool).ravel()
            if values.size != truth.size or values.size < 2:
                raise ValueError(f"{name}: Abstain takes one mark right or wrong for each of at least 2 confidences, "
                                 f"found {values.size} confidences and {truth.size} marks.")
            if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
                raise ValueError(f"{name}: confidences lie between 0 and 1, found {values.min():g} to "
                                 f"{values.max():g}.")
            highest = max(highest, float(np.quantile(values, 0.98)))
            packed.append({"name": name, "right": pack_float16(np.sort(values[truth])),
                           "wrong": pack_float16(np.sort(values[~truth]))})
        end = math.ceil(max(highest, 0.02) * 20) / 20
        super().__init__(
            {
                "title": title,
                "hint": hint,
                "source": source,
                "words": WORDS,
                "groups": packed,
                "end": end,
                "threshold": numbers(min(threshold, end)),
                "cost_wrong": float(cost_wrong),
                "cost_human": float(cost_human),
                "unit": unit,
            },
            id=id,
        )

    @staticmethod
    def compute(
        right: list[float], wrong: list[float], threshold: float, cost_wrong: float, cost_human: float
    ) -> dict[str, float | None]:
        """Shares of all questions, the share of answers that are wrong (None without an answer), cost of a thousand.

        Args:
            right, wrong: sorted confidences of the questions whose best passage is right and wrong; at or above the
                threshold the assistant answers.
            threshold: the threshold.
            cost_wrong, cost_human: cost of a wrong answer and of an answer by a person; a right answer costs nothing.

        Source: wilson1927 for the interval of the share; the interval of the cost is mean ± 1.96 standard errors.
        """
        hits, misses = (len(part) - int(np.searchsorted(part, threshold, side="left")) for part in (right, wrong))
        total, given = len(right) + len(wrong), hits + misses
        mean = (misses * cost_wrong + (total - given) * cost_human) / total
        square = (misses * cost_wrong**2 + (total - given) * cost_human**2) / total
        error = Z * math.sqrt(max(0.0, square - mean**2) / total)
        share = low = high = None
        if given:
            share, (low, high) = misses / given, metrics.wilson(misses, given)
        return {
            "answered": given / total,
            "right": hits / total,
            "wrong": misses / total,
            "wrong_of_answered": share,
            "low": low,
            "high": high,
            "cost": 1000 * mean,
            "cost_low": 1000 * (mean - error),
            "cost_high": 1000 * (mean + error),
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        confidences = {"right": [0.02, 0.1, 0.1, 0.4], "wrong": [0.0, 0.01, 0.1, 0.25, 0.3]}
        costs = [{"cost_wrong": 10.0, "cost_human": 5.0}, {"cost_wrong": 0.7, "cost_human": 31.0}]
        return [confidences | cost | {"threshold": t} for cost in costs for t in (0.0, 0.05, 0.1, 0.3, 0.35, 0.9)] + [
            {"right": [], "wrong": [0.1, 0.2], "threshold": 0.15, "cost_wrong": 10.0, "cost_human": 5.0}
        ]
