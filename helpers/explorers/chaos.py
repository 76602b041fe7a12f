"""From order to chaos and back: one weight, trained with every learning rate."""

from __future__ import annotations

import math

from .base import Explorer

LIMIT = 1e3  # beyond this weight a run counts as gone

WORDS = {
    "lr": "learning rate",
    "diagram": "Where the weight ends up, for every learning rate",
    "weight": "weight",
    "settles": "settles",
    "chaos": "chaos",
    "edge": "edge: 2 / curvature",
    "valley": "The run on its loss curve",
    "loss": "loss",
    "runs": "Two runs",
    "steps": "step",
    "first": "starts at 0.3",
    "second": "a millionth higher",
    "learned": "Learning rate {lr}: both runs settle at 1, within a thousandth, after {steps} steps.",
    "slow": "Learning rate {lr}: the weight is on its way to 1, but {steps} steps are too few to arrive.",
    "cycle": "Learning rate {lr}: the weight never settles. It jumps between {period} values for ever.",
    "wanders": "Learning rate {lr}: chaos. Two runs began a millionth apart; after {steps} steps they are {gap} apart.",
    "gone": "Learning rate {lr}: the weight leaves the picture after {steps} steps and grows without limit.",
    "first_column": "run 1",
    "second_column": "run 2",
}


class Chaos(Explorer):
    """Gradient descent on the loss (w² − 1)² / 4: a model with one weight, used twice, that should learn w · w = 1.

    The bottom of the valley has the curvature 2, so a step is too long from the learning rate 1 on; from about 1.3 the
    weight moves chaotically, and beyond 2 it grows without limit.

    Args:
        lr: learning rate that is shown first, from 0.02 to 2.1.

    Raises:
        ValueError: learning rate outside of the picture.
    """

    module = "chaos"

    def __init__(self, lr: float = 1.9, *, id: str | None = None) -> None:
        if not 0.02 <= lr <= 2.1:
            raise ValueError(f"Chaos shows learning rates from 0.02 to 2.1, found {lr!r}.")
        super().__init__(
            {
                "title": "From chaos to a result, with one slider",
                "hint": "The smallest model there is: one weight, used twice, that should learn w · w = 1. "
                "Drag the learning rate to the left until the two runs agree.",
                "words": WORDS,
                "start": {"lr": float(lr)},
                "source": "Computed in this page; the same function in Python gives the same numbers.",
            },
            id=id,
        )

    @staticmethod
    def compute(lr: float, start: float = 0.3, steps: int = 60) -> dict[str, list[float | None]]:
        """Weight and loss at the start and after every step of gradient descent; None once the weight exceeds 1000.

        Args:
            lr: learning rate, above zero.
            start: weight before the first step.
            steps: number of steps.

        Derived in: book/algorithms/linear_regression (the edge, 2 over the curvature).
        """
        weights: list[float | None] = [start]
        for _ in range(steps):
            w = weights[-1]
            if w is not None:
                w = w - lr * (w * (w * w - 1))
                w = w if math.isfinite(w) and abs(w) <= LIMIT else None
            weights.append(w)
        return {"weights": weights, "losses": [None if w is None else (w * w - 1) ** 2 / 4 for w in weights]}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the browser tests compare this function with the page."""
        rates, starts = (0.1, 0.9, 1.1, 1.9, 2.05), (0.3, 0.300001)
        return [{"lr": lr, "start": start, "steps": 60} for lr in rates for start in starts]
