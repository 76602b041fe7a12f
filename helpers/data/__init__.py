"""Data sets by name: ``load("glyphs")`` returns train, validation and test as resident tensors, and a card."""

from __future__ import annotations

import difflib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.data.base import Card, Dataset, Split, TensorBatches, fingerprints, leaks, split_indices
from helpers.data.kfold import folds

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from helpers.data.corpora import Corpus
    from helpers.data.docs import PythonDocs
    from helpers.data.token_files import Tokens

__all__ = ["Card", "Dataset", "Split", "TensorBatches", "card", "corpus", "fingerprints", "folds", "leaks", "load",
           "names", "python_docs", "split_indices", "table", "tokeniser", "tokens", "write_surfaces"]

# name → (module below helpers.data, function, name of its card); a module is imported when its data set is asked for
_LOADERS: dict[str, tuple[str, str, str]] = {
    "breast_cancer": ("sklearn_sets", "breast_cancer", "BREAST_CANCER"),
    "digits": ("sklearn_sets", "digits", "DIGITS"),
    "facts": ("facts", "load", "CARD"),
    "fashion_mnist": ("fashion_mnist", "load", "CARD"),
    "first_symbol": ("first_symbol", "load", "CARD"),
    "glyphs": ("glyphs", "load", "CARD"),
    "image_folder": ("image_folder", "load", "CARD"),
    "line": ("line", "load", "CARD"),
    "moons": ("plane", "moons", "MOONS"),
    "python_docs": ("docs", "load", "CARD"),
    "python_stdlib": ("code", "load", "CARD"),
    "spiral": ("plane", "spiral", "SPIRAL"),
    "surfaces": ("surfaces", "load", "CARD"),
    "text_table": ("text_table", "load", "CARD"),
    "wine": ("sklearn_sets", "wine", "WINE"),
}


def names() -> list[str]:
    """Return the names that ``load`` takes."""
    return sorted(_LOADERS)


def _entry(name: str) -> tuple[Any, str, str]:
    if name not in _LOADERS:
        near = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.4)
        offer = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"there are {', '.join(names())}"
        raise ValueError(f"no data set is called {name!r}: {offer}")
    module, function, card_name = _LOADERS[name]
    return import_module(f"helpers.data.{module}"), function, card_name


def load(name: str, *, seed: int = 0, **options: Any) -> Dataset:
    """Load a data set by name, split into train, validation and test before anything is fitted.

    Arguments:
        name: one of ``names()``.
        seed: of generated examples and of the split; the global generators stay as they were.
        options: of the one data set, such as ``num_examples=`` or ``path=``; its module's ``load`` lists them.

    Raises:
        ValueError: unknown name (near matches are offered), or an option out of range.
    """
    module, function, _ = _entry(name)
    return getattr(module, function)(seed=seed, **options)


def card(name: str) -> Card:
    """Return the data card of ``name`` at its default options, without loading the data.

    Raises:
        ValueError: unknown name (near matches are offered).
    """
    module, _, card_name = _entry(name)
    return getattr(module, card_name)


def write_surfaces(folder: str | Path, *, num_per_class: int = 200, seed: int = 0, size: int = 150) -> Path:
    """Write simulated surfaces as an image folder; see ``helpers.data.surfaces.write_surfaces``."""
    surfaces = import_module("helpers.data.surfaces")
    return surfaces.write_surfaces(folder, num_per_class=num_per_class, seed=seed, size=size)


def python_docs(libraries: list[str] | None = None, *, seed: int = 0) -> PythonDocs:
    """Return questions and answers from docstrings; see ``helpers.data.docs.python_docs``."""
    return import_module("helpers.data.docs").python_docs(libraries, seed=seed)


def corpus(name: str) -> Corpus:
    """Return the files of "python_code" or "python_stdlib"; see ``helpers.data.corpora.corpus``."""
    return import_module("helpers.data.corpora").corpus(name)


def tokeniser(vocabulary: int = 2048) -> Tokenizer:
    """Return the house tokeniser; see ``helpers.data.token_files.tokeniser``."""
    return import_module("helpers.data.token_files").tokeniser(vocabulary)


def tokens(name: str = "python_code", *, vocabulary: int = 2048, path: str | Path | None = None) -> Tokens:
    """Return a corpus as checked streams of token numbers; see ``helpers.data.token_files.tokens``."""
    return import_module("helpers.data.token_files").tokens(name, vocabulary=vocabulary, path=path)


def table(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table of facts by name; see ``helpers.data.tables.table``."""
    return import_module("helpers.data.tables").table(name)
