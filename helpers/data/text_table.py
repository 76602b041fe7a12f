"""The reader's own texts: a CSV or Parquet file with a column of texts and a column of labels."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from helpers.data.base import Card, Dataset, Split, checked_whole, split_indices

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PARQUET = (".parquet", ".pq")
CARD = Card(
    name="text_table", title="Your own texts", origin="a CSV or Parquet file on this machine",
    licence="that of your texts", real="real",
    size="as many rows as the file holds; split 70 / 15 / 15 label by label",
    limits="copies are found by their words alone; name the column of what belongs together (one customer, one thread, "
           "one document) with group=, or related texts may lie in two splits")


@dataclass(frozen=True)
class Texts:
    """One split of a table.

    Arguments:
        texts: the texts.
        labels: class numbers, as long as ``texts``.
        groups: what each text belongs to; texts of one group lie in one split.
    """

    texts: list[str]
    labels: list[int]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, numbers: Sequence[int] | np.ndarray) -> Texts:
        """Return the texts of these numbers, in this order."""
        return Texts(*([part[k] for k in numbers] for part in (self.texts, self.labels, self.groups)))


@dataclass(frozen=True)
class TextTable:
    """Texts with labels in three splits, as text; ``tokens`` turns them into tensors.

    Arguments:
        train, validation, test: the splits.
        card: where the texts come from.
        classes: names of the labels in the order of their numbers.
    """

    train: Texts
    validation: Texts
    test: Texts
    card: Card
    classes: list[str]

    def splits(self) -> dict[str, Texts]:
        """Return the three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def drawn(self, num: int | None, *, seed: int = 0) -> TextTable:
        """Return the table with ``num`` of its training texts, drawn at random; None takes all, in another order.

        Raises:
            ValueError: num below 1 or above the number of training texts.
        """
        if num is not None and not 1 <= num <= len(self.train):
            raise ValueError(f"drawn(num) needs 1 ≤ num ≤ {len(self.train)} training texts, found {num}")
        order = np.random.default_rng([seed, 3]).permutation(len(self.train))[:num]
        return replace(self, train=self.train.rows(order))

    def tokens(self, tokeniser: Tokenizer, max_tokens: int) -> Dataset:
        """Return the splits as token numbers x int64 [n, max_tokens], cut or filled up with 0, and labels y int64 [n].

        Arguments:
            tokeniser: fitted to the training texts only; its number 0 must be one that no text contains.
            max_tokens: tokens of a text that are kept.

        Raises:
            ValueError: max_tokens below 1.
        """
        checked_whole("max_tokens", max_tokens)
        parts = []
        for split in self.splits().values():
            x = np.zeros((len(split), max_tokens), dtype=np.int64)
            for row, text in zip(x, tokeniser.encode_batch(split.texts)):
                row[:len(text.ids)] = text.ids[:max_tokens]
            parts.append(Split(torch.from_numpy(x), torch.tensor(split.labels)))
        return Dataset(*parts, self.card, self.classes)

    def sha256(self) -> str:
        """Return one fingerprint of all texts and labels in all splits."""
        digest = hashlib.sha256()
        for name, split in self.splits().items():
            rows = "\0".join(f"{label}\1{text}" for text, label in zip(split.texts, split.labels))
            digest.update(f"{name}\n{rows}\n".encode())
        return digest.hexdigest()


def _decoded(path: Path, encoding: str | None) -> str:
    raw = path.read_bytes()
    utf8 = encoding is None or encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
    try:
        as_utf8 = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if utf8:
            line = raw.count(b"\n", 0, error.start) + 1
            guess = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252 or gb18030, for example"
            raise ValueError(f"{path.name} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line}; save it as "
                             f"UTF-8, or name its encoding with encoding= ({guess})") from None
    else:
        if utf8:
            return as_utf8
        if not raw.isascii() and "utf" not in encoding.lower():
            raise ValueError(f"{path.name} is valid UTF-8, so encoding={encoding!r} would spoil its letters: "
                             "leave encoding= out")
    try:
        return raw.decode(encoding)
    except LookupError:
        raise ValueError(f"Python knows no encoding {encoding!r}: try 'utf-8', 'cp1252', 'gb18030' or 'utf-16'"
                         ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not {encoding}: {error.reason} at byte {error.start}; name another encoding, "
                         "or save it as UTF-8") from None


