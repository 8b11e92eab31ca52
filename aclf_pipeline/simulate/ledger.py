"""干细胞输注登记: the cell laboratory's ledger, one row per infusion.

Not here: layout of the workbook (`workbooks`), true infusions (`infusions`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import NOT_DELIVERED, d2, d4, day, to_date
from .followup import TypedCell
from .identity import completed_years, name_of
from .population import Infusion, Person
from .streams import stream
from .world import World

KIND = "干细胞输注登记"
MERGED_YEARS = (2010, 2011, 2012)
COLUMNS: tuple[str, ...] = (
    "序号",
    "病案号",
    "姓名",
    "性别",
    "年龄",
    "诊断",
    "体重(kg)",
    "输注日期",
    "第几次",
    "细胞来源",
    "批号",
    "代次",
    "细胞计数",
    "活率(%)",
    "实际输注细胞数",
    "途径",
    "不良反应",
    "操作者",
    "备注",
)
_HEPATIC_UNTIL = day(2011, 12, 31)


@dataclass(slots=True)
class LedgerRow:
    """One row: typed cells under `COLUMNS`; delivered in snapshots `batch` … `until` − 1."""

    uid: int
    person: Person
    day: int
    batch: int
    cells: list[TypedCell]
    until: int = NOT_DELIVERED

    @property
    def year(self) -> int:
        """Year of the sheet."""
        return to_date(self.day).year


def unit_of(year: int) -> str:
    """Unit in the headers of columns M and O."""
    return "万" if year in MERGED_YEARS else "×10^6"


def headers(year: int) -> list[str]:
    """Header row of a sheet."""
    return [f"{name}({unit_of(year)})" if name in ("细胞计数", "实际输注细胞数") else name for name in COLUMNS]


def _date_cell(at: int, rng: np.random.Generator) -> TypedCell:
    draw = rng.random()
    if draw < 0.70:
        return to_date(at)
    if draw < 0.82:
        return d2(at)
    found = to_date(at)
    return d4(at) if draw < 0.92 else f"{found.year}.{found.month}.{found.day}"


def _cells(world: World, person: Person, infusion: Infusion, ordinal: int, rng: np.random.Generator) -> list[TypedCell]:
    year = to_date(infusion.day).year
    factor = 100.0 if year in MERGED_YEARS else 1.0
    viability = int(rng.integers(85, 100))
    given = round(infusion.cells_1e6 * factor, 2 if factor == 1 else 0)
    hepatic = infusion.day <= _HEPATIC_UNTIL and rng.random() < 0.15
    reaction = ("无", "发热", "寒战", "皮疹")[int(rng.choice(4, p=(0.93, 0.045, 0.015, 0.01)))]
    diagnosis = "慢加急性肝衰竭" if person.aclf else "乙肝肝硬化失代偿期"
    return [
        None,
        person.bah,
        person.name,
        "女" if person.female else "男",
        completed_years(person.birth, infusion.day),
        diagnosis,
        float(world.x["weight_kg"][person.idx]),
        _date_cell(infusion.day, rng),
        ordinal if rng.random() < 0.7 else f"第{ordinal}次",
        infusion.source,
        infusion.batch,
        f"P{int(rng.integers(3, 7))}",
        round(given / viability * 100, 2),
        viability,
        given,
        "肝动脉" if hepatic else "外周静脉",
        reaction,
        name_of(rng),
        None,
    ]


def build_ledger(world: World) -> list[LedgerRow]:
    """All rows in order of infusion; one row entered by mistake is gone from the third snapshot on."""
    rng = stream(world.seed, "ledger")
    stays = world.stays_of()
    rows: list[LedgerRow] = []
    every = sorted(
        (
            (infusion, ordinal, person)
            for person in world.persons
            for ordinal, infusion in enumerate(person.infusions, 1)
        ),
        key=lambda found: (found[0].day, found[2].idx),
    )
    for infusion, ordinal, person in every:
        held = next(s for s in stays[person.idx] if s.first <= infusion.day <= s.last)
        cells = _cells(world, person, infusion, ordinal, rng)
        cells[1] = held.bah
        rows.append(LedgerRow(len(rows), person, infusion.day, held.batch, cells))
    last = [row for row in rows if row.batch == 0 and row.year >= 2013]
    if last:
        person = last[-1].person
        mistaken = Infusion(
            last[-1].day, last[-1].person.infusions[-1].cells_1e6, last[-1].person.infusions[-1].batch, "脐带"
        )
        cells = _cells(world, person, mistaken, len(person.infusions) + 1, rng)
        cells[10] = f"{mistaken.batch[:-1]}9"
        rows.append(LedgerRow(len(rows), person, mistaken.day, 0, cells, until=2))
    return rows
