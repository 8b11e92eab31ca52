"""A small warehouse for the tests of the gate: staged tables drawn in text, files, rules, a protocol.

What does not belong here: expectations of any test.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from aclf_pipeline.contracts import KINDS, Contract, empty_frame, promises
from aclf_pipeline.protocol import Adjudication, Protocol, Question, Rule, Waiver
from aclf_pipeline.protocol.study import Criterion, Endpoint, Study
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import pack

_ANY = {pl.String: "x", pl.Int64: 1, pl.Boolean: True, pl.Float64: 1.0, pl.Date: date(2014, 1, 1)}


def draw(contract: type[Contract], text: str) -> pl.DataFrame:
    """Rows of a contract from a drawing: first line the columns, `|` between cells, `-` for null.

    `file`, `line` and `_item` make the `_row_id`. A column that is not drawn is null, or any permitted value where null
    is not.
    """
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    schema = empty_frame(contract).schema
    rows = []
    for cells in lines[1:]:
        drawn = dict(zip(lines[0], cells, strict=True))
        row: dict[str, Any] = {
            "_row_id": pack(int(drawn.pop("file", 1)), int(drawn.pop("line")), item=int(drawn.pop("_item", 0)))
        }
        for name, cell in drawn.items():
            row[name] = None if cell == "-" else _typed(cell, schema[name])
        rows.append(_defaults(contract, row.keys()) | row)
    return pl.DataFrame(rows, schema=schema)


def _typed(cell: str, dtype: pl.DataType) -> Any:
    if dtype == pl.Datetime:
        return datetime.fromisoformat(cell)
    if dtype == pl.Date:
        return date.fromisoformat(cell)
    if dtype == pl.Boolean:
        return cell == "true"
    return int(cell) if dtype.is_integer() else float(cell) if dtype.is_float() else cell


def _defaults(contract: type[Contract], drawn: Any) -> dict[str, Any]:
    schema = empty_frame(contract).schema
    return {
        promise.name: promise.within[0] if promise.within else _ANY[type(schema[promise.name])]
        for promise in promises(contract)
        if not promise.nullable and promise.name not in drawn
    }


def stage(wh: Warehouse, kind: str, text: str) -> None:
    """Write a drawn table to staging."""
    wh.write(f"staging.{kind}", draw(KINDS[kind], text))


def stage_nothing(wh: Warehouse, *but: str) -> None:
    """Stage every other kind as an empty table."""
    for kind, contract in KINDS.items():
        if kind not in but:
            wh.write(f"staging.{kind}", empty_frame(contract))


def files(wh: Warehouse, *drawn: tuple[int, int, str, bool]) -> None:
    """Enter files into the ledger: (file_id, batch_seq, raw_table, is_snapshot)."""
    frame = pl.DataFrame(
        [
            {
                "file_id": file_id, "source": "his", "batch": f"batch{seq}", "batch_seq": seq,
                "path": f"his/batch{seq}/file{file_id}.csv", "name": f"file{file_id}.csv", "kind": raw_table,
                "raw_table": raw_table, "is_snapshot": snapshot, "state": "loaded", "sheets": ["2014年"],
                "form": raw_table, "sha256": f"{file_id:064d}", "bytes": 1, "columns": 1, "rows": 1,
                "loaded_at": datetime.fromisoformat("2020-01-01"),
            }
            for file_id, seq, raw_table, snapshot in drawn
        ],
        schema_overrides={"file_id": pl.Int32, "batch_seq": pl.Int32},
    )  # fmt: skip
    wh.append("quality.files", frame)


def rule(
    rule_id: str,
    table: str,
    holds: str | None,
    action: str = "quarantine",
    tolerate: float = 0.0,
    quarantine_when: Sequence[str] = (),
) -> Rule:
    """A rule with the prose a page would have; one that adjudicates asks `what_now`."""
    return Rule.model_validate(
        {
            "id": rule_id, "table": table, "says": f"{rule_id} is kept", "holds": holds,
            "category": "plausibility/temporal", "action": action, "tolerate": tolerate, "because": "a test",
            "fix": "the export", "question": "what_now" if action == "adjudicate" else None,
            "quarantine_when": tuple(quarantine_when),
        }
    )  # fmt: skip


def decision(patient: str, evidence: str, choice: str, on: date = date(2026, 1, 1)) -> Adjudication:
    """A signed decision about `what_now`."""
    return Adjudication(
        question="what_now", patient=patient, evidence=evidence, decision=choice, reason="the chart was looked at",
        by="hepatologist", on=on,
    )  # fmt: skip


def waiver(rule_id: str, expires: date, at_most: int, scope: str | None = None) -> Waiver:
    """A waiver of a rule."""
    return Waiver.model_validate(
        {
            "rule": rule_id, "scope": scope, "reason": "known since the first delivery", "owner": "data engineer",
            "approver": "clinician", "expires": expires, "at_most": at_most,
        }
    )  # fmt: skip


def protocol(
    *rules: Rule, waivers: Sequence[Waiver] = (), decisions: Sequence[Adjudication] = (), default: str = "wait"
) -> Protocol:
    """A protocol of rules alone, with the question `what_now`: wait, keep or drop."""
    choices = {choice: f"The row is treated as '{choice}' says" for choice in ("wait", "keep", "drop")}
    question = Question(id="what_now", asks="What now?", choices=choices, default=default, because="a test")
    study = Study.model_validate(
        {
            "id": "trial", "title": "A trial of the gate", "source": "his", "as_of": date(2019, 10, 31),
            "time_zero": "the second infusion", "parameters": {}, "baseline": {}, "covariates": {},
            "eligibility": [Criterion(id="adult", says="Adult", keep="age >= 18", because="a test")],
            "endpoints": {"death": Endpoint(says="Death", event="death", primary=True)},
        }
    )  # fmt: skip
    return Protocol.model_validate(
        {
            "analytes": {}, "definitions": {}, "rules": {r.id: r for r in rules}, "waivers": tuple(waivers),
            "questions": {question.id: question}, "adjudications": tuple(decisions), "codelists": {}, "study": study,
            "analysis": (), "digest": "d" * 64,
        }
    )  # fmt: skip
