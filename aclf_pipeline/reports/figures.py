"""Survival figures: Kaplan–Meier and cumulative incidence, with the numbers at risk aligned under the axis.

Each function takes the tidy frame an estimator returns and gives a `canvas.Figure`. Time is in days. Nothing is
estimated here: curves are drawn as the frame has them, and every count in a caption is summed from the frame. At any
width labels are folded and ticks thinned until nothing runs into anything.

What does not belong here: estimators (science), forests (forests), the flow chart (flow) and page text (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import DASHES, INK, PALETTE, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.forests import forest as forest
from aclf_pipeline.reports.forests import refuse_empty
from aclf_pipeline.reports.layout import (
    LINE,
    SMALL,
    breadth,
    fold,
    lines_of,
    place,
    roomy_ticks,
    usable_width,
    widest,
)

EVENT_FREE = "event_free"
KEY: dict[str, Any] = {"frameon": True, "framealpha": 0.8, "edgecolor": "none", "borderpad": 0.2}
"""A key inside an axis stands on white through which a band is just seen."""
RISK_BLOCKS = {"at_risk": "At risk", "events_so_far": "Events so far"}
AXIS_HEIGHT, TOP, RIGHT = 3.0, 0.24, 0.25
BELOW_AXIS, BESIDE_AXIS, BETWEEN = 0.5, 0.62, 0.06
"""Inches: tick labels and axis label below an axis, and beside it; between the blocks of the table."""


def km(
    curve: pl.DataFrame,
    *,
    figure_id: str = "km",
    title: str,
    risk: pl.DataFrame | None = None,
    labels: Mapping[str, str] | None = None,
    ticks: Sequence[float] = (),
    outcome: str = "event",
    since: str = "time zero",
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Kaplan-Meier curves with confidence bands and, if `risk` is given, numbers at risk under the axis.

    `curve`: one row per (group and) time: time in days, at_risk, events, censored, survival, lower, upper; `group` and
    `n` are optional. `risk`: (group,) time, at_risk, events_so_far; its times become the ticks of the axis, else
    `ticks` do. `labels` renames groups. Null survival is not drawn, a null limit leaves no band. `level` is the
    confidence level of the limits, for the caption. An empty frame is refused.
    """
    frame = _named("km", curve, ("time", "at_risk", "events", "censored", "survival"), labels)
    table = None if risk is None or not risk.height else _named("km", risk, ("time", "at_risk"), labels)
    names = frame["group"].unique(maintain_order=True).to_list()
    with style(figure_id):
        made, axis, inches = _curve_sheet(table, names, usable_width(width))
        for index, name in enumerate(names):
            _survival_line(axis, frame.filter(pl.col("group") == name), _folded(name, inches), index)
        _day_axis(axis, frame, ticks if table is None else table["time"].unique().sort().to_list(), since, inches)
        axis.set_ylim(0, 1.02)
        axis.set_ylabel("Survival probability")
        if len(names) > 1:
            axis.legend(loc="lower left", fontsize=SMALL, **KEY)
        _risk_strip(made, axis, table, names, inches)
        caption = (
            f"{title}. N = {tables.count(_persons(frame))}, events ({outcome}) = "
            f"{tables.count(frame['events'].sum())}. Shaded: {tables.threshold(level)} confidence band; "
            f"ticks: censored. {note}"
        )
        alt = f"Kaplan-Meier curves from {since}. {_spoken_survival(frame, names, outcome)}."
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), curve)


