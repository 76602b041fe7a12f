import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import records

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def book(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))
    monkeypatch.delenv("HELPERS_RECORDS", raising=False)
    return tmp_path / "book"


def payload(**changes):
    base = {"configuration": {"model": "MLP", "hidden": [128]}, "seed": 0, "device": "a processor",
            "precision": "float32", "seconds": 1.5, "flops": 2e9, "curves": {"train_loss": [2.3, 0.5]},
            "results": {"accuracy": 0.9}}
    return {**base, **changes}


def test_what_is_saved_comes_back_with_its_provenance(book):
    path = records.save("glyphs-mlp", payload())
    assert path == book / "mine" / "glyphs-mlp.json"
    record = records.load("glyphs-mlp")
    assert {key: record[key] for key in payload()} == payload()
    assert record["name"] == "glyphs-mlp"
    assert record["source_sha256"] == records.source_sha256() and len(record["source_sha256"]) == 64
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "torch" in record["versions"]
    assert record["date"].endswith("+00:00")
    assert records.names() == ["glyphs-mlp"]
    assert [p.name for p in path.parent.iterdir()] == ["glyphs-mlp.json"]


def test_recorded_comes_before_mine_unless_asked(book, monkeypatch):
    records.save("run", payload(results={"from": "mine"}))
    records.save("run", payload(results={"from": "recorded"}), mine=False)
    assert records.load("run")["results"] == {"from": "recorded"}
    monkeypatch.setenv("HELPERS_RECORDS", "mine")
    assert records.load("run")["results"] == {"from": "mine"}
    monkeypatch.setenv("HELPERS_RECORDS", "yours")
    with pytest.raises(ValueError, match="'recorded' or 'mine', found 'yours'"):
        records.load("run")


def test_nothing_is_overwritten_in_silence(book):
    path = records.save("run", payload())
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="mine/run.json exists already: .*replace=True"):
        records.save("run", payload(seed=1))
    assert path.read_bytes() == before
    records.save("run", payload(seed=1), replace=True)
    assert records.load("run")["seed"] == 1


def test_a_write_that_fails_leaves_the_old_record_and_no_remains(book, monkeypatch):
    path = records.save("run", payload())
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(records.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        records.save("run", payload(seed=1), replace=True)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("changes, message", [
    ({"results": {"loss": float("nan")}}, "results.loss is nan: a record holds finite numbers only"),
    ({"curves": {"loss": [1.0, float("inf")]}}, r"curves.loss\[1\] is inf"),
    ({"curves": {"loss": 3.0}}, "curves.loss must be a list of numbers, found 3.0"),
    ({"curves": {"loss": ["a"]}}, "curves.loss must be a list of numbers"),
    ({"result": {}}, "no key 'result': did you mean 'results'?"),
    ({"colour": "blue"}, "no key 'colour': "),
    ({"seed": "zero"}, "'seed' .* must be int, found str"),
    ({"seconds": True}, "'seconds' .* found bool"),
    ({"seconds": -1}, "cannot be negative, found -1"),
    ({"configuration": {"path": Path("x")}}, "configuration.path is a .*Path"),
    ({"results": {1: 2}}, "results has the key 1: keys of a record are text"),
])
def test_a_bad_payload_is_refused_and_nothing_written(book, changes, message):
    with pytest.raises(ValueError, match=message):
        records.save("run", payload(**changes))
    assert records.names() == []


def test_missing_keys_are_named(book):
    bad = payload()
    del bad["seed"], bad["flops"]
    with pytest.raises(ValueError, match="the record lacks seed, flops"):
        records.save("run", bad)
    with pytest.raises(ValueError, match="a record is a dict, found list"):
        records.save("run", [])


@pytest.mark.parametrize("name", ["Run", "a b", "../run", "", "run-", "a--b", 3])
def test_bad_names(book, name):
    with pytest.raises(ValueError, match="lower-case letters, digits and single hyphens"):
        records.save(name, payload())
    with pytest.raises(ValueError, match="lower-case letters, digits and single hyphens"):
        records.load(name)


def test_unknown_name_offers_near_matches(book):
    with pytest.raises(ValueError, match="no recorded run is called 'run': there are none yet"):
        records.load("run")
    records.save("softmax-fashion-mnist", payload())
    with pytest.raises(ValueError, match="did you mean 'softmax-fashion-mnist'?"):
        records.load("softmax-fashion")
    with pytest.raises(ValueError, match="there are softmax-fashion-mnist"):
        records.load("zzz")


def test_a_damaged_file_is_named(book):
    path = records.save("run", payload())
    path.write_text(path.read_text()[:50])
    with pytest.raises(ValueError, match="mine/run.json is no valid record"):
        records.load("run")
    path.write_text(json.dumps({"name": "run"}))
    with pytest.raises(ValueError, match="mine/run.json is no valid record: the record lacks configuration"):
        records.load("run")


def test_without_the_repository_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))
    for call in (records.book_folder, records.names, lambda: records.load("run"), lambda: records.save("r", payload())):
        with pytest.raises(FileNotFoundError, match="holds no folder book/: set HELPERS_BOOK to the folder"):
            call()


