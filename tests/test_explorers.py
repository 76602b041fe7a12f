"""Explorers in Python: bundles, limits of the state, self-contained sources, live training on an event loop."""

import asyncio
import importlib
import json
import math
import pkgutil
import re
import subprocess
import sys
from types import SimpleNamespace

import asynchronous
import numpy as np
import pytest

import helpers.explorers
from helpers.explorers import (
    Explorer,
    Formula,
    LinearDescent,
    Live,
    SweepReplay,
    Threshold,
    names,
    numbers,
    pack_float16,
    pack_uint8,
    source,
    sources,
)
from helpers.explorers.dilution import Dilution
from helpers.explorers.sources import FOLDER

LINE = SimpleNamespace(train=SimpleNamespace(x=np.arange(5.0), y=2 * np.arange(5.0)))


def sweep(num_rates=3, epochs=4, **changes):
    loss = np.linspace(4, 1, epochs + 1)[None] * np.ones((num_rates, 1))
    loss[-1, 2:] = np.inf
    fields = {
        "lrs": [0.01 * 10**k for k in range(num_rates)],
        "seeds": (0,),
        "train_loss": loss,
        "validation_loss": loss,
        "validation_accuracy": None,
        "parameters": {"weight": loss[:, :, None, None], "bias": loss[:, :, None] / 2},
        "seconds": 0.5,
        "stacked": True,
    }
    return SimpleNamespace(**(fields | changes))


def embedded(explorer):
    """The state as a page reads it."""
    text = re.search(r'<script type="application/json">(.*?)</script>', explorer.html(), re.DOTALL)[1]
    return json.loads(text)


class Odd(Explorer):
    module = "sweep"


def test_every_source_is_one_module_without_imports():
    for name, text in sources().items():
        assert not re.search(r"^\s*import[\s{(]", text, re.MULTILINE), name
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        assert len(re.findall(r"^export default", text, re.MULTILINE)) == 1, name
        assert len(text) < 100_000, name


def test_the_table_of_labels_holds_what_the_modules_show_and_nothing_else():
    texts = {path.name: path.read_text("utf8") for path in FOLDER.glob("*.mjs")}
    table = set(re.findall(r"^  (\w+): \"", texts.pop("labels.mjs"), re.MULTILINE))
    code = "\n".join(texts.values())
    assert set(re.findall(r"\blabel\(\"(\w+)\"", code)) <= table
    assert {key for key in table if f'"{key}"' not in code} == set()


def test_colours_come_from_the_palette():
    for path in FOLDER.glob("*.mjs"):
        assert not re.search(r"#[0-9a-fA-F]{6}\b", path.read_text("utf8")), path.name


def test_unknown_module_is_named():
    with pytest.raises(ValueError, match="no explorer module 'nothing'; there are: .*sweep"):
        source("nothing")
    with pytest.raises(ValueError, match="Explorer.module is ''"):
        Explorer({})


def test_bundle_joins_widget_and_page():
    explorer = SweepReplay(sweep(), view="line", dataset=LINE, id="line-sweep")
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == explorer.html()
    assert 'class="course-explorer" data-module="sweep" id="line-sweep"' in bundle["text/html"]
    page = embedded(explorer)
    assert page["page"] is True and page["id"] == "line-sweep" and page["state"] == explorer.state


def test_page_needs_no_widget_packages():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['anywidget', 'ipywidgets', 'IPython', 'torch']));"
        "from helpers.explorers import LinearDescent;"
        "e = LinearDescent([1, 2, 3], [2, 4, 6]); b = e._repr_mimebundle_();"
        "assert 'course-explorer' in b['text/html'] and 'text/plain' in b, b\n"
        "try: e.widget()\nexcept ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "need anywidget and ipywidgets" in done.stdout and "[book]" in done.stdout


def test_a_state_cannot_close_its_script():
    explorer = Odd({"title": "</script><!-- & <b>"})
    assert explorer.html().count("</script>") == 1
    assert embedded(explorer)["state"]["title"] == "</script><!-- & <b>"
    assert "<b>" not in explorer.html().split("<noscript>")[1]


def test_same_state_same_id():
    assert Odd({"a": 1}).id == Odd({"a": 1}).id != Odd({"a": 2}).id
    with pytest.raises(ValueError, match="letters, digits and hyphens, found 'a b'"):
        Odd({}, id="a b")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"long": "x" * 300_000, "short": 1}, r"300,0\d\d bytes.*300,000.*'long'"),
        ({"a": math.inf}, "not finite"),
        ({"a": [math.nan]}, "not finite"),
        ({"a": np.zeros(3)}, "ndarray is not JSON"),
    ],
)
def test_bad_states_are_named(state, message):
    with pytest.raises(ValueError, match=message):
        Odd(state)


