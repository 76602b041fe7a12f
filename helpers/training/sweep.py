"""``sweep``: the same training at many learning rates (and seeds) at once.

Small models are stacked and trained as one batched run; where that does not pay, or the model is no plain chain of
layers, the members are trained one after another by the ordinary loop. ``Sweep.reason`` says which, and why.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from helpers import device as devices
from helpers.data import Dataset, Split
from helpers.training import optimisers, schedules
from helpers.training._stacked import Stack, chain
from helpers.training.flops import PASSES_PER_STEP
from helpers.training.loop import Loop, Options, TrainingDiverged
from helpers.training.losses import NAMED, Loss, evaluate_on, evaluated, score_of

if TYPE_CHECKING:
    from helpers.economics import Bill

_CLEARLY_SMALL = 2e6  # FLOP of a training step below which calls cost more than arithmetic, so stacking always pays
_LARGEST_STACK = 2**27  # numbers in the largest activation of a stack (512 MB)
_WORTH_IT = 1.2  # stack only if it is at least this many times faster


@dataclass
class Sweep:
    """Result of a sweep over K members, one for each pair of a learning rate and a seed.

    Attributes:
        lrs: learning rate of each member, [K]; with several seeds each learning rate stands once for each of them.
        seeds: seed of the initial weights of each member, [K].
        train_loss: [K, epochs + 1], column 0 before training; infinite from the epoch on in which a member diverged.
        validation_loss: the same on the validation split.
        validation_accuracy: the same, or None where the targets are no classes; 0 where a member diverged.
        parameters: name → [K, epochs + 1, shape of the parameter] if they were kept, else None; a diverged member
            repeats its last finite ones.
        seconds: wall-clock seconds of the sweep.
        flops: FLOP in matrix products, or None where they were not counted.
        stacked: whether all members were trained as one.
        reason: why, in a sentence.
    """

    lrs: list[float]
    seeds: list[int]
    train_loss: Tensor
    validation_loss: Tensor
    validation_accuracy: Tensor | None
    parameters: dict[str, Tensor] | None = field(repr=False)
    seconds: float
    flops: float | None
    stacked: bool
    reason: str
    machine: devices.Machine = field(repr=False)
    _make: Callable[[int], nn.Module] = field(repr=False)

    @property
    def best(self) -> int:
        """Number of the member with the lowest validation loss after the last epoch."""
        return int(self.validation_loss[:, -1].argmin())

    def model(self, member: int, epoch: int = -1) -> nn.Module:
        """A model with the weights of ``member`` after ``epoch`` (default: the last).

        Raises:
            ValueError: the sweep was made without keep_parameters=True.
        """
        if self.parameters is None:
            raise ValueError("this sweep kept no parameters: pass keep_parameters=True to sweep")
        model = self._make(self.seeds[member])
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.parameters[name][member, epoch])
        return model.eval()

    def cost(self) -> Bill:
        """The bill of the whole sweep."""
        from helpers import economics

        cores = self.machine.num_threads if self.machine.kind == "cpu" else None
        return economics.bill(self.seconds, device_name=self.machine.name, num_cores=cores, flops=self.flops)


def sweep(
    make_model: Callable[..., nn.Module],
    dataset: Dataset,
    *,
    lrs: Sequence[float],
    epochs: int,
    seeds: Sequence[int] = (0,),
    batch_size: int | None = 64,
    optimiser: str = "adamw",
    schedule: str | schedules.Schedule = "constant",
    loss: Loss | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    seed: int = 0,
    device: str | torch.device | None = None,
    keep_parameters: bool = False,
) -> Sweep:
    """Train a fresh model for each learning rate and seed, and measure it after each epoch.

    All members see the same batches in the same order. A member that diverges gets an infinite loss and is frozen;
    the others go on.

    Arguments:
        make_model: function that returns a new model; with several seeds it must take ``seed``, for example
            ``lambda seed: models.MLP(2, [32], 2, seed=seed)``.
        dataset: its train and validation splits are used.
        lrs: learning rates, each above 0.
        epochs, batch_size, optimiser, schedule, loss, weight_decay, momentum, device: as in ``fit``.
        seeds: seeds of the initial weights.
        seed: order of the examples.
        keep_parameters: keep the weights after every epoch, for replays.

    Raises:
        ValueError: no learning rates or seeds, a value out of range, or data that do not fit the model.
    """
    rates = [optimisers.checked_rate(lr) for lr in (lrs.tolist() if hasattr(lrs, "tolist") else lrs)]
    starts = [devices.checked_seed(start) for start in seeds]
    if not rates or not starts:
        raise ValueError(f"a sweep needs at least one learning rate and one seed, got {len(rates)} and {len(starts)}")
    if not hasattr(dataset, "train") or not hasattr(dataset, "validation"):
        raise ValueError(f"sweep needs a data set with train and validation splits, got {type(dataset).__name__}")
    options = Options(
        lr=rates[0], epochs=epochs, batch_size=batch_size, optimiser=optimiser, schedule=schedule, loss=loss,
        weight_decay=weight_decay, momentum=momentum, seed=seed, device=device,
    )  # fmt: skip
    begin = time.perf_counter()
    make = _maker(make_model, starts)
    plan = _Plan(make, dataset, options, rates, starts, keep_parameters)
    stacked, reason = plan.decide()
    if stacked:
        plan.train_stacked()
    else:
        plan.train_in_turn()
    return plan.result(stacked, reason, time.perf_counter() - begin)


class _Plan:
    """The members, the data on the device, and the curves that are filled in."""

    def __init__(
        self,
        make: Callable[[int], nn.Module],
        dataset: Dataset,
        options: Options,
        rates: list[float],
        starts: list[int],
        keep: bool,
    ) -> None:
        self.make, self.options = make, options
        self.lrs = [rate for rate in rates for _ in starts]
        self.seeds = [start for _ in rates for start in starts]
        self.starts = starts
        self.loop = Loop(make(starts[0]), dataset.train, options)
        self.validation = dataset.validation.to(self.loop.device)
        self.train = evaluated(self.loop.split, self.validation)
        shape = (len(self.lrs), options.epochs + 1)
        self.train_loss, self.validation_loss = torch.full(shape, torch.inf), torch.full(shape, torch.inf)
        self.has_classes = not self.train.y.is_floating_point() and options.loss is None
        self.accuracy = torch.zeros(shape) if self.has_classes else None
        self.kept: dict[str, Tensor] | None = None
        if keep:
            parameters = self.loop.model.named_parameters()
            self.kept = {name: torch.zeros(*shape, *parameter.shape) for name, parameter in parameters}

    def decide(self) -> tuple[bool, str]:
        """Whether to stack the members, and the reason."""
        goal, num_models = self.loop.goal, len(self.lrs)
        layers = chain(self.loop.model)
        if num_models == 1:
            return False, "one after another: there is only one member"
        if layers is None:
            return False, "one after another: the model is no plain chain of linear layers with ReLU or tanh"
        if self.options.loss is not None or goal.name not in NAMED:
            return False, "one after another: the loss is the caller's own, so its gradient is not written out"
        if self.loop.dtype is not torch.float32:
            return False, "one after another: stacks are trained in float32 only"
        widest = max(max(layer.in_features, layer.out_features) for layer in layers if isinstance(layer, nn.Linear))
        if num_models * self.loop.batch_size * widest > _LARGEST_STACK:
            return False, "one after another: the stacked activations would not fit in 512 MB"
        work = PASSES_PER_STEP * goal.flops * self.loop.batch_size
        if work < _CLEARLY_SMALL and num_models >= 8:
            return True, f"stacked: a step of one model is {work / 1e6:.2g} MFLOP, less than its calls cost"
        together, alone = self._time_stacked(), self._time_alone() * num_models
        words = f"a step of {num_models} models takes {together * 1e3:.2g} ms stacked, {alone * 1e3:.2g} ms in turn"
        pays = alone > _WORTH_IT * together
        return pays, f"stacked: {words}" if pays else f"one after another: {words}"

    def train_stacked(self) -> None:
        """Train all members as one."""
        loop, stack = self.loop, self._stack()
        target = stack.targets(loop.targets, loop.goal.num_outputs)
        multiplier = schedules.named(self.options.schedule)
        alive = torch.ones(len(self.lrs), dtype=torch.bool)
        self._measure_stack(stack, 0, alive)
        step = 0
        for epoch in range(1, self.options.epochs + 1):
            chunks: list[Tensor | None] = [None]
            if loop.batch_size < loop.num_examples:
                chunks = list(loop.batches.order(epoch - 1).split(loop.batch_size))
            for index in chunks:
                x = loop.split.x if index is None else loop.split.x.index_select(0, index)
                y = target if index is None else target.index_select(0, index)
                stack.step(x, y, multiplier(step, loop.num_steps))
                step += 1
            self._measure_stack(stack, epoch, alive)
            if not alive.any():
                self._repeat(slice(None), epoch)
                return

    def train_in_turn(self) -> None:
        """Train the members one after another."""
        for member, (lr, start) in enumerate(zip(self.lrs, self.seeds, strict=True)):
            loop = Loop(self.make(start), self.loop.split, replace(self.options, lr=lr))
            epoch = 0
            try:
                self._measure_one(loop, member, epoch)
                for epoch in range(1, loop.options.epochs + 1):
                    for _ in loop.epoch(epoch):
                        pass
                    self._measure_one(loop, member, epoch)
            except TrainingDiverged:
                self._repeat(member, epoch - 1)

    def result(self, stacked: bool, reason: str, seconds: float) -> Sweep:
        """Put the curves together."""
        goal, epochs = self.loop.goal, self.options.epochs
        evaluated = (epochs + 1) * (len(self.train) + len(self.validation))
        each = PASSES_PER_STEP * epochs * self.loop.num_examples + evaluated
        return Sweep(
            lrs=self.lrs,
            seeds=self.seeds,
            train_loss=self.train_loss,
            validation_loss=self.validation_loss,
            validation_accuracy=self.accuracy,
            parameters=self.kept,
            seconds=seconds,
            flops=None if goal.flops is None else goal.flops * each * len(self.lrs),
            stacked=stacked,
            reason=reason,
            machine=devices.machine(self.loop.device),
            _make=self.make,
        )

    def _stack(self) -> Stack:
        members = [self.make(start).to(self.loop.device) for start in self.starts]
        return Stack(
            members,
            torch.tensor(self.lrs, dtype=torch.float32, device=self.loop.device),
            [self.starts.index(start) for start in self.seeds],
            self.loop.goal.name,
            self.options.optimiser,
            weight_decay=self.options.weight_decay,
            momentum=self.options.momentum,
        )

    def _measure_stack(self, stack: Stack, epoch: int, alive: Tensor) -> None:
        """Fill in column ``epoch`` and freeze the members that have newly diverged."""
        train, _ = self._evaluate_stack(stack, self.train)
        validation, accuracy = self._evaluate_stack(stack, self.validation)
        finite = torch.isfinite(train) & torch.isfinite(validation)
        diverged = alive & ~finite
        alive &= finite
        self.train_loss[alive, epoch], self.validation_loss[alive, epoch] = train[alive], validation[alive]
        if self.accuracy is not None:
            self.accuracy[alive, epoch] = accuracy[alive]
        if self.kept is not None:
            for name, values in zip(stack.names, stack.values, strict=True):
                self.kept[name][alive, epoch] = values.cpu()[alive]
                if epoch:
                    self.kept[name][~alive, epoch] = self.kept[name][~alive, epoch - 1]
        if diverged.any():
            stack.freeze(diverged.to(stack.device))

    def _evaluate_stack(self, stack: Stack, split: Split) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy of each member on ``split``, each [K]."""
        goal = self.loop.goal
        chunk = max(1, 8 * goal.chunk // stack.num_models)
        loss, right = torch.zeros(stack.num_models), torch.zeros(stack.num_models)
        for x, y in zip(split.x.split(chunk), split.y.split(chunk), strict=True):
            outputs = stack.outputs(x)
            loss += stack.losses(outputs, goal.prepare(y)).cpu()
            if self.has_classes:
                predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(1)
                right += (predicted == y).sum(1).cpu()
        return loss / len(split), right / len(split)

    def _measure_one(self, loop: Loop, member: int, epoch: int) -> None:
        train = evaluate_on(loop.model, self.train, loop.goal, keep_outputs=False)[0]
        score = score_of(*evaluate_on(loop.model, self.validation, loop.goal, keep_outputs=False), self.validation)
        if not torch.isfinite(torch.tensor([train, score.loss])).all():
            raise TrainingDiverged(epoch * len(loop.batches), epoch, score.loss, loop.options.lr, after=True)
        self.train_loss[member, epoch], self.validation_loss[member, epoch] = train, score.loss
        if self.accuracy is not None:
            self.accuracy[member, epoch] = score.accuracy
        if self.kept is not None:
            for name, parameter in loop.model.named_parameters():
                self.kept[name][member, epoch] = parameter.detach().cpu()

    def _repeat(self, member: int | slice, epoch: int) -> None:
        """Let the kept parameters stay what they were after ``epoch``."""
        for values in (self.kept or {}).values():
            values[member, epoch + 1 :] = values[member, epoch : epoch + 1]

    def _time_stacked(self) -> float:
        loop, stack = self.loop, self._stack()
        x = loop.split.x[: loop.batch_size]
        target = stack.targets(loop.targets[: loop.batch_size], loop.goal.num_outputs)
        return _shortest(lambda: stack.step(x, target))

    def _time_alone(self) -> float:
        few = self.loop.split if self.options.batch_size is None else self.loop.split.take(self.loop.batch_size)
        loop = Loop(self.make(self.starts[0]), few, self.options)
        return _shortest(lambda: next(loop.epoch(1)))


def _shortest(work: Callable[[], object], repeats: int = 4) -> float:
    """Seconds of the fastest of a few calls after a first one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _maker(make_model: Callable[..., nn.Module], seeds: list[int]) -> Callable[[int], nn.Module]:
    if not callable(make_model) or isinstance(make_model, nn.Module):
        raise ValueError("sweep needs a function that makes a new model, such as lambda: models.Linear(1)")
    if "seed" in inspect.signature(make_model).parameters:
        return lambda seed: make_model(seed=seed)
    if len(seeds) > 1:
        raise ValueError(f"for {len(seeds)} seeds make_model must take seed: lambda seed: models.Linear(1, seed=seed)")
    return lambda seed: make_model()
