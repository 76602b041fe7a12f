"""Explorers on small made-up data, and one plain page that mounts them as the book does."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from helpers import records
from helpers.economics.scaling import LossLaw
from helpers.explorers import Explorer, LinearDescent, SweepReplay, Threshold, source
from helpers.explorers.abstain import Abstain
from helpers.explorers.attention import AttentionWeights, HeadSwitches
from helpers.explorers.bet import Bet
from helpers.explorers.boundary import Boundary
from helpers.explorers.broken import BrokenRuns
from helpers.explorers.business_plan import BusinessPlan
from helpers.explorers.cashflow import CashFlow
from helpers.explorers.chaos import Chaos
from helpers.explorers.choices import Choices
from helpers.explorers.context import CacheAgainstContext
from helpers.explorers.copies import NearCopies
from helpers.explorers.dilution import Dilution
from helpers.explorers.dispatcher import Dispatcher
from helpers.explorers.graph import Graph
from helpers.explorers.hazards import SevenHazards
from helpers.explorers.law import Law
from helpers.explorers.leak import Leak
from helpers.explorers.logit import LogitLoss
from helpers.explorers.memory import MemoryLength
from helpers.explorers.milestones import Milestones
from helpers.explorers.overfitting import Overfitting
from helpers.explorers.planner import CapitalPlanner
from helpers.explorers.quality import DataQuality
from helpers.explorers.race import Race
from helpers.explorers.rates import RateSchedule
from helpers.explorers.reader import GlyphReader, num_weights
from helpers.explorers.router import Routers
from helpers.explorers.routing import Routing
from helpers.explorers.sampling import Sampling
from helpers.explorers.scale_out import ScaleOut
from helpers.explorers.schedule import ScheduleRisk
from helpers.explorers.search import SearchBudget
from helpers.explorers.size import SizeCounter
from helpers.explorers.slope import Slope
from helpers.explorers.speculation import Speculation
from helpers.explorers.stack import Stack
from helpers.explorers.stages import Stages
from helpers.explorers.tokens import TokenCutter
from helpers.explorers.tuning import Tuning
from helpers.explorers.valley import Valley
from helpers.explorers.valuation import Scorecard
from helpers.explorers.waiting import Waiting

BET_LAW = LossLaw(0.6, 6.0, 40.0, 0.3, 0.3)
HOST = Path(__file__).parents[2] / "tools" / "explorer_host.js"


def line() -> SimpleNamespace:
    """Points around y = 2x."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 60)
    return SimpleNamespace(train=SimpleNamespace(x=x, y=2 * x + rng.normal(0, 1, 60)))


def line_sweep(num_rates: int = 24, epochs: int = 30) -> tuple[SimpleNamespace, float]:
    """Full-batch descent on a line at several rates, some beyond the edge; and the edge 2/curvature."""
    data = line().train
    lrs = np.geomspace(1e-4, 0.1, num_rates)
    curvature = 2 * (data.x**2).mean()
    weight, train, weights = np.full(num_rates, -1.0), [], []
    for _ in range(epochs + 1):
        weights.append(weight.copy())
        loss = ((weight[:, None] * data.x - data.y) ** 2).mean(1)
        train.append(np.where(loss < 1e12, loss, np.inf))
        weight = weight - lrs * (2 * (weight[:, None] * data.x - data.y) * data.x).mean(1)
    loss = np.array(train).T
    parameters = {"weight": np.array(weights).T[:, :, None, None]}
    return SimpleNamespace(
        lrs=lrs, seeds=(0,), train_loss=loss, validation_loss=loss * 1.15, validation_accuracy=None,
        parameters=parameters, seconds=0.4, stacked=True,
    ), 2 / curvature  # fmt: skip


def weights_sweep(num_rates: int = 8, epochs: int = 12, side: int = 28) -> SimpleNamespace:
    """Invented weights of ten classes that sharpen with the epochs; the highest rate has diverged."""
    rng = np.random.default_rng(1)
    grid = np.linspace(-1, 1, side)
    shapes = [np.sin((k + 2) * grid[:, None] + k) * np.cos((k % 4 + 1) * 2 * grid[None, :]) for k in range(10)]
    shapes = np.array(shapes).reshape(10, -1)
    lrs = np.geomspace(1e-3, 10, num_rates)
    progress = 1 - np.exp(-lrs[:, None] * np.arange(epochs + 1) * 2)
    noise = rng.normal(0, 0.4, (10, side * side))
    matrix = progress[..., None, None] * shapes + (1 - progress[..., None, None]) * noise
    loss = 2.3 * (1 - 0.85 * progress)
    matrix[-1, 2:], loss[-1, 2:] = np.nan, np.nan
    accuracy = np.where(np.isfinite(loss), 0.1 + 0.85 * progress, 0.1)
    return SimpleNamespace(
        lrs=lrs, seeds=(0,), train_loss=loss, validation_loss=loss * 1.1, validation_accuracy=accuracy,
        parameters={"weight": matrix}, seconds=3.1, stacked=True,
    )  # fmt: skip


