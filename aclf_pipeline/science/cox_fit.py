"""A fitted Cox model of record: coefficients, their variances and the three tests, from arrays.

Coefficients and standard errors agree with R's coxph (survival 3.5-3 and 3.8-6). Missing values are refused: whoever
calls decides what to do about them, and counts.

The partial likelihood itself (cox_kernel), residuals (cox_residuals), curves (cox_curves) and the coding of categories
(cox) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import lapack

from aclf_pipeline.science.cox_kernel import Likelihood, Maximum, maximise, separation
from aclf_pipeline.science.cox_model import ChiSquare, CoxData, CoxFit
from aclf_pipeline.science.cox_residuals import dfbeta, summed_by_cluster
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints, RiskSets, settle

# A coefficient of 10 per standard deviation is a hazard ratio of 22,000: the likelihood has no maximum.
LARGEST_STANDARDISED = 10.0
TIES = ("efron", "breslow")


def fit_cox(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    *,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
    weight: Floats | None = None,
    cluster: Sequence[object] | Ints | None = None,
    robust: bool = False,
    ties: str = "efron",
) -> CoxFit:
    """Maximise the partial likelihood of a Cox model.

    stop (n), event (n), design (n × p), names (p); at risk in (start, stop], so that a row that enters at an event time
    is not at risk at it. Several rows of one person are episodes of it (Andersen & Gill 1982, Ann Stat 10:1100). strata
    (n) have a baseline hazard each. weight (n) is positive; with `robust`, or a `cluster` (n), vcov is the sandwich
    DᵀD of the weighted dfbeta summed over clusters (Lin & Wei 1989, JASA 84:1074).
    Missing values, weights not above 0, entries not before ends, no event, collinear columns, separation and
    non-convergence raise StatisticalProblem, which names the columns concerned.
    """
    if ties not in TIES:
        raise StatisticalProblem(f"Cox model: ties are treated by {' or '.join(TIES)}, not '{ties}'")
    data = read_cox_data(stop, event, design, names, start=start, strata=strata, weight=weight, cluster=cluster)
    sets, columns, centre, scale = standardised(data, names)
    likelihood = Likelihood(sets, columns, data.weight[sets.rows], efron=ties == "efron")
    top = maximise(likelihood, names)
    naive = _inverse(top, names)
    fit = CoxFit(
        names=tuple(names),
        coef=top.state.beta / scale,
        vcov=naive / np.outer(scale, scale),
        naive_vcov=naive / np.outer(scale, scale),
        loglik_null=top.null.loglik,
        loglik=top.state.loglik,
        lr=ChiSquare.of(2 * (top.state.loglik - top.null.loglik), len(names)),
        score=ChiSquare.of(
            float(top.null.gradient @ np.linalg.solve(top.null_information, top.null.gradient)), len(names)
        ),
        wald=ChiSquare.of(float(top.state.beta @ top.information @ top.state.beta), len(names)),
        ties=ties,
        robust=robust or cluster is not None,
        steps=top.steps,
        data=data,
        centre=centre,
        scale=scale,
        likelihood=likelihood,
        state=top.state,
    )
    return _sandwiched(fit) if fit.robust else fit


def _inverse(top: Maximum, names: Sequence[str]) -> Floats:
    """Invert the information; refuse coefficients or errors no finite maximum has."""
    _, naive, failed = lapack.dposv(top.information, np.eye(len(names)))
    if failed or not np.isfinite(naive).all():
        raise StatisticalProblem(separation(top.state.beta, names))
    reach = np.maximum(np.abs(top.state.beta), np.sqrt(np.diag(naive)))
    if not (reach < LARGEST_STANDARDISED).all():
        raise StatisticalProblem(separation(reach, names))
    return np.asarray((naive + naive.T) / 2)


def _sandwiched(fit: CoxFit) -> CoxFit:
    """Replace the variance by the robust one, and the Wald test with it."""
    influence = summed_by_cluster(dfbeta(fit), fit.data.cluster)
    vcov = influence.T @ influence
    if np.linalg.matrix_rank(vcov, hermitian=True) < len(fit.names):
        raise StatisticalProblem(
            f"Cox model: {len(influence)} clusters are too few for the robust variance of {len(fit.names)} coefficients"
        )
    return replace(fit, vcov=vcov, wald=ChiSquare.of(float(fit.coef @ np.linalg.solve(vcov, fit.coef)), len(fit.names)))


def standardised(data: CoxData, names: Sequence[str]) -> tuple[RiskSets, Floats, Floats, Floats]:
    """Return the risk sets, and the columns of those in one (p × m), their centre and their spread (p each).

    Columns are centred and divided by their spread. Raises StatisticalProblem naming columns that do not vary.
    """
    sets = RiskSets.of(data.start, data.stop, data.event, data.strata)
    kept = data.design[sets.rows]
    centre, scale = kept.mean(axis=0), kept.std(axis=0)
    flat = ~(scale > 1e-12 * np.abs(centre))
    if flat.any():
        listed = ", ".join(f"'{name}'" for name, bad in zip(names, flat, strict=True) if bad)
        raise StatisticalProblem(f"Cox model: {listed} does not vary among those at risk together")
    return sets, np.ascontiguousarray(((kept - centre) / scale).T), centre, scale


def read_cox_data(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    *,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
    weight: Floats | None = None,
    cluster: Sequence[object] | Ints | None = None,
) -> CoxData:
    """Hold the input of a Cox model (shapes as `fit_cox`) to what can be; raise StatisticalProblem with every problem.

    Returned: the data with settled times, strata and clusters as codes, and absent parts filled in.
    """
    n = len(stop)
    stop, design = np.asarray(stop, dtype=np.float64), np.asarray(design, dtype=np.float64).reshape(n, -1)
    start = np.full(n, -np.inf) if start is None else np.asarray(start, dtype=np.float64)
    weight = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    happened = np.asarray(event, dtype=np.bool_)
    problems = []
    if design.shape[1] != len(names) or not len(names):
        problems.append(f"{design.shape[1]} columns of covariates, {len(names)} names")
    if any(len(part) != n for part in (happened, start, weight, *(x for x in (strata, cluster) if x is not None))):
        problems.append(f"event, entry, strata, weights and clusters must have the {n} rows of the times")
    elif n:
        problems += _impossible(start, stop, weight, design, names)
        labelled = (("event", event), ("stratum", strata), ("cluster", cluster))
        problems += [f"{count} rows have no {what}" for what, labels in labelled if (count := _missing(labels))]
        if not happened.any():
            problems.append(f"no event among {n} rows")
    else:
        problems.append("no rows")
    if problems:
        raise StatisticalProblem("Cox model: " + "; ".join(problems))
    both = settle(np.concatenate([start, stop]))
    if not (both[:n] < both[n:]).all():
        raise StatisticalProblem(f"Cox model: in {int((both[:n] >= both[n:]).sum())} rows entry is not before the end")
    return CoxData(both[:n], both[n:], happened, design, _codes(strata, n), weight, _clusters(cluster))


def _impossible(start: Floats, stop: Floats, weight: Floats, design: Floats, names: Sequence[str]) -> list[str]:
    """List missing and impossible values."""
    found = [
        f"{int(np.sum(~np.isfinite(column)))} rows have no finite '{name}'"
        for name, column in zip(names, design.T, strict=False)
        if not np.isfinite(column).all()
    ]
    if not np.isfinite(stop).all() or np.isnan(start).any():
        found.append(f"{int(np.sum(~np.isfinite(stop) | np.isnan(start)))} rows have no time")
    if not (np.isfinite(weight) & (weight > 0)).all():
        found.append(f"{int(np.sum(~(np.isfinite(weight) & (weight > 0))))} rows have a weight that is not above 0")
    return found


def _missing(labels: Sequence[object] | Bools | Ints | None) -> int:
    """Count None and NaN."""
    if labels is None or (values := np.asarray(labels)).dtype.kind in "biu":
        return 0
    return sum(value is None or value != value for value in values.tolist())


def _codes(labels: Sequence[object] | Ints | None, n: int) -> Ints:
    """Number labels 0, 1, … in rising order."""
    return np.zeros(n, dtype=np.int64) if labels is None else np.unique(np.asarray(labels), return_inverse=True)[1]


def _clusters(labels: Sequence[object] | Ints | None) -> Ints | None:
    """Number the clusters, if there are any."""
    return None if labels is None else _codes(labels, len(labels))
