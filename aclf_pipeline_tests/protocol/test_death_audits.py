"""Audits of deaths: one account of who died when, and what is said or done afterwards."""

from __future__ import annotations

from datetime import date

import pytest

from aclf_pipeline.protocol.models import Adjudication
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.warehouse.row_id import unpack
from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs
from aclf_pipeline_tests.quality.world import stage, stage_nothing

PERSON = "line | patient_id | person_id\n2 | R1 | R1"
STAY = """
    line | patient_id | stay_id | admitted_at      | discharged_at    | disposition | outcome_stated
    2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-05-20 10:00 | {}          | {}
"""
DIED = "line | patient_id | died_to | information_source\n2 | R1 | 2014-05-20 | hospital_record"
LAB_DAYS = """
    line | tube | item | value | collected_at     | reported_at
    2    | T1   | TBIL | 380   | 2014-05-20 06:00 | 2014-05-20 12:00
    3    | T2   | TBIL | 380   | 2014-05-20 23:59 | 2014-05-24 12:00
    4    | T3   | TBIL | 380   | 2014-05-21 00:30 | 2014-05-21 12:00
    5    | T4   | TBIL | 380   | 2014-05-23 07:00 | 2014-05-23 12:00
"""


def tubes_after_death(audits: AuditWorld, patients: str = PERSON, **drawn: str) -> list[int]:
    """Lines of LAB_DAYS that lie after the death that is drawn."""
    return audits.caught("labs_not_after_death", labs=labs(LAB_DAYS), patients=patients, **drawn)


def test_a_specimen_the_day_after_a_death_is_caught(audits: AuditWorld) -> None:
    assert tubes_after_death(audits, deaths=DIED) == [4, 5]
    assert tubes_after_death(audits, stays=STAY.format("died", "-")) == [4, 5]
    assert tubes_after_death(audits, stays=STAY.format("other", "died")) == [4, 5]
    assert tubes_after_death(audits, stays=STAY.format("against_advice", "-")) == []


def test_the_assessment_of_a_death_is_a_death_and_other_assessments_are_not(audits: AuditWorld) -> None:
    assessed = "line | patient_id | item | assessed_at | assessment_type\n2 | R1 | note | 2014-05-20 03:00 | {}"
    assert tubes_after_death(audits, assessments=assessed.format("death")) == [4, 5]
    assert tubes_after_death(audits, assessments=assessed.format("daily")) == []


def test_a_death_is_found_by_the_identity_number(audits: AuditWorld) -> None:
    notice = "line | patient_id | national_id | died_to | information_source\n2 | - | N1 | 2014-05-20 | disease_control"
    front_page = "line | patient_id | person_id | national_id | national_id_valid\n2 | R1 | R1 | N1 | {}"
    assert tubes_after_death(audits, front_page.format("true"), deaths=notice) == [4, 5]
    assert tubes_after_death(audits, front_page.format("false"), deaths=notice) == []


def test_a_death_belongs_to_every_record_number_of_a_person_and_to_none_that_two_persons_share(
    audits: AuditWorld,
) -> None:
    notice = DIED.replace("R1", "R2")
    linked = """
        line | patient_id | person_id | national_id | national_id_valid
        2    | R1         | R1        | -           | -
        3    | R2         | R1        | -           | -
    """
    shared = """
        line | patient_id | person_id | national_id | national_id_valid
        2    | R1         | R1        | N1          | true
        3    | R1         | R1        | N2          | true
    """
    assert tubes_after_death(audits, linked, deaths=notice) == [4, 5]
    assert tubes_after_death(audits, shared, deaths=DIED) == []


def test_the_higher_source_holds_and_of_dates_that_agree_the_later(audits: AuditWorld) -> None:
    deaths = """
        line | patient_id | died_to    | information_source
        2    | R1         | 2014-05-20 | hospital_record
        3    | R1         | {}         | disease_control
    """
    assert tubes_after_death(audits, deaths=deaths.format("2014-05-22")) == [5]
    assert tubes_after_death(audits, deaths=deaths.format("2014-06-20")) == [4, 5]
    assert tubes_after_death(audits, deaths=deaths.format("2013-05-20")) == [4, 5]


@pytest.mark.parametrize(
    ("told", "called", "infused", "lines"),
    [
        ("2014-05-20", "2014-06-01", "2014-05-05", [4, 5]),
        ("2013-05-20", "2014-06-01", "2013-01-05", []),
        ("2014-05-20", "2014-05-19", "2014-05-05", []),
        ("2014-05-20", "2014-06-01", "2014-05-21", []),
    ],
    ids=["possible", "before an admission", "after the call", "before the first infusion"],
)
def test_a_day_that_cannot_be_the_day_of_death_sets_nothing_aside(
    told: str, called: str, infused: str, lines: list[int], audits: AuditWorld
) -> None:
    drawn = {
        "stays": STAY.format("home", "-"),
        "infusions": f"line | patient_id | infused_on\n2 | R1 | {infused}",
        "followups": f"""
            line | patient_id | vital_status | called_on | died_from | died_to
            2    | R1         | dead         | {called}  | {told}    | {told}
        """,
    }
    assert tubes_after_death(audits, **drawn) == lines


