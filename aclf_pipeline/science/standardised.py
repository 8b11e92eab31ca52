"""Standardised survival: what the average of the cohort would be had everybody one setting of some covariates.

The g-formula on a Cox model (Robins 1986, Math Model 7:1393; Hernán & Robins 2020, Causal Inference, ch. 13): each
person's predicted survival with the setting put in place of what they had, averaged over the cohort. Equal to
riskRegression's ate for the estimate. Delayed entry and strata are the fit's. In a single-arm cohort the contrast of
two settings is a prognostic one, adjusted for the other covariates, and no effect of treatment.

Fitting (cox_fit) and curves of one person (cox_curves) do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science.cox_curves import hazard_parts
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "standardised survival"


@dataclass(frozen=True)
class Standardised:
    """Two tidy tables.

    curves: setting, time, survival, se, lower, upper (log-log), n — one row per setting and time. contrasts: setting
    less the first named ('against'), time, difference, se, lower, upper, p. Null beyond the last follow-up.
    """

    curves: pl.DataFrame
    contrasts: pl.DataFrame


def standardised_survival(
    fit: CoxFit,
    settings: Mapping[str, Mapping[str, float]],
    times: ArrayLike,
    *,
    since: float = -np.inf,
    level: float = 0.95,
) -> Standardised:
    """Average predicted survival over the people of the fit under each setting.

    settings: a name → the columns of the fit it puts a value into, in the covariates' units (a category: all its
    columns). times (h). With `since`, survival given being alive then. One row of the fit is one person: episodes of
    one person are refused by the caller, who has their ids. Standard errors are of the fit (coefficients, by its
    variance, and baseline), the covariates of the cohort taken as they are. Raises StatisticalProblem for unknown
    columns, no setting, and values that are not finite.
    """
    unknown = sorted({name for values in settings.values() for name in values if name not in fit.names})
    if unknown or not settings:
        listed = ", ".join(f"'{name}'" for name in unknown) or "nothing"
        raise StatisticalProblem(f"{WHAT}: settings name {listed}; the model has {', '.join(fit.names)}")
    if not np.isfinite([value for values in settings.values() for value in values.values()]).all():
        raise StatisticalProblem(f"{WHAT}: a setting has a value that is not finite")
    asked, z = np.asarray(times, dtype=np.float64), float(norm.ppf(0.5 + level / 2))
    parts = [hazard_parts(fit, asked, int(code), since=since) for code in np.unique(fit.data.strata)]
    averages = {name: _average(fit, parts, values) for name, values in settings.items()}
    curves = [_curve(name, asked, average, fit.n, z) for name, average in averages.items()]
    first = next(iter(averages))
    contrasts = [
        _contrast(name, first, asked, average.less(averages[first]), z)
        for name, average in averages.items()
        if name != first
    ]
    empty = pl.DataFrame(schema={"setting": pl.String, "against": pl.String, "time": pl.Float64, **_ESTIMATES})
    return Standardised(
        pl.concat(curves).with_columns(pl.col(pl.Float64).fill_nan(None)),
        pl.concat([empty, *contrasts]).with_columns(pl.col(pl.Float64).fill_nan(None)),
    )


_ESTIMATES = dict.fromkeys(("difference", "se", "lower", "upper", "p"), pl.Float64)


@dataclass(frozen=True)
class _Average:
    """Mean survival (h) and its gradient: by each stratum's baseline (s × h) and by the coefficients (p × h)."""

    survival: Floats
    by_baseline: Floats
    by_coef: Floats
    variances: Floats
    vcov: Floats

    @property
    def se(self) -> Floats:
        """Standard error (h)."""
        own = (self.by_baseline**2 * self.variances).sum(axis=0)
        return np.sqrt(own + np.einsum("ph,pq,qh->h", self.by_coef, self.vcov, self.by_coef))

    def less(self, other: _Average) -> _Average:
        """The difference; what both share of the baseline and the coefficients cancels."""
        return _Average(
            self.survival - other.survival,
            self.by_baseline - other.by_baseline,
            self.by_coef - other.by_coef,
            self.variances,
            self.vcov,
        )


def _average(fit: CoxFit, parts: Sequence[Floats], values: Mapping[str, float]) -> _Average:
    """Average over everybody with some columns set."""
    design = fit.data.design.copy()
    for name, value in values.items():
        design[:, fit.names.index(name)] = value
    h, n = parts[0].shape[1], len(design)
    survival, by_baseline, by_coef = np.zeros(h), np.zeros((len(parts), h)), np.zeros((len(fit.names), h))
    for code, part in enumerate(parts):
        people = design[fit.data.strata == code]
        x, relative = (people - fit.centre) / fit.scale, np.exp((people - fit.centre) @ fit.coef)
        alive = np.exp(-relative[:, None] * part[0])
        pull = relative[:, None] * alive / n
        survival += alive.sum(axis=0) / n
        by_baseline[code] = -pull.sum(axis=0)
        by_coef -= x.T @ pull * part[0] - part[2:] * pull.sum(axis=0)
    vcov = fit.vcov * np.outer(fit.scale, fit.scale)
    return _Average(survival, by_baseline, by_coef, np.array([part[1] for part in parts]), vcov)


def _curve(name: str, times: Floats, average: _Average, n: int, z: float) -> pl.DataFrame:
    """One setting's rows; where nothing has happened yet survival is 1 and so are its limits."""
    chance, se = average.survival, average.se
    hazard = -np.log(chance)
    width = np.divide(z * se, chance * hazard, out=np.zeros_like(se), where=hazard > 0)
    return pl.DataFrame(
        {
            "setting": [name] * len(times),
            "time": times,
            "survival": chance,
            "se": se,
            "lower": np.exp(-hazard * np.exp(width)),
            "upper": np.exp(-hazard * np.exp(-width)),
            "n": [n] * len(times),
        }
    )


def _contrast(name: str, against: str, times: Floats, average: _Average, z: float) -> pl.DataFrame:
    """The rows of one setting less another."""
    difference, se = average.survival, average.se
    ratio = np.divide(difference, se, out=np.full_like(se, np.nan), where=se > 0)
    return pl.DataFrame(
        {
            "setting": [name] * len(times),
            "against": [against] * len(times),
            "time": times,
            "difference": difference,
            "se": se,
            "lower": difference - z * se,
            "upper": difference + z * se,
            "p": 2 * norm.sf(np.abs(ratio)),
        }
    )
