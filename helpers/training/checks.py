"""Checks that find faults in a training program before it has cost much: each takes seconds.

Derived in: book/algorithms/debugging_training. Only ``watch`` trains the model that it is
given; the others leave it alone.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from helpers.data import Split
from helpers.training.loop import Step, TrainingDiverged, steps
from helpers.training.losses import Loss, evaluate


@dataclass(frozen=True)
class Start:
    """Loss before the first step.

    Attributes:
        loss: of the untrained model.
        expected: of an answer that knows nothing: ln(classes), or the mean square of float targets.
    """

    loss: float
    expected: float

    @property
    def ratio(self) -> float:
        """Found over expected, near 1 when all is well."""
        return self.loss / self.expected


@dataclass(frozen=True)
class Layer:
    """What one step did to one layer.

    Attributes:
        weight: norm of the layer's parameters before the step.
        gradient: norm of their gradient.
        update: norm of the step.
    """

    weight: float
    gradient: float
    update: float

    @property
    def ratio(self) -> float:
        """Update over weight."""
        return self.update / self.weight if self.weight else math.inf


@dataclass(frozen=True)
class RangeTest:
    """Result of a learning-rate range test.

    Attributes:
        lrs: learning rate of each step.
        losses: batch loss before each step.
        smooth: their moving average, corrected for its start.
        steepest: rate at which the smooth loss falls fastest over the logarithm of the rate.
        edge: rate from which on the smooth loss stays above twice its lowest value; None if it never does.
    """

    lrs: list[float]
    losses: list[float] = field(repr=False)
    smooth: list[float] = field(repr=False)
    steepest: float
    edge: float | None


def initial_loss(model: nn.Module, split: Split, *, num_classes: int | None = None, loss: Loss | None = None) -> Start:
    """Loss of the model as it is, beside that of an answer that knows nothing.

    Arguments:
        model: untrained, x [n, ...] → outputs.
        split: examples and targets.
        num_classes: K in ln K; None counts the model's outputs (two for a single logit).
        loss: as in ``steps``.

    Raises:
        ValueError: shapes or labels that do not fit.
    """
    score = evaluate(model, split, loss)
    if split.y.is_floating_point():
        return Start(score.loss, split.y.double().square().mean().item())
    return Start(score.loss, math.log(num_classes or max(2, score.outputs.shape[-1])))


def one_batch(
    model: nn.Module, split: Split, *, lr: float, num_examples: int = 16, num_steps: int = 200,
    optimiser: str = "adamw", loss: Loss | None = None,
) -> list[float]:
    """Losses of a copy of the model that sees the same few examples again and again; they should reach about zero.

    Arguments:
        model, split, lr, optimiser, loss: as in ``steps``.
        num_examples: size of the batch, taken from the start of the split.
        num_steps: steps on it.

    Raises:
        ValueError: more examples than the split has, or an option out of range.
    """
    few = split.take(num_examples)
    options = {"lr": lr, "epochs": num_steps, "batch_size": None, "optimiser": optimiser, "loss": loss}
    return [float(step.loss) for step in steps(copy.deepcopy(model), few, **options)]


def watch(model: nn.Module, split: Split, **options: Any) -> Iterator[tuple[Step, dict[str, Layer]]]:
    """Train as ``steps`` does, and measure what each step did to each layer (a module with parameters of its own).

    Arguments:
        model, split, options: as in ``steps``.

    Raises:
        ValueError: an option or the data out of range.
    """
    layers = {name or "model": own for name, module in model.named_modules()
              if (own := list(module.parameters(recurse=False)))}

    def copies() -> dict[str, list[Tensor]]:
        return {name: [p.detach().clone() for p in own] for name, own in layers.items()}

    before = copies()
    for step in steps(model, split, **options):
        yield step, {
            name: Layer(norm(before[name]), norm([p.grad for p in own if p.grad is not None]),
                        norm([p.detach() - old for p, old in zip(own, before[name], strict=True)]))
            for name, own in layers.items()}
        before = copies()


def norm(tensors: list[Tensor]) -> float:
    """Length of all numbers of all tensors as one vector; 0 for none."""
    return math.sqrt(sum(tensor.double().square().sum().item() for tensor in tensors))


def range_test(
    model: nn.Module, split: Split, *, lowest: float = 1e-5, highest: float = 10.0, num_steps: int = 100,
    batch_size: int = 64, optimiser: str = "adamw", loss: Loss | None = None, smoothing: float = 0.9, seed: int = 0,
) -> RangeTest:
    """Train a copy of the model while the learning rate grows by the same factor each step, until the loss explodes.

    Arguments:
        model, split, batch_size, optimiser, loss, seed: as in ``steps``.
        lowest, highest: first and last learning rate.
        num_steps: steps between them.
        smoothing: share of the old value in the moving average, in [0, 1).

    Raises:
        ValueError: rates that do not rise, or an option out of range.

    Source: smith2017.
    """
    if not 0 < lowest < highest:
        raise ValueError(f"the range must rise from above 0, got lowest={lowest!r} and highest={highest!r}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must lie in [0, 1), got {smoothing!r}")
    if num_steps < 10:
        raise ValueError(f"a range test needs at least 10 steps, got {num_steps!r}")
    factor = (highest / lowest) ** (1 / (num_steps - 1))
    epochs = math.ceil(num_steps / math.ceil(len(split) / min(batch_size, len(split))))
    lrs, losses, smooth, average = [], [], [], 0.0
    run = steps(copy.deepcopy(model), split, lr=lowest, epochs=epochs, batch_size=batch_size, optimiser=optimiser,
                loss=loss, seed=seed, schedule=lambda step, _: factor ** min(step, num_steps - 1))
    try:
        for step in run:
            lrs.append(step.lr)
            losses.append(float(step.loss))
            average = smoothing * average + (1 - smoothing) * losses[-1]
            smooth.append(average / (1 - smoothing ** len(losses)))
            if len(losses) >= num_steps or smooth[-1] > 2 * max(smooth[0], 1e-12):
                break
    except TrainingDiverged:
        pass
    run.close()
    if len(smooth) < 3:
        raise ValueError(f"the loss exploded within {len(smooth)} steps at a rate of {lowest:g}: take a smaller lowest")
    best = min(range(len(smooth)), key=smooth.__getitem__)
    falls = [smooth[k + 1] - smooth[k] for k in range(best)] or [0.0]
    above = [k for k in range(best, len(smooth)) if smooth[k] > 2 * smooth[best]]
    return RangeTest(lrs, losses, smooth, lrs[min(range(len(falls)), key=falls.__getitem__)],
                     lrs[above[0]] if above else None)


def reads(function: Callable[[Tensor], Tensor], x: Tensor, *, other: Tensor, tolerance: float = 1e-6) -> Tensor:
    """Which outputs change when one input is exchanged: a table [outputs, inputs] of True and False.

    Arguments:
        function: x [n, ...] → outputs [n, ...] over the same first dimension: the examples of a batch, or, for one
            text, its tokens.
        x: inputs [n, ...].
        other: inputs of the same shape; place s of x is exchanged for place s of these.
        tolerance: largest change that counts as none.

    Raises:
        ValueError: shapes that do not fit, or a place at which ``other`` equals ``x``.
    """
    if other.shape != x.shape:
        raise ValueError(f"other must have the shape of x, {list(x.shape)}, got {list(other.shape)}")
    same = (x == other).reshape(len(x), -1).all(dim=1)
    if same.any():
        raise ValueError(f"other must differ from x at every place, it is the same at place {int(same.nonzero()[0])}")
    table = []
    with torch.no_grad():
        before = function(x)
        if len(before) != len(x):
            raise ValueError(f"the function returns {len(before)} outputs for {len(x)} inputs: keep their number")
        for place in range(len(x)):
            changed = x.clone()
            changed[place] = other[place]
            moved = (function(changed) - before).abs().reshape(len(x), -1).amax(dim=1)
            table.append(moved > tolerance)
    return torch.stack(table, dim=1)
