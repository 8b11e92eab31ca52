"""Follow-up in episodes: covariates that change on the way, and coefficients that change with time.

A person becomes several rows (start, stop], the event on the last: cut at fixed times (R's survSplit), at changes of a
covariate (R's tmerge with tdc), or at every event time for a coefficient β + θ·g(t) (R's tt()). A value holds from
after its time: nobody's covariate knows what happens later (Therneau & Grambsch 2000, Modeling Survival Data, ch. 3.7,
6.5).

Tests of proportional hazards (proportional_hazards) and the models themselves (cox, cox_fit) do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from scipy.stats import norm

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import ChiSquare, CoxFit
from aclf_pipeline.science.problems import StatisticalProblem, event_flag, require_columns
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints

WHAT = "episodes"
START, STOP, EPISODE = "start", "stop", "episode"


def split_at(
    frame: pl.DataFrame, duration: str, event: str, cuts: Sequence[float], *, entry: str | None = None
) -> pl.DataFrame:
    """Cut each row's follow-up at fixed times; one row per person and episode, all columns kept.

    Adds start, stop (same unit as `duration`), episode (0 before the first cut); `event` is yes on the last episode
    only. A person observed to a cut exactly ends in the episode before it. Missing times are refused, as are cuts that
    do not rise or are not above 0. Raises StatisticalProblem.
    """
    require_columns(frame, (duration, event, entry), WHAT)
    edges = np.asarray(cuts, dtype=np.float64)
    if not len(edges) or not (edges > 0).all() or not (np.diff(edges) > 0).all():
        raise StatisticalProblem(f"{WHAT}: cuts are above 0 and rise, not {', '.join(f'{cut:g}' for cut in edges)}")
    rows = _observed(frame, duration, event, entry)
    bounds = [0.0, *edges.tolist(), np.inf]
    parts = [
        rows.filter((pl.col(STOP) > low) & (pl.col(START) < high)).with_columns(
            pl.max_horizontal(START, pl.lit(low)).alias(START),
            pl.min_horizontal(STOP, pl.lit(high)).alias(STOP),
            (pl.col(event) & (pl.col(STOP) <= high)).alias(event),
            pl.lit(number, pl.Int64).alias(EPISODE),
        )
        for number, (low, high) in enumerate(pairwise(bounds))
    ]
    return pl.concat(parts).sort("_row", EPISODE).drop("_row")


def with_changes(
    frame: pl.DataFrame,
    key: str,
    duration: str,
    event: str,
    changes: pl.DataFrame,
    *,
    value: str,
    initial: float | None = None,
    entry: str | None = None,
) -> pl.DataFrame:
    """Let one covariate change on the way: rows (start, stop] between changes, the last value carried forward.

    frame: one row per person, `key` unique. changes: key, 'time' (unit of `duration`) and the column `value`. A value
    of time t holds after t; one at or before entry (time 0 without entry) is the value at the start, `initial` if there
    is none; one at or after the end is not used. Of several at one time the last row counts. Returns the frame's
    columns with start, stop, `value`, `event` on the last episode. Raises StatisticalProblem for doubled keys, unknown
    keys and missing times.
    """
    require_columns(frame, (key, duration, event, entry), WHAT)
    require_columns(changes, (key, "time", value), WHAT)
    problems = []
    if frame[key].is_duplicated().any():
        problems.append(f"'{key}' is not one row per person")
    stray = changes.join(frame, on=key, how="anti").height
    if stray:
        problems.append(f"{stray} changes are of nobody in the frame")
    if changes["time"].null_count():
        problems.append(f"{changes['time'].null_count()} changes have no time")
    if problems:
        raise StatisticalProblem(f"{WHAT}: " + "; ".join(problems))
    rows = _observed(frame, duration, event, entry)
    timed = changes.select(key, pl.col("time").cast(pl.Float64), pl.col(value).cast(pl.Float64).alias("_value"))
    joined = timed.join(rows.select(key, START, STOP), on=key).filter(pl.col("time") < pl.col(STOP))
    steps = joined.with_columns(pl.max_horizontal("time", START).alias("_from"), _order=pl.int_range(pl.len())).sort(
        key, "time", "_order"
    )
    steps = steps.unique([key, "_from"], keep="last", maintain_order=True).select(key, "_from", "_value")
    opening = rows.select(key, pl.col(START).alias("_from"), pl.lit(initial, pl.Float64).alias("_value"))
    opening = opening.join(steps, on=[key, "_from"], how="anti")
    pieces = pl.concat([opening, steps]).sort(key, "_from")
    pieces = pieces.with_columns(pl.col("_from").shift(-1).over(key).alias("_until"))
    result = rows.drop(value, strict=False).join(pieces, on=key, how="left", maintain_order="left_right")
    return result.sort("_row", "_from").select(
        *[column for column in frame.columns if column not in (event, value)],
        (pl.col(event) & pl.col("_until").is_null()).alias(event),
        pl.col("_from").alias(START),
        pl.coalesce("_until", STOP).alias(STOP),
        pl.col("_value").alias(value),
    )


def _observed(frame: pl.DataFrame, duration: str, event: str, entry: str | None) -> pl.DataFrame:
    """The frame with start, stop and event of each row, numbered."""
    taken = sorted({START, STOP, EPISODE} & set(frame.columns) - {duration, entry})
    if taken:
        raise StatisticalProblem(f"{WHAT}: the frame has columns {', '.join(taken)} already")
    begin = pl.col(entry).cast(pl.Float64) if entry else pl.lit(0.0)
    rows = frame.with_columns(
        begin.alias(START),
        pl.col(duration).cast(pl.Float64).alias(STOP),
        event_flag(frame, event, WHAT).alias(event),
        _row=pl.int_range(pl.len()),
    )
    bad = rows.filter(pl.any_horizontal(pl.col(START, STOP, event).is_null()) | (pl.col(START) >= pl.col(STOP))).height
    if bad:
        raise StatisticalProblem(f"{WHAT}: {bad} rows lack a time or event, or do not begin before they end")
    return rows


@dataclass(frozen=True)
class PiecewiseRatios:
    """The hazard ratio of one column in each span of time, and the test that they are all one.

    table: from, to (null: the end), events, log_hr, se, hr, lower, upper, p. constant: likelihood ratio against one
    ratio for all spans. fit: the model of all spans, whose columns are '<name> (<from>, <to>]'.
    """

    table: pl.DataFrame
    constant: ChiSquare
    fit: CoxFit


def piecewise_ratios(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    column: str,
    cuts: Sequence[float],
    *,
    start: Floats | None = None,
    strata: Ints | None = None,
    level: float = 0.95,
) -> PiecewiseRatios:
    """Fit one column's coefficient anew in each span between cuts, the others constant.

    Arguments as `cox_fit.fit_cox`, one row per person; cuts above 0, rising. Raises StatisticalProblem as that, also
    for a span without events.
    """
    rows, begin, end, died = _cut(stop, event, start, np.asarray(cuts, dtype=np.float64))
    j, x = _place(names, column), design[rows]
    span = np.searchsorted(np.asarray(cuts), end, side="left")
    spans = len(cuts) + 1
    counts = np.bincount(span[died], minlength=spans)
    edges = [0.0, *map(float, cuts), None]
    if not counts.all():
        raise StatisticalProblem(f"{WHAT}: no event in span {int(np.argmin(counts)) + 1} of {spans}")
    labels = [
        f"{column} ({edges[k]:g}, {'end' if edges[k + 1] is None else f'{edges[k + 1]:g}'}]" for k in range(spans)
    ]
    wide = np.column_stack([np.delete(x, j, axis=1), *(x[:, j] * (span == k) for k in range(spans))])
    others = [name for name in names if name != column]
    layers = None if strata is None else np.asarray(strata)[rows]
    fit = fit_cox(end, died, wide, [*others, *labels], start=begin, strata=layers)
    one = fit_cox(end, died, x, names, start=begin, strata=layers)
    beta, se = fit.coef[len(others) :], fit.se[len(others) :]
    z = float(norm.ppf(0.5 + level / 2))
    table = pl.DataFrame(
        {
            "from": edges[:-1],
            "to": pl.Series(edges[1:], dtype=pl.Float64),
            "events": counts,
            "log_hr": beta,
            "se": se,
            "hr": np.exp(beta),
            "lower": np.exp(beta - z * se),
            "upper": np.exp(beta + z * se),
            "p": 2 * norm.sf(np.abs(beta / se)),
        }
    )
    return PiecewiseRatios(table, ChiSquare.of(2 * (fit.loglik - one.loglik), spans - 1), fit)


def fit_changing_coefficient(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    column: str,
    change: Callable[[Floats], Floats],
    *,
    start: Floats | None = None,
    strata: Ints | None = None,
) -> CoxFit:
    """Fit β + θ·g(t) for one column: the model gains a column '<name> × g(t)', exactly, episode by episode.

    change: g, of event times; the rest as `cox_fit.fit_cox`, one row per person. Rows grow to persons × event times
    lived through. Raises StatisticalProblem as that.
    """
    events = np.unique(np.asarray(stop, dtype=np.float64)[np.asarray(event, dtype=bool)])
    rows, begin, end, died = _cut(stop, event, start, events)
    x = np.asarray(design, dtype=np.float64)[rows]
    moving = x[:, _place(names, column)] * np.asarray(change(end), dtype=np.float64)
    layers = None if strata is None else np.asarray(strata)[rows]
    return fit_cox(end, died, np.column_stack([x, moving]), [*names, f"{column} × g(t)"], start=begin, strata=layers)


def _place(names: Sequence[str], column: str) -> int:
    """Find a column."""
    if column not in names:
        raise StatisticalProblem(f"{WHAT}: there is no '{column}'; there are {', '.join(names)}")
    return list(names).index(column)


def _cut(stop: Floats, event: Bools, start: Floats | None, cuts: Floats) -> tuple[Ints, Floats, Floats, Bools]:
    """Cut rows at rising times: row of origin, start, stop and event of each episode."""
    end, n = np.asarray(stop, dtype=np.float64), len(stop)
    begin = np.full(n, -np.inf) if start is None else np.asarray(start, dtype=np.float64)
    if not len(cuts) or not (np.diff(cuts) > 0).all():
        raise StatisticalProblem(f"{WHAT}: cuts rise")
    first, last = np.searchsorted(cuts, begin, "right"), np.searchsorted(cuts, end, "left")
    rows = np.repeat(np.arange(n), last - first + 1)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(last - first + 1) - (last - first + 1), last - first + 1)
    piece = first[rows] + within
    bounds = np.concatenate([[-np.inf], cuts, [np.inf]])
    ends = piece == last[rows]
    return (
        rows,
        np.maximum(bounds[piece], begin[rows]),
        np.minimum(bounds[piece + 1], end[rows]),
        np.asarray(event, dtype=bool)[rows] & ends,
    )
