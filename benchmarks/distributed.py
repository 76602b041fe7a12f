"""Training spread over processes: what accelerate adds to a step on one, and how two processes scale on one machine.

The cases are for ``python -m benchmarks distributed``. ``measure`` makes the record ``scaling-out``; it starts this
file under torchrun, where ``worker`` times the steps of a decoder, one thread a process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from helpers import data, device, models
from helpers.training.distributed import SharedLoop
from helpers.training.loop import Loop, Options, Step

LIMIT = 1.05  # times the seconds of a step without accelerate
SAME = 0.01  # loss parity
TASKS = {"decoder of 10 million": {"num_layers": 6, "d_model": 384, "num_heads": 6}}
CONTEXT, BATCH, NUM_STEPS = 64, 8, 5

TITLE = "one process and two on the same machine: strong and weak scaling of a decoder"
SHAPES = {"0.1 million": {"num_layers": 2, "d_model": 64, "num_heads": 2},
          "0.4 million": {"num_layers": 2, "d_model": 128, "num_heads": 4},
          "1.6 million": {"num_layers": 2, "d_model": 256, "num_heads": 8}}
BATCHES, ROUNDS, COUNTED = (8, 64), 3, 6


def _decoder(shape: dict[str, int]) -> models.Decoder:
    return models.Decoder(97, CONTEXT, tied=False, **shape)


def _case(task: str, make: Callable[..., Loop]) -> Callable[[], float]:
    """Some steps of the same model on the same batches; returns the last loss."""
    split = data.load("python_stdlib", context=CONTEXT, num_train=BATCH * NUM_STEPS, num_held_out=50).train

    def train() -> float:
        loop = make(_decoder(TASKS[task]), split, Options(lr=1e-3, epochs=1, batch_size=BATCH))
        return float([step.loss for step in loop.epoch(1)][-1])

    return train


def alone(task: str) -> Callable[[], float]:
    """``training.steps``."""
    return _case(task, Loop)


def accelerated(task: str) -> Callable[[], float]:
    """``training.distributed`` with one process."""
    return _case(task, SharedLoop)


CASES = {"training": alone, "training.distributed": accelerated}


def worker(sizes: dict[str, dict[str, int]], output: str) -> None:
    """Time a step of each size and batch in all processes that torchrun started; the first one writes JSON."""
    torch.set_num_threads(1)
    rows = _rows(sizes)  # its models are gone on return: one that outlives its process group can wait for ever
    if int(os.environ["RANK"]) == 0:
        Path(output).write_text(json.dumps(rows), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _rows(sizes: dict[str, dict[str, int]]) -> dict[str, float]:
    """Median seconds of a step by size and batch, and of an exchange by size."""
    rows, world = {}, int(os.environ["WORLD_SIZE"])
    for name, shape in sizes.items():
        for batch in sorted({n for some in BATCHES for n in (some, some * world)}):
            num = batch * (COUNTED + 1)
            split = data.load("python_stdlib", context=CONTEXT, num_train=num, num_held_out=50).train
            loop = SharedLoop(_decoder(shape), split, Options(lr=1e-3, batch_size=batch, device="cpu"))
            rows[f"{name}, batch {batch}"] = statistics.median(_seconds(loop.epoch(1)))
        if world > 1:
            num_numbers = sum(parameter.numel() for parameter in loop.parameters)
            rows[f"{name}, exchange"] = statistics.median(_exchange(num_numbers))
    return rows


def _seconds(steps: Iterator[Step]) -> list[float]:
    """Seconds of each step but the first."""
    found, before = [], None
    for _ in steps:
        now = time.perf_counter()
        found += [] if before is None else [now - before]
        before = now
    return found


def _exchange(num_numbers: int) -> list[float]:
    """Seconds of an all-reduce of so many float32 numbers, after one that does not count."""
    numbers, found = torch.zeros(num_numbers), []
    for _ in range(COUNTED + 1):
        torch.distributed.barrier()
        begin = time.perf_counter()
        torch.distributed.all_reduce(numbers)
        found.append(time.perf_counter() - begin)
    return found[1:]


def launch(num_processes: int, sizes: dict[str, dict[str, int]]) -> dict[str, float]:
    """Run ``worker`` in so many processes and return its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
                   str(num_processes), "-m", "benchmarks.distributed", json.dumps(sizes), str(output)]
        root = Path(__file__).resolve().parents[1]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HELPERS_DEVICE": "cpu"}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"the processes ended with {done.returncode}: {done.stderr[-2000:]}")
        return json.loads(output.read_text(encoding="utf-8"))


def measure(sizes: dict[str, dict[str, int]] | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Time one process and two in turn, several rounds, and return the payload of a record: ratios of best times."""
    sizes = SHAPES if sizes is None else sizes
    begun, found = time.perf_counter(), {1: [], 2: []}
    for _ in range(rounds):
        for num in found:
            found[num].append(launch(num, sizes))
            print(num, {name: round(seconds, 4) for name, seconds in found[num][-1].items()}, flush=True)
    best = {num: {name: min(row[name] for row in rows) for name in rows[0]} for num, rows in found.items()}
    results, curves, flops = {}, {}, 0.0
    for name, shape in sizes.items():
        num_parameters = models.count(_decoder(shape))
        for batch in BATCHES:
            key = f"{name}, batch {batch}"
            one, two, double = best[1][key], best[2][key], best[2][f"{name}, batch {2 * batch}"]
            results[key] = {"num_parameters": num_parameters, "batch": batch, "strong_efficiency": one / two / 2,
                            "weak_efficiency": one / double,
                            "exchange_over_step": best[2][f"{name}, exchange"] / one}
            curves[f"{key}, one process"] = [row[key] for row in found[1]]
            curves[f"{key}, two processes"] = [row[key] for row in found[2]]
            flops += 6 * num_parameters * batch * CONTEXT * (COUNTED + 1) * rounds * 4
    configuration = {"title": TITLE, "data": "python_stdlib", "data_seed": 0, "model": None, "shapes": sizes,
                     "batches": list(BATCHES), "context": CONTEXT, "rounds": rounds, "steps": COUNTED,
                     "backend": "gloo", "threads_a_process": 1}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": time.perf_counter() - begun, "flops": flops, "curves": curves,
            "results": results,
            "notes": "Efficiencies are ratios of the best of the rounds, taken in turn; FLOP counted as 6 per "
                     "parameter and token. The machine has two cores and other programs ran beside."}


if __name__ == "__main__":
    worker(json.loads(sys.argv[1]), sys.argv[2])
