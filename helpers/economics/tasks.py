"""Tasks of a project: three estimates each, what comes before what, and an order in which they can be done."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from helpers.economics import checks


@dataclass(frozen=True)
class Task:
    """One task with three estimates of its working days and the tasks that must be finished before it starts.

    Attributes:
        name: short name, used in `after` of other tasks.
        optimistic, likely, pessimistic: shortest, most likely and longest duration in days.
        after: names of the tasks that come first.
        what: what is done, in words.

    Raises:
        ValueError: an estimate is negative or missing, or the three are not in order.
    """

    name: str
    optimistic: float
    likely: float
    pessimistic: float
    after: tuple[str, ...] = ()
    what: str = ""

    def __post_init__(self) -> None:
        """Check the three estimates."""
        for kind in ("optimistic", "likely", "pessimistic"):
            object.__setattr__(self, kind, checks.not_negative(f"{kind} of task {self.name!r}", getattr(self, kind)))
        object.__setattr__(self, "after", (self.after,) if isinstance(self.after, str) else tuple(self.after))
        if not self.optimistic <= self.likely <= self.pessimistic:
            raise ValueError(f"task {self.name!r} needs optimistic ≤ likely ≤ pessimistic, found {self.optimistic:g}, "
                             f"{self.likely:g}, {self.pessimistic:g}; put the three estimates in order.")

    @property
    def mean(self) -> float:
        """Mean in days by PERT, (a + 4m + b)/6; also the mean of the beta-PERT distribution. Source: malcolm1959."""
        return (self.optimistic + 4 * self.likely + self.pessimistic) / 6

    @property
    def deviation(self) -> float:
        """Standard deviation in days by PERT's convention, (b − a)/6. Source: malcolm1959."""
        return (self.pessimistic - self.optimistic) / 6


@cache
def work_packages() -> tuple[Task, ...]:
    """Return the tasks of the book's example venture, estimates in working days; all of them are assumed.

    Derived in: book/outlook/management.
    """
    text = files("helpers.economics").joinpath("tasks.csv").read_text(encoding="utf-8")
    return tuple(
        Task(row["name"], float(row["optimistic"]), float(row["likely"]), float(row["pessimistic"]),
             tuple(row["after"].split()), row["what"])
        for row in csv.DictReader(text.splitlines())
    )


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks so that each stands after its predecessors; where there is a choice, as in the list.

    Args:
        tasks: at least one task, names unique.

    Raises:
        ValueError: no task, a name occurs twice, a predecessor is unknown, or dependencies form a cycle (named).

    Derived in: book/outlook/management.
    """
    tasks = list(tasks)
    place = {task.name: k for k, task in enumerate(tasks)}
    if not tasks:
        raise ValueError("a schedule needs at least one task, found none; pass a list of Task(...).")
    if len(place) < len(tasks):
        twice = next(task.name for k, task in enumerate(tasks) if place[task.name] != k)
        raise ValueError(f"task {twice!r} occurs twice; give every task its own name.")
    waiting, followers = {}, {task.name: [] for task in tasks}
    for task in tasks:
        for before in task.after:
            followers[checks.one_of(f"predecessor of task {task.name!r}", before, place)].append(task.name)
        waiting[task.name] = len(task.after)
    ready = [place[name] for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    ordered = []
    while ready:
        task = tasks[heapq.heappop(ready)]
        ordered.append(task)
        for name in followers[task.name]:
            waiting[name] -= 1
            if waiting[name] == 0:
                heapq.heappush(ready, place[name])
    if len(ordered) < len(tasks):
        raise ValueError(f"dependencies form a cycle: {' → '.join(_cycle(tasks, place, ordered))}; "
                         "remove one of these arrows.")
    return ordered


def _cycle(tasks: list[Task], place: dict[str, int], ordered: list[Task]) -> list[str]:
    """Return one cycle among the tasks that could not be ordered, first name repeated at the end."""
    done = {task.name for task in ordered}
    chain = [next(task.name for task in tasks if task.name not in done)]
    while chain.count(chain[-1]) == 1:
        chain.append(next(name for name in tasks[place[chain[-1]]].after if name not in done))
    return chain[chain.index(chain[-1]):][::-1]
