import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from helpers import models
from helpers.evaluation import code
from helpers.models import house
from helpers.models.generate import generate, probabilities, written
from helpers.models.ngram import NGram

TINY = {"vocabulary": 12, "context": 16, "num_layers": 1, "d_model": 16, "num_heads": 2, "feed_forward": "swiglu"}


def decoder(seed=0):
    return models.Decoder(**TINY, seed=seed).eval()


# ---------------------------------------------------------------- n-grams


def by_dictionaries(text, vocabulary, order):
    """Interpolated Kneser–Ney with dictionaries and a recursion: the probability of the last token of ``words``."""
    counts = [None] * (order + 1)
    counts[order] = Counter(tuple(text[i:i + order]) for i in range(len(text) - order + 1))
    for length in range(order - 1, 0, -1):
        counts[length] = Counter(gram[1:] for gram in counts[length + 1])

    def probability(words):
        if not words:
            return 1 / vocabulary
        table, history = counts[len(words)], words[:-1]
        after = {gram: n for gram, n in table.items() if gram[:-1] == history}
        if not after:
            return probability(words[1:])
        once, twice = (sum(n == k for n in table.values()) for k in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        total = sum(after.values())
        kept = max(table.get(words, 0) - discount, 0) / total
        return kept + discount * len(after) / total * probability(words[1:])

    return probability


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ngram_equals_the_definition(order):
    text = np.random.default_rng(3).integers(0, 5, 200) ** 2 % 7
    counted, defined = NGram(text, 7, order=order), by_dictionaries(text.tolist(), 7, order)
    new = np.array([0, 1, 4, 2, 2, 6, 5, 1, 0, 0])
    wanted = [math.log(defined(tuple(new[max(0, i - order + 1):i + 1].tolist()))) for i in range(len(new))]
    assert counted.log_probabilities(new) == pytest.approx(wanted, abs=1e-12)
    history = tuple(new[:3][max(0, 4 - order):].tolist())
    assert counted.distribution(new[:3])[2] == pytest.approx(defined((*history, 2)))


def test_ngram_probabilities_add_up_to_one_after_any_context():
    counted = NGram(np.random.default_rng(0).integers(0, 9, 500), 11, order=3)   # 9 and 10 were never seen
    for context in [(), (3,), (10,), (9, 10), (1, 2), (1, 2, 3, 4), (8, 9)]:
        chances = counted.distribution(np.array(context, dtype=int))
        assert chances.sum() == pytest.approx(1, abs=1e-12) and chances.min() > 0


def test_ngram_samples_what_it_saw_and_depends_on_the_seed():
    counted = NGram(np.tile([0, 1, 2, 3], 200), 4, order=3)
    drawn = counted.sample(np.array([0, 1]), 12, temperature=0.1, seed=1)
    assert drawn.tolist() == list(itertools.islice(itertools.cycle([2, 3, 0, 1]), 12))
    assert (counted.sample([0], 30, seed=1) == counted.sample([0], 30, seed=1)).all()


@pytest.mark.parametrize("make, message", [
    (lambda: NGram(np.arange(4), 2048, order=6), "order 6 with a vocabulary of 2048 does not fit: .* at most 5"),
    (lambda: NGram(np.arange(2), 8, order=3), "of order 3 needs at least 3 tokens, got 2"),
    (lambda: NGram(np.array([1, 9]), 8, order=1), r"token numbers lie in 0 … 7, got 1 … 9"),
    (lambda: NGram(np.array([0.5]), 8, order=1), r"whole token numbers \[n\], got float64 \[1\]"),
    (lambda: NGram(np.arange(8), 8, order=0), "order must be"),
    (lambda: NGram(np.arange(8), 8, order=2).sample([1], 2, temperature=0), "temperature must be above 0, got 0"),
])
def test_ngram_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------- writing


def test_probabilities_are_cut_and_brought_to_one():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    assert torch.equal(probabilities(logits), logits.softmax(0))
    assert probabilities(logits, temperature=0.5) == pytest.approx((2 * logits).softmax(0), abs=1e-6)
    assert probabilities(logits, top_k=1).tolist() == [1, 0, 0, 0]
    full = logits.softmax(0)
    assert probabilities(logits, top_k=2) == pytest.approx(torch.tensor([*(full[:2] / full[:2].sum()), 0, 0]), abs=1e-6)
    assert int((probabilities(logits, top_p=0.6) > 0).sum()) == 1       # the first alone has 0.64
    assert int((probabilities(logits, top_p=0.7) > 0).sum()) == 2
    assert probabilities(logits, top_p=1.0) == pytest.approx(full, abs=1e-6)
    shuffled = torch.tensor([3, 1, 0, 2])
    assert torch.equal(probabilities(logits[shuffled], top_p=0.7), probabilities(logits, top_p=0.7)[shuffled])
    both = probabilities(torch.stack([logits, -logits]), top_k=3, top_p=0.99)
    assert both.sum(-1) == pytest.approx(torch.ones(2), abs=1e-6)


def test_writing_with_the_cache_equals_reading_all_again():
    model, prompt = decoder(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    greedy = generate(model, prompt, 10, top_k=1)
    assert greedy.shape == (2, 13) and torch.equal(greedy[:, :3], prompt)
    text = prompt
    for _ in range(10):
        text = torch.cat([text, model(text)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(greedy, text)


def test_beyond_the_context_the_newer_half_is_read_again():
    model = decoder()
    text = generate(model, torch.tensor([[1, 2, 3]]), 40, top_k=1)
    assert text.shape == (1, 43)
    # the cache is full when 16 tokens have been read; the next one is chosen from the newest 8
    assert int(text[0, 17]) == int(model(text[:, 9:17])[0, -1].argmax())
    full = generate(model, torch.arange(16)[None] % 12, 3, top_k=1)
    assert full.shape == (1, 19)


def test_the_draw_depends_on_its_seed_only_and_the_distribution_is_the_models():
    model, prompt = decoder(), torch.tensor([[1, 2]]).repeat(4000, 1)
    state = torch.get_rng_state()
    first = generate(model, prompt, 1, seed=3)[:, -1]
    assert torch.equal(first, generate(model, prompt, 1, seed=3)[:, -1]) and torch.equal(state, torch.get_rng_state())
    wanted = model(prompt[:1])[0, -1].softmax(-1)
    assert torch.bincount(first, minlength=12) / 4000 == pytest.approx(wanted.detach(), abs=0.03)


def test_a_text_that_is_over_stays_over():
    text = generate(decoder(), torch.ones(50, 1, dtype=torch.long), 30, stop=0, seed=0)
    for row in text.tolist():
        if 0 in row:
            assert set(row[row.index(0):]) == {0}
    model = decoder().train()
    generate(model, torch.tensor([[1]]), 2)
    assert model.training


@pytest.mark.parametrize("options, message", [
    ({"temperature": 0.0}, "temperature must be above 0, got 0.0: for the likeliest token use top_k=1"),
    ({"temperature": -1.0}, "temperature must be above 0, got -1.0"),
    ({"temperature": math.nan}, "temperature must be above 0, got nan"),
    ({"top_k": 0}, "top_k must be an integer of at least 1, got 0"),
    ({"top_k": 1.5}, "top_k must be an integer of at least 1, got 1.5"),
    ({"top_p": 0.0}, r"top_p is a share of probability in \(0, 1\], or None, got 0.0"),
    ({"top_p": 1.2}, "got 1.2"),
])
def test_bad_ways_to_draw(options, message):
    with pytest.raises(ValueError, match=message):
        generate(decoder(), torch.tensor([[1]]), 2, **options)


@pytest.mark.parametrize("prompt, message", [
    (torch.empty(1, 0, dtype=torch.long), "the prompt is empty: give at least one token"),
    (torch.ones(1, 17, dtype=torch.long), "the prompt has 17 tokens, the model's context is 16: keep its last 16"),
    (torch.ones(4, dtype=torch.long), r"token numbers \[texts, tokens\], got \[4\]"),
    (torch.ones(1, 4), r"token numbers \[texts, tokens\]"),
])
def test_bad_prompts(prompt, message):
    with pytest.raises(ValueError, match=message):
        next(written(decoder(), prompt))
    with pytest.raises(ValueError, match="num_tokens must be an integer of at least 1, got 0"):
        generate(decoder(), torch.tensor([[1]]), 0)


# ---------------------------------------------------------------- weights


def test_weights_come_back_rounded_to_bfloat16(tmp_path, monkeypatch):
    (tmp_path / "book" / "recorded").mkdir(parents=True)
    monkeypatch.setenv("HELPERS_BOOK", str(tmp_path))
    path = tmp_path / "book" / "recorded" / house.FILES["small"]
    model = decoder(seed=4)
    house.save(path, model, {"model_options": TINY, "corpus": "made up"})
    back = house.house("small")
    assert house.about("small")["corpus"] == "made up" and not back.training
    assert back.output.weight is back.embedding.weight and back.num_parameters == model.num_parameters
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor.bfloat16().float())
    assert path.stat().st_size < 2 * model.num_parameters + 4000        # two bytes a weight, the tied one once
    assert house.house("small", dtype=torch.bfloat16).embedding.weight.dtype is torch.bfloat16
    with pytest.raises(FileNotFoundError, match="no weights house-model.safetensors in recorded/: .*benchmarks.record"):
        house.house()
    with pytest.raises(ValueError, match="the recorded models are 'house' and 'small', got 'large'"):
        house.house("large")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(ValueError, match="house-model-small.safetensors is no readable language model .*cut short"):
        house.house("small")


def test_other_tensors_are_no_house_model(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds tensors but is no language model of this course"):
        house.load(tmp_path / "other.safetensors")
    house.save(tmp_path / "half.safetensors", decoder().stack, {"model_options": TINY})
    with pytest.raises(ValueError, match="does not hold the weights its options promise"):
        house.load(tmp_path / "half.safetensors")


# ---------------------------------------------------------------- checks of written code


@pytest.mark.parametrize("text, valid", [
    ("def f():\n    pass", True), ("def f(:\n    pass", False), ("def f():\npass", False), ("", True),
    ("x = '\\d'", True), ("x\0", False), ("(" * 5000, False),
])
def test_parses(text, valid, recwarn):
    assert code.parses(text) is valid
    assert not recwarn


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "made"
    assert code.parses(f"open({str(target)!r}, 'w')") and not target.exists()


def test_a_function_ends_at_the_next_line_at_the_left_edge():
    body = "def f(\n    a,\n):\n    return a\n\n    # still inside\n# a remark at the edge\n    x = 1"
    assert code.first_function("\n\n" + body + "\n\n\nclass A:\n    pass") == code.Function(body, True)
    cut = code.first_function("def f():\n    return 1")
    assert not cut.ended and not cut.accepted
    assert code.first_function("def f():\n    return 1\nx").accepted
    assert not code.first_function("def f():\n    return (1\nx").accepted


def test_share_and_its_interval():
    good, bad = code.Function("def f(): pass", True), code.Function("def f(: pass", True)
    cut = code.Function("def f(): pass", False)
    share, (low, high) = code.share_accepted([good] * 30 + [bad] * 10 + [cut] * 7)
    assert share == 0.75 and (low, high) == pytest.approx((0.598, 0.858), abs=1e-3)
    for none in ([], [cut] * 3):
        with pytest.raises(ValueError, match=f"none of {len(none)} functions came to an end"):
            code.share_accepted(none)


def test_a_word_that_begins_like_a_definition_is_none():
    assert code.parses("default") and not code.first_function("default\nx").accepted


def test_longest_overlap_equals_trying_everything():
    rng = np.random.default_rng(1)
    stream, sample = rng.integers(0, 4, 300).astype(np.uint16), rng.integers(0, 4, 40)
    text, best = stream.tolist(), 0
    runs = defaultdict(list)
    for length in range(1, 41):
        places = {tuple(text[i:i + length]) for i in range(len(text) - length + 1)}
        runs[length] = [i for i in range(41 - length) if tuple(sample[i:i + length].tolist()) in places]
        best = length if runs[length] else best
    length, start, place = code.longest_overlap(sample, stream)
    assert length == best and start == runs[best][0]
    assert text[place:place + length] == sample[start:start + length].tolist()
    assert code.longest_overlap(stream[-20:], stream)[0] == 20
    assert code.longest_overlap(np.array([9, 9, 9, 9, 9]), stream) == (0, 0, 0)
    assert code.longest_overlap(sample[:3], stream) == (0, 0, 0)


class Letters:
    """A tokeniser of single characters: number 0 is the end."""

    signs = "\n def():pasx"

    def encode(self, text):
        return type("Encoding", (), {"ids": [self.signs.index(sign) + 1 for sign in text]})

    def decode(self, ids):
        return "".join(self.signs[i - 1] for i in ids if i)

    def token_to_id(self, token):
        return 0


def test_functions_are_sampled_and_cut():
    letters = Letters()
    model = models.Decoder(**TINY | {"vocabulary": 13}, seed=0)
    found = code.sample_functions(model, letters, 5, num_tokens=12, batch_size=2, seed=1)
    assert len(found) == 5 and all(function.text.startswith("def") for function in found)
    again = code.sample_functions(model, letters, 5, num_tokens=12, batch_size=2, seed=1)
    assert found == again and found[0] != found[2]
    real = code.real_functions("\n\n\ndef f():\n    pass\nx\n\n\ndef dd():\n    pass", letters, 30)
    assert [function.accepted for function in real] == [True, False]
    assert not code.real_functions("\n\n\ndef f():\n    pass\nx", letters, 8)[0].ended
    with pytest.raises(ValueError, match="num must be a whole number of functions of at least 1, got 0"):
        code.sample_functions(model, letters, 0)
    with pytest.raises(ValueError, match="counts the prompt's 7 tokens too: take more than 5"):
        code.sample_functions(model, letters, 1, num_tokens=5)
