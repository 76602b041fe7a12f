"""Every kind of escape that the verifier promises to stop is tried here."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from helpers.evaluation import _cell
from helpers.evaluation import sandbox as room
from helpers.evaluation.sandbox import Limits, Sandbox, network_namespace

TEST = ">>> f(3)\n4\n>>> f(10)\n11\n"
GOOD = "def f(x):\n    return x + 1\n"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(seconds=1.0)) as one:
        yield one


def after(sandbox):
    """The sandbox still works, and still tells right from wrong."""
    assert sandbox.check(GOOD, TEST).passed
    assert sandbox.check("def f(x):\n    return x\n", TEST).outcome == "wrong"


# ---------------------------------------------------------------- what it is for


@pytest.mark.parametrize("code, outcome, passed, message", [
    (GOOD, "passed", 2, ""),
    ("def f(x):\n    return 4\n", "wrong", 1, "expected 11, got 4"),
    ("def f(x):\n    pass\n", "wrong", 0, "expected 4, got nothing"),
    ("def f(x):\n    return 1 / 0\n", "error", 0, "ZeroDivisionError: division by zero"),
    ("def f(x:\n", "error", 0, "SyntaxError"),
    ("g = 1\n", "error", 0, "NameError: name 'f' is not defined"),
    ("from dataclasses import dataclass\n@dataclass\nclass P:\n  'p'\n  a: int\n\ndef f(x):\n    return P(x + 1).a\n",
     "passed", 2, ""),
    ("from math import floor\ndef f(x):\n    return floor(x) + 1\n", "passed", 2, ""),
])
def test_verdicts(sandbox, code, outcome, passed, message):
    verdict = sandbox.check(code, TEST)
    assert (verdict.outcome, verdict.num_passed, verdict.num_tests) == (outcome, passed, 2)
    assert verdict.message.startswith(message) and verdict.passed == (outcome == "passed")


def test_doctests_of_the_docstring_of_printed_lines_and_of_exceptions(sandbox):
    code = '''def f(x):
    """Say it.

    >>> f(2)
    a
    b
    'done'
    >>> f(0)
    Traceback (most recent call last):
        ...
    ValueError: nothing to say
    """
    if not x:
        raise ValueError("nothing to say")
    print("a\\nb")
    return "done"
'''
    assert sandbox.check(code).passed
    assert sandbox.check(code.replace('"nothing to say")', '"other")')).num_passed == 1


def test_without_a_test_nothing_is_verified(sandbox):
    with pytest.raises(ValueError, match="there is no doctest .* code without a test cannot pass one"):
        sandbox.check(GOOD)


def test_candidates_do_not_see_each_other(sandbox):
    first = "import math\nmath.secret = 42\nimport builtins\nbuiltins.sum = None\n" + GOOD
    second = "import math\ndef f(x):\n    return x + 1 + hasattr(math, 'secret') + sum([])\n"
    assert [verdict.passed for verdict in (sandbox.check(first, TEST), sandbox.check(second, TEST))] == [True, True]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("code, outcomes", [
    ("while True:\n    pass\n", {"time"}),
    ("def f(x):\n    while True:\n        pass\n", {"time"}),
    ("while 1:\n    try:\n        while 1:\n            pass\n    except BaseException:\n        pass\n", {"time"}),
    ("x = [0] * 10**10\n", {"memory"}),
    ("x = []\nwhile True:\n    x.append(' ' * 10**7)\n", {"memory"}),
    ("x = 1\nfor _ in range(40):\n    x = x << x.bit_length() * 10\n", {"memory", "time", "error"}),
    ("def f(x):\n    return f(x)\n", {"error"}),
    ("import sys\nsys.setrecursionlimit(10**9)\ndef f(x):\n    return f(x)\n", {"crashed", "memory", "time"}),
    ("print('x' * 10**7)\n", {"output"}),
    ("raise ValueError('x' * 10**7)\n", {"output"}),
    ("class E(Exception):\n    def __str__(self):\n        while True:\n            pass\nraise E\n", {"time"}),
    ("while True:\n    print('x' * 1000)\n", {"output"}),
    ("def f(x):\n    return 'x' * 10**6\n", {"output"}),
    ("import os\nwhile True:\n    os.write(3, b'x' * 4096)\n", {"output", "time"}),
    ("import os\nos.close(3)\nwhile True:\n    pass\n", {"time"}),
])
def test_limits(sandbox, code, outcomes):
    start = time.perf_counter()
    verdict = sandbox.check(code, TEST)
    assert verdict.outcome in outcomes and verdict.num_passed == 0
    assert time.perf_counter() - start < 8
    after(sandbox)


# ---------------------------------------------------------------- the world outside


@pytest.mark.parametrize("code, event", [
    ("import os\nwhile True:\n    os.fork()\n", "os.fork"),
    ("import os\nos.system('true')\n", "os.system"),
    ("import os\nos.execv('/bin/true', ['true'])\n", "os.exec"),
    ("import os\nos.posix_spawn('/bin/true', ['true'], {})\n", "os.posix_spawn"),
    ("import os\nos.kill(os.getppid(), 9)\n", "os.kill"),
    ("import os\nos.killpg(0, 9)\n", "os.killpg"),
    ("import subprocess\n", "import"),
    ("import _posixsubprocess\n", "import"),
    ("import ctypes\n", "import"),
    ("import socket\n", "import"),
    ("import _socket\n", "import"),
    ("import gc\n", "import"),
    ("import threading\nthreading.Thread(target=print).start()\n", "import"),
    ("import random\nrandom._os.listdir('/')\n", "os.listdir"),
    ("import os\nos.mkdir('/tmp/escaped')\n", "os.mkdir"),
    ("import os\nos.remove('/tmp/x')\n", "os.remove"),
    ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n", "resource.setrlimit"),
    ("import sys\nsys.addaudithook(lambda *a: None)\nopen('/etc/passwd')\n", "open"),
    ("import sys\nsys._getframe(1)\n", "sys._getframe"),
    ("try:\n    open('x')\nexcept Exception as e:\n    e.__traceback__.tb_next.tb_frame\n", "object.__getattr__"),
    ("(lambda: 0).__code__.replace(co_code=b'')\n", "object.__getattr__"),
    ("import builtins\nbuiltins.PermissionError = int\nopen('/etc/passwd')\n", "open"),
    ("import sys\nsys.meta_path.clear()\nsys.modules.clear()\nopen('/etc/passwd')\n", "open"),
    ("breakpoint()\n", ""),
    ("input()\n", ""),
])
def test_what_is_refused(sandbox, code, event):
    verdict = sandbox.check(code + GOOD, TEST)
    assert verdict.num_passed == 0 and verdict.outcome in ("refused", "error")
    assert f"not allowed here: {event}" in verdict.message or event == ""
    after(sandbox)


def test_no_built_in_module_comes_in_without_an_import(sandbox):
    """``pwd`` would read a file without an audit event, a second ``posix`` would bring back what was taken out."""
    code = """import sys
