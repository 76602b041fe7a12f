"""Checkpoints: weights, optimiser and history in one safetensors file, written whole or not at all.

Nothing is pickled. The file is written beside its place and then renamed, so that a full disk or a stop in the middle
leaves the old checkpoint as it was. Batch order, dropout and augmentation depend on the seed and the epoch number
only, so the seed (in the configuration) and the epoch are the whole state of the random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers.models import tensor_files

FORMAT = "course-checkpoint-2"


@dataclass
class RunState:
    """Everything a run needs to go on as if it had never stopped.

    Attributes:
        model: parameters and buffers by name.
        optimiser: the optimiser's state: parameter number → name → tensor.
        epoch: epochs finished.
        history: one row for each finished epoch, and row 0.
        configuration: the options of the run.
        best: the weights with the lowest validation loss so far, for early stopping; may be empty.
        best_epoch: the epoch of ``best``, or of the last row without early stopping.
        seconds: wall-clock seconds spent so far.
    """

    model: dict[str, Tensor]
    optimiser: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    epoch: int = 0
    history: list[dict] = field(default_factory=list)
    configuration: dict = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    seconds: float = 0.0


def save(path: str | Path, state: RunState) -> Path:
    """Write ``state`` to ``path`` in one atomic step, replacing an older checkpoint there.

    Raises:
        FileNotFoundError: the folder does not exist.
        OSError: the disk is full or cannot be written; an older checkpoint is left as it was.
    """
    tensors = {f"model/{name}": tensor for name, tensor in state.model.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.best.items()}
    for number, values in state.optimiser.items():
        tensors |= {f"optimiser/{number}/{name}": tensor for name, tensor in values.items()}
    kept = ("epoch", "history", "configuration", "best_epoch", "seconds")
    return _write(path, tensors, {name: getattr(state, name) for name in kept})


def load(path: str | Path) -> RunState:
    """Read a checkpoint written by ``save``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is truncated, damaged, or something else.
    """
    tensors, about = _read(path)
    state = RunState(model={}, **about)
    for name, tensor in tensors.items():
        group, rest = name.split("/", 1)
        if group == "optimiser":
            number, key = rest.split("/", 1)
            state.optimiser.setdefault(int(number), {})[key] = tensor
        else:
            getattr(state, group)[rest] = tensor
    return state


def save_model(path: str | Path, model: nn.Module) -> Path:
    """Write only the parameters and buffers of ``model``; reload them with ``load_model``.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    return save(path, RunState(model=model.state_dict()))


def load_model(path: str | Path, model: nn.Module) -> nn.Module:
    """Put the weights of the checkpoint ``path`` into ``model`` and return it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or holds another model; ``model`` stays as it was.
    """
    state = load(path)
    check_fits(state, model, path)
    model.load_state_dict(state.model)
    return model


def check_fits(state: RunState, model: nn.Module, path: str | Path) -> None:
    """Raises ValueError naming the first tensor in which the checkpoint and ``model`` differ."""
    here = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    there = {name: list(tensor.shape) for name, tensor in state.model.items()}
    for name in [*here, *there]:
        if here.get(name) != there.get(name):
            raise ValueError(
                f"the checkpoint {Path(path).name} is of another model: {name} is {there.get(name, 'absent')} there "
                f"and {here.get(name, 'absent')} in this model; build the model it was made with, or use another file"
            )


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """The optimiser's state as tensors by parameter number."""
    state = optimiser.state_dict()["state"]
    return {
        number: {name: value for name, value in values.items() if isinstance(value, Tensor)}
        for number, values in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[int, dict[str, Tensor]]) -> None:
    """Put tensors from ``optimiser_tensors`` back; the options (learning rate and so on) stay as they are."""
    optimiser.load_state_dict({"state": tensors, "param_groups": optimiser.state_dict()["param_groups"]})


def check_place(path: str | Path) -> None:
    """Look before a long run whether its checkpoint can be written.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: there is a file that is no readable checkpoint; it is left alone.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} for the checkpoint does not exist: create it first")
    if path.exists():
        _read(path)


def _write(path: str | Path, tensors: dict[str, Tensor], about: dict) -> Path:
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} for the checkpoint does not exist: create it first")
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    return tensor_files.write(path, own, FORMAT, about)


def _read(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    return tensor_files.read(path, FORMAT, "checkpoint", absent=f"there is no checkpoint {path}")
