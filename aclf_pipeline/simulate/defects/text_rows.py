"""Damage that any CSV kind can suffer: rows twice, keys twice, impossible dates.

Not here: damage to the laboratory (`lab_rows`) and to persons and stays (`people`).
"""

from __future__ import annotations

from collections.abc import Mapping

from .dates import impossible_text
from .kind_table import KindTable
from .plan import Plan

# Column of an event's time, by kind, for impossible dates. Kinds keyed by time or person are left to their own defects.
_TIME_COLUMNS: dict[str, str] = {
    "医嘱": "开立时间", "病程评估": "评估时间", "生命体征": "测量时间", "影像": "检查时间", "人工肝治疗": "开始时间",
}  # fmt: skip
# Kinds in which one key may stand twice with other values, and the column whose value differs.
_CONFLICTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "病案首页": ("YLFKFS", ("1", "2", "3", "7")),
    "病程评估": ("腹水", ("无", "少量", "中量", "大量")),
    "生命体征": ("脉搏(次/分)", ("58", "66", "91", "104")),
}


def duplicate_rows(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Byte-identical records, later in the same file."""
    for kind, table in tables.items():
        rng = plan.rng("duplicate_row", kind)
        for uid in plan.choose(kind, table.uids, plan.share(0.001, len(table.uids)), rng):
            plan.add(kind, uid, plan.event("duplicate_row", "repair"), int(rng.integers(0, 40)))


def key_conflicts(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """One key twice in one file with other values: neither row can be believed."""
    for kind, (column, values) in _CONFLICTS.items():
        table = tables[kind]
        rng = plan.rng("key_conflict", kind)
        old_values = ("社保", "自费", "公费", "其他")
        for uid in plan.choose(kind, table.uids, plan.share(0.0005, len(table.uids)), rng):
            own = table.get(uid, column)
            choices = old_values if own in old_values else values
            other = next(v for v in choices[int(rng.integers(len(choices))) :] + choices if v != own)
            plan.add(kind, uid, plan.event("key_conflict", "quarantine"), int(rng.integers(0, 20)), {column: other})


def impossible_dates(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Dates in the future, on no calendar, in unlisted forms, before 1950, after the delivery."""
    for kind, column in _TIME_COLUMNS.items():
        table = tables[kind]
        rng = plan.rng("date_impossible", kind)
        for uid in plan.choose(kind, table.uids, plan.share(0.0005, len(table.uids)), rng):
            text = impossible_text(table.get(uid, column) or "", rng)
            if text is not None:
                plan.patch(kind, uid, column, text, plan.event("date_impossible", "quarantine"))
