"""Fine–Gray regression by weighted episodes, so that any Cox fit does it, with delayed entry too.

Whoever had another event is followed on, in episodes whose weight is G(t−)·H(t−) relative to that at the event: G the
chance of not being censored, H of having entered (Geskus 2011, Biometrics 67:39). As R's survival::finegray with coxph:
Efron's ties, and in G events leave before the censored of the same time. The variance is robust and takes the weights
as known; without delayed entry `fine_gray`, whose variance allows for them, is the model of record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.outcomes import CENSORED, Outcomes, censoring_curve, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints

WHAT = "Fine–Gray model by episodes"


@dataclass(frozen=True)
class Episodes:
    """One row per episode: whose it is (row of the input), (start, stop], event of the cause at its end, weight."""

    row: Ints
    start: Floats
    stop: Floats
    event: Bools
    weight: Floats


def fit_fine_gray_episodes(
    time: ArrayLike,
    code: ArrayLike,
    design: Floats,
    names: Sequence[str],
    *,
    cause: int = 1,
    entry: ArrayLike | None = None,
) -> CoxFit:
    """Fit the subdistribution hazard of `cause` as a weighted Cox model with a variance clustered on people.

    time, code, entry (n), design (n × p) as in `fine_gray.fit_fine_gray`; at risk from entry on. n and events of the
    result count episodes. Raises StatisticalProblem as that and as `fit_cox`.
    """
    x = np.asarray(design, dtype=np.float64)
    x = x.reshape(len(x), -1)
    episodes = subdistribution_episodes(time, code, cause=cause, entry=entry)
    return fit_cox(
        episodes.stop,
        episodes.event,
        x[episodes.row],
        names,
        start=episodes.start,
        weight=episodes.weight,
        cluster=episodes.row,
    )


def subdistribution_episodes(
    time: ArrayLike, code: ArrayLike, *, cause: int = 1, entry: ArrayLike | None = None
) -> Episodes:
    """Lay out the risk sets of the subdistribution of `cause`; a product limit of them is the Aalen–Johansen estimate.

    time, code, entry (n): 0 censored, 1, 2, … the events. Neighbouring episodes of one weight are one. Missing values
    are refused. Raises StatisticalProblem, also for no event of the cause and for a gap in which
    nobody was under observation.
    """
    data = read_outcomes(WHAT, time, code, entry=entry)
    happened = data.happened(cause)
    if not happened.any():
        raise StatisticalProblem(f"{WHAT}: no event {cause} among {data.n} rows")
    moments = np.unique(data.time[happened])
    weight_at = _seen(data, moments)
    own = _seen(data, data.time)
    others = np.flatnonzero(~happened & (data.code != CENSORED))
    if not (own[others] > 0).all():
        raise StatisticalProblem(f"{WHAT}: all who were under observation had left before others entered; start later")
    rows, starts, stops, weights = [np.arange(data.n)], [data.entry], [data.time], [np.ones(data.n)]
    for i in others:
        later = slice(int(np.searchsorted(moments, data.time[i], side="right")), None)
        to_come, weight = moments[later], weight_at[later] / own[i]
        ends = (
            np.flatnonzero(np.append(weight[1:] != weight[:-1], True)) if len(weight) else np.zeros(0, dtype=np.int64)
        )
        ends = ends[weight[ends] > 0]
        rows.append(np.full(len(ends), i))
        stops.append(to_come[ends])
        starts.append(np.concatenate([data.time[[i]], to_come[ends][:-1]])[: len(ends)])
        weights.append(weight[ends])
    row, weight = np.concatenate(rows), np.concatenate(weights)
    event = np.concatenate([happened, np.zeros(len(row) - data.n, dtype=bool)])
    return Episodes(row, np.concatenate(starts), np.concatenate(stops), event, weight)


def _seen(data: Outcomes, times: Floats) -> Floats:
    """Chance of having entered before, and of not being censored before, each of `times`: G(t−)·H(t−)."""
    uncensored = censoring_curve(data, events_leave_first=True).before(times)
    late = np.isfinite(data.entry)
    moments, counts = np.unique(data.entry[late], return_counts=True)
    if not len(moments):
        return uncensored
    # Time runs backwards: people come under observation when they leave and have "entered" as their event.
    starts, ends = np.sort(data.entry), np.sort(data.time)
    risk = np.searchsorted(starts, moments, side="right") - np.searchsorted(ends, moments, side="right")
    factors = np.append(np.cumprod((1 - counts / risk)[::-1])[::-1], 1.0)
    return np.asarray(uncensored * factors[np.searchsorted(moments, times, side="left")])
