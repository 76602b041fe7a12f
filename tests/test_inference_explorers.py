"""The explorers of sampling and of speculation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.explorers.sampling import SHOWN, Sampling
from helpers.explorers.speculation import START, Speculation
from helpers.models.generate import probabilities
from helpers.models.speculative import expected_tokens


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.5, 7, 1.0), (1.4, 0, 0.8), (2, 30, 0.6)])
def test_the_knobs_are_those_of_the_models(temperature: float, top_k: int, top_p: float) -> None:
    logits = np.sort(np.random.default_rng(0).normal(0, 2, 100))[::-1].copy()
    found = Sampling.compute(logits.tolist(), temperature, top_k, top_p)
    wanted = probabilities(torch.from_numpy(logits), temperature=temperature, top_k=top_k or None, top_p=top_p)
    np.testing.assert_allclose(found["chances"], wanted[:SHOWN].numpy(), atol=1e-6)
    assert found["left"] == int((wanted > 0).sum())
    entropy = -(wanted * wanted.clamp(min=1e-30).log()).sum()
    assert found["effective"] == pytest.approx(float(entropy.exp()), rel=1e-4)
    whole = probabilities(torch.from_numpy(logits), temperature=temperature)
    assert found["cut"] == pytest.approx(float(1 - whole[:found["left"]].sum()), abs=1e-5)


def test_texts_follow_their_logits() -> None:
    logits = np.arange(20.0)
    state = Sampling({"x": (logits, [str(i) for i in range(20)])}).state
    assert state["rows"][0]["texts"][:3] == ["19", "18", "17"] and state["rows"][0]["logits"][0] == 19
    long = Sampling({"x": (logits, ["↵" + "␣" * 15, "a_name_too_long"] * 10)}).state["rows"][0]["texts"]
    assert set(long) == {"↵␣×15", "a_name_too_…"}


def test_speculation_is_the_published_formula() -> None:
    found = Speculation.compute(**START)
    assert found["tokens"] == pytest.approx(expected_tokens(0.8, 4)) == pytest.approx(3.3616)
    assert found["speed_up"] == pytest.approx(3.3616 / (4 * 0.05 + 1)) == pytest.approx(2.801, abs=1e-3)
    busy = Speculation.compute(**{**START, "batch": 1024})
    assert busy["speed_up"] < 1 and busy["best"] == 0 and busy["best_speed_up"] == 1
    assert Speculation.compute(**{**START, "cost": 1.0, "acceptance": 0.5})["best"] == 0
    best = Speculation.compute(**START)["best"]
    gains = [Speculation.compute(**{**START, "num_drafted": n})["speed_up"] for n in range(1, 17)]
    assert best == 1 + int(np.argmax(gains))


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Sampling({}), "at least one prompt"),
    (lambda: Sampling({"x": (np.zeros(5), list("abcde"))}), r"at least 16.*found \[5\] and 5"),
    (lambda: Sampling({"x": (np.zeros(20), list("abcde"))}), r"found \[20\] and 5"),
    (lambda: Speculation({"aceptance": 0.5}), "aceptance"),
])
def test_bad_input_is_named(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
