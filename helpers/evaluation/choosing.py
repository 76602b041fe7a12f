"""Measures of written summaries that a person understands: is the right one found among others, which words are hit.

Derived in: book/project/fine_tuning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from helpers.training.answers import Row, log_likelihoods

COMMON = frozenset("a an and are as at be by for from given in into is it its of on or that the their this to which "
                   "with return returns self".split())
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words(text: str) -> set[str]:
    """Content words of a text or name, in lower case; ``snake_case`` and ``camelCase`` are taken apart."""
    found = {word.lower() for word in _WORD.findall(text)} - COMMON
    return {word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found}


def overlap(written: str, right: str) -> float:
    """F1 of the content words of two texts, in [0, 1]; 0 where they share none."""
    ours, theirs = words(written), words(right)
    shared = len(ours & theirs)
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def candidates(num: int, num_candidates: int, *, seed: int = 0) -> np.ndarray:
    """For each of ``num`` examples its own number, then ``num_candidates`` − 1 random others [num, num_candidates].

    Raises:
        ValueError: fewer examples than candidates, or fewer than two candidates.
    """
    if not 2 <= num_candidates <= num:
        raise ValueError(f"num_candidates must lie in 2 … {num}, the number of examples, got {num_candidates}")
    generator = np.random.default_rng([seed, 47])
    others = [generator.choice(num - 1, num_candidates - 1, replace=False) for _ in range(num)]
    return np.array([[i, *(row + (row >= i))] for i, row in enumerate(others)])


@torch.no_grad()
def scores(
    model: nn.Module, rows: Sequence[Row], chosen: np.ndarray, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """How well each candidate fits each prompt: log p(answer | prompt) − log p(answer | sign alone), nats [n, k].

    The second term takes away what makes a sentence likely after any function, such as being short.

    Arguments:
        model: a decoder.
        rows: prompt and answer of each example; the last three tokens of a prompt are the sign that opens the answer.
        chosen: numbers of the candidates of each example [n, k], from ``candidates``.
        dtype: float32, or bfloat16 for the matrix products.
    """
    plain = log_likelihoods(model, [([rows[0][0][0], *sign(rows)], answer) for _, answer in rows], dtype=dtype)
    pairs = [(rows[i][0], rows[j][1]) for i, row in enumerate(chosen) for j in row]
    fitting = log_likelihoods(model, pairs, dtype=dtype).view(len(chosen), -1)
    return fitting - plain[torch.from_numpy(chosen)]
