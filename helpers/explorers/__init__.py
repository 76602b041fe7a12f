"""Interactive explorers: one Python class and one ES module each, in JupyterLab and on a page without a kernel."""

from __future__ import annotations

from .base import Explorer, numbers, pack_float16, pack_uint8
from .descent import LinearDescent
from .formula import Formula
from .live import Live
from .sources import names, source, sources
from .sweep import SweepReplay
from .threshold import Threshold

__all__ = [
    "Explorer",
    "Formula",
    "LinearDescent",
    "Live",
    "SweepReplay",
    "Threshold",
    "names",
    "numbers",
    "pack_float16",
    "pack_uint8",
    "source",
    "sources",
]
