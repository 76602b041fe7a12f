"""Speculative decoding: the same distribution as the large model alone, and a wrong rule is noticed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from helpers.models import Decoder, speculative
from helpers.models.generate import generate, probabilities
from helpers.models.house import house
from helpers.models.speculative import Speculation, accept, expected_tokens, roll_back, speculate

VOCABULARY, NUM_NEW, NUM_DRAWS = 4, 3, 1500
PROMPT = torch.tensor([[0, 2, 1]])
KNOBS = {"temperature": 1.3}


class Table(Decoder):
    """A decoder whose logits depend on the last token alone: fast, with chances that are known."""

    def __init__(self, seed: int) -> None:
        super().__init__(VOCABULARY, 24, num_layers=1, d_model=4, num_heads=1, seed=seed)
        self.logits = torch.randn(VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(seed))

    def forward(self, tokens, caches=None, switches=None):
        for cache in caches or ():
            cache.length += tokens.shape[1]
        return self.logits[tokens]

    def exact(self) -> np.ndarray:
        """Chance of each continuation of the prompt by three tokens."""
        chances = probabilities(self.logits, **KNOBS).double()
        every = chances[int(PROMPT[0, -1])][:, None, None] * chances[:, :, None] * chances
        return (every / every.sum()).flatten().numpy()


def tiny(seed: int, **options: object) -> Decoder:
    """A real decoder, untrained."""
    return Decoder(VOCABULARY, 24, num_layers=1, d_model=16, num_heads=2, seed=seed, **options).eval()


def drawn(model: Decoder, draft: Decoder, num_drafted: int) -> np.ndarray:
    """How often each continuation came."""
    counts: Counter = Counter()
    for seed in range(NUM_DRAWS):
        text = speculate(model, draft, PROMPT, NUM_NEW, num_drafted=num_drafted, seed=seed, **KNOBS).tokens
        counts[tuple(text[0, PROMPT.shape[1]:].tolist())] += 1
    return np.array([counts[place] for place in np.ndindex(*[VOCABULARY] * NUM_NEW)])


def fits(counts: np.ndarray, chances: np.ndarray) -> float:
    """p-value of the chi-square test; outcomes that are expected fewer than five times are one."""
    expected = chances * counts.sum()
    rare = expected < 5
    found, wanted = np.append(counts[~rare], counts[rare].sum()), np.append(expected[~rare], expected[rare].sum())
    some = wanted > 0
    return float(stats.chisquare(found[some], wanted[some] * found[some].sum() / wanted[some].sum()).pvalue)


def wrong_rule(target, proposal, drafted, generator):
    """Draws from p instead of max(p − q, 0) where a token was refused."""
    kept, token = accept(target, proposal, drafted, generator)
    return (kept, token) if kept == len(drafted) else (kept, int(torch.multinomial(target[kept], 1,
                                                                                  generator=generator)))


@pytest.mark.parametrize("num_drafted", [1, 3])
def test_the_distribution_is_that_of_the_large_model_alone(num_drafted: int) -> None:
    model, draft = Table(1), Table(2)
    chances, other = model.exact(), draft.exact()
    assert 0.2 < 0.5 * np.abs(chances - other).sum() < 0.95               # the two models do differ
    counts = drawn(model, draft, num_drafted)
    assert fits(counts, chances) > 1e-3
    assert 0.5 * np.abs(counts / NUM_DRAWS - chances).sum() < 0.12
    assert fits(counts, other) < 1e-12


def test_the_same_test_notices_a_wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculative, "accept", wrong_rule)
    model, draft = Table(1), Table(2)
    assert fits(drawn(model, draft, 1), model.exact()) < 1e-6


@pytest.mark.parametrize("num_drafted", [1, 3, 6])
def test_greedy_is_identical(num_drafted: int) -> None:
    model, draft = (Decoder(50, 64, num_layers=2, d_model=32, num_heads=2, seed=seed).eval() for seed in (0, 1))
    prompt = torch.tensor([[3, 14, 15]])
    plain = generate(model, prompt, 40, top_k=1)
    found = speculate(model, draft, prompt, 40, num_drafted=num_drafted, top_k=1)
    assert torch.equal(found.tokens, plain)
    assert sum(found.accepted) + found.num_passes == 40
    itself = speculate(model, model, prompt, 40, num_drafted=num_drafted, top_k=1)
    assert torch.equal(itself.tokens, plain) and itself.acceptance == 1.0
    assert itself.num_passes == -(-40 // (num_drafted + 1))


@torch.no_grad()
def test_what_was_rolled_back_leaves_no_trace() -> None:
    model, prompt, refused, following = house("small"), torch.tensor([[0, 65, 700]]), [[5, 6, 7]], torch.tensor([[9]])
    clean, used = model.caches(), model.caches()
    for caches in (clean, used):
        model(prompt, caches)
    model(torch.tensor(refused), used)
    wanted = model(following, clean)
    forgotten = model(following, used)
    assert float((forgotten - wanted).abs().max()) > 0.1          # refused tokens still seen, place moved on by three
    roll_back(used, 3)
    assert torch.equal(model(following, used), wanted)


def test_accept_keeps_the_first_token_distribution() -> None:
    generator = torch.Generator().manual_seed(0)
    p, q = torch.tensor([0.5, 0.3, 0.2, 0.0]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    counts, kept_count, num = np.zeros(4), 0, 4000
    for _ in range(num):
        token = int(torch.multinomial(q, 1, generator=generator))
        kept, following = accept(torch.stack((p, p)), q[None], [token], generator)
        counts[token if kept else following] += 1
        kept_count += kept
    assert counts[3] == 0 and fits(counts, (p.double() / p.double().sum()).numpy()) > 1e-3
    share = float(torch.minimum(p, q).sum())                             # 1 − total variation
    assert abs(kept_count / num - share) < 4 * (share * (1 - share) / num) ** 0.5


def test_expected_tokens_and_stop() -> None:
    assert expected_tokens(0.8, 4) == pytest.approx((1 - 0.8**5) / 0.2) == pytest.approx(3.3616)
    assert expected_tokens(0.0, 4) == 1 and expected_tokens(1.0, 4) == 5 and expected_tokens(0.5, 0) == 1
    model, draft = tiny(1), tiny(2)
    for seed in range(20):
        found = speculate(model, draft, PROMPT, 12, stop=3, seed=seed)
        new = found.tokens[0, 3:].tolist()
        assert 3 not in new[:-1] and (len(new) == 12 or new[-1] == 3)
    assert Speculation(PROMPT, [4, 4], [1, 4]).acceptance == pytest.approx(5 / 6)


def test_a_stop_among_kept_tokens_is_not_a_refusal() -> None:
    model, prompt = tiny(1), torch.tensor([[0, 2, 1]])
    plain = generate(model, prompt, 6, top_k=1)[0, 3:].tolist()
    found = speculate(model, model, prompt, 12, num_drafted=6, stop=plain[0], top_k=1)       # it guesses right
    assert found.tokens.tolist() == [[0, 2, 1, plain[0]]] and (found.drafted, found.accepted) == ([1], [1])
    assert found.acceptance == 1.0


def test_training_mode_and_generator_stay() -> None:
    model, draft = tiny(1).train(), tiny(2)
    before = torch.get_rng_state()
    speculate(model, draft, PROMPT, 4)
    assert model.training and not draft.training and torch.equal(torch.get_rng_state(), before)


def test_a_longer_prompt_is_read_in_one_pass() -> None:
    model, draft = tiny(1), tiny(2)
    prompt = torch.tensor([[0, 1, 2, 3] * 5])
    found = speculate(model, draft, prompt, 4, top_k=1)
    assert torch.equal(found.tokens, generate(model, prompt, 4, top_k=1)) and found.tokens.shape == (1, 24)


@pytest.mark.parametrize(("call", "words"), [
    (lambda m, d: speculate(m, d, PROMPT, 22), "exceed the context of 24"),
    (lambda m, d: speculate(m, d, PROMPT.repeat(2, 1), 2), r"one text.*got \[2, 3\]"),
    (lambda m, d: speculate(m, d, PROMPT[:, :0], 2), r"at least one token number.*got \[1, 0\]"),
    (lambda m, d: speculate(m, d, PROMPT, 2, num_drafted=0), "num_drafted"),
    (lambda m, d: speculate(m, Decoder(5, 24, num_layers=1, d_model=8, num_heads=2), PROMPT, 2), "one tokeniser"),
    (lambda m, d: speculate(m, d, PROMPT, 2, temperature=0), "temperature"),
    (lambda m, d: speculate(tiny(1, window=4), d, PROMPT, 4), "without a window"),
    (lambda m, d: speculate(tiny(1, attention="linear"), d, PROMPT, 4), "softmax attention"),
    (lambda m, d: roll_back(m.caches(1), 3), "holds 0 tokens"),
    (lambda m, d: expected_tokens(1.2, 4), "acceptance"),
    (lambda m, d: expected_tokens(0.5, -1), "num_drafted"),
    (lambda m, d: accept(torch.ones(2, 4), torch.ones(2, 4), [1, 2], None), r"got \[2, 4\] and \[2, 4\]"),
])
def test_bad_input_is_named(call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(tiny(1), tiny(2))
