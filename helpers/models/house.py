"""The house model: a small language model of Python code whose weights come with the book, and its smaller sibling."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from helpers import records
from helpers.models import tensor_files
from helpers.models.transformer import Decoder

FORMAT = "course-weights-1"
FILES = {"house": "house-model.safetensors", "small": "house-model-small.safetensors"}


def save(path: str | Path, model: nn.Module, about: dict) -> Path:
    """Write the weights of ``model`` in bfloat16 with ``about`` beside them, whole or not at all.

    Arguments:
        path: a file with the ending .safetensors in a folder that exists.
        model: what is saved; a weight that two layers share is written once.
        about: plain values; "model_options" must hold what builds the model again.
    """
    once: dict[int, str] = {}
    tensors = {}
    for name, tensor in model.state_dict().items():
        if once.setdefault(tensor.data_ptr(), name) == name:
            tensors[name] = tensor.detach().cpu().to(torch.bfloat16).contiguous()
    return tensor_files.write(path, tensors, FORMAT, about)


def load(path: str | Path, *, dtype: torch.dtype = torch.float32) -> tuple[Decoder, dict]:
    """Read a decoder written by ``save``: the model in evaluation mode, and what is known about it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds something else.
    """
    path = Path(path)
    tensors, about = tensor_files.read(
        path, FORMAT, "language model", absent=f"there are no weights {path.name} in {path.parent.name}/: they come "
        "with the book; `python -m benchmarks.record ask-python-language-model` makes them anew")
    model = Decoder(**about["model_options"])
    missing = set(model.state_dict()) - set(tensors)
    if model.output.weight is model.embedding.weight:
        missing.discard("output.weight")
    if missing or set(tensors) - set(model.state_dict()):
        raise ValueError(f"{path.name} does not hold the weights its options promise: copy it again")
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
    return model.to(dtype).eval(), about


def house(size: str = "house", *, dtype: torch.dtype = torch.float32) -> Decoder:
    """The recorded model of *Ask Python*, in evaluation mode; ``data.tokeniser()`` makes its tokens.

    Arguments:
        size: "house" (below 3.9 million parameters) or "small", its sibling on the same tokens.
        dtype: of the weights in memory; on disk they are bfloat16.

    Raises:
        ValueError: another size, or a damaged file.
        FileNotFoundError: the folder book/recorded/ does not hold the weights.
    """
    return load(_path(size), dtype=dtype)[0]


def about(size: str = "house") -> dict:
    """Where the weights come from: record, corpus, tokeniser, options, device, date, bits per byte.

    Raises:
        ValueError, FileNotFoundError: as ``house``.
    """
    return load(_path(size))[1]


def _path(size: str) -> Path:
    if size not in FILES:
        raise ValueError(f"the recorded models are {' and '.join(map(repr, FILES))}, got {size!r}")
    return records.book_folder() / "recorded" / FILES[size]
