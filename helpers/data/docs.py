"""Questions and answers from real documentation: docstrings of installed packages and Python's language reference."""

from __future__ import annotations

import ast
import gc
import hashlib
import re
import sysconfig
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np

from helpers.data.base import Card, split_indices

STDLIB, LANGUAGE = "standard library", "language reference"


@dataclass(frozen=True)
class Library:
    """One source of passages: the package's folder, what of it is read, its distribution (None: Python) and licence."""

    folder: str
    parts: tuple[str, ...]
    distribution: str | None
    licence: str


# Fixed list; every package comes with torch, scikit-learn or matplotlib, and its version is pinned in constraints.txt.
LIBRARIES: dict[str, Library] = {
    STDLIB: Library("", ("*.py", "asyncio", "collections", "concurrent", "ctypes", "email", "html", "http", "importlib",
                         "json", "logging", "multiprocessing", "sqlite3", "unittest", "urllib", "wsgiref", "xml",
                         "zoneinfo"), None, "PSF-2.0"),
    "matplotlib": Library("matplotlib", ("*.py", "axes"), "matplotlib", "Matplotlib licence (PSF-based)"),
    "networkx": Library("networkx", ("algorithms", "classes", "generators"), "networkx", "BSD-3-Clause"),
    "numpy": Library("numpy", ("_core", "lib", "linalg", "ma", "polynomial"), "numpy", "BSD-3-Clause"),
    "scikit-learn": Library("sklearn", ("cluster", "ensemble", "linear_model", "metrics", "model_selection",
                                        "preprocessing"), "scikit-learn", "BSD-3-Clause"),
    "torch": Library("torch", ("nn/modules", "nn/utils", "optim", "utils/data", "distributions"), "torch",
                     "BSD-3-Clause"),
    "jinja2": Library("jinja2", ("*.py",), "jinja2", "BSD-3-Clause"),
    "joblib": Library("joblib", ("*.py",), "joblib", "BSD-3-Clause"),
    LANGUAGE: Library("pydoc_data/topics.py", (), None, "PSF-2.0"),
}
CARD = Card(
    name="python_docs", title="Questions and answers about Python",
    origin="docstrings of the standard library and of the installed packages " + ", ".join(
        name for name, library in LIBRARIES.items() if library.distribution)
           + ", and the language-reference topics that come with Python; read from their files, never imported. "
             "Question: the first paragraph (the summary line); answer: what follows it, up to 2,000 characters",
    licence="of each library: PSF-2.0, BSD-3-Clause or Matplotlib's; shown beside each passage",
    size="about 4,000 passages; split 70 / 15 / 15 by module", real="real",
    limits="summary lines are what authors wrote, not what users ask; English only; the number of passages depends on "
           "the versions installed; near copies are removed by a sketch that may miss some")
_MAX_ANSWER, _MIN_ANSWER, _MAX_QUERY = 2_000, 80, 200
_SKIP = {"tests", "test", "testing", "externals", "_vendor", "__pycache__",
         "pyplot.py", "_mathtext_data.py", "_cm.py", "_cm_listed.py", "_cm_multivar.py", "_color_data.py"}  # copies


@dataclass(frozen=True)
class Passage:
    """One question and its answer.

    Arguments:
        library, module, qualname: where it stands, such as "numpy", "numpy.lib._function_base_impl", "diff".
        query: the summary line; answer: the text after it. The answer never contains the query.
        licence: of the library.
    """

    library: str
    module: str
    qualname: str
    query: str
    answer: str
    licence: str


@dataclass(frozen=True)
class PythonDocs:
    """Passages, split by module, and what is known about them.

    Arguments:
        passages: all, in a fixed order.
        train, validation, test: the three splits, in random order; a module lies in one split only.
        classes: the libraries, in the order of ``labels``.
        versions: library → version that was read.
        missing: libraries of the list that are not installed, or files that could not be read.
        sha256: fingerprint of all passages.
    """

    passages: list[Passage]
    train: list[Passage]
    validation: list[Passage]
    test: list[Passage]
    card: Card
    classes: list[str]
    versions: dict[str, str]
    missing: list[str]
    sha256: str

    def splits(self) -> dict[str, list[Passage]]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def labels(self, passages: list[Passage]) -> list[int]:
        """Return the number of each passage's library in ``classes``."""
        return [self.classes.index(passage.library) for passage in passages]


def _root(library: Library) -> Path:
    return Path(sysconfig.get_path("stdlib" if library.distribution is None else "purelib")) / library.folder


def _files(library: Library) -> list[Path]:
    root = _root(library)
    found: set[Path] = set()
    for part in library.parts:
        found.update(root.glob(part) if part.endswith(".py") else (root / part).rglob("*.py"))
    return sorted(path for path in found if not _SKIP & set(path.relative_to(root).parts)
                  and not (library.distribution is None and path.name.startswith("_") and path.name != "__init__.py"))


