"""Learning-rate schedules: pure functions from the number of updates made so far to a multiplier in [0, 1].

Derived in: book/algorithms/schedules_and_regularisation.
"""

from __future__ import annotations

import difflib
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

    Raises:
        ValueError: ``warmup`` is no share in [0, 1).
    """
    num_rising = max(1, round(_share("warmup", warmup) * num_steps))
    if step < num_rising:
        return (step + 1) / num_rising
    return cosine(step - num_rising, max(1, num_steps - num_rising), floor=floor)


def wsd(step: int, num_steps: int, *, warmup: float = 0.05, decay: float = 0.1, floor: float = 0.0) -> float:
    """Warm-up, stable, decay: linear rise, then 1, then over the share ``decay`` of the run linearly to ``floor``.

    Until the decay begins the multiplier does not depend on ``num_steps`` (but for the rise), so a run can be made
    longer, or decayed from any of its checkpoints. Source: hu2024.

    Arguments:
        step: updates made so far, from 0.
        num_steps: updates in the whole run.
        warmup: share of the run that rises, at least one step.
        decay: share of the run that falls, at least one step.
        floor: multiplier at ``num_steps``.

    Raises:
        ValueError: a share outside [0, 1), or both together above 1.
    """
    if _share("warmup", warmup) + _share("decay", decay) > 1:
        raise ValueError(f"warmup and decay are shares of one run, so their sum is at most 1, got {warmup} + {decay}")
    num_rising, num_falling = max(1, round(warmup * num_steps)), max(1, round(decay * num_steps))
    if step < num_rising:
        return (step + 1) / num_rising
    return floor + (1.0 - floor) * min(1.0, max(0.0, (num_steps - step) / num_falling))


NAMED: dict[str, Schedule] = {
    "constant": constant, "step": step, "cosine": cosine, "warmup_cosine": warmup_cosine, "wsd": wsd,
}  # fmt: skip


def named(schedule: str | Schedule) -> Schedule:
    """The schedule called ``schedule``; a function (step, num_steps) → multiplier is passed through.

    Raises:
        ValueError: an unknown name; the message offers those that are near.
    """
    if callable(schedule):
        return schedule
    if schedule not in NAMED:
        near = difflib.get_close_matches(str(schedule).lower().replace("-", "_"), NAMED, n=2)
        hint = f"did you mean {' or '.join(map(repr, near))}? Known are" if near else "use one of"
        raise ValueError(f"unknown schedule {schedule!r}: {hint} {', '.join(NAMED)}, or a function")
    return NAMED[schedule]


def _share(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise ValueError(f"{name} is a share of the run and lies in [0, 1), got {value!r}")
    return value
