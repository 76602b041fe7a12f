"""A scorecard of weighted criteria, and how firmly its order stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from helpers.economics import checks

LEVEL = 1e-12  # totals closer than this count as equal


@dataclass(frozen=True)
class Turn:
    """The smallest change of weights that puts a rival level with the leader.

    Attributes:
        rival: row of the rival in the scores.
        shift: share of all weight that has to move to other criteria, half the sum of |change|; infinite when the
            leader stays ahead under every weighting.
        weights: [num_criteria] the weights at which the two are level, None when there are none.
    """

    rival: int
    shift: float
    weights: np.ndarray | None


def weighted_totals(scores: Sequence[Sequence[float]], weights: Sequence[float]) -> np.ndarray:
    """Return the weighted sum of the scores of each option.

    Args:
        scores: [num_options, num_criteria] points, more is better, all criteria on one scale.
        weights: [num_criteria] shares of 0 or more that sum to 1.

    Returns:
        [num_options] totals in points.

    Raises:
        ValueError: scores are no table of finite numbers, or weights are negative or do not sum to 1.

    Derived in: book/outlook/valuation.
    """
    table = _table(scores)
    return table @ checks.weights("weights", weights, table.shape[1])


def leader(scores: Sequence[Sequence[float]], weights: Sequence[float]) -> int:
    """Return the row with the highest total; the first one when several are level.

    Args:
        scores: [num_options, num_criteria] points.
        weights: [num_criteria] shares that sum to 1.

    Raises:
        ValueError: as `weighted_totals`.
    """
    return int(_leaders(weighted_totals(scores, weights)[None])[0])


def smallest_turns(scores: Sequence[Sequence[float]], weights: Sequence[float]) -> list[Turn]:
    """Return, for each rival, the smallest shift of weight that puts it level with the leader; nearest rival first.

    Weight goes to the criterion in which the rival gains most on the leader, and comes from the criteria in which the
    leader is furthest ahead: a fractional knapsack, so that taking the best exchange first is exact.

    Args:
        scores: [num_options, num_criteria] points.
        weights: [num_criteria] shares that sum to 1.

    Raises:
        ValueError: as `weighted_totals`.

    Derived in: book/outlook/valuation.
    """
    table = _table(scores)
    shares = checks.weights("weights", weights, table.shape[1])
    first = leader(table, shares)
    found = [_turn(table[first] - table[rival], shares, rival) for rival in range(len(table)) if rival != first]
    return sorted(found, key=lambda turn: turn.shift)


def _turn(ahead: np.ndarray, weights: np.ndarray, rival: int) -> Turn:
    """Move weight until the leader's advantage, ahead · weights, is gone."""
    receiver, gap = int(np.argmin(ahead)), float(ahead @ weights)
    if ahead[receiver] > 0:
        return Turn(rival, math.inf, None)
    moved, shift = weights.copy(), 0.0
    for donor in np.argsort(-ahead, kind="stable"):
        gain = ahead[donor] - ahead[receiver]
        if gap <= LEVEL or gain <= 0:
            break
        taken = min(moved[donor], gap / gain)
        moved[donor] -= taken
        moved[receiver] += taken
        shift, gap = shift + taken, gap - taken * gain
    return Turn(rival, float(shift), moved)


def weight_bounds(scores: Sequence[Sequence[float]], weights: Sequence[float]) -> np.ndarray:
    """Return the range of each single weight in which the leader stays, the other weights kept in proportion.

    Args:
        scores: [num_options, num_criteria] points.
        weights: [num_criteria] shares that sum to 1.

    Returns:
        [num_criteria, 2] lowest and highest value of each weight.

    Raises:
        ValueError: as `weighted_totals`.

    Derived in: book/outlook/valuation.
    """
    table = _table(scores)
    shares = checks.weights("weights", weights, table.shape[1])
    first, bounds = leader(table, shares), np.tile([0.0, 1.0], (len(shares), 1))
    for k in range(len(shares)):
        others = _others(shares, k)
        for ahead in np.delete(table[first] - table, first, axis=0):
            at_none, at_all = float(ahead @ others), float(ahead[k])
            if at_none < 0:
                bounds[k, 0] = max(bounds[k, 0], at_none / (at_none - at_all))
            if at_all < 0:
                bounds[k, 1] = min(bounds[k, 1], at_none / (at_none - at_all))
    return bounds


