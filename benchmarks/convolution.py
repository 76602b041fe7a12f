"""A measurement for the chapter on convolution: a contest of networks of several sizes on glyphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from helpers import data, device, models, training

TITLE = "convolutional and dense networks of several sizes on rendered digits"
SEEDS = (0, 1, 2)
CNNS = {"cnn, tiny": [2, 4, 4], "cnn, small": [4, 8, 8], "cnn": [8, 16, 32]}
MLPS = {"mlp, same size": [11], "mlp, 128": [128], "mlp, 512": [512], "mlp, 512 + 512": [512, 512]}
CONTEST = {"epochs": 8, "batch_size": 64, "schedule": "cosine", "weight_decay": 0.01}
RATES = {"cnn": 4e-3, "mlp": 2e-3}


def contestant(name: str, seed: int = 0) -> nn.Module:
    """The untrained network of that name; all of them take pictures [n, 1, 28, 28]."""
    if name in CNNS:
        return models.CNN(1, CNNS[name], 10, image_size=28, hidden=None, seed=seed)
    return nn.Sequential(nn.Flatten(), models.MLP(784, MLPS[name], 10, seed=seed))


def measure() -> dict[str, Any]:
    """Train every contestant from three seeds and return the payload of a record: accuracies on the test split."""
    glyphs = data.load("glyphs", flat=False)
    curves, results, seconds, flops = {}, {}, 0.0, 0.0
    torch.set_num_threads(1)
    for name in (*CNNS, *MLPS):
        found = []
        for seed in SEEDS:
            run = training.fit(contestant(name, seed), glyphs, lr=RATES[name[:3]], seed=seed, device="cpu", **CONTEST)
            found.append(run.score(glyphs.test).accuracy)
            seconds, flops = seconds + run.seconds, flops + run.flops
            curves[f"{name}, seed {seed}"] = [row["validation_accuracy"] for row in run.history]
        results[name] = {"num_parameters": models.count(run.model), "test_accuracy": found,
                         "train_accuracy": run.history[-1]["train_accuracy"], "flops": run.flops}
        print(name, results[name], f"{seconds:.0f} s", flush=True)
    configuration = {"title": TITLE, "data": "glyphs", "data_options": {"flat": False}, "data_seed": 0,
                     "model": None, "seeds": list(SEEDS), "lr": RATES, "cnn": CNNS, "mlp": MLPS,
                     "num_test": len(glyphs.test), **CONTEST}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": seconds, "flops": flops, "corpus_sha256": glyphs.sha256(),
            "curves": curves, "results": results}
