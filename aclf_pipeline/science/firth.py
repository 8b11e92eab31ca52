"""Cox regression with Firth's penalty: finite hazard ratios where covariates separate the events.

The log partial likelihood with half the log determinant of its information added (Firth 1993, Biometrika 80:27; Heinze
& Schemper 2001, Biometrics 57:114), tests by penalised likelihood ratios and intervals by its profile, as R's coxphf.
Ties are Breslow's, as there. Delayed entry, episodes and strata are in the risk sets, which coxphf does not know.

The plain model (cox_fit), and the decision that the data need a penalty (cox), do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.optimize import brentq
from scipy.stats import chi2

from aclf_pipeline.science.cox_fit import read_cox_data, standardised
from aclf_pipeline.science.cox_kernel import Likelihood, State, refuse_collinear
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints, RiskSets

WHAT = "Firth's Cox model"
MOST_STEPS = 200
MOST_HALVINGS = 40
SMALLEST_STEP = 1e-10
# Longest step of a standardised coefficient: the penalised likelihood is flat far out.
LONGEST_STEP = 2.0
# A limit is looked for up to this log hazard ratio per standard deviation.
FURTHEST = 40.0


@dataclass(frozen=True)
class FirthFit:
    """A maximised penalised partial likelihood.

    coef (p) log hazard ratios, vcov (p × p) the inverse information of the unpenalised likelihood there; lower, upper
    (p) profile limits on the log scale, infinite where the profile does not fall far enough; p (p) of penalised
    likelihood ratio tests. loglik and loglik_null are penalised, of columns of unit standard deviation; statistic
    tests all coefficients on p degrees.
    """

    names: tuple[str, ...]
    coef: Floats
    vcov: Floats
    lower: Floats
    upper: Floats
    p: Floats
    loglik_null: float
    loglik: float
    n: int
    events: int
    level: float

    @property
    def se(self) -> Floats:
        """Standard errors of coef (p)."""
        return np.sqrt(np.diag(self.vcov))

    @property
    def statistic(self) -> float:
        """Twice the penalised log likelihood gained over no covariates."""
        return 2 * (self.loglik - self.loglik_null)

    def table(self) -> pl.DataFrame:
        """One row per term: term, log_hr, se, hr, lower, upper (profile), p (penalised likelihood ratio), n, events."""
        return pl.DataFrame(
            {
                "term": self.names,
                "log_hr": self.coef,
                "se": self.se,
                "hr": np.exp(self.coef),
                "lower": np.exp(self.lower),
                "upper": np.exp(self.upper),
                "p": self.p,
                "n": [self.n] * len(self.names),
                "events": [self.events] * len(self.names),
            }
        )


def fit_firth(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    *,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
    level: float = 0.95,
) -> FirthFit:
    """Maximise the penalised partial likelihood of a Cox model, with profile limits of every coefficient.

    stop (n), event (n), design (n × p), names (p), start and strata (n) as `cox_fit.fit_cox`. Missing values are
    refused. Raises StatisticalProblem as that does for impossible input, collinear and constant columns; a covariate
    that separates the events is what this is for and is not refused.
    """
    data = read_cox_data(stop, event, design, names, start=start, strata=strata)
    sets, columns, _, scale = standardised(data, names)
    penalised = _Penalised.of(sets, columns)
    p = len(names)
    null = penalised.at(np.zeros(p))
    refuse_collinear(null.information, names)
    everything = np.arange(p)
    top = _climb(penalised, null, everything)
    drop = float(chi2.ppf(level, 1)) / 2
    limits = np.array([[_limit(penalised, top, j, side, drop) for side in (-1, 1)] for j in range(p)])
    without = [_climb(penalised, _with(penalised, top, j, 0.0), np.delete(everything, j)).loglik for j in range(p)]
    # The penalty depends on the unit of the columns; coxphf's are divided by the sample's standard deviation.
    unit = float(np.log(scale / data.design.std(axis=0, ddof=1)).sum())
    return FirthFit(
        names=tuple(names),
        coef=top.beta / scale,
        vcov=np.linalg.inv(top.information) / np.outer(scale, scale),
        lower=limits[:, 0] / scale,
        upper=limits[:, 1] / scale,
        p=chi2.sf(np.maximum(2 * (top.loglik - np.array(without)), 0), 1),
        loglik_null=null.loglik + unit,
        loglik=top.loglik + unit,
        n=len(data.stop),
        events=int(data.event.sum()),
        level=level,
    )


@dataclass(frozen=True)
class _Point:
    """The penalised likelihood at one coefficient vector: value, score (p) and the plain information (p × p)."""

    beta: Floats
    loglik: float
    gradient: Floats
    information: Floats


@dataclass(frozen=True)
class _Penalised:
    """Breslow's partial likelihood and the products of pairs of columns, of which the penalty's slope is made."""

    likelihood: Likelihood
    pairs: Floats

    @classmethod
    def of(cls, sets: RiskSets, columns: Floats) -> _Penalised:
        """Build from standardised columns (p × m)."""
        p = len(columns)
        pairs = (columns[:, None, :] * columns[None, :, :]).reshape(p * p, -1)
        return cls(Likelihood(sets, columns, np.ones(columns.shape[1]), efron=False), pairs)

    def at(self, beta: Floats) -> _Point:
        """Evaluate; a place where the information is not positive definite has the value −∞."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            state = self.likelihood.at(beta)
            information = self.likelihood.information(state)
        sign, log_determinant = np.linalg.slogdet(information) if np.isfinite(information).all() else (0.0, 0.0)
        if not sign > 0:
            return _Point(beta, -np.inf, np.zeros_like(beta), information)
        gradient = state.gradient + self._slope(state, np.asarray(np.linalg.inv(information), dtype=np.float64)) / 2
        return _Point(beta, state.loglik + float(log_determinant) / 2, gradient, information)

    def _slope(self, state: State, inverse: Floats) -> Floats:
        """Slope of the log determinant: tr(I⁻¹ ∂I/∂βₖ), a third central moment of the columns over each risk set (p).

        E[(x−x̄)ᵀV(x−x̄)(xₖ−x̄ₖ)] = E[q xₖ] − E[q] x̄ₖ − 2(E[xₖxᵀ] − x̄ₖx̄ᵀ)V x̄ with q = xᵀVx.
        """
        x, sets, p = self.likelihood.columns, self.likelihood.sets, len(inverse)
        q = np.einsum("im,ij,jm->m", x, inverse, x)
        whole = np.vstack([x, self.pairs, q, q * x]) * state.risk
        mean = sets.at_risk(whole, exact=state.exact)[0] / state.s0
        centre, second = mean[:p], mean[p : p + p * p].reshape(p, p, -1)
        of_q, of_qx = mean[p + p * p], mean[p + p * p + 1 :]
        turned = inverse @ centre
        cross = np.einsum("kjg,jg->kg", second, turned) - centre * (centre * turned).sum(axis=0)
        return np.asarray((of_qx - of_q * centre - 2 * cross) @ self.likelihood.dead_weight)


