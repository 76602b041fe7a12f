"""Measurements for one GPU, one JSON a part: ``python -m benchmarks.gpu PART [--output FILE] [--toy]``.

    tokens      tokens a second and utilisation of models of 15 and 124 million parameters in bfloat16
    characters  a character model of Python code to the loss that the usual loop reaches after 2,000 updates,
                and the recorded language model where its file of tokens lies at --tokens
    sweep       512 networks as one sweep against 32 in turn, scaled; a small step from a CUDA graph

Each part takes less than 8 minutes on an H200. ``--toy`` runs it at a size for a processor, to test the script: its
ratios mean nothing. Results go to _build/bench/gpu-PART.json unless ``--output`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import characters, language, timing
from helpers import data, device, models, training
from helpers.data import Dataset, Split, TensorBatches
from helpers.training.flops import PASSES_PER_STEP, flops_forward

GOALS = {"tokens": 0.40, "characters": 3.0, "sweep": 50.0}    # utilisation at 124 M; times shorter; times faster
SIZES = {
    "15M": ({"vocabulary": 2048, "context": 256, "num_layers": 8, "d_model": 384, "num_heads": 6,
             "feed_forward": "swiglu"}, 128),
    "124M": ({"vocabulary": 50_304, "context": 1024, "num_layers": 12, "d_model": 768, "num_heads": 12,
              "positions": "learned", "norm": "layer"}, 32),
}
TOY = {"toy": ({"vocabulary": 64, "context": 16, "num_layers": 1, "d_model": 32, "num_heads": 2}, 2)}
USUAL_RATES, OUR_RATES = (5e-4, 1e-3, 2e-3), (5e-3, 1e-2, 2e-2)


def seconds_of(work: Callable[[], None], where: torch.device) -> float:
    """Wall-clock seconds of ``work``, the device's queue emptied before and after."""
    wait = torch.cuda.synchronize if where.type == "cuda" else lambda: None
    wait()
    begin = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begin


