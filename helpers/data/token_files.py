"""Token streams: the house tokeniser, and a corpus encoded once into one checked file that is read by memory map.

The file: one line of JSON (the header), padded with spaces to a multiple of 64 bytes, then the token numbers of the
three splits as little-endian 16-bit numbers, each file of the corpus closed by ``<|end|>``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from helpers import records
from helpers.data.base import Split, checked_whole, windows_at
from helpers.data.corpora import SPLITS, Corpus, checked_split, corpus, fingerprint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<|end|>"  # closes each file; its number is 0
# Pieces that no merge crosses: a word, one digit, or a run of signs, each with the space before it; white space.
PATTERN = r" ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"
_KIND, _ALIGN = "token file 1", 64
_ABOUT = ("name", "vocabulary", "num_bytes", "num_files", "sha256", "corpus_sha256", "missing")  # of Tokens
_verified: set[tuple[str, int, int]] = set()  # path, size and time of change of files whose checksum was right


def byte_names() -> list[str]:
    """Return the printable character by which a byte-level tokeniser calls each of the 256 bytes (a space is Ġ)."""
    kept = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in kept else next(others)) for byte in range(256)]


def merges(tokeniser: Tokenizer) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the numbers of the 256 bytes, and the merges in their order as pairs of numbers.

    Raises:
        ValueError: it is no byte-level tokeniser whose merge k has the number 257 + k.
    """
    model = json.loads(tokeniser.to_str())["model"]
    vocabulary = model.get("vocab", {})
    try:
        numbers = [vocabulary[name] for name in byte_names()]
        pairs = [(vocabulary[left], vocabulary[right]) for left, right in model["merges"]]
        in_order = all(vocabulary[left + right] == 257 + k for k, (left, right) in enumerate(model["merges"]))
    except (KeyError, TypeError):
        in_order = False
    if not in_order:
        raise ValueError(f"merges needs a tokeniser trained by train_tokeniser, found one of type {model['type']} with "
                         f"{len(vocabulary):,} numbers")
    return numbers, pairs


