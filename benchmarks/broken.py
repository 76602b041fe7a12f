"""Fourteen training programs with one real fault each, run beside the mended program, for the debugging chapter."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import faulty
from benchmarks.faulty import Part, Program
from helpers import data, device

TITLE = "training programs with one fault each, beside the mended ones"
POINTS = 24            # measurements along a run, beside the one at the start
SHOWN = 150            # batch losses that are kept
PAIRS: dict[str, tuple[type[Program], type[Program]]] = {}


class Line(Program):
    """A line with noise, simulated: y = 2x + noise of spread 1, from x scaled to spread 1."""

    task = "a line with noise of spread 1 (simulated), network 1-64-64-1, SGD with momentum, rate 0.01, batches of 50"
    lr, num_inputs, classes, epochs = 0.01, 1, 1, 20
    score_name = "share of the variance explained"

    def prepare(self) -> tuple[Part, Part, Part]:
        """Targets [n], outputs [n, 1]."""
        loaded = data.load("line", seed=0, num_examples=1000)
        return tuple(((p.x.reshape(-1, 1) - 5) / 3, p.y.reshape(-1))
                     for p in (loaded.train, loaded.validation, loaded.test))

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean squared error."""
        return (outputs[:, 0] - y).square().mean()

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """One minus the squared error over the variance."""
        return 1 - ((outputs[:, 0] - y).square().mean() / y.var(correction=0)).item()

    def expected_start(self) -> float:
        """Mean square of the targets: the error of the answer 0."""
        return self.train[1].square().mean().item()


class Broadcast(Line):
    """A table of all differences instead of a column."""

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The fault: [n, 1] minus [n] is a table [n, n]."""
        return (outputs - y).square().mean()


class Attend(nn.Module):
    """A pre-norm block with ``ahead`` tokens of the future left visible by its mask."""

    def __init__(self, width: int, heads: int, ahead: int) -> None:
        super().__init__()
        self.heads, self.ahead = heads, ahead
        self.norm, self.mix = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.wide = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(),
                                  nn.Linear(2 * width, width))

    def forward(self, h: Tensor) -> Tensor:
        """h [B, T, width] → the same shape."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in self.mix(self.norm(h)).chunk(3, dim=-1))
        mask = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool).tril(self.ahead)
        h = h + self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
        return h + self.wide(h)


