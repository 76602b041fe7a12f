"""How long the simulations of the venture take: ``python -m benchmarks venture``.

Each entry of ``CASES`` holds what is timed (a function that prepares and returns the call to be timed), its limit in
seconds on two cores, and what it is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

NUM_TASKS = 200
NUM_DRAWS = 10_000
NUM_PATHS = 100_000


def schedule() -> Callable[[], object]:
    """A graph of 200 tasks, each with up to three of the twenty tasks before it as predecessors."""
    from helpers.economics import schedule as schedules

    rng = np.random.default_rng(0)
    tasks = []
    for k in range(NUM_TASKS):
        low, middle, high = np.sort(rng.uniform(1, 30, 3))
        before = rng.integers(max(0, k - 20), k, 3) if k else []
        tasks.append(schedules.Task(f"t{k}", low, middle, high, tuple(sorted({f"t{j}" for j in before}))))
    return lambda: schedules.simulate(tasks, num_draws=NUM_DRAWS, seed=0)


def plan() -> Callable[[], object]:
    """The whole plan of the example venture: schedule, paths, quantiles, sensitivity, causes of death, the table."""
    from helpers import economics

    venture = economics.read_venture()
    return lambda: economics.plan_venture(venture, num_paths=NUM_PATHS, seed=0).rows()


CASES: dict[str, tuple[Callable[[], Callable[[], object]], float, str]] = {
    "plan": (plan, 1.0, f"{NUM_PATHS:,} paths of the whole plan over 36 months"),
    "schedule": (schedule, 0.5, f"{NUM_TASKS} tasks × {NUM_DRAWS:,} draws"),
}


def measure(repeats: int = 5) -> dict[str, list[float]]:
    """Seconds of each repeat, by case; one further run warms up."""
    seconds: dict[str, list[float]] = {}
    for name, (prepare, _, _) in CASES.items():
        call, found = prepare(), []
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            call()
            found.append(time.perf_counter() - begun)
        seconds[name] = found[1:]
    return seconds


def verdicts(seconds: dict[str, list[float]]) -> dict[str, tuple[float, bool]]:
    """Median and whether it stays within the limit, by case."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {name: (median, median <= CASES[name][1]) for name, median in medians.items()}
