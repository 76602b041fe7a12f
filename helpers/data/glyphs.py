"""Pictures of characters, rendered from the typefaces that matplotlib bundles and then distorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.data.base import Card, Dataset, Split

# file → group; an upright face and its oblique are one drawing and therefore one group
TYPEFACES: dict[str, str] = {
    "DejaVuSans.ttf": "DejaVu Sans", "DejaVuSans-Oblique.ttf": "DejaVu Sans",
    "DejaVuSans-Bold.ttf": "DejaVu Sans Bold", "DejaVuSans-BoldOblique.ttf": "DejaVu Sans Bold",
    "DejaVuSansMono.ttf": "DejaVu Sans Mono", "DejaVuSansMono-Oblique.ttf": "DejaVu Sans Mono",
    "DejaVuSansMono-Bold.ttf": "DejaVu Sans Mono Bold", "DejaVuSansMono-BoldOblique.ttf": "DejaVu Sans Mono Bold",
    "DejaVuSerif.ttf": "DejaVu Serif", "DejaVuSerif-Italic.ttf": "DejaVu Serif",
    "DejaVuSerif-Bold.ttf": "DejaVu Serif Bold", "DejaVuSerif-BoldItalic.ttf": "DejaVu Serif Bold",
    "STIXGeneral.ttf": "STIX", "STIXGeneralItalic.ttf": "STIX Italic",
    "STIXGeneralBol.ttf": "STIX Bold", "STIXGeneralBolIta.ttf": "STIX Bold Italic",
    "cmr10.ttf": "Computer Modern", "cmb10.ttf": "Computer Modern Bold", "cmss10.ttf": "Computer Modern Sans",
    "cmti10.ttf": "Computer Modern Italic", "cmtt10.ttf": "Computer Modern Typewriter",
}
FAMILIES = ("DejaVu", "STIX", "Computer Modern")
CARD = Card(
    name="glyphs", title="Rendered characters",
    origin="characters drawn with 21 typefaces that matplotlib bundles (DejaVu, STIX, Computer Modern), then turned, "
           "moved, scaled, sheared, thickened or thinned, bent, dimmed and covered with noise at random",
    licence="DejaVu: Bitstream Vera licence; STIX: SIL Open Font Licence; Computer Modern: BaKoMa licence. "
            "The pictures may be used freely",
    size="4,200 / 900 / 900 images of 28 × 28 grey values in [0, 1], 10 classes (the digits)",
    real="rendered from real typefaces",
    limits="print and not handwriting; for each character one typeface of each family is kept for validation and one "
           "for test, so a drawing lies in one split only, yet related typefaces look alike; the distortions are ours")
_CANVAS = 64


@lru_cache(maxsize=8)
def _drawings(classes: tuple[str, ...]) -> tuple[Tensor, np.ndarray, list[str]]:
    """Return clean pictures [m, 3, 64, 64] (thin, plain, thick), their classes [m] and the names of their groups."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont
    pictures, labels, groups, known = [], [], [], {}
    for file, group in TYPEFACES.items():
        font = ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / file), 50)
        for label, character in enumerate(classes):
            left, top, right, bottom = font.getbbox(character)
            image = Image.new("L", (_CANVAS, _CANVAS))
            corner = ((_CANVAS - left - right) / 2, (_CANVAS - top - bottom) / 2)
            ImageDraw.Draw(image).text(corner, character, fill=255, font=font)
            pixels = np.asarray(image)
            key = known.setdefault(pixels.tobytes(), f"{group} {character}")    # one drawing in two files: one group
            pictures.append(pixels)
            labels.append(label)
            groups.append(key)
    plain = torch.tensor(np.stack(pictures)).float().div(255)[:, None]
    thick, thin = F.max_pool2d(plain, 3, 1, 1), -F.max_pool2d(-plain, 3, 1, 1)
    return torch.cat([thin, plain, thick], dim=1), np.array(labels), groups


