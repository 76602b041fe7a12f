"""How sure a measure is: intervals, and the comparison of two models on the same examples."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from helpers.metrics._checks import numbers, pair


class Interval(NamedTuple):
    """The two ends of an interval, in the unit of the quantity."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.3g}, {self.high:.3g}]"


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is the share of intervals that hold the true value, in (0, 1); found {level}")


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return Wilson's interval for a share, such as an accuracy; it stays inside [0, 1] also for few trials.

    Derived in: book/math/metrics.

    Arguments:
        successes: number of right answers; trials: number of answers.
        level: share of such intervals that hold the true share.

    Raises:
        ValueError: no trials, successes outside 0 … trials, or a level outside (0, 1).
    """
    _check_level(level)
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"successes must lie in 0 … trials with at least one trial, found {successes} of {trials}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == trials else (centre + spread) / scale
    return Interval(float(low), float(high))


def bootstrap(values: Any, statistic: Callable[..., Any] = np.mean, level: float = 0.95, num_resamples: int = 1000,
              seed: int = 0) -> Interval:
    """Return the percentile interval of a statistic over examples drawn again with replacement.

    Derived in: book/math/metrics.

    Arguments:
        values: one row for each example, shape [n] or [n, …]; keep paired measurements in one row.
        statistic: takes values of the same shape and returns a number.
        level: share of such intervals that hold the true value.
        num_resamples: number of draws, at least 100.
        seed: of the draws; the global generators stay as they were.

    Raises:
        ValueError: fewer than two examples, fewer than 100 draws, a level outside (0, 1), a statistic not finite.
    """
    _check_level(level)
    rows = numbers(values, "values")
    if rows.ndim == 0 or len(rows) < 2:
        raise ValueError(f"a bootstrap needs at least two examples, found shape {rows.shape}")
    if num_resamples < 100:
        raise ValueError(f"num_resamples must be at least 100, found {num_resamples}")
    rng = np.random.default_rng(seed)
    found = np.array([float(statistic(rows[rng.integers(0, len(rows), len(rows))])) for _ in range(num_resamples)])
    if not np.isfinite(found).all():
        raise ValueError(f"the statistic is not finite in {int((~np.isfinite(found)).sum())} of {num_resamples} draws")
    low, high = np.quantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high))


class Comparison(NamedTuple):
    """Two models on the same examples.

    Attributes:
        only_first: examples that only the first model got right; only_second: likewise for the second.
        difference: accuracy of the first minus accuracy of the second.
        p_value: chance of a split at least as uneven if both were equally good (exact, two-sided).
    """

    only_first: int
    only_second: int
    difference: float
    p_value: float


def mcnemar(first_right: Any, second_right: Any) -> Comparison:
    """Compare two models by the examples on which exactly one of them is right. Source: mcnemar1947.

    Derived in: book/math/metrics.

    Arguments:
        first_right, second_right: whether each model was right on each example, bool or 0 and 1, shape [n], in the
            same order.

    Raises:
        ValueError: unequal shapes, or anything but 0 and 1.
    """
    first, second = pair(first_right, second_right, "second_right")
    for name, array in (("first_right", first), ("second_right", second)):
        if array.ndim != 1 or not set(np.unique(array).tolist()) <= {0, 1}:
            raise ValueError(f"{name} must hold 0 and 1 (or booleans), shape [n]; found {np.unique(array)[:5]} of "
                             f"shape {array.shape}: compare predictions with targets first")
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    total, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(total, k) for k in range(fewer + 1)) / 2**total
    return Comparison(only_first, only_second, float(first.mean() - second.mean()), min(1.0, 2 * tail))
