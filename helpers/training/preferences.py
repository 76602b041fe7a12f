"""Log-probabilities of answers, and preference optimisation on pairs of them.

Prompts are filled up on the left, answers on the right, both with the number of ``<|end|>``, so that all rows of a
batch have one shape and every answer begins at the same place.

Derived in: book/project/post_training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.models.transformer import Decoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = 0  # number of <|end|> in the house tokeniser


def encode_prompts(tokeniser: Tokenizer, prompts: Sequence[str], width: int) -> Tensor:
    """Token numbers [prompts, width], filled up with ``<|end|>`` on the left.

    Raises:
        ValueError: a prompt that has no room, or is empty.
    """
    rows = [tokeniser.encode(prompt).ids for prompt in prompts]
    for prompt, row in zip(prompts, rows, strict=True):
        if not 0 < len(row) < width:
            raise ValueError(f"a prompt needs 1 to {width - 1} tokens (one of {width} is kept for <|end|>), got "
                             f"{len(row)}: {prompt[:40]!r}")
    return torch.tensor([[END] * (width - len(row)) + row for row in rows])


def encode_answers(tokeniser: Tokenizer, answers: Sequence[str], width: int) -> Tensor:
    """Token numbers [answers, width]: each answer, ``<|end|>``, and the same as filling.

    Raises:
        ValueError: an answer that is longer than ``width - 1`` tokens.
    """
    rows = [tokeniser.encode(answer).ids for answer in answers]
    for answer, row in zip(answers, rows, strict=True):
        if len(row) >= width:
            raise ValueError(f"an answer has room for {width - 1} tokens and <|end|>, got {len(row)}: {answer[:40]!r}")
    return torch.tensor([row + [END] * (width - len(row)) for row in rows])


def answer_mask(answers: Tensor) -> Tensor:
    """Which tokens [B, R] count: all up to the first ``<|end|>`` and this one."""
    over = (answers == END).long().cumsum(dim=1)
    return (over == 0) | ((over == 1) & (answers == END))


def log_probabilities(model: Decoder, prompts: Tensor, answers: Tensor) -> Tensor:
    """Logarithm of the chance of each token of ``answers`` [B, R] after ``prompts`` [B, L]; 0 after its end.

    The tokens of the prompt are read, but not scored. Summed over the last dimension this is the log-probability of
    the whole answer.
    """
    rows = torch.cat([prompts, answers], dim=1)
    hidden = model.stack(model.embedding(rows[:, :-1]))[:, prompts.shape[1] - 1:]
    logits = model.output(hidden).float()                   # only where an answer is written
    found = -F.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none").view(answers.shape)
    return found * answer_mask(answers)


def dpo_loss(chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor, beta: float) -> Tensor:
    """Mean loss of direct preference optimisation, in nats.

    Arguments:
        chosen, rejected: log-probabilities [pairs] of whole answers, summed over their tokens.
        chosen_before, rejected_before: the same of the reference model.
        beta: how much a nat away from the reference counts; above 0.

    Raises:
        ValueError: beta that is not above 0, or tensors of different shapes.

    Source: rafailov2023.
    """
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta!r}: with 0 the loss is log 2 whatever the model says")
    shapes = {tuple(t.shape) for t in (chosen, rejected, chosen_before, rejected_before)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"dpo_loss takes four tensors [pairs] of whole answers, got shapes {sorted(shapes)}: sum the "
                         "log-probabilities of the tokens of each answer first")
    margin = (chosen - chosen_before) - (rejected - rejected_before)
    return -F.logsigmoid(beta * margin).mean()
