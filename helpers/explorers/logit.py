"""One logit, two losses: how hard cross-entropy and squared error pull on a sigmoid unit."""

from __future__ import annotations

import math

from .base import Explorer

WORDS = {
    "logit": "logit z",
    "answer": "true answer",
    "yes": "1 (yes)",
    "no": "0 (no)",
    "loss": "Loss",
    "loss_axis": "loss, nats",
    "gradient": "Gradient",
    "gradient_axis": "slope at z",
    "cross_entropy": "cross-entropy",
    "squared": "squared error",
    "columns": ["z", "probability", "cross-entropy", "its gradient", "squared error", "its gradient"],
    "status": "The model says yes with probability {probability}; the answer is {answer}. Cross-entropy "
    "{cross_entropy} pulls with {pull}, squared error {squared} with {squared_pull}: {ratio} times the pull.",
}


class LogitLoss(Explorer):
    """Loss and gradient of one sigmoid unit against its logit, for cross-entropy and for squared error.

    Args:
        logit: starting value of the logit, between -8 and 8.
        label: the true answer at the start, 0 or 1.
        id: name in links to a setting.

    Raises:
        ValueError: the logit lies outside -8 to 8, or the label is neither 0 nor 1.

    Derived in: book/math/losses_and_activations.
    """

    module = "logit"

    def __init__(self, logit: float = -5.0, label: int = 1, *, id: str | None = None) -> None:
        if not -8 <= logit <= 8:
            raise ValueError(f"The logit starts between -8 and 8, found {logit}.")
        if label not in (0, 1):
            raise ValueError(f"The label is 0 or 1, found {label!r}.")
        super().__init__(
            {
                "title": "Sure and wrong: which loss pulls back?",
                "hint": "Drag the point along the upper curve, or use the slider.",
                "source": "Computed in this page; equal to the Python function within 1e-6.",
                "words": WORDS,
                "logit": logit,
                "label": label,
            },
            id=id,
        )

    @staticmethod
    def compute(logit: float, label: int) -> dict[str, float]:
        """Probability, both losses and both gradients with respect to the logit.

        Args:
            logit: any real number.
            label: 0 or 1.
        """
        probability = 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
        gap = probability - label
        return {
            "probability": probability,
            "cross_entropy": max(logit, 0.0) - logit * label + math.log1p(math.exp(-abs(logit))),
            "squared": gap * gap,
            "cross_entropy_gradient": gap,
            "squared_gradient": 2 * gap * probability * (1 - probability),
        }

    @staticmethod
    def cases() -> list[dict[str, float]]:
        """Settings on which the page and Python are compared."""
        return [{"logit": z, "label": y} for z in (-8.0, -3.1, 0.0, 0.7, 8.0) for y in (0, 1)]
