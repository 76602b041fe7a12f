"""Count parameters and forward FLOP of transformer decoders, dense and with experts.

Conventions: FLOP per token at a stated context, attention counted in full (every token against all `context`
positions, masked ones included), 2 per multiply-add. Embedding look-ups, norms, biases and activations count 0 FLOP.
The output projection counts FLOP also when it shares its weights with the embedding. Active parameters are all
parameters without the experts that a token does not visit; embeddings are included.
"""

from __future__ import annotations

from dataclasses import dataclass

from helpers.economics import checks
from helpers.economics.counting import Count, Layer


@dataclass(frozen=True)
class LatentAttention:
    """Sizes of multi-head latent attention, which caches one small vector per token instead of keys and values.

    Attributes:
        query_rank: width of the compressed query.
        kv_rank: width of the compressed key and value.
        d_position: part of each query and key that carries the position.
        d_content: part of each query and key that does not.
        d_value: width of each head's value.

    Source: deepseek2024v2.
    """

    query_rank: int
    kv_rank: int
    d_position: int
    d_content: int
    d_value: int


def _attention(
    d_model: int, num_heads: int, num_kv_heads: int, d_head: int, context: int, bias: bool, qkv_bias: bool
) -> tuple[int, int, int]:
    """Return parameters, FLOP per token and cached numbers per token of one attention layer."""
    width, kv_width = num_heads * d_head, num_kv_heads * d_head
    weights = 2 * d_model * width + 2 * d_model * kv_width
    biases = (width + 2 * kv_width if qkv_bias else 0) + (d_model if bias else 0)
    return weights + biases, 2 * weights + 4 * context * width, 2 * kv_width


def _latent_attention(d_model: int, num_heads: int, latent: LatentAttention, context: int) -> tuple[int, int, int]:
    """Return the same three numbers for latent attention, with its two norms and without biases."""
    d_key = latent.d_content + latent.d_position
    weights = (
        d_model * latent.query_rank + latent.query_rank * num_heads * d_key
        + d_model * (latent.kv_rank + latent.d_position)
        + latent.kv_rank * num_heads * (latent.d_content + latent.d_value)
        + num_heads * latent.d_value * d_model
    )
    norms = latent.query_rank + latent.kv_rank
    flops = 2 * weights + 2 * context * num_heads * (d_key + latent.d_value)
    return weights + norms, flops, latent.kv_rank + latent.d_position


def _feed_forward(d_model: int, d_ff: int, gated: bool, bias: bool) -> tuple[int, int]:
    """Return parameters and FLOP per token of one feed-forward block."""
    weights = (3 if gated else 2) * d_model * d_ff
    biases = ((2 if gated else 1) * d_ff + d_model) if bias else 0
    return weights + biases, 2 * weights


