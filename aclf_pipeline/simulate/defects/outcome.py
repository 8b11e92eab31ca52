"""Damage to what is known of outcomes: follow-up rows, death dates, transplants.

Not here: calls and notices as they are in truth (`followup`, `deaths`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..clock import NOT_DELIVERED, to_date
from ..followup import COLUMNS, KIND, Call, TypedCell
from ..withdrawn import cell_text, workbook_path
from ..world import World
from .kind_table import KindTable
from .plan import Event, Plan

DEATHS, PAGES, LIVER, ORDERS = "死亡登记", "病案首页", "人工肝治疗", "医嘱"
Cells = dict[int, list[TypedCell]]


def edit_call(call: Call, cells: Cells, column: str, value: TypedCell, plan: Plan, event: Event) -> None:
    """Change a cell of the follow-up workbook in every snapshot that holds the row."""
    place = COLUMNS.index(column)
    before = cells[call.uid][place]
    cells[call.uid][place] = value
    for batch in range(call.batch, min(call.until, NOT_DELIVERED)):
        plan.note(event, workbook_path(KIND, batch), person=call.person.idx, column=column, before=cell_text(before),
                  after=cell_text(value), row=call.uid)  # fmt: skip


def _open(calls: list[Call], plan: Plan) -> list[Call]:
    taken = plan.of(KIND).touched
    return [call for call in calls if call.until == NOT_DELIVERED and call.uid not in taken]


def lost_coded_alive(calls: list[Call], cells: Cells, plan: Plan) -> None:
    """存活 for somebody who was not reached."""
    rng = plan.rng("lost_coded_alive")
    by_uid = {call.uid: call for call in calls}
    silent = [c.uid for c in _open(calls, plan) if c.reached in ("否", "空号", "停机") and c.informant == "无"]
    for uid in plan.choose(KIND, silent, plan.share(0.06, len(calls)), rng):
        edit_call(by_uid[uid], cells, "生存状态", "存活", plan, plan.event("lost_coded_alive", "repair"))


def call_numbers(calls: list[Call], cells: Cells, plan: Plan) -> None:
    """Record numbers without their leading zero."""
    rng = plan.rng("bah_leading_zero_lost", KIND)
    by_uid = {call.uid: call for call in calls}
    zeros = [c.uid for c in _open(calls, plan) if c.person.bah.startswith("0")]
    for uid in plan.choose(KIND, zeros, plan.share(0.02, len(calls)), rng):
        event = plan.event("bah_leading_zero_lost", "repair", "quarantine")
        edit_call(by_uid[uid], cells, "病案号", int(by_uid[uid].person.bah), plan, event)


def death_in_note_only(calls: list[Call], cells: Cells, plan: Plan) -> None:
    """The family's word in the remark alone: no status, no date."""
    rng = plan.rng("death_in_note_only")
    by_uid = {call.uid: call for call in calls}
    silent = [c.uid for c in _open(calls, plan) if c.status in ("不详", "失访") and c.reached == "否"]
    for uid in plan.choose(KIND, silent, plan.persons(5), rng):
        event = plan.event("death_in_note_only", "adjudicate", level="patient")
        edit_call(by_uid[uid], cells, "备注", "家属诉已故", plan, event)


def _told(calls: list[Call], plan: Plan) -> list[Call]:
    """Open rows that state a death by the day."""
    return [c for c in _open(calls, plan) if c.tells_death and not c.death_month]


def death_date_year_typo(calls: list[Call], cells: Cells, plan: Plan) -> None:
    """A year too early or too late: before the first infusion, or after the call."""
    rng = plan.rng("death_date_year_typo")
    by_uid = {call.uid: call for call in calls}
    for uid in plan.choose(KIND, [c.uid for c in _told(calls, plan)], plan.persons(4), rng):
        call = by_uid[uid]
        true = to_date(call.person.death or 0)
        late = true.replace(year=true.year + 1, day=min(true.day, 28))
        early = true.replace(year=true.year - 1, day=min(true.day, 28))
        first = to_date(call.person.infusions[0].day)
        wrong = early if early < first else late if late > to_date(call.at) else None
        if wrong is not None:
            event = plan.event("death_date_year_typo", "adjudicate", level="patient")
            edit_call(call, cells, "死亡日期", wrong, plan, event)


