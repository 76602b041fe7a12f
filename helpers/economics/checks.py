"""Checks of arguments: one clear sentence with the received value."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable

import numpy as np


def _number(name: str, value: float) -> float:
    """Return the value as a finite float, or raise ValueError with the name."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, found {value!r}; pass a plain number.") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, found {value!r}; check the calculation that produced it.")
    return number


def positive(name: str, value: float) -> float:
    """Return the value as a float above zero.

    Args:
        name: name of the argument, for the message.
        value: the number that was passed, in the argument's own unit.

    Raises:
        ValueError: the value is not a finite number above zero.
    """
    number = _number(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be above 0, found {value!r}; pass a positive number.")
    return number


def not_negative(name: str, value: float) -> float:
    """Return the value as a float of zero or more.

    Args:
        name: name of the argument, for the message.
        value: the number that was passed, in the argument's own unit.

    Raises:
        ValueError: the value is negative or not finite.
    """
    number = _number(name, value)
    if number < 0:
        raise ValueError(f"{name} must be 0 or more, found {value!r}; pass a number that is not negative.")
    return number


def finite(name: str, value: float) -> float:
    """Return the value as a finite float of either sign.

    Args:
        name: name of the argument, for the message.
        value: the number that was passed, in the argument's own unit.

    Raises:
        ValueError: the value is not a finite number.
    """
    return _number(name, value)


def fraction(name: str, value: float, *, above_zero: bool = False) -> float:
    """Return the value as a share between 0 and 1.

    Args:
        name: name of the argument, for the message.
        value: the share that was passed (0.4, not 40).
        above_zero: refuse 0 itself, for shares that are divided by.

    Raises:
        ValueError: the value lies outside the interval.
    """
    number = _number(name, value)
    if number > 1 or number < 0 or (above_zero and number == 0):
        interval = "above 0 and at most 1" if above_zero else "between 0 and 1"
        raise ValueError(f"{name} must be {interval}, found {value!r}; write 40 percent as 0.4.")
    return number


def count(name: str, value: int, *, at_least: int = 1) -> int:
    """Return the value as a whole number.

    Args:
        name: name of the argument, for the message.
        value: the number that was passed.
        at_least: smallest number allowed.

    Raises:
        ValueError: the value is not whole or below `at_least`.
    """
    number = _number(name, value)
    if number != int(number) or number < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, found {value!r}; "
                         "pass a whole number in that range.")
    return int(number)


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """Return the value when it is one of the known names, else offer near matches.

    Args:
        name: what is being looked up, for the message.
        value: the name that was passed.
        known: the names that exist.

    Raises:
        ValueError: the name is unknown; the message lists near matches, or all names when none is near.
    """
    names = sorted(known)
    if value in names:
        return value
    text = str(value)
    near = difflib.get_close_matches(text.lower(), names, n=4, cutoff=0.4)
    near += [other for other in names if len(text) > 2 and text.lower() in other and other not in near][: 4 - len(near)]
    offer = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(names)}."
    raise ValueError(f"{name} {value!r} is unknown; {offer}")


def weights(name: str, values: Iterable[float], num_weights: int) -> np.ndarray:
    """Return weights of 0 or more that sum to 1, as an array.

    Args:
        name: name of the argument, for the message.
        values: the weights that were passed.
        num_weights: how many are expected.

    Raises:
        ValueError: another number of weights, a negative one, or a sum that is not 1.
    """
    numbers = np.array([not_negative(name, value) for value in values])
    if len(numbers) != num_weights:
        raise ValueError(f"{name} must hold {num_weights} numbers, found {len(numbers)}; pass one for each.")
    if abs(numbers.sum() - 1) > 1e-9:
        raise ValueError(f"{name} must sum to 1, found a sum of {numbers.sum():.10g}; divide each by the sum.")
    return numbers
