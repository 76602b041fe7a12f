"""Each explorer on a plain page: it moves, it computes what Python computes, it can be linked, it is accessible."""

import importlib
import json
import pkgutil

import chromium
import fixtures
import pytest

import helpers.explorers
from helpers.explorers import Explorer, names, source

THEMES = ["light", "dark"]
IDS = [one.id for one in fixtures.explorers()]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explorers")
    shown = fixtures.explorers()
    found = {theme: fixtures.page(shown, folder / f"{theme}.html", theme).as_uri() for theme in THEMES}
    return found | {one.id: fixtures.page([one], folder / f"only-{one.id}.html").as_uri() for one in shown}


def computing():
    for found in pkgutil.iter_modules(helpers.explorers.__path__):
        importlib.import_module(f"helpers.explorers.{found.name}")

    def below(kind):
        return {one for child in kind.__subclasses__() for one in {child} | below(child)}

    kinds = {k for k in below(Explorer) if k.__module__.startswith("helpers.") and "cases" in vars(k)}
    return sorted(kinds, key=lambda kind: kind.__name__)


def test_every_module_is_on_the_page():
    assert {one.module for one in fixtures.explorers()} == set(names())


@pytest.mark.parametrize("theme", THEMES)
def test_all_mount_without_errors_and_pass_axe(open_page, addresses, theme):
    page, seen = open_page(addresses[theme], width=1300 if theme == "light" else 380, theme=theme)
    states = [one.get_attribute("data-state") for one in chromium.wait_ready(page)]
    assert states == ["ready"] * len(IDS)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    for details in page.query_selector_all(".course-explorer summary"):
        details.click()
    assert chromium.serious(page) == []
    assert seen == {"console": [], "foreign": []}


@pytest.mark.parametrize("id", IDS)
def test_sliders_move_and_change_the_drawing(open_page, addresses, id):
    page, seen = open_page(addresses[id])
    chromium.wait_ready(page)
    explorer = page.query_selector(f"#{id}")
    assert chromium.move_sliders(page, explorer) == []
    assert explorer.query_selector("[role=status]").inner_text()
    assert seen["console"] == []


@pytest.mark.parametrize("kind", computing(), ids=lambda kind: kind.__name__)
def test_the_page_computes_what_python_computes(open_page, addresses, kind):
    page, _ = open_page(addresses["line"])
    run = """async ([source, cases]) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const { compute } = await import(url);
      return JSON.stringify(cases.map(one => compute(one)));
    }"""
    found = json.loads(page.evaluate(run, [source(kind.module), kind.cases()]))
    assert found
    for case, result in zip(kind.cases(), found, strict=True):
        expected = json.loads(json.dumps(kind.compute(**case)))
        assert set(expected) <= set(result), case
        compare(expected, {key: result[key] for key in expected}, str(case))


def compare(expected, found, where):
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(value, found[key], f"{where} {key}")
    elif isinstance(expected, list):
        assert len(expected) == len(found), where
        for k, value in enumerate(expected):
            compare(value, found[k], f"{where}[{k}]")
    elif isinstance(expected, float | int) and not isinstance(expected, bool):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-12), where
    else:
        assert found == expected, where


def test_float16_and_bytes_arrive_as_packed(open_page, addresses):
    page, _ = open_page(addresses["line"])
    values = [0.0, 1.0, -2.5, 6.1e-5, 3e-7, 65504.0, 0.333251953125]
    text = source("threshold").rsplit("export default", 1)[0] + "\nexport default { floats, bytes: __core_mjs.bytes };"
    run = """async ([source, halves, raw]) => {
      const { default: read } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      return [Array.from(read.floats(halves)), Array.from(read.bytes(raw))];
    }"""
    halves, raw = page.evaluate(
        run, [text, helpers.explorers.pack_float16(values), helpers.explorers.pack_uint8([0, 7, 255])]
    )
    assert halves == pytest.approx(values, rel=1e-3, abs=1e-7) and raw == [0, 7, 255]


def test_a_setting_can_be_linked_and_reset(open_page, addresses):
    page, _ = open_page(addresses["light"] + "#line:lr=0.0022,epoch=3")
    chromium.wait_ready(page)
    explorer = page.query_selector("#line")
    chromium.drawing(page, explorer)
    status = explorer.query_selector("[role=status]")
    assert "epoch 3" in status.inner_text() and "0.00202" in status.inner_text()
    explorer.query_selector("text=Copy link").click()
    page.wait_for_function("() => location.hash.includes('epoch=3')")
    explorer.query_selector("text=Reset").click()
    chromium.drawing(page, explorer)
    assert "epoch 30" in status.inner_text()


def test_an_edition_brings_its_own_words(open_page, tmp_path):
    shown = fixtures.explorers()[0]
    shown.state["labels"] = {"reset": "Zurück", "epoch": "Epoche"}
    page, _ = open_page(fixtures.page([shown], tmp_path / "edition.html").as_uri())
    chromium.wait_ready(page)
    assert page.query_selector("#line button:text-is('Zurück')") and not page.query_selector("text=Reset")
    assert "Epoche 30" in page.inner_text("#line [role=status]")


def test_a_diverged_run_is_shown_as_diverged(open_page, addresses):
    page, _ = open_page(addresses["light"] + "#line:lr=0.1,epoch=20")
    chromium.wait_ready(page)
    explorer = page.query_selector("#line")
    assert "diverged" in chromium.drawing(page, explorer)
    assert "diverged" in explorer.query_selector("[role=status]").inner_text()


def test_drawings_can_be_dragged(open_page, addresses):
    page, _ = open_page(addresses["light"])
    chromium.wait_ready(page)
    explorer = page.query_selector("#descent-one")
    handle = explorer.query_selector("g[role=slider]")
    handle.scroll_into_view_if_needed()
    before, box = handle.get_attribute("aria-valuetext"), handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    chromium.drawing(page, explorer)
    assert handle.get_attribute("aria-valuetext") != before


def test_a_theme_change_is_followed(open_page, addresses):
    page, _ = open_page(addresses["light"])
    chromium.wait_ready(page)
    explorer = page.query_selector("#map")
    before, paper = chromium.drawing(page, explorer), "el => getComputedStyle(el.querySelector('.ce')).backgroundColor"
    light = explorer.evaluate(paper)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(100)
    assert explorer.evaluate(paper) != light and chromium.drawing(page, explorer) != before
