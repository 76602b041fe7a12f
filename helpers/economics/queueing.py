"""Queues for shared devices: waiting by formula (Erlang, Kingman, Allen and Cunneen) and by simulation."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from helpers.economics import checks


def kingman(utilisation: float, service_time: float, *, arrival_cv2: float = 1.0, service_cv2: float = 1.0) -> float:
    """Return the mean wait before one server: ρ/(1 − ρ) · (c_a² + c_s²)/2 · τ.

    Exact for random (Poisson) arrivals, where it is the formula of Pollaczek and Khinchine; else an approximation that
    becomes exact as the utilisation approaches 1.

    Args:
        utilisation: share ρ of the time in which the server is busy, below 1.
        service_time: mean service time τ; the wait has its unit.
        arrival_cv2: variance over squared mean of the times between arrivals; 1 for random arrivals.
        service_cv2: variance over squared mean of the service times.

    Raises:
        ValueError: the utilisation is 1 or more, or a number is negative.

    Source: kingman1961. Derived in: book/outlook/management.
    """
    rho, tau = _utilisation(utilisation), checks.positive("service_time", service_time)
    mixed = checks.not_negative("arrival_cv2", arrival_cv2) + checks.not_negative("service_cv2", service_cv2)
    return rho / (1 - rho) * mixed / 2 * tau


def erlang_c(utilisation: float, num_servers: int) -> float:
    """Return the chance that a random arrival has to wait, with exponential service times (M/M/c).

    Args:
        utilisation: share of the servers that are busy on average, below 1.
        num_servers: servers c that share one queue.

    Raises:
        ValueError: the utilisation is 1 or more, or the servers are not a whole number above 0.

    Derived in: book/outlook/management.
    """
    rho, servers = _utilisation(utilisation), checks.count("num_servers", num_servers)
    blocked = 1.0                                            # Erlang B, one server after the other: never overflows
    for k in range(1, servers + 1):
        blocked = rho * servers * blocked / (k + rho * servers * blocked)
    return blocked / (1 - rho * (1 - blocked))


def shared_wait(utilisation: float, service_time: float, num_servers: int, *, arrival_cv2: float = 1.0,
                service_cv2: float = 1.0) -> float:
    """Return the mean wait before several servers with one queue: (c_a² + c_s²)/2 · C/(c(1 − ρ)) · τ.

    Exact for random arrivals and exponential service (M/M/c); with one server it is `kingman`; else the approximation
    of Allen and Cunneen.

    Args:
        utilisation, service_time, arrival_cv2, service_cv2: see `kingman`.
        num_servers: servers c that share one queue.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/management.
    """
    waits, servers = erlang_c(utilisation, num_servers), checks.count("num_servers", num_servers)
    mixed = checks.not_negative("arrival_cv2", arrival_cv2) + checks.not_negative("service_cv2", service_cv2)
    tau = checks.positive("service_time", service_time)
    return mixed / 2 * waits * tau / (servers * (1 - float(utilisation)))


def draw_times(num_jobs: int, mean: float, cv2: float, *, seed: int = 0) -> np.ndarray:
    """Draw positive times: all equal for cv2 = 0, gamma below 1, exponential at 1, above 1 many short and few long.

    Above 1 the times are a mixture of two exponentials with balanced means (hyperexponential).

    Args:
        num_jobs: how many.
        mean: mean time.
        cv2: variance over squared mean.
        seed: seed of NumPy's generator; the global generator is not touched.

    Returns:
        [num_jobs] times.

    Raises:
        ValueError: a number is out of its range.

    Derived in: book/outlook/management.
    """
    num_jobs, mean = checks.count("num_jobs", num_jobs), checks.positive("mean", mean)
    cv2, rng = checks.not_negative("cv2", cv2), np.random.default_rng(seed)
    if cv2 == 0:
        return np.full(num_jobs, mean)
    if cv2 <= 1:
        return rng.gamma(1 / cv2, mean * cv2, num_jobs)
    short = (1 + np.sqrt((cv2 - 1) / (cv2 + 1))) / 2         # share of the short times
    scale = np.where(rng.random(num_jobs) < short, mean / (2 * short), mean / (2 * (1 - short)))
    return scale * rng.standard_exponential(num_jobs)


def simulate_queue(gaps: Sequence[float], services: Sequence[float], num_servers: int = 1) -> np.ndarray:
    """Return how long each job waits, first come, first served.

    Args:
        gaps: [num_jobs] time from the arrival before; the first counts from an empty system.
        services: [num_jobs] service times.
        num_servers: servers that share the queue.

    Returns:
        [num_jobs] waits.

    Raises:
        ValueError: lengths differ, nothing arrives, or a time is negative or missing.

    Derived in: book/outlook/management.
    """
    gaps, services = np.asarray(gaps, dtype=np.float64), np.asarray(services, dtype=np.float64)
    if gaps.ndim != 1 or gaps.shape != services.shape or not len(gaps):
        raise ValueError(f"gaps and services must be two lists of the same length, found shapes {list(gaps.shape)} and "
                         f"{list(services.shape)}; give one of each for every job.")
    for name, values in (("gaps", gaps), ("services", services)):
        if not (np.isfinite(values).all() and values.min() >= 0):
            bad = values[~(np.isfinite(values) & (values >= 0))][0]
            raise ValueError(f"{name} must be 0 or more, found {float(bad)!r}; check the times.")
    if checks.count("num_servers", num_servers) == 1:
        surplus = np.concatenate([[0.0], np.cumsum(services[:-1] - gaps[1:])])
        return surplus - np.minimum.accumulate(surplus)      # Lindley's recursion, all jobs at once
    free, waits = [0.0] * num_servers, np.empty(len(gaps))
    for k, (now, service) in enumerate(zip(np.cumsum(gaps).tolist(), services.tolist(), strict=True)):
        start = max(now, free[0])
        waits[k] = start - now
        heapq.heapreplace(free, start + service)
    return waits


def _utilisation(utilisation: float) -> float:
    """Return a utilisation of at least 0 and below 1."""
    rho = checks.not_negative("utilisation", utilisation)
    if rho >= 1:
        raise ValueError(f"utilisation must be below 1, found {utilisation!r}: the queue would grow for ever; add "
                         "devices or turn work away.")
    return rho
