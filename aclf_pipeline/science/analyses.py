"""The analysis plan carried out: one stanza in, tidy tables and keyed results out.

Every number that a report prints comes from `results`, where it has a key: analysis, key, estimate, interval, n,
events, method and the digest of the stanza that asked for it.

What does not belong here: estimators (their own modules), figures and pages (reports).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.protocol.study import Analysis, Endpoint, Study
from aclf_pipeline.science.competing_risks import cumulative_incidence, incidence_at
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.descriptive import table_one
from aclf_pipeline.science.endpoints import at_horizon, event_indicator
from aclf_pipeline.science.survival import kaplan_meier, logrank, median_survival, risk_table, survival_at

DURATION, EVENT, HAPPENED = "event_days", "event", "happened"
COUNTED = {"death": ("death",), "transplant": ("transplant",), "death_or_transplant": ("death", "transplant")}
RESULT_SCHEMA = {
    "analysis": pl.String,
    "key": pl.String,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p": pl.Float64,
    "n": pl.Int64,
    "events": pl.Int64,
    "method": pl.String,
    "spec": pl.String,
}


@dataclass(frozen=True)
class AnalysisResult:
    """What one stanza came to: its tidy table, further tables, keyed results, and remarks a reader must see."""

    table: pl.DataFrame
    results: pl.DataFrame
    more: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def run_analysis(spec: Analysis, cohort: pl.DataFrame, study: Study) -> AnalysisResult:
    """Carry out one stanza on the cohort; raises StatisticalProblem, with the reason, when it cannot be."""
    endpoint = study.endpoints[spec.endpoint]
    frame = with_covariates(cohort, study)
    if endpoint.horizon_days is not None:
        frame = at_horizon(frame, endpoint.horizon_days)
    return _KINDS[spec.kind](spec, frame, endpoint)


def with_covariates(cohort: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Add a boolean column for every covariate of the study that is a question put to other columns."""
    asked = {name: covariate.holds for name, covariate in study.covariates.items() if covariate.holds}
    return cohort.with_columns(pl.sql_expr(holds).alias(name) for name, holds in asked.items())


def digest(spec: Analysis) -> str:
    """Twelve characters that change when the stanza changes."""
    return hashlib.sha256(spec.model_dump_json().encode()).hexdigest()[:12]


def _counted(frame: pl.DataFrame, endpoint: Endpoint) -> pl.DataFrame:
    """Mark the rows in which the endpoint's event happened; a death in hospital is a death up to discharge."""
    if endpoint.event == "death_in_hospital":
        return frame.with_columns(pl.col("died_in_hospital").alias(HAPPENED))
    return event_indicator(frame, COUNTED[endpoint.event], name=HAPPENED)


def _cause_specific(endpoint: Endpoint) -> tuple[str, ...]:
    """What must be said where a competing event ends the observation."""
    if not endpoint.competing:
        return ()
    others = " and ".join(endpoint.competing)
    return (f"Observation ends at {others}, which competes with {endpoint.event}: this is the cause-specific hazard.",)


def _results(spec: Analysis, rows: list[dict[str, object]]) -> pl.DataFrame:
    stamped = [{"analysis": spec.id, "spec": digest(spec), **row} for row in rows]
    return pl.DataFrame([{name: row.get(name) for name in RESULT_SCHEMA} for row in stamped], schema=RESULT_SCHEMA)


def _kaplan_meier(spec: Analysis, frame: pl.DataFrame, endpoint: Endpoint) -> AnalysisResult:
    counted = _counted(frame, endpoint)
    table = kaplan_meier(counted, duration=DURATION, event=HAPPENED, group=spec.group, horizons=spec.horizons)
    at = [0, *spec.horizons]
    risk = risk_table(counted, duration=DURATION, event=HAPPENED, at=at, group=spec.group)
    rows: list[dict[str, object]] = [
        _at(row, f"survival_{day}d", "survival", "Kaplan–Meier, log-log interval")
        for day in spec.horizons
        for row in survival_at(table, day).iter_rows(named=True)
    ]
    rows += [_at(row, "median_days", "median", "Kaplan–Meier") for row in median_survival(table).iter_rows(named=True)]
    return AnalysisResult(table, _results(spec, rows), {"risk": risk}, _cause_specific(endpoint))


