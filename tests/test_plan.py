"""The plan: closed forms, sensitivity on a function with known indices, causes of death, export."""

import csv
import io
import re
import time

import numpy as np
import pytest

from helpers import economics as e
from helpers.economics import plan_page, plan_paths
from helpers.economics.plan import sensitivity
from helpers.economics.plan_paths import death_causes, inputs, lowest_cash, month_by_month

EXAMPLE = e.read_venture()
DAYS = e.launch_days(EXAMPLE, num_draws=500)


def likely(**changes):
    return {name: EXAMPLE[name].likely for name in inputs(EXAMPLE)[:-1]} | {"tasks": 63.0, "slip": 1.0} | changes


def path(months, **changes):
    flow = [(float(cash[0]), float(customers[0])) for cash, customers in month_by_month(likely(**changes), months)]
    return np.array(flow).T


@pytest.fixture(scope="module")
def plan():
    return e.plan_venture(EXAMPLE, num_paths=4000, days=DAYS)


# -- paths ----------------------------------------------------------------------------------------------------------


def test_without_customers_cash_falls_in_a_straight_line():
    cash, customers = path(24, first_customers=0, marketing=0, hires=0, gpu_hours=0, data=0, gpu_hours_after=0)
    assert (customers == 0).all()
    np.testing.assert_allclose(cash, 1.2e6 - (4 * 9000 + 5000) * np.arange(25))


def test_what_is_spent_once_is_spent_before_launch():
    cash = path(12, first_customers=0, marketing=0, hires=0, gpu_hours_after=0)[0]  # launch after three months
    once = 2000 * EXAMPLE["rent"].likely + 30_000
    np.testing.assert_allclose(-np.diff(cash), 41_000 + np.array([once / 3] * 3 + [0] * 9))
    half = path(12, first_customers=0, marketing=0, hires=0, gpu_hours_after=0, tasks=10.5)[0]  # within half a month
    np.testing.assert_allclose(half[0] - half[1], 41_000 + once)


def test_customers_grow_like_a_balance():
    customers = path(30, tasks=0, marketing=0, market_size=1e15, churn=0.02, churn_unserved=0.1, right=0.7)[1]
    np.testing.assert_allclose(customers[1:], 8 * (1 + 0.04 - 0.02 - 0.1 * 0.3) ** np.arange(30), rtol=1e-9)


def test_customers_settle_where_those_won_balance_those_lost():
    customers = path(900, tasks=0, referral=0, market_size=1e15, churn=0.1, churn_unserved=0, marketing=12_000)[1]
    assert customers[-1] == pytest.approx(12 / 0.1)


def test_a_churn_of_one_is_a_single_sale():
    customers = path(12, tasks=0, referral=0, market_size=1e15, churn=1, churn_unserved=0)[1]
    np.testing.assert_allclose(customers[1:], [8 + 12] + 11 * [12])


def test_each_new_customer_is_set_up_once():
    cash, customers = path(12, tasks=0, referral=0, market_size=1e15, churn=0, churn_unserved=0, setup=700)
    plain = path(12, tasks=0, referral=0, market_size=1e15, churn=0, churn_unserved=0)[0]
    np.testing.assert_allclose(plain[1:] - cash[1:], 700 * customers[1:])
    referred = path(12, tasks=0, marketing=0, market_size=1e15, churn=0, churn_unserved=0, setup=700)
    free = path(12, tasks=0, marketing=0, market_size=1e15, churn=0, churn_unserved=0)[0]
    np.testing.assert_allclose(free[1:] - referred[0][1:], 700 * referred[1][1:])  # also those who were referred


def test_customers_never_pass_the_market():
    customers = path(400, tasks=0, marketing=1e5, market_size=500, churn=0, churn_unserved=0, first_customers=1)[1]
    assert 499 < customers[-1] <= 500


def test_hires_prices_and_launch_within_a_month():
    cash, customers = path(12, tasks=31.5, hires=1, price_change=-0.5, token_price_change=-0.5)  # launch at 1.5 months
    assert customers[1] == 0 and 0 < customers[2] < 8 + 12
    values = likely()
    one = e.unit_economics(values)
    month = 12
    price = 390 * 0.97 * 0.5 ** (11 / 12)
    tokens = float(one["serving"]) * 0.5 ** (11 / 12)
    out = (4 + 10.5) * 9000 + 5000 + 12_000 + 150 * EXAMPLE["rent"].likely
    assert cash[month] - cash[month - 1] == pytest.approx(customers[month] * (price - tokens - 30) - out)


