"""Sphinx extension of the course: explorers, colours, local MathJax, the status table; no page is ever stale."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

if str(Path(__file__).resolve().parents[1]) not in sys.path:  # when Jupyter Book is called by hand
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import execution  # noqa: E402

LOG = logging.getLogger(__name__)
EXPLORER = re.compile(
    r'<div class="course-explorer"[^>]*?data-module="([^"]*)"[^>]*>\s*'
    r'<script type="application/json">(.*?)</script>',
    flags=re.DOTALL,
)
MAXIMUM_STATE, MAXIMUM_STATES = 300_000, 600_000  # bytes for one explorer, for one page


def book_of(app: Sphinx) -> execution.Book:
    """The book that is being built."""
    return execution.Book(Path(app.srcdir))


# -- static files --------------------------------------------------------------------------------------------------


def explorer_sources(app: Sphinx) -> dict[str, str]:
    """Name → one ES module: every explorer of `helpers`, or the modules of the folder in `course_explorers`."""
    if app.config.course_explorers:
        folder = Path(app.srcdir) / app.config.course_explorers
        return {path.stem: path.read_text("utf8") for path in sorted(folder.glob("*.mjs"))}
    from helpers.explorers.sources import sources

    return sources()


def write_static(app: Sphinx) -> None:
    """Everything our pages load, generated into one folder beside the doctrees."""
    if app.builder.format != "html":
        return
    folder = Path(app.doctreedir).parent / "course_static"
    app.explorer_names = set()
    for name, source in explorer_sources(app).items():
        script = f"(globalThis.COURSE_EXPLORERS ??= {{}})[{json.dumps(name)}] = {json.dumps(source)};\n"
        write(folder / "explorers" / f"{name}.js", script)
        app.explorer_names.add(name)
    write(folder / "explorers" / "host.js", Path(__file__).with_name("explorer_host.js").read_text("utf8"))
    write(folder / "course-palette.css", palette_css())
    spec = find_spec("sphinx-mathjax-offline")  # the hyphens are its own
    mathjax = Path(spec.origin).parent / "static" / "mathjax" / "tex-svg-full.js"
    write(folder / "mathjax" / mathjax.name, mathjax.read_text("utf8"))
    app.config.html_static_path.append(str(folder))
    app.add_css_file("course-palette.css", priority=600)
    assets = book_of(app).root / "book" / "assets"
    if assets.is_dir():
        app.config.html_static_path.append(str(assets))
        for style in sorted(assets.glob("*.css")):
            app.add_css_file(style.name, priority=700)


def write(path: Path, text: str) -> None:
    """Write a file unless it already holds this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf8") != text:
        path.write_text(text, "utf8")


def palette_css() -> str:
    """The one palette as CSS variables (--course-blue and so on), for the light and the dark theme."""
    palette = json.loads((execution.REPOSITORY / "helpers" / "palette.json").read_text("utf8"))

    def rule(selector: str, colours: dict[str, str]) -> str:
        lines = [f"  --course-{name.replace('_', '-')}: {value};" for name, value in colours.items()]
        return "\n".join([selector + " {", *lines, "}", ""])

    return rule(":root", palette["light"]) + rule('html[data-theme="dark"]', palette["dark"])


# -- explorers -----------------------------------------------------------------------------------------------------


def explorers_in(doctree: nodes.document | None) -> list[tuple[str, str]]:
    """(module, state) of each explorer on a page, in order."""
    raws = doctree.findall(nodes.raw) if doctree is not None else []
    return [found for raw in raws if "html" in raw.get("format", "") for found in EXPLORER.findall(raw.astext())]


