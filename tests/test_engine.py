"""Slots against the decoder with a cache, draws against their chances, and what the engine promises its requests."""

import threading
import time

import numpy as np
import pytest
import torch

from helpers.deployment import engine as engines
from helpers.deployment.engine import Busy, Closed, Engine
from helpers.models import Decoder, draws, generate
from helpers.models.draws import Choice, draw
from helpers.models.slots import Slots

VOCABULARY, CONTEXT = 61, 48
SHAPES = {
    "rotary": {},
    "learned, layer norm, bias, gelu": {"positions": "learned", "norm": "layer", "bias": True, "feed_forward": "gelu"},
    "sinusoidal, relu": {"positions": "sinusoidal", "feed_forward": "relu_squared"},
    "none, shared keys": {"positions": "none", "num_kv_heads": 1},
    "rotary, shared keys, normed": {"num_kv_heads": 2, "normed_queries": True, "feed_forward": "swiglu"},
}


def decoder(seed=0, **options):
    model = Decoder(VOCABULARY, CONTEXT, seed=seed, **{"num_layers": 2, "d_model": 32, "num_heads": 4, **options})
    with torch.no_grad():   # louder weights, so that differences would show
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(6.0)
    return model.eval()


def texts(num, longest=20, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, VOCABULARY, rng.integers(1, longest + 1)).tolist() for _ in range(num)]


@pytest.fixture
def engine():
    with Engine(decoder(), 4, max_queue=3) as running:
        yield running


def slow_down(running, seconds=0.01):
    """Let each step take longer, so that a test can catch the engine at work."""
    step = running.slots.step

    def slow(*args):
        time.sleep(seconds)
        return step(*args)

    running.slots.step = slow


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


# -- slots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_slots_equal_the_decoder_with_its_cache(shape):
    model = decoder(softcap=20.0 if "learned" in shape else None, **SHAPES[shape])
    slots, prompts = Slots(model, 5), texts(5)
    caches = [model.caches(1) for _ in prompts]
    with torch.no_grad():
        for slot, prompt in enumerate(prompts):
            expected = model(torch.tensor([prompt]), caches[slot])[0, -1]
            half = len(prompt) // 2
            if half:
                slots.prefill(slot, prompt[:half])
            torch.testing.assert_close(slots.prefill(slot, prompt[half:]), expected, atol=1e-5, rtol=1e-5)
        for step in range(20):
            some = [slot for slot in range(5) if (slot + step) % 3]
            tokens = [(7 * slot + step) % VOCABULARY for slot in some]
            expected = torch.cat([model(torch.tensor([[token]]), caches[slot])[:, -1]
                                  for slot, token in zip(some, tokens, strict=True)])
            torch.testing.assert_close(slots.step(some, tokens), expected, atol=1e-5, rtol=1e-5)
    assert slots.lengths == [cache[0].length for cache in caches]


def test_a_slot_can_be_used_again():
    slots = Slots(decoder(), 2)
    first = slots.prefill(0, [5, 6, 7])
    slots.step([0], [8])
    slots.free(0)
    assert torch.equal(slots.prefill(0, [5, 6, 7]), first)


def test_a_row_has_the_same_bits_whoever_shares_the_step():
    slots = Slots(decoder(), 8)
    assert slots.sizes[-1] == 8
    if not slots.exact:
        pytest.skip("the matrix product of this machine treats rows differently by their place")
    found = []
    for place, others in ((0, []), (0, [1, 2, 5]), (6, [0, 1, 2, 3, 7])):
        for slot in range(8):
            slots.free(slot)
        slots.prefill(place, [3, 1, 4, 1, 5])
        for slot in others:
            slots.prefill(slot, texts(8, seed=place)[slot])
        found.append(slots.step([place, *others], [9] * (1 + len(others)))[0])
    assert all(torch.equal(one, found[0]) for one in found)


def test_slots_refuse():
    with pytest.raises(ValueError, match="slots need a dense decoder.*window=8"):
        Slots(decoder(window=8), 2)
    with pytest.raises(ValueError, match="num_experts=2"):
        Slots(decoder(num_experts=2), 2)
    slots = Slots(decoder(), 2)
    with pytest.raises(ValueError, match="takes 1 … 48 more tokens, got 0"):
        slots.prefill(0, [])
    slots.prefill(0, [1] * CONTEXT)
    with pytest.raises(ValueError, match="takes 1 … 0 more tokens, got 1"):
        slots.prefill(0, [1])
    with pytest.raises(ValueError, match=r"of which \[0\] are full"):
        slots.step([0, 1], [1, 1])


