"""A step of ``training.muon`` against a step of ``torch.optim.Muon`` on the hidden matrices of a network."""

from __future__ import annotations

from collections.abc import Callable

import torch

from helpers import models
from helpers.training import muon

NUM_STEPS = 20
LIMIT = 1.10  # times the seconds of torch's
SAME = 0.05  # how far the lengths of both paths may differ: torch's arithmetic is bfloat16

TASKS: dict[str, Callable[[], torch.nn.Module]] = {
    "mlp 64-128-128-128-10": lambda: models.MLP(64, [128, 128, 128], 10),
    "decoder 4 x 128": lambda: models.Decoder(256, 64, num_layers=4, d_model=128, num_heads=4),
    "decoder 2 x 384": lambda: models.Decoder(256, 64, num_layers=2, d_model=384, num_heads=6),
}


def _case(task: str, make: Callable[[list], torch.optim.Optimizer]) -> Callable[[], float]:
    """Steps with gradients that stay the same; returns how far the matrices have moved."""
    hidden = next(group["params"] for group in muon.split(TASKS[task]()) if group["muon"])
    start = [parameter.detach().clone() for parameter in hidden]
    generator = torch.Generator().manual_seed(0)
    for parameter in hidden:
        parameter.grad = torch.randn(parameter.shape, generator=generator)

    def train() -> float:
        optimiser = make(hidden)
        with torch.no_grad():
            for parameter, value in zip(hidden, start, strict=True):
                parameter.copy_(value)
        for _ in range(NUM_STEPS):
            optimiser.step()
        moved = [(parameter.detach() - value).square().sum() for parameter, value in zip(hidden, start, strict=True)]
        return float(torch.stack(moved).sum().sqrt())

    return train


def ours(task: str) -> Callable[[], float]:
    """``training.muon.Muon``."""
    return _case(task, lambda hidden: muon.Muon([{"params": hidden, "muon": True}], lr=0.01))


def theirs(task: str) -> Callable[[], float]:
    """``torch.optim.Muon`` with the same scale of its steps."""
    return _case(
        task, lambda hidden: torch.optim.Muon(hidden, lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    )


CASES = {"training.muon": ours, "torch.optim.Muon": theirs}
