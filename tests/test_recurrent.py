"""Recurrent networks, and training on sequences of tokens."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from helpers import models, training
from helpers.data import Card, Dataset, Split
from helpers.training.flops import flops_forward
from helpers.training.losses import evaluate, token_cross_entropy

CARD = Card("t", "t", "t", "t", "t", "simulated", "t")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_is_never_read(cell: str, bidirectional: bool) -> None:
    model = models.Recurrent(9, 6, 3, cell=cell, padding=0, bidirectional=bidirectional, num_layers=2)
    tokens = torch.randint(1, 9, (4, 7))
    with torch.no_grad():
        alone = model(tokens)
        together = model(torch.cat((F.pad(tokens, (0, 5)), torch.randint(1, 9, (1, 12)))))
    torch.testing.assert_close(together[:4], alone)


def test_every_step_reads_only_the_past() -> None:
    model = models.Recurrent(9, 6, 3, every_step=True)
    first, second = torch.randint(0, 9, (2, 8)), torch.randint(0, 9, (2, 8))
    second[:, :5] = first[:, :5]
    torch.testing.assert_close(model(first)[:, :5], model(second)[:, :5])
    assert model(first).shape == (2, 8, 3)


def test_vectors_instead_of_tokens_and_flops_by_hand() -> None:
    model = models.Recurrent(5, 6, 3, tokens=False)
    x = torch.randn(2, 7, 5)
    by_hand = 2 * (2 * 7) * 4 * 6 * (5 + 6) + 2 * 2 * 6 * 3
    assert model(x).shape == (2, 3) and flops_forward(model, x) == by_hand


def test_the_forget_gate_starts_open() -> None:
    plain, opened = models.Recurrent(9, 6, 3), models.Recurrent(9, 6, 3, forget_bias=1.0)
    difference = opened.cell.bias_ih_l0 - plain.cell.bias_ih_l0
    torch.testing.assert_close(difference.detach(), torch.tensor([0.0] * 6 + [1.0] * 6 + [0.0] * 12))


@pytest.mark.parametrize(("make", "words"), [
    (lambda: models.Recurrent(9, 6, 3, cell="ltsm"), "unknown cell 'ltsm': use one of rnn, gru, lstm"),
    (lambda: models.Recurrent(9, 0, 3), "num_hidden must be an integer of at least 1, got 0"),
    (lambda: models.Recurrent(9, 6, 3, tokens=False, padding=0), "padding is a token number"),
    (lambda: models.Recurrent(9, 6, 3)(torch.zeros(2, 3, 4)), r"token numbers \[examples, tokens\], got \[2, 3, 4\]"),
    (lambda: models.Recurrent(9, 6, 3, tokens=False)(torch.zeros(2, 3, 4)), r"\[examples, steps, 9\], got \[2, 3, 4\]"),
    (lambda: models.Recurrent(9, 6, 3, padding=0)(torch.tensor([[1, 2], [0, 0]])), "example 1 holds nothing but"),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_ignored_tokens_do_not_count() -> None:
    model = models.Encoder(9, 6, 9, num_layers=1, d_model=16, num_heads=2)
    x, y = torch.randint(0, 9, (30, 6)), torch.full((30, 6), -100)
    y[:10, 2] = x[:10, 2]
    score = evaluate(model, Split(x, y))
    with torch.no_grad():
        logits = model.eval()(x)
    assert score.loss == pytest.approx(float(F.cross_entropy(logits[:10, 2], y[:10, 2])), rel=1e-5)
    assert score.accuracy == pytest.approx(float((logits[:10, 2].argmax(-1) == y[:10, 2]).float().mean()))
    assert float(token_cross_entropy(logits, y)) == pytest.approx(score.loss, rel=1e-5)


def test_fit_learns_to_repeat_and_starts_at_the_logarithm_of_the_vocabulary() -> None:
    x = torch.randint(0, 8, (512, 12), generator=torch.Generator().manual_seed(0))
    y = x.roll(1, dims=1)
    y[:, 0] = -100  # the token before the first one is unknown
    data = Dataset(Split(x[:400], y[:400]), Split(x[400:], y[400:]), Split(x[400:], y[400:]), CARD)
    model = models.Decoder(8, 12, num_layers=1, d_model=32, num_heads=2)
    run = training.fit(model, data, lr=1e-2, epochs=15, batch_size=50)
    assert run.history[0]["validation_loss"] == pytest.approx(math.log(8), abs=0.1)
    assert run.history[-1]["validation_accuracy"] > 0.95
    assert run.configuration["loss"] == "token cross-entropy" and run.flops > 0


def test_a_token_out_of_range_is_named() -> None:
    x = torch.zeros(5, 3, dtype=torch.long)
    y = torch.tensor([[0, 1, 2], [0, 1, 8], [0, 1, 2], [-100, 1, 2], [0, 1, 2]])
    model = models.Decoder(8, 3, num_layers=1, d_model=16, num_heads=2)
    with pytest.raises(ValueError, match="label 8 of example 1 is out of range"):
        next(training.steps(model, Split(x, y), lr=1e-3))
