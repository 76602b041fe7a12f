"""What every chapter must have; each check returns what is wrong, in words."""

import ast
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property

import nbformat

from tools import execution
from tools.execution import REPOSITORY, Book
from tools.solutions import blocks

BOOK = Book(REPOSITORY)
CLASSES = (5, 15, 30, 60)
DIRECTIVES = {"note", "tip", "warning", "important", "admonition", "dropdown", "exercise", "solution", "math", "figure"}
FIRST_SCREEN = 5  # cells
TRAINING = re.compile(r"\btraining\.(fit|steps|sweep)\(")
NO_FIGURES = {"style", "palette", "diverging", "sequential"}


@dataclass
class Chapter:
    """A notebook of the book, with the views that the checks need."""

    name: str  # path from the repository's root
    notebook: nbformat.NotebookNode
    pages: set[str]
    keys: set[str]

    @cached_property
    def course(self):
        return self.notebook.metadata.get("course", {})

    @cached_property
    def code(self):
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @cached_property
    def text(self):
        return "\n\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")

    @cached_property
    def box(self):
        found = re.search(r"^:::\{admonition\} In this chapter\n:class: course-box\n(.*?)^:::", self.text, re.M | re.S)
        return found.group(1) if found else ""

    @cached_property
    def trains(self):
        return self.course.get("trains", any(TRAINING.search(cell.source) for cell in self.code))

    def section(self, title):
        """The text below a heading of the second level."""
        found = re.search(rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", outside_code(self.text), re.M | re.S)
        return found.group(1) if found else None

    def resolve(self, target):
        """A relative link as a path from the root, without its anchor."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.name), target.split("#")[0]))


def outside_code(text):
    """The text without fenced code, whose lines may look like headings; what stands in a directive stays."""
    kept, fence = [], None
    for line in text.splitlines():
        mark = re.match(r"(`{3,})(.*)", line)
        if mark and fence is None:
            fence = (mark[1], mark[2].startswith("{"))
        elif mark and mark[1] == fence[0] and not mark[2]:
            fence = None
        elif fence is None or fence[1]:
            kept.append(line)
    return "\n".join(kept)


def links(text):
    """Targets of the local links and pictures of a Markdown text."""
    targets = re.findall(r"\]\(([^()\s]+(?:\([^()\s]*\))?[^()\s]*)\)", outside_code(text))
    return [target for target in targets if not re.match(r"[a-z]+:|#", target)]


def opening(chapter):
    first = chapter.notebook.cells[0]
    if first.cell_type != "markdown" or not re.match(r"# \S", first.source):
        return ["the first cell does not start with a title"]
    found = []
    before_box = first.source.split(":::")[0]
    if "?" not in before_box:
        found.append("no question below the title")
    if len(re.findall(r"^# ", outside_code(chapter.text), re.M)) != 1:
        found.append("more than one title")
    if not chapter.box:
        return [*found, "no box 'In this chapter'"]
    for word in ("**You will be able to**", "**Time**", "**Requires**"):
        if word not in chapter.box:
            found.append(f"the box lacks {word}")
    start = chapter.notebook.cells[:FIRST_SCREEN]
    if not any("In this chapter" in cell.source for cell in start[:2]):
        found.append("the box is not in the first two cells")
    drawn = [cell for cell in start if "{figure}" in cell.source or "![" in cell.source]
    if not drawn and not any(is_figure(cell) or is_explorer(cell) for cell in start):
        found.append(f"no figure and no explorer in the first {FIRST_SCREEN} cells")
    return found


def last_value(cell):
    """The expression that a code cell shows, as syntax tree; None where there is none."""
    if cell.cell_type != "code":
        return None
    try:
        last = ast.parse(cell.source).body[-1]
    except (SyntaxError, IndexError):
        return None
    return last.value if isinstance(last, ast.Expr) else None


def is_figure(cell):
    """Whether a code cell ends by showing a figure, as far as its code tells."""
    if cell.cell_type == "code" and "figure" in cell.metadata.get("mystnb", {}):
        return True
    value = last_value(cell)
    shown = "" if value is None else ast.unparse(value)
    call = re.match(r"plots\.(\w+)\(", shown)
    return bool(call and call.group(1) not in NO_FIGURES) or shown in ("fig", "figure") or "plt.show" in shown


def is_explorer(cell):
    """Whether a code cell ends with an object of a class, as explorers are."""
    value = last_value(cell)
    if value is None:
        return False
    shown = ast.unparse(value.func if isinstance(value, ast.Call) else value).split(".")[-1]
    return shown[:1].isupper() or shown in ("explorer", "live")


def metadata(chapter):
    course, found = chapter.course, []
    if not isinstance(course.get("minutes"), int) or not 5 <= course["minutes"] <= 180:
        found.append(f"course.minutes should be a number from 5 to 180, found {course.get('minutes')!r}")
    if course.get("seconds") not in CLASSES:
        found.append(f"course.seconds should be one of {CLASSES}, found {course.get('seconds')!r}")
    if not isinstance(course.get("core"), bool):
        found.append("course.core should be true or false")
    if not isinstance(course.get("requires"), list):
        return [*found, "course.requires should be a list"]
    for required in course["requires"]:
        if f"book/{required}.ipynb" not in chapter.pages:
            found.append(f"course.requires names {required!r}, which is no chapter")
    if extra := set(course) - {"minutes", "seconds", "core", "requires", "trains"}:
        found.append(f"course holds unknown keys: {', '.join(sorted(extra))}")
    if not chapter.box or found:
        return found
    time = re.search(r"\*\*Time\*\* (\d+) minutes to read · runs in ≤ (\d+) s on 2 CPU cores", chapter.box)
    if not time or (int(time[1]), int(time[2])) != (course["minutes"], course["seconds"]):
        wanted = f"{course['minutes']} minutes to read · runs in ≤ {course['seconds']} s on 2 CPU cores"
        found.append(f"the box should say '{wanted}'")
    requires = chapter.box.split("**Requires**")[-1]
    linked = {chapter.resolve(target) for target in links(requires) if target.split("#")[0].endswith(".ipynb")}
    wanted = {f"book/{required}.ipynb" for required in course["requires"]}
    if linked != wanted:
        found.append(f"the box links {sorted(linked)} under Requires, course.requires names {sorted(wanted)}")
    return found


def figures(chapter):
    found, names = [], []
    for cell in chapter.code:
        if not is_figure(cell):
            continue
        mystnb = cell.metadata.get("mystnb", {})
        figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt", "")
        start = cell.source.splitlines()[-1][:60]
        if len(figure.get("caption", "")) < 20:
            found.append(f"a figure without a caption: {start}")
        if not figure.get("name", "").startswith("fig-"):
            found.append(f"a figure whose name does not start with fig-: {start}")
        if len(alt) < 20 or re.search(r"\.(png|svg|jpe?g)\b|/", alt):
            found.append(f"a figure whose alternative text is missing, short or a path: {start}")
        names.append(figure.get("name"))
    for alt in re.findall(r"!\[([^\]]*)\]\(", outside_code(chapter.text)):
        if len(alt) < 10:
            found.append(f"a picture without alternative text: {alt!r}")
    for body in re.findall(r"\{figure\}[^\n]*\n(.*?)^(?:```|:::)", chapter.text, re.M | re.S):
        if not re.search(r"^:alt: \S.{10,}", body, re.M):
            found.append("a {figure} without :alt:")
    if len(names) != len(set(names)):
        found.append("two figures with one name")
    return found


def sections(chapter):
    wanted = ["Check yourself", "Exercises", "Summary", "Further reading"]
    if chapter.trains:
        wanted = ["When it fails", "The bill", *wanted]
    found = [f"no section '## {title}'" for title in wanted if chapter.section(title) is None]
    headings = [h for h in re.findall(r"^## ([^\n]+)", outside_code(chapter.text), re.M) if h in wanted]
    if not found and headings[-4:] != wanted[-4:]:
        found.append(f"the last sections should be {', '.join(wanted[-4:])}")
    return found


def questions(chapter):
    section = chapter.section("Check yourself") or ""
    found, parts = [], re.split(r"^\*\*(\d)\.\*\*", section, flags=re.M)
    if parts[1::2] != ["1", "2", "3"]:
        found.append(f"Check yourself should hold the questions **1.** to **3.**, found {parts[1::2]}")
    for number, part in zip(parts[1::2], parts[2::2], strict=True):
        if (count := part.count("{dropdown}")) < 2:
            found.append(f"question {number} has {count} answers; each answer is a dropdown, and there are at least 2")
    return found


def exercises(chapter):
    section = re.search(r"^## Exercises\n(.*?)(?=^## Summary|\Z)", chapter.text, re.M | re.S)
    if not section:
        return []
    found = []
    titles = re.findall(r"\{exercise\} (★+)(?!★)[^\n]*\n:label: (\S+)", section[1])
    solutions = re.findall(r"\{solution\} (\S+)\n:class: dropdown", section[1])
    if [stars for stars, _ in titles] != ["★", "★★", "★★★"]:
        found.append(f"exercises should be graded ★, ★★, ★★★, found {[stars for stars, _ in titles]}")
    if solutions != [label for _, label in titles]:
        found.append(f"each exercise is followed by its solution in a dropdown; found {solutions}")
    for label, lines in blocks(section[1]):
        fences = [line.strip().lstrip("`") for line in lines if line.startswith("```")][::2]  # those that open
        if any(fence not in ("python", "text") and not fence.startswith("{") for fence in fences):
            found.append(f"code in the solution {label} is fenced as ```python, which is run, or as ```text")
    return found


def labels(chapter):
    prefixes = {"exercise": "ex-", "math": "eq-"}
    found = []
    for directive, label in re.findall(r"\{(exercise|math)\}[^\n]*\n:label: (\S+)", chapter.text):
        if not label.startswith(prefixes[directive]):
            found.append(f"the label {label} should start with {prefixes[directive]}")
    used = re.findall(r"^(?:```|:{3,})\{([\w-]+)\}", chapter.text, re.M)
    if strange := sorted(set(used) - DIRECTIVES):
        found.append(f"directives that do not render in JupyterLab: {', '.join(strange)}")
    if roles := sorted(set(re.findall(r"\{(cite\w*|glue\w*|numref|doc|ref)[:\w]*\}`", chapter.text))):
        found.append(f"roles that do not render in JupyterLab: {', '.join(roles)}")
    if re.search(r"^\$\$.*\$\$ *\(", chapter.text, re.M):
        found.append("a formula with its label on the same line")
    return found


def reading(chapter):
    section = chapter.section("Further reading")
    if section is None:
        return []
    found = []
    if not re.search(r"references\.md#", section):
        found.append("Further reading names no reference")
    if not re.search(r"^(\*\*)?Next:?(\*\*)?:? \[", section, re.M):
        found.append("Further reading should end with a link to the next chapter")
    return found


def targets(chapter):
    found = []
    for target in links(chapter.text):
        path = chapter.resolve(target)
        if path == "book/references.md":
            key = target.partition("#")[2]
            if key and key not in chapter.keys:
                found.append(f"no reference {key!r}")
        elif path.endswith((".ipynb", ".md")) and path not in chapter.pages:
            found.append(f"a link to {path}, which is not in the table of contents")
        elif not path.endswith((".ipynb", ".md")) and not (REPOSITORY / path).exists():
            found.append(f"a link to {path}, which does not exist")
    return found


def cells(chapter):
    found = []
    for cell in chapter.code:
        if (length := len(cell.source.splitlines())) > 25:
            found.append(f"a code cell of {length} lines, at most 25 fit: {cell.source.splitlines()[0][:60]}")
        if wide := [line for line in cell.source.splitlines() if len(line) > 88]:
            found.append(f"a code line of {len(wide[0])} characters, at most 88 fit: {wide[0].strip()[:60]}")
    if not any(execution.is_claim(cell) for cell in chapter.code):
        found.append("no claim")
    return found


CHECKS = (opening, metadata, figures, sections, questions, exercises, labels, reading, targets, cells)


def problems(chapter):
    """Everything that is wrong with a chapter."""
    return [f"{check.__name__}: {problem}" for check in CHECKS for problem in check(chapter)]


def reference_keys():
    return set(re.findall(r"^@\w+\{([^,\s]+),", (REPOSITORY / "book/references.bib").read_text("utf8"), re.M))


def chapter_of(path):
    pages = {BOOK.name(page) for page in BOOK.pages()}
    return Chapter(BOOK.name(path), nbformat.read(path, 4), pages, reference_keys())
