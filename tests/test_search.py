"""Hyperparameter search: folds against scikit-learn's rules, axes, halving against a loop, the table's recipe."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks import search as recipe
from helpers.data import folds
from helpers.explorers.search import SearchBudget, generator, table_of
from helpers.training import search
from helpers.training.search import Axis

# -- folds -----------------------------------------------------------------------------------------------------------


def test_each_example_is_validated_once_and_folds_are_even():
    found = folds(23, 5, seed=3)
    assert sorted(np.concatenate([validation for _, validation in found]).tolist()) == list(range(23))
    assert sorted(len(validation) for _, validation in found) == [4, 4, 5, 5, 5]
    for train, validation in found:
        assert len(np.intersect1d(train, validation)) == 0 and len(train) + len(validation) == 23


def test_groups_stay_together_and_folds_are_as_even_as_in_scikit_learn():
    from sklearn.model_selection import GroupKFold

    groups = np.random.default_rng(0).zipf(1.6, 400) % 40
    ours = folds(400, 5, groups=groups)
    for train, validation in ours:
        assert not set(groups[train]) & set(groups[validation])
    theirs = [len(validation) for _, validation in GroupKFold(5).split(groups, groups=groups)]
    assert sorted(len(validation) for _, validation in ours) == sorted(theirs)


def test_folds_depend_on_the_seed_alone():
    first, again, other = (folds(30, 3, seed=seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("arguments", "options", "message"), [
    ((10, 1), {}, "at least 2 folds, found num_folds=1"),
    ((4, 5), {}, "5 folds are more than the 4 examples: take num_folds of at most 4"),
    ((6, 4), {"groups": ["a", "a", "b", "b", "c", "c"]}, "4 folds are more than the 3 groups, .* at most 3"),
    ((6, 2), {"groups": [1, 2, 3]}, "one value for each of the 6 examples, found 3"),
])
def test_bad_folds(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        folds(*arguments, **options)


# -- axes, grid, random ----------------------------------------------------------------------------------------------

SPACE = {"lr": Axis(1e-4, 1.0), "width": Axis(4, 64, whole=True), "share": Axis(0.0, 1.0, log=False)}


def test_axes_step_on_their_own_scale():
    assert SPACE["lr"].at(0.5) == pytest.approx(1e-2) and SPACE["width"].at(0.5) == 16
    assert SPACE["share"].at(0.25) == 0.25 and SPACE["lr"].at(0.0) == pytest.approx(1e-4) and SPACE["lr"].at(1.0) == 1.0


def test_a_grid_takes_the_largest_power_and_random_draws_evenly():
    found = search.grid(SPACE, 30)
    assert len(found) == 27 and {round(math.log10(one["lr"]), 6) for one in found} == {-3.333333, -2.0, -0.666667}
    logs = [math.log10(one["lr"]) for one in search.random(SPACE, 4000, seed=2)]
    assert np.histogram(logs, 4, (-4, 0))[0] / 4000 == pytest.approx(0.25, abs=0.03)
    assert search.random(SPACE, 3, seed=2) == search.random(SPACE, 3, seed=2) != search.random(SPACE, 3, seed=3)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Axis(0.0, 1.0), "a log axis needs ends above 0, found low=0.0"),
    (lambda: Axis(-1.0, 1.0), "a log axis needs ends above 0, found low=-1.0"),
    (lambda: Axis(2.0, 1.0, log=False), "low < high, found low=2.0 and high=1.0"),
    (lambda: Axis(1.0, math.inf), "finite ends with low < high, found low=1.0 and high=inf"),
    (lambda: search.grid({}, 9), "the search space is empty"),
    (lambda: search.random({}, 9), "the search space is empty"),
    (lambda: search.random(SPACE, 0), "at least 1 trial, found 0"),
])
def test_bad_spaces(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- halving ---------------------------------------------------------------------------------------------------------


def test_halving_spends_what_it_says_and_finds_the_best():
    calls = []

    def score(candidate, epochs):
        calls.append((candidate, epochs))
        return candidate * epochs

    found = search.halving(list(range(81)), score)
    assert found.epochs == 81 + 27 * 2 + 9 * 6 + 3 * 18 == 243
    assert [len(one) for one in found.rounds] == [81, 27, 9, 3] and found.best == 80 and found.score == 80 * 27
    assert len(calls) == 120


def test_halving_puts_nan_last_and_lets_the_first_of_equals_win():
    found = search.halving(["a", "b", "c", "d", "e", "f"], lambda c, e: math.nan if c == "a" else 1.0, rungs=(1, 2))
    assert found.rounds == [[0, 1, 2, 3, 4, 5], [1, 2]] and found.best == 1


@pytest.mark.parametrize(("candidates", "options", "message"), [
    ([], {}, "at least one candidate, found none"),
    ([1], {"rungs": (3, 3)}, r"rise from 1 or more, found \(3, 3\)"),
    ([1], {"rungs": ()}, r"rise from 1 or more, found \(\)"),
    ([1], {"keep": 1}, "at least 2, found 1"),
])
def test_bad_halving(candidates, options, message):
    with pytest.raises(ValueError, match=message):
        search.halving(candidates, lambda c, e: 0.0, **options)


# -- the explorer and its table --------------------------------------------------------------------------------------


def test_the_explorers_halving_is_the_one_of_helpers():
    for case in SearchBudget.cases():
        if case["strategy"] != "halving":
            continue
        found = SearchBudget.compute(**case)
        cells = found["cells"]

        def score(trial, epochs, case=case, cells=cells):
            return case["right"][cells[trial]][(trial + case["repeat"]) % 2][case["rungs"].index(epochs)]

        same = search.halving(range(len(cells)), score, rungs=case["rungs"])
        assert cells[same.best] == found["winner"] and same.score == found["score"]
        assert same.epochs == found["spent"][-1] <= case["trials"] * 27


def test_strategies_spend_no_more_than_the_budget_and_stay_on_the_searched_axes():
    for case in SearchBudget.cases():
        found = SearchBudget.compute(**case)
        assert found["spent"][-1] <= case["trials"] * (27 if case["strategy"] == "halving" else case["rungs"][-1])
        if case["strategy"] != "optuna" and case["axes"] == 1:      # width and decay stay in the middle of 3 and 2
            assert {cell % 6 for cell in found["cells"]} == {3}


def test_the_generator_is_even_and_repeats_differ():
    draws = [generator(repeat, 1) for repeat in range(400)]
    first, second = np.array([[draw(), draw()] for draw in draws]).T
    for values in (first, second):
        assert np.histogram(values, 4, (0, 1))[0] / 400 == pytest.approx(0.25, abs=0.06)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15


def test_the_recipe_at_toy_size():
    dataset = recipe.few_digits()
    assert 300 < len(dataset.train) < 420 and len(dataset.validation) < 256          # fits a byte a number
    found = recipe.table(dataset, [1e-3, 1e-2], [4, 8], [0.01], (0, 1), (1, 3))
    assert np.shape(found["validation_right"]) == (4, 2, 2) and np.shape(found["test_right"]) == (4, 2)
    assert np.max(found["validation_right"]) <= len(dataset.validation)
    assert found["epoch_flops"][1] == 6 * 8 * 74 * len(dataset.train)
    wide = {"validation_right": found["validation_right"] * 2}                      # two decays
    paths = recipe.optuna_paths(wide, [1e-3, 1e-2], [4, 8], [0.01, 0.1], 2, 3)
    assert np.shape(paths) == (3, 2, 3) and 0 <= np.min(paths) and np.max(paths) < 8


def test_table_of_sums_the_seeds():
    record = {"configuration": {"lrs": [1, 2], "widths": [4], "decays": [1], "rungs": [1]},
              "results": {"validation_right": [[[1], [2]]] * 2, "test_right": [[3, 4], [5, 6]], "epoch_flops": [1.0],
                          "optuna_paths": []}}
    assert table_of(record)["test"] == [7, 11] and table_of(record)["sizes"] == [2, 1, 1]
