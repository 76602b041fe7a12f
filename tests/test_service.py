"""The HTTP service with a real uvicorn: answers, each bad input, clients that are slow or go away, limits."""

import http.client
import json
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest

from helpers import data
from helpers.deployment import limits, load, service
from helpers.deployment.pieces import Pieces
from helpers.models import house

PROMPT = "def add(a, b):\n"


@pytest.fixture(scope="module")
def small():
    return house.house("small"), data.tokeniser()


@contextmanager
def serving(small, *, step_seconds=0.0, **options):
    """A service in a thread of this process; slowed down it never stops by itself, so that it is caught at work."""
    app = service.create_app(*small, **{"num_slots": 4, "max_queue": 4, **options})
    engine = app.state.engine
    step, submit = engine.slots.step, engine.submit
    if step_seconds:
        engine.submit = lambda *arguments, **order: submit(*arguments, **(order | {"stop": None}))

    def slow(*arguments):
        time.sleep(step_seconds)
        return step(*arguments)

    engine.slots.step = slow
    server = service.server(app, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    server.engine, server.thread = engine, thread
    server.address = server.servers[0].sockets[0].getsockname()
    server.url = f"http://127.0.0.1:{server.address[1]}"
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def quick(small):
    with serving(small) as running:
        yield running


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def call(server, method="GET", path="/readyz", body=None, headers=()):
    """Status, headers, content."""
    with closing(http.client.HTTPConnection(*server.address, timeout=20)) as connection:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def generate(server, **order):
    status, headers, content = call(server, "POST", "/v1/generate", json.dumps({"prompt": PROMPT, **order}))
    return status, headers, json.loads(content)


def raw(server, *parts, pause=0.0):
    """Send bytes as they are, return all that comes back."""
    with socket.create_connection(server.address, timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


def head(length, **headers):
    lines = ["POST /v1/generate HTTP/1.1", "Host: x", f"Content-Length: {length}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def metric(server, name):
    page = call(server, path="/metrics")[2].decode()
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{name} "))


# -- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_whole_and_streamed(quick):
    order = {"max_new_tokens": 40, "seed": 3, "temperature": 0.8, "top_p": 0.95, "top_k": 100}
    status, _, whole = generate(quick, **order)
    assert (status, whole["num_new_tokens"], whole["finish"]) == (200, 40, "length")
    streamed = json.dumps({"prompt": PROMPT, "stream": True} | order)
    status, headers, content = call(quick, "POST", "/v1/generate", streamed)
    events = [json.loads(line.removeprefix("data: ")) for line in content.decode().split("\n\n") if line]
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream") and len(events) > 2
    assert "".join(event.get("text", "") for event in events) == whole["text"]
    assert events[-1] == {key: value for key, value in whole.items() if key != "text"}
    assert generate(quick, **order)[2] == whole and generate(quick, **(order | {"seed": 4}))[2] != whole


def test_answers_are_those_of_the_model(quick, small):
    import torch

    from helpers.models import generate as writing

    model, tokeniser = small
    ids = tokeniser.encode(PROMPT, add_special_tokens=False).ids
    new = writing.generate(model, torch.tensor([ids]), 30, top_k=1, stop=0)[0, len(ids):].tolist()
    new = new[:new.index(0)] if 0 in new else new
    found = generate(quick, max_new_tokens=30, temperature=0)[2]
    assert found["text"] == tokeniser.decode(new) and found["num_prompt_tokens"] == len(ids)


def test_requests_at_once_get_what_they_would_get_alone(quick):
    if not quick.engine.slots.exact:
        pytest.skip("the matrix product of this machine treats rows differently by their place")
    orders = [{"prompt": f"def f{i}(x):\n" * (i % 3 + 1), "seed": i, "max_new_tokens": 30} for i in range(8)]
    together = load.run(quick.url, orders, clients=8)
    alone = load.run(quick.url, orders, clients=1)
    by_seed = lambda report: sorted((row.text, row.finish) for row in report.rows)  # noqa: E731
    assert len(alone.answered) == 8 and by_seed(together) == by_seed(alone)


def test_what_it_tells_about_itself(quick):
    assert [call(quick, path=path)[0] for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    before = metric(quick, 'service_tokens_total{kind="written"}')
    generate(quick, max_new_tokens=7, top_k=1)
    assert metric(quick, 'service_tokens_total{kind="written"}') == before + 7
    assert metric(quick, "service_first_token_seconds_count") >= 1
    assert metric(quick, 'service_requests_total{path="/v1/generate",status="200"}') >= 1
    assert metric(quick, "process_resident_memory_bytes") > 1e7
    schema = json.loads(call(quick, path="/openapi.json")[2])
    body = schema["paths"]["/v1/generate"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sorted(body["properties"]) == ["max_new_tokens", "prompt", "seed", "stream", "temperature", "top_k", "top_p"]


# -- text at the borders of tokens -----------------------------------------------------------------------------------


def test_characters_that_span_tokens_come_whole(small):
    pieces = Pieces(small[1])
    text = "naïve 世界 🙂 e\u0301 x = 'Ω'"
    tokens = small[1].encode(text, add_special_tokens=False).ids
    stream = pieces.stream()
    parts = [stream.text([token]) for token in tokens] + [stream.text([], last=True)]
    assert "".join(parts) == text and len(tokens) > len(text) and "" in parts


def test_bytes_that_are_no_text_stream_as_they_decode(small):
    import numpy as np

    pieces, rng = Pieces(small[1]), np.random.default_rng(0)
    for _ in range(200):
        tokens = rng.integers(1, 257, 12).tolist()   # single bytes
        stream = pieces.stream()
        parts = [stream.text([token]) for token in tokens] + [stream.text([], last=True)]
        assert "".join(parts) == pieces.text(tokens) == small[1].decode(tokens)
    assert pieces.text([0]) == ""


def test_other_tokenisers_are_refused():
    from tokenizers import Tokenizer, models

    with pytest.raises(ValueError, match="token 0 is called '世'"):
        Pieces(Tokenizer(models.WordLevel({"世": 0}, unk_token="世")))


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body, status, words", [
    (b'{"prompt":', 400, "no valid JSON"), (b"", 400, "no valid JSON"), (b"[" * 5000, 400, "no valid JSON"),
    (b'{"prompt": "\xff\xfe"}', 400, "no valid JSON"), (b'{"prompt": "\\ud800"}', 400, "no valid JSON"),
    (b'{"prompt": "a", "colour": 1}', 422, "unknown field 'colour'"), (b"[1]", 422, "body"), (b"{}", 422, "prompt"),
    (b'{"prompt": ""}', 422, "prompt"), (b'{"prompt": 5}', 422, "prompt"), (b'{"prompt": null}', 422, "prompt"),
    (b'{"prompt": "' + b"a b " * 400 + b'"}', 422, "1 to 255 tokens are read, got"),
    (b'{"prompt": "' + b"a" * 60_000 + b'"}', 422, "got 60,000 bytes"),
    (b'{"prompt": "a", "max_new_tokens": 0}', 422, "max_new_tokens"),
    (b'{"prompt": "a", "max_new_tokens": 257}', 422, "256"),
    (b'{"prompt": "a", "max_new_tokens": "5"}', 422, "integer"),
    (b'{"prompt": "a", "max_new_tokens": true}', 422, "integer"),
    (b'{"prompt": "a", "temperature": NaN}', 422, "finite"),
    (b'{"prompt": "a", "temperature": -1}', 422, "temperature"), (b'{"prompt": "a", "top_p": 0}', 422, "top_p"),
    (b'{"prompt": "a", "top_k": 0}', 422, "top_k"), (b'{"prompt": "a", "seed": -1}', 422, "seed"),
    (b'{"prompt": "a", "stream": 1}', 422, "stream"), (b'{"prompt": "' + b"a" * 70_000 + b'"}', 413, "65,536 bytes"),
    (b" " * 500_000, 413, "65,536 bytes")])
def test_bad_bodies(quick, body, status, words):
    found, headers, content = call(quick, "POST", "/v1/generate", body)
    reason = json.loads(content)["error"]
    assert found == status and words in reason and len(reason) < 200
    assert generate(quick, max_new_tokens=1)[0] == 200


def test_what_is_no_request(quick):
    assert call(quick, path="/v1/generate")[0] == 405 and call(quick, path="/admin")[0] == 404
    assert json.loads(call(quick, path="/admin")[2]) == {"error": "Not Found"}
    assert raw(quick, b"\x16\x03\x01 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(quick, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert generate(quick, max_new_tokens=1)[0] == 200


def test_bodies_without_end(quick):
    """A promise of ten gigabytes is refused at once; a body in chunks when it is above the limit."""
    assert b" 413 " in raw(quick, head(10**10))
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with socket.create_connection(quick.address, timeout=10) as connection:
        connection.sendall(b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):   # noqa: PT011 (reset or broken pipe: the service has hung up)
            for _ in range(2000):      # 130 MB
                connection.sendall(chunk)
    assert generate(quick, max_new_tokens=1)[0] == 200


def test_slow_clients_are_told_so(small, monkeypatch):
    monkeypatch.setattr(limits.TimedProtocol, "head_seconds", 0.3)
    with serving(small, body_seconds=0.3) as running:
        assert b" 408 " in raw(running, b"POST /v1/gen")                      # the head never ends
        assert b" 408 " in raw(running, b"")                                  # nothing comes
        slow = raw(running, head(100), b'{"prompt":')                         # the body never ends
        assert b" 408 " in slow and b"after 0.3 seconds" in slow
        two = raw(running, head(2) + b"{}", b"POST", pause=0.1)               # the second head never ends
        assert b" 422 " in two and b" 408 " in two
        assert generate(running, max_new_tokens=1)[0] == 200


def test_too_many_connections_are_turned_away(small, monkeypatch):
    monkeypatch.setattr(limits.TimedProtocol, "max_connections", 3)
    with serving(small) as running:
        held = [socket.create_connection(running.address) for _ in range(3)]
        wait_for(lambda: len(running.server_state.connections) == 3)
        found = raw(running)
        assert found.startswith(b"HTTP/1.1 503") and b"Retry-After: 5" in found
        [one.close() for one in held]
        wait_for(lambda: not running.server_state.connections)
        assert generate(running, max_new_tokens=1)[0] == 200


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_full_queue_says_429_and_when_to_come_again(small):
    with serving(small, step_seconds=0.02) as running:
        report = load.run(running.url, [{"prompt": PROMPT, "max_new_tokens": 30}] * 20, clients=20)
        assert 8 <= len(report.answered) <= 12                       # four slots, four in the queue; some come late
        assert report.count(200) == len(report.answered) and report.count(200) + report.count(429) == 20
        threading.Thread(target=load.run, args=(running.url, [{"prompt": "a", "max_new_tokens": 60}] * 8),
                         kwargs={"clients": 8}).start()
        wait_for(lambda: running.engine.num_waiting == 4)
        status, headers, answer = generate(running)
        assert status == 429 and int(headers["Retry-After"]) >= 1 and "try again in" in answer["error"]
        assert call(running, path="/healthz")[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_its_place(small, stream):
    body = json.dumps({"prompt": PROMPT, "max_new_tokens": 240, "stream": stream}).encode()
    with serving(small, step_seconds=0.02, num_slots=1) as running:
        engine = running.engine
        first = socket.create_connection(running.address)
        first.sendall(head(len(body)) + body)
        wait_for(lambda: engine.num_written > 2)
        if stream:
            assert b"data: " in first.recv(4096)
        second = socket.create_connection(running.address)            # waits for the only slot
        second.sendall(head(len(body)) + body)
        wait_for(lambda: engine.num_waiting == 1)
        second.close()
        wait_for(lambda: engine.num_waiting == 0)
        first.close()
        wait_for(lambda: engine.num_active == 0)
        assert engine.num_cancelled == 2 and engine.num_written < 240
        assert generate(running, max_new_tokens=2)[0] == 200


def test_a_request_that_takes_too_long_is_answered(small):
    with serving(small, step_seconds=0.05, request_seconds=0.4) as running:
        status, headers, answer = generate(running, max_new_tokens=200)
        assert status == 503 and int(headers["Retry-After"]) >= 1 and "not done within 0.4 s" in answer["error"]
        wait_for(lambda: running.engine.num_active == 0)
        content = call(running, "POST", "/v1/generate", json.dumps({"prompt": PROMPT, "stream": True,
                                                                    "max_new_tokens": 200}))[2]
        assert b'"error": "not done within 0.4 s' in content       # it had begun: the reason is the last event


def test_shutting_down_finishes_what_runs_and_refuses_the_rest(small):
    with serving(small, step_seconds=0.02) as running:
        found = []
        asking = threading.Thread(target=lambda: found.append(
            load.run(running.url, [{"prompt": PROMPT, "max_new_tokens": 60, "top_k": 5}] * 6, clients=6)))
        asking.start()
        wait_for(lambda: running.engine.num_active == 4)
        running.draining = True                                     # what SIGTERM sets
        wait_for(lambda: not running.engine.ready)
        status, headers, _ = generate(running)
        assert status == 503 and headers["Retry-After"] == "5"
        assert call(running)[0] == 503 and call(running, path="/healthz")[0] == 200
        asking.join(20)
        assert len(found[0].answered) == 6
        running.thread.join(10)
        assert not running.thread.is_alive()


def test_a_failed_engine_is_reported(small):
    with serving(small) as running:
        def broken(*_):
            raise RuntimeError("out of luck")

        running.engine.slots.step = broken
        status, _, answer = generate(running)
        assert status == 500 and "engine failed" in answer["error"]
        assert [call(running, path=path)[0] for path in ("/healthz", "/readyz")] == [503, 503]
        assert generate(running)[0] == 503
