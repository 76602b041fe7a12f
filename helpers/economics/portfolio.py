"""Returns with a heavy tail, and what they do to a portfolio of investments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from helpers.economics import checks


@dataclass(frozen=True)
class Multiples:
    """Money back over money in of one investment: a loss spread evenly over 0 to 1, else a Pareto tail from 1 on.

    Args:
        loss_share: chance of getting back less than the money, below 1.
        alpha: tail index; the chance of more than m falls like m^−alpha. At 2 and below the variance is infinite,
            at 1 and below the mean as well, unless the tail is cut.
        cap: largest multiple possible, above 1; infinite by default.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/valuation.
    """

    loss_share: float
    alpha: float
    cap: float = math.inf

    def __post_init__(self) -> None:
        if checks.fraction("loss_share", self.loss_share) == 1:
            raise ValueError("loss_share must be below 1, found 1; with losses only there is no tail.")
        checks.positive("alpha", self.alpha)
        if not self.cap > 1:
            raise ValueError(f"cap must be above 1, found {self.cap!r}; it is the largest multiple.")

    @property
    def _kept(self) -> float:
        """Share of the whole Pareto tail that the cap leaves."""
        return 1 - self.cap**-self.alpha

    def chance_above(self, multiple: float) -> float:
        """Return the chance of a multiple above this one.

        Args:
            multiple: money back over money in, 0 or more.

        Raises:
            ValueError: the multiple is negative.
        """
        m = checks.not_negative("multiple", multiple)
        if m < 1:
            return 1 - self.loss_share * m
        if m >= self.cap:
            return 0.0
        return (1 - self.loss_share) * (m**-self.alpha - self.cap**-self.alpha) / self._kept

    def _proceeds_above(self, m: float) -> float:
        """Expected money back that comes from multiples above m ≥ 1, per unit invested."""
        a = self.alpha
        if self.cap == math.inf:
            return (1 - self.loss_share) * a * m ** (1 - a) / (a - 1) if a > 1 else math.inf
        if m >= self.cap:
            return 0.0
        whole = math.log(self.cap / m) if abs(a - 1) < 1e-9 else (self.cap ** (1 - a) - m ** (1 - a)) / (1 - a)
        return (1 - self.loss_share) * a * whole / self._kept

    @property
    def mean(self) -> float:
        """Expected multiple; infinite for alpha ≤ 1 without a cap."""
        return self.loss_share / 2 + self._proceeds_above(1.0)

    def proceeds_share(self, multiple: float) -> float:
        """Return the share of all expected proceeds that comes from multiples above this one.

        Args:
            multiple: money back over money in, at least 1.

        Raises:
            ValueError: the multiple is below 1, or the mean is infinite.
        """
        if checks.finite("multiple", multiple) < 1:
            raise ValueError(f"multiple must be at least 1, found {multiple!r}; shares are of the tail.")
        if self.mean == math.inf:
            raise ValueError(f"the mean is infinite at alpha {self.alpha:g}; set a cap, the largest multiple possible.")
        return self._proceeds_above(float(multiple)) / self.mean

    def quantile(self, chances: np.ndarray) -> np.ndarray:
        """Return the multiples below which these shares of investments lie.

        Args:
            chances: array of any shape, from 0 to below 1.

        Raises:
            ValueError: a chance lies outside 0 to below 1.
        """
        u = np.asarray(chances, dtype=np.float64)
        if u.size and not (u.min() >= 0 and u.max() < 1):
            raise ValueError(f"chances must lie from 0 to below 1, found {u.min():g} to {u.max():g}; write 95 percent "
                             "as 0.95.")
        rest = (u - self.loss_share) / (1 - self.loss_share)
        tail = (1 - np.clip(rest, 0, 1) * self._kept) ** (-1 / self.alpha)
        return np.where(u < self.loss_share, u / max(self.loss_share, 1e-300), tail)


def tail_index(low: float, chance_low: float, high: float, chance_high: float) -> float:
    """Return the Pareto index of a tail that passes through two published points.

    Args:
        low, high: multiples, 0 < low < high.
        chance_low, chance_high: share of investments above each, chance_low > chance_high > 0.

    Raises:
        ValueError: the points are not in that order.

    Derived in: book/outlook/valuation.
    """
    low, high = checks.positive("low", low), checks.positive("high", high)
    first = checks.fraction("chance_low", chance_low, above_zero=True)
    last = checks.fraction("chance_high", chance_high, above_zero=True)
    if low >= high or first <= last:
        raise ValueError(f"a tail falls: expected low < high and chance_low > chance_high, found {low:g} and {high:g} "
                         f"with chances {first:g} and {last:g}; swap the points.")
    return math.log(first / last) / math.log(high / low)


@dataclass(frozen=True)
class Portfolios:
    """Many simulated portfolios of equal investments.

    Attributes:
        multiple: [num_portfolios] money back over money in (gross MOIC), the mean over the investments.
        best_share: [num_portfolios] share of the money back that its best investment brought.
        seed: seed of the draws.
    """

    multiple: np.ndarray
    best_share: np.ndarray
    seed: int


def portfolios(
    multiples: Multiples, num_investments: int, *, num_portfolios: int = 10_000, seed: int = 0
) -> Portfolios:
    """Simulate portfolios of equal, independent investments.

    Args:
        multiples: distribution of one investment.
        num_investments: how many a portfolio holds.
        num_portfolios: how many portfolios are drawn.
        seed: seed of NumPy's generator; the global generator is not touched.

    Raises:
        ValueError: a count below 1.

    Derived in: book/outlook/valuation.
    """
    shape = checks.count("num_portfolios", num_portfolios), checks.count("num_investments", num_investments)
    drawn = multiples.quantile(np.random.default_rng(seed).random(shape))
    total = drawn.sum(axis=1)
    return Portfolios(total / num_investments, drawn.max(axis=1) / np.maximum(total, 1e-300), seed)


def investments_needed(chance: float, confidence: float = 0.95) -> int:
    """Return how many independent investments hold at least one hit with this confidence.

    Args:
        chance: chance of a hit in one investment, above 0.
        confidence: chance of at least one hit that is asked for, below 1.

    Raises:
        ValueError: a chance is out of its range.

    Derived in: book/outlook/valuation.
    """
    chance, sure = checks.fraction("chance", chance, above_zero=True), checks.fraction("confidence", confidence)
    if sure == 1:
        raise ValueError("confidence must be below 1, found 1; no number of investments is certain.")
    return 1 if chance == 1 else max(1, math.ceil(math.log1p(-sure) / math.log1p(-chance) - 1e-12))
