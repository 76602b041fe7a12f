"""``training.augment`` on a batch of 64 images of 150 × 150 against mirror, turn and scale image by image in PIL.

PIL gets its images ready made and both get bilinear interpolation, once a pixel; what comes out is a batch of floats.
The usual chain, which rotates and then scales, interpolates twice; it is shown beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from helpers.training import augment

NUM_IMAGES, SIZE = 64, 150
DEGREES, FACTORS = 15.0, (0.9, 1.1)
NUM_BATCHES = 4
GOAL = 3.0  # times faster than PIL with one map
SAME = 2.5 / 255  # largest difference in the middle of the images: PIL rounds to 8 bits
TASKS = {"grey": 1, "colour": 3}  # name → channels


def images(task: str) -> Tensor:
    """Smooth noise in [0, 1] that 8 bits can hold, [64, channels, 150, 150]."""
    noise = torch.rand(NUM_IMAGES, TASKS[task], SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return (F.avg_pool2d(noise, 9, 1, 4, count_include_pad=False) * 255).round() / 255


def batch(task: str) -> Callable[[], float]:
    """The whole batch at once; returns the mean of the last one."""
    x, change = images(task), augment.Augmentation(flip=True, degrees=DEGREES, scale=FACTORS)
    return lambda: _repeat(lambda generator: change(x, generator))


def pil(task: str) -> Callable[[], float]:
    """Image by image in PIL, mirrored and then one map."""
    return _in_turn(task, _one_map)


def pil_twice(task: str) -> Callable[[], float]:
    """Image by image in PIL, mirrored, rotated, then scaled."""
    return _in_turn(task, _two_maps)


def difference(task: str) -> float:
    """Largest difference between the batch and PIL with one map, away from the edges."""
    ready, x = _ready(task), images(task)
    change = augment.Augmentation(flip=True, degrees=DEGREES, scale=FACTORS)
    both = change(x, _generator(0)) - _each(ready, _one_map, _generator(0))
    inside = slice(SIZE // 4, -(SIZE // 4))
    return float(both[..., inside, inside].abs().max())


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _repeat(work: Callable[[torch.Generator], Tensor]) -> float:
    for number in range(NUM_BATCHES):
        out = work(_generator(number))
    return float(out.mean())


def _in_turn(task: str, change: Callable[..., Image.Image]) -> Callable[[], float]:
    ready = _ready(task)
    return lambda: _repeat(lambda generator: _each(ready, change, generator))


def _ready(task: str) -> list[Image.Image]:
    pixels = (images(task) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(one.squeeze()) for one in pixels]


def _each(ready: list[Image.Image], change: Callable[..., Image.Image], generator: torch.Generator) -> Tensor:
    """A batch from PIL; the random numbers are those of the batch, drawn at once."""
    mirrored = (torch.rand(NUM_IMAGES, generator=generator) < 0.5).tolist()
    degrees = (-DEGREES + 2 * DEGREES * torch.rand(NUM_IMAGES, generator=generator)).tolist()
    low, high = FACTORS
    factors = (low + (high - low) * torch.rand(NUM_IMAGES, generator=generator)).tolist()
    done = []
    for image, mirror, angle, factor in zip(ready, mirrored, degrees, factors, strict=True):
        if mirror:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        done.append(np.asarray(change(image, angle, factor)))
    pixels = torch.from_numpy(np.stack(done)).view(NUM_IMAGES, SIZE, SIZE, -1)
    return pixels.permute(0, 3, 1, 2).float().div_(255).contiguous()


def _one_map(image: Image.Image, degrees: float, factor: float) -> Image.Image:
    cos, sin = (function(math.radians(degrees)) / factor for function in (math.cos, math.sin))
    middle = SIZE / 2
    numbers = (cos, -sin, middle * (1 - cos + sin), sin, cos, middle * (1 - sin - cos))
    return image.transform(image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)


def _two_maps(image: Image.Image, degrees: float, factor: float) -> Image.Image:
    shift = SIZE / 2 * (1 - 1 / factor)
    numbers = (1 / factor, 0, shift, 0, 1 / factor, shift)
    turned = image.rotate(degrees, Image.Resampling.BILINEAR)
    return turned.transform(image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)


CASES = {"one batch": batch, "PIL, one map": pil, "PIL, rotate then scale": pil_twice}