def test_zero_spread_gives_the_deterministic_path():
    certain = EXAMPLE.widened(0)
    plan = e.plan_venture(certain, num_paths=50, days=np.array([63.0, 63.0]))
    cash, customers = path(36, slip=1.15)
    np.testing.assert_allclose(plan.cash, np.tile(cash[:, None], 50))
    np.testing.assert_allclose(plan.customers, np.tile(customers[:, None], 50))
    np.testing.assert_allclose(plan.likely, cash)
    np.testing.assert_allclose(plan.quantiles, np.tile(cash, (5, 1)))
    with pytest.raises(ValueError, match="needs at least one uncertain input"):
        _ = plan.sensitivity
    assert not plan.uncertain and "hangs on" not in {row.part for row in plan.rows()}  # the page stands without it


def test_a_mean_path_of_a_linear_plan_is_the_path_of_means():
    idle = EXAMPLE.changed(first_customers=0, marketing=0, hires=0, gpu_hours=0, gpu_hours_after=0, data=0)
    plan = e.plan_venture(idle, num_paths=40_000, days=DAYS)
    burn = 4 * EXAMPLE["cost_per_person"].mean + EXAMPLE["other_costs"].mean
    np.testing.assert_allclose(plan.cash.mean(axis=1), 1.2e6 - burn * np.arange(37), atol=2000)


def test_seeds_pieces_and_own_draws(plan):
    again = e.plan_venture(EXAMPLE, num_paths=4000, days=DAYS)
    np.testing.assert_array_equal(plan.cash, again.cash)
    assert (e.plan_venture(EXAMPLE, num_paths=4000, days=DAYS, seed=1).cash != plan.cash).any()
    draws = np.random.default_rng(0).random((9000, len(inputs(EXAMPLE))))  # more than one piece
    whole = e.plan_venture(EXAMPLE, draws=draws, days=DAYS)
    part = e.plan_venture(EXAMPLE, draws=draws[8500:], days=DAYS)
    np.testing.assert_array_equal(whole.cash[:, 8500:], part.cash)
    np.testing.assert_allclose(lowest_cash(part.values, 36), part.cash.min(axis=0))
    with pytest.raises(ValueError, match="num_paths must be a whole number of at least 1, found 0"):
        e.plan_venture(EXAMPLE, num_paths=0)


def test_launch_follows_the_schedule():
    quick = e.launch_days(EXAMPLE.widened(1), num_draws=500)
    np.testing.assert_array_equal(quick, DAYS)
    alone = e.launch_days(EXAMPLE.changed(team=1), num_draws=500)
    assert np.median(alone) > 1.5 * np.median(DAYS)  # one person does everything in turn


# -- unit economics, ruin, funding -----------------------------------------------------------------------------------


def test_unit_economics_are_those_of_the_chapter_on_capital():
    one = e.unit_economics(likely())
    margin = float(one["margin"])
    assert margin == pytest.approx(e.gross_margin(390, 390 - float(one["profit"])))
    assert one["lifetime_value"] == pytest.approx(e.lifetime_value(390, margin, float(one["churn"])))
    assert one["payback"] == pytest.approx(e.payback_months(1000, 390, margin))
    assert one["ratio"] == pytest.approx(e.lifetime_to_acquisition(float(one["lifetime_value"]), 1000))
    assert one["break_even"] == pytest.approx((41_000 + 12_000 + 150 * EXAMPLE["rent"].likely) / one["profit"])
    late = e.unit_economics(likely(tasks=0.0), month=13)  # a year of hires and of price changes
    assert late["profit"] == pytest.approx(390 * 0.95 * 0.97 - float(one["serving"]) * 0.8 - 30)
    hired = 13 * EXAMPLE["hires"].likely * 9000
    assert late["break_even"] * late["profit"] == pytest.approx(one["break_even"] * one["profit"] + hired)
    dear = e.unit_economics(likely(setup=500))
    assert dear["payback"] == pytest.approx(1.5 * one["payback"]) and dear["ratio"] == pytest.approx(one["ratio"] / 1.5)
    free = e.unit_economics(likely(price=0))
    assert free["break_even"] == np.inf
    assert free["payback"] == np.inf and free["margin"] == -np.inf and free["lifetime_value"] < 0
    assert e.unit_economics(likely(churn=0, churn_unserved=0))["lifetime_value"] == np.inf


