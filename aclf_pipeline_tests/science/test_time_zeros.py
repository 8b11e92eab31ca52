"""Time zeros: entry, landmarks, what ended the observation, and how complete it was."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from aclf_pipeline.protocol.study import Criterion, Endpoint, Study, TimeZero
from aclf_pipeline.science.endpoints import end_state, time_to_event
from aclf_pipeline.science.time_zeros import follow_up, time_zeros
from aclf_pipeline_tests.science.drawing import draw

AS_OF = date(2014, 12, 31)
WORDS = {"says": "…", "because": "…"}


def study(**zeros: dict[str, Any]) -> Study:
    criteria = [Criterion(id=name, keep="true", **WORDS) for name in ("one_infusion", "hcv")]
    return Study(
        id="s", title="…", source="his", as_of=AS_OF, time_zero="…", parameters={}, baseline={}, covariates={},
        eligibility=tuple(criteria),
        endpoints={f"d{days}": Endpoint(says="…", event="death", horizon_days=days) for days in (28, 84)},
        time_zeros={name: TimeZero(**WORDS, **zero) for name, zero in zeros.items()},
    )  # fmt: skip


ZEROS = study(
    admission={"at": "index_at", "enters": "time_zero"},
    second={"at": "time_zero", "primary": True},
    all={"at": "first_infusion_on", "waives": ("one_infusion",)},
    landmark={"at": "first_infusion_on", "days_after": 14, "waives": ("one_infusion",)},
)
CANDIDATES = draw(
    """
    candidate_id | mask | index_at   | first      | time_zero  | death_on   | transplant | last       | left
    a            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 | 2014-03-22 |            | 2014-03-20 | no
    b            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 |            | 2014-04-12 | 2014-09-01 | no
    c            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 |            |            | 2014-03-19 | yes
    d            | 1    | 2014-03-01 | 2014-03-05 |            | 2014-03-10 |            | 2014-03-09 | no
    e            | 2    | 2014-03-01 | 2014-03-05 | 2014-03-12 |            |            | 2014-09-01 | no
    f            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 |            |            | 2014-04-01 | no
    g            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 |            |            | 2014-09-01 | no
    h            | 0    | 2014-03-01 | 2014-03-05 | 2014-03-12 | 2014-03-11 |            | 2014-03-10 | no
    """,
    mask=pl.Int64,
    left=pl.Boolean,
    **dict.fromkeys(("index_at", "first", "time_zero", "death_on", "transplant", "last"), pl.Date),
)
CANDIDATES = CANDIDATES.rename(
    {"first": "first_infusion_on", "transplant": "transplant_on", "last": "last_alive_on"}
).with_columns(
    person_id="candidate_id",
    left_without_follow_up="left",
    **{f"{what}_{side}": pl.col(f"{what}_on") for what in ("death", "transplant") for side in ("from", "to")},
)
INFUSIONS = pl.DataFrame(
    [(person, date(2014, 3, day)) for person in "abcefgh" for day in (5, 12, 25)] + [("d", date(2014, 3, 5))],
    schema={"person_id": pl.String, "infused_on": pl.Date},
    orient="row",
)


@pytest.fixture(scope="module")
def zeros() -> pl.DataFrame:
    eligibility = CANDIDATES.select("candidate_id", criteria_mask="mask")
    return time_zeros(CANDIDATES, eligibility, INFUSIONS, ZEROS, AS_OF)


def of(zeros: pl.DataFrame, name: str) -> pl.DataFrame:
    return zeros.filter(pl.col("time_zero") == name)


def test_who_belongs_to_a_time_zero_fails_nothing_but_what_it_waives(zeros) -> None:
    members = {name: "".join(of(zeros, name)["candidate_id"]) for name in ("admission", "second", "all", "landmark")}
    assert members == {"admission": "abcfgh", "second": "abcfgh", "all": "abcdfgh", "landmark": "abcdfgh"}
    assert of(zeros, "all").filter(~pl.col("in_cohort"))["candidate_id"].to_list() == ["d"]


def test_delayed_entry_counts_from_the_zero_and_is_observed_from_the_second_infusion(zeros) -> None:
    rows = of(zeros, "admission").select("candidate_id", "entry_days", "exit_days", "event", "problem").rows()
    assert rows[:4] == [
        ("a", 11, 21, "death", None),
        ("b", 11, 42, "transplant", None),
        ("c", 11, 18, "censored", None),
        ("f", 11, 31, "censored", None),
    ]
    assert rows[5] == ("h", 11, None, None, "the death lies 1 days before entry")


def test_the_primary_zero_is_the_cohort_itself(zeros) -> None:
    own = time_to_event(CANDIDATES.filter(pl.col("mask") == 0), as_of=AS_OF)
    found = of(zeros, "second").select("candidate_id", "exit_days", "event", "event_on").rows()
    assert found == own.select("candidate_id", "event_days", "event", "event_on").rows()


def test_a_landmark_leaves_out_who_ended_by_it_and_knows_the_infusions_so_far(zeros) -> None:
    rows = of(zeros, "landmark").select("candidate_id", "exit_days", "infusions_by_entry", "problem").rows()
    assert rows[0] == ("a", 3, 2, None)
    assert rows[2] == ("c", None, 2, "the last sign of life lies on the day of the landmark")
    assert rows[3][1:] == (None, 1, "death lies 9 days before time zero")


def test_everybody_who_started_is_followed_from_the_start_with_one_infusion_known(zeros) -> None:
    rows = {
        row[0]: row[1:] for row in of(zeros, "all").select("candidate_id", "exit_days", "infusions_by_entry").rows()
    }
    assert rows["d"] == (5, 1)
    assert {known for _, known in rows.values()} == {1}


def test_the_state_at_the_end_says_how_a_patient_was_censored(zeros) -> None:
    states = dict(of(zeros, "second").select("candidate_id", "end_state").rows())
    assert states == {
        "a": "death", "b": "transplant", "c": "against_advice", "f": "lost_to_follow_up", "g": "completed", "h": None,
    }  # fmt: skip


def test_the_last_day_of_the_data_is_a_state_of_its_own() -> None:
    frame = draw("event | event_on | event_days\n censored | 2014-12-31 | 20", event_on=pl.Date, event_days=pl.Int64)
    assert frame.select(state=end_state(AS_OF, 84))["state"].to_list() == ["end_of_data"]


def test_completeness_is_observed_over_possible_person_time_by_hand(zeros) -> None:
    """Second infusion to day 28: a died on day 10, b is followed (31), c left on 7, f lost on 20, g followed."""
    row = follow_up(of(zeros, "second"), [28], AS_OF).row(0, named=True)
    counts = (
        "n",
        "without_time",
        "deaths",
        "transplants",
        "followed",
        "against_advice",
        "lost_to_follow_up",
        "end_of_data",
    )
    assert [row[name] for name in counts] == [5, 1, 1, 0, 2, 1, 1, 0]
    assert (row["observed_days"], row["potential_days"]) == (10 + 28 + 7 + 20 + 28, 10 + 28 * 4)
    assert row["completeness"] == pytest.approx(93 / 122)


def test_the_data_end_before_the_horizon_of_the_late_and_that_is_no_loss(zeros) -> None:
    early = follow_up(of(zeros, "second"), [28], date(2014, 4, 1)).row(0, named=True)
    assert early["potential_days"] == 10 + 28 + 20 * 3 + (28 - 20)


def test_a_study_without_time_zeros_has_none() -> None:
    assert time_zeros(CANDIDATES, SimpleNamespace(), None, study(), AS_OF).is_empty()
    assert follow_up(time_zeros(CANDIDATES, SimpleNamespace(), None, study(), AS_OF), [28], AS_OF).is_empty()