def test_a_late_household_register_sets_nothing_of_the_living_aside(audits: AuditWorld) -> None:
    deaths = "line | patient_id | died_to | information_source\n2 | R1 | 2014-07-01 | household_register"
    assert tubes_after_death(audits, deaths=deaths) == []


def test_signs_and_infusions_after_a_death_are_caught(audits: AuditWorld) -> None:
    vitals = """
        line | patient_id | measured_at      | item | value
        2    | R1         | 2014-05-20 23:00 | sbp  | 60
        3    | R1         | 2014-05-21 07:00 | sbp  | 110
    """
    infusions = "line | patient_id | infused_on\n2 | R1 | 2014-05-20\n3 | R1 | 2014-05-21"
    known = {"patients": PERSON, "deaths": DIED}
    assert audits.caught("vitals_not_after_death", vitals=vitals, **known) == [3]
    assert audits.caught("infusions_not_after_death", infusions=infusions, **known) == [3]


def test_somebody_alive_after_the_recorded_death_is_caught(audits: AuditWorld) -> None:
    assert audits.caught(
        "followups_alive_after_death",
        patients=PERSON,
        deaths=DIED,
        followups="""
            line | patient_id | called_on  | informed_on | reached | informant | vital_status
            2    | R1         | 2014-08-01 | 2014-07-30  | yes     | spouse    | alive
            3    | R1         | 2014-08-01 | 2014-05-01  | yes     | spouse    | alive
            4    | R1         | 2014-08-01 | -           | no      | nobody    | alive
            5    | R1         | 2014-08-01 | 2014-05-20  | yes     | spouse    | dead
            6    | R2         | 2014-08-01 | -           | yes     | patient   | alive
            7    | R1         | 2014-08-01 | -           | yes     | patient   | alive
            8    | R1         | 2014-08-01 | 2014-07-28  | yes     | nobody    | alive
            9    | R1         | 2014-08-01 | -           | yes     | nobody    | alive
        """,
    ) == [2, 7, 8]


def dead_call(*rows: str) -> str:
    """Calls that tell of a death: line, patient, called_on, first and last day of the death, precision."""
    head = "line | patient_id | called_on | died_from | died_to | died_precision | vital_status"
    return "\n".join([head, *(f"{row} | dead" for row in rows)])


def test_a_death_told_on_a_day_that_cannot_be_is_caught(audits: AuditWorld) -> None:
    assert audits.caught(
        "followups_death_date_possible",
        patients=PERSON,
        stays=STAY.format("home", "-"),
        infusions="line | patient_id | infused_on\n2 | R1 | 2014-05-10",
        followups=dead_call(
            "2 | R1 | 2014-09-01 | 2014-08-01 | 2014-08-01 | day",
            "3 | R1 | 2014-09-01 | 2015-08-01 | 2015-08-01 | day",
            "4 | R1 | 2014-09-01 | 2014-05-09 | 2014-05-09 | day",
            "5 | R1 | 2014-09-01 | 2013-08-01 | 2013-08-01 | day",
            "6 | R1 | 2014-09-01 | 2014-09-01 | 2014-09-30 | month",
            "7 | R2 | 2014-09-01 | 2015-08-01 | 2015-08-01 | day",
        ),
    ) == [3, 4, 5]


def test_a_notice_before_a_later_admission_is_caught(audits: AuditWorld) -> None:
    assert audits.caught(
        "deaths_date_possible",
        patients=PERSON,
        stays=STAY.format("home", "-"),
        deaths="""
            line | patient_id | died_to    | information_source
            2    | R1         | 2014-04-30 | disease_control
            3    | R1         | 2014-05-01 | disease_control
            4    | R1         | 2014-08-01 | disease_control
        """,
    ) == [2]


CALLS = dead_call(
    "2 | R1 | 2014-09-01 | 2014-05-20 | 2014-05-20 | day",
    "3 | R1 | 2014-09-01 | 2014-05-23 | 2014-05-23 | day",
    "4 | R1 | 2014-09-01 | 2014-05-24 | 2014-05-24 | day",
    "5 | R1 | 2014-09-01 | 2014-05-17 | 2014-05-17 | day",
    "6 | R1 | 2014-09-01 | 2014-05-16 | 2014-05-16 | day",
    "7 | R1 | 2014-09-01 | 2014-05-01 | 2014-05-31 | month",
    "8 | R1 | 2014-09-01 | 2014-04-01 | 2014-04-30 | month",
    "9 | R1 | 2014-09-01 | 2015-05-20 | 2015-05-20 | day",
)


