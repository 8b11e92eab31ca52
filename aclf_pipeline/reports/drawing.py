"""Which figure belongs to which kind of analysis, and the names a reader knows instead of column names.

What does not belong here: drawing itself (figures) and layout of a page (study).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol as Shape

import polars as pl

from aclf_pipeline.protocol import Analysis, Study
from aclf_pipeline.protocol.plan import group_of, horizons_of, root
from aclf_pipeline.reports import figures, tables
from aclf_pipeline.reports.canvas import Figure

SINCE = "time zero"
PLAIN_UNITS = {"a": "years", "1": None}
"""UCUM units a reader would stumble over."""
YES_NO = {"true": "yes", "false": "no", "True": "yes", "False": "no"}


class Answer(Shape):
    """What a drawing needs of an analysis: its tidy table and the further tables beside it."""

    @property
    def table(self) -> pl.DataFrame:
        """The tidy table."""

    @property
    def more(self) -> Mapping[str, pl.DataFrame]:
        """Further tables by name."""


def draw(spec: Analysis, result: Answer, study: Study, *, synthetic: bool, note: str = "") -> Figure | None:
    """The figure of one stanza, or None where its kind has none or its table has no row."""
    drawer = _KINDS.get(spec.kind)
    frame = result.more.get("curves", result.table) if spec.kind == "logrank" else result.table
    if drawer is None or not frame.height:
        return None
    return drawer(spec, result, study, synthetic, note)


def term_labels(study: Study, terms: list[str]) -> dict[str, str]:
    """A name for each term of a model: the covariate's label and unit, then its level if it has one."""
    return {term: _term_label(study, term) for term in terms}


def group_labels(study: Study, group: str | None, values: list[str]) -> dict[str, str]:
    """A name for each value of a grouping column: 'Cirrhosis: yes'."""
    if group is None:
        return {}
    label = study.covariates[group].label if group in study.covariates else tables.words(group)
    return {value: f"{label}: {YES_NO.get(value, tables.words(value))}" for value in values if value != "all"}


def variable_label(study: Study, name: str) -> str:
    """A variable's label with its unit: 'Creatinine, umol/L'; the unit 1 is not written."""
    covariate = study.covariates.get(name)
    if covariate is None:
        baseline = study.baseline.get(name)
        return baseline.says if baseline else tables.words(name)
    unit = PLAIN_UNITS.get(covariate.unit or "", covariate.unit)
    return f"{covariate.label}, {unit}" if unit else covariate.label


def _term_label(study: Study, term: str) -> str:
    """The longest covariate name that begins the term gives the label; what follows it is kept as it is."""
    whole = [name for name in study.covariates if re.match(rf"{re.escape(name)}(?![a-z0-9])", term)]
    if not whole:
        return tables.words(term)
    name = max(whole, key=len)
    rest = term[len(name) :].strip(" ,:=[]_")
    return f"{variable_label(study, name)}: {YES_NO.get(rest, rest)}" if rest else variable_label(study, name)


def _kaplan_meier(spec: Analysis, result: Answer, study: Study, synthetic: bool, note: str) -> Figure:
    curve = result.more["curves"] if spec.kind == "logrank" else result.table
    return figures.km(
        curve,
        figure_id=spec.id,
        title=spec.says,
        risk=result.more.get("risk"),
        labels=group_labels(study, group_of(spec), curve["group"].unique().cast(pl.String).to_list()),
        outcome=study.endpoints[root(spec, ()).endpoint].event.replace("_", " "),
        ticks=horizons_of(spec),
        since=SINCE,
        note=note,
        synthetic=synthetic,
    )


def _incidence(spec: Analysis, result: Answer, study: Study, synthetic: bool, note: str) -> Figure:
    groups = result.table["group"].unique().cast(pl.String).to_list() if "group" in result.table.columns else []
    return figures.cumulative_incidence(
        result.table,
        figure_id=spec.id,
        title=spec.says,
        risk=result.more.get("risk"),
        labels=group_labels(study, group_of(spec), groups),
        ticks=horizons_of(spec),
        since=SINCE,
        note=note,
        synthetic=synthetic,
    )


def _forest(spec: Analysis, result: Answer, study: Study, synthetic: bool, note: str) -> Figure:
    labels = term_labels(study, result.table["term"].to_list())
    return figures.forest(
        result.table, figure_id=spec.id, title=spec.says, labels=labels, note=note, synthetic=synthetic
    )


_KINDS: Mapping[str, Callable[[Analysis, Answer, Study, bool, str], Figure]] = {
    "kaplan_meier": _kaplan_meier,
    "logrank": _kaplan_meier,
    "cumulative_incidence": _incidence,
    "cox": _forest,
}
