"""Pseudo-values: what each person contributes to survival, or to restricted mean time, at a horizon.

θ̂ + n·∂θ̂/∂w, w the person's weight: the infinitesimal jackknife, as R's survival::pseudo, of which n·θ̂ − (n − 1)·θ̂
without the person (Andersen, Klein & Rosthøj 2003, Biometrika 90:15) is the finite version. Their mean is θ̂. With
delayed entry they hold as well. Regression on pseudo-values does not belong here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.product_limit import ProductLimit, product_limit
from aclf_pipeline.science.risk_sets import Floats

WHAT = "pseudo-values"


def pseudo_survival(time: ArrayLike, event: ArrayLike, horizon: float, *, entry: ArrayLike | None = None) -> Floats:
    """Return pseudo-values (n) of being free of the event beyond the horizon.

    time, event (0/1 or yes/no), entry (n each) as `product_limit`; missing values are refused. Raises
    StatisticalProblem, also for a horizon beyond follow-up.
    """
    curve = _curve(time, event, horizon, entry)
    slope = curve.influence
    last = int(np.searchsorted(curve.time, horizon, "right")) - 1
    if last < 0:
        return np.ones(len(slope))
    return np.asarray(curve.survival[last] + len(slope) * slope[:, last])


def pseudo_restricted_mean(time: ArrayLike, event: ArrayLike, tau: float, *, entry: ArrayLike | None = None) -> Floats:
    """Return pseudo-values (n) of the time lived free of the event to tau; arguments as `pseudo_survival`."""
    curve = _curve(time, event, tau, entry)
    slope = curve.influence
    within = curve.time < tau
    edges = np.concatenate([[0.0], curve.time[within], [tau]])
    width = np.diff(edges)
    mean = float(width @ np.concatenate([[1.0], curve.survival[within]]))
    return np.asarray(mean + len(slope) * slope[:, within] @ width[1:])


def _curve(time: ArrayLike, event: ArrayLike, horizon: float, entry: ArrayLike | None) -> ProductLimit:
    """The curve with its slopes, known to the horizon."""
    curve = product_limit(time, event, entry=entry, robust=True)
    if horizon > curve.time[-1] and curve.survival[-1] > 0:
        raise StatisticalProblem(f"{WHAT}: nobody is followed to {horizon:g}; the last left on {curve.time[-1]:g}")
    return curve
