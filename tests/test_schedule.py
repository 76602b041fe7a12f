"""Schedules: order and cycles, critical path against every path, PERT, Monte Carlo against closed forms, people."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from helpers.economics import schedule as s
from helpers.economics.tasks import Task


def graph(num_tasks=12, seed=0):
    """A random graph; each task follows up to three earlier ones."""
    rng = np.random.default_rng(seed)
    tasks = []
    for k in range(num_tasks):
        low, middle, high = np.sort(rng.uniform(1, 20, 3))
        before = sorted({f"t{j}" for j in rng.integers(0, k, rng.integers(0, 4))}) if k else []
        tasks.append(Task(f"t{k}", low, middle, high, tuple(before)))
    return tasks


def every_path(tasks):
    """All chains that lead to each task, by brute force."""
    by_name = {task.name: task for task in tasks}

    def chains(task):
        if not task.after:
            return [[task]]
        return [[*chain, task] for name in task.after for chain in chains(by_name[name])]

    return [chain for task in tasks for chain in chains(task)]


def rows(tasks):
    place = {task.name: k for k, task in enumerate(tasks)}
    return [[place[name] for name in task.after] for task in tasks]


# -- order and critical path -----------------------------------------------------------------------------------------


def test_the_order_keeps_predecessors_first_and_the_list_where_it_may():
    tasks = [Task("c", 1, 1, 1, ("a",)), Task("b", 1, 1, 1), Task("a", 1, 1, 1)]
    assert [task.name for task in s.in_order(tasks)] == ["b", "a", "c"]
    assert [task.name for task in s.in_order(s.work_packages())] == [task.name for task in s.work_packages()]


@pytest.mark.parametrize("seed", range(6))
def test_critical_path_is_the_longest_of_all_paths(seed):
    tasks = graph(seed=seed)
    plan = s.critical_path(tasks)
    longest = max(every_path(tasks), key=lambda chain: sum(task.likely for task in chain))
    assert plan.days == pytest.approx(sum(task.likely for task in longest))
    assert plan.path == tuple(task.name for task in longest)
    assert all(plan.slack[name] == pytest.approx(0, abs=1e-9) for name in plan.path)


def test_slack_is_what_a_task_may_slip():
    tasks = graph(seed=3)
    plan = s.critical_path(tasks)
    for task in tasks:
        for more, moved in ((0.0, 0.0), (1.0, 1.0)):
            slipped = s.critical_path(tasks, {task.name: task.likely + plan.slack[task.name] + more})
            assert slipped.days - plan.days == pytest.approx(moved, abs=1e-9)


# -- PERT and Monte Carlo --------------------------------------------------------------------------------------------


def test_pert_is_a_sum_along_the_path_of_means():
    found = s.pert([Task("a", 1, 2, 9), Task("b", 2, 4, 6, ("a",)), Task("c", 1, 1, 1)])
    assert found.path == ("a", "b") and found.mean == pytest.approx(3 + 4)
    assert found.deviation == pytest.approx(math.hypot(8 / 6, 4 / 6))
    assert found.chance(found.quantile(0.8)) == pytest.approx(0.8)


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize("distribution", s.DISTRIBUTIONS)
def test_durations_have_the_moments_of_their_distribution(distribution, correlation):
    tasks = [Task("a", 2, 5, 16), Task("b", 3, 3, 9), Task("c", 4, 4, 4)]
    days = s.draw_durations(tasks, 200_000, seed=1, distribution=distribution, correlation=correlation)
    for row, task in zip(days, tasks, strict=True):
        a, m, b = task.optimistic, task.likely, task.pessimistic
        assert row.min() >= a and row.max() <= b
        if distribution == "pert":                           # beta-PERT: variance (μ − a)(b − μ)/7
            mean, variance = task.mean, (task.mean - a) * (b - task.mean) / 7
        else:
            mean, variance = (a + m + b) / 3, (a * a + m * m + b * b - a * m - a * b - m * b) / 18
        assert row.mean() == pytest.approx(mean, abs=0.02)
        assert row.var() == pytest.approx(variance, rel=0.02, abs=1e-12)
    linked = stats.spearmanr(days[0], days[1])[0]            # of a Gaussian copula: 6/π · arcsin(r/2)
    assert linked == pytest.approx(6 / math.pi * math.asin(correlation / 2), abs=0.01)


def test_a_chain_ends_at_the_sum_of_the_means():
    tasks = [Task(f"t{k}", 1, 3 + k, 20, (f"t{k - 1}",) if k else ()) for k in range(10)]
    found = s.simulate(tasks, num_draws=40_000, seed=0)
    total = sum(task.mean for task in tasks)
    deviation = math.sqrt(sum((task.mean - 1) * (20 - task.mean) / 7 for task in tasks))
    assert found.days.mean() == pytest.approx(total, abs=4 * deviation / 200)
    assert found.days.std() == pytest.approx(deviation, rel=0.02)
    assert set(found.criticality.values()) == {1.0}


def test_merge_bias_of_two_normals():
    assert s.expected_maximum(10, 2, 10, 2) == pytest.approx(10 + 2 / math.sqrt(math.pi))
    assert s.expected_maximum(10, 2, 10, 2, 1.0) == 10
    draws = np.random.default_rng(0).multivariate_normal([10, 11], [[9, 3], [3, 4]], 400_000)
    exact = s.expected_maximum(10, 3, 11, 2, 0.5)
    assert draws.max(axis=1).mean() == pytest.approx(exact, abs=0.02)
    assert s.expected_maximum(5, 0, 7, 0) == 7


def test_the_simulated_schedule_is_the_longest_path_of_each_draw():
    tasks = graph(seed=4)
    days = s.draw_durations(tasks, 200, seed=0)
    end, critical = s.schedule(rows(tasks), days)
    place = {task.name: k for k, task in enumerate(tasks)}
    lengths = np.array([days[[place[task.name] for task in chain]].sum(axis=0) for chain in every_path(tasks)])
    assert end == pytest.approx(lengths.max(axis=0))
    for draw in range(20):                                   # critical: a longer task moves the end
        for k in range(len(tasks)):
            longer = days[:, [draw]].copy()
            longer[k] += 1e-6
            assert (s.schedule(rows(tasks), longer)[0][0] > end[draw] + 5e-7) == critical[k, draw]


def test_two_equal_branches_are_critical_half_of_the_time():
    tasks = [Task("a", 1, 4, 9), Task("b", 1, 4, 9), Task("end", 1, 1, 1, ("a", "b"))]
    found = s.simulate(tasks, num_draws=20_000, seed=0)
    assert found.criticality["a"] == pytest.approx(0.5, abs=0.02) and found.criticality["end"] == 1
    assert found.criticality["a"] + found.criticality["b"] == pytest.approx(1)
    assert found.days.mean() > s.pert(tasks).mean + 0.5


def test_common_causes_widen_the_end():
    alone, together = (s.simulate(s.work_packages(), seed=0, correlation=r) for r in (0.0, 0.5))
    assert together.days.std() > 1.3 * alone.days.std()


# -- people ----------------------------------------------------------------------------------------------------------


def test_one_person_does_all_and_many_are_no_limit():
    tasks = graph(seed=5)
    days = s.draw_durations(tasks, 300, seed=0)
    end, critical = s.schedule(rows(tasks), days, 1)
    assert end == pytest.approx(days.sum(axis=0)) and critical.all()
    assert (s.schedule(rows(tasks), days, len(tasks))[0] == s.schedule(rows(tasks), days)[0]).all()
    means = [s.simulate(s.work_packages(), people=people).days.mean() for people in (1, 2, 3, 4, 5, None)]
    assert means == sorted(means, reverse=True)


def test_no_more_tasks_run_at_once_than_people():
    before = [[], [], [], [], [0], [1, 2]]
    days = np.array([[3.0], [4.0], [2.0], [5.0], [1.0], [2.0]])
    # two people: rows 0 and 1 from day 0; row 2 days 3 to 5, row 3 days 4 to 9, row 4 days 5 to 6, row 5 days 6 to 8
    end, critical = s.schedule(before, days, 2)
    assert end[0] == 9 and critical[:, 0].tolist() == [False, True, False, True, False, False]


@pytest.mark.parametrize("people", [2, 3, 4])
def test_with_few_people_critical_is_what_moves_the_end(people):
    tasks = s.in_order(graph(seed=7))
    days = s.draw_durations(tasks, 30, seed=0)
    end, critical = s.schedule(rows(tasks), days, people)
    assert (end >= s.schedule(rows(tasks), days)[0] - 1e-9).all()
    assert (end >= days.sum(axis=0) / people - 1e-9).all()
    for k in range(len(tasks)):
        longer = days.copy()
        longer[k] += 1e-6
        moved = s.schedule(rows(tasks), longer, people)[0] - end
        assert ((moved > 5e-7) == critical[k]).all()


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("estimates", "message"), [
    ((5, 3, 9), r"task 'x' needs optimistic ≤ likely ≤ pessimistic, found 5, 3, 9; put"),
    ((-1, 3, 9), r"optimistic of task 'x' must be 0 or more, found -1"),
    ((1, float("nan"), 9), r"likely of task 'x' must be finite, found nan"),
    ((1, 2, None), r"pessimistic of task 'x' must be a number, found None"),
])
def test_bad_estimates(estimates, message):
    with pytest.raises(ValueError, match=message):
        Task("x", *estimates)


def test_bad_graphs():
    with pytest.raises(ValueError, match="cycle: (tune → evaluate → collect|evaluate → collect|collect → tune)"):
        s.in_order([Task("start", 1, 1, 1), Task("collect", 1, 1, 1, ("start", "evaluate")),
                    Task("tune", 1, 1, 1, ("collect",)), Task("evaluate", 1, 1, 1, ("tune",))])
    with pytest.raises(ValueError, match="cycle: a → a; remove"):
        s.critical_path([Task("a", 1, 1, 1, "a")])
    with pytest.raises(ValueError, match="predecessor of task 'b' 'pretrian' is unknown; did you mean pretrain"):
        s.in_order([Task("pretrain", 1, 1, 1), Task("b", 1, 1, 1, ("pretrian",))])
    with pytest.raises(ValueError, match="task 'a' occurs twice"):
        s.in_order([Task("a", 1, 1, 1), Task("a", 1, 1, 1)])
    with pytest.raises(ValueError, match="at least one task, found none"):
        s.simulate([])


@pytest.mark.parametrize(("options", "message"), [
    ({"distribution": "beta"}, "distribution 'beta' is unknown"),
    ({"correlation": 1.2}, "correlation must be between 0 and 1, found 1.2"),
    ({"num_draws": 0}, "num_draws must be a whole number of at least 1, found 0"),
    ({"people": 0}, "people must be a whole number of at least 1, found 0"),
])
def test_bad_simulations(options, message):
    with pytest.raises(ValueError, match=message):
        s.simulate(s.work_packages(), **{"num_draws": 100, **options})


def test_other_bad_input():
    with pytest.raises(ValueError, match="task 'tone' is unknown; did you mean tune"):
        s.critical_path(s.work_packages(), {"tone": 3})
    with pytest.raises(ValueError, match="correlation must be between -1 and 1, found 2"):
        s.expected_maximum(1, 1, 1, 1, 2)
    with pytest.raises(ValueError, match="level must be between 0 and 1, found 90"):
        s.simulate(s.work_packages(), num_draws=100).quantile(90)


def test_the_global_generator_is_untouched_and_seeds_repeat():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (s.simulate(s.work_packages(), num_draws=50, seed=k).days for k in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
