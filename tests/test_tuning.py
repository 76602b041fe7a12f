"""Pairs of function and summary, tuning on answers, choosing among summaries, and the recipe at toy size."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import tuning
from helpers import data, models, records
from helpers.data import summaries
from helpers.data.corpora import Corpus, SourceFile
from helpers.evaluation import choosing
from helpers.explorers.base import MAX_BYTES
from helpers.explorers.tuning import Tuning
from helpers.models import lora
from helpers.training import TrainingDiverged, answers

TEXT = '''
import os


class Box:
    def volume(self, side):
        """Return the volume of the box.

        More words.
        """
        if side < 0:
            return -self.volume(-side)
        return side ** 3

    def short(self):
        """Return it."""
        return 1

    def unfinished(self):
        """Return something that goes on in the
        next line."""
        return 2


@cache
def area(side): """Work out the area of a square."""; return side


def plain(x):
    return x
'''
TINY = {"vocabulary": 30, "context": 16, "num_layers": 1, "d_model": 16, "num_heads": 2}
ROWS = [([0, 5, 6], [7, 8, 0]), ([0, 9], [10, 0]), ([0, 3, 4, 5, 6], [11, 12, 13, 0]), ([0, 2], [14, 15, 0])]


def source(text, path="a/b.py", split="train"):
    return SourceFile("a", path, text, "MIT", split)


def test_a_pair_is_the_source_without_docstring_and_its_first_sentence():
    found = summaries.from_file(source(TEXT))
    assert [pair.name for pair in found] == ["volume"]                  # the others are no sentence of their own
    pair = found[0]
    assert pair.summary == "Return the volume of the box."
    assert pair.source.splitlines()[:2] == ["def volume(self, side):", "    if side < 0:"]
    assert "More words" not in pair.source and pair.prompt == pair.source + '\n    """'
    assert "volume" not in pair.nameless and "return -self.f(-side)" in pair.nameless
    assert summaries.from_file(source("def f(:")) == []


def test_a_bare_line_keeps_its_letters():
    for line in ('    """Return the car."""', "r'''Return the car.", 'R"Return the car."', "Return the car. "):
        assert summaries.bare(line) == "Return the car."
    assert summaries.bare("run the car") == "run the car"


def corpus_of(*texts):
    files = [source(text, f"{split}/{number}.py", split) for number, (split, text) in enumerate(texts)]
    return Corpus("python_code", files, [], "0" * 64)


def function(number, words="Return the number plus"):
    return f'def f{number}(x):\n    """{words} {number}."""\n    return x + {number}\n'


def test_held_out_summaries_stand_in_no_training_file_and_prefixes_agree():
    tokeniser = data.tokeniser()
    corpus = corpus_of(("train", "\n".join(map(function, range(30)))), ("train", function(50) + function(51)),
                       ("validation", function(3) + function(70)),
                       ("test", "# Return the number plus 80.\n" + function(80)))
    train = summaries.pairs(corpus, "train", tokeniser)
    assert len(train) == summaries.PER_FILE + 2 and len({pair.summary for pair in train}) == len(train)
    assert summaries.pairs(corpus, "train", tokeniser, num=5) == train[:5]
    assert summaries.pairs(corpus, "train", tokeniser, seed=1) != train
    assert [pair.summary for pair in summaries.pairs(corpus, "validation", tokeniser)] == ["Return the number plus 70."]
    assert [pair.name for pair in summaries.pairs(corpus, "test", tokeniser)] == ["f80"]
    with pytest.raises(ValueError, match="asked for 40 pairs of the train split, found 12"):
        summaries.pairs(corpus, "train", tokeniser, num=40)
    with pytest.raises(ValueError, match="a split is called"):
        summaries.pairs(corpus, "dev", tokeniser)
    ids = summaries.encode([train[0].prompt], [train[0].summary], tokeniser)[0]
    assert ids[0][0] == ids[1][-1] == 0 and tokeniser.decode(ids[1][:-1]) == train[0].summary
    with pytest.raises(ValueError, match="got 1 prompts and 0 summaries"):
        summaries.encode(["x"], [], tokeniser)


def test_the_mask_leaves_only_the_answer():
    x, y = answers.batch(ROWS[:2])
    assert x.tolist() == [[0, 5, 6, 7, 8], [0, 9, 10, 0, 0]]
    assert y.tolist() == [[-100, -100, 7, 8, 0], [-100, 10, 0, -100, -100]]
    whole = answers.batch(ROWS[:2], masked=False)[1]
    assert whole.tolist() == [[5, 6, 7, 8, 0], [9, 10, 0, -100, -100]]
    for rows, message in (([], "no pair"), ([([], [1])], "pair 0 has an empty prompt"),
                          ([ROWS[0], ([1], [])], "pair 1 has an empty answer")):
        with pytest.raises(ValueError, match=message):
            answers.batch(rows)


