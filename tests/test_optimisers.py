"""The readable optimisers equal torch's step by step, Muon gets the hidden matrices."""

import pytest
import torch

from helpers import data, models, training
from helpers.training import checkpoints, muon, optimisers

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


@pytest.mark.parametrize("name", [name for name in optimisers.NAMES if name != "muon"])
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
        (("adan", 0.1, {}), r"unknown optimiser 'adan': did you mean 'adam'( or 'adamw')?"),
        (("SLOW", 0.1, {}), "unknown optimiser 'SLOW': use one of sgd, momentum, nesterov, rmsprop, adam, adamw, muon"),
        (("muon", 0.1, {}), "which weights are hidden matrices, and got bare parameters: pass muon.split"),
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


def matrices():
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(shape, generator=generator) for shape in ((12, 12), (6, 20), (20, 6), (12, 12))]


def descend(tensors, optimiser, num_steps=20):
    """Steps on a smooth loss of several matrices."""
    for _ in range(num_steps):
        optimiser.zero_grad()
        a, b, c, d = tensors
        ((a @ d).sin().sum() + (b @ c).square().mean() + (a - 1).pow(4).mean()).backward()
        optimiser.step()
    return [tensor.detach() for tensor in tensors]


def test_muon_to_read_and_fast_muon_equal_torchs_within_bfloat16():
    ours, fast, theirs = ([tensor.clone().requires_grad_() for tensor in matrices()] for _ in range(3))
    options = {"lr": 0.02, "weight_decay": 0.1}
    reference = descend(theirs, torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **options))
    for tensors, optimiser in (
        (ours, optimisers.Muon(ours, **options)),
        (fast, optimisers.make("muon", [{"params": fast, "muon": True}], **options)),
    ):
        for start, found, expected in zip(matrices(), descend(tensors, optimiser), reference, strict=True):
            assert (found - expected).norm() <= 0.03 * (expected - start).norm()
    for a, b in zip(ours, fast, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_orthogonalise():
    singular = torch.linspace(0.01, 1, 40, dtype=torch.float64)
    turned, _ = torch.linalg.qr(torch.randn(40, 40, generator=torch.Generator().manual_seed(0)).double())
    matrix = turned @ torch.diag(singular / singular.norm())
    found = torch.linalg.svdvals(optimisers.orthogonalise(matrix))
    x = singular / singular.norm()
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    assert torch.allclose(found.sort().values, x.sort().values, atol=1e-9)
    assert 0.68 <= x[singular / singular.norm() >= 0.01].min() and x.max() <= 1.13
    together = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(1))
    one_by_one = torch.stack([optimisers.orthogonalise(one) for one in together])
    assert torch.allclose(muon.orthogonalise(together, torch.float32), one_by_one, atol=1e-4)
    assert muon.orthogonalise(torch.zeros(4, 4)).abs().max() == 0


def names_for_muon(model):
    hidden = {id(p) for group in muon.split(model) if group["muon"] for p in group["params"]}
    return [name for name, parameter in model.named_parameters() if id(parameter) in hidden]


def test_split_takes_hidden_matrices_only():
    assert names_for_muon(models.MLP(5, [8, 7], 3)) == ["layers.0.weight", "layers.2.weight"]
    assert names_for_muon(models.Linear(3)) == []
    convolutional = models.CNN(1, [4], 3, image_size=8, hidden=6)
    assert [convolutional.get_parameter(name).shape[0] for name in names_for_muon(convolutional)] == [6]
    for tied in (True, False):
        decoder = models.Decoder(11, 8, tied=tied, num_layers=1, d_model=16, num_heads=2)
        names = names_for_muon(decoder)
        assert names and all(name.startswith("stack.blocks.0.") for name in names)
        split = muon.split(decoder)
        assert sum(p.numel() for group in split for p in group["params"]) == models.count(decoder)
    frozen = models.MLP(5, [8], 3).requires_grad_(False)
    assert muon.split(frozen) == []


def test_the_rest_is_adamw_and_no_matrix_is_refused():
    ours, theirs = models.MLP(5, [8], 3), models.MLP(5, [8], 3)
    fast = optimisers.make("muon", ours, 0.01, weight_decay=0.1)
    reference = optimisers.make("adamw", theirs, 0.01, weight_decay=0.1)
    for _ in range(3):
        for model, optimiser in ((ours, fast), (theirs, reference)):
            optimiser.zero_grad()
            sum((p**3).sum() + p.sum() for p in model.parameters()).backward()
            optimiser.step()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b) == (name != "layers.0.weight")
    with pytest.raises(ValueError, match=r"muon works on matrices, got a parameter of shape \[3\]: put it into"):
        muon.Muon([{"params": [torch.zeros(3, requires_grad=True)], "muon": True}], 0.1)
    with pytest.raises(ValueError, match=r"muon works on matrices, got a parameter of shape \[2, 3, 4\]: give it"):
        optimisers.Muon([torch.zeros(2, 3, 4, requires_grad=True)], 0.1)


def test_fit_with_muon_learns_and_resumes_to_the_same_numbers(tmp_path):
    digits, options = data.load("digits"), {"lr": 0.005, "optimiser": "muon", "weight_decay": 0.01}
    make = lambda: models.MLP(64, [24, 24], 10, seed=1)  # noqa: E731
    whole = training.fit(make(), digits, epochs=4, **options)
    path = tmp_path / "run.safetensors"
    training.fit(make(), digits, epochs=2, checkpoint=path, **options)
    assert "velocity" in checkpoints.load(path).optimiser[0]
    again = training.fit(make(), digits, epochs=4, checkpoint=path, resume=True, **options)
    assert [row["train_loss"] for row in again.history] == [row["train_loss"] for row in whole.history]
    assert whole.history[-1]["validation_accuracy"] > 0.8
