"""Sweeps: stacked training equals the ordinary loop, member by member, and falls back where it must."""

from dataclasses import replace
from functools import partial

import asynchronous
import pytest
import torch
from torch import nn

from helpers import data, models, training
from helpers.training import _group, _stacked
from helpers.training import sweep as sweep_function
from helpers.training.optimisers import NAMES

LRS = [0.001 * 2**i for i in range(8)]


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


@pytest.fixture(scope="module")
def wine():
    return data.load("wine")


def in_turn(monkeypatch, *arguments, **options):
    """The same sweep by the ordinary loop."""
    with monkeypatch.context() as patch:
        patch.setattr(_group, "chain", lambda model: None)
        result = sweep_function(*arguments, **options)
    assert not result.stacked
    return result


MAKERS = {
    "linear": lambda seed: models.Softmax(64, 10, seed=seed),
    "relu": lambda seed: models.MLP(64, [32], 10, seed=seed),
    "tanh": lambda seed: models.MLP(64, [16, 12], 10, activation="tanh", seed=seed),
}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("optimiser", NAMES)
def test_stacked_equals_the_ordinary_loop(digits, make, optimiser, monkeypatch):
    lrs = LRS[4:] if optimiser in ("sgd", "momentum", "nesterov") else LRS[:4]
    options = {"lrs": lrs, "seeds": (0, 3), "epochs": 2, "optimiser": optimiser, "weight_decay": 0.01, "seed": 5}
    options |= {"schedule": "cosine", "keep_parameters": True}
    fast = sweep_function(MAKERS[make], digits, **options)
    slow = in_turn(monkeypatch, MAKERS[make], digits, **options)
    assert fast.stacked and fast.reason.startswith("stacked: ")
    assert fast.lrs == slow.lrs == [lr for lr in lrs for _ in range(2)] and fast.seeds == [0, 3] * 4
    assert fast.train_loss.shape == (8, 3)
    assert torch.allclose(fast.train_loss[:, 0], slow.train_loss[:, 0], rtol=1e-5)
    assert torch.allclose(fast.train_loss, slow.train_loss, rtol=0.01)
    assert torch.allclose(fast.validation_loss, slow.validation_loss, rtol=0.01)
    assert (fast.validation_accuracy - slow.validation_accuracy).abs().max() <= 3 / 270
    assert fast.flops == slow.flops


@pytest.mark.parametrize("optimiser", NAMES)
def test_one_step_parity(digits, optimiser, monkeypatch):
    one = data.Dataset(digits.train.take(64), digits.validation, digits.test, digits.card, digits.classes)
    options = {"lrs": LRS, "epochs": 1, "batch_size": None, "optimiser": optimiser, "keep_parameters": True}
    fast = sweep_function(lambda: models.MLP(64, [32], 10), one, **options)
    slow = in_turn(monkeypatch, lambda: models.MLP(64, [32], 10), one, **options)
    assert fast.stacked
    for name in fast.parameters:
        assert (fast.parameters[name] - slow.parameters[name]).abs().max() <= 1e-5
        assert not torch.equal(fast.parameters[name][:, 0], fast.parameters[name][:, 1])


@pytest.mark.parametrize("batch_size", [None, 16])
def test_regression(batch_size, monkeypatch):
    line = data.load("line")
    options = {"lrs": [0.0005 * (i + 1) for i in range(10)], "epochs": 20, "batch_size": batch_size, "optimiser": "sgd"}
    fast = sweep_function(lambda: models.Linear(1), line, **options)
    slow = in_turn(monkeypatch, lambda: models.Linear(1), line, **options)
    assert fast.stacked and fast.validation_accuracy is None
    assert torch.allclose(fast.train_loss, slow.train_loss, rtol=1e-4)
    run = training.fit(models.Linear(1), line, lr=fast.lrs[3], epochs=20, batch_size=batch_size, optimiser="sgd")
    assert fast.train_loss[3].tolist() == pytest.approx([row["train_loss"] for row in run.history], rel=1e-4)


