"""The network that reads a drawing inside the page of book/algorithms/convolution: data, training, weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import data, device, metrics, models, training
from helpers.data import strokes
from helpers.explorers import pack_float16
from helpers.models.cnn import fold

TITLE = "the glyph reader: rendered digits, simulated pen strokes and enlarged handwriting, one small network"
NUM_STROKES, NUM_GLYPHS, TIMES_DIGITS = 8000, 6000, 3
MODEL = {"in_channels": 1, "channels": [12, 24, 48], "num_outputs": 10, "image_size": 28, "hidden": None,
         "batch_norm": True}
OPTIONS = {"lr": 4e-3, "epochs": 8, "batch_size": 128, "schedule": "warmup_cosine", "weight_decay": 0.02}


def enlarge(x: Tensor) -> Tensor:
    """8 × 8 handwritten digits [n, 64] in [0, 1] as pictures [n, 1, 28, 28] with the writing 20 pixels high."""
    large = F.interpolate(x.reshape(-1, 1, 8, 8), size=20, mode="bicubic", align_corners=False)
    return F.pad(((large - 0.2) / 0.6).clamp(0, 1), (4, 4, 4, 4))


def move(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn by up to 12 degrees, scale by 0.8 to 1.15, shift by up to 2 pixels, at random; pictures [n, 1, h, w]."""
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    angle, wide, high = uniform(-0.21, 0.21), 1 / uniform(0.8, 1.15), 1 / uniform(0.8, 1.15)
    shift = [uniform(-1, 1) * 4 / x.shape[-1] for _ in range(2)]
    theta = torch.stack([
        torch.stack([wide * angle.cos(), -wide * angle.sin(), shift[0]], dim=1),
        torch.stack([high * angle.sin(), high * angle.cos(), shift[1]], dim=1)], dim=1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def corpus(seed: int = 0) -> tuple[data.Dataset, dict[str, data.Split]]:
    """The mixed data set, and its three kinds of test pictures one by one."""
    glyphs = data.load("glyphs", num_examples=NUM_GLYPHS, flat=False, seed=seed)
    digits = data.load("digits", seed=seed)
    parts: dict[str, list[data.Split]] = {}
    for number, (name, count) in enumerate({"train": NUM_STROKES, "validation": 1000, "test": 1000}.items()):
        own, written = getattr(glyphs, name), getattr(digits, name)
        parts[name] = [data.Split(*strokes.simulated(count, seed=3 * seed + number)),
                       data.Split(own.x, own.y), data.Split(enlarge(written.x), written.y)]
    parts["train"] += parts["train"][2:] * (TIMES_DIGITS - 1)
    whole = [data.Split(torch.cat([p.x for p in some]), torch.cat([p.y for p in some])) for some in parts.values()]
    kinds = dict(zip(("simulated strokes", "rendered type", "handwriting, 8 × 8"), parts["test"]))
    return data.Dataset(*whole, glyphs.card, glyphs.classes), kinds


def measure() -> dict[str, Any]:
    """Train the reader and return the payload of a record, with the weights in 16 bits."""
    torch.set_num_threads(1)
    dataset, kinds = corpus()
    run = training.fit(models.CNN(**MODEL, seed=0), dataset, augment=move, device="cpu", **OPTIONS)
    reader = fold(run.model)
    flat = torch.cat([p.detach().flatten() for p in reader.parameters()])
    results: dict[str, Any] = {"num_parameters": len(flat), "weights_float16": pack_float16(flat.numpy())}
    reader.load_state_dict({key: value.half().float() for key, value in reader.state_dict().items()})
    for name, split in kinds.items():
        with torch.no_grad():
            found = reader(split.x).argmax(dim=1)
        right = int((found == split.y).sum())
        results[name] = {"accuracy": right / len(split), "interval": list(metrics.wilson(right, len(split))),
                         "num": len(split)}
        print(name, results[name], flush=True)
    configuration = {
        "title": TITLE, "data": "glyphs", "data_options": {"num_examples": NUM_GLYPHS, "flat": False}, "data_seed": 0,
        "num_simulated_strokes": NUM_STROKES, "times_handwriting": TIMES_DIGITS, "model": None, "network": MODEL,
        "num_train": len(dataset.train), **OPTIONS}
    curves = {key: [row[key] for row in run.history] for key in ("train_loss", "validation_loss",
                                                                 "validation_accuracy")}
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": run.seconds, "flops": run.flops, "corpus_sha256": dataset.sha256(),
            "curves": curves, "results": results}
