"""Rubin's rules: one answer from the analyses of several completed data sets, with its interval.

Means, total variance and degrees of freedom as Rubin 1987 (Multiple Imputation for Nonresponse in Surveys, ch. 3) and
Barnard & Rubin 1999, Biometrika 86:948; the joint Wald test D1 of Li, Raghunathan & Rubin 1991, JASA 86:1065, with the
denominator of Reiter 2007, Biometrika 94:502, where the complete-data degrees of freedom are given; survival on the
scale log(−log S) (Marshall et al. 2009, BMC Med Res Methodol 9:57). Agrees with mice::pool and mice::D1.

Completing data (imputation) and fitting models (cox_fit) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from aclf_pipeline.science.cox_curves import Curves
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "pooling"
# mice takes a share of the missing in the variance below this as this, so that the degrees of freedom stay finite.
LEAST_SHARE = 1e-4
FEWEST_IMPUTATIONS = 20


@dataclass(frozen=True)
class Pooled:
    """Estimates pooled over m completed data sets (p each), t-distributed on df.

    within: mean variance of the analyses; between: variance of their estimates; vcov: within + (1 + 1/m)·between
    (p × p each). riv: relative increase of variance by the missing; share (mice's lambda): what of the variance they
    make; fmi: fraction of missing information. dfcom: degrees of freedom had nothing been missing.
    """

    names: tuple[str, ...]
    m: int
    coef: Floats
    se: Floats
    df: Floats
    lower: Floats
    upper: Floats
    statistic: Floats
    p: Floats
    riv: Floats
    share: Floats
    fmi: Floats
    within: Floats
    between: Floats
    vcov: Floats
    dfcom: float
    level: float

    def table(self) -> pl.DataFrame:
        """Return one row per term: term, estimate, se, lower, upper, statistic, df, p, fmi, riv, m."""
        columns = {"estimate": self.coef, "se": self.se, "lower": self.lower, "upper": self.upper}
        columns |= {"statistic": self.statistic, "df": self.df, "p": self.p, "fmi": self.fmi, "riv": self.riv}
        return pl.DataFrame({"term": list(self.names), **columns}).with_columns(m=pl.lit(self.m, pl.Int64))


@dataclass(frozen=True)
class FTest:
    """A test statistic, F-distributed on df1 and df2 if the coefficients tested are 0, and its p-value."""

    statistic: float
    df1: int
    df2: float
    riv: float
    p: float


def pool(
    estimates: ArrayLike, variances: ArrayLike, names: Sequence[str], *, dfcom: float = np.inf, level: float = 0.95
) -> Pooled:
    """Pool the estimates (m × p) and variances (m × p squared errors, or m × p × p) of m completed data sets.

    dfcom: complete-data degrees of freedom, for a Cox model events − p as mice; infinite in large samples. Raises
    StatisticalProblem for fewer than two data sets, shapes that do not agree, missing estimates, and variances not
    above 0: whoever calls counts analyses that failed, none is left out in silence.
    """
    found = np.asarray(estimates, dtype=np.float64)
    found = found[:, None] if found.ndim == 1 else found
    errors = np.asarray(variances, dtype=np.float64)
    errors = errors[:, None] if errors.ndim == 1 else errors
    if errors.ndim == 2:
        errors = errors[:, :, None] * np.eye(errors.shape[1])
    _check(found, errors, names, dfcom)
    m = len(found)
    coef, within = found.mean(axis=0), errors.mean(axis=0)
    between = np.cov(found, rowvar=False, ddof=1).reshape(within.shape)
    vcov = within + (1 + 1 / m) * between
    excess, total = (1 + 1 / m) * np.diag(between), np.diag(vcov)
    share, riv = excess / total, excess / np.diag(within)
    df = _degrees(share, m, dfcom)
    se, statistic = np.sqrt(total), coef / np.sqrt(total)
    width = t_distribution.ppf(0.5 + level / 2, df) * se
    return Pooled(
        names=tuple(names),
        m=m,
        coef=coef,
        se=se,
        df=df,
        lower=coef - width,
        upper=coef + width,
        statistic=statistic,
        p=2 * t_distribution.sf(np.abs(statistic), df),
        riv=riv,
        share=share,
        fmi=(riv + 2 / (df + 3)) / (riv + 1),
        within=within,
        between=between,
        vcov=vcov,
        dfcom=float(dfcom),
        level=level,
    )


def pool_fits(fits: Sequence[CoxFit], *, level: float = 0.95) -> Pooled:
    """Pool Cox models of the same terms, fitted to the completed data sets; dfcom is events − p, the least of them."""
    names = {fit.names for fit in fits}
    if len(names) != 1:
        raise StatisticalProblem(f"{WHAT}: the {len(fits)} models do not have the same terms")
    dfcom = min(fit.events for fit in fits) - len(fits[0].names)
    return pool([fit.coef for fit in fits], [fit.vcov for fit in fits], fits[0].names, dfcom=dfcom, level=level)


def wald_test(pooled: Pooled, names: Sequence[str] | None = None, *, dfcom: float | None = None) -> FTest:
    """Test that the coefficients of `names` (all, if None) are 0: D1, with one relative increase for all of them.

    dfcom None takes the denominator of Li et al. for large samples, as mice::D1 by default; a number Reiter's. Raises
    StatisticalProblem for unknown names and complete-data degrees of freedom too few for the test.
    """
    asked = pooled.names if names is None else tuple(names)
    if unknown := [name for name in asked if name not in pooled.names]:
        raise StatisticalProblem(f"{WHAT}: the model has no {', '.join(unknown)}; it has {', '.join(pooled.names)}")
    place = [pooled.names.index(name) for name in asked]
    k, m = len(place), pooled.m
    block = np.ix_(place, place)
    within, between = pooled.within[block], pooled.between[block]
    riv = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    coef = pooled.coef[place]
    statistic = float(coef @ np.linalg.solve(within, coef)) / (k * (1 + riv))
    df2 = _denominator(k, m, riv, dfcom)
    return FTest(statistic, k, df2, riv, float(f_distribution.sf(statistic, k, df2)))


def pool_survival(curves: Sequence[Curves], *, dfcom: float = np.inf, level: float = 0.95) -> Curves:
    """Pool predicted survival (people × times each) of m models on the scale log(−log S); intervals are of that scale.

    Survival is 1, without error, where no model has seen an event, 0 where all say so. NaN where a model says nothing
    (nobody was followed so far), or where only some of them have seen an event. se is of survival, by the delta method.
    """
    if len(curves) < 2:
        raise StatisticalProblem(f"{WHAT}: {len(curves)} curves; at least two completed data sets are needed")
    if len({curve.survival.shape for curve in curves}) != 1:
        raise StatisticalProblem(f"{WHAT}: the curves are not of the same people and times")
    chance, error = np.stack([c.survival for c in curves]), np.stack([c.se for c in curves])
    survival, se, lower, upper = (np.full(chance.shape[1:], np.nan) for _ in range(4))
    for sure in (0.0, 1.0):
        flat = (chance == sure).all(axis=0)
        survival[flat] = lower[flat] = upper[flat] = sure
        se[flat] = 0.0
    inner = ((chance > 0) & (chance < 1)).all(axis=0)
    if inner.any():
        scaled = np.log(-np.log(chance[:, inner]))
        spread = error[:, inner] / np.abs(chance[:, inner] * np.log(chance[:, inner]))
        m, within, between = len(curves), (spread**2).mean(axis=0), scaled.var(axis=0, ddof=1)
        total = within + (1 + 1 / m) * between
        width = t_distribution.ppf(0.5 + level / 2, _degrees((1 + 1 / m) * between / total, m, dfcom)) * np.sqrt(total)
        middle = scaled.mean(axis=0)
        survival[inner] = np.exp(-np.exp(middle))
        lower[inner], upper[inner] = np.exp(-np.exp(middle + width)), np.exp(-np.exp(middle - width))
        se[inner] = survival[inner] * np.exp(middle) * np.sqrt(total)
    return Curves(survival, se, lower, upper)


def imputations_needed(fmi: ArrayLike) -> int:
    """Return how many imputations keep the Monte-Carlo error small: 100 × the greatest FMI, at least 20.

    White, Royston & Wood 2011, Stat Med 30:377, section 7.
    """
    return max(FEWEST_IMPUTATIONS, int(np.ceil(100 * float(np.max(np.asarray(fmi, dtype=np.float64))) - 1e-9)))


def _check(found: Floats, errors: Floats, names: Sequence[str], dfcom: float) -> None:
    """Refuse what cannot be pooled, telling every problem at once."""
    problems = []
    if len(found) < 2:
        problems.append(f"{len(found)} analyses; at least two completed data sets are needed")
    if found.shape[1] != len(names) or errors.shape != (*found.shape, found.shape[1]):
        problems.append(f"estimates {found.shape}, variances {errors.shape} and {len(names)} names do not agree")
    elif not np.isfinite(found).all() or not np.isfinite(errors).all():
        lacking = ~(np.isfinite(found).all(axis=1) & np.isfinite(errors).all(axis=(1, 2)))
        problems.append(f"{int(lacking.sum())} of {len(found)} analyses lack an estimate or a variance")
    elif not (np.diagonal(errors, axis1=1, axis2=2) > 0).all():
        problems.append("a variance is not above 0")
    if not dfcom > 0:
        problems.append(f"{dfcom:g} complete-data degrees of freedom: more coefficients than events")
    if problems:
        raise StatisticalProblem(f"{WHAT}: " + "; ".join(problems))


def _degrees(share: Floats, m: int, dfcom: float) -> Floats:
    """Barnard and Rubin's degrees of freedom for each share of the missing in the variance."""
    share = np.maximum(share, LEAST_SHARE)
    old = (m - 1) / share**2
    if not np.isfinite(dfcom):
        return old
    observed = (dfcom + 1) / (dfcom + 3) * dfcom * (1 - share)
    return np.asarray(old * observed / (old + observed))


def _denominator(k: int, m: int, riv: float, dfcom: float | None) -> float:
    """Denominator degrees of freedom of D1, by Li et al. without and by Reiter with complete-data degrees."""
    t = k * (m - 1)
    if dfcom is None or not np.isfinite(dfcom):
        if t > 4:
            return 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2 if riv > 0 else np.inf
        return t * (1 + 1 / k) * (1 + 1 / riv) ** 2 / 2 if riv > 0 else np.inf
    a = riv * t / (t - 2) if t > 2 else np.nan
    star = (dfcom + 1) / (dfcom + 3) * dfcom
    low, high = star - 4 * (1 + a), star - 2 * (1 + a)
    if not (t > 4 and low > 0):
        raise StatisticalProblem(f"{WHAT}: {m} imputations and {dfcom:g} degrees of freedom are too few for this test")
    further = (
        a**2 * high / ((1 + a) ** 2 * low)
        + 8 * a**2 * high / ((1 + a) * low**2)
        + 4 * a**2 / ((1 + a) * low)
        + 4 * a**2 / (low * high)
        + 16 * a**2 * high / low**3
        + 8 * a**2 / low**2
    )
    return 4 + 1 / (1 / low + further / (t - 4))
