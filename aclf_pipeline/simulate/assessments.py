"""病程评估: structured assessments on admission, every three days, at discharge or death.

Not here: the truth behind them (`bedside`, `covariates`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import bedside, delivery
from .clock import SECONDS, d1, d6, d7, t1, to_date
from .course import Stay
from .covariates import pta_from_inr
from .findings import Findings
from .identity import name_of
from .population import Person
from .rows import Cell, FileForm, HabitCell, Kind, Row, record
from .streams import stream
from .world import World

KIND = "病程评估"
COLUMNS: tuple[str, ...] = (
    "评估号",
    "病案号",
    "住院次数",
    "姓名",
    "评估时间",
    "评估类型",
    "肝性脑病",
    "腹水",
    "感染",
    "感染部位",
    "消化道出血",
    "肝肾综合征",
    "肝硬化",
    "HBsAg阳性史",
    "抗病毒史",
    "起病日期",
    "ACLF诊断",
    "合并症",
    "病程摘要",
    "医师",
)
FORMS: dict[str, FileForm] = {
    "a": FileForm("病程评估_2010-2018.csv", delivery.BOM_QUOTED, COLUMNS),
    "c": FileForm("病程评估_增量_{stamp}.csv", delivery.BOM_QUOTED, COLUMNS),
}
_ROMAN = ("", "Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ")
_LATIN = ("", "I", "II", "III", "IV")
_SITES = ("自发性腹膜炎", "肺部", "泌尿系", "血流", "真菌", "其他")
_TREATED = {"naive": "未用", "on": "规律服用", "withdrawn": "自行停药"}
_SUMMARIES = (
    "患者神志清，精神一般，皮肤巩膜黄染，未诉腹痛。",
    "乏力、纳差较前好转，尿色仍深，继续目前治疗。",
    "腹胀，食欲差，尿少，注意电解质及出血倾向。",
    "今日无特殊不适，生命体征平稳，复查肝功能及凝血。",
    "黄疸加深，凝血功能差，病情危重，已向家属交代。",
)


@dataclass(slots=True)
class _Draft:
    stay: Stay
    at: int
    word: str
    cells: list[Cell]
    habits: list[tuple[str, str, str]]


def _grade_text(grade: int, near: bool, rng: np.random.Generator) -> Cell:
    draw = rng.random()
    if grade == 0:
        if draw < 0.015 and not near:
            return None
        return "无" if draw < 0.85 else "0期"
    if grade >= 2 and draw < 0.03:
        return f"{_ROMAN[grade - 1]}-{_ROMAN[grade]}期"
    if draw < 0.70:
        return f"{_ROMAN[grade]}期"
    return (f"{_LATIN[grade]}期", f"{grade}级", f"{grade}", f"{_ROMAN[grade]}度")[int(rng.integers(4))]


def _ascites_text(level: int, near: bool, rng: np.random.Generator) -> str:
    if level == 0:
        return "无"
    if not near and rng.random() < 0.03:
        return "有"
    return "少量" if level == 1 else ("中量" if rng.random() < 0.55 else "大量")


class AssessmentBook:
    """Collects the assessments of all stays."""

    def __init__(self, world: World) -> None:
        self.world, self.x = world, world.x
        self.rng = stream(world.seed, "assessments")
        self.drafts: list[_Draft] = []
        for person in world.persons:
            person.history = self._history(person)

    def _history(self, person: Person) -> str:
        """HBsAg history: text evidence for seven in ten of those who have evidence at all."""
        rng = self.rng
        if "hbsag_evidence" in person.reasons:
            return ("首次发现", "不详", "")[int(rng.integers(3))]
        if rng.random() < 0.3:
            return ("不详", "不详", "")[int(rng.integers(3))]
        year = max(to_date(person.onset).year - int(rng.integers(2, 20)), to_date(person.birth).year + 1)
        draw = rng.random()
        if draw < 0.45:
            return "阳性>6个月"
        if draw < 0.70:
            return "阳性10余年"
        if draw < 0.90:
            return f"{year}年体检发现"
        back = max(person.onset - int(rng.integers(400, 4000)), person.birth + 400)
        form = int(rng.integers(3))
        return d6(back, form) if rng.random() < 0.5 else d7(back, form % 2)

    def stay(self, stay: Stay) -> None:
        """All assessments of one stay; the day of reference is always assessed."""
        person = self.world.persons[stay.person]
        rng = self.rng
        first = stay.adm + int(rng.integers(30, 150)) * 60
        self.drafts.append(self._draft(person, stay, min(first, stay.dis - 120), "入院"))
        days = set(range(stay.first + 3, stay.last, 3))
        if stay.first < person.reference < stay.last:
            days.add(person.reference)
        days |= {d for d in range(stay.first + 1, stay.last) if bedside.encephalopathy(person, stay, self.x, d) >= 3}
        for at in sorted(days):
            word = "抢救" if stay.dead and stay.last - at <= 1 and rng.random() < 0.5 else "日常"
            self.drafts.append(self._draft(person, stay, at * SECONDS + int(rng.integers(9 * 60, 12 * 60)) * 60, word))
        last = stay.dis if stay.dead else max(stay.dis - int(rng.integers(10, 60)) * 60, stay.adm + 9600)
        self.drafts.append(self._draft(person, stay, last, "死亡" if stay.dead else "出院"))

    def _draft(self, person: Person, stay: Stay, at: int, word: str) -> _Draft:
        rng, x, i = self.rng, self.x, person.idx
        day = at // SECONDS
        near = abs(day - person.reference) <= 4 or word == "入院"
        infected = bedside.flag(person, stay, x, "infection")
        sites = sorted(rng.choice(len(_SITES), size=int(rng.choice((1, 2), p=(0.8, 0.2))), replace=False))
        cirrhosis = "无"
        if x["cirrhosis"][i]:
            cirrhosis = "失代偿期" if x["ascites"][i] > 0 or not person.aclf else "代偿期"
        if not near and rng.random() < 0.03:
            cirrhosis = "不详" if not x["cirrhosis"][i] else "有"
        suspected = not near and rng.random() < 0.03
        summary = _SUMMARIES[int(rng.integers(len(_SUMMARIES)))]
        if rng.random() < 0.12:
            summary += "\n" + _SUMMARIES[int(rng.integers(len(_SUMMARIES)))]
        cells: list[Cell] = [
            _grade_text(bedside.encephalopathy(person, stay, x, day), near, rng),
            _ascites_text(bedside.ascites(person, stay, x), near, rng),
            "有" if infected else ("可疑" if suspected else "无"),
            (";", "；", "、")[int(rng.integers(3))].join(_SITES[k] for k in sites) if infected else None,
            "有" if bedside.flag(person, stay, x, "gi_bleed") else "无",
            "有" if bedside.flag(person, stay, x, "hrs") else "无",
            cirrhosis,
        ]
        habits: list[tuple[str, str, str]] = []
        cells += self._on_admission(person, stay, habits) if word == "入院" else [None] * 5
        return _Draft(stay, at, word, [*cells, summary], habits)

    def _on_admission(self, person: Person, stay: Stay, habits: list[tuple[str, str, str]]) -> list[Cell]:
        rng = self.rng
        history = person.history or None
        if history is not None and history[:1] in "12" and not history.endswith("发现"):
            habits.append(("HBsAg阳性史", history, history))
        onset = person.onset if stay.role == "index" else stay.first - int(rng.integers(2, 15))
        shown = d1(onset)
        if rng.random() < 0.10:
            shown = d6(onset, int(rng.integers(3)))
            habits.append(("起病日期", d1(onset), shown))
        stage = None
        if stay.aclf:
            pta = float(pta_from_inr(np.array([self.x["dx_inr"][person.idx]]))[0])
            stage = f"慢加急性肝衰竭({'晚期' if pta <= 20 else '中期' if pta <= 30 else '早期'})"
        treated = _TREATED[self.x["antiviral"][person.idx]]
        if not person.infused and rng.random() < 0.03:
            treated = "不详"
        return [history, treated, shown, stage, self._comorbidities(person, stay)]

    def _comorbidities(self, person: Person, stay: Stay) -> str:
        found: list[str] = []
        if stay.role != "early":
            if "hcv" in person.reasons:
                found.append("丙肝")
            words = {
                person.immune_kind: {"hiv": "HIV感染", "immunodeficiency": "免疫缺陷"},
                person.malignancy_kind: {"hcc": "肝癌", "other": "其他恶性肿瘤"},
                person.thyroid_kind: {"hyper": "甲亢", "hypo": "其他甲状腺病"},
                person.pregnancy_kind: {"pregnancy": "妊娠", "lactation": "哺乳"},
            }
            found += [names[kind] for kind, names in words.items() if kind]
        if "renal_dysfunction" in person.reasons:
            found.append("慢性肾病")
        if person.idx % 11 == 0:
            found.append("糖尿病")
        if person.idx % 9 == 0:
            found.append("高血压")
        return ("、", ";", "；")[int(self.rng.integers(3))].join(found) or "无"


def build_assessments(world: World, findings: Findings) -> Kind:
    """All assessments, numbered in order of time."""
    book = AssessmentBook(world)
    for stay in world.stays:
        book.stay(stay)
    book.drafts.sort(key=lambda draft: (draft.at, draft.stay.idx))
    doctors = [name_of(book.rng) for _ in range(30)]
    kind = Kind(KIND, FORMS)
    habits: list[HabitCell] = []
    for number, draft in enumerate(book.drafts):
        stay = draft.stay
        head = (
            f"PG{number + 1:010d}",
            stay.bah,
            str(stay.zycs),
            world.persons[stay.person].name,
            t1(draft.at),
            draft.word,
        )
        file = "c" if stay.batch else "a"
        row = kind.add(
            Row((draft.at, number), stay.batch, file, stay.person, (*head, *draft.cells, doctors[number % 30]))
        )
        habits += [HabitCell(row, "date_month_only", name, before, shown) for name, before, shown in draft.habits]
    record(habits, kind, findings)
    return kind
