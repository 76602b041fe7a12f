"""A venture's whole plan with sliders: cash with bands, ruin, what it hangs on, and what ends it first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from helpers.economics import baseline, plan_paths
from helpers.economics.plan import plan_venture, sensitivity
from helpers.economics.sensitivity import latin
from helpers.economics.venture import Assumption, Venture, read_venture

from .base import Explorer, numbers

NUM_PATHS, NUM_POINTS = 400, 192
SLIDERS = {"cash": "money", "price": "money", "marketing": "money", "acquisition_cost": "money",
           "first_customers": "number", "referral": "percent", "churn": "percent", "right": "percent",
           "hires": "number", "cost_per_person": "money", "questions": "number", "slip": "number"}
LABELS = {
    "cash": "cash", "price": "price", "marketing": "marketing", "acquisition_cost": "cost to win one",
    "right": "right answers", "first_customers": "first customers", "referral": "referrals a month",
    "churn": "churn a month", "hires": "hires a month", "cost_per_person": "cost of a person",
    "questions": "questions a month", "slip": "schedule slip", "team": "team", "other_costs": "other costs",
    "gpu_hours": "device-hours", "rent": "rent of a device", "gpu_hours_after": "device-hours later",
    "data": "data", "tokens_in": "tokens read", "tokens_out": "tokens written", "input_price": "price of reading",
    "output_price": "price of writing", "token_price_change": "change of token price",
    "price_change": "change of price", "market_size": "size of market", "setup": "set-up of a customer",
    "churn_unserved": "churn if unserved", "support": "support", "fees": "fees", "tasks": "schedule",
}
WORDS = {
    "cash": "Cash, simulated", "band": "median, 50 % and 90 %", "likely": "all as likely", "month": "month",
    "usd": "USD", "ruin": "Out of cash by then, simulated", "share": "share of paths", "total": "total index",
    "hangs": "What the lowest cash hangs on", "ends": "What comes first within {months} months", "chance": "chance",
    "alive": "still alive", "spread": "width of the ranges",
    "status": "Launch in month {launch} (one in twenty after {late}). A customer brings {profit} USD a month and pays "
              "back in {payback} months. {share} of {paths} simulated paths are out of cash within {months} months; "
              "{need} more would carry nine in ten so far; {losing} still lose money in the last month. Most likely "
              "within {horizon} months: {cause} ({chance}).",
    "three": "It hangs on {names}.", "none": "Nothing in it is uncertain.",
}


def _slider(one: Assumption, example: Assumption, row: tuple[float, float], kind: str) -> dict[str, Any]:
    """A slider for the likely value; the ends of its range move in proportion."""
    slider = {"name": one.key, "label": LABELS[one.key], "value": one.likely, "kind": kind}
    if kind == "percent":
        high = min(row[1], 1.0 if one.key == "right" else max(0.2, 2 * one.likely))
        return slider | {"min": 0.0, "max": high, "step": 0.005}
    if one.likely == 0:
        return slider | {"min": 0.0, "max": 5 * example.likely, "step": example.likely / 20}
    return slider | {"min": max(row[0], one.likely / 5), "max": min(row[1], 5 * one.likely), "scale": "log"}


class BusinessPlan(Explorer):
    """The plan of a venture; a dozen sliders move likely values, and everything is computed anew.

    Args:
        venture: from `helpers.economics.read_venture`; None takes the example.
        seed: seed of the simulated schedule.

    Raises:
        ValueError: bad tasks, or a plan shorter than a month.

    Derived in: book/outlook/business_plan.
    """

    module = "plan"

    def __init__(self, venture: Venture | None = None, *, seed: int = 0, id: str | None = None) -> None:
        venture = read_venture() if venture is None else venture
        example, bounds = read_venture(), venture.bounds()
        ranges = {key: {"low": one.low, "likely": one.likely, "high": one.high, "min": bounds[key][0],
                        "max": bounds[key][1]} for key, one in venture.assumptions.items()}
        sliders = [_slider(venture[key], example[key], bounds[key], kind) for key, kind in SLIDERS.items()]
        sliders.append({"name": "spread", "label": WORDS["spread"], "value": 1, "min": 0, "max": 2, "step": 0.05,
                        "kind": "percent"})
        horizon = min(plan_paths.HORIZON, venture.months)
        state = {
            "title": f"The plan of {venture.name}, simulated",
            "hint": "Drag one number and watch what the plan hangs on. Then narrow all ranges to nothing.",
            "source": f"Computed in this page from {NUM_PATHS} paths and, for the indices, {NUM_POINTS} points an "
                      "input. Assumptions as in the file; causes other than cash from a published survival table.",
            "words": WORDS, "names": {key: LABELS[key] for key in plan_paths.inputs(venture)}, "sliders": sliders,
            "ranges": ranges, "fixed": {
                "inputs": plan_paths.inputs(venture), "months": venture.months,
                "days": numbers(plan_paths.launch_days(venture, seed=seed), 8), "num": NUM_PATHS,
                "num_points": NUM_POINTS, **_causes(horizon)},
        }
        super().__init__(state, id=id)

    @staticmethod
    def compute(ranges: dict[str, list[float]], days: list[float], months: int, num: int, num_points: int,
                **_: Any) -> dict[str, Any]:
        """The plan that the page computes, from `helpers.economics`.

        Args:
            ranges: assumption and its [low, likely, high].
            days: quantiles of the working days until launch.
            months: length of the plan.
            num: paths.
            num_points: points of the sensitivity; 0 leaves it out.

        Returns:
            quantiles [5][months + 1] and likely [months + 1] of cash, ruin [months + 1], launch (median and 95 %),
            losing (share that still loses money at the end), missing (50 % and 90 %), profit and payback at likely
            values, causes by name, first and total indices.

        Raises:
            ValueError: an assumption is unknown or out of its range.

        Derived in: book/outlook/business_plan.
        """
        venture = replace(read_venture().changed(**ranges), months=months)
        names = plan_paths.inputs(venture)
        plan = plan_venture(venture, draws=latin(num, len(names)), days=np.array(days), hazards=baseline())
        middle = {name: venture[name].likely for name in names[:-1]}
        units = plan_paths.unit_economics(middle)
        found = {
            "quantiles": plan.quantiles.tolist(), "likely": plan.likely.tolist(), "ruin": plan.ruin.tolist(),
            "launch": np.quantile(plan.launch, [0.5, 0.95]).tolist(),
            "losing": plan.losing, "missing": [plan.funding(0.5), plan.funding(0.9)], "profit": float(units["profit"]),
            "payback": numbers(units["payback"], 12), "causes": plan.causes,
        }
        if num_points:
            kept = [k for k, name in enumerate(names)
                    if (days[0] < days[-1] if name == "tasks" else not venture[name].certain)]
            points = latin(num_points, 2 * len(names))[:, kept + [len(names) + k for k in kept]]
            index = sensitivity(venture, days=np.array(days), draws=points, num_resamples=0) if kept else None
            found |= {kind: dict(zip(index.names, getattr(index, kind).tolist(), strict=True)) if kept else {}
                      for kind in ("first", "total")}
        return found

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        venture = read_venture()
        days = numbers(plan_paths.launch_days(venture, num_draws=200, num_points=9), 8)
        cases = []
        for num, months, changes in ((53, 36, {"setup": [0.0, 100.0, 900.0]}),
                                     (40, 24, {"price": 30.0, "churn": [0.2, 0.6, 1.0]}),
                                     (31, 12, {"cash": 1e7, "marketing": 0.0}), (20, 60, {"right": [0.0, 1.0, 1.0]})):
            moved = venture.changed(**changes).assumptions
            ranges = {key: [one.low, one.likely, one.high] for key, one in moved.items()}
            cases.append({"ranges": ranges, "days": days, "months": months, "num": num, "num_points": 11,
                          "inputs": plan_paths.inputs(venture), **_causes(min(plan_paths.HORIZON, months))})
        return cases


def _causes(horizon: int) -> dict[str, Any]:
    """What the page needs of the hazards: by month, the share that each cause has ended, and the share alive."""
    others = baseline().without("capital")
    ages = np.arange(horizon + 1)
    return {"causes": list(others.names), "ended": others.cumulative_incidence(ages).tolist(),
            "alive": others.survival(ages).tolist()}
