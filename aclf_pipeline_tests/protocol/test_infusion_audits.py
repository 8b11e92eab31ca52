"""Audits of infusions, their orders, doses and weights: what is put right, what is asked of a person, what is left."""

from __future__ import annotations

import pytest

from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs

STAYS = """
    line | patient_id | stay_id | admitted_at      | discharged_at
    2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-05-31 10:00
    3    | R2         | R2-1    | 2014-05-01 08:00 | 2014-05-31 10:00
"""


def orders(*executed: str, patient: str = "R1", status: str = "executed") -> str:
    """Orders of cells, one line from 50 on for each day."""
    lines = [f"{50 + n} | {patient} | msc | {status} | {day} 15:00" for n, day in enumerate(executed)]
    return "\n".join(["line | patient_id | drug_class | status | executed_at", *lines])


def ledger(*days: str, patient: str = "R1", **columns: str) -> str:
    """Lines of the ledger, one from line 4 on for each day, with ordinal and cells of their own."""
    more = "".join(f" | {name}" for name in columns)
    lines = [
        f"{4 + n} | {patient} | {day} | UC{n} | {n + 1} | {50 + n}" + "".join(f" | {cell}" for cell in columns.values())
        for n, day in enumerate(days)
    ]
    return "\n".join(["line | patient_id | infused_on | batch_no | infusion_no | cells_infused_1e6" + more, *lines])


def test_an_infusion_entered_again_within_days_gets_the_earlier_day_and_a_mark(audits: AuditWorld) -> None:
    assert audits.mended("infusions_entered_again", infusions="""
        line | patient_id | infused_on | batch_no | infusion_no | cells_infused_1e6 | receipt
        2    | R1         | 2014-05-01 | UC1      | 1           | 52.3              | -
        3    | R1         | 2014-05-03 | UC1      | 1           | 52.3              | fullwidth
        4    | R1         | 2014-05-08 | UC1      | 2           | 52.3              | -
        5    | R2         | 2014-05-01 | UC1      | 1           | 52.3              | -
        6    | R2         | 2014-05-03 | UC1      | 1           | 61.0              | -
        7    | R3         | 2014-05-01 | UC1      | 1           | 52.3              | -
        8    | R3         | 2014-05-05 | UC1      | 1           | 52.3              | -
        9    | R4         | 2014-05-05 | UC1      | 1           | 52.3              | -
        10   | R4         | 2014-05-05 | UC1      | 1           | 52.3              | -
        11   | R5         | 2014-05-05 | -        | 1           | 52.3              | -
        12   | R5         | 2014-05-05 | -        | 1           | 52.3              | -
    """) == [
        (3, "infused_on", "2014-05-03", "2014-05-01"),
        (3, "receipt", "fullwidth", "fullwidth,entered_again"),
        (10, "receipt", None, "entered_again"),
    ]  # fmt: skip


def test_the_later_day_is_the_later_line_wherever_it_stands(audits: AuditWorld) -> None:
    assert audits.mended("infusions_entered_again", infusions="""
        line | patient_id | infused_on | batch_no | infusion_no | cells_infused_1e6
        2    | R1         | 2014-05-03 | UC1      | 1           | 52.3
        3    | R1         | 2014-05-01 | UC1      | 1           | 52.3
    """) == [(2, "infused_on", "2014-05-03", "2014-05-01"), (2, "receipt", None, "entered_again")]  # fmt: skip


@pytest.mark.parametrize(("second", "lines"), [("2014-05-08", [4, 5]), ("2014-05-09", []), ("2014-06-02", [])])
def test_lines_within_three_days_that_differ_are_asked_about(second: str, lines: list[int], audits: AuditWorld) -> None:
    drawn = ledger("2014-05-05", second)
    assert audits.caught("infusions_differing_entries", infusions=drawn, stays=STAYS) == lines


def test_a_line_outside_every_stay_differs_from_nothing(audits: AuditWorld) -> None:
    assert audits.caught("infusions_differing_entries", infusions=ledger("2014-04-30", "2014-05-02"), stays=STAYS) == []


def test_a_line_found_to_be_entered_again_is_no_infusion_of_its_own(audits: AuditWorld) -> None:
    drawn = ledger("2014-05-05", "2014-05-05", receipt="entered_again")
    assert audits.caught("infusions_differing_entries", infusions=drawn, stays=STAYS) == []


