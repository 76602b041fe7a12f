"""Draw what chapter needs what, and keep the tables that follow from the chapters in step with them.

    python -m tools.course_graph           write book/assets/course_graph.svg and the generated tables
    python -m tools.course_graph --check   change nothing; fail when one of them is out of date

The graph and the chapter table come from the notebooks' `course` metadata, the tables of the five documents from
book/documents.csv and from what the notebooks hold.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {
    "": ("Front matter", "grey"),
    "background": ("Background", "yellow"),
    "concepts": ("Concepts", "sky"),
    "algorithms": ("Algorithms", "blue"),
    "math": ("Mathematics", "purple"),
    "project": ("Projects", "green"),
    "applications": ("Applications", "orange"),
    "outlook": ("Outlook", "red"),
}
WIDTH, COLUMNS, BOX_HEIGHT, ROW_GAP = 600, 3, 46, 42


class CourseProblem(Exception):
    """Metadata or a table row that its author has to mend."""


@dataclass(frozen=True)
class Chapter:
    """One notebook as its metadata describes it; name is its path in book/ without the ending."""

    name: str
    title: str
    minutes: int
    core: bool
    requires: tuple[str, ...]
    slips: frozenset[str]
    has_claims: bool

    @property
    def part(self) -> str:
        """Folder of the chapter, empty for the front matter."""
        return self.name.rpartition("/")[0]


def chapters(root: Path = ROOT) -> dict[str, Chapter]:
    """All notebooks of the book by name, parts in the book's order. Raises: CourseProblem for unusable metadata."""
    found = {}
    for part in PARTS:
        for path in sorted((root / "book" / part).glob("*.ipynb")):
            if path.stem == "index":
                continue
            name = path.relative_to(root / "book").with_suffix("").as_posix()
            notebook = json.loads(path.read_text(encoding="utf-8"))
            course = notebook["metadata"].get("course")
            text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
            title = re.search(r"^# (.+)$", text, re.MULTILINE)
            if course is None or title is None or not {"minutes", "requires"} <= set(course):
                raise CourseProblem(f"book/{name}.ipynb lacks a title or course metadata (minutes, requires)")
            found[name] = Chapter(
                name=name,
                title=title.group(1).strip(),
                minutes=course["minutes"],
                core=bool(course.get("core")),
                requires=tuple(course["requires"]),
                slips=frozenset(
                    slip
                    for line in re.findall(r"The documents, executed: (.+)", text)
                    for slip in re.findall(r"E\d\d", line)
                ),
                has_claims=any("nbval-check-output" in cell["metadata"].get("tags", []) for cell in notebook["cells"]),
            )
    return found


def levels(course: dict[str, Chapter]) -> dict[str, int]:
    """Longest way from a chapter that requires nothing; chapters not yet written are left out.

    Raises: CourseProblem for a circle.
    """
    depth: dict[str, int] = {}

    def visit(name: str, way: tuple[str, ...]) -> int:
        if name in way:
            raise CourseProblem("chapters require each other in a circle: " + " → ".join([*way, name]))
        if name not in depth:
            depth[name] = 1 + max((visit(need, (*way, name)) for need in _needs(name, course)), default=-1)
        return depth[name]

    for name in course:
        visit(name, ())
    return depth


