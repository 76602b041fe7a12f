"""Recorded run of *Ask Python*'s verifier: learning from tests, by four routes, and from a reward with a leak.

The work is cut into pieces of about a minute. Each is written to book/mine/verifier/ when it is done, so that a run
that was stopped goes on with the next piece: ``python -m benchmarks.verifier SECONDS`` works on pieces for about so
long, and ``python -m benchmarks.record ask-python-verifier`` does what is missing and writes the record.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from helpers import data, device, metrics, models, records
from helpers.data.function_tasks import Task, function_tasks
from helpers.evaluation.code import parses
from helpers.evaluation.sandbox import Sandbox
from helpers.models import house
from helpers.training import policy
from helpers.training.preferences import answer_mask, encode_answers, encode_prompts, log_probabilities

NAME = "ask-python-verifier"
TITLE = "learning from tests: policy gradient, preferences, imitation, more samples, and a reward that leaks"
STUB = "    pass\n"


@dataclass(frozen=True)
class Plan:
    """All options of the run.

    Attributes:
        size: of the recorded model that is tuned.
        passes, tuning_lr, tuning_batch: supervised tuning on the tasks with solutions.
        stub_every: one in so many of these solutions is left open, with ``pass``, as happens in real code.
        budget: FLOP of a practice, samples and updates. num_rows: how often the validation tasks are measured in it.
        num_prompts, group: prompts a round and answers a prompt.
        lr: learning rate of each method; too_fast: one at which imitation fails with some seeds.
        beta: weight of its KL term, or DPO's beta.
        betas: weights of the KL term for the explorer.
        seeds: of tuning and practice.
        num_shown, num_reported: samples of a validation task while practising, and of a test task at the end.
        num_tasks: validation and test tasks that are used.
        width, num_tokens: of prompts and answers.
    """

    size: str = "small"
    passes: int = 12
    stub_every: int = 10
    tuning_lr: float = 3e-3
    tuning_batch: int = 16
    budget: float = 5.6e11
    num_rows: int = 10
    num_prompts: int = 12
    group: int = 8
    lr: tuple[float, float, float] = (1e-3, 1e-3, 1e-3)
    too_fast: float = 3e-3
    beta: tuple[float, float, float] = (0.0, 0.1, 0.0)
    betas: tuple[float, ...] = (0.0, 0.01, 0.03, 0.1)
    seeds: tuple[int, ...] = (0, 1, 2)
    num_shown: int = 4
    num_reported: int = 32
    num_tasks: int = 80
    width: int = 59
    num_tokens: int = 26


PLAN = Plan()


class Judge:
    """Truth and leak: passes all tests, or merely parses. Answers that were seen before are not run again."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.known = sandbox, {}

    def passes(self, task: Task, answer: str) -> float:
        """1 if the function passes its five doctests."""
        key = task.sentence, answer
        if key not in self.known:
            code = task.prompt + answer
            self.known[key] = float(parses(code) and self.sandbox.check(code, task.tests).passed)
        return self.known[key]

    def shown(self, task: Task, answer: str) -> float:
        """1 if the function passes the one doctest that its user has given."""
        key = task.prompt, answer
        if self.passes(task, answer):
            return 1.0
        if key not in self.known:
            code = task.prompt + answer
            self.known[key] = float(parses(code) and self.sandbox.check(code, task.shown).passed)
        return self.known[key]

    def parsed(self, task: Task, answer: str) -> float:
        """1 if the function is valid Python."""
        return float(parses(task.prompt + answer))


