"""Which uncertain inputs an output hangs on: variance-based sensitivity, and points that fill a cube evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.economics import checks


def latin(num: int, num_dimensions: int) -> np.ndarray:
    """Return points that fill the unit cube evenly: every coordinate holds each of (k + ½)/num once, in a mixed order.

    The order comes from a hash of 32-bit integers instead of a generator, so that the page computes the same points and
    shows the same plan.

    Args:
        num: number of points.
        num_dimensions: number of coordinates.

    Returns:
        [num, num_dimensions] numbers between 0 and 1: a Latin hypercube.

    Raises:
        ValueError: a number is below 1.

    Derived in: book/outlook/business_plan.
    """
    rows = np.arange(checks.count("num", num), dtype=np.uint32)[:, None]
    columns = np.arange(1, checks.count("num_dimensions", num_dimensions) + 1, dtype=np.uint32)
    mixed = rows * np.uint32(0x9E3779B1) + columns * np.uint32(0x7FEB352D)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
    return (np.argsort(mixed, axis=0, kind="stable") + 0.5) / num


@dataclass(frozen=True)
class Sobol:
    """Sensitivity of one output to each input.

    Attributes:
        names: the inputs.
        first: [num_inputs] share of the output's variance that the input explains by itself.
        total: [num_inputs] share that is left when all the others are known, so its interactions are counted in.
        first_interval, total_interval: [num_inputs, 2] bootstrap intervals.
        mean, variance: of the output.
        num_runs: how often the model was evaluated.
    """

    names: tuple[str, ...]
    first: np.ndarray
    total: np.ndarray
    first_interval: np.ndarray
    total_interval: np.ndarray
    mean: float
    variance: float
    num_runs: int

    def largest(self, num: int = 3) -> list[str]:
        """Return the inputs with the largest total indices, largest first."""
        order = np.argsort(-self.total, kind="stable")
        return [self.names[place] for place in order[: checks.count("num", num)]]

    def __str__(self) -> str:
        """Say the three inputs that matter most in one line."""
        shares = [f"{name} {self.total[self.names.index(name)]:.2f}" for name in self.largest(3)]
        return f"total indices: {', '.join(shares)} ({self.num_runs:,} runs)"


def sobol(
    model: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    *,
    num: int = 1024,
    seed: int = 0,
    draws: np.ndarray | None = None,
    level: float = 0.9,
    num_resamples: int = 200,
) -> Sobol:
    """Estimate first-order and total indices of a model with independent inputs, with num·(num_inputs + 2) runs.

    Two independent sets of points A and B; the points AB_i are those of A with the coordinate i of B. With the outputs
    f and the variance V of f(A) and f(B): first = mean f(B)(f(AB_i) − f(A)) / V, total = mean (f(A) − f(AB_i))² / 2V.

    Args:
        model: outputs [n] at points [n, num_inputs] that are uniform in the unit cube.
        names: the inputs.
        num: points in A, and in B.
        seed: seed of the points; ignored with `draws`.
        draws: [num, 2·num_inputs] points of one's own: first the coordinates of A, then those of B.
        level: of the bootstrap intervals.
        num_resamples: of the bootstrap; 0 leaves the intervals out (they are NaN).

    Raises:
        ValueError: a number is out of its range, or the points have another shape.

    Source: sobol2001, saltelli2010. Derived in: book/outlook/business_plan.
    """
    names = tuple(names)
    if not names:
        raise ValueError("a sensitivity needs at least one uncertain input, found none; give some input a range.")
    size, level = len(names), checks.fraction("level", level)
    if draws is None:
        draws = np.random.default_rng(seed).random((checks.count("num", num, at_least=2), 2 * size))
    draws = np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or draws.shape[1] != 2 * size or len(draws) < 2:
        raise ValueError(f"draws must have shape [num, {2 * size}] for {size} inputs, found {list(draws.shape)}; "
                         "draw two points a row.")
    a, b = draws[:, :size], draws[:, size:]
    at_a, at_b = model(a), model(b)
    centre = (at_a.mean() + at_b.mean()) / 2
    at_a, at_b = at_a - centre, at_b - centre
    first, total = np.empty((size, len(a))), np.empty((size, len(a)))
    for place in range(size):
        mixed = a.copy()
        mixed[:, place] = b[:, place]
        changed = model(mixed) - centre
        first[place] = at_b * (changed - at_a)
        total[place] = (at_a - changed) ** 2 / 2
    both = np.stack([at_a + at_b, at_a**2 + at_b**2])  # per row, for the variance

    def indices(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, square = both @ weights.T / 2
        variance = square - mean**2
        safe = np.where(variance > 0, variance, np.inf)
        return first @ weights.T / safe, total @ weights.T / safe, variance

    equal = np.full((1, len(a)), 1 / len(a))
    found_first, found_total, variance = indices(equal)
    ends = np.full((2, size, 2), np.nan)
    if checks.count("num_resamples", num_resamples, at_least=0):
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(len(a), equal[0], size=num_resamples) / len(a)
        tails = [(1 - level) / 2, (1 + level) / 2]
        ends = np.stack([np.quantile(one, tails, axis=1).T for one in indices(weights)[:2]])
    return Sobol(names, found_first[:, 0], found_total[:, 0], ends[0], ends[1], float(centre), float(variance[0]),
                 len(a) * (size + 2))


def ishigami(x: np.ndarray, a: float = 7.0, b: float = 0.1) -> np.ndarray:
    """Return sin x₁ + a sin² x₂ + b x₃⁴ sin x₁ at points [n, 3] between −π and π, whose indices are known exactly.

    Source: saltelli2010. Derived in: book/outlook/business_plan.
    """
    return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])
