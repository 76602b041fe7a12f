"""Chromium for the tests: start it, watch what a page does, move what can be moved, and look with axe-core."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
EXECUTABLE = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
REQUIRED = os.environ.get("HELPERS_REQUIRE_BROWSER") == "1"
# What an explorer shows, without its controls: shapes of the plots, pixels of the canvases, words.
DRAWING = """el => [...el.querySelectorAll("svg")].map(s => s.innerHTML).join() +
  [...el.querySelectorAll("canvas")].map(c => c.toDataURL()).join() + el.querySelector("[role=status]")?.textContent"""
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def missing(what: str) -> NoReturn:
    """Skip with a reason, or fail where the browser tests are required."""
    if REQUIRED:
        pytest.fail(f"{what} (HELPERS_REQUIRE_BROWSER=1)")
    pytest.skip(what)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    if EXECUTABLE is None:
        missing("Chromium is not installed (Debian and Ubuntu: apt-get install chromium); CHROMIUM names another one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        yield running
        running.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a free port of this machine; gives the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def watch(page: Any) -> dict[str, list[str]]:
    """Collect console errors (a request that fails is one), exceptions, and requests to other hosts."""
    seen: dict[str, list[str]] = {"console": [], "foreign": []}
    local = ("http://127.0.0.1", "http://localhost", "ws://127.0.0.1", "ws://localhost", "file:", "data:", "blob:")

    def console(message: Any) -> None:
        if message.type == "error":
            seen["console"].append(f"{message.text} ({message.location.get('url', '')})")

    page.on("console", console)
    page.on("pageerror", lambda error: seen["console"].append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(local) else seen["foreign"].append(r.url))
    return seen


@lru_cache
def axe_source() -> str:
    """The text of axe-core."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None and spec.submodule_search_locations, "the extra [test] brings axe-core"
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text("utf8")


def serious(page: Any, within: str = "document") -> list[str]:
    """Serious and critical findings of axe-core, one line each."""
    page.evaluate(axe_source())
    found = page.evaluate(f"() => axe.run({within}, {{ resultTypes: ['violations'], preload: false }})")["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: " + "; ".join(str(n["target"]) for n in one["nodes"][:4])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def wait_ready(page: Any) -> list[Any]:
    """The explorers of a page, all mounted."""
    explorers = page.query_selector_all(".course-explorer")
    if explorers:
        page.wait_for_function(
            "() => [...document.querySelectorAll('.course-explorer')].every(e => e.dataset.state)", timeout=15_000
        )
    return explorers


def drawing(page: Any, explorer: Any) -> str:
    """What the explorer shows once it has been drawn."""
    page.evaluate(FRAMES)
    return explorer.evaluate(DRAWING)


def move_sliders(page: Any, explorer: Any, num_moved: int | None = None) -> list[str]:
    """Move each slider, or the first few, by keyboard and by mouse; name those that do not change the drawing."""
    stuck = []
    for slider in explorer.query_selector_all("input[type=range]")[:num_moved]:
        name = slider.get_attribute("name")
        slider.scroll_into_view_if_needed()
        before = slider.input_value()
        seen = []
        slider.focus()
        for key in ("Home", "PageUp", "ArrowRight", "End"):
            page.keyboard.press(key)
            seen.append((slider.input_value(), drawing(page, explorer)))
        if len({value for value, _ in seen}) < 3 or len({shown for _, shown in seen}) < 2:
            stuck.append(f"{name}: keyboard {[value for value, _ in seen]}")
        seen = []
        for share in (0.25, 0.75):
            box = slider.bounding_box()  # again each time: a sentence above it may have taken another line
            page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
            seen.append((slider.input_value(), drawing(page, explorer)))
        if len(set(seen)) < 2 or seen[0][0] == seen[1][0] or seen[0][1] == seen[1][1]:
            stuck.append(f"{name}: mouse {[value for value, _ in seen]}")
        slider.evaluate("(el, value) => { el.value = value; el.dispatchEvent(new Event('input')); }", before)
    for handle in explorer.query_selector_all("[role=slider]")[:num_moved]:
        before = drawing(page, explorer)
        handle.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        if drawing(page, explorer) == before:
            stuck.append(f"{handle.get_attribute('aria-label')}: arrow keys")
    return stuck
