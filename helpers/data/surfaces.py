"""Simulated surface inspection: brushed metal, good or scratched, as a camera above a line might see it."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from helpers.data.base import Card, Dataset, Split

CLASSES = ["good", "scratched"]
SPLITS = ("train", "validation", "test")
CARD = Card(
    name="surfaces", title="Simulated surface inspection",
    origin="generated: each image draws its own grain (direction, length, strength), light, tint, stains, machining "
           "lines and specks of dust, in both classes alike; class 1 adds one to three scratches, a cluster of pits, "
           "or both, of varying contrast, some of them hardly visible",
    licence="MIT, as the code", size="420 / 90 / 90 images of 3 × 150 × 150 values in [0, 1], 2 classes, half each",
    real="simulated",
    limits="no camera took these: real surfaces have other defects, rarer ones (here half of all), glare, dirt on the "
           "lens and borderline cases on which inspectors disagree; the score says nothing about a real line")


def _grain(rng: np.random.Generator, size: int, angle: float, length: int) -> np.ndarray:
    """Return noise [size, size] of spread 1, smeared over ``length`` pixels in direction ``angle`` (radians)."""
    from PIL import Image
    wide = int(1.5 * size) + 2
    sums = rng.standard_normal((wide, wide + length), dtype=np.float32).cumsum(axis=1)
    streaks = (sums[:, length:] - sums[:, :-length]) / np.sqrt(length)
    turned = np.asarray(Image.fromarray(streaks).rotate(np.degrees(angle), resample=Image.Resampling.BILINEAR))
    edge = (wide - size) // 2
    return turned[edge:edge + size, edge:edge + size]


def _blob(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return a soft ellipse [size, size] of height 1 at a random place, radii between low and high (pixels)."""
    size = rows.shape[0]
    row, column = rng.uniform(0, size, 2)
    radius_r, radius_c = rng.uniform(low, high, 2)
    return np.exp(-((rows[:, :1] - row) / radius_r) ** 2) * np.exp(-((columns[:1] - column) / radius_c) ** 2)


def _scratch(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return one curved stroke with a bright core and a dark side, [size, size], height about 1."""
    from PIL import Image, ImageDraw
    scale, factor = size / 150, 3
    start, heading = rng.uniform(0.15, 0.85, 2) * size, rng.uniform(0, 2 * np.pi)
    reach, bow = rng.uniform(25, 90) * scale, rng.normal(0, 0.12)
    direction = np.array([np.cos(heading), np.sin(heading)])
    normal = np.array([-direction[1], direction[0]])
    t = np.linspace(-0.5, 0.5, 12)[:, None]
    points = (start + reach * (t * direction + bow * (1 - 4 * t**2) * normal)) * factor
    image = Image.new("L", (size * factor, size * factor))
    ImageDraw.Draw(image).line([tuple(p) for p in points], fill=255, width=max(1, round(rng.uniform(3, 6) * scale)),
                               joint="curve")
    core = np.asarray(image.reduce(factor), dtype=np.float32) / 255
    step = np.round(normal * 1.6).astype(int)
    return core - 0.7 * np.roll(core, (step[1], step[0]), axis=(0, 1))


def _pits(rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return a cluster of small dark holes, each with a bright rim on one side, [size, size]."""
    size = rows.shape[0]
    scale = size / 150
    centre, light = rng.uniform(0.12, 0.88, 2) * size, rng.uniform(0, 2 * np.pi)
    field = np.zeros_like(rows)
    for _ in range(rng.integers(4, 11)):
        row, column = centre + rng.normal(0, 9 * scale, 2)
        radius = rng.uniform(1.3, 3.2) * scale
        distance = ((rows - row) ** 2 + (columns - column) ** 2) / radius**2
        lit_row, lit_column = row + radius * np.sin(light), column + radius * np.cos(light)
        lit = ((rows - lit_row) ** 2 + (columns - lit_column) ** 2) / radius**2
        field += 0.7 * np.exp(-lit) - np.exp(-distance**2)
    return field


def draw(index: int, scratched: bool, *, size: int = 150, seed: int = 0) -> np.ndarray:
    """Draw one surface: uint8 [size, size, 3]; it depends on (seed, index, scratched) only."""
    rng = np.random.default_rng([seed, index, int(scratched), 3])
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    scale, angle = size / 150, rng.uniform(-np.pi / 2, np.pi / 2)
    grey = rng.uniform(0.38, 0.68) + rng.uniform(0.01, 0.03) * _grain(rng, size, angle, int(rng.integers(12, 60)))
    grey += rng.uniform(-0.1, 0.1) * (rows / size - 0.5) + rng.uniform(-0.1, 0.1) * (columns / size - 0.5)
    for _ in range(rng.integers(0, 4)):                                              # stains
        grey += rng.uniform(-0.1, 0.1) * _blob(rng, rows, columns, 8 * scale, 35 * scale)
    if rng.random() < 0.6:                                                           # machining lines, all across
        turn, period = angle + rng.normal(0, 0.05), rng.uniform(6, 18) * scale
        wave = np.cos(2 * np.pi * (rows * np.cos(turn) + columns * np.sin(turn)) / period + rng.uniform(0, 6))
        grey += rng.uniform(0.01, 0.05) * np.maximum(wave, 0) ** 4
    for _ in range(rng.integers(2, 8)):                                              # dust, as strong as any defect
        dust = _blob(rng, rows, columns, 0.9 * scale, 2.4 * scale)
        grey += rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.08), np.log(0.45))) * dust
    if scratched:
        kind = rng.random()
        if kind < 0.75:
            for _ in range(rng.integers(1, 4)):
                grey += rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.14), np.log(0.5))) * _scratch(rng, size)
        if kind > 0.65:
            grey += np.exp(rng.uniform(np.log(0.15), np.log(0.5))) * _pits(rng, rows, columns)
    tint = 1 + rng.normal(0, 0.025, 3).astype(np.float32)
    noise = rng.uniform(0.008, 0.02) * rng.standard_normal((size, size, 3), dtype=np.float32)
    return (255 * (grey[..., None] * tint + noise)).clip(0, 255).round().astype(np.uint8)


