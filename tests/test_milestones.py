"""The table of milestones against itself, and the growth explorer against SciPy."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from helpers import data
from helpers.explorers.milestones import QUANTITIES, Milestones

ROWS = data.table("milestones")
KEYS = Path(__file__).parents[1] / "book" / "references.bib"


def named(name):
    return next(row for row in ROWS if row["name"] == name)


def test_each_figure_says_how_it_is_known():
    marks = {"parameters": "parameters_basis", "training_flop": "flop_basis", "training_tokens": "tokens_basis"}
    for row in ROWS:
        for figure, basis in marks.items():
            assert row[basis] in ("published", "counted", "estimate", None), row["name"]
            assert (row[figure] is None) == (row[basis] is None), row["name"]
        assert row["estimate"] == ("estimate" in [row[basis] for basis in marks.values()]), row["name"]
        assert (row["tokens_unit"] is None) == (row["training_tokens"] is None), row["name"]
        assert row["tokens_unit"] in ("tokens", "words", "images", "pairs", None), row["name"]


def test_counted_compute_is_six_n_d_of_published_figures():
    counted = [row for row in ROWS if row["flop_basis"] == "counted"]
    assert len(counted) >= 20
    for row in counted:
        assert row["parameters_basis"] == "published" and row["tokens_basis"] in ("published", "counted"), row["name"]
        expected = 6 * row["active_parameters"] * row["training_tokens"]
        assert row["training_flop"] == pytest.approx(expected, rel=0.05), row["name"]


def test_active_parameters_are_those_of_the_provenance():
    for row in ROWS:
        active, total = row["active_parameters"], row["parameters"]
        assert active is None or active <= total, row["name"]
        stated = re.search(r"(?<![-\d.])([\d.]+)B active", row["provenance"].replace("assumes 70B active", ""))
        if stated:
            assert active == pytest.approx(float(stated[1]) * 1e9), row["name"]
        elif "MoE" not in row["provenance"] and active is not None:
            assert active == total, row["name"]
    assert named("Switch-C")["active_parameters"] is None and named("GPT-3")["active_parameters"] == 1.75e11


def test_every_reference_is_in_the_bibliography():
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", KEYS.read_text("utf8"), re.M))
    assert {row["reference_key"] for row in ROWS} <= keys


@pytest.mark.parametrize("span", [(2012, 2026), (2012, 2020), (2021, 2026)])
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_growth_agrees_with_scipy(quantity, span):
    years, values = [row["year"] for row in ROWS], [row[quantity] for row in ROWS]
    found = Milestones.compute(years, values, *span, grid=[2015])
    kept = [(row["year"], row[quantity]) for row in ROWS if row[quantity] and span[0] <= row["year"] <= span[1]]
    x, y = np.array(kept).T
    line = stats.linregress(x, np.log10(y))
    side = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    assert found["count"] == len(x)
    assert found["slope"] == pytest.approx(line.slope, rel=1e-9)
    assert found["factor_low"] == pytest.approx(10 ** (line.slope - side), rel=1e-9)
    assert found["factor_high"] == pytest.approx(10 ** (line.slope + side), rel=1e-9)
    assert found["line"][0] == pytest.approx(line.intercept + 2015 * line.slope, rel=1e-9)
    assert found["band_low"][0] < found["line"][0] < found["band_high"][0]
    if line.slope > 0:
        assert found["doubling_months"] == pytest.approx(12 * np.log10(2) / line.slope)


def test_growth_without_noise_is_exact_and_shrinking_has_no_doubling_time():
    years = [2012, 2014, 2015, 2019]
    found = Milestones.compute(years, [3.0 ** (year - 2012) for year in years], 2012, 2026)
    assert found["factor"] == pytest.approx(3) and found["factor_high"] == pytest.approx(3)
    assert Milestones.compute(years, [0.5**k for k in range(4)], 2012, 2026)["doubling_months"] is None


def test_record_holders_exceed_every_earlier_year():
    years, values = [2012, 2013, 2013, 2014, 2015, 2016], [1.0, 10.0, 20.0, 5.0, None, 400.0]
    found = Milestones.compute(years, values, 2012, 2026, leading=True)
    assert found["count"] == 3  # 1, 20 and 400
    slope = np.polyfit([2012, 2013, 2016], np.log10([1, 20, 400]), 1)[0]
    assert found["slope"] == pytest.approx(slope)


def test_too_few_models_give_no_line():
    for first, last in [(2013, 2013), (2012, 2012), (2026, 2012)]:
        found = Milestones.compute([2012, 2013, 2013, 2013], [1.0, 2.0, 3.0, None], first, last)
        assert found["slope"] is None and found["line"] == []


def test_the_state_marks_what_is_not_text():
    state = Milestones(model="AlexNet").state
    assert len(state["rows"]) == 77 and state["rows"][state["start"]["model"]]["name"] == "AlexNet"
    alexnet = state["rows"][0]["values"]
    assert alexnet["training_tokens"] == [None, None] and alexnet["training_flop"] == [4.7e17, "estimate"]


def test_settings_outside_of_the_table_are_refused():
    with pytest.raises(ValueError, match="found 'flops'"):
        Milestones("flops")
    with pytest.raises(ValueError, match="found 2020 to 2020"):
        Milestones(first=2020, last=2020)
    with pytest.raises(ValueError, match="no model 'GPT-9'"):
        Milestones(model="GPT-9")
