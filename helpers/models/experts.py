"""The part of a block that works on each token alone: dense, or a mixture of experts with a router.

Letters in shapes: n tokens, D model width, N experts, k experts that a token visits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from helpers.models.attention import Config


class FeedForward(nn.Module):
    """The part of a block that works on each token alone: two matrices, or three with a gate. Source: shazeer2020."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.kind = config.feed_forward
        self.gated = self.kind == "swiglu"
        self.rise = nn.Linear(config.d_model, config.d_ff * (2 if self.gated else 1), bias=config.bias)
        self.output = nn.Linear(config.d_ff, config.d_model, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [..., D] → [..., D]."""
        return self.output(self.activate(self.rise(x)))

    def activate(self, hidden: Tensor) -> Tensor:
        """What stands between the matrices; a gate halves the width."""
        if self.gated:
            gate, hidden = hidden.chunk(2, dim=-1)
            return F.silu(gate) * hidden
        return F.gelu(hidden) if self.kind == "gelu" else F.relu(hidden).square()


def route(logits: Tensor, top_k: int, shift: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Choose experts.

    Arguments:
        logits: of the router, [n, N].
        top_k: experts k that a token visits, at most N.
        shift: [N], added to the probabilities when experts are chosen, and nowhere else.

    Returns:
        Numbers of the chosen experts [n, k], best first; the gates that multiply their outputs [n, k]; the
        probabilities [n, N]. Gates are the chosen probabilities, divided by their sum if k is above 1. (With k = 1
        that would be 1 always, and the router would get no slope.)

    Raises:
        ValueError: more experts to visit than there are.

    Source: shazeer2017, fedus2022, wang2024. Derived in: book/algorithms/mixture_of_experts_and_long_context.
    """
    if not 1 <= top_k <= logits.shape[-1]:
        raise ValueError(f"top_k must lie in 1 … {logits.shape[-1]}, the number of experts, got {top_k}: lower top_k")
    probabilities = logits.softmax(dim=-1)
    ranked = probabilities.detach() if shift is None else probabilities.detach() + shift
    chosen = ranked.topk(top_k, dim=-1).indices
    gates = probabilities.gather(-1, chosen)
    return chosen, gates / gates.sum(dim=-1, keepdim=True) if top_k > 1 else gates, probabilities


def balance_loss(chosen: Tensor, probabilities: Tensor) -> Tensor:
    """N Σ f_i P_i: 1 when all experts are used alike, N when one gets everything.

    Arguments:
        chosen: numbers of the experts [n, k]; f_i is the share of these that is i, and has no slope.
        probabilities: [n, N]; P_i is their mean, and carries the slope.

    Source: fedus2022. Derived in: book/algorithms/mixture_of_experts_and_long_context.
    """
    num_experts = probabilities.shape[-1]
    load = torch.bincount(chosen.flatten(), minlength=num_experts).to(probabilities.dtype) / chosen.numel()
    return num_experts * (load * probabilities.mean(dim=0)).sum()


class _AddSlope(torch.autograd.Function):
    """Returns ``x`` unchanged; on the way back ``extra`` gets the slope 1, as if it had been added to the loss."""

    @staticmethod
    def forward(ctx: object, x: Tensor, extra: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, slope: Tensor) -> tuple[Tensor, Tensor]:
        return slope, slope.new_ones(())


class Experts(nn.Module):
    """A feed-forward part with N experts of which a router chooses k for each token; no token is dropped.

    In training the balance loss, times ``config.balance``, is added to the slopes, so that the loss that is reported
    stays that of the task; and ``shift`` moves by ``config.balance_step`` towards experts with few tokens.

    Derived in: book/algorithms/mixture_of_experts_and_long_context. Source: shazeer2017, fedus2022, wang2024.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.router = nn.Linear(config.d_model, config.num_experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(config) for _ in range(config.num_experts))
        self.register_buffer("shift", torch.zeros(config.num_experts))

    def choose(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Chosen experts, gates and probabilities, as ``route`` gives them, for tokens [n, D]."""
        return route(self.router(x), self.config.top_k, self.shift)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [..., D] → [..., D]."""
        c, flat = self.config, x.reshape(-1, x.shape[-1])
        chosen, gates, probabilities = self.choose(flat)
        order = chosen.flatten().argsort(stable=True)            # visits, expert after expert
        counts = torch.bincount(chosen.flatten(), minlength=c.num_experts)
        token = order // c.top_k                                 # to whom a visit belongs
        parts = flat[token].split(counts.tolist())
        results = torch.cat([expert(part) for expert, part in zip(self.experts, parts, strict=True)])
        results = results * gates.flatten()[order, None]
        mixed = torch.zeros_like(flat).index_add(0, token, results.to(flat.dtype))
        if self.training and torch.is_grad_enabled():
            if c.balance:
                mixed = _AddSlope.apply(mixed, c.balance * balance_loss(chosen, probabilities))
            if c.balance_step:
                missing = counts.sum() / c.num_experts - counts
                self.shift += c.balance_step * missing.sign()
        return mixed.view_as(x)
