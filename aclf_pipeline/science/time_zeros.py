"""Candidate time zeros: from which day time counts, from which day a patient is observed, and what happened then.

A time zero is a stanza of the study page. Who could not be seen to die before a later day enters on that day (delayed
entry, left truncation); a landmark leaves out everybody whose observation ended by its day. What does not belong here:
choosing a time zero (the study page) and estimating anything from it (survival).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from aclf_pipeline.protocol.study import Study, TimeZero
from aclf_pipeline.science.endpoints import CENSORED, end_state, one_day, time_to_event
from aclf_pipeline.science.survival import reverse_km

KEY = "candidate_id"
LEFT = "left_without_follow_up"
COLUMNS = {
    KEY: pl.String,
    "time_zero": pl.String,
    "zero_on": pl.Date,
    "in_cohort": pl.Boolean,
    "entry_days": pl.Int64,
    "exit_days": pl.Int64,
    "event": pl.String,
    "event_on": pl.Date,
    "end_state": pl.String,
    "infusions_by_entry": pl.Int64,
    "problem": pl.String,
}
_ENDED = ("exit_days", "event", "event_on", "end_state")
FOLLOW_UP = {
    "time_zero": pl.String,
    "horizon_days": pl.Int64,
    "n": pl.Int64,
    "without_time": pl.Int64,
    **dict.fromkeys(
        ("deaths", "transplants", "followed", "against_advice", "lost_to_follow_up", "end_of_data"), pl.Int64
    ),
    "observed_days": pl.Int64,
    "potential_days": pl.Int64,
    "completeness": pl.Float64,
    **dict.fromkeys(("median_days", "median_lower", "median_upper"), pl.Float64),
}


def time_zeros(
    candidates: pl.DataFrame, eligibility: pl.DataFrame, infusions: pl.DataFrame | None, study: Study, as_of: date
) -> pl.DataFrame:
    """One row per time zero of the study and candidate of its population, in the order of the page: `COLUMNS`.

    candidates: the columns the time zeros name, and those of `one_day` and `time_to_event`. eligibility: candidate_id,
    criteria_mask. infusions: person_id and infused_on of every infusion that counts; None where the study has none,
    then infusions_by_entry is null. Observation is (entry_days, exit_days], in whole days from zero_on. A row that has
    no time says why in `problem`, and its end is null; nothing is clipped.
    """
    parts = [
        _one(name, zero, candidates, eligibility, infusions, study, as_of) for name, zero in study.time_zeros.items()
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)


def _one(
    name: str,
    zero: TimeZero,
    candidates: pl.DataFrame,
    eligibility: pl.DataFrame,
    infusions: pl.DataFrame | None,
    study: Study,
    as_of: date,
) -> pl.DataFrame:
    """The rows of one time zero."""
    waived = sum(1 << place for place, criterion in enumerate(study.eligibility) if criterion.id in zero.waives)
    people = candidates.join(
        eligibility.filter((pl.col("criteria_mask") | waived) == waived).select(
            KEY, in_cohort=pl.col("criteria_mask") == 0
        ),
        on=KEY,
    ).sort(KEY)
    dated = people.with_columns(
        zero_on=pl.col(zero.at).cast(pl.Date) + pl.duration(days=zero.days_after),
        death_day=one_day("death"),
        transplant_day=one_day("transplant"),
    ).with_columns(entry_on=pl.max_horizontal("zero_on", pl.col(zero.enters or "zero_on").cast(pl.Date)))
    timed = time_to_event(dated, time_zero="zero_on", death="death_day", transplant="transplant_day", as_of=as_of)
    longest = max(study.horizons, default=None)
    judged = timed.with_columns(
        time_zero=pl.lit(name),
        entry_days=(pl.col("entry_on") - pl.col("zero_on")).dt.total_days(),
        exit_days=pl.col("event_days"),
        end_state=end_state(as_of, longest, left=LEFT if LEFT in timed.columns else None),
        problem=_problem(zero),
    )
    counted = _infusions_by_entry(judged, infusions)
    sound = pl.col("problem").is_null()
    return counted.with_columns(pl.when(sound).then(column).alias(column) for column in _ENDED).select(
        pl.col(column).cast(dtype) for column, dtype in COLUMNS.items()
    )


def _problem(zero: TimeZero) -> pl.Expr:
    """Why a row has no time from this zero: without a day, ended before it, before entry, or by the landmark."""
    what = pl.when(pl.col("event") == CENSORED).then(pl.lit("last sign of life")).otherwise("event")
    late = (pl.col("entry_on") - pl.col("event_on")).dt.total_days()
    enters = pl.lit(value=False) if zero.enters is None else pl.col(zero.enters).is_null()
    landmark = pl.lit(value=zero.days_after > 0) & (pl.col("event_days") == 0)
    return (
        pl.when(pl.col("endpoint_problem").is_not_null())
        .then("endpoint_problem")
        .when(enters)
        .then(pl.lit(f"the day of entry, '{zero.enters}', is missing"))
        .when(late > 0)
        .then(pl.concat_str(pl.lit("the "), what, pl.lit(" lies "), late.cast(pl.String), pl.lit(" days before entry")))
        .when(landmark)
        .then(pl.concat_str(pl.lit("the "), what, pl.lit(" lies on the day of the landmark")))
    )


def _infusions_by_entry(frame: pl.DataFrame, infusions: pl.DataFrame | None) -> pl.DataFrame:
    """Add the number of infusions given by the day of entry: what is known when observation starts."""
    if infusions is None:
        return frame.with_columns(infusions_by_entry=pl.lit(None, pl.Int64))
    given = (
        frame.select(KEY, "person_id", "entry_on")
        .join(infusions.select("person_id", "infused_on"), on="person_id")
        .filter(pl.col("infused_on") <= pl.col("entry_on"))
        .group_by(KEY)
        .len("infusions_by_entry")
    )
    return frame.join(given, on=KEY, how="left", maintain_order="left").with_columns(
        pl.when(pl.col("entry_on").is_not_null()).then(pl.col("infusions_by_entry").fill_null(0))
    )


def follow_up(zeros: pl.DataFrame, horizons: Sequence[int], as_of: date) -> pl.DataFrame:
    """One row per time zero and horizon: what ended observation before it, and how complete it was: `FOLLOW_UP`.

    zeros: a frame of `time_zeros`. An event on the horizon day counts; `followed` are those observed to it without one.
    completeness is Clark's C: observed person-time over the person-time that could have been observed, which is that to
    the event, and without one that to the horizon or `as_of` (Clark, Altman & De Stavola 2002, Lancet 359:1309). Both
    count from entry. The median follow-up by reverse Kaplan–Meier, with its limits, is over the whole observation from
    entry and the same at every horizon; null where it is not reached. Rows without a time are counted and set aside.
    """
    rows = []
    for name in zeros["time_zero"].unique(maintain_order=True):
        whole = zeros.filter(pl.col("time_zero") == name)
        part = whole.filter(pl.col("problem").is_null())
        median = _median(part)
        shared = {"time_zero": name, "n": part.height, "without_time": whole.height - part.height, **median}
        rows += [{**shared, "horizon_days": days, **_until(part, days, as_of)} for days in horizons]
    return pl.DataFrame(rows, schema=FOLLOW_UP)


def _median(part: pl.DataFrame) -> dict[str, float | None]:
    """Median follow-up from entry, with its limits."""
    if part.is_empty():
        return {}
    followed = part.select(days=pl.col("exit_days") - pl.col("entry_days"), ended=pl.col("event") != CENSORED)
    found = reverse_km(followed, duration="days", event="ended").row(0, named=True)
    return {"median_days": found["median"], "median_lower": found["lower"], "median_upper": found["upper"]}


def _until(part: pl.DataFrame, days: int, as_of: date) -> dict[str, float | int | None]:
    """Counts and person-time of one time zero up to one horizon."""
    here = part.filter(pl.col("entry_days") < days).with_columns(
        by=pl.min_horizontal("exit_days", pl.lit(days)),
        happened=(pl.col("event") != CENSORED) & (pl.col("exit_days") <= days),
        could=pl.min_horizontal(pl.lit(days), (pl.lit(as_of) - pl.col("zero_on")).dt.total_days()),
    )
    states = {state: (pl.col("end_state") == state) & (pl.col("exit_days") < days)
              for state in ("against_advice", "lost_to_follow_up", "end_of_data")}  # fmt: skip
    counts = here.select(
        deaths=(pl.col("happened") & (pl.col("event") == "death")).sum(),
        transplants=(pl.col("happened") & (pl.col("event") == "transplant")).sum(),
        followed=(~pl.col("happened") & (pl.col("exit_days") >= days)).sum(),
        **{state: flag.sum() for state, flag in states.items()},
        observed_days=(pl.col("by") - pl.col("entry_days")).sum(),
        potential_days=(
            pl.when(pl.col("happened")).then("by").otherwise(pl.max_horizontal("could", "by")) - pl.col("entry_days")
        ).sum(),
    ).row(0, named=True)
    potential = counts["potential_days"]
    return {**counts, "completeness": counts["observed_days"] / potential if potential else None}
