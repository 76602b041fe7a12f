import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as reference

from helpers import metrics


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    return targets, np.where(rng.random(200) < 0.7, targets, rng.integers(0, 3, 200))


def test_class_measures_agree_with_scikit_learn(labels):
    targets, predictions = labels
    assert metrics.accuracy(targets, predictions) == pytest.approx(reference.accuracy_score(targets, predictions))
    assert (metrics.confusion(targets, predictions, 3) == reference.confusion_matrix(targets, predictions)).all()
    for positive in range(3):
        expected = reference.precision_recall_fscore_support(targets, predictions, labels=[positive])
        found = [f(targets, predictions, positive) for f in (metrics.precision, metrics.recall, metrics.f1)]
        assert found == pytest.approx([float(value[0]) for value in expected[:3]])


def test_a_class_that_never_occurs_has_an_empty_row(labels):
    table = metrics.confusion(*labels, 5)
    assert table.shape == (5, 5) and table[3:].sum() == 0 and table.sum() == 200


def test_no_alarms_and_no_positives_give_zero():
    assert metrics.precision([1, 1], [0, 0]) == 0.0
    assert metrics.recall([0, 0], [1, 1]) == 0.0
    assert metrics.f1([0, 0], [0, 0]) == 0.0


@pytest.mark.parametrize("digits", [8, 1])                # one digit: many ties
def test_roc_auc_agrees_with_scikit_learn(digits):
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, 300)
    scores = np.round(targets + rng.normal(0, 1, 300), digits)
    assert metrics.roc_auc(targets, scores) == pytest.approx(reference.roc_auc_score(targets, scores), abs=1e-12)


def test_errors_agree_with_scikit_learn():
    rng = np.random.default_rng(2)
    targets, predictions = rng.normal(size=(2, 50, 1)).astype(np.float32)
    assert metrics.mse(targets, predictions) == pytest.approx(reference.mean_squared_error(targets, predictions), 1e-6)
    assert metrics.mae(targets, predictions) == pytest.approx(reference.mean_absolute_error(targets, predictions), 1e-6)


def test_tensors_lists_and_gradients_are_accepted():
    logits = torch.tensor([[0.2, 0.8], [0.9, 0.1]], requires_grad=True)
    assert metrics.accuracy(torch.tensor([1, 1]), logits.argmax(dim=1)) == 0.5
    assert metrics.mse([[1.0], [2.0]], torch.tensor([[1.0], [4.0]], requires_grad=True)) == 2.0
    assert metrics.mae([1.0], torch.tensor([2.0], dtype=torch.bfloat16)) == 1.0
    assert isinstance(metrics.accuracy([0], [0]), float)


def test_ranks():
    ranks = [1, 2, 4, math.inf]
    assert metrics.recall_at_k(ranks, 1) == 0.25
    assert metrics.recall_at_k(ranks, 4) == 0.75
    assert metrics.mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 4) / 4)


