"""Fine–Gray regression: the subdistribution hazard of one of several competing events, and predicted incidence.

Whoever had another event stays at risk with weight G(t−)/G(T−), G the Kaplan–Meier curve of censoring; the variance
allows for G being estimated (Fine & Gray 1999, JASA 94:496). Equal to R's cmprsk::crr, its treatment of ties included:
Breslow's for events, and in G events are still at risk when the censored of the same time leave.

A subdistribution hazard ratio is prognostic, not aetiologic: cause-specific models are Cox models (cox). The fit by
weighted episodes, which takes delayed entry (fine_gray_episodes), and the reading of frames do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_kernel import GAIN_LEFT, MOST_HALVINGS, MOST_STEPS, refuse_collinear
from aclf_pipeline.science.outcomes import CENSORED, Outcomes, censoring_curve, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats

WHAT = "Fine–Gray model"
# A coefficient or standard error of 10 per standard deviation has no finite maximum behind it.
LARGEST_STANDARDISED = 10.0


@dataclass(frozen=True)
class FineGrayFit:
    """A maximised subdistribution likelihood.

    coef (p) log subdistribution hazard ratios; vcov (p × p) crr's variance; naive_vcov the inverse information, which
    takes the weights as known and is too small. times (g) of events of the cause; jumps (g) of the cumulative baseline
    subdistribution hazard at covariates 0. last: the end of follow-up. events, competing: rows with the cause, others.
    """

    names: tuple[str, ...]
    coef: Floats
    vcov: Floats
    naive_vcov: Floats
    loglik_null: float
    loglik: float
    times: Floats
    jumps: Floats
    last: float
    n: int
    events: int
    competing: int

    @property
    def se(self) -> Floats:
        """Standard errors of coef (p)."""
        return np.sqrt(np.diag(self.vcov))


def fit_fine_gray(
    time: ArrayLike, code: ArrayLike, design: Floats, names: Sequence[str], *, cause: int = 1
) -> FineGrayFit:
    """Fit the subdistribution hazard of `cause`.

    time (n) any unit; code (n): 0 censored, 1, 2, … the events; design (n × p); right-censored data. Missing values are
    refused. Raises StatisticalProblem also for no event of the cause, columns that do not vary or are collinear, and
    coefficients that run away.
    """
    x = np.asarray(design, dtype=np.float64)
    x = x.reshape(len(x), -1)
    if x.shape[1] != len(names) or not len(names):
        raise StatisticalProblem(f"{WHAT}: {x.shape[1]} columns of covariates, {len(names)} names")
    columns = {"time": time} | {name: x[:, i] for i, name in enumerate(names)}
    data = read_outcomes(WHAT, time, code, others=columns)
    happened = data.happened(cause)
    if not happened.any():
        raise StatisticalProblem(f"{WHAT}: no event {cause} among {data.n} rows")
    centre, scale = x.mean(axis=0), x.std(axis=0)
    flat = [f"'{name}'" for name, m, s in zip(names, centre, scale, strict=True) if not s > 1e-12 * max(1.0, abs(m))]
    if flat:
        raise StatisticalProblem(f"{WHAT}: {', '.join(flat)} does not vary")
    problem = _Weighted.of(data, (x - centre) / scale, happened)
    null, top = _maximise(problem, names)
    naive = np.linalg.inv(top.information)
    influence = problem.influence(top) @ naive
    vcov = influence.T @ influence
    if not (np.maximum(np.abs(top.beta), np.sqrt(np.diag(naive))) < LARGEST_STANDARDISED).all():
        raise StatisticalProblem(_runaway(top.beta, names))
    coef = top.beta / scale
    return FineGrayFit(
        names=tuple(names),
        coef=coef,
        vcov=vcov / np.outer(scale, scale),
        naive_vcov=naive / np.outer(scale, scale),
        loglik_null=null.loglik,
        loglik=top.loglik,
        times=problem.times,
        jumps=problem.deaths / top.s0 * np.exp(-top.shift - centre @ coef),
        last=float(data.time.max()),
        n=data.n,
        events=int(happened.sum()),
        competing=int((~happened & (data.code != CENSORED)).sum()),
    )


def predicted_incidence(fit: FineGrayFit, design: Floats, times: ArrayLike) -> Floats:
    """Return the cumulative incidence 1 − exp(−Λ₀(t)·exp(xβ)) of k people at h times (k × h).

    design (k × p); times (h) in the unit of the fit. An event on the time counts. NaN beyond the last follow-up.
    Raises StatisticalProblem for missing covariates.
    """
    x = np.asarray(design, dtype=np.float64).reshape(-1, len(fit.coef))
    if not np.isfinite(x).all():
        lacking = int((~np.isfinite(x)).any(axis=1).sum())
        raise StatisticalProblem(f"{WHAT}: {lacking} people lack a covariate of {', '.join(fit.names)}")
    moments = np.asarray(times, dtype=np.float64)
    cumulative = np.concatenate([[0.0], np.cumsum(fit.jumps)])[np.searchsorted(fit.times, moments, side="right")]
    hazard = np.exp(x @ fit.coef)[:, None] * cumulative[None, :]
    return np.where(moments > fit.last, np.nan, -np.expm1(-hazard))


@dataclass(frozen=True)
class _At:
    """The likelihood at beta: risks in units of exp(shift); s0 (g), mean covariates (g × p), score, information."""

    beta: Floats
    shift: float
    loglik: float
    risk: Floats
    s0: Floats
    mean: Floats
    expected: Floats
    gradient: Floats
    information: Floats


@dataclass(frozen=True)
class _Weighted:
    """Rows sorted by time (n), with their weights: before their time 1; after it, for other events, G(t−)/own.

    x (n × p) standardised; happened, other (n): event of the cause, another; own (n): G just before the row's time;
    times, deaths, free (g): event times, events, and G just before them. data: the rows in this order.
    """

    data: Outcomes
    x: Floats
    happened: Bools
    other: Bools
    own: Floats
    times: Floats
    deaths: Floats
    free: Floats

    @classmethod
    def of(cls, data: Outcomes, x: Floats, happened: Bools) -> _Weighted:
        """Sort and weigh."""
        turn = np.argsort(data.time, kind="stable")
        data = Outcomes(data.time[turn], data.code[turn], data.entry[turn])
        censoring = censoring_curve(data, events_leave_first=False)
        times, deaths = np.unique(data.time[happened[turn]], return_counts=True)
        other = ~happened[turn] & (data.code != CENSORED)
        own = np.where(other, censoring.before(data.time), 1.0)
        return cls(data, x[turn], happened[turn], other, own, times, deaths.astype(float), censoring.before(times))

    @cached_property
    def _after(self) -> np.ndarray:
        """For each event time the number of rows that left before it (g)."""
        return np.searchsorted(self.data.time, self.times, side="left")

    def _sums(self, values: Floats) -> Floats:
        """Weighted sums over the risk sets (g × q) of a quantity of the rows (n × q)."""
        zero = np.zeros((1, values.shape[1]))
        ahead = np.vstack([np.cumsum(values[::-1], axis=0)[::-1], zero])
        gone = np.vstack([zero, np.cumsum(np.where(self.other, 1 / self.own, 0.0)[:, None] * values, axis=0)])
        return np.asarray(ahead[self._after] + self.free[:, None] * gone[self._after])

    def _over(self, values: Floats) -> Floats:
        """Weighted sums over the event times at which each row is at risk (n × q) of a quantity of them (g × q)."""
        zero = np.zeros((1, values.shape[1]))
        until = np.vstack([zero, np.cumsum(values, axis=0)])
        later = np.vstack([np.cumsum((self.free[:, None] * values)[::-1], axis=0)[::-1], zero])
        place = np.searchsorted(self.times, self.data.time, side="right")
        return np.asarray(until[place] + np.where(self.other, 1 / self.own, 0.0)[:, None] * later[place])

    def at(self, beta: Floats) -> _At:
        """Evaluate the log likelihood, its gradient and the information."""
        linear = self.x @ beta
        shift = float(linear.max())
        risk = np.exp(linear - shift)
        s0 = self._sums(risk[:, None])[:, 0]
        mean = self._sums(risk[:, None] * self.x) / s0[:, None]
        expected = risk * self._over((self.deaths / s0)[:, None])[:, 0]
        loglik = float((linear[self.happened] - shift).sum() - self.deaths @ np.log(s0))
        gradient = self.x.T @ (self.happened - expected)
        information = (self.x.T * expected) @ self.x - (mean.T * self.deaths) @ mean
        return _At(beta, shift, loglik, risk, s0, mean, expected, gradient, (information + information.T) / 2)

    def influence(self, at: _At) -> Floats:
        """Each row's share η + ψ of the score, ψ by way of G (n × p): Fine & Gray 1999."""
        steps = self.deaths / at.s0
        eta = self.x * (self.happened - at.expected)[:, None] + at.risk[:, None] * self._over(at.mean * steps[:, None])
        eta[self.happened] -= at.mean[np.searchsorted(self.times, self.data.time[self.happened])]
        moments, counts = np.unique(self.data.time[self.data.code == CENSORED], return_counts=True)
        # What a change of the hazard of censoring at u does: to weights, after u, of those with other events before u.
        lifted = np.where(self.other, at.risk / self.own, 0.0)[:, None] * np.hstack(
            [np.ones((len(at.risk), 1)), self.x]
        )
        gone = np.vstack([np.zeros(lifted.shape[1]), np.cumsum(lifted, axis=0)])
        before = gone[np.searchsorted(self.data.time, moments, side="left")]
        hazard = (self.free * steps)[:, None] * np.hstack([np.ones((len(steps), 1)), at.mean])
        later = np.vstack([np.cumsum(hazard[::-1], axis=0)[::-1], np.zeros(hazard.shape[1])])
        later = later[np.searchsorted(self.times, moments, side="left")]
        risk = len(self.data.time) - np.searchsorted(self.data.time, moments, side="left")
        effect = (before[:, 1:] * later[:, :1] - before[:, :1] * later[:, 1:]) / risk[:, None]
        compensator = np.vstack([np.zeros(effect.shape[1]), np.cumsum(effect * (counts / risk)[:, None], axis=0)])
        psi = -compensator[np.searchsorted(moments, self.data.time, side="right")]
        censored = self.data.code == CENSORED
        psi[censored] += effect[np.searchsorted(moments, self.data.time[censored])]
        return np.asarray(eta + psi)


