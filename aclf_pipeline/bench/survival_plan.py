"""The costly part of an analysis, as it is run: 20 imputations, models pooled, 500 resamples of each validated.

What does not belong here: peers; none of them does this.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from aclf_pipeline.bench.survival_data import draw
from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.imputation import Recipe, Target, impute
from aclf_pipeline.science.optimism import CoxOnRows, bootstrap_draws, optimism
from aclf_pipeline.science.pooling import pool_fits, pool_survival, wald_test

PEOPLE, COVARIATES, WITH_GAPS, GAPS = 446, 10, 6, 0.15
IMPUTATIONS, RESAMPLES = 20, 500
HORIZONS = (28.0, 84.0, 168.0)


def plan(workers: int, seed: int, *, imputations: int = IMPUTATIONS, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Seconds of each step and of the whole, with the number of workers at the resamples, and what came of it."""
    rows = draw(PEOPLE, COVARIATES, 0, seed)
    names = tuple(rows.names)
    rng = np.random.default_rng([seed, 1])
    frame = pl.DataFrame(rows.design, schema=list(names)).with_columns(
        pl.when(pl.Series(rng.random(PEOPLE) >= GAPS)).then(pl.col(name)).alias(name) for name in names[:WITH_GAPS]
    )
    frame = frame.with_columns(days=pl.Series(rows.days), died=pl.Series(rows.died))
    seconds, started = {}, time.perf_counter()
    recipe = Recipe([Target(name) for name in names[:WITH_GAPS]], "days", "died", names[WITH_GAPS:])
    completed = [part.select(names).to_numpy() for part in impute(frame, recipe, m=imputations, seed=seed).frames]
    seconds["impute"] = time.perf_counter() - started
    fits = [fit_cox(rows.days, rows.died, design, names) for design in completed]
    pooled = pool_fits(fits)
    wald_test(pooled)
    pool_survival([cox_curves.survival(f, d, np.array(HORIZONS)) for f, d in zip(fits, completed, strict=True)])
    seconds["fit and pool"] = time.perf_counter() - started - seconds["impute"]
    models = [CoxOnRows(rows.days, rows.died, design, names, HORIZONS) for design in completed]
    draws = bootstrap_draws(PEOPLE, resamples, seed)
    before = time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        checked = optimism(rows.days, rows.died, models, draws, horizons=HORIZONS, run=pool.map, pieces=workers)
    seconds["validate"] = time.perf_counter() - before
    return {
        "seconds": [time.perf_counter() - started],
        "steps": seconds,
        "workers": workers,
        "imputations": imputations,
        "resamples": resamples,
        "failed": checked.failed,
        "validation": checked.table.to_dicts(),
        "fmi": pooled.fmi.tolist(),
    }