def test_binary_logit(wine, monkeypatch):
    splits = [data.Split(s.x, (s.y == 1).long()) for s in wine.splits().values()]
    binary = data.Dataset(*splits, wine.card, ["other", "one"])
    options = {"lrs": LRS, "epochs": 3, "batch_size": 16}
    fast = sweep_function(lambda: models.MLP(13, [8], 1), binary, **options)
    slow = in_turn(monkeypatch, lambda: models.MLP(13, [8], 1), binary, **options)
    assert fast.stacked and torch.allclose(fast.validation_loss, slow.validation_loss, rtol=0.01)
    assert torch.allclose(fast.validation_accuracy, slow.validation_accuracy, atol=0.05)


def test_models_data_sets_and_weight_decays_in_one_sweep(wine, monkeypatch):
    """Widths, sizes, labels and decays: equal to fit member by member, in the order of ``shape``."""
    generator = torch.Generator().manual_seed(1)
    noisy = [torch.where(torch.rand(len(s), generator=generator) < 0.3, 0, s.y) for s in (wine.train, wine.validation)]
    other = replace(wine, train=data.Split(wine.train.x, noisy[0]), validation=data.Split(wine.validation.x, noisy[1]))
    few = replace(wine, train=wine.train.take(40))
    makers = [partial(models.MLP, 13, [width], 3) for width in (2, 8)]
    options = {"lrs": [0.01, 0.02], "seeds": (0, 3), "weight_decay": [0.0, 0.5], "epochs": 3, "batch_size": 16}
    fast = sweep_function(makers, [wine, other, few], **options)
    assert fast.shape == (2, 3, 2, 2, 2) and fast.stacked and fast.reason.startswith("in 4 groups: stacked: ")
    final = fast.validation_loss[:, -1].view(fast.shape)
    learned = fast.train_accuracy[:, -1].view(fast.shape)
    for place in [(0, 0, 0, 0, 0), (1, 1, 1, 1, 1), (0, 1, 0, 1, 0), (1, 2, 1, 0, 1), (0, 2, 0, 1, 1)]:
        width, dataset, lr, decay, seed = place
        run = training.fit(
            makers[width](seed=(0, 3)[seed]), [wine, other, few][dataset], lr=(0.01, 0.02)[lr],
            weight_decay=(0.0, 0.5)[decay], epochs=3, batch_size=16,
        )  # fmt: skip
        assert final[place].item() == pytest.approx(run.history[-1]["validation_loss"], rel=1e-3)
        assert learned[place].item() == pytest.approx(run.history[-1]["train_accuracy"], abs=0.03)
    assert (final[:, :, :, 0] - final[:, :, :, 1]).abs().max() > 1e-3  # the decays differ
    slow = in_turn(monkeypatch, makers, [wine, other, few], **options)
    assert torch.allclose(fast.train_loss, slow.train_loss, rtol=1e-3) and fast.flops == slow.flops
    assert (fast.train_accuracy - slow.train_accuracy).abs().max() <= 0.05
    kept = sweep_function(makers[1], [wine, few], lrs=[0.01], seeds=(0, 3), epochs=1, keep_parameters=True)
    assert kept.shape == (1, 2, 1, 1, 2) and len(kept.parameters["layers.0.weight"]) == 4
    loss = training.evaluate(kept.model(3), wine.validation).loss
    assert loss == pytest.approx(kept.validation_loss[3, -1].item(), rel=1e-4)


@pytest.mark.parametrize("optimiser", ["momentum", "adam"])
def test_a_weight_decay_for_each_member(optimiser, monkeypatch):
    """The penalty of optimisers that add it to the gradient, also for a regression with targets of its own."""
    line = data.load("line")
    shifted = replace(line, train=data.Split(line.train.x, line.train.y + 3))
    options = {"lrs": [0.001], "weight_decay": [0.0, 0.1, 1.0, 3.0], "epochs": 5, "optimiser": optimiser}
    fast = sweep_function(lambda: models.Linear(1), [line, shifted], **options)
    slow = in_turn(monkeypatch, lambda: models.Linear(1), [line, shifted], **options)
    assert fast.stacked and torch.allclose(fast.train_loss, slow.train_loss, rtol=1e-4)


