"""The reader's own pictures: a folder with one subfolder for each class."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from helpers.data.base import Card, Dataset, Split, fingerprints, split_indices

SPLITS = ("train", "validation", "test")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
CARD = Card(
    name="image_folder", title="Your own pictures", origin="a folder on this machine, one subfolder for each class",
    licence="that of your pictures", real="real",
    size="as many as the folder holds; each image is scaled to size × size",
    limits="each image is stretched to a square; only exact copies are kept together when the folder is split here, so "
           "put related pictures (one object, one day, one camera) into the same split yourself")


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return class name → files, both sorted; hidden files are left out."""
    found = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            found[child.name] = sorted(p for p in child.rglob("*") if p.is_file()
                                       and not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return found


def _find(path: Path) -> tuple[dict[str, dict[str, list[Path]]], list[str]]:
    """Return split → class → files, and the class names; a folder that is not split counts as train alone."""
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}: check the path")
    if not path.is_dir():
        raise ValueError(f"{path} is a file, expected a folder with one subfolder for each class")
    layout = {split: _classes(path / split) for split in SPLITS if (path / split).is_dir()}
    if layout and "train" not in layout:
        raise ValueError(f"{path} holds {' and '.join(layout)} but no train: add it, or put the class folders into "
                         f"{path} itself and let them be split")
    layout = layout or {"train": _classes(path)}
    names = list(layout["train"])
    for split, classes in layout.items():
        if list(classes) != names:
            raise ValueError(f"{path / split} has the classes {', '.join(classes) or 'none'}, but train has "
                             f"{', '.join(names) or 'none'}: every split needs the same class folders")
    if not names:
        raise ValueError(f"{path} holds no class folders: expected one subfolder for each class, with images in it")
    if len(names) == 1:
        raise ValueError(f"{path} holds one class, {names[0]!r}: a classifier needs at least two class folders")
    empty = [f"{split}/{name}" for split, classes in layout.items() for name, files in classes.items() if not files]
    if empty:
        raise ValueError(f"{path} has class folders without images: {', '.join(empty)}")
    return layout, names


def _read(path: Path, size: int, channels: int) -> np.ndarray | str:
    """Return the picture as uint8 [size, size, channels], or the reason why it cannot be read."""
    from PIL import Image, ImageOps
    if path.suffix.lower() not in SUFFIXES:
        return "no image file"
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size, 2 * size))
            picture = ImageOps.exif_transpose(image).convert("RGB" if channels == 3 else "L")
            pixels = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))
        return pixels.reshape(size, size, channels)
    except Exception as error:          # Pillow raises many kinds for damaged files; each is named and counted
        return f"{type(error).__name__}: {error}".replace(str(path), path.name)


