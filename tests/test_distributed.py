"""Two processes over gloo give the numbers of one."""

import json
import subprocess
import sys

import pytest

from helpers import data, models, training
from helpers.training import distributed


def launch(num_processes, output, *options):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(num_processes)]
    command += ["-m", "helpers.training.distributed", "--output", str(output), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_two_processes_equal_one(tmp_path):
    options = ["--data", "digits", "--epochs", "3", "--lr", "0.01", "--batch-size", "63", "--seed", "2"]
    done = launch(2, tmp_path / "two.json", *options)
    assert done.returncode == 0, done.stderr
    two = json.loads((tmp_path / "two.json").read_text())
    assert two["stamp"]["configuration"]["num_processes"] == 2
    digits = data.load("digits", seed=2)
    one = training.fit(models.MLP(64, [32], 10, seed=2), digits, lr=0.01, epochs=3, batch_size=63, seed=2)
    for ours, theirs in zip(one.history, two["history"], strict=True):
        assert theirs["train_loss"] == pytest.approx(ours["train_loss"], abs=1e-5)
        assert theirs["validation_loss"] == pytest.approx(ours["validation_loss"], abs=1e-5)
    assert two["history"][-1]["train_loss"] < 0.5 * two["history"][0]["train_loss"]


def test_what_is_wrong_is_said_before_a_process_group_starts(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder .*nowhere for the history does not exist: create it first"):
        distributed.main(["--output", str(tmp_path / "nowhere" / "two.json")])
    with pytest.raises(ValueError, match="the data set 'line' has no classes: choose one that has"):
        distributed.main(["--data", "line", "--output", str(tmp_path / "two.json")])


def test_divergence_stops_all_processes(tmp_path):
    done = launch(2, tmp_path / "two.json", "--data", "digits", "--lr", "1e30", "--optimiser", "sgd")
    assert done.returncode != 0 and not (tmp_path / "two.json").exists()
    assert done.stderr.count("TrainingDiverged: the loss became") >= 2
