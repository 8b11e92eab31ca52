"""Whether a check went backwards: its result held against the last refreshes, and what follows by the rule's word.

What does not belong here: what became of each finding (`history`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol as Shape

import polars as pl

from aclf_pipeline.protocol import Protocol
from aclf_pipeline.protocol.models import Backwards
from aclf_pipeline.quality.findings import CAME_BACK
from aclf_pipeline.quality.history import Course, Judged, basis_of, follow
from aclf_pipeline.quality.repairs import CONFLICT, Repairs
from aclf_pipeline.quality.verdicts import SAMPLE_ROWS, CheckResult, Places
from aclf_pipeline.warehouse.connection import Warehouse


class Gathered(Shape):
    """What of a gate's record is needed here."""

    wh: Warehouse
    protocol: Protocol
    audits: Mapping[str, str]
    refresh_id: str
    places: Places
    checks: list[CheckResult]
    repairs: Repairs | None
    accepted: dict[str, frozenset[int]]


def hold_against_last(record: Gathered, kinds: Sequence[str]) -> None:
    """Follow the findings of a refresh, whose violations and quarantine must be written, and let its checks say so."""
    courses = follow(record.wh, record.refresh_id, kinds, _judged(record, kinds))
    record.checks = [_with_course(record, check, courses[check.rule_id]) for check in record.checks]


def _judged(record: Gathered, kinds: Sequence[str]) -> list[Judged]:
    """Every check of this refresh, and the rule of disputed repairs, which has no check."""
    judged = []
    for check in record.checks:
        rule = record.protocol.rules.get(check.rule_id)
        if rule is None:
            basis, is_audit, asks_person = check.fingerprint, False, False
        else:
            basis = basis_of(record.wh, rule, record.audits)
            is_audit, asks_person = rule.holds is None, rule.action == "adjudicate"
        judged.append(Judged(check.table, check.rule_id, None if check.problems else basis, is_audit, asks_person))
    disputed = None if record.repairs is None else CONFLICT
    return judged + [Judged(kind, CONFLICT, disputed, is_audit=True, has_check=False) for kind in kinds]


def _with_course(record: Gathered, check: CheckResult, course: Course) -> CheckResult:
    rule = record.protocol.rules.get(check.rule_id)
    accepted = pl.col("_row_id").is_in(list(record.accepted.get(check.rule_id, ())))
    went = course.backwards.filter(~accepted)
    known = replace(check, course=course.counts, seq=course.seq, basis=course.basis, backwards=went.height)
    return _judge(known, went, "fail" if rule is None else rule.on_going_backwards, record.places)


def _judge(check: CheckResult, went: pl.DataFrame, word: Backwards, places: Places) -> CheckResult:
    """A result with what follows from findings that went backwards and that nobody accepted."""
    if went.is_empty() or word == "ignore":
        return check
    rows = went.head(SAMPLE_ROWS).rows()
    told = "; ".join(f"{patient or '-'} ({places.words(row_id)}: {because})" for row_id, patient, because in rows)
    more = f"; and {went.height - len(rows)} more" if went.height > len(rows) else ""
    back = went.filter(pl.col("because") == CAME_BACK).height
    note = (
        f"Went backwards: {back} findings came back and {went.height - back} rows fail that were known and clean."
        f" {told}{more}"
    )
    fails = word in ("fail", "block")
    return replace(
        check,
        passed=check.passed and not fails,
        fails_backwards=fails,
        blocking=check.blocking or word == "block",
        notes=(note, *check.notes),
    )
