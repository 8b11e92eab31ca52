"""How good are predicted risks at a horizon? Time-dependent AUC, Brier score, index of prediction accuracy.

Censoring is answered by inverse weights (censoring_weights), competing events by counting them for what they are, and
every standard error includes that the weights are estimated. Two conventions of R's packages are both offered by name:
riskRegression::Score counts an event on the horizon as a case (T<=t), timeROC does not (T<t).

Concordance over all times (concordance), calibration (calibration) and net benefit (decision_curve) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science.censoring_weights import CensoringWeights
from aclf_pipeline.science.outcomes import CENSORED, incidence_curve, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats

CASES = ("T<=t", "T<t")
CONTROLS = ("not a case", "event-free")
AUC_COLUMNS = ("horizon", "auc", "se", "lower", "upper", "cases", "controls", "censored", "reason")
BRIER_ESTIMATES = ("brier", "se", "lower", "upper", "null_brier", "null_se", "ipa")
BRIER_COLUMNS = ("horizon", *BRIER_ESTIMATES, "events", "at_risk", "censored", "reason")


def time_dependent_auc(
    time: ArrayLike,
    code: ArrayLike,
    marker: ArrayLike,
    horizons: Sequence[float],
    *,
    cause: int = 1,
    cases: str = "T<=t",
    controls: str = "not a case",
    level: float = 0.95,
) -> pl.DataFrame:
    """Chance that of one who has the event by the horizon and one who has not, the first has the higher marker.

    time, code (n): 0 censored, 1, 2, … the events; marker (n, or n × h with one column per horizon), higher is worse.
    Returns one row per horizon: horizon, auc, se, lower, upper, cases, controls, censored (before the horizon), reason.
    cases: 'T<=t' as Score, 'T<t' as timeROC; controls are those followed beyond the horizon and, of competing events,
    either also those with another event by then ('not a case': Score, AUC_2 of timeROC) or not ('event-free': AUC_1).
    Errors follow the same package, so that 'T<t' lets those of one time leave in the order of the rows.
    Equal markers count half. Where there are no cases or no controls, or follow-up ends, the estimates are null and
    `reason` says why. Missing values are refused. Source: Blanche et al. 2013, Stat Med 32:5381. Raises
    StatisticalProblem.
    """
    what = "time-dependent AUC"
    if cases not in CASES or controls not in CONTROLS:
        raise StatisticalProblem(
            f"{what}: cases are {' or '.join(CASES)}, controls {' or '.join(CONTROLS)}; not '{cases}', '{controls}'"
        )
    markers = _by_horizon(what, marker, horizons, "marker")
    weights = CensoringWeights.of(what, read_outcomes(what, time, code, others={"marker": markers}))
    data, rows = weights.data, []
    for k, horizon in enumerate(data.settled(horizons).tolist()):
        case, control = _cases_and_controls(weights, horizon, cause, cases, controls)
        passed = int(((data.time < horizon) & (data.code == CENSORED)).sum())
        counts = (int(case.sum()), int(control.sum()), passed)
        reason = _why_no_auc(weights, horizon, counts)
        estimates: tuple[float | None, ...] = (None,) * 4
        if reason is None:
            estimate = _timeroc_auc if cases == "T<t" else _score_auc
            auc, se = estimate(weights, horizon, markers[:, k], case, control)
            estimates = (auc, se, *_interval(auc, se, level))
        rows.append((horizon, *estimates, *counts, reason))
    return _frame(rows, AUC_COLUMNS)


def roc_curve(
    time: ArrayLike,
    code: ArrayLike,
    marker: ArrayLike,
    horizon: float,
    *,
    cause: int = 1,
    cases: str = "T<=t",
    controls: str = "not a case",
) -> pl.DataFrame:
    """Return threshold, false_positive, true_positive: rates among controls and cases of a marker at or above it.

    Arguments as `time_dependent_auc`. One row per distinct marker, highest first, after a first row of no positives
    (threshold null). Raises StatisticalProblem where the AUC would be null, with its reason.
    """
    what = "time-dependent ROC"
    markers = _by_horizon(what, marker, [horizon], "marker")[:, 0]
    weights = CensoringWeights.of(what, read_outcomes(what, time, code, others={"marker": markers}))
    horizon = float(weights.data.settled(horizon))
    case, control = _cases_and_controls(weights, horizon, cause, cases, controls)
    reason = _why_no_auc(weights, horizon, (int(case.sum()), int(control.sum()), 0))
    if reason is not None:
        raise StatisticalProblem(f"{what}: {reason}")
    weight, turn = weights.at(horizon), np.argsort(-markers, kind="stable")
    last = np.flatnonzero(np.append(np.diff(markers[turn]) != 0, True))
    rates = [np.append(0.0, np.cumsum((weight * who)[turn])[last]) / (weight * who).sum() for who in (control, case)]
    thresholds = pl.Series([None, *markers[turn][last].tolist()], dtype=pl.Float64)
    return pl.DataFrame({"threshold": thresholds, "false_positive": rates[0], "true_positive": rates[1]})


def brier_score(
    time: ArrayLike,
    code: ArrayLike,
    risk: ArrayLike,
    horizons: Sequence[float],
    *,
    cause: int = 1,
    level: float = 0.95,
) -> pl.DataFrame:
    """Mean squared distance of predicted risk of the event by the horizon, and what happened; and what that gains.

    time, code (n): 0 censored, 1, 2, … the events; risk (n × h, or n for one horizon). Returns one row per
    horizon: horizon, brier, se, lower, upper, null_brier and null_se (everybody has the Aalen–Johansen risk), ipa
    (1 − brier/null_brier), events (of the cause, on the horizon included), at_risk (beyond it), censored (before it),
    reason. Where nobody is followed beyond the horizon the estimates are null and `reason` says so; ipa is null too if
    the null model makes no error. Missing values and risks outside [0, 1] are refused. Gerds & Schumacher 2006, Biom J
    48:1029; Schoop et al. 2011, Biom J 53:88 (competing risks); Kattan & Gerds 2018, Diagn Progn Res 2:7 (ipa).
    """
    what = "Brier score"
    risks = _by_horizon(what, risk, horizons, "risk", one_each=True)
    weights = CensoringWeights.of(what, read_outcomes(what, time, code, others={"risk": risks}))
    if ((risks < 0) | (risks > 1)).any():
        outside = int(((risks < 0) | (risks > 1)).any(axis=1).sum())
        raise StatisticalProblem(f"{what}: {outside} rows have a risk outside 0 to 1")
    data, rows = weights.data, []
    marginal = incidence_curve(data, cause).at(data.settled(horizons))
    for k, horizon in enumerate(data.settled(horizons).tolist()):
        happened = data.happened(cause) & (data.time <= horizon)
        passed = int(((data.time < horizon) & (data.code == CENSORED)).sum())
        counts = (int(happened.sum()), int((data.time > horizon).sum()), passed)
        reason = _why_unknown(weights, horizon)
        estimates: tuple[float | None, ...] = (None,) * 7
        if reason is None:
            brier, se = _brier(weights, horizon, happened, risks[:, k])
            null, null_se = _brier(weights, horizon, happened, np.full(data.n, marginal[k]))
            ipa = 1 - brier / null if null > 0 else None
            reason = None if null > 0 else "the null model makes no error: no event by the horizon, or nothing else"
            estimates = (brier, se, *_interval(brier, se, level), null, null_se, ipa)
        rows.append((horizon, *estimates, *counts, reason))
    return _frame(rows, BRIER_COLUMNS)


def integrated(horizons: ArrayLike, scores: ArrayLike, *, until: float) -> float:
    """Return the mean of a score over (first horizon, until), each score lasting to the next horizon.

    horizons (h) rising; scores (h), of which those before `until` must be known. Exact for the Brier score if the
    horizons are 0 and all observed times; the rule is that of R's pec::crps. Raises StatisticalProblem.
    """
    times, values = np.asarray(horizons, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if len(times) != len(values) or not len(times) or (np.diff(times) <= 0).any() or not until > times[0]:
        raise StatisticalProblem("integrated score: as many scores as horizons, rising, and an end after the first")
    used = times < until
    if not np.isfinite(values[used]).all():
        first = times[used][~np.isfinite(values[used])][0]
        raise StatisticalProblem(f"integrated score: the score at {first:g} is unknown; end before it")
    spans = np.diff(np.append(times[used], until))
    return float(values[used] @ spans / (until - times[0]))


def _by_horizon(
    what: str, values: ArrayLike, horizons: Sequence[float], name: str, *, one_each: bool = False
) -> Floats:
    """Return a column per horizon; one column serves all of them, unless each needs its own."""
    columns = np.asarray(values, dtype=np.float64)
    columns = columns.reshape(len(columns), -1)
    wanted = len(horizons)
    if not wanted or not np.isfinite(np.asarray(horizons, dtype=np.float64)).all() or min(horizons) <= 0:
        raise StatisticalProblem(f"{what}: horizons must be named, and above 0")
    if columns.shape[1] == 1 and not one_each:
        columns = np.repeat(columns, wanted, axis=1)
    if columns.shape[1] != wanted:
        raise StatisticalProblem(f"{what}: {columns.shape[1]} columns of {name} for {wanted} horizons")
    return columns


def _cases_and_controls(
    weights: CensoringWeights, horizon: float, cause: int, cases: str, controls: str
) -> tuple[Bools, Bools]:
    """Tell who is a case and who a control (n each); the censored before the horizon are neither."""
    data = weights.data
    by_then = data.time <= horizon if cases == "T<=t" else data.time < horizon
    case = by_then & data.happened(cause)
    control = data.time > horizon
    if controls == "not a case":
        control = control | (by_then & ~case & (data.code != CENSORED))
    return case, control


def _why_unknown(weights: CensoringWeights, horizon: float) -> str | None:
    """Say why nothing can be said at a horizon, if so: the last observed were censored, at it or before."""
    end = float(weights.data.time.max())
    if horizon >= end and not np.isfinite(weights.followed(horizon)):
        return f"nobody is followed beyond {horizon:g}; the last left on {end:g}"
    return None


def _why_no_auc(weights: CensoringWeights, horizon: float, counts: tuple[int, int, int]) -> str | None:
    """Say why there is no AUC at a horizon, if so."""
    unknown = _why_unknown(weights, horizon)
    if unknown is None and not counts[0]:
        return f"no event by {horizon:g}"
    if unknown is None and not counts[1]:
        return f"nobody without the event at {horizon:g}"
    return unknown


def _score_auc(
    weights: CensoringWeights, horizon: float, marker: Floats, case: Bools, control: Bools
) -> tuple[float, float]:
    """Return the AUC and its standard error by influence functions."""
    weight = weights.at(horizon)
    w, v = np.where(case, weight, 0.0), np.where(control, weight, 0.0)
    w, v = w / w.sum(), v / v.sum()
    below = _share_below(marker, v)
    auc = float(w @ below)
    of_case, of_control = w * (below - auc), v * (1 - _share_below(marker, w) - auc)
    later = weights.data.time > horizon
    share, followed = of_case + np.where(later, 0.0, of_control), float(of_control[later].sum())
    by_weights = weights.effect(share, followed_share=followed, time=horizon)
    return auc, _error(weights.data.n * (of_case + of_control) + by_weights)


def _timeroc_auc(
    weights: CensoringWeights, horizon: float, marker: Floats, case: Bools, control: Bools
) -> tuple[float, float]:
    """Return the AUC and its standard error as timeROC: ties one by one, all who are no case making up 1 − F."""
    weight, later, n = weights.at(horizon), weights.data.time > horizon, weights.data.n
    w, v = np.where(case, weight, 0.0) / n, np.where(control, weight, 0.0) / n
    of_case, of_control = w * _share_below(marker, v), v * (w.sum() - _share_below(marker, w))
    pairs, risk, others = float(of_case.sum()), float(w.sum()), float(v.sum())
    auc = pairs / (risk * others)
    if (control & ~later).any():
        whole = risk * (1 - risk)
        of_case = of_case - pairs * (1 - 2 * risk) / whole * w
    else:
        whole = risk * others
        of_case, of_control = of_case - pairs / risk * w, of_control - pairs / others * v
    # Controls followed beyond the horizon share one weight, which cancels where there are no others.
    followed = float(of_control[later].sum()) if (control & ~later).any() else 0.0
    share = of_case + np.where(later, 0.0, of_control)
    by_weights = weights.effect(share, followed_share=followed, time=horizon, one_by_one=True)
    return auc, _error((n * (of_case + of_control) + by_weights) / whole)


def _share_below(marker: Floats, mass: Floats) -> Floats:
    """Mass of those with a lower marker, half of it where equal, for each row (n)."""
    values, place = np.unique(marker, return_inverse=True)
    each = np.bincount(place, mass, len(values))
    return np.asarray((np.cumsum(each) - each / 2)[place])


def _brier(weights: CensoringWeights, horizon: float, happened: Bools, risk: Floats) -> tuple[float, float]:
    """Return the Brier score and its standard error by influence functions, risks taken as known."""
    share = weights.at(horizon) * (happened - risk) ** 2 / weights.data.n
    brier, later = float(share.sum()), weights.data.time > horizon
    by_weights = weights.effect(np.where(later, 0.0, share), followed_share=float(share[later].sum()), time=horizon)
    return brier, _error(weights.data.n * share - brier + by_weights)


def _error(influence: Floats) -> float:
    """Standard error of an estimate from the influence of each row."""
    return float(np.std(influence, ddof=1) / np.sqrt(len(influence)))


def _interval(estimate: float, se: float, level: float) -> tuple[float, float]:
    """Symmetric interval, as Score and timeROC give it: near 0 or 1 it may leave [0, 1]."""
    z = float(norm.ppf(0.5 + level / 2))
    return estimate - z * se, estimate + z * se


def _frame(rows: list[tuple[float | int | str | None, ...]], columns: tuple[str, ...]) -> pl.DataFrame:
    """Lay rows out with fixed types."""
    whole = {"cases", "controls", "censored", "events", "at_risk"}
    types = {name: pl.Int64 if name in whole else pl.String if name == "reason" else pl.Float64 for name in columns}
    return pl.DataFrame(rows, schema=types, orient="row")
