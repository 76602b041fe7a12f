"""State in words what the prose relies on, check it, and print one line that is the same on every machine."""

from __future__ import annotations

import math
from typing import Any


class ClaimError(AssertionError):
    """A claim that turned out to be false: the message says what was expected and what was found."""


def _plain(value: Any) -> Any:
    """Turn a tensor, array or NumPy scalar with one element into the Python value it holds."""
    if isinstance(value, (bool, int, float, str, tuple, list, dict, set, type(None))):
        return value
    if hasattr(value, "item") and hasattr(value, "shape"):
        if math.prod(value.shape) != 1:
            raise ValueError(f"a claim checks one value, found shape {tuple(value.shape)}: reduce it first, "
                             "for example with .all() or .max()")
        return value.item()
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.replace(".", "_").isidentifier():
        raise ValueError(f"a claim's name is one word such as accuracy_test, found {name!r}")


def claim(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    equals: Any = None,
    tolerance: float | None = None,
    between: tuple[float, float] | None = None,
) -> None:
    """Check one statement and print one line about it; the line never shows the value that was found.

    Arguments:
        name: one word that names the quantity, such as ``accuracy_test``.
        value: a number or a truth value; tensors, arrays and NumPy scalars with one element are accepted.
        at_least, at_most, above, below: one bound, in the unit of the value.
        equals: the expected value; with ``tolerance`` (same unit) a number may differ by that much.
        between: the pair (low, high); both ends belong to it.

    Raises:
        ClaimError: the claim is false; the message says what was expected and what was found. NaN is always false.
        ValueError: no bound for a value that is not a truth value, more than one bound, or more than one element.
    """
    _check_name(name)
    bounds = {key: _plain(bound) for key, bound in (
        ("at_least", at_least), ("at_most", at_most), ("above", above), ("below", below),
        ("equals", equals), ("between", between)) if bound is not None}
    if len(bounds) > 1:
        raise ValueError(f"claim {name} takes one bound, found {', '.join(bounds)}: use between=(low, high), "
                         "or one claim for each")
    if tolerance is not None and "equals" not in bounds:
        raise ValueError(f"claim {name}: tolerance belongs to equals, which is missing")
    found = _plain(value)
    if not bounds:
        if not isinstance(found, bool):
            raise ValueError(f"claim {name} needs a bound such as at_least=, or a truth value; found {found!r}")
        holds, expected = found, "True"
    else:
        holds, expected = _compare(name, found, *next(iter(bounds.items())), tolerance)
    if not holds:
        raise ClaimError(f"claim {name} is false: expected {expected}, found {found!r}")
    print(f"✓ {name}" if not bounds else f"✓ {name} {expected}")


def _compare(name: str, found: Any, kind: str, bound: Any, tolerance: float | None) -> tuple[bool, str]:
    """Return whether the bound holds and how it is written."""
    if kind == "equals" and tolerance is None:
        return bool(found == bound), f"= {bound}"
    ends = tuple(_plain(end) for end in bound) if kind == "between" else (bound,)
    tolerance = _plain(tolerance)
    for number in (found, *ends, *(() if tolerance is None else (tolerance,))):
        if not _is_number(number):
            raise ValueError(f"claim {name} compares numbers, found {number!r}")
    if kind == "equals":
        return abs(found - bound) <= tolerance, f"= {bound} ± {tolerance}"
    if kind == "between":
        if len(ends) != 2 or not ends[0] <= ends[1]:
            raise ValueError(f"claim {name}: between takes (low, high) with low ≤ high, found {bound!r}")
        return ends[0] <= found <= ends[1], f"in [{ends[0]}, {ends[1]}]"
    holds = {"at_least": found >= bound, "at_most": found <= bound, "above": found > bound, "below": found < bound}
    sign = {"at_least": "≥", "at_most": "≤", "above": ">", "below": "<"}
    return holds[kind], f"{sign[kind]} {bound}"
