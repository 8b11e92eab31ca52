"""Audits share views: made once from current rows, translated as audits are, gone when the audits are done."""

from __future__ import annotations

import pytest

from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.test_gate import TWICE, lines, result, world
from aclf_pipeline_tests.quality.world import protocol, rule

LONG = rule("long_stay", "stays", None, action="flag")
LONGEST = rule("longest_stay", "stays", None)
AUDITS = {
    "_by_length": "select _row_id, days_stated, rank() over (order by days_stated desc) as place from Staging.stays",
    "_longest": "select * from audit.by_length where place = 1",
    "long_stay": "select _row_id, 'place ' || place as observed from audit.by_length where place <= 2",
    "longest_stay": "select _row_id, days_stated as observed from AUDIT.longest",
}


def test_an_audit_reads_a_view_and_a_view_another(wh: Warehouse) -> None:
    world(wh, TWICE)
    report = run_gate(wh, protocol(LONG, LONGEST), AUDITS, "r1")
    # the stay of 10 days is superseded: a view shows current rows as an audit does
    assert [example["observed"] for example in result(report, "long_stay").sample] == ["place 2", "place 1"]
    assert [example["observed"] for example in result(report, "longest_stay").sample] == ["30.0"]
    assert lines(wh, "quality.quarantine") == [5]
    assert not [table for table in wh.tables() if "by_length" in table or "longest" in table]


def test_a_view_is_made_from_the_rows_of_this_refresh(wh: Warehouse) -> None:
    world(wh, TWICE)
    run_gate(wh, protocol(LONGEST), AUDITS, "r1")
    world(wh, TWICE.replace("| 30", "| 3"))
    report = run_gate(wh, protocol(LONGEST), AUDITS, "r2")
    assert [example["observed"] for example in result(report, "longest_stay").sample] == ["21.0"]


def test_what_a_rule_asks_has_changed_when_a_view_it_reads_has(wh: Warehouse) -> None:
    world(wh, TWICE)

    def fingerprint(rule_id: str, **changed: str) -> str:
        return result(run_gate(wh, protocol(LONG, LONGEST), {**AUDITS, **changed}, "r1"), rule_id).fingerprint

    ranked = AUDITS["_by_length"].replace("rank()", "dense_rank()")
    assert fingerprint("long_stay", _by_length=ranked) != fingerprint("long_stay")
    assert fingerprint("longest_stay", _by_length=ranked) != fingerprint("longest_stay")
    longer = AUDITS["_longest"].replace("= 1", "<= 2")
    assert fingerprint("long_stay", _longest=longer) == fingerprint("long_stay")


def test_a_view_that_cannot_be_made_is_named_with_the_rule_that_asked(wh: Warehouse) -> None:
    world(wh, TWICE)
    told = r"rule 'long_stay', sql/audits/long_stay\.sql: the view sql/audits/_by_length\.sql it reads cannot be made"
    with pytest.raises(QualityError, match=told):
        run_gate(wh, protocol(LONG), AUDITS | {"_by_length": "select nothing from staging.stays"}, "r1")
