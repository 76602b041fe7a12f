"""Replay of a sweep: every learning rate and every epoch that was trained, under two sliders."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import Explorer, numbers, pack_uint8

VIEWS = ("line", "weights", "map", "none")
MAX_PICTURES = 24  # grid points at which weights are kept as pictures


class SweepReplay(Explorer):
    """Learning rate × epochs over the runs of `training.sweep`, with linked views.

    Args:
        sweep: result of `training.sweep`; `keep_parameters=True` for the views "line" and "weights".
        view: "line" (points and fitted line), "weights" (one picture a class), "map" (loss over the grid), "none".
        dataset: data set with `train.x` and `train.y`, one input, for the view "line".
        edge: learning rate above which the runs must diverge; it is marked on the track and in the plot.
        edge_label: short words for that mark.
        lr, epoch: setting shown first; default: a rate among the best, the last epoch.
        names: labels of the weight pictures.
        live: `Live(...)` for training in JupyterLab.
        title, hint: first lines of the figure; hint says what to look at.

    Raises:
        ValueError: unknown view, or a sweep without what the view needs.
    """

    module = "sweep"

    def __init__(
        self,
        sweep: Any,
        view: str = "none",
        *,
        dataset: Any = None,
        edge: float | None = None,
        edge_label: str = "edge",
        lr: float | None = None,
        epoch: int | None = None,
        names: list[str] | None = None,
        title: str = "Learning rate and epochs",
        hint: str = "",
        x_label: str = "x",
        y_label: str = "y",
        source: str | None = None,
        id: str | None = None,
        live: Any = None,
    ) -> None:
        if view not in VIEWS:
            raise ValueError(f"SweepReplay draws the views {', '.join(VIEWS)}, found {view!r}.")
        lrs, train, keep = _runs(sweep)
        if train.shape[0] != len(lrs):
            raise ValueError(
                f"SweepReplay expects one run a learning rate, found {train.shape[0]} for {len(lrs)} rates."
            )
        validation = _rows(getattr(sweep, "validation_loss", None), keep)
        accuracy = _rows(getattr(sweep, "validation_accuracy", None), keep)
        if accuracy is not None:
            accuracy = np.where(np.isfinite(train), accuracy, np.nan)
        epochs = train.shape[1] - 1
        state: dict[str, Any] = {
            "title": title,
            "hint": hint,
            "view": view,
            "lrs": numbers(lrs, 6),
            "epochs": epochs,
            "train": numbers(train),
            "validation": None if validation is None else numbers(validation),
            "accuracy": None if accuracy is None else numbers(accuracy),
            "edge": None if edge is None else {"value": float(edge), "label": edge_label},
            "start": {
                "lr": float(lrs[_good(train)] if lr is None else lr),
                "epoch": epochs if epoch is None else int(epoch),
            },
            "source": source or _source(sweep, len(lrs)),
        }
        if view == "line":
            state["line"] = _line(_parameters(sweep, keep, train), dataset) | {"x_label": x_label, "y_label": y_label}
        if view == "weights":
            state["weights"] = _weights(_parameters(sweep, keep, train), len(lrs), epochs, names)
        super().__init__(state, id=id, live=live)


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)


def _runs(sweep: Any) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Learning rates in rising order, training loss [rates, epochs + 1], and rows of the first seed in this order."""
    lrs = _array(sweep.lrs)
    order = np.argsort(lrs, kind="stable")
    train = _array(sweep.train_loss)
    if len(set(lrs.tolist())) < len(lrs):  # one entry a run: keep the first seed
        _, order = np.unique(lrs, return_index=True)
    elif train.shape[0] > len(lrs):
        raise ValueError("SweepReplay expects one run a learning rate; run the sweep with one seed.")
    return lrs[order].tolist(), train[order], order


