"""Scaling laws: closed forms against numbers, the fit on laws that are known, and what bad input gets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from benchmarks import family
from helpers.economics import scaling
from helpers.explorers.bet import Bet

LOAD = family.load
LAW = scaling.LossLaw(0.9, 12.0, 60.0, 0.4, 0.35)
BESIROGLU = scaling.PUBLISHED["Besiroglu 2024"].law
HOFFMANN = scaling.PUBLISHED["Hoffmann 2022, approach 3"].law


def runs(law: scaling.LossLaw = LAW, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses of a law on five sizes and four amounts of text."""
    n, d = (values.ravel() for values in np.meshgrid(np.geomspace(6e3, 2e5, 5), np.geomspace(2e5, 4e6, 4)))
    return n, d, law.loss(n, d) * np.exp(noise * np.random.default_rng(0).normal(size=n.size))


@pytest.mark.parametrize("law", [LAW, BESIROGLU, HOFFMANN])
@pytest.mark.parametrize("flops", [1e14, 5.76e23])
def test_the_best_split_is_the_minimum_on_the_curve_of_equal_compute(law: scaling.LossLaw, flops: float) -> None:
    best = law.best(flops)
    found = minimize_scalar(lambda x: law.loss(math.exp(x), flops / 6 / math.exp(x)), bounds=(5, 40), method="bounded",
                            options={"xatol": 1e-10})
    assert 6 * best.parameters * best.tokens == pytest.approx(flops)
    assert math.log(best.parameters) == pytest.approx(found.x, abs=1e-4)
    assert best.loss == pytest.approx(found.fun, rel=1e-12)
    assert law.best(100 * flops).parameters / best.parameters == pytest.approx(100**law.exponent)


def test_published_constants_give_the_figures_of_the_fact_sheet() -> None:
    rounded, replicated = HOFFMANN.best(5.76e23), BESIROGLU.best(5.76e23)
    assert rounded.parameters == pytest.approx(32e9, rel=0.02)
    assert rounded.tokens_per_parameter == pytest.approx(93, abs=1)
    assert replicated.parameters == pytest.approx(72e9, rel=0.02)
    assert replicated.tokens_per_parameter == pytest.approx(18, abs=0.5)
    assert BESIROGLU.exponent == pytest.approx(0.513, abs=5e-4)


def test_the_box_of_rounding_holds_the_printed_constants_in_its_middle() -> None:
    corners = scaling.rounding(scaling.PUBLISHED["Hoffmann 2022, approach 3"])
    assert len(corners) == 32
    assert {round(law.alpha, 4) for law in corners} == {0.335, 0.345}
    assert np.mean([law.b for law in corners]) == pytest.approx(410.7)


def test_the_fit_finds_a_law_that_made_the_runs() -> None:
    found = scaling.fit_law(*runs())
    for name in ("floor", "a", "b", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(LAW, name), rel=0.02)


def test_one_run_gone_wrong_moves_the_huber_fit_less_than_squares() -> None:
    n, d, losses = runs(noise=0.002)
    losses[7] *= 1.3
    huber, squares = (scaling.fit_law(n, d, losses, delta=delta) for delta in (1e-3, 10.0))
    clean = np.delete(np.arange(n.size), 7)
    errors = [np.abs(law.loss(n, d)[clean] / LAW.loss(n, d)[clean] - 1).mean() for law in (huber, squares)]
    assert errors[0] < 0.004 < errors[1]


def test_the_gradient_of_the_objective() -> None:
    n, d, losses = runs(noise=0.01)
    rows = np.log(n) - np.log(n).mean(), np.log(d) - np.log(d).mean(), np.log(losses)
    x = np.array([-1.0, -0.7, -0.2, 0.5, 0.3])
    _, gradient = scaling._objective(x, *rows, 1e-2)
    for place in range(5):
        step = np.zeros(5)
        step[place] = 1e-6
        slope = (scaling._objective(x + step, *rows, 1e-2)[0] - scaling._objective(x - step, *rows, 1e-2)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-5)


def test_bootstrap_spreads_with_the_noise_and_repeats_with_its_seed() -> None:
    quiet, loud = (scaling.bootstrap_laws(*runs(noise=noise), num_resamples=20) for noise in (0.001, 0.01))
    spread = [np.std([law.loss(6e5, 8e6) for law in laws]) for laws in (quiet, loud)]
    assert 0 < 3 * spread[0] < spread[1]
    assert quiet == scaling.bootstrap_laws(*runs(noise=0.001), num_resamples=20)


def test_the_prediction_interval_widens_with_the_errors_of_the_runs() -> None:
    laws = [LAW, scaling.LossLaw(1.0, 12.0, 60.0, 0.4, 0.35)]
    low, high = scaling.prediction_interval(laws, [0.0], 1e6, 1e7, level=0.999)
    assert (low, high) == pytest.approx((LAW.loss(1e6, 1e7), LAW.loss(1e6, 1e7) + 0.1), rel=1e-3)
    wide = scaling.prediction_interval(laws, [-0.1, 0.0, 0.1], 1e6, 1e7)
    assert wide[0] < low and wide[1] > high


