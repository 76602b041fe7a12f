"""Every page of the built book in Chromium: over http in light and on a phone in dark, and opened by double click."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

import chromium
import pytest

HTML = Path(os.environ.get("COURSE_HTML", Path(__file__).parents[2] / "_build" / "html"))
NOT_PAGES = ("genindex.html", "search.html", "py-modindex.html", "prf-prf.html")
PAGES = sorted(
    str(path.relative_to(HTML))
    for path in HTML.rglob("*.html")
    if path.name not in NOT_PAGES
    and not path.relative_to(HTML).parts[0].startswith("_")
    and 'http-equiv="refresh"' not in path.read_text("utf8")[:2000].lower()  # index.html only leads to the first page
)
MAX_OWN_BYTES = 1_500_000
WAYS = {
    "http-light-1300": ("http", "light", 1300),
    "http-dark-380": ("http", "dark", 380),
    "file-dark-1300": ("file", "dark", 1300),
}
# What is wider than the page and cannot be scrolled by itself.
WIDE = """() => [...document.querySelectorAll("main *")].filter(e => {
  const box = e.getBoundingClientRect();
  if (box.width === 0 || box.right <= innerWidth + 1 || e.closest("svg, mjx-container")) return false;
  for (let p = e.parentElement; p; p = p.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)
        && p.getBoundingClientRect().right <= innerWidth + 1) return false;
  return true; }).slice(0, 4).map(e => e.tagName + "." + e.className)"""

# Code and formulas have the same colours on every page, and most of a page's elements: they are looked at on one.
WHOLE = "book/algorithms/linear_regression.html"
BUT_CODE_AND_FORMULAS = "{ exclude: [['.highlight'], ['mjx-container']] }"

STATE = re.compile(r'class="course-explorer".*?<script type="application/json">(.*?)</script>', re.DOTALL)

pytestmark = pytest.mark.built


@pytest.fixture(scope="module")
def address():
    with chromium.served(HTML) as found:
        yield found


def test_the_book_is_built():
    if not PAGES:
        chromium.missing(f"no pages in {HTML}: build the book first with make book")
    assert (HTML / "index.html").is_file() and WHOLE in PAGES


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PAGES)
def test_page(open_page, address, name, way):
    how, theme, width = WAYS[way]
    url = f"{address}/{name}" if how == "http" else (HTML / name).as_uri()
    page, seen = open_page(url, width=width, theme=theme)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    explorers = chromium.wait_ready(page)
    problems = []
    for explorer in explorers:
        state = explorer.get_attribute("data-state")
        if state != "ready":
            problems.append(f"{explorer.get_attribute('id')}: {state}")
        else:
            stuck = chromium.move_sliders(page, explorer, None if width == 380 else 1)
            problems += [f"{explorer.get_attribute('id')}: {one}" for one in stuck]
    page.evaluate("() => window.MathJax?.startup?.promise")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        problems.append(f"the page is {wide} px wide in a window of {width} px: {page.evaluate(WIDE)}")
    if width == 380:
        problems += chromium.serious(page, "document" if name == WHOLE else BUT_CODE_AND_FORMULAS)
    assert problems == []
    assert seen == {"console": [], "foreign": []}


@pytest.mark.parametrize("name", PAGES)
def test_own_bytes(name):
    """HTML, pictures and explorers of one page; the theme and MathJax are shared."""
    page = HTML / name
    text = page.read_text("utf8")
    linked = set(re.findall(r'(?:src|data)="([^"#?:]+)[^":]*"', text))
    own = {page} | {
        (page.parent / unquote(link)).resolve() for link in linked if "_images/" in link or "explorers/" in link
    }
    size = {path.name: path.stat().st_size for path in own if path.is_file()}
    assert sum(size.values()) <= MAX_OWN_BYTES, size


def test_state_of_the_explorers_of_a_page():
    shown = 0
    for name in PAGES:
        text = (HTML / name).read_text("utf8")
        states = STATE.findall(text)
        assert len(states) == text.count('class="course-explorer"'), name
        shown += len(states)
        sizes = [len(state.encode()) for state in states]
        assert all(size <= 300_200 for size in sizes) and sum(sizes) <= 600_400, (name, sizes)
    assert shown >= 7
