"""What must run again: fingerprints of notebooks, and the cache of their outputs that the book is built from.

A cache entry holds the outputs of one passing run under nbval. It is used as long as its fingerprint is the one
computed now from: the code cells (with tags and stored claim outputs), the modules of `helpers` that the notebook
reaches by imports and the data files beside them, the records and other files it names, the pinned versions, Python's
minor version and the HELPERS_* settings. Text, captions and alt texts can change without a new run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
CLAIM_TAG = "nbval-check-output"
FORMAT = "1"  # raise it when the meaning of a cache entry changes
SETTINGS = {
    "HELPERS_DEVICE": "cpu",
    "HELPERS_PRECISION": "float32",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}
SHOWN_VERSIONS = ("torch", "numpy", "matplotlib", "scikit-learn", "jupyter-book", "jupyterlab", "anywidget")


@dataclass(frozen=True)
class Book:
    """A folder with _config.yml and _toc.yml, and what is built from it."""

    root: Path

    @property
    def build(self) -> Path:
        """The folder for everything built."""
        return self.root / "_build"

    @property
    def html(self) -> Path:
        """The built pages."""
        return self.build / "html"

    @property
    def cache_folder(self) -> Path:
        """Executed notebooks, shared by tests and pages."""
        return self.build / ".jupyter_cache"

    def pages(self) -> list[Path]:
        """All pages of the table of contents, in its order; raises FileNotFoundError for one that is missing."""
        found = []
        for name in _files_named(yaml.safe_load((self.root / "_toc.yml").read_text("utf8"))):
            candidates = [self.root / f"{name}{suffix}" for suffix in (".ipynb", ".md")]
            page = next((path for path in candidates if path.is_file()), None)
            if page is None:
                raise FileNotFoundError(f"_toc.yml names {name!r}, and there is no {name}.ipynb or {name}.md.")
            found.append(page)
        return found

    def notebooks(self) -> list[Path]:
        """The notebooks of the table of contents."""
        return [page for page in self.pages() if page.suffix == ".ipynb"]

    def name(self, notebook: Path) -> str:
        """A notebook's path from the root, as the pages are called."""
        return notebook.resolve().relative_to(self.root.resolve()).as_posix()


def _files_named(entry: Any) -> Iterator[str]:
    """Every `root` and `file` of a table of contents, depth first."""
    if isinstance(entry, list):
        for item in entry:
            yield from _files_named(item)
    elif isinstance(entry, dict):
        for key, value in entry.items():
            if key in ("root", "file"):
                yield re.sub(r"\.(ipynb|md)$", "", value)
            else:
                yield from _files_named(value)


def environment() -> dict[str, str]:
    """The environment in which notebooks are executed: one thread, CPU, float32."""
    return {**os.environ, **SETTINGS}


def num_workers() -> int:
    """How many notebooks run at once, one thread each."""
    return max(1, min(8, os.cpu_count() or 1))


# -- fingerprints ------------------------------------------------------------------------------------------------


def fingerprint(book: Book, notebook: Path) -> str:
    """SHA-256 over everything a run of the notebook depends on."""
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    code = "\n".join(cell.source for cell in cells)
    files = imported_files(code) | files_named(book, notebook, code)
    parts = {
        "format": FORMAT,
        "cells": [[cell.source, sorted(cell.metadata.get("tags", [])), _claimed(cell)] for cell in cells],
        "files": {_short(book, path): _digest(path) for path in sorted(files)},
        "constraints": _digest(REPOSITORY / "constraints.txt"),
        "python": sys.version_info[:2],
        "settings": {
            key: value
            for key, value in environment().items()
            if key.startswith("HELPERS_") and not key.startswith("HELPERS_REQUIRE_")  # these only make tests stricter
        },
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _claimed(cell: nbformat.NotebookNode) -> list[Any]:
    """What a claim cell promises to print."""
    return [cell.execution_count, cell.outputs] if is_claim(cell) else []


def is_claim(cell: nbformat.NotebookNode) -> bool:
    """Whether nbval compares this cell's output with the stored one."""
    return CLAIM_TAG in cell.metadata.get("tags", [])


def _short(book: Book, path: Path) -> str:
    for base in (book.root.resolve(), REPOSITORY):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


def _digest(path: Path) -> str:
    status = path.stat()
    return _digest_of(path, status.st_mtime_ns, status.st_size)


@cache
def _digest_of(path: Path, changed: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parse_code(code: str) -> ast.AST:
    """The syntax tree of notebook code; magic and shell lines are blanked out."""
    plain = re.sub(r"^(\s*)[%!?].*$", r"\1pass", code, flags=re.MULTILINE)
    try:
        return ast.parse(plain)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])  # the run will say what is wrong


def imported_files(code: str) -> set[Path]:
    """Every file of `helpers` that the code reaches by imports, with the data files of the packages it touches."""
    seen: set[Path] = set()
    waiting = list(_imports(parse_code(code), package=""))
    while waiting:
        for path in _module_files(waiting.pop()):
            if path in seen:
                continue
            seen.add(path)
            folder = path.parent
            package = ".".join(folder.relative_to(REPOSITORY).parts)
            imports, chosen_at_run_time = _imports_of(path, path.stat().st_mtime_ns, package)
            waiting += imports
            if chosen_at_run_time:  # take the whole package
                waiting += [f"{package}.{'.'.join(file.relative_to(folder).with_suffix('').parts)}"
                            for file in folder.rglob("*.py")]
    data = {".mjs", ".csv", ".json"}
    folders = {path.parent for path in seen} - {REPOSITORY / "helpers"}
    beside = {file for folder in folders for file in folder.rglob("*") if file.suffix in data}
    if seen:  # the palette and its like
        beside |= {file for file in (REPOSITORY / "helpers").glob("*") if file.suffix in data}
    return seen | beside


