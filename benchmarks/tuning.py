"""A recorded run for the chapter on fine-tuning: the house model learns to write the summary line of a function.

Full tuning, adapters of three ranks and the same network from random weights, by number of pairs, each with the best
learning rate of a search on the validation pairs; what was forgotten; what copying and the function's name reach. Every
training is kept in book/mine/ as soon as it ends, so that the recording may be stopped and started again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from helpers import data, device, models, records
from helpers.data import summaries
from helpers.evaluation import choosing
from helpers.models import house, lora
from helpers.models.generate import generate
from helpers.training import answers, stream

TITLE = "the house model learns to summarise functions: full tuning, adapters, and from random weights"
JUDGED = ("full", "LoRA 8", "scratch")  # with the most pairs and the first seed, by choosing and writing
BFLOAT = torch.bfloat16
NOTES = "Seconds are those of one core; other work shared the processor, so they are an upper bound."


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        num_pairs: number of training pairs → updates.
        tuned_at: number of pairs at which the learning rates are chosen, with seed 0.
        rates: method ("full", "scratch", or "LoRA" and a rank) → learning rates that are tried.
        seeds: of adapters or weights, and of the order.
        batch_size: pairs in an update.
        num_windows: windows of held-out code on which forgetting is measured.
        num_validation, num_test: held-out pairs; None takes all.
        num_candidates, num_written: summaries to choose from, and summaries that are written out.
        model: "house" or "small".
    """

    num_pairs: dict[int, int] = field(default_factory=lambda: {32: 16, 128: 32, 512: 64})
    tuned_at: int = 128
    rates: dict[str, tuple[float, ...]] = field(default_factory=lambda: {
        "full": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "LoRA 1": (3e-3, 1e-2, 3e-2, 1e-1), "LoRA 8": (1e-3, 3e-3, 1e-2, 3e-2),
        "LoRA 64": (3e-4, 1e-3, 3e-3, 1e-2), "scratch": (3e-4, 1e-3, 3e-3, 1e-2)})
    seeds: tuple[int, ...] = (0, 1)
    batch_size: int = 16
    num_windows: int = 16
    num_validation: int | None = 96
    num_test: int | None = 128
    num_candidates: int = 16
    num_written: int = 48
    model: str = "house"


