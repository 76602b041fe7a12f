"""The service in a child process, for chapters and tests: a free port, a wait until it is ready, and always an end."""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_TRIES = 3                                      # another process may take the port between the look and the start


class Server:
    """A running service.

    Attributes:
        url: where it answers, such as http://127.0.0.1:41213.
        process: the child.
    """

    def __init__(self, url: str, process: subprocess.Popen, log: Path) -> None:
        self.url, self.process, self._log = url, process, log

    def log(self) -> str:
        """What the service has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ready(self, timeout: float = 2.0) -> bool:
        """Whether /readyz answers with 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=timeout) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def stop(self, seconds: float = 20.0) -> int:
        """Ask the service to end (SIGTERM: what runs finishes); after ``seconds`` end it. Returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def start(
    folder: str | Path, *, slots: int = 16, queue: int = 64, options: tuple[str, ...] = (), seconds: float = 90.0
) -> Server:
    """Start ``python -m helpers.deployment.service`` and wait until it is ready; it ends with this process at latest.

    Arguments:
        folder: with model.safetensors and tokeniser.json.
        slots, queue: requests that are answered at once, and that may wait.
        options: further arguments of the command.
        seconds: longest wait.

    Raises:
        RuntimeError: the service ended by itself or was not ready in time; its last words are in the message.
    """
    words = ""
    for _ in range(_TRIES):
        server = _started(Path(folder), slots, queue, options)
        end = time.monotonic() + seconds
        while time.monotonic() < end and server.process.poll() is None:
            if server.ready():
                return server
            time.sleep(0.1)
        code, words = server.process.poll(), server.log().strip()
        server.stop(2)
        if code is None or "address already in use" not in words.lower():
            what = f"was not ready after {seconds:g} s" if code is None else f"ended by itself with code {code}"
            raise RuntimeError(f"the service {what}: {words[-500:] or 'it printed nothing'}")
    raise RuntimeError(f"the service found no free port in {_TRIES} tries: {words[-500:]}")


@contextlib.contextmanager
def service(folder: str | Path, **options: object) -> Iterator[Server]:
    """``start``, and ``stop`` at the end of the block, whatever happens in it."""
    server = start(folder, **options)
    try:
        yield server
    finally:
        server.stop()


def _started(folder: Path, slots: int, queue: int, options: tuple[str, ...]) -> Server:
    port = free_port()
    handle, name = tempfile.mkstemp(prefix="service-", suffix=".log")
    command = [sys.executable, "-m", "helpers.deployment.child", "--model", str(folder), "--port", str(port),
               "--slots", str(slots), "--queue", str(queue), *options]
    with os.fdopen(handle, "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.PIPE)
    server = Server(f"http://127.0.0.1:{port}", process, Path(name))
    atexit.register(_end, server)
    return server


def _end(server: Server) -> None:
    server.stop(2)
    server._log.unlink(missing_ok=True)


def _follow_parent() -> None:
    """End this process when the one that started it is gone, however it went: its end of the pipe closes."""
    while os.read(0, 1024):     # not sys.stdin: its lock would be held at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_follow_parent, daemon=True).start()
    runpy.run_module("helpers.deployment.service", run_name="__main__", alter_sys=True)
