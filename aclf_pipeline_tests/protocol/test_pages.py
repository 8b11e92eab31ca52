"""The pages as they stand: complete, frozen, sourced; and the digest that names them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aclf_pipeline.contracts import KINDS, empty_frame
from aclf_pipeline.protocol import Analyte, Rule, Waiver, load_protocol
from aclf_pipeline.protocol.units import USUAL, is_ucum
from aclf_pipeline_tests.protocol.conftest import PAGES, STUDY

STUDIES = ["nct07198854", "icu_cirrhosis"]
PAGE_FILES = sorted(
    str(path.relative_to(PAGES))
    for path in PAGES.rglob("*")
    if (path.suffix == ".yaml" and "icu_cirrhosis" not in path.parts) or path.name in {"cirrhosis.csv", "msc.csv"}
)


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_loads(study: str) -> None:
    assert load_protocol(PAGES, study).study.id == study


def test_every_range_factor_and_code_has_a_reason(protocol) -> None:
    assert all(analyte.because for analyte in protocol.analytes.values())
    assert all(rule.because and rule.fix for rule in protocol.rules.values())
    assert all(definition.because for definition in protocol.definitions.values())
    assert all(code.label for codes in protocol.codelists.values() for code in codes)


def test_loinc_codes_have_their_check_digit(protocol) -> None:
    """LOINC's modulus-10 check digit: a code with a mistyped digit means nothing or something else."""

    def digit(number: str) -> int:
        odd = str(int("".join(reversed(number[::-1][::2]))) * 2)
        even = number[::-1][1::2][::-1]
        return -sum(map(int, even + odd)) % 10

    codes = [code for analyte in protocol.analytes.values() for code in analyte.loinc]
    assert len(codes) > 90
    assert [code for code in codes if digit(code.split("-")[0]) != int(code.split("-")[1])] == []


def test_conventional_units_convert_as_published(protocol) -> None:
    """Factors of SI conversion, from molar masses."""
    factors = {
        ("bilirubin_total", "mg/dL"): 17.10, ("creatinine", "mg/dL"): 88.40, ("urea", "mg/dL"): 0.3570,
        ("glucose", "mg/dL"): 0.0555, ("albumin", "g/dL"): 10, ("cholinesterase", "kU/L"): 1000,
        ("uric_acid", "mmol/L"): 1000, ("calcium", "mg/dL"): 0.2495, ("hematocrit", "%"): 0.01,
        ("hbv_dna", "{copies}/mL"): 1 / 5.6,
    }  # fmt: skip
    assert {key: protocol.analytes[key[0]].factors[key[1]] for key in factors} == pytest.approx(factors)


@pytest.mark.parametrize("analyte", ["inr", "ph", "hbeag", "hbeab", "hbcab", "hcv_ab", "hiv_ab", "abo", "rhd"])
def test_what_is_printed_without_a_unit_accepts_unit_1(analyte: str, protocol) -> None:
    assert "1" in protocol.analytes[analyte].factors


@pytest.mark.parametrize("analyte", ["bilirubin_total", "urea", "glucose", "sodium", "hbv_dna", "pta", "hbsag_quant"])
def test_what_is_not_measured_without_a_unit_does_not(analyte: str, protocol) -> None:
    """A fraction of a percentage is in unit 1 too, with its factor: no number without a unit is read so."""
    assert protocol.analytes[analyte].factors.get("1") != 1


def test_severe_disease_lies_inside_the_limits(protocol) -> None:
    """Values published or observed in acute-on-chronic liver failure; a limit is for mistakes, not for disease."""
    seen = {
        "bilirubin_total": (1157,), "alt": (1, 8010), "ast": (13060,), "inr": (9.6,), "creatinine": (1344,),
        "sodium": (118, 168), "potassium": (2.2, 8.3), "albumin": (17, 51), "platelets": (6, 905), "glucose": (0.8, 52),
        "hemoglobin": (33, 169), "wbc": (0.1, 182.6), "ph": (6.93, 7.57), "lactate": (13.2,), "pta": (5, 14),
    }  # fmt: skip
    limits = {name: protocol.analytes[name].hard_limits for name in seen}
    assert [n for n, values in seen.items() for v in values if not limits[n][0] <= v <= limits[n][1]] == []


