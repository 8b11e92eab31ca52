"""Forests: hazard ratios with their intervals on a logarithmic axis, and the numbers beside them.

One model, two side by side (each predictor alone, and all together), or the levels of subgroups with the test of
interaction. A ratio that is not known keeps its line and says so. Columns are as wide as what stands in them, labels
are folded into what is left.

What does not belong here: estimates (science), curves (figures), and which terms are shown (the analysis plan).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, PALETTE, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.layout import LINE, PLAIN, fold, lines_of, place, usable_width, widest, write

NEEDED = ("term", "hr", "lower", "upper", "p", "n", "events")
GAP, EDGE, HEAD, FOOT = 0.12, 0.06, 0.52, 0.56
"""Inches: between columns, at the edge of the sheet, above the lines, and below them."""
LEAST_AXIS = 0.9
NARROW = 4.8
"""Inches: below this, labels stand above their lines."""
LADDER = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
Line = dict[str, Any]


def refuse_empty(figure: str, frame: pl.DataFrame) -> None:
    """Refuse a frame without rows, in words."""
    if not frame.height:
        raise ValueError(f"{figure}: the frame has no row, so there is nothing to draw.")


def forest(
    coefficients: pl.DataFrame,
    *,
    figure_id: str = "forest",
    title: str,
    labels: Mapping[str, str] | None = None,
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Hazard ratios with confidence limits on a logarithmic axis, one line per term, with the numbers beside it.

    `coefficients`: term, hr, lower, upper, p, n, events; `labels` renames terms. A term whose ratio or limits are
    missing or not finite keeps its line and reads 'not estimable'. An empty frame is refused.
    """
    tables.require("forest", {"coefficients": (coefficients, NEEDED)})
    refuse_empty("forest", coefficients)
    names = labels or {}
    rows = [row | {"label": names.get(row["term"], tables.words(row["term"]))} for row in tables.rows(coefficients)]
    with style(figure_id):
        made = _drawn([("", rows)], usable_width(width), level)
        n, events = (coefficients[name].max() for name in ("n", "events"))
        caption = (
            f"{title}. N = {tables.count(n)}, events = {tables.count(events)}. Squares: hazard ratio; lines: "
            f"{tables.threshold(level)} confidence interval. {note}"
        ).strip()
        alt = f"Forest plot of hazard ratios. {_spoken(rows)}."
        return finish(made, Words(figure_id, title, caption, alt, synthetic), coefficients)