def blank(pattern: str | None = PATTERN) -> Tokenizer:
    """Return a byte-level tokeniser without merges, ready to be trained.

    Arguments:
        pattern: regular expression of the pieces that no merge crosses; None for GPT-2's.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokeniser = Tokenizer(models.BPE())
    steps = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), "isolated")]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None))
    tokeniser.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokeniser.decoder = decoders.ByteLevel()
    return tokeniser


def train_tokeniser(texts: Iterable[str], vocabulary: int, *, pattern: str | None = PATTERN) -> Tokenizer:
    """Learn byte-pair merges from texts: number 0 is ``<|end|>``, 1 … 256 are the bytes, then one number a merge.

    Arguments:
        texts: of the training split only.
        vocabulary: numbers in all, 257 … 65,536.
        pattern: see ``blank``.

    Raises:
        ValueError: vocabulary out of range.
    Source: sennrich2016. Derived in: book/concepts/tokenisation.
    """
    from tokenizers import pre_tokenizers, trainers

    if isinstance(vocabulary, bool) or not isinstance(vocabulary, int) or not 257 <= vocabulary <= 65_536:
        raise ValueError(f"vocabulary must be a whole number from 257 to 65,536, found {vocabulary!r}")
    tokeniser = blank(pattern)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokeniser.train_from_iterator(texts, trainer)
    return tokeniser


def tokeniser(vocabulary: int = 2048) -> Tokenizer:
    """Return the house tokeniser, read from its record; ``<|end|>`` in a text is encoded as text, never as the end.

    Arguments:
        vocabulary: numbers in all; 2048 is the one that is recorded.

    Raises:
        ValueError: no tokeniser of this size is recorded.
        FileNotFoundError: no folder book/.
    """
    from tokenizers import Tokenizer

    found = Tokenizer.from_str(json.dumps(records.load(f"tokeniser-{vocabulary}")["results"]["tokeniser"]))
    found.encode_special_tokens = True
    return found


@dataclass(frozen=True)
class Tokens:
    """A corpus as three streams of token numbers, memory-mapped.

    Arguments:
        name: of the corpus.
        vocabulary: token numbers lie below it.
        train, validation, test: uint16 arrays that read from the file when they are used.
        num_bytes: split → UTF-8 bytes of its files (the end signs not counted).
        num_files: split → files.
        sha256: of the token numbers; it names the corpus in records.
        corpus_sha256: of the texts; missing: number of files or packages that were left out when it was encoded.
        path: the file; it can be carried to another machine and opened there with ``tokens(name, path=…)``.
    """

    name: str
    vocabulary: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    num_bytes: dict[str, int]
    num_files: dict[str, int]
    sha256: str
    corpus_sha256: str
    missing: int
    path: Path

    def stream(self, split: str) -> np.ndarray:
        """Return the token numbers of a split: uint16, shape [tokens], still on disk."""
        return getattr(self, checked_split(split))

    def bits_per_byte(self, loss: float, split: str = "validation") -> float:
        """Return a mean loss in nats a token as bits a byte of text, comparable between tokenisers.

        Derived in: book/concepts/tokenisation.
        """
        return float(loss) / math.log(2) * len(self.stream(split)) / self.num_bytes[checked_split(split)]

    def windows(self, split: str, context: int, num: int | None = None, *, seed: int = 0) -> Split:
        """Return windows that do not overlap: x [num, context], y the same one token later, int64, resident.

        Arguments:
            split: "train", "validation" or "test".
            context: tokens in a window.
            num: windows, drawn at random; None takes all in their order, without a copy (8 bytes a token of memory).
            seed: of the draw; the global generators stay as they were.

        Raises:
            ValueError: unknown split, a number below 1, or more windows than the split holds.
        """
        stream = self.stream(split)
        whole = checked_whole("context", context)
        there = (len(stream) - 1) // whole
        wanted = there if num is None else checked_whole("num", num)
        if not 1 <= wanted <= there:
            raise ValueError(f"the {split} split of {self.name} holds {there:,} windows of {context} tokens, asked for "
                             f"{wanted:,}: take fewer or shorter ones")
        if num is None:
            flat = torch.from_numpy(stream[:there * whole + 1].astype(np.int64))
            return Split(flat[:-1].view(there, whole), flat[1:].view(there, whole))
        starts = np.random.default_rng([seed, 29]).permutation(there)[:wanted] * whole
        return windows_at(stream, starts, whole)


def encode(texts: list[str], tokeniser: Tokenizer) -> np.ndarray:
    """Return the token numbers of texts, each closed by ``<|end|>``: uint16, shape [tokens]."""
    parts: list[np.ndarray] = [np.empty(0, np.uint16)]
    end = np.array([tokeniser.token_to_id(END)], np.uint16)
    for start in range(0, len(texts), 64):  # in blocks, so that memory stays small
        for encoded in tokeniser.encode_batch_fast(texts[start:start + 64], add_special_tokens=False):
            parts += [np.array(encoded.ids, np.uint16), end]
    return np.concatenate(parts)


def write(path: Path, source: Corpus, tokeniser: Tokenizer) -> Path:
    """Encode a corpus into a token file, whole or not at all.

    Raises:
        ValueError: the tokeniser has more than 65,536 numbers or lacks ``<|end|>``.
    """
    size = tokeniser.get_vocab_size()
    if size > 65_536 or tokeniser.token_to_id(END) is None:
        raise ValueError(f"a token file needs a tokeniser of at most 65,536 numbers with {END}, found {size:,} numbers "
                         f"{'with' if tokeniser.token_to_id(END) is not None else 'without'} {END}")
    texts = {name: [file.text for file in source.split(name)] for name in SPLITS}
    streams = [encode(texts[name], tokeniser) for name in SPLITS]
    body = np.concatenate(streams).astype("<u2").tobytes()
    header = {"kind": _KIND, "name": source.name, "vocabulary": size,
              "num_tokens": {name: len(stream) for name, stream in zip(SPLITS, streams, strict=True)},
              "num_bytes": {name: sum(len(text.encode()) for text in texts[name]) for name in SPLITS},
              "num_files": {name: len(texts[name]) for name in SPLITS}, "missing": len(source.missing),
              "corpus_sha256": source.sha256, "sha256": hashlib.sha256(body).hexdigest()}
    line = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    return records.replace_file(path, line.ljust(-(-(len(line) + 1) // _ALIGN) * _ALIGN - 1) + b"\n" + body)


def open_file(path: str | Path) -> Tokens:
    """Open a token file; its checksum is verified once for each state of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no token file, is cut short, or its numbers are not those that were written.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no token file {path}")
    with path.open("rb") as file:
        line = file.readline(1 << 16)
    try:
        header: dict[str, Any] = json.loads(line)
        if header["kind"] != _KIND:
            raise ValueError
        counts = [int(header["num_tokens"][name]) for name in SPLITS]
        about = {key: header[key] for key in _ABOUT}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no token file of this course (its first line is no header): "
                         "delete it, it will be made anew") from error
    state = path.stat()
    expected = len(line) + 2 * sum(counts)
    if state.st_size != expected:
        raise ValueError(f"{path} holds {state.st_size:,} bytes instead of {expected:,}: "
                         "delete it, it will be made anew, or copy it again")
    numbers = np.memmap(path, dtype="<u2", mode="r", offset=len(line), shape=(sum(counts),))
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns)
    if key not in _verified:
        found = hashlib.sha256(numbers).hexdigest()
        if found != about["sha256"]:
            raise ValueError(f"{path} is damaged (SHA-256 {found[:12]}…, expected {str(about['sha256'])[:12]}…): "
                             "delete it, it will be made anew, or copy it again")
        _verified.add(key)
    streams = np.split(numbers, np.cumsum(counts)[:-1])
    return Tokens(**about, **dict(zip(SPLITS, streams, strict=True)), path=path)


def cache_folder() -> Path:
    """Return the folder of encoded corpora: XDG_CACHE_HOME or ~/.cache, below it helpers/tokens."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "helpers" / "tokens"


def tokens(name: str = "python_code", *, vocabulary: int = 2048, path: str | Path | None = None) -> Tokens:
    """Return a corpus as token numbers of the house tokeniser; encoded at the first call, then read from the cache.

    Arguments:
        name: "python_code" or "python_stdlib".
        vocabulary: of the tokeniser.
        path: a token file brought from elsewhere; the packages need not be installed then.

    Raises:
        ValueError: unknown name, no such tokeniser, a damaged file, or a file of another corpus or vocabulary.
        FileNotFoundError: no file at ``path``, or no folder book/.
    """
    if path is not None:
        found = open_file(path)
        if (found.name, found.vocabulary) != (name, vocabulary):
            raise ValueError(f"{path} holds {found.name} in {found.vocabulary} numbers, asked for {name} in "
                             f"{vocabulary}")
        return found
    if name not in ("python_code", "python_stdlib"):
        raise ValueError(f"the corpora are python_code and python_stdlib; found {name!r}")
    house = tokeniser(vocabulary)
    key = hashlib.sha256(f"{fingerprint(name)} {house.to_str()}".encode()).hexdigest()[:12]
    file = cache_folder() / f"{name}-{vocabulary}-{key}.tokens"
    if not file.is_file():
        write(file, corpus(name), house)
    return open_file(file)
