"""Results as plain values that any store or page takes: int, float, str, bool, None, short lists of flat records.

Metadata keys are numbered, since stores sort them by name and the summary should come first. Samples are short and
pseudonymous. Every value goes through one caster: NumPy scalars, dates and NaN break stores in different ways.

What does not belong here: Dagster, and deciding anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from aclf_pipeline.quality.expectations import ExpectationResult
from aclf_pipeline.quality.verdicts import SAMPLE_ROWS, CheckResult

Plain = bool | int | float | str | None
SAMPLE_COLUMNS = ("patient", "observed", "file", "line", "sheet")
WENT_BACKWARDS = "3_went_backwards"
"""The key that says whether a check failed by going backwards."""
_WIDEST = 200


def plain(value: Any) -> Plain:
    """One value as int, float, str, bool or None: no NumPy, no date, no NaN or infinity (None), nothing nested."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def records(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], most: int = SAMPLE_ROWS) -> list[dict[str, str]]:
    """At most `most` rows with the same text columns: missing is the empty text, and long text is cut."""
    return [{column: _short(row.get(column)) for column in columns} for row in rows[:most]]


def _short(value: Any) -> str:
    text = "" if plain(value) is None else str(plain(value))
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def describe(check: CheckResult) -> str:
    """One line for a list of checks: what was counted."""
    if check.problems:
        return f"Could not be judged: {check.problems[0]}"
    rows = f"{check.failing_rows:,} of {check.rows:,} rows"
    share = f"({check.share:.3%}; tolerated {check.tolerate:.3%})"
    if check.action == "adjudicate":
        line = f"{_cases_told(check)} ({rows} are evidence)"
    elif check.action == "repair":
        line = f"{rows} repaired {share}"
    else:
        line = f"{rows} fail {share}"
    line += f"; {check.waived_rows:,} accepted by a waiver" if check.waived_rows else ""
    told = course_told(check.course)
    return line + (f"; since the last refresh: {told}" if told else "")


def course_told(course: Mapping[str, int]) -> str:
    """What became of findings since the last refresh, as `27 resolved, 3 new`; empty when nothing did."""
    words = {"resolved": "resolved", "new": "new", "reopened": "re-opened", "rule_changed": "by a changed rule"}
    return ", ".join(f"{course[state]:,} {word}" for state, word in words.items() if course.get(state))


def _cases_told(check: CheckResult) -> str:
    """`3 cases open, 1 decided`."""
    counts = [(check.cases[state], state) for state in ("open", "stale", "decided") if check.cases.get(state)]
    if not counts:
        return "no case"
    (first, state), *others = counts
    return ", ".join([f"{first:,} case{'' if first == 1 else 's'} {state}", *(f"{n:,} {word}" for n, word in others)])


def check_metadata(check: CheckResult) -> dict[str, Any]:
    """The result of a check as numbered plain values; `4_sample` is a list of flat text records, maybe empty."""
    return {
        "1_summary": summary_markdown(check),
        "2_rows": int(check.rows),
        "3_failing_rows": int(check.failing_rows),
        "3_failing_share": float(check.share),
        **{f"3_findings_{state}": int(count) for state, count in check.course.items()},
        **(
            {"3_findings_backwards": int(check.backwards), WENT_BACKWARDS: check.fails_backwards}
            if check.course
            else {}
        ),
        "4_sample": records(check.sample, SAMPLE_COLUMNS),
        "5_fingerprint": check.fingerprint,
    }


def summary_markdown(check: CheckResult) -> str:
    """What, how many, why, and what to look at, as Markdown without row contents."""
    verdict = _verdict(check)
    condition = f"`{check.condition}`" if "\n" not in check.condition and len(check.condition) <= _WIDEST else ""
    lines = [
        f"**{check.says}** ({check.table}, {check.category}, {check.action}): {verdict}.",
        describe(check) + ".",
        *(f"- {problem}" for problem in check.problems),
        *(f"- {note}" for note in check.notes),
        *([f"Condition: {condition}"] if condition else []),
        f"Why: {check.because}",
        f"Look at: {check.fix}",
    ]
    return "\n\n".join(lines)


def _verdict(check: CheckResult) -> str:
    if check.problems or not check.failing_rows or check.action not in ("repair", "adjudicate"):
        return "kept" if check.passed else ("broken, blocks" if check.blocking else "broken")
    if check.action == "repair":
        return "repaired" if check.passed else "repaired, in more rows than tolerated"
    return "decided" if check.passed else "to be decided"


def expectation_metadata(result: ExpectationResult) -> dict[str, Any]:
    """An expectation as numbered plain values; an unmeasured one says so in words."""
    observed = plain(result.observed)
    return {
        "1_summary": f"**{result.says}**\n\nExpected {result.expected}; found {'-' if observed is None else observed}."
        f"\n\nWhy: {result.because}",
        "2_observed": "not measured" if observed is None else observed,
        "3_expected": result.expected,
    }
