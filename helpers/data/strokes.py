"""Digits as pen strokes: a drawing is a list of lines, which becomes a picture of 28 × 28 grey values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from helpers.data.tables import table

Stroke = Sequence[Sequence[float]]
INK = 20.0                      # pixels: the longer side of a drawing inside the picture
SEGMENTS = 56                   # lines a simulated drawing is made of

# digit → the ways to write it; a way is a list of strokes, a stroke is a list of points (x to the right, y down).
# True: a smooth curve through the points; False: corners stay sharp.
_WAYS: dict[int, list[list[tuple[bool, list[tuple[float, float]]]]]] = {
    0: [[(True, [(.5, 0), (.15, .2), (.05, .5), (.15, .82), (.5, 1), (.85, .82), (.95, .5), (.85, .2), (.5, 0)])],
        [(True, [(.7, .05), (.3, .1), (.05, .5), (.3, .92), (.65, .95), (.92, .5), (.75, .1), (.5, .06)])]],
    1: [[(False, [(.5, 0), (.5, 1)])],
        [(False, [(.15, .3), (.55, 0), (.55, 1)])],
        [(False, [(.2, .25), (.5, 0), (.5, 1)]), (False, [(.15, 1), (.85, 1)])]],
    2: [[(True, [(.08, .25), (.25, .03), (.6, 0), (.88, .2), (.8, .45), (.45, .72), (.05, 1)]),
         (False, [(.05, 1), (.95, 1)])],
        [(True, [(.1, .2), (.4, 0), (.85, .15), (.8, .45), (.4, .8), (.15, .97), (.1, .8), (.35, .82), (.6, .97),
                 (.95, .92)])]],
    3: [[(True, [(.1, .12), (.45, 0), (.85, .13), (.78, .38), (.4, .48)]),
         (True, [(.4, .48), (.85, .58), (.92, .82), (.5, 1), (.05, .88)])],
        [(False, [(.1, 0), (.85, 0), (.45, .4)]), (True, [(.45, .4), (.85, .5), (.9, .8), (.5, 1), (.08, .9)])]],
    4: [[(False, [(.3, 0), (.08, .6), (.95, .6)]), (False, [(.7, .25), (.7, 1)])],
        [(False, [(.7, 1), (.7, 0), (.05, .68), (.98, .68)])],
        [(False, [(.15, 0), (.12, .5), (.85, .5)]), (False, [(.85, 0), (.85, 1)])]],
    5: [[(False, [(.85, 0), (.2, 0), (.15, .42)]), (True, [(.15, .42), (.5, .36), (.9, .55), (.85, .85), (.45, 1),
                                                           (.05, .9)])],
        [(True, [(.2, .05), (.17, .25), (.15, .45), (.55, .38), (.9, .65), (.7, .95), (.3, 1), (.05, .85)]),
         (False, [(.2, .03), (.9, 0)])]],
    6: [[(True, [(.8, .02), (.4, .2), (.1, .6), (.2, .93), (.55, 1), (.88, .8), (.75, .55), (.45, .5), (.12, .7)])],
        [(True, [(.45, 0), (.2, .35), (.08, .7), (.3, .98), (.7, .96), (.85, .72), (.6, .53), (.25, .6), (.12, .75)])]],
    7: [[(False, [(.05, 0), (.92, 0), (.35, 1)])],
        [(False, [(.05, 0), (.92, 0), (.4, 1)]), (False, [(.25, .5), (.85, .5)])],
        [(False, [(.08, .18), (.08, .02), (.9, .02)]), (True, [(.9, .02), (.6, .4), (.45, .7), (.4, 1)])]],
    8: [[(True, [(.8, .15), (.5, 0), (.2, .15), (.3, .38), (.65, .55), (.88, .8), (.5, 1), (.12, .8), (.35, .55),
                 (.7, .38), (.8, .15)])],
        [(True, [(.5, 0), (.2, .1), (.22, .38), (.5, .47), (.8, .36), (.8, .1), (.5, 0)]),
         (True, [(.5, .47), (.12, .62), (.15, .9), (.5, 1), (.88, .9), (.88, .62), (.5, .47)])]],
    9: [[(True, [(.85, .25), (.6, 0), (.2, .08), (.1, .35), (.4, .52), (.75, .42), (.85, .2)]),
         (False, [(.85, .15), (.82, 1)])],
        [(True, [(.88, .3), (.5, 0), (.12, .2), (.25, .48), (.6, .48), (.87, .25), (.85, .6), (.65, .95), (.3, 1)])]],
}


def example(digit: int, way: int = 0) -> list[list[list[float]]]:
    """Return the strokes of a digit as one writes it: lists of points [x, y] in a unit square, y down.

    Raises:
        ValueError: no such digit, or no such way to write it.
    """
    if digit not in _WAYS or not 0 <= way < len(_WAYS[digit]):
        raise ValueError(f"example takes a digit from 0 to 9 and a way from 0, found digit {digit!r}, way {way!r}")
    return [(_smooth(np.array(points)) if curved else np.array(points, dtype=float)).round(3).tolist()
            for curved, points in _WAYS[digit][way]]


def picture(
    strokes: Sequence[Stroke], *, pen: float = 1.3, turn: float = 0.0, right: float = 0.0, down: float = 0.0,
    size: int = 28,
) -> np.ndarray:
    """Return the drawing, centred and scaled to 20 of 28 pixels, as grey values [size, size] in [0, 1], ink is bright.

    A pixel at distance d from the nearest line has the value pen + 1/2 − d, cut off at 0 and 1.

    Arguments:
        strokes: lists of points [x, y], y down, in any unit; a stroke of one point is a dot.
        pen: radius of the pen, pixels of the picture.
        turn: angle, degrees clockwise, before centring.
        right, down: shift after centring, pixels.
        size: height and width, pixels.

    Raises:
        ValueError: a stroke without points, or a pen that is not positive.
    """
    if pen <= 0:
        raise ValueError(f"pen is a radius in pixels above 0, found {pen}")
    lines = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes]
    if any(len(line) == 0 for line in lines):
        raise ValueError("every stroke needs at least one point [x, y], found an empty one")
    if not lines:
        return np.zeros((size, size))
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    lines = [line @ np.array([[cos, sin], [-sin, cos]]) for line in lines]
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = (high - low).max()
    scale = (INK * size / 28 - 2 * pen) / extent if extent > 0 else 0.0
    middle = np.array([size / 2 + right, size / 2 + down])
    lines = [(line - (low + high) / 2) * scale + middle for line in lines]
    start = np.concatenate([line[:-1] if len(line) > 1 else line for line in lines])
    end = np.concatenate([line[1:] if len(line) > 1 else line for line in lines])
    centres = np.arange(size) + 0.5
    grid = np.stack(np.meshgrid(centres, centres), axis=-1)                       # [size, size, 2] as x, y
    return np.clip(pen + 0.5 - _distance(torch.tensor(grid.reshape(1, -1, 2)), torch.tensor(start)[None],
                                         torch.tensor(end)[None]).numpy().reshape(size, size), 0, 1)


def _distance(points: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Distance [n, p] of points [n or 1, p, 2] from the nearest of the segments from start to end [n, s, 2]."""
    along = end - start
    offset = points[:, :, None] - start[:, None]
    length = (along**2).sum(-1).clamp_min(1e-12)[:, None]
    share = ((offset * along[:, None]).sum(-1) / length).clamp(0, 1)
    return ((offset - share[..., None] * along[:, None]) ** 2).sum(-1).min(dim=-1).values.sqrt()


