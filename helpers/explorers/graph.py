"""A computational graph of one hidden unit, walked forward and then backward, with the right rule or a printed one."""

from __future__ import annotations

import math

from .base import Explorer

INPUT, TARGET = 2.0, 1.0
WORDS = {
    "w1": "first weight w₁", "w2": "second weight w₂", "step": "step", "rule": "rule",
    "right": "the chain rule", "printed": "as printed (E06)",
    "graph": "The graph", "loss": "Loss over w₁ and its tangent", "loss_axis": "loss L",
    "value": "value", "gradient": "slope of L", "curve": "loss", "tangent": "tangent by the graph",
    "forward": "Forward, step {step} of 4: each node is computed from those before it.",
    "backward": "Backward: dL/dw₁ = {graph} by the graph, {measured} by moving w₁ a little. {verdict}",
    "half": "Backward, step {step} of 4: each node hands its slope on, times its local derivative.",
    "agree": "They agree.", "differ": "They differ: the slope of the activation, {slope}, is missing.",
}


class Graph(Explorer):
    """x → z = w₁x → h = σ(z) → ŷ = w₂h → L = ½(ŷ − y)²: values forward, slopes backward, one step at a time.

    Args:
        w1, w2: weights at first.

    Source: rumelhart1986. Derived in: book/math/backpropagation.
    """

    module = "graph"

    def __init__(self, *, w1: float = 0.8, w2: float = -1.2, id: str | None = None) -> None:
        super().__init__({
            "title": "Values forward, slopes backward", "words": WORDS, "w1": w1, "w2": w2,
            "hint": "Play the steps. Then swap in the printed rule and compare the tangent.",
            "source": "Computed in this page; equal to the Python function within 1e-6.",
        }, id=id)

    @staticmethod
    def compute(w1: float, w2: float, rule: str) -> dict[str, float]:
        """All values of the graph and the slope of the loss at each of them.

        Args:
            w1, w2: the two weights.
            rule: "right", or "printed": the slope at w2 without the hidden value, the slope at z without that of the
                activation.

        Returns:
            values z, h, prediction, loss; slopes d_prediction, d_w2, d_h, d_z, d_w1; and d_w1 and d_w2 measured by
            central differences.

        Source: rumelhart1986. Derived in: book/math/backpropagation.
        """
        z, h, prediction, loss = _forward(w1, w2)
        d_prediction = prediction - TARGET
        d_w2, d_h = d_prediction * h, d_prediction * w2
        d_z = d_h * h * (1 - h)
        if rule == "printed":
            d_w2, d_z = d_prediction, d_h
        small = 1e-4
        return {
            "z": z, "h": h, "prediction": prediction, "loss": loss, "d_prediction": d_prediction, "d_w2": d_w2,
            "d_h": d_h, "d_z": d_z, "d_w1": d_z * INPUT,
            "measured_w1": (_forward(w1 + small, w2)[3] - _forward(w1 - small, w2)[3]) / (2 * small),
            "measured_w2": (_forward(w1, w2 + small)[3] - _forward(w1, w2 - small)[3]) / (2 * small),
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        return [{"w1": 0.8, "w2": -1.2, "rule": "right"}, {"w1": -2.0, "w2": 1.5, "rule": "printed"},
                {"w1": 0.0, "w2": 0.0, "rule": "right"}]


def _forward(w1: float, w2: float) -> tuple[float, float, float, float]:
    z = w1 * INPUT
    h = 1 / (1 + math.exp(-z))
    prediction = w2 * h
    return z, h, prediction, 0.5 * (prediction - TARGET) ** 2
