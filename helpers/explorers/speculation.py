"""What speculative decoding gains: acceptance, drafted tokens, price of the draft, and other texts in the batch."""

from __future__ import annotations

from typing import Any

from helpers.economics import checks

from .base import Explorer

MOST = 16
WORDS = {
    "acceptance": "acceptance α", "num_drafted": "drafted tokens γ", "cost": "cost c of a drafted token",
    "batch": "texts in the batch", "ridge": "free tokens a pass", "speed": "Speed-up against γ",
    "load": "Speed-up against the batch", "gain": "speed-up", "drafted": "γ", "texts": "texts", "even": "no gain",
    "here": "these settings", "best": "best γ each",
    "status": "A pass brings {tokens} tokens on average and takes {step} plain steps: {gain} times the speed. The best "
              "γ here is {best}, with {most} times.",
    "none": "A pass brings {tokens} tokens on average and takes {step} plain steps: {gain} times the speed. The best γ "
            "here is 0: do not speculate.",
}
START = {"acceptance": 0.8, "num_drafted": 4, "cost": 0.05, "batch": 1, "ridge": 295}


class Speculation(Explorer):
    """Sliders for acceptance, drafted tokens, cost of the draft and batch; the gain of speculation follows.

    Args:
        start: values that are shown first, by name: acceptance, num_drafted, cost, batch, ridge.

    Raises:
        ValueError: a name in `start` is unknown.

    Source: leviathan2023, pope2023. Derived in: book/project/inference.
    """

    module = "speculation"

    def __init__(self, start: dict[str, Any] | None = None, *, id: str | None = None) -> None:
        for name in start or {}:
            checks.one_of("start value", name, START)
        super().__init__({
            "title": "Does guessing ahead pay?", "words": WORDS, "start": START | (start or {}),
            "hint": "Find the best γ for one text. Then add texts to the batch.",
            "source": "Computed in this page. A pass costs the same up to its free tokens, then in proportion to its "
                      "tokens; each drafted token is kept with the same chance.",
        }, id=id)

    @staticmethod
    def compute(acceptance: float, num_drafted: int, cost: float, batch: int, ridge: float) -> dict[str, float]:
        """Gain of speculative decoding over plain decoding.

        Args:
            acceptance: chance α that a drafted token is kept.
            num_drafted: drafted tokens γ.
            cost: a step of the draft, in steps of the large model.
            batch: texts that are written side by side.
            ridge: tokens up to which a pass is limited by memory, not by arithmetic.

        Returns:
            tokens: new tokens a text and pass; step: time of a round in plain steps; speed_up; best: γ from 0 to 16
            with the highest gain; best_speed_up.
        """
        def of(num: int) -> tuple[float, float]:
            tokens = sum(acceptance**i for i in range(num + 1))
            plain = max(1.0, batch / ridge)
            return tokens, (max(1.0, batch * (num + 1) / ridge) + num * cost * plain) / plain

        tokens, step = of(num_drafted)
        gains = [a / b for a, b in map(of, range(MOST + 1))]
        best = max(range(MOST + 1), key=lambda num: (gains[num], -num))
        return {"tokens": tokens, "step": step, "speed_up": tokens / step, "best": best, "best_speed_up": gains[best]}

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the page and Python are compared."""
        return [{"acceptance": 0.8, "num_drafted": 4, "cost": 0.05, "batch": 1, "ridge": 295},
                {"acceptance": 0.5, "num_drafted": 7, "cost": 0.3, "batch": 64, "ridge": 295},
                {"acceptance": 0.93, "num_drafted": 2, "cost": 0.02, "batch": 1024, "ridge": 100}]
