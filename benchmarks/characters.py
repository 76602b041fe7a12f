"""A character model of Python code by the usual loop written out and by ``helpers.training``; and in two precisions.

The usual loop draws random slices, stacks them on the host, and takes unfused AdamW in float32 on the block of 2019:
learned positions, layer norm, GELU. ``goal`` asks how long each needs to the same validation loss, with the best
learning rate of a sweep of its own; ``steps`` and ``precision`` time steps of the same model on the same windows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from helpers import data, models, training
from helpers.data import Split
from helpers.data.base import windows_at
from helpers.data.code import CHARACTERS, encode
from helpers.training import schedules, stream
from helpers.training.loop import Options

STEPS_GOAL, LOSS_GOAL, BFLOAT_GOAL, AUTO_LIMIT = 1.25, 2.5, 2.4, 1.05
SAME = 0.01                                   # final losses of the two loops may differ by this share
USUAL = {"positions": "learned", "norm": "layer", "feed_forward": "gelu"}
OURS = {"positions": "rotary", "norm": "rms", "feed_forward": "swiglu", "normed_queries": True}
SMALL = {"context": 64, "num_layers": 4, "d_model": 128, "num_heads": 4}
LARGE = {"context": 256, "num_layers": 6, "d_model": 384, "num_heads": 6}
BATCH_SIZE = 12
USUAL_STEPS = 600                             # updates of the usual loop whose loss is to be reached
USUAL_RATES = (1e-3, 2e-3, 4e-3, 8e-3)        # AdamW
OUR_RATES = (5e-3, 1e-2, 2e-2, 4e-2)          # Muon
STRIDE = 20                                   # resolution of the number of our updates
PRECISIONS = ("float32", "bfloat16")
TASKS = {"4 layers, width 128, context 64": (SMALL, 200), "6 layers, width 384, context 256": (LARGE, 8)}


@lru_cache(maxsize=1)
def texts(name: str = "python_stdlib") -> tuple[np.ndarray, np.ndarray]:
    """Characters of the training and of the validation files as numbers, each [n]."""
    corpus = data.corpus(name)
    return tuple(np.concatenate([encode(file.text) for file in corpus.split(part)]) for part in ("train", "validation"))


def validation(context: int, num: int = 128) -> Split:
    """``num`` windows spread over the validation files."""
    characters = texts()[1]
    return windows_at(characters, np.linspace(0, len(characters) - context - 2, num).astype(np.int64), context)


def build(shape: dict, block: dict) -> models.Decoder:
    """The model with the same initial weights each time."""
    return models.Decoder(len(CHARACTERS), **shape, **block, seed=0)


def usual(
    model: nn.Module, num_steps: int, lr: float, starts: np.ndarray, schedule: str = "constant", *,
    device: str = "cpu",
) -> nn.Module:
    """Train by the loop as it is usually written: slices stacked on the host, unfused AdamW, float32.

    The batch size is the number of ``starts`` for an update.
    """
    characters, context, batch_size = texts()[0], model.context, len(starts) // num_steps
    model.to(device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.1, foreach=False, fused=False)
    model.train()
    for step in range(num_steps):
        chosen = starts[step * batch_size:(step + 1) * batch_size]
        x = torch.stack([torch.from_numpy(characters[i:i + context]) for i in chosen]).to(device)
        y = torch.stack([torch.from_numpy(characters[i + 1:i + 1 + context]) for i in chosen]).to(device)
        for group in optimiser.param_groups:
            group["lr"] = lr * schedules.named(schedule)(step, num_steps)
        logits = model(x)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), y.view(-1))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return model


def ours(
    model: nn.Module, num_steps: int, lr: float, *, optimiser: str = "adamw", schedule: str = "constant",
    precision: str = "auto", batch_size: int = BATCH_SIZE, device: str = "cpu",
) -> nn.Module:
    """Train by the loop of ``helpers.training.stream``."""
    options = Options(lr=lr, epochs=1, batch_size=batch_size, optimiser=optimiser, schedule=schedule, weight_decay=0.1,
                      device=device, precision=precision)
    for _ in stream.StreamLoop(model, texts()[0], model.context, num_steps, options).epoch(1):
        pass
    return model


def windows(context: int, num_steps: int, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """First characters of the windows that ``ours`` reads, in its order: int64 [num_steps · batch size]."""
    return stream.Windows(len(texts()[0]), context, batch_size, num_steps, 0).order(0).numpy()


def loss(model: nn.Module) -> float:
    """Validation loss in nats a character."""
    return stream.loss_of(model, validation(model.context))


def goal(log: Callable[[str], None] = print) -> dict[str, float]:
    """Find the best rate of each side and the number of our updates that reach the usual loop's loss."""
    starts = windows(SMALL["context"], USUAL_STEPS)
    theirs = {lr: loss(usual(build(SMALL, USUAL), USUAL_STEPS, lr, starts, "warmup_cosine")) for lr in USUAL_RATES}
    lr = min(theirs, key=theirs.get)
    log(f"usual loop, {USUAL_STEPS} updates: " + ", ".join(f"{rate:g}: {found:.3f}" for rate, found in theirs.items()))
    third = USUAL_STEPS // 3 // STRIDE * STRIDE
    found = {rate: our_loss(third, rate) for rate in OUR_RATES}
    our_rate = min(found, key=found.get)
    log(f"ours, {third} updates: " + ", ".join(f"{rate:g}: {value:.3f}" for rate, value in found.items()))
    low, high = 0, USUAL_STEPS // STRIDE                       # ours reaches it in (low, high] strides
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if our_loss(middle * STRIDE, our_rate) <= theirs[lr] else (middle, high)
    return {"usual_lr": lr, "our_lr": our_rate, "loss": theirs[lr], "our_steps": high * STRIDE}


