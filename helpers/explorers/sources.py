"""The JavaScript of the explorers: each module with what it imports, written into one ES-module string.

A relative import from a blob URL fails, and anywidget also wants one string, so the modules in `js/` are joined here:
every imported module becomes a function that returns what it exports, and the explorer itself keeps its exports.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
PALETTE = Path(__file__).parent.parent / "palette.json"
_IMPORT = re.compile(r'^import\s+(\{[^}]*\}|\w+)\s+from\s+"\./([\w.]+)";[ \t]*\n', re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?:async\s+)?(?:function\*?|class|const|let)\s+(\w+)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export\s+\{([^}]*)\};[ \t]*\n", re.MULTILINE)


def names() -> list[str]:
    """Names of the explorer modules: the files in `js/` that have a default export."""
    return sorted(path.stem for path in FOLDER.glob("*.mjs") if _DEFAULT.search(path.read_text("utf8")))


def sources() -> dict[str, str]:
    """All explorer modules, each as one self-contained ES-module string, by name."""
    return {name: source(name) for name in names()}


def source(name: str) -> str:
    """One explorer module with everything it imports.

    Args:
        name: file name in `js/` without `.mjs`.

    Raises:
        ValueError: there is no explorer of that name.
    """
    if name not in names():
        raise ValueError(f"There is no explorer module {name!r}; there are: {', '.join(names())}.")
    return _joined(name)


@cache
def _joined(name: str) -> str:
    order: list[str] = []
    _collect(f"{name}.mjs", order, ())
    parts = [_wrapped(file) for file in order[:-1]]
    return "\n".join([*parts, _linked(_text(order[-1]))])


def _text(file: str) -> str:
    if file == "palette.json":
        return PALETTE.read_text("utf8")
    path = FOLDER / file
    if not path.is_file():
        raise ValueError(f"An explorer imports './{file}', but {FOLDER.name}/ has no such file.")
    return path.read_text("utf8")


def _collect(file: str, order: list[str], above: tuple[str, ...]) -> None:
    if file in above:
        raise ValueError(f"The explorer modules import each other in a circle: {' → '.join([*above, file])}.")
    if file in order:
        return
    if file.endswith(".mjs"):
        for _, needed in _IMPORT.findall(_text(file)):
            _collect(needed, order, (*above, file))
    order.append(file)


def _name(file: str) -> str:
    return "__" + re.sub(r"\W", "_", file)


def _linked(text: str) -> str:
    """Turn imports into constants: `import { a as b } from "./x.mjs"` → `const { a: b } = __x_mjs;`."""
    return _IMPORT.sub(lambda found: f"const {found[1].replace(' as ', ': ')} = {_name(found[2])};\n", text)


def _wrapped(file: str) -> str:
    if file.endswith(".json"):
        return f"const {_name(file)} = {json.dumps(json.loads(_text(file)), separators=(',', ':'))};"
    text = _text(file)
    exported = _EXPORT.findall(text)
    for group in _EXPORT_LIST.findall(text):
        exported += [name.strip() for name in group.split(",") if name.strip()]
    text = re.sub(r"^export default .*\Z", "", _EXPORT_LIST.sub("", text), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^export\s+", "", text, flags=re.MULTILINE)
    return f"const {_name(file)} = (() => {{\n{_linked(text)}\nreturn {{ {', '.join(exported)} }};\n}})();"
