"""Published survival tables and post-mortem lists, and a baseline of hazards that agrees with them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from helpers.economics import checks
from helpers.economics.hazards import CAUSES, Hazards, fit_survival

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Reason:
    """One line of a post-mortem list.

    Attributes:
        source: key of the list in references.bib.
        year: edition.
        num_firms: firms that the list rests on, at least.
        reason: as the list calls it, shortened.
        cause: cause of this book that we map it to; None where it fits none. The mapping is ours.
        share: share of the firms that named it; several reasons a firm.
        verified: how far the figure was checked.
    """

    source: str
    year: int
    num_firms: int
    reason: str
    cause: str | None
    share: float
    verified: str


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))


def survival_table(population: str = "all") -> tuple[np.ndarray, np.ndarray]:
    """Return a published survival table: ages in months and the share still operating, both [num_ages].

    Args:
        population: "all" (establishments of the United States born in March 2013) or "information" (that sector).

    Raises:
        ValueError: the population is unknown.

    Source: bls2024. Derived in: book/outlook/seven_causes.
    """
    rows = _rows("survival.csv")
    checks.one_of("population", population, {row["population"] for row in rows})
    kept = [row for row in rows if row["population"] == population]
    return (np.array([12 * float(row["years"]) for row in kept]), np.array([float(row["surviving"]) for row in kept]))


def postmortems(year: int = 2021) -> list[Reason]:
    """Return the lines of a published list of reasons that failed firms gave.

    Args:
        year: edition, 2014 or 2021.

    Raises:
        ValueError: there is no list of that year.

    Source: cbinsights2014, cbinsights2021. Derived in: book/outlook/seven_causes.
    """
    rows = _rows("postmortems.csv")
    checks.one_of("edition", str(year), {row["year"] for row in rows})
    return [Reason(row["source"], int(row["year"]), int(row["num_firms"]), row["reason"], row["cause"] or None,
                   float(row["share"]), row["verified"]) for row in rows if row["year"] == str(year)]


def mention_shares(year: int = 2021) -> dict[str, float]:
    """Return each cause's share of all mentions that fit a cause; they sum to 1.

    A mention is not a death: firms name several reasons. As a split of deaths these shares are an assumption.

    Args:
        year: edition, 2014 or 2021.

    Raises:
        ValueError: there is no list of that year.

    Derived in: book/outlook/seven_causes.
    """
    lines = postmortems(year)
    named = {cause: sum(line.share for line in lines if line.cause == cause) for cause in CAUSES}
    return {cause: share / sum(named.values()) for cause, share in named.items()}


def baseline(shares: Mapping[str, float] | None = None, *, population: str = "all") -> Hazards:
    """Return hazards whose survival is the published table, split over the causes by constant shares.

    The table gives the sum of the hazards only; the split is assumed. For "information" one age is published, and the
    hazards of "all" are multiplied by the one factor that meets it.

    Args:
        shares: cause and its share of the deaths, summing to 1; by default the mentions of the 2021 post-mortem list.
        population: "all" or "information", see `survival_table`.

    Raises:
        ValueError: a share lies outside 0 to 1, the shares do not sum to 1, or the population is unknown.

    Source: bls2024, cbinsights2021. Derived in: book/outlook/seven_causes.
    """
    shares = mention_shares() if shares is None else shares
    parts = {name: checks.fraction(f"the share of {name}", value) for name, value in shares.items()}
    if abs(sum(parts.values()) - 1) > 1e-6:
        raise ValueError(f"shares of the causes must sum to 1, found {sum(parts.values()):.6g}; "
                         "divide each by the sum.")
    starts, rates = fit_survival(*survival_table("all"))
    months, surviving = survival_table(population)
    if population != "all":
        spent = np.clip(months[-1] - starts, 0, np.append(np.diff(starts), np.inf))
        rates = rates * -np.log(surviving[-1]) / (spent @ rates)
    return Hazards(tuple(parts), np.outer(list(parts.values()), rates), starts)
