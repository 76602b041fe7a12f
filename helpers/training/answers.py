"""Supervised fine-tuning of a decoder on pairs of prompt and answer: the loss counts the tokens of the answer only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import device
from helpers.data.base import checked_whole, windows_at
from helpers.training import optimisers, schedules
from helpers.training.loop import TrainingDiverged
from helpers.training.losses import IGNORED

Row = tuple[list[int], list[int]]  # prompt and answer in tokens
_CHUNK = 64  # examples that are evaluated at once


def batch(rows: Sequence[Row], *, masked: bool = True) -> tuple[Tensor, Tensor]:
    """Put examples side by side: inputs and targets, int64 [examples, longest].

    A target is the next token where that belongs to the answer, and −100 in the prompt and behind the end.

    Arguments:
        rows: prompt and answer of each example, in tokens, neither of them empty.
        masked: False lets the tokens of the prompt count too.

    Raises:
        ValueError: no example, or one without prompt or answer.
    """
    if not rows:
        raise ValueError("there is no pair of prompt and answer to learn from")
    for number, (prompt, answer) in enumerate(rows):
        if not prompt or not answer:
            raise ValueError(f"pair {number} has an empty {'answer' if prompt else 'prompt'}: leave it out")
    length = max(len(prompt) + len(answer) for prompt, answer in rows) - 1
    x = torch.zeros(len(rows), length, dtype=torch.int64)
    y = torch.full((len(rows), length), IGNORED)
    for number, (prompt, answer) in enumerate(rows):
        tokens = torch.tensor([*prompt, *answer])
        x[number, :len(tokens) - 1] = tokens[:-1]
        first = len(prompt) - 1 if masked else 0
        y[number, first:len(tokens) - 1] = tokens[first + 1:]
    return x, y


@torch.no_grad()
def log_likelihoods(model: nn.Module, rows: Sequence[Row], *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Sum of the log-probabilities of the answer's tokens, in nats, for each pair [n].

    Arguments:
        model: a decoder; it is used in evaluation mode and left as it was.
        rows: pairs.
        dtype: float32, or bfloat16 for the matrix products.

    Raises:
        ValueError: as ``batch``.
    """
    was_training, where = model.training, next(model.parameters()).device
    model.eval()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + len(rows[i][1]))
    found = torch.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        some = order[start:start + _CHUNK]
        x, y = batch([rows[i] for i in some])
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            losses = _losses(model, x.to(where), y.to(where))
        found[torch.tensor(some)] = -torch.zeros(x.shape).masked_scatter(y != IGNORED, losses.cpu()).sum(dim=1)
    model.train(was_training)
    return found


def bits_per_byte(log_likelihoods: Tensor, answers: Sequence[str]) -> float:
    """Bits that the answers cost together, the closing token included, over their bytes in UTF-8."""
    return -float(log_likelihoods.sum()) / math.log(2) / sum(len(answer.encode()) for answer in answers)


def steps(
    model: nn.Module, rows: Sequence[Row], *, lr: float, num_steps: int, batch_size: int = 16, masked: bool = True,
    replay: np.ndarray | None = None, replay_share: float = 0.25, weight_decay: float = 0.0, seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Iterator[float]:
    """Tune what is trainable in ``model``, in place, with AdamW; yield the loss of each batch, before its update.

    The rate rises over the first tenth and falls to zero in a line. Examples of similar length share a batch; each
    pass takes every pair once, in an order of its own.

    Arguments:
        model: a decoder, as it is or with adapters.
        rows: pairs.
        lr: highest learning rate.
        num_steps: updates.
        batch_size: pairs in an update; fewer where there are fewer pairs.
        masked: False lets the tokens of the prompt count too.
        replay: tokens of earlier training text [n]; windows of it, one for four pairs, are learned in the same updates.
        replay_share: weight of the loss on that text, in (0, 1).
        weight_decay: of AdamW.
        seed: of the order.
        dtype: float32, or bfloat16 for the matrix products.

    Raises:
        ValueError: an option out of range, no pairs, too little to replay, or nothing to train.
        TrainingDiverged: the loss became NaN or infinite; the model keeps its last finite parameters.

    Derived in: book/project/fine_tuning.
    """
    optimisers.checked_rate(lr)
    checked_whole("num_steps", num_steps)
    checked_whole("batch_size", batch_size)
    if replay is not None and not 0.0 < replay_share < 1.0:
        raise ValueError(f"replay_share is a weight in (0, 1), got {replay_share!r}")
    longest = batch(rows)[0].shape[1]
    if replay is not None and len(replay) < longest + 2:
        raise ValueError(f"replay must have at least {longest + 2} tokens for pairs of this length, got {len(replay)}")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("every parameter of the model is frozen, so there is nothing to tune")
    where = parameters[0].device
    optimiser = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.95), weight_decay=weight_decay, fused=True)
    generator = np.random.default_rng([device.checked_seed(seed), 43])
    model.train()
    waiting: list[list[int]] = []
    for step in range(num_steps):
        waiting = waiting or _a_pass(rows, min(batch_size, len(rows)), generator)
        x, y = (part.to(where) for part in batch([rows[i] for i in waiting.pop()], masked=masked))
        for group in optimiser.param_groups:
            group["lr"] = lr * schedules.wsd(step, num_steps, warmup=0.1, decay=0.9)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            loss = _losses(model, x, y).mean()
        old = 0.0
        if replay is not None:
            starts = generator.integers(len(replay) - x.shape[1] - 1, size=max(1, len(x) // 4))
            text = windows_at(replay, starts, x.shape[1])
            with torch.autocast(where.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
                old = _losses(model, text.x.to(where), text.y.to(where)).mean()
        total = loss if replay is None else (1 - replay_share) * loss + replay_share * old
        if not torch.isfinite(total):
            raise TrainingDiverged(step + 1, 1, total.item(), lr)
        total.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        yield loss.item()
    model.eval()


def _losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy [counted] of the targets that count; logits are worked out for these alone, a fifth of a step."""
    counted = y != IGNORED
    if model.softcap is not None:
        logits = model(x)[counted]
    else:
        logits = model.output(model.stack(model.embedding(x))[counted])
    return F.cross_entropy(logits.float(), y[counted], reduction="none")


def _a_pass(rows: Sequence[Row], batch_size: int, generator: np.random.Generator) -> list[list[int]]:
    """Batches of one pass: shuffled, sorted by length within stretches of sixteen batches, in random order."""
    order = generator.permutation(len(rows))
    batches = []
    for start in range(0, len(rows), 16 * batch_size):
        stretch = sorted(order[start:start + 16 * batch_size], key=lambda i: len(rows[i][0]) + len(rows[i][1]))
        batches += [stretch[i:i + batch_size] for i in range(0, len(stretch), batch_size)]
    return [[int(i) for i in batches[k]] for k in generator.permutation(len(batches))]
