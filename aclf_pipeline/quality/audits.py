"""Audits: rules across rows and tables, each a query that returns the violating rows as `_row_id` and `observed`.

In an audit, `staging.<kind>` means its current rows: what `quality.superseded` holds is out of sight, so that an
earlier version of a row is no duplicate of the newer one. `audit.<name>` is the view `sql/audits/_<name>.sql`, made
once, when the first audit asks for it. An audit that reads `quality.superseded` is about versions: it sees every
staged row, and may return rows that no longer count.

What does not belong here: the queries (sql/audits) and rules about one row (`executor`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.quality.found import Failing, Found
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import shared_views

WIDEST = 400
"""Characters of `observed` that are kept."""

REPAIRED = "quality.repaired__"
"""While the gate runs, `quality.repaired__<kind>` holds the rows that repairs rewrote, whole."""

_STAGING = re.compile(r"\bstaging\.(\w+)", re.IGNORECASE)
_SHARED = re.compile(r"\baudit\.(\w+)", re.IGNORECASE)


def current(table: str, *, rewritten: bool = False) -> str:
    """The rows of a staging table that no newer version replaces, as a query; with `rewritten`, as repaired."""
    query = (
        f"select s.* from staging.{table} as s anti join"
        f" (select _row_id from quality.superseded where table_name = '{table}') as old on old._row_id = s._row_id"
    )
    if not rewritten:
        return query
    repaired = f"{REPAIRED}{table}"
    return (
        f"{query} anti join (select _row_id from {repaired}) as repaired on repaired._row_id = s._row_id"
        f" union all select * from {repaired}"
    )


def is_about_versions(sql: str) -> bool:
    """Whether an audit asks for rows that no newer version leaves standing."""
    return "quality.superseded" in sql


@dataclass
class Seen:
    """What audits see while `current_views` is open: the staged kinds, those of them that hold repaired rows, and the
    shared views made so far.
    """

    wh: Warehouse
    kinds: frozenset[str]
    rewritten: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)

    def current(self, kind: str) -> str:
        """The rows of a kind that audits see, as a query."""
        return current(kind, rewritten=kind in self.rewritten)

    def show(self, kind: str) -> None:
        """Let `temp.<kind>` show what the kind now holds; what was made of the rows before is forgotten."""
        self.wh.execute(f"create or replace temp view {kind} as {self.current(kind)}")
        for view in self.shared:
            self.wh.execute(f"drop table if exists temp.audit{view}")
        self.shared.clear()

    def translated(self, sql: str) -> str:
        """A query of the audits as it is run: current rows for staged ones, made views for shared ones."""
        if is_about_versions(sql):
            return sql.strip().rstrip(";")
        text = _STAGING.sub(lambda m: f"temp.{m[1]}" if m[1].lower() in self.kinds else m[0], sql.strip().rstrip(";"))
        return _SHARED.sub(lambda m: f"temp.audit_{m[1]}" if f"_{m[1]}".lower() in self.shared else m[0], text)


@contextmanager
def current_views(wh: Warehouse) -> Iterator[Seen]:
    """While open, `temp.<kind>` shows the current rows of each kind that is staged."""
    known = wh.tables()
    for left_behind in sorted(name for name in known if name.startswith(REPAIRED)):
        wh.execute(f"drop table {left_behind}")
    seen = Seen(wh, frozenset(kind for kind in KINDS if f"staging.{kind}" in known))
    for kind in seen.kinds:
        seen.show(kind)
    try:
        yield seen
    finally:
        for view in seen.shared:
            wh.execute(f"drop table if exists temp.audit{view}")
        for kind in seen.kinds:
            wh.execute(f"drop view if exists temp.{kind}")
        for kind in seen.rewritten:
            wh.execute(f"drop table if exists {REPAIRED}{kind}")


def run_audit(wh: Warehouse, rule: Rule, audits: Mapping[str, str], seen: Seen) -> pl.DataFrame:
    """The current rows an audit rejects (_row_id, patient_id, observed), one per row and observation.

    Raises QualityError as `found_by` does.
    """
    with found_by(wh, rule, audits, seen, ("_row_id", "observed")) as where:
        refuse_strangers(wh, rule, where)
        return wh.frame(f"{_rejected(rule, audits)} order by all")


def audit_failures(found: Found, rule: Rule, audits: Mapping[str, str], seen: Seen) -> Failing:
    """The same rows, stored among what the gate has found; memory does not grow with their number."""
    with found_by(found.wh, rule, audits, seen, ("_row_id", "observed")) as where:
        failing = found.take(_rejected(rule, audits))
        refuse_strangers(found.wh, rule, where, failing.query)
        return failing


def _rejected(rule: Rule, audits: Mapping[str, str]) -> str:
    rows = "staging" if is_about_versions(audits[rule.id]) else "temp"
    return f"""select distinct s._row_id, s.patient_id, left(f.observed::varchar, {WIDEST}) as observed
        from temp.audit_found as f
        join {rows}.{rule.table} as s on s._row_id = f._row_id"""


@contextmanager
def found_by(wh: Warehouse, rule: Rule, audits: Mapping[str, str], seen: Seen, columns: Sequence[str]) -> Iterator[str]:
    """While open, `temp.audit_found` holds what the audit of a rule returns; gives rule and file, for messages.

    Raises QualityError naming rule and file when there is no such file, the query fails, or does not return exactly
    `columns`.
    """
    if rule.id not in audits:
        raise QualityError(f"rule '{rule.id}' has no 'holds' and there is no sql/audits/{rule.id}.sql")
    where = f"rule '{rule.id}', sql/audits/{rule.id}.sql"
    _share(wh, audits, audits[rule.id], seen, where)
    try:
        wh.execute(f"create or replace temp table audit_found as\n{seen.translated(audits[rule.id])}")
    except Exception as error:
        raise QualityError(f"{where}: the audit cannot be run: {error}") from error
    try:
        _check_found(wh, rule, where, columns)
        yield where
    finally:
        wh.execute("drop table if exists temp.audit_found")


def _share(wh: Warehouse, audits: Mapping[str, str], sql: str, seen: Seen, where: str) -> None:
    """Make the views a query reads that are not made yet."""
    if _SHARED.search(sql) is None:
        return
    try:
        needed = shared_views(audits, sql)
    except ValueError as error:
        raise QualityError(f"{where}: the audit cannot be run: {error}") from error
    for view, text in needed.items():
        if view in seen.shared:
            continue
        try:
            wh.execute(f"create or replace temp table audit{view} as\n{seen.translated(text)}")
        except Exception as error:
            raise QualityError(f"{where}: the view sql/audits/{view}.sql it reads cannot be made: {error}") from error
        seen.shared.add(view)


def asked_text(audits: Mapping[str, str], rule_id: str) -> str | None:
    """Everything an audit asks: its own text and that of the views it reads; None when there is no such audit."""
    if rule_id not in audits:
        return None
    return "\n".join([*shared_views(audits, audits[rule_id]).values(), audits[rule_id]])


def _check_found(wh: Warehouse, rule: Rule, where: str, columns: Sequence[str]) -> None:
    found = wh.frame("select * from temp.audit_found limit 0").schema
    if set(found) != set(columns):
        asked = f"{', '.join(columns[:-1])} and {columns[-1]}"
        what = {"repair": "a repair"}.get(rule.action, "an audit")
        raise QualityError(f"{where}: {what} returns the columns {asked}; this one: {', '.join(found)}")
    if not found["_row_id"].is_integer() and found["_row_id"] != pl.Null:
        raise QualityError(f"{where}: _row_id is {found['_row_id']}; it must be the _row_id of staging.{rule.table}")


def refuse_strangers(wh: Warehouse, rule: Rule, where: str, met: str | None = None) -> None:
    """Raise QualityError when `temp.audit_found` names rows that `rule.table` does not hold.

    `met` is a query for the rows of it that are known to be there; only the rest are looked for.
    """
    rest = "temp.audit_found"
    if met is not None:
        rest = f"(select * from temp.audit_found anti join ({met}) using (_row_id))"
        if not wh.scalar(f"select count(*) from {rest}"):
            return
    strangers = wh.scalar(
        f"""-- row ids the table does not hold
        select count(*) from {rest} as f
        anti join staging.{rule.table} as s on s._row_id = f._row_id"""
    )
    if strangers:
        raise QualityError(f"{where}: {strangers} of the row ids it returns are not in staging.{rule.table}")
