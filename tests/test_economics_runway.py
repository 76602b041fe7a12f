"""Runway, dilution and unit economics against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers import economics as e

CALM = {"cash": 1000.0, "monthly_revenue": 0.0, "fixed_costs": 100.0, "growth": 0.0, "churn": 0.0, "margin": 1.0}


def test_constant_burn():
    result = e.runway(num_paths=3, months=12, **CALM)
    assert np.allclose(result.cash, 1000 - 100 * np.arange(13))
    assert result.month_of_ruin() == 11 and e.runway_months(1000, 100) == 10
    assert result.ruin_by_month[10] == 0 and result.ruin_by_month[11] == 1


def test_growth_against_the_geometric_series():
    assumptions = {**CALM, "monthly_revenue": 50.0, "growth": 0.10, "churn": 0.04, "margin": 0.6, "cost_growth": 0.02}
    cash = e.cash_paths(np.zeros((1, 3)), months=24, **assumptions)[0, -1]
    revenue, costs = 50 * (1.06**24 - 1) / 0.06, 100 * (1.02**24 - 1) / 0.02
    assert cash == pytest.approx(1000 + 0.6 * revenue - costs, rel=1e-12)


def test_spread_of_fixed_costs_gives_the_lognormal_chance_of_ruin():
    """Ruin by month t when 1000 < t F, so P = P(z > ln(1000 / (100 t)) / spread); here at t = 12, spread 0.5."""
    result = e.runway(num_paths=40_000, months=12, cost_spread=0.5, **CALM)
    z = math.log(1000 / 1200) / 0.5
    expected = 0.5 * math.erfc(z / math.sqrt(2))
    assert result.ruin_by_month[-1] == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 40_000))


def test_bands_seed_and_global_generator():
    assumptions = {**CALM, "monthly_revenue": 30.0, "growth": 0.1, "growth_spread": 0.05, "churn": 0.03,
                   "churn_spread": 0.5, "cost_spread": 0.2, "months": 36}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (e.runway(seed=seed, **assumptions) for seed in (0, 0, 1))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(one.cash, same.cash) and not np.array_equal(one.cash, other.cash)
    assert one.cash.shape == (2000, 37) and one.quantiles.shape == (5, 37)
    assert (np.diff(one.quantiles, axis=0) >= 0).all() and (np.diff(one.ruin_by_month) >= 0).all()
    assert one.months == 36 and "2,000 simulated paths" in str(one)
    assert e.runway(num_paths=5, months=3, **CALM).month_of_ruin() is None


def test_ruin_stays_ruin():
    assert np.array_equal(e.ruin_by_month([[1.0, -1.0, 5.0], [1.0, 2.0, 3.0]]), [0, 0.5, 0.5])


def test_unit_economics():
    assert e.dilution([0.20, 0.18, 0.15]) == pytest.approx(0.558, abs=0.0005)
    assert e.dilution([]) == 1
    assert e.net_burn(150, 30) == 120 and e.runway_months(10, -5) == math.inf
    assert e.burn_multiple(300, 200) == 1.5
    value = e.lifetime_value(50, 0.6, 0.03)
    assert value == pytest.approx(1000) and e.lifetime_to_acquisition(value, 250) == pytest.approx(4)
    assert e.payback_months(300, 50, 0.6) == pytest.approx(10)
    assert e.payback_months(300, 50, -0.1) == math.inf
    assert e.gross_margin(100, 130) == pytest.approx(-0.3)


@pytest.mark.parametrize("call, message", [
    (lambda: e.dilution([0.2, 1.5]), "rounds must be between 0 and 1, found 1.5"),
    (lambda: e.burn_multiple(1, 0), "new_revenue must be above 0, found 0"),
    (lambda: e.lifetime_value(1, 0.5, 0), "churn must be above 0 and at most 1, found 0"),
    (lambda: e.lifetime_value(1, 60, 0.1), "margin must be at most 1, found 60"),
    (lambda: e.runway_months(-1, 1), "cash must be 0 or more, found -1"),
    (lambda: e.net_burn(-1, 1), "cash_out must be 0 or more, found -1"),
    (lambda: e.runway(num_paths=0, **CALM), "num_paths must be a whole number of at least 1, found 0"),
    (lambda: e.runway(**{**CALM, "churn": 3}), "churn must be between 0 and 1, found 3"),
    (lambda: e.runway(growth_spread=-1, **CALM), "growth_spread must be 0 or more, found -1"),
    (lambda: e.cash_paths(np.zeros((2, 2)), **CALM), r"draws must have shape \[num_paths, 3\], found \[2, 2\]"),
    (lambda: e.ruin_by_month([1.0]), r"cash must have shape \[num_paths, months \+ 1\], found \[1\]"),
    (lambda: e.runway(**CALM).month_of_ruin(0), "probability must be above 0 and at most 1, found 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
