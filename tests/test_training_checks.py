"""The checks of a training program: what they find, against torch and closed forms; that they change nothing."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from clouds import blobs
from torch import nn
from torch.nn import functional as F

from helpers import data, models, training
from helpers.data import Split
from helpers.training import checks


@pytest.fixture(scope="module")
def clouds():
    return blobs()


def network(seed: int = 0) -> nn.Module:
    return models.MLP(5, [16], 3, seed=seed)


def test_start_of_a_fresh_network(clouds):
    found = checks.initial_loss(network(), clouds.train)
    assert found.expected == pytest.approx(math.log(3))
    with torch.no_grad():
        assert found.loss == pytest.approx(F.cross_entropy(network()(clouds.train.x), clouds.train.y).item(), rel=1e-5)
    assert found.ratio == pytest.approx(found.loss / math.log(3))
    assert checks.initial_loss(network(), clouds.train, num_classes=7).expected == pytest.approx(math.log(7))


def test_start_of_a_binary_logit_and_of_a_regression():
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    binary = checks.initial_loss(models.MLP(3, [4], 1), Split(x, (x[:, 0] > 0).long()))
    assert binary.expected == pytest.approx(math.log(2)) and binary.ratio == pytest.approx(1, abs=0.3)
    line = checks.initial_loss(models.Linear(3), Split(x, 100 * x[:, 0]))
    assert line.expected == pytest.approx((1e4 * x[:, 0].square()).mean().item(), rel=1e-5)
    assert line.ratio == pytest.approx(1, abs=0.1)


def test_one_batch_equals_a_loop_written_out_and_leaves_the_model_alone(clouds):
    model = network()
    kept = copy.deepcopy(model.state_dict())
    losses = checks.one_batch(model, clouds.train, lr=0.01, num_examples=8, num_steps=30)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    optimiser, few = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0), clouds.train.take(8)
    for expected in losses:
        loss = F.cross_entropy(model(few.x), few.y)
        assert loss.item() == pytest.approx(expected, rel=1e-4)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_watch_measures_the_step(clouds):
    model, lr = network(), 0.1
    before = copy.deepcopy(model.state_dict())
    step, layers = next(checks.watch(model, clouds.train, lr=lr, optimiser="sgd", batch_size=32))
    assert step.number == 1 and list(layers) == ["layers.0", "layers.2"]
    for name, layer in layers.items():
        weights = torch.cat([before[f"{name}.{kind}"].flatten() for kind in ("weight", "bias")])
        assert layer.weight == pytest.approx(weights.norm().item(), rel=1e-5)
        assert layer.update == pytest.approx(lr * layer.gradient, rel=1e-4)  # plain descent
        assert layer.ratio == pytest.approx(layer.update / layer.weight)


def test_watch_trains_as_steps_does(clouds):
    ours, theirs = network(), network()
    for _ in checks.watch(ours, clouds.train, lr=0.01, epochs=2):
        pass
    for _ in training.steps(theirs, clouds.train, lr=0.01, epochs=2):
        pass
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters()))


def test_watch_shows_a_frozen_layer(clouds):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(5, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.last(torch.relu(self.first(x)).detach())

    _, layers = next(checks.watch(Cut(), clouds.train, lr=0.1, optimiser="sgd"))
    assert layers["first"].gradient == layers["first"].update == 0
    assert layers["last"].gradient > 0 and layers["last"].update > 0


def test_range_test_finds_the_edge_of_a_quadratic():
    x = torch.ones(64, 1)
    split = Split(x, 3 * x[:, 0])
    model = models.Linear(1)
    kept = copy.deepcopy(model.state_dict())
    found = checks.range_test(model, split, lowest=1e-4, highest=100, num_steps=80, optimiser="sgd", batch_size=64)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert found.lrs[0] == pytest.approx(1e-4) and found.lrs[1] / found.lrs[0] == pytest.approx(1e6 ** (1 / 79))
    assert found.edge is not None and found.edge > 0.5      # weight and bias together: curvature 4, edge 2 / 4
    assert found.steepest < found.edge and len(found.losses) == len(found.smooth) == len(found.lrs) < 80


def test_range_test_without_an_explosion(clouds):
    found = checks.range_test(network(), clouds.train, lowest=1e-6, highest=1e-5, num_steps=12)
    assert found.edge is None and len(found.lrs) == 12
    assert found.lrs[-1] == pytest.approx(1e-5)


def test_smoothing_starts_without_bias(clouds):
    found = checks.range_test(network(), clouds.train, num_steps=10, highest=1e-4, smoothing=0.9)
    assert found.smooth[0] == pytest.approx(found.losses[0])
    assert found.smooth[1] == pytest.approx((0.9 * found.losses[0] + found.losses[1]) / 1.9)
    plain = checks.range_test(network(), clouds.train, num_steps=10, highest=1e-4, smoothing=0.0)
    assert plain.smooth == plain.losses


def test_reads_finds_masks_and_mixing():
    x, other = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(checks.reads(lambda h: h.cumsum(0), x, other=other), torch.ones(6, 6).tril().bool())
    assert torch.equal(checks.reads(lambda h: 2 * h, x, other=other), torch.eye(6).bool())
    assert checks.reads(lambda h: h - h.mean(0), x, other=other).all()
    decoder = models.Decoder(11, context=6, num_layers=1, d_model=16, num_heads=2).eval()
    tokens = torch.tensor([1, 2, 3, 4, 5, 6])
    table = checks.reads(lambda t: decoder(t[None])[0], tokens, other=tokens + 1)
    assert torch.equal(table, torch.ones(6, 6).tril().bool())


@pytest.mark.parametrize(("call", "words"), [
    (lambda s: checks.range_test(network(), s, lowest=1.0, highest=0.1), "must rise from above 0, got lowest=1.0"),
    (lambda s: checks.range_test(network(), s, smoothing=1.0), r"smoothing must lie in \[0, 1\), got 1.0"),
    (lambda s: checks.range_test(network(), s, num_steps=3), "at least 10 steps, got 3"),
    (lambda s: checks.one_batch(network(), s, lr=0.1, num_examples=10**6), "take"),
    (lambda s: checks.reads(lambda h: h, s.x[:4], other=s.x[:3]), r"must have the shape of x, \[4, 5\], got \[3, 5\]"),
    (lambda s: checks.reads(lambda h: h, s.x[:4], other=s.x[:4]), "it is the same at place 0"),
    (lambda s: checks.reads(lambda h: h[:2], s.x[:4], other=s.x[:4] + 1), "2 outputs for 4 inputs"),
])
def test_bad_input_is_named(clouds, call, words):
    with pytest.raises(ValueError, match=words):
        call(clouds.train)


def test_the_digits_pass(clouds):
    digits = data.load("digits", seed=0)
    assert checks.initial_loss(models.MLP(64, [32], 10), digits.train).ratio == pytest.approx(1, abs=0.05)
    assert checks.one_batch(models.MLP(64, [32], 10), digits.train, lr=0.01)[-1] < 0.01