class Reader(nn.Module):
    """Predicts the next character: tokens [B, T] → logits [B, T, 97]."""

    def __init__(self, ahead: int, width: int = 48, context: int = 32) -> None:
        super().__init__()
        self.embedding, self.places = nn.Embedding(97, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Attend(width, 4, ahead) for _ in range(2)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 97))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next character at every place."""
        h = self.embedding(tokens) + self.places.weight[:tokens.shape[1]]
        for block in self.blocks:
            h = block(h)
        return self.head(h)


class Code(Program):
    """A small decoder on real Python code: healthy."""

    task = "next character of real Python code, decoder of 2 blocks of width 48, AdamW, rate 0.003, batches of 32"
    lr, batch, epochs, classes, ahead = 3e-3, 32, 3, 97, 0
    score_name = "share of characters right"

    def prepare(self) -> tuple[Part, Part, Part]:
        """Windows of 32 characters; in service only the last one of a window is asked for."""
        loaded = data.load("python_stdlib", seed=0, context=32, num_train=3200, num_held_out=1000)
        return tuple((p.x, p.y) for p in (loaded.train, loaded.validation, loaded.test))

    def build(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Decoder and AdamW."""
        model = Reader(self.ahead)
        return model, torch.optim.AdamW(model.parameters(), lr=self.lr)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean over all characters, nats."""
        return F.cross_entropy(outputs.flatten(0, -2), y.flatten())

    def measure_served(self) -> float:
        """Share of last characters right: behind them there is no future to look at."""
        with torch.no_grad():
            return self.score(self.model(self.served[0])[:, -1], self.served[1][:, -1])

    def layers(self) -> dict[str, nn.Module]:
        """Embedding, blocks, head."""
        first, second = self.model.blocks
        return {"embedding": self.model.embedding, "block 1": first, "block 2": second, "head": self.model.head}

    def sees_too_much(self) -> bool:
        """Whether another last character changes an earlier output."""
        x = self.validation[0][:8].clone()
        with torch.no_grad():
            before = self.model(x)
            x[:, -1] = (x[:, -1] + 1) % self.classes
            return bool((self.model(x) - before)[:, :-1].abs().max() > 1e-4)


class Peeking(Code):
    """The mask is off by one: each place sees the answer."""

    ahead = 1


PAIRS |= {
    "rate_high": (faulty.RateHigh, Program), "rate_low": (faulty.RateLow, Program),
    "piling": (faulty.Piling, faulty.Plain), "softmax_twice": (faulty.SoftmaxTwice, Program),
    "mismatched": (faulty.Mismatched, Program), "broadcast": (Broadcast, Line),
    "unshuffled": (faulty.Unshuffled, faulty.Sorted), "training_mode": (faulty.TrainingMode, faulty.Dropout),
    "dead": (faulty.Dead, Program), "leak": (faulty.Leak, faulty.NoLeak), "peeking": (Peeking, Code),
    "cut": (faulty.Cut, Program), "old_optimiser": (faulty.OldOptimiser, Program),
    "raw_evaluation": (faulty.RawEvaluation, faulty.Standardised),
}


def run(kind: type[Program], *, size: float = 1.0, seed: int = 0) -> tuple[dict[str, list], dict[str, Any]]:
    """Train one program and return its curves and what the checks of the chapter find in it.

    Arguments:
        kind: the program.
        size: share of the steps to run.
        seed: of weights and order.
    """
    program = kind(seed)
    x, y = program.train
    per_epoch = math.ceil(len(x) / program.batch)
    num_steps = max(2, round(size * program.epochs * per_epoch))
    marks = {round(k * num_steps / POINTS) for k in range(POINTS + 1)}
    held = (x[: len(program.validation[0])], y[: len(program.validation[0])])
    names = list(program.layers())
    curves: dict[str, list] = {key: [] for key in (
        "measured_at", "train_loss", "validation_loss", "train_score", "validation_score",
        *(f"gradient {name}" for name in names), *(f"update {name}" for name in names))}
    batch_losses: list[float] = []
    norms: dict[str, tuple[float | None, float | None]] = dict.fromkeys(names, (None, None))
    with device.seeded(seed):
        order = iter(())
        for step in range(num_steps + 1):
            if step in marks:
                _measure(program, curves, held, step, norms)
            if step == num_steps:
                break
            index = next(order, None)
            if index is None:
                order = iter(program.order(len(x)).split(program.batch))
                index = next(order)
            before = _weights(program) if step + 1 in marks else None
            batch_losses.append(program.update(x[index], y[index]))
            if before:
                norms = _norms(program, before)
        checks = _checks(program, curves)
    checks["one_batch"] = _one_batch(kind, seed, steps=max(2, round(200 * size)))
    every = max(1, num_steps // SHOWN)
    curves["batch_loss"] = [_number(value) for value in batch_losses[::every]]
    curves["batch_loss_at"] = list(range(0, num_steps, every))
    return curves, checks


def measure(*, size: float = 1.0, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Run all pairs and return the payload of a record.

    Arguments:
        size: share of the steps to run, 1 for the record.
        log: takes lines about the progress.
    """
    begun, curves, checks, corpora = time.perf_counter(), {}, {}, []
    torch.set_num_threads(1)
    for kind in dict.fromkeys(kind for pair in PAIRS.values() for kind in pair):
        found, checks[kind.__name__] = run(kind, size=size)
        curves |= {f"{kind.__name__}, {key}": values for key, values in found.items()}
        log(f"{kind.__name__}: {checks[kind.__name__]}")
    results = {"checks": checks, "pairs": {
        name: {"broken": broken.__name__, "mended": mended.__name__, "task": mended.task, "score": mended.score_name}
        for name, (broken, mended) in PAIRS.items()}}
    for name, options in (("digits", {}), ("line", {"num_examples": 1000}),
                          ("python_stdlib", {"context": 32, "num_train": 3200, "num_held_out": 1000})):
        corpora.append(data.load(name, seed=0, **options).sha256())
    configuration = {"title": TITLE, "data": "digits, line, python_stdlib", "data_options": {}, "data_seed": 0,
                     "model": None, "size": size, "corpora": corpora}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": time.perf_counter() - begun, "flops": None, "corpus_sha256": corpora[0],
            "curves": curves, "results": results}


