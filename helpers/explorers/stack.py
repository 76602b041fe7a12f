"""One request through the stack: sliders for tokens, rent and prices; what each layer keeps of the customer's price."""

from __future__ import annotations

import math
from typing import Any

from helpers import economics
from helpers.economics import stack

from .base import Explorer, numbers

WORDS = {
    "input_tokens": "tokens read",
    "output_tokens": "tokens written",
    "speed": "speed, published day = 1",
    "rent": "rent, USD per hour",
    "input_price": "list price in, USD/M",
    "output_price": "list price out, USD/M",
    "customer_price": "price of 1,000",
    "tooling_share": "tools, share of price",
    "support_share": "support, share of price",
    "device_price": "one device, USD",
    "rented_hours": "hours rented in all",
    "layers": {"chips": "chips", "power": "power", "cloud": "cloud", "models": "model vendor", "tooling": "tools",
               "application": "application"},
    "kept": "What each layer keeps of 1,000 requests",
    "usd": "USD",
    "margins": "Gross margin",
    "here": "this chain",
    "published": "published",
    "margin": "gross margin",
    "layer": "layer",
    "receives": "receives, USD",
    "pays": "pays on, USD",
    "keeps": "keeps, USD",
    "sum": "sum",
    "thousand": "1,000 requests",
    "status": "1,000 requests take {seconds} accelerator seconds. The customer pays {price}; the model vendor receives "
              "{model}, the cloud {cloud}, the chip maker {chips}. Gross margin of the application {application}, of "
              "the model vendor {models} before people and research, of the cloud {clouds} before servers and staff.",
}


def _log(name: str, value: float, low: float, high: float, kind: str = "number") -> dict[str, Any]:
    return {"name": name, "label": WORDS[name], "value": value, "min": low, "max": high, "scale": "log", "kind": kind}


class Stack(Explorer):
    """Turn one request from the chip to the customer: who pays whom, what each layer keeps, and its gross margin.

    Args:
        start: values that are shown first, by the names of the arguments of `economics.stack.chain`.

    Raises:
        ValueError: a name in `start` is unknown.

    Derived in: book/background/ventures.
    """

    module = "stack"

    def __init__(self, start: dict[str, float] | None = None, *, id: str | None = None) -> None:
        value = lambda key: economics.price(key).value  # noqa: E731
        device = round(math.sqrt(value("h100_purchase_low") * value("h100_purchase_high")), -2)
        sliders = [
            _log("customer_price", 0.02, 1e-4, 10),
            _log("input_tokens", 1200, 10, 1e6, "integer"),
            _log("output_tokens", 250, 1, 1e5, "integer"),
            _log("output_price", value("api_large_output_median"), 0.01, 200),
            _log("input_price", value("api_large_input_median"), 0.01, 100),
            _log("speed", 1.0, 0.001, 10),
            _log("rent", value("h100_hour_median"), 0.2, 20),
            _log("device_price", device, 1000, 200_000, "integer"),
            _log("rented_hours", 24_500, 1000, 61_000, "integer"),
            *({"name": name, "label": WORDS[name], "value": share, "min": 0, "max": 0.5, "step": 0.01,
               "kind": "percent"} for name, share in (("tooling_share", 0.05), ("support_share", 0.1))),
        ]  # fmt: skip
        first = {slider["name"]: slider["value"] for slider in sliders}
        for name in start or {}:
            economics.checks.one_of("start value", name, first)
        first |= start or {}
        known = [{"layer": row.layer, "low": row.low, "high": row.high} for row in stack.margins()
                 if "for comparison" not in row.what and "projection" not in row.what]
        _, power = stack.owned_hour()
        super().__init__(
            {
                "title": "One request, from the chip to the customer",
                "hint": "Lower the price that the customer pays, or the list price of the model. Who gives way?",
                "source": "Computed in this page. Speed 1: the tokens per device that one vendor published for a day "
                          "of February 2025. Rents of October 2026, list prices to October 2026, devices early 2025. "
                          "What the customer pays, tools, support and hours rented are assumed.",
                "words": WORDS,
                "sliders": [slider | {"value": first[slider["name"]]} for slider in sliders],
                "layers": list(stack.LAYERS),
                "published": known,
                "fixed": {"reading": stack.PUBLISHED_DAY["input_tokens_per_second_per_node"] / 8,
                          "writing": stack.PUBLISHED_DAY["output_tokens_per_second_per_node"] / 8,
                          "power": numbers(power, 12)},
            },
            id=id,
        )

    @staticmethod
    def compute(**params: float) -> dict[str, Any]:
        """What `economics.stack.chain` finds, in USD for one request.

        Args:
            params: arguments of `chain`; reading, writing (tokens per second and device) and power (USD an hour) are
                fixed by the state and the same as in `chain`.

        Returns:
            seconds, received, paid and kept [6 layers], margins of cloud, models and application.

        Raises:
            ValueError: a number is out of its range.

        Derived in: book/background/ventures.
        """
        chain = stack.chain(**{name: v for name, v in params.items() if name not in ("reading", "writing", "power")})
        return {
            "seconds": chain.seconds,
            "received": [link.received for link in chain.links],
            "paid": [link.paid for link in chain.links],
            "kept": [link.value_added for link in chain.links],
            "margins": [chain[name].gross_margin for name in ("cloud", "models", "application")],
        }

    @staticmethod
    def cases() -> list[dict[str, float]]:
        """Settings at which the browser tests compare this function with the page."""
        state = Stack().state
        middle = {slider["name"]: slider["value"] for slider in state["sliders"]} | state["fixed"]
        changes: list[dict[str, float]] = [
            {}, {"customer_price": 1e-4}, {"speed": 0.001, "rent": 20.0}, {"tooling_share": 0.5, "support_share": 0.5},
            {"input_tokens": 1e6, "output_tokens": 1}, {"device_price": 2e5, "rented_hours": 1000},
        ]
        return [middle | change for change in changes]
