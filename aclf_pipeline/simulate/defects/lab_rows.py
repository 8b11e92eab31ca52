"""Damage to laboratory rows and tubes: times, copies of other tubes, results of other persons, rows twice.

Not here: single results (`lab_cells`), units (`lab_units`).
"""

from __future__ import annotations

import numpy as np

from .. import lab_items as li
from ..clock import AS_OF, SECONDS
from ..world import World
from .dates import impossible_instant
from .lab_table import KIND, LabTable
from .plan import Event, Plan

# What tells a liver tube of another person from one's own: factors far beyond the course of a week, and that week.
_FAR: dict[str, float] = {"TBIL": 3.0, "DBIL": 3.0, "ALT": 4.0, "AST": 4.0, "ALB": 1.4}
_NEAR_DAYS, _E_ANTIGEN_DAYS = 6, 180


def report_before_collection(lab: LabTable, plan: Plan) -> None:
    """Reported 12 hours or a day too early, before the tube was drawn."""
    rng = plan.rng("report_before_collection")
    delay = (lab.tubes.reported - lab.tubes.collected)[lab.tube]
    rows = np.flatnonzero(lab.plain & (delay < 22 * 3600))
    for row in plan.choose(KIND, rows, plan.share(0.001, len(lab.tube)), rng):
        back = 12 * 3600 if delay[row] < 11 * 3600 and rng.random() < 0.5 else SECONDS
        event = plan.event("report_before_collection", "quarantine")
        plan.patch(KIND, row, "报告时间", None, event, int(lab.tubes.reported[lab.tube[row]]) - back)


def copy_forward_panel(lab: LabTable, plan: Plan) -> None:
    """A tube repeats, as text, all results of the person's previous tube."""
    rng = plan.rng("copy_forward_panel")
    pairs = list(lab.consecutive(li.LIVER, li.KIDNEY, li.BLOOD))
    wanted = plan.share(0.003, len(pairs))
    for position in rng.permutation(len(pairs)):
        if not wanted:
            break
        wanted -= _copy(lab, plan, *pairs[position], defect_id="copy_forward_panel", actions=("flag",))


def specimen_mixup(lab: LabTable, plan: Plan) -> None:
    """A tube carries the results of another person's tube of the same panel."""
    rng = plan.rng("specimen_mixup")
    wanted = plan.share(0.0005, len(lab.tubes.panel))
    for panel in ((li.LIVER, li.HBV, li.GROUP) * (wanted + 1))[: wanted * 4]:
        tubes = lab.panel_tubes(panel)
        if not wanted or len(tubes) < 2:
            continue
        one, other = (int(t) for t in rng.choice(tubes, 2, replace=False))
        if lab.enc.person[lab.tubes.encounter[one]] != lab.enc.person[lab.tubes.encounter[other]]:
            wanted -= _copy(
                lab, plan, other, one, defect_id="specimen_mixup", actions=("quarantine", "flag"),
                detectable=_looks_strange(lab, panel, other, one),
            )  # fmt: skip


def _looks_strange(lab: LabTable, panel: str, source: int, target: int) -> bool:
    """Whether anything in the person's other tubes (or, for blood groups, front pages) tells the tube is not theirs.

    A liver tube: three of five results off by a wide margin, and two other such tubes within a week. Serology: an e
    antigen that was gone and is back, or gone within half a year. Results that any two patients share tell nothing.
    """
    if panel == li.GROUP:
        before, after = (lab.of_tube(tube, "ABO") for tube in (target, source))
        return before is not None and after is not None and lab.result[before] != lab.result[after]
    person = lab.enc.person[lab.tubes.encounter[target]]
    others = [
        int(tube)
        for tube in lab.panel_tubes(panel)
        if tube != target and lab.enc.person[lab.tubes.encounter[tube]] == person
    ]
    days = {tube: (int(lab.tubes.collected[tube]) - int(lab.tubes.collected[target])) / SECONDS for tube in others}
    if panel == li.HBV:
        new = _number(lab, source, "HBEAG") >= 1
        differing = [tube for tube in others if (_number(lab, tube, "HBEAG") >= 1) != new]
        return any(new == (days[tube] < 0) or abs(days[tube]) <= _E_ANTIGEN_DAYS for tube in differing)
    far = sum(
        abs(np.log(_number(lab, source, code) / _number(lab, target, code))) > np.log(factor)
        for code, factor in _FAR.items()
    )
    return far >= 3 and sum(abs(gap) <= _NEAR_DAYS for gap in days.values()) >= 2


def _number(lab: LabTable, tube: int, code: str) -> float:
    row = lab.of_tube(tube, code)
    return float("nan") if row is None else float(lab.value[row])


