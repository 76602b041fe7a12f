"""The decision boundary explorer: what it keeps of a sweep, what it computes, what it refuses; and its live panel."""

import base64
import sys
from pathlib import Path

import asynchronous
import numpy as np
import pytest
import torch

from helpers import data, models, training
from helpers.explorers import Live
from helpers.explorers.boundary import Boundary

sys.path.insert(0, str(Path(__file__).parent / "browser"))
import fixtures  # noqa: E402


@pytest.fixture(scope="module")
def spiral():
    return data.load("spiral", num_examples=50)


def recorded(dataset, width, **options):
    options = {"lrs": [0.1, 1.0], "epochs": 3, "optimiser": "sgd", "keep_parameters": True} | options
    return training.sweep(lambda: models.MLP(2, [width], 1), dataset, **options)


def test_the_page_gets_the_weights_of_every_run(spiral):
    sweeps = {width: recorded(spiral, width) for width in (3, 1)}
    state = Boundary(sweeps, spiral, width=3).state
    assert state["widths"] == [1, 3] and state["epochs"] == [0, 1, 2, 3] and len(state["x"]) == 30
    found = np.frombuffer(base64.b64decode(state["weights"][1]), dtype="<f2").reshape(2, 4, 13)
    model = sweeps[3].model(1, 2)
    flat = torch.cat([p.flatten() for p in model.parameters()]).detach().numpy()
    np.testing.assert_allclose(found[1, 2], flat, rtol=1e-3, atol=1e-6)
    x = spiral.train.x
    result = Boundary.compute(flat.tolist(), x[:, 0].tolist(), x[:, 1].tolist(), state["edge"])
    np.testing.assert_allclose(result["logits"], model(x).detach().numpy().ravel(), rtol=1e-4, atol=1e-5)
    off = (torch.relu(model.layers[0](x)).amax(dim=0) <= 0).sum()
    assert result["off"] == off


def test_folds_lie_on_the_line_and_end_at_the_frame():
    rng = np.random.default_rng(0)
    weights = np.concatenate([rng.normal(size=400), np.zeros(200), np.ones(200), [0.0]])
    weights[400:600] = rng.normal(size=200)
    folds = Boundary.compute(weights.tolist(), [0.0], [0.0], 1.5)["folds"]
    seen = [(fold, *weights[2 * j : 2 * j + 2], weights[400 + j]) for j, fold in enumerate(folds) if fold]
    assert 50 < len(seen) < 200
    for (x1, y1, x2, y2), a, b, c in seen:
        for x, y in ((x1, y1), (x2, y2)):
            assert abs(a * x + b * y + c) < 1e-9 and max(abs(x), abs(y)) == pytest.approx(1.5)
    missed = [j for j, fold in enumerate(folds) if fold is None]
    for j in missed:  # the line passes the frame by: all four corners lie on one side
        a, b, c = *weights[2 * j : 2 * j + 2], weights[400 + j]
        sides = {np.sign(a * x + b * y + c) for x in (-1.5, 1.5) for y in (-1.5, 1.5)}
        assert len(sides) == 1


def test_a_diverged_run_is_marked(spiral):
    sweep = recorded(spiral, 2)
    sweep.train_loss[1, 2:] = torch.inf
    state = Boundary({2: sweep}, spiral).state
    assert state["train"][0][1][1] is not None and state["train"][0][1][2:] == [None, None]


@pytest.mark.parametrize(("change", "message"), [
    (lambda s, d: Boundary({}, d), "at least one sweep"),
    (lambda s, d: Boundary({2: recorded(d, 2, keep_parameters=False)}, d), "keep_parameters=True"),
    (lambda s, d: Boundary({2: s, 3: recorded(d, 3, lrs=[0.1, 2.0])}, d), "width 3 has other learning rates"),
    (lambda s, d: Boundary({5: s}, d), r"takes MLP\(2, \[5\], 1\), found"),
    (lambda s, d: Boundary({2: s}, d, epochs=[0, 9]), "must lie in 0 … 3, found 0 … 9"),
    (lambda s, d: Boundary({2: s}, fixtures.line()), "draws two inputs, found x of shape"),
])  # fmt: skip
def test_bad_input_gets_one_sentence(spiral, change, message):
    with pytest.raises(ValueError, match=message):
        change(recorded(spiral, 2), spiral)


def test_the_live_panel_trains_the_width_of_the_slider(spiral):
    live = Live(lambda width=8: models.MLP(2, [width], 1), spiral, lr=0.3, lrs=(0.01, 3.0))
    explorer = Boundary({2: recorded(spiral, 2), 3: recorded(spiral, 3)}, spiral, width=3, live=live)
    live.view, live.width = explorer.state["view"], 2
    asynchronous.run(live.train(0.3, 2))
    assert live.model.hidden == [2] and len(live.result["train"]) == 3
    assert len(base64.b64decode(live.result["weights"])) == 2 * 9