def boundary_sweeps(num_rates: int = 3, epochs: int = 6) -> tuple[dict, SimpleNamespace]:
    """Invented networks with two inputs that grow with the epochs; the last rate of the widest has diverged."""
    rng, sweeps = np.random.default_rng(3), {}
    x = rng.normal(size=(60, 2))
    for width in (1, 2, 4, 8):
        grow = np.linspace(0.2, 2, epochs + 1)[None, :] * np.linspace(0.5, 1, num_rates)[:, None]
        loss = 0.7 / (1 + grow * width)
        if width == 8:
            loss[-1, 3:] = np.inf
        shapes = {"first": (width, 2), "bias": (width,), "last": (1, width), "shift": (1,)}
        parameters = {name: np.multiply.outer(grow, rng.normal(size=shape)) for name, shape in shapes.items()}
        sweeps[width] = SimpleNamespace(
            lrs=[0.1, 1.0, 10.0][:num_rates], seeds=(0,), train_loss=loss, validation_loss=1.1 * loss,
            validation_accuracy=1 - loss.clip(0, 1) / 2, parameters=parameters,
        )  # fmt: skip
    return sweeps, SimpleNamespace(train=SimpleNamespace(x=x, y=(x[:, 0] * x[:, 1] > 0).astype(int)))


def routers() -> dict:
    """Two invented routers at three sizes, in the form of the record ask-python-router."""
    draw = np.random.default_rng(6)
    return {name: {"test_accuracy": [[start, start + 0.02], [start + 0.1, start + 0.11], [start + 0.2, start + 0.21]],
                   "confidences": [{"right": draw.integers(0, 9 + 4 * k, 50).tolist(),
                                    "wrong": draw.integers(0, 9, 50).tolist()} for k in range(3)]}
            for name, start in (("words", 0.5), ("network", 0.4))}


def search_record() -> dict:
    """Invented trainings whose accuracy peaks inside the range, in the form of the record search-table-digits."""
    rng, sizes = np.random.default_rng(4), (9, 5, 3)
    places = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1).reshape(-1, 3)
    quality = np.exp(-((places[:, 0] - 5) ** 2) / 8 - (places[:, 1] - 3) ** 2 / 20)[:, None, None]
    right = (240 * quality * np.array([0.4, 0.6, 0.8, 1]) + rng.integers(0, 8, (135, 3, 4))).astype(int)
    asked = {"lrs": np.geomspace(1e-4, 1, 9).tolist(), "widths": [4, 8, 16, 32, 64], "decays": [0.01, 0.1, 1.0],
             "seeds": [0, 1, 2], "rungs": [1, 3, 9, 27], "num_validation": 250, "num_test": 1000}
    return {"configuration": asked, "results": {
        "validation_right": right.tolist(), "test_right": (4 * right[:, :, 3]).tolist(),
        "epoch_flops": [1e6, 2e6, 4e6, 8e6, 16e6], "optuna_paths": rng.integers(0, 135, (3, 20, 36)).tolist()}}


def bet_runs() -> list[dict]:
    """Losses of a law on four sizes and three amounts of text."""
    return [{"parameters": n, "characters": d, "loss": BET_LAW.loss(n, d)}
            for n in (6e3, 1.4e4, 5e4, 1e5) for d in (2.5e5, 5e5, 2e6)]


