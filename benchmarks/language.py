"""Recorded runs of language models on ``python_code``: the house model with its sibling, and a larger one.

Each training writes a checkpoint to book/mine/ after every interval, so that a run that was stopped goes on where it
was, to the same curve. The weights of house model and sibling are written beside their record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers import data, device, models, records, training
from helpers.evaluation import code
from helpers.models import house
from helpers.models.generate import generate
from helpers.models.ngram import NGram
from helpers.training import stream

NAME = "ask-python-language-model"
TITLE = "the house model, its sibling and counted n-grams on source code of Python packages"
LARGE_TITLE = "a language model of 11 million parameters on source code of Python packages"
PROMPTS = ("\n\n\ndef", "import numpy as np\n", "class Queue:\n")
SHAPE = {"vocabulary": 2048, "context": 256, "feed_forward": "swiglu"}
NUM_FUNCTIONS, NUM_TOKENS = 200, 224
PRECISION = "bfloat16"                                     # 1.7 × float32 at width 256 on a processor with AMX
ORDER = 5                                                  # of the n-grams; chosen on the validation files
NGRAM_TOKENS = (250_000, 1_000_000, 4_000_000, None)       # training tokens of the n-gram models; None takes all


@dataclass(frozen=True)
class Plan:
    """One training: the model, its options, and after which intervals samples are kept.

    Arguments:
        model_options: of ``models.Decoder``.
        num_steps, every, batch_size, lr, weight_decay: for ``training.stream.stages``.
        shown: numbers of the intervals after which functions and texts are sampled; the last one always is.
        num_validation: windows of held-out text that are measured after each interval.
        num_functions, num_tokens: functions that are sampled and judged, and the longest one in tokens.
        warmup_steps, decay: updates in which the learning rate rises, and share of the run in which it falls.
    """

    model_options: dict[str, Any]
    num_steps: int
    every: int
    batch_size: int = 8
    lr: float = 5e-3
    weight_decay: float = 0.1
    shown: tuple[int, ...] = (0, 1, 2, 6, 8, 14)
    num_validation: int = 128
    num_functions: int = NUM_FUNCTIONS
    num_tokens: int = NUM_TOKENS
    warmup_steps: int = 100
    decay: float = 0.25

    def schedule(self, step: int, num_steps: int) -> float:
        """Warm-up, stable, decay, with a rise of ``warmup_steps`` whatever the length of the run is."""
        return training.schedules.wsd(step, num_steps, warmup=self.warmup_steps / num_steps, decay=self.decay)

    def options(self) -> dict[str, Any]:
        """The options of the training as plain values, for the record."""
        return {"optimiser": "muon", "schedule": "wsd", "warmup_steps": self.warmup_steps, "decay": self.decay,
                "lr": self.lr, "weight_decay": self.weight_decay, "num_steps": self.num_steps, "every": self.every,
                "batch_size": self.batch_size}


HOUSE = Plan(SHAPE | {"num_layers": 4, "d_model": 256, "num_heads": 4}, num_steps=3000, every=150)
SMALL = Plan(SHAPE | {"num_layers": 2, "d_model": 64, "num_heads": 2}, num_steps=3000, every=150)
LARGE = Plan(SHAPE | {"num_layers": 6, "d_model": 384, "num_heads": 6}, num_steps=2100, every=150, lr=4e-3)


def train(
    plan: Plan, tokens: data.Tokens, tokeniser: Any, checkpoint: Path, *, log: Callable[[str], None] = print
) -> tuple[models.Decoder, list[dict]]:
    """Train from the start or from ``checkpoint``; return the model and the rows of its stages.

    A row holds what ``stream.Stage`` says, and after the intervals in ``shown`` also "samples" (a text a prompt),
    "accepted" and "ended" (numbers of sampled functions).
    """
    where = device.pick()
    model = models.Decoder(**plan.model_options, seed=0)
    validation = tokens.windows("validation", plan.model_options["context"], plan.num_validation)
    last = plan.num_steps // plan.every
    for stage in stream.stages(
        model, tokens.train, validation, lr=plan.lr, num_steps=plan.num_steps, every=plan.every,
        batch_size=plan.batch_size, optimiser="muon", weight_decay=plan.weight_decay, seed=0, device=where,
        schedule=plan.schedule, precision=PRECISION, checkpoint=checkpoint, resume=True,
    ):
        row, interval = stage.row, stage.row["step"] // plan.every
        if interval in (*plan.shown, last) and "samples" not in row:
            row["samples"] = [text_after(model, tokeniser, prompt) for prompt in PROMPTS]
            found = code.sample_functions(model, tokeniser, plan.num_functions, num_tokens=plan.num_tokens,
                                          seed=interval) if interval else []
            row["accepted"] = sum(function.accepted for function in found) if found else None
            row["ended"] = sum(function.ended for function in found) if found else None
        log(f"step {row['step']}: {tokens.bits_per_byte(row['validation_loss']):.3f} bits a byte, "
            f"{row.get('accepted', '-')} of {row.get('ended', '-')} functions, {row['seconds']:.0f} s")
    return model, stage.history


def text_after(model: models.Decoder, tokeniser: Any, prompt: str, *, num_tokens: int = 80, seed: int = 0) -> str:
    """``prompt`` and what the model writes after it, at temperature 0.8 from the likeliest 95 % of the probability."""
    end = tokeniser.token_to_id("<|end|>")
    start = torch.tensor([[end, *tokeniser.encode(prompt).ids]])
    row = generate(model, start, num_tokens, stop=end, temperature=0.8, top_p=0.95, seed=seed)[0, 1:].tolist()
    return tokeniser.decode(row[:row.index(end)] if end in row else row)


def ngram_baseline(tokens: data.Tokens, *, order: int = ORDER) -> dict[str, Any]:
    """Bits a byte of Kneser–Ney models on the validation and test files, by number of training tokens.

    The text of each is a random choice of windows from the whole training split, as a decoder reads it.
    """
    found: dict[str, Any] = {"order": order, "tokens": [], "validation": [], "test": []}
    for num in NGRAM_TOKENS:
        train = np.array(tokens.train) if num is None else tokens.windows("train", 256, num // 256).x.flatten().numpy()
        counted = NGram(train, tokens.vocabulary, order=order)
        found["tokens"].append(len(train))
        for split in ("validation", "test"):
            loss = -counted.log_probabilities(np.array(tokens.stream(split))).mean()
            found[split].append(tokens.bits_per_byte(loss, split))
    return found


def copies(functions: list[code.Function], tokens: data.Tokens, tokeniser: Any, *, num: int = 20) -> dict[str, Any]:
    """The longest run of tokens of each of the first ``num`` functions that stands in the training files.

    The longest of all is shown with the package it stands in and its licence.
    """
    train, runs, best = np.array(tokens.train), [], (0, 0, 0, [])
    for function in functions[:num]:
        ids = tokeniser.encode(function.text).ids
        run = code.longest_overlap(np.array(ids), train)
        runs.append([run[0], len(ids)])
        best = max(best, (*run, ids), key=lambda each: each[0])
    number = int((train[:best[2]] == tokeniser.token_to_id("<|end|>")).sum())
    source = data.corpus(tokens.name).split("train")[number]
    return {"runs": runs, "longest": best[0], "text": tokeniser.decode(best[3][best[1]:best[1] + best[0]]),
            "package": source.package, "licence": source.licence}


def judged(
    plan: Plan, tokens: data.Tokens, tokeniser: Any, checkpoint: Path, log: Callable[[str], None]
) -> tuple[models.Decoder, list[dict], dict[str, Any]]:
    """Train, then measure the test files once and look at the functions of the last stage."""
    model, rows = train(plan, tokens, tokeniser, checkpoint, log=log)
    context = plan.model_options["context"]
    loss = stream.loss_of(model, tokens.windows("test", context), dtype=torch.bfloat16)
    functions = code.sample_functions(model, tokeniser, plan.num_functions, num_tokens=plan.num_tokens,
                                      seed=plan.num_steps // plan.every)
    share, (low, high) = code.share_accepted(functions)
    good = [function for function in functions if function.accepted]
    results = {
        "bits_per_byte": tokens.bits_per_byte(loss, "test"),
        "validation_bits_per_byte": tokens.bits_per_byte(rows[-1]["validation_loss"]),
        "parse_share": share, "parse_low": low, "parse_high": high, "ended_share": rows[-1]["ended"] / len(functions),
        "num_functions": len(functions), "functions": [function.text for function in good[:12]],
        "copies": copies(good or functions, tokens, tokeniser),
        "num_parameters": models.count(model), "tokens": rows[-1]["tokens"],
        "passes": rows[-1]["tokens"] / len(tokens.train), "seconds": rows[-1]["seconds"], "flops": rows[-1]["flops"],
        "stages": [{key: row[key] for key in ("step", "tokens", "validation_loss", "samples", "accepted", "ended")}
                   | {"bits_per_byte": tokens.bits_per_byte(row["validation_loss"])}
                   for row in rows if "samples" in row],
    }
    return model, rows, results


def measure(
    plans: dict[str, Plan] | None = None, *, name: str = "python_code", log: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train house model and sibling, count the n-grams, write the weights, and return the payload of a record.

    Arguments:
        plans: "house" and "small"; those of this module by default.
        name: of the corpus.
        log: takes lines about the progress.
    """
    plans = plans or {"house": HOUSE, "small": SMALL}
    tokens, tokeniser, mine = data.tokens(name), data.tokeniser(), _mine()
    curves, results, samples, seconds, flops = {}, {}, [], 0.0, 0.0
    for size, plan in plans.items():
        model, rows, found = judged(plan, tokens, tokeniser, mine / f"language-model-{size}.safetensors", log)
        curves |= _curves(size, rows, tokens)
        results[size], seconds, flops = found, seconds + found["seconds"], flops + found["flops"]
        samples += [f"{size}: {text}" for text in found["stages"][-1]["samples"]]
        if size in house.FILES:
            about = {"model_options": plan.model_options, "training": plan.options(), "corpus": name,
                     "corpus_sha256": tokens.corpus_sha256, "tokens_sha256": tokens.sha256, "record": NAME,
                     "bits_per_byte": found["bits_per_byte"], "device": device.machine(device.pick()).name,
                     "source_sha256": records.source_sha256(), "licences": data.corpus(name).licences()}
            house.save(mine.parent / "recorded" / house.FILES[size], model, about)
        log(f"{size}: {found['bits_per_byte']:.3f} bits a byte on the test files, parses {found['parse_share']:.2f}")
    results["ngram"] = ngram_baseline(tokens)
    results["real"] = _real(tokens, tokeniser)
    main = next(iter(plans))
    results |= {key: results[main][key] for key in ("bits_per_byte", "parse_share", "parse_low", "parse_high")}
    return _payload(TITLE, plans[main], plans, tokens, seconds, flops, curves, results, samples)


