"""The stack: payments add up, the published day is reproduced, survival curves agree with SciPy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from helpers import economics as e
from helpers.economics import stack
from helpers.economics.survival import survival_curve
from helpers.explorers.stack import Stack


def test_what_the_layers_keep_is_what_the_customer_pays():
    for tokens, speed, customer, tooling in itertools.product((0, 10, 1e6), (0.01, 3), (1e-5, 0.02, 5), (0, 0.4)):
        chain = stack.chain(input_tokens=tokens, speed=speed, customer_price=customer, tooling_share=tooling)
        assert sum(link.value_added for link in chain.links) == pytest.approx(customer, rel=1e-9, abs=1e-12)
        outgoing = sum(v for (payer, _), v in chain.payments.items() if payer != "customer")
        assert sum(link.paid for link in chain.links) == pytest.approx(outgoing)


def test_each_link_by_hand():
    chain = stack.chain(input_tokens=1000, output_tokens=100, rent=3.6, input_price=2, output_price=10, speed=0.5,
                        customer_price=0.01, tooling_share=0.1, support_share=0.2, device_price=36_000,
                        rented_hours=20_000)
    seconds = 2 * (1000 / 9212.5 + 100 / 1850)
    assert chain.seconds == pytest.approx(seconds)
    assert chain["cloud"].received == pytest.approx(seconds * 0.001)
    assert chain["chips"].received == pytest.approx(seconds / 3600 * 1.8)
    assert chain["models"].received == pytest.approx(0.003)
    assert chain["models"].gross_margin == pytest.approx(1 - seconds * 0.001 / 0.003)
    assert chain["application"].gross_margin == pytest.approx(1 - 0.1 - 0.2 - 0.3)
    power = 0.7 * e.price("pue_median").value * e.price("electricity_median").value
    assert chain["cloud"].gross_margin == pytest.approx(1 - (1.8 + power) / 3.6)
    assert chain["chips"].gross_margin is None and chain["tooling"].gross_margin is None


def test_the_published_day_is_reproduced():
    day = stack.PUBLISHED_DAY
    rented = day["nodes"] * day["devices_per_node"] * 24 * 3600
    seconds = stack.request_seconds(day["input_tokens"], day["output_tokens"])
    assert seconds / rented == pytest.approx(1, abs=0.01)
    cost = rented / 3600 * day["rent_per_device_hour"]
    assert cost == pytest.approx(87_072, rel=1e-4)
    published = next(row for row in stack.margins() if row.layer == "models")
    assert e.gross_margin(day["theoretical_revenue"], cost) == pytest.approx(published.low, abs=0.001)


def test_margins_are_shares_with_a_source():
    for row in stack.margins():
        assert 0 < row.low <= row.high < 1 and row.layer in stack.LAYERS and row.source and row.verified
    assert {row.layer for row in stack.margins()} == {"application", "models"}


def test_break_even_closed_form():
    assert stack.break_even_requests(120_000, 0.02, 0.008) == pytest.approx(1e7)
    with pytest.raises(ValueError, match="found a price of 0.01 and a cost of 0.02; raise the price"):
        stack.break_even_requests(1, 0.01, 0.02)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"speed": 0}, "speed must be above 0, found 0"),
    ({"input_tokens": -5}, "input_tokens must be 0 or more, found -5"),
    ({"customer_price": 0}, "customer_price must be above 0, found 0"),
    ({"tooling_share": 5}, "tooling_share must be between 0 and 1, found 5; write 40 percent as 0.4"),
    ({"rent": "3.64 USD"}, "rent must be a number, found '3.64 USD'"),
    ({"rented_hours": math.nan}, "rented_hours must be finite, found nan"),
])
def test_bad_input_of_the_chain(arguments, message):
    with pytest.raises(ValueError, match=message):
        stack.chain(**arguments)


def test_unknown_names_offer_near_matches():
    with pytest.raises(ValueError, match="layer 'model' is unknown; did you mean models"):
        stack.chain()["model"]
    with pytest.raises(ValueError, match="start value 'outputtokens' is unknown; did you mean output_tokens"):
        Stack({"outputtokens": 3})
    with pytest.raises(ValueError, match="the power of 'tpu_v5p' is unknown"):
        stack.owned_hour(30_000, device="tpu_v5p")


def test_survival_curve_agrees_with_scipy_and_with_the_other_estimate():
    rng = np.random.default_rng(0)
    life, seen = rng.exponential(5, 60).round(1) + 0.1, rng.uniform(1, 10, 60).round(1)
    ages, closed = np.minimum(life, seen), life <= seen
    found = survival_curve(ages, closed)
    theirs = stats.ecdf(stats.CensoredData(uncensored=ages[closed], right=ages[~closed])).sf
    one_cause = e.aalen_johansen(ages, np.where(closed, 0, -1), 1, found.ages[1:])[0]
    assert np.allclose(found.shares[1:], 1 - one_cause)
    assert np.allclose(found.shares[1:], e.kaplan_meier(ages, closed, found.ages[1:]))
    ends = theirs.confidence_interval(method="log-log")
    assert np.allclose(found.shares[1:], theirs.evaluate(found.ages[1:]))
    assert np.allclose(found.low[1:], ends.low.evaluate(found.ages[1:]))
    assert np.allclose(found.high[1:], ends.high.evaluate(found.ages[1:]))


def test_survival_curve_by_hand_and_its_bad_input():
    found = survival_curve([1, 2, 2, 4], [True, True, False, True])
    assert found.shares.tolist() == pytest.approx([1, 0.75, 0.5, 0])
    assert np.all(found.low <= found.shares) and np.all(found.shares <= found.high)
    with pytest.raises(ValueError, match="found 2 ages and 1 marks"):
        survival_curve([1, 2], [True])
    with pytest.raises(ValueError, match="age must be 0 or more, found -1"):
        survival_curve([-1], [True])
    with pytest.raises(ValueError, match="level must lie between 0 and 1, found 1"):
        survival_curve([1], [True], level=1)


def test_explorer_computes_the_chain():
    case = Stack.cases()[0]
    found, chain = Stack.compute(**case), stack.chain(device_price=case["device_price"])
    assert found["kept"] == pytest.approx([link.value_added for link in chain.links])
    assert found["seconds"] == pytest.approx(chain.seconds)
    assert len(Stack().html()) < 20_000
    for slider in Stack().state["sliders"]:
        assert slider["min"] <= slider["value"] <= slider["max"], slider["name"]
