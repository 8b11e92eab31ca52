"""Kaplan–Meier from arrays: case weights, delayed entry, three kinds of interval, quantiles, robust variance.

Equal to R's survfit (Kaplan & Meier 1958, JASA 53:457; Greenwood 1926; intervals as Kalbfleisch & Prentice 2002,
section 1.4). Tables by group from frames (survival) and tests (logrank) do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science.outcomes import read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints

WHAT = "product limit"
COLUMNS = ("time", "at_risk", "events", "censored", "survival", "se", "lower", "upper")
INTERVALS = ("log-log", "log", "plain")


@dataclass(frozen=True)
class ProductLimit:
    """The estimate after each observed time (k): times rising; at_risk, events, censored are sums of case weights.

    se is of survival, Greenwood's or robust; lower and upper are NaN where survival is 0, or, for 'log-log', 1 with an
    error of 0, where both are 1. influence is the slope of survival by the weight of each row (n × k with `robust`,
    else 0 × k).
    """

    time: Floats
    at_risk: Floats
    events: Floats
    censored: Floats
    survival: Floats
    se: Floats
    lower: Floats
    upper: Floats
    influence: Floats

    def table(self) -> pl.DataFrame:
        """One row per time; what is not known is null."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        return pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))

    def at(self, times: ArrayLike) -> pl.DataFrame:
        """Read time, survival, se, lower, upper at some times: 1, without error, before the first; null after the last.

        After the last observed time nothing is known unless all had the event.
        """
        asked = np.asarray(times, dtype=np.float64)
        place = np.searchsorted(self.time, asked, "right")
        unknown = (asked > self.time[-1]) & (self.survival[-1] > 0)
        columns = {"time": asked}
        for name, first in (("survival", 1.0), ("se", 0.0), ("lower", 1.0), ("upper", 1.0)):
            values = np.concatenate([[first], getattr(self, name)])[place]
            columns[name] = np.where(unknown, np.nan, values)
        return pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))

    def quantiles(self, shares: ArrayLike) -> pl.DataFrame:
        """Return share, time, lower, upper: when so large a share has had the event; null where it never is.

        Where the curve lies at the level for a while, the middle of that while; limits by the curve's own limits
        (Brookmeyer & Crowley 1982, Biometrics 38:29).
        """
        wanted = np.asarray(shares, dtype=np.float64)
        found = {
            name: [_crossing(self.time, curve, 1 - share) for share in wanted]
            for name, curve in (("time", self.survival), ("lower", self.lower), ("upper", self.upper))
        }
        return pl.DataFrame({"share": wanted, **found}).with_columns(pl.all().fill_nan(None))


def product_limit(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    interval: str = "log-log",
    robust: bool = False,
    level: float = 0.95,
) -> ProductLimit:
    """Estimate survival of one group.

    time, event (0/1 or yes/no), entry, weight (n): at risk in (entry, time]; weights above 0 are frequencies, or with
    `robust` sampling weights, whose variance is the infinitesimal jackknife over rows. Missing values are refused.
    Raises StatisticalProblem, also for an unknown interval.
    """
    if interval not in INTERVALS:
        raise StatisticalProblem(f"{WHAT}: an interval is {', '.join(INTERVALS)}, not '{interval}'")
    case = np.ones(np.shape(np.asarray(time))[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    data = read_outcomes(WHAT, time, event, entry=entry, others={"weight": case})
    if not (case > 0).all():
        raise StatisticalProblem(f"{WHAT}: {int((case <= 0).sum())} rows have a weight that is not above 0")
    happened = data.code > 0
    times, place = np.unique(data.time, return_inverse=True)
    first = np.searchsorted(times, data.entry, "right")
    left = np.asarray(np.bincount(place, case, len(times)), dtype=np.float64)
    events = np.asarray(np.bincount(place, case * happened, len(times)), dtype=np.float64)
    entered = np.cumsum(np.bincount(first, case, len(times) + 1)[: len(times)], dtype=np.float64)
    at_risk = entered - np.concatenate([[0.0], np.cumsum(left)[:-1]])
    at_risk = np.where(at_risk < 1e-9 * case.sum(), 0.0, at_risk)
    survivors = np.where(np.isclose(at_risk, events, rtol=1e-12), 0.0, at_risk - events)
    survival = np.cumprod(np.divide(survivors, at_risk, out=np.ones_like(at_risk), where=at_risk > 0), dtype=np.float64)
    influence = np.zeros((0, len(times)))
    if robust:
        influence = _influence(survival, (at_risk, survivors), (first, place), happened)
        se = np.sqrt(((case[:, None] * influence) ** 2).sum(axis=0))
    else:
        steps = np.divide(events, at_risk * survivors, out=np.zeros_like(events), where=at_risk * survivors > 0)
        se = survival * np.sqrt(np.cumsum(steps))
    z = float(norm.ppf(0.5 + level / 2))
    lower, upper = _limits(survival, se, interval, z)
    return ProductLimit(times, at_risk, events, left - events, survival, se, lower, upper, influence)


def _limits(survival: Floats, se: Floats, interval: str, z: float) -> tuple[Floats, Floats]:
    """Limits within 0 and 1; not known where survival is 0."""
    alive = survival > 0
    relative = np.divide(se, survival, out=np.full_like(se, np.nan), where=alive)
    if interval == "plain":
        lower, upper = survival - z * se, survival + z * se
    elif interval == "log":
        lower, upper = survival * np.exp(-z * relative), survival * np.exp(z * relative)
    else:
        hazard = -np.log(np.where(alive, survival, np.nan))
        width = np.divide(z * relative, hazard, out=np.zeros_like(hazard), where=hazard != 0)
        lower, upper = np.exp(-hazard * np.exp(width)), np.exp(-hazard * np.exp(-width))
    lower, upper = np.where(alive, lower, np.nan), np.where(alive, upper, np.nan)
    return np.clip(lower, 0, 1), np.clip(upper, 0, 1)


def _influence(
    survival: Floats, counts: tuple[Floats, Floats], span: tuple[Ints, Ints], happened: np.ndarray
) -> Floats:
    """Slope of survival by the weight of each row (n × k)."""
    at_risk, survivors = counts
    first, place = span
    moments = np.arange(len(survival))
    there = (first[:, None] <= moments) & (moments <= place[:, None])
    died = (moments == place[:, None]) & happened[:, None]
    on = np.divide(1.0, survivors, out=np.zeros_like(survivors), where=survivors > 0)
    off = np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0)
    return np.asarray(survival * np.cumsum((there.astype(np.float64) - died) * on - there * off, axis=1))


def _crossing(times: Floats, curve: Floats, level: float) -> float:
    """The first time the curve is at or below a level; halfway to the next drop where it lies on it."""
    close = 1e-9
    below = np.flatnonzero(curve <= level + close)
    if not len(below):
        return float("nan")
    under = np.flatnonzero(curve < level - close)
    if abs(curve[below[0]] - level) <= close and len(under):
        return float((times[below[0]] + times[under[0]]) / 2)
    return float(times[below[0]])
