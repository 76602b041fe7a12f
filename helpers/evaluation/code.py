"""Checks of code that a model wrote: does it parse, and was it copied. Nothing here is executed.

Derived in: book/project/language_model.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers.metrics import Interval, wilson
from helpers.models.generate import generate
from helpers.models.transformer import Decoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PROMPT = "\n\n\ndef"          # a function at the left edge; no space at the end: it belongs to the token of the name
_AFTER = re.compile(r"\n(?=[^\s)\]}#])")  # the next line at the left edge that does not close a bracket


@dataclass(frozen=True)
class Function:
    """A function cut out of a text.

    Attributes:
        text: from ``def`` to the end of its last line.
        ended: the text went on after it, so nothing is cut off.
    """

    text: str
    ended: bool

    @property
    def accepted(self) -> bool:
        """Whether the whole function is there and is valid Python: one definition, and not the word ``default``."""
        return self.ended and parses(self.text) and self.text.startswith("def ")


def parses(text: str) -> bool:
    """Whether ``text`` is valid Python for the Python that runs; it is parsed, never executed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")        # such as an unknown escape in a string, which is valid all the same
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def first_function(text: str) -> Function:
    """Cut out the function with which ``text`` begins (after empty lines), up to the next line at the left edge."""
    text = text.lstrip("\n")
    after = _AFTER.search(text)
    return Function(text[:after.start()].rstrip() if after else text, after is not None)


def real_functions(text: str, tokeniser: Tokenizer, num_tokens: int) -> list[Function]:
    """All functions at the left edge of ``text``, each cut after ``num_tokens`` tokens as a sample would be."""
    found = []
    for match in re.finditer(PROMPT + " ", text):
        head = text[match.start():match.start() + 12 * num_tokens]
        ids = tokeniser.encode(head).ids[:num_tokens]
        found.append(first_function(tokeniser.decode(ids)))
    return found


def sample_functions(
    model: Decoder, tokeniser: Tokenizer, num: int, *, num_tokens: int = 224, temperature: float = 0.8,
    top_p: float | None = 0.95, batch_size: int = 100, seed: int = 0,
) -> list[Function]:
    """Let ``model`` write ``num`` functions after ``PROMPT``; a text ends at ``<|end|>`` or after ``num_tokens``.

    Arguments:
        model: a decoder of the tokeniser's vocabulary.
        tokeniser: with the token ``<|end|>``.
        num: functions.
        num_tokens: prompt and new tokens of a sample.
        temperature, top_p: as in ``models.generate.probabilities``.
        batch_size: samples that are written side by side.
        seed: of the draws.

    Raises:
        ValueError: an option out of range.
    """
    if isinstance(num, bool) or not isinstance(num, int) or num < 1:
        raise ValueError(f"num must be a whole number of functions of at least 1, got {num!r}")
    end = tokeniser.token_to_id("<|end|>")
    prompt = [end, *tokeniser.encode(PROMPT).ids]
    if num_tokens <= len(prompt):
        raise ValueError(f"num_tokens counts the prompt's {len(prompt)} tokens too: take more than {num_tokens}")
    found: list[Function] = []
    for start in range(0, num, batch_size):
        rows = torch.tensor([prompt]).repeat(min(batch_size, num - start), 1)
        written = generate(model, rows, num_tokens - len(prompt), stop=end, temperature=temperature, top_p=top_p,
                           seed=seed * 1_000_003 + start)
        for row in written[:, 1:].tolist():
            closed = end in row
            text = tokeniser.decode(row[:row.index(end)] if closed else row)
            found.append(first_function(text + "\nend" if closed else text))
    return found


def share_accepted(functions: list[Function]) -> tuple[float, Interval]:
    """Share of valid ones among the functions that came to an end, with Wilson's interval of 95 %.

    Raises:
        ValueError: no function came to an end.
    """
    ended = [function for function in functions if function.ended]
    if not ended:
        raise ValueError(f"none of {len(functions)} functions came to an end, so there is nothing to judge: "
                         "sample more, or longer ones")
    good = sum(function.accepted for function in ended)
    return good / len(ended), wilson(good, len(ended))


def longest_overlap(sample: np.ndarray, stream: np.ndarray, *, at_least: int = 4) -> tuple[int, int, int]:
    """The longest run of tokens of ``sample`` that stands in ``stream`` word for word.

    Arguments:
        sample: token numbers [n].
        stream: token numbers of the training text, such as a memory-mapped array.
        at_least: shorter runs are not looked for.

    Returns:
        its length in tokens (0 where there is none), and its first token in ``sample`` and in ``stream``.
    """
    sample, stream, best = np.asarray(sample), np.asarray(stream), (0, 0, 0)
    for start in range(len(sample)):
        if len(sample) - start <= max(best[0], at_least - 1):
            break
        places, length = np.flatnonzero(stream == sample[start]), 0
        while len(places):
            length, place = length + 1, int(places[0])
            if start + length == len(sample):
                break
            places = places[places + length < len(stream)]
            places = places[stream[places + length] == sample[start + length]]
        if length >= at_least and length > best[0]:
            best = (length, start, place)
    return best
