"""The router: messages without give-aways, the recipe at toy size, the explorer."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks import router
from helpers import data, records
from helpers.data.messages import distinct, messages, paragraphs, plain
from helpers.data.text_table import Texts, TextTable
from helpers.explorers.base import MAX_BYTES
from helpers.explorers.router import Routers

DOCS = data.python_docs(["jinja2", "joblib", "networkx"])


def test_what_gives_a_library_away_is_removed():
    assert plain("See :class:`~torch.nn.Linear`, ``numpy.ndarray`` and `np`") == "See Linear, ndarray and"
    assert plain("A NumpyArrayWrapper, e.g. in NetworkX or *sklearn*") == "A , e.g. in or"
    assert plain("See :func:`numpy.dot` now", names=True) == "See numpy.dot now"
    assert plain("See :func:`numpy.dot` now", markup=True) == "See :func:`dot` now"
    assert plain("the snap of an implant") == "the snap of an implant"       # words that hold np or the like stay


def test_paragraphs_are_prose():
    passage = DOCS.passages[0]
    text = ("Prose with some words.\n\n>>> code()\n\nParameters\n----------\nx : int\n\nArgs:\n    x: a number\n\n"
            "n : int\n    Number\n\n.. note:: no\n\n    indented\n\n- a list\n\nMore prose\nin two lines.")
    found = paragraphs(replace(passage, query="A question", answer=text))
    assert found == ["A question", "Prose with some words.", "More prose in two lines."]


def test_copies_and_near_copies_are_found():
    texts = ["one two three four five six", "One, two three; four five six", "one two three four five seven",
             "six five four three two one", "one two"]
    assert distinct(texts) == [0, 3, 4]


def test_messages_keep_the_split_by_module_and_depend_on_no_option():
    table = messages(DOCS)
    assert table.classes == DOCS.classes and len(table.train) > 500
    groups = [set(split.groups) for split in table.splits().values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    for name, part in DOCS.splits().items():
        assert set(table.splits()[name].groups) <= {passage.module for passage in part}
    other = messages(DOCS, names=True, markup=True)
    assert other.train.labels == table.train.labels and other.train.texts != table.train.texts
    assert all(len(text.split()) <= 20 for split in other.splits().values() for text in split.texts)
    assert not any("networkx" in text.lower() for split in table.splits().values() for text in split.texts)
    texts = [text for split in table.splits().values() for text in split.texts]
    assert len(set(texts)) == len(texts)
    assert messages(DOCS).train.texts == table.train.texts


def toy():
    """Texts whose label is the first of their words."""
    rng = np.random.default_rng(0)

    def part(n):
        labels = rng.integers(0, 3, n).tolist()
        texts = [" ".join([("tensor", "graph", "axes")[y], *rng.choice(["of", "a", "new", "old"], 5)]) for y in labels]
        return Texts(texts, labels, [f"m{k % 9}" for k in range(n)])

    return TextTable(part(120), part(40), part(50), DOCS.card, ["torch", "networkx", "matplotlib"])


def test_the_recipe_writes_what_the_ledger_reads():
    settings = router.SETTINGS | {"sizes": [60, None], "epochs": [6, 8], "tuned_at": [60], "seeds": [0, 1],
                                  "vocabulary": 270, "max_tokens": 16, "candidates": {
                                      router.WORDS: [1.0, 10.0], router.LSTM: [1e-2], router.TRANSFORMER: [1e-2]}}
    lines = []
    payload = router.measure(settings, toy(), log=lines.append)
    json.dumps(payload, allow_nan=False)
    records._validate(payload, records._REQUIRED)
    found = payload["results"]
    assert found["test_accuracy_low"] <= found["test_accuracy"] <= found["test_accuracy_high"]
    assert found["methods"][router.WORDS]["test_accuracy"] == [[1.0, 1.0], [1.0, 1.0]]
    assert found["methods"][found["method"]]["test_accuracy"][-1][0] == found["test_accuracy"]
    assert payload["configuration"]["sizes"] == [60, 120] and payload["flops"] > 0 and lines
    for row in found["methods"].values():
        assert [sum(bins["right"]) + sum(bins["wrong"]) for bins in row["confidences"]] == [50, 50]
    assert sum(map(sum, found["confusion_of_words"])) == 50


def test_parts_of_the_recipe():
    table = toy()
    first, again, other = (table.drawn(30, seed=seed).train.texts for seed in (0, 0, 1))
    assert first == again != other and len(first) == 30
    logits = torch.randn(400, 3, generator=torch.Generator().manual_seed(0)) * 2
    labels = torch.distributions.Categorical(logits=logits / 2).probs.multinomial(
        1, generator=torch.Generator().manual_seed(1)).flatten()
    assert router.temperature(logits, labels) == pytest.approx(2, rel=0.25)
    low, high = router.interval(np.array([1.0, 0.0] * 40), ["a", "b", "c", "d"] * 20)
    assert low == 0 and high == 1                                      # whole groups are right or wrong


def test_the_record_is_the_one_of_the_ledger():
    from helpers import economics

    record = records.load("ask-python-router")
    row = economics.read_ledger({"ask-python-router": record})["routed"]
    assert row.measured and row.likely == record["results"]["test_accuracy"]
    shown = Routers(record["configuration"]["sizes"], record["results"]["methods"])
    assert len(json.dumps(shown.state)) < MAX_BYTES


def test_the_explorer_counts_what_is_routed():
    bins = {"right": [0, 1, 9], "wrong": [2, 1, 1]}
    assert Routers.compute(**bins, threshold=0)["accuracy"] == pytest.approx(10 / 14)
    now = Routers.compute(**bins, threshold=2 / 3)
    assert (now["share"], now["accuracy"]) == (pytest.approx(10 / 14), 0.9)
    assert Routers.compute([3, 0], [1, 0], 0.5) == {"share": 0, "accuracy": None, "low": None, "high": None}


@pytest.mark.parametrize(("methods", "message"), [
    ({}, "1 to 3 methods, found 0"),
    ({"one": {"test_accuracy": [[0.5]], "confidences": []}}, "found 1 of 'test_accuracy' of 'one' for 2 sizes"),
])
def test_what_does_not_fit_is_named(methods, message):
    with pytest.raises(ValueError, match=message):
        Routers([100, 200], methods)