def _maximise(problem: _Weighted, names: Sequence[str]) -> tuple[_At, _At]:
    """Climb from zero by Newton's method with step halving; return where it began and ended."""
    state = null = problem.at(np.zeros(len(names)))
    try:
        refuse_collinear(null.information, names)
    except StatisticalProblem as error:
        raise StatisticalProblem(str(error).replace("Cox model", WHAT)) from error
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(MOST_STEPS):
            if np.linalg.cond(state.information) > 1e13:
                break
            step = np.linalg.solve(state.information, state.gradient)
            floor = state.loglik - 1e-11 * max(1.0, abs(state.loglik))
            tries = (problem.at(state.beta + step / 2**halving) for halving in range(MOST_HALVINGS))
            ahead = next((at for at in tries if np.isfinite(at.loglik) and at.loglik >= floor), None)
            if ahead is None:
                break
            left, state = float(state.gradient @ step) / 2, ahead
            if left < GAIN_LEFT * max(1.0, abs(state.loglik)):
                return null, state
    raise StatisticalProblem(_runaway(state.beta, names))


def _runaway(beta: Floats, names: Sequence[str]) -> str:
    """Say that the likelihood has no maximum, and which columns ran away."""
    size = np.abs(beta)
    listed = ", ".join(f"'{name}'" for name, far in zip(names, size > size.max() / 10, strict=True) if far)
    return f"{WHAT} did not converge: the covariates separate the events or nearly so, {listed} most of all"
