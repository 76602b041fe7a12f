"""The readable optimisers equal torch's step by step; schedules equal their formulas."""

import math

import pytest
import torch

from helpers.training import optimisers, schedules

PAIRS = {
    "sgd": (lambda p: optimisers.SGD(p, 0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "momentum": (lambda p: optimisers.Momentum(p, 0.05, 0.9), lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9)),
    "nesterov": (
        lambda p: optimisers.Momentum(p, 0.05, 0.8, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
    ),
    "rmsprop": (lambda p: optimisers.RMSprop(p, 0.01), lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "adam": (lambda p: optimisers.Adam(p, 0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    "adamw": (
        lambda p: optimisers.AdamW(p, 0.01, weight_decay=0.2),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.2),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_teaching_version_equals_torch_in_float64(name):
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in (3, (2, 4))]
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in start] for _ in range(2))
    mine, reference = (make(tensors) for make, tensors in zip(PAIRS[name], (ours, theirs), strict=True))
    for _ in range(50):
        for tensors, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            loss = (tensors[0] ** 4).sum() + (tensors[1].sin() * tensors[0][0]).sum()
            loss.backward()
            optimiser.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_adam_with_l2_in_the_gradient_is_not_adamw():
    a, b = (torch.ones(3).requires_grad_() for _ in range(2))
    for tensor, kind in ((a, "adam"), (b, "adamw")):
        optimiser = optimisers.make(kind, [tensor], 0.1, weight_decay=0.5)
        (tensor * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
        optimiser.step()
    assert not torch.allclose(a, b)


@pytest.mark.parametrize("name", optimisers.NAMES)
def test_make_returns_torchs_own(name):
    made = optimisers.make(name, [torch.zeros(2, requires_grad=True)], 0.1, momentum=0.7)
    group = made.param_groups[0]
    assert group["lr"] == 0.1 and group["weight_decay"] == 0
    if name != "rmsprop":
        assert group["fused"]
    if name in ("sgd", "momentum", "nesterov"):
        assert group["momentum"] == (0.0 if name == "sgd" else 0.7)
        assert group["nesterov"] == (name == "nesterov")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adan", 0.1, {}), "unknown optimiser 'adan': use one of sgd, momentum"),
        (("sgd", 0.0, {}), "learning rate lr must be a finite number above 0, got 0.0"),
        (("sgd", float("nan"), {}), "above 0, got nan"),
        (("sgd", "fast", {}), "above 0, got 'fast'"),
        (("sgd", 0.1, {"weight_decay": -1.0}), "weight_decay must be at least 0, got -1.0"),
        (("momentum", 0.1, {"momentum": 1.0}), r"momentum must lie in \[0, 1\), got 1.0"),
    ],
)
def test_bad_options(arguments, message):
    name, lr, options = arguments
    with pytest.raises(ValueError, match=message):
        optimisers.make(name, [torch.zeros(2, requires_grad=True)], lr, **options)


def test_schedules():
    assert [schedules.constant(step, 10) for step in (0, 9)] == [1.0, 1.0]
    assert [schedules.step(step, 9) for step in range(9)] == pytest.approx([1.0] * 3 + [0.1] * 3 + [0.01] * 3)
    assert [schedules.cosine(step, 8) for step in (0, 4, 8)] == pytest.approx([1.0, 0.5, 0.0])
    assert schedules.cosine(3, 8, floor=0.1) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 3 / 8)) / 2)
    warm = [schedules.warmup_cosine(step, 100, warmup=0.1) for step in range(100)]
    assert warm[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert warm[10:] == sorted(warm[10:], reverse=True) and warm[10] == 1.0
    assert all(0 <= value <= 1 for value in warm)


def test_named_schedule():
    assert schedules.named("cosine") is schedules.cosine
    assert schedules.named(schedules.step) is schedules.step
    with pytest.raises(ValueError, match="unknown schedule 'cosin': use one of constant, step, cosine"):
        schedules.named("cosin")
