"""Figures: labelled axes, colours from the one palette, no trace left in matplotlib's settings."""

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from helpers import plots

HISTORY = [{"epoch": e, "train_loss": 1 / (e + 1), "validation_loss": 1.1 / (e + 1)} for e in range(4)]
GRID = np.linspace(-1, 1, 20)
PATH = {"run": [[1, 1], [0, 0]]}
SHARE = np.linspace(0, 1, 11)

DRAWN = {
    "curves": lambda: plots.curves(GRID, {"a": GRID, "b": GRID**2}, x_label="z", y_label="value"),
    "loss_curves": lambda: plots.loss_curves({"small": HISTORY, "large": HISTORY}, log=True),
    "line_fit": lambda: plots.line_fit(torch.rand(9, 1), torch.rand(9, 1), {"fit": (torch.tensor(2.0), 0.0)}),
    "confusion": lambda: plots.confusion(torch.tensor([[5, 1], [0, 4]]), ["good", "scratched"]),
    "bars": lambda: plots.bars_with_intervals(["a", "b"], [0.3, 0.4], [(0.2, 0.4), (0.3, 0.5)], x_label="recall@1"),
    "roc": lambda: plots.roc(SHARE, SHARE**0.5, area=2 / 3),
    "precision_recall": lambda: plots.precision_recall(SHARE, 1 - SHARE / 2, base_rate=0.5),
    "log_scatter": lambda: plots.log_scatter(
        [2012, 2020], [5e17, 3e23], x_label="year", y_label="training compute (FLOP)", estimated=[True, False],
        names={1: "GPT-3"},
    ),
    "against_learning_rate": lambda: plots.against_learning_rate(
        [0.01, 0.1, 0.3, 1.0], [0.5, 0.1, 9e9, float("nan")], edge=0.2
    ),
    "contour_path": lambda: plots.contour_path(GRID, GRID, GRID[None] ** 2 + GRID[:, None] ** 2, PATH),
}  # fmt: skip


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(first: str, second: str) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("background", ["paper", "panel"])
def test_palette_contrast(theme, background):
    colours = plots.palette(theme)
    assert set(colours) == {"paper", "panel", "ink", "muted", "grid", *plots.SERIES}
    for name in ("ink", "muted"):
        assert contrast(colours[name], colours[background]) >= 4.5, name
    for name in plots.SERIES:
        assert contrast(colours[name], colours[background]) >= 3, name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "matrix",  # severity 1 of Machado, Oliveira and Fernandes (2009), on linear RGB
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    ],
    ids=["full", "protan", "deutan", "tritan"],
)
def test_palette_stays_apart_without_full_colour_vision(theme, matrix):
    colours = plots.palette(theme)
    places = []
    for name in plots.SERIES:
        srgb = np.array([int(colours[name][i : i + 2], 16) for i in (1, 3, 5)]) / 255
        red, green, blue = np.clip(matrix @ (((srgb + 0.055) / 1.055) ** 2.4), 0, 1)
        long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
        medium = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
        short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
        places.append(
            [
                0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
                1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
                0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
            ]
        )  # Oklab, where 0.02 is a difference one can just see
    places = np.array(places)
    distances = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(8, 1)]
    assert distances.min() >= 0.06


def test_palette_is_a_copy_and_rejects_other_themes():
    plots.palette()["blue"] = "changed"
    assert plots.palette()["blue"].startswith("#")
    with pytest.raises(ValueError, match="light or dark, found 'sepia'"):
        plots.palette("sepia")


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_labelled_and_in_the_palette(name):
    before = {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}
    figure = DRAWN[name]()
    assert isinstance(figure, Figure)
    assert {key: mpl.rcParams[key] for key in before} == before
    (axes,) = figure.axes
    assert axes.get_xlabel()
    assert axes.get_ylabel() or name == "bars"
    known = set(plots.palette().values())
    drawn = {to_hex(line.get_color()) for line in axes.get_lines()}
    drawn |= {to_hex(patch.get_facecolor()) for patch in axes.patches}
    assert drawn <= known
    assert {to_hex(text.get_color()) for text in axes.texts} <= known
    assert to_hex(figure.get_facecolor()) == plots.palette()["paper"]


def test_every_public_figure_function_is_drawn_here():
    import inspect

    public = {name for name, value in vars(plots).items() if inspect.isfunction(value) and not name.startswith("_")}
    figures = {name for name in public if inspect.signature(getattr(plots, name)).return_annotation == "Figure"}
    assert figures == {*DRAWN, "image_grid", "bars_with_intervals"} - {"bars"}


