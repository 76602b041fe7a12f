"""Every chapter has the same anatomy, so that a reader knows where to look and nothing is forgotten."""

import re
from pathlib import Path

import nbformat
import pytest
from anatomy import BOOK, Chapter, chapter_of, outside_code, problems
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebooks
from tools.execution import REPOSITORY

# The landing page is no chapter: it must be clean and its claims must hold, and that is all.
NOT_CHAPTERS = ("book/index.ipynb",)
NOTEBOOKS = {BOOK.name(path): path for path in BOOK.notebooks()}
CHAPTERS = {name: path for name, path in NOTEBOOKS.items() if name not in NOT_CHAPTERS}


@pytest.mark.parametrize("name", CHAPTERS)
def test_anatomy(name):
    assert problems(chapter_of(CHAPTERS[name])) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_clean(name):
    path = NOTEBOOKS[name]
    assert notebooks.problems(path) == []
    ids = [cell.id for cell in nbformat.read(path, 4).cells]
    assert len(ids) == len(set(ids))


def test_every_notebook_is_in_the_table_of_contents():
    paths = [path for path in (REPOSITORY / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    assert {BOOK.name(path) for path in paths if "assignments" not in path.parts} == set(NOTEBOOKS)


def cycle(graph):
    """A cycle of a graph {node: [nodes it requires]}, or an empty list."""
    state = {}

    def visit(node, path):
        if state.get(node) == "done":
            return []
        if node in path:
            return [*path[path.index(node) :], node]
        for other in graph.get(node, []):
            if circle := visit(other, [*path, node]):
                return circle
        state[node] = "done"
        return []

    return next((circle for node in graph if (circle := visit(node, []))), [])


def test_code_in_the_text_is_left_out():
    text = "a\n```{math}\n:label: eq-x\nx\n```\n# b\n```python\n# c\n```\nd"
    assert outside_code(text).splitlines() == ["a", ":label: eq-x", "x", "# b", "d"]


def test_requirements_form_no_circle():
    graph = {
        name.removeprefix("book/").removesuffix(".ipynb"): chapter_of(path).course.get("requires", [])
        for name, path in CHAPTERS.items()
    }
    assert cycle(graph) == []
    assert cycle({"a": ["b"], "b": ["c"], "c": ["a"]}) == ["a", "b", "c", "a"]


# -- the checks themselves: a small chapter passes, and each fault is found -----------------------------------------

TITLE = """# A title

*Does it work?*

:::{admonition} In this chapter
:class: course-box
**You will be able to** test; check

**Time** 45 minutes to read · runs in ≤ 15 s on 2 CPU cores

**Requires** [Before](../concepts/before.ipynb)
:::
"""
ANSWERS = "\n".join(
    f"**{number}.** Why?\n\n:::{{dropdown}} Yes\nRight.\n:::\n\n:::{{dropdown}} No\nWrong.\n:::\n"
    for number in (1, 2, 3)
)
TASKS = "\n".join(
    f":::{{exercise}} {stars} Do it\n:label: ex-title-{number}\nDo.\n:::\n\n"
    f":::{{solution}} ex-title-{number}\n:class: dropdown\nDone.\n:::\n"
    for number, stars in enumerate(("★", "★★", "★★★"))
)
END = (
    f"## When it fails\n\nSo.\n\n## The bill\n\nLittle.\n\n## Check yourself\n\n{ANSWERS}\n## Exercises\n\n{TASKS}\n"
    "## Summary\n\n- One.\n\n## Further reading\n\n- [Someone 2020](../references.md#someone2020)\n\n"
    "Next: [Before](../concepts/before.ipynb)"
)
FIGURE = {
    "figure": {"caption": "A curve that shows what is to be seen.", "name": "fig-title-curve"},
    "image": {"alt": "A curve that rises from left to right."},
}


def small_chapter():
    claim = new_code_cell("claim('one', 1, equals=1)", metadata={"tags": ["nbval-check-output", "keep_output"]})
    claim.outputs, claim.execution_count = [new_output("stream", name="stdout", text="✓ one = 1\n")], 1
    notebook = new_notebook(
        cells=[
            new_markdown_cell(TITLE),
            new_code_cell("plots.curves(x, y)", metadata={"mystnb": FIGURE}),
            new_code_cell("run = training.fit(model, digits)"),
            claim,
            new_markdown_cell(END),
        ],
        metadata={"course": {"minutes": 45, "seconds": 15, "core": True, "requires": ["concepts/before"]}},
    )
    pages = {"book/concepts/before.ipynb", "book/references.md"}
    return Chapter("book/math/title.ipynb", notebook, pages, {"someone2020"})


def test_a_small_chapter_passes():
    assert problems(small_chapter()) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("*Does it work?*", "It works.", "no question below the title"),
        ("In this chapter", "In that chapter", "no box"),
        ("≤ 15 s", "≤ 30 s", "the box should say '45 minutes to read · runs in ≤ 15 s"),
        ("**Requires** [Before](../concepts/before.ipynb)", "**Requires** nothing", "course.requires names"),
        ("## When it fails", "## When it works", "no section '## When it fails'"),
        ("## The bill", "## The price", "no section '## The bill'"),
        ("## Summary", "## Resume", "no section '## Summary'"),
        ("**3.** Why?", "Why?", "should hold the questions"),
        (":::{dropdown} No\nWrong.\n:::\n\n**2.**", "**2.**", "question 1 has 1 answers"),
        ("★★★ Do it", "★★ Do it", "graded ★, ★★, ★★★"),
        (":::{solution} ex-title-1", ":::{solution} ex-title-0", "followed by its solution"),
        ("Done.", "```py\nx\n```", "is fenced as ```python, which is run"),
        ("ex-title-2", "task-2", "should start with ex-"),
        ("#someone2020", "#nobody2020", "no reference 'nobody2020'"),
        ("Next: [Before](../concepts/before.ipynb)", "Next: [After](after.ipynb)", "not in the table of contents"),
        ("Next: [Before](../concepts/before.ipynb)", "The end.", "link to the next chapter"),
        ("- One.", "```{glue} x\n```", "directives that do not render in JupyterLab: glue"),
        ("- One.", "{cite}`someone2020`", "roles that do not render"),
        ("- One.", "$$x = 1$$ (eq-x)", "label on the same line"),
        ("- One.", "![](picture.svg)", "a picture without alternative text"),
        ("- One.", "# Another title", "more than one title"),
    ],
)
def test_a_fault_in_the_text_is_found(old, new, complaint):
    chapter = small_chapter()
    places = [cell for cell in chapter.notebook.cells if old in cell.source]
    assert places
    for cell in places:
        cell.source = cell.source.replace(old, new)
    assert any(complaint in problem for problem in problems(chapter))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda nb: nb.cells[1].metadata.mystnb.image.update(alt="_images/0a1b2c3d4e.png"), "missing, short or a path"),
        (lambda nb: nb.cells[1].metadata.mystnb.figure.update(caption=""), "without a caption"),
        (lambda nb: nb.cells[1].metadata.clear(), "without a caption"),
        (lambda nb: nb.cells.pop(1), "no figure and no explorer in the first"),
        (lambda nb: nb.cells.pop(3), "no claim"),
        (lambda nb: nb.cells[2].update(source="x = 1\n" * 26), "a code cell of 26 lines"),
        (lambda nb: nb.cells[2].update(source="x = " + "1" * 90), "a code line of 94 characters"),
        (lambda nb: nb.metadata.course.update(seconds=20), "course.seconds should be one of"),
        (lambda nb: nb.metadata.course.update(requires=["concepts/after"]), "which is no chapter"),
        (lambda nb: nb.metadata.course.update(core="yes"), "course.core"),
        (lambda nb: nb.metadata.course.update(level=3), "unknown keys: level"),
        (lambda nb: nb.metadata.pop("course"), "course.minutes"),
    ],
)
def test_a_fault_in_the_cells_is_found(change, complaint):
    chapter = small_chapter()
    chapter.notebook = nbformat.from_dict(chapter.notebook)
    change(chapter.notebook)
    assert any(complaint in problem for problem in problems(chapter))


# -- and on the built pages ------------------------------------------------------------------------------------------


@pytest.mark.built
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_pictures_on_the_page_say_what_they_show(name):
    page = (BOOK.html / name).with_suffix(".html").read_text("utf8")
    article = page.split("<article", 1)[-1].split("</article>", 1)[0]
    alts = [(re.search(r'alt="([^"]*)"', image) or [None, ""])[1] for image in re.findall(r"<img\b[^>]*>", article)]
    assert [alt for alt in alts if len(alt) < 10 or Path(alt).suffix in (".png", ".svg")] == []
