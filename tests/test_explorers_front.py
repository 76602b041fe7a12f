"""The explorers of the front matter against closed forms: the edge of a valley, the order of a difference."""

import math

import pytest

from helpers.explorers.chaos import Chaos
from helpers.explorers.slope import Slope


def test_below_the_edge_the_weight_settles_and_above_it_does_not():
    for lr in (0.1, 0.5, 0.95):
        assert Chaos.compute(lr, steps=400)["weights"][-1] == pytest.approx(1.0, abs=1e-6)
    late = Chaos.compute(1.05, steps=2000)["weights"][-2:]
    assert abs(late[0] - late[1]) > 0.1


def test_close_to_the_bottom_a_step_multiplies_the_distance_by_one_minus_lr_times_curvature():
    for lr in (0.3, 1.1):
        after = Chaos.compute(lr, start=1 + 1e-6, steps=1)["weights"][1]
        assert (after - 1) / 1e-6 == pytest.approx(1 - 2 * lr, abs=1e-4)


def test_two_runs_part_in_chaos_and_stay_together_in_order():
    def gap(lr):
        one, two = (Chaos.compute(lr, start=start)["weights"][-1] for start in (0.3, 0.300001))
        return abs(one - two)

    assert gap(0.5) < 1e-9
    assert gap(1.9) > 1e-2


def test_a_run_that_leaves_is_none_and_its_loss_too():
    run = Chaos.compute(2.1)
    assert run["weights"][-1] is None and run["losses"][-1] is None
    assert run["weights"][0] == 0.3 and run["losses"][0] == (0.3**2 - 1) ** 2 / 4


@pytest.mark.parametrize(("kind", "order"), [("forward", 1), ("central", 2)])
def test_the_error_of_a_difference_shrinks_with_its_order(kind, order):
    large, small = (Slope.compute(0.7, h, kind, 64)["error"] for h in (1e-2, 1e-3))
    assert math.log10(large / small) == pytest.approx(order, abs=0.05)


def test_in_32_bits_a_step_can_vanish():
    assert Slope.compute(0.5, 1e-8, "forward", 32)["slope"] == 0.0
    assert Slope.compute(0.5, 1e-8, "forward", 64)["error"] < 1e-6


def test_settings_outside_of_the_picture_are_refused():
    with pytest.raises(ValueError, match="found lr = 3|found 3"):
        Chaos(3)
    with pytest.raises(ValueError, match="x = 9"):
        Slope(x=9)
    with pytest.raises(ValueError, match="h = 0"):
        Slope(h=0)
