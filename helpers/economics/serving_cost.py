"""What serving a model costs: a roofline for reading and writing tokens, price per million, gross margin."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.economics import checks
from helpers.economics.accelerators import accelerator as find
from helpers.economics.memory import memory_inference
from helpers.economics.prices import price
from helpers.economics.training_cost import Rents, min_devices, rents_of


def prefill_tokens_per_second(active_parameters: float, flops_per_second: float, utilisation: float) -> float:
    """Return the prompt tokens read per second, limited by arithmetic: 2 FLOP per active parameter and token.

    Args:
        active_parameters: parameters that take part for each token.
        flops_per_second: peak FLOP/s of all devices that share the work.
        utilisation: share of the peak that is reached.

    Raises:
        ValueError: a number is out of its range.

    Source: pope2023. Derived in: book/outlook/capital.
    """
    peak = checks.positive("flops_per_second", flops_per_second)
    share = checks.fraction("utilisation", utilisation, above_zero=True)
    return peak * share / (2 * checks.positive("active_parameters", active_parameters))


def decode_step_seconds(
    batch: int,
    *,
    active_parameters: float,
    flops_per_second: float,
    bandwidth: float,
    parameters: float | None = None,
    bytes_per_parameter: float = 2.0,
    kv_bytes_per_token: float = 0.0,
    context: float = 0.0,
    utilisation: float = 1.0,
) -> float:
    """Return the seconds in which each of `batch` sequences gets one more token: the slower of memory and arithmetic.

    Memory traffic is the weights once plus the cache of every sequence. With experts, the weights read are at most
    all of them and at most the active ones once per sequence. Traffic between devices is left out, so a service
    over many devices is slower than this.

    Args:
        batch: sequences that are served in the same step.
        active_parameters: parameters that take part for each token.
        flops_per_second: peak FLOP/s of all devices that share the work.
        bandwidth: memory bandwidth of these devices in bytes/s.
        parameters: all parameters; None means the active ones.
        bytes_per_parameter: 2 for bf16, 1 for 8 bits, 0.5 for 4 bits.
        kv_bytes_per_token: bytes of cache per token of context.
        context: tokens already in each sequence.
        utilisation: share of both peaks that is reached.

    Raises:
        ValueError: a number is out of its range.

    Source: williams2009, pope2023. Derived in: book/outlook/capital.
    """
    batch = checks.count("batch", batch)
    active = checks.positive("active_parameters", active_parameters)
    total = active if parameters is None else checks.positive("parameters", parameters)
    if active > total:
        raise ValueError(f"active_parameters must be at most parameters, found {active:.6g} and {total:.6g}; "
                         "swap them if they are the wrong way round.")
    share = checks.fraction("utilisation", utilisation, above_zero=True)
    weights_read = min(total, active * batch) * checks.positive("bytes_per_parameter", bytes_per_parameter)
    cache = checks.not_negative("kv_bytes_per_token", kv_bytes_per_token) * checks.not_negative("context", context)
    memory_seconds = (weights_read + batch * cache) / checks.positive("bandwidth", bandwidth)
    arithmetic_seconds = 2 * active * batch / checks.positive("flops_per_second", flops_per_second)
    return max(memory_seconds, arithmetic_seconds) / share


def price_per_million(price_per_hour: float, tokens_per_second: float, load: float = 1.0) -> float:
    """Return the rent per million tokens.

    Args:
        price_per_hour: rent per hour of the devices that produce these tokens.
        tokens_per_second: tokens per second when they are busy.
        load: share of rented time in which they are busy; half the load doubles the price.

    Raises:
        ValueError: a number is out of its range.

    Source: deepseek2025infra. Derived in: book/outlook/capital.
    """
    rate = checks.positive("tokens_per_second", tokens_per_second) * checks.fraction("load", load, above_zero=True)
    return checks.not_negative("price_per_hour", price_per_hour) / (rate * 3600) * 1e6


@dataclass(frozen=True)
class ServingPlan:
    """A planned service on one group of devices that hold the model together.

    Attributes:
        accelerator, num_devices: short name and number of devices in the group.
        batch: sequences served at once.
        memory_bytes: weights and cache at that batch; `fits` says whether the group's usable memory holds them.
        fits: see above.
        limited_by: "bandwidth" or "arithmetic", the limit while writing tokens.
        input_tokens_per_second, output_tokens_per_second: of the group when it does only that.
        tokens_per_second_per_stream: writing speed that one user sees.
        cost_input, cost_output: rent per million tokens at the load assumed.
        revenue, cost: money per request.
        gross_margin: (revenue - cost) / revenue; rent only, so people and support come on top.
        load: share of rented time that is busy.
        rents: the rents, of which the median is used, with currency, date and whether one is assumed.
    """

    accelerator: str
    num_devices: int
    batch: int
    memory_bytes: float
    fits: bool
    limited_by: str
    input_tokens_per_second: float
    output_tokens_per_second: float
    tokens_per_second_per_stream: float
    cost_input: float
    cost_output: float
    revenue: float
    cost: float
    gross_margin: float
    load: float
    rents: Rents

    def __str__(self) -> str:
        """Say devices, speed, cost and margin in one line."""
        fits = "" if self.fits else "; the cache does not fit, lower the batch"
        return (f"{self.num_devices} × {self.accelerator}, batch {self.batch}: {self.output_tokens_per_second:,.0f} "
                f"tokens/s out ({self.limited_by}), {self.cost_input:.3g} in and {self.cost_output:.3g} out "
                f"{self.rents.currency} per million tokens{self.rents}, gross margin {self.gross_margin:.0%}{fits}")


def plan_serving(
    parameters: float,
    *,
    kv_bytes_per_token: float,
    accelerator: str = "h100",
    active_parameters: float | None = None,
    num_devices: int | None = None,
    batch: int | None = None,
    input_tokens: float = 1000,
    output_tokens: float = 300,
    cached_share: float = 0.0,
    bytes_per_parameter: float = 2.0,
    prefill_utilisation: float | None = None,
    decode_utilisation: float | None = None,
    load: float | None = None,
    price_per_hour: float | None = None,
    input_price: float | None = None,
    output_price: float | None = None,
    cached_price: float | None = None,
) -> ServingPlan:
    """Plan a service: devices, speed, rent per million tokens, gross margin.

    Args:
        parameters: all parameters.
        kv_bytes_per_token: bytes of cache per token, see `kv_cache_bytes`.
        accelerator: short name from the accelerator table.
        active_parameters: parameters per token for experts; None means all.
        num_devices: devices in the group; None takes the fewest that hold the weights and one sequence.
        batch: sequences at once; None takes as many as the memory holds.
        input_tokens, output_tokens: tokens per request.
        cached_share: share of input tokens whose cache is found again, so that they need no arithmetic.
        bytes_per_parameter: 2 for bf16, 1 for 8 bits, 0.5 for 4 bits.
        prefill_utilisation, decode_utilisation, load: shares; None takes the price table's assumptions.
        price_per_hour: rent of one device in USD; None takes the median of the price table.
        input_price, output_price, cached_price: what a customer pays per million tokens in USD; None takes the
            median over vendors' large models in the price table.

    Raises:
        ValueError: a number is out of its range, the accelerator is unknown or has no rent, or nothing fits.

    Source: pope2023, williams2009. Derived in: book/outlook/capital.
    """
    device = find(accelerator)
    parameters = checks.positive("parameters", parameters)
    active = parameters if active_parameters is None else checks.positive("active_parameters", active_parameters)
    kv_bytes = checks.not_negative("kv_bytes_per_token", kv_bytes_per_token)
    inputs, outputs = checks.not_negative("input_tokens", input_tokens), checks.positive("output_tokens", output_tokens)
    cached = checks.fraction("cached_share", cached_share)
    prefill_share = _default(prefill_utilisation, "prefill_utilisation")
    decode_share = _default(decode_utilisation, "decode_utilisation")
    busy = _default(load, "serving_load")
    rents = rents_of(device.name, price_per_hour)

    share = price("device_memory_share").value
    weights = memory_inference(parameters, bytes_per_parameter=bytes_per_parameter)
    sequence = kv_bytes * (inputs + outputs)
    if num_devices is None:
        num_devices = min_devices(weights + sequence, device.memory_bytes, share)
    num_devices = checks.count("num_devices", num_devices)
    room = num_devices * device.memory_bytes * share - weights
    if batch is None:
        if room < sequence or room <= 0:
            raise ValueError(f"{num_devices} × {device.name} leave {max(room, 0) / 1e9:.1f} GB for the cache and one "
                             f"sequence needs {sequence / 1e9:.3g} GB; use more devices or fewer bytes per parameter.")
        if sequence == 0:
            raise ValueError("batch must be given when kv_bytes_per_token is 0, found None; pass a batch.")
        batch = int(room // sequence)
    memory = weights + checks.count("batch", batch) * sequence

    peak, bandwidth = num_devices * device.flops_per_second, num_devices * device.bandwidth
    step_arguments = {"active_parameters": active, "parameters": parameters, "bytes_per_parameter": bytes_per_parameter,
                      "kv_bytes_per_token": kv_bytes, "context": inputs + outputs / 2, "utilisation": decode_share}
    step = decode_step_seconds(batch, flops_per_second=peak, bandwidth=bandwidth, **step_arguments)
    arithmetic = 2 * active * batch / peak / decode_share
    input_rate = prefill_tokens_per_second(active, peak, prefill_share)
    cost_input = price_per_million(num_devices * rents.median, input_rate, busy)
    cost_output = price_per_million(num_devices * rents.median, batch / step, busy)
    cost = ((1 - cached) * inputs * cost_input + outputs * cost_output) / 1e6
    paid_input = _default(input_price, "api_large_input_median", share=False)
    paid_cached = _default(cached_price, "api_large_cached_median", share=False)
    paid_output = _default(output_price, "api_large_output_median", share=False)
    revenue = (inputs * ((1 - cached) * paid_input + cached * paid_cached) + outputs * paid_output) / 1e6
    return ServingPlan(
        accelerator=device.name, num_devices=num_devices, batch=batch, memory_bytes=memory,
        fits=memory <= num_devices * device.memory_bytes * share,
        limited_by="arithmetic" if arithmetic >= step else "bandwidth",
        input_tokens_per_second=input_rate, output_tokens_per_second=batch / step,
        tokens_per_second_per_stream=1 / step, cost_input=cost_input, cost_output=cost_output, revenue=revenue,
        cost=cost, gross_margin=gross_margin(revenue, cost), load=busy, rents=rents,
    )


def gross_margin(revenue: float, cost: float) -> float:
    """Return (revenue - cost of what was sold) / revenue; negative when each sale loses money.

    Args:
        revenue: money received.
        cost: inference and support that this revenue needed, same currency and time.

    Raises:
        ValueError: revenue is not above 0, or the cost is negative.

    Source: casado2020. Derived in: book/outlook/capital.
    """
    revenue = checks.positive("revenue", revenue)
    return (revenue - checks.not_negative("cost", cost)) / revenue


def _default(value: float | None, key: str, *, share: bool = True) -> float:
    """Return the value, or the price table's, checked as a share or as a price."""
    number = price(key).value if value is None else value
    return checks.fraction(key, number, above_zero=True) if share else checks.not_negative(key, number)