def _number(value: float) -> float | None:
    """Four digits of a finite number; None for what is not finite."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _weights(program: Program) -> dict[str, list[Tensor]]:
    return {name: [p.detach().clone() for p in layer.parameters()] for name, layer in program.layers().items()}


def _norms(program: Program, before: dict[str, list[Tensor]]) -> dict[str, tuple[float | None, float | None]]:
    """For each layer the norm of its gradient, and of its last update divided by that of its weights."""
    found = {}
    for name, layer in program.layers().items():
        slopes = [torch.zeros_like(p) if p.grad is None else p.grad for p in layer.parameters()]
        moves = [p.detach() - old for p, old in zip(layer.parameters(), before[name])]
        weight = _norm(before[name])
        found[name] = (_number(_norm(slopes)), _number(_norm(moves) / weight if weight else math.nan))
    return found


def _norm(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float(t.double().square().sum()) for t in tensors))


def _measure(program: Program, curves: dict[str, list], held: Part, step: int, norms: dict) -> None:
    curves["measured_at"].append(step)
    for part, values in (("train", held), ("validation", program.validation)):
        loss, score = program.measure(values)
        curves[f"{part}_loss"].append(_number(loss))
        curves[f"{part}_score"].append(_number(score))
    for name, (gradient, update) in norms.items():
        curves[f"gradient {name}"].append(gradient)
        curves[f"update {name}"].append(update)


def _checks(program: Program, curves: dict[str, list]) -> dict[str, Any]:
    """What the checks of the chapter find at the start and at the end of a run."""
    parts = {"train": program.train[0], "validation": program.validation[0]}
    again = [program.measure(program.validation)[0] for _ in range(2)]
    program.model.eval()
    with torch.no_grad():
        outputs = program.outputs(program.validation[0]).flatten(0, -2)
    spread = outputs.std(dim=0).mean().item()
    return {
        "start": curves["train_loss"][0], "expected": _number(program.expected_start()),
        "again": _number(abs(again[0] - again[1])), "dead": _dead(program), "spread": _number(spread),
        "sees_too_much": program.sees_too_much(),
        "inputs": {name: [_number(x.mean().item()), _number(x.std().item())] for name, x in parts.items()}
        if program.train[0].is_floating_point() else None,
        "first_labels": program.train[1][program.order(len(program.train[1]))[:12]].tolist()
        if program.classes == 10 else None,
        "neighbours": _neighbours(*program.train) if program.classes == 10 else None,
        "served": _number(program.measure_served()),
        "validation": curves["validation_score"][-1], "stale": _stale(program)}


def _stale(program: Program) -> float | None:
    """By how much the gradients after a step differ from those of its batch alone, over their size."""
    x, y = (part[: program.batch] for part in program.train)
    state = torch.get_rng_state()
    program.model.train()
    parameters = list(program.model.parameters())
    alone = torch.autograd.grad(program.loss(program.outputs(x), y), parameters, allow_unused=True)
    torch.set_rng_state(state)
    program.update(x, y)
    gaps = [p.grad - g for p, g in zip(parameters, alone) if g is not None and p.grad is not None]
    size = _norm([g for g in alone if g is not None])
    return _number(_norm(gaps) / size) if size > 0 else None


def _neighbours(x: Tensor, y: Tensor) -> float:
    """Share of examples whose nearest neighbour has the same label."""
    distances = torch.cdist(x, x)
    distances.fill_diagonal_(math.inf)
    return _number((y[distances.argmin(dim=1)] == y).float().mean().item())


def _dead(program: Program) -> float | None:
    """Share of hidden units that are off for every validation example; None without ReLU."""
    if not any(isinstance(layer, nn.ReLU) for layer in program.model.modules()):
        return None
    on, x = [], program.validation[0]
    with torch.no_grad():
        for layer in program.model:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                on.append(torch.nan_to_num(x).amax(dim=0) > 0)
    return _number(1 - torch.cat(on).float().mean().item())


def _one_batch(kind: type[Program], seed: int, num: int = 16, steps: int = 200) -> float | None:
    """Loss on one batch of ``num`` examples after ``steps`` updates on it alone."""
    program = kind(seed)
    index = program.order(len(program.train[0]))[:num]
    batch = program.train[0][index], program.train[1][index]
    with device.seeded(seed):
        for _ in range(steps):
            program.update(*batch)
        return _number(program.measure(batch)[0])
