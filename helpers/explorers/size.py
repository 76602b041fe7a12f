"""A counter of size: from a model for a laptop to a trillion parameters, with memory, days and price."""

from __future__ import annotations

from typing import Any

from helpers import economics

from .base import Explorer

WORDS = {
    "depth": "blocks",
    "width": "width",
    "experts": "experts per block",
    "vocabulary": "vocabulary",
    "context": "context in tokens",
    "share": "heads that share a cache",
    "ratio": "tokens per parameter",
    "accelerator": "accelerator",
    "devices": "devices",
    "utilisation": "utilisation",
    "map": "Size and training",
    "map_axis": "training FLOP",
    "here": "this model",
    "published": "published",
    "parameters": "parameters",
    "active": "active parameters",
    "flops": "FLOP per token, forward",
    "tokens": "training tokens",
    "memory": "Memory",
    "bytes": "bytes",
    "weights": "weights, bf16",
    "cache": "cache, 1 text",
    "state": "training state",
    "device_memory": "one device",
    "fewest": "fewest devices for training",
    "device_hours": "device-hours",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "days": "days",
    "low": "rent, low",
    "high": "rent, high",
    "quantity": "quantity",
    "value": "value",
    "status": "{parameters} parameters, {active} active, {flops}FLOP per token. Training on {tokens} tokens takes "
              "{training_flops} FLOP: {devices} × {device} for {time}, {low} to {high} at rents of {date}. The "
              "training state takes {state} (fewest devices: {fewest}), answering {inference}.",
}
DEPTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 126, 160]
WIDTHS = [64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 5120, 6144, 8192, 12288, 16384, 20480]
VOCABULARIES = [256, 1024, 4096, 8192, 16384, 32000, 50257, 65536, 100352, 128256, 200000, 262144]
CONTEXTS = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576]
TOP_K = 2
#: Parameters and training FLOP; the FLOP of DeepSeek-V3 are 6 × 37e9 active parameters × 14.8e12 tokens.
#: dy moves the name, in pixels. Source: vaswani2017, brown2020, grattafiori2024, deepseek2024v3.
MODELS = [
    {"name": "Transformer", "parameters": 2.13e8, "training_flops": 2.3e19, "dy": -4},
    {"name": "GPT-3", "parameters": 175e9, "training_flops": 3.14e23, "dy": 13},
    {"name": "Llama 3.1", "parameters": 405e9, "training_flops": 3.8e25, "dy": -6},
    {"name": "DeepSeek-V3", "parameters": 671e9, "training_flops": 3.3e24, "dy": 3},
]
RENTED = ("a100", "h100", "h200", "b200", "mi300x", "tpu_v4")


def rented_accelerators() -> list[dict[str, Any]]:
    """Accelerators with a rent in the price table, as plain numbers for the state of an explorer.

    Returns:
        dictionaries with name, title, flops_per_second, memory_bytes, bandwidth (bytes/s), watts,
        price_low, price_median, price_high (USD per device-hour) and date (the oldest of the three).
    """
    rows = []
    for name in RENTED:
        device = economics.accelerator(name)
        rents = economics.rents_of(name)
        rows.append({"name": name, "title": device.title, "flops_per_second": device.flops_per_second,
                     "memory_bytes": device.memory_bytes, "bandwidth": device.bandwidth, "watts": device.watts,
                     "price_low": rents.low, "price_median": rents.median, "price_high": rents.high,
                     "date": rents.date + (", partly assumed" if rents.assumed else "")})
    return rows


class SizeCounter(Explorer):
    """Sliders for the shape of a decoder; parameters, arithmetic, memory, days and rent follow.

    Args:
        start: values that are shown first, by name: depth, width, experts, vocabulary, context, share,
            tokens_per_parameter, accelerator, devices, utilisation.

    Raises:
        ValueError: a name in `start` is unknown.

    Derived in: book/concepts/what_is_large.
    """

    module = "size"

    def __init__(self, start: dict[str, Any] | None = None, *, id: str | None = None) -> None:
        first = {"depth": 12, "width": 768, "experts": 1, "vocabulary": 50257, "context": 1024, "share": 1,
                 "tokens_per_parameter": 20, "accelerator": "h100", "devices": 8,
                 "utilisation": economics.price("training_utilisation").value}
        for name in start or {}:
            economics.checks.one_of("start value", name, first)
        super().__init__(
            {
                "title": "From a laptop to a trillion parameters",
                "hint": "Make the model deeper and wider, then add experts. Watch which bar leaves one device first.",
                "words": WORDS, "start": first | (start or {}), "depths": DEPTHS, "widths": WIDTHS,
                "vocabularies": VOCABULARIES, "contexts": CONTEXTS, "top_k": TOP_K, "models": MODELS,
                "accelerators": rented_accelerators(), "memory_share": economics.price("device_memory_share").value,
                "source": "Computed in this page. Rents from the book's price table, dated; "
                          "tokens are counted per active parameter; their ratio and the memory share are assumptions.",
            },
            id=id,
        )

    @staticmethod
    def compute(
        depth: int, width: int, context: int, vocabulary: int, experts: int, top_k: int, share: int,
        tokens_per_parameter: float, utilisation: float, devices: int, flops_per_second: float, memory_bytes: float,
        memory_share: float, price_low: float, price_median: float, price_high: float,
    ) -> dict[str, float]:
        """Size, arithmetic, memory (bytes), days and rent (USD) of a decoder with heads of width 64.

        Args:
            depth, width, context, vocabulary, experts, top_k: shape, see `economics.count_transformer`.
            share: query heads per key-value head.
            tokens_per_parameter: training tokens per active parameter.
            utilisation, devices: share of the peak, and devices at work.
            flops_per_second, memory_bytes, memory_share: of one device, and the share of memory in use.
            price_low, price_median, price_high: USD per device-hour.

        Derived in: book/concepts/what_is_large.
        """
        heads = max(1, width // 64)
        count = economics.count_transformer(
            depth, width, heads, vocabulary=vocabulary, context=context, num_kv_heads=max(1, heads // share),
            num_experts=experts, top_k=top_k)
        tokens = tokens_per_parameter * count.active_parameters
        flops = economics.training_flops(count.active_parameters, tokens)
        hours = economics.device_hours(flops, flops_per_second, utilisation)
        state = economics.memory_training(count.parameters)
        weights, cache = economics.memory_inference(count.parameters), 2 * count.kv_elements * context
        return {
            "parameters": count.parameters, "active_parameters": count.active_parameters,
            "flops_per_token": count.flops, "kv_bytes_per_token": 2 * count.kv_elements, "tokens": tokens,
            "training_flops": flops, "training_bytes": state, "weight_bytes": weights, "cache_bytes": cache,
            "inference_bytes": weights + cache, "min_devices": economics.min_devices(state, memory_bytes, memory_share),
            "device_hours": hours, "days": hours / devices / 24, "cost_low": hours * price_low,
            "cost_median": hours * price_median, "cost_high": hours * price_high,
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        keys = ("flops_per_second", "memory_bytes", "price_low", "price_median", "price_high")
        cases = []
        for device in rented_accelerators():
            for depth, width, experts, share in [(1, 64, 1, 1), (12, 768, 1, 1), (32, 4096, 8, 8), (126, 16384, 64, 4)]:
                cases.append({"depth": depth, "width": width, "experts": experts, "share": share, "context": 4096,
                              "vocabulary": 50257, "top_k": min(TOP_K, experts), "tokens_per_parameter": 20.5,
                              "utilisation": 0.37, "devices": 24, "memory_share": 0.8,
                              **{key: device[key] for key in keys}})
        return cases
