"""The executor finds what Pandera finds, keyed by row, and shows no more than was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aclf_pipeline.contracts import KINDS, Contract, empty_frame
from aclf_pipeline.contracts.base import Timestamp, column, row_key
from aclf_pipeline.protocol import Rule
from aclf_pipeline.quality.executor import Findings, QualityError, RowCheck, judge, row_checks, shape_problems
from aclf_pipeline.quality.found import found_rows
from aclf_pipeline.quality.oracle import pandera_failures
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.world import rule


class Readings(Contract):
    """A table with every kind of promise."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym")
    tube: str = column("A key that may be missing", null=True, unique=True)
    serial: float = column("A key that is a number", null=True, unique=True)
    sex: str = column("Sex", within=("female", "male", "it's"))
    grade: str = column("Grade", null=True, within=("a", "b"))
    taken_at: Timestamp = column("Start", null=True)
    ended_at: Timestamp = column("End")
    born_on: pl.Date = column("Day", null=True)
    value: float = column("Number", null=True)
    weight: float = column("Number that must be there")
    count: int = column("Count", null=True)
    urgent: bool = column("Urgent", null=True)
    sure: bool = column("Sure")
    note: str = column("Free text", null=True)


CONDITIONS = {
    "comparison": [
        "ended_at >= taken_at", "value > weight", "value <= weight", "value <> weight", "value = weight",
        "urgent = sure", "(value is not null) = urgent", "note < 'm'", "note >= grade", "note = 'it''s'", "note <> ''",
        "count <= value", "count > 2.5", "value > 1e308", "taken_at >= born_on",
    ],
    "boolean": [
        "urgent", "not urgent", "not urgent or grade is not null", "urgent and sure or value > 0",
        "not (urgent and sure) or (value > 0 and not sure)",
    ],
    "range": [
        "value between 0 and 10", "value not between -1.5 and weight",
        "born_on between date '1900-01-01' and date '2100-12-31'",
        "taken_at >= timestamp '2010-01-01 00:00:00'", "born_on < date '2010-01-01'",
    ],
    "set": ["grade in ('a', 'c') or value < weight", "grade not in ('a', 'c')", "count in (1, 2, 3)",
        "value in (0, 2.5)"],
    "missing": ["value is null or count > 2", "note is null or note <> ''", "coalesce(grade, note) <> 'b'"],
    "text": [
        "length(note) <= 3 and lower(note) <> 'x'", "upper(note) = 'X' or upper(grade) <> 'A'", "length(note) = 1",
        "note like 'a%' or note like '_b_' or note like '%z'", "note not like '%x%'", "note ilike 'A%'",
        "starts_with(note, 'lo')",
    ],
    "pattern": [
        "regexp_matches(note, '^[A-Zl]') or regexp_matches(grade, 'b')", "regexp_matches(note, 'b.b')",
        "regexp_matches(note, '(?i)^LONG')", "regexp_matches(note, '^$')", "regexp_matches(note, '[^a-z]')",
        "regexp_matches(note, '男')", "regexp_matches(note, 'b$')", "regexp_matches(grade, '^(a|b)$')", "note ~ 'b'",
        r"regexp_matches(note, '\d')", r"regexp_matches(note, '^\w*$')", r"regexp_matches(note, '[\s男]')",
    ],
    "arithmetic": [
        "coalesce(count, 0) + abs(value) < 100", "value / count > 0.5", "count / 2 >= 1", "1 / count > 0",
        "value * 0.1 <= 0.3", "count * 0.1 <= 0.3", "value - weight < 0.1 + 0.2", "-value < count",
        "count - 1 > count / 3",
    ],
    "time": [
        "taken_at < ended_at + interval '3' day", "ended_at - interval '36' hour <= taken_at",
        "cast(taken_at as date) = born_on", "cast(ended_at as date) > born_on + interval '1' day",
    ],
}  # fmt: skip
"""Conditions of every kind a page may hold."""

RULES = [
    rule(f"{kind}_{number}", "readings", holds)
    for kind, conditions in CONDITIONS.items()
    for number, holds in enumerate(conditions)
]

