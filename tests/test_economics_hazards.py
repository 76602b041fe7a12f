"""Competing risks against closed forms, quadrature, simulation and the published survival table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from helpers import economics as e
from helpers.economics import failures

TWO = e.Hazards(("a", "b"), [0.1, 0.1])
PIECES = e.Hazards(("a", "b", "c"), [[0.02, 0.01, 0.0], [0.01, 0.03, 0.02], [0.0, 0.0, 0.005]], (0, 12, 40))


def test_constant_hazards_against_the_closed_form():
    assert TWO.survival(10) == pytest.approx(math.exp(-2), rel=1e-14)
    assert TWO.cumulative_incidence(10) == pytest.approx([0.432332358] * 2, abs=1e-9)
    assert TWO.alone("a", 10) == pytest.approx(0.632120559, abs=1e-9)  # what 1 − Kaplan–Meier would say
    assert TWO.shares(5) == pytest.approx([0.5, 0.5])
    uneven = e.Hazards(("a", "b"), [0.03, 0.01])
    assert uneven.cumulative_incidence(20)[0] == pytest.approx(0.75 * -math.expm1(-0.8), rel=1e-13)
    assert uneven.likeliest(24) == "a"


def test_pieces_against_quadrature():
    def density(age, cause):
        piece = np.searchsorted(PIECES.starts, age, side="right") - 1
        return PIECES.rates[cause, piece] * PIECES.survival(age)

    for age in (6, 12, 30, 90):
        for cause in range(3):
            area, _ = integrate.quad(density, 0, age, args=(cause,), points=[12, 40], epsabs=1e-12)
            assert PIECES.cumulative_incidence(age)[cause] == pytest.approx(area, abs=1e-9)


def test_incidence_and_survival_sum_to_one():
    ages = np.linspace(0, 200, 41)
    incidence = PIECES.cumulative_incidence(ages)
    assert incidence.shape == (3, 41) and isinstance(PIECES.survival(3), float)
    assert np.allclose(incidence.sum(axis=0) + PIECES.survival(ages), 1, atol=1e-13)
    assert (np.diff(incidence, axis=1) >= 0).all() and (incidence[:, 0] == 0).all()


def test_a_cause_alone_always_ends_more_than_in_company():
    ages = np.array([6.0, 24.0, 120.0])
    assert (PIECES.alone("b", ages) > PIECES.cumulative_incidence(ages)[1]).all()
    only = PIECES.without("a", "c")
    assert np.allclose(only.cumulative_incidence(ages)[1], PIECES.alone("b", ages))
    assert np.allclose(PIECES.scaled({"a": 2}).rates[0], 2 * PIECES.rates[0])


def test_samples_follow_the_hazards():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    ages, causes = PIECES.sample(40_000, seed=1)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    for at in (6, 30, 90):
        found = [np.mean((ages <= at) & (causes == k)) for k in range(3)]
        assert np.allclose(found, PIECES.cumulative_incidence(at), atol=4 * math.sqrt(0.25 / 40_000))
    ends = e.Hazards(("a",), [[0.1, 0.0]], (0, 5)).sample(1000)
    assert (ends[1][np.isinf(ends[0])] == -1).all() and 0.5 < np.isinf(ends[0]).mean() < 0.7


def test_aalen_johansen_by_hand_and_without_censoring():
    found = e.aalen_johansen([1, 2, 2, 3, 4], [0, 1, -1, 0, 1], 2, [0.5, 1, 2, 3, 4])
    assert found[0] == pytest.approx([0, 0.2, 0.2, 0.5, 0.5])
    assert found[1] == pytest.approx([0, 0, 0.2, 0.2, 0.5])
    ages, causes = PIECES.sample(2000)
    at = np.array([5.0, 20.0, 60.0])
    shares = [[np.mean((ages <= t) & (causes == k)) for t in at] for k in range(3)]
    assert np.allclose(e.aalen_johansen(ages, causes, 3, at), shares, atol=1e-12)


def test_estimates_with_censoring_meet_the_truth():
    ages, causes = PIECES.sample(40_000, seed=2)
    looked = np.random.default_rng(3).uniform(0, 120, len(ages))
    seen = np.where(ages <= looked, causes, -1)
    at = np.array([10.0, 40.0, 80.0])
    months = np.minimum(ages, looked)
    assert np.allclose(e.aalen_johansen(months, seen, 3, at), PIECES.cumulative_incidence(at), atol=0.015)
    assert np.allclose(e.kaplan_meier(months, seen >= 0, at), PIECES.survival(at), atol=0.015)
    others_censored = 1 - e.kaplan_meier(months, seen == 1, at)
    assert np.allclose(others_censored, PIECES.alone("b", at), atol=0.02)


def test_the_baseline_reproduces_the_published_table():
    months, surviving = e.survival_table()
    assert surviving.tolist() == [0.796, 0.689, 0.614, 0.506, 0.347] and months[-1] == 120
    assert np.allclose(e.baseline().survival(months), surviving, rtol=1e-12)
    assert e.baseline().rates.shape == (7, 5) and e.baseline().names == e.CAUSES
    assert e.baseline(population="information").survival(120) == pytest.approx(0.291, rel=1e-12)
    even = e.baseline(dict.fromkeys(e.CAUSES, 1 / 7))
    assert np.allclose(even.shares(24), 1 / 7) and np.allclose(even.survival(months), surviving)


def test_postmortem_lists():
    lines = e.postmortems(2014)
    assert {line.num_firms for line in lines} == {101} and lines[0].share == 0.42
    assert sum(line.share for line in lines) == pytest.approx(2.13)
    assert sum(e.mention_shares().values()) == pytest.approx(1)
    assert e.mention_shares(2014)["demand"] == pytest.approx(0.55 / 1.96)
    assert {line.cause for line in e.postmortems()} - {None} == set(e.CAUSES)


def test_probabilities_become_hazards_and_back():
    chances = {"team": 0.2, "law": 0.05, "demand": 0.0}
    hazards = e.Hazards.from_probabilities(chances, 24)
    assert {name: hazards.alone(name, 24) for name in chances} == pytest.approx(chances)
    assert hazards.survival(24) == pytest.approx(0.8 * 0.95)


def test_fit_passes_through_any_falling_table():
    starts, rates = e.fit_survival([6, 18, 48], [0.9, 0.9, 0.3])
    assert rates[1] == 0
    fitted = e.Hazards(("all",), rates[None], starts)
    assert np.allclose(fitted.survival([6, 18, 48]), [0.9, 0.9, 0.3])


@pytest.mark.parametrize("call, message", [
    (lambda: e.Hazards(("a", "b"), [0.1, -0.2]), "the hazard of b must be 0 or more, found -0.2"),
    (lambda: e.Hazards(("a", "a"), [0.1, 0.2]), r"names must hold each cause once, found \['a', 'a'\]"),
    (lambda: e.Hazards(("a",), [[0.1, 0.2]], (0, 0)), r"starts must be ages that increase, found \[0.0, 0.0\]"),
    (lambda: e.Hazards(("a",), [[0.1, 0.2]], (6, 12)), r"starts must begin at age 0, found \[6.0, 12.0\]"),
    (lambda: e.Hazards(("a",), [[0.1, 0.2]]), r"rates must have shape \[1, 1\] .* found \[1, 2\]"),
    (lambda: TWO.survival([3, -1]), "months must be 0 or more, found -1.0"),
    (lambda: TWO.survival(math.nan), "months must be 0 or more, found nan"),
    (lambda: TWO.alone("c", 3), "cause 'c' is unknown; known are a, b"),
    (lambda: e.baseline().scaled({"techology": 2}), "cause 'techology' is unknown; did you mean technology"),
    (lambda: e.baseline().scaled({"law": -1}), "the factor of law must be 0 or more, found -1"),
    (lambda: e.Hazards(("a",), [0.0]).shares(3), "all hazards are 0"),
    (lambda: TWO.shares(0), "months must be above 0, found 0"),
    (lambda: e.Hazards.from_probabilities({"law": 1.2}, 24), "the probability of law must be between 0 and 1, found 1"),
    (lambda: e.rate_of(1.0, 24), "must be below 1, found 1.0"),
    (lambda: e.baseline({"law": 0.7, "team": 0.7}), "shares of the causes must sum to 1, found 1.4"),
    (lambda: e.baseline({"law": 1.5, "team": -0.5}), "the share of law must be between 0 and 1, found 1.5"),
    (lambda: e.baseline(population="china"), "population 'china' is unknown"),
    (lambda: e.postmortems(1999), "edition '1999' is unknown"),
    (lambda: e.fit_survival([12, 12], [0.8, 0.7]), r"months must be ages that increase, found \[12.0, 12.0\]"),
    (lambda: e.fit_survival([0, 12], [1, 0.7]), "the first age must be above 0, found 0.0"),
    (lambda: e.fit_survival([12, 24], [0.7, 1.2]), "a surviving share must be above 0 and at most 1, found 1.2"),
    (lambda: e.fit_survival([12, 24], [0.7, 0.8]), "survival cannot rise with age, found 0.8 after 0.7 at month 24"),
    (lambda: e.fit_survival([12, 24], [0.7]), "one share for each of 2 ages, found 1"),
    (lambda: e.aalen_johansen([1, 2], [0, 5], 2, [1]), "causes must lie between -1 .* and 1, found 5"),
    (lambda: e.aalen_johansen([1, 2], [0], 2, [1]), r"two lists of one length, found \[2\] and \[1\]"),
    (lambda: e.kaplan_meier([-1], [True], [1]), "age must be 0 or more, found -1"),
    (lambda: e.kaplan_meier([1, 2], [True], [1]), "found 2 ages and 1 marks"),
    (lambda: TWO.sample(0), "num_ventures must be a whole number of at least 1, found 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_row_of_the_tables_says_how_it_was_verified():
    for table in ("survival.csv", "postmortems.csv"):
        for row in failures._rows(table):
            assert row["source"] and row["verified"].split(":")[0] in ("checked", "from memory")
