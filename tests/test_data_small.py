import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression

from helpers import data

SMALL = [("line", {}), ("digits", {}), ("breast_cancer", {}), ("wine", {}), ("glyphs", {"num_examples": 1000}),
         ("moons", {}), ("spiral", {})]


@pytest.mark.parametrize("name, options", SMALL)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_leak_between_the_splits(name, options, seed):
    found = data.leaks(data.load(name, seed=seed, **options))
    assert len(found) == 6 and set(found.values()) == {0}


@pytest.mark.parametrize("name, options", SMALL)
def test_the_seed_decides_and_the_global_generators_stay(name, options):
    torch.manual_seed(3)
    numpy_state = np.random.get_state()[1].copy()                                      # noqa: NPY002
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, same, other = (data.load(name, seed=seed, **options) for seed in (0, 0, 1))
    assert torch.rand(2).equal(expected)
    assert (np.random.get_state()[1] == numpy_state).all()                             # noqa: NPY002
    assert first.sha256() == same.sha256() != other.sha256()


@pytest.mark.parametrize("name, options", SMALL)
def test_the_card_states_the_size(name, options):
    dataset = data.load(name, **options)
    assert dataset.card.size.startswith(" / ".join(f"{len(split):,}" for split in dataset.splits().values()))
    for split in dataset.splits().values():
        assert split.x.dtype == torch.float32
        if dataset.classes is not None:
            assert split.y.dtype == torch.int64 and set(split.y.tolist()) == set(range(len(dataset.classes)))


def test_line_is_the_line_it_says():
    dataset = data.load("line", slope=3.0, intercept=-1.0, noise=0.5, num_examples=5000)
    x, y = dataset.train.x, dataset.train.y
    assert x.shape == y.shape == (3000, 1)
    assert 0 <= x.min() and x.max() <= 10
    slope, intercept = np.polyfit(x[:, 0].numpy(), y[:, 0].numpy(), 1)
    assert slope == pytest.approx(3.0, abs=0.02) and intercept == pytest.approx(-1.0, abs=0.1)
    assert (y - 3 * x + 1).std().item() == pytest.approx(0.5, abs=0.03)
    assert len(data.load("line").train) == 60
    exact = data.load("line", noise=0.0).test
    assert torch.allclose(exact.y, 2 * exact.x)


@pytest.mark.parametrize("options, message", [
    ({"num_examples": 5}, "num_examples must be at least 10, found 5"),
    ({"noise": -1}, "cannot be negative, found -1"),
    ({"noise": float("nan")}, "cannot be negative, found nan")])
def test_line_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("line", **options)


@pytest.mark.parametrize("name, bunch, scale", [
    ("digits", load_digits, 16), ("breast_cancer", load_breast_cancer, None), ("wine", load_wine, None)])
def test_scikit_learn_sets_are_complete(name, bunch, scale):
    original = bunch()
    dataset = data.load(name) if scale else data.load(name, standardise=False)
    splits = dataset.splits().values()
    x = torch.cat([split.x for split in splits]).double().numpy() * (scale or 1)
    y = torch.cat([split.y for split in splits]).numpy()
    found = sorted(map(tuple, np.column_stack([x, y]).round(3)))
    expected = sorted(map(tuple, np.column_stack([original.data.astype(np.float32), original.target]).round(3)))
    assert np.allclose(found, expected, rtol=1e-5, atol=2e-3)
    assert len(dataset.classes) == len(original.target_names)


def test_scaling_is_fitted_on_the_training_split_alone():
    dataset = data.load("breast_cancer")
    assert dataset.train.x.mean(dim=0).abs().max() < 1e-5
    assert (dataset.train.x.std(dim=0) - 1).abs().max() < 1e-5
    assert dataset.test.x.mean(dim=0).abs().max() > 0.01


def test_digits_as_pictures():
    flat, square = data.load("digits"), data.load("digits", flat=False)
    assert square.train.x.shape[1:] == (1, 8, 8)
    assert square.train.x.flatten(1).equal(flat.train.x)
    assert 0 <= flat.train.x.min() and flat.train.x.max() == 1


def test_glyphs_shapes_and_balance():
    dataset = data.load("glyphs")
    assert [len(split) for split in dataset.splits().values()] == [4200, 900, 900]
    assert dataset.train.x.shape == (4200, 784) and dataset.classes == list("0123456789")
    assert 0 <= dataset.train.x.min() and dataset.train.x.max() <= 1
    for split in dataset.splits().values():
        counts = split.y.bincount()
        assert counts.max() - counts.min() <= 1
    letters = data.load("glyphs", classes="ABc", size=16, flat=False, num_examples=200)
    assert letters.train.x.shape == (140, 1, 16, 16) and letters.classes == ["A", "B", "c"]


def test_glyphs_can_be_learned_by_a_line_but_leave_room():
    dataset = data.load("glyphs")
    model = LogisticRegression(C=0.03, max_iter=200).fit(dataset.train.x, dataset.train.y)
    assert 0.85 <= model.score(dataset.test.x, dataset.test.y) <= 0.96


def test_each_family_of_typefaces_is_in_each_split():
    from helpers.data import glyphs
    pictures, labels, names = glyphs._drawings(tuple("0123456789"))
    rows, numbers = glyphs._deal(labels, names, seed=0)
    assert len(pictures) == len(glyphs.TYPEFACES) * 10
    for part in rows:
        for label in range(10):
            families = {next(f for f in glyphs.FAMILIES if names[i].startswith(f)) for i in part if labels[i] == label}
            assert families == set(glyphs.FAMILIES)
    owners = [set(numbers[part]) for part in rows]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]


@pytest.mark.parametrize("options, message", [
    ({"classes": "A"}, "at least two different characters, found 'A'"),
    ({"classes": "AAB"}, "at least two different characters, found 'AAB'"),
    ({"classes": "Aé"}, "Latin letters and digits, one character a class; found 'é'"),
    ({"classes": ["A", "BC"]}, "found 'BC'"),
    ({"size": 4}, r"size must lie in 8 … 64 pixels, found 4"),
    ({"num_examples": 100}, r"at least 20 a class \(200\), found 100")])
def test_glyphs_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("glyphs", **options)


@pytest.mark.parametrize("name", ["moons", "spiral"])
def test_the_plane_is_centred_half_and_half_and_no_line_separates_it(name):
    for seed in range(3):
        found = data.load(name, noise=0.0, num_examples=2000, seed=seed)
        x, y = found.train.x, found.train.y
        assert x.mean(dim=0).abs().max() < 0.1 and 0.45 < y.float().mean() < 0.55
        assert LogisticRegression(C=1e3).fit(x, y).score(x, y) < 0.92
        nearest = torch.cdist(found.test.x, x).argmin(dim=1)  # without noise all are told
        assert (y[nearest] == found.test.y).all()


@pytest.mark.parametrize("name, options, message", [
    ("moons", {"num_examples": 9}, "at least 10, found 9"), ("spiral", {"noise": -1.0}, "negative, found -1.0"),
    ("spiral", {"turns": 0}, "turns must be above 0, found 0")])
def test_the_plane_refuses(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **options)
