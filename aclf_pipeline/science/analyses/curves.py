"""Analyses without a model: survival curves, their test, cumulative incidence, follow-up, restricted means, table one.

Where fewer are at risk than the stanza allows, a curve ends: nothing is drawn, read or said beyond.

What does not belong here: estimators (survival, competing_risks, rmst) and time zeros (time_zero).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.protocol.plan import CumulativeIncidence, FollowUp, KaplanMeier, LogRank, RestrictedMean, TableOne
from aclf_pipeline.science.analyses.given import (
    DURATION,
    EVENT,
    HAPPENED,
    AnalysisResult,
    Given,
    Row,
    cause_specific,
    keyed,
)
from aclf_pipeline.science.competing_risks import cumulative_incidence, incidence_at
from aclf_pipeline.science.descriptive import table_one
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.rmst import RestrictedMean as Mean
from aclf_pipeline.science.rmst import contrast_means, latest_tau, restricted_mean
from aclf_pipeline.science.survival import (
    kaplan_meier,
    logrank,
    median_survival,
    reverse_km,
    risk_table,
    survival_at,
)

QUARTERS = 4
MEAN = "restricted mean survival time"
LIMITS = ("survival", "probability", "se", "lower", "upper")


def kaplan_meier_curves(spec: KaplanMeier, given: Given) -> AnalysisResult:
    """Curves, numbers at risk, survival at the horizons, median."""
    frame, endpoint = given.counted(spec), given.endpoint(spec)
    entry = None
    if spec.entry_day:
        entry = "_entry"
        frame = frame.filter(pl.col(DURATION) > spec.entry_day).with_columns(pl.lit(spec.entry_day).alias(entry))
    whole = kaplan_meier(
        frame, duration=DURATION, event=HAPPENED, group=spec.group, entry=entry, horizons=spec.horizons
    )
    table, cut = ended(whole.filter(pl.col("time") >= spec.entry_day), spec.fewest_at_risk, spec.entry_day)
    at = [spec.entry_day + 1 if entry else 0, *(day for day in spec.horizons if day > spec.entry_day)]
    risk = risk_table(frame, duration=DURATION, event=HAPPENED, at=at, group=spec.group, entry=entry)
    rows = [
        _at(row, f"survival_{day}d", "survival", "Kaplan–Meier, log-log interval")
        for day in spec.horizons
        for row in survival_at(table, day).iter_rows(named=True)
    ]
    rows += [
        _at(row, f"at_risk_{day}d", "at_risk", "count") | {"lower": None, "upper": None}
        for day in spec.horizons
        for row in survival_at(table, day).iter_rows(named=True)
    ]
    rows += [_at(row, "median_days", "median", "Kaplan–Meier") for row in median_survival(table).iter_rows(named=True)]
    return AnalysisResult(table, keyed(given, spec, rows), {"risk": risk}, (*cause_specific(endpoint), *cut))


def ended(table: pl.DataFrame, fewest: int, start: int = 0) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table with its estimates null once fewer than `fewest` of a group are at risk, and what is said of it."""
    few = (pl.col("at_risk") < fewest) & (pl.col("time") > start)
    by = [name for name in ("group", "state") if name in table.columns]
    beyond = few.cum_max().over(by, order_by="time") if by else few.cum_max()
    marked = table.with_columns(_beyond=beyond)
    ends = marked.filter("_beyond").group_by("group").agg(pl.col("time").min()).sort("group")
    columns = [name for name in LIMITS if name in table.columns]
    kept = marked.with_columns(pl.when(~pl.col("_beyond")).then(pl.col(columns))).drop("_beyond")
    remarks = [
        f"The curve{'' if name == 'all' else f' of {name}'} ends at day {day:g}, from where fewer than {fewest} are at"
        " risk."
        for name, day in ends.iter_rows()
    ]
    return kept, tuple(remarks)


def _at(row: Row, key: str, estimate: str, method: str) -> Row:
    """One row of a reading of a curve as a keyed result."""
    name = key if row["group"] == "all" else f"{key}:{row['group']}"
    limits = {"lower": row["lower"], "upper": row["upper"], "n": row["n"], "events": row["n_events"]}
    return {"key": name, "estimate": row[estimate], "method": method, **limits}


