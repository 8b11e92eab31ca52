"""Survival of groups: Kaplan–Meier, numbers at risk, median, log-rank test, follow-up.

Frames in, tidy frames out; every result carries n and events. lifelines computes the survival curve, its log-log
interval and the log-rank test, which were measured against R; counts at risk, standard errors and medians are ours.
Cox models (`cox`) and competing risks (`competing_risks`) live next door and are offered here too.
Figures and the choice of endpoints do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from aclf_pipeline.science.competing_risks import cumulative_incidence
from aclf_pipeline.science.cox import CoxResult, cox
from aclf_pipeline.science.problems import StatisticalProblem, event_flag, require_columns, usable_rows

__all__ = [
    "CoxResult",
    "LogRank",
    "StatisticalProblem",
    "cox",
    "cumulative_incidence",
    "kaplan_meier",
    "logrank",
    "median_survival",
    "reverse_km",
    "risk_table",
    "survival_at",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class LogRank:
    """Log-rank test of equal hazards: statistic (chi-square), df, p, with n, events and incomplete rows set aside."""

    statistic: float
    df: int
    p: float
    n: int
    events: int
    n_missing: int
    groups: tuple[str, ...]


def kaplan_meier(
    frame: pl.DataFrame,
    *,
    duration: str,
    event: str,
    group: str | None = None,
    entry: str | None = None,
    horizons: Sequence[float] = (),
) -> pl.DataFrame:
    """Return the Kaplan–Meier estimate: one row per group and time (0, each observed time, each horizon).

    Columns: group, time, at_risk, events, censored, survival, se (Greenwood), lower, upper (95 %, log-log), n,
    n_events, n_missing. `event` is yes/no or 0/1, `entry` the time of delayed entry. At risk at t are those who
    entered before t and left at t or later. The interval is null where survival is 0, and [1, 1] while it is 1.
    A horizon after the last observation of a group in which someone survives has null survival.
    Rows missing a column are counted in n_missing and set aside. Raises StatisticalProblem.
    """
    what = "Kaplan–Meier"
    require_columns(frame, (duration, event, group, entry), what)
    rows, n_missing = usable_rows(
        frame, what, duration=duration, event=event_flag(frame, event, what), group=group, entry=entry
    )
    parts = [
        _kaplan_meier_one(part, horizons).select(
            pl.lit(name).alias("group"),
            pl.all(),
            n=pl.lit(part.height, pl.Int64),
            n_events=pl.lit(int(part["event"].sum()), pl.Int64),
            n_missing=pl.lit(n_missing, pl.Int64),
        )
        for name, part in _groups(rows)
    ]
    return pl.concat(parts)


def _groups(rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Split rows by group, in alphabetical order."""
    return [(name, rows.filter(pl.col("group") == name)) for name in sorted(rows["group"].unique())]


def _counts(rows: pl.DataFrame, times: Floats) -> tuple[Counts, Counts, Counts]:
    """Count at risk, events and censored at each time."""
    duration, entry = np.sort(rows["duration"].to_numpy()), np.sort(rows["entry"].to_numpy())
    died = np.sort(rows.filter("event")["duration"].to_numpy())
    at_risk = np.searchsorted(entry, times, side="left") - np.searchsorted(duration, times, side="left")
    leaving = np.searchsorted(duration, times, side="right") - np.searchsorted(duration, times, side="left")
    events = np.searchsorted(died, times, side="right") - np.searchsorted(died, times, side="left")
    return at_risk, events, leaving - events


