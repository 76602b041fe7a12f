"""Recorded runs: one JSON file a run with its provenance, in book/recorded/ or the reader's own book/mine/."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

_TEXT, _NUMBER = (str,), (int, float)
# key → (types it may have, what it holds); a payload brings the first nine, `save` adds the others
SCHEMA: dict[str, tuple[tuple[type, ...], str]] = {
    "configuration": ((dict,), "what was asked for: model, data, options"),
    "seed": ((int,), "seed of the run"),
    "device": (_TEXT, "name of the processor or GPU"),
    "precision": (_TEXT, "number format, such as float32"),
    "seconds": (_NUMBER, "wall time of the run"),
    "flops": ((int, float, type(None)), "floating-point operations in matrix products; null where not counted"),
    "curves": ((dict,), "name → list of numbers"),
    "results": ((dict,), "what the run found"),
    "corpus_sha256": ((str, type(None)), "fingerprint of the data; null where the data is generated"),
    "name": (_TEXT, "name of the run, also of the file"),
    "date": (_TEXT, "when it was saved, ISO 8601, UTC"),
    "versions": ((dict,), "of Python, torch and the libraries"),
    "system": (_TEXT, "operating system and processor type"),
    "source_sha256": (_TEXT, "fingerprint of helpers/"),
    "git_revision": ((str, type(None)), "commit; '+changes' where files differed from it; null without a repository"),
    "samples": ((list, type(None)), "optional: pieces of output, such as generated text"),
    "notes": ((str, type(None)), "optional: what a reader should know"),
}
_REQUIRED = ("configuration", "seed", "device", "precision", "seconds", "flops", "curves", "results")
_STAMPED = ("name", "date", "versions", "system", "source_sha256", "git_revision", "corpus_sha256")
_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "accelerate", "tokenizers", "matplotlib", "pillow")


def book_folder() -> Path:
    """Return the folder book/ of the course, whatever the working directory is.

    It lies in HELPERS_BOOK where that is set, else beside the package ``helpers``.

    Raises:
        FileNotFoundError: there is none; one sentence says what to do.
    """
    setting = os.environ.get("HELPERS_BOOK")
    root = Path(setting).expanduser() if setting else Path(__file__).resolve().parents[1]
    if not (root / "book").is_dir():
        where = f"{f'HELPERS_BOOK is {setting!r}, which' if setting else root} holds no folder book/"
        raise FileNotFoundError(f"recorded runs need the course's repository, but {where}: "
                                "set HELPERS_BOOK to the folder of the repository")
    return root / "book"


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(f"a record's name is made of lower-case letters, digits and single hyphens, found {name!r}")


@lru_cache(maxsize=1)
def source_sha256() -> str:
    """Return one fingerprint (SHA-256, hexadecimal) of the sources of ``helpers``: names and contents."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    kinds = {".py", ".mjs", ".js", ".json", ".csv"}
    for path in sorted(p for p in root.rglob("*") if p.suffix in kinds and "__pycache__" not in p.parts):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(root).as_posix()}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(Path(__file__).resolve().parents[1]), *arguments],
                              capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def git_revision() -> str | None:
    """Return the commit of the repository that holds ``helpers``, with '+changes' where tracked files differ from it.

    Returns None where there is no repository, no commit or no git, and where ``helpers`` is not tracked.
    """
    here = Path(__file__).resolve()
    if not _git("ls-files", str(here)):
        return None
    revision = _git("rev-parse", "--verify", "HEAD")
    if revision is None:
        return None
    return revision + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result may depend on, without importing them."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(device_name: str, precision: str, seed: int, configuration: dict[str, Any],
               corpus_sha256: str | None = None) -> dict[str, Any]:
    """Return the stamp of a run: what ran, on what, with which sources, when.

    Arguments:
        device_name: name of the processor or GPU.
        precision: number format, such as "float32".
        seed: of the run.
        configuration: what was asked for, made of JSON values.
        corpus_sha256: fingerprint of the data; None for generated data.
    """
    return {
        "configuration": configuration, "seed": seed, "device": device_name, "precision": precision,
        "corpus_sha256": corpus_sha256, "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(), "system": f"{platform.system()} {platform.machine()}",
        "source_sha256": source_sha256(), "git_revision": git_revision()}


