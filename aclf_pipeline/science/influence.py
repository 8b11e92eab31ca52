"""Which persons move a Cox model most: a list to look at, not a list to delete.

dfbeta approximates how far each coefficient moves when a row is left out; for the rows listed the model is fitted again
without each, so that the list says what truly happens (Therneau & Grambsch 2000, Modeling Survival Data, ch. 7).
Residuals themselves (cox_residuals) and what to do about a row do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_resampling import refit
from aclf_pipeline.science.cox_residuals import deviance, dfbeta, martingale
from aclf_pipeline.science.problems import StatisticalProblem

LARGE = 0.2


def influence_table(
    fit: CoxFit, ids: Sequence[object] | None = None, *, top: int = 10, threshold: float = LARGE
) -> pl.DataFrame:
    """Return the rows that move a coefficient most, in standard errors of it, furthest first.

    ids (n): who a row is, its place if None. One row per listed row of the fit: id, time, event, martingale, deviance,
    term (the coefficient moved furthest), value (the covariate there), dfbeta, dfbetas (in standard errors), exact (the
    same by leaving the row out; null where that fit has no maximum), large (beyond `threshold` standard errors).
    dfbeta is estimate with the row less estimate without. Raises StatisticalProblem for ids of another number.
    """
    if ids is not None and len(ids) != fit.n:
        raise StatisticalProblem(f"influence: {len(ids)} ids for {fit.n} rows")
    moves = dfbeta(fit)
    share = moves / fit.se
    furthest = np.argmax(np.abs(share), axis=1)
    reach = np.abs(share)[np.arange(fit.n), furthest]
    listed = np.argsort(-reach, kind="stable")[:top]
    everybody = np.arange(fit.n)
    without = refit(fit, [np.delete(everybody, row) for row in listed]).coef
    exact = (fit.coef - without)[np.arange(len(listed)), furthest[listed]] / fit.se[furthest[listed]]
    names = np.asarray(everybody if ids is None else ids, dtype=object)[listed].tolist()
    return pl.DataFrame(
        {
            "id": names,
            "time": fit.data.stop[listed],
            "event": fit.data.event[listed],
            "martingale": martingale(fit)[listed],
            "deviance": deviance(fit)[listed],
            "term": [fit.names[j] for j in furthest[listed]],
            "value": fit.data.design[listed, furthest[listed]],
            "dfbeta": moves[listed, furthest[listed]],
            "dfbetas": share[listed, furthest[listed]],
            "exact": exact,
            "large": reach[listed] > threshold,
        }
    ).with_columns(pl.col("exact").fill_nan(None))
