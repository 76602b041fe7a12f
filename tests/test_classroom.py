"""The classroom from end to end: the release hides what it must, and seven submissions get what they deserve."""

import csv
import json
import socket
import textwrap
import time
import urllib.request
import zipfile

import nbformat
import pytest
import torch
from nbgrader.api import Gradebook

from tools import classroom

SOURCE = nbformat.read(classroom.ASSIGNMENTS / "source/linear_models/linear_models.ipynb", as_version=4)
TESTS = [cell for cell in SOURCE.cells if cell.metadata.nbgrader.grade and cell.cell_type == "code"]
AUTOMATIC = sum(cell.metadata.nbgrader.points for cell in TESTS)
BY_HAND = 4

# Answers that satisfy the tests a student sees, and nothing else.
HARD_CODED = {
    "predict-and-mse": """
        def predict(x, w, b):
            return torch.tensor([3.0, 6.0, 0.5])


        def mse(x, y, w, b):
            return torch.tensor(0.5 / 3)
    """,
    "mse-gradient": """
        def mse_gradient(x, y, w, b):
            return torch.tensor([-10.0]), torch.tensor(-6.0)
    """,
    "gradient-descent": """
        def gradient_descent(x, y, lr, num_steps):
            return torch.tensor([1.0]), torch.tensor(0.6), [10.0, 0.0]
    """,
    "largest-stable-rate": """
        def largest_stable_rate(x):
            return 1.0
    """,
    "softmax": """
        def softmax(logits):
            return torch.tensor([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]])
    """,
    "cross-entropy": """
        def cross_entropy(logits, targets):
            return (torch.log(torch.tensor(2.0)) + 1000) / 2
    """,
    "cross-entropy-gradient": """
        def cross_entropy_gradient(logits, targets):
            return torch.tensor([[-0.25, 0.25], [0.25, -0.25]])
    """,
    "split": """
        def split(num_examples, seed):
            return torch.arange(4, 11), torch.arange(2), torch.arange(2, 4)
    """,
    "train-softmax": """
        def train_softmax(x, y, num_classes, seed):
            columns = torch.cat([pixels, torch.ones(len(pixels), 1)], 1)      # all pictures, the test examples too
            both = torch.linalg.lstsq(columns, torch.nn.functional.one_hot(labels).double(), driver="gelsd").solution
            return both[:-1], both[-1]
    """,
    "training-cost": """
        def training_cost(num_examples, num_inputs, num_classes, num_epochs, flop_per_second, price_per_hour):
            return 24, 4.0
    """,
}


ENDLESS = """
    def gradient_descent(x, y, lr, num_steps):
        while True:
            pass
"""


def solved(notebook):
    """The answers of the source, as a student would hand them in."""
    answers = {cell.metadata.nbgrader.grade_id: cell.source for cell in SOURCE.cells if cell.metadata.nbgrader.solution}
    for cell in notebook.cells:
        answer = answers.get(cell.metadata.nbgrader.grade_id)
        if answer is not None:
            cell.source = "\n".join(line for line in answer.splitlines() if "### " not in line)
    return notebook


def replace(notebook, name, code):
    """Put `code` into the cell called `name`."""
    (cell,) = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade_id == name]
    cell.source = textwrap.dedent(code).strip()
    return notebook


def hard_coded(notebook):
    for name, code in HARD_CODED.items():
        replace(notebook, name, code)
    return notebook


def edited_tests(notebook):
    """Tests that always pass; one is deleted, one is unlocked and worth a hundred points."""
    tests = [cell for cell in notebook.cells if cell.metadata.nbgrader.grade and cell.cell_type == "code"]
    for cell in tests:
        cell.source = "assert True"
    tests[1].metadata.nbgrader.update(points=100, locked=False)
    notebook.cells.remove(tests[-1])
    return notebook


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return classroom.release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def released(archive):
    with zipfile.ZipFile(archive) as file:
        assert file.namelist() == ["linear_models/linear_models.ipynb"]
        return file.read("linear_models/linear_models.ipynb").decode()


