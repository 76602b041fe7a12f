"""Where a token stands: rotary angles, which turn queries and keys, and fixed position vectors, which are added."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation(num_positions: int, d_head: int, *, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine, each [num_positions, d_head / 2], of the angle t · base^(−2i/E) for position t and pair i.

    Source: su2024.
    """
    frequencies = base ** (-torch.arange(0, d_head, 2) / d_head)
    angles = torch.arange(num_positions)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (x_i, x_{i+E/2}) of ``x`` [B, H, T, E] by the angles of their positions [T, E / 2]."""
    cosine, sine = cosine.to(x.dtype), sine.to(x.dtype)  # bfloat16 stays bfloat16: a tenth of a step
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)


def sinusoids(num_positions: int, d_model: int) -> Tensor:
    """Fixed position vectors [num_positions, d_model]: sines, then cosines, of t · 10000^(−2i/D).

    Source: vaswani2017.
    """
    cosine, sine = rotation(num_positions, d_model + d_model % 2)
    return torch.cat((sine, cosine), dim=1)[:, :d_model]
