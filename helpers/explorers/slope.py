"""A slope measured with a step: too long a step bends away from the curve, too short a one drowns in rounding."""

from __future__ import annotations

import numpy as np

from .base import Explorer

WORDS = {
    "x": "place x",
    "h": "step h",
    "kind": "difference",
    "forward": "forward",
    "central": "central",
    "curve": "The curve",
    "secant": "through two points",
    "tangent": "true slope",
    "error": "How wrong the slope is",
    "error_axis": "error of the slope (log scale)",
    "bits32": "32 bit",
    "bits64": "64 bit",
    "status": "Step {h}: slope {slope} in 32 bit, true slope {exact}, error {error}.",
    "lost": "Step {h}: in 32 bit x + h is x itself, so the measured slope is 0. True slope {exact}.",
    "slope": "slope, 32 bit",
}


class Slope(Explorer):
    """Secant and tangent of x³/3 − x, and the error of the measured slope against the step, in 32 and 64 bits.

    Args:
        x: place on the curve that is shown first, from −2 to 1.5.
        h: step that is shown first, from 1e-8 to 1.

    Raises:
        ValueError: place or step outside of what the picture shows.
    """

    module = "slope"

    def __init__(self, x: float = 0.5, h: float = 1.0, *, id: str | None = None) -> None:
        if not -2 <= x <= 1.5:
            raise ValueError(f"Slope shows the curve from -2 to 1.5, found x = {x!r}.")
        if not 1e-8 <= h <= 1:
            raise ValueError(f"Slope takes steps from 1e-8 to 1, found h = {h!r}.")
        super().__init__(
            {
                "title": "How short should the step be?",
                "hint": "Shorten the step. Left, the line through two points nears the tangent. Right: the error.",
                "words": WORDS,
                "start": {"x": float(x), "h": float(h)},
                "source": "Computed in this page, with the roundings of 32-bit and 64-bit numbers.",
            },
            id=id,
        )

    @staticmethod
    def compute(x: float, h: float, kind: str = "forward", bits: int = 32) -> dict[str, float]:
        """Measured slope of x³/3 − x, its true slope and the absolute error between the two.

        Args:
            x: place on the curve.
            h: step, above zero.
            kind: "forward" or "central".
            bits: 32 or 64, the precision in which the difference is taken.

        Derived in: book/essentials.
        """
        number = np.float32 if bits == 32 else np.float64
        a, step, three = number(x), number(h), number(3)

        def curve(v: np.floating) -> np.floating:
            return v * v * v / three - v

        if kind == "forward":
            slope = (curve(a + step) - curve(a)) / step
        else:
            slope = (curve(a + step) - curve(a - step)) / (number(2) * step)
        exact = x * x - 1
        return {"slope": float(slope), "exact": exact, "error": abs(float(slope) - exact)}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the browser tests compare this function with the page."""
        return [
            {"x": x, "h": h, "kind": kind, "bits": bits}
            for x, h in [(0.5, 1.0), (1.5, 1e-3), (-2.0, 3e-7), (0.3, 1e-8)]
            for kind in ("forward", "central")
            for bits in (32, 64)
        ]
