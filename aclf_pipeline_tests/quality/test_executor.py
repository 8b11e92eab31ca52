"""The executor finds what Pandera finds, keyed by row, in chunks of any size, and shows no more than was asked."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aclf_pipeline.contracts import KINDS, Contract, empty_frame
from aclf_pipeline.contracts.base import Timestamp, column, row_key
from aclf_pipeline.quality.executor import (
    QualityError,
    RowCheck,
    columns_needed,
    judge,
    row_checks,
    shape_problems,
)
from aclf_pipeline.quality.oracle import pandera_failures
from aclf_pipeline_tests.quality.world import rule


class Readings(Contract):
    """A table with every kind of promise."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym")
    sex: str = column("Sex", within=("female", "male"))
    grade: str = column("Grade", null=True, within=("a", "b"))
    taken_at: Timestamp = column("Start", null=True)
    ended_at: Timestamp = column("End")
    value: float = column("Number", null=True)
    weight: float = column("Number that must be there")
    count: int = column("Count", null=True)
    urgent: bool = column("Urgent", null=True)
    note: str = column("Free text", null=True)


RULES = [
    rule("in_order", "readings", "ended_at >= taken_at"),
    rule("in_range", "readings", "value between 0 and 10"),
    rule("since_2010", "readings", "taken_at >= timestamp '2010-01-01 00:00:00'"),
    rule("either", "readings", "value is null or count > 2"),
    rule("urgent_is_graded", "readings", "not urgent or grade is not null"),
    rule("listed", "readings", "grade in ('a', 'c') or value < weight"),
    rule("short", "readings", "length(note) <= 3 and lower(note) <> 'x'"),
    rule("counted", "readings", "coalesce(count, 0) + abs(value) < 100"),
    rule("by_pattern", "readings", "regexp_matches(note, '^[A-Zl]') or regexp_matches(grade, 'b')"),
    rule("elsewhere", "labs", "value > 0"),
]

_start = datetime.fromisoformat("2009-12-01")
_times = st.none() | st.integers(0, 90).map(lambda days: _start + timedelta(days=days))
_floats = st.none() | st.sampled_from([float("nan"), -1.0, 0.0, 2.5, 10.0, 1e9])
_texts = st.none() | st.sampled_from(["a", "b", "c", "x", "X", "long text", "", "男"])
_rows = st.fixed_dictionaries(
    {
        "_row_id": st.integers(256, 256 * 12),
        "patient_id": _texts,
        "sex": st.sampled_from(["female", "male", "female", "f", None]),
        "grade": st.sampled_from(["a", "b", "z", None]),
        "taken_at": _times,
        "ended_at": _times,
        "value": _floats,
        "weight": _floats,
        "count": st.none() | st.integers(-3, 200),
        "urgent": st.none() | st.booleans(),
        "note": _texts,
    }
)


def _chunks(frame: pl.DataFrame, size: int) -> list[pl.DataFrame]:
    return [frame.slice(start, size) for start in range(0, frame.height, size)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(_rows, max_size=14), size=st.integers(1, 14))
def test_same_failures_as_pandera_whatever_the_chunks(rows: list[dict[str, object]], size: int) -> None:
    frame = pl.DataFrame(rows, schema=empty_frame(Readings).schema)
    findings = judge(_chunks(frame, size), row_checks(Readings, RULES))
    found = {(row_id, check) for check, failing in findings.failures.items() for row_id in failing["_row_id"]}
    assert found == pandera_failures(frame, Readings, RULES)
    assert findings.rows == frame.height


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(_rows, min_size=1, max_size=12, unique_by=lambda row: row["_row_id"]), size=st.integers(1, 12))
def test_every_failing_row_is_counted_once_per_check(rows: list[dict[str, object]], size: int) -> None:
    frame = pl.DataFrame(rows, schema=empty_frame(Readings).schema)
    findings = judge(_chunks(frame, size), row_checks(Readings, RULES))
    for check, failing in findings.failures.items():
        assert failing["_row_id"].is_unique().all(), check
        assert findings.counts[check] == failing.height > 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_of_any_kind_passes_here_and_in_pandera(kind: str) -> None:
    empty = empty_frame(KINDS[kind])
    for frames in ([], [empty]):
        findings = judge(frames, row_checks(KINDS[kind], []))
        assert (findings.rows, findings.counts) == (0, {})
    assert pandera_failures(empty, KINDS[kind]) == set()


