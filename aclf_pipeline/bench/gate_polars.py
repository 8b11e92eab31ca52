"""The peers of the gate that judge a Polars frame: Pandera, dataframely, pointblank, with the same fifteen rules.

A frame library has no second table: limits and persons are joined on first, as its users would, and the time counts.
Each peer is asked in the fastest way it has that tells which rows failed which rule; nothing is stored.

What does not belong here: peers on pandas (`gate_pandas`), and starting a peer (`gate_child`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from aclf_pipeline.bench.gate_rules import (
    AFTER_LAST,
    CODE,
    FIRST,
    NUMBER,
    OLDEST_YEARS,
    OPERATORS,
    RULE_IDS,
    SPECIMENS,
    UNITS,
)

KEY = ("specimen_id", "loinc")
RESULT = ("patient_id", "loinc", "collected_at", "value_text")
OWN_RULE = {
    "loinc": "not_null", "value_text": "number_as_text", "unit": "unit_listed", "source_code": "code_pattern",
    "age_years_stated": "age_range", "specimen": "specimen_known",
}  # fmt: skip
"""The rule about one value of a column."""

_FIRST, _AFTER_LAST = datetime.fromisoformat(FIRST), datetime.fromisoformat(AFTER_LAST)


@dataclass(frozen=True)
class Outcome:
    """What an engine found: failing rows per rule, and how many (rule, row id) it named; the seconds of its steps
    by the clock and, where known, of the processors.
    """

    counts: dict[str, int]
    keys: int
    seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)


def _unique(columns: tuple[str, ...]) -> pl.Expr:
    some_missing = pl.any_horizontal(pl.col(name).is_null() for name in columns)
    return some_missing | pl.struct(columns).is_unique()


def kept() -> dict[str, pl.Expr]:
    """Each rule as an expression over the joined frame; null counts as kept."""
    collected = pl.col("collected_at")
    return {
        "not_null": pl.col("loinc").is_not_null(),
        "number_as_text": pl.col("value_text").str.contains(NUMBER),
        "unit_listed": pl.col("unit").is_in(list(UNITS)),
        "code_pattern": pl.col("source_code").str.contains(CODE),
        "age_range": pl.col("age_years_stated").is_between(0, OLDEST_YEARS),
        "times_in_order": pl.col("reported_at") >= collected,
        "columns_equal": pl.col("request_id") == pl.col("specimen_id"),
        "number_if_censored": ~pl.col("operator").is_in(list(OPERATORS)) | pl.col("value").is_not_null(),
        "date_bounds": (collected >= _FIRST) & (collected < _AFTER_LAST),
        "specimen_known": pl.col("specimen").is_in(list(SPECIMENS)),
        "within_limits": pl.col("value").is_between(pl.col("low"), pl.col("high")),
        "key_unique": _unique(KEY),
        "patient_known": pl.col("is_known").is_not_null(),
        "not_twice": _unique(RESULT),
        "after_birth": collected >= pl.col("birth_month").cast(pl.Datetime("us")),
    }


def read(folder: Path) -> pl.DataFrame:
    """The laboratory rows with the limits of their analyte and what is known of their patient joined on."""
    persons = pl.read_parquet(folder / "patients.parquet").group_by("patient_id").agg(pl.col("birth_month").min())
    return (
        pl.scan_parquet(folder / "labs.parquet")
        .join(pl.scan_parquet(folder / "limits.parquet"), on="loinc", how="left")
        .join(persons.with_columns(is_known=pl.lit(value=True)).lazy(), on="patient_id", how="left")
        .collect()
    )


def run(judge: Callable[[pl.DataFrame], tuple[dict[str, int], int]], folder: Path) -> Outcome:
    """Read, then judge."""
    started = time.perf_counter()
    frame = read(folder)
    been_read = time.perf_counter()
    counts, keys = judge(frame)
    return Outcome(counts, keys, {"read": been_read - started, "judge": time.perf_counter() - been_read})


def _pandera(frame: pl.DataFrame) -> tuple[dict[str, int], int]:
    import pandera.polars as pa
    from pandera.errors import SchemaErrors

    conditions = kept()
    checks: dict[str, list[Any]] = {
        "value_text": [pa.Check.str_matches(NUMBER)],
        "unit": [pa.Check.isin(list(UNITS))],
        "source_code": [pa.Check.str_matches(CODE)],
        "age_years_stated": [pa.Check.in_range(0, OLDEST_YEARS)],
        "specimen": [pa.Check.isin(list(SPECIMENS))],
    }
    # on a column, since a check on the frame copies every column of a failing row into its report
    across = {
        "times_in_order": "reported_at", "columns_equal": "request_id", "number_if_censored": "operator",
        "date_bounds": "collected_at", "within_limits": "value", "key_unique": "specimen_id",
        "patient_known": "patient_id", "not_twice": "collected_at", "after_birth": "collected_at",
    }  # fmt: skip
    for rule, column in across.items():
        check = pa.Check(partial(_of_row, conditions[rule].fill_null(value=True)), name=rule)
        checks.setdefault(column, []).append(check)
    columns = {name: pa.Column(frame.schema[name], each, nullable=True) for name, each in checks.items()}
    columns["loinc"] = pa.Column(pl.String, nullable=False)
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases.select("column", "check", pl.col("index").cast(pl.Int64))
    keyed = cases.with_columns(row_id=frame.get_column("_row_id").gather(cases.get_column("index")))
    counts: dict[str, int] = {}
    for column, check, count in keyed.group_by("column", "check").len().iter_rows():
        counts[check if check in across else OWN_RULE[column]] = count
    return counts, keyed.height


def _of_row(condition: pl.Expr, data: Any) -> pl.LazyFrame:
    return data.lazyframe.select(condition)


def _dataframely(frame: pl.DataFrame) -> tuple[dict[str, int], int]:
    import dataframely as dy

    rules = {rule: dy.rule()(partial(_itself, condition)) for rule, condition in kept().items()}
    columns = {name: dy.Any() for name in frame.columns}
    schema: Any = type("BenchSchema", (dy.Schema,), {**columns, **rules})
    _, failure = schema.filter(frame)
    invalid = failure.details()
    counts = {rule: int((invalid.get_column(rule) == "invalid").sum()) for rule in RULE_IDS}
    named = invalid.select("_row_id", *RULE_IDS).unpivot(index="_row_id", variable_name="rule", value_name="state")
    return counts, named.filter(pl.col("state") == "invalid").height


def _itself(condition: pl.Expr, _schema: Any = None) -> pl.Expr:
    return condition


def _pointblank(frame: pl.DataFrame) -> tuple[dict[str, int], int]:
    import pointblank as pb

    asked = pb.Validate(frame)
    for condition in kept().values():
        asked = asked.col_vals_expr(condition.fill_null(value=True))
    asked = asked.interrogate(extract_limit=frame.height)
    extracts = asked.get_data_extracts()
    counts = {rule: asked.n_failed(i, scalar=True) for i, rule in enumerate(RULE_IDS, 1)}
    return counts, sum(extract.get_column("_row_id").len() for extract in extracts.values() if extract is not None)


pandera_polars = partial(run, _pandera)
dataframely = partial(run, _dataframely)
pointblank = partial(run, _pointblank)
