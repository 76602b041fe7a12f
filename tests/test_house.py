"""The house: layers, sizes, docstrings, optional packages, and the files around the code."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from helpers import doctor

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))
MODULES = sorted((ROOT / "helpers").rglob("*.py"))
BINARY = {".png", ".ico", ".gz", ".zip", ".woff2", ".safetensors", ".pdf", ".onnx"}


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


@cache
def texts():
    """Every text file of the repository: those git knows or would add; without git, those outside built folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        paths = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        skipped = {"_build", "build", "mine", "classroom", "__pycache__", "chaos_to_prosperity.egg-info"}
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        paths = [ROOT / p for p in found if not skipped & set(p.parts)
                 and (not p.parts[0].startswith(".") or p.parts[0] in (".ci", ".github"))]
    return {path: path.read_text("utf8") for path in paths if path.is_file() and path.suffix not in BINARY}


def run_python(code):
    """Run code in a fresh process of this Python, in the repository."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


# -- layers and packages -------------------------------------------------------------------------------------------


def test_imports_only_go_down():
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    command = [sys.executable, "-c", program, "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout
    assert re.search(r"[3-9] kept, 0 broken", done.stdout), done.stdout


def test_import_helpers_imports_no_submodule():
    done = run_python("import sys, helpers; print([name for name in sys.modules if name.startswith('helpers.')])")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_optional_packages_stay_optional():
    """`helpers.training` and all below it import where only the base packages are."""
    extras = PROJECT["project"]["optional-dependencies"]
    listed = {re.split(r"[\[<>=!~ ]", line)[0] for lines in extras.values() for line in lines}
    import_names = {name.replace("-", "_") for name in listed}
    import_names |= {"IPython", "ipykernel", "jupyter", "nbformat", "sphinx"}
    blocked = sorted(import_names - {"chaos_to_prosperity"})
    assert {"anywidget", "ipywidgets", "nbgrader", "onnx"} <= set(blocked)
    floors = ["claims", "data", "device", "doctor", "economics", "metrics", "models", "records", "training"]
    done = run_python(
        f"import sys\nfor name in {blocked}:\n    sys.modules[name] = None\n"
        f"import importlib\nfor name in {floors}:\n    importlib.import_module('helpers.' + name)\n"
    )
    assert done.returncode == 0, done.stderr


def test_economics_does_not_load_torch():
    done = run_python("import sys, helpers.economics; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stdout + done.stderr


def test_environment_yml_is_in_step_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert {re.split("[=<>]", line)[0] for line in conda} == {"python", "pip"}
    (python,) = [line.split("=")[-1] for line in conda if line.startswith("python=")]
    low, high = re.fullmatch(r">=(\d+\.\d+),<(\d+\.\d+)", PROJECT["project"]["requires-python"]).groups()
    as_numbers = lambda version: tuple(map(int, version.split(".")))  # noqa: E731
    assert as_numbers(low) <= as_numbers(python) < as_numbers(high)
    constraint, install = pip
    assert constraint == "-c constraints.txt"
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", install)[1].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])
    assert "book" in extras


def test_the_doctor_looks_for_what_pyproject_asks_for():
    bare = lambda lines: {re.split(r"[\[<>=!~ ]", line)[0] for line in lines}  # noqa: E731
    assert set(doctor.BASE) == bare(PROJECT["project"]["dependencies"])
    extras = PROJECT["project"]["optional-dependencies"]
    assert [name for name, (_, found) in doctor.EXTRAS.items() if not set(found) <= bare(extras[name])] == []


def test_every_dependency_is_pinned():
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text("utf8").lower(), re.M))
    pinned = {name.replace("_", "-").replace(".", "-") for name in pinned}
    project = PROJECT["project"]
    listed = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    wanted = {re.split(r"[\[<>=!~ ]", line)[0].lower().replace("_", "-") for line in listed} - {project["name"]}
    assert sorted(wanted - pinned) == []
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text("utf8").splitlines()


# -- code ------------------------------------------------------------------------------------------------------------


def test_no_file_of_code_is_long():
    lengths = {path.relative_to(ROOT).as_posix(): len(text.splitlines()) for path, text in texts().items()
               if path.suffix in (".py", ".mjs", ".js", ".sh")}
    assert len(lengths) > 100
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_what_the_package_reads_is_installed_with_it():
    """Every file of `helpers` that is no Python matches a pattern of package-data, from the package that holds it."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    left = []
    for path in texts():
        if not path.is_relative_to(ROOT / "helpers") or path.suffix == ".py":
            continue
        package = next(folder for folder in path.parents if (folder / "__init__.py").is_file())
        if not any(path in package.glob(pattern) for pattern in patterns):
            left.append(path.name)
    assert left == []


