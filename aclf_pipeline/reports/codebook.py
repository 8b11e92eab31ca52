"""The codebook of the cohort: for every column what it is, in which unit, from where, in which window, how often it is
missing, what is valid, and because of what. Made from the contract, the protocol, the queries and counts of missing
values; nothing is written twice.

What does not belong here: a value of any patient, and writing files (warehouse).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from aclf_pipeline.contracts import Contract, promises
from aclf_pipeline.contracts.base import ColumnPromise
from aclf_pipeline.protocol import Protocol, Study
from aclf_pipeline.reports import tables
from aclf_pipeline.science.cohort import variable_units
from aclf_pipeline.science.score_table import SCORES
from aclf_pipeline.warehouse.lineage import Lineage
from aclf_pipeline.warehouse.statistical_files import Labels

COLUMNS = ("place", "variable", "definition", "type", "unit", "source", "window", "n", "missing", "missing_share",
           "valid", "because")  # fmt: skip
TYPES = {"String": "text", "Int64": "whole number", "Float64": "number", "Boolean": "yes or no", "Date": "day"}
FACTS = "intermediate.facts"
UNSTATED = "Not a choice of the protocol: as the contract promises it."
WINDOWED = "Window and pick as the study page states them."
_ENDED = ("event", "event_on", "event_days", "end_state", "death_source", "last_alive_on", "left_without_follow_up")
_COUNTED = ("death_agreement_days", "lost_to_follow_up", "against_advice")
_SCHEMA = {**dict.fromkeys(COLUMNS, pl.String), **dict.fromkeys(("place", "n", "missing"), pl.Int64),
           "missing_share": pl.Float64}  # fmt: skip
_EVENT = "endpoints: what happened first, from death, transplant and the last day known alive"


def codebook(protocol: Protocol, contract: type[Contract], cohort: pl.DataFrame, lineage: Lineage) -> pl.DataFrame:
    """One row per column of the cohort, in the contract's order: `COLUMNS`.

    `lineage` maps a column of the candidates to the columns it is computed from. NaN counts as missing; the share is
    null for an empty cohort. A unit, window or range that does not exist is null.
    """
    units = variable_units(protocol)
    rows = []
    for place, promise in enumerate(promises(contract), start=1):
        missing = _missing(cohort, promise.name)
        share = missing / cohort.height if cohort.height else None
        described = _described(protocol, promise, units, lineage)
        rows.append(
            {"place": place, "variable": promise.name, **described, "n": cohort.height, "missing": missing,
             "missing_share": share}
        )  # fmt: skip
    return pl.DataFrame(rows, schema=_SCHEMA)


def _missing(cohort: pl.DataFrame, name: str) -> int:
    column = cohort[name]
    return int((column.fill_nan(None) if column.dtype.is_float() else column).null_count())


def _described(
    protocol: Protocol, promise: ColumnPromise, units: Mapping[str, str], lineage: Lineage
) -> dict[str, str | None]:
    name, study = promise.name, protocol.study
    covariate = study.covariates.get(name)
    kind = promise.dtype.partition("(")[0]
    return {
        "definition": promise.says.replace("`", ""),
        "type": TYPES.get(kind, "time" if kind == "Datetime" else kind.lower()),
        "unit": units.get(name) or (covariate.unit if covariate is not None else None) or _unit_of_score(name),
        "source": _source(study, name, lineage),
        "window": _window(study, name),
        "valid": _valid(protocol, promise),
        "because": _because(protocol, name),
    }


def _unit_of_score(name: str) -> str | None:
    return SCORES[name].unit if name in SCORES else None


def _source(study: Study, name: str, lineage: Lineage) -> str:
    """Where a value comes from: an analyte or item, the inputs of a score, the endpoints, or the query's columns."""
    if (baseline := study.baseline.get(name)) is not None:
        return f"core.{baseline.table}, {'analyte' if baseline.analyte else 'item'} {baseline.analyte or baseline.item}"
    if name in SCORES:
        return f"computed from {', '.join(variable for variable, _ in SCORES[name].inputs.values())}"
    if {table for table, _ in lineage.get(name, ())} == {FACTS}:
        return f"{FACTS}, variable {name}"
    if name in lineage:
        return ", ".join(f"{table}.{column}" for table, column in lineage[name]) or "the candidates' query"
    return _EVENT


def _window(study: Study, name: str) -> str | None:
    baseline = study.baseline.get(name)
    if baseline is None:
        return None
    return f"days {-baseline.days_before} to {baseline.days_after}, {baseline.pick}"


def _valid(protocol: Protocol, promise: ColumnPromise) -> str | None:
    """The closed vocabulary, the grades, or the limits outside of which the analyte is no measurement."""
    if promise.within:
        return ", ".join(promise.within)
    if (covariate := protocol.study.covariates.get(promise.name)) is not None and covariate.levels:
        return ", ".join(f"{number} {says}" for number, says in covariate.levels.items())
    analyte = _analyte(protocol, promise.name)
    if analyte is None or analyte.hard_limits is None:
        return None
    low, high = analyte.hard_limits
    return f"{tables.number(low, 6)} to {tables.number(high, 6)} {analyte.unit}"


def _analyte(protocol: Protocol, name: str) -> Any:
    baseline = protocol.study.baseline.get(name)
    return None if baseline is None else protocol.analytes.get(baseline.analyte or baseline.item or "")


def _because(protocol: Protocol, name: str) -> str:
    """The reason a page gives: of the analyte's limits, the score's formula, the criterion that asks the column."""
    study = protocol.study
    if (analyte := _analyte(protocol, name)) is not None:
        return f"Unverified. {analyte.because}" if analyte.unverified else str(analyte.because)
    if name in SCORES:
        return SCORES[name].source
    asking = [c for c in study.eligibility if re.search(rf"\b{re.escape(name)}\b", c.keep)]
    if name == "time_zero":
        return study.time_zero
    said = [f"Criterion {c.id}: {c.because}" for c in asking]
    if name in study.baseline:
        said.append(WINDOWED)
    elif name.startswith("aclf") and "aclf" in protocol.definitions:
        said.append(protocol.definitions["aclf"].because)
    elif name in _ENDED:
        said += [study.parameters[one].because for one in _COUNTED if one in study.parameters]
    return " ".join(said) or UNSTATED


def labels(contract: type[Contract], study: Study) -> Labels:
    """Labels of a table's columns for statistical programs: the page's label and unit, else the contract's words."""
    variables, grades = {}, {}
    for promise in promises(contract):
        covariate = study.covariates.get(promise.name)
        said = promise.says.replace("`", "")
        if covariate is not None:
            said = covariate.label if covariate.unit is None else f"{covariate.label}, {covariate.unit}"
            grades[promise.name] = {int(number): says for number, says in covariate.levels.items()}
        variables[promise.name] = said
    return Labels(
        variables=variables,
        vocabularies={promise.name: promise.within for promise in promises(contract) if promise.within},
        grades={name: pairs for name, pairs in grades.items() if pairs},
    )
