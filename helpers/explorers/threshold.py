"""A threshold on scores: what it decides, what its errors cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Explorer, numbers, pack_float16

MAX_SCORES = 20_000


class Threshold(Explorer):
    """Drag the threshold: confusion matrix, cost a case, precision and recall.

    Args:
        scores: score of each case, higher is more positive, [n].
        labels: 0 or 1, [n].
        costs: cost of a false positive and of a false negative, in `unit`.
        classes: names of the classes 0 and 1.
        threshold: shown first; default: the middle of the scores' range.
        unit: unit of the costs.
        score_label: what the score is.
        cost_labels: words for the two cost sliders.
        title, hint, source: first lines of the figure, and where the scores come from.

    Raises:
        ValueError: lengths differ, a label is not 0 or 1, one class is empty, scores are not finite, or a cost is not
            above 0.
    """

    module = "threshold"

    def __init__(
        self,
        scores: Any,
        labels: Any,
        costs: tuple[float, float] = (1.0, 5.0),
        *,
        classes: tuple[str, str] = ("negative", "positive"),
        threshold: float | None = None,
        unit: str = "USD",
        score_label: str = "score",
        cost_labels: tuple[str, str] = ("cost of a false alarm", "cost of a miss"),
        title: str = "Where to put the threshold",
        hint: str = "Drag the threshold; then change what the errors cost.",
        source: str = "Computed in this page from the scores of the cell above.",
        id: str | None = None,
    ) -> None:
        values, truth = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v).ravel() for v in (scores, labels))
        values = values.astype(np.float64)
        if values.size != truth.size or not 2 <= values.size <= MAX_SCORES:
            raise ValueError(
                f"Threshold takes one label a score, 2 to {MAX_SCORES:,}; "
                f"found {values.size} scores, {truth.size} labels."
            )
        if not np.isfinite(values).all():
            raise ValueError("Threshold takes finite scores, found nan or inf.")
        if set(np.unique(truth).tolist()) != {0, 1}:
            raise ValueError(f"Threshold takes labels 0 and 1, both present; found {np.unique(truth)[:5].tolist()}.")
        if min(costs) <= 0:
            raise ValueError(f"Costs must be above 0, found {costs}.")
        values = values.astype(np.float16).astype(np.float64)
        low, high = float(values.min()), float(values.max())
        domain = [0.0, 1.0] if low >= 0 and high <= 1 else [low, high]
        super().__init__(
            {
                "title": title,
                "hint": hint,
                "source": source,
                "positive": pack_float16(np.sort(values[truth == 1])),
                "negative": pack_float16(np.sort(values[truth == 0])),
                "domain": domain,
                "threshold": numbers(sum(domain) / 2 if threshold is None else threshold),
                "cost_false_positive": float(costs[0]),
                "cost_false_negative": float(costs[1]),
                "cost_labels": dict(zip(("cost_false_positive", "cost_false_negative"), cost_labels, strict=True)),
                "classes": list(classes),
                "unit": unit,
                "score_label": score_label,
            },
            id=id,
        )

    @staticmethod
    def compute(
        positive: list[float],
        negative: list[float],
        threshold: float,
        cost_false_positive: float,
        cost_false_negative: float,
    ) -> dict:
        """Counts, precision (None without a positive call), recall, accuracy and mean cost a case at a threshold.

        Args:
            positive, negative: sorted scores of the two classes; at or above the threshold counts as positive.
            threshold: the threshold; cost_false_positive, cost_false_negative: cost of one error.
        """
        hits, alarms = (int((np.asarray(part) >= threshold).sum()) for part in (positive, negative))
        misses, passed = len(positive) - hits, len(negative) - alarms
        total = len(positive) + len(negative)
        return {
            "true_positives": hits,
            "false_positives": alarms,
            "false_negatives": misses,
            "true_negatives": passed,
            "precision": hits / (hits + alarms) if hits + alarms else None,
            "recall": hits / len(positive),
            "accuracy": (hits + passed) / total,
            "cost": (alarms * cost_false_positive + misses * cost_false_negative) / total,
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        scores = {"positive": [0.2, 0.5, 0.5, 0.9], "negative": [0.1, 0.3, 0.5, 0.7]}
        costs = {"cost_false_positive": 1.0, "cost_false_negative": 7.5}
        return [scores | costs | {"threshold": t} for t in (0.0, 0.3, 0.5, 0.71, 1.0)]
