"""Hyperparameter search: axes with a scale, settings on a grid or at random, and successive halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np

Candidate = TypeVar("Candidate")
Setting = dict[str, float]


@dataclass(frozen=True)
class Axis:
    """The range of one hyperparameter.

    Arguments:
        low, high: its two ends.
        log: equal steps multiply; otherwise they add.
        whole: round to whole numbers, as for a width.

    Raises:
        ValueError: the ends are not finite or not in order, or not above 0 on a log axis.
    """

    low: float
    high: float
    log: bool = True
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"an axis needs finite ends with low < high, found low={self.low} and high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log axis needs ends above 0, found low={self.low}: raise it, or pass log=False")

    def at(self, share: float) -> float:
        """The value at ``share`` of the way, from 0 (low) to 1 (high)."""
        if self.log:
            value = math.exp(math.log(self.low) + share * math.log(self.high / self.low))
        else:
            value = self.low + share * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.whole else value


def _axes(space: Mapping[str, Axis], num_trials: int) -> list[Axis]:
    if not space:
        raise ValueError("the search space is empty: name at least one axis, for example {'lr': Axis(1e-4, 1.0)}")
    if num_trials < 1:
        raise ValueError(f"a search needs at least 1 trial, found {num_trials}")
    return list(space.values())


def grid(space: Mapping[str, Axis], num_trials: int) -> list[Setting]:
    """Settings on a grid with equally many levels on each axis, in the middle of equal parts.

    Arguments:
        space: name → axis.
        num_trials: most trials; the grid takes the largest power (levels to the number of axes) that fits.

    Raises:
        ValueError: an empty space, or no trials.
    """
    axes, levels = _axes(space, num_trials), 1
    while (levels + 1) ** len(axes) <= num_trials:
        levels += 1
    shares = [(level + 0.5) / levels for level in range(levels)]
    return [{name: axis.at(share) for (name, axis), share in zip(space.items(), place, strict=True)}
            for place in product(shares, repeat=len(axes))]


def random(space: Mapping[str, Axis], num_trials: int, *, seed: int = 0) -> list[Setting]:
    """Settings drawn independently, each axis evenly on its own scale. Source: bergstra2012.

    Arguments:
        space: name → axis.
        num_trials: number of trials.
        seed: of the draws; the global generators stay as they were.

    Raises:
        ValueError: an empty space, or no trials.
    """
    axes = _axes(space, num_trials)
    shares = np.random.default_rng([seed, 13]).random((num_trials, len(axes)))
    return [{name: axis.at(share) for (name, axis), share in zip(space.items(), row, strict=True)}
            for row in shares.tolist()]


@dataclass(frozen=True)
class Halved:
    """What successive halving found.

    Attributes:
        best: number of the winning candidate.
        score: its score after the last rung.
        rounds: for each rung the numbers of the candidates that were trained to it.
        epochs: epochs of training spent on all candidates together.
    """

    best: int
    score: float
    rounds: list[list[int]]
    epochs: int


def halving(candidates: Sequence[Candidate], score: Callable[[Candidate, int], float], *,
            rungs: Sequence[int] = (1, 3, 9, 27), keep: int = 3) -> Halved:
    """Train all candidates a little, keep the best one in ``keep``, train those on, and so forth.

    Source: jamieson2016. Derived in: book/algorithms/hyperparameter_search.

    Arguments:
        candidates: settings, or whatever ``score`` takes.
        score: (candidate, epochs) → score after so many epochs in all, the higher the better; NaN counts as worst.
        rungs: epochs after which candidates are compared, rising.
        keep: one in how many goes on; at least one does.

    Raises:
        ValueError: no candidates, rungs that do not rise from 1 or more, or keep below 2.
    """
    if not len(candidates):
        raise ValueError("successive halving needs at least one candidate, found none")
    if not rungs or rungs[0] < 1 or any(b <= a for a, b in zip(rungs, rungs[1:], strict=False)):
        raise ValueError(f"rungs must be whole numbers of epochs that rise from 1 or more, found {tuple(rungs)}")
    if keep < 2:
        raise ValueError(f"keep=k lets one candidate in k go on, so it must be at least 2, found {keep}")
    alive, rounds, spent, before = list(range(len(candidates))), [], 0, 0
    scores: dict[int, float] = {}
    for rung in rungs:
        if rounds:
            alive = sorted(alive, key=lambda number: -scores[number])  # stable: the first of equals goes on
            alive = alive[: max(1, len(alive) // keep)]
        found = {number: float(score(candidates[number], rung)) for number in alive}
        scores = {number: -math.inf if math.isnan(value) else value for number, value in found.items()}
        spent, before = spent + len(alive) * (rung - before), rung
        rounds.append(list(alive))
    best = max(alive, key=lambda number: scores[number])
    return Halved(best, scores[best], rounds, spent)
