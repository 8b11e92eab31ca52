"""Repairs: carried out before anything is judged, told with their evidence, and never against another repair."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.quality.repairs import CONFLICT, PROPOSALS, _settled
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import unpack
from aclf_pipeline_tests.quality.test_gate import TWICE, lines, result
from aclf_pipeline_tests.quality.test_gate import world as stays_world
from aclf_pipeline_tests.quality.world import files, protocol, rule, stage, stage_nothing

LABS = """
    line | patient_id | specimen_id | source_code | value | unit   | unit_text | ref_text | unparsed
    2    | R1         | T1          | TBIL        | 9.4   | umol/L | μmol/L    | 0.2-1.2  | -
    3    | R1         | T2          | TBIL        | 160   | umol/L | μmol/L    | 3.4-20.5 | -
    4    | R2         | T3          | TBIL        | 5.1   | mg/dL  | mg/dL     | 0.2-1.2  | -
"""
UNIT = rule("labs_unit_by_range", "labs", None, "repair", tolerate=1.0)
UNIT_SQL = """-- bilirubin whose range is that of mg/dL: one row per such result
select
    _row_id, 'range ' || ref_text as observed, 'unit' as column_name, 'mg/dL' as became,
    'the printed range and the size of the number agree on mg/dL' as evidence, 'strong' as confidence
