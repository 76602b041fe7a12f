"""Python source code as text: the standard library of the Python that runs, character by character."""

from __future__ import annotations

import hashlib
import sysconfig
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from helpers.data.base import Card, Dataset, checked_whole, split_indices, windows_at

# New line, the printable ASCII characters, and one sign for everything else.
CHARACTERS = ["\n", *map(chr, range(32, 127)), "�"]
CARD = Card(
    name="python_stdlib", title="Source code of Python's standard library",
    origin="the .py files of the standard library that comes with the running Python, without its tests; read, never "
           "imported",
    licence="PSF-2.0", size="about 8 million characters; split 90 / 5 / 5 by file, cut into windows of equal length",
    real="real", limits="the text depends on Python's version; comments and names are English; a file is read from its "
                        "start, so windows begin anywhere; characters beyond ASCII become one sign")
_SKIP = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "turtledemo", "__pycache__",
         "pydoc_data", "encodings", "ensurepip"}  # tests, tables and copies of other packages


@lru_cache(maxsize=1)
def files() -> tuple[tuple[str, str], ...]:
    """Name and text of each source file, in the order of the names; exact copies once."""
    root = Path(sysconfig.get_path("stdlib"))
    seen, found = set(), []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if _SKIP.intersection(inside.parts):
            continue
        text = path.read_text(encoding="utf-8", errors="replace").expandtabs(4)
        digest = hashlib.sha256(text.encode()).digest()
        if text.strip() and digest not in seen:
            seen.add(digest)
            found.append((inside.as_posix(), text))
    return tuple(found)


def encode(text: str) -> np.ndarray:
    """Numbers in 0 … 96 of the characters of ``text``: int64, shape [characters]."""
    codes = np.frombuffer(text.encode("utf-32-le", errors="replace"), dtype=np.uint32).astype(np.int64)
    numbers = np.where((codes >= 32) & (codes < 127), codes - 31, len(CHARACTERS) - 1)
    numbers[codes == ord("\n")] = 0
    return numbers


def decode(numbers: torch.Tensor | np.ndarray | list[int]) -> str:
    """The text of the character numbers ``numbers``."""
    return "".join(CHARACTERS[int(number)] for number in numbers)


def load(*, seed: int = 0, context: int = 64, num_train: int = 20_000, num_held_out: int = 2_000) -> Dataset:
    """Windows of source code: x [n, context] are character numbers, y the same windows one character later.

    Arguments:
        seed: of the split by file and of the windows that are taken.
        context: characters in a window.
        num_train: windows in the training split, at most what the files hold.
        num_held_out: windows in each of the other two splits.

    Raises:
        ValueError: a number below 1, or more windows than the files hold.
    """
    for name, value in (("context", context), ("num_train", num_train), ("num_held_out", num_held_out)):
        checked_whole(name, value)
    sources = files()
    rng = np.random.default_rng([seed, 11])
    parts = []
    for rows, wanted in zip(
        split_indices([name for name, _ in sources], (0.9, 0.05, 0.05), seed=seed),
        (num_train, num_held_out, num_held_out), strict=True,
    ):
        numbers = np.concatenate([encode(sources[row][1]) for row in sorted(rows)])
        starts = np.arange(0, len(numbers) - context - 1, context)
        if len(starts) < wanted:
            raise ValueError(f"this split holds {len(starts)} windows of {context} characters, got {wanted}: "
                             "ask for fewer or for shorter ones")
        starts = rng.permutation(starts)[:wanted]
        parts.append(windows_at(numbers, starts, context))
    return Dataset(*parts, CARD, CHARACTERS)
