"""Augmentation of image batches on their device: mirror, turn, rotate, scale.

Each function takes images x [n, channels, height, width] and a CPU generator, and treats every image of the batch
differently; the same generator state gives the same images on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_IN_CACHE = 90_000  # pixels a thread whose coordinates are computed at once on a CPU, so that they stay in its cache


def flip(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    _check(x)
    return torch.where(_mirrored(x, generator)[:, None, None, None], x.flip(-1), x)


def quarter_turn(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each image by 0, 90, 180 or 270 degrees; every pixel keeps its value.

    Raises:
        ValueError: the images are not square.
    """
    _check(x)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"quarter turns need square images, got {x.shape[-2]}×{x.shape[-1]} pixels")
    turns = torch.randint(0, 4, (len(x),), generator=generator).to(x.device)
    turned = torch.empty_like(x)
    for number in range(4):
        turned[turns == number] = x[turns == number].rot90(number, (-2, -1))
    return turned


def rotate(x: Tensor, generator: torch.Generator, degrees: float = 15.0) -> Tensor:
    """Turn each image by an angle drawn from ±``degrees``; beyond the edge the border is continued."""
    _check(x)
    angle = _uniform(len(x), -degrees, degrees, generator, x)
    return warp(x, angle, torch.ones_like(angle))


def scale(x: Tensor, generator: torch.Generator, low: float = 0.9, high: float = 1.1) -> Tensor:
    """Magnify each image by a factor drawn from [low, high]; beyond the edge the border is continued.

    Raises:
        ValueError: not 0 < low ≤ high.
    """
    _check(x)
    if not 0 < low <= high:
        raise ValueError(f"scale needs 0 < low ≤ high, got low={low!r}, high={high!r}")
    factor = _uniform(len(x), low, high, generator, x)
    return warp(x, torch.zeros_like(factor), factor)


def warp(x: Tensor, degrees: Tensor, factor: Tensor, mirrored: Tensor | None = None) -> Tensor:
    """Mirror image i where ``mirrored[i]``, turn it about its centre by ``degrees[i]``, magnify it by ``factor[i]``.

    All in one map, so each pixel is interpolated once (bilinear); angles are counter-clockwise.

    Raises:
        ValueError: x is no batch of images.
    """
    _check(x)
    height, width = x.shape[-2:]
    degrees = degrees.to(torch.promote_types(x.dtype, torch.float32))
    cos = (torch.cos(degrees * (math.pi / 180)) / factor)[:, None]
    sin = (torch.sin(degrees * (math.pi / 180)) / factor)[:, None]
    side = 1.0 if mirrored is None else 1.0 - 2.0 * mirrored.to(cos.dtype)[:, None]
    u, v = (torch.arange(1 - num, num, 2, device=x.device, dtype=cos.dtype) / num for num in (width, height))
    # Where each pixel's value comes from, in [−1, 1] across and down, is a sum of a part of its column u and a part of
    # its row v; the ratios undo the different units of the axes. As complex numbers both coordinates add in one go.
    columns = torch.complex(side * cos * u, sin * u * (width / height))[:, None, :]
    rows = torch.complex(-side * sin * v * (height / width), cos * v)[:, :, None]
    num, out = len(x), torch.empty_like(x)
    if x.device.type == "cpu":
        num = max(1, torch.get_num_threads() * _IN_CACHE // (height * width))
    for image, place, across, down in zip(*(one.split(num) for one in (x, out, columns, rows)), strict=True):
        grid = torch.view_as_real(across + down).to(x.dtype)
        place.copy_(F.grid_sample(image, grid, padding_mode="border", align_corners=False))
    return out


@dataclass(frozen=True)
class Augmentation:
    """Mirror, turn, rotate and scale in one go, for ``fit(..., augment=Augmentation())``.

    Arguments:
        flip: mirror half of the images.
        degrees: largest angle in either direction.
        scale: smallest and largest factor; with degrees 0 and (1.0, 1.0) no pixel is interpolated.
        quarter_turns: turn each image by a random multiple of 90 degrees (square images).
    """

    flip: bool = True
    degrees: float = 15.0
    scale: tuple[float, float] = (0.9, 1.1)
    quarter_turns: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale needs 0 < low ≤ high, got {self.scale!r}")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Augmented images in the shape of ``x`` [n, channels, height, width]."""
        _check(x)
        still = self.degrees == 0 and self.scale == (1.0, 1.0)
        if self.flip and (still or self.quarter_turns):
            x = flip(x, generator)
        if self.quarter_turns:
            x = quarter_turn(x, generator)
        if still:
            return x
        mirrored = _mirrored(x, generator) if self.flip and not self.quarter_turns else None
        angle = _uniform(len(x), -self.degrees, self.degrees, generator, x)
        return warp(x, angle, _uniform(len(x), *self.scale, generator, x), mirrored)


def _mirrored(x: Tensor, generator: torch.Generator) -> Tensor:
    return _uniform(len(x), 0.0, 1.0, generator, x) < 0.5


def _uniform(num: int, low: float, high: float, generator: torch.Generator, like: Tensor) -> Tensor:
    return (low + (high - low) * torch.rand(num, generator=generator)).to(like.device, like.dtype)


def _check(x: Tensor) -> None:
    if x.ndim != 4:
        raise ValueError(f"augmentation needs images [n, channels, height, width], got {list(x.shape)}")
