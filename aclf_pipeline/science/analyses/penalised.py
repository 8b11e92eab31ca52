"""Candidates under an L1 penalty: what it keeps, and how often resamples keep it.

A sensitivity analysis of the pre-specified model: nothing here has a p-value, and nothing here chooses a covariate.

What does not belong here: the estimator (elastic_net) and Firth's penalty (models).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from aclf_pipeline.protocol.plan import Lasso
from aclf_pipeline.science.analyses.given import (
    DURATION,
    HAPPENED,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    complete,
    keyed,
    lacking,
)
from aclf_pipeline.science.analyses.models import columns_of
from aclf_pipeline.science.elastic_net import cross_validate, selection_frequency
from aclf_pipeline.science.optimism import bootstrap_draws


def lasso(spec: Lasso, given: Given) -> AnalysisResult:
    """The largest penalty within one error of the best by cross-validation, its coefficients, how often each stays.

    Table: term, coef, hr, selected (share of resamples), positive (share with a ratio above 1), planned (in the model),
    n, events.
    """
    model = given.model(spec)
    frame = given.counted(model)
    rows = complete(frame, spec.candidates)
    names, design, variables = columns_of(rows, spec.candidates)
    stop, event = rows[DURATION].cast(pl.Float64).to_numpy(), rows[HAPPENED].to_numpy()
    folds = np.empty(rows.height, dtype=np.int64)
    shuffled = np.random.default_rng(spec.seed).permutation(rows.height)
    # Events and others are dealt out in turn, so that no fold is without an event.
    folds[np.concatenate([shuffled[event[shuffled]], shuffled[~event[shuffled]]])] = np.arange(rows.height) % spec.folds
    chosen = cross_validate(stop, event, design, names, folds)
    table, failures = selection_frequency(
        stop, event, design, names, chosen.simplest, bootstrap_draws(rows.height, spec.resamples, spec.seed)
    )
    planned = dict(zip(names, (variable in model.covariates for variable in variables), strict=True))
    n, events = rows.height, int(event.sum())
    table = table.select(
        "term", "coef", pl.col("coef").exp().alias("hr"), "selected", "positive",
        pl.col("term").replace_strict(planned, return_dtype=pl.Boolean).alias("planned"),
        pl.lit(n, pl.Int64).alias("n"), pl.lit(events, pl.Int64).alias("events"),
    )  # fmt: skip
    counts: Row = {"n": n, "events": events}
    keys: list[Row] = [{"key": "penalty_1se", "estimate": chosen.simplest, "method": "cross-validation", **counts}]
    for row in table.iter_rows(named=True):
        keys.append({"key": f"hr:{row['term']}", "estimate": row["hr"], "method": "lasso", **counts})
        keys.append({"key": f"selected:{row['term']}", "estimate": row["selected"],
                     "method": f"share of {spec.resamples} resamples", **counts})  # fmt: skip
        keys.append({"key": f"positive:{row['term']}", "estimate": row["positive"],
                     "method": f"share of {spec.resamples} resamples above 1", **counts})  # fmt: skip
    said = (
        f"{spec.folds} folds, {spec.resamples} resamples, seed {spec.seed}; {sum(failures.values())} had no fit. No "
        "p-value comes of this, and the plan's model stays.",
        *lacking(frame.height, rows.height),
    )
    return AnalysisResult(table, keyed(given, spec, keys), {}, (*cause_specific(given.endpoint(spec)), *said))
