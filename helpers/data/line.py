"""Points around a straight line."""

from __future__ import annotations

from dataclasses import replace

import torch

from helpers.data.base import Card, Dataset, Split

CARD = Card(
    name="line", title="Points around a straight line",
    origin="generated: x uniform in [0, 10], y = slope · x + intercept + normal noise",
    licence="MIT, as the code", size="60 / 20 / 20 points, one input, one target", real="simulated",
    limits="the true line is known, the noise has the same spread everywhere, and nothing lies far outside")


def load(*, slope: float = 2.0, intercept: float = 0.0, noise: float = 1.0, num_examples: int = 100,
         seed: int = 0) -> Dataset:
    """Draw points around a line, split 60 / 20 / 20.

    Arguments:
        slope, intercept: of the true line, in units of y (per unit of x).
        noise: standard deviation of y around the line, unit of y.
        num_examples: points in all three splits together, at least 10.

    Returns:
        a data set with x and y of shape [n, 1], float32.

    Raises:
        ValueError: fewer than 10 examples or negative noise.
    """
    if num_examples < 10:
        raise ValueError(f"num_examples must be at least 10, found {num_examples}")
    if not noise >= 0:
        raise ValueError(f"noise is a standard deviation and cannot be negative, found {noise}")
    generator = torch.Generator().manual_seed(seed)
    x = 10 * torch.rand(num_examples, 1, generator=generator)
    y = slope * x + intercept + noise * torch.randn(num_examples, 1, generator=generator)
    num_validation = num_test = num_examples // 5
    num_train = num_examples - num_validation - num_test
    parts = [Split(a, b) for a, b in zip(x.split([num_train, num_validation, num_test]),
                                         y.split([num_train, num_validation, num_test]))]
    card = replace(CARD, size=f"{num_train} / {num_validation} / {num_test} points, one input, one target")
    return Dataset(*parts, card)
