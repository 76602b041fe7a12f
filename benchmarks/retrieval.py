"""A measurement for the ledger of Ask Python: how often comparing words finds the passage that answers a question."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np

from helpers import data, device, metrics

TITLE = "words compared by TF-IDF find the passage that answers a question about Python"


def measure() -> dict[str, Any]:
    """Search all answers of ``python_docs`` by TF-IDF for each test question, and return the payload of a record.

    Nothing is trained or chosen on questions, so the test questions are used once and for this only.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    docs = data.load("python_docs", seed=0)
    begun = time.perf_counter()
    words = TfidfVectorizer(analyzer=lambda text: re.findall(r"[a-z]+|\d+", text.lower()), sublinear_tf=True)
    answers = words.fit_transform([passage.answer for passage in docs.passages])
    place = {passage: number for number, passage in enumerate(docs.passages)}
    right = np.array([place[question] for question in docs.test])
    scores = (words.transform([question.query for question in docs.test]) @ answers.T).toarray()
    ranks = (scores >= scores[np.arange(len(right)), right][:, None]).sum(axis=1)  # in a tie the last place
    seconds = time.perf_counter() - begun
    at = list(range(1, 11))
    found = [metrics.recall_at_k(ranks, k) for k in at]
    low, high = metrics.wilson(int((ranks <= 1).sum()), len(ranks))
    configuration = {"title": TITLE, "data": "python_docs", "data_options": {}, "data_seed": 0, "model": None,
                     "method": "TF-IDF with 1 + ln(count), cosine", "num_passages": len(docs.passages),
                     "num_test": len(docs.test)}
    return {
        "configuration": configuration, "seed": 0, "device": device.machine(device.pick("cpu")).name,
        "precision": "float64", "seconds": seconds, "flops": None, "corpus_sha256": docs.sha256,
        "curves": {"k": at, "recall_at_k": found},
        "results": {"recall_at_1": found[0], "recall_at_1_low": low, "recall_at_1_high": high, "recall_at_5": found[4],
                    "mean_reciprocal_rank": metrics.mean_reciprocal_rank(ranks),
                    "milliseconds_per_question": 1000 * seconds / len(ranks)},
    }