def _others(weights: np.ndarray, k: int) -> np.ndarray:
    """The other weights in proportion, summing to 1; equal parts when they are all zero."""
    others = weights.copy()
    others[k] = 0.0
    if others.sum() < LEVEL:
        others[:] = 1.0
        others[k] = 0.0
    return others / others.sum()


def spread_weights(num_criteria: int, num_points: int = 2000) -> np.ndarray:
    """Return weightings spread evenly over all weightings, the same ones in every run.

    Point k of the additive sequence frac(½ + k α_d) with α_d = φ^−d and φ^D = φ + 1, D the number of criteria; its
    sorted coordinates cut a stick of length 1 into the weights.

    Args:
        num_criteria: length of a weighting, at least 2.
        num_points: how many weightings.

    Returns:
        [num_points, num_criteria] weights that sum to 1.

    Raises:
        ValueError: fewer than 2 criteria or less than one point.
    """
    num_criteria = checks.count("num_criteria", num_criteria, at_least=2)
    num_points = checks.count("num_points", num_points)
    root = 1.5
    for _ in range(60):
        root = (1 + root) ** (1 / num_criteria)
    steps = root ** -np.arange(1.0, num_criteria)
    cuts = np.sort((0.5 + np.arange(1.0, num_points + 1)[:, None] * steps) % 1.0, axis=1)
    return np.diff(cuts, axis=1, prepend=0.0, append=1.0)


def leading_shares(scores: Sequence[Sequence[float]], num_points: int = 2000) -> np.ndarray:
    """Return the share of all possible weightings under which each option leads.

    Args:
        scores: [num_options, num_criteria] points.
        num_points: weightings that are tried, see `spread_weights`.

    Returns:
        [num_options] shares that sum to 1.

    Raises:
        ValueError: as `weighted_totals`.

    Derived in: book/outlook/valuation.
    """
    table = _table(scores)
    found = _leaders(spread_weights(table.shape[1], num_points) @ table.T)
    return np.bincount(found, minlength=len(table)) / len(found)


def overtaking_chances(scores: Sequence[Sequence[float]], weights: Sequence[float], spread: float) -> np.ndarray:
    """Return for each option the chance that its true total exceeds the leader's, when every score is unsure.

    Each score carries an independent normal error with standard deviation `spread`; the difference of two totals then
    has the standard deviation spread · √2 · ‖weights‖. Nothing else is known about the options (a flat prior).

    Args:
        scores: [num_options, num_criteria] points.
        weights: [num_criteria] shares that sum to 1.
        spread: standard deviation of one score, in points.

    Returns:
        [num_options] chances; 0 for the leader itself.

    Raises:
        ValueError: as `weighted_totals`, or a negative spread.

    Derived in: book/outlook/valuation.
    """
    totals, first = weighted_totals(scores, weights), leader(scores, weights)
    error = checks.not_negative("spread", spread) * math.sqrt(2) * float(np.linalg.norm(weights))
    gaps = totals[first] - totals
    chances = ndtr(-gaps / error) if error > 0 else np.where(gaps > LEVEL, 0.0, 0.5)
    chances[first] = 0.0
    return chances


def _leaders(totals: np.ndarray) -> np.ndarray:
    """First column of each row that no other exceeds."""
    return np.argmax(totals >= totals.max(axis=1, keepdims=True) - LEVEL, axis=1)


def _table(scores: Sequence[Sequence[float]]) -> np.ndarray:
    """Scores as an array [num_options, num_criteria] of finite numbers."""
    try:
        table = np.array(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("scores must be a table of numbers with rows of one length; give each option a score for "
                         "each criterion.") from None
    if table.ndim != 2 or len(table) < 2 or table.shape[1] < 2:
        raise ValueError(f"scores must have shape [num_options, num_criteria], at least 2 of each, found "
                         f"{list(table.shape)}; pass one row an option.")
    if not np.isfinite(table).all():
        option, criterion = np.argwhere(~np.isfinite(table))[0]
        raise ValueError(f"scores must be finite, found {table[option, criterion]} for option {option}, criterion "
                         f"{criterion}; give every option a score.")
    return table