def our_loss(num_steps: int, lr: float) -> float:
    """Validation loss of our block after ``num_steps`` updates of Muon with a schedule of that length."""
    return loss(ours(build(SMALL, OURS), num_steps, lr, optimiser="muon", schedule="warmup_cosine"))


def _steps(loop: str) -> Callable[[str], Callable[[], float]]:
    def prepare(task: str) -> Callable[[], float]:
        shape, num_steps = TASKS[task]
        starts = windows(shape["context"], num_steps)
        model = build(shape, USUAL)
        first = {name: tensor.clone() for name, tensor in model.state_dict().items()}

        def train() -> float:
            model.load_state_dict(first)
            if loop == "written out":
                return _last(usual(model, num_steps, 1e-3, starts), starts)
            return _last(ours(model, num_steps, 1e-3, precision="auto" if loop == "helpers" else loop), starts)

        return train

    return prepare


@torch.no_grad()
def _last(model: nn.Module, starts: np.ndarray) -> float:
    """Loss on two windows of the training after it: cheap, and equal for equal training."""
    split = windows_at(texts()[0], starts[:2], model.context)
    return float(F.cross_entropy(model.eval()(split.x).flatten(0, 1), split.y.flatten()))


def _goal(side: str) -> Callable[[str], Callable[[], float]]:
    def prepare(task: str) -> Callable[[], float]:
        found = json.loads(task)
        starts = windows(SMALL["context"], USUAL_STEPS)
        if side == "usual loop":
            return lambda: loss(usual(build(SMALL, USUAL), USUAL_STEPS, found["usual_lr"], starts, "warmup_cosine"))
        return lambda: our_loss(found["our_steps"], found["our_lr"])

    return prepare


CASES = {"helpers": _steps("helpers"), "written out": _steps("written out"),
         **{name: _steps(name) for name in PRECISIONS},
         "to the loss, usual loop": _goal("usual loop"), "to the loss, helpers": _goal("helpers")}


def automatic(task: str) -> str:
    """Which precision the loop takes by itself for the model of ``task``."""
    shape, num_steps = TASKS[task]
    options = Options(lr=1e-3, batch_size=BATCH_SIZE, device="cpu", precision="auto")
    loop = training.stream.StreamLoop(build(shape, USUAL), texts()[0], shape["context"], num_steps, options)
    return str(loop.dtype).removeprefix("torch.")
