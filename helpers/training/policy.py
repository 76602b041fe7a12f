"""Learning from a checked answer: groups of samples, advantages, the policy gradient with a KL term, and two rivals.

``rounds`` is the loop as a generator. Each round draws a group of answers for some prompts from the model as it is,
asks ``reward`` what they are worth, and updates the model once. With one update a round the samples are the model's
own, the ratio of PPO is 1 and its clipping never acts, so neither is written here.

Derived in: book/project/post_training. Source: shao2024, liu2025.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from helpers import device
from helpers.data.base import checked_whole
from helpers.models._count import count
from helpers.models.transformer import Decoder
from helpers.training.preferences import END, answer_mask, dpo_loss, encode_prompts, log_probabilities

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WARM_UP = 5  # rounds in which the learning rate rises
METHODS = ("policy gradient", "preferences", "imitation")
Reward = Callable[[list[int], list[str]], list[float]]


def advantages(rewards: Tensor, *, scaled: bool = False) -> Tensor:
    """How much better each answer is than its group: rewards [prompts, group] minus the mean of their group.

    Arguments:
        scaled: divide by the group's standard deviation (of the population), as shao2024 does; liu2025 shows that
            this favours prompts that are nearly always or nearly never solved. Equal rewards give 0 either way.
    """
    found = rewards - rewards.mean(dim=1, keepdim=True)
    if scaled:
        spread = rewards.std(dim=1, correction=0, keepdim=True)
        found = torch.where(spread > 0, found / spread.clamp(min=1e-12), 0.0)
    return found


def kl_estimate(log_p: Tensor, log_reference: Tensor) -> Tensor:
    """Estimate of the divergence from the reference for tokens drawn from p: exp(−d) − 1 + d with d = log p/reference.

    Never negative, and right on average. Source: shao2024.
    """
    difference = log_p - log_reference
    return torch.exp(-difference) - 1 + difference


def policy_loss(log_p: Tensor, log_reference: Tensor, advantage: Tensor, beta: float, num_tokens: int) -> Tensor:
    """Loss whose slope is the policy gradient, plus ``beta`` times the estimated divergence from the reference.

    The divergence is right as a value. Its slope, with the draws held fixed, is on average that of the divergence the
    other way round, KL(reference ‖ model), which pulls towards the reference as well.

    Arguments:
        log_p, log_reference: log-probabilities [answers, tokens] of the drawn tokens, 0 after the end of an answer.
        advantage: of each answer [answers].
        beta: weight of the divergence, 0 or more.
        num_tokens: constant by which the sums over tokens are divided; dividing by each answer's own length instead
            would favour long wrong answers (liu2025).
    """
    if beta < 0:
        raise ValueError(f"beta is a weight of 0 or more, got {beta!r}")
    gained = (advantage[:, None] * log_p).sum(dim=1)
    strayed = kl_estimate(log_p, log_reference).sum(dim=1)
    return (beta * strayed - gained).mean() / num_tokens


@torch.no_grad()
def draw_groups(
    model: Decoder, prompts: Tensor, group: int, num_tokens: int, *, seed: int = 0, temperature: float = 1.0,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Draw ``group`` answers for each of ``prompts`` [P, L]: token numbers [P · group, num_tokens].

    Arguments:
        precision: bfloat16 draws with a copy of the model whose weights are rounded to it.
    """
    if precision is torch.bfloat16:
        model = copy.deepcopy(model).to(torch.bfloat16)
    was_training, generator = model.training, device.generator(seed)
    model.eval()
    caches = model.caches(len(prompts))
    logits = model(prompts, caches)[:, -1].repeat_interleave(group, dim=0)   # each prompt is read once
    for cache in caches:
        cache.keys, cache.values = (kept.repeat_interleave(group, dim=0) for kept in (cache.keys, cache.values))
    answers = prompts.new_full((len(logits), num_tokens), END)
    over = torch.zeros(len(logits), dtype=torch.bool)
    for place in range(num_tokens):
        reached = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
        drawn = torch.rand(len(logits), 1, generator=generator) * reached[:, -1:]
        token = torch.searchsorted(reached, drawn)[:, 0].clamp(max=reached.shape[1] - 1)
        answers[:, place] = torch.where(over, END, token)
        over |= token == END
        if place + 1 == num_tokens or bool(over.all()):
            break
        logits = model(answers[:, place:place + 1], caches)[:, -1]
    model.train(was_training)
    return answers


def texts(tokeniser: Tokenizer, answers: Tensor) -> list[str]:
    """The answers [B, R] as text, each up to its end."""
    rows = answers.tolist()
    return tokeniser.decode_batch([row[:row.index(END)] if END in row else row for row in rows])


@dataclass
class Round:
    """What one round saw, before its update.

    Attributes:
        number: from 1.
        reward: mean of the rewards that were trained on.
        divergence: estimated KL from the reference, in nats an answer, over the answers that were trained on.
        useful: share of the groups whose rewards differ; the others teach nothing.
        length: mean tokens an answer, its end included.
        prompts: numbers of the prompts; answers: their texts, group after group.
        rewards: of each answer.
        flops: floating-point operations so far, sampling and updates; seconds: so far, the reward's included.
    """

    number: int
    reward: float
    divergence: float
    useful: float
    length: float
    prompts: list[int] = field(repr=False)
    answers: list[str] = field(repr=False)
    rewards: list[float] = field(repr=False)
    flops: float
    seconds: float