def test_numbers_rounds_and_keeps_divergence_visible():
    assert numbers([[1.23456, math.inf], [math.nan, -2e-7]]) == [[1.235, None], [None, -2e-7]]
    assert numbers(np.float32(0.1), 3) == 0.1


def test_packing():
    assert pack_uint8([[0, 255], [128, 1]]) == "AP+AAQ=="
    assert np.frombuffer(__import__("base64").b64decode(pack_float16([0.5, -2.0])), "<f2").tolist() == [0.5, -2.0]
    with pytest.raises(ValueError, match="0 to 255, found -1 to 300"):
        pack_uint8([-1, 300])
    with pytest.raises(ValueError, match="found 1e"):
        pack_float16([1e6])


def test_sweep_state_keeps_diverged_runs():
    state = SweepReplay(sweep(), view="line", dataset=LINE, edge=0.5, edge_label="edge").state
    assert state["train"][2] == [4.0, 3.25, None, None, None]
    assert state["edge"] == {"value": 0.5, "label": "edge"}
    assert state["start"] == {"lr": 0.01, "epoch": 4}
    assert state["line"]["slope"][2] == [4.0, 3.25, None, None, None]
    assert state["line"]["slope"][0][0] == 4.0 and state["line"]["intercept"][0][0] == 2.0
    assert "3 recorded runs, seed 0, 0.5 s in one batched sweep" in state["source"]


def test_sweep_sorts_its_rates():
    mixed = sweep(lrs=[1.0, 0.01, 0.1])
    state = SweepReplay(mixed).state
    assert state["lrs"] == [0.01, 0.1, 1.0] and state["train"][1][-1] is None


def test_weights_are_bytes_at_24_points():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(9, 21, 10, 784))
    matrix[-1] = np.nan
    runs = sweep(9, 20, parameters={"weight": matrix, "bias": np.zeros((9, 21, 10))})
    weights = SweepReplay(runs, view="weights").state["weights"]
    assert len(weights["scales"]) == len(weights["rates"]) * len(weights["epochs"]) <= 24
    assert weights["scales"][-1] is None and weights["epochs"][-1] == 20
    raw = np.frombuffer(__import__("base64").b64decode(weights["bytes"]), np.uint8).reshape(-1, 10, 784)
    i, j = weights["rates"][1], weights["epochs"][2]
    shown = (raw[len(weights["epochs"]) + 2].astype(float) - 128) / 127 * weights["scales"][len(weights["epochs"]) + 2]
    assert np.abs(shown - matrix[i, j]).max() < 0.01 * np.abs(matrix[i, j]).max()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SweepReplay(sweep(), view="pie"), "line, weights, map, none, found 'pie'"),
        (lambda: SweepReplay(sweep(), view="line"), "needs dataset="),
        (lambda: SweepReplay(sweep(parameters=None), view="line", dataset=LINE), "keep_parameters=True"),
        (lambda: SweepReplay(sweep(), view="weights"), "found no weight matrix"),
        (lambda: LinearDescent([1, 2], [1, 2, 3]), "found 2 and 3"),
        (lambda: LinearDescent([1, 1], [1, 2], start=(0.0, 0.0)), "different x"),
        (lambda: Threshold([0.1, 0.2], [1, 1]), "both present; found \\[1\\]"),
        (lambda: Threshold([0.1, math.nan], [0, 1]), "finite scores"),
        (lambda: Threshold([0.1, 0.2, 0.3], [0, 1]), "3 scores, 2 labels"),
        (lambda: Threshold([0.1, 0.2], [0, 1], costs=(0, 1)), r"found \(0, 1\)"),
        (lambda: Live(None, None, lrs=(1, 0.1)), r"found \(1, 0.1\)"),
        (lambda: Dilution(exit_value=0), "exit_value: 0 is not between 100000.0 and"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_formula_checks_the_names_of_its_sentence():
    class Bad(Dilution):
        def __init__(self):
            one = {"name": "seed", "label": "sold", "min": 0, "max": 1, "value": 0.2}
            fixed = {"series_a": 0, "series_b": 0, "pool": 0, "exit_value": 1}
            Formula.__init__(self, [one], [], sentence="[[seed]] {price}", fixed=fixed)

    with pytest.raises(ValueError, match="price: neither an input nor a result"):
        Bad()


def test_descent_is_gradient_descent():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=20), rng.normal(size=20)
    state = LinearDescent(x, y, start=(-1.0, 0.5), lr=0.1).state
    found = LinearDescent.compute(state["hessian"], state["best"], state["floor"], [-1.0, 0.5], 0.1, 5)
    w, b = -1.0, 0.5
    for k in range(6):
        error = w * x + b - y
        assert found["path"][k] == pytest.approx([w, b], rel=1e-9)
        assert found["losses"][k] == pytest.approx((error**2).mean(), rel=1e-9)
        w, b = w - 0.1 * 2 * (error * x).mean(), b - 0.1 * 2 * error.mean()


