"""Label noise × data size × capacity: one ``training.sweep`` against the same runs by a loop written out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F

from helpers import data, models, training
from helpers.data import Dataset, Split, TensorBatches

NUM_PIXELS, NUM_CLASSES = 144, 10
WIDTHS = (4, 16, 64)
SIZES = (100, 400, 1600)
SHARES = (0.0, 0.2, 0.4, 0.6)  # of the labels that are drawn anew, never the right one
SEEDS = tuple(range(8))
NUM_TIMED = 1  # seeds that the loop in turn trains; its time is scaled to all of them
EPOCHS, BATCH_SIZE, LR = 10, 32, 0.01
GOAL = 5.0  # times faster than in turn
SAME = 0.01  # how far the mean accuracies may differ

TASKS = ("144-w-10",)


def datasets(task: str = "144-w-10") -> list[Dataset]:
    """Every size with every share of wrong labels; those of one size share their images."""
    whole = data.load("glyphs", size=12, seed=0)
    found = []
    for size in SIZES:
        few = whole.train.take(size)
        found += [replace(whole, train=Split(few.x, wrong(few.y, share))) for share in SHARES]
    return found


def wrong(y: torch.Tensor, share: float) -> torch.Tensor:
    """Labels of which about ``share`` are wrong."""
    generator = torch.Generator().manual_seed(0)
    other = (y + torch.randint(1, NUM_CLASSES, y.shape, generator=generator)) % NUM_CLASSES
    return torch.where(torch.rand(y.shape, generator=generator) < share, other, y)


def swept(task: str) -> Callable[[], float]:
    """All runs as one sweep; returns the mean of the last validation accuracies over the seeds that are compared."""
    sets = datasets(task)

    def train() -> float:
        makes = [lambda seed, w=width: models.MLP(NUM_PIXELS, [w], NUM_CLASSES, seed=seed) for width in WIDTHS]
        options = {"lrs": [LR], "seeds": SEEDS, "epochs": EPOCHS, "batch_size": BATCH_SIZE}
        sweep = training.sweep(makes, sets, **options)
        return float(sweep.validation_accuracy[:, -1].view(sweep.shape)[..., :NUM_TIMED].mean())

    return train


def in_turn(task: str) -> Callable[[], float]:
    """A few seeds of them in turn: a loop written out with fused AdamW, measured after each epoch as the sweep is."""
    sets = datasets(task)

    def train() -> float:
        found = []
        for width in WIDTHS:
            for one in sets:
                few = [models.MLP(NUM_PIXELS, [width], NUM_CLASSES, seed=seed) for seed in SEEDS[:NUM_TIMED]]
                found += [_alone(model, one) for model in few]
        return sum(found) / len(found)

    return train


def _alone(model: torch.nn.Module, one: Dataset) -> float:
    optimiser = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.0, fused=True)
    batches = TensorBatches(one.train, BATCH_SIZE)
    accuracy = 0.0
    for epoch in range(EPOCHS + 1):
        for x, y in batches if epoch else ():
            loss = F.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            for part in (one.train.take(min(len(one.train), 1024)), one.validation):
                outputs = model(part.x)
                F.cross_entropy(outputs, part.y).item()
                accuracy = (outputs.argmax(1) == part.y).float().mean().item()
    return accuracy


CASES = {"training.sweep": swept, "in turn": in_turn}
