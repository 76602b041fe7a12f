"""The choice between routes: the cheapest open one, where it turns, what an error costs, what waiting is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.economics import checks
from helpers.economics.routes import (
    Route,
    Situation,
    answer_seconds,
    device_seconds,
    examples_for,
    running,
    total,
    upfront,
)


def gates(route: Route, s: Situation) -> dict[str, str]:
    """What excludes a route: {gate: reason}; empty where it is open.

    Args:
        route: the route.
        s: the situation; its gates are data, rights, terms, weights, latency, deadline and quality.

    Derived in: book/outlook/train_tune_or_rent.
    """
    closed = {}
    if not s.data_may_leave and (route.vendor or route.teacher):
        closed["data"] = "your data may not leave"
    if not s.may_train_on_data and not route.vendor:
        closed["rights"] = "you may not train on your data"
    if not s.may_train_on_answers and route.teacher:
        closed["terms"] = "the vendor's terms forbid training on its answers"
    if not s.may_use_weights and route.weights:
        closed["weights"] = "no open weights may be used"
    seconds = answer_seconds(route, s)
    if seconds > s.max_seconds:
        closed["latency"] = f"an answer takes {seconds:.3g} s, allowed are {s.max_seconds:.3g} s"
    if route.build > s.people * s.deadline:
        who = "1 person needs" if s.people == 1 else f"{s.people:g} people need"
        closed["deadline"] = f"{who} {route.build / s.people:.3g} months to build it, allowed are {s.deadline:.3g}"
    if np.isinf(examples_for(s.quality, route)):
        closed["quality"] = f"it reaches {route.ceiling:.2f} at most, you require {s.quality:.2f}"
    return closed


def cost_table(s: Situation, routes: Sequence[Route], volume: Any = None, quality: Any = None) -> Any:
    """USD of every route over the plan, [num_routes, ...]; infinite where a gate or the quality excludes it.

    Args:
        s: the situation; `volume` and `quality`, of shapes that fit each other, replace its own.
        routes: the routes.

    Derived in: book/outlook/train_tune_or_rent.
    """
    rows = []
    for route in routes:
        shut = set(gates(route, s)) - ({"quality"} if quality is not None else set())
        rows.append(np.inf if shut else total(route, s, volume, quality))
    return np.array(np.broadcast_arrays(*[np.asarray(row, dtype=float) for row in rows]))


@dataclass(frozen=True)
class Decision:
    """The cheapest open route.

    Attributes:
        route: its name. cost: USD over the plan, discounted. per_thousand: USD for a thousand requests, likewise.
        costs: {route: USD} of every open route, cheapest first. excluded: {route: {gate: reason}}.
        examples: examples of your own that the route needs.
        boundaries: [(requests a day, cheapest below, cheapest above)] at this quality.
    """

    route: str
    cost: float
    per_thousand: float
    costs: dict[str, float]
    excluded: dict[str, dict[str, str]]
    examples: float
    boundaries: list[tuple[float, str, str]]

    def __str__(self) -> str:
        """Say route, cost and the runner-up in one line."""
        others = list(self.costs.items())[1:2]
        second = f"; next {others[0][0]} with {others[0][1]:,.0f}" if others else "; no other route is open"
        return f"{self.route}: {self.cost:,.0f} USD over the plan{second}"


def reasons(excluded: dict[str, dict[str, str]]) -> str:
    """Which gate excluded which route, in words."""
    return "; ".join(f"{name}: {', '.join(why.values())}" for name, why in excluded.items())


def decide(s: Situation, routes: Sequence[Route]) -> Decision:
    """Return the cheapest route that passes every gate and reaches the quality.

    Args:
        s: the situation.
        routes: the routes that are compared.

    Raises:
        ValueError: no route is left (the message says which gate excluded which), or `current` is not among them.

    Derived in: book/outlook/train_tune_or_rent.
    """
    if s.current:
        checks.one_of("current", s.current, [route.name for route in routes])
    closed = {route.name: gates(route, s) for route in routes}
    excluded = {name: why for name, why in closed.items() if why}
    openings = [route for route in routes if not closed[route.name]]
    if not openings:
        raise ValueError(f"No route is left ({reasons(excluded)}); loosen one of these, or do without the model.")
    costs = {route.name: float(total(route, s)) for route in openings}
    costs = dict(sorted(costs.items(), key=lambda item: item[1]))
    best = next(route for route in openings if route.name == next(iter(costs)))
    requests = s.volume * 30 * s.months
    return Decision(best.name, costs[best.name], 1000 * costs[best.name] / requests, costs, excluded,
                    float(examples_for(s.quality, best)), boundaries(s, openings))


def _kinks(route: Route, s: Situation) -> list[float]:
    """Volumes at which the cost of a route bends: the smallest fleet is full, the idle devices are used up."""
    if route.vendor:
        return []
    a_device = 86_400 * s.load / device_seconds(route, s)
    return [a_device * size for size in (route.devices, s.idle_devices) if size >= route.devices]


def break_even(a: Route, b: Route, s: Situation) -> list[float]:
    """Volumes (requests a day) at which two routes cost the same; gates are left aside.

    Every route's cost is a chain of straight lines in the volume, so each crossing is solved exactly.

    Args:
        a, b: the two routes.
        s: the situation; its volume is not used.

    Derived in: book/outlook/train_tune_or_rent.
    """
    edges = sorted({0.0, *_kinks(a, s), *_kinks(b, s)})
    edges.append(2 * edges[-1] + 1)
    gap = [float(total(a, s, volume) - total(b, s, volume)) for volume in edges]
    if not np.all(np.isfinite(gap)):
        return []
    found = []
    for i in range(len(edges) - 1):
        slope = (gap[i + 1] - gap[i]) / (edges[i + 1] - edges[i])
        root = edges[i] - gap[i] / slope if slope else np.inf
        last = i == len(edges) - 2
        if edges[i] < root <= (np.inf if last else edges[i + 1]) and np.isfinite(root):
            found.append(root)
    return found


def boundaries(s: Situation, routes: Sequence[Route]) -> list[tuple[float, str, str]]:
    """Where the cheapest route changes as the volume grows, at the situation's quality.

    Args:
        s: the situation; its volume is not used.
        routes: the routes; excluded ones are left out.

    Returns:
        [(requests a day, cheapest below, cheapest above)], rising in the volume.

    Derived in: book/outlook/train_tune_or_rent.
    """
    left = [route for route in routes if not gates(route, s)]
    points = sorted({v for i, a in enumerate(left) for b in left[i + 1:] for v in break_even(a, b, s)})
    if not points:
        return []
    middles = [points[0] / 2, *[(p * q) ** 0.5 for p, q in zip(points, points[1:], strict=False)], points[-1] * 2]
    best = [left[i].name for i in np.argmin(cost_table(s, left, volume=np.array(middles)), axis=0)]
    return [(point, below, above) for point, below, above in zip(points, best, best[1:], strict=False)
            if below != above]


def regret(believed: Situation, truth: Situation, routes: Sequence[Route],
           true_routes: Sequence[Route] | None = None) -> float:
    """USD lost by deciding on beliefs: cost in truth of the route chosen, less that of the best one.

    Args:
        believed: what the decision rests on. truth: what turns out.
        routes: the routes as believed; true_routes: as they turn out, None for the same.

    Returns:
        0 when the choice stays right; infinite when the chosen route turns out to be excluded.

    Raises:
        ValueError: no route is left in one of the two.

    Derived in: book/outlook/train_tune_or_rent.
    """
    real = list(true_routes or routes)
    best = decide(truth, real)
    return best_regret(decide(believed, routes).route, best)


def best_regret(chosen: str, best: Decision) -> float:
    """USD by which a route costs more than the best one of a decision; infinite when it is excluded there."""
    return best.costs.get(chosen, np.inf) - best.cost


@dataclass(frozen=True)
class Waiting:
    """Commit now, or start with one route and decide again when the volume is known.

    Attributes:
        commit, commit_cost: best single route, and its expected USD.
        first, low, high, wait_cost: first route, the routes after it in each case, and the expected USD.
        value: what being free to change is worth, USD; 0 when committing is as good.
    """

    commit: str
    commit_cost: float
    first: str
    low: str
    high: str
    wait_cost: float
    value: float


def waiting(s: Situation, routes: Sequence[Route], low: float, high: float, chance_high: float, month: int) -> Waiting:
    """Value of deciding again at `month`, when the volume turns out low or high; until then it is `s.volume`.

    Leaving a route costs `s.switching_cost`, and the next one's build, data and compute at that month.

    Args:
        s: the situation; its volume holds until `month`.
        low, high: requests a day afterwards. chance_high: probability of the high case.
        month: month of the second decision, inside the plan.

    Raises:
        ValueError: a number is out of its range, or no route is left.

    Source: myers1977. Derived in: book/outlook/train_tune_or_rent.
    """
    chance = checks.fraction("chance_high", chance_high)
    if not 0 < checks.count("month", month) < s.months:
        raise ValueError(f"month must lie inside the plan of {s.months} months, found {month}; choose an earlier one.")
    left = [route for route in routes if not gates(route, s)]
    if not left:
        decide(s, routes)  # raises, and says why
    cases = {"low": (checks.positive("low", low), 1 - chance), "high": (checks.positive("high", high), chance)}
    worth = (1 + s.discount) ** (-month / 12)
    rest = {(r.name, case): float(sum(running(r, s, volume, month).values()))
            for r in left for case, (volume, _) in cases.items()}
    begin = {r.name: float(sum(upfront(r, s).values())) for r in left}
    before = {r.name: begin[r.name] + float(sum(running(r, s, None, 0, month).values())) for r in left}

    def after(first: str, second: str, case: str) -> float:
        moved = 0.0 if first == second else worth * (begin[second] + s.switching_cost)
        return moved + rest[second, case]

    def expected(first: str, second: dict[str, str]) -> float:
        return before[first] + sum(share * after(first, second[case], case) for case, (_, share) in cases.items())

    names = [r.name for r in left]
    committed = {name: expected(name, {"low": name, "high": name}) for name in names}
    best = {name: {case: min(names, key=lambda n: after(name, n, case)) for case in cases} for name in names}  # noqa: B023
    flexible = {name: expected(name, best[name]) for name in names}
    commit, first = min(committed, key=committed.get), min(flexible, key=flexible.get)
    return Waiting(commit, committed[commit], first, best[first]["low"], best[first]["high"], flexible[first],
                   committed[commit] - flexible[first])


def regrets(s: Situation, routes: Sequence[Route], changes: dict[str, dict[str, Any]]) -> dict[str, tuple[str, float]]:
    """For each change of the situation: the route that would have been right, and the regret of today's choice.

    Args:
        s: the situation believed. routes: the routes.
        changes: {label: values of the situation that turn out differently}.

    Raises:
        ValueError: an unknown input, or no route is left.

    Derived in: book/outlook/train_tune_or_rent.
    """
    chosen = decide(s, routes).route
    truths = {label: decide(s.changed(**values), routes) for label, values in changes.items()}
    return {label: (truth.route, best_regret(chosen, truth)) for label, truth in truths.items()}