@pytest.mark.parametrize("successes, trials", [(0, 10), (10, 10), (7, 10), (940, 1000), (1, 3)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(successes, trials, level):
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    found = metrics.wilson(successes, trials, level)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= found.low <= successes / trials <= found.high <= 1


def test_bootstrap_of_a_mean_agrees_with_the_normal_interval():
    values = np.random.default_rng(3).normal(5, 2, 400)
    interval = metrics.bootstrap(values, num_resamples=4000)
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)


def test_bootstrap_keeps_rows_together_repeats_and_leaves_the_global_generator():
    pairs = np.arange(20.0)[:, None] + [[0.0, 1.0]]
    state = np.random.get_state()[1].copy()                                            # noqa: NPY002
    difference = metrics.bootstrap(pairs, lambda rows: (rows[:, 1] - rows[:, 0]).mean())
    assert difference == (1.0, 1.0)
    assert metrics.bootstrap(pairs, seed=1) == metrics.bootstrap(pairs, seed=1) != metrics.bootstrap(pairs, seed=2)
    assert (np.random.get_state()[1] == state).all()                                   # noqa: NPY002
    assert str(metrics.Interval(0.12345, 0.5)) == "[0.123, 0.5]"


@pytest.mark.parametrize("n, c, k", [(5, 2, 1), (5, 2, 3), (6, 0, 2), (6, 5, 2), (4, 4, 4)])
def test_pass_at_k_counts_the_choices_that_hold_a_right_sample(n, c, k):
    choices = list(itertools.combinations(range(n), k))
    assert metrics.pass_at_k(n, c, k) == pytest.approx(sum(min(chosen) < c for chosen in choices) / len(choices))


def test_pass_at_k_is_right_on_average_and_the_plain_formula_is_not():
    """Source: chen2021; over c drawn from a binomial distribution with p = 0.1, n = 20."""
    chance = [math.comb(20, c) * 0.1**c * 0.9 ** (20 - c) for c in range(21)]
    assert sum(w * metrics.pass_at_k(20, c, 10) for c, w in enumerate(chance)) == pytest.approx(1 - 0.9**10)
    assert sum(w * (1 - (1 - c / 20) ** 10) for c, w in enumerate(chance)) == pytest.approx(0.568, abs=5e-4)


@pytest.mark.parametrize("call, message", [
    (lambda: metrics.accuracy([], []), "targets is empty"),
    (lambda: metrics.accuracy([0, 1], [0]), r"same shape, found \(2,\) and \(1,\)"),
    (lambda: metrics.accuracy([0, 1], [0.2, 0.8]), "predictions must be class numbers .* take logits.argmax"),
    (lambda: metrics.accuracy(["a"], ["a"]), "targets must hold numbers"),
    (lambda: metrics.confusion([0, 3], [0, 1], 3), r"targets must lie in 0 … 2, found 3"),
    (lambda: metrics.confusion([0, 1], [0, -1], 3), r"predictions must lie in 0 … 2, found -1"),
    (lambda: metrics.mse([1.0, math.nan], [1.0, 2.0]), "targets holds NaN in 1 of 2 places"),
    (lambda: metrics.roc_auc([1, 1], [0.1, 0.2]), "targets must hold both 0 and 1"),
    (lambda: metrics.roc_auc([0, 2], [0.1, 0.2]), "targets must hold both 0 and 1"),
    (lambda: metrics.recall_at_k([1], 0), "k must be at least 1, found 0"),
    (lambda: metrics.recall_at_k([0, 1], 1), "ranks count from 1.* found 0"),
    (lambda: metrics.pass_at_k(5, 2, 6), "k must lie in 1 … 5, the number of samples drawn; found 6"),
    (lambda: metrics.pass_at_k(5, 6, 1), "num_right must lie in 0 … 5, found 6"),
    (lambda: metrics.wilson(3, 2), "found 3 of 2"),
    (lambda: metrics.wilson(0, 0), "found 0 of 0"),
    (lambda: metrics.wilson(1, 2, 95), r"in \(0, 1\); found 95"),
    (lambda: metrics.bootstrap([1.0]), r"at least two examples, found shape \(1,\)"),
    (lambda: metrics.bootstrap([1.0, 2.0], num_resamples=10), "at least 100, found 10"),
    (lambda: metrics.bootstrap([1.0, 2.0], lambda rows: math.nan), "not finite in 1000 of 1000 draws"),
])
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def _scored(n: int = 300, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = (rng.random(n) < 0.2).astype(int)
    return targets, np.round(rng.normal(targets, 1.0), 1)      # rounded, so that many scores are equal


def test_curve_equals_scikit_learn():
    targets, scores = _scored()
    found = metrics.curve(targets, scores)
    false_positive, true_positive, thresholds = reference.roc_curve(targets, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.false_positive_rate, false_positive)
    np.testing.assert_allclose(found.true_positive_rate, true_positive)
    np.testing.assert_allclose(found.thresholds[1:], thresholds[1:])
    precision, recall, _ = reference.precision_recall_curve(targets, scores)
    np.testing.assert_allclose(found.precision[::-1], precision)
    np.testing.assert_allclose(found.true_positive_rate[::-1], recall)
    assert metrics.average_precision(targets, scores) == pytest.approx(
        reference.average_precision_score(targets, scores))


def test_infinite_scores_that_are_equal_share_one_threshold():
    found = metrics.curve([0, 1, 1], [np.inf, np.inf, 0.2])
    assert found.thresholds.tolist() == [np.inf, np.inf, 0.2] and found.hits.tolist() == [0, 1, 2]


def test_area_under_the_curve_is_the_rank_statistic():
    targets, scores = _scored()
    found = metrics.curve(targets, scores)
    area = np.trapezoid(found.true_positive_rate, found.false_positive_rate)
    assert metrics.roc_auc(targets, scores) == pytest.approx(area)


def test_cost_by_hand():
    found = metrics.curve([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9])
    np.testing.assert_allclose(found.cost(1.0, 10.0), np.array([20, 10, 11, 1, 2]) / 4)


def test_calibration_by_hand_and_of_a_perfect_forecaster():
    found = metrics.calibration([0, 1, 1, 1], [0.1, 0.15, 0.8, 1.0], num_bins=5)
    np.testing.assert_allclose(found.stated, [0.125, 0.9])
    np.testing.assert_allclose(found.found, [0.5, 1.0])
    assert found.error == pytest.approx(0.5 * 0.375 + 0.5 * 0.1)
    rng = np.random.default_rng(0)
    stated = rng.random(200_000)
    assert metrics.calibration(rng.random(200_000) < stated, stated).error < 0.01


def test_mcnemar_equals_the_binomial_test():
    from scipy.stats import binomtest

    rng = np.random.default_rng(1)
    first, second = rng.random(400) < 0.9, rng.random(400) < 0.86
    found = metrics.mcnemar(first, second)
    wanted = binomtest(found.only_first, found.only_first + found.only_second).pvalue
    assert found.p_value == pytest.approx(wanted) and found.difference == pytest.approx(first.mean() - second.mean())
    assert metrics.mcnemar([1, 1, 0], [1, 1, 0]).p_value == 1.0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: metrics.curve([1, 1], [0.2, 0.4]), "targets must hold both 0 and 1"),
    (lambda: metrics.average_precision([0, 0], [0.2, 0.4]), "targets must hold both 0 and 1"),
    (lambda: metrics.curve([0, 1], [0.2, 0.4]).cost(-1, 1), "costs must be at least 0, found -1"),
    (lambda: metrics.calibration([0, 1], [0.2, 1.4]), "probabilities must lie in 0 … 1, found 1.4"),
    (lambda: metrics.calibration([0, 2], [0.2, 0.4]), "targets must be 0 or 1"),
    (lambda: metrics.calibration([[0, 1]], [[0.2, 0.4]]), r"shape \[n\]; found .* of shape \(1, 2\)"),
    (lambda: metrics.calibration([0, 1], [0.2, 0.4], num_bins=0), "num_bins must be at least 1, found 0"),
    (lambda: metrics.mcnemar([0, 1], [0, 1, 1]), "must have the same shape"),
    (lambda: metrics.mcnemar([0, 3], [0, 1]), "first_right must hold 0 and 1"),
])
def test_bad_scores_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
