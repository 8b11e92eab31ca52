"""Ledger and orders become infusions; infusions become courses; the second one of the first course is time zero."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from aclf_pipeline_tests.marts.world import World


def treated(*days: str, orders: tuple[str, ...] = ()) -> World:
    """One patient in hospital from 1 March to 31 October 2014 with ledger lines and executed orders."""
    world = World()
    world.patient("R1")
    world.stay("R1", "2014-03-01 10:00", "2014-10-31 10:00")
    for day in days:
        line(world, day)
    for day in orders:
        order(world, day)
    return world


def line(world: World, day: str, **values: Any) -> int:
    given = {"batch_no": "UC1", "cells_infused_1e6": 60.0}
    return world.add("infusions", **{"patient_id": "R1", "infused_on": day, **given, **values})


def order(world: World, day: str, **values: Any) -> int:
    return world.add("medications", **{"patient_id": "R1", "drug_class": "msc", "executed_at": day, **values})


def found(world: World) -> list[tuple[Any, ...]]:
    columns = ("infused_on", "is_counted", "evidence", "course_no", "infusion_no")
    return world.build("intermediate.infusions").sort("infused_on").select(columns).rows()


def test_a_ledger_line_and_its_order_are_one_infusion_of_the_ledgers_day() -> None:
    assert found(treated("2014-03-05", orders=("2014-03-06",))) == [(date(2014, 3, 5), True, "ledger_and_order", 1, 1)]


def test_an_order_without_a_line_counts_and_has_no_dose() -> None:
    world = treated("2014-03-05", orders=("2014-03-05", "2014-03-12"))
    infusions = world.build("intermediate.infusions").sort("infused_on")
    assert infusions["evidence"].to_list() == ["ledger_and_order", "order_only"]
    assert infusions["cells_infused_1e6"].to_list() == [60.0, None]


def test_a_cancelled_order_is_no_infusion() -> None:
    world = treated("2014-03-05")
    order(world, "2014-03-12", status="cancelled")
    assert len(found(world)) == 1


@pytest.mark.parametrize(("again", "infusions"), [("2014-03-05", 1), ("2014-03-08", 1), ("2014-03-09", 2)])
def test_a_line_entered_again_within_three_days_is_the_same_infusion(again: str, infusions: int) -> None:
    world = treated("2014-03-05", again)
    assert [row[0] for row in found(world)][:1] == [date(2014, 3, 5)]
    assert len(found(world)) == infusions


def test_an_infusion_in_no_stay_is_kept_and_not_counted() -> None:
    world = treated("2013-03-05", "2014-03-12", "2014-03-19")
    assert [row[1] for row in found(world)] == [False, True, True]
    assert world.build("marts.candidates")["infusions"].to_list() == [2]


def test_a_line_dated_before_admission_does_not_hide_the_order_of_the_true_day() -> None:
    world = treated("2014-02-28", "2014-03-08", orders=("2014-03-01", "2014-03-08"))
    assert found(world) == [
        (date(2014, 2, 28), False, "ledger_and_order", None, None),
        (date(2014, 3, 1), True, "order_only", 1, 1),
        (date(2014, 3, 8), True, "ledger_and_order", 1, 2),
    ]


def marks(world: World) -> list[tuple[Any, ...]]:
    infusions = world.build("intermediate.infusions").sort("infused_on", "is_counted")
    return infusions.select("infused_on", "is_counted", "mark", "cells_infused_1e6").rows()


def before_admission(choice: str | None = None) -> World:
    """A line of 25 February before the admission of 1 March, two lines inside, and an order alone on 19 March."""
    world = treated("2014-03-05", "2014-03-12", orders=("2014-03-05", "2014-03-12", "2014-03-19"))
    early = line(world, "2014-02-25", cells_infused_1e6=55.0)
    world.violations.append(("infusions", "infusions_in_hospital", "flag", early))
    if choice:
        world.case("infusion_before_admission", "R1", choice)
    return world


@pytest.mark.parametrize("choice", [None, "not_counted"])
def test_a_line_before_the_admission_is_marked_and_not_counted_by_default(choice: str | None) -> None:
    assert marks(before_admission(choice)) == [
        (date(2014, 2, 25), False, "pre_index", 55.0),
        (date(2014, 3, 5), True, None, 60.0),
        (date(2014, 3, 12), True, None, 60.0),
        (date(2014, 3, 19), True, "order_only", None),
    ]


def test_what_is_not_counted_is_told_with_the_number_of_infusions() -> None:
    facts = before_admission().build("intermediate.facts")
    assert facts.filter(facts["variable"] == "infusions")["explanation"].to_list() == [
        "infusions on 2014-03-05, 2014-03-12, 2014-03-19; by order only: 1; not counted: 2014-02-25 pre_index"
    ]


def test_a_line_decided_to_be_that_of_the_lone_order_has_the_orders_day_and_its_own_dose() -> None:
    world = before_admission("of_the_order")
    assert marks(world)[1:] == [(date(2014, 3, 12), True, None, 60.0), (date(2014, 3, 19), True, "pre_index", 55.0)]
    assert found(world)[2] == (date(2014, 3, 19), True, "ledger_and_order", 1, 3)


def test_a_line_decided_to_be_right_counts_in_the_stay_that_follows() -> None:
    infusions = before_admission("as_dated").build("intermediate.infusions").sort("infused_on")
    assert infusions.select("infused_on", "is_counted", "mark", "episode_id", "infusion_no").row(0) == (
        date(2014, 2, 25), True, "pre_index", "R1-1", 1,
    )  # fmt: skip


def test_a_decision_about_one_patient_says_nothing_about_another() -> None:
    world = before_admission()
    world.patient("R2")
    world.case("infusion_before_admission", "R2", "as_dated")
    assert marks(world)[0][1] is False


@pytest.mark.parametrize(("choice", "infusions"), [("one_infusion", 1), ("several_infusions", 2)])
def test_lines_days_apart_that_differ_are_one_infusion_unless_decided_otherwise(choice: str, infusions: int) -> None:
    world = treated("2014-03-05")
    line(world, "2014-03-07", batch_no="UC2", cells_infused_1e6=48.0)
    world.case("infusion_entered_differently", "R1", choice)
    assert [row[3] for row in marks(world)] == [60.0, 48.0][:infusions]
    assert world.build("marts.candidates")["infusions"].to_list() == [infusions]


def test_a_dose_that_cannot_be_is_left_out_and_its_day_stands() -> None:
    world = treated("2014-03-05")
    high = line(world, "2014-03-12", cells_infused_1e6=6000.0)
    world.violations.append(("infusions", "infusions_dose_plausible", "flag", high))
    assert marks(world) == [(date(2014, 3, 5), True, None, 60.0), (date(2014, 3, 12), True, None, None)]


def test_an_infusion_in_no_stay_is_marked_as_such() -> None:
    assert marks(treated("2013-03-05", orders=("2013-06-05",)))[0][1:3] == (False, "outside_stay")


@pytest.mark.parametrize(
    ("second", "course", "time_zero"), [("2014-05-04", 2, date(2014, 5, 4)), ("2014-05-05", 1, None)]
)
def test_a_course_ends_with_a_gap_beyond_sixty_days(second: str, course: int, time_zero: date | None) -> None:
    candidates = treated("2014-03-05", second).build("marts.candidates")
    assert candidates["infusions_in_course"].to_list() == [course]
    assert candidates["time_zero"].to_list() == [time_zero]


def test_the_index_episode_is_the_one_with_the_first_infusion() -> None:
    world = treated("2014-03-05")
    world.stay("R1", "2012-01-01 10:00", "2012-01-05 10:00")
    assert world.build("intermediate.anchors")["episode_id"].to_list() == ["R1-1"]


def test_without_infusion_the_first_admission_for_the_liver_makes_a_candidate() -> None:
    world = World()
    world.patient("R1")
    world.patient("R2")
    world.stay("R1", "2014-03-01 10:00", "2014-03-31 10:00")
    stay = world.stay("R1", "2012-03-01 10:00", "2012-03-31 10:00")
    world.stay("R2", "2012-03-01 10:00", "2012-03-31 10:00")
    world.lab("R2", "hbsag_qual", "2012-02-01 08:00", 200.0)
    world.add("diagnoses", patient_id="R1", stay_id=stay, code="B18.103", label="慢性乙型病毒性肝炎")
    anchors = world.build("intermediate.anchors")
    assert anchors.select("candidate_id", "episode_id", "infusions", "reference_name").rows() == [
        ("R1", "R1-2", 0, "the index admission")
    ]


def test_a_positive_hbsag_in_a_stay_makes_a_candidate_whatever_the_code() -> None:
    world = World()
    world.patient("R1")
    stay = world.stay("R1", "2012-03-01 10:00", "2012-03-31 10:00")
    world.add("diagnoses", patient_id="R1", stay_id=stay, code="B16.900", label="急性乙型病毒性肝炎")
    assert world.build("intermediate.anchors").is_empty()
    world.lab("R1", "hbsag_qual", "2012-03-02 08:00", 200.0, stay_id=stay)
    assert world.build("intermediate.anchors")["candidate_id"].to_list() == ["R1"]