from staging.labs where ref_text = '0.2-1.2' and value < 30
"""


def world(wh: Warehouse, labs: str = LABS) -> None:
    files(wh, (1, 1, "raw.his__lab_results", False), (2, 2, "raw.his__lab_results", False))
    stage_nothing(wh, "labs")
    stage(wh, "labs", labs)


def repairing(column: str, became: str, confidence: str = "'certain'", where: str = "true") -> str:
    """A repair of one column of every lab row that meets a condition."""
    return (
        f"select _row_id, 'seen' as observed, '{column}' as column_name, {became} as became,"
        f" 'two signals agree' as evidence, {confidence} as confidence from staging.labs where {where}"
    )


def gate(wh: Warehouse, *rules: object, refresh: str = "r1", **audits: str) -> GateReport:
    return run_gate(wh, protocol(*rules), audits, refresh)  # type: ignore[arg-type]


def units(wh: Warehouse, table: str) -> list[tuple[int, str]]:
    return [(unpack(row_id).line, unit) for row_id, unit in wh.rows(f"select _row_id, unit from {table} order by 1")]


def test_core_holds_what_a_repair_made_and_staging_what_was_delivered(wh: Warehouse) -> None:
    world(wh)
    report = gate(wh, UNIT, labs_unit_by_range=UNIT_SQL)
    assert units(wh, "core.labs") == [(2, "mg/dL"), (3, "umol/L"), (4, "mg/dL")]
    assert units(wh, "staging.labs") == [(2, "umol/L"), (3, "umol/L"), (4, "mg/dL")]
    assert wh.columns("core.labs") == wh.columns("staging.labs")
    assert wh.rows("select value, unit_text, ref_text from core.labs order by _row_id limit 1") == [
        (9.4, "μmol/L", "0.2-1.2")
    ]
    check = result(report, "labs_unit_by_range")
    # line 4 is in mg/dL already: what a repair leaves as it was is none
    assert (check.failing_rows, check.rows, check.passed, check.blocking) == (1, 3, True, False)
    assert check.sample[0]["observed"] == "range 0.2-1.2 (unit: umol/L → mg/dL)"
    assert check.notes == ("Cells put right: 1 strong",)


def test_every_repair_leaves_a_receipt_and_a_violation(wh: Warehouse) -> None:
    world(wh)
    gate(wh, UNIT, labs_unit_by_range=UNIT_SQL)
    receipts = wh.frame("select * exclude (_row_id) from quality.repairs").to_dicts()
    fingerprint = UNIT.fingerprint_with(UNIT_SQL)
    assert receipts == [
        {
            "refresh_id": "r1", "table_name": "labs", "rule_id": "labs_unit_by_range", "rule_fingerprint": fingerprint,
            "patient_id": "R1", "column_name": "unit", "was": "umol/L", "became": "mg/dL", "observed": "range 0.2-1.2",
            "evidence": "the printed range and the size of the number agree on mg/dL", "confidence": "strong",
            "protocol_digest": "d" * 64,
        }
    ]  # fmt: skip
    assert wh.rows("select rule_id, action from quality.violations") == [("labs_unit_by_range", "repair")]
    assert wh.scalar("select count(*) from quality.quarantine") == 0


def test_rules_and_audits_judge_the_row_as_repaired(wh: Warehouse) -> None:
    world(wh)
    wrong_unit = rule("odd_unit", "labs", "unit = 'mg/dL' or value > 30")
    odd = rule("odd_by_audit", "labs", None)
    audit = "select _row_id, unit as observed from staging.labs where value < 30 and unit = 'umol/L'"
    before = gate(wh, wrong_unit, odd, odd_by_audit=audit)
    assert [result(before, name).failing_rows for name in ("odd_unit", "odd_by_audit")] == [1, 1]
    after = gate(wh, UNIT, wrong_unit, odd, odd_by_audit=audit, labs_unit_by_range=UNIT_SQL, refresh="r2")
    assert [result(after, name).failing_rows for name in ("odd_unit", "odd_by_audit")] == [0, 0]
    assert lines(wh, "quality.quarantine") == []


def test_a_shared_view_is_made_anew_from_the_repaired_rows(wh: Warehouse) -> None:
    world(wh)
    view = "select _row_id, ref_text, value, unit from staging.labs where value < 30"
    odd = rule("odd_by_audit", "labs", None, "flag")
    report = gate(
        wh, UNIT, odd,
        _small=view,
        labs_unit_by_range=UNIT_SQL.replace("staging.labs", "audit.small"),
        odd_by_audit="select _row_id, unit as observed from audit.small where unit <> 'mg/dL'",
    )  # fmt: skip
    assert result(report, "labs_unit_by_range").failing_rows == 1
    assert result(report, "odd_by_audit").failing_rows == 0


def test_a_repaired_row_that_breaks_a_rule_is_set_aside_as_it_was_delivered(wh: Warehouse) -> None:
    world(wh)
    gate(wh, UNIT, rule("no_mg", "labs", "unit <> 'mg/dL'"), labs_unit_by_range=UNIT_SQL)
    assert lines(wh, "core.labs") == [3]
    rows = {json.loads(row)["specimen_id"]: json.loads(row) for (row,) in wh.rows("select row from quality.quarantine")}
    assert (rows["T1"]["unit"], rows["T3"]["unit"]) == ("umol/L", "mg/dL")


def test_more_repairs_than_tolerated_warn_and_do_not_block(wh: Warehouse) -> None:
    world(wh)
    rare = UNIT.model_copy(update={"tolerate": 0.3})
    report = gate(wh, rare, labs_unit_by_range=UNIT_SQL)
    check = result(report, "labs_unit_by_range")
    assert (check.passed, check.severity, report.blocked) == (False, "WARN", False)
    assert units(wh, "core.labs")[0] == (2, "mg/dL")


A, B = rule("labs_a", "labs", None, "repair", tolerate=1.0), rule("labs_b", "labs", None, "repair", tolerate=1.0)


def test_repairs_that_disagree_about_a_cell_are_not_carried_out_and_the_row_is_set_aside(wh: Warehouse) -> None:
    world(wh)
    report = gate(
        wh, A, B,
        labs_a=repairing("unit", "'mg/dL'", where="value < 100") + " union all "
        + repairing("operator", "'<'", where="value < 100"),
        labs_b=repairing("unit", "if(specimen_id = 'T1', 'g/L', 'mg/dL')", where="value < 100"),
    )  # fmt: skip
    assert units(wh, "core.labs") == [(3, "umol/L"), (4, "mg/dL")]
    assert wh.rows("select rule_ids, row->>'unit', row->>'operator' from quality.quarantine") == [
        (["labs_a", "labs_b", CONFLICT], "umol/L", None)
    ]
    (told,) = wh.rows(f"select observed, action from quality.violations where rule_id = '{CONFLICT}'")
    assert told == ("unit: labs_a → mg/dL, labs_b → g/L", "quarantine")
    # nothing of a disputed row is a receipt; the undisputed row keeps its own
    assert lines(wh, "quality.repairs") == [4]
    assert "1 rows are set aside instead: another repair of theirs disagrees" in result(report, "labs_a").notes


def test_repairs_that_agree_or_touch_different_cells_are_all_carried_out(wh: Warehouse) -> None:
    world(wh)
    gate(
        wh, A, B,
        labs_a=repairing("unit", "'mg/dL'", where="specimen_id = 'T1'"),
        labs_b=repairing("unit", "'mg/dL'", where="specimen_id = 'T1'") + " union all "
        + repairing("value", "94", where="specimen_id = 'T1'"),
    )  # fmt: skip
    assert wh.rows("select unit, value from core.labs order by _row_id limit 1") == [("mg/dL", 94.0)]
    assert wh.rows("select rule_id, column_name, was, became from quality.repairs order by 1, 2") == [
        ("labs_a", "unit", "umol/L", "mg/dL"), ("labs_b", "unit", "umol/L", "mg/dL"),
        ("labs_b", "value", "9.4", "94.0"),
    ]  # fmt: skip


def test_a_cell_that_was_repaired_is_no_longer_unread(wh: Warehouse) -> None:
    world(wh, LABS.replace("0.2-1.2  | -", "0.2-1.2  | unit,collected_at", 1))
    parsed = rule("labs_everything_parsed", "labs", "unparsed is null")
    gate(wh, UNIT, parsed, labs_unit_by_range=UNIT_SQL)
    assert wh.rows("select observed from quality.violations where rule_id = 'labs_everything_parsed'") == [
        ("unparsed=collected_at",)
    ]
    gate(
        wh, UNIT, A, parsed, labs_unit_by_range=UNIT_SQL, refresh="r2",
        labs_a=repairing("collected_at", "'2014-05-01 07:00'", where="specimen_id = 'T1'"),
    )  # fmt: skip
    assert wh.rows("select unparsed, collected_at::varchar from core.labs order by _row_id limit 1") == [
        (None, "2014-05-01 07:00:00")
    ]


def test_a_superseded_row_is_not_repaired(wh: Warehouse) -> None:
    stays_world(wh, TWICE)
    shorter = rule("stays_shorter", "stays", None, "repair", tolerate=1.0)
    every = (
        "select _row_id, 'seen' as observed, 'days_stated' as column_name, 9 as became, 'e' as evidence,"
        " 'certain' as confidence from staging.stays where stay_id = 'R1-1'"
    )
    report = gate(wh, shorter, stays_shorter=every)
    # the stay of 10 days was delivered again with 11
    assert wh.rows("select was, became from quality.repairs") == [("11.0", "9.0")]
    assert result(report, "stays_shorter").failing_rows == 1
    assert wh.rows("select days_stated from core.stays where stay_id = 'R1-1'") == [(9.0,)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (repairing("value", "'high'"), "3 values of 'became' cannot be read as DOUBLE, the type of column 'value'"),
        (repairing("collected_at", "'in May'"), "3 values of 'became' cannot be read as TIMESTAMP, the type of column"),
        (repairing("unit", "null"), "3 repairs lack 'became', 'observed', 'evidence' or 'confidence'"),
        (repairing("units", "'x'"), "it repairs column 'units', which labs does not have. Did you mean 'unit'?"),
        (repairing("_row_id", "'1'"), "it repairs column '_row_id', which labs does not have"),
        (repairing("unit", "'x'", "'sure'"), "confidence 'sure', which is none of certain, strong, moderate"),
        (repairing("unit", "'x'", "null"), "3 repairs lack"),
        ("select _row_id, 'x' as observed from staging.labs", "a repair returns the columns _row_id, observed, col"),
    ],
)
def test_what_is_no_repair_is_refused_with_its_rule_and_file_and_changes_nothing(
    wh: Warehouse, sql: str, told: str
) -> None:
    world(wh)
    gate(wh)
    before = [wh.rows(f"from {table} order by all") for table in ("core.labs", "quality.checks")]
    with pytest.raises(QualityError, match=r"rule 'labs_a', sql/audits/labs_a\.sql: ") as caught:
        gate(wh, A, labs_a=sql, refresh="r2")
    assert told in str(caught.value)
    assert [wh.rows(f"from {table} order by all") for table in ("core.labs", "quality.checks")] == before


def test_a_refresh_without_the_rule_takes_the_repair_back(wh: Warehouse) -> None:
    world(wh)
    gate(wh, UNIT, labs_unit_by_range=UNIT_SQL)
    gate(wh, refresh="r2")
    assert units(wh, "core.labs")[0] == (2, "umol/L")
    assert wh.scalar("select count(*) from quality.repairs") == 0


def test_nothing_is_left_behind_and_a_crash_is_cleared_away(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    world(wh)
    gate(wh, UNIT, labs_unit_by_range=UNIT_SQL)
    assert not [name for name in wh.tables() if "repaired" in name]
    wh.execute("create table quality.repaired__labs as select * from staging.labs limit 1")
    gate(wh, refresh="r2")
    assert not [name for name in wh.tables() if "repaired" in name]
    assert len(lines(wh, "core.labs")) == 3


def test_a_gate_without_repairs_reads_staging_alone(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a table that nothing repairs costs nothing: no copy of it is made, no other table joined."""
    world(wh)
    said: list[str] = []
    execute = wh.execute
    monkeypatch.setattr(wh, "execute", lambda sql, params=None: (said.append(sql), execute(sql, params))[1])
    gate(wh, UNIT, labs_unit_by_range=UNIT_SQL.replace("< 30", "< 0"))
    assert not [sql for sql in said if "repaired__" in sql]


