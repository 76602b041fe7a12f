"""What every data set is made of: splits of resident tensors, a card, and batches taken with one gather."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Card:
    """Where a data set comes from and what it cannot tell.

    Arguments:
        name, title: the name that ``data.load`` takes, and words for it.
        origin: who made it, and how.
        licence: the terms under which it may be used.
        size: number of examples in each split and the shape of one, in words.
        real: "real", "simulated" or "rendered from real typefaces".
        limits: what it does not cover.
    """

    name: str
    title: str
    origin: str
    licence: str
    size: str
    real: str
    limits: str

    def _repr_markdown_(self) -> str:
        rows = (("Name", f"`{self.name}`"), ("Origin", self.origin), ("Licence", self.licence),
                ("Size", self.size), ("Real or simulated", f"*{self.real}*"), ("Limits", self.limits))
        body = "\n".join(f"| {key} | {value} |" for key, value in rows)
        return f"**Data card: {self.title}**\n\n| | |\n| --- | --- |\n{body}\n"


@dataclass(frozen=True)
class Split:
    """Inputs and targets, resident on one device; the first dimension counts the examples.

    Arguments:
        x: inputs, shape [n, ...].
        y: targets, shape [n] (class numbers, int64) or [n, 1] (float32).
        groups: optional, shape [n]: examples of one group are related and never lie in two splits.

    Raises:
        ValueError: the lengths differ.
    """

    x: Tensor
    y: Tensor
    groups: Tensor | None = None

    def __post_init__(self) -> None:
        for name, other in (("y", self.y), ("groups", self.groups)):
            if other is not None and len(other) != len(self.x):
                raise ValueError(f"x and {name} must have the same number of examples, found shapes "
                                 f"{tuple(self.x.shape)} and {tuple(other.shape)}")

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> Split:
        """Return the split on another device."""
        groups = None if self.groups is None else self.groups.to(device)
        return Split(self.x.to(device), self.y.to(device), groups)

    def take(self, n: int) -> Split:
        """Return the first n examples (they are in random order already).

        Raises:
            ValueError: n is below 1 or above the number of examples.
        """
        if not 1 <= n <= len(self):
            raise ValueError(f"take(n) needs 1 ≤ n ≤ {len(self)}, found {n}")
        return self._rows(slice(n))

    def _rows(self, index: slice | Tensor) -> Split:
        return Split(self.x[index], self.y[index], None if self.groups is None else self.groups[index])

    def check(self, num_classes: int | None = None, name: str = "split") -> None:
        """Look for what no model can learn from: no examples, NaN or infinite numbers, labels out of range.

        Raises:
            ValueError: names the first example concerned and how many there are.
        """
        if len(self) == 0:
            raise ValueError(f"the {name} split holds no examples")
        for what, values in (("x", self.x), ("y", self.y)):
            if values.is_floating_point():
                bad = ~torch.isfinite(values.reshape(len(values), -1)).all(dim=1)
                if bad.any():
                    raise ValueError(f"{name}.{what} holds NaN or infinite numbers in {int(bad.sum())} of {len(self)} "
                                     f"examples, first in example {int(bad.nonzero()[0])}: remove or fill them")
        if num_classes is not None and not self.y.is_floating_point():
            bad = (self.y < 0) | (self.y >= num_classes)
            if bad.any():
                first = int(bad.nonzero()[0])
                raise ValueError(f"{name}.y must lie in 0 … {num_classes - 1}, found {int(self.y[first])} in example "
                                 f"{first} ({int(bad.sum())} of {len(self)} out of range)")


@dataclass(frozen=True)
class Dataset:
    """Three splits made before anything is fitted, and the card that says where they come from.

    Arguments:
        train, validation, test: the splits.
        card: origin, licence, size, limits.
        classes: names of the classes in the order of the labels; None for a regression.

    Raises:
        ValueError: a split is empty, holds NaN, or has labels out of range.
    """

    train: Split
    validation: Split
    test: Split
    card: Card
    classes: list[str] | None = None

    def __post_init__(self) -> None:
        for name, split in self.splits().items():
            split.check(None if self.classes is None else len(self.classes), name)

    def splits(self) -> dict[str, Split]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def to(self, device: torch.device | str) -> Dataset:
        """Return the data set on another device."""
        return Dataset(*(split.to(device) for split in self.splits().values()), self.card, self.classes)

    def sha256(self) -> str:
        """Return one fingerprint of all numbers in all splits, for the ``corpus_sha256`` of a record."""
        digest = hashlib.sha256()
        for name, split in self.splits().items():
            for tensor in (split.x, split.y):
                array = np.ascontiguousarray(tensor.detach().cpu().numpy())
                digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
                digest.update(array)
        return digest.hexdigest()


class TensorBatches:
    """Batches from tensors that stay on their device: one gather a batch, a new order in each pass.

    The order of pass number e depends on (seed, e) only, and is the same on every device.

    Arguments:
        split: where the examples come from.
        batch_size: examples a batch; the last batch may be smaller unless ``drop_last``.
        shuffle: draw a new order for each pass; otherwise keep the order of the split.
        seed: of the orders; the global generators stay as they were.

    Raises:
        ValueError: batch_size is below 1, or no batch would remain.
    """

    def __init__(self, split: Split, batch_size: int, *, shuffle: bool = True, seed: int = 0,
                 drop_last: bool = False) -> None:
        checked_whole("batch_size", batch_size)
        if len(split) == 0 or (drop_last and len(split) < batch_size):
            raise ValueError(f"{len(split)} examples give no batch of {batch_size}: take a smaller batch_size")
        self.split, self.batch_size = split, batch_size
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0                                    # number of passes begun; set it to resume

    def __len__(self) -> int:
        full, rest = divmod(len(self.split), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def order(self, epoch: int) -> Tensor:
        """Return the order of the examples in pass ``epoch`` (from 0): int64, shape [n], on the split's device."""
        if not self.shuffle:
            return torch.arange(len(self.split), device=self.split.x.device)
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        return torch.randperm(len(self.split), generator=generator).to(self.split.x.device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order, self.epoch = self.order(self.epoch), self.epoch + 1
        x, y = self.split.x, self.split.y
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            index = order[start:start + self.batch_size]
            yield x[index], y[index]


def fingerprints(x: Tensor) -> list[str]:
    """Return one hash for each example of x [n, ...], for finding exact copies."""
    rows = np.ascontiguousarray(x.detach().cpu().reshape(len(x), -1).numpy())
    return [hashlib.blake2b(row.tobytes(), digest_size=12).hexdigest() for row in rows]


def leaks(dataset: Dataset) -> dict[str, int]:
    """Count exact copies and shared groups between each two splits; all zero means no leak of these two kinds."""
    found = {}
    splits = dataset.splits()
    hashes = {name: set(fingerprints(split.x)) for name, split in splits.items()}
    groups = {name: set() if s.groups is None else set(s.groups.tolist()) for name, s in splits.items()}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        found[f"copies {first}-{second}"] = len(hashes[first] & hashes[second])
        found[f"groups {first}-{second}"] = len(groups[first] & groups[second])
    return found


def split_indices(groups: Sequence[object] | np.ndarray, fractions: tuple[float, float, float] = (0.7, 0.15, 0.15), *,
                  labels: np.ndarray | None = None, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deal whole groups of examples out to train, validation and test, in random order.

    Arguments:
        groups: one hashable value for each example; equal values stay together.
        fractions: shares of the three splits; they sum to 1.
        labels: optional class of each example: groups are dealt out class by class (class of a group's first example).
        seed: of the order.

    Returns:
        three arrays of example numbers, each in random order.

    Raises:
        ValueError: fractions that do not sum to 1, or too few groups for three splits.
    """
    if abs(sum(fractions) - 1) > 1e-9 or min(fractions) <= 0:
        raise ValueError(f"fractions must be positive and sum to 1, found {fractions}")
    members: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    strata: dict[object, list[list[int]]] = {}
    for rows in members.values():
        strata.setdefault(None if labels is None else labels[rows[0]], []).append(rows)
    rng = np.random.default_rng([seed, 7])
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label, stratum in strata.items():
        if len(stratum) < 3:
            raise ValueError(f"three splits need at least 3 groups, found {len(stratum)}"
                             + ("" if labels is None else f" in class {label}"))
        total, taken, filled = sum(map(len, stratum)), [], [0, 0, 0]
        for position in rng.permutation(len(stratum)):
            taken.append(stratum[position])
        for rows in sorted(taken, key=len, reverse=True):       # largest first; stable, so ties stay in random order
            short = [f * total - n for f, n in zip(fractions, filled)]
            target = int(np.argmax(short))
            parts[target].extend(rows)
            filled[target] += len(rows)
        if min(filled) == 0:
            raise ValueError(f"{total} examples in {len(stratum)} groups are too few for shares {fractions}")
    return tuple(rng.permutation(np.array(part)) for part in parts)


def windows_at(stream: np.ndarray, starts: np.ndarray, context: int) -> Split:
    """Windows of a text: x [num, context] and y the same one place later, int64.

    Arguments:
        stream: numbers of the characters or tokens [n], for example memory-mapped.
        starts: first place of each window [num], at most n − context − 1.
        context: places in a window.
    """
    windows = torch.from_numpy(stream[starts[:, None] + np.arange(context + 1)].astype(np.int64))
    return Split(windows[:, :-1].contiguous(), windows[:, 1:].contiguous())


def checked_whole(name: str, value: int, otherwise: str = "") -> int:
    """``value`` as an int of at least 1.

    Raises:
        ValueError: it is none; ``otherwise`` says in brackets what else could be given.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"{name} must be a whole number of at least 1{otherwise}, got {value!r}")
    return int(value)
