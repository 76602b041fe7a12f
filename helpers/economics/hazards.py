"""Competing risks: several causes of death, each with its hazard, and one survival curve that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.economics import checks
from helpers.economics.survival import survival_curve

CAUSES = ("technology", "demand", "team", "capital", "law", "operations", "competition")


@dataclass(frozen=True, eq=False)
class Hazards:
    """Cause-specific hazards that are constant within pieces of age; the last piece has no end.

    Args:
        names: causes, each once.
        rates: deaths per living venture and month, [num_causes] or [num_causes, num_pieces].
        starts: age in months at which each piece starts, [num_pieces]; the first is 0.

    Raises:
        ValueError: a hazard is negative, the ages do not increase from 0, or the shapes do not fit.

    Source: putter2007. Derived in: book/outlook/seven_causes.
    """

    names: tuple[str, ...]
    rates: np.ndarray | Sequence[float] | Sequence[Sequence[float]]
    starts: np.ndarray | Sequence[float] = (0.0,)

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if not names or len(set(names)) < len(names):
            raise ValueError(f"names must hold each cause once, found {list(names)}; give at least one.")
        starts = _increasing("starts", self.starts)
        if starts[0] != 0:
            raise ValueError(f"starts must begin at age 0, found {starts.tolist()}; add 0 in front.")
        rates = np.array(self.rates, dtype=np.float64)
        rates = rates[:, None] if rates.ndim == 1 and len(starts) == 1 else rates
        if rates.shape != (len(names), len(starts)):
            raise ValueError(f"rates must have shape [{len(names)}, {len(starts)}] for {len(names)} causes and "
                             f"{len(starts)} pieces, found {list(rates.shape)}; give one row a cause.")
        for name, row in zip(names, rates, strict=True):
            for rate in row:
                checks.not_negative(f"the hazard of {name}", float(rate))
        for field, value in (("names", names), ("rates", rates), ("starts", starts)):
            object.__setattr__(self, field, value)

    @classmethod
    def from_probabilities(cls, probabilities: Mapping[str, float], months: float) -> Hazards:
        """Constant hazards under which each cause, if it were alone, would kill with this probability.

        Args:
            probabilities: cause and the chance that it ends the venture within the months if no other cause did.
            months: length of time that the chances refer to.

        Raises:
            ValueError: a probability lies outside 0 to 1, or is 1.

        Derived in: book/outlook/seven_causes.
        """
        return cls(tuple(probabilities), [rate_of(p, months, name) for name, p in probabilities.items()])

    @property
    def total(self) -> np.ndarray:
        """Sum of the hazards in each piece, [num_pieces], per month."""
        return self.rates.sum(axis=0)

    def survival(self, months: float | Sequence[float]) -> float | np.ndarray:
        """Return the share that no cause has ended by these ages, like `months`.

        Args:
            months: one age or [num_ages], 0 or more.

        Raises:
            ValueError: an age is negative.
        """
        spent = self._spent(months)
        alive = np.exp(-spent @ self.total)
        return float(alive) if alive.ndim == 0 else alive

    def cumulative_incidence(self, months: float | Sequence[float]) -> np.ndarray:
        """Return the share that each cause has ended by these ages, [num_causes] or [num_causes, num_ages].

        The integral of hazard times survival, in closed form piece by piece. Over all causes it sums to 1 − survival.

        Args:
            months: one age or [num_ages], 0 or more.

        Raises:
            ValueError: an age is negative.

        Source: aalen1978. Derived in: book/outlook/seven_causes.
        """
        spent, total = self._spent(months), self.total
        ends = total * spent  # hazard used up within each piece
        reached = np.atleast_1d(self.survival(self.starts))
        share = np.divide(self.rates, total, out=np.zeros_like(self.rates), where=total > 0)
        deaths = reached * -np.expm1(-ends)
        return np.moveaxis(deaths @ share.T, -1, 0)

    def shares(self, months: float) -> np.ndarray:
        """Return, of the ventures that have ended by this age, the share of each cause, [num_causes].

        Args:
            months: age, above 0.

        Raises:
            ValueError: nothing has ended by then.
        """
        ended = self.cumulative_incidence(checks.positive("months", months))
        if ended.sum() == 0:
            raise ValueError(f"shares need a cause that has ended something by month {months}; all hazards are 0.")
        return ended / ended.sum()

    def likeliest(self, months: float) -> str:
        """Return the cause with the largest share by this age.

        Args:
            months: age, above 0.

        Raises:
            ValueError: nothing has ended by then.
        """
        return self.names[int(np.argmax(self.shares(months)))]

    def alone(self, name: str, months: float | Sequence[float]) -> float | np.ndarray:
        """Return the share that one cause would end by these ages if it were the only one: 1 − exp(−its hazard).

        It rests on the assumption, which data of this kind cannot test, that the causes are independent.

        Args:
            name: one of the causes.
            months: one age or [num_ages], 0 or more.

        Raises:
            ValueError: the cause is unknown or an age is negative.
        """
        ended = -np.expm1(-self._spent(months) @ self.rates[self._place(name)])
        return float(ended) if ended.ndim == 0 else ended

    def scaled(self, factors: Mapping[str, float]) -> Hazards:
        """Return these hazards with some causes multiplied, such as {"demand": 0.5}.

        Args:
            factors: cause and factor, 0 or more.

        Raises:
            ValueError: a cause is unknown or a factor is negative.
        """
        rates = self.rates.copy()
        for name, factor in factors.items():
            rates[self._place(name)] *= checks.not_negative(f"the factor of {name}", factor)
        return Hazards(self.names, rates, self.starts)

    def without(self, *names: str) -> Hazards:
        """Return these hazards with some causes removed; independence of the causes is assumed.

        Args:
            names: causes to remove.

        Raises:
            ValueError: a cause is unknown.
        """
        return self.scaled(dict.fromkeys(names, 0.0))

    def sample(self, num_ventures: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw lifetimes: age at death in months and number of the cause, both [num_ventures].

        Args:
            num_ventures: how many.
            seed: seed of NumPy's generator; the global generator is not touched.

        Returns:
            Ages (infinite where nothing ever ends a venture) and causes (−1 there).

        Raises:
            ValueError: the number is below 1.
        """
        rng, total = np.random.default_rng(seed), self.total
        used = rng.exponential(size=checks.count("num_ventures", num_ventures))  # hazard used up at death
        bounds = np.concatenate([[0.0], np.cumsum(total[:-1] * np.diff(self.starts))])
        piece = np.searchsorted(bounds, used, side="right") - 1
        with np.errstate(divide="ignore"):
            ages = self.starts[piece] + (used - bounds[piece]) / total[piece]
        steps = np.cumsum(self.rates, axis=0)[:, piece]
        causes = (rng.random(len(used)) * total[piece] >= steps).sum(axis=0)
        return ages, np.where(np.isfinite(ages), causes, -1)

    def _place(self, name: str) -> int:
        return self.names.index(checks.one_of("cause", name, self.names))

    def _spent(self, months: float | Sequence[float]) -> np.ndarray:
        """Months spent in each piece by an age, [..., num_pieces]."""
        ages = np.asarray(months, dtype=np.float64)
        if ages.size and not (ages >= 0).all():
            raise ValueError(f"months must be 0 or more, found {float(np.min(ages))!r}; an age starts at 0.")
        widths = np.append(np.diff(self.starts), np.inf)
        return np.clip(ages[..., None] - self.starts, 0, widths)


