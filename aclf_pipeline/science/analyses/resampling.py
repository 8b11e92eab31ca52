"""Uncertainty the plain model does not show: missing values completed several times, and optimism by the bootstrap.

Where the plan imputes a model, its validation runs on the completed data sets, so that both are counted. The model has
set terms: nothing is selected, so that nothing data-driven is left outside the resamples but the imputation itself.

What does not belong here: imputing, pooling and resampling themselves (imputation, pooling, optimism).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from aclf_pipeline.protocol.plan import Cox, Imputations, Validation
from aclf_pipeline.science.analyses.given import (
    DURATION,
    EVENT,
    HAPPENED,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    codes,
    complete,
    keyed,
    lacking,
    ratio_rows,
)
from aclf_pipeline.science.analyses.models import columns_of
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.imputation import Imputations as Completed
from aclf_pipeline.science.imputation import Recipe, Target, convergence, impute
from aclf_pipeline.science.optimism import CoxOnRows, bootstrap_draws, optimism
from aclf_pipeline.science.pooling import Pooled, imputations_needed, pool_fits
from aclf_pipeline.science.problems import StatisticalProblem

CODE = "_code"
MUCH_FMI = 0.5


def completed(spec: Imputations, given: Given) -> Completed:
    """Complete the model's covariates; a covariate that is a question put to columns is made of the completed ones.

    The outcome, with every cause, and all covariates of the model predict each other. Raises StatisticalProblem if
    nothing is missing or a covariate misses more than two values in five.
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    frame = given.counted(model).drop_nulls([DURATION, EVENT])
    frame = frame.with_columns(pl.Series(CODE, codes(frame, endpoint)[1]))
    wanted = dict.fromkeys((*model.covariates, *model.strata, *spec.auxiliary))
    asked = {name: given.study.covariates[name].holds for name in wanted}
    passive = {name: pl.sql_expr(holds) for name, holds in asked.items() if holds}
    plain = [name for name in wanted if name not in passive]
    plain += [root for expression in passive.values() for root in expression.meta.root_names()]
    columns = list(dict.fromkeys(plain))
    floats = [name for name in columns if frame.schema[name].is_float()]
    clean = frame.with_columns(pl.col(floats).fill_nan(None))
    gaps = [name for name in columns if clean[name].null_count()]
    if not gaps:
        raise StatisticalProblem("imputation: no value of the model is missing; the model itself is the answer")
    recipe = Recipe(
        targets=[Target(name) for name in gaps],
        duration=DURATION,
        event=CODE,
        predictors=[name for name in columns if name not in gaps],
        passive={name: made for name, made in passive.items() if set(made.meta.root_names()) & set(gaps)},
        cycles=spec.rounds,
    )
    return impute(clean, recipe, m=spec.sets, seed=spec.seed)


def pooled_model(spec: Imputations, given: Given) -> tuple[pl.DataFrame, Pooled, Completed]:
    """The model on each completed data set, pooled: term, hr, lower, upper, p, n, events, fmi; pool; data sets."""
    model = given.model(spec)
    sets = completed(spec, given)
    fits = [cox(frame, DURATION, HAPPENED, model.covariates, strata=model.strata or None).fit for frame in sets.frames]
    pooled = pool_fits(fits)
    table = pooled.table().select(
        "term",
        pl.col("estimate").exp().alias("hr"),
        pl.col("lower", "upper").exp(),
        "p",
        pl.lit(fits[0].n, pl.Int64).alias("n"),
        pl.lit(fits[0].events, pl.Int64).alias("events"),
        "fmi",
    )
    return table, pooled, sets


