"""The analysis plan carried out: one stanza in, tidy tables and keyed results out.

Every number that a report prints comes from `results`, where it has a key: analysis, key, estimate, interval, n,
events, method and the digest of the stanza that asked for it.

What does not belong here: estimators (their own modules), guards (guards), figures and pages (reports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from aclf_pipeline.protocol.plan import Analysis
from aclf_pipeline.protocol.study import Study
from aclf_pipeline.science.analyses.given import AnalysisResult, Given, digest, with_covariates

__all__ = ["AnalysisResult", "Given", "digest", "run_analysis", "with_covariates"]


def run_analysis(
    spec: Analysis,
    cohort: pl.DataFrame,
    study: Study,
    *,
    plan: Sequence[Analysis] = (),
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> AnalysisResult:
    """Carry out one stanza on the cohort; raises StatisticalProblem, with the reason, when it cannot be.

    plan: the stanzas another may refer to. tables: 'time_zeros', 'intervals' and 'cohort_provenance' of the marts, for
    the kinds that ask for them. Guards are not asked here (guards).
    """
    given = Given(with_covariates(cohort, study), study, plan, tables or {})
    return _kinds()[spec.kind](spec, given)


@cache
def _kinds() -> Mapping[str, Any]:
    """What carries out each kind; imported here, so that reading the plan costs nothing."""
    from aclf_pipeline.science.analyses import (
        competing,
        curves,
        diagnostics,
        interactions,
        models,
        penalised,
        prediction,
        resampling,
        sensitivity,
        time_zero,
    )

    return {
        "kaplan_meier": curves.kaplan_meier_curves,
        "logrank": curves.logrank_test,
        "cumulative_incidence": curves.incidence_curves,
        "table_one": curves.characteristics,
        "follow_up": curves.follow_up,
        "rmst": curves.restricted_means,
        "cox": models.cox_model,
        "univariable": models.univariable,
        "firth": models.firth_model,
        "lasso": penalised.lasso,
        "ph_diagnostics": diagnostics.ph_diagnostics,
        "influence": diagnostics.influence,
        "functional_form": diagnostics.functional_form,
        "competing": competing.competing_models,
        "immortal_time": time_zero.immortal_time,
        "infusion_timevarying": time_zero.infusion_timevarying,
        "prediction": prediction.equation,
        "performance": prediction.performance,
        "imputations": resampling.imputations,
        "validation": resampling.validation,
        "subgroups": interactions.subgroups,
        "sensitivity": sensitivity.sensitivity,
    }