bootstrap, found = sys.modules["_frozen_importlib"], []
for name in sys.builtin_module_names:
    if name not in sys.modules:
        try:
            bootstrap._gcd_import(name)
        except (ImportError, AttributeError, PermissionError):
            continue
        found.append(name)
try:
    sys.modules["_imp"].create_builtin(bootstrap.ModuleSpec("posix", None))
    found.append("posix")
except AttributeError:
    pass
def f(x):
    return len(sys.builtin_module_names) > 9, found
"""
    assert sandbox.check(code, ">>> f(1)\n(True, [])\n").passed


def test_what_has_no_audit_event_is_taken_out(sandbox):
    names = sum(_cell.SILENT.values(), ())
    assert {"pidfd_open", "pidfd_send_signal", "setpriority", "sched_setaffinity", "memfd_create"} <= set(names)
    code = f"""import os, sys
def f(x):
    places = (os, *(sys.modules[name] for name in ("posix", "signal", "_signal", "_imp")))
    return [name for name in {names!r} for place in places if hasattr(place, name)]
"""
    assert sandbox.check(code, ">>> f(1)\n[]\n").passed


@pytest.mark.parametrize("words", [(), ("--net",), ("--net", "--map-current-user"), ("--net", "--map-root-user")])
def test_it_works_in_every_namespace_that_the_system_allows(monkeypatch, words):
    start = ("unshare", *words) if words else ()
    if words and (not shutil.which("unshare") or subprocess.run([*start, "true"], capture_output=True).returncode):
        pytest.skip("the system does not allow this namespace")
    monkeypatch.setattr(room, "network_namespace", lambda: start)
    with Sandbox() as one:
        after(one)
        assert one.check("open('/etc/passwd')\n" + GOOD, TEST).outcome == "refused"


def test_a_secret_file_cannot_be_read_and_no_file_written(sandbox, tmp_path):
    secret, target = tmp_path / "secret.txt", tmp_path / "written.txt"
    secret.write_text("4711")
    for way in (f"open({str(secret)!r}).read()", f"__import__('os').open({str(secret)!r}, 0)",
                f"open({str(target)!r}, 'w').write('x')", "open('here.txt', 'w')",
                f"__import__('io').FileIO({str(secret)!r})", "open('/proc/self/environ')", "open('/proc/self/mem')"):
        verdict = sandbox.check(f"def f(x):\n    return {way}\n", TEST)
        assert (verdict.outcome, verdict.num_passed) == ("refused", 0), way
        caught = f"try:\n    y = {way}\nexcept Exception:\n    y = 0\ndef f(x):\n    return x + 1\n"
        assert sandbox.check(caught, TEST).passed                # an attempt that is caught harms nobody either
    assert not target.exists()


def test_nothing_reaches_the_network(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        port = server.getsockname()[1]
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {port}))\n"
        assert sandbox.check(code, TEST).outcome == "refused"
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_environment_and_an_empty_folder(sandbox, monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    with Sandbox() as fresh:
        code = "import os\ndef f(x):\n    return ' '.join(sorted(os.environ)), '/sandbox-' in os.getcwd()\n"
        assert fresh.check(code, ">>> 'KEY' in f(1)[0], 'PATH' in f(1)[0], f(1)[1]\n(False, False, True)\n").passed


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become somebody else")
def test_root_becomes_nobody(sandbox):
    code = "import os\ndef f(x):\n    return os.getuid(), os.getgid()\n"
    assert sandbox.check(code, ">>> f(1)\n(65534, 65534)\n").passed


@pytest.mark.skipif(not network_namespace(), reason="the system gives no network namespace")
def test_the_namespace_has_no_network(sandbox):
    done = subprocess.run([*network_namespace(), sys.executable, "-c",
                           "import socket; socket.create_connection(('127.0.0.1', 1), 1)"],
                          capture_output=True, text=True, check=False)
    assert "unreachable" in done.stderr or "refused" in done.stderr


# ---------------------------------------------------------------- faked success


@pytest.mark.parametrize("code", [
    "import sys\nsys.exit(0)\n",
    "import os\nos._exit(0)\n",
    "def f(x):\n    raise SystemExit(0)\n",
    "print('passed')\nprint('ok')\nprint('1 passed')\n",
    "def f(x):\n    print('passed')\n",
    "import sys\nsys.modules['doctest'] = None\ndef f(x):\n    return 0\n",
    "import doctest\n",
    "class Same:\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return Same()\n",
    "import sys\nsys.displayhook = lambda value: print('passed')\ndef f(x):\n    return 0\n",
    "import os\nos.write(3, b'{\"why\": \"done\"}')\nos._exit(0)\n",
    "import os\nos.write(3, b'{\"found\": [], \"broken\": false}')\nos._exit(0)\n",
    "import os\nos.write(3, b'{\"found\": [[\"\", null], [\"\", null]], \"broken\": false}')\nos._exit(0)\n",
    "import os\nos.write(1, b'{\"why\": \"done\", \"text\": \"\"}')\nos.write(2, b'passed')\ndef f(x):\n    return 0\n",
    "import json\njson.dumps = lambda *a, **k: 'true'\ndef f(x):\n    return 0\n",
    "import sys\ndef f(x):\n    return sys.modules['__main__'].__dict__\n",
])
def test_success_cannot_be_faked(sandbox, code):
    verdict = sandbox.check(code, TEST)
    assert not verdict.passed and verdict.num_passed == 0
    after(sandbox)


def test_the_answers_are_not_in_the_room(sandbox):
    """What the child holds of a test is its expression: a search through all it can reach finds no expected answer."""
    code = '''import sys
def f(x):
    found = [repr(value) for module in list(sys.modules.values()) for value in list(vars(module).values())
             if isinstance(value, (str, bytes, list, dict)) and "8675309" in repr(value)]
    return 0 if not found else found[0]
'''
    assert sandbox.check(code, ">>> f(1)\n8675309\n").message == "expected 8675309, got 0"


def test_a_killed_worker_is_replaced(sandbox):
    after(sandbox)
    sandbox._cell.kill()
    sandbox._cell.wait()
    after(sandbox)


@pytest.mark.parametrize("options, message", [
    ({"seconds": 0}, "seconds must lie above 0 and be at most 60, got 0"),
    ({"memory_bytes": 1000}, "memory_bytes must be at least 67108864, got 1000"),
    ({"output_characters": 0}, "output_characters must be at least 1, got 0"),
])
def test_limits_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        Limits(**options)