def alive_after_death(calls: list[Call], cells: Cells, tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Alive, and somebody answered, after a death that the register records."""
    rng = plan.rng("alive_after_death")
    by_uid = {call.uid: call for call in calls}
    register = {tables[DEATHS].person(uid) for uid in tables[DEATHS].uids}
    recorded = [call.uid for call in _told(calls, plan) if call.person.idx in register]
    for uid in plan.choose(KIND, recorded, plan.persons(5), rng):
        call = by_uid[uid]
        event = plan.event("alive_after_death", "adjudicate", level="patient")
        for column, value in (
            ("生存状态", "存活"),
            ("信息日期", to_date(call.at)),
            ("死亡日期", None),
            ("死亡原因", None),
        ):
            edit_call(call, cells, column, value, plan, event)


def death_dates_conflict(calls: list[Call], cells: Cells, tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Two sources of one death differ by one to three days, or by more."""
    rng = plan.rng("death_dates_conflict")
    table = tables[DEATHS]
    register = {table.person(uid): uid for uid in table.where("信息来源", "院内死亡记录", "疾控死因监测")}
    both = [
        c.uid for c in _told(calls, plan) if c.person.idx in register and plan.free(DEATHS, (register[c.person.idx],))
    ]
    by_uid = {call.uid: call for call in calls}
    for share, low, high, actions in ((0.06, 1, 4, ("repair",)), (0.03, 4, 60, ("adjudicate",))):
        for uid in plan.choose(KIND, both, plan.share(share, len(both)), rng):
            call = by_uid[uid]
            moved = (call.person.death or 0) + int(rng.integers(low, high))
            if moved < call.at:
                event = plan.event("death_dates_conflict", *actions, level="patient")
                edit_call(call, cells, "死亡日期", to_date(moved), plan, event)


def transplant_missing(
    calls: list[Call], cells: Cells, tables: Mapping[str, KindTable], plan: Plan, world: World
) -> None:
    """No transplant row, no procedure code, follow-up 不详; tacrolimus and Z94.4 remain."""
    rng = plan.rng("transplant_missing")
    rows, pages, orders = tables[LIVER], tables[PAGES], tables[ORDERS]
    grafts = [
        uid
        for uid in rows.where("治疗类别", "肝移植")
        if world.persons[rows.person(uid)].infused
        and plan.free(PAGES, [page for page, _ in _coded(pages, rows.person(uid))])
        and plan.free(ORDERS, _ordered(orders, rows.person(uid)))
    ]
    for uid in plan.choose(LIVER, grafts, plan.persons(8), rng):
        person = rows.person(uid)
        event = plan.event("transplant_missing", "adjudicate", level="patient")
        plan.remove(LIVER, uid, event)
        coded = _coded(pages, person)
        plan.touch(PAGES, {page for page, _ in coded})
        for page, n in coded:
            blank = None if not pages.has(page, "LYFS") else "-"
            for stem in ("SSJCZBM", "SSJCZRQ", "SSJCZMC"):
                plan.patch(PAGES, page, f"{stem}{n}", blank, event)
        for order in _ordered(orders, person):
            plan.touch(ORDERS, (order,))
            plan.remove(ORDERS, order, event)
        for call in calls:
            if call.person.idx == person and call.graft_text is not None and plan.free(KIND, (call.uid,)):
                plan.touch(KIND, (call.uid,))
                edit_call(call, cells, "肝移植", "不详", plan, event)
                edit_call(call, cells, "移植日期", None, plan, event)
                if call.status == "肝移植后存活":
                    edit_call(call, cells, "生存状态", "存活", plan, event)


def _coded(pages: KindTable, person: int) -> list[tuple[int, int]]:
    """Front pages that code a liver transplant, each with the place of the code."""
    return [
        (page, n)
        for page in pages.of_person(person)
        for n in range(1, 8)
        if (pages.get(page, f"SSJCZBM{n}") or "").startswith("50.59")
    ]


def _ordered(orders: KindTable, person: int) -> list[int]:
    """Orders of the operation."""
    return [order for order in orders.of_person(person) if orders.get(order, "医嘱名称") == "同种异体肝移植术"]


def register_dates(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Dates of death on no calendar."""
    table, rng = tables[DEATHS], plan.rng("date_impossible", DEATHS)
    sound = [uid for uid in table.uids if len(table.get(uid, "死亡日期") or "") in (8, 10)]
    for uid in plan.choose(DEATHS, sound, plan.share(0.0005, len(sound)), rng):
        text = table.get(uid, "死亡日期") or ""
        wrong = f"{text[:4]}0230" if len(text) == 8 else f"{text[:4]}-02-30"
        plan.patch(DEATHS, uid, "死亡日期", wrong, plan.event("date_impossible", "quarantine"))
