"""What the estimators share: the error a statistician can read, and the reading of their input columns.

Estimators themselves do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


class StatisticalProblem(ValueError):  # noqa: N818 - a problem of the data, not a failure of the program
    """An analysis that cannot be done on these data; the message says on which, and why."""


def require_columns(frame: pl.DataFrame, columns: Sequence[str | None], what: str) -> None:
    """Raise StatisticalProblem naming every column of `columns` the frame does not have."""
    absent = [f"'{column}'" for column in columns if column is not None and column not in frame.columns]
    if absent:
        raise StatisticalProblem(
            f"{what} asks for {', '.join(absent)}, which the frame does not have. It has: {', '.join(frame.columns)}"
        )


def event_flag(frame: pl.DataFrame, event: str, what: str) -> pl.Expr:
    """Return the event column as boolean; text or other codes are refused, because nobody said which count."""
    dtype = frame.schema[event]
    values = set(frame[event].drop_nulls().unique().to_list()) if dtype.is_numeric() else set()
    if dtype not in (pl.Boolean, pl.Null) and (not dtype.is_numeric() or values - {0, 1}):
        raise StatisticalProblem(
            f"{what}: event column '{event}' must be yes/no or 0/1, but is {dtype}"
            f"{f' with values {sorted(values)[:5]}' if values else ''}. Say which events count with "
            "endpoints.event_indicator"
        )
    return pl.col(event).cast(pl.Boolean)


def _label(frame: pl.DataFrame, group: str) -> pl.Expr:
    """Return a group column as text; a whole number held as a float is '1', not '1.0'."""
    column = pl.col(group)
    if not frame.schema[group].is_float():
        return column.cast(pl.String)
    whole = bool((frame[group].fill_nan(None).drop_nulls() % 1 == 0).all())
    return column.fill_nan(None).cast(pl.Int64 if whole else pl.Float64).cast(pl.String)


def usable_rows(
    frame: pl.DataFrame,
    what: str,
    *,
    duration: str,
    event: pl.Expr,
    group: str | None = None,
    entry: str | None = None,
) -> tuple[pl.DataFrame, int]:
    """Return columns duration, event, group, entry of the complete rows, and how many rows were set aside.

    Durations and entries become Float64 (entry −inf where there is none), groups text ('all' without a group).
    Raises StatisticalProblem on negative durations, on entries not before the end, and if no row is left.
    """
    columns = frame.select(
        duration=pl.col(duration).cast(pl.Float64).fill_nan(None),
        event=event,
        group=_label(frame, group) if group else pl.lit("all"),
        entry=pl.col(entry).cast(pl.Float64).fill_nan(None) if entry else pl.lit(float("-inf")),
    )
    complete = columns.drop_nulls()
    negative = complete.filter(pl.col("duration") < 0).height
    late = complete.filter(pl.col("entry") >= pl.col("duration")).height if entry else 0
    if negative:
        raise StatisticalProblem(f"{what}: {negative} of {complete.height} rows have a negative '{duration}'")
    if late:
        raise StatisticalProblem(f"{what}: in {late} rows '{entry}' is not before '{duration}'; nobody is at risk")
    if complete.is_empty():
        raise StatisticalProblem(f"{what}: no row has {duration}, event{' and ' + group if group else ''}")
    return complete, frame.height - complete.height
