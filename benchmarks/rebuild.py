"""How long a rebuild of the pages takes: with nothing changed, and after one text was edited, on a copy of the book."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.execution import REPOSITORY

# what changed → seconds that the rebuild may take
LIMITS = {"nothing": 15.0, "one text": 20.0}
EDITED = "book/notation.md"


def copied(folder: Path) -> Path:
    """The book with its executed notebooks, without its pages."""
    root = folder / "book"
    shutil.copytree(REPOSITORY / "book", root / "book", ignore=shutil.ignore_patterns("mine", ".ipynb_checkpoints"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(REPOSITORY / name, root / name)
    for name in (".jupyter_cache", "release"):
        if (REPOSITORY / "_build" / name).is_dir():
            shutil.copytree(REPOSITORY / "_build" / name, root / "_build" / name)
    return root


def build(root: Path) -> float:
    """Seconds of ``python -m tools.book build ROOT``; raises RuntimeError with its output when it fails."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "tools.book", "build", str(root)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the book does not build:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - begin


def measure(repeats: int) -> dict[str, list[float]]:
    """Seconds of each rebuild by what had changed; a first build, which does not count, comes before."""
    seconds: dict[str, list[float]] = {name: [] for name in LIMITS}
    with tempfile.TemporaryDirectory() as folder:
        root = copied(Path(folder))
        build(root)
        page = root / EDITED
        for repeat in range(repeats):
            seconds["nothing"].append(build(root))
            page.write_text(page.read_text("utf8") + f"\nEdited {repeat + 1} times.\n", "utf8")
            seconds["one text"].append(build(root))
    return seconds


def verdicts(seconds: dict[str, list[float]]) -> dict[str, tuple[float, bool]]:
    """The median of each rebuild, and whether it stays within its limit."""
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    return {name: (median, median <= LIMITS[name]) for name, median in medians.items()}