def load(*, path: str | Path, size: int = 150, channels: int = 3, dtype: str = "float32", skip_broken: bool = False,
         seed: int = 0) -> Dataset:
    """Load class folders of images; a split (train, validation, test) that the folder lacks is taken from train.

    The folder is either split (``path/train/cat/1.jpg``, ``path/test/cat/2.jpg``) or not (``path/cat/1.jpg``, which is
    split 70 / 15 / 15 class by class, exact copies kept together). Classes are numbered in alphabetical order.

    Arguments:
        path: the folder.
        size: height and width to which each image is scaled, pixels, 8 to 1024.
        channels: 3 for colour, 1 for grey.
        dtype: "float32" for values in [0, 1], or "uint8" for 0 … 255 at a quarter of the memory.
        skip_broken: go on without files that cannot be read; a warning and the card still name and count them.
        seed: of the split.

    Returns:
        a data set with x of shape [n, channels, size, size] and y int64 [n].

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no or one class, a class without images, unequal classes, too few images, or files that cannot be
            read (each is named).
    """
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype must be 'float32' or 'uint8', found {dtype!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (colour), found {channels!r}")
    if not 8 <= size <= 1024:
        raise ValueError(f"size must lie in 8 … 1024 pixels, found {size}")
    root = Path(path).expanduser()
    layout, names = _find(root)
    loaded, broken = {}, []
    with ThreadPoolExecutor(max_workers=4) as pool:
        for split, classes in layout.items():
            files = [(file, label) for label, name in enumerate(names) for file in classes[name]]
            pictures = list(pool.map(lambda item: _read(item[0], size, channels), files))
            broken += [f"{file.relative_to(root)} ({p})" for (file, _), p in zip(files, pictures) if isinstance(p, str)]
            good = [(p, label) for p, (_, label) in zip(pictures, files) if not isinstance(p, str)]
            present = {label for _, label in good}
            if len(present) < len(names) and (skip_broken or not broken):
                lost = next(name for label, name in enumerate(names) if label not in present)
                raise ValueError(f"{root}: no file of {split}/{lost} can be read; first: {broken[0]}")
            if good:
                x = torch.from_numpy(np.stack([p for p, _ in good])).permute(0, 3, 1, 2).contiguous()
                loaded[split] = (x, torch.tensor([label for _, label in good]))
    if broken:
        _report(root, broken, skip_broken)
    parts, kept = _fill(loaded, root, seed)
    if dtype == "float32":
        parts = [Split(part.x.float().div_(255), part.y, part.groups) for part in parts]
    sizes = " / ".join(f"{len(part):,}" for part in parts)
    simulated = (root / ".surfaces.json").is_file()
    card = replace(CARD, origin=f"the folder {root.name}, one subfolder for each class; {kept}"
                                + ("; written by data.write_surfaces" if simulated else ""),
                   real="simulated" if simulated else CARD.real,
                   size=f"{sizes} images of {channels} × {size} × {size}, {len(names)} classes",
                   limits=CARD.limits + (f"; left out, as they cannot be read: {'; '.join(broken)}" if broken else ""))
    return Dataset(*parts, card, names)


def _report(root: Path, broken: list[str], skip_broken: bool) -> None:
    shown = "; ".join(broken[:20]) + (f"; and {len(broken) - 20} more" if len(broken) > 20 else "")
    files = "1 file" if len(broken) == 1 else f"{len(broken)} files"
    if not skip_broken:
        raise ValueError(f"{files} in {root} cannot be read: {shown}. Mend or remove them, or pass skip_broken=True")
    warnings.warn(f"{files} in {root} cannot be read and left out: {shown}", stacklevel=3)


def _fill(loaded: dict[str, tuple[torch.Tensor, torch.Tensor]], root: Path, seed: int) -> tuple[list[Split], str]:
    """Take missing splits from train; return the three splits and words about who split."""
    x, y = loaded["train"]
    shares = {"validation": 0.15 if "validation" not in loaded else 0.0, "test": 0.15 if "test" not in loaded else 0.0}
    hashes = fingerprints(x)
    numbers = torch.tensor(np.unique(hashes, return_inverse=True)[1].reshape(-1))
    missing = [split for split, share in shares.items() if share]
    if len(missing) == 2:
        rows = dict(zip(SPLITS, split_indices(hashes, labels=y.numpy(), seed=seed)))
    elif missing:                                    # one part is missing: give the other small one back to train
        first, second, third = split_indices(hashes, (0.7, 0.15, 0.15), labels=y.numpy(), seed=seed)
        rows = {"train": np.concatenate([first, third]), missing[0]: second}
    else:
        rows = {"train": np.random.default_rng([seed, 5]).permutation(len(x))}
    parts = {split: Split(x[index], y[index], numbers[index] if len(missing) == 2 else None)
             for split, index in ((s, torch.tensor(r)) for s, r in rows.items())}
    for split in SPLITS:
        if split not in parts:
            order = torch.tensor(np.random.default_rng([seed, 6]).permutation(len(loaded[split][0])))
            parts[split] = Split(loaded[split][0][order], loaded[split][1][order])
    if len(missing) < 2:
        known = {split: set(fingerprints(part.x)) for split, part in parts.items()}
        for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
            if copies := len(known[a] & known[b]):
                warnings.warn(f"{root}: {copies} images of {b} are exact copies of images in {a}; the score will "
                              "flatter", stacklevel=3)
    return [parts[split] for split in SPLITS], f"split here: {', '.join(missing)}" if missing else "already split"
