"""Persons at the hospital's door: birth dates that cannot be, numbers too short, identity numbers of the dead."""

from __future__ import annotations

from datetime import date

import pytest

from aclf_pipeline_tests.staging.hospital import Hospital

PAGE = {"BAH": "R1", "ZYCS": "1", "XB": "1", "RYSJ": "2014-05-10"}


@pytest.mark.parametrize(
    ("csrq", "problem", "age", "seen"),
    [
        ("1970-05", None, "43", None),
        (None, "impossible", "43", "no_such_day"),
        ("2014-06", None, "43", "after_admission"),
        ("2014-05", None, "43", "after_admission"),
        ("2014-05", None, "0", None),
        (None, None, "43", None),
    ],
)
@pytest.mark.parametrize("valid", ["true", "false"])
def test_a_birth_date_that_cannot_be_is_left_out_and_told(
    csrq: str | None, problem: str | None, age: str, seen: str | None, valid: str
) -> None:
    """Only without a valid identity number is the page unreadable; with one the gate puts it right."""
    hospital = Hospital()
    page = {**PAGE, "CSRQ": csrq, "CSRQ__problem": problem, "NL": age, "SFZH": "N1", "SFZH__valid": valid}
    hospital.deliver("front_page_2011", [page])
    (row,) = hospital.stage("patients").to_dicts()
    assert (row["birth_problem"], row["birth_month"] is None) == (seen, seen is not None or csrq is None)
    assert row["unparsed"] == ("birth_month" if seen and valid == "false" else None)
    assert row["person_id"] == "R1"


@pytest.mark.parametrize(
    ("form", "kind", "day"),
    [("cell_infusions", "infusions", "输注日期"), ("followup_calls", "followups", "随访日期")],
)
def test_a_number_too_short_stands_beside_the_padded_one(form: str, kind: str, day: str) -> None:
    """The day is held against the birth of the padded number: nobody is treated before being born."""
    hospital = Hospital()
    hospital.deliver("front_page_2011", [{**PAGE, "CSRQ": "1970-05"}])
    row = {"病案号": "S1", "病案号__padded": "R1", "姓名": "M1", day: "2014-05-12"}
    hospital.deliver(form, [row, {**row, "姓名__damaged": "true", day: "1969-05-12"}])
    first, second = hospital.stage(kind).to_dicts()
    assert [first[name] for name in ("patient_id", "padded_patient_id", "name_id")] == ["S1", "R1", "M1"]
    assert (second["name_id"], second["unparsed"]) == (None, "infused_on" if kind == "infusions" else "called_on")


@pytest.mark.parametrize(("cell", "valid"), [("true", True), ("false", False), (None, None)])
def test_a_notice_of_death_says_whether_its_identity_number_is_valid(cell: str | None, valid: bool | None) -> None:
    hospital = Hospital()
    hospital.deliver(
        "death_notices", [{"病案号": "R1", "身份证号": "N1", "身份证号__valid": cell, "死亡日期": "2014-05-12"}]
    )
    (row,) = hospital.stage("deaths").to_dicts()
    assert (row["national_id_valid"], row["died_to"]) == (valid, date(2014, 5, 12))
