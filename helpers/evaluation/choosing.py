"""Measures of written summaries that a person understands: is the right one found among others, which words are hit.

Derived in: book/project/fine_tuning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.models import Decoder
from helpers.training.answers import Row, batch, log_likelihoods
from helpers.training.losses import IGNORED

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
    model: Decoder, rows: Sequence[Row], chosen: np.ndarray, sign: list[int], *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """How well each candidate fits each prompt: log p(answer | prompt) − log p(answer | sign), nats [n, k].

    The second term takes away what makes a sentence likely after any function, such as being short.

    Arguments:
        model: a decoder in evaluation mode.
        rows: prompt (two tokens or more) and answer of each example, in tokens.
        chosen: numbers of the candidates of each example [n, k], from ``candidates``.
        sign: the tokens of a prompt without any function.
        dtype: float32, or bfloat16 for the matrix products.
    """
    plain = log_likelihoods(model, [(sign, answer) for _, answer in rows], dtype=dtype)
    where = next(model.parameters()).device
    fitting = torch.empty(chosen.shape)
    for i, numbers in enumerate(chosen):
        prompt, answers = rows[i][0], [rows[j][1] for j in numbers]
        x, y = batch([(prompt[-1:], answer) for answer in answers])
        caches = model.caches(1)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            model(torch.tensor([prompt[:-1]], device=where), caches)      # the prompt is read once
            for cache in caches:
                cache.keys, cache.values = (part.repeat(len(answers), 1, 1, 1) for part in (cache.keys, cache.values))
            logits = model(x.to(where), caches).float()
        losses = F.cross_entropy(logits.transpose(1, 2), y.to(where), ignore_index=IGNORED, reduction="none")
        fitting[i] = -losses.sum(dim=1).cpu()
    return fitting - plain[torch.from_numpy(chosen)]
