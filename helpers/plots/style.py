"""The one style and the one palette of all figures."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from functools import cache, wraps
from importlib import resources
from typing import Any

import matplotlib as mpl
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

SERIES = ("blue", "orange", "green", "red", "purple", "sky", "yellow", "grey")
WIDTH = 5.6  # inches
DPI = 110  # pixels per inch on screen; images are stored at twice that


class Drawing(Figure):
    """A figure that a notebook shows by itself, once, when it is the last value of a cell."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=2 * DPI)
        width, height = self.get_size_inches() * DPI
        return buffer.getvalue(), {"width": round(width), "height": round(height)}


@cache
def _palettes() -> dict[str, dict[str, str]]:
    return json.loads(resources.files("helpers").joinpath("palette.json").read_text(encoding="utf-8"))


def palette(theme: str = "light") -> dict[str, str]:
    """Colours of the book by name (paper, panel, ink, muted, grid and eight series colours) as hex strings.

    Raises: ValueError for a theme other than "light" and "dark".
    """
    if theme not in _palettes():
        raise ValueError(f"expected the theme light or dark, found {theme!r}; figures use light")
    return dict(_palettes()[theme])


def _settings() -> dict[str, Any]:
    colours = palette()
    return {
        "figure.figsize": (WIDTH, 3.5),
        "figure.dpi": DPI,
        "figure.facecolor": colours["paper"],
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "savefig.dpi": 2 * DPI,
        "savefig.facecolor": colours["paper"],
        "axes.facecolor": colours["paper"],
        "axes.edgecolor": colours["muted"],
        "axes.labelcolor": colours["ink"],
        "axes.titlecolor": colours["ink"],
        "axes.titlesize": 11,
        "axes.labelsize": 11,
        **{f"axes.spines.{side}": False for side in ("top", "right")},
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": mpl.cycler(color=[colours[name] for name in SERIES]),
        "grid.color": colours["grid"],
        "grid.linewidth": 0.8,
        "text.color": colours["ink"],
        **{f"{axis}tick.color": colours["muted"] for axis in "xy"},
        **{f"{axis}tick.labelcolor": colours["ink"] for axis in "xy"},
        **{f"{axis}tick.labelsize": 10 for axis in "xy"},
        "lines.linewidth": 2.0,
        "lines.markersize": 6.0,
        "legend.facecolor": colours["paper"],
        "legend.edgecolor": "none",
        "legend.fontsize": 10,
        "font.family": "DejaVu Sans",
        "font.size": 11,
        "image.cmap": "gray",
    }


def style() -> None:
    """Apply the book's style to matplotlib; in a notebook, also show figures at double density and uncropped."""
    mpl.rcParams.update(_settings())
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    import matplotlib.pyplot  # noqa: F401  (connects figures with the notebook)
    from matplotlib_inline.config import InlineBackend

    InlineBackend.instance().figure_formats = {"retina"}
    InlineBackend.instance().print_figure_kwargs = {"bbox_inches": None}


def diverging() -> Colormap:
    """Colour map for signed quantities: blue below zero, paper at zero, orange above."""
    colours = palette()
    return LinearSegmentedColormap.from_list("course-diverging", [colours["blue"], colours["paper"], colours["orange"]])


def sequential() -> Colormap:
    """Colour map for quantities from zero upwards: from panel to deep blue."""
    return LinearSegmentedColormap.from_list("course-sequential", [palette()["panel"], palette()["blue"]])


def styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw inside the book's style and leave matplotlib's settings as they were."""

    @wraps(function)
    def drawn(*args: Any, **options: Any) -> Figure:
        with mpl.rc_context(_settings()):
            return function(*args, **options)

    return drawn