def rate_of(probability: float, months: float, name: str = "this cause") -> float:
    """Return the constant hazard per month that kills with this probability within the months.

    Args:
        probability: from 0 to below 1.
        months: above 0.
        name: cause, for the message.

    Raises:
        ValueError: the probability lies outside 0 to 1, or is 1, which no finite hazard reaches.

    Derived in: book/outlook/seven_causes.
    """
    chance = checks.fraction(f"the probability of {name}", probability)
    if chance == 1:
        raise ValueError(f"the probability of {name} must be below 1, found {probability!r}; "
                         "certain death needs an infinite hazard, so write 0.99 or less.")
    return -math.log1p(-chance) / checks.positive("months", months)


def fit_survival(months: Sequence[float], surviving: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return piecewise constant hazards that pass exactly through a survival table.

    Args:
        months: ages of the table, above 0 and increasing, [num_ages].
        surviving: share that is alive at each age, never rising, above 0 and at most 1, [num_ages].

    Returns:
        starts [num_ages] of the pieces in months, and their hazards [num_ages] per month.

    Raises:
        ValueError: the ages do not increase, a share lies outside 0 to 1, or survival rises with age.

    Derived in: book/outlook/seven_causes.
    """
    ages = _increasing("months", months)
    checks.positive("the first age", float(ages[0]))
    shares = [checks.fraction("a surviving share", value, above_zero=True) for value in surviving]
    if len(shares) != len(ages):
        raise ValueError(f"surviving must hold one share for each of {len(ages)} ages, found {len(shares)}; add or "
                         "leave out ages.")
    for age, before, after in zip(ages, [1.0, *shares], shares, strict=False):
        if after > before:
            raise ValueError(f"survival cannot rise with age, found {after!r} after {before!r} at month {age:g}; "
                             "check the order of the table.")
    starts = np.concatenate([[0.0], ages[:-1]])
    return starts, -np.diff(np.log([1.0, *shares])) / np.diff([0.0, *ages])


def kaplan_meier(months: Sequence[float], ended: Sequence[bool], at: Sequence[float]) -> np.ndarray:
    """Return the Kaplan–Meier estimate of survival from lifetimes, some of them still running.

    Args:
        months: age at the end or at the last look, [num_ventures].
        ended: whether it ended then; False for those still running, [num_ventures].
        at: ages at which the estimate is wanted, [num_ages].

    Raises:
        ValueError: an age is negative or the lengths differ.

    Source: kaplan1958. Derived in: book/outlook/seven_causes.
    """
    curve = survival_curve(months, ended)
    return curve.shares[np.searchsorted(curve.ages, np.asarray(at, dtype=np.float64), side="right") - 1]


def aalen_johansen(months: Sequence[float], causes: Sequence[int], num_causes: int,
                   at: Sequence[float]) -> np.ndarray:
    """Return the Aalen–Johansen estimate of cumulative incidence, [num_causes, num_ages].

    Each death of the cause adds the share still alive just before, divided by the ventures at risk.

    Args:
        months: age at death or at the last look, [num_ventures].
        causes: number of the cause from 0; −1 for a venture that is still running, [num_ventures].
        num_causes: how many causes there are.
        at: ages at which the estimate is wanted, [num_ages].

    Raises:
        ValueError: an age is negative, the lengths differ or a cause is out of range.

    Source: aalen1978. Derived in: book/outlook/seven_causes.
    """
    months, causes = np.asarray(months, dtype=np.float64), np.asarray(causes)
    if months.ndim != 1 or months.shape != causes.shape or len(months) == 0:
        raise ValueError(f"months and causes must be two lists of one length, found {list(months.shape)} and "
                         f"{list(causes.shape)}; give one of each for every venture.")
    checks.not_negative("the smallest age", float(months.min()))
    if causes.min() < -1 or causes.max() >= num_causes:
        wrong = causes[(causes < -1) | (causes >= num_causes)][0]
        raise ValueError(f"causes must lie between -1 (still running) and {num_causes - 1}, found {wrong}; "
                         "number them from 0.")
    ages, place = np.unique(months, return_inverse=True)
    deaths = np.zeros((num_causes, len(ages)))
    np.add.at(deaths, (causes[causes >= 0], place[causes >= 0]), 1)
    leaving = np.bincount(place, minlength=len(ages))
    at_risk = len(months) - np.concatenate([[0], np.cumsum(leaving)[:-1]])
    alive = np.cumprod(1 - deaths.sum(axis=0) / at_risk)
    before = np.concatenate([[1.0], alive[:-1]])
    incidence = np.concatenate([np.zeros((num_causes, 1)), np.cumsum(before * deaths / at_risk, axis=1)], axis=1)
    return incidence[:, np.searchsorted(ages, np.asarray(at, dtype=np.float64), side="right")]


def _increasing(name: str, values: Sequence[float]) -> np.ndarray:
    """Return ages as an array, or raise when they do not increase."""
    ages = np.atleast_1d(np.array(values, dtype=np.float64))
    if ages.ndim != 1 or len(ages) == 0 or not np.isfinite(ages).all() or not (np.diff(ages) > 0).all():
        raise ValueError(f"{name} must be ages that increase, found {ages.tolist()}; sort them and give each once.")
    return ages
