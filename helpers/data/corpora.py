"""Source code as a corpus: files of installed packages, checked by a manifest, or of Python's standard library."""

from __future__ import annotations

import csv
import hashlib
import platform
import sysconfig
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np

from helpers.data import code
from helpers.data.base import Card

SPLITS = ("train", "validation", "test")
FRACTIONS = (0.9, 0.05, 0.05)
MAX_BYTES = 60_000_000
MANIFEST = Path(__file__).with_name("python_code.csv")
_DIGITS = 32  # of the 64 hexadecimal digits of a SHA-256; so many stand in the manifest


@dataclass(frozen=True)
class Package:
    """One source of files: its folder among the installed packages, its distribution, its licence, what is left out."""

    folder: str
    distribution: str
    licence: str
    without: tuple[str, ...] = ()


# Fixed list: what `pip install -e .` brings on every machine, permissively licensed; versions stand in constraints.txt.
PACKAGES: tuple[Package, ...] = (
    Package("torch", "torch", "BSD-3-Clause",
            ("_inductor", "_dynamo", "_export", "export", "ao", "onnx", "distributed", "_higher_order_ops", "_numpy",
             "_functorch", "_subclasses", "_refs", "_prims", "_decomp")),
    Package("sympy", "sympy", "BSD-3-Clause", ("physics",)),
    Package("scipy", "scipy", "BSD-3-Clause"),
    Package("sklearn", "scikit-learn", "BSD-3-Clause"),
    Package("matplotlib", "matplotlib", "Matplotlib licence (PSF-based)"),
    Package("mpl_toolkits", "matplotlib", "Matplotlib licence (PSF-based)"),
    Package("numpy", "numpy", "BSD-3-Clause", ("distutils", "f2py")),
    Package("networkx", "networkx", "BSD-3-Clause"),
    Package("huggingface_hub", "huggingface_hub", "Apache-2.0", ("_generated", "cli")),
    Package("accelerate", "accelerate", "Apache-2.0"),
    Package("mpmath", "mpmath", "BSD-3-Clause"),
    Package("PIL", "pillow", "MIT-CMU"),
    Package("fsspec", "fsspec", "BSD-3-Clause"),
    Package("jinja2", "Jinja2", "BSD-3-Clause"),
    Package("joblib", "joblib", "BSD-3-Clause"),
    Package("pyparsing", "pyparsing", "MIT"),
    Package("packaging", "packaging", "Apache-2.0 or BSD-2-Clause"),
    Package("dateutil", "python-dateutil", "Apache-2.0 or BSD-3-Clause"),
)


@dataclass(frozen=True)
class SourceFile:
    """One file of source code.

    Arguments:
        package: folder of the package, such as "numpy", or "python" for the standard library.
        path: below the folder of installed packages or of the standard library, with "/".
        text: its content; lines end in a single newline character.
        licence: of the package.
        split: "train", "validation" or "test": all files of one folder lie in the same one.
    """

    package: str
    path: str
    text: str
    licence: str
    split: str


@dataclass(frozen=True)
class Corpus:
    """Files of source code, split by folder, and what was not found.

    Arguments:
        name: "python_code" or "python_stdlib".
        files: in a fixed order.
        missing: files of the manifest that are absent or differ, each with the reason; they are left out.
        sha256: fingerprint of the names, splits and texts of all files.
    """

    name: str
    files: list[SourceFile]
    missing: list[str]
    sha256: str

    @property
    def num_bytes(self) -> int:
        """Size of all texts in UTF-8."""
        return sum(len(file.text.encode()) for file in self.files)

    def split(self, name: str) -> list[SourceFile]:
        """Return the files of one split.

        Raises:
            ValueError: the name is none of train, validation, test.
        """
        checked_split(name)
        return [file for file in self.files if file.split == name]

    def licences(self) -> dict[str, str]:
        """Return package → licence."""
        return {file.package: file.licence for file in self.files}

    @property
    def card(self) -> Card:
        """Origin, licences, size and limits of what was found here."""
        packaged = self.name == "python_code"
        shares = " / ".join(f"{len(self.split(name)):,}" for name in SPLITS)
        return Card(
            name=self.name,
            title="Source code of " + ("installed packages" if packaged else "Python's standard library"),
            origin=(f".py files of {', '.join(self.licences())} as pinned in constraints.txt, without tests, copies, "
                    "tables and what a program wrote; checked by SHA-256" if packaged else
                    "the standard library of the Python that runs, without its tests") + "; read, never imported",
            licence="; ".join(f"{licence}: {', '.join(p for p, found in self.licences().items() if found == licence)}"
                              for licence in dict.fromkeys(self.licences().values())),
            size=f"{self.num_bytes:,} bytes; {shares} files, split by folder, 90 / 5 / 5 of the bytes", real="real",
            limits="English names and comments, mostly numerical code; copied passages inside files stay"
                   + (f"; {len(self.missing):,} files or packages missing here" if self.missing else "")
                   + ("" if packaged else "; the text depends on Python's version"))

    def __repr__(self) -> str:
        return (f"Corpus({self.name!r}: {len(self.files):,} files, {self.num_bytes:,} bytes, "
                f"{len(self.missing):,} missing, sha256 {self.sha256[:12]}…)")


