"""A task whose memory length can be chosen: name the first symbol of a sequence after reading all the others."""

from __future__ import annotations

import torch

from helpers.data.base import Card, Dataset, Split

NUM_CLASSES, NUM_DISTRACTORS = 4, 4
CARD = Card(
    name="first_symbol", title="Remember the first symbol",
    origin="generated: the first symbol is one of four letters, then follow `length` symbols of four other kinds, all "
           "drawn at random; the class is the first symbol",
    licence="MIT, as the code of this book", size="3,200 / 800 / 800 sequences of length + 1 symbols", real="simulated",
    limits="nothing in the distractors helps, so the task measures memory alone; guessing is right in a quarter")


def load(*, seed: int = 0, length: int = 15, num_examples: int = 4800) -> Dataset:
    """Sequences x [n, length + 1] of symbols 0 … 7; the class y [n] is the first of them, 0 … 3.

    Arguments:
        seed: of the symbols.
        length: symbols between the first one and the end.
        num_examples: sequences in all three splits together, shared out 4 : 1 : 1; at least 6.

    Raises:
        ValueError: a length below 1 or fewer than 6 examples.
    """
    for name, value, least in (("length", length, 1), ("num_examples", num_examples, 6)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(NUM_CLASSES, NUM_CLASSES + NUM_DISTRACTORS, (num_examples, length + 1), generator=generator)
    x[:, 0] = torch.randint(NUM_CLASSES, (num_examples,), generator=generator)
    held_out = num_examples // 6
    parts = x.split([num_examples - 2 * held_out, held_out, held_out])
    return Dataset(*(Split(part, part[:, 0].clone()) for part in parts), CARD, ["a", "b", "c", "d"])
