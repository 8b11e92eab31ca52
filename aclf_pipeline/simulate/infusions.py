"""True infusions: which planned days came to pass, cells given, batches shared by persons treated in the same days.

Not here: how the ledger and the orders print them (`ledger`, `orders`).
"""

from __future__ import annotations

import numpy as np

from .clock import d3, day
from .course import Stay
from .population import Infusion, Person
from .streams import Floats, stream

_UMBILICAL_FROM = day(2012, 3, 1)
_BONE_MARROW_UNTIL = day(2013, 12, 31)
_BATCH_DAYS = 4
_BATCH_PERSONS = 8


def give_infusions(persons: list[Person], stays: list[Stay], weight_kg: Floats, seed: int) -> None:
    """Fill `infusions`: planned days that lie inside a stay, before its last day. Doses 0.6 to 9 × 10⁵ cells per kg."""
    rng = stream(seed, "infusions")
    spans: dict[int, list[Stay]] = {}
    for stay in stays:
        spans.setdefault(stay.person, []).append(stay)
    for person in persons:
        if not person.infused:
            continue
        dose = float(np.clip(2.0 * np.exp(0.45 * rng.standard_normal()), 0.7, 7.5))
        for planned in person.planned:
            held = next((s for s in spans[person.idx] if s.first <= planned <= s.last), None)
            if held is None or not _possible(person, planned, held):
                break
            given = float(np.clip(dose * np.exp(0.08 * rng.standard_normal()), 0.6, 9.0))
            cells = round(given * 0.1 * float(weight_kg[person.idx]), 2)
            infusion = Infusion(planned, cells, "", _source(planned, rng), planned)
            infusion.order_day = _order_day(planned, held, rng)
            person.infusions.append(infusion)
    _share_batches(persons, rng)


def _possible(person: Person, planned: int, held: Stay) -> bool:
    if held.first == held.last:
        return True
    if person.transplant is not None and planned >= person.transplant:
        return False
    return planned < held.last


def _source(planned: int, rng: np.random.Generator) -> str:
    if planned < _UMBILICAL_FROM:
        return "骨髓"
    return "骨髓" if planned <= _BONE_MARROW_UNTIL and rng.random() < 0.4 else "脐带"


def _order_day(planned: int, held: Stay, rng: np.random.Generator) -> int:
    """Day on which the order was executed: that of the ledger, or one day beside it, inside the stay."""
    shifted = planned + int(rng.choice((-1, 0, 1), p=(0.06, 0.88, 0.06)))
    return shifted if held.first < shifted < held.last else planned


def _share_batches(persons: list[Person], rng: np.random.Generator) -> None:
    """Number the batches: one serves up to eight persons treated within four days from cells of one source."""
    every = sorted(
        ((infusion, person) for person in persons for infusion in person.infusions),
        key=lambda pair: (pair[0].day, pair[1].idx),
    )
    open_batches: dict[str, tuple[int, str, set[int], int]] = {}
    made: dict[str, int] = {}
    for infusion, person in every:
        current = open_batches.get(infusion.source)
        if (
            current is None
            or infusion.day - current[0] >= _BATCH_DAYS
            or len(current[2]) >= current[3]
            or person.idx in current[2]
        ):
            prefix = "BM" if infusion.source == "骨髓" else "UC"
            stem = f"{prefix}{d3(infusion.day - int(rng.integers(1, 4)))}"
            made[stem] = made.get(stem, 0) + 1
            current = (infusion.day, f"{stem}-{made[stem]:02d}", set(), int(rng.integers(2, _BATCH_PERSONS + 1)))
            open_batches[infusion.source] = current
        current[2].add(person.idx)
        infusion.batch = current[1]
