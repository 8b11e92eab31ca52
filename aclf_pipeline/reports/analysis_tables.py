"""The tables of an analysis as the page wants them: caption, columns, and rows that are written already.

What does not belong here: how a table of plain rows is laid out (analysis_shapes), figures, and page text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import polars as pl

from aclf_pipeline.protocol import Analysis, Study
from aclf_pipeline.protocol.plan import group_of, horizons_of
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.analysis_shapes import SHAPES, Shape
from aclf_pipeline.reports.drawing import SINCE, YES_NO, group_labels, term_labels, variable_label


class Answered(Protocol):
    """What the tables need of an analysis: its stanza, tidy table, keyed results and further tables."""

    @property
    def spec(self) -> Analysis:
        """The stanza."""

    @property
    def table(self) -> pl.DataFrame:
        """The tidy table."""

    @property
    def results(self) -> pl.DataFrame:
        """The keyed results."""

    @property
    def more(self) -> Mapping[str, pl.DataFrame]:
        """Further tables by name."""


Shown = list[tuple[str, list[tuple[str, str, str]], list[dict[str, Any]]]]


def analysis_tables(study: Study, analysed: Answered) -> Shown:
    """Every table of one analysis; none where its kind has none."""
    kind = analysed.spec.kind
    plain = [_laid_out(study, analysed, shape) for shape in SHAPES.get(kind, ()) if _part(analysed, shape).height]
    first, last = (found(study, analysed) if (found := by.get(kind)) is not None else [] for by in (_OWN, _FURTHER))
    return [*first, *plain, *last]


def _part(analysed: Answered, shape: Shape) -> pl.DataFrame:
    """The frame a shape shows."""
    return analysed.more.get(shape.part, pl.DataFrame()) if shape.part else analysed.table


def _laid_out(
    study: Study, analysed: Answered, shape: Shape
) -> tuple[str, list[tuple[str, str, str]], list[dict[str, Any]]]:
    """One table of plain rows; a column without any entry is left out."""
    of = {"of": group_of(analysed.spec)}
    rows = [{str(k): cell.write(study, of | row) for k, cell in enumerate(shape.cells)}
            for row in _part(analysed, shape).iter_rows(named=True)]  # fmt: skip
    columns = [(str(k), cell.head, cell.css) for k, cell in enumerate(shape.cells)
               if any(row[str(k)] != tables.MISSING for row in rows)]  # fmt: skip
    return shape.caption, columns, rows


def _named(study: Study, analysed: Answered, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with groups called by the names a reader knows, 'All' where there are none."""
    if "group" not in frame.columns:
        return frame.with_columns(group=pl.lit("All"))
    values = frame["group"].cast(pl.String).unique().to_list()
    labels = {"all": "All", **group_labels(study, group_of(analysed.spec), values)}
    return frame.with_columns(group=pl.col("group").cast(pl.String).replace(labels))


def _curve_tables(study: Study, analysed: Answered) -> Shown:
    """Survival at each horizon of the stanza, with those still at risk."""
    curve = _named(study, analysed, analysed.table)
    rows = [
        {
            "group": row["group"],
            "day": row["time"],
            "survival": tables.share_interval(row["survival"], row["lower"], row["upper"]),
            "at_risk": row["at_risk"],
            "events": curve.filter((pl.col("group") == row["group"]) & (pl.col("time") <= row["time"]))["events"].sum(),
        }
        for row in curve.filter(
            pl.col("time").cast(pl.Float64).is_in([float(day) for day in horizons_of(analysed.spec)])
        ).iter_rows(named=True)
    ]
    columns = [
        ("group", "Group", ""), ("day", f"Days since {SINCE}", "num"), ("survival", "Survival (CI)", "num"),
        ("at_risk", "At risk", "num"), ("events", "Events so far", "num"),
    ]  # fmt: skip
    shown: Shown = [("Survival at the horizons of the plan", _without_lone_group(columns, rows), rows)] if rows else []
    medians = _results(analysed, "median_days")
    if medians:
        labels = group_labels(study, group_of(analysed.spec), [row["group"] for row in medians])
        named = [
            {
                "group": labels.get(row["group"], "All"),
                "median": tables.number(row["estimate"]) if tables.known(row["estimate"]) else "not reached",
                "interval": f"{tables.number(row['lower'])} to {tables.number(row['upper'])}",
                "n": row["n"],
                "events": row["events"],
            }
            for row in medians
        ]
        heads = [
            ("group", "Group", ""),
            ("median", "Median, days", "num"),
            ("interval", "CI", "num"),
            ("n", "N", "num"),
            ("events", "Events", "num"),
        ]
        shown.append(("Median survival", _without_lone_group(heads, named), named))
    return shown


