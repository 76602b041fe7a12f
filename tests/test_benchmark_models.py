"""The benches of language models at toy size: they run, compare equal work, and say what they lack."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from benchmarks import characters, gpu

TOY = {"context": 16, "num_layers": 1, "d_model": 32, "num_heads": 2}


@pytest.fixture(autouse=True)
def few_characters(monkeypatch):
    text = np.random.default_rng(0).integers(1, 90, 50).astype(np.int64)
    monkeypatch.setattr(characters, "texts", lambda: (np.tile(text, 100), np.tile(text, 20)))


def test_both_loops_train_on_the_same_windows_to_the_same_loss():
    starts = characters.windows(16, 5)
    theirs = characters.usual(characters.build(TOY, characters.USUAL), 5, 1e-3, starts)
    ours = characters.ours(characters.build(TOY, characters.USUAL), 5, 1e-3, precision="float32")
    assert characters.loss(theirs) == pytest.approx(characters.loss(ours), rel=1e-4)
    fresh = characters.build(TOY, characters.USUAL)
    assert characters.loss(theirs) < characters.loss(fresh) - 0.02


@pytest.mark.parametrize("needed", [20, 140, 180])
def test_the_goal_is_the_fewest_of_our_updates_that_reach_the_usual_loss(monkeypatch, needed):
    theirs = {1e-3: 2.5, 2e-3: 2.2, 4e-3: 2.3, 8e-3: 2.4}
    monkeypatch.setattr(characters, "usual", lambda model, num_steps, lr, starts, schedule: lr)
    monkeypatch.setattr(characters, "loss", theirs.get)
    best = characters.OUR_RATES[1]
    monkeypatch.setattr(characters, "our_loss", lambda num, lr: 2.2 + (needed - num) / 1000 + abs(lr - best))
    found = characters.goal(log=lambda line: None)
    assert found == {"usual_lr": 2e-3, "our_lr": best, "loss": 2.2, "our_steps": needed}


@pytest.mark.parametrize("part", ["tokens", "characters", "sweep"])
def test_each_gpu_part_runs_at_toy_size_and_writes_one_json(part, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.timing, "ROOT", tmp_path)
    assert gpu.main([part, "--toy", "--output", str(tmp_path / "out.json")]) == 0
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["part"] == part and written["toy"] and written["goal"] == gpu.GOALS[part]
    if part == "tokens":
        row = written["results"]["toy"]
        assert row["tokens_per_second"] == pytest.approx(32 / row["seconds_per_step"])
        assert row["utilisation"] is None                       # a processor has no peak in the table
    elif part == "characters":
        assert written["results"]["our_steps"] >= 2 and len(written["results"]["usual"]) == 3
    else:
        assert written["results"]["ratio"] > 0 and written["results"]["graph"]["graph_microseconds"] is None


def test_the_models_have_the_sizes_that_their_names_say():
    counts = {name: sum(p.numel() for p in gpu.models.Decoder(**shape).parameters())
              for name, (shape, _) in gpu.SIZES.items()}
    assert counts["15M"] == pytest.approx(15e6, rel=0.05)
    assert counts["124M"] == pytest.approx(124e6, rel=0.05)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys):
    assert gpu.main(["sweep"]) == 2
    assert "no CUDA GPU here: pass --toy" in capsys.readouterr().err
