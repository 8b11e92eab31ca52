"""The gate: staging is told apart by version, judged, and only then becomes core.

Order of judgement: versions; repairs; contracts, rules and audits on the rows as repaired; cases. Order of writes:
superseded rows; then violations, repairs, cases, quarantine and checks in one transaction; then every core table in one
transaction. A crash in between leaves the last good core tables and loses no finding. A refresh with a failing blocking
check leaves core as it was.

What does not belong here: how a row is judged (`executor`, `audits`, `repairs`, `cases`, `versions`), when a check
passes (`verdicts`), and how a result is shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from aclf_pipeline.contracts import KINDS, Contract
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.quality.audits import Seen, audit_failures, current_views, run_audit
from aclf_pipeline.quality.cases import Met, counted, gather, notes, settled
from aclf_pipeline.quality.executor import Findings, QualityError, RowCheck, judge, row_checks, shape_problems
from aclf_pipeline.quality.found import Failing, found_rows
from aclf_pipeline.quality.record import Record, write
from aclf_pipeline.quality.repairs import CONFLICT, Repairs, repair
from aclf_pipeline.quality.verdicts import CheckResult, Places, asked_by_contract
from aclf_pipeline.quality.versions import Superseded, supersede
from aclf_pipeline.warehouse.connection import Warehouse


@dataclass(frozen=True)
class GateReport:
    """What a gate came to: one result per contract and rule, the tables that became core, and the seconds of its steps
    `versions`, `judge`, `record` and `accept`, by the clock and of the processors.
    """

    checks: list[CheckResult]
    blocked: bool
    promoted: list[str]
    superseded: list[Superseded]
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]


@dataclass
class _Laps:
    """The seconds of steps that follow each other, by the clock and of the processors."""

    since: tuple[float, float] = field(default_factory=lambda: (time.perf_counter(), time.process_time()))
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    def end(self, step: str) -> None:
        now = time.perf_counter(), time.process_time()
        self.seconds[step], self.cpu_seconds[step] = now[0] - self.since[0], now[1] - self.since[1]
        self.since = now


def run_gate(
    wh: Warehouse,
    protocol: Protocol,
    audits: Mapping[str, str],
    refresh_id: str,
    kinds: Sequence[str] | None = None,
    *,
    source: str | None = None,
    review_on: date | None = None,
) -> GateReport:
    """Judge the staged kinds (default: all) and promote them to core when nothing that blocks has failed.

    `audits` maps a rule id to the text of its query, and `_<name>` to that of a shared view. `source` (default: the
    study's) chooses the rules. `review_on` (default: the study's `as_of`) is the day on which waivers must be valid.
    With a part of the kinds, audits still see every staged table as repaired, and a question is judged on the evidence
    of the given kinds alone. Raises QualityError when a rule or audit cannot be carried out; then nothing is written
    but the versions.
    """
    contracts, laps = _contracts(wh, kinds), _Laps()
    misfits = {kind: shape_problems(_schema(wh, kind), contract) for kind, contract in contracts.items()}
    sound = {kind: contract for kind, contract in contracts.items() if not misfits[kind]}
    superseded = supersede(wh, sound)
    laps.end("versions")
    rules = {kind: protocol.rules_for(kind, source) for kind in contracts}
    with current_views(wh) as seen, found_rows(wh) as found:
        record = Record(wh, protocol, audits, refresh_id, review_on or protocol.study.as_of, Places.of(wh), found)
        if len(sound) == len(contracts):
            repairing = [rule for kind in KINDS if kind in seen.kinds for rule in protocol.rules_for(kind, source)]
            record.repairs = repair(wh, repairing, audits, seen)
        for kind, contract in contracts.items():
            if kind not in sound:
                _refuse(record, contract, rules[kind], list(misfits[kind].values()))
                continue
            rows = _judge_rows(record, contract, rules[kind], seen)
            if record.repairs is not None:
                _audit(record, record.repairs, rules[kind], rows, seen)
            else:
                _postpone(record, rules[kind], rows)
        _adjudicate(record)
        laps.end("judge")
        write(record, list(contracts))
        laps.end("record")
        blocked = any(check.blocking and not check.passed for check in record.checks)
        promoted = [] if blocked else _promote(wh, list(contracts), seen)
    laps.end("accept")
    return GateReport(record.checks, blocked, promoted, superseded, laps.seconds, laps.cpu_seconds)


def _contracts(wh: Warehouse, kinds: Sequence[str] | None) -> dict[str, type[Contract]]:
    asked = list(KINDS) if kinds is None else list(kinds)
    if unknown := [kind for kind in asked if kind not in KINDS]:
        raise QualityError(f"gate: no contract for {', '.join(unknown)}; kinds are {', '.join(KINDS)}")
    if unstaged := [kind for kind in asked if f"staging.{kind}" not in wh.tables()]:
        raise QualityError(f"gate: not staged yet: {', '.join(f'staging.{kind}' for kind in unstaged)}")
    return {kind: KINDS[kind] for kind in asked}


def _schema(wh: Warehouse, kind: str) -> pl.Schema:
    return wh.frame(f"select * from staging.{kind} limit 0").schema


def _refuse(record: Record, contract: type[Contract], rules: Sequence[Rule], problems: list[str]) -> None:
    """The shape is wrong: the contract fails with what is wrong, and no rule of the table can be judged."""
    asked = asked_by_contract(contract)
    rows = record.wh.scalar(f"select count(*) from staging.{asked.table}")
    nothing = record.found.nothing()
    record.add(asked, nothing, rows, 0.0, problems)
    for rule in rules:
        reason = [f"Not judged: staging.{asked.table} breaks its contract"]
        record.add(record.asked(rule), nothing, rows, 0.0, reason)


def _postpone(record: Record, rules: Sequence[Rule], rows: int) -> None:
    """An audit may read any table, so none is run while a table breaks its contract."""
    for rule in rules:
        if rule.holds is None:
            record.add(
                record.asked(rule), record.found.nothing(), rows, 0.0, ["Not judged: a table breaks its contract"]
            )


def _judge_rows(record: Record, contract: type[Contract], rules: Sequence[Rule], seen: Seen) -> int:
    """Contract and row rules of one table in one pass; gives the number of rows judged."""
    asked = asked_by_contract(contract)
    checks = row_checks(contract, rules)
    started = time.perf_counter()
    findings = judge(record.found, f"({seen.current(asked.table)})", checks)
    seconds = time.perf_counter() - started
    record.add(asked, _contract_failures(record, findings, checks), findings.rows, seconds)
    for rule in rules:
        if rule.holds is not None:
            record.add(record.asked(rule), findings.failing(rule.id), findings.rows, seconds)
    return findings.rows


def _contract_failures(record: Record, findings: Findings, checks: Sequence[RowCheck]) -> Failing:
    says = {"not_null": "must not be missing", "vocabulary": "is not in its vocabulary", "unique": "stands twice"}
    broken = [check for check in checks if check.kind != "rule" and findings.failing(check.id).rows]
    if not broken:
        return record.found.nothing()
    told = [
        f"select _row_id, patient_id, observed || ' {says[check.kind]}' as observed"
        f" from ({findings.failing(check.id).query})"
        for check in broken
    ]
    return record.found.take(" union all ".join(told))


def _audit(record: Record, repairs: Repairs, rules: Sequence[Rule], rows: int, seen: Seen) -> None:
    """The rules of one table that are no condition on a row; what adjudicates is reported after all tables."""
    for rule in rules:
        if rule.holds is not None:
            continue
        if rule.action == "repair":
            failing, notes_on_it = record.found.take_frame(repairs.failing(rule.id)), repairs.notes(rule.id)
            record.add(record.asked(rule), failing, rows, repairs.seconds[rule.id], notes=notes_on_it)
            continue
        started = time.perf_counter()
        if rule.action == "adjudicate":
            evidence = run_audit(record.wh, rule, record.audits, seen)
            record.met.append(Met(rule, evidence, rows, time.perf_counter() - started))
        else:
            rejected = audit_failures(record.found, rule, record.audits, seen)
            record.add(record.asked(rule), rejected, rows, time.perf_counter() - started)
    for table in {rule.table for rule in rules}:
        disputed = record.found.take_frame(repairs.conflicts(table))
        record.violate(table, CONFLICT, CONFLICT, disputed, "quarantine")


def _adjudicate(record: Record) -> None:
    """Make cases of what the rules that adjudicate have met, and report each rule with its cases."""
    record.cases = gather(record.protocol, record.met, record.places)
    first = {met.rule.question: met.rule.id for met in reversed(record.met)}
    for met in record.met:
        told = notes(record.protocol, met, record.cases, is_first=first[met.rule.question] == met.rule.id)
        record.add(
            record.asked(met.rule), record.found.take_frame(met.failing), met.rows, met.seconds, notes=told,
            settled=settled(met, record.cases), cases=counted(met, record.cases),
        )  # fmt: skip


def _promote(wh: Warehouse, kinds: list[str], seen: Seen) -> list[str]:
    """Core becomes staging as repaired, without what is superseded or quarantined, all kinds or none."""
    with wh.transaction():
        for kind in kinds:
            wh.execute(
                f"""create or replace table core.{kind} as
                select c.* from ({seen.current(kind)}) as c
                anti join (select _row_id from quality.quarantine where table_name = '{kind}') as aside
                    on aside._row_id = c._row_id"""
            )
    return kinds