def test_the_money_that_was_missing_is_enough(plan):
    need = plan.funding(0.9)
    richer = e.plan_venture(EXAMPLE.changed(cash=1.2e6 + need), num_paths=4000, days=DAYS)
    assert richer.ruin[-1] == pytest.approx(0.1, abs=0.001)
    assert plan.month_of_ruin(1.0) is None
    month = plan.month_of_ruin(0.5)
    assert plan.ruin[month] >= 0.5 > plan.ruin[month - 1]


def test_causes_of_death():
    others = e.Hazards(("demand", "capital"), [0.02, 0.5])  # the hazard of capital is left out
    never = death_causes(np.zeros(37), others)
    assert never["alive"] == pytest.approx(np.exp(-0.48)) and never["capital"] == 0
    assert never["demand"] == pytest.approx(1 - np.exp(-0.48))
    ruin = np.zeros(37)
    ruin[10:] = 1  # every path is out of cash at the end of month 10
    always = death_causes(ruin, others)
    assert always["capital"] == pytest.approx(np.exp(-0.2)) and always["alive"] == 0
    assert sum(always.values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="months must be at most 12, the length of the plan, found 24"):
        death_causes(np.zeros(13), others)


def test_causes_agree_with_a_simulation(plan):
    ages, causes = plan.hazards.without("capital").sample(plan.num_paths, seed=3)
    out = plan.cash < 0
    broke = np.where(out.any(axis=0), out.argmax(axis=0), np.inf)
    assert ((broke <= 24) & (broke < ages)).mean() == pytest.approx(plan.causes["capital"], abs=0.025)
    demand = plan.hazards.names.index("demand")
    assert ((ages <= 24) & (ages < broke) & (causes == demand)).mean() == pytest.approx(plan.causes["demand"], abs=0.02)


# -- sensitivity ----------------------------------------------------------------------------------------------------


def ishigami(u):
    return e.ishigami(np.pi * (2 * u - 1))


def test_indices_of_a_function_that_has_known_ones():
    found = e.sobol(ishigami, ["a", "b", "c"], num=2**14)
    np.testing.assert_allclose(found.first, [0.314, 0.442, 0.0], atol=0.02)
    np.testing.assert_allclose(found.total, [0.558, 0.442, 0.244], atol=0.02)
    assert found.variance == pytest.approx(7**2 / 8 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 18 + 0.5, rel=0.03)
    assert (found.largest(2), found.num_runs) == (["a", "b"], 5 * 2**14)


def test_intervals_hold_the_known_indices_about_as_often_as_they_say():
    hits = []
    for seed in range(40):
        found = e.sobol(ishigami, ["a", "b", "c"], num=512, seed=seed)
        for place, (first, total) in enumerate(((0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437))):
            for known, (low, high) in ((first, found.first_interval[place]), (total, found.total_interval[place])):
                hits.append(low <= known <= high)
    assert 0.82 <= np.mean(hits) <= 0.96


def test_indices_of_a_sum_and_of_a_product():
    weights = np.array([1.0, 2.0, 0.0])
    found = e.sobol(lambda u: u @ weights + 7e6, ["a", "b", "c"], draws=e.latin(4096, 6))
    np.testing.assert_allclose(found.first, [0.2, 0.8, 0], atol=0.03)
    np.testing.assert_allclose(found.total, [0.2, 0.8, 0], atol=0.03)
    product = e.sobol(lambda u: (u[:, 0] - 0.5) * (u[:, 1] - 0.5), ["a", "b"], num=2**13)
    np.testing.assert_allclose(product.first, 0, atol=0.05)
    np.testing.assert_allclose(product.total, 1, atol=0.05)


def test_bad_input_of_the_indices():
    with pytest.raises(ValueError, match="needs at least one uncertain input, found none"):
        e.sobol(ishigami, [])
    with pytest.raises(ValueError, match=r"draws must have shape \[num, 6\] for 3 inputs, found \[10, 3\]"):
        e.sobol(ishigami, ["a", "b", "c"], draws=np.zeros((10, 3)))
    constant = e.sobol(lambda u: np.full(len(u), 5.0), ["a"], num=16)
    assert constant.first[0] == constant.total[0] == constant.variance == 0


def test_latin_points_fill_every_coordinate_evenly():
    points = e.latin(200, 40)
    np.testing.assert_allclose(np.sort(points, axis=0), np.tile((np.arange(200)[:, None] + 0.5) / 200, 40))
    across = np.corrcoef(points.T) - np.eye(40)
    assert np.abs(across).max() < 0.35
    with pytest.raises(ValueError, match="num_dimensions must be a whole number of at least 1, found 0"):
        e.latin(5, 0)


