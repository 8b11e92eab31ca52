"""The study page: who was analysed, what was counted, what came of it, and what it cannot say.

The sections follow the analysis plan: a stanza more is a section more. No number is typed: each comes from a frame of
the analyses, from the attrition or from the study page.

What does not belong here: estimating, choosing an endpoint, and any sentence about an effect of treatment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Analysis, Study
from aclf_pipeline.protocol.plan import CumulativeIncidence, KaplanMeier, LogRank, root
from aclf_pipeline.reports import flow, tables
from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports.analysis_tables import analysis_tables
from aclf_pipeline.reports.canvas import Figure
from aclf_pipeline.reports.drawing import Answer, variable_label
from aclf_pipeline.reports.limits import limitations
from aclf_pipeline.reports.page import Section
from aclf_pipeline.reports.plan_drawing import figures_of
from aclf_pipeline.reports.stories import Group

_STORIES = re.compile(r'<section id="stories">.*?</section>\n?', re.DOTALL)


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
    stories: tuple[Group, ...] = ()
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
        shown=[_shown(context, analysed, list(drawn)) for analysed in context.analyses],
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


def without_stories(page: str) -> str:
    """The page for a release, which holds no page per candidate: without the list that leads to them."""
    return _STORIES.sub("", page)


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
        note = _note(context, analysed)
        drawn = figures_of(analysed.spec, answer, context.study, synthetic=context.synthetic, note=note)
        made |= {figure.id: figure for figure in drawn}
    return made


def _events(context: StudyContext) -> tuple[str, int] | None:
    """Events of the primary endpoint among all analysed, read off a curve of everybody that reaches its horizon."""
    primary = next((endpoint for endpoint in context.study.endpoints.values() if endpoint.primary), None)
    for analysed in context.analyses:
        spec = analysed.spec
        if primary is None or not analysed.table.height or not isinstance(spec, KaplanMeier | CumulativeIncidence):
            continue
        endpoint, curve = context.study.endpoints[spec.endpoint], analysed.table
        end, reach = (one.horizon_days or float("inf") for one in (primary, endpoint))
        if endpoint.event != primary.event or spec.group is not None or reach < end:
            continue
        if "state" in curve.columns:
            curve = curve.filter(pl.col("state") == primary.event)
        return primary.says, int(curve.filter(pl.col("time") <= end)["events"].sum())
    return None


def _note(context: StudyContext, analysed: Analysed) -> str:
    """What a caption adds: the log-rank test of the same endpoint and group, wherever the plan has it."""
    spec = analysed.spec
    if not isinstance(spec, KaplanMeier | LogRank) or spec.group is None:
        return ""
    for other in context.analyses:
        asked = (other.spec.endpoint, other.spec.group) if isinstance(other.spec, LogRank) else None
        if asked == (spec.endpoint, spec.group) and other.table.height:
            test = other.table.row(0, named=True)
            return f"Log-rank p {_equals(test['p'])} (chi-square {tables.number(test['statistic'])}, df {test['df']})."
    return ""


def _equals(p: Any) -> str:
    text = tables.p_value(p)
    return text if text[0] in "<>" else f"= {text}"


def _shown(context: StudyContext, analysed: Analysed, drawn: Sequence[str]) -> dict[str, Any]:
    """One stanza as the template wants it: the ids of its figures, its tables as caption, columns, rows."""
    plan = [one.spec for one in context.analyses]
    shown = analysis_tables(context.study, analysed) if analysed.table.height else []
    endpoint = context.study.endpoints[root(analysed.spec, plan).endpoint]
    own = [name for name in drawn if name.partition("-")[0] == analysed.spec.id]
    return {"analysed": analysed, "spec": analysed.spec, "endpoint": endpoint, "tables": shown, "figures": own}
