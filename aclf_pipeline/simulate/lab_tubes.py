"""Which tube is drawn when: the rhythm of sampling in stays and visits, and tube and request numbers.

Not here: what is in a tube (`lab_values`), how it is printed (`labs`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import lab_items as li
from .clock import BATCHES, SECONDS, batch_of
from .streams import Bools, Ints, stream
from .trajectories import Encounters
from .treatments import Treatment
from .world import World

PANELS: tuple[str, ...] = tuple(li.SPECIMEN)
_INDEX = {name: i for i, name in enumerate(PANELS)}
BASELINE_PANELS = (li.LIVER, li.KIDNEY, li.CLOT, li.BLOOD, li.DNA, li.HBV)
_FAR = 40_000
MISSING_AT_BASELINE = 0.022


@dataclass(slots=True)
class Tubes:
    """One row per tube, in order of collection: shape (tubes,) each; times are instants."""

    encounter: Ints
    panel: Ints
    collected: Ints
    received: Ints
    reported: Ints
    batch: Ints
    latest: Ints  # last instant at which a report may still come: three days after death
    protected: Bools  # first tubes of the index admission: the diagnosis rests on them

    def where(self, panel: str) -> Ints:
        """Positions of the tubes of one panel."""
        return np.flatnonzero(self.panel == _INDEX[panel])


def _rhythm(
    rng: np.random.Generator, first: Ints, last: Ints, steps: tuple[int, ...], p: tuple[float, ...]
) -> tuple[Ints, Ints]:
    """Encounter positions and day numbers of repeated sampling: on the first day, then every few days."""
    length = last - first
    most = int(length.max(initial=0)) // min(steps) + 2
    strides = rng.choice(steps, size=(len(first), most), p=p)
    offsets = np.concatenate([np.zeros((len(first), 1), dtype=np.int64), np.cumsum(strides, axis=1)], axis=1)
    keep = offsets < np.maximum(length, 1)[:, None]
    row, column = np.nonzero(keep)
    return row.astype(np.int64), first[row] + offsets[row, column]


def _stay_schedule(world: World, enc: Encounters, rng: np.random.Generator) -> list[tuple[Ints, Ints, int]]:
    """(encounters, days, panel) of the regular rhythm of all stays."""
    stays = np.flatnonzero(enc.stay >= 0)
    first = np.array([s.first for s in world.stays])
    last = np.array([s.last for s in world.stays])
    plan: list[tuple[Ints, Ints, int]] = []

    def add(rows: Ints, days: Ints, *panels: str) -> None:
        plan.extend((stays[rows], days, _INDEX[panel]) for panel in panels)

    add(*_rhythm(rng, first, last, (2, 3), (0.5, 0.5)), li.LIVER, li.KIDNEY)
    add(*_rhythm(rng, first, last, (2, 3, 4), (0.15, 0.7, 0.15)), li.CLOT, li.BLOOD)
    add(*_rhythm(rng, first, last, (5, 6, 7), (0.3, 0.4, 0.3)), li.INFECTION)
    add(*_rhythm(rng, first, last, (14,), (1.0,)), li.DNA)
    every = np.arange(len(first))
    add(every, first, li.HBV, li.SCREEN, li.GROUP)
    encephalopathic = np.array([world.x["he_grade"][s.person] > 0 for s in world.stays])
    chosen = np.flatnonzero(encephalopathic | (rng.random(len(first)) < 0.15))
    rows, days = _rhythm(rng, first[chosen], last[chosen], (4, 5), (0.5, 0.5))
    add(chosen[rows], days, li.AMMONIA)
    severity = np.array([world.x["severity"][s.person] + (1.5 if s.dead else 0) for s in world.stays])
    chosen = np.flatnonzero(severity > np.quantile(severity, 0.88))
    rows, days = _rhythm(rng, first[chosen], last[chosen], (3, 4), (0.5, 0.5))
    add(chosen[rows], days, li.GAS)
    return plan


def _baseline(world: World, rng: np.random.Generator) -> tuple[dict[int, list[tuple[int, int]]], dict[int, set[int]]]:
    """Per stay with time zero: tubes (day, panel) drawn for it, and the panels that are missing in the window."""
    wanted: dict[int, list[tuple[int, int]]] = {}
    missing: dict[int, set[int]] = {}
    holding = {}
    for stay in world.stays:
        zero = world.persons[stay.person].time_zero
        if zero is not None and stay.first <= zero <= stay.last:
            holding[stay.idx] = zero
    for idx, zero in holding.items():
        back = int(rng.choice(3, p=(0.6, 0.25, 0.15)))
        missing[idx] = {_INDEX[name] for name in BASELINE_PANELS if rng.random() < MISSING_AT_BASELINE}
        at = max(zero - back, world.stays[idx].first)
        wanted[idx] = [(at, _INDEX[name]) for name in BASELINE_PANELS if _INDEX[name] not in missing[idx]]
    return wanted, missing


def _visit_schedule(world: World, enc: Encounters, rng: np.random.Generator) -> list[tuple[Ints, Ints, int]]:
    offset = len(world.stays)
    rows: dict[int, list[int]] = {}
    for i, visit in enumerate(world.visits):
        if visit.kind == "renal":
            panels = [li.KIDNEY]
        elif visit.kind == "early":
            panels = [li.LIVER, li.KIDNEY, li.HBV]
        else:
            panels = [li.LIVER, li.KIDNEY] + [p for p in (li.CLOT, li.BLOOD, li.DNA) if rng.random() < 0.5]
        for panel in panels:
            rows.setdefault(_INDEX[panel], []).append(offset + i)
    return [
        (np.array(found, dtype=np.int64), enc.first_second[found] // SECONDS, panel) for panel, found in rows.items()
    ]


def build_tubes(world: World, enc: Encounters, treatments: list[Treatment]) -> Tubes:
    """All tubes in order of collection. Stays marked `no_labs` have none."""
    rng = stream(world.seed, "tubes")
    plan = _stay_schedule(world, enc, rng) + _visit_schedule(world, enc, rng)
    wanted, missing = _baseline(world, rng)
    plan += [
        (np.array([idx] * len(rows)), np.array([at for at, _ in rows]), -1) for idx, rows in wanted.items() if rows
    ]
    extra = [panel for rows in wanted.values() for _, panel in rows]
    taps = [t for t in treatments if t.mode == "腹腔穿刺"]
    plan.append(
        (
            np.array([t.stay for t in taps], dtype=np.int64),
            np.array([t.start // SECONDS for t in taps], dtype=np.int64),
            _INDEX[li.FLUID],
        )
    )
    encounter = np.concatenate([rows for rows, _, _ in plan]).astype(np.int64)
    days = np.concatenate([found for _, found, _ in plan]).astype(np.int64)
    panel = np.concatenate([np.full(len(rows), p) for rows, _, p in plan]).astype(np.int64)
    panel[panel < 0] = extra
    keys = np.stack([encounter, days, panel], axis=1)
    keys = np.unique(keys, axis=0)
    encounter, days, panel = keys[:, 0], keys[:, 1], keys[:, 2]
    keep = ~_in_missing_window(world, encounter, days, panel, missing)
    absent = np.array([s.no_labs for s in world.stays] + [False] * len(world.visits))
    keep &= ~absent[encounter]
    encounter, days, panel = encounter[keep], days[keep], panel[keep]
    tap_starts = {(t.stay, t.start // SECONDS): t.start for t in taps}
    return _timed(world, enc, encounter, days, panel, tap_starts, rng)


def _in_missing_window(world: World, encounter: Ints, days: Ints, panel: Ints, missing: dict[int, set[int]]) -> Bools:
    drop = np.zeros(len(encounter), dtype=bool)
    for idx, panels in missing.items():
        if not panels:
            continue
        zero = world.persons[world.stays[idx].person].time_zero or 0
        low, high = np.searchsorted(encounter, [idx, idx + 1])
        part = slice(low, high)
        inside = (days[part] >= zero - 3) & (days[part] <= zero)
        drop[part] = inside & np.isin(panel[part], list(panels))
    return drop


def _timed(
    world: World,
    enc: Encounters,
    encounter: Ints,
    days: Ints,
    panel: Ints,
    tap_starts: dict[tuple[int, int], int],
    rng: np.random.Generator,
) -> Tubes:
    """Give each tube its instants; tubes of one encounter and day are drawn together, in the morning after day one."""
    together, inverse = np.unique(encounter * 100_000 + days, return_inverse=True)
    n = len(together)
    who, on = together // 100_000, together % 100_000
    morning = on * SECONDS + rng.integers(5 * 3600 + 1800, 9 * 3600, n)
    opening = enc.first_second[who] + rng.integers(20 * 60, 90 * 60, n)
    visit = enc.stay[who] < 0
    at = np.where(visit, enc.first_second[who], np.where(on == enc.first_second[who] // SECONDS, opening, morning))
    collected = at[inverse]
    fluid = np.flatnonzero(panel == _INDEX[li.FLUID])
    for i in fluid:
        collected[i] = tap_starts[int(encounter[i]), int(days[i])] + 600
    received = collected + rng.integers(10 * 60, 55 * 60, len(collected))
    slow = panel == _INDEX[li.DNA]
    delay = np.where(slow, rng.integers(24 * 60, 5 * 24 * 60, len(collected)), rng.integers(70, 9 * 60, len(collected)))
    delay = np.where(panel == _INDEX[li.SCREEN], rng.integers(4 * 60, 40 * 60, len(collected)), delay)
    deaths = np.array([_FAR if p.death is None else p.death for p in world.persons])
    latest = (deaths[enc.person[encounter]] + 3) * SECONDS
    reported = np.minimum(collected + delay * 60, latest)
    order = np.lexsort((panel, encounter, collected))
    stay_batch = np.array([s.batch for s in world.stays] + [0] * len(world.visits))
    visit_batch = np.array([batch_of(int(t) // SECONDS) for t in reported])
    batch = np.where(enc.stay[encounter] >= 0, stay_batch[encounter], visit_batch)
    index_stay = np.array(
        [world.persons[s.person].index_stay == s.idx for s in world.stays] + [False] * len(world.visits)
    )
    protected = index_stay[encounter] & (days <= enc.first_second[encounter] // SECONDS + 1)
    keep = order[batch[order] < len(BATCHES)]
    return Tubes(
        encounter[keep],
        panel[keep],
        collected[keep],
        received[keep],
        reported[keep],
        batch[keep],
        latest[keep],
        protected[keep],
    )
