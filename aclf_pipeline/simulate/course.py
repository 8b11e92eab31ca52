"""The course of each person through the hospital: admissions, infusions, ends of stay, outpatient visits.

Everything is decided in days here; hours are added when stays are made. Not here: hazards (`outcomes`), laboratory
values (`trajectories`), how a stay is printed (`front_page`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import AS_OF, FIRST_DAY, FORM_2011_FROM, LAST_ADMISSION, SECONDS, batch_of, day
from .population import Person
from .streams import stream

SHORT = "stay_under_1_day"
_YEAR_WEIGHTS = np.array([270, 300, 340, 380, 400, 420, 450, 460, 480], dtype=float)
_WARDS = ("感染科一区", "感染科二区", "感染科重症监护室", "消化内科", "肝胆外科")
TRANSPLANT_WARD = "肝移植科"
MINIMUM_GAP = 4  # days between two stays of a person, more than the gap at which rows look like one split stay


@dataclass(slots=True)
class Stay:
    """One inpatient stay; `adm` and `dis` are instants, `end` is home, transfer, against or dead."""

    idx: int
    person: int
    role: str
    adm: int
    dis: int
    end: str
    zycs: int
    ward_in: str
    ward_out: str
    bah: str
    aclf: bool
    hepatic_insufficiency: bool
    no_labs: bool = False
    number_blank: bool = False

    @property
    def first(self) -> int:
        """Day of admission."""
        return self.adm // SECONDS

    @property
    def last(self) -> int:
        """Day of discharge or death."""
        return self.dis // SECONDS

    @property
    def dead(self) -> bool:
        """True when the stay ends in death."""
        return self.end == "dead"

    @property
    def batch(self) -> int:
        """Position of the batch that delivers the stay."""
        return batch_of(self.last)

    @property
    def old_form(self) -> bool:
        """True for the front-page form of 2001."""
        return self.last < FORM_2011_FROM


@dataclass(slots=True)
class Visit:
    """One outpatient visit: kind `early`, `renal` or `late`; instant of blood collection."""

    person: int
    kind: str
    at: int
    bah: str


@dataclass(slots=True)
class Span:
    """A stay still in days."""

    first: int
    last: int
    role: str
    end: str


def plan_dates(persons: list[Person], seed: int) -> None:
    """Index day, onset and planned infusion days of every person."""
    rng = stream(seed, "dates")
    years = _YEAR_WEIGHTS / _YEAR_WEIGHTS.sum()
    for person in persons:
        last = day(2018, 10, 1) if person.infused else LAST_ADMISSION - 3
        while True:
            year = 2010 + int(rng.choice(9, p=years))
            found = day(year, 1, 1) + int(rng.integers(0, 365))
            if FIRST_DAY + 3 <= found <= last:
                break
        person.index_day = found
        person.onset = found - int(rng.integers(3, 21))
        if person.infused:
            count = int(rng.choice((2, 3, 4, 5, 6, 7, 8), p=(0.15, 0.12, 0.667, 0.03, 0.015, 0.008, 0.01)))
            gaps = rng.choice((6, 7, 8), size=count, p=(0.2, 0.6, 0.2))
            person.planned = [
                int(d) for d in found + int(rng.integers(3, 11)) + np.concatenate(([0], np.cumsum(gaps[1:])))
            ]


def pull_short_stays(persons: list[Person]) -> None:
    """Persons with an index stay under 24 hours receive infusion 1 on the day of admission."""
    for person in persons:
        if person.infused and SHORT in person.reasons:
            shift = person.planned[0] - person.index_day
            person.planned = [d - shift for d in person.planned]


def _how_it_ends(person: Person, planned_end: int, rng: np.random.Generator) -> tuple[int, str]:
    """Last day of the treatment stay and how it ends."""
    if person.lost is not None and person.lost <= planned_end:
        return person.lost, "against" if rng.random() < 0.7 else "transfer"
    if person.transplant is not None and person.transplant <= planned_end + 8:
        end = person.transplant + int(rng.integers(18, 37))
        return (person.death, "dead") if person.death is not None and person.death <= end else (end, "home")
    if person.death is not None and person.death <= planned_end:
        leave = person.death - int(rng.integers(1, 4))
        reference = person.reference
        if rng.random() < 0.15 and leave > reference:
            return leave, "against"
        return person.death, "dead"
    return planned_end, str(rng.choice(("home", "against", "transfer"), p=(0.94, 0.02, 0.04)))


def _bound(person: Person) -> int:
    """Last day on which the person can still be seen alive."""
    bound = AS_OF
    if person.death is not None:
        bound = min(bound, person.death - 1)
    return bound if person.lost is None else min(bound, person.lost)


def _infused_spans(person: Person, rng: np.random.Generator) -> list[Span]:
    planned_end = person.planned[-1] + int(rng.integers(2, 11))
    spans: list[Span] = []
    start, role = person.index_day, "index"
    if SHORT in person.reasons:
        if person.group == "one_infusion":
            return [Span(start, start, "index", "dead")]
        spans.append(Span(start, start, "index", "home"))
        start, role = person.planned[1] - 4, "second"
    stop, end = _how_it_ends(person, planned_end, rng)
    kept = [d for d in person.planned if d < stop]
    if end == "home" and person.transplant is None and len(kept) >= 4 and role == "index" and rng.random() < 0.08:
        spans.append(Span(start, kept[2] + 1, role, "home"))
        start, role = kept[3] - 1, "second"
    spans.append(Span(start, stop, role, end))
    return spans


def _uninfused_spans(person: Person, rng: np.random.Generator) -> list[Span]:
    start = person.index_day
    if SHORT in person.reasons:
        return [Span(start, start, "index", "home")]
    length = float(np.exp(np.log(17 if person.aclf else 9) + 0.55 * rng.standard_normal()))
    planned_end = start + int(np.clip(length, 2, 90))
    stop, end = _how_it_ends(person, planned_end, rng)
    return [Span(start, stop, "index", end)]


def _early_spans(person: Person, rng: np.random.Generator) -> list[Span]:
    """Stays before the index admission: far enough back that two HBsAg results are clearly over 183 days apart."""
    if not person.infused or "hbsag_evidence" in person.reasons or rng.random() > 0.22:
        return []
    first = person.index_day - int(rng.integers(240, 1200))
    if first < FIRST_DAY:
        return []
    return [Span(first, first + int(rng.integers(5, 15)), "early", "home")]


def _later_spans(person: Person, cursor: int, rng: np.random.Generator) -> list[Span]:
    """Stays after the treatment stay: readmissions, a transplant stay, a last stay that ends in death."""
    spans: list[Span] = []
    bound = _bound(person)
    terminal = _terminal_span(person, cursor, rng)
    graft = person.transplant
    if graft is not None and graft > cursor:
        first = max(graft - int(rng.integers(0, 5)), cursor + 2)
        if first <= LAST_ADMISSION:
            last = graft + int(rng.integers(18, 37))
            died = person.death is not None and person.death <= last
            spans.append(
                Span(first, person.death if died and person.death else last, "transplant", "dead" if died else "home")
            )
            if died:
                return spans
            cursor = spans[-1].last
            terminal = _terminal_span(person, cursor, rng)
    limit = min(bound, LAST_ADMISSION, (terminal.first if terminal else AS_OF) - MINIMUM_GAP)
    mean = 0.75 if graft is not None else 0.62
    for _ in range(int(rng.poisson(mean))):
        first = cursor + MINIMUM_GAP + int(rng.exponential(220))
        last = first + int(np.clip(np.exp(2.1 + 0.5 * rng.standard_normal()), 2, 45))
        if first > LAST_ADMISSION or last > min(bound, limit):
            break
        spans.append(Span(first, last, "readmit", "home"))
        cursor = last
    if terminal is not None and terminal.first >= cursor + MINIMUM_GAP:
        spans.append(terminal)
    return spans


def _terminal_span(person: Person, cursor: int, rng: np.random.Generator) -> Span | None:
    if person.death is None or rng.random() > 0.45:
        return None
    first = person.death - int(rng.integers(1, 14))
    if first < cursor + MINIMUM_GAP or first > LAST_ADMISSION:
        return None
    return Span(first, person.death, "terminal", "dead")


def _hours(span: Span, rng: np.random.Generator) -> tuple[int, int]:
    """Instants of admission and end. Short stays keep within one day; deaths come at any hour."""
    adm = span.first * SECONDS + int(rng.integers(8 * 60, 19 * 60)) * 60
    if span.first == span.last:
        adm = span.first * SECONDS + int(rng.integers(7 * 60, 9 * 60)) * 60
        return adm, span.last * SECONDS + int(rng.integers(18 * 60, 22 * 60)) * 60
    if span.end == "dead":
        return adm, span.last * SECONDS + int(rng.integers(30, 24 * 60 - 10)) * 60
    return adm, span.last * SECONDS + int(rng.integers(9 * 60, 17 * 60)) * 60


def build_stays(persons: list[Person], seed: int) -> list[Stay]:
    """All stays, in order of admission; fills `death_in_hospital` and `index_stay`, keeps infusions inside stays."""
    rng = stream(seed, "stays")
    drafts: list[tuple[Person, Span, int, int]] = []
    for person in persons:
        spans = _infused_spans(person, rng) if person.infused else _uninfused_spans(person, rng)
        if spans[-1].end != "dead":
            spans += _later_spans(person, spans[-1].last, rng)
        spans = _early_spans(person, rng) + spans
        person.death_in_hospital = spans[-1].end == "dead"
        drafts += [(person, span, *_hours(span, rng)) for span in spans]
    drafts.sort(key=lambda draft: (draft[2], draft[0].idx))
    ordinals: dict[int, int] = {}
    stays = []
    for idx, (person, span, adm, dis) in enumerate(drafts):
        if person.idx not in ordinals:
            ordinals[person.idx] = int(rng.poisson(0.2))
        ordinals[person.idx] += 1
        stays.append(_make_stay(idx, person, span, (adm, dis), ordinals[person.idx], rng))
        if span.role == "index":
            person.index_stay = idx
    return stays


def _make_stay(
    idx: int, person: Person, span: Span, hours: tuple[int, int], ordinal: int, rng: np.random.Generator
) -> Stay:
    aclf = (person.aclf and span.role in ("index", "second")) or (span.role == "terminal" and person.aclf)
    ward_in = _WARDS[int(rng.choice(5, p=(0.39, 0.38, 0.11, 0.08, 0.04)))]
    graft = person.transplant
    inside = graft is not None and span.first <= graft <= span.last
    ward_out = (
        TRANSPLANT_WARD if inside else ("感染科重症监护室" if span.end == "dead" and rng.random() < 0.4 else ward_in)
    )
    if span.role == "transplant":
        ward_in = TRANSPLANT_WARD
    insufficiency = not aclf and span.role == "index" and bool(rng.random() < 0.3)
    return Stay(
        idx,
        person.idx,
        span.role,
        hours[0],
        hours[1],
        span.end,
        ordinal,
        ward_in,
        ward_out,
        person.bah,
        aclf,
        insufficiency,
    )


def build_visits(persons: list[Person], stays: list[Stay], seed: int) -> list[Visit]:
    """Outpatient visits: earlier ones with HBsAg and creatinine, later ones between and after stays."""
    rng = stream(seed, "visits")
    by_person: dict[int, list[Stay]] = {}
    for stay in stays:
        by_person.setdefault(stay.person, []).append(stay)
    visits = []
    for person in persons:
        own = by_person[person.idx]
        for kind, found in _visit_days(person, own, rng):
            at = found * SECONDS + int(rng.integers(7 * 3600 + 1800, 10 * 3600))
            visits.append(Visit(person.idx, kind, at, own[0].bah))
    visits.sort(key=lambda visit: (visit.at, visit.person))
    return visits


def _visit_days(person: Person, own: list[Stay], rng: np.random.Generator) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    if "hbsag_evidence" not in person.reasons:
        for _ in range(int(rng.choice(3, p=(0.60, 0.28, 0.12)))):
            found.append(("early", own[0].first - int(rng.integers(240, 1400))))
    if "renal_dysfunction" in person.reasons:
        found.append(("renal", person.index_day - int(rng.integers(45, 110))))
    bound = _bound(person)
    cursor = own[-1].last
    for _ in range(int(rng.poisson(0.75))):
        cursor += 14 + int(rng.exponential(100))
        found.append(("late", cursor))
    taken = [(stay.first - 3, stay.last + 3) for stay in own]
    return [
        (kind, at)
        for kind, at in found
        if FIRST_DAY <= at <= bound and not any(low <= at <= high for low, high in taken)
    ]
