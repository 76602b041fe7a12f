"""The training loop as a generator: data resident on the device, one gather a batch, a fused optimiser.

A chapter can plot, stop or change something between two steps in an ordinary ``for``; ``fit`` drives the same loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from helpers import device as devices
from helpers.data import Split, TensorBatches
from helpers.data.base import checked_whole
from helpers.training import checkpoints, optimisers, schedules
from helpers.training.flops import PASSES_PER_STEP
from helpers.training.losses import Loss, Objective, objective

Augment = Callable[[Tensor, torch.Generator], Tensor]

_BETWEEN_SNAPSHOTS = 50  # steps; a snapshot is needed only if an update itself overflows
_BETWEEN_READS = 100  # steps between two looks at the latch on a GPU
_ONE_THREAD = 5e6  # FLOP of a step below which a second thread costs more than it helps, most of all on a busy machine


class TrainingDiverged(ValueError):
    """The loss became NaN or infinite; the model keeps the last parameters that are finite.

    Attributes: step (from 1) and its epoch (from 1): the step whose batch had that loss, or, where ``fit`` found it by
    measuring after an epoch, the last step of that epoch; loss (the value found), lr (learning rate at that step),
    history (rows of the epochs that ``fit`` had finished).
    """

    def __init__(self, step: int, epoch: int, loss: float, lr: float, *, after: bool = False) -> None:
        advice = (
            "nothing had been updated yet: look at the data and at the initial weights"
            if step == 1 and not after
            else f"take a smaller one, for example {lr / 10:.1g}"
        )
        super().__init__(
            f"the loss became {loss} {'after' if after else 'at'} step {step} (epoch {epoch}) "
            f"with learning rate {lr:g}: {advice}; "
            "the model keeps its last good parameters"
        )
        self.step, self.epoch, self.loss, self.lr = step, epoch, loss, lr
        self.history: list[dict] = []


@dataclass(slots=True)
class Step:
    """One update: its number (from 1), its epoch (from 1), the batch loss before the update, the learning rate.

    ``loss`` is a tensor without dimensions that stays on the device; ``float(step.loss)`` reads it.
    """

    number: int
    epoch: int
    loss: Tensor
    lr: float


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``steps``, ``fit`` and ``sweep`` take; checked once, here."""

    lr: float
    epochs: int = 1
    batch_size: int | None = 64
    optimiser: str = "adamw"
    schedule: str | schedules.Schedule = "constant"
    loss: Loss | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9
    seed: int = 0
    device: str | torch.device | None = None
    precision: str | torch.dtype | None = None
    augment: Augment | None = None

    def __post_init__(self) -> None:
        optimisers.checked_rate(self.lr)
        checked_whole("epochs", self.epochs)
        if self.batch_size is not None:
            checked_whole("batch_size", self.batch_size, " (or None for all examples at once)")
        schedules.named(self.schedule)
        devices.checked_seed(self.seed)

    def configuration(self) -> dict[str, object]:
        """The options as plain values for stamps and records; functions by name."""
        plain = (str, int, float, bool, type(None))
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["device"], values["precision"]  # where it ran does not belong to what was asked for
        return {
            key: value if isinstance(value, plain) else getattr(value, "__name__", None) or repr(value)
            for key, value in values.items()
        }


