"""Rent, retrieve, tune, distil or train: closed forms against sums, roots and the serving plan; bad input."""

import numpy as np
import pytest
from scipy.optimize import brentq

from helpers import economics
from helpers.economics import choices, routes
from helpers.economics.choice_memo import memo, over_vendors
from helpers.economics.routes import Route, Situation
from helpers.explorers.choices import Choices

EXAMPLE = dict(zip(routes.ROUTES, routes.example_routes(), strict=True))
RENT, RETRIEVE, TUNE, DISTIL, TRAIN = EXAMPLE.values()
ALL = list(EXAMPLE.values())
S = Situation()


def test_learning_curve_and_its_inverse():
    for quality in (0.661, 0.75, 0.89, 0.8999):
        assert routes.quality_with(routes.examples_for(quality, TUNE), TUNE) == pytest.approx(quality)
    assert routes.examples_for([0.1, 0.66, 0.9, 0.95], TUNE).tolist() == [0, 0, np.inf, np.inf]
    assert routes.examples_for([0.62, 0.63], RENT).tolist() == [0, np.inf]
    # halving the gap to the ceiling with exponent 1/2 takes (2² - 1) scales
    assert routes.examples_for(0.78, TUNE) == pytest.approx(3 * 500)


@pytest.mark.parametrize(("change", "discount"), [(-0.5, 0.1), (0.0, 0.0), (0.2, 0.1), (-1.0, 0.1), (0.1, 0.1)])
def test_months_paid_is_the_sum_over_months(change, discount):
    by_month = [((1 + change) / (1 + discount)) ** (month / 12) for month in range(36)]
    assert routes.months_paid(change, discount, 0, 36) == pytest.approx(sum(by_month))
    assert routes.months_paid(change, discount, 7, 20) == pytest.approx(sum(by_month[7:20]))


def test_price_of_a_request():
    # 200 new, 200 cached, 250 out; with 800 tokens of passages read at the full price
    prices = (S.input_price, S.cached_price, S.output_price)
    assert routes.request_price(RENT, S) == pytest.approx(np.dot([200, 200, 250], prices) / 1e6)
    assert routes.request_price(RETRIEVE, S) == pytest.approx(np.dot([1000, 200, 250], prices) / 1e6)


def test_own_service_costs_what_the_serving_plan_says():
    s = S.changed(reserve=1.0, cached_share=0.0, volume=1e7, rent_change=0.1, discount=0.1)
    plan = economics.plan_serving(8e9, kv_bytes_per_token=TUNE.kv_bytes_per_token, num_devices=1, batch=32,
                                  input_tokens=1200, output_tokens=250)
    assert routes.running(TUNE, s)["serving"] == pytest.approx(plan.cost * 1e7 * 30 * 36)
    assert routes.answer_seconds(TUNE, s) == pytest.approx(
        1200 / plan.input_tokens_per_second + 250 / plan.tokens_per_second_per_stream)
    training = economics.plan_training(8e9, 1.6e12, overhead=2.0)
    assert routes.upfront(TRAIN, S)["compute"] == pytest.approx(training.cost_median, rel=0.01)


def test_small_volume_pays_for_the_smallest_fleet_and_idle_devices_come_first():
    hours = 720 * routes.months_paid(0, S.discount, 0, 36)
    assert routes.running(TUNE, S)["serving"] == pytest.approx(hours * S.rent)
    assert routes.running(TUNE, S.changed(idle_devices=3))["serving"] == pytest.approx(hours * S.idle_hour)
    full = 86_400 * S.load / routes.device_seconds(TUNE, S)
    four = routes.running(TUNE, S.changed(idle_devices=3), volume=4 * full)["serving"]
    assert four == pytest.approx(hours * (S.rent + 3 * S.idle_hour))


@pytest.mark.parametrize("change", [{}, {"idle_devices": 20}, {"load": 0.9, "price_decline": 0.0},
                                    {"current": "rent", "switching_cost": 1e6}, {"rent": 0.5, "discount": 0.0}])
