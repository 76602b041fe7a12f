"""Serving many requests with one model: static and continuous batching, slots, cache memory and a queue, simulated."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.economics import checks


@dataclass(frozen=True)
class Served:
    """Times of each request in seconds since the start; nan where it was refused.

    Attributes:
        arrived: [num_requests] arrival.
        started: its prompt begins to be read.
        first: its first token is written.
        ended: its answer is handed over.
        busy_seconds: time in which the model worked.
        mean_batch: requests that wrote in a step, on average over steps.
    """

    arrived: np.ndarray
    started: np.ndarray
    first: np.ndarray
    ended: np.ndarray
    busy_seconds: float
    mean_batch: float

    @property
    def refused(self) -> np.ndarray:
        """Which requests were turned away: bool [num_requests]."""
        return np.isnan(self.ended)


def serve(
    arrivals: Sequence[float], prompts: Sequence[int], answers: Sequence[int], *, slots: int, fixed_seconds: float,
    slot_seconds: float, read_rate: float, continuous: bool = True, queue: int | None = None,
    cache_bytes: float = 0.0, memory: float = math.inf,
) -> Served:
    """Simulate a service that writes one token for each of its active requests in every step.

    A step of k requests takes ``fixed_seconds + k · slot_seconds``. Between steps the prompts of new requests are read,
    one after the other; the last token of a prompt brings the first of the answer. With continuous batching a request
    joins at the next step and leaves when it is done. With static batching nobody joins until the whole batch is done,
    and answers are handed over then. Requests are taken in the order of arrival.

    Args:
        arrivals: [n] seconds, rising.
        prompts, answers: [n] tokens of each request, at least 1.
        slots: requests that write at the same time, at most.
        fixed_seconds, slot_seconds: of a step, see above.
        read_rate: tokens of prompts read a second.
        continuous: False for static batching.
        queue: requests that may wait for a slot; None means any number.
        cache_bytes: memory of one token of a request, kept until the request ends.
        memory: bytes for all of them; a request starts when its whole cache fits, and is refused if it never can.

    Raises:
        ValueError: lengths differ, arrivals fall, or a number is out of its range.

    Source: yu2022, kwon2023. Derived in: book/project/serving.
    """
    arrived = np.asarray(arrivals, dtype=np.float64)
    if not (arrived.ndim == 1 and len(arrived) == len(prompts) == len(answers) and len(arrived)):
        raise ValueError(f"arrivals, prompts and answers must have one length above 0, found {len(arrived)}, "
                         f"{len(prompts)} and {len(answers)}; give one of each for every request.")
    if not (np.isfinite(arrived).all() and (np.diff(arrived, prepend=0.0) >= 0).all()):
        raise ValueError("arrivals must be finite seconds that rise from 0 up: sort them, and leave out missing ones.")
    if min(min(prompts), min(answers)) < 1:
        raise ValueError(f"prompts and answers have at least 1 token, found {min(min(prompts), min(answers))}; "
                         "leave empty requests out.")
    slots, rate = checks.count("slots", slots), checks.positive("read_rate", read_rate)
    fixed, each = checks.positive("fixed_seconds", fixed_seconds), checks.not_negative("slot_seconds", slot_seconds)
    room = math.inf if queue is None else checks.not_negative("queue", queue)
    if not memory >= 0:
        raise ValueError(f"memory must be 0 bytes or more, found {memory!r}; pass math.inf for no limit.")
    need = [checks.not_negative("cache_bytes", cache_bytes) * (p + n) for p, n in zip(prompts, answers, strict=True)]
    times, num = arrived.tolist(), len(arrived)
    started, first, ended = (np.full(num, np.nan) for _ in range(3))
    waiting: deque[int] = deque()
    active: list[int] = []
    left = [n - 1 for n in answers]
    now = used = busy = written = steps = 0.0
    following = 0
    while following < num or waiting or active:
        while following < num and times[following] <= now:
            if need[following] <= memory and len(waiting) - (slots - len(active)) < room:
                waiting.append(following)
            following += 1
        if continuous or not active:
            while waiting and len(active) < slots and used + need[waiting[0]] <= memory:
                one = waiting.popleft()
                used += need[one]
                started[one] = now
                now += prompts[one] / rate
                busy += prompts[one] / rate
                first[one] = now
                active.append(one)
        if not active:
            if following < num:
                now = max(now, times[following])
            continue
        step = fixed + each * len(active)
        jump = (min if continuous else max)(left[one] for one in active)
        if continuous and len(active) < slots and following < num:           # somebody may join before that
            jump = min(jump, max(0, math.ceil((times[following] - now) / step)))
        now += jump * step
        busy += jump * step
        steps += jump
        written += jump * len(active)
        for one in active:
            left[one] -= jump
            if left[one] <= 0:
                ended[one] = now
                used -= need[one]
        active = [one for one in active if left[one] > 0]
    return Served(arrived, started, first, ended, busy, written / steps if steps else 0.0)
