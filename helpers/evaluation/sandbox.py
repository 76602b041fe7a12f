"""A verifier: runs code that a model wrote, with its doctests, in a child process that may do next to nothing.

The expected answers stay with the caller. The child gets the code and the expressions, and says what they gave; the
comparison is made here. So a success message, an exit status or a replaced ``doctest`` prove nothing to it.

What holds the code (Linux): a process of its own for each piece of code, killed after some seconds; limits of the
system on memory, open files, bytes written to files (0) and processes (0); an empty environment and an empty folder;
an audit hook that cannot be taken out and refuses every event but compiling and executing (so no file, no import beyond
a short list, no socket, no process, no signal, no ctypes, no frame of a caller); where the caller is root, the user
``nobody``; and, where the system lets us, a network namespace without a network.

What it does **not** protect against: an error in the interpreter or the kernel itself (a crafted crash can switch the
hook off, then only user, limits and namespace are left); functions without an audit event (such as ``os.stat``, which
tells whether a path exists, and ``os.readlink``; those that reach further are taken out, see ``_cell.SILENT``); reading
what is in the child's own memory: the expressions of its tests, and a doctest that stands in the code's own docstring,
answer included; side channels; burning its seconds again and again. Where the caller is not root, child and caller are
the same user. For code written by an opponent use a virtual machine without a network, and this inside it.

Refused as well, though harmless: ``namedtuple`` without ``module=``, ``traceback.format_exc`` and ``time.sleep``, which
look at frames or wait; ``import`` of anything but the short list in ``_cell.MODULES``.

Derived in: book/project/post_training.
"""

from __future__ import annotations

import ast
import doctest
import functools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from helpers.evaluation.code import parses

CELL = Path(__file__).with_name("_cell.py")
_PATIENCE = 10.0                                            # seconds beyond a limit before the cell itself is replaced


@dataclass(frozen=True)
class Limits:
    """What one piece of code may use.

    Attributes:
        seconds: from start to end, all its tests together.
        memory_bytes: address space of its process, the interpreter included.
        output_characters: that it may print.
    """

    seconds: float = 2.0
    memory_bytes: int = 256 << 20
    output_characters: int = 20_000

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 60:
            raise ValueError(f"seconds must lie above 0 and be at most 60, got {self.seconds!r}")
        if self.memory_bytes < 64 << 20:
            raise ValueError(f"the interpreter itself needs 64 MiB: memory_bytes must be at least {64 << 20}, "
                             f"got {self.memory_bytes!r}")
        if self.output_characters < 1:
            raise ValueError(f"output_characters must be at least 1, got {self.output_characters!r}")


