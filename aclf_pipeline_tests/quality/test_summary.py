"""Results become plain values; nothing a metadata store chokes on gets through."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality.expectations import ExpectationResult
from aclf_pipeline.quality.summary import (
    WENT_BACKWARDS,
    check_metadata,
    describe,
    expectation_metadata,
    plain,
    records,
    summary_markdown,
)
from aclf_pipeline.quality.verdicts import CheckResult, asked_by_contract, asked_by_rule, verdict
from aclf_pipeline_tests.quality.world import rule

FAILING = 2
"""Failing rows of the checks drawn here; 256 and 512 are their ids."""


def checked(**words: Any) -> CheckResult:
    return verdict(asked_by_rule(rule("in_order", "stays", "a >= b", tolerate=0.5)), FAILING, 8, **words)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.float64("nan"), None),
        (float("inf"), None),
        (np.datetime64("2014-05-01T08:00:00", "us"), "2014-05-01 08:00:00"),
        (datetime.fromisoformat("2014-05-01 08:00"), "2014-05-01 08:00:00"),
        (date(2014, 5, 1), "2014-05-01"),
        (None, None),
        (["a"], "['a']"),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(), st.lists))
def test_whatever_comes_is_plain_and_strict_json(value: object) -> None:
    assert type(plain(value)) in (bool, int, float, str, type(None))
    json.dumps(plain(value), allow_nan=False)


def test_a_row_that_fails_twice_is_counted_once() -> None:
    check = checked()
    assert (check.failing_rows, check.share, check.passed) == (2, 0.25, True)
    assert describe(check) == "2 of 8 rows fail (25.000%; tolerated 50.000%)"


def test_a_repair_and_a_case_are_told_in_their_own_words() -> None:
    repaired = verdict(asked_by_rule(rule("r", "stays", None, "repair", tolerate=0.5)), FAILING, 8)
    assert describe(repaired) == "2 of 8 rows repaired (25.000%; tolerated 50.000%)"
    assert "repaired." in summary_markdown(repaired)
    adjudicate = rule("a", "stays", None, "adjudicate")
    for counts, settled, told, word in (
        ({"open": 3, "decided": 1, "stale": 0}, {512}, "3 cases open, 1 decided (2 of 8 rows are evidence)", "to be"),
        ({"open": 0, "decided": 0, "stale": 1}, set(), "1 case stale (2 of 8 rows are evidence)", "to be decided."),
        ({"open": 0, "decided": 2, "stale": 0}, {256, 512}, "2 cases decided (2 of 8 rows are evidence)", "decided."),
    ):
        check = verdict(asked_by_rule(adjudicate), FAILING, 8, cases=counts, settled=frozenset(settled))
        assert (describe(check), check.severity) == (told, "WARN")
        assert check.passed == (counts["open"] == counts["stale"] == 0)
        assert word in summary_markdown(check)
    nothing = verdict(asked_by_rule(adjudicate), 0, 8, cases={"open": 0, "decided": 0, "stale": 0})
    assert (describe(nothing), nothing.passed) == ("no case (0 of 8 rows are evidence)", True)


def test_metadata_is_flat_short_and_begins_with_the_summary() -> None:
    sample = [{"patient": f"R{n}", "observed": "x" * 999, "file": None, "line": n, "sheet": None} for n in range(40)]
    found = check_metadata(checked(sample=sample, waived=frozenset({512}), notes=["accepted"]))
    assert min(found) == "1_summary"
    assert type(found["2_rows"]) is type(found["3_failing_rows"]) is int
    assert len(found["4_sample"]) == 25
    assert {len(row) for row in found["4_sample"]} == {5}
    assert all(type(cell) is str and len(cell) <= 200 for row in found["4_sample"] for cell in row.values())
    json.dumps(found, allow_nan=False)
    assert "1 accepted by a waiver" in found["1_summary"]
    assert "- accepted" in found["1_summary"]


def test_a_check_that_could_not_be_judged_says_why_first() -> None:
    check = checked(problems=["column 'a' is missing."])
    assert not check.passed
    assert describe(check) == "Could not be judged: column 'a' is missing."
    assert "broken" in summary_markdown(check)


def test_contracts_of_all_kinds_summarise_without_their_whole_text() -> None:
    for contract in KINDS.values():
        check = verdict(asked_by_contract(contract), 0, 0)
        assert check.passed
        assert len(summary_markdown(check)) < 900


def test_records_have_the_same_text_columns() -> None:
    rows = records([{"a": np.int64(1)}, {"b": float("nan"), "a": None}], ("a", "b"))
    assert rows == [{"a": "1", "b": ""}, {"a": "", "b": ""}]


def test_an_expectation_that_could_not_be_measured_says_so() -> None:
    result = ExpectationResult("id", "says", "cohort", "warn", False, None, "at least 1", "because")
    assert expectation_metadata(result)["2_observed"] == "not measured"
    assert "found -" in expectation_metadata(result)["1_summary"]


def test_what_became_of_findings_is_told_in_a_line_and_in_integers_that_can_be_plotted() -> None:
    course = {"new": 3, "persisting": 9, "resolved": 27, "reopened": 1, "rule_changed": 0}
    check = replace(checked(), course=course, backwards=1, fails_backwards=True)
    assert describe(check).endswith("; since the last refresh: 27 resolved, 3 new, 1 re-opened")
    metadata = check_metadata(check)
    assert {key: value for key, value in metadata.items() if key.startswith("3_findings")} == {
        "3_findings_new": 3, "3_findings_persisting": 9, "3_findings_resolved": 27, "3_findings_reopened": 1,
        "3_findings_rule_changed": 0, "3_findings_backwards": 1,
    }  # fmt: skip
    assert metadata[WENT_BACKWARDS] is True


def test_a_check_whose_findings_all_persist_says_nothing_of_them() -> None:
    assert "since the last refresh" not in describe(replace(checked(), course={"persisting": 2}))