def _climb(penalised: _Penalised, point: _Point, free: Ints) -> _Point:
    """Climb along the free coefficients, the others held, by Fisher scoring with halving."""
    if not len(free):
        return point
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(point.information[np.ix_(free, free)], point.gradient[free])
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < SMALLEST_STEP:
            return point
        for halving in range(MOST_HALVINGS):
            beta = point.beta.copy()
            beta[free] += step / 2**halving
            ahead = penalised.at(beta)
            if ahead.loglik > point.loglik - 1e-12 * abs(point.loglik):
                break
        else:
            raise StatisticalProblem(f"{WHAT} did not converge: no step gains")
        point = ahead
    raise StatisticalProblem(f"{WHAT} did not converge in {MOST_STEPS} steps")


def _with(penalised: _Penalised, point: _Point, j: int, value: float) -> _Point:
    """The point with one coefficient moved."""
    beta = point.beta.copy()
    beta[j] = value
    moved = penalised.at(beta)
    return moved if np.isfinite(moved.loglik) else penalised.at(np.eye(len(beta))[j] * value)


def _limit(penalised: _Penalised, top: _Point, j: int, side: int, drop: float) -> float:
    """Where the profile of one coefficient has fallen by `drop`, below (−1) or above (1); infinite if nowhere."""
    others = np.delete(np.arange(len(top.beta)), j)
    reached = replace(top)

    def fallen(value: float) -> float:
        nonlocal reached
        reached = _climb(penalised, _with(penalised, reached, j, value), others)
        return top.loglik - reached.loglik - drop

    step = float(np.sqrt(2 * drop * np.linalg.inv(top.information)[j, j]))
    inner, outer = float(top.beta[j]), float(top.beta[j]) + side * step
    while fallen(outer) < 0:
        inner, outer = outer, outer + side * step
        if abs(outer) > FURTHEST:
            return float(side * np.inf)
    return float(brentq(fallen, inner, outer, xtol=1e-10, rtol=1e-12))
