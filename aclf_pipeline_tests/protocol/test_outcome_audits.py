"""Audits of what became of patients: calls, transplants, tumours on images, and who left against advice."""

from __future__ import annotations

import pytest

from aclf_pipeline_tests.protocol.audit_world import AuditWorld

PERSON = "line | patient_id | person_id\n2 | R1 | R1"
STAY = """
    line | patient_id | stay_id | admitted_at      | discharged_at    | disposition
    2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-05-20 10:00 | {}
"""


def test_alive_without_anybody_reached_is_repaired_to_lost(audits: AuditWorld) -> None:
    mended = audits.mended(
        "followups_lost_not_alive",
        followups="""
            line | patient_id | vital_status           | reached        | informant
            2    | R1         | alive                  | no             | nobody
            3    | R1         | alive                  | empty_number   | nobody
            4    | R1         | alive_after_transplant | out_of_service | -
            5    | R1         | alive                  | yes            | nobody
            6    | R1         | alive                  | refused        | nobody
            7    | R1         | alive                  | no             | spouse
            8    | R1         | unknown                | no             | nobody
            9    | R1         | alive                  | -              | nobody
        """,
    )
    assert [(line, column, became) for line, column, _, became in mended] == [
        (2, "vital_status", "lost"),
        (3, "vital_status", "lost"),
        (4, "vital_status", "lost"),
    ]


def test_a_death_in_a_remark_alone_is_caught(audits: AuditWorld) -> None:
    assert audits.caught(
        "followups_death_not_in_note",
        followups="""
            line | patient_id | called_on  | vital_status | died_to    | died_in_note
            2    | R1         | 2014-09-01 | unknown      | -          | true
            3    | R1         | 2014-09-01 | lost         | -          | true
            4    | R1         | 2014-09-01 | dead         | -          | true
            5    | R1         | 2014-09-01 | unknown      | 2014-06-01 | true
            6    | R1         | 2014-09-01 | unknown      | -          | false
            7    | R1         | 2014-09-01 | unknown      | -          | -
        """,
    ) == [2, 3]


@pytest.mark.parametrize(("calls", "caught"), [(29, 0), (30, 30)])
def test_thirty_calls_of_one_day_are_a_heap(calls: int, caught: int, audits: AuditWorld) -> None:
    rows = [f"{line} | R{line} | 2018-09-17" for line in range(2, 2 + calls)]
    drawn = "\n".join(["line | patient_id | called_on", *rows, "90 | R1 | 2018-09-18", "91 | R1 | -"])
    assert len(audits.caught("followups_calls_spread", followups=drawn)) == caught


TACROLIMUS = """
    line | patient_id | drug_class | status   | started_at       | stopped_at
    2    | R1         | tacrolimus | stopped  | 2014-05-01 08:00 | 2014-05-04 08:00
    3    | R1         | tacrolimus | stopped  | 2014-05-04 08:00 | {}
"""
GRAFT_CODE = """
    line | patient_id | stay_id | code    | code_system
    2    | R1         | R1-2    | Z94.400 | ICD-10-GB2016
    3    | R1         | R1-2    | B18.100 | ICD-10-GB2016
"""


def test_a_week_of_tacrolimus_without_a_transplant_is_caught(audits: AuditWorld) -> None:
    def caught(until: str, **drawn: str) -> list[int]:
        return audits.caught(
            "medications_transplant_recorded", patients=PERSON, medications=TACROLIMUS.format(until), **drawn
        )

    assert caught("2014-05-08 07:00") == [2, 3]
    assert caught("2014-05-07 23:00") == []
    operated = "line | patient_id | category         | started_at\n2 | R1 | liver_transplant | 2014-05-01 02:00"
    assert caught("2014-05-20 07:00", procedures=operated) == []


@pytest.mark.parametrize(
    ("kind", "drawn", "caught"),
    [
        ("procedures", "line | patient_id | category\n2 | R1 | liver_transplant", []),
        ("procedures", "line | patient_id | category\n2 | R2 | liver_transplant", []),
        ("procedures", "line | patient_id | category\n2 | R3 | liver_transplant", [2]),
        ("procedures", "line | patient_id | category\n2 | R1 | paracentesis", [2]),
        ("medications", "line | patient_id | drug_class | status\n2 | R1 | liver_transplant | executed", []),
        ("medications", "line | patient_id | drug_class | status\n2 | R1 | liver_transplant | cancelled", [2]),
        ("followups", "line | patient_id | transplanted_to\n2 | R1 | 2014-06-30", []),
        ("followups", "line | patient_id | transplant\n2 | R1 | unknown", [2]),
    ],
)
def test_the_code_of_a_transplanted_liver_asks_for_a_record_of_the_transplant_of_that_person(
    kind: str, drawn: str, caught: list[int], audits: AuditWorld
) -> None:
    persons = "line | patient_id | person_id\n2 | R1 | R1\n3 | R2 | R1\n4 | R3 | R3"
    tables = {"patients": persons, "diagnoses": GRAFT_CODE, kind: drawn}
    assert audits.caught("diagnoses_transplant_recorded", **tables) == caught


