"""Three small real data sets that come with scikit-learn: digits, breast_cancer, wine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from helpers.data.base import Card, Dataset, Split, split_indices

DIGITS = Card(
    name="digits", title="Handwritten digits, 8 × 8 pixels",
    origin="43 people at Boğaziçi University, collected 1996 to 1998; the test part of the UCI set "
           "“Optical Recognition of Handwritten Digits”, as bundled with scikit-learn",
    licence="CC BY 4.0 (UCI); shipped in the BSD-licensed scikit-learn",
    size="1,797 images of 64 pixels, 10 classes", real="real",
    limits="very small pictures, centred and scaled; the writers are not named, so one hand may be in two splits")
BREAST_CANCER = Card(
    name="breast_cancer", title="Wisconsin diagnostic breast cancer",
    origin="W. H. Wolberg, W. N. Street and O. L. Mangasarian, University of Wisconsin, 1995; UCI, "
           "as bundled with scikit-learn",
    licence="CC BY 4.0 (UCI); shipped in the BSD-licensed scikit-learn",
    size="569 samples of 30 measurements, 2 classes", real="real",
    limits="one hospital, 1990s images, measurements of cell nuclei and not of patients; never for a diagnosis")
WINE = Card(
    name="wine", title="Wine recognition",
    origin="M. Forina and others, Institute of Pharmaceutical and Food Analysis, Genoa, 1991; UCI, "
           "as bundled with scikit-learn",
    licence="CC BY 4.0 (UCI); shipped in the BSD-licensed scikit-learn",
    size="178 samples of 13 measurements, 3 classes", real="real",
    limits="three growers from one region; so easy and so small that a test score moves by 4 % for one bottle")


def _dataset(bunch: Any, card: Card, seed: int, scale: float | None, standardise: bool) -> Dataset:
    x = np.asarray(bunch.data, dtype=np.float32)
    y = torch.tensor(bunch.target, dtype=torch.int64)
    groups = np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)       # equal rows stay together
    rows = split_indices(groups, labels=y.numpy(), seed=seed)
    inputs = torch.tensor(x if scale is None else x / scale)
    if standardise:
        train = inputs[torch.tensor(rows[0])]
        inputs = (inputs - train.mean(dim=0)) / train.std(dim=0).clamp_min(1e-8)
    numbers = torch.tensor(groups)
    parts = [Split(inputs[index], y[index], numbers[index]) for index in map(torch.tensor, rows)]
    sizes = " / ".join(f"{len(part):,}" for part in parts)
    classes = [str(name) for name in bunch.target_names]
    size = f"{sizes} examples of {x.shape[1]} numbers, {len(classes)} classes"
    return Dataset(*parts, replace(card, size=size), classes)


def digits(*, flat: bool = True, seed: int = 0) -> Dataset:
    """Load handwritten digits, split 70 / 15 / 15 class by class.

    Arguments:
        flat: x of shape [n, 64]; otherwise [n, 1, 8, 8]. Values in [0, 1].
    """
    from sklearn.datasets import load_digits
    dataset = _dataset(load_digits(), DIGITS, seed, 16.0, False)
    if flat:
        return dataset
    parts = [Split(split.x.reshape(-1, 1, 8, 8), split.y, split.groups) for split in dataset.splits().values()]
    return Dataset(*parts, dataset.card, dataset.classes)


def breast_cancer(*, standardise: bool = True, seed: int = 0) -> Dataset:
    """Load 30 measurements of cell nuclei, split 70 / 15 / 15 class by class; class 0 is malignant, class 1 benign.

    Arguments:
        standardise: shift and scale each column by the training split's mean and standard deviation.
    """
    from sklearn.datasets import load_breast_cancer
    return _dataset(load_breast_cancer(), BREAST_CANCER, seed, None, standardise)


def wine(*, standardise: bool = True, seed: int = 0) -> Dataset:
    """Load 13 measurements of wines from three growers, split 70 / 15 / 15 class by class.

    Arguments:
        standardise: shift and scale each column by the training split's mean and standard deviation.
    """
    from sklearn.datasets import load_wine
    return _dataset(load_wine(), WINE, seed, None, standardise)
