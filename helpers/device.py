"""Which device a run uses and why, its peak speed, and random numbers that leave the global generators alone."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

_MATRIX_UNITS_FROM = 1e9  # FLOP of a training step on a processor from which bfloat16 is worth its conversions
_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Dense peak in FLOP/s from the data sheets: (bfloat16, float32 outside the tensor cores). The first name found counts.
_PEAKS: tuple[tuple[str, float, float], ...] = (
    ("B200", 2250e12, 75e12),
    ("H200", 989e12, 67e12),
    ("H100 PCIe", 756e12, 51e12),
    ("H100", 989e12, 67e12),
    ("A100", 312e12, 19.5e12),
)


@dataclass(frozen=True)
class Machine:
    """What a run was computed on: kind ("cpu", "cuda", "mps"), name of the processor or GPU, cores, versions."""

    kind: str
    name: str
    num_cores: int
    num_threads: int
    torch_version: str
    python_version: str
    system: str


def pick(name: str | torch.device | None = None) -> torch.device:
    """The device to compute on: ``name``, else the setting HELPERS_DEVICE, else a CUDA GPU, else the CPU.

    Apple's MPS is used only when it is asked for by name.

    Raises:
        ValueError: the name is no device torch knows, or this machine does not have it.
    """
    wanted = str(name) if name is not None else os.environ.get("HELPERS_DEVICE") or None
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"unknown device {wanted!r}: use 'cpu', 'cuda', 'cuda:0' or 'mps'")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {wanted!r} was asked for, but torch finds no CUDA GPU here: use 'cpu'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        num_gpus = torch.cuda.device_count()
        raise ValueError(f"device {wanted!r} was asked for, but the GPUs here are numbered 0 … {num_gpus - 1}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device {wanted!r} was asked for, but torch finds no Apple GPU here: use 'cpu'")
    return device


def explain(device: torch.device | None = None) -> str:
    """One sentence: which device ``pick`` takes (or ``device``, if it is given) and why."""
    setting = os.environ.get("HELPERS_DEVICE")
    taken = pick() if device is None else torch.device(device)
    here = machine(taken)
    what = f"{here.name}, {here.num_threads} of {here.num_cores} cores" if taken.type == "cpu" else here.name
    if setting and torch.device(setting).type == taken.type:
        why = f"because HELPERS_DEVICE is {setting!r}"
    elif taken.type == "cuda":
        why = "because torch finds a CUDA GPU"
    elif taken.type == "mps":
        why = "because it was asked for"
    elif torch.cuda.is_available():
        why = "because it was asked for, although there is a CUDA GPU"
    else:
        why = "because torch finds no CUDA GPU"
    return f"Computing on {taken} ({what}), {why}."


def machine(device: torch.device | str | None = None) -> Machine:
    """Description of the machine for stamps and bills; ``device`` defaults to what ``pick`` takes."""
    taken = pick(device)
    return Machine(
        kind=taken.type,
        name=torch.cuda.get_device_name(taken) if taken.type == "cuda" else _processor_name(),
        num_cores=_num_cores(),
        num_threads=torch.get_num_threads(),
        torch_version=torch.__version__,
        python_version=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
    )


def precision(device: torch.device | str | None = None, flops: float | None = None) -> torch.dtype:
    """Number format for matrix products: the setting HELPERS_PRECISION (float32, bfloat16 or auto), else float32.

    Arguments:
        device: for "auto".
        flops: FLOP of a training step, for "auto"; None takes float32.

    Raises:
        ValueError: HELPERS_PRECISION is none of these.
    """
    return precision_named(os.environ.get("HELPERS_PRECISION") or "float32", device, flops)


def precision_named(
    name: str | torch.dtype, device: torch.device | str | None = None, flops: float | None = None
) -> torch.dtype:
    """The dtype called ``name``: "float32", "bfloat16", or "auto" for the faster one; a dtype is passed through.

    "auto" takes bfloat16 where matrix units exist for it, on GPUs from compute capability 8.0 on and on processors
    with AMX, if a training step has enough work for them; on a processor that is 10⁹ FLOP, measured on transformers.

    Arguments:
        name: what is asked for.
        device, flops: where a training step runs, and its FLOP, for "auto".

    Raises:
        ValueError: another name.
    """
    key = str(name).removeprefix("torch.")
    if key == "auto":
        taken = torch.device(device or "cpu")
        if taken.type == "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(taken) >= (8, 0) else torch.float32
        enough = flops is not None and flops >= _MATRIX_UNITS_FROM
        return torch.bfloat16 if taken.type == "cpu" and enough and _matrix_units() else torch.float32
    if key not in _PRECISIONS:
        raise ValueError(f"unknown precision {key!r}: use 'float32', 'bfloat16' or 'auto'")
    return _PRECISIONS[key]


def peak_flops(device_name: str, dtype: torch.dtype = torch.bfloat16) -> float | None:
    """Peak speed in FLOP/s of a GPU for dense products of ``dtype``; None for a device or dtype not in the table.

    None means: print no utilisation. Source: nvidia2021a100, nvidia2023h100, nvidia2023h200, nvidia2024b200.
    """
    for name, low, full in _PEAKS:
        if all(word.lower() in device_name.lower() for word in name.split()):
            return {torch.bfloat16: low, torch.float16: low, torch.float32: full}.get(dtype)
    return None


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator of its own, started at ``seed``.

    Raises:
        ValueError: the seed is no integer.
    """
    return torch.Generator(device=device).manual_seed(checked_seed(seed))


def checked_seed(seed: int) -> int:
    """``seed`` as an int.

    Raises:
        ValueError: the seed is no integer, or negative.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or int(seed) < 0:
        raise ValueError(f"seed must be an integer of at least 0, got {seed!r}")
    return int(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside the block torch's global generators start at ``seed``; afterwards they are as they were before it."""
    seed = checked_seed(seed)
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also reseed a GPU that is started later
        if devices:
            torch.cuda.manual_seed_all(seed)
        yield


def _matrix_units() -> bool:
    """Whether this processor multiplies matrices of bfloat16 in units of their own, and oneDNN may use them."""
    allowed = os.environ.get("ONEDNN_MAX_CPU_ISA", "AMX").upper()
    found = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(found.get("amx_bf16")) and ("AMX" in allowed or allowed in ("ALL", "DEFAULT"))


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
