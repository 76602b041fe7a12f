"""Checkpoints: resuming gives the numbers of an uninterrupted run; damage and mix-ups are refused."""

import errno
import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from helpers import data, models, training
from helpers.training import checkpoints


@pytest.fixture(scope="module")
def wine():
    return data.load("wine")


class Dropping(nn.Sequential):
    """A net with every kind of state: weights, running means of the batch, dropout."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Linear(13, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("optimiser", ["momentum", "rmsprop", "adamw"])
@pytest.mark.parametrize("patience", [None, 50])
def test_resuming_gives_exactly_the_same_numbers(wine, tmp_path, optimiser, patience, monkeypatch):
    options = {"lr": 0.01, "optimiser": optimiser, "batch_size": 32, "patience": patience, "schedule": "cosine"}
    whole = training.fit(Dropping(), wine, epochs=6, **options)
    path = tmp_path / "run.safetensors"
    real, calls = checkpoints.save, []

    def pulled_plug(*arguments):
        real(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", pulled_plug)
    with pytest.raises(KeyboardInterrupt):
        training.fit(Dropping(), wine, epochs=6, checkpoint=path, **options)
    monkeypatch.setattr(checkpoints, "save", real)
    assert checkpoints.load(path).epoch == 2
    resumed = training.fit(Dropping(), wine, epochs=6, checkpoint=path, resume=True, **options)
    assert resumed.history == whole.history and resumed.best_epoch == whole.best_epoch
    assert same(resumed.model, whole.model)
    assert resumed.flops == whole.flops
    again = training.fit(Dropping(), wine, epochs=6, checkpoint=path, resume=True, **options)
    assert again.history == whole.history and same(again.model, whole.model)


def test_a_run_can_be_made_longer(wine, tmp_path):
    path = tmp_path / "run.safetensors"
    training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=2, checkpoint=path)
    longer = training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=4, checkpoint=path, resume=True)
    whole = training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=4)
    assert longer.history == whole.history and same(longer.model, whole.model)
    with pytest.raises(ValueError, match="holds 4 epochs already, more than the 3 asked for"):
        training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=3, checkpoint=path, resume=True)


def test_nothing_random_or_pickled_inside(wine, tmp_path):
    for name in ("a", "b"):
        training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=1, checkpoint=tmp_path / name)
    a, b = (checkpoints.load(tmp_path / name) for name in ("a", "b"))
    assert a.model.keys() == {"weight", "bias"} and torch.equal(a.model["weight"], b.model["weight"])
    assert a.optimiser.keys() == {0, 1} and "exp_avg" in a.optimiser[0]
    assert b"pickle" not in (tmp_path / "a").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"]


def test_save_and_load_a_model(tmp_path):
    model, other = models.MLP(4, [8], 2, seed=1), models.MLP(4, [8], 2, seed=2)
    path = checkpoints.save_model(tmp_path / "model.safetensors", model)
    assert checkpoints.load_model(path, other) is other and same(model, other)


def test_another_model_is_refused_and_left_alone(wine, tmp_path):
    path = checkpoints.save_model(tmp_path / "model.safetensors", models.MLP(4, [8], 2))
    other = models.MLP(4, [9], 2, seed=5)
    message = r"is of another model: layers.0.weight is \[8, 4\] there and \[9, 4\] in this model"
    with pytest.raises(ValueError, match=message):
        checkpoints.load_model(path, other)
    assert same(other, models.MLP(4, [9], 2, seed=5))
    with pytest.raises(ValueError, match=r"weight is absent there and \[3, 13\] in this model"):
        checkpoints.load_model(path, models.Softmax(13, 3))
    run = tmp_path / "run.safetensors"
    training.fit(models.MLP(13, [4], 3), wine, lr=0.01, epochs=1, checkpoint=run)
    before = run.read_bytes()
    with pytest.raises(ValueError, match="is of another model"):
        training.fit(models.MLP(13, [5], 3), wine, lr=0.01, epochs=1, checkpoint=run, resume=True)
    assert run.read_bytes() == before


def test_other_options_are_refused(wine, tmp_path):
    path = tmp_path / "run.safetensors"
    training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match="made with lr=0.01, this run has 0.02: use the same value, or another file"):
        training.fit(models.Softmax(13, 3), wine, lr=0.02, epochs=2, checkpoint=path, resume=True)
    weights_only = checkpoints.save_model(tmp_path / "weights", models.Softmax(13, 3))
    with pytest.raises(ValueError, match="holds weights only, so a run cannot be resumed from it"):
        training.fit(models.Softmax(13, 3), wine, lr=0.02, epochs=2, checkpoint=weights_only, resume=True)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("resume", [True, False])
def test_a_truncated_file_is_refused_and_left_alone(wine, tmp_path, share, resume):
    path = tmp_path / "run.safetensors"
    training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=1, checkpoint=path)
    content = path.read_bytes()[: int(share * path.stat().st_size)]
    path.write_bytes(content)
    model = models.Softmax(13, 3)
    with pytest.raises(ValueError, match=rf"is no readable checkpoint \({len(content)} bytes; it may be cut short\)"):
        training.fit(model, wine, lr=0.01, epochs=1, checkpoint=path, resume=resume)
    assert path.read_bytes() == content and same(model, models.Softmax(13, 3))


def test_a_readers_own_file_is_never_overwritten(wine, tmp_path):
    text, tensors = tmp_path / "thesis.txt", tmp_path / "other.safetensors"
    text.write_text("three years of work")
    save_file({"a": torch.ones(2)}, tensors)
    for path, message in ((text, "is no readable checkpoint"), (tensors, "is no checkpoint of this course")):
        before = path.read_bytes()
        with pytest.raises(ValueError, match=message):
            training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=1, checkpoint=path)
        assert path.read_bytes() == before


def test_a_run_that_diverges_leaves_the_checkpoint_of_its_last_good_epoch(tmp_path):
    path, line = tmp_path / "run.safetensors", data.load("line")
    with pytest.raises(training.TrainingDiverged) as caught:
        training.fit(models.Linear(1), line, lr=0.1, epochs=200, batch_size=None, optimiser="sgd", checkpoint=path)
    state = checkpoints.load(path)
    assert state.epoch == len(state.history) - 1 == caught.value.epoch - 1 and state.history == caught.value.history
    assert all(torch.isfinite(tensor).all() for tensor in state.model.values())


def test_missing_files_and_folders(wine, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        checkpoints.load(tmp_path / "none.safetensors")
    for write in (
        lambda path: checkpoints.save_model(path, models.Linear(1)),
        lambda path: training.fit(models.Softmax(13, 3), wine, lr=0.01, epochs=1, checkpoint=path),
    ):
        with pytest.raises(FileNotFoundError, match="the folder .*nowhere for the checkpoint does not exist"):
            write(tmp_path / "nowhere" / "run.safetensors")


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = checkpoints.save_model(tmp_path / "model.safetensors", models.Linear(3))
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.save_model(path, models.Linear(3, seed=1))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
