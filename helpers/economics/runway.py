"""How long the money lasts: burn, runway, dilution, unit economics, and cash under uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.economics import checks

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def net_burn(cash_out: float, cash_in: float) -> float:
    """Return cash out minus cash in per month; negative when the venture earns money.

    Args:
        cash_out: money paid per month.
        cash_in: money received per month.

    Raises:
        ValueError: a number is negative or not finite.

    Source: sacks2020. Derived in: book/outlook/capital.
    """
    return checks.not_negative("cash_out", cash_out) - checks.not_negative("cash_in", cash_in)


def runway_months(cash: float, burn: float) -> float:
    """Return the months until the cash is gone at a constant net burn; infinite when nothing is burnt.

    Args:
        cash: money in the bank.
        burn: net burn per month.

    Raises:
        ValueError: the cash is negative or a number is not finite.

    Derived in: book/outlook/capital.
    """
    cash, burn = checks.not_negative("cash", cash), checks.finite("burn", burn)
    return cash / burn if burn > 0 else math.inf


def burn_multiple(burn: float, new_revenue: float) -> float:
    """Return net burn over net new yearly revenue of the same period; about 1 is good, above 3 poor.

    Args:
        burn: net burn of the period.
        new_revenue: yearly recurring revenue gained in the period, above 0.

    Raises:
        ValueError: the new revenue is not above 0.

    Source: sacks2020. Derived in: book/outlook/capital.
    """
    return checks.finite("burn", burn) / checks.positive("new_revenue", new_revenue)


def lifetime_value(monthly_revenue: float, margin: float, churn: float) -> float:
    """Return the gross profit expected from one customer: margin × monthly revenue / monthly churn.

    Args:
        monthly_revenue: revenue per customer and month.
        margin: gross margin, at most 1.
        churn: share of customers lost per month, above 0.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/capital.
    """
    revenue = checks.not_negative("monthly_revenue", monthly_revenue)
    return revenue * _margin(margin) / checks.fraction("churn", churn, above_zero=True)


def lifetime_to_acquisition(lifetime: float, acquisition_cost: float) -> float:
    """Return lifetime value over the cost of winning one customer (LTV/CAC).

    Args:
        lifetime: value from `lifetime_value`.
        acquisition_cost: money spent to win one customer, above 0.

    Raises:
        ValueError: the cost is not above 0.

    Derived in: book/outlook/capital.
    """
    return checks.finite("lifetime", lifetime) / checks.positive("acquisition_cost", acquisition_cost)


def payback_months(acquisition_cost: float, monthly_revenue: float, margin: float) -> float:
    """Return the months until one customer's gross profit repays the cost of winning it.

    Args:
        acquisition_cost: money spent to win one customer.
        monthly_revenue: revenue per customer and month, above 0.
        margin: gross margin; at 0 or below the cost is never repaid.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/capital.
    """
    cost = checks.not_negative("acquisition_cost", acquisition_cost)
    profit = checks.positive("monthly_revenue", monthly_revenue) * _margin(margin)
    return cost / profit if profit > 0 else math.inf


def dilution(rounds: Sequence[float]) -> float:
    """Return the share that the first owners keep after selling these shares, one round after the other.

    Args:
        rounds: share sold in each round, such as [0.20, 0.18, 0.15], which leaves 0.5576.

    Raises:
        ValueError: a share lies outside 0 to 1.

    Source: carta2025. Derived in: book/outlook/capital.
    """
    return math.prod(1 - checks.fraction("rounds", sold) for sold in rounds)


def cash_paths(
    draws: np.ndarray,
    *,
    cash: float,
    monthly_revenue: float,
    fixed_costs: float,
    growth: float,
    churn: float,
    margin: float,
    cost_growth: float = 0.0,
    growth_spread: float = 0.0,
    churn_spread: float = 0.0,
    cost_spread: float = 0.0,
    months: int = 36,
) -> np.ndarray:
    """Return cash at the end of each month for every path; a pure function of its draws.

    A path draws its own growth g = growth + growth_spread·z₁, churn c = churn·exp(churn_spread·z₂) (at most 1) and
    fixed costs F = fixed_costs·exp(cost_spread·z₃), and keeps them. In each month cash += margin·revenue − F, then
    revenue *= max(0, 1 + g − c) and F *= 1 + cost_growth.

    Args:
        draws: [num_paths, 3] standard normal numbers z.
        cash: money at the start.
        monthly_revenue: revenue of the first month.
        fixed_costs: costs of the first month that do not depend on revenue.
        growth: new revenue per month as a share of revenue.
        churn: revenue lost per month as a share of revenue.
        margin: gross margin of revenue.
        cost_growth: growth of the fixed costs per month as a share.
        growth_spread: standard deviation of growth between paths.
        churn_spread, cost_spread: standard deviation of the logarithm of churn and of fixed costs between paths.
        months: length.

    Returns:
        [num_paths, months + 1] cash; column 0 is the start. Paths go on below 0, so that the gap can be read.

    Raises:
        ValueError: a number is out of its range, or draws have another shape.

    Derived in: book/outlook/capital.
    """
    draws = np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or draws.shape[1] != 3 or len(draws) == 0:
        raise ValueError(f"draws must have shape [num_paths, 3], found {list(draws.shape)}; "
                         "draw three normals a path.")
    months = checks.count("months", months)
    if checks.finite("cost_growth", cost_growth) < -1:
        raise ValueError(f"cost_growth must be at least -1, found {cost_growth!r}; -1 ends all fixed costs.")
    spread = checks.not_negative("growth_spread", growth_spread)
    rate = checks.finite("growth", growth) + spread * draws[:, 0]
    churn_spread = checks.not_negative("churn_spread", churn_spread)
    lost = np.minimum(1.0, checks.fraction("churn", churn) * np.exp(churn_spread * draws[:, 1]))
    cost_spread = checks.not_negative("cost_spread", cost_spread)
    costs = checks.not_negative("fixed_costs", fixed_costs) * np.exp(cost_spread * draws[:, 2])
    factor = np.maximum(0.0, 1 + rate - lost)
    month = np.arange(months)
    revenue = checks.not_negative("monthly_revenue", monthly_revenue) * factor[:, None] ** month
    flow = _margin(margin) * revenue - costs[:, None] * (1 + cost_growth) ** month
    start = np.full((len(draws), 1), checks.not_negative("cash", cash))
    return np.concatenate([start, start + np.cumsum(flow, axis=1)], axis=1)


@dataclass(frozen=True)
class Runway:
    """Cash of many possible ventures, month by month.

    Attributes:
        cash: [num_paths, months + 1] money at the end of each month.
        quantiles: [5, months + 1] the levels of `QUANTILES` (0.05, 0.25, 0.5, 0.75, 0.95) in each month.
        ruin_by_month: [months + 1] share of paths whose cash has been below 0 by then; never falls.
        seed: seed of the draws.
    """

    cash: np.ndarray
    quantiles: np.ndarray
    ruin_by_month: np.ndarray
    seed: int

    @property
    def months(self) -> int:
        """Number of months simulated."""
        return self.cash.shape[1] - 1

    def month_of_ruin(self, probability: float = 0.5) -> int | None:
        """Return the first month in which this share of paths has run out of cash, None when it never happens.

        Args:
            probability: share of paths, above 0 and at most 1.

        Raises:
            ValueError: the share is out of its range.
        """
        reached = self.ruin_by_month >= checks.fraction("probability", probability, above_zero=True)
        return int(np.argmax(reached)) if reached.any() else None

    def __str__(self) -> str:
        """Say the chance of ruin and the median cash in one line."""
        return (f"{self.ruin_by_month[-1]:.0%} of {len(self.cash):,} simulated paths run out of cash within "
                f"{self.months} months; median cash then {self.quantiles[2, -1]:,.0f}")


def runway(*, num_paths: int = 2000, seed: int = 0, **assumptions: float) -> Runway:
    """Simulate cash under uncertainty about growth, churn and costs.

    Args:
        num_paths: simulated ventures.
        seed: seed of NumPy's generator; the global generator is not touched.
        assumptions: the keyword arguments of `cash_paths`: cash, monthly_revenue, fixed_costs, growth, churn, margin,
            cost_growth, growth_spread, churn_spread, cost_spread, months.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/capital.
    """
    draws = np.random.default_rng(seed).standard_normal((checks.count("num_paths", num_paths), 3))
    cash = cash_paths(draws, **assumptions)
    quantiles = np.quantile(cash, QUANTILES, axis=0)
    return Runway(cash=cash, quantiles=quantiles, ruin_by_month=ruin_by_month(cash), seed=seed)


def ruin_by_month(cash: np.ndarray) -> np.ndarray:
    """Return the share of paths whose cash has been below 0 by each month.

    Args:
        cash: [num_paths, months + 1] money at the end of each month.

    Returns:
        [months + 1] shares, never falling.

    Raises:
        ValueError: `cash` is not a table of at least one path.
    """
    cash = np.asarray(cash, dtype=np.float64)
    if cash.ndim != 2 or cash.size == 0:
        raise ValueError(f"cash must have shape [num_paths, months + 1], found {list(cash.shape)}; "
                         "pass cash_paths(...).")
    return np.mean(np.minimum.accumulate(cash, axis=1) < 0, axis=0)


def _margin(margin: float) -> float:
    """Return a gross margin of at most 1; negative when each sale loses money."""
    margin = checks.finite("margin", margin)
    if margin > 1:
        raise ValueError(f"margin must be at most 1, found {margin!r}; write 40 percent as 0.4.")
    return margin