def test_the_largest_class_is_found_along_memory():
    outputs = torch.randn(3, 10, 50, generator=torch.Generator().manual_seed(0))
    outputs[0, 2:4] = 5.0  # a tie goes to the first, as in argmax
    assert torch.equal(_group._largest(outputs), outputs.argmax(1))
    assert torch.equal(_group._largest(outputs[:, :, :0]), outputs[:, :, :0].argmax(1))
    wide = torch.randn(2, 70, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_group._largest(wide), wide.argmax(1))


def test_diverged_members_are_frozen_and_do_not_disturb_the_others(monkeypatch):
    line = data.load("line")
    edge = 2 / float(2 * line.train.x.square().mean())  # without intercept; with it a little lower
    rates = [0.1 * edge * (i + 1) for i in range(20)]
    options = {"epochs": 300, "batch_size": None, "optimiser": "sgd", "keep_parameters": True}
    sweep = sweep_function(lambda: models.Linear(1), line, lrs=rates, **options)
    calm = sweep_function(lambda: models.Linear(1), line, lrs=rates[:8], **options)
    assert torch.equal(sweep.train_loss[:8], calm.train_loss)
    diverged = torch.isinf(sweep.train_loss[:, -1])
    assert not diverged[:9].any() and diverged[11:].all()
    assert not torch.isnan(sweep.train_loss).any() and not torch.isnan(sweep.validation_loss).any()
    for values in sweep.parameters.values():
        assert torch.isfinite(values).all()
    for member in diverged.nonzero().flatten().tolist():
        first = int(torch.isinf(sweep.train_loss[member]).nonzero()[0])
        assert torch.isinf(sweep.train_loss[member, first:]).all()
        assert (sweep.parameters["weight"][member, first - 1 :] == sweep.parameters["weight"][member, first - 1]).all()
    slow = in_turn(monkeypatch, lambda: models.Linear(1), line, lrs=rates, **options)
    assert torch.equal(torch.isinf(slow.train_loss[:, -1]), diverged)
    assert not torch.isnan(slow.train_loss).any() and torch.isfinite(slow.parameters["weight"]).all()


def test_all_diverged():
    line = data.load("line")
    sweep = sweep_function(lambda: models.Linear(1), line, lrs=[1e30] * 8, epochs=30, optimiser="sgd")
    assert torch.isinf(sweep.train_loss[:, -1]).all() and torch.isfinite(sweep.train_loss[:, 0]).all()


def test_kept_parameters_rebuild_the_models(wine):
    sweep = sweep_function(lambda: models.MLP(13, [8], 3), wine, lrs=LRS, epochs=3, keep_parameters=True)
    assert sweep.parameters["layers.0.weight"].shape == (8, 4, 8, 13)
    assert torch.equal(sweep.parameters["layers.0.weight"][2, 0], models.MLP(13, [8], 3).layers[0].weight.detach())
    for epoch in (0, 2, -1):
        loss = training.evaluate(sweep.model(sweep.best, epoch), wine.validation).loss
        assert loss == pytest.approx(float(sweep.validation_loss[sweep.best, epoch]), rel=1e-5)
    assert sweep.validation_loss[sweep.best, -1] == sweep.validation_loss[:, -1].min()
    assert "CPU core" in str(sweep.cost())


