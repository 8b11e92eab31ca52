"""Endpoints: what happened first, on which day, and what cannot be."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.endpoints import at_horizon, endpoint_problems, event_indicator, time_to_event
from aclf_pipeline_tests.science.drawing import draw

AS_OF = date(2019, 12, 31)
DATES = dict.fromkeys(("time_zero", "death_on", "transplant_on", "last_alive_on", "event_on"), pl.Date)


def test_a_drawn_follow_up():
    drawn = draw(
        """
        candidate_id | time_zero  | death_on   | transplant_on | last_alive_on | event      | event_on   | event_days
        died         | 2015-01-01 | 2015-01-11 |               | 2015-01-05    | death      | 2015-01-11 | 10
        transplanted | 2015-01-01 | 2015-03-01 | 2015-02-01    | 2015-02-20    | transplant | 2015-02-01 | 31
        same_day     | 2015-01-01 | 2015-02-01 | 2015-02-01    |               | transplant | 2015-02-01 | 31
        alive        | 2015-01-01 |            |               | 2016-01-01    | censored   | 2016-01-01 | 365
        day_0        | 2015-01-01 | 2015-01-01 |               |               | death      | 2015-01-01 | 0
        seen_day_0   | 2015-01-01 |            |               | 2015-01-01    | censored   | 2015-01-01 | 0
        later        | 2019-12-01 | 2020-02-01 |               | 2019-12-05    | censored   | 2019-12-31 | 30
        seen_later   | 2019-12-01 |            |               | 2021-01-01    | censored   | 2019-12-31 | 30
        lt_later     | 2019-12-01 | 2020-02-02 | 2020-02-01    |               | censored   | 2019-12-31 | 30
        as_of        | 2019-12-01 | 2019-12-31 |               |               | death      | 2019-12-31 | 30
        """,
        **DATES,
        event_days=pl.Int64,
    )
    result = time_to_event(drawn.drop("event", "event_on", "event_days"), as_of=AS_OF)
    for name in ("event", "event_on", "event_days"):
        assert result[name].to_list() == drawn[name].to_list(), name
    assert result["endpoint_problem"].null_count() == result.height
    assert result.schema["event_days"] == pl.Int64


def test_what_cannot_be_is_reported_and_not_clipped():
    drawn = draw(
        """
        candidate_id | time_zero  | death_on   | transplant_on | last_alive_on
        before       | 2015-01-10 | 2015-01-07 |               |
        seen_before  | 2015-01-10 |            |               | 2015-01-09
        nothing      | 2015-01-10 |            |               |
        no_zero      |            | 2015-01-07 |               |
        zero_later   | 2020-01-10 | 2020-01-11 |               |
        resurrected  | 2015-01-01 | 2015-01-11 |               | 2015-02-01
        posthumous   | 2015-01-01 | 2015-01-11 | 2015-02-01    |
        """,
        **{name: dtype for name, dtype in DATES.items() if name != "event_on"},
    )
    result = time_to_event(drawn, as_of=AS_OF)
    assert result["event_days"].to_list() == [None] * 5 + [10, 10]
    assert result["event"].to_list() == [None] * 5 + ["death", "death"]
    problems = {row[0]: row[1:] for row in endpoint_problems(result).rows()}
    assert problems == {
        "before": ("problem", "death lies 3 days before time zero"),
        "seen_before": ("problem", "the last day known alive lies 1 days before time zero"),
        "nothing": ("problem", "no evidence of follow-up: no death, no transplant, no day known alive"),
        "no_zero": ("problem", "time zero is missing"),
        "zero_later": ("problem", "the last day known alive lies 10 days before time zero"),
        "resurrected": ("warning", "known alive after the day of death"),
        "posthumous": ("warning", "transplanted after the day of death"),
    }


def one(**dates: object) -> pl.DataFrame:
    row = {"candidate_id": "a", "time_zero": date(2015, 1, 1), "death_on": None, "transplant_on": None}
    return pl.DataFrame({**row, "last_alive_on": None, **dates})


def test_timestamps_count_by_their_day():
    frame = one(time_zero=datetime(2015, 1, 1, 23, 50), death_on=datetime(2015, 1, 2, 0, 10))
    assert time_to_event(frame, as_of=AS_OF)["event_days"].item() == 1


def test_other_column_names_and_the_ends_of_an_interval():
    frame = one(death_from=date(2015, 1, 5), death_to=date(2015, 1, 9))
    for column, days in (("death_from", 4), ("death_to", 8)):
        assert time_to_event(frame, death=column, as_of=AS_OF)["event_days"].item() == days


def test_absent_columns_are_named():
    with pytest.raises(ValueError, match="transplant_on, last_alive_on"):
        time_to_event(pl.DataFrame({"time_zero": [], "death_on": []}), as_of=AS_OF)


def test_an_event_on_the_horizon_day_counts():
    frame = draw(
        """
        event      | event_days | event_on
        death      | 27         | 2015-01-28
        death      | 28         | 2015-01-29
        death      | 29         | 2015-01-30
        transplant | 400        | 2016-02-05
        censored   | 30         | 2015-01-31
        censored   | 3          | 2015-01-04
                   |            |
        """,
        event_days=pl.Int64,
        event_on=pl.Date,
    )
    cut = at_horizon(frame, 28)
    assert cut["event"].to_list() == ["death", "death", "censored", "censored", "censored", "censored", None]
    assert cut["event_days"].to_list() == [27, 28, 28, 28, 28, 3, None]
    assert cut["event_on"].to_list()[2:5] == [date(2015, 1, 29)] * 3
    with pytest.raises(ValueError, match="horizon of -1 days"):
        at_horizon(frame, -1)


def test_which_events_count_is_said():
    frame = pl.DataFrame({"event": ["death", "transplant", "censored", None]})
    assert event_indicator(frame)["happened"].to_list() == [True, True, False, None]
    assert event_indicator(frame, ("death",))["happened"].to_list() == [True, False, False, None]
    with pytest.raises(ValueError, match="dead"):
        event_indicator(frame, ("dead",))


day = st.one_of(st.none(), st.integers(-30, 800))


@given(death=day, transplant=day, alive=day, horizon=st.integers(0, 400))
def test_times_are_whole_and_never_negative(death, transplant, alive, horizon):
    zero = date(2018, 6, 1)
    given_days = {"death_on": death, "transplant_on": transplant, "last_alive_on": alive}
    frame = one(time_zero=zero, **{k: None if d is None else zero + timedelta(days=d) for k, d in given_days.items()})
    result = time_to_event(frame.cast(dict.fromkeys(given_days, pl.Date)), as_of=AS_OF)
    row = result.row(0, named=True)
    assert (row["event"] is None) == (row["endpoint_problem"] is not None)
    if row["event"] is None:
        assert row["event_days"] is row["event_on"] is None
        return
    assert row["event_days"] >= 0
    assert row["event_on"] == zero + timedelta(days=row["event_days"]) <= AS_OF
    cut = at_horizon(result, horizon).row(0, named=True)
    assert cut["event_days"] == min(row["event_days"], horizon)
    assert cut["event_on"] == zero + timedelta(days=cut["event_days"])
    assert cut["event"] == (row["event"] if row["event_days"] <= horizon else "censored")
