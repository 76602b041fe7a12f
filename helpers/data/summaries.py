"""Pairs for tuning: the source of a function without its docstring, and the first line of that docstring.

Real functions of a corpus; a split's pairs come from the files of that split only. Nothing is executed.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.data.base import checked_whole
from helpers.data.corpora import Corpus, SourceFile, checked_split

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARK = '\n    """'  # ends a prompt; the summary begins behind it, as a docstring would
MAX_PROMPT, MAX_ANSWER = 72, 28  # tokens
PER_FILE = 10  # pairs, so that no file dominates
_OPENING = re.compile(r"""[rR]?["']+""")
_SENTENCE = re.compile(r"[A-Z][^\n]*[ ][^\n]*[ ][^\n]*\.")


@dataclass(frozen=True)
class Pair:
    """One example.

    Attributes:
        package, path: where it stands.
        name: of the function.
        source: of the function, without its docstring and moved to the left edge.
        summary: first line of the docstring, a sentence of three words or more.
    """

    package: str
    path: str
    name: str
    source: str
    summary: str

    @property
    def prompt(self) -> str:
        """What the model reads: the source, then the sign that opens a docstring."""
        return self.source + MARK

    @property
    def nameless(self) -> str:
        """The prompt with the function's own name replaced by ``f`` wherever it occurs."""
        return re.sub(rf"\b{re.escape(self.name)}\b", "f", self.source) + MARK


def from_file(file: SourceFile) -> list[Pair]:
    """Return the pairs of one file, in the order of the file; a file that does not parse has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(file.text)
        except (SyntaxError, ValueError, RecursionError):
            return []
    lines, found = file.text.split("\n"), []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or len(node.body) < 2:
            continue
        text = ast.get_docstring(node)
        summary = text.strip().split("\n")[0].strip() if text else ""
        if not _SENTENCE.fullmatch(summary) or node.body[0].lineno == node.lineno:
            continue
        first = node.body[0]
        source = lines[node.lineno - 1:first.lineno - 1] + lines[first.end_lineno:node.end_lineno]
        found.append((node.lineno, Pair(file.package, file.path, node.name,
                                        textwrap.dedent("\n".join(source)).strip("\n"), summary)))
    return [pair for _, pair in sorted(found, key=lambda each: each[0])]


def bare(line: str) -> str:
    """Return a line without indentation and the quotation marks of a docstring, so that equal sentences agree."""
    line = line.strip()
    opening = _OPENING.match(line)
    return line[opening.end() if opening else 0:].strip(" \t\"'")


def lines_of(corpus: Corpus) -> set[str]:
    """Return all lines of the training files, each one ``bare``."""
    return {bare(line) for file in corpus.split("train") for line in file.text.split("\n")}


def pairs(corpus: Corpus, split: str, tokeniser: Tokenizer, *, num: int | None = None, seed: int = 0) -> list[Pair]:
    """Return pairs of one split, file after file in random order: the first ``num`` are the same for any ``num``.

    A file gives ``PER_FILE`` pairs at most, chosen at random, and each summary is taken once. Of validation and test, a
    pair is left out when its summary is a line of any training file. Longer ones than ``MAX_PROMPT`` and
    ``MAX_ANSWER`` tokens are left out.

    Arguments:
        corpus: from ``data.corpus``.
        split: "train", "validation" or "test".
        tokeniser: counts the tokens.
        num: so many; None takes all.
        seed: of the order.

    Raises:
        ValueError: an unknown split, ``num`` below 1, or fewer pairs than asked for.

    Derived in: book/project/fine_tuning.
    """
    checked_split(split)
    if num is not None:
        checked_whole("num", num)
    generator = np.random.default_rng([seed, 41])
    files, found = corpus.split(split), []
    seen = set() if split == "train" else lines_of(corpus)
    for position in generator.permutation(len(files)):
        fresh = from_file(files[position])
        heads = tokeniser.encode_batch([pair.prompt for pair in fresh])
        tails = tokeniser.encode_batch([pair.summary for pair in fresh])
        short = [pair for pair, head, tail in zip(fresh, heads, tails, strict=True)
                 if len(head.ids) <= MAX_PROMPT and len(tail.ids) <= MAX_ANSWER]
        before = len(found)
        for place in generator.permutation(len(short)):
            key = bare(short[place].summary)
            if key not in seen and len(found) - before < PER_FILE:
                seen.add(key)
                found.append(short[place])
        if num is not None and len(found) >= num:
            break
    if num is not None and len(found) < num:
        raise ValueError(f"asked for {num:,} pairs of the {split} split, found {len(found):,}: take fewer")
    return found[:num]


def encode(
    prompts: Sequence[str], summaries: Sequence[str], tokeniser: Tokenizer
) -> list[tuple[list[int], list[int]]]:
    """Return token numbers (prompt, answer) of each example: ``<|end|>`` opens the prompt and closes the answer.

    Raises:
        ValueError: the two lists differ in length.
    """
    if len(prompts) != len(summaries):
        raise ValueError(f"one summary a prompt is needed, got {len(prompts)} prompts and {len(summaries)} summaries")
    end = tokeniser.token_to_id("<|end|>")
    heads, tails = tokeniser.encode_batch(list(prompts)), tokeniser.encode_batch(list(summaries))
    return [([end, *head.ids], [*tail.ids, end]) for head, tail in zip(heads, tails, strict=True)]
