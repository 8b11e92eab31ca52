"""Endpoints: from dates to what happened first, when, and after how many days.

A time that cannot be (before time zero, or without any evidence of follow-up) is reported and left null, never clipped.
Reading the clock does not belong here: the day up to which the data are known is the parameter `as_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

CENSORED = "censored"


def time_to_event(
    frame: pl.DataFrame,
    *,
    time_zero: str = "time_zero",
    death: str = "death_on",
    transplant: str = "transplant_on",
    last_alive: str = "last_alive_on",
    as_of: date,
) -> pl.DataFrame:
    """Add event, event_on, event_days, endpoint_problem and endpoint_warning, one row per row.

    The date columns are dates or timestamps; null means it did not happen or is not known. `event` is 'death' or
    'transplant', whichever came first (a transplant on the day of death came first), else 'censored' at the last day
    known alive. Nothing after `as_of` is known: an event later than that is censored on `as_of`.
    `event_days` are whole days (Int64). `endpoint_problem` says why there is no time (time zero missing, event before
    time zero, no evidence of follow-up); then event, event_on and event_days are null. `endpoint_warning` marks rows
    that have a time and contradict themselves: the event stands.
    An interval-censored death or transplant enters by the one date given here.
    """
    columns = {"_zero": time_zero, "_death": death, "_transplant": transplant, "_alive": last_alive}
    absent = [column for column in columns.values() if column not in frame.columns]
    if absent:
        raise ValueError(f"time to event asks for columns the frame does not have: {', '.join(absent)}")
    dates = frame.with_columns(**{name: pl.col(column).cast(pl.Date) for name, column in columns.items()})
    known = dates.with_columns(
        _death_known=pl.when(pl.col("_death") <= as_of).then("_death"),
        _transplant_known=pl.when(pl.col("_transplant") <= as_of).then("_transplant"),
        # A patient with an event after as_of was alive on it.
        _alive_known=pl.max_horizontal("_alive", "_death", "_transplant").clip(upper_bound=as_of),
    )
    first = known.with_columns(
        event=pl.when(pl.col("_transplant_known") <= pl.col("_death_known").fill_null(date.max))
        .then(pl.lit("transplant"))
        .when(pl.col("_death_known").is_not_null())
        .then(pl.lit("death"))
        .when(pl.col("_alive_known").is_not_null())
        .then(pl.lit(CENSORED)),
        event_on=pl.coalesce(pl.min_horizontal("_death_known", "_transplant_known"), "_alive_known"),
    ).with_columns(event_days=(pl.col("event_on") - pl.col("_zero")).dt.total_days())
    judged = first.with_columns(endpoint_problem=_problem(), endpoint_warning=_warning())
    sound = pl.col("endpoint_problem").is_null()
    return judged.with_columns(
        [pl.when(sound).then(column).alias(column) for column in ("event", "event_on", "event_days")]
    ).drop(column for column in judged.columns if column.startswith("_") and column not in frame.columns)


def one_day(what: str) -> pl.Expr:
    """The day of a 'death' or 'transplant' from its columns _on, _from and _to.

    The known day, else the middle of the interval in which it lies, else its last possible day without a first one.
    """
    first, last = pl.col(f"{what}_from"), pl.col(f"{what}_to")
    middle = last - pl.duration(days=(last - first).dt.total_days() // 2)
    return pl.coalesce(f"{what}_on", middle, last)


def end_state(
    as_of: date, longest: int | None, *, left: str | None = None, days: str = "event_days", event: str = "event"
) -> pl.Expr:
    """What ended the observation of a row of `time_to_event`: an event, or one of the ways of being censored.

    'death' or 'transplant'; 'against_advice' where the column `left` is true (left against advice, never heard of
    again: informative, never counted alive); 'end_of_data' where the last sign of life is of `as_of`; 'completed' where
    it lies on or after the longest horizon of the study, in days; else 'lost_to_follow_up'. Null without an event.
    """
    has_left = pl.lit(value=False) if left is None else pl.col(left).fill_null(value=False)
    reached = pl.lit(value=False) if longest is None else pl.col(days) >= longest
    return (
        pl.when(pl.col(event) != CENSORED)
        .then(event)
        .when(pl.col(event).is_null())
        .then(pl.lit(None, pl.String))
        .when(has_left)
        .then(pl.lit("against_advice"))
        .when(pl.col("event_on") >= as_of)
        .then(pl.lit("end_of_data"))
        .when(reached)
        .then(pl.lit("completed"))
        .otherwise(pl.lit("lost_to_follow_up"))
    )


def _problem() -> pl.Expr:
    """Say why a row has no time to event."""
    days_before = (-pl.col("event_days")).cast(pl.String)
    return (
        pl.when(pl.col("_zero").is_null())
        .then(pl.lit("time zero is missing"))
        .when(pl.col("event_on").is_null())
        .then(pl.lit("no evidence of follow-up: no death, no transplant, no day known alive"))
        .when(pl.col("event_days") < 0)
        .then(pl.concat_str(_what_happened(), pl.lit(" lies "), days_before, pl.lit(" days before time zero")))
    )


def _what_happened() -> pl.Expr:
    """Name the end of the observation in words."""
    return pl.when(pl.col("event") == CENSORED).then(pl.lit("the last day known alive")).otherwise("event")


def _warning() -> pl.Expr:
    """Say what contradicts the event of a row that has a time."""
    return (
        pl.when(pl.col("_alive") > pl.col("_death"))
        .then(pl.lit("known alive after the day of death"))
        .when(pl.col("_transplant") > pl.col("_death"))
        .then(pl.lit("transplanted after the day of death"))
    )


def endpoint_problems(frame: pl.DataFrame, key: str = "candidate_id") -> pl.DataFrame:
    """Return one row per problem or warning of `time_to_event`: key, severity ('problem' or 'warning'), says."""
    parts = [
        frame.filter(pl.col(f"endpoint_{severity}").is_not_null()).select(
            pl.col(key), severity=pl.lit(severity), says=pl.col(f"endpoint_{severity}")
        )
        for severity in ("problem", "warning")
    ]
    return pl.concat(parts)


def at_horizon(frame: pl.DataFrame, days: int) -> pl.DataFrame:
    """Censor a frame of `time_to_event` at a horizon: later events become 'censored' on the horizon day.

    An event on the horizon day counts. Rows without a time stay without one. Raises ValueError for a negative horizon.
    """
    if days < 0:
        raise ValueError(f"horizon of {days} days: a horizon is 0 days or more after time zero")
    later = pl.col("event_days") > days
    excess = pl.duration(days=pl.col("event_days") - days)
    return frame.with_columns(
        event=pl.when(later).then(pl.lit(CENSORED)).otherwise("event"),
        event_on=pl.when(later).then(pl.col("event_on") - excess).otherwise("event_on"),
        event_days=pl.when(later).then(pl.lit(days, pl.Int64)).otherwise("event_days"),
    )


def event_indicator(
    frame: pl.DataFrame,
    counts: Sequence[str] = ("death", "transplant"),
    *,
    event: str = "event",
    name: str = "happened",
) -> pl.DataFrame:
    """Add a boolean column that is true where the event is one of `counts`; null where the event is null.

    The default gives transplant-free survival; counts=('death',) gives the cause-specific hazard of death.
    """
    known = {"death", "transplant"}
    if not counts or set(counts) - known:
        raise ValueError(f"events {list(counts)} asked for; known are 'death' and 'transplant'")
    return frame.with_columns(pl.col(event).is_in(list(counts)).alias(name))
