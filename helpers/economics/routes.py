"""Rent, retrieve, tune, distil or train: what each route costs, what it can reach, and where the choice turns."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from helpers.economics import checks
from helpers.economics.accelerators import accelerator as find
from helpers.economics.memory import kv_cache_bytes
from helpers.economics.prices import price
from helpers.economics.serving_cost import decode_step_seconds, prefill_tokens_per_second
from helpers.economics.training_cost import device_hours, plan_training, training_flops

ROUTES = ("rent", "retrieve", "tune", "distil", "train")
DAYS, HOURS = 30, 720  # of a month


def _table(key: str) -> Any:
    """A field whose default is a row of the price table."""
    return field(default_factory=lambda: price(key).value)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One way to get answers; a route with parameters runs on own or rented devices, one without at a vendor.

    Attributes:
        name: "rent", "retrieve", "tune", "distil", "train", or a name of your own.
        start, ceiling: share of your evaluation answered right without an example of yours, and with endlessly many.
        scale, exponent: the learning curve between them, see `quality_with`.
        build, staff: person-months before the first answer, and persons while it runs.
        vendor: every request goes to a vendor. teacher: a vendor's model answers the training questions.
        weights: starts from somebody's open weights.
        passages: retrieved passages stand in the prompt.
        parameters, kv_bytes_per_token, batch, devices: own model, its cache, sequences at once, devices in a group.
        pretraining_hours: device-hours before the first example. epochs, trials: passes over them, and runs tried.

    Raises:
        ValueError: a share lies outside 0 to 1, start lies above the ceiling, or a number is out of its range.

    Derived in: book/outlook/train_tune_or_rent.
    """

    name: str
    start: float
    ceiling: float
    build: float
    staff: float
    scale: float = 1.0
    exponent: float = 0.5
    vendor: bool = False
    teacher: bool = False
    weights: bool = False
    passages: bool = True
    parameters: float = 0.0
    kv_bytes_per_token: float = 0.0
    batch: int = 32
    devices: int = 1
    pretraining_hours: float = 0.0
    epochs: float = 3.0
    trials: float = 10.0

    def __post_init__(self) -> None:
        for name in ("start", "ceiling"):
            checks.fraction(f"{name} of {self.name}", getattr(self, name))
        if self.start > self.ceiling:
            raise ValueError(f"start of {self.name} must be at most its ceiling, found {self.start} and "
                             f"{self.ceiling}; swap them if they are the wrong way round.")
        for name in ("scale", "exponent", "batch", "devices", "epochs", "trials"):
            checks.positive(f"{name} of {self.name}", getattr(self, name))
        for name in ("build", "staff", "kv_bytes_per_token", "pretraining_hours"):
            checks.not_negative(f"{name} of {self.name}", getattr(self, name))
        if not self.vendor:
            checks.positive(f"parameters of {self.name}", self.parameters)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the reader knows, measures or assumes; money in USD, prices by the token per million.

    Attributes:
        volume: requests a day. quality: share of your own evaluation that must be answered right.
        months, discount: length of the plan, and the yearly rate at which later money counts less.
        input_tokens, passage_tokens, output_tokens: instructions with the question, retrieved passages, answer.
        cached_share: share of `input_tokens` found in the cache; passages differ and are never found.
        input_price, cached_price, output_price: a vendor's prices. price_decline: their fall a year.
        rent, rent_change: USD per device-hour, and its change a year. accelerator: device that is rented.
        load: share of paid device-hours that are busy. reserve: what the roofline promises over what services reach.
        idle_devices, idle_hour: devices you have that stand idle, and USD for the power of one for an hour, assumed.
        person_month, label: cost of a person's month, and of an example labelled by people.
        teacher_answers: answers bought for each example kept when distilling.
        people, deadline: people free to build, months within which it must run.
        max_seconds, vendor_seconds: time allowed for an answer, and what you measured at the vendor.
        data_may_leave, may_train_on_data, may_train_on_answers, may_use_weights: privacy and rights.
        current, switching_cost: route in use ("" for none), and what leaving it costs beyond building the next.

    Raises:
        ValueError: a number is missing or out of its range, or the accelerator is unknown.

    Derived in: book/outlook/train_tune_or_rent.
    """

    volume: float = 1000.0
    quality: float = 0.75
    months: int = 36
    discount: float = _table("choice_discount")
    input_tokens: float = 400.0
    passage_tokens: float = 800.0
    output_tokens: float = 250.0
    cached_share: float = 0.5
    input_price: float = _table("api_large_input_median")
    cached_price: float = _table("api_large_cached_median")
    output_price: float = _table("api_large_output_median")
    price_decline: float = _table("choice_price_decline")
    accelerator: str = "h100"
    rent: float = _table("h100_hour_median")
    rent_change: float = 0.0
    load: float = _table("serving_load")
    reserve: float = 2.5
    idle_devices: float = 0.0
    idle_hour: float = 0.16
    person_month: float = _table("choice_person_month")
    label: float = _table("choice_label")
    teacher_answers: float = 4.0
    people: float = 4.0
    deadline: float = 12.0
    max_seconds: float = 15.0
    vendor_seconds: float = 4.0
    data_may_leave: bool = True
    may_train_on_data: bool = True
    may_train_on_answers: bool = True
    may_use_weights: bool = True
    current: str = ""
    switching_cost: float = 0.0

    def __post_init__(self) -> None:
        for name in ("volume", "output_tokens", "rent", "people", "reserve"):
            checks.positive(name, getattr(self, name))
        for name in ("input_tokens", "passage_tokens", "input_price", "cached_price", "output_price", "idle_devices",
                     "idle_hour", "person_month", "label", "teacher_answers", "deadline", "max_seconds",
                     "vendor_seconds", "switching_cost", "discount"):
            checks.not_negative(name, getattr(self, name))
        for name in ("quality", "cached_share", "price_decline"):
            checks.fraction(name, getattr(self, name))
        checks.fraction("load", self.load, above_zero=True)
        checks.count("months", self.months)
        if checks.finite("rent_change", self.rent_change) <= -1:
            raise ValueError(f"rent_change must be above -1, found {self.rent_change!r}; write a fall of 20 percent "
                             "as -0.2.")
        find(self.accelerator)

    def changed(self, **values: Any) -> Situation:
        """The same situation with other values.

        Raises:
            ValueError: a name is unknown (near matches are offered), or a value is out of its range.
        """
        for name in values:
            checks.one_of("input", name, [one.name for one in fields(self)])
        return replace(self, **values)


def example_routes(rent: float = 0.62, retrieve: float = 0.78) -> tuple[Route, ...]:
    """The five routes of the book's example; its qualities are simulated, its efforts and learning curves assumed.

    Args:
        rent, retrieve: share of your evaluation that a vendor's model answers right without and with passages.

    Raises:
        ValueError: a share lies outside 0 to 1.

    Derived in: book/outlook/train_tune_or_rent.
    """
    plan = plan_training(8e9, 1.6e12, overhead=2.0)
    large, small = kv_cache_bytes(32, 8, 128), kv_cache_bytes(16, 8, 64)
    return (
        Route(name="rent", start=rent, ceiling=rent, build=0.5, staff=0.1, vendor=True, passages=False),
        Route(name="retrieve", start=retrieve, ceiling=retrieve, build=2, staff=0.25, vendor=True),
        Route(name="tune", start=0.66, ceiling=0.90, scale=500, build=4, staff=0.75, weights=True, parameters=8e9,
              kv_bytes_per_token=large),
        Route(name="distil", start=min(0.50, retrieve), ceiling=retrieve, scale=2000, build=5, staff=0.75,
              teacher=True, weights=True, parameters=1e9, kv_bytes_per_token=small),
        Route(name="train", start=0.40, ceiling=0.94, scale=1000, build=36, staff=3, parameters=8e9,
              kv_bytes_per_token=large, pretraining_hours=plan.device_hours),
    )


def quality_with(examples: Any, route: Route) -> Any:
    """Quality after training on so many examples: c - (c - s) (1 + n/k)^(-b), an assumed form; fit it to a pilot.

    Args:
        examples: number n of examples, any shape.
        route: start s, ceiling c, scale k and exponent b.

    Derived in: book/outlook/train_tune_or_rent.
    """
    gap = route.ceiling - route.start
    return route.ceiling - gap * (1 + np.asarray(examples, dtype=float) / route.scale) ** -route.exponent


def examples_for(quality: Any, route: Route) -> Any:
    """Examples needed for a quality: the learning curve the other way round; infinite from the ceiling on.

    Args:
        quality: share of your evaluation that must be answered right, any shape.
        route: the learning curve.

    Derived in: book/outlook/train_tune_or_rent.
    """
    wanted = np.asarray(quality, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (route.ceiling - route.start) / (route.ceiling - wanted)
        needed = route.scale * (ratio ** (1 / route.exponent) - 1)
    return np.where(wanted <= route.start, 0.0, np.where(wanted < route.ceiling, needed, np.inf))


def months_paid(change: float, discount: float, start: int, stop: int) -> float:
    """Present value in USD of one dollar a month from month `start` to `stop` whose size changes every month.

    Args:
        change: change of the payment a year, such as -0.5 for a price that halves.
        discount: yearly rate at which later money counts less.
        start, stop: first month, and the month after the last.

    Derived in: book/outlook/train_tune_or_rent.
    """
    factor = ((1 + change) / (1 + discount)) ** (1 / 12)
    if abs(factor - 1) < 1e-12:
        return float(stop - start)
    return factor**start * (1 - factor ** (stop - start)) / (1 - factor)


def _each(needed: Any, cost: float) -> Any:
    """Cost of all examples; infinite where no number of them is enough, also when one costs nothing."""
    reachable = np.isfinite(needed)
    return np.where(reachable, np.where(reachable, needed, 0.0) * cost, np.inf)


def _tokens(route: Route, s: Situation) -> tuple[float, float]:
    """Input tokens of a request that are new, and those found in the cache."""
    cached = s.cached_share * s.input_tokens
    return s.input_tokens - cached + route.passages * s.passage_tokens, cached


def request_price(route: Route, s: Situation) -> float:
    """USD for one request at the vendor's prices of the first month.

    Derived in: book/outlook/train_tune_or_rent.
    """
    fresh, cached = _tokens(route, s)
    return (fresh * s.input_price + cached * s.cached_price + s.output_tokens * s.output_price) / 1e6


def _rates(route: Route, s: Situation) -> tuple[float, float]:
    """Seconds in which the group reads one new token, and in which every stream writes one, with the reserve."""
    device = find(s.accelerator)
    peak = route.devices * device.flops_per_second
    reading = prefill_tokens_per_second(route.parameters, peak, price("prefill_utilisation").value)
    context = s.input_tokens + route.passages * s.passage_tokens + s.output_tokens / 2
    step = decode_step_seconds(
        route.batch, active_parameters=route.parameters, flops_per_second=peak, context=context,
        bandwidth=route.devices * device.bandwidth, kv_bytes_per_token=route.kv_bytes_per_token,
        utilisation=price("decode_utilisation").value)
    return s.reserve / reading, s.reserve * step


def device_seconds(route: Route, s: Situation) -> float:
    """Busy device-seconds of one request on an own service.

    Derived in: book/outlook/train_tune_or_rent.
    """
    reading, step = _rates(route, s)
    return route.devices * (_tokens(route, s)[0] * reading + s.output_tokens * step / route.batch)


def answer_seconds(route: Route, s: Situation) -> float:
    """Seconds until an answer is complete: as measured at the vendor, or reading and writing on an own service.

    Derived in: book/outlook/train_tune_or_rent.
    """
    if route.vendor:
        return s.vendor_seconds
    reading, step = _rates(route, s)
    return _tokens(route, s)[0] * reading + s.output_tokens * step


def upfront(route: Route, s: Situation, quality: Any = None) -> dict[str, Any]:
    """USD before the first answer: {"build", "data", "compute"}; data and compute have the shape of `quality`.

    Args:
        route: the route.
        s: the situation; `quality` replaces its own.

    Derived in: book/outlook/train_tune_or_rent.
    """
    needed = examples_for(s.quality if quality is None else quality, route)
    if route.vendor:
        return {"build": route.build * s.person_month, "data": _each(needed, 0.0), "compute": 0.0}
    example = s.label
    if route.teacher:
        example = s.teacher_answers * request_price(route, s)
    read = s.input_tokens + route.passages * s.passage_tokens + s.output_tokens
    flops = training_flops(route.parameters, read * route.epochs * route.trials)
    hours = device_hours(flops, find(s.accelerator).flops_per_second, price("training_utilisation").value)
    return {"build": route.build * s.person_month, "data": _each(needed, example),
            "compute": route.pretraining_hours * s.rent + _each(needed, hours * s.rent)}


def running(route: Route, s: Situation, volume: Any = None, start: int = 0, stop: int | None = None) -> dict[str, Any]:
    """USD while it runs, discounted to month 0: {"people", "serving"}; serving has the shape of `volume`.

    Args:
        route: the route.
        s: the situation; `volume` (requests a day) replaces its own.
        start, stop: first month, and the month after the last; None means to the end of the plan.

    Derived in: book/outlook/train_tune_or_rent.
    """
    requests = np.asarray(s.volume if volume is None else volume, dtype=float)
    stop = s.months if stop is None else stop
    steady = months_paid(0.0, s.discount, start, stop)
    people = route.staff * s.person_month * steady
    if route.vendor:
        falling = months_paid(-s.price_decline, s.discount, start, stop)
        return {"people": people, "serving": DAYS * requests * request_price(route, s) * falling}
    fleet = np.maximum(route.devices, requests * device_seconds(route, s) / (86_400 * s.load))
    own = np.minimum(fleet, s.idle_devices)
    rented = (fleet - own) * s.rent * months_paid(s.rent_change, s.discount, start, stop)
    return {"people": people, "serving": HOURS * (rented + own * s.idle_hour * steady)}


def parts(route: Route, s: Situation, volume: Any = None, quality: Any = None) -> dict[str, Any]:
    """Every part of what a route costs over the plan, in USD: build, data, compute, people, serving, switching.

    Args:
        route: the route. s: the situation; `volume` and `quality` replace its own, any shape.
    """
    moved = s.switching_cost if s.current and s.current != route.name else 0.0
    return upfront(route, s, quality) | running(route, s, volume) | {"switching": moved}


def total(route: Route, s: Situation, volume: Any = None, quality: Any = None) -> Any:
    """USD over the plan, discounted; infinite where the quality is out of reach. Arguments as in `parts`.

    Derived in: book/outlook/train_tune_or_rent.
    """
    return sum(parts(route, s, volume, quality).values())
