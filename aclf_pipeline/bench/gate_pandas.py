"""The peers of the gate that judge a pandas frame: Pandera and Great Expectations, with the same fifteen rules.

Rules that neither has a check for (across columns, rows or tables) are columns of truth values computed with pandas
first, as their users do; the time counts. Great Expectations returns COMPLETE results with the row ids of failures.

What does not belong here: peers on Polars (`gate_polars`), and starting a peer (`gate_child`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from aclf_pipeline.bench.gate_polars import KEY, OWN_RULE, RESULT, Outcome
from aclf_pipeline.bench.gate_rules import (
    AFTER_LAST,
    CODE,
    FIRST,
    NUMBER,
    OLDEST_YEARS,
    OPERATORS,
    SPECIMENS,
    UNITS,
)

_ACROSS = (
    "times_in_order", "columns_equal", "number_if_censored", "date_bounds", "within_limits", "key_unique",
    "patient_known", "not_twice", "after_birth",
)  # fmt: skip


def _read(folder: Path) -> Any:
    import pandas as pd

    frame = pd.read_parquet(folder / "labs.parquet")
    persons = pd.read_parquet(folder / "patients.parquet").groupby("patient_id", as_index=False)["birth_month"].min()
    persons["birth_month"] = pd.to_datetime(persons["birth_month"]).astype("datetime64[us]")
    frame = frame.merge(pd.read_parquet(folder / "limits.parquet"), on="loinc", how="left")
    return frame.merge(persons.assign(is_known=True), on="patient_id", how="left")


def _mark(frame: Any) -> None:
    """A column per rule that reaches beyond one value: true where it is kept or cannot be told."""

    def either(condition: Any, *columns: str) -> Any:
        return condition | frame[list(columns)].isna().any(axis=1)

    collected, value = frame["collected_at"], frame["value"]
    frame["times_in_order"] = either(frame["reported_at"] >= collected, "reported_at", "collected_at")
    frame["columns_equal"] = either(frame["request_id"] == frame["specimen_id"], "request_id", "specimen_id")
    frame["number_if_censored"] = ~frame["operator"].isin(OPERATORS) | value.notna()
    frame["date_bounds"] = either((collected >= FIRST) & (collected < AFTER_LAST), "collected_at")
    frame["within_limits"] = either((value >= frame["low"]) & (value <= frame["high"]), "value", "low")
    frame["key_unique"] = either(~frame.duplicated(list(KEY), keep=False), *KEY)
    frame["patient_known"] = frame["is_known"].notna()
    frame["not_twice"] = either(~frame.duplicated(list(RESULT), keep=False), *RESULT)
    frame["after_birth"] = either(collected >= frame["birth_month"], "collected_at", "birth_month")


def run(judge: Callable[[Any], tuple[dict[str, int], int]], folder: Path) -> Outcome:
    """Read and join, compute what reaches beyond one value, then judge."""
    started = time.perf_counter()
    frame = _read(folder)
    been_read = time.perf_counter()
    _mark(frame)
    counts, keys = judge(frame)
    return Outcome(counts, keys, {"read": been_read - started, "judge": time.perf_counter() - been_read})


def _pandera(frame: Any) -> tuple[dict[str, int], int]:
    import pandera.pandas as pa
    from pandera.errors import SchemaErrors

    columns = {
        "loinc": pa.Column(nullable=False),
        "value_text": pa.Column(checks=pa.Check.str_matches(NUMBER), nullable=True),
        "unit": pa.Column(checks=pa.Check.isin(UNITS), nullable=True),
        "source_code": pa.Column(checks=pa.Check.str_matches(CODE), nullable=True),
        "age_years_stated": pa.Column(checks=pa.Check.in_range(0, OLDEST_YEARS), nullable=True),
        "specimen": pa.Column(checks=pa.Check.isin(SPECIMENS), nullable=True),
        **{rule: pa.Column(bool, pa.Check.eq(value=True)) for rule in _ACROSS},
    }
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases[["column", "index"]]
    row_ids = frame["_row_id"].to_numpy()[cases["index"].to_numpy(dtype="int64")]
    counted = cases["column"].value_counts()
    return {OWN_RULE.get(column, column): int(count) for column, count in counted.items()}, len(row_ids)


def _great_expectations(frame: Any) -> tuple[dict[str, int], int]:
    import great_expectations as gx
    from great_expectations import expectations as gxe

    words = {
        "not_null": gxe.ExpectColumnValuesToNotBeNull(column="loinc"),
        "number_as_text": gxe.ExpectColumnValuesToMatchRegex(column="value_text", regex=NUMBER),
        "unit_listed": gxe.ExpectColumnValuesToBeInSet(column="unit", value_set=list(UNITS)),
        "code_pattern": gxe.ExpectColumnValuesToMatchRegex(column="source_code", regex=CODE),
        "age_range": gxe.ExpectColumnValuesToBeBetween(column="age_years_stated", min_value=0, max_value=OLDEST_YEARS),
        "specimen_known": gxe.ExpectColumnValuesToBeInSet(column="specimen", value_set=list(SPECIMENS)),
        **{rule: gxe.ExpectColumnValuesToBeInSet(column=rule, value_set=[True]) for rule in _ACROSS},
    }
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("bench").add_dataframe_asset("labs")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name="bench")
    for rule, expectation in words.items():
        expectation.meta = {"rule": rule}
        suite.add_expectation(expectation)
    wanted = {
        "result_format": "COMPLETE", "unexpected_index_column_names": ["_row_id"],
        "return_unexpected_index_query": False,
    }  # fmt: skip
    result = batch.validate(suite, result_format=wanted)
    counts, keys = {}, 0
    for each in result.results:
        listed = each.result.get("unexpected_index_list") or []
        keys += len([place["_row_id"] for place in listed])
        counts[each.expectation_config.meta["rule"]] = each.result["unexpected_count"]
    return counts, keys


pandera_pandas = partial(run, _pandera)
great_expectations = partial(run, _great_expectations)
