"""Learning-rate schedules: pure functions from the number of updates made so far to a multiplier in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]


def constant(step: int, num_steps: int) -> float:
    """1 at every step."""
    return 1.0


def step(step: int, num_steps: int, *, num_drops: int = 2, factor: float = 0.1) -> float:
    """Staircase: ``num_drops`` drops at equal distances, each by ``factor``.

    Arguments:
        step: updates made so far, from 0.
        num_steps: updates in the whole run.
        num_drops: number of drops within the run.
        factor: what each drop multiplies the learning rate by.
    """
    return factor ** min(step * (num_drops + 1) // num_steps, num_drops)


def cosine(step: int, num_steps: int, *, floor: float = 0.0) -> float:
    """Half a cosine from 1 at step 0 down to ``floor`` at ``num_steps``: floor + (1 − floor) (1 + cos πt/T) / 2.

    T must be the real length of the run, or the learning rate never arrives. Source: loshchilov2017.
    """
    progress = min(step / num_steps, 1.0)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_cosine(step: int, num_steps: int, *, warmup: float = 0.05, floor: float = 0.0) -> float:
    """Linear rise over the share ``warmup`` of the run (at least one step), then a cosine down to ``floor``.

    The first update uses 1/W of the learning rate, where W is the number of steps in the rise.
    Source: goyal2017, loshchilov2017.
    """
    num_rising = max(1, round(warmup * num_steps))
    if step < num_rising:
        return (step + 1) / num_rising
    return cosine(step - num_rising, max(1, num_steps - num_rising), floor=floor)


NAMED: dict[str, Schedule] = {"constant": constant, "step": step, "cosine": cosine, "warmup_cosine": warmup_cosine}


def named(schedule: str | Schedule) -> Schedule:
    """The schedule called ``schedule``; a function (step, num_steps) → multiplier is passed through.

    Raises:
        ValueError: an unknown name.
    """
    if callable(schedule):
        return schedule
    if schedule not in NAMED:
        raise ValueError(f"unknown schedule {schedule!r}: use one of {', '.join(NAMED)} or a function")
    return NAMED[schedule]
