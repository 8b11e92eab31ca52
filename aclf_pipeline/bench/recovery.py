"""Does our Cox model find the log hazard ratios the simulator drew the deaths from, and none where there is none?

Each seed is a hospital of the simulator in memory (its own code draws persons, covariates, events, infusions; no file
is written): the eligible, followed from the second infusion in whole days, transplant and loss censored. Infusions do
nothing to the hazard there, so that whatever an analysis says of them is the analysis's own doing.

What does not belong here: drawing the table (`recovery_table`).
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.simulate.outcomes import DEATH_TERMS, linear_predictor
from aclf_pipeline.simulate.world import World, build_world

Floats = NDArray[np.float64]

LATE = 90.0
LANDMARK = 28.0
MANY = 4
Z = 1.959963984540054
INFUSIONS = {
    "per infusion, time-varying": "each infusion counts from the day after it",
    f"{MANY} or more by day {LANDMARK:.0f}, landmark": f"those still followed on day {LANDMARK:.0f}, from then on",
    f"{MANY} or more ever, at baseline": "wrong: who dies early cannot have many",
}


@dataclass(frozen=True)
class Followed:
    """The eligible of one hospital, a row per person (n): days of follow-up, death, design (n × p) and its names.

    infusions: days of the infusions after time zero, per person. Covariates are the true ones on the day of time zero.
    """

    days: Floats
    died: NDArray[np.bool_]
    design: Floats
    names: tuple[str, ...]
    infusions: tuple[Floats, ...]


@dataclass(frozen=True)
class Estimate:
    """One log hazard ratio of one seed."""

    term: str
    coef: float
    se: float


@dataclass(frozen=True)
class Seed:
    """What one hospital gave: estimates by analysis, or why an analysis failed."""

    seed: int
    n: int
    deaths: int
    estimates: tuple[Estimate, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Recovered:
    """One term over all seeds.

    truth: log hazard ratio of the simulator. bias ± bias_error and
    coverage ± coverage_error with their Monte-Carlo standard errors; sd of the estimates, se their mean standard error.
    """

    term: str
    truth: float
    seeds: int
    mean: float
    bias: float
    bias_error: float
    sd: float
    se: float
    coverage: float
    coverage_error: float


def truths() -> dict[str, float]:
    """Log hazard ratio of every term; that of a term whose effect changes, before and after the change."""
    found = {}
    for term in DEATH_TERMS:
        if "until_day" in term:
            found[f"{_name(term)} to day {LATE:.0f}"] = float(term["log_hr"])
            found[f"{_name(term)} later"] = float(term["log_hr_after"])
        else:
            found[_name(term)] = float(term["log_hr"])
    return found


def _name(term: dict[str, Any]) -> str:
    """Name and transformation of a term of the simulator."""
    kind = term.get("transform", "")
    shown = {"gt0": " > 0", "ge2": " ≥ 2"}.get(kind, "")
    shown = f" = {kind[3:]}" if kind.startswith("eq:") else shown
    return f"log {term['name']}" if kind == "log" else f"{term['name']}{shown}"


def followed(world: World) -> Followed:
    """The eligible of a hospital from their second infusion, in whole days as the record has them."""
    eligible = np.array([person.idx for person in world.persons if not person.reasons])
    times = np.array([world.latent[f"t_{name}"][eligible] for name in ("death", "transplant", "lost", "admin")])
    first = np.argmin(times, axis=0)
    columns = [linear_predictor(({**term, "log_hr": 1.0, "log_hr_after": 1.0},), world.x) for term in DEATH_TERMS]
    people = [world.persons[i] for i in eligible]
    return Followed(
        days=np.maximum(np.ceil(times.min(axis=0)), 1.0),
        died=first == 0,
        design=np.column_stack(columns)[eligible],
        names=tuple(_name(term) for term in DEATH_TERMS),
        infusions=tuple(
            np.array([i.day - (p.time_zero or 0) for i in p.infusions if i.day > (p.time_zero or 0)], dtype=float)
            for p in people
        ),
    )


def one_seed(persons: int, seed: int) -> Seed:
    """Draw one hospital and fit the analyses to it."""
    people = followed(build_world(persons, seed))
    found: list[Estimate] = []
    problems = []
    for analysis in (covariates, time_varying, landmark, naive):
        try:
            found += analysis(people)
        except StatisticalProblem as problem:
            problems.append(f"{analysis.__name__}: {problem}")
    return Seed(seed, len(people.days), int(people.died.sum()), tuple(found), tuple(problems))


def covariates(people: Followed) -> list[Estimate]:
    """The model the deaths were drawn from: follow-up is split where an effect changes."""
    changes = ["until_day" in term for term in DEATH_TERMS]
    later = people.days > LATE
    start = np.concatenate([np.zeros(len(later)), np.full(int(later.sum()), LATE)])
    stop = np.concatenate([np.minimum(people.days, LATE), people.days[later]])
    event = np.concatenate([people.died & ~later, people.died[later]])
    rows = np.vstack([people.design, people.design[later]])
    is_late = start > 0
    columns = []
    for change, column in zip(changes, rows.T, strict=True):
        columns += [np.where(is_late, 0.0, column), np.where(is_late, column, 0.0)] if change else [column]
    return _estimates(stop, event, np.column_stack(columns), list(truths()), start)


def time_varying(people: Followed) -> list[Estimate]:
    """Infusions so far as a covariate that changes with each of them."""
    place, start, stop, event, count = episodes(people)
    design = np.column_stack([count, people.design[place]])
    return _first(next(iter(INFUSIONS)), stop, event, design, people.names, start)


def episodes(people: Followed) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.bool_], Floats]:
    """Cut follow-up at each infusion: person (place), start, stop, death at the stop, infusions since time zero."""
    parts = []
    for i, days in enumerate(people.infusions):
        edges = np.concatenate([[0.0], np.unique(days[days < people.days[i]]), [people.days[i]]])
        number = len(edges) - 1
        dies = np.arange(number) == (number - 1 if people.died[i] else number)
        parts.append((np.full(number, i), edges[:-1], edges[1:], dies, np.arange(number, dtype=np.float64)))
    place, start, stop, event, count = (np.concatenate(column) for column in zip(*parts, strict=True))
    return place, start, stop, event, count


def landmark(people: Followed) -> list[Estimate]:
    """Many infusions by the landmark, among those still followed there."""
    there = people.days > LANDMARK
    many = np.array([1.0 + (days <= LANDMARK).sum() + 1.0 >= MANY for days in people.infusions], dtype=float)
    design = np.column_stack([many, people.design])[there]
    return _first(list(INFUSIONS)[1], people.days[there], people.died[there], design, people.names)


def naive(people: Followed) -> list[Estimate]:
    """Many infusions as if they had been known at the start: what immortal time makes of no effect."""
    many = np.array([len(days) + 2 >= MANY for days in people.infusions], dtype=float)
    return _first(list(INFUSIONS)[2], people.days, people.died, np.column_stack([many, people.design]), people.names)


def _first(
    term: str,
    stop: Floats,
    event: NDArray[np.bool_],
    design: Floats,
    names: Sequence[str],
    start: Floats | None = None,
) -> list[Estimate]:
    """The estimate of the first column, adjusted for the others."""
    return [_estimates(stop, event, design, [term, *names], start)[0]]


def _estimates(
    stop: Floats, event: NDArray[np.bool_], design: Floats, names: Sequence[str], start: Floats | None
) -> list[Estimate]:
    fit = fit_cox(stop, event, design, names, start=start)
    return [Estimate(name, float(b), float(s)) for name, b, s in zip(names, fit.coef, fit.se, strict=True)]


def recover(
    persons: int, seeds: Sequence[int], *, workers: int = 1, tick: Callable[[str], None] = lambda _: None
) -> list[Seed]:
    """Draw and analyse every seed; raises ValueError for fewer persons than the simulator can have."""
    work = partial(one_seed, persons)
    if workers == 1:
        return list(_told(map(work, seeds), len(seeds), tick))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(_told(pool.map(work, seeds, chunksize=4), len(seeds), tick))


def _told(found: Iterable[Seed], number: int, tick: Callable[[str], None]) -> Iterator[Seed]:
    for k, seed in enumerate(found, start=1):
        tick(f"{k} of {number} hospitals")
        yield seed


def summary(found: Sequence[Seed]) -> list[Recovered]:
    """Bias and coverage of every term, in the order of the simulator, then of infusions, whose truth is 0."""
    by_term: dict[str, list[Estimate]] = {}
    for seed in found:
        for estimate in seed.estimates:
            by_term.setdefault(estimate.term, []).append(estimate)
    truth = {**truths(), **dict.fromkeys(INFUSIONS, 0.0)}
    return [_recovered(term, value, by_term[term]) for term, value in truth.items() if len(by_term.get(term, [])) > 1]


def _recovered(term: str, truth: float, estimates: Sequence[Estimate]) -> Recovered:
    coef, se = (np.array([getattr(e, what) for e in estimates]) for what in ("coef", "se"))
    n = len(coef)
    coverage = float((np.abs(coef - truth) < Z * se).mean())
    sd = float(coef.std(ddof=1))
    return Recovered(
        term, truth, n, float(coef.mean()), float(coef.mean() - truth), sd / n**0.5, sd, float(se.mean()),
        coverage, (coverage * (1 - coverage) / n) ** 0.5,
    )  # fmt: skip


def failures(found: Sequence[Seed]) -> dict[str, int]:
    """Analyses that failed, by reason."""
    return dict(Counter(problem for seed in found for problem in seed.problems))