def _results(analysed: Answered, key: str) -> list[dict[str, Any]]:
    """Keyed results of one key, with the group that follows the colon of the key."""
    found = []
    for row in tables.rows(analysed.results, "key"):
        name, _, group = str(row["key"]).partition(":")
        if name == key:
            found.append(row | {"group": group or "all"})
    return found


def _logrank_tables(study: Study, analysed: Answered) -> Shown:
    """The test itself; the curves stand above it."""
    rows = [
        row | {"label": variable_label(study, str(group_of(analysed.spec))), "p_text": tables.p_value(row["p"])}
        for row in tables.rows(analysed.table, "n_missing")
    ]
    columns = [
        ("label", "Groups by", ""), ("statistic", "Chi-square", "num"), ("df", "df", "num"), ("p_text", "p", "num"),
        ("n", "N", "num"), ("events", "Events", "num"), ("n_missing", "Group missing", "num"),
    ]  # fmt: skip
    return [("Log-rank test", columns, rows)]


def _incidence_tables(study: Study, analysed: Answered) -> Shown:
    """Cumulative incidence of each event at each horizon."""
    frame = _named(study, analysed, analysed.table)
    at = frame.filter(pl.col("time").cast(pl.Float64).is_in([float(day) for day in horizons_of(analysed.spec)]))
    rows = [
        row
        | {
            "state": tables.words(row["state"]),
            "day": row["time"],
            "share": tables.share_interval(row["probability"], row["lower"], row["upper"]),
        }
        for row in at.sort("group", "state", "time", maintain_order=True).iter_rows(named=True)
    ]
    columns = [
        ("group", "Group", ""), ("state", "State", ""), ("day", f"Days since {SINCE}", "num"),
        ("share", "Probability (CI)", "num"), ("at_risk", "At risk", "num"),
    ]  # fmt: skip
    heads = _without_lone_group(columns, rows)
    return [("Probability of each state at the horizons of the plan", heads, rows)] if rows else []


