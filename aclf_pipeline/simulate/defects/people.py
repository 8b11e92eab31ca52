"""Damage to front pages and the register: identity numbers, ages, birth dates, impossible stays.

Not here: outcomes (`outcome`), treatments and vital signs (`treatment_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np

from ..clock import BATCHES, EPOCH, d1, d2
from ..world import World
from .kind_table import KindTable
from .plan import Plan

PAGES, DEATHS = "病案首页", "死亡登记"


def _day(text: str) -> int:
    return (date(*map(int, text.replace("/", "-").split("-"))) - EPOCH).days


def stay_impossible(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Discharge before admission, or more than a year after it."""
    table, rng = tables[PAGES], plan.rng("stay_impossible")
    for uid in plan.choose(PAGES, table.uids, plan.share(0.0015, len(table.uids)), rng):
        first = table.get(uid, "RYSJ") or ""
        at = _day(first)
        late = at + int(rng.integers(370, 900))
        # A date after the delivery would be another defect.
        backwards = rng.random() < 0.6 or late > BATCHES[table.file(uid).batch].cutoff
        wrong = at - int(rng.integers(2, 40)) if backwards else late
        text = d2(wrong) if "/" in first else d1(wrong)
        plan.patch(PAGES, uid, "CYSJ", text, plan.event("stay_impossible", "quarantine"))


def sfzh_invalid(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """One digit of the identity number altered, so that the check character fails."""
    for kind, column in ((PAGES, "SFZH"), (DEATHS, "身份证号")):
        table, rng = tables[kind], plan.rng("sfzh_invalid", kind)
        full = [uid for uid in table.uids if len(table.get(uid, column) or "") == 18]
        if kind == DEATHS:
            full = [uid for uid in full if table.get(uid, "病案号")]
        for uid in plan.choose(kind, full, plan.share(0.005, len(full)), rng):
            number = table.get(uid, column) or ""
            place = int(rng.integers(14, 17))
            digit = (int(number[place]) + int(rng.integers(1, 5)) * 2) % 10
            plan.patch(
                kind, uid, column, f"{number[:place]}{digit}{number[place + 1 :]}", plan.event("sfzh_invalid", "flag")
            )


def age_mismatch(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Printed age differs by two years or more from the dates."""
    table, rng = tables[PAGES], plan.rng("age_mismatch")
    for uid in plan.choose(PAGES, table.uids, plan.share(0.005, len(table.uids)), rng):
        true = int(table.get(uid, "NL") or 0)
        shown = max(1, true + int(rng.choice((-1, 1))) * int(rng.integers(3, 16)))
        shown = shown if abs(shown - true) >= 3 else true + 5
        across = (shown < 18) != (true < 18)
        plan.patch(PAGES, uid, "NL", str(shown), plan.event("age_mismatch", "adjudicate" if across else "flag"))


def birth_date_impossible(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Birth date before 1900 or after admission; the identity number may still tell."""
    table, rng = tables[PAGES], plan.rng("birth_date_impossible")
    for uid in plan.choose(PAGES, table.uids, plan.share(0.001, len(table.uids)), rng):
        born, admitted = table.get(uid, "CSRQ") or "", table.get(uid, "RYSJ") or ""
        if rng.random() < 0.5:
            text = (
                ("1900/1/1" if "/" in born else "1900-01-01")
                if rng.random() < 0.5
                else born.replace(born[:4], "1862", 1)
            )
        else:
            wrong = _day(admitted) + int(rng.integers(20, 400))
            text = d2(wrong) if "/" in born else d1(wrong)
        known = len(table.get(uid, "SFZH") or "") > 1
        plan.patch(
            PAGES, uid, "CSRQ", text, plan.event("birth_date_impossible", *(("repair",) if known else ("quarantine",)))
        )


def sfzh_birth_sex_conflict(tables: Mapping[str, KindTable], plan: Plan) -> None:
    """Birth date or sex contradicts a valid identity number; age and sex in the laboratory tell who is right."""
    table, rng = tables[PAGES], plan.rng("sfzh_birth_sex_conflict")
    full = [uid for uid in table.uids if len(table.get(uid, "SFZH") or "") == 18]
    for uid in plan.choose(PAGES, full, plan.share(0.005, len(full)), rng):
        event = plan.event("sfzh_birth_sex_conflict", "repair", "adjudicate")
        born = table.get(uid, "CSRQ") or ""
        if rng.random() < 0.25:
            own = table.get(uid, "XB") or ""
            plan.patch(PAGES, uid, "XB", {"1": "2", "2": "1", "男": "女", "女": "男"}[own], event)
            continue
        year, month, of_month = map(int, born.replace("/", "-").split("-"))
        plan.patch(PAGES, uid, "CSRQ", _other_birth(year, month, of_month, "/" in born, rng), event)


def _other_birth(year: int, month: int, of_month: int, old: bool, rng: np.random.Generator) -> str:
    if of_month <= 12 and of_month != month and rng.random() < 0.3:
        month, of_month = of_month, month
    else:
        year += int(rng.choice((-10, -1, 1)))
        of_month = min(of_month, 28)
    return f"{year}/{month}/{of_month}" if old else f"{year}-{month:02d}-{of_month:02d}"


def sex_pregnancy_conflict(tables: Mapping[str, KindTable], plan: Plan, world: World) -> None:
    """A man with a code of pregnancy."""
    table, rng = tables[PAGES], plan.rng("sex_pregnancy_conflict")
    men = [p.idx for p in world.persons if not p.female and not p.reasons]
    wanted = plan.persons(2)
    for position in rng.permutation(len(men)):
        if not wanted:
            break
        for uid in table.of_person(men[position]):
            blank = next((n for n in range(1, 16) if table.get(uid, f"QTZD{n}") in (None, "-")), None)
            if blank is None or not plan.free(PAGES, (uid,)):
                continue
            plan.touch(PAGES, (uid,))
            old = not table.has(uid, "LYFS")
            event = plan.event("sex_pregnancy_conflict", "adjudicate", level="patient")
            plan.patch(PAGES, uid, f"QTZD{blank}", "妊娠状态", event)
            plan.patch(PAGES, uid, f"JBDM{blank}", "Z33" if old else "Z33.x00", event)
            wanted -= 1
            break


def name_rare_char(tables: Mapping[str, KindTable], plan: Plan, world: World) -> None:
    """The character outside GBK of a name written `?`."""
    rng = plan.rng("name_rare_char")
    rare = {p.idx: p.name for p in world.persons if any(_outside_gbk(c) for c in p.name)}
    candidates = [
        (kind, uid, column)
        for kind, column in ((PAGES, "XM"), ("医嘱", "姓名"), ("病程评估", "姓名"), ("影像", "姓名"))
        for person in rare
        for uid in tables[kind].of_person(person)
    ]
    wanted = plan.share(0.1, len(candidates))
    for position in rng.permutation(len(candidates))[:wanted]:
        kind, uid, column = candidates[position]
        if plan.choose(kind, [uid], 1, rng):
            name = tables[kind].get(uid, column) or ""
            text = "".join("?" if _outside_gbk(c) else c for c in name)
            plan.patch(kind, uid, column, text, plan.event("name_rare_char", "flag"))


def _outside_gbk(character: str) -> bool:
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return True
    return False
