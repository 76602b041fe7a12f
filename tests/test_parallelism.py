"""The cost model of many devices: exact counts, known limits, published utilisation, failures by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from helpers import economics as e
from helpers.economics import interruptions as i
from helpers.economics import parallelism as p
from helpers.explorers.scale_out import SHAPES, START, ScaleOut, fixed

SMALL = p.Shape(8, 512, 8, 1000, 256)


@pytest.mark.parametrize("num", [1, 2, 3, 8, 1000])
def test_ring_bytes_are_what_a_ring_sends(num):
    """Counted hop by hop: N − 1 pieces in each of the two rounds."""
    sent = sum(1000 / num for _ in range(2) for _ in range(num - 1))
    assert p.ring_bytes(1000, num) == pytest.approx(sent)


def test_bubble_against_a_schedule_played_through():
    for stages, micro in ((4, 8), (8, 32), (1, 5)):
        ends = np.zeros((stages, micro))                     # forward pass of micro-batch j on stage i, one unit each
        for stage in range(stages):
            for batch in range(micro):
                before = max(ends[stage - 1, batch] if stage else 0, ends[stage, batch - 1] if batch else 0)
                ends[stage, batch] = before + 1
        assert p.bubble_share(stages, micro) == pytest.approx(1 - micro / ends.max())
    assert p.bubble_share(8, 32) == pytest.approx(0.179, abs=5e-4)   # 21.9 per cent of the ideal time
    assert p.bubble_share(8, 32, chunks=4) < 0.06


def test_one_device_is_plain_arithmetic():
    found = p.step_time(SMALL, p.Layout(batch=4, recompute="none"), "h100", kernel_share=0.5)
    flops = 3 * SMALL.count.flops * 4 * 256
    assert found.seconds == pytest.approx(flops / (0.5 * 989e12)) == pytest.approx(found.compute)
    assert found.utilisation == pytest.approx(0.5)
    assert found.state_bytes == 16 * SMALL.count.parameters
    full = p.step_time(SMALL, p.Layout(batch=4, recompute="full"), "h100", kernel_share=0.5)
    assert full.seconds == pytest.approx(found.seconds * 4 / 3) and full.utilisation == pytest.approx(0.375)


def test_each_split_costs_what_its_formula_says():
    base = p.Layout(batch=64, recompute="none")
    hidden = 2 * 256 * 512
    tensor = p.step_time(SMALL, p.Layout(tensor=4, batch=64, recompute="none"), "h100")
    assert tensor.tensor == pytest.approx(64 * 4 * 8 * (2 * 3 / 4 * hidden) / 450e9)
    pipeline = p.step_time(SMALL, p.Layout(pipeline=4, batch=64, recompute="none"), "h100")
    assert pipeline.bubble / pipeline.seconds == pytest.approx(p.bubble_share(4, 64))
    alone = p.step_time(SMALL, base, "h100")
    data = p.step_time(SMALL, p.Layout(data=64, batch=64, recompute="none", zero_stage=0), "h100")
    exchange = 2 * 63 / 64 * 2 * SMALL.count.parameters / min(450e9, 8 * 50e9)
    backward = alone.compute / 64 * 2 / 3
    assert data.data == pytest.approx(max(0, exchange - backward)) and data.data > 0
    sharded = p.step_time(SMALL, p.Layout(data=64, batch=64, recompute="none", zero_stage=3), "h100")
    assert sharded.data > data.data and sharded.state_bytes == pytest.approx(16 * SMALL.count.parameters / 64)


def test_more_sequences_than_replicas_can_share_leave_some_waiting():
    even, odd = (p.step_time(SMALL, p.Layout(data=4, batch=batch), "h100") for batch in (8, 9))
    assert odd.compute == pytest.approx(even.compute * 1.5)  # the busiest replica has three instead of two
    twos = p.step_time(SMALL, p.Layout(data=2, batch=8, micro_batch=2, pipeline=2), "h100")
    ones = p.step_time(SMALL, p.Layout(data=2, batch=8, pipeline=2), "h100")
    assert twos.compute == pytest.approx(ones.compute)       # two micro-batches instead of four: a longer bubble
    assert twos.bubble == pytest.approx(2 * ones.bubble)


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_sharded_state_of_the_published_example(stage, gigabytes):
    assert e.memory_training(7.5e9, zero_stage=stage, num_devices=64) / 1e9 == pytest.approx(gigabytes, abs=0.05)


GPT = {"vocabulary": 51_200, "context": 2048}
MT_NLG = p.Shape(105, 20_480, 128, **GPT)
LLAMA = p.Shape(126, 16_384, 128, 128_256, 8192, num_kv_heads=8, d_ff=53_248, gated=True, tied=False)
PUBLISHED = [  # shape, layout, device, published share, factor within which it is met
    (MT_NLG, p.Layout(8, 8, 35, 2240, chunks=3), "a100", 0.542, 1.01),                     # fitted
    (MT_NLG, p.Layout(8, 8, 35, 2240, chunks=3, recompute="full"), "a100", 0.421, 1.05),   # predicted, as all below
    (MT_NLG, p.Layout(8, 8, 35, 1920, recompute="full"), "a100", 0.302, 1.3),
    (p.Shape(96, 12_288, 128, 64_000, 2048), p.Layout(192, 8, 8, 6144, chunks=6), "a100", 0.552, 1.15),
    (LLAMA, p.Layout(64, 8, 16, 2048, chunks=8), "h100", 0.43, 1.15),
    (LLAMA, p.Layout(128, 8, 16, 2048, chunks=8), "h100", 0.41, 1.15),
]


@pytest.mark.parametrize(("shape", "layout", "device", "share", "factor"), PUBLISHED)
def test_published_utilisation(shape, layout, device, share, factor):
    assert 1 / factor < p.step_time(shape, layout, device).utilisation / share < factor


def test_published_shapes_and_device_hours():
    assert MT_NLG.count.parameters == pytest.approx(530e9, rel=0.005)
    assert LLAMA.count.parameters == pytest.approx(405e9, rel=0.005)
    plan = i.plan_run(LLAMA, p.Layout(128, 8, 16, 2048, chunks=8), 15.6e12)
    assert plan.useful == pytest.approx(0.9, abs=0.02)                       # published: more than 90 per cent
    assert plan.plan.device_hours / 30.84e6 == pytest.approx(1, abs=0.15)    # published: 30.84 million H100-hours


def test_money_comes_from_the_one_training_plan():
    plan = i.plan_run(SMALL, p.Layout(data=8, batch=64), 1e9, price_per_hour=2.0)
    share = plan.step.utilisation_6nd * plan.useful
    same = e.plan_training(SMALL.count.parameters, 1e9, utilisation=share, num_devices=8, price_per_hour=2.0)
    assert plan.plan == same and same.device_hours > 0
    steps = 1e9 / plan.step.tokens
    assert same.device_hours * 3600 == pytest.approx(steps * plan.step.seconds * 8 / plan.useful)
    assert plan.step.utilisation > plan.step.utilisation_6nd                 # attention is left out of 6 N D
    assert "8 × h100" in str(plan) and "2026" not in str(plan)


def simulated(interval, save, restart, mean, rng, num=4000):
    """Useful share of a run of ``num`` intervals, played through."""
    spent = 0.0
    for _ in range(num):
        while (failure := rng.exponential(mean)) < interval + save:
            spent += failure
            while (again := rng.exponential(mean)) < restart:
                spent += again
            spent += restart
        spent += interval + save
    return num * interval / spent


@pytest.mark.parametrize(("interval", "save", "restart", "mean"), [(472, 10, 600, 11_135), (900, 60, 300, 2000)])
def test_useful_share_against_a_simulation(interval, save, restart, mean):
    share = simulated(interval, save, restart, mean, np.random.default_rng(0))
    assert i.useful_share(interval, save, restart, mean) == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize(("save", "mean"), [(10, 11_135), (60, 11_135), (10, 1e6)])
def test_the_interval_is_close_to_the_best(save, mean):
    tau = i.checkpoint_interval(save, mean)
    assert tau == pytest.approx(math.sqrt(2 * save * mean))
    best = max(i.useful_share(other, save, 600, mean) for other in np.geomspace(tau / 20, tau * 20, 2001))
    assert 0.998 * best < i.useful_share(tau, save, 600, mean) <= best
    assert i.useful_share(1e9, 10, 600, 1000) == 0.0                         # never through


@pytest.mark.parametrize(("call", "message"), [
    (lambda: p.ring_bytes(-1, 2), "num_bytes must be 0 or more, found -1"),
    (lambda: p.bubble_share(0, 2), "pipeline must be a whole number of at least 1, found 0"),
    (lambda: p.Layout(data=1.5), "data must be a whole number of at least 1, found 1.5"),
    (lambda: p.Layout(recompute="half"), "recompute 'half' is unknown"),
    (lambda: p.Layout(zero_stage=4), "zero_stage must be 0, 1, 2 or 3, found 4"),
    (lambda: p.step_time(SMALL, p.Layout(pipeline=9)), "pipeline must be at most the 8 layers, found 9"),
    (lambda: p.step_time(SMALL, p.Layout(pipeline=4, chunks=3)), "chunks must be at most the 2 layers of a stage"),
    (lambda: p.step_time(SMALL, p.Layout(tensor=16)), "tensor must be at most the 8 heads, found 16"),
    (lambda: p.step_time(SMALL, p.Layout(), kernel_share=60), "kernel_share must be above 0 and at most 1, found 60"),
    (lambda: p.links_of("v100"), "system 'v100' is unknown; did you mean"),
    (lambda: p.Links(8, 0, 1), "fast must be above 0, found 0"),
    (lambda: i.checkpoint_interval(0, 5), "save_seconds must be above 0, found 0"),
    (lambda: i.useful_share(1, -1, 0, 5), "save_seconds must be 0 or more, found -1"),
    (lambda: i.plan_run(SMALL, p.Layout(data=10_000, batch=10_000), 1e12, hours_between_failures=30),
     "a failure every 10.8 seconds and 600 seconds to restart the run would not end"),
    (lambda: ScaleOut({"device": 3}), "start value 'device' is unknown"),
    (lambda: ScaleOut({"model": "2 billion"}), "model '2 billion' is unknown"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_explorer_says_what_the_plan_says():
    first = {name: value for name, value in START.items() if name != "model"}
    found = ScaleOut.compute(**SHAPES["70 billion"], **first, **fixed())
    assert found["possible"] == 1 and 0.3 < found["utilisation"] < 0.6 and found["fits"] == 1
    assert found["days"] * 24 * first["devices"] == pytest.approx(found["device_hours"])
    assert ScaleOut.compute(**SHAPES["70 billion"], **(first | {"devices": 16}), **fixed())["possible"] == 0
    few, many = (ScaleOut.compute(**SHAPES["70 billion"], **(first | {"devices": n}), **fixed())
                 for n in (1024, 16_384))
    assert many["days"] < few["days"] and many["device_hours"] > 1.5 * few["device_hours"]
    assert len(ScaleOut.cases()) == 28 and set(ScaleOut.cases()[0]) >= set(fixed())
