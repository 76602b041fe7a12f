"""Fashion-MNIST: 70,000 real pictures of articles of clothing, from this machine or downloaded once."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path

import numpy as np
import torch

from helpers.data.base import Card, Dataset, Split
from helpers.data.download import fetch

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CARD = Card(
    name="fashion_mnist", title="Fashion-MNIST",
    origin="product photographs of Zalando, made grey and small by Xiao, Rasul and Vollgraf (2017)",
    licence="MIT", real="real",
    size="55,000 / 5,000 / 10,000 images of 28 × 28 grey values in [0, 1], 10 classes; the test split is the "
         "published one, validation is taken from the published training part",
    limits="one shop's photographs on a plain ground; shirts, pullovers and coats look alike at this size, and "
           "people without training get about 83.5 % right; no exact copies between the splits (counted); "
           "near copies not examined")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# file → SHA-256 of its decompressed content (packages compress it differently) and the shape of its array
FILES: dict[str, tuple[str, tuple[int, ...]]] = {
    "train-images-idx3-ubyte": ("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", (60_000, 28, 28)),
    "train-labels-idx1-ubyte": ("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", (60_000,)),
    "t10k-images-idx3-ubyte": ("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", (10_000, 28, 28)),
    "t10k-labels-idx1-ubyte": ("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", (10_000,)),
}
_NUM_VALIDATION = 5_000


def cache_folder() -> Path:
    """Return the folder for downloads: XDG_CACHE_HOME or ~/.cache, below it helpers/fashion-mnist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "helpers" / "fashion-mnist"


def _unpack(content: bytes) -> bytes:
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


def _wrong(name: str, content: bytes) -> str | None:
    """Return what is wrong with a packed or plain file, or None."""
    try:
        found = hashlib.sha256(_unpack(content)).hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        return f"it cannot be decompressed: {error}"
    expected = FILES[name][0]
    return None if found == expected else f"SHA-256 of the content is {found[:12]}…, expected {expected[:12]}…"


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _complete(folder: Path) -> bool:
    return all(_file(folder, name) for name in FILES)


def _folder(path: str | Path | None, download: bool) -> Path:
    """Return the folder that holds the four files; download them where that is allowed."""
    named = path if path is not None else os.environ.get("HELPERS_FASHION_MNIST")
    if named:
        folder = Path(named).expanduser()
        missing = [name for name in FILES if not _file(folder, name)]
        if missing:
            raise FileNotFoundError(f"{folder} lacks {', '.join(missing)} (plain or .gz): name the folder that "
                                    "holds the four files of Fashion-MNIST")
        return folder
    for folder in (DEBIAN, cache_folder()):
        if _complete(folder):
            return folder
    if not download:
        raise FileNotFoundError(
            "Fashion-MNIST is not on this machine. Three ways: name a folder with its four files (path=… or "
            "HELPERS_FASHION_MNIST), install the Debian package dataset-fashion-mnist, or pass download=True (30 MB)")
    for name in FILES:
        if not _file(cache_folder(), name):
            fetch(f"{URL}/{name}.gz", cache_folder() / f"{name}.gz", lambda content, name=name: _wrong(name, content))
    return cache_folder()


def _read(folder: Path, name: str) -> np.ndarray:
    path = _file(folder, name)
    assert path is not None
    content = path.read_bytes()
    wrong = _wrong(name, content)
    if wrong is not None:
        raise ValueError(f"{path} is damaged or another file ({wrong}): replace it")
    shape = FILES[name][1]
    return np.frombuffer(_unpack(content), dtype=np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def load(*, path: str | Path | None = None, download: bool = False, flat: bool = True, seed: int = 0) -> Dataset:
    """Load Fashion-MNIST from a folder, the Debian package or the download cache; the contents are checked.

    Arguments:
        path: a folder with the four IDX files, plain or .gz; else HELPERS_FASHION_MNIST, the Debian package
            dataset-fashion-mnist, or an earlier download.
        download: fetch 30 MB into the cache when none of these is there.
        flat: x of shape [n, 784]; otherwise [n, 1, 28, 28]. Values in [0, 1].
        seed: chooses which 5,000 training images become the validation split.

    Raises:
        FileNotFoundError: the data is nowhere; the message names the three ways.
        ConnectionError: the download failed; it resumes next time.
        ValueError: a file is damaged.
    """
    folder = _folder(path, download)
    arrays = {name: torch.from_numpy(_read(folder, name).copy()) for name in FILES}
    shape = (-1, 784) if flat else (-1, 1, 28, 28)
    x, x_test = (arrays[f"{part}-images-idx3-ubyte"].reshape(shape).float().div_(255) for part in ("train", "t10k"))
    y, y_test = (arrays[f"{part}-labels-idx1-ubyte"].long() for part in ("train", "t10k"))
    order = torch.from_numpy(np.random.default_rng([seed, 13]).permutation(len(x)))
    validation, train = order[:_NUM_VALIDATION], order[_NUM_VALIDATION:]
    return Dataset(Split(x[train], y[train]), Split(x[validation], y[validation]), Split(x_test, y_test),
                   CARD, list(CLASSES))
