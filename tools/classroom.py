"""The classroom: build the students' version of an assignment, grade what they hand in, write feedback pages.

    python -m tools.classroom release                     students' version and its zip, in _build/release
    python -m tools.classroom grade    [--course FOLDER]  grade FOLDER/submitted/STUDENT/linear_models/*.ipynb
    python -m tools.classroom by-hand  [--course FOLDER]  JupyterLab on FOLDER, to grade written answers in Formgrader
    python -m tools.classroom feedback [--course FOLDER]  one page a student, in FOLDER/feedback

Each submission is graded by nbgrader in a child process of its own, with limits on time, memory and file size and,
where the system allows it, without a network. What goes wrong there is reported and never stops the others.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tools import lab

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENTS = ROOT / "book" / "assignments"
ASSIGNMENT = "linear_models"

# Runs inside the new network: starts its loopback device (0x8914 sets the flags "up" and "running"), which Jupyter
# needs to reach its kernel, then the command. It stays as process 1; a kernel whose parent is process 1 would take
# itself for an orphan.
_INSIDE = (
    "import fcntl, socket, struct, subprocess, sys;"
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 0x41));"
    "sys.exit(subprocess.call(sys.argv[1:]))"
)


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: int = 30
    submission_seconds: int = 300
    memory_bytes: int = 8 * 2**30  # of addresses: PyTorch with CUDA takes 4 GiB of them at import
    file_bytes: int = 50 * 2**20


@dataclass(frozen=True)
class Grade:
    """The result of one submission; `waiting` is True while an answer has to be graded by hand."""

    student: str
    score: float
    max_score: float
    waiting: bool
    note: str


def release(folder: Path = ROOT / "_build" / "release", assignment: str = ASSIGNMENT) -> Path:
    """Build the students' version (no solutions, no hidden tests) in `folder` and return its zip file.

    Does nothing when the zip is newer than the source and this file.
    """
    archive = folder / f"{assignment}.zip"
    sources = [_source(assignment), ASSIGNMENTS / "nbgrader_config.py", Path(__file__)]
    if archive.exists() and archive.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return archive
    with tempfile.TemporaryDirectory() as course:
        _generate(Path(course), assignment)
        target = folder / assignment
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(course) / "release" / assignment, target)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(target.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(f"{assignment}/{path.relative_to(target)}", date_time=(2026, 1, 1, 0, 0, 0))
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                file.writestr(entry, path.read_bytes())
    return archive


def grade(course: Path, assignment: str = ASSIGNMENT, *, limits: Limits = Limits(), again: bool = False) -> list[Grade]:
    """Grade every submission in `course`/submitted that is new or changed (all of them with `again`).

    Returns one grade a student, in alphabetical order, and writes them to `course`/grades.csv.
    Raises FileNotFoundError when there are no submissions.
    """
    if os.name != "posix":
        raise OSError("Grading runs students' code under limits that only Linux and macOS have; on Windows use WSL.")
    course = course.resolve()
    students = sorted(path.name for path in (course / "submitted").glob("*") if path.is_dir())
    if not students:
        raise FileNotFoundError(
            f"No submissions in {course / 'submitted'}: "
            f"expected STUDENT/{assignment}/{assignment}.ipynb for each student."
        )
    instructor_copy = course / "release" / assignment / f"{assignment}.ipynb"
    if not instructor_copy.exists() or instructor_copy.stat().st_mtime < _source(assignment).stat().st_mtime:
        _generate(course, assignment)
    notes = {student: _grade_one(course, assignment, student, limits, again) for student in students}
    grades = [_read_grade(course, assignment, student, note) for student, note in notes.items()]
    with open(course / "grades.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(Grade.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(grade) for grade in grades)
    return grades


def by_hand(course: Path, *options: str) -> subprocess.Popen:
    """Start JupyterLab on `course`, where Formgrader (menu Nbgrader) shows the answers that wait for the teacher."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {"COURSE_FOLDER": str(course.resolve()), "JUPYTER_CONFIG_PATH": str(ASSIGNMENTS), "PATH": path}
    return subprocess.Popen(lab.command(*options), cwd=course, env=os.environ | environment)


def feedback(course: Path, assignment: str = ASSIGNMENT) -> list[Path]:
    """Write one self-contained HTML page for each graded submission and return the pages."""
    course = course.resolve()
    _nbgrader(["generate_feedback", assignment, "--force"], course)
    pages = sorted((course / "feedback").glob(f"*/{assignment}/*.html"))
    for page in pages:
        page.write_text(self_contained(page.read_text(encoding="utf-8")), encoding="utf-8")
    return pages


