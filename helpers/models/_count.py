"""Counting parameters, and the checks that all constructors share."""

from __future__ import annotations

from torch import Tensor, nn


def count(model: nn.Module) -> int:
    """Number of trainable parameters of ``model``; a tensor used twice counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class Counted:
    """Gives a model the property ``num_parameters``."""

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return count(self)  # type: ignore[arg-type]


def checked_size(name: str, value: int) -> int:
    """``value`` as an int of at least 1.

    Raises:
        ValueError: ``value`` is no integer or below 1.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def checked_dropout(value: float) -> float:
    """``value`` if it is a probability of dropping, in [0, 1).

    Raises:
        ValueError: ``value`` is no number in [0, 1).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise ValueError(f"dropout is the probability of dropping a value and lies in [0, 1), got {value!r}")
    return value


def check_features(model: str, x: Tensor, num_inputs: int) -> None:
    """Raises ValueError with both shapes if the last dimension of ``x`` is not ``num_inputs``."""
    if x.ndim == 0 or x.shape[-1] != num_inputs:
        raise ValueError(f"{model} expects inputs [examples, {num_inputs}], got {list(x.shape)}")
