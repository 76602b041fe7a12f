"""A service under load: arrivals, slots, cache memory, lengths and queue; waiting, throughput and price follow."""

from __future__ import annotations

import math

import numpy as np

from helpers.economics import batching, checks
from helpers.economics.sensitivity import latin
from helpers.economics.serving_cost import price_per_million

from .base import Explorer

NUM_REQUESTS = 400
WORDS = {
    "rate": "requests a second", "slots": "slots", "memory": "memory for caches", "prompt": "prompt, mean tokens",
    "answer": "answer, mean tokens", "queue": "places in the queue", "how": "batching", "continuous": "continuous",
    "static": "static", "curve": "95 of 100 requests are done within", "total": "whole answer",
    "first": "first token", "seconds": "seconds", "lanes": "The first 40 requests: waiting, then served",
    "wait": "waits", "serve": "is served", "refuse": "is refused", "request": "request", "time": "seconds",
    "status": "First token within {first} s, whole answer within {total} s for 95 of 100. {throughput} tokens a "
              "second, busy {busy} of the time with {batch} requests in a step on average; {refused} refused. "
              "A million tokens cost {price}.",
    "none": "Every request is refused: not one fits into the memory.",
    "measure": "result", "value": "value",
}


class Dispatcher(Explorer):
    """Sliders for load and service; a simulated day of requests gives latency, throughput and price.

    Args:
        fixed_seconds, slot_seconds: a step of k requests takes fixed + k · slot seconds.
        read_rate: tokens of prompts read a second.
        cache_bytes: memory of one token of context.
        hour_price: rent of the machine, USD an hour.
        source: where these numbers come from.
        start: first values of rate, slots, memory (MB), prompt, answer, queue, continuous.

    Raises:
        ValueError: an unknown name in ``start``, or a number out of its range.

    Source: yu2022, kwon2023. Derived in: book/project/serving.
    """

    module = "dispatcher"

    def __init__(
        self, *, fixed_seconds: float, slot_seconds: float, read_rate: float, cache_bytes: float, hour_price: float,
        source: str, start: dict[str, float] | None = None, id: str | None = None,
    ) -> None:
        first = {"rate": 3.0, "slots": 16, "memory": 8.0, "prompt": 48, "answer": 64, "queue": 64, "continuous": True}
        for name in start or {}:
            checks.one_of("start value", name, first)
        fixed = {
            "fixed_seconds": checks.positive("fixed_seconds", fixed_seconds),
            "slot_seconds": checks.not_negative("slot_seconds", slot_seconds),
            "read_rate": checks.positive("read_rate", read_rate),
            "cache_bytes": checks.not_negative("cache_bytes", cache_bytes),
            "hour_price": checks.not_negative("hour_price", hour_price), "num": NUM_REQUESTS,
        }
        super().__init__({
            "title": "Send requests to a service", "words": WORDS, "fixed": fixed, "start": first | (start or {}),
            "hint": "Raise the load until the waiting explodes. Then try slots, memory, and static batching.",
            "source": f"Simulated arrivals and lengths, computed in this page. {source}",
        }, id=id)

    @staticmethod
    def compute(
        rate: float, slots: int, memory: float, prompt: float, answer: float, queue: int, continuous: bool,
        fixed_seconds: float, slot_seconds: float, read_rate: float, cache_bytes: float, hour_price: float, num: int,
    ) -> dict:
        """Serve ``num`` simulated requests.

        Gaps between arrivals and lengths of answers are exponential, lengths of prompts uniform from half to one and a
        half of their mean; each at the middle of equal shares, in the order of a hash.

        Args:
            rate: mean requests a second.
            slots, queue: see ``batching.serve``.
            memory: for caches, in MB.
            prompt, answer: mean tokens.
            continuous: False for static batching.
            fixed_seconds, slot_seconds, read_rate, cache_bytes, hour_price: see the class.
            num: requests.

        Returns:
            95 per cent quantiles ``first`` and ``total`` in seconds, ``tokens_per_second``, ``busy`` share, ``batch``
            (mean), ``refused`` share, ``usd_per_million`` written tokens; zeros where every request is refused.
        """
        arrivals, prompts, answers = requests(rate, prompt, answer, num)
        served = batching.serve(
            arrivals, prompts, answers, slots=slots, fixed_seconds=fixed_seconds, slot_seconds=slot_seconds,
            read_rate=read_rate, continuous=bool(continuous), queue=queue, cache_bytes=cache_bytes, memory=memory * 1e6)
        taken = ~served.refused
        if not taken.any():
            return dict.fromkeys(("first", "total", "tokens_per_second", "busy", "batch", "usd_per_million"), 0.0) | {
                "refused": 1.0}
        span = float(served.ended[taken].max())
        per_second = sum(n for n, one in zip(answers, taken, strict=True) if one) / span
        return {
            "first": float(np.quantile((served.first - served.arrived)[taken], 0.95)),
            "total": float(np.quantile((served.ended - served.arrived)[taken], 0.95)),
            "tokens_per_second": per_second, "busy": served.busy_seconds / span, "batch": served.mean_batch,
            "refused": 1 - float(taken.mean()), "usd_per_million": price_per_million(hour_price, per_second),
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        base = {"rate": 3.0, "slots": 16, "memory": 8.0, "prompt": 48, "answer": 64, "queue": 64, "continuous": True,
                "fixed_seconds": 0.004, "slot_seconds": 0.0007, "read_rate": 4000.0, "cache_bytes": 8192.0,
                "hour_price": 0.08, "num": 400}
        return [base, base | {"rate": 40.0, "queue": 10}, base | {"continuous": False, "rate": 8.0},
                base | {"memory": 1.0, "rate": 12.0}, base | {"slots": 1, "rate": 0.8, "queue": 1000},
                base | {"prompt": 200, "answer": 8, "rate": 15.0}, base | {"memory": 0.001}]


def requests(rate: float, prompt: float, answer: float, num: int) -> tuple[list[float], list[int], list[int]]:
    """Arrivals in seconds, and tokens of prompts and answers, the same on every machine; see ``Dispatcher.compute``."""
    arrivals, now = [], 0.0
    columns = latin(num, 3).T.tolist()
    for u in columns[0]:
        now += -math.log(1 - u) / rate
        arrivals.append(now)
    prompts = [max(1, math.floor(prompt * (0.5 + u) + 0.5)) for u in columns[1]]
    return arrivals, prompts, [max(1, math.floor(-math.log(1 - u) * answer + 0.5)) for u in columns[2]]