_START = datetime.fromisoformat("2009-12-01")
_FIRST, _LAST = datetime.fromisoformat("0002-01-01"), datetime.fromisoformat("9998-12-31 23:59:59.999999")
_times = st.one_of(
    st.none(),
    st.integers(0, 90).map(lambda days: _START + timedelta(days=days)),
    st.sampled_from([_FIRST, _LAST, datetime.fromisoformat("1677-09-21"), datetime.fromisoformat("2262-04-12")]),
    st.datetimes(_FIRST, _LAST),
)
_days = (
    st.none()
    | st.sampled_from([_START.date(), date(2010, 1, 1), _FIRST.date(), _LAST.date()])
    | st.dates(_FIRST.date(), _LAST.date())
)
_SPECIAL = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0, -1.5, 0.3, 2.5, 3.0, 10.0, 1e9, 1.7e308, 5e-324]
_floats = st.none() | st.sampled_from(_SPECIAL) | st.floats()
_TEXTS = [
    "a",
    "b",
    "c",
    "x",
    "X",
    "long text",
    "LONG",
    "",
    "男",
    "a\nb",
    "b\nb",
    "bab",
    "abz",
    "it's",
    "é",
    "e\u0301",
    "😀",
    "%",
    "_",
    "\\",
    " ",
]
# letters whose other case has several letters are no part of what both engines promise
_letters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00").filter(
    lambda c: len(c.lower()) == len(c.upper()) == 1 and c not in "Σσςİıẞßŉǰΐΰ"
)
_texts = st.none() | st.sampled_from(_TEXTS) | st.text(_letters, max_size=4)
_rows = st.fixed_dictionaries(
    {
        "_row_id": st.integers(256, 256 * 12),
        "patient_id": _texts,
        "tube": _texts,
        "serial": _floats,
        "sex": st.sampled_from(["female", "male", "female", "f", "it's", None]),
        "grade": st.sampled_from(["a", "b", "z", None]),
        "taken_at": _times,
        "ended_at": _times,
        "born_on": _days,
        "value": _floats,
        "weight": _floats,
        "count": st.none() | st.integers(-3, 200) | st.sampled_from([2**31, -(2**31), 2**53 + 1]),
        "urgent": st.none() | st.booleans(),
        "sure": st.none() | st.booleans(),
        "note": _texts,
    }
)


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """One warehouse for all examples: opening a file takes longer than judging one."""
    path: Path = tmp_path_factory.mktemp("executor") / "warehouse.duckdb"
    with Warehouse.open(path) as opened:
        yield opened


def judged(wh: Warehouse, frame: pl.DataFrame, checks: Sequence[RowCheck]) -> tuple[Findings, dict[str, pl.DataFrame]]:
    """Findings on a frame, and the failing rows of each check that has any."""
    wh.write("staging.readings", frame)
    with found_rows(wh) as found:
        findings = judge(found, "staging.readings", checks)
        return findings, {check: findings.failing(check).frame() for check in findings.counts}


def assert_agree(wh: Warehouse, frame: pl.DataFrame, rules: Sequence[Rule]) -> None:
    findings, failing = judged(wh, frame, row_checks(Readings, rules))
    found = {(row_id, check) for check, rows in failing.items() for row_id in rows["_row_id"]}
    assert found == pandera_failures(frame, Readings, rules)
    assert findings.rows == frame.height


def drawn(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=empty_frame(Readings).schema)


AS_PANDERA = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=50
)


@AS_PANDERA
@given(rows=st.lists(_rows, max_size=14))
@example(rows=[])
def test_same_failures_as_pandera_by_key(readings: Warehouse, rows: list[dict[str, object]]) -> None:
    assert_agree(readings, drawn(*rows), RULES)


@pytest.mark.slow
@settings(AS_PANDERA, max_examples=1000)
@given(rows=st.lists(_rows, max_size=30))
def test_same_failures_as_pandera_by_key_looked_for_longer(readings: Warehouse, rows: list[dict[str, object]]) -> None:
    assert_agree(readings, drawn(*rows), RULES)


@AS_PANDERA
@given(values=st.lists(st.tuples(_floats, _floats), min_size=1, max_size=40))
def test_numbers_compare_as_in_pandera(readings: Warehouse, values: list[tuple[float | None, float | None]]) -> None:
    rows = [{"_row_id": n, "value": a, "weight": b, "count": n % 5} for n, (a, b) in enumerate(values, 1)]
    assert_agree(readings, drawn(*rows), [r for r in RULES if r.id.startswith(("comparison", "range", "set", "arith"))])


