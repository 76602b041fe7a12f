"""The scorecard's stability against a linear programme, brute force and areas."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import ndtr

from helpers import economics as e

SCORES = [[6, 8, 5, 7], [9, 6, 3, 6], [8, 5, 8, 4]]
WEIGHTS = [0.3, 0.2, 0.2, 0.3]


def least_shift(ahead, weights):
    """Half the smallest sum of |change| that takes the leader's advantage away, as a linear programme."""
    k = len(weights)  # variables: new weights [k], sizes of the changes [k]
    eye = np.eye(k)
    bounds = np.block([[eye, -eye], [-eye, -eye]]), np.concatenate([weights, -np.asarray(weights)])
    upper = np.vstack([bounds[0], np.concatenate([ahead, np.zeros(k)])])
    found = linprog(np.concatenate([np.zeros(k), np.full(k, 0.5)]), A_ub=upper, b_ub=np.append(bounds[1], 0),
                    A_eq=[[1] * k + [0] * k], b_eq=[1])
    return found.fun if found.status == 0 else math.inf


def test_totals_and_leader():
    assert e.weighted_totals(SCORES, WEIGHTS) == pytest.approx([6.5, 6.3, 6.2])
    assert e.leader(SCORES, WEIGHTS) == 0
    assert e.leader([[1, 2], [2, 1]], [0.5, 0.5]) == 0  # level: the first


def test_smallest_turn_by_hand():
    """Ahead by (-3, 2, 2, 1): a point moved from the second to the first criterion is worth 5, and 0.2 is missing."""
    near, far = e.smallest_turns(SCORES, WEIGHTS)
    assert (near.rival, far.rival) == (1, 2)
    assert near.shift == pytest.approx(0.04) and near.weights == pytest.approx([0.34, 0.16, 0.2, 0.3])
    assert far.shift == pytest.approx(0.05)
    totals = e.weighted_totals(SCORES, near.weights)
    assert totals[0] == pytest.approx(totals[1])


def test_smallest_turn_against_the_linear_programme():
    rng = np.random.default_rng(0)
    never = 0
    for _ in range(150):
        k = rng.integers(2, 7)
        scores, weights = rng.integers(0, 11, (3, k)), rng.dirichlet(np.ones(k))
        first = e.leader(scores, weights)
        for turn in e.smallest_turns(scores, weights):
            expected = least_shift(scores[first] - scores[turn.rival], weights)
            assert turn.shift == pytest.approx(expected, abs=1e-7), (scores, weights)
            if turn.weights is None:
                never += 1
                assert (scores[first] > scores[turn.rival]).all()
            else:
                assert turn.weights.sum() == pytest.approx(1) and turn.weights.min() >= 0
                assert np.abs(turn.weights - weights).sum() / 2 == pytest.approx(turn.shift)
                totals = e.weighted_totals(scores, turn.weights / turn.weights.sum())
                assert totals[turn.rival] == pytest.approx(totals[first], abs=1e-8)
    assert never > 5


def test_no_grid_point_turns_the_order_with_less():
    table, weights = np.array(SCORES), np.array(WEIGHTS)
    parts = [part for part in itertools.product(range(51), repeat=3) if sum(part) <= 50]
    grid = np.array([[*part, 50 - sum(part)] for part in parts]) / 50
    shifts = np.abs(grid - weights).sum(axis=1) / 2
    turned = (table[1:] @ grid.T).max(axis=0) > table[0] @ grid.T + 1e-9
    best = e.smallest_turns(SCORES, WEIGHTS)[0].shift
    assert best - 1e-12 <= shifts[turned].min() <= best + 0.021  # one step of the grid further


def test_bounds_of_a_single_weight_against_a_walk():
    bounds = e.weight_bounds(SCORES, WEIGHTS)
    assert (bounds[:, 0] <= WEIGHTS).all() and (bounds[:, 1] >= WEIGHTS).all()
    for k in range(4):
        others = np.array(WEIGHTS)
        others[k] = 0
        others /= others.sum()
        for share in np.linspace(0, 1, 401):
            weights = (1 - share) * others
            weights[k] += share
            inside = bounds[k, 0] + 1e-9 < share < bounds[k, 1] - 1e-9
            outside = share < bounds[k, 0] - 1e-9 or share > bounds[k, 1] + 1e-9
            if inside or outside:
                assert (e.leader(SCORES, weights) == 0) == inside, (k, share)


def test_bounds_when_one_weight_holds_everything():
    assert e.weight_bounds([[5, 0], [0, 5]], [1.0, 0.0]) == pytest.approx(np.array([[0.5, 1], [0, 0.5]]))


def test_even_weightings_are_weightings_and_even():
    points = e.spread_weights(4, 4000)
    assert points.shape == (4000, 4) and points.min() >= 0 and points.sum(axis=1) == pytest.approx(1)
    assert points.mean(axis=0) == pytest.approx(0.25, abs=2e-3)
    assert (points**2).mean(axis=0) == pytest.approx(2 / (4 * 5), abs=3e-3)  # Dirichlet(1, 1, 1, 1)
    assert np.array_equal(points[:10], e.spread_weights(4, 10))


def test_leading_shares_against_areas():
    assert e.leading_shares([[3, 0], [0, 1]]) == pytest.approx([0.75, 0.25], abs=1e-3)  # ahead when 3 w > 1 − w
    thirds = e.leading_shares(np.eye(3))  # each leads where its weight is largest
    assert thirds == pytest.approx([1 / 3] * 3, abs=0.01)
    corner = e.leading_shares([[1, 1, 1], [4, 0, 0]], 20_000)  # a corner triangle of side 3/4
    assert corner == pytest.approx([1 - 0.75**2, 0.75**2], abs=2e-3)
    assert e.leading_shares([[2, 2], [1, 2]]) == pytest.approx([1, 0])


def test_overtaking_against_simulation():
    chances = e.overtaking_chances(SCORES, WEIGHTS, 1.0)
    noise = np.random.default_rng(0).normal(size=(200_000, 3, 4)) + np.array(SCORES)
    totals = noise @ np.array(WEIGHTS)
    expected = [(totals[:, k] > totals[:, 0]).mean() for k in range(3)]
    assert chances == pytest.approx(expected, abs=0.005)
    assert chances[1] == pytest.approx(ndtr(-0.2 / math.sqrt(2 * 0.26)))
    assert e.overtaking_chances(SCORES, WEIGHTS, 0) == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("call, message", [
    (lambda: e.weighted_totals(SCORES, [0.5, 0.3, 0.2, 0.2]), "weights must sum to 1, found a sum of 1.2; divide each"),
    (lambda: e.weighted_totals(SCORES, [1.2, -0.2, 0, 0]), "weights must be 0 or more, found -0.2"),
    (lambda: e.leader(SCORES, [0.5, 0.5]), "weights must hold 4 numbers, found 2; pass one for each"),
    (lambda: e.leader([[1, 2], [3]], [0.5, 0.5]), "scores must be a table of numbers with rows of one length"),
    (lambda: e.leader([[1, 2]], [0.5, 0.5]), r"found \[1, 2\]; pass one row an option"),
    (lambda: e.leading_shares([[1, 2], [3, math.nan]]), "scores must be finite, found nan for option 1, criterion 1"),
    (lambda: e.overtaking_chances(SCORES, WEIGHTS, -1), "spread must be 0 or more, found -1"),
    (lambda: e.spread_weights(1), "num_criteria must be a whole number of at least 2, found 1"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
