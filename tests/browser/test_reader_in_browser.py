"""The drawing area: digits drawn with the mouse are read, keys move and erase."""

import json

import chromium
import fixtures
import pytest
import torch
from torch import nn

from helpers import models, records
from helpers.data import strokes
from helpers.explorers import source
from helpers.explorers.reader import GlyphReader, recorded_weights


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    reader = GlyphReader.from_record(records.load("glyph-reader"), id="reader")
    return fixtures.page([reader], tmp_path_factory.mktemp("reader") / "page.html").as_uri()


def test_the_page_reads_as_torch_reads_with_the_recorded_weights(open_page, address):
    record = records.load("glyph-reader")
    weights, channels = recorded_weights(record), record["configuration"]["network"]["channels"]
    reader = models.CNN(1, channels, 10, image_size=28, hidden=None)
    nn.utils.vector_to_parameters(torch.tensor(weights).float(), reader.parameters())
    cases = [{"weights": weights.tolist(), "channels": channels, "strokes": lines}
             for _, lines in strokes.sketches()]
    page, _ = open_page(address)
    run = """async ([source, cases]) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const { compute } = await import(url);
      return JSON.stringify(cases.map(one => compute(one)));
    }"""
    found = json.loads(page.evaluate(run, [source("reader"), cases]))
    images, logits = (torch.tensor([one[key] for one in found]) for key in ("image", "logits"))
    with torch.no_grad():
        wanted = reader(images.reshape(-1, 1, 28, 28))
    assert len(found) == 30 and (wanted - logits).abs().max() < 1e-4


def status(page):
    page.evaluate(chromium.FRAMES)
    return page.inner_text("#reader [role=status]")


def draw(page, lines):
    """Move the mouse along the strokes, inside the drawing area."""
    area = page.query_selector("[data-area=draw]")
    page.click("#reader button:text-is('Clear')")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    for line in lines:
        points = [(box["x"] + box["width"] * (0.12 + 0.7 * x), box["y"] + box["height"] * (0.12 + 0.7 * y))
                  for x, y in line]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=3)
        page.mouse.up()


@pytest.mark.parametrize("width", [1300, 380])
def test_digits_drawn_with_the_mouse_are_read(open_page, address, width):
    page, seen = open_page(address, width=width)
    chromium.wait_ready(page)
    wrong = []
    for digit, lines in strokes.sketches():
        draw(page, lines)
        if f"Read as {digit} " not in status(page):
            wrong.append((digit, status(page)))
    assert len(wrong) <= 3, wrong
    assert seen["console"] == []


def test_keys_move_and_erase(open_page, address):
    page, _ = open_page(address)
    chromium.wait_ready(page)
    assert "Read as 3" in status(page)
    page.focus("[data-area=draw]")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    status(page)
    assert page.get_attribute("#reader input[name=right]", "aria-valuetext") == "2 px"
    assert page.get_attribute("#reader input[name=down]", "aria-valuetext") == "−1 px"
    page.keyboard.press("Backspace")
    status(page)
    page.keyboard.press("Backspace")
    assert "Nothing is drawn" in status(page)
    page.select_option("#reader select", "7")
    assert "Read as 7" in status(page)
    page.focus("[data-area=draw]")
    page.keyboard.press("Delete")
    assert "Nothing is drawn" in status(page)


def test_the_attack_says_what_was_read_before(open_page, address):
    page, _ = open_page(address + "#reader:shown=1,attack=0.2")
    chromium.wait_ready(page)
    assert "Before the attack it read 1" in status(page) and "Read as 1 " not in status(page)
