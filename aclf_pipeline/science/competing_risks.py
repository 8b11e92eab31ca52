"""Cumulative incidence of competing events by Aalen–Johansen, deterministic with ties.

Ours, because the engine used elsewhere breaks ties at random (differences to R up to 3e-3 that change with the seed).
Regression on competing risks does not belong here.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from aclf_pipeline.science.problems import StatisticalProblem, require_columns, usable_rows

Floats = NDArray[np.float64]
EVENT_FREE = "event_free"


def cumulative_incidence(
    frame: pl.DataFrame,
    *,
    duration: str,
    event: str,
    group: str | None = None,
    entry: str | None = None,
    horizons: tuple[float, ...] = (),
    censored: str = "censored",
    level: float = 0.95,
) -> pl.DataFrame:
    """Return the Aalen–Johansen estimate: one row per group, state and time (0, each observed time, each horizon).

    `event` names what happened ('death', 'transplant', …) or `censored`. Columns: group, state, time, at_risk, events
    (into that state), probability, se, lower, upper, n, n_events, n_missing. States are the events and 'event_free';
    their probabilities sum to 1 at every time. se is of Greenwood type (multinomial increments), which without delayed
    entry equals R's infinitesimal jackknife; the interval is log-log, and null where the probability is 0 or 1.
    After the last observation of a group with survivors the estimates are null.
    Source: measured against survival::survfit (3.5-3) on pbc and mgus2.
    """
    what = "cumulative incidence"
    require_columns(frame, (duration, event, group, entry), what)
    code = pl.col(event).cast(pl.String)
    rows, n_missing = usable_rows(frame, what, duration=duration, event=code, group=group, entry=entry)
    states = sorted(set(rows["event"].unique()) - {censored})
    if not states:
        raise StatisticalProblem(f"{what}: no event in '{event}'; all {rows.height} rows are '{censored}'")
    if EVENT_FREE in states:
        raise StatisticalProblem(f"{what}: '{event}' calls an event '{EVENT_FREE}', the name of the initial state")
    parts = [
        _one_group(rows.filter(pl.col("group") == name), states, horizons, level).select(
            pl.lit(name).alias("group"), pl.all(), n_missing=pl.lit(n_missing, pl.Int64)
        )
        for name in sorted(rows["group"].unique())
    ]
    return pl.concat(parts)


def _one_group(rows: pl.DataFrame, states: list[str], horizons: tuple[float, ...], level: float) -> pl.DataFrame:
    """Estimate one group and lay it out long."""
    duration = rows["duration"].to_numpy()
    times = np.unique(np.concatenate([[0.0], duration, np.asarray(horizons, dtype=np.float64)]))
    ends, starts = np.sort(duration), np.sort(rows["entry"].to_numpy())
    at_risk = np.searchsorted(starts, times, side="left") - np.searchsorted(ends, times, side="left")
    counts = np.zeros((len(times), len(states)))
    for k, state in enumerate(states):
        at, number = np.unique(rows.filter(pl.col("event") == state)["duration"].to_numpy(), return_counts=True)
        counts[np.searchsorted(times, at), k] = number
    probability, variance = _aalen_johansen(at_risk, counts)
    beyond = (times > duration.max()) & (probability[:, 0] > 1e-12)
    probability[beyond] = np.nan
    names = [EVENT_FREE, *states]
    events = np.column_stack([np.zeros(len(times)), counts]).astype(np.int64)
    parts = []
    for k, name in enumerate(names):
        estimate, se = probability[:, k], np.sqrt(np.maximum(variance[:, k], 0.0))
        se = np.where(np.isnan(estimate), np.nan, se)
        lower, upper = _log_log(estimate, se, level)
        columns = {"time": times, "at_risk": at_risk.astype(np.int64), "events": events[:, k]}
        estimates = {"probability": estimate, "se": se, "lower": lower, "upper": upper}
        parts.append(pl.DataFrame({"state": [name] * len(times), **columns, **estimates}))
    return pl.concat(parts).with_columns(
        pl.col("probability", "se", "lower", "upper").fill_nan(None),
        n=pl.lit(rows.height, pl.Int64),
        n_events=pl.lit(int(counts.sum()), pl.Int64),
    )


def _aalen_johansen(at_risk: NDArray[np.int64], counts: Floats) -> tuple[Floats, Floats]:
    """Return state probabilities and their variances at each time; column 0 is the event-free state.

    With state vector p and hazard increments h, p' = p·T, and the covariance follows as T'·V·T + S²·C, where C is the
    multinomial covariance of the increments.
    """
    n_times, n_states = counts.shape
    state = np.zeros(n_states + 1)
    state[0] = 1.0
    covariance = np.zeros((n_states + 1, n_states + 1))
    # Leaving the event-free state is minus the sum of the moves into the others.
    moves = np.vstack([-np.ones(n_states), np.eye(n_states)])
    probability, variance = np.empty((n_times, n_states + 1)), np.empty((n_times, n_states + 1))
    for i in range(n_times):
        if counts[i].any():
            hazard = counts[i] / at_risk[i]
            transition = np.eye(n_states + 1)
            transition[0] += moves @ hazard
            spread = moves @ ((np.diag(hazard) - np.outer(hazard, hazard)) / at_risk[i]) @ moves.T
            covariance = transition.T @ covariance @ transition + state[0] ** 2 * spread
            state = state @ transition
        probability[i], variance[i] = state, np.diag(covariance)
    return probability, variance


def _log_log(estimate: Floats, se: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the log-log interval; NaN where the estimate is 0, 1 or unknown."""
    inside = (estimate > 1e-12) & (estimate < 1 - 1e-12)
    p = np.where(inside, estimate, 0.5)
    width = norm.ppf(0.5 + level / 2) * se / (p * np.abs(np.log(p)))
    lower, upper = p ** np.exp(width), p ** np.exp(-width)
    return np.where(inside, lower, np.nan), np.where(inside, upper, np.nan)


def incidence_at(table: pl.DataFrame, days: float) -> pl.DataFrame:
    """Read a `cumulative_incidence` table at one day: its columns, one row per group and state.

    An event on the day counts. Where nobody of a group was followed that long the estimates are null.
    """
    last = table.filter(pl.col("time") <= days).group_by("group", "state", maintain_order=True).last()
    ends = table.filter(pl.col("at_risk") > 0).group_by("group").agg(_end=pl.col("time").max())
    free = last.filter(pl.col("state") == EVENT_FREE).select("group", _free=pl.col("probability"))
    beyond = (pl.lit(days) > pl.col("_end")) & (pl.col("_free").fill_null(1.0) > 1e-12)
    return (
        last.join(ends, on="group", how="left", maintain_order="left")
        .join(free, on="group", how="left", maintain_order="left")
        .with_columns(
            *(pl.when(~beyond).then(column).alias(column) for column in ("probability", "se", "lower", "upper")),
            time=pl.lit(float(days)),
        )
        .select(table.columns)
    )
