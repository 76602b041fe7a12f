"""What all measures accept: lists, arrays and tensors of numbers, without NaN."""

from __future__ import annotations

from typing import Any

import numpy as np


def numbers(values: Any, name: str) -> np.ndarray:
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


def pair(targets: Any, predictions: Any, name: str = "predictions") -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as arrays of one shape."""
    first, second = numbers(targets, "targets"), numbers(predictions, name)
    if first.shape != second.shape:
        raise ValueError(f"targets and {name} must have the same shape, found {first.shape} and {second.shape}")
    return first, second


def class_numbers(targets: Any, predictions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions as whole class numbers [n]."""
    first, second = pair(targets, predictions)
    for name, array in (("targets", first), ("predictions", second)):
        if array.ndim != 1 or (np.issubdtype(array.dtype, np.floating) and (array != np.round(array)).any()):
            raise ValueError(f"{name} must be class numbers of shape [n], found {array.dtype} of shape {array.shape}: "
                             "take logits.argmax(dim=1) or scores >= threshold first")
    return first.astype(np.int64), second.astype(np.int64)