def _without_lone_group(columns: list[tuple[str, str, str]], rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """The columns without the group where there is none."""
    return columns[1:] if {row["group"] for row in rows} == {"All"} else columns


def _cox_tables(study: Study, analysed: Answered) -> Shown:
    """Coefficients as ratios, then what the whole model is worth."""
    labels = term_labels(study, analysed.table["term"].to_list())
    rows = [
        row
        | {
            "label": labels[row["term"]],
            "ratio": tables.ratio_interval(row["hr"], row["lower"], row["upper"]),
            "p_text": tables.p_value(row["p"]),
        }
        for row in tables.rows(analysed.table)
    ]
    columns = [
        ("label", "Factor", ""), ("ratio", "HR (CI)", "num"), ("p_text", "p", "num"), ("n", "N", "num"),
        ("events", "Events", "num"),
    ]  # fmt: skip
    shown: Shown = [("Hazard ratios, all factors in one model", columns, rows)]
    whole = [
        row | {"what": tables.words(row["key"]), "value": tables.number(row["estimate"])}
        for row in tables.rows(analysed.results, "key")
        if not str(row["key"]).startswith("hr:")
    ]
    if whole:
        heads = [
            ("what", "Of the model", ""),
            ("value", "Value", "num"),
            ("method", "Method", ""),
            ("n", "N", "num"),
            ("events", "Events", "num"),
        ]
        shown.append(("The model as a whole", heads, whole))
    return shown


def _table_one(study: Study, analysed: Answered) -> Shown:
    """One row per variable or level, one column per group."""
    frame = analysed.table
    grouped = "group" in frame.columns
    groups = frame["group"].unique(maintain_order=True).to_list() if grouped else ["all"]
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in tables.rows(frame, "level", "group", "missing"):
        key = (row["variable"], row["level"])
        first = not any(variable == row["variable"] for variable, _ in rows)
        name = variable_label(study, row["variable"]) if first else ""
        level = YES_NO.get(row["level"], row["level"]) or ""
        line = rows.setdefault(key, {"variable": name, "level": level})
        group = row["group"] if grouped else "all"
        line[f"value:{group}"] = row["value_text"]
        line[f"missing:{group}"] = row["missing"]
    columns = [("variable", "Variable", ""), ("level", "Level", "")]
    for group in groups:
        name = "All" if group in (None, "all") else tables.words(group)
        columns += [(f"value:{group}", name, "num"), (f"missing:{group}", "Missing", "num")]
    blank = {key: None for key, _, _ in columns}
    return [("Characteristics at time zero", columns, [blank | line for line in rows.values()])]


def _follow_up(study: Study, analysed: Answered) -> Shown:  # noqa: ARG001
    """The median follow-up; the rest is rows as they are."""
    rows = [
        {"median": tables.number(row["estimate"]) if tables.known(row["estimate"]) else "not reached",
         "interval": f"{tables.number(row['lower'])} to {tables.number(row['upper'])}", "n": row["n"]}
        for row in _results(analysed, "median_follow_up_days")
    ]  # fmt: skip
    return [("Median follow-up, reverse Kaplan–Meier", [("median", "Days", "num"), ("interval", "CI", "num"),
                                                        ("n", "N", "num")], rows)]  # fmt: skip


def _immortal_time(study: Study, analysed: Answered) -> Shown:  # noqa: ARG001
    """One row per time zero, one column per horizon."""
    days = analysed.table["horizon"].unique(maintain_order=True).to_list()
    rows: dict[str, dict[str, Any]] = {}
    for row in analysed.table.iter_rows(named=True):
        line = rows.setdefault(row["time_zero"], {name: row[name] for name in ("says", "n", "late", "set_aside")})
        line[f"day {row['horizon']}"] = tables.share_interval(row["survival"], row["lower"], row["upper"])
    columns = [("says", "Counted from", "wide"), ("n", "N", "num"), ("late", "Enter later", "num"),
               ("set_aside", "No time", "num"), *((f"day {day}", f"Day {day}", "num") for day in days)]  # fmt: skip
    return [("Survival at the horizons of the plan, by the day time counts from", columns, list(rows.values()))]


def _sensitivity(study: Study, analysed: Answered) -> Shown:
    """One row per choice, one column per factor; a changed side of 1 carries a mark."""
    terms = analysed.table["term"].drop_nulls().unique(maintain_order=True).to_list()
    labels = term_labels(study, terms)
    rows: dict[str, dict[str, Any]] = {}
    for row in analysed.table.iter_rows(named=True):
        line = rows.setdefault(row["choice"], {
            **{name: row[name] for name in ("says", "n", "events", "reason")}, **dict.fromkeys(terms, tables.MISSING)
        })  # fmt: skip
        if row["term"] is not None:
            mark = " ⚑" if row["sign_change"] else ""
            line[row["term"]] = tables.ratio_interval(row["hr"], row["lower"], row["upper"]) + mark
    columns = [("says", "Choice", "wide"), *((term, labels[term], "num") for term in terms), ("n", "N", "num"),
               ("events", "Events", "num")]  # fmt: skip
    if any(line["reason"] for line in rows.values()):
        columns.append(("reason", "Why not", "wide"))
    return [
        ("Hazard ratios (CI) under each choice; ⚑ on the other side of 1 than planned", columns, list(rows.values()))
    ]


def _decision(study: Study, analysed: Answered) -> Shown:
    """Net benefit: one row per horizon and threshold, one column per strategy."""
    frame = analysed.more.get("decision", pl.DataFrame())
    if not frame.height:
        return []
    names = frame["strategy"].unique(maintain_order=True).to_list()
    rows: dict[tuple[int, float], dict[str, Any]] = {}
    for row in frame.iter_rows(named=True):
        line = rows.setdefault((row["horizon"], row["threshold"]), {
            "day": row["horizon"], "threshold": tables.threshold(row["threshold"])})  # fmt: skip
        line[row["strategy"]] = tables.number(row["net_benefit"])
    heads = {"all": "Everybody", "none": "Nobody", "model": "Model"}
    columns = [("day", "Day", "num"), ("threshold", "Threshold", "num"),
               *((name, heads.get(name) or variable_label(study, name), "num") for name in names)]  # fmt: skip
    return [("Net benefit of acting on a risk above each threshold", columns, list(rows.values()))]


def _nomogram(study: Study, analysed: Answered) -> Shown:
    """Points of each factor's values in one line, and the points that go with each chance."""
    points, chances = (analysed.more.get(name, pl.DataFrame()) for name in ("points", "chances"))
    if not points.height:
        return []
    marks: dict[str, list[str]] = {}
    for row in points.iter_rows(named=True):
        marks.setdefault(row["variable"], []).append(f"{row['value']}: {row['points']:.0f}")
    rows = [{"factor": variable_label(study, name), "points": " · ".join(told)} for name, told in marks.items()]
    by_day: dict[int, list[str]] = {}
    for row in chances.iter_rows(named=True):
        by_day.setdefault(int(row["horizon"]), []).append(f"{tables.percent(row['survival'], 0)}: {row['points']:.0f}")
    days = [{"day": day, "points": " · ".join(told)} for day, told in by_day.items()]
    return [
        ("Points of a nomogram (value: points)", [("factor", "Factor", ""), ("points", "Points", "wide")], rows),
        ("Chance of no event, and the sum of points that goes with it",
         [("day", "Day", "num"), ("points", "Points", "wide")], days),
    ]  # fmt: skip


def _contrasts(study: Study, analysed: Answered) -> Shown:  # noqa: ARG001
    """Differences of two groups' means, where there are two."""
    rows = []
    for row in tables.rows(analysed.results, "key"):
        what, _, between = str(row["key"]).partition(":")
        if what.startswith("difference_"):
            limits = f"{tables.number(row['lower'])} to {tables.number(row['upper'])}"
            rows.append({
                "day": what.removeprefix("difference_").removesuffix("d"), "what": tables.words(between),
                "difference": f"{tables.number(row['estimate'])} ({limits})", "p": tables.p_value(row["p"]),
                "n": row["n"], "events": row["events"],
            })  # fmt: skip
    columns = [("day", "Horizon", "num"), ("what", "Difference of", ""), ("difference", "Days (CI)", "num"),
               ("p", "p", "num"), ("n", "N", "num"), ("events", "Events", "num")]  # fmt: skip
    return [("Difference of mean days", columns, rows)] if rows else []


_OWN: Mapping[str, Callable[[Study, Answered], Shown]] = {
    "kaplan_meier": _curve_tables,
    "logrank": _logrank_tables,
    "cumulative_incidence": _incidence_tables,
    "cox": _cox_tables,
    "table_one": _table_one,
    "follow_up": _follow_up,
    "immortal_time": _immortal_time,
    "sensitivity": _sensitivity,
}
_FURTHER: Mapping[str, Callable[[Study, Answered], Shown]] = {
    "performance": _decision,
    "prediction": _nomogram,
    "rmst": _contrasts,
}