def logrank_test(spec: LogRank, given: Given) -> AnalysisResult:
    """The test and the curves it compares, with numbers at risk at the quarters of the endpoint's time."""
    frame = given.counted(spec)
    test = logrank(frame, DURATION, HAPPENED, spec.group)
    table = pl.DataFrame(
        {"group": [spec.group], "statistic": [test.statistic], "df": [test.df], "p": [test.p], "n": [test.n],
         "events": [test.events], "n_missing": [test.n_missing]}
    )  # fmt: skip
    row = {"key": "chi_square", "estimate": test.statistic, "p": test.p, "n": test.n, "events": test.events}
    endpoint = given.endpoint(spec)
    more = {"curves": kaplan_meier(frame, duration=DURATION, event=HAPPENED, group=spec.group)}
    if endpoint.horizon_days is not None:
        at = [endpoint.horizon_days * part / QUARTERS for part in range(QUARTERS + 1)]
        more["risk"] = risk_table(frame, duration=DURATION, event=HAPPENED, at=at, group=spec.group)
    return AnalysisResult(table, keyed(given, spec, [{**row, "method": "log-rank"}]), more, cause_specific(endpoint))


def incidence_curves(spec: CumulativeIncidence, given: Given) -> AnalysisResult:
    """The probability of each event over time, and numbers at risk of any."""
    frame = given.counted(spec)
    whole = cumulative_incidence(
        frame, duration=DURATION, event=EVENT, group=spec.group, horizons=tuple(map(float, spec.horizons))
    )
    table, cut = ended(whole, spec.fewest_at_risk)
    rows: list[Row] = [
        {"key": f"{row['state']}_{day}d" + ("" if row["group"] == "all" else f":{row['group']}"),
         "estimate": row["probability"], "lower": row["lower"], "upper": row["upper"], "n": row["n"],
         "events": row["n_events"], "method": "Aalen–Johansen, log-log interval"}
        for day in spec.horizons
        for row in incidence_at(table, day).iter_rows(named=True)
    ]  # fmt: skip
    ended_by = frame.with_columns((pl.col(EVENT) != "censored").alias(HAPPENED))
    risk = risk_table(ended_by, duration=DURATION, event=HAPPENED, at=[0, *spec.horizons], group=spec.group)
    return AnalysisResult(table, keyed(given, spec, rows), {"risk": risk} if spec.horizons else {}, cut)


def follow_up(spec: FollowUp, given: Given) -> AnalysisResult:
    """Median follow-up by reverse Kaplan–Meier, and of how many the outcome at each horizon is known.

    Table: horizon, n, known (had the event or a competing one by then, or was followed to it), share.
    """
    frame = given.counted(spec).drop_nulls([DURATION, EVENT])
    ended_by = frame.with_columns((pl.col(EVENT) != "censored").alias(HAPPENED))
    median = reverse_km(ended_by, duration=DURATION, event=HAPPENED).row(0, named=True)
    n, events = frame.height, int(frame[HAPPENED].sum())
    lines = []
    for day in spec.horizons:
        known = frame.filter((pl.col(DURATION) >= day) | (pl.col(EVENT) != "censored")).height
        lines.append((day, n, known, known / n if n else None))
    table = pl.DataFrame(lines, schema=["horizon", "n", "known", "share"], orient="row")
    rows: list[Row] = [
        {"key": "median_follow_up_days", "estimate": median["median"], "lower": median["lower"],
         "upper": median["upper"], "n": n, "events": events, "method": "reverse Kaplan–Meier (Schemper & Smith 1996)"}
    ]  # fmt: skip
    rows += [
        {"key": f"known_{day}d", "estimate": share, "n": n, "events": known, "method": "share with known outcome"}
        for day, n, known, share in lines
    ]
    return AnalysisResult(table, keyed(given, spec, rows))


