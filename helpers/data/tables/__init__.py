"""Tables of facts that ship with the course, as lists of rows; sources stand in each row."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path
from typing import Any


def table_names() -> list[str]:
    """Return the names that ``table`` takes."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.csv"))


def _value(text: str) -> int | float | bool | str | None:
    """Return a cell as a number, a truth value or text; an empty cell as None."""
    text = text.strip()
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def table(name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, numbers as numbers and empty cells as None.

    "milestones": models 2012 to 2026 with year, organisation, domain, parameters (count), active_parameters (count that
    works on each token: the same for dense models, None where it is not known), training_flop (FLOP in all),
    training_tokens (seen in training, or what tokens_unit says: tokens, words, images, pairs); parameters_basis,
    flop_basis and tokens_basis, which say how each figure is known ("published" by the makers, "counted" from published
    figures, for FLOP as 6 · active parameters · tokens, "estimate" by others or second-hand, None without a figure);
    estimate (True where one of the three is an estimate), reference_key (references.bib) and provenance in words.

    "sketches": thirty digits drawn as points, for the tests of the reader; see ``helpers.data.strokes.sketches``.

    Arguments:
        name: one of ``table_names()``.

    Raises:
        ValueError: unknown name (near matches are offered).
    """
    known = table_names()
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
        offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"no table is called {name!r}: {offer}")
    with (Path(__file__).parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{key: _value(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
