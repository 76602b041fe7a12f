"""Schedules under uncertainty: critical path, PERT and Monte Carlo on a graph of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy import special

from helpers.economics import checks
from helpers.economics.tasks import Task, in_order, work_packages

__all__ = [
    "DISTRIBUTIONS", "Pert", "Plan", "Simulation", "Task", "critical_path", "draw_durations", "expected_maximum",
    "in_order", "pert", "schedule", "simulate", "triangular_quantile", "work_packages",
]

DISTRIBUTIONS = ("pert", "triangular")


@dataclass(frozen=True)
class Plan:
    """The critical-path plan for one set of durations.

    Attributes:
        days: length of the project.
        path: the longest chain of tasks, first to last; the first in the order of the list where several tie.
        start, finish: earliest day of start and finish, by task.
        slack: days by which a task can slip without moving the end (total float), by task; 0 on the critical path.
    """

    days: float
    path: tuple[str, ...]
    start: Mapping[str, float]
    finish: Mapping[str, float]
    slack: Mapping[str, float]

    def __str__(self) -> str:
        """Say length and critical path in one line."""
        return f"{self.days:g} days along {' → '.join(self.path)}"


@dataclass(frozen=True)
class Pert:
    """PERT's normal approximation: the sum along the path that is longest by mean durations.

    Attributes:
        mean, deviation: mean and standard deviation of the end, in days.
        path: the tasks of that path, first to last.
    """

    mean: float
    deviation: float
    path: tuple[str, ...]

    def chance(self, days: float) -> float:
        """Return the chance, by PERT, of being finished within these days.

        Raises:
            ValueError: the days are negative or missing.
        """
        days = checks.not_negative("days", days)
        return float(special.ndtr((days - self.mean) / self.deviation)) if self.deviation else float(days >= self.mean)

    def quantile(self, level: float) -> float:
        """Return the days within which, by PERT, the project is finished with this probability.

        Raises:
            ValueError: the probability lies outside 0 to 1.
        """
        return self.mean + self.deviation * float(special.ndtri(checks.fraction("level", level)))


@dataclass(frozen=True)
class Simulation:
    """End dates of many simulated projects.

    Attributes:
        days: [num_draws] length of each simulated project.
        criticality: share of the draws in which a task lay on the critical path, by task.
        mean_days: mean simulated duration, by task.
        seed: seed of the draws.
    """

    days: np.ndarray
    criticality: Mapping[str, float]
    mean_days: Mapping[str, float]
    seed: int

    def chance(self, days: float) -> float:
        """Return the share of simulated projects that are finished within these days.

        Raises:
            ValueError: the days are negative or missing.
        """
        return float(np.mean(self.days <= checks.not_negative("days", days)))

    def quantile(self, level: float) -> float:
        """Return the days within which this share of the simulated projects is finished.

        Raises:
            ValueError: the share lies outside 0 to 1.
        """
        return float(np.quantile(self.days, checks.fraction("level", level)))

    def __str__(self) -> str:
        """Say mean and range in one line."""
        low, middle, high = (self.quantile(level) for level in (0.1, 0.5, 0.9))
        return (f"{len(self.days):,} simulated projects: mean {self.days.mean():.1f} days, half within {middle:.1f}, "
                f"one in ten within {low:.1f}, nine in ten within {high:.1f}")


def critical_path(tasks: Sequence[Task], durations: Mapping[str, float] | None = None) -> Plan:
    """Return earliest times, slack and the critical path, by a pass forward and a pass backward.

    Args:
        tasks: the tasks, in any order.
        durations: days by task; tasks that are not named, or all without it, take their likely duration.

    Raises:
        ValueError: bad dependencies (see `in_order`), an unknown task or a negative duration.

    Source: kelley1959. Derived in: book/outlook/management.
    """
    ordered = in_order(tasks)
    days = {task.name: task.likely for task in ordered}
    for name, value in (durations or {}).items():
        days[checks.one_of("task", name, days)] = checks.not_negative(f"duration of task {name!r}", value)
    start, finish = {}, {}
    for task in ordered:
        start[task.name] = max((finish[before] for before in task.after), default=0.0)
        finish[task.name] = start[task.name] + days[task.name]
    total = max(finish.values())
    latest = dict.fromkeys(finish, total)
    for task in reversed(ordered):
        for before in task.after:
            latest[before] = min(latest[before], latest[task.name] - days[task.name])
    path = [next(task for task in ordered if finish[task.name] == total)]
    while path[-1].after:
        before = next(name for name in path[-1].after if finish[name] == start[path[-1].name])
        path.append(next(task for task in ordered if task.name == before))
    slack = {name: latest[name] - finish[name] for name in finish}
    return Plan(total, tuple(task.name for task in reversed(path)), *map(MappingProxyType, (start, finish, slack)))


def pert(tasks: Sequence[Task]) -> Pert:
    """Return PERT's mean and standard deviation of the end: sums along the path that is longest by mean durations.

    Args:
        tasks: the tasks, in any order.

    Raises:
        ValueError: bad dependencies (see `in_order`).

    Source: malcolm1959. Derived in: book/outlook/management.
    """
    path = critical_path(tasks, {task.name: task.mean for task in tasks}).path
    chosen = [task for task in tasks if task.name in path]
    return Pert(math.fsum(task.mean for task in chosen), math.sqrt(sum(task.deviation**2 for task in chosen)), path)


def expected_maximum(mean: float, deviation: float, other_mean: float, other_deviation: float,
                     correlation: float = 0.0) -> float:
    """Return the mean of the later of two normal dates; for two equal independent ones μ + σ/√π.

    Args:
        mean, deviation, other_mean, other_deviation: the two normals, in days.
        correlation: between them, from −1 to 1.

    Raises:
        ValueError: a deviation is negative or the correlation lies outside −1 to 1.

    Derived in: book/outlook/management.
    """
    a, b = checks.not_negative("deviation", deviation), checks.not_negative("other_deviation", other_deviation)
    if not -1 <= checks.finite("correlation", correlation) <= 1:
        raise ValueError(f"correlation must be between -1 and 1, found {correlation!r}; pass a number in that range.")
    spread = math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))
    if spread == 0:
        return max(mean, other_mean)
    z = (mean - other_mean) / spread
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return float(mean * special.ndtr(z) + other_mean * special.ndtr(-z) + spread * density)


def schedule(before: Sequence[Sequence[int]], durations: np.ndarray, people: int | None = None
             ) -> tuple[np.ndarray, np.ndarray]:
    """Return the end and what was critical for many sets of durations at once.

    With `people`, tasks are handed out in the order of the rows. Of those who are free when a task can start it goes to
    the one who became free last; if all are busy, to whoever is free first.

    Args:
        before: for each task the rows of its predecessors, all of them above its own row.
        durations: [num_tasks, num_draws] days.
        people: how many can work at the same time, one task a person; None for no limit.

    Returns:
        [num_draws] end in days, and [num_tasks, num_draws] whether a delay of the task would have delayed the end.

    Raises:
        ValueError: `people` is not a whole number of at least 1.

    Derived in: book/outlook/management.
    """
    num_tasks, num_draws = durations.shape
    limited = people is not None and checks.count("people", people) < num_tasks
    free = np.zeros((people if limited else 1, num_draws))
    last = np.full(free.shape, -1)
    held, draw = {}, np.arange(num_draws)
    start, finish = np.zeros_like(durations), np.empty_like(durations)
    for k in range(num_tasks):
        for row in before[k]:
            np.maximum(start[k], finish[row], out=start[k])
        if limited:
            idle = free <= start[k]
            who = np.where(idle.any(axis=0), np.where(idle, free, -1.0).argmax(axis=0), free.argmin(axis=0))
            held[k] = last[who, draw]
            np.maximum(start[k], free[who, draw], out=start[k])
        np.add(start[k], durations[k], out=finish[k])
        if limited:
            free[who, draw], last[who, draw] = finish[k], k
    end = finish.max(axis=0)
    critical = finish == end
    for k in range(num_tasks - 1, -1, -1):
        for row in before[k]:
            critical[row] |= critical[k] & (finish[row] == start[k])
        if limited:
            earlier = held[k]
            hit = critical[k] & (earlier >= 0) & (finish[earlier, draw] == start[k])
            critical[earlier[hit], draw[hit]] = True
    return end, critical


def draw_durations(tasks: Sequence[Task], num_draws: int, *, seed: int = 0, distribution: str = "pert",
                   correlation: float = 0.0) -> np.ndarray:
    """Draw durations between the optimistic and the pessimistic estimate.

    Args:
        tasks: the tasks.
        num_draws: number of simulated projects.
        seed: seed of NumPy's generator; the global generator is not touched.
        distribution: "pert" (beta, mean (a + 4m + b)/6) or "triangular" (mean (a + m + b)/3).
        correlation: share of the variance, in a Gaussian copula, that all tasks have in common, from 0 to 1.

    Returns:
        [num_tasks, num_draws] days.

    Raises:
        ValueError: unknown distribution, or a number out of its range.

    Derived in: book/outlook/management.
    """
    checks.one_of("distribution", distribution, DISTRIBUTIONS)
    num_draws, common = checks.count("num_draws", num_draws), checks.fraction("correlation", correlation)
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal(num_draws) * math.sqrt(common) if common else None
    days = np.empty((len(tasks), num_draws))
    for row, task in zip(days, tasks, strict=True):
        width = task.pessimistic - task.optimistic
        peak = (task.likely - task.optimistic) / width if width else 0.0
        if shared is not None:
            level = special.ndtr(shared + math.sqrt(1 - common) * rng.standard_normal(num_draws))
            share = (special.betaincinv(1 + 4 * peak, 5 - 4 * peak, level) if distribution == "pert"
                     else triangular_quantile(level, peak))
        elif distribution == "pert":
            share = rng.beta(1 + 4 * peak, 5 - 4 * peak, num_draws)
        else:
            share = triangular_quantile(rng.random(num_draws), peak)
        np.add(task.optimistic, width * share, out=row)
    return days


def triangular_quantile(level: np.ndarray, peak: float) -> np.ndarray:
    """Return the quantiles of the triangular distribution on 0 to 1 with its peak at `peak`.

    Args:
        level: probabilities from 0 to 1, any shape.
        peak: most likely value, from 0 to 1.

    Derived in: book/outlook/management.
    """
    return np.where(level <= peak, np.sqrt(level * peak), 1 - np.sqrt((1 - level) * (1 - peak)))


def simulate(tasks: Sequence[Task], *, num_draws: int = 10_000, seed: int = 0, distribution: str = "pert",
             correlation: float = 0.0, people: int | None = None) -> Simulation:
    """Simulate the project: draw all durations, schedule each draw, count how often each task is critical.

    Args:
        tasks: the tasks, in any order; with `people` the order is the order in which work is handed out.
        num_draws, seed, distribution, correlation: see `draw_durations`.
        people: see `schedule`.

    Raises:
        ValueError: bad dependencies (see `in_order`) or a number out of its range.

    Source: vanslyke1963. Derived in: book/outlook/management.
    """
    ordered = in_order(tasks)
    rows = {task.name: k for k, task in enumerate(ordered)}
    days = draw_durations(ordered, num_draws, seed=seed, distribution=distribution, correlation=correlation)
    end, critical = schedule([[rows[name] for name in task.after] for task in ordered], days, people)
    share = dict(zip(rows, critical.mean(axis=1).tolist(), strict=True))
    means = dict(zip(rows, days.mean(axis=1).tolist(), strict=True))
    return Simulation(end, MappingProxyType(share), MappingProxyType(means), seed)
