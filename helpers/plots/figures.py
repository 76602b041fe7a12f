"""Small functions, each of which draws one kind of figure and returns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.style import DPI, SERIES, WIDTH, Drawing, diverging, palette, sequential, styled


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _pair(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = _array(x).reshape(-1), _array(y).reshape(-1)
    if len(x) != len(y):
        raise ValueError(f"expected as many x as y values, found {len(x)} and {len(y)}")
    return x, y


def _axes(height: float = 3.5, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Drawing, Any]:
    figure = Drawing(figsize=(WIDTH, height), dpi=DPI)
    return figure, figure.subplots(rows, columns, **options)


def _label(axes: Axes, x_label: str, y_label: str, *, logy: bool = False) -> None:
    axes.set(xlabel=x_label, ylabel=y_label, **({"yscale": "log"} if logy else {}))


@styled
def curves(x: Any, series: Mapping[str, Any], x_label: str, y_label: str, logy: bool = False) -> Figure:
    """Lines over one common x. series: name → values, each as long as x; labels carry their units."""
    figure, axes = _axes()
    for name, values in series.items():
        axes.plot(*_pair(x, values), label=name)
    _label(axes, x_label, y_label, logy=logy)
    if len(series) > 1:
        axes.legend()
    return figure


@styled
def loss_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]] | Sequence[Mapping[str, float]],
    *,
    y_label: str = "mean loss per example",
    log: bool = False,
) -> Figure:
    """Training loss (solid) and validation loss (dashed) over epochs.

    histories: one Run.history, or name → history; each entry has epoch, train_loss and, where known, validation_loss.
    Raises: ValueError for an empty history.
    """
    named = histories if isinstance(histories, Mapping) else {"": histories}
    figure, axes = _axes()
    for number, (name, history) in enumerate(named.items()):
        if not history:
            raise ValueError(f"expected at least one epoch in the history {name!r}, found none")
        colour = palette()[SERIES[number % len(SERIES)]]
        for key, dash, word in (("train_loss", "-", "training"), ("validation_loss", "--", "validation")):
            points = [(entry["epoch"], entry[key]) for entry in history if entry.get(key) is not None]
            if points:
                axes.plot(*np.array(points).T, dash, color=colour, label=f"{name} {word}".strip())
    _label(axes, "epoch", y_label, logy=log)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    return figure


@styled
def against_learning_rate(lrs: Any, losses: Any, *, edge: float | None = None, y_label: str = "final loss") -> Figure:
    """Loss reached at each learning rate, on logarithmic axes; runs that diverged stand as crosses at the top.

    lrs, losses: [n]; a loss counts as diverged when it is not finite, or above 1,000 times the smallest one at a
    learning rate above that one's (below it, the run has only learned little);
    edge: learning rate beyond which steps grow, drawn as a dashed line.
    Raises: ValueError when no run stayed finite.
    """
    lrs, losses = _pair(lrs, losses)
    finite = np.isfinite(losses)
    if not finite.any():
        raise ValueError(
            f"expected at least one finite loss, found none in {len(losses)} runs; lower the learning rates"
        )
    best = np.where(finite, losses, np.inf).argmin()
    kept = finite & ((losses <= 1000 * max(losses[best], 1e-12)) | (lrs <= lrs[best]))
    figure, axes = _axes()
    axes.plot(lrs[kept], losses[kept], "o-", markersize=4, color=palette()["blue"], label="converging")
    if not kept.all():
        top = np.full((~kept).sum(), 2 * losses[kept].max())
        axes.plot(lrs[~kept], top, "x", color=palette()["red"], label="diverged (off the scale)")
    if edge is not None:
        axes.axvline(edge, linestyle="--", color=palette()["ink"], label=f"edge, {edge:.3g}")
    _label(axes, "learning rate", y_label, logy=True)
    axes.set_xscale("log")
    if edge is not None or not kept.all():
        axes.legend()
    return figure


@styled
def line_fit(
    x: Any, y: Any, lines: Mapping[str, tuple[float, float]] | None = None, x_label: str = "x", y_label: str = "y"
) -> Figure:
    """Points and straight lines through them. x, y: [n]; lines: name → (slope, intercept)."""
    x, y = _pair(x, y)
    figure, axes = _axes()
    axes.plot(x, y, "o", markersize=4.5, alpha=0.75, color=palette()["grey"], label="data")
    ends = np.array([x.min(), x.max()])
    for number, (name, (slope, intercept)) in enumerate((lines or {}).items()):
        dash = ("-", "--", "-.", ":")[number % 4]
        axes.plot(ends, float(slope) * ends + float(intercept), dash, color=palette()[SERIES[number % 7]], label=name)
    _label(axes, x_label, y_label)
    axes.legend()
    return figure


@styled
def image_grid(
    images: Any, titles: Sequence[str] | None = None, *, columns: int | None = None, signed: bool = False
) -> Figure:
    """Pictures in a grid. images: [n, h, w], [n, 1, h, w] or [n, 3, h, w]; signed: blue below zero, orange above.

    Raises: ValueError for another shape or a wrong number of titles.
    """
    images = _array(images)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        images = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    elif images.ndim != 3:
        raise ValueError(f"expected images [n, h, w], [n, 1, h, w] or [n, 3, h, w], found shape {list(images.shape)}")
    if len(images) == 0 or (titles is not None and len(titles) != len(images)):
        raise ValueError(
            f"expected one title for each of at least one image, found {len(images)} images and "
            f"{'no' if titles is None else len(titles)} titles"
        )
    columns = min(columns or 5, len(images))
    rows = -(-len(images) // columns)
    height = rows * (WIDTH / columns * images.shape[1] / images.shape[2] + (0.3 if titles else 0.05))
    figure, axes = _axes(height, rows, columns, squeeze=False)
    bound = float(np.abs(images).max()) or 1.0
    scale = {"cmap": diverging(), "vmin": -bound, "vmax": bound} if signed else {"vmin": 0, "vmax": bound}
    for number, place in enumerate(axes.flat):
        place.set_axis_off()
        if number < len(images):
            place.imshow(images[number], interpolation="nearest", **scale)
            place.set_title(titles[number] if titles else "", fontsize=10, pad=3)
    return figure


@styled
def confusion(matrix: Any, classes: Sequence[str]) -> Figure:
    """Confusion matrix: rows are true classes, columns predictions, cells numbers of examples. matrix: [K, K]."""
    matrix = _array(matrix)
    if matrix.shape != (len(classes), len(classes)):
        raise ValueError(f"expected a matrix [{len(classes)}, {len(classes)}], found shape {list(matrix.shape)}")
    figure, axes = _axes(4.6 if len(classes) > 3 else 3.4)
    axes.imshow(matrix, cmap=sequential(), vmin=0, vmax=2 * matrix.max())  # the light half: ink stays readable
    places = np.arange(len(classes))
    turned = {"rotation": 45, "ha": "right"} if max(map(len, classes)) > 4 and len(classes) > 3 else {}
    axes.set_xticks(places, classes, **turned)
    axes.set_yticks(places, classes)
    axes.grid(False)
    for row in places:
        for column in places:
            axes.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", fontsize=10)
    _label(axes, "predicted class", "true class")
    return figure


@styled
def bars_with_intervals(names: Sequence[str], values: Any, intervals: Any, *, x_label: str) -> Figure:
    """Horizontal bars with interval whiskers. values: [n]; intervals: n pairs (low, high) in the same unit."""
    values = _array(values).astype(float)
    bounds = np.asarray([tuple(pair) for pair in intervals], dtype=float).reshape(-1, 2)
    if not len(names) == len(values) == len(bounds):
        raise ValueError(
            f"expected as many names, values and intervals, found {len(names)}, {len(values)} and {len(bounds)}"
        )
    figure, axes = _axes(0.9 + 0.45 * len(names))
    error = np.clip([values - bounds[:, 0], bounds[:, 1] - values], 0, None)
    places = np.arange(len(names))
    axes.barh(places, values, height=0.6, color=palette()["sky"])
    axes.errorbar(values, places, xerr=error, fmt="none", color=palette()["ink"], capsize=4, elinewidth=1.5)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(x_label)
    return figure


def _unit_square(x: Any, y: Any, label: str) -> tuple[Drawing, Any]:
    figure, axes = _axes(4.2)
    axes.plot(*_pair(x, y), label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return figure, axes


@styled
def roc(false_positive_rate: Any, true_positive_rate: Any, *, area: float | None = None) -> Figure:
    """Receiver operating characteristic, with the line of a coin toss. Both rates: [n] in [0, 1]."""
    label = "model" if area is None else f"model, area {area:.3f}"
    figure, axes = _unit_square(false_positive_rate, true_positive_rate, label)
    axes.plot([0, 1], [0, 1], "--", color=palette()["grey"], label="coin toss")
    _label(axes, "false positive rate", "true positive rate")
    axes.legend(loc="lower right")
    return figure


@styled
def precision_recall(recall: Any, precision: Any, *, base_rate: float | None = None) -> Figure:
    """Precision over recall; base_rate (share of positives, in [0, 1]) marks what guessing reaches."""
    figure, axes = _unit_square(recall, precision, "model")
    if base_rate is not None:
        axes.axhline(base_rate, linestyle="--", color=palette()["grey"], label="guessing")
    _label(axes, "recall", "precision")
    axes.legend(loc="lower left")
    return figure


@styled
def log_scatter(
    x: Any, y: Any, *, x_label: str, y_label: str, estimated: Any = None, names: Mapping[int, str] | None = None
) -> Figure:
    """Points over a logarithmic y axis; estimates are hollow, published figures filled.

    x, y: [n]; estimated: n flags; names: position → text beside that point.
    """
    x, y = _pair(x, y)
    hollow = np.zeros(len(x), bool) if estimated is None else _pair(x, estimated)[1].astype(bool)
    figure, axes = _axes(4.2)
    blue = palette()["blue"]
    axes.plot(x[~hollow], y[~hollow], "o", color=blue, label="published")
    if hollow.any():
        axes.plot(x[hollow], y[hollow], "o", markerfacecolor="none", markeredgewidth=1.5, color=blue, label="estimated")
    _label(axes, x_label, y_label, logy=True)
    for place, text in (names or {}).items():
        axes.annotate(text, (x[place], y[place]), (5, 5), textcoords="offset points", fontsize=9)
    if hollow.any():
        axes.legend()
    return figure


@styled
def contour_path(
    x: Any, y: Any, z: Any, paths: Mapping[str, Any], *, x_label: str = "w", y_label: str = "b", label: str = "loss"
) -> Figure:
    """Level lines of a surface with paths of iterates on it. x: [p]; y: [q]; z: [q, p]; paths: name → [steps, 2]."""
    x, y, z = _array(x), _array(y), _array(z)
    if z.shape != (len(y), len(x)):
        raise ValueError(f"expected z of shape [{len(y)}, {len(x)}] (y by x), found {list(z.shape)}")
    figure, axes = _axes(4.2)
    levels = np.geomspace(max(z.min(), 1e-3 * z.max()), z.max(), 14) if z.min() >= 0 else 14
    lines = axes.contour(x, y, z, levels=levels, colors=[palette()["muted"]], linewidths=0.9)
    axes.clabel(lines, lines.levels[::4], fontsize=8, fmt="%.3g")
    for number, (name, path) in enumerate(paths.items()):
        path = _array(path)
        colour, mark = palette()[SERIES[number % len(SERIES)]], "os^Dv"[number % 5]
        axes.plot(path[:, 0], path[:, 1], f"-{mark}", markersize=4, linewidth=1.5, color=colour, label=name)
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()), title=f"level lines: {label}")
    axes.grid(False)
    _label(axes, x_label, y_label)
    axes.legend()
    return figure
