"""Queues: formulas against each other, against exact results for other queues, and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from helpers.economics import queueing as q
from helpers.explorers.waiting import Waiting


def erlang_c_by_sum(load, servers):
    """Erlang's formula as the textbooks print it, in whole numbers of terms."""
    terms = [load**k / math.factorial(k) for k in range(servers)]
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(terms) + last)


@pytest.mark.parametrize("servers", [1, 2, 5, 20])
@pytest.mark.parametrize("rho", [0.1, 0.7, 0.95])
def test_erlang_c_is_the_textbook_sum(servers, rho):
    assert q.erlang_c(rho, servers) == pytest.approx(erlang_c_by_sum(rho * servers, servers))


def test_one_server_is_kingman_and_mm1():
    assert q.kingman(0.9, 2.0) == pytest.approx(18.0)        # nine times the service time
    assert q.erlang_c(0.3, 1) == pytest.approx(0.3)
    for arrivals, services in ((1, 1), (0, 3), (2.5, 0.4)):
        wanted = q.kingman(0.8, 5, arrival_cv2=arrivals, service_cv2=services)
        assert q.shared_wait(0.8, 5, 1, arrival_cv2=arrivals, service_cv2=services) == pytest.approx(wanted)
    assert q.shared_wait(0.999, 1, 5000) > 0                 # no overflow
    assert q.kingman(0, 3) == 0


def simulated(rho, cv2_arrivals, cv2_services, servers=1, num_jobs=400_000):
    gaps = q.draw_times(num_jobs, 1 / (rho * servers), cv2_arrivals, seed=1)
    return q.simulate_queue(gaps, q.draw_times(num_jobs, 1.0, cv2_services, seed=2), servers).mean()


@pytest.mark.parametrize("cv2", [0, 0.5, 1, 4])
def test_random_arrivals_agree_with_the_formula(cv2):
    assert simulated(0.7, 1, cv2) == pytest.approx(q.kingman(0.7, 1, service_cv2=cv2), rel=0.05)


def test_other_arrivals_against_the_exact_formula_of_regular_ones():
    """D/M/1: mean wait σ/(1 − σ) with σ = exp(−(1 − σ)/ρ)."""
    gaps = []
    for rho in (0.7, 0.99):
        sigma = optimize.brentq(lambda x, rho=rho: x - math.exp(-(1 - x) / rho), 1e-9, 1 - 1e-9 if rho < 0.9 else 0.999)
        exact = sigma / (1 - sigma)
        gaps.append(q.kingman(rho, 1, arrival_cv2=0) / exact - 1)
        if rho == 0.7:
            assert simulated(rho, 0, 1) == pytest.approx(exact, rel=0.03)
    assert gaps[0] > 0.2 and 0 < gaps[1] < 0.02              # an approximation that becomes exact under load


def test_several_servers():
    assert simulated(0.8, 1, 1, servers=4, num_jobs=150_000) == pytest.approx(q.shared_wait(0.8, 1, 4), rel=0.06)
    gaps, services = q.draw_times(500, 0.6, 1, seed=3), q.draw_times(500, 1.0, 1, seed=4)
    for servers in (1, 3):                                   # written out: each job goes to whoever is free first
        free, now, waits = np.zeros(servers), 0.0, []
        for gap, service in zip(gaps, services * servers / 2, strict=True):
            now += gap
            who = free.argmin()
            waits.append(max(0.0, free[who] - now))
            free[who] = now + waits[-1] + service
        assert q.simulate_queue(gaps, services * servers / 2, servers) == pytest.approx(np.array(waits))
    assert (q.simulate_queue(gaps, services, 500) == 0).all()


@pytest.mark.parametrize("cv2", [0, 0.3, 1, 6])
def test_times_have_the_mean_and_the_variability_asked_for(cv2):
    times = q.draw_times(400_000, 3.0, cv2, seed=0)
    assert times.mean() == pytest.approx(3, rel=0.02) and times.var() / 9 == pytest.approx(cv2, rel=0.05, abs=1e-12)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: q.kingman(1.0, 2), "utilisation must be below 1, found 1.0: the queue would grow for ever"),
    (lambda: q.kingman(-0.1, 2), "utilisation must be 0 or more, found -0.1"),
    (lambda: q.kingman(0.5, 0), "service_time must be above 0, found 0"),
    (lambda: q.kingman(0.5, 1, service_cv2=-1), "service_cv2 must be 0 or more, found -1"),
    (lambda: q.erlang_c(0.5, 1.5), "num_servers must be a whole number of at least 1, found 1.5"),
    (lambda: q.draw_times(5, 1, float("nan")), "cv2 must be finite, found nan"),
    (lambda: q.simulate_queue([1, 2], [1]), r"same length, found shapes \[2\] and \[1\]"),
    (lambda: q.simulate_queue([], []), r"found shapes \[0\] and \[0\]"),
    (lambda: q.simulate_queue([1, -2], [1, 1]), "gaps must be 0 or more, found -2.0"),
    (lambda: q.simulate_queue([1, 2], [1, None]), "services must be 0 or more, found nan"),
    (lambda: Waiting({"devices": 3}), "start value 'devices' is unknown"),
    (lambda: Waiting({"utilisation": 1.0}), "Input utilisation: 1.0 is not between"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_explorer_says_what_the_formula_says():
    found = Waiting.compute(**Waiting.cases()[0])
    assert found["wait"] == pytest.approx(36) and found["times"] == pytest.approx(9)
    assert found["queue"] == pytest.approx(0.9 / 4 * 36)     # Little's law
