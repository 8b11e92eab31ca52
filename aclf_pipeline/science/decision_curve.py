"""Decision curves: the net benefit of treating whom a model says, against treating everybody or nobody.

For a threshold p of risk at a horizon the net benefit is true positives less false positives × p/(1 − p), per person
(Vickers & Elkin 2006, Med Decis Making 26:565), the share of events among those at or above p by Kaplan–Meier or
Aalen–Johansen of just them (Vickers et al. 2008, BMC Med Inform Decis Mak 8:53). Equal to R's dcurves. Which thresholds
a clinician would act on is decided in the analysis plan; performance at one horizon (survival_performance) and figures
do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science.outcomes import CENSORED, Outcomes, incidence_curve, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem

WHAT = "decision curve"
ALL, NONE = "all", "none"
ESTIMATES = ("true_positive", "false_positive", "net_benefit", "avoided")


def decision_curve(
    time: ArrayLike,
    code: ArrayLike,
    risks: Mapping[str, ArrayLike],
    horizon: float,
    thresholds: Sequence[float],
    *,
    cause: int = 1,
) -> pl.DataFrame:
    """Return one row per strategy ('all', 'none', each model) and threshold.

    time, code (n): 0 censored, 1, 2, … the events; risks: predicted risk (n) of the event by the horizon under each
    model's name; thresholds between 0 and 1 exclusive. Columns: strategy, threshold, positive (rows at or above it),
    true_positive and false_positive (rates per person), net_benefit, avoided (people spared treatment per person
    against treating all, without missing an event: net benefit gained ÷ odds of the threshold), reason.
    Where none of the positive is followed to the horizon the estimates are null and `reason` says so. Missing values
    and risks outside [0, 1] are refused. Raises StatisticalProblem.
    """
    columns = {name: np.asarray(risk, dtype=np.float64) for name, risk in risks.items()}
    data = read_outcomes(WHAT, time, code, others=columns)
    problems = [f"a model cannot be called '{name}'" for name in columns if name in (ALL, NONE)]
    problems += [f"'{name}' is no risk of 0 to 1" for name, x in columns.items() if ((x < 0) | (x > 1)).any()]
    problems += [f"threshold {p:g} is not between 0 and 1" for p in thresholds if not 0 < p < 1]
    if problems:
        raise StatisticalProblem(f"{WHAT}: " + "; ".join(problems))
    horizon = float(data.settled(horizon))
    everybody = _rates(data, np.ones(data.n, dtype=bool), horizon, cause)
    rows = []
    for name in (ALL, NONE, *columns):
        for p in thresholds:
            chosen = np.full(data.n, name == ALL) if name in (ALL, NONE) else columns[name] >= p
            true, false = everybody if name == ALL else _rates(data, chosen, horizon, cause)
            odds = p / (1 - p)
            benefit, of_all = true - false * odds, everybody[0] - everybody[1] * odds
            reason = None if np.isfinite(benefit) else f"nobody at or above {p:g} is followed to {horizon:g}"
            counts = (name, float(p), int(chosen.sum()))
            rows.append((*counts, true, false, benefit, (benefit - of_all) / odds, reason))
    floats = dict.fromkeys(ESTIMATES, pl.Float64)
    schema = {"strategy": pl.String, "threshold": pl.Float64, "positive": pl.Int64} | floats | {"reason": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col(ESTIMATES).fill_nan(None))


def _rates(data: Outcomes, chosen: np.ndarray, horizon: float, cause: int) -> tuple[float, float]:
    """Return true and false positives per person, NaN where the chosen are not followed to the horizon."""
    share = float(chosen.mean())
    if not share:
        return 0.0, 0.0
    part = Outcomes(data.time[chosen], data.code[chosen], data.entry[chosen])
    last = part.time == part.time.max()
    if horizon > part.time[last][0] and (part.code[last] == CENSORED).any():
        return np.nan, np.nan
    risk = float(incidence_curve(part, cause).at(horizon)) if part.happened(cause).any() else 0.0
    return risk * share, (1 - risk) * share
