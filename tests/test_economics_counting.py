"""Counts against torch modules, torch's own counter, and published sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from helpers.economics import LatentAttention, count_cnn, count_lstm, count_mlp, count_transformer


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def counted_flops(function) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def dense_stack(widths: list[int], bias: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(inputs, outputs, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("widths, bias", [([20, 1], True), ([784, 128, 10], True), ([7, 5, 3, 2], False)])
def test_mlp_equals_torch(widths, bias):
    count = count_mlp(widths[0], widths[1:-1], widths[-1], bias=bias)
    module = dense_stack(widths, bias)
    assert count.parameters == parameters(module) == count.active_parameters
    assert count.flops == counted_flops(lambda: module(torch.zeros(1, widths[0])))
    assert count.flops_training == 3 * count.flops


def test_training_is_three_times_forward_when_inputs_need_gradients():
    module = dense_stack([6, 5, 4])
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 6, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == count_mlp(6, [5], 4).flops_training


def convolutional(in_channels, channels, outputs, size, hidden, padding, global_pool):
    layers: list[nn.Module] = []
    inputs = in_channels
    for width in channels:
        layers += [nn.Conv2d(inputs, width, 3, padding="same" if padding == "same" else 0), nn.ReLU(), nn.MaxPool2d(2)]
        inputs = width
    if global_pool:
        layers.append(nn.AdaptiveAvgPool2d(1))
    features = nn.Sequential(*layers)
    with torch.no_grad():
        width = features(torch.zeros(1, in_channels, size, size)).numel()
    head = [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, outputs)] if hidden else [nn.Linear(width, outputs)]
    return nn.Sequential(features, nn.Flatten(), *head)


@pytest.mark.parametrize("arguments", [
    (3, [4, 8, 16], 1, 50, 12, "valid", False),
    (1, [4, 8], 10, 29, 12, "same", False),
    (1, [4, 8], 10, 28, None, "same", True),
])
def test_cnn_equals_torch(arguments):
    in_channels, channels, outputs, size, hidden, padding, global_pool = arguments
    module = convolutional(*arguments)
    count = count_cnn(in_channels, channels, outputs, image_size=size, hidden=hidden, padding=padding,
                      global_pool=global_pool)
    assert count.parameters == parameters(module)
    assert count.flops == counted_flops(lambda: module(torch.zeros(1, in_channels, size, size)))


def test_cnn_of_the_documents():
    count = count_cnn(3, [32, 64, 128], 1, image_size=150, hidden=128, padding="valid")
    assert count.parameters == 4_828_481
    assert count.parameters == parameters(convolutional(3, [32, 64, 128], 1, 150, 128, "valid", False))


def test_lstm_equals_torch():
    module = nn.LSTM(24, 32, num_layers=2)
    head = nn.Linear(32, 5)
    count = count_lstm(24, 32, num_layers=2, num_outputs=5, vocabulary=100, length=7)
    assert count.parameters == parameters(module) + parameters(head) + parameters(nn.Embedding(100, 24))
    cells = [nn.LSTMCell(24, 32), nn.LSTMCell(32, 32)]

    def written_out():
        states = [(torch.zeros(1, 32), torch.zeros(1, 32)) for _ in cells]
        for x in torch.zeros(7, 1, 24):
            for number, cell in enumerate(cells):
                states[number] = cell_step(cell, x, states[number])
                x = states[number][0]
        head(x)

    def cell_step(cell, x, state):
        gates = x @ cell.weight_ih.T + cell.bias_ih + state[0] @ cell.weight_hh.T + cell.bias_hh
        i, f, g, o = gates.chunk(4, dim=1)
        memory = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * memory.tanh(), memory

    assert count.flops == counted_flops(written_out)
    every = count_lstm(24, 32, num_layers=2, num_outputs=5, length=7, every_step=True)
    assert every.flops - count.flops == 2 * 32 * 5 * 6


class Block(nn.Module):
    """One pre-norm block with grouped heads, math attention and optional experts."""

    def __init__(self, d, heads, kv_heads, d_ff, gated, bias, norm, experts, top_k):
        super().__init__()
        make_norm = nn.LayerNorm if norm == "layer" else nn.RMSNorm
        self.heads, self.kv_heads, self.d_head, self.gated, self.top_k = heads, kv_heads, d // heads, gated, top_k
        self.norms = nn.ModuleList([make_norm(d), make_norm(d)])
        self.q, self.out = nn.Linear(d, d, bias=bias), nn.Linear(d, d, bias=bias)
        self.k, self.v = (nn.Linear(d, kv_heads * self.d_head, bias=bias) for _ in range(2))
        self.router = nn.Linear(d, experts, bias=False) if experts > 1 else None
        shapes = [(d, d_ff), (d_ff, d)] + ([(d, d_ff)] if gated else [])
        self.experts = nn.ModuleList(
            nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in shapes) for _ in range(experts))

    def forward(self, x):
        tokens = x.shape[0]
        h = self.norms[0](x)
        q = self.q(h).view(tokens, self.heads, -1).transpose(0, 1)
        k, v = (m(h).view(tokens, self.kv_heads, -1).transpose(0, 1).repeat_interleave(self.heads // self.kv_heads, 0)
                for m in (self.k, self.v))
        scores = (q @ k.transpose(1, 2) / math.sqrt(self.d_head)).softmax(-1)
        x = x + self.out((scores @ v).transpose(0, 1).reshape(tokens, -1))
        h = self.norms[1](x)
        if self.router is not None:
            self.router(h)
        for expert in self.experts[: self.top_k]:
            inner = expert[0](h).relu() * (expert[2](h) if self.gated else 1)
            x = x + expert[1](inner)
        return x


class Decoder(nn.Module):
    def __init__(self, layers, d, heads, *, vocabulary, context, kv_heads, d_ff, gated, bias, norm, tied, learned,
                 experts=1, top_k=1):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, d)
        self.positions = nn.Embedding(context, d) if learned else None
        self.blocks = nn.ModuleList(
            Block(d, heads, kv_heads, d_ff, gated, bias, norm, experts, top_k) for _ in range(layers))
        self.norm = nn.LayerNorm(d) if norm == "layer" else nn.RMSNorm(d)
        self.output = nn.Linear(d, vocabulary, bias=False)
        if tied:
            self.output.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        if self.positions is not None:
            x = x + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))


@pytest.mark.parametrize("kv_heads, gated, bias, norm, tied, learned, experts, top_k", [
    (4, False, True, "layer", True, True, 1, 1),
    (2, True, False, "rms", False, False, 1, 1),
    (1, True, False, "rms", True, False, 4, 2),
    (4, False, True, "layer", False, True, 3, 1),
])
def test_transformer_equals_torch(kv_heads, gated, bias, norm, tied, learned, experts, top_k):
    module = Decoder(2, 16, 4, vocabulary=50, context=12, kv_heads=kv_heads, d_ff=40, gated=gated, bias=bias,
                     norm=norm, tied=tied, learned=learned, experts=experts, top_k=top_k)
    count = count_transformer(2, 16, 4, vocabulary=50, context=12, num_kv_heads=kv_heads, d_ff=40, gated=gated,
                              bias=bias, norm=norm, tied=tied, learned_positions=learned, num_experts=experts,
                              top_k=top_k)
    assert count.parameters == parameters(module)
    assert 12 * count.flops == counted_flops(lambda: module(torch.arange(12)))
    idle = sum(parameters(expert) for block in module.blocks for expert in block.experts[top_k:])
    assert count.active_parameters == count.parameters - idle
    assert count.kv_elements == 2 * 2 * kv_heads * 4


LLAMA = {"gated": True, "tied": False, "norm": "rms"}
PUBLISHED = {
    "GPT-2": (124_439_808, count_transformer(12, 768, 12, vocabulary=50257, context=1024, bias=True, norm="layer",
                                             learned_positions=True)),
    "Llama 2 7B": (6_738_415_616, count_transformer(32, 4096, 32, vocabulary=32000, context=4096, d_ff=11008, **LLAMA)),
    "Llama 3.1 8B": (8_030_261_248, count_transformer(32, 4096, 32, vocabulary=128256, context=8192, num_kv_heads=8,
                                                      d_ff=14336, **LLAMA)),
    "Llama 3.1 405B": (405_853_388_800, count_transformer(126, 16384, 128, vocabulary=128256, context=8192,
                                                          num_kv_heads=8, d_ff=53248, **LLAMA)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_are_exact(name):
    expected, count = PUBLISHED[name]
    assert count.parameters == expected


def test_gpt3_and_mixtral():
    gpt3 = count_transformer(96, 12288, 96, vocabulary=50257, context=2048, bias=True, norm="layer",
                             learned_positions=True)
    assert gpt3.parameters == pytest.approx(174.6e9, rel=1e-3)
    mixtral = count_transformer(32, 4096, 32, vocabulary=32000, context=4096, num_kv_heads=8, d_ff=14336,
                                num_experts=8, top_k=2, **LLAMA)
    assert mixtral.parameters == pytest.approx(46.7e9, rel=1e-3)
    assert mixtral.active_parameters == pytest.approx(12.9e9, rel=2e-3)


def test_deepseek_v3():
    count = count_transformer(
        61, 7168, 128, vocabulary=129280, context=4096, d_ff=18432, num_experts=256, top_k=8, d_ff_expert=2048,
        num_shared_experts=1, num_dense_layers=3, latent=LatentAttention(1536, 512, 64, 128, 128), **LLAMA)
    assert count.parameters == pytest.approx(671e9, rel=1e-3)
    assert count.active_parameters == pytest.approx(37e9, rel=0.02)
    assert count.kv_elements * 2 == pytest.approx(70e3, rel=0.01)


def test_two_flops_per_parameter_without_attention():
    count = PUBLISHED["Llama 3.1 405B"][1]
    attention = 4 * 8192 * 16384 * 126
    matrices = count.parameters - 128256 * 16384 - (2 * 126 + 1) * 16384
    assert count.flops - attention == 2 * matrices


def test_rows_and_text():
    count = count_mlp(784, [128], 10)
    assert [layer.name for layer in count.layers] == ["dense 1", "dense 2"]
    assert str(count) == "101,770 parameters, 203,264 FLOP forward per example"


@pytest.mark.parametrize("call, message", [
    (lambda: count_mlp(0, [3], 1), "num_inputs must be a whole number of at least 1, found 0"),
    (lambda: count_mlp(2, [-3], 1), "hidden must be a whole number of at least 1, found -3"),
    (lambda: count_mlp(2, [2.5], 1), "found 2.5"),
    (lambda: count_mlp("two", [2], 1), "num_inputs must be a number, found 'two'"),
    (lambda: count_cnn(3, [4, 8, 8, 8], 1, image_size=16), "image_size 16 is too small for 4 stages"),
    (lambda: count_cnn(3, [4], 1, image_size=16, padding="sam"), "did you mean same"),
    (lambda: count_cnn(3, [4], 1, image_size=16, padding="same", kernel=4), "kernel must be odd"),
    (lambda: count_lstm(3, 0), "hidden must be"),
    (lambda: count_transformer(2, 16, 3, vocabulary=9, context=4), "num_heads must divide d_model, found 3 and 16"),
    (lambda: count_transformer(2, 16, 4, num_kv_heads=3, vocabulary=9, context=4), "num_kv_heads must divide"),
    (lambda: count_transformer(2, 16, 4, num_experts=2, top_k=3, vocabulary=9, context=4), "top_k must be at most"),
    (lambda: count_transformer(2, 16, 4, num_dense_layers=3, vocabulary=9, context=4), "num_dense_layers"),
    (lambda: count_transformer(2, 16, 4, norm="layers", vocabulary=9, context=4), "did you mean layer"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
