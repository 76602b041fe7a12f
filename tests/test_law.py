"""Duties by article and date, thresholds, licences: what the sheet says comes out, and bad answers are named."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from helpers import economics as e
from helpers.economics import law
from helpers.economics import licences as lic
from helpers.explorers.law import Law

BOOK = Path(__file__).parents[1] / "book"
BIB, CHAPTER = BOOK / "references.bib", BOOK / "outlook" / "law_and_licences.ipynb"


def keys(venture, day):
    """Key → state."""
    return {row.key: row.status for row in law.duties(venture, day)}


def test_every_row_has_a_known_mark_sources_and_conditions_that_answers_can_fulfil():
    known = set(re.findall(r"^@\w+\{([^,\s]+),", BIB.read_text("utf8"), re.M))
    everything = set()
    for use in law.USES:
        for role in law.ROLES:
            for older in (False, True):
                everything |= law.tags(law.Venture(
                    role=role, use=use, older_system=older, training_flop=1e27, general_purpose=True, special_data=True,
                    decides=True, opinion=True, revenue=1e9))
    assert len({row.key for row in law.table()}) == len(law.table())
    for row in law.table():
        assert row.mark in law.MARKS and row.jurisdiction in law.JURISDICTIONS and row.duty and row.verified, row.key
        assert set(row.when.split()) <= everything, row.key
        assert set(filter(None, row.source.split(";"))) <= known, row.key
        assert law.status(row, "2026-11-22") in ("in force", "later", "ended", "undated")
    for case in law.cases():
        assert case.docket and case.mark in law.MARKS and set(case.source.split(";")) <= known, case.key


@pytest.mark.parametrize(("key", "before", "day"), [
    ("eu_practices", "2025-02-01", "2025-02-02"), ("eu_images", "2026-12-01", "2026-12-02"),
    ("eu_high_provider", "2027-12-01", "2027-12-02"), ("eu_high_product", "2028-08-01", "2028-08-02"),
    ("eu_gpai", "2025-08-01", "2025-08-02"), ("eu_transparency", "2026-08-01", "2026-08-02"),
    ("cn_filing", "2023-08-14", "2023-08-15"), ("cn_labels", "2025-08-31", "2025-09-01"),
    ("ca_frontier", "2025-12-31", "2026-01-01"), ("ny_frontier", "2026-12-31", "2027-01-01"),
])  # fmt: skip
def test_the_dates_of_the_sheet(key, before, day):
    row = next(row for row in law.table() if row.key == key)
    assert (law.status(row, before), law.status(row, day)) == ("later", "in force")


def test_a_revoked_order_ends_and_a_grace_period_shifts_the_start():
    us = law.Venture(markets=("usa",), training_flop=2e26)
    assert keys(us, "2025-01-19")["us_order"] == "in force" and keys(us, "2025-01-20")["us_order"] == "ended"
    assert keys(law.Venture(), "2026-11-22")["eu_marking"] == "in force"
    older = keys(law.Venture(older_system=True), "2026-11-22")
    assert older["eu_marking_older"] == "later" and "eu_marking" not in older


def test_answers_decide_which_rows_appear():
    assert keys(law.Venture(markets=()), "2026-11-22") == {}
    answers = law.Venture(role="deployer", use="annex_iii", training_flop=1e26, general_purpose=True)
    deployer = keys(answers, "2028-01-01")
    assert {"eu_high_deployer", "eu_impact"} <= set(deployer) and "eu_gpai" not in deployer
    assert "eu_high_provider" not in deployer
    closed = law.Venture(markets=("china",), public_service=False, training_flop=1e20)
    assert keys(closed, "2026-11-22") == {}
    small = law.Venture(markets=("new_york",), training_flop=2e26, revenue=500e6)
    assert "ny_frontier" not in keys(small, "2027-06-01")
    assert "gdpr_special" in keys(law.Venture(special_data=True), "2026-11-22")


def test_thresholds_are_crossed_above_and_not_at_them():
    assert not law.general_purpose_status(1e23).provider
    assert law.general_purpose_status(math.nextafter(1e23, 1)).provider is False
    assert law.general_purpose_status(1.001e23).provider and not law.general_purpose_status(1e25).systemic
    assert law.general_purpose_status(e.training_flops(405e9, 15.6e12)).systemic
    third = law.general_purpose_status(1e24 / 3, 1e24)
    assert not third.provider and third.share == pytest.approx(1 / 3)
    assert law.general_purpose_status(3.4e23, 1e24).provider
    assert not law.general_purpose_status(1e22, 1e22).provider, "a small model stays below the indicative threshold"
    both = law.general_purpose_status(4e24, 9e24)
    assert both.systemic and both.flop == pytest.approx(1.3e25)


def test_fine_ceilings():
    assert law.fine_ceiling("prohibited", 1e9) == pytest.approx(70e6)
    assert law.fine_ceiling("prohibited", 1e6) == 35e6
    assert law.fine_ceiling("prohibited", 1e6, small=True) == pytest.approx(70e3)
    assert law.fine_ceiling("information", 2e9, small=True) == 7.5e6
    assert law.fine_ceiling("gpai", 1e6, small=True) == 15e6


@pytest.mark.parametrize(("make", "message"), [
    (lambda: law.Venture(markets=["europe"]), "jurisdiction 'europe' is unknown; did you mean eu"),
    (lambda: law.Venture(markets="eu"), r"markets must be a list of jurisdictions, found 'eu'; write \['eu'\]"),
    (lambda: law.Venture(role="providers"), "role 'providers' is unknown; did you mean provider"),
    (lambda: law.Venture(use="annex3"), "use 'annex3' is unknown; did you mean annex_i"),
    (lambda: law.Venture(training_flop=-1e20), "training_flop must be 0 or more, found -1e"),
    (lambda: law.Venture(training_flop=1e20, base_flop=0), "base_flop must be above 0, found 0"),
    (lambda: law.parse_day("22.11.2026"), "a day is written year-month-day, found '22.11.2026'; write 2026-11-22"),
    (lambda: law.parse_day("11/22/2026"), "found '11/22/2026'; write for example 2026-11-22"),
    (lambda: law.parse_day("2026-02-30"), "there is no day '2026-02-30'"),
    (lambda: law.fine_ceiling("prohibit", 1), "tier 'prohibit' is unknown; did you mean prohibited"),
    (lambda: law.fine_ceiling("duties", -1), "turnover must be 0 or more, found -1"),
    (lambda: lic.licence("gpl"), "licence 'gpl' is unknown; did you mean gpl-3.0"),
    (lambda: lic.Part("x", "Apache"), "licence 'apache' is unknown; did you mean apache-2.0"),
    (lambda: lic.Part("x", "MIT", "trained"), "use 'trained' is unknown; did you mean trained_on"),
    (lambda: Law({"europe": True}), "start value 'europe' is unknown"),
    (lambda: Law({"day": "1.8.2026"}), "write 2026-08-01"),
])  # fmt: skip
def test_bad_answers_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_flows_into_what():
    for permissive in ("MIT", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0"):
        assert all(lic.can_flow(permissive, name) for name in lic.licences())
    assert lic.can_flow("Apache-2.0", "GPL-3.0") and not lic.can_flow("Apache-2.0", "GPL-2.0-only")
    assert not lic.can_flow("GPL-3.0", "Apache-2.0") and not lic.can_flow("GPL-3.0", "proprietary")
    assert lic.can_flow("CC-BY-SA-4.0", "GPL-3.0") and not lic.can_flow("GPL-3.0", "CC-BY-SA-4.0")
    assert lic.outbound_for(["GPL-3.0", "CC-BY-SA-4.0", "mit"]) == ["GPL-3.0"]
    assert lic.outbound_for(["GPL-2.0-only", "Apache-2.0"]) == []
    assert lic.outbound_for(["OpenRAIL-M", "GPL-3.0"]) == []
    assert lic.outbound_for(["GPL-3.0", "AGPL-3.0"]) == ["AGPL-3.0"]
    assert all(lic.can_flow(name, name) for name in lic.licences())


@pytest.mark.parametrize(("licence", "use", "more", "verdict"), [
    ("MIT", "included", {}, "condition"), ("CC0-1.0", "included", {}, "fine"), ("GPL-3.0", "tool", {}, "fine"),
    ("GPL-3.0", "included", {}, "conflict"), ("GPL-3.0", "served", {}, "fine"), ("AGPL-3.0", "served", {}, "conflict"),
    ("AGPL-3.0", "served", {"outbound": "AGPL-3.0"}, "condition"), ("CC-BY-SA-4.0", "served", {}, "conflict"),
    ("CC-BY-SA-4.0", "trained_on", {}, "open"), ("CC-BY-NC-4.0", "trained_on", {}, "open"),
    ("CC-BY-NC-4.0", "included", {}, "conflict"), ("CC-BY-4.0", "trained_on", {}, "condition"),
    ("CC-BY-NC-4.0", "included", {"commercial": False, "outbound": "CC-BY-NC-4.0"}, "condition"),
    ("OpenRAIL-M", "included", {}, "condition"), ("OpenRAIL-M", "included", {"outbound": "GPL-3.0"}, "conflict"),
])  # fmt: skip
def test_verdicts(licence, use, more, verdict):
    finding = lic.check_parts([lic.Part("part", licence, use)], **more)[0]
    assert finding.verdict == verdict and finding.reason
    assert finding.verdict in lic.VERDICTS


def test_explorer_agrees_with_the_table_and_stays_small():
    explorer = Law()
    assert len(explorer.html()) < 40_000
    case = Law.cases()[1]
    states = dict(zip([row["key"] for row in case["rows"]], Law.compute(**case)["states"]))
    assert states["us_order"] == 2 and states["ny_frontier"] == 0 and states["gdpr_basis"] == 3
    assert states["eu_marking"] == -1 and states["eu_systemic"] == 1


def test_the_chapter_names_every_docket_and_source():
    text = json.loads(CHAPTER.read_text("utf8"))
    prose = "".join("".join(cell["source"]) for cell in text["cells"] if cell["cell_type"] == "markdown")
    for case in law.cases():
        assert case.docket in prose and case.source.split(";")[0] in prose, case.key


@pytest.mark.parametrize(("licence", "use", "verdict", "reason"), [
    ("proprietary", "included", "condition", "your contract with its owner decides"),
    ("proprietary", "tool", "condition", "your contract with its owner decides"),
    ("OpenRAIL-M", "tool", "condition", "keep the limits of use"), ("MIT", "tool", "fine", "a tool leaves no trace"),
    ("CC-BY-NC-4.0", "tool", "conflict", "commercial use is excluded"),
])  # fmt: skip
def test_terms_that_bind_whoever_uses_the_part(licence, use, verdict, reason):
    finding = lic.check_parts([lic.Part("part", licence, use)])[0]
    assert finding.verdict == verdict and reason in finding.reason


def test_marks_of_the_cases_follow_what_was_seen():
    assert {case.key for case in law.cases() if case.mark == "checked"} == {"bartz"}
    assert next(case for case in law.cases() if case.key == "kadrey").mark == "memory"


def test_rows_read_as_one_line():
    shown = {row.key: str(row) for row in law.duties(law.Venture(markets=["eu", "california"], training_flop=2e26,
                                                                personal_data=True), "2026-11-22")}
    assert shown["eu_literacy"].startswith("since 2025-02-02: EU AI Act, Art. 4: ")
    assert shown["ca_frontier"].startswith("since 2026-01-01: SB 53: frontier developer")
    assert shown["gdpr_rights"].startswith("in force: GDPR, Art. 15-17: ") and shown["gdpr_rights"].endswith("[memory]")