def tokens_part(where: torch.device, toy: bool, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Training steps on random tokens that lie on the device: tokens a second, FLOP, share of the peak."""
    found = {}
    for name, (shape, batch_size) in (TOY if toy else SIZES).items():
        model = models.Decoder(**shape, seed=0).to(where)
        x = torch.randint(0, shape["vocabulary"], (batch_size, shape["context"]), device=where)
        per_step = PASSES_PER_STEP * flops_forward(model, x)
        if where.type == "cuda":
            model.compile()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

        def train(num: int, model: nn.Module = model, x: torch.Tensor = x, optimiser: Any = optimiser) -> None:
            for _ in range(num):
                optimiser.zero_grad(set_to_none=True)
                with torch.autocast(where.type, dtype=torch.bfloat16):
                    loss = F.cross_entropy(model(x).flatten(0, 1), x.roll(-1, 1).flatten())
                loss.backward()
                optimiser.step()

        train(5)
        num = 2 if toy else 50
        seconds = seconds_of(lambda num=num: train(num), where) / num
        peak = device.peak_flops(device.machine(where).name)
        found[name] = {"parameters": models.count(model), "tokens_per_second": x.numel() / seconds,
                       "seconds_per_step": seconds, "flops_per_step": per_step,
                       "utilisation": per_step / seconds / peak if peak else None}
        log(f"{name}: {found[name]}")
    return found


def characters_part(
    where: torch.device, toy: bool, tokens: Path | None = None, log: Callable[[str], None] = print
) -> dict[str, Any]:
    """Time of the usual loop and of ours to one validation loss, each at the best rate of its own sweep."""
    shape = characters.SMALL | {"num_layers": 1, "d_model": 32} if toy else characters.LARGE
    num_steps, batch_size, stride = (6, 4, 2) if toy else (2000, 64, 50)
    starts = characters.windows(shape["context"], num_steps, batch_size)

    def usual(lr: float) -> tuple[float, float]:
        model = characters.build(shape, characters.USUAL)
        spent = seconds_of(lambda: characters.usual(model, num_steps, lr, starts, "warmup_cosine", device=str(where)),
                           where)
        return characters.loss(model), spent

    def ours(num: int, lr: float) -> tuple[float, float]:
        model = characters.build(shape, characters.OURS).to(where)
        if where.type == "cuda":
            model.compile()
        options = {"optimiser": "muon", "schedule": "warmup_cosine", "batch_size": batch_size, "device": str(where)}
        spent = seconds_of(lambda: characters.ours(model, num, lr, **options), where)
        return characters.loss(model), spent

    theirs = {lr: usual(lr) for lr in USUAL_RATES}
    loss, seconds = min(theirs.values())
    log(f"usual loop: {theirs}")
    tried = {lr: ours(num_steps // 4, lr) for lr in OUR_RATES}
    rate = min(tried, key=lambda lr: tried[lr][0])
    low, high, best = 0, num_steps // stride, (None, None)
    while high - low > 1:
        middle = (low + high) // 2
        reached = ours(middle * stride, rate)
        log(f"ours, {middle * stride} updates at {rate:g}: {reached}")
        low, high, best = (low, middle, reached) if reached[0] <= loss else (middle, high, best)
    found: dict[str, Any] = {"loss": loss, "usual": {str(lr): pair for lr, pair in theirs.items()}, "our_lr": rate,
                             "our_steps": high * stride, "our_loss": best[0], "our_seconds": best[1],
                             "ratio": seconds / best[1] if best[1] else None}
    if tokens is not None:
        data.tokens("python_code", path=tokens)                # a clear sentence if the file is another one's
        shutil.copy(tokens, data.tokens("python_code").path)
        found["language_model"] = language.measure_large(log=log)
    return found


def sweep_part(where: torch.device, toy: bool, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Many small networks at once against a few in turn; and one small step captured in a CUDA graph."""
    num_models, num_timed, num_examples, epochs = (8, 2, 256, 1) if toy else (512, 32, 64 * 64, 4)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num_examples, 64, generator=generator)
    y = (x @ torch.randn(64, 10, generator=generator)).argmax(1)
    dataset = Dataset(Split(x, y), Split(x[:64], y[:64]), Split(x[:64], y[:64]), SimpleNamespace(name="sweep"))
    rates = torch.logspace(-4, -1, num_models).tolist()
    make = lambda: models.MLP(64, [32], 10, seed=0)  # noqa: E731

    def together() -> None:
        training.sweep(make, dataset, lrs=rates, epochs=epochs, batch_size=64, device=str(where))

    def in_turn() -> None:
        batches = TensorBatches(dataset.train.to(where), 64)
        for lr in rates[::num_models // num_timed]:
            model = make().to(where)
            optimiser = torch.optim.AdamW(model.parameters(), lr=lr, fused=True)
            for _ in range(epochs):
                for some_x, some_y in batches:
                    loss = F.cross_entropy(model(some_x), some_y)
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()

    together()
    one, turn = seconds_of(together, where), seconds_of(in_turn, where) * num_models / num_timed
    found = {"num_models": num_models, "seconds": one, "seconds_in_turn": turn, "ratio": turn / one}
    found["graph"] = graphed_step(make().to(where), x[:64].to(where), y[:64].to(where), 5 if toy else 500)
    log(str(found))
    return found


def graphed_step(model: nn.Module, x: torch.Tensor, y: torch.Tensor, num: int) -> dict[str, float | None]:
    """Microseconds of a small training step, launched kernel by kernel and replayed from a CUDA graph."""
    where = x.device
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True, capturable=where.type == "cuda")

    def step() -> None:
        optimiser.zero_grad(set_to_none=False)
        F.cross_entropy(model(x), y).backward()
        optimiser.step()

    for _ in range(5):
        step()
    eager = seconds_of(lambda: [step() for _ in range(num)], where) / num
    if where.type != "cuda":
        return {"eager_microseconds": 1e6 * eager, "graph_microseconds": None, "ratio": None}
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replayed = seconds_of(lambda: [graph.replay() for _ in range(num)], where) / num
    return {"eager_microseconds": 1e6 * eager, "graph_microseconds": 1e6 * replayed, "ratio": eager / replayed}


def main(arguments: list[str] | None = None) -> int:
    """Run one part; the exit status is 0 when it was measured, whether or not its goal is met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=list(GOALS))
    parser.add_argument("--output", type=Path, help="file for the JSON")
    parser.add_argument("--tokens", type=Path, help="file of the corpus's tokens, for the recorded language model")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, to test the script")
    given = parser.parse_args(arguments)
    where = device.pick("cpu" if given.toy else None)
    if where.type != "cuda" and not given.toy:
        print("torch finds no CUDA GPU here: pass --toy to try the script on the processor", file=sys.stderr)
        return 2
    if given.part == "tokens":
        found = tokens_part(where, given.toy)
    elif given.part == "characters":
        found = characters_part(where, given.toy, given.tokens)
    else:
        found = sweep_part(where, given.toy)
    path = timing.write(f"gpu-{given.part}", {
        "part": given.part, "toy": given.toy, "goal": GOALS[given.part], "device": device.machine(where).name,
        "torch": torch.__version__, "python": sys.version.split()[0], "results": found})
    if given.output is not None:
        given.output.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
