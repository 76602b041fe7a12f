"""Models: shapes, counts, initial weights, bad input."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from helpers import models
from helpers.training import flops_forward


def test_linear_is_a_matrix_product():
    model = models.Linear(3, 2)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(x), x @ model.weight.T + model.bias)
    assert model.num_parameters == models.count(model) == 3 * 2 + 2


def test_mlp_equals_the_same_layers_in_torch():
    model = models.MLP(4, [8, 6], 3, activation="tanh")
    plain = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
    plain.load_state_dict({name.removeprefix("layers."): value for name, value in model.state_dict().items()})
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), plain(x))
    assert model.num_parameters == 4 * 8 + 8 + 8 * 6 + 6 + 6 * 3 + 3
    assert models.MLP(4, [], 3).num_parameters == 15


def test_the_network_of_the_documents_has_its_printed_size():
    model = models.CNN(3, [32, 64, 128], 1, image_size=150, hidden=128, padding="valid")
    assert model.num_parameters == 4_828_481
    assert model(torch.zeros(2, 3, 150, 150)).shape == (2, 1)


def test_small_cnn():
    model = models.CNN(1, [8, 16], 10, image_size=28, hidden=None, global_pool=True, batch_norm=True, dropout=0.1)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert model.num_parameters == (9 * 8 + 8) + 2 * 8 + (9 * 8 * 16 + 16) + 2 * 16 + (16 * 10 + 10)


def test_a_shrinking_cnn_looks_at_block_averages():
    small = models.CNN(1, [4], 1, image_size=5, hidden=None)
    shrinking = models.CNN(1, [4], 1, image_size=10, hidden=None, shrink=2)
    x = torch.rand(3, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shrinking(x), small(torch.nn.functional.avg_pool2d(x, 2)))
    with pytest.raises(ValueError, match="shrink must be an integer of at least 1, got 0"):
        models.CNN(1, [4], 1, image_size=10, shrink=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: models.Linear(4, 2, seed=seed),
        lambda seed: models.Softmax(4, 3, seed=seed),
        lambda seed: models.MLP(4, [8], 2, seed=seed),
        lambda seed: models.CNN(1, [4], 2, image_size=8, seed=seed),
    ],
)
def test_the_seed_decides_the_weights_and_nothing_else_moves(make):
    before = torch.get_rng_state()
    first, again, other = make(1), make(1), make(2)
    assert torch.equal(torch.get_rng_state(), before)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_initial_weights_are_uniform_within_one_over_root_of_inputs():
    weight = models.Softmax(400, 50).weight
    assert weight.abs().max() <= 0.05
    assert weight.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (models.MLP(20, [32], 5), torch.zeros(6, 20)),
        (models.Softmax(20, 5), torch.zeros(6, 20)),
        (models.CNN(3, [4, 8], 2, image_size=20, padding="valid"), torch.zeros(6, 3, 20, 20)),
        (models.CNN(1, [4, 8], 2, image_size=16, global_pool=True), torch.zeros(6, 1, 16, 16)),
        (models.CNN(1, [4, 8], 2, image_size=32, global_pool=True, shrink=2), torch.zeros(6, 1, 32, 32)),
    ],
)
def test_flops_agree_with_torch(model, x):
    with FlopCounterMode(display=False) as counter:
        model(x)
    assert flops_forward(model, x) == counter.get_total_flops() > 0
    x = x.clone().requires_grad_()  # with a gradient for the inputs too, the backward pass is exactly twice the forward
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    assert 3 * flops_forward(model, x.detach()) == counter.get_total_flops()


def test_flops_are_not_guessed():
    assert flops_forward(nn.ConvTranspose2d(1, 2, 3), torch.zeros(3, 1, 4, 4)) is None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.Linear(0), "num_inputs must be an integer of at least 1, got 0"),
        (lambda: models.Softmax(4, 2.5), "num_classes must be an integer of at least 1, got 2.5"),
        (lambda: models.MLP(4, 8, 2), r"hidden must be a list of widths such as \[128\], got 8"),
        (lambda: models.MLP(4, [0], 2), "a width in hidden must be an integer of at least 1, got 0"),
        (lambda: models.MLP(4, [8], 2, activation="relo"), "unknown activation 'relo': use one of relu, tanh"),
        (lambda: models.MLP(4, [8], 2)(torch.zeros(3, 5)), r"MLP expects inputs \[examples, 4\], got \[3, 5\]"),
        (lambda: models.Softmax(4, 2)(torch.zeros(5)), r"Softmax expects inputs \[examples, 4\], got \[5\]"),
        (lambda: models.CNN(1, [], 2, image_size=8), r"channels must be a list such as \[32, 64\], got \[\]"),
        (lambda: models.CNN(1, [4, 8], 2, image_size=3), "images of 3×3 pixels are too small for 2 stages"),
        (lambda: models.CNN(1, [4], 2, image_size=8, padding="full"), "unknown padding 'full'"),
        (lambda: models.CNN(1, [4], 2, image_size=8, dropout=1.0), r"dropout .* lies in \[0, 1\), got 1.0"),
        (
            lambda: models.CNN(3, [4], 2, image_size=8)(torch.zeros(2, 1, 8, 8)),
            r"CNN expects images \[examples, 3, 8, 8\], got \[2, 1, 8, 8\]",
        ),
        (lambda: models.Linear(2, seed=-1), "seed must be an integer of at least 0, got -1"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()
