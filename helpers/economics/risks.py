"""Risks: a register with probability and impact, correlated risks, tornado charts, and what one more test is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from helpers.economics import checks


@dataclass(frozen=True)
class Risk:
    """One line of a risk register.

    Attributes:
        name: short name.
        probability: chance that it happens in the period.
        low, likely, high: loss in USD if it happens; the loss is drawn from a triangular distribution.

    Raises:
        ValueError: the probability lies outside 0 to 1, or the losses are negative, missing or not in order.
    """

    name: str
    probability: float
    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        checks.fraction(f"probability of risk {self.name!r}", self.probability)
        for kind in ("low", "likely", "high"):
            checks.not_negative(f"{kind} of risk {self.name!r}", getattr(self, kind))
        if not self.low <= self.likely <= self.high:
            raise ValueError(f"risk {self.name!r} needs low ≤ likely ≤ high, found {self.low:g}, {self.likely:g}, "
                             f"{self.high:g}; put the three losses in order.")

    @property
    def mean_impact(self) -> float:
        """Mean loss in USD if it happens."""
        return (self.low + self.likely + self.high) / 3

    @property
    def expected(self) -> float:
        """Expected loss in USD: probability × mean impact."""
        return self.probability * self.mean_impact

    @property
    def variance(self) -> float:
        """Variance of the loss, in USD²."""
        a, m, b = self.low, self.likely, self.high
        within = (a * a + m * m + b * b - a * m - a * b - m * b) / 18
        return self.probability * (within + self.mean_impact**2) - self.expected**2


def expected_loss(register: Sequence[Risk]) -> float:
    """Return the sum of the expected losses in USD; correlation does not change it.

    Args:
        register: the risks.

    Derived in: book/outlook/management.
    """
    return math.fsum(risk.expected for risk in register)


def independent_deviation(register: Sequence[Risk]) -> float:
    """Return the standard deviation of the total loss in USD if the risks are independent.

    Args:
        register: the risks.

    Derived in: book/outlook/management.
    """
    return math.sqrt(math.fsum(risk.variance for risk in register))


def simulate_losses(register: Sequence[Risk], *, num_draws: int = 100_000, seed: int = 0,
                    correlation: float | Sequence[Sequence[float]] = 0.0) -> np.ndarray:
    """Draw losses of all risks; whether they happen is linked by a Gaussian copula.

    Risk i happens where its standard normal number lies below the quantile of its probability; the numbers of
    different risks have the given correlation. Impacts are independent.

    Args:
        register: the risks.
        num_draws: number of simulated periods.
        seed: seed of NumPy's generator; the global generator is not touched.
        correlation: one number for all pairs, from 0 to 1, or a correlation matrix [num_risks, num_risks].

    Returns:
        [num_draws, num_risks] losses in USD.

    Raises:
        ValueError: no risk, or the correlation is no valid correlation.

    Derived in: book/outlook/management.
    """
    if not register:
        raise ValueError("a register needs at least one risk, found none; pass a list of Risk(...).")
    num, rng = len(register), np.random.default_rng(seed)
    draws = checks.count("num_draws", num_draws)
    normal = rng.standard_normal((draws, num))
    if np.ndim(correlation) == 0:
        common = checks.fraction("correlation", correlation)
        if common:
            shared = rng.standard_normal((draws, 1))
            normal = math.sqrt(common) * shared + math.sqrt(1 - common) * normal
    else:
        normal = normal @ _factor(np.asarray(correlation, dtype=np.float64), num).T
    losses = np.zeros((draws, num))
    for k, risk in enumerate(register):
        happens = normal[:, k] < special.ndtri(risk.probability)
        if risk.low == risk.high:
            losses[happens, k] = risk.low
        else:
            losses[happens, k] = rng.triangular(risk.low, risk.likely, risk.high, int(happens.sum()))
    return losses


def _factor(matrix: np.ndarray, num: int) -> np.ndarray:
    """Return F with F Fᵀ = matrix, or raise ValueError when it is no correlation matrix."""
    if matrix.shape != (num, num):
        raise ValueError(f"correlation must be a number or a matrix [{num}, {num}], found shape {list(matrix.shape)}; "
                         "give one row a risk.")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1):
        raise ValueError("a correlation matrix is symmetric with ones on its diagonal; check the numbers.")
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-9:
        raise ValueError(f"these correlations contradict each other (smallest eigenvalue {values[0]:.3g}, must not be "
                         "negative); weaken the strongest ones.")
    return vectors * np.sqrt(np.maximum(values, 0))


def tornado(outcome: Callable[..., float], ranges: Mapping[str, tuple[float, float, float]]
            ) -> list[tuple[str, float, float]]:
    """Turn one assumption at a time from low to high, the others at their middle; widest first.

    Args:
        outcome: function of the assumptions, by keyword.
        ranges: (low, middle, high) of each assumption.

    Returns:
        rows (name, outcome at low, outcome at high), sorted by the width of the swing.

    Raises:
        ValueError: nothing to turn, or a range that is not in order.

    Derived in: book/outlook/management.
    """
    if not ranges:
        raise ValueError("a tornado needs at least one range, found none; pass {name: (low, middle, high)}.")
    for name, values in ranges.items():
        if len(values) != 3 or not checks.finite(name, values[0]) <= checks.finite(name, values[1]) <= checks.finite(
                name, values[2]):
            raise ValueError(f"the range of {name} needs low ≤ middle ≤ high, found {tuple(values)}; "
                             "put them in order.")
    middle = {name: values[1] for name, values in ranges.items()}
    rows = [(name, *(float(outcome(**(middle | {name: values[k]}))) for k in (0, 2)))
            for name, values in ranges.items()]
    return sorted(rows, key=lambda row: -abs(row[2] - row[1]))


def value_of_test(mean: float, deviation: float, noise: float, num_tests: float = math.inf) -> float:
    """Return what a test is worth before deciding between an uncertain gain and nothing, in the unit of the gain.

    The gain is normal; a test measures it with normal noise, and one decides by the mean after the tests. With
    infinitely many tests this is the value of perfect information.

    Args:
        mean, deviation: what is believed about the gain now.
        noise: standard deviation of one measurement.
        num_tests: number of independent measurements.

    Raises:
        ValueError: a deviation or the number of tests is negative or missing.

    Source: howard1966. Derived in: book/outlook/management.
    """
    mean, deviation = checks.finite("mean", mean), checks.not_negative("deviation", deviation)
    noise = checks.not_negative("noise", noise)
    if num_tests != math.inf:
        num_tests = checks.not_negative("num_tests", num_tests)
    if deviation == 0 or num_tests == 0:
        return 0.0
    moved = deviation**2 / math.sqrt(deviation**2 + noise**2 / num_tests)   # spread of the mean after the tests
    z = abs(mean) / moved
    return moved * (math.exp(-z * z / 2) / math.sqrt(2 * math.pi) - z * float(special.ndtr(-z)))


def value_of_trial(successes: float, failures: float, num_trials: int, *, gain: float, cost: float) -> float:
    """Return what a trial with customers is worth before deciding whether to pay `cost` for `gain` × success rate.

    The success rate is believed to be Beta(successes, failures); the trial asks `num_trials` customers.

    Args:
        successes, failures: parameters of the belief, above 0; (1, 1) is uniform.
        num_trials: customers asked.
        gain: USD earned per unit of the success rate.
        cost: USD paid if one goes ahead.

    Raises:
        ValueError: a parameter is not above 0, or another number is negative.

    Source: howard1966. Derived in: book/outlook/management.
    """
    a, b = checks.positive("successes", successes), checks.positive("failures", failures)
    trials = checks.count("num_trials", num_trials, at_least=0)
    gain, cost = checks.not_negative("gain", gain), checks.not_negative("cost", cost)
    k = np.arange(trials + 1)
    chance = np.exp(special.gammaln(trials + 1) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
                    + special.betaln(a + k, b + trials - k) - special.betaln(a, b))
    informed = np.sum(chance * np.maximum(0.0, gain * (a + k) / (a + b + trials) - cost))
    return max(0.0, float(informed - max(0.0, gain * a / (a + b) - cost)))
