"""Survival figures: Kaplan-Meier with numbers at risk, cumulative incidence, forest.

Each function takes the tidy frame an estimator returns and gives a `canvas.Figure`. Time is in days. Nothing is
estimated here: curves are drawn as the frame has them, and every count in a caption is summed from the frame.

What does not belong here: estimators (science), the flow chart (flow) and page text (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import DASHES, FAINT, INK, PALETTE, Figure, Words, finish, sheet, style

EVENT_FREE = "event_free"
RIGHT = 0.96
RISK_BLOCKS = {"at_risk": "At risk", "events_so_far": "Events so far"}


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
    blocks = [] if table is None else [name for name in RISK_BLOCKS if name in table.columns]
    below = 0.19 * len(blocks) * (len(names) + 1) + 0.12 * bool(blocks)
    height = 3.68 + below
    left = 0.11 if table is None else max(0.14, min(0.42, 0.06 + 0.0092 * max(map(len, names))))
    with style(figure_id):
        made = sheet(height)
        axis = made.add_axes((left, (0.48 + below) / height, RIGHT - left, 3.0 / height))
        for index, name in enumerate(names):
            _survival_line(axis, frame.filter(pl.col("group") == name), name, index)
        _day_axis(axis, frame, ticks if table is None else table["time"].to_list(), since)
        axis.set_ylim(0, 1.02)
        axis.set_ylabel("Survival probability")
        if len(names) > 1:
            axis.legend(loc="lower left")
        if table is not None:
            strip = made.add_axes((left, 0.04 / height, RIGHT - left, (below - 0.08) / height), sharex=axis)
            _risk_strip(strip, table, names, blocks)
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
    labels: Mapping[str, str] | None = None,
    ticks: Sequence[float] = (),
    since: str = "time zero",
    level: float = 0.95,
    note: str = "",
    synthetic: bool = False,
) -> Figure:
    """Cumulative incidence of each competing event, with confidence bands.

    `curve`: one row per state (and group) and time: state, time in days, at_risk, events (into that state),
    probability, lower, upper; `group` and `n` are optional. The state of those without any event is not drawn.
    Null estimates are not drawn, null limits leave no band. `ticks` are days to mark. An empty frame is refused.
    """
    named = _named("cumulative_incidence", curve, ("state", "time", "at_risk", "events", "probability"), labels)
    frame = named.filter(pl.col("state") != EVENT_FREE)
    series = frame.select("group", "state").unique(maintain_order=True).rows()
    several = frame["group"].n_unique() > 1
    with style(figure_id):
        made = sheet(3.75)
        axis = made.add_axes((0.11, 0.55 / 3.75, RIGHT - 0.11, 3.0 / 3.75))
        for index, (group, state) in enumerate(series):
            part = frame.filter((pl.col("group") == group) & (pl.col("state") == state))
            _step(
                axis, part, "probability", f"{tables.words(state)}, {group}" if several else tables.words(state), index
            )
        _day_axis(axis, frame, ticks, since)
        top = frame.select(pl.max_horizontal("probability", *_limits(frame)).max()).item() or 1.0
        axis.set_ylim(0, min(1.02, max(0.1, 1.25 * float(top))))
        axis.set_ylabel("Cumulative incidence")
        axis.legend(loc="upper left")
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


def forest(
    coefficients: pl.DataFrame,
    *,
    figure_id: str = "forest",
    title: str,
    labels: Mapping[str, str] | None = None,
    level: float = 0.95,
    note: str = "",
    synthetic: bool = False,
) -> Figure:
    """Hazard ratios with confidence limits on a logarithmic axis, one line per term, with the numbers beside it.

    `coefficients`: term, hr, lower, upper, p, n, events; `labels` renames terms. A term whose ratio or limits are
    missing or not finite keeps its line and reads 'not estimable'. An empty frame is refused.
    """
    tables.require("forest", {"coefficients": (coefficients, ("term", "hr", "lower", "upper", "p", "n", "events"))})
    _refuse_empty("forest", coefficients)
    names = labels or {}
    rows = [row | {"label": names.get(row["term"], tables.words(row["term"]))} for row in tables.rows(coefficients)]
    height = 1.05 + 0.27 * len(rows)
    with style(figure_id):
        made = sheet(height)
        axis = made.add_axes((0.33, 0.55 / height, 0.34, 0.27 * len(rows) / height))
        for line, row in enumerate(rows):
            _forest_line(axis, line, row)
        axis.axvline(1, color=FAINT, linewidth=0.8, zorder=0)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        _ratio_axis(axis, rows)
        _beside(axis, -0.95, -0.95, "Factor", bold=True, align="left")
        _beside(axis, -0.95, 1.03, f"HR ({tables.threshold(level)} CI)", bold=True, align="left")
        _beside(axis, -0.95, 1.92, "p", bold=True, align="right")
        n, events = (coefficients[name].max() for name in ("n", "events"))
        caption = (
            f"{title}. N = {tables.count(n)}, events = {tables.count(events)}. Squares: hazard ratio; lines: "
            f"{tables.threshold(level)} confidence interval. {note}"
        ).strip()
        spoken = "; ".join(
            f"{row['label']}: {tables.ratio_interval(row['hr'], row['lower'], row['upper'])}" for row in rows
        )
        words = Words(figure_id, title, caption, f"Forest plot of hazard ratios. {spoken}.", synthetic)
        return finish(made, words, coefficients)


def _named(figure: str, frame: pl.DataFrame, needed: Sequence[str], labels: Mapping[str, str] | None) -> pl.DataFrame:
    """The frame with a text `group` under the name a reader knows; refused when empty or short of a column."""
    _refuse_empty(figure, frame)
    tables.require(figure, {"curve": (frame, needed)})
    group = pl.col("group").cast(pl.String) if "group" in frame.columns else pl.lit("all")
    return frame.with_columns(group=group.replace({"all": "All", **(labels or {})}))


def _refuse_empty(figure: str, frame: pl.DataFrame) -> None:
    if not frame.height:
        raise ValueError(f"{figure}: the frame has no row, so there is nothing to draw.")


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


def _day_axis(axis: Axes, frame: pl.DataFrame, ticks: Sequence[float], since: str) -> None:
    """Days from zero to the last time drawn or marked."""
    marked = sorted({0.0, *map(float, ticks)})
    if len(marked) > 1:
        axis.set_xticks(marked)
    axis.set_xlim(0, max(1.0, marked[-1], *frame["time"].cast(pl.Float64).to_list()))
    axis.set_xlabel(f"Days since {since}")


def _risk_strip(strip: Axes, risk: pl.DataFrame, names: Sequence[str], blocks: Sequence[str]) -> None:
    """Counts under the ticks of the curve above: a block for each kind of count, a line in it for each group."""
    strip.set_ylim(len(blocks) * (len(names) + 1), 0)
    strip.axis("off")
    beside = strip.get_yaxis_transform()
    for place, block in enumerate(blocks):
        top = place * (len(names) + 1)
        strip.text(0, top + 0.5, RISK_BLOCKS[block], transform=beside, va="center", fontweight="bold", fontsize=8)
        for index, name in enumerate(names):
            colour = PALETTE[index % len(PALETTE)] if len(names) > 1 else INK
            line = top + index + 1.5
            strip.text(-0.045, line, name, transform=beside, ha="right", va="center", color=colour, fontsize=8)
            for row in risk.filter(pl.col("group") == name).iter_rows(named=True):
                strip.text(row["time"], line, tables.count(row[block]), ha="center", va="center", fontsize=8)


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


def _forest_line(axis: Axes, line: int, row: dict[str, Any]) -> None:
    """One term: square and line on the axis, name to the left, ratio and p to the right."""
    usable = all(tables.known(row[key]) and row[key] > 0 for key in ("hr", "lower", "upper"))
    if usable:
        axis.plot([row["lower"], row["upper"]], [line, line], color=PALETTE[0], linewidth=1.4, clip_on=True)
        axis.plot([row["hr"]], [line], marker="s", markersize=5.5, color=PALETTE[0], linestyle="none")
    text = tables.ratio_interval(row["hr"], row["lower"], row["upper"]) if usable else "not estimable"
    _beside(axis, line, -0.95, row["label"], align="left")
    _beside(axis, line, 1.03, text, align="left")
    _beside(axis, line, 1.92, tables.p_value(row["p"]), align="right")


def _beside(axis: Axes, line: float, x: float, text: str, *, align: str, bold: bool = False) -> None:
    """Text beside the axis at the height of a line; x in widths of the axis."""
    axis.text(
        x,
        line,
        text,
        transform=axis.get_yaxis_transform(),
        ha=align,
        va="center",
        fontsize=8.5,
        fontweight="bold" if bold else "normal",
        clip_on=False,
    )


def _ratio_axis(axis: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """A logarithmic axis wide enough for every usable interval, with ticks a reader knows."""
    axis.set_xscale("log")
    usable = [row[key] for row in rows for key in ("lower", "upper") if tables.known(row[key]) and row[key] > 0]
    low, high = min([0.5, *usable]), max([2.0, *usable])
    low, high = max(low / 1.1, 0.01), min(high * 1.1, 100.0)
    ladder = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    axis.set_xlim(low, high)
    axis.xaxis.set_major_locator(FixedLocator([tick for tick in ladder if low <= tick <= high]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_xlabel("Hazard ratio (log scale)")
