"""A measurement for the chapter on recurrence: which cell can remember a symbol over which distance."""

from __future__ import annotations

import time
from typing import Any

import torch

from helpers import data, device, models, training

TITLE = "accuracy of naming the first symbol, by cell and by the number of symbols after it"
LENGTHS = (5, 10, 15, 20, 30, 40, 60)
SEEDS = (0, 1, 2)
CELLS = {"rnn": {"cell": "rnn"}, "gru": {"cell": "gru"}, "lstm": {"cell": "lstm"},
         "lstm, gate open": {"cell": "lstm", "forget_bias": 4.0}}
OPTIONS = {"lr": 1e-2, "epochs": 6, "batch_size": 64}


def measure() -> dict[str, Any]:
    """Train each cell at each length from each seed, and return the payload of a record: validation accuracies."""
    begun, curves, results, flops = time.perf_counter(), {}, {}, 0.0
    torch.set_num_threads(1)
    for name, options in CELLS.items():
        for length in LENGTHS:
            rows = []
            for seed in SEEDS:
                model = models.Recurrent(8, 24, 4, seed=seed, **options)
                run = training.fit(model, data.load("first_symbol", length=length), seed=seed, device="cpu", **OPTIONS)
                rows.append([row["validation_accuracy"] for row in run.history])
                flops += run.flops
            key = f"{name} {length}"
            curves[key] = torch.tensor(rows).mean(dim=0).tolist()
            results[key] = sum(row[-1] > 0.9 for row in rows) / len(rows)
            print(key, [round(value, 2) for value in curves[key]], flush=True)
    configuration = {"title": TITLE, "data": "first_symbol", "data_options": {"length": list(LENGTHS)}, "data_seed": 0,
                     "model": None, "cells": CELLS, "num_hidden": 24, "seeds": list(SEEDS), **OPTIONS}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": time.perf_counter() - begun, "flops": flops,
            "corpus_sha256": data.load("first_symbol").sha256(), "curves": curves, "results": results}
