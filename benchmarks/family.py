"""A measurement for the chapter on scaling laws: a family of small language models, from one recipe."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers import data, device, models, training
from helpers.data.base import Dataset, Split
from helpers.data.code import CHARACTERS, encode
from helpers.training import stream
from helpers.training.flops import PASSES_PER_STEP, flops_forward

TITLE = "a family of small decoders on the characters of real Python code: sizes × amounts of text, none read twice"
DATA, VOCABULARY, CONTEXT, BATCH = "python_code", len(CHARACTERS), 64, 8
SIZES = ((16, 2), (24, 2), (32, 2), (48, 2), (64, 2), (96, 2))      # width, layers
BUDGETS = (122_880, 245_760, 491_520, 983_040)                      # training characters; whole batches of 512
HELD_BACK = (128, 2, 1_720_320)                                     # width, layers, training characters
TRIED_SIZES, TRIED = ((16, 2), (96, 2)), (0.5, 1.0, 2.0)            # multiples of the learning rate, first budget
REPEATED, REPEATED_SEEDS = ((32, 2),), (1, 2)                       # at the first budget
NUM_HELD_OUT = 1500                                                 # windows for the loss, and others to choose by
PIECE_SECONDS = 1200.0                                              # a recording stops after so long, and resumes


@dataclass(frozen=True)
class Row:
    """One model of the family after its training.

    Attributes:
        d_model, num_layers: width and number of blocks.
        parameters: N, all parameters except the embedding and the output matrix.
        embedding_parameters: of the embedding and the output matrix.
        characters: D, training characters, each read once.
        planned: characters at which the learning rate arrives at zero; above ``characters`` for an unfinished run.
        lr: highest learning rate.
        seed: of weights and order.
        loss: mean cross-entropy on the windows held out, nats per character.
        flops: of the training, counted with the output matrix and attention.
        seconds: processor time of one thread.
    """

    d_model: int
    num_layers: int
    parameters: int
    embedding_parameters: int
    characters: int
    planned: int
    lr: float
    seed: int
    loss: float
    flops: float
    seconds: float


def learning_rate(d_model: int) -> float:
    """The rule of the family: 0.04 at width 16, falling with the square root of the width."""
    return 0.16 / d_model**0.5


def model_of(d_model: int, num_layers: int, *, seed: int = 0) -> models.Decoder:
    """The untrained decoder of one size."""
    return models.Decoder(VOCABULARY, CONTEXT, tied=False, num_layers=num_layers, d_model=d_model,
                          num_heads=max(1, d_model // 32), seed=seed)


def load(characters: int = HELD_BACK[2], num_held_out: int = NUM_HELD_OUT) -> Dataset:
    """Windows of source code: at least ``characters`` training characters, and two sets from the validation files.

    The test files of the corpus stay unread. ``test`` is where losses are measured, ``validation`` are other windows of
    the same files, for what is chosen by the loss. Windows do not overlap and are drawn from all files of a split.

    Raises:
        ValueError: the files hold fewer windows.
    """
    source, parts = data.corpus(DATA), []
    for name, wanted in (("train", -(-characters // CONTEXT)), ("validation", 2 * num_held_out)):
        text = "".join(file.text for file in source.split(name))
        places = np.random.default_rng(0).permutation((len(text) - 1) // CONTEXT)
        if len(places) < wanted:
            raise ValueError(f"the {name} files hold {len(places):,} windows of {CONTEXT} characters, got {wanted:,}")
        windows = torch.from_numpy(np.stack(
            [encode(text[place * CONTEXT:(place + 1) * CONTEXT + 1]) for place in places[:wanted]]))
        parts.append(Split(windows[:, :-1].contiguous(), windows[:, 1:].contiguous()))
    train, held_out = parts
    measured, chosen_by = (Split(held_out.x[part], held_out.y[part])
                           for part in (slice(num_held_out), slice(num_held_out, None)))
    return Dataset(train, chosen_by, measured, source.card, CHARACTERS)


def train(
    dataset: Dataset, d_model: int, num_layers: int, characters: int, *, lr: float | None = None, seed: int = 0,
    stops: tuple[int, ...] = (), split: str = "test",
) -> list[Row]:
    """Train one model on the first ``characters`` characters, once; return its row, those of its ``stops`` before it.

    Arguments:
        dataset: from ``load``.
        d_model, num_layers: width and number of blocks.
        characters: training characters, a multiple of 512.
        lr: highest learning rate; None takes the rule.
        seed: of weights and order.
        stops: characters after which the unfinished model is measured.
        split: of ``dataset``, whose windows are held out: "test", or "validation" where a choice follows the loss.
    """
    if characters % (CONTEXT * BATCH) or characters > dataset.train.x.numel():
        raise ValueError(f"characters must be a multiple of {CONTEXT * BATCH} and at most {dataset.train.x.numel():,}, "
                         f"got {characters!r}")
    lr = learning_rate(d_model) if lr is None else lr
    model = model_of(d_model, num_layers, seed=seed)
    parameters = models.count(model.stack)
    work = PASSES_PER_STEP * flops_forward(model, dataset.train.x[:1]) / CONTEXT
    begun, rows = time.process_time(), []
    for step in training.steps(model, dataset.train.take(characters // CONTEXT), lr=lr, batch_size=BATCH,
                               optimiser="muon", schedule="warmup_cosine", seed=seed, device="cpu",
                               precision="float32"):
        seen = step.number * BATCH * CONTEXT
        if seen in stops or seen == characters:
            seconds = time.process_time() - begun
            rows.append(Row(d_model, num_layers, parameters, models.count(model) - parameters, seen, characters, lr,
                            seed, stream.loss_of(model, getattr(dataset, split)), work * seen, seconds))
    return rows


def plan() -> list[tuple[str, dict[str, Any]]]:
    """Part of the record and arguments of ``train``, run by run."""
    first, largest = BUDGETS[0], BUDGETS[-1]
    runs = [("family", {"d_model": width, "num_layers": layers, "characters": budget,
                        "stops": BUDGETS[:-1] if budget == largest else ()})
            for budget in BUDGETS for width, layers in SIZES]
    runs += [("tried", {"d_model": width, "num_layers": layers, "characters": first, "split": "validation",
                        "lr": factor * learning_rate(width)}) for width, layers in TRIED_SIZES for factor in TRIED]
    runs += [("repeated", {"d_model": width, "num_layers": layers, "characters": first, "seed": seed})
             for width, layers in REPEATED for seed in REPEATED_SEEDS]
    return [*runs, ("held_back", dict(zip(("d_model", "num_layers", "characters"), HELD_BACK, strict=True)))]


def measure(
    runs: list[tuple[str, dict[str, Any]]] | None = None, *, kept: Path | None = None,
    piece_seconds: float = PIECE_SECONDS, log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train the family and return the payload of a record; a call that takes too long stops, and the next goes on.

    Arguments:
        runs: what to train; None takes ``plan``.
        kept: file with the runs that are done, removed at the end; None takes one in the system's temporary folder.
        piece_seconds: no run begins after so many seconds of a call.
        log: takes a line for each run.

    Raises:
        SystemExit: runs are left; the message says how many.
    """
    runs = plan() if runs is None else runs
    kept = kept or Path(tempfile.gettempdir()) / "scaling-family.json"
    done: dict[str, list[dict[str, Any]]] = json.loads(kept.read_text()) if kept.exists() else {}
    begun = time.perf_counter()
    torch.set_num_threads(1)
    dataset = load()
    for number, (part, options) in enumerate(runs):
        key = json.dumps([part, options])
        if key in done:
            continue
        if time.perf_counter() - begun > piece_seconds:
            raise SystemExit(f"{len(runs) - number} of {len(runs)} runs are left: call again to go on")
        done[key] = [asdict(row) for row in train(dataset, **options)]
        kept.write_text(json.dumps(done))
        row = done[key][-1]
        log(f"{part}: N {row['parameters']:,}, D {row['characters']:,}, loss {row['loss']:.4f}, {row['seconds']:.0f} s")
    results: dict[str, list[dict[str, Any]]] = {"unfinished": []}
    for part, options in runs:
        *unfinished, last = done[json.dumps([part, options])]
        results.setdefault(part, []).append(last)
        results["unfinished"] += unfinished
    lasts = [done[json.dumps(run)][-1] for run in map(list, runs)]
    configuration = {
        "title": TITLE, "data": DATA,
        "data_options": {"context": CONTEXT, "num_held_out": NUM_HELD_OUT, "windows_sha256": dataset.sha256()},
        "data_seed": 0, "model": None, "batch_size": BATCH, "schedule": "warmup_cosine", "optimiser": "muon",
        "learning_rate": "0.16 / sqrt(width)"}
    kept.unlink(missing_ok=True)
    return {"configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
            "precision": "float32", "seconds": sum(row["seconds"] for row in lasts),
            "flops": sum(row["flops"] for row in lasts), "corpus_sha256": data.corpus(DATA).sha256,
            "curves": {"family_loss": [row["loss"] for row in results.get("family", [])]}, "results": results}
