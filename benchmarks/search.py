"""The table behind the chapter on hyperparameter search: every configuration of a grid trained, validated and tested.

Searches then draw from the table instead of training, so that hundreds of them can be compared at one price.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from helpers import data, device, models, training

TITLE = "a network of one hidden layer on 400 digits: learning rate × width × weight decay × seed, by epochs"
LRS = np.geomspace(1e-4, 1, 21).tolist()
WIDTHS = (4, 8, 16, 32, 64)
DECAYS = np.geomspace(1e-3, 10, 5).tolist()
SEEDS = (0, 1, 2)
RUNGS = (1, 3, 9, 27)                     # epochs after which the validation part was read
SHARES = (0.22, 0.138, 0.642)             # few labels for training and validation; the large test part shows the truth
REPEATS, TRIALS = 20, 36                  # of the recorded searches by optuna


def few_digits() -> data.Dataset:
    """Return the digits with few training and validation examples; equal images lie in one split."""
    whole = data.load("digits")
    parts = list(whole.splits().values())
    x, y, groups = (torch.cat([getattr(part, name) for part in parts]) for name in ("x", "y", "groups"))
    rows = data.split_indices(groups.tolist(), SHARES, labels=y.numpy(), seed=0)
    splits = [data.Split(x[index], y[index], groups[index]) for index in map(torch.as_tensor, rows)]
    return data.Dataset(*splits, whole.card, whole.classes)


def table(dataset: data.Dataset, lrs: Sequence[float], widths: Sequence[int], decays: Sequence[float],
          seeds: Sequence[int], rungs: Sequence[int]) -> dict[str, Any]:
    """Train every configuration with every seed.

    Returns:
        ``validation_right`` [configurations][seeds][rungs] and ``test_right`` [configurations][seeds], numbers of right
        answers; configuration (i, j, k) of learning rate, width and decay has number (i · widths + j) · decays + k.
        ``epoch_flops``: FLOP of one epoch of training for each width. ``flops``: of all training and validation.
    """
    shape = (len(lrs), len(widths), len(decays), len(seeds))
    validation, test = np.zeros((*shape, len(rungs)), int), np.zeros(shape, int)
    flops = 0.0
    for j, width in enumerate(widths):
        for k, decay in enumerate(decays):
            sweep = training.sweep(lambda seed, width=width: models.MLP(64, [width], 10, seed=seed), dataset, lrs=lrs,
                                   seeds=seeds, epochs=max(rungs), batch_size=32, weight_decay=decay,
                                   keep_parameters=True)
            accuracy = sweep.validation_accuracy[:, list(rungs)].double() * len(dataset.validation)
            validation[:, j, k] = accuracy.round().long().numpy().reshape(shape[0], shape[3], -1)
            test[:, j, k] = np.reshape([_right(sweep, member, dataset.test) for member in range(len(sweep.lrs))],
                                       (shape[0], shape[3]))
            flops += sweep.flops
            print(f"width {width}, decay {decay:g}: {sweep.seconds:.1f} s", flush=True)
    num = shape[0] * shape[1] * shape[2]
    weights = [64 * width + width * 10 for width in widths]
    return {"validation_right": validation.reshape(num, shape[3], -1).tolist(), "flops": flops,
            "test_right": test.reshape(num, shape[3]).tolist(),
            "epoch_flops": [6 * number * len(dataset.train) for number in weights]}


def _right(sweep: training.Sweep, member: int, split: data.Split) -> int:
    """Number of right answers of one network after its last epoch; 0 where it has diverged."""
    if not torch.isfinite(sweep.validation_loss[member, -1]):
        return 0
    with torch.no_grad():
        return int((sweep.model(member)(split.x).argmax(1) == split.y).sum())


def optuna_paths(found: dict[str, Any], lrs: Sequence[float], widths: Sequence[int], decays: Sequence[float],
                 repeats: int, trials: int) -> list[list[list[int]]]:
    """Configurations that optuna's default search asks for, [number of axes − 1][repeat][trial].

    The searched axes are learning rate, then width, then decay; an axis that is not searched stays in the middle.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    right = found["validation_right"]
    axes = [("lr", lrs), ("width", widths), ("decay", decays)]

    def one(num_axes: int, repeat: int) -> list[int]:
        path: list[int] = []

        def objective(trial: optuna.Trial) -> int:
            cell = 0
            for position, (name, values) in enumerate(axes):
                place = len(values) // 2
                if position < num_axes:
                    value = trial.suggest_float(name, values[0], values[-1], log=True)
                    place = int(np.abs(np.log(np.asarray(values) / value)).argmin())
                cell = cell * len(values) + place
            path.append(cell)
            return right[cell][(trial.number + repeat) % len(right[cell])][-1]

        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=repeat))
        study.optimize(objective, n_trials=trials)
        return path

    return [[one(num_axes, repeat) for repeat in range(repeats)] for num_axes in (1, 2, 3)]


def measure() -> dict[str, Any]:
    """Fill the table, let optuna search in it, and return the payload of a record."""
    import optuna

    dataset, begun = few_digits(), time.perf_counter()
    found = table(dataset, LRS, WIDTHS, DECAYS, SEEDS, RUNGS)
    seconds = time.perf_counter() - begun
    best = np.max(found["validation_right"], axis=0).mean(0) / len(dataset.validation)    # mean over the seeds
    paths = optuna_paths(found, LRS, WIDTHS, DECAYS, REPEATS, TRIALS)
    configuration = {
        "title": TITLE, "data": "digits", "data_options": {}, "data_seed": 0, "model": None,
        "network": "MLP(64, [width], 10)", "lrs": LRS, "widths": list(WIDTHS), "decays": DECAYS, "seeds": list(SEEDS),
        "rungs": list(RUNGS), "batch_size": 32, "optimiser": "adamw", "schedule": "constant",
        "num_train": len(dataset.train), "num_validation": len(dataset.validation), "num_test": len(dataset.test),
        "optuna": optuna.__version__,
    }
    return {
        "configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
        "precision": "float32", "seconds": seconds, "flops": found.pop("flops"), "corpus_sha256": dataset.sha256(),
        "curves": {"epochs": list(RUNGS), "best_validation_accuracy": best.tolist()},
        "results": {**found, "optuna_paths": paths},
    }
