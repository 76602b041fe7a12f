"""The block, the decoder, the encoder and the vision transformer against written-out formulas and torch."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from helpers import economics, models
from helpers.models.attention import Attention, Config, mix, visible
from helpers.models.positions import rotate, rotation, sinusoids
from helpers.training.flops import flops_forward

TINY = {"num_layers": 2, "d_model": 32, "num_heads": 4}


def _decoder(**options: object) -> models.Decoder:
    return models.Decoder(50, 24, **{**TINY, **options}).eval()


def _tokens(num: int = 3, length: int = 20, vocabulary: int = 50) -> torch.Tensor:
    return torch.randint(0, vocabulary, (num, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("num_kv_heads", [4, 2, 1])
def test_attention_equals_the_formula_with_three_matrices(causal: bool, window: int | None, num_kv_heads: int) -> None:
    attention = Attention(Config(d_model=32, num_heads=4, num_kv_heads=num_kv_heads, causal=causal, window=window))
    x = torch.randn(2, 9, 32)
    q = attention.queries(x).view(2, 9, 4, 8).transpose(1, 2)
    k, v = attention.keys_values(x).view(2, 9, 2 * num_kv_heads, 8).transpose(1, 2).chunk(2, dim=1)
    share = 4 // num_kv_heads
    out = torch.zeros(2, 9, 32)
    for head in range(4):
        scores = q[:, head] @ k[:, head // share].transpose(1, 2) / math.sqrt(8)
        for row in range(9):
            for column in range(9):
                hidden = (causal and column > row) or (window is not None and abs(row - column) >= window)
                if hidden:
                    scores[:, row, column] = -torch.inf
        out[:, :, 8 * head:8 * head + 8] = scores.softmax(-1) @ v[:, head // share]
    torch.testing.assert_close(attention(x), attention.output(out))
    torch.testing.assert_close(attention.weights(x).sum(-1), torch.ones(2, 4, 9))


def test_attention_equals_torchs_module() -> None:
    ours, theirs = Attention(Config(d_model=32, num_heads=4, causal=False)), torch.nn.MultiheadAttention(
        32, 4, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat((ours.queries.weight, ours.keys_values.weight)))
        theirs.out_proj.weight.copy_(ours.output.weight)
    x = torch.randn(2, 7, 32)
    wanted, weights = theirs(x, x, x, average_attn_weights=False)
    torch.testing.assert_close(ours(x), wanted)
    torch.testing.assert_close(ours.weights(x), weights)


def test_a_row_that_sees_nothing_gives_zeros_and_no_nan() -> None:
    attention = Attention(Config(d_model=32, num_heads=4, causal=False))
    x = torch.randn(2, 5, 32, requires_grad=True)
    real = torch.tensor([[True] * 5, [False] * 5])
    out = attention(x, real=real)
    assert torch.isfinite(out).all() and float(out[1].detach().abs().max()) == 0.0
    out.sum().backward()
    assert torch.isfinite(x.grad).all()
    assert float(attention.weights(x, real=real)[1].detach().abs().max()) == 0.0


def test_rotation_depends_on_distances_only() -> None:
    cosine, sine = rotation(50, 8)
    q, k = torch.randn(8), torch.randn(8)

    def score(m: int, n: int) -> float:
        return float(rotate(q, cosine[m], sine[m]) @ rotate(k, cosine[n], sine[n]))

    assert score(3, 1) == pytest.approx(score(33, 31), abs=1e-5)
    assert score(3, 1) != pytest.approx(score(4, 1), abs=1e-3)
    assert float(rotate(q, cosine[7], sine[7]).norm()) == pytest.approx(float(q.norm()), rel=1e-6)


def test_sinusoids_are_the_published_formula_up_to_the_order_of_columns() -> None:
    waves = sinusoids(10, 6)
    assert float(waves[7, 1]) == pytest.approx(math.sin(7 / 10_000 ** (2 / 6)), abs=1e-6)
    assert float(waves[7, 3 + 1]) == pytest.approx(math.cos(7 / 10_000 ** (2 / 6)), abs=1e-6)


def test_visible_counts() -> None:
    assert visible(4, 4, causal=True).sum() == 10
    assert visible(2, 4, causal=True).tolist() == [[True, True, True, False], [True] * 4]
    assert visible(5, 5, causal=True, window=2).sum() == 9


@pytest.mark.parametrize("options", [
    {}, {"positions": "learned"}, {"positions": "sinusoidal"}, {"positions": "none"}, {"window": 5},
    {"num_kv_heads": 1}, {"normed_queries": True, "feed_forward": "swiglu", "norm": "layer", "softcap": 15.0}])
def test_the_cache_equals_the_full_forward_pass(options: dict) -> None:
    model, tokens = _decoder(**options), _tokens()
    with torch.no_grad():
        full, caches = model(tokens), model.caches(3)
        pieces = [model(tokens[:, :7], caches), model(tokens[:, 7:12], caches)]
        pieces += [model(tokens[:, t:t + 1], caches) for t in range(12, 20)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), full, atol=1e-5, rtol=1e-5)


def test_a_decoder_cannot_see_the_future_and_an_encoder_can() -> None:
    decoder, encoder = _decoder(), models.Encoder(50, 24, 50, **TINY).eval()
    first, second = _tokens(), _tokens()
    second[:, 10:] = (second[:, 10:] + 1) % 50
    with torch.no_grad():
        torch.testing.assert_close(decoder(first)[:, :10], decoder(second)[:, :10])
        assert float((encoder(first)[:, :10] - encoder(second)[:, :10]).abs().max()) > 1e-3


def test_padding_changes_nothing_in_an_encoder() -> None:
    model = models.Encoder(50, 24, 3, pooled=True, padding=0, **TINY).eval()
    tokens = _tokens(vocabulary=49) + 1
    padded = F.pad(tokens, (0, 4), value=0)
    with torch.no_grad():
        torch.testing.assert_close(model(padded), model(tokens))
        assert torch.isfinite(model(torch.zeros(1, 5, dtype=torch.long))).all()


def test_a_head_that_is_switched_off_adds_nothing() -> None:
    model, tokens = _decoder(), _tokens()
    with torch.no_grad():
        everything_on = model(tokens, switches=torch.ones(2, 4))
        torch.testing.assert_close(everything_on, model(tokens))
        off = model(tokens, switches=torch.zeros(2, 4))
        for block in model.stack.blocks:
            block.attention.output.weight.zero_()
        torch.testing.assert_close(off, model(tokens))


@pytest.mark.parametrize("options", [
    {"bias": True, "norm": "layer", "positions": "learned"},
    {"num_kv_heads": 2, "feed_forward": "swiglu", "d_ff": 88},
    {"tied": False}])
def test_parameters_and_flops_equal_the_counter(options: dict) -> None:
    model = models.Decoder(50, 24, **{**TINY, **options})
    count = economics.count_transformer(
        2, 32, 4, vocabulary=50, context=24, num_kv_heads=options.get("num_kv_heads"), d_ff=options.get("d_ff"),
        gated=options.get("feed_forward") == "swiglu", bias=options.get("bias", False),
        norm=options.get("norm", "rms"), tied=options.get("tied", True),
        learned_positions=options.get("positions") == "learned")
    assert model.num_parameters == count.parameters
    tokens = _tokens(2, 24)
    assert flops_forward(model, tokens) == pytest.approx(2 * 24 * count.flops)


def test_flops_equal_torchs_counter_on_math_attention() -> None:
    model, tokens = _decoder(positions="learned"), _tokens(2, 24)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), counter:
        model(tokens)
    assert flops_forward(model, tokens) == counter.get_total_flops()


def test_vision_transformer_cuts_patches_in_reading_order() -> None:
    model = models.VisionTransformer(1, 10, image_size=4, patch=2, **TINY)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert model.patches(image)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert model(image).shape == (1, 10)


def test_seeds_and_global_generator() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = _decoder(seed=1), _decoder(seed=1), _decoder(seed=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.embedding.weight, second.embedding.weight)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: models.Decoder(50, 24, d_model=30, num_heads=4), "num_heads must divide d_model, got 4 and 30"),
    (lambda: models.Decoder(50, 24, num_kv_heads=3), "num_kv_heads must divide num_heads, got 3 and 4"),
    (lambda: models.Decoder(50, 24, positions="rope"), "unknown positions 'rope': use one of learned"),
    (lambda: models.Decoder(50, 24, feed_forward="relu"), "unknown feed_forward 'relu'"),
    (lambda: models.Decoder(50, 24, dropout=1.0), r"lies in \[0, 1\), got 1.0"),
    (lambda: models.Decoder(50, 24, d_model=12, num_heads=4), "must be even, got 3"),
    (lambda: models.Decoder(50, 24, window=0), "window must be an integer of at least 1, got 0"),
    (lambda: models.Decoder(50, 24, softcap=-1.0), "softcap must be above 0 or None, got -1.0"),
    (lambda: models.VisionTransformer(1, 10, image_size=28, patch=5), "patch must divide image_size, got 5 and 28"),
    (lambda: _decoder()(_tokens(1, 25)), "the sequence has 25 tokens, the model's context is 24"),
    (lambda: _decoder()(torch.rand(2, 5)), r"expects token numbers \[examples, tokens\], got torch.float32 \[2, 5\]"),
    (lambda: models.VisionTransformer(1, 10, image_size=28, patch=7)(torch.rand(2, 1, 20, 28)), "got .2, 1, 20, 28."),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("tokens", [16, 300, 600])
def test_attention_in_bfloat16_stays_near_float32_whatever_its_length(tokens: int) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, tokens, 32, generator=generator, dtype=torch.float64) for _ in range(3))
    exact = mix(q, k, v, None, causal=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mix(q.bfloat16(), k.bfloat16(), v.bfloat16(), None, causal=True)
    assert found.dtype is torch.bfloat16
    assert (found.double() - exact).abs().max() < 0.05
