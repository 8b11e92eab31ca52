"""What a gate gathers while it judges, and how it is written to the ledger: all of it, or nothing.

What does not belong here: judging (`gate`) and the core tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.quality.audits import asked_text
from aclf_pipeline.quality.backwards import hold_against_last
from aclf_pipeline.quality.cases import Case, Met, frame, set_aside
from aclf_pipeline.quality.found import FOUND, Failing, Found
from aclf_pipeline.quality.repairs import Repairs
from aclf_pipeline.quality.verdicts import Asked, CheckResult, Places, asked_by_rule, verdict, waived_rows
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.over_time import STATES


@dataclass
class Record:
    """What a gate has found so far. Nothing is written before everything has been judged."""

    wh: Warehouse
    protocol: Protocol
    audits: Mapping[str, str]
    refresh_id: str
    review_on: date
    places: Places
    found: Found
    checks: list[CheckResult] = field(default_factory=list)
    violations: list[dict[str, object]] = field(default_factory=list)
    repairs: Repairs | None = None
    """None when nothing could be repaired or adjudicated, since a table breaks its contract."""
    met: list[Met] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    accepted: dict[str, frozenset[int]] = field(default_factory=dict)
    """Per rule, the rows that a waiver or a decision accepts."""

    def asked(self, rule: Rule) -> Asked:
        """A rule in the words of a result; its audit, and the views that reads, are part of its fingerprint."""
        if rule.holds is not None:
            return asked_by_rule(rule)
        asked = asked_by_rule(rule, asked_text(self.audits, rule.id))
        return replace(asked, condition=self.audits.get(rule.id, "").strip())

    def add(
        self,
        asked: Asked,
        failing: Failing,
        rows: int,
        seconds: float,
        problems: Sequence[str] = (),
        *,
        settled: frozenset[int] = frozenset(),
        cases: Mapping[str, int] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Take the failing rows of one check: its result and its violations."""
        waivers = [waiver for waiver in self.protocol.waivers if waiver.rule == asked.rule_id]
        waived, of_waivers = waived_rows(self.wh, asked.table, failing, waivers, self.review_on)
        self.accepted[asked.rule_id] = waived | settled
        self.checks.append(
            verdict(
                asked, failing.rows, rows, waived=waived, settled=settled, cases=cases, notes=[*of_waivers, *notes],
                problems=problems, sample=self.places.sample(failing), seconds=seconds,
            )
        )  # fmt: skip
        self.violate(asked.table, asked.rule_id, asked.fingerprint, failing, asked.action)

    def violate(self, table: str, rule_id: str, fingerprint: str, failing: Failing, action: str) -> None:
        """Take violations; a failing row that has its own action keeps it."""
        if failing.rows:
            self.violations.append(
                {
                    "number": failing.number, "table_name": table, "rule_id": rule_id, "rule_fingerprint": fingerprint,
                    "action": action,
                }
            )  # fmt: skip


def write(record: Record, kinds: list[str]) -> None:
    """Violations, repairs, cases and quarantine of these kinds are replaced; the history of findings and checks grows.

    What the history says of a rule becomes part of the check's result.
    """
    wh = record.wh
    with wh.transaction():
        wh.execute("delete from quality.violations where list_contains(?, table_name)", [kinds])
        _write_violations(record)
        if record.repairs is not None:
            _write_repairs(record, record.repairs, kinds)
            _write_cases(record, kinds)
        _write_quarantine(record, kinds)
        hold_against_last(record, kinds)
        wh.execute(
            "delete from quality.checks where refresh_id = ? and list_contains(?, table_name)",
            [record.refresh_id, kinds],
        )
        wh.append("quality.checks", _history(record))