@pytest.mark.parametrize(
    ("name", "sex", "birth", "caught"),
    [
        ("M1", "male", "1971-05-01", []),
        ("M2", "male", "1971-05-01", [2]),
        ("M1", "female", "1971-05-01", [2]),
        ("M1", "male", "1971-06-01", [2]),
        ("-", "male", "1971-05-01", [2]),
    ],
)
def test_a_transplant_of_a_namesake_of_one_birth_month_is_a_record(
    name: str, sex: str, birth: str, caught: list[int], audits: AuditWorld
) -> None:
    persons = f"""
        line | patient_id | person_id | name_id | sex   | birth_month
        2    | R1         | R1        | M1      | male  | 1971-05-01
        3    | R2         | R2        | {name}  | {sex} | {birth}
    """
    operated = "line | patient_id | category\n2 | R2 | liver_transplant"
    tables = {"patients": persons, "diagnoses": GRAFT_CODE, "procedures": operated}
    assert audits.caught("diagnoses_transplant_recorded", **tables) == caught


IMAGES = """
    line | patient_id | examined_at      | liver_cancer
    2    | R1         | 2014-05-02 09:00 | yes
    3    | R1         | 2014-05-02 09:00 | doubtful
    4    | R1         | 2014-05-06 09:00 | yes
    5    | R2         | 2014-05-02 09:00 | yes
"""
CODED = "line | patient_id | stay_id | code | code_system\n2 | R1 | {} | {} | ICD-10-GB2016"
LISTED = """
    line | patient_id | stay_id | item        | value_code | assessed_at
    2    | R1         | R1-1    | comorbidity | {}         | 2014-05-01 11:00
"""


def tumours(audits: AuditWorld, **drawn: str) -> list[int]:
    infused = "line | patient_id | infused_on\n2 | R1 | 2014-05-06"
    tables = {"stays": STAY.format("home"), "imaging": IMAGES, "infusions": infused}
    return audits.caught("imaging_cancer_coded", **(tables | drawn))


def test_a_tumour_on_an_image_before_the_first_infusion_that_nobody_named_is_caught(audits: AuditWorld) -> None:
    assert tumours(audits) == [2]
    assert tumours(audits, diagnoses=CODED.format("R1-1", "C22.000")) == []
    assert tumours(audits, diagnoses=CODED.format("R1-1", "K72.000")) == [2]
    assert tumours(audits, diagnoses=CODED.format("R1-2", "C22.000")) == [2]
    assert tumours(audits, assessments=LISTED.format("liver_cancer")) == []
    assert tumours(audits, assessments=LISTED.format("diabetes")) == [2]


def test_the_first_infusion_may_be_an_order_and_is_not_a_line_outside_a_stay(audits: AuditWorld) -> None:
    ordered = "line | patient_id | drug_class | status | executed_at\n2 | R1 | msc | executed | {} 10:00"
    assert tumours(audits, infusions="line | patient_id", medications=ordered.format("2014-05-06")) == [2]
    early = "line | patient_id | infused_on\n2 | R1 | 2014-04-25\n3 | R1 | 2014-05-06"
    assert tumours(audits, infusions=early) == [2]


@pytest.mark.parametrize(
    ("disposition", "drawn", "caught"),
    [
        ("against_advice", {}, [2]),
        ("home", {}, []),
        ("against_advice", {"followups": "line | patient_id | called_on | reached\n2 | R1 | 2014-09-01 | no"}, [2]),
        ("against_advice", {"followups": "line | patient_id | called_on | reached\n2 | R1 | 2014-09-01 | yes"}, []),
        ("against_advice", {"deaths": "line | patient_id | died_to\n2 | R1 | 2014-06-01"}, []),
        ("against_advice", {"vitals": "line | patient_id | measured_at\n2 | R1 | 2014-06-01 07:00"}, []),
        ("against_advice", {"vitals": "line | patient_id | measured_at\n2 | R1 | 2014-05-20 07:00"}, [2]),
    ],
)
def test_who_left_against_advice_and_was_never_heard_of_is_caught(
    disposition: str, drawn: dict[str, str], caught: list[int], audits: AuditWorld
) -> None:
    found = audits.caught("stays_left_and_seen_again", patients=PERSON, stays=STAY.format(disposition), **drawn)
    assert found == caught
