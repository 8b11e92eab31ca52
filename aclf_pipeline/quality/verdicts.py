"""What a check came to: rows, failing rows, waivers, and whether it passed.

What does not belong here: finding the failing rows (`executor`, `audits`) and what follows for a table (`gate`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from aclf_pipeline.contracts import Contract, promises
from aclf_pipeline.protocol.models import Action, Rule, Waiver
from aclf_pipeline.quality.conditions import in_duckdb
from aclf_pipeline.quality.executor import ROW_ID, QualityError, table_of
from aclf_pipeline.quality.found import Failing
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import unpack

SAMPLE_ROWS = 25
CONTRACT_CATEGORY = "conformance/contract"


@dataclass(frozen=True)
class CheckResult:
    """One rule or contract held against one table.

    `share` is the failing share of `rows` that no waiver accepts; `failing_rows` counts all. `problems` says why a
    check could not be carried out. `sample` has at most 25 failing rows with the keys patient (a pseudonym), observed,
    file, line and sheet. `seconds` is the time of the pass the check was part of. `cases` counts the cases of a rule
    that adjudicates by their state; one that is open or stale is a warning whatever is tolerated. `course` counts its
    findings against the refresh before by what became of them, and `backwards` those that went backwards and that
    nobody accepted; with `fails_backwards` the check fails by them. `seq` numbers the refresh among those that were
    judged, and `basis` names what the rule asked.
    """

    rule_id: str
    table: str
    says: str
    category: str
    action: Action
    rows: int
    failing_rows: int
    share: float
    tolerate: float
    passed: bool
    blocking: bool
    because: str
    fix: str
    condition: str
    fingerprint: str
    sample: list[dict[str, str | int | None]] = field(default_factory=list)
    waived_rows: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    cases: Mapping[str, int] = field(default_factory=dict)
    course: Mapping[str, int] = field(default_factory=dict)
    backwards: int = 0
    fails_backwards: bool = False
    seq: int | None = None
    basis: str | None = None

    @property
    def severity(self) -> Literal["ERROR", "WARN"]:
        """How a failure of this check is shown: what keeps its row warns, all else is an error."""
        return "WARN" if self.action in ("flag", "repair", "adjudicate") else "ERROR"


@dataclass(frozen=True)
class Asked:
    """A rule or a contract in the words a result needs."""

    rule_id: str
    table: str
    says: str
    category: str
    action: Action
    tolerate: float
    because: str
    fix: str
    condition: str
    fingerprint: str


def asked_by_rule(rule: Rule, audit_sql: str | None = None) -> Asked:
    """A rule of the protocol; the text of its audit is part of its fingerprint."""
    return Asked(
        rule.id, rule.table, rule.says, rule.category, rule.action, rule.tolerate, rule.because, rule.fix,
        rule.holds or (audit_sql or "").strip(), rule.fingerprint_with(audit_sql),
    )  # fmt: skip


def contract_check_id(table: str) -> str:
    """The id under which a table's contract stands among the rules: `<table>_contract`."""
    return f"{table}_contract"


def asked_by_contract(contract: type[Contract]) -> Asked:
    """The contract of a table as one blocking question, `<table>_contract`."""
    table, promised = table_of(contract), promises(contract)
    asked = [[p.name, p.dtype, p.nullable, p.unique, p.within] for p in promised]
    return Asked(
        rule_id=contract_check_id(table),
        table=table,
        says=f"The table {table} has the columns, types, keys and vocabularies its contract promises",
        category=CONTRACT_CATEGORY,
        action="block",
        tolerate=0.0,
        because="Every query after staging relies on the contract (contracts/)",
        fix=f"Correct sql/staging/<source>/<source>__{table}.sql, or its code lists; the export itself is seldom wrong",
        condition="; ".join(_promise_text(p.name, p.dtype, p.nullable, p.unique, p.within) for p in promised),
        fingerprint=hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12],
    )


def _promise_text(name: str, dtype: str, nullable: bool, unique: bool, within: Sequence[str] | None) -> str:
    words = [name, dtype, *(["unique"] if unique else []), *([] if nullable else ["not null"])]
    return " ".join(words) + (f" in ({', '.join(within)})" if within else "")


