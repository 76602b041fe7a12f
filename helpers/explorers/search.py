"""Budget of a search: grid, random, successive halving and optuna draw from one table of recorded trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .base import Explorer, pack_uint8

STRATEGIES = ("grid", "random", "halving", "optuna")
KEEP = 3  # one candidate in so many goes on to the next rung
MOST = 36  # full trainings
WORDS = {
    "strategy": "strategy", "axes": "searched", "trials": "budget, full trainings", "repeat": "repeat",
    "grid": "grid", "random": "random", "halving": "successive halving", "optuna": "Bayesian (optuna)",
    "axes_1": "rate", "axes_2": "rate, width", "axes_3": "rate, width, decay", "least": "≤ 80",
    "map": "Where the trials fall", "rate": "learning rate (log scale)", "width": "hidden units (log scale)",
    "course": "Best so far", "spent": "epochs spent", "accuracy": "validation accuracy, %",
    "spread": "Test accuracy of the winner, all repeats", "test": "test accuracy, %", "strategies": "",
    "trial": "trial", "winner": "winner", "median": "median", "epochs": "epochs", "decay": "decay",
    "validation": "validation accuracy",
    "status": "{strategy}, repeat {repeat}: {num} configurations, {epochs} epochs, {flops}FLOP. The winner has "
              "{validation} on the validation part and {test} on the test part (learning rate {rate}, width {width}, "
              "decay {decay}). Median of {repeats} repeats: {median}.",
}


class SearchBudget(Explorer):
    """Sliders for strategy, searched axes, budget and repeat; the page searches in a table of recorded trainings.

    Args:
        record: the record ``search-table-digits``, from ``records.load``.
        strategy, axes, trials, repeat: setting shown first.

    Raises:
        ValueError: an unknown strategy, or a budget outside 3 … 36 full trainings.

    Source: bergstra2012, jamieson2016, akiba2019. Derived in: book/algorithms/hyperparameter_search.
    """

    module = "search"

    def __init__(self, record: Mapping[str, Any], *, strategy: str = "random", axes: int = 2, trials: int = 9,
                 repeat: int = 1, id: str | None = None) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"unknown strategy {strategy!r}: use one of {', '.join(STRATEGIES)}")
        if not 3 <= trials <= MOST:
            raise ValueError(f"trials must lie in 3 … {MOST} full trainings, found {trials}")
        asked, table = record["configuration"], table_of(record)
        right = table.pop("right")
        super().__init__({
            "title": "The same budget, four ways to spend it", "words": WORDS, **table, "right": pack_uint8(right),
            "lrs": asked["lrs"], "widths": asked["widths"], "decays": asked["decays"], "seeds": len(asked["seeds"]),
            "num_validation": asked["num_validation"], "num_test": asked["num_test"] * len(asked["seeds"]),
            "start": {"strategy": strategy, "axes": axes, "trials": trials, "repeat": repeat},
            "hint": "Choose a strategy and a budget. Each repeat is a search with other luck.",
            "source": f"{len(right) * len(asked['seeds']):,} recorded trainings; the page searches among them.",
        }, id=id)

    @staticmethod
    def compute(
        strategy: str, axes: int, trials: int, repeat: int, *, right: Sequence, sizes: Sequence[int],
        rungs: Sequence[int], epoch_flops: Sequence[float], paths: Sequence,
    ) -> dict[str, Any]:
        """One search in the table.

        Args:
            strategy: "grid", "random", "halving" or "optuna".
            axes: how many of the three axes are searched; the others stay in the middle.
            trials: budget in full trainings, that is times ``rungs[-1]`` epochs.
            repeat: number of the repeat, from 0.
            right: right answers on the validation part [configurations][seeds][rungs].
            sizes: number of values on each axis.
            rungs: epochs after which the validation part was read.
            epoch_flops: FLOP of an epoch, for each value of the second axis.
            paths: configurations that optuna asked for [axes − 1][repeats][trials].

        Returns:
            ``cells`` and ``epochs`` of each trial, ``spent`` and ``best`` after each reading, the ``winner``, its
            ``score``, and the ``flops`` of the whole search.

        Derived in: book/algorithms/hyperparameter_search.
        """
        if strategy == "optuna":
            drawn = list(paths[axes - 1][repeat][:trials])
        else:
            cells = {"grid": _grid, "random": _random, "halving": _random}[strategy]
            drawn = cells(generator(repeat, axes), sizes, axes, trials * (9 if strategy == "halving" else 1))
        num_seeds, last = len(right[0]), len(rungs) - 1
        epochs, spent, best = [0] * len(drawn), [], []
        alive, scores, total, flops = list(range(len(drawn))), [0] * len(drawn), 0, 0.0
        for rung in range(0 if strategy == "halving" else last, last + 1):
            if epochs[alive[0]]:
                alive = sorted(alive, key=lambda trial: -scores[trial])[: max(1, len(alive) // KEEP)]
            for trial in alive:
                more = rungs[rung] - epochs[trial]
                total, epochs[trial] = total + more, rungs[rung]
                flops += more * epoch_flops[drawn[trial] // sizes[2] % sizes[1]]
                scores[trial] = right[drawn[trial]][(trial + repeat) % num_seeds][rung]
                spent.append(total)
                best.append(max(scores[trial], best[-1] if best else 0))
        winner = max(alive, key=lambda trial: scores[trial])  # the first of equals
        return {"cells": drawn, "epochs": epochs, "spent": spent, "best": best, "winner": drawn[winner],
                "score": scores[winner], "flops": flops}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared, on a small made-up table."""
        draw, sizes = generator(5, 1), [7, 3, 2]
        right = [[sorted(int(100 * draw()) for _ in range(3)) for _ in range(2)] for _ in range(42)]
        paths = [[[int(42 * draw()) for _ in range(12)] for _ in range(3)] for _ in range(3)]
        table = {"right": right, "sizes": sizes, "rungs": [1, 3, 9], "epoch_flops": [1e6, 2e6, 4e6], "paths": paths}
        return [{"strategy": strategy, "axes": axes, "trials": trials, "repeat": repeat, **table}
                for strategy in STRATEGIES for axes, trials, repeat in ((1, 9, 0), (2, 4, 1), (3, 12, 2))]