def test_serving_makes_the_cheapest_model_smaller_and_its_training_longer() -> None:
    best = BESIROGLU.best(5.76e23)
    alone = BESIROGLU.cheapest(best.loss)
    assert alone.parameters == pytest.approx(best.parameters, rel=1e-3)
    assert alone.flops == pytest.approx(5.76e23, rel=1e-6)
    served = BESIROGLU.cheapest(best.loss, served=1e13)
    assert served.parameters < alone.parameters and served.tokens > alone.tokens
    assert served.loss == pytest.approx(best.loss)
    assert served.flops < alone.flops + 2 * alone.parameters * 1e13
    beside = [6 * n * BESIROGLU.tokens_for(best.loss, n) + 2 * n * 1e13
              for n in (0.99 * served.parameters, 1.01 * served.parameters)]
    assert min(beside) > served.flops
    assert BESIROGLU.tokens_for(best.loss, 1e6) == math.inf


@pytest.mark.parametrize(("call", "message"), [
    (lambda: scaling.fit_law([1, 2], [1, 2], [1, 2]), "at least 6 runs"),
    (lambda: scaling.fit_law([1e4] * 8, np.arange(1, 9), np.arange(1, 9)), "all runs have parameters = 10000"),
    (lambda: scaling.fit_law([1e4, 0] * 4, np.arange(1, 9), np.arange(1, 9)), "above 0, found 0"),
    (lambda: LAW.best(-1), "flops must be above 0, found -1"),
    (lambda: LAW.cheapest(0.8), "above the floor 0.9, found 0.8"),
    (lambda: LAW.loss(1e6, -3), "tokens must be finite and above 0, found -3"),
    (lambda: scaling.LossLaw(1, 2, 3, 0, 1), "alpha must be above 0, found 0"),
    (lambda: scaling.prediction_interval([], [0.0], 1, 1), "found 0 laws"),
    (lambda: scaling.prediction_interval([LAW], [0.0], 1, 1, level=90), "level 90"),
    (lambda: Bet([], {"loss": 1.5}, LAW, (1, 2)), "at least one run"),
    (lambda: Bet([{"loss": 1.5}], {"loss": 1.5}, LAW, (1.6, 1.5)), r"\(low, high\), found \(1.6, 1.5\)"),
    (lambda: Bet([{"loss": 3.0}], {"loss": 1.5}, LAW, (1.4, 1.5)), "in the span 1.2 to 2.4, found 1.4 to 3"),
])
def test_bad_input(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_the_score_is_lowest_for_the_true_quantiles() -> None:
    draws = np.random.default_rng(0).normal(size=20_000)
    mean = {z: np.mean([Bet.compute(-z, z, truth)["score"] for truth in draws]) for z in (1.2, 1.645, 2.2)}
    assert min(mean, key=mean.get) == 1.645


def test_the_family_trains_stops_and_resumes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(family, "load", lambda: family_data())
    kept = tmp_path / "kept.json"
    small = {"d_model": 16, "num_layers": 1, "characters": 2048, "stops": [1024]}
    plan = [("family", small), ("held_back", {"d_model": 16, "num_layers": 2, "characters": 1024})]
    with pytest.raises(SystemExit, match="2 of 2 runs are left"):
        family.measure(plan, kept=kept, piece_seconds=-1)
    payload = family.measure(plan, kept=kept, log=lambda line: None)
    row, held = payload["results"]["family"][0], payload["results"]["held_back"][0]
    assert row["parameters"] == 12 * 16**2 + 3 * 16 and row["embedding_parameters"] == 2 * 97 * 16
    assert payload["results"]["unfinished"][0]["planned"] == 2048
    assert 2.5 < row["loss"] < payload["results"]["unfinished"][0]["loss"] < math.log(97) + 0.5
    assert held["num_layers"] == 2 and not kept.exists()
    with pytest.raises(ValueError, match="multiple of 512"):
        family.train(family_data(), 16, 1, 1000)


def family_data():
    """Two thousand characters of code."""
    return LOAD(2048, num_held_out=20)


def test_each_model_of_the_family_is_planned_once() -> None:
    plan = family.plan()
    cells = [(run["d_model"], run["characters"]) for part, run in plan if part == "family"]
    assert len(cells) == len(set(cells)) == len(family.SIZES) * len(family.BUDGETS)
    assert all(run["characters"] % 512 == 0 for _, run in plan)
    largest = max(n for n, _ in cells)
    assert family.HELD_BACK[0] > largest and family.HELD_BACK[2] > max(family.BUDGETS)
