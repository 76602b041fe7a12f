"""The room in which code that nobody has read is run. Started by ``sandbox.py`` as ``python -I -S _cell.py``.

It reads one request a line from standard input (code and expressions, never the expected answers), forks a child for
each, and writes what the child said back as one line. The child gives up its rights before it runs anything.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import types
from collections.abc import Callable

# What tasks may import; everything else is refused, since nothing more can be imported once the hook is in place.
MODULES = ("bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "fractions", "functools", "heapq",
           "io", "itertools", "json", "linecache", "math", "operator", "random", "re", "resource", "statistics",
           "string", "textwrap", "traceback", "types", "typing")
ALLOWED = frozenset({"builtins.id", "compile", "exec"})  # events of the interpreter; every other one is refused
NOBODY = 65534
ANSWER_BYTES = 1 << 20
# Functions without an audit event of their own that reach beyond the child: they are taken out before the code begins.
SILENT = {
    "posix": ("chroot", "eventfd", "memfd_create", "mkfifo", "mknod", "pidfd_open", "sched_setaffinity",
              "sched_setparam", "sched_setscheduler", "setgid", "setns", "setpriority", "setuid", "unshare"),
    "_signal": ("pidfd_send_signal",),
    "_imp": ("create_builtin",)}                            # else pwd, gc or a second posix come in without an import


def give_up_rights(limits: dict) -> None:
    """Limit this process for good: files, processes, memory, seconds, user."""
    import resource

    os.setpgid(0, 0)
    for kind, value in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 3 + 1),
                        (resource.RLIMIT_AS, limits["memory_bytes"]),
                        (resource.RLIMIT_CPU, int(limits["seconds"]) + 1)):
        resource.setrlimit(kind, (value, value))
    if os.getuid() == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        except OSError:                                     # root of a user namespace that knows no other user
            pass
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    for module, also in (("posix", os), ("_signal", signal), ("_imp", None)):
        for name in SILENT[module]:
            for place in (sys.modules[module], also):
                if place is not None:
                    place.__dict__.pop(name, None)


def hook(allowed: frozenset, refused: type[Exception]) -> Callable[[str, tuple], None]:
    """A function for ``sys.addaudithook``; it looks up no name that the code could replace."""
    def watch(event: str, arguments: tuple) -> None:
        if event not in allowed:
            raise refused(f"not allowed here: {event}")

    return watch


class Page:
    """Standard output of the code: kept as text, up to a limit."""

    def __init__(self, size: int) -> None:
        self.parts, self.left = [], size

    def write(self, text: str) -> int:
        """Keep ``text``, or stop the code when the page is full."""
        self.left -= len(text)
        if self.left < 0:
            raise ValueError("too much output")
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is waiting."""

    def take(self) -> str:
        """What was written since the last call."""
        text = "".join(self.parts)
        self.parts.clear()
        return text


def said(error: BaseException) -> str:
    """Name and message of an exception, as the last line of a traceback gives them."""
    kind = type(error)
    plain = kind.__module__ in ("builtins", "__task__")
    name = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
    text = str(error)
    return f"{name}: {text}" if text else name


def answers(
    request: dict, page: Page, room: dict, said: Callable[[BaseException], str] = said
) -> tuple[list, bool]:
    """Run the code, then each expression as a doctest would: a list of [output, error or None], and whether it broke.

    By now the names of this file are gone, so it holds on to ``said`` itself.
    """
    found = []
    try:
        exec(compile(request["code"], "<code>", "exec"), room)  # noqa: S102 (this is what the room is for)
    except BaseException as error:  # noqa: BLE001 (SystemExit too: nothing may pass for success)
        return [["", said(error)]], True
    page.take()
    for line in request["examples"]:
        error = None
        try:
            exec(compile(line, "<test>", "single"), room)  # noqa: S102
        except BaseException as problem:  # noqa: BLE001
            error = said(problem)
        found.append([page.take(), error])
    return found, False


def show(page: Page) -> Callable[[object], None]:
    """A display hook: the form in which doctests print a value."""
    def display(value: object) -> None:
        if value is not None:
            page.write(repr(value) + "\n")

    return display


def child(request: dict, pipe: int) -> None:
    """Run one request and write its answers to ``pipe``; never returns."""
    import json

    dump, write, leave, limits = json.dumps, os.write, os._exit, request["limits"]
    empty = os.open(os.devnull, os.O_RDWR)
    os.dup2(pipe, 3, inheritable=False)
    for number in (0, 1, 2):
        os.dup2(empty, number)
    os.closerange(4, 1024)
    page = Page(limits["output_characters"])
    sys.stdin, sys.stdout, sys.stderr, sys.displayhook = None, page, page, show(page)
    sys.__stdout__ = sys.__stderr__ = page
    main, task = sys.modules["__main__"], types.ModuleType("__task__")
    sys.modules["__task__"] = task                          # dataclasses look their module up there
    give_up_rights(limits)
    sys.addaudithook(hook(ALLOWED, PermissionError))
    answer = answers
    main.__dict__.clear()                                   # nothing of this file can be reached by name
    main.__dict__.update(__name__="__main__")
    found, broken = answer(request, page, task.__dict__)
    text = dump({"found": found, "broken": broken}).encode()
    for start in range(0, len(text), 4096):
        write(3, text[start:start + 4096])
    leave(0)


def listen(pipe: int, pid: int, seconds: float) -> tuple[bytes, str]:
    """What the child wrote, and why it stopped: "done", "time", "output" or "killed"."""
    text, end, why = b"", time.monotonic() + seconds, "done"
    while True:
        left = end - time.monotonic()
        ready = select.select([pipe], [], [], max(left, 0))[0]
        part = os.read(pipe, 65536) if ready else None
        if part == b"":
            break
        text += part or b""
        if part is None or len(text) > ANSWER_BYTES:
            why = "time" if part is None else "output"
            break
    if why == "done" and not wait(pid, end + 0.2):
        why = "time"                                        # closed its pipe and lives on
    if why != "done":
        for stop in (os.killpg, os.kill):                   # the group; the child alone if it has none yet
            try:
                stop(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        os.waitpid(pid, 0)
    return text, why


def wait(pid: int, end: float) -> bool:
    """Whether the child ends by itself before ``end``; it is taken away then."""
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def main() -> None:
    """Serve requests until standard input closes."""
    import json

    for name in MODULES:
        __import__(name)
    json.dumps({"a": ["\u00e9", 1.5, None]})
    source, goal = sys.stdin.buffer, sys.stdout.buffer
    for line in iter(source.readline, b""):
        request = json.loads(line)
        ours, theirs = os.pipe()
        start = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            try:
                child(request, theirs)
            finally:
                os._exit(1)
        os.close(theirs)
        text, why = listen(ours, pid, request["limits"]["seconds"])
        os.close(ours)
        reply = {"why": why, "text": text.decode("utf8", "replace") if why == "done" else "",
                 "seconds": time.perf_counter() - start}
        goal.write(json.dumps(reply).encode() + b"\n")
        goal.flush()


if __name__ == "__main__":
    main()
