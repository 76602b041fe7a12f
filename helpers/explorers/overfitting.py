"""Overfitting and wrong labels apart: recorded runs over label noise, data size, capacity and epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers

WORDS = {
    "noise": "labels", "size": "training examples", "width": "hidden units", "epoch": "epoch",
    "train": "training, labels as given", "validation": "validation, true labels", "accuracy": "accuracy",
    "curves": "While training", "sizes": "True labels, over the data",
    "status": "After epoch {epoch}: {train} of the given training labels, {validation} of the true validation labels. "
              "The best epoch was {best}, with {highest}.",
}


class Overfitting(Explorer):
    """Accuracy on the given training labels and on true validation labels, for every recorded setting.

    Args:
        noises: names of the kinds of labels.
        sizes: numbers of training examples, rising.
        widths: numbers of hidden units, rising.
        train, validation: accuracies [noises, sizes, widths, epochs + 1], in [0, 1].
        source: where the runs come from.

    Raises:
        ValueError: accuracies of another shape.

    Derived in: book/algorithms/schedules_and_regularisation.
    """

    module = "overfitting"

    def __init__(
        self, noises: Sequence[str], sizes: Sequence[int], widths: Sequence[int], train: Any, validation: Any, *,
        source: str = "", id: str | None = None,
    ) -> None:
        wanted = (len(noises), len(sizes), len(widths))
        for name, values in (("train", train), ("validation", validation)):
            shape = np.shape(values)
            if len(shape) != 4 or shape[:3] != wanted:
                raise ValueError(f"Overfitting takes {name} accuracies [{wanted[0]}, {wanted[1]}, {wanted[2]}, "
                                 f"epochs + 1], found the shape {tuple(shape)}.")
        super().__init__({
            "title": "Learned by heart, or taught wrongly?", "words": WORDS, "noises": list(noises),
            "hint": "Begin with true labels and few examples. Then change one thing at a time.",
            "sizes": [int(n) for n in sizes], "widths": [int(n) for n in widths],
            "train": numbers(train, 3), "validation": numbers(validation, 3), "source": source,
        }, id=id)
