"""Standard errors of cumulative incidence by the infinitesimal jackknife, delayed entry included.

R's survfit gives these for multi-state curves. Without delayed entry they equal the Greenwood-type errors of
`competing_risks`; with it they differ, for a person then counts in some risk sets only. The estimate itself, its
intervals and the reading of frames (competing_risks) do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.outcomes import CENSORED, at_risk, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints


@dataclass(frozen=True)
class Incidence:
    """State probabilities after each distinct observed time (g), and their standard errors (g × 1 + causes each).

    Column 0 is being free of events, the others the events in rising order of their codes (`causes`).
    """

    time: Floats
    risk: Ints
    causes: tuple[int, ...]
    probability: Floats
    se: Floats


def incidence_with_jackknife(time: ArrayLike, code: ArrayLike, *, entry: ArrayLike | None = None) -> Incidence:
    """Return the Aalen–Johansen estimate with jackknife errors.

    time, code, entry (n): at risk in (entry, time]; 0 censored, 1, 2, … the events; any unit of time. The influence of
    a person at risk at t on the probabilities p(t) is that on p(t−), moved on by the transition at t, plus
    S(t−)·(own transition − hazard)/at risk; the variance is the sum of squares. Source: Aalen & Johansen 1978, Scand J
    Stat 5:141; Jaeckel 1972; Therneau's vignette "Methods" of R's survival, section on multi-state influence.
    Missing values are refused. Raises StatisticalProblem, also if there is no event.
    """
    what = "jackknife of cumulative incidence"
    data = read_outcomes(what, time, code, entry=entry)
    causes = sorted(set(data.code.tolist()) - {CENSORED})
    if not causes:
        raise StatisticalProblem(f"{what}: no event among {data.n} rows")
    times = np.unique(data.time)
    own = data.code[:, None] == np.array(causes)[None, :]
    state, influence = np.concatenate([[1.0], np.zeros(len(causes))]), np.zeros((data.n, len(causes) + 1))
    probability, variance = np.empty((len(times), len(causes) + 1)), np.empty((len(times), len(causes) + 1))
    risk = at_risk(data, times)
    happening = np.isin(times, data.time[data.code != CENSORED])
    for g, moment in enumerate(times):
        if happening[g]:
            present = (data.entry < moment) & (data.time >= moment)
            moves = own[present] & (data.time[present] == moment)[:, None]
            hazard = moves.sum(axis=0) / risk[g]
            free = influence[:, 0].copy()
            influence[:, 1:] += free[:, None] * hazard
            influence[:, 0] -= free * hazard.sum()
            surplus = state[0] * (moves - hazard) / risk[g]
            influence[present, 1:] += surplus
            influence[present, 0] -= surplus.sum(axis=1)
            state[1:] += state[0] * hazard
            state[0] *= 1 - hazard.sum()
        probability[g], variance[g] = state, (influence**2).sum(axis=0)
    return Incidence(times, risk, tuple(causes), probability, np.sqrt(variance))
