"""The ledger of Ask Python: what recorded runs have measured, and what is still assumed."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from helpers.economics import checks
from helpers.economics.prices import price_range

KINDS = ("quality", "latency", "cost")


@dataclass(frozen=True)
class Entry:
    """One row of the ledger.

    Attributes:
        name: short name of the row.
        what: what it says, in words.
        kind: "quality", "latency" or "cost".
        unit: unit of the three numbers, such as "share" or "USD per million".
        low, likely, high: the range that a plan should use, in this unit.
        measured: True when a recorded run holds the value.
        record, field: the run that measures it, and where the value stands in that run.
        device, date: of the run; "" while the row is assumed.
        reason: why the row is assumed as it is, or how wide the range around the measurement is.
    """

    name: str
    what: str
    kind: str
    unit: str
    low: float
    likely: float
    high: float
    measured: bool
    record: str
    field: str
    device: str
    date: str
    reason: str

    @property
    def provenance(self) -> str:
        """Where the value comes from, in a few words."""
        return f"measured {self.date} on {self.device}" if self.measured else f"assumed: {self.reason}"

    def __str__(self) -> str:
        """Say value, range and provenance in one line."""
        return f"{self.name:16}{self.likely:8.3g} [{self.low:.3g}, {self.high:.3g}] {self.unit}; {self.provenance}"


@cache
def _table() -> tuple[dict[str, str], ...]:
    """Read ledger.csv once."""
    text = files("helpers.economics").joinpath("ledger.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def read_ledger(records: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Entry]:
    """Return the rows of the ledger; a row is measured as soon as its run is among the records.

    A measured row takes the value that the run holds. Its range is value / reserve to value × reserve, with the reserve
    of the table, because a service in use never meets the conditions of a run; shares stay at most 1.

    Args:
        records: name of a recorded run and its content, such as {name: records.load(name) for name in
            records.names()}; None means that nothing has been recorded.

    Returns:
        name of the row and its `Entry`, in the order of the table.

    Raises:
        ValueError: a run that should hold a row lacks the field, or its value is no number in the row's range.
    """
    found = {} if records is None else dict(records)
    return {row["row"]: _entry(row, found.get(row["record"])) for row in _table()}


def _entry(row: dict[str, str], record: Mapping[str, Any] | None) -> Entry:
    name, measured = row["row"], record is not None
    low, likely, high = three_numbers(row)
    reason, device, date = row["reason"], "", ""
    if measured:
        likely, reserve = _value(row, record), float(row["reserve"])
        low, high = likely / reserve, min(likely * reserve, float(row["maximum"]))
        device, date = str(record.get("device", "an unnamed device")), str(record.get("date", ""))[:10]
        reason = f"range: the measurement divided and multiplied by {reserve:g}"
    return Entry(name=name, what=row["what"], kind=row["kind"], unit=row["unit"], low=low, likely=likely, high=high,
                 measured=measured, record=row["record"], field=row["field"], device=device, date=date, reason=reason)


def three_numbers(row: Mapping[str, str]) -> tuple[float, float, float]:
    """Return low, likely and high of a table's row; from the price table where the row names a price instead.

    Args:
        row: columns low, likely, high, and prices, the name of a range of `price_range` or "".
    """
    if row["prices"]:
        return tuple(price.value for price in price_range(row["prices"]))
    return float(row["low"]), float(row["likely"]), float(row["high"])


def _value(row: dict[str, str], record: Mapping[str, Any]) -> float:
    """Follow the dotted field into the record."""
    where, value = f"ledger row {row['row']!r} reads {row['field']} of the recorded run {row['record']!r}", record
    for part in row["field"].split("."):
        if not isinstance(value, Mapping) or part not in value:
            held = ", ".join(sorted(value)) if isinstance(value, Mapping) else repr(value)
            raise ValueError(f"{where}, but there is no {part!r} (found: {held}); record the run again with it, or "
                             "change the row in helpers/economics/ledger.csv.")
        value = value[part]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}, which must be a finite number, found {value!r}; record the run again.")
    low, high = float(row["minimum"]), float(row["maximum"])
    if not low <= value <= high:
        raise ValueError(f"{where}, which must lie between {low:g} and {high:g} ({row['unit']}), found {value!r}; "
                         "check the unit of the run.")
    return float(value)


def entry(ledger: Mapping[str, Entry], name: str) -> Entry:
    """Return one row of the ledger.

    Args:
        ledger: rows from `read_ledger`.
        name: short name of the row.

    Raises:
        ValueError: the name is unknown; near matches are offered.
    """
    return ledger[checks.one_of("ledger row", name, ledger)]
