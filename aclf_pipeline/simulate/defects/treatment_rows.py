"""Damage to infusions, vital signs and artificial liver: entered twice, missing, in the wrong unit, sentinels.

Not here: the workbook's layout; outcomes (`outcome`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..clock import NOT_DELIVERED, SECONDS, t1, to_date
from ..followup import TypedCell
from ..ledger import COLUMNS, KIND, LedgerRow, headers
from ..population import Person
from ..withdrawn import cell_text, record_gone, workbook_path
from ..world import World
from .dates import impossible_text
from .kind_table import KindTable
from .lab_cells import WIDE, move_point
from .plan import Event, Plan

VITALS, ORDERS, LIVER = "生命体征", "医嘱", "人工肝治疗"
_SIGNS = ("体温(℃)", "脉搏(次/分)", "呼吸(次/分)", "收缩压(mmHg)", "舒张压(mmHg)", "血氧饱和度(%)")
_WEIGHT, _DATE, _COUNTED, _GIVEN = (
    COLUMNS.index(name) for name in ("体重(kg)", "输注日期", "细胞计数", "实际输注细胞数")
)
_RECORD_NUMBER = COLUMNS.index("病案号")


def edit(row: LedgerRow, column: int, value: TypedCell, plan: Plan, event: Event) -> None:
    """Change a cell of the ledger in every snapshot that holds the row."""
    before = row.cells[column]
    row.cells[column] = value
    for batch in range(row.batch, min(row.until, NOT_DELIVERED)):
        name = headers(row.year)[column]
        plan.note(event, workbook_path(KIND, batch), person=row.person.idx, column=name, before=cell_text(before),
                  after=cell_text(value), row=row.uid)  # fmt: skip


def _modern(ledger: list[LedgerRow], plan: Plan) -> list[int]:
    """Rows without merged cells, not withdrawn, not touched."""
    taken = plan.of(KIND).touched
    return [r.uid for r in ledger if r.year >= 2013 and r.until == NOT_DELIVERED and r.uid not in taken]


def infusion_double_entered(ledger: list[LedgerRow], plan: Plan) -> None:
    """The same batch, ordinal and cells again, up to three days later."""
    rng = plan.rng("infusion_double_entered")
    by_uid = {row.uid: row for row in ledger}
    sound = [r.uid for r in ledger if r.until == NOT_DELIVERED and to_date(r.day + 3).year == r.year]
    for uid in plan.choose(KIND, sound, plan.share(0.01, len(ledger)), rng):
        row = by_uid[uid]
        later = row.day + int(rng.choice((0, 1, 2, 3), p=(0.1, 0.4, 0.3, 0.2)))
        cells = list(row.cells)
        cells[_DATE] = to_date(later)
        copy = LedgerRow(len(ledger), row.person, later, row.batch, cells)
        ledger.append(copy)
        plan.touch(KIND, (copy.uid,))
        event = plan.event("infusion_double_entered", "repair")
        for batch in range(copy.batch, NOT_DELIVERED):
            path = workbook_path(KIND, batch)
            plan.note(event, path, person=row.person.idx, before=f"row:{row.uid}", row=copy.uid)


def ledger_cells(ledger: list[LedgerRow], plan: Plan) -> None:
    """Full-width digits, lost zeros of the record number, 万 under ×10^6, jin under kg."""
    by_uid = {row.uid: row for row in ledger}
    rng = plan.rng("ledger_cells")
    for uid in plan.choose(KIND, _modern(ledger, plan), plan.share(0.003, len(ledger)), rng):
        column = _WEIGHT if rng.random() < 0.5 else _COUNTED
        text = (cell_text(by_uid[uid].cells[column]) or "").translate(WIDE)
        edit(by_uid[uid], column, text, plan, plan.event("fullwidth_digits", "repair"))
    zeros = [uid for uid in _modern(ledger, plan) if str(by_uid[uid].cells[_RECORD_NUMBER]).startswith("0")]
    for uid in plan.choose(KIND, zeros, plan.share(0.02, len(ledger)), rng):
        number = int(str(by_uid[uid].cells[_RECORD_NUMBER]))
        edit(by_uid[uid], _RECORD_NUMBER, number, plan, plan.event("bah_leading_zero_lost", "repair", "quarantine"))
    for uid in plan.choose(KIND, _modern(ledger, plan), plan.share(0.01, len(ledger)), rng):
        event = plan.event("dose_unit_wan", "repair", "flag")
        for column in (_COUNTED, _GIVEN):
            value = by_uid[uid].cells[column]
            if isinstance(value, int | float):
                edit(by_uid[uid], column, round(float(value) * 100, 2), plan, event)
    for uid in plan.choose(KIND, _modern(ledger, plan), plan.share(0.01, len(ledger)), rng):
        value = by_uid[uid].cells[_WEIGHT]
        if isinstance(value, int | float):
            edit(by_uid[uid], _WEIGHT, round(float(value) * 2, 1), plan, plan.event("weight_in_jin", "repair", "flag"))


def infusion_before_admission(ledger: list[LedgerRow], plan: Plan, world: World) -> None:
    """A date one to ten days before admission; adjudicated where the count of two hangs on it."""
    rng = plan.rng("infusion_before_admission")
    by_uid = {row.uid: row for row in ledger}
    for uid in plan.choose(KIND, _modern(ledger, plan), plan.share(0.005, len(ledger)), rng):
        row = by_uid[uid]
        stay = next(s for s in world.stays if s.person == row.person.idx and s.first <= row.day <= s.last)
        wrong = stay.first - int(rng.integers(1, 11))
        hangs = len(row.person.infusions) <= 2
        if to_date(wrong).year == row.year:
            edit(
                row,
                _DATE,
                to_date(wrong),
                plan,
                plan.event("infusion_before_admission", "adjudicate" if hangs else "flag"),
            )


def infusion_sources(ledger: list[LedgerRow], tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Rows missing from the ledger, orders missing from the order file; the other source still has the infusion."""
    rng = plan.rng("infusion_sources")
    orders = tables[ORDERS]
    cells = [u for u in orders.uids if _is_cell_order(orders, u)]
    for uid in plan.choose(ORDERS, cells, plan.share(0.03, len(cells)), rng):
        plan.remove(ORDERS, uid, plan.event("infusion_order_missing", "flag"))
    removed_of = {orders.person(uid) for uid in plan.of(ORDERS).removals}
    by_uid = {row.uid: row for row in ledger}
    sound = [uid for uid in _modern(ledger, plan) if by_uid[uid].person.idx not in removed_of]
    for uid in plan.choose(KIND, sound, plan.share(0.01, len(ledger)), rng):
        row = by_uid[uid]
        event = plan.event("infusion_ledger_missing", "adjudicate")
        for batch in range(row.batch, NOT_DELIVERED):
            record_gone(plan.findings, event.defect_id, workbook_path(KIND, batch), row, event.instance, event.actions)
        row.until = row.batch


