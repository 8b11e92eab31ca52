"""The gate promotes all or nothing, sets rows aside whole, and loses no finding whatever goes wrong."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality import gate
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.quality.verdicts import CheckResult
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import unpack
from aclf_pipeline_tests.quality.world import files, protocol, rule, stage, stage_nothing, waiver

IN_ORDER = rule("in_order", "stays", "discharged_at >= admitted_at", tolerate=0.5)
NOT_LONG = rule("not_long", "stays", "days_stated <= 365", action="flag")
LATE = rule("late", "stays", "admitted_at >= timestamp '1990-01-01 00:00:00'", action="block")
KEY_UNIQUE = rule("stays_key_unique", "stays", None)
KEY_AUDIT = """-- stays whose key stands more than once: one row per such stay
select _row_id, stay_id as observed from staging.stays
qualify count(*) over (partition by stay_id) > 1;
"""

STAYS = """
    line | patient_id | stay_id | admitted_at | discharged_at | days_stated | ward_in
    2    | R1         | R1-1    | 2014-05-01  | 2014-05-20    | 19          | -
    3    | R2         | R2-1    | 2014-05-09  | 2014-05-02    | 400         | CANARY 13800138000
    4    | R3         | R3-1    | 2014-06-01  | -             | -           | -
"""
LABS = """
    file | line | patient_id | specimen_id | source_code | value
    3    | 2    | R1         | T1          | TBIL        | 100
