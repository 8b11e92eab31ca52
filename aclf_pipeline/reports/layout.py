"""Where things stand on a sheet, in inches: measured text, folded labels, ticks that leave each other room.

Everything is measured with the font that draws it, so that nothing runs into anything at any width, in any language.
What does not belong here: palette and files (canvas) and what a figure shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Sheet

from aclf_pipeline.reports.canvas import WIDTH, sheet

SMALL, PLAIN = 8.0, 8.5
LINE = 0.155
"""Inches: one line of 8 point text with its leading."""
BESIDE_PANEL = 0.2
"""Inches to the right of a panel, for half of its last label."""
NARROWEST = 3.3
"""Inches: a column of a journal; nothing is drawn narrower."""


def usable_width(width: float) -> float:
    """The width asked for, or the narrowest that can be read."""
    return max(NARROWEST, width)


@lru_cache(maxsize=1)
def _ruler() -> Sheet:
    return sheet(1.0, WIDTH)


@lru_cache(maxsize=4096)
def breadth(text: str, size: float = SMALL, *, bold: bool = False) -> float:
    """Inches a line of text takes; to be asked inside `canvas.style`, whose fonts it measures."""
    made = _ruler()
    canvas = made.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        raise TypeError("layout: text is measured on a bitmap canvas")
    drawn = made.text(0, 0, text, fontsize=size, fontweight="bold" if bold else "normal")
    try:
        return float(drawn.get_window_extent(canvas.get_renderer()).width) / made.dpi
    finally:
        drawn.remove()


def widest(texts: Iterable[str], size: float = SMALL, *, bold: bool = False) -> float:
    """Inches of the widest of some lines; 0 for none."""
    return max((breadth(line, size, bold=bold) for text in texts for line in text.split("\n")), default=0.0)


def fold(text: str, inches: float, size: float = SMALL, *, bold: bool = False) -> str:
    """The text in lines no wider than so many inches: broken at blanks, else, in a long word or Chinese, anywhere."""
    lines, current = [], ""
    for word in re.split(r"[ \n\t]+", text.strip()):
        wider = f"{current} {word}" if current else word
        if breadth(wider, size, bold=bold) <= inches:
            current = wider
            continue
        if current:
            lines.append(current)
        current = word
        while breadth(current, size, bold=bold) > inches and len(current) > 1:
            fits = next(
                k for k in range(len(current) - 1, 0, -1) if k == 1 or breadth(current[:k], size, bold=bold) <= inches
            )
            lines.append(current[:fits])
            current = current[fits:]
    return "\n".join([*lines, current]) if current or not lines else "\n".join(lines)


def lines_of(text: str) -> int:
    """How many lines a folded text has."""
    return text.count("\n") + 1


def place(made: Sheet, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the lower left corner of the sheet."""
    across, up = made.get_size_inches()
    return made.add_axes((left / across, bottom / up, width / across, height / up))


def write(made: Sheet, x: float, y: float, text: str, *, size: float = SMALL, **options: Any) -> None:
    """Text at a place in inches."""
    across, up = made.get_size_inches()
    made.text(x / across, y / up, text, fontsize=size, **options)


def roomy_ticks(
    ticks: Sequence[float], labels: Sequence[str], low: float, high: float, inches: float, size: float = SMALL
) -> list[float]:
    """Those of rising ticks whose labels leave each other room on an axis of so many inches; the first always stays.

    The last is kept before those between, and all labels are as wide as the widest.
    """
    if len(ticks) < 2 or not high > low:
        return list(ticks)
    need = widest(labels, size) + 0.09
    apart = (high - low) / inches * need
    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if tick - kept[-1] >= apart and ticks[-1] - tick >= apart:
            kept.append(tick)
    return [*kept, ticks[-1]] if ticks[-1] - kept[-1] >= apart else kept


def panels(count: int, width: float, least: float) -> int:
    """How many panels of at least so many inches stand beside each other."""
    return max(1, min(count, int(width // least)))


def panel_breadth(count: int, width: float, *, least: float, left: float) -> float:
    """Inches of each axis of `panel_sheet`."""
    across = panels(count, width, least + left + BESIDE_PANEL)
    return (width - across * (left + BESIDE_PANEL)) / across


def panel_sheet(
    count: int, width: float, *, least: float, height: float, left: float, below: float, above: float
) -> tuple[Sheet, list[Axes], float]:
    """A sheet of equal panels in rows, each at least so wide, with room in inches beside, below and above each.

    Returns the sheet, the axes row by row, and their breadth.
    """
    across = panels(count, width, least + left + BESIDE_PANEL)
    rows = -(-count // across)
    inches = panel_breadth(count, width, least=least, left=left)
    made = sheet(rows * (height + below + above) + 0.16, width)
    top = float(made.get_size_inches()[1]) - 0.16
    made_axes = []
    for index in range(count):
        row, column = divmod(index, across)
        x = column * (left + inches + BESIDE_PANEL) + left
        y = top - row * (height + below + above) - above - height
        made_axes.append(place(made, x, y, inches, height))
    return made, made_axes, inches
