"""Recorded runs: ``python -m benchmarks.record NAME`` trains for real and writes book/recorded/NAME.json.

``python -m benchmarks.record --list`` shows the recipes. Nothing in book/recorded/ is typed by hand.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from benchmarks import (
    broken,
    convolution,
    distributed,
    family,
    inference,
    language,
    memory,
    mixture,
    quality,
    reader,
    retrieval,
    router,
    search,
    service,
    tokeniser,
    tuning,
    verifier,
    widths,
)
from helpers import data, metrics, models, records, training

SURFACES = {"num_per_class": 800}
SURFACES_SEED = 2026          # fixed before anybody saw its pictures: the recipes were found on seed 0
EXACT_TURNS = {"flip": True, "degrees": 0.0, "scale": (1.0, 1.0), "quarter_turns": True}
SMALL_CNN = {"in_channels": 3, "channels": [8, 16, 32, 64], "num_outputs": 1, "image_size": 150, "hidden": None,
             "global_pool": True, "batch_norm": True, "shrink": 2}
DOCUMENTS_CNN = {"in_channels": 3, "channels": [32, 64, 128], "num_outputs": 1, "image_size": 150, "hidden": 128,
                 "padding": "valid"}
TRANSFORMER_PARTS = {
    "none": {}, "rotary positions": {"positions": "rotary"}, "RMS norm": {"norm": "rms"},
    "gated units": {"feed_forward": "swiglu"}, "grouped queries": {"num_kv_heads": 2},
    "normed queries and keys": {"normed_queries": True},
    "all": {"positions": "rotary", "norm": "rms", "feed_forward": "swiglu", "num_kv_heads": 2, "normed_queries": True},
}


@dataclass(frozen=True)
class Recipe:
    """One recorded run: what it shows, the classes and arguments that build it, and its options.

    Arguments:
        title: what the run shows, in words.
        data, data_options: name and options for ``data.load``.
        model, model_options: class in ``helpers.models`` and its arguments.
        fit_options: for ``training.fit``; ``augment`` is a dict of arguments for ``Augmentation``.
        features: "pixel_statistics" gives the model these numbers instead of the pictures; None gives the pictures.
        data_seed: of the examples, where they are generated, and of their split.
    """

    title: str
    data: str
    data_options: dict[str, Any]
    model: str
    model_options: dict[str, Any]
    fit_options: dict[str, Any]
    features: str | None = None
    data_seed: int = 0

    def build(self) -> nn.Module:
        """Return the untrained model."""
        return build(self.model, self.model_options)


@dataclass(frozen=True)
class Grid(Recipe):
    """The same training under several settings, each with several seeds; only train and validation are used.

    Arguments:
        variants: name → what differs from ``fit_options``; ``num_train`` gives each seed so many training examples
            of its own, in blocks that do not overlap; ``model`` holds what differs from ``model_options``.
        seeds: of weights and order.
    """

    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Measurement:
    """A recorded run that measures something else than one training.

    Arguments:
        title: what the run shows, in words.
        measure: runs and returns the payload of a record, with None as the configuration's model.
    """

    title: str
    measure: Callable[[], dict[str, Any]]


def build(model: str, options: dict[str, Any]) -> nn.Module:
    """Return an untrained model from the class name and the arguments that a record's configuration holds."""
    return getattr(models, model)(**options)


