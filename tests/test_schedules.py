"""Schedules equal their formulas; unknown names and shares out of range get one clear sentence."""

import math
from functools import partial

import pytest
import torch

from helpers import data, models, training
from helpers.explorers.overfitting import Overfitting
from helpers.explorers.rates import RateSchedule
from helpers.training import schedules


def test_schedules():
    assert [schedules.constant(step, 10) for step in (0, 9)] == [1.0, 1.0]
    assert [schedules.step(step, 9) for step in range(9)] == pytest.approx([1.0] * 3 + [0.1] * 3 + [0.01] * 3)
    assert [schedules.cosine(step, 8) for step in (0, 4, 8)] == pytest.approx([1.0, 0.5, 0.0])
    assert schedules.cosine(3, 8, floor=0.1) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 3 / 8)) / 2)
    warm = [schedules.warmup_cosine(step, 100, warmup=0.1) for step in range(100)]
    assert warm[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert warm[10:] == sorted(warm[10:], reverse=True) and warm[10] == 1.0
    assert all(0 <= value <= 1 for value in warm)


def test_warmup_stable_decay():
    values = [schedules.wsd(step, 100, warmup=0.1, decay=0.2) for step in range(120)]
    assert values[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert values[9:81] == [1.0] * 72
    assert values[80:101] == pytest.approx([1 - step / 20 for step in range(21)])
    assert values[100:] == [0.0] * 20  # beyond the plan
    assert schedules.wsd(90, 100, decay=0.2, floor=0.2) == pytest.approx(0.6)
    longer = [schedules.wsd(step, 200, warmup=0.05, decay=0.1) for step in range(80)]
    assert longer == values[:80]  # the trunk does not know the length of the run


def test_torch_has_the_same_cosine():
    weight = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([weight], lr=0.3)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=40, eta_min=0.03)
    for step in range(40):
        assert optimiser.param_groups[0]["lr"] == pytest.approx(0.3 * schedules.cosine(step, 40, floor=0.1))
        optimiser.step()
        theirs.step()


@pytest.mark.parametrize("name", schedules.NAMED)
def test_every_schedule_trains(name):
    line = data.load("line")
    made = list(training.steps(models.Linear(1), line.train, lr=0.01, epochs=10, optimiser="sgd", schedule=name))
    rates = [0.01 * schedules.NAMED[name](step, len(made)) for step in range(len(made))]
    assert [step.lr for step in made] == pytest.approx(rates)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cosin", "unknown schedule 'cosin': did you mean 'cosine'. Known are constant, step, cosine"),
        ("warmup-cosine", "did you mean 'warmup_cosine'"),
        ("WSD", "unknown schedule 'WSD': did you mean 'wsd'"),
        ("linear", "unknown schedule 'linear': use one of constant, step, cosine, warmup_cosine, wsd, or a function"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        schedules.named(name)
    assert schedules.named("cosine") is schedules.cosine
    assert schedules.named(schedules.step) is schedules.step


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (schedules.warmup_cosine, {"warmup": 1.0}, r"warmup is a share of the run and lies in \[0, 1\), got 1.0"),
        (schedules.warmup_cosine, {"warmup": 100}, "warmup is a share of the run .* got 100"),
        (schedules.wsd, {"warmup": -0.1}, "warmup is a share of the run .* got -0.1"),
        (schedules.wsd, {"decay": 2000}, "decay is a share of the run .* got 2000"),
        (schedules.wsd, {"warmup": 0.6, "decay": 0.7}, "their sum is at most 1, got 0.6 \\+ 0.7"),
    ],
)
def test_shares_out_of_range(schedule, options, message):
    with pytest.raises(ValueError, match=message):
        schedule(0, 100, **options)
    with pytest.raises(ValueError, match=message):
        line = data.load("line")
        list(training.steps(models.Linear(1), line.train, lr=0.01, schedule=partial(schedule, **options)))


def test_dropout_of_a_network():
    x = torch.ones(500, 4)
    model = models.MLP(4, [64], 2, dropout=0.5, seed=0)
    plain = models.MLP(4, [64], 2, seed=0)
    assert torch.equal(model.eval()(x), plain(x)) and not torch.equal(model.train()(x), plain(x))
    torch.manual_seed(0)
    mean = model.train()(torch.ones(20_000, 4)).mean(0)
    assert torch.allclose(mean, plain(x[:1])[0], atol=0.02)
    for wrong in (1.0, -0.1, 50, "half", True):
        with pytest.raises(ValueError, match=r"dropout is the probability of dropping a value .* \[0, 1\), got"):
            models.MLP(4, [8], 2, dropout=wrong)


def test_explorers():
    found = RateSchedule.compute("cosine", 0.05, 0.1, 0.0, 200, 100)
    assert len(found["values"]) == 100 and found["last"] == schedules.cosine(99, 200)
    assert found["worth"] == pytest.approx(sum(found["values"])) and found["worth"] > 50
    with pytest.raises(ValueError, match="unknown schedule 'cosin'"):
        RateSchedule("cosin")
    values = torch.rand(2, 3, 2, 5).numpy()
    state = Overfitting(["a", "b"], [1, 2, 3], [4, 8], values, values).state
    assert state["train"][1][2][0][4] == pytest.approx(values[1, 2, 0, 4], abs=1e-3)
    with pytest.raises(ValueError, match=r"Overfitting takes validation accuracies \[2, 3, 2, epochs \+ 1\], found"):
        Overfitting(["a", "b"], [1, 2, 3], [4, 8], values, values[0])
