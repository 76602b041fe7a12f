"""Drawing the next token for several texts at once, each with its own temperature, cuts and random numbers.

``generate.probabilities`` has one temperature and one cut for all rows, and ``generate.written`` draws all rows from
one generator. That will not do for requests that share a batch: each brings settings of its own, and its tokens must be
the same whoever else is in the batch. So a row's token follows here from its own random number, and all rows are ranked
together, the likeliest candidates only, because this runs between any two steps of the model. The chances are the same,
which the tests check.

Letters in shapes: n texts of a step, V vocabulary, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from helpers.models._count import checked_size

_CANDIDATES = 128   # likeliest tokens that are ranked; a text that needs more of them is ranked in full


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How one text's tokens are drawn.

    Arguments:
        temperature: the logits are divided by it; 0 takes the likeliest token.
        top_k: keep the k likeliest tokens; None keeps all.
        top_p: keep the likeliest tokens until their chances add up to p or more, in (0, 1]; None keeps all.

    Raises:
        ValueError: an option out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be a number from 0 (the likeliest token) up, got {self.temperature!r}")
        if self.top_k is not None:
            checked_size("top_k", self.top_k)
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p is a share of probability in (0, 1], or None, got {self.top_p!r}")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken, without chance."""
        return self.temperature == 0.0 or self.top_k == 1


def draw(logits: Tensor, choices: Sequence[Choice], uniforms: Sequence[float]) -> list[int]:
    """One token a text, by turning over its cumulative chances; same chances as ``generate.probabilities``.

    What a text gets depends on its own row, choice and random number alone, never on the other rows.

    Arguments:
        logits: [n, V].
        choices: n of them.
        uniforms: n random numbers in [0, 1).
    """
    values = logits.float().cpu().numpy()
    tokens = values.argmax(axis=1)
    drawn = [row for row, choice in enumerate(choices) if not choice.greedy]
    plain = [row for row in drawn if choices[row].top_k is None and choices[row].top_p in (None, 1.0)]
    cut = [row for row in drawn if choices[row].top_k is not None or choices[row].top_p not in (None, 1.0)]
    chances = _chances(values[drawn], [choices[row].temperature for row in drawn])
    of = {row: place for place, row in enumerate(drawn)}
    if plain:
        tokens[plain] = _turn_over(chances[[of[row] for row in plain]], [uniforms[row] for row in plain])
    if cut:
        some, wanted = chances[[of[row] for row in cut]], [choices[row] for row in cut]
        found, settled = _among(some, wanted, [uniforms[row] for row in cut], min(_CANDIDATES, some.shape[1]))
        for place in np.flatnonzero(~settled):   # a flat distribution: rank all of it
            one, _ = _among(some[[place]], [wanted[place]], [uniforms[cut[place]]], some.shape[1])
            found[place] = one[0]
        tokens[cut] = found
    return tokens.tolist()


def _chances(values: np.ndarray, temperatures: list[float]) -> np.ndarray:
    """Chances [n, V] of a temperature a row."""
    scaled = values / np.array(temperatures, np.float32)[:, None]
    chances = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return chances / chances.sum(axis=1, keepdims=True)


def _turn_over(chances: np.ndarray, uniforms: list[float]) -> np.ndarray:
    """The column [n] in which the running sum of each row [n, C] passes the share ``uniforms`` of its total."""
    running = chances.cumsum(axis=1, dtype=np.float64)
    passed = running <= np.array(uniforms)[:, None] * running[:, -1:]
    return np.minimum(passed.sum(axis=1), chances.shape[1] - 1)


def _among(
    chances: np.ndarray, choices: list[Choice], uniforms: list[float], num: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens [n] drawn from what the cuts leave of the ``num`` likeliest, and whether these were enough."""
    vocabulary = chances.shape[1]
    top = np.sort(np.argpartition(chances, vocabulary - num, axis=1)[:, vocabulary - num:], axis=1)
    order = np.argsort(-np.take_along_axis(chances, top, 1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, 1)
    ranked = np.take_along_axis(chances, top, 1).astype(np.float64)
    ks = np.array([choice.top_k or vocabulary for choice in choices])
    ps = np.array([1.0 if choice.top_p is None else choice.top_p for choice in choices])
    ranked[np.arange(num) >= ks[:, None]] = 0.0
    before = ranked.cumsum(axis=1) - ranked
    total = np.where(ks < vocabulary, ranked.sum(axis=1), chances.sum(axis=1, dtype=np.float64))
    reached = before + ranked >= (ps * total)[:, None]
    kept = before < (ps * total)[:, None]
    settled = (num == vocabulary) | (ks <= num) | ((ps < 1.0) & (ks >= vocabulary) & reached[:, -1])
    chosen = _turn_over(np.where(kept, ranked, 0.0), uniforms)
    return np.take_along_axis(top, chosen[:, None], 1)[:, 0], settled
