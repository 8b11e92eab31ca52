"""Figures of predictions: calibration, time-dependent ROC, decision curves, performance over horizons.

Frames in, a `canvas.Figure` out, at any width. Models and scores are told apart by colour, dash and mark together.

What does not belong here: estimates (science), which comparators are shown, and the model itself (model_figures).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet
from matplotlib.ticker import FuncFormatter, MaxNLocator

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import DASHES, FAINT, PALETTE, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.forests import refuse_empty
from aclf_pipeline.reports.layout import (
    LINE,
    PLAIN,
    SMALL,
    breadth,
    fold,
    lines_of,
    panel_breadth,
    panel_sheet,
    place,
    usable_width,
    write,
)
from aclf_pipeline.reports.model_figures import MARKERS

KEY_LINE, LARGEST_SQUARE = 0.34, 3.2
"""Inches: the stroke of a key; the side of a panel whose axes are alike."""


def calibration(
    groups: pl.DataFrame,
    curve: pl.DataFrame | None = None,
    *,
    figure_id: str = "calibration",
    title: str,
    labels: Mapping[str, str] | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Observed against predicted risk: groups of rising risk with intervals, and a smooth curve, a panel per 'panel'.

    `groups`: predicted, observed, lower, upper, n (null where unknown) and, for several panels (horizons, models),
    panel. `curve`: predicted, calibrated (and panel), whose predicted values also stand as ticks along the bottom.
    """
    tables.require("calibration", {"groups": (groups, ("predicted", "observed", "lower", "upper", "n"))})
    refuse_empty("calibration", groups)
    frame = groups if "panel" in groups.columns else groups.with_columns(panel=pl.lit(""))
    smooth = None if curve is None else curve if "panel" in curve.columns else curve.with_columns(panel=pl.lit(""))
    names = frame["panel"].unique(maintain_order=True).to_list()
    with style(figure_id):
        wide = usable_width(width)
        shape = {"least": 1.44, "left": 0.74}
        room = panel_breadth(len(names), wide, **shape)
        headings = [
            fold((labels or {}).get(str(n), tables.words(n)), room, PLAIN, bold=True) if str(n) else "" for n in names
        ]
        above = 0.12 + (LINE * max(map(lines_of, headings)) if any(headings) else 0)
        side = min(room, LARGEST_SQUARE)
        made, axes, _ = panel_sheet(len(names), wide, height=side, below=0.52, above=above, **shape)
        for name, heading, axis in zip(names, headings, axes, strict=True):
            part = frame.filter(pl.col("panel") == name)
            drawn = None if smooth is None else smooth.filter(pl.col("panel") == name).sort("predicted")
            left, bottom, _, up = axis.get_position().bounds
            axis.set_position((left, bottom, side / wide, up))
            _calibration_panel(axis, part, drawn, side)
            axis.set_title(heading, fontsize=PLAIN, fontweight="bold", loc="left")
        persons = tables.count(frame.filter(pl.col("panel") == names[0])["n"].sum())
        caption = (
            f"{title}. N = {persons}. Points: groups of rising predicted risk with 95 % intervals; line: smooth; "
            f"dotted: perfect. {note}"
        )
        spoken = "; ".join(
            f"{row['panel']} predicted {tables.percent(row['predicted'])}, observed {tables.percent(row['observed'])}"
            for row in tables.rows(frame)
        )
        data = frame if smooth is None else pl.concat([frame, smooth], how="diagonal_relaxed")
        words = Words(figure_id, title, caption.strip(), f"Calibration. {spoken}.", synthetic)
        return finish(made, words, data)


def _calibration_panel(axis: Axes, part: pl.DataFrame, curve: pl.DataFrame | None, inches: float) -> None:
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle=(0, (1, 1.2)))
    if curve is not None and curve.height:
        axis.plot(curve["predicted"], curve["calibrated"], color=PALETTE[0], linewidth=1.6)
        axis.plot(curve["predicted"], [0.012] * curve.height, "|", color=FAINT, alpha=0.4, markersize=5,
                  transform=axis.get_xaxis_transform())  # fmt: skip
    known = part.filter(pl.col("observed").is_not_null())
    for row in known.filter(pl.col("lower").is_not_null()).iter_rows(named=True):
        axis.plot([row["predicted"]] * 2, [row["lower"], row["upper"]], color=PALETTE[1], linewidth=1.2)
    axis.plot(known["predicted"], known["observed"], "o", color=PALETTE[1], markersize=4.5)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(MaxNLocator(5 if inches > 2.2 else 4))
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axis.tick_params(labelsize=SMALL)
    axis.set_xlabel("Predicted risk", fontsize=PLAIN)
    axis.set_ylabel("Observed risk", fontsize=PLAIN)