@AS_PANDERA
@given(texts=st.lists(_texts, min_size=1, max_size=40))
def test_texts_and_keys_compare_as_in_pandera(readings: Warehouse, texts: list[str | None]) -> None:
    rows = [{"_row_id": n, "tube": text, "note": text} for n, text in enumerate(texts, 1)]
    assert_agree(readings, drawn(*rows), [r for r in RULES if r.id.startswith(("text", "pattern", "comparison"))])


def test_more_checks_than_one_mask_holds(readings: Warehouse) -> None:
    rules = [rule(f"above_{n}", "readings", f"value > {n}") for n in range(200)]
    frame = drawn(*({"_row_id": 256 * n, "value": float(n)} for n in range(1, 200)))
    assert_agree(readings, frame, rules)
    findings, _ = judged(readings, frame, row_checks(Readings, rules))
    assert [findings.failing(f"above_{n}").rows for n in (0, 1, 59, 60, 61, 199)] == [0, 1, 59, 60, 61, 199]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(_rows, min_size=1, max_size=12, unique_by=lambda row: row["_row_id"]))
def test_every_failing_row_is_counted_once_per_check(readings: Warehouse, rows: list[dict[str, object]]) -> None:
    findings, failing = judged(readings, drawn(*rows), row_checks(Readings, RULES))
    for check, found in failing.items():
        assert found["_row_id"].is_unique().all(), check
        assert findings.counts[check] == found.height > 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_of_any_kind_passes_here_and_in_pandera(readings: Warehouse, kind: str) -> None:
    empty = empty_frame(KINDS[kind])
    findings, failing = judged(readings, empty, row_checks(KINDS[kind], []))
    assert (findings.rows, findings.counts, failing) == (0, {}, {})
    assert pandera_failures(empty, KINDS[kind]) == set()


@pytest.mark.parametrize(
    "ids", [[256, 512, 768, 512], [512, 512], [1, None, None], [3, 2, 3], [None, 1, None], [1, 2, None, 1]]
)
def test_a_key_that_repeats_fails_at_every_occurrence(readings: Warehouse, ids: list[int | None]) -> None:
    frame = pl.DataFrame({"_row_id": range(len(ids)), "key": ids}, schema={"_row_id": pl.Int64, "key": pl.Int64})
    _, failing = judged(readings, frame, [RowCheck("key", "t", "unique", ("key",))])
    repeated = [n for n, value in enumerate(ids) if ids.count(value) > 1]
    assert failing["key"].rows() == [(n, None, f"key={'(missing)' if ids[n] is None else ids[n]}") for n in repeated]


def test_observed_shows_the_named_columns_and_never_another(readings: Warehouse) -> None:
    frame = drawn(
        {
            "_row_id": 256, "patient_id": "R1", "sex": "male", "taken_at": datetime.fromisoformat("2014-05-02 08:00"),
            "ended_at": datetime.fromisoformat("2014-05-01"), "weight": 1.0, "sure": True, "note": "CANARY 13800138000",
        }
    )  # fmt: skip
    rules = [rule("in_order", "readings", "ended_at >= taken_at"), rule("listed", "readings", "sex in ('x', 'y')")]
    _, failing = judged(readings, frame, row_checks(Readings, rules))
    assert failing["in_order"].rows() == [(256, "R1", "ended_at=2014-05-01 00:00:00, taken_at=2014-05-02 08:00:00")]
    assert failing["listed"].rows() == [(256, "R1", "sex=male")]
    assert "CANARY" not in str([rows.rows() for rows in failing.values()])


def test_long_text_is_cut_and_missing_is_said(readings: Warehouse) -> None:
    frame = pl.DataFrame(
        {"_row_id": [256], "note": ["n" * 5000], "count": [None]}, schema_overrides={"count": pl.Int64}
    )
    check = RowCheck("short", "t", "rule", ("note", "count"), "length(note) < 10")
    (observed,) = judged(readings, frame, [check])[1]["short"]["observed"]
    assert len(observed) < 200
    assert observed.endswith("count=(missing)")


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


def test_a_condition_that_breaks_on_a_value_names_its_rule_and_no_other(readings: Warehouse) -> None:
    rules = [rule("sound", "readings", "value > 0"), rule("odd", "readings", "count * count > weight")]
    frame = drawn({"_row_id": 256, "count": 2**63 - 1, "value": 1.0, "weight": 1.0})
    with pytest.raises(QualityError, match=r"rule 'odd' on readings: .*Overflow") as told:
        judged(readings, frame, row_checks(Readings, rules))
    assert "sound" not in str(told.value)


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