def _deal(labels: np.ndarray, groups: list[str], seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Keep, of each character and family, one group for validation and one for test.

    Returns the rows of train, validation and test, and the number of each row's group.
    """
    rng = np.random.default_rng([seed, 11])
    names, numbers = np.unique(groups, return_inverse=True)
    split = np.zeros(len(names), dtype=int)
    for label in range(labels.max() + 1):
        for family in FAMILIES:
            own = [i for i in np.unique(numbers[labels == label]) if names[i].startswith(family)]
            split[rng.permutation(own)[:2]] = (1, 2)
    return [np.flatnonzero(split[numbers] == part) for part in range(3)], numbers


def _distort(pictures: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Return one random distortion [n, size, size] of each picture in [n, 3, 64, 64]."""
    n = len(pictures)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*(shape or (n,)), generator=generator)

    weight = uniform(-1, 1)                                            # −1 thin … 0 plain … 1 thick
    weights = torch.stack([(-weight).clamp_min(0), 1 - weight.abs(), weight.clamp_min(0)], dim=1)
    images = torch.einsum("nkhw,nk->nhw", pictures, weights)[:, None]
    angle, shear = uniform(-0.2, 0.2), uniform(-0.2, 0.2)              # radians; x per y
    zoom_x, zoom_y = uniform(0.7, 0.88), uniform(0.7, 0.88)            # field of view: 1 is the whole canvas
    cos, sin = angle.cos(), angle.sin()
    theta = torch.stack([
        torch.stack([zoom_x * cos, zoom_x * (shear * cos - sin), uniform(-0.05, 0.05)], dim=1),
        torch.stack([zoom_y * sin, zoom_y * (shear * sin + cos), uniform(-0.05, 0.05)], dim=1)], dim=1)
    grid = F.affine_grid(theta, [n, 1, 2 * size, 2 * size], align_corners=False)
    bend = 0.03 * torch.randn(n, 2, 4, 4, generator=generator)
    grid = grid + F.interpolate(bend, size=2 * size, mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
    images = F.avg_pool2d(F.grid_sample(images, grid, align_corners=False), 2)[:, 0]
    ink, spread = uniform(0.6, 1.0)[:, None, None], uniform(0.02, 0.15)[:, None, None]
    return (ink * images + spread * torch.randn(n, size, size, generator=generator)).clamp(0, 1)


def load(*, classes: str | Sequence[str] = "0123456789", num_examples: int = 6000, size: int = 28, flat: bool = True,
         seed: int = 0) -> Dataset:
    """Draw distorted characters, split 70 / 15 / 15, equally many of each class; no drawing lies in two splits.

    Arguments:
        classes: the characters, each one class, such as "0123456789" or "ABC"; Latin letters and digits.
        num_examples: images in all three splits together, at least 20 a class.
        size: height and width, pixels, 8 to 64.
        flat: x of shape [n, size²]; otherwise [n, 1, size, size]. Values in [0, 1], ink is bright.

    Raises:
        ValueError: fewer than two classes, one named twice, one that is no Latin letter or digit, a size out of range.
    """
    letters = tuple(classes)
    if len(letters) < 2 or len(set(letters)) < len(letters):
        raise ValueError(f"classes must name at least two different characters, found {classes!r}")
    strange = [c for c in letters if not (isinstance(c, str) and len(c) == 1 and c.isascii() and c.isalnum())]
    if strange:
        raise ValueError(f"glyphs draws Latin letters and digits, one character a class; found {strange[0]!r}")
    if not 8 <= size <= _CANVAS:
        raise ValueError(f"size must lie in 8 … {_CANVAS} pixels, found {size}")
    if num_examples < 20 * len(letters):
        raise ValueError(f"num_examples must be at least 20 a class ({20 * len(letters)}), found {num_examples}")
    drawings, labels, names = _drawings(letters)
    dealt, groups = _deal(labels, names, seed)
    generator = torch.Generator().manual_seed(seed)
    num_small = round(0.15 * num_examples)
    parts = []
    for rows, count in zip(dealt, (num_examples - 2 * num_small, num_small, num_small)):
        pool = [rows[labels[rows] == label] for label in range(len(letters))]
        y = torch.arange(count)[torch.randperm(count, generator=generator)] % len(letters)
        pick = torch.rand(count, generator=generator)
        source = torch.tensor([pool[label][int(u * len(pool[label]))] for label, u in zip(y.tolist(), pick.tolist())])
        x = torch.cat([_distort(drawings[part], size, generator) for part in source.split(1000)])
        parts.append(Split(x.flatten(1) if flat else x[:, None], y, torch.tensor(groups)[source]))
    sizes = " / ".join(f"{len(part):,}" for part in parts)
    card = replace(CARD, size=f"{sizes} images of {size} × {size} grey values in [0, 1], {len(letters)} classes")
    return Dataset(*parts, card, list(letters))
