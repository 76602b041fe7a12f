"""Measures of predictions as pure functions, with intervals; lists, arrays and tensors are all accepted."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np


class Interval(NamedTuple):
    """The two ends of an interval, in the unit of the quantity."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.3g}, {self.high:.3g}]"


def _array(values: Any, name: str) -> np.ndarray:
    """Return values as an array; anything that holds NaN is refused."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values
    array = np.asarray(values)
    if array.size == 0:
        raise ValueError(f"{name} is empty: a measure needs at least one example")
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise ValueError(f"{name} must hold numbers, found {array.dtype}")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN in {int(np.isnan(array).sum())} of {array.size} places")
    return array


def _pair(targets: Any, predictions: Any, name: str = "predictions") -> tuple[np.ndarray, np.ndarray]:
    first, second = _array(targets, "targets"), _array(predictions, name)
    if first.shape != second.shape:
        raise ValueError(f"targets and {name} must have the same shape, found {first.shape} and {second.shape}")
    return first, second


def _labels(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = _pair(targets, predictions)
    for name, array in (("targets", first), ("predictions", second)):
        if array.ndim != 1 or (np.issubdtype(array.dtype, np.floating) and (array != np.round(array)).any()):
            raise ValueError(f"{name} must be class numbers of shape [n], found {array.dtype} of shape {array.shape}: "
                             "take logits.argmax(dim=1) or scores >= threshold first")
    return first.astype(np.int64), second.astype(np.int64)


def accuracy(targets: Any, predictions: Any) -> float:
    """Return the share of examples whose predicted class is right, in [0, 1].

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers, shape [n].

    Raises:
        ValueError: unequal shapes, no examples, or logits instead of classes.
    """
    targets, predictions = _labels(targets, predictions)
    return float((targets == predictions).mean())


def confusion(targets: Any, predictions: Any, num_classes: int) -> np.ndarray:
    """Count how often class i (row) was predicted as class j (column).

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers in 0 … num_classes − 1, shape [n].

    Returns:
        int64, shape [num_classes, num_classes].

    Raises:
        ValueError: a class number out of range.
    """
    targets, predictions = _labels(targets, predictions)
    for name, array in (("targets", targets), ("predictions", predictions)):
        if array.min() < 0 or array.max() >= num_classes:
            bad = int(array.min() if array.min() < 0 else array.max())
            raise ValueError(f"{name} must lie in 0 … {num_classes - 1}, found {bad}")
    return np.bincount(targets * num_classes + predictions, minlength=num_classes**2).reshape(num_classes, num_classes)


def _counts(targets: Any, predictions: Any, positive: int) -> tuple[int, int, int]:
    targets, predictions = _labels(targets, predictions)
    hit = (targets == positive) & (predictions == positive)
    return int(hit.sum()), int((predictions == positive).sum()), int((targets == positive).sum())


def precision(targets: Any, predictions: Any, positive: int = 1) -> float:
    """Return the share of alarms that were right, in [0, 1]; 0 without alarms.

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers, shape [n].
        positive: the class that counts as an alarm.
    """
    hits, alarms, _ = _counts(targets, predictions, positive)
    return hits / alarms if alarms else 0.0


def recall(targets: Any, predictions: Any, positive: int = 1) -> float:
    """Return the share of positive examples that were found, in [0, 1]; 0 without positive examples.

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers, shape [n].
        positive: the class to find.
    """
    hits, _, positives = _counts(targets, predictions, positive)
    return hits / positives if positives else 0.0


def f1(targets: Any, predictions: Any, positive: int = 1) -> float:
    """Return the harmonic mean of precision and recall, in [0, 1].

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers, shape [n].
        positive: the class to find.
    """
    hits, alarms, positives = _counts(targets, predictions, positive)
    return 2 * hits / (alarms + positives) if alarms + positives else 0.0


def roc_auc(targets: Any, scores: Any) -> float:
    """Return the probability that a random positive example scores above a random negative one; ties count half.

    Derived in: book/math/metrics.

    Arguments:
        targets: 0 or 1, shape [n].
        scores: any real numbers, higher means more positive, shape [n].

    Raises:
        ValueError: targets other than 0 and 1, or only one of them.
    """
    targets, scores = _pair(targets, scores, "scores")
    if targets.ndim != 1 or set(np.unique(targets).tolist()) != {0, 1}:
        raise ValueError(f"targets must hold both 0 and 1 and nothing else, shape [n]; found {np.unique(targets)[:5]} "
                         f"of shape {targets.shape}")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]             # mean rank of equal scores
    num_positive = int(targets.sum())
    wins = ranks[targets == 1].sum() - num_positive * (num_positive + 1) / 2
    return float(wins / (num_positive * (len(targets) - num_positive)))


def mse(targets: Any, predictions: Any) -> float:
    """Return the mean squared error, in the squared unit of the targets.

    Derived in: book/algorithms/linear_regression.

    Arguments:
        targets, predictions: real numbers of one shape.
    """
    targets, predictions = _pair(targets, predictions)
    return float(np.mean((targets.astype(np.float64) - predictions) ** 2))


def mae(targets: Any, predictions: Any) -> float:
    """Return the mean absolute error, in the unit of the targets.

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: real numbers of one shape.
    """
    targets, predictions = _pair(targets, predictions)
    return float(np.mean(np.abs(targets.astype(np.float64) - predictions)))


def _ranks(ranks: Any) -> np.ndarray:
    array = _array(ranks, "ranks")
    if array.ndim != 1 or (array < 1).any():
        raise ValueError("ranks count from 1, shape [n] (infinity: not found); "
                         f"found {array.min()} in shape {array.shape}")
    return array


def recall_at_k(ranks: Any, k: int) -> float:
    """Return the share of questions whose right answer is among the first k, in [0, 1].

    Derived in: book/applications/customer_service.

    Arguments:
        ranks: place of the right answer for each question, from 1; infinity where it was not found; shape [n].
        k: how many answers are looked at, at least 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, found {k}")
    return float((_ranks(ranks) <= k).mean())


def mean_reciprocal_rank(ranks: Any) -> float:
    """Return the mean of 1 / rank over the questions, in [0, 1].

    Derived in: book/applications/customer_service.

    Arguments:
        ranks: place of the right answer for each question, from 1; infinity where it was not found; shape [n].
    """
    return float((1.0 / _ranks(ranks)).mean())


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
    rows = _array(values, "values")
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
