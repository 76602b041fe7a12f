"""Measures of decided classes: accuracy, confusion, precision, recall, F1."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.metrics._checks import class_numbers


def accuracy(targets: Any, predictions: Any) -> float:
    """Return the share of examples whose predicted class is right, in [0, 1].

    Derived in: book/math/metrics.

    Arguments:
        targets, predictions: class numbers, shape [n].

    Raises:
        ValueError: unequal shapes, no examples, or logits instead of classes.
    """
    targets, predictions = class_numbers(targets, predictions)
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
    targets, predictions = class_numbers(targets, predictions)
    for name, array in (("targets", targets), ("predictions", predictions)):
        if array.min() < 0 or array.max() >= num_classes:
            bad = int(array.min() if array.min() < 0 else array.max())
            raise ValueError(f"{name} must lie in 0 … {num_classes - 1}, found {bad}")
    return np.bincount(targets * num_classes + predictions, minlength=num_classes**2).reshape(num_classes, num_classes)


def _counts(targets: Any, predictions: Any, positive: int) -> tuple[int, int, int]:
    targets, predictions = class_numbers(targets, predictions)
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
