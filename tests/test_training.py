"""The loop and fit: the same numbers as torch, divergence, early stopping, records."""

import json
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from clouds import blobs, weights
from torch import nn

from helpers import data, models, training
from helpers.data import Split, TensorBatches
from helpers.training.loop import Loop, Options


@pytest.fixture(scope="module")
def clouds():
    return blobs()


TORCH = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.02, weight_decay=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.02, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.01),
}


@pytest.mark.parametrize("optimiser", TORCH)
def test_steps_equal_a_loop_written_out(clouds, optimiser):
    ours, theirs = models.MLP(5, [8], 3), models.MLP(5, [8], 3)
    reference, expected = TORCH[optimiser](theirs.parameters()), []
    batches = TensorBatches(clouds.train, 32, seed=7)
    for _ in range(2):
        for x, y in batches:
            loss = F.cross_entropy(theirs(x), y)
            reference.zero_grad()
            loss.backward()
            reference.step()
            expected.append(float(loss.detach()))
    found = list(
        training.steps(
            ours, clouds.train, lr=0.02, epochs=2, batch_size=32, optimiser=optimiser, weight_decay=0.01, seed=7
        )
    )
    assert [float(step.loss) for step in found] == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-5)
    assert [step.number for step in found] == list(range(1, 13))
    assert [step.epoch for step in found] == [1] * 6 + [2] * 6


def test_full_batch_regression_equals_gradient_descent_by_hand():
    line = data.load("line")
    model = models.Linear(1)
    w, b = model.weight.item(), model.bias.item()
    x, y = line.train.x.double().flatten(), line.train.y.double().flatten()
    for step in training.steps(model, line.train, lr=0.01, epochs=5, batch_size=None, optimiser="sgd"):
        residual = w * x + b - y
        assert float(step.loss) == pytest.approx(float((residual**2).mean()), rel=1e-5)
        w, b = w - 0.01 * float((2 * residual * x).mean()), b - 0.01 * float((2 * residual).mean())
    assert model.weight.item() == pytest.approx(w, rel=1e-5) and model.bias.item() == pytest.approx(b, rel=1e-4)


def test_fit_drives_the_same_loop_and_measures_whole_splits(clouds):
    model, again = models.Softmax(5, 3), models.Softmax(5, 3)
    run = training.fit(model, clouds, lr=0.01, epochs=3)
    for _ in training.steps(again, clouds.train, lr=0.01, epochs=3):
        pass
    assert torch.equal(weights(model), weights(again)) and not model.training
    assert [row["epoch"] for row in run.history] == [0, 1, 2, 3]
    last = run.history[-1]
    with torch.no_grad():
        outputs = model(clouds.validation.x)
        train_loss = float(F.cross_entropy(model(clouds.train.x), clouds.train.y))
    assert last["validation_loss"] == pytest.approx(float(F.cross_entropy(outputs, clouds.validation.y)), rel=1e-6)
    assert last["validation_accuracy"] == float((outputs.argmax(1) == clouds.validation.y).double().mean())
    assert last["train_loss"] == pytest.approx(train_loss, rel=1e-6)
    assert last["train_loss"] < run.history[0]["train_loss"]


def test_evaluation_in_chunks_counts_every_example_once():
    line = data.load("line", num_examples=30_000)
    model = models.Linear(1)
    expected = F.mse_loss(model(line.train.x), line.train.y).item()
    assert training.evaluate(model, line.train).loss == pytest.approx(expected, rel=1e-5)
    assert training.evaluate(model, line.train).outputs.shape == (18_000, 1)


def test_binary_targets_and_one_output(clouds):
    binary = Split(clouds.train.x, (clouds.train.y == 0).long())
    model = models.Linear(5, 1)
    with torch.no_grad():
        expected = F.binary_cross_entropy_with_logits(model(binary.x)[:, 0], binary.y.float()).item()
    score = training.evaluate(model, binary)
    assert score.loss == pytest.approx(expected, rel=1e-6)
    assert score.predictions.shape == binary.y.shape and set(score.predictions.tolist()) <= {0, 1}
    first = next(training.steps(model, binary, lr=0.1, batch_size=None))
    assert float(first.loss) == pytest.approx(expected, rel=1e-6)


def test_targets_without_a_column_do_not_broadcast():
    line = data.load("line")
    flat = Split(line.train.x, line.train.y[:, 0])
    first, second = (next(training.steps(models.Linear(1), s, lr=0.01, batch_size=None)) for s in (flat, line.train))
    assert first.loss == second.loss


def test_own_loss(clouds):
    run = training.fit(models.Softmax(5, 3), clouds, lr=0.01, epochs=1, loss=nn.CrossEntropyLoss(label_smoothing=0.1))
    assert run.configuration["loss"] == "CrossEntropyLoss"
    assert run.history[-1]["validation_loss"] < run.history[0]["validation_loss"]


