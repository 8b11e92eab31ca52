"""Cox models of the plan: all covariates in one, each alone beside it, and what is done when a fit does not hold.

Where covariates separate the events the model is fitted with Firth's penalty, and says so; where a hazard ratio changes
over time the stanza's remedy is applied, and says so.

What does not belong here: estimators (cox, firth), and diagnostics of a fit (diagnostics).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from aclf_pipeline.protocol.plan import Cox, Firth, Univariable
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
    ratio_rows,
)
from aclf_pipeline.science.cox import CoxResult, cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.proportional_hazards import proportional_hazards

METHOD = "Cox, Efron ties, Wald interval"
PENALISED = "Cox with Firth's penalty, profile interval"
LEVEL = 0.05
EPISODE_START, EPISODE_STOP = "_start", "_stop"


@dataclass(frozen=True)
class Fitted:
    """A Cox stanza fitted: the rows it rests on, the fit, and terms whose hazard ratio changes over time."""

    rows: pl.DataFrame
    result: CoxResult
    changing: tuple[str, ...]


def fit_model(spec: Cox, given: Given) -> Fitted:
    """Fit a stanza as stated, without any remedy; raises StatisticalProblem as `cox`."""
    rows = complete(given.counted(spec), (*spec.covariates, *spec.strata))
    result = cox(rows, DURATION, HAPPENED, spec.covariates, strata=spec.strata or None)
    return Fitted(rows, result, changing_covariates(result))


def changing_covariates(result: CoxResult) -> tuple[str, ...]:
    """Covariates whose hazard ratio changes over time: the global test and their own are both below 0.05.

    The test is that of `proportional_hazards` on the scale 1 − Kaplan–Meier; levels of a category are tested together.
    """
    terms: dict[str, list[str]] = {}
    for variable, term in result.coefficients.select("variable", "term").iter_rows():
        terms.setdefault(variable, []).append(term)
    try:
        table = proportional_hazards(result.fit, "km", terms=terms)
    except StatisticalProblem:
        return ()  # all events at one time: nothing can change
    found = dict(table.select("term", "p").iter_rows())
    if not found.pop("GLOBAL") < LEVEL:
        return ()
    return tuple(name for name, p in found.items() if p < LEVEL)


def cox_model(spec: Cox, given: Given) -> AnalysisResult:
    """The model of a stanza, with its remedy or penalty where one is needed."""
    frame, endpoint = given.counted(spec), given.endpoint(spec)
    try:
        fitted = fit_model(spec, given)
    except StatisticalProblem as problem:
        if "separation" not in str(problem):
            raise
        return _penalised(spec, given, str(problem))
    shown, remarks = _remedied(spec, fitted)
    rows = [*ratio_rows(shown.coefficients, METHOD), *_whole(fitted.result)]
    said = (*cause_specific(endpoint), *shown.warnings, *remarks, *lacking(frame.height, fitted.rows.height))
    return AnalysisResult(shown.coefficients, keyed(given, spec, rows), {}, said)


def _whole(result: CoxResult) -> list[Row]:
    """What the whole model is worth, as keyed results."""
    counts: Row = {"n": result.n, "events": result.events}
    return [
        {"key": "concordance", "estimate": result.concordance, "method": "Harrell", **counts},
        {"key": "events_per_df", "estimate": result.events_per_df, "method": "events / terms", **counts},
        {"key": "likelihood_ratio", "estimate": result.lr_statistic, "p": result.lr_p,
         "method": f"likelihood ratio, {result.df} df", **counts},
    ]  # fmt: skip


def _remedied(spec: Cox, fitted: Fitted) -> tuple[CoxResult, tuple[str, ...]]:
    """The fit with the stanza's remedy for covariates whose ratio changes over time, and what is said of it."""
    changing = [name for name in fitted.changing if name in spec.covariates]
    if not changing:
        return fitted.result, ()
    named = ", ".join(changing)
    if spec.remedy is None:
        return fitted.result, (f"The hazard ratio of {named} changes over time.",)
    if spec.remedy == "strata":
        kept = [name for name in spec.covariates if name not in changing]
        if not kept:
            raise StatisticalProblem("Cox model: no covariate is left after those that change over time became strata")
        layers = (*spec.strata, *changing)
        again = cox(fitted.rows, DURATION, HAPPENED, kept, strata=layers)
        return again, (f"The hazard ratio of {named} changes over time: each value has a baseline hazard of its own.",)
    days = " and ".join(str(day) for day in spec.split_at)
    said = f"The hazard ratio of {named} changes over time: it is given for each period, cut at day {days}."
    return by_period(fitted.rows, spec.covariates, spec.strata, changing, spec.split_at), (said,)


