"""The explorers of routing and of the cache against the context."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers import economics
from helpers.explorers.context import START, CacheAgainstContext
from helpers.explorers.routing import Routing
from helpers.models.experts import balance_loss, route


@pytest.mark.parametrize("learned", [[0.0] * 8, [0.1, -0.2, 0.0, 0.3, 0.0, -0.1, 0.2, 0.0]])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_the_routing_is_that_of_the_model(top_k: int, learned: list[float]) -> None:
    logits = np.random.default_rng(0).normal(size=(30, 8))
    found = Routing.compute(logits.ravel().tolist(), 8, top_k, 0.7, 0, 0.0, learned)
    chosen, gates, chances = route(torch.from_numpy(logits) / 0.7, top_k, torch.tensor(learned))
    assert found["chosen"] == chosen.tolist() and found["dropped"] == 0
    np.testing.assert_allclose(found["gates"], gates.numpy())
    assert found["balance"] == pytest.approx(float(balance_loss(chosen, chances)))


def test_shifting_evens_the_load_and_places_turn_tokens_away() -> None:
    logits = (np.random.default_rng(0).normal(size=(32, 8)) + 3 * (np.arange(8) == 2)).ravel().tolist()
    first, later = (Routing.compute(logits, 8, 1, 1.0, steps, 1.0, [0.0] * 8) for steps in (0, 100))
    assert first["load"][2] > 20 and max(later["load"]) <= 6
    assert first["places"] == 4 and first["taken"][2] == 4 and first["dropped"] > later["dropped"]
    assert sum(first["load"]) == 32 and later["effective"] > 7 > first["effective"]


def test_cache_of_a_published_shape() -> None:
    base = {**START, "memory_bytes": 8e10, "heads": 32, "d_head": 128}
    del base["device"]
    found = CacheAgainstContext.compute(**{**base, "context": 1, "window": 0})
    assert found["grouped"] == found["windowed"] == 131_072 == economics.kv_cache_bytes(32, 8, 128)  # Llama 3.1 8B
    assert found["full_heads"] == 4 * found["grouped"] and found["weights"] == 1.6e10
    window = CacheAgainstContext.compute(**{**base, "context": 8192, "window": 4096, "every": 4})
    assert window["windowed"] / window["grouped"] == pytest.approx(1 / 4 + 3 / 4 / 2)
    assert CacheAgainstContext.compute(**{**base, "parameters": 7e10})["texts"] == 0


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Routing({"a": np.zeros((3, 2))}, list("ab")), r"logits \[2, experts\] for 2 tokens"),
    (lambda: Routing({"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}, list("ab")), "the same for each router"),
    (lambda: Routing({"a": np.zeros((2, 3))}, list("ab"), top_k=4), "top_k must lie in 1 … 3"),
    (lambda: Routing({"a": np.zeros((2, 3))}, list("ab"), shifts={"a": np.zeros(2)}), r"shifts takes \[3\] numbers"),
    (lambda: Routing({"a": np.zeros((2, 3))}, list("ab"), shifts={"b": np.zeros(3)}), "for one of a, found"),
    (lambda: CacheAgainstContext({"contxt": 3}), "contxt"),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
