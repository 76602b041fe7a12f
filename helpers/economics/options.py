"""Real options: the value of deciding later, by decision tree, binomial tree, closed form and simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from helpers.economics import checks


@dataclass(frozen=True)
class Staged:
    """A project paid for in stages.

    Attributes:
        value: value today when one may stop before each stage.
        committed: value today when all stages are paid for whatever happens.
        start: [num_stages] value at the beginning of each stage if the ones before succeeded.
        go: [num_stages] whether that stage is worth beginning.
    """

    value: float
    committed: float
    start: tuple[float, ...]
    go: tuple[bool, ...]


def staged_value(
    costs: Sequence[float],
    success: Sequence[float],
    payoff: float,
    *,
    rate: float,
    years: Sequence[float] | None = None,
) -> Staged:
    """Return the value of a project in stages, each of which may fail, with and without the right to stop.

    Backwards from the end: V_i = max(0, −cost_i + success_i V_{i+1} / (1 + rate)^years_i).

    Args:
        costs: [num_stages] money at the beginning of each stage.
        success: [num_stages] chance that the stage succeeds; after a failure nothing can be earned.
        payoff: value at the end of the last stage if all succeed.
        rate: discount rate per year for expected cash flows.
        years: [num_stages] length of each stage, default 1 year.

    Raises:
        ValueError: lengths differ, a negative cost, a chance outside 0 to 1, or a rate of -1 or less.

    Derived in: book/outlook/valuation.
    """
    lengths = [1.0] * len(costs) if years is None else [checks.not_negative("years", length) for length in years]
    if not costs or not len(costs) == len(success) == len(lengths):
        raise ValueError(f"each stage needs a cost, a chance and a length, found {len(costs)}, {len(success)} and "
                         f"{len(lengths)}; pass one of each for every stage.")
    value, factor = checks.finite("payoff", payoff), 1 + _rate(rate)
    starts, when, chance, committed = [], 0.0, 1.0, 0.0
    for cost, hit, length in zip(costs, success, lengths):
        committed -= checks.not_negative("costs", cost) * factor**-when
        when, chance = when + length, chance * checks.fraction("success", hit)
    committed += chance * value * factor**-when
    for cost, hit, length in reversed(list(zip(costs, success, lengths))):
        value = max(0.0, -cost + hit * value * factor**-length)
        starts.insert(0, value)
    return Staged(value, committed, tuple(starts), tuple(start > 0 for start in starts))


def black_scholes(value: float, cost: float, *, rate: float, volatility: float, years: float) -> float:
    """Return the value of the right, not the duty, to pay a cost at a later date and receive a project.

    Args:
        value: value of the project today.
        cost: what has to be paid at the later date; 0 gives the project itself.
        rate: riskless rate per year, continuously compounded.
        volatility: standard deviation of the logarithm of the project's value over one year.
        years: time until the decision.

    Raises:
        ValueError: a number is out of its range.

    Source: cox1979 (the limit of the binomial tree). Derived in: book/outlook/valuation.
    """
    value, cost = checks.not_negative("value", value), checks.not_negative("cost", cost)
    years, spread = checks.not_negative("years", years), checks.not_negative("volatility", volatility)
    paid, width = cost * math.exp(-checks.finite("rate", rate) * years), spread * math.sqrt(years)
    if width == 0 or value == 0 or cost == 0:
        return max(0.0, value - paid)
    distance = math.log(value / paid) / width + width / 2
    return float(value * ndtr(distance) - paid * ndtr(distance - width))


def binomial_option(value: float, cost: float, *, rate: float, up: float, down: float, periods: int = 1) -> float:
    """Return the same right on a binomial tree: q = (1 + rate − down) / (up − down), then backwards.

    Args:
        value: value of the project today.
        cost: what has to be paid at the end.
        rate: riskless rate per period, between down − 1 and up − 1.
        up, down: factors by which the value moves in a period.
        periods: number of periods.

    Raises:
        ValueError: a number is out of its range, or 1 + rate lies outside down to up.

    Source: cox1979. Derived in: book/outlook/valuation.
    """
    value, cost = checks.not_negative("value", value), checks.not_negative("cost", cost)
    up, down, factor = checks.positive("up", up), checks.not_negative("down", down), 1 + _rate(rate)
    if not down < factor < up:
        raise ValueError(f"1 + rate must lie between down and up, found {factor:g} with down {down:g} and up {up:g}; "
                         "otherwise one could earn without risk.")
    steps = checks.count("periods", periods)
    q = (factor - down) / (up - down)
    rises = np.arange(steps + 1)
    worth = np.maximum(0.0, value * up**rises * down ** (steps - rises) - cost)
    for _ in range(steps):
        worth = (q * worth[1:] + (1 - q) * worth[:-1]) / factor
    return float(worth[0])


@dataclass(frozen=True)
class Flexible:
    """A project with a decision after its pilot, simulated.

    Attributes:
        value: value today of the decision, before the pilot is paid for.
        error: standard error of `value`.
        committed: value today without a choice: going on whatever the pilot shows.
        chosen: shares of the paths, under the riskless drift, in which one stops, goes on, and expands.
    """

    value: float
    error: float
    committed: float
    chosen: dict[str, float]


def flexible_value(
    value: float,
    cost: float,
    *,
    rate: float,
    volatility: float,
    years: float,
    salvage: float = 0.0,
    expand_factor: float = 1.0,
    expand_cost: float = 0.0,
    num_paths: int = 100_000,
    seed: int = 0,
) -> Flexible:
    """Simulate a project whose value is seen at the end of a pilot: then stop, go on, or expand, whichever is best.

    At the decision, with the project worth V: stop = salvage, go on = V − cost,
    expand = expand_factor · V − cost − expand_cost.

    Args:
        value: value of the project today.
        cost: what going on costs at the decision.
        rate: riskless rate per year, continuously compounded; V is drawn with this drift.
        volatility: standard deviation of the logarithm of the project's value over one year.
        years: length of the pilot.
        salvage: what stopping brings.
        expand_factor, expand_cost: how much larger the project becomes, and for how much more.
        num_paths: simulated paths, half of them mirror images of the others.
        seed: seed of NumPy's generator; the global generator is not touched.

    Raises:
        ValueError: a number is out of its range.

    Source: cox1979. Derived in: book/outlook/valuation.
    """
    start, cost = checks.positive("value", value), checks.not_negative("cost", cost)
    years, spread = checks.positive("years", years), checks.not_negative("volatility", volatility)
    rate, salvage = checks.finite("rate", rate), checks.not_negative("salvage", salvage)
    factor, extra = checks.positive("expand_factor", expand_factor), checks.not_negative("expand_cost", expand_cost)
    half = np.random.default_rng(seed).standard_normal((checks.count("num_paths", num_paths, at_least=2) + 1) // 2)
    width = spread * math.sqrt(years)
    worth = start * np.exp((rate - spread**2 / 2) * years + width * np.stack([half, -half]))
    outcomes = np.stack([np.full_like(worth, salvage), worth - cost, factor * worth - cost - extra])
    today = math.exp(-rate * years)
    paths = today * outcomes.max(axis=0).mean(axis=0)  # one number for each pair of mirror images
    error = float(paths.std(ddof=1) / math.sqrt(len(paths))) if len(paths) > 1 else math.inf
    shares = np.bincount(outcomes.argmax(axis=0).ravel(), minlength=3) / worth.size
    return Flexible(float(paths.mean()), error, start - cost * today,
                    dict(zip(("stop", "go on", "expand"), map(float, shares))))


def _rate(value: float) -> float:
    """Return a rate above -1."""
    rate = checks.finite("rate", value)
    if rate <= -1:
        raise ValueError(f"rate must be above -1, found {value!r}; write 40 percent as 0.4.")
    return rate
