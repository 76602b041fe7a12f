"""When a project ends: simulated end dates and how often each task is critical, with sliders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special
from scipy.stats import qmc

from helpers.economics import schedule

from .base import Explorer, numbers

NUM_DRAWS = 512
MOST_PEOPLE = 6
GRID = np.linspace(-4, 4, 129)  # standard normal numbers at which the durations are tabulated
WORDS = {
    "spread": "spread",
    "correlation": "common cause",
    "people": "people",
    "buffer": "buffer on the plan",
    "ends": "Chance to be finished",
    "days": "working days",
    "share": "share of 512 simulated projects",
    "plan": "plan",
    "promise": "promise",
    "critical": "How often a task is critical",
    "task": "task",
    "status": "The plan says {plan} days. With {buffer} on top you promise {promise} and keep it {chance} of the time; "
    "half of the projects need more than {half} days, one in ten more than {late}. Of {tasks} tasks {watch} are "
    "critical in at least one project in twenty.",
}


class ScheduleRisk(Explorer):
    """Sliders for spread, common cause, people and buffer; end dates and criticality follow. Simulated.

    Args:
        tasks: at most 30 tasks; default: the work packages of the book's example, whose estimates are assumed.
        start: first values of spread, correlation, people and buffer.

    Raises:
        ValueError: bad dependencies, more than 30 tasks, or an unknown name in `start`.

    Derived in: book/outlook/management.
    """

    module = "schedule"

    def __init__(self, tasks: Sequence[schedule.Task] | None = None, start: dict[str, float] | None = None, *,
                 id: str | None = None) -> None:
        ordered = schedule.in_order(tasks or schedule.work_packages())
        if len(ordered) > 30:
            raise ValueError(f"ScheduleRisk shows at most 30 tasks, found {len(ordered)}; group some of them.")
        first = {"spread": 1.0, "correlation": 0.0, "people": MOST_PEOPLE, "buffer": 0.0}
        for name in start or {}:
            schedule.checks.one_of("start value", name, first)
        rows = {task.name: k for k, task in enumerate(ordered)}
        super().__init__(
            {
                "title": "When will it be finished?",
                "hint": "Set the spread to zero first: then everything goes as planned. Turn it up, and drag the "
                "promise in the left chart.",
                "source": "Simulated in this page: beta-PERT durations, 512 evenly spread draws. The estimates are "
                "assumed.",
                "words": WORDS,
                "most_people": MOST_PEOPLE,
                "start": first | (start or {}),
                "fixed": {
                    "names": list(rows),
                    "low": [task.optimistic for task in ordered],
                    "likely": [task.likely for task in ordered],
                    "high": [task.pessimistic for task in ordered],
                    "before": [[rows[name] for name in task.after] for task in ordered],
                    "shares": [numbers(_shares(task)) for task in ordered],
                    "normals": numbers(even_normals(NUM_DRAWS, len(ordered) + 1), 3),
                },
            },
            id=id,
        )

    @staticmethod
    def compute(names: list[str], low: list[float], likely: list[float], high: list[float], before: list[list[int]],
                shares: list[list[float]], normals: list[list[float]], spread: float, correlation: float, people: int,
                buffer: float) -> dict[str, Any]:
        """End dates and criticality, as the page computes them.

        Args:
            names, low, likely, high: the tasks and their three estimates in days.
            before: rows of each task's predecessors, all above its own row.
            shares: [num_tasks][129] where between its outer estimates a task ends for a standard normal number on
                GRID; between them in straight lines.
            normals: [num_draws][1 + num_tasks] standard normal numbers; the first of a row belongs to all tasks.
            spread: factor on the distance of each drawn duration from the likely one.
            correlation: share of the variance that all tasks have in common.
            people: how many work at the same time, one task a person.
            buffer: share added to the plan.

        Returns:
            plan and promise in days, chance of keeping it, quantiles [3] (0.1, 0.5, 0.9), criticality [num_tasks],
            mean of the ends.

        Derived in: book/outlook/management.
        """
        mode, z = np.asarray(likely, dtype=np.float64), np.asarray(normals, dtype=np.float64)
        level = np.sqrt(correlation) * z[:, 0] + np.sqrt(1 - correlation) * z[:, 1:].T
        days = np.empty(level.shape)
        for k, row in enumerate(days):
            drawn = low[k] + (high[k] - low[k]) * np.interp(level[k], GRID, shares[k])
            np.maximum(0.0, mode[k] + spread * (drawn - mode[k]), out=row)
        end, critical = schedule.schedule(before, days, people)
        plan = float(schedule.schedule(before, mode[:, None], people)[0][0])
        return {
            "plan": plan,
            "promise": plan * (1 + buffer),
            "chance": float(np.mean(end <= plan * (1 + buffer))),
            "mean": float(end.mean()),
            "quantiles": np.quantile(end, (0.1, 0.5, 0.9)).tolist(),
            "criticality": critical.mean(axis=1).tolist(),
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        fixed = ScheduleRisk().state["fixed"]
        small = {**fixed, "normals": numbers(even_normals(64, len(fixed["names"]) + 1, seed=1))}
        middle = {"spread": 1.0, "correlation": 0.0, "people": MOST_PEOPLE, "buffer": 0.15}
        changes = ({}, {"spread": 0.0, "buffer": 0.0}, {"spread": 2.0, "correlation": 0.9}, {"people": 1},
                   {"people": 3, "correlation": 0.4}, {"people": 2, "spread": 0.5, "buffer": 0.5})
        return [{**small, **middle, **change} for change in changes]


def _shares(task: schedule.Task) -> np.ndarray:
    """Return [129] quantiles of the beta-PERT distribution on 0 to 1 at the points of GRID."""
    width = task.pessimistic - task.optimistic
    peak = (task.likely - task.optimistic) / width if width else 0.0
    return special.betaincinv(1 + 4 * peak, 5 - 4 * peak, special.ndtr(GRID))


def even_normals(num_draws: int, num_columns: int, seed: int = 0) -> np.ndarray:
    """Return [num_draws, num_columns] standard normal numbers that fill the space evenly (a scrambled Sobol sequence).

    Args:
        num_draws: a power of two.
        num_columns: numbers a draw.
        seed: seed of the scrambling.

    Derived in: book/outlook/management.
    """
    return special.ndtri(qmc.Sobol(num_columns, rng=np.random.default_rng(seed)).random(num_draws))
