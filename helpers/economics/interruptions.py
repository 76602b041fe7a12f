"""Failures during a long run: how often to save, what share of the time is useful, and what the whole run costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from helpers.economics import checks
from helpers.economics.parallelism import KERNEL_SHARE, Layout, Links, Shape, StepTime, step_time
from helpers.economics.training_cost import TrainingPlan, plan_training

#: Hours of a device between two unexpected interruptions of a run: 419 of them in 54 days on 16,384 devices.
DEVICE_HOURS_BETWEEN_FAILURES = 54 * 24 * 16_384 / 419


def checkpoint_interval(save_seconds: float, mean_seconds: float) -> float:
    """Return the seconds of work between two checkpoints that lose least: the square root of 2 c M.

    To first order a share c/τ of the time goes into saving and τ/(2M) into work done twice; the sum is least here.

    Args:
        save_seconds: seconds c for which saving stops the run.
        mean_seconds: mean seconds M between two failures of the whole system.

    Raises:
        ValueError: a number is not above 0.

    Source: young1974. Derived in: book/project/scaling_out.
    """
    return math.sqrt(2 * checks.positive("save_seconds", save_seconds) * checks.positive("mean_seconds", mean_seconds))


def useful_share(interval: float, save_seconds: float, restart_seconds: float, mean_seconds: float) -> float:
    """Return the share of the time that brings a run forward, exact for failures at random times.

    The expected time for τ seconds of work and a save, started again after each failure, is
    M exp(r/M) (exp((τ + c)/M) − 1).

    Args:
        interval: seconds τ of work between two checkpoints.
        save_seconds: seconds c for which saving stops the run.
        restart_seconds: seconds r until the run goes on after a failure; it can fail in them, too.
        mean_seconds: mean seconds M between two failures of the whole system.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/project/scaling_out.
    """
    tau, mean = checks.positive("interval", interval), checks.positive("mean_seconds", mean_seconds)
    save = checks.not_negative("save_seconds", save_seconds)
    restart = checks.not_negative("restart_seconds", restart_seconds)
    exponent = (restart + tau + save) / mean
    if exponent > 700:                                       # beyond the largest float: the run never ends
        return 0.0
    return tau / (mean * math.exp(restart / mean) * math.expm1((tau + save) / mean))


@dataclass(frozen=True)
class RunPlan:
    """A run on many devices.

    Attributes:
        step: one step.
        num_devices: devices of the layout.
        interval: seconds of work between two checkpoints.
        useful: share of the time that is not lost to failures, restarts and saving.
        failures: expected number of failures during the run.
        plan: days, device-hours, rent and energy, from `plan_training` at the utilisation found here.
    """

    step: StepTime
    num_devices: int
    interval: float
    useful: float
    failures: float
    plan: TrainingPlan

    def __str__(self) -> str:
        """Say devices, time, shares and cost in one line."""
        return (f"{self.num_devices:,} × {self.plan.accelerator}: {self.plan.days:,.1f} days, utilisation "
                f"{self.step.utilisation:.0%}, useful {self.useful:.1%}, {self.failures:,.0f} failures, "
                f"{self.plan.device_hours:,.0f} device-hours, {self.plan.cost_median:,.0f} "
                f"{self.plan.rents.currency}{self.plan.rents}")


def plan_run(
    shape: Shape,
    layout: Layout,
    tokens: float,
    *,
    accelerator: str = "h100",
    links: Links | None = None,
    kernel_share: float = KERNEL_SHARE,
    hours_between_failures: float = DEVICE_HOURS_BETWEEN_FAILURES,
    save_seconds: float = 10.0,
    restart_seconds: float = 600.0,
    price_per_hour: float | None = None,
) -> RunPlan:
    """Plan a whole run from the model of its step and from its failures.

    The money comes from `plan_training`; what differs is that utilisation is worked out here instead of assumed, and
    that lost time is counted.

    Args:
        shape, layout: the decoder and how it is spread.
        tokens: training tokens.
        accelerator: short name from the accelerator table.
        links, kernel_share: as in `step_time`.
        hours_between_failures: mean hours of ONE device between failures; the system fails num_devices times as often.
        save_seconds: seconds for which saving a checkpoint stops the run (assumed).
        restart_seconds: seconds until the run goes on after a failure (assumed).
        price_per_hour: rent of one device in USD; None takes the price table.

    Raises:
        ValueError: a number is out of its range, or so many failures that the run would not end.

    Derived in: book/project/scaling_out.
    """
    step = step_time(shape, layout, accelerator, links=links, kernel_share=kernel_share)
    mean = checks.positive("hours_between_failures", hours_between_failures) * 3600 / layout.num_devices
    interval = checkpoint_interval(save_seconds, mean)
    useful = useful_share(interval, save_seconds, restart_seconds, mean)
    if useful < 1e-6:
        raise ValueError(f"with a failure every {mean:.3g} seconds and {restart_seconds:g} seconds to restart the run "
                         "would not end; take fewer devices, or devices that fail less often.")
    plan = plan_training(
        shape.count.parameters, tokens, accelerator=accelerator, utilisation=step.utilisation_6nd * useful,
        num_devices=layout.num_devices, price_per_hour=price_per_hour)
    return RunPlan(step, layout.num_devices, interval, useful, plan.days * 86_400 / mean, plan)
