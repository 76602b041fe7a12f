"""A bet on a larger model: an interval for its loss, staked before the loss is shown, and what it scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helpers.economics.scaling import LossLaw

from .base import Explorer, numbers

LEVEL = 0.9
WORDS = {
    "low": "my lower end", "high": "my upper end", "reveal": "show the loss that was measured",
    "sizes": "Loss against size, one line an amount of text", "texts": "Loss against text, one line a size",
    "parameters": "parameters N", "characters": "characters D", "loss": "loss, nats per character",
    "mine": "your interval", "fit": "the fit's", "measured": "measured", "target": "the larger run",
    "staked": "You stake {low} to {high}, a width of {width}. Nothing is shown yet.",
    "hit": "Measured: {truth}. Your interval {low} to {high} holds it and scores {score}, its width.",
    "miss": "Measured: {truth}. Your interval {low} to {high} misses it by {off}: width {width} + {factor} × {off} "
            "= {score}.",
    "other": " The fit's interval, {low} to {high}, scores {score}. The lower score wins.",
    "runs": "D = {value}", "models": "N = {value}",
}


class Bet(Explorer):
    """Stake an interval for the loss of a run that no fit has seen; then show it, and compare scores with the fit.

    Args:
        rows: runs with "parameters", "characters" and "loss".
        target: the run held back, with the same names.
        law: fitted to the rows.
        interval: lower and upper end of the fit's prediction for the target, 90 percent.
        span: range of the sliders, nats per character.
        source: where the runs come from.

    Raises:
        ValueError: no rows, an interval that is not (low, high), or a loss outside the sliders' range.

    Derived in: book/math/scaling_laws.
    """

    module = "bet"

    def __init__(
        self, rows: Sequence[dict[str, Any]], target: dict[str, Any], law: LossLaw, interval: tuple[float, float], *,
        span: tuple[float, float] = (1.2, 2.4), source: str = "Recorded runs; the scores are computed in this page.",
        id: str | None = None,
    ) -> None:
        low, high = interval
        losses = [row["loss"] for row in rows]
        if not rows:
            raise ValueError("Bet takes at least one run, found none.")
        if not low < high:
            raise ValueError(f"the fit's interval must be (low, high), found ({low:g}, {high:g}).")
        if min(*losses, target["loss"], low) < span[0] or max(*losses, target["loss"], high) > span[1]:
            raise ValueError(f"all losses must lie in the span {span[0]:g} to {span[1]:g}, found "
                             f"{min(*losses, target['loss'], low):.3g} to {max(*losses, target['loss'], high):.3g}.")
        names = ("parameters", "characters", "loss")
        super().__init__({
            "title": "Bet on a larger run", "hint": "Set both ends of your 90 % interval. Then show the loss.",
            "source": source, "words": WORDS, "level": LEVEL, "span": numbers(span),
            "rows": [[numbers(row[name], 6) for name in names] for row in rows],
            "target": [numbers(target[name], 6) for name in names],
            "law": {name: numbers(getattr(law, name), 8) for name in ("floor", "a", "b", "alpha", "beta")},
            "interval": [numbers(low, 6), numbers(high, 6)],
        }, id=id)

    @staticmethod
    def compute(low: float, high: float, truth: float, level: float = LEVEL) -> dict:
        """Score of an interval, lower is better: its width, plus 2 / (1 − level) times the distance of a miss.

        Args:
            low, high: ends of the interval, in either order.
            truth: what was measured.
            level: chance with which the interval is meant to hold the truth.
        """
        low, high = min(low, high), max(low, high)
        off = max(low - truth, truth - high, 0.0)
        return {"width": high - low, "off": off, "score": high - low + 2 / (1 - level) * off, "inside": off == 0}

    @staticmethod
    def cases() -> list[dict]:
        """Intervals at which the page and Python are compared: a hit, both misses, ends swapped, another level."""
        return [{"low": low, "high": high, "truth": 1.55, "level": level}
                for low, high, level in ((1.5, 1.6, 0.9), (1.6, 1.7, 0.9), (1.3, 1.4, 0.9), (1.7, 1.6, 0.8))]
