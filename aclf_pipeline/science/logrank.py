"""The log-rank test from arrays: k groups, strata, delayed entry, and the weights of Harrington and Fleming.

Equal to R's survdiff (Mantel 1966, Cancer Chemother Rep 50:163; Harrington & Fleming 1982, Biometrika 69:553), whose
rho = 1 is the Peto–Peto version. The two-column reading of frames (survival) does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_model import ChiSquare
from aclf_pipeline.science.outcomes import labels, read_outcomes
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "log-rank test"


@dataclass(frozen=True)
class GroupTest:
    """The test, and per group (names rising): rows, observed and expected events, weighted where rho is not 0."""

    test: ChiSquare
    groups: tuple[str, ...]
    n: tuple[int, ...]
    observed: Floats
    expected: Floats


def logrank_test(
    time: ArrayLike,
    event: ArrayLike,
    group: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    rho: float = 0.0,
) -> GroupTest:
    """Test equal hazards of k ≥ 2 groups, within strata if given.

    time, event (0/1 or yes/no), group, strata, entry (n each); events weigh S(t−)^rho, S the pooled curve of the
    stratum. Missing values are refused. Raises StatisticalProblem also for one group, no event, and a variance that is
    singular (a group in which nobody was at risk with others).
    """
    data = read_outcomes(WHAT, time, event, entry=entry)
    names, place = labels(WHAT, group, data.n)
    layers = np.zeros(data.n, dtype=np.int64) if strata is None else labels(WHAT, strata, data.n)[1]
    happened = data.code > 0
    if len(names) < 2:
        raise StatisticalProblem(f"{WHAT}: two groups are needed; all {data.n} rows are '{names[0]}'")
    if not happened.any():
        raise StatisticalProblem(f"{WHAT}: no event among {data.n} rows")
    k = len(names)
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for layer in np.unique(layers[happened]):
        of = layers == layer
        times = np.unique(data.time[of & happened])
        risk, deaths = np.zeros((k, len(times))), np.zeros((k, len(times)))
        for g in range(k):
            mine = of & (place == g)
            starts, ends = np.sort(data.entry[mine]), np.sort(data.time[mine])
            died = np.sort(data.time[mine & happened])
            risk[g] = np.searchsorted(starts, times, "left") - np.searchsorted(ends, times, "left")
            deaths[g] = np.searchsorted(died, times, "right") - np.searchsorted(died, times, "left")
        n, d = risk.sum(axis=0), deaths.sum(axis=0)
        weight = np.concatenate([[1.0], np.cumprod(1 - d / n)[:-1]]) ** rho
        share = risk / n
        observed += deaths @ weight
        expected += (share * d) @ weight
        spread = weight**2 * d * np.divide(n - d, n - 1, out=np.zeros_like(n), where=n > 1)
        variance += np.diag(share @ spread) - (share * spread) @ share.T
    away, part = (observed - expected)[:-1], variance[:-1, :-1]
    if np.linalg.matrix_rank(part, hermitian=True) < k - 1:
        raise StatisticalProblem(f"{WHAT}: {int(happened.sum())} events cannot compare {k} groups")
    test = ChiSquare.of(float(away @ np.linalg.solve(part, away)), k - 1)
    return GroupTest(test, tuple(names.tolist()), tuple(np.bincount(place, minlength=k).tolist()), observed, expected)
