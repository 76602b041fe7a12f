"""JupyterLab itself in Chromium: boxes and closed solutions, all cells run, sliders move, live training stops."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import chromium
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import lab as quiet

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "book" / "algorithms" / "linear_regression.ipynb"
TOKEN = "course-tests"
TEXT = """# Live

:::{admonition} In this chapter
:class: tip
A box with words.
:::

:::{exercise}
:label: ex-live-one
How far?
:::

:::{solution} ex-live-one
:class: dropdown
This far, and the answer is hidden.
:::
"""
CODE = """from helpers import data, models, training
from helpers.explorers import Live, SweepReplay

line = data.load("line", seed=0)
make = lambda: models.Linear(1, seed=0)
sweep = training.sweep(make, line, lrs=[0.001, 0.003, 0.01, 0.05], epochs=6, optimiser="sgd", keep_parameters=True)
SweepReplay(sweep, view="line", dataset=line, id="live-line",
            live=Live(make, line, lr=0.003, lrs=(1e-4, 0.1), epochs=150, max_epochs=100000, batch_size=10))"""


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A server on a free port with a notebook of our own and a copy of a chapter; gives (address, folder)."""
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(
        cells=[new_markdown_cell(TEXT), new_code_cell(CODE), new_code_cell("print(6 * 7)")], metadata=kernel
    )
    nbformat.write(notebook, folder / "live.ipynb")
    (folder / "algorithms").mkdir()
    shutil.copy(CHAPTER, folder / "algorithms")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "settings"
    command = quiet.command(
        "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}", f"--LabApp.user_settings_dir={settings}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
    )  # fmt: skip
    environment = os.environ | {"HELPERS_BOOK": str(ROOT), "HELPERS_DEVICE": "cpu", "PYTHONPATH": str(ROOT)}
    log = (folder / "log.txt").open("w")
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=2).read()
            break
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(20)
    log.close()


def open_notebook(open_page, address, path):
    page, seen = open_page(f"{address}/lab/tree/{path}?token={TOKEN}&reset", width=1300)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    return page, seen


def run_all(page):
    """Run every cell and wait until the kernel is idle and no cell shows a star."""
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000, state="attached")
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    page.wait_for_timeout(500)
    page.wait_for_function(
        """() => { const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")];
        const counts = prompts.map(e => e.textContent);
        return counts.length && counts.every(t => /\\[\\d+\\]/.test(t)); }""",
        timeout=150_000,
    )


def errors(page):
    return [
        one.inner_text()[-600:] for one in page.query_selector_all("[data-mime-type='application/vnd.jupyter.error']")
    ]


def test_live_training_runs_and_stops(open_page, lab):
    page, seen = open_notebook(open_page, lab, "live.ipynb")
    page.wait_for_selector(".jp-MarkdownCell aside, .jp-MarkdownCell .myst-admonition", timeout=30_000)
    solution = page.query_selector(".jp-MarkdownCell details")
    assert solution and not solution.evaluate("e => e.open"), "the solution must be closed"
    run_all(page)
    assert errors(page) == []
    drawing = page.wait_for_selector(".jp-OutputArea .ce", timeout=60_000)
    drawing.scroll_into_view_if_needed()
    assert page.query_selector(".jp-OutputArea .course-explorer") is None, (
        "JupyterLab shows the widget, not the page's div"
    )

    slider = drawing.query_selector("input[name=lr]")
    before, shown = slider.input_value(), chromium.drawing(page, drawing)
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "1" != before
    assert chromium.drawing(page, drawing) != shown

    page.click(".jp-OutputArea button:has-text('Run')")
    page.wait_for_function(
        "() => document.querySelector('.ce [role=status]').textContent.includes('150 epochs')", timeout=60_000
    )
    trained = chromium.drawing(page, drawing)
    assert "training loss" in drawing.query_selector("[role=status]").inner_text()

    readout = page.query_selector_all(".jp-OutputArea .widget-readout")[1]
    readout.dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type("90000")
    page.keyboard.press("Enter")
    page.click(".jp-OutputArea button:has-text('Run')")
    page.wait_for_selector(".jp-OutputArea button:has-text('Stop'):not([disabled])", timeout=20_000)
    page.wait_for_timeout(800)
    page.click(".jp-CodeCell:last-of-type .jp-InputArea-editor >> nth=-1")
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(2500)
    assert page.query_selector_all(".jp-OutputArea-output pre")[-1].inner_text().strip() == "42"
    page.click(".jp-OutputArea button:has-text('Stop')")
    page.wait_for_function(
        "() => document.querySelector('.ce [role=status]').textContent.includes('stopped after')", timeout=20_000
    )
    assert chromium.drawing(page, drawing) != trained
    assert seen["foreign"] == []


def test_a_chapter_runs_whole(open_page, lab):
    page, seen = open_notebook(open_page, lab, f"algorithms/{CHAPTER.name}")
    run_all(page)
    assert errors(page) == []
    page.wait_for_selector(
        ".jp-MarkdownCell aside, .jp-MarkdownCell .myst-admonition", state="attached", timeout=30_000
    )
    for details in page.query_selector_all(".jp-MarkdownCell details"):
        assert not details.evaluate("e => e.open")
    explorer = page.wait_for_selector(".jp-OutputArea .ce", state="attached", timeout=30_000)
    explorer.scroll_into_view_if_needed()
    before = chromium.drawing(page, explorer)
    explorer.query_selector("input[type=range]").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert chromium.drawing(page, explorer) != before
    assert seen["foreign"] == []
