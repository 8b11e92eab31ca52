"""A Cox model fitted again on many draws of its rows: the bootstrap's inner loop.

A draw reuses the order of times of the original fit and climbs from its coefficients, so that 1,000 draws cost seconds.
What is done with the coefficients (intervals, optimism) and how rows are drawn do not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aclf_pipeline.science.cox_fit import LARGEST_STANDARDISED
from aclf_pipeline.science.cox_kernel import Likelihood, State, climb, separation
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints, RiskSets


@dataclass(frozen=True)
class Refits:
    """Coefficients of each draw (draws × p), NaN where there is no maximum, and how often for which reason."""

    coef: Floats
    failures: dict[str, int]


def refit(fit: CoxFit, draws: Iterable[Ints]) -> Refits:
    """Fit the model again on each draw: places of rows (any length, with or without repetition), in any order.

    Ties, strata, entry and weights are the fit's. Draws must hold all rows of a person who has several. A draw without
    an event, or in which covariates separate the events or do not vary, is NaN and counted, never replaced.
    """
    start, found = fit.state.beta, []
    failures: Counter[str] = Counter()
    for rows in draws:
        try:
            found.append(_once(fit, rows, start)[0].beta / fit.scale)
        except StatisticalProblem as problem:
            failures[str(problem)] += 1
            found.append(np.full(len(start), np.nan))
    return Refits(np.array(found).reshape(-1, len(start)), dict(failures))


@dataclass(frozen=True)
class Refit:
    """One draw's model: coefficients (p) and, after each of its event times (G), the cumulative hazard at the centre.

    The centre is the whole fit's, so that a risk is 1 − exp(−hazard·exp((x − fit.centre)·coef)).
    """

    coef: Floats
    times: Floats
    hazard: Floats


def refit_one(fit: CoxFit, rows: Ints) -> Refit:
    """Fit the model again on one draw, its baseline hazard included; raises StatisticalProblem where `refit` has NaN.

    For models without strata.
    """
    if len(np.unique(fit.data.strata)) > 1:
        raise StatisticalProblem("Cox model: a refit with its baseline hazard is of models without strata")
    state, sets = _once(fit, rows, fit.state.beta)
    steps = state.a1 * np.exp(-state.scale[sets.leave])
    return Refit(state.beta / fit.scale, sets.times, np.cumsum(steps))


def _once(fit: CoxFit, rows: Ints, start: Floats) -> tuple[State, RiskSets]:
    """Climb on one draw, from the whole fit's coefficients."""
    sets, chosen = fit.likelihood.sets.drawn(np.asarray(rows))
    if not len(sets.deaths):
        raise StatisticalProblem("Cox model: no event in the draw")
    likelihood = Likelihood(
        sets, fit.likelihood.columns[:, chosen], fit.likelihood.weight[chosen], fit.likelihood.efron
    )
    state, _ = climb(likelihood, likelihood.at(start), fit.names)
    if not (np.abs(state.beta) < LARGEST_STANDARDISED).all():
        raise StatisticalProblem(separation(state.beta, fit.names))
    return state, sets
