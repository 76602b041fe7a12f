"""The dated price table: every rent, power and rate that the book uses, with its source."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from helpers.economics import checks


@dataclass(frozen=True)
class Price:
    """One row of the price table.

    Attributes:
        key: short name of the row.
        what: what is priced.
        unit: unit of the value, such as "per device-hour", "per kWh" or "ratio".
        value: the number.
        currency: "USD", "EUR", or "" for powers and ratios.
        date: date of the figure: year, year-month or year-month-day.
        source: keys of references.bib, separated by ";", or "" when there is none.
        assumed: True when nobody published the figure as a fact.
        verified: how far the figure was checked.
    """

    key: str
    what: str
    unit: str
    value: float
    currency: str
    date: str
    source: str
    assumed: bool
    verified: str

    def __str__(self) -> str:
        """Say value, unit and date in one line."""
        amount = f"{self.value:,.6g} {self.currency}".strip()
        status = "assumed, " if self.assumed else ""
        unit = "" if self.unit == "ratio" else f" {self.unit}"
        return f"{amount}{unit} ({status}{self.date})"


@cache
def _table() -> dict[str, Price]:
    """Read prices.csv once."""
    text = files("helpers.economics").joinpath("prices.csv").read_text(encoding="utf-8")
    rows = {}
    for row in csv.DictReader(text.splitlines()):
        price_row = {**row, "value": float(row["value"]), "assumed": row["assumed"] == "true"}
        rows[row["key"]] = Price(**price_row)
    return rows


def prices() -> list[Price]:
    """Return every row of the price table, in the order of the file.

    Returns:
        list of `Price`.
    """
    return list(_table().values())


def price(key: str) -> Price:
    """Return one row of the price table.

    Args:
        key: name of the row, such as "h100_hour_median" or "cpu_core_watts".

    Raises:
        ValueError: the key is unknown; near matches are offered.
    """
    return _table()[checks.one_of("price", key, _table())]


def price_range(key: str) -> tuple[Price, Price, Price]:
    """Return the low, median and high row of a price that has a range.

    Args:
        key: name without the ending, such as "h100_hour" or "api_large_output".

    Returns:
        the rows key_low, key_median and key_high, each with its own date.

    Raises:
        ValueError: the table has no range of that name; near matches are offered.
    """
    table = _table()
    ranged = [name[: -len("_low")] for name in table if name.endswith("_low")
              and f"{name[:-4]}_median" in table and f"{name[:-4]}_high" in table]
    checks.one_of("price range", key, ranged)
    return table[f"{key}_low"], table[f"{key}_median"], table[f"{key}_high"]
