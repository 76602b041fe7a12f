"""What every test shares: one thread, CPU, float32, one browser a worker; tests of the built pages are marked."""

import os
from pathlib import Path

os.environ.update({"HELPERS_DEVICE": "cpu", "HELPERS_PRECISION": "float32"})
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import chromium  # noqa: E402
import pytest  # noqa: E402

BROWSER = Path(__file__).parent / "browser"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker(pytest.mark.built)


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
