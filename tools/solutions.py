"""The code in the solutions of a notebook's exercises, found in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nbformat

OPENING = re.compile(r"^(:{3,}|`{3,})\{solution\}\s+(\S+)\s*$")
CODE = re.compile(r"^(`{3,})python\s*$")


@dataclass(frozen=True)
class Solution:
    """What a reader would run to check one exercise."""

    label: str
    code: str


def solutions(notebook: nbformat.NotebookNode) -> list[Solution]:
    """The solutions that hold code fenced as ```python; what is not to be run is fenced as ```text."""
    found: list[Solution] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found += [Solution(label, code) for label, text in blocks(cell.source) if (code := _code(text))]
    return found


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """(label, lines) of each {solution} directive of a text."""
    found: list[tuple[str, list[str]]] = []
    fence = None
    for line in text.splitlines():
        if fence is None and (opening := OPENING.match(line)):
            fence = opening[1]
            found.append((opening[2], []))
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is not None:
            found[-1][1].append(line)
    return found


def _code(lines: list[str]) -> str:
    """The Python of a solution; its blocks belong together, like cells that are run one after another."""
    code: list[str] = []
    fence = None
    for line in lines:
        if fence is None and (opening := CODE.match(line)):
            fence = opening[1]
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is not None:
            code.append(line)
    return "\n".join(code)
