"""``fit``: train on the training split, watch the validation split, and keep what the run can say about itself."""

from __future__ import annotations

import copy
import math
import time
import warnings
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from helpers import device as devices
from helpers.data import Dataset, Split
from helpers.training import checkpoints, schedules
from helpers.training.checkpoints import RunState
from helpers.training.flops import PASSES_PER_STEP
from helpers.training.loop import Augment, Loop, Options, TrainingDiverged
from helpers.training.losses import Loss, Score, evaluate, evaluate_on, evaluated, score_of

if TYPE_CHECKING:
    from helpers.economics import Bill


@dataclass
class Run:
    """A finished run.

    Attributes:
        model: the trained model, in evaluation mode.
        history: a row for each epoch, row 0 before training: epoch, train_loss, validation_loss, train_accuracy,
            validation_accuracy (None where there are no classes).
        seconds: wall-clock seconds, evaluation included.
        flops: FLOP in matrix products, or None where they were not counted.
        seed: the seed.
        configuration: the options, the model and the sizes of the splits.
        precision: "float32" or "bfloat16".
        machine: what it ran on.
        best_epoch: the epoch whose weights the model has.
    """

    model: nn.Module
    history: list[dict]
    seconds: float
    flops: float | None
    seed: int
    configuration: dict
    precision: str
    machine: devices.Machine
    best_epoch: int
    _loss: Loss | None = field(repr=False)
    _test: Split | None = field(repr=False)
    _tested: bool = field(default=False, repr=False)

    def stamp(self) -> dict:
        """Where, when and how the run was made: plain values for a record or a caption."""
        return {
            "device": self.machine.name,
            "threads": self.machine.num_threads,
            "torch_version": self.machine.torch_version,
            "precision": self.precision,
            "seed": self.seed,
            "seconds": self.seconds,
            "flops": self.flops,
            "configuration": self.configuration,
            "date": date.today().isoformat(),
        }

    def cost(self) -> Bill:
        """The bill of the run; ``print(run.cost())`` gives one line."""
        from helpers import economics

        cores = self.machine.num_threads if self.machine.kind == "cpu" else None
        return economics.bill(self.seconds, device_name=self.machine.name, num_cores=cores, flops=self.flops)

    def record(self, name: str, *, replace: bool = False) -> Path:
        """Write the run to the reader's own records (book/mine/NAME.json) for other chapters.

        Raises:
            FileExistsError: there is such a record and ``replace`` is False.
            ValueError: a name that is not made of lower-case letters, digits and hyphens.
        """
        from helpers import records

        stamp = self.stamp()
        keys = [key for key in self.history[0] if self.history[0][key] is not None]
        payload = {key: stamp[key] for key in ("configuration", "seed", "device", "precision", "seconds", "flops")}
        payload["curves"] = {key: [row[key] for row in self.history] for key in keys}
        payload["results"] = {key: self.history[self.best_epoch][key] for key in keys} | {"threads": stamp["threads"]}
        return records.save(name, payload, replace=replace)

    def score(self, split: Split) -> Score:
        """Loss, accuracy and predictions on ``split``; a second look at the test split warns.

        Raises:
            ValueError: labels out of range, NaN or infinite features, or shapes that do not fit.
        """
        if split is self._test:
            if self._tested:
                warnings.warn(
                    "this test split was scored before: choosing by its result makes it a second validation split",
                    stacklevel=2,
                )
            self._tested = True
        return evaluate(self.model, split, self._loss)


