"""Restricted mean survival time: the mean time lived of the first τ, with its error, and contrasts of two groups.

The area under the Kaplan–Meier curve up to τ; difference, ratio, and ratio of the time lost with their intervals equal
R's survRM2 (Uno et al. 2014, J Clin Oncol 32:2380), the error that of survfit. Delayed entry is in the risk sets.
How far τ may go is said by `latest_tau`; whoever analyses calls `require_tau` first.

Curves (survival) and regression on pseudo-values do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science.outcomes import CENSORED, Outcomes, at_risk, labels, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "restricted mean"
ENOUGH_AT_RISK = 10


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time lived, and lost, of the first tau, in the unit of the times; its standard error and interval.

    n rows, events up to tau (on it included, though they cost nothing), at_risk the number still followed at tau.
    """

    tau: float
    mean: float
    se: float
    lower: float
    upper: float
    n: int
    events: int
    at_risk: int

    @property
    def lost(self) -> float:
        """Mean time lost of the first tau; its standard error is that of the mean."""
        return self.tau - self.mean


@dataclass(frozen=True)
class Contrast:
    """An estimate with its interval and two-sided p-value; NaN with a reason where it is undefined."""

    estimate: float
    lower: float
    upper: float
    p: float
    reason: str | None = None


@dataclass(frozen=True)
class Contrasts:
    """Difference of means, ratio of means, and ratio of times lost: the first group against the second."""

    difference: Contrast
    ratio: Contrast
    ratio_lost: Contrast


def restricted_mean(
    time: ArrayLike, event: ArrayLike, tau: float, *, entry: ArrayLike | None = None, level: float = 0.95
) -> RestrictedMean:
    """Return the restricted mean of one group.

    time, event (0/1), entry (n): at risk in (entry, time]. The variance is Σ A(t)²·d/(r·(r − d)), A(t) the area from t
    to tau (Klein & Moeschberger 2003, Survival Analysis, section 4.5); the interval is symmetric. Missing values are
    refused. Raises StatisticalProblem also for a tau that is not above 0, for one beyond the end of follow-up of a
    group with survivors, and if with delayed entry everybody at risk dies while others have yet to enter.
    """
    data = _single(time, event, entry)
    if not tau > 0:
        raise StatisticalProblem(f"{WHAT}: tau must be above 0, not {tau:g}")
    times, counts = np.unique(data.time[data.code != CENSORED], return_counts=True)
    times, counts = times[times <= tau], counts[times <= tau]
    risk = at_risk(data, times)
    emptied = times[(risk == counts)]
    if len(emptied) and data.time.max() > emptied[0]:
        raise StatisticalProblem(
            f"{WHAT}: all at risk at {emptied[0]:g} had the event then, before others entered; start later"
        )
    if not len(emptied) and tau > data.time.max():
        raise StatisticalProblem(f"{WHAT}: tau {tau:g} is beyond the end of follow-up, {data.time.max():g}")
    survival = np.cumprod(1 - counts / risk)
    areas = np.diff(np.concatenate([times, [tau]])) * survival
    to_come = np.cumsum(areas[::-1])[::-1]
    mean = float((times[0] if len(times) else tau) + areas.sum())
    steps = np.divide(counts, risk * (risk - counts), out=np.zeros(len(times)), where=risk > counts)
    se = float(np.sqrt(to_come**2 @ steps))
    z = float(norm.ppf(0.5 + level / 2))
    followed = int(at_risk(data, np.array([tau]))[0])
    return RestrictedMean(tau, mean, se, mean - z * se, mean + z * se, data.n, int(counts.sum()), followed)


def contrast_means(first: RestrictedMean, second: RestrictedMean, *, level: float = 0.95) -> Contrasts:
    """Compare two groups with one tau; ratios by the delta method on the log scale, as survRM2.

    A contrast without an error (no event in either group) has no interval or p-value, and a ratio of times lost none
    where a group lost nothing: NaN with the reason. Raises StatisticalProblem if tau differs.
    """
    if first.tau != second.tau:
        raise StatisticalProblem(f"{WHAT}: groups with tau {first.tau:g} and {second.tau:g} cannot be compared")
    z = float(norm.ppf(0.5 + level / 2))
    spread = float(np.hypot(first.se, second.se))
    difference = first.mean - second.mean
    if not spread > 0:
        reason = f"no event before {first.tau:g} in either group, or no error: nothing to compare"
        plain = Contrast(difference, np.nan, np.nan, np.nan, reason)
        ratio = Contrast(first.mean / second.mean, np.nan, np.nan, np.nan, reason)
        return Contrasts(plain, ratio, Contrast(np.nan, np.nan, np.nan, np.nan, reason))
    plain = Contrast(difference, difference - z * spread, difference + z * spread, _p(difference / spread))
    return Contrasts(
        plain,
        _log_ratio((first.mean, first.se), (second.mean, second.se), z),
        _log_ratio((first.lost, first.se), (second.lost, second.se), z),
    )


def latest_tau(
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    at_least: int = ENOUGH_AT_RISK,
) -> float:
    """Return the largest tau to be trusted: the last event at which at least `at_least` are at risk, in every group.

    time, event, group, entry (n). Source: the guard of the analysis plan; Royston & Parmar 2013, BMC Med Res Methodol
    13:152, on the choice of tau. Raises StatisticalProblem, naming groups, where a group has no such event.
    """
    data = _single(time, event, entry)
    names, place = (np.array(["all"]), np.zeros(data.n, dtype=np.int64))
    if group is not None:
        names, place = labels(WHAT, group, data.n)
    latest: list[float] = []
    without = []
    for k, name in enumerate(names):
        part = Outcomes(data.time[place == k], data.code[place == k], data.entry[place == k])
        times = np.unique(part.time[part.code != CENSORED])
        trusted = times[at_risk(part, times) >= at_least]
        latest += trusted[-1:].tolist()
        without += [] if len(trusted) else [f"'{name}'"]
    if without:
        raise StatisticalProblem(f"{WHAT}: no event with at least {at_least} at risk in {', '.join(without)}")
    return min(latest)


def require_tau(
    tau: float,
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    at_least: int = ENOUGH_AT_RISK,
) -> None:
    """Raise StatisticalProblem if tau is later than `latest_tau`."""
    latest = latest_tau(time, event, group=group, entry=entry, at_least=at_least)
    if tau > latest:
        raise StatisticalProblem(
            f"{WHAT}: tau {tau:g} is after the last event with at least {at_least} at risk in every group, {latest:g}"
        )


def _single(time: ArrayLike, event: ArrayLike, entry: ArrayLike | None) -> Outcomes:
    """Read outcomes of one kind of event."""
    data = read_outcomes(WHAT, time, event, entry=entry)
    if data.code.max() > 1:
        raise StatisticalProblem(f"{WHAT}: events must be 0/1; competing events have no survival curve of their own")
    return data


def _log_ratio(first: tuple[float, float], second: tuple[float, float], z: float) -> Contrast:
    """Ratio of two (estimate, error) pairs."""
    if not (first[0] > 0 and second[0] > 0):
        return Contrast(np.nan, np.nan, np.nan, np.nan, "a group lost no time, or all of it")
    log, spread = float(np.log(first[0] / second[0])), float(np.hypot(first[1] / first[0], second[1] / second[0]))
    limits: Floats = np.exp(log + np.array([-z, z]) * spread)
    return Contrast(float(np.exp(log)), float(limits[0]), float(limits[1]), _p(log / spread))


def _p(z: float) -> float:
    """Two-sided p-value of a standard normal."""
    return float(2 * norm.sf(abs(z)))