# -- draws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"temperature": 0.5}, {"top_k": 5}, {"top_p": 0.7},
                                     {"temperature": 1.5, "top_k": 300, "top_p": 0.95}, {"top_p": 0.999}])
def test_draws_have_the_chances_of_generate(options):
    """An even grid of random numbers gives each token its chance, up to one grid step a border."""
    logits = 2 * torch.randn(500, generator=torch.Generator().manual_seed(1))
    expected = generate.probabilities(logits, **options)
    num = 20_000
    grid = ((np.arange(num) + 0.5) / num).tolist()
    tokens = draw(logits.expand(num, -1), [Choice(**options)] * num, grid)
    found = torch.bincount(torch.tensor(tokens), minlength=500) / num
    torch.testing.assert_close(found, expected, atol=2 / num, rtol=0)


def test_a_draw_does_not_depend_on_the_other_rows():
    logits = torch.randn(40, 400, generator=torch.Generator().manual_seed(0))
    kinds = [{}, {"top_k": 7}, {"top_p": 0.6}, {"top_k": 200, "top_p": 0.99}, {"temperature": 0.0}]
    choices = [Choice(**kinds[row % 5]) for row in range(40)]
    uniforms = np.random.default_rng(0).random(40).tolist()
    together = draw(logits, choices, uniforms)
    assert together == [draw(logits[[row]], [choices[row]], [uniforms[row]])[0] for row in range(40)]
    assert [together[row] for row in range(4, 40, 5)] == logits[4::5].argmax(1).tolist()


def test_draws_take_the_edges():
    logits = torch.zeros(1, draws._CANDIDATES * 3)
    assert draw(logits, [Choice(top_p=1.0)], [0.0]) == [0]
    assert draw(logits, [Choice()], [1 - 1e-16]) == [3 * draws._CANDIDATES - 1]
    assert 0 <= draw(logits, [Choice(top_p=0.9)], [0.999999])[0] < 3 * draws._CANDIDATES


@pytest.mark.parametrize("options, message", [
    ({"temperature": -1.0}, "temperature must be a number from 0"), ({"temperature": float("nan")}, "got nan"),
    ({"top_k": 0}, "top_k"), ({"top_p": 0.0}, "share of probability"), ({"top_p": 1.5}, "got 1.5")])
def test_choices_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        Choice(**options)


# -- engine ----------------------------------------------------------------------------------------------------------


def test_greedy_tokens_are_those_of_generate():
    model, prompts = decoder(), texts(12)
    with Engine(model, 4, max_queue=20) as running:
        tickets = [running.submit(prompt, 15, temperature=0.0) for prompt in prompts]
        found = [ticket.result(20).tokens for ticket in tickets]
    for prompt, tokens in zip(prompts, found, strict=True):
        expected = generate.generate(model, torch.tensor([prompt]), 15, top_k=1)[0, len(prompt):]
        assert tokens == expected.tolist()
    assert running.num_steps < 12 * 14   # they were written together


def test_a_request_gets_the_same_tokens_whoever_shares_the_batch():
    model, prompts = decoder(), texts(10, seed=3)
    kinds = [{}, {"top_k": 5}, {"top_p": 0.8, "temperature": 0.7}]
    with Engine(model, 4, max_queue=20) as running:
        ask = lambda i: running.submit(prompts[i], 25, seed=i, **kinds[i % 3])  # noqa: E731
        together = [ticket.result(20) for ticket in [ask(i) for i in range(10)]]
        alone = [ask(i).result(20) for i in range(10)]
        backwards = [ticket.result(20) for ticket in [ask(i) for i in reversed(range(10))]][::-1]
    if not running.slots.exact:
        pytest.skip("the matrix product of this machine treats rows differently by their place")
    assert together == alone == backwards
    assert len({tuple(one.tokens) for one in alone}) == 10


def test_the_context_ends_a_text(engine):
    prompt = [1, 2, 3]
    got = engine.submit(prompt, 500, temperature=0.0).result(20)
    assert (len(got.tokens), got.finish) == (CONTEXT - len(prompt) + 1, "length")
    got = engine.submit([1] * CONTEXT, 500).result(20)
    assert (len(got.tokens), got.finish) == (1, "length")