def test_a_death_told_days_beside_the_notice_is_repaired_and_further_away_is_asked(audits: AuditWorld) -> None:
    known = {"patients": PERSON, "deaths": DIED}
    assert audits.mended("followups_death_date_by_hierarchy", followups=CALLS, **known) == [
        (3, "died_from", "2014-05-23", "2014-05-20"),
        (3, "died_to", "2014-05-23", "2014-05-20"),
        (5, "died_from", "2014-05-17", "2014-05-20"),
        (5, "died_to", "2014-05-17", "2014-05-20"),
    ]
    assert audits.caught("followups_death_date_agrees", followups=CALLS, **known) == [4, 6, 8]


def test_a_household_register_contradicts_nobody(audits: AuditWorld) -> None:
    known = {"patients": PERSON, "deaths": DIED.replace("hospital_record", "household_register")}
    call = dead_call("2 | R1 | 2014-09-01 | 2014-04-20 | 2014-04-20 | day")
    assert audits.caught("followups_death_date_agrees", followups=call, **known) == []
    assert audits.caught("deaths_date_agrees", followups=call, **known) == []


def test_a_month_beside_the_notice_becomes_its_day(audits: AuditWorld) -> None:
    call = dead_call("2 | R1 | 2014-09-01 | 2014-04-18 | 2014-05-17 | month")
    assert audits.mended("followups_death_date_by_hierarchy", followups=call, patients=PERSON, deaths=DIED) == [
        (2, "died_from", "2014-04-18", "2014-05-20"),
        (2, "died_precision", "month", "day"),
        (2, "died_to", "2014-05-17", "2014-05-20"),
    ]


def test_notices_and_front_pages_are_held_against_the_source_above_them(audits: AuditWorld) -> None:
    notices = """
        line | patient_id | died_from  | died_to    | information_source
        2    | R1         | 2014-05-22 | 2014-05-22 | disease_control
        3    | R1         | 2014-05-29 | 2014-05-29 | disease_control
    """
    drawn = {"patients": PERSON, "stays": STAY.format("died", "-"), "deaths": notices}
    assert audits.mended("deaths_date_by_hierarchy", **drawn)[0] == (2, "died_from", "2014-05-22", "2014-05-20")
    assert audits.caught("deaths_date_agrees", **drawn) == [3]
    record = "line | patient_id | died_from | died_to | information_source\n2 | R1 | {0} | {0} | hospital_record"
    assert audits.caught("stays_death_date_agrees", **(drawn | {"deaths": record.format("2014-05-26")})) == [2]
    assert audits.caught("stays_death_date_agrees", **(drawn | {"deaths": record.format("2014-05-22")})) == []


def test_orders_procedures_and_examinations_after_a_death_are_caught(audits: AuditWorld) -> None:
    known = {"patients": PERSON, "deaths": DIED}
    orders = """
        line | patient_id | status    | started_at       | executed_at
        2    | R1         | executed  | -                | 2014-05-23 09:00
        3    | R1         | executed  | -                | 2014-05-24 09:00
        4    | R1         | stopped   | 2014-05-24 09:00 | -
        5    | R1         | cancelled | 2014-05-24 09:00 | -
    """
    assert audits.caught("medications_not_after_death", medications=orders, **known) == [3, 4]
    begun = "line | patient_id | started_at\n2 | R1 | 2014-05-20 23:00\n3 | R1 | 2014-05-21 09:00"
    assert audits.caught("procedures_not_after_death", procedures=begun, **known) == [3]
    seen = "line | patient_id | examined_at\n2 | R1 | 2014-05-20 23:00\n3 | R1 | 2014-05-21 09:00"
    assert audits.caught("imaging_not_after_death", imaging=seen, **known) == [3]


def kept_after(audits: AuditWorld, *decisions: Adjudication) -> tuple[list[int], list[tuple[str, str, str, str]]]:
    """Lines of LAB_DAYS that become core when the whole gate has judged them, and the cases."""
    drawn = {"patients": PERSON, "stays": STAY.format("died", "-"), "labs": labs(LAB_DAYS)}
    stage_nothing(audits.wh, *drawn)
    for kind, text in drawn.items():
        stage(audits.wh, kind, text)
    protocol = audits.protocol.model_copy(update={"adjudications": decisions})
    report = run_gate(audits.wh, protocol, audits.audits, "refresh", source="his")
    assert [check for check in report.checks if check.blocking and not check.passed] == []
    cases = audits.wh.rows("select question, evidence_digest, in_force, state from quality.cases")
    return sorted(unpack(row_id).line for (row_id,) in audits.wh.rows("select _row_id from core.labs")), cases


def test_rows_after_a_death_are_set_aside_until_it_is_decided_that_they_are_the_patients(audits: AuditWorld) -> None:
    kept, [(question, evidence, choice, state)] = kept_after(audits)
    assert (kept, question, choice, state) == ([2, 3], "event_after_death", "death_stands", "open")
    decided = Adjudication(
        question=question, patient="R1", evidence=evidence, decision="rows_stand", reason="the death is another's",
        by="hepatologist", on=date(2019, 12, 1),
    )  # fmt: skip
    kept, [(_, _, choice, state)] = kept_after(audits, decided)
    assert (kept, choice, state) == ([2, 3, 4, 5], "rows_stand", "decided")
