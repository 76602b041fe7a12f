"""The Makefile: Python's version speaks first, a failed installation says what to do, and the README says the same."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf8")
VERSIONS = [("3.10", False), ("3.11", True), ("3.13", True), ("3.14", False)]
ADVICE = "The packages are not installed; pip says above why. Check the network, then run the same command again."


@pytest.fixture
def checkout(tmp_path):
    """What make needs of a fresh clone, beside a folder of programs that holds no Python."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml", "tools/pick_python.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("awk", "cp", "make", "mkdir", "sed", "sh", "touch"):
        (programs / name).symlink_to(shutil.which(name))
    return tmp_path


def pretend(folder, text):
    """A pretended program."""
    folder.write_text(f"#!/bin/sh\n{text}\n")
    folder.chmod(0o755)


def make(checkout, *targets):
    command = [checkout / "programs" / "make", *targets]
    environment = {"PATH": str(checkout / "programs")}
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, env=environment)


def python_of(version, fits):
    return f'case "$1" in --version) echo "Python {version}.1";; *) exit {int(not fits)};; esac'


@pytest.mark.parametrize(("version", "fits"), VERSIONS)
def test_the_version_check_takes_what_fits(checkout, version, fits):
    pretend(checkout / "programs" / "python3", python_of(version, fits))
    command = [checkout / "programs" / "sh", ROOT / "tools" / "pick_python.sh"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(checkout / "programs")})
    assert (done.returncode == 0) == fits
    assert done.stdout == ("python3\n" if fits else "")


@pytest.mark.parametrize("target", ["book", "test", "lab", "serve", "bench", "release"])
def test_an_old_python_is_told_before_anything_else(checkout, target):
    pretend(checkout / "programs" / "python3", python_of("3.9", False))
    done = make(checkout, target)
    assert done.returncode != 0 and done.stdout == ""
    first, rest = done.stderr.split("\n", 1)
    assert first.startswith("The course needs Python 3.11, 3.12 or 3.13, and found Python 3.9.1: install one of them")
    assert rest.startswith("make: ***") and rest.count("\n") == 1
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(("version", "fits"), VERSIONS)
def test_the_plain_commands_check_the_version_too(version, fits):
    pretended = tuple(map(int, version.split("."))) + (0, "final", 0)
    code = f"import sys; sys.version_info = {pretended}; sys.modules['nbformat'] = None; import tools"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    said = f"The course needs Python 3.11, 3.12 or 3.13, and this is Python {version}.\n"
    assert (done.returncode, done.stderr) == ((0, "") if fits else (1, said))


def test_an_installation_that_fails_says_what_to_do_and_is_tried_again(checkout):
    venv = "mkdir -p .venv/bin && cp programs/installed .venv/bin/python"
    pretend(checkout / "programs" / "python3", f'case "$*" in "-m venv .venv") {venv};; esac')
    pretend(checkout / "programs" / "installed", "echo 'ERROR: no connection' >&2; exit 1")
    for _ in range(2):
        done = make(checkout, "book")
        assert done.returncode != 0
        assert done.stderr.splitlines()[:2] == ["ERROR: no connection", ADVICE]
    pretend(checkout / ".venv" / "bin" / "python", 'echo "$@"')
    done = make(checkout, "book")
    assert done.returncode == 0 and "-c constraints.txt -e .[book]" in done.stdout
    assert done.stdout.endswith("-m tools.book build\n")
    assert make(checkout, "book").stdout == "-m tools.book build\n"  # nothing is installed twice
    os.utime(checkout / "pyproject.toml", (2**32, 2**32))
    assert "-e .[book]" in make(checkout, "book").stdout  # unless what is asked for has changed


def test_help_names_every_target():
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split()
    assert phony == ["help", "book", "test", "lab", "serve", "bench", "release", "clean"]
    assert re.search(r"^([a-z]+):", MAKEFILE, re.M)[1] == "help", "make alone prints the help"
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = re.findall(r"^  make (\w+) +\S.*$", done.stdout, re.M)
    assert lines == phony and len(done.stdout.splitlines()) == len(phony)


def test_the_plain_commands_of_the_readme_are_those_of_make():
    recipes = dict(re.findall(r"^(\w+):[^\n]*\n\t@\$\(RUN\) (.+)$", MAKEFILE, re.M))
    assert set(recipes) == {"book", "test", "lab", "serve", "bench", "release"}
    readme = (ROOT / "README.md").read_text("utf8")
    plain = dict(map(reversed, re.findall(r"Scripts\\python -m ([\w. ]+?) +# make (\w+)$", readme, re.M)))
    assert plain == {name: recipe.split(" --port")[0] for name, recipe in recipes.items()}
    extras = r"pip install -c constraints\.txt -e [\"']\.\[([\w,]+)\]"
    asked = re.findall(extras, MAKEFILE.replace("$(PIP)", "pip install -c constraints.txt"))
    assert asked == ["book", "book,test,export,tables", "book,bench"] == re.findall(extras, readme)
