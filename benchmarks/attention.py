"""A training step of ``helpers.models`` blocks against the same blocks written out on torch's fused attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.models.attention import Block, Config
from helpers.models.positions import rotate, rotation

NUM_STEPS = 3
LIMIT = 1.10  # times the seconds of the blocks written out

# name → examples, tokens, width, heads
TASKS: dict[str, tuple[int, int, int, int]] = {
    "16 x 128 tokens, width 128": (16, 128, 128, 4),
    "8 x 256 tokens, width 256": (8, 256, 256, 8),
    "2 x 1024 tokens, width 256": (2, 1024, 256, 8),
}


class Plain(nn.Module):
    """The same block with nothing to choose: RMS norm, rotary positions, full heads, GELU."""

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norms = nn.ModuleList(nn.RMSNorm(d_model) for _ in range(2))
        self.q, self.kv, self.out, self.rise, self.fall = (
            nn.Linear(width, out, bias=False)
            for width, out in ((d_model, d_model), (d_model, 2 * d_model), (d_model, d_model),
                               (d_model, 4 * d_model), (4 * d_model, d_model)))

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Tokens [B, T, D] → [B, T, D]."""
        b, t, d = x.shape
        y = self.norms[0](x)
        q = self.q(y).view(b, t, self.num_heads, -1).transpose(1, 2)
        k, v = self.kv(y).view(b, t, 2 * self.num_heads, -1).transpose(1, 2).chunk(2, dim=1)
        mixed = F.scaled_dot_product_attention(rotate(q, *turn), rotate(k, *turn), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, d))
        return x + self.fall(F.gelu(self.rise(self.norms[1](x))))


def _case(task: str, block: nn.Module) -> Callable[[], float]:
    """Forward and backward passes; returns the length of the slope at the input."""
    b, t, d, heads = TASKS[task]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(b, t, d, generator=generator).requires_grad_()
    turn = rotation(t, d // heads)
    for parameter in block.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.02, generator=generator)

    def train() -> float:
        for _ in range(NUM_STEPS):
            x.grad = None
            block.zero_grad()
            block(x, turn).square().mean().backward()
        return float(x.grad.norm())

    return train


def ours(task: str) -> Callable[[], float]:
    """``helpers.models.attention.Block``."""
    _, _, d, heads = TASKS[task]
    return _case(task, Block(Config(d_model=d, num_heads=heads)))


def theirs(task: str) -> Callable[[], float]:
    """The block written out."""
    _, _, d, heads = TASKS[task]
    return _case(task, Plain(d, heads))


CASES = {"helpers.models": ours, "written out": theirs}
