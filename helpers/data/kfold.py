"""Folds for cross-validation: every example is validated once, and related examples stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def folds(num_examples: int, num_folds: int, *, groups: Sequence[object] | np.ndarray | None = None,
          seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Deal examples, or whole groups of them, to folds in random order.

    Derived in: book/algorithms/hyperparameter_search.

    Arguments:
        num_examples: how many examples there are.
        num_folds: how many folds, at least 2.
        groups: optional, one value an example: examples with equal values come into the same fold.
        seed: of the order; the global generators stay as they were.

    Returns:
        for each fold the rows to train on and the rows to validate on, both ascending.

    Raises:
        ValueError: fewer than two folds, more folds than examples or groups, or not one group value an example.
    """
    if num_folds < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, found num_folds={num_folds}")
    if num_folds > num_examples:
        raise ValueError(f"{num_folds} folds are more than the {num_examples} examples: "
                         f"take num_folds of at most {num_examples}")
    if groups is None:
        number = np.arange(num_examples)
    else:
        if len(groups) != num_examples:
            raise ValueError(f"groups needs one value for each of the {num_examples} examples, found {len(groups)}")
        number = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    sizes = np.bincount(number)
    if num_folds > len(sizes):
        raise ValueError(f"{num_folds} folds are more than the {len(sizes)} groups, and a group is never divided: "
                         f"take num_folds of at most {len(sizes)}")
    order = np.random.default_rng([seed, 11]).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]               # the largest groups first
    filled, fold_of = np.zeros(num_folds, int), np.zeros(len(sizes), int)
    for group in order:                                                   # each into the emptiest fold
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    fold = fold_of[number]
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(num_folds)]
