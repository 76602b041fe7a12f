"""The same training spread over several processes: torchrun starts them, accelerate wraps the model.

Every process holds all data and draws the same order; of each global batch it takes its own share. Gradients are
averaged with the right weights, so that the numbers equal those of one process up to rounding. Run it with

    torchrun --nproc_per_node 2 -m helpers.training.distributed --data digits --epochs 3 --output curve.json

Started by ``accelerate launch --config_file helpers/training/fsdp.yaml``, or with ``--sharded``, each process keeps
only its part of weights, gradients and optimiser (FSDP, the idea of ZeRO stage 3); ``launch_line`` writes the lines.
This is the only file that imports accelerate, and only when a run starts.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from helpers import data, models
from helpers import device as devices
from helpers.data import Dataset, Split
from helpers.data.base import checked_whole
from helpers.training import checkpoints
from helpers.training.fit import Run, run
from helpers.training.loop import Loop, Options

if TYPE_CHECKING:
    from accelerate import Accelerator

CONFIGURATION = Path(__file__).with_name("fsdp.yaml")


def launch_line(
    options: str = "", *, num_processes: int = 2, num_nodes: int = 1, first_node: str = "", sharded: bool = False
) -> str:
    """The line that starts this file on each node.

    Arguments:
        options: for this file, such as "--data digits --output curve.json".
        num_processes: processes (devices) on a node.
        num_nodes: machines that take part; the line is started once on each of them.
        first_node: name of the first node, needed for several; its port 29500 must be reachable from the others.
        sharded: through accelerate and fsdp.yaml instead of torchrun alone; on several nodes the number of the node
            (from 0) is read from the variable NODE.

    Raises:
        ValueError: a number that is not whole and at least 1, or several nodes without the first one's name.
    """
    checked_whole("num_processes", num_processes)
    checked_whole("num_nodes", num_nodes)
    if num_nodes > 1 and not first_node:
        raise ValueError(f"{num_nodes} nodes need first_node, the name by which they reach the first one")
    here = shlex.quote(first_node)
    if sharded:
        many = f" --num_machines {num_nodes} --machine_rank $NODE --main_process_ip {here} --main_process_port 29500"
        start = f"accelerate launch --config_file helpers/training/{CONFIGURATION.name}"
        start += f" --num_processes {num_processes * num_nodes}" + (many if num_nodes > 1 else "")
    else:
        many = f"--nnodes {num_nodes} --rdzv_backend c10d --rdzv_endpoint {here}:29500"
        start = f"torchrun {many if num_nodes > 1 else '--standalone'} --nproc_per_node {num_processes}"
    return f"{start} -m helpers.training.distributed {options}".rstrip()


def prepare(
    model: nn.Module, *, sharded: bool = False, timeout_seconds: float = 600
) -> tuple[Accelerator, nn.Module]:
    """Start accelerate and wrap ``model``, so that its gradients are averaged over all processes.

    Arguments:
        model: the same in every process.
        sharded: keep only a part of every parameter in each process; the model itself is changed.
        timeout_seconds: how long a process waits for the others before it gives up.

    Returns:
        the accelerator (its ``process_index`` and ``num_processes`` say who this process is) and the wrapped model.

    Raises:
        ImportError: accelerate is not installed.
        ValueError: sharded with one process that torchrun did not start.
    """
    try:
        from accelerate import Accelerator, InitProcessGroupKwargs
    except ImportError as error:
        raise ImportError("training over several processes needs accelerate: pip install accelerate") from error
    patience = InitProcessGroupKwargs(timeout=timedelta(seconds=timeout_seconds))
    accelerator = Accelerator(cpu=devices.pick().type == "cpu", mixed_precision="no", kwargs_handlers=[patience])
    model.to(accelerator.device)
    if not sharded:
        return accelerator, accelerator.prepare_model(model)
    if not torch.distributed.is_initialized():
        raise ValueError("a sharded model needs processes to share it: start them with torchrun, see launch_line")
    from torch.distributed.fsdp import fully_shard

    name = type(model).__name__
    mesh = torch.distributed.init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for module in list(model.modules()):
        if isinstance(module, nn.ModuleList):                 # block by block: only one is whole at a time
            for block in module:
                fully_shard(block, mesh=mesh)
    # the rest too is given back after each forward pass, or the optimiser would be handed whole parameters
    fully_shard(model, mesh=mesh, reshard_after_forward=True)
    type(model).__name__ = name  # records and checkpoints name the class of the model, not that of its wrapping
    return accelerator, model


class SharedLoop(Loop):
    """The training loop in which each process computes its share of every batch."""

    def __init__(
        self, model: nn.Module, split: Split, options: Options, *, sharded: bool = False, timeout_seconds: float = 600
    ) -> None:
        if sharded and options.optimiser == "muon":
            raise ValueError("optimiser 'muon' needs whole matrices and cannot run sharded: take 'adamw'")
        self.accelerator, self.wrapped = prepare(model, sharded=sharded, timeout_seconds=timeout_seconds)
        super().__init__(model, split, replace(options, device=self.accelerator.device))
        self.writes = self.accelerator.is_main_process
        self.sharded = sharded
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

    def state(self) -> tuple[dict[str, Tensor], dict[int, dict[str, Tensor]]]:
        """Weights and the optimiser's tensors in whole; every process has to take part."""
        weights, optimiser = super().state()
        if self.sharded:
            weights = {name: _whole(tensor) for name, tensor in weights.items()}
            optimiser = {i: {name: _whole(tensor) for name, tensor in row.items()} for i, row in optimiser.items()}
        return weights, optimiser

    def put(self, weights: dict[str, Tensor], optimiser: dict[int, dict[str, Tensor]]) -> None:
        """Go on from what ``state`` returned; each process keeps its part."""
        if self.sharded:
            own = self.model.state_dict()
            weights = {name: _part(tensor, own[name]) for name, tensor in weights.items()}
            optimiser = {i: {name: _part(tensor, self.parameters[i]) for name, tensor in row.items()}
                         for i, row in optimiser.items()}
        super().put(weights, optimiser)

    def finite(self) -> bool:
        """Whether every parameter is a finite number in all processes."""
        if not self.sharded:
            return super().finite()
        here = all(bool(torch.isfinite(parameter.to_local()).all()) for parameter in self.parameters)
        return bool(self.accelerator.gather(torch.tensor([here], device=self.device)).all())

    def agree(self, epoch: int) -> None:
        """Raises ValueError if the processes would go on from different epochs, which would leave them waiting."""
        found = self.accelerator.gather(torch.tensor([epoch], device=self.device)).tolist()
        if len(set(found)) > 1:
            raise ValueError(f"the processes found checkpoints of different epochs, {found}: put the file where all of "
                             "them can read it")


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def _part(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor`` cut as ``like`` is; one that is not cut, such as a step count, stays as it is."""
    if not hasattr(like, "full_tensor") or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)


def fit(
    model: nn.Module, dataset: Dataset, *, lr: float, epochs: int, checkpoint: str | Path | None = None,
    resume: bool = False, sharded: bool = False, timeout_seconds: float = 600, **options: Any,
) -> Run:
    """``training.fit`` over all processes that torchrun has started; ``batch_size`` is the size of the global batch.

    Arguments:
        model, dataset, lr, epochs: as in ``training.fit``; every process passes the same.
        checkpoint, resume: as in ``training.fit``; the first process writes, all of them read. The number of processes
            may change in between.
        sharded: each process keeps only its part of weights, gradients and optimiser.
        timeout_seconds: how long a process waits for the others before it gives up.
        options: batch_size, optimiser, schedule, weight_decay, momentum, seed, loss as in ``training.fit``.

    Raises:
        ValueError: an option out of range, data that do not fit the model, or a checkpoint that not all processes see.
        FileNotFoundError: the folder of ``checkpoint`` does not exist.
        TrainingDiverged: the loss became NaN or infinite, in all processes at the same step.
    """
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=PATH, the file to continue from")
    if checkpoint is not None:
        checkpoints.check_place(checkpoint)
    loop = SharedLoop(model, dataset.train, Options(lr=lr, epochs=epochs, **options), sharded=sharded,
                      timeout_seconds=timeout_seconds)
    if resume:
        loop.agree(checkpoints.load(checkpoint).epoch if Path(checkpoint).exists() else 0)
    done = run(loop, dataset, patience=None, checkpoint=checkpoint, resume=resume)
    done.configuration |= {"num_processes": loop.accelerator.num_processes, "sharded": sharded}
    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Train an MLP or a decoder on a data set by name; the first process writes the history of the run as JSON."""
    parser = argparse.ArgumentParser(prog="helpers.training.distributed", description=main.__doc__)
    parser.add_argument("--data", default="digits", help="name of a data set with classes, or of characters")
    parser.add_argument("--hidden", type=int, nargs="*", default=[32], help="widths of the hidden layers")
    parser.add_argument("--decoder", type=int, nargs=2, metavar=("LAYERS", "WIDTH"), help="a decoder instead")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--batch-size", type=int, default=64, help="examples in a global batch")
    parser.add_argument("--optimiser", default="adamw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="file written after each epoch")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    parser.add_argument("--sharded", action="store_true", help="each process keeps only its part of the model")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that a process waits for the others")
    parser.add_argument("--output", type=Path, required=True, help="JSON file for the history")
    given = parser.parse_args(arguments)
    if not given.output.parent.is_dir():
        raise FileNotFoundError(f"the folder {given.output.parent} for the history does not exist: create it first")
    dataset = data.load(given.data, seed=given.seed)
    if dataset.classes is None:
        raise ValueError(f"the data set {given.data!r} has no classes: choose one that has")
    num_classes = len(dataset.classes)
    if given.decoder:
        layers, width = given.decoder
        heads = max(1, width // 32)
        context = dataset.train.x.shape[-1]
        model = models.Decoder(num_classes, context, num_layers=layers, d_model=width, num_heads=heads, seed=given.seed)
    else:
        model = models.MLP(dataset.train.x[0].numel(), given.hidden, num_classes, seed=given.seed)
    if "WORLD_SIZE" not in os.environ:
        print("one process only: to use two, start the same options with\n    "
              f"{launch_line('…')}\n(where torchrun is missing: python -m torch.distributed.run)", file=sys.stderr)
    sharded = given.sharded or os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"
    done = fit(
        model, dataset, lr=given.lr, epochs=given.epochs, batch_size=given.batch_size, optimiser=given.optimiser,
        seed=given.seed, checkpoint=given.checkpoint, resume=given.resume, sharded=sharded,
        timeout_seconds=given.timeout,
    )  # fmt: skip
    if int(os.environ.get("RANK", "0")) == 0:
        result = {"history": done.history, "stamp": done.stamp()}
        given.output.write_text(json.dumps(result, indent=1), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
