"""From when does time count? The time zeros of the study side by side, and infusions as a covariate that changes.

A number of infusions known only later is never a baseline covariate: it enters at the day it is reached, or at a
landmark among those still under observation. Who lives longer receives more; neither analysis undoes that.

What does not belong here: making time zeros and intervals (time_zeros, intervals), and estimators (survival, cox).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.protocol.plan import ImmortalTime, InfusionTimevarying
from aclf_pipeline.protocol.study import Endpoint
from aclf_pipeline.science.analyses.given import (
    COUNTED,
    DURATION,
    EVENT,
    HAPPENED,
    KEY,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    counted,
    keyed,
    ratio_rows,
)
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.survival import kaplan_meier, survival_at

ENTRY = "_entry"
FEWEST_AT_RISK = 10
INFUSIONS = "infusions_so_far"
REVERSE = (
    "Whoever lives longer can receive more infusions, and whoever does badly may be given fewer or more: this is an "
    "association over time, prognostic, and says nothing of what an infusion does."
)


def from_time_zero(given: Given, name: str) -> tuple[pl.DataFrame, int]:
    """Rows counted from a time zero, under the cohort's column names, and `_entry` (−1 without delayed entry).

    Also how many of its population have no time, or none after their entry.
    """
    population = given.table("time_zeros", "time zeros").filter(pl.col("time_zero") == name)
    if population.is_empty():
        raise StatisticalProblem(f"time zeros: nobody is counted from '{name}'")
    late = pl.col("entry_days") > 0
    usable = population.filter(pl.col("problem").is_null() & (~late | (pl.col("exit_days") > pl.col("entry_days"))))
    rows = usable.with_columns(
        pl.col("exit_days").alias(DURATION), pl.when(late).then("entry_days").otherwise(-1).alias(ENTRY)
    )
    return rows, population.height - usable.height


def immortal_time(spec: ImmortalTime, given: Given) -> AnalysisResult:
    """Survival at the horizons from each time zero, each of them a different question.

    Table: time_zero, says, n, late (with delayed entry), events, set_aside, horizon, survival, lower, upper, at_risk.
    A reading with fewer than ten at risk is null.
    """
    endpoint = given.endpoint(spec)
    lines: list[Row] = []
    remarks = list(cause_specific(endpoint))
    for name in spec.time_zeros:
        rows, aside = from_time_zero(given, name)
        if rows.is_empty():
            remarks.append(f"{name}: nobody has a time from it.")
            continue
        happened = rows.with_columns(pl.col(EVENT).is_in(COUNTED.get(endpoint.event, ("death",))).alias(HAPPENED))
        late = int((rows[ENTRY] >= 0).sum())
        curve = kaplan_meier(
            happened, duration=DURATION, event=HAPPENED, entry=ENTRY if late else None, horizons=spec.horizons
        )
        early = curve.filter((pl.col("events") > 0) & (pl.col("at_risk") < FEWEST_AT_RISK))
        if late and not early.is_empty() and early["time"].min() < rows[ENTRY].max():  # type: ignore[operator]
            remarks.append(f"{name}: events happened while fewer than {FEWEST_AT_RISK} had entered; early steps are"
                           " those of few.")  # fmt: skip
        zero = given.study.time_zeros.get(name)
        for day in spec.horizons:
            read = survival_at(curve, day).row(0, named=True)
            few = read["at_risk"] < FEWEST_AT_RISK
            lines.append({
                "time_zero": name, "says": zero.says if zero else name, "n": rows.height, "late": late,
                "events": read["n_events"], "set_aside": aside, "horizon": day, "at_risk": read["at_risk"],
                **{column: None if few else read[column] for column in ("survival", "lower", "upper")},
            })  # fmt: skip
    schema = {"time_zero": pl.String, "says": pl.String, "n": pl.Int64, "late": pl.Int64, "events": pl.Int64,
              "set_aside": pl.Int64, "horizon": pl.Int64, "survival": pl.Float64, "lower": pl.Float64,
              "upper": pl.Float64, "at_risk": pl.Int64}  # fmt: skip
    table = pl.DataFrame(lines, schema=schema)
    results: list[Row] = [
        {"key": f"survival_{row['horizon']}d:{row['time_zero']}", "estimate": row["survival"], "lower": row["lower"],
         "upper": row["upper"], "n": row["n"], "events": row["events"],
         "method": "Kaplan–Meier" + (", delayed entry" if row["late"] else "")}
        for row in table.iter_rows(named=True)
    ]  # fmt: skip
    remarks.append("Each row answers another question: of whom, and from when. They are not to be compared as if one "
                   "were right; the primary time zero is that of every other analysis.")  # fmt: skip
    return AnalysisResult(table, keyed(given, spec, results), {}, tuple(remarks))


def infusion_timevarying(spec: InfusionTimevarying, given: Given) -> AnalysisResult:
    """Hazard ratio of each further infusion received so far, beside the model's covariates at time zero.

    Table: term, hr, lower, upper, p, n, events, with robust errors by person. landmarks: time_zero and the same for
    infusions known by each landmark of the study.
    """
    model, endpoint = given.model(spec), given.endpoint(spec)
    intervals, beside = given.table("intervals", "infusions over time"), spec.covariates or model.covariates
    episodes = _episodes(given, intervals, endpoint, (*beside, *model.strata))
    found = cox(episodes, "stop_days", HAPPENED, [INFUSIONS, *beside], entry="start_days", cluster=KEY,
                strata=model.strata or None)  # fmt: skip
    people = episodes.drop_nulls([*beside, *model.strata])[KEY].n_unique()
    columns = ("term", "hr", "lower", "upper", "p", "n", "events")
    table = found.coefficients.with_columns(n=pl.lit(people, pl.Int64)).select(columns)
    landmarks, remarks = _landmarks(given, endpoint, beside)
    rows = ratio_rows(table, "Cox, infusions so far changing with time, robust errors")
    for name, part in landmarks.group_by("time_zero", maintain_order=True):
        rows += ratio_rows(part, "Cox from the landmark", f"hr_{name[0]}")
    said = (*cause_specific(endpoint), REVERSE, *remarks)
    return AnalysisResult(table, keyed(given, spec, rows), {"landmarks": landmarks}, said)


def _episodes(given: Given, intervals: pl.DataFrame, endpoint: Endpoint, covariates: tuple[str, ...]) -> pl.DataFrame:
    """Episodes up to the endpoint's horizon with the covariates at time zero; the first begins just before day 0."""
    horizon = endpoint.horizon_days or int(intervals["stop_days"].max() or 0)  # type: ignore[arg-type]
    baseline = given.cohort.select(KEY, *dict.fromkeys(covariates))
    kept = intervals.filter((pl.col("start_days") < horizon) | (pl.col("start_days") == 0))
    return kept.select(
        KEY,
        pl.when(pl.col("start_days") == 0).then(-1).otherwise("start_days").cast(pl.Float64).alias("start_days"),
        pl.min_horizontal("stop_days", pl.lit(horizon)).cast(pl.Float64).alias("stop_days"),
        (pl.col("event").is_in(COUNTED.get(endpoint.event, ("death",))) & (pl.col("stop_days") <= horizon)).alias(
            HAPPENED
        ),
        pl.col(INFUSIONS).cast(pl.Float64),
    ).join(baseline, on=KEY, how="inner", maintain_order="left")