class Task:
    """Pairs, tokens and measures of one plan."""

    def __init__(self, plan: Plan, corpus: data.Corpus) -> None:
        self.plan, self.tokeniser = plan, data.tokeniser()
        self.pairs = {split: summaries.pairs(corpus, split, self.tokeniser, num=num) for split, num in (
            ("train", max(plan.num_pairs)), ("validation", plan.num_validation), ("test", plan.num_test))}
        self.rows = {split: self.encode(found) for split, found in self.pairs.items()}
        self.tokens = data.tokens(corpus.name)
        self.windows = self.tokens.windows("validation", 256, plan.num_windows)
        self.sign = [0, *self.tokeniser.encode(summaries.MARK).ids]

    def encode(self, pairs: list[summaries.Pair], *, nameless: bool = False) -> list[answers.Row]:
        """Prompts and answers in tokens."""
        prompts = [pair.nameless if nameless else pair.prompt for pair in pairs]
        return summaries.encode(prompts, [pair.summary for pair in pairs], self.tokeniser)

    def bits(self, model: nn.Module, split: str) -> float:
        """Bits a byte of the summaries of a split."""
        found = answers.log_likelihoods(model, self.rows[split], dtype=BFLOAT)
        return answers.bits_per_byte(found, [pair.summary for pair in self.pairs[split]])

    def code(self, model: nn.Module) -> float:
        """Bits a byte of held-out code."""
        return self.tokens.bits_per_byte(stream.loss_of(model, self.windows, dtype=BFLOAT))

    def start(self, method: str, seed: int) -> nn.Module:
        """The model before tuning."""
        model = house.house(self.plan.model)
        if method == "full":
            return model
        if method == "scratch":
            return models.Decoder(**house.about(self.plan.model)["model_options"], seed=seed)
        return lora.add(model, int(method.split()[1]), seed=seed)

    def tune(self, method: str, lr: float, num: int, seed: int, **how: Any) -> tuple[nn.Module, dict[str, Any]]:
        """Tune with ``num`` pairs; the model, and its losses and bits a byte."""
        begun, model = time.process_time(), self.start(method, seed)
        if how.pop("replayed", False):
            how["replay"] = self.tokens.train
        losses = list(answers.steps(model, self.rows["train"][:num], lr=lr, num_steps=self.plan.num_pairs[num],
                                    batch_size=self.plan.batch_size, seed=seed, dtype=BFLOAT, **how))
        seconds = time.process_time() - begun
        return model, {"method": method, "lr": lr, "num": num, "seed": seed, "losses": [round(x, 4) for x in losses],
                       "validation": self.bits(model, "validation"), "code": self.code(model), "seconds": seconds,
                       "trainable": models.count(model)}

    def judge(self, model: nn.Module) -> dict[str, Any]:
        """Test pairs: bits a byte, ranks among candidates (0: it wins), with and without the name, words hit."""
        chosen = choosing.candidates(len(self.rows["test"]), self.plan.num_candidates)
        found: dict[str, Any] = {"test": self.bits(model, "test")}
        for name, rows in (("ranks", self.rows["test"]),
                           ("nameless_ranks", self.encode(self.pairs["test"], nameless=True))):
            fit = choosing.scores(model, rows, chosen, self.sign, dtype=BFLOAT)
            found[name] = (fit > fit[:, :1]).sum(dim=1).tolist()
        some = self.pairs["test"][:self.plan.num_written]
        found["written"] = [self.write(model, row[0]) for row in self.rows["test"][:len(some)]]
        found["overlap"] = [choosing.overlap(text, pair.summary)
                            for text, pair in zip(found["written"], some, strict=True)]
        return found

    def write(self, model: nn.Module, prompt: list[int]) -> str:
        """The likeliest summary, token by token."""
        row = generate(model, torch.tensor([prompt]), summaries.MAX_ANSWER, stop=0, top_k=1)[0, len(prompt):].tolist()
        return self.tokeniser.decode(row[:row.index(0)] if 0 in row else row).split("\n")[0]

    def rivals(self) -> dict[str, Any]:
        """Without a model: the function's name as its summary, and the summary of the nearest training function."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        test, train = self.pairs["test"], self.pairs["train"]
        chosen = choosing.candidates(len(test), self.plan.num_candidates)
        fit = np.array([[choosing.overlap(test[i].name, test[j].summary) for j in row] for i, row in enumerate(chosen)])
        ties = ((fit == fit[:, :1]).sum(axis=1) - 1) / 2                          # half of those that are as good
        some = test[:self.plan.num_written]
        bags = TfidfVectorizer(analyzer=lambda text: sorted(choosing.words(text)))
        near = (bags.fit_transform(pair.source for pair in train) @ bags.transform(p.source for p in some).T).toarray()
        copied = [train[k].summary for k in near.argmax(axis=0)]
        return {"name": {"ranks": ((fit > fit[:, :1]).sum(axis=1) + ties).tolist(),
                         "overlap": [choosing.overlap(pair.name, pair.summary) for pair in some]},
                "nearest": {"written": copied, "overlap": [choosing.overlap(text, pair.summary)
                                                           for text, pair in zip(copied, some, strict=True)]}}


class Parts:
    """Finished trainings by name, in a file of book/mine/ that belongs to one plan."""

    def __init__(self, plan: Plan, corpus_sha256: str) -> None:
        folder = records.book_folder() / "mine"
        folder.mkdir(exist_ok=True)
        self.path, self.plan = folder / "fine-tuning.parts", f"{replace(plan, seeds=(), rates={})} {corpus_sha256}"
        kept = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.done: dict[str, Any] = kept["done"] if kept.get("plan") == self.plan else {}

    def get(self, name: str, run: Callable[[], dict[str, Any]], log: Callable[[str], None]) -> dict[str, Any]:
        """The kept part, or the one that ``run`` returns."""
        if name not in self.done:
            self.done[name] = run()
            records.replace_file(self.path, json.dumps({"plan": self.plan, "done": self.done}).encode())
            shown = {key: round(value, 3) for key, value in self.done[name].items() if isinstance(value, float)}
            log(f"{name}: {shown}")
        return self.done[name]


def measure(plan: Plan | None = None, *, name: str = "python_code", log: Callable[[str], None] = print
            ) -> dict[str, Any]:
    """Choose the rates, run the grid and the forgetting runs, and return the payload of a record.

    Arguments:
        plan: what is run.
        name: of the corpus.
        log: takes lines about the progress.
    """
    plan = plan or Plan()
    torch.set_num_threads(1)
    corpus = data.corpus(name)
    task, parts = Task(plan, corpus), Parts(plan, corpus.sha256)

    def part(key: str, *arguments: Any, then: Callable[[nn.Module], dict] | None = None, **how: Any) -> dict[str, Any]:
        def run() -> dict[str, Any]:
            model, row = task.tune(*arguments, **how)
            return row | (then(model) if then else {})
        return parts.get(key, run, log)

    def tested(model: nn.Module) -> dict[str, float]:
        return {"test": task.bits(model, "test")}

    def named(method: str, lr: float, num: int, seed: int) -> str:
        return f"{method}, {num} pairs, rate {lr:g}, seed {seed}"

    before = parts.get("untuned", lambda: {
        "validation": task.bits(house.house(plan.model), "validation"), "code": task.code(house.house(plan.model)),
        **task.judge(house.house(plan.model))}, log)
    tried, best = {}, {}
    for method, rates in plan.rates.items():
        tried[method] = [part(named(method, lr, plan.tuned_at, 0), method, lr, plan.tuned_at, 0, then=tested)
                         for lr in rates]
        best[method] = min(tried[method], key=lambda row: row["validation"])["lr"]
    most, grid = max(plan.num_pairs), []
    for seed in plan.seeds:
        for num in plan.num_pairs:
            for method in plan.rates:
                judged = num == most and seed == plan.seeds[0] and method in JUDGED
                lr = best[method]
                grid.append(part(named(method, lr, num, seed), method, lr, num, seed,
                                 then=task.judge if judged else tested))
    at, rate = plan.tuned_at, best["full"]
    extra = {
        "unmasked": part("unmasked", "full", rate, at, 0, masked=False),
        "replay": part("replay", "full", rate, at, 0, replayed=True),
        "high": part("high", "full", max(plan.rates["full"]), at, 0),
        "high, replay": part("high, replay", "full", max(plan.rates["full"]), at, 0, replayed=True)}
    runs = [row for rows in tried.values() for row in rows] + grid + list(extra.values())
    shown = [{"name": pair.name, "summary": pair.summary} for pair in task.pairs["test"][:plan.num_written]]
    return {
        "configuration": {
            "title": TITLE, "data": name, "data_options": {}, "data_seed": 0, "model": "Decoder",
            "model_options": house.about(plan.model)["model_options"],
            "num_parameters": models.count(house.house(plan.model)), "start": plan.model,
            "num_pairs": {str(num): steps for num, steps in plan.num_pairs.items()}, "tuned_at": plan.tuned_at,
            "rates": {method: list(rates) for method, rates in plan.rates.items()}, "methods": list(plan.rates),
            "seeds": list(plan.seeds), "batch_size": plan.batch_size, "optimiser": "adamw",
            "num_candidates": plan.num_candidates, "num_train": len(task.rows["train"]),
            "num_validation": len(task.rows["validation"]), "num_test": len(task.rows["test"]),
            "num_windows": plan.num_windows, "threads": torch.get_num_threads()},
        "seed": plan.seeds[0], "device": device.machine(device.pick()).name, "precision": "bfloat16",
        "seconds": sum({id(row): row["seconds"] for row in runs}.values()),     # a row may stand in two lists
        "flops": None, "corpus_sha256": corpus.sha256,
        "curves": {f"{row['method']} {row['num']} seed {row['seed']}": row["losses"] for row in grid},
        "results": {"untuned": before, "best_rates": best, "tried": {method: _short(rows) for method, rows in
                                                                     tried.items()},
                    "grid": _short(grid), "extra": {key: _short([row])[0] for key, row in extra.items()},
                    "rivals": task.rivals(), "shown": shown},
        "notes": NOTES}


def _short(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without their losses, which stand among the curves."""
    return [{key: value for key, value in row.items() if key != "losses"} for row in rows]
