"""A questionnaire: answers and a day, and the duties that a venture should look up, with article, date and mark."""

from __future__ import annotations

from datetime import date
from typing import Any

from helpers.economics import law

from .base import Explorer

EPOCH = date(1970, 1, 1).toordinal()
STATES = ("later", "in force", "ended", "undated")
FLAGS = {
    "generates": "talks or generates", "general_purpose": "the model serves many tasks", "personal_data":
    "personal data", "special_data": "special categories of data", "decides": "a machine alone decides",
    "older_system": "on the EU market earlier", "public_service": "public service (China)",
    "opinion": "can shape opinion (China)", "large": "revenue above 500 million USD",
}  # fmt: skip
WORDS = {
    "day": "day", "role": "you are", "roles": {"provider": "the provider", "deployer": "the deployer"},
    "use": "the use is", "training": "the model is",
    "trainings": {"none": "somebody else's", "scratch": "trained by you", "modified": "changed by you"},
    "training_flop": "FLOP you spend", "base_flop": "FLOP of its base", "markets": "Offered in", "flags": "What holds",
    "plot": "Rows of the sheet in force", "count": "number", "year": "year", "rules": "Rule", "duty": "What to look up",
    "when": "When", "mark": "Mark", "since": "since {date}", "from": "from {date}", "until": "ended {date}",
    "undated": "in force, undated", "list": "Rows that your answers bring about",
    "nothing": "No row of our sheet fits these answers. That does not prove that there is no duty.",
    "status": "On {day}: {now} rows in force, {later} to come, {ended} ended. {gpai}",
    "gpai_none": "Model of {flop} FLOP: by the indicative thresholds you are not the provider of a general-purpose "
                 "model.",
    "gpai": "Model of {flop} FLOP: you count as provider of a general-purpose model.",
    "systemic": "Model of {flop} FLOP: you count as provider of a general-purpose model, systemic risk presumed.",
    "gpai_rented": "You spend no FLOP on a model.",
}  # fmt: skip


def ordinal(text: str) -> int | None:
    """Days from 1 January 1970 to a day of the sheet; None where the sheet has none."""
    return law.parse_day(text if len(text) == 10 else f"{text}-01-01").toordinal() - EPOCH if text else None


class Law(Explorer):
    """Answer the questions, move the day: which duties apply, which are to come, and how far each was checked.

    Args:
        start: answers that are shown first: names of jurisdictions and of FLAGS (True or False), "role", "use",
            "training", "training_flop", "base_flop", and "day" written year-month-day.

    Raises:
        ValueError: a name in `start` is unknown, or the day has another form.

    Derived in: book/outlook/law_and_licences.
    """

    module = "law"

    def __init__(self, start: dict[str, Any] | None = None, *, id: str | None = None) -> None:
        answers: dict[str, Any] = {
            **{name: name == "eu" for name in law.JURISDICTIONS},
            **{name: name in ("generates", "general_purpose", "personal_data", "public_service") for name in FLAGS},
            "role": "provider", "use": "ordinary", "training": "modified", "training_flop": 1e21, "base_flop": 7.2e23,
            "day": "2026-11-22",
        }  # fmt: skip
        for name in start or {}:
            law.checks.one_of("start value", name, answers)
        answers |= start or {}
        answers["day"] = ordinal(law.parse_day(answers["day"]).isoformat())
        super().__init__(
            {
                "title": "Which duties should you look up?",
                "hint": "Answer, then move the day. A list of questions for your lawyer, not legal advice.",
                "source": "Computed in this page from the book's sheet of articles and dates of 21 November 2026. "
                          "Mark: checked, secondary, memory or open; the chapter explains them.",
                "words": WORDS, "flags": FLAGS, "markets": law.JURISDICTIONS, "uses": law.USES, "start": answers,
                "first": ordinal("2023-01-01"), "last": ordinal("2029-01-01"), "rows": rows(),
            },
            id=id,
        )  # fmt: skip

    @staticmethod
    def compute(rows: list[dict[str, Any]], **answers: Any) -> dict[str, Any]:
        """State of every row for these answers.

        Args:
            rows: the table as the page holds it; must be that of `helpers.economics.law`.
            answers: see the class; "day" in days from 1 January 1970.

        Returns:
            states: for each row −1 (does not concern you) or place in STATES; provider, systemic: 0 or 1; flop.

        Raises:
            ValueError: an answer is unknown or out of its range.

        Derived in: book/outlook/law_and_licences.
        """
        venture = _venture(answers)
        found = {one.key: one.status for one in law.duties(venture, date.fromordinal(answers["day"] + EPOCH))}
        known = law.tags(venture)
        model = law.general_purpose_status(venture.training_flop, venture.base_flop)
        return {
            "states": [STATES.index(found[row["key"]]) if row["key"] in found else -1 for row in rows],
            "provider": int("gpai" in known), "systemic": int("systemic" in known), "flop": model.flop,
        }  # fmt: skip

    @staticmethod
    def cases() -> list[dict[str, Any]]:
        """Settings at which the browser tests compare this function with the page."""
        first = dict(Law().state["start"]) | {"rows": rows()}
        everywhere = dict.fromkeys(law.JURISDICTIONS, True) | dict.fromkeys(FLAGS, True)
        changes: list[dict[str, Any]] = [
            {}, everywhere | {"training": "scratch", "training_flop": 2e26},
            everywhere | {"day": ordinal("2025-01-20"), "training": "scratch", "training_flop": 1.1e26},
            everywhere | {"day": ordinal("2025-01-19"), "training": "scratch", "training_flop": 1.1e26},
            {"general_purpose": True, "training": "modified", "training_flop": 3.4e23, "base_flop": 1e24},
            {"general_purpose": True, "training": "modified", "training_flop": 3.3e23, "base_flop": 1e24},
            {"general_purpose": True, "training": "modified", "training_flop": 6e24, "base_flop": 1e25},
            *({"use": use, "role": role, "day": ordinal("2028-08-02")} for use in law.USES for role in law.ROLES),
        ]  # fmt: skip
        return [first | change for change in changes]


def rows() -> list[dict[str, Any]]:
    """The sheet as the page needs it: texts, conditions as a list, days as numbers."""
    return [{"key": row.key, "market": row.jurisdiction, "law": row.law, "article": row.article, "duty": row.duty,
             "when": row.when.split(), "date": ordinal(row.date), "until": ordinal(row.until), "mark": row.mark}
            for row in law.table()]


def _venture(answers: dict[str, Any]) -> law.Venture:
    trained = answers["training"] != "none"
    return law.Venture(
        markets=tuple(name for name in law.JURISDICTIONS if answers[name]), role=answers["role"], use=answers["use"],
        training_flop=answers["training_flop"] if trained else 0.0,
        base_flop=answers["base_flop"] if answers["training"] == "modified" else None,
        revenue=1e9 if answers["large"] else 0.0, **{name: answers[name] for name in FLAGS if name != "large"})
