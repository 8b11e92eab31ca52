"""The nomogram drawn: an axis of points, one per covariate, total points, and survival at horizons.

From the three frames of `science.nomogram`, at any width: labels of an axis that would touch go above and below it in
turn, and those that still would are left out of a number's axis (never out of a category's).

What does not belong here: counting points (science), and whether a model deserves a nomogram (the analysis plan).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, INK, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.forests import refuse_empty
from aclf_pipeline.reports.layout import PLAIN, breadth, fold, lines_of, place, usable_width, widest, write

LABEL, TICK, LANE = 7.5, 0.05, 0.13
"""Points of a mark's label; inches of a tick; inches of a lane of labels."""
ROW, NARROW, HEAD_LINE = 0.42, 4.8, 0.165
"""Inches: an axis with one lane below it; a sheet on which names stand above their axes; a line of a name."""
Mark = tuple[float, str]
Laid = tuple[float, str, float, int]


def nomogram(
    points: pl.DataFrame,
    total: pl.DataFrame,
    survival: pl.DataFrame,
    *,
    figure_id: str = "nomogram",
    title: str,
    labels: Mapping[str, str] | None = None,
    outcome: str = "survival",
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Draw the nomogram of `science.nomogram`.

    `points`: variable, value (label), points; `total`: points; `survival`: horizon (days), survival, points. `labels`
    renames variables. Empty frames of points are refused.
    """
    tables.require("nomogram", {"points": (points, ("variable", "value", "points")), "total": (total, ("points",)),
                                "survival": (survival, ("horizon", "survival", "points"))})  # fmt: skip
    refuse_empty("nomogram", points)
    variables = points["variable"].unique(maintain_order=True).to_list()
    names = [(labels or {}).get(name, tables.words(name)) for name in variables]
    horizons = survival["horizon"].unique(maintain_order=True).to_list()
    feet = [f"{tables.number(horizon)}-day {outcome}" for horizon in horizons]
    with style(figure_id):
        wide = usable_width(width)
        heads = ["Points", *names, "Total points", *feet]
        narrow = wide < NARROW
        room = min(widest(heads, PLAIN, bold=True), 0.32 * wide)
        folded = [fold(head, wide - 0.12 if narrow else room, PLAIN, bold=True) for head in heads]
        left = 0.2 if narrow else room + 0.26
        inches = wide - left - 0.3
        reach = max(float(total["points"].max() or 100), 1.0)  # type: ignore[arg-type]
        rows = [_laid(marks, inches, every=every) for marks, every in _rows(points, survival, inches, reach)]
        deep = [
            max(ROW + LANE * (lanes - 1), (HEAD_LINE * lines_of(head) + 0.1) * (not narrow))
            + (HEAD_LINE * lines_of(head) + LANE * (lanes > 1)) * narrow
            for head, (_, lanes) in zip(folded, rows, strict=True)
        ]
        made = sheet(sum(deep) + 0.3, wide)
        height = float(made.get_size_inches()[1])
        axis = place(made, left, 0, inches, height)
        axis.set_xlim(0, inches)
        axis.set_ylim(0, height)
        axis.axis("off")
        _axes(made, axis, list(zip(folded, rows, deep, strict=True)), narrow=narrow)
        caption = (
            f"{title}. Read the points of each value straight up, add them, and read {outcome} straight down from the "
            f"total. {note}"
        )
        spoken = "; ".join(
            f"{name} up to {tables.number(points.filter(pl.col('variable') == key)['points'].max())} points"
            for key, name in zip(variables, names, strict=True)
        )
        data = pl.concat([points, total.select("points"), survival], how="diagonal_relaxed")
        return finish(made, Words(figure_id, title, caption.strip(), f"Nomogram. {spoken}.", synthetic), data)


def _axes(made: Sheet, axis: Axes, rows: Sequence[tuple[str, tuple[list[Laid], int], float]], *, narrow: bool) -> None:
    """Each name and its axis, from the top: beside each other, or on a narrow sheet the name above."""
    top = float(made.get_size_inches()[1]) - 0.24
    for head, (marks, _), tall in rows:
        lines = HEAD_LINE * lines_of(head)
        y = top - tall / 2 if not narrow else top - lines - 0.08 - LANE * any(lane == 1 for _, _, _, lane in marks)
        write(made, 0.06, top - lines / 2 if narrow else y, head, size=PLAIN, fontweight="bold", va="center")
        _ruled(axis, y, marks)
        top -= tall


def _rows(points: pl.DataFrame, survival: pl.DataFrame, inches: float, reach: float) -> list[tuple[list[Mark], bool]]:
    """The marks of each axis from the top, and whether every label must stay (a category's must)."""
    rows: list[tuple[list[Mark], bool]] = [([(mark / 100 * inches, f"{mark}") for mark in range(0, 101, 10)], False)]
    for _, part in points.group_by("variable", maintain_order=True):
        marks = [(row["points"] / 100 * inches, row["value"]) for row in part.iter_rows(named=True)]
        rows.append((marks, not all(_is_number(value) for value in part["value"])))
    rows.append(([(mark / reach * inches, f"{mark:g}") for mark in _totals(reach)], False))
    for _, part in survival.group_by("horizon", maintain_order=True):
        within = part.filter(pl.col("points").is_between(0, reach))
        rows.append(
            ([(row["points"] / reach * inches, tables.percent(row["survival"], 0)) for row in within.rows(named=True)],
             False)
        )  # fmt: skip
    return rows


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _totals(reach: float) -> list[float]:
    """Marks of the axis of total points."""
    step = next(step for step in (10, 20, 25, 50, 100, 200, 500, 1000) if reach / step <= 12)
    return [float(mark) for mark in range(0, int(reach) + 1, step)]


def _laid(marks: Sequence[Mark], inches: float, *, every: bool) -> tuple[list[Laid], int]:
    """Each mark with its label, the label's middle, and its lane: 0 below the axis, 1 above, 2, 3 … further below.

    Labels stay within the axis and leave each other room; a number's that would not is left out (lane −1).
    """
    taken: list[float] = []
    found: list[Laid] = []
    for x, label in sorted(marks):
        half = breadth(label, LABEL) / 2 + 0.035
        at = min(max(x, half - 0.15), inches - half + 0.25)
        lane = next((k for k, end in enumerate(taken) if end <= at - half), len(taken))
        if lane >= 1 and not every:
            found.append((x, label, at, -1))
            continue
        if lane == len(taken):
            taken.append(-9.0)
        taken[lane] = at + half
        found.append((x, label, at, lane))
    return found, max(1, len(taken))


def _ruled(axis: Axes, y: float, marks: Sequence[Laid]) -> None:
    """A line with its ticks and labels."""
    if not marks:
        axis.text(0, y, "not within reach of the model", fontsize=LABEL, va="center", color=FAINT)
        return
    axis.plot([marks[0][0], marks[-1][0]], [y, y], color=INK, linewidth=0.9)
    for x, label, at, lane in marks:
        axis.plot([x, x], [y, y + TICK], color=INK, linewidth=0.8)
        if lane < 0:
            continue
        down = y - 0.04 - LANE * max(0, lane - 1)
        if lane == 1:
            axis.text(at, y + 0.075, label, fontsize=LABEL, ha="center", va="bottom")
        else:
            axis.text(at, down, label, fontsize=LABEL, ha="center", va="top")