def test_a_part_of_the_kinds_is_judged_on_repaired_tables_and_keeps_the_receipts_of_the_others(wh: Warehouse) -> None:
    world(wh)
    gate(wh, UNIT, labs_unit_by_range=UNIT_SQL)
    report = run_gate(wh, protocol(UNIT), {"labs_unit_by_range": UNIT_SQL}, "r2", kinds=["stays"])
    assert report.promoted == ["stays"]
    assert wh.rows("select refresh_id, table_name from quality.repairs") == [("r1", "labs")]
    assert set(KINDS) - {"stays"} <= {name.split(".")[1] for name in wh.tables() if name.startswith("core.")}


cells = st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["unit", "value"]), st.sampled_from(["a", "b"]))


@given(st.lists(cells, max_size=12))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_row_is_repaired_whole_or_not_at_all(proposed: list[tuple[int, str, str]]) -> None:
    """Every proposal is carried out or refused, and a row is refused when one of its cells is disputed."""
    frame = PROPOSALS.to_frame().vstack(
        pl.DataFrame(
            [
                {"table_name": "labs", "rule_id": f"r{n}", "_row_id": row, "column_name": column, "became": became}
                for n, (row, column, became) in enumerate(proposed)
            ],
            schema=PROPOSALS,
        )
    )
    done, refused = _settled(frame)
    disputed = {
        row
        for row, column, became in proposed
        for other_row, other_column, other in proposed
        if (row, column) == (other_row, other_column) and became != other
    }
    assert set(refused["_row_id"]) == disputed
    assert set(done["_row_id"]) == {row for row, _, _ in proposed} - disputed
    assert done.height + refused.height == len(proposed)