def _is_cell_order(orders: KindTable, uid: int) -> bool:
    name = orders.get(uid, "医嘱名称") or ""
    return ("干细胞" in name or name.startswith("MSC")) and orders.get(uid, "状态") == "已执行"


def vitals_cells(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Sentinels, slipped decimal points of temperature, height and weight exchanged, weight in jin."""
    table, rng = tables[VITALS], plan.rng("vitals_cells")
    for uid in plan.choose(VITALS, table.uids, plan.share(0.002, len(table.uids)), rng):
        column = _SIGNS[int(rng.integers(len(_SIGNS)))]
        text = ("999", "0", "-1")[int(rng.integers(3))]
        plan.patch(VITALS, uid, column, text, plan.event("vitals_sentinel", "quarantine"))
    for uid in plan.choose(VITALS, table.uids, plan.share(0.001, len(table.uids)), rng):
        text = move_point(table.get(uid, "体温(℃)") or "36.7", bool(rng.random() < 0.5))
        plan.patch(VITALS, uid, "体温(℃)", text, plan.event("decimal_slip", "quarantine"))
    measured = [uid for uid in table.uids if table.get(uid, "身高(cm)")]
    for uid in plan.choose(VITALS, measured, plan.share(0.003, len(measured)), rng):
        event = plan.event("height_weight_swapped", "repair")
        plan.patch(VITALS, uid, "身高(cm)", table.get(uid, "体重(kg)"), event)
        plan.patch(VITALS, uid, "体重(kg)", table.get(uid, "身高(cm)"), event)
    weighed = [uid for uid in table.uids if table.get(uid, "体重(kg)") and not table.get(uid, "身高(cm)")]
    for uid in plan.choose(VITALS, weighed, plan.share(0.01, len(weighed)), rng):
        double = float(table.get(uid, "体重(kg)") or 60) * 2
        plan.patch(VITALS, uid, "体重(kg)", f"{double:.1f}", plan.event("weight_in_jin", "repair", "flag"))


def alss_missing(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Sessions of artificial liver that left no row; the fall of bilirubin remains."""
    table, rng = tables[LIVER], plan.rng("alss_missing")
    sessions = table.where("治疗类别", "人工肝")
    for uid in plan.choose(LIVER, sessions, plan.share(0.02, len(sessions)), rng):
        plan.remove(LIVER, uid, plan.event("alss_missing", "flag", detectable=False))


def vitals_after_death(tables: Mapping[str, KindTable], plan: Plan, world: World) -> list[int]:
    """Measurements one to three days after a death in hospital, in half of the persons wanted; returns who was hit."""
    table, rng = tables[VITALS], plan.rng("event_after_death", VITALS)
    dead: list[Person] = [p for p in world.persons if p.death_in_hospital]
    hit: list[int] = []
    wanted = plan.persons(6) // 2
    for position in rng.permutation(len(dead)):
        if wanted <= 0:
            break
        person = dead[position]
        rows = [uid for uid in table.of_person(person.idx) if plan.free(VITALS, (uid,))]
        if not rows or person.death is None:
            continue
        plan.touch(VITALS, (rows[-1],))
        at = (person.death + int(rng.integers(1, 4))) * SECONDS + 7 * 3600
        event = plan.event("event_after_death", "adjudicate", "quarantine", level="patient")
        plan.patch(VITALS, rows[-1], "测量时间", t1(at), event)
        hit.append(person.idx)
        wanted -= 1
    return hit


def ledger_dates(ledger: list[LedgerRow], plan: Plan) -> None:
    """One impossible infusion date."""
    rng = plan.rng("date_impossible", KIND)
    by_uid = {row.uid: row for row in ledger}
    for uid in plan.choose(KIND, _modern(ledger, plan), plan.share(0.0005, len(ledger)), rng):
        text = impossible_text(to_date(by_uid[uid].day).isoformat(), rng)
        edit(by_uid[uid], _DATE, text, plan, plan.event("date_impossible", "quarantine"))