def _kaplan_meier_one(rows: pl.DataFrame, horizons: Sequence[float]) -> pl.DataFrame:
    """Estimate one group."""
    observed = rows["duration"].to_numpy()
    times = np.unique(np.concatenate([[0.0], observed, np.asarray(horizons, dtype=np.float64)]))
    at_risk, events, censored = _counts(rows, times)
    survivors = at_risk - events
    steps = np.divide(events, at_risk * survivors, out=np.zeros(len(times)), where=(at_risk > 0) & (survivors > 0))
    root = np.sqrt(np.cumsum(steps))
    if np.isneginf(rows["entry"].to_numpy()).all():
        survival, lower, upper = _by_lifelines(rows, times)
    else:
        survival, lower, upper = _delayed_entry(at_risk, events, root)
    se = survival * root
    beyond = (times > observed.max()) & (survival > 0)
    survival, se = np.where(beyond, np.nan, survival), np.where(beyond, np.nan, se)
    nowhere = beyond | (survival == 0)
    certain = survival == 1.0
    return pl.DataFrame(
        {
            "time": times,
            "at_risk": at_risk,
            "events": events,
            "censored": censored,
            "survival": survival,
            "se": se,
            "lower": np.where(nowhere, np.nan, np.where(certain, 1.0, lower)),
            "upper": np.where(nowhere, np.nan, np.where(certain, 1.0, upper)),
        }
    ).with_columns(pl.col("survival", "se", "lower", "upper").fill_nan(None))


def _by_lifelines(rows: pl.DataFrame, times: Floats) -> tuple[Floats, Floats, Floats]:
    """Return survival and its log-log limits for right-censored data."""
    from lifelines import KaplanMeierFitter  # imported here: it costs seconds

    fitted = KaplanMeierFitter().fit(rows["duration"].to_numpy(), rows["event"].to_numpy())
    interval = fitted.confidence_interval_survival_function_
    at = np.searchsorted(interval.index.to_numpy(), times, side="right") - 1
    lower, upper = (np.where(at >= 0, interval.iloc[:, i].to_numpy()[at], 1.0) for i in (0, 1))
    return fitted.survival_function_at_times(times).to_numpy(), lower, upper


