"""Scaling laws: loss against parameters and tokens, its fit with intervals, and how to split a budget of compute.

The law is L(N, D) = E + A / N^α + B / D^β: a floor that no model gets below, a part that more parameters N remove, and
a part that more tokens D remove. Losses are in nats per token (or per character: whatever the tokens are).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar

from helpers.economics import checks

FLOPS_TRAINING, FLOPS_SERVING = 6.0, 2.0        # FLOP per parameter and token, source kaplan2020
_DELTA = 1e-3                                   # of the Huber loss, source hoffmann2022
_START_EXPONENTS = (0.1, 0.4, 0.8)
_START_FLOORS = (0.2, 0.6, 0.9)                 # as shares of the smallest loss
_BOUNDS = ((-12.0, 6.0), (-12.0, 6.0), (-12.0, 6.0), (0.01, 3.0), (0.01, 3.0))


@dataclass(frozen=True)
class Split:
    """A size and an amount of text.

    Attributes:
        parameters: N.
        tokens: training tokens D.
        loss: by the law, nats per token.
        flops: 6 N D of the training, with 2 N for each token served where there are any.
    """

    parameters: float
    tokens: float
    loss: float
    flops: float

    @property
    def tokens_per_parameter(self) -> float:
        """D / N."""
        return self.tokens / self.parameters


@dataclass(frozen=True)
class LossLaw:
    """L(N, D) = E + A / N^α + B / D^β.

    Attributes:
        floor: E, nats per token.
        a, b: A and B.
        alpha, beta: exponents of N and D.

    Source: hoffmann2022. Derived in: book/math/scaling_laws.
    """

    floor: float
    a: float
    b: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        checks.not_negative("floor", self.floor)
        for name in ("a", "b", "alpha", "beta"):
            checks.positive(name, getattr(self, name))

    def loss(self, parameters: ArrayLike, tokens: ArrayLike) -> NDArray[np.float64] | float:
        """Loss of models with ``parameters`` N trained on ``tokens`` D, nats per token; shapes broadcast."""
        n, d = _sizes("parameters", parameters), _sizes("tokens", tokens)
        found = self.floor + self.a * n**-self.alpha + self.b * d**-self.beta
        return float(found) if found.ndim == 0 else found

    @property
    def exponent(self) -> float:
        """How the best size grows with compute: N ∝ C^(β / (α + β))."""
        return self.beta / (self.alpha + self.beta)

    def best(self, flops: float) -> Split:
        """The split of a budget with the lowest loss, in closed form, for C = 6 N D.

        Arguments:
            flops: training budget C.

        Raises:
            ValueError: the budget is not above 0.

        Source: hoffmann2022. Derived in: book/math/scaling_laws.
        """
        product_ = checks.positive("flops", flops) / FLOPS_TRAINING          # N D
        scale = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        parameters = scale * product_**self.exponent
        tokens = product_ / parameters
        return Split(parameters, tokens, self.loss(parameters, tokens), float(flops))

    def tokens_for(self, loss: float, parameters: float) -> float:
        """Training tokens after which a model of this size has this loss; infinite where it never has.

        Arguments:
            loss: nats per token.
            parameters: N.
        """
        parameters = checks.positive("parameters", parameters)
        rest = checks.positive("loss", loss) - self.floor - self.a * parameters**-self.alpha
        return (self.b / rest) ** (1 / self.beta) if rest > 0 else math.inf

    def cheapest(self, loss: float, *, served: float = 0.0, serving_weight: float = 1.0) -> Split:
        """The size that reaches a loss with the least compute, counting the tokens that it will serve.

        Arguments:
            loss: wanted, nats per token; above the floor.
            served: tokens that the model will read or write in its life.
            serving_weight: cost of a FLOP in serving over that of a FLOP in training.

        Raises:
            ValueError: the loss is not above the floor, or a number is negative.

        Source: sardana2024. Derived in: book/math/scaling_laws.
        """
        if checks.positive("loss", loss) <= self.floor:
            raise ValueError(f"loss must be above the floor {self.floor:.4g}, found {loss!r}; no model reaches it.")
        served = checks.not_negative("served", served)
        weight = checks.not_negative("serving_weight", serving_weight)
        smallest = math.log(self.a / (loss - self.floor)) / self.alpha       # ln N at which infinite text is needed

        def cost(above: float) -> float:
            n = math.exp(smallest + above)
            return math.log(FLOPS_TRAINING * n * self.tokens_for(loss, n) + FLOPS_SERVING * n * served * weight)

        grid = np.geomspace(1e-6, 60.0, 400)
        place = int(np.argmin([cost(above) for above in grid]))
        found = minimize_scalar(cost, bounds=(grid[max(0, place - 1)], grid[min(399, place + 1)]), method="bounded",
                                options={"xatol": 1e-10})
        n = math.exp(smallest + float(found.x))
        d = self.tokens_for(loss, n)
        return Split(n, d, self.loss(n, d), FLOPS_TRAINING * n * d + FLOPS_SERVING * n * served)


@dataclass(frozen=True)
class Published:
    """Constants of a law as they were printed.

    Attributes:
        law: the constants.
        decimals: printed digits after the point of floor, A, B, α and β.
        source: key in references.bib.
        mark: how far the constants were verified for this book.
    """

    law: LossLaw
    decimals: tuple[int, int, int, int, int]
    source: str
    mark: str


PUBLISHED = {
    "Hoffmann 2022, approach 3": Published(
        LossLaw(1.69, 406.4, 410.7, 0.34, 0.28), (2, 1, 1, 2, 2), "hoffmann2022", "checked: a public notebook"),
    "Besiroglu 2024": Published(
        LossLaw(1.8172, 482.01, 2085.43, 0.3478, 0.3658), (4, 2, 2, 4, 4), "besiroglu2024",
        "checked: output of the authors' notebook and the abstract"),
}


def rounding(published: Published) -> list[LossLaw]:
    """The 32 corners of the box in which the constants lay before they were rounded to what is printed."""
    law = published.law
    values = (law.floor, law.a, law.b, law.alpha, law.beta)
    ends = [(value - 0.5 * 10.0**-digits, value + 0.5 * 10.0**-digits)
            for value, digits in zip(values, published.decimals, strict=True)]
    return [LossLaw(*corner) for corner in product(*ends)]


def fit_law(
    parameters: ArrayLike, tokens: ArrayLike, losses: ArrayLike, *, start: LossLaw | None = None, delta: float = _DELTA,
) -> LossLaw:
    """Fit the law to runs: least Huber loss of the errors of ln L, by L-BFGS from a grid of starts.

    Arguments:
        parameters, tokens, losses: N, D and loss of each run, [runs].
        start: begin from this law alone, which is quicker; None takes the grid.
        delta: error of ln L from which the Huber loss grows linearly.

    Raises:
        ValueError: fewer than 6 runs, lengths that differ, a number not above 0, or only one size or amount of text.

    Source: hoffmann2022. Derived in: book/math/scaling_laws.
    """
    n, d, y = _runs(parameters, tokens, losses)
    delta = checks.positive("delta", delta)
    n0, d0 = n.mean(), d.mean()                                     # A and B are fitted at the middle of the runs
    if start is None:
        starts = [_start(y, share, exponent, other)
                  for share, exponent, other in product(_START_FLOORS, _START_EXPONENTS, _START_EXPONENTS)]
    else:
        starts = [np.array([math.log(start.a) - start.alpha * n0, math.log(start.b) - start.beta * d0,
                            math.log(max(start.floor, 1e-5)), start.alpha, start.beta])]
    found = min((minimize(_objective, begin, args=(n - n0, d - d0, y, delta), jac=True, method="L-BFGS-B",
                          bounds=_BOUNDS, options={"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-9})
                 for begin in starts), key=lambda result: result.fun)
    a, b, e, alpha, beta = found.x
    return LossLaw(math.exp(e), math.exp(a + alpha * n0), math.exp(b + beta * d0), float(alpha), float(beta))


def bootstrap_laws(
    parameters: ArrayLike, tokens: ArrayLike, losses: ArrayLike, *, num_resamples: int = 200, seed: int = 0,
    delta: float = _DELTA,
) -> list[LossLaw]:
    """The law fitted to runs drawn with replacement, again and again; the spread of the results is the uncertainty.

    Arguments:
        parameters, tokens, losses: N, D and loss of each run, [runs].
        num_resamples: fits.
        seed: of the draws.
        delta: as in ``fit_law``.

    Raises:
        ValueError: as ``fit_law``.

    Source: besiroglu2024. Derived in: book/math/scaling_laws.
    """
    columns = np.array([np.asarray(values, dtype=float) for values in (parameters, tokens, losses)])
    middle = fit_law(*columns, delta=delta)
    rng = np.random.default_rng(seed)
    laws: list[LossLaw] = []
    while len(laws) < checks.count("num_resamples", num_resamples):
        drawn = columns[:, rng.integers(columns.shape[1], size=columns.shape[1])]
        if min(len(np.unique(drawn[0])), len(np.unique(drawn[1]))) > 2:
            laws.append(fit_law(*drawn, start=middle, delta=delta))
    return laws


def prediction_interval(
    laws: Sequence[LossLaw], errors: ArrayLike, parameters: float, tokens: float, *, level: float = 0.9
) -> tuple[float, float]:
    """Interval for the loss of one run to come: every bootstrapped law with every error that the runs themselves had.

    Arguments:
        laws: from ``bootstrap_laws``.
        errors: ln of measured over fitted loss of each run, [runs].
        parameters, tokens: N and D of the run to come.
        level: chance with which the interval is meant to hold the loss.

    Raises:
        ValueError: no laws, or a level that does not lie in (0, 1).
    """
    if not laws or not 0 < level < 1:
        raise ValueError(f"a prediction needs laws and a level in (0, 1), found {len(laws)} laws and level {level!r}.")
    centres = np.array([law.loss(parameters, tokens) for law in laws])
    losses = centres[:, None] * np.exp(np.asarray(errors, dtype=np.float64))[None]
    low, high = np.quantile(losses, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _start(y: NDArray, share: float, alpha: float, beta: float) -> NDArray:
    floor = share * math.exp(y.min())
    rest = math.log(max(math.exp(y.mean()) - floor, 1e-3) / 2)
    return np.array([rest, rest, math.log(floor), alpha, beta])


def _objective(
    x: NDArray, n: NDArray, d: NDArray, y: NDArray, delta: float
) -> tuple[float, NDArray]:
    """Sum of the Huber losses of ln L, in units of delta squared, and its gradient."""
    a, b, e, alpha, beta = x
    parts = np.exp(np.stack([a - alpha * n, b - beta * d, np.full_like(n, e)]))
    total = parts.sum(axis=0)
    error = (np.log(total) - y) / delta
    size = np.abs(error)
    value = np.where(size <= 1, 0.5 * error**2, size - 0.5).sum()
    share = parts / total * np.clip(error, -1, 1) / delta
    gradient = np.array([share[0].sum(), share[1].sum(), share[2].sum(), -(share[0] * n).sum(), -(share[1] * d).sum()])
    return float(value), gradient


def _runs(parameters: ArrayLike, tokens: ArrayLike, losses: ArrayLike) -> list[NDArray[np.float64]]:
    """Logarithms of three columns of equal length, checked."""
    named: Sequence[tuple[str, ArrayLike]] = (("parameters", parameters), ("tokens", tokens), ("losses", losses))
    columns = [_sizes(name, values).ravel() for name, values in named]
    if len({len(column) for column in columns}) > 1 or len(columns[0]) < 6:
        found = ", ".join(str(len(column)) for column in columns)
        raise ValueError(f"a law with five constants needs at least 6 runs, each with parameters, tokens and loss, "
                         f"found {found} of them; add runs.")
    for name, column in zip(("parameters", "tokens"), columns[:2], strict=True):
        if len(np.unique(column)) < 2:
            raise ValueError(f"all runs have {name} = {column[0]:g}; vary it, or its exponent cannot be found.")
    return [np.log(column) for column in columns]


def _sizes(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if not (np.isfinite(array) & (array > 0)).all():
        wrong = array[~(np.isfinite(array) & (array > 0))].ravel()[0]
        raise ValueError(f"{name} must be finite and above 0, found {wrong:g}; remove that run or mend it.")
    return array