def graph(course: dict[str, Chapter], colours: dict[str, str]) -> str:
    """The graph as SVG text: needs stand above what builds on them, colours name the parts."""
    depth = levels(course)
    rows: list[list[str]] = []
    for level in range(max(depth.values(), default=-1) + 1):
        members = [name for name in course if depth[name] == level]
        before = {name: place for row in rows for place, name in enumerate(row)}
        members.sort(key=lambda name: min((before[need] for need in _needs(name, course)), default=0))
        rows += [members[first : first + COLUMNS] for first in range(0, len(members), COLUMNS)]
    parts = [part for part in PARTS if any(chapter.part == part for chapter in course.values())]
    top = 26 * -(-len(parts) // 4) + 22
    height = top + len(rows) * (BOX_HEIGHT + ROW_GAP) - (ROW_GAP if rows else 0) + 16
    box_width = (WIDTH - 16 * (COLUMNS + 1)) / COLUMNS
    place = {
        name: (
            WIDTH / 2 + (column - (len(row) - 1) / 2) * (box_width + 16) - box_width / 2,
            top + line * (BOX_HEIGHT + ROW_GAP),
        )
        for line, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{colours["paper"]}"/>',
    ]
    for number, part in enumerate(parts):
        x, y = 16 + 145 * (number % 4), 18 + 26 * (number // 4)
        title, colour = PARTS[part]
        out.append(f'<rect x="{x}" y="{y - 5}" width="14" height="14" rx="3" fill="{colours[colour]}"/>')
        out.append(f'<text x="{x + 20}" y="{y + 7}" fill="{colours["ink"]}">{title}</text>')
    for name in course:
        for need in _direct(name, course):
            (x1, y1), (x2, y2) = place[need], place[name]
            x1, x2, y1 = x1 + box_width / 2, x2 + box_width / 2, y1 + BOX_HEIGHT
            bend = (y2 - y1) / 2
            out.append(
                f'<path d="M{x1:.0f} {y1}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2 - 6}" '
                f'fill="none" stroke="{colours["muted"]}" stroke-width="1.6"/>'
                f'<path d="M{x2 - 4:.0f} {y2 - 7}h8l-4 7z" fill="{colours["muted"]}"/>'
            )
    for name, (x, y) in place.items():
        chapter = course[name]
        lines = _wrap(chapter.title + (" ●" if chapter.core else ""), 21)
        out.append(
            f'<rect x="{x:.0f}" y="{y}" width="{box_width:.0f}" height="{BOX_HEIGHT}" rx="5" fill="{colours["panel"]}" '
            f'stroke="{colours["muted"]}"/><rect x="{x:.0f}" y="{y}" width="7" height="{BOX_HEIGHT}" rx="3" '
            f'fill="{colours[PARTS[chapter.part][1]]}"/>'
        )
        for number, line in enumerate(lines):
            baseline = y + BOX_HEIGHT / 2 + 5 + 17 * (number - (len(lines) - 1) / 2)
            out.append(f'<text x="{x + 14:.0f}" y="{baseline:.0f}" fill="{colours["ink"]}">{escape(line)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _needs(name: str, course: dict[str, Chapter]) -> list[str]:
    return [need for need in course[name].requires if need in course]


def _direct(name: str, course: dict[str, Chapter]) -> list[str]:
    """Requirements that are not already required by another requirement."""

    def reach(start: str) -> set[str]:
        return {start}.union(*(reach(need) for need in _needs(start, course)))

    needs = _needs(name, course)
    return [need for need in needs if not any(need in reach(other) for other in needs if other != need)]


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1] + word) < width else [*lines, word]
    lines = [line for line in lines if line]
    return lines if len(lines) < 3 else [lines[0], lines[1] + " …"]


def chapter_table(course: dict[str, Chapter]) -> str:
    """Chapters, reading time and requirements as a Markdown table."""

    lines = ["| Part | Chapter | Minutes | Requires |", "| --- | --- | --- | --- |"]
    depth, parts = levels(course), list(PARTS)
    for name, chapter in sorted(course.items(), key=lambda item: (parts.index(item[1].part), depth[item[0]])):
        needs = ", ".join(_cell(need, course) for need in chapter.requires) or "nothing"
        mark = " ●" if chapter.core else ""
        lines.append(f"| {PARTS[chapter.part][0]} | {_cell(name, course)}{mark} | {chapter.minutes} | {needs} |")
    return "\n".join(lines)


def documents_tables(rows: list[dict[str, str]], course: dict[str, Chapter]) -> dict[str, str]:
    """The tables of slips and of systems. A slip is executed where a chapter has an aside with its number; a system
    works when each chapter it names is there and holds claims that the tests check, and works in part when some do."""

    def names(row: dict[str, str]) -> list[str]:
        return row["chapters"].split()

    slips = ["| Slip | Where | As printed | What holds | Chapter |", "| --- | --- | --- | --- | --- |"]
    systems = ["| Row | System | State | Chapters |", "| --- | --- | --- | --- |"]
    for row in rows:
        if row["row"].startswith("E"):
            where = [
                _cell(name, course if name in course and row["row"] in course[name].slips else {})
                for name in names(row)
            ]
            slips.append(f"| {row['row']} | {row['where']} | {row['what']} | {row['right']} | {', '.join(where)} |")
        else:
            there = [name in course and course[name].has_claims for name in names(row)]
            state = "works" if all(there) else "in part" if any(there) else "planned"
            systems.append(
                f"| {row['row']} | {row['what']} | {state} | {', '.join(_cell(name, course) for name in names(row))} |"
            )
    return {"slips": "\n".join(slips), "systems": "\n".join(systems)}


def _cell(name: str, course: dict[str, Chapter]) -> str:
    if name in course:
        return f"[{course[name].title}]({name}.ipynb)"
    return f"planned: {name.rpartition('/')[2].replace('_', ' ')}"


def replace_block(text: str, name: str, content: str) -> str:
    """Put content between the lines `% begin NAME` and `% end NAME`. Raises: CourseProblem when they are missing."""
    block = re.compile(rf"(^% begin {name}\n)(.*?)(^% end {name}$)", re.MULTILINE | re.DOTALL)
    if len(block.findall(text)) != 1:
        raise CourseProblem(f"expected one block between '% begin {name}' and '% end {name}'")
    return block.sub(lambda match: f"{match.group(1)}\n{content}\n\n{match.group(3)}", text)


def outputs(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file and the text it should hold."""
    course = chapters(root)
    book = root / "book"
    colours = json.loads((root / "helpers" / "palette.json").read_text(encoding="utf-8"))["light"]
    with (book / "documents.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    blocks = {
        "how_to_use.md": {"chapters": chapter_table(course)},
        "about_the_documents.md": documents_tables(rows, course),
    }
    result = {book / "assets" / "course_graph.svg": graph(course, colours)}
    for page, contents in blocks.items():
        text = (book / page).read_text(encoding="utf-8")
        for name, content in contents.items():
            text = replace_block(text, name, content)
        result[book / page] = text
    return result


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check what is generated; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m tools.course_graph", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail when something is out of date")
    check = parser.parse_args(arguments).check
    try:
        wanted = outputs(root)
    except CourseProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if check:
            name = path.relative_to(root)
            print(f"{name} is out of date; run python -m tools.course_graph", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