def add_explorers(app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Give the page the modules it shows and the host, and check the states."""
    found = explorers_in(doctree)
    if not found:
        return
    for name, state in found:
        if name not in app.explorer_names:
            LOG.warning("the page shows the explorer %r, which does not exist", name, location=pagename)
        try:
            json.loads(state, parse_constant=lambda word: 1 / 0)
        except (ValueError, ZeroDivisionError):
            LOG.warning("the state of the explorer %r is not JSON with finite numbers", name, location=pagename)
        if len(state.encode()) > MAXIMUM_STATE:
            LOG.warning("the state of the explorer %r has %d bytes, at most %d are allowed",
                        name, len(state.encode()), MAXIMUM_STATE, location=pagename)
    total = sum(len(state.encode()) for _, state in found)
    if total > MAXIMUM_STATES:
        LOG.warning("the explorers of this page have %d bytes of state, at most %d are allowed",
                    total, MAXIMUM_STATES, location=pagename)
    for name in dict.fromkeys(name for name, _ in found):
        if name in app.explorer_names:
            app.add_js_file(f"explorers/{name}.js", loading_method="defer", priority=800)
    app.add_js_file("explorers/host.js", loading_method="defer", priority=801)


# -- pages follow the cached outputs -------------------------------------------------------------------------------


def keys_of(app: Sphinx) -> dict[str, str]:
    """Page name → identity of the run it is built from."""
    book, keys = book_of(app), {}
    for notebook in book.notebooks():
        record = execution.record_of(book, notebook)
        if record is not None:
            keys[book.name(notebook).removesuffix(".ipynb")] = f"{record.hashkey} {record.created.isoformat()}"
    return keys


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Pages to read again: those with new outputs, and those that show the status."""
    now, before = keys_of(app), getattr(env, "course_keys", {})
    env.course_keys = now
    pages = [name for name in now if name in env.found_docs and now[name] != before.get(name)]
    if pages or now != before:
        pages += [name for name in getattr(env, "course_status_pages", set()) if name in env.found_docs]
    app.course_any_change = bool(pages or added or changed or removed)
    return pages


def rewrite_all(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """After any change write all pages: a link into a changed page is checked only when its own page is written."""
    return sorted(env.found_docs) if app.course_any_change else []


def size_images(app: Sphinx, doctree: nodes.document) -> None:
    """Show each figure at the size its output names: the PNG holds twice as many pixels."""
    book = book_of(app)
    notebook = book.root / f"{app.env.docname}.ipynb"
    record = execution.record_of(book, notebook) if notebook.is_file() else None
    if record is None:
        return
    widths = {}
    for cell in execution.open_cache(book).get_cache_bundle(record.pk).nb.cells:
        for output in cell.outputs:
            size = output.get("metadata", {}).get("image/png", {})
            if "width" in size:
                widths[hashlib.sha256(base64.b64decode(output.data["image/png"])).hexdigest()] = size["width"]
    for image in doctree.findall(nodes.image):
        name = Path(image["uri"]).stem
        if name in widths and "width" not in image:
            image["width"] = f"{widths[name]}px"


# -- status --------------------------------------------------------------------------------------------------------


class Status(Directive):
    """`{course-status}`: what each chapter took to run, on which machine, with which versions."""

    def run(self) -> list[nodes.Node]:
        """The table and the lines below it."""
        env = self.state.document.settings.env
        if not hasattr(env, "course_status_pages"):
            env.course_status_pages = set()
        env.course_status_pages.add(env.docname)
        book = book_of(env.app)
        rows, machines, versions, total = [], {}, {}, 0.0
        for notebook in book.notebooks():
            record = execution.record_of(book, notebook)
            if record is None:
                continue
            course = execution.nbformat.read(notebook, 4).metadata.get("course", {})
            name = book.name(notebook)
            seconds = record.data["execution_seconds"]
            total += seconds
            machines[record.data["machine"]] = None
            versions.update(record.data["versions"])
            limit = f"≤ {course['seconds']} s" if "seconds" in course else "–"
            rows.append(f"[](/{name}) | {seconds:.1f} s | {limit} | {record.created:%Y-%m-%d}")
        lines = ["| Chapter | Run time | Class | Executed |", "| :-- | --: | --: | --: |"]
        lines += [f"| {row} |" for row in rows]
        lines += ["", f"Together: {total / 60:.1f} core-minutes for {len(rows)} notebooks, one thread each."]
        lines += ["", "Machine: " + "; ".join(machines) + "."]
        lines += ["", "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."]
        self.state.nested_parse(execution_lines(lines), self.content_offset, holder := nodes.container())
        return holder.children


def execution_lines(lines: list[str]) -> Any:
    """Lines of text as docutils wants them."""
    from docutils.statemachine import StringList

    return StringList(lines, source="course-status")


def drop_widget_state(app: Sphinx, env: BuildEnvironment) -> None:
    """The state of live widgets holds every module's source; a page has no kernel to use it."""
    for page in getattr(env, "nb_metadata", {}).values():
        page.get("js_files", {}).pop("ipywidgets_state", None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_config_value("course_explorers", "", "html")
    app.add_directive("course-status", Status)
    app.connect("builder-inited", write_static)
    app.connect("env-get-outdated", outdated)
    app.connect("env-updated", drop_widget_state)
    app.connect("env-updated", rewrite_all)
    app.connect("doctree-read", size_images)
    app.connect("html-page-context", add_explorers)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
