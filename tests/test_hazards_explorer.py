"""The explorer of the seven hazards against the module that it draws."""

import numpy as np
import pytest

from helpers import economics as e
from helpers.explorers.hazards import SevenHazards

BASE = e.baseline()
FIXED = {"starts": BASE.starts, "rates": BASE.rates, "months": 24}


def test_a_factor_of_one_is_the_published_table():
    months, surviving = e.survival_table()
    found = SevenHazards.compute(**FIXED, factors=[1] * 7, ages=months)
    assert found["survival"] == pytest.approx(surviving.tolist(), rel=1e-12)
    assert found["shares"] == pytest.approx(BASE.shares(24).tolist())
    assert sum(found["ended"]) + BASE.survival(24) == pytest.approx(1)


def test_half_is_where_the_curve_crosses_one_half():
    for factors in ([1] * 7, [3] * 7, [0, 4, 0, 1, 0, 0, 0]):
        half = SevenHazards.compute(**FIXED, factors=factors, ages=[0, 600])["half"]
        scaled = BASE.scaled(dict(zip(BASE.names, factors, strict=True)))
        assert scaled.survival(half) == pytest.approx(0.5, rel=1e-12)
    assert SevenHazards.compute(**FIXED, factors=[0.1] * 7, ages=[0, 120])["half"] is None
    nothing = SevenHazards.compute(**FIXED, factors=[0] * 7, ages=[0, 120])
    assert nothing["half"] is None and nothing["shares"] == [0] * 7 and nothing["survival"] == [1, 1]


def test_the_state_holds_the_hazards_unrounded():
    state = SevenHazards(factors={"law": 2}, months=36).state
    assert np.array_equal(state["rates"], BASE.rates) and state["factors"]["law"] == 2 and state["months"] == 36


@pytest.mark.parametrize("options, message", [
    ({"factors": {"lwa": 1}}, "cause 'lwa' is unknown; did you mean law"),
    ({"factors": {"law": 5}}, "the factor of law must lie between 0 and 4, found 5"),
    ({"months": 240}, "months must lie between 6 and 120, found 240"),
    ({"hazards": e.Hazards(tuple("abcdefgh"), [0.01] * 8)}, "colours for 7 causes, found 8"),
])
def test_settings_outside_of_the_picture_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SevenHazards(**options)
