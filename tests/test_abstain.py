"""The explorer of answers and abstentions: its numbers against a count by hand and closed forms."""

import math

import numpy as np
import pytest

from helpers import metrics
from helpers.explorers.abstain import Abstain

RNG = np.random.default_rng(0)
CONFIDENCE = RNG.beta(1, 12, 300).astype(np.float16).astype(np.float64)
RIGHT = RNG.random(300) < 0.2 + CONFIDENCE


def parts():
    return {"right": np.sort(CONFIDENCE[RIGHT]).tolist(), "wrong": np.sort(CONFIDENCE[~RIGHT]).tolist()}


@pytest.mark.parametrize("threshold", [0.0, 0.03, 0.1, float(CONFIDENCE.max())])
def test_counts_cost_and_intervals(threshold):
    found = Abstain.compute(**parts(), threshold=threshold, cost_wrong=10.0, cost_human=4.0)
    given = CONFIDENCE >= threshold
    spent = np.where(~given, 4.0, np.where(RIGHT, 0.0, 10.0))
    assert found["answered"] == pytest.approx(given.mean())
    assert found["right"] + found["wrong"] == pytest.approx(found["answered"])
    assert found["cost"] == pytest.approx(1000 * spent.mean())
    half = 1.959964 * spent.std() / math.sqrt(len(spent))
    assert found["cost_high"] - found["cost"] == pytest.approx(1000 * half, rel=1e-5)
    interval = metrics.wilson(int((given & ~RIGHT).sum()), int(given.sum()))
    assert (found["low"], found["high"]) == pytest.approx(tuple(interval), rel=1e-9, abs=1e-12)


def test_interval_of_the_cost_agrees_with_the_bootstrap():
    found = Abstain.compute(**parts(), threshold=0.05, cost_wrong=10.0, cost_human=5.0)
    spent = np.where(CONFIDENCE < 0.05, 5.0, np.where(RIGHT, 0.0, 10.0))
    low, high = metrics.bootstrap(1000 * spent)
    assert found["cost_low"] == pytest.approx(low, rel=0.03)
    assert found["cost_high"] == pytest.approx(high, rel=0.03)


def test_without_an_answer_there_is_no_share_of_wrong_ones():
    found = Abstain.compute(**parts(), threshold=1.1, cost_wrong=10.0, cost_human=5.0)
    assert found["wrong_of_answered"] is found["low"] is found["high"] is None
    assert found["cost"] == found["cost_low"] == found["cost_high"] == 5000


def test_state_holds_each_group_and_a_threshold_inside_the_slider():
    explorer = Abstain({"one": (CONFIDENCE, RIGHT), "two": (CONFIDENCE / 2, ~RIGHT)}, threshold=0.9)
    assert [group["name"] for group in explorer.state["groups"]] == ["one", "two"]
    assert explorer.state["threshold"] == explorer.state["end"] < 0.9


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        ({}, {}, "at least one group"),
        ({"a": ([0.1, 0.2], [True])}, {}, "found 2 confidences and 1 marks"),
        ({"a": ([0.1], [True])}, {}, "found 1 confidences"),
        ({"a": ([0.1, 1.2], [True, False])}, {}, "between 0 and 1, found 0.1 to 1.2"),
        ({"a": ([0.1, math.nan], [True, False])}, {}, "between 0 and 1"),
        ({"a": ([0.1, 0.2], [True, False])}, {"cost_human": 0.0}, "above 0, found 10.0 and 0.0"),
    ],
)
def test_bad_input_is_named(groups, options, message):
    with pytest.raises(ValueError, match=message):
        Abstain(groups, **options)
