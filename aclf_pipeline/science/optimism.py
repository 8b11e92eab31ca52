"""Internal validation by the bootstrap: how much of a model's performance is its having seen the data.

Optimism is the performance of a model made of a resample there, less its performance on the original rows (Harrell, Lee
& Mark 1996, Stat Med 15:361; Efron & Gong 1983, Am Stat 37:36); what is apparent, less the mean optimism, is corrected.
The caller's function makes the model and everything data-driven is inside it: selection, knots, penalties, imputation.
Limits are the percentiles of the resamples' own performance, shifted by the optimism (Noma et al. 2021, Stat Med
40:5691). Several completed data sets are each validated and averaged (Musoro et al. 2014, BMC Med Res Methodol 14:116).

Taking a measure (optimism_measures), making models and drawing imputations do not belong here, nor running in several
processes: give `run` a parallel map.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_resampling import refit_one
from aclf_pipeline.science.optimism_measures import MEASURES, Measured, Predictions
from aclf_pipeline.science.outcomes import read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints

WHAT = "internal validation"


Fit = Callable[[Ints], Predictions]
"""Makes a model of the rows named (places, with repetition) and predicts for all rows; StatisticalProblem if it cannot.

To run in several processes it must be picklable: a dataclass with __call__, as CoxOnRows.
"""


@dataclass(frozen=True)
class Resamples:
    """Performance (measures) of one data set: apparent, and per draw in the draw (own) and on the rows (test).

    labels: (measure, horizon or None) of each column. apparent (k); own, test (draws × k), NaN where there is none.
    problems: why draws failed wholly, and how many.
    """

    labels: tuple[tuple[str, float | None], ...]
    apparent: Floats
    own: Floats
    test: Floats
    problems: dict[str, int]


@dataclass(frozen=True)
class Validation:
    """The corrected performance of a model.

    table: measure ('c', 'slope', 'brier', 'ipa'), horizon, apparent, training, test, optimism, corrected, lower, upper,
    n (draws that count, over all data sets), failed, between_sd (of the corrected, over completed data sets; null for
    one), reason (why null). A slope has no limits: that in a draw is 1 whatever the draw. failures: why draws failed
    wholly, and how many. draws: draws asked for, of each data set.
    """

    table: pl.DataFrame
    draws: int
    data_sets: int
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Draws of which no model could be made, over all data sets."""
        return sum(self.failures.values())


def bootstrap_draws(n: int, number: int, seed: int, *, groups: ArrayLike | None = None) -> Ints:
    """Draw n of n rows with repetition, `number` times (number × n); within each of `groups` (n), if given.

    The first k draws are those of number = k.
    """
    place = np.zeros(n, dtype=np.int64) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    members = [np.flatnonzero(place == g) for g in range(int(place.max()) + 1)] if n else []
    draws = np.empty((number, n), dtype=np.int64)
    for b in range(number):
        rng = np.random.default_rng([seed, b])
        for rows in members:
            draws[b, rows] = rows[rng.integers(0, len(rows), len(rows))]
    return draws


@dataclass(frozen=True)
class CoxOnRows:
    """The Fit of a model with set terms: Cox on the rows drawn. stop, event (n; of one cause), design (n × p)."""

    stop: Floats
    event: Bools
    design: Floats
    names: tuple[str, ...]
    horizons: tuple[float, ...] = ()

    @cached_property
    def whole(self) -> CoxFit:
        """The model of all rows."""
        return fit_cox(self.stop, self.event, self.design, self.names)

    def __call__(self, rows: Ints) -> Predictions:
        """Fit and predict; a horizon beyond the last follow-up of the rows has no risk."""
        found = refit_one(self.whole, rows)
        linear = np.asarray((self.design - self.whole.centre) @ found.coef)
        if not self.horizons:
            return Predictions(linear)
        times = np.asarray(self.horizons, dtype=np.float64)
        hazard = np.append(0.0, found.hazard)[np.searchsorted(found.times, times, side="right")]
        hazard = np.where(times > self.stop[rows].max(), np.nan, hazard)
        return Predictions(linear, -np.expm1(-np.exp(linear)[:, None] * hazard))


def resample(
    time: ArrayLike,
    code: ArrayLike,
    fit: Fit,
    draws: Iterable[Ints],
    *,
    horizons: Sequence[float] = (),
    cause: int = 1,
) -> Resamples:
    """Validate one data set on given draws (each: places of rows).

    time, code (n): 0 censored, 1, 2, … the events, of which `cause` is predicted; others end follow-up for C and slope,
    and are counted as what they are by the Brier score. A draw whose model cannot be made is counted, by reason, and
    has no figures; a measure that cannot be taken is NaN for that draw alone. Raises StatisticalProblem if the model
    cannot be made of the original rows.
    """
    data = read_outcomes(WHAT, time, code)
    labels = _labels(horizons)
    measured = Measured.of(data, horizons, cause)
    apparent = measured.of_model(fit(np.arange(data.n)))
    own, test, problems = [], [], Counter[str]()
    for rows in draws:
        try:
            made = fit(np.asarray(rows))
            here, there = measured.drawn(np.asarray(rows)).of_model(made), measured.of_model(made)
        except StatisticalProblem as problem:
            problems[str(problem)] += 1
            here = there = np.full(len(labels), np.nan)
        own.append(here)
        test.append(there)
    shape = (-1, len(labels))
    return Resamples(labels, apparent, np.reshape(own, shape), np.reshape(test, shape), dict(problems))


