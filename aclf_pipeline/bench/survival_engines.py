"""One Cox fit, and many on resampled rows, by each Python engine as its users call it.

Every engine gets the rows in its own container before the clock starts. R is in `survival_engines.R`.

What does not belong here: processes and clocks (`survival_child`, `survival_run`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

from aclf_pipeline.bench.survival_data import Floats, Rows
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_resampling import refit

Job = Callable[[], Floats]
"""Does the work and returns coefficients: p of one fit, draws × p of many."""


def ours(rows: Rows) -> tuple[Job, Job]:
    """Our model of record; resamples reuse its order of times."""

    def one() -> Floats:
        return fit_cox(rows.days, rows.died, rows.design, rows.names).coef

    def many() -> Floats:
        return refit(fit_cox(rows.days, rows.died, rows.design, rows.names), rows.draws).coef

    return one, many


def lifelines(rows: Rows) -> tuple[Job, Job]:
    """CoxPHFitter with its defaults."""
    frame = pd.DataFrame(rows.design, columns=rows.names).assign(days=rows.days, died=rows.died)

    def fitted(table: pd.DataFrame) -> Floats:
        return np.asarray(CoxPHFitter().fit(table, "days", "died").params_[rows.names])

    return lambda: fitted(frame), lambda: np.array([fitted(frame.iloc[draw]) for draw in rows.draws])


def scikit_survival(rows: Rows) -> tuple[Job, Job]:
    """CoxPHSurvivalAnalysis with Efron's ties."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    answer = Surv.from_arrays(rows.died, rows.days)

    def fitted(design: Floats, y: Any) -> Floats:
        return np.asarray(CoxPHSurvivalAnalysis(ties="efron").fit(design, y).coef_)

    return (
        lambda: fitted(rows.design, answer),
        lambda: np.array([fitted(rows.design[draw], answer[draw]) for draw in rows.draws]),
    )


def statsmodels(rows: Rows) -> tuple[Job, Job]:
    """PHReg with Efron's ties."""
    from statsmodels.duration.hazard_regression import PHReg

    def fitted(draw: Any) -> Floats:
        model = PHReg(rows.days[draw], rows.design[draw], status=rows.died[draw], ties="efron")
        return np.asarray(model.fit(disp=0).params)

    return lambda: fitted(slice(None)), lambda: np.array([fitted(draw) for draw in rows.draws])


PYTHON: dict[str, Callable[[Rows], tuple[Job, Job]]] = {
    "ours": ours,
    "lifelines": lifelines,
    "scikit-survival": scikit_survival,
    "statsmodels": statsmodels,
}
