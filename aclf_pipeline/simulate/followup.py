"""随访: follow-up calls to infused persons, and what they prove.

Not here: layout of the workbook (`workbooks`), the death register (`deaths`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from .clock import AS_OF, LAST_ADMISSION, NOT_DELIVERED, batch_of, d2, d4, d6, day, to_date
from .identity import name_of, phone_of
from .population import Person
from .streams import stream
from .world import World

KIND = "随访"
COLUMNS: tuple[str, ...] = (
    "序号",
    "病案号",
    "姓名",
    "联系电话",
    "联系人",
    "随访日期",
    "随访方式",
    "信息提供者",
    "是否接通",
    "生存状态",
    "信息日期",
    "死亡日期",
    "死亡原因",
    "肝移植",
    "移植日期",
    "备注",
    "随访人",
)
TypedCell = str | int | float | date | None
# Days on which the whole list was called, and the share of persons called on each.
CAMPAIGNS: tuple[tuple[int, float], ...] = (
    (day(2012, 6, 15), 0.30), (day(2014, 9, 20), 0.30), (day(2016, 10, 18), 0.30), (day(2018, 9, 17), 0.65),
    (day(2019, 5, 14), 0.55), (day(2019, 10, 15), 0.85),
)  # fmt: skip
_RELATIVES = ("本人", "配偶", "子女", "父母", "其他家属")
SUPPLEMENT_FROM = day(2019, 1, 1)


@dataclass(slots=True)
class Call:
    """One call. `alive_on` is the evidence of life it gives, `tells_death` whether it states the death."""

    person: Person
    at: int
    way: str
    informant: str
    reached: str
    status: str
    info: int | None
    death_text: TypedCell = None
    death_month: bool = False
    graft_text: TypedCell = None
    graft_month: bool = False
    batch: int = 0
    until: int = NOT_DELIVERED
    uid: int = -1

    @property
    def alive_on(self) -> int | None:
        """Last evidence of life from this row."""
        if self.info is not None:
            return self.info
        return self.at if self.reached == "是" and self.informant != "无" and self.status != "死亡" else None

    @property
    def tells_death(self) -> bool:
        """True when the row states the death."""
        return self.status == "死亡"

    @property
    def sheet(self) -> str:
        """Sheet of the workbook."""
        return "2019补充" if self.at >= SUPPLEMENT_FROM else "随访"


class CallBook:
    """Draws the calls of all infused persons."""

    def __init__(self, world: World) -> None:
        self.rng = stream(world.seed, "followup")
        self.world = world
        self.calls: list[Call] = []

    def person(self, person: Person) -> None:
        """All calls of one person, in order, up to the one that tells the death."""
        if not person.infusions:
            return
        unheard = 0
        forced = self._forced(person)
        for at in sorted({*self._days(person), *forced}):
            if at == person.death or at <= person.infusions[-1].day:
                continue
            if person.death_in_hospital and person.death is not None and at > person.death and self.rng.random() > 0.35:
                return
            call = self._call(person, at, at in forced)
            self.calls.append(call)
            unheard += person.lost is not None and at > person.lost
            if call.tells_death or unheard >= 2:
                return

    def _days(self, person: Person) -> list[int]:
        rng = self.rng
        zero = person.infusions[-1].day
        days = [zero + 168 + int(rng.integers(0, 45)) for _ in range(1) if rng.random() < 0.45]
        days += [zero + 336 + int(rng.integers(0, 60)) for _ in range(1) if rng.random() < 0.35]
        days += [at for at, share in CAMPAIGNS if at > zero + 20 and rng.random() < share]
        return [at for at in days if at <= AS_OF]

    def _forced(self, person: Person) -> set[int]:
        """Calls that must succeed: a transplant after the last admissions is told by nobody else."""
        graft = person.transplant
        if graft is None or self._grafted_here(person):
            return set()
        found = min(graft + int(self.rng.integers(10, 60)), AS_OF)
        return {found - 1 if found == person.death else found}

    def _grafted_here(self, person: Person) -> bool:
        graft = person.transplant or 0
        return graft <= LAST_ADMISSION + 40 and any(
            stay.person == person.idx and stay.first <= graft <= stay.last for stay in self.world.stays
        )

    def _call(self, person: Person, at: int, forced: bool) -> Call:
        if person.lost is not None and at > person.lost:
            return self._unreached(person, at, lost=True)
        dead = person.death is not None and at > person.death
        if not forced and self.rng.random() > (0.88 if dead else 0.86):
            return self._unreached(person, at, lost=False, dead=dead)
        informant = _RELATIVES[int(self.rng.integers(1 if dead else 0, 5))]
        call = Call(person, at, "电话" if self.rng.random() < 0.92 else "门诊", informant, "是", "存活", None)
        grafted = person.transplant is not None and person.transplant < at
        if dead:
            call.way, call.status = "电话", "死亡"
            self._tell_death(call)
        else:
            call.status = "肝移植后存活" if grafted else "存活"
            if self.rng.random() < 0.65:
                back = int(self.rng.integers(0, 9))
                call.info = (
                    at if grafted and person.transplant is not None and at - back <= person.transplant else at - back
                )
                call.info = max(call.info, person.infusions[-1].day)
        if grafted:
            self._tell_graft(call)
        return call

    def _unreached(self, person: Person, at: int, *, lost: bool, dead: bool = False) -> Call:
        rng = self.rng
        if not lost and not dead and rng.random() < 0.25:
            return Call(person, at, "户籍查询", "无", "是", "存活", at - int(rng.integers(0, 6)))
        answer = ("否", "空号", "停机", "拒访")[int(rng.choice(4, p=(0.45, 0.25, 0.22, 0.08)))]
        return Call(person, at, "电话", "无", answer, "失访" if lost or rng.random() < 0.5 else "不详", None)

    def _tell_death(self, call: Call) -> None:
        death, rng = call.person.death or 0, self.rng
        if not call.person.death_in_hospital and rng.random() < 0.10:
            call.death_text, call.death_month = d6(death, int(rng.integers(3))), True
            return
        style = rng.random()
        call.death_text = to_date(death) if style < 0.6 else d2(death) if style < 0.85 else d4(death)

    def _tell_graft(self, call: Call) -> None:
        graft, rng = call.person.transplant or 0, self.rng
        if self._grafted_here(call.person) and rng.random() < 0.10:
            call.graft_text, call.graft_month = d6(graft, int(rng.integers(3))), True
            return
        call.graft_text = to_date(graft) if rng.random() < 0.7 else d2(graft)


def build_calls(world: World) -> list[Call]:
    """Delivered calls in order of date; two of the first snapshots are gone from the third on (`row_withdrawn`)."""
    book = CallBook(world)
    for person in world.persons:
        book.person(person)
    calls = sorted(book.calls, key=lambda call: (call.at, call.person.idx))
    calls += _mistaken_calls(calls)
    calls.sort(key=lambda call: (call.at, call.person.idx))
    for uid, call in enumerate(calls):
        own_batches = [stay.batch for stay in world.stays if stay.person == call.person.idx]
        call.batch = max(batch_of(call.at), min(own_batches))
        call.uid = uid
    return [call for call in calls if call.batch < NOT_DELIVERED]


def _mistaken_calls(calls: list[Call]) -> list[Call]:
    """Two rows entered by mistake for persons who were really called on other days; withdrawn later."""
    early = [call for call in calls if call.at <= day(2018, 9, 30) and call.status == "存活"]
    found = []
    for call in early[:: max(1, len(early) // 2)][:2]:
        wrong = Call(call.person, call.at + 3, "电话", "配偶", "是", "存活", None)
        if wrong.at in (call.person.death, call.person.lost) or (call.person.death or AS_OF) <= wrong.at:
            wrong.at = call.at
            wrong.way = "门诊"
        wrong.until = 2
        found.append(wrong)
    return found


def call_cells(call: Call, rng: np.random.Generator) -> list[TypedCell]:
    """Cells of a call under `COLUMNS`, the running number left out."""

    def shown(at: int | None) -> TypedCell:
        return None if at is None else to_date(at) if rng.random() < 0.75 else d2(at)

    person = call.person
    graft = "是" if call.graft_text is not None else ("不详" if call.reached != "是" else "否")
    return [
        None,
        person.bah,
        person.name,
        phone_of(rng),
        name_of(rng),
        shown(call.at),
        call.way,
        call.informant,
        call.reached,
        call.status,
        shown(call.info),
        call.death_text,
        "肝衰竭" if call.tells_death else None,
        graft,
        call.graft_text,
        None,
        "随访员",
    ]
