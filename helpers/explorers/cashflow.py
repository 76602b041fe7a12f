"""A discounted cash flow with sliders: its years, its tail, and which assumption carries it."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers import economics

from .base import Explorer

# How far each assumption swings in the tornado; revenue by a share of itself, the others by points.
SWINGS = {"revenue": 0.2, "growth": 0.2, "growth_end": 0.05, "margin": 0.2, "margin_end": 0.05, "rate": 0.02,
          "terminal_growth": 0.01}
START = {"revenue": 0.36e6, "growth": 1.2, "growth_end": 0.03, "margin": -0.8, "margin_end": 0.25, "years": 10}
WORDS = {
    "names": {"revenue": "first revenue, USD", "growth": "first growth", "growth_end": "last growth",
              "margin": "first margin", "margin_end": "last margin", "rate": "discount rate",
              "terminal_growth": "growth for ever"},
    "swings": {"revenue": "first revenue ±20 %", "growth": "first growth ±20 pp", "growth_end": "last growth ±5 pp",
               "margin": "first margin ±20 pp", "margin_end": "last margin ±5 pp", "rate": "discount rate ±2 pp",
               "terminal_growth": "growth for ever ±1 pp"},
    "flows": "Free cash flow and its present value", "cash": "cash", "present": "today", "tail": "terminal value",
    "year": "year; last bar: everything after", "money": "USD", "tornado": "Value when one assumption moves",
    "value": "value, USD", "upward": "moved up", "downward": "moved down",
    "assumption": "assumption (pp: percentage points)",
    "low": "moved down", "high": "moved up",
    "status": "Worth {value}: {explicit} from the forecast and {terminal} from everything after it. Until it earns, "
              "the plan spends {needed}. Most depends on {widest}: {low} to {high}.",
    "never": "The discount rate must be above the growth for ever; otherwise the value has no end.",
    "endless": "no end",
}


class CashFlow(Explorer):
    """Sliders for a ten-year plan and a discount rate: present values, terminal value, and a tornado of swings.

    Args:
        plan: arguments of `economics.forecast_cash_flows`; default: the example of the chapter.
        rate: discount rate per year, shown first.
        terminal_growth: growth after the forecast, shown first.

    Raises:
        ValueError: an unknown name in the plan, a number outside its slider, or a rate not above the growth.

    Derived in: book/outlook/valuation.
    """

    module = "cashflow"

    def __init__(
        self,
        plan: dict[str, float] | None = None,
        *,
        rate: float = 0.15,
        terminal_growth: float = 0.03,
        id: str | None = None,
    ) -> None:
        for name in plan or {}:
            economics.checks.one_of("plan entry", name, START)
        values = {**START, **(plan or {}), "rate": rate, "terminal_growth": terminal_growth}
        ranges = {"revenue": (1e4, 1e8), "growth": (0.0, 3.0), "growth_end": (0.0, 0.5), "margin": (-3.0, 0.5),
                  "margin_end": (0.0, 0.6), "rate": (0.05, 0.8), "terminal_growth": (-0.02, 0.1)}
        for name, (low, high) in ranges.items():
            if not low <= values[name] <= high:
                raise ValueError(f"{name} must lie between {low:g} and {high:g}, found {values[name]!r}; the slider "
                                 "ends there.")
        cash = economics.forecast_cash_flows(**{name: values[name] for name in START})[1]
        economics.dcf(cash, rate, terminal_growth)
        sliders = [{"name": name, "label": WORDS["names"][name], "min": low, "max": high, "value": values[name],
                    **({"scale": "log", "kind": "si"} if name == "revenue" else {"step": 0.005, "kind": "percent"})}
                   for name, (low, high) in ranges.items()]
        super().__init__(
            {
                "title": "What a forecast is worth, and what carries it",
                "hint": "Move an assumption. Growth and margin run in straight lines from the first year to the last.",
                "source": "Computed in this page. All assumptions are yours; those shown first are the example's.",
                "words": WORDS, "sliders": sliders, "swings": SWINGS, "years": int(values["years"]),
            },
            id=id,
        )

    @staticmethod
    def compute(**params: float) -> dict[str, Any]:
        """Cash flows, present values, value, and the value at both ends of each swing; None where there is no end.

        Args:
            params: revenue, growth, growth_end, margin, margin_end, years, rate, terminal_growth.

        Raises:
            ValueError: as `economics.forecast_cash_flows`.

        Derived in: book/outlook/valuation.
        """
        revenue, cash = _forecast(params)
        value = _value(params)
        swings = {}
        for name, size in SWINGS.items():
            size = size * params[name] if name == "revenue" else size
            swings[name] = [_value({**params, name: params[name] + step}) for step in (-size, size)]
        present = cash * (1 + params["rate"]) ** -np.arange(1.0, len(cash) + 1)
        return {
            "revenue": revenue.tolist(),
            "cash": cash.tolist(),
            "present": present.tolist(),
            "explicit": float(present.sum()),
            "terminal": None if value is None else value - float(present.sum()),
            "value": value,
            "needed": float(-min(0.0, np.cumsum(cash).min())),
            "swings": swings,
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        first = {**START, "rate": 0.15, "terminal_growth": 0.03}
        return [
            first,
            {**first, "rate": 0.5, "margin": 0.1},
            {**first, "rate": 0.05, "terminal_growth": 0.04},
            {**first, "rate": 0.06, "terminal_growth": 0.06},
            {**first, "revenue": 2e7, "growth": 0.0, "growth_end": 0.4, "margin_end": 0.0, "years": 4},
        ]


def _forecast(params: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Revenue and free cash flow of each year."""
    return economics.forecast_cash_flows(**{name: params[name] for name in START})


def _value(params: dict[str, float]) -> float | None:
    """The value, None when the tail has no end."""
    if params["rate"] <= params["terminal_growth"]:
        return None
    return economics.dcf(_forecast(params)[1], params["rate"], params["terminal_growth"]).value
