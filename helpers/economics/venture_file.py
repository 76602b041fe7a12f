"""Reading a small file of settings: what is wrong is said with the line and what to write instead."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_HINTS = (  # what stands in the line → what to do
    (r"\d,\d{3}(?!\d)", "write large numbers without a comma, such as 400_000 or 400000"),
    (r"%", "write 3 percent as 0.03"),
    (r"=\s*\[?\s*[$€£¥]|\d\s*([kKmM]\b|[$€£¥]|USD|EUR)", "write the number alone, without its unit"),
    (r"=\s*(#|$)", "write a number behind the sign =, or take the line out"),
    (r"=\s*\[?\s*[A-Za-z]|after\s*=\s*\[?\s*[A-Za-z]", 'write words in double quotes, such as name = "My venture"'),
)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Args:
        path: an existing file.

    Raises:
        ValueError: the file is no text in UTF-8, or no TOML; the message shows the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} must be a text file in UTF-8, found byte {error.object[error.start]:#x} at "
                         f"place {error.start}; save it again as UTF-8.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_explained(path.name, text, str(error))) from None


def _explained(name: str, text: str, reason: str) -> str:
    """Say in one sentence which line is no TOML, and what to write instead."""
    place = re.search(r" \(at line (\d+), column \d+\)", reason)
    lines = text.splitlines()
    number = int(place[1]) if place else len(lines)
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    if "Cannot overwrite" in reason or "Cannot declare" in reason:
        hint = "this name stands twice in the file, keep one of them"
    else:
        bare = line.split("#")[0] if '"' not in line else line
        hint = next((hint for pattern, hint in _HINTS if re.search(pattern, bare)),
                    "write each line as key = 5 or key = [1, 2, 4]")
    reason = reason.replace(place[0], "") if place else reason
    return f"{name} is no TOML in line {number}, {line!r} ({reason}); {hint}."


def known_key(what: str, key: str, known: Iterable[str]) -> None:
    """Refuse a key that is not known: near matches are offered, or else all that are known.

    Args:
        what: what is being looked up, for the message.
        key: the name that was read.
        known: the names that exist.

    Raises:
        ValueError: the key is unknown.
    """
    names = list(known)
    if key in names:
        return
    near = difflib.get_close_matches(key.lower(), names, n=3, cutoff=0.6)
    near += [one for one in names if len(key) > 2 and key.lower() in one and one not in near][: 3 - len(near)]
    offer = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(names)}."
    raise ValueError(f"{what} {key!r} is unknown; {offer}")