def _copy(
    lab: LabTable,
    plan: Plan,
    source: int,
    target: int,
    *,
    defect_id: str,
    actions: tuple[str, ...],
    detectable: bool = True,
) -> bool:
    """Write the results of one tube over those of another; False where they do not match or are taken."""
    low, high = lab.rows_of(source)
    first, last = lab.rows_of(target)
    if high - low != last - first or not np.array_equal(lab.item[low:high], lab.item[first:last]):
        return False
    rows = [*range(low, high), *range(first, last)]
    if lab.used[rows].any() or not plan.free(KIND, rows):
        return False
    if lab.span[low:high].to_list() != lab.span[first:last].to_list() and _units(lab, low, high) != _units(
        lab, first, last
    ):
        return False
    if lab.result[low:high].to_list() == lab.result[first:last].to_list():
        return False
    plan.touch(KIND, rows)
    event = plan.event(defect_id, *actions, detectable=detectable)
    for k in range(high - low):
        plan.patch(KIND, first + k, "结果", lab.result[low + k], event)
    return True


def _units(lab: LabTable, low: int, high: int) -> list[str]:
    return [(unit or "").replace("µ", "μ") for unit in lab.unit[low:high]]


def event_outside_stay(lab: LabTable, plan: Plan) -> None:
    """All times of a tube 8 to 40 days after the stay it names."""
    rng = plan.rng("event_outside_stay")
    tubes = lab.panel_tubes(li.INFECTION, li.AMMONIA)
    wanted = plan.share(0.001, len(lab.tube))
    for tube in rng.permutation(tubes):
        if wanted <= 0:
            break
        last = int(lab.enc.last_second[lab.tubes.encounter[tube]]) // SECONDS
        shift = last + int(rng.integers(8, 41)) - int(lab.tubes.collected[tube]) // SECONDS
        moved = int(lab.tubes.collected[tube]) // SECONDS + shift
        if moved <= AS_OF and moved * SECONDS < int(lab.tubes.latest[tube]) - 4 * SECONDS:
            wanted -= shift_tube(lab, plan, int(tube), shift, plan.event("event_outside_stay", "repair", "flag"))


def shift_tube(lab: LabTable, plan: Plan, tube: int, days: int, event: Event) -> int:
    """Move the times of all rows of a tube; returns how many rows moved, 0 where any is taken."""
    low, high = lab.rows_of(tube)
    rows = list(range(low, high))
    if not rows or lab.used[low:high].any() or not plan.free(KIND, rows):
        return 0
    plan.touch(KIND, rows)
    for row in rows:
        for column, times in (
            ("采集时间", lab.tubes.collected),
            ("接收时间", lab.tubes.received),
            ("报告时间", lab.tubes.reported),
        ):
            plan.patch(KIND, row, column, None, event, int(times[tube]) + days * SECONDS)
    return len(rows)


def after_death(lab: LabTable, plan: Plan, world: World, hit: list[int]) -> None:
    """Tubes of persons who died in hospital, drawn one to five days after death; `hit` have other rows after death."""
    rng = plan.rng("event_after_death", "labs")
    wanted = plan.persons(6) - len(hit)
    tubes = lab.panel_tubes(li.KIDNEY)
    who = lab.enc.person[lab.tubes.encounter[tubes]]
    dead = [
        p
        for p in world.persons
        if p.death_in_hospital and p.death is not None and p.death < AS_OF - 10 and p.idx not in hit
    ]
    for position in rng.permutation(len(dead)):
        person = dead[position]
        own = tubes[who == person.idx]
        if wanted <= 0 or not len(own):
            continue
        tube = int(own[-1])
        shift = (person.death or 0) + int(rng.integers(1, 6)) - int(lab.tubes.collected[tube]) // SECONDS
        event = plan.event("event_after_death", "adjudicate", "quarantine", level="patient")
        wanted -= shift_tube(lab, plan, tube, shift, event) > 0


def lab_dates(lab: LabTable, plan: Plan) -> None:
    """Collection dates that cannot be."""
    rng = plan.rng("date_impossible", "labs")
    for row in plan.choose(KIND, np.flatnonzero(lab.plain), plan.share(0.0005, len(lab.tube)), rng):
        text = impossible_instant(int(lab.tubes.collected[lab.tube[row]]), rng)
        plan.patch(KIND, row, "采集时间", text, plan.event("date_impossible", "quarantine"))


def lab_duplicates(lab: LabTable, plan: Plan) -> None:
    """Records twice, the second a little later in the file."""
    rng = plan.rng("duplicate_row", "labs")
    for row in plan.choose(KIND, np.flatnonzero(~lab.used), plan.share(0.001, len(lab.tube)), rng):
        plan.add(KIND, row, plan.event("duplicate_row", "repair"), int(rng.integers(0, 60)))


ALL = (
    copy_forward_panel, specimen_mixup, event_outside_stay, report_before_collection, lab_dates, lab_duplicates,
)  # fmt: skip