def explorers() -> list[Explorer]:
    """One of each kind."""
    sweep, edge = line_sweep()
    data = line()
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 800)
    scores = 1 / (1 + np.exp(-rng.normal(2.2 * labels - 1.1, 1.1)))
    lower = np.tril(rng.uniform(0, 1, (2, 4, 12, 12)))
    mark = {"edge": edge, "edge_label": "2 / curvature"}
    return [
        SweepReplay(sweep, view="line", dataset=data, hint="Raise the learning rate.", id="line", **mark),
        SweepReplay(sweep, view="map", id="map", **mark),
        SweepReplay(weights_sweep(), view="weights", id="weights", epoch=5, lr=0.3),
        LinearDescent(data.train.x, data.train.y, start=-1.0, id="descent-one"),
        LinearDescent(data.train.x - 3, data.train.y, start=(-1.0, 14.0), id="descent-two"),
        Threshold(scores, labels, costs=(1.0, 8.0), classes=("good", "scratched"), id="threshold"),
        Boundary(*boundary_sweeps(), width=4, lr=1.0, epoch=5, id="boundary"),
        Abstain({"invented": (scores, labels)}, id="abstain"),
        AttentionWeights(lower / lower.sum(axis=-1, keepdims=True), list("abcdefghijkl"), token=9, id="attention"),
        HeadSwitches(rng.uniform(0, 1, 256), id="heads"),
        BrokenRuns(records.load("broken-runs"), id="broken"),
        BusinessPlan(id="plan"),
        Valley(id="valley"),
        Graph(id="graph"),
        MemoryLength([5, 15, 40], {"rnn": [[0.2, 1, 1], [0.2, 0.3, 0.9], [0.2, 0.2, 0.3]],
                                   "lstm": [[0.2, 1, 1], [0.2, 0.9, 1], [0.2, 0.5, 1]]}, id="memory"),
        CashFlow(id="cashflow"),
        CacheAgainstContext(id="context"),
        Chaos(id="chaos"),
        Choices(id="choices"),
        NearCopies([4000, 300, 50, 10, 2, 5, 1, 4, 9, 20], id="copies"),
        DataQuality([8192, 32768, 131072], [0, 0.25, 0.5], [[4.5, 4.5, 4.6], [3.1, 3.1, 3.2], [2.6, 2.8, 2.9]],
                    [[0.7, 0.7, 0.8], [1.4, 1.5, 1.5], [2.1, 2.2, 2.5]], 131072, id="quality"),
        Dilution(id="dilution"),
        Law(id="law"),
        Leak(["parses?", "passes?"], [0.0, 0.03, 0.1], [0, 3, 6], rng.uniform(0, 1, (2, 3, 3)),
             rng.uniform(0, 1, (2, 3, 3)), rng.uniform(0, 3, (2, 3, 3)), [[["pass"] * 3] * 3] * 2, id="leak"),
        LogitLoss(id="logit"),
        Milestones(id="milestones"),
        CapitalPlanner("training", id="training"),
        CapitalPlanner("serving", {"cached_share": 0.2}, id="serving"),  # without a share its price would not matter
        CapitalPlanner("runway", id="runway"),
        Routing({"even": rng.normal(size=(24, 8)), "collapsed": rng.normal(size=(24, 8)) + 2 * (np.arange(8) == 3)},
                list("abcdefghijklmnopqrstuvwx"), id="routing"),
        Sampling({"def f(": (rng.normal(0, 2, 80), [f"token {i}" for i in range(80)])}, id="sampling"),
        ScaleOut(id="scale-out"),
        Routers([100, 400, 1600], routers(), id="router"),
        ScheduleRisk(id="schedule"),
        Race(id="race"),
        RateSchedule("wsd", id="rates"),
        Overfitting(["true", "wrong"], [100, 400, 1600], [4, 16, 64], rng.uniform(0, 1, (2, 3, 3, 9)),
                    rng.uniform(0, 1, (2, 3, 3, 9)), id="overfitting"),
        Bet(bet_runs(), {"parameters": 2.2e5, "characters": 2.9e6, "loss": 1.5}, BET_LAW, (1.46, 1.58), id="bet"),
        GlyphReader(np.random.default_rng(5).normal(0, 0.2, num_weights([3, 4, 5])), [3, 4, 5], id="reader"),
        SearchBudget(search_record(), id="search"),
        SizeCounter(id="size"),
        Slope(id="slope"),
        TokenCutter({"code": "x = sum(values)  # naïve 数学\n"}, 2.0, price_label="November", id="tokens"),
        Tuning([32, 128, 512], {"all": [1.5, 1.3, 1.2], "rank 8": [1.4, 1.3, 1.25]},
               {"all": [1.7, 1.8, 1.9], "rank 8": [1.7, 1.7, 1.75]}, (1.9, 1.65), id="tuning"),
        Scorecard({"one": [6, 8, 5], "two": [9, 6, 3]}, ["a", "b", "c"], [0.4, 0.3, 0.3], id="scorecard"),
        Waiting(id="waiting"),
        Dispatcher(fixed_seconds=0.004, slot_seconds=0.0007, read_rate=4000, cache_bytes=8192, hour_price=0.08,
                   source="Invented.", id="dispatcher"),
        SevenHazards(id="hazards"),
        Speculation(id="speculation"),
        Stack(id="stack"),
        stages(),
    ]


def stages() -> Stages:
    """Two invented models at three stages."""
    tokens, bits = [0, 1000, 4000, 16000], [3.7, 2.4, 1.9, 1.6]
    row = [{"tokens": n, "bits_per_byte": b, "accepted": a, "ended": e,
            "samples": [f"def after_{n}():\n    pass", "import os"]}
           for n, b, a, e in zip(tokens, bits, [None, 0, 7, 12], [None, 0, 15, 16])]
    models = {"one": {"stages": row}, "two": {"stages": row}}
    return Stages(models, {"one": (tokens, bits), "two": (tokens, [b + 0.2 for b in bits])}, ["\n\n\ndef", "import os"],
                  20, rivals={"counted": 1.8}, stage=2, id="stages")


def page(shown: list[Explorer], path: Path, theme: str = "light") -> Path:
    """Write a page with the explorers, mounted by the script of the book."""
    modules = json.dumps({one.module: source(one.module) for one in shown}).replace("</", "<\\/")
    divs = "\n".join(f"<h2>{one.id}</h2>\n{one.html()}" for one in shown)
    path.write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Explorers</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:20px auto;padding:0 12px;color:#222;"
        "background:#fff}html[data-theme=dark] body{color:#eee;background:#111}</style></head><body><main>"
        f"<h1>Explorers</h1>{divs}</main><script>globalThis.COURSE_EXPLORERS={modules};</script>"
        f"<script>{HOST.read_text('utf8')}</script></body></html>",
        "utf8",
    )
    return path
