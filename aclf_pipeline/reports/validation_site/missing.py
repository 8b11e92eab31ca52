"""Missingness by analyte and year as a table of shares, shaded by size; the figure is written in every cell.

What does not belong here: counting stays and results.
"""

from __future__ import annotations

from typing import Any

import polars as pl

MOST_PERIODS = 12
_WIDTHS = (1, 2, 5, 10, 20, 25, 50, 100)
_SHADES = (0.05, 0.25, 0.5, 0.75)
"""Lower limits of the four shades."""


def heat(missing: pl.DataFrame) -> dict[str, Any] | None:
    """Analytes by period; the study's own first, the others apart. None when nothing was counted.

    `missing` has one row per analyte and year: stays of that year, and how many of them are `without` a result. More
    years than fit are put together in periods of equal length.
    """
    if not missing.height:
        return None
    years = missing["year"].unique().sort()
    width = next((w for w in _WIDTHS if len({year // w for year in years}) <= MOST_PERIODS), _WIDTHS[-1])
    start = (pl.col("year") // width) * width
    counted = missing.group_by("analyte", "says", "asked", start.alias("period")).agg(
        pl.col("stays").sum(), pl.col("without").sum()
    )
    periods = counted["period"].unique().sort().to_list()
    cells = {(row["analyte"], row["period"]): _cell(row) for row in counted.iter_rows(named=True)}
    names = missing.select("analyte", "says", "asked").unique().sort("analyte").iter_rows(named=True)
    rows = [row | {"cells": [cells.get((row["analyte"], period)) for period in periods]} for row in names]
    return {
        "periods": [str(p) if width == 1 else f"{p}–{p + width - 1}" for p in periods],
        "asked": [row for row in rows if row["asked"]],
        "others": [row for row in rows if not row["asked"]],
    }


def _cell(row: dict[str, Any]) -> dict[str, Any]:
    share = row["without"] / row["stays"] if row["stays"] else None
    shade = 0 if share is None else sum(share >= limit for limit in _SHADES)
    return {"stays": row["stays"], "without": row["without"], "share": share, "shade": shade}
