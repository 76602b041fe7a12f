"""A venture's plan: its assumptions drawn many times, each draw followed month by month, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from helpers.economics import checks, plan_page
from helpers.economics.failures import baseline
from helpers.economics.hazards import Hazards
from helpers.economics.plan_paths import (
    DAYS_A_MONTH,
    HORIZON,
    Values,
    death_causes,
    draw_values,
    inputs,
    launch_days,
    lowest_cash,
    month_by_month,
)
from helpers.economics.runway import QUANTILES, ruin_by_month
from helpers.economics.sensitivity import Sobol, sobol
from helpers.economics.venture import NAME, Venture


@dataclass(frozen=True, eq=False)
class VenturePlan:
    """A plan: many draws of a venture's assumptions, each followed month by month.

    Attributes:
        venture: the assumptions.
        values: name of each input and its draws, see `draw_values`.
        days: quantiles of the working days until launch.
        cash, customers: [months + 1, num_paths] at the end of each month, row 0 at the start.
        hazards: of the causes of death.
        seed: of the draws.
    """

    venture: Venture
    values: Values
    days: np.ndarray
    cash: np.ndarray
    customers: np.ndarray
    hazards: Hazards = field(repr=False)
    seed: int = 0

    @property
    def num_paths(self) -> int:
        """How many draws were followed."""
        return self.cash.shape[1]

    @property
    def launch(self) -> np.ndarray:
        """[num_paths] months until launch."""
        return np.asarray(self.values["tasks"]) * self.values["slip"] / DAYS_A_MONTH

    @cached_property
    def quantiles(self) -> np.ndarray:
        """[5, months + 1] cash at the levels of `QUANTILES`."""
        return np.quantile(self.cash, QUANTILES, axis=1)

    @cached_property
    def ruin(self) -> np.ndarray:
        """[months + 1] share of paths that have been out of cash by each month."""
        return ruin_by_month(self.cash.T)

    @cached_property
    def missing(self) -> np.ndarray:
        """[num_paths] money missing at the worst moment, 0 where cash never falls below 0."""
        return np.maximum(0.0, -self.cash.min(axis=0))

    @cached_property
    def likely(self) -> np.ndarray:
        """[months + 1] cash when every assumption takes its likely value and the schedule its median."""
        values = {name: self.venture[name].likely for name in inputs(self.venture)[:-1]}
        values["tasks"] = float(np.median(self.days))
        return np.array([float(cash[0]) for cash, _ in month_by_month(values, self.venture.months)])

    @cached_property
    def causes(self) -> dict[str, float]:
        """Chance of each cause of death within 24 months (or the plan's length), and of being alive."""
        return death_causes(self.ruin, self.hazards, min(HORIZON, self.venture.months))

    @property
    def losing(self) -> float:
        """Share of paths that still spend more than they earn in the last month."""
        return float((self.cash[-1] < self.cash[-2]).mean())

    @property
    def uncertain(self) -> bool:
        """Whether anything that moves cash is uncertain."""
        return self.days[0] < self.days[-1] or bool(set(self.venture.uncertain) & set(inputs(self.venture)))

    @cached_property
    def sensitivity(self) -> Sobol:
        """Sensitivity of the lowest cash to each uncertain input, from 1,024 · (inputs + 2) runs.

        It raises ValueError where nothing is uncertain.
        """
        return sensitivity(self.venture, days=self.days, seed=self.seed)

    def month_of_ruin(self, probability: float) -> int | None:
        """Return the first month by which this share of paths is out of cash, None when it does not happen."""
        reached = self.ruin >= checks.fraction("probability", probability, above_zero=True)
        return int(np.argmax(reached)) if reached.any() else None

    def funding(self, probability: float = 0.9) -> float:
        """Return the money beyond the start that keeps this share of paths at 0 or more until the plan ends."""
        return float(np.quantile(self.missing, checks.fraction("probability", probability)))

    def rows(self) -> list[plan_page.Row]:
        """Return the plan as a table: part, name, low, middle, high, unit, note."""
        return plan_page.rows(self)

    def html(self) -> str:
        """Return the plan on one page as HTML that needs nothing else."""
        return plan_page.html(self)

    def _repr_html_(self) -> str:
        return plan_page.body(self)

    def to_html(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the plan as one HTML file.

        Args:
            path: where to write it.
            replace: allow an existing file to be replaced.

        Raises:
            FileExistsError: the file exists and `replace` is False.
            FileNotFoundError: the folder does not exist.
        """
        return plan_page.write(path, plan_page.html(self), replace)

    def to_csv(self, path: str | Path, *, replace: bool = False) -> Path:
        """Write the plan, its assumptions and cash by month as one CSV file.

        Args:
            path: where to write it.
            replace: allow an existing file to be replaced.

        Raises:
            FileExistsError: the file exists and `replace` is False.
            FileNotFoundError: the folder does not exist.
        """
        return plan_page.write(path, plan_page.table(self), replace)

    def __str__(self) -> str:
        """Say ruin, need and, for a venture of one's own, what still stands as in the example, in one line."""
        kept = [] if self.venture.name == NAME else self.venture.from_example()
        more = f" and {len(kept) - 6} more" if len(kept) > 6 else ""
        return (f"{self.venture.name}: {self.ruin[-1]:.0%} of {self.num_paths:,} simulated paths are out of cash by "
                f"month {self.venture.months}; {self.funding():,.0f} USD more would carry nine in ten until then"
                + (f" (still the example's: {', '.join(kept[:6])}{more})" if kept else ""))


def plan_venture(venture: Venture, *, num_paths: int = 20_000, seed: int = 0, draws: np.ndarray | None = None,
                 days: np.ndarray | None = None, hazards: Hazards | None = None) -> VenturePlan:
    """Draw a venture's assumptions many times and follow each draw month by month.

    Args:
        venture: from `read_venture`.
        num_paths: how many draws.
        seed: seed of the draws; the global generator is not touched.
        draws: [num_paths, num_inputs] uniform numbers of one's own, instead of num_paths and seed.
        days: quantiles of the working days until launch; None simulates the schedule.
        hazards: of the causes of death other than capital; None takes the published baseline.

    Raises:
        ValueError: a number is out of its range, or bad tasks.

    Derived in: book/outlook/business_plan.
    """
    names = inputs(venture)
    if draws is None:
        draws = np.random.default_rng(seed).random((checks.count("num_paths", num_paths), len(names)))
    days = launch_days(venture, seed=seed) if days is None else np.asarray(days, dtype=np.float64)
    values = draw_values(draws, venture, days)
    cash, customers = (np.empty((venture.months + 1, len(draws))) for _ in range(2))
    for start in range(0, len(draws), 8192):  # pieces that fit the processor's cache
        piece = slice(start, start + 8192)
        some = {name: one[piece] if np.ndim(one) else one for name, one in values.items()}
        for month, (money, held) in enumerate(month_by_month(some, venture.months)):
            cash[month, piece], customers[month, piece] = money, held
    return VenturePlan(venture, values, days, cash, customers, baseline() if hazards is None else hazards, seed)


def sensitivity(venture: Venture, *, days: np.ndarray | None = None, num: int = 1024, seed: int = 0,
                draws: np.ndarray | None = None, num_resamples: int = 200) -> Sobol:
    """Return the sensitivity of the lowest cash to every uncertain input.

    Args:
        venture: from `read_venture`.
        days: quantiles of the working days until launch; None simulates the schedule.
        num, seed, draws, num_resamples: see `sobol`; draws have 2 columns for each uncertain input.

    Raises:
        ValueError: nothing is uncertain, or a number is out of its range.

    Source: sobol2001, saltelli2010. Derived in: book/outlook/business_plan.
    """
    days = launch_days(venture, seed=seed) if days is None else np.asarray(days, dtype=np.float64)
    names = inputs(venture)
    kept = [place for place, name in enumerate(names)
            if (days[0] < days[-1] if name == "tasks" else not venture.assumptions[name].certain)]

    def model(points: np.ndarray) -> np.ndarray:
        whole = np.full((len(points), len(names)), 0.5)
        whole[:, kept] = points
        return lowest_cash(draw_values(whole, venture, days), venture.months)

    return sobol(model, [names[place] for place in kept], num=num, seed=seed, draws=draws, num_resamples=num_resamples)
