"""The cache against the context: bytes of one text under grouped queries, windows and a state of fixed size."""

from __future__ import annotations

from typing import Any

from helpers import economics

from .base import Explorer
from .size import rented_accelerators

WORDS = {
    "context": "context in tokens", "layers": "layers", "kv_heads": "key-value heads", "window": "window",
    "every": "full attention in", "precision": "bytes a number", "parameters": "parameters", "device": "accelerator",
    "no_window": "none", "all_layers": "every layer", "no_layers": "no layer", "one_in": "1 layer in {num}",
    "bytes": "Cache of one text", "texts": "Texts that fit beside the weights", "axis": "bytes", "num": "texts",
    "full_heads": "a cache a head", "grouped": "shared heads", "windowed": "and window", "state": "linear state",
    "room": "room",
    "status": "{context} tokens keep {windowed} ({grouped} without the window, {full_heads} if each of {heads} heads "
              "had its own). Beside {weights} of weights, {device} holds {texts} such texts; a linear state would take "
              "{state}, at any length.",
    "no_room": "{context} tokens keep {windowed}, but the weights alone take {weights}: {device} has no room left.",
}
HEADS, D_HEAD = 32, 128
CONTEXTS = [2**k for k in range(9, 21)]
START = {"context": 131_072, "layers": 32, "kv_heads": 8, "window": 4096, "every": 4, "bytes_per_value": 2,
         "parameters": 8e9, "device": "h100"}


class CacheAgainstContext(Explorer):
    """Sliders for the context and for what shrinks its cache, against the memory of an accelerator.

    Args:
        start: values that are shown first, by name: context, layers, kv_heads, window (0: none), every (one layer in
            so many keeps full attention, 0: none), bytes_per_value, parameters, device.

    Raises:
        ValueError: a name in `start` is unknown.

    Source: ainslie2023, beltagy2020, katharopoulos2020.
    Derived in: book/algorithms/mixture_of_experts_and_long_context.
    """

    module = "context"

    def __init__(self, start: dict[str, Any] | None = None, *, id: str | None = None) -> None:
        for name in start or {}:
            economics.checks.one_of("start value", name, START)
        super().__init__({
            "title": "What a longer context keeps in memory", "words": WORDS, "start": START | (start or {}),
            "contexts": CONTEXTS, "heads": HEADS, "d_head": D_HEAD,
            "accelerators": [{key: device[key] for key in ("name", "title", "memory_bytes")}
                             for device in rented_accelerators()],
            "hint": "Raise the context until one text fills the accelerator, then look for what helps most.",
            "source": f"Computed in this page: {HEADS} query heads of width {D_HEAD}, weights at 2 bytes, nothing else "
                      "in memory. A linear state keeps a square of numbers a head.",
        }, id=id)

    @staticmethod
    def compute(
        context: int, layers: int, kv_heads: int, window: int, every: int, bytes_per_value: float, parameters: float,
        memory_bytes: float, heads: int, d_head: int,
    ) -> dict[str, float]:
        """Bytes of the cache of one text, and how many texts fit.

        Args:
            context: tokens of the text.
            layers, kv_heads, heads, d_head: layers, key-value heads, query heads, width of a head.
            window: tokens that a layer with a window looks back, itself included; 0 for none.
            every: one layer in so many keeps full attention although there is a window; 0 for none of them.
            bytes_per_value: 2 for bf16.
            parameters: of the model, kept at 2 bytes each.
            memory_bytes: of the accelerator.

        Returns:
            full_heads, grouped, windowed, state: bytes a text; weights, room: bytes; texts: that fit, not rounded.
        """
        def cache(num_layers: int, num_heads: int, tokens: int) -> float:
            if not num_layers:
                return 0.0
            return economics.kv_cache_bytes(num_layers, num_heads, d_head, tokens=tokens,
                                            bytes_per_value=bytes_per_value)

        full = layers if not window else -(-layers // every) if every else 0
        windowed = cache(full, kv_heads, context) + cache(layers - full, kv_heads, min(window, context))
        weights = economics.memory_inference(parameters)
        room = max(0.0, memory_bytes - weights)
        return {"full_heads": cache(layers, heads, context), "grouped": cache(layers, kv_heads, context),
                "windowed": windowed, "state": layers * heads * d_head * (d_head + 1) * bytes_per_value,
                "weights": weights, "room": room, "texts": room / windowed}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        base = {"memory_bytes": 8e10, "heads": HEADS, "d_head": D_HEAD}
        return [{"context": 131_072, "layers": 32, "kv_heads": 8, "window": 0, "every": 1, "bytes_per_value": 2,
                 "parameters": 8e9, **base},
                {"context": 4096, "layers": 61, "kv_heads": 1, "window": 1024, "every": 4, "bytes_per_value": 1,
                 "parameters": 3.1e10, **base},
                {"context": 512, "layers": 16, "kv_heads": 32, "window": 4096, "every": 0, "bytes_per_value": 0.5,
                 "parameters": 7e10, **base}]
