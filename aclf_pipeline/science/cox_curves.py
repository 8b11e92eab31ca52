"""Baseline hazard and predicted survival of a fitted Cox model, with intervals.

Λ₀ is the Breslow estimator under Breslow's ties and its Efron counterpart under Efron's (Therneau & Grambsch 2000,
Modeling Survival Data, ch. 10), so that predictions are of the model that was fitted; delayed entry and strata are in
the risk sets. S(t|x) = exp(−Λ₀(t)·exp(xβ)), the variance of Λ(t|x) as in Tsiatis 1981, Ann Stat 9:93.

Curves without a model (survival) and performance of predictions do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints

INTERVALS = ("log-log", "log", "plain")


@dataclass(frozen=True)
class BaselineHazard:
    """Cumulative hazard at one covariate vector after each event time, by stratum (code) and time (G each)."""

    stratum: Ints
    time: Floats
    hazard: Floats


@dataclass(frozen=True)
class Curves:
    """Predicted survival of k people at h times (k × h each): probability, its standard error, and the interval.

    NaN where the time is beyond the last follow-up of the stratum: nobody was seen there.
    """

    survival: Floats
    se: Floats
    lower: Floats
    upper: Floats


def baseline_hazard(fit: CoxFit, *, at: Floats | None = None) -> BaselineHazard:
    """Return the cumulative baseline hazard at covariates `at` (p; all 0 if None, as R's basehaz(centered = FALSE))."""
    where = np.zeros(len(fit.coef)) if at is None else np.asarray(at, dtype=np.float64)
    steps = fit.state.a1 * _unit(fit) * np.exp((where - fit.centre) @ fit.coef)
    sets = fit.likelihood.sets
    hazard = np.concatenate([np.cumsum(steps[block]) for block in sets.blocks])
    return BaselineHazard(sets.stratum, sets.times, hazard)


def survival(
    fit: CoxFit,
    design: Floats,
    times: Floats,
    *,
    stratum: Ints | None = None,
    interval: str = "log-log",
    level: float = 0.95,
    since: float = -np.inf,
) -> Curves:
    """Predict survival to each of `times` (h) of people with covariates `design` (k × p).

    stratum (k) are codes, needed if the model has more than one. With `since`, survival given being alive at that time:
    S(t)/S(since), 1 up to it. Intervals are those of the log cumulative hazard ('log-log'), of the cumulative hazard
    ('log', R's default, cut at 1) or of survival itself ('plain', cut at 0 and 1). The variance is the fit's, robust if
    that is. Raises StatisticalProblem for missing covariates, unknown strata and intervals.
    """
    design = np.asarray(design, dtype=np.float64).reshape(-1, len(fit.coef))
    times = np.asarray(times, dtype=np.float64)
    codes = np.zeros(len(design), dtype=np.int64) if stratum is None else np.asarray(stratum)
    _check(fit, design, codes, stratum is None, interval)
    hazard, error = np.full((len(design), len(times)), np.nan), np.full((len(design), len(times)), np.nan)
    centred = (design - fit.centre) / fit.scale
    vcov = fit.vcov * np.outer(fit.scale, fit.scale)
    for code in np.unique(codes):
        people, part = codes == code, hazard_parts(fit, times, int(code), since=since)
        x = centred[people]
        relative = np.exp((design[people] - fit.centre) @ fit.coef)
        drift = x[:, :, None] * part[0] - part[2:]
        variance = part[1] + np.einsum("kph,pq,kqh->kh", drift, vcov, drift)
        hazard[people] = relative[:, None] * part[0]
        error[people] = relative[:, None] * np.sqrt(variance)
    return _with_interval(hazard, error, interval, float(norm.ppf(0.5 + level / 2)))


def hazard_parts(fit: CoxFit, times: Floats, stratum: int = 0, *, since: float = -np.inf) -> Floats:
    """Return what a person's cumulative hazard over (since, time] and its variance are made of ((2 + p) × h).

    Rows: Λ₀ of one with the centre's covariates; its own variance; and Σ x̄ dΛ₀ (p), x̄ the mean standardised
    covariates of the risk set. A person of relative risk r and standardised covariates z has Λ = r·Λ₀ and a gradient
    by the standardised coefficients of r·(z·Λ₀ − Σ x̄ dΛ₀). NaN beyond the last follow-up of the stratum.
    """
    sets = fit.likelihood.sets
    s1, d1 = fit.likelihood.sums(fit.state)
    unit, of = _unit(fit), sets.stratum == stratum
    steps = np.vstack([fit.state.a1 * unit, fit.state.b11 * unit**2, (s1 * fit.state.b11 - d1 * fit.state.b12) * unit])
    sums = np.hstack([np.zeros((len(steps), 1)), np.cumsum(steps[:, of], axis=1)])
    begin, end = np.searchsorted(sets.times[of], [since], "right"), np.searchsorted(sets.times[of], times, "right")
    part = sums[:, np.maximum(end, begin)] - sums[:, begin]
    part[:, times > fit.data.stop[fit.data.strata == stratum].max()] = np.nan
    return np.asarray(part)


def _unit(fit: CoxFit) -> Floats:
    """What turns a group's hazard from the unit of its stratum's largest risk to that of the centre (G)."""
    return np.asarray(np.exp(-fit.state.scale[fit.likelihood.sets.leave]))


def _check(fit: CoxFit, design: Floats, codes: Ints, no_stratum: bool, interval: str) -> None:
    """Refuse what cannot be predicted."""
    if interval not in INTERVALS:
        raise StatisticalProblem(f"predicted survival: an interval is {', '.join(INTERVALS)}, not '{interval}'")
    if not np.isfinite(design).all():
        rows = int((~np.isfinite(design)).any(axis=1).sum())
        raise StatisticalProblem(f"predicted survival: {rows} people lack a covariate of {', '.join(fit.names)}")
    if no_stratum and len(np.unique(fit.data.strata)) > 1:
        raise StatisticalProblem("predicted survival: the model has strata, and no stratum is given")
    unknown = sorted(set(codes.tolist()) - set(fit.data.strata.tolist()))
    if unknown:
        raise StatisticalProblem(f"predicted survival: the model has no stratum {', '.join(map(str, unknown))}")


def _with_interval(hazard: Floats, error: Floats, interval: str, z: float) -> Curves:
    """Lay an interval around exp(−Λ); where nothing has happened yet survival is 1 and so are its limits."""
    chance = np.exp(-hazard)
    if interval == "plain":
        lower, upper = chance - z * chance * error, chance + z * chance * error
    elif interval == "log":
        lower, upper = np.exp(-hazard - z * error), np.exp(-hazard + z * error)
    else:
        width = np.divide(z * error, hazard, out=np.zeros_like(hazard), where=hazard > 0)
        lower, upper = np.exp(-hazard * np.exp(width)), np.exp(-hazard * np.exp(-width))
    return Curves(chance, chance * error, np.clip(lower, 0, 1), np.clip(upper, 0, 1))
