"""Does a coefficient change with time? Scaled Schoenfeld residuals and a smooth curve through them, for a figure.

As R's plot.cox.zph: least squares of the residuals on a natural cubic spline of transformed time, with the variance of
the model (Grambsch & Therneau 1994, Biometrika 81:515; Therneau & Grambsch 2000, section 6.2). The spline's knots are
rms', not splines::ns', so that the curve is that of R but for its knots. The test is in proportional_hazards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_residuals import schoenfeld
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.splines import rms_knots, spline_basis

POINTS = 60


@dataclass(frozen=True)
class SchoenfeldCurves:
    """residuals: term, time, value (one row per event and term); smooth: term, time, value, lower, upper."""

    residuals: pl.DataFrame
    smooth: pl.DataFrame


def schoenfeld_curves(fit: CoxFit, *, knots: int = 4, level: float = 0.95) -> SchoenfeldCurves:
    """Return each term's coefficient as it seems at each event, and the smooth curve of it over time.

    The curve is smooth in the rank of the event, so that crowded days do not decide it; `value` is a log hazard ratio.
    Raises StatisticalProblem for too few distinct event times for the knots.
    """
    found = schoenfeld(fit)
    order = np.argsort(found.time, kind="stable")
    time, values = found.time[order], found.scaled[order]
    moments, place = np.unique(time, return_inverse=True)
    if len(moments) < 2 * knots:
        raise StatisticalProblem(f"Schoenfeld residuals: {len(moments)} event times are too few for {knots} knots")
    rank = place.astype(np.float64)
    at = rms_knots(rank, knots)
    asked = np.linspace(0, len(moments) - 1, min(POINTS, len(moments)))
    basis, points = (np.column_stack([np.ones(len(x)), spline_basis(x, at)]) for x in (rank, asked))
    inverse = np.linalg.inv(basis.T @ basis)
    curve = points @ inverse @ basis.T @ values
    spread = np.einsum("ij,jk,ik->i", points, inverse, points)
    error = np.sqrt(spread[:, None] * np.diag(fit.naive_vcov) * len(time))
    days, z = np.interp(asked, np.arange(len(moments)), moments), float(norm.ppf(0.5 + level / 2))
    residuals = [pl.DataFrame({"term": [n] * len(time), "time": time, "value": values[:, j]}) for j, n in _terms(fit)]
    smooth = [
        pl.DataFrame(
            {
                "term": [name] * len(days),
                "time": days,
                "value": curve[:, j],
                "lower": curve[:, j] - z * error[:, j],
                "upper": curve[:, j] + z * error[:, j],
            }
        )
        for j, name in _terms(fit)
    ]
    return SchoenfeldCurves(pl.concat(residuals), pl.concat(smooth))


def _terms(fit: CoxFit) -> list[tuple[int, str]]:
    return list(enumerate(fit.names))
