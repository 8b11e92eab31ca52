"""Figures of a model's assumptions and shape: Schoenfeld residuals, splines, balance between groups.

Frames in, a `canvas.Figure` out, at any width. Nothing is estimated here.

What does not belong here: forests (forests), curves over time (figures), performance (performance_figures), nomograms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from aclf_pipeline.reports import tables
from aclf_pipeline.reports.canvas import FAINT, INK, PALETTE, WIDTH, Figure, Words, finish, sheet, style
from aclf_pipeline.reports.forests import LADDER, refuse_empty
from aclf_pipeline.reports.layout import (
    LINE,
    PLAIN,
    SMALL,
    fold,
    lines_of,
    panel_breadth,
    panel_sheet,
    place,
    usable_width,
    widest,
    write,
)

BALANCED = 0.1
"""A standardised difference below this is usually called balanced (Austin 2009, Stat Med 28:3083)."""
MARKERS = ("o", "s", "^", "D", "v")


def schoenfeld(
    residuals: pl.DataFrame,
    smooth: pl.DataFrame,
    tests: pl.DataFrame,
    *,
    figure_id: str = "schoenfeld",
    title: str,
    labels: Mapping[str, str] | None = None,
    constants: Mapping[str, float] | None = None,
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """A panel per term: its coefficient as each event suggests it, the smooth of that, and the fitted constant.

    `residuals`: term, time (days), value; `smooth`: term, time, value, lower, upper; `tests`: term, p of proportional
    hazards (a row 'GLOBAL' goes into the caption). `constants`: the coefficient of each term. An empty frame is
    refused.
    """
    tables.require("schoenfeld", {"residuals": (residuals, ("term", "time", "value")), "tests": (tests, ("term", "p")),
                                  "smooth": (smooth, ("term", "time", "value", "lower", "upper"))})  # fmt: skip
    refuse_empty("schoenfeld", residuals)
    terms = residuals["term"].unique(maintain_order=True).to_list()
    p = dict(tests.select("term", "p").rows())
    with style(figure_id):
        wide = usable_width(width)
        shape = {"least": 1.55, "left": 0.62}
        room = panel_breadth(len(terms), wide, **shape)
        names = [(labels or {}).get(term, tables.words(term)) for term in terms]
        folded = [
            f"{fold(name, room, PLAIN, bold=True)}\np {_p(p.get(term))}"
            for name, term in zip(names, terms, strict=True)
        ]
        above = 0.1 + LINE * max(map(lines_of, folded)) + 0.06
        made, axes, _ = panel_sheet(len(terms), wide, height=1.45, below=0.5, above=above, **shape)
        for index, (term, axis) in enumerate(zip(terms, axes, strict=True)):
            _schoenfeld_panel(axis, residuals.filter(pl.col("term") == term), smooth.filter(pl.col("term") == term))
            if constants and term in constants:
                axis.axhline(constants[term], color=PALETTE[1], linewidth=1.1, linestyle=(0, (5, 2)))
            axis.set_title(folded[index], fontsize=PLAIN, fontweight="bold", loc="left")
        events = residuals.filter(pl.col("term") == terms[0]).height
        whole = f" All terms together: p {_p(p['GLOBAL'])}." if "GLOBAL" in p else ""
        caption = (
            f"{title}. {tables.count(events)} events. Points: scaled Schoenfeld residuals; line and band: smooth with "
            f"{tables.threshold(level)} interval; dashed: the constant of the model.{whole} {note}"
        )
        spoken = "; ".join(text.replace("\n", " ") for text in folded)
        words = Words(figure_id, title, caption.strip(), f"Coefficients over time. {spoken}.", synthetic)
        both = [smooth.with_columns(kind=pl.lit("smooth")), residuals.with_columns(kind=pl.lit("event"))]
        return finish(made, words, pl.concat(both, how="diagonal_relaxed"))


def _p(value: float | None) -> str:
    text = tables.p_value(value)
    return text if text[0] in "<>" else f"= {text}"


def _schoenfeld_panel(axis: Axes, points: pl.DataFrame, curve: pl.DataFrame) -> None:
    """Points cut at what the band and the middle nine tenths need, so that one event does not flatten the curve."""
    inner = [float(points["value"].quantile(share) or 0.0) for share in (0.05, 0.95)]
    low = min(inner[0], *curve["lower"].to_list())
    high = max(inner[1], *curve["upper"].to_list())
    margin = 0.06 * (high - low or 1.0)
    axis.plot(points["time"], points["value"], ".", markersize=3.2, color=FAINT, alpha=0.6, markeredgewidth=0)
    axis.fill_between(curve["time"], curve["lower"], curve["upper"], color=PALETTE[0], alpha=0.18, linewidth=0)
    axis.plot(curve["time"], curve["value"], color=PALETTE[0], linewidth=1.6)
    axis.axhline(0, color=INK, linewidth=0.6)
    axis.set_ylim(low - margin, high + margin)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(4))
    axis.tick_params(labelsize=SMALL)
    axis.set_xlabel("Days", fontsize=SMALL)
    axis.set_ylabel("Log hazard ratio", fontsize=SMALL)


def spline(
    curve: pl.DataFrame,
    *,
    figure_id: str = "spline",
    title: str,
    label: str,
    reference: float | None = None,
    knots: Sequence[float] = (),
    observed: Sequence[float] = (),
    p_nonlinear: float | None = None,
    level: float = 0.95,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """The hazard ratio over the values of a number, on a logarithmic axis, with its interval.

    `curve`: value, hr, lower, upper. `label`: the number with its unit. `reference`: where the ratio is 1. `knots` are
    marked on top, `observed` values as ticks along the bottom. An empty frame is refused.
    """
    tables.require("spline", {"curve": (curve, ("value", "hr", "lower", "upper"))})
    refuse_empty("spline", curve)
    drawn = curve.drop_nulls(["hr", "lower", "upper"]).sort("value")
    with style(figure_id):
        wide = usable_width(width)
        left = 0.66
        below = fold(label, wide - left - 0.3, 9)
        foot = 0.42 + 0.18 * lines_of(below)
        made = sheet(foot + 2.85, wide)
        axis = place(made, left, foot, wide - left - 0.2, 2.55)
        axis.fill_between(drawn["value"], drawn["lower"], drawn["upper"], color=PALETTE[0], alpha=0.18, linewidth=0)
        axis.plot(drawn["value"], drawn["hr"], color=PALETTE[0], linewidth=1.8)
        axis.axhline(1, color=FAINT, linewidth=0.8)
        _ratio_scale(axis, drawn)
        ends = float(drawn["value"][0]), float(drawn["value"][-1])
        axis.set_xlim(*ends)
        across = axis.get_xaxis_transform()
        inside = [value for value in observed if ends[0] <= value <= ends[1]]
        axis.plot(inside, [0.02] * len(inside), "|", color=INK, alpha=0.35, markersize=6, transform=across)
        axis.plot(knots, [1.0] * len(knots), "v", color=PALETTE[1], markersize=5, transform=across, clip_on=False)
        axis.xaxis.set_major_locator(MaxNLocator(6 if wide > 5 else 4))
        axis.set_xlabel(below)
        axis.set_ylabel("Hazard ratio")
        if reference is not None:
            axis.axvline(reference, color=FAINT, linewidth=0.8, linestyle=(0, (1, 1.2)))
        bits = [f"reference {tables.number(reference)}"] if reference is not None else []
        bits += [f"nonlinearity p {_p(p_nonlinear)}"] if p_nonlinear is not None else []
        said = f" ({'; '.join(bits)})" if bits else ""
        counted = f"{tables.count(len(observed))} values (ticks); " if len(observed) else ""
        caption = f"{title}{said}. {counted}band: {tables.threshold(level)} interval; triangles: knots. {note}"
        first, last = drawn.row(0, named=True), drawn.row(-1, named=True)
        alt = (
            f"Hazard ratio over {label}: {tables.ratio(first['hr'])} at {tables.number(first['value'])}, "
            f"{tables.ratio(last['hr'])} at {tables.number(last['value'])}."
        )
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), curve)


def _ratio_scale(axis: Axes, drawn: pl.DataFrame) -> None:
    """A logarithmic scale of ratios that holds the band, 1 always on it."""
    low, high = float(drawn["lower"].min() or 1), float(drawn["upper"].max() or 1)  # type: ignore[arg-type]
    low, high = max(low / 1.15, 0.01), min(high * 1.15, 100.0)
    axis.set_yscale("log")
    axis.set_ylim(min(low, 0.8), max(high, 1.25))
    axis.yaxis.set_major_locator(FixedLocator([tick for tick in LADDER if low <= tick <= high or tick == 1]))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def balance(
    differences: pl.DataFrame,
    *,
    figure_id: str = "balance",
    title: str,
    labels: Mapping[str, str] | None = None,
    note: str = "",
    width: float = WIDTH,
    synthetic: bool = False,
) -> Figure:
    """Standardised mean differences of variables between two groups, largest first.

    `differences`: variable, smd and, where several sets are compared (before and after), set. Their size is drawn; the
    dashed line is 0.1. Variables without a difference (null) keep their line. An empty frame is refused.
    """
    tables.require("balance", {"differences": (differences, ("variable", "smd"))})
    refuse_empty("balance", differences)
    frame = differences if "set" in differences.columns else differences.with_columns(set=pl.lit("all"))
    ranked = frame.group_by("variable", maintain_order=True).agg(most=pl.col("smd").abs().max().fill_null(0.0))
    variables = ranked.sort("most", descending=True, maintain_order=True)["variable"].to_list()
    sets = frame["set"].unique(maintain_order=True).to_list()
    names = [(labels or {}).get(name, tables.words(name)) for name in variables]
    with style(figure_id):
        wide = usable_width(width)
        room = min(widest(names, PLAIN), 0.45 * wide)
        folded = [fold(name, room, PLAIN) for name in names]
        deep = [0.22 + LINE * (lines_of(name) - 1) for name in folded]
        key = 0.24 if len(sets) > 1 else 0.0
        made = sheet(sum(deep) + 0.5 + key + 0.24, wide)
        axis = place(made, room + 0.18, 0.5, wide - room - 0.36, sum(deep))
        middles = [sum(deep) - sum(deep[:k]) - deep[k] / 2 for k in range(len(deep))]
        for label, y in zip(folded, middles, strict=True):
            write(made, 0.06, 0.5 + y, label, size=PLAIN, va="center")
            axis.axhline(y, color="#e4e4e4", linewidth=0.6, zorder=0)
        place_of = dict(zip(variables, middles, strict=True))
        for index, name in enumerate(sets):
            part = frame.filter((pl.col("set") == name) & pl.col("smd").is_not_null())
            axis.plot(part["smd"].abs(), [place_of[v] for v in part["variable"]], MARKERS[index % len(MARKERS)],
                      color=PALETTE[index % len(PALETTE)], markersize=5, label=tables.words(name))  # fmt: skip
        axis.axvline(BALANCED, color=FAINT, linewidth=0.9, linestyle=(0, (5, 2)))
        axis.set_xlim(0, max(0.25, 1.1 * float(frame["smd"].abs().max() or 0)))  # type: ignore[arg-type]
        axis.set_ylim(0, sum(deep))
        axis.set_yticks([])
        axis.xaxis.set_major_locator(MaxNLocator(5 if wide > 5 else 3))
        axis.set_xlabel("Standardised mean difference, absolute" if wide > 5 else "Standardised difference")
        if key:
            axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(sets), fontsize=SMALL, borderaxespad=0.2)
        beyond = int((ranked["most"] > BALANCED).sum())
        caption = f"{title}. {beyond} of {len(variables)} variables differ by more than {BALANCED:g}. {note}"
        spoken = "; ".join(f"{row['variable']} {tables.number(row['smd'], 2)}" for row in tables.rows(frame))
        alt = f"Standardised differences. {spoken}."
        return finish(made, Words(figure_id, title, caption.strip(), alt, synthetic), differences)
