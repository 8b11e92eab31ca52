"""On a whole refresh: combinations of criteria, other choices, time zeros and the counting process hang together."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.whole.test_clean import read_truth

pytestmark = pytest.mark.xdist_group("clean")


def read(refreshed, sql: str) -> pl.DataFrame:
    with Warehouse.open(refreshed.settings.warehouse) as wh:
        return wh.frame(sql)


def test_the_combinations_count_every_candidate_once_and_agree_with_the_order_of_criteria(clean) -> None:
    found = read(clean, "select * from marts.exclusion_combinations")
    attrition = read(clean, 'select criterion, failing_any, failing_alone, "left" from marts.attrition order by step')
    candidates = read(clean, "select count(*) as n from marts.candidates")["n"][0]
    assert found["candidates"].sum() == candidates
    assert found["share"].sum() == pytest.approx(1)
    assert found.filter(pl.col("criteria_mask") == 0)["candidates"].to_list() == [attrition["left"][-1]]
    for criterion, any_, alone, _ in attrition.rows():
        with_it = found.filter(pl.col("criteria").list.contains(criterion))
        assert with_it["candidates"].sum() == any_
        assert with_it.filter(pl.col("failing") == 1)["candidates"].sum() == alone


def test_every_dropped_candidate_has_one_reason_and_its_bit_is_set(clean) -> None:
    reasons = read(clean, "select * from marts.eligibility where not eligible")
    criteria = read(clean, "select criterion from marts.attrition order by step")["criterion"].to_list()
    assert reasons["exclusion_reason"].null_count() == 0
    for row in reasons.iter_rows(named=True):
        assert row["criteria_mask"] >> criteria.index(row["exclusion_reason"]) & 1


def test_every_other_value_of_the_study_page_was_tried_and_nothing_of_it_stayed(clean) -> None:
    study = load_protocol(clean.settings.protocol, clean.settings.study).study
    asked = {(name, str(value)) for name, parameter in study.parameters.items() for value in parameter.sensitivity}
    found = read(clean, "select * from marts.parameter_choices")
    assert set(found.select("parameter", "value").rows()) == asked
    size = read(clean, "select count(*) as n from marts.cohort")["n"][0]
    assert (found["members"] == size + found["entering"] - found["leaving"]).all()
    assert (found["deaths_then"] >= found["deaths"] + found["deaths_entering"] - found["deaths_leaving"]).all()
    stated = read(clean, "select parameter, coalesce(text, cast(value as varchar)) as value from rules.parameters")
    assert dict(stated.rows())["min_infusions"] == "2.0"


def test_one_infusion_lets_in_exactly_those_the_second_infusion_leaves_out(clean) -> None:
    entering = read(
        clean,
        "select candidate_id, reason from marts.parameter_members"
        " where parameter = 'min_infusions' and change = 'enters'",
    )
    alone = read(clean, "select candidate_id from marts.eligibility where exclusion_reasons = ['one_infusion']")
    assert set(entering["candidate_id"]) == set(alone["candidate_id"]) != set()
    assert set(entering["reason"]) == {"one_infusion"}
    started = read(
        clean, "select candidate_id from marts.time_zeros where time_zero = 'first_infusion_all' and not in_cohort"
    )
    assert set(started["candidate_id"]) == set(entering["candidate_id"])


def test_the_intervals_and_the_primary_time_zero_are_the_cohort(clean) -> None:
    found = read(
        clean,
        "select sum(event_days) as cohort, (select sum(stop_days - start_days) from marts.intervals) as cut,"
        " (select sum(exit_days - entry_days) from marts.time_zeros where time_zero = 'second_infusion') as zero"
        " from marts.cohort",
    )
    assert len(set(found.row(0))) == 1
    events = read(
        clean, "select event, count(*) as n from marts.intervals where event <> 'none' group by event order by 1"
    )
    assert events.equals(read(clean, "select event, count(*) as n from marts.cohort group by event order by 1"))


@pytest.fixture(scope="module")
def truth(clean) -> dict[str, dict]:
    return {row["candidate_id"]: row for row in read_truth(clean).iter_rows(named=True)}


def test_time_zeros_entry_and_infusions_by_it_are_the_truth_for_everybody(clean, truth) -> None:
    found = read(clean, "select * from marts.time_zeros").to_dicts()
    day_0 = {"index_admission": "admitted_at", "second_infusion": "second_infusion"}
    later = {"landmark_14d": 14, "landmark_28d": 28}
    wrong = []
    for row in found:
        true, name = truth[row["candidate_id"]], row["time_zero"]
        zero = as_day(true[day_0.get(name, "first_infusion")]) + timedelta(days=later.get(name, 0))
        entry = as_day(true["second_infusion"]) if name in ("index_admission", "first_infusion") else zero
        given = sum(as_day(day) <= entry for day in true["infusion_dates"])
        if (row["zero_on"], row["entry_days"], row["infusions_by_entry"]) != (zero, (entry - zero).days, given):
            wrong.append((name, row["candidate_id"]))
    assert wrong == []
    for name, waived in (("second_infusion", []), ("first_infusion_all", ["one_infusion"])):
        belongs = {one for one, true in truth.items() if set(true["exclusion_reasons"]) <= set(waived)}
        assert belongs == {row["candidate_id"] for row in found if row["time_zero"] == name}


def test_the_infusions_so_far_are_the_truth_at_the_start_of_every_interval(clean, truth) -> None:
    found = read(clean, "select candidate_id, start_days, infusions_so_far from marts.intervals")
    wrong = []
    for candidate, start, so_far in found.iter_rows():
        true = truth[candidate]
        until = as_day(true["second_infusion"]) + timedelta(days=start)
        if so_far != sum(as_day(day) <= until for day in true["infusion_dates"]):
            wrong.append((candidate, start))
    assert wrong == []


def as_day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def test_the_rules_of_survival_data_hold_on_a_clean_delivery(clean) -> None:
    assert read(clean, "select * from marts.survival_findings").is_empty()
    assert clean.checks["marts/intervals", "person_time"]
