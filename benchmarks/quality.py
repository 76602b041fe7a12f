"""A measurement for the chapter on data preparation: quality × quantity × duplication of the text, at equal training.

A pile of text is read until a fixed number of tokens has been read, whatever its size. A share of it is dirt: files
whose tokens stand in random order, or one page over and over. A pile in which every text stands k times is, at equal
training, the same as one of a k-th of the size that is read k times as often, so that size covers duplication too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from helpers import data, device, models, records
from helpers.data.base import Split, windows_at
from helpers.training import stream

TITLE = "a small decoder on piles of source code: size, share of dirt, copies, at equal training"
MODEL = {"vocabulary": 2048, "context": 128, "num_layers": 2, "d_model": 64, "num_heads": 2, "feed_forward": "swiglu"}
BATCH, STEPS, PRECISION, LR, WEIGHT_DECAY = 8, 128, "bfloat16", 1e-2, 0.1
BUDGET = STEPS * BATCH * MODEL["context"]                           # tokens that every run reads
SIZES = (BUDGET // 16, BUDGET // 4, BUDGET // 2, BUDGET)            # tokens of the pile
SHARES = (0.0, 0.25, 0.5, 0.75)                                     # of dirt in the pile
RATES = (0.5, 2.0)                                                  # multiples of the learning rate, tried at corners
SEEDS = (0, 1, 2)
PAGE = 512                                                          # tokens of the page that is copied
NUM_HELD_OUT, NUM_OWN = 96, 32                                      # windows that are measured


@dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        dirt: "none", "scrambled" or "copies".
        size: tokens of the pile, dirt included.
        share: of dirt in the pile.
        read: tokens read in training; below the budget only where dirt's part of the training was left out.
        lr: highest learning rate.
        seed: of weights, files and order.
        held_out: bits per byte on held-out clean files.
        own: bits per byte on the clean text that was trained on, at the same bytes a token.
    """

    dirt: str
    size: int
    share: float
    read: int
    lr: float
    seed: int
    held_out: float
    own: float


def files_of(tokens: data.Tokens, num: int, seed: int) -> np.ndarray:
    """At least ``num`` training tokens as whole files in random order, each closed by ``<|end|>``: int64 [tokens]."""
    ends = np.flatnonzero(tokens.train[:] == 0) + 1
    starts = np.concatenate([[0], ends[:-1]])
    parts, total = [], 0
    for place in np.random.default_rng([seed, 41]).permutation(len(ends)):
        part = np.array(tokens.train[starts[place]:min(ends[place], starts[place] + 8192)], np.int64)
        parts.append(part)                                          # of a long file its first 8,192 tokens
        total += len(part)
        if total >= num:
            return np.concatenate(parts)
    raise ValueError(f"the training split holds {total:,} tokens in such files, asked for {num:,}")


def scrambled(text: np.ndarray, seed: int) -> np.ndarray:
    """The tokens of ``text`` in random order, file by file."""
    rng = np.random.default_rng([seed, 43])
    return np.concatenate([rng.permutation(part) for part in np.split(text, np.flatnonzero(text == 0) + 1)])


