"""Planners with sliders: a training run, a service, and a venture's cash under uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers import economics

from .base import Explorer, numbers
from .planner_words import WORDS
from .size import rented_accelerators

VIEWS = ("training", "serving", "runway")
NUM_PATHS = 300


def _slider(name: str, label: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, **more}


def _log(name: str, label: str, value: float, low: float, high: float, kind: str = "number") -> dict[str, Any]:
    return _slider(name, label, value, min=low, max=high, scale="log", kind=kind)


def _share(name: str, label: str, value: float, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    return _slider(name, label, value, min=low, max=high, step=0.01, kind="percent")


def _training_sliders() -> list[dict[str, Any]]:
    value = lambda key: economics.price(key).value  # noqa: E731
    return [
        _log("parameters", "parameters", 8e9, 1e6, 1e13, "words"),
        _share("active_share", "active share", 1.0, 0.01),
        _log("tokens", "training tokens", 1.6e11, 1e7, 1e14, "words"),
        _log("devices", "devices", 64, 1, 1e5, "integer"),
        _share("utilisation", "utilisation", value("training_utilisation"), 0.05, 0.9),
        _log("price_per_hour", "rent, USD per hour", value("h100_hour_median"), 0.2, 20),
        _share("overhead", "trials and restarts", 0.0, 0.0, 2.0),
        _slider("pue", "building energy factor", value("pue_median"), min=1, max=2.5, step=0.01),
        _log("electricity", "power, USD per kWh", value("electricity_median"), 0.01, 1),
    ]


def _serving_sliders() -> list[dict[str, Any]]:
    value = lambda key: economics.price(key).value  # noqa: E731
    return [
        _log("parameters", "parameters", 70e9, 1e8, 2e12, "words"),
        _share("active_share", "active share", 1.0, 0.01),
        _slider("bytes_per_parameter", "bytes per parameter", 2, values=[0.5, 1, 2, 4]),
        _log("kv_bytes_per_token", "cache bytes per token", 328e3, 1e3, 1e7, "si"),
        _log("devices", "devices in a group", 4, 1, 512, "integer"),
        _log("batch", "sequences at once", 32, 1, 1e4, "integer"),
        _log("input_tokens", "input per request", 1000, 10, 1e6, "integer"),
        _log("output_tokens", "output per request", 300, 1, 1e5, "integer"),
        _share("cached_share", "input from cache", 0.0),
        _share("load", "load", value("serving_load"), 0.02),
        _share("prefill_utilisation", "utilisation, reading", value("prefill_utilisation"), 0.05),
        _share("decode_utilisation", "utilisation, writing", value("decode_utilisation"), 0.05),
        _log("price_per_hour", "rent, USD per hour", value("h100_hour_median"), 0.2, 20),
        _log("input_price", "price in, USD/M", value("api_large_input_median"), 0.01, 100),
        _log("cached_price", "price cached, USD/M", value("api_large_cached_median"), 0.001, 10),
        _log("output_price", "price out, USD/M", value("api_large_output_median"), 0.01, 200),
    ]


def _runway_sliders() -> list[dict[str, Any]]:
    value = lambda key: economics.price(key).value  # noqa: E731
    return [
        _log("cash", "cash, USD", value("venture_cash"), 1e4, 1e9, "si"),
        _log("monthly_revenue", "monthly revenue, USD", value("venture_revenue"), 100, 1e8, "si"),
        _log("fixed_costs", "monthly costs, USD", value("venture_fixed_costs"), 1e3, 1e8, "si"),
        _share("margin", "gross margin", value("gross_margin_ai"), -0.5, 0.95),
        _share("growth", "growth a month", value("venture_growth"), 0.0, 0.5),
        _share("churn", "churn a month", value("venture_churn"), 0.0, 0.3),
        _share("cost_growth", "cost growth a month", value("venture_cost_growth"), 0.0, 0.2),
        _share("growth_spread", "spread of growth", value("venture_growth_spread"), 0.0, 0.2),
        _share("churn_spread", "spread of churn (log)", value("venture_churn_spread"), 0.0, 1.5),
        _share("cost_spread", "spread of costs (log)", value("venture_cost_spread"), 0.0, 1.0),
        _slider("months", "months", 36, min=6, max=60, step=1, kind="integer"),
    ]


class CapitalPlanner(Explorer):
    """Sliders for every input of a plan; the plan follows as a chart and a sentence.

    Args:
        view: "training" (devices, days, rent, energy), "serving" (speed, cost per million tokens, margin) or
            "runway" (cash with bands, chance of ruin; simulated).
        start: values that are shown first, by the name of the slider, and "accelerator".
        seed: seed of the draws of the runway.

    Raises:
        ValueError: the view or a name in `start` is unknown.

    Derived in: book/outlook/capital.
    """

    module = "planner"

    def __init__(
        self, view: str = "training", start: dict[str, Any] | None = None, *, seed: int = 0, id: str | None = None
    ) -> None:
        economics.checks.one_of("view", view, VIEWS)
        sliders = {"training": _training_sliders, "serving": _serving_sliders, "runway": _runway_sliders}[view]()
        first = {slider["name"]: slider["value"] for slider in sliders}
        if view != "runway":
            first["accelerator"] = "h100"
        for name in start or {}:
            economics.checks.one_of("start value", name, first)
        first |= start or {}
        if view != "runway":
            devices = {row["name"]: row for row in rented_accelerators()}
            economics.checks.one_of("accelerator", first["accelerator"], devices)
            if "price_per_hour" not in (start or {}):
                first["price_per_hour"] = devices[first["accelerator"]]["price_median"]
        state: dict[str, Any] = {
            "view": view, "words": WORDS[view], "title": WORDS[view]["title"], "hint": WORDS[view]["hint"],
            "source": WORDS[view]["source"],
            "sliders": [slider | {"value": first[slider["name"]]} for slider in sliders],
            "fixed": {"memory_share": economics.price("device_memory_share").value},
        }
        if view == "runway":
            state["fixed"] = {"draws": numbers(np.random.default_rng(seed).standard_normal((NUM_PATHS, 3)))}
        else:
            state |= {"accelerators": list(devices.values()), "accelerator": first["accelerator"]}
        super().__init__(state, id=id)

    @staticmethod
    def compute(view: str, **params: Any) -> dict[str, Any]:
        """The plan that the page computes, from `helpers.economics`.

        Args:
            view: "training", "serving" or "runway".
            params: the sliders' values, and for the first two flops_per_second, bandwidth, memory_bytes, memory_share,
                watts, price_low, price_median, price_high of the device; for the runway draws [num_paths, 3].

        Returns:
            training: flops, device_hours, days, min_devices, fits, rents in USD, energy in kWh and USD;
            serving: tokens/s, USD per million tokens and per request, gross margin, bytes, fits;
            runway: quantiles [5][months + 1], ruin [months + 1], expected [months + 1], burn in USD per month.

        Raises:
            ValueError: the view is unknown or a value is out of its range.

        Derived in: book/outlook/capital.
        """
        economics.checks.one_of("view", view, VIEWS)
        return {"training": _training, "serving": _serving, "runway": _runway}[view](params)

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        keys = ("flops_per_second", "bandwidth", "memory_bytes", "watts", "price_low", "price_median", "price_high")
        cases = []
        for view in ("training", "serving"):
            sliders = CapitalPlanner(view).state["sliders"]
            middle = {slider["name"]: slider["value"] for slider in sliders}
            for row in rented_accelerators():
                device = {key: row[key] for key in keys} | {"memory_share": 0.8}
                for more in ({"devices": 1}, {"active_share": 0.1, "devices": 144}, {"parameters": 1e9}):
                    cases.append({"view": view, **middle, **device, **more})
        venture = {slider["name"]: slider["value"] for slider in _runway_sliders()}
        draws = numbers(np.random.default_rng(1).standard_normal((23, 3)))
        for more in ({}, {"months": 60, "churn": 0.3, "churn_spread": 1.5}, {"growth_spread": 0.2, "margin": -0.5}):
            cases.append({"view": "runway", "draws": draws, **venture, **more})
        return cases


def _training(p: dict[str, Any]) -> dict[str, Any]:
    flops = economics.training_flops(p["parameters"] * p["active_share"], p["tokens"]) * (1 + p["overhead"])
    hours = economics.device_hours(flops, p["flops_per_second"], p["utilisation"])
    energy = economics.energy_kwh(hours, p["watts"], p["pue"])
    fewest = economics.min_devices(economics.memory_training(p["parameters"]), p["memory_bytes"], p["memory_share"])
    return {
        "flops": flops, "device_hours": hours, "days": hours / p["devices"] / 24, "min_devices": fewest,
        "fits": int(p["devices"] >= fewest), "cost": hours * p["price_per_hour"],
        "cost_low": hours * p["price_low"], "cost_high": hours * p["price_high"], "energy_kwh": energy,
        "energy_cost": energy * p["electricity"],
    }


def _serving(p: dict[str, Any]) -> dict[str, Any]:
    active, peak = p["parameters"] * p["active_share"], p["devices"] * p["flops_per_second"]
    rent, inputs, outputs = p["devices"] * p["price_per_hour"], p["input_tokens"], p["output_tokens"]
    memory = economics.memory_inference(
        p["parameters"], bytes_per_parameter=p["bytes_per_parameter"], kv_bytes_per_token=p["kv_bytes_per_token"],
        tokens=p["batch"] * (inputs + outputs))
    step = economics.decode_step_seconds(
        p["batch"], active_parameters=active, parameters=p["parameters"], bytes_per_parameter=p["bytes_per_parameter"],
        kv_bytes_per_token=p["kv_bytes_per_token"], context=inputs + outputs / 2, flops_per_second=peak,
        bandwidth=p["devices"] * p["bandwidth"], utilisation=p["decode_utilisation"])
    input_rate = economics.prefill_tokens_per_second(active, peak, p["prefill_utilisation"])
    cost_input = economics.price_per_million(rent, input_rate, p["load"])
    cost_output = economics.price_per_million(rent, p["batch"] / step, p["load"])
    cached = p["cached_share"]
    cost = ((1 - cached) * inputs * cost_input + outputs * cost_output) / 1e6
    paid = (1 - cached) * p["input_price"] + cached * p["cached_price"]
    revenue = (inputs * paid + outputs * p["output_price"]) / 1e6
    return {
        "input_rate": input_rate, "output_rate": p["batch"] / step, "stream_rate": 1 / step, "cost_input": cost_input,
        "cost_output": cost_output, "cost": cost, "revenue": revenue,
        "gross_margin": economics.gross_margin(revenue, cost), "memory_bytes_needed": memory,
        "fits": int(memory <= p["devices"] * p["memory_bytes"] * p["memory_share"]),
    }


def _runway(p: dict[str, Any]) -> dict[str, Any]:
    assumptions = {name: value for name, value in p.items() if name != "draws"}
    paths = economics.cash_paths(p["draws"], **assumptions)
    return {
        "quantiles": np.quantile(paths, economics.QUANTILES, axis=0).tolist(),
        "ruin": economics.ruin_by_month(paths).tolist(),
        "expected": economics.cash_paths(np.zeros((1, 3)), **assumptions)[0].tolist(),
        "burn": p["fixed_costs"] - p["margin"] * p["monthly_revenue"],
    }