def checked_split(name: str) -> str:
    """Return ``name`` if it names a split.

    Raises:
        ValueError: it does not.
    """
    if name not in SPLITS:
        raise ValueError(f"a split is called {', '.join(SPLITS)}; found {name!r}")
    return name


def group(path: str) -> str:
    """Return what keeps a file together with its relatives: its folder; a file outside any folder is on its own."""
    return path.rpartition("/")[0] or path


def read(path: Path) -> str | None:
    """Return the text of a file with single newline characters, or None where it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


def digest(text: str) -> str:
    """Return the SHA-256 of a text as the manifest holds it: its first 32 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def manifest(path: Path = MANIFEST) -> list[dict[str, str]]:
    """Return the rows of the manifest: path, split, sha256.

    Raises:
        ValueError: a row is damaged.
        FileNotFoundError: there is no manifest.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no manifest {path.name}: write it with `python -m tools.manifest`")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=2):
        if set(row) != {"path", "split", "sha256"} or row["split"] not in SPLITS or len(row["sha256"] or "") != _DIGITS:
            raise ValueError(f"line {number} of {path.name} must hold path, split and {_DIGITS} digits of SHA-256, "
                             f"found {','.join(str(value) for value in row.values())!r}")
    return rows


def deal(files: Sequence[tuple[str, str]], *, seed: int = 0) -> dict[str, str]:
    """Return path → split: whole folders in random order, each to the split that lacks the largest share of its bytes.

    A folder that would make a held-out split larger than its share goes to the training split.

    Arguments:
        files: path and text of each file.
        seed: of the order.
    """
    sizes: Counter[str] = Counter()
    for path, text in files:
        sizes[group(path)] += len(text.encode())
    total, names = sum(sizes.values()), sorted(sizes)
    wanted = [share * total for share in FRACTIONS]
    left, chosen = list(wanted), {}
    for position in np.random.default_rng([seed, 23]).permutation(len(names)):
        name = names[position]
        target = int(np.argmax([short / whole for short, whole in zip(left, wanted, strict=True)]))
        target = target if sizes[name] <= left[target] else 0
        left[target] -= sizes[name]
        chosen[name] = SPLITS[target]
    return {path: chosen[group(path)] for path, _ in files}


def _python_code(root: Path | None, listing: Path) -> Corpus:
    root = root or Path(sysconfig.get_path("purelib"))
    licences = {package.folder: package.licence for package in PACKAGES}
    files, missing = [], []
    absent: Counter[str] = Counter()
    for row in manifest(listing):
        path = row["path"]
        package = path.partition("/")[0]
        if not (root / path).is_file():
            if (root / package).is_dir():
                missing.append(f"{path}: not there")
            else:
                absent[package] += 1
            continue
        text = read(root / path)
        if text is None or digest(text) != row["sha256"]:
            missing.append(f"{path}: differs")
            continue
        files.append(SourceFile(package, path, text, licences.get(package, "unknown"), row["split"]))
    missing = [f"{package}: not installed ({num} files)" for package, num in absent.items()] + missing
    return _corpus("python_code", files, missing)


def _python_stdlib() -> Corpus:
    sources = code.files()
    splits = deal(sources)
    files = [SourceFile("python", path, text, "PSF-2.0", splits[path]) for path, text in sources]
    return _corpus("python_stdlib", files, [])


def _corpus(name: str, files: list[SourceFile], missing: list[str]) -> Corpus:
    lines = "".join(f"{file.path}\t{file.split}\t{digest(file.text)}\n" for file in files)
    return Corpus(name, files, missing, hashlib.sha256(lines.encode()).hexdigest())


def corpus(name: str, *, root: Path | None = None, listing: Path = MANIFEST) -> Corpus:
    """Read a corpus of source code; files are read, never imported.

    Arguments:
        name: "python_code" (installed packages, the files that the manifest names) or "python_stdlib" (the standard
            library of the Python that runs; it depends on its version).
        root: folder of the installed packages; by default that of the Python that runs.
        listing: the manifest.

    Raises:
        ValueError: unknown name, a damaged manifest, or nothing of the corpus is there.
    """
    if name not in ("python_code", "python_stdlib"):
        raise ValueError(f"the corpora are python_code and python_stdlib; found {name!r}")
    found = _python_code(root, listing) if name == "python_code" else _python_stdlib()
    empty = [split for split in SPLITS if not any(file.split == split for file in found.files)]
    if empty:
        raise ValueError(f"no file of {name} was found for {', '.join(empty)} ({'; '.join(found.missing[:3])} …): "
                         "install what constraints.txt names with `pip install -c constraints.txt -e .`")
    return found


@lru_cache(maxsize=2)
def fingerprint(name: str) -> str:
    """Return a short name for the state of a corpus here, without reading it: manifest and installed versions."""
    parts = [name, platform.python_version() if name == "python_stdlib" else MANIFEST.read_text(encoding="utf-8")]
    if name == "python_code":
        for package in PACKAGES:
            try:
                parts.append(f"{package.distribution} {metadata.version(package.distribution)}")
            except metadata.PackageNotFoundError:
                parts.append(f"{package.distribution} -")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