def _write_violations(record: Record) -> None:
    if not record.violations:
        return
    record.wh.execute(
        """-- what is said of each check's failing rows: one row per check
        create or replace temp table violated (
            number integer, table_name varchar, rule_id varchar, rule_fingerprint varchar, action varchar)"""
    )
    record.wh.append("temp.violated", pl.DataFrame(record.violations))
    record.wh.execute(
        f"""-- what failed and why: one row per failing row, rule and observation
        insert into quality.violations by name
        select
            $refresh_id as refresh_id, v.table_name, v.rule_id, v.rule_fingerprint, f._row_id, f.patient_id,
            coalesce(f.action, v.action) as action, f.observed, $digest as protocol_digest,
        from {FOUND} as f
        join temp.violated as v on v.number = f.number""",
        {"refresh_id": record.refresh_id, "digest": record.protocol.digest},
    )
    record.wh.execute("drop table temp.violated")


def _write_repairs(record: Record, repairs: Repairs, kinds: list[str]) -> None:
    record.wh.execute("delete from quality.repairs where list_contains(?, table_name)", [kinds])
    prints = {name: record.asked(record.protocol.rules[name]).fingerprint for name in repairs.seconds}
    receipts = repairs.carried_out.filter(pl.col("table_name").is_in(kinds)).with_columns(
        refresh_id=pl.lit(record.refresh_id),
        rule_fingerprint=pl.col("rule_id").replace_strict(prints, return_dtype=pl.String),
        protocol_digest=pl.lit(record.protocol.digest),
    )
    record.wh.append("quality.repairs", receipts)


def _write_cases(record: Record, kinds: list[str]) -> None:
    """Cases of a question that is no longer asked go when all kinds were judged."""
    asked = list({met.rule.question for met in record.met})
    is_whole = set(kinds) == set(KINDS)
    record.wh.execute("delete from quality.cases where ? or list_contains(?::varchar[], question)", [is_whole, asked])
    rows = frame(record.cases).with_columns(refresh_id=pl.lit(record.refresh_id))
    record.wh.append("quality.cases", rows)


def _write_quarantine(record: Record, kinds: list[str]) -> None:
    """Rows of rules that quarantine and rows that a case in force sets aside, as they were staged."""
    wh = record.wh
    by_case = [
        set_aside(record.protocol, met, record.cases).with_columns(
            table_name=pl.lit(met.rule.table), rule_id=pl.lit(met.rule.id)
        )
        for met in record.met
    ]
    wh.execute("create or replace temp table set_aside (table_name varchar, _row_id bigint, rule_id varchar)")
    if by_case:
        wh.append("temp.set_aside", pl.concat(by_case))
    wh.execute("delete from quality.quarantine where list_contains(?, table_name)", [kinds])
    for kind in kinds:
        wh.execute(
            f"""-- rows set aside, whole: one row per staged row
            insert into quality.quarantine (table_name, _row_id, rule_ids, row)
            with reasons as (
                select _row_id, rule_id from quality.violations where table_name = $kind and action = 'quarantine'
                union all
                select _row_id, rule_id from temp.set_aside where table_name = $kind
            ),
            aside as (
                select _row_id, list(distinct rule_id order by rule_id) as rule_ids from reasons group by _row_id
            )
            select $kind, s._row_id, a.rule_ids, to_json(s)
            from staging.{kind} as s
            join aside as a on a._row_id = s._row_id""",
            {"kind": kind},
        )
    wh.execute("drop table temp.set_aside")


def _history(record: Record) -> pl.DataFrame:
    columns = (
        "rule_id", "category", "action", "rows", "failing_rows", "share", "tolerate", "passed", "blocking", "seconds",
        "seq", "basis", "backwards",
    )  # fmt: skip
    return pl.DataFrame(
        [
            {"refresh_id": record.refresh_id, "table_name": check.table}
            | {column: getattr(check, column) for column in columns}
            | {state: check.course.get(state, 0) for state in STATES}
            | {"notes": list(check.notes)}
            for check in record.checks
        ],
        schema_overrides={"notes": pl.List(pl.String)},
    )
