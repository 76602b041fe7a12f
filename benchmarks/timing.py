"""Interleaved timing: one process for each case, one run of each in turn, so that a slow minute hits all of them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers import device

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Timing:
    """Seconds of one case over the repeats; ``result`` is what its last run returned, ``absent`` why there is none."""

    name: str
    seconds: list[float]
    result: float | None
    absent: str = ""

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """Least of the seconds."""
        return min(self.seconds)


class Worker:
    """A process that prepares a case and then runs it once each time it is told to."""

    def __init__(self, kind: str, case: str, task: str) -> None:
        self.name = case
        command = [sys.executable, "-m", "benchmarks.worker", kind, case, task]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        self.absent = self._answer().get("absent", "")

    def run(self) -> dict:
        """Let it run once: {"seconds": …, "result": …}."""
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the benchmark {self.name!r} ended with exit code {self.process.wait()}")
        return json.loads(line)


def compare(kind: str, cases: list[str], task: str, *, repeats: int) -> list[Timing]:
    """Time the cases in turn, A B C A B C …, after one run of each that does not count."""
    workers = [Worker(kind, case, task) for case in cases]
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    results: dict[str, float | None] = dict.fromkeys(cases)
    for repeat in range(repeats + 1):
        for worker in workers:
            if not worker.absent:
                answer = worker.run()
                results[worker.name] = answer["result"]
                if repeat:
                    seconds[worker.name].append(answer["seconds"])
    for worker in workers:
        worker.close()
    return [Timing(worker.name, seconds[worker.name], results[worker.name], worker.absent) for worker in workers]


def write(name: str, content: dict) -> Path:
    """Write the measurements with the machine and the date to _build/bench/NAME.json."""
    folder = ROOT / "_build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    stamp = {"machine": asdict(device.machine("cpu")), "date": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    path.write_text(json.dumps(stamp | content, indent=1) + "\n", encoding="utf-8")
    return path


def table(head: list[str], rows: list[list[str]]) -> str:
    """Plain text table: first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, ["-" * width for width in widths], *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
