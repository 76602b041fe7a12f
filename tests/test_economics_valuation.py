"""Market size, discounted cash flow and the venture method against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers import economics as e


def test_market_size_against_simulation():
    factors = {"customers": (4e5, 1.6e6), "revenue_per_customer": (600, 2400), "serviceable": (0.15, 0.45),
               "obtainable": (0.02, 0.08)}
    market = e.market_size(**factors)
    normal = np.random.default_rng(0).standard_normal((4, 400_000))
    parts = [np.sqrt(low * high) * (high / low) ** (z / (2 * 1.6448536))
             for (low, high), z in zip(factors.values(), normal)]
    for estimate, drawn in ((market.tam, parts[0] * parts[1]), (market.sam, np.prod(parts[:3], axis=0)),
                            (market.som, np.prod(parts, axis=0))):
        found = [*np.quantile(drawn, [0.05, 0.5, 0.95]), drawn.mean()]
        expected = [estimate.low, estimate.median, estimate.high, estimate.mean]
        assert found == pytest.approx(expected, rel=0.02)
    assert market.tam.median == pytest.approx(math.sqrt(4e5 * 1.6e6 * 600 * 2400))


def test_correlation_widens_the_product():
    ranges = {"a": (1, 4), "b": (2, 3), "c": (0.1, 0.9)}
    free, bound = e.product_of_ranges(ranges), e.product_of_ranges(ranges, correlation=1.0)
    assert bound.low == pytest.approx(1 * 2 * 0.1) and bound.high == pytest.approx(4 * 3 * 0.9)  # all ends at once
    assert bound.low < free.low < free.median < free.high < bound.high and free.median == pytest.approx(bound.median)
    alone = e.product_of_ranges({"a": (2, 8)}, correlation=0.3)
    assert (alone.low, alone.median, alone.high) == pytest.approx((2, 4, 8))
    exact = e.product_of_ranges({"a": (3, 3)})
    assert exact.low == exact.high == exact.mean == pytest.approx(3)


def test_annuity_and_perpetuity():
    rate, years = 0.08, 12
    annuity = 100 * (1 - 1.08**-years) / rate
    assert e.present_value([100] * years, rate) == pytest.approx(annuity, rel=1e-13)
    growing = 100 * (1 - (1.03 / 1.08) ** years) / (rate - 0.03)
    assert e.present_value(100 * 1.03 ** np.arange(years), rate) == pytest.approx(growing, rel=1e-13)
    assert e.terminal_value(100, rate, 0) == pytest.approx(1250)
    forever = e.dcf([100] * years, rate, 0.0)
    assert forever.value == pytest.approx(100 / rate, rel=1e-13)  # an annuity, then a perpetuity
    grows = e.dcf(100 * 1.03 ** np.arange(years), rate, 0.03)
    assert grows.value == pytest.approx(100 / (rate - 0.03), rel=1e-13)
    assert grows.explicit + grows.terminal == pytest.approx(grows.value)
    assert grows.terminal_share == pytest.approx((1.03 / 1.08) ** years)
    assert e.present_value([5], 0) == 5


def test_a_long_sum_is_the_perpetuity():
    flows = 7 * 1.02 ** np.arange(1, 3000)
    assert e.present_value(flows, 0.1) == pytest.approx(e.terminal_value(7, 0.1, 0.02), rel=1e-12)


def test_forecast():
    revenue, cash = e.forecast_cash_flows(
        revenue=100, growth=1.0, growth_end=0.0, margin=-0.5, margin_end=0.25, years=4)
    assert revenue == pytest.approx([100, 200, 300, 300])
    assert cash == pytest.approx([-50, -0.25 * 200, 0, 75])


def test_wacc():
    assert e.wacc(equity=60, debt=40, cost_of_equity=0.12, cost_of_debt=0.05, tax=0.2) == pytest.approx(0.088)
    assert e.wacc(equity=1, debt=0, cost_of_equity=0.15, cost_of_debt=0.05, tax=0.2) == pytest.approx(0.15)


def test_target_rate_prices_failure():
    """Success discounted at the target is the expectation discounted at the cost of capital."""
    target = e.target_rate(0.15, 0.2, 6)
    assert 100 / (1 + target) ** 6 == pytest.approx(0.2 * 100 / 1.15**6)
    assert e.target_rate(0.15, 1.0, 6) == pytest.approx(0.15)


def test_multiple_and_rate_of_return():
    assert e.moic(2, 20) == 10
    assert e.irr([-2, 0, 0, 0, 0, 20]) == pytest.approx(10 ** (1 / 5) - 1)
    assert e.irr([-100, 8, 8, 108]) == pytest.approx(0.08)
    assert e.irr([-1] + [0] * 29 + [1e-6]) == pytest.approx(1e-6 ** (1 / 30) - 1)
    flows = [-10, -5, 2, 4, 30]
    rate = e.irr(flows)
    assert flows[0] + e.present_value(flows[1:], rate) == pytest.approx(0, abs=1e-10)


def test_venture_method_closes_the_circle():
    deal = e.venture_method(100e6, years=6, target_rate=0.5, investment=2e6, rounds=[0.179, 0.15], option_pool=0.1)
    assert deal.post_money == pytest.approx(100e6 * 0.821 * 0.85 / 1.5**6)
    assert deal.pre_money == pytest.approx(deal.post_money - 2e6) and deal.share == pytest.approx(2e6 / deal.post_money)
    assert deal.share_at_exit == pytest.approx(deal.share * e.dilution([0.179, 0.15]))
    received = deal.share_at_exit * 100e6
    assert e.irr([-2e6, 0, 0, 0, 0, 0, received]) == pytest.approx(0.5)  # the investor gets what was asked for
    assert deal.founders + deal.share + 0.1 == pytest.approx(1)
    assert deal.effective_pre_money == pytest.approx(deal.pre_money - 0.1 * deal.post_money)
    plain = e.venture_method(60e6, years=5, target_rate=0.5, investment=2e6)
    assert plain.share == plain.share_at_exit and plain.effective_pre_money == pytest.approx(plain.pre_money)


@pytest.mark.parametrize("call, message", [
    (lambda: e.product_of_ranges({}), "ranges must hold at least one factor, found none"),
    (lambda: e.product_of_ranges({"users": (0, 4)}), "the low end of users must be above 0, found 0"),
    (lambda: e.product_of_ranges({"users": (9, 4)}), "users runs from 9 to 4; pass the low end first"),
    (lambda: e.product_of_ranges({"users": (1, 4)}, correlation=2), "correlation must be between 0 and 1, found 2"),
    (lambda: e.market_size(customers=(1, 2), revenue_per_customer=(1, 2), serviceable=(0.2, 1.4), obtainable=(0.1, 1)),
     "serviceable must be above 0 and at most 1, found 1.4"),
    (lambda: e.present_value([], 0.1), "cash_flows must hold at least one year, found none"),
    (lambda: e.present_value([1, None], 0.1), "cash_flows must be a number, found None"),
    (lambda: e.present_value([1], -1), "rate must be above -1, found -1"),
    (lambda: e.dcf([1], 0.02, 0.05), "rate must be above the growth for ever, found rate 0.02 and growth 0.05"),
    (lambda: e.terminal_value(1, 0.03, 0.03), "found rate 0.03 and growth 0.03"),
    (lambda: e.forecast_cash_flows(revenue=1, growth=1, growth_end=0, margin=0, margin_end=25),
     "margin_end must be at most 1, found 25; write 40 percent as 0.4"),
    (lambda: e.wacc(equity=0, debt=0, cost_of_equity=0.1, cost_of_debt=0.1, tax=0.2), r"equity \+ debt must be"),
    (lambda: e.wacc(equity=1, debt=1, cost_of_equity=0.1, cost_of_debt=0.1, tax=20), "tax must be between 0 and 1"),
    (lambda: e.target_rate(0.15, 0, 5), "success must be above 0 and at most 1, found 0"),
    (lambda: e.moic(0, 5), "invested must be above 0, found 0"),
    (lambda: e.irr([1, 2, 3]), r"must change their sign once, found 0 changes in \[1.0, 2.0, 3.0\]"),
    (lambda: e.irr([-1, 3, -2]), "found 2 changes"),
    (lambda: e.venture_method(10e6, years=6, target_rate=0.5, investment=2e6),
     "would need 228% of the company and the pool 0%, more than there is; ask for less than 2,000,000"),
    (lambda: e.venture_method(-1, years=6, target_rate=0.5, investment=2e6), "exit_value must be above 0, found -1"),
    (lambda: e.venture_method(1e8, years=6, target_rate=0.5, investment=2e6, rounds=[20]), "rounds must be between 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
