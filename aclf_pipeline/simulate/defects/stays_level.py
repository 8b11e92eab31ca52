"""Damage decided before any row is written: record numbers and ordinals of stays, stays in two, stays without labs.

All rows of a stay follow. Recorded on the front pages alone. Not here: damage to single rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

from ..clock import SECONDS
from ..course import Stay
from ..world import World
from .kind_table import KindTable
from .plan import Event, Plan

PAGES = "病案首页"


@dataclass(slots=True)
class StayDamage:
    """What happened to a stay: recorded on its front page once that exists."""

    stay: Stay
    event: Event
    column: str | None
    before: str | None
    after: str | None


@dataclass(slots=True)
class StayLevel:
    """All damage of this kind."""

    found: list[StayDamage] = field(default_factory=list)

    def plant(self, world: World, plan: Plan) -> None:
        """Change the stays of the world in place."""
        taken: set[int] = set()
        self._split(world, plan, taken)
        self._several_ids(world, plan, taken)
        self._shared_id(world, plan, taken)
        self._labs_absent(world, plan)

    def _split(self, world: World, plan: Plan, taken: set[int]) -> None:
        """One stay as two, a night between them at most; later ordinals move up by one."""
        rng = plan.rng("stay_split")
        chances = [s for s in world.stays if s.role == "readmit" and s.last - s.first >= 5]
        for position in rng.permutation(len(chances))[: plan.share(0.01, len(world.stays))]:
            stay = chances[position]
            if stay.person in taken:
                continue
            taken.add(stay.person)
            cut = stay.first + int(rng.integers(2, stay.last - stay.first - 1))
            second = Stay(
                len(world.stays),
                stay.person,
                stay.role,
                cut * SECONDS + 15 * 3600 + 600,
                stay.dis,
                stay.end,
                stay.zycs + 1,
                stay.ward_in,
                stay.ward_out,
                stay.bah,
                stay.aclf,
                stay.hepatic_insufficiency,
            )
            for later in world.stays:
                if later.person == stay.person and later.adm > stay.adm:
                    later.zycs += 1
            stay.dis, stay.end, stay.ward_out = cut * SECONDS + 14 * 3600, "home", stay.ward_in
            world.stays.append(second)
            event = plan.event("stay_split", "repair", level="patient")
            self.found.append(StayDamage(stay, event, "CYSJ", None, None))
            self.found.append(StayDamage(second, event, None, None, None))

    def _several_ids(self, world: World, plan: Plan, taken: set[int]) -> None:
        """From one stay on a new record number, ordinals from 1; the identity number kept in 70 %."""
        rng = plan.rng("person_several_ids")
        by_person = world.stays_of()
        chances = [p for p in world.persons if len(by_person[p.idx]) >= 2 and p.idx not in taken]
        numbers = self._fresh(world, plan, len(chances))
        for position in rng.permutation(len(chances))[: plan.share(0.03, len(world.persons))]:
            person = chances[position]
            own = sorted(by_person[person.idx], key=lambda s: s.adm)
            taken.add(person.idx)
            start = int(rng.integers(1, len(own)))
            kept = bool(rng.random() < 0.7)
            event = plan.event("person_several_ids", "repair" if kept else "adjudicate", level="patient")
            for ordinal, stay in enumerate(own[start:], start=1):
                self.found.append(StayDamage(stay, event, "BAH", stay.bah, numbers[position]))
                stay.bah, stay.zycs, stay.number_blank = numbers[position], ordinal, not kept

    def _fresh(self, world: World, plan: Plan, count: int) -> list[str]:
        known = {person.bah for person in world.persons}
        rng = plan.rng("fresh-numbers")
        found: list[str] = []
        while len(found) < count:
            number = f"{int(rng.integers(100_000, 1_000_000)):07d}"
            if number not in known:
                known.add(number)
                found.append(number)
        return found

    def _shared_id(self, world: World, plan: Plan, taken: set[int]) -> None:
        """One later stay under the record number of somebody else."""
        rng = plan.rng("id_shared_by_two")
        by_person = world.stays_of()
        ends = {p.idx: max(s.zycs for s in by_person[p.idx]) for p in world.persons}
        chances = [
            s for s in world.stays if s.role == "readmit" and s.person not in taken and s is by_person[s.person][-1]
        ]
        for position in rng.permutation(len(chances))[: plan.persons(4)]:
            stay = chances[position]
            other = world.persons[int(rng.integers(len(world.persons)))]
            if other.idx == stay.person or other.idx in taken:
                continue
            taken |= {stay.person, other.idx}
            event = plan.event("id_shared_by_two", "quarantine", level="patient")
            self.found.append(StayDamage(stay, event, "BAH", stay.bah, other.bah))
            self.found += [StayDamage(own, event, "BAH", other.bah, other.bah) for own in by_person[other.idx]]
            stay.bah, stay.zycs = other.bah, ends[other.idx] + 1

    def _labs_absent(self, world: World, plan: Plan) -> None:
        """Stays without any laboratory row."""
        rng = plan.rng("labs_absent")
        for position in rng.permutation(len(world.stays))[: plan.share(0.015, len(world.stays))]:
            stay = world.stays[position]
            stay.no_labs = True
            event = plan.event("labs_absent", "flag", level="patient")
            self.found.append(StayDamage(stay, event, None, None, None))

    def record(self, tables: dict[str, KindTable], plan: Plan) -> None:
        """Record on the front-page rows."""
        table = tables[PAGES]
        several = [damage for damage in self.found if damage.event.defect_id == "person_several_ids"]
        shown = {damage.event.instance: self._proof(damage.stay.person, table, plan) for damage in several}
        rows = {}
        for uid in reversed(table.uids):
            rows[table.get(uid, "SKU")] = uid
        for damage in self.found:
            uid = rows[f"{damage.stay.bah}-{damage.stay.zycs}"]
            plan.touch(PAGES, (uid,))
            after = table.get(uid, damage.column) if damage.column and damage.after is None else damage.after
            proof = shown.get(damage.event.instance)
            event = damage.event if proof is None else replace(damage.event, actions=(proof,))
            plan.note(event, table.file(uid).path, person=damage.stay.person, column=damage.column,
                      before=damage.before, after=after, row=uid)  # fmt: skip

    def _proof(self, person: int, table: KindTable, plan: Plan) -> str:
        """What two record numbers of a person allow: a repair where pages of both show the identity number.

        No other damage may fall on these pages, or the proof could go.
        """
        numbers: dict[str | None, bool] = {}
        for uid in table.of_person(person):
            plan.touch(PAGES, (uid,))
            bah = table.get(uid, "BAH")
            numbers[bah] = numbers.get(bah, False) or table.get(uid, "SFZH") not in (None, "-")
        return "repair" if all(numbers.values()) else "adjudicate"


def stay_merged(tables: dict[str, KindTable], plan: Plan, world: World) -> None:
    """Two stays in one front-page row; other kinds still carry the second ordinal."""
    table, rng = tables[PAGES], plan.rng("stay_merged")
    rows = {table.get(uid, "SKU"): uid for uid in table.uids}
    pairs = [
        (a, b)
        for own in world.stays_of().values()
        for a, b in pairwise(own)
        if b.role == "readmit" and b.last - a.first < 300 and a.bah == b.bah and b.zycs == a.zycs + 1
    ]
    wanted = plan.share(0.002, len(world.stays))
    for position in rng.permutation(len(pairs)):
        first, second = pairs[position]
        one, two = rows[f"{first.bah}-{first.zycs}"], rows[f"{second.bah}-{second.zycs}"]
        if not wanted or not plan.free(PAGES, (one, two)) or table.has(one, "LYFS") != table.has(two, "LYFS"):
            continue
        plan.touch(PAGES, (one, two))
        event = plan.event("stay_merged", "flag", level="patient")
        for column in ("CYSJ", "SJZYTS"):
            text = table.get(two, "CYSJ") if column == "CYSJ" else str(second.last - first.first)
            plan.patch(PAGES, one, column, text, event)
        plan.remove(PAGES, two, event)
        wanted -= 1
