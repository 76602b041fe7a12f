"""Real options against trees by hand, the published example, and Black-Scholes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers import economics as e

PILOT = {"rate": 0.05, "volatility": 0.6, "years": 1.5}


def test_the_worked_example_of_the_binomial_tree():
    """Value 100, up 1.5, down 0.5, cost 110, rate 5 %: q = 0.55, option 20.95, commitment -4.76."""
    option = e.binomial_option(100, 110, rate=0.05, up=1.5, down=0.5)
    assert option == pytest.approx(0.55 * 40 / 1.05) and round(option, 2) == 20.95
    assert round(100 - 110 / 1.05, 2) == -4.76
    assert e.binomial_option(100, 0, rate=0.05, up=1.5, down=0.5, periods=7) == pytest.approx(100)


def test_the_binomial_tree_tends_to_black_scholes():
    limit = e.black_scholes(100, 110, rate=0.05, volatility=0.4, years=2)
    errors = []
    for periods in (50, 200, 800):
        step = 2 / periods
        up = math.exp(0.4 * math.sqrt(step))
        tree = e.binomial_option(100, 110, rate=math.expm1(0.05 * step), up=up, down=1 / up, periods=periods)
        errors.append(abs(tree / limit - 1))
    assert errors[2] < 1e-3 and errors[2] < errors[0] / 4


def test_black_scholes_limits_and_parity():
    assert e.black_scholes(100, 90, rate=0.05, volatility=0, years=1) == pytest.approx(100 - 90 * math.exp(-0.05))
    assert e.black_scholes(80, 90, rate=0.0, volatility=0.5, years=0) == 0
    assert e.black_scholes(80, 0, rate=0.1, volatility=0.5, years=3) == 80
    # At cost = forward the value is S (2 Φ(σ√T/2) − 1).
    at_forward = e.black_scholes(100, 100 * math.exp(0.1), rate=0.05, volatility=0.3, years=2)
    assert at_forward == pytest.approx(100 * math.erf(0.3 * math.sqrt(2) / 2 / math.sqrt(2)))


def test_simulation_against_black_scholes():
    plain = e.flexible_value(100, 110, **PILOT)
    exact = e.black_scholes(100, 110, **PILOT)
    assert abs(plain.value - exact) < 4 * plain.error < 1.2
    assert plain.committed == pytest.approx(100 - 110 * math.exp(-0.075))
    # max(s, V − K, f V − K − E) = s + (V − K − s)+ + (f − 1) (V − E / (f − 1))+ when the second kink lies higher.
    full = e.flexible_value(100, 110, salvage=20, expand_factor=1.5, expand_cost=80, **PILOT)
    calls = e.black_scholes(100, 130, **PILOT) + 0.5 * e.black_scholes(100, 160, **PILOT)
    assert abs(full.value - (20 * math.exp(-0.075) + calls)) < 4 * full.error
    assert sum(full.chosen.values()) == pytest.approx(1) and min(full.chosen.values()) > 0.05
    again = e.flexible_value(100, 110, salvage=20, expand_factor=1.5, expand_cost=80, **PILOT)
    assert again == full and e.flexible_value(100, 110, seed=1, **PILOT).value != plain.value


def test_staged_value_by_hand():
    found = e.staged_value([1, 3, 10], [0.5, 0.4, 0.8], 40, rate=0.1)
    third = -10 + 0.8 * 40 / 1.1
    second = -3 + 0.4 * third / 1.1
    first = -1 + 0.5 * second / 1.1
    assert found.start == pytest.approx((first, second, third)) and found.value == pytest.approx(first)
    assert found.committed == pytest.approx(-1 - 3 / 1.1 - 10 / 1.21 + 0.16 * 40 / 1.331)
    assert found.go == (True, True, True)


def test_staging_saves_the_costs_after_a_failure():
    costs, success, rate = [1, 3, 10], [0.5, 0.4, 0.8], 0.1
    found = e.staged_value(costs, success, 40, rate=rate)
    saved = 0.5 * 3 / 1.1 + (1 - 0.5 * 0.4) * 10 / 1.21
    assert found.value - found.committed == pytest.approx(saved)


def test_staged_value_against_simulation():
    costs, success, payoff, rate, years = [1, 3, 10], [0.5, 0.4, 0.8], 60, 0.1, [0.5, 1, 2]
    rng = np.random.default_rng(0)
    draws = rng.random((400_000, 3)) < np.array(success)
    alive, when, worth = np.ones(len(draws), bool), 0.0, np.zeros(len(draws))
    for k in range(3):
        worth -= alive * costs[k] * 1.1**-when
        alive &= draws[:, k]
        when += years[k]
    worth += alive * payoff * 1.1**-when
    found = e.staged_value(costs, success, payoff, rate=rate, years=years)
    assert found.value == pytest.approx(worth.mean(), abs=4 * worth.std() / 400_000**0.5)


def test_a_hopeless_stage_is_not_begun():
    found = e.staged_value([1, 50], [0.5, 0.5], 60, rate=0.1)
    assert found.value == 0 and found.go == (False, False) and found.committed < 0


@pytest.mark.parametrize("call, message", [
    (lambda: e.staged_value([1, 2], [0.5], 9, rate=0.1), "each stage needs a cost, a chance and a length, found 2, 1"),
    (lambda: e.staged_value([1], [1.5], 9, rate=0.1), "success must be between 0 and 1, found 1.5"),
    (lambda: e.staged_value([-1], [0.5], 9, rate=0.1), "costs must be 0 or more, found -1"),
    (lambda: e.black_scholes(1, 1, rate=0.1, volatility=-0.3, years=1), "volatility must be 0 or more, found -0.3"),
    (lambda: e.binomial_option(1, 1, rate=0.6, up=1.5, down=0.5),
     r"1 \+ rate must lie between down and up, found 1.6 with down 0.5 and up 1.5"),
    (lambda: e.flexible_value(0, 1, **PILOT), "value must be above 0, found 0"),
    (lambda: e.flexible_value(1, 1, salvage=-2, **PILOT), "salvage must be 0 or more, found -2"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
