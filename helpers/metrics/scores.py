"""Measures of scores before a threshold is chosen: ROC, precision against recall, calibration, cost."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.metrics._checks import pair


def _binary(targets: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    targets, scores = pair(targets, scores, "scores")
    if targets.ndim != 1 or set(np.unique(targets).tolist()) != {0, 1}:
        raise ValueError(f"targets must hold both 0 and 1 and nothing else, shape [n]; found {np.unique(targets)[:5]} "
                         f"of shape {targets.shape}")
    return targets.astype(bool), scores.astype(np.float64)


def roc_auc(targets: Any, scores: Any) -> float:
    """Return the probability that a random positive example scores above a random negative one; ties count half.

    Derived in: book/math/metrics.

    Arguments:
        targets: 0 or 1, shape [n].
        scores: any real numbers, higher means more positive, shape [n].

    Raises:
        ValueError: targets other than 0 and 1, or only one of them.
    """
    positive, scores = _binary(targets, scores)
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]             # mean rank of equal scores
    num_positive = int(positive.sum())
    wins = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(wins / (num_positive * (len(positive) - num_positive)))


class Curve(NamedTuple):
    """Counts at every threshold, from the strictest (no alarms) to the laxest (all alarms); each of shape [m].

    Attributes:
        thresholds: an example is an alarm where its score is at least this; infinity first.
        hits: positive examples that are alarms.
        false_alarms: negative examples that are alarms.
        num_positive, num_negative: examples of each kind.
    """

    thresholds: np.ndarray
    hits: np.ndarray
    false_alarms: np.ndarray
    num_positive: int
    num_negative: int

    @property
    def true_positive_rate(self) -> np.ndarray:
        """Share of the positive examples found: recall."""
        return self.hits / self.num_positive

    @property
    def false_positive_rate(self) -> np.ndarray:
        """Share of the negative examples that raise an alarm."""
        return self.false_alarms / self.num_negative

    @property
    def precision(self) -> np.ndarray:
        """Share of the alarms that are right; 1 where there is no alarm."""
        alarms = self.hits + self.false_alarms
        return np.divide(self.hits, alarms, out=np.ones(len(alarms)), where=alarms > 0)

    def cost(self, false_alarm: float, miss: float) -> np.ndarray:
        """Mean cost of an example at each threshold, in the unit of the two costs."""
        if not (false_alarm >= 0 and miss >= 0):
            raise ValueError(f"costs must be at least 0, found {false_alarm} for a false alarm and {miss} for a miss")
        total = false_alarm * self.false_alarms + miss * (self.num_positive - self.hits)
        return total / (self.num_positive + self.num_negative)


def curve(targets: Any, scores: Any) -> Curve:
    """Return what every threshold decides; ROC, precision against recall and cost are read from it.

    Derived in: book/math/metrics.

    Arguments:
        targets: 0 or 1, shape [n].
        scores: any real numbers, higher means more positive, shape [n].

    Raises:
        ValueError: targets other than 0 and 1, or only one of them.
    """
    positive, scores = _binary(targets, scores)
    order = np.argsort(-scores, kind="stable")
    positive, scores = positive[order], scores[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)  # the last one of equal scores
    hits = np.append(0, np.cumsum(positive)[last])
    false_alarms = np.append(0, np.cumsum(~positive)[last])
    thresholds = np.append(np.inf, scores[last])
    return Curve(thresholds, hits, false_alarms, int(positive.sum()), int((~positive).sum()))


def average_precision(targets: Any, scores: Any) -> float:
    """Return the mean of the precision over the recall, by steps, in [0, 1]; by chance it is the base rate.

    Derived in: book/math/metrics.

    Arguments:
        targets: 0 or 1, shape [n].
        scores: any real numbers, higher means more positive, shape [n].

    Raises:
        ValueError: targets other than 0 and 1, or only one of them.
    """
    found = curve(targets, scores)
    return float((np.diff(found.true_positive_rate) * found.precision[1:]).sum())


class Calibration(NamedTuple):
    """Stated and found chances, bin by bin; each of shape [bins that hold examples].

    Attributes:
        stated: mean predicted probability; found: share of positive examples; counts: examples.
    """

    stated: np.ndarray
    found: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """Mean distance between stated and found, weighted by the counts: the expected calibration error."""
        return float((np.abs(self.stated - self.found) * self.counts).sum() / self.counts.sum())


def calibration(targets: Any, probabilities: Any, num_bins: int = 10) -> Calibration:
    """Compare stated probabilities with what happened, in bins of equal width.

    The error is never 0 for a finite sample, even of a perfect forecaster, and it grows with the number of bins.
    Derived in: book/math/metrics. Source: guo2017.

    Arguments:
        targets: 0 or 1 (or whether the predicted class was right), shape [n].
        probabilities: in [0, 1], shape [n].
        num_bins: number of bins, at least 1.

    Raises:
        ValueError: a probability outside [0, 1], other targets than 0 and 1, or no bins.
    """
    targets, stated = pair(targets, probabilities, "probabilities")
    if targets.ndim != 1 or not set(np.unique(targets).tolist()) <= {0, 1}:
        raise ValueError(f"targets must be 0 or 1, shape [n]; found {np.unique(targets)[:5]} of shape {targets.shape}")
    if stated.min() < 0 or stated.max() > 1:
        bad = stated.min() if stated.min() < 0 else stated.max()
        raise ValueError(f"probabilities must lie in 0 … 1, found {bad:g}: take sigmoid(logits) or softmax first")
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, found {num_bins}")
    place = np.minimum((stated * num_bins).astype(int), num_bins - 1)
    counts = np.bincount(place, minlength=num_bins)
    filled = counts > 0
    means = [np.bincount(place, weights=values, minlength=num_bins)[filled] / counts[filled]
             for values in (stated.astype(np.float64), targets.astype(np.float64))]
    return Calibration(means[0], means[1], counts[filled])
