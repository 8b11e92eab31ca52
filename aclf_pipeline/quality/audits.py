"""Audits: rules across rows and tables, each a query that returns the violating rows as `_row_id` and `observed`.

In an audit, `staging.<kind>` means its current rows: what `quality.superseded` holds is out of sight, so that an
earlier version of a row is no duplicate of the newer one.

What does not belong here: the queries (sql/audits) and rules about one row (`executor`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import polars as pl

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.warehouse.connection import Warehouse

WIDEST = 400
"""Characters of `observed` that are kept."""

_STAGING = re.compile(r"\bstaging\.(\w+)", re.IGNORECASE)


def current(table: str) -> str:
    """The rows of a staging table that no newer version replaces, as a query."""
    return (
        f"select s.* from staging.{table} as s anti join"
        f" (select _row_id from quality.superseded where table_name = '{table}') as old on old._row_id = s._row_id"
    )


@contextmanager
def current_views(wh: Warehouse) -> Iterator[frozenset[str]]:
    """While open, `temp.<kind>` shows the current rows of each kind that is staged; gives those kinds."""
    staged = frozenset(kind for kind in KINDS if f"staging.{kind}" in wh.tables())
    for kind in staged:
        wh.execute(f"create or replace temp view {kind} as {current(kind)}")
    try:
        yield staged
    finally:
        for kind in staged:
            wh.execute(f"drop view if exists temp.{kind}")


def run_audit(wh: Warehouse, rule: Rule, sql: str, staged: Collection[str]) -> pl.DataFrame:
    """The current rows an audit rejects (_row_id, patient_id, observed), one per row and observation.

    Needs `current_views`. Raises QualityError naming rule and file when the query fails, does not return exactly
    `_row_id` and `observed`, or returns rows that `rule.table` does not hold.
    """
    where = f"rule '{rule.id}', sql/audits/{rule.id}.sql"
    query = _STAGING.sub(lambda m: f"temp.{m[1]}" if m[1].lower() in staged else m[0], sql.strip().rstrip(";"))
    try:
        wh.execute(f"create or replace temp table audit_found as\n{query}")
    except Exception as error:
        raise QualityError(f"{where}: the audit cannot be run: {error}") from error
    try:
        return _read_found(wh, rule.table, where)
    finally:
        wh.execute("drop table if exists temp.audit_found")


def _read_found(wh: Warehouse, table: str, where: str) -> pl.DataFrame:
    columns = wh.frame("select * from temp.audit_found limit 0").schema
    if set(columns) != {"_row_id", "observed"}:
        raise QualityError(
            f"{where}: an audit returns the columns _row_id and observed; this one: {', '.join(columns)}"
        )
    if not columns["_row_id"].is_integer() and columns["_row_id"] != pl.Null:
        raise QualityError(f"{where}: _row_id is {columns['_row_id']}; it must be the _row_id of staging.{table}")
    strangers = wh.scalar(
        f"""-- row ids the table does not hold
        select count(*) from temp.audit_found as f
        anti join staging.{table} as s on s._row_id = f._row_id"""
    )
    if strangers:
        raise QualityError(f"{where}: {strangers} of the row ids it returns are not in staging.{table}")
    return wh.frame(
        f"""-- current rows the audit rejects: one row per row and observation
        select distinct s._row_id, s.patient_id, left(f.observed::varchar, {WIDEST}) as observed
        from temp.audit_found as f
        join temp.{table} as s on s._row_id = f._row_id
        order by all"""
    )
