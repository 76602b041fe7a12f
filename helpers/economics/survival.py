"""A survival curve estimated from a few dozen ventures, with the interval that their number allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from helpers.economics import checks


@dataclass(frozen=True)
class SurvivalCurve:
    """A survival curve estimated from ages at closing, with its interval.

    Attributes:
        ages: ages at which something closed, rising, starting with 0.
        shares: estimated share still there from that age on.
        low, high: ends of the interval at each age.
    """

    ages: np.ndarray
    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def survival_curve(ages: Iterable[float], closed: Iterable[bool], level: float = 0.95) -> SurvivalCurve:
    """Estimate the share still there at each age; ventures that are still open count until their present age.

    The interval is Greenwood's (1926), on the scale of log(-log(share)), so that it stays between 0 and 1.

    Args:
        ages: age at closing, or today for those still open, [n].
        closed: whether the venture closed at that age, [n].
        level: probability of the interval, between 0 and 1.

    Raises:
        ValueError: lengths differ, nothing was passed, an age is negative, or the level is not between 0 and 1.

    Source: kaplan1958. Derived in: book/background/ventures.
    """
    times = np.array([checks.not_negative("age", age) for age in ages])
    events = np.array([bool(one) for one in closed])
    if times.size != events.size or times.size == 0:
        raise ValueError("a survival curve takes one mark, closed or open, for each of at least 1 age, "
                         f"found {times.size} ages and {events.size} marks; pass two lists of equal length.")
    if not 0 < checks.fraction("level", level) < 1:
        raise ValueError(f"level must lie between 0 and 1, found {level!r}; write 95 percent as 0.95.")
    moments = np.unique(times[events])
    at_risk = np.array([(times >= moment).sum() for moment in moments], dtype=float)
    deaths = np.array([(events & (times == moment)).sum() for moment in moments], dtype=float)
    shares = np.cumprod(1 - deaths / at_risk)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(deaths / (at_risk * (at_risk - deaths)))) / np.abs(np.log(shares))
        low, high = shares ** np.exp(z * error), shares ** np.exp(-z * error)
    if shares.size and shares[-1] <= 0:  # nobody is left: no error can be computed, the last upper end still holds
        low[-1], high[-1] = 0.0, high[-2] if shares.size > 1 else 1.0
    return SurvivalCurve(np.r_[0.0, moments], np.r_[1.0, shares], np.r_[1.0, low], np.r_[1.0, high])