def forest_pair(
    univariable: pl.DataFrame,
    multivariable: pl.DataFrame,
    *,
    figure_id: str = "forest_pair",
    title: str,
    labels: Mapping[str, str] | None = None,
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Each predictor alone and all together, side by side on one scale, a line per term.

    Both frames as `forest` takes; a term of one only leaves its place in the other empty. On a narrow sheet the second
    stands under the first. The data behind it are both frames, told apart by 'model'.
    """
    frames = {"univariable": univariable, "multivariable": multivariable}
    refuse_empty("forest_pair", max(frames.values(), key=lambda frame: frame.height))
    tables.require("forest_pair", {name: (frame, NEEDED) for name, frame in frames.items()})
    frames = {name: frame if frame.height else pl.DataFrame(schema=dict.fromkeys(NEEDED, pl.Float64))
              for name, frame in frames.items()}  # fmt: skip
    univariable, multivariable = frames.values()
    terms = list(dict.fromkeys([*univariable["term"], *multivariable["term"]]))
    names = labels or {}
    blank: Line = dict.fromkeys(NEEDED)
    sides = [
        (
            heading,
            [
                blank | found.get(term, {"absent": True}) | {"label": names.get(term, tables.words(term))}
                for term in terms
            ],
        )
        for heading, found in (
            ("Each alone", {row["term"]: row for row in tables.rows(univariable)}),
            ("All together", {row["term"]: row for row in tables.rows(multivariable)}),
        )
    ]
    with style(figure_id):
        made = _drawn(sides, usable_width(width), level)
        counts = "; ".join(
            f"{heading}: N = {tables.count(frame['n'].max())}, {tables.count(frame['events'].max())} events"
            for (heading, _), frame in zip(sides, frames.values(), strict=True)
            if frame.height
        )
        caption = f"{title}. {counts}. Lines: {tables.threshold(level)} confidence interval. {note}"
        alt = " ".join(
            f"{heading}: {_spoken([row for row in rows if 'absent' not in row])}." for heading, rows in sides
        )
        both = pl.concat(
            [frame.with_columns(model=pl.lit(name)) for name, frame in frames.items()], how="diagonal_relaxed"
        )
        return finish(made, Words(figure_id, title, caption.strip(), f"Two forest plots. {alt}", synthetic), both)


def subgroup_forest(
    effects: pl.DataFrame,
    *,
    figure_id: str = "subgroups",
    title: str,
    labels: Mapping[str, str] | None = None,
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """The ratio of one exposure in everybody and in the levels of subgroups, with the p-value of interaction.

    `effects`: subgroup, level, hr, lower, upper, n, events, p_interaction (the same on each row of a subgroup); the
    row 'all' comes first. `labels` renames subgroups. No p-value of a level is shown: that a level is significant and
    another is not says nothing of a difference.
    """
    needed = ("subgroup", "level", "hr", "lower", "upper", "n", "events", "p_interaction")
    tables.require("subgroup_forest", {"effects": (effects, needed)})
    refuse_empty("subgroup_forest", effects)
    rows: list[Line] = []
    for (name,), part in effects.group_by("subgroup", maintain_order=True):
        whole = name == "all"
        if not whole:
            rows.append({"label": (labels or {}).get(str(name), tables.words(name)), "heading": True,
                         "p": part["p_interaction"][0]})  # fmt: skip
        for row in tables.rows(part):
            label = "Everybody" if whole else f"   {row['level']}"
            rows.append(row | {"label": label, "p": None, "quiet_p": True, "counts": f"{row['events']}/{row['n']}"})
    with style(figure_id):
        made = _drawn([("", rows)], usable_width(width), level, p_heading="p, interaction", counted=True)
        first = effects.row(0, named=True)
        caption = (
            f"{title}. N = {tables.count(first['n'])}, events = {tables.count(first['events'])}. Lines: "
            f"{tables.threshold(level)} confidence interval within the level; p of interaction. {note}"
        ).strip()
        alt = f"Forest plot of subgroups. {_spoken([row for row in rows if 'heading' not in row])}."
        return finish(made, Words(figure_id, title, caption, alt, synthetic), effects)


def _spoken(rows: Sequence[Line]) -> str:
    return "; ".join(
        f"{row['label'].strip()}: {tables.ratio_interval(row['hr'], row['lower'], row['upper'])}" for row in rows
    )


@dataclass(frozen=True)
class _Plan:
    """Where the lines of one block stand: labels, and inches from its top to the middle of each label and mark."""

    labels: list[str]
    label_at: list[float]
    mark_at: list[float]
    deep: float
    room: float


def _drawn(
    sides: Sequence[tuple[str, list[Line]]], width: float, level: float, *, p_heading: str = "p", counted: bool = False
) -> Sheet:
    """A sheet with one block of lines per side, beside each other where there is room, else one under the other.

    On a narrow sheet labels stand above their lines, counts are left out and the heading of p is short.
    """
    narrow = width < NARROW
    titles = {"ratio": f"HR ({tables.threshold(level)} CI)", "p": "p" if narrow else p_heading}
    if counted and not narrow:
        titles = {"ratio": titles["ratio"], "counts": "Events/N", "p": titles["p"]}
    columns = [_columns(rows, titles) for _, rows in sides]
    taken = [sum(one.values()) + GAP * (len(one) + 1) + LEAST_AXIS for one in columns]
    label = _label_breadth(sides)
    beside = len(sides) == 1 or (not narrow and width - 2 * EDGE - sum(taken) >= min(label, 1.15))
    stacked = [list(sides)] if beside else [[side] for side in sides]
    wide = width - 2 * EDGE - (sum(taken) if beside else max(taken))
    room = 0.0 if narrow else max(0.8, min(label, wide, 0.42 * width))
    plans = [_plan(rows, room, width - 2 * EDGE - columns[0]["p"] - GAP) for _, rows in sides]
    height = sum(HEAD + plan.deep + FOOT for plan in plans[: len(stacked)]) + 0.12
    made, top = sheet(height, width), height - 0.12
    span = _span([row for _, rows in sides for row in rows])
    for block, group in enumerate(stacked):
        _block(made, group, top, span, plans[block], columns if beside else [columns[block]], titles)
        top -= HEAD + plans[block].deep + FOOT
    return made


def _label_breadth(sides: Sequence[tuple[str, list[Line]]]) -> float:
    """Inches of the widest label, headings being bold and levels shifted in."""
    rows = [row for _, side in sides for row in side]
    heavy = widest([row["label"] for row in rows if "heading" in row], PLAIN, bold=True)
    levels = widest([row["label"].strip() for row in rows if "heading" not in row], PLAIN) + 0.14 * bool(heavy)
    return max(heavy, levels, widest(["Factor"], PLAIN, bold=True))


def _plan(rows: Sequence[Line], room: float, whole: float) -> _Plan:
    """Fold the labels beside the axis into `room`, or, where that is 0, above their marks into the whole breadth."""
    labels, label_at, mark_at, y = [], [], [], 0.0
    for row in rows:
        heading = "heading" in row
        text = fold(row["label"].strip(), (room or whole) - 0.14 * (not heading and "   " in row["label"]), PLAIN,
                    bold=heading)  # fmt: skip
        lines = LINE * lines_of(text)
        deep = lines + 0.115 if room else lines + (0.06 if heading else 0.3)
        labels.append(text)
        label_at.append(y + (deep / 2 if room else lines / 2 + 0.02))
        mark_at.append(y + (deep / 2 if room else lines / 2 + 0.02 if heading else lines + 0.13))
        y += deep
    return _Plan(labels, label_at, mark_at, y, room)


def _columns(rows: Sequence[Line], titles: Mapping[str, str]) -> dict[str, float]:
    """Inches of the columns of numbers beside an axis."""
    texts = {
        "ratio": [_ratio_text(row) for row in rows],
        "counts": [row.get("counts", "") for row in rows],
        "p": [tables.p_value(row["p"]) for row in rows],
    }
    return {name: max(widest(texts[name], PLAIN), widest([title], PLAIN, bold=True)) for name, title in titles.items()}


def _block(
    made: Sheet,
    sides: Sequence[tuple[str, list[Line]]],
    top: float,
    span: tuple[float, float],
    plan: _Plan,
    columns: Sequence[dict[str, float]],
    titles: Mapping[str, str],
) -> None:
    """Labels once, then for each side its axis and its columns of numbers; `top` in inches from below."""
    width = float(made.get_size_inches()[0])
    first = top - HEAD
    write(made, EDGE, first + 0.12, "Factor", size=PLAIN, fontweight="bold", va="center")
    for label, row, down in zip(plan.labels, sides[0][1], plan.label_at, strict=True):
        heavy = "bold" if "heading" in row else "normal"
        shift = 0.14 * ("   " in row["label"][:3])
        write(made, EDGE + shift, first - down, label, size=PLAIN, va="center", fontweight=heavy)
    free = width - 2 * EDGE - plan.room - sum(sum(one.values()) + GAP * (len(one) + bool(plan.room)) for one in columns)
    inches, x = free / len(sides), EDGE + plan.room
    for (heading, rows), wide in zip(sides, columns, strict=True):
        x += GAP if plan.room else 0.0
        axis = place(made, x, first - plan.deep, inches, plan.deep)
        _ratio_axis(axis, span, inches)
        axis.set_ylim(-plan.deep, 0)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        axis.patch.set_alpha(0)
        for row, down in zip(rows, plan.mark_at, strict=True):
            if plan.room or "heading" in row:
                continue
            axis.plot([1, 1], [-down - 0.1, -down + 0.1], color=FAINT, linewidth=0.8, zorder=0)
        if plan.room:
            axis.axvline(1, color=FAINT, linewidth=0.8, zorder=0)
        if heading:
            write(made, x, first + 0.34, heading, size=9, fontweight="bold", va="center")
        x += inches + GAP
        places = _heads(made, x, first + 0.12, wide, titles)
        for row, down in zip(rows, plan.mark_at, strict=True):
            if "absent" not in row:
                _line(made, axis, row, (first - down, -down), places)
        x += sum(wide.values()) + GAP * (len(wide) - 1)


def _heads(made: Sheet, x: float, y: float, wide: Mapping[str, float], titles: Mapping[str, str]) -> dict[str, float]:
    """Write the headings of the columns of numbers; where each column stands (p by its right edge)."""
    places = {}
    for name, inches in wide.items():
        right = name == "p"
        places[name] = x + inches if right else x
        align = "right" if right else "left"
        write(made, places[name], y, titles[name], size=PLAIN, fontweight="bold", va="center", ha=align)
        x += inches + GAP
    return places


def _line(made: Sheet, axis: Axes, row: Line, y: tuple[float, float], places: Mapping[str, float]) -> None:
    """One term: square and line on the axis, ratio and p to the right; y on the sheet and on the axis."""
    on_sheet, on_axis = y
    if "heading" not in row:
        if _usable(row):
            axis.plot([row["lower"], row["upper"]], [on_axis] * 2, color=PALETTE[0], linewidth=1.4, clip_on=True)
            axis.plot([row["hr"]], [on_axis], marker="s", markersize=5.5, color=PALETTE[0], linestyle="none")
        write(made, places["ratio"], on_sheet, _ratio_text(row), size=PLAIN, va="center")
    if row.get("counts") and "counts" in places:
        write(made, places["counts"], on_sheet, row["counts"], size=PLAIN, va="center")
    if "quiet_p" not in row:
        write(made, places["p"], on_sheet, tables.p_value(row["p"]), size=PLAIN, va="center", ha="right")


def _usable(row: Line) -> bool:
    return all(tables.known(row.get(key)) and row[key] > 0 for key in ("hr", "lower", "upper"))


def _ratio_text(row: Line) -> str:
    if "heading" in row or "absent" in row:
        return ""
    return tables.ratio_interval(row["hr"], row["lower"], row["upper"]) if _usable(row) else "not estimable"


def _span(rows: Sequence[Line]) -> tuple[float, float]:
    """From the lowest to the highest limit of all usable lines, at least from a half to two."""
    usable = [row[key] for row in rows if _usable(row) for key in ("lower", "upper")]
    low, high = min([0.5, *usable]), max([2.0, *usable])
    return max(low / 1.1, 0.01), min(high * 1.1, 100.0)


def _ratio_axis(axis: Axes, span: tuple[float, float], inches: float) -> None:
    """A logarithmic axis with ticks a reader knows, as many as there is room for; 1 always has one."""
    low, high = span
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    within = [tick for tick in LADDER if low <= tick <= high]
    need = log(high / low) / inches * (widest(["0.05"]) + 0.1)
    shown = [1.0]
    for tick in sorted(within, key=lambda tick: abs(log(tick))):
        if all(abs(log(tick / other)) >= need for other in shown):
            shown.append(tick)
    axis.xaxis.set_major_locator(FixedLocator(sorted(shown)))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.tick_params(labelsize=8)
    axis.set_xlabel("Hazard ratio (log scale)" if inches > 1.5 else "Hazard ratio", fontsize=PLAIN)