def table_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What ``SearchBudget.compute`` needs of the record, and ``test``: right test answers, summed over the seeds."""
    asked, found = record["configuration"], record["results"]
    return {"right": found["validation_right"], "sizes": [len(asked[name]) for name in ("lrs", "widths", "decays")],
            "rungs": asked["rungs"], "epoch_flops": found["epoch_flops"], "paths": found["optuna_paths"],
            "test": [sum(seeds) for seeds in found["test_right"]]}


def generator(repeat: int, axes: int) -> Callable[[], float]:
    """Numbers in [0, 1), equal in every language: a counter whose 32 bits are mixed."""
    state = 1000 * repeat + axes

    def draw() -> float:
        nonlocal state
        state = (state + 0x9E3779B9) & 0xFFFFFFFF
        bits = state
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            bits = ((bits ^ (bits >> shift)) * factor) & 0xFFFFFFFF
        return (bits ^ (bits >> 16)) / 4294967296

    return draw


def _cell(places: Sequence[int], sizes: Sequence[int]) -> int:
    """Number of a configuration; axes without a place stay in the middle."""
    cell = 0
    for axis, size in enumerate(sizes):
        cell = cell * size + (places[axis] if axis < len(places) else size // 2)
    return cell


def _grid(draw: Callable[[], float], sizes: Sequence[int], axes: int, trials: int) -> list[int]:
    """A grid of equally many levels on each axis, shifted at random."""
    levels = 1
    while (levels + 1) ** axes <= trials:
        levels += 1
    shifts = [draw() for _ in range(axes)]
    found = []
    for number in range(levels**axes):
        places = []
        for axis in range(axes):
            level = number // levels ** (axes - 1 - axis) % levels
            places.append(int((level + shifts[axis]) * sizes[axis] / levels))
        found.append(_cell(places, sizes))
    return found


def _random(draw: Callable[[], float], sizes: Sequence[int], axes: int, trials: int) -> list[int]:
    return [_cell([int(draw() * sizes[axis]) for axis in range(axes)], sizes) for _ in range(trials)]
