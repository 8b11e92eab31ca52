"""Who is in the hospital: how many persons leave at each step, and what each person carries from the start.

The counts are those of the export specification, scaled linearly. Not here: what happens to a person (`course`),
laboratory truth (`covariates`), how a condition is written down (the row builders).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .streams import stream

SCALE_PERSONS = 2_500
MINIMUM_PERSONS = 40

# Persons leaving at each step at scale 1, in the order in which the steps are applied.
STEPS: tuple[tuple[str, int], ...] = (
    ("no_infusion", 1_860),
    ("age_under_18", 2),
    ("not_aclf", 78),
    ("hbsag_evidence", 6),
    ("one_infusion", 38),
    ("malignancy", 18),
    ("hcv", 12),
    ("hiv_or_immunodeficiency", 4),
    ("renal_dysfunction", 22),
    ("pregnancy_or_lactation", 3),
    ("thyroid_disease", 9),
    ("stay_under_1_day", 2),
)
REASONS: tuple[str, ...] = tuple(name for name, _ in STEPS)
LATE_CONDITIONS: tuple[str, ...] = REASONS[5:]
INFUSED_ACLF = "aclf_pool"


@dataclass(slots=True)
class Infusion:
    """One true infusion: day, dose in 10⁶ cells, batch of cells and the stay that holds it."""

    day: int
    cells_1e6: float
    batch: str
    source: str
    order_day: int = 0


@dataclass(slots=True)
class Person:
    """One invented person. Days are day numbers; None where the thing never happens."""

    idx: int
    group: str
    infused: bool
    aclf: bool
    reasons: set[str] = field(default_factory=set)
    sex: str = "male"
    birth: int = 0
    name: str = ""
    id_number: str = ""
    bah: str = ""
    history: str = ""
    hbsag_level: int = 0
    malignancy_kind: str = ""
    thyroid_kind: str = ""
    immune_kind: str = ""
    pregnancy_kind: str = ""
    index_day: int = 0
    onset: int = 0
    planned: list[int] = field(default_factory=list)
    infusions: list[Infusion] = field(default_factory=list)
    time_zero: int | None = None
    death: int | None = None
    death_in_hospital: bool = False
    transplant: int | None = None
    lost: int | None = None
    event: str | None = None
    index_stay: int = -1

    @property
    def female(self) -> bool:
        """True for a woman."""
        return self.sex == "female"

    @property
    def reference(self) -> int:
        """The day the true covariates refer to: second infusion, else first infusion, else index admission."""
        if self.time_zero is not None:
            return self.time_zero
        return self.planned[0] if self.infused else self.index_day


def scaled_counts(n_persons: int) -> dict[str, int]:
    """Persons leaving at each step, and `eligible`, for a population of `n_persons`; the values sum to `n_persons`.

    Raises ValueError below 40 persons, where a step would have nobody.
    """
    if n_persons < MINIMUM_PERSONS:
        raise ValueError(
            f"n_persons asks for {n_persons} persons, which leaves exclusion steps empty. "
            f"Did you mean {MINIMUM_PERSONS} or more?"
        )
    counts = {name: max(1, round(target * n_persons / SCALE_PERSONS)) for name, target in STEPS[1:]}
    counts["eligible"] = max(1, round(446 * n_persons / SCALE_PERSONS))
    return {"no_infusion": n_persons - sum(counts.values()), **counts}


def draw_population(n_persons: int, seed: int) -> list[Person]:
    """Persons with their group; those of the infused ACLF pool are sorted into steps later, by what befalls them."""
    counts = scaled_counts(n_persons)
    rng = stream(seed, "population")
    pool = counts["one_infusion"] + sum(counts[name] for name in LATE_CONDITIONS) + counts["eligible"]
    groups = [
        name for name in ("no_infusion", "age_under_18", "not_aclf", "hbsag_evidence") for _ in range(counts[name])
    ]
    groups += [INFUSED_ACLF] * pool
    order = rng.permutation(len(groups))
    persons = []
    for idx, position in enumerate(order):
        group = groups[position]
        infused = group != "no_infusion"
        aclf = group != "not_aclf" and (infused or bool(rng.random() < 900 / 1860))
        person = Person(idx=idx, group=group, infused=infused, aclf=aclf)
        person.sex = "female" if rng.random() < 0.10 else "male"
        persons.append(person)
        if infused and group != INFUSED_ACLF:
            person.reasons.add(group)
        if not infused:
            person.reasons |= {"no_infusion", "one_infusion"} | (set() if aclf else {"not_aclf"})
    _uninfused_conditions(persons, rng)
    return persons


# Shares of the persons without infusion who carry each further condition at their first admission.
_UNINFUSED_SHARES: tuple[tuple[str, float], ...] = (
    ("age_under_18", 0.006),
    ("hbsag_evidence", 0.012),
    ("malignancy", 0.07),
    ("hcv", 0.025),
    ("hiv_or_immunodeficiency", 0.006),
    ("renal_dysfunction", 0.05),
    ("thyroid_disease", 0.02),
    ("stay_under_1_day", 0.01),
)


def _uninfused_conditions(persons: list[Person], rng: np.random.Generator) -> None:
    for person in persons:
        if person.infused:
            continue
        person.reasons |= {name for name, share in _UNINFUSED_SHARES if rng.random() < share}
        if person.female and rng.random() < 0.03:
            person.reasons.add("pregnancy_or_lactation")
            person.reasons.discard("age_under_18")


def assign_late_conditions(persons: list[Person], one_infusion: set[int], n_persons: int, seed: int) -> None:
    """Sort the infused ACLF pool into the later steps.

    `one_infusion` holds the positions of those who died before a second infusion; the rest are given, by lot, the
    remaining conditions, and whoever is left is eligible. One in eight of the excluded carries a second condition.
    """
    counts = scaled_counts(n_persons)
    rng = stream(seed, "late-conditions")
    pool = [person for person in persons if person.group == INFUSED_ACLF]
    for person in pool:
        person.group = "one_infusion" if person.idx in one_infusion else "eligible"
        if person.group == "one_infusion":
            person.reasons.add("one_infusion")
    open_seats = [person for person in pool if person.group == "eligible"]
    rng.shuffle(open_seats)
    open_seats.sort(key=lambda person: not person.female)
    for name in ("pregnancy_or_lactation", *(name for name in LATE_CONDITIONS if name != "pregnancy_or_lactation")):
        for _ in range(counts[name]):
            person = open_seats.pop(0)
            person.group = name
            person.reasons.add(name)
            if name == "pregnancy_or_lactation":
                person.sex = "female"
        if name == "pregnancy_or_lactation":
            rng.shuffle(open_seats)
    for person in persons:
        if person.infused and person.reasons and rng.random() < 0.125:
            place = REASONS.index(person.group)
            later = [name for name in ("malignancy", "hcv", "thyroid_disease") if REASONS.index(name) > place]
            if later:
                person.reasons.add(later[int(rng.integers(len(later)))])
    _condition_kinds(persons, rng)


def _condition_kinds(persons: list[Person], rng: np.random.Generator) -> None:
    for person in persons:
        if "malignancy" in person.reasons:
            person.malignancy_kind = "hcc" if rng.random() < 0.8 else "other"
        if "thyroid_disease" in person.reasons:
            person.thyroid_kind = "hyper" if rng.random() < 0.7 else "hypo"
        if "hiv_or_immunodeficiency" in person.reasons:
            person.immune_kind = "hiv" if rng.random() < 0.6 else "immunodeficiency"
        if "pregnancy_or_lactation" in person.reasons:
            person.pregnancy_kind = "pregnancy" if rng.random() < 0.7 else "lactation"


def first_reason(person: Person) -> str | None:
    """First failing step in the order of the specification; None if eligible."""
    return next((name for name in REASONS if name in person.reasons), None)


def all_reasons(person: Person) -> list[str]:
    """All failing steps in order."""
    return [name for name in REASONS if name in person.reasons]
