"""True treatments that leave traces in several files: artificial liver, dialysis, taps, endoscopy, ventilation, graft.

Not here: how a procedure is printed (`procedures`), what it does to a blood value (`lab_values`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import SECONDS
from .course import Stay
from .population import Person
from .streams import stream
from .world import World

PLASMA_MODES: tuple[str, ...] = ("PE", "PE+HP", "DPMAS+PE", "血浆置换")
_MODES = ("PE", "PP", "HP", "DPMAS", "PE+HP", "DPMAS+PE", "血浆置换")
_MODE_SHARES = (0.50, 0.06, 0.05, 0.10, 0.07, 0.12, 0.10)


@dataclass(slots=True)
class Treatment:
    """One procedure: instants of start and end; `drop` is the share of bilirubin it removes (artificial liver)."""

    person: int
    stay: int
    category: str
    mode: str
    start: int
    end: int
    drop: float = 0.0


def build_treatments(world: World) -> list[Treatment]:
    """All procedures, in order of start."""
    rng = stream(world.seed, "treatments")
    found: list[Treatment] = []
    for stay in world.stays:
        person = world.persons[stay.person]
        found += _artificial_liver(world, person, stay, rng)
        found += _others(world, person, stay, rng)
        if person.transplant is not None and stay.first <= person.transplant <= stay.last:
            start = max(person.transplant * SECONDS + int(rng.integers(8, 12)) * 3600, stay.adm + 1800)
            end = min(start + int(rng.integers(6, 11)) * 3600, stay.dis - 60)
            found.append(Treatment(person.idx, stay.idx, "肝移植", "同种异体肝移植", start, end))
    found.sort(key=lambda t: (t.start, t.person))
    return found


def _at(rng: np.random.Generator, of_day: int, first_hour: int = 9, last_hour: int = 17) -> int:
    return of_day * SECONDS + int(rng.integers(first_hour * 60, last_hour * 60)) * 60


def _artificial_liver(world: World, person: Person, stay: Stay, rng: np.random.Generator) -> list[Treatment]:
    """Sessions every three days from the third day on; none in the four days up to the reference day but for a few."""
    if not stay.aclf or stay.last - stay.first < 5:
        return []
    before = bool(world.x["alss_before"][person.idx])
    holds_reference = stay.first <= person.reference <= stay.last
    if not (before and holds_reference) and rng.random() > 0.12:
        return []
    first = stay.first + 2 + int(rng.integers(0, 2))
    if not before or not holds_reference:
        first = max(first, person.reference + 2 if holds_reference else first)
    days = [first + 3 * k for k in range(int(rng.integers(2, 6)))]
    close_allowed = rng.random() < 0.05
    found = []
    for at in days:
        near = holds_reference and person.reference - 4 <= at <= person.reference
        if near and not close_allowed:
            continue
        if at >= stay.last or (person.transplant is not None and at >= person.transplant):
            continue
        mode = str(rng.choice(_MODES, p=_MODE_SHARES))
        start = _at(rng, at)
        drop = float(rng.uniform(0.30, 0.55)) if mode in PLASMA_MODES else float(rng.uniform(0.15, 0.30))
        found.append(
            Treatment(person.idx, stay.idx, "人工肝", mode, start, start + int(rng.integers(110, 260)) * 60, drop)
        )
    return found


def _others(world: World, person: Person, stay: Stay, rng: np.random.Generator) -> list[Treatment]:
    found: list[Treatment] = []
    length = stay.last - stay.first
    if length < 1:
        return _early_dialysis(person, stay, rng)

    def add(category: str, mode: str, at: int, minutes: int) -> None:
        if stay.first < at < stay.last:
            start = _at(rng, at)
            found.append(Treatment(person.idx, stay.idx, category, mode, start, start + minutes * 60))

    found += _early_dialysis(person, stay, rng)
    if int(world.x["ascites"][person.idx]) == 2 and stay.role != "early":
        for _ in range(int(rng.poisson(length / 9))):
            add("穿刺", "腹腔穿刺", stay.first + 1 + int(rng.integers(0, max(length - 1, 1))), 30)
    # Without infusion, dialysis in the index stay would count as before infusion 1.
    allowed = person.infused or stay.role != "index" or "renal_dysfunction" in person.reasons
    if stay.dead and rng.random() < 0.30 and allowed:
        after = max(stay.first + 1, (person.planned[0] + 1) if person.infused else stay.first + 1, stay.last - 4)
        for at in range(after, stay.last, 2):
            add("血液净化", str(rng.choice(("CRRT", "CVVHDF", "血液透析"))), at, 480)
    if stay.dead and rng.random() < 0.22:
        add("呼吸", str(rng.choice(("有创通气", "无创通气"))), stay.last - 1, 720)
    if bool(world.x["gi_bleed"][person.idx]) and stay.role in ("index", "terminal") and rng.random() < 0.7:
        add("内镜", str(rng.choice(("内镜下止血", "套扎"))), stay.first + 1, 40)
    return found


def _early_dialysis(person: Person, stay: Stay, rng: np.random.Generator) -> list[Treatment]:
    """Renal replacement before the first infusion: half of the persons with renal dysfunction, nobody else."""
    if (
        "renal_dysfunction" not in person.reasons
        or stay.role != "index"
        or stay.last == stay.first
        or rng.random() < 0.5
    ):
        return []
    at = stay.first + 1
    if (person.infused and at >= person.planned[0]) or at >= stay.last:
        return []
    start = _at(rng, at)
    return [Treatment(person.idx, stay.idx, "血液净化", "血液透析", start, start + 14400)]
