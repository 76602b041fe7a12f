"""What the founders keep after several rounds: each round sells a share of what is left."""

from __future__ import annotations

from typing import Any

from helpers import economics

from .formula import Formula


class Dilution(Formula):
    """Sliders for the share sold in each round and the option pool; the founders' share and its worth follow.

    Args:
        exit_value: price in USD at which the venture is sold, shown first.

    Raises:
        ValueError: the price lies outside 1e5 to 1e10 USD.

    Derived in: book/outlook/capital.
    """

    module = "dilution"

    def __init__(self, exit_value: float = 50e6, *, id: str | None = None) -> None:
        def sold(name: str, label: str, key: str) -> dict[str, Any]:
            return {"name": name, "label": label, "min": 0, "max": 0.6, "step": 0.001, "kind": "percent",
                    "value": economics.price(key).value}

        super().__init__(
            [
                sold("seed", "sold in the seed round", "dilution_seed"),
                sold("series_a", "sold in Series A", "dilution_a"),
                sold("series_b", "sold in Series B", "dilution_b"),
                sold("pool", "option pool for staff", "dilution_pool"),
                {"name": "exit_value", "label": "sold for", "min": 1e5, "max": 1e10,
                 "value": exit_value, "scale": "log", "kind": "money"},
            ],
            [
                {"name": "kept", "label": "founders keep", "kind": "percent"},
                {"name": "worth", "label": "their part of the price", "kind": "money"},
            ],
            sentence="Sell [[seed]] in the seed round, [[series_a]] in Series A, [[series_b]] in Series B, and set "
                     "[[pool]] aside for staff: the founders keep {kept}. Of a sale at [[exit_value]] that is {worth}.",
            chart={"x": "series_a", "y": "kept", "domain": [0, 1]},
            title="What the founders keep",
            hint="Drag a number in the sentence. The rounds multiply, so their order does not matter.",
            source="Computed in this page. Series A and B: Carta medians of 2025-03 and 2024-12; seed round and pool "
                   "are assumed. Left out: investors who are paid before the founders.",
            id=id,
        )

    @staticmethod
    def compute(seed: float, series_a: float, series_b: float, pool: float, exit_value: float) -> dict[str, float]:
        """Share that the founders keep, and what it brings at the price of a sale.

        Args:
            seed, series_a, series_b, pool: shares sold or set aside, one after the other, from 0 to 1.
            exit_value: price of the venture in USD.

        Raises:
            ValueError: a share lies outside 0 to 1.

        Derived in: book/outlook/capital.
        """
        kept = economics.dilution([seed, series_a, series_b, pool])
        return {"kept": kept, "worth": kept * exit_value}

    @staticmethod
    def cases() -> list[dict[str, float]]:
        """Settings at which the browser tests compare this function with the page."""
        middle = {"seed": 0.2, "series_a": 0.179, "series_b": 0.15, "pool": 0.1, "exit_value": 50e6}
        return [middle, {**middle, "pool": 0.0}, {**middle, "series_a": 1.0}, dict.fromkeys(middle, 0.0)]