def _csv(path: Path, wanted: Sequence[str], encoding: str | None) -> dict[str, list[Any]]:
    """Columns of a CSV file; the separator is the one of comma, semicolon, tab that splits the header as asked."""
    content = _decoded(path, encoding)
    if "\0" in content:
        raise ValueError(f"{path.name} holds null bytes, so it is no CSV file in this encoding: save the table as "
                         "CSV in UTF-8, or name its encoding with encoding=")
    first = re.split(r"[\r\n]", content, maxsplit=1)[0]
    mark = max(",;\t", key=lambda sign: (len(set(wanted) & set(next(csv.reader([first], delimiter=sign), []))),
                                         first.count(sign)))
    try:
        rows = list(csv.reader(io.StringIO(content, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path.name} cannot be read as CSV: {error}; look for a quotation mark that is not closed "
                         "or not doubled") from None
    if not rows:
        raise ValueError(f"{path.name} is empty: expected a header and rows")
    header = [name.strip() for name in rows[0]]
    _check_columns(path, wanted, header)
    ragged = [number for number, row in enumerate(rows[1:], 2) if row and len(row) != len(header)]
    if ragged:
        raise ValueError(f"{path.name}: {_rows(ragged)} not {len(header)} fields as the header has; put texts that "
                         "hold the separator into quotation marks")
    return {name: [row[header.index(name)] if row else "" for row in rows[1:]] for name in wanted}


def _parquet(path: Path, wanted: Sequence[str]) -> dict[str, list[Any]]:
    """Columns of a Parquet file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(f"reading {path.name} needs pyarrow, which is not installed: pip install -e "
                          "'.[tables]', or save the table as CSV") from None
    try:
        _check_columns(path, wanted, parquet.read_schema(path).names)
        table = parquet.read_table(path, columns=list(dict.fromkeys(wanted)))
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return {name: table.column(name).to_pylist() for name in wanted}


def _check_columns(path: Path, wanted: Sequence[str], found: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ValueError(f"{path.name} has no column {' and no column '.join(map(repr, missing))}: it has "
                         f"{', '.join(map(repr, found))}; pass the names of yours with text=, label= and group=")
    twice = [name for name in wanted if list(found).count(name) > 1]
    if twice:
        raise ValueError(f"{path.name} has two columns called {twice[0]!r}: rename one")


def _rows(numbers: Sequence[int]) -> str:
    """Say which rows, counted as a spreadsheet does: the header is row 1."""
    shown = ", ".join(map(str, numbers[:10])) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
    return f"row {shown} has" if len(numbers) == 1 else f"{len(numbers):,} rows ({shown}) have"


def key(text: str) -> str:
    """The words of a text in lower case: what equal texts share whatever their case, spaces and punctuation."""
    return " ".join(re.findall(r"\w+", text.lower())) or " ".join(text.split())


def _filled(path: Path, columns: dict[str, list[Any]], names: dict[str, str],
            skip_empty: bool) -> tuple[list[int], str]:
    """Rows that hold a text, a label and, where asked for, a group, and words about those that do not."""
    keep, left_out = set(range(len(columns[names["text"]]))), []
    for what, column_name in names.items():
        column = columns[column_name]
        wrong = next((value for value in column if value is not None and not isinstance(value, str)), None)
        if what == "text" and wrong is not None:
            raise ValueError(f"{path.name}: the column {column_name!r} holds {type(wrong).__name__} ({wrong!r:.40}), "
                             "expected text; is it the right column?")
        empty = [number for number, value in enumerate(column) if value is None or not str(value).strip()]
        if empty:
            message = f"{path.name}: {_rows([number + 2 for number in empty])} no {what}"
            if not skip_empty:
                raise ValueError(f"{message}; mend or remove them, or pass skip_empty=True")
            warnings.warn(f"{message}: left out", stacklevel=4)
            left_out.append(f"{len(empty):,} without {what}")
            keep -= set(empty)
    return sorted(keep), "; ".join(left_out)


def load(*, path: str | Path, text: str = "text", label: str = "label", group: str | None = None,
         encoding: str | None = None, skip_empty: bool = False, seed: int = 0) -> TextTable:
    """Read a table of texts and split it 70 / 15 / 15 by group, label by label.

    Of texts with the same words and label the first is kept; the same words with different labels are left out with a
    warning. The card counts both.

    Arguments:
        path: a .csv, .tsv or .txt file with a header (comma, semicolon or tab between the columns) or a .parquet file.
        text, label: names of the columns.
        group: column that says what belongs together; without it each text is a group of its own.
        encoding: of a CSV file; UTF-8 by default.
        skip_empty: go on without rows that lack a text, a label or a group; a warning and the card still count them.
        seed: of the split.

    Raises:
        FileNotFoundError: no such file.
        ImportError: a Parquet file without pyarrow.
        ValueError: a file of another kind or encoding, a missing column, a row of another length, empty texts,
            labels or groups (rows are named), one label only, or too few texts or groups of a label.

    Derived in: book/project/text_classifier.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: check the path")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a .csv or .parquet file")
    if text == label:
        raise ValueError(f"text and label name the same column, {text!r}: a classifier needs both")
    wanted = [text, label] + ([] if group is None else [group])
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".tsv", ".txt", *PARQUET):
        raise ValueError(f"{path.name} is neither .csv, .tsv, .txt nor .parquet: save the table as one of these")
    columns = _parquet(path, wanted) if suffix in PARQUET else _csv(path, wanted, encoding)
    if not columns[text]:
        raise ValueError(f"{path.name} has a header but no rows")
    asked = {"text": text, "label": label} | ({} if group is None else {"group": group})
    rows, left_out = _filled(path, columns, asked, skip_empty)
    texts = [columns[text][row].strip() for row in rows]
    names = [str(columns[label][row]).strip() for row in rows]
    belongs = [f"row {row}" if group is None else str(columns[group][row]) for row in rows]
    kept, copies = _distinct(path, texts, names, rows)
    notes = [note for note in (left_out, copies) if note]
    card = replace(CARD, origin=f"the file {path.name}; columns {', '.join(map(repr, wanted))}",
                   limits=CARD.limits + (f"; left out: {'; '.join(notes)}" if notes else ""))
    return table([texts[k] for k in kept], [names[k] for k in kept], [belongs[k] for k in kept], card, seed=seed)


