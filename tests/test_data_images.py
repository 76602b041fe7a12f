import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.data import surfaces


def picture(path, value, size=(20, 12), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def tree(tmp_path):
    """Two classes with twelve pictures each, in several formats and modes."""
    for label, name in enumerate(("cat", "dog")):
        for i in range(12):
            suffix, mode = (("png", "RGB"), ("jpg", "RGB"), ("png", "L"), ("bmp", "RGB"))[i % 4]
            picture(tmp_path / "pets" / name / f"{i}.{suffix}", 100 * label + i, mode=mode)
    return tmp_path / "pets"


def test_a_tree_of_classes_is_split_here(tree):
    dataset = data.load("image_folder", path=tree, size=16)
    assert dataset.classes == ["cat", "dog"]
    assert sum(len(split) for split in dataset.splits().values()) == 24
    assert all(set(split.y.tolist()) == {0, 1} for split in dataset.splits().values())
    assert dataset.train.x.shape[1:] == (3, 16, 16) and dataset.train.x.dtype == torch.float32
    assert 0 <= dataset.train.x.min() and dataset.train.x.max() <= 1
    assert set(data.leaks(dataset).values()) == {0}
    assert "split here" in dataset.card.origin
    grey = data.load("image_folder", path=str(tree), size=16, channels=1, dtype="uint8")
    assert grey.train.x.shape[1:] == (1, 16, 16) and grey.train.x.dtype == torch.uint8
    assert (grey.train.y == dataset.train.y).all()


def test_exact_copies_stay_in_one_split(tree):
    for i in range(6):
        (tree / "cat" / f"copy{i}.png").write_bytes((tree / "cat" / "0.png").read_bytes())
    for seed in range(4):
        found = data.leaks(data.load("image_folder", path=tree, size=16, seed=seed))
        assert set(found.values()) == {0}


def test_pixels_are_those_of_the_file(tmp_path):
    for i, (name, split) in enumerate((n, s) for n in ("a", "b") for s in ("train", "validation", "test")):
        for k in range(3):
            picture(tmp_path / split / name / f"{k}.png", 10 * i + k, size=(8, 8))
    dataset = data.load("image_folder", path=tmp_path, size=8, dtype="uint8")
    assert [len(split) for split in dataset.splits().values()] == [6, 6, 6]
    expected = {np.asarray(Image.open(p)).transpose(2, 0, 1).tobytes() for p in (tmp_path / "train" / "b").iterdir()}
    assert {x.numpy().tobytes() for x in dataset.train.x[dataset.train.y == 1]} == expected


@pytest.mark.parametrize("given", [("train",), ("train", "test"), ("train", "validation")])
def test_missing_splits_are_taken_from_train(tmp_path, given):
    for s, split in enumerate(given):
        for label, name in enumerate("ab"):
            for k in range(20):
                picture(tmp_path / split / name / f"{k}.png", 1000 * s + 100 * label + k)
    dataset = data.load("image_folder", path=tmp_path, size=8)
    sizes = {name: len(split) for name, split in dataset.splits().items()}
    assert sum(sizes.values()) == 40 * len(given)
    assert all(sizes[split] == 40 for split in given if split != "train")
    assert all(sizes[split] == 6 for split in sizes if split not in given)
    assert set(data.leaks(dataset).values()) == {0}


def test_copies_across_the_readers_own_splits_are_told(tmp_path):
    for s, split in enumerate(("train", "validation", "test")):
        for label, name in enumerate("ab"):
            for k in range(3):
                picture(tmp_path / split / name / f"{k}.png", 1000 * s + 100 * label + k)
    (tmp_path / "test" / "a" / "9.png").write_bytes((tmp_path / "train" / "a" / "1.png").read_bytes())
    with pytest.warns(UserWarning, match="1 images of test are exact copies of images in train"):
        data.load("image_folder", path=tmp_path, size=8)


def test_broken_files_are_named_and_counted(tree):
    (tree / "cat" / "torn.png").write_bytes((tree / "cat" / "0.png").read_bytes()[:100])
    (tree / "dog" / "empty.jpg").write_bytes(b"")
    (tree / "dog" / "list.txt").write_text("no picture")
    (tree / "dog" / ".hidden").write_text("not counted")
    with pytest.raises(ValueError, match="3 files in .* cannot be read: cat/torn.png .*; dog/empty.jpg .*; "
                                         r"dog/list.txt \(no image file\). Mend or remove them, or pass skip_broken"):
        data.load("image_folder", path=tree, size=16)
    with pytest.warns(UserWarning, match="3 files in .* cannot be read and left out: cat/torn.png"):
        dataset = data.load("image_folder", path=tree, size=16, skip_broken=True)
    assert sum(len(split) for split in dataset.splits().values()) == 24
    assert "torn.png" in dataset.card.limits


def test_a_class_with_broken_files_only(tree):
    for path in (tree / "dog").iterdir():
        path.write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="12 files in .* cannot be read"):
        data.load("image_folder", path=tree)
    with pytest.raises(ValueError, match="no file of train/dog can be read; first: dog/0.png"):
        data.load("image_folder", path=tree, skip_broken=True)


