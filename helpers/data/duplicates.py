"""Exact and near copies in a pile of texts: shingles, Jaccard, MinHash, and bands that bring likely pairs together."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from helpers.data.base import checked_whole

PRIME = 2**31 - 1  # shingles are numbers below it, and so are the hash functions' values
_WORD = re.compile(r"\w+|[^\w\s]")
_FACTOR, _SPREAD = np.uint64(6364136223846793005), np.uint64(0x9E3779B97F4A7C15)


class Pair(NamedTuple):
    """Places of two texts, the first before the second, and their Jaccard similarity."""

    first: int
    second: int
    jaccard: float


def shingles(text: str, size: int = 5) -> np.ndarray:
    """Return the runs of ``size`` words and signs of a text as different numbers, rising: int64 [shingles].

    White space does not count, capitals do. A text with fewer words is one run; an empty one has none.

    Arguments:
        text: any text.
        size: words and signs in a run.

    Raises:
        ValueError: a size below 1.

    Source: broder1997.
    """
    checked_whole("size", size)
    words = np.array([zlib.crc32(word.encode()) for word in _WORD.findall(text)], np.uint64)
    if not len(words):
        return np.empty(0, np.int64)
    size = min(size, len(words))
    found = np.zeros(len(words) - size + 1, np.uint64)
    for place in range(size):  # a polynomial of the run, modulo 2**64
        found = found * _FACTOR + words[place:place + len(found)]
    found = (found ^ (found >> np.uint64(31))) * _SPREAD >> np.uint64(33)
    return np.unique(found % np.uint64(PRIME)).astype(np.int64)


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Return the size of the intersection over that of the union of two sets of shingles; 0 for two empty sets.

    Source: broder1997. Derived in: book/concepts/data_preparation.
    """
    shared = len(np.intersect1d(first, second, assume_unique=True))
    union = len(first) + len(second) - shared
    return shared / union if union else 0.0


def signature(found: np.ndarray, num_hashes: int = 128, *, seed: int = 0) -> np.ndarray:
    """Return the smallest value of each of ``num_hashes`` hash functions over a set of shingles: int64 [num_hashes].

    Two sets agree in one place with a probability equal to their Jaccard similarity (very nearly: the functions are
    (a·x + b) mod p). An empty set gets p itself in every place.

    Raises:
        ValueError: a number of hashes below 1.

    Source: broder1997. Derived in: book/concepts/data_preparation.
    """
    checked_whole("num_hashes", num_hashes)
    rng = np.random.default_rng([seed, 47])
    a = rng.integers(1, PRIME, (num_hashes, 1), dtype=np.uint64)
    b = rng.integers(0, PRIME, (num_hashes, 1), dtype=np.uint64)
    if not len(found):
        return np.full(num_hashes, PRIME, np.int64)
    return ((a * found.astype(np.uint64) + b) % np.uint64(PRIME)).min(1).astype(np.int64)


def chance(similarity: float | np.ndarray, bands: int, rows: int) -> float | np.ndarray:
    """Return the probability that a pair becomes a candidate: 1 − (1 − J^rows)^bands.

    Arguments:
        similarity: Jaccard similarity J of the pair, in [0, 1].
        bands: groups of places of the signature; one that agrees whole is enough.
        rows: places in a band.

    Raises:
        ValueError: a similarity outside [0, 1], or bands or rows below 1.

    Source: broder1997. Derived in: book/concepts/data_preparation.
    """
    checked_whole("bands", bands)
    checked_whole("rows", rows)
    values = np.asarray(similarity, float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"a Jaccard similarity lies in 0 … 1, found {similarity!r}")
    return 1 - (1 - values**rows) ** bands


def candidates(signatures: np.ndarray, bands: int, rows: int) -> set[tuple[int, int]]:
    """Return pairs of places whose signatures agree in all rows of at least one band.

    Arguments:
        signatures: [texts, at least bands · rows].

    Raises:
        ValueError: bands or rows below 1, or bands · rows exceeds the length of the signatures.
    """
    needed = checked_whole("bands", bands) * checked_whole("rows", rows)
    if signatures.ndim != 2 or signatures.shape[1] < needed:
        raise ValueError(f"{bands} bands of {rows} rows need signatures [texts, {needed} or more], "
                         f"found the shape {list(signatures.shape)}")
    found: set[tuple[int, int]] = set()
    for band in range(bands):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for place, row in enumerate(signatures[:, band * rows:(band + 1) * rows]):
            buckets[row.tobytes()].append(place)
        for places in buckets.values():
            found.update(combinations(places, 2))
    return found


def near_duplicates(
    texts: Sequence[str], *, threshold: float = 0.7, bands: int = 20, rows: int = 5, size: int = 5, seed: int = 0
) -> list[Pair]:
    """Return the pairs of texts with a Jaccard similarity of at least ``threshold``: found by MinHash, then checked.

    Every pair that is returned is right. A pair is missed with probability 1 − ``chance(J, bands, rows)``.

    Arguments:
        texts: any texts; those without a word are nobody's copy.
        threshold: of the similarity, above 0 and at most 1.
        bands, rows: see ``chance``.
        size: words in a shingle.
        seed: of the hash functions.

    Raises:
        ValueError: a threshold out of range, or a number below 1.

    Derived in: book/concepts/data_preparation.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the threshold is a Jaccard similarity above 0 and at most 1, found {threshold!r}")
    sets = [shingles(text, size) for text in texts]
    filled = [place for place, found in enumerate(sets) if len(found)]
    num_hashes = checked_whole("bands", bands) * checked_whole("rows", rows)
    signatures = np.array([signature(sets[place], num_hashes, seed=seed) for place in filled])
    likely = candidates(signatures, bands, rows) if filled else set()
    pairs = (Pair(filled[i], filled[j], jaccard(sets[filled[i]], sets[filled[j]])) for i, j in sorted(likely))
    return [pair for pair in pairs if pair.jaccard >= threshold]


def exact_duplicates(texts: Sequence[str]) -> list[list[int]]:
    """Return groups of places at which the same text stands, each group with two places or more."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        places[text].append(place)
    return [group for group in places.values() if len(group) > 1]


def keep(num: int, pairs: Iterable[tuple[int, int] | Pair]) -> list[int]:
    """Return which of ``num`` texts stay: each one that is no copy of one that stays before it.

    Raises:
        ValueError: a pair names a place that does not exist, or one text twice.
    """
    partners: dict[int, set[int]] = defaultdict(set)
    for first, second, *_ in pairs:
        if not 0 <= min(first, second) < max(first, second) < num:
            raise ValueError(f"a pair names two different places in 0 … {num - 1}, found ({first}, {second})")
        partners[max(first, second)].add(min(first, second))
    staying: set[int] = set()
    for place in range(num):
        if not partners[place] & staying:
            staying.add(place)
    return sorted(staying)


def contained(text: str, known: np.ndarray, size: int = 13) -> float:
    """Return the share of the runs of ``size`` words of ``text`` that stand in ``known``.

    Arguments:
        text: such as one that a model is evaluated on; without words its share is 0.
        known: shingles of the same size, rising, such as those of the training text.
        size: words in a run.

    Raises:
        ValueError: a size below 1.
    """
    found = shingles(text, size)
    if not len(found) or not len(known):
        return 0.0
    return float((known[np.searchsorted(known, found).clip(max=len(known) - 1)] == found).mean())
