"""Rent, retrieve, tune, distil or train: boundaries over volume and quality, and what each costs at one point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from helpers import economics
from helpers.economics import choices as deciding
from helpers.economics import routes as costing

from .base import Explorer

WORDS = {
    "title": "Rent, retrieve, tune, distil or train?",
    "hint": "Drag the point to your volume and the quality that you need. Then move prices and load, and watch the "
            "boundaries.",
    "source": "Computed in this page. The qualities are simulated; efforts, learning curves, labels, the fall of "
              "prices and load are assumed. List prices: median over vendors of large models, {price_date}; low is "
              "{low:.2g} ×, high {high:.2g} × its output price. Rent: median of {rent_date}.",
    "routes": {"rent": "rent", "retrieve": "retrieve", "tune": "tune", "distil": "distil", "train": "train"},
    "map": "Cheapest route", "volume": "requests a day", "quality": "share right on your evaluation",
    "bars": "What each costs at your point", "before": "before the first answer, and switching", "people": "people",
    "serving": "serving", "money": "USD over the plan, discounted", "nothing": "no route",
    "current": "route in use now", "none": "none", "route": "route", "examples": "examples", "seconds": "seconds",
    "excluded": "excluded",
    "gates": {"data": "data may not leave", "rights": "no right to train on your data",
              "terms": "no right to train on a vendor's answers", "weights": "open weights not allowed",
              "latency": "too slow", "deadline": "too late", "quality": "quality out of reach"},
    "status": "At {volume} requests a day and {quality} right: {route}, {cost} over the plan, {thousand} for a "
              "thousand requests, {examples}.",
    "some": "with {examples} examples", "no_examples": "without examples of your own",
    "second": "Next: {route}, {cost}.", "alone": "No other route is open.",
    "status_none": "At {volume} requests a day and {quality} right no route is left. {why}.",
}
DEVICE = ("flops_per_second", "bandwidth")
SHARES = ("prefill_utilisation", "decode_utilisation", "training_utilisation")
AXES = {"volume": [10.0, 1e8], "quality": [0.45, 0.97]}


def _log(name: str, label: str, value: float, low: float, high: float, kind: str = "number") -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "min": low, "max": high, "scale": "log", "kind": kind}


def _share(name: str, label: str, value: float, low: float, high: float, step: float = 0.01) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "min": low, "max": high, "step": step, "kind": "percent"}


def _fixed(s: costing.Situation) -> dict[str, Any]:
    """The numbers of the device and the shares of its peak that the page needs."""
    device = economics.accelerator(s.accelerator)
    return {name: getattr(device, name) for name in DEVICE} | {name: economics.price(name).value for name in SHARES}


class Choices(Explorer):
    """A map of the cheapest route over volume and quality, with a point to drag, prices and rights to change.

    Args:
        situation: what is shown first; None takes the book's example, which rents today.
        routes: the routes that are compared; None takes the book's example.

    Raises:
        ValueError: a value lies outside its slider.

    Derived in: book/outlook/train_tune_or_rent.
    """

    module = "choices"

    def __init__(self, situation: costing.Situation | None = None, routes: Sequence[costing.Route] | None = None, *,
                 id: str | None = None) -> None:
        s = situation or costing.Situation(current="rent")
        shown = [asdict(route) for route in routes or costing.example_routes()]
        sliders = [
            _log("volume", "requests a day", s.volume, *AXES["volume"], "integer"),
            _share("quality", "quality required", s.quality, *AXES["quality"], step=0.005),
            _log("price_factor", "list prices, × today's", 1.0, 0.02, 10),
            _share("price_decline", "list prices fall a year", s.price_decline, 0.0, 0.95),
            _share("load", "load of devices", s.load, 0.02, 1.0),
        ]
        more = [
            _log("rent", "rent, USD per hour", s.rent, 0.5, 20),
            _share("cached_share", "instructions in cache", s.cached_share, 0.0, 1.0),
            _log("person_month", "person-month, USD", s.person_month, 1000, 50_000, "integer"),
            _log("label", "one example, USD", s.label, 0.02, 200),
            {"name": "idle_devices", "label": "own idle devices", "value": s.idle_devices, "min": 0, "max": 64,
             "step": 1, "kind": "integer"},
            {"name": "switching_cost", "label": "cost of switching, USD", "value": s.switching_cost, "min": 0,
             "max": 1_000_000, "step": 10_000, "kind": "integer"},
            _log("max_seconds", "seconds allowed", s.max_seconds, 0.5, 60),
        ]
        for one in [*sliders, *more]:
            if not one["min"] <= one["value"] <= one["max"]:
                raise ValueError(f"{one['name']} must lie between {one['min']:g} and {one['max']:g} to be shown, found "
                                 f"{one['value']:g}; pass a value in that range.")
        checks = [{"name": name, "label": label, "value": getattr(s, name)} for name, label in (
            ("data_may_leave", "data may leave"), ("may_train_on_data", "may train on own data"),
            ("may_train_on_answers", "may train on answers"), ("may_use_weights", "may use open weights"))]
        turned = {one["name"] for one in [*sliders, *more, *checks]} | {"current", "accelerator"}
        prices = {name: getattr(s, name) for name in ("input_price", "cached_price", "output_price")}
        fixed = {name: value for name, value in asdict(s).items() if name not in turned and name not in prices}
        low, median, high = economics.price_range("api_large_output")
        rows = [row for kind in ("input", "cached", "output") for row in economics.price_range(f"api_large_{kind}")]
        source = WORDS["source"].format(
            price_date=max(row.date for row in rows), low=low.value / median.value, high=high.value / median.value,
            rent_date=economics.price("h100_hour_median").date)
        super().__init__({"title": WORDS["title"], "hint": WORDS["hint"], "source": source, "words": WORDS,
                          "routes": shown, "fixed": fixed | _fixed(s), "prices": prices, "sliders": sliders,
                          "more": more, "checks": checks, "current": s.current, "axes": AXES}, id=id)

    @staticmethod
    def compute(routes: list[dict[str, Any]], volumes: list[float], qualities: list[float], **values: Any) -> dict:
        """Cost, gates, examples, seconds and parts of every route at one point, and the map of the cheapest.

        Args:
            routes: fields of each `Route`.
            volumes, qualities: axes of the map.
            **values: fields of the `Situation`, and the numbers of the device.

        Returns:
            costs (None where excluded), gates, examples (None where out of reach), seconds, parts, best (-1 for none)
            and map [len(qualities)][len(volumes)] of indices.

        Raises:
            ValueError: a value is out of its range.

        Derived in: book/outlook/train_tune_or_rent.
        """
        s = costing.Situation(**{name: value for name, value in values.items() if name not in (*DEVICE, *SHARES)})
        every = [costing.Route(**route) for route in routes]
        shut = [list(deciding.gates(route, s)) for route in every]
        parts = [[_number(value) for value in costing.parts(route, s).values()] for route in every]
        costs = deciding.cost_table(s, every)
        grid = deciding.cost_table(s, every, volume=np.array(volumes)[None, :], quality=np.array(qualities)[:, None])
        winners = np.where(np.isfinite(grid.min(axis=0)), grid.argmin(axis=0), -1)
        return {
            "costs": [_number(cost) for cost in costs], "gates": shut,
            "examples": [_number(costing.examples_for(s.quality, route)) for route in every],
            "seconds": [costing.answer_seconds(route, s) for route in every], "parts": parts,
            "best": int(np.argmin(costs)) if np.isfinite(costs).any() else -1, "map": winners.tolist(),
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        s = costing.Situation()
        middle = asdict(s) | _fixed(s) | {"routes": [asdict(route) for route in costing.example_routes()]}
        middle |= {"volumes": np.geomspace(10, 1e8, 23).tolist(), "qualities": np.linspace(0.45, 0.97, 19).tolist()}
        del middle["accelerator"]
        return [middle] + [middle | more for more in (
            {"volume": 3e6, "quality": 0.85, "load": 0.1}, {"data_may_leave": False, "idle_devices": 6},
            {"price_decline": 0.95, "cached_share": 0.9, "volume": 2e5, "discount": 0.0, "rent_change": 0.2},
            {"price_decline": 0.0, "discount": 0.0, "months": 12, "label": 0.0}, {"quality": 0.95},
            {"current": "rent", "switching_cost": 4e5, "max_seconds": 3.0, "quality": 0.7},
            {"may_train_on_answers": False, "may_use_weights": False}, {"may_train_on_data": False, "people": 1.0})]


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