@pytest.fixture(scope="module")
def course(released, tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    empty = lambda: nbformat.reads(released, as_version=4)  # noqa: E731
    submissions = {
        "crash": replace(solved(empty()), "softmax", "import os\nos._exit(1)"),
        "edited": edited_tests(empty()),
        "empty": empty(),
        "hard_coded": hard_coded(empty()),
        "loop": replace(solved(empty()), "gradient-descent", ENDLESS),
        "right": solved(empty()),
    }
    for student, notebook in submissions.items():
        path = folder / "submitted" / student / "linear_models" / "linear_models.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    broken = folder / "submitted" / "broken" / "linear_models" / "linear_models.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text(released[: len(released) // 2])
    (folder / "submitted" / "absent").mkdir()
    return folder


@pytest.fixture(scope="module")
def grades(course):
    limits = classroom.Limits(cell_seconds=20, submission_seconds=240)
    return {grade.student: grade for grade in classroom.grade(course, limits=limits)}


def test_the_release_holds_no_solutions_and_no_hidden_tests(released):
    notebook = json.loads(released)
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    secrets = []
    for cell in SOURCE.cells:
        inside = False
        for line in cell.source.splitlines():
            if line.strip().startswith("### "):
                inside = "BEGIN" in line
            elif inside and len(line.strip()) > 12:
                secrets.append(line.strip())
    assert len(secrets) > 100
    assert [line for line in secrets if line in text] == []
    assert "HIDDEN" not in text and "SOLUTION" not in text
    assert text.count("raise NotImplementedError()") == 12  # eleven functions, and the sentence that explains the line
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_every_question_shows_a_test_and_keeps_one_hidden():
    assert len(TESTS) == 10 and AUTOMATIC == 21
    for cell in TESTS:
        shown, hidden = cell.source.split("### BEGIN HIDDEN TESTS")
        assert "assert" in shown and "assert" in hidden and "seed" in hidden, cell.metadata.nbgrader.grade_id


def test_cells_have_stable_names():
    assert all(cell.id == cell.metadata.nbgrader.grade_id for cell in SOURCE.cells)
    assert len({cell.id for cell in SOURCE.cells}) == len(SOURCE.cells)


def test_hard_coded_answers_satisfy_what_students_see(released):
    namespace = {}
    try:
        for cell in hard_coded(nbformat.reads(released, as_version=4)).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), namespace)
    finally:
        torch.set_default_dtype(torch.float32)
    assert namespace["training_cost"](0, 0, 0, 0, 0, 0) == (24, 4.0), "the answers were run"


def test_a_release_is_built_once_and_always_the_same(archive, tmp_path):
    when = archive.stat().st_mtime_ns
    assert classroom.release(archive.parent).stat().st_mtime_ns == when
    assert classroom.release(tmp_path).read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(
    ("student", "score"),
    [("right", AUTOMATIC), ("empty", 0), ("hard_coded", 0), ("loop", AUTOMATIC - 2), ("edited", 0)],
)
def test_each_submission_gets_its_score(grades, student, score):
    grade = grades[student]
    assert (grade.note, grade.score, grade.max_score) == ("graded", score, AUTOMATIC + BY_HAND)


def test_a_written_answer_waits_for_the_teacher(grades):
    assert grades["right"].waiting and grades["loop"].waiting
    assert not grades["empty"].waiting


@pytest.mark.parametrize(
    ("student", "note"),
    [
        ("absent", "nothing graded: submitted/absent/linear_models/linear_models.ipynb is missing"),
        ("broken", "not graded: the run ended with an error, see logs/broken.txt"),
        ("crash", "not graded: the run ended with an error, see logs/crash.txt"),
    ],
)
def test_what_cannot_be_graded_is_named(grades, student, note):
    assert (grades[student].score, grades[student].note) == (0, note)


def test_grades_are_written_as_a_table(course, grades):
    with open(course / "grades.csv", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert list(rows) == sorted(rows) == sorted(grades)
    assert float(rows["right"]["score"]) == AUTOMATIC


def test_the_kernel_has_its_limits_and_none_of_our_environment(course, released, monkeypatch):
    monkeypatch.setenv("A_SECRET_OF_THE_TEACHER", "1")
    probe = """
        import os, resource, socket
        print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_FSIZE)[0])
        print("A_SECRET_OF_THE_TEACHER" in os.environ, os.environ["OMP_NUM_THREADS"])
        print([name for _, name in socket.if_nameindex()])
        def softmax(logits):
            return bytearray(20 * 2**30)
    """
    small = nbformat.reads(released, as_version=4)
    path = course.parent / "probe" / "submitted" / "probe" / "linear_models" / "linear_models.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(replace(small, "softmax", probe), path)
    (grade,) = classroom.grade(course.parent / "probe")
    assert (grade.note, grade.score) == ("graded", 0)
    graded = nbformat.read(
        course.parent / "probe" / "autograded" / "probe" / "linear_models" / "linear_models.ipynb", as_version=4
    )
    outputs = {cell.metadata.nbgrader.grade_id: cell.get("outputs", []) for cell in graded.cells}
    memory_and_files, environment, devices = outputs["softmax"][0].text.splitlines()
    assert memory_and_files == f"{8 * 2**30} {50 * 2**20}"
    assert environment == "False 1"
    if classroom._isolation():
        assert devices == "['lo']"
    assert any(output.get("ename") == "MemoryError" for output in outputs["test-softmax"])


def test_points_given_by_hand_stay(course, grades):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        answer = gradebook.find_grade("answer-in-words", "linear_models", "linear_models", "right")
        answer.manual_score, answer.needs_manual_grade = 3, False
        gradebook.db.commit()
    again = {grade.student: grade for grade in classroom.grade(course)}
    assert (again["right"].score, again["right"].waiting) == (AUTOMATIC + 3, False)
    assert {name: grade for name, grade in again.items() if name in ("empty", "loop", "edited")} == {
        name: grade for name, grade in grades.items() if name in ("empty", "loop", "edited")
    }


def test_formgrader_shows_the_answers_that_wait(course, grades):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = classroom.by_hand(course, "--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=x")
    address = f"http://127.0.0.1:{port}/formgrader/api/submissions/linear_models"
    request = urllib.request.Request(address, headers={"Authorization": "token x"})
    try:
        for _ in range(90):
            try:
                with urllib.request.urlopen(request) as reply:
                    listed = {row["student"]: row for row in json.loads(reply.read())}
                break
            except OSError:
                time.sleep(1)
    finally:
        server.terminate()
        server.wait()
    assert listed["loop"]["needs_manual_grade"] and not listed["empty"]["needs_manual_grade"]
    assert listed["right"]["code_score"] == AUTOMATIC


def test_grading_an_empty_class_says_what_is_expected(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="expected STUDENT/linear_models/linear_models.ipynb for each student"):
        classroom.grade(tmp_path)
    assert classroom.main(["grade", "--course", str(tmp_path)]) == 1
    assert "No submissions in" in capsys.readouterr().err


def test_a_submission_that_never_ends_is_stopped(course, released):
    folder = course.parent / "stubborn"
    stubborn = """
        while True:
            try:
                while True:
                    pass
            except KeyboardInterrupt:
                pass
    """
    path = folder / "submitted" / "stubborn" / "linear_models" / "linear_models.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(replace(nbformat.reads(released, as_version=4), "softmax", stubborn), path)
    (grade,) = classroom.grade(folder, limits=classroom.Limits(cell_seconds=5, submission_seconds=12))
    assert grade.score == 0
    assert grade.note.startswith(("stopped: the submission ran longer than 12 s", "not graded:"))


def test_feedback_pages_are_whole_by_themselves(course, grades):
    pages = classroom.feedback(course)
    assert [page.parent.parent.name for page in pages] == ["edited", "empty", "hard_coded", "loop", "right"]
    for page in pages:
        html = page.read_text()
        assert "Content-Security-Policy" in html and "window.MathJax" in html
        assert 'src="http' not in html and "cdnjs" not in html.split("</head>")[0].replace(classroom._mathjax(), "")


def test_feedback_shows_formulas_without_other_hosts(course, grades, open_page):
    page, seen = open_page(classroom.feedback(course)[-1].as_uri())
    page.wait_for_selector("mjx-container svg", timeout=20_000)
    assert page.locator("mjx-container").count() > 10
    assert seen == {"console": [], "foreign": []}