def self_contained(html: str) -> str:
    """Replace the scripts of other hosts on a feedback page by our own MathJax; forbid the page to load anything."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; script-src 'unsafe-inline'"
    settings = (
        "window.MathJax = {tex: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']]}, options: {enableMenu: false},"
        " startup: {typeset: true}};"
    )
    html = re.sub(r'<script[^>]*\bsrc="(?:https?:)?//[^"]*"[^>]*>\s*</script>', "", html)
    html = re.sub(r'<script type="text/x-mathjax-config">.*?</script>', "", html, flags=re.DOTALL)
    html = re.sub(r"@font-face\s*\{[^}]*\}", "", html)
    html = re.sub(r'<link[^>]*\bhref="(?:https?:)?//[^"]*"[^>]*>', "", html)
    ours = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<script>{settings}</script>\n<script>{_mathjax()}</script>\n"
    )
    return html.replace("<head>", "<head>\n" + ours, 1)


def _source(assignment: str) -> Path:
    path = ASSIGNMENTS / "source" / assignment / f"{assignment}.ipynb"
    if not path.exists():
        raise FileNotFoundError(f"No assignment {assignment!r}: {path} does not exist.")
    return path


def _mathjax() -> str:
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ImportError("Feedback pages need the package sphinx-mathjax-offline: install the book extra.")
    return (Path(package.origin).parent / "static" / "mathjax" / "tex-svg-full.js").read_text(encoding="utf-8")


def _generate(course: Path, assignment: str) -> None:
    _nbgrader(["generate_assignment", assignment, "--create", "--force"], course)


def _environment(course: Path, limits: Limits) -> dict[str, str]:
    """A small environment: the tools of this Python first on PATH, one thread, nothing of the teacher's own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return kept | {
        "PATH": path,
        "COURSE_FOLDER": str(course),
        "COURSE_CELL_SECONDS": str(limits.cell_seconds),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _nbgrader(arguments: list[str], course: Path) -> None:
    """Run an nbgrader command that executes no student's code."""
    course.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        result = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=ASSIGNMENTS,
            env=_environment(course, Limits()) | {"HOME": home},
            capture_output=True,
            text=True,
        )
    if result.returncode:
        raise RuntimeError(f"nbgrader {arguments[0]} failed:\n{result.stderr[-3000:]}")


@cache
def _isolation() -> tuple[str, ...]:
    """The command that takes the network away and kills every process of a submission at its end, where permitted."""
    namespaces = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")
    command = (*namespaces, sys.executable, "-c", _INSIDE)
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        allowed = False
    if not allowed:
        note = "This system does not let us take the network away from students' code; the other limits hold."
        print(note, file=sys.stderr)
    return command if allowed else ()


def _limit(limits: Limits) -> None:
    """Limits of the child, inherited by the kernel that runs the student's code."""
    import resource

    wanted = {
        resource.RLIMIT_CPU: limits.submission_seconds,
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # macOS has no limit on the address space
            pass


def _grade_one(course: Path, assignment: str, student: str, limits: Limits, again: bool) -> str:
    """Grade one submission in a child process; return "graded" or what went wrong, in one sentence."""
    handed_in = course / "submitted" / student / assignment / f"{assignment}.ipynb"
    if not handed_in.exists():
        return f"nothing graded: {handed_in.relative_to(course)} is missing"
    graded = course / "autograded" / student / assignment / f"{assignment}.ipynb"
    log_file = course / "logs" / f"{student}.txt"  # of a run that failed; its first line says how
    done = [path for path in (graded, log_file) if path.exists() and path.stat().st_mtime > handed_in.stat().st_mtime]
    if done and not again:
        return log_file.read_text(encoding="utf-8").split("\n")[0] if log_file in done else "graded"
    log_file.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as home:
        note, log = _run_limited(["autograde", assignment, f"--student={student}", "--force"], course, home, limits)
    if note != "graded":
        note = note.format(log=log_file.relative_to(course).as_posix())
        log_file.parent.mkdir(exist_ok=True)
        log_file.write_text(f"{note}\n{log}", encoding="utf-8")
    return note


def _run_limited(arguments: list[str], course: Path, home: str, limits: Limits) -> tuple[str, str]:
    """Run an nbgrader command that executes a student's code; return how it ended and its log."""
    child = subprocess.Popen(
        [*_isolation(), sys.executable, "-m", "nbgrader", *arguments],
        cwd=ASSIGNMENTS,
        env=_environment(course, limits) | {"HOME": home},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=lambda: _limit(limits),
    )
    try:
        log = child.communicate(timeout=limits.submission_seconds)[1]
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return f"stopped: the submission ran longer than {limits.submission_seconds} s", child.communicate()[1]
    return ("graded" if child.returncode == 0 else "not graded: the run ended with an error, see {log}"), log


def _read_grade(course: Path, assignment: str, student: str, note: str) -> Grade:
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        max_score = gradebook.find_assignment(assignment).max_score
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return Grade(student, 0.0, max_score, False, note)
        if note != "graded":
            return Grade(student, 0.0, max_score, True, note)
        return Grade(student, submission.score, max_score, submission.needs_manual_grade, note)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status: 1 when a submission could not be graded."""
    parser = argparse.ArgumentParser(prog="python -m tools.classroom", description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["release", "grade", "by-hand", "feedback"])
    default = ROOT / "classroom"
    parser.add_argument("--course", type=Path, default=default, help="folder of the class (default: classroom)")
    parser.add_argument("--again", action="store_true", help="grade all submissions again, also unchanged ones")
    options = parser.parse_args(arguments)
    try:
        if options.command == "release":
            print(release())
        elif options.command == "by-hand":
            return by_hand(options.course).wait()
        elif options.command == "feedback":
            for page in feedback(options.course):
                print(page)
        else:
            grades = grade(options.course, again=options.again)
            for one in grades:
                waiting = ", an answer waits to be graded by hand" if one.waiting else ""
                print(f"{one.student}: {one.score:g} of {one.max_score:g} ({one.note}{waiting})")
            return int(any(one.note != "graded" for one in grades))
    except (FileNotFoundError, ImportError, OSError, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