def fit(
    model: nn.Module,
    dataset: Dataset,
    *,
    lr: float,
    epochs: int,
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
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> Run:
    """Train ``model`` in place on ``dataset.train`` and measure it on ``dataset.validation`` after each epoch.

    Arguments:
        model, lr, epochs, batch_size, optimiser, schedule, loss, weight_decay, momentum, seed, device, precision,
            augment: as in ``steps``.
        dataset: only its train and validation splits are used.
        patience: stop when the validation loss has not fallen for this many epochs, and go back to the best weights;
            None runs all epochs and keeps the last. Source: prechelt1998.
        checkpoint: file written after each epoch (safetensors). A checkpoint already there is replaced, any other
            file is refused.
        resume: continue from ``checkpoint`` if it exists; the result is the same as without the interruption.

    Raises:
        ValueError: an option or the data out of range; a checkpoint that is damaged, of another model or of other
            options.
        FileNotFoundError: the folder of ``checkpoint`` does not exist.
        TrainingDiverged: the loss became NaN or infinite; the model keeps the last good parameters.
    """
    if not hasattr(dataset, "train") or not hasattr(dataset, "validation"):
        raise ValueError(f"fit needs a data set with train and validation splits, got {type(dataset).__name__}")
    if patience is not None and (isinstance(patience, bool) or not isinstance(patience, int) or patience < 1):
        raise ValueError(f"patience must be a whole number of epochs of at least 1, or None, got {patience!r}")
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=PATH, the file to continue from")
    options = Options(
        lr=lr, epochs=epochs, batch_size=batch_size, optimiser=optimiser, schedule=schedule, loss=loss,
        weight_decay=weight_decay, momentum=momentum, seed=seed, device=device, precision=precision, augment=augment,
    )  # fmt: skip
    if checkpoint is not None:
        checkpoints.check_place(checkpoint)
    return run(Loop(model, dataset.train, options), dataset, patience, checkpoint, resume)


def run(loop: Loop, dataset: Dataset, patience: int | None, checkpoint: str | Path | None, resume: bool) -> Run:
    """Drive ``loop`` over its epochs; ``fit`` and ``distributed`` share this."""
    start = time.perf_counter()
    watch = _Watch(loop, dataset, patience)
    state = RunState(model={}, configuration=watch.configuration)
    if resume and Path(checkpoint).exists():
        state = resumed(loop, checkpoint, watch.configuration)
    before = state.seconds
    try:
        if not state.history:
            state.history.append(watch.row(0))
            state.best = _weights(loop.model) if patience else {}
        for epoch in range(state.epoch + 1, loop.options.epochs + 1):
            if patience and state.epoch - state.best_epoch >= patience:
                break
            for _ in loop.epoch(epoch):
                pass
            state.history.append(watch.row(epoch))
            state.epoch = epoch
            lowest = state.history[state.best_epoch]["validation_loss"]
            if not patience:
                state.best_epoch = epoch
            elif state.history[-1]["validation_loss"] < lowest:
                state.best_epoch, state.best = epoch, _weights(loop.model)
            state.seconds = before + time.perf_counter() - start
            if checkpoint is not None:
                state.model, state.optimiser = loop.state()
                if loop.writes:
                    checkpoints.save(checkpoint, state)
    except TrainingDiverged as diverged:
        diverged.history = state.history
        raise
    if patience:
        loop.model.load_state_dict(state.best)
    loop.model.eval()
    return Run(
        model=loop.model,
        history=state.history,
        seconds=before + time.perf_counter() - start,
        flops=watch.flops(state.epoch),
        seed=loop.options.seed,
        configuration=watch.configuration,
        precision=str(loop.dtype).removeprefix("torch."),
        machine=replace(devices.machine(loop.device), num_threads=loop.num_threads),
        best_epoch=state.best_epoch,
        _loss=loop.options.loss,
        _test=getattr(dataset, "test", None),
    )


class _Watch:
    """Measures training and validation loss after an epoch."""

    def __init__(self, loop: Loop, dataset: Dataset, patience: int | None) -> None:
        self.loop, self.goal = loop, loop.goal
        self.validation = dataset.validation.to(loop.device)
        self.train = evaluated(loop.split, self.validation)
        self.configuration = loop.options.configuration() | {
            "patience": patience,
            "loss": self.goal.name,
            "model": type(loop.model).__name__,
            "num_parameters": sum(parameter.numel() for parameter in loop.parameters),
            "num_train": loop.num_examples,
            "num_validation": len(self.validation),
        }

    def row(self, epoch: int) -> dict:
        """The row of the history after ``epoch``."""
        train, validation = (
            score_of(*evaluate_on(self.loop.model, split, self.goal, keep_outputs=False), split)
            for split in (self.train, self.validation)
        )
        for value in (train.loss, validation.loss):
            if not math.isfinite(value):
                self.loop.restore()
                step = max(epoch * len(self.loop.batches), 1)
                raise TrainingDiverged(step, max(epoch, 1), value, self.loop.lr_at(step - 1), after=epoch > 0)
        return {
            "epoch": epoch,
            "train_loss": train.loss,
            "validation_loss": validation.loss,
            "train_accuracy": train.accuracy,
            "validation_accuracy": validation.accuracy,
        }

    def flops(self, epochs: int) -> float | None:
        """FLOP of ``epochs`` epochs with the evaluations around them."""
        if self.goal.flops is None:
            return None
        evaluated = (epochs + 1) * (len(self.train) + len(self.validation))
        return self.goal.flops * (PASSES_PER_STEP * epochs * self.loop.num_examples + evaluated)


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def resumed(loop: Loop, path: str | Path, configuration: dict) -> RunState:
    """The run that ``path`` holds, put into ``loop``.

    Raises:
        ValueError: the file is damaged, or of another run than ``configuration`` describes.
    """
    state = checkpoints.load(path)
    checkpoints.check_fits(state, loop.model, path)
    if not state.history:
        raise ValueError(f"{path} holds weights only, so a run cannot be resumed from it: use load_model")
    if state.epoch > loop.options.epochs:
        raise ValueError(f"{path} holds {state.epoch} epochs already, more than the {loop.options.epochs} asked for")
    free = {"epochs"} if loop.options.schedule == "constant" else set()
    for key in configuration.keys() - free:
        if state.configuration.get(key) != configuration[key]:
            raise ValueError(
                f"the checkpoint {Path(path).name} was made with {key}={state.configuration.get(key)!r}, this run has "
                f"{configuration[key]!r}: use the same value, or another file"
            )
    loop.put(state.model, state.optimiser)
    return state
