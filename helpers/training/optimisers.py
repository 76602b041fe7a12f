"""Optimisers: plain versions to read, equal to torch's step by step, and ``make`` for torch's fused ones.

The plain versions update tensors ``parameters`` from their ``.grad`` and show each formula in one line a quantity.
Derived in: book/algorithms/optimisers.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from helpers.training import muon


class Optimiser:
    """What the plain optimisers share: the parameters, the learning rate and a count of the steps taken."""

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = list(parameters)
        self.lr = checked_rate(lr)
        self.num_steps = 0

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update each parameter that has a gradient."""
        self.num_steps += 1
        for number, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.update(number, parameter, parameter.grad)

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """Change ``parameter``, the one with this ``number``, in place, given its ``gradient`` of the same shape."""
        raise NotImplementedError

    def memory(self) -> list[Tensor]:
        """One tensor of zeros for each parameter."""
        return [torch.zeros_like(parameter) for parameter in self.parameters]


class SGD(Optimiser):
    """Gradient descent, θ ← θ − η g. Source: cauchy1847, robbins1951."""

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        parameter -= self.lr * gradient


class Momentum(Optimiser):
    """Heavy ball, v ← μ v + g, θ ← θ − η v; Nesterov's form steps along g + μ v. Source: polyak1964, nesterov1983."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.9, *, nesterov: bool = False
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity = self.memory()

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        velocity = self.velocity[number]
        velocity.mul_(self.momentum).add_(gradient)
        parameter -= self.lr * (gradient + self.momentum * velocity if self.nesterov else velocity)


class RMSprop(Optimiser):
    """Steps divided by a running root mean square of the gradient, v ← α v + (1 − α) g², θ ← θ − η g / (√v + ε).

    The slide has α = 0.9; torch's default, taken here, is 0.99. Source: tieleman2012.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, alpha: float = 0.99, eps: float = 1e-8) -> None:
        super().__init__(parameters, lr)
        self.alpha, self.eps = alpha, eps
        self.square = self.memory()

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        square = self.square[number]
        square.mul_(self.alpha).add_((1 - self.alpha) * gradient**2)
        parameter -= self.lr * gradient / (square.sqrt() + self.eps)


