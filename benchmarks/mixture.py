"""A measurement for the chapter on experts and long context: experts against dense models."""

from __future__ import annotations

import time
from typing import Any

import torch

from helpers import data, device, models, training
from helpers.economics import count_transformer

TITLE = "eight experts against dense models of equal active and of equal total parameters, on Python code"
SEEDS = (0, 1, 2)
CODE = {"context": 64, "num_train": 9600, "num_held_out": 500}
SHAPE = {"vocabulary": 97, "context": 64, "tied": False, "num_layers": 2, "d_model": 64, "num_heads": 4}
SIZES = {"dense, equal active": {"d_ff": 256}, "8 experts, 2 visited": {"d_ff": 128, "num_experts": 8, "top_k": 2},
         "dense, equal total": {"d_ff": 1024}}
OPTIONS = {"lr": 3e-3, "batch_size": 32, "schedule": "warmup_cosine"}
BETWEEN = 100  # steps between two measurements of the validation loss


def measure(num_train: int | None = None) -> dict[str, Any]:
    """Train each model from each seed, and return the payload of a record: validation losses, processor seconds."""
    begun, curves, results, flops = time.perf_counter(), {}, {}, 0.0
    torch.set_num_threads(1)
    code = data.load("python_stdlib", **CODE)
    split = code.train.take(num_train or CODE["num_train"])
    for name, options in SIZES.items():
        counted = count_transformer(**{**SHAPE, **options})
        row = {"parameters": counted.parameters, "active_parameters": counted.active_parameters,
               "flops_a_token": counted.flops, "validation_loss": [], "seconds": []}
        for seed in SEEDS:
            model, spent, curve = models.Decoder(**SHAPE, **options, seed=seed), 0.0, []
            start = time.process_time()
            for step in training.steps(model, split, seed=seed, device="cpu", **OPTIONS):
                if step.number % BETWEEN == 0:
                    spent += time.process_time() - start
                    curve.append(training.evaluate(model, code.validation).loss)
                    start = time.process_time()
            curves[f"{name}, seed {seed}"] = curve
            row["validation_loss"].append(curve[-1])
            row["seconds"].append(spent)
            flops += 3 * counted.flops * split.x.numel()
            print(name, seed, [round(loss, 3) for loss in curve], f"{spent:.0f} s", flush=True)
        results[name] = row
    configuration = {"title": TITLE, "data": "python_stdlib", "data_options": CODE, "data_seed": 0,
                     "model": None, "shape": SHAPE, "variants": SIZES, "seeds": list(SEEDS),
                     "num_train": len(split), "steps_between": BETWEEN, **OPTIONS}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": time.perf_counter() - begun, "flops": flops,
            "corpus_sha256": code.sha256(), "curves": curves, "results": results}