class Loop:
    """Model, data and optimiser ready to run; ``epoch(number)`` yields the steps of one epoch."""

    def __init__(self, model: nn.Module, split: Split, options: Options) -> None:
        if not hasattr(split, "x") or not hasattr(split, "y"):
            raise ValueError(f"training needs a split with x and y (such as dataset.train), got {type(split).__name__}")
        self.options = options
        self.device = devices.pick(options.device)
        self.model = model.to(self.device)
        self.split = split.to(self.device)
        self.goal: Objective = objective(self.model, self.split, options.loss)
        self.targets = self.goal.prepare(self.split.y)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = optimisers.make(
            options.optimiser,
            self.model,
            options.lr,
            weight_decay=options.weight_decay,
            momentum=options.momentum,
        )
        self.num_examples = len(self.split)
        self.batch_size = min(options.batch_size or self.num_examples, self.num_examples)
        self.batches = TensorBatches(self.split, self.batch_size, seed=options.seed)
        self.num_steps = options.epochs * len(self.batches)
        self.latched = self.device.type == "cuda" and options.optimiser not in ("rmsprop", "muon")  # the fused ones
        work = PASSES_PER_STEP * (self.goal.flops or math.inf) * self.batch_size
        chosen, known = options.precision, self.goal.flops and work
        self.dtype = (devices.precision_named(chosen, self.device, known) if chosen
                      else devices.precision(self.device, known))
        self.num_threads = 1 if self.device.type == "cpu" and work < _ONE_THREAD else torch.get_num_threads()
        self.inside = _Inside(self.device, self.num_threads)
        self.writes = True  # whether this process writes the checkpoint
        self._snapshot: tuple[int, list[Tensor]] = (-_BETWEEN_SNAPSHOTS, self.parameters)

    def lr_at(self, step: int) -> float:
        """Learning rate of the update that follows ``step`` updates."""
        return self.options.lr * schedules.named(self.options.schedule)(step, self.num_steps)

    def state(self) -> tuple[dict[str, Tensor], dict[int, dict[str, Tensor]]]:
        """Weights by name and the optimiser's tensors, as a checkpoint keeps them."""
        return self.model.state_dict(), checkpoints.optimiser_tensors(self.optimiser)

    def put(self, weights: dict[str, Tensor], optimiser: dict[int, dict[str, Tensor]]) -> None:
        """Go on from what ``state`` returned."""
        self.model.load_state_dict(weights)
        checkpoints.restore_optimiser(self.optimiser, optimiser)

    def batch(self, index: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs and prepared targets of the examples ``index``; None takes all."""
        x, y = self.split.x, self.targets
        if index is not None:
            x, y = x.index_select(0, index), y.index_select(0, index)
        return (x if self.options.augment is None else self.options.augment(x, generator)), y

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Loss of one batch."""
        return self.loss_of(self.model, x, y)

    def loss_of(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Loss of ``model`` on one batch, in the chosen precision."""
        if self.dtype is torch.float32:
            return self.goal.loss(model(x), y)
        with torch.autocast(self.device.type, dtype=self.dtype):
            outputs = model(x)
        return self.goal.loss(outputs.float(), y)

    def epoch(self, number: int) -> Iterator[Step]:
        """Yield the steps of epoch ``number`` (from 1); its order and its noise depend on the seed and the number."""
        step = (number - 1) * len(self.batches)
        seed = self.options.seed * 1_000_003 + number
        generator = devices.generator(seed)
        chunks: list[Tensor | None] = [None]
        if self.batch_size < self.num_examples:
            chunks = list(self.batches.order(number - 1).split(self.batch_size))
        constant = self.options.schedule == "constant"
        model, optimiser, parameters, lr = self.model, self.optimiser, self.parameters, self.options.lr
        update = optimisers.bare_step(optimiser)
        latch = torch.zeros((), device=self.device) if self.latched else None
        good = torch.full((), float(step), device=self.device) if self.latched else None
        self._remember(step)
        self.inside.start(seed)
        self.inside.enter()
        try:
            for index in chunks:
                if not model.training:
                    model.train()
                if not constant:
                    lr = self.lr_at(step)
                    for group in optimiser.param_groups:
                        group["lr"] = lr
                for parameter in parameters:
                    parameter.grad = None
                loss = self.forward(*self.batch(index, generator))
                if latch is None:
                    if not math.isfinite(loss.item()):
                        self._diverged(step + 1, number, loss.item(), lr)
                else:  # no waiting for the GPU: a bad loss closes the latch, and the optimiser skips all updates after
                    torch.maximum(latch, (~torch.isfinite(loss.detach())).float(), out=latch)
                    good += 1 - latch
                    optimiser.found_inf = latch
                loss.backward()
                update(optimiser)
                step += 1
                if latch is not None and (step % _BETWEEN_READS == 0 or index is chunks[-1]) and latch.item():
                    self._diverged(int(good.item()) + 1, number, math.nan, lr)
                self.inside.leave()
                try:
                    yield Step(step, number, loss.detach(), lr)
                finally:
                    self.inside.enter()
        finally:
            self.inside.leave()

    def _remember(self, step: int) -> None:
        if step - self._snapshot[0] >= _BETWEEN_SNAPSHOTS and self.finite():
            self._snapshot = (step, [parameter.detach().clone() for parameter in self.parameters])

    def _diverged(self, step: int, epoch: int, loss: float, lr: float) -> None:
        self.restore()
        raise TrainingDiverged(step, epoch, loss, lr)

    def finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters)

    def restore(self) -> None:
        """Go back to the last snapshot if an update has made a parameter NaN or infinite."""
        if not self.finite():
            with torch.no_grad():
                for parameter, kept in zip(self.parameters, self._snapshot[1], strict=True):
                    parameter.copy_(kept)


class _Inside:
    """What holds inside a step only: random numbers (dropout) in a stream of their own, and the number of threads.

    Between the steps the caller's global generators and number of threads are back.
    """

    def __init__(self, device: torch.device, num_threads: int) -> None:
        self._generators = [torch.default_generator]
        if device.type == "cuda":
            torch.cuda.init()
            self._generators.append(torch.cuda.default_generators[device.index or torch.cuda.current_device()])
        self._num_threads = num_threads
        self._mine = [generator.get_state() for generator in self._generators]
        self._theirs = list(self._mine)
        self._their_threads = num_threads

    def start(self, seed: int) -> None:
        """Begin the stream at ``seed``."""
        with devices.seeded(seed):
            self._mine = [generator.get_state() for generator in self._generators]

    def enter(self) -> None:
        """Put the caller's state aside."""
        for position, generator in enumerate(self._generators):
            self._theirs[position] = generator.get_state()
            generator.set_state(self._mine[position])
        self._their_threads = torch.get_num_threads()
        if self._their_threads != self._num_threads:
            torch.set_num_threads(self._num_threads)

    def leave(self) -> None:
        """Give the caller's state back."""
        if self._their_threads != self._num_threads:
            torch.set_num_threads(self._their_threads)
        for position, generator in enumerate(self._generators):
            self._mine[position] = generator.get_state()
            generator.set_state(self._theirs[position])


def steps(
    model: nn.Module,
    split: Split,
    *,
    lr: float,
    epochs: int = 1,
    batch_size: int | None = 64,
    optimiser: str = "adamw",
    schedule: str | schedules.Schedule = "constant",
    loss: Loss | None = None,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: str | torch.dtype | None = None,
    augment: Augment | None = None,
) -> Iterator[Step]:
    """Train ``model`` in place, yielding a ``Step`` after each update.

    Arguments:
        model: any module x [batch, ...] → outputs [batch, ...]; it is moved to the device.
        split: examples, such as ``dataset.train``; x [n, ...] and y [n] or [n, outputs].
        lr: learning rate, above 0.
        epochs: passes over the split.
        batch_size: examples in an update; None takes all of them in every update.
        optimiser: "sgd" (plain), "momentum", "nesterov", "rmsprop", "adam", "adamw" or "muon" (for the hidden
            matrices, see ``training.muon.split``, with AdamW for the rest).
        schedule: "constant", "step", "cosine", "warmup_cosine", or a function (step, num_steps) → multiplier.
        loss: function (outputs, targets) → mean over the batch; None takes mean squared error for float targets,
            cross-entropy for integer ones, binary cross-entropy for integer ones and a single output.
        weight_decay: λ, decoupled for "adamw" and "muon".
        momentum: μ of "momentum" and "nesterov".
        seed: order of the examples, dropout, augmentation; the global generators stay as they were.
        device: name of the device; None asks ``helpers.device.pick``.
        precision: "float32", "bfloat16" or "auto" (the faster one); None asks ``helpers.device.precision``.
        augment: function (x, generator) → x applied to each batch on the device, see ``training.augment``.

    Raises:
        ValueError: an option or the data out of range; the message says which value.
        TrainingDiverged: the loss became NaN or infinite (on a GPU noticed within 100 steps, at the same state).
    """
    options = Options(
        lr=lr, epochs=epochs, batch_size=batch_size, optimiser=optimiser, schedule=schedule, loss=loss,
        weight_decay=weight_decay, momentum=momentum, seed=seed, device=device, precision=precision, augment=augment,
    )  # fmt: skip
    return _run(Loop(model, split, options))


def _run(loop: Loop) -> Iterator[Step]:
    for number in range(1, loop.options.epochs + 1):
        yield from loop.epoch(number)