class Adam(Optimiser):
    """Adam: running means m of g and v of g², both corrected for their start at zero. Source: kingma2015.

    θ ← θ − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(parameters, lr)
        self.betas, self.eps = betas, eps
        self.mean, self.square = self.memory(), self.memory()

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        beta1, beta2 = self.betas
        mean, square = self.mean[number], self.square[number]
        mean.mul_(beta1).add_((1 - beta1) * gradient)
        square.mul_(beta2).add_((1 - beta2) * gradient**2)
        mean_hat = mean / (1 - beta1**self.num_steps)
        square_hat = square / (1 - beta2**self.num_steps)
        parameter -= self.lr * mean_hat / (square_hat.sqrt() + self.eps)


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← (1 − η λ) θ before the Adam step. Source: loshchilov2019.

    Adding λθ to the gradient instead (as Adam's weight_decay in torch does) is another method: the decay would be
    divided by √v̂ as well.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        parameter *= 1 - self.lr * self.weight_decay
        super().update(number, parameter, gradient)


class Muon(Momentum):
    """Muon: Nesterov's momentum of a weight matrix, made nearly orthogonal. Source: jordan2024, liu2025muon.

    v ← μ v + g, θ ← (1 − η λ) θ − 0.2 η √max(rows, columns) · orthogonalise(g + μ v). For hidden matrices only.

    Raises:
        ValueError: a parameter that is no matrix.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = muon.MOMENTUM, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, lr, momentum, nesterov=True)
        self.weight_decay = weight_decay
        for parameter in self.parameters:
            if parameter.ndim != 2:
                raise ValueError(
                    f"muon works on matrices, got a parameter of shape {list(parameter.shape)}: "
                    "give it to another optimiser, such as AdamW"
                )

    def update(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        """One update of one parameter."""
        velocity = self.velocity[number]
        velocity.mul_(self.momentum).add_(gradient)
        direction = orthogonalise(gradient + self.momentum * velocity)
        parameter *= 1 - self.lr * self.weight_decay
        parameter -= self.lr * muon.scale(*parameter.shape) * direction


def orthogonalise(matrix: Tensor) -> Tensor:
    """``matrix`` with its singular values brought near 1 by five rounds of a polynomial. Source: jordan2024.

    The version to read; ``muon.orthogonalise`` is the fast one, for many matrices at once.
    """
    a, b, c = muon.COEFFICIENTS
    if len(matrix) > len(matrix.T):
        return orthogonalise(matrix.T).T
    x = matrix / matrix.norm()
    for _ in range(muon.NUM_ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


NAMES = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon")


def checked_name(name: str) -> str:
    """``name`` if there is such an optimiser.

    Raises:
        ValueError: there is none; near matches are offered.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(str(name).lower(), NAMES, n=2, cutoff=0.5)
        offer = f"did you mean {' or '.join(map(repr, near))}?" if near else f"use one of {', '.join(NAMES)}"
        raise ValueError(f"unknown optimiser {name!r}: {offer}")
    return name


def make(
    name: str,
    parameters: Iterable[nn.Parameter] | Iterable[dict] | nn.Module,
    lr: float,
    *,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
) -> torch.optim.Optimizer:
    """Torch's optimiser of this name, fused into one kernel where torch has one; for "muon" the one of this course.

    Arguments:
        name: "sgd" (plain), "momentum", "nesterov", "rmsprop", "adam", "adamw" or "muon".
        parameters: a model (its parameters that want a gradient), parameters, or parameter groups. "muon" needs the
            model, which it takes apart with ``muon.split``, or groups that say which weights are hidden matrices.
        lr: learning rate, above 0; "muon" takes rates of the same size as "adamw".
        weight_decay: decoupled for "adamw" and "muon", added to the gradient for the others.
        momentum: μ of "momentum" and "nesterov"; the others do not use it.

    Raises:
        ValueError: unknown name, a number out of range, or bare parameters for "muon".
    """
    checked_rate(lr)
    checked_name(name)
    checked_decay(weight_decay)
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must lie in [0, 1), got {momentum!r}")
    if isinstance(parameters, nn.Module):
        wanted = (parameter for parameter in parameters.parameters() if parameter.requires_grad)
        parameters = muon.split(parameters) if name == "muon" else list(wanted)
    if name == "muon":
        return muon.Muon(parameters, lr, weight_decay=weight_decay)
    if name in ("adam", "adamw"):
        kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
        return kind(parameters, lr=lr, weight_decay=weight_decay, fused=True)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr, weight_decay=weight_decay)
    return torch.optim.SGD(
        parameters,
        lr=lr,
        momentum=0.0 if name == "sgd" else momentum,
        nesterov=name == "nesterov",
        weight_decay=weight_decay,
        fused=True,
    )


def checked_decay(value: float) -> float:
    """``value`` if it is a weight decay of at least 0.

    Raises:
        ValueError: ``value`` is below 0 or NaN.
    """
    if not value >= 0:
        raise ValueError(f"weight_decay must be at least 0, got {value!r}")
    return value


def bare_step(optimiser: torch.optim.Optimizer) -> Callable[[torch.optim.Optimizer], object]:
    """``optimiser.step`` without the range that torch opens for its profiler: 20 µs, a sixth of a small step."""
    step = type(optimiser).step
    return step.__wrapped__ if getattr(step, "hooked", False) else step


def checked_rate(lr: float) -> float:
    """``lr`` as a float.

    Raises:
        ValueError: it is no finite number above 0.
    """
    try:
        rate = float(lr)
    except (TypeError, ValueError):
        rate = math.nan
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"the learning rate lr must be a finite number above 0, got {lr!r}")
    return rate
