"""The explorers of size and capital: their plans are those of helpers.economics; the browser tests compare the page."""

from __future__ import annotations

import math

import pytest

from helpers import economics as e
from helpers.explorers.planner import VIEWS, CapitalPlanner
from helpers.explorers.size import SizeCounter, rented_accelerators


def test_planner_agrees_with_the_plans():
    device = next(row for row in rented_accelerators() if row["name"] == "h100")
    values = {slider["name"]: slider["value"] for slider in CapitalPlanner("training").state["sliders"]}
    found = CapitalPlanner.compute("training", memory_share=0.8, **device, **values)
    plan = e.plan_training(values["parameters"], values["tokens"], num_devices=values["devices"])
    assert (found["days"], found["cost_low"], found["cost_high"]) == pytest.approx(
        (plan.days, plan.cost_low, plan.cost_high))
    assert found["min_devices"] == plan.min_devices and found["energy_kwh"] == pytest.approx(plan.energy_kwh)

    values = {slider["name"]: slider["value"] for slider in CapitalPlanner("serving").state["sliders"]}
    found = CapitalPlanner.compute("serving", memory_share=0.8, **device, **values)
    plan = e.plan_serving(values["parameters"], kv_bytes_per_token=values["kv_bytes_per_token"],
                          num_devices=values["devices"], batch=values["batch"])
    assert (found["cost_output"], found["gross_margin"], found["stream_rate"]) == pytest.approx(
        (plan.cost_output, plan.gross_margin, plan.tokens_per_second_per_stream))
    assert found["fits"] == plan.fits


def test_size_reaches_from_a_laptop_to_a_trillion():
    case = SizeCounter.cases()[0]
    small = SizeCounter.compute(**{**case, "depth": 1, "width": 64, "vocabulary": 256, "experts": 1})
    large = SizeCounter.compute(**{**case, "depth": 126, "width": 16384, "experts": 8, "top_k": 2})
    assert small["parameters"] < 1e5 and large["parameters"] > 1e12


@pytest.mark.parametrize("view", VIEWS)
def test_states_are_small_and_every_slider_starts_inside_its_range(view):
    planner = CapitalPlanner(view)
    assert len(planner.html()) < 20_000
    for slider in planner.state["sliders"]:
        values = slider.get("values") or [slider["min"], slider["max"]]
        assert min(values) <= slider["value"] <= max(values), slider["name"]
        assert math.isfinite(slider["value"])


def test_start_values_and_bad_input():
    assert SizeCounter({"depth": 2}).state["start"]["depth"] == 2
    first = CapitalPlanner("serving", {"batch": 7}).state["sliders"]
    assert next(slider for slider in first if slider["name"] == "batch")["value"] == 7
    rents = {s["name"]: s["value"] for s in CapitalPlanner("training", {"accelerator": "b200"}).state["sliders"]}
    assert rents["price_per_hour"] == e.price("b200_hour_median").value
    with pytest.raises(ValueError, match="view 'train' is unknown; did you mean training"):
        CapitalPlanner("train")
    with pytest.raises(ValueError, match="start value 'deep' is unknown; did you mean depth"):
        SizeCounter({"deep": 3})
    with pytest.raises(ValueError, match="start value 'batchs' is unknown; did you mean batch"):
        CapitalPlanner("serving", {"batchs": 3})
    with pytest.raises(ValueError, match="accelerator 'v100' is unknown"):
        CapitalPlanner("training", {"accelerator": "v100"})
