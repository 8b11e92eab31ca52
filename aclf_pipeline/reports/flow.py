"""The flow chart: who was looked at, who left at which criterion and why, who is left (STROBE item 13).

Drawn from the attrition frame alone. Every exclusion says how many left there, how many fail this criterion and no
other, and how many fail it at all: the order of the criteria decides the first number but not the other two.

What does not belong here: deciding eligibility (science) and its criteria (protocol).
"""

from __future__ import annotations

import unicodedata

import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, INK, PALETTE, WIDTH, Figure, Words, finish, sheet, style

COLUMNS = ("step", "criterion", "says", "entering", "leaving", "left", "failing_alone", "failing_any")
LINE = 0.165
"""Inches: one line of 8.5 point text."""
SPINE = (0.05, 2.35)
BRANCH = (2.75, WIDTH - 0.05)


def flow_chart(
    attrition: pl.DataFrame,
    *,
    figure_id: str = "flow",
    title: str = "Flow of candidates",
    start: str = "Candidates",
    end: str = "Analysed cohort",
    events: tuple[str, int] | None = None,
    note: str = "",
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
    branches = [_branch_lines(row) for row in rows]
    gaps = [max(LINE * len(lines) + 0.14, 0.3) + 0.1 for lines in branches]
    box = 2 * LINE + 0.16
    inner = sum(box if row["leaving"] else 0.0 for row in rows[:-1])
    height = 0.25 + 2 * box + inner + sum(gaps) + 0.1
    with style(figure_id):
        made = sheet(height)
        axis = made.add_axes((0, 0, 1, 1))
        axis.set_xlim(0, WIDTH)
        axis.set_ylim(0, height)
        axis.axis("off")
        y = height - 0.25
        y = _spine_box(axis, y, box, [start, f"n = {tables.count(rows[0]['entering'])}"])
        for index, (row, lines, gap) in enumerate(zip(rows, branches, gaps, strict=True)):
            last = index == len(rows) - 1
            boxed = last or bool(row["leaving"])
            _branch(axis, y, gap, lines, arrow=boxed, quiet=not row["leaving"])
            y -= gap
            if boxed:
                name = end if last else "Remaining"
                y = _spine_box(axis, y, box, [name, f"n = {tables.count(row['left'])}"], strong=last)
        total, left = rows[0]["entering"], rows[-1]["left"]
        counted = "" if events is None else f"; {events[0]}: {tables.count(events[1])} events"
        caption = (
            f"{title}. N = {tables.count(total)} candidates, {tables.count(left)} analysed{counted}. In brackets: "
            f"those who fail only this criterion, and those who fail it in any order. {note}"
        )
        spoken = "; ".join(f"{row['says']}: {tables.count(row['leaving'])} left" for row in rows)
        alt = f"Flow chart. {start}: {tables.count(total)}. {spoken}. {end}: {tables.count(left)}."
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), attrition)


def _branch_lines(row: dict[str, object]) -> list[str]:
    """What an exclusion box says: the unmet criterion, how many leave, and the overlap."""
    counts = f"n = {tables.count(row['leaving'])}"
    overlap = f"(only this: {tables.count(row['failing_alone'])}; in any order: {tables.count(row['failing_any'])})"
    return [*wrap(f"Not met: {row['says']}", 66), f"{counts}  {overlap}"]


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most so many columns; a Chinese character takes two and may end a line."""
    lines, current, used = [], "", 0
    for piece in _pieces(text):
        size = sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in piece)
        if current and used + size > width:
            lines.append(current.rstrip())
            current, used = piece.lstrip(), len(piece.lstrip())
        else:
            current, used = current + piece, used + size
    return [*lines, current.rstrip()] if current.strip() else lines


def _pieces(text: str) -> list[str]:
    """Words with the blank before them; each wide character on its own."""
    pieces: list[str] = []
    for mark in text:
        wide = unicodedata.east_asian_width(mark) in "WF"
        after_wide = bool(pieces) and unicodedata.east_asian_width(pieces[-1][-1]) in "WF"
        if not pieces or wide or after_wide or mark == " ":
            pieces.append(mark)
        else:
            pieces[-1] += mark
    return pieces


def _spine_box(axis: Axes, top: float, height: float, lines: list[str], *, strong: bool = False) -> float:
    """A box on the spine; returns its lower edge."""
    left, right = SPINE
    edge, width = (PALETTE[0], 1.6) if strong else (INK, 0.9)
    axis.add_patch(_box(left, top - height, right - left, height, edge, width, "white"))
    middle = (left + right) / 2
    axis.text(middle, top - height / 2 + LINE / 2, lines[0], ha="center", va="center", fontweight="bold", fontsize=9)
    axis.text(middle, top - height / 2 - LINE / 2, lines[1], ha="center", va="center", fontsize=9)
    return top - height


def _branch(axis: Axes, top: float, gap: float, lines: list[str], *, arrow: bool, quiet: bool) -> None:
    """The stretch between two spine boxes, and the exclusion box that hangs on it."""
    x = sum(SPINE) / 2
    head = {"arrowstyle": "-|>", "color": FAINT, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    axis.annotate("", (x, top - gap), (x, top), arrowprops=head if arrow else head | {"arrowstyle": "-"})
    height, middle = gap - 0.1, top - gap / 2
    left, right = BRANCH
    axis.annotate("", (left, middle), (x, middle), arrowprops=head)
    axis.add_patch(_box(left, middle - height / 2, right - left, height, FAINT, 0.7, "#f4f4f4" if quiet else "white"))
    first = middle + LINE * (len(lines) - 1) / 2
    for index, line in enumerate(lines):
        axis.text(left + 0.1, first - index * LINE, line, ha="left", va="center", fontsize=8)


def _box(x: float, y: float, width: float, height: float, edge: str, line: float, fill: str) -> FancyBboxPatch:
    return FancyBboxPatch(
        (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.04", edgecolor=edge, facecolor=fill, linewidth=line
    )
