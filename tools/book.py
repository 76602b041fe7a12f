"""The build driver: execute what changed, build the pages strictly, test, serve.

    python -m tools.book build [ROOT] [--all]   pages into ROOT/_build/html; --all executes every notebook again
    python -m tools.book claims [ROOT]          execute every notebook, check its claims, write nothing
    python -m tools.book test                   everything that `make test` runs
    python -m tools.book lab                    JupyterLab on the chapters
    python -m tools.book serve [--port 8000]    the built pages on this machine
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import nbformat

from tools import execution, lab, notebooks
from tools.execution import REPOSITORY, Book

MINUTES, MEDIAN_SECONDS, SECONDS = 10, 10, 60  # budget of all notebooks together, of the middle one, of each
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def say(text: str) -> None:
    """Print at once, so that lines stay in order with those of child processes."""
    print(text, flush=True)


def execute(book: Book, everything: bool = False, solutions: bool = False) -> bool:
    """Run the notebooks that need it under nbval, and the solutions of their exercises if asked; whether all passed."""
    if everything:
        for notebook in book.notebooks():
            execution.evict(book, notebook)
    todo = execution.stale(book)
    if not todo:
        say(f"Notebooks: all {len(book.notebooks())} are up to date.")
        return True
    say(f"Notebooks: executing {len(todo)} of {len(book.notebooks())} ...")
    status = notebooks.run_nbval(book, todo, *(["--course-solutions"] if solutions else []))
    left = execution.stale(book)
    for notebook in left:
        say(f"FAILED: {book.name(notebook)} (see above)")
    return status == 0 and not left


def build_pages(book: Book) -> bool:
    """Build the HTML strictly; after a failure the doctrees go, since a second build over them would pass."""
    program = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    started = time.monotonic()
    built = subprocess.run(
        [*program, "build", str(book.root), "--path-output", str(book.root), "-W", "-n", "--keep-going", "-q"],
        cwd=REPOSITORY,
        env=execution.environment() | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if built.returncode != 0 or not (book.html / "index.html").is_file():
        say(built.stdout)
        shutil.rmtree(book.build / ".doctrees", ignore_errors=True)
        say("FAILED: the pages were not built without warnings; each WARNING above has to go.")
        return False
    say(f"Pages: built in {time.monotonic() - started:.0f} s.")
    return True


def release_assignments(book: Book) -> None:
    """The students' version of the assignments, which a page links to."""
    if book.root == REPOSITORY and (book.root / "book" / "assignments" / "source").is_dir():
        from tools import classroom

        classroom.release()


def build(book: Book, everything: bool = False, solutions: bool = False) -> bool:
    """Release the assignments, execute what changed, then build the pages."""
    release_assignments(book)
    if not execute(book, everything, solutions):
        say("The pages were not built, because a notebook failed.")
        return False
    if not build_pages(book):
        return False
    index = (book.html / "index.html").resolve()
    say(f"The book is ready: open {index.as_uri()}\n(or run `make serve`, or `python -m tools.book serve`)")
    return True


def run_times(book: Book) -> dict[str, tuple[float, float | None]]:
    """Measured seconds of each notebook and the class that its metadata names."""
    found = {}
    for notebook in book.notebooks():
        record = execution.record_of(book, notebook)
        if record is not None:
            seconds = nbformat.read(notebook, 4).metadata.get("course", {}).get("seconds")
            found[book.name(notebook)] = (record.data["execution_seconds"], seconds)
    return found


def report_times(book: Book) -> None:
    """Print what the notebooks cost together, and the budget of all of them."""
    times = {name: seconds for name, (seconds, _) in run_times(book).items()}
    if times:
        slowest = max(times, key=times.get)
        say(f"Notebooks: {sum(times.values()) / 60:.2f} core-minutes for {len(times)} (budget {MINUTES}), median "
            f"{median(times.values()):.1f} s (budget {MEDIAN_SECONDS}), slowest {slowest} with {times[slowest]:.1f} s "
            f"(budget {SECONDS}).")


def check(what: str, *command: str, env: dict[str, str] | None = None) -> bool:
    """Run one step of the tests."""
    say(f"\n== {what}")
    return subprocess.run([sys.executable, *command], cwd=REPOSITORY, env=os.environ | (env or {})).returncode == 0


def tree() -> str:
    """What git sees as changed; empty without git."""
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        return ""
    return subprocess.run(["git", "status", "--porcelain"], cwd=REPOSITORY, capture_output=True, text=True).stdout


def test(book: Book) -> bool:
    """Style, layers, units, then every notebook with its solutions, the pages built from those runs, and a browser."""
    workers = ["-n", str(execution.num_workers()), "--dist", "loadfile"]
    failed, before = [], tree()

    def step(what: str, passed: bool) -> None:
        if not passed:
            failed.append(what)

    step("style", check("style", "-m", "ruff", "check", "."))
    step("layers", check("layers", "-c", "from importlinter.cli import lint_imports_command as c; c()"))
    step("units", check("unit tests", "-m", "pytest", "-q", "-m", "not built", *workers, env=ONE_THREAD))
    say("\n== notebooks and pages")
    step("notebooks and pages", built := build(book, everything=True, solutions=True))
    report_times(book)
    if built:
        step("built pages", check("pages in a browser", "-m", "pytest", "-q", "-m", "built", env=ONE_THREAD))
    else:
        failed.append("pages in a browser (not run)")
    if (after := tree()) != before:
        say(f"\nThe tests changed the tree:\n{after}")
        failed.append("clean tree")
    say("\nAll tests passed." if not failed else f"\nFAILED: {', '.join(failed)}.")
    return not failed


def serve(book: Book, port: int) -> bool:
    """Serve the built pages on this machine until Ctrl-C."""
    if not (book.html / "index.html").is_file():
        say(f"There is no built book in {book.html}: run `make book` (or `python -m tools.book build`) first.")
        return False
    handler = partial(SimpleHTTPRequestHandler, directory=str(book.html))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as problem:
        if isinstance(problem, OSError) and problem.errno not in (errno.EADDRINUSE, errno.EACCES, 10013, 10048):
            raise
        reason = "it is above 65535" if isinstance(problem, OverflowError) else "it is taken, or not allowed"
        say(f"Port {port} cannot be used ({reason}): choose another, e.g. `make serve PORT=8010`.")
        return False
    say(f"The book is at http://127.0.0.1:{server.server_port}/ (Ctrl-C stops it)")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("")
    return True


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.book", description="Build, test and serve the book.")
    parser.add_argument("action", choices=["build", "claims", "test", "lab", "serve"])
    parser.add_argument("root", nargs="?", type=Path, default=REPOSITORY, help="a folder with _config.yml and _toc.yml")
    parser.add_argument("--all", action="store_true", help="execute every notebook, also those that are up to date")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    book = Book(options.root.resolve())
    try:
        if options.action == "build":
            passed = build(book, options.all)
        elif options.action == "claims":
            passed = notebooks.run_nbval(book, book.notebooks(), "--course-no-cache") == 0
        elif options.action == "test":
            passed = test(book)
        elif options.action == "lab":
            passed = lab.start(REPOSITORY, "book/index.ipynb")
        else:
            passed = serve(book, options.port)
    except FileNotFoundError as problem:
        say(str(problem))
        return 1
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
