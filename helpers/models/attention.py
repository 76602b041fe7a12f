"""Attention, feed-forward units and the one transformer block from which encoder, decoder and vision models are built.

Letters in shapes: B examples, T new tokens, S tokens attended to, D model width, H heads, K key-value heads,
E width of a head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.models._count import checked_size

POSITIONS = ("learned", "sinusoidal", "rotary", "none")
FEED_FORWARD = ("gelu", "relu_squared", "swiglu")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a block is made of; checked once, here.

    Arguments:
        num_layers: number of blocks.
        d_model: width D of the residual stream.
        num_heads: query heads H.
        num_kv_heads: key-value heads K, a divisor of H; None means as many as query heads.
        d_ff: hidden units of the feed-forward part; None means 4 D, or 8 D / 3 rounded up to 8 for "swiglu", so that
            its three matrices hold about as many weights.
        positions: "learned", "sinusoidal", "rotary" or "none".
        norm: "rms" (scale only) or "layer" (scale and shift).
        feed_forward: "gelu", "relu_squared" or "swiglu".
        normed_queries: scale each query and key to root mean square 1 before they meet.
        causal: a token sees only itself and what stands before it.
        window: a token sees at most this many tokens, itself included; None means all.
        bias: bias vectors in the projections.
        dropout: probability of dropping a value of each branch, in [0, 1).

    Raises:
        ValueError: a size below 1, heads that do not divide, an unknown name; the message says which value.

    Source: vaswani2017, ainslie2023, shazeer2020, henry2020, su2024, beltagy2020.
    """

    num_layers: int = 4
    d_model: int = 128
    num_heads: int = 4
    num_kv_heads: int | None = None
    d_ff: int | None = None
    positions: str = "rotary"
    norm: str = "rms"
    feed_forward: str = "gelu"
    normed_queries: bool = False
    causal: bool = True
    window: int | None = None
    bias: bool = False
    dropout: float = 0.0
    d_head: int = field(init=False)

    def __post_init__(self) -> None:
        for name in ("num_layers", "d_model", "num_heads"):
            checked_size(name, getattr(self, name))
        if self.d_model % self.num_heads:
            raise ValueError(f"num_heads must divide d_model, got {self.num_heads} and {self.d_model}")
        if self.num_kv_heads is None:
            object.__setattr__(self, "num_kv_heads", self.num_heads)
        if self.num_heads % checked_size("num_kv_heads", self.num_kv_heads):
            raise ValueError(f"num_kv_heads must divide num_heads, got {self.num_kv_heads} and {self.num_heads}")
        if self.d_ff is None:
            gated = 8 * math.ceil(self.d_model / 3)
            object.__setattr__(self, "d_ff", gated if self.feed_forward == "swiglu" else 4 * self.d_model)
        checked_size("d_ff", self.d_ff)
        for name, known in (("positions", POSITIONS), ("norm", ("rms", "layer")), ("feed_forward", FEED_FORWARD)):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: use one of {', '.join(known)}")
        if self.window is not None:
            checked_size("window", self.window)
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is the probability of dropping a value and lies in [0, 1), got {self.dropout!r}")
        object.__setattr__(self, "d_head", self.d_model // self.num_heads)
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(f"rotary positions turn pairs of numbers: d_model / num_heads must be even, "
                             f"got {self.d_head}")


class Cache:
    """Keys and values of the tokens seen so far, for one attention layer.

    Arguments:
        num_examples: examples B.
        config: of the block.
        context: most tokens that will ever be kept.
        like: a tensor with the wanted device and dtype.
    """

    def __init__(self, num_examples: int, config: Config, context: int, like: Tensor) -> None:
        shape = (num_examples, config.num_kv_heads, context, config.d_head)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)
        self.length = 0  # tokens kept

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep keys and values [B, K, T, E] of new tokens; return those of all tokens, [B, K, S, E]."""
        end = self.length + keys.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"the cache holds {self.keys.shape[2]} tokens, got {end}: start anew or take a longer one")
        self.keys[:, :, self.length:end], self.values[:, :, self.length:end] = keys, values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def rotation(num_positions: int, d_head: int, *, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each [num_positions, d_head / 2], of the angle t · base^(−2i/E) for position t and pair i.

    Source: su2024.
    """
    frequencies = base ** (-torch.arange(0, d_head, 2) / d_head)
    angles = torch.arange(num_positions)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (x_i, x_{i+E/2}) of ``x`` [B, H, T, E] by the angles of their positions [T, E / 2]."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)


def sinusoids(num_positions: int, d_model: int) -> Tensor:
    """Fixed position vectors [num_positions, d_model]: sines, then cosines, of t · 10000^(−2i/D).

    Source: vaswani2017.
    """
    cosine, sine = rotation(num_positions, d_model + d_model % 2)
    return torch.cat((sine, cosine), dim=1)[:, :d_model]


def visible(num_new: int, num_seen: int, *, causal: bool, window: int | None = None, device: object = None) -> Tensor:
    """Which of ``num_seen`` tokens each of the last ``num_new`` ones may attend to: bool [T, S]."""
    query = torch.arange(num_seen - num_new, num_seen, device=device)[:, None]
    key = torch.arange(num_seen, device=device)[None]
    seen = key <= query if causal else torch.ones(num_new, num_seen, dtype=torch.bool, device=device)
    if window is not None:
        seen = seen & (key > query - window) & (key < query + window)
    return seen


