"""The router of Ask Python: words counted, an LSTM and a transformer sort messages to libraries, by number of texts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers import data, device, metrics, models, training
from helpers.data.messages import messages
from helpers.data.text_table import TextTable
from helpers.data.token_files import train_tokeniser

TITLE = "which library is a message about: counted words, an LSTM and a transformer, by number of training texts"
WORDS, LSTM, TRANSFORMER = "counted words", "LSTM", "transformer"
NUM_BINS = 50
NETWORKS: dict[str, dict[str, Any]] = {
    LSTM: {"num_hidden": 64, "forget_bias": 1.0},
    TRANSFORMER: {"num_layers": 1, "d_model": 64, "num_heads": 4, "dropout": 0.2, "pooled": True},
}
SETTINGS: dict[str, Any] = {
    "sizes": [400, 800, 1600, 3200, None],                 # training texts; None takes all
    "epochs": [14, 10, 7, 5, 3],
    "tuned_at": [800, 3200],                               # a size takes the choice of the last of these not above it
    "candidates": {WORDS: [1.0, 3.0, 10.0, 30.0, 100.0],   # C of the logistic regression; learning rates of the others
                   LSTM: [3e-3, 6e-3, 1.2e-2], TRANSFORMER: [1e-3, 2e-3, 4e-3]},
    "seeds": [0, 1, 2], "vocabulary": 2048, "max_tokens": 40, "batch_size": 32, "weight_decay": 0.1,
    "schedule": "warmup_cosine",
}


def network(method: str, vocabulary: int, max_tokens: int, num_classes: int, seed: int) -> torch.nn.Module:
    """The untrained network of one method; token 0 is padding. The embedding of the LSTM starts at a tenth of usual."""
    if method == LSTM:
        model = models.Recurrent(vocabulary, num_outputs=num_classes, padding=0, seed=seed, **NETWORKS[LSTM])
        with torch.no_grad():
            model.embedding.weight.mul_(0.1)
        return model
    return models.Encoder(vocabulary, max_tokens, num_classes, padding=0, seed=seed, **NETWORKS[TRANSFORMER])


def count_words(table: TextTable, choice: float) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Logits of TF-IDF and logistic regression on validation and test, and what the training cost."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    begun = time.perf_counter()
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")     # words and signs
    model = LogisticRegression(C=choice, max_iter=500).fit(words.fit_transform(table.train.texts), table.train.labels)
    spent = {"seconds": time.perf_counter() - begun, "flops": 0.0,
             "num_parameters": model.coef_.size + model.intercept_.size}
    logits = {}
    for name, split in (("validation", table.validation), ("test", table.test)):
        begun = time.perf_counter()
        found = np.full((len(split), len(table.classes)), -30.0)      # a label that was never seen
        found[:, model.classes_] = model.predict_log_proba(words.transform(split.texts))
        logits[name] = torch.from_numpy(found).float()
        spent["milliseconds_per_message"] = 1000 * (time.perf_counter() - begun) / len(split)
    return logits, spent


def train_network(method: str, table: TextTable, lr: float, epochs: int, seed: int, settings: dict[str, Any],
                  ) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Logits of a network on validation and test, and what the training cost."""
    tokeniser = train_tokeniser(table.train.texts, settings["vocabulary"])
    dataset = table.tokens(tokeniser, settings["max_tokens"])
    model = network(method, tokeniser.get_vocab_size(), settings["max_tokens"], len(table.classes), seed)
    watched = replace(dataset, validation=dataset.validation.take(min(100, len(dataset.validation))))
    run = training.fit(model, watched, lr=lr, epochs=epochs, seed=seed,
                       **{key: settings[key] for key in ("batch_size", "weight_decay", "schedule")})
    logits, spent = {}, {"seconds": run.seconds, "flops": run.flops or 0.0, "num_parameters": models.count(model)}
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        begun = time.perf_counter()
        with torch.no_grad():
            logits[name] = torch.cat([model(x.to(next(model.parameters()).device)).float().cpu()
                                      for x in split.x.split(256)])
        spent["milliseconds_per_message"] = 1000 * (time.perf_counter() - begun) / len(split)
    return logits, spent


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The T at which softmax(logits / T) has the least cross-entropy, out of 81 between 0.3 and 10. Source: guo2017."""
    steps = np.geomspace(0.3, 10, 81)
    losses = [float(torch.nn.functional.cross_entropy(logits / float(t), labels)) for t in steps]
    return float(steps[int(np.argmin(losses))])


def interval(right: np.ndarray, groups: list[str]) -> list[float]:
    """95 % interval of the mean of ``right`` when whole groups are drawn again."""
    names, number = np.unique(groups, return_inverse=True)
    rows = np.stack([np.bincount(number, right, len(names)), np.bincount(number, minlength=len(names))], axis=1)
    return list(metrics.bootstrap(rows, lambda some: some[:, 0].sum() / some[:, 1].sum()))


def confidences(logits: Tensor, labels: Tensor, heat: float) -> dict[str, list[int]]:
    """How many right and wrong answers have their confidence in each of 50 equal bins."""
    sure, chosen = (logits / heat).softmax(dim=1).max(dim=1)
    place = (sure * NUM_BINS).long().clamp(max=NUM_BINS - 1)
    return {name: torch.bincount(place[which], minlength=NUM_BINS).tolist()
            for name, which in (("right", chosen == labels), ("wrong", chosen != labels))}


def measure(settings: dict[str, Any] = SETTINGS, table: TextTable | None = None, corpus: str | None = None,
            log: Callable[[str], None] = print) -> dict[str, Any]:
    """Choose on the validation part, then train three methods on each number of texts and score the test part once.

    Arguments:
        settings: sizes, epochs, candidates, seeds and options; ``SETTINGS`` unless for a test.
        table, corpus: texts and their fingerprint; the messages of ``python_docs`` by default.
        log: takes lines about the progress.
    """
    torch.set_num_threads(1)
    if table is None:
        docs = data.load("python_docs", seed=0)
        table, corpus = messages(docs), docs.sha256
    labels = {name: torch.tensor(split.labels) for name, split in table.splits().items()}
    total = {"seconds": 0.0, "flops": 0.0}

    done: dict[tuple[str, int | None, int, float], tuple[dict[str, Tensor], dict[str, Any]]] = {}

    def train(method: str, size: int | None, seed: int, choice: float) -> tuple[dict[str, Tensor], dict[str, Any]]:
        if (method, size, seed, choice) in done:
            return done[method, size, seed, choice]
        part = table.drawn(size, seed=seed)
        if method == WORDS:
            logits, spent = count_words(part, choice)
        else:
            epochs = settings["epochs"][settings["sizes"].index(size)]
            logits, spent = train_network(method, part, choice, epochs, seed, settings)
        for key in total:
            total[key] += spent[key]
        done[method, size, seed, choice] = logits, spent
        return logits, spent

    def share(logits: dict[str, Tensor], name: str) -> float:
        return float((logits[name].argmax(dim=1) == labels[name]).float().mean())

    found: dict[str, Any] = {}
    for method, candidates in settings["candidates"].items():
        tuned = {size: [share(train(method, size, 0, choice)[0], "validation") for choice in candidates]
                 for size in settings["tuned_at"]}
        found[method] = {"tuning": {str(size): accuracies for size, accuracies in tuned.items()}, "chosen": []}
        log(f"{method}: {candidates} → {tuned}")
        for size in settings["sizes"]:
            nearest = [at for at in settings["tuned_at"] if size is None or at <= size][-1:] or settings["tuned_at"][:1]
            found[method]["chosen"].append(candidates[int(np.argmax(tuned[nearest[0]]))])
    right = {}
    for method, row in found.items():
        row |= {key: [] for key in ("validation_accuracy", "test_accuracy", "confidences", "temperature", "seconds",
                                    "milliseconds_per_message", "num_parameters")}
        for size, choice in zip(settings["sizes"], row["chosen"]):
            runs = [train(method, size, seed, choice) for seed in settings["seeds"]]
            for key in ("validation", "test"):
                row[f"{key}_accuracy"].append([share(logits, key) for logits, _ in runs])
            logits, spent = runs[0]
            heat = temperature(logits["validation"], labels["validation"])
            row["temperature"].append(heat)
            row["confidences"].append(confidences(logits["test"], labels["test"], heat))
            for key in ("seconds", "milliseconds_per_message", "num_parameters"):
                row[key].append(spent[key])
            log(f"{method}, {size or len(table.train)} texts: validation {row['validation_accuracy'][-1]}, "
                f"{spent['seconds']:.0f} s")
        logits, _ = runs[0]
        right[method] = (logits["test"].argmax(dim=1) == labels["test"]).numpy().astype(float)
        row["test_interval"] = interval(right[method], table.test.groups)
        if method == WORDS:
            matrix = metrics.confusion(labels["test"], logits["test"].argmax(dim=1), len(table.classes)).tolist()
    best = max(found, key=lambda method: np.mean(found[method]["validation_accuracy"][-1]))
    gaps = {method: {"gap": float(np.mean(right[WORDS] - right[method])),
                     "interval": interval(right[WORDS] - right[method], table.test.groups)}
            for method in found if method != WORDS}
    sizes = [size or len(table.train) for size in settings["sizes"]]
    low, high = found[best]["test_interval"]
    configuration = {"title": TITLE, "data": "python_docs", "data_options": {}, "data_seed": 0, "model": None,
                     "networks": NETWORKS, **settings, "sizes": sizes, "num_validation": len(table.validation),
                     "num_test": len(table.test), "threads": 1}
    curves = {f"{method}, test accuracy": [float(np.mean(seeds)) for seeds in row["test_accuracy"]]
              for method, row in found.items()}
    return {
        "configuration": configuration, "seed": settings["seeds"][0], "precision": "float32", **total,
        "device": device.machine(device.pick()).name, "curves": {"texts": sizes, **curves},
        "corpus_sha256": corpus or table.sha256(),
        "results": {"test_accuracy": found[best]["test_accuracy"][-1][0], "test_accuracy_low": low,
                    "test_accuracy_high": high, "method": best, "methods": found, "words_minus": gaps,
                    "classes": table.classes, "confusion_of_words": matrix,
                    "test_counts": torch.bincount(labels["test"], minlength=len(table.classes)).tolist()},
        "notes": "seconds were measured on a machine that did other work at the same time"}