def imputations(spec: Imputations, given: Given) -> AnalysisResult:
    """The pooled model, what was missing, and whether the chains mixed.

    Table: term, hr, lower, upper, p, n, events, fmi (share of information that is missing). missing: column, n,
    n_missing, share, method. mixing: column, mean, sd (potential scale reduction; near 1 where chains mix).
    """
    table, pooled, sets = pooled_model(spec, given)
    rows = ratio_rows(table, f"Cox, {spec.sets} imputations, Rubin's rules, Barnard–Rubin df")
    counts: Row = {"n": table["n"][0], "events": table["events"][0]}
    rows += [{"key": f"fmi:{row['term']}", "estimate": row["fmi"], "method": "missing information", **counts}
             for row in table.iter_rows(named=True)]  # fmt: skip
    said = [f"{spec.sets} imputations of {spec.rounds} rounds, seed {spec.seed}; the outcome predicts, as it must."]
    needed = imputations_needed(pooled.fmi)
    if spec.sets < needed:
        said.append(f"{spec.sets} imputations are fewer than the {needed} that the missing information asks for.")
    much = [row["term"] for row in table.iter_rows(named=True) if row["fmi"] > MUCH_FMI]
    if much:
        said.append(f"More than half of the information on {', '.join(much)} is imputed.")
    more = {"missing": sets.missing.select("column", "n", "n_missing", "share", "method"),
            "mixing": convergence(sets.chains)}  # fmt: skip
    rows += [{"key": f"missing:{row['column']}", "estimate": row["share"], "n": row["n"], "method": "share missing"}
             for row in more["missing"].iter_rows(named=True)]  # fmt: skip
    rows += [{"key": f"mixing_{what}:{row['column']}", "estimate": row[what],
              "method": "potential scale reduction (Gelman & Rubin 1992)"}
             for row in more["mixing"].iter_rows(named=True) for what in ("mean", "sd")]  # fmt: skip
    return AnalysisResult(table, keyed(given, spec, rows), more, (*cause_specific(given.endpoint(spec)), *said))


def validation(spec: Validation, given: Given) -> AnalysisResult:
    """Apparent and optimism-corrected performance of the model.

    Table: measure, horizon, apparent, optimism, corrected, lower, upper, n (draws that count), failed, reason. With a
    competing event only C and slope: one less survival is no risk, and has no Brier score.
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    frames, told = _data_sets(model, given)
    time, code = codes(frames[0], endpoint)
    horizons = () if (code == 2).any() else tuple(float(day) for day in spec.horizons if day < time.max())
    fits = [_on_rows(frame, model, time, code, horizons) for frame in frames]
    draws = bootstrap_draws(len(time), spec.resamples, spec.seed)
    found = optimism(time, code, fits, draws, horizons=horizons)
    columns = ("measure", "horizon", "apparent", "optimism", "corrected", "lower", "upper", "n", "failed", "reason")
    table = found.table.select(columns)
    counts: Row = {"n": frames[0].height, "events": int((code == 1).sum())}
    method = f"bootstrap, {spec.resamples} resamples" + (f" of {len(frames)} imputations" if len(frames) > 1 else "")
    rows: list[Row] = []
    for row in table.iter_rows(named=True):
        key = row["measure"] if row["horizon"] is None else f"{row['measure']}_{row['horizon']:g}d"
        rows.append({"key": f"apparent:{key}", "estimate": row["apparent"], "method": "on its own rows", **counts})
        rows.append({"key": f"optimism:{key}", "estimate": row["optimism"], "method": method, **counts})
        rows.append({"key": f"corrected:{key}", "estimate": row["corrected"], "lower": row["lower"],
                     "upper": row["upper"], "method": method, **counts})  # fmt: skip
    rows.append({"key": "failed", "estimate": float(found.failed), "method": "resamples without a model", **counts})
    total = spec.resamples * len(frames)
    said = [
        f"{spec.resamples} resamples of each data set, seed {spec.seed}; {found.failed} of {total} had no model.",
        *told,
    ]
    said += [f"{count} resamples: {reason}." for reason, count in found.failures.items()]
    return AnalysisResult(table, keyed(given, spec, rows), {}, (*cause_specific(endpoint), *said))


def _data_sets(model: Cox, given: Given) -> tuple[Sequence[pl.DataFrame], tuple[str, ...]]:
    """The completed data sets if the plan imputes the model and there is something to impute, else complete rows."""
    for stanza in given.plan:
        if isinstance(stanza, Imputations) and stanza.of == model.id:
            try:
                return completed(stanza, given).frames, (f"On the {stanza.sets} imputations of '{stanza.id}'.",)
            except StatisticalProblem:
                break  # nothing is missing, or too much: the complete rows are what there is
    frame = given.counted(model)
    rows = complete(frame, (*model.covariates, *model.strata))
    return [rows], lacking(frame.height, rows.height)


def _on_rows(
    frame: pl.DataFrame, model: Cox, time: np.ndarray, code: np.ndarray, horizons: tuple[float, ...]
) -> CoxOnRows:
    """The model with set terms on one data set."""
    names, design, _ = columns_of(frame, model.covariates)
    return CoxOnRows(time, code == 1, design, tuple(names), horizons)