def by_period(
    rows: pl.DataFrame, covariates: Sequence[str], strata: Sequence[str], changing: Sequence[str], cuts: Sequence[int]
) -> CoxResult:
    """Fit with a coefficient of its own in each period for the `changing` covariates.

    Each person is cut into episodes (start, stop] at `cuts` (days); a covariate is its value in one period and 0
    elsewhere, so that the terms of a number or yes/no are 'name, days 0–28' and so on. Equal to R's survSplit with an
    interaction by period. A category is not split and raises StatisticalProblem.
    """
    unsplit = [name for name in changing if not (rows.schema[name].is_numeric() or rows.schema[name] == pl.Boolean)]
    if unsplit:
        raise StatisticalProblem(f"Cox model: '{unsplit[0]}' is a category; the remedy for it is 'strata'")
    edges = [0, *cuts]
    labels = [f"days {a}–{b}" for a, b in zip(edges, cuts, strict=False)] + [f"days from {edges[-1]}"]
    parts = []
    for k, start in enumerate(edges):
        stop = edges[k + 1] if k + 1 < len(edges) else None
        end = pl.col(DURATION) if stop is None else pl.min_horizontal(DURATION, pl.lit(stop))
        happened = pl.col(HAPPENED) if stop is None else pl.col(HAPPENED) & (pl.col(DURATION) <= stop)
        # an event on day 0 belongs to the first period, which begins just before it
        began = pl.lit(-1.0 if k == 0 else float(start))
        parts.append(
            rows.filter((pl.col(DURATION) > start) | (k == 0)).with_columns(
                [(pl.col(name).cast(pl.Float64) * (label == labels[k])).alias(f"{name}, {label}")
                 for name in changing for label in labels],
                **{EPISODE_START: began, EPISODE_STOP: end.cast(pl.Float64), HAPPENED: happened},
            )
        )  # fmt: skip
    episodes = pl.concat(parts)
    terms = [part for name in covariates
             for part in ([f"{name}, {label}" for label in labels] if name in changing else [name])]  # fmt: skip
    found = cox(episodes, EPISODE_STOP, HAPPENED, terms, strata=strata or None, entry=EPISODE_START)
    people = found.coefficients.with_columns(n=pl.lit(rows.height, pl.Int64))
    return CoxResult(**{**found.__dict__, "coefficients": people, "n": rows.height})


def univariable(spec: Univariable, given: Given) -> AnalysisResult:
    """Each covariate alone beside all in one model, on the same rows.

    Table: term, hr, lower, upper, p (alone), hr_all, lower_all, upper_all, p_all, n, events. A covariate that cannot be
    fitted alone has nulls.
    """
    model = given.model(spec)
    fitted = fit_model(model, given)
    alone, remarks = [], []
    for name in model.covariates:
        try:
            part = cox(fitted.rows, DURATION, HAPPENED, [name], strata=model.strata or None)
        except StatisticalProblem as problem:
            remarks.append(str(problem))
            continue
        alone.append(part.coefficients)
    columns = ["hr", "lower", "upper", "p"]
    both = fitted.result.coefficients.select("term", *columns, "n", "events")
    single = pl.concat(alone) if alone else both.clear()
    table = (
        both.rename({name: f"{name}_all" for name in columns})
        .join(single.select("term", *columns), on="term", how="left", maintain_order="left")
        .select("term", *columns, *(f"{name}_all" for name in columns), "n", "events")
    )
    rows = ratio_rows(table.drop_nulls("hr"), "Cox, one covariate", "hr_alone")
    rows += ratio_rows(fitted.result.coefficients, METHOD, "hr_all")
    said = ("Same rows in both columns. The left one is for display; it chose nothing.", *remarks)
    dropped = lacking(given.counted(model).height, fitted.rows.height)
    return AnalysisResult(table, keyed(given, spec, rows), {}, (*cause_specific(given.endpoint(spec)), *said, *dropped))


def firth_model(spec: Firth, given: Given) -> AnalysisResult:
    """The model with Firth's penalty, on the rows of the model."""
    return _penalised(given.model(spec), given, None, of=spec)


def _penalised(model: Cox, given: Given, why: str | None, of: Firth | None = None) -> AnalysisResult:
    """A stanza fitted with Firth's penalty; `why` is the separation that asked for it."""
    from aclf_pipeline.science.firth import fit_firth

    frame = given.counted(model)
    rows = complete(frame, (*model.covariates, *model.strata))
    names, design, variables = columns_of(rows, model.covariates)
    layers = rows.select(pl.struct(model.strata).rank("dense")).to_series().to_list() if model.strata else None
    fit = fit_firth(rows[DURATION].cast(pl.Float64).to_numpy(), rows[HAPPENED].to_numpy(), design, names, strata=layers)
    table = fit.table().with_columns(variable=pl.Series(variables))
    said = [*cause_specific(given.endpoint(model)), *lacking(frame.height, rows.height)]
    if why is not None:
        said.insert(0, f"Fitted with Firth's penalty, because the plain model has no maximum. {why}.")
    return AnalysisResult(table, keyed(given, of or model, ratio_rows(table, PENALISED)), {}, tuple(said))


def columns_of(rows: pl.DataFrame, covariates: Sequence[str]) -> tuple[list[str], np.ndarray, list[str]]:
    """Names, design (n × p) and covariates of the columns, coded as `cox` codes them, of complete rows.

    Numbers and yes/no as they are; text one column per level but the most frequent (then alphabetical).
    """
    names: list[str] = []
    variables: list[str] = []
    columns = []
    for name in covariates:
        column = rows[name]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            names.append(name)
            variables.append(name)
            columns.append(column.cast(pl.Float64).to_numpy())
            continue
        text = column.cast(pl.String)
        for level in sorted(text.unique(), key=lambda one, t=text: (-int((t == one).sum()), one))[1:]:  # type: ignore[misc]
            names.append(f"{name}[{level}]")
            variables.append(name)
            columns.append((text == level).cast(pl.Float64).to_numpy())
    return names, np.column_stack(columns), variables
