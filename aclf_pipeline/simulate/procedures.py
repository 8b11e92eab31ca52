"""人工肝治疗: one row per procedure, tab-separated.

Not here: which procedures took place (`treatments`).
"""

from __future__ import annotations

from . import delivery
from .clock import t4
from .identity import name_of
from .rows import FileForm, Kind, Row
from .streams import stream
from .treatments import PLASMA_MODES, Treatment
from .world import World

KIND = "人工肝治疗"
COLUMNS: tuple[str, ...] = (
    "流水号",
    "病案号",
    "住院次数",
    "姓名",
    "治疗类别",
    "治疗方式",
    "开始时间",
    "结束时间",
    "置换血浆量(mL)",
    "抗凝剂",
    "并发症",
    "操作医师",
    "备注",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("人工肝治疗_2010-2018.txt", delivery.UTF16_TAB, COLUMNS),
    "c": FileForm("人工肝治疗_增量_{stamp}.txt", delivery.UTF16_TAB, COLUMNS),
}
_COMPLICATIONS = (None, None, None, None, None, None, None, "皮疹", "低血压", "寒战")


def build_procedures(world: World, treatments: list[Treatment]) -> Kind:
    """All procedures, numbered in order of start."""
    rng = stream(world.seed, "procedures")
    kind = Kind(KIND, FORMS)
    doctors = [name_of(rng) for _ in range(10)]
    for number, treatment in enumerate(treatments):
        stay = world.stays[treatment.stay]
        plasma = f"{int(rng.integers(30, 71)) * 50}" if treatment.mode in PLASMA_MODES else None
        machine = treatment.category in ("人工肝", "血液净化")
        cells = (
            f"RG{number + 1:08d}",
            stay.bah,
            str(stay.zycs),
            world.persons[stay.person].name,
            treatment.category,
            treatment.mode,
            t4(treatment.start),
            t4(min(treatment.end, stay.dis)),
            plasma,
            ("肝素", "枸橼酸", "无")[int(rng.choice(3, p=(0.6, 0.2, 0.2)))] if machine else None,
            _COMPLICATIONS[int(rng.integers(10))] if treatment.category == "人工肝" else None,
            doctors[number % 10],
            None,
        )
        kind.add(Row((treatment.start, number), stay.batch, "c" if stay.batch else "a", stay.person, cells))
    return kind