"""


def world(wh: Warehouse, stays: str = STAYS) -> None:
    """Two kinds with rows, the others empty."""
    files(
        wh,
        (1, 1, "raw.his__front_pages", False),
        (2, 2, "raw.his__front_pages", False),
        (3, 1, "raw.his__lab_results", False),
    )
    stage_nothing(wh, "stays", "labs")
    stage(wh, "stays", stays)
    stage(wh, "labs", LABS)


def result(report: GateReport, rule_id: str) -> CheckResult:
    return next(check for check in report.checks if check.rule_id == rule_id)


def lines(wh: Warehouse, table: str) -> list[int]:
    return sorted(unpack(row_id).line for (row_id,) in wh.rows(f"select _row_id from {table}"))


def test_core_is_staging_without_what_is_set_aside(wh: Warehouse) -> None:
    world(wh)
    report = run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, "r1")
    assert (report.blocked, report.promoted) == (False, list(KINDS))
    assert lines(wh, "core.stays") == [2, 4]
    assert lines(wh, "quality.quarantine") == [3]
    assert lines(wh, "core.labs") == [2]
    assert wh.columns("core.stays") == wh.columns("staging.stays")
    ((ids, row),) = wh.rows("select rule_ids, row from quality.quarantine")
    assert ids == ["in_order"]
    assert json.loads(row)["ward_in"] == "CANARY 13800138000"


def test_every_violation_says_where_it_is_from_and_under_which_rule(wh: Warehouse) -> None:
    world(wh)
    report = run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, "r1")
    check = result(report, "in_order")
    assert (check.rows, check.failing_rows, check.passed, check.blocking) == (3, 1, True, False)
    assert check.sample == [
        {
            "patient": "R2",
            "observed": "discharged_at=2014-05-02 00:00:00, admitted_at=2014-05-09 00:00:00",
            "file": "his/batch1/file1.csv",
            "line": 3,
            "sheet": None,
        }
    ]
    stored = wh.rows("select rule_id, patient_id, action, rule_fingerprint, protocol_digest from quality.violations")
    assert sorted(stored) == [
        ("in_order", "R2", "quarantine", IN_ORDER.fingerprint, "d" * 64),
        ("not_long", "R2", "flag", NOT_LONG.fingerprint, "d" * 64),
    ]


def test_what_a_condition_does_not_name_is_in_no_violation_and_no_sample(wh: Warehouse) -> None:
    world(wh)
    report = run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, "r1")
    assert "CANARY" not in str(report)
    assert "CANARY" not in wh.frame("select * from quality.violations").write_json()
    assert "CANARY" not in wh.frame("select * from quality.checks").write_json()


@pytest.mark.parametrize(
    ("tolerate", "passed"), [(0.33, False), (0.34, True)], ids=["above what is tolerated", "within what is tolerated"]
)
@pytest.mark.parametrize(("action", "severity"), [("flag", "WARN"), ("quarantine", "ERROR")])
def test_flag_and_quarantine_fail_above_tolerance_and_never_block(
    wh: Warehouse, action: str, severity: str, tolerate: float, passed: bool
) -> None:
    world(wh)
    report = run_gate(wh, protocol(rule("odd", "stays", "days_stated <= 365", action, tolerate)), {}, "r1")
    check = result(report, "odd")
    assert (check.passed, check.severity, report.blocked) == (passed, severity, False)
    assert lines(wh, "core.stays") == ([2, 4] if action == "quarantine" else [2, 3, 4])


def test_a_blocking_failure_leaves_core_as_it_was_and_still_records_everything(wh: Warehouse) -> None:
    world(wh)
    run_gate(wh, protocol(IN_ORDER, LATE), {}, "r1")
    stage(wh, "stays", STAYS.replace("2014-06-01", "1900-06-01"))
    stage(wh, "labs", LABS.replace("T1 ", "T9 "))
    report = run_gate(wh, protocol(IN_ORDER, LATE), {}, "r2")
    assert (report.blocked, report.promoted) == (True, [])
    assert wh.rows("select specimen_id from core.labs") == [("T1",)]
    assert wh.scalar("select min(admitted_at)::varchar from core.stays") == "2014-05-01 00:00:00"
    assert wh.rows("select rule_id, refresh_id from quality.violations order by 1") == [
        ("in_order", "r2"),
        ("late", "r2"),
    ]
    history = wh.rows("select refresh_id, passed from quality.checks where rule_id = 'late' order by 1")
    assert history == [("r1", True), ("r2", False)]


def test_a_value_outside_its_vocabulary_breaks_the_contract_and_blocks(wh: Warehouse) -> None:
    world(wh)
    wh.execute("update staging.stays set disposition = 'vanished' where stay_id = 'R1-1'")
    report = run_gate(wh, protocol(), {}, "r1")
    check = result(report, "stays_contract")
    assert (check.passed, check.blocking, check.failing_rows, report.blocked) == (False, True, 1, True)
    assert check.sample[0]["observed"] == "disposition=vanished is not in its vocabulary"
    assert "core.stays" not in wh.tables()


def test_a_wrong_shape_is_told_before_any_row_is_judged(wh: Warehouse) -> None:
    world(wh)
    wh.execute("alter table staging.stays drop column days_stated")
    wh.execute("alter table staging.stays add column days double")
    report = run_gate(wh, protocol(NOT_LONG, KEY_UNIQUE), {"stays_key_unique": KEY_AUDIT}, "r1")
    contract = result(report, "stays_contract")
    assert report.blocked
    assert not contract.passed
    assert contract.problems[0] == "column 'days_stated' is missing."
    assert result(report, "not_long").problems == ("Not judged: staging.stays breaks its contract",)
    assert result(report, "stays_key_unique").passed is False
    assert result(report, "labs_contract").passed


def test_promotion_is_atomic_over_kinds(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    world(wh)
    run_gate(wh, protocol(IN_ORDER), {}, "r1")
    stage(wh, "labs", LABS.replace("T1 ", "T9 "))
    stage(wh, "stays", STAYS.replace("R1-1", "R1-9"))
    execute, promoted = wh.execute, []

    def fail_at_the_last(sql: str, params: object = None) -> None:
        if sql.startswith("create or replace table core."):
            promoted.append(sql)
            if len(promoted) == len(KINDS):
                raise RuntimeError("power cut")
        execute(sql, params)  # type: ignore[arg-type]

    monkeypatch.setattr(wh, "execute", fail_at_the_last)
    with pytest.raises(RuntimeError, match="power cut"):
        run_gate(wh, protocol(IN_ORDER), {}, "r2")
    assert len(promoted) == len(KINDS)
    assert wh.rows("select specimen_id from core.labs") == [("T1",)]
    assert wh.rows("select stay_id from core.stays order by 1") == [("R1-1",), ("R3-1",)]


def test_a_crash_between_quarantine_and_core_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "crash.duckdb"

    def power_cut(*_: object) -> list[str]:
        raise RuntimeError("power cut")

    with Warehouse.open(path) as wh:
        world(wh)
        with monkeypatch.context() as patched:
            patched.setattr(gate, "_promote", power_cut)
            with pytest.raises(RuntimeError, match="power cut"):
                run_gate(wh, protocol(IN_ORDER), {}, "r1")
    with Warehouse.open(path) as wh:
        assert "core.stays" not in wh.tables()
        assert lines(wh, "quality.quarantine") == [3]
        assert lines(wh, "quality.violations") == [3]
        assert run_gate(wh, protocol(IN_ORDER), {}, "r2").promoted == list(KINDS)
        assert sorted(lines(wh, "core.stays") + lines(wh, "quality.quarantine")) == lines(wh, "staging.stays")


def test_a_gate_run_twice_gives_the_same_state(wh: Warehouse) -> None:
    world(wh)
    states = []
    for refresh in ("r1", "r2", "r2"):
        run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, refresh)
        violations = wh.rows("select * exclude (refresh_id) from quality.violations order by all")
        others = [wh.rows(f"from {table} order by all") for table in ("quality.quarantine", "core.stays", "core.labs")]
        states.append((violations, others))
    assert states[0] == states[1] == states[2]
    assert wh.scalar("select count(*) from quality.checks where refresh_id = 'r2'") == len(KINDS) + 2


TWICE = """
    file | line | patient_id | stay_id | days_stated
    1    | 2    | R1         | R1-1    | 10
    2    | 2    | R1         | R1-1    | 11
    2    | 3    | R2         | R2-1    | 20
    2    | 4    | R2         | R2-1    | 21
    2    | 5    | R3         | R3-1    | 30