class Attention(nn.Module):
    """Multi-head attention with a causal or bidirectional mask; heads may share keys and values.

    Derived in: book/algorithms/transformers. Source: vaswani2017, ainslie2023.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        kv_width = config.num_kv_heads * config.d_head
        self.queries = nn.Linear(config.d_model, config.d_model, bias=config.bias)
        self.keys_values = nn.Linear(config.d_model, 2 * kv_width, bias=config.bias)
        self.output = nn.Linear(config.d_model, config.d_model, bias=config.bias)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None,
        cache: Cache | None = None, switches: Tensor | None = None,
    ) -> Tensor:
        """Mix tokens.

        Arguments:
            x: tokens [B, T, D].
            turn: cosine and sine [T, E / 2] of rotary positions.
            real: bool [B, S], false where a token is padding that nobody may attend to. A token that sees nothing
                gets zeros, not NaN.
            cache: keys and values of earlier tokens; those of ``x`` are added.
            switches: optional multiplier [H] of each head's output; 0 switches a head off.
        """
        c, (b, t, _) = self.config, x.shape
        q, k, v = self.heads(x, turn)
        if cache is not None:
            k, v = cache.extend(k, v)
        mask = self.mask(t, k.shape[2], real, x.device)
        if c.num_kv_heads < c.num_heads:
            share = c.num_heads // c.num_kv_heads
            k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None and c.causal and t > 1)
        if switches is not None:
            mixed = mixed * switches[:, None, None]
        return self.output(mixed.transpose(1, 2).reshape(b, t, -1))

    def heads(self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, H, T, E], keys and values [B, K, T, E] of tokens [B, T, D], normed and turned."""
        c, (b, t, _) = self.config, x.shape
        q = self.queries(x).view(b, t, c.num_heads, c.d_head).transpose(1, 2)
        k, v = self.keys_values(x).view(b, t, 2 * c.num_kv_heads, c.d_head).transpose(1, 2).chunk(2, dim=1)
        if c.normed_queries:
            q, k = F.rms_norm(q, (c.d_head,)), F.rms_norm(k, (c.d_head,))
        if turn is not None:
            q, k = rotate(q, *turn), rotate(k, *turn)
        return q, k, v

    def mask(self, num_new: int, num_seen: int, real: Tensor | None, device: torch.device) -> Tensor | None:
        """Bool mask [T, S] or [B, 1, T, S]; None where the plain causal or full pattern does."""
        c = self.config
        plain = real is None and (c.window is None or c.window >= num_seen)
        if plain and (num_new == num_seen or num_new == 1 or not c.causal):
            return None
        seen = visible(num_new, num_seen, causal=c.causal, window=c.window, device=device)
        return seen if real is None else seen & real[:, None, None, :]

    def weights(self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None) -> Tensor:
        """The attention weights [B, H, T, T] themselves, for looking at them; ``forward`` never builds them."""
        c, t = self.config, x.shape[1]
        q, k, _ = self.heads(x, turn)
        k = k.repeat_interleave(c.num_heads // c.num_kv_heads, dim=1)
        seen = visible(t, t, causal=c.causal, window=c.window, device=x.device)
        seen = seen if real is None else seen & real[:, None, None, :]
        scores = (q @ k.transpose(-2, -1) / math.sqrt(c.d_head)).masked_fill(~seen, -torch.inf)
        return scores.softmax(dim=-1).nan_to_num(0.0)

    def flops(self, x: Tensor) -> int:
        """FLOP of the two products of queries, keys and values for tokens ``x`` [B, T, D], the full square counted."""
        return 4 * x.shape[0] * x.shape[1] ** 2 * self.config.d_model


class FeedForward(nn.Module):
    """The part of a block that works on each token alone: two matrices, or three with a gate. Source: shazeer2020."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.kind = config.feed_forward
        self.gated = self.kind == "swiglu"
        self.rise = nn.Linear(config.d_model, config.d_ff * (2 if self.gated else 1), bias=config.bias)
        self.output = nn.Linear(config.d_ff, config.d_model, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [..., D] → [..., D]."""
        hidden = self.rise(x)
        if self.gated:
            gate, hidden = hidden.chunk(2, dim=-1)
            return self.output(F.silu(gate) * hidden)
        return self.output(F.gelu(hidden) if self.kind == "gelu" else F.relu(hidden).square())


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)). Source: vaswani2017, xiong2020."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        norm = nn.RMSNorm if config.norm == "rms" else nn.LayerNorm
        self.attention_norm, self.feed_forward_norm = norm(config.d_model), norm(config.d_model)
        self.attention, self.feed_forward = Attention(config), FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None,
        cache: Cache | None = None, switches: Tensor | None = None,
    ) -> Tensor:
        """Tokens [B, T, D] → [B, T, D]; the other arguments go to ``Attention``."""
        x = x + self.dropout(self.attention(self.attention_norm(x), turn, real, cache, switches))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
