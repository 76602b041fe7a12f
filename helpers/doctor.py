"""What hardware and software is here, and what is missing for what: ``python -m helpers.doctor``.

It reads, times one matrix product and prints. It changes nothing and sends nothing anywhere.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BASE = tuple("accelerate matplotlib numpy pillow safetensors scikit-learn scipy tokenizers torch tqdm".split())
JUPYTER = ("anywidget", "ipywidgets", "jupyter-book", "jupyterlab", "jupyterlab-myst", "nbval")
EXTRAS = {
    "book": ("the book and JupyterLab", JUPYTER),
    "classroom": ("grading assignments", ("nbgrader",)),
    "export": ("exporting models", ("onnx", "onnxruntime", "onnxscript")),
    "tables": ("tables in Parquet files", ("pyarrow",)),
    "serving": ("the HTTP service", ("fastapi", "prometheus-client", "uvicorn")),
    "test": ("the tests", ("axe-playwright-python", "import-linter", "playwright", "ruff")),
}
NEEDED_DISK_GIGABYTES = 5
NEEDED_MEMORY_GIGABYTES = 4
MARKS = {"ok": "✓", "optional": "–", "missing": "✗"}


@dataclass(frozen=True)
class Finding:
    """One line of the report: state is "ok", "optional" (missing, only some things need it) or "missing" (needed)."""

    state: str
    text: str

    def __str__(self) -> str:
        """The line as it is printed."""
        return f"{MARKS[self.state]} {self.text}"


def examine() -> list[Finding]:
    """Look at this machine and return what was found, in the order in which it is printed."""
    return [
        python_version(),
        *packages(),
        tested_versions(),
        *computing(),
        memory(),
        disk(Path.cwd()),
        fashion_mnist(),
        browser(),
    ]


def python_version(version: tuple[int, int] | None = None) -> Finding:
    """Whether this Python, or the given (major, minor), is one the course runs on."""
    found = version or sys.version_info[:2]
    name = platform.python_version() if version is None else f"{found[0]}.{found[1]}"
    if (3, 11) <= tuple(found) <= (3, 13):
        return Finding("ok", f"Python {name} on {platform.system()} {platform.machine()}")
    return Finding("missing", f"Python {name}: the course needs 3.11, 3.12 or 3.13")


def packages() -> list[Finding]:
    """The packages that every chapter needs, then one line for each group of optional ones."""
    absent = [name for name in BASE if _version(name) is None]
    if absent:
        text = f"packages that every chapter needs: {', '.join(absent)} (install: pip install -e .)"
        found = [Finding("missing", text)]
    else:
        found = [Finding("ok", f"all {len(BASE)} packages that every chapter needs; torch {_version('torch')}")]
    for extra, (purpose, names) in EXTRAS.items():
        absent = [name for name in names if _version(name) is None]
        if absent:
            text = f"{purpose}: {', '.join(absent)} missing (install: pip install -e '.[{extra}]')"
            found.append(Finding("optional", text))
        else:
            found.append(Finding("ok", f"packages for {purpose}"))
    return found


def tested_versions(constraints: Path | None = None) -> Finding:
    """Compare the installed versions with constraints.txt (default: the one of this checkout)."""
    path = constraints or Path(__file__).resolve().parents[1] / "constraints.txt"
    if not path.is_file():
        return Finding("optional", "no constraints.txt here, so versions cannot be compared with the tested ones")
    tested = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    relevant = [*BASE, *(name for _, names in EXTRAS.values() for name in names)]
    pairs = [(name, _version(name), tested.get(name)) for name in relevant]
    known = [(name, found, wanted) for name, found, wanted in pairs if found and wanted]
    different = [f"{name} {found} (tested: {wanted})" for name, found, wanted in known if found.split("+")[0] != wanted]
    if different:
        return Finding("optional", f"other versions than the tested ones: {', '.join(different)}")
    return Finding("ok", f"the {len(known)} packages with a pinned version have the tested one")


def computing() -> list[Finding]:
    """The device that a chapter would use and why, and how fast it multiplies matrices."""
    if _version("torch") is None:
        return [Finding("missing", "no torch, so nothing can be trained")]
    from helpers import device

    try:
        taken = device.pick()
    except ValueError as problem:
        return [Finding("missing", f"HELPERS_DEVICE: {problem}")]
    return [Finding("ok", device.explain(taken)), matrix_product(taken)]


def matrix_product(taken: torch.device, size: int = 1024, repeats: int = 5) -> Finding:
    """Multiply two float32 matrices of `size` × `size` a few times and report the best speed in GFLOP/s."""
    import torch

    from helpers import device

    a = torch.rand(size, size, device=taken, generator=device.generator(0, taken))
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        (a @ a).sum().item()  # .item() waits for the device
        best = min(best, time.perf_counter() - start)
    speed = 2 * size**3 / best / 1e9
    return Finding("ok", f"a {size} × {size} float32 matrix product takes {best * 1e3:.1f} ms ({speed:.0f} GFLOP/s)")


def memory() -> Finding:
    """Main memory in GB."""
    try:
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return Finding("optional", "main memory: this system does not say how much")
    if gigabytes < NEEDED_MEMORY_GIGABYTES:
        return Finding("missing", f"{gigabytes:.1f} GB of memory: {NEEDED_MEMORY_GIGABYTES} GB are needed")
    return Finding("ok", f"{gigabytes:.1f} GB of memory")


def disk(folder: Path) -> Finding:
    """Free space in GB on the disk that holds `folder`."""
    gigabytes = shutil.disk_usage(folder).free / 1e9
    if gigabytes < NEEDED_DISK_GIGABYTES:
        text = f"{gigabytes:.1f} GB free on this disk: a fresh installation needs {NEEDED_DISK_GIGABYTES} GB"
        return Finding("optional", text)
    return Finding("ok", f"{gigabytes:.0f} GB free on this disk")


def fashion_mnist() -> Finding:
    """Whether the one data set that is not embedded is on this machine."""
    if _version("torch") is None:
        return Finding("optional", "Fashion-MNIST: cannot be read without torch")
    from helpers import data

    try:
        data.load("fashion_mnist")
    except (FileNotFoundError, ValueError) as problem:
        return Finding("optional", f"no Fashion-MNIST, which only recorded runs need: {problem}")
    return Finding("ok", "Fashion-MNIST is here and complete")


def browser() -> Finding:
    """Whether Chromium, in which the built pages are tested, is here."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return Finding("ok", f"a browser for the page tests: {path}")
    text = "no Chromium, so the tests of the built pages are left out (Debian: apt-get install chromium)"
    return Finding("optional", text)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main() -> int:
    """Print the findings; return 0 when nothing that is needed is missing, else 1."""
    findings = examine()
    for finding in findings:
        print(finding)
    missing = sum(finding.state == "missing" for finding in findings)
    print()
    if missing:
        print(f"{missing} of these {'is' if missing == 1 else 'are'} needed and missing (✗).")
    else:
        print("Everything that the chapters need is here. Lines with – matter only for what they name.")
    print("When you ask a question, send these lines, the command you ran and the last lines it printed.")
    print("Nothing has been sent anywhere.")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
