"""Expectations: what whole populations should look like, measured by Great Expectations on small frames.

Great Expectations judges the population layer only: one suite per table, on an in-memory frame and an ephemeral
context. It is imported where it runs (seconds of CPU) and sends nothing home. It sees the measured columns only.

What does not belong here: the bounds and their reasons (protocol/studies/<study>/expectations.yaml) and single rows.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.expectations import Expectation, load_expectations
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.warehouse.connection import Warehouse

VOLUME = "volume"
"""The name of the table of counts."""

_CLASSES = {
    "rows": "ExpectTableRowCountToBeBetween",
    "distinct": "ExpectColumnUniqueValueCountToBeBetween",
    "complete": "ExpectColumnProportionOfNonNullValuesToBeBetween",
    "median": "ExpectColumnMedianToBeBetween",
    "mean": "ExpectColumnMeanToBeBetween",
    "share": "ExpectColumnMeanToBeBetween",
    "value": "ExpectColumnValuesToBeBetween",
}
_SEVERITY = {"warn": "warning", "block": "critical"}


@dataclass(frozen=True)
class ExpectationResult:
    """What was expected and what was found; `observed` is None where nothing could be measured, which never passes."""

    id: str
    says: str
    table: str
    severity: Literal["warn", "block"]
    passed: bool
    observed: float | None
    expected: str
    because: str


def expectations_of(folder: Path, study: str) -> list[Expectation]:
    """What a study expects of its marts; the expectations of `volume` are `volume_expectations_of`."""
    return [expectation for expectation in load_expectations(folder, study) if expectation.table != VOLUME]


def volume_expectations_of(folder: Path, study: str) -> list[Expectation]:
    """What a study expects of the table `volume`, the counts of core."""
    return [expectation for expectation in load_expectations(folder, study) if expectation.table == VOLUME]


def expect(frames: Mapping[str, pl.DataFrame], folder: Path, study: str) -> list[ExpectationResult]:
    """Measure what the study's page expects of the given tables (marts by name, or `volume`), in the page's order.

    Expectations of `volume` are left out when it is not given, those of the marts when only it is.
    """
    asked = [
        *(volume_expectations_of(folder, study) if VOLUME in frames else []),
        *(expectations_of(folder, study) if set(frames) - {VOLUME} else []),
    ]
    return judge_expectations(frames, asked)


def judge_expectations(
    frames: Mapping[str, pl.DataFrame], expectations: Sequence[Expectation]
) -> list[ExpectationResult]:
    """Measure every expectation, in the order of the page. `frames` maps a table's name to its rows.

    Raises QualityError naming every expectation whose table or column is not there.
    """
    _must_exist(frames, expectations)
    results: dict[str, ExpectationResult] = {}
    for table in dict.fromkeys(expectation.table for expectation in expectations):
        asked = [expectation for expectation in expectations if expectation.table == table]
        results |= _run_suite(table, frames[table], asked)
    return [results[expectation.id] for expectation in expectations]


def _must_exist(frames: Mapping[str, pl.DataFrame], expectations: Sequence[Expectation]) -> None:
    problems = []
    for expectation in expectations:
        where = f"expectations.yaml: '{expectation.id}'"
        if expectation.table not in frames:
            problems.append(
                f"{where} is about table '{expectation.table}', which is not there."
                f"{did_you_mean(expectation.table, frames)}"
            )
            continue
        columns = frames[expectation.table].columns
        if expectation.column is not None and expectation.column not in columns:
            problems.append(
                f"{where} names column '{expectation.column}', which {expectation.table} does not have."
                f"{did_you_mean(expectation.column, columns)}"
            )
    if problems:
        raise QualityError("\n".join(problems))


def _measured(frame: pl.DataFrame, expectation: Expectation) -> pl.Series:
    """The column an expectation measures, as plain numbers where it measures numbers; null stays null."""
    assert expectation.column is not None  # noqa: S101 - the page's model guarantees it
    values = frame.get_column(expectation.column)
    if expectation.measure == "share":
        return values.is_in(list(expectation.equals)).cast(pl.Float64)
    if expectation.measure in ("complete", "distinct"):
        return values.cast(pl.Float64) if values.dtype.is_numeric() else values
    return values.cast(pl.Float64)


def _run_suite(table: str, frame: pl.DataFrame, asked: Sequence[Expectation]) -> dict[str, ExpectationResult]:
    gx, classes = _great_expectations()
    columns = {e.id: _measured(frame, e).rename(e.id) for e in asked if e.column is not None}
    # a table without measured columns still has its rows
    data = pl.DataFrame([pl.Series("_row", range(frame.height), pl.Int64), *columns.values()]).to_pandas()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    suite = context.suites.add(gx.ExpectationSuite(name=table))
    for expectation in asked:
        suite.add_expectation(_as_gx(expectation, classes))
    batch = (
        context.data_sources.add_pandas("frames").add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
    )
    checked = batch.get_batch(batch_parameters={"dataframe": data}).validate(suite)
    by_id = {expectation.id: expectation for expectation in asked}
    found = [(by_id[result.expectation_config.meta["id"]], result) for result in checked.results]
    return {expectation.id: _result(expectation, result, frame.height) for expectation, result in found}


def _great_expectations() -> tuple[Any, Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own dependencies' notices
        import great_expectations as gx
        import great_expectations.expectations as classes
    return gx, classes


def _as_gx(expectation: Expectation, classes: Any) -> Any:
    bounds = {"min_value": expectation.low, "max_value": expectation.high}
    column = {} if expectation.column is None else {"column": expectation.id}
    return getattr(classes, _CLASSES[expectation.measure])(
        **bounds, **column, severity=_SEVERITY[expectation.severity], meta={"id": expectation.id}
    )


def _result(expectation: Expectation, result: Any, rows: int) -> ExpectationResult:
    raised = result.exception_info.get("raised_exception", True)
    if raised:
        told = result.exception_info.get("exception_message") or "see its log"
        raise QualityError(f"expectations.yaml: '{expectation.id}' could not be measured: {told}")
    observed: float | None
    if expectation.measure == "value":
        failing = result.result.get("unexpected_list", result.result.get("partial_unexpected_list", []))
        observed = float(failing[0]) if failing else None
        passed = bool(result.success) and rows > 0
    else:
        value = result.result.get("observed_value")
        observed = None if value is None or value != value else float(value)
        passed = bool(result.success) and observed is not None
    return ExpectationResult(
        expectation.id, expectation.says, expectation.table, expectation.severity, passed, observed,
        _expected(expectation), expectation.because,
    )  # fmt: skip


def _expected(expectation: Expectation) -> str:
    if expectation.low is None:
        return f"at most {expectation.high:g}"
    if expectation.high is None:
        return f"at least {expectation.low:g}"
    return f"{expectation.low:g} to {expectation.high:g}"


def volume(wh: Warehouse) -> pl.DataFrame:
    """The table `volume` of the page: one row of counts over core and quarantine.

    `rows_<kind>` for each kind, `patients` (distinct record numbers), `labs_per_patient` and `vitals_per_patient` (null
    without patients), `worst_quarantined_share`: the largest share set aside of the current rows of one kind.
    """
    counts = {kind: int(wh.scalar(f"select count(*) from core.{kind}")) for kind in KINDS}
    aside = dict(
        wh.rows(
            """-- rows set aside: one row per table
            select table_name, count(*) from quality.quarantine group by table_name"""
        )
    )
    patients = int(wh.scalar("select count(distinct patient_id) from core.patients"))
    shares = [
        aside.get(kind, 0) / (counts[kind] + aside.get(kind, 0)) for kind in KINDS if counts[kind] or kind in aside
    ]
    return pl.DataFrame(
        {f"rows_{kind}": [count] for kind, count in counts.items()}
        | {
            "patients": [patients],
            "labs_per_patient": pl.Series([counts["labs"] / patients if patients else None], dtype=pl.Float64),
            "vitals_per_patient": pl.Series([counts["vitals"] / patients if patients else None], dtype=pl.Float64),
            "worst_quarantined_share": [max(shares, default=0.0)],
        }
    )
