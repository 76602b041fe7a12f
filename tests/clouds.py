"""A small classification set for the tests of training, and the weights of a model in one row."""

from types import SimpleNamespace

import torch

from helpers.data import Dataset, Split


def blobs(num=300, num_classes=3, num_inputs=5, seed=0):
    """Three clouds, as a data set."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(num_classes, (num,), generator=generator)
    centres = 2 * torch.randn(num_classes, num_inputs, generator=generator)
    x = centres[y] + torch.randn(num, num_inputs, generator=generator)
    a, b = num * 3 // 5, num * 4 // 5
    card = SimpleNamespace(name="blobs")
    return Dataset(Split(x[:a], y[:a]), Split(x[a:b], y[a:b]), Split(x[b:], y[b:]), card, list("abc"))


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
