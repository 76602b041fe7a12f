import numpy as np
import pytest
import torch

from helpers import data
from helpers.data.base import Card, Dataset, Split, TensorBatches, leaks, split_indices

CARD = Card("toy", "A toy", "made here", "MIT", "small", "simulated", "it is a toy")


def toy(n=10, offset=0.0):
    x = torch.arange(n, dtype=torch.float32)[:, None] + offset
    return Split(x, (x[:, 0] % 2).long())


def test_split_length_take_and_device():
    split = toy()
    assert len(split) == 10
    assert split.take(3).x.flatten().tolist() == [0, 1, 2]
    assert split.to("cpu").y.equal(split.y)
    with pytest.raises(ValueError, match="needs 1 ≤ n ≤ 10, found 11"):
        split.take(11)
    with pytest.raises(ValueError, match=r"same number of examples, found shapes \(3, 1\) and \(2,\)"):
        Split(torch.zeros(3, 1), torch.zeros(2))


def test_a_dataset_refuses_what_no_model_can_learn_from():
    good = toy()
    with pytest.raises(ValueError, match="test.x holds NaN or infinite .* 1 of 10 examples, first in example 4"):
        bad = toy()
        bad.x[4] = torch.nan
        Dataset(good, good, bad, CARD, ["even", "odd"])
    with pytest.raises(ValueError, match=r"validation.y must lie in 0 … 1, found 7 in example 2 \(1 of 10"):
        bad = toy()
        bad.y[2] = 7
        Dataset(good, bad, good, CARD, ["even", "odd"])
    with pytest.raises(ValueError, match="the train split holds no examples"):
        Dataset(Split(torch.zeros(0, 1), torch.zeros(0)), good, good, CARD)


def test_batches_cover_each_example_once_and_change_their_order():
    batches = TensorBatches(toy(), 4)
    first = [x.flatten().tolist() for x, _ in batches]
    second = [x.flatten().tolist() for x, _ in batches]
    assert len(batches) == 3 and [len(b) for b in first] == [4, 4, 2]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(10))
    assert first != second
    again = TensorBatches(toy(), 4)
    assert [x.flatten().tolist() for x, _ in again] == first
    assert [x.flatten().tolist() for x, _ in TensorBatches(toy(), 4, seed=1)] != first
    resumed = TensorBatches(toy(), 4)
    resumed.epoch = 1
    assert [x.flatten().tolist() for x, _ in resumed] == second


def test_batches_keep_x_and_y_together_and_may_drop_the_last():
    for x, y in TensorBatches(toy(), 3):
        assert (x[:, 0] % 2).long().equal(y)
    dropped = TensorBatches(toy(), 4, drop_last=True, shuffle=False)
    assert len(dropped) == 2
    assert [x.flatten().tolist() for x, _ in dropped] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_batches_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(TensorBatches(toy(), 4))
    assert torch.rand(3).equal(expected)


@pytest.mark.parametrize("size, options, message", [
    (0, {}, "at least 1, got 0"), (2.5, {}, "at least 1, got 2.5"),
    (11, {"drop_last": True}, "10 examples give no batch of 11")])
def test_bad_batch_sizes(size, options, message):
    with pytest.raises(ValueError, match=message):
        TensorBatches(toy(), size, **options)


def test_groups_stay_together_and_shares_are_kept():
    groups = np.repeat(np.arange(60), np.random.default_rng(0).integers(1, 6, 60))
    labels = groups % 3
    parts = split_indices(groups, labels=labels, seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    owners = [set(groups[part].tolist()) for part in parts]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]
    for label in range(3):
        counts = np.array([(labels[part] == label).sum() for part in parts])
        assert np.abs(counts / counts.sum() - [0.7, 0.15, 0.15]).max() < 0.06
    assert all((a == b).all() for a, b in zip(parts, split_indices(groups, labels=labels, seed=0)))
    assert not (split_indices(groups, labels=labels, seed=1)[2][:5] == parts[2][:5]).all()


@pytest.mark.parametrize("groups, options, message", [
    ([0, 0, 1, 1], {}, "at least 3 groups, found 2"),
    (list(range(9)), {"labels": np.array([0] * 7 + [1] * 2)}, "at least 3 groups, found 2 in class 1"),
    (list(range(9)), {"fractions": (0.5, 0.2, 0.2)}, r"sum to 1, found \(0.5, 0.2, 0.2\)")])
def test_impossible_splits(groups, options, message):
    with pytest.raises(ValueError, match=message):
        split_indices(groups, **options)


def test_leaks_are_counted():
    clean = Dataset(toy(), toy(offset=100), toy(offset=200), CARD)
    assert set(leaks(clean).values()) == {0}
    leaking = Dataset(toy(), toy(offset=8), toy(offset=200), CARD)
    assert leaks(leaking)["copies train-validation"] == 2
    one_group = [Split(s.x, s.y, torch.zeros(10)) for s in (toy(), toy(offset=100), toy(offset=200))]
    assert leaks(Dataset(*one_group, CARD))["groups train-test"] == 1


def test_the_fingerprint_follows_the_numbers():
    one, same = (Dataset(toy(), toy(offset=100), toy(offset=200), CARD) for _ in range(2))
    other = Dataset(toy(), toy(offset=100), toy(offset=200.5), CARD)
    assert one.sha256() == same.sha256() != other.sha256()
    assert len(one.to("cpu").sha256()) == 64


def test_unknown_names_offer_near_matches():
    with pytest.raises(ValueError, match="no data set is called 'glyph': did you mean 'glyphs'?"):
        data.load("glyph")
    with pytest.raises(ValueError, match="no data set is called 'qqq': there are breast_cancer, digits"):
        data.card("qqq")


@pytest.mark.parametrize("name", data.names())
def test_every_card_is_complete(name):
    card = data.card(name)
    assert card.name == name
    for field in (card.title, card.origin, card.licence, card.size, card.limits):
        assert len(field) >= 3
    assert card.real in ("real", "simulated", "rendered from real typefaces")
    shown = card._repr_markdown_()
    assert card.origin in shown and shown.count("\n|") == 8
