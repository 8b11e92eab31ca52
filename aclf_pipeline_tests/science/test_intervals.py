"""The counting process: cut at every change, nothing used on the day it becomes known, not a day lost."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.intervals import intervals, person_time_problems
from aclf_pipeline_tests.science.drawing import draw

DAY = date(2014, 3, 12)


def cohort(*rows: tuple[str, str | None, int | None]) -> pl.DataFrame:
    schema = {"candidate_id": pl.String, "event": pl.String, "event_days": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(person_id="candidate_id", time_zero=pl.lit(DAY))


def infusions(*rows: tuple[str, int]) -> pl.DataFrame:
    made = [(person, DAY + timedelta(days=day)) for person, day in rows]
    return pl.DataFrame(made, schema={"person_id": pl.String, "infused_on": pl.Date}, orient="row")


def labs(*rows: tuple[str, str, int, float]) -> pl.DataFrame:
    made = [(person, variable, DAY + timedelta(days=day), value) for person, variable, day, value in rows]
    schema = {"person_id": pl.String, "variable": pl.String, "measured_on": pl.Date, "value": pl.Float64}
    return pl.DataFrame(made, schema=schema, orient="row")


def test_a_drawn_course() -> None:
    rows = intervals(
        cohort(("a", "death", 20), ("b", "censored", 5), ("c", None, None)),
        infusions(("a", -7), ("a", 0), ("a", 7), ("a", 20), ("b", 0), ("c", 0)),
        labs(
            ("a", "inr", -2, 2.0), ("a", "inr", 7, 2.5), ("a", "inr", 21, 9.0), ("b", "inr", 3, 1.5), ("b", "na", 1, 9)
        ),
        ["inr"],
    )
    drawn = draw(
        """
        candidate_id | interval_no | start_days | stop_days | event    | inr | inr_age_days | infusions_so_far
        a            | 1           | 0          | 7         | none     | 2.0 | 2            | 2
        a            | 2           | 7          | 20        | death    | 2.5 | 0            | 3
        b            | 1           | 0          | 3         | none     |     |              | 1
        b            | 2           | 3          | 5         | censored | 1.5 | 0            | 1
        """
    )
    assert rows.cast(pl.String).rows() == drawn.rows()
    assert rows.columns == drawn.columns


def test_an_event_on_the_day_of_time_zero_is_not_lost() -> None:
    members = cohort(("a", "death", 0))
    rows = intervals(members, None, labs(("a", "inr", 0, 2.0)), ["inr"])
    assert rows.select("start_days", "stop_days", "event").rows() == [(0, 0, "death")]
    assert person_time_problems(rows, members).is_empty()


DAYS = st.integers(-20, 60)


@given(
    ends=st.lists(
        st.tuples(st.sampled_from(["death", "transplant", "censored", None]), st.integers(0, 40)),
        min_size=1,
        max_size=5,
    ),
    given_on=st.lists(st.tuples(st.integers(0, 4), DAYS), max_size=12, unique=True),
    measured=st.lists(st.tuples(st.integers(0, 4), DAYS, st.floats(0, 9)), max_size=20, unique_by=lambda row: row[:2]),
)
def test_the_intervals_are_the_observation_whatever_happened_when(ends, given_on, measured) -> None:
    members = cohort(*((str(i), event, days if event else None) for i, (event, days) in enumerate(ends)))
    given_rows = [(str(i), day) for i, day in given_on]
    results = [(str(i), "inr", day, value) for i, day, value in measured]
    rows = intervals(members, infusions(*given_rows), labs(*results), ["inr"])
    assert person_time_problems(rows, members).is_empty()
    length = (rows["stop_days"] - rows["start_days"]).sum()
    assert length == members["event_days"].drop_nulls().sum()
    for row in rows.iter_rows(named=True):  # an independent reading of what was known
        who, start = row["candidate_id"], row["start_days"]
        known = [(day, value) for one, _, day, value in results if one == who and day <= start]
        assert row["inr"] == (max(known)[1] if known else None)
        assert row["infusions_so_far"] == sum(one == who and day <= start for one, day in given_rows)


GOOD = """
    candidate_id | interval_no | start_days | stop_days | event
    a            | 1           | 0          | 7         | none
    a            | 2           | 7          | 20        | death
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("| 7          | 20", "| 8          | 20", "the intervals leave a gap"),
        ("| 7          | 20", "| 6          | 20", "intervals overlap"),
        (
            "| 0          | 7         | none",
            "| 0          | 7         | death",
            "an event stands before the last interval",
        ),
        ("| 20        | death", "| 19        | death", "the days of the intervals are not the cohort's"),
        ("| 20        | death", "| 20        | none", "the last interval does not end with the cohort's event"),
        ("| 20        | death", "| 7         | death", "an interval has no length"),
        ("a            | 1", "b            | 1", "has intervals and no time in the cohort"),
    ],
)
def test_what_is_not_the_cohorts_observation_is_told(old: str, new: str, says: str) -> None:
    assert old in GOOD
    numbers = dict.fromkeys(("interval_no", "start_days", "stop_days"), pl.Int64)
    members = cohort(("a", "death", 20))
    assert person_time_problems(draw(GOOD, **numbers), members).is_empty()
    assert says in person_time_problems(draw(GOOD.replace(old, new), **numbers), members)["says"].to_list()


def test_a_member_without_an_interval_is_told() -> None:
    rows = intervals(cohort(("a", "death", 20)), None, labs(), [])
    both = cohort(("a", "death", 20), ("b", "censored", 5))
    assert person_time_problems(rows, both).rows() == [("b", "has a time in the cohort and no interval")]
