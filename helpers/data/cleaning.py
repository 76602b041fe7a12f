"""From a folder of files to clean texts: reading, normal form, rules, and features for a learned quality filter."""

from __future__ import annotations

import base64
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.data.base import checked_whole

FEATURES = ("letters", "digits", "spaces", "line length", "indented lines", "repeated lines", "different words",
            "word length", "compressed size")
DIRT = ("scrambled", "numbers", "encoded", "boilerplate")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Text:
    """One text of a folder: its path below the folder, with "/", and what it says."""

    path: str
    text: str

    @property
    def group(self) -> str:
        """The folder of the file: what lies in it is split together."""
        return self.path.rpartition("/")[0] or self.path


@dataclass(frozen=True)
class Folder:
    """Texts that were read, in the order of their paths, and files that were not, each with the reason."""

    texts: list[Text]
    unread: list[str]


def read_folder(
    path: str | Path, suffixes: Sequence[str] = (".py", ".txt", ".md"), *, max_bytes: int = 1_000_000
) -> Folder:
    """Read all text files below a folder; what cannot be read is named, never skipped in silence.

    Arguments:
        path: the folder.
        suffixes: how the names of the files end.
        max_bytes: a larger file is left out and named.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: nothing in it can be read, or max_bytes is below 1.
    """
    checked_whole("max_bytes", max_bytes)
    root = Path(path).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: set the path to the folder that holds your texts")
    texts, unread, others = [], [], Counter()
    for file in sorted(found for found in root.rglob("*") if found.is_file()):
        name = file.relative_to(root).as_posix()
        if not name.endswith(tuple(suffixes)):
            others[file.suffix or "no suffix"] += 1
            continue
        try:
            if file.stat().st_size > max_bytes:
                unread.append(f"{name}: larger than {max_bytes:,} bytes")
                continue
            text = file.read_bytes().decode("utf-8")
        except OSError as error:
            unread.append(f"{name}: {error.strerror or error}")
            continue
        except UnicodeDecodeError as error:
            unread.append(f"{name}: not UTF-8 (byte {error.start})")
            continue
        if text.strip():
            texts.append(Text(name, text))
        else:
            unread.append(f"{name}: empty")
    if not texts:
        there = ", ".join(f"{num} × {suffix}" for suffix, num in others.most_common(3)) or "no other files"
        raise ValueError(f"no text ending in {', '.join(suffixes)} could be read below {root} (found {there}; "
                         f"{len(unread)} unreadable): pass suffixes=, or save the files as UTF-8")
    return Folder(texts, unread)


def normalise(text: str) -> str:
    """Return a text in one of its equivalent forms: NFC, "\\n" at line ends, no blanks before them, one at the end.

    Capitals, indentation and characters that only look alike stay: in code they mean something.
    """
    plain = unicodedata.normalize("NFC", text.removeprefix("\ufeff")).replace("\r\n", "\n").replace("\r", "\n")
    return "\n".join(line.rstrip(" \t") for line in plain.split("\n")).strip("\n") + "\n"


def features(text: str) -> np.ndarray:
    """Return numbers about the look of a text, in the order of ``FEATURES``: float64 [9]; all 0 for an empty one."""
    dense = [character for character in text if not character.isspace()]
    lines = [line for line in text.split("\n") if line.strip()]
    words = _WORD.findall(text)
    if not dense:
        return np.zeros(len(FEATURES))
    raw = text.encode()
    return np.array([
        sum(map(str.isalpha, dense)) / len(dense),
        sum(map(str.isdigit, dense)) / len(dense),
        1 - len(dense) / len(text),
        math.log1p(len(text) / len(lines)),
        sum(line[0] in " \t" for line in lines) / len(lines),
        1 - len(set(lines)) / len(lines),
        len({word.lower() for word in words}) / max(1, len(words)),
        math.log1p(len("".join(words)) / max(1, len(words))),
        len(zlib.compress(raw)) / len(raw)])


def problems(text: str, *, min_characters: int = 200, max_digits: float = 0.2, max_repeated: float = 0.5,
             max_line: int = 1000) -> list[str]:
    """Return why rules of thumb would leave a text out; empty where they keep it.

    Arguments:
        text: any text.
        min_characters: a shorter text says too little.
        max_digits: highest share of digits; above it a text is a table.
        max_repeated: highest share of lines that stand in the text already.
        max_line: longest line in characters; longer ones are written by programs.
    """
    values = dict(zip(FEATURES, features(text), strict=True))
    reasons = {f"fewer than {min_characters} characters": len(text.strip()) < min_characters,
               f"more than {max_digits:.0%} digits": values["digits"] > max_digits,
               f"more than {max_repeated:.0%} repeated lines": values["repeated lines"] > max_repeated,
               f"a line above {max_line:,} characters": max(map(len, text.split("\n"))) > max_line}
    return [reason for reason, holds in reasons.items() if holds]


def pieces(text: str, num_characters: int = 1500) -> list[str]:
    """Cut a text at line ends into pieces of at least ``num_characters`` characters; a shorter rest is left out.

    Raises:
        ValueError: a number below 1.
    """
    checked_whole("num_characters", num_characters)
    found, lines, size = [], [], 0
    for line in text.splitlines(keepends=True):
        lines.append(line)
        size += len(line)
        if size >= num_characters:
            found.append("".join(lines))
            lines, size = [], 0
    return found


def dirty(text: str, kind: str, *, seed: int = 0) -> str:
    """Return *simulated* dirt of about the length of a text.

    Arguments:
        text: what it is made from.
        kind: "scrambled" (its words in random order, the line lengths kept), "numbers" (a table), "encoded" (its bytes
            in base64), "boilerplate" (a few of its lines over and over).
        seed: of the random order.

    Raises:
        ValueError: unknown kind, or a text without words.
    """
    if kind not in DIRT:
        raise ValueError(f"the kinds of dirt are {', '.join(DIRT)}; found {kind!r}")
    if not text.split():
        raise ValueError(f"dirt is made from a text with words, found {text[:20]!r}")
    rng = np.random.default_rng([seed, DIRT.index(kind), 53])
    lines = [line for line in text.split("\n") if line.strip()]
    if kind == "scrambled":
        words = iter(rng.permutation(text.split()).tolist())
        return "\n".join(line[:len(line) - len(line.lstrip())] + " ".join(next(words) for _ in line.split())
                         for line in lines)
    if kind == "numbers":
        rows = np.round(rng.normal(size=(max(1, len(text) // 40), 6)), 3)
        return "\n".join("    " + ", ".join(map(str, row)) + "," for row in rows.tolist())
    if kind == "encoded":
        code = base64.b64encode(text.encode()).decode()[:len(text)]
        return "\n".join(code[at:at + 76] for at in range(0, len(code), 76))
    few = [lines[place] for place in sorted(rng.permutation(len(lines))[:5])]
    return "\n".join(few * max(1, round(len(lines) / len(few))))
