"""Pen strokes, the reader of drawings, and the recipes of the chapter on convolution at toy size."""

import base64

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import convolution as contest
from benchmarks import reader as recipe
from helpers import models, records
from helpers.data import strokes
from helpers.explorers.reader import LETTER_A, GlyphReader, grain, num_weights, recorded_weights
from helpers.models.cnn import Block, fold


def test_a_picture_is_centred_scaled_and_as_thick_as_the_pen():
    image = strokes.picture([[[3, 0], [3, 50]]], pen=1.0)
    rows, columns = np.flatnonzero(image.max(axis=1) > 0.5), np.flatnonzero(image.max(axis=0) > 0.5)
    assert (rows[0], rows[-1]) == (4, 23) and (columns[0], columns[-1]) == (13, 14)
    assert image[14, 13] == pytest.approx(1.0) and image[14, 12] == pytest.approx(0.0)
    moved = strokes.picture([[[3, 0], [3, 50]]], pen=1.0, right=2, down=-3)
    assert np.allclose(moved, np.roll(image, (-3, 2), axis=(0, 1)))
    assert np.allclose(strokes.picture([[[3, 0], [3, 50]]], pen=1.0, turn=90), image.T, atol=1e-9)
    assert np.allclose(strokes.picture([[[9, -7], [9, 1]]], pen=1.0), image)          # place and size do not matter
    assert strokes.picture([]).max() == 0 and strokes.picture([[[5, 5]]], pen=2.0).sum() > 5


def test_simulated_handwriting_is_balanced_repeatable_and_in_range():
    x, y = strokes.simulated(40, seed=1)
    again, _ = strokes.simulated(40, seed=1)
    assert x.shape == (40, 1, 28, 28) and torch.equal(x, again)
    assert torch.bincount(y).tolist() == [4] * 10 and x.min() == 0 and x.max() == 1
    assert not torch.equal(x, strokes.simulated(40, seed=2)[0])


def test_sketches_are_three_hands_of_ten():
    assert [digit for digit, _ in strokes.sketches()] == list(range(10)) * 3


@pytest.mark.parametrize(("call", "message"), [
    (lambda: strokes.example(10), "digit from 0 to 9 and a way from 0, found digit 10"),
    (lambda: strokes.example(3, 5), "found digit 3, way 5"),
    (lambda: strokes.picture([[]]), "at least one point"),
    (lambda: strokes.picture([[[0, 0]]], pen=0), "radius in pixels above 0, found 0"),
    (lambda: strokes.simulated(0), "at least 1, found 0"),
    (lambda: GlyphReader([0.0] * 5, [3, 4]), "has [0-9,]+ weights, found 5"),
    (lambda: GlyphReader(np.zeros(num_weights([64, 160])), [64, 160]), "at most 100,000 weights"),
    (lambda: models.CNN(1, [4, 4], 2, image_size=8, num_blocks=[1]), "one for each of the 2 stages, got \\[1\\]"),
    (lambda: models.CNN(1, [4], 2, image_size=8, num_blocks=-1), "got -1"),
    (lambda: models.CNN(1, [4], 2, image_size=8, residual=True), "residual=True needs num_blocks"),
    (lambda: fold(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3))), "before every BatchNorm2d, found ReLU"),
])  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_blocks_add_their_input_and_count():
    x = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    plain, residual = Block(4), Block(4, residual=True)
    residual.load_state_dict(plain.state_dict())
    assert torch.equal(residual(x), x + plain(x))
    deep = models.CNN(1, [4, 4], 10, image_size=8, hidden=None, num_blocks=[0, 3], residual=True)
    shallow = models.CNN(1, [4, 4], 10, image_size=8, hidden=None)
    assert deep.num_parameters - shallow.num_parameters == 3 * (9 * 4 * 4 + 4)


def test_fold_computes_the_same_without_normalisation():
    model = models.CNN(1, [4, 6], 10, image_size=8, hidden=None, batch_norm=True, num_blocks=1, residual=True)
    x = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.uniform_(layer.bias, -1, 1)
    for _ in range(5):
        model(x)
    folded = fold(model)
    assert torch.allclose(folded(x), model.eval()(x), atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) == 4      # the model is left alone


def test_the_explorer_computes_what_the_model_computes():
    model = models.CNN(1, [3, 5], 10, image_size=28, hidden=None)
    flat = nn.utils.parameters_to_vector(model.parameters()).detach()
    half = flat.half().float()
    nn.utils.vector_to_parameters(half, model.parameters())
    found = GlyphReader.compute(half.tolist(), [3, 5], LETTER_A)
    with torch.no_grad():
        wanted = model(torch.tensor(found["image"]).float().reshape(1, 1, 28, 28))[0]
    assert np.abs(np.array(found["logits"]) - wanted.numpy()).max() < 1e-4
    assert found["logits"] == found["before"]
    attacked = GlyphReader.compute(half.tolist(), [3, 5], LETTER_A, attack=0.05)
    answer = int(np.argmax(found["logits"]))
    before, after = (torch.tensor(attacked[key]).softmax(0)[answer] for key in ("before", "logits"))
    assert after < before
    assert np.abs(np.array(attacked["image"]) - found["image"]).max() == pytest.approx(0.05)
    assert len(set(grain(784))) == 784 and -1 <= min(grain(784)) < max(grain(784)) < 1


def test_the_recorded_reader_reads_the_sketches():
    record = records.load("glyph-reader")
    weights, channels = recorded_weights(record), record["configuration"]["network"]["channels"]
    assert len(weights) == num_weights(channels) == record["results"]["num_parameters"] <= 100_000
    right = [np.argmax(GlyphReader.compute(weights, channels, lines)["logits"]) == digit
             for digit, lines in strokes.sketches()]
    assert sum(right) >= 27
    assert len(GlyphReader.from_record(record).html()) < 300_000


def test_the_recipe_of_the_reader_at_toy_size(monkeypatch):
    for name, value in {"NUM_STROKES": 40, "NUM_GLYPHS": 200, "TIMES_DIGITS": 1,
                        "MODEL": {**recipe.MODEL, "channels": [2, 3]},
                        "OPTIONS": {**recipe.OPTIONS, "epochs": 1}}.items():
        monkeypatch.setattr(recipe, name, value)
    found = recipe.measure()
    assert found["configuration"]["num_train"] > 40 + 140
    weights = np.frombuffer(base64.b64decode(found["results"]["weights_float16"]), dtype="<f2")
    assert len(weights) == num_weights([2, 3]) == found["results"]["num_parameters"]
    assert 0 <= found["results"]["handwriting, 8 × 8"]["accuracy"] <= 1
    assert set(found["curves"]) == {"train_loss", "validation_loss", "validation_accuracy"}


def test_the_recipe_of_the_contest_at_toy_size(monkeypatch):
    for name, value in {"SEEDS": (0,), "CNNS": {"cnn": [2]}, "MLPS": {"mlp, 128": [3]},
                        "CONTEST": {**contest.CONTEST, "epochs": 1}}.items():
        monkeypatch.setattr(contest, name, value)
    results = contest.measure()["results"]
    assert results["mlp, 128"]["num_parameters"] == 784 * 3 + 3 + 3 * 10 + 10
    assert all(len(row["test_accuracy"]) == 1 for row in results.values())
