"""The study page: who was analysed, what was counted, what came of it, and what it cannot say.

The sections follow the analysis plan: a stanza more is a section more. No number is typed: each comes from a frame of
the analyses, from the attrition or from the study page.

What does not belong here: estimating, choosing an endpoint, and any sentence about an effect of treatment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Analysis, Study
from aclf_pipeline.reports import flow, tables
from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline.reports.drawing import SINCE, YES_NO, Answer, draw, group_labels, term_labels, variable_label
from aclf_pipeline.reports.limits import limitations
from aclf_pipeline.reports.page import Section


@dataclass(frozen=True)
class Analysed:
    """One stanza and what came of it: its tables and remarks, or the reason why the data cannot answer it."""

    spec: Analysis
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    results: pl.DataFrame = field(default_factory=pl.DataFrame)
    more: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class StudyContext:
    """Everything the page says. `analyses` in the order of the plan.

    attrition: step, criterion, says, entering, leaving, left, failing_alone, failing_any. missingness: variable, n,
    missing.
    """

    study: Study
    source: str
    as_of: date
    protocol_digest: str
    data_digest: str
    attrition: pl.DataFrame = field(default_factory=pl.DataFrame)
    analyses: tuple[Analysed, ...] = ()
    missingness: pl.DataFrame = field(default_factory=pl.DataFrame)
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    synthetic: bool = False


def missingness(cohort: pl.DataFrame, variables: Sequence[str]) -> pl.DataFrame:
    """variable, n, missing: how many of the cohort lack each of these columns; NaN counts as missing."""
    named = [name for name in variables if name in cohort.columns]
    floats = [pl.col(name).fill_nan(None) for name in named if cohort.schema[name].is_float()]
    nulls = cohort.with_columns(floats).select(named).null_count()
    rows = [(name, cohort.height, nulls[name].item()) for name in named]
    return pl.DataFrame(rows, schema={"variable": pl.String, "n": pl.Int64, "missing": pl.Int64}, orient="row")


def page(context: StudyContext) -> str:
    """The study page, as one HTML document."""
    columns = {
        "attrition": (context.attrition, flow.COLUMNS),
        "missingness": (context.missingness, ("variable", "n", "missing")),
    }
    tables.require("study page", columns)
    drawn = drawings(context)
    labels = {figure: f"Figure {number}" for number, figure in enumerate(drawn, start=1)}
    return pages.render(
        "study.html.j2",
        heading=context.study.title,
        synthetic=context.synthetic,
        context=context,
        study=context.study,
        drawn=drawn,
        labels=labels,
        shown=[_shown(context, analysed) for analysed in context.analyses],
        endpoints=[
            {
                "id": name,
                "says": endpoint.says,
                "event": endpoint.event.replace("_", " "),
                "horizon": endpoint.horizon_days,
                "competing": ", ".join(endpoint.competing),
                "primary": "primary" if endpoint.primary else "",
            }
            for name, endpoint in context.study.endpoints.items()
        ],
        parameters=[
            {
                "says": parameter.says,
                "value": parameter.value,
                "also": parameter.sensitivity,
                "because": parameter.because,
            }
            for parameter in context.study.parameters.values()
        ],
        missing=[
            {
                "variable": variable_label(context.study, row["variable"]),
                "missing": tables.n_percent(row["missing"], row["n"]),
                "n": row["n"],
            }
            for row in tables.rows(context.missingness)
        ],
        limits=limitations(context.study, context.attrition, context.missingness, context.analyses)
        + list(context.notes),
    )


def drawings(context: StudyContext) -> dict[str, Figure]:
    """Every figure of the page by its id, in the order of the page: for the page and for a release."""
    made: dict[str, Figure] = {}
    if context.attrition.height:
        made["flow"] = flow.flow_chart(
            context.attrition,
            title=f"Flow of candidates in {context.study.registry or context.study.id}",
            events=_events(context),
            synthetic=context.synthetic,
        )
    for analysed in context.analyses:
        answer: Answer = analysed
        figure = draw(analysed.spec, answer, context.study, synthetic=context.synthetic, note=_note(context, analysed))
        if figure is not None:
            made[analysed.spec.id] = figure
    return made


def _events(context: StudyContext) -> tuple[str, int] | None:
    """Events of the primary endpoint among all analysed, read off a whole-cohort curve that reaches its horizon."""
    primary = next((endpoint for endpoint in context.study.endpoints.values() if endpoint.primary), None)
    for analysed in context.analyses:
        endpoint = context.study.endpoints[analysed.spec.endpoint]
        if primary is None or not analysed.table.height or endpoint.event != primary.event:
            continue
        end, reach = (one.horizon_days or float("inf") for one in (primary, endpoint))
        if analysed.spec.kind == "kaplan_meier" and analysed.spec.group is None and reach >= end:
            return primary.says, int(analysed.table.filter(pl.col("time") <= end)["events"].sum())
    return None


def _note(context: StudyContext, analysed: Analysed) -> str:
    """What a caption adds: the log-rank test of the same endpoint and group, wherever the plan has it."""
    spec = analysed.spec
    if spec.group is None or spec.kind not in ("kaplan_meier", "logrank"):
        return ""
    for other in context.analyses:
        same = (other.spec.endpoint, other.spec.group) == (spec.endpoint, spec.group)
        if same and other.spec.kind == "logrank" and other.table.height:
            test = other.table.row(0, named=True)
            return f"Log-rank p {_equals(test['p'])} (chi-square {tables.number(test['statistic'])}, df {test['df']})."
    return ""


def _equals(p: Any) -> str:
    text = tables.p_value(p)
    return text if text[0] in "<>" else f"= {text}"


def _shown(context: StudyContext, analysed: Analysed) -> dict[str, Any]:
    """One stanza as the template wants it: its tables as caption, columns, rows."""
    kinds = {
        "kaplan_meier": _curve_tables,
        "logrank": _logrank_tables,
        "cumulative_incidence": _incidence_tables,
        "cox": _cox_tables,
        "table_one": _table_one,
    }
    shown = kinds[analysed.spec.kind](context.study, analysed) if analysed.table.height else []
    endpoint = context.study.endpoints[analysed.spec.endpoint]
    return {"analysed": analysed, "spec": analysed.spec, "endpoint": endpoint, "tables": shown}


Shown = list[tuple[str, list[tuple[str, str, str]], list[dict[str, Any]]]]


def _named(study: Study, analysed: Analysed, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with groups called by the names a reader knows, 'All' where there are none."""
    if "group" not in frame.columns:
        return frame.with_columns(group=pl.lit("All"))
    values = frame["group"].cast(pl.String).unique().to_list()
    labels = {"all": "All", **group_labels(study, analysed.spec.group, values)}
    return frame.with_columns(group=pl.col("group").cast(pl.String).replace(labels))