def test_a_key_that_repeats_in_another_chunk_fails_at_every_occurrence() -> None:
    frame = pl.DataFrame({"_row_id": [256, 512, 768, 512], "patient_id": ["p", "q", "r", "s"]})
    findings = judge(_chunks(frame, 1), [RowCheck("key", "t", "unique", ("_row_id",))])
    assert findings.failing("key").rows() == [(512, "q", "_row_id=512"), (512, "s", "_row_id=512")]


def test_observed_shows_the_named_columns_and_never_another() -> None:
    frame = (
        empty_frame(Readings)
        .clear(1)
        .with_columns(
            pl.lit(256, pl.Int64).alias("_row_id"),
            patient_id=pl.lit("R1"),
            sex=pl.lit("male"),
            taken_at=pl.lit(datetime.fromisoformat("2014-05-02 08:00")),
            ended_at=pl.lit(datetime.fromisoformat("2014-05-01")),
            weight=pl.lit(1.0),
            note=pl.lit("CANARY 13800138000"),
        )
    )
    findings = judge([frame], row_checks(Readings, [RULES[0], RULES[3], RULES[4]]))
    assert findings.failing("in_order").rows() == [
        (256, "R1", "ended_at=2014-05-01 00:00:00.000000, taken_at=2014-05-02 08:00:00.000000")
    ]
    assert "CANARY" not in str([failing.rows() for failing in findings.failures.values()])


def test_long_text_is_cut_and_missing_is_said() -> None:
    frame = pl.DataFrame(
        {"_row_id": [256], "note": ["n" * 5000], "count": [None]}, schema_overrides={"count": pl.Int64}
    )
    check = RowCheck("short", "t", "rule", ("note", "count"), pl.col("note").str.len_chars() < 10)
    (observed,) = judge([frame], [check]).failing("short")["observed"]
    assert len(observed) < 200
    assert observed.endswith("count=(missing)")


def test_only_needed_columns_are_read() -> None:
    checks = row_checks(KINDS["labs"], [rule("in_order", "labs", "reported_at >= collected_at")])
    needed = columns_needed(checks, empty_frame(KINDS["labs"]).columns)
    assert {"_row_id", "patient_id", "reported_at", "collected_at"} <= set(needed)
    assert not {"comment", "value_text", "ref_text"} & set(needed)


@pytest.mark.parametrize(
    ("holds", "told"),
    [
        ("nothing_such > 1", "unable to find column"),
        ("value + 1", "gives Float64, not true or false"),
        ("taken_at > '2010-01-01'", "cannot compare"),
    ],
)
def test_a_condition_that_cannot_be_asked_names_its_rule(holds: str, told: str) -> None:
    with pytest.raises(QualityError, match=rf"rule 'odd' on readings.*{told}"):
        row_checks(Readings, [rule("odd", "readings", holds)])


def test_shape_problems_name_missing_mistyped_and_unpromised_columns() -> None:
    frame = empty_frame(Readings).drop("grade").with_columns(pl.col("value").cast(pl.String), grades=pl.lit("a"))
    told = shape_problems(frame.schema, Readings)
    assert told == {
        "grade": "column 'grade' is missing. Did you mean 'grades'?",
        "value": "column 'value' is String, promised is Float64",
        "grades": "column 'grades' is not promised. Did you mean 'grade'?",
    }
    in_pandera = {column for _, column in pandera_failures(frame, Readings) if not column.startswith("readings._row")}
    assert {"column_in_dataframe", "readings.value.dtype('Float64')"} <= in_pandera
    assert shape_problems(empty_frame(Readings).schema, Readings) == {}