def test_a_moved_decimal_point_or_a_silent_unit_lies_outside(protocol) -> None:
    wrong = {"sodium": 13.7, "albumin": 3.12, "hemoglobin": 12.8, "creatinine": 0.85, "inr": 20.8, "pta": 0.34}
    limits = {name: protocol.analytes[name].hard_limits for name in wrong}
    assert [n for n, v in wrong.items() if limits[n][0] <= v <= limits[n][1]] == []


@pytest.mark.parametrize("study", STUDIES)
def test_every_condition_runs_on_its_table(study: str) -> None:
    """The clinician's sentence is the executed one: Polars reads what the page says."""
    for rule in load_protocol(PAGES, study).rules.values():
        if rule.holds is not None:
            kept = empty_frame(KINDS[rule.table]).select(pl.sql_expr(rule.holds).alias("kept"))
            assert kept.schema["kept"] == pl.Boolean, rule.id


def test_there_are_rules_for_every_kind_and_enough_audits(protocol) -> None:
    assert {rule.table for rule in protocol.rules.values()} == set(KINDS)
    assert all(f"{kind}_everything_parsed" in protocol.rules for kind in KINDS)
    assert len(protocol.rules) >= 35
    assert sum(rule.holds is None for rule in protocol.rules.values()) >= 10


def test_the_flow_chart_of_the_study_is_in_order(protocol) -> None:
    assert [criterion.id for criterion in protocol.study.eligibility] == [
        "no_infusion", "age_under_18", "not_aclf", "hbsag_evidence", "one_infusion", "malignancy", "hcv",
        "hiv_or_immunodeficiency", "renal_dysfunction", "pregnancy_or_lactation", "thyroid_disease", "stay_under_1_day",
    ]  # fmt: skip
    assert protocol.study.as_of == date(2019, 10, 31)


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_a_study_states_is_read_by_a_query(study: str) -> None:
    """A number nobody reads is a switch that is not connected."""
    queries = "\n".join(path.read_text("utf-8") for path in (PAGES.parents[1] / "sql").rglob("*.sql"))
    parameters = load_protocol(PAGES, study).study.parameters.items()
    numbers = [name for name, parameter in parameters if isinstance(parameter.value, int | float)]
    assert [name for name in numbers if f"'{name}'" not in queries] == []


def test_the_primary_model_has_at_most_eight_covariates_and_no_composite_of_them(protocol) -> None:
    (primary,) = [stanza for stanza in protocol.analysis if stanza.id == "cox_primary"]
    assert len(primary.covariates) <= 8
    assert not set(primary.covariates) & set(protocol.study.scores) - {"nlr"}


def test_no_unverified_cut_off_is_switched_on(protocol) -> None:
    assert protocol.definitions["aclf"].cutoffs["cn_2012_inr"] is None


def test_pages_are_frozen(protocol) -> None:
    with pytest.raises(ValidationError):
        protocol.study.as_of = date(2020, 1, 1)
    with pytest.raises(TypeError):
        protocol.analytes["inr"] = None
    with pytest.raises(TypeError):
        protocol.definitions["aclf"].cutoffs["apasl_inr"] = 1.0


def test_the_digest_is_that_of_the_content(protocol, pages: Path) -> None:
    assert load_protocol(pages, STUDY).digest == protocol.digest
    page = pages / "analytes.yaml"
    page.write_text("# a remark\n" + page.read_text("utf-8").replace("\n", "\r\n"), "utf-8", newline="")
    assert load_protocol(pages, STUDY).digest == protocol.digest


