"""Which duties a venture should look up: a questionnaire over articles and dates. It is not legal advice."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from helpers.economics import checks

JURISDICTIONS = {
    "eu": "European Union", "china": "mainland China", "usa": "United States, federal", "california": "California",
    "new_york": "New York", "colorado": "Colorado", "korea": "South Korea",
}  # fmt: skip
ROLES = ("provider", "deployer")
USES = {
    "ordinary": "none of the others", "annex_iii": "a high-risk use of Annex III", "annex_i": "part of a product of "
    "Annex I", "prohibited": "a practice that Art. 5 prohibits", "images": "intimate images without consent, or abuse",
}  # fmt: skip
MARKS = {
    "checked": "seen in the text, or alike in several documents",
    "secondary": "known only from pages that quote or report it",
    "memory": "from memory; the text was not opened",
    "open": "our sheet does not say how far this was checked",
}
GPAI_FLOP, SYSTEMIC_FLOP, FRONTIER_FLOP = 1e23, 1e25, 1e26
FINES = {"prohibited": (35e6, 0.07), "duties": (15e6, 0.03), "information": (7.5e6, 0.01), "gpai": (15e6, 0.03)}


@dataclass(frozen=True)
class Venture:
    """The answers to the questionnaire.

    Attributes:
        markets: where the system is offered, keys of JURISDICTIONS.
        role: "provider" (puts the system on the market under its own name) or "deployer" (uses somebody else's).
        use: key of USES; which one it is, is itself a legal question.
        generates: whether it talks with people or generates content.
        older_system: whether the same system was on the European market before.
        training_flop: FLOP that the venture spent on training or changing a model; 0 when it rents one.
        base_flop: FLOP of the model that was changed; None when the venture trained from nothing.
        general_purpose: whether the model can serve many tasks.
        personal_data, special_data: whether personal data, or special categories of them, are processed.
        decides: whether it decides about people by machine alone.
        public_service: whether it is open to the public (China).
        opinion: whether it can shape public opinion or mobilise (China).
        revenue: USD a year.

    Raises:
        ValueError: unknown jurisdiction, role or use, negative FLOP or revenue, base_flop not above 0.
    """

    markets: tuple[str, ...] = ("eu",)
    role: str = "provider"
    use: str = "ordinary"
    generates: bool = True
    older_system: bool = False
    training_flop: float = 0.0
    base_flop: float | None = None
    general_purpose: bool = False
    personal_data: bool = False
    special_data: bool = False
    decides: bool = False
    public_service: bool = True
    opinion: bool = False
    revenue: float = 0.0

    def __post_init__(self) -> None:
        """Check the answers."""
        if isinstance(self.markets, str):
            raise ValueError(f"markets must be a list of jurisdictions, found {self.markets!r}; "
                             f"write [{self.markets!r}].")
        object.__setattr__(self, "markets", tuple(self.markets))
        for name in self.markets:
            checks.one_of("jurisdiction", name, JURISDICTIONS)
        checks.one_of("role", self.role, ROLES)
        checks.one_of("use", self.use, USES)
        checks.not_negative("revenue", self.revenue)
        general_purpose_status(self.training_flop, self.base_flop)


@dataclass(frozen=True)
class GeneralPurpose:
    """Where a model stands among the thresholds of the European Union.

    Attributes:
        flop: cumulative training compute, of the model changed and of the change.
        provider: whether the venture counts as provider of a general-purpose model, by the indicative thresholds.
        systemic: whether systemic risk is presumed.
        share: compute of the change over that of the model changed; None when trained from nothing.
    """

    flop: float
    provider: bool
    systemic: bool
    share: float | None


@dataclass(frozen=True)
class Duty:
    """One row of law.csv with its state on a day.

    Attributes:
        key, jurisdiction, law, article, duty: what, and where it stands; article is "" where the whole act is meant.
        when: answers that bring it about.
        date, until: first day, and the day from which it no longer holds; "" where our sheet has none.
        mark: weakest mark of the row's parts, key of MARKS; verified says more.
        verified: how far the row was checked.
        source: keys of references.bib, separated by ";".
        status: "in force", "later", "ended", or "undated" (in force, without a date on our sheet).
    """

    key: str
    jurisdiction: str
    law: str
    article: str
    duty: str
    when: str
    date: str
    until: str
    mark: str
    verified: str
    source: str
    status: str = ""

    def __str__(self) -> str:
        """Say state, article, duty and mark in one line."""
        start = {"later": f"from {self.date}", "ended": f"until {self.until}", "undated": "in force"}
        where = f"{self.law}, {self.article}" if self.article else self.law
        return f"{start.get(self.status, f'since {self.date}')}: {where}: {self.duty} [{self.mark}]"


@dataclass(frozen=True)
class Case:
    """One copyright case.

    Attributes:
        key, name, court, docket: which case.
        decided: day or year of the decision; "" when none is known.
        status, holding: where it stands, and what was held, in our words.
        mark, verified, source: as in `Duty`.
    """

    key: str
    name: str
    court: str
    docket: str
    decided: str
    status: str
    holding: str
    mark: str
    verified: str
    source: str


def _rows(name: str) -> list[dict[str, str]]:
    text = files("helpers.economics").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def table() -> tuple[Duty, ...]:
    """Return every row of the sheet of duties, whatever the venture. Derived in: book/outlook/law_and_licences."""
    return tuple(Duty(**row) for row in _rows("law.csv"))


@cache
def cases() -> tuple[Case, ...]:
    """Return the copyright cases with their dockets. Derived in: book/outlook/law_and_licences."""
    return tuple(Case(**row) for row in _rows("cases.csv"))


def parse_day(value: str | date) -> date:
    """Return a day.

    Args:
        value: a date, or text written year-month-day, such as "2026-11-22".

    Raises:
        ValueError: the text has another form or names a day that does not exist.
    """
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        swapped = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text)
        write = f"{swapped[3]}-{int(swapped[2]):02}-{int(swapped[1]):02}" if swapped else "for example 2026-11-22"
        raise ValueError(f"a day is written year-month-day, found {value!r}; write {write}.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text!r}; check month and day.") from None


def general_purpose_status(training_flop: float, base_flop: float | None = None) -> GeneralPurpose:
    """Compare training compute with the thresholds for general-purpose models; a model of one task stays outside.

    Args:
        training_flop: FLOP spent by the venture, see `training_flops`.
        base_flop: FLOP of the model that it changed, or None.

    Raises:
        ValueError: training_flop is negative, or base_flop is not above 0.

    Source: euaiact2024 (Art. 51(2)), eugpai2025. Derived in: book/outlook/law_and_licences.
    """
    own = checks.not_negative("training_flop", training_flop)
    if base_flop is None:
        return GeneralPurpose(own, own > GPAI_FLOP, own > SYSTEMIC_FLOP, None)
    base = checks.positive("base_flop", base_flop)
    provider = own > base / 3 and base + own > GPAI_FLOP  # above one third of the original compute, by the guidelines
    return GeneralPurpose(base + own, provider, provider and base + own > SYSTEMIC_FLOP, own / base)


def tags(venture: Venture) -> set[str]:
    """Return the conditions that the answers fulfil, in the words of the column `when` of law.csv.

    Args:
        venture: the answers.

    Derived in: book/outlook/law_and_licences.
    """
    model = general_purpose_status(venture.training_flop, venture.base_flop)
    gpai = venture.role == "provider" and venture.general_purpose and model.provider
    chosen = {
        "generates": venture.generates, "older_system": venture.older_system, "new_system": not venture.older_system,
        "trains": venture.training_flop > 0, "above_1e26": model.flop > FRONTIER_FLOP, "gpai": gpai,
        "systemic": gpai and model.systemic, "personal_data": venture.personal_data or venture.special_data,
        "special_data": venture.special_data, "decides": venture.decides, "public_service": venture.public_service,
        "opinion": venture.opinion, "large": venture.revenue > 500e6,
    }  # fmt: skip
    return {"system", venture.role, venture.use} | {name for name, holds in chosen.items() if holds}


def status(row: Duty, day: str | date) -> str:
    """Return "in force", "later", "ended" or "undated" for a row on a day.

    Args:
        row: row of the sheet; a date that is only a year counts from its first day.
        day: the day that is asked about, a date or text written year-month-day.

    Raises:
        ValueError: the day is not written year-month-day.

    Derived in: book/outlook/law_and_licences.
    """
    today = parse_day(day)
    if not row.date:
        return "undated"
    start = parse_day(row.date if len(row.date) == 10 else f"{row.date}-01-01")
    if row.until and today >= parse_day(row.until):
        return "ended"
    return "in force" if today >= start else "later"


def duties(venture: Venture, day: str | date) -> list[Duty]:
    """Return the duties that the answers bring about, each with its state on a day, in the order of the sheet.

    Args:
        venture: the answers.
        day: the day that is asked about.

    Raises:
        ValueError: the day is not written year-month-day.

    Derived in: book/outlook/law_and_licences.
    """
    found, today = tags(venture), parse_day(day)
    return [Duty(**{**vars(row), "status": status(row, today)}) for row in table()
            if row.jurisdiction in venture.markets and set(row.when.split()) <= found]


def fine_ceiling(tier: str, turnover: float, *, small: bool = False) -> float:
    """Return the highest fine that the EU AI Act allows, in EUR: the larger of an amount and a share of turnover.

    Args:
        tier: "prohibited", "duties" or "information" (Art. 99), or "gpai" (Art. 101).
        turnover: worldwide turnover of the year before, EUR.
        small: small or medium firm: the lower of the two under Art. 99(6); Art. 101 knows no such rule here.

    Raises:
        ValueError: unknown tier, or negative turnover.

    Source: euaiact2024. Derived in: book/outlook/law_and_licences.
    """
    amount, share = FINES[checks.one_of("tier", tier, FINES)]
    part = share * checks.not_negative("turnover", turnover)
    return min(amount, part) if small and tier != "gpai" else max(amount, part)
