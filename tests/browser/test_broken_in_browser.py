"""The gallery of broken runs, played by keyboard alone: a diagnosis, its answer, and only then the cure."""

import chromium
import fixtures
import pytest

from helpers import records
from helpers.explorers.broken import FAULTS, ORDER, BrokenRuns

FOCUSED = "document.activeElement.name || document.activeElement.textContent"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    gallery = BrokenRuns(records.load("broken-runs"), id="broken")
    return fixtures.page([gallery], tmp_path_factory.mktemp("broken") / "page.html").as_uri()


def reach(page, name):
    """Press Tab until the control has the focus."""
    for _ in range(20):
        if page.evaluate(FOCUSED) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard")


def diagnose(page, key):
    """Choose a diagnosis with the arrow keys, press the button; what the gallery answers."""
    place = sorted(FAULTS, key=lambda one: FAULTS[one].name).index(key) + 1
    reach(page, "diagnosis")
    page.keyboard.press("Home")
    for _ in range(place):
        page.keyboard.press("ArrowDown")
    reach(page, "Check my diagnosis")
    page.keyboard.press("Enter")
    return status(page)


def status(page):
    page.evaluate(chromium.FRAMES)
    return page.inner_text("#broken [role=status]")


@pytest.mark.parametrize(("width", "theme"), [(1300, "light"), (380, "dark")])
def test_a_student_plays_by_keyboard(open_page, address, width, theme):
    page, seen = open_page(address, width=width, theme=theme)
    chromium.wait_ready(page)
    reveal = page.locator("#broken input[name=reveal]")
    for number, key in enumerate(ORDER[:3], 1):
        assert f"Named so far: {number - 1} of 14" in status(page) and reveal.is_disabled()
        assert page.locator("#broken code").count() == 0 or not page.locator("#broken code").first.is_visible()
        assert diagnose(page, ORDER[number]).startswith(f"Not here. With “{FAULTS[ORDER[number]].name}”")
        assert diagnose(page, key).startswith(f"Yes, {FAULTS[key].name}")
        reach(page, "reveal")
        page.keyboard.press("Space")
        assert "after the cure" in status(page) and f"Named so far: {number}" not in status(page)
        assert FAULTS[key].right in page.locator("#broken code").all_inner_texts()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        reach(page, "run")
        page.keyboard.press("ArrowDown")
    assert seen["console"] == []


def test_a_run_whose_cure_was_seen_no_longer_counts(open_page, address):
    page, _ = open_page(address)
    chromium.wait_ready(page)
    diagnose(page, ORDER[1])
    reach(page, "reveal")
    page.keyboard.press("Space")
    assert "after the cure" in status(page)  # it is drawn with the next frame, and only then was it seen
    page.keyboard.press("Space")
    assert diagnose(page, ORDER[0]).endswith("Named so far: 0 of 14.")
