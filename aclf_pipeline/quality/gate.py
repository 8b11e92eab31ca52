"""The gate: staging is told apart by version, judged, and only then becomes core.

Order of writes: superseded rows; then violations, quarantine and checks in one transaction; then every core table in
one transaction. A crash in between leaves the last good core tables and loses no finding. A refresh with a failing
blocking check leaves core as it was.

What does not belong here: how a row is judged (`executor`, `audits`, `versions`), when a check passes (`verdicts`), and
how a result is shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from aclf_pipeline.contracts import KINDS, Contract
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.quality.audits import Seen, asked_text, current, current_views, run_audit
from aclf_pipeline.quality.executor import (
    FAILURE_SCHEMA,
    Findings,
    QualityError,
    RowCheck,
    columns_needed,
    judge,
    row_checks,
    shape_problems,
)
from aclf_pipeline.quality.verdicts import (
    Asked,
    CheckResult,
    Places,
    asked_by_contract,
    asked_by_rule,
    verdict,
    waived_rows,
)
from aclf_pipeline.quality.versions import Superseded, supersede
from aclf_pipeline.warehouse.connection import Warehouse


@dataclass(frozen=True)
class GateReport:
    """What a gate came to: one result per contract and rule, and the tables that became core."""

    checks: list[CheckResult]
    blocked: bool
    promoted: list[str]
    superseded: list[Superseded]


@dataclass
class _Ledger:
    """What is gathered before anything is written."""

    wh: Warehouse
    protocol: Protocol
    refresh_id: str
    as_of: date
    places: Places
    checks: list[CheckResult] = field(default_factory=list)
    violations: list[pl.DataFrame] = field(default_factory=list)

    def add(self, asked: Asked, failing: pl.DataFrame, rows: int, seconds: float, problems: Sequence[str] = ()) -> None:
        """Take the failing rows of one check: its result and its violations."""
        waivers = [waiver for waiver in self.protocol.waivers if waiver.rule == asked.rule_id]
        waived, notes = waived_rows(self.wh, asked.table, failing, waivers, self.as_of)
        self.checks.append(
            verdict(
                asked, failing, rows, waived=waived, notes=notes, problems=problems,
                sample=self.places.sample(failing), seconds=seconds,
            )
        )  # fmt: skip
        if failing.height:
            self.violations.append(
                failing.select(
                    pl.lit(self.refresh_id).alias("refresh_id"),
                    pl.lit(asked.table).alias("table_name"),
                    pl.lit(asked.rule_id).alias("rule_id"),
                    pl.lit(asked.fingerprint).alias("rule_fingerprint"),
                    "_row_id",
                    "patient_id",
                    pl.lit(asked.action).alias("action"),
                    "observed",
                    pl.lit(self.protocol.digest).alias("protocol_digest"),
                )
            )


def run_gate(
    wh: Warehouse,
    protocol: Protocol,
    audits: Mapping[str, str],
    refresh_id: str,
    kinds: Sequence[str] | None = None,
    *,
    source: str | None = None,
    as_of: date | None = None,
) -> GateReport:
    """Judge the staged kinds (default: all) and promote them to core when nothing that blocks has failed.

    `audits` maps a rule id to the text of its query. `source` (default: the study's) chooses the rules. `as_of`
    (default: the study's) is the day on which waivers must be valid. Raises QualityError when a rule or audit cannot be
    carried out; then nothing is written but the versions.
    """
    contracts = _contracts(wh, kinds)
    misfits = {kind: shape_problems(_schema(wh, kind), contract) for kind, contract in contracts.items()}
    sound = {kind: contract for kind, contract in contracts.items() if not misfits[kind]}
    superseded = supersede(wh, sound)
    ledger = _Ledger(wh, protocol, refresh_id, as_of or protocol.study.as_of, Places.of(wh))
    with current_views(wh) as seen:
        for kind, contract in contracts.items():
            rules = protocol.rules_for(kind, source)
            if kind not in sound:
                _refuse(ledger, contract, rules, list(misfits[kind].values()), audits)
                continue
            rows = _judge_rows(ledger, contract, rules)
            if len(sound) == len(contracts):
                _audit(ledger, rules, audits, rows, seen)
            else:
                _postpone(ledger, rules, audits, rows)
    _write(ledger, list(contracts))
    blocked = any(check.blocking and not check.passed for check in ledger.checks)
    promoted = [] if blocked else _promote(wh, list(contracts))
    return GateReport(ledger.checks, blocked, promoted, superseded)


def _contracts(wh: Warehouse, kinds: Sequence[str] | None) -> dict[str, type[Contract]]:
    asked = list(KINDS) if kinds is None else list(kinds)
    if unknown := [kind for kind in asked if kind not in KINDS]:
        raise QualityError(f"gate: no contract for {', '.join(unknown)}; kinds are {', '.join(KINDS)}")
    if unstaged := [kind for kind in asked if f"staging.{kind}" not in wh.tables()]:
        raise QualityError(f"gate: not staged yet: {', '.join(f'staging.{kind}' for kind in unstaged)}")
    return {kind: KINDS[kind] for kind in asked}


def _schema(wh: Warehouse, kind: str) -> pl.Schema:
    return wh.frame(f"select * from staging.{kind} limit 0").schema


def _refuse(
    ledger: _Ledger, contract: type[Contract], rules: Sequence[Rule], problems: list[str], audits: Mapping[str, str]
) -> None:
    """The shape is wrong: the contract fails with what is wrong, and no rule of the table can be judged."""
    asked = asked_by_contract(contract)
    rows = ledger.wh.scalar(f"select count(*) from staging.{asked.table}")
    nothing = FAILURE_SCHEMA.to_frame()
    ledger.add(asked, nothing, rows, 0.0, problems)
    for rule in rules:
        reason = [f"Not judged: staging.{asked.table} breaks its contract"]
        ledger.add(asked_by_rule(rule, asked_text(audits, rule.id)), nothing, rows, 0.0, reason)


def _postpone(ledger: _Ledger, rules: Sequence[Rule], audits: Mapping[str, str], rows: int) -> None:
    """An audit may read any table, so none is run while a table breaks its contract."""
    for rule in rules:
        if rule.holds is None:
            asked = asked_by_rule(rule, asked_text(audits, rule.id))
            ledger.add(asked, FAILURE_SCHEMA.to_frame(), rows, 0.0, ["Not judged: a table breaks its contract"])


def _judge_rows(ledger: _Ledger, contract: type[Contract], rules: Sequence[Rule]) -> int:
    """Contract and row rules of one table in one pass; gives the number of rows judged."""
    asked = asked_by_contract(contract)
    checks = row_checks(contract, rules)
    columns = ", ".join(f'"{name}"' for name in columns_needed(checks, _schema(ledger.wh, asked.table)))
    started = time.perf_counter()
    stream = ledger.wh.chunks(f"select {columns} from ({current(asked.table)})")
    findings = judge(stream, checks)
    seconds = time.perf_counter() - started
    ledger.add(asked, _contract_failures(findings, checks), findings.rows, seconds)
    for rule in rules:
        if rule.holds is not None:
            ledger.add(asked_by_rule(rule), findings.failing(rule.id), findings.rows, seconds)
    return findings.rows


def _contract_failures(findings: Findings, checks: Sequence[RowCheck]) -> pl.DataFrame:
    says = {"not_null": "must not be missing", "vocabulary": "is not in its vocabulary", "unique": "stands twice"}
    return pl.concat(
        [FAILURE_SCHEMA.to_frame()]
        + [
            findings.failing(check.id).with_columns(pl.col("observed") + f" {says[check.kind]}")
            for check in checks
            if check.kind != "rule"
        ]
    )


def _audit(ledger: _Ledger, rules: Sequence[Rule], audits: Mapping[str, str], rows: int, seen: Seen) -> None:
    for rule in rules:
        if rule.holds is not None:
            continue
        started = time.perf_counter()
        failing = run_audit(ledger.wh, rule, audits, seen)
        ledger.add(asked_by_rule(rule, asked_text(audits, rule.id)), failing, rows, time.perf_counter() - started)


def _write(ledger: _Ledger, kinds: list[str]) -> None:
    """Violations and quarantine of these kinds are replaced, the history of checks grows."""
    wh = ledger.wh
    with wh.transaction():
        for table in ("quality.violations", "quality.quarantine"):
            wh.execute(f"delete from {table} where list_contains(?, table_name)", [kinds])
        if ledger.violations:
            wh.append("quality.violations", pl.concat(ledger.violations))
        for kind in kinds:
            wh.execute(
                f"""-- rows set aside, whole: one row per staged row
                insert into quality.quarantine (table_name, _row_id, rule_ids, row)
                with aside as (
                    select _row_id, list(distinct rule_id order by rule_id) as rule_ids
                    from quality.violations
                    where table_name = $kind and action = 'quarantine'
                    group by _row_id
                )
                select $kind, s._row_id, a.rule_ids, to_json(s)
                from staging.{kind} as s
                join aside as a on a._row_id = s._row_id""",
                {"kind": kind},
            )
        wh.execute(
            "delete from quality.checks where refresh_id = ? and list_contains(?, table_name)",
            [ledger.refresh_id, kinds],
        )
        wh.append("quality.checks", _history(ledger))


def _history(ledger: _Ledger) -> pl.DataFrame:
    columns = (
        "rule_id", "category", "action", "rows", "failing_rows", "share", "tolerate", "passed", "blocking", "seconds",
    )  # fmt: skip
    return pl.DataFrame(
        [
            {"refresh_id": ledger.refresh_id, "table_name": check.table}
            | {column: getattr(check, column) for column in columns}
            for check in ledger.checks
        ]
    )


def _promote(wh: Warehouse, kinds: list[str]) -> list[str]:
    """Core becomes staging without what is superseded or quarantined, all kinds or none."""
    with wh.transaction():
        for kind in kinds:
            wh.execute(
                f"""create or replace table core.{kind} as
                select c.* from ({current(kind)}) as c
                anti join (select _row_id from quality.quarantine where table_name = '{kind}') as aside
                    on aside._row_id = c._row_id"""
            )
    return kinds
