"""Speculative decoding: a small model drafts a few tokens, the large one checks them all in one pass.

The text has exactly the distribution that the large model alone would give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers import device
from helpers.models._count import checked_size
from helpers.models.attention import Cache, State
from helpers.models.generate import probabilities
from helpers.models.transformer import Decoder


@dataclass(frozen=True)
class Speculation:
    """A text that two models wrote together.

    Attributes:
        tokens: prompt and new tokens [1, T + new].
        drafted: tokens that the small model proposed in each pass of the large one; of the last pass those up to the
            stop.
        accepted: how many of them were kept.
    """

    tokens: Tensor
    drafted: list[int]
    accepted: list[int]

    @property
    def num_passes(self) -> int:
        """Passes of the large model."""
        return len(self.accepted)

    @property
    def acceptance(self) -> float:
        """Share of kept tokens among those that were tested: what stands behind a refused one is not tested."""
        refused = sum(kept < tried for kept, tried in zip(self.accepted, self.drafted, strict=True))
        return sum(self.accepted) / max(1, sum(self.accepted) + refused)


def expected_tokens(acceptance: float, num_drafted: int) -> float:
    """New tokens of one pass of the large model on average, (1 − α^(γ+1)) / (1 − α).

    Arguments:
        acceptance: chance α in [0, 1] that a drafted token is kept, the same and independent at each place.
        num_drafted: drafted tokens γ, 0 or more.

    Raises:
        ValueError: a number out of range.

    Source: leviathan2023. Derived in: book/project/inference.
    """
    if not 0.0 <= acceptance <= 1.0:
        raise ValueError(f"acceptance is a chance in [0, 1], got {acceptance!r}")
    if isinstance(num_drafted, bool) or not isinstance(num_drafted, int) or num_drafted < 0:
        raise ValueError(f"num_drafted must be a whole number of tokens of at least 0, got {num_drafted!r}")
    return sum(acceptance**i for i in range(num_drafted + 1))


def accept(target: Tensor, proposal: Tensor, drafted: Sequence[int], generator: torch.Generator) -> tuple[int, int]:
    """How many drafted tokens stay, and the token that follows them.

    A drafted token x stays with chance min(1, p(x) / q(x)). In the place of the first that does not, a token is drawn
    from max(p − q, 0), brought to sum 1; if all stay, one more is drawn from the last row of ``target``.

    Arguments:
        target: chances p [γ + 1, V] of the large model at the drafted places and the one behind them.
        proposal: chances q [γ, V] from which the drafted tokens were drawn.
        drafted: the γ tokens.
        generator: of the draws.

    Raises:
        ValueError: shapes that do not fit each other.

    Source: leviathan2023, chen2023speculative. Derived in: book/project/inference.
    """
    num = len(drafted)
    if target.ndim != 2 or len(target) != num + 1 or tuple(proposal.shape) != (num, target.shape[1]):
        raise ValueError(f"{num} drafted tokens need chances [{num + 1}, V] and [{num}, V], "
                         f"got {list(target.shape)} and {list(proposal.shape)}")
    draws = torch.rand(num, generator=generator).tolist()
    for place, (token, draw) in enumerate(zip(drafted, draws, strict=True)):
        p, q = target[place], proposal[place]
        if draw * float(q[token]) >= float(p[token]):
            return place, int(torch.multinomial((p - q).clamp(min=0), 1, generator=generator))
    return num, int(torch.multinomial(target[num], 1, generator=generator))


def roll_back(caches: Sequence[Cache | State], length: int) -> None:
    """Forget all tokens but the first ``length``.

    Raises:
        ValueError: caches that cannot: sums over the past, or a window that has let go of older tokens; or fewer
            tokens in them than are to be kept.
    """
    for cache in caches:
        if not isinstance(cache, Cache) or cache.window is not None:
            raise ValueError("only a cache of every token can be rolled back: take a model with softmax attention "
                             "and without a window")
        if not 0 <= length <= cache.length:
            raise ValueError(f"the cache holds {cache.length} tokens, so {length} of them cannot be kept")
        cache.length = length


@torch.no_grad()
def speculate(
    model: Decoder, draft: Decoder, prompt: Tensor, num_tokens: int, *, num_drafted: int = 4, stop: int | None = None,
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, seed: int = 0,
) -> Speculation:
    """Continue one text with ``model``, which checks what ``draft`` proposes.

    Arguments:
        model: the large decoder; its chances are those of the text.
        draft: a cheaper decoder with the same vocabulary.
        prompt: token numbers [1, T].
        num_tokens: new tokens; T + num_tokens may not exceed either context.
        num_drafted: tokens γ proposed for each pass of ``model``.
        stop: token behind which the text ends.
        temperature, top_k, top_p: as in ``generate.probabilities``, for both models; top_k=1 is greedy.
        seed: of the draws.

    Raises:
        ValueError: another shape, models that do not fit each other, too many tokens, an option out of range.

    Source: leviathan2023. Derived in: book/project/inference.
    """
    checked_size("num_tokens", num_tokens)
    checked_size("num_drafted", num_drafted)
    if prompt.ndim != 2 or len(prompt) != 1 or prompt.shape[1] == 0 or prompt.is_floating_point():
        raise ValueError(f"speculation takes one text of at least one token number [1, T], got {list(prompt.shape)}")
    if model.vocabulary != draft.vocabulary:
        raise ValueError(f"both models must share one tokeniser, got vocabularies of {model.vocabulary} and "
                         f"{draft.vocabulary} tokens")
    end, context = prompt.shape[1] + num_tokens, min(model.context, draft.context)
    if end > context:
        raise ValueError(f"{prompt.shape[1]} tokens of prompt and {num_tokens} new ones exceed the context of "
                         f"{context}: ask for fewer")
    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    generator, where = device.generator(seed), model.embedding.weight.device
    text, caches, draft_caches = prompt[0].tolist(), model.caches(1), draft.caches(1)
    were_training = model.training, draft.training
    model.eval(), draft.eval()
    counts: list[tuple[int, int]] = []

    def chances(one: Decoder, its_caches: list, tokens: list[int], num_rows: int) -> Tensor:
        """Of the tokens behind each of the last ``num_rows``; the cache knows how many it has seen."""
        new = torch.tensor([tokens[its_caches[0].length:]], device=where)
        return probabilities(one(new, its_caches)[0, -num_rows:], **knobs).cpu()

    try:
        while len(text) < end and (len(text) == prompt.shape[1] or text[-1] != stop):
            rows, drafted = [], []
            for _ in range(min(num_drafted, end - len(text) - 1)):       # one token comes from the large model
                rows.append(chances(draft, draft_caches, text + drafted, 1)[0])
                drafted.append(int(torch.multinomial(rows[-1], 1, generator=generator)))
            target = chances(model, caches, text + drafted, len(drafted) + 1)
            proposal = torch.stack(rows) if rows else target[:0]
            kept, token = accept(target, proposal, drafted, generator)
            new = [*drafted[:kept], token]
            if stop in new:
                new = new[:new.index(stop) + 1]
                drafted = drafted[:len(new)]                            # behind the stop nothing counts
            counts.append((len(drafted), min(kept, len(new))))
            text += new
            for some in (caches, draft_caches):                         # what was refused never happened
                roll_back(some, min(some[0].length, len(text) - 1))
    finally:
        model.train(were_training[0]), draft.train(were_training[1])
    tried, kept = zip(*counts, strict=True)
    return Speculation(torch.tensor([text], device=prompt.device), list(tried), list(kept))
