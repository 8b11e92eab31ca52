"""Persons are joined by a valid identity number only; split stays are one episode."""

from __future__ import annotations

from datetime import date

import pytest

from aclf_pipeline_tests.marts.world import World


def test_equal_valid_identity_numbers_join_two_record_numbers() -> None:
    world = World()
    world.patient("R2", national_id="N1", national_id_valid=True)
    world.patient("R1", national_id="N1", national_id_valid=True)
    world.patient("R3", national_id="N1", national_id_valid=False)
    world.patient("R4")
    persons = dict(world.build("intermediate.persons").select("patient_id", "person_id").rows())
    assert persons == {"R1": "R1", "R2": "R1", "R3": "R3", "R4": "R4"}


def test_a_record_number_that_two_persons_share_is_nobody() -> None:
    """Its front pages are in quarantine and its stays are not: nothing of it may come back through them."""
    world = World()
    world.patient("R1")
    world.stay("R1", "2014-03-01 10:00", "2014-03-05 09:00")
    world.stay("R2", "2014-03-01 10:00", "2014-03-05 09:00")
    world.violations.append(("patients", "patients_one_person_per_record", "quarantine", world.next_id - 1))
    assert world.build("intermediate.persons")["patient_id"].to_list() == ["R1"]


def test_what_the_identity_number_encodes_stands_before_what_is_stated() -> None:
    world = World()
    encoded = {"national_id": "N1", "national_id_valid": True, "national_id_sex": "male"}
    world.patient("R1", sex="female", birth_month="1981-04-01", national_id_birth_month="1971-04-01", **encoded)
    world.patient("R2", sex="female", birth_month="1960-01-01")
    world.patient("R2", sex="unknown", birth_month="1961-01-01")
    world.patient("R2", sex="female", birth_month="1961-01-01")
    persons = {
        row[0]: row[1:] for row in world.build("intermediate.persons").select("patient_id", "sex", "birth_month").rows()
    }
    assert persons == {"R1": ("male", date(1971, 4, 1)), "R2": ("female", date(1961, 1, 1))}


def test_a_stay_continued_on_its_ward_the_next_day_is_one_episode() -> None:
    world = World()
    world.patient("R1")
    ward = {"ward_in": "W1", "ward_out": "W1"}
    world.stay("R1", "2014-03-01 10:00", "2014-03-05 09:00", **ward)
    world.stay("R1", "2014-03-06 09:00", "2014-03-10 22:00", disposition="died", **ward)
    world.stay("R1", "2014-03-11 08:00", "2014-03-12 08:00", ward_in="W2", ward_out="W2")
    episodes = world.build("intermediate.episodes").sort("admitted_at")
    assert episodes["episode_id"].to_list() == ["R1-1", "R1-3"]
    assert episodes["stay_ids"].to_list() == [["R1-1", "R1-2"], ["R1-3"]]
    assert episodes["has_died"].to_list() == [True, False]
    assert episodes["stay_hours"].to_list() == [9 * 24 + 12, 24]


@pytest.mark.parametrize(
    ("admitted", "discharged", "precision", "hours"),
    [
        ("2014-03-01 10:00", "2014-03-02 09:00", "hour", 23),
        ("2014-03-01 00:00", "2014-03-01 00:00", "day", 0),
        ("2014-03-01 00:00", "2014-03-02 00:00", "day", 24),
        ("2014-03-01 23:00", "2014-03-02 00:00", "day", 24),
    ],
)
def test_hours_of_a_stay_are_whole_days_where_only_dates_are_known(
    admitted: str, discharged: str, precision: str, hours: float
) -> None:
    world = World()
    world.patient("R1")
    world.stay("R1", admitted, discharged, discharged_precision=precision)
    assert world.build("intermediate.episodes")["stay_hours"].to_list() == [hours]
