"""The recipe of the recorded samples, at toy size."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks import inference
from helpers import records
from helpers.models.house import house


def test_counts_of_runs() -> None:
    assert inference.repeated([[1, 2, 3, 1, 2, 3, 1, 2]], run=3) == pytest.approx(3 / 6)
    assert inference.repeated([[1, 2]], run=3) == 0
    assert inference.distinct([[1, 2, 3], [1, 2, 3]], run=2) == pytest.approx(2 / 4)


@torch.no_grad()
def test_surprise_is_the_loss_up_to_the_first_end() -> None:
    model, rows = house("small"), torch.tensor([[0, 5, 9, 7, 0, 0], [0, 5, 9, 7, 8, 6]])
    logs = model(rows[:, :-1]).log_softmax(dim=-1)
    wanted = [-float(logs[0, t, rows[0, t + 1]]) for t in (1, 2, 3)] + [-float(logs[1, t, rows[1, t + 1]])
                                                                        for t in (1, 2, 3, 4)]
    assert inference.surprise(model, rows, 2, end=0) == pytest.approx(sum(wanted) / 7, rel=1e-5)


def test_the_recipe_at_toy_size() -> None:
    payload = inference.measure(num=3, num_tokens=24, settings={"cold": {"temperature": 0.2}, "few": {"top_k": 5}})
    records.validate({**payload, "name": "x", "date": "2026-11-22T00:00:00+00:00", "versions": {}, "system": "x",
                      "source_sha256": "x", "git_revision": None})
    for row in payload["results"]["settings"].values():
        assert 0 <= row["accepted"] <= row["ended"] <= 3 and math.isfinite(row["nats"]) and row["tokens"] <= 24
