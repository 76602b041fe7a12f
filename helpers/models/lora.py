"""Low-rank adapters (LoRA): a frozen linear layer plus a trainable product of two thin matrices.

Derived in: book/project/fine_tuning. Source: hu2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from helpers import device
from helpers.models import tensor_files
from helpers.models._count import checked_size

FORMAT = "course-adapters-1"


class Adapted(nn.Module):
    """A frozen linear layer with an adapter: W x + b + (alpha / rank) · B A x, and B = 0 at the start.

    Arguments:
        base: the layer; it is frozen here.
        rank: rows of A [rank, inputs] and columns of B [outputs, rank].
        alpha: the adapter's output is multiplied by alpha / rank.

    Raises:
        ValueError: a rank or alpha out of range.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        smallest = min(base.weight.shape)
        if checked_size("rank", rank) > smallest:
            raise ValueError(f"a layer of {base.out_features} × {base.in_features} has rank {smallest} at most, "
                             f"got rank {rank}: take a smaller one, or tune the layer in full")
        if not alpha > 0:
            raise ValueError(f"alpha must be above 0, got {alpha!r}")
        self.base, self.rank, self.alpha = base.requires_grad_(False), rank, float(alpha)
        like = base.weight
        self.a = nn.Parameter(like.new_empty(rank, base.in_features))
        self.b = nn.Parameter(like.new_zeros(base.out_features, rank))
        nn.init.normal_(self.a, std=base.in_features**-0.5)

    @property
    def update(self) -> Tensor:
        """What the adapter adds to the weight: (alpha / rank) · B A, [outputs, inputs]."""
        return self.alpha / self.rank * (self.b @ self.a)

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output for ``x`` [..., inputs], with the adapter's share added."""
        return self.base(x) + self.alpha / self.rank * (x @ self.a.T @ self.b.T)


def add(
    model: nn.Module, rank: int, *, alpha: float | None = None, where: str | Sequence[str] = "stack.blocks",
    seed: int = 0,
) -> nn.Module:
    """Freeze ``model`` and give the chosen linear layers an adapter, in place; the outputs stay what they were.

    Arguments:
        model: any module with linear layers.
        rank: of the adapters.
        alpha: scale; 2 · rank unless given, so that the scale is 2 whatever the rank.
        where: a layer is chosen when its name contains this, or one of these, such as "attention.queries".
        seed: of the random A.

    Raises:
        ValueError: rank or alpha out of range, nothing chosen, or the model has adapters already. The model is as it
            was then.
    """
    if adapted(model):
        raise ValueError("the model has adapters already: merge them first, or load others into them")
    where = [where] if isinstance(where, str) else where
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
    chosen = [name for name in linear if any(part in name for part in where)]
    if not chosen:
        raise ValueError(f"no linear layer has {' or '.join(map(repr, where))} in its name: "
                         f"there are {', '.join(list(linear)[:6])} …")
    frozen = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    with device.seeded(seed):
        try:
            layers = {name: Adapted(linear[name], rank, 2 * rank if alpha is None else alpha) for name in chosen}
        except ValueError:
            for parameter, needed in frozen:
                parameter.requires_grad_(needed)
            raise
    model.requires_grad_(False)
    for name, layer in layers.items():
        _put(model, name, layer)
    return model


def adapted(model: nn.Module) -> dict[str, Adapted]:
    """The layers with an adapter, by name."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, Adapted)}


def merge(model: nn.Module) -> nn.Module:
    """Add each adapter to its weight and remove it, in place: plain layers again, the same outputs.

    Raises:
        ValueError: there is no adapter.
    """
    for name, layer in _some(model).items():
        with torch.no_grad():
            layer.base.weight += layer.update
        _put(model, name, layer.base)
    return model.requires_grad_(True)


def state(model: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors alone: name of the layer + ".a" and ".b".

    Raises:
        ValueError: there is no adapter.
    """
    return {f"{name}.{part}": getattr(layer, part).detach().cpu().contiguous()
            for name, layer in _some(model).items() for part in ("a", "b")}


def save(path: str | Path, model: nn.Module, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write the adapters alone, whole or not at all.

    Arguments:
        path: a file with the ending .safetensors in a folder that exists.
        model: with adapters.
        dtype: in the file; bfloat16 halves it.

    Raises:
        ValueError: there is no adapter.
    """
    tensors = {name: tensor.to(dtype) for name, tensor in state(model).items()}
    layers = {name: [layer.rank, layer.alpha] for name, layer in adapted(model).items()}
    return tensor_files.write(path, tensors, FORMAT, layers)


def load(path: str | Path, model: nn.Module) -> nn.Module:
    """Put the adapters of a file onto ``model``, in place of those it may have; its own weights stay.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, holds something else, or fits another model.
    """
    path = Path(path)
    absent = f"there is no file of adapters {path}"
    tensors, options = tensor_files.read(path, FORMAT, "file of adapters", absent=absent)
    plain, bases = dict(model.named_modules()), {}
    for name in options:
        base = plain.get(name)
        bases[name] = base = base.base if isinstance(base, Adapted) else base
        a, b = tensors[f"{name}.a"], tensors[f"{name}.b"]
        if not isinstance(base, nn.Linear) or [*base.weight.shape] != [len(b), a.shape[1]]:
            found = "no such layer" if not isinstance(base, nn.Linear) else f"one of {list(base.weight.shape)}"
            raise ValueError(f"{path.name} has an adapter for a layer {name} of [{len(b)}, {a.shape[1]}], the model "
                             f"has {found}: these adapters belong to another model")
    for name, layer in adapted(model).items():
        _put(model, name, layer.base)
    model.requires_grad_(False)
    for name, (rank, alpha) in options.items():
        with device.seeded(0):                                   # what it draws is overwritten
            layer = Adapted(bases[name], rank, alpha)
        with torch.no_grad():
            layer.a.copy_(tensors[f"{name}.a"])
            layer.b.copy_(tensors[f"{name}.b"])
        _put(model, name, layer)
    return model


def _some(model: nn.Module) -> dict[str, Adapted]:
    layers = adapted(model)
    if not layers:
        raise ValueError("the model has no adapters: add(model, rank) gives it some")
    return layers


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)