def _check_values(value: Any, where: str) -> None:
    """Walk through JSON values and refuse anything else, also NaN and infinity."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has the key {key!r}: keys of a record are text")
            _check_values(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check_values(item, f"{where}[{position}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}: a record holds finite numbers only")
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise ValueError(f"{where} is a {type(value).__name__}: a record holds numbers, text, lists and dicts "
                         "(turn tensors into lists with .tolist())")


def validate(payload: dict[str, Any]) -> None:
    """Check a whole record against SCHEMA: all keys, their types, finite numbers.

    Raises:
        ValueError: says which key is missing, unknown (near matches offered) or holds what it should not.
    """
    _validate(payload, _REQUIRED + _STAMPED)


def _validate(payload: dict[str, Any], required: tuple[str, ...]) -> None:
    if not isinstance(payload, dict):
        raise ValueError(f"a record is a dict, found {type(payload).__name__}")
    for key in payload:
        if key not in SCHEMA:
            near = difflib.get_close_matches(str(key), SCHEMA, n=1)
            raise ValueError(f"a record has no key {key!r}: "
                             + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SCHEMA)}"))
    missing = [key for key in required if key not in payload]
    if missing:
        raise ValueError(f"the record lacks {', '.join(missing)}")
    for key, value in payload.items():
        types, meaning = SCHEMA[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise ValueError(f"record key {key!r} ({meaning}) must be {' or '.join(t.__name__ for t in types)}, "
                             f"found {type(value).__name__}")
        _check_values(value, key)
    if payload["seconds"] < 0 or (payload["flops"] or 0) < 0:
        raise ValueError(f"seconds and flops cannot be negative, found {payload['seconds']} and {payload['flops']}")
    for name, curve in payload["curves"].items():
        if not isinstance(curve, (list, tuple)) or not all(
                v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in curve):
            raise ValueError(f"curves.{name} must be a list of numbers, found {curve!r:.60}")


def save(name: str, payload: dict[str, Any], *, mine: bool = True, replace: bool = False) -> Path:
    """Write a run as JSON, whole or not at all, and return the path.

    Arguments:
        name: lower-case letters, digits and hyphens.
        payload: the keys configuration, seed, device, precision, seconds, flops, curves and results of SCHEMA;
            optional corpus_sha256, samples, notes. The rest of the stamp is added here.
        mine: write to the reader's own book/mine/; False (book/recorded/) is for ``benchmarks.record`` only.
        replace: allow an existing record of that name to be replaced.

    Raises:
        ValueError: a key is missing, unknown or holds what it should not; nothing is written.
        FileExistsError: the record exists and ``replace`` is False.
        FileNotFoundError: no book/ folder.
    """
    _check_name(name)
    _validate(payload, _REQUIRED)
    stamp = provenance(payload["device"], payload["precision"], payload["seed"], payload["configuration"],
                       payload.get("corpus_sha256"))
    record = {"name": name, **stamp, **{key: value for key, value in payload.items() if key not in _STAMPED}}
    validate(record)
    folder = book_folder() / ("mine" if mine else "recorded")
    path = folder / f"{name}.json"
    if path.exists() and not replace:
        raise FileExistsError(f"{path.parent.name}/{path.name} exists already: choose another name, "
                              "or pass replace=True")
    folder.mkdir(exist_ok=True)
    return replace_file(path, (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def replace_file(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all: beside its place, then renamed, so that a full disk leaves the old one.

    Arguments:
        path: where it goes; its folder exists.
        content: what it holds.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _folders() -> list[Path]:
    """Return the folders in the order in which a name is looked up."""
    setting = os.environ.get("HELPERS_RECORDS", "recorded")
    if setting not in ("recorded", "mine"):
        raise ValueError(f"HELPERS_RECORDS must be 'recorded' or 'mine', found {setting!r}")
    book = book_folder()
    return [book / setting, book / ("mine" if setting == "recorded" else "recorded")]


def names() -> list[str]:
    """Return the names of all records that can be loaded.

    Raises:
        FileNotFoundError: no book/ folder.
    """
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.json")})


def load(name: str) -> dict[str, Any]:
    """Read a record: from book/recorded/, then book/mine/; with HELPERS_RECORDS=mine the other way round.

    Raises:
        ValueError: unknown name (near matches are offered), or a file that is no valid record.
        FileNotFoundError: no book/ folder.
    """
    _check_name(name)
    for folder in _folders():
        path = folder / f"{name}.json"
        if path.is_file():
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                validate(record)
            except ValueError as error:
                raise ValueError(f"{path.parent.name}/{path.name} is no valid record: {error}") from error
            return record
    known = names()
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    offer = (f"did you mean {' or '.join(map(repr, near))}?" if near
             else f"there are {', '.join(known)}" if known else "there are none yet")
    raise ValueError(f"no recorded run is called {name!r}: {offer}")