def test_break_even_is_where_a_root_finder_finds_it(change):
    s = S.changed(**change)
    for a, b in ((RETRIEVE, TUNE), (RETRIEVE, DISTIL), (TUNE, DISTIL), (RETRIEVE, TRAIN)):
        gap = lambda v, a=a, b=b: float(routes.total(a, s, v) - routes.total(b, s, v))  # noqa: E731
        found = choices.break_even(a, b, s)
        grid = np.geomspace(1, 1e10, 4001)
        values = routes.total(a, s, grid) - routes.total(b, s, grid)
        pairs = zip(grid, grid[1:], values, values[1:], strict=False)
        wanted = [brentq(gap, low, high, rtol=1e-12) for low, high, p, q in pairs if p * q < 0]
        assert found == pytest.approx(wanted, rel=1e-8)
    assert choices.break_even(RETRIEVE, DISTIL, s)


def test_break_even_by_hand():
    # fixed costs over the saving per daily request, on the flat part of the own service
    s = S.changed(quality=0.7)
    fixed = {r.name: sum(routes.upfront(r, s).values()) + routes.running(r, s)["people"] for r in (RETRIEVE, DISTIL)}
    fleet = routes.running(DISTIL, s)["serving"]
    each = routes.request_price(RETRIEVE, s) * 30 * routes.months_paid(-s.price_decline, s.discount, 0, 36)
    first = choices.break_even(RETRIEVE, DISTIL, s)[0]
    full = 86_400 * s.load / routes.device_seconds(DISTIL, s)
    assert first == pytest.approx((fixed["distil"] + fleet - fixed["retrieve"]) / each) and first < full


def test_idle_devices_can_make_the_middle_theirs():
    s = S.changed(idle_devices=40, rent=40.0, quality=0.7)
    assert len(choices.break_even(RETRIEVE, TUNE, s)) == 2


def test_decide_takes_the_cheapest_that_is_open():
    small = choices.decide(S, ALL)
    assert small.route == "retrieve" and list(small.costs.values()) == sorted(small.costs.values())
    assert set(small.excluded) == {"rent"} and set(small.excluded["rent"]) == {"quality"}
    assert choices.decide(S.changed(quality=0.5), ALL).route == "rent"
    assert choices.decide(S.changed(volume=1e7), ALL).route == "distil"
    assert choices.decide(S.changed(quality=0.85), ALL).route == "tune"
    assert choices.decide(S.changed(quality=0.93), ALL).route == "train"
    assert "retrieve: " in str(small) and "next " in str(small)


@pytest.mark.parametrize(("change", "gate", "names"), [
    ({"data_may_leave": False}, "data", {"rent", "retrieve", "distil"}),
    ({"may_train_on_data": False}, "rights", {"tune", "distil", "train"}),
    ({"may_train_on_answers": False}, "terms", {"distil"}),
    ({"may_use_weights": False}, "weights", {"tune", "distil"}),
    ({"people": 1}, "deadline", {"train"}),
    ({"max_seconds": 3}, "latency", {"rent", "retrieve", "tune", "train"}),
])
def test_gates(change, gate, names):
    closed = {route.name: choices.gates(route, S.changed(**change)) for route in ALL}
    assert {name for name, why in closed.items() if gate in why} == names


def test_boundaries_agree_with_the_map():
    s = S.changed(quality=0.6)
    found = choices.boundaries(s, ALL)
    assert [found[0][1], *[above for _, _, above in found]] == ["rent", "distil"]
    for volume, below, above in found:
        assert choices.decide(s.changed(volume=volume * 0.999), ALL).route == below
        assert choices.decide(s.changed(volume=volume * 1.001), ALL).route == above
    grid = choices.cost_table(S, ALL, volume=np.array([[1e3, 1e7]]), quality=np.array([[0.5], [0.85], [0.96]]))
    names = np.array([*routes.ROUTES, "none"])[np.where(np.isinf(grid.min(0)), 5, grid.argmin(0))]
    assert names.tolist() == [["rent", "distil"], ["tune", "tune"], ["none", "none"]]


