"""A language model while it learns: loss, samples and the share of valid functions at each recorded stage."""

from __future__ import annotations

from typing import Any

from helpers.metrics import wilson

from .base import Explorer, numbers

WORDS = {
    "stage": "stage", "model": "model", "prompt": "begins with", "bits": "bits per byte", "tokens": "tokens read",
    "curve": "Held-out files", "share": "Whole functions that parse", "part": "share", "sample": "What it writes",
    "untrained": "untrained",
    "status": "{model} after {tokens} tokens: {bits} bits per byte. Of {num} sampled functions {ended} came to an "
              "end, and {accepted} of these parse ({low} to {high}).",
    "none": "{model} after {tokens} tokens: {bits} bits per byte. Of {num} sampled functions none came to an end.",
    "before": "{model}, untrained: {bits} bits per byte.",
    "head": ["tokens read", "bits per byte", "parse, of whole functions"],
}
COLOURS = ("blue", "orange", "green")


class Stages(Explorer):
    """Drag a language model through its training: curve, samples, and the share of sampled functions that parse.

    Args:
        models: name → a model's part of the record: "stages", a list of rows with tokens, bits_per_byte, samples (a
            text a prompt), ended and accepted (functions that came to an end, and valid ones among them; None where
            nothing was sampled), all models with equally many.
        curves: name → (tokens, bits per byte) after each interval.
        prompts: the beginnings of the samples.
        num_functions: sampled functions a stage.
        rivals: label → bits per byte of models to compare with, drawn as lines.
        stage: number of the stage that is shown first.
        source: where the runs come from.

    Raises:
        ValueError: no model or too many, unequal numbers of stages, or samples that do not fit the prompts.

    Derived in: book/project/language_model.
    """

    module = "stages"

    def __init__(
        self, models: dict[str, dict[str, Any]], curves: dict[str, tuple[list, list]], prompts: list[str],
        num_functions: int, *, rivals: dict[str, float] | None = None, stage: int = 1, source: str = "",
        id: str | None = None,
    ) -> None:
        if not 1 <= len(models) <= len(COLOURS):
            raise ValueError(f"Stages shows 1 to {len(COLOURS)} models, found {len(models)}.")
        counts = {name: len(model["stages"]) for name, model in models.items()}
        if len(set(counts.values())) != 1 or not min(counts.values()):
            raise ValueError(f"Stages takes models with equally many stages, found {counts}.")
        for name, model in models.items():
            for row in model["stages"]:
                if len(row["samples"]) != len(prompts):
                    raise ValueError(f"Stages takes one sample a prompt, found {len(row['samples'])} of {name!r} for "
                                     f"{len(prompts)} prompts.")
        super().__init__({
            "title": "A model learns to write code", "words": WORDS, "source": source, "num": num_functions,
            "hint": "Drag the stage. What does it learn first, and what last?", "stage": min(stage, counts[name] - 1),
            "prompts": list(prompts), "rivals": [[label, numbers(bits)] for label, bits in (rivals or {}).items()],
            "models": [{
                "name": name, "colour": colour, "tokens": list(curves[name][0]), "bits": numbers(curves[name][1]),
                "stages": [_stage(row) for row in model["stages"]],
            } for (name, model), colour in zip(models.items(), COLOURS)],
        }, id=id)


def _stage(row: dict[str, Any]) -> dict[str, Any]:
    low, high = wilson(row["accepted"], row["ended"]) if row["ended"] else (None, None)
    return {"tokens": row["tokens"], "bits": numbers(row["bits_per_byte"]), "accepted": row["accepted"],
            "ended": row["ended"], "low": low and numbers(low), "high": high and numbers(high),
            "samples": row["samples"]}