def _check(num_per_class: int, size: int) -> dict[str, range]:
    """Return the image numbers of each split: 70 / 15 / 15 of each class."""
    if num_per_class < 10:
        raise ValueError(f"num_per_class must be at least 10, found {num_per_class}")
    if not 32 <= size <= 512:
        raise ValueError(f"size must lie in 32 … 512 pixels, found {size}")
    small = round(0.15 * num_per_class)
    train = num_per_class - 2 * small
    return dict(zip(SPLITS, (range(train), range(train, train + small), range(train + small, num_per_class))))


def load(*, num_per_class: int = 300, size: int = 150, dtype: str = "float32", seed: int = 0) -> Dataset:
    """Draw simulated surfaces, half good (label 0), half scratched or pitted (label 1), split 70 / 15 / 15.

    Arguments:
        num_per_class: images of each class in all three splits together, at least 10.
        size: height and width, pixels, 32 to 512.
        dtype: "float32" for values in [0, 1], or "uint8" for 0 … 255 at a quarter of the memory.

    Returns:
        a data set with x of shape [n, 3, size, size] and y int64 [n].

    Raises:
        ValueError: an argument out of range.
    """
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype must be 'float32' or 'uint8', found {dtype!r}")
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for numbers in _check(num_per_class, size).values():
        y = (torch.arange(2 * len(numbers)) % 2)[torch.randperm(2 * len(numbers), generator=generator)]
        counters = [iter(numbers), iter(numbers)]
        images = np.stack([draw(next(counters[label]), bool(label), size=size, seed=seed) for label in y.tolist()])
        x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        parts.append(Split(x if dtype == "uint8" else x.float().div_(255), y))
    sizes = " / ".join(f"{len(part):,}" for part in parts)
    values = "whole numbers 0 … 255" if dtype == "uint8" else "values in [0, 1]"
    return Dataset(*parts, replace(CARD, size=f"{sizes} images of 3 × {size} × {size} {values}, 2 classes, half each"),
                   list(CLASSES))


def write_surfaces(folder: str | Path, *, num_per_class: int = 200, seed: int = 0, size: int = 150) -> Path:
    """Write simulated surfaces as an image folder: train, validation, test, each with good and scratched.

    A folder that already holds the same images is left as it is; any other content is never overwritten.

    Arguments:
        folder: where to write; it must be new, empty, or the result of the same call.
        num_per_class: images of each class in all three splits together, at least 10.
        size: height and width, pixels, 32 to 512.

    Returns:
        the folder, for ``data.load("image_folder", path=folder)``.

    Raises:
        ValueError: an argument out of range.
        FileExistsError: the folder holds something else.
    """
    from PIL import Image
    folder, splits = Path(folder).expanduser(), _check(num_per_class, size)
    recipe = {"simulated": "helpers.data.surfaces", "num_per_class": num_per_class, "seed": seed, "size": size}
    stamp = folder / ".surfaces.json"
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == recipe:
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and holds something else: choose a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".surfaces-") as temporary:
        root = Path(temporary) / "images"
        for split, numbers in splits.items():
            for label, name in enumerate(CLASSES):
                (root / split / name).mkdir(parents=True)
                for index in numbers:
                    image = Image.fromarray(draw(index, bool(label), size=size, seed=seed))
                    image.save(root / split / name / f"{index:04d}.png", compress_level=1)
        (root / stamp.name).write_text(json.dumps(recipe) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        shutil.move(root, folder)
    return folder
