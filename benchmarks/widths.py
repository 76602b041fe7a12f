"""A measurement for the chapter on debugging: the best learning rate over the width, under two parametrisations."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from helpers import data, device, models

TITLE = "training loss over width and learning rate, standard and muP-style scaling, Adam"
WIDTHS = (16, 32, 64, 128, 256)
RATES = tuple(2.0**k for k in range(-11, -2))
SEEDS = (0, 1, 2)
BASE, HIDDEN, STEPS, BATCH = 16, 3, 100, 64


def train(width: int, lr: float, scaled: bool, *, seed: int = 0, num_steps: int = STEPS) -> float:
    """Train a network on real digits with Adam; cross-entropy on the training part at the end, nats.

    Arguments:
        width: units in each of the three hidden layers.
        lr: learning rate; with ``scaled`` it is that of a network of width 16.
        scaled: divide the rate of all matrices behind the first by width / 16, and shrink the start of the last one.
        seed: of weights and batches.
        num_steps: steps.

    Source: yang2021. Derived in: book/algorithms/debugging_training.
    """
    train_part = data.load("digits", seed=0).train
    model = models.MLP(64, [width] * HIDDEN, 10, seed=seed)
    first, *rest = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    factor = BASE / width if scaled else 1.0
    with torch.no_grad():
        rest[-1].weight *= factor**0.5
    others = [first.weight, first.bias, *(layer.bias for layer in rest)]
    optimiser = torch.optim.Adam([{"params": others}, {"params": [layer.weight for layer in rest], "lr": lr * factor}],
                                 lr=lr)
    order = torch.Generator().manual_seed(seed)
    for _ in range(num_steps):
        take = torch.randint(len(train_part), (BATCH,), generator=order)
        loss = F.cross_entropy(model(train_part.x[take]), train_part.y[take])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return F.cross_entropy(model(train_part.x), train_part.y).item()


def measure(widths: tuple[int, ...] = WIDTHS, rates: tuple[float, ...] = RATES, seeds: tuple[int, ...] = SEEDS,
            num_steps: int = STEPS) -> dict[str, Any]:
    """Train every width at every rate from every seed under both parametrisations; the payload of a record."""
    begun, curves = time.perf_counter(), {}
    torch.set_num_threads(1)
    for scaled, name in ((False, "standard"), (True, "scaled")):
        for width in widths:
            for seed in seeds:
                key = f"{name} {width}, seed {seed}"
                curves[key] = [train(width, lr, scaled, seed=seed, num_steps=num_steps) for lr in rates]
                print(key, [round(loss, 3) for loss in curves[key]], flush=True)
    configuration = {"title": TITLE, "data": "digits", "data_options": {}, "data_seed": 0, "model": None,
                     "widths": list(widths), "rates": list(rates), "seeds": list(seeds), "base_width": BASE,
                     "num_hidden_layers": HIDDEN, "num_steps": num_steps, "batch_size": BATCH, "optimiser": "adam"}
    results = {name: {str(width): rates[min(range(len(rates)), key=[
        sum(curves[f"{name} {width}, seed {seed}"][k] for seed in seeds) for k in range(len(rates))].__getitem__)]
        for width in widths} for name in ("standard", "scaled")}
    return {"configuration": configuration, "seed": seeds[0], "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": time.perf_counter() - begun, "flops": None,
            "corpus_sha256": data.load("digits", seed=0).sha256(), "curves": curves, "results": results}
