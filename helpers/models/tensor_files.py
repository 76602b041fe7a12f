"""Tensors in one safetensors file, written whole or not at all, with what is known about them; nothing is pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from helpers.records import replace_file


def write(path: str | Path, tensors: dict[str, Tensor], kind: str, about: Any) -> Path:
    """Write ``tensors``, contiguous and on the processor, with ``about`` (plain values) to ``path``.

    Arguments:
        path: a file with the ending .safetensors in a folder that exists.
        tensors: name → tensor.
        kind: name of the format, which ``read`` asks for.
        about: plain values.
    """
    from safetensors.torch import save

    return replace_file(Path(path), save(tensors, {"format": kind, "about": json.dumps(about)}))


def read(path: str | Path, kind: str, what: str, *, absent: str) -> tuple[dict[str, Tensor], Any]:
    """The tensors and what is known about them.

    Arguments:
        path: of the file.
        kind: name of the format that it must have.
        what: the kind of file in words, for the errors, such as "checkpoint".
        absent: the sentence for a file that is not there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(absent)
    try:
        with safe_open(path, framework="pt") as file:
            known = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no readable {what} ({path.stat().st_size} bytes; it may be cut short): nothing "
                         "was changed; copy it again or choose another file") from error
    if known.get("format") != kind:
        raise ValueError(f"{path} holds tensors but is no {what} of this course: choose another file")
    return tensors, json.loads(known["about"])