def count_transformer(
    num_layers: int,
    d_model: int,
    num_heads: int,
    *,
    vocabulary: int,
    context: int,
    num_kv_heads: int | None = None,
    d_head: int | None = None,
    d_ff: int | None = None,
    gated: bool = False,
    bias: bool = False,
    qkv_bias: bool | None = None,
    norm: str = "rms",
    tied: bool = True,
    learned_positions: bool = False,
    num_experts: int = 1,
    top_k: int = 1,
    d_ff_expert: int | None = None,
    num_shared_experts: int = 0,
    num_dense_layers: int = 0,
    latent: LatentAttention | None = None,
) -> Count:
    """Count a decoder: embedding, blocks of attention and feed-forward with a norm before each, final norm, output.

    Args:
        num_layers: blocks.
        d_model: width of the residual stream.
        num_heads: query heads.
        vocabulary: rows of the embedding.
        context: tokens that each token attends to, also the rows of learned positions.
        num_kv_heads: key-value heads, a divisor of `num_heads`; None means as many as query heads.
        d_head: width of a head; None means d_model / num_heads.
        d_ff: hidden units of a dense feed-forward block; None means 4 d_model.
        gated: three matrices in the feed-forward block (SwiGLU) instead of two.
        bias: bias vectors in every projection of the blocks; the output projection and the router have none.
        qkv_bias: bias of query, key and value alone; None means as `bias`.
        norm: "rms" (scale only) or "layer" (scale and shift).
        tied: the output projection shares the embedding's weights.
        learned_positions: a learned vector per position (else rotary or none, without parameters).
        num_experts: routed experts per block; 1 means a dense feed-forward block.
        top_k: routed experts that each token visits.
        d_ff_expert: hidden units of one expert; None means `d_ff`.
        num_shared_experts: experts that every token visits besides.
        num_dense_layers: first blocks that keep a dense feed-forward block although there are experts.
        latent: sizes of latent attention, which replaces ordinary attention.

    Returns:
        `Count` per token.

    Raises:
        ValueError: a size is not a whole number of its range, heads do not divide, or top_k exceeds num_experts.

    Source: vaswani2017, ainslie2023, shazeer2020, shazeer2017. Derived in: book/concepts/what_is_large.
    """
    num_layers, d_model = checks.count("num_layers", num_layers), checks.count("d_model", d_model)
    num_heads, context = checks.count("num_heads", num_heads), checks.count("context", context)
    vocabulary = checks.count("vocabulary", vocabulary)
    num_kv_heads = num_heads if num_kv_heads is None else checks.count("num_kv_heads", num_kv_heads)
    if num_heads % num_kv_heads:
        raise ValueError(f"num_kv_heads must divide num_heads, found {num_kv_heads} and {num_heads}; "
                         "choose a divisor of num_heads.")
    if d_head is None and latent is None:
        if d_model % num_heads:
            raise ValueError(f"num_heads must divide d_model, found {num_heads} and {d_model}; "
                             "choose a divisor of d_model or pass d_head.")
        d_head = d_model // num_heads
    d_ff = 4 * d_model if d_ff is None else checks.count("d_ff", d_ff)
    d_ff_expert = d_ff if d_ff_expert is None else checks.count("d_ff_expert", d_ff_expert)
    num_experts, top_k = checks.count("num_experts", num_experts), checks.count("top_k", top_k)
    num_shared = checks.count("num_shared_experts", num_shared_experts, at_least=0)
    num_dense = checks.count("num_dense_layers", num_dense_layers, at_least=0)
    if top_k > num_experts:
        raise ValueError(f"top_k must be at most num_experts, found {top_k} and {num_experts}; lower top_k.")
    if num_dense > num_layers:
        raise ValueError(f"num_dense_layers must be at most num_layers, found {num_dense} and {num_layers}; lower it.")
    checks.one_of("norm", norm, ("rms", "layer"))
    norm_parameters = d_model * (2 if norm == "layer" else 1)

    if latent is None:
        checks.count("d_head", d_head)
        qkv_bias = bias if qkv_bias is None else qkv_bias
        attention = _attention(d_model, num_heads, num_kv_heads, d_head, context, bias, qkv_bias)
    else:
        attention = _latent_attention(d_model, num_heads, latent, context)
    attention_parameters, attention_flops, kv_elements = attention

    layers = [Layer("embedding", vocabulary * d_model, vocabulary * d_model, 0)]
    if learned_positions:
        layers.append(Layer("positions", context * d_model, context * d_model, 0))
    for number in range(1, num_layers + 1):
        attention_with_norm = attention_parameters + norm_parameters
        layers.append(Layer(f"block {number} attention", attention_with_norm, attention_with_norm, attention_flops))
        if num_experts == 1 or number <= num_dense:
            parameters, flops = _feed_forward(d_model, d_ff, gated, bias)
            active = parameters
        else:
            expert, expert_flops = _feed_forward(d_model, d_ff_expert, gated, bias)
            router = d_model * num_experts
            parameters = router + (num_experts + num_shared) * expert
            active = router + (top_k + num_shared) * expert
            flops = 2 * router + (top_k + num_shared) * expert_flops
        parameters, active = parameters + norm_parameters, active + norm_parameters
        layers.append(Layer(f"block {number} feed-forward", parameters, active, flops))
    layers.append(Layer("final norm", norm_parameters, norm_parameters, 0))
    output = 0 if tied else vocabulary * d_model
    layers.append(Layer("output", output, output, 2 * vocabulary * d_model))
    return Count(tuple(layers), per="token", kv_elements=num_layers * kv_elements)