def measure_large(
    plan: Plan = LARGE, *, name: str = "python_code", log: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train the larger model, whose weights are not kept, and return the payload of a record."""
    tokens, tokeniser = data.tokens(name), data.tokeniser()
    _, rows, found = judged(plan, tokens, tokeniser, _mine() / "language-model-15m.safetensors", log)
    return _payload(LARGE_TITLE, plan, {"large": plan}, tokens, found["seconds"], found["flops"],
                    _curves("large", rows, tokens), found, found["stages"][-1]["samples"])


def _mine() -> Path:
    folder = records.book_folder() / "mine"
    folder.mkdir(exist_ok=True)
    return folder


def _curves(size: str, rows: list[dict], tokens: data.Tokens) -> dict[str, list]:
    return {f"{size} tokens": [row["tokens"] for row in rows],
            f"{size} validation bits per byte": [tokens.bits_per_byte(row["validation_loss"]) for row in rows],
            f"{size} train loss": [row["train_loss"] for row in rows]}


def _real(tokens: data.Tokens, tokeniser: Any) -> dict[str, Any]:
    """What the same test says of real functions of the validation files: the highest share a model could reach."""
    found = [function for file in data.corpus(tokens.name).split("validation")
             for function in code.real_functions(file.text, tokeniser, NUM_TOKENS)]
    share, (low, high) = code.share_accepted(found)
    return {"parse_share": share, "parse_low": low, "parse_high": high, "num_functions": len(found),
            "ended_share": sum(function.ended for function in found) / len(found)}


def _payload(
    title: str, main: Plan, plans: dict[str, Plan], tokens: data.Tokens, seconds: float, flops: float, curves: dict,
    results: dict, samples: list[str],
) -> dict[str, Any]:
    return {
        "configuration": {
            "title": title, "data": tokens.name, "data_options": {}, "data_seed": 0, "model": "Decoder",
            "model_options": main.model_options, "num_parameters": models.count(models.Decoder(**main.model_options)),
            "plans": {size: plan.options() | {"model_options": plan.model_options} for size, plan in plans.items()},
            "num_train": len(tokens.train), "num_validation": len(tokens.validation), "num_test": len(tokens.test),
            "tokens_sha256": tokens.sha256, "prompts": list(PROMPTS), "num_tokens": main.num_tokens,
            "threads": torch.get_num_threads()},
        "seed": 0, "device": device.machine(device.pick()).name, "precision": PRECISION, "seconds": seconds,
        "flops": flops, "corpus_sha256": tokens.corpus_sha256, "curves": curves, "results": results,
        "samples": samples, "notes": "The processor was shared with other work, so seconds are an upper bound."}
