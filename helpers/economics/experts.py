"""Judgements of several experts: scored, combined and calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from helpers.economics import checks


@dataclass(frozen=True)
class BrierParts:
    """The Brier score in three parts; score = reliability − resolution + uncertainty.

    Attributes:
        score: mean squared distance of forecast and outcome.
        reliability: mean squared distance between each forecast and what then happened; 0 is calibrated.
        resolution: how far the groups' frequencies lie from the base rate; more is better.
        uncertainty: base rate × (1 − base rate), the score of always saying the base rate.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float


def brier(probabilities: Sequence[float], outcomes: Sequence[float]) -> float:
    """Return the Brier score in its binary form, the mean of (p − y)²; 0 is best, always saying ½ gives ¼.

    Args:
        probabilities: [num_cases] chances that were stated, 0 to 1.
        outcomes: [num_cases] what happened, 0 or 1.

    Raises:
        ValueError: a chance outside 0 to 1, an outcome that is neither 0 nor 1, or lengths that differ.

    Source: brier1950 (the original sums over both classes and is twice this). Derived in: book/outlook/valuation.
    """
    p, y = _cases(probabilities, outcomes)
    return float(np.mean((p - y) ** 2))


def brier_parts(probabilities: Sequence[float], outcomes: Sequence[float]) -> BrierParts:
    """Return reliability, resolution and uncertainty; cases are grouped by equal forecasts, so that the sum is exact.

    Args:
        probabilities: [num_cases] chances that were stated; round them first, say to tenths, so that groups arise.
        outcomes: [num_cases] what happened, 0 or 1.

    Raises:
        ValueError: as `brier`.

    Source: murphy1973. Derived in: book/outlook/valuation.
    """
    p, y = _cases(probabilities, outcomes)
    said, group, size = np.unique(p, return_inverse=True, return_counts=True)
    happened = np.bincount(group.ravel(), weights=y) / size
    base, share = y.mean(), size / len(y)
    return BrierParts(float(np.mean((p - y) ** 2)), float(share @ (said - happened) ** 2),
                      float(share @ (happened - base) ** 2), float(base * (1 - base)))


def linear_pool(probabilities: Sequence[Sequence[float]], weights: Sequence[float] | None = None) -> np.ndarray:
    """Return the weighted mean of the experts' chances.

    Args:
        probabilities: [num_experts, num_cases] or [num_experts] chances, 0 to 1.
        weights: [num_experts] shares that sum to 1; equal by default.

    Returns:
        [num_cases] chances, or one number's array.

    Raises:
        ValueError: a chance outside 0 to 1, or weights that do not sum to 1.

    Derived in: book/outlook/valuation.
    """
    table = _probabilities(probabilities)
    return np.tensordot(_weights(weights, len(table)), table, axes=1)


def log_pool(probabilities: Sequence[Sequence[float]], weights: Sequence[float] | None = None) -> np.ndarray:
    """Return the logarithmic pool: the weighted mean of the experts' log-odds, as a chance.

    Args:
        probabilities: [num_experts, num_cases] or [num_experts] chances above 0 and below 1.
        weights: [num_experts] shares that sum to 1; equal by default.

    Returns:
        [num_cases] chances, or one number's array.

    Raises:
        ValueError: a chance of 0 or 1 or outside, or weights that do not sum to 1.

    Derived in: book/outlook/valuation.
    """
    table = _inside(_probabilities(probabilities))
    return expit(np.tensordot(_weights(weights, len(table)), logit(table), axes=1))


@dataclass(frozen=True)
class Calibration:
    """A correction of stated chances: log-odds' = intercept + slope · log-odds.

    Attributes:
        intercept: shift; 0 when the mean is right.
        slope: below 1 pulls an overconfident forecaster back, above 1 sharpens a timid one.
    """

    intercept: float
    slope: float

    def __call__(self, probabilities: Sequence[float]) -> np.ndarray:
        """Correct chances above 0 and below 1."""
        return expit(self.intercept + self.slope * logit(_inside(_probabilities(probabilities))))


def calibrate(probabilities: Sequence[float], outcomes: Sequence[float]) -> Calibration:
    """Fit a correction of stated chances to past cases by maximum likelihood (logistic regression on the log-odds).

    Args:
        probabilities: [num_cases] chances above 0 and below 1.
        outcomes: [num_cases] what happened, 0 or 1.

    Raises:
        ValueError: as `brier`; or the cases do not settle the two numbers: one outcome only, one forecast only, or
            outcomes that the forecasts separate without overlap.

    Source: guo2017 (temperature scaling is the case of intercept 0). Derived in: book/outlook/valuation.
    """
    p, y = _cases(probabilities, outcomes)
    x = logit(_inside(p))
    above, below = x[y == 1], x[y == 0]
    if not len(above) or not len(below) or np.ptp(x) == 0 or above.min() >= below.max() or above.max() <= below.min():
        raise ValueError(f"{len(p)} cases with {int(y.sum())} hits do not settle a calibration: both outcomes must "
                         "occur and their forecasts must overlap; collect more cases.")
    centre, scale = x.mean(), x.std()
    design = np.stack([np.ones_like(x), (x - centre) / scale], axis=1)
    fitted = np.array([logit(y.mean()), 0.0])
    likelihood = _log_likelihood(design, y, fitted)
    for _ in range(100):
        chance = expit(design @ fitted)
        step = np.linalg.solve(design.T @ (design * (chance * (1 - chance))[:, None]), design.T @ (y - chance))
        while (trial := _log_likelihood(design, y, fitted + step)) < likelihood - 1e-12:
            step /= 2
        fitted, likelihood = fitted + step, trial
        if np.abs(step).max() < 1e-12:
            break
    slope = fitted[1] / scale
    return Calibration(float(fitted[0] - slope * centre), float(slope))


def _log_likelihood(design: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> float:
    """Log-likelihood of a logistic regression."""
    z = design @ fitted
    return float(y @ z - np.logaddexp(0, z).sum())


def _cases(probabilities: Sequence[float], outcomes: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Chances and outcomes of the same length."""
    p, y = _probabilities(probabilities), np.asarray(outcomes, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"each case needs one chance and one outcome, found shapes {list(p.shape)} and "
                         f"{list(y.shape)}; pass two lists of one length.")
    if strange := y[(y != 0) & (y != 1)].tolist():
        raise ValueError(f"outcomes must be 0 or 1, found {strange[0]!r}; write 1 when it happened.")
    return p, y


def _probabilities(values: Sequence[float]) -> np.ndarray:
    """Chances of any shape between 0 and 1."""
    p = np.asarray(values, dtype=np.float64)
    wrong = p[~((p >= 0) & (p <= 1))]
    if not p.size or wrong.size:
        found = f"found {wrong.flat[0]:g}" if wrong.size else "found none"
        raise ValueError(f"probabilities must lie between 0 and 1, {found}; write 40 percent as 0.4.")
    return p


def _inside(p: np.ndarray) -> np.ndarray:
    """Chances that are neither 0 nor 1."""
    certain = p[(p == 0) | (p == 1)]
    if certain.size:
        raise ValueError(f"log-odds need probabilities above 0 and below 1, found {certain.flat[0]:g}; a certainty "
                         "overrules everybody else, so write 0.01 or 0.99.")
    return p


def _weights(weights: Sequence[float] | None, num_experts: int) -> np.ndarray:
    """Weights that sum to 1; equal by default."""
    return np.full(num_experts, 1 / num_experts) if weights is None else checks.weights("weights", weights, num_experts)