def test_a_day_shortly_before_an_admission_or_a_year_before_a_stay_is_pre_index(audits: AuditWorld) -> None:
    days = (
        "2014-04-30",
        "2014-04-21",
        "2014-04-20",
        "2013-05-07",
        "2013-04-07",
        "2014-05-01",
        "2014-05-31",
        "2014-06-01",
    )
    assert audits.caught("infusions_in_hospital", infusions=ledger(*days), stays=STAYS) == [4, 5, 7]


def test_a_day_in_no_stay_and_not_pre_index_is_told_as_such(audits: AuditWorld) -> None:
    days = ("2014-04-30", "2014-04-20", "2013-05-07", "2014-05-01", "2014-06-01", "-")
    assert audits.caught("infusions_given_in_stay", infusions=ledger(*days), stays=STAYS) == [5, 8]


def test_before_a_stay_whose_dates_cannot_be_nothing_is_said(audits: AuditWorld) -> None:
    assert audits.caught("infusions_in_hospital", infusions=ledger("2014-04-30"), stays="""
        line | patient_id | stay_id | admitted_at      | discharged_at
        2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-03-31 10:00
    """) == []  # fmt: skip


@pytest.mark.parametrize(("inside", "asked"), [((), [4]), (("2014-05-08",), [4]), (("2014-05-08", "2014-05-15"), [])])
def test_a_person_decides_about_it_when_the_count_of_two_hangs_on_it(
    inside: tuple[str, ...], asked: list[int], audits: AuditWorld
) -> None:
    drawn = ledger("2014-04-28", *inside)
    assert audits.caught("infusions_in_hospital", infusions=drawn, stays=STAYS) == [4]
    assert audits.caught("infusions_in_hospital_for_two", infusions=drawn, stays=STAYS) == asked


@pytest.mark.parametrize(("day", "missing"), [("2014-05-08", []), ("2014-05-07", []), ("2014-05-06", [5])])
def test_a_line_without_an_executed_order_within_a_day_is_told(
    day: str, missing: list[int], audits: AuditWorld
) -> None:
    drawn = {"infusions": ledger("2014-05-01", "2014-05-08"), "stays": STAYS}
    assert audits.caught("infusions_order_executed", medications=orders("2014-05-01", day), **drawn) == missing


@pytest.mark.parametrize("day", ["2014-04-25", "-"])
def test_a_line_with_a_wrong_day_or_none_lacks_an_order_only_when_none_is_left(day: str, audits: AuditWorld) -> None:
    drawn = {"infusions": ledger("2014-05-01", day), "stays": STAYS}
    assert audits.caught("infusions_order_executed", medications=orders("2014-05-01", "2014-05-08"), **drawn) == []
    assert audits.caught("infusions_order_executed", medications=orders("2014-05-01"), **drawn) == [5]


def test_an_order_that_was_not_carried_out_is_no_order(audits: AuditWorld) -> None:
    drawn = {"infusions": ledger("2014-05-08"), "stays": STAYS}
    cancelled = orders("2014-05-08", status="cancelled")
    assert audits.caught("infusions_order_executed", medications=cancelled, **drawn) == [4]
    assert audits.caught("medications_infusion_in_ledger", medications=cancelled, stays=STAYS) == []


def test_an_executed_order_without_a_line_is_asked_about(audits: AuditWorld) -> None:
    assert audits.caught(
        "medications_infusion_in_ledger",
        medications=orders("2014-05-01", "2014-05-09", "2014-05-15"),
        infusions=ledger("2014-05-01", "2014-05-08"),
        stays=STAYS,
    ) == [52]


@pytest.mark.parametrize("day", ["2014-04-25", "-"])
def test_an_order_whose_line_has_a_wrong_day_or_none_is_not_asked_about(day: str, audits: AuditWorld) -> None:
    drawn = {"infusions": ledger("2014-05-01", day), "stays": STAYS}
    executed = ("2014-05-01", "2014-05-08")
    assert audits.caught("medications_infusion_in_ledger", medications=orders(*executed), **drawn) == []
    assert audits.caught("medications_infusion_in_ledger", medications=orders(*executed, "2014-05-15"), **drawn) == [
        51, 52,
    ]  # fmt: skip