def _at(row: dict[str, object], key: str, estimate: str, method: str) -> dict[str, object]:
    """One row of a reading of a curve as a keyed result."""
    name = key if row["group"] == "all" else f"{key}:{row['group']}"
    limits = {"lower": row["lower"], "upper": row["upper"], "n": row["n"], "events": row["n_events"]}
    return {"key": name, "estimate": row[estimate], "method": method, **limits}


def _logrank(spec: Analysis, frame: pl.DataFrame, endpoint: Endpoint) -> AnalysisResult:
    counted = _counted(frame, endpoint)
    test = logrank(counted, DURATION, HAPPENED, str(spec.group))
    table = pl.DataFrame(
        {"group": [str(spec.group)], "statistic": [test.statistic], "df": [test.df], "p": [test.p], "n": [test.n],
         "events": [test.events], "n_missing": [test.n_missing]}
    )  # fmt: skip
    row = {"key": "chi_square", "estimate": test.statistic, "p": test.p, "n": test.n, "events": test.events}
    curves = kaplan_meier(counted, duration=DURATION, event=HAPPENED, group=spec.group)
    more = {"curves": curves}
    return AnalysisResult(table, _results(spec, [{**row, "method": "log-rank"}]), more, _cause_specific(endpoint))


def _cumulative_incidence(spec: Analysis, frame: pl.DataFrame, endpoint: Endpoint) -> AnalysisResult:  # noqa: ARG001
    table = cumulative_incidence(
        frame, duration=DURATION, event=EVENT, group=spec.group, horizons=tuple(map(float, spec.horizons))
    )
    n, events = frame.height, int((frame[EVENT] != "censored").sum())
    rows: list[dict[str, object]] = [
        {"key": f"{row['state']}_{day}d", "estimate": row["probability"], "lower": row["lower"], "upper": row["upper"],
         "n": n, "events": events, "method": "Aalen–Johansen, log-log interval"}
        for day in spec.horizons
        for row in incidence_at(table, day).iter_rows(named=True)
    ]  # fmt: skip
    return AnalysisResult(table, _results(spec, rows))


def _cox(spec: Analysis, frame: pl.DataFrame, endpoint: Endpoint) -> AnalysisResult:
    fitted = cox(_counted(frame, endpoint), DURATION, HAPPENED, spec.covariates, strata=spec.strata or None)
    rows: list[dict[str, object]] = [
        {"key": f"hr:{row['term']}", "estimate": row["hr"], "lower": row["lower"], "upper": row["upper"], "p": row["p"],
         "n": row["n"], "events": row["events"], "method": "Cox, Efron ties, Wald interval"}
        for row in fitted.coefficients.iter_rows(named=True)
    ]  # fmt: skip
    first = fitted.coefficients.row(0, named=True)
    whole = {"n": first["n"], "events": first["events"]}
    rows.append({"key": "concordance", "estimate": fitted.concordance, "method": "Harrell", **whole})
    rows.append({"key": "events_per_df", "estimate": fitted.events_per_df, "method": "events / terms", **whole})
    dropped = fitted.n_missing_dropped
    remarks = [*_cause_specific(endpoint), *fitted.warnings]
    if dropped:
        remarks.append(f"{dropped} of {frame.height} patients lack a covariate and are not in this model.")
    return AnalysisResult(fitted.coefficients, _results(spec, rows), {}, tuple(remarks))


def _table_one(spec: Analysis, frame: pl.DataFrame, endpoint: Endpoint) -> AnalysisResult:
    counted = _counted(frame, endpoint).with_columns(
        outcome=pl.when(HAPPENED).then(pl.lit(endpoint.event)).otherwise(pl.lit(f"no {endpoint.event}"))
    )
    table = table_one(counted, spec.covariates, by=spec.group or "outcome")
    return AnalysisResult(table, _results(spec, [{"key": "n", "estimate": float(frame.height), "n": frame.height,
                                                   "method": "count"}]))  # fmt: skip


_KINDS: Mapping[str, Callable[[Analysis, pl.DataFrame, Endpoint], AnalysisResult]] = {
    "kaplan_meier": _kaplan_meier,
    "logrank": _logrank,
    "cumulative_incidence": _cumulative_incidence,
    "cox": _cox,
    "table_one": _table_one,
}
