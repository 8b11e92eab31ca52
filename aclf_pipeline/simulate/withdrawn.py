"""Habits of the workbooks: rows that a later snapshot no longer holds, months instead of days.

Not here: which rows these are (`ledger`, `followup`).
"""

from __future__ import annotations

import json
from datetime import date

from .clock import BATCHES, NOT_DELIVERED, d1
from .findings import Finding, Findings
from .followup import COLUMNS as CALL_COLUMNS
from .followup import KIND as CALLS
from .followup import Call, TypedCell
from .ledger import KIND as LEDGER
from .ledger import LedgerRow, headers


def workbook_path(kind: str, batch: int) -> str:
    """Path of a workbook under `exports/his/`."""
    name = f"{kind}_{BATCHES[batch].stamp}.xlsx" if batch else f"{kind}.xlsx"
    return f"{BATCHES[batch].name}/{name}"


def cell_text(value: TypedCell) -> str | None:
    """Text of a typed cell as a reader would show it; dates as D1."""
    if isinstance(value, date):
        return value.isoformat()
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _as_json(names: list[str], cells: list[TypedCell]) -> str:
    return json.dumps(dict(zip(names, map(cell_text, cells), strict=True)), ensure_ascii=False)


def record_withdrawn(
    ledger: list[LedgerRow], calls: list[Call], cells: dict[int, list[TypedCell]], findings: Findings
) -> None:
    """Record withdrawn rows in the first snapshot without them, and months in every snapshot that shows them."""
    for row in ledger:
        if row.until < NOT_DELIVERED:
            text = _as_json(headers(row.year), row.cells)
            _gone(findings, workbook_path(LEDGER, row.until), row.person.idx, text, f"{row.year}年")
    for call in calls:
        if call.until < NOT_DELIVERED:
            text = _as_json(list(CALL_COLUMNS), cells[call.uid])
            _gone(findings, workbook_path(CALLS, call.until), call.person.idx, text, call.sheet)
        months = (
            (call.death_month, "死亡日期", call.death_text, call.person.death),
            (call.graft_month, "移植日期", call.graft_text, call.person.transplant),
        )
        for vague, column, shown, true in months:
            if vague and true is not None:
                _month(findings, call, column, str(shown), d1(true))


def record_gone(
    findings: Findings, defect_id: str, file: str, row: LedgerRow, instance: int, actions: tuple[str, ...]
) -> None:
    """Record a ledger row that a snapshot should hold and does not."""
    text = _as_json(headers(row.year), row.cells)
    findings.add(
        Finding(
            defect_id, file, None, row.person.idx, None, text, None, instance, "row", actions, sheet=f"{row.year}年"
        )
    )


def _gone(findings: Findings, file: str, person: int, text: str, sheet: str) -> None:
    findings.add(
        Finding(
            "row_withdrawn",
            file,
            None,
            person,
            None,
            text,
            None,
            findings.instance(),
            "row",
            ("flag",),
            habit=True,
            sheet=sheet,
        )
    )


def _month(findings: Findings, call: Call, column: str, shown: str, true: str) -> None:
    instance = findings.instance()
    for batch in range(call.batch, min(call.until, NOT_DELIVERED)):
        findings.add(
            Finding(
                "date_month_only",
                workbook_path(CALLS, batch),
                call.uid,
                call.person.idx,
                column,
                true,
                shown,
                instance,
                "row",
                ("repair",),
                habit=True,
            )
        )
