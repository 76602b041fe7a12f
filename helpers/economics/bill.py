"""The bill of one run: seconds, FLOP, energy and money in one line."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.economics import checks
from helpers.economics.accelerators import find_accelerator
from helpers.economics.prices import price, price_range


@dataclass(frozen=True)
class Bill:
    """What a run used and what it would cost to rent.

    Attributes:
        seconds: wall-clock seconds.
        flops: FLOP of the run, None where they were not counted.
        energy_wh: estimated energy in Wh without the building's share, None where the power is unknown.
        money: rent in `currency`, None where no rent is known.
        currency: "USD".
        price_date: date of the rent, "" where no rent is known.
        assumed: True when power or rent is an assumption.
        device: "2 CPU cores" or the accelerator's name.
        rate: the rent in words, such as "0.04 USD per core-hour", or "".
    """

    seconds: float
    flops: float | None
    energy_wh: float | None
    money: float | None
    currency: str
    price_date: str
    assumed: bool
    device: str
    rate: str

    def __str__(self) -> str:
        """Say device, seconds, FLOP, energy and money in one line."""
        parts = [self.device, duration(self.seconds)]
        if self.flops is not None:
            parts.append(f"{si(self.flops)}FLOP")
        parts.append("energy unknown" if self.energy_wh is None else f"about {_figure(self.energy_wh)} Wh")
        if self.money is None:
            parts.append("rent unknown")
        else:
            status = "assumed, " if self.assumed else ""
            parts.append(f"{_figure(self.money)} {self.currency} at {self.rate} ({status}{self.price_date})")
        return ", ".join(parts)


def bill(seconds: float, *, device_name: str, num_cores: int | None = None, flops: float | None = None) -> Bill:
    """Return the bill of a run on one device.

    Args:
        seconds: wall-clock seconds.
        device_name: the device's own name, such as "cpu", a processor's name or "NVIDIA H100 80GB HBM3".
        num_cores: processor cores that were busy, for a run on the CPU; None means an accelerator, or one core when
            `device_name` is "cpu".
        flops: FLOP of the run, where they were counted.

    Returns:
        `Bill`; energy and money are None for a device that is not in the tables.

    Raises:
        ValueError: seconds or FLOP are negative, or the number of cores is not whole and above 0.

    Derived in: book/outlook/capital.
    """
    seconds = checks.not_negative("seconds", seconds)
    flops = None if flops is None else checks.not_negative("flops", flops)
    hours = seconds / 3600
    device = find_accelerator(device_name)
    if device is None and (num_cores is not None or str(device_name).strip().lower() == "cpu"):
        cores = 1 if num_cores is None else checks.count("num_cores", num_cores)
        rent, watts = price("cpu_core_hour"), price("cpu_core_watts")
        return Bill(
            seconds=seconds, flops=flops, energy_wh=cores * watts.value * hours, money=cores * rent.value * hours,
            currency=rent.currency, price_date=rent.date, assumed=rent.assumed or watts.assumed,
            device=f"{cores} CPU core{'s' if cores > 1 else ''}",
            rate=f"{rent.value:g} {rent.currency} per core-hour",
        )
    watts = None if device is None else device.watts
    try:
        rent = None if device is None else price_range(f"{device.name}_hour")[1]
    except ValueError:
        rent = None
    return Bill(
        seconds=seconds, flops=flops, energy_wh=None if watts is None else watts * hours,
        money=None if rent is None else rent.value * hours, currency="USD",
        price_date="" if rent is None else rent.date, assumed=bool(rent and rent.assumed),
        device=str(device_name), rate="" if rent is None else f"{rent.value:g} {rent.currency} per device-hour",
    )


def si(value: float) -> str:
    """Return a number with a prefix of thousand, million and so on, ready for a unit: 1.2e9 gives "1.2 G".

    Args:
        value: a number of zero or more.

    Raises:
        ValueError: the number is negative or not finite.
    """
    value = checks.not_negative("value", value)
    for prefix in ("", "k", "M", "G", "T", "P", "E", "Z"):
        if value < 999.5:
            return f"{value:.3g} {prefix}"
        value /= 1000
    return f"{value:.3g} Y"


def duration(seconds: float) -> str:
    """Return seconds in words that fit their size: "3.1 s", "12 min", "5.2 h", "3.4 days".

    Args:
        seconds: seconds of zero or more.

    Raises:
        ValueError: the number is negative or not finite.
    """
    seconds = checks.not_negative("seconds", seconds)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.2g} {unit}" if seconds / size < 9.95 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def _figure(value: float) -> str:
    """Return a small amount with two digits that count, never in powers of ten."""
    if value == 0 or value >= 1000:
        return f"{value:,.0f}"
    text = f"{float(f'{value:.2g}'):.10f}".rstrip("0").rstrip(".")
    return text
