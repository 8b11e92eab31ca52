"""Gray's test: do groups differ in the cumulative incidence of one of several competing events?

The k-sample score of Gray 1988, Ann Stat 16:1141, for right-censored data, optionally stratified, with the variance for
tied times of R's cmprsk::cuminc, and the variance of a cumulative incidence that cuminc prints.

Cumulative incidence itself (competing_risks), its jackknife errors with delayed entry (incidence_jackknife) and
regression on it (fine_gray) do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from aclf_pipeline.science.outcomes import CENSORED, Outcomes, labels, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "Gray's test"


@dataclass(frozen=True)
class GrayTest:
    """Statistic (chi-square on df), p, rows, and events of the cause tested; groups in rising order of their names.

    score (df) is observed less expected of all groups but the last, variance (df × df) its covariance.
    """

    statistic: float
    df: int
    p: float
    n: int
    events: int
    groups: tuple[str, ...]
    score: Floats
    variance: Floats


def gray_test(
    time: ArrayLike,
    code: ArrayLike,
    group: ArrayLike,
    *,
    cause: int = 1,
    strata: ArrayLike | None = None,
    rho: float = 0.0,
) -> GrayTest:
    """Test equal cumulative incidence of `cause` in k ≥ 2 groups.

    time (n) ≥ 0 in any unit; code (n): 0 censored, 1, 2, … the events; group, strata (n): names. The weight is
    (1 − F̂(t−))^rho, as in cuminc. Missing values are refused. Raises StatisticalProblem also for fewer than two groups,
    no event of the cause, and a variance that is singular.
    """
    data = read_outcomes(WHAT, time, code)
    names, place = labels(WHAT, group, data.n)
    layers = np.zeros(data.n, dtype=np.int64) if strata is None else labels(WHAT, strata, data.n)[1]
    events = int(data.happened(cause).sum())
    if len(names) < 2:
        raise StatisticalProblem(f"{WHAT} needs two groups; all {data.n} rows are '{names[0]}'")
    if not events:
        raise StatisticalProblem(f"{WHAT}: no event {cause} among {data.n} rows")
    df = len(names) - 1
    score, variance = np.zeros(df), np.zeros((df, df))
    for layer in np.unique(layers):
        rows = layers == layer
        part = _Stratum.of(data, rows, place[rows], len(names), cause)
        score, variance = score + part.score(rho), variance + part.variance(rho)
    if np.linalg.matrix_rank(variance, hermitian=True) < df:
        raise StatisticalProblem(f"{WHAT}: {events} events {cause} are too few to compare {len(names)} groups")
    statistic = float(score @ np.linalg.solve(variance, score))
    return GrayTest(
        statistic, df, float(chi2.sf(statistic, df)), data.n, events, tuple(names.tolist()), score, variance
    )


@dataclass(frozen=True)
class _Stratum:
    """Counts at the g times at which any event happens, for each of the k groups (k × g).

    risk: at risk; first: events of the cause; other: other events; before, after: Kaplan–Meier of no event just before
    and at the time; incidence: cumulative incidence of the cause just before. pooled (g + 1) is the cumulative
    incidence under the null hypothesis, beginning with 0; share is risk/before, of which total (g) is the sum.
    """

    risk: Floats
    first: Floats
    other: Floats
    before: Floats
    after: Floats
    incidence: Floats
    share: Floats
    total: Floats
    pooled: Floats

    @classmethod
    def of(cls, data: Outcomes, rows: np.ndarray, place: np.ndarray, k: int, cause: int) -> _Stratum:
        """Count the rows of one stratum."""
        time, code = data.time[rows], data.code[rows]
        times = np.unique(time[code != CENSORED])
        edges = np.append(times, np.inf)
        risk, first, other = (np.zeros((k, len(times))) for _ in range(3))
        for i in range(k):
            ends = np.sort(time[place == i])
            risk[i] = len(ends) - np.searchsorted(ends, times, "left")
            first[i] = np.histogram(time[(place == i) & (code == cause)], edges)[0]
            other[i] = np.histogram(time[(place == i) & (code != cause) & (code != CENSORED)], edges)[0]
        present = risk > 0
        hazard = np.divide(first + other, risk, out=np.zeros_like(risk), where=present)
        after = np.cumprod(1 - hazard, axis=1)
        before = np.hstack([np.ones((k, 1)), after[:, :-1]])
        steps = before * np.divide(first, risk, out=np.zeros_like(risk), where=present)
        share = np.divide(risk, before, out=np.zeros_like(risk), where=present)
        total = share.sum(axis=0)
        pooled = np.concatenate([[0.0], np.cumsum(first.sum(axis=0) / np.where(total > 0, total, 1.0))])
        return cls(risk, first, other, before, after, np.cumsum(steps, axis=1) - steps, share, total, pooled)

    def score(self, rho: float) -> Floats:
        """Observed less expected events of all groups but the last (k − 1)."""
        open_risk = self.share * (1 - self.incidence)
        whole = open_risk.sum(axis=0)
        part = np.divide(open_risk, whole, out=np.zeros_like(open_risk), where=whole > 0)
        return np.asarray(
            ((self.first - self.first.sum(axis=0) * part) * (1 - self.pooled[:-1]) ** rho).sum(axis=1)[:-1]
        )

    def variance(self, rho: float) -> Floats:
        """Covariance of the score (k − 1 × k − 1): Gray 1988, with the correction for tied events.

        A martingale increment of group l, of variance v, has influence a_il − g·c_il + g·C_il on score i, where
        a is its weight in the score at its time, c the running and C the final integral of a against the pooled hazard
        of the subdistribution, and g = 1 − (1 − F)/S_l (an event of the cause) or −(1 − F)/S_l (another event).
        """
        k = len(self.risk)
        deaths = self.first.sum(axis=0)
        total = np.where(self.total > 0, self.total, 1.0)
        weight = (1 - self.pooled[:-1]) ** rho
        part = self.share / total
        a = weight * (np.eye(k)[:, :, None] * self.share[:, None, :] - self.share[:, None, :] * part[None, :, :])
        running = np.cumsum(a * deaths / (total * (1 - self.pooled[:-1])), axis=2)
        to_come = running[:, :, -1:] - running
        free = 1 - self.pooled[1:]
        ratio = np.divide(free, self.after, out=np.zeros_like(self.after), where=self.after > 0)
        own = np.where(self.after > 0, 1 - ratio, 1.0)
        present = self.risk > 0
        risk, before = np.where(present, self.risk, 1.0), np.where(present, self.before, 1.0)
        many = np.maximum(deaths - 1, 0) / np.where(deaths > 1, total * before - 1, 1.0)
        spread = np.where(present, (1 - many) * before * deaths / (total * risk), 0.0)
        seen = present & (self.after > 0) & (self.other > 0)
        tied = np.maximum(self.other - 1, 0) / np.where(self.other > 1, risk - 1, 1.0)
        spread_other = np.where(seen, (1 - tied) * before**2 * self.other / risk**2, 0.0)
        u = (a + own * to_come)[:-1]
        w = (-ratio * to_come)[:-1]
        return np.asarray(np.einsum("ilt,jlt,lt->ij", u, u, spread) + np.einsum("ilt,jlt,lt->ij", w, w, spread_other))


def cuminc_variance(time: ArrayLike, code: ArrayLike, *, cause: int = 1) -> tuple[Floats, Floats, Floats]:
    """Return event times of the cause, cumulative incidence and its variance as R's cmprsk::cuminc, of one group.

    time, code (n) as in `gray_test`. The variance is that of Aalen's delta method with hypergeometric ties, another
    than the infinitesimal jackknife of `competing_risks`; both are consistent. Source: Gray 1988; Aalen 1978,
    Ann Stat 6:534. Raises StatisticalProblem for missing values or no event of the cause.
    """
    data = read_outcomes("variance of cumulative incidence", time, code)
    if not data.happened(cause).any():
        raise StatisticalProblem(f"variance of cumulative incidence: no event {cause} among {data.n} rows")
    counts = _Stratum.of(data, np.ones(data.n, dtype=bool), np.zeros(data.n, dtype=np.int64), 1, cause)
    risk, first, other = counts.risk[0], counts.first[0], counts.other[0]
    before, after = counts.before[0], counts.after[0]
    incidence = counts.incidence[0] + before * first / risk
    inverse = np.divide(1.0, after, out=np.zeros_like(after), where=after > 0)
    sums = np.zeros((3, len(risk)))
    for number, own in ((first, 1.0), (other, 0.0)):
        ties = 1 - np.maximum(number - 1, 0) / np.where(number > 1, risk - 1, 1.0)
        spread = before**2 * ties * number / risk**2
        if not own:
            spread = np.where(after > 0, spread, 0.0)
        level = own + inverse * incidence
        sums += np.cumsum(np.stack([level**2, inverse * level, inverse**2]) * spread, axis=1)
    variance = sums[0] - 2 * incidence * sums[1] + incidence**2 * sums[2]
    times = np.unique(data.time[data.code != CENSORED])
    at = first > 0
    return times[at], incidence[at], variance[at]
