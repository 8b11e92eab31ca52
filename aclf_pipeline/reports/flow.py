"""The flow chart: who was looked at, who left at which criterion and why, who is left (STROBE item 13).

Drawn from the attrition frame alone. Every exclusion says how many left there, how many fail this criterion and no
other, and how many fail it at all: the order of the criteria decides the first number but not the other two.

What does not belong here: deciding eligibility (science) and its criteria (protocol).
"""

from __future__ import annotations

import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, INK, PALETTE, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.layout import breadth, fold, lines_of, usable_width

COLUMNS = ("step", "criterion", "says", "entering", "leaving", "left", "failing_alone", "failing_any")
LINE = 0.165
"""Inches: one line of 8.5 point text."""
SPINE, BRANCH = (0.007, 0.326), (0.382, 0.993)
"""Shares of the width: the boxes of those remaining, and of those leaving."""


def flow_chart(
    attrition: pl.DataFrame,
    *,
    figure_id: str = "flow",
    title: str = "Flow of candidates",
    start: str = "Candidates",
    end: str = "Analysed cohort",
    events: tuple[str, int] | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Boxes down the left with those remaining, boxes to the right with those leaving and why.

    `attrition`: one row per criterion in order, columns `COLUMNS`. A criterion nobody fails stays in the chart as a
    line without a new box below it. `events`, what is counted and how often it happened among those
    analysed, goes into the caption. An empty frame is refused.
    """
    if not attrition.height:
        raise ValueError("flow_chart: the frame has no row, so there is nothing to draw.")
    tables.require("flow_chart", {"attrition": (attrition, COLUMNS)})
    rows = attrition.sort("step").rows(named=True)
    with style(figure_id):
        wide = usable_width(width)
        inside = [wide * (right - left) - 0.16 for left, right in (SPINE, BRANCH)]
        names = {name: fold(name, inside[0], 9, bold=True) for name in (start, "Remaining", end)}
        branches = [_branch_lines(row, inside[1]) for row in rows]
        gaps = [max(LINE * len(lines) + 0.14, 0.3) + 0.1 for lines in branches]
        box = {name: LINE * (1 + lines_of(folded)) + 0.16 for name, folded in names.items()}
        inner = sum(box["Remaining"] if row["leaving"] else 0.0 for row in rows[:-1])
        height = 0.25 + box[start] + box[end] + inner + sum(gaps) + 0.1
        made = sheet(height, wide)
        axis = made.add_axes((0, 0, 1, 1))
        axis.set_xlim(0, wide)
        axis.set_ylim(0, height)
        axis.axis("off")
        y = height - 0.25
        y = _spine_box(axis, y, box[start], [names[start], f"n = {tables.count(rows[0]['entering'])}"])
        for index, (row, lines, gap) in enumerate(zip(rows, branches, gaps, strict=True)):
            last = index == len(rows) - 1
            boxed = last or bool(row["leaving"])
            _branch(axis, y, gap, lines, arrow=boxed, quiet=not row["leaving"])
            y -= gap
            if boxed:
                name = end if last else "Remaining"
                y = _spine_box(axis, y, box[name], [names[name], f"n = {tables.count(row['left'])}"], strong=last)
        total, left = rows[0]["entering"], rows[-1]["left"]
        counted = "" if events is None else f"; {events[0]}: {tables.count(events[1])} events"
        caption = (
            f"{title}. N = {tables.count(total)} candidates, {tables.count(left)} analysed{counted}. In brackets: "
            f"those who fail only this criterion, and those who fail it in any order. {note}"
        )
        spoken = "; ".join(f"{row['says']}: {tables.count(row['leaving'])} left" for row in rows)
        alt = f"Flow chart. {start}: {tables.count(total)}. {spoken}. {end}: {tables.count(left)}."
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), attrition)


def _branch_lines(row: dict[str, object], inches: float) -> list[str]:
    """What an exclusion box says: the unmet criterion, how many leave, and the overlap."""
    counts = f"n = {tables.count(row['leaving'])}"
    overlap = f"(only this: {tables.count(row['failing_alone'])}; in any order: {tables.count(row['failing_any'])})"
    whole = f"{counts}  {overlap}"
    numbers = [whole] if breadth(whole) <= inches else fold(whole, inches).split("\n")
    return [*fold(f"Not met: {row['says']}", inches).split("\n"), *numbers]


def _across(axis: Axes, shares: tuple[float, float]) -> tuple[float, float]:
    """Left and right edge of a column of boxes, in inches."""
    width = float(axis.get_xlim()[1])
    return shares[0] * width, shares[1] * width


def _spine_box(axis: Axes, top: float, height: float, lines: list[str], *, strong: bool = False) -> float:
    """A box on the spine; returns its lower edge."""
    left, right = _across(axis, SPINE)
    edge, width = (PALETTE[0], 1.6) if strong else (INK, 0.9)
    axis.add_patch(_box(left, top - height, right - left, height, edge, width, "white"))
    middle, deep = (left + right) / 2, LINE * lines_of(lines[0])
    first = top - height / 2 + (deep + LINE) / 2
    axis.text(middle, first - deep / 2, lines[0], ha="center", va="center", fontweight="bold", fontsize=9)
    axis.text(middle, first - deep - LINE / 2, lines[1], ha="center", va="center", fontsize=9)
    return top - height


def _branch(axis: Axes, top: float, gap: float, lines: list[str], *, arrow: bool, quiet: bool) -> None:
    """The stretch between two spine boxes, and the exclusion box that hangs on it."""
    x = sum(_across(axis, SPINE)) / 2
    head = {"arrowstyle": "-|>", "color": FAINT, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axis.annotate("", (x, top - gap), (x, top), arrowprops=head if arrow else head | {"arrowstyle": "-"})
    height, middle = gap - 0.1, top - gap / 2
    left, right = _across(axis, BRANCH)
    axis.annotate("", (left, middle), (x, middle), arrowprops=head)
    axis.add_patch(_box(left, middle - height / 2, right - left, height, FAINT, 0.7, "#f4f4f4" if quiet else "white"))
    first = middle + LINE * (len(lines) - 1) / 2
    for index, line in enumerate(lines):
        axis.text(left + 0.08, first - index * LINE, line, ha="left", va="center", fontsize=8)


def _box(x: float, y: float, width: float, height: float, edge: str, line: float, fill: str) -> FancyBboxPatch:
    return FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.04", edgecolor=edge, facecolor=fill, linewidth=line
    )
