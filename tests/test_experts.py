"""Routing, the mixture of experts and its balance, against written-out loops, the counter and torch's FLOP counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers import economics, models, training
from helpers.data import Split
from helpers.models.attention import Config
from helpers.models.experts import Experts, balance_loss, route
from helpers.training.flops import flops_forward

SHAPE = {"num_layers": 2, "d_model": 32, "num_heads": 4, "d_ff": 48, "num_experts": 6}


def _layer(**options: object) -> Experts:
    torch.manual_seed(0)
    return Experts(Config(**{**SHAPE, "top_k": 2, "balance": 0.0, **options}))


@pytest.mark.parametrize("top_k", [1, 2, 6])
@pytest.mark.parametrize("feed_forward", ["gelu", "swiglu"])
def test_the_layer_equals_a_loop_over_tokens(top_k: int, feed_forward: str) -> None:
    layer = _layer(top_k=top_k, feed_forward=feed_forward).double()
    x = torch.randn(3, 5, 32, dtype=torch.float64)
    wanted = torch.zeros_like(x)
    for b in range(3):
        for t in range(5):
            chances = (layer.router.weight @ x[b, t]).exp()
            chances = chances / chances.sum()
            best = sorted(range(6), key=lambda i: -float(chances[i].detach()))[:top_k]
            total = sum(chances[i] for i in best) if top_k > 1 else 1.0
            wanted[b, t] = sum(chances[i] / total * layer.experts[i](x[b, t]) for i in best)
    torch.testing.assert_close(layer(x), wanted)
    assert layer(x[:0]).shape == (0, 5, 32)


def test_gates_carry_a_slope_to_the_router_also_with_one_expert() -> None:
    for top_k in (1, 2):
        layer = _layer(top_k=top_k)
        layer(torch.randn(20, 32)).square().sum().backward()
        assert float(layer.router.weight.grad.abs().max()) > 1e-6


def test_balance_loss_is_one_when_even_and_n_when_collapsed() -> None:
    even = torch.full((12, 6), 1 / 6)
    assert float(balance_loss(torch.arange(12)[:, None] % 6, even)) == pytest.approx(1.0)
    alone = torch.nn.functional.one_hot(torch.zeros(12, dtype=torch.long), 6).double()
    assert float(balance_loss(torch.zeros(12, 1, dtype=torch.long), alone)) == pytest.approx(6.0)


def test_training_adds_the_slopes_of_the_balance_loss_and_evaluation_does_not() -> None:
    x = torch.randn(40, 32)
    plain, balanced = _layer(), _layer(balance=0.5)
    chosen, _, chances = plain.choose(x)
    (plain(x).square().mean() + 0.5 * balance_loss(chosen, chances)).backward()
    value = balanced(x).square().mean()
    value.backward()
    for one, other in zip(plain.parameters(), balanced.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    balanced.eval()
    torch.testing.assert_close(balanced(x), plain(x))


def test_the_shift_moves_choices_and_leaves_gates_alone() -> None:
    layer, x = _layer(balance_step=0.01), torch.randn(200, 32)
    x = x + 3 * layer.router.weight[2].detach() / layer.router.weight[2].detach().norm()  # everybody likes expert 2
    before = torch.bincount(layer.choose(x)[0].flatten(), minlength=6)
    for _ in range(100):
        layer(x)
    chosen, gates, chances = layer.choose(x)
    after = torch.bincount(chosen.flatten(), minlength=6)
    assert before.max() > 2.5 * before.float().mean() and after.max() < 1.4 * after.float().mean()
    taken = chances.gather(1, chosen)
    torch.testing.assert_close(gates, taken / taken.sum(dim=1, keepdim=True))
    kept = layer.shift.clone()
    layer.eval()(x)
    assert torch.equal(layer.shift, kept) and "shift" in layer.state_dict()


def test_parameters_and_flop_equal_the_counter_and_torchs() -> None:
    model = models.Decoder(50, 24, tied=False, top_k=2, **SHAPE).eval()
    counted = economics.count_transformer(2, 32, 4, vocabulary=50, context=24, d_ff=48, num_experts=6, top_k=2,
                                          tied=False)
    tokens = torch.randint(0, 50, (2, 24))
    assert model.num_parameters == counted.parameters > counted.active_parameters
    assert flops_forward(model, tokens) == counted.flops * 48
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        model(tokens)
    assert counter.get_total_flops() == counted.flops * 48


def test_a_model_with_experts_trains_and_comes_back_from_its_state() -> None:
    x = torch.randint(0, 20, (64, 12), generator=torch.Generator().manual_seed(0))
    split = Split(x[:, :-1].contiguous(), x[:, 1:].contiguous())
    model = models.Decoder(20, 12, top_k=2, balance_step=0.001, **SHAPE)
    losses = [float(step.loss) for step in training.steps(model, split, lr=1e-2, epochs=20, batch_size=32)]
    assert losses[-1] < losses[0] - 0.3
    other = models.Decoder(20, 12, top_k=2, balance_step=0.001, seed=1, **SHAPE)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(split.x), other.eval()(split.x))


@pytest.mark.parametrize(("call", "words"), [
    (lambda: models.Decoder(20, 8, **{**SHAPE, "top_k": 7}), "top_k must be at most num_experts, got 7 and 6"),
    (lambda: models.Decoder(20, 8, num_experts=0), "num_experts must be an integer of at least 1, got 0"),
    (lambda: models.Decoder(20, 8, num_experts=2, top_k=0), "top_k must be an integer of at least 1, got 0"),
    (lambda: route(torch.zeros(3, 4), 5), "top_k must lie in 1 … 4, the number of experts, got 5"),
    (lambda: Config(balance=-1.0), "balance must be at least 0, got -1.0"),
    (lambda: Config(balance_step=float("nan")), "balance_step must be at least 0, got nan"),
])
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