def roc(
    curves: pl.DataFrame,
    areas: pl.DataFrame,
    *,
    figure_id: str = "roc",
    title: str,
    labels: Mapping[str, str] | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Time-dependent ROC curves, one per 'series' (a model, or a horizon), with the area in the key.

    `curves`: series, false_positive, true_positive; `areas`: series, auc, lower, upper (null: without interval), cases,
    controls. An empty frame is refused.
    """
    tables.require("roc", {"curves": (curves, ("series", "false_positive", "true_positive")),
                           "areas": (areas, ("series", "auc", "lower", "upper", "cases", "controls"))})  # fmt: skip
    refuse_empty("roc", curves)
    known = {row["series"]: row for row in tables.rows(areas)}
    names = curves["series"].unique(maintain_order=True).to_list()
    keys = [f"{(labels or {}).get(str(n), str(n))}: {_area(known.get(n, {}))}" for n in names]
    with style(figure_id):
        made, axis = _keyed_sheet(usable_width(width), keys, square=True)
        axis.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle=(0, (1, 1.2)))
        for index, name in enumerate(names):
            part = curves.filter(pl.col("series") == name)
            axis.plot(part["false_positive"], part["true_positive"], color=PALETTE[index % len(PALETTE)],
                      linestyle=DASHES[index % len(DASHES)], linewidth=1.6)  # fmt: skip
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.01)
        axis.set_xlabel("1 − specificity")
        axis.set_ylabel("Sensitivity")
        first = tables.rows(areas)[0] if areas.height else {"cases": None, "controls": None}
        caption = (
            f"{title}. {tables.count(first['cases'])} events and {tables.count(first['controls'])} without, "
            f"weighted for censoring. In the key: area (95 % interval). {note}"
        )
        words = Words(figure_id, title, caption.strip(), f"ROC curves. {'; '.join(keys)}.", synthetic)
        return finish(made, words, pl.concat([curves, areas], how="diagonal_relaxed"))


def _area(row: Mapping[str, object]) -> str:
    auc, lower, upper = (row.get(name) for name in ("auc", "lower", "upper"))
    if not tables.known(auc):
        return "not known"
    if not (tables.known(lower) and tables.known(upper)):
        return f"{auc:.2f}"
    return f"{auc:.2f} ({lower:.2f}–{upper:.2f})"


def decision(
    curve: pl.DataFrame,
    *,
    figure_id: str = "decision",
    title: str,
    labels: Mapping[str, str] | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Net benefit over thresholds of risk, for each strategy; all and none in grey.

    `curve`: strategy ('all', 'none', models), threshold, net_benefit (null where not known). An empty frame is refused.
    """
    tables.require("decision", {"curve": (curve, ("strategy", "threshold", "net_benefit"))})
    refuse_empty("decision", curve)
    plain = {"all": "Treat all", "none": "Treat none"}
    names = curve["strategy"].unique(maintain_order=True).to_list()
    ordered = [name for name in names if name not in plain] + [name for name in names if name in plain]
    keys = [plain.get(name, (labels or {}).get(name, str(name))) for name in ordered]
    colours = [FAINT if name in plain else PALETTE[k % len(PALETTE)] for k, name in enumerate(ordered)]
    with style(figure_id):
        made, axis = _keyed_sheet(usable_width(width), keys, colours=colours)
        for index, name in enumerate(ordered):
            part = curve.filter((pl.col("strategy") == name) & pl.col("net_benefit").is_not_null()).sort("threshold")
            axis.plot(part["threshold"], part["net_benefit"], color=colours[index],
                      linestyle=DASHES[index % len(DASHES)], linewidth=1.0 if name in plain else 1.7)  # fmt: skip
        best = max(0.05, float(curve["net_benefit"].max() or 0))  # type: ignore[arg-type]
        axis.set_ylim(-0.2 * best, 1.08 * best)
        axis.set_xlim(float(curve["threshold"].min() or 0), float(curve["threshold"].max() or 1))  # type: ignore[arg-type]
        axis.xaxis.set_major_locator(MaxNLocator(5 if width > 5 else 4))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axis.set_xlabel("Threshold of risk")
        axis.set_ylabel("Net benefit")
        caption = f"{title}. Net benefit per person. {note}"
        words = Words(figure_id, title, caption.strip(), f"Decision curves of {', '.join(keys)}.", synthetic)
        return finish(made, words, curve)


def over_time(
    estimates: pl.DataFrame,
    *,
    figure_id: str = "over_time",
    title: str,
    measure: str = "AUC",
    labels: Mapping[str, str] | None = None,
    chance: float | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """A measure of performance at horizons, models beside each other, with intervals.

    `estimates`: model, horizon (days), estimate, lower, upper; null estimates are not drawn. `chance`: a line at what
    guessing reaches. An empty frame is refused.
    """
    tables.require("over_time", {"estimates": (estimates, ("model", "horizon", "estimate", "lower", "upper"))})
    refuse_empty("over_time", estimates)
    names = estimates["model"].unique(maintain_order=True).to_list()
    horizons = estimates["horizon"].unique().sort().to_list()
    keys = [(labels or {}).get(str(name), str(name)) for name in names]
    with style(figure_id):
        made, axis = _keyed_sheet(usable_width(width), keys, marks=True)
        for index, name in enumerate(names):
            shift = 0.6 * ((index + 0.5) / len(names) - 0.5)
            colour = PALETTE[index % len(PALETTE)]
            for row in estimates.filter((pl.col("model") == name) & pl.col("estimate").is_not_null()).iter_rows(
                named=True
            ):
                x = horizons.index(row["horizon"]) + shift
                if tables.known(row["lower"]) and tables.known(row["upper"]):
                    axis.plot([x, x], [row["lower"], row["upper"]], color=colour, linewidth=1.3)
                axis.plot([x], [row["estimate"]], MARKERS[index % len(MARKERS)], color=colour, markersize=5)
        if chance is not None:
            axis.axhline(chance, color=FAINT, linewidth=0.9, linestyle=(0, (1, 1.2)))
        axis.set_xlim(-0.5, len(horizons) - 0.5)
        axis.set_xticks(range(len(horizons)), [f"{horizon:g}" for horizon in horizons])
        axis.set_xlabel("Horizon, days")
        axis.set_ylabel(measure)
        caption = f"{title}. Marks: estimate; lines: 95 % interval. {note}"
        spoken = "; ".join(
            f"{row['model']} at {row['horizon']:g} days {tables.number(row['estimate'])}"
            for row in tables.rows(estimates)
        )
        words = Words(figure_id, title, caption.strip(), f"{measure} over time. {spoken}.", synthetic)
        return finish(made, words, estimates)


def _keyed_sheet(
    width: float, keys: list[str], *, square: bool = False, marks: bool = False, colours: list[str] | None = None
) -> tuple[Sheet, Axes]:
    """A sheet with one axis and its key: beside the axis where there is room, else below it."""
    left, right, below, above = 0.62, 0.2, 0.52, 0.24
    high = 2.9
    longest = max(breadth(key) for key in keys) + KEY_LINE + 0.14
    beside = width - left - right - min(longest, 2.4) - 0.15 >= 2.7
    room = min(longest, 2.4) if beside else width - 0.2
    folded = [fold(key, room - KEY_LINE - 0.12, SMALL) for key in keys]
    deep = sum(LINE * lines_of(key) + 0.05 for key in folded)
    inches = width - left - right - (room + 0.15 if beside else 0.0)
    inches = min(inches, high + 0.1) if square else inches
    foot = 0.0 if beside else deep + 0.1
    made = sheet(above + max(high, deep if beside else 0) + below + foot, width)
    axis = place(made, left, below + foot, inches, high)
    x, y = (left + inches + 0.2, below + foot + high) if beside else (0.12, foot)
    across, up = made.get_size_inches()
    for index, key in enumerate(folded):
        middle = y - LINE * lines_of(key) / 2
        stroke: dict[str, Any] = {
            "color": (colours or PALETTE)[index % len(colours or PALETTE)],
            "transform": made.transFigure,
        }
        if marks:
            drawn = axis.plot(
                [(x + KEY_LINE / 2) / across], [middle / up], MARKERS[index % len(MARKERS)], markersize=5, **stroke
            )
        else:
            drawn = axis.plot([x / across, (x + KEY_LINE) / across], [middle / up] * 2, linewidth=1.6,
                              linestyle=DASHES[index % len(DASHES)], **stroke)  # fmt: skip
        drawn[0].set_clip_on(False)
        write(made, x + KEY_LINE + 0.08, middle, key, va="center")
        y -= LINE * lines_of(key) + 0.05
    return made, axis
