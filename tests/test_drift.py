"""The drift monitor: statistics against written-out sums, false alarms and delay over many repetitions, bad input."""

import numpy as np
import pytest
from scipy import stats

from helpers.deployment import drift

HORIZON, WINDOW = 20, 30


def normal(rng, num, shift=0.0, features=6):
    return rng.normal(size=(num, features)) + shift * np.eye(features)[0]


def test_mmd_equals_the_sums_written_out():
    rng = np.random.default_rng(0)
    x, y, width = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 1, 1.7
    k = lambda a, b: np.exp(-((a - b) ** 2).sum() / (2 * width**2))  # noqa: E731
    within = lambda z: np.mean([k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j])  # noqa: E731
    expected = within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])
    assert drift.mmd(x, y, bandwidth=width) == pytest.approx(expected, abs=1e-12)


def test_mmd_is_unbiased_and_grows_with_the_shift():
    rng = np.random.default_rng(1)
    values = [[drift.mmd(normal(rng, 40), normal(rng, 30, shift), bandwidth=2) for _ in range(300)]
              for shift in (0, 1, 2)]
    none, one, two = (np.mean(v) for v in values)
    assert abs(none) < 3 * np.std(values[0]) / np.sqrt(300) and 0 < 2 * one < two


def test_psi_equals_the_sum_written_out():
    before, now = np.arange(100.0), np.concatenate([np.arange(0.0, 50, 2), np.arange(50.0, 100)])
    counts = np.histogram(now, bins=[-1, 24.75, 49.5, 74.25, 101])[0] + 0.5
    q, p = counts / counts.sum(), np.full(4, 0.25)
    assert drift.psi(before, now, num_bins=4) == pytest.approx(((q - p) * np.log(q / p)).sum(), abs=1e-12)


def test_psi_without_drift_is_chi_squared():
    rng = np.random.default_rng(2)
    n, m = 4000, 100
    values = np.array([drift.psi(rng.normal(size=n), rng.normal(size=m)) for _ in range(600)])
    assert values.mean() == pytest.approx(9 * (1 / n + 1 / m), rel=0.1)
    beyond = stats.chi2(9).ppf(0.9) * (1 / n + 1 / m)
    assert np.mean(values > beyond) == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("statistic", drift.STATISTICS)
def test_calibration_cuts_equal_the_statistic_itself(statistic):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(80, 1 if statistic == "psi" else 4))
    monitor = drift.Monitor(rows, window=20, statistic=statistic)

    gram = (drift._kernel(rows, rows, monitor._width) if statistic == "mmd" else
            np.eye(10)[np.searchsorted(monitor._edges, rows[:, 0], side="right")])
    found = monitor._cuts(gram, np.tile(np.arange(20), (2, 1)))
    if statistic == "mmd":
        expected = drift.mmd(rows[20:], rows[:20], bandwidth=monitor._width)
    else:
        edges = monitor._edges
        expected = drift._index(drift._counts(rows[20:, 0], edges), drift._counts(rows[:20, 0], edges))
    assert found == pytest.approx([expected, expected], abs=1e-12)


@pytest.mark.parametrize(("statistic", "features"), [("mmd", 6), ("psi", 1)])
def test_false_alarms_over_the_horizon_are_as_stated(statistic, features):
    """The interval of 200 repetitions is about ± 3 points around 5 per cent; the cuts add their own error."""
    rang = []
    for repeat in range(50):
        rng = np.random.default_rng(1000 + repeat)
        monitor = drift.Monitor(normal(rng, 300, features=features), window=WINDOW, horizon=HORIZON,
                                false_alarms=0.05, statistic=statistic, seed=repeat)
        for _ in range(4):
            stream = normal(rng, WINDOW * HORIZON, features=features)
            rang.append(any(r.alarm for r in monitor.readings(stream)))
    assert 0.015 <= np.mean(rang) <= 0.095


def test_delay_is_short_for_a_large_shift_and_longer_for_a_small_one():
    delays = {}
    for shift in (0.7, 1.5):
        found = []
        for repeat in range(30):
            rng = np.random.default_rng(2000 + repeat)
            monitor = drift.Monitor(normal(rng, 300), window=WINDOW, horizon=HORIZON, seed=repeat)
            readings = monitor.readings(normal(rng, 40 * WINDOW, shift))
            found.append(next((k for k, r in enumerate(readings, 1) if r.alarm), 41))
        delays[shift] = np.mean(found)
    assert delays[1.5] <= 1.05 and 1.3 <= delays[0.7] <= 6


def test_a_window_is_read_when_it_is_full_and_the_generator_stays():
    rng = np.random.default_rng(4)
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    monitor = drift.Monitor(rng.normal(size=(100, 2)), window=10)
    readings = [monitor.add(row) for row in rng.normal(size=(25, 2))]
    assert [k for k, r in enumerate(readings) if r] == [9, 19] and readings[19].num_requests == 20
    assert readings[9].threshold == monitor.threshold == drift.Monitor(monitor.reference, window=10).threshold
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_a_longer_horizon_needs_a_higher_threshold():
    rows = np.random.default_rng(5).normal(size=(200, 3))
    short, long = (drift.Monitor(rows, window=20, horizon=h).threshold for h in (1, 50))
    assert long > 1.5 * short


def test_equal_rows_and_repeated_values_are_no_drift():
    assert drift.mmd(np.ones((9, 2)), np.ones((5, 2))) == pytest.approx(0, abs=1e-12)
    assert drift.psi(np.repeat([1.0, 2.0], 50), np.repeat([1.0, 2.0], 50)) == pytest.approx(0, abs=1e-12)
    assert not drift.Monitor(np.ones((100, 2)), window=10).distance(np.ones((10, 2))) > 0


ROWS = np.random.default_rng(6).normal(size=(100, 2))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: drift.psi(ROWS, ROWS), "psi compares single numbers, got 2 and 2 features"),
    (lambda: drift.psi([1.0], [1, 2]), r"reference must be at least two rows of features \[n, d\], got shape \[1\]"),
    (lambda: drift.psi([1, 2], [1, np.nan]), "current must be finite, found nan"),
    (lambda: drift.psi([1, 2], [1, 2], num_bins=1), "num_bins must be a whole number of at least 2, got 1"),
    (lambda: drift.mmd(ROWS, ROWS[:, :1]), "both samples need the same features, got 2 and 1"),
    (lambda: drift.mmd(ROWS, ROWS, bandwidth=0), "bandwidth must be above 0, got 0"),
    (lambda: drift.Monitor(ROWS, window=1), "window must be a whole number of at least 2, got 1"),
    (lambda: drift.Monitor(ROWS, window=26), "the reference has 100 requests; a window of 26 needs at least 104"),
    (lambda: drift.Monitor(ROWS, window=10, horizon=0), "horizon must be a whole number of at least 1, got 0"),
    (lambda: drift.Monitor(ROWS, window=10, false_alarms=1), "false_alarms is a chance between 0 and 1, got 1"),
    (lambda: drift.Monitor(ROWS, window=10, statistic="ks"), "unknown statistic 'ks': use one of mmd, psi"),
    (lambda: drift.Monitor(ROWS, window=10, statistic="psi"), "psi watches one feature, the reference has 2"),
    (lambda: drift.Monitor(ROWS, window=10).add([1.0]), r"a request has 2 finite features, got \[1.0\]"),
    (lambda: drift.Monitor(ROWS, window=10).add([1.0, np.inf]), "a request has 2 finite features"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
