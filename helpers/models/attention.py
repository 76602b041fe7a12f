"""Attention, in full or linear, and the one transformer block from which encoder, decoder and vision models are built.

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
from helpers.models.experts import Experts, FeedForward
from helpers.models.positions import rotate

POSITIONS = ("learned", "sinusoidal", "rotary", "none")
FEED_FORWARD = ("gelu", "relu_squared", "swiglu")
_SHORT = 512  # tokens up to which a processor's fused attention in bfloat16 is slower than the written-out form


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
        attention: "softmax", or "linear" with a state of fixed size instead of a cache (causal, without a window).
        num_experts: feed-forward parts of width ``d_ff`` to choose from; 1 is a dense block.
        top_k: experts that each token visits.
        balance, balance_step: factor α of the experts' balance loss, and step of the balance without loss; 0 is off.
        bias: bias vectors in the projections.
        dropout: probability of dropping a value of each branch, in [0, 1).

    Raises:
        ValueError: a size below 1, heads that do not divide, an unknown name; the message says which value.

    Source: vaswani2017, ainslie2023, shazeer2020, henry2020, su2024, beltagy2020, katharopoulos2020, fedus2022.
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
    attention: str = "softmax"
    num_experts: int = 1
    top_k: int = 1
    balance: float = 0.01
    balance_step: float = 0.0
    bias: bool = False
    dropout: float = 0.0
    d_head: int = field(init=False)

    def __post_init__(self) -> None:
        for name in ("num_layers", "d_model", "num_heads", "num_experts", "top_k"):
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
        for name, known in (("positions", POSITIONS), ("norm", ("rms", "layer")), ("feed_forward", FEED_FORWARD),
                            ("attention", ("softmax", "linear"))):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: use one of {', '.join(known)}")
        if self.window is not None:
            checked_size("window", self.window)
        if self.attention == "linear" and (not self.causal or self.window is not None):
            raise ValueError("linear attention is causal and has no window, "
                             f"got causal={self.causal} and window={self.window}: use attention='softmax'")
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k must be at most num_experts, got {self.top_k} and {self.num_experts}: lower top_k")
        for name in ("balance", "balance_step"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)!r}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is the probability of dropping a value and lies in [0, 1), got {self.dropout!r}")
        object.__setattr__(self, "d_head", self.d_model // self.num_heads)
        if self.positions == "rotary" and self.d_head % 2:
            raise ValueError(f"rotary positions turn pairs of numbers: d_model / num_heads must be even, "
                             f"got {self.d_head}")


class Cache:
    """Keys and values of the tokens seen so far, for one attention layer; with a window only of the last ones.

    Arguments:
        num_examples: examples B.
        config: of the block.
        context: most tokens that will ever be seen.
        like: a tensor with the wanted device and dtype.
    """

    def __init__(self, num_examples: int, config: Config, context: int, like: Tensor) -> None:
        self.window, self.context, self.length = config.window, context, 0  # length: tokens seen
        shape = (num_examples, config.num_kv_heads, context if config.window is None else 0, config.d_head)
        self.keys, self.values = like.new_empty(shape), like.new_empty(shape)

    @property
    def num_bytes(self) -> int:
        """Bytes of the keys and values that are kept now."""
        kept = self.keys[:, :, :self.length]
        return 2 * kept.numel() * kept.element_size()

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep keys and values [B, K, T, E] of new tokens; return those that may be looked at, [B, K, S, E]."""
        end = self.length + keys.shape[2]
        if end > self.context:
            raise ValueError(f"the cache holds {self.context} tokens, got {end}: start anew or take a longer one")
        if self.window is None:
            self.keys[:, :, self.length:end], self.values[:, :, self.length:end] = keys, values
            keys, values = self.keys[:, :, :end], self.values[:, :, :end]
        else:  # the next token looks back at window − 1
            keys, values = torch.cat((self.keys, keys), dim=2), torch.cat((self.values, values), dim=2)
            first = max(0, keys.shape[2] - self.window + 1)
            self.keys, self.values = keys[:, :, first:].clone(), values[:, :, first:].clone()
        self.length = end
        return keys, values


class State:
    """What linear attention keeps of the tokens seen so far: sums [B, H, E, E + 1], whatever their number."""

    def __init__(self, num_examples: int, config: Config, like: Tensor) -> None:
        self.sums = like.new_zeros(num_examples, config.num_heads, config.d_head, config.d_head + 1)
        self.length = 0

    @property
    def num_bytes(self) -> int:
        """Bytes of the sums."""
        return self.sums.numel() * self.sums.element_size()


def visible(num_new: int, num_seen: int, *, causal: bool, window: int | None = None, device: object = None) -> Tensor:
    """Which of ``num_seen`` tokens each of the last ``num_new`` ones may attend to: bool [T, S]."""
    query = torch.arange(num_seen - num_new, num_seen, device=device)[:, None]
    key = torch.arange(num_seen, device=device)[None]
    seen = key <= query if causal else torch.ones(num_new, num_seen, dtype=torch.bool, device=device)
    if window is not None:
        seen = seen & (key > query - window) & (key < query + window)
    return seen


