import json

import numpy as np
import pytest

from helpers import records
from helpers.explorers import leak
from helpers.explorers.base import MAX_BYTES

VALUES = np.linspace(0, 1, 12).reshape(2, 2, 3)
ANSWERS = [[["    pass\n"] * 3] * 2] * 2


def test_the_state_holds_every_reward_weight_and_round():
    shown = leak.Leak(["a", "b"], [0.0, 0.1], [0, 3, 6], VALUES, VALUES, VALUES, ANSWERS)
    assert shown.state["passed"][1][1][2] == 1.0 and shown.state["answers"][0][0][0] == "pass"
    assert shown.state["rounds"] == [0, 3, 6] and len(json.dumps(shown.state)) < MAX_BYTES


def test_another_shape_is_named():
    with pytest.raises(ValueError, match=r"Leak takes parsed for every reward, weight and round \(2, 2, 3\), found"):
        leak.Leak(["a", "b"], [0.0, 0.1], [0, 3, 6], VALUES, VALUES[:1], VALUES, ANSWERS)


def test_the_recorded_runs_fill_it():
    record = records.load("ask-python-verifier")
    shown = leak.from_record(record, id="leak")
    plan = record["configuration"]["plan"]
    assert shown.state["betas"] == plan["betas"]
    assert shown.state["passed"][1][0] == pytest.approx(record["curves"]["method-0-0, passed"], abs=1e-3)
    assert len(json.dumps(shown.state)) < MAX_BYTES
