"""A task with two kinds of questions about the same text: find one fact, or use two of them."""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.data.base import Card, Dataset, Split

NUM_KEYS, NUM_VALUES, NUM_FACTS, NUM_QUESTIONS = 8, 4, 8, 4
# token numbers: a fact is key · NUM_VALUES + value; then come four kinds of others
FIND = NUM_KEYS * NUM_VALUES      # + key: what is its value?
ADD = FIND + NUM_KEYS             # + key, first half of the other question
WITH = ADD + NUM_KEYS             # + key, second half: what is the sum of the two values, modulo NUM_VALUES?
FILLER = WITH + NUM_KEYS          # + 0 … 3, says nothing
VOCABULARY = FILLER + 4
IGNORED = -100                    # target of a token that is no question
CARD = Card(
    name="facts", title="Find one fact, or use two",
    origin="generated: 8 facts (a key with a value from 0 to 3) in random places of a text of filler tokens, then 4 "
           "questions for the value of a key and 4 for the sum of two values, modulo 4",
    licence="MIT, as the code of this book", size="num_train / 1,000 / 1,000 texts of length + 12 tokens",
    real="simulated", limits="facts are single tokens and stand once, nothing else in the text resembles them: easier "
                             "than any real text; guessing is right in a quarter")


def load(*, seed: int = 0, length: int = 20, num_train: int = 32_000) -> Dataset:
    """Texts x [n, length + 12] of token numbers and targets y, 0 … 3 where a question ends, −100 elsewhere.

    After ``length`` tokens with the facts come, four times: ``FIND + key``; ``ADD + key``, ``WITH + key``.

    Arguments:
        seed: of everything.
        length: tokens before the questions, at least 8; what is no fact is filler.
        num_train: texts in the training split.

    Raises:
        ValueError: a length below 8, or no text to train on.
    """
    for name, value, least in (("length", length, NUM_FACTS), ("num_train", num_train, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    generator = torch.Generator().manual_seed(seed)
    return Dataset(*(Split(*_texts(num, length, generator)) for num in (num_train, 1000, 1000)), CARD)


def places(x: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Where the fact asked for stands: for the FIND questions [n, 4], for the two keys of the others [n, 4, 2]."""
    text, asked = x[:, :length], x[:, length:].view(len(x), NUM_QUESTIONS, 3) - FIND
    keys = torch.where(text < FIND, text // NUM_VALUES, -1)
    found = (keys[:, None, None, :] == (asked % NUM_KEYS)[..., None]).int().argmax(dim=-1)
    return found[..., 0], found[..., 1:]


def _texts(num: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    keys = torch.rand(num, NUM_KEYS, generator=generator).argsort(dim=1)[:, :NUM_FACTS]
    values = torch.randint(0, NUM_VALUES, (num, NUM_FACTS), generator=generator)
    text = FILLER + torch.randint(0, VOCABULARY - FILLER, (num, length), generator=generator)
    where = torch.rand(num, length, generator=generator).argsort(dim=1)[:, :NUM_FACTS]
    parts = [text.scatter(1, where, keys * NUM_VALUES + values)]
    targets = [torch.full_like(text, IGNORED)]
    for _ in range(NUM_QUESTIONS):
        three = torch.rand(num, NUM_FACTS, generator=generator).argsort(dim=1)[:, :3]
        key, value = keys.gather(1, three), values.gather(1, three)
        parts.append(key + torch.tensor([FIND, ADD, WITH]))
        both = (value[:, 1] + value[:, 2]) % NUM_VALUES
        targets.append(torch.stack((value[:, 0], torch.full_like(both, IGNORED), both), dim=1))
    return torch.cat(parts, dim=1), torch.cat(targets, dim=1)
