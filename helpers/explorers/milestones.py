"""Models since 2012 on a logarithmic axis, each with its source, and the growth of any span of years."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer

YEARS = (2012, 2026)
SIZES = {"training_flop": (1e17, 1e27), "parameters": (1e7, 1e12)}  # smallest and largest dot

QUANTITIES: dict[str, dict[str, Any]] = {
    "training_flop": {"label": "training compute", "axis": "training compute, FLOP", "unit": "FLOP",
                      "domain": [1e17, 1e28], "basis": "flop_basis", "size": "parameters",
                      "size_label": "a larger mark has more parameters",
                      "rule": {"y": 1e25, "label": "10²⁵ FLOP, named in the EU AI Act"}},
    "parameters": {"label": "parameters", "axis": "parameters, all", "unit": "parameters", "domain": [1e6, 1e14],
                   "basis": "parameters_basis", "size": "training_flop", "size_label": "a larger mark took more FLOP"},
    "active_parameters": {"label": "active parameters", "axis": "parameters that work on each token",
                          "unit": "active parameters", "domain": [1e6, 1e14], "basis": "parameters_basis",
                          "size": "training_flop", "size_label": "a larger mark took more FLOP"},
    "training_tokens": {"label": "training text", "axis": "training text, tokens", "unit": "tokens",
                        "domain": [1e8, 1e15], "basis": "tokens_basis", "size": "training_flop",
                        "size_label": "a larger mark took more FLOP"},
}  # fmt: skip
GROUPS = {"language": "language", "multimodal": "multimodal", "vision": "vision"}  # what is not named here: "other"
COLOURS = {"language": "blue", "multimodal": "purple", "vision": "orange", "other": "green"}

WORDS = {
    "quantity": "quantity",
    "group": "domain",
    "all": "all domains",
    "language": "language",
    "multimodal": "multimodal",
    "vision": "vision",
    "other": "other",
    "rows": "line through",
    "rows_all": "all that are shown",
    "rows_firm": "published or counted",
    "rows_leading": "record holders only",
    "first": "from",
    "last": "to",
    "model": "model",
    "year": "year",
    "marks": "● published   ▲ counted from published figures   ○ estimate or second-hand",
    "published": "published by the makers",
    "counted": "counted from published figures",
    "estimate": "estimate, or known only second-hand",
    "none": "not published",
    "not_text": "does not train on text alone",
    "source": "Source",
    "known": "How it is known",
    "fit": "{label}, {first} to {last}, {count} models: ×{factor} a year (95 % interval {low} to {high}), {doubling}.",
    "doubles": "doubling every {months} months",
    "shrinks": "no growth",
    "few": "{label}, {first} to {last}: {count} models, too few for a line with an interval (at least 3).",
}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """One model for the page: each quantity with how it is known."""
    values = {}
    for name, quantity in QUANTITIES.items():
        value = row[name]
        if name == "training_tokens" and row["tokens_unit"] not in ("tokens", "words"):
            value = None  # images and pairs are no text
        values[name] = [value, row[quantity["basis"]] if value is not None else None]
    group = GROUPS.get(row["domain"], "other")
    return {"name": row["name"], "organisation": row["organisation"], "year": row["year"], "group": group,
            "domain": row["domain"], "key": row["reference_key"], "how": row["provenance"],
            "unit": row["tokens_unit"], "values": values}  # fmt: skip


class Milestones(Explorer):
    """Size, compute and data of models by year, with a line fitted to the logarithm over a span of years.

    Args:
        quantity: shown first: "training_flop", "parameters", "active_parameters" or "training_tokens".
        first, last: span of years that the line is fitted to at first.
        model: name of the model that is pointed out first.

    Raises:
        ValueError: unknown quantity or model, or a span outside 2012 to 2026.
    """

    module = "milestones"

    def __init__(
        self,
        quantity: str = "training_flop",
        first: int = 2012,
        last: int = 2026,
        *,
        model: str = "GPT-3",
        id: str | None = None,
    ) -> None:
        from helpers import data

        rows = [_row(row) for row in data.table("milestones")]
        names = [row["name"] for row in rows]
        if quantity not in QUANTITIES:
            raise ValueError(f"Milestones shows {', '.join(QUANTITIES)}, found {quantity!r}.")
        if not YEARS[0] <= first < last <= YEARS[1]:
            raise ValueError(f"Milestones takes a span within {YEARS[0]} to {YEARS[1]}, found {first!r} to {last!r}.")
        if model not in names:
            raise ValueError(f"Milestones knows no model {model!r}; its names stand in data.table('milestones').")
        start = {"quantity": quantity, "first": first, "last": last, "model": names.index(model)}
        super().__init__(
            {
                "title": "Size, compute and data of models, year by year",
                "hint": "Point at a mark, or step through the models with the slider below the chart. Then choose a "
                "quantity and a span of years: the line, its interval and the growth a year are computed anew.",
                "rows": rows,
                "quantities": QUANTITIES,
                "sizes": SIZES,
                "colours": COLOURS,
                "years": YEARS,
                "words": WORDS,
                "start": start,
                "references": "../references.html",
                "source": "Marks of one year stand side by side in the order of the table. The line beyond the chosen "
                "years is an extrapolation.",
            },
            id=id,
        )

    @staticmethod
    def compute(
        years: Sequence[float],
        values: Sequence[float | None],
        first: float,
        last: float,
        leading: bool = False,
        grid: Sequence[float] = (),
        level: float = 0.95,
    ) -> dict[str, Any]:
        """Least squares of log10(value) on the year: growth a year, its interval, and the line with its band.

        Args:
            years: year of each model, [n].
            values: quantity of each model, [n]; None where it is not known.
            first, last: span of years, both included.
            leading: keep only record holders, the largest of a year if it exceeds all earlier years.
            grid: years at which the line and its band are returned, [g].
            level: of the interval, from Student's t distribution.

        Derived in: book/background/milestones.
        """
        from scipy import stats

        rows = [(year, value) for year, value in zip(years, values, strict=True) if value is not None]
        if leading:
            rows = _leading(rows)
        rows = [(year, value) for year, value in rows if first <= year <= last]
        x = np.array([year for year, _ in rows], dtype=float)
        y = np.log10([value for _, value in rows])
        names = ("slope", "factor", "factor_low", "factor_high", "doubling_months")
        nothing = {"count": len(rows), **dict.fromkeys(names), "line": [], "band_low": [], "band_high": []}
        if len(rows) < 3 or np.ptp(x) == 0:
            return nothing
        spread = float(((x - x.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
        rest = y - y.mean() - slope * (x - x.mean())
        noise = math.sqrt(float((rest**2).sum()) / (len(x) - 2))
        reach = float(stats.t.ppf(0.5 + level / 2, len(x) - 2)) * noise
        at = np.asarray(grid, dtype=float) - x.mean()
        line, half = y.mean() + slope * at, reach * np.sqrt(1 / len(x) + at**2 / spread)
        side = reach / math.sqrt(spread)
        return {
            "count": len(rows),
            "slope": slope,
            "factor": 10**slope,
            "factor_low": 10 ** (slope - side),
            "factor_high": 10 ** (slope + side),
            "doubling_months": 12 * math.log10(2) / slope if slope > 0 else None,
            "line": line.tolist(),
            "band_low": (line - half).tolist(),
            "band_high": (line + half).tolist(),
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the browser tests compare this function with the page."""
        from helpers import data

        rows = data.table("milestones")
        years = [row["year"] for row in rows]
        spans = [(2012, 2026), (2012, 2020), (2020, 2026), (2023, 2024), (2018, 2019), (2013, 2013)]
        return [
            {"years": years, "values": [row[name] for row in rows], "first": first, "last": last,
             "leading": leading, "grid": [2012, 2020.5, 2027]}
            for name in QUANTITIES for first, last in spans for leading in (False, True)
        ]  # fmt: skip


def _leading(rows: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The largest of each year, if it exceeds every earlier year."""
    best, kept = 0.0, []
    for year in sorted({year for year, _ in rows}):
        largest = max(value for other, value in rows if other == year)
        if largest > best:
            best = largest
            kept.append((year, largest))
    return kept
