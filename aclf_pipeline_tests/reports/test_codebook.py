"""The codebook and the sections on selection: every column explained from its page, nothing of a patient."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import aclf_pipeline.protocol
from aclf_pipeline.contracts import empty_frame, promises
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.contracts.selection import Codebook
from aclf_pipeline.protocol import Protocol, load_protocol
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.reports import dictionary
from aclf_pipeline.reports.codebook import UNSTATED, codebook, labels
from aclf_pipeline.reports.selection import sections

STUDIES = ("nct07198854", "icu_cirrhosis")
PAGES = Path(aclf_pipeline.protocol.__file__).parent
LINEAGE = {
    "first_infusion_on": (("intermediate.anchors", "first_infusion_on"),),
    "has_hcv": (("intermediate.facts", "value"), ("intermediate.facts", "variable")),
}


@pytest.fixture(scope="module", params=STUDIES)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return load_protocol(PAGES, request.param)


@pytest.fixture(scope="module")
def mission() -> Protocol:
    return load_protocol(PAGES, "nct07198854")


def cohort_of(study: str, **values: list[object]) -> pl.DataFrame:
    """Members of whom nothing is known but `values`."""
    schema = empty_frame(MARTS[study]["cohort"]).schema
    size = max((len(column) for column in values.values()), default=0)
    return pl.DataFrame({name: values.get(name, [None] * size) for name in schema}, schema=schema)


def row(book: pl.DataFrame, name: str) -> dict[str, object]:
    return book.row(by_predicate=pl.col("variable") == name, named=True)


def test_every_promised_column_of_both_studies_has_its_line_in_order(protocol: Protocol) -> None:
    contract = MARTS[protocol.study.id]["cohort"]
    book = codebook(protocol, contract, cohort_of(protocol.study.id), LINEAGE)
    assert check_table(book, Codebook) == []
    assert book["variable"].to_list() == [promise.name for promise in promises(contract)]
    assert book["missing_share"].null_count() == book.height  # nobody is no share
    measured = book.filter(pl.col("variable").is_in(list(protocol.study.baseline)))
    assert measured.filter(pl.col("window").is_null() | (pl.col("because") == UNSTATED)).is_empty()


def test_a_line_is_made_of_the_analyte_the_window_and_counts(mission: Protocol) -> None:
    cohort = cohort_of("nct07198854", bilirubin_total=[300.0, None, float("nan"), 20.0])
    found = row(codebook(mission, MARTS["nct07198854"]["cohort"], cohort, LINEAGE), "bilirubin_total")
    analyte = mission.analytes["bilirubin_total"]
    assert (found["unit"], found["source"]) == ("umol/L", "core.labs, analyte bilirubin_total")
    assert found["window"] == "days -3 to 0, nearest"
    assert (found["n"], found["missing"], found["missing_share"]) == (4, 2, 0.5)
    assert str(analyte.hard_limits[0]).rstrip("0").rstrip(".") in found["valid"]
    assert analyte.because in found["because"]


def test_scores_criteria_queries_and_events_say_where_they_come_from(mission: Protocol) -> None:
    book = codebook(mission, MARTS["nct07198854"]["cohort"], cohort_of("nct07198854"), LINEAGE)
    assert row(book, "meld")["source"].startswith("computed from ")
    assert "Registry text" in row(book, "has_hcv")["because"]
    assert row(book, "has_hcv")["source"] == "intermediate.facts, variable has_hcv"
    assert row(book, "first_infusion_on")["source"] == "intermediate.anchors.first_infusion_on"
    assert row(book, "ascites")["valid"] == "0 none, 1 mild, 2 moderate or large"
    assert row(book, "end_state")["valid"].startswith("death, transplant, against_advice")
    assert "Excluding them conditions on the future" in row(book, "end_state")["because"]


def test_labels_for_programs_are_the_pages_words_with_units_and_grades(mission: Protocol) -> None:
    made = labels(MARTS["nct07198854"]["cohort"], mission.study)
    assert made.variables["bilirubin_total"] == "Total bilirubin, umol/L"
    assert made.grades["ascites"] == {0: "none", 1: "mild", 2: "moderate or large"}
    assert made.vocabularies["event"] == ("death", "transplant", "censored")
    assert set(made.variables) == {promise.name for promise in promises(MARTS["nct07198854"]["cohort"])}


def test_sections_are_made_of_the_tables_there_are(mission: Protocol) -> None:
    choices = pl.DataFrame(
        [("min_infusions", "1", "2", 59, 5, 0, 54, 11, 16, 5, 0, 2, 2, None)],
        schema=empty_frame(MARTS["nct07198854"]["parameter_choices"]).schema,
        orient="row",
    )
    combinations = pl.DataFrame(
        {
            "criteria_mask": [0, 3],
            "criteria": [[], ["a", "b"]],
            "failing": [0, 2],
            "candidates": [4, 6],
            "share": [0.4, 0.6],
        }
    )
    found = {
        one.id: one
        for one in sections(mission.study, {"parameter_choices": choices, "exclusion_combinations": combinations})
    }
    assert list(found) == ["overlap", "other-choices"]
    assert found["overlap"].frame["criteria_not_met"].to_list() == ["a, b", "none: eligible"]
    assert "within 168 days" in found["other-choices"].says
    line = found["other-choices"].frame.row(0, named=True)
    assert (line["entering"].split(), line["leaving"], line["deaths"].split()) == (["5", "(5)"], "0", ["11", "→", "16"])


def test_the_dictionary_shows_the_codebook_and_is_whole_without_one(mission: Protocol) -> None:
    contract = MARTS["nct07198854"]["cohort"]
    book = codebook(mission, contract, cohort_of("nct07198854", bilirubin_total=[300.0, None]), LINEAGE)
    page = dictionary.page(mission, [], source="his", codebook=book)
    assert page.count("<summary>Because</summary>") == book.height
    assert "core.labs, analyte bilirubin_total; days -3 to 0, nearest" in page
    assert 'id="codebook"' not in dictionary.page(mission, [], source="his")
