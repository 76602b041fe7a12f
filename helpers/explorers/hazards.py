"""Seven hazards as sliders: the survival curve, the share of each cause, and the published table beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers import economics

from .base import Explorer

COLOURS = ("green", "blue", "purple", "orange", "yellow", "sky", "red")
LAST = 120  # months that are drawn
WORDS = {
    "becomes": "what has become of them",
    "alive": "operating",
    "published": "published table",
    "baseline": "published hazards",
    "age": "age, months",
    "share": "share of all ventures",
    "causes": "of those that ended: share of each cause",
    "ended_by": "share of those that ended",
    "months": "read the shares at month",
    "years": "years",
    "table": "published",
    "these": "now",
    "cause": "cause",
    "factor": "factor",
    "incidence": "ended by it",
    "alone": "if it were alone",
    "status": "By month {months}, {ended} of these ventures have ended; {cause} ended the largest part, {share} of "
              "those. {half}",
    "half": "Half are gone by month {half}.",
    "never": "More than half are still there after ten years.",
    "none": "With all hazards at zero nothing ends.",
}


class SevenHazards(Explorer):
    """Sliders multiply the hazard of each cause; ventures flow from operating to seven ends.

    Args:
        hazards: what a factor of 1 stands for; by default `economics.baseline()`, which fits the published table.
        factors: cause and factor shown first, from 0 to 4; 1 where none is given.
        months: age at which the shares are read first, 6 to 120.

    Raises:
        ValueError: a cause is unknown, a factor or the age is out of range, or there are more than seven causes.

    Derived in: book/outlook/seven_causes.
    """

    module = "hazards"

    def __init__(self, hazards: economics.Hazards | None = None, factors: Mapping[str, float] | None = None,
                 months: int = 24, *, id: str | None = None) -> None:
        hazards = economics.baseline() if hazards is None else hazards
        if len(hazards.names) > len(COLOURS):
            raise ValueError(f"SevenHazards has colours for {len(COLOURS)} causes, found {len(hazards.names)}; "
                             "join some of them.")
        first = dict.fromkeys(hazards.names, 1.0)
        for name, factor in (factors or {}).items():
            economics.checks.one_of("cause", name, first)
            if not 0 <= factor <= 4:
                raise ValueError(f"the factor of {name} must lie between 0 and 4, found {factor!r}; 1 is as published.")
            first[name] = float(factor)
        if not 6 <= months <= LAST:
            raise ValueError(f"months must lie between 6 and {LAST}, found {months!r}; it is the age of the shares.")
        ages, surviving = economics.survival_table()
        state: dict[str, Any] = {
            "title": "Seven hazards, one survival curve",
            "hint": "A factor of 1 is the baseline, which passes through the published table. Raise one hazard and "
                    "watch what happens to the shares of the others.",
            "words": WORDS, "names": hazards.names, "colours": COLOURS, "factors": first, "months": months,
            "last": LAST, "starts": hazards.starts.tolist(), "rates": hazards.rates.tolist(),
            "published": {"months": ages.tolist(), "surviving": surviving.tolist()},
            "source": "Survival: United States establishments born in March 2013 (Bureau of Labor Statistics, January "
                      "2024), all sectors, not ventures on models. Split over the causes: assumed.",
        }
        super().__init__(state, id=id)

    @staticmethod
    def compute(starts: Sequence[float], rates: Sequence[Sequence[float]], factors: Sequence[float], months: float,
                ages: Sequence[float]) -> dict[str, Any]:
        """Survival and cumulative incidence at the ages, and the shares of the causes at one age.

        Args:
            starts: age in months at which each piece starts.
            rates: [num_causes, num_pieces] hazards per month.
            factors: [num_causes] by which the hazards are multiplied.
            months: age at which shares, incidence and `alone` are read.
            ages: [num_ages] for the curves.

        Returns:
            survival [num_ages], incidence [num_causes][num_ages], shares, ended, alone [num_causes] at `months`
            (shares are 0 where nothing ends), half: age at which half have ended, None beyond the last age.

        Raises:
            ValueError: a hazard or an age is out of range.

        Derived in: book/outlook/seven_causes.
        """
        names = tuple(str(k) for k in range(len(factors)))
        hazards = economics.Hazards(names, np.asarray(rates) * np.asarray(factors)[:, None], starts)
        ended = hazards.cumulative_incidence(months)
        return {
            "survival": hazards.survival(ages).tolist(),
            "incidence": hazards.cumulative_incidence(ages).tolist(),
            "ended": ended.tolist(),
            "shares": (ended / ended.sum()).tolist() if ended.sum() > 0 else [0.0] * len(names),
            "alone": [hazards.alone(name, months) for name in names],
            "half": _half(hazards, max(ages)),
        }

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        hazards = economics.baseline()
        fixed = {"starts": hazards.starts.tolist(), "rates": hazards.rates.tolist(), "ages": [0, 1, 12, 30, 60, 120]}
        choices = [[1] * 7, [0] * 7, [0, 4, 0, 0, 0, 0, 0], [4, 3, 2, 1, 0.5, 0.25, 0], [0.1] * 7]
        return [{**fixed, "factors": factors, "months": months} for factors in choices for months in (6, 24, 120)]


def _half(hazards: economics.Hazards, last: float) -> float | None:
    """Age at which half have ended, None when it lies beyond the last age."""
    wanted, total = float(np.log(2)), hazards.total
    for start, end, rate in zip(hazards.starts, [*hazards.starts[1:], np.inf], total, strict=True):
        if rate > 0 and wanted <= rate * (end - start):
            age = float(start + wanted / rate)
            return age if age <= last else None
        wanted -= rate * (end - start) if rate > 0 else 0.0
    return None
