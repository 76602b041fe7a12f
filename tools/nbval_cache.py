"""A pytest plugin: nbval executes the notebooks, and each one that passes enters the book's cache.

Used by tools.book and tools.notebooks as `pytest -p tools.nbval_cache --course-root ROOT --nbval-lax ...`.
With --course-store the outputs of claim cells are written into the notebook instead of being compared with it.
With --course-no-cache nothing is written: the claims are checked and that is all.
With --course-solutions the solutions of the exercises run as well, after the last cell and in the same kernel, each on
the names that the chapter left; one that raises fails. They count neither for the cache nor for the seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError, coalesce_streams

from tools import execution, notebooks
from tools.solutions import Solution, solutions

# A copy of the chapter's names, so that no solution leans on another; the lines are registered for the traceback.
RUN_SOLUTION = """
def _solve(code, label):
    import linecache
    linecache.cache[label] = len(code), None, code.splitlines(True), label
    exec(compile(code, label, "exec"), dict(globals()))
_solve({code!r}, {label!r})
"""

_seconds: dict[Any, float] = defaultdict(float)
_failed: set[Any] = set()
_fingerprints: dict[Any, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which book the notebooks belong to, and what to do with the outputs."""
    group = parser.getgroup("course")
    group.addoption("--course-root", default=str(execution.REPOSITORY))
    group.addoption("--course-store", action="store_true")
    group.addoption("--course-no-cache", action="store_true")
    group.addoption("--course-solutions", action="store_true")


class SolutionItem(IPyNbCell):
    """The solution of an exercise: one more cell, after those of its notebook."""

    @classmethod
    def of(cls, file: IPyNbFile, number: int, solution: Solution) -> SolutionItem:
        """The item that runs a solution of a collected notebook."""
        cell = nbformat.v4.new_code_cell(RUN_SOLUTION.format(code=solution.code, label=solution.label))
        name = f"solution {solution.label}"
        item = cls.from_parent(file, name=name, cell_num=number, cell=cell, options=defaultdict(bool))
        item.solution = solution
        return item

    def reportinfo(self) -> tuple[Any, int, str]:
        """How pytest names it."""
        return self.path, 0, f"{self.path.name}::{self.name}"

    def runtest(self) -> None:
        """Run it, unless a cell before it failed."""
        if self.parent in _failed:
            pytest.skip("its chapter failed")
        super().runtest()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """Name the exercise, and show its code and the traceback."""
        if not isinstance(excinfo.value, NbCellError):
            return super().repr_failure(excinfo)
        return f"FAILED: {self.name} of {self.path.name}\n\n{self.solution.code}\n{excinfo.value.inner_traceback}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the fingerprints before anything runs, so that an edit during the run makes the entry stale."""
    files: dict[Any, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.parent, []).append(item)
        if isinstance(item, IPyNbCell):
            if config.option.course_store:
                item.options["check"] = False
                item.cell.outputs = []
            elif item.parent not in _fingerprints:
                _fingerprints[item.parent] = execution.fingerprint(_book(config), item.parent.path)
    if config.option.course_solutions:
        for file, own in files.items():
            own += [SolutionItem.of(file, *numbered) for numbered in enumerate(solutions(file.nb))]
        items[:] = [item for own in files.values() for item in own]


def _is_cell(item: pytest.Item | None) -> bool:
    return isinstance(item, IPyNbCell) and not isinstance(item, SolutionItem)


def _book(config: pytest.Config) -> execution.Book:
    return execution.Book(Path(config.option.course_root).resolve())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A claim without stored output, or with something on stderr, fails: nbval alone lets the first pass."""
    result = yield
    if isinstance(item, IPyNbCell) and execution.is_claim(item.cell):
        problem = None
        stored = item.cell.outputs and item.cell.execution_count is not None
        if any(output.get("name") == "stderr" for output in item.test_outputs or []):
            problem = "A claim cell wrote to stderr"
        elif not stored and not item.config.option.course_store:
            problem = f"A claim cell has no stored output: `python -m tools.notebooks store {item.parent.path.name}`"
        if problem:
            raise NbCellError(item.cell_num, problem, item.cell.source)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[pytest.TestReport]:
    """Keep a notebook's seconds, and whether any of its cells failed or was skipped."""
    report = yield
    if _is_cell(item):
        if call.when == "call":
            _seconds[item.parent] += call.duration
        if not report.passed:
            _failed.add(item.parent)
    return report


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last cell of a notebook: write what it gave."""
    if not _is_cell(item) or (_is_cell(nextitem) and nextitem.parent is item.parent):
        return
    file, config = item.parent, item.config
    cells = [other for other in item.session.items if _is_cell(other) and other.parent is file]
    outputs = [cell.test_outputs for cell in cells]
    number = sum(cell.cell_type == "code" for cell in file.nb.cells)
    if file in _failed or len(outputs) != number or any(output is None for output in outputs):
        return
    outputs = [coalesce_streams(output) for output in outputs]
    book = _book(config)
    if config.option.course_store:
        notebooks.keep_claims(file.path, outputs)
        _fingerprints[file] = execution.fingerprint(book, file.path)
    if not config.option.course_no_cache and file.path.is_relative_to(book.root):
        execution.store(book, file.path, outputs, execution.measured(_seconds[file], _fingerprints[file]))
