"""The sections on definitions, organs and grades say counts with their shares, and what a missing value leaves open."""

from __future__ import annotations

import polars as pl

from aclf_pipeline.reports.severity import severity_sections
from aclf_pipeline.science.check_values import SCHEMA
from aclf_pipeline.science.severity import definition_overlap, organ_failures
from aclf_pipeline_tests.science.cutoffs import ORGANS
from aclf_pipeline_tests.science.test_score_table import FACTORS, UNITS, cohort
from aclf_pipeline_tests.science.test_severity import PATIENTS, drawn

CHECKS = pl.DataFrame([("MELD", "creatinine 1", 6.0, 6.1, False, "a page")], schema=SCHEMA, orient="row")


def test_a_population_without_members_has_no_rows_and_the_other_is_named_once() -> None:
    people = {"candidates": cohort({}, {"spo2": None}), "cohort": cohort().clear()}
    organs, grades = organ_failures(people, ORGANS, FACTORS, UNITS)
    overlap = definition_overlap({"candidates": drawn(PATIENTS), "cohort": drawn(PATIENTS).clear()})
    sections = {section.id: section for section in severity_sections(overlap, organs, grades, CHECKS)}
    assert list(sections) == ["definitions-of-aclf", "organs", "grades", "check-values"]
    matrix = sections["definitions-of-aclf"].frame
    assert matrix.columns[:4] == ["Population", "Definition", "Met", "Open"]
    assert matrix["Population"].to_list() == ["All candidates (2)", "", "", ""]
    assert matrix.row(0, named=True)["Also COSSH"] == "1 of 3 (+1 open)"
    assert matrix.row(0, named=True)["Also APASL"] == "–"
    lungs = sections["organs"].frame.filter(pl.col("Organ") == "Respiratory").row(0)
    assert lungs[2:] == ("1 of 2", "1 of 2", "0 of 2", "1 of 2")
    assert sections["grades"].frame.rows() == [("All candidates (2)", "1", "1 of 2"), ("", "1 to 2", "1 of 2")]


def test_a_check_value_that_differs_is_counted_in_words() -> None:
    empty = definition_overlap({}), *organ_failures({}, ORGANS, FACTORS, UNITS)
    (only,) = severity_sections(*empty, CHECKS)
    assert only.says.endswith("1 differ.")
    assert only.frame.row(0)[2:5] == ("6", "6.1", "no")
