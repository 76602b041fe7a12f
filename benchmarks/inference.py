"""How the knobs of sampling change what the house model writes: form, repetition, variety, surprise."""

from __future__ import annotations

import time
from typing import Any

import torch

from helpers import data, device
from helpers.evaluation import code
from helpers.metrics import wilson
from helpers.models.generate import generate
from helpers.models.house import about, house
from helpers.models.transformer import Decoder

TITLE = "functions of the house model at several temperatures, with top-k and with top-p"
SETTINGS: dict[str, dict[str, Any]] = {
    **{f"temperature {tau:g}": {"temperature": tau} for tau in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)},
    "top-k 20": {"top_k": 20}, "top-p 0.9": {"top_p": 0.9}, "top-p 0.95, temperature 0.8":
    {"top_p": 0.95, "temperature": 0.8},
}
NUM, NUM_TOKENS, RUN, WINDOW = 300, 224, 8, 128


def repeated(rows: list[list[int]], run: int = RUN) -> float:
    """Share of the runs of ``run`` tokens that stood earlier in the same text, over all texts."""
    again = total = 0
    for row in rows:
        runs = [tuple(row[i:i + run]) for i in range(len(row) - run + 1)]
        again, total = again + len(runs) - len(set(runs)), total + len(runs)
    return again / max(1, total)


def distinct(rows: list[list[int]], run: int = 4) -> float:
    """Share of different runs of ``run`` tokens among those of all texts together."""
    runs = [tuple(row[i:i + run]) for row in rows for i in range(len(row) - run + 1)]
    return len(set(runs)) / max(1, len(runs))


@torch.no_grad()
def surprise(model: Decoder, rows: torch.Tensor, first: int, end: int) -> float:
    """Nats a token that ``model`` at temperature 1 gives to what follows ``first`` tokens, up to the token ``end``."""
    total, num = 0.0, 0
    for part in rows.split(50):
        logs = model(part[:, :-1]).log_softmax(dim=-1)
        nats = -logs.gather(2, part[:, 1:, None])[..., 0][:, first - 1:]
        new = part[:, first:]
        over = (new == end).cumsum(dim=1) - (new == end).long() > 0      # behind the first end
        total, num = total + float(nats[~over].sum()), num + int((~over).sum())
    return total / num


def measure(num: int = NUM, num_tokens: int = NUM_TOKENS, settings: dict[str, dict[str, Any]] = SETTINGS,
            batch_size: int = 100) -> dict[str, Any]:
    """Let the house model write ``num`` functions under each setting, and return the payload of a record.

    Arguments:
        num: functions a setting.
        num_tokens: prompt and new tokens of a function.
        settings: name → temperature, top_k, top_p.
        batch_size: functions that are written side by side.
    """
    model, tokeniser = house(), data.tokeniser()
    end = tokeniser.token_to_id("<|end|>")
    prompt = torch.tensor([[end, *tokeniser.encode(code.PROMPT).ids]])
    first, begun, rows_of = prompt.shape[1], time.perf_counter(), {}
    found: dict[str, dict[str, Any]] = {}
    for number, (name, knobs) in enumerate(settings.items()):
        parts = [generate(model, prompt.repeat(min(batch_size, num - start), 1), num_tokens - first, stop=end,
                          seed=1_000_003 * number + start, **knobs) for start in range(0, num, batch_size)]
        rows = torch.cat([torch.nn.functional.pad(part, (0, num_tokens - part.shape[1]), value=end)
                          for part in parts])
        cut = [row[:row.index(end)] if end in row else row for row in rows[:, first:].tolist()]
        texts = [code.PROMPT + tokeniser.decode(row) for row in cut]
        ended = [end in row for row in rows[:, first:].tolist()]
        functions = [code.first_function(text + "\nend" if over else text) for text, over in zip(texts, ended)]
        whole, good = sum(one.ended for one in functions), sum(one.accepted for one in functions)
        low, high = wilson(good, num)
        heads = [row[:WINDOW] for row in cut]
        found[name] = {**knobs, "ended": whole, "accepted": good, "accepted_share": good / num, "accepted_low": low,
                       "accepted_high": high, "repeated": repeated(heads), "distinct": distinct(heads),
                       "nats": surprise(model, rows, first, end), "tokens": sum(map(len, cut)) / num}
        rows_of[name] = next((one.text for one in functions if one.accepted), "")
        print(f"{name}: {whole} ended, {good} accepted, repeated {found[name]['repeated']:.2f}, "
              f"distinct {found[name]['distinct']:.2f}, {found[name]['nats']:.2f} nats")
    tokens = data.tokens("python_code")
    held = tokens.windows("validation", model.context, 64)
    real = torch.cat((held.x, held.y[:, -1:]), dim=1)[:, :-1]
    shown = real[:, :WINDOW].tolist()
    known = about()
    configuration = {"title": TITLE, "data": "python_code", "data_options": {}, "data_seed": 0, "model": None,
                     "weights": known["record"], "num": num, "num_tokens": num_tokens, "settings": settings,
                     "run": RUN, "window": WINDOW}
    return {
        "configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
        "precision": "float32", "seconds": time.perf_counter() - begun, "flops": None,
        "corpus_sha256": tokens.sha256, "curves": {key: [row[key] for row in found.values()]
                                                 for key in ("accepted_share", "repeated", "distinct", "nats")},
        "results": {"settings": found, "samples": rows_of,
                    "real": {"nats": surprise(model, real, 1, -1), "repeated": repeated(shown),
                             "distinct": distinct(shown)}},
    }
