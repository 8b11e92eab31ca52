"""All figures of a run on one sheet, small, to be looked at before anything is sent anywhere.

What does not belong here: the figures themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import matplotlib.image as images

from aclf_pipeline.reports.canvas import Figure, sheet, style
from aclf_pipeline.reports.layout import fold, place

CELL, GAP, NAME = 3.6, 0.15, 0.3
"""Inches: breadth of a figure, room between, and room for its name."""


def contact_sheet(figures: Sequence[Figure], *, columns: int = 4, dpi: int = 150) -> bytes:
    """A PNG with every figure at the same breadth under its id, row by row. No figure is refused."""
    if not figures:
        raise ValueError("contact_sheet: there is no figure, so there is nothing to draw.")
    bitmaps = [images.imread(BytesIO(figure.png(dpi)), format="png") for figure in figures]
    deep = [CELL * bitmap.shape[0] / bitmap.shape[1] for bitmap in bitmaps]
    stacks: list[list[int]] = [[] for _ in range(min(columns, len(figures)))]
    heights = [0.0] * len(stacks)
    for index, inches in enumerate(deep):
        shortest = heights.index(min(heights))
        stacks[shortest].append(index)
        heights[shortest] += inches + NAME + GAP
    width = len(stacks) * (CELL + GAP) + GAP
    with style("contact"):
        made = sheet(max(heights) + GAP, width)
        for column, stack in enumerate(stacks):
            x, y = GAP + column * (CELL + GAP), max(heights)
            for index in stack:
                made.text(x / width, (y - 0.12) / (max(heights) + GAP), fold(figures[index].id, CELL, 9), fontsize=9,
                          fontweight="bold", va="center")  # fmt: skip
                axis = place(made, x, y - NAME - deep[index], CELL, deep[index])
                axis.imshow(bitmaps[index], aspect="auto", interpolation="antialiased")
                axis.axis("off")
                y -= deep[index] + NAME + GAP
        stream = BytesIO()
        made.savefig(stream, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return stream.getvalue()
