"""Points in the plane in two classes that no straight line separates: two moons, two arms of a spiral."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.data.base import Card, Dataset, Split

MOONS = Card(
    name="moons", title="Two moons in the plane",
    origin="generated: two half circles of radius 1, the second one shifted by (1, 0.5) and upside down, with normal "
           "noise on both coordinates, then centred",
    licence="MIT, as the code", size="300 / 100 / 100 points, two inputs, 2 classes", real="simulated",
    limits="equal classes, equal noise everywhere, and nothing between the two shapes")
SPIRAL = Card(
    name="spiral", title="Two arms of a spiral in the plane",
    origin="generated: two arms whose radius grows from 0.2 to 2 with the angle, the second one turned by half a "
           "turn, with normal noise on both coordinates",
    licence="MIT, as the code", size="300 / 100 / 100 points, two inputs, 2 classes", real="simulated",
    limits="equal classes, equal noise everywhere; a shape chosen to be hard for straight lines")
CLASSES = {"moons": ["upper", "lower"], "spiral": ["first arm", "second arm"]}


def moons(*, noise: float = 0.15, num_examples: int = 500, seed: int = 0) -> Dataset:
    """Draw two interleaving half circles, split 60 / 20 / 20.

    Arguments:
        noise: standard deviation on each coordinate; the moons have radius 1.
        num_examples: points in all three splits together, at least 10.

    Returns:
        a data set with x [n, 2], float32, and class numbers y [n].

    Raises:
        ValueError: fewer than 10 examples or negative noise.
    """
    def place(share: Tensor, label: Tensor) -> Tensor:
        angle, sign = math.pi * share, 1.0 - 2.0 * label
        return torch.stack([sign * angle.cos() + label - 0.5, sign * angle.sin() + 0.5 * label - 0.25], dim=1)

    return _draw(place, MOONS, noise, num_examples, seed)


def spiral(*, turns: float = 1.0, noise: float = 0.08, num_examples: int = 500, seed: int = 0) -> Dataset:
    """Draw two arms of a spiral, split 60 / 20 / 20.

    Arguments:
        turns: how often an arm goes around, above 0.
        noise: standard deviation on each coordinate; the arms reach a radius of 2.
        num_examples: points in all three splits together, at least 10.

    Returns:
        a data set with x [n, 2], float32, and class numbers y [n].

    Raises:
        ValueError: fewer than 10 examples, negative noise, or turns not above 0.
    """
    if not turns > 0:
        raise ValueError(f"turns must be above 0, found {turns}")

    def place(share: Tensor, label: Tensor) -> Tensor:
        share = share.sqrt()                              # as many points outside as their arm is longer there
        radius, angle = 0.2 + 1.8 * share, 2 * math.pi * turns * share + math.pi * label
        return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)

    return _draw(place, SPIRAL, noise, num_examples, seed)


def _draw(place: Callable[[Tensor, Tensor], Tensor], card: Card, noise: float, num_examples: int, seed: int) -> Dataset:
    """Points at ``place(share of the way, label)`` with noise, in random order."""
    if num_examples < 10:
        raise ValueError(f"num_examples must be at least 10, found {num_examples}")
    if not noise >= 0:
        raise ValueError(f"noise is a standard deviation and cannot be negative, found {noise}")
    generator = torch.Generator().manual_seed(seed)
    label = (torch.arange(num_examples) % 2)[torch.randperm(num_examples, generator=generator)]
    x = place(torch.rand(num_examples, generator=generator), label.float())
    x = x + noise * torch.randn(num_examples, 2, generator=generator)
    num_test = num_examples // 5
    sizes = [num_examples - 2 * num_test, num_test, num_test]
    parts = [Split(a, b) for a, b in zip(x.split(sizes), label.split(sizes))]
    size = " / ".join(f"{n:,}" for n in sizes) + " points, two inputs, 2 classes"
    return Dataset(*parts, replace(card, size=size), CLASSES[card.name])
