"""死亡登记: the death register. All deaths in hospital, seven in ten of the others, none after a person was lost.

Not here: deaths themselves (`world`), deaths told on the telephone (`followup`).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import delivery
from .clock import AS_OF, NOT_DELIVERED, SECONDS, batch_of, d1, d3, day
from .population import Person
from .rows import FileForm, Kind, Row
from .streams import stream
from .world import World

KIND = "死亡登记"
COLUMNS: tuple[str, ...] = (
    "登记号",
    "病案号",
    "姓名",
    "性别",
    "身份证号",
    "死亡日期",
    "死亡时间",
    "死亡地点",
    "根本死因编码",
    "死亡原因",
    "信息来源",
    "登记日期",
    "备注",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("死亡登记_2010-2018.csv", delivery.GB_CRLF, COLUMNS),
    "c": FileForm("死亡登记_增量_{stamp}.csv", delivery.GB_CRLF, COLUMNS),
}
IN_HOSPITAL, CDC, HOUSEHOLD = "院内死亡记录", "疾控死因监测", "户籍注销"
_D1_FROM = day(2014, 1, 1)
_CAUSES = (("K72.900", "肝衰竭"), ("B18.100", "慢性乙型病毒性肝炎"), ("K74.600", "肝硬化"), ("K65.900", "腹膜炎"))


@dataclass(slots=True)
class Notice:
    """One notice: source, day it states, day of registration."""

    person: Person
    source: str
    stated: int
    registered: int
    time: str | None


def draw_notices(world: World) -> list[Notice]:
    """Notices in order of registration; those registered after the last cut-off are left out."""
    rng = stream(world.seed, "deaths")
    last_stay = {person: own[-1] for person, own in world.stays_of().items()}
    notices = []
    for person in world.persons:
        if person.death is None:
            continue
        if person.death_in_hospital:
            second = last_stay[person.idx].dis % SECONDS
            time = f"{second // 3600:02d}:{second % 3600 // 60:02d}"
            notice = Notice(person, IN_HOSPITAL, person.death, person.death + int(rng.integers(0, 4)), time)
        else:
            if rng.random() > 0.70:
                continue
            if rng.random() < 0.70:
                notice = Notice(person, CDC, person.death, person.death + int(rng.integers(3, 60)), None)
            else:
                stated = person.death + int(rng.integers(0, 91))
                notice = Notice(person, HOUSEHOLD, stated, stated + int(rng.integers(0, 20)), None)
        if notice.registered <= AS_OF:
            notices.append(notice)
    return sorted(notices, key=lambda notice: (notice.registered, notice.person.idx))


def build_deaths(world: World, notices: list[Notice], linkable: set[int]) -> Kind:
    """All notices, numbered in order of registration.

    A blank record number always has an identity number beside it, and only persons in `linkable` (those whose front
    pages show the number) have one left blank.
    """
    rng = stream(world.seed, "death-rows")
    kind = Kind(KIND, FORMS)
    for number, notice in enumerate(notices):
        person = notice.person
        batch = batch_of(notice.registered)
        if batch == NOT_DELIVERED:
            continue
        blank = notice.source != IN_HOSPITAL and rng.random() < 0.25 and person.idx in linkable
        code, cause = _CAUSES[int(rng.choice(4, p=(0.6, 0.15, 0.18, 0.07)))]
        write = d3 if notice.registered < _D1_FROM else d1
        cells = (
            f"SW{number + 1:08d}", None if blank else person.bah, person.name, "女" if person.female else "男",
            person.id_number if blank or rng.random() < 0.93 else None, write(notice.stated), notice.time,
            "院内" if notice.source == IN_HOSPITAL else "院外", code, cause, notice.source, d1(notice.registered), None,
        )  # fmt: skip
        kind.add(Row((notice.registered, number), batch, "c" if batch else "a", person.idx, cells))
    return kind


def shown_dates(notices: list[Notice]) -> dict[int, Notice]:
    """Notice of each person who has one."""
    return {notice.person.idx: notice for notice in notices}
