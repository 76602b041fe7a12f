"""The stack: one request from the chip to the customer, who pays whom for it, and what each layer keeps."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from helpers.economics import checks
from helpers.economics.accelerators import accelerator
from helpers.economics.prices import price

LAYERS = ("chips", "power", "cloud", "models", "tooling", "application")

# The day that one vendor published: tokens per second of a node of 8 devices, nodes rented on average, tokens of 24 h.
PUBLISHED_DAY = {
    "input_tokens": 608e9, "output_tokens": 168e9, "cached_share": 0.563, "nodes": 226.75, "devices_per_node": 8,
    "input_tokens_per_second_per_node": 73.7e3, "output_tokens_per_second_per_node": 14.8e3,
    "rent_per_device_hour": 2.0, "theoretical_revenue": 562_027.0, "date": "2025-02", "source": "deepseek2025infra",
    "verified": "checked: quoted by at least six documents; the rent is the vendor's assumption",
}  # fmt: skip


@dataclass(frozen=True)
class Margin:
    """One published gross margin.

    Attributes:
        layer: layer of the stack that it belongs to.
        what: whose margin it is.
        low, high: the margin or the ends of its range, as shares.
        date: year or month.
        source: key of references.bib.
        verified: how far the figure was checked.
    """

    layer: str
    what: str
    low: float
    high: float
    date: str
    source: str
    verified: str


@cache
def margins() -> tuple[Margin, ...]:
    """Return the published gross margins, in the order of margins.csv; layers without a figure have no row.

    Derived in: book/background/ventures.
    """
    text = files("helpers.economics").joinpath("margins.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return tuple(Margin(**{**row, "low": float(row["low"]), "high": float(row["high"])}) for row in rows)


@dataclass(frozen=True)
class Link:
    """What one layer receives, pays and keeps for one request, in USD.

    Attributes:
        name: name of the layer.
        received: money from the layer above, or from the customer.
        paid: money to other layers.
        own_costs: further cost of delivery inside the layer (support and operations).
        value_added: received - paid; it covers own costs, people, buildings, research and profit.
        gross_margin: (received - paid - own_costs) / received; None where the layer's own costs are not known or
            nothing is received.
    """

    name: str
    received: float
    paid: float
    own_costs: float
    value_added: float
    gross_margin: float | None


@dataclass(frozen=True)
class Chain:
    """One request from the chip to the customer.

    Attributes:
        seconds: accelerator seconds that the request takes, idle time included.
        payments: (who pays, who receives) → USD for one request.
        links: one `Link` a layer, in the order of LAYERS.
        price: what the customer pays, USD.
    """

    seconds: float
    payments: dict[tuple[str, str], float]
    links: tuple[Link, ...]
    price: float

    def __getitem__(self, name: str) -> Link:
        """Return the link of a layer.

        Raises:
            ValueError: there is no such layer; near matches are offered.
        """
        return self.links[LAYERS.index(checks.one_of("layer", name, LAYERS))]


def request_seconds(
    input_tokens: float, output_tokens: float, *, input_rate: float | None = None, output_rate: float | None = None
) -> float:
    """Return the accelerator seconds of one request.

    Args:
        input_tokens, output_tokens: tokens read and written.
        input_rate, output_rate: tokens per second of one device; None takes the published day's, which are averages
            over rented time, with cached input counted as input.

    Raises:
        ValueError: a number is out of its range.

    Source: deepseek2025infra. Derived in: book/background/ventures.
    """
    day = PUBLISHED_DAY
    reading = day["input_tokens_per_second_per_node"] / day["devices_per_node"] if input_rate is None else input_rate
    writing = day["output_tokens_per_second_per_node"] / day["devices_per_node"] if output_rate is None else output_rate
    read = checks.not_negative("input_tokens", input_tokens) / checks.positive("input_rate", reading)
    return read + checks.not_negative("output_tokens", output_tokens) / checks.positive("output_rate", writing)


def owned_hour(
    device_price: float | None = None, rented_hours: float = 24_500, *, device: str = "h100"
) -> tuple[float, float]:
    """Return what the owner of a device pays for one hour that is rented out: share of the purchase, and power.

    Servers, network, buildings and people are left out, so the owner's true cost is higher.

    Args:
        device_price: USD for one device; None takes the middle of the price table's range (its geometric mean).
        rented_hours: hours that the device is rented in its life (24,500 is 70 percent of four years; assumed).
        device: short name from the accelerator table, for the power.

    Raises:
        ValueError: a number is out of its range, or the device or its price is unknown.

    Derived in: book/background/ventures.
    """
    if device_price is None:
        device_price = math.sqrt(price(f"{device}_purchase_low").value * price(f"{device}_purchase_high").value)
    watts = accelerator(device).watts
    if watts is None:
        raise ValueError(f"the power of {device!r} is unknown; take a device whose watts the accelerator table holds.")
    energy = watts / 1000 * price("pue_median").value
    purchase = checks.not_negative("device_price", device_price) / checks.positive("rented_hours", rented_hours)
    return purchase, energy * price("electricity_median").value


def chain(
    *,
    input_tokens: float = 1200,
    output_tokens: float = 250,
    speed: float = 1.0,
    rent: float | None = None,
    input_price: float | None = None,
    output_price: float | None = None,
    customer_price: float = 0.02,
    tooling_share: float = 0.05,
    support_share: float = 0.1,
    device_price: float | None = None,
    rented_hours: float = 24_500,
) -> Chain:
    """Follow one request through the stack: who pays whom, and what each layer keeps.

    Args:
        input_tokens, output_tokens: tokens of the request.
        speed: speed of the service as a multiple of the published day's tokens per second and device.
        rent: USD per device-hour; None takes the median H100 of the price table.
        input_price, output_price: USD per million tokens that the model vendor asks; None takes the median over
            vendors' large models.
        customer_price: USD that the customer pays for the request (assumed).
        tooling_share: share of that price which goes to tools: storage, search, monitoring (assumed).
        support_share: share of that price which the application spends on support and operations (assumed).
        device_price, rented_hours: see `owned_hour`.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/background/ventures.
    """
    factor = checks.positive("speed", speed)
    hour = price("h100_hour_median").value if rent is None else checks.not_negative("rent", rent)
    per_input = _price("input_price", input_price, "api_large_input_median")
    per_output = _price("output_price", output_price, "api_large_output_median")
    customer = checks.positive("customer_price", customer_price)
    tooling, support = checks.fraction("tooling_share", tooling_share), checks.fraction("support_share", support_share)
    purchase, power = owned_hour(device_price, rented_hours)
    seconds = request_seconds(input_tokens, output_tokens) / factor
    hours = seconds / 3600
    payments = {
        ("customer", "application"): customer,
        ("application", "tooling"): tooling * customer,
        ("application", "models"): (input_tokens * per_input + output_tokens * per_output) / 1e6,
        ("models", "cloud"): hours * hour,
        ("cloud", "power"): hours * power,
        ("cloud", "chips"): hours * purchase,
    }
    return Chain(seconds, payments, _links(payments, {"application": support * customer}), customer)


def _links(payments: dict[tuple[str, str], float], own_costs: dict[str, float]) -> tuple[Link, ...]:
    """Add up what each layer receives and pays; who pays nobody has costs that are not known here."""
    links = []
    for name in LAYERS:
        received = sum(amount for (_, to), amount in payments.items() if to == name)
        paid = sum(amount for (by, _), amount in payments.items() if by == name)
        own = own_costs.get(name, 0.0)
        known = received > 0 and any(by == name for by, _ in payments)
        margin = (received - paid - own) / received if known else None
        links.append(Link(name, received, paid, own, received - paid, margin))
    return tuple(links)


def _price(name: str, value: float | None, key: str) -> float:
    """Return the value, or the price table's."""
    return price(key).value if value is None else checks.not_negative(name, value)


def break_even_requests(fixed_costs: float, customer_price: float, variable_cost: float) -> float:
    """Return the requests a month at which the margin on them pays the fixed costs.

    Args:
        fixed_costs: USD a month that do not depend on the requests.
        customer_price: USD received for a request.
        variable_cost: USD that each request costs.

    Raises:
        ValueError: a number is negative, or a request brings no more than it costs, so that no volume is enough.

    Derived in: book/background/ventures.
    """
    fixed = checks.not_negative("fixed_costs", fixed_costs)
    left = checks.positive("customer_price", customer_price) - checks.not_negative("variable_cost", variable_cost)
    if left <= 0:
        raise ValueError(f"each request must bring more than it costs, found a price of {customer_price:g} and a cost "
                         f"of {variable_cost:g}; raise the price or lower the cost.")
    return fixed / left