def undocumented(tree):
    """Public names of a module without a docstring or a type hint; a method may inherit its docstring."""
    found = [] if ast.get_docstring(tree) else ["the module has no docstring"]
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

    def inherited(owner, method):
        for base in (classes.get(ast.unparse(base)) for base in getattr(owner, "bases", [])):
            own = {node.name: node for node in getattr(base, "body", []) if isinstance(node, ast.FunctionDef)}
            if base and (method in own and ast.get_docstring(own[method]) or inherited(base, method)):
                return True
        return False

    def visit(owner, prefix):
        for node in owner.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            constructor = isinstance(node, ast.FunctionDef) and node.name == "__init__"
            if not public and not constructor:
                continue
            name = prefix + node.name
            if public and not ast.get_docstring(node) and not inherited(owner, node.name):
                found.append(f"{name} has no docstring")
            if isinstance(node, ast.ClassDef):
                visit(node, f"{name}.")
                continue
            given = node.args
            arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
            if prefix and not any(ast.unparse(decorator) == "staticmethod" for decorator in node.decorator_list):
                arguments = arguments[1:]
            found.extend(f"{name}: {argument.arg} has no type" for argument in arguments if argument.annotation is None)
            if node.returns is None and not constructor:
                found.append(f"{name} has no return type")

    visit(tree, "")
    return found


@pytest.mark.parametrize("name", names(MODULES))
def test_public_names_have_docstrings_and_types(name):
    assert undocumented(ast.parse((ROOT / name).read_text("utf8"))) == []


def test_what_is_undocumented_is_found():
    code = "def f(x): pass\nclass A:\n    def __init__(self, y): pass\n    def g(self) -> None: pass\ndef _h(z): pass\n"
    code += "class B:\n    'B'\n    def g(self) -> None: 'g'\nclass C(B):\n    'C'\n    def g(self) -> None: pass"
    assert undocumented(ast.parse(code)) == [
        "the module has no docstring",
        "f has no docstring",
        "f: x has no type",
        "f has no return type",
        "A has no docstring",
        "A.__init__: y has no type",
        "A.g has no docstring",
    ]


def test_nothing_is_unpickled():
    unsafe = re.compile(r"\bpickle\.loads?\(|allow_pickle=True|weights_only=False")
    code = {path: text for path, text in texts().items() if path.suffix in (".py", ".ipynb") and path != Path(__file__)}
    assert [path.name for path, text in code.items() if unsafe.search(text)] == []
    loads = [line for text in code.values() for line in re.findall(r"torch\.load\([^\n]*", text)]
    assert [line for line in loads if "weights_only=True" not in line] == []


# -- texts -----------------------------------------------------------------------------------------------------------


def search(pattern):
    """File → first match of a pattern, in every text file but this one."""
    found = {path.relative_to(ROOT).as_posix(): re.search(pattern, text) for path, text in texts().items()}
    return {name: match[0] for name, match in found.items() if match and name != "tests/test_house.py"}


def test_no_file_names_a_path_of_this_machine_or_a_package_index():
    homes = {path for path in (str(ROOT), str(Path.home())) if path not in ("/", "")}
    assert search("|".join(re.escape(path) + r"/\w" for path in homes)) == {}
    assert search(r"--(extra-)?index-url|/simple/|pythonhosted|pypi\.org") == {}


def test_nothing_is_left_unfinished():
    found = search(r"\b(TODO|FIXME|XXX|TBD)\b|[Ll]orem ipsum|[Cc]oming soon|to be written")
    assert {name for name in found if not name.startswith("book/recorded/")} == set()  # models write such words there


def test_text_files_end_with_a_line_end():
    wrong = [path.relative_to(ROOT).as_posix() for path, text in texts().items() if text and not text.endswith("\n")]
    assert wrong == []
    assert [path.relative_to(ROOT).as_posix() for path, text in texts().items() if "\r" in text] == []


def test_licences_and_citation_are_whole():
    assert "The authors of From Chaos to Prosperity" in (ROOT / "LICENSE").read_text("utf8")
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in (ROOT / "LICENSE-text").read_text("utf8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))
    assert citation["version"] == PROJECT["project"]["version"]
    assert {"cff-version", "title", "authors", "license", "message"} <= set(citation)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_files_named_in_the_texts_exist(name):
    text = (ROOT / name).read_text("utf8")
    folders = r"(?:book|helpers|tools|tests|benchmarks|\.ci|\.github)/[\w./-]*"
    named = re.findall(rf"`({folders}|[\w-]+\.(?:toml|yml|txt|cff|md)|LICENSE[\w-]*)`", text)
    assert len(named) > 3
    placeholders = re.compile(r"\b(NAME|PART)\b")
    assert [path for path in named if not (ROOT / path).exists() and not placeholders.search(path)] == []
    modules = set(re.findall(r"python -m ((?:tools|helpers)\.\w+)", text.replace("\\", "/")))
    assert [module for module in modules if not (ROOT / (module.replace(".", "/") + ".py")).exists()] == []


def test_the_commands_of_the_readme_are_targets_of_make():
    make = (ROOT / "Makefile").read_text("utf8")
    targets = set(re.findall(r"^(\w+):", make, re.M))
    named = set(re.findall(r"`?make (\w+)", (ROOT / "README.md").read_text("utf8")))
    assert {"book", "test", "lab", "serve", "bench", "release", "clean"} <= targets
    assert named <= targets, named - targets


def test_continuous_tests_call_the_same_two_commands():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert "make test" in script.read_text("utf8") and "make book" in script.read_text("utf8")
    (job,) = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text("utf8"))["jobs"].values()
    assert {"make test", "make book"} <= {step.get("run") for step in job["steps"]}
