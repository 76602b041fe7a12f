"""What a training run needs: arithmetic, devices, days, money and energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from helpers.economics import checks
from helpers.economics.accelerators import accelerator as find
from helpers.economics.memory import memory_training
from helpers.economics.prices import price, price_range


def training_flops(parameters: float, tokens: float) -> float:
    """Return the FLOP of a training run, 6 per parameter and token.

    Args:
        parameters: parameters that take part for each token (active ones for experts).
        tokens: tokens seen in training, repetitions included.

    Raises:
        ValueError: a number is not above 0.

    Source: kaplan2020. Derived in: book/outlook/capital.
    """
    return 6 * checks.positive("parameters", parameters) * checks.positive("tokens", tokens)


def device_hours(flops: float, flops_per_second: float, utilisation: float) -> float:
    """Return the device-hours of a run, the sum over all devices.

    Args:
        flops: FLOP of the run.
        flops_per_second: peak of one device in FLOP/s.
        utilisation: share of the peak that is reached, above 0 and at most 1.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/capital.
    """
    peak = checks.positive("flops_per_second", flops_per_second)
    share = checks.fraction("utilisation", utilisation, above_zero=True)
    return checks.positive("flops", flops) / (peak * share) / 3600


def energy_kwh(hours: float, watts: float, pue: float = 1.0) -> float:
    """Return the energy of device-hours in kWh.

    Args:
        hours: device-hours.
        watts: power of one device in W.
        pue: energy of the building over energy of the machines, 1 or more.

    Raises:
        ValueError: a number is out of its range.

    Source: patterson2021. Derived in: book/outlook/capital.
    """
    if checks.positive("pue", pue) < 1:
        raise ValueError(f"pue must be 1 or more, found {pue!r}; 1 means no energy for cooling and losses.")
    return checks.not_negative("hours", hours) * checks.positive("watts", watts) * pue / 1000


def min_devices(memory_bytes: float, device_memory: float, memory_share: float = 1.0) -> int:
    """Return the smallest number of devices whose usable memory holds the bytes.

    Args:
        memory_bytes: bytes to hold.
        device_memory: memory of one device in bytes.
        memory_share: share of that memory which may be used.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/capital.
    """
    usable = checks.positive("device_memory", device_memory)
    usable *= checks.fraction("memory_share", memory_share, above_zero=True)
    return max(1, math.ceil(checks.positive("memory_bytes", memory_bytes) / usable))


class Rents(NamedTuple):
    """Rent per device-hour.

    Attributes:
        low, median, high: rent in `currency`.
        currency: "USD".
        date: oldest date of the three, "" for a rent that was passed.
        assumed: True when one of the three is an assumption.
    """

    low: float
    median: float
    high: float
    currency: str
    date: str
    assumed: bool

    def __str__(self) -> str:
        """Say the date and whether something was assumed, as the end of a sentence."""
        return f" at prices of {self.date}{', partly assumed' if self.assumed else ''}" if self.date else ""


def rents_of(accelerator: str, price_per_hour: float | None = None) -> Rents:
    """Return low, median and high rent per device-hour with their date.

    Args:
        accelerator: short name from the accelerator table.
        price_per_hour: a rent in USD that replaces the table's range.

    Raises:
        ValueError: the price is not above 0, or the table has no rent for the device.
    """
    if price_per_hour is not None:
        rent = checks.positive("price_per_hour", price_per_hour)
        return Rents(rent, rent, rent, "USD", "", False)
    try:
        rows = price_range(f"{accelerator}_hour")
    except ValueError:
        raise ValueError(f"the price table has no rent for {accelerator!r}; pass price_per_hour in USD.") from None
    low, median, high = (row.value for row in rows)
    return Rents(low, median, high, rows[1].currency, min(row.date for row in rows), any(row.assumed for row in rows))


@dataclass(frozen=True)
class TrainingPlan:
    """A planned training run.

    Attributes:
        accelerator: short name of the device.
        flops: FLOP of the run.
        utilisation: share of the peak assumed.
        num_devices, min_devices: devices planned, and fewest that hold the sharded training state.
        fits: whether the state fits into the planned devices.
        memory_per_device: bytes of sharded training state on each device.
        days, device_hours: length, and sum over devices.
        cost_low, cost_median, cost_high: money for the rent, in `rents.currency`.
        energy_kwh: energy with the building's share, None where the device's power is unknown.
        rents: the rents used, with currency, date and whether one is assumed.
    """

    accelerator: str
    flops: float
    utilisation: float
    num_devices: int
    min_devices: int
    fits: bool
    memory_per_device: float
    days: float
    device_hours: float
    cost_low: float
    cost_median: float
    cost_high: float
    energy_kwh: float | None
    rents: Rents

    def __str__(self) -> str:
        """Say devices, days and cost in one line."""
        fits = "" if self.fits else f"; the training state needs at least {self.min_devices:,} devices"
        return (f"{self.flops:.2e} FLOP, {self.num_devices:,} × {self.accelerator} for {self.days:,.1f} days, "
                f"{self.device_hours:,.0f} device-hours, {self.cost_low:,.0f} to {self.cost_high:,.0f} "
                f"{self.rents.currency}{self.rents}{fits}")


def plan_training(
    parameters: float,
    tokens: float,
    *,
    accelerator: str = "h100",
    active_parameters: float | None = None,
    utilisation: float | None = None,
    num_devices: int | None = None,
    days: float | None = None,
    price_per_hour: float | None = None,
    bytes_per_parameter: int = 16,
    pue: float | None = None,
    overhead: float = 0.0,
) -> TrainingPlan:
    """Plan a training run: devices, days, device-hours, rent, energy, and whether the training state fits.

    Give `num_devices` or `days`, or neither: then the fewest devices that hold the state are taken.

    Args:
        parameters: all parameters.
        tokens: training tokens.
        accelerator: short name from the accelerator table.
        active_parameters: parameters per token for experts; None means all.
        utilisation: share of the peak; None takes training_utilisation from the price table.
        num_devices: devices that work at the same time.
        days: length wanted, in days; the number of devices follows.
        price_per_hour: rent of one device in USD; None takes the range from the price table.
        bytes_per_parameter: bytes of training state, 16, 18 or 20.
        pue: energy factor of the building; None takes pue_median from the price table.
        overhead: additional arithmetic as a share, for failed runs, trials and restarts (0.1 = 10 percent).

    Raises:
        ValueError: a number is out of its range, the accelerator is unknown, both `num_devices` and `days` are
            given, or the price table has no rent for the device and none is passed.

    Source: kaplan2020, rajbhandari2020. Derived in: book/outlook/capital.
    """
    device = find(accelerator)
    parameters = checks.positive("parameters", parameters)
    active = parameters if active_parameters is None else checks.positive("active_parameters", active_parameters)
    if active > parameters:
        raise ValueError(f"active_parameters must be at most parameters, found {active:.6g} and {parameters:.6g}; "
                         "swap them if they are the wrong way round.")
    if num_devices is not None and days is not None:
        raise ValueError(f"give num_devices or days, not both, found {num_devices!r} and {days!r}; leave one out.")
    share = price("training_utilisation").value if utilisation is None else utilisation
    flops = training_flops(active, tokens) * (1 + checks.not_negative("overhead", overhead))
    hours = device_hours(flops, device.flops_per_second, share)
    state = memory_training(parameters, bytes_per_parameter=bytes_per_parameter)
    fewest = min_devices(state, device.memory_bytes, price("device_memory_share").value)
    if days is not None:
        num_devices = math.ceil(hours / (24 * checks.positive("days", days)))
    num_devices = fewest if num_devices is None else checks.count("num_devices", num_devices)
    rents = rents_of(device.name, price_per_hour)
    factor = price("pue_median").value if pue is None else pue
    return TrainingPlan(
        accelerator=device.name, flops=flops, utilisation=float(share), num_devices=num_devices, min_devices=fewest,
        fits=num_devices >= fewest, memory_per_device=state / num_devices, days=hours / num_devices / 24,
        device_hours=hours, cost_low=hours * rents.low, cost_median=hours * rents.median, cost_high=hours * rents.high,
        energy_kwh=None if device.watts is None else energy_kwh(hours, device.watts, factor),
        rents=rents,
    )