def cumulative_incidence(
    curve: pl.DataFrame,
    *,
    figure_id: str = "incidence",
    title: str,
    risk: pl.DataFrame | None = None,
    labels: Mapping[str, str] | None = None,
    ticks: Sequence[float] = (),
    since: str = "time zero",
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Cumulative incidence of each competing event, with confidence bands and, with `risk`, numbers at risk below.

    `curve`: one row per state (and group) and time: state, time in days, at_risk, events (into that state),
    probability, lower, upper; `group` and `n` are optional. The state of those without any event is not drawn.
    `risk` as for `km`. Null estimates are not drawn, null limits leave no band. `ticks` are days to mark, the times of
    `risk` if there are any. An empty frame is refused.
    """
    named = _named("cumulative_incidence", curve, ("state", "time", "at_risk", "events", "probability"), labels)
    frame = named.filter(pl.col("state") != EVENT_FREE)
    series = frame.select("group", "state").unique(maintain_order=True).rows()
    groups = frame["group"].unique(maintain_order=True).to_list()
    several = len(groups) > 1
    table = None if risk is None or not risk.height else _named("incidence", risk, ("time", "at_risk"), labels)
    with style(figure_id):
        made, axis, inches = _curve_sheet(table, groups, usable_width(width))
        for index, (group, state) in enumerate(series):
            part = frame.filter((pl.col("group") == group) & (pl.col("state") == state))
            label = f"{tables.words(state)}, {group}" if several else tables.words(state)
            _step(axis, part, "probability", _folded(label, inches), index)
        _day_axis(axis, frame, ticks if table is None else table["time"].unique().sort().to_list(), since, inches)
        top = frame.select(pl.max_horizontal("probability", *_limits(frame)).max()).item() or 1.0
        axis.set_ylim(0, min(1.02, max(0.1, 1.25 * float(top))))
        axis.set_ylabel("Cumulative incidence")
        axis.legend(loc="upper left", fontsize=SMALL, **KEY)
        _risk_strip(made, axis, table, groups, inches)
        counts = ", ".join(
            f"{state} = {tables.count(frame.filter(pl.col('state') == state)['events'].sum())}"
            for state in frame["state"].unique(maintain_order=True)
        )
        caption = (
            f"{title}. N = {tables.count(_persons(frame))}, events: {counts}. "
            f"Shaded: {tables.threshold(level)} confidence band. {note}"
        )
        alt = f"Rising step curves from {since}. {_spoken_incidence(frame, several)}."
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), curve)


def _named(figure: str, frame: pl.DataFrame, needed: Sequence[str], labels: Mapping[str, str] | None) -> pl.DataFrame:
    """The frame with a text `group` under the name a reader knows; refused when empty or short of a column."""
    refuse_empty(figure, frame)
    tables.require(figure, {"curve": (frame, needed)})
    group = pl.col("group").cast(pl.String) if "group" in frame.columns else pl.lit("all")
    return frame.with_columns(group=group.replace({"all": "All", **(labels or {})}))


def _persons(frame: pl.DataFrame) -> int:
    """Persons behind a curve: `n` of each group where the frame has it, else its largest risk set."""
    counted = "n" if "n" in frame.columns else "at_risk"
    return int(frame.group_by("group").agg(pl.col(counted).max())[counted].sum())


def _limits(frame: pl.DataFrame) -> list[str]:
    return [name for name in ("lower", "upper") if name in frame.columns]


def _survival_line(axis: Axes, part: pl.DataFrame, name: str, index: int) -> None:
    """One curve with its band and a tick wherever somebody was censored."""
    _step(axis, part, "survival", name, index)
    ticks = part.filter((pl.col("censored") > 0) & pl.col("survival").is_finite())
    axis.plot(
        ticks["time"].to_list(),
        ticks["survival"].to_list(),
        linestyle="none",
        marker="|",
        markersize=5,
        markeredgewidth=0.7,
        color=PALETTE[index % len(PALETTE)],
    )


def _step(axis: Axes, part: pl.DataFrame, value: str, label: str, index: int) -> None:
    """A right-continuous step curve, with its band where both limits are known."""
    colour = PALETTE[index % len(PALETTE)]
    line = part.filter(pl.col(value).is_finite())
    axis.step(
        line["time"].to_list(),
        line[value].to_list(),
        where="post",
        label=label,
        color=colour,
        linewidth=1.6,
        linestyle=DASHES[index % len(DASHES)],
    )
    if len(_limits(part)) == 2:
        banded = line.filter(pl.col("lower").is_finite() & pl.col("upper").is_finite())
        time, lower, upper = (banded[name].to_list() for name in ("time", "lower", "upper"))
        axis.fill_between(time, lower, upper, step="post", color=colour, alpha=0.16, linewidth=0)


def _blocks(table: pl.DataFrame | None) -> list[str]:
    return [] if table is None else [name for name in RISK_BLOCKS if name in table.columns]


def _side(table: pl.DataFrame | None, names: Sequence[str], width: float) -> tuple[float, list[str]]:
    """Inches left of the axis, and the names of the table's lines folded into them."""
    if table is None:
        return BESIDE_AXIS, list(names)
    most = 0.36 * width
    folded = [fold(name, most, SMALL) for name in names]
    return max(BESIDE_AXIS, widest(folded) + 0.12 + _count_width(table) / 2), folded


def _count_width(table: pl.DataFrame) -> float:
    counts = [tables.count(value) for block in _blocks(table) for value in table[block].to_list()]
    return widest(counts)


def _curve_sheet(table: pl.DataFrame | None, names: Sequence[str], width: float) -> tuple[Sheet, Axes, float]:
    """A sheet with one axis, room for the table below it, and the axis's breadth in inches."""
    left, folded = _side(table, names, width)
    lines = sum(1 + sum(map(lines_of, folded)) for _ in _blocks(table))
    below = BELOW_AXIS + (LINE * lines + BETWEEN * len(_blocks(table)) + 0.1 if lines else 0.0)
    made = sheet(TOP + AXIS_HEIGHT + below, width)
    inches = width - left - RIGHT
    return made, place(made, left, below, inches, AXIS_HEIGHT), inches


def _folded(label: str, inches: float) -> str:
    """A label of the legend, which stands inside the axis."""
    return fold(label, max(1.0, 0.62 * inches), SMALL)


def _day_axis(axis: Axes, frame: pl.DataFrame, ticks: Sequence[float], since: str, inches: float) -> None:
    """Days from zero to the last time drawn or marked; of the ticks those that leave each other room."""
    marked = sorted({0.0, *map(float, ticks)})
    last = max(1.0, marked[-1], *frame["time"].cast(pl.Float64).to_list())
    if len(marked) > 1:
        axis.set_xticks(roomy_ticks(marked, [f"{tick:g}" for tick in marked], 0, last, inches, 9))
    axis.set_xlim(0, last)
    axis.set_xlabel(f"Days since {since}")


def _risk_strip(made: Sheet, axis: Axes, risk: pl.DataFrame | None, names: Sequence[str], inches: float) -> None:
    """Counts under the ticks of the curve above: a block for each kind of count, a line in it for each group.

    Only at ticks whose counts leave each other room, of which the first is time 0.
    """
    if risk is None:
        return
    width, height = made.get_size_inches()
    left, folded = _side(risk, names, float(width))
    blocks, last = _blocks(risk), axis.get_xlim()[1]
    times = risk["time"].unique().sort().to_list()
    counts = [tables.count(value) for block in blocks for value in risk[block].to_list()]
    shown = set(roomy_ticks(times, counts, 0, last, inches))
    y = (LINE * (1 + sum(map(lines_of, folded))) + BETWEEN) * len(blocks) + 0.02
    beside = left - 0.08 - max(map(breadth, counts), default=0.0) / 2
    for block in blocks:
        made.text(
            left / width, (y - LINE / 2) / height, RISK_BLOCKS[block], va="center", fontweight="bold", fontsize=SMALL
        )
        y -= LINE
        for index, (name, label) in enumerate(zip(names, folded, strict=True)):
            deep = LINE * lines_of(label)
            colour = PALETTE[index % len(PALETTE)] if len(names) > 1 else INK
            middle = (y - deep / 2) / height
            made.text(beside / width, middle, label, ha="right", va="center", color=colour, fontsize=SMALL)
            for row in risk.filter((pl.col("group") == name) & pl.col("time").is_in(list(shown))).iter_rows(named=True):
                x = (left + inches * float(row["time"]) / last) / width
                made.text(x, middle, tables.count(row[block]), ha="center", va="center", fontsize=SMALL)
            y -= deep
        y -= BETWEEN


def _spoken_survival(frame: pl.DataFrame, names: Sequence[str], outcome: str) -> str:
    """The curves in words: where each ends."""
    parts = []
    for name in names:
        part = frame.filter((pl.col("group") == name) & pl.col("survival").is_finite())
        end = part.row(-1, named=True)
        parts.append(
            f"{name}: {tables.count(_persons(part))} persons, {outcome} {tables.count(part['events'].sum())}, "
            f"survival {tables.percent(end['survival'])} at day {tables.count(end['time'])}"
        )
    return "; ".join(parts)


def _spoken_incidence(frame: pl.DataFrame, several: bool) -> str:
    ends = frame.filter(pl.col("probability").is_finite()).group_by("group", "state", maintain_order=True).last()
    return "; ".join(
        f"{row['state']}{', ' + row['group'] if several else ''}: {tables.percent(row['probability'])} by day "
        f"{tables.count(row['time'])}"
        for row in ends.iter_rows(named=True)
    )
