"""The author's tool for notebooks.

    python -m tools.notebooks store PATH ...    execute, keep the outputs of claim cells only, tidy the metadata
    python -m tools.notebooks check [PATH ...]  list what is wrong with them, without executing
    python -m tools.notebooks solutions [PATH ...]  execute them and the solutions of their exercises, write nothing
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from tools import execution

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
KEPT = ("course", "kernelspec", "language_info", "mystnb")
KEEP_TAG = "keep_output"


def tidy(notebook: nbformat.NotebookNode) -> None:
    """In place: one kernel, no machine-specific metadata, no outputs but those of claim cells; ids stay."""
    metadata = {key: value for key, value in notebook.metadata.items() if key in KEPT}
    notebook.metadata = nbformat.from_dict({**metadata, "kernelspec": KERNEL, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")})
        if cell.cell_type != "code":
            continue
        if execution.is_claim(cell):
            cell.metadata.tags = list(dict.fromkeys([*cell.metadata.tags, KEEP_TAG]))
        else:
            cell.outputs, cell.execution_count = [], None


def keep_claims(path: Path, outputs: list[list[Any]]) -> None:
    """Write the outputs of a run into the claim cells of a notebook file, and tidy it."""
    notebook = nbformat.read(path, 4)
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, (cell, cell_outputs) in enumerate(zip(code_cells, outputs, strict=True), start=1):
        if execution.is_claim(cell):
            cell.outputs, cell.execution_count = [nbformat.from_dict(output) for output in cell_outputs], count
    tidy(notebook)
    write(notebook, path)


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Save a notebook, unless the file already says the same."""
    text = nbformat.writes(notebook)
    text = text if text.endswith("\n") else text + "\n"
    if path.read_text("utf8") != text:
        path.write_text(text, "utf8")


def problems(path: Path) -> list[str]:
    """What keeps a notebook from being committed; empty when it is in order."""
    notebook, found = nbformat.read(path, nbformat.NO_CONVERT), []
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not python3")
    if extra := sorted(set(notebook.metadata) - set(KEPT)):
        found.append(f"metadata that does not belong here: {', '.join(extra)}")
    for number, cell in enumerate(notebook.cells):
        place = f"cell {number}"
        if "id" not in cell:
            found.append(f"{place} has no id")
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        if execution.is_claim(cell):
            if not cell.outputs or cell.execution_count is None:
                found.append(f"{place} is a claim without stored output")
            if KEEP_TAG not in tags:
                found.append(f"{place} is a claim without the tag {KEEP_TAG}")
            if any(output.output_type != "stream" or output.name != "stdout" for output in cell.outputs):
                found.append(f"{place} is a claim whose stored output is not plain printed text")
        else:
            if cell.outputs or cell.execution_count is not None:
                found.append(f"{place} holds an output or a count, and is no claim")
            if "claim(" in cell.source and "def claim(" not in cell.source:
                found.append(f"{place} calls claim() and lacks the tag {execution.CLAIM_TAG}")
        if {"nbval-skip", "skip-execution"} & set(tags):
            found.append(f"{place} is never executed")
    return found


def nbval_command(book: execution.Book, paths: list[Path], *options: str) -> list[str]:
    """The one command that executes notebooks."""
    plugins = ["-p", "tools.nbval_cache", "-p", "no:cacheprovider", "-p", "no:warnings"]
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "300", "--course-root", str(book.root)]
    workers = min(len(paths), execution.num_workers())
    parallel = ["-n", str(workers), "--dist", "loadscope"] if workers > 1 else ["-p", "no:xdist"]
    colour = [] if sys.stdout.isatty() else ["--color=no"]
    own = [*colour, "-c", str(execution.REPOSITORY / "pyproject.toml"), "--rootdir", str(book.root)]
    return [sys.executable, "-m", "pytest", "-q", *own, *plugins, *nbval, *parallel, *options, *map(str, paths)]


def run_nbval(book: execution.Book, paths: list[Path], *options: str) -> int:
    """Execute notebooks under nbval; its exit status."""
    command = nbval_command(book, paths, *options)
    return subprocess.run(command, cwd=execution.REPOSITORY, env=execution.environment()).returncode


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description="The author's tool for notebooks.")
    parser.add_argument("action", choices=["store", "check", "solutions"])
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    book = execution.Book(execution.REPOSITORY)
    paths = [path.resolve() for path in options.paths] or book.notebooks()
    if missing := [path for path in paths if not path.is_file()]:
        print(f"There is no notebook {missing[0]}.", file=sys.stderr)
        return 2
    status = 0
    if options.action == "store":
        for path in paths:
            notebook = nbformat.read(path, 4)
            tidy(notebook)
            write(notebook, path)
        status = run_nbval(book, paths, "--course-store")
    elif options.action == "solutions":
        return run_nbval(book, paths, "--course-no-cache", "--course-solutions")
    for path in paths:
        for problem in problems(path):
            print(f"{path.name}: {problem}", file=sys.stderr)
            status = status or 1
    return status


if __name__ == "__main__":
    sys.exit(main())