def test_any_working_directory_and_no_torch(tmp_path):
    code = ("import sys; from helpers import records, claims; "
            "assert 'torch' not in sys.modules and 'numpy' not in sys.modules; print(records.book_folder())")
    environment = {key: value for key, value in os.environ.items() if key != "HELPERS_BOOK"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env={**environment, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == ROOT / "book"


def test_the_stamp_follows_the_sources(tmp_path):
    package = tmp_path / "helpers"
    package.mkdir()
    for name in ("__init__.py", "records.py"):
        source = ROOT / "helpers" / name
        (package / name).write_text(source.read_text() if source.exists() else "")
    code = "from helpers import records; print(records.source_sha256(), records.git_revision())"

    def stamp():
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True).stdout.split()

    first = stamp()
    assert stamp() == first
    assert first[1] == "None"
    (package / "more.py").write_text("x = 1\n")
    assert stamp()[0] != first[0]


def test_git_revision_where_there_is_one(tmp_path, monkeypatch):
    package = tmp_path / "helpers"
    package.mkdir()
    (package / "records.py").write_text("")

    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
                       check=True, capture_output=True)

    monkeypatch.setattr(records, "__file__", str(package / "records.py"))
    git("init")
    assert records.git_revision() is None
    git("add", "-A")
    git("commit", "-m", "first")
    revision = records.git_revision()
    assert len(revision) == 40 and int(revision, 16) > 0
    (package / "records.py").write_text("# changed\n")
    assert records.git_revision() == revision + "+changes"


RECORDED = sorted((ROOT / "book" / "recorded").glob("*.json"))