def test_sensitivity_of_the_plan(plan):
    index = plan.sensitivity
    assert set(index.largest(3)) == {"acquisition_cost", "hires", "cost_per_person"}
    assert "price" not in index.names and "tasks" in index.names  # the price is certain
    assert (index.total_interval[:, 0] <= index.total).all() and (index.total <= index.total_interval[:, 1]).all()
    one = sensitivity(EXAMPLE.widened(0).changed(hires=(0.0, 0.1, 0.2)), days=np.array([60.0, 60.0]), num=256)
    assert one.names == ("hires",) and one.total[0] == pytest.approx(1, abs=0.1)


# -- one page ------------------------------------------------------------------------------------------------------


def test_the_page_and_the_table(plan, tmp_path):
    page, table = plan.to_html(tmp_path / "plan.html"), plan.to_csv(tmp_path / "plan.csv")
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|src=|@import", text)  # it needs nothing else
    for words in ("acquisition_cost", "ended by capital", "gross margin", "launch", "29 of 32 assumptions are those of",
                  "assumed: between recall@1", "referral"):
        assert words in text
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    parts = {row["part"] for row in rows}
    assert {"budget", "runway", "funding", "hangs on", "assumption: market", "cash by month"} <= parts
    assert len([row for row in rows if row["part"] == "cash by month"]) == 37
    (launch,) = [row for row in rows if row["name"] == "launch" and row["part"] == "team and schedule"]
    assert float(launch["low"]) == pytest.approx(np.quantile(plan.launch, 0.05), rel=1e-4)
    for write, old in ((plan.to_html, page), (plan.to_csv, table)):
        before = old.read_bytes()
        with pytest.raises(FileExistsError, match="exists already and was left as it is; choose another name or pass"):
            write(old)
        assert old.read_bytes() == before
        assert write(old, replace=True).read_bytes() == before
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        plan.to_csv(tmp_path / "nowhere" / "plan.csv")


def test_names_cannot_break_the_page():
    import dataclasses

    named = dataclasses.replace(EXAMPLE, name="<b>&\"mine\"</b>")
    page = e.plan_venture(named, num_paths=20, days=DAYS).html()
    assert "<b>&" not in page and "&lt;b&gt;&amp;" in page


@pytest.mark.parametrize("changes", [{"price": 0}, {"cash": 0}, {"churn": 0, "churn_unserved": 0}, {"team": 0},
                                     {"marketing": 0, "first_customers": 0}, {"cash": 1e12}])
def test_extreme_ventures_have_a_page(changes):
    plan = e.plan_venture(EXAMPLE.changed(**changes), num_paths=50, days=DAYS)
    assert "nan" not in plan.html().lower().replace("finance", "")
    assert np.isfinite(plan.cash).all() and sum(plan.causes.values()) == pytest.approx(1)
    assert str(plan).startswith("Ask Python")


def test_numbers_are_said_as_people_read_them():
    said = {"1,230,000": (1234567, "USD"), "−1,230,000": (-1234567, "USD"), "4.5 %": (0.045, "share a month"),
            "": (None, "USD"), "never": (np.inf, "months"), "2.5": (2.5, "months")}
    assert [plan_page.said(*given) for given in said.values()] == list(said)


def test_a_plan_of_ones_own_says_what_is_still_the_examples(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "Mine"\n[market]\nprice = 50', encoding="utf-8")
    said = str(e.plan_venture(e.read_venture(tmp_path / "mine.toml"), num_paths=20, days=DAYS))
    assert "still the example's: cash, pre_money" in said and "22 more)" in said


def test_money_sought_too_late_is_said():
    late = e.plan_venture(EXAMPLE.changed(cash=100_000), num_paths=200, days=DAYS)
    (row,) = [row for row in late.rows() if row.name.startswith("start to look")]
    assert row.middle == 0 and "late already" in row.note and late.losing > 0


def test_a_short_plan_asks_for_causes_within_its_length():
    import dataclasses

    short = e.plan_venture(dataclasses.replace(EXAMPLE, months=12), num_paths=50, days=DAYS)
    assert sum(short.causes.values()) == pytest.approx(1)
    assert any(row.part == "after 12 months" for row in short.rows())


def test_the_whole_plan_is_computed_fast_enough_for_a_slider():
    begun = time.perf_counter()
    e.plan_venture(EXAMPLE, num_paths=20_000).rows()
    assert time.perf_counter() - begun < 10  # generous; `python -m benchmarks venture` measures


def test_days_are_counted_as_in_the_text():
    assert plan_paths.DAYS_A_MONTH == 21 and plan_paths.HORIZON == 24
