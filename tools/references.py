"""Write book/references.md: one entry for every work that the book or its tables of figures cite.

python -m tools.references           write the page
python -m tools.references --check   fail when the page is out of date or a key is unknown
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path

from pybtex.database import BibliographyData, Entry, Person, parse_file
from pybtex.richtext import Text

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"references\.md#([\w-]+)")
SKIPPED = {"assignments", "_build", ".ipynb_checkpoints", "recorded", "mine", "assets"}
ADDRESS = re.compile(r"(?<![\w.])(?:[a-z0-9-]+\.)+[a-z]{2,6}/[\w./~\\-]*\w")
KEY_COLUMNS = ("source", "reference_key")
INTRODUCTION = """# References

Every work that a chapter or one of the book's tables of figures cites. The page is generated from `book/references.bib`
by `python -m tools.references`; add a work there, cite it by its key, and run the command. A note such as "quoted on"
means that we saw the figure only where it was quoted.
"""


class ReferenceProblem(Exception):
    """Something in the bibliography or in a citation that its author has to mend."""


def used_keys(root: Path = ROOT) -> dict[str, list[str]]:
    """Cited keys and the files that cite them: links in book/ and the source columns of the tables in helpers/."""
    found: dict[str, list[str]] = {}
    pages = [page for kind in ("md", "ipynb") for page in sorted((root / "book").rglob(f"*.{kind}"))]
    for page in pages:
        if SKIPPED.isdisjoint(page.relative_to(root / "book").parts) and page.name != "references.md":
            for key in LINK.findall(_text(page)):
                found.setdefault(key, []).append(str(page.relative_to(root)))
    for table in sorted((root / "helpers").rglob("*.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                for column in KEY_COLUMNS:
                    for key in re.findall(r"[\w-]+", row.get(column) or ""):
                        found.setdefault(key, []).append(str(table.relative_to(root)))
    return {key: sorted(set(files)) for key, files in found.items()}


def _text(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


def render(bibliography: BibliographyData, keys: dict[str, list[str]], name: str = "book/references.bib") -> str:
    """The page as Markdown, sorted by key. Raises: ReferenceProblem naming each unknown key and its file."""
    known = {key.lower(): key for key in bibliography.entries}
    unknown = [
        f"{files[0]} cites {key}, which {name} does not have" for key, files in sorted(keys.items()) if key not in known
    ]
    if unknown:
        raise ReferenceProblem("; ".join(unknown) + "; add the entry or mend the key")
    lines = [INTRODUCTION]
    initial = ""
    for key in sorted(keys):
        if key[0] != initial:
            initial = key[0]
            lines.append(f"## {initial.upper()}\n")
        lines.append(f"### {key}\n\n{citation(bibliography.entries[known[key]])}\n")
    return "\n".join(lines)


def citation(entry: Entry) -> str:
    """One line: authors (year). *Title*. Venue. Note. Link."""
    authors = _people(entry.persons.get("author", []))
    title = f"*{_plain(entry, 'title').rstrip('.')}*"
    year = _plain(entry, "year")
    lead = f"{authors} ({year}). {title}" if authors else f"{title} ({year})"
    link = _link(entry)
    parts = [lead, _venue(entry), _note(entry), link]
    return " ".join(part if part is link or part.endswith(".") else f"{part}." for part in parts if part)


def _plain(entry: Entry, field: str) -> str:
    value = entry.fields.get(field, "")
    maths = []  # keep $…$ from the LaTeX decoder

    def put_away(match: re.Match[str]) -> str:
        maths.append(match.group(0))
        return f"MATHS{len(maths) - 1}MATHS"

    value = re.sub(r"(?<!\\)\$.+?(?<!\\)\$", put_away, value).replace(r"\$", "DOLLARSIGN")
    text = str(Text.from_latex(value)).replace("DOLLARSIGN", r"\$").replace("_", r"\_").replace("*", r"\*")
    return re.sub(r"MATHS(\d+)MATHS", lambda match: maths[int(match.group(1))], text)


def _people(people: list[Person]) -> str:
    names = []
    for person in people:
        last = " ".join(str(part) for part in person.rich_prelast_names + person.rich_last_names)
        if last == "others":
            names.append("others")
            continue
        given = [str(part) for part in person.rich_first_names + person.rich_middle_names]
        initials = ["-".join(f"{half[0]}." for half in name.split("-") if half) for name in given]
        lineage = [str(part) for part in person.rich_lineage_names]
        names.append(" ".join([*initials, last, *lineage]))
    if names[-1:] == ["others"]:
        return ", ".join(names[:-1]) + " et al."
    if len(names) > 6:
        return ", ".join(names[:4]) + " et al."
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _venue(entry: Entry) -> str:
    if _arxiv(entry) and entry.fields.get("journal", "").startswith("arXiv:"):
        return "Preprint"
    venue = next(
        (_plain(entry, field) for field in ("journal", "booktitle", "institution") if field in entry.fields), ""
    )
    parts = [part for part in (venue, _plain(entry, "series")) if part]
    volume, number = _plain(entry, "volume"), _plain(entry, "number")
    if volume or number:
        parts.append(volume + (f"({number})" if number else ""))
    if "pages" in entry.fields:
        parts.append(_plain(entry, "pages"))
    parts += [_plain(entry, "publisher"), ADDRESS.sub(_linked, _plain(entry, "howpublished"))]
    parts = [part for part in parts if part]
    return ", ".join(parts)


def _note(entry: Entry) -> str:
    note = re.sub(r"^arXiv:[\w./-]+(,\s*)?", "", _plain(entry, "note"))
    return note[:1].upper() + note[1:]


def _arxiv(entry: Entry) -> str | None:
    found = re.search(
        r"arXiv:([\w./-]+?\d)(?![\w./-]*\d)", " ".join(entry.fields.get(f, "") for f in ("journal", "note"))
    )
    return found.group(1) if found else None


def _link(entry: Entry) -> str:
    if "doi" in entry.fields:
        return f"[doi:{entry.fields['doi']}](https://doi.org/{entry.fields['doi']})"
    if identifier := _arxiv(entry):
        return f"[arXiv:{identifier}](https://arxiv.org/abs/{identifier})"
    return ""


def _linked(address: re.Match[str]) -> str:
    text = address.group(0)
    return f"[{text}](https://{text.replace(chr(92), '')})"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check the page; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m tools.references", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is out of date")
    check = parser.parse_args(arguments).check
    page = root / "book" / "references.md"
    try:
        text = render(parse_file(str(root / "book" / "references.bib")), used_keys(root))
    except ReferenceProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    if page.exists() and page.read_text(encoding="utf-8") == text:
        return 0
    if check:
        print("book/references.md is out of date; run python -m tools.references", file=sys.stderr)
        return 1
    page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
