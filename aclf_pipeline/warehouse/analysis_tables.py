"""The tables of the analyses: one tidy table per stanza and part, `analysis.results`, where every number has a key, and
`analysis.remarks`, what a reader must see beside them.

What does not belong here: computing anything (science).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse, quoted

COHORT = "select * from marts.cohort order by candidate_id"
RESULTS, REMARKS = "analysis.results", "analysis.remarks"
_REMARK, _REASON = "remark", "reason"


@dataclass(frozen=True)
class StoredAnalysis:
    """What an analysis left behind; `reason` says why it left no number."""

    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    results: pl.DataFrame = field(default_factory=pl.DataFrame)
    more: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    reason: str | None = None


def write_analysis(
    wh: Warehouse,
    analysis: str,
    results: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    remarks: Sequence[str] = (),
) -> None:
    """Replace everything an analysis left behind, all or nothing. `tables` holds its tidy table under its own id."""
    with wh.transaction():
        _forget(wh, analysis)
        if RESULTS in wh.tables():
            wh.append(RESULTS, results)
        else:
            wh.write(RESULTS, results)
        for part, frame in tables.items():
            wh.write(_part_name(analysis, part), frame)
        _write_remarks(wh, analysis, _REMARK, remarks)


def write_reason(wh: Warehouse, analysis: str, reason: str) -> None:
    """Remove what an analysis left behind, so that no number outlives its data, and say why there is none."""
    with wh.transaction():
        _forget(wh, analysis)
        _write_remarks(wh, analysis, _REASON, [reason])


def read_analysis(wh: Warehouse, analysis: str) -> StoredAnalysis:
    """What an analysis left behind; empty when it never ran."""
    tables = wh.tables()
    said = wh.rows(f"select kind, says from {REMARKS} where analysis = ?", [analysis]) if REMARKS in tables else []
    reason = next((text for kind, text in said if kind == _REASON), None)
    if reason is not None or _part_name(analysis, analysis) not in tables:
        return StoredAnalysis(reason=reason or "it has not been run")
    prefix = f"analysis.{analysis}__"
    return StoredAnalysis(
        table=wh.frame(f"select * from {quoted(_part_name(analysis, analysis))}"),
        results=wh.frame(f"select * from {RESULTS} where analysis = ?", [analysis]),
        more={
            name.removeprefix(prefix): wh.frame(f"select * from {quoted(name)}")
            for name in sorted(tables)
            if name.startswith(prefix)
        },
        remarks=tuple(text for _, text in said),
    )


def _part_name(analysis: str, part: str) -> str:
    return f"analysis.{analysis}" if part == analysis else f"analysis.{analysis}__{part}"


def _forget(wh: Warehouse, analysis: str) -> None:
    tables = wh.tables()
    for table in (RESULTS, REMARKS):
        if table in tables:
            wh.execute(f"delete from {table} where analysis = ?", [analysis])
    for name in tables:
        if name == f"analysis.{analysis}" or name.startswith(f"analysis.{analysis}__"):
            wh.execute(f"drop table {quoted(name)}")


def _write_remarks(wh: Warehouse, analysis: str, kind: str, remarks: Sequence[str]) -> None:
    wh.execute(f"create table if not exists {REMARKS} (analysis varchar, kind varchar, says varchar)")
    for remark in remarks:
        wh.execute(f"insert into {REMARKS} values (?, ?, ?)", [analysis, kind, remark])