def mix(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
    """Attention of queries [B, H, T, E] over keys and values [B, H, S, E]: [B, H, T, E] in the type of the queries.

    On a processor short sequences in bfloat16 go through plain matrix products, which are faster there.
    """
    if mask is not None or q.dtype is not torch.bfloat16 or q.device.type != "cpu" or k.shape[2] > _SHORT:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    (b, h, t, e), s = q.shape, k.shape[2]
    bias = q.new_zeros(t, s)
    if causal:
        bias.masked_fill_(~visible(t, s, causal=True), -torch.inf)
    scores = torch.baddbmm(bias.expand(b * h, t, s), q.reshape(b * h, t, e), k.reshape(b * h, s, e).transpose(1, 2),
                           alpha=1 / math.sqrt(e))
    return (scores.softmax(dim=-1) @ v.reshape(b * h, s, e)).view(b, h, t, e)


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
        mixed = mix(q, k, v, mask, causal=mask is None and c.causal and (cache is None or t > 1))
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

    def cache(self, num_examples: int, context: int, like: Tensor) -> Cache | State:
        """An empty cache for ``forward``."""
        return Cache(num_examples, self.config, context, like)

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


class LinearAttention(Attention):
    """Attention with weights φ(q) · φ(k), φ(z) = elu(z) + 1, whose sums over the past are carried along.

    Tokens are taken in chunks of ``chunk``: the square inside a chunk, the sums for what came before. One chunk is the
    parallel form, chunks of 1 are the recurrent form; all give the same numbers.

    Derived in: book/algorithms/mixture_of_experts_and_long_context. Source: katharopoulos2020.
    """

    chunk = 64

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None,
        cache: State | None = None, switches: Tensor | None = None,
    ) -> Tensor:
        """Mix tokens; arguments as in ``Attention``, with a ``State`` as cache."""
        q, k, v = self.features(x, turn, real)
        v = torch.cat((v, torch.ones_like(v[..., :1])), dim=-1)       # the last column adds up the weights
        sums = torch.zeros_like(k[:, :, :1].mT @ v[:, :, :1]) if cache is None else cache.sums
        parts = []
        for q_now, k_now, v_now in zip(*(one.split(self.chunk, dim=2) for one in (q, k, v)), strict=True):
            parts.append((q_now @ k_now.mT).tril() @ v_now + q_now @ sums)
            sums = sums + k_now.mT @ v_now
        if cache is not None:
            cache.sums, cache.length = sums, cache.length + x.shape[1]
        out = torch.cat(parts, dim=2)
        mixed = out[..., :-1] / out[..., -1:].masked_fill(out[..., -1:] == 0, 1.0)  # nothing seen: zeros
        if switches is not None:
            mixed = mixed * switches[:, None, None]
        return self.output(mixed.transpose(1, 2).reshape(x.shape))

    def features(
        self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """φ of queries and keys, and values, each [B, H, T, E]; keys of padding are 0."""
        q, k, v = self.heads(x, turn)
        share = self.config.num_heads // self.config.num_kv_heads
        q, k = F.elu(q) + 1, (F.elu(k) + 1).repeat_interleave(share, dim=1)
        return q, k if real is None else k * real[:, None, :, None], v.repeat_interleave(share, dim=1)

    def cache(self, num_examples: int, context: int, like: Tensor) -> State:
        """An empty state for ``forward``."""
        return State(num_examples, self.config, like)

    def weights(self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None) -> Tensor:
        """The weights [B, H, T, T] of the parallel form."""
        q, k, _ = self.features(x, turn, real)
        scores = (q @ k.mT).tril()
        return (scores / scores.sum(dim=-1, keepdim=True)).nan_to_num(0.0)

    def flops(self, x: Tensor) -> int:
        """FLOP of the products in chunks for tokens ``x`` [B, T, D]."""
        (b, t, _), e = x.shape, self.config.d_head
        whole, rest = divmod(t, self.chunk)
        sizes = [self.chunk] * whole + [rest] * (rest > 0)
        products = sum(size * size * (2 * e + 1) + 2 * size * e * (e + 1) for size in sizes)
        return 2 * b * self.config.num_heads * products


class Block(nn.Module):
    """x + attention(norm(x)), then x + feed_forward(norm(x)). Source: vaswani2017, xiong2020."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        norm = nn.RMSNorm if config.norm == "rms" else nn.LayerNorm
        self.attention_norm, self.feed_forward_norm = norm(config.d_model), norm(config.d_model)
        self.attention = (LinearAttention if config.attention == "linear" else Attention)(config)
        self.feed_forward = (Experts if config.num_experts > 1 else FeedForward)(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor] | None = None, real: Tensor | None = None,
        cache: Cache | None = None, switches: Tensor | None = None,
    ) -> Tensor:
        """Tokens [B, T, D] → [B, T, D]; the other arguments go to ``Attention``."""
        x = x + self.dropout(self.attention(self.attention_norm(x), turn, real, cache, switches))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
