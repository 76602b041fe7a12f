"""The explorers of valuation: they show what helpers.economics computes; the browser tests compare the page."""

from __future__ import annotations

import pytest

from helpers import economics as e
from helpers.explorers.cashflow import START, SWINGS, WORDS, CashFlow
from helpers.explorers.valuation import Scorecard

THREE = {"one": [6, 8, 5, 7], "two": [9, 6, 3, 6], "three": [8, 5, 8, 4]}
CRITERIA = ["market", "technology", "model", "team"]
WEIGHTS = [0.3, 0.2, 0.2, 0.3]


def test_scorecard_shows_the_smallest_turn():
    found = Scorecard.compute(list(THREE.values()), WEIGHTS, 1.0)
    assert (found["leader"], found["nearest"]) == (0, 1)
    assert found["shifts"][1] == pytest.approx(0.04) and found["shifts"][0] is None
    assert sum(found["shares"]) == pytest.approx(1) and found["gap"] == pytest.approx(0.2)
    doubled = Scorecard.compute(list(THREE.values()), [2 * weight for weight in WEIGHTS], 1.0)
    assert doubled["totals"] == pytest.approx(found["totals"])  # divided by their sum
    ahead = Scorecard.compute([[9, 9], [1, 2]], [0.5, 0.5], 1.0)
    assert ahead["nearest"] is None and ahead["level"] == [] and ahead["shifts"] == [None, None]


def test_cash_flow_shows_the_plan():
    found = CashFlow.compute(**START, rate=0.15, terminal_growth=0.03)
    cash = e.forecast_cash_flows(**START)[1]
    assert found["value"] == pytest.approx(e.dcf(cash, 0.15, 0.03).value)
    assert found["explicit"] + found["terminal"] == pytest.approx(found["value"])
    low, high = found["swings"]["rate"]
    assert low == pytest.approx(e.dcf(cash, 0.13, 0.03).value) and high == pytest.approx(e.dcf(cash, 0.17, 0.03).value)
    assert found["needed"] == pytest.approx(-cash.cumsum().min())
    endless = CashFlow.compute(**START, rate=0.05, terminal_growth=0.05)
    assert endless["value"] is None and endless["terminal"] is None and endless["swings"]["rate"][0] is None


def test_states():
    state = CashFlow().state
    assert {slider["name"] for slider in state["sliders"]} == set(SWINGS) == set(WORDS["names"]) == set(WORDS["swings"])
    assert Scorecard(THREE, CRITERIA, WEIGHTS).state["options"] == list(THREE)
    assert len(Scorecard(THREE, CRITERIA, WEIGHTS).html()) < 5000


@pytest.mark.parametrize("call, message", [
    (lambda: Scorecard({"one": [1, 2]}, ["a", "b"], [0.5, 0.5]), "2 to 4 options and 2 to 6 criteria, found 1 options"),
    (lambda: Scorecard(THREE, CRITERIA, [0.3, 0.3, 0.3, 0.3]), "weights must sum to 1, found a sum of 1.2"),
    (lambda: Scorecard({"one": [1, 12], "two": [1, 2]}, ["a", "b"], [0.5, 0.5]), "Scores run from 0 to 10, found"),
    (lambda: CashFlow({"margins": 0.2}), "plan entry 'margins' is unknown; did you mean margin"),
    (lambda: CashFlow({"growth": 7}), "growth must lie between 0 and 3, found 7; the slider ends there"),
    (lambda: CashFlow(rate=0.05, terminal_growth=0.08), "must be above the growth for ever, found rate 0.05"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
