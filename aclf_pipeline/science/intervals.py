"""The counting process: each member's observation cut at every day on which something known changes.

Rows are (start, stop] in whole days from time zero. What is known by the end of day `start` counts for the row, so
nothing is used on the day it becomes known (Andersen & Gill 1982, Ann Statist 10:1100). What does not belong here:
which results are followed (the study page) and models of them (cox).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

KEY = "candidate_id"
INFUSIONS = "infusions_so_far"
NONE = "none"


def intervals(
    cohort: pl.DataFrame, infusions: pl.DataFrame | None, labs: pl.DataFrame, variables: Sequence[str]
) -> pl.DataFrame:
    """One row per member and interval: candidate_id, interval_no, start_days, stop_days, event, variables, infusions.

    cohort: candidate_id, person_id, time_zero, event, event_days; a member without a time has no interval. infusions:
    person_id, infused_on, of those that count (None: no column infusions_so_far). labs: person_id, variable,
    measured_on, value: one value per person, variable and day; values before time zero count, after the end they do
    not. Each variable comes with `<variable>_age_days`, the days since it was measured; both are null before the first
    value. event is 'none' but on the last row, where it is the member's. A member whose event is on day 0 has one row
    (0, 0]: no person-time, and no event lost.
    """
    members = cohort.filter(pl.col("event_days").is_not_null()).select(
        KEY, "person_id", pl.col("time_zero").cast(pl.Date), "event", "event_days"
    )
    measured = _days(members, labs, "measured_on", "variable", "value")
    given = _days(members, infusions, "infused_on") if infusions is not None else None
    changes = [measured.filter(pl.col("variable").is_in(list(variables)))] + ([] if given is None else [given])
    cut = _cut(members, changes)
    rows = cut.sort(KEY, "start_days")
    for variable in variables:
        rows = _last_known(rows, measured.filter(pl.col("variable") == variable), variable)
    if given is not None:
        rows = _counted(rows, given)
    return rows.sort(KEY, "interval_no")


def _days(members: pl.DataFrame, rows: pl.DataFrame, on: str, *others: str) -> pl.DataFrame:
    """The rows of members, with `day`, the whole days from time zero."""
    return members.join(rows, on="person_id").select(
        KEY, (pl.col(on).cast(pl.Date) - pl.col("time_zero")).dt.total_days().alias("day"), *others
    )


def _cut(members: pl.DataFrame, changes: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Cut each observation at the days of its changes strictly inside it."""
    days = pl.concat([change.select(KEY, "day") for change in changes])
    inside = days.join(members.select(KEY, "event_days"), on=KEY).filter(
        (pl.col("day") > 0) & (pl.col("day") < pl.col("event_days"))
    )
    starts = pl.concat(
        [members.select(KEY, day=pl.lit(0, pl.Int64)), inside.select(KEY, pl.col("day").cast(pl.Int64))]
    ).unique()
    ordered = starts.join(members.select(KEY, "event", "event_days"), on=KEY).sort(KEY, "day")
    last = pl.col("day").shift(-1).over(KEY)
    return ordered.select(
        KEY,
        interval_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(KEY),
        start_days="day",
        stop_days=last.fill_null(pl.col("event_days")),
        event=pl.when(last.is_null()).then("event").otherwise(pl.lit(NONE)),
    )


def _last_known(rows: pl.DataFrame, values: pl.DataFrame, variable: str) -> pl.DataFrame:
    """Add the last value known by the end of the first day of each interval, and its age."""
    known = values.drop_nulls(["day", "value"]).select(
        KEY, pl.col("day").cast(pl.Int64).alias("_day"), pl.col("value").cast(pl.Float64).alias(variable)
    )
    met = rows.sort("start_days").join_asof(
        known.sort("_day"), left_on="start_days", right_on="_day", by=KEY, strategy="backward", coalesce=False,
        check_sortedness=False,
    )  # fmt: skip
    return met.with_columns((pl.col("start_days") - pl.col("_day")).alias(f"{variable}_age_days")).drop("_day")


def _counted(rows: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """Add how many infusions had been given by the end of the first day of each interval."""
    counts = (
        rows.select(KEY, "interval_no", "start_days")
        .join(given, on=KEY)
        .filter(pl.col("day") <= pl.col("start_days"))
        .group_by(KEY, "interval_no")
        .agg(pl.len().cast(pl.Int64).alias(INFUSIONS))
    )
    return rows.join(counts, on=[KEY, "interval_no"], how="left").with_columns(pl.col(INFUSIONS).fill_null(0))


def person_time_problems(rows: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """What keeps the intervals from being the cohort's observation: candidate_id, says; empty when they are it.

    Per member with a time: the first interval starts at 0, each starts where the one before ended, the last ends on the
    member's last day with the member's event, no other has one, none is of no length unless it is the only one, and the
    days add up to the member's. Nobody else has an interval.
    """
    ordered = rows.sort(KEY, "interval_no")
    before = pl.col("stop_days").shift(1).over(KEY)
    facts = ordered.with_columns(
        gap=pl.col("start_days") - before.fill_null(0),
        is_last=pl.col("interval_no") == pl.col("interval_no").max().over(KEY),
        length=pl.col("stop_days") - pl.col("start_days"),
    )
    per_member = facts.group_by(KEY).agg(
        gaps=(pl.col("gap") > 0).sum(),
        overlaps=(pl.col("gap") < 0).sum(),
        empty=((pl.col("length") < 0) | ((pl.col("length") == 0) & (pl.len() > 1))).sum(),
        early=(~pl.col("is_last") & (pl.col("event") != NONE)).sum(),
        days=pl.col("length").sum(),
        end=pl.col("event").filter(pl.col("is_last")).first(),
    )
    timed = cohort.filter(pl.col("event_days").is_not_null()).select(KEY, "event", "event_days")
    both = timed.join(per_member, on=KEY, how="full", coalesce=True)
    said = {
        "the intervals leave a gap": pl.col("gaps") > 0,
        "intervals overlap": pl.col("overlaps") > 0,
        "an interval has no length": pl.col("empty") > 0,
        "an event stands before the last interval": pl.col("early") > 0,
        "has intervals and no time in the cohort": pl.col("event_days").is_null(),
        "has a time in the cohort and no interval": pl.col("days").is_null(),
        "the days of the intervals are not the cohort's": pl.col("days") != pl.col("event_days"),
        "the last interval does not end with the cohort's event": pl.col("end") != pl.col("event"),
    }
    found = [both.filter(wrong).select(KEY, says=pl.lit(says)) for says, wrong in said.items()]
    return pl.concat(found).sort(KEY, "says")
