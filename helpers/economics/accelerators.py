"""Accelerators: arithmetic, memory, bandwidth and power, from the vendors' sheets."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from helpers.economics import checks


@dataclass(frozen=True)
class Accelerator:
    """One accelerator. Where sheets disagree, calculations use the lower end and the range is kept.

    Attributes:
        name: short name, such as "h100".
        title: name in full.
        flops_per_second: dense bf16 or fp16 FLOP/s, without sparsity.
        memory_bytes: device memory in bytes (1 GB = 1e9 bytes).
        bandwidth: memory bandwidth in bytes/s.
        watts: rated power in W, None where it is not published.
        flops_range, memory_range, bandwidth_range: (low, high) in the same units.
        source: key of references.bib, or "".
        verified: how far the row was checked.
        note: number format and what to know about the row.
    """

    name: str
    title: str
    flops_per_second: float
    memory_bytes: float
    bandwidth: float
    watts: float | None
    flops_range: tuple[float, float]
    memory_range: tuple[float, float]
    bandwidth_range: tuple[float, float]
    source: str
    verified: str
    note: str

    @property
    def ridge(self) -> float:
        """FLOP per byte above which arithmetic, not bandwidth, is the limit. Source: williams2009."""
        return self.flops_per_second / self.bandwidth


@cache
def _table() -> dict[str, Accelerator]:
    """Read accelerators.csv once."""
    text = files("helpers.economics").joinpath("accelerators.csv").read_text(encoding="utf-8")
    rows = {}
    for row in csv.DictReader(text.splitlines()):
        flops, memory, bandwidth = (
            (float(row[f"{column}_low"]), float(row[f"{column}_high"])) for column in ("flops", "memory", "bandwidth")
        )
        rows[row["name"]] = Accelerator(
            name=row["name"], title=row["title"], flops_per_second=flops[0], memory_bytes=memory[0],
            bandwidth=bandwidth[0], watts=float(row["watts_low"]) if row["watts_low"] else None,
            flops_range=flops, memory_range=memory, bandwidth_range=bandwidth,
            source=row["source"], verified=row["verified"], note=row["note"],
        )
    return rows


def accelerators() -> list[Accelerator]:
    """Return every accelerator of the table, in the order of the file.

    Returns:
        list of `Accelerator`.
    """
    return list(_table().values())


def accelerator(name: str) -> Accelerator:
    """Return one accelerator by its short name.

    Args:
        name: short name, such as "h100", "mi300x" or "tpu_v4"; capitals, spaces and hyphens do not matter.

    Raises:
        ValueError: the name is unknown; near matches are offered.
    """
    key = re.sub(r"[\s-]+", "_", str(name).strip().lower())
    if key not in _table():
        checks.one_of("accelerator", str(name), _table())
    return _table()[key]


def find_accelerator(device_name: str) -> Accelerator | None:
    """Return the accelerator that a device's own name speaks of, or None when it is not in the table.

    Args:
        device_name: name as the driver prints it, such as "NVIDIA H100 80GB HBM3".
    """
    text = "_".join(re.findall(r"[a-z0-9]+", str(device_name).lower()))
    for name, row in _table().items():
        if re.search(rf"(^|_){name}(_|$)", text):
            return row
    return None
