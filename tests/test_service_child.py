"""The service in a child process: it answers, ends in order, ends with its parent, and says why it did not start."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from helpers.deployment import child, service

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return service.export_house(tmp_path_factory.mktemp("model"), "small")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_answers_and_ends_in_order_whatever_happens_in_the_block(folder):
    with pytest.raises(KeyError), child.service(folder, slots=2, queue=2) as server:
        body = json.dumps({"prompt": "import", "max_new_tokens": 3}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/generate", body), timeout=60) as answer:
            assert json.load(answer)["num_new_tokens"] == 3
        raise KeyError("a cell failed")
    assert server.process.returncode == 0 and "Shutting down" in server.log() and not server.ready()
    assert server.stop() == 0                                            # a second stop changes nothing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_it_ends_when_its_parent_is_killed(folder):
    code = ("import sys, time\nfrom helpers.deployment import child\n"
            "print(child.start(sys.argv[1]).process.pid, flush=True)\ntime.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(pid)


def test_a_service_that_cannot_start_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="ended by itself with code 2: a model folder holds model.safetensors"):
        child.start(tmp_path)
