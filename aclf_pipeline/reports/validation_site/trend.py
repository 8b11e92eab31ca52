"""How counts moved over the refreshes, and how a share stands to what is tolerated: small pictures with words in them.

What does not belong here: counting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, INK, PALETTE, WIDTH, Figure, Words, finish, sheet, style

LEAST = 2
"""A trend needs two refreshes."""
_ACROSS = 3


def sparkline(values: Sequence[int | None]) -> Markup | None:
    """Failing rows over the refreshes as a small line, with the same said in words.

    None for fewer than `LEAST` refreshes, and where nothing ever failed.
    """
    known = [value for value in values if value is not None]
    if len(known) < LEAST or not any(known):
        return None
    top = max(known)
    points = " ".join(
        f"{2 + 116 * place / (len(known) - 1):.1f},{20 - 18 * value / top:.1f}" for place, value in enumerate(known)
    )
    words = f"Failing rows over {len(known)} refreshes: first {known[0]:,}, highest {max(known):,}, now {known[-1]:,}"
    last = points.rsplit(",", 1)[1]
    return _svg(
        "spark",
        "0 0 120 22",
        words,
        f'<polyline points="{points}" fill="none" stroke="{PALETTE[0]}" stroke-width="1.6"/>'
        f'<circle cx="118" cy="{last}" r="2" fill="{PALETTE[0]}"/>',
    )


def meter(share: float | None, tolerate: float | None) -> Markup | None:
    """The failing share as a bar, what is tolerated as a line across it; None when either is not known."""
    if share is None or tolerate is None or not math.isfinite(share):
        return None
    full = max(share, tolerate) * 1.15 or 1.0
    bar, mark = (2 + 396 * value / full for value in (share, tolerate))
    words = f"{tables.percent(share, 2)} of rows fail; {tables.threshold(tolerate)} is tolerated"
    return _svg(
        "meter",
        "0 0 400 22",
        words,
        f'<rect x="1" y="4" width="398" height="12" fill="none" stroke="{FAINT}" stroke-width=".8"/>'
        f'<rect x="2" y="5" width="{bar - 2:.1f}" height="10" fill="{PALETTE[1 if share > tolerate else 0]}"/>'
        f'<path d="M{mark:.1f} 0V20" stroke="{INK}" stroke-width="2.4"/>',
    )


def _svg(css: str, box: str, words: str, drawn: str) -> Markup:
    return Markup(  # noqa: S704 (numbers of our own and one escaped sentence)
        f'<svg class="{css}" viewBox="{box}" role="img" aria-label="{escape(words)}"><title>{escape(words)}</title>'
        f"{drawn}</svg>"
    )


def trend_figure(history: pl.DataFrame, *, synthetic: bool = False) -> Figure | None:
    """Failing rows by category over the refreshes, one panel a category that ever failed; None without a trend."""
    if not history.height or history["refresh_id"].n_unique() < LEAST:
        return None
    order = history.select("refresh_id", "started_at").unique().sort("started_at")["refresh_id"].to_list()
    counted = history.group_by("category", "refresh_id").agg(pl.col("failing_rows").sum())
    names = sorted(counted.filter(pl.col("failing_rows") > 0)["category"].unique())
    if not names:
        return None
    days = history.select(pl.col("started_at").min().alias("first"), pl.col("started_at").max().alias("last")).row(0)
    down = -(-len(names) // _ACROSS)
    words = Words(
        "trend_by_category",
        "Failing rows over the refreshes",
        f"Failing rows of each category over {len(order)} refreshes, {days[0]:%Y-%m-%d} to {days[1]:%Y-%m-%d}; each "
        "panel has its own scale, beginning at 0. A row that breaks two rules counts twice.",
        "; ".join(f"{name}: {', '.join(map(str, _series(counted, name, order)))}" for name in names),
        synthetic=synthetic,
    )
    with style(words.id):
        made = sheet(0.3 + 1.35 * down)
        axes = made.subplots(down, _ACROSS, squeeze=False, sharex=True).flatten()
        for axis, name in zip(axes, names, strict=False):
            _panel(axis, name, _series(counted, name, order))
        for axis in axes[len(names) :]:
            axis.set_visible(False)
        made.subplots_adjust(
            left=0.6 / WIDTH, right=0.98, top=1 - 0.42 / (0.3 + 1.35 * down), bottom=0.09, hspace=0.55, wspace=0.3
        )
        return finish(made, words, counted.sort("category", "refresh_id"))


def _series(counted: pl.DataFrame, category: str, order: Sequence[Any]) -> list[int]:
    known = dict(counted.filter(pl.col("category") == category).select("refresh_id", "failing_rows").iter_rows())
    return [int(known.get(refresh, 0)) for refresh in order]


def _panel(axis: Axes, name: str, values: Sequence[int]) -> None:
    places = range(len(values))
    axis.plot(places, values, color=PALETTE[0], linewidth=1.5, marker="o", markersize=3)
    axis.annotate(f"{values[-1]:,}", (places[-1], values[-1]), (4, 3), textcoords="offset points", fontsize=8)
    axis.set_title(tables.words(name.replace("/", ", ")), fontsize=8.5, loc="left")
    axis.set_ylim(0, max(*values, 1) * 1.25)
    axis.set_xlim(-0.3, len(values) - 0.3)
    axis.set_xticks([])
    axis.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axis.tick_params(axis="y", labelsize=7.5)
