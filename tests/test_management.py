"""Teams, allocation and risks: closed forms, brute force, simulation, and what bad input gets."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from helpers.economics import allocation as a
from helpers.economics import risks as r
from helpers.economics import team
from helpers.explorers.schedule import ScheduleRisk, even_normals

# -- team ------------------------------------------------------------------------------------------------------------


def test_channels():
    assert [team.channels(n) for n in (1, 2, 3, 10)] == [0, 1, 3, 45]
    assert team.channels_of_teams(12, 1) == team.channels(12) == 66
    assert team.channels_of_teams(12, 3) == 3 * 6 + 3


def test_the_best_size_has_the_largest_output():
    best = team.best_size(0.04)
    assert best == pytest.approx(13.0)
    assert all(team.output(n, 0.04) <= team.output(best, 0.04) + 1e-12 for n in range(1, 26))


@pytest.mark.parametrize(("work", "added", "at", "ramp"),
                         [(60, 4, 3, 3), (31, 3, 4, 2.5), (60, 2, 0, 0), (25, 5, 4, 6)])
def test_finish_against_small_steps(work, added, at, ramp):
    month, done, step = 0.0, 0.0, 1e-4
    while done < work:
        if month < at:
            rate = team.output(6, 0.03)
        else:
            skill = min(1.0, (month - at + step / 2) / ramp) if ramp else 1.0
            rate = (6 + added * skill - added * 0.25 * (1 - skill)) * (1 - 0.03 * (5 + added))
        done, month = done + rate * step, month + step
    assert team.finish_month(work, 6, added=added, at=at, ramp=ramp) == pytest.approx(month, abs=3e-4)


def test_late_help_makes_it_later():
    alone = team.finish_month(30, 6)
    assert team.finish_month(30, 6, added=3, at=5) > alone > team.finish_month(30, 6, added=3, at=0)
    assert team.finish_month(30, 6, added=3, at=alone + 1) == alone


@pytest.mark.parametrize(("call", "message"), [
    (lambda: team.channels(2.5), "people must be a whole number of at least 1, found 2.5"),
    (lambda: team.channels_of_teams(7, 2), "7 people cannot be split into 2 equal teams"),
    (lambda: team.output(40, 0.03), "40 people who spend 0.03 of a month on each colleague have no time left"),
    (lambda: team.finish_month(-1, 3), "work must be above 0, found -1"),
    (lambda: team.finish_month(90, 2, added=9, at=1), "9 newcomers need 2.25 persons to teach them, the team has 2"),
    (lambda: team.best_size(1.4), "overhead must be above 0 and at most 1, found 1.4"),
])
def test_bad_teams(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- allocation ------------------------------------------------------------------------------------------------------

JOBS = [a.Job("train", 6, {"h100": 1, "a100": 0.4}, at_most=400), a.Job("serve", 5, {"h100": 1, "a100": 0.5}, 150, 300),
        a.Job("try", 4, {"a100": 0.5})]
HOURS = {"h100": 520, "a100": 380}


def test_allocation_is_best_and_shadow_prices_are_slopes():
    found = a.allocate(JOBS, HOURS)
    for kind, there in HOURS.items():
        assert sum(row.get(kind, 0) for row in found.hours.values()) <= there + 1e-6
        more = a.allocate(JOBS, HOURS | {kind: there + 1})
        assert more.value - found.value == pytest.approx(found.shadow_prices[kind])
    assert found.work["serve"] >= 150 - 1e-6 and found.work["train"] <= 400 + 1e-6
    assert found.value == pytest.approx(sum(job.value * found.work[job.name] for job in JOBS))
    best = 0.0                                               # brute force over a grid that holds the optimum
    for train, serve in itertools.product(range(0, 401, 20), range(160, 301, 20)):
        slow = max(0, train + serve - 520) / 0.5             # the rest of serving on the slower device
        if slow <= 380:
            best = max(best, 6 * train + 5 * serve + 4 * 0.5 * (380 - slow))
    assert found.value == pytest.approx(best)


def test_a_promise_that_hurts_has_a_price():
    jobs = [a.Job("good", 9, {"gpu": 1}), a.Job("promised", 2, {"gpu": 1}, at_least=30)]
    found = a.allocate(jobs, {"gpu": 100})
    assert found.shadow_prices["gpu"] == pytest.approx(9) and found.promise_costs["promised"] == pytest.approx(7)
    assert found.value == pytest.approx(70 * 9 + 30 * 2)


def test_promises_that_cannot_be_kept_name_what_lacks():
    jobs = [a.Job("train", 6, {"h100": 1}, at_least=450), a.Job("serve", 5, {"h100": 1}, at_least=150),
            a.Job("try", 4, {"a100": 0.5}, at_least=10)]
    message = r"they lack 100 hours of h100 \(there are 500\); rent more or lower train \(450\), serve \(150\)\."
    with pytest.raises(ValueError, match=message):
        a.allocate(jobs, HOURS | {"h100": 500})


def projects(num=9, seed=0):
    rng = np.random.default_rng(seed)
    draw = lambda most: int(rng.integers(1, most))  # noqa: E731
    return [a.Project(f"p{k}", draw(50), {"gpu": draw(20), "people": draw(6)}, (f"p{k - 1}",) if k % 4 == 3 else ())
            for k in range(num)]


@pytest.mark.parametrize("seed", range(4))
def test_choice_is_the_best_of_all_sets(seed):
    listed, supply = projects(seed=seed), {"gpu": 45, "people": 14}
    found, best = a.choose(listed, supply), 0
    for taken in itertools.product((0, 1), repeat=len(listed)):
        names = {project.name for project, one in zip(listed, taken, strict=True) if one}
        fits = all(sum(project.needs[kind] for project in listed if project.name in names) <= most
                   for kind, most in supply.items())
        if fits and all(set(project.after) <= names for project in listed if project.name in names):
            best = max(best, sum(project.value for project in listed if project.name in names))
    assert found.value == best <= found.bound + 1e-6
    assert min(found.left.values()) >= 0


def test_must_and_what_does_not_fit():
    listed = [a.Project("base", 0, {"gpu": 60}), a.Project("launch", 1, {"gpu": 50}, "base", must=True)]
    assert a.choose(listed, {"gpu": 110}).names == ("base", "launch")
    message = r"must be done \(base, launch\) needs 110 gpu, there are 100; provide 10 more"
    with pytest.raises(ValueError, match=message):
        a.choose(listed, {"gpu": 100})


@pytest.mark.parametrize(("call", "message"), [
    (lambda: a.Job("x", -1, {"gpu": 1}), "value of job 'x' must be 0 or more, found -1"),
    (lambda: a.Job("x", 1, {}), "job 'x' runs on no device"),
    (lambda: a.Job("x", 1, {"gpu": 0}), "speed of job 'x' on gpu must be above 0, found 0"),
    (lambda: a.Job("x", 1, {"gpu": 1}, 5, 3), "job 'x' promises at least 5 but may take at most 3"),
    (lambda: a.allocate([], HOURS), "at least one job, found none"),
    (lambda: a.allocate([JOBS[0], JOBS[0]], HOURS), "job 'train' occurs twice"),
    (lambda: a.allocate(JOBS, {"h100": 5, "a10": 5}), "device of job 'train' 'a100' is unknown; did you mean"),
    (lambda: a.allocate(JOBS, HOURS | {"h100": None}), "hours of h100 must be a number, found None"),
    (lambda: a.choose(projects(), {"gpu": -3, "people": 1}), "supply of gpu must be 0 or more, found -3"),
    (lambda: a.choose(projects(), {"gpus": 3, "people": 1}), "resource of project 'p0' 'gpu' is unknown; did you mean"),
    (lambda: a.choose([a.Project("x", 1, {}, "y")], {}), "predecessor of project 'x' 'y' is unknown"),
])
def test_bad_allocations(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- risks -----------------------------------------------------------------------------------------------------------

REGISTER = [r.Risk("a", 0.2, 10, 30, 80), r.Risk("b", 0.5, 5, 5, 5), r.Risk("c", 0.05, 100, 100, 400)]


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_losses_agree_with_the_closed_forms(correlation):
    losses = r.simulate_losses(REGISTER, num_draws=300_000, seed=0, correlation=correlation)
    assert losses.mean(axis=0) == pytest.approx([risk.expected for risk in REGISTER], rel=0.03)
    assert losses.var(axis=0) == pytest.approx([risk.variance for risk in REGISTER], rel=0.04)
    total = losses.sum(axis=1)
    assert total.mean() == pytest.approx(r.expected_loss(REGISTER), rel=0.02)
    if correlation == 0:
        assert total.std() == pytest.approx(r.independent_deviation(REGISTER), rel=0.02)
    both = np.mean((losses[:, 0] > 0) & (losses[:, 1] > 0))
    at = stats.norm.ppf([0.2, 0.5])
    wanted = stats.multivariate_normal.cdf(at, cov=[[1, correlation], [correlation, 1]])
    assert both == pytest.approx(wanted, abs=0.003)


def test_a_matrix_of_correlations():
    matrix = [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]]
    happened = r.simulate_losses(REGISTER, num_draws=200_000, seed=0, correlation=matrix) > 0
    at = stats.norm.ppf([0.2, 0.5])
    wanted = stats.multivariate_normal.cdf(at, cov=[[1, 0.6], [0.6, 1]])
    assert np.mean(happened[:, 0] & happened[:, 1]) == pytest.approx(wanted, abs=0.004)
    assert np.mean(happened[:, 0] & happened[:, 2]) == pytest.approx(0.2 * 0.05, abs=0.002)


def test_tornado_sorts_by_swing():
    rows = r.tornado(lambda x, y, z: 2 * x - y * z, {"x": (0, 1, 2), "y": (1, 2, 3), "z": (5, 5, 6)})
    assert [name for name, _, _ in rows] == ["y", "x", "z"]
    assert rows[0] == ("y", 2 - 5, 2 - 15)


@pytest.mark.parametrize(("mean", "num_tests"), [(-3.0, 1), (2.0, 4), (0.0, math.inf), (5.0, 2)])
def test_value_of_a_test_against_simulation(mean, num_tests):
    rng, deviation, noise = np.random.default_rng(0), 4.0, 6.0
    gain = mean + deviation * rng.standard_normal(1_000_000)
    if num_tests == math.inf:
        believed = gain
    else:
        seen = gain + noise / math.sqrt(num_tests) * rng.standard_normal(len(gain))
        weight = deviation**2 / (deviation**2 + noise**2 / num_tests)
        believed = mean + weight * (seen - mean)
    informed = np.where(believed > 0, gain, 0).mean()        # what is really earned, decided by what is believed
    assert r.value_of_test(mean, deviation, noise, num_tests) == pytest.approx(informed - max(mean, 0), abs=0.02)


def test_value_of_a_test_grows_to_that_of_perfect_information():
    values = [r.value_of_test(-2, 3, 8, n) for n in (0, 1, 4, 16, 10_000, math.inf)]
    assert values[0] == 0 and values == sorted(values) and values[-2] == pytest.approx(values[-1], rel=1e-2)
    assert r.value_of_test(-2, 0, 8, 5) == 0 and r.value_of_test(-2, 3, 0, 1) == values[-1]


def test_value_of_a_trial_against_simulation():
    rng, gain, cost = np.random.default_rng(0), 100.0, 30.0
    rate = rng.beta(2, 6, 1_000_000)
    seen = rng.binomial(10, rate)
    informed = np.where(gain * (2 + seen) / 18 > cost, gain * rate - cost, 0).mean()
    found = r.value_of_trial(2, 6, 10, gain=gain, cost=cost)
    assert found == pytest.approx(informed - max(0, gain * 2 / 8 - cost), abs=0.05)
    assert r.value_of_trial(2, 6, 0, gain=gain, cost=cost) == 0
    perfect = np.maximum(gain * rate - cost, 0).mean()
    assert r.value_of_trial(2, 6, 5000, gain=gain, cost=cost) == pytest.approx(perfect, rel=0.02)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: r.Risk("x", 1.2, 1, 2, 3), "probability of risk 'x' must be between 0 and 1, found 1.2"),
    (lambda: r.Risk("x", 0.2, 4, 2, 3), "risk 'x' needs low ≤ likely ≤ high, found 4, 2, 3"),
    (lambda: r.Risk("x", 0.2, None, 2, 3), "low of risk 'x' must be a number, found None"),
    (lambda: r.simulate_losses([]), "at least one risk, found none"),
    (lambda: r.simulate_losses(REGISTER, correlation=-0.3), "correlation must be between 0 and 1, found -0.3"),
    (lambda: r.simulate_losses(REGISTER, correlation=np.eye(2)), r"matrix \[3, 3\], found shape \[2, 2\]"),
    (lambda: r.simulate_losses(REGISTER, correlation=2 * np.eye(3)), "symmetric with ones on its diagonal"),
    (lambda: r.simulate_losses(REGISTER, correlation=[[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]),
     "these correlations contradict each other"),
    (lambda: r.tornado(lambda x: x, {"x": (3, 2, 1)}), r"the range of x needs low ≤ middle ≤ high, found \(3, 2, 1\)"),
    (lambda: r.tornado(lambda: 0, {}), "at least one range, found none"),
    (lambda: r.value_of_test(1, -1, 1), "deviation must be 0 or more, found -1"),
    (lambda: r.value_of_trial(0, 1, 5, gain=1, cost=1), "successes must be above 0, found 0"),
    (lambda: ScheduleRisk(start={"persons": 3}), "start value 'persons' is unknown; did you mean people"),
])
def test_bad_risks(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- explorer --------------------------------------------------------------------------------------------------------


def test_schedule_explorer():
    explorer = ScheduleRisk()
    assert len(explorer.html()) < 80_000
    fixed = explorer.state["fixed"]
    still = ScheduleRisk.compute(**fixed, spread=0, correlation=0, people=8, buffer=0)
    assert still["plan"] == still["promise"] and still["chance"] == 1 and still["quantiles"] == [still["plan"]] * 3
    moving = ScheduleRisk.compute(**fixed, spread=1, correlation=0, people=8, buffer=0)
    assert moving["chance"] < 0.1 and moving["mean"] > still["plan"]
    normals = even_normals(512, 5)
    assert normals.mean(axis=0) == pytest.approx(np.zeros(5), abs=0.02)
    assert normals.std(axis=0) == pytest.approx(np.ones(5), abs=0.03)
