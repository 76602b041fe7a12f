"""One browser a worker."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import chromium  # noqa: E402


@pytest.fixture(scope="session")
def browser():
    with chromium.browser() as running:
        yield running


@pytest.fixture
def open_page(browser):
    """open_page(url, width=, theme=) → page and what it did; closed after the test."""
    contexts = []

    def opened(url, *, width=1300, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        context.add_init_script(
            f"try {{ for (const k of ['mode', 'theme']) localStorage.setItem(k, '{theme}') }} catch {{}}"
        )
        page = context.new_page()
        seen = chromium.watch(page)
        page.goto(url, wait_until="load")
        return page, seen

    yield opened
    for context in contexts:
        context.close()
