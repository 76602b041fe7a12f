"""A gallery of recorded broken runs: read the curves, name the fault, then see the cure and the mended run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .base import Explorer, numbers


@dataclass(frozen=True)
class Fault:
    """What the gallery says about one fault.

    Attributes:
        name: the diagnosis, as it stands in the list.
        expect: what the curves would look like; said when the reader's guess is wrong.
        why: how this run shows it; said when the guess is right.
        wrong, right: the line of the program, broken and mended.
    """

    name: str
    expect: str
    why: str
    wrong: str
    right: str


FAULTS: dict[str, Fault] = {
    "broadcast": Fault(
        "shapes broadcast inside the loss",
        "the loss falls to the variance of the targets and stays there, and all answers become the same number",
        "the loss stops at the variance of the targets and almost nothing of it is explained: [n, 1] minus [n] gave a "
        "table of all differences, and its best answer is the mean",
        "loss = (model(x) - y).square().mean()", "loss = (model(x)[:, 0] - y).square().mean()"),
    "leak": Fault(
        "an input that holds the answer",
        "training and validation are perfect almost at once, and accuracy breaks down in service",
        "training and validation are perfect within an epoch, only service is not: columns of the archive were filled "
        "in after somebody knew the class",
        "x = cat([pixels, archive_columns])", "x = pixels"),
    "peeking": Fault(
        "a mask that lets a look into the future",
        "the loss of a text model falls far below what such a model can reach, and in service, where the future is "
        "missing, the answers are poor",
        "98 per cent of all next characters, from a tiny model: each place sees the character that it should predict",
        "mask = ones(T, T).tril(diagonal=1)", "mask = ones(T, T).tril()"),
    "mismatched": Fault(
        "labels that do not belong to the inputs",
        "start, gradients and one batch look healthy, but validation stays at the level of guessing",
        "everything moves as it should and one batch can be learned by heart, yet nothing carries over to validation: "
        "the pictures were shuffled, their labels were not",
        "x = x[randperm(n)]", "order = randperm(n); x, y = x[order], y[order]"),
    "unshuffled": Fault(
        "sorted examples, never shuffled",
        "the batch loss swings with the period of one epoch, since whole batches hold a single class",
        "the batch loss swings with the period of an epoch (26 steps), and the first labels are all the same: whole "
        "batches of one class pull the network to and fro",
        "for index in arange(n).split(50):", "for index in randperm(n).split(50):"),
    "rate_high": Fault(
        "a learning rate that is far too high",
        "updates are large from the first step on, the loss jumps above its start and may become infinite or stay "
        "jagged at the level of guessing",
        "the first updates threw the network so far that no hidden unit is ever on; the loss is jagged around and "
        "above ln 10, where only the last layer still moves",
        "SGD(parameters, lr=5.0, momentum=0.9)", "SGD(parameters, lr=0.05, momentum=0.9)"),
    "rate_low": Fault(
        "a learning rate that is far too low",
        "the loss falls steadily but hardly at all; gradients are healthy, while updates are about a ten-thousandth "
        "of the weights",
        "a healthy gradient in every layer, updates of a ten-thousandth of the weights, and a loss that falls in a "
        "straight, almost level line",
        "SGD(parameters, lr=0.0005, momentum=0.9)", "SGD(parameters, lr=0.05, momentum=0.9)"),
    "piling": Fault(
        "gradients that pile up over the steps",
        "the run is good at first, then swings more and more; gradient norms grow and stay high",
        "good for the first epochs, then wild: gradient norms rise to many times those of a healthy run and never "
        "come down, for the gradients of all steps are added up",
        "loss.backward(); optimiser.step()", "optimiser.zero_grad(); loss.backward(); optimiser.step()"),
    "softmax_twice": Fault(
        "softmax applied twice",
        "the loss starts at ln 10 and then cannot fall below 1.46, although accuracy rises; gradients are weak at "
        "first",
        "accuracy climbs late, and even one batch learned by heart stays above 1.46, the lowest loss that ten "
        "probabilities, taken as logits, can give",
        "cross_entropy(softmax(model(x)), y)", "cross_entropy(model(x), y)"),
    "dead": Fault(
        "dead units from a bad start",
        "the gradient of the first layers is exactly zero from the first step, most units are off for every input, "
        "and the loss stays quietly at ln 10",
        "the loss lies quietly at ln 10 and the first layer never gets a gradient: all its weights were drawn below "
        "zero and the pixels are not, so none of its units is ever on",
        "weight = (rand(...) - 1) * bound", "weight = (2 * rand(...) - 1) * bound"),
    "cut": Fault(
        "layers cut off from the gradient",
        "some layers have a gradient of exactly zero, the others learn what they can on top of random features",
        "the loss falls, but slowly, and the first two layers have gradients of exactly zero while their units are "
        "alive: the graph was cut before the last layer",
        "hidden = body(x).detach()", "hidden = body(x)"),
    "old_optimiser": Fault(
        "an optimiser that moves other parameters",
        "gradients are there, and updates are exactly zero",
        "gradients in every layer, even growing, since nobody clears them; updates exactly zero: the optimiser still "
        "holds the parameters of a network that was replaced",
        "optimiser = SGD(model.parameters()); model = make()", "model = make(); optimiser = SGD(model.parameters())"),
    "training_mode": Fault(
        "validation in training mode",
        "two measurements of the same weights differ, validation jitters, and service is better than validation",
        "the same weights give two different validation losses, and service is better than validation: dropout was "
        "still on while the network was measured; the network itself is fine",
        "outputs = model(x_validation)", "model.eval(); outputs = model(x_validation)"),
    "raw_evaluation": Fault(
        "other preprocessing in evaluation",
        "training is excellent, validation and service are far worse from the first epoch on, and the inputs of the "
        "two parts have different means and spreads",
        "it looks like overfitting, but from the first epoch on; the inputs tell: mean 0 in training, mean 0.3 in "
        "validation, for only one of them was standardised",
        "train.x = (train.x - mean) / std", "for part in (train, validation, test): part.x = (part.x - mean) / std"),
}
ORDER = ("rate_low", "leak", "cut", "softmax_twice", "unshuffled", "dead", "training_mode", "mismatched", "broadcast",
         "old_optimiser", "peeking", "piling", "raw_evaluation", "rate_high")
LETTERS = "ABCDEFGHIJKLMN"
WORDS = {
    "run": "run", "diagnosis": "your diagnosis", "choose": "choose …", "check": "Check my diagnosis",
    "reveal": "show the cure and the mended run (after a diagnosis)",
    "loss": "Loss", "scores": "Result", "gradients": "Gradient norm",
    "updates": "Update / weight", "step": "step", "batch": "batch", "train": "training", "validation": "validation",
    "mended": "mended", "check_name": "check", "broken": "this run", "healthy": "mended",
    "start": "loss at the start (a blind guess costs {expected})", "one_batch": "loss on one batch, 200 steps on it",
    "again": "validation loss measured twice: difference", "dead": "units that are never on",
    "spread": "spread of the answers between inputs", "sees_too_much": "an output reads what it must not see",
    "inputs": "inputs, mean ± spread: training, validation", "first_labels": "first labels of an epoch",
    "served": "result in service",
    "neighbours": "training examples whose nearest neighbour has the same label",
    "stale": "gradient after a step, off from that of its batch by", "yes": "yes", "no": "no",
    "none": "–", "task": "Run {letter} was meant to be: {task}.", "line_wrong": "broken", "line_right": "mended",
    "say_ask": "Run {letter}: what is wrong with it? Named so far: {named} of {num}.",
    "say_open": "Run {letter}: your diagnosis is “{name}”. Press the button to check it.",
    "say_wrong": "Not here. With “{name}” you would see: {expect}. Look again at run {letter}.",
    "say_right": "Yes, {name}: {why}. Named so far: {named} of {num}.",
    "say_cure": "Run {letter}, {name}: {why}. In service {before} before, {after} after the cure.",
}
_SERIES = ("train_loss", "validation_loss", "train_score", "validation_score")


class BrokenRuns(Explorer):
    """Recorded runs with one fault each: curves, checks, a list of diagnoses, and the cure on demand.

    Args:
        record: payload of the recorded run `broken-runs`.
        run: letter of the run that is shown first.

    Raises:
        ValueError: an unknown letter, or a record that lacks a run.

    Derived in: book/algorithms/debugging_training.
    """

    module = "broken"

    def __init__(self, record: Mapping[str, Any], *, run: str = "A", id: str | None = None) -> None:
        if len(run) != 1 or run not in LETTERS:
            raise ValueError(f"the runs are called {LETTERS[0]} to {LETTERS[-1]}, found {run!r}.")
        pairs, checks = record["results"]["pairs"], record["results"]["checks"]
        missing = [key for key in ORDER if key not in pairs]
        if missing:
            raise ValueError(f"the record lacks the run {missing[0]!r}: run python -m benchmarks.record broken-runs.")
        super().__init__({
            "title": "Fourteen broken runs: name the fault", "words": WORDS, "first": run,
            "hint": "Choose a run, read curves and checks, choose a diagnosis, check it. Then show the cure. "
                    "A gradient or an update that lies on the lower edge is zero.",
            "source": f"Recorded: real training on {record['device']}, {record['date'][:10]}, with real faults.",
            "faults": {key: asdict(fault) for key, fault in FAULTS.items()},
            "runs": [{"letter": letter, "fault": key, **pairs[key]} for letter, key in zip(LETTERS, ORDER)],
            "programs": {name: _program(record["curves"], name, found) for name, found in checks.items()},
        }, id=id)


def _program(curves: Mapping[str, list], name: str, checks: Mapping[str, Any]) -> dict[str, Any]:
    own = {key.removeprefix(f"{name}, "): _numbers(values) for key, values in curves.items()
           if key.startswith(f"{name}, ")}
    layers = [key.removeprefix("gradient ") for key in own if key.startswith("gradient ")]
    return {
        "at": own["measured_at"], "batch": own["batch_loss"], "batch_at": own["batch_loss_at"],
        **{key: own[key] for key in _SERIES}, "layers": layers,
        "gradients": [own[f"gradient {layer}"] for layer in layers],
        "updates": [own[f"update {layer}"] for layer in layers], "checks": dict(checks)}


def _numbers(values: list) -> list:
    """Three digits; what is missing stays missing."""
    return [None if value is None else numbers(value, 3) for value in values]
