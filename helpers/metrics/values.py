"""Measures of predicted numbers and of ranked answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.metrics._checks import numbers, pair


def mse(targets: Any, predictions: Any) -> float:
    """Return the mean squared error, in the squared unit of the targets.

    Derived in: book/algorithms/linear_regression.

    Arguments:
        targets, predictions: real numbers of one shape.
    """
    targets, predictions = pair(targets, predictions)
    return float(np.mean((targets.astype(np.float64) - predictions) ** 2))


def mae(targets: Any, predictions: Any) -> float:
    """Return the mean absolute error, in the unit of the targets.

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: real numbers of one shape.
    """
    targets, predictions = pair(targets, predictions)
    return float(np.mean(np.abs(targets.astype(np.float64) - predictions)))


def _ranks(ranks: Any) -> np.ndarray:
    array = numbers(ranks, "ranks")
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
