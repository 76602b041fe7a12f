"""Simulated batching against a loop over single steps and against queueing theory; the dispatcher; bad input."""

import math

import numpy as np
import pytest

from helpers.economics import batching, queueing
from helpers.explorers.dispatcher import Dispatcher, requests


def stepwise(arrivals, prompts, answers, slots, fixed, each, rate, continuous):
    """The same service, one step at a time, without queue limit and memory."""
    now, line, active, ended = 0.0, list(range(len(arrivals))), {}, {}

    def leave():
        over = [one for one, n in active.items() if n <= 0]
        if over and (continuous or len(over) == len(active)):
            for one in over:
                ended[one] = now
                del active[one]
        return bool(over)

    while line or active:
        seen = now
        if continuous or not active:
            while line and len(active) < slots and arrivals[line[0]] <= seen:
                one = line.pop(0)
                now += prompts[one] / rate
                active[one] = answers[one] - 1
        if not active:
            now = max(now, arrivals[line[0]])
        elif leave() and continuous:
            continue
        elif continuous and line and len(active) < slots and arrivals[line[0]] <= now:
            continue                                 # who came while prompts were read joins before the step
        elif active:
            now += fixed + each * len(active)
            active = {one: n - 1 for one, n in active.items()}
            leave()
    return np.array([ended[k] for k in range(len(arrivals))])


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("rate", [0.5, 4.0, 40.0])
def test_jumps_equal_single_steps(continuous, rate):
    arrivals, prompts, answers = requests(rate, 30, 20, 120)
    found = batching.serve(arrivals, prompts, answers, slots=4, fixed_seconds=0.01, slot_seconds=0.002, read_rate=900,
                           continuous=continuous)
    assert found.ended == pytest.approx(stepwise(arrivals, prompts, answers, 4, 0.01, 0.002, 900, continuous))
    assert not found.refused.any() and (found.started >= found.arrived).all()


def test_one_slot_is_the_queue_of_theory():
    gaps = np.random.default_rng(0).exponential(1 / 0.7, 3000)
    found = batching.serve(np.cumsum(gaps), [1] * 3000, [1] * 3000, slots=1, fixed_seconds=1, slot_seconds=0,
                           read_rate=1.0)
    waits = queueing.simulate_queue(gaps, np.ones(3000))
    assert found.started - found.arrived == pytest.approx(waits, abs=1e-9)
    assert found.busy_seconds == pytest.approx(3000)


def test_queue_and_memory_bound_what_is_inside():
    arrivals, prompts, answers = [0.0] * 12, [10] * 12, [10] * 12
    how = {"slots": 4, "fixed_seconds": 1, "slot_seconds": 0, "read_rate": 1e9}
    found = batching.serve(arrivals, prompts, answers, queue=3, **how)
    assert found.refused.tolist() == [False] * 7 + [True] * 5
    tight = batching.serve(arrivals, prompts, answers, cache_bytes=1, memory=45, **how)
    inside = [(tight.started <= t + 1e-6) & (tight.ended > t + 1e-6) for t in np.unique(tight.started)]
    assert {int(row.sum()) for row in inside} == {2}                     # two of 20 bytes fit into 45
    large = batching.serve([0.0, 0.0], [40, 10], [10, 10], cache_bytes=1, memory=45, **how)
    assert large.refused.tolist() == [True, False]


def test_continuous_batching_is_never_slower_on_average_and_faster_under_load():
    arrivals, prompts, answers = requests(6, 40, 48, 400)
    how = {"slots": 16, "fixed_seconds": 0.004, "slot_seconds": 0.0006, "read_rate": 4000}
    static, moving = (batching.serve(arrivals, prompts, answers, continuous=c, **how) for c in (False, True))
    assert np.mean(moving.ended - moving.arrived) < 0.5 * np.mean(static.ended - static.arrived)


@pytest.mark.parametrize(("call", "message"), [
    (lambda h: batching.serve([0.0], [1], [1, 2], **h), "must have one length above 0, found 1, 1 and 2"),
    (lambda h: batching.serve([], [], [], **h), "must have one length above 0, found 0, 0 and 0"),
    (lambda h: batching.serve([1.0, 0.5], [1, 1], [1, 1], **h), "arrivals must be finite seconds that rise from 0 up"),
    (lambda h: batching.serve([math.nan], [1], [1], **h), "arrivals must be finite seconds that rise from 0 up"),
    (lambda h: batching.serve([0.0], [0], [1], **h), "at least 1 token, found 0"),
    (lambda h: batching.serve([0.0], [1], [1], **h | {"slots": 0}), "slots must be a whole number of at least 1"),
    (lambda h: batching.serve([0.0], [1], [1], **h | {"queue": -1}), "queue must be 0 or more, found -1"),
    (lambda h: batching.serve([0.0], [1], [1], memory=math.nan, **h), "memory must be 0 bytes or more, found nan"),
    (lambda h: Dispatcher(fixed_seconds=1, slot_seconds=1, read_rate=1, cache_bytes=1, hour_price=1, source="",
                          start={"load": 1}), "start value 'load' is unknown"),
    (lambda h: Dispatcher(fixed_seconds=0, slot_seconds=1, read_rate=1, cache_bytes=1, hour_price=1, source=""),
     "fixed_seconds must be above 0, found 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call({"slots": 1, "fixed_seconds": 1, "slot_seconds": 0, "read_rate": 1})


def test_dispatcher_says_what_the_simulation_says():
    case = Dispatcher.cases()[0]
    found = Dispatcher.compute(**case)
    assert found["refused"] == 0 and found["first"] < found["total"] and 0 < found["busy"] < 1
    assert found["usd_per_million"] == pytest.approx(0.08 / 3600 / found["tokens_per_second"] * 1e6)
    arrivals, prompts, answers = requests(3.0, 48, 64, 400)
    assert np.mean(answers) == pytest.approx(64, rel=0.02) and np.mean(prompts) == pytest.approx(48, rel=0.01)
    assert arrivals[-1] == pytest.approx(400 / 3, rel=0.01)
    gaps = np.diff(arrivals)
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.1             # random order: no gap knows the next
    assert Dispatcher.compute(**case | {"memory": 0.001})["refused"] == 1
    assert math.isclose(Dispatcher.compute(**case | {"rate": 80, "queue": 4})["busy"], 1, abs_tol=0.02)