def pile(text: np.ndarray, size: int, share: float, dirt: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A pile of ``size`` tokens and the clean part of it.

    Arguments:
        text: clean files, at least 2 · size tokens; what is scrambled comes from behind the clean part.
        size, share, dirt, seed: see ``Row``.
    """
    num_dirt = round(size * share)
    clean = text[:size - num_dirt]
    if dirt == "copies":
        return np.concatenate([clean, np.resize(text[-PAGE:], num_dirt)]), clean
    return np.concatenate([clean, scrambled(text[len(text) // 2:], seed)[:num_dirt]]), clean


def train(
    tokens: data.Tokens, text: np.ndarray, held_out: Split, *, size: int, share: float = 0.0, dirt: str = "none",
    seed: int = 0, lr: float = LR, steps: int | None = None,
) -> tuple[Row, float]:
    """Train one decoder on one pile; return its row and the FLOP of the training (``steps`` None: the whole budget)."""
    steps = STEPS if steps is None else steps
    mixed, clean = pile(text, size, share, dirt, seed)
    context = MODEL["context"]
    wanted = steps * BATCH * context
    read = np.resize(mixed, wanted + 2 * context)                   # the pile, again and again
    model = models.Decoder(**MODEL, seed=seed)
    for stage in stream.stages(
        model, read, Split(held_out.x[:1], held_out.y[:1]), lr=lr, num_steps=steps, every=steps, batch_size=BATCH,
        optimiser="muon", schedule="wsd", weight_decay=WEIGHT_DECAY, seed=seed, device=device.pick(),
        precision=PRECISION,
    ):
        flops = stage.row["flops"]
    starts = np.linspace(0, len(clean) - context - 1, NUM_OWN).astype(int)
    found = [tokens.bits_per_byte(stream.loss_of(model, split))
             for split in (held_out, windows_at(clean, starts, context))]
    return Row(dirt, size, share, wanted, lr, seed, *(round(value, 5) for value in found)), flops


def settings() -> list[dict[str, Any]]:
    """What is trained with every seed: clean and scrambled piles of each size; copies; clean piles read less often."""
    found: list[dict[str, Any]] = [{"size": size, "share": share, "dirt": "scrambled" if share else "none"}
                                   for size in SIZES for share in SHARES]
    for share in SHARES[1:]:
        found.append({"size": SIZES[-1], "share": share, "dirt": "copies"})
        found.append({"size": round(SIZES[-1] * (1 - share)), "steps": round(STEPS * (1 - share))})
    return [*found, {"size": SIZES[1], "steps": STEPS // 2}]


def corners() -> list[dict[str, Any]]:
    """Where other learning rates are tried, with the first seed: the cleanest, the smallest, the dirtiest pile."""
    places = [{"size": SIZES[-1]}, {"size": SIZES[0]}, {"size": SIZES[-1], "share": SHARES[-1], "dirt": "scrambled"}]
    return [place | {"lr": LR * factor} for place in places for factor in RATES]


def measure(*, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train every setting with every seed and return the payload of a record.

    Only training and validation files are used.
    """
    records.load("tokeniser-2048")
    tokens = data.tokens("python_code")
    held_out = tokens.windows("validation", MODEL["context"], NUM_HELD_OUT)
    texts = {seed: files_of(tokens, 2 * SIZES[-1], seed) for seed in SEEDS}
    planned = [(plan, seed) for seed in SEEDS for plan in settings()] + [(plan, 0) for plan in corners()]
    begun, rows, flops = time.process_time(), [], 0.0
    for plan, seed in planned:
        row, work = train(tokens, texts[seed], held_out, seed=seed, **plan)
        rows.append(row)
        flops += work or 0
        log(f"{time.process_time() - begun:5.0f} s  {row}")
    machine, blank = device.machine(device.pick()), models.Decoder(**MODEL)
    return {
        "configuration": {
            "title": TITLE, "data": "python_code", "model": "Decoder", "model_options": MODEL,
            "num_parameters": models.count(blank), "optimiser": "muon", "schedule": "wsd", "lr": LR,
            "weight_decay": WEIGHT_DECAY, "batch_size": BATCH, "num_steps": STEPS, "budget": BUDGET,
            "sizes": list(SIZES), "shares": list(SHARES), "seeds": list(SEEDS), "page": PAGE,
            "bytes_per_token": tokens.num_bytes["validation"] / len(tokens.validation),
            "validation_windows": NUM_HELD_OUT, "own_windows": NUM_OWN, "threads": machine.num_threads},
        "seed": SEEDS[0], "device": machine.name, "precision": PRECISION, "seconds": time.process_time() - begun,
        "flops": flops, "corpus_sha256": tokens.corpus_sha256,
        "curves": {"held_out": [row.held_out for row in rows], "own": [row.own for row in rows]},
        "results": {"rows": [asdict(row) for row in rows]}}


