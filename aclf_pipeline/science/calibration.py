"""Calibration of predicted risks at a horizon: observed over expected, slope, and how far a smooth curve is from true.

The smooth curve is a model of the outcome on a restricted cubic spline of log(−log(1 − risk)): Cox, or Fine–Gray where
there are competing events (Austin, Harrell & van Klaveren 2020, Stat Med 39:2714; Austin et al. 2022, Diagn Progn Res
6:2). Observed risks are Kaplan–Meier or Aalen–Johansen. Right-censored data. Discrimination and Brier scores
(survival_performance), optimism, and figures do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.fine_gray import fit_fine_gray, predicted_incidence
from aclf_pipeline.science.incidence_jackknife import incidence_with_jackknife
from aclf_pipeline.science.outcomes import CENSORED, Outcomes, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats
from aclf_pipeline.science.splines import orthogonal, rms_knots, spline_basis, spline_names

WHAT = "calibration"
GROUP_COLUMNS = ("group", "from", "to", "n", "predicted", "observed", "se", "lower", "upper", "reason")


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Calibration:
    """Calibration at a horizon: of n rows, with `events` of the cause by then.

    observed and predicted: risk of all (mean of the predicted); oe their ratio, 1 is right; slope of the log hazard on
    log(−log(1 − risk)) over all follow-up, 1 is right and below it predictions are too extreme. calibrated (n): smooth
    observed risk at each predicted risk; ici, e50, e90 and emax the mean, median, 90th percentile and maximum of its
    distance from them. groups: see `calibration_groups`.
    """

    horizon: float
    n: int
    events: int
    observed: float
    predicted: float
    oe: Interval
    slope: Interval
    knots: Floats
    calibrated: Floats
    ici: float
    e50: float
    e90: float
    emax: float
    groups: pl.DataFrame


def calibrate(
    time: ArrayLike,
    code: ArrayLike,
    risk: ArrayLike,
    horizon: float,
    *,
    cause: int = 1,
    knots: int = 3,
    groups: int = 5,
    level: float = 0.95,
) -> Calibration:
    """Compare predicted risks of the event by the horizon with what happened.

    time, code (n): 0 censored, 1, 2, … the events; risk (n), between 0 and 1 exclusive; an event on the horizon counts.
    Intervals: of oe on the log scale, its error that of the observed risk (Debray et al. 2017, BMJ 356:i6460); of the
    slope by the model's variance. Missing values are refused. Raises StatisticalProblem, also for a horizon beyond
    follow-up or with no event by it, and where risks have too few values for the knots.
    """
    risks = np.asarray(risk, dtype=np.float64)
    data = read_outcomes(WHAT, time, code, others={"risk": risks})
    if not ((risks > 0) & (risks < 1)).all():
        outside = int((~((risks > 0) & (risks < 1))).sum())
        raise StatisticalProblem(f"{WHAT}: {outside} rows have a risk that is not between 0 and 1")
    horizon = float(data.settled(horizon))
    observed, se, reason = observed_risk(data, horizon, cause)
    if reason is not None or not observed > 0:
        raise StatisticalProblem(f"{WHAT}: {reason or f'no event {cause} by {horizon:g}'}")
    z, ratio = float(norm.ppf(0.5 + level / 2)), observed / float(risks.mean())
    linear = np.log(-np.log1p(-risks))
    at = rms_knots(linear, knots)
    slope, error = _slope(data, linear, cause)
    calibrated = _smooth(data, orthogonal(spline_basis(linear, at))[0], horizon, cause)
    away = np.abs(calibrated - risks)
    return Calibration(
        horizon=horizon,
        n=data.n,
        events=int((data.happened(cause) & (data.time <= horizon)).sum()),
        observed=observed,
        predicted=float(risks.mean()),
        oe=Interval(ratio, float(ratio * np.exp(-z * se / observed)), float(ratio * np.exp(z * se / observed))),
        slope=Interval(slope, slope - z * error, slope + z * error),
        knots=at,
        calibrated=calibrated,
        ici=float(away.mean()),
        e50=float(np.median(away)),
        e90=float(np.quantile(away, 0.9)),
        emax=float(away.max()),
        groups=calibration_groups(data, risks, horizon, cause=cause, groups=groups, level=level),
    )


def observed_risk(data: Outcomes, horizon: float, cause: int) -> tuple[float, float, str | None]:
    """Return the observed risk of the event by the horizon, its standard error, and why they are NaN, if they are."""
    last = data.time == data.time.max()
    if horizon > data.time[last][0] and (data.code[last] == CENSORED).any():
        return np.nan, np.nan, f"nobody is followed to {horizon:g}; the last left on {data.time[last][0]:g}"
    code = np.where(data.time <= horizon, data.code, CENSORED)
    if not (code == cause).any():
        return 0.0, 0.0, None
    # Who goes on is as good as censored at the horizon, at risk there: the jackknife works moment by moment.
    curve = incidence_with_jackknife(np.minimum(data.time, horizon), code)
    column = 1 + curve.causes.index(cause)
    return float(curve.probability[-1, column]), float(curve.se[-1, column]), None


def calibration_groups(
    data: Outcomes, risk: Floats, horizon: float, *, cause: int = 1, groups: int = 5, level: float = 0.95
) -> pl.DataFrame:
    """Return observed and mean predicted risk in groups of rising predicted risk, cut at its quantiles.

    Columns: group (1, 2, …), from (excluded but in the first group), to, n, predicted, observed, se, lower, upper
    (log-log), reason. Equal quantiles make one group. Null with a reason where nobody of a group is followed so far;
    limits are null where nothing, or everything, happened.
    """
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)))
    edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    place = np.clip(np.searchsorted(edges, risk, side="left") - 1, 0, len(edges) - 2)
    z, rows = float(norm.ppf(0.5 + level / 2)), []
    for g in np.unique(place):
        of = place == g
        part = Outcomes(data.time[of], data.code[of], data.entry[of])
        observed, se, reason = observed_risk(part, horizon, cause)
        limits: tuple[float | None, ...] = (None, None)
        if 0 < observed < 1:
            width = z * se / ((1 - observed) * abs(np.log1p(-observed)))
            limits = (1 - (1 - observed) ** np.exp(-width), 1 - (1 - observed) ** np.exp(width))
        estimates = (None, None) if reason else (observed, se)
        bounds = (int(g) + 1, float(edges[g]), float(edges[g + 1]), int(of.sum()), float(risk[of].mean()))
        rows.append((*bounds, *estimates, *limits, reason))
    whole = {"group", "n"}
    types = {
        name: pl.Int64 if name in whole else pl.String if name == "reason" else pl.Float64 for name in GROUP_COLUMNS
    }
    return pl.DataFrame(rows, schema=types, orient="row")


def _single(data: Outcomes, cause: int) -> bool:
    """No competing event happened."""
    return bool(np.isin(data.code, (CENSORED, cause)).all())


def _slope(data: Outcomes, linear: Floats, cause: int) -> tuple[float, float]:
    """Return the coefficient of the linear predictor and its standard error."""
    if _single(data, cause):
        fit = fit_cox(data.time, data.happened(cause), linear[:, None], ["risk"])
        return float(fit.coef[0]), float(fit.se[0])
    competing = fit_fine_gray(data.time, data.code, linear[:, None], ["risk"], cause=cause)
    return float(competing.coef[0]), float(competing.se[0])


def _smooth(data: Outcomes, basis: Floats, horizon: float, cause: int) -> Floats:
    """Return the risk at the horizon of a model on the basis (n)."""
    names = spline_names("risk", basis.shape[1] + 1)
    if _single(data, cause):
        fit = fit_cox(data.time, data.happened(cause), basis, names)
        return np.asarray(1 - cox_curves.survival(fit, basis, np.array([horizon])).survival[:, 0])
    competing = fit_fine_gray(data.time, data.code, basis, names, cause=cause)
    return predicted_incidence(competing, basis, [horizon])[:, 0]