def test_dearer_lists_and_busier_devices_move_the_boundary_down():
    s = S.changed(quality=0.7)
    turn = lambda **change: choices.boundaries(s.changed(**change), ALL)[0][0]  # noqa: E731
    assert turn(output_price=20.0) < turn() < turn(output_price=2.0)
    assert turn(price_decline=0.0) < turn() < turn(price_decline=0.9)
    tune = lambda load: choices.break_even(RETRIEVE, TUNE, s.changed(load=load))  # noqa: E731
    assert tune(0.8) < tune(0.4) and tune(0.1) == []  # devices that idle so much never earn their rent


def test_regret():
    assert choices.regret(S, S, ALL) == 0
    truth = S.changed(volume=3e6)
    assert choices.regret(S, truth, ALL) == pytest.approx(
        float(routes.total(RETRIEVE, truth) - routes.total(DISTIL, truth)))
    lower = [RENT, RETRIEVE, Route(**{**vars(TUNE), "ceiling": 0.8}), DISTIL, TRAIN]
    assert choices.regret(S.changed(quality=0.85), S.changed(quality=0.85), ALL, lower) == np.inf
    table = choices.regrets(S, ALL, {"ten times the volume": {"volume": 1e4}, "no vendor": {"data_may_leave": False}})
    assert table["ten times the volume"] == ("retrieve", 0) and table["no vendor"] == ("tune", np.inf)


def test_waiting_is_never_worse_and_worthless_when_leaving_is_dear():
    s = S.changed(quality=0.7)
    free = choices.waiting(s, ALL, 1e3, 3e6, 0.4, 12)
    assert free.value > 0 and (free.first, free.low, free.high) == ("retrieve", "retrieve", "distil")
    dear = choices.waiting(s.changed(switching_cost=1e9), ALL, 1e3, 3e6, 0.4, 12)
    assert dear.value == 0 and dear.first == dear.low == dear.high == dear.commit
    values = [choices.waiting(s.changed(switching_cost=c), ALL, 1e3, 3e6, 0.4, 12).value for c in (0, 1e5, 3e5, 1e6)]
    assert values == sorted(values, reverse=True)
    same = choices.waiting(s.changed(switching_cost=1e9), ALL, s.volume, s.volume, 0.5, 12)
    assert same.commit_cost == pytest.approx(choices.decide(s, ALL).cost)
    sure = choices.waiting(s, ALL, 1e3, 3e6, 0.0, 12)
    assert sure.high and sure.commit_cost == pytest.approx(
        float(sum(routes.upfront(RETRIEVE, s).values()) + sum(routes.running(RETRIEVE, s).values())))


def test_memo():
    page = memo(S, ALL, title="Ask Python")
    assert page.startswith("# Ask Python\n") and "**Choice: retrieve.**" in page
    assert "**Excluded:** rent: it reaches 0.62 at most, you require 0.75. **Examples needed:** none" in page
    assert "list prices up to 2026-10-27" in page and "low retrieve, median retrieve, high retrieve" in page
    assert "requests a day from retrieve to distil; with five more points of quality required it is tune" in page
    assert "the choice stays right with ten times the volume, a tenth of it, steady list prices" in page
    assert "may leave" in page and "may not leave" in memo(S.changed(data_may_leave=False), ALL)
    assert len(page.splitlines()) < 45 and f"**{choices.decide(S, ALL).cost:,.0f}** |" in page
    wrong = memo(S.changed(volume=150_000), ALL)
    assert "with ten times the volume distil would have been right (regret" in wrong
    assert "no route is left" in memo(S.changed(quality=0.92), ALL)
    assert [d.route for d in over_vendors(S.changed(volume=4e5), ALL).values()] == ["retrieve", "distil", "distil"]
    with pytest.raises(ValueError, match="No route is left"):
        memo(S.changed(quality=0.99), ALL)
    with pytest.raises(ValueError, match="size 'larg' is unknown; did you mean large"):
        memo(S, ALL, size="larg")


