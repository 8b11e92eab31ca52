"""Damage to the evidence of eligibility: hidden liver cancer, a negative HBsAg at baseline.

Not here: conditions themselves (`population`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..world import World
from .kind_table import KindTable
from .lab_table import KIND as LABS
from .lab_table import LabTable
from .plan import Event, Plan

PAGES, WARD = "病案首页", "病程评估"


def hcc_date_hidden(tables: Mapping[str, KindTable], plan: Plan, world: World) -> None:
    """Liver cancer gone from front pages and comorbidities; only the image before infusion 1 still shows it."""
    rng = plan.rng("hcc_date_hidden")
    pages, ward = tables[PAGES], tables[WARD]
    carriers = [p.idx for p in world.persons if p.infused and p.malignancy_kind == "hcc"]
    wanted = plan.persons(4)
    for position in rng.permutation(len(carriers)):
        person = carriers[position]
        own = pages.of_person(person)
        notes = [uid for uid in ward.of_person(person) if "肝癌" in (ward.get(uid, "合并症") or "")]
        if not wanted or not plan.free(PAGES, own) or not plan.free(WARD, notes):
            continue
        event = plan.event("hcc_date_hidden", "adjudicate", level="patient")
        plan.touch(PAGES, own)
        plan.touch(WARD, notes)
        for uid in own:
            _drop_cancer(pages, uid, plan, event)
        for uid in notes:
            text = ward.get(uid, "合并症") or ""
            mark = next((m for m in "、；;" if m in text), "、")
            rest = mark.join(part for part in text.split(mark) if part != "肝癌")
            plan.patch(WARD, uid, "合并症", rest or "无", event)
        wanted -= 1


def _drop_cancer(pages: KindTable, uid: int, plan: Plan, event: Event) -> None:
    """Remove the diagnosis and close the gap."""
    stems = [stem for stem in ("QTZD", "JBDM", "RYBQ") if pages.has(uid, f"{stem}1")]
    rows = [[pages.get(uid, f"{stem}{n}") for stem in stems] for n in range(1, 16)]
    kept = [row for row in rows if row[0] != "原发性肝癌"]
    blank = "-" if pages.has(uid, "LYFS") else None
    kept += [[blank] * len(stems)] * (15 - len(kept))
    for n, (before, after) in enumerate(zip(rows, kept, strict=True), start=1):
        for stem, old, new in zip(stems, before, after, strict=True):
            if old != new:
                plan.patch(PAGES, uid, f"{stem}{n}", new, event)


def hbsag_negative_baseline(lab: LabTable, plan: Plan, world: World) -> None:
    """`0.02` COI within 30 days before infusion 1, all other results positive."""
    rng = plan.rng("hbsag_negative_baseline")
    rows = lab.rows("HBSAG")
    first = {p.idx: p.infusions[0].day for p in world.persons if p.infusions and not p.reasons}
    before = [
        int(row)
        for row in rows
        if lab.unit[int(row)] == "COI"
        and int(lab.person[row]) in first
        and first[int(lab.person[row])] - 30 <= lab.day[row] <= first[int(lab.person[row])]
        and int(np.sum(lab.person[rows] == lab.person[row])) >= 2
    ]
    for row in plan.choose(LABS, before, plan.persons(4), rng):
        event = plan.event("hbsag_negative_baseline", "adjudicate", level="patient")
        plan.patch(LABS, row, "结果", "0.02", event)
        plan.patch(LABS, row, "异常标志", None, event)