@pytest.mark.parametrize("page", PAGE_FILES)
def test_the_digest_changes_with_every_page(page: str, protocol, pages: Path) -> None:
    text = (pages / page).read_text("utf-8")
    if page.endswith(".csv"):
        changed = text + "his,another,Another,exact\n"
    elif page == "waivers.yaml":
        changed = "- {rule: labs_unit_known, reason: r, owner: o, approver: a, expires: 2026-12-31, at_most: 3}\n"
    elif page == "questions.yaml":
        changed = text + "- {id: q, asks: a, choices: {yes: y, no: n}, default: no, because: b}\n"
    elif page == "adjudications.yaml":
        question = next(iter(protocol.questions.values()))
        decided = f"question: {question.id}, patient: R1, evidence: 04c1e9aa, decision: {question.default}"
        changed = f"- {{{decided}, reason: r, by: b, on: 2026-12-31}}\n"
    else:
        changed = text.replace("says: ", "says: Now ", 1)
    (pages / page).write_text(changed, "utf-8")
    assert load_protocol(pages, STUDY).digest != protocol.digest


def test_the_order_of_the_flow_chart_is_content(protocol, pages: Path) -> None:
    page = pages / "studies" / STUDY / "study.yaml"
    lines = page.read_text("utf-8").splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "{id: hcv," in line)
    lines[at - 1 : at + 1] = reversed(lines[at - 1 : at + 1])
    page.write_text("".join(lines), "utf-8")
    assert load_protocol(pages, STUDY).digest != protocol.digest


def test_a_fingerprint_follows_what_a_rule_asks_and_does() -> None:
    rule = Rule(
        id="in_order", table="stays", says="s", holds="a >= b", category="plausibility/temporal", action="flag",
        because="b", fix="f",
    )  # fmt: skip
    assert rule.model_copy(update={"says": "other words", "tolerate": 0.5}).fingerprint == rule.fingerprint
    assert rule.model_copy(update={"holds": "a > b"}).fingerprint != rule.fingerprint
    assert rule.model_copy(update={"action": "block"}).fingerprint != rule.fingerprint
    audit = rule.model_copy(update={"holds": None})
    assert audit.fingerprint_with("select 1") != audit.fingerprint_with("select 0") != audit.fingerprint


def test_a_fingerprint_follows_the_question_and_when_rows_are_set_aside() -> None:
    rule = Rule(
        id="two_dates", table="deaths", says="s", category="plausibility/temporal", action="adjudicate",
        question="which_date", quarantine_when=("neither", "later"), because="b", fix="f",
    )  # fmt: skip
    assert rule.model_copy(update={"quarantine_when": ("later", "neither")}).fingerprint == rule.fingerprint
    assert rule.model_copy(update={"quarantine_when": ("later",)}).fingerprint != rule.fingerprint
    assert rule.model_copy(update={"question": "which_day"}).fingerprint != rule.fingerprint


def test_every_question_is_asked_by_a_rule(protocol) -> None:
    """A question no rule raises can have no case."""
    assert set(protocol.questions) - {rule.question for rule in protocol.rules.values()} == set()


def test_a_waiver_holds_through_its_last_day() -> None:
    waiver = Waiver(rule="r", reason="x", owner="x", approver="x", expires=date(2026, 12, 31), at_most=1)
    assert (waiver.valid_on(date(2026, 12, 31)), waiver.valid_on(date(2027, 1, 1))) == (True, False)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_limits_are_read_when_and_only_when_low_lies_below_high(low: float, high: float) -> None:
    stanza = {"id": "x", "says": "x", "unit": "g/L", "limits": [low, high], "because": "x"}
    if low < high:
        assert Analyte.model_validate(stanza).hard_limits == (low, high)
    else:
        with pytest.raises(ValidationError, match="the low limit must lie below"):
            Analyte.model_validate(stanza)


@pytest.mark.parametrize("unit", [*USUAL, "mg/L{FEU}", "10*6/L", "mL/(24.h)", "mm/h", "[degF]"])
def test_units_of_a_laboratory_are_ucum(unit: str) -> None:
    assert is_ucum(unit)


@pytest.mark.parametrize(
    "unit", ["", "μmol/L", "umol/litre", "mg / dL", "IU/mL", "10^9/L ", "10*/L", "mmHg", "S/CO", "x"]
)
def test_spellings_of_a_laboratory_are_not(unit: str) -> None:
    assert not is_ucum(unit)
