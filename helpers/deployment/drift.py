"""Drift of requests: two-sample statistics, and a monitor whose threshold keeps a stated rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

STATISTICS = ("mmd", "psi")
_EXPECTED_BEYOND = 25      # calibration draws beyond the threshold; their number is uncertain by its root, 20 per cent
_CHUNK = 2_000             # calibration draws at a time, to keep memory small


@dataclass(frozen=True)
class Reading:
    """What the monitor says at the end of a window.

    Attributes:
        num_requests: requests seen so far.
        statistic: distance of the window from the reference.
        threshold: value above which the alarm rings.
    """

    num_requests: int
    statistic: float
    threshold: float

    @property
    def alarm(self) -> bool:
        """Whether the statistic is above the threshold."""
        return self.statistic > self.threshold


def psi(reference: ArrayLike, current: ArrayLike, *, num_bins: int = 10) -> float:
    """Return the population stability index Σ (q − p) ln(q / p) over bins with equal shares of the reference.

    Half an observation is added to each bin, so that an empty one does not make it infinite. Without drift it is on
    average about (bins − 1)(1/n + 1/m) for samples of n and m.

    Args:
        reference: [n] numbers from before.
        current: [m] numbers of now.
        num_bins: bins; fewer are used where the reference repeats values.

    Raises:
        ValueError: fewer than two numbers on a side, one that is not finite, or fewer than two bins.

    Derived in: book/project/serving.
    """
    before, now = _rows(reference, "reference"), _rows(current, "current")
    if before.shape[1] != 1 or now.shape[1] != 1:
        raise ValueError(f"psi compares single numbers, got {before.shape[1]} and {now.shape[1]} features: "
                         "pass one feature, or use mmd")
    edges = _edges(before[:, 0], num_bins)
    return float(_index(_counts(before[:, 0], edges), _counts(now[:, 0], edges)))


def mmd(reference: ArrayLike, current: ArrayLike, *, bandwidth: float | None = None) -> float:
    """Return the squared maximum mean discrepancy of two samples with a Gaussian kernel, unbiased: about 0 if equal.

    Args:
        reference: [n, d] vectors from before.
        current: [m, d] vectors of now.
        bandwidth: width σ of exp(−|x − y|² / 2σ²); None takes the median distance within the reference.

    Raises:
        ValueError: shapes do not fit, fewer than two vectors on a side, a number is not finite, or the width is not
            above 0.

    Source: rabanser2019. Derived in: book/project/serving.
    """
    before, now = _rows(reference, "reference"), _rows(current, "current")
    _same_width(before, now)
    width = _width(before) if bandwidth is None else bandwidth
    if not width > 0:
        raise ValueError(f"bandwidth must be above 0, got {bandwidth!r}")
    n, m = len(before), len(now)
    within = (_kernel(before, before, width).sum() - n) / (n * (n - 1))
    return float(within + (_kernel(now, now, width).sum() - m) / (m * (m - 1)) - 2 * _kernel(now, before, width).mean())


class Monitor:
    """Compare each full window of requests with a reference, with an alarm above a threshold.

    The threshold comes from the reference alone: it is cut again and again, at random, into a window and the rest, and
    the distances of such windows, which have not drifted, are ranked.

    Args:
        reference: [n, d] features of requests from a time that counts as normal, or [n] for one feature.
        window: requests in a window.
        horizon: number of windows over which false alarms are counted.
        false_alarms: chance of at least one alarm within the horizon although nothing has changed, in (0, 1).
        statistic: "mmd" for vectors, "psi" for one feature.
        seed: of the random cuts.

    Raises:
        ValueError: an option out of range, a reference of less than four windows, or a number that is not finite.

    Source: rabanser2019, gama2014. Derived in: book/project/serving.
    """

    def __init__(
        self, reference: ArrayLike, *, window: int = 40, horizon: int = 25, false_alarms: float = 0.05,
        statistic: str = "mmd", seed: int = 0,
    ) -> None:
        rows = _rows(reference, "reference")
        for name, number, least in (("window", window, 2), ("horizon", horizon, 1)):
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, got {number!r}")
        if statistic not in STATISTICS:
            raise ValueError(f"unknown statistic {statistic!r}: use one of {', '.join(STATISTICS)}")
        if not 0 < false_alarms < 1:
            raise ValueError(f"false_alarms is a chance between 0 and 1, got {false_alarms!r}")
        if len(rows) < 4 * window:
            raise ValueError(f"the reference has {len(rows)} requests; a window of {window} needs at least "
                             f"{4 * window}: collect more, or take a smaller window")
        if statistic == "psi" and rows.shape[1] != 1:
            raise ValueError(f"psi watches one feature, the reference has {rows.shape[1]}: pass one, or use mmd")
        self.reference, self.window, self.statistic = rows, window, statistic
        self.level = 1 - (1 - false_alarms) ** (1 / horizon)     # chance of a false alarm in one window
        self.num_requests = 0
        self._waiting: list[np.ndarray] = []
        if statistic == "mmd":
            self._width = _width(rows)
            gram = _kernel(rows, rows, self._width)
            self._within = (gram.sum() - len(rows)) / (len(rows) * (len(rows) - 1))
        else:
            self._edges = _edges(rows[:, 0], 10)
            gram = np.eye(len(self._edges) + 1)[np.searchsorted(self._edges, rows[:, 0], side="right")]
        self.threshold = self._calibrated(gram, np.random.default_rng(seed))

    def distance(self, rows: ArrayLike) -> float:
        """Return the statistic of the requests ``rows`` [m, d] against the reference."""
        now = _rows(rows, "requests")
        _same_width(self.reference, now)
        if self.statistic == "psi":
            return float(_index(_counts(self.reference[:, 0], self._edges), _counts(now[:, 0], self._edges)))
        m = len(now)
        across = _kernel(now, self.reference, self._width).mean()
        return float(self._within + (_kernel(now, now, self._width).sum() - m) / (m * (m - 1)) - 2 * across)

    def add(self, features: ArrayLike) -> Reading | None:
        """Take the features [d] of one request; at the end of a window return its reading, else None.

        Raises:
            ValueError: another number of features, or one that is not finite.
        """
        row = np.atleast_1d(np.asarray(features, dtype=np.float64))
        if row.shape != self.reference.shape[1:] or not np.isfinite(row).all():
            raise ValueError(f"a request has {self.reference.shape[1]} finite features, got {row.tolist()!r}"[:300])
        self._waiting.append(row)
        self.num_requests += 1
        if len(self._waiting) < self.window:
            return None
        rows, self._waiting = np.stack(self._waiting), []
        return Reading(self.num_requests, self.distance(rows), self.threshold)

    def readings(self, rows: ArrayLike) -> Iterator[Reading]:
        """Yield the reading of each full window of ``rows`` [n, d]."""
        rows = np.asarray(rows, dtype=np.float64)
        for row in rows:
            if (reading := self.add(row)) is not None:
                yield reading

    def _calibrated(self, gram: np.ndarray, rng: np.random.Generator) -> float:
        """Quantile 1 − level of the statistic over random cuts of the reference into a window and the rest."""
        n, m = len(self.reference), self.window
        num, found = math.ceil(_EXPECTED_BEYOND / self.level), []
        while num > 0:                                           # one order gives n // m windows without overlap
            orders = rng.permuted(np.tile(np.arange(n), (min(_CHUNK, num) // (n // m) + 1, 1)), axis=1)
            windows = orders[:, :n // m * m].reshape(-1, m)
            found.append(self._cuts(gram, windows))
            num -= len(windows)
        return float(np.quantile(np.concatenate(found), 1 - self.level))

    def _cuts(self, gram: np.ndarray, windows: np.ndarray) -> np.ndarray:
        """The statistic of each of ``windows`` [k, m], rows of the reference, against the rest of it."""
        n, m = len(self.reference), self.window
        if self.statistic == "psi":
            seen = gram[windows].sum(axis=1)
            return _index(gram.sum(axis=0) - seen, seen)
        chosen = np.zeros((len(windows), n), dtype=gram.dtype)
        np.put_along_axis(chosen, windows, 1.0, axis=1)
        seen = chosen @ gram
        inside = (chosen * seen).sum(axis=1)
        across = seen.sum(axis=1) - inside
        outside = gram.sum() - inside - 2 * across
        rest = n - m
        return (inside - m) / (m * (m - 1)) + (outside - rest) / (rest * (rest - 1)) - 2 * across / (m * rest)


def _rows(values: ArrayLike, name: str) -> np.ndarray:
    """Return [n, d] finite numbers, n at least 2."""
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise ValueError(f"{name} must be at least two rows of features [n, d], got shape {list(np.shape(values))}")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} must be finite, found {float(rows[~np.isfinite(rows)][0])!r}: check the features")
    return rows


def _same_width(before: np.ndarray, now: np.ndarray) -> None:
    if before.shape[1] != now.shape[1]:
        raise ValueError(f"both samples need the same features, got {before.shape[1]} and {now.shape[1]}")


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances [n, m]."""
    return np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0)


def _kernel(x: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-_distances(x, y) / (2 * width**2))


def _width(rows: np.ndarray) -> float:
    """Median distance between different rows; 1 where they are all equal."""
    upper = np.triu_indices(len(rows), 1)
    return float(np.sqrt(np.median(_distances(rows, rows)[upper]))) or 1.0


def _edges(values: np.ndarray, num_bins: int) -> np.ndarray:
    if isinstance(num_bins, bool) or not isinstance(num_bins, int | np.integer) or num_bins < 2:
        raise ValueError(f"num_bins must be a whole number of at least 2, got {num_bins!r}")
    return np.unique(np.quantile(values, np.arange(1, num_bins) / num_bins))


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _index(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Population stability index of counts [..., bins]."""
    p, q = (c + 0.5 for c in (np.asarray(before, dtype=np.float64), np.asarray(now, dtype=np.float64)))
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    return ((q - p) * np.log(q / p)).sum(axis=-1)
