"""Muon for hidden weight matrices, AdamW for everything else, as one fast optimiser.

``split`` says in one place which weights count as hidden. The version to read is ``optimisers.Muon``.
Derived in: book/algorithms/optimisers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a, b, c of the polynomial. Source: jordan2024
NUM_ROUNDS = 5  # of the polynomial. Source: jordan2024
MOMENTUM = 0.95  # Source: jordan2024
_TINY = 1e-7
_LARGE = 256  # smaller side from which a CPU gains nothing by working on several matrices at once
_WORTH_BFLOAT16 = 128  # smaller side from which bfloat16 is the faster one on a CPU with matrix tiles


def scale(num_rows: int, num_columns: int) -> float:
    """What an orthogonal step is multiplied by, 0.2 √max(rows, columns), so that AdamW's learning rates fit Muon.

    A matrix with orthonormal rows or columns has the root mean square 1 / √max(rows, columns); the numbers of an
    AdamW step have about 0.2. Source: liu2025muon.
    """
    return 0.2 * math.sqrt(max(num_rows, num_columns))


def orthogonalise(matrices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Bring the singular values of each matrix near 1 by five rounds of X ← a X + (b A + c A²) X with A = X Xᵀ.

    Arguments:
        matrices: [rows, columns], or [batch, rows, columns] for many at once.
        dtype: of the arithmetic; None takes bfloat16 where that is faster on this device and size, else float32.

    Returns:
        matrices of the same shape in ``dtype``. Singular values from 0.01 to 1 times the Frobenius norm land between
        0.68 and 1.13: they come near 1 and do not converge to it.

    Source: jordan2024. Derived in: book/algorithms/optimisers.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).to(dtype or _fast_dtype(matrices))
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=_TINY)
    add_product = torch.addmm if x.ndim == 2 else torch.baddbmm
    for _ in range(NUM_ROUNDS):
        gram = x @ x.mT
        x = add_product(x, add_product(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def split(model: nn.Module) -> list[dict]:
    """Parameter groups for ``Muon``: which weights of ``model`` are hidden matrices, and which are not.

    Muon gets each parameter that is a matrix, apart from two kinds: embeddings (also where another layer shares them)
    and the weights of the last linear layer, which gives the outputs. AdamW gets these two, and whatever is no matrix:
    biases, gains of norms, filters of convolutions. The last linear layer is the one the model defines last.

    Returns:
        [{"params": …, "muon": True}, {"params": …, "muon": False}], without a group that would be empty.

    Source: jordan2024.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    apart = {id(layers[-1].weight)} if layers else set()
    apart |= {id(module.weight) for module in model.modules() if isinstance(module, (nn.Embedding, nn.EmbeddingBag))}
    groups: dict[bool, list[Tensor]] = {True: [], False: []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[parameter.ndim == 2 and id(parameter) not in apart].append(parameter)
    return [{"params": members, "muon": hidden} for hidden, members in groups.items() if members]


class Muon(torch.optim.Optimizer):
    """Muon for the groups marked ``muon``, fused AdamW for the others, with one learning rate for both.

    Matrices of one shape are orthogonalised together. Weight decay is decoupled in both kinds of groups.

    Arguments:
        groups: from ``split``, or made by hand: dicts with "params" and "muon". In a Muon group each parameter is a
            matrix, or a stack of independent matrices [batch, rows, columns].
        lr: learning rate, the same scale as AdamW's.
        weight_decay: λ.

    Raises:
        ValueError: a group that does not say whether it is for Muon, or a Muon group with something that is no matrix.

    Source: jordan2024, liu2025muon.
    """

    def __init__(self, groups: Iterable[dict], lr: float, *, weight_decay: float = 0.0) -> None:
        groups = list(groups)
        if not all(isinstance(group, dict) and "muon" in group for group in groups):
            raise ValueError(
                "muon needs to know which weights are hidden matrices, and got bare parameters: pass "
                "muon.split(model), or groups such as {'params': [...], 'muon': True}"
            )
        defaults = {**torch.optim.AdamW([torch.zeros(1)], lr=lr, weight_decay=weight_decay, fused=True).defaults}
        super().__init__(groups, defaults)
        for group in self.param_groups:
            for parameter in group["params"] if group["muon"] else ():
                if parameter.ndim not in (2, 3):
                    raise ValueError(
                        f"muon works on matrices, got a parameter of shape {list(parameter.shape)}: "
                        "put it into a group with muon=False"
                    )
        self._rest = torch.optim.AdamW([torch.zeros(1)], lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["muon"]:
                self._update(group)
        # AdamW works on this optimiser's own groups and state, so that schedules and checkpoints see one optimiser.
        self._rest.param_groups = [group for group in self.param_groups if not group["muon"]]
        self._rest.state = self.state
        self._rest.step()
        return loss

    def _update(self, group: dict) -> None:
        alike: dict[tuple, list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                alike[(*parameter.shape, parameter.dtype, parameter.device)].append(parameter)
        for members in alike.values():
            gradients = [parameter.grad for parameter in members]
            velocities = [self._velocity(parameter) for parameter in members]
            torch._foreach_mul_(velocities, MOMENTUM)
            torch._foreach_add_(velocities, gradients)
            ahead = torch._foreach_add(gradients, velocities, alpha=MOMENTUM)
            large = members[0].device.type == "cpu" and min(members[0].shape[-2:]) >= _LARGE
            if large or len(members) == 1 or members[0].ndim == 3:
                steps = [orthogonalise(one) for one in ahead]
            else:
                steps = list(orthogonalise(torch.stack(ahead)).to(members[0].dtype))
            if group["weight_decay"]:
                torch._foreach_mul_(members, 1 - group["lr"] * group["weight_decay"])
            for parameter, one in zip(members, steps, strict=True):
                parameter.add_(one, alpha=-group["lr"] * scale(*parameter.shape[-2:]))

    def _velocity(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["velocity"] = torch.zeros_like(parameter)
        return state["velocity"]


def _fast_dtype(matrices: Tensor) -> torch.dtype:
    if matrices.device.type == "cuda":
        return torch.bfloat16
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return torch.bfloat16 if has_tiles and min(matrices.shape[-2:]) >= _WORTH_BFLOAT16 else torch.float32