def test_same_seed_same_numbers_and_the_global_generator_stays(clouds):
    def make():
        return nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.5), nn.Linear(16, 3))

    torch.manual_seed(5)
    first, second, third = make(), make(), make()
    second.load_state_dict(first.state_dict())
    third.load_state_dict(first.state_dict())
    before = torch.get_rng_state()
    training.fit(first, clouds, lr=0.01, epochs=2, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    for _ in training.steps(second, clouds.train, lr=0.01, epochs=2, seed=1):
        torch.rand(3)  # the caller's random numbers do not mix with those of dropout
    training.fit(third, clouds, lr=0.01, epochs=2, seed=2)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(third))


def test_a_loop_that_is_left_early_gives_the_generator_back(clouds):
    model = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5))
    before = torch.get_rng_state()
    for step in training.steps(model, clouds.train, lr=0.01):
        if step.number == 2:
            break
    assert torch.equal(torch.get_rng_state(), before)


def test_small_steps_run_on_one_thread_and_the_callers_threads_come_back(clouds):
    seen = []
    model = models.MLP(5, [8], 3)
    model.layers[0].register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in training.steps(model, clouds.train, lr=0.01, batch_size=None):
            seen.append(torch.get_num_threads())
        assert seen[-2:] == [1, 2] and torch.get_num_threads() == 2
        assert training.fit(models.MLP(5, [8], 3), clouds, lr=0.01, epochs=1).stamp()["threads"] == 1
        assert training.fit(models.MLP(5, [9000], 3), clouds, lr=1e-4, epochs=1).stamp()["threads"] == 2
    finally:
        torch.set_num_threads(before)


def test_evaluation_between_steps_does_not_switch_dropout_off(clouds):
    model = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5))
    modes = []
    model[1].register_forward_pre_hook(lambda module, _: modes.append(module.training))
    for _ in training.steps(model, clouds.train, lr=0.01):
        modes.append("step")
        model.eval()
    assert modes[1:] == [True, "step"] * 3


def test_schedule_reaches_the_optimiser(clouds):
    rates = [
        step.lr for step in training.steps(models.Softmax(5, 3), clouds.train, lr=0.1, epochs=2, schedule="cosine")
    ]
    assert rates == pytest.approx([0.1 * training.schedules.cosine(step, 6) for step in range(6)])
    a, b = models.Linear(1), models.Linear(1)
    line = data.load("line")
    list(training.steps(a, line.train, lr=0.02, epochs=3, optimiser="sgd", schedule=lambda step, num_steps: 0.25))
    list(training.steps(b, line.train, lr=0.005, epochs=3, optimiser="sgd"))
    assert torch.allclose(weights(a), weights(b))


def test_divergence_names_the_step_and_keeps_the_last_good_state():
    line = data.load("line")
    model = models.Linear(1)
    with pytest.raises(training.TrainingDiverged) as caught:
        training.fit(model, line, lr=0.1, epochs=200, batch_size=None, optimiser="sgd")
    assert caught.value.step == caught.value.epoch  # all examples at once: one step an epoch
    where = f"after step {caught.value.step} (epoch {caught.value.epoch}) with learning rate 0.1"
    assert f"the loss became inf {where}" in str(caught.value)
    assert "take a smaller one, for example 0.01" in str(caught.value)
    assert torch.isfinite(weights(model)).all()
    assert len(caught.value.history) == caught.value.epoch
    assert all(math.isfinite(row["train_loss"]) for row in caught.value.history)


@pytest.mark.parametrize("batch_size", [None, 30, 16, 7])
def test_the_step_of_a_divergence_lies_in_its_epoch(batch_size):
    line = data.load("line")
    per_epoch = len(data.TensorBatches(line.train, batch_size or len(line.train)))
    for run in (
        lambda: training.fit(models.Linear(1), line, lr=0.1, epochs=200, batch_size=batch_size, optimiser="sgd"),
        lambda: list(training.steps(models.Linear(1), line.train, lr=0.1, epochs=200, batch_size=batch_size,
                                    optimiser="sgd")),
    ):
        with pytest.raises(training.TrainingDiverged) as caught:
            run()
        assert (caught.value.step - 1) // per_epoch + 1 == caught.value.epoch


def test_a_first_update_that_diverges_is_told_from_a_bad_start():
    line = data.load("line")
    with pytest.raises(training.TrainingDiverged, match=r"after step 1 \(epoch 1\).*take a smaller one"):
        training.fit(models.Linear(1), line, lr=1e30, epochs=1, batch_size=None, optimiser="sgd")
    model = models.Linear(1)
    with torch.no_grad():
        model.weight[0, 0] = math.nan
    with pytest.raises(training.TrainingDiverged, match=r"at step 1 \(epoch 1\).*nothing had been updated yet"):
        training.fit(model, line, lr=0.1, epochs=1)


