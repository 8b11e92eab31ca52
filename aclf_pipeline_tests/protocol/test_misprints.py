"""A misprint is explained: page, stanza, what stands there, why it cannot be, and the likeliest right word."""

from __future__ import annotations

from pathlib import Path

import pytest

from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.protocol import ProtocolError, load_protocol, proofread
from aclf_pipeline.protocol.plan import KINDS as ANALYSES
from aclf_pipeline_tests.protocol.conftest import PAGES, STUDY, problems_of

ANALYTES, RULES, WAIVERS = "analytes.yaml", "rules.yaml", "waivers.yaml"
STUDY_PAGE, PLAN = f"studies/{STUDY}/study.yaml", f"studies/{STUDY}/analysis.yaml"
PROMISED = {kind: [promise.name for promise in promises(contract)] for kind, contract in KINDS.items()}
AUDITS = {path.stem for path in (PAGES.parents[1] / "sql" / "audits").glob("*.sql")}
WAIVER = """- {rule: labs_unit_known, reason: r, owner: o, approver: a, expires: 2026-12-31, at_most: 3}
"""

MISPRINTS = {
    "unknown word": (
        ANALYTES, "  worst: high", "  worts: high",
        "analytes.yaml: 'bilirubin_total' uses the word 'worts', which this page does not know. Did you mean 'worst'?",
    ),
    "word of another case": (
        RULES, "  category: conformance/value", "  Category: conformance/value",
        "rules.yaml: 'patients_everything_parsed' has no 'category'",
    ),
    "no reason": (
        ANALYTES, "  says: Total bilirubin\n", "", "analytes.yaml: 'bilirubin_total' has no 'says'",
    ),
    "no advice": (
        RULES, "  fix: Correct the birth date on the front page.\n", "",
        "rules.yaml: 'patients_birth_month_stated' has no 'fix'",
    ),
    "a reason that says nothing": (
        RULES, "fix: Correct the birth date on the front page.", "fix: '  '",
        "rules.yaml: 'patients_birth_month_stated' has a 'fix' that is blank; write a sentence",
    ),
    "unknown unit": (
        ANALYTES, "unit: umol/L", "unit: umol/litre",
        "analytes.yaml: 'bilirubin_total' names unit 'umol/litre', which is not a UCUM unit. Did you mean 'umol/L'?",
    ),
    "unknown unit among the accepted": (
        ANALYTES, "accepts: {mg/dL: 17.1}", "accepts: {mg/dl_: 17.1}",
        "analytes.yaml: 'bilirubin_total' names unit 'mg/dl_', which is not a UCUM unit. Did you mean 'mg/dL'?",
    ),
    "factor missing": (
        ANALYTES, "accepts: {mg/dL: 17.1}", "accepts: {mg/dL: }",
        "analytes.yaml: 'bilirubin_total' gives no number for accepts.mg/dL",
    ),
    "factor zero": (
        ANALYTES, "accepts: {mg/dL: 17.1}", "accepts: {mg/dL: 0}",
        "analytes.yaml: 'bilirubin_total' accepts unit 'mg/dL' with the factor 0, which is not above 0",
    ),
    "own unit with a factor": (
        ANALYTES, "accepts: {mg/dL: 17.1}", "accepts: {umol/L: 2}",
        "analytes.yaml: 'bilirubin_total' accepts its own unit 'umol/L' with a factor other than 1",
    ),
    "limits upside down": (
        ANALYTES, "limits: [1.7, 1500]", "limits: [1500, 1.7]",
        "analytes.yaml: 'bilirubin_total' has limits from 1500 to 1.7; the low limit must lie below the high one",
    ),
    "limit that is no number": (
        ANALYTES, "limits: [1.7, 1500]", "limits: [1.7, high]",
        "analytes.yaml: 'bilirubin_total' gives no number for limits.1: 'high'",
    ),
    "LOINC code of another form": (
        ANALYTES, "loinc: [14631-6, 1975-2]", "loinc: [146316]",
        "analytes.yaml: 'bilirubin_total' asks loinc.0 for text; '146316' is not, put it in quotation marks",
    ),
    "LOINC code without its check digit": (
        ANALYTES, "loinc: [14631-6, 1975-2]", "loinc: [14631]",
        "analytes.yaml: 'bilirubin_total' asks loinc.0 for text; '14631' is not, put it in quotation marks",
    ),
    "LOINC code twice": (
        ANALYTES, "loinc: [14629-0, 1968-7]", "loinc: [14631-6]",
        "analytes.yaml: 'bilirubin_direct' has LOINC code 14631-6, which 'bilirubin_total' already has; a code means "
        "one analyte",
    ),
    "rule twice": (
        RULES, "- id: patients_name_readable", "- id: patients_birth_month_stated",
        "rules.yaml: 'patients_birth_month_stated' stands 2 times; keep one",
    ),
    "action that is none": (
        RULES, "action: quarantine", "action: quarantined",
        "rules.yaml: 'patients_everything_parsed' has action 'quarantined', which is none of block, quarantine, flag, "
        "repair, adjudicate. Did you mean 'quarantine'?",
    ),
    "category that is none": (
        RULES, "category: conformance/value", "category: validity",
        "rules.yaml: 'patients_everything_parsed' has category 'validity', which is not written like conformance, "
        "completeness or plausibility, with a part after '/', as in plausibility/temporal",
    ),
    "tolerance in percent": (
        RULES, "tolerate: 0.005", "tolerate: 5",
        "rules.yaml: 'patients_everything_parsed' has tolerate '5': input should be less than or equal to 1",
    ),
    "waiver of an unknown rule": (
        WAIVERS, "[]\n", WAIVER.replace("labs_unit_known", "labs_units_known"),
        "waivers.yaml: a waiver names rule 'labs_units_known', which rules.yaml does not have. "
        "Did you mean 'labs_unit_known'?",
    ),
    "waiver that ends on no day": (
        WAIVERS, "[]\n", WAIVER.replace("2026-12-31", "end of 2026"),
        "waivers.yaml: 'labs_unit_known' has expires 'end of 2026', which is not a day written like 2026-12-31",
    ),
    "analyte nobody has": (
        STUDY_PAGE, "analyte: bilirubin_total", "analyte: bilirubin_totl",
        f"{STUDY_PAGE}, baseline: 'bilirubin_total' names analyte 'bilirubin_totl', which analytes.yaml does not have. "
        "Did you mean 'bilirubin_total'?",
    ),
    "criterion twice": (
        STUDY_PAGE, "{id: hcv,", "{id: malignancy,",
        f"{STUDY_PAGE}, eligibility: 'malignancy' stands 2 times; keep one",
    ),
    "two primary endpoints": (
        STUDY_PAGE, "horizon_days: 28, event: death, competing: [transplant]}",
        "horizon_days: 28, event: death, competing: [transplant], primary: true}",
        f"{STUDY_PAGE}, endpoints: 2 are primary; name exactly one before looking at the data",
    ),
    "parameter without a value": (
        STUDY_PAGE, "    value: 2\n", "",
        f"{STUDY_PAGE}, parameters: 'min_infusions' has no 'value'",
    ),
    "page of another study": (
        STUDY_PAGE, "id: nct07198854", "id: nct01724398",
        f"{STUDY_PAGE}: the id is 'nct01724398' and the folder is 'nct07198854'; write the same",
    ),
    "endpoint nobody has": (
        PLAN, "endpoint: death_336d", "endpoint: death_336",
        f"{PLAN}: 'follow_up' names endpoint 'death_336', which study.yaml does not have. Did you mean 'death_336d'?",
    ),
    "covariate nobody has": (
        PLAN, "[age_years, he_any, inr", "[age_year, he_any, inr",
        f"{PLAN}: 'cox_primary' names covariate 'age_year', which study.yaml does not have. Did you mean 'age_years'?",
    ),
    "group nobody has": (
        PLAN, "group: cirrhosis", "group: cirhosis",
        f"{PLAN}: 'km_by_cirrhosis' names group 'cirhosis', which study.yaml does not have. Did you mean 'cirrhosis'?",
    ),
    "model of no kind": (
        PLAN, "kind: cox", "kind: coxx",
        f"{PLAN}: 'cox_primary' has kind 'coxx', which is none of {', '.join(ANALYSES)}. Did you mean 'cox'?",
    ),
    "model without a kind": (
        PLAN, "  kind: cox\n", "",
        f"{PLAN}: 'cox_primary' has no 'kind'; write one of {', '.join(ANALYSES)}",
    ),
    "word of another kind": (
        PLAN, "  kind: logrank\n", "  kind: logrank\n  horizons: [28]\n",
        f"{PLAN}: 'logrank_he' uses the word 'horizons', which this page does not know.",
    ),
    "test without a group": (
        PLAN, "168d\n  group: he_any\n", "168d\n",
        f"{PLAN}: 'logrank_he' has no 'group'",
    ),
    "diagnostics of no model": (
        PLAN, "of: cox_primary", "of: cox_primarry",
        f"{PLAN}: 'cox_univariable' names the model 'cox_primarry', which is no Cox model of this page. "
        "Did you mean 'cox_primary'?",
    ),
    "score nobody has": (
        PLAN, "comparators: [meld,", "comparators: [mled,",
        f"{PLAN}: 'performance' names comparator 'mled', which study.yaml does not have. Did you mean 'meld'?",
    ),
    "time zero nobody has": (
        PLAN, "time_zeros: [second_infusion,", "time_zeros: [third_infusion,",
        f"{PLAN}: 'immortal_time' names time zero 'third_infusion', which study.yaml does not have. "
        "Did you mean 'first_infusion'?",
    ),
    "code without a label": (
        "codelists/cirrhosis.csv", "Alcoholic cirrhosis", "",
        "codelists/cirrhosis.csv, line 6: code 'K70.3' has no label",
    ),
    "code list with another head": (
        "codelists/cirrhosis.csv", "system,code", "code,system",
        "codelists/cirrhosis.csv: the first line asks for system,code,label,match",
    ),
    "code that matches no way": (
        "codelists/cirrhosis.csv", "Alcoholic cirrhosis,prefix", "Alcoholic cirrhosis,prefixed",
        "codelists/cirrhosis.csv, line 6: has match 'prefixed', which is none of exact, prefix, text. "
        "Did you mean 'prefix'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("misprint", MISPRINTS)
def test_a_misprint_is_explained(misprint: str, change) -> None:
    page, old, new, sentence = MISPRINTS[misprint]
    assert sentence in problems_of(change(page, old, new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  says: Total bilirubin\n", "  says: [Total bilirubin\n", "analytes.yaml, line"),
        ("  says: Total bilirubin\n", "  says: Total: bilirubin\n", "analytes.yaml, line"),
        ("  says: Total bilirubin\n", "\tsays: Total bilirubin\n", "analytes.yaml, line"),
    ],
    ids=["open bracket", "colon in a sentence", "tab"],
)
def test_broken_yaml_is_told_with_its_line_and_no_trace(old: str, new: str, told: str, change) -> None:
    (problem, *_) = [text for text in problems_of(change(ANALYTES, old, new)) if text.startswith(told)]
    assert "this is not YAML" in problem
    assert "Traceback" not in problem


def test_a_stanza_that_stands_twice_is_told_alone_with_its_line(change) -> None:
    told = problems_of(change(ANALYTES, "bilirubin_direct:", "bilirubin_total:"))
    line = (PAGES / ANALYTES).read_text("utf-8").split("bilirubin_direct:")[0].count("\n") + 1
    assert told == [f"analytes.yaml, line {line}: 'bilirubin_total' stands twice; keep one"]


def test_all_problems_of_all_pages_are_told_at_once(change) -> None:
    change(ANALYTES, "  worst: high", "  worts: high")
    change(STUDY_PAGE, "{id: hcv,", "{id: malignancy,")
    change("codelists/cirrhosis.csv", "Alcoholic cirrhosis", "")
    told = problems_of(change(PLAN, "kind: cox", "kind: coxx"))
    assert {text.split(":")[0].split(",")[0] for text in told} >= {
        "analytes.yaml", STUDY_PAGE, PLAN, "codelists/cirrhosis.csv",
    }  # fmt: skip


def test_a_page_that_is_not_there_is_named(pages: Path) -> None:
    (pages / "waivers.yaml").unlink()
    assert "waivers.yaml: this page is missing" in problems_of(pages)


def test_a_page_in_another_encoding_is_named(pages: Path) -> None:
    (pages / WAIVERS).write_bytes("# 豁免\n[]\n".encode("gb18030"))
    assert "waivers.yaml: this page is not text in UTF-8; save it as UTF-8" in problems_of(pages)


def test_a_study_that_is_not_there_is_answered_with_the_nearest(pages: Path) -> None:
    (problem,) = problems_of(pages, "nct0719885")
    assert problem == "study 'nct0719885' has no folder under studies/. Did you mean 'nct07198854'?"


CONDITIONS = {
    "misspelt column": (
        "holds: reported_at >= collected_at", "holds: reported_at >= colected_at",
        "rules.yaml: 'labs_reported_after_collected' names column 'colected_at', which table 'labs' does not promise. "
        "Did you mean 'collected_at'?",
    ),
    "misspelt table": (
        "  table: labs", "  table: lab",
        "rules.yaml: 'labs_everything_parsed' is about table 'lab', which no contract promises. Did you mean 'labs'?",
    ),
    "no SQL": (
        "holds: reported_at >= collected_at", "holds: reported_at >= >= collected_at",
        "rules.yaml: 'labs_reported_after_collected' asks 'reported_at >= >= collected_at', which is not a condition "
        "in SQL; look at quotation marks and operators",
    ),
    "no question": (
        "holds: reported_at >= collected_at", "holds: reported_at - collected_at",
        "rules.yaml: 'labs_reported_after_collected' asks 'reported_at - collected_at', which is not a yes/no question",
    ),
    "aggregate": (
        "holds: reported_at >= collected_at", "holds: max(reported_at) >= collected_at",
        "rules.yaml: 'labs_reported_after_collected' uses 'MAX(reported_at)', which is more than a flat condition; "
        "write an audit in sql/audits/ instead",
    ),
    "query in a condition": (
        "holds: loinc is not null", "holds: loinc in (select loinc from rules.analyte_loinc)",
        "rules.yaml: 'labs_item_mapped' uses '(SELECT loinc FROM rules.analyte_loinc)', which is more than a flat "
        "condition; write an audit in sql/audits/ instead",
    ),
    "rule without a way to hold": (
        "- id: labs_unit_known", "- id: labs_units_known",
        "rules.yaml: 'labs_units_known' has no 'holds' and no audit sql/audits/labs_units_known.sql; write one of the "
        "two. Did you mean 'labs_unit_known'?",
    ),
    "audit without a rule": (
        "- id: labs_unit_known", "- id: labs_units_known",
        "sql/audits/labs_unit_known.sql belongs to no rule of rules.yaml. Did you mean 'labs_units_known'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("misprint", CONDITIONS)
def test_a_condition_is_proof_read_against_the_contracts(misprint: str, change) -> None:
    old, new, sentence = CONDITIONS[misprint]
    loaded = load_protocol(change(RULES, old, new), STUDY)
    with pytest.raises(ProtocolError) as caught:
        proofread(loaded, PROMISED, AUDITS)
    assert sentence in caught.value.problems


def test_a_rule_with_both_a_condition_and_an_audit_is_refused(protocol) -> None:
    with pytest.raises(ProtocolError) as caught:
        proofread(protocol, PROMISED, AUDITS | {"labs_item_mapped"})
    assert caught.value.problems == [
        "rules.yaml: 'labs_item_mapped' has both 'holds' and an audit sql/audits/labs_item_mapped.sql; keep one of the "
        "two"
    ]


def test_criteria_are_proof_read_against_the_candidates(protocol) -> None:
    promised = {**PROMISED, "candidates": ["infusions", "stay_hour", "aclf", "index_on"], "cohort": ["he_grade"]}
    with pytest.raises(ProtocolError) as caught:
        proofread(protocol, promised, AUDITS)
    assert (
        f"{STUDY_PAGE}, eligibility: 'stay_under_1_day' names column 'stay_hours', which table 'candidates' does "
        "not promise. Did you mean 'stay_hour'?"
    ) in caught.value.problems
    assert (
        f"{STUDY_PAGE}, time_zeros: 'index_admission' names column 'index_at', which table 'candidates' does "
        "not promise. Did you mean 'index_on'?"
    ) in caught.value.problems


def test_time_zeros_name_criteria_of_the_page_and_one_is_primary(change) -> None:
    pages = change(STUDY_PAGE, "waives: [one_infusion]", "waives: [one_infusions]")
    change(STUDY_PAGE, "at: time_zero\n    primary: true", "at: time_zero")
    change(STUDY_PAGE, "time_varying: [bilirubin_total", "time_varying: [bilirubin_totl")
    assert problems_of(pages) == [
        f"{STUDY_PAGE}, time_zeros: 'first_infusion_all' waives criterion 'one_infusions', which the page does not"
        " have. Did you mean 'one_infusion'?",
        f"{STUDY_PAGE}, time_zeros: 0 are primary; exactly one is that of the cohort",
        f"{STUDY_PAGE}: time_varying names 'bilirubin_totl', which is no baseline variable with an analyte."
        " Did you mean 'bilirubin_total'?",
    ]


def test_a_waiver_is_proof_read(change) -> None:
    waiver = WAIVER.replace("reason: r", "scope: patient = 'R1', reason: r")
    with pytest.raises(ProtocolError) as caught:
        proofread(load_protocol(change(WAIVERS, "[]\n", waiver), STUDY), PROMISED, AUDITS)
    assert caught.value.problems == [
        "waivers.yaml: 'labs_unit_known' names column 'patient', which table 'labs' does not promise. "
        "Did you mean 'patient_id'?"
    ]
