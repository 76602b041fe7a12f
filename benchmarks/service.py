"""The service under load: against one request at a time, first tokens at half load, latency against load, prices.

``python -m benchmarks service`` prints the ratios; ``python -m benchmarks.record ask-python-service`` records the run.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks import timing
from helpers import data, device, economics
from helpers.deployment import child, load, service
from helpers.models import generate, house
from helpers.models.slots import Slots

TITLE = "the house model as an HTTP service on processor cores: continuous batching under load"
FASTER, SLOWER = 3.0, 2.0                       # goals: times one request at a time; p95 of half load by that of idle
WRITING = {"temperature": 0.8, "top_p": 0.95}


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Arguments:
        size: "house" or "small".
        num_requests: of each run.
        num_new: tokens wanted a request.
        shortest, longest: tokens of a prompt, each length alike often.
        clients: closed loops, the last one fills all slots.
        utilisations: offered load by capacity, of the open loops; 0.5 must be among them.
        repeats: of one request at a time and of the full closed loop, in turn.
    """

    size: str = "house"
    num_requests: int = 160
    num_new: int = 64
    shortest: int = 16
    longest: int = 96
    clients: tuple[int, ...] = (1, 2, 4, 8, 16)
    utilisations: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9, 1.1)
    repeats: int = 3


FULL = Plan()
TOY = Plan(size="small", num_requests=12, num_new=8, clients=(1, 4), utilisations=(0.5,), repeats=1)


def orders(plan: Plan, *, seed: int = 0) -> list[dict[str, Any]]:
    """Requests whose prompts are pieces of the standard library that nobody trained on."""
    tokens, tokeniser, rng = data.tokens("python_stdlib"), data.tokeniser(), np.random.default_rng(seed)
    stream, found = tokens.stream("test"), []
    for number in range(plan.num_requests):
        length, start = int(rng.integers(plan.shortest, plan.longest + 1)), int(rng.integers(len(stream) - 256))
        prompt = tokeniser.decode(stream[start:start + length].tolist()).replace("\ufffd", "")
        found.append({"prompt": prompt or "#", "max_new_tokens": plan.num_new, "seed": seed + number, **WRITING})
    return found


def sequential(plan: Plan, requests: list[dict[str, Any]]) -> float:
    """Tokens a second of ``generate``, one request after the other, in this process."""
    model, tokeniser = house.house(plan.size), data.tokeniser()
    prompts = [tokeniser.encode(one["prompt"]).ids[:model.context - plan.num_new] for one in requests]
    written, begun = 0, time.perf_counter()
    for number, prompt in enumerate(prompts):
        whole = generate.generate(model, torch.tensor([prompt]), plan.num_new, stop=0, seed=number, **WRITING)
        new = whole[0, len(prompt):].tolist()
        written += new.index(0) if 0 in new else len(new)
    return written / (time.perf_counter() - begun)


def engine_alone(plan: Plan) -> tuple[list[int], list[float], float]:
    """Numbers of texts, median seconds of one step with so many, and prompt tokens read a second; no HTTP."""
    slots, length = Slots(house.house(plan.size), plan.clients[-1]), 100
    for slot in range(slots.num_slots):
        slots.prefill(slot, list(range(1, length)))
    seconds = [_median(lambda num=num: slots.step(list(range(num)), [1] * num), 25) for num in plan.clients]
    slots.free(0)

    def read() -> None:
        slots.prefill(0, list(range(1, 65)))
        slots.free(0)

    return list(plan.clients), seconds, 64 / _median(read, 15)


