"""Figures of the book: one style, one palette, small functions that return a matplotlib Figure.

Every figure has an opaque, paper-coloured background, so that it reads the same on a light and on a dark page. It is
5.6 inches wide with 11-point type: about 17 pixels high in the text column and still 9 pixels on a phone.
"""

from helpers.plots.figures import (
    against_learning_rate,
    bars_with_intervals,
    confusion,
    contour_path,
    curves,
    image_grid,
    line_fit,
    log_scatter,
    loss_curves,
    precision_recall,
    roc,
)
from helpers.plots.style import DPI, SERIES, WIDTH, Drawing, diverging, palette, sequential, style

__all__ = [
    "DPI",
    "Drawing",
    "SERIES",
    "WIDTH",
    "against_learning_rate",
    "bars_with_intervals",
    "confusion",
    "contour_path",
    "curves",
    "diverging",
    "image_grid",
    "line_fit",
    "log_scatter",
    "loss_curves",
    "palette",
    "precision_recall",
    "roc",
    "sequential",
    "style",
]