def verdict(
    asked: Asked,
    failing: int,
    rows: int,
    *,
    waived: frozenset[int] = frozenset(),
    settled: frozenset[int] = frozenset(),
    cases: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
    problems: Sequence[str] = (),
    sample: list[dict[str, str | int | None]] | None = None,
    seconds: float = 0.0,
) -> CheckResult:
    """The result of a check from the number of its failing rows; `waived` and `settled` are some of them.

    The check passes when nothing kept it from being carried out and the share of failing rows that are neither waived
    nor settled by a decision is at most what is tolerated; and no case is left to decide but for waived rows. A table
    without rows has no failing share.
    """
    counted = failing - len(waived | settled)
    share = counted / rows if rows else 0.0
    to_decide = bool(counted) and bool(cases) and any(n for state, n in (cases or {}).items() if state != "decided")
    return CheckResult(
        asked.rule_id, asked.table, asked.says, asked.category, asked.action, rows, failing, share, asked.tolerate,
        passed=not problems and share <= asked.tolerate and not to_decide,
        blocking=asked.action == "block",
        because=asked.because,
        fix=asked.fix,
        condition=asked.condition,
        fingerprint=asked.fingerprint,
        sample=sample or [],
        waived_rows=len(waived),
        notes=tuple(notes),
        problems=tuple(problems),
        seconds=seconds,
        cases=cases or {},
    )  # fmt: skip


@dataclass(frozen=True)
class Places:
    """File, sheet and line of a row id, as a reader of a finding needs them."""

    files: Mapping[int, tuple[str, Sequence[str]]]

    @classmethod
    def of(cls, wh: Warehouse) -> Places:
        """The places of everything ingested."""
        rows = wh.rows(
            """-- names of ingested files: one row per file
            select file_id, path, sheets from quality.files"""
        )
        return cls({file_id: (path, sheets or ()) for file_id, path, sheets in rows})

    def sample(self, failing: Failing) -> list[dict[str, str | int | None]]:
        """The first failing rows with the place each comes from."""
        return [self._located(*row) for row in failing.head(SAMPLE_ROWS).iter_rows()]

    def _located(self, row_id: int | None, patient: str | None, observed: str) -> dict[str, str | int | None]:
        path, line, sheet = self.place(row_id)
        return {"patient": patient, "observed": observed, "file": path, "line": line, "sheet": sheet}

    def place(self, row_id: int | None) -> tuple[str | None, int | None, str | None]:
        """File, line and sheet of a row id; nothing where there is none."""
        if row_id is None or row_id < 0:
            return None, None, None
        place = unpack(row_id)
        path, sheets = self.files.get(place.file_id, (None, ()))
        return path, place.line, sheets[place.sheet - 1] if 0 < place.sheet <= len(sheets) else None

    def words(self, row_id: int | None) -> str:
        """The place of a row id for a line of text."""
        path, line, sheet = self.place(row_id)
        return f"{path or 'unknown file'}{f', sheet {sheet}' if sheet else ''}, line {line}"


def waived_rows(
    wh: Warehouse, table: str, failing: Failing, waivers: Sequence[Waiver], review_on: date
) -> tuple[frozenset[int], list[str]]:
    """Failing rows that valid waivers of one rule accept, and a sentence on each waiver.

    A waiver that has expired on `review_on`, or covers more rows than it was granted for, accepts nothing.
    """
    accepted: set[int] = set()
    notes = []
    for waiver in waivers:
        ids, covered = _in_scope(wh, table, failing, waiver)
        if not waiver.valid_on(review_on):
            notes.append(
                f"The waiver of {waiver.owner} expired on {waiver.expires}; {covered} rows count again"
                f" (judged on {review_on})"
            )
        elif covered > waiver.at_most:
            notes.append(f"The waiver of {waiver.owner} is for {waiver.at_most} rows; {covered} fail, so all count")
        else:
            accepted |= ids
            notes.append(
                f"{covered} rows are accepted until {waiver.expires}: {waiver.reason}"
                f" (owner {waiver.owner}, approved by {waiver.approver})"
            )
    return frozenset(accepted), notes


def _in_scope(wh: Warehouse, table: str, failing: Failing, waiver: Waiver) -> tuple[set[int], int]:
    """At most so many rows as are waived of those in the scope of a waiver, and how many there are."""
    within = f"select distinct {ROW_ID} from ({failing.query})"
    if waiver.scope is not None:
        within += f" semi join (select {ROW_ID} from staging.{table} where {in_duckdb(waiver.scope)}) using ({ROW_ID})"
    try:
        covered = wh.scalar(f"select count({ROW_ID}) from ({within})")
    except Exception as error:
        raise QualityError(
            f"waivers.yaml: the waiver of rule '{waiver.rule}' has scope '{waiver.scope}', which cannot be evaluated on"
            f" {table}: {str(error).splitlines()[0]}"
        ) from error
    rows = wh.rows(f"{within} limit {waiver.at_most}")
    return {row_id for (row_id,) in rows if row_id is not None}, covered
