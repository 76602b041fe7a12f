"""A language model that counts: interpolated Kneser–Ney over token numbers, all look-ups in sorted arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from helpers.models._count import checked_size

_BITS = 63  # of a key: order · bits of a token must not exceed it


@dataclass(frozen=True)
class _Level:
    """Counts of one order: sorted keys of whole n-grams, and of their contexts.

    Attributes: grams and counts [G]; contexts, totals (sum of counts) and kinds (different continuations) [C].
    """

    grams: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray
    discount: float


class NGram:
    """Probability of the next token from counts of what followed the last tokens, smoothed by Kneser–Ney.

    With h the last k − 1 tokens, h′ the same without the oldest, and a discount D of the order k:
    p(w | h) = max(c(h w) − D, 0) / c(h) + D · kinds(h) / c(h) · p(w | h′).
    The highest order uses counts, the lower ones the number of different tokens before; below order 1 stands 1 / V.

    Arguments:
        tokens: training text, whole numbers [n] in [0, vocabulary).
        vocabulary: number of different tokens V.
        order: longest n-gram, its last token included.

    Raises:
        ValueError: fewer tokens than the order, a token out of range, or an order too long for the vocabulary.

    Source: kneser1995, chen1999. Derived in: book/project/language_model.
    """

    def __init__(self, tokens: np.ndarray, vocabulary: int, *, order: int = 4) -> None:
        self.vocabulary, self.order = checked_size("vocabulary", vocabulary), checked_size("order", order)
        self._bits = max(1, math.ceil(math.log2(vocabulary)))
        if self._bits * order > _BITS:
            raise ValueError(f"order {order} with a vocabulary of {vocabulary} does not fit: "
                             f"take an order of at most {_BITS // self._bits}")
        tokens = self._checked(tokens)
        if len(tokens) < order:
            raise ValueError(f"an n-gram model of order {order} needs at least {order} tokens, got {len(tokens)}")
        self.levels: list[_Level] = []
        grams, counts = np.unique(self._keys(tokens, order), return_counts=True)
        for length in range(order, 0, -1):
            self.levels.insert(0, self._level(grams, counts))
            # the next lower order counts different n-grams, by their last length − 1 tokens
            grams, counts = np.unique(grams & self._mask(length - 1), return_counts=True)

    def log_probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Natural logarithm [n] of the probability of each of ``tokens`` [n], given those before it in the array."""
        tokens = self._checked(tokens)
        found = np.full(len(tokens), 1.0 / self.vocabulary)
        for length, level in enumerate(self.levels, start=1):
            keys = self._keys(tokens, length)
            found[length - 1:] = self._mix(level, keys >> self._bits, keys, found[length - 1:])
        return np.log(found)

    def distribution(self, context: np.ndarray) -> np.ndarray:
        """Probability [V] of every token after ``context`` (its last order − 1 tokens count; it may be empty)."""
        context = self._checked(np.asarray(context, dtype=np.int64))
        found, last = np.full(self.vocabulary, 1.0 / self.vocabulary), np.arange(self.vocabulary)
        for length, level in enumerate(self.levels[:len(context) + 1], start=1):
            history = 0
            for token in context[len(context) - length + 1:]:
                history = (history << self._bits) | int(token)
            keys = (history << self._bits) | last
            found = self._mix(level, np.full(self.vocabulary, history), keys, found)
        return found

    def sample(self, context: np.ndarray, num_tokens: int, *, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        """Continue ``context`` by ``num_tokens`` tokens drawn one after the other; only the new ones are returned.

        Raises:
            ValueError: a temperature that is not above 0.
        """
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature!r}")
        generator, written = np.random.default_rng(seed), list(context)
        for _ in range(num_tokens):
            last = np.array(written[len(written) - min(len(written), self.order - 1):], dtype=np.int64)
            chances = self.distribution(last) ** (1 / temperature)
            written.append(int(generator.choice(self.vocabulary, p=chances / chances.sum())))
        return np.array(written[len(context):])

    def _mix(self, level: _Level, contexts: np.ndarray, grams: np.ndarray, lower: np.ndarray) -> np.ndarray:
        where, known = _find(level.contexts, contexts)
        totals = np.where(known, level.totals[where], 1)
        kinds = np.where(known, level.kinds[where], 0)
        place, seen = _find(level.grams, grams)
        counts = np.where(seen, level.counts[place], 0)
        mixed = (np.maximum(counts - level.discount, 0) + level.discount * kinds * lower) / totals
        return np.where(known, mixed, lower)

    def _level(self, grams: np.ndarray, counts: np.ndarray) -> _Level:
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once and twice else 0.5
        contexts, starts, kinds = np.unique(grams >> self._bits, return_index=True, return_counts=True)
        return _Level(grams, counts, contexts, np.add.reduceat(counts, starts), kinds, discount)

    def _keys(self, tokens: np.ndarray, length: int) -> np.ndarray:
        """The last ``length`` tokens up to each place as one whole number [n − length + 1]."""
        num = max(0, len(tokens) - length + 1)
        keys = np.zeros(num, dtype=np.int64)
        for offset in range(length):
            keys = (keys << self._bits) | tokens[offset:offset + num]
        return keys

    def _mask(self, length: int) -> int:
        return (1 << (self._bits * length)) - 1

    def _checked(self, tokens: np.ndarray) -> np.ndarray:
        tokens = np.asarray(tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(f"the model expects whole token numbers [n], got {tokens.dtype} {list(tokens.shape)}")
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocabulary:
            raise ValueError(f"token numbers lie in 0 … {self.vocabulary - 1}, "
                             f"got {int(tokens.min())} … {int(tokens.max())}")
        return tokens.astype(np.int64)


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of ``wanted`` stands in the sorted ``keys``, and whether it is there."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted
