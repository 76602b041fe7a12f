"""Who gets the devices: hours shared out by a linear programme, whole projects chosen by an integer programme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.optimize import LinearConstraint, linprog, milp

from helpers.economics import checks

TOLERANCE = 1e-7


@dataclass(frozen=True)
class Job:
    """Work that can use any number of hours between two bounds.

    Attributes:
        name: short name.
        value: worth of one unit of work, in USD; a unit is an hour on a device of speed 1.
        speed: units of work done in one hour, by kind of device; kinds that are absent cannot do it.
        at_least, at_most: units of work promised and units beyond which more is worth nothing.

    Raises:
        ValueError: a number is negative or missing, no device can do the work, or the bounds are not in order.
    """

    name: str
    value: float
    speed: Mapping[str, float]
    at_least: float = 0.0
    at_most: float = math.inf

    def __post_init__(self) -> None:
        """Check the numbers."""
        checks.not_negative(f"value of job {self.name!r}", self.value)
        if not self.speed:
            raise ValueError(f"job {self.name!r} runs on no device; give the speed on at least one kind.")
        for kind, speed in self.speed.items():
            checks.positive(f"speed of job {self.name!r} on {kind}", speed)
        low = checks.not_negative(f"at_least of job {self.name!r}", self.at_least)
        high = self.at_most if self.at_most == math.inf else checks.not_negative(
            f"at_most of job {self.name!r}", self.at_most)
        if low > high:
            raise ValueError(f"job {self.name!r} promises at least {low:g} but may take at most {high:g}; lower the "
                             "promise or raise the limit.")


@dataclass(frozen=True)
class Allocation:
    """The best division of the hours.

    Attributes:
        hours: hours by job and kind of device.
        work: units of work by job.
        value: worth of all work in USD.
        shadow_prices: what one more usable hour of a kind of device would add to the value, in USD.
        promise_costs: what one more promised unit of a job would take from the value, in USD.
    """

    hours: Mapping[str, Mapping[str, float]]
    work: Mapping[str, float]
    value: float
    shadow_prices: Mapping[str, float]
    promise_costs: Mapping[str, float] = field(default_factory=dict)


def allocate(jobs: Sequence[Job], hours: Mapping[str, float]) -> Allocation:
    """Divide hours of devices among jobs so that the work is worth most: a linear programme.

    Args:
        jobs: the jobs, names unique.
        hours: usable hours that exist, by kind of device.

    Raises:
        ValueError: no job, a name occurs twice, a device is unknown, hours are negative, or the promises cannot all be
            kept (the message names what lacks hours).

    Derived in: book/outlook/management.
    """
    jobs, kinds = _named(jobs, "job"), list(hours)
    supply = np.array([checks.not_negative(f"hours of {kind}", hours[kind]) for kind in kinds])
    pairs = [(j, checks.one_of(f"device of job {job.name!r}", kind, kinds)) for j, job in enumerate(jobs)
             for kind in job.speed]
    speed = np.array([jobs[j].speed[kind] for j, kind in pairs])
    used = np.array([[float(kind == row) for _, kind in pairs] for row in kinds])       # hours of each device
    done = np.array([[speed[k] * (j == row) for k, (j, _) in enumerate(pairs)] for row in range(len(jobs))])
    low = np.array([job.at_least for job in jobs])
    capped = [row for row, job in enumerate(jobs) if math.isfinite(job.at_most)]
    rows = np.vstack([used, -done, done[capped]])
    bounds = np.concatenate([supply, -low, [jobs[row].at_most for row in capped]])
    worth = np.array([jobs[j].value for j, _ in pairs]) * speed
    found = linprog(-worth, A_ub=rows, b_ub=bounds, method="highs")
    if not found.success:
        raise ValueError(_what_lacks(jobs, kinds, supply, used, done, low))
    price = -found.ineqlin.marginals
    shared = {job.name: {} for job in jobs}
    for (j, kind), amount in zip(pairs, found.x, strict=True):
        shared[jobs[j].name][kind] = float(amount)
    work = {job.name: float(amount) for job, amount in zip(jobs, done @ found.x, strict=True)}
    costs = dict(zip(work, price[len(kinds):len(kinds) + len(jobs)].tolist(), strict=True))
    prices = dict(zip(kinds, price[:len(kinds)].tolist(), strict=True))
    return Allocation(MappingProxyType(shared), MappingProxyType(work), float(-found.fun), MappingProxyType(prices),
                      MappingProxyType(costs))


def _what_lacks(jobs: list[Job], kinds: list[str], supply: np.ndarray, used: np.ndarray, done: np.ndarray,
                low: np.ndarray) -> str:
    """Say which hours lack: the fewest further hours with which every promise can be kept."""
    num = len(kinds)
    rows = np.block([[used, -np.eye(num)], [-done, np.zeros((len(jobs), num))]])
    cost = np.concatenate([np.zeros(used.shape[1]), np.ones(num)])
    more = linprog(cost, A_ub=rows, b_ub=np.concatenate([supply, -low]), method="highs").x[-num:]
    short = [k for k in range(num) if more[k] > TOLERANCE]
    lacks = " and ".join(f"{more[k]:g} hours of {kinds[k]} (there are {supply[k]:g})" for k in short)
    names = {kinds[k] for k in short}
    promised = [f"{job.name} ({job.at_least:g})" for job in jobs if job.at_least > 0 and names & set(job.speed)]
    return f"the promises cannot all be kept: they lack {lacks}; rent more or lower {', '.join(promised)}."


@dataclass(frozen=True)
class Project:
    """A project that is done whole or not at all.

    Attributes:
        name: short name.
        value: worth in USD when done.
        needs: what it uses, by resource, such as {"gpu_hours": 400, "person_weeks": 3}.
        after: names of projects without which it cannot be done.
        must: True when it has to be done.

    Raises:
        ValueError: a number is negative or missing.
    """

    name: str
    value: float
    needs: Mapping[str, float]
    after: tuple[str, ...] = ()
    must: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        checks.not_negative(f"value of project {self.name!r}", self.value)
        for kind, amount in self.needs.items():
            checks.not_negative(f"{kind} of project {self.name!r}", amount)
        object.__setattr__(self, "after", (self.after,) if isinstance(self.after, str) else tuple(self.after))


@dataclass(frozen=True)
class Choice:
    """The best set of whole projects.

    Attributes:
        names: the projects chosen, in the order of the list.
        value: their worth in USD.
        left: what remains of each resource.
        bound: worth of the best division if projects could be split; never below `value`.
    """

    names: tuple[str, ...]
    value: float
    left: Mapping[str, float]
    bound: float


def choose(projects: Sequence[Project], supply: Mapping[str, float]) -> Choice:
    """Choose whole projects so that they are worth most and fit: an integer programme.

    Args:
        projects: the projects, names unique.
        supply: how much there is of each resource.

    Raises:
        ValueError: a name or resource is unknown, a number is negative, or the projects that must be done do not fit
            (the message names the resource).

    Derived in: book/outlook/management.
    """
    projects, kinds = _named(projects, "project"), list(supply)
    place = {project.name: k for k, project in enumerate(projects)}
    for project in projects:
        for kind in project.needs:
            checks.one_of(f"resource of project {project.name!r}", kind, kinds)
    limit = np.array([checks.not_negative(f"supply of {kind}", supply[kind]) for kind in kinds])
    needs = np.array([[float(project.needs.get(kind, 0)) for project in projects] for kind in kinds])
    links = [(k, place[checks.one_of(f"predecessor of project {project.name!r}", name, place)])
             for k, project in enumerate(projects) for name in project.after]
    follow = np.zeros((len(links), len(projects)))
    for row, (later, earlier) in zip(follow, links, strict=True):
        row[later], row[earlier] = 1, -1                     # chosen only if the earlier one is chosen
    forced = _forced(projects, place)
    for kind, total, most in zip(kinds, needs[:, forced].sum(axis=1), limit, strict=True):
        if total > most + TOLERANCE:
            names = ", ".join(projects[k].name for k in forced)
            raise ValueError(f"what must be done ({names}) needs {total:g} {kind}, there are {most:g}; provide "
                             f"{total - most:g} more or drop a must.")
    low = np.array([float(k in forced) for k in range(len(projects))])
    rows = [LinearConstraint(needs, -np.inf, limit)]
    rows += [LinearConstraint(follow, -np.inf, 0)] if links else []
    worth, bounds = -np.array([project.value for project in projects]), (low, np.ones(len(projects)))
    whole, split = (milp(worth, constraints=rows, bounds=bounds, integrality=kind) for kind in (1, 0))
    chosen = np.round(whole.x)
    left = dict(zip(kinds, (limit - needs @ chosen).tolist(), strict=True))
    names = tuple(project.name for project, taken in zip(projects, chosen, strict=True) if taken)
    return Choice(names, float(-worth @ chosen), MappingProxyType(left), float(-split.fun))


def _forced(projects: list[Project], place: dict[str, int]) -> list[int]:
    """Return the places of the projects that must be done and of all that they need."""
    forced, waiting = set(), [k for k, project in enumerate(projects) if project.must]
    while waiting:
        k = waiting.pop()
        if k not in forced:
            forced.add(k)
            waiting += [place[name] for name in projects[k].after]
    return sorted(forced)


def _named(items: Sequence[Job] | Sequence[Project], word: str) -> list:
    """Return the items as a list of at least one with unique names."""
    items = list(items)
    if not items:
        raise ValueError(f"there must be at least one {word}, found none; pass a list.")
    names = [item.name for item in items]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{word} {name!r} occurs twice; give every {word} its own name.")
    return items
