"""The test of proportional hazards: is a coefficient constant over time?

The exact score test of R's cox.zph since survival 3.0, of β = θ in β + θ·g(t) with g(t) identity, log, rank or 1 − KM:
no approximation of the variance of scaled Schoenfeld residuals, valid with strata, delayed entry and weights
(Grambsch & Therneau 1994, Biometrika 81:515; the change is in survival's vignette "tests of proportional hazards").

Plots, and what to do about a coefficient that is not constant, do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from scipy.stats import chi2, rankdata

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

TRANSFORMS = ("km", "rank", "identity", "log")


def proportional_hazards(
    fit: CoxFit, transform: str = "km", *, terms: Mapping[str, Sequence[str]] | None = None
) -> pl.DataFrame:
    """Test each term, and all together, for a coefficient that changes with g(time).

    Returns term, statistic, df, p: one row per term and 'GLOBAL'. terms: the columns of each term (a category's levels
    are tested together); each column alone if None. 'rank' ranks all rows, the censored too, as R does; 'km' is one
    less Kaplan–Meier just before the time, of all rows without strata and weights, as in R.
    Raises StatisticalProblem for an unknown transform, for 'log' with an event at or before time 0, and for
    events at one time only.
    """
    score, information = _expanded(fit, _transformed(fit, transform))
    p = len(fit.names)
    groups = {name: [name] for name in fit.names} if terms is None else {name: list(of) for name, of in terms.items()}
    unknown = [f"'{column}'" for of in groups.values() for column in of if column not in fit.names]
    if unknown:
        raise StatisticalProblem(f"proportional hazards: the model has no {', '.join(unknown)}")
    rows = []
    for name, columns in {**groups, "GLOBAL": list(fit.names)}.items():
        which = [*range(p), *(p + fit.names.index(column) for column in columns)]
        part = score[which]
        statistic = float(part @ np.linalg.lstsq(information[np.ix_(which, which)], part, rcond=1e-12)[0])
        rows.append((name, statistic, len(columns), float(chi2.sf(statistic, len(columns)))))
    return pl.DataFrame(rows, schema=["term", "statistic", "df", "p"], orient="row")


def _expanded(fit: CoxFit, g: Floats) -> tuple[Floats, Floats]:
    """Score (2p) and information (2p × 2p) of β and θ at (β̂, 0), the model being β + θ·g(t)."""
    likelihood, state = fit.likelihood, fit.state
    sets, x = likelihood.sets, likelihood.columns
    dead = sets.dead
    surplus = -state.risk * sets.over(state.a1 * g, exact=state.exact)
    surplus[dead] += g[sets.last[dead]] * likelihood.weight[dead]
    surplus[dead] += state.risk[dead] * (state.a2 * g)[sets.last[dead]]
    sums = likelihood.sums(state)
    plain = likelihood.information(state, sums=sums)
    once, twice = (likelihood.information(state, sums=sums, multiplier=part) for part in (g, g * g))
    return np.concatenate([state.gradient, x @ surplus]), np.block([[plain, once], [once, twice]])


def _transformed(fit: CoxFit, transform: str) -> Floats:
    """g at each event time (G), centred and scaled, on which not the test but its rounding depends."""
    times, data = fit.likelihood.sets.times, fit.data
    if transform == "identity":
        g = times.copy()
    elif transform == "log":
        if (times <= 0).any():
            raise StatisticalProblem("proportional hazards: 'log' of an event at or before time 0")
        g = np.log(times)
    elif transform == "rank":
        values, place = np.unique(data.stop, return_index=True)
        g = rankdata(data.stop)[place][np.searchsorted(values, times)]
    elif transform == "km":
        g = _one_less_survival(data.start, data.stop, data.event, times)
    else:
        raise StatisticalProblem(f"proportional hazards: a transform is {', '.join(TRANSFORMS)}, not '{transform}'")
    g = g - np.average(g, weights=fit.likelihood.sets.deaths)
    if not np.ptp(g) > 0:
        raise StatisticalProblem("proportional hazards: all events are at one time, nothing can change over it")
    return np.asarray(g / np.abs(g).max())


def _one_less_survival(start: Floats, stop: Floats, event: np.ndarray, times: Floats) -> Floats:
    """1 − Kaplan–Meier just before each of `times`."""
    moments, deaths = np.unique(stop[event], return_counts=True)
    ends, starts = np.sort(stop), np.sort(start)
    at_risk = np.searchsorted(starts, moments, "left") - np.searchsorted(ends, moments, "left")
    curve = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    return np.asarray(1 - curve[np.searchsorted(moments, times, "left")])
