"""The solutions of exercises run after their chapter: found in the text, each by itself, and one that raises fails."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tools import book as driver
from tools.execution import Book
from tools.solutions import Solution, solutions

MINIBOOK = Path(__file__).parent / "minibook"
SOLUTIONS = """## Exercises

:::{exercise} ★ One
:label: ex-one
What is it? This code is part of the question:
```python
raise ValueError("never run")
```
:::

:::{solution} ex-one
:class: dropdown
```python
half = total / 2
assert half == 2
```
And then:

```python
print(half)
```
:::

::::{solution} ex-two
:class: dropdown
:::{note}
Nothing to run here.
:::
```text
total / 0
```
::::

:::{solution} ex-three
:class: dropdown
```python
def twice():
    return 2 * total

print(twice())
```
:::
"""


FAULTS = {  # notebook → what is replaced in its text, and what the tests then say
    "wrong": ("assert half == 2", "assert half == 3", "assert half == 3"),
    "leaning": ("return 2 * total", "return 2 * half", "name 'half' is not defined"),  # half is of another solution
    "broken": ("print(half)", "print(half", "was never closed"),
    "chapter": ("total = 2 + 2", "total = two + 2", "name 'two' is not defined"),
}


def with_solutions(text):
    return new_notebook(cells=[new_markdown_cell(text)])


def test_the_code_of_solutions_is_found_and_nothing_else():
    assert solutions(with_solutions(SOLUTIONS)) == [
        Solution("ex-one", "half = total / 2\nassert half == 2\nprint(half)"),
        Solution("ex-three", "def twice():\n    return 2 * total\n\nprint(twice())"),
    ]
    assert solutions(with_solutions("Text, and ```python``` within a line.")) == []


def test_a_fence_of_backticks_may_hold_code():
    text = "````{solution} ex-a\n:class: dropdown\n```python\nprint(1)\n```\n````\n"
    assert solutions(with_solutions(text)) == [Solution("ex-a", "print(1)")]


@pytest.fixture
def mini(tmp_path):
    """A book of five notebooks with solutions: one in order, one whose own cell fails, three with a bad solution."""
    root = tmp_path / "book"
    shutil.copytree(MINIBOOK, root)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/numbers\nchapters:\n" + "".join(f"  - file: book/{name}\n" for name in FAULTS)
    )
    path = root / "book/numbers.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells.append(new_markdown_cell(SOLUTIONS, id="mini-solutions"))
    nbformat.write(notebook, path)
    for name, (old, new, _) in FAULTS.items():
        text = path.read_text("utf8")
        assert old in text
        text = text.replace(old, new).replace("total = ", f"{name} = total = ", 1)  # the cache tells them by their code
        (root / f"book/{name}.ipynb").write_text(text, "utf8")
    return Book(root)


def test_a_solution_that_raises_fails_the_tests_and_not_the_pages(mini, capfd):
    assert not driver.execute(mini, everything=True, solutions=True)
    output = capfd.readouterr().out
    # two cells and two solutions each; the cells of `chapter` fail, and its solutions do not run
    assert "5 failed, 13 passed, 2 skipped" in output and "its chapter failed" in output, output
    for name in ("wrong", "leaning", "broken"):
        assert re.search(rf"FAILED: solution ex-\w+ of {name}.ipynb", output), output
    for _, _, reason in FAULTS.values():
        assert reason in output, output
    assert "of numbers.ipynb" not in output and "FAILED: book/chapter.ipynb" in output
    assert not driver.execute(mini)  # as `make book` does: the others are up to date, since solutions are no part of it
    output = capfd.readouterr().out
    assert "executing 1 of 5" in output and "2 failed" in output, output
