"""A decoder as a program without its Python code: torch.export, and ONNX for other run times."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from helpers import device, records
from helpers.models.transformer import Decoder

MAX_BATCH = 64
SHAPES = ((1, 1), (3, 7), (MAX_BATCH, 2))      # texts × tokens of the comparison; the full context is added
_HINT = "exporting to ONNX needs onnx, onnxscript and onnxruntime; install them with: pip install -e '.[export]'"


def trace(model: Decoder) -> torch.export.ExportedProgram:
    """Return the model as a graph of tensor operations for 1 to 64 texts of 1 to ``context`` tokens, without cache.

    Arguments:
        model: a decoder with softmax attention; it is traced in evaluation mode and left as it was.

    Derived in: book/project/serving.
    """
    was_training = model.training
    model.eval()
    try:
        example = torch.zeros(2, min(3, model.context), dtype=torch.long, device=model.embedding.weight.device)
        sizes = {0: torch.export.Dim("texts", min=1, max=MAX_BATCH),
                 1: torch.export.Dim("tokens", min=1, max=model.context)}
        return torch.export.export(model, (example,), dynamic_shapes={"tokens": sizes})
    finally:
        model.train(was_training)


def save_program(model: Decoder, path: str | Path) -> Path:
    """Write ``trace(model)`` to a file with the ending .pt2, whole or not at all.

    Raises:
        ValueError: another ending.
    """
    path = _checked(path, ".pt2")
    with tempfile.TemporaryDirectory() as folder:
        torch.export.save(trace(model), place := Path(folder) / path.name)
        return records.replace_file(path, place.read_bytes())


def load_program(path: str | Path) -> Callable[[Tensor], Tensor]:
    """Read a program that you wrote with ``save_program``: token numbers [B, T] → logits [B, T, V].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another ending, or the file is damaged.
    """
    path = _existing(path, ".pt2")
    try:
        return torch.export.load(path).module()
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path.name} cannot be read ({path.stat().st_size} bytes; it may be cut short): "
                         "export the model again") from error


def save_onnx(model: Decoder, path: str | Path) -> Path:
    """Write the model as ONNX with the input "tokens" and the output "logits", whole or not at all.

    Raises:
        ValueError: another ending than .onnx.
        ImportError: the packages of the extra `export` are missing.
    """
    path = _checked(path, ".onnx")
    try:
        import onnxscript  # noqa: F401 (torch.onnx needs it)
    except ImportError as error:
        raise ImportError(_HINT) from error
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")                          # torch warns about its own deprecations
        place = Path(folder) / path.name
        torch.onnx.export(trace(model), (), place, input_names=["tokens"], output_names=["logits"],
                          external_data=False, verbose=False)
        return records.replace_file(path, place.read_bytes())


def load_onnx(path: str | Path) -> Callable[[Tensor], Tensor]:
    """Read an ONNX file for the processor, on one thread: token numbers [B, T] → logits [B, T, V].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another ending, or the file is damaged.
        ImportError: onnxruntime is missing.
    """
    path = _existing(path, ".onnx")
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(_HINT) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 (its errors share no class)
        raise ValueError(f"{path.name} cannot be read ({path.stat().st_size} bytes; it may be cut short): "
                         "export the model again") from error
    return lambda tokens: torch.from_numpy(session.run(["logits"], {"tokens": tokens.cpu().numpy()})[0])


@torch.no_grad()
def largest_gap(model: Decoder, program: Callable[[Tensor], Tensor], shapes: Sequence[tuple[int, int]] | None = None,
                *, seed: int = 0) -> float:
    """Return the largest difference between the logits of the model and of its program, on random tokens.

    Arguments:
        model: a decoder.
        program: from ``load_program`` or ``load_onnx``.
        shapes: texts and tokens of the trials; None takes a few, with the full context among them.
        seed: of the tokens; the global generator stays as it was.
    """
    draw, gaps = device.generator(seed), []
    for shape in shapes or (*SHAPES, (1, model.context)):
        tokens = torch.randint(model.vocabulary, tuple(shape), generator=draw)
        gaps.append(float((model(tokens) - program(tokens)).abs().max()))
    return max(gaps)


def _checked(path: str | Path, ending: str) -> Path:
    path = Path(path)
    if path.suffix != ending:
        raise ValueError(f"the file name should end in {ending}, got {path.name!r}")
    return path


def _existing(path: str | Path, ending: str) -> Path:
    path = _checked(path, ending)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path.name} in {path.parent.name}/: export the model first")
    return path