def test_a_line_of_another_patient_explains_nothing(audits: AuditWorld) -> None:
    assert audits.caught(
        "medications_infusion_in_ledger",
        medications=orders("2014-05-08"),
        infusions=ledger("2014-05-08", patient="R2"),
        stays=STAYS,
    ) == [50]


WARD = """
    line | patient_id | stay_id | measured_at      | item   | value
    20   | R1         | R1-1    | 2014-05-01 07:00 | height | 171
    21   | R1         | R1-1    | 2014-05-01 07:00 | weight | 62
    22   | R1         | R1-1    | 2014-05-08 07:00 | weight | {}
"""


def test_a_weight_twice_the_one_on_the_ward_was_in_jin(audits: AuditWorld) -> None:
    drawn = ledger("2014-05-05", weight_kg="123.2")
    assert audits.mended("infusions_weight_in_kilograms", infusions=drawn, vitals=WARD.format("62.4")) == [
        (4, "weight_kg", "123.2", "61.6")
    ]


@pytest.mark.parametrize(
    ("weight", "became"),
    [("124", "62.0"), ("136", "68.0"), ("113", "56.5"), ("138", None), ("112", None), ("70", None)],
)
def test_half_is_half_within_a_tenth(weight: str, became: str | None, audits: AuditWorld) -> None:
    mended = audits.mended("vitals_weight_in_kilograms", vitals=WARD.format(weight))
    assert [(line, became) for line, _, _, became in mended] == ([(22, became)] if became else [])


def test_a_weight_that_as_many_confirm_as_contradict_stays(audits: AuditWorld) -> None:
    drawn = ledger("2014-05-05", weight_kg="124.0")
    assert audits.mended("vitals_weight_in_kilograms", vitals=WARD.format("123"), infusions=drawn) == []


def test_a_weight_of_another_year_is_no_witness(audits: AuditWorld) -> None:
    drawn = ledger("2015-05-05", weight_kg="123.2")
    assert audits.mended("infusions_weight_in_kilograms", infusions=drawn, vitals=WARD.format("62.4")) == []


def test_a_weight_that_the_height_rules_out_is_told_when_nothing_else_speaks(audits: AuditWorld) -> None:
    ward = """
        line | patient_id | stay_id | measured_at      | item   | value
        20   | R1         | R1-1    | 2014-05-01 07:00 | height | 160
        21   | R1         | R1-1    | 2014-05-01 07:00 | weight | 104
        22   | R2         | R2-1    | 2014-05-01 07:00 | height | 160
        23   | R2         | R2-1    | 2014-05-01 07:00 | weight | 102
        24   | R3         | R3-1    | 2014-05-01 07:00 | weight | 140
    """
    assert audits.mended("vitals_weight_in_kilograms", vitals=ward) == []
    assert audits.caught("vitals_weight_fits_height", vitals=ward) == [21]
    drawn = ledger("2016-05-05", weight_kg="110")
    assert audits.caught("infusions_weight_fits_height", vitals=ward, infusions=drawn) == [4]


def test_an_exchanged_height_and_weight_become_each_other(audits: AuditWorld) -> None:
    assert audits.mended("vitals_height_weight_exchanged", vitals="""
        line | patient_id | stay_id | measured_at      | item   | value
        14   | R2         | R2-1    | 2014-05-01 07:00 | height | 62.5
        15   | R2         | R2-1    | 2014-05-01 07:00 | weight | 171
        16   | R3         | R3-1    | 2014-05-01 07:00 | height | 171
        17   | R3         | R3-1    | 2014-05-01 07:00 | weight | 62
        18   | R4         | R4-1    | 2014-05-01 07:00 | height | 61
        19   | R4         | R4-1    | 2014-05-01 07:00 | weight | 88
        20   | R5         | R5-1    | 2014-05-01 07:00 | height | 62
        21   | R5         | R5-1    | 2014-05-02 07:00 | weight | 171
    """) == [(14, "value", "62.5", "171.0"), (15, "value", "171.0", "62.5")]  # fmt: skip


