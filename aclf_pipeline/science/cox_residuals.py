"""Residuals of a fitted Cox model, in the order of the rows that were fitted, as R's residuals.coxph gives them.

Source of the formulas: Therneau & Grambsch 2000, Modeling Survival Data, ch. 4 and 7; Efron's versions as in their
section 4.2: the events of a tied time share risk sets in which k/d of each of them is gone.

Tests made of residuals do not belong here (proportional_hazards).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.risk_sets import Floats, Ints


@dataclass(frozen=True)
class Schoenfeld:
    """One row per event, by stratum and time: residual x − x̄ (events × p), its row, time and stratum (code)."""

    residual: Floats
    scaled: Floats
    row: Ints
    time: Floats
    stratum: Ints


def martingale(fit: CoxFit) -> Floats:
    """Return observed less expected events of each row (n), not multiplied by the case weight."""
    sets, likelihood = fit.likelihood.sets, fit.likelihood
    residual = fit.data.event.astype(np.float64)
    residual[sets.rows] -= fit.state.expected / likelihood.weight
    return residual


def deviance(fit: CoxFit) -> Floats:
    """Return the martingale residual made symmetric (n): sign(M)·√(−2(M + δ log(δ − M)))."""
    residual, event = martingale(fit), fit.data.event
    gone = np.where(event, event - residual, 1.0)
    return np.asarray(np.sign(residual) * np.sqrt(np.clip(-2 * (residual + np.log(gone)), 0, None)))


def score(fit: CoxFit) -> Floats:
    """Return each row's part of the score at the maximum (n × p), not multiplied by the case weight.

    Σ over time of (x − x̄) dM. Columns sum (weighted) to 0. Rows at risk at no event have 0.
    """
    sets, state, x = fit.likelihood.sets, fit.state, fit.likelihood.columns
    s1, d1 = fit.likelihood.sums(state)
    dead = sets.dead
    group = sets.last[dead]
    relative = state.risk / fit.likelihood.weight
    part = -relative * (
        x * sets.over(state.a1, exact=state.exact) - sets.over(s1 * state.b11 - d1 * state.b12, exact=state.exact)
    )
    part[:, dead] += x[:, dead] - _means(fit, s1, d1)[:, group]
    part[:, dead] += relative[dead] * (x[:, dead] * state.a2[group] - (s1 * state.b12 - d1 * state.b22)[:, group])
    result = np.zeros((sets.n, len(x)))
    result[sets.rows] = part.T * fit.scale
    return result


def dfbeta(fit: CoxFit) -> Floats:
    """Return the approximate change of the coefficients when a row is left out (n × p): weight × score × V."""
    return np.asarray(fit.data.weight[:, None] * score(fit) @ fit.naive_vcov)


def dfbetas(fit: CoxFit) -> Floats:
    """Return dfbeta in standard errors of the coefficients (n × p)."""
    return dfbeta(fit) / fit.se


def schoenfeld(fit: CoxFit) -> Schoenfeld:
    """Return the covariates of each event less their mean over its risk set, and scaled: d·V·r + β̂.

    The scaled residual estimates the coefficient at its time (Grambsch & Therneau 1994, Biometrika 81:515); d is the
    number of events, V the inverse information.
    """
    sets = fit.likelihood.sets
    s1, d1 = fit.likelihood.sums(fit.state)
    group = sets.last[sets.dead]
    residual = (fit.likelihood.columns[:, sets.dead] - _means(fit, s1, d1)[:, group]).T * fit.scale
    scaled = residual @ fit.naive_vcov * len(group) + fit.coef
    return Schoenfeld(residual, scaled, sets.rows[sets.dead], sets.times[group], sets.stratum[group])


def summed_by_cluster(values: Floats, cluster: Ints | None) -> Floats:
    """Sum rows (n × q) over clusters (clusters × q); without clusters each row is its own."""
    if cluster is None:
        return values
    result = np.zeros((int(cluster.max()) + 1, values.shape[1]))
    np.add.at(result, cluster, values)
    return result


def _means(fit: CoxFit, s1: Floats, d1: Floats) -> Floats:
    """Mean covariates of the risk set of each group, averaged over its tied events (p × G)."""
    return np.asarray((s1 * fit.state.a1 - d1 * fit.state.a2) / fit.likelihood.dead_weight)