def validate(resamples: Sequence[Resamples], *, level: float = 0.95) -> Validation:
    """Correct the apparent performance by the mean optimism; several completed data sets are averaged.

    A draw counts for a measure if both its figures are known. Raises StatisticalProblem for data sets with other
    measures.
    """
    if not resamples or len({part.labels for part in resamples}) > 1:
        raise StatisticalProblem(f"{WHAT}: {len(resamples)} data sets, which must have the same measures")
    rows = [_row(resamples, place, level) for place in range(len(resamples[0].labels))]
    estimates = ("apparent", "training", "test", "optimism", "corrected", "lower", "upper")
    types = {"measure": pl.String, "horizon": pl.Float64, **dict.fromkeys(estimates, pl.Float64)}
    types |= {"n": pl.Int64, "failed": pl.Int64, "between_sd": pl.Float64, "reason": pl.String}
    problems: Counter[str] = Counter()
    for part in resamples:
        problems.update(part.problems)
    return Validation(
        pl.DataFrame(rows, schema=types, orient="row"),
        max(len(p.own) for p in resamples),
        len(resamples),
        dict(problems),
    )


def optimism(
    time: ArrayLike,
    code: ArrayLike,
    fits: Sequence[Fit],
    draws: Ints,
    *,
    horizons: Sequence[float] = (),
    cause: int = 1,
    level: float = 0.95,
    run: Callable[..., Iterable[Any]] = map,
    pieces: int = 1,
) -> Validation:
    """Validate a model on each of several completed data sets (one Fit each; one alone is no imputation) and combine.

    draws (B × n) are shared by the data sets. run: a map; with an executor's, `pieces` parts of the draws of each data
    set go to its workers, and the figures are the same. Else as `resample` and `validate`.
    """
    parts = [part for part in np.array_split(np.asarray(draws), max(1, min(pieces, len(draws)))) if len(part)]
    work = partial(_piece, np.asarray(time), np.asarray(code), tuple(horizons), cause)
    jobs = [(fit, part) for fit in fits for part in parts]
    done = list(run(work, [fit for fit, _ in jobs], [part for _, part in jobs]))
    each = len(parts)
    return validate([_joined(done[k : k + each]) for k in range(0, len(done), each)], level=level)


def _piece(time: Floats, code: Ints, horizons: tuple[float, ...], cause: int, fit: Fit, draws: Ints) -> Resamples:
    """Validate one data set on part of the draws."""
    return resample(time, code, fit, draws, horizons=horizons, cause=cause)


def _joined(parts: Sequence[Resamples]) -> Resamples:
    """Put the parts of one data set together."""
    problems: Counter[str] = Counter()
    for part in parts:
        problems.update(part.problems)
    own, test = (np.vstack([getattr(part, which) for part in parts]) for which in ("own", "test"))
    return Resamples(parts[0].labels, parts[0].apparent, own, test, dict(problems))


def _labels(horizons: Sequence[float]) -> tuple[tuple[str, float | None], ...]:
    """Measures in the order in which they are taken."""
    timed = [(measure, float(horizon)) for measure in MEASURES[2:] for horizon in horizons]
    return (("c", None), ("slope", None), *timed)


def _row(resamples: Sequence[Resamples], place: int, level: float) -> tuple[Any, ...]:
    """Lay out one measure, averaged over data sets."""
    measure, horizon = resamples[0].labels[place]
    apparent = np.array([part.apparent[place] for part in resamples])
    pairs = [np.column_stack([part.own[:, place], part.test[:, place]]) for part in resamples]
    asked = sum(len(pair) for pair in pairs)
    pairs = [pair[np.isfinite(pair).all(axis=1)] for pair in pairs]
    counted = sum(len(pair) for pair in pairs)
    if not np.isfinite(apparent).all() or not all(len(pair) for pair in pairs):
        why = "it cannot be taken of the original rows" if not np.isfinite(apparent).all() else "no draw has it"
        return (measure, horizon, *[None] * 7, counted, asked - counted, None, why)
    training, test = (np.array([pair[:, side].mean() for pair in pairs]) for side in (0, 1))
    corrected = apparent - (training - test)
    gap = float((training - test).mean())
    tails: tuple[float | None, ...] = (None, None)
    if measure != "slope":
        shifted = np.concatenate([pair[:, 0] for pair in pairs]) - gap
        tails = tuple(np.quantile(shifted, [0.5 - level / 2, 0.5 + level / 2]).tolist())
    means = [float(part.mean()) for part in (apparent, training, test)]
    spread = float(corrected.std(ddof=1)) if len(corrected) > 1 else None
    return (measure, horizon, *means, gap, float(corrected.mean()), *tails, counted, asked - counted, spread, None)