"""


def test_an_audit_sees_current_rows_only_and_quarantines_both_sides_of_a_conflict(wh: Warehouse) -> None:
    world(wh, TWICE)
    report = run_gate(wh, protocol(KEY_UNIQUE), {"stays_key_unique": KEY_AUDIT}, "r1")
    check = result(report, "stays_key_unique")
    assert (check.rows, check.failing_rows) == (4, 2)
    assert [(example["patient"], example["line"]) for example in check.sample] == [("R2", 3), ("R2", 4)]
    assert wh.rows("select days_stated from core.stays order by 1") == [(11.0,), (30.0,)]
    assert [(s.table, s.reason, s.rows) for s in report.superseded] == [("stays", "corrected", 1)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select _row_id from staging.stays", "returns the columns _row_id and observed; this one: _row_id"),
        ("select _row_id, 1 as observed, 2 as more from staging.stays", "this one: _row_id, observed, more"),
        ("select stay_id as _row_id, 'x' as observed from staging.stays", "_row_id is String"),
        ("select 7 as _row_id, 'x' as observed", "1 of the row ids it returns are not in staging.stays"),
        ("select _row_id, nothing as observed from staging.stays", "the audit cannot be run"),
        ("selekt 1", "the audit cannot be run"),
    ],
)
def test_a_wrong_audit_names_its_rule_and_file_and_changes_nothing(wh: Warehouse, sql: str, told: str) -> None:
    world(wh)
    run_gate(wh, protocol(), {}, "r1")
    before = wh.rows("select * from quality.checks order by all")
    with pytest.raises(QualityError, match=r"rule 'stays_key_unique', sql/audits/stays_key_unique\.sql.*" + told):
        run_gate(wh, protocol(KEY_UNIQUE), {"stays_key_unique": sql}, "r2")
    assert wh.rows("select * from quality.checks order by all") == before
    assert "temp.audit_found" not in str(wh.tables())


def test_an_audit_without_a_file_and_a_kind_without_a_table_are_named(wh: Warehouse) -> None:
    world(wh)
    with pytest.raises(QualityError, match="rule 'stays_key_unique' has no 'holds' and there is no sql/audits/"):
        run_gate(wh, protocol(KEY_UNIQUE), {}, "r1")
    wh.execute("drop table staging.vitals")
    with pytest.raises(QualityError, match=r"not staged yet: staging\.vitals"):
        run_gate(wh, protocol(), {}, "r1")
    with pytest.raises(QualityError, match="no contract for viitals"):
        run_gate(wh, protocol(), {}, "r1", kinds=["viitals"])


def test_tables_without_rows_pass_and_are_promoted_empty(wh: Warehouse) -> None:
    stage_nothing(wh)
    rules = [IN_ORDER, LATE, KEY_UNIQUE, rule("any", "labs", "value > 0")]
    report = run_gate(wh, protocol(*rules), {"stays_key_unique": KEY_AUDIT}, "r1")
    assert not report.blocked
    assert {(check.rows, check.share, check.passed) for check in report.checks} == {(0, 0.0, True)}
    assert all(wh.scalar(f"select count(*) from core.{kind}") == 0 for kind in KINDS)


def test_a_part_of_the_kinds_can_be_judged_without_touching_the_others(wh: Warehouse) -> None:
    world(wh)
    run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, "r1")
    assert run_gate(wh, protocol(IN_ORDER, NOT_LONG), {}, "r1", kinds=["labs"]).promoted == ["labs"]
    assert lines(wh, "quality.quarantine") == [3]
    assert wh.scalar("select count(*) from quality.checks") == len(KINDS) + 2


DAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("expires", "at_most", "scope", "passed", "note"),
    [
        pytest.param(
            date(2026, 6, 1), 1, None, True, "1 rows are accepted until 2026-06-01", id="valid on its last day"
        ),
        pytest.param(date(2026, 5, 31), 1, None, False, "expired on 2026-05-31; 1 rows count again", id="expired"),
        pytest.param(date(2026, 6, 1), 1, "patient_id = 'R9'", False, "0 rows are accepted", id="for other rows"),
        pytest.param(date(2026, 6, 1), 5, "patient_id = 'R2'", True, "1 rows are accepted", id="for these rows"),
    ],
)
def test_a_waiver_accepts_rows_until_its_day(
    wh: Warehouse, expires: date, at_most: int, scope: str | None, passed: bool, note: str
) -> None:
    world(wh)
    block = rule("short_stay", "stays", "days_stated <= 365", action="block")
    asked = protocol(block, waivers=[waiver("short_stay", expires, at_most, scope)])
    report = run_gate(wh, asked, {}, "r1", review_on=DAY)
    check = result(report, "short_stay")
    assert (check.passed, report.blocked, check.failing_rows) == (passed, not passed, 1)
    assert check.waived_rows == (1 if passed else 0)
    assert note in check.notes[0]
    assert lines(wh, "quality.violations") == [3]


def test_a_waiver_for_fewer_rows_than_fail_accepts_none(wh: Warehouse) -> None:
    world(wh)
    block = rule("never", "stays", "days_stated < 0", action="block")
    report = run_gate(wh, protocol(block, waivers=[waiver("never", DAY, 1)]), {}, "r1", review_on=DAY)
    check = result(report, "never")
    assert (check.waived_rows, check.passed) == (0, False)
    assert check.notes == ("The waiver of data engineer is for 1 rows; 2 fail, so all count",)
    assert wh.rows("select notes from quality.checks where rule_id = 'never'") == [([*check.notes],)]


def test_a_waived_row_of_a_quarantine_rule_is_still_set_aside(wh: Warehouse) -> None:
    world(wh)
    aside = rule("short_stay", "stays", "days_stated <= 365")
    report = run_gate(wh, protocol(aside, waivers=[waiver("short_stay", DAY, 1)]), {}, "r1", review_on=DAY)
    assert result(report, "short_stay").passed
    assert lines(wh, "quality.quarantine") == [3]


def test_rules_of_another_source_and_of_the_marts_are_not_asked(wh: Warehouse) -> None:
    world(wh)
    foreign = IN_ORDER.model_copy(update={"id": "foreign", "sources": ("clif",)})
    report = run_gate(wh, protocol(foreign, rule("mart", "cohort", "age_years >= 18")), {}, "r1")
    contracts = {f"{kind}_contract" for kind in KINDS}
    assert {check.rule_id for check in report.checks} == contracts
    report = run_gate(wh, protocol(foreign), {}, "r2", source="clif")
    assert {check.rule_id for check in report.checks} == {"foreign"} | contracts


def test_a_sample_has_at_most_25_rows_while_every_failure_is_counted(wh: Warehouse) -> None:
    drawn = "\n".join(f"{line} | R{line} | S{line} | 400" for line in range(2, 102))
    world(wh, f"line | patient_id | stay_id | days_stated\n{drawn}")
    check = result(run_gate(wh, protocol(NOT_LONG), {}, "r1"), "not_long")
    assert (len(check.sample), check.failing_rows) == (25, 100)
    assert wh.frame("select count(*) as n from quality.violations")["n"].to_list() == [100]
    assert isinstance(wh.frame("from quality.checks"), pl.DataFrame)