@cache
def _imports_of(path: Path, changed: int, package: str) -> tuple[tuple[str, ...], bool]:
    """What a module imports, and whether it is a package that chooses modules at run time."""
    text = path.read_text("utf8")
    by_name = path.name == "__init__.py" and ("import_module(" in text or "def __getattr__" in text)
    return tuple(_imports(ast.parse(text), package)), by_name


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names below `helpers` that a module imports, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]) if base else ".".join(above)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "helpers")


def _module_files(name: str) -> Iterator[Path]:
    """The files behind a dotted name: its packages' __init__.py and the module itself, where they exist."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = REPOSITORY.joinpath(*parts[:length])
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                yield path


def files_named(book: Book, notebook: Path, code: str) -> set[Path]:
    """Files the code reads: records it loads, and any string in it that is the path of an existing file."""
    folder = book.root / "book"
    found: set[Path] = set()
    own = set()
    for node in ast.walk(parse_code(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called, of = node.func.attr, getattr(node.func.value, "id", "")
            first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if called in ("record", "save") and isinstance(first, str):
                own.add(first)
            if (of, called) == ("records", "load"):
                if isinstance(first, str):
                    found |= {folder / part / f"{first}.json" for part in ("recorded", "mine")}
                else:
                    found |= set((folder / "recorded").glob("*.json"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 200:
            if "\n" not in node.value and "\0" not in node.value:
                found |= {base / node.value for base in (notebook.parent, folder)}
    written = {(folder / "mine" / f"{name}.json").resolve() for name in own}  # by the notebook itself
    return {path.resolve() for path in found if path.is_file()} - written


# -- the cache ---------------------------------------------------------------------------------------------------


def open_cache(book: Book) -> Any:
    """The book's jupyter-cache."""
    from jupyter_cache import get_cache

    book.cache_folder.mkdir(parents=True, exist_ok=True)
    return get_cache(book.cache_folder)


def record_of(book: Book, notebook: Path) -> Any | None:
    """The cache record of the notebook as it is now, or None when it must run."""
    cache = open_cache(book)
    try:
        record = cache.match_cache_notebook(nbformat.read(notebook, 4))
    except KeyError:
        return None
    complete = (book.cache_folder / "executed" / record.hashkey / "base.ipynb").is_file()
    return record if complete and record.data.get("fingerprint") == fingerprint(book, notebook) else None


def stale(book: Book) -> list[Path]:
    """The notebooks whose cached run is missing or no longer valid; what is no longer valid is evicted."""
    cache, found = open_cache(book), []
    for notebook in book.notebooks():
        if record_of(book, notebook) is not None:
            continue
        key = fingerprint(book, notebook)
        runs = [record for record in cache.list_cache_records() if record.uri == book.name(notebook)]
        valid = next((record for record in runs if record.data.get("fingerprint") == key), None)
        if valid is not None:  # only a caption, an alt text or another label of a cell changed
            try:
                outputs = [cell.outputs for cell in cache.get_cache_bundle(valid.pk).nb.cells]
                store(book, notebook, outputs, valid.data)
                continue
            except KeyError:  # the entry was damaged
                pass
        evict(book, notebook)
        if any(cell.cell_type == "code" for cell in nbformat.read(notebook, 4).cells):
            found.append(notebook)
        else:
            store(book, notebook, [], measured(0.0, key))  # nothing to run
    return found


def evict(book: Book, notebook: Path) -> None:
    """Forget every cached run of the notebook."""
    from jupyter_cache.cache.db import NbCacheRecord

    cache = open_cache(book)
    for record in cache.list_cache_records():
        if record.uri == book.name(notebook):
            shutil.rmtree(book.cache_folder / "executed" / record.hashkey, ignore_errors=True)
            NbCacheRecord.remove_records([record.pk], cache.db)


def measured(seconds: float, key: str) -> dict[str, Any]:
    """What is kept of a run besides its outputs."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in SHOWN_VERSIONS}}
    return {"execution_seconds": round(seconds, 2), "fingerprint": key, "machine": machine(), "versions": versions}


def store(book: Book, notebook: Path, outputs: list[list[Any]], data: dict[str, Any]) -> None:
    """Put the outputs of a passing run into the cache; one process at a time, since jupyter-cache expects no other."""
    from filelock import FileLock
    from jupyter_cache.base import CacheBundleIn

    executed = nbformat.read(notebook, 4)
    executed.metadata["language_info"] = LANGUAGE
    code_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    for count, (cell, cell_outputs) in enumerate(zip(code_cells, outputs, strict=True), start=1):
        cell.outputs, cell.execution_count = [_for_page(output, count) for output in cell_outputs], count
    bundle, cache = CacheBundleIn(executed, book.name(notebook), data=data), open_cache(book)
    with FileLock(book.build / ".jupyter_cache.lock"):
        evict(book, notebook)
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def _for_page(output: Any, count: int) -> Any:
    """An output without what only a live kernel can use."""
    output = nbformat.from_dict(output)
    if "data" in output:
        output.data.pop("application/vnd.jupyter.widget-view+json", None)
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def version(package: str) -> str:
    """The installed version of a package, or a dash."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "–"


def machine() -> str:
    """This machine in a few words."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        names = re.findall(r"^model name\s*:\s*(.+)$", information.read_text("utf8"), flags=re.MULTILINE)
        processor = names[0] if names else processor
    return f"{platform.system()}, {processor}, {os.cpu_count()} cores"
