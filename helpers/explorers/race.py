"""Five optimisers race down a surface, each at a chosen multiple of its own best learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .base import Explorer

Point = Sequence[float]
FLATNESS = 0.01  # curvature along the valleys; across it is 1
NOISE = 0.3  # standard deviation of the noise in each gradient of the noisy bowl
FIRST_RATE, RATIO, NUM_RATES = 1e-4, 1.2, 64  # the learning rates tried: 1e-4 to 9.8
FAR = 1e3  # a path farther out than this has diverged
FLOOR = 1e-8  # added to the loss before its logarithm is taken
METHODS = ("sgd", "momentum", "nesterov", "rmsprop", "adam")
WORDS = {
    "surface": "surface", "share": "learning rate ÷ its best", "beta": "momentum β (Adam: β₁)",
    "beta2": "β₂ (RMSprop: α)", "corrected": "Adam corrects its start", "step": "steps shown",
    "valley": "valley along the axes", "turned": "valley, turned by 45°", "banana": "Rosenbrock's bend",
    "saddle": "saddle", "noisy": "bowl with noisy gradients",
    "sgd": "SGD", "momentum": "heavy ball", "nesterov": "Nesterov", "rmsprop": "RMSprop", "adam": "Adam",
    "map": "Seen from above", "fall": "Height above the lowest point", "first": "first parameter",
    "second": "second parameter", "steps": "step", "height": "height", "rate": "rate", "tiny": "below 10⁻¹²",
    "status": "After {step} steps the lowest is {first} (height {low}, rate {rate}). The order: {order}.",
    "status_away": " Diverged: {names}.",
}
STARTS = {
    "valley": (-1.0, 0.6),
    "turned": (-1.131370849898476, -0.282842712474619),  # the same place on the turned valley
    "banana": (-1.2, 1.0),
    "saddle": (0.02, 0.9),
    "noisy": (-1.0, 0.6),
}


class Race(Explorer):
    """Plain descent, heavy ball, Nesterov, RMSprop and Adam on a surface; sliders for rate, momentum and betas.

    Args:
        surface: "valley", "turned", "banana", "saddle" or "noisy" at first.
        share: learning rate of each optimiser at first, in units of its own best.
        beta: momentum, and Adam's β₁, at first.
        beta2: Adam's β₂, and RMSprop's α, at first.
        num_steps: steps of the race.

    Source: polyak1964, nesterov1983, tieleman2012, kingma2015. Derived in: book/algorithms/optimisers.
    """

    module = "race"

    def __init__(
        self, *, surface: str = "valley", share: float = 1.0, beta: float = 0.9, beta2: float = 0.99,
        num_steps: int = 120, id: str | None = None,
    ) -> None:
        if surface not in STARTS:
            raise ValueError(f"unknown surface {surface!r}: use one of {', '.join(STARTS)}")
        super().__init__({
            "title": "A race down a surface", "words": WORDS, "surface": surface, "share": share, "beta": beta,
            "beta2": beta2, "num_steps": num_steps, "surfaces": list(STARTS), "methods": list(METHODS),
            "hint": "Each optimiser starts with the best of 64 learning rates. Change the surface, then the rate.",
            "source": "Computed in this page; equal to the Python function within 1e-6.",
        }, id=id)

    @staticmethod
    def compute(surface: str, share: float, beta: float, beta2: float, corrected: bool, num_steps: int) -> dict:
        """The paths of all five optimisers.

        Args:
            surface: name of the surface.
            share: learning rate over the best one of each optimiser.
            beta: momentum of heavy ball and Nesterov, β₁ of Adam, in [0, 1).
            beta2: α of RMSprop and β₂ of Adam, in [0, 1).
            corrected: whether Adam corrects its averages for their start at zero.
            num_steps: number of steps.

        Returns:
            For each method, in the order of ``METHODS``: ``rates``, ``paths`` [num_steps + 1][2] and ``heights``
            [num_steps + 1]; None from where a path has diverged.
        """
        rates = [best_rate(surface, method, beta, beta2, corrected, num_steps) for method in METHODS]
        found = [run(surface, method, share * rate, beta, beta2, corrected, num_steps)
                 for method, rate in zip(METHODS, rates, strict=True)]
        return {"rates": rates, "paths": [path for path, _ in found], "heights": [heights for _, heights in found]}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        common = {"share": 1.0, "beta": 0.9, "beta2": 0.99, "corrected": True, "num_steps": 60}
        return [{**common, "surface": surface} for surface in STARTS] + [
            {**common, "surface": "valley", "corrected": False, "beta2": 0.999, "share": 2.5},
            {**common, "surface": "banana", "beta": 0.5, "share": 0.3},
        ]


def height(surface: str, u: float, v: float) -> float:
    """Height of the surface at (u, v); 0 at the lowest point."""
    if surface == "valley":
        return 0.5 * (FLATNESS * u * u + v * v)
    if surface == "turned":
        return 0.25 * (FLATNESS * (u + v) * (u + v) + (v - u) * (v - u))
    if surface == "banana":
        return (1 - u) * (1 - u) + 100 * (v - u * u) * (v - u * u)
    if surface == "saddle":
        return 0.25 * (u * u - 1) * (u * u - 1) + 0.5 * v * v
    return 0.5 * (u * u + v * v)


def slope(surface: str, u: float, v: float) -> tuple[float, float]:
    """Gradient of ``height``."""
    if surface == "valley":
        return FLATNESS * u, v
    if surface == "turned":
        along, across = 0.5 * FLATNESS * (u + v), 0.5 * (v - u)
        return along - across, along + across
    if surface == "banana":
        bend = 200 * (v - u * u)
        return -2 * (1 - u) - 2 * u * bend, bend
    if surface == "saddle":
        return (u * u - 1) * u, v
    return u, v


def noise() -> Callable[[], float]:
    """A fixed sequence of numbers with mean 0 and variance 1, equal in every language: a 32-bit congruence."""
    state = 1

    def draw() -> float:
        nonlocal state
        total = 0.0
        for _ in range(3):  # the sum of three uniform numbers in ±1 has variance 1
            state = (1664525 * state + 1013904223) % 4294967296
            total += 2 * state / 4294967296 - 1
        return total

    return draw


def run(
    surface: str, method: str, lr: float, beta: float, beta2: float, corrected: bool, num_steps: int
) -> tuple[list, list]:
    """Path [num_steps + 1][2] and heights [num_steps + 1] of one optimiser; None from where it has diverged."""
    at, first, second = list(STARTS[surface]), [0.0, 0.0], [0.0, 0.0]
    draw, left1, left2 = noise(), 1.0, 1.0
    path: list = []
    heights: list = []
    for _ in range(num_steps + 1):
        if not (abs(at[0]) < FAR and abs(at[1]) < FAR):
            path.append([None, None])
            heights.append(None)
            continue
        path.append(list(at))
        heights.append(height(surface, *at))
        gradient = slope(surface, *at)
        left1, left2 = left1 * beta, left2 * beta2
        for axis in (0, 1):
            g = gradient[axis] + (NOISE * draw() if surface == "noisy" else 0.0)
            if method in ("momentum", "nesterov"):
                first[axis] = beta * first[axis] + g
                move = g + beta * first[axis] if method == "nesterov" else first[axis]
            elif method in ("rmsprop", "adam"):
                first[axis] = beta * first[axis] + (1 - beta) * g
                second[axis] = beta2 * second[axis] + (1 - beta2) * g * g
                fixed = method == "adam" and corrected
                mean = g if method == "rmsprop" else first[axis] / (1 - left1 if fixed else 1)
                move = mean / (math.sqrt(second[axis] / (1 - left2 if fixed else 1)) + 1e-8)
            else:
                move = g
            at[axis] -= lr * move
    return path, heights


def best_rate(surface: str, method: str, beta: float, beta2: float, corrected: bool, num_steps: int) -> float:
    """The learning rate, of ``NUM_RATES``, with the lowest mean logarithm of the height over the race."""
    best, lowest, rate = FIRST_RATE, math.inf, FIRST_RATE
    for _ in range(NUM_RATES):
        heights = run(surface, method, rate, beta, beta2, corrected, num_steps)[1]
        if heights[-1] is not None:
            score = sum(math.log(one + FLOOR) for one in heights)
            if score < lowest - 1e-9:
                best, lowest = rate, score
        rate *= RATIO
    return best