def _delayed_entry(at_risk: Counts, events: Counts, root: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the product limit and its log-log limits; lifelines refuses small early risk sets, R does not."""
    hazard = np.divide(events, at_risk, out=np.zeros(len(events)), where=at_risk > 0)
    survival = np.cumprod(1 - hazard)
    inside = (survival > 0) & (survival < 1)
    log = np.log(np.where(inside, survival, 0.5))
    width = norm.ppf(0.975) * root / log
    lower, upper = (np.where(inside, np.exp(log * np.exp(sign * width)), np.nan) for sign in (-1, 1))
    return survival, lower, upper


def risk_table(
    frame: pl.DataFrame,
    *,
    duration: str,
    event: str,
    at: Sequence[float],
    group: str | None = None,
    entry: str | None = None,
) -> pl.DataFrame:
    """Return group, time, at_risk, events_so_far for each group and each time of `at`, in that order.

    At risk at t: entered before t and not left before t. Events so far include those on t. Delayed entry is honoured,
    so with `entry` the number at risk can rise.
    """
    what = "the table of numbers at risk"
    require_columns(frame, (duration, event, group, entry), what)
    rows, _ = usable_rows(
        frame, what, duration=duration, event=event_flag(frame, event, what), group=group, entry=entry
    )
    times = np.asarray(at, dtype=np.float64)
    parts = []
    for name, part in _groups(rows):
        died = np.sort(part.filter("event")["duration"].to_numpy())
        so_far = np.searchsorted(died, times, side="right")
        columns = {"time": times, "at_risk": _counts(part, times)[0], "events_so_far": so_far}
        parts.append(pl.DataFrame({"group": [name] * len(times), **columns}))
    return pl.concat(parts)


def survival_at(table: pl.DataFrame, days: float) -> pl.DataFrame:
    """Read a `kaplan_meier` table at one day: group, time, at_risk, survival, se, lower, upper, n, n_events, reason.

    `reason` says why survival is null (nobody was followed that long). At risk is exact if the day was among the
    table's horizons or observed times, else it is the count just after the last time before it.
    """
    rows = []
    for name in table["group"].unique(maintain_order=True):
        part = table.filter((pl.col("group") == name) & (pl.col("time") <= days))
        if part.is_empty():
            raise StatisticalProblem(f"survival at day {days}: a day cannot lie before day 0")
        last = part.row(-1, named=True)
        whole = table.filter(pl.col("group") == name)
        end = float(whole.filter(pl.col("events") + pl.col("censored") > 0)["time"].to_numpy().max())
        unknown = last["survival"] is None or (days > end and last["survival"] > 0)
        at_risk = last["at_risk"]
        if last["time"] < days:
            at_risk = 0 if unknown else last["at_risk"] - last["events"] - last["censored"]
        estimates = {column: None if unknown else last[column] for column in ("survival", "se", "lower", "upper")}
        reason = f"nobody in '{name}' was followed to day {days:g}; the last left on day {end:g}" if unknown else None
        counts = {column: last[column] for column in ("n", "n_events")}
        rows.append({"group": name, "time": float(days), "at_risk": at_risk, **estimates, **counts, "reason": reason})
    floats = dict.fromkeys(("survival", "se", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides={**floats, "at_risk": pl.Int64, "reason": pl.String})


def median_survival(table: pl.DataFrame) -> pl.DataFrame:
    """Return group, median, lower, upper, n, n_events, reason from a `kaplan_meier` table.

    The median is the first time at which survival is below one half; if it is exactly one half over an interval, the
    middle of that interval (as R's survfit does). The limits are the same reading of the limits of the curve.
    A median that is not reached is null, with a reason.
    """
    rows = []
    for name in table["group"].unique(maintain_order=True):
        part = table.filter((pl.col("group") == name) & (pl.col("events") + pl.col("censored") > 0))
        median, lower, upper = (_crossing(part, column) for column in ("survival", "lower", "upper"))
        reason = None if median is not None else f"survival of '{name}' does not fall to one half"
        counts = {column: table.filter(pl.col("group") == name)[column][0] for column in ("n", "n_events")}
        rows.append({"group": name, "median": median, "lower": lower, "upper": upper, **counts, "reason": reason})
    floats = dict.fromkeys(("median", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema_overrides={**floats, "reason": pl.String})


def _crossing(part: pl.DataFrame, column: str) -> float | None:
    """Return the time at which a falling curve passes one half."""
    tolerance = 1e-8  # half of an even number of patients is one half in spite of binary noise
    curve = part.filter(pl.col(column).is_not_null() | (pl.col("survival") == 0))
    values = curve[column].fill_null(0.0 if column == "survival" else np.nan).to_numpy()
    times = curve["time"].to_numpy()
    at_most = np.flatnonzero(values <= 0.5 + tolerance)
    if not len(at_most):
        return None
    first = at_most[0]
    below = np.flatnonzero(values < 0.5 - tolerance)
    if values[first] < 0.5 - tolerance or not len(below):
        return float(times[first])
    return float((times[first] + times[below[0]]) / 2)


def logrank(frame: pl.DataFrame, duration: str, event: str, group: str) -> LogRank:
    """Test equal hazards of two or more groups by the log-rank test (right-censored data).

    Rows missing a column are counted and set aside. Raises StatisticalProblem with fewer than two groups or no event.
    """
    from lifelines.statistics import multivariate_logrank_test  # imported here: it costs seconds

    what = "the log-rank test"
    require_columns(frame, (duration, event, group), what)
    rows, n_missing = usable_rows(frame, what, duration=duration, event=event_flag(frame, event, what), group=group)
    groups = tuple(sorted(rows["group"].unique()))
    events = int(rows["event"].sum())
    if len(groups) < 2:
        raise StatisticalProblem(f"{what} by '{group}' needs two groups; all {rows.height} rows are '{groups[0]}'")
    if events == 0:
        raise StatisticalProblem(f"{what} by '{group}': no event among {rows.height} rows")
    result = multivariate_logrank_test(rows["duration"].to_numpy(), rows["group"].to_numpy(), rows["event"].to_numpy())
    return LogRank(
        statistic=float(result.test_statistic),
        df=len(groups) - 1,
        p=float(result.p_value),
        n=rows.height,
        events=events,
        n_missing=n_missing,
        groups=groups,
    )


def reverse_km(frame: pl.DataFrame, *, duration: str, event: str, group: str | None = None) -> pl.DataFrame:
    """Return the median follow-up by reverse Kaplan–Meier (censoring is the event): as `median_survival`.

    n_events counts the censored, which are the events of this curve.
    """
    require_columns(frame, (duration, event, group), "median follow-up")
    flag = event_flag(frame, event, "median follow-up")
    reversed_frame = frame.with_columns((~flag).alias("_followed_to_the_end"))
    return median_survival(kaplan_meier(reversed_frame, duration=duration, event="_followed_to_the_end", group=group))
