"""Writing with a decoder: one token after the other, keys and values of earlier tokens kept.

``written`` is the loop as a generator, ``generate`` collects what it yields.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from helpers import device
from helpers.models._count import checked_size
from helpers.models.transformer import Decoder


def probabilities(
    logits: Tensor, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Chances of the next token [..., V] from ``logits`` [..., V]: sharpened, then cut, then brought to sum 1.

    Arguments:
        logits: of the next token.
        temperature: the logits are divided by it; below 1 the likely tokens gain. Above 0.
        top_k: keep the k likeliest tokens; 1 takes the likeliest alone (greedy).
        top_p: keep the likeliest tokens until their chances add up to p or more, in (0, 1].

    Raises:
        ValueError: an option out of range.

    Derived in: book/project/language_model.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature!r}: for the likeliest token use top_k=1")
    if top_k is not None:
        checked_size("top_k", top_k)
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p is a share of probability in (0, 1], or None, got {top_p!r}")
    chances = (logits.float() / temperature).softmax(dim=-1)
    if top_k is None and top_p is None:
        return chances
    ranked, order = chances.sort(dim=-1, descending=True, stable=True)
    kept = torch.ones_like(ranked, dtype=torch.bool)
    if top_k is not None:
        kept[..., top_k:] = False
    if top_p is not None:
        ranked = ranked * kept / (ranked * kept).sum(dim=-1, keepdim=True)
        kept &= ranked.cumsum(dim=-1) - ranked < top_p      # what stands before a token has not reached p yet
    ranked = ranked * kept
    return torch.zeros_like(chances).scatter(-1, order, ranked / ranked.sum(dim=-1, keepdim=True))


@torch.no_grad()
def written(
    model: Decoder, prompt: Tensor, *, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Yield the next token of each text [B], again and again, until the caller stops.

    When the model's context is full, the older half of it is forgotten and the newer half is read again.

    Arguments:
        model: a decoder; it is used in evaluation mode and left as it was.
        prompt: token numbers [B, T] with 1 ≤ T ≤ context.
        temperature, top_k, top_p: as in ``probabilities``.
        seed: of the draws; the global generator stays as it was.

    Raises:
        ValueError: an empty prompt, one above the context, or an option out of range.
    """
    if prompt.ndim != 2 or prompt.is_floating_point():
        raise ValueError(f"a prompt is a tensor of token numbers [texts, tokens], got {list(prompt.shape)}")
    if prompt.shape[1] == 0:
        raise ValueError("the prompt is empty: give at least one token, such as the number of <|end|>")
    if prompt.shape[1] > model.context:
        raise ValueError(f"the prompt has {prompt.shape[1]} tokens, the model's context is {model.context}: "
                         f"keep its last {model.context} tokens or fewer")
    where = model.embedding.weight.device
    generator = device.generator(seed)
    seen = new = prompt.to(where)
    caches = model.caches(len(prompt))
    was_training = model.training
    model.eval()
    try:
        while True:
            logits = model(new, caches)[:, -1]
            chances = probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p).cpu()
            token = torch.multinomial(chances, 1, generator=generator).to(where)
            yield token[:, 0]
            seen, new = torch.cat((seen, token), dim=1)[:, -model.context:], token
            if caches[0].length == model.context:
                caches, new = model.caches(len(prompt)), seen[:, -(model.context + 1) // 2:]
    finally:
        model.train(was_training)


def generate(
    model: Decoder, prompt: Tensor, num_tokens: int, *, stop: int | None = None, temperature: float = 1.0,
    top_k: int | None = None, top_p: float | None = None, seed: int = 0,
) -> Tensor:
    """Continue each text of ``prompt`` [B, T] by up to ``num_tokens`` tokens; returns [B, T + new].

    Arguments:
        stop: token after which a text is over; its row is filled up with it, and the loop ends when all are over.
        model, prompt, temperature, top_k, top_p, seed: as in ``written``.

    Raises:
        ValueError: as ``written``, or a number of tokens below 1.
    """
    checked_size("num_tokens", num_tokens)
    texts, over = [prompt], torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    for token in written(model, prompt, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed):
        token = token.to(prompt.device)
        if stop is not None:
            token = torch.where(over, stop, token)
            over |= token == stop
        texts.append(token[:, None])
        if len(texts) > num_tokens or bool(over.all()):
            break
    return torch.cat(texts, dim=1)
