"""Trains the house tokeniser: byte-pair merges from the training split of the source code corpus."""

from __future__ import annotations

import json
import time
from typing import Any

from helpers import device
from helpers.data import corpora, token_files

TITLE = "the house tokeniser: 2,048 numbers from the training files of python_code"
SIZES = (257, 512, 1024, 2048, 4096, 8192)


def measure(vocabulary: int = 2048, *, sizes: tuple[int, ...] = SIZES,
            source: corpora.Corpus | None = None) -> dict[str, Any]:
    """Learn the merges, measure bytes a token on the validation files, and return the payload of a record.

    Arguments:
        vocabulary: of the tokeniser that is recorded.
        sizes: vocabularies that are measured beside it.
        source: the corpus; python_code by default.
    """
    code = corpora.corpus("python_code") if source is None else source
    texts = {name: [file.text for file in code.split(name)] for name in ("train", "validation")}
    num_bytes = sum(len(text.encode()) for text in texts["validation"])
    begun = time.perf_counter()
    house = token_files.train_tokeniser(texts["train"], vocabulary)
    seconds = time.perf_counter() - begun
    house.encode_special_tokens = True
    ratios = []
    for size in sizes:
        other = house if size == vocabulary else token_files.train_tokeniser(texts["train"], size)
        other.encode_special_tokens = True
        ratios.append(num_bytes / sum(len(each.ids) for each in other.encode_batch_fast(texts["validation"])))
    configuration = {"title": TITLE, "data": code.name, "data_options": {}, "data_seed": 0, "model": None,
                     "method": "byte-level BPE", "pattern": token_files.PATTERN, "vocabulary": vocabulary,
                     "num_train": len(texts["train"]), "num_validation": len(texts["validation"]),
                     "missing": code.missing}
    return {
        "configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
        "precision": "uint16", "seconds": seconds, "flops": None, "corpus_sha256": code.sha256,
        "curves": {"vocabulary": list(sizes), "bytes_per_token": ratios},
        "results": {"bytes_per_token": ratios[sizes.index(vocabulary)], "num_bytes_validation": num_bytes,
                    "tokeniser": json.loads(house.to_str())},
    }