def _docstrings(nodes: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of public classes, functions and methods, not looking into expressions."""
    for node in nodes:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if node.name.startswith("_"):
                continue
            text = ast.get_docstring(node)
            if text:
                yield prefix + node.name, text
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _docstrings(node.body, prefix)


def _pair(text: str, min_words: int) -> tuple[str, str] | None:
    """Split a docstring into question and answer, or return None where it is unfit for that."""
    head, _, body = text.strip().partition("\n\n")
    query = " ".join(head.split())
    body = "\n".join(line for line in body.strip("\n").splitlines() if " ".join(line.split()) != query)
    while len(body) > _MAX_ANSWER and "\n\n" in body:
        body = body[:body.rindex("\n\n")]
    body = body.strip()
    fit = (len(query.split()) >= min_words and len(query) <= _MAX_QUERY and _MIN_ANSWER <= len(body) <= _MAX_ANSWER
           and not re.match(r"[\w.]+\(|[.:>*]", query) and query not in " ".join(body.split()))
    return (query, body) if fit else None


def _topics(library: Library) -> Iterator[tuple[str, str, str]]:
    """Yield (module, name, text) of the language reference: a title, its underline, paragraphs."""
    tree = ast.parse(_root(library).read_bytes())
    assigned = next(node for node in tree.body if isinstance(node, ast.Assign))
    for name, text in sorted(ast.literal_eval(assigned.value).items()):
        title, _, body = text.strip().partition("\n")
        yield f"topics.{name}", name, f"{title.strip()}\n\n{body.lstrip('*=-~').strip()}"


@lru_cache(maxsize=len(LIBRARIES))
def _read(name: str) -> tuple[tuple[Passage, ...], str, tuple[str, ...]]:
    """Return the passages of one library, its version, and what could not be read."""
    library = LIBRARIES[name]
    try:
        version = metadata.version(library.distribution) if library.distribution else sysconfig.get_python_version()
    except metadata.PackageNotFoundError:
        return (), "", (f"{name} is not installed",)
    if name == LANGUAGE and not _root(library).is_file():
        return (), "", (f"{name} did not come with this Python",)
    collecting = gc.isenabled()
    gc.disable()                                  # syntax trees hold no cycles; without collection twice as fast
    try:
        texts, unread = (list(_topics(library)), []) if name == LANGUAGE else _texts(library)
    finally:
        if collecting:
            gc.enable()
    min_words = 1 if name == LANGUAGE else 3
    pairs = ((module, qualname, _pair(text, min_words)) for module, qualname, text in texts)
    found = (Passage(name, module, qualname, *pair, library.licence) for module, qualname, pair in pairs if pair)
    return tuple(found), version, tuple(unread)


def _texts(library: Library) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return (module, qualified name, docstring) of a package's files, and the modules that could not be parsed."""
    texts, unread = [], []
    for path in _files(library):
        parts = (library.folder, *path.relative_to(_root(library)).with_suffix("").parts)
        module = ".".join(parts).strip(".").removesuffix(".__init__")
        try:
            source = path.read_bytes()
            if b'"""' not in source and b"'''" not in source:
                continue
            tree = ast.parse(source)
        except (SyntaxError, ValueError, OSError) as error:
            unread.append(f"{module} ({type(error).__name__})")
            continue
        texts += [(module, qualname, text) for qualname, text in _docstrings(tree.body)]
    return texts, unread


def _sketch(text: str) -> list[int]:
    """Return the 12 smallest hashes of the text's runs of four words: texts that share most of them are near copies."""
    words = re.findall(r"[a-z]+", text.lower())
    runs = {zlib.crc32(" ".join(words[i:i + 4]).encode()) for i in range(max(1, len(words) - 3))}
    return sorted(runs)[:12]


def _distinct(passages: list[Passage]) -> list[Passage]:
    """Keep the first of equal questions and of equal or nearly equal answers."""
    queries: set[str] = set()
    holders: dict[int, list[int]] = {}
    kept: list[Passage] = []
    for passage in passages:
        query = " ".join(re.findall(r"\w+", passage.query.lower()))
        if query in queries:
            continue
        sketch = _sketch(passage.answer)
        shared = Counter(index for value in sketch for index in holders.get(value, ()))
        if shared and shared.most_common(1)[0][1] >= 0.5 * len(sketch):
            continue
        queries.add(query)
        for value in sketch:
            holders.setdefault(value, []).append(len(kept))
        kept.append(passage)
    return kept


def python_docs(libraries: list[str] | None = None, *, seed: int = 0) -> PythonDocs:
    """Read questions and answers from the installed documentation, split 70 / 15 / 15 by module within each library.

    Arguments:
        libraries: names from ``LIBRARIES``; all of them by default.
        seed: of the split; the passages themselves do not depend on it.

    Raises:
        ValueError: an unknown library, one named twice, or none that is installed.
    """
    wanted = list(LIBRARIES) if libraries is None else list(libraries)
    unknown = [name for name in wanted if name not in LIBRARIES]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f"libraries must be different names out of {', '.join(LIBRARIES)}; found {libraries!r}")
    passages: list[Passage] = []
    versions, missing = {}, []
    for name in (name for name in LIBRARIES if name in wanted):
        own, version, unread = _read(name)
        missing += unread
        if own:
            passages += own
            versions[name] = version
    passages = _distinct(passages)
    if not passages:
        raise ValueError(f"no passage could be read: {'; '.join(missing)}")
    classes = [name for name in LIBRARIES if name in versions]
    labels = np.array([classes.index(passage.library) for passage in passages])
    rows = split_indices([f"{p.library} {p.module}" for p in passages], labels=labels, seed=seed)
    parts = [[passages[index] for index in part] for part in rows]
    digest = hashlib.sha256("\0".join(f"{p.module}\1{p.qualname}\1{p.query}\1{p.answer}" for p in passages).encode())
    counts = ", ".join(f"{name} {int((labels == label).sum()):,}" for label, name in enumerate(classes))
    card = replace(CARD, size=f"{' / '.join(f'{len(part):,}' for part in parts)} passages, split by module ({counts})",
                   limits=CARD.limits + (f"; missing here: {'; '.join(missing)}" if missing else ""))
    return PythonDocs(passages, *parts, card, classes, versions, missing, digest.hexdigest())


def load(*, libraries: list[str] | None = None, seed: int = 0) -> PythonDocs:
    """Return ``python_docs(libraries, seed=seed)``; the splits are lists of passages, not tensors."""
    return python_docs(libraries, seed=seed)