def test_divergence_in_steps_stops_before_the_bad_update(clouds):
    model = models.MLP(5, [8], 3)
    kept = []
    with pytest.raises(training.TrainingDiverged) as caught:
        for step in training.steps(model, clouds.train, lr=1e19, epochs=50, optimiser="sgd", batch_size=16):
            kept.append((step.number, weights(model)))
    assert caught.value.step == kept[-1][0] + 1
    assert torch.isfinite(weights(model)).all()


def test_an_update_that_overflows_goes_back_to_the_last_snapshot():
    line = data.load("line")
    model = models.Linear(1)
    start = weights(model)
    with pytest.raises(training.TrainingDiverged):
        list(training.steps(model, line.train, lr=1e38, optimiser="sgd", epochs=2))
    assert torch.equal(weights(model), start)


def test_the_latch_for_gpus_skips_bad_updates_and_finds_the_step(clouds):
    outcomes = []
    for latched in (False, True):
        model = models.MLP(5, [8], 3)
        loop = Loop(model, clouds.train, Options(lr=1e19, epochs=1, batch_size=2, optimiser="sgd"))
        loop.latched = latched
        with pytest.raises(training.TrainingDiverged) as caught:
            list(loop.epoch(1))
        outcomes.append((caught.value.step, weights(model)))
    assert outcomes[0][0] == outcomes[1][0]
    assert torch.equal(outcomes[0][1], outcomes[1][1])
    calm, other = models.Softmax(5, 3), models.Softmax(5, 3)
    for model, latched in ((calm, True), (other, False)):
        loop = Loop(model, clouds.train, Options(lr=0.01))
        loop.latched = latched
        list(loop.epoch(1))
    assert torch.equal(weights(calm), weights(other))


def test_nan_at_the_first_step_blames_the_start_not_the_rate(clouds):
    model = models.Softmax(5, 3)
    with torch.no_grad():
        model.weight[0, 0] = math.nan
    with pytest.raises(training.TrainingDiverged, match="at step 1 .*nothing had been updated yet"):
        list(training.steps(model, clouds.train, lr=0.1))


def test_early_stopping_goes_back_to_the_best_weights():
    few = blobs(num=60, num_inputs=20, seed=3)
    model = models.MLP(20, [64], 3)
    run = training.fit(model, few, lr=0.02, epochs=200, patience=5)
    losses = [row["validation_loss"] for row in run.history]
    assert len(losses) < 201
    assert run.best_epoch == losses.index(min(losses)) == len(losses) - 1 - 5
    assert training.evaluate(model, few.validation).loss == pytest.approx(min(losses), rel=1e-6)


def test_bfloat16_on_request(clouds, monkeypatch):
    monkeypatch.setenv("HELPERS_PRECISION", "bfloat16")
    run = training.fit(models.Softmax(5, 3), clouds, lr=0.01, epochs=2)
    assert run.precision == "bfloat16" and run.model.weight.dtype is torch.float32
    exact = training.fit(models.Softmax(5, 3), clouds, lr=0.01, epochs=2, precision="float32")
    difference = abs(run.history[-1]["train_loss"] - exact.history[-1]["train_loss"])
    assert 0 < difference < 0.02


def test_stamp_cost_and_flops(clouds):
    run = training.fit(models.MLP(5, [8], 3), clouds, lr=0.01, epochs=2, batch_size=32, seed=4)
    stamp = run.stamp()
    assert stamp["seed"] == 4 and stamp["configuration"]["batch_size"] == 32 and stamp["threads"] == 1
    assert stamp["torch_version"] == torch.__version__ and stamp["seconds"] > 0 and stamp["device"]
    forward = 2 * (5 * 8 + 8 * 3)
    assert stamp["flops"] == forward * (3 * 2 * 180 + 3 * (180 + 60))
    json.dumps(stamp, allow_nan=False)
    assert str(run.cost()).startswith("1 CPU core, ") and "FLOP" in str(run.cost())


def test_record(clouds, tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))
    run = training.fit(models.Softmax(5, 3), clouds, lr=0.01, epochs=2)
    path = run.record("clouds-softmax")
    saved = json.loads(path.read_text())
    assert path == tmp_path / "book" / "mine" / "clouds-softmax.json"
    assert saved["curves"]["validation_loss"] == [row["validation_loss"] for row in run.history]
    assert saved["results"]["validation_accuracy"] == run.history[-1]["validation_accuracy"]
    with pytest.raises(FileExistsError):
        run.record("clouds-softmax")
    assert run.record("clouds-softmax", replace=True) == path


def test_the_test_split_is_touched_once(clouds):
    run = training.fit(models.Softmax(5, 3), clouds, lr=0.01, epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = run.score(clouds.test)
        run.score(clouds.validation)
        run.score(clouds.validation)
    assert score.num_examples == 60 and score.predictions.shape == (60,)
    with pytest.warns(UserWarning, match="this test split was scored before"):
        assert run.score(clouds.test) == score