def test_there_are_records():
    assert {"softmax-fashion-mnist", "cnn-fashion-mnist"} <= {path.stem for path in RECORDED}
    files = [path for path in (ROOT / "book" / "recorded").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 20e6, "weights and curves together"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_record_in_the_book_is_valid_and_still_builds_its_model(path):
    from benchmarks.record import RECIPES, build
    from helpers import models

    record = json.loads(path.read_text(encoding="utf-8"))
    records.validate(record)
    assert record["name"] == path.stem and path.stem in RECIPES
    assert record["curves"] and record["results"]
    configuration = record["configuration"]
    if configuration["model"] is None:  # a measurement, nothing was trained
        return
    model = build(configuration["model"], configuration["model_options"])
    assert models.count(model) == configuration["num_parameters"]


def test_the_recipes_have_the_sizes_that_the_chapters_name():
    from benchmarks.record import RECIPES
    from helpers import models

    assert models.count(RECIPES["softmax-fashion-mnist"].build()) == 7850
    assert models.count(RECIPES["cnn-fashion-mnist"].build()) < 100_000
    assert models.count(RECIPES["documents-cnn-surfaces"].build()) == 4_828_481


def test_a_recipe_gives_a_valid_record(book, capsys, monkeypatch):
    from benchmarks import record

    small = record.Recipe("a small run", "digits", {"flat": False}, "CNN",
                          {"in_channels": 1, "channels": [4], "num_outputs": 10, "image_size": 8, "hidden": None},
                          {"lr": 0.01, "epochs": 2, "augment": {"flip": False, "degrees": 5.0}})
    monkeypatch.setitem(record.RECIPES, "small", small)
    assert record.main(["small"]) == 0
    saved = records.load("small")
    assert len(saved["curves"]["validation_loss"]) == 3
    assert saved["results"]["num_test"] == sum(map(sum, saved["results"]["confusion"]))
    assert saved["results"]["test_accuracy"] > 0.5
    assert saved["configuration"]["num_parameters"] == 4 * 10 + 10 * (4 * 16 + 1)
    capsys.readouterr()
    assert record.main(["small"]) == 2
    assert "small.json is recorded already: pass --replace" in capsys.readouterr().err
    assert record.main(["smal"]) == 2
    assert "no recipe is called 'smal': did you mean 'small'?" in capsys.readouterr().err
    assert record.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "small                        recorded  a small run" in listed and "cnn-fashion-mnist" in listed


def test_a_grid_records_every_variant_and_seed(book, monkeypatch):
    from benchmarks import record

    grid = record.Grid("two rates", "breast_cancer", {}, "Softmax", {"num_inputs": 30, "num_classes": 2},
                       {"batch_size": 32}, seeds=(0, 1),
                       variants={"slow": {"lr": 1e-5, "epochs": 1},
                                 "fast": {"lr": 1e-2, "epochs": 2, "num_train": 100}})
    monkeypatch.setitem(record.RECIPES, "grid", grid)
    assert record.main(["grid"]) == 0
    saved = records.load("grid")
    found = saved["results"]["variants"]
    assert len(saved["curves"]["fast, seed 1, validation_loss"]) == 3
    assert found["fast"]["validation_loss"][1] == saved["curves"]["fast, seed 1, validation_loss"][-1]
    assert min(found["slow"]["validation_loss"]) > max(found["fast"]["validation_loss"])
    assert saved["configuration"]["variants"]["fast"]["num_train"] == 100 and saved["configuration"]["seeds"] == [0, 1]


def test_each_seed_of_a_grid_gets_examples_of_its_own():
    from benchmarks import record

    train = record.data.load("breast_cancer").train
    first, second = (record._block(train, position, 100) for position in (0, 1))
    assert first.x.equal(train.x[:100]) and second.x.equal(train.x[100:200]) and second.y.equal(train.y[100:200])
    with pytest.raises(ValueError, match="2 blocks of 300 examples do not fit into"):
        record._block(train, 1, 300)


def test_the_data_seed_of_a_recipe_draws_other_pictures(book, monkeypatch):
    from benchmarks import record

    tiny = record.Recipe("tiny", "surfaces", {"num_per_class": 10, "size": 32}, "Linear",
                         {"num_inputs": 11, "num_outputs": 1}, {"lr": 0.05, "epochs": 1}, features="pixel_statistics",
                         data_seed=5)
    monkeypatch.setitem(record.RECIPES, "tiny", tiny)
    assert record.main(["tiny"]) == 0
    saved = records.load("tiny")
    assert saved["configuration"]["data_seed"] == 5 and saved["seed"] == 0
    same = record.data.load("surfaces", seed=5, **tiny.data_options)
    assert saved["corpus_sha256"] == same.sha256()


def test_what_the_image_classifier_compares_was_recorded_on_the_same_pictures():
    names = ("small-cnn-surfaces", "documents-cnn-surfaces", "documents-cnn-mended", "pixel-statistics-surfaces")
    found = [json.loads((ROOT / f"book/recorded/{name}.json").read_text(encoding="utf-8")) for name in names]
    assert len({record["corpus_sha256"] for record in found}) == 1
    assert all(record["configuration"]["data_seed"] != 0 for record in found), "seed 0 was seen while recipes were made"


def test_a_recipe_may_see_pixel_statistics_instead_of_pictures(book, monkeypatch):
    from benchmarks import record

    small = record.Recipe("statistics", "surfaces", {"num_per_class": 20, "size": 32}, "Linear",
                          {"num_inputs": 11, "num_outputs": 1}, {"lr": 0.05, "epochs": 3}, features="pixel_statistics")
    monkeypatch.setitem(record.RECIPES, "statistics", small)
    assert record.main(["statistics"]) == 0
    saved = records.load("statistics")
    hits = [a == b for a, b in zip(saved["results"]["test_labels"], saved["results"]["test_predictions"])]
    assert saved["results"]["test_accuracy"] == sum(hits) / len(hits)
    assert saved["configuration"]["num_parameters"] == 12
    numbers = record.pixel_statistics(record.data.load("surfaces", num_per_class=20, size=32))
    assert numbers.train.x.shape == (28, 11) and numbers.train.x.mean(0).abs().max() < 1e-4
