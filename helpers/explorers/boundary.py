"""Width × learning rate × epoch: the decision of a network with one hidden layer, and the fold of each of its units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .base import Explorer, numbers, pack_float16

EDGE = 1.1  # the frame reaches this many times as far as the farthest coordinate
WORDS = {
    "width": "hidden units", "rate": "learning rate", "epoch": "epoch", "folds": "show where each unit folds",
    "plane": "The plane as the network sees it", "map": "Validation accuracy",
    "loss": "Loss over the epochs", "loss_axis": "loss (log scale)", "training": "training",
    "validation": "validation", "fold": "fold",
    "x1": "x₁", "x2": "x₂", "all": "100 %", "lost": "diverged",
    "status": "{width} hidden units, learning rate {rate}, epoch {epoch}: training loss {loss}, "
              "validation accuracy {accuracy}. {off} of {width} units are off at every point.",
    "status_lost": "{width} hidden units, learning rate {rate}, epoch {epoch}: diverged.",
}


class Boundary(Explorer):
    """Recorded networks with two inputs, one hidden ReLU layer and one logit; the page computes their decisions.

    Args:
        sweeps: width → result of ``training.sweep`` with keep_parameters=True, over ``models.MLP(2, [width], 1)``; the
            same learning rates and number of epochs in each, one seed.
        dataset: data set with two inputs and two classes; its training points are drawn.
        epochs: epochs that are kept; default: about 24, closer together at the start.
        width, lr, epoch: setting shown first.
        live: `Live(...)` for training in JupyterLab; make_model may take ``width``.

    Raises:
        ValueError: no sweeps, sweeps that do not belong together, kept no parameters, or are of another shape.

    Derived in: book/algorithms/multilayer_perceptron.
    """

    module = "boundary"

    def __init__(
        self, sweeps: Mapping[int, Any], dataset: Any, *, epochs: Sequence[int] | None = None,
        width: int | None = None, lr: float | None = None, epoch: int | None = None,
        hint: str = "Add hidden units one by one. Then change the learning rate.", id: str | None = None,
        live: Any = None,
    ) -> None:
        if not sweeps:
            raise ValueError("Boundary needs at least one sweep: {width: training.sweep(...)}, found none.")
        widths = sorted(sweeps)
        first = sweeps[widths[0]]
        lrs, last = [float(rate) for rate in first.lrs], first.train_loss.shape[1] - 1
        kept = _snapshots(last) if epochs is None else sorted({int(e) for e in epochs})
        if kept[0] < 0 or kept[-1] > last:
            raise ValueError(f"epochs= must lie in 0 … {last}, found {kept[0]} … {kept[-1]}.")
        packed, train, validation, accuracy = [], [], [], []
        for one in widths:
            weights, finite = _weights(sweeps[one], one, lrs, last, kept)
            packed.append(weights)
            for rows, name in ((train, "train_loss"), (validation, "validation_loss"),
                               (accuracy, "validation_accuracy")):
                found = np.asarray(getattr(sweeps[one], name), dtype=np.float64)[:, kept]
                rows.append(numbers(np.where(finite, found, np.nan), 3))
        x = np.asarray(dataset.train.x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != 2:
            raise ValueError(f"Boundary draws two inputs, found x of shape {x.shape}.")
        edge = float(f"{EDGE * np.abs(x).max():.2g}")
        super().__init__({
            "title": "Hidden units, learning rate, epochs", "hint": hint, "words": WORDS, "view": "boundary",
            "widths": widths, "lrs": numbers(lrs, 4), "epochs": kept, "edge": edge,
            "x": numbers(x[:, 0], 3), "y": numbers(x[:, 1], 3), "label": np.asarray(dataset.train.y).tolist(),
            "train": train, "validation": validation, "accuracy": accuracy,
            "weights": [pack_float16(weights) for weights in packed],
            "start": {"width": width or widths[-1], "lr": lr or lrs[len(lrs) // 2],
                      "epoch": kept[-1] if epoch is None else epoch},
            "source": f"{len(widths) * len(lrs)} recorded runs, seed {list(first.seeds)[0]}; the page computes their "
                      "decisions from the recorded weights, rounded to 16 bits.",
        }, id=id, live=live)

    @staticmethod
    def compute(weights: Sequence[float], x: Sequence[float], y: Sequence[float], edge: float) -> dict:
        """Logits at points, and the line on which each hidden unit switches on.

        Args:
            weights: 4 n + 1 numbers for n units: two input weights a unit, then the n biases, the n output weights and
                the output bias.
            x, y: the two inputs of each point.
            edge: half the side of the frame.

        Returns:
            ``logits`` of the points; ``folds``: for each unit [x, y, x, y], where its line enters and leaves the
            frame, or None; ``off``: number of units that are zero at every point.
        """
        w = np.asarray(weights, dtype=np.float64)
        n = (len(w) - 1) // 4
        first, bias, out = w[: 2 * n].reshape(n, 2), w[2 * n : 3 * n], w[3 * n : 4 * n]
        hidden = np.maximum(np.stack([x, y], axis=1) @ first.T + bias, 0.0)
        return {
            "logits": (hidden @ out + w[-1]).tolist(),
            "folds": [_fold(a, b, c, edge) for (a, b), c in zip(first.tolist(), bias.tolist(), strict=True)],
            "off": int((hidden.max(axis=0) <= 0).sum()),
        }

    @staticmethod
    def cases() -> list[dict]:
        """Settings at which the page and Python are compared."""
        rng = np.random.default_rng(0)
        points = {"x": rng.normal(size=7).tolist(), "y": rng.normal(size=7).tolist(), "edge": 2.0}
        nets = [rng.normal(size=4 * n + 1).tolist() for n in (1, 3, 8)]
        flat = [0.0, 0.0, 0.0, 2.0, -1.0, -1.0, 0.5, 3.0, 0.25]  # a unit without direction, and a level one that is off
        return [{"weights": weights, **points} for weights in [*nets, flat]]


def _fold(a: float, b: float, c: float, edge: float) -> list[float] | None:
    """Ends inside the frame of the line a x + b y + c = 0."""
    if abs(b) >= abs(a):
        if b == 0:
            return None
        low, high = sorted((-c - b * end) / a for end in (-edge, edge)) if a else (-edge, edge)
        low, high = max(low, -edge), min(high, edge)
        ends = [low, -(c + a * low) / b, high, -(c + a * high) / b]
        return ends if low < high and max(abs(ends[1]), abs(ends[3])) <= edge * (1 + 1e-9) else None
    turned = _fold(b, a, c, edge)
    return None if turned is None else [turned[1], turned[0], turned[3], turned[2]]


def _snapshots(last: int) -> list[int]:
    return np.unique(np.concatenate([[0], np.geomspace(1, max(last, 1), 28)]).round().astype(int)).tolist()


def _weights(sweep: Any, width: int, lrs: list[float], last: int, kept: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights [rates, epochs, 4 width + 1], zero where a run has diverged, and where it has not."""
    if not getattr(sweep, "parameters", None):
        raise ValueError("Boundary needs the parameters of the runs; call training.sweep with keep_parameters=True.")
    if [float(rate) for rate in sweep.lrs] != lrs or sweep.train_loss.shape[1] - 1 != last:
        raise ValueError(f"The sweep of width {width} has other learning rates or epochs than the first one.")
    values = [np.asarray(value, dtype=np.float64)[:, kept] for value in sweep.parameters.values()]
    shapes = [value.shape[2:] for value in values]
    if shapes != [(width, 2), (width,), (1, width), (1,)]:
        raise ValueError(f"Boundary takes MLP(2, [{width}], 1), found parameters of shapes {shapes}.")
    flat = np.concatenate([value.reshape(*value.shape[:2], -1) for value in values], axis=2)
    loss = np.asarray(sweep.train_loss, dtype=np.float64)[:, kept]
    finite = np.isfinite(loss) & (np.abs(flat).max(axis=2) < 6e4)
    return np.where(finite[..., None], flat, 0.0), finite
