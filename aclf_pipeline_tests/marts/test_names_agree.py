"""Names the queries use are names the pages have: a parameter misspelt would be a null, and a null keeps silent."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import aclf_pipeline
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.science.cohort import assemble, score_factors, variable_units
from aclf_pipeline.science.score_registry import SCORES
from aclf_pipeline.science.score_table import WITHOUT_UNIT
from aclf_pipeline_tests.marts.test_cohort import AS_OF, measured
from aclf_pipeline_tests.marts.world import DEFINITIONS, PARAMETERS, SQL, STUDY, models

PAGES = Path(aclf_pipeline.__file__).parent / "protocol"
QUERIES = {table: re.sub(r"--.*", "", sql) for table, sql in models()}


def named(pattern: str) -> set[str]:
    return {name for sql in QUERIES.values() for name in re.findall(pattern, sql)}


def test_every_parameter_of_a_query_is_on_the_study_page_with_the_value_the_tests_draw() -> None:
    page = load_protocol(PAGES, STUDY).study.parameters
    assert named(r"parameter = '(\w+)'") == PARAMETERS.keys()
    assert {name: page[name].value for name in PARAMETERS} == PARAMETERS


def test_every_cut_off_of_a_query_is_in_the_definitions() -> None:
    page = load_protocol(PAGES, STUDY).definitions
    drawn = {name: cutoffs for name, cutoffs in DEFINITIONS.items() if not name.startswith("after_")}
    assert {name: dict(page[name].cutoffs) for name in drawn} == drawn
    known = {item for cutoffs in drawn.values() for item in cutoffs}
    tables = ("aclf_evidence", "organ_evidence", "aki")
    asked = {name for table in tables for name in re.findall(r"item = '(\w+)'", QUERIES[f"intermediate.{table}"])}
    signs = {"map", "spo2", "fio2", "renal_replacement", "vasopressor"}
    assert {"apasl_inr", "liver_operator", "late_stage", "baseline_days"} <= asked
    assert asked - signs <= known
    assert known - asked == {"cn_2012_inr"} - asked


def test_every_analyte_of_a_query_is_in_the_protocol() -> None:
    lists = named(r"analyte in \(([^)]*)\)")
    asked = named(r"analyte = '(\w+)'") | {name for text in lists for name in re.findall(r"'(\w+)'", text)}
    assert {"bilirubin_total", "creatinine", "hcv_ab", "hbsag_quant"} <= asked
    assert asked <= load_protocol(PAGES, STUDY).analytes.keys()


def test_every_codelist_of_a_query_is_a_page() -> None:
    lists = named(r"codelist in \(([^)]*)\)")
    asked = named(r"codelist = '(\w+)'") | {name for text in lists for name in re.findall(r"'(\w+)'", text)}
    asked |= set(re.findall(r"\('(\w+)', '\w+'\)", QUERIES["intermediate.exclusions"].split("comorbidities as")[0]))
    assert {"hbv", "malignancy", "renal_failure", "liver_transplant_status"} <= asked
    assert asked <= load_protocol(PAGES, STUDY).codelists.keys()


def test_every_comorbidity_that_excludes_is_a_word_of_the_source() -> None:
    with (SQL / "staging/his/his__list_words.csv").open(encoding="utf-8") as file:
        words = {row["value_code"] for row in csv.DictReader(file) if row["item"] == "comorbidity"}
    pairs = QUERIES["intermediate.exclusions"].split("comorbidities as")[1].split("coded as")[0]
    asked = set(re.findall(r"\('(\w+)', '\w+'\)", pairs))
    assert len(asked) == 10
    assert asked <= words


def test_every_baseline_variable_and_criterion_of_the_study_page_is_a_column() -> None:
    study = load_protocol(PAGES, STUDY).study
    promised = MARTS[STUDY]["candidates"].to_schema().columns
    assert study.baseline.keys() <= promised.keys()
    assert set(study.scores) <= MARTS[STUDY]["cohort"].to_schema().columns.keys()


def test_the_pages_give_every_score_its_unit() -> None:
    protocol = load_protocol(PAGES, STUDY)
    units, factors = variable_units(protocol), score_factors(protocol)
    without = [
        (variable, wanted)
        for name in protocol.study.scores
        for variable, wanted in SCORES[name].inputs.values()
        if variable not in WITHOUT_UNIT and units.get(variable) != wanted and (variable, wanted) not in factors
    ]
    assert without == []


def test_the_drawn_patient_is_in_the_cohort_by_the_real_pages_and_keeps_its_contract() -> None:
    con = measured().open()
    candidates, facts = con.sql("from marts.candidates").pl(), con.sql("from intermediate.facts").pl()
    made = assemble(candidates, facts, load_protocol(PAGES, STUDY), AS_OF)
    assert made.eligibility["exclusion_reasons"].to_list() == [[]]
    for name in ("cohort", "eligibility", "attrition", "cohort_provenance"):
        MARTS[STUDY][name].validate(getattr(made, name))
    assert made.cohort["meld"].to_list() == [20.0]