def test_an_exchanged_pair_is_a_witness_only_as_put_right(audits: AuditWorld) -> None:
    """85.5 kg written where the height stands is not half of the 171 cm beside it."""
    assert audits.mended("vitals_weight_in_kilograms", vitals="""
        line | patient_id | stay_id | measured_at      | item   | value
        14   | R2         | R2-1    | 2014-05-01 07:00 | height | 85.5
        15   | R2         | R2-1    | 2014-05-01 07:00 | weight | 171
        16   | R2         | R2-1    | 2014-05-08 07:00 | weight | 86
    """) == []  # fmt: skip


def doses(counted: str, infused: str, weight: str = "62") -> str:
    return f"""
        line | patient_id | infused_on | weight_kg | cells_counted_1e6 | viability_pct | cells_infused_1e6
        4    | R1         | 2014-05-05 | {weight} | {counted} | 90 | {infused}
    """


def test_cells_in_ten_thousands_under_a_header_of_millions_become_millions(audits: AuditWorld) -> None:
    assert audits.mended("infusions_dose_in_millions", infusions=doses("1036", "932.4")) == [
        (4, "cells_counted_1e6", "1036.0", "10.36"),
        (4, "cells_infused_1e6", "932.4", "9.324"),
    ]


@pytest.mark.parametrize(
    ("infused", "mended"),
    [("62", False), ("62.1", False), ("309", False), ("311", True), ("6199", True), ("6201", False)],
)
def test_a_dose_is_mended_only_from_beyond_and_to_what_is_given(infused: str, mended: bool, audits: AuditWorld) -> None:
    """At 62 kg, 0.5 to 10 times 10^5 cells per kg are 3.1 to 62 million cells."""
    assert bool(audits.mended("infusions_dose_in_millions", infusions=doses("-", infused))) is mended


def test_counted_cells_already_in_millions_stay(audits: AuditWorld) -> None:
    mended = audits.mended("infusions_dose_in_millions", infusions=doses("10.36", "932.4"))
    assert [column for _, column, _, _ in mended] == ["cells_infused_1e6"]


def test_the_dose_per_kilogram_goes_by_kilograms_not_by_jin(audits: AuditWorld) -> None:
    """400 / 124 'kg' would be 3.2 and a hundredth of it 0.03, below every dose; the patient weighs 62 kg."""
    drawn = doses("444", "400", weight="124")
    assert audits.mended("infusions_dose_in_millions", infusions=drawn) == []
    mended = audits.mended("infusions_dose_in_millions", infusions=drawn, vitals=WARD.format("62.4"))
    assert [became for _, column, _, became in mended if column == "cells_infused_1e6"] == ["4.0"]


def test_without_a_weight_in_the_ledger_the_patients_others_serve(audits: AuditWorld) -> None:
    drawn = doses("444", "400", weight="-")
    assert audits.mended("infusions_dose_in_millions", infusions=drawn) == []
    assert len(audits.mended("infusions_dose_in_millions", infusions=drawn, vitals=WARD.format("62.4"))) == 2


FALL = """
    line | tube | item | value | collected_at
    2    | T1   | TBIL | 400   | 2014-05-20 07:00
    3    | T2   | TBIL | {}    | {}
"""


@pytest.mark.parametrize(
    ("value", "at", "told"),
    [
        ("199", "2014-05-21 06:59", [3]),
        ("199", "2014-05-21 07:00", []),
        ("200", "2014-05-20 18:00", []),
        ("81", "2014-05-20 18:00", [3]),
        ("79", "2014-05-20 18:00", []),
    ],
)
def test_a_bilirubin_that_halves_within_a_day_without_a_session_is_told(
    value: str, at: str, told: list[int], audits: AuditWorld
) -> None:
    assert audits.caught("labs_post_product_explained", labs=labs(FALL.format(value, at))) == told


@pytest.mark.parametrize(
    ("category", "patient", "told"),
    [("artificial_liver", "R1", []), ("renal_replacement", "R1", [3]), ("artificial_liver", "R2", [3])],
)
def test_a_session_in_between_explains_the_fall(
    category: str, patient: str, told: list[int], audits: AuditWorld
) -> None:
    sessions = f"line | patient_id | category | started_at\n9 | {patient} | {category} | 2014-05-20 10:00"
    drawn = labs(FALL.format("150", "2014-05-20 18:00"))
    assert audits.caught("labs_post_product_explained", labs=drawn, procedures=sessions) == told
