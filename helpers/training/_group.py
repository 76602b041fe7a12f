"""Members of a sweep that share their shape and their training inputs: trained as one stack, or one after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from helpers.data import Dataset, Split
from helpers.training import schedules
from helpers.training._stacked import Stack, chain
from helpers.training.flops import PASSES_PER_STEP
from helpers.training.loop import Loop, Options, TrainingDiverged
from helpers.training.losses import NAMED, evaluate_on, evaluated, objective, score_of

_CLEARLY_SMALL = 2e6  # FLOP of a training step below which calls cost more than arithmetic, so stacking always pays
_LARGEST_STACK = 2**27  # numbers in the largest activation of a stack (512 MB)
_WORTH_IT = 1.2  # stack only if it is at least this many times faster


@dataclass(frozen=True)
class Member:
    """One run of a sweep: numbers of its model and its data set in the lists, learning rate, weight decay and seed."""

    model: int
    dataset: int
    lr: float
    weight_decay: float
    seed: int


class Group:
    """Members of one shape and the same inputs, the data on the device, and the curves that are filled in.

    Arguments:
        make: function that takes a seed and returns a new model.
        datasets: number → data set; they may differ in their targets only.
        members: the members, of which there is at least one.
        options: what all members share; learning rate and weight decay are those of each member.
        keep: keep the parameters after each epoch.
    """

    def __init__(
        self,
        make: Callable[[int], nn.Module],
        datasets: dict[int, Dataset],
        members: list[Member],
        options: Options,
        keep: bool,
    ) -> None:
        self.make, self.members = make, members
        self.options = replace(options, lr=members[0].lr, weight_decay=members[0].weight_decay)
        self.starts = list(dict.fromkeys(member.seed for member in members))
        first = datasets[members[0].dataset]
        self.loop = Loop(make(self.starts[0]), first.train, self.options)
        place, x, held_out = self.loop.device, self.loop.split.x, first.validation.x.to(self.loop.device)
        numbers = list(datasets)
        self.which = torch.tensor([numbers.index(member.dataset) for member in members], device=place)
        self.train = [Split(x, dataset.train.y.to(place)) for dataset in datasets.values()]
        self.validation = [Split(held_out, dataset.validation.y.to(place)) for dataset in datasets.values()]
        for split in self.train[1:]:
            objective(self.loop.model, split, options.loss)  # raises if these targets do not fit
        self.train_part = [evaluated(*pair) for pair in zip(self.train, self.validation, strict=True)]
        shape = (len(members), options.epochs + 1)
        self.train_loss, self.validation_loss = torch.full(shape, torch.inf), torch.full(shape, torch.inf)
        self.has_classes = not first.train.y.is_floating_point() and options.loss is None
        self.train_accuracy = torch.zeros(shape) if self.has_classes else None
        self.validation_accuracy = torch.zeros(shape) if self.has_classes else None
        self.kept: dict[str, Tensor] | None = None
        if keep:
            parameters = self.loop.model.named_parameters()
            self.kept = {name: torch.zeros(*shape, *parameter.shape) for name, parameter in parameters}

    @property
    def flops(self) -> float | None:
        """FLOP of all members, or None where they are not counted."""
        goal, epochs = self.loop.goal, self.options.epochs
        evaluated = (epochs + 1) * (len(self.train_part[0]) + len(self.validation[0]))
        each = PASSES_PER_STEP * epochs * self.loop.num_examples + evaluated
        return None if goal.flops is None else goal.flops * each * len(self.members)

    def run(self) -> tuple[bool, str]:
        """Train the members; returns whether they were stacked, and the reason."""
        stacked, reason = self.decide()
        if stacked:
            self.train_stacked()
        else:
            self.train_in_turn()
        return stacked, reason

    def decide(self) -> tuple[bool, str]:
        """Whether to stack the members, and the reason."""
        goal, num_models = self.loop.goal, len(self.members)
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
        target = stack.targets(self._targets(self.train), loop.goal.num_outputs)
        multiplier = schedules.named(self.options.schedule)
        alive = torch.ones(len(self.members), dtype=torch.bool)
        self._measure_stack(stack, 0, alive)
        step = 0
        for epoch in range(1, self.options.epochs + 1):
            chunks: list[Tensor | None] = [None]
            if loop.batch_size < loop.num_examples:
                chunks = list(loop.batches.order(epoch - 1).split(loop.batch_size))
            for index in chunks:
                x = loop.split.x if index is None else loop.split.x.index_select(0, index)
                y = target if index is None else target.index_select(-2, index)
                stack.step(x, self._spread(y), multiplier(step, loop.num_steps))
                step += 1
            self._measure_stack(stack, epoch, alive)
            if not alive.any():
                self._repeat(slice(None), epoch)
                return

    def train_in_turn(self) -> None:
        """Train the members one after another."""
        for row, member in enumerate(self.members):
            options = replace(self.options, lr=member.lr, weight_decay=member.weight_decay)
            loop = Loop(self.make(member.seed), self.train[int(self.which[row])], options)
            epoch = 0
            try:
                self._measure_one(loop, row, epoch)
                for epoch in range(1, loop.options.epochs + 1):
                    for _ in loop.epoch(epoch):
                        pass
                    self._measure_one(loop, row, epoch)
            except TrainingDiverged:
                self._repeat(row, epoch - 1)

    def _stack(self) -> Stack:
        numbers = {"dtype": torch.float32, "device": self.loop.device}
        return Stack(
            [self.make(start).to(self.loop.device) for start in self.starts],
            torch.tensor([member.lr for member in self.members], **numbers),
            [self.starts.index(member.seed) for member in self.members],
            self.loop.goal.name,
            self.options.optimiser,
            weight_decay=torch.tensor([member.weight_decay for member in self.members], **numbers),
            momentum=self.options.momentum,
        )

    def _targets(self, splits: list[Split]) -> Tensor:
        """Prepared targets [n, ...] of the only data set, or of all of them [data sets, n, ...]."""
        prepared = [self.loop.goal.prepare(split.y) for split in splits]
        return prepared[0] if len(prepared) == 1 else torch.stack(prepared)

    def _spread(self, y: Tensor) -> Tensor:
        """Targets of the data sets → targets of the members."""
        return y if len(self.train) == 1 else y.index_select(0, self.which)

    def _measure_stack(self, stack: Stack, epoch: int, alive: Tensor) -> None:
        """Fill in column ``epoch`` and freeze the members that have newly diverged."""
        train, train_accuracy = self._evaluate_stack(stack, self.train_part)
        validation, validation_accuracy = self._evaluate_stack(stack, self.validation)
        finite = torch.isfinite(train) & torch.isfinite(validation)
        diverged = alive & ~finite
        alive &= finite
        self.train_loss[alive, epoch], self.validation_loss[alive, epoch] = train[alive], validation[alive]
        if self.has_classes:
            self.train_accuracy[alive, epoch] = train_accuracy[alive]
            self.validation_accuracy[alive, epoch] = validation_accuracy[alive]
        if self.kept is not None:
            for name, values in zip(stack.names, stack.values, strict=True):
                self.kept[name][alive, epoch] = values.cpu()[alive]
                if epoch:
                    self.kept[name][~alive, epoch] = self.kept[name][~alive, epoch - 1]
        if diverged.any():
            stack.freeze(diverged.to(stack.device))

    def _evaluate_stack(self, stack: Stack, splits: list[Split]) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy of each member on its split, each [K]."""
        goal, num = self.loop.goal, len(splits[0])
        chunk = max(1, 8 * goal.chunk // stack.num_models)
        loss, right = torch.zeros(stack.num_models), torch.zeros(stack.num_models)
        for start in range(0, num, chunk):
            parts = [Split(split.x[start : start + chunk], split.y[start : start + chunk]) for split in splits]
            outputs = stack.outputs(parts[0].x)
            loss += stack.losses(outputs, self._spread(self._targets(parts))).cpu()
            if self.has_classes:
                predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else _largest(outputs)
                labels = parts[0].y if len(parts) == 1 else torch.stack([part.y for part in parts])
                right += (predicted == self._spread(labels)).sum(1).cpu()
        return loss / num, right / num

    def _measure_one(self, loop: Loop, row: int, epoch: int) -> None:
        scores, number = [], int(self.which[row])
        for split in (self.train_part[number], self.validation[number]):
            scores.append(score_of(*evaluate_on(loop.model, split, loop.goal, keep_outputs=False), split))
        train, validation = scores
        if not torch.isfinite(torch.tensor([train.loss, validation.loss])).all():
            raise TrainingDiverged(epoch * len(loop.batches), epoch, validation.loss, loop.options.lr, after=True)
        self.train_loss[row, epoch], self.validation_loss[row, epoch] = train.loss, validation.loss
        if self.has_classes:
            self.train_accuracy[row, epoch] = train.accuracy
            self.validation_accuracy[row, epoch] = validation.accuracy
        if self.kept is not None:
            for name, parameter in loop.model.named_parameters():
                self.kept[name][row, epoch] = parameter.detach().cpu()

    def _repeat(self, row: int | slice, epoch: int) -> None:
        """Let the kept parameters stay what they were after ``epoch``."""
        for values in (self.kept or {}).values():
            values[row, epoch + 1 :] = values[row, epoch : epoch + 1]

    def _time_stacked(self) -> float:
        loop, stack = self.loop, self._stack()
        x = loop.split.x[: loop.batch_size]
        few = [Split(x, split.y[: loop.batch_size]) for split in self.train]
        target = self._spread(stack.targets(self._targets(few), loop.goal.num_outputs))
        return _shortest(lambda: stack.step(x, target))

    def _time_alone(self) -> float:
        few = self.loop.split if self.options.batch_size is None else self.loop.split.take(self.loop.batch_size)
        loop = Loop(self.make(self.starts[0]), few, self.options)
        return _shortest(lambda: next(loop.epoch(1)))


def _largest(outputs: Tensor) -> Tensor:
    """``outputs.argmax(1)`` of [K, O, B] along memory, which for a few classes is many times faster."""
    if outputs.shape[1] > 64:
        return outputs.argmax(1)
    best, predicted = outputs[:, 0], torch.zeros_like(outputs[:, 0], dtype=torch.int64)
    for label in range(1, outputs.shape[1]):
        predicted.masked_fill_(outputs[:, label] > best, label)
        best = torch.maximum(best, outputs[:, label])
    return predicted


def _shortest(work: Callable[[], object], repeats: int = 4) -> float:
    """Seconds of the fastest of a few calls after a first one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