def test_the_stop_token_ends_a_text_and_is_not_returned(engine):
    whole = engine.submit([1, 2, 3], 20, seed=4).result(20).tokens
    stop = whole[7]
    got = engine.submit([1, 2, 3], 20, seed=4, stop=stop).result(20)
    assert (got.tokens, got.finish) == (whole[:whole.index(stop)], "stop")


def test_long_prompts_do_not_keep_the_others_from_writing(monkeypatch):
    monkeypatch.setattr(engines, "PIECE", 4)
    monkeypatch.setattr(engines, "BUDGET", 4)
    with Engine(decoder(), 4, max_queue=8) as running:
        slow_down(running)
        first = running.submit([1], 40)
        wait_for(lambda: first.num_new > 2)
        before = first.num_new
        second = running.submit([1] * 40, 5)   # ten pieces
        second.result(20)
        assert first.num_new - before >= 9     # a step after each piece
        assert first.result(20).finish == "length"


def test_a_full_queue_refuses_and_says_when_to_come_again(engine):
    slow_down(engine)
    tickets = [engine.submit([1], 30) for _ in range(4 + 3)]
    with pytest.raises(Busy, match="requests wait already") as refused:
        engine.submit([1], 1)
    assert isinstance(refused.value.retry_seconds, int) and refused.value.retry_seconds >= 1
    assert all(ticket.result(20).finish == "length" for ticket in tickets)
    assert engine.submit([1], 1).result(20).finish == "length"


def test_cancelling_frees_the_place(engine):
    slow_down(engine)
    running = [engine.submit([1], 40) for _ in range(4)]
    waiting = engine.submit([1], 40)
    wait_for(lambda: engine.num_active == 4 and running[0].num_new)
    waiting.cancel()
    assert (waiting.result(1).finish, engine.num_waiting) == ("cancelled", 0)
    running[0].cancel()
    wait_for(lambda: engine.num_active == 3)
    assert running[0].finish == "cancelled" and running[0].num_new < 40
    assert [ticket.result(20).finish for ticket in running[1:]] == ["length"] * 3
    assert engine.num_cancelled == 2


def test_closing_finishes_what_was_accepted():
    running = Engine(decoder(), 2, max_queue=8)
    tickets = [running.submit([1, 2], 20) for _ in range(8)]
    running.drain()
    with pytest.raises(Closed):
        running.submit([1], 1)
    running.close()
    assert [ticket.result(1).finish for ticket in tickets] == ["length"] * 8 and not running.alive


def test_closing_in_a_hurry_cancels():
    running = Engine(decoder(), 2)
    slow_down(running, 0.05)
    tickets = [running.submit([1, 2], 40) for _ in range(4)]
    running.close(timeout=0.1)
    assert {ticket.result(5).finish for ticket in tickets} == {"cancelled"} and not running.alive


def test_a_failure_is_told_to_all_who_wait(caplog):
    running = Engine(decoder(), 2)
    slow_down(running)

    def broken(*_):
        raise RuntimeError("out of luck")

    tickets = [running.submit([1, 2], 40) for _ in range(4)]
    running.slots.step = broken
    assert {ticket.result(5).finish for ticket in tickets} == {"failed"}
    assert not running.alive and "out of luck" in str(running.failure) and "the engine failed" in caplog.text
    with pytest.raises(Closed):
        running.submit([1], 1)


def test_tickets_can_be_read_in_any_thread(engine):
    found = {}

    def reader(number):
        found[number] = list(engine.submit([number + 1], 10, seed=number).tokens(20))

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [len(found[number]) for number in range(4)] == [10] * 4
    slow_down(engine, 0.3)
    with pytest.raises(TimeoutError, match="no token came within 0.05 seconds"):
        list(engine.submit([1], 5).tokens(timeout=0.05))


@pytest.mark.parametrize("arguments, options, message", [
    (([], 5), {}, "a prompt has 1 … 48 tokens, got 0"), (([1] * 49, 5), {}, "got 49"),
    (([1, 61], 5), {}, r"token numbers lie in 0 … 60, got 1 … 61"), (([1], 0), {}, "max_new_tokens"),
    (([1], 5), {"seed": -1}, "seed must be a whole number from 0 up, got -1"), (([1], 5), {"top_p": 2.0}, "top_p")])
def test_requests_out_of_range(engine, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        engine.submit(*arguments, **options)
