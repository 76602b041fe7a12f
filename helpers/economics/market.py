"""Market size from the bottom up, every factor an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import ndtri

from helpers.economics import checks

Z90 = float(ndtri(0.95))  # half the width of a 90 % interval, in standard deviations


@dataclass(frozen=True)
class Estimate:
    """A lognormal quantity.

    Attributes:
        low, median, high: its 5 %, 50 % and 95 % quantiles; low to high is a 90 % interval.
        mean: its expected value, above the median.
    """

    low: float
    median: float
    high: float
    mean: float


@dataclass(frozen=True)
class Market:
    """A market in revenue a year, from the bottom up.

    Attributes:
        tam: total addressable market, everyone who could use such a product.
        sam: serviceable addressable market, the part that this product, in its language and channels, can serve.
        som: serviceable obtainable market, the part that the venture can win within its plan.
    """

    tam: Estimate
    sam: Estimate
    som: Estimate


def product_of_ranges(ranges: Mapping[str, tuple[float, float]], *, correlation: float = 0.0) -> Estimate:
    """Return the product of uncertain factors, each lognormal with its 90 % interval.

    Args:
        ranges: factor → (low, high), its 5 % and 95 % quantiles, above 0.
        correlation: between the logarithms of each two factors, from 0 to 1; above 0 when whoever is too hopeful about
            one factor is too hopeful about the others.

    Raises:
        ValueError: no factor, a bound not above 0, low above high, or a correlation outside 0 to 1.

    Derived in: book/outlook/valuation.
    """
    if not ranges:
        raise ValueError("ranges must hold at least one factor, found none; pass {'customers': (low, high), ...}.")
    centre, spreads = 0.0, []
    for name, (low, high) in ranges.items():
        low, high = checks.positive(f"the low end of {name}", low), checks.positive(f"the high end of {name}", high)
        if low > high:
            raise ValueError(f"{name} runs from {low:g} to {high:g}; pass the low end first.")
        centre += (math.log(low) + math.log(high)) / 2
        spreads.append(math.log(high / low) / (2 * Z90))
    rho = checks.fraction("correlation", correlation)
    single, together = sum(s**2 for s in spreads), sum(spreads) ** 2
    spread = math.sqrt((1 - rho) * single + rho * together)
    return Estimate(math.exp(centre - Z90 * spread), math.exp(centre), math.exp(centre + Z90 * spread),
                    math.exp(centre + spread**2 / 2))


def market_size(
    *,
    customers: tuple[float, float],
    revenue_per_customer: tuple[float, float],
    serviceable: tuple[float, float],
    obtainable: tuple[float, float],
    correlation: float = 0.0,
) -> Market:
    """Return a market from the bottom up: customers × yearly revenue each × share served × share won.

    Args:
        customers: 90 % interval of the number of customers who could use such a product.
        revenue_per_customer: 90 % interval of the yearly revenue per customer.
        serviceable: 90 % interval of the share of customers that the product can serve, at most 1.
        obtainable: 90 % interval of the share of those that the venture can win, at most 1.
        correlation: see `product_of_ranges`.

    Raises:
        ValueError: as `product_of_ranges`, or a share above 1.

    Derived in: book/outlook/valuation.
    """
    for name, share in (("serviceable", serviceable), ("obtainable", obtainable)):
        for end in share:
            checks.fraction(name, end, above_zero=True)
    factors = {"customers": customers, "revenue_per_customer": revenue_per_customer, "serviceable": serviceable,
               "obtainable": obtainable}
    names = list(factors)
    sizes = [product_of_ranges({name: factors[name] for name in names[:k]}, correlation=correlation) for k in (2, 3, 4)]
    return Market(*sizes)
