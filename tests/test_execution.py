"""The cache of executed notebooks, written by several processes at once."""

import multiprocessing
import shutil
from pathlib import Path

import nbformat

from tools import execution
from tools.execution import Book

MINIBOOK = Path(__file__).parent / "minibook"


def store_numbers(root, name, begin):
    """What a worker of nbval does after the last cell of a notebook."""
    path = root / f"book/{name}.ipynb"
    outputs = [[] for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    begin.wait()
    execution.store(Book(root), path, outputs, execution.measured(0.0, name))


def test_notebooks_that_end_at_the_same_moment_all_enter_the_cache(tmp_path):
    processes = multiprocessing.get_context("fork")
    names = ["one", "two", "three", "four"]
    for number in range(10):  # without the lock about one store in twenty fails
        root = tmp_path / str(number)
        shutil.copytree(MINIBOOK, root)
        text = (root / "book/numbers.ipynb").read_text("utf8")
        for name in names:
            (root / f"book/{name}.ipynb").write_text(text.replace("total = ", f"{name} = total = ", 1), "utf8")
        begin = processes.Barrier(len(names))
        workers = [processes.Process(target=store_numbers, args=(root, name, begin)) for name in names]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * len(names)
        records = execution.open_cache(Book(root)).list_cache_records()
        assert sorted(record.data["fingerprint"] for record in records) == sorted(names)
