"""Weibull accelerated failure time model: log T = xβ + σW, W the smallest extreme value.

Maximum likelihood by Newton's method with the exact information, as R's survreg (Kalbfleisch & Prentice 2002, section
3.2). A parametric check beside the Cox model, whose hazard ratio is exp(−β/σ); right-censored data. Other distributions
do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats

WHAT = "Weibull model"
MOST_STEPS = 100


@dataclass(frozen=True)
class WeibullFit:
    """names (1 + p, intercept first), coef (1 + p) of log time, scale σ, vcov (2 + p square, log σ last), loglik."""

    names: tuple[str, ...]
    coef: Floats
    scale: float
    vcov: Floats
    loglik: float
    n: int
    events: int

    @property
    def log_hr(self) -> Floats:
        """Log hazard ratios −β/σ (p), without the intercept."""
        return np.asarray(-self.coef[1:] / self.scale)


def fit_weibull(stop: Floats, event: Bools, design: Floats, names: Sequence[str]) -> WeibullFit:
    """Fit by maximum likelihood. stop (n) above 0, event (n), design (n × p); missing values are refused.

    Raises StatisticalProblem for impossible input, no event, collinear columns, and where there is no maximum.
    """
    n = len(stop)
    x = np.column_stack([np.ones(n), np.asarray(design, dtype=np.float64).reshape(n, -1)])
    time, happened = np.asarray(stop, dtype=np.float64), np.asarray(event, dtype=np.float64)
    if x.shape[1] != len(names) + 1 or not (np.isfinite(time) & (time > 0)).all() or not np.isfinite(x).all():
        raise StatisticalProblem(f"{WHAT}: times above 0, and one finite column per name, are needed")
    if not happened.any() or np.linalg.matrix_rank(x) < x.shape[1]:
        raise StatisticalProblem(f"{WHAT}: no event, or columns that are a combination of others")
    logs = np.log(time)
    beta = np.linalg.lstsq(x, logs, rcond=None)[0]
    theta = np.append(beta, np.log(np.std(logs - x @ beta)))
    value, gradient, information = _at(theta, logs, happened, x)
    for _ in range(MOST_STEPS):
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        if np.abs(gradient @ step) < 1e-13 * max(1.0, abs(value)):
            break
        for halving in range(40):
            ahead = _at(theta + step / 2**halving, logs, happened, x)
            if np.isfinite(ahead[0]) and ahead[0] > value - 1e-12 * abs(value):
                theta = theta + step / 2**halving
                value, gradient, information = ahead
                break
        else:
            raise StatisticalProblem(f"{WHAT} did not converge")
    vcov = np.asarray(np.linalg.inv(information), dtype=np.float64)
    if not (np.diag(vcov) > 0).all():
        raise StatisticalProblem(f"{WHAT} has no maximum: covariates separate the events")
    return WeibullFit(
        ("(intercept)", *names),
        np.asarray(theta[:-1], dtype=np.float64),
        float(np.exp(theta[-1])),
        vcov,
        value,
        n,
        int(happened.sum()),
    )


def _at(theta: Floats, logs: Floats, happened: Floats, x: Floats) -> tuple[float, Floats, Floats]:
    """Log likelihood, score and observed information of (β, log σ)."""
    sigma = np.exp(theta[-1])
    with np.errstate(over="ignore", invalid="ignore"):
        z = (logs - x @ theta[:-1]) / sigma
        e = np.exp(z)
        value = float((happened * (z - theta[-1] - logs) - e).sum())
        gradient = np.append(-x.T @ (happened - e) / sigma, (z * e - happened * (z + 1)).sum())
        cross = x.T @ (happened - e - z * e) / sigma
        corner = (happened * z - z * e - z**2 * e).sum()
        hessian = np.block([[-(x.T * e) @ x / sigma**2, cross[:, None]], [cross[None, :], np.array([[corner]])]])
    return value, gradient, -hessian
