"""The whole invented hospital in memory, before anything is written: persons, truth, stays, visits.

The order matters: covariates come before events, events before stays, stays before rows. Not here: any row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import outcomes
from .clock import AS_OF
from .course import Stay, Visit, build_stays, build_visits, plan_dates, pull_short_stays
from .covariates import Covariates, draw_covariates, worsen_kidneys
from .identity import give_identities
from .infusions import give_infusions
from .population import Person, assign_late_conditions, draw_population, scaled_counts
from .streams import stream

DAYS_PER_YEAR = 365.25


@dataclass(slots=True)
class World:
    """Everything that is true. Latent times and predictors are arrays over all persons, NaN without time zero."""

    seed: int
    n_persons: int
    persons: list[Person]
    x: Covariates
    hazards: outcomes.Hazards
    latent: dict[str, Any]
    stays: list[Stay] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    hidden_death: dict[int, int] = field(default_factory=dict)
    hidden_transplant: dict[int, int] = field(default_factory=dict)

    def stays_of(self) -> dict[int, list[Stay]]:
        """Stays by person, in order."""
        found: dict[int, list[Stay]] = {person.idx: [] for person in self.persons}
        for stay in sorted(self.stays, key=lambda s: (s.adm, s.idx)):
            found[stay.person].append(stay)
        return found


def build_world(n_persons: int, seed: int) -> World:
    """Draw persons, covariates, events and the course of stays. Raises ValueError below 40 persons."""
    persons = draw_population(n_persons, seed)
    x = draw_covariates(persons, seed)
    plan_dates(persons, seed)
    gaps = np.array([p.planned[1] - p.planned[0] if p.infused else 7 for p in persons], dtype=float)
    x["age_years"] = x["age"]
    x["sex"] = np.array([p.sex for p in persons], dtype=object)
    died_early, before_second = _one_infusion(persons, x, gaps, seed)
    assign_late_conditions(persons, set(died_early), n_persons, seed)
    pull_short_stays(persons)
    x["sex"] = np.array([p.sex for p in persons], dtype=object)
    worsen_kidneys(x, persons, seed)
    _set_births(persons, x)
    give_identities(persons, seed)
    world = World(seed, n_persons, persons, x, outcomes.Hazards(), {})
    for position, days in died_early.items():
        persons[position].death = persons[position].planned[0] + days
    _draw_events(world, before_second)
    _uninfused_fates(world)
    world.stays = build_stays(persons, seed)
    world.visits = build_visits(persons, world.stays, seed)
    give_infusions(world.persons, world.stays, x["weight_kg"], seed)
    return world


def _one_infusion(persons: list[Person], x: Covariates, gaps: Any, seed: int) -> tuple[dict[int, int], float]:
    """Who of the infused ACLF pool dies before a second infusion: {position: whole days after the first}, rate."""
    pool = np.array([p.idx for p in persons if p.group == "aclf_pool"])
    eta = outcomes.linear_predictor(outcomes.DEATH_TERMS, x)[pool]
    wanted = scaled_counts(len(persons))["one_infusion"]
    times, dies, rate = outcomes.deaths_before_second(eta, gaps[pool], wanted, seed)
    chosen = {int(i): max(1, int(np.ceil(t))) for i, t, d in zip(pool, times, dies, strict=True) if d}
    return chosen, rate


def _set_births(persons: list[Person], x: Covariates) -> None:
    """Birth dates from the drawn age at the reference day; minors are under 18 and others over on admission."""
    for person in persons:
        if person.infused and "one_infusion" not in person.reasons:
            person.time_zero = person.planned[1]
        person.birth = person.reference - round(float(x["age"][person.idx]) * DAYS_PER_YEAR)
    x["age_years"] = np.array([(p.reference - p.birth) / DAYS_PER_YEAR for p in persons])


def _draw_events(world: World, before_second: float) -> None:
    """Latent times and the first event of every person with time zero."""
    persons, x = world.persons, world.x
    reached = np.array([p.time_zero is not None for p in persons])
    t_admin = np.array([AS_OF - (p.time_zero or AS_OF) for p in persons], dtype=float)
    draws = outcomes.draw_exposures(x, t_admin, world.seed)
    eligible = np.array([not p.reasons for p in persons])
    world.hazards = outcomes.calibrate(draws, eligible, before_second, world.seed)
    death, graft, lost = (np.where(reached, t, np.nan) for t in draws.times(world.hazards))
    t_admin = np.where(reached, t_admin, np.nan)
    world.latent = {
        "eta_death": draws.eta, "eta_death_late": draws.eta_late, "eta_transplant": draws.eta_transplant,
        "t_death": death, "t_transplant": graft, "t_lost": lost, "t_admin": t_admin,
        "event_time": np.full(len(persons), np.nan),
    }  # fmt: skip
    after = stream(world.seed, "after-transplant").exponential(1 / outcomes.AFTER_TRANSPLANT_RATE, len(persons))
    for person in persons:
        if person.time_zero is not None:
            _first_event(world, person, float(after[person.idx]))


def _first_event(world: World, person: Person, after_transplant: float) -> None:
    i, zero = person.idx, person.time_zero or 0
    names = ("death", "transplant", "lost", "admin")
    times = [float(world.latent[f"t_{name}"][i]) for name in names]
    first = int(np.argmin(times))
    person.event = names[first]
    world.latent["event_time"][i] = times[first]
    grafted = times[1] < times[0]
    death = zero + int(np.ceil(times[0]))
    graft = zero + int(np.ceil(times[1]))
    if grafted:
        death = graft + max(1, int(np.ceil(after_transplant)))
    true_death = death if death <= AS_OF else None
    true_graft = graft if grafted and graft <= AS_OF else None
    if person.event == "lost":
        person.lost = zero + int(np.ceil(times[2]))
        if true_death is not None:
            world.hidden_death[i] = max(true_death, person.lost + 1)
        if true_graft is not None:
            world.hidden_transplant[i] = max(true_graft, person.lost + 1)
    else:
        person.death, person.transplant = true_death, true_graft


def _uninfused_fates(world: World) -> None:
    """Deaths and transplants of persons without infusion, by severity; no hazards of the model are involved."""
    rng = stream(world.seed, "uninfused")
    for person in world.persons:
        if person.infused:
            continue
        severity = float(world.x["severity"][person.idx])
        if "stay_under_1_day" in person.reasons:
            chance = 0.0
        else:
            chance = 1 / (1 + np.exp(-(-0.35 + 1.3 * severity))) if person.aclf else 0.07
        if rng.random() < chance:
            wait = 3 + rng.exponential(45) if person.aclf else 30 + rng.exponential(700)
            found = person.index_day + int(np.ceil(wait))
            person.death = found if found <= AS_OF else None
        elif person.aclf and rng.random() < 0.06:
            person.transplant = person.index_day + int(rng.integers(4, 60))