def _good(train: np.ndarray) -> int:
    """A rate to begin with: the middle of those whose last loss lies within a tenth of the best."""
    last = np.where(np.isfinite(train[:, -1]), train[:, -1], np.inf)
    near = np.flatnonzero(last <= 1.1 * last.min())
    return int(near[(len(near) - 1) // 2])


def _rows(values: Any, keep: np.ndarray) -> np.ndarray | None:
    if values is None:
        return None
    array = _array(values)
    return None if not np.isfinite(array).any() else array[keep]


def _source(sweep: Any, num_runs: int) -> str:
    seeds = list(getattr(sweep, "seeds", (0,)))
    seconds = getattr(sweep, "seconds", None)
    how = " in one batched sweep" if getattr(sweep, "stacked", False) else ""
    text = f"Replayed from {num_runs} recorded runs, seed {seeds[0]}"
    return text + (f", {seconds:.2g} s{how}." if seconds else f"{how}.")


def _parameters(sweep: Any, keep: np.ndarray, train: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters [rates, epochs + 1, ...] in the order of the rates, nan where the run has diverged."""
    parameters = getattr(sweep, "parameters", None)
    if not parameters:
        raise ValueError("This view needs the parameters of the runs; call training.sweep with keep_parameters=True.")
    found = {name: _array(value)[keep] for name, value in parameters.items()}
    for value in found.values():
        value[~np.isfinite(train)] = np.nan
    return found


def _line(parameters: dict[str, np.ndarray], dataset: Any) -> dict[str, Any]:
    if dataset is None:
        raise ValueError("The view 'line' needs dataset= with the points that were fitted.")
    x, y = _array(dataset.train.x).ravel(), _array(dataset.train.y).ravel()
    if x.size != y.size:
        raise ValueError(f"The view 'line' draws one input, found x with {x.size} and y with {y.size} values.")
    slope, intercept = None, None
    for name, value in parameters.items():
        flat = value.reshape(*value.shape[:2], -1)
        if flat.shape[2] != 1:
            raise ValueError(f"The view 'line' draws one slope and one intercept, {name} has {flat.shape[2]} values.")
        if "bias" in name or (slope is not None and intercept is None):
            intercept = flat[:, :, 0]
        else:
            slope = flat[:, :, 0]
    if slope is None:
        raise ValueError("The view 'line' found no weight among the parameters of the sweep.")
    return {
        "x": numbers(x),
        "y": numbers(y),
        "slope": numbers(slope, 5),
        "intercept": None if intercept is None else numbers(intercept, 5),
    }


def picture(weight: np.ndarray) -> tuple[list[float] | None, np.ndarray]:
    """Weights as bytes around 128 with one scale for all classes; a scale of None means diverged."""
    peak = float(np.abs(weight).max()) if np.isfinite(weight).all() else float("nan")
    if not np.isfinite(peak):
        return None, np.full(weight.shape, 128, dtype=np.uint8)
    scaled = 128 + 127 * weight / (peak or 1.0)
    return [peak], np.clip(np.rint(scaled), 1, 255).astype(np.uint8)


def _spread(last: int, count: int, first: int = 0) -> list[int]:
    return sorted(set(np.linspace(first, last, min(count, last - first + 1)).round().astype(int).tolist()))


def _weights(
    parameters: dict[str, np.ndarray], num_rates: int, epochs: int, labels: list[str] | None
) -> dict[str, Any]:
    """Pictures of the first weight matrix at up to 24 points of the grid: up to 6 rates × 4 epochs."""
    matrix = next((v for v in parameters.values() if v.ndim == 4 and v.shape[3] > 1), None)
    if matrix is None:
        raise ValueError(
            "The view 'weights' found no weight matrix [classes, pixels] among the parameters of the sweep."
        )
    num_classes, num_pixels = matrix.shape[2:]
    side = int(round(num_pixels**0.5))
    if side * side != num_pixels:
        raise ValueError(f"The view 'weights' draws square pictures, found {num_pixels} weights a class.")
    if labels is not None and len(labels) != num_classes:
        raise ValueError(f"names= gives {len(labels)} labels for {num_classes} classes.")
    rate_points = _spread(num_rates - 1, 6)
    early = np.unique(np.geomspace(1, max(epochs, 1), MAX_PICTURES // len(rate_points)).round().astype(int)).tolist()
    scales, pictures = [], []
    for i in rate_points:
        for j in early:
            scale, data = picture(matrix[i, j])
            scales.append(None if scale is None else numbers(scale[0]))
            pictures.append(data)
    return {
        "rates": rate_points,
        "epochs": early,
        "side": side,
        "names": labels or [str(k) for k in range(num_classes)],
        "scales": scales,
        "bytes": pack_uint8(np.stack(pictures)),
    }
