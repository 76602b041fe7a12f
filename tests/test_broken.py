"""The broken programs: each differs from its mended one in its fault; the gallery shows what was recorded."""

from __future__ import annotations

import functools
import json
import math

import pytest
import torch

from benchmarks import broken, faulty, widths
from helpers import records
from helpers.explorers.broken import FAULTS, LETTERS, ORDER, BrokenRuns


@pytest.fixture(scope="module")
def small():
    """All programs, hardly trained; data are read once, and the decoders, which take the longest, read little."""
    with pytest.MonkeyPatch.context() as patch:
        load = functools.cache(broken.data.load)

        def little(name, **options):
            if name == "python_stdlib":
                options |= {"num_train": 96, "num_held_out": 32}
            return load(name, **options)

        patch.setattr(broken.data, "load", little)
        payload = broken.measure(size=0.01, log=lambda line: None)
    return payload | {"date": "2026-11-22"}


def test_every_fault_has_words_and_a_letter(small):
    assert set(broken.PAIRS) == set(FAULTS) == set(ORDER) and len(ORDER) == len(LETTERS) == 14
    assert set(small["results"]["pairs"]) == set(FAULTS)
    for fault in FAULTS.values():
        assert fault.wrong != fault.right and fault.expect and fault.why


def test_the_gallery_holds_every_run(small):
    shown = BrokenRuns(small, run="C")
    json.dumps(shown.state, allow_nan=False)
    assert len(shown.html()) < 300_000
    for run in shown.state["runs"]:
        for side in ("broken", "mended"):
            program = shown.state["programs"][run[side]]
            assert len(program["at"]) == len(program["train_loss"]) == len(program["gradients"][0])
            assert len(program["gradients"]) == len(program["updates"]) == len(program["layers"])
            assert len(program["batch"]) == len(program["batch_at"]) and program["checks"]["expected"] > 0


@pytest.mark.parametrize(("call", "words"), [
    (lambda record: BrokenRuns(record, run="Z"), "called A to N, found 'Z'"),
    (lambda record: BrokenRuns(record | {"results": {"pairs": {}, "checks": {}}}), "lacks the run 'rate_low'"),
])
def test_bad_input_is_named(small, call, words):
    with pytest.raises(ValueError, match=words):
        call(small)


def test_the_same_seed_gives_the_same_run():
    first, second = (broken.run(faulty.Dropout, size=0.05)[0] for _ in range(2))
    assert first == second


def test_broadcast_is_what_the_chapter_says():
    program, healthy = broken.Broadcast(), broken.Line()
    outputs = torch.tensor([[1.0], [2.0], [3.0]])
    assert program.loss(outputs, torch.tensor([1.0, 2.0, 3.0])).item() == pytest.approx(4 / 3)
    assert healthy.loss(outputs, torch.tensor([1.0, 2.0, 3.0])).item() == 0


def test_faults_are_in_place():
    cut = faulty.Cut()
    cut.update(*(part[:20] for part in cut.train))
    grads = [layer.weight.grad for layer in cut.layers().values()]
    assert grads[0] is None and grads[1] is None and grads[2].abs().sum() > 0
    old = faulty.OldOptimiser()
    kept = [p.detach().clone() for p in old.model.parameters()]
    old.update(*(part[:20] for part in old.train))
    assert all(torch.equal(a, b) for a, b in zip(kept, old.model.parameters()))
    assert all(p.grad is not None for p in old.model.parameters())
    dead = faulty.Dead()
    with torch.no_grad():
        assert torch.relu(dead.model[0](dead.validation[0])).max() == 0       # the first layer as a whole
    assert broken._dead(dead) >= 0.5 > broken._dead(faulty.Program())
    leak, clean = faulty.Leak(), faulty.NoLeak()
    assert leak.train[0][:, 64:].argmax(1).equal(leak.train[1]) and not clean.train[0][:, 64:].any()
    assert not leak.served[0][:, 64:].any()
    raw = faulty.RawEvaluation()
    assert raw.train[0].mean().abs() < 1e-3 < raw.validation[0].mean()
    assert broken._neighbours(*faulty.Program().train) > 0.9 > 0.3 > broken._neighbours(*faulty.Mismatched().train)


def test_only_the_peeking_mask_sees_the_future(small):
    found = small["results"]["checks"]
    assert [name for name, own in found.items() if own["sees_too_much"]] == ["Peeking"]


def test_the_record_proves_the_cures():
    record = records.load("broken-runs")
    pairs, found = record["results"]["pairs"], record["results"]["checks"]
    assert set(pairs) == set(FAULTS)
    for key, pair in pairs.items():
        before, after = found[pair["broken"]], found[pair["mended"]]
        if key == "training_mode":                       # the network was fine, only its measurement was not
            assert before["again"] > 1e-3 and after["again"] == 0
        else:
            assert after["served"] > before["served"] + 0.04, key
    assert found["SoftmaxTwice"]["one_batch"] >= math.log(math.e + 9) - 1
    assert record["configuration"]["size"] == 1.0
    assert len(BrokenRuns(record).html()) < 300_000


def test_widths_scale_only_the_inner_matrices():
    assert widths.train(16, 0.01, True, num_steps=3) == widths.train(16, 0.01, False, num_steps=3)
    assert widths.train(32, 0.01, True, num_steps=3) != widths.train(32, 0.01, False, num_steps=3)
    small = widths.measure(widths=(16, 32), rates=(1e-4, 1e-2), seeds=(0,), num_steps=4)
    assert set(small["results"]["standard"]) == {"16", "32"} and len(small["curves"]) == 4
