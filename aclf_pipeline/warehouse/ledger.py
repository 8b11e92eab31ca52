"""The ledger: what was delivered, refused, repaired, replaced, set aside and checked, read and written.

No table holds a direct identifier; the ledger's own time stamps are the only place where a clock is read.

What does not belong here: the tables themselves (ledger_tables) and deciding what is refused (ingest, quality).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Protocol
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.sources import Source

REJECTS = {
    "_row_id": pl.Int64,
    "raw_table": pl.String,
    "rule_id": pl.String,
    "reason": pl.String,
    "pieces": pl.Int32,
}
RECEIPTS = {
    "_row_id": pl.Int64,
    "table_name": pl.String,
    "column_name": pl.String,
    "rule_id": pl.String,
    "seen": pl.String,
    "became": pl.String,
}


@dataclass(frozen=True)
class FileEntry:
    """One line of `quality.files`: a file that was loaded, or one known already (`same_content`, `same_as`)."""

    file_id: int
    source: str
    batch: str
    batch_seq: int | None
    path: str
    name: str
    kind: str
    raw_table: str
    form: str
    sha256: str
    bytes: int
    encoding: str | None
    line_end: str | None
    columns: int
    rows: int
    is_snapshot: bool
    state: str
    same_as: int | None
    loaded_at: datetime
    sheets: list[str] | None


@dataclass(frozen=True)
class KnownFile:
    """A file whose content is in the warehouse."""

    file_id: int
    name: str
    batch: str
    kind: str
    raw_table: str
    form: str
    columns: int


def write_file(wh: Warehouse, entry: FileEntry) -> None:
    """Add one line to `quality.files`."""
    names = [field.name for field in fields(entry)]
    marks = ", ".join("?" for _ in names)
    wh.execute(
        f"insert into quality.files ({', '.join(names)}) values ({marks})", [getattr(entry, name) for name in names]
    )


def known_files(wh: Warehouse, source: str) -> dict[str, KnownFile]:
    """Loaded files of a source by the SHA-256 of their content."""
    found = wh.rows(
        "select sha256, file_id, name, batch, kind, raw_table, form, columns from quality.files"
        " where source = ? and state = 'loaded'",
        [source],
    )
    return {sha: KnownFile(*rest) for sha, *rest in found}


def batch_contents(wh: Warehouse, source: str, batch: str) -> dict[str, str]:
    """File name → SHA-256 of what a batch holds, as it was when it was read."""
    return dict(wh.rows("select name, sha256 from quality.files where source = ? and batch = ?", [source, batch]))


def next_file_id(wh: Warehouse) -> int:
    """The id the next file gets."""
    return int(wh.scalar("select coalesce(max(file_id), 0) + 1 from quality.files"))


def batch_states(wh: Warehouse, source: str) -> dict[str, str]:
    """Batch → state, for every batch the ledger knows."""
    return dict(wh.rows("select batch, state from quality.batches where source = ?", [source]))


def write_batch(wh: Warehouse, source: str, batch: str, state: str, received_at: datetime, problems: int) -> None:
    """Set what became of a batch; its place in the order is set by `order_batches`."""
    wh.execute("delete from quality.batches where source = ? and batch = ?", [source, batch])
    wh.execute(
        "insert into quality.batches values (?, ?, null, ?, ?, ?)", [source, batch, state, received_at, problems]
    )


def order_batches(wh: Warehouse, source: str, names: Sequence[str]) -> None:
    """Number the loaded batches from 1 in the given order, in both tables that carry the number."""
    for seq, name in enumerate(names, start=1):
        wh.execute("update quality.batches set seq = ? where source = ? and batch = ?", [seq, source, name])
        wh.execute("update quality.files set batch_seq = ? where source = ? and batch = ?", [seq, source, name])


def batch_seqs(wh: Warehouse, source: str) -> dict[str, int]:
    """Batch → its number in the order, for loaded batches."""
    return dict(wh.rows("select batch, seq from quality.batches where source = ? and seq is not null", [source]))


def newest_delivery(wh: Warehouse, source: Source) -> date | None:
    """The day in the folder name of the newest loaded batch; None for a source whose folders carry none."""
    days = []
    for batch in batch_seqs(wh, source.id):
        found = re.fullmatch(source.batches.folder, batch)
        text = re.sub(r"\D", "", (found.groupdict().get("date") or "") if found else "")
        try:
            days.append(datetime.strptime(text, "%Y%m%d").date())  # noqa: DTZ007 (a day has no time zone)
        except ValueError:
            continue  # the folder is named by something else than a day
    return max(days, default=None)


def write_problems(
    wh: Warehouse,
    source: str,
    batch: str,
    problems: Sequence[tuple[str | None, int | None, str, str, str, str]],
    *,
    only_rule: str | None = None,
) -> None:
    """Replace the problems of a batch (of one rule only, when given): path, line, rule, message, advice, action."""
    wh.execute(
        "delete from quality.file_problems where source = $source and batch = $batch"
        " and ($rule is null or rule_id = $rule)",
        {"source": source, "batch": batch, "rule": only_rule},
    )
    for path, line, rule_id, message, advice, action in problems:
        wh.execute(
            "insert into quality.file_problems (source, batch, path, line, rule_id, message, advice, action)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            [source, batch, path, line, rule_id, message, advice, action],
        )


def write_rejects(wh: Warehouse, frame: pl.DataFrame) -> None:
    """Add records that are no rows (columns as `REJECTS`)."""
    if frame.height:
        wh.append("quality.rejects", frame)


def write_receipts(wh: Warehouse, frame: pl.DataFrame) -> None:
    """Add repairs (columns as `RECEIPTS`)."""
    if frame.height:
        wh.append("quality.receipts", frame)


def forget_batch(wh: Warehouse, source: str, batch: str) -> None:
    """Remove everything a replaced batch left: raw rows, files, rejects, receipts, problems.

    A later batch that had sent one of its files again is removed too: that file must be loaded from there.
    """
    given = {"source": source, "batch": batch}
    of_batch = "select file_id from quality.files where source = $source and batch = $batch"
    leaning = wh.rows(
        "select distinct batch from quality.files"
        f" where source = $source and batch <> $batch and same_as in ({of_batch})",
        given,
    )
    tables = wh.rows("select distinct raw_table from quality.files where source = $source and batch = $batch", given)
    for table in [*(name for (name,) in tables), "quality.rejects", "quality.receipts"]:
        wh.execute(f"delete from {table} where row_file(_row_id) in ({of_batch})", given)
    for table in ("quality.files", "quality.file_problems", "quality.batches"):
        wh.execute(f"delete from {table} where source = $source and batch = $batch", given)
    for (other,) in leaning:
        forget_batch(wh, source, other)


def begin_refresh(
    wh: Warehouse, refresh_id: str, started_at: datetime, source: str, protocol: Protocol, as_of: date
) -> None:
    """Note that a refresh has begun; one that began under the same id before is overwritten.

    One that began earlier and never said how it ended was `interrupted`, by a crash or by hand.
    """
    wh.execute("delete from quality.refreshes where refresh_id = ?", [refresh_id])
    wh.execute("update quality.refreshes set state = 'interrupted' where state = 'running'")
    wh.execute(
        "insert into quality.refreshes values (?, ?, null, ?, ?, ?, ?, 'running')",
        [refresh_id, started_at, source, protocol.study.id, as_of, protocol.digest],
    )


def finish_refresh(wh: Warehouse, refresh_id: str, finished_at: datetime, state: str) -> None:
    """Note how a refresh ended: 'published', 'held_back' or another single word but 'running' and 'interrupted'."""
    wh.execute(
        "update quality.refreshes set finished_at = ?, state = ? where refresh_id = ?",
        [finished_at, state, refresh_id],
    )


def violation_counts(wh: Warehouse) -> pl.DataFrame:
    """Violations of the last judgement, one row per rule, table and action, with what became of its findings."""
    return wh.frame(
        """-- violations by rule: one row per rule, table and action
        with counted as (
            select rule_id, table_name, action, count(distinct _row_id) as rows,
                count(distinct patient_id) as patients
            from quality.violations group by all
        ),
        last as (
            select rule_id, table_name, new, reopened, resolved from quality.checks
            qualify seq = max(seq) over (partition by rule_id, table_name)
        )
        select c.rule_id as rule, c.table_name as "table", c.action, c.rows, c.patients, l.new, l.reopened, l.resolved
        from counted as c
        left join last as l on l.rule_id = c.rule_id and l.table_name = c.table_name
        order by c.rows desc, rule, "table", c.action"""
    )


def violation_rows(wh: Warehouse, rule: str, limit: int = 25) -> pl.DataFrame:
    """Rows that break a rule, with the state of each and the place it comes from; at most `limit`.

    What came back comes first, then what is new. An unknown rule gives no row.
    """
    return wh.frame(
        """-- violating rows of one rule: one row per row and observation
        with found as (
            select table_name, _row_id, state, is_backwards from quality.findings where rule_id = $rule and is_open
        )
        select v.table_name as "table", n.state, v.patient_id as patient, v.observed, f.path as file,
            case when row_sheet(v._row_id) > 0 then f.sheets[row_sheet(v._row_id)] end as sheet,
            row_line(v._row_id) as line
        from quality.violations as v
        left join quality.files as f on f.file_id = row_file(v._row_id)
        left join found as n on n.table_name = v.table_name and n._row_id = v._row_id
        where v.rule_id = $rule
        order by coalesce(n.is_backwards, false) desc, n.state is distinct from 'new', v._row_id, v.observed
        limit $limit""",
        {"rule": rule, "limit": limit},
    )


def source_files(wh: Warehouse, source: str | None = None) -> list[dict[str, Any]]:
    """Every loaded file with its hash, in load order: what a release states it was made from."""
    found = wh.frame(
        "select file_id, batch, path, kind, sha256, bytes, rows, encoding, state from quality.files"
        " where $source is null or source = $source order by file_id",
        {"source": source},
    )
    return found.to_dicts()
