"""The page of references and what is generated from the chapters: complete, sorted, in step, with clear complaints."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from pybtex.database import parse_file, parse_string

from tools import course_graph, references

ROOT = Path(__file__).resolve().parents[1]


def notebook(folder: Path, name: str, text: str, *, requires=(), claims: bool = True) -> None:
    path = folder / "book" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = {"tags": ["nbval-check-output", "keep_output"]} if claims else {}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)},
        {"cell_type": "code", "metadata": tags, "source": ["claim('a', True)"], "outputs": []},
    ]
    course = {"minutes": 10, "core": True, "requires": list(requires)}
    path.write_text(json.dumps({"cells": cells, "metadata": {"course": course}}), encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    (tmp_path / "book" / "assets").mkdir(parents=True)
    (tmp_path / "helpers").mkdir()
    shutil.copy(ROOT / "helpers" / "palette.json", tmp_path / "helpers")
    for name in ("references.bib", "documents.csv", "how_to_use.md", "about_the_documents.md"):
        shutil.copy(ROOT / "book" / name, tmp_path / "book")
    (tmp_path / "book" / "how_to_use.md").write_text("# Use\n\n% begin chapters\n% end chapters\n", encoding="utf-8")
    return tmp_path


def test_the_bibliography_is_whole():
    entries = parse_file(str(ROOT / "book" / "references.bib")).entries
    assert len(entries) > 300
    for key, entry in entries.items():
        assert re.fullmatch(r"[a-z0-9]+", key), f"{key}: anchors are lower case letters and digits"
        assert entry.fields.get("title") and entry.fields.get("year"), key
        line = references.citation(entry)
        assert "\n" not in line and "{" not in re.sub(r"\$[^$]+\$", "", line), line
        assert "MATHS" not in line and "DOLLAR" not in line and ".." not in line.replace("...", ""), line


def test_citations_read_well():
    entries = parse_file(str(ROOT / "book" / "references.bib")).entries
    assert references.citation(entries["vaswani2017"]) == (
        "A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit et al. (2017). *Attention Is All You Need*. "
        "Advances in Neural Information Processing Systems 30. [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)"
    )
    assert references.citation(entries["kingma2015"]).startswith("D. P. Kingma and J. Ba (2015). *Adam:")
    assert "$L=\\lambda W$" in references.citation(entries["little1961"])
    assert r"S\$873" in "".join(references.citation(entry) for entry in entries.values())
    nature = references.citation(entries["silver2017"])
    assert "et al." in nature and nature.endswith("[doi:10.1038/nature24270](https://doi.org/10.1038/nature24270)")
    one = parse_string(
        "@misc{a, author={{Some Office}}, title={A {R}eport}, year={2020}, howpublished={site.org/a\\_b, May 2020}}",
        "bibtex",
    )
    assert references.citation(one.entries["a"]) == (
        r"Some Office (2020). *A Report*. [site.org/a\_b](https://site.org/a_b), May 2020."
    )


def test_page_holds_each_key_once_and_sorted(small):
    notebook(small, "math/a", "# A\n\n[Vaswani](../references.md#vaswani2017), [Adam](../references.md#kingma2015)")
    (small / "book" / "b.md").write_text("[Adam again](references.md#kingma2015)", encoding="utf-8")
    (small / "helpers" / "prices.csv").write_text("key,source\na,hoffmann2022\nb,\n", encoding="utf-8")
    notebook(small, "assignments/release/c", "[not here](../references.md#brown2020)")
    assert references.main([], small) == 0
    page = (small / "book" / "references.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", page, re.MULTILINE) == ["hoffmann2022", "kingma2015", "vaswani2017"]
    assert re.findall(r"^## (\w)$", page, re.MULTILINE) == ["H", "K", "V"]
    assert references.main(["--check"], small) == 0


def test_check_fails_without_writing(small, capsys):
    references.main([], small)
    before = (small / "book" / "references.md").read_text(encoding="utf-8")
    notebook(small, "a", "# A\n\n[Adam](references.md#kingma2015)")
    assert references.main(["--check"], small) == 1
    assert "out of date; run python -m tools.references" in capsys.readouterr().err
    assert (small / "book" / "references.md").read_text(encoding="utf-8") == before


def test_unknown_key_names_file_and_key(small, capsys):
    notebook(small, "math/a", "# A\n\n[?](../references.md#nobody1999)")
    assert references.main([], small) == 1
    assert "book/math/a.ipynb cites nobody1999, which book/references.bib does not have" in capsys.readouterr().err
    assert not (small / "book" / "references.md").exists()


def test_graph_and_tables_follow_the_chapters(small):
    notebook(small, "start_here", "# Start here", claims=False)
    notebook(
        small,
        "algorithms/linear_regression",
        "# Lines & more\n\n:::{admonition} The documents, executed: E01 and E14\n:::",
        requires=["start_here", "math/not_written"],
    )
    assert course_graph.main([], small) == 0 and course_graph.main(["--check"], small) == 0
    drawing = (small / "book" / "assets" / "course_graph.svg").read_text(encoding="utf-8")
    assert "Lines &amp; more" in drawing and drawing.count("<path") == 2
    table = (small / "book" / "how_to_use.md").read_text(encoding="utf-8")
    assert "[Lines & more](algorithms/linear_regression.ipynb) ● | 10 | [Start here](start_here.ipynb)" in table
    assert ", planned: not written |" in table
    about = (small / "book" / "about_the_documents.md").read_text(encoding="utf-8")
    rows = {row.split(" | ")[0].strip("| "): row for row in about.splitlines() if re.match(r"\| [ES]\d\d", row)}
    assert list(rows) == [f"E{n:02}" for n in range(1, 22)] + [f"S{n:02}" for n in range(1, 49)]
    assert rows["E01"].endswith("[Lines & more](algorithms/linear_regression.ipynb) |")
    assert rows["E13"].endswith("planned: linear regression |"), "the chapter has no aside with this number"
    assert "| works |" in rows["S08"] and "| planned |" in rows["S26"] and "| planned |" in rows["S02"]


def test_graph_works_without_chapters(small):
    assert course_graph.main([], small) == 0
    assert "</svg>" in (small / "book" / "assets" / "course_graph.svg").read_text(encoding="utf-8")


def test_a_circle_is_named(small, capsys):
    notebook(small, "math/a", "# A", requires=["math/b"])
    notebook(small, "math/b", "# B", requires=["math/a"])
    assert course_graph.main([], small) == 1
    assert "in a circle: math/a → math/b → math/a" in capsys.readouterr().err


def test_missing_metadata_is_named(small, capsys):
    notebook(small, "math/a", "no heading")
    assert course_graph.main([], small) == 1
    assert "book/math/a.ipynb lacks a title or course metadata" in capsys.readouterr().err


def test_needs_of_needs_are_not_drawn_twice(small):
    for name, needs in {"a": [], "b": ["a"], "c": ["a", "b"]}.items():
        notebook(small, f"math/{name}", f"# {name}", requires=[f"math/{need}" for need in needs])
    course = course_graph.chapters(small)
    assert course_graph.levels(course) == {"math/a": 0, "math/b": 1, "math/c": 2}
    assert course_graph._direct("math/c", course) == ["math/b"]


def test_every_slip_names_a_document():
    with (ROOT / "book" / "documents.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            assert row["what"] and row["chapters"]
            assert bool(row["where"] and row["right"]) == row["row"].startswith("E")


@pytest.mark.parametrize("tool", [references, course_graph])
def test_the_committed_pages_are_in_step(tool, capsys):
    assert tool.main(["--check"]) == 0, capsys.readouterr().err


def test_style_sheet_and_drawings_use_the_palette():
    palettes = json.loads((ROOT / "helpers" / "palette.json").read_text(encoding="utf-8"))
    sheet = (ROOT / "book" / "assets" / "course.css").read_text(encoding="utf-8")
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", sheet), "colours come from the palette's variables"
    assert set(re.findall(r"var\(--course-(\w+)\)", sheet)) <= set(palettes["light"])
    allowed = {colour for colours in palettes.values() for colour in colours.values()}
    for drawing in (ROOT / "book" / "assets").glob("*.svg"):
        assert set(re.findall(r"#[0-9a-f]{6}", drawing.read_text(encoding="utf-8"))) <= allowed, drawing.name


def test_glossary_is_sorted_and_its_links_lead_somewhere():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^### (.+)$", text, re.MULTILINE)
    assert len(terms) >= 90 and terms == sorted(terms, key=str.lower) and len(terms) == len(set(terms))
    anchors = {re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-") for term in terms}
    assert set(re.findall(r"\(#([\w-]+)\)", text)) <= anchors
    for definition in re.split(r"^### .+$", text, flags=re.MULTILINE)[1:]:
        assert definition.strip().partition("\n## ")[0].strip().endswith("."), definition