@pytest.mark.parametrize(("values", "message"), [
    ({"volume": -5}, "volume must be above 0, found -5; pass a positive number"),
    ({"volume": None}, "volume must be a number, found None; pass a plain number"),
    ({"volume": float("nan")}, "volume must be finite, found nan"),
    ({"load": 1.4}, "load must be above 0 and at most 1, found 1.4; write 40 percent as 0.4"),
    ({"quality": 1.2}, "quality must be between 0 and 1, found 1.2"),
    ({"cached_share": 60}, "cached_share must be between 0 and 1, found 60; write 40 percent as 0.4"),
    ({"label": -1}, "label must be 0 or more, found -1"),
    ({"price_decline": -0.2}, "price_decline must be between 0 and 1, found -0.2"),
    ({"rent_change": -1.5}, "rent_change must be above -1, found -1.5; write a fall of 20 percent as -0.2"),
    ({"months": 0}, "months must be a whole number of at least 1, found 0"),
    ({"accelerator": "h1000"}, "accelerator 'h1000' is unknown; did you mean h100"),
])
def test_bad_situations(values, message):
    with pytest.raises(ValueError, match=message):
        Situation(**values)


def test_other_bad_input():
    with pytest.raises(ValueError, match="input 'volumes' is unknown; did you mean volume"):
        S.changed(volumes=3)
    with pytest.raises(ValueError, match="current 'rents' is unknown; did you mean rent"):
        choices.decide(S.changed(current="rents"), ALL)
    with pytest.raises(ValueError, match="ceiling of mine must be between 0 and 1, found 1.1"):
        Route(name="mine", start=0.5, ceiling=1.1, build=1, staff=1, parameters=1e9)
    with pytest.raises(ValueError, match="start of mine must be at most its ceiling, found 0.9 and 0.8"):
        Route(name="mine", start=0.9, ceiling=0.8, build=1, staff=1, parameters=1e9)
    with pytest.raises(ValueError, match="parameters of mine must be above 0, found 0.0"):
        Route(name="mine", start=0.5, ceiling=0.8, build=1, staff=1)
    with pytest.raises(ValueError, match=r"No route is left \(rent: your data may not leave, .*tune: it reaches 0.90 "
                                         r"at most, you require 0.92; .*train: 1 person needs 36 months"):
        choices.decide(S.changed(data_may_leave=False, quality=0.92, people=1), ALL)
    with pytest.raises(ValueError, match="No route is left"):
        choices.waiting(S.changed(quality=0.99), ALL, 1e3, 1e5, 0.5, 12)
    with pytest.raises(ValueError, match="month must lie inside the plan of 36 months, found 36"):
        choices.waiting(S, ALL, 1e3, 1e5, 0.5, 36)
    with pytest.raises(ValueError, match="chance_high must be between 0 and 1, found 40"):
        choices.waiting(S, ALL, 1e3, 1e5, 40, 12)
    with pytest.raises(ValueError, match="volume must lie between 10 and 1e.08 to be shown, found 1"):
        Choices(S.changed(volume=1))


def test_explorer_agrees_with_the_decision():
    for case in Choices.cases():
        found = Choices.compute(**case)
        names = {"routes", "volumes", "qualities", "flops_per_second", "bandwidth", "prefill_utilisation",
                 "decode_utilisation", "training_utilisation"}
        s = Situation(**{key: value for key, value in case.items() if key not in names})
        if found["best"] < 0:
            with pytest.raises(ValueError, match="No route is left"):
                choices.decide(s, ALL)
            continue
        made = choices.decide(s, ALL)
        assert routes.ROUTES[found["best"]] == made.route and min(c for c in found["costs"] if c) == made.cost
        assert sum(found["parts"][found["best"]]) == pytest.approx(made.cost)
    assert len(Choices().html()) < 12_000
