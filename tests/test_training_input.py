"""What training refuses, in one clear sentence before the first step; and what its import needs."""

import math
import subprocess
import sys

import pytest
from clouds import blobs

from helpers import data, models, training
from helpers.data import Split


@pytest.fixture(scope="module")
def clouds():
    return blobs()


def _nan(clouds):
    x = clouds.train.x.clone()
    x[4, 2], x[9, 0] = math.nan, math.inf
    return Split(x, clouds.train.y)


def _label(clouds):
    y = clouds.train.y.clone()
    y[11] = 7
    return Split(clouds.train.x, y)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (_label, r"label 7 of example 11 is out of range: the model tells 3 classes apart, .* 0 … 2 \(1 of 180"),
        (_nan, r"2 of 900 features are NaN or infinite, the first one at example 4, position \[2\]"),
        (lambda d: Split(d.train.x.double(), d.train.y), "the features are float64 but the model is float32"),
        (lambda d: Split(d.train.x.byte(), d.train.y), r"the features are uint8 \(0 … 255\): give the model floats"),
        (lambda d: Split(d.train.x[:, :4], d.train.y), r"Softmax expects inputs \[examples, 5\], got \[2, 4\]"),
        (lambda d: Split(d.train.x, d.train.x[:, :2]), r"returns \[3\] values an example, the targets have \[2\]"),
        (lambda d: Split(d.train.x[:0], d.train.y[:0]), "there are no examples to train on"),
        (lambda d: d, "training needs a split with x and y .such as dataset.train., got Dataset"),
    ],
)
def test_bad_data(clouds, split, message):
    with pytest.raises(ValueError, match=message):
        training.steps(models.Softmax(5, 3), split(clouds), lr=0.1)


def test_binary_labels_out_of_range(clouds):
    with pytest.raises(ValueError, match="label 2 of example .* tells 2 classes apart"):
        training.steps(models.Linear(5, 1), clouds.train, lr=0.1)


def test_nan_in_regression_targets():
    line = data.load("line")
    y = line.train.y.clone()
    y[3] = math.nan
    with pytest.raises(ValueError, match="the targets hold NaN or infinite numbers, first in example 3"):
        training.steps(models.Linear(1), Split(line.train.x, y), lr=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, "learning rate lr must be a finite number above 0, got 0.0"),
        ({"lr": -1}, "above 0, got -1"),
        ({"lr": 0.1, "epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"lr": 0.1, "epochs": 2.5}, "epochs must be a whole number of at least 1, got 2.5"),
        ({"lr": 0.1, "batch_size": 0}, r"batch_size must be .* \(or None for all examples at once\), got 0"),
        ({"lr": 0.1, "optimiser": "lion"}, "unknown optimiser 'lion'"),
        ({"lr": 0.1, "schedule": "linear"}, "unknown schedule 'linear'"),
        ({"lr": 0.1, "seed": -3}, "seed must be an integer of at least 0, got -3"),
        ({"lr": 0.1, "device": "tpu"}, "unknown device 'tpu'"),
        ({"lr": 0.1, "precision": "float8"}, "unknown precision 'float8'"),
    ],
)
def test_bad_options_speak_before_the_first_step(clouds, options, message):
    with pytest.raises(ValueError, match=message):
        training.steps(models.Softmax(5, 3), clouds.train, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "patience must be a whole number of epochs of at least 1, or None, got 0"),
        ({"resume": True}, "resume=True needs checkpoint=PATH"),
    ],
)
def test_bad_options_of_fit(clouds, options, message):
    with pytest.raises(ValueError, match=message):
        training.fit(models.Softmax(5, 3), clouds, lr=0.1, epochs=1, **options)
    with pytest.raises(ValueError, match="fit needs a data set with train and validation splits, got Split"):
        training.fit(models.Softmax(5, 3), clouds.train, lr=0.1, epochs=1)


def test_import_needs_no_notebook_packages():
    """It works where only the base packages are, and loads fewer."""
    code = """
import sys
for name in ("IPython", "ipywidgets", "anywidget", "jupyter_book", "nbformat", "pandas", "safetensors", "tqdm", "PIL",
             "accelerate", "tokenizers", "scipy", "yaml"):
    sys.modules[name] = None
import helpers.training
assert "sklearn" not in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