def measure(plan: Plan = FULL, *, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Run everything, and return the payload of a record."""
    begun, requests = time.perf_counter(), orders(plan)
    torch.set_num_threads(1)
    batch, step_seconds, read_rate = engine_alone(plan)
    log("one step: " + ", ".join(f"{num} texts {1e3 * one:.2f} ms" for num, one in zip(batch, step_seconds)))
    with tempfile.TemporaryDirectory() as folder:
        service.export_house(folder, plan.size)
        with child.service(folder, slots=plan.clients[-1], queue=4 * plan.clients[-1]) as running:
            load.run(running.url, requests[:2 * plan.clients[-1]], clients=plan.clients[-1])   # warm
            alone, full = [], []
            for _ in range(plan.repeats):
                alone.append(sequential(plan, requests[:max(4, plan.num_requests // 8)]))
                full.append(load.run(running.url, [one | {"stream": False} for one in requests],
                                     clients=plan.clients[-1]))
                log(f"one at a time {alone[-1]:.0f}, {plan.clients[-1]} at once {full[-1].tokens_per_second:.0f} "
                    "tokens per second")
            streams = {num: load.run(running.url, requests[:max(8, plan.num_requests * num // plan.clients[-1])],
                                     clients=num) for num in plan.clients}
            capacity = statistics.median(len(one.answered) / one.seconds for one in full)
            loaded = [_open(running.url, plan, requests, share, capacity, log) for share in plan.utilisations]
    rate = statistics.median(one.tokens_per_second for one in full)
    idle = streams[plan.clients[0]].percentiles("first_token")
    half = next(one for one in loaded if one["utilisation"] == 0.5)["first_token_seconds"]
    rows = [row for one in full for row in one.answered]
    cores = min(2, os.cpu_count() or 1)
    rent = cores * economics.price("cpu_core_hour").value / 3600                  # USD a second
    per_input = rent / read_rate
    spent = rent * sum(one.seconds for one in full) - per_input * sum(row.num_prompt_tokens for row in rows)
    results = {
        "first_token_p95_seconds": half["p95"], "tokens_per_second": rate,
        "usd_per_million_input": 1e6 * per_input,
        "usd_per_million_output": 1e6 * spent / sum(row.num_new_tokens for row in rows),
        "sequential_tokens_per_second": statistics.median(alone), "times_sequential": rate / statistics.median(alone),
        "idle_first_token_seconds": idle, "half_load_by_idle": half["p95"] / idle["p95"],
        "capacity_requests_per_second": capacity, "prefill_tokens_per_second": read_rate, "num_cores": cores,
        "num_slots": plan.clients[-1], "prompt_tokens": statistics.mean(row.num_prompt_tokens for row in rows),
        "new_tokens": statistics.mean(row.num_new_tokens for row in rows),
        "steps": {"batch": batch, "seconds": step_seconds},
        "throughput": {"clients": list(streams), "tokens_per_second": [r.tokens_per_second for r in streams.values()]},
        "load": loaded, "price": "cpu_core_hour",
    }
    stem = {"utilisation": [one["utilisation"] for one in loaded]}
    for name in ("first_token", "between_tokens", "total"):
        for level in ("p50", "p95", "p99"):
            stem[f"{name} {level}"] = [one[f"{name}_seconds"][level] for one in loaded]
    configuration = {
        "title": TITLE, "model": None, "data": "python_stdlib", "data_options": {}, "data_seed": 0, "size": plan.size,
        "num_requests": plan.num_requests, "num_new": plan.num_new, "prompt_tokens": [plan.shortest, plan.longest],
        "writing": WRITING, "threads": 1, "load_generator": "on the same machine"}
    return {
        "configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
        "precision": "float32", "seconds": time.perf_counter() - begun, "flops": None,
        "corpus_sha256": data.tokens("python_stdlib").corpus_sha256, "results": results,
        "curves": stem | {"clients": results["throughput"]["clients"],
                          "tokens per second": results["throughput"]["tokens_per_second"]},
    }


def bench(repeats: int) -> bool:
    """Print the two ratios and the table of loads; true if both goals are met."""
    found = measure(Plan(repeats=max(1, min(3, repeats))))["results"]
    times, slower = found["times_sequential"], found["half_load_by_idle"]
    good = times >= FASTER, slower <= SLOWER
    verdict = ["yes" if one else "NO" for one in good]
    print(f"\nservice: {found['num_slots']} requests at once {found['tokens_per_second']:.0f} tokens per second, "
          f"one at a time {found['sequential_tokens_per_second']:.0f}: {times:.1f} times (≥ {FASTER:g} {verdict[0]})")
    print(f"first token, p95: idle {1e3 * found['idle_first_token_seconds']['p95']:.0f} ms, half load "
          f"{1e3 * found['first_token_p95_seconds']:.0f} ms: {slower:.2f} times (≤ {SLOWER:g} {verdict[1]})")
    milli = lambda one: f"{1e3 * one:.0f}" if one is not None else "–"  # noqa: E731
    rows = [[f"{one['utilisation']:.0%}", f"{one['requests_per_second']:.1f}", str(one["num_refused"]),
             *(milli(one["first_token_seconds"][level]) for level in ("p50", "p95", "p99")),
             *(milli(one["between_tokens_seconds"][level]) for level in ("p50", "p95")),
             milli(one["total_seconds"]["p95"]), f"{one['tokens_per_second']:.0f}"] for one in found["load"]]
    print(timing.table(["load", "requests/s", "refused", "first token p50", "p95", "p99", "between p50", "p95",
                        "whole p95", "tokens/s"], rows))
    timing.write("service", found)
    return all(good)


def _open(
    url: str, plan: Plan, requests: list[dict[str, Any]], share: float, capacity: float, log: Callable[[str], None]
) -> dict[str, Any]:
    """Poisson arrivals at a share of the capacity."""
    report = load.run(url, requests, requests_per_second=share * capacity, seed=1)
    first = report.percentiles("first_token")
    log(f"load {share:.0%}: first token p95 {first['p95']:.3f} s, {report.count(429)} of {len(report.rows)} refused")
    return {"utilisation": share, "requests_per_second": share * capacity, "num_requests": len(report.rows),
            "num_refused": report.count(429), "first_token_seconds": first,
            "between_tokens_seconds": report.percentiles("gaps"), "total_seconds": report.percentiles("total"),
            "tokens_per_second": report.tokens_per_second}


def _median(call: Callable[[], object], num: int) -> float:
    """Median seconds of a call, after three that do not count."""
    seconds = []
    for _ in range(num + 3):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[3:])
