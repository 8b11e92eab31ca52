"""Laboratory results of source clif: the printed text and the number beside it in, one canonical value out."""

from __future__ import annotations

import pytest

from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.clif.unit import stage

LAB = {
    "hospitalization_id": "H1",
    "lab_collect_dttm": "2150-03-01 09:00:00+00:00",
    "lab_result_dttm": "2150-03-01 09:40:00.250000+00:00",
    "lab_category": "platelet_count",
    "lab_name": "Platelet Count",
    "reference_unit": "10*3/uL",
}

RESULTS = """
    text                     | number | shown | operator | value | text_result      | receipt                 | unparsed
    128                      | 128.0  |       | =        | 128   |                  |                         |
    7.50                     | 7.5    |       | =        | 7.5   |                  |                         |
    ___                      | 85.0   | 85    | =        | 85    |                  | redacted,numeric_column |
    ___                      |        |       |          |       | other_text       | redacted                |
                             | 85.5   | 85.5  | =        | 85.5  |                  | numeric_column          |
                             |        |       |          |       |                  | blank_result            |
    UNABLE TO REPORT.        |        |       |          |       | other_text       | text                    |
    ND .  Not Done, WBC <=0.1. |  |       |  |       | other_text       | text                    |
    UNABLE TO REPORT, SPECIMEN CLOTTED. |  |       |  |       | specimen_problem | text                    |
    <0.2.                    | 0.2    |       | <        | 0.2   |                  | censored,decorated      |
    <3*.                     | 3.0    |       | <        | 3     |                  | censored,decorated      |
    >=5                      |        |       | >=       | 5     |                  | censored                |
    12                       | 13.0   |       |          |       |                  |                         | value
    UNABLE TO REPORT.        | 13.0   |       |          |       | other_text       | text                    | value
    positive                 |        |       |          |       |                  |                         | value
    greater than 9           | 9.0    |       |          |       |                  |                         | value
    12                       | twelve |       | =        | 12    |                  |                         | value
"""


def drawn(table: str) -> list[dict[str, str]]:
    """The rows of a table drawn in text; a blank cell is ''."""
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_form_of_a_result_is_read_or_named(wh: Warehouse) -> None:
    asked = drawn(RESULTS)
    cells = [{**LAB, "lab_value": row["text"] or None, "lab_value_numeric": row["number"] or None} for row in asked]
    staged = stage(wh, "labs", labs=cells)
    columns = ("operator", "value", "text_result", "receipt", "unparsed")
    told = [{c: "" if row[c] is None else f"{row[c]:g}" if c == "value" else row[c] for c in columns} for row in staged]
    assert told == [{column: row[column] for column in columns} for row in asked]
    assert [row["value_text"] or "" for row in staged] == [row["shown"] or row["text"] for row in asked]


def test_no_result_is_silently_missing(wh: Warehouse) -> None:
    cells = [
        {**LAB, "lab_value": row["text"] or None, "lab_value_numeric": row["number"] or None} for row in drawn(RESULTS)
    ]
    silent = [
        row
        for row in stage(wh, "labs", labs=cells)
        if row["value"] is None and row["receipt"] is None and row["unparsed"] is None
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("category", "spelling", "loinc", "unit", "receipt", "unparsed"),
    [
        ("lymphocytes_absolute", "10^3/µL\t", "731-0", "10*3/uL", "unit_trimmed", None),
        ("lymphocytes_absolute", "10^3/μL", "731-0", "10*3/uL", None, None),
        ("wbc", " 10*3/uL ", "6690-2", "10*3/uL", "unit_trimmed", None),
        ("inr", None, "6301-6", None, None, None),
        ("po2_arterial", "mmHg", "2703-7", "mm[Hg]", None, None),
        ("wbc", "cells", "6690-2", None, None, "unit"),
        ("moon_dust", "g/L", None, "g/L", None, None),
    ],
)
def test_a_unit_is_mapped_by_its_trimmed_spelling_and_an_item_by_its_category(
    wh: Warehouse, category: str, spelling: str | None, loinc: str | None, unit: str | None, receipt: str | None,
    unparsed: str | None,
) -> None:  # fmt: skip
    cell = {**LAB, "lab_category": category, "reference_unit": spelling, "lab_value": "1", "lab_value_numeric": "1.0"}
    (row,) = stage(wh, "labs", labs=[cell])
    assert row["unit_text"] == spelling
    assert (row["loinc"], row["unit"], row["receipt"], row["unparsed"]) == (loinc, unit, receipt, unparsed)


def test_times_are_kept_as_given_and_the_stay_gives_the_patient(wh: Warehouse) -> None:
    cells = [{**LAB, "lab_value": "1"}, {**LAB, "lab_value": "1", "hospitalization_id": "H9"},
             {**LAB, "lab_value": "1", "lab_collect_dttm": "yesterday"}]  # fmt: skip
    known, stray, undated = stage(wh, "labs", labs=cells)
    assert str(known["collected_at"]) == "2150-03-01 09:00:00"
    assert str(known["reported_at"]) == "2150-03-01 09:40:00.250000"
    assert (known["patient_id"], known["stay_id"]) == ("R1", "H1")
    assert (stray["patient_id"], stray["stay_id"]) == ("unknown-H9", "H9"), "never dropped: a rule will name it"
    assert (undated["collected_at"], undated["unparsed"]) == (None, "collected_at")


@pytest.mark.parametrize(
    ("material", "specimen", "loinc", "unparsed"),
    [
        (None, "whole_blood", "777-3", None),
        ("blood", "unknown", "777-3", None),
        ("Urine", "urine", None, None),
        ("csf", "unknown", "777-3", "specimen"),
    ],
)
def test_urine_never_gets_the_code_of_blood(
    wh: Warehouse, material: str | None, specimen: str, loinc: str | None, unparsed: str | None
) -> None:
    (row,) = stage(wh, "labs", labs=[{**LAB, "lab_value": "1", "lab_specimen_category": material}])
    assert (row["specimen"], row["loinc"], row["unparsed"]) == (specimen, loinc, unparsed)
