"""Memory of training and inference in bytes (1 GB = 1e9 bytes)."""

from __future__ import annotations

from helpers.economics import checks

#: Bytes per parameter kept for weights, gradients and optimiser (Adam) by total: 16 = 16-bit weights and gradients
#: with a 32-bit master copy and two moments; 18 = the same with 32-bit gradients; 20 = 16-bit weights and gradients
#: with 32-bit copies of both. 32-bit training without a master copy (4 + 4 + 8) also needs 16 in total.
TRAINING_STATES = {16: (2, 2, 12), 18: (2, 4, 12), 20: (2, 2, 16)}


def memory_training(
    parameters: float, *, bytes_per_parameter: int = 16, zero_stage: int = 0, num_devices: int = 1
) -> float:
    """Return the bytes of weights, gradients and Adam state on each device, without activations.

    Args:
        parameters: number of parameters, all experts included.
        bytes_per_parameter: 16, 18 or 20; see `TRAINING_STATES`.
        zero_stage: 0 keeps everything on every device, 1 shards the optimiser state, 2 also the gradients,
            3 also the weights.
        num_devices: devices over which the state is sharded.

    Raises:
        ValueError: parameters not above 0, an unknown state size or stage, or no device.

    Source: micikevicius2018, rajbhandari2020, megatron. Derived in: book/concepts/what_is_large.
    """
    parameters = checks.positive("parameters", parameters)
    num_devices = checks.count("num_devices", num_devices)
    if bytes_per_parameter not in TRAINING_STATES:
        raise ValueError(f"bytes_per_parameter must be 16, 18 or 20, found {bytes_per_parameter!r}; "
                         "16 is mixed precision with Adam.")
    if zero_stage not in (0, 1, 2, 3):
        raise ValueError(f"zero_stage must be 0, 1, 2 or 3, found {zero_stage!r}; 0 shards nothing.")
    weights, gradients, optimiser = TRAINING_STATES[bytes_per_parameter]
    weights = weights / num_devices if zero_stage >= 3 else weights
    gradients = gradients / num_devices if zero_stage >= 2 else gradients
    optimiser = optimiser / num_devices if zero_stage >= 1 else optimiser
    return parameters * (weights + gradients + optimiser)


def memory_activations(
    num_layers: int,
    d_model: int,
    num_heads: int,
    *,
    context: int,
    batch: int = 1,
    tensor_parallel: int = 1,
    sequence_parallel: bool = False,
    recompute: str = "none",
) -> float:
    """Return the bytes of 16-bit activations kept for the backward pass on each device; an upper model.

    Written for blocks with dropout, GELU and attention that stores its scores; attention that never stores them
    needs about what `recompute="selective"` gives.

    Args:
        num_layers: blocks.
        d_model: width of the residual stream.
        num_heads: attention heads.
        context: tokens per sequence.
        batch: sequences per device and step.
        tensor_parallel: devices that share each layer.
        sequence_parallel: also split norms and dropout over these devices.
        recompute: "none", "selective" (attention scores) or "full" (only the input of each block is kept).

    Raises:
        ValueError: a size is not a whole number of at least 1, or `recompute` is unknown.

    Source: korthikanti2023. Derived in: book/concepts/what_is_large.
    """
    checks.one_of("recompute", recompute, ("none", "selective", "full"))
    num_layers, d_model = checks.count("num_layers", num_layers), checks.count("d_model", d_model)
    num_heads, context = checks.count("num_heads", num_heads), checks.count("context", context)
    ranks = checks.count("tensor_parallel", tensor_parallel)
    tokens_by_width = num_layers * context * checks.count("batch", batch) * d_model
    if recompute == "full":
        return 2.0 * tokens_by_width
    scores = 5 * num_heads * context / d_model if recompute == "none" else 0.0
    if sequence_parallel:
        return tokens_by_width * (34 + scores) / ranks
    return tokens_by_width * (10 + 24 / ranks + scores / ranks)


def kv_cache_bytes(
    num_layers: int, num_kv_heads: int, d_head: int, *, tokens: float = 1, bytes_per_value: float = 2
) -> float:
    """Return the bytes of keys and values kept for `tokens` tokens.

    Args:
        num_layers: blocks.
        num_kv_heads: key-value heads.
        d_head: width of a head.
        tokens: tokens of all sequences together.
        bytes_per_value: 2 for bf16, 1 for fp8.

    Raises:
        ValueError: a size is out of its range.

    Source: ainslie2023, pope2023. Derived in: book/concepts/what_is_large.
    """
    values = 2 * checks.count("num_layers", num_layers) * checks.count("num_kv_heads", num_kv_heads)
    values *= checks.count("d_head", d_head)
    return values * checks.not_negative("tokens", tokens) * checks.positive("bytes_per_value", bytes_per_value)


def memory_inference(
    parameters: float, *, bytes_per_parameter: float = 2, kv_bytes_per_token: float = 0, tokens: float = 0
) -> float:
    """Return the bytes of weights and key-value cache while a model answers.

    Args:
        parameters: number of parameters, all experts included.
        bytes_per_parameter: 2 for bf16, 1 for 8 bits, 0.5 for 4 bits.
        kv_bytes_per_token: bytes of cache per token, see `kv_cache_bytes`.
        tokens: tokens held in the cache, all sequences together.

    Raises:
        ValueError: a number is out of its range.

    Source: pope2023. Derived in: book/concepts/what_is_large.
    """
    weights = checks.positive("parameters", parameters) * checks.positive("bytes_per_parameter", bytes_per_parameter)
    cache = checks.not_negative("kv_bytes_per_token", kv_bytes_per_token) * checks.not_negative("tokens", tokens)
    return weights + cache
