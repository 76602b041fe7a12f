"""Full tuning or adapters: recorded quality by rank and number of pairs, and the memory and storage that each takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.models._count import checked_size

from .base import Explorer, numbers

COLOURS = ("ink", "sky", "blue", "purple", "orange", "green", "red")
# Name, blocks, width. Parameters are those of the matrices in the blocks: 12 L D².
MODELS = (("4 blocks × 256", 4, 256), ("12 blocks × 768", 12, 768), ("32 blocks × 4,096", 32, 4096),
          ("96 blocks × 12,288", 96, 12_288))
WORDS = {
    "method": "method", "num": "pairs to learn from", "measure": "measured on", "summaries": "held-out summaries",
    "code": "held-out code (forgetting)", "bits": "bits per byte", "before": "before tuning", "model": "model",
    "rank": "rank of the adapters", "customers": "customers", "recorded": "Recorded: the house model",
    "training": "Memory while training", "full": "full", "lora": "LoRA", "files": "bytes",
    "status": "{method}, {num} pairs: {bits} bits per byte on {measure}, {gain} than before tuning. A model of "
              "{parameters} weights: rank {rank} trains {adapters} ({share}); {lora} instead of {full} while training, "
              "{lora_store} instead of {full_store} for {customers} customers.",
    "better": "{by} better", "worse": "{by} worse",
}


class Tuning(Explorer):
    """Recorded bits per byte of each method over the number of pairs, and the memory of full tuning and adapters.

    Args:
        num_pairs: recorded numbers of training pairs, rising.
        summaries, code: method → bits per byte of held-out summaries, and of held-out code, one a number of pairs.
        before: the same two before tuning: (summaries, code).
        far: methods so far from the others that the frame takes them in only when they are chosen.
        source: where the runs come from.

    Raises:
        ValueError: a method without one number for each number of pairs, or more methods than colours.

    Derived in: book/project/fine_tuning.
    """

    module = "tuning"

    def __init__(
        self, num_pairs: Sequence[int], summaries: dict[str, Any], code: dict[str, Any],
        before: tuple[float, float], *, far: Sequence[str] = (), source: str = "", id: str | None = None,
    ) -> None:
        if not 1 <= len(summaries) <= len(COLOURS) or set(summaries) != set(code):
            raise ValueError(f"Tuning shows 1 to {len(COLOURS)} methods, the same for summaries and code, found "
                             f"{len(summaries)} and {len(code)}.")
        for name in summaries:
            for values in (summaries[name], code[name]):
                if np.shape(values) != (len(num_pairs),):
                    raise ValueError(f"Tuning takes one value a number of pairs, found {np.shape(values)} of {name!r} "
                                     f"for {len(num_pairs)} numbers.")
        super().__init__({
            "title": "Tune all of it, or a thin layer on top?", "words": WORDS,
            "num_pairs": [int(n) for n in num_pairs],
            "hint": "Choose a method and move the number of pairs. Then make the model larger and add customers.",
            "methods": [{"name": name, "colour": colour, "summaries": numbers(summaries[name], 3),
                         "code": numbers(code[name], 3)} for name, colour in zip(summaries, COLOURS, strict=False)],
            "before": {"summaries": round(float(before[0]), 3), "code": round(float(before[1]), 3)},
            "far": list(far),
            "models": [{"name": name, "layers": layers, "width": width} for name, layers, width in MODELS],
            "source": source,
        }, id=id)

    @staticmethod
    def compute(layers: int, width: int, rank: int, customers: int) -> dict:
        """Weights and adapters of a plain decoder, and their bytes.

        Args:
            layers: blocks L, each with four matrices D × D and two of D × 4 D.
            width: D.
            rank: of an adapter on each of the six matrices.
            customers: each with a tuned model of their own.

        Returns:
            ``weights`` 12 L D² and ``adapters`` 18 L D r, ``share``; bytes while training with 16-bit weights and
            gradients and 32-bit master copy and moments: ``full`` and ``lora``; bytes on disk in 16 bits:
            ``full_store`` and ``lora_store``.
        """
        for name, value in (("layers", layers), ("width", width), ("rank", rank), ("customers", customers)):
            checked_size(name, value)
        weights, adapters = 12 * layers * width**2, 18 * layers * width * rank
        return {"weights": weights, "adapters": adapters, "share": adapters / weights,
                "full": 16 * weights, "lora": 2 * weights + 16 * adapters,
                "full_store": 2 * weights * customers, "lora_store": 2 * weights + 2 * adapters * customers}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        return [{"layers": layers, "width": width, "rank": rank, "customers": num}
                for (_, layers, width), rank, num in zip(MODELS, (1, 8, 64, 4), (1, 20, 300, 10_000), strict=True)]
