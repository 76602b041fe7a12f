"""Which licences go together: the parts of a product, how each is used, and under what the whole may be passed on."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from helpers.economics import checks

PART_USES = {
    "included": "combined into what is passed on", "served": "run behind a service, not passed on",
    "trained_on": "a model was trained on it", "tool": "used while building, not part of the product",
}  # fmt: skip
VERDICTS = ("fine", "condition", "open", "conflict")
LIMITS = {  # kinds that bind whoever uses the part, also when nothing is passed on
    "use restrictions": "keep the limits of use, and hand them on",
    "proprietary": "your contract with its owner decides",
}


@dataclass(frozen=True)
class Licence:
    """One row of licences.csv.

    Attributes:
        licence, kind, made_for: name, kind ("permissive", "copyleft" …), and "code", "data", "weights" or "any".
        commercial: whether commercial use is allowed.
        attribution: whether authors must be named.
        source_code: whether source must be offered with what is passed on.
        network: whether serving over a network counts as passing on.
        outbound: "any", "any except X", or the licences under which a combination with it may be passed on.
        mark, verified: how far the row was checked.
    """

    licence: str
    kind: str
    made_for: str
    commercial: bool
    attribution: bool
    source_code: bool
    network: bool
    outbound: str
    mark: str
    verified: str


@dataclass(frozen=True)
class Part:
    """One part of a product.

    Attributes:
        name: what it is.
        licence: its licence, as in licences.csv; upper or lower case.
        use: key of PART_USES.

    Raises:
        ValueError: the licence or the use is unknown.
    """

    name: str
    licence: str
    use: str = "included"

    def __post_init__(self) -> None:
        """Check the names."""
        object.__setattr__(self, "licence", licence(self.licence).licence)
        checks.one_of("use", self.use, PART_USES)


@dataclass(frozen=True)
class Finding:
    """What the table says about one part.

    Attributes:
        part: name of the part.
        verdict: "fine", "condition", "open" (the law is not settled) or "conflict".
        reason: why, in one sentence.
    """

    part: str
    verdict: str
    reason: str


@cache
def licences() -> dict[str, Licence]:
    """Return the table of licences by name. Derived in: book/outlook/law_and_licences."""
    text = files("helpers.economics").joinpath("licences.csv").read_text(encoding="utf-8")
    flags = ("commercial", "attribution", "source_code", "network")
    rows = csv.DictReader(text.splitlines())
    return {row["licence"]: Licence(**{**row, **{flag: row[flag] == "true" for flag in flags}}) for row in rows}


def licence(name: str) -> Licence:
    """Return one licence, whatever the case of its letters.

    Args:
        name: short name as in licences.csv, such as "MIT".

    Raises:
        ValueError: the name is unknown; near matches are offered.
    """
    lower = {known.lower(): row for known, row in licences().items()}
    return lower[checks.one_of("licence", str(name).lower(), lower)]


def can_flow(inbound: str, outbound: str) -> bool:
    """Return whether a work that includes something under one licence may be passed on under another.

    Args:
        inbound: licence of the part.
        outbound: licence of the whole; "proprietary" for closed terms.

    Raises:
        ValueError: a licence is unknown.

    Derived in: book/outlook/law_and_licences.
    """
    allowed, target = licence(inbound).outbound, licence(outbound).licence
    if allowed.startswith("any"):
        return target != allowed.removeprefix("any except ")
    return target in allowed.split(";")


def outbound_for(parts: Iterable[str]) -> list[str]:
    """Return the licences under which a combination of these may be passed on; an empty list when there is none.

    Args:
        parts: licences of the parts that are included.

    Raises:
        ValueError: a licence is unknown.

    Derived in: book/outlook/law_and_licences.
    """
    inside = list(parts)
    return [name for name in licences() if all(can_flow(one, name) for one in inside)]


def check_parts(parts: Iterable[Part], *, outbound: str = "proprietary", commercial: bool = True) -> list[Finding]:
    """Go through the parts of a product and say what each licence asks for.

    Args:
        parts: the parts with their licences and uses.
        outbound: licence under which the product is passed on or offered.
        commercial: whether money is earned with it.

    Raises:
        ValueError: a licence is unknown.

    Derived in: book/outlook/law_and_licences.
    """
    target = licence(outbound).licence
    return [Finding(part.name, *_judge(licence(part.licence), part.use, target, commercial)) for part in parts]


def _judge(row: Licence, use: str, target: str, commercial: bool) -> tuple[str, str]:
    """Verdict and reason for one part."""
    if not row.commercial and commercial and use != "trained_on":
        return "conflict", "commercial use is excluded"
    if use == "tool":
        if row.kind in LIMITS:
            return "condition", LIMITS[row.kind]
        return "fine", "a tool leaves no trace in the product; its output is another question"
    bound = row.outbound != "any" and not row.outbound.startswith("any except")
    if use == "trained_on":
        if not row.commercial and commercial:
            return "open", "commercial use is excluded; whether training needs the licence at all is before the courts"
        if bound:
            return "open", "whether a model is an adaptation of what it was trained on is not settled"
        return ("condition", "keep the names of the authors") if row.attribution else ("fine", "no conditions")
    hidden = use == "served" and row.made_for == "code" and not row.network
    if hidden:
        return "fine", "what is not passed on owes nothing under this licence"
    if not can_flow(row.licence, target):
        served = row.network and use == "served"
        ask = "once you change it, users of the service may ask for the source; " if served else ""
        return "conflict", f"{ask}a combination with it must not go out as {target}; allowed: {row.outbound}"
    asks = [text for holds, text in (
        (row.attribution, "name the authors"), (row.source_code, "offer the source of that part"),
        (row.network, "offer it to users of the service too"),
        (row.kind in LIMITS, LIMITS.get(row.kind, "")),
    ) if holds]  # fmt: skip
    return ("condition", ", ".join(asks)) if asks else ("fine", "no conditions")