def test_the_global_generator_stays(wine):
    before = torch.get_rng_state()
    sweep_function(lambda: models.Softmax(13, 3), wine, lrs=LRS, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


class Own(nn.Module):
    """A forward pass that does more than its layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(13, 3))

    def forward(self, x):
        return 2 * self.layers(x)


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (Own, {}, "one after another: the model is no plain chain"),
        (lambda: models.MLP(13, [4], 3, activation="gelu"), {}, "one after another: the model is no plain chain"),
        (lambda: models.Softmax(13, 3), {"loss": nn.CrossEntropyLoss()}, "one after another: the loss is the caller's"),
        (lambda: models.Softmax(13, 3), {"lrs": [0.1]}, "one after another: there is only one member"),
    ],
)
def test_what_cannot_be_stacked_is_trained_in_turn(wine, make, options, reason):
    torch.manual_seed(0)
    sweep = sweep_function(make, wine, **({"lrs": LRS[:2], "epochs": 1} | options))
    assert not sweep.stacked and sweep.reason.startswith(reason)
    assert (sweep.train_loss[:, 1] < sweep.train_loss[:, 0]).all()


@pytest.mark.parametrize("pays", [True, False])
def test_larger_models_are_timed_first(digits, pays, monkeypatch):
    monkeypatch.setattr(_group.Group, "_time_stacked", lambda self: 1.0)
    monkeypatch.setattr(_group.Group, "_time_alone", lambda self: 2.0 if pays else 0.5)
    sweep = sweep_function(lambda: models.MLP(64, [256], 10), digits, lrs=LRS[:2], epochs=1)
    assert sweep.stacked == pays
    assert f"a step of 2 models takes 1e+03 ms stacked, {4 if pays else 1}e+03 ms in turn" in sweep.reason


def test_chain_knows_plain_models():
    assert len(_stacked.chain(models.Linear(3))) == 1
    assert len(_stacked.chain(models.MLP(3, [4, 4], 2))) == 5
    assert len(_stacked.chain(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))) == 3
    for other in (
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU()),
        nn.Sequential(nn.Linear(3, 4, bias=False)),
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 2)),
        nn.Linear(3, 2).double(),
        models.CNN(1, [4], 2, image_size=8),
    ):
        assert _stacked.chain(other) is None


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((lambda: models.Softmax(13, 3),), {"lrs": []}, "at least one model, .*, got 1, 1, 0, 1 and 1"),
        ((lambda: models.Softmax(13, 3),), {"lrs": [0.1, 0.0]}, "must be a finite number above 0, got 0.0"),
        ((lambda: models.Softmax(13, 3),), {"seeds": (0, 1)}, "for 2 seeds make_model must take seed"),
        ((models.Softmax(13, 3),), {}, "sweep needs a function that makes a new model"),
        ((lambda: models.Softmax(13, 2),), {}, "label 2 of example .* tells 2 classes apart"),
        ((lambda: models.Softmax(13, 3),), {"optimiser": "lion"}, "unknown optimiser 'lion'"),
        ((lambda: models.Softmax(13, 3),), {"weight_decay": [0.1, -1.0]}, "weight_decay must be at least 0, got -1.0"),
        (([lambda: models.Softmax(13, 3)] * 2,), {"keep_parameters": True}, "needs models of one shape"),
    ],
)
def test_bad_input(wine, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        sweep_function(*arguments, wine, **({"lrs": [0.1], "epochs": 1} | options))
    with pytest.raises(ValueError, match="sweep needs a data set with train and validation splits, got Split"):
        sweep_function(lambda: models.Softmax(13, 3), wine.train, lrs=[0.1], epochs=1)


def test_a_live_run_repeats_a_member():
    from helpers.explorers import Live

    many = data.load("line", num_examples=2000, seed=0)  # more than the examples on which the loss is measured
    trainer = Live(lambda: models.Linear(1, seed=0), many, batch_size=None)
    asynchronous.run(trainer.train(0.01, 3))
    rates = {"lrs": [0.01], "epochs": 3, "batch_size": None, "optimiser": "sgd"}
    member = training.sweep(lambda: models.Linear(1, seed=0), many, **rates)
    assert trainer.result["train"] == pytest.approx(member.train_loss[0].tolist(), rel=1e-3)