def test_likelihoods_are_sums_over_the_answer_whatever_stands_beside_it():
    model = models.Decoder(**TINY)
    together = answers.log_likelihoods(model, ROWS)
    for (prompt, answer), found in zip(ROWS, together, strict=True):
        with torch.no_grad():
            logs = model(torch.tensor([prompt + answer]))[0].log_softmax(dim=-1)
        wanted = sum(float(logs[len(prompt) - 1 + k, token]) for k, token in enumerate(answer))
        assert float(found) == pytest.approx(wanted, abs=1e-4)
    bits = answers.bits_per_byte(torch.tensor([-math.log(2) * 12, -math.log(2) * 4]), ["abc", "é..."])
    assert bits == pytest.approx(16 / 8)


def test_tuning_learns_the_answers_and_equals_a_loop_written_out():
    model = models.Decoder(**TINY, seed=2)
    twin = copy.deepcopy(model)
    losses = list(answers.steps(model, ROWS, lr=2e-2, num_steps=60, batch_size=4))
    assert losses[-1] < 0.3 < 3 < losses[0]
    x, y = answers.batch(ROWS)
    loss = F.cross_entropy(twin(x).flatten(0, 1), y.flatten(), ignore_index=-100)
    assert losses[0] == pytest.approx(loss.item(), abs=1e-5)
    again = models.Decoder(**TINY, seed=2)
    assert list(answers.steps(again, ROWS, lr=2e-2, num_steps=60, batch_size=4)) == losses


def test_a_pass_takes_each_pair_once():
    batches = answers._a_pass([([0] * (1 + i % 7), [1]) for i in range(50)], 8, np.random.default_rng(0))
    assert sorted(i for batch in batches for i in batch) == list(range(50)) and max(map(len, batches)) == 8


def test_replay_keeps_old_text_better():
    stream = np.tile(np.arange(20, 30, dtype=np.uint16), 60)
    kept = {}
    for replay in (None, stream):
        model = models.Decoder(**TINY, seed=0)
        for _ in answers.steps(model, [(list(range(20, 29)), [29])] * 8, lr=1e-2, num_steps=60, masked=False):
            pass
        for _ in answers.steps(model, ROWS, lr=2e-2, num_steps=60, replay=replay, replay_share=0.5):
            pass
        kept[replay is None] = float(answers.log_likelihoods(model, [([20, 21, 22, 23], [24, 25, 26])]))
    assert kept[False] > kept[True] + 1


@pytest.mark.parametrize("options, message", [
    ({"lr": 0.0}, "lr"), ({"num_steps": 0}, "num_steps must be a whole number"), ({"batch_size": 0}, "batch_size"),
    ({"replay": np.arange(40), "replay_share": 1.0}, r"replay_share is a weight in \(0, 1\), got 1.0"),
    ({"replay": np.arange(9)}, "replay must have at least 10 tokens for pairs of this length, got 9"),
])
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        next(answers.steps(models.Decoder(**TINY), ROWS, **({"lr": 1e-3, "num_steps": 2} | options)))


def test_a_frozen_model_and_a_diverged_one_are_named():
    frozen = models.Decoder(**TINY).requires_grad_(False)
    with pytest.raises(ValueError, match="every parameter of the model is frozen"):
        next(answers.steps(frozen, ROWS, lr=1e-3, num_steps=1))
    broken = models.Decoder(**TINY)
    with torch.no_grad():
        broken.embedding.weight[7] = torch.inf
    with pytest.raises(TrainingDiverged, match="the loss became nan"):
        next(answers.steps(broken, ROWS, lr=1e-3, num_steps=1))


def test_words_overlap_and_candidates():
    assert choosing.words("Return the get_params ofHTTPServer items") == {"get", "param", "http", "server", "item"}
    assert choosing.overlap("Compute the mean.", "Return a mean of values.") == pytest.approx(2 / 4)
    assert choosing.overlap("the", "of") == 0
    chosen = choosing.candidates(9, 5, seed=1)
    assert chosen.shape == (9, 5) and chosen[:, 0].tolist() == list(range(9))
    assert all(len(set(row)) == 5 and 0 <= min(row) and max(row) < 9 for row in chosen.tolist())
    for wrong in (1, 10):
        with pytest.raises(ValueError, match=f"num_candidates must lie in 2 … 9, .* got {wrong}"):
            choosing.candidates(9, wrong)