RECIPES: dict[str, Recipe | Measurement] = {
    verifier.NAME: Measurement(verifier.TITLE, verifier.measure),
    "broken-runs": Measurement(broken.TITLE, broken.measure),
    "rates-over-width": Measurement(widths.TITLE, widths.measure),
    "ask-python-retrieval": Measurement(retrieval.TITLE, retrieval.measure),
    "ask-python-router": Measurement(router.TITLE, router.measure),
    "ask-python-service": Measurement(service.TITLE, service.measure),
    "ask-python-language-model": Measurement(language.TITLE, language.measure),
    "ask-python-15m": Measurement(language.LARGE_TITLE, language.measure_large),
    "convolution-contest": Measurement(convolution.TITLE, convolution.measure),
    "glyph-reader": Measurement(reader.TITLE, reader.measure),
    "data-quality": Measurement(quality.TITLE, quality.measure),
    "inference-sampling": Measurement(inference.TITLE, inference.measure),
    "scaling-out": Measurement(distributed.TITLE, distributed.measure),
    "scaling-family": Measurement(family.TITLE, family.measure),
    "memory-length": Measurement(memory.TITLE, memory.measure),
    "tokeniser-2048": Measurement(tokeniser.TITLE, tokeniser.measure),
    "fine-tuning": Measurement(tuning.TITLE, tuning.measure),
    "experts-against-dense": Measurement(mixture.TITLE, mixture.measure),
    "search-table-digits": Measurement(search.TITLE, search.measure),
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
    "small-cnn-surfaces": Recipe(
        "the small network on 150 × 150 surfaces", "surfaces", SURFACES, "CNN", SMALL_CNN,
        {"lr": 4e-3, "epochs": 10, "batch_size": 32, "schedule": "cosine", "augment": EXACT_TURNS},
        data_seed=SURFACES_SEED),
    "pixel-statistics-surfaces": Recipe(
        "eleven numbers without places, on the same surfaces", "surfaces", SURFACES, "Linear",
        {"num_inputs": 11, "num_outputs": 1},
        {"lr": 0.3, "epochs": 1000, "batch_size": None, "schedule": "cosine"}, features="pixel_statistics",
        data_seed=SURFACES_SEED),
    "documents-cnn-surfaces": Recipe(
        "the documents' network on 150 × 150 surfaces, trained as printed", "surfaces", SURFACES, "CNN", DOCUMENTS_CNN,
        {"lr": 1e-3, "epochs": 10, "batch_size": 32, "optimiser": "adam"}, data_seed=SURFACES_SEED),
    "documents-cnn-mended": Recipe(
        "the documents' network, trained as the small one is", "surfaces", SURFACES, "CNN", DOCUMENTS_CNN,
        {"lr": 1e-3, "epochs": 10, "batch_size": 32, "schedule": "cosine", "augment": EXACT_TURNS},
        data_seed=SURFACES_SEED),
    "learning-rates-surfaces": Grid(
        "learning rates of the small network", "surfaces", {"num_per_class": 300}, "CNN", SMALL_CNN,
        {"epochs": 16, "batch_size": 32},
        variants={f"{lr:.0e}": {"lr": lr} for lr in (1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 3e-2, 1e-1, 3e-1)}),
    "augmentation-surfaces": Grid(
        "with and without augmentation, few images and many", "surfaces", SURFACES, "CNN", SMALL_CNN,
        {"lr": 4e-3, "batch_size": 32, "schedule": "cosine"},
        variants={f"{num} images, {name}": {"num_train": num, "epochs": epochs, "augment": augment}
                  for num, epochs in ((60, 40), (220, 16))
                  for name, augment in (("as they are", None), ("mirrored and turned", EXACT_TURNS),
                                        ("tilted and scaled", {"flip": False, "degrees": 15.0, "scale": (0.9, 1.1)}))},
        seeds=(0, 1, 2, 3, 4), data_seed=SURFACES_SEED),
    "transformer-parts": Grid(
        "parts of a small decoder, each switched on alone, on real Python code", "python_stdlib",
        {"context": 64, "num_train": 6400, "num_held_out": 500}, "Decoder",
        {"vocabulary": 97, "context": 64, "num_layers": 2, "d_model": 64, "num_heads": 4, "positions": "learned",
         "norm": "layer"},
        {"lr": 3e-3, "epochs": 1, "batch_size": 32, "schedule": "warmup_cosine"},
        variants={name: {"model": part} for name, part in TRANSFORMER_PARTS.items()}, seeds=(0, 1, 2)),
}


