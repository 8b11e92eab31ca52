"""Expectations: what whole populations should look like, measured by Great Expectations on small frames.

Great Expectations judges the population layer only: one suite per table, on an in-memory frame. It is imported where it
runs (seconds of CPU) and sends nothing home. It sees the measured columns only.

What does not belong here: the bounds and their reasons (protocol/studies/<study>/expectations.yaml), the counts that
are measured (`volume`), the documents of what was measured (`data_docs`), and single rows.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.expectations import Expectation, load_expectations
from aclf_pipeline.quality.data_docs import DataDocs
from aclf_pipeline.quality.executor import QualityError

VOLUME = "volume"
"""The name of the table of counts."""
YEARS = "years"
"""The name of the table of counts by calendar year."""
COUNTED = (VOLUME, YEARS)

_CLASSES = {
    "rows": "ExpectTableRowCountToBeBetween",
    "distinct": "ExpectColumnUniqueValueCountToBeBetween",
    "complete": "ExpectColumnProportionOfNonNullValuesToBeBetween",
    "median": "ExpectColumnMedianToBeBetween",
    "mean": "ExpectColumnMeanToBeBetween",
    "share": "ExpectColumnMeanToBeBetween",
    "value": "ExpectColumnValuesToBeBetween",
    "drift": "ExpectColumnKLDivergenceToBeLessThan",
}
_SEVERITY = {"warn": "warning", "block": "critical"}
_NEW_WORDS = {"tail_weight_holdout": 0.001}
"""Weight kept for words the last release did not have: without it one new word makes the divergence infinite."""


@dataclass(frozen=True)
class ExpectationResult:
    """What was expected and what was found; `observed` is None where nothing could be measured, which never passes.

    Only a drift is told as kept without being measured: when there is no earlier release to have drifted from.
    """

    id: str
    says: str
    table: str
    severity: Literal["warn", "block"]
    passed: bool
    observed: float | None
    expected: str
    because: str


def expectations_of(folder: Path, study: str) -> list[Expectation]:
    """What a study expects of its marts; those of `volume` and `years` are `volume_expectations_of`."""
    return [expectation for expectation in load_expectations(folder, study) if expectation.table not in COUNTED]


def volume_expectations_of(folder: Path, study: str) -> list[Expectation]:
    """What a study expects of the tables `volume` and `years`, the counts of core."""
    return [expectation for expectation in load_expectations(folder, study) if expectation.table in COUNTED]


def expect(
    frames: Mapping[str, pl.DataFrame],
    folder: Path,
    study: str,
    *,
    released: Mapping[str, pl.DataFrame] | None = None,
    docs: DataDocs | None = None,
) -> list[ExpectationResult]:
    """Measure what the study's page expects of the given tables (marts by name, `volume`, `years`), in its order.

    Expectations of a counted table are left out when it is not given, those of the marts when only counted ones are.
    `released` are the tables of the last release, for drift; `docs` is where Data Docs are kept.
    """
    asked = [
        *(e for e in volume_expectations_of(folder, study) if e.table in frames),
        *(expectations_of(folder, study) if set(frames) - set(COUNTED) else []),
    ]
    return judge_expectations(frames, asked, released=released, docs=docs)


def judge_expectations(
    frames: Mapping[str, pl.DataFrame],
    expectations: Sequence[Expectation],
    *,
    released: Mapping[str, pl.DataFrame] | None = None,
    docs: DataDocs | None = None,
) -> list[ExpectationResult]:
    """Measure every expectation, in the order of the page. `frames` maps a table's name to its rows.

    Raises QualityError naming every expectation whose table or column is not there.
    """
    _must_exist(frames, expectations)
    measured = {e.id: _measured(frames[e.table], e) for e in expectations if e.column is not None}
    before = {e.id: _known_before(e, released or {}) for e in expectations if e.measure == "drift"}
    results = {
        e.id: _no_drift(e, is_first=before[e.id] is None)
        for e in expectations
        if e.measure == "drift" and (before[e.id] is None or not measured[e.id].drop_nulls().len())
    }
    gx, classes = _great_expectations()
    context = gx.get_context(mode="ephemeral") if docs is None else docs.context(gx)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    for table in dict.fromkeys(expectation.table for expectation in expectations):
        asked = [e for e in expectations if e.table == table and e.id not in results]
        columns = [_comparable(measured[e.id], before.get(e.id)).rename(e.id) for e in asked if e.id in measured]
        # a table without measured columns still has its rows
        rows = pl.Series("_row", range(frames[table].height), pl.Int64)
        suite = [_as_gx(e, classes, before.get(e.id)) for e in asked]
        found = _validate(gx, context, table, pl.DataFrame([rows, *columns]), suite, docs)
        by_id = {e.id: e for e in asked}
        for result in found.results:
            expectation = by_id[result.expectation_config.meta["id"]]
            results[expectation.id] = _result(expectation, result, frames[table].height)
    if docs is not None:
        docs.build(context)
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
    if expectation.measure == "drift" and not values.dtype.is_numeric():
        return values.cast(pl.String)
    if expectation.measure in ("complete", "distinct"):
        return values.cast(pl.Float64) if values.dtype.is_numeric() else values
    return values.cast(pl.Float64)


def _validate(
    gx: Any, context: Any, table: str, frame: pl.DataFrame, suite: Sequence[Any], docs: DataDocs | None
) -> Any:
    """Run one suite over one frame; with `docs`, under the name of the refresh."""
    made = context.suites.add_or_update(gx.ExpectationSuite(name=table, expectations=list(suite)))
    source = context.data_sources.add_or_update_pandas(f"frames_{table}")
    batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
    asked = context.validation_definitions.add_or_update(gx.ValidationDefinition(name=table, data=batch, suite=made))
    run = {} if docs is None else {"run_id": docs.run_id(gx)}
    return asked.run(batch_parameters={"dataframe": frame.to_pandas()}, **run)


def _great_expectations() -> tuple[Any, Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own dependencies' notices
        import great_expectations as gx
        import great_expectations.expectations as classes
    return gx, classes


def _as_gx(expectation: Expectation, classes: Any, before: pl.Series | None) -> Any:
    column = {} if expectation.column is None else {"column": expectation.id}
    bounds: dict[str, Any] = {"min_value": expectation.low, "max_value": expectation.high}
    if before is not None:
        holdout = {} if before.dtype.is_numeric() else _NEW_WORDS
        bounds = {"threshold": expectation.high, "partition_object": partition(before), **holdout}
    return getattr(classes, _CLASSES[expectation.measure])(
        **bounds,
        **column,
        severity=_SEVERITY[expectation.severity],
        meta={"id": expectation.id},
        description=f"{expectation.says} ({expectation.because})",
    )


def partition(values: pl.Series) -> dict[str, list[Any]]:
    """How known values are spread, as Great Expectations takes it: shares of values, or of fifths of a number's range.

    Fifths are between the quintiles of `values`; a number that takes fewer than five values has fewer bins.
    """
    known = values.drop_nulls()
    if not known.dtype.is_numeric():
        counted = known.cast(pl.String).value_counts(sort=True)
        return {"values": counted[values.name].to_list(), "weights": (counted["count"] / known.len()).to_list()}
    cuts = sorted({float(known.quantile(q / 5, "linear") or 0.0) for q in range(6)})
    edges = cuts if len(cuts) > 1 else [cuts[0] - 0.5, cuts[0] + 0.5]
    weights, _ = np.histogram(known.to_numpy(), bins=edges)
    return {"bins": edges, "weights": (weights / weights.sum()).tolist()}


def _known_before(expectation: Expectation, released: Mapping[str, pl.DataFrame]) -> pl.Series | None:
    """The column in the last release; None without a release, or when nothing of it was known then."""
    frame = released.get(expectation.table)
    if frame is None or expectation.column not in frame.columns:
        return None
    values = _measured(frame, expectation)
    return values if values.drop_nulls().len() else None


def _comparable(values: pl.Series, before: pl.Series | None) -> pl.Series:
    """Numbers beyond what the last release held fall into its outermost bins."""
    if before is None or not before.dtype.is_numeric():
        return values
    return values.clip(pl.lit(before.min()), pl.lit(before.max()))


def _no_drift(expectation: Expectation, *, is_first: bool) -> ExpectationResult:
    """Nothing to have drifted from, which is kept; or nothing known any more, which is not."""
    expected = f"{_expected(expectation)}, once there is an earlier release" if is_first else _expected(expectation)
    return ExpectationResult(
        expectation.id, expectation.says, expectation.table, expectation.severity, passed=is_first, observed=None,
        expected=expected, because=expectation.because,
    )  # fmt: skip


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