def test_scores_with_a_cache_equal_whole_texts():
    model = models.Decoder(**TINY, seed=4).eval()
    chosen, sign = choosing.candidates(4, 3), [0, 1]
    found = choosing.scores(model, ROWS, chosen, sign)
    for i, row in enumerate(chosen):
        for k, j in enumerate(row):
            pair, plain = ((ROWS[i][0], ROWS[j][1]), (sign, ROWS[j][1]))
            wanted = answers.log_likelihoods(model, [pair]) - answers.log_likelihoods(model, [plain])
            assert float(found[i, k]) == pytest.approx(float(wanted), abs=1e-4)


def test_the_recipe_at_toy_size(tmp_path, monkeypatch):
    texts = [("train", "\n".join(function(n) for n in range(20 * k, 20 * k + 8))) for k in range(3)]
    texts += [("validation", "\n".join(function(n, "Subtract from x the number") for n in range(6))),
              ("test", "\n".join(function(n, "Multiply x by") for n in range(6)))]
    corpus, tokens = corpus_of(*texts), np.random.default_rng(0).integers(0, 2048, 3000).astype(np.uint16)
    fake = type("Tokens", (), {"train": tokens, "windows": lambda self, split, context, num: data.base.windows_at(
        tokens, np.arange(num) * 256, context), "bits_per_byte": lambda self, loss: loss})()
    monkeypatch.setattr(tuning.data, "corpus", lambda name: corpus)
    monkeypatch.setattr(tuning.data, "tokens", lambda name: fake)
    keep = tmp_path / "recorded"
    keep.mkdir()
    plan = tuning.Plan(
        num_pairs={4: 1, 8: 2}, tuned_at=4, rates={"full": (1e-3, 3e-3), "LoRA 2": (1e-2,), "scratch": (1e-3,)},
        seeds=(0, 1), batch_size=4, num_windows=1, num_validation=None, num_test=None,
        num_candidates=3,
        num_written=2, model="small")
    weights = tuning.house.house("small"), tuning.house.about("small")
    tokeniser = data.tokeniser()
    monkeypatch.setattr(tuning.house, "house", lambda size: copy.deepcopy(weights[0]))
    monkeypatch.setattr(tuning.house, "about", lambda size: weights[1])
    monkeypatch.setattr(tuning.data, "tokeniser", lambda: tokeniser)
    monkeypatch.setattr(records, "book_folder", lambda: tmp_path)
    lines = []
    payload = tuning.measure(plan, log=lines.append)
    results = payload["results"]
    assert len(results["grid"]) == 2 * 2 * 3 and results["best_rates"]["LoRA 2"] == 1e-2
    assert {row["trainable"] for row in results["grid"] if row["method"] == "LoRA 2"} == {
        models.count(lora.add(copy.deepcopy(weights[0]), 2))}
    assert len(results["untuned"]["ranks"]) == 6 and len(results["rivals"]["nearest"]["written"]) == 2
    once = {(row["method"], row["lr"], row["num"], row["seed"]): row["seconds"]
            for row in sum(results["tried"].values(), []) + results["grid"]}
    others = sum(row["seconds"] for row in results["extra"].values())
    assert payload["seconds"] == pytest.approx(sum(once.values()) + others)
    assert records.save("fine-tuning", payload, mine=False).exists()
    again = tuning.measure(plan, log=lambda line: pytest.fail(f"computed once more: {line}"))
    assert again["results"] == results and len(lines) == 1 + 4 + 9 + 4


def test_the_explorer_counts_what_the_adapters_count():
    shown = Tuning([8, 64], {"full": [1.5, 1.2]}, {"full": [1.6, 1.9]}, (2.0, 1.55))
    assert shown.state["methods"][0] == {"name": "full", "colour": "ink", "summaries": [1.5, 1.2], "code": [1.6, 1.9]}
    found = Tuning.compute(layers=2, width=16, rank=3, customers=5)
    plain = models.Decoder(vocabulary=5, context=4, num_layers=2, d_model=16, num_heads=2, feed_forward="relu_squared")
    inside = sum(p.numel() for name, p in plain.named_parameters() if "blocks" in name and p.ndim == 2)
    adapters = models.count(lora.add(plain, 3))
    assert found["weights"] == inside and found["adapters"] == adapters + 3 * 2 * 16   # keys and values share one A
    assert found["lora_store"] == 2 * inside + 10 * found["adapters"] and found["share"] == 1.5 * 3 / 16
    assert all(Tuning.compute(**case)["full"] > 0 for case in Tuning.cases())
    assert len(str(shown.state)) < MAX_BYTES
    for wrong, message in (((lambda: Tuning([8], {}, {}, (1, 1))), "1 to 7 methods"),
                           ((lambda: Tuning([8], {"a": [1, 2]}, {"a": [1, 2]}, (1, 1))), "one value a number")):
        with pytest.raises(ValueError, match=message):
            wrong()
    with pytest.raises(ValueError, match="rank must be"):
        Tuning.compute(2, 16, 0, 1)
