"""Temperature, top-k and top-p on logits that a model really gave."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers

SHOWN = 16
WORDS = {
    "prompt": "text so far", "temperature": "temperature", "top_k": "top-k", "top_p": "top-p", "all": "all",
    "bars": "Chance of the next token", "now": "with the knobs", "model": "as the model gave it", "chance": "chance",
    "token": "token", "none": "off",
    "status": "{left} of {num} tokens can still be drawn; the likeliest has {first}. The draw is as open as one among "
              "{effective} equally likely tokens. Top-k and top-p cut off {cut} of the chances.",
}


class Sampling(Explorer):
    """Bars of the likeliest next tokens after a prompt; three knobs change them in the page.

    Args:
        rows: prompt → (logits [V] of the next token, its V token texts, with visible signs for white space). Long
            texts are shortened.
        temperature, top_k, top_p: settings that are shown first; top_k 0 and top_p 1 are off.

    Raises:
        ValueError: no prompt, fewer than 16 logits, or texts that do not match them.

    Source: holtzman2020. Derived in: book/project/inference.
    """

    module = "sampling"

    def __init__(
        self, rows: dict[str, tuple[Any, Sequence[str]]], *, temperature: float = 1.0, top_k: int = 0,
        top_p: float = 1.0, source: str = "", id: str | None = None,
    ) -> None:
        if not rows:
            raise ValueError("Sampling shows at least one prompt, found none.")
        shown = []
        for prompt, (logits, texts) in rows.items():
            values = np.asarray(logits, dtype=np.float64)
            if values.ndim != 1 or len(values) < SHOWN or len(texts) != len(values):
                raise ValueError(f"Sampling takes logits [V] with V of at least {SHOWN} and as many texts, found "
                                 f"{list(values.shape)} and {len(texts)} after {prompt!r}.")
            order = np.argsort(-values, kind="stable")
            shown.append({"prompt": prompt, "logits": numbers(values[order], 5),
                          "texts": [_short(texts[i]) for i in order[:SHOWN]]})
        super().__init__({
            "title": "Before the die is cast", "words": WORDS, "rows": shown, "source": source,
            "hint": "Change one knob at a time. Which tokens can still be drawn?",
            "start": {"temperature": temperature, "top_k": top_k, "top_p": top_p},
        }, id=id)

    @staticmethod
    def compute(logits: list[float], temperature: float, top_k: int, top_p: float) -> dict[str, Any]:
        """Chances of the next token after the knobs, as ``models.generate.probabilities`` gives them.

        Args:
            logits: from the likeliest on.
            temperature: the logits are divided by it.
            top_k: tokens that stay; 0 leaves all.
            top_p: the likeliest stay until their chances reach this; 1 leaves all.

        Returns:
            chances: of the first 16; left: tokens that can be drawn; cut: share of the chances that top-k and top-p
            took away; effective: e to the entropy of what is left.
        """
        powers = [math.exp((z - logits[0]) / temperature) for z in logits]
        total = sum(powers)
        num = min(top_k or len(powers), len(powers))
        inside, before, left = sum(powers[:num]), 0.0, 0
        while left < num and (top_p >= 1 or before < top_p):
            before, left = before + powers[left] / inside, left + 1
        kept = sum(powers[:left])
        chances = [power / kept for power in powers[:left]]
        return {"chances": (chances + [0.0] * SHOWN)[:SHOWN], "left": left, "cut": 1 - kept / total,
                "effective": math.exp(-sum(p * math.log(p) for p in chances if p > 0))}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        logits = [6 - 1.3 * math.sqrt(k) for k in range(60)]
        return [{"logits": logits, "temperature": 1.0, "top_k": 0, "top_p": 1.0},
                {"logits": logits, "temperature": 0.6, "top_k": 0, "top_p": 0.9},
                {"logits": logits, "temperature": 1.7, "top_k": 20, "top_p": 0.55}]


def _short(text: str) -> str:
    """A token that fits beside its bar: a sign that comes four times and more is counted."""
    text = re.sub(r"(.)\1{3,}", lambda run: f"{run[1]}×{len(run[0])}", text)
    return text if len(text) <= 12 else text[:11] + "…"