def test_threshold_agrees_with_scikit_learn():
    from sklearn.metrics import confusion_matrix, precision_score, recall_score

    rng = np.random.default_rng(0)
    scores, labels = rng.random(200), rng.integers(0, 2, 200)
    found = Threshold.compute(np.sort(scores[labels == 1]), np.sort(scores[labels == 0]), 0.4, 1.0, 3.0)
    calls = scores >= 0.4
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [found[name] for name in names] == confusion_matrix(labels, calls).ravel().tolist()
    assert found["precision"] == precision_score(labels, calls) and found["recall"] == recall_score(labels, calls)
    assert found["cost"] == (found["false_positives"] + 3 * found["false_negatives"]) / 200


def test_every_computing_explorer_has_cases():
    for found in pkgutil.iter_modules(helpers.explorers.__path__):
        importlib.import_module(f"helpers.explorers.{found.name}")

    def below(kind):
        return {one for child in kind.__subclasses__() for one in {child} | below(child)}

    kinds = [kind for kind in below(Explorer) if kind.__module__.startswith("helpers.") and kind.module]
    assert {kind.module for kind in kinds} == set(names())
    for kind in kinds:
        computes = "compute" in vars(kind)
        assert computes == ("export function compute" in source(kind.module)), kind.__name__
        assert not computes or kind.cases(), kind.__name__


class Drawing:
    """Stands for the widget: keeps what was published."""

    def __init__(self):
        self.seen = []

    def __call__(self, result):
        self.seen.append(json.loads(json.dumps(result, allow_nan=False)))


def live(**options):
    import torch

    from helpers import data, models

    seen = Drawing()
    torch.manual_seed(0)
    found = Live(lambda: models.Linear(1, seed=0), data.load("line", seed=0), batch_size=10, **options)
    found.publish, found.view = seen, "line"
    return found, seen


def test_live_trains_to_the_end_beside_other_work():
    trainer, seen = live(lr=0.001)
    beats = []

    async def cell():
        trainer.start(lr=0.01, epochs=150)
        while trainer.running:
            beats.append(1)
            await asyncio.sleep(0.005)

    asynchronous.run(cell())
    last = seen.seen[-1]
    assert last["running"] is False and len(last["train"]) == 151 and last["progress"] == 1.0
    assert last["train"][-1] < last["train"][0] / 10
    assert abs(last["line"][0] - 2) < 0.3
    assert len(beats) >= 2, "other work must run between slices"


def test_live_stops_and_starts_again():
    trainer, seen = live()

    async def cell():
        trainer.start(lr=0.001, epochs=100_000)
        await asyncio.sleep(0.2)
        trainer.stop()
        await asyncio.sleep(0.05)
        assert not trainer.running
        assert "stopped after" in seen.seen[-1]["note"] and seen.seen[-1]["running"] is False
        trainer.start(lr=0.01, epochs=3)
        await trainer._task

    asynchronous.run(cell())
    assert len(seen.seen[-1]["train"]) == 4


def test_live_shows_a_run_that_diverges():
    trainer, seen = live()

    async def cell():
        trainer.start(lr=5.0, epochs=2000)
        await trainer._task

    asynchronous.run(cell())
    note = seen.seen[-1]["note"]
    assert re.match(r"live run: the loss became (inf|nan) at step \d+ .*take a smaller one", note), note
    assert seen.seen[-1]["running"] is False
    assert math.isfinite(next(iter(trainer.model.parameters())).abs().max().item())


def test_live_panel_drives_the_run():
    import ipywidgets

    trainer, _ = live()
    explorer = SweepReplay(sweep(), view="line", dataset=LINE, live=trainer)
    box = explorer.widget()
    assert isinstance(box, ipywidgets.VBox)
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()
    drawing, controls = box.children[1], trainer._controls

    async def cell():
        drawing.choice = {"lr": 0.02, "epoch": 1}
        assert controls["rate"].value == 0.02
        controls["epochs"].value = 2
        controls["run"].click()
        assert trainer.running
        await trainer._task

    asynchronous.run(cell())
    assert drawing.live["lr"] == 0.02 and len(drawing.live["train"]) == 3
    assert controls["progress"].value == 1.0 and controls["stop"].disabled and not controls["run"].disabled