def _curve_tables(study: Study, analysed: Analysed) -> Shown:
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
            pl.col("time").cast(pl.Float64).is_in([float(day) for day in analysed.spec.horizons])
        ).iter_rows(named=True)
    ]
    columns = [
        ("group", "Group", ""), ("day", f"Days since {SINCE}", "num"), ("survival", "Survival (CI)", "num"),
        ("at_risk", "At risk", "num"), ("events", "Events so far", "num"),
    ]  # fmt: skip
    shown: Shown = [("Survival at the horizons of the plan", _without_lone_group(columns, rows), rows)] if rows else []
    medians = _results(analysed, "median_days")
    if medians:
        labels = group_labels(study, analysed.spec.group, [row["group"] for row in medians])
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


def _results(analysed: Analysed, key: str) -> list[dict[str, Any]]:
    """Keyed results of one key, with the group that follows the colon of the key."""
    found = []
    for row in tables.rows(analysed.results, "key"):
        name, _, group = str(row["key"]).partition(":")
        if name == key:
            found.append(row | {"group": group or "all"})
    return found


def _logrank_tables(study: Study, analysed: Analysed) -> Shown:
    """The test itself; the curves stand above it."""
    rows = [
        row | {"label": variable_label(study, str(analysed.spec.group)), "p_text": tables.p_value(row["p"])}
        for row in tables.rows(analysed.table, "n_missing")
    ]
    columns = [
        ("label", "Groups by", ""), ("statistic", "Chi-square", "num"), ("df", "df", "num"), ("p_text", "p", "num"),
        ("n", "N", "num"), ("events", "Events", "num"), ("n_missing", "Group missing", "num"),
    ]  # fmt: skip
    return [("Log-rank test", columns, rows)]


def _incidence_tables(study: Study, analysed: Analysed) -> Shown:
    """Cumulative incidence of each event at each horizon."""
    frame = _named(study, analysed, analysed.table)
    at = frame.filter(pl.col("time").cast(pl.Float64).is_in([float(day) for day in analysed.spec.horizons]))
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


def _cox_tables(study: Study, analysed: Analysed) -> Shown:
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


def _table_one(study: Study, analysed: Analysed) -> Shown:
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