def restricted_means(spec: RestrictedMean, given: Given) -> AnalysisResult:
    """Mean time lived within each horizon, by group, and the contrast of two groups.

    Table: group, horizon, mean, se, lower, upper, at_risk, n, events, reason. A horizon after the last event with ten
    at risk in every group is not estimated, and says so.
    """
    endpoint = given.endpoint(spec)
    frame = given.counted(spec).drop_nulls([DURATION, EVENT, *([spec.group] if spec.group else [])])
    named = frame.with_columns(group=pl.col(spec.group).cast(pl.String) if spec.group else pl.lit("all"))
    latest = latest_tau(named[DURATION].to_numpy(), named[HAPPENED].to_numpy(), group=named["group"].to_list())
    lines: list[Row] = []
    rows: list[Row] = []
    for day in spec.horizons:
        means: dict[str, Mean] = {}
        reason = f"the last event with ten at risk in every group is on day {latest:g}" if day > latest else None
        for name in sorted(named["group"].unique()):
            part = named.filter(pl.col("group") == name)
            line: Row = {"group": name, "horizon": day, "n": part.height, "reason": reason}
            if reason is None:
                mean = means[name] = restricted_mean(part[DURATION].to_numpy(), part[HAPPENED].to_numpy(), float(day))
                line |= {"mean": mean.mean, "se": mean.se, "lower": mean.lower, "upper": mean.upper,
                         "at_risk": mean.at_risk, "events": mean.events}  # fmt: skip
                key = f"mean_{day}d" + ("" if name == "all" else f":{name}")
                rows.append({"key": key, "estimate": mean.mean, "lower": mean.lower, "upper": mean.upper,
                             "n": mean.n, "events": mean.events, "method": MEAN})  # fmt: skip
            lines.append(line)
        rows += _contrast(day, means)
    if not rows:
        raise StatisticalProblem(f"restricted mean: no horizon is before day {latest:g}, the last with ten at risk")
    schema = {"group": pl.String, "horizon": pl.Int64, "mean": pl.Float64, "se": pl.Float64, "lower": pl.Float64,
              "upper": pl.Float64, "at_risk": pl.Int64, "n": pl.Int64, "events": pl.Int64,
              "reason": pl.String}  # fmt: skip
    table = pl.DataFrame([{name: line.get(name) for name in schema} for line in lines], schema=schema)
    return AnalysisResult(table, keyed(given, spec, rows), {}, cause_specific(endpoint))


def _contrast(day: int, means: dict[str, Mean]) -> list[Row]:
    """The second group against the first, where there are two."""
    if len(means) != 2:
        return []
    (first, one), (second, two) = means.items()
    difference = contrast_means(two, one).difference
    counts = {"n": one.n + two.n, "events": one.events + two.events}
    return [{"key": f"difference_{day}d:{second}_minus_{first}", "estimate": difference.estimate,
             "lower": difference.lower, "upper": difference.upper, "p": difference.p, **counts,
             "method": "difference of restricted means"}]  # fmt: skip


def characteristics(spec: TableOne, given: Given) -> AnalysisResult:
    """Table one, by what became of the patient unless the stanza names a group."""
    endpoint = given.endpoint(spec)
    frame = given.counted(spec).with_columns(
        outcome=pl.when(HAPPENED).then(pl.lit(endpoint.event)).otherwise(pl.lit(f"no {endpoint.event}"))
    )
    table = table_one(frame, spec.covariates, by=spec.group or "outcome")
    row: Row = {"key": "n", "estimate": float(frame.height), "n": frame.height, "method": "count"}
    return AnalysisResult(table, keyed(given, spec, [row, *_described(table)]))


def _described(table: pl.DataFrame) -> list[Row]:
    """Every number of table one under its key: median with quartiles, or share."""
    rows: list[Row] = []
    for row in table.iter_rows(named=True):
        level = f"[{row['level']}]" if row["level"] is not None else ""
        key = f"{row['variable']}{level}:{row['group']}"
        if row["level"] is None:
            rows.append({"key": key, "estimate": row["median"], "lower": row["q1"], "upper": row["q3"], "n": row["n"],
                         "method": "median (quartiles)"})  # fmt: skip
        else:
            rows.append({"key": key, "estimate": row["share"], "n": row["n"], "events": row["count"],
                         "method": "share"})  # fmt: skip
    return rows