@dataclass(frozen=True)
class Verdict:
    """What became of one piece of code.

    Attributes:
        outcome: "passed"; "wrong" (an answer differs); "error" (an exception); "refused" (it tried what is not
            allowed); "memory", "time", "output" (a limit); "crashed" (the process died, or said nonsense).
        num_passed, num_tests: doctests.
        message: of the first failure, in one line.
        seconds: that the child took.
    """

    outcome: str
    num_passed: int
    num_tests: int
    message: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every doctest gave its answer."""
        return self.outcome == "passed"


@functools.cache
def network_namespace() -> tuple[str, ...]:
    """The words that start a process without any network, or none where the system does not allow it."""
    program = shutil.which("unshare")
    if program is None:
        return ()
    words = (program, "--net") if os.getuid() == 0 else (program, "--net", "--map-current-user")
    done = subprocess.run([*words, sys.executable, "-I", "-S", "-c", ""], env={}, capture_output=True, check=False)
    return words if done.returncode == 0 else ()


class Sandbox:
    """Checks code against doctests; use it as a context. One warm process forks a child for each piece of code.

    Arguments:
        limits: for each piece of code.

    Raises:
        OSError: on a system without ``fork`` and resource limits.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        if os.name != "posix":
            raise OSError("the sandbox needs fork and resource limits (Linux): on Windows use WSL or a container")
        self.limits = limits or Limits()
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        os.chmod(self._folder.name, 0o555)                  # may be entered by the child, holds nothing
        self._cell: subprocess.Popen | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process and remove its empty folder."""
        self._stop()
        self._folder.cleanup()

    def check(self, code: str, tests: str | None = None) -> Verdict:
        """Run ``code``, then the doctests in ``tests`` (None: those of the docstrings in ``code``), and compare.

        Doctests in the code's docstrings are no secret from it: give ``tests`` for code that a model wrote.

        Raises:
            ValueError: there is no doctest, so nothing could fail.
        """
        examples = _examples(_docstrings(code) if tests is None else tests)
        if not examples:
            raise ValueError("there is no doctest (a line that begins with >>>): code without a test cannot pass one")
        request = {"code": code, "examples": [each.source for each in examples], "limits": asdict(self.limits)}
        reply = self._ask(json.dumps(request))
        return _judge(reply, examples)

    def _ask(self, line: str) -> dict:
        if self._cell is None or self._cell.poll() is not None:
            self._stop()
            self._cell = subprocess.Popen(
                [*network_namespace(), sys.executable, "-I", "-S", str(CELL)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"LC_ALL": "C.UTF-8"}, cwd=self._folder.name,
                close_fds=True, start_new_session=True, bufsize=0)
        try:
            self._cell.stdin.write(line.encode() + b"\n")
            return json.loads(self._read(time.monotonic() + self.limits.seconds + _PATIENCE))
        except (OSError, ValueError, TimeoutError):
            self._stop()                                    # the next request starts a fresh one
            return {"why": "killed", "text": "", "seconds": 0.0}

    def _read(self, end: float) -> bytes:
        text = b""
        while not text.endswith(b"\n"):
            if not select.select([self._cell.stdout], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("no answer")
            part = os.read(self._cell.stdout.fileno(), 65536)
            if not part:
                raise OSError("the process ended")
            text += part
        return text

    def _stop(self) -> None:
        if self._cell is not None:
            self._cell.kill()
            self._cell.wait()
            self._cell.stdin.close()
            self._cell.stdout.close()
            self._cell = None


def _examples(text: str) -> list[doctest.Example]:
    """The doctests in a text. They are found by pattern; nothing is run."""
    return doctest.DocTestParser().get_examples(text)


def _docstrings(code: str) -> str:
    """All docstrings of a piece of code, which is parsed and not run; nothing where it does not parse."""
    if not parses(code):
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(ast.parse(code)) if isinstance(node, kinds))
    return "\n\n".join(text for text in found if text)


def _judge(reply: dict, examples: list[doctest.Example]) -> Verdict:
    """Compare what the child said with what the examples want."""
    total, seconds = len(examples), float(reply["seconds"])
    if reply["why"] in ("time", "output"):
        words = {"time": "it took too long", "output": "it said too much"}
        return Verdict(reply["why"], 0, total, words[reply["why"]], seconds)
    try:
        said = json.loads(reply["text"])
        found, broken = said["found"], said["broken"] is True
        rows = [(str(out), None if error is None else str(error)) for out, error in found]
    except (ValueError, TypeError, KeyError):
        return Verdict("crashed", 0, total, "the process ended without an answer", seconds)
    if broken or len(rows) != total:
        error = (rows[0][1] if rows else None) or "not all tests were answered"
        return Verdict(_kind(error), 0, total, error[:200], seconds)
    checker, passed, first = doctest.OutputChecker(), 0, None
    for (out, error), example in zip(rows, examples, strict=True):
        if error is not None and example.exc_msg is not None:
            right = checker.check_output(example.exc_msg, error + "\n", 0)
        else:
            right = error is None and checker.check_output(example.want, out, 0)
        passed += right
        if not right and first is None:
            wanted, given = example.want.strip()[:60], out.strip()[:60]
            first = (_kind(error), error[:200]) if error else ("wrong", f"expected {wanted}, got {given or 'nothing'}")
    outcome, message = first or ("passed", "")
    return Verdict(outcome, passed, total, message, seconds)


def _kind(error: str) -> str:
    """The outcome that an exception stands for."""
    for word, outcome in (("PermissionError: not allowed here", "refused"), ("MemoryError", "memory"),
                          ("ValueError: too much output", "output")):
        if error.startswith(word):
            return outcome
    return "error"
