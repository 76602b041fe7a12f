"""What a venture may be worth: discounted cash flow, the venture method, multiple and rate of return."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from helpers.economics import checks
from helpers.economics.runway import dilution


def present_value(cash_flows: Sequence[float], rate: float) -> float:
    """Return what cash at the end of years 1, 2, … is worth today.

    Args:
        cash_flows: [num_years] money at the end of each year, of either sign.
        rate: discount rate per year, above -1.

    Raises:
        ValueError: no cash flow, one that is not finite, or a rate of -1 or less.

    Derived in: book/outlook/valuation.
    """
    flows = _flows(cash_flows)
    return float(flows @ (1 + _rate("rate", rate)) ** -np.arange(1.0, len(flows) + 1))


def terminal_value(cash_flow: float, rate: float, growth: float) -> float:
    """Return the value, at the end of the last year, of cash that goes on growing for ever (Gordon growth).

    Args:
        cash_flow: money of the last year; the next one is larger by `growth`.
        rate: discount rate per year.
        growth: growth per year after the last year, below the rate.

    Raises:
        ValueError: the rate is not above the growth.

    Derived in: book/outlook/valuation.
    """
    cash_flow, rate, growth = checks.finite("cash_flow", cash_flow), _rate("rate", rate), _rate("growth", growth)
    if rate <= growth:
        raise ValueError(f"the discount rate must be above the growth for ever, found rate {rate:g} and growth "
                         f"{growth:g}; no company outgrows its economy for ever, so lower the growth.")
    return cash_flow * (1 + growth) / (rate - growth)


@dataclass(frozen=True)
class DiscountedCashFlow:
    """A discounted cash flow.

    Attributes:
        value: enterprise value today, the sum of the next two.
        explicit: present value of the years that were forecast.
        terminal: present value of everything after them.
    """

    value: float
    explicit: float
    terminal: float

    @property
    def terminal_share(self) -> float:
        """Terminal value over value; above 1 when the forecast years together cost money."""
        return self.terminal / self.value if self.value else math.inf


def dcf(cash_flows: Sequence[float], rate: float, growth: float) -> DiscountedCashFlow:
    """Return the enterprise value of a forecast of free cash flow: forecast years plus terminal value.

    Args:
        cash_flows: [num_years] free cash flow at the end of each year.
        rate: discount rate per year, for expected cash flows the WACC.
        growth: growth per year after the forecast, below the rate.

    Raises:
        ValueError: as `present_value` and `terminal_value`.

    Derived in: book/outlook/valuation.
    """
    flows = _flows(cash_flows)
    explicit = present_value(flows, rate)
    terminal = terminal_value(flows[-1], rate, growth) / (1 + rate) ** len(flows)
    return DiscountedCashFlow(explicit + terminal, explicit, terminal)


def forecast_cash_flows(
    *, revenue: float, growth: float, growth_end: float, margin: float, margin_end: float, years: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """Return revenue and free cash flow of each year, growth and margin moving in straight lines.

    Args:
        revenue: revenue of year 1.
        growth: growth from year 1 to year 2; `growth_end` is that into the last year.
        margin: free cash flow over revenue in year 1, at most 1; `margin_end` is that of the last year.
        years: length, at least 2.

    Returns:
        two arrays [years]: revenue, free cash flow.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/valuation.
    """
    years = checks.count("years", years, at_least=2)
    for name, share in (("margin", margin), ("margin_end", margin_end)):
        if checks.finite(name, share) > 1:
            raise ValueError(f"{name} must be at most 1, found {share!r}; write 40 percent as 0.4.")
    steps = np.linspace(_rate("growth", growth), _rate("growth_end", growth_end), years - 1)
    sales = checks.positive("revenue", revenue) * np.concatenate([[1.0], np.cumprod(1 + steps)])
    return sales, sales * np.linspace(margin, margin_end, years)


def wacc(*, equity: float, debt: float, cost_of_equity: float, cost_of_debt: float, tax: float) -> float:
    """Return the weighted average cost of capital after tax.

    Args:
        equity, debt: market values; not both 0.
        cost_of_equity, cost_of_debt: expected returns per year.
        tax: tax rate, a share; interest lowers the tax.

    Raises:
        ValueError: a number is out of its range, or there is no capital.

    Derived in: book/outlook/valuation.
    """
    equity, debt = checks.not_negative("equity", equity), checks.not_negative("debt", debt)
    capital = checks.positive("equity + debt", equity + debt)
    after_tax = checks.not_negative("cost_of_debt", cost_of_debt) * (1 - checks.fraction("tax", tax))
    return (equity * checks.not_negative("cost_of_equity", cost_of_equity) + debt * after_tax) / capital


def target_rate(rate: float, success: float, years: float) -> float:
    """Return the rate at which the plan of a success must be discounted, when failure brings nothing.

    success · exit / (1 + rate)^years = exit / (1 + target)^years, solved for the target.

    Args:
        rate: cost of capital for expected cash flows, per year.
        success: chance that the plan comes true, above 0; otherwise nothing is left.
        years: years to the exit, above 0.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/valuation.
    """
    chance = checks.fraction("success", success, above_zero=True)
    return (1 + _rate("rate", rate)) * chance ** (-1 / checks.positive("years", years)) - 1


def moic(invested: float, returned: float) -> float:
    """Return the multiple on invested capital, returned over invested; time plays no part.

    Args:
        invested: money paid in, above 0.
        returned: money paid out.

    Raises:
        ValueError: nothing was invested, or a negative amount came back.

    Derived in: book/outlook/valuation.
    """
    return checks.not_negative("returned", returned) / checks.positive("invested", invested)


def irr(cash_flows: Sequence[float]) -> float:
    """Return the internal rate of return: the rate at which the cash flows of years 0, 1, … are worth nothing.

    Args:
        cash_flows: [num_years + 1] money at times 0, 1, …; first out (negative), then in, so that one rate exists.

    Raises:
        ValueError: the flows do not change their sign exactly once.

    Derived in: book/outlook/valuation.
    """
    flows = _flows(cash_flows)
    signs = np.sign(flows[flows != 0])
    changes = int((signs[1:] != signs[:-1]).sum())
    if changes != 1:
        raise ValueError(f"the cash flows must change their sign once, found {changes} changes in {flows.tolist()}; "
                         "otherwise no rate or several rates fit.")
    scale = np.abs(flows).max()

    def worth(power: float) -> float:
        return float((flows / scale) @ np.exp(-power * np.arange(len(flows))))

    edge = 1.0
    while worth(-edge) * worth(edge) > 0:
        edge *= 2
    return math.expm1(brentq(worth, -edge, edge, xtol=1e-14))


@dataclass(frozen=True)
class VentureMethod:
    """A round priced from its exit.

    Attributes:
        post_money, pre_money: price of the company with and without the new money.
        share: what the investor must own after the round.
        share_at_exit: what is left of it after the later rounds.
        founders: what all earlier owners together keep after the round and the option pool.
        effective_pre_money: what the earlier owners' shares are priced at, the pool counted as not yet given out.
    """

    post_money: float
    pre_money: float
    share: float
    share_at_exit: float
    founders: float
    effective_pre_money: float


def venture_method(
    exit_value: float,
    *,
    years: float,
    target_rate: float,
    investment: float,
    rounds: Sequence[float] = (),
    option_pool: float = 0.0,
) -> VentureMethod:
    """Return the price of a round from the exit value: post-money = exit × retention / (1 + target rate)^years.

    Args:
        exit_value: price of all shares at the exit if the plan comes true.
        years: years from the investment to the exit.
        target_rate: return per year that the investor asks of a success, such as 0.5.
        investment: money of this round.
        rounds: shares sold in the later rounds, which dilute this investor too.
        option_pool: share of the post-money company set aside for staff, taken from the earlier owners.

    Raises:
        ValueError: a number is out of its range, or the exit cannot repay the investment with nothing left over.

    Derived in: book/outlook/valuation.
    """
    retention = dilution(rounds)
    growth = (1 + _rate("target_rate", target_rate)) ** checks.positive("years", years)
    post = checks.positive("exit_value", exit_value) * retention / growth
    investment, pool = checks.positive("investment", investment), checks.fraction("option_pool", option_pool)
    share = investment / post if post > 0 else math.inf
    if share + pool > 1:
        raise ValueError(f"the investor would need {share:.0%} of the company and the pool {pool:.0%}, more than "
                         f"there is; ask for less than {investment:,.0f}, or show an exit above {exit_value:,.0f}.")
    founders = 1 - share - pool
    return VentureMethod(post, post - investment, share, share * retention, founders, founders * post)


def _rate(name: str, value: float) -> float:
    """Return a rate per year above -1."""
    rate = checks.finite(name, value)
    if rate <= -1:
        raise ValueError(f"{name} must be above -1, found {value!r}; write 40 percent as 0.4.")
    return rate


def _flows(cash_flows: Sequence[float]) -> np.ndarray:
    """Cash flows as an array of finite numbers."""
    flows = np.array([checks.finite("cash_flows", flow) for flow in cash_flows], dtype=np.float64)
    if not len(flows):
        raise ValueError("cash_flows must hold at least one year, found none; pass one number a year.")
    return flows
