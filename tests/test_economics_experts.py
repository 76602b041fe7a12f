"""Scores, pools and calibration of forecasts against scikit-learn and exact identities."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from helpers import economics as e


@pytest.fixture
def cases():
    rng = np.random.default_rng(0)
    truth = rng.beta(1, 2, 4000)
    return truth, (rng.random(4000) < truth).astype(float)


def test_brier(cases):
    truth, happened = cases
    assert e.brier(truth, happened) == pytest.approx(brier_score_loss(happened, truth))
    assert e.brier([0.5] * 10, [0, 1] * 5) == 0.25 and e.brier([1, 0], [1, 0]) == 0
    both = np.stack([truth, 1 - truth]), np.stack([happened, 1 - happened])  # the original sums the classes
    assert np.mean(((both[0] - both[1]) ** 2).sum(axis=0)) == pytest.approx(2 * e.brier(truth, happened))


def test_the_parts_add_up(cases):
    truth, happened = cases
    for said in (truth, np.round(truth, 1), expit(2 * logit(truth)).round(1), np.full(4000, happened.mean())):
        parts = e.brier_parts(said, happened)
        assert parts.score == pytest.approx(parts.reliability - parts.resolution + parts.uncertainty, abs=1e-14)
        assert parts.score == pytest.approx(e.brier(said, happened))
    assert parts.reliability == pytest.approx(0, abs=1e-15) and parts.resolution == pytest.approx(0, abs=1e-15)
    # by hand: forecasts 0.2 (one of four) and 0.8 (three of four), base rate one half
    by_hand = e.brier_parts([0.2] * 4 + [0.8] * 4, [1, 0, 0, 0, 1, 1, 1, 0])
    assert (by_hand.reliability, by_hand.resolution, by_hand.uncertainty) == pytest.approx((0.0025, 0.0625, 0.25))


def test_linear_pool_beats_the_average_expert_by_their_disagreement(cases):
    truth, happened = cases
    noise = np.random.default_rng(1).normal(0, 0.8, (3, 4000))
    experts = expit(logit(truth.clip(0.01, 0.99)) + noise)
    pool = e.linear_pool(experts)
    average = np.mean([e.brier(one, happened) for one in experts])
    assert average - e.brier(pool, happened) == pytest.approx(np.mean(experts.var(axis=0)))
    weights = [0.5, 0.3, 0.2]
    assert e.linear_pool(experts, weights) == pytest.approx(np.average(experts, axis=0, weights=weights))


def test_log_pool_is_the_normalised_geometric_mean():
    experts, weights = np.array([[0.9, 0.2], [0.6, 0.5], [0.3, 0.1]]), np.array([0.5, 0.3, 0.2])
    yes, no = (np.prod(part ** weights[:, None], axis=0) for part in (experts, 1 - experts))
    assert e.log_pool(experts, weights) == pytest.approx(yes / (yes + no))
    assert e.log_pool([0.7, 0.7, 0.7]) == pytest.approx(0.7) and e.linear_pool([0.2, 0.4]) == pytest.approx(0.3)


def test_calibration_against_scikit_learn(cases):
    truth, happened = cases
    said = expit(0.4 + 2 * logit(truth.clip(0.001, 0.999)))  # overconfident and too hopeful
    fitted = e.calibrate(said, happened)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(said)[:, None], happened)
    assert (fitted.intercept, fitted.slope) == pytest.approx((peer.intercept_[0], peer.coef_[0, 0]), abs=1e-4)
    assert fitted.slope == pytest.approx(0.5, abs=0.05) and fitted.intercept == pytest.approx(-0.2, abs=0.1)
    corrected = fitted(said)
    assert corrected.mean() == pytest.approx(happened.mean(), abs=1e-8)  # an exact property of the fit
    assert e.brier(corrected, happened) < e.brier(said, happened)
    assert (np.argsort(corrected) == np.argsort(said)).all()


@pytest.mark.parametrize("call, message", [
    (lambda: e.brier([0.5, 1.2], [0, 1]), "probabilities must lie between 0 and 1, found 1.2; write 40 percent as 0.4"),
    (lambda: e.brier([0.5, np.nan], [0, 1]), "probabilities must lie between 0 and 1, found"),
    (lambda: e.brier([0.5], [0, 1]), r"one chance and one outcome, found shapes \[1\] and \[2\]"),
    (lambda: e.brier([0.5, 0.5], [0, 2]), "outcomes must be 0 or 1, found 2.0"),
    (lambda: e.linear_pool([0.1, -0.2]), "probabilities must lie between 0 and 1, found"),
    (lambda: e.linear_pool([0.1, 0.2], [0.9, 0.3]), "weights must sum to 1, found a sum of 1.2"),
    (lambda: e.log_pool([0.1, 0.2], [1.0]), "weights must hold 2 numbers, found 1"),
    (lambda: e.log_pool([0.1, 1.0]), "above 0 and below 1, found 1; a certainty overrules everybody"),
    (lambda: e.calibrate([0.2, 0.3, 0.4], [1, 1, 1]), "3 cases with 3 hits do not settle a calibration"),
    (lambda: e.calibrate([0.2, 0.3, 0.8], [0, 0, 1]), "their forecasts must overlap; collect more cases"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