def tune(model: models.Decoder, tasks: list[Task], tokeniser: Any, plan: Plan, seed: int) -> float:
    """Supervised tuning in place on tasks with solutions, prompt masked; returns the FLOP."""
    prompts = encode_prompts(tokeniser, [task.prompt for task in tasks], plan.width)
    written = [task.solution if (k + 1) % plan.stub_every else STUB for k, task in enumerate(tasks)]
    answers = encode_answers(tokeniser, written, plan.num_tokens)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.tuning_lr, weight_decay=0.0, betas=(0.9, 0.95))
    order, step = device.generator(seed), 0
    num_steps = plan.passes * -(-len(tasks) // plan.tuning_batch)
    model.train()
    for _ in range(plan.passes):
        for rows in torch.randperm(len(tasks), generator=order).split(plan.tuning_batch):
            for group in optimiser.param_groups:
                group["lr"] = plan.tuning_lr * min(1, (step + 1) / 5) * (1 - step / num_steps)
            log_p = log_probabilities(model, prompts[rows], answers[rows])
            loss = -log_p.sum() / answer_mask(answers[rows]).sum()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
    model.eval()
    return 6.0 * models.count(model) * plan.passes * len(tasks) * (plan.width + plan.num_tokens)


def measured(
    model: models.Decoder, tasks: list[Task], num: int, tokeniser: Any, judge: Judge, plan: Plan, seed: int, *,
    choose: bool = False,
) -> dict[str, Any]:
    """Draw ``num`` answers for each task: how many pass, how many parse, the first answers.

    With ``choose``, "picked" has two digits an answer: does it pass the doctest of the prompt, does it pass all five?
    """
    prompts = encode_prompts(tokeniser, [task.prompt for task in tasks], plan.width)
    right, valid, first, picked = [], 0.0, [], []
    for start in range(0, len(tasks), 16):
        part = tasks[start:start + 16]
        drawn = policy.texts(tokeniser, policy.draw_groups(model, prompts[start:start + 16], num, plan.num_tokens,
                                                           seed=seed * 1009 + start))
        for k, task in enumerate(part):
            mine = drawn[k * num:(k + 1) * num]
            right.append(int(sum(judge.passes(task, answer) for answer in mine)))
            valid += sum(judge.parsed(task, answer) for answer in mine)
            first.append(mine[0])
            picked.append("".join(str(int(judge.shown(task, answer))) + str(int(judge.passes(task, answer)))
                                  for answer in mine) if choose else "")
    return {"right": right, "picked": picked, "num": num, "passed": sum(right) / (num * len(tasks)),
            "parsed": valid / (num * len(tasks)), "first": first[:8]}


def practice(
    plan: Plan, method: int, leak: str, beta: float, seed: int, start: models.Decoder, tokeniser: Any, judge: Judge
) -> tuple[models.Decoder, list[dict]]:
    """One run of practice: the model, and a row at the start and after every few rounds."""
    tasks, model = function_tasks(), copy.deepcopy(start)
    worth = judge.passes if leak == "tests" else judge.parsed
    prompts = [task.prompt for task in tasks["practice"]]

    def reward(numbers: list[int], answers: list[str]) -> list[float]:
        return [worth(tasks["practice"][n], answer) for n, answer in zip(numbers, answers, strict=True)]

    def row(seen: list[policy.Round]) -> dict:
        found = measured(model, tasks["validation"][:plan.num_tasks], plan.num_shown, tokeniser, judge, plan, seed=7)
        means = {key: sum(getattr(one, key) for one in seen) / max(len(seen), 1)
                 for key in ("reward", "divergence", "useful", "length")}
        last = seen[-1] if seen else None
        return {"passed": found["passed"], "parsed": found["parsed"], "first": found["first"][:3], **means,
                "round": last.number if last else 0, "flops": last.flops if last else 0.0,
                "seconds": last.seconds if last else 0.0}

    rows, seen = [row([])], []
    for one in policy.rounds(
        model, start, tokeniser, prompts, reward, method=policy.METHODS[method], num_rounds=10_000,
        lr=plan.lr[method], beta=beta, num_prompts=plan.num_prompts, group=plan.group, width=plan.width,
        num_tokens=plan.num_tokens, seed=seed,
    ):
        seen.append(one)
        if one.flops >= len(rows) * plan.budget / plan.num_rows:
            rows.append(row(seen))
            seen = []
        if one.flops >= plan.budget:
            break
    return model, rows


# ---------------------------------------------------------------- pieces


def pieces(plan: Plan = PLAN) -> dict[str, Callable[[Path, Any, Judge], dict[str, Any]]]:
    """Name of each piece → the function that does it: tuning, practice by each method, and the two rewards."""
    found: dict[str, Callable] = {}
    for seed in plan.seeds:
        found[f"tuned-{seed}"] = lambda *a, seed=seed: _tuned(plan, seed, *a)
    for beta in plan.betas[1:]:                             # without a KL term they are "leak-0.0-0" and "method-0-0"
        for leak, name in (("parses", "leak"), ("tests", "honest")):
            found[f"{name}-{beta}-{plan.seeds[0]}"] = lambda *a, b=beta, w=leak: _practised(
                plan, 0, w, b, plan.seeds[0], False, *a)
    for seed in plan.seeds:
        for number in range(len(policy.METHODS)):
            found[f"method-{number}-{seed}"] = lambda *a, n=number, s=seed: _practised(
                plan, n, "tests", plan.beta[n], s, True, *a)
        found[f"leak-{plan.betas[0]}-{seed}"] = lambda *a, s=seed: _practised(
            plan, 0, "parses", plan.betas[0], s, True, *a)
    fast = replace(plan, lr=(*plan.lr[:2], plan.too_fast))
    found[f"fast-{plan.seeds[-1 if len(plan.seeds) < 2 else 1]}"] = lambda *a: _practised(
        fast, 2, "tests", 0.0, plan.seeds[-1 if len(plan.seeds) < 2 else 1], True, *a)
    return found


def _needs(plan: Plan, name: str) -> dict[str, Any]:
    """The options that a piece depends on, as plain values: where they changed, it is done again."""
    options = asdict(replace(plan, seeds=(), betas=()))
    kind = name.split("-")[0]
    number = int(name.split("-")[1]) if kind == "method" else 2 if kind == "fast" else 0
    rate = {"tuned": None, "fast": plan.too_fast}.get(kind, plan.lr[number])
    return json.loads(json.dumps(options | {"lr": rate, "beta": plan.beta[number], "too_fast": None}))


def _tuned(plan: Plan, seed: int, folder: Path, tokeniser: Any, judge: Judge) -> dict[str, Any]:
    begun, tasks, model = time.perf_counter(), function_tasks(), house.house(plan.size)
    report = tasks["test"][:plan.num_tasks]
    zero = measured(model, report, 4, tokeniser, judge, plan, seed) if seed == plan.seeds[0] else None
    flops = tune(model, tasks["tuning"], tokeniser, plan, seed)
    save_file({name: tensor.clone() for name, tensor in model.state_dict().items()}, _start(folder, seed))
    test = measured(model, report, plan.num_reported, tokeniser, judge, plan, seed, choose=True)
    return {"zero": zero, "test": test, "flops": flops, "seconds": time.perf_counter() - begun}


def _start(folder: Path, seed: int) -> Path:
    return folder / f"start-{seed}.safetensors"


def _practised(
    plan: Plan, method: int, leak: str, beta: float, seed: int, reported: bool, folder: Path, tokeniser: Any,
    judge: Judge,
) -> dict[str, Any]:
    begun, start = time.perf_counter(), house.house(plan.size)
    start.load_state_dict(load_file(_start(folder, seed)))
    model, rows = practice(plan, method, leak, beta, seed, start, tokeniser, judge)
    report = function_tasks()["test"][:plan.num_tasks]
    test = measured(model, report, plan.num_reported, tokeniser, judge, plan, seed) if reported else None
    return {"rows": rows, "test": test, "flops": rows[-1]["flops"], "seconds": time.perf_counter() - begun}


def work(
    plan: Plan = PLAN, seconds: float = float("inf"), *, folder: Path | None = None, log: Callable[[str], None] = print
) -> dict[str, dict]:
    """Do the pieces that are missing for about so many seconds, at least one, and return those that are done."""
    place = folder or records.book_folder() / "mine" / "verifier"
    place.mkdir(parents=True, exist_ok=True)
    done, fresh, end, tokeniser = {}, False, time.monotonic() + seconds, data.tokeniser()
    with Sandbox() as sandbox:
        judge = Judge(sandbox)
        for name, do in pieces(plan).items():
            path, options = place / f"{name}.json", _needs(plan, name)
            known = json.loads(path.read_text()) if path.exists() else {}
            if known.get("plan") != options:
                if fresh and time.monotonic() > end:
                    break
                fresh = True
                known = {"plan": options, **do(place, tokeniser, judge)}
                records.replace_file(path, json.dumps(known).encode())
                log(f"{name}: {known['seconds']:.0f} s" + (f", pass@1 on the test tasks {known['test']['passed']:.3f}"
                                                           if known["test"] else ""))
            done[name] = known
    return done


def measure(plan: Plan = PLAN, *, folder: Path | None = None, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Do what is missing and return the payload of the record."""
    done = work(plan, folder=folder, log=log)
    model, tasks = house.house(plan.size), function_tasks()
    curves = {f"{name}, {key}": [row[key] for row in piece["rows"]] for name, piece in done.items() if "rows" in piece
              for key in ("passed", "parsed", "divergence", "length", "useful", "flops", "round")}
    ends = [sum(done[f"method-{number}-{seed}"]["rows"][-1]["passed"] for seed in plan.seeds) / len(plan.seeds)
            for number in range(len(policy.METHODS))]
    number = ends.index(max(ends))                          # the route that is best on the validation tasks
    best = [done[f"method-{number}-{seed}"]["test"] for seed in plan.seeds]
    shares = [right / found["num"] for found in best for right in found["right"]]
    low, high = metrics.bootstrap(torch.tensor(shares).view(len(best), -1).mean(dim=0))
    answers = [f"{name}: {text}" for name, piece in done.items() if piece["test"]
               for text in piece["test"]["first"][:2]]
    return {
        "configuration": {
            "title": TITLE, "data": "function_tasks", "data_options": {}, "data_seed": 0, "model": None,
            "model_options": {}, "num_parameters": models.count(model), "num_train": len(tasks["practice"]),
            "num_validation": len(tasks["validation"]), "num_test": plan.num_tasks, "plan": asdict(plan),
            "methods": list(policy.METHODS), "threads": torch.get_num_threads()},
        "seed": plan.seeds[0], "device": device.machine(torch.device("cpu")).name, "precision": "float32",
        "seconds": sum(piece["seconds"] for piece in done.values()),
        "flops": sum(piece["flops"] for piece in done.values()), "curves": curves,
        "results": {
            "pass_at_1": sum(shares) / len(shares), "pass_at_1_low": low, "pass_at_1_high": high,
            "best": policy.METHODS[number],
            "zero": done[f"tuned-{plan.seeds[0]}"]["zero"],
            "test": {name: piece["test"] for name, piece in done.items() if piece["test"]},
            "flops": {name: piece["flops"] for name, piece in done.items()},
            "first": {name: [row["first"] for row in piece["rows"]] for name, piece in done.items()
                      if "rows" in piece},
            "seconds": {name: piece["seconds"] for name, piece in done.items()}},
        "samples": answers, "notes": "The processor was shared with other work, so seconds are an upper bound."}


if __name__ == "__main__":
    torch.set_num_threads(1)
    work(seconds=float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
