"""Augmentation: what is turned, scaled and mirrored, and that a seed repeats it."""

import pytest
import torch
import torch.nn.functional as F
from clouds import weights

from helpers import models, training
from helpers.data import Split
from helpers.training import augment


def test_augmentation_turns_scales_and_mirrors():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 2, 9, 9, generator=generator)
    assert torch.allclose(augment.warp(x, torch.zeros(6), torch.ones(6)), x, atol=1e-5)
    assert torch.allclose(augment.warp(x, torch.full((6,), 90.0), torch.ones(6)), x.rot90(1, (2, 3)), atol=1e-4)
    large = augment.warp(x, torch.zeros(6), torch.full((6,), 3.0))
    assert torch.allclose(large[..., 4, 4], x[..., 4, 4], atol=1e-5)
    assert torch.allclose(large[..., 1::3, 1::3], x[..., 3:6, 3:6], atol=1e-4)  # the middle third fills the picture
    mirrored = augment.flip(x, generator)
    same = [torch.equal(a, b) for a, b in zip(mirrored, x, strict=True)]
    assert all(s or torch.equal(a, b.flip(-1)) for s, a, b in zip(same, mirrored, x, strict=True))
    assert 0 < sum(same) < 6
    turned = augment.quarter_turn(x, generator)
    found = [[torch.equal(b, a.rot90(k, (1, 2))) for k in range(4)] for a, b in zip(x, turned, strict=True)]
    assert all(map(any, found)) and len({row.index(True) for row in found}) > 1
    exact = augment.Augmentation(flip=False, degrees=0, scale=(1.0, 1.0), quarter_turns=True)
    a, b = (function(x, torch.Generator().manual_seed(1)) for function in (exact, augment.quarter_turn))
    assert torch.equal(a, b)
    for function in (augment.rotate, augment.scale, augment.quarter_turn, augment.Augmentation()):
        a, b = (function(x, torch.Generator().manual_seed(1)) for _ in range(2))
        assert a.shape == x.shape and torch.equal(a, b) and not torch.allclose(a, x)


def test_mirror_turn_and_scale_are_one_map():
    """Equal to mirroring first and to torch's own grid, also over the border between two chunks."""
    x = torch.rand(40, 2, 90, 130, generator=torch.Generator().manual_seed(0))
    assert 1 < augment._IN_CACHE // (90 * 130) < len(x)
    both = augment.Augmentation()(x, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    mirrored = augment.flip(x, generator)
    degrees = augment._uniform(len(x), -15.0, 15.0, generator, x)
    factor = augment._uniform(len(x), 0.9, 1.1, generator, x)
    assert torch.allclose(both, augment.warp(mirrored, degrees, factor), atol=1e-4)
    cos, sin = (function(degrees * torch.pi / 180) / factor for function in (torch.cos, torch.sin))
    rows = torch.stack([cos, -sin * 90 / 130, 0 * cos, sin * 130 / 90, cos, 0 * cos], dim=-1).view(-1, 2, 3)
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    expected = F.grid_sample(mirrored, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(both, expected, atol=1e-4)
    assert augment.warp(x.double(), degrees, factor).dtype is torch.float64


def test_pil_makes_the_same_images():
    from benchmarks import augmentation

    for task in augmentation.TASKS:
        assert augmentation.difference(task) <= augmentation.SAME


def test_augmentation_in_training_repeats():
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    split = Split(x, (x.mean((1, 2, 3)) > x.mean()).long())
    runs = []
    for noise in (augment.Augmentation(), augment.Augmentation(), None):
        model = models.CNN(1, [4], 2, image_size=8)
        list(training.steps(model, split, lr=0.01, epochs=2, augment=noise))
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_bad_augmentation():
    with pytest.raises(ValueError, match=r"augmentation needs images \[n, channels, height, width\], got \[4, 5\]"):
        augment.flip(torch.zeros(4, 5), torch.Generator())
    with pytest.raises(ValueError, match="scale needs 0 < low ≤ high"):
        augment.Augmentation(scale=(1.2, 0.8))
    with pytest.raises(ValueError, match="quarter turns need square images, got 4×5 pixels"):
        augment.quarter_turn(torch.zeros(2, 1, 4, 5), torch.Generator())
