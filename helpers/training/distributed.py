"""The same training spread over several processes: torchrun starts them, accelerate wraps the model.

Every process holds all data and draws the same order; of each global batch it takes its own share. Gradients are
averaged with the right weights, so that the numbers equal those of one process up to rounding. Run it with

    torchrun --nproc_per_node 2 -m helpers.training.distributed --data digits --epochs 3 --output curve.json

This is the only file that imports accelerate, and only when a run starts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from helpers import data, models
from helpers import device as devices
from helpers.data import Dataset, Split
from helpers.training.fit import Run, run
from helpers.training.loop import Loop, Options

if TYPE_CHECKING:
    from accelerate import Accelerator


def prepare(model: nn.Module) -> tuple[Accelerator, nn.Module]:
    """Start accelerate and wrap ``model``, so that its gradients are averaged over all processes.

    Returns:
        the accelerator (its ``process_index`` and ``num_processes`` say who this process is) and the wrapped model.

    Raises:
        ImportError: accelerate is not installed.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise ImportError("training over several processes needs accelerate: pip install accelerate") from error
    accelerator = Accelerator(cpu=devices.pick().type == "cpu", mixed_precision="no")
    return accelerator, accelerator.prepare_model(model.to(accelerator.device))


class SharedLoop(Loop):
    """The training loop in which each process computes its share of every batch."""

    def __init__(self, model: nn.Module, split: Split, options: Options) -> None:
        self.accelerator, self.wrapped = prepare(model)
        super().__init__(model, split, replace(options, device=self.accelerator.device))
        self.writes = self.accelerator.is_main_process
        self._weight = 1.0

    def batch(self, index: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """This process's share of the batch ``index``, and its weight in the mean over the whole batch."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        whole = torch.arange(self.num_examples, device=self.device) if index is None else index
        mine = whole[rank::world]
        self._weight = len(mine) * world / len(whole)
        # a process without a share still takes part in the averaging: one example, with weight 0
        return super().batch(mine if len(mine) else whole[:1], generator)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Loss of the whole batch, whose gradient is this process's contribution to the average."""
        share = self.loss_of(self.wrapped, x, y) * self._weight
        mean = self.accelerator.reduce(share.detach(), reduction="mean")
        return share + (mean - share.detach())  # the value of the mean, the gradient of the share


def fit(model: nn.Module, dataset: Dataset, *, lr: float, epochs: int, **options: Any) -> Run:
    """``training.fit`` over all processes that torchrun has started; ``batch_size`` is the size of the global batch.

    Arguments:
        model, dataset, lr, epochs: as in ``training.fit``; every process passes the same.
        options: batch_size, optimiser, schedule, weight_decay, momentum, seed, loss as in ``training.fit``.

    Raises:
        ValueError: an option out of range, or data that do not fit the model.
        TrainingDiverged: the loss became NaN or infinite, in all processes at the same step.
    """
    loop = SharedLoop(model, dataset.train, Options(lr=lr, epochs=epochs, **options))
    done = run(loop, dataset, patience=None, checkpoint=None, resume=False)
    done.configuration["num_processes"] = loop.accelerator.num_processes
    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Train an MLP on a data set by name and write the history of the run as JSON from the first process."""
    parser = argparse.ArgumentParser(prog="helpers.training.distributed", description=main.__doc__)
    parser.add_argument("--data", default="digits", help="name of a data set with classes")
    parser.add_argument("--hidden", type=int, nargs="*", default=[32], help="widths of the hidden layers")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--batch-size", type=int, default=64, help="examples in a global batch")
    parser.add_argument("--optimiser", default="adamw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="JSON file for the history")
    given = parser.parse_args(arguments)
    if not given.output.parent.is_dir():
        raise FileNotFoundError(f"the folder {given.output.parent} for the history does not exist: create it first")
    dataset = data.load(given.data, seed=given.seed)
    if dataset.classes is None:
        raise ValueError(f"the data set {given.data!r} has no classes: choose one that has")
    model = models.MLP(dataset.train.x[0].numel(), given.hidden, len(dataset.classes), seed=given.seed)
    done = fit(
        model, dataset, lr=given.lr, epochs=given.epochs, batch_size=given.batch_size, optimiser=given.optimiser,
        seed=given.seed,
    )  # fmt: skip
    if int(os.environ.get("RANK", "0")) == 0:
        result = {"history": done.history, "stamp": done.stamp()}
        given.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