def test_folders_that_are_not_class_folders(tmp_path, tree):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere: check the path"):
        data.load("image_folder", path=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is a file, expected a folder"):
        data.load("image_folder", path=tree / "cat" / "0.png")
    (tmp_path / "void").mkdir()
    with pytest.raises(ValueError, match="void holds no class folders"):
        data.load("image_folder", path=tmp_path / "void")
    (tmp_path / "one" / "cat").mkdir(parents=True)
    with pytest.raises(ValueError, match="one holds one class, 'cat': a classifier needs at least two"):
        data.load("image_folder", path=tmp_path / "one")
    (tmp_path / "one" / "dog").mkdir()
    with pytest.raises(ValueError, match="class folders without images: train/cat, train/dog"):
        data.load("image_folder", path=tmp_path / "one")
    (tmp_path / "half" / "test" / "cat").mkdir(parents=True)
    with pytest.raises(ValueError, match="half holds test but no train"):
        data.load("image_folder", path=tmp_path / "half")
    picture(tmp_path / "uneven" / "train" / "cat" / "1.png", 1)
    picture(tmp_path / "uneven" / "train" / "dog" / "1.png", 2)
    picture(tmp_path / "uneven" / "test" / "cat" / "1.png", 3)
    with pytest.raises(ValueError, match="has the classes cat, but train has cat, dog"):
        data.load("image_folder", path=tmp_path / "uneven")
    for i in range(2):
        picture(tmp_path / "few" / "cat" / f"{i}.png", i)
        picture(tmp_path / "few" / "dog" / f"{i}.png", 10 + i)
    with pytest.raises(ValueError, match="at least 3 groups, found 2 in class 0"):
        data.load("image_folder", path=tmp_path / "few")


@pytest.mark.parametrize("options, message", [
    ({"size": 2}, "found 2"), ({"channels": 4}, "channels must be 1 .* found 4"),
    ({"dtype": "float16"}, "found 'float16'")])
def test_bad_options(tree, options, message):
    with pytest.raises(ValueError, match=message):
        data.load("image_folder", path=tree, **options)


def test_surfaces_are_balanced_repeatable_and_without_leak():
    dataset = data.load("surfaces", num_per_class=20, size=64)
    assert [len(split) for split in dataset.splits().values()] == [28, 6, 6]
    assert dataset.classes == ["good", "scratched"] and dataset.train.x.shape == (28, 3, 64, 64)
    assert all(split.y.float().mean() == 0.5 for split in dataset.splits().values())
    assert set(data.leaks(dataset).values()) == {0}
    assert dataset.card.real == "simulated"
    bytes_ = data.load("surfaces", num_per_class=20, size=64, dtype="uint8")
    assert torch.allclose(bytes_.train.x.float() / 255, dataset.train.x)
    assert (surfaces.draw(3, True) == surfaces.draw(3, True)).all()
    assert (surfaces.draw(3, True) != surfaces.draw(3, True, seed=1)).any()


def test_a_scratch_cannot_be_seen_in_brightness_or_contrast_alone():
    from sklearn.linear_model import LogisticRegression
    images = np.stack([surfaces.draw(i, bool(label)) for i in range(50) for label in (0, 1)]).astype(float)
    labels = np.arange(100) % 2
    features = np.column_stack([images.mean((1, 2)), images.std((1, 2)), images.max((1, 2)), images.min((1, 2))]) / 255
    score = LogisticRegression(C=100.0, max_iter=500).fit(features[:60], labels[:60]).score(features[60:], labels[60:])
    assert score <= 0.85


def test_written_surfaces_are_read_back_exactly(tmp_path):
    folder = data.write_surfaces(tmp_path / "new" / "surfaces", num_per_class=10, size=48)
    assert sorted(p.name for p in folder.iterdir()) == [".surfaces.json", "test", "train", "validation"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = data.load("image_folder", path=folder, size=48, dtype="uint8")
    drawn = data.load("surfaces", num_per_class=10, size=48, dtype="uint8")
    assert read.classes == drawn.classes
    assert read.card.real == "simulated" and "written by data.write_surfaces" in read.card.origin
    for name, split in drawn.splits().items():
        one = sorted(zip(data.fingerprints(split.x), split.y.tolist()))
        two = sorted(zip(data.fingerprints(read.splits()[name].x), read.splits()[name].y.tolist()))
        assert one == two


def test_written_surfaces_never_overwrite(tmp_path):
    folder = data.write_surfaces(tmp_path / "s", num_per_class=10, size=32)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")}
    assert data.write_surfaces(folder, num_per_class=10, size=32) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")} == before
    with pytest.raises(FileExistsError, match="exists and holds something else: choose a new folder"):
        data.write_surfaces(folder, num_per_class=12, size=32)
    assert json.loads((folder / ".surfaces.json").read_text())["num_per_class"] == 10
    with pytest.raises(ValueError, match="at least 10, found 2"):
        data.write_surfaces(tmp_path / "t", num_per_class=2)
    with pytest.raises(ValueError, match="in 32 … 512 pixels, found 1000"):
        data.write_surfaces(tmp_path / "t", size=1000)
    assert not (tmp_path / "t").exists() and [p.name for p in tmp_path.iterdir()] == ["s"]