def _distinct(path: Path, texts: list[str], names: list[str], rows: list[int]) -> tuple[list[int], str]:
    """Numbers of the texts that stay, and words about the others."""
    meanings: dict[str, set[str]] = {}
    keys = [key(text) for text in texts]
    for words, name in zip(keys, names):
        meanings.setdefault(words, set()).add(name)
    torn = [k for k, words in enumerate(keys) if len(meanings[words]) > 1]
    if torn:
        warnings.warn(f"{path.name}: {_rows([rows[k] + 2 for k in torn])} the same words with different labels: "
                      "left out", stacklevel=3)
    first: dict[str, int] = {}
    for k, words in enumerate(keys):
        if len(meanings[words]) == 1:
            first.setdefault(words, k)
    copies = len(texts) - len(torn) - len(first)
    notes = [f"{copies:,} cop{'y' if copies == 1 else 'ies'}"] * bool(copies)
    notes += [f"{len(torn):,} with two labels"] * bool(torn)
    return list(first.values()), "; ".join(notes)


def table(texts: list[str], names: list[str], groups: list[str], card: Card, *, seed: int = 0) -> TextTable:
    """Split texts with the names of their labels by group; ``load`` calls it after reading and checking a file.

    Raises:
        ValueError: one label only, almost as many labels as texts, a label in fewer than 3 groups.
    """
    counts = Counter(names)
    if len(counts) < 2:
        found = f"one label, {next(iter(counts))!r}" if counts else "no label"
        raise ValueError(f"the table holds {found}: a classifier needs at least two labels")
    if len(counts) > max(20, len(names) // 3):
        raise ValueError(f"the table holds {len(counts):,} different labels in {len(names):,} texts, such as "
                         f"{next(iter(counts))!r}: is it the right column?")
    for name, count in sorted(counts.items()):
        held = len({group for group, own in zip(groups, names) if own == name})
        if held < 3:
            found = f"{count} text{'s' * (count != 1)} in {held} group{'s' * (held != 1)}"
            raise ValueError(f"the label {name!r} has {found}: three splits need at least 3 groups of each label; "
                             "collect more, or merge it with another label")
    classes = sorted(counts)
    labels = [classes.index(name) for name in names]
    try:
        split = split_indices(groups, labels=np.array(labels), seed=seed)
    except ValueError as error:
        raise ValueError(f"the table cannot be split: {error}; collect more texts, or take a finer group") from None
    parts = [Texts(texts, labels, groups).rows(part) for part in split]
    missing = [name for number, name in enumerate(classes) if number not in parts[0].labels]
    if missing:
        raise ValueError(f"no training text has the label {missing[0]!r}, since its groups are shared with other "
                         "labels: take a finer group")
    sizes = " / ".join(f"{len(part):,}" for part in parts)
    size = f"{sizes} texts in {len(set(groups)):,} groups, {len(classes)} labels"
    return TextTable(*parts, replace(card, size=size), classes)