def _smooth(points: np.ndarray, pieces: int = 4) -> np.ndarray:
    """Return a Catmull–Rom curve through points [n, 2]."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.arange(pieces)[:, None] / pieces
    parts = [0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
             for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:])]
    return np.concatenate([*parts, points[-1:]])


def simulated(num_examples: int, *, seed: int = 0, size: int = 28) -> tuple[Tensor, Tensor]:
    """Return *simulated* handwriting: pictures [n, 1, size, size] and digits [n], equally many of each.

    Each drawing is a way to write its digit with every point moved at random, slanted, stretched, and drawn with a pen
    of random radius; nobody wrote it.

    Raises:
        ValueError: num_examples is below 1.
    """
    if num_examples < 1:
        raise ValueError(f"num_examples must be at least 1, found {num_examples}")
    rng = np.random.default_rng([seed, 28])
    digits = rng.permutation(np.arange(num_examples) % 10)
    start, end = np.zeros((2, num_examples, SEGMENTS, 2))
    for row, digit in enumerate(digits.tolist()):
        ways = _WAYS[digit]
        lines = []
        slant, aspect, turn = rng.normal(0, 0.15), math.exp(rng.normal(-0.25, 0.25)), rng.normal(0, 0.12)
        matrix = np.array([[aspect, 0], [-slant, 1]]) @ np.array([[math.cos(turn), math.sin(turn)],
                                                                 [-math.sin(turn), math.cos(turn)]])
        spread = rng.uniform(0.01, 0.055)
        for curved, points in ways[rng.integers(len(ways))]:
            moved = np.array(points) + rng.normal(0, spread, (len(points), 2))
            lines.append((_smooth(moved) if curved else moved) @ matrix)
        first = np.concatenate([line[:-1] for line in lines])
        last = np.concatenate([line[1:] for line in lines])
        fill = np.arange(SEGMENTS) % len(first)                                   # unused places repeat a line
        start[row], end[row] = first[fill], last[fill]
    pen = rng.uniform(0.6, 2.2, num_examples)
    pen_, both = torch.tensor(pen, dtype=torch.float32), np.concatenate([start, end], axis=1)
    low, high = both.min(axis=1, keepdims=True), both.max(axis=1, keepdims=True)
    scale = (INK * size / 28 - 2 * pen[:, None, None]) / (high - low).max(axis=2, keepdims=True)
    start, end = ((torch.tensor((part - (low + high) / 2) * scale + size / 2, dtype=torch.float32))
                  for part in (start, end))
    centres = torch.arange(size) + 0.5
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1).reshape(1, -1, 2)
    distance = torch.cat([_distance(grid, a, b) for a, b in zip(start.split(64), end.split(64))])
    images = (pen_[:, None] + 0.5 - distance).clamp(0, 1).reshape(-1, 1, size, size)
    return images, torch.tensor(digits)


@lru_cache(maxsize=1)
def sketches() -> list[tuple[int, list[list[list[float]]]]]:
    """Return thirty digits as points of a mouse, three hands of ten, that no training saw: (digit, strokes) each.

    Written down as points for the tests of the explorer, in a unit of 100.
    """
    found = []
    for row in table("sketches"):
        lines = [np.array(line.split(), dtype=float).reshape(-1, 2) / 100 for line in row["strokes"].split("|")]
        found.append((row["digit"], [line.tolist() for line in lines]))
    return found
