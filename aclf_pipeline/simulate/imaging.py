"""影像: imaging conclusions in numbered sentences, with negations and doubt.

Not here: the state behind them (`bedside`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import bedside, delivery
from .clock import SECONDS, batch_of, t1
from .course import Stay
from .findings import Findings
from .identity import name_of
from .population import Person
from .rows import Cell, FileForm, HabitCell, Kind, Row, record
from .streams import stream
from .world import World

KIND = "影像"
COLUMNS: tuple[str, ...] = (
    "检查号",
    "病案号",
    "住院次数",
    "姓名",
    "检查类型",
    "检查部位",
    "检查时间",
    "报告时间",
    "报告状态",
    "结论",
    "报告医师",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("影像_2010-2018.csv", delivery.GB_CRLF, COLUMNS),
    "c": FileForm("影像_增量_{stamp}.csv", delivery.GB_CRLF, COLUMNS),
}
_SITES = {"超声": "肝胆脾胰", "CT": "上腹部", "MR": "上腹部", "X线": "胸部", "胃镜": "食管胃十二指肠"}
SUSPECTED, UNCERTAIN, NONE_SEEN = "考虑原发性肝癌", "肝内占位，性质待定", "未见占位"


@dataclass(slots=True)
class Report:
    """One examination; `stay` is None for an outpatient."""

    person: Person
    stay: Stay | None
    kind: str
    at: int


def _examinations(stay: Stay, rng: np.random.Generator) -> list[tuple[str, int]]:
    """(type, instant) of the examinations of a stay; ultrasound on the first days, so before a first infusion."""
    length = stay.last - stay.first
    first = stay.first * SECONDS + SECONDS + int(rng.integers(8 * 60, 12 * 60)) * 60
    if length < 1:
        return [("超声", stay.adm + 5400)]
    found = [("超声", first)] if length > 1 else [("超声", min(stay.adm + 5400, stay.dis - 600))]
    for kind, share in (("CT", 0.28), ("X线", 0.15), ("胃镜", 0.12), ("MR", 0.06)):
        if length > 2 and rng.random() < share:
            at = stay.first + 1 + int(rng.integers(0, length - 1))
            found.append((kind, at * SECONDS + int(rng.integers(8 * 60, 17 * 60)) * 60))
    if length > 9:
        at = stay.first + 8 + int(rng.integers(0, length - 8))
        found.append(("超声", min(at, stay.last - 1) * SECONDS + int(rng.integers(8 * 60, 17 * 60)) * 60))
    return found


def _conclusion(world: World, report: Report, rng: np.random.Generator) -> str:
    person, stay, x = report.person, report.stay, world.x
    if report.kind == "X线":
        lungs = stay is not None and bedside.flag(person, stay, x, "infection") and int(x["ascites"][person.idx]) == 0
        return "1.双肺纹理增多" + ("，右下肺斑片影。" if lungs else "。2.心影不大。")
    cirrhosis = bool(x["cirrhosis"][person.idx])
    if report.kind == "胃镜":
        return "1.食管胃底静脉曲张(重度)。2.门脉高压性胃病。" if cirrhosis else "1.慢性浅表性胃炎。2.未见静脉曲张。"
    level = bedside.ascites(person, stay, x) if stay is not None else 0
    parts = ["肝硬化" if cirrhosis else "肝实质回声增粗，未见肝硬化征象"]
    parts += ["脾大"] if cirrhosis or rng.random() < 0.3 else []
    parts.append(("未见腹水", "少量腹水", f"腹水，最深约{int(rng.integers(35, 95))}mm")[level])
    if cirrhosis and rng.random() < 0.04:
        parts.append("门静脉血栓")
    parts.append(_lesion(person, stay, rng))
    return ("\n" if rng.random() < 0.08 else "").join(f"{n}.{part}。" for n, part in enumerate(parts, start=1))


def _lesion(person: Person, stay: Stay | None, rng: np.random.Generator) -> str:
    if person.malignancy_kind == "hcc" and stay is not None and stay.role != "early":
        return SUSPECTED
    if not person.reasons and stay is not None and stay.role == "index" and rng.random() < 0.02:
        return UNCERTAIN
    draw = rng.random()
    return UNCERTAIN if draw < 0.015 else "肝内低回声结节，不除外再生结节" if draw < 0.03 else NONE_SEEN


def build_imaging(world: World, findings: Findings) -> Kind:
    """All reports; a few are re-issued with a corrected conclusion."""
    rng = stream(world.seed, "imaging")
    reports = [
        Report(world.persons[s.person], s, kind, at)
        for s in world.stays
        for kind, at in _examinations(s, rng)
        if s.adm < at < s.dis
    ]
    reports += [
        Report(world.persons[v.person], None, "超声", v.at + 3600)
        for v in world.visits
        if v.kind == "late" and rng.random() < 0.35
    ]
    reports.sort(key=lambda r: (r.at, r.person.idx))
    kind, habits = Kind(KIND, FORMS), list[HabitCell]()
    doctors = [name_of(rng) for _ in range(12)]
    for number, report in enumerate(reports):
        conclusion, person = _conclusion(world, report, rng), report.person
        reported = report.at + int(rng.integers(40, 600)) * 60
        batch = report.stay.batch if report.stay else batch_of(reported // SECONDS)
        head: tuple[Cell, ...] = (
            f"US{number + 1:09d}",
            report.stay.bah if report.stay else person.bah,
            str(report.stay.zycs) if report.stay else None,
            person.name,
            report.kind,
            _SITES[report.kind],
            t1(report.at),
        )
        file, doctor = ("c" if batch else "a"), doctors[number % 12]
        again = rng.random() < 0.004
        first = conclusion + "（初步报告）" if again else conclusion
        order = (report.at, number)
        kind.add(Row((*order, 0), batch, file, person.idx, (*head, t1(reported), "正式", first, doctor)))
        if again:
            later = t1(reported + int(rng.integers(3, 40)) * 3600)
            row = kind.add(Row((*order, 1), batch, file, person.idx, (*head, later, "修改", conclusion, doctor)))
            habits.append(HabitCell(row, "report_reissued", "结论", first, conclusion))
    record(habits, kind, findings)
    return kind


def outpatient_days(kind: Kind) -> dict[int, list[str]]:
    """Days of delivered outpatient examinations by person, as D1 text."""
    found: dict[int, list[str]] = {}
    for row in kind.rows:
        if row.batch < 4 and row.cells[2] is None:
            found.setdefault(row.person, []).append(str(row.cells[6])[:10])
    return found