def pixel_statistics(dataset: data.Dataset) -> data.Dataset:
    """Return mean, spread and nine quantiles of the grey values of each picture, scaled by the training split [n, 11].

    The chapter book/project/image_classifier writes it out.
    """
    levels = torch.tensor([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
    found = {}
    for name, split in dataset.splits().items():
        grey = split.x.mean(1).flatten(1)
        parts = [torch.quantile(some, levels, dim=1).T for some in grey.split(64)]
        found[name] = torch.cat([grey.mean(1, True), grey.std(1, keepdim=True), torch.cat(parts)], 1)
    mean, std = found["train"].mean(0), found["train"].std(0)
    splits = [data.Split((found[name] - mean) / std, split.y) for name, split in dataset.splits().items()]
    return data.Dataset(*splits, dataset.card, dataset.classes)


FEATURES = {"pixel_statistics": pixel_statistics}


def run(recipe: Recipe, *, seed: int = 0, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train a recipe on the whole training split, score the test split once, and return the payload of a record.

    Arguments:
        recipe: what to run.
        seed: of weights and order.
        log: takes lines about the progress.
    """
    pictures = data.load(recipe.data, seed=recipe.data_seed, **recipe.data_options)
    dataset = FEATURES[recipe.features](pictures) if recipe.features else pictures
    model = build(recipe.model, {**recipe.model_options, "seed": seed})
    log(f"{recipe.title}: {models.count(model):,} parameters, {len(dataset.train):,} training examples")
    done = training.fit(model, dataset, seed=seed, **_fit_options(recipe.fit_options))
    score = done.score(dataset.test)
    right = round(score.accuracy * score.num_examples)
    interval = metrics.wilson(right, score.num_examples)
    stamp = done.stamp()
    log(f"test accuracy {score.accuracy:.4f} {interval}, {done.seconds:.0f} s on {stamp['device']}")
    log(str(done.cost()))
    curves = {key: [row[key] for row in done.history] for key in done.history[0] if done.history[0][key] is not None}
    results = {"test_accuracy": score.accuracy, "test_accuracy_interval": list(interval), "test_loss": score.loss,
               "num_test": score.num_examples,
               "confusion": metrics.confusion(dataset.test.y, score.predictions, len(dataset.classes)).tolist(),
               "classes": dataset.classes}
    if len(dataset.classes) == 2:                    # so that two networks can be compared image by image
        results |= {"test_labels": dataset.test.y.tolist(), "test_predictions": score.predictions.tolist()}
    return {
        "configuration": _configuration(recipe, dataset, models.count(model), stamp["threads"]),
        "seed": seed, "device": stamp["device"], "precision": stamp["precision"], "seconds": done.seconds,
        "flops": done.flops, "curves": curves, "corpus_sha256": pictures.sha256(), "results": results}


def run_grid(grid: Grid, *, log: Callable[[str], None] = print) -> dict[str, Any]:
    """Train every variant with every seed, and return the payload of a record.

    Arguments:
        grid: what to run.
        log: takes lines about the progress.
    """
    dataset = data.load(grid.data, seed=grid.data_seed, **grid.data_options)
    curves, found, seconds, flops = {}, {}, 0.0, 0.0
    for name, changes in grid.variants.items():
        options = _fit_options({**grid.fit_options, **changes})
        num_train = options.pop("num_train", None)
        shape = {**grid.model_options, **options.pop("model", {})}
        found[name] = {"validation_loss": [], "validation_accuracy": [], "train_accuracy": []}
        for position, start in enumerate(grid.seeds):
            train = _block(dataset.train, position, num_train) if num_train else dataset.train
            part = data.Dataset(train, dataset.validation, dataset.test, dataset.card, dataset.classes)
            done = training.fit(build(grid.model, {**shape, "seed": start}), part, seed=start, **options)
            for key in ("train_loss", "validation_loss", "validation_accuracy"):
                curves[f"{name}, seed {start}, {key}"] = [row[key] for row in done.history]
            for key, values in found[name].items():
                values.append(done.history[-1][key])
            seconds, flops = seconds + done.seconds, flops + (done.flops or 0)
            log(f"{name}, seed {start}: validation accuracy {found[name]['validation_accuracy'][-1]:.3f}")
    stamp = done.stamp()
    configuration = _configuration(grid, dataset, models.count(grid.build()), stamp["threads"])
    return {
        "configuration": configuration | {"variants": grid.variants, "seeds": list(grid.seeds)},
        "seed": grid.seeds[0],
        "device": stamp["device"], "precision": stamp["precision"], "seconds": seconds, "flops": flops,
        "curves": curves, "corpus_sha256": dataset.sha256(), "results": {"variants": found}}


def _block(split: data.Split, position: int, num: int) -> data.Split:
    """Block number ``position`` of ``num`` examples each."""
    rows = slice(position * num, (position + 1) * num)
    if rows.stop > len(split):
        raise ValueError(f"{position + 1} blocks of {num} examples do not fit into {len(split)}: take fewer")
    return data.Split(split.x[rows], split.y[rows])


def _fit_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options for ``training.fit`` from the plain values of a recipe."""
    augment = options.get("augment")
    return {**options, "augment": training.augment.Augmentation(**augment) if augment else None}


def _configuration(recipe: Recipe, dataset: data.Dataset, num_parameters: int, threads: int) -> dict[str, Any]:
    return {"title": recipe.title, "data": recipe.data, "data_options": recipe.data_options,
            "data_seed": recipe.data_seed, "model": recipe.model, "model_options": recipe.model_options,
            "num_parameters": num_parameters,
            "num_train": len(dataset.train), "num_validation": len(dataset.validation),
            "num_test": len(dataset.test), "fit_options": recipe.fit_options, "features": recipe.features,
            "threads": threads}


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
    recipe = RECIPES[chosen.name]
    if isinstance(recipe, Measurement):
        payload = recipe.measure()
    else:
        payload = run_grid(recipe) if isinstance(recipe, Grid) else run(recipe)
    print(records.save(chosen.name, payload, mine=False, replace=chosen.replace))
    return 0


if __name__ == "__main__":
    sys.exit(main())
