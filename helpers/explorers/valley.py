"""Gradient descent with momentum in a valley that is steep across and flat along."""

from __future__ import annotations

import math

from .base import Explorer

START = (-1.0, 0.6)  # along, across
WORDS = {
    "kappa": "condition number",
    "share": "learning rate",
    "momentum": "momentum",
    "step": "steps shown",
    "edge": "edge",
    "along": "along the valley (flat)",
    "across": "across (steep)",
    "map": "The valley from above",
    "distance": "Distance to the bottom",
    "steps": "step",
    "found": "found",
    "predicted": "slope predicted",
    "status": "Each step keeps {factor} of the distance in the long run: {needed} steps to a thousandth. "
              "The best rate and momentum for this valley keep {best}: {fewest} steps.",
    "status_away": "Each step multiplies the distance by {factor} in the long run: it runs away. "
                   "The edge is at {edge}.",
}


class Valley(Explorer):
    """A quadratic loss in two directions; sliders for its condition number, the learning rate and the momentum.

    Args:
        kappa: condition number at first, steepest curvature over flattest.
        share: learning rate times steepest curvature at first; without momentum the edge is 2.
        momentum: β of the heavy ball at first, in [0, 1).
        num_steps: most steps drawn.

    Source: polyak1964. Derived in: book/math/gradient_descent.
    """

    module = "valley"

    def __init__(
        self, *, kappa: float = 30.0, share: float = 1.0, momentum: float = 0.0, num_steps: int = 120,
        id: str | None = None,
    ) -> None:
        super().__init__({
            "title": "A valley, steep across and flat along", "words": WORDS,
            "hint": "The steepest curvature is 1. Raise the learning rate to the edge, then add momentum.",
            "kappa": kappa, "share": share, "momentum": momentum, "num_steps": num_steps, "start": list(START),
            "source": "Computed in this page; equal to the Python function within 1e-6.",
        }, id=id)

    @staticmethod
    def compute(kappa: float, share: float, momentum: float, num_steps: int) -> dict:
        """The path of the heavy ball on ½ (λ₁ u² + λ₂ v²) with λ₂ = 1 and λ₁ = 1 / κ, from ``START``.

        Args:
            kappa: condition number, at least 1.
            share: learning rate η, in units of 1 / λ₂.
            momentum: β, in [0, 1).
            num_steps: number of steps.

        Returns:
            ``path`` [num_steps + 1][2], ``distances`` [num_steps + 1], ``factor`` (of the distance a step, in the long
            run), ``best`` (the least factor any η and β reach) and ``edge`` (η above which the path runs away).

        Source: polyak1964. Derived in: book/math/gradient_descent.
        """
        curvature = (1.0 / kappa, 1.0)
        at, velocity = list(START), [0.0, 0.0]
        path, distances = [], []
        for _ in range(num_steps + 1):
            path.append(list(at))
            distances.append(math.hypot(*at))
            for axis in (0, 1):
                velocity[axis] = momentum * velocity[axis] + curvature[axis] * at[axis]
                at[axis] -= share * velocity[axis]
        root = math.sqrt(kappa)
        return {"path": path, "distances": distances,
                "factor": max(shrink(share * one, momentum) for one in curvature),
                "best": (root - 1) / (root + 1), "edge": 2 * (1 + momentum)}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        return [{"kappa": 30.0, "share": 1.0, "momentum": 0.0, "num_steps": 40},
                {"kappa": 30.0, "share": 1.96, "momentum": 0.5, "num_steps": 60},
                {"kappa": 400.0, "share": 2.05, "momentum": 0.0, "num_steps": 30},
                {"kappa": 1.0, "share": 1.0, "momentum": 0.9, "num_steps": 30}]


def shrink(scaled: float, momentum: float) -> float:
    """Factor by which the heavy ball shrinks the distance in one step, in the long run.

    Args:
        scaled: learning rate times the curvature of the direction, above 0.
        momentum: β, in [0, 1).

    Returns:
        The larger absolute root of r² − (1 + β − ηλ) r + β.

    Source: polyak1964. Derived in: book/math/gradient_descent.
    """
    middle = 1 + momentum - scaled
    under = middle * middle - 4 * momentum
    if under < 0:
        return math.sqrt(momentum)
    return (abs(middle) + math.sqrt(under)) / 2
