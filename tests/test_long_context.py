"""Windows, caches that forget, linear attention, and the task of finding and using facts."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from helpers import data, models
from helpers.data import facts
from helpers.models.attention import Attention, Config, LinearAttention
from helpers.training.flops import flops_forward

TINY = {"num_layers": 2, "d_model": 32, "num_heads": 4}


def _linear(**options: object) -> LinearAttention:
    torch.manual_seed(0)
    return LinearAttention(Config(d_model=32, num_heads=4, attention="linear", **options)).double()


@pytest.mark.parametrize("num_kv_heads", [4, 2])
def test_linear_attention_is_the_same_in_every_form(num_kv_heads: int) -> None:
    layer, x = _linear(num_kv_heads=num_kv_heads), torch.randn(2, 37, 32, dtype=torch.float64)
    _, _, v = layer.features(x)
    parallel = layer.output((layer.weights(x) @ v).transpose(1, 2).reshape(2, 37, 32))
    for chunk in (1, 5, 64):                     # 1 is the recurrent form
        layer.chunk = chunk
        torch.testing.assert_close(layer(x), parallel, atol=1e-12, rtol=1e-10)
    state = layer.cache(2, 100, x)
    pieces = [layer(piece, cache=state) for piece in x.split([20, 1, 16], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), parallel, atol=1e-12, rtol=1e-10)
    assert state.length == 37 and state.num_bytes == 2 * 4 * 8 * 9 * 8


def test_linear_attention_sees_neither_the_future_nor_padding() -> None:
    layer, x = _linear(), torch.randn(1, 20, 32, dtype=torch.float64)
    changed = x.clone()
    changed[:, 12:] += 1.0
    torch.testing.assert_close(layer(x)[:, :12], layer(changed)[:, :12])
    real = torch.ones(1, 20, dtype=torch.bool)
    real[:, :5] = False
    torch.testing.assert_close(layer(x, real=real)[:, 5:], layer(x[:, 5:]))
    nobody = layer(x.requires_grad_(), real=torch.zeros_like(real))
    nobody.sum().backward()
    assert float(nobody.detach().abs().max()) == 0.0 and torch.isfinite(x.grad).all()


def test_flop_of_linear_attention_are_torchs_and_grow_in_proportion() -> None:
    model = models.Decoder(20, 256, attention="linear", tied=False, **TINY).eval()
    tokens, counter = torch.randint(0, 20, (1, 200)), FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(tokens)
    sums_started = 2 * 2 * 4 * 8 * 9             # the empty sums of each layer are made by a product of one token
    assert counter.get_total_flops() - sums_started == flops_forward(model, tokens)
    layer = model.stack.blocks[0].attention
    assert layer.flops(torch.zeros(1, 1024, 32)) == 8 * layer.flops(torch.zeros(1, 128, 32))


@pytest.mark.parametrize("options", [{"window": 1}, {"window": 5}, {"attention": "linear"},
                                     {"attention": "linear", "num_kv_heads": 2}])
def test_the_cache_equals_the_full_forward_pass(options: dict) -> None:
    model = models.Decoder(50, 24, **TINY, **options).eval()
    tokens = torch.randint(0, 50, (3, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        full, caches = model(tokens), model.caches(3)
        pieces = [model(piece, caches) for piece in tokens.split([7, 5, 1, 1, 3, 1, 2], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), full, atol=1e-5, rtol=1e-5)


def test_bytes_of_the_caches() -> None:
    def kept(num_tokens: int, **options: object) -> int:
        model = models.Decoder(50, 64, **TINY, **options)
        caches = model.caches(1)
        with torch.no_grad():
            model(torch.zeros(1, num_tokens, dtype=torch.long), caches)
        return sum(cache.num_bytes for cache in caches)

    assert kept(40) == 2 * 2 * 32 * 40 * 4 and kept(40, num_kv_heads=1) == kept(40) // 4
    assert kept(40, window=9) == kept(60, window=9) == 2 * 2 * 32 * 8 * 4
    assert kept(4, window=9) == kept(4) and kept(0 + 3, attention="linear") == kept(60, attention="linear")


def test_a_window_reaches_layers_times_window_minus_one() -> None:
    model = models.Decoder(50, 64, num_layers=3, d_model=32, num_heads=4, window=5).eval()
    x = torch.randn(1, 40, 32, requires_grad=True)
    model.stack(x)[0, -1].sum().backward()
    felt = x.grad[0].abs().sum(dim=1) > 0
    assert int(felt.sum()) == 3 * (5 - 1) + 1 and bool(felt[-13:].all())


def test_all_masked_rows_with_a_window_give_zeros() -> None:
    attention = Attention(Config(d_model=32, num_heads=4, window=3))
    x, real = torch.randn(1, 8, 32, requires_grad=True), torch.ones(1, 8, dtype=torch.bool)
    real[:, :5] = False                          # tokens 0 to 4 see only padding in their windows
    out = attention(x, real=real)
    out.sum().backward()
    assert float(out[:, :5].detach().abs().max()) == 0.0
    assert torch.isfinite(out).all() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Config(attention="linear", causal=False), "linear attention is causal and has no window"),
    (lambda: Config(attention="linear", window=8), "linear attention is causal and has no window"),
    (lambda: Config(attention="sparse"), "unknown attention 'sparse': use one of softmax, linear"),
    (lambda: models.Encoder(9, 8, 9, attention="linear"), "linear attention is causal"),
    (lambda: models.Decoder(9, 8, window=3, **TINY)(torch.zeros(1, 9, dtype=torch.long)),
     "the sequence has 9 tokens, the model's context is 8"),
    (lambda: data.load("facts", length=7), "length must be a whole number of at least 8, got 7"),
    (lambda: data.load("facts", num_train=0), "num_train must be a whole number of at least 1, got 0"),
])
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_a_cache_that_is_full_says_so() -> None:
    for options in ({}, {"window": 3}):
        cache = Attention(Config(d_model=32, num_heads=4, **options)).cache(1, 4, torch.zeros(1))
        with pytest.raises(ValueError, match="the cache holds 4 tokens, got 5"):
            cache.extend(torch.zeros(1, 4, 5, 8), torch.zeros(1, 4, 5, 8))


def test_facts_ask_for_what_stands_in_the_text() -> None:
    length = 16
    split = data.load("facts", length=length, num_train=50).train
    found, pair = facts.places(split.x, length)
    values = split.x[:, :length] % facts.NUM_VALUES
    answers = split.y[:, length:].view(50, 4, 3)
    assert (answers[..., 0] == values.gather(1, found)).all() and (answers[..., 1] == -100).all()
    both = values.gather(1, pair[..., 0]) + values.gather(1, pair[..., 1])
    assert (answers[..., 2] == both % facts.NUM_VALUES).all() and (split.y[:, :length] == -100).all()
    keys = split.x[:, :length].gather(1, found) // facts.NUM_VALUES
    assert (keys == split.x[:, length::3] - facts.FIND).all()


def test_the_recording_runs_at_toy_size(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import mixture

    monkeypatch.setattr(mixture, "SEEDS", (0,))
    monkeypatch.setattr(mixture, "BETWEEN", 1)
    sizes = mixture.measure(64)
    rows = sizes["results"]
    dense, experts, wide = (rows[name] for name in mixture.SIZES)
    assert dense["active_parameters"] < experts["active_parameters"] < 1.02 * dense["active_parameters"]
    assert wide["parameters"] < experts["parameters"] < 1.02 * wide["parameters"]
    assert len(sizes["curves"]["dense, equal total, seed 0"]) == 2