def rounds(
    model: Decoder, reference: Decoder, tokeniser: Tokenizer, prompts: Sequence[str], reward: Reward, *,
    method: str = "policy gradient", num_rounds: int, lr: float, beta: float = 0.0, num_prompts: int = 16,
    group: int = 8, width: int, num_tokens: int, seed: int = 0, precision: torch.dtype = torch.float32,
) -> Iterator[Round]:
    """Improve ``model`` in place by its own checked answers, and yield each ``Round`` after its update.

    Arguments:
        model: a decoder; reference: what it is held near to, usually a copy of it at the start.
        tokeniser: of both.
        prompts: texts; each round takes the next ``num_prompts`` of them in an order drawn from ``seed``.
        reward: worth of answers, from the numbers of their prompts and their texts.
        method: "policy gradient" (all answers, by advantage), "preferences" (DPO on pairs of a better and a worse
            answer of a group) or "imitation" (cross-entropy on the answers with the highest possible reward 1).
        num_rounds: rounds; lr: learning rate of AdamW, which rises over the first 5 rounds and stays.
        beta: weight of the KL term, or DPO's beta; "imitation" has none.
        num_prompts, group: prompts a round, and answers a prompt.
        width, num_tokens: of prompts and answers, in tokens.
        precision: bfloat16 for samples and matrix products.

    Raises:
        ValueError: when the first round is asked for: an unknown method or an option out of range.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(map(repr, METHODS))}, got {method!r}")
    for name, value in (("num_rounds", num_rounds), ("num_prompts", num_prompts), ("group", group)):
        checked_whole(name, value)
    if group < 2 or num_prompts > len(prompts):
        raise ValueError(f"a group needs at least 2 answers and a round at most {len(prompts)} prompts, "
                         f"got group={group}, num_prompts={num_prompts}")
    encoded = encode_prompts(tokeniser, prompts, width)
    optimiser = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, betas=(0.9, 0.95))
    generator, order = device.generator(seed), torch.empty(0, dtype=torch.long)
    flops, start = 0.0, time.perf_counter()
    a_token = 2.0 * count(model)                                # of a forward pass, attention left out
    for number in range(1, num_rounds + 1):
        while len(order) < num_prompts:
            order = torch.cat([order, torch.randperm(len(encoded), generator=generator)])
        chosen, order = order[:num_prompts], order[num_prompts:]
        answers = draw_groups(model, encoded[chosen], group, num_tokens, seed=seed * 100_003 + number,
                              precision=precision)
        written = texts(tokeniser, answers)
        numbers = chosen.repeat_interleave(group)
        rewards = torch.tensor(reward(numbers.tolist(), written), dtype=torch.float32)
        before = encoded[numbers]
        model.train()
        with torch.autocast(before.device.type, dtype=torch.bfloat16, enabled=precision is torch.bfloat16):
            loss, divergence, passes = _loss(model, reference, before, answers, rewards.view(-1, group), method, beta)
        if loss is not None:
            for options in optimiser.param_groups:
                options["lr"] = lr * min(1.0, number / WARM_UP)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        model.eval()
        flops += a_token * (before.shape[1] + num_tokens) * (len(before) + passes)
        grouped = rewards.view(-1, group)
        yield Round(number, float(rewards.mean()), divergence, float((grouped.std(dim=1) > 0).float().mean()),
                    float(answer_mask(answers).sum(dim=1).float().mean()), chosen.tolist(), written, rewards.tolist(),
                    flops, time.perf_counter() - start)


def _loss(
    model: Decoder, reference: Decoder, prompts: Tensor, answers: Tensor, rewards: Tensor, method: str, beta: float
) -> tuple[Tensor | None, float, float]:
    """The loss of a round (None: nothing to learn), the divergence, and passes over rows (a forward counts 1)."""
    if method == "imitation":
        right = rewards.flatten() >= 1
        if not right.any():
            return None, 0.0, 0.0
        log_p = log_probabilities(model, prompts[right], answers[right])
        return -log_p.sum() / answer_mask(answers[right]).sum(), 0.0, 3.0 * int(right.sum())
    if method == "preferences":
        better, worse = pairs(rewards)
        if not len(better):
            return None, 0.0, 0.0
        rows = torch.cat([better, worse])
        log_p = log_probabilities(model, prompts[rows], answers[rows]).sum(dim=1)
        with torch.no_grad():
            log_r = log_probabilities(reference, prompts[rows], answers[rows]).sum(dim=1)
        half = len(better)
        loss = dpo_loss(log_p[:half], log_p[half:], log_r[:half], log_r[half:], beta)
        return loss, 0.0, 4.0 * len(rows)
    advantage = advantages(rewards).flatten()
    with torch.no_grad():
        log_r = log_probabilities(reference, prompts, answers)
    log_p = log_probabilities(model, prompts, answers)
    divergence = float(kl_estimate(log_p.detach(), log_r).sum(dim=1).mean())
    return policy_loss(log_p, log_r, advantage, beta, answers.shape[1]), divergence, 4.0 * len(answers)


def pairs(rewards: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of the better and of the worse answers: in each group the k-th right with the k-th wrong one.

    Arguments:
        rewards: [prompts, group], where 1 is right and anything below is wrong.
    """
    better, worse = [], []
    for start, row in zip(range(0, rewards.numel(), rewards.shape[1]), rewards, strict=True):
        right, wrong = (row >= 1).nonzero()[:, 0] + start, (row < 1).nonzero()[:, 0] + start
        half = min(len(right), len(wrong))
        better.append(right[:half])
        worse.append(wrong[:half])
    return torch.cat(better), torch.cat(worse)
