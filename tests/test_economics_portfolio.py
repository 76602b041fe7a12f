"""Heavy-tailed returns against Pareto's closed forms and the published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from helpers import economics as e


def test_tail_index_of_the_published_shares():
    assert e.tail_index(1, 0.35, 10, 0.04) == pytest.approx(math.log10(0.35 / 0.04))  # 65 % below 1x, 4 % at 10x
    assert e.tail_index(1, 0.45, 5, 0.06) == pytest.approx(1.252, abs=1e-3)  # 55 % losses, 6 % above 5x
    assert e.tail_index(1, 1, 4, 4**-1.7) == pytest.approx(1.7)


def test_against_the_pareto_distribution():
    m, pareto = e.Multiples(0.0, 1.7), stats.pareto(1.7)
    u = np.linspace(0, 0.999, 50)
    assert m.quantile(u) == pytest.approx(pareto.ppf(u)) and m.mean == pytest.approx(pareto.mean())
    assert [m.chance_above(x) for x in (1, 2, 30)] == pytest.approx(pareto.sf([1, 2, 30]))
    assert m.proceeds_share(4) == pytest.approx(4**-0.7)  # the share above x is x^(1 − alpha)


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.25, 2.5])
@pytest.mark.parametrize("cap", [50.0, 1000.0])
def test_a_cut_tail_against_numerical_integration(alpha, cap):
    m = e.Multiples(0.6, alpha, cap)
    density = lambda x: 0.4 * alpha * x ** (-alpha - 1) / (1 - cap**-alpha)  # noqa: E731
    whole = integrate.quad(lambda x: x * density(x), 1, cap, limit=200)[0]
    above = integrate.quad(lambda x: x * density(x), 5, cap, limit=200)[0]
    assert m.mean == pytest.approx(0.3 + whole, rel=1e-6)
    assert m.proceeds_share(5) == pytest.approx(above / (0.3 + whole), rel=1e-6)
    assert m.chance_above(5) == pytest.approx(integrate.quad(density, 5, cap, limit=200)[0], rel=1e-6)
    assert m.chance_above(cap) == 0 and m.proceeds_share(cap) == 0
    drawn = m.quantile((np.arange(400_000) + 0.5) / 400_000)
    assert drawn.mean() == pytest.approx(m.mean, rel=1e-3) and drawn.max() <= cap


def test_quantile_is_the_inverse_of_the_chance():
    m = e.Multiples(0.55, 1.252, 500)
    for u in (0.0, 0.2, 0.54, 0.56, 0.9, 0.999):
        assert 1 - m.chance_above(float(m.quantile(u))) == pytest.approx(u)
    assert e.Multiples(0.55, 0.9).mean == math.inf


def test_the_best_of_a_very_heavy_tail():
    """Given the largest of n, the others are draws cut at it, so E[sum / largest] = 1 + (n − 1) E[mean below m / m]."""
    n, alpha = 20, 0.8
    below = lambda m: alpha / (1 - alpha) * (m ** (1 - alpha) - 1) / (1 - m**-alpha) / m  # noqa: E731
    density = lambda m: n * (1 - m**-alpha) ** (n - 1) * alpha * m ** (-alpha - 1)  # noqa: E731
    expected = 1 + (n - 1) * integrate.quad(lambda t: below(math.exp(t)) * density(math.exp(t)) * math.exp(t),
                                            1e-9, 60, limit=400)[0]
    found = e.portfolios(e.Multiples(0.0, alpha), n, num_portfolios=100_000)
    assert (1 / found.best_share).mean() == pytest.approx(expected, rel=0.01)


def test_the_mean_settles_slowly_below_two():
    """The spread of a mean falls like n^(1/alpha − 1): 32 times the investments halve it at alpha 1.25, not fewer."""
    spread = {}
    for n in (100, 3200):
        found = e.portfolios(e.Multiples(0.0, 1.25), n, num_portfolios=2000).multiple
        spread[n] = np.subtract(*np.quantile(found, [0.75, 0.25]))
    assert spread[100] / spread[3200] == pytest.approx(2, rel=0.2)


def test_portfolios_seed_and_global_generator():
    m = e.Multiples(0.55, 1.252, 1000)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (e.portfolios(m, 30, num_portfolios=500, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(one.multiple, same.multiple) and not np.array_equal(one.multiple, other.multiple)
    assert one.multiple.shape == (500,) and ((one.best_share > 0) & (one.best_share <= 1)).all()
    alone = e.portfolios(m, 1, num_portfolios=50)
    assert (alone.best_share == 1).all()


def test_investments_needed():
    assert e.investments_needed(0.04) == 74  # 0.96^73 = 0.0508, 0.96^74 = 0.0487
    assert e.investments_needed(0.5, 0.75) == 2 and e.investments_needed(1.0) == 1 and e.investments_needed(0.9, 0) == 1


@pytest.mark.parametrize("call, message", [
    (lambda: e.Multiples(1.2, 1.5), "loss_share must be between 0 and 1, found 1.2"),
    (lambda: e.Multiples(1.0, 1.5), "loss_share must be below 1, found 1"),
    (lambda: e.Multiples(0.5, 0), "alpha must be above 0, found 0"),
    (lambda: e.Multiples(0.5, 1.5, cap=1), "cap must be above 1, found 1"),
    (lambda: e.Multiples(0.5, 0.9).proceeds_share(2), "the mean is infinite at alpha 0.9; set a cap"),
    (lambda: e.Multiples(0.5, 1.5).proceeds_share(0.5), "multiple must be at least 1, found 0.5"),
    (lambda: e.Multiples(0.5, 1.5).quantile([0.2, 1.0]), "chances must lie from 0 to below 1, found 0.2 to 1"),
    (lambda: e.Multiples(0.5, 1.5).chance_above(-1), "multiple must be 0 or more, found -1"),
    (lambda: e.tail_index(10, 0.04, 1, 0.35), "a tail falls: expected low < high"),
    (lambda: e.portfolios(e.Multiples(0.5, 1.5), 0), "num_investments must be a whole number of at least 1, found 0"),
    (lambda: e.investments_needed(0.1, 1.0), "confidence must be below 1, found 1"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
