"""Recorded runs: ``python -m benchmarks.record NAME`` trains for real and writes book/recorded/NAME.json.

``python -m benchmarks.record --list`` shows the recipes. Nothing in book/recorded/ is typed by hand.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from helpers import data, metrics, models, records, training


@dataclass(frozen=True)
class Recipe:
    """One recorded run: what it shows, the classes and arguments that build it, and its options.

    Arguments:
        title: what the run shows, in words.
        data, data_options: name and options for ``data.load``.
        model, model_options: class in ``helpers.models`` and its arguments.
        fit_options: for ``training.fit``; ``augment`` is a dict of arguments for ``Augmentation``.
    """

    title: str
    data: str
    data_options: dict[str, Any]
    model: str
    model_options: dict[str, Any]
    fit_options: dict[str, Any]

    def build(self) -> nn.Module:
        """Return the untrained model."""
        return build(self.model, self.model_options)


def build(model: str, options: dict[str, Any]) -> nn.Module:
    """Return an untrained model from the class name and the arguments that a record's configuration holds."""
    return getattr(models, model)(**options)


RECIPES: dict[str, Recipe] = {
    "softmax-fashion-mnist": Recipe(
        "softmax regression on the real Fashion-MNIST", "fashion_mnist", {"flat": True},
        "Softmax", {"num_inputs": 784, "num_classes": 10},
        {"lr": 2e-3, "epochs": 20, "batch_size": 256, "schedule": "cosine"}),
    "cnn-fashion-mnist": Recipe(
        "a convolutional network under 100,000 parameters on the real Fashion-MNIST", "fashion_mnist", {"flat": False},
        "CNN", {"in_channels": 1, "channels": [32, 64, 64], "num_outputs": 10, "image_size": 28, "hidden": None,
                "batch_norm": True},
        {"lr": 4e-3, "epochs": 12, "batch_size": 256, "schedule": "warmup_cosine", "weight_decay": 0.01,
         "augment": {"flip": True, "degrees": 5.0, "scale": (0.95, 1.05)}}),
}


def run(recipe: Recipe, *, seed: int = 0, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train a recipe on the whole training split, score the test split once, and return the payload of a record.

    Arguments:
        recipe: what to run.
        seed: of data, weights and order.
        log: takes lines about the progress.
    """
    dataset = data.load(recipe.data, seed=seed, **recipe.data_options)
    model = build(recipe.model, {**recipe.model_options, "seed": seed})
    options = dict(recipe.fit_options)
    if "augment" in options:
        options["augment"] = training.augment.Augmentation(**options["augment"])
    log(f"{recipe.title}: {models.count(model):,} parameters, {len(dataset.train):,} training examples")
    done = training.fit(model, dataset, seed=seed, **options)
    score = done.score(dataset.test)
    right = round(score.accuracy * score.num_examples)
    interval = metrics.wilson(right, score.num_examples)
    stamp = done.stamp()
    log(f"test accuracy {score.accuracy:.4f} {interval}, {done.seconds:.0f} s on {stamp['device']}")
    log(str(done.cost()))
    curves = {key: [row[key] for row in done.history] for key in done.history[0] if done.history[0][key] is not None}
    return {
        "configuration": {"title": recipe.title, "data": recipe.data, "data_options": recipe.data_options,
                          "model": recipe.model, "model_options": recipe.model_options,
                          "num_parameters": models.count(model), "num_train": len(dataset.train),
                          "num_validation": len(dataset.validation), "num_test": len(dataset.test),
                          "fit_options": recipe.fit_options, "threads": stamp["threads"]},
        "seed": seed, "device": stamp["device"], "precision": stamp["precision"], "seconds": done.seconds,
        "flops": done.flops, "curves": curves, "corpus_sha256": dataset.sha256(),
        "results": {"test_accuracy": score.accuracy, "test_accuracy_interval": list(interval), "test_loss": score.loss,
                    "num_test": score.num_examples,
                    "confusion": metrics.confusion(dataset.test.y, score.predictions, len(dataset.classes)).tolist(),
                    "classes": dataset.classes}}


def main(arguments: list[str] | None = None) -> int:
    """Run one recipe from the command line; the exit status is 0 when its record was written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__)
    parser.add_argument("name", nargs="?", help="a recipe")
    parser.add_argument("--list", action="store_true", help="show the recipes and what is recorded")
    parser.add_argument("--replace", action="store_true", help="replace an existing record")
    chosen = parser.parse_args(arguments)
    if chosen.list or chosen.name is None:
        folder = records.book_folder() / "recorded"
        for name, recipe in RECIPES.items():
            print(f"{name:28} {'recorded' if (folder / f'{name}.json').exists() else '-':9} {recipe.title}")
        return 0
    if chosen.name not in RECIPES:
        near = difflib.get_close_matches(chosen.name, RECIPES, n=1)
        print(f"no recipe is called {chosen.name!r}: "
              + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(RECIPES)}"), file=sys.stderr)
        return 2
    path = records.book_folder() / "recorded" / f"{chosen.name}.json"
    if path.exists() and not chosen.replace:
        print(f"{path.name} is recorded already: pass --replace to run it again", file=sys.stderr)
        return 2
    print(records.save(chosen.name, run(RECIPES[chosen.name]), mine=False, replace=chosen.replace))
    return 0


if __name__ == "__main__":
    sys.exit(main())