def _landmarks(given: Given, endpoint: Endpoint, covariates: tuple[str, ...]) -> tuple[pl.DataFrame, list[str]]:
    """The same question among those under observation at each landmark, infusions counted up to it."""
    parts, remarks = [], list[str]()
    names = [name for name in given.study.time_zeros if name.startswith("landmark")]
    for name in names:
        try:
            rows = at_landmark(given, name, covariates)
            fit = cox(counted(rows, endpoint), DURATION, HAPPENED, ["infusions_by_entry", *covariates])
        except StatisticalProblem as problem:
            remarks.append(f"{name}: {problem}.")
            continue
        parts.append(fit.coefficients.select(
            pl.lit(name).alias("time_zero"), "term", "hr", "lower", "upper", "p", "n", "events"))  # fmt: skip
    schema = {"time_zero": pl.String, "term": pl.String, **dict.fromkeys(("hr", "lower", "upper", "p"), pl.Float64),
              "n": pl.Int64, "events": pl.Int64}  # fmt: skip
    return (pl.concat(parts) if parts else pl.DataFrame(schema=schema)), remarks


def at_landmark(given: Given, name: str, covariates: tuple[str, ...]) -> pl.DataFrame:
    """Members of the cohort counted from a landmark, whose covariates were measured on it or before."""
    rows, _ = from_time_zero(given, name)
    baseline = given.cohort.select(KEY, pl.col("time_zero").alias("_measured_by"), *dict.fromkeys(covariates))
    return rows.join(baseline, on=KEY, how="inner", maintain_order="left").filter(
        pl.col("_measured_by") <= pl.col("zero_on")
    )
