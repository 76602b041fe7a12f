"""Measures of predicted numbers and of ranked answers."""

from __future__ import annotations

import math
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


def pass_at_k(num_samples: int, num_right: int, k: int) -> float:
    """Return the chance that at least one of k samples is right, estimated without bias from more samples, in [0, 1].

    It is 1 − C(n − c, k) / C(n, k): the share of choices of k among the n samples that hold a right one. Putting the
    share c / n into 1 − (1 − p)^k instead is too low on average.

    Derived in: book/project/post_training. Source: chen2021.

    Arguments:
        num_samples: samples n that were drawn for one task, at least k.
        num_right: how many of them were right.
        k: how many a user would draw, at least 1.

    Raises:
        ValueError: k or num_right out of range.
    """
    if not 1 <= k <= num_samples:
        raise ValueError(f"k must lie in 1 … {num_samples}, the number of samples drawn; found {k}")
    if not 0 <= num_right <= num_samples:
        raise ValueError(f"num_right must lie in 0 … {num_samples}, found {num_right}")
    return 1.0 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)