def test_image_grid_shapes_titles_and_scale():
    grey = plots.image_grid(torch.rand(7, 1, 8, 8), [str(n) for n in range(7)], columns=4)
    assert [axes.get_title() for axes in grey.axes] == ["0", "1", "2", "3", "4", "5", "6", ""]
    assert not any(axes.axison for axes in grey.axes)
    colour = plots.image_grid(np.random.default_rng(0).random((2, 3, 8, 6)))
    assert colour.axes[0].get_images()[0].get_array().shape == (8, 6, 3)
    signed = plots.image_grid(np.array([[[-2.0, 1.0]], [[0.0, 0.5]]]), signed=True)
    assert all(axes.get_images()[0].get_clim() == (-2.0, 2.0) for axes in signed.axes)


def test_loss_curves_draw_training_solid_and_validation_dashed():
    (axes,) = plots.loss_curves(HISTORY).axes
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), [1, 1 / 2, 1 / 3, 1 / 4])
    without = [{"epoch": 0, "train_loss": 1.0, "validation_loss": None}]
    assert len(plots.loss_curves(without).axes[0].get_lines()) == 1


def test_confusion_writes_every_count_readably():
    (axes,) = plots.confusion(np.array([[1200, 3], [4, 900]]), ["a", "b"]).axes
    assert [text.get_text() for text in axes.texts] == ["1,200", "3", "4", "900"]
    shade = axes.get_images()[0]
    for text, value in zip(axes.texts, [1200, 3, 4, 900], strict=True):
        assert contrast(to_hex(text.get_color()), to_hex(shade.cmap(shade.norm(value)))) >= 4.5


def test_diverged_runs_stand_at_the_top():
    (axes,) = DRAWN["against_learning_rate"]().axes
    kept, diverged, edge = axes.get_lines()
    assert kept.get_xdata().tolist() == [0.01, 0.1]
    assert diverged.get_xdata().tolist() == [0.3, 1.0] and diverged.get_ydata().tolist() == [1.0, 1.0]
    assert edge.get_xdata() == [0.2, 0.2] and axes.get_xscale() == axes.get_yscale() == "log"
    slow, best = plots.against_learning_rate([0.001, 1.0], [1.6, 0.0004]).axes[0].get_lines()[0].get_ydata()
    assert (slow, best) == (1.6, 0.0004), "a run that learned little has not diverged"
    with pytest.raises(ValueError, match="found none in 2 runs"):
        plots.against_learning_rate([1, 2], [float("nan"), float("inf")])


def test_estimates_are_hollow():
    (axes,) = DRAWN["log_scatter"]().axes
    published, estimated = axes.get_lines()
    assert published.get_xdata().tolist() == [2020] and estimated.get_xdata().tolist() == [2012]
    assert estimated.get_markerfacecolor() == "none" and axes.get_yscale() == "log"


def test_image_is_opaque_and_of_double_density():
    data, size = DRAWN["roc"]()._repr_png_()
    image = Image.open(io.BytesIO(data))
    assert image.size == (2 * size["width"], 2 * size["height"])
    assert image.convert("RGBA").getextrema()[3] == (255, 255)
    assert to_hex(np.array(image.convert("RGB").getpixel((1, 1))) / 255) == plots.palette()["paper"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.line_fit([1, 2], [1], {}), "found 2 and 1"),
        (lambda: plots.loss_curves({"empty": []}), "in the history 'empty', found none"),
        (lambda: plots.image_grid(np.zeros((4, 2, 8, 8))), r"found shape \[4, 2, 8, 8\]"),
        (lambda: plots.image_grid(np.zeros((4, 8, 8)), ["a"]), "found 4 images and 1 titles"),
        (lambda: plots.confusion(np.zeros((2, 3)), ["a", "b"]), r"found shape \[2, 3\]"),
        (lambda: plots.bars_with_intervals(["a"], [1, 2], [(0, 1)], x_label="x"), "found 1, 2 and 1"),
        (lambda: plots.contour_path(GRID, GRID[:5], np.zeros((20, 5)), {}), r"found \[20, 5\]"),
    ],
)
def test_bad_input_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_import_changes_nothing_and_opens_no_window():
    code = (
        "import sys, matplotlib as mpl; before = {k: mpl.rcParams[k] for k in mpl.rcParams if k != 'backend'};"
        "import helpers.plots; assert {k: mpl.rcParams[k] for k in before} == before;"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "assert 'torch' not in sys.modules; helpers.plots.style();"
        "assert mpl.rcParams['figure.figsize'] == [helpers.plots.WIDTH, 3.5]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
