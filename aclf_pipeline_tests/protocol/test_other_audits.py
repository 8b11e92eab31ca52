"""Audits of all other tables: persons, stays, signs, infusions, calls. What is about deaths: test_death_audits."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot

from aclf_pipeline.warehouse.graph import audit_parents, load_audits
from aclf_pipeline_tests.protocol.audit_world import AUDITS, SQL, AuditWorld

PATIENT = "line | patient_id | stay_id\n2 | R1 | R1-1"
STAY = """
    line | patient_id | stay_id | admitted_at      | discharged_at    | disposition
    2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-05-20 10:00 | {}
"""


def test_every_rule_without_a_condition_has_its_audit_and_no_audit_is_alone(protocol) -> None:
    assert {path.stem for path in AUDITS.glob("[!_]*.sql")} == {
        rule.id for rule in protocol.rules.values() if rule.holds is None
    }


@pytest.mark.parametrize("path", sorted(AUDITS.glob("*.sql")), ids=lambda path: path.stem)
def test_an_audit_parses_reads_its_own_table_and_figures_that_stand_on_a_page(path: Path, protocol) -> None:
    query = sqlglot.parse_one(path.read_text("utf-8"), dialect="duckdb")
    tables = audit_parents(load_audits(SQL), path.stem)
    if not path.stem.startswith("_"):
        assert f"staging.{protocol.rules[path.stem].table}" in tables
    beside = {"quality.receipts", "quality.superseded"}  # what ingest and versions leave, before anything is judged
    assert {table.split(".")[0] for table in set(tables) - beside} <= {"staging", "rules"}
    asked = {
        literal.this
        for equal in query.find_all(sqlglot.exp.EQ, sqlglot.exp.In)
        if isinstance(equal.this, sqlglot.exp.Column) and equal.this.name == "definition"
        for literal in equal.find_all(sqlglot.exp.Literal)
    }
    assert asked <= set(protocol.definitions)


def test_every_figure_an_audit_asks_for_stands_on_the_page(protocol) -> None:
    """A figure nobody wrote down makes a comparison with nothing: the audit would find nothing, for ever."""
    known = {item for definition in protocol.definitions.values() for item in definition.cutoffs}
    wanted = set()
    for path in AUDITS.glob("*.sql"):
        for cte in sqlglot.parse_one(path.read_text("utf-8"), dialect="duckdb").find_all(sqlglot.exp.CTE):
            if "rules.definitions" in cte.sql(dialect="duckdb"):
                wanted |= {
                    equal.expression.this
                    for equal in cte.find_all(sqlglot.exp.EQ)
                    if isinstance(equal.this, sqlglot.exp.Column)
                    and equal.this.name == "item"
                    and equal.expression.is_string
                }
    assert len(wanted) > 25
    assert wanted <= known


def test_a_record_number_with_two_valid_identities_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("patients_one_person_per_record", patients="""
        line | patient_id | stay_id | national_id | national_id_valid
        2    | R1         | R1-1    | N1          | true
        3    | R1         | R1-2    | N2          | true
        4    | R2         | R2-1    | N3          | true
        5    | R2         | R2-2    | N3          | true
        6    | R2         | R2-3    | -           | -
        7    | R3         | R3-1    | N4          | true
        8    | R3         | R3-2    | N5          | false
    """) == [2, 3]  # fmt: skip


def test_stays_too_long_or_stated_twice_are_caught(audits: AuditWorld) -> None:
    stays = """
        line | patient_id | stay_id | admitted_at      | discharged_at
        2    | R1         | R1-1    | 2014-05-01 08:00 | 2015-05-01 08:00
        3    | R2         | R2-1    | 2014-05-01 08:00 | 2015-05-03 08:00
        4    | R3         | R3-1    | 2014-05-01 08:00 | -
        5    | R4         | R4-1    | 2014-05-01 08:00 | 2014-05-05 08:00
        6    | R4         | R4-1    | 2014-05-01 09:00 | 2014-05-05 08:00
    """
    assert audits.caught("stays_not_too_long", stays=stays) == [3]
    assert audits.caught("stays_key_unique", stays=stays) == [5, 6]


def test_a_superseded_row_is_not_judged(audits: AuditWorld) -> None:
    stays = """
        line | patient_id | stay_id | admitted_at      | discharged_at
        5    | R4         | R4-1    | 2014-05-01 08:00 | 2014-05-05 08:00
        6    | R4         | R4-1    | 2014-05-01 09:00 | 2014-05-05 08:00
    """
    audits.caught("stays_key_unique", stays=stays)
    audits.wh.execute(
        "insert into quality.superseded select 'stays', min(_row_id), null, 'corrected' from staging.stays"
    )
    try:
        assert audits.caught("stays_key_unique", stays=stays) == []
    finally:
        audits.wh.execute("delete from quality.superseded")


def test_an_age_years_off_is_caught_and_the_month_of_birth_is_not(audits: AuditWorld) -> None:
    assert audits.caught(
        "stays_age_matches_birth",
        patients="""
            line | patient_id | stay_id | birth_month | national_id_valid | national_id_birth_month
            2    | R1         | R1-1    | 1971-05-01  | -                 | -
            3    | R2         | R2-1    | 1971-05-01  | -                 | -
            4    | R3         | R3-1    | 1981-05-01  | true              | 1971-05-01
            5    | R4         | R4-1    | -           | -                 | -
        """,
        stays="""
            line | patient_id | stay_id | admitted_at      | age_years_stated
            2    | R1         | R1-1    | 2014-05-02 08:00 | 42
            3    | R2         | R2-1    | 2014-05-02 08:00 | 45
            4    | R3         | R3-1    | 2014-05-02 08:00 | 43
            5    | R4         | R4-1    | 2014-05-02 08:00 | 43
        """,
    ) == [3]


@pytest.mark.parametrize("kind", ["stays", "infusions", "followups"])
def test_a_row_of_a_patient_nobody_knows_is_caught(kind: str, audits: AuditWorld) -> None:
    column = {"stays": "stay_id", "infusions": "batch_no", "followups": "cause"}[kind]
    drawn = f"line | patient_id | {column}\n2 | R1 | x\n3 | R9 | x"
    assert audits.caught(f"{kind}_patient_known", patients=PATIENT, **{kind: drawn}) == [3]


def test_a_notice_of_death_is_known_by_record_or_identity_number(audits: AuditWorld) -> None:
    assert audits.caught(
        "deaths_patient_known",
        patients="line | patient_id | national_id\n2 | R1 | N1",
        deaths="""
            line | patient_id | national_id
            2    | R1         | -
            3    | -          | N1
            4    | R9         | N1
            5    | R9         | -
            6    | -          | -
            7    | -          | N9
        """,
    ) == [5, 6, 7]


def test_a_sign_no_living_adult_has_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("vitals_within_limits", vitals="""
        line | patient_id | measured_at      | item             | value
        2    | R1         | 2014-05-01 07:00 | map              | -27
        3    | R1         | 2014-05-01 08:00 | map              | 801
        4    | R1         | 2014-05-01 07:00 | temperature      | 99
        5    | R1         | 2014-05-01 08:00 | temperature      | 31.1
        6    | R1         | 2014-05-01 07:00 | weight           | 0
        7    | R1         | 2014-05-01 07:00 | heart_rate       | 0
        8    | R1         | 2014-05-01 08:00 | heart_rate       | 999
        9    | R1         | 2014-05-01 09:00 | heart_rate       | -1
        10   | R1         | 2014-05-01 07:00 | height           | 61
        11   | R1         | 2014-05-01 07:00 | urine_output_24h | 0
        12   | R1         | 2014-05-01 07:00 | spo2             | 50
        13   | R1         | 2014-05-01 07:00 | consciousness    | -
        16   | R3         | 2014-05-01 07:00 | weight           | 130
        17   | R3         | 2014-05-01 07:00 | height           | 172
        18   | R1         | 2014-05-01 07:00 | fio2             | 21
        19   | R1         | 2014-05-01 08:00 | fio2             | 0.21
    """) == [2, 3, 4, 6, 7, 8, 9, 10]  # fmt: skip


def test_two_values_of_a_sign_at_one_time_are_caught(audits: AuditWorld) -> None:
    vitals = """
        line | patient_id | stay_id | measured_at      | item | value | value_text
        2    | R1         | R1-1    | 2014-05-01 07:00 | sbp  | 110   | 110
        3    | R1         | R1-1    | 2014-05-01 07:00 | sbp  | 112   | 112
        4    | R1         | R1-1    | 2014-05-01 07:00 | dbp  | 70    | 70
        5    | R1         | R1-1    | 2014-05-01 07:00 | dbp  | 70    | 70
        6    | R1         | R1-1    | 2014-05-01 08:00 | sbp  | 118   | 118
    """
    assert audits.caught("vitals_key_unique", vitals=vitals) == [2, 3]
    assert audits.caught("vitals_one_value_per_time", vitals=vitals) == [2, 3]


def test_a_sign_hours_outside_its_stay_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("vitals_measured_in_stay", stays=STAY.format("home"), vitals="""
        line | patient_id | stay_id | measured_at      | item | value
        2    | R1         | R1-1    | 2014-05-01 01:59 | sbp  | 110
        3    | R1         | R1-1    | 2014-05-01 02:00 | sbp  | 110
        4    | R1         | R1-1    | 2014-05-20 11:00 | sbp  | 110
        5    | R1         | R1-1    | 2014-05-20 11:01 | sbp  | 110
    """) == [2, 5]  # fmt: skip


def test_a_file_with_exchanged_pressures_is_caught_and_single_rows_are_not(audits: AuditWorld) -> None:
    def rows(file: int, reversed_rows: int) -> list[str]:
        return [
            f"{file} | {line} | {item} | R1 | 2014-05-01 {line:02}:00 | {sign} | {value}"
            for line in range(1, 11)
            for item, sign, value in (
                (4, "sbp", 70 if line <= reversed_rows else 110),
                (5, "dbp", 110 if line <= reversed_rows else 70),
            )
        ]

    drawn = ["file | line | _item | patient_id | measured_at | item | value", *rows(1, 2), *rows(2, 7)]
    assert audits.caught("vitals_file_pressures_in_order", vitals="\n".join(drawn)) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("kind", "column"), [("assessments", "assessed_at"), ("procedures", "started_at")])
def test_an_event_far_outside_its_stay_is_caught(kind: str, column: str, audits: AuditWorld) -> None:
    drawn = f"""
        line | patient_id | stay_id | {column}
        2    | R1         | R1-1    | 2014-04-24 09:00
        3    | R1         | R1-1    | 2014-04-24 07:00
        4    | R1         | R1-1    | 2014-05-27 23:00
        5    | R1         | R1-1    | 2014-05-28 01:00
        6    | R1         | -       | 2013-05-28 01:00
    """
    assert audits.caught(f"{kind}_in_stay", stays=STAY.format("home"), **{kind: drawn}) == [3, 5]


def test_two_answers_of_one_assessment_are_caught_and_lists_are_not(audits: AuditWorld) -> None:
    assert audits.caught("assessments_key_unique", assessments="""
        line | patient_id | assessment_id | item           | value_text | value
        2    | R1         | PG1           | he_grade       | Ⅱ期        | 2
        3    | R1         | PG1           | he_grade       | Ⅲ期        | 3
        4    | R1         | PG2           | he_grade       | Ⅱ期        | 2
        5    | R1         | PG2           | he_grade       | Ⅱ期        | 2
        6    | R1         | PG3           | infection_site | 肺部       | -
        7    | R1         | PG3           | infection_site | 血流       | -
    """) == [2, 3]  # fmt: skip
