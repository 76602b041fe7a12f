"""The service as a process: signals, a thousand connections; its folder, its packages, the load generator."""

import csv
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asynchronous
import pytest

from benchmarks import service as bench
from helpers import data, economics
from helpers.deployment import child, load, service
from helpers.models import Decoder, house

LEDGER = Path(economics.__file__).parent / "ledger.csv"
PROMPT = "def add(a, b):\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return service.export_house(tmp_path_factory.mktemp("model"), "small")


@pytest.fixture(scope="module")
def quick(folder):
    with child.service(folder, slots=4, queue=8) as running:
        yield running


def generate(server, **order):
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)) as connection:
        connection.request("POST", "/v1/generate", json.dumps({"prompt": PROMPT, **order}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def memory(server):
    """Resident bytes of the service."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=20) as page:
        lines = page.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes "))


# -- a thousand connections, signals ---------------------------------------------------------------------------------


def test_a_thousand_connections(quick):
    """Held open without a word, then asking all at once: it answers, and memory stays where it was."""
    assert generate(quick, max_new_tokens=2)[0] == 200
    before = memory(quick)
    where = (urlsplit(quick.url).hostname, urlsplit(quick.url).port)
    idle = [socket.create_connection(where, timeout=10) for _ in range(1000)]
    try:
        assert generate(quick, max_new_tokens=2)[0] == 200
    finally:
        [one.close() for one in idle]
    report = load.run(quick.url, [{"prompt": PROMPT, "max_new_tokens": 8}] * 1000, clients=1000, timeout=60)
    assert report.count(200) + report.count(429) == 1000 and report.count(429) > 0
    assert len(report.answered) == report.count(200) >= 12          # four slots and a queue of eight
    assert generate(quick, max_new_tokens=2)[0] == 200
    assert memory(quick) - before < 100e6


def test_prompts_stay_out_of_the_log(quick):
    generate(quick, prompt="a secret of the client", max_new_tokens=2)
    generate(quick, prompt="a secret of the client", colour="blue")
    assert "Uvicorn running" in quick.log() and "secret" not in quick.log() and "blue" not in quick.log()


def test_killed_started_again_and_ended_under_load(folder, quick):
    before = generate(quick, max_new_tokens=20, seed=5)
    orders = [{"prompt": PROMPT, "max_new_tokens": 200, "seed": seed} for seed in range(80)]
    reports = []
    asking = lambda url: threading.Thread(  # noqa: E731
        target=lambda: reports.append(load.run(url, orders, clients=20)))
    with child.service(folder, slots=4, queue=40) as running:
        crowd = asking(running.url)
        crowd.start()
        time.sleep(0.2)
        running.process.kill()
        crowd.join(60)
        assert running.process.wait(10) == -signal.SIGKILL and reports[0].count(0) > 0
    with child.service(folder, slots=4, queue=40) as again:
        assert generate(again, max_new_tokens=20, seed=5) == before
        crowd = asking(again.url)
        crowd.start()
        time.sleep(0.3)
        again.process.send_signal(signal.SIGTERM)
        crowd.join(60)
        assert again.process.wait(20) == 0
    report = reports[1]
    assert {row.status for row in report.rows} <= {200, 503, 0}     # 0: nobody listened any more
    assert 4 <= len(report.answered) == report.count(200) < 80      # who was accepted has a whole answer


# -- folder, packages ------------------------------------------------------------------------------------------------


def test_folders_that_cannot_be_served(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no model.safetensors: export_house"):
        service.load(tmp_path)
    service.export_house(tmp_path / "m", "small")
    assert service.load(tmp_path / "m")[0].num_parameters == house.house("small").num_parameters
    weights, words = tmp_path / "m" / "model.safetensors", tmp_path / "m" / "tokeniser.json"
    good = weights.read_bytes()
    weights.write_bytes(good[:1000])
    with pytest.raises(ValueError, match="is no readable language model"):
        service.load(tmp_path / "m")
    house.save(weights, Decoder(300, 16, num_layers=1, d_model=8, num_heads=1),
               {"model_options": {"vocabulary": 300, "context": 16, "num_layers": 1, "d_model": 8, "num_heads": 1}})
    with pytest.raises(ValueError, match="the tokeniser has 2,048 tokens, the model 300"):
        service.load(tmp_path / "m")
    words.write_text("{}")
    with pytest.raises(ValueError, match="is no tokeniser"):
        service.load(tmp_path / "m")
    assert service.main(["--model", str(tmp_path)]) == 2
    with pytest.raises(ValueError, match="max_prompt_tokens must lie in 1 … 256.*got 300"):
        service.create_app(house.house("small"), data.tokeniser(), max_prompt_tokens=300)


def test_a_missing_package_names_the_extra():
    code = """import sys
from helpers.deployment import service
for name in ("fastapi", "uvicorn", "prometheus_client"):
    sys.modules[name] = None
    try:
        service.create_app(None, None)
    except ImportError as error:
        print(error)
    del sys.modules[name]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    wanted = [f"the service needs {name}: pip install 'chaos-to-prosperity[serving]'"
              for name in ("fastapi", "uvicorn", "prometheus_client")]
    assert done.stdout.splitlines() == wanted, done.stderr


# -- the load generator and the measurement that is recorded --------------------------------------------------------


def test_the_load_generator_measures(quick):
    orders = [{"prompt": PROMPT, "max_new_tokens": 10, "seed": i, "top_k": 3} for i in range(6)]
    for way in ({"clients": 2}, {"requests_per_second": 50.0}, {"arrivals": [0.0, 0.0, 0.1, 0.1, 0.2, 0.2]}):
        report = load.run(quick.url, orders, **way)
        assert len(report.answered) == 6 and report.tokens_per_second > 0
        first, total = report.percentiles("first_token"), report.percentiles("total")
        assert 0 < first["p50"] <= first["p99"] and first["p50"] <= total["p50"]
        assert all(row.num_new_tokens <= 10 and row.total >= row.first_token for row in report.rows)
    refused = load.run(quick.url, [{"prompt": ""}], clients=1)
    assert refused.count(422) == 1 and refused.percentiles("total") == {"p50": None, "p95": None, "p99": None}
    assert load.run("http://127.0.0.1:1", orders[:1], clients=1).count(0) == 1
    assert asynchronous.run(load.run_async(quick.url, orders[:1], clients=1)).count(200) == 1


def test_the_recorded_measurement_at_toy_size():
    payload = bench.measure(bench.TOY, log=lambda line: None)
    found, one = payload["results"], payload["results"]["load"][0]
    fields = {row["field"].removeprefix("results.") for row in csv.DictReader(LEDGER.open())
              if row["record"] == "ask-python-service"}
    assert len(fields) == 4 and all(found[field] > 0 for field in fields)
    assert one["num_requests"] == 12 and one["num_refused"] == 0 and one["first_token_seconds"]["p50"] > 0
    assert found["steps"]["batch"] == found["throughput"]["clients"] == [1, 4] and 0 < found["new_tokens"] <= 8
    rent = found["num_cores"] * economics.price("cpu_core_hour").value / 3600      # the bill adds up to the rent
    spent = (found["usd_per_million_input"] * found["prompt_tokens"]
             + found["usd_per_million_output"] * found["new_tokens"]) / 1e6
    assert spent * found["tokens_per_second"] / found["new_tokens"] == pytest.approx(rent, rel=0.01)
    assert all(isinstance(value, (int, float)) for values in payload["curves"].values() for value in values)


def test_the_load_generator_refuses(quick):
    for options in ({}, {"clients": 1, "arrivals": [0.0]}):
        with pytest.raises(ValueError, match="exactly one of clients, requests_per_second and arrivals"):
            load.run(quick.url, [{"prompt": "a"}], **options)
    with pytest.raises(ValueError, match="each request needs an arrival, got 1 and 2"):
        load.run(quick.url, [{"prompt": "a"}], arrivals=[0.0, 1.0])
    with pytest.raises(ValueError, match="clients must be at least 1, got 0"):
        load.run(quick.url, [{"prompt": "a"}], clients=0)
    with pytest.raises(ValueError, match="a rate above 0"):
        load.poisson(3, 0.0)
    with pytest.raises(ValueError, match="'gaps' or 'total', got 'end'"):
        load.Report([], 1.0).percentiles("end")
    gaps = load.poisson(4000, 20.0, seed=1)
    assert gaps == load.poisson(4000, 20.0, seed=1) and 190 < gaps[-1] < 210
