import json

import pytest

from helpers.explorers.base import MAX_BYTES
from helpers.explorers.stages import Stages

ROW = {"tokens": 100, "bits_per_byte": 1.9, "accepted": 6, "ended": 20, "samples": ["def f(): pass"]}
START = {"tokens": 0, "bits_per_byte": 3.7, "accepted": None, "ended": None, "samples": ["?"]}
CURVES = {"one": ([0, 100], [3.7, 1.9])}


def test_the_state_holds_stages_with_their_intervals_and_stays_small():
    shown = Stages({"one": {"stages": [START, ROW]}}, CURVES, ["def"], 20, rivals={"counted": 1.8})
    before, after = shown.state["models"][0]["stages"]
    assert before["low"] is None and before["accepted"] is None
    assert (after["low"], after["high"]) == (0.1455, 0.519)            # Wilson's interval of 6 in 20
    assert shown.state["rivals"] == [["counted", 1.8]] and shown.state["stage"] == 1
    assert len(json.dumps(shown.state)) < MAX_BYTES


@pytest.mark.parametrize("models, prompts, message", [
    ({}, ["def"], "1 to 3 models, found 0"),
    ({"one": {"stages": [ROW]}, "two": {"stages": [ROW, ROW]}}, ["def"], "equally many stages, found {'one': 1, 'two'"),
    ({"one": {"stages": [ROW]}}, ["def", "class"], "one sample a prompt, found 1 of 'one' for 2"),
])
def test_what_does_not_fit_is_named(models, prompts, message):
    with pytest.raises(ValueError, match=message):
        Stages(models, CURVES | {"two": CURVES["one"]}, prompts, 20)
