"""``training.sweep`` against the same members trained one after another by loops written out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from helpers import models, training
from helpers.data import Dataset, Split, TensorBatches

NUM_MODELS = 256
BATCH_SIZE = 64
NUM_EXAMPLES = 64 * BATCH_SIZE
NUM_TIMED = 8  # members that the loop in turn trains; its time is scaled to all of them

# sizes → times faster that the sweep must be
TASKS: dict[str, tuple[list[int], float | None]] = {
    "2-32-2": ([2, 32, 2], 20.0),
    "64-32-10": ([64, 32, 10], 10.0),
    "784-128-10": ([784, 128, 10], None),
}


def _dataset(sizes: list[int]) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(NUM_EXAMPLES, sizes[0], generator=generator)
    y = (x @ torch.randn(sizes[0], sizes[-1], generator=generator)).argmax(1)
    few = Split(x[:BATCH_SIZE], y[:BATCH_SIZE])
    return Dataset(Split(x, y), few, few, SimpleNamespace(name="sweep"))


def lrs(name: str) -> list[float]:
    """Learning rates of the members, evenly spaced in their logarithm."""
    num = NUM_MODELS if TASKS[name][1] else NUM_MODELS // 8
    return torch.logspace(-4, -1, num).tolist()


def swept(name: str) -> Callable[[], float]:
    """All members by ``training.sweep``; returns the mean of their final losses."""
    sizes, _ = TASKS[name]
    dataset = _dataset(sizes)

    def train() -> float:
        make = lambda: models.MLP(sizes[0], sizes[1:-1], sizes[-1])  # noqa: E731
        sweep = training.sweep(make, dataset, lrs=lrs(name), epochs=2, batch_size=BATCH_SIZE)
        return float(sweep.train_loss[_members(name), -1].mean())

    return train


def in_turn(name: str) -> Callable[[], float]:
    """A few evenly spaced members by loops written out (fused AdamW); returns the mean of their final losses."""
    sizes, _ = TASKS[name]
    dataset = _dataset(sizes)
    start = models.MLP(sizes[0], sizes[1:-1], sizes[-1])

    def train() -> float:
        total = 0.0
        rates = lrs(name)
        for member in _members(name):
            model = copy.deepcopy(start)
            optimiser = torch.optim.AdamW(model.parameters(), lr=rates[member], weight_decay=0.0, fused=True)
            batches = TensorBatches(dataset.train, BATCH_SIZE)
            for _ in range(2):
                for x, y in batches:
                    loss = F.cross_entropy(model(x), y)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
            with torch.no_grad():
                total += float(F.cross_entropy(model(dataset.train.x[:1024]), dataset.train.y[:1024]))
        return total / NUM_TIMED

    return train


def _members(name: str) -> list[int]:
    num = len(lrs(name))
    return list(range(num // (2 * NUM_TIMED), num, num // NUM_TIMED))


CASES = {"training.sweep": swept, "in turn": in_turn}
