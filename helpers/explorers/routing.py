"""A router at work: tokens, the experts they are sent to, the load, and what a full expert turns away."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers

SHIFT_STEP = 0.01  # how far the shift of an expert moves in one step, in units of probability
WORDS = {
    "router": "router trained", "top_k": "experts a token visits", "temperature": "temperature",
    "steps": "steps of shifting", "capacity": "places × even load", "none": "no limit",
    "map": "Who goes where", "load": "Visits of each expert", "token": "token", "expert": "expert", "visits": "visits",
    "kept": "gate", "dropped": "turned away", "mean": "even load", "places": "places", "gate": "gates", "no": "no",
    "result": "{steps} steps of shifting. The busiest expert gets {busiest} of {visits} visits; they are spread as "
              "over {effective} of {num} experts. Balance loss {balance} (1 is even). Turned away: {dropped}.",
}


class Routing(Explorer):
    """Router logits recorded from trained models; top-k, temperature, shift and capacity are turned in the page.

    Args:
        logits: name of a router → its logits [tokens, experts].
        tokens: the tokens as they are shown, one or two characters each.
        top_k: experts a token visits at first.
        shifts: name of a router → the shifts [experts] that it learned; none are zeros.

    Raises:
        ValueError: logits of another shape than [tokens, experts], the same for all routers; shifts of an unknown
            router or of another shape than [experts].

    Source: shazeer2017, fedus2022, wang2024. Derived in: book/algorithms/mixture_of_experts_and_long_context.
    """

    module = "routing"

    def __init__(
        self, logits: dict[str, Any], tokens: Sequence[str], *, top_k: int = 2, shifts: dict[str, Any] | None = None,
        id: str | None = None,
    ) -> None:
        arrays = {name: np.asarray(one, dtype=np.float64) for name, one in logits.items()}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or shape[0] != len(tokens):
            found = [list(array.shape) for array in arrays.values()]
            raise ValueError(f"Routing takes logits [{len(tokens)}, experts] for {len(tokens)} tokens, the same for "
                             f"each router, found {found}.")
        if not 1 <= top_k <= shape[1]:
            raise ValueError(f"top_k must lie in 1 … {shape[1]}, the number of experts, found {top_k}.")
        learned = {name: np.zeros(shape[1]) for name in arrays}
        for name, one in (shifts or {}).items():
            if name not in arrays or np.shape(one) != (shape[1],):
                raise ValueError(f"shifts takes [{shape[1]}] numbers for one of {', '.join(arrays)}, "
                                 f"found {list(np.shape(one))} for {name}.")
            learned[name] = np.asarray(one, dtype=np.float64)
        super().__init__({
            "title": "A router at work", "words": WORDS, "tokens": list(tokens), "top_k": top_k,
            "num_experts": shape[1],
            "routers": [[name, numbers(array.ravel()), numbers(learned[name])] for name, array in arrays.items()],
            "hint": "Choose a router, then give each expert a limited number of places.",
            "source": "Logits recorded from decoders that this chapter trains; routing computed in this page.",
        }, id=id)

    @staticmethod
    def compute(
        logits: list[float], num_experts: int, top_k: int, temperature: float, steps: int, capacity: float,
        learned: list[float],
    ) -> dict:
        """Send tokens to experts.

        Args:
            logits: flat [tokens · experts].
            num_experts: experts N.
            top_k: experts a token visits.
            temperature: the logits are divided by it.
            steps: times that each expert's shift moves by 0.01 towards more or fewer visits.
            capacity: places of an expert, in multiples of the mean number of visits; 0 is no limit.
            learned: shift of each expert before these steps.

        Returns:
            chosen, gates, kept (1 or 0): [tokens][top_k]; load: visits asked of each expert; taken: those that found
            a place; places: of an expert; dropped: visits turned away; shift: of each expert; balance: N Σ f P;
            effective: e to the entropy of the load.
        """
        num = len(logits) // num_experts
        chances = [_softmax([z / temperature for z in logits[t * num_experts:(t + 1) * num_experts]])
                   for t in range(num)]
        shift, mean = list(learned), num * top_k / num_experts
        for _ in range(steps):
            load = _load(_choose(chances, shift, top_k), num_experts)
            shift = [s + SHIFT_STEP * ((mean > one) - (mean < one)) for s, one in zip(shift, load)]
        chosen = _choose(chances, shift, top_k)
        load = _load(chosen, num_experts)
        places = math.ceil(capacity * num * top_k / num_experts) if capacity else num
        taken, kept, gates = [0] * num_experts, [], []
        for row, mine in zip(chances, chosen):
            total = sum(row[i] for i in mine) if top_k > 1 else 1.0
            gates.append([row[i] / total for i in mine])
            kept.append([int(taken[i] < places) for i in mine])
            for i, stays in zip(mine, kept[-1]):
                taken[i] += stays
        share = [one / (num * top_k) for one in load]
        mean_chance = [sum(row[i] for row in chances) / num for i in range(num_experts)]
        return {"chosen": chosen, "gates": gates, "kept": kept, "load": load, "taken": taken, "places": places,
                "dropped": sum(load) - sum(taken), "shift": shift,
                "balance": num_experts * sum(f * p for f, p in zip(share, mean_chance)),
                "effective": math.exp(-sum(f * math.log(f) for f in share if f > 0))}

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        wave = [math.sin(1.7 * k) + 1.2 * math.cos(0.3 * k * k) + 0.8 * (k % 8 == 2) for k in range(160)]
        base = {"logits": wave, "num_experts": 8, "learned": [0.0] * 8}
        return [{**base, "top_k": 1, "temperature": 1.0, "steps": 0, "capacity": 1.25},
                {**base, "top_k": 2, "temperature": 0.5, "steps": 40, "capacity": 0.0},
                {**base, "top_k": 3, "temperature": 2.0, "steps": 7, "capacity": 1.0,
                 "learned": [0.05 * math.cos(i) for i in range(8)]}]


def _softmax(row: list[float]) -> list[float]:
    largest = max(row)
    powers = [math.exp(z - largest) for z in row]
    total = sum(powers)
    return [power / total for power in powers]


def _choose(chances: list[list[float]], shift: list[float], top_k: int) -> list[list[int]]:
    return [sorted(range(len(shift)), key=lambda i: (-(row[i] + shift[i]), i))[:top_k] for row in chances]


def _load(chosen: list[list[int]], num_experts: int) -> list[int]:
    load = [0] * num_experts
    for mine in chosen:
        for i in mine:
            load[i] += 1
    return load
