"""Persons are joined by a valid identity number only; split stays are one episode."""

from __future__ import annotations

from datetime import date

import pytest

from aclf_pipeline_tests.marts.world import World


def persons_of(world: World) -> dict[str, str]:
    return dict(world.build("intermediate.persons").select("patient_id", "person_id").rows())


def test_record_numbers_that_the_gate_joined_are_one_person() -> None:
    world = World()
    world.patient("R2", person_id="R1")
    world.patient("R1")
    world.patient("R3", national_id="N1", national_id_valid=True)
    world.patient("R4", national_id="N1", national_id_valid=False)
    world.stay("R5", "2014-03-01 10:00", "2014-03-05 09:00")
    assert persons_of(world) == {"R1": "R1", "R2": "R1", "R3": "R3", "R4": "R4", "R5": "R5"}


@pytest.fixture
def namesakes() -> World:
    """R2 has the name and birth month of R1, who was there before and has an identity number, and R3 of nobody."""
    world = World()
    same = {"name_id": "M1", "birth_month": "1970-06-01", "sex": "male"}
    world.patient("R1", national_id="N1", national_id_valid=True, **same)
    world.patient("R2", **same)
    world.patient("R3", name_id="M3", birth_month="1970-06-01")
    for number, (patient, day) in enumerate([("R1", "2014-03-01"), ("R2", "2015-03-01"), ("R3", "2013-03-01")]):
        world.stay(patient, f"{day} 10:00", f"{day[:-1]}{number + 2} 10:00")
    return world


def test_a_decision_joins_a_record_number_with_the_earlier_one_of_its_name(namesakes: World) -> None:
    assert persons_of(namesakes)["R2"] == "R2"
    namesakes.case("same_person", "R2", "linked")
    assert persons_of(namesakes) == {"R1": "R1", "R2": "R1", "R3": "R3"}


def test_the_default_leaves_two_record_numbers_two_persons(namesakes: World) -> None:
    namesakes.case("same_person", "R2", "unlinked", "open")
    assert persons_of(namesakes) == {"R1": "R1", "R2": "R2", "R3": "R3"}


def test_no_decision_joins_two_valid_identity_numbers(namesakes: World) -> None:
    namesakes.rows["patients"][1] |= {"national_id": "N2", "national_id_valid": True}
    namesakes.case("same_person", "R2", "linked")
    assert persons_of(namesakes)["R2"] == "R2"


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


@pytest.mark.parametrize(
    ("choice", "sex", "month"), [("identity_number", "male", (1971, 4)), ("stated", "female", (1981, 4))]
)
def test_a_decision_says_which_sex_and_birth_month_hold(choice: str, sex: str, month: tuple[int, int]) -> None:
    world = World()
    world.patient(
        "R1", sex="female", birth_month="1981-04-01", national_id="N1", national_id_valid=True,
        national_id_sex="male", national_id_birth_month="1971-04-01",
    )  # fmt: skip
    world.case("sex_or_birth", "R1", choice)
    (row,) = world.build("intermediate.persons").select("sex", "birth_month").rows()
    assert row == (sex, date(*month, 1))


@pytest.mark.parametrize(("choice", "age"), [("dates", 43), ("stated", 17)])
def test_a_decision_says_whether_a_patient_was_of_age(choice: str, age: int) -> None:
    world = World().eligible()
    world.rows["stays"][0]["age_years_stated"] = 17.0
    world.case("age_of_majority", "R1", choice)
    candidates = world.build("marts.candidates")
    assert candidates["age_years_at_index"].to_list() == [age]


def test_stays_that_the_gate_joined_are_one_episode() -> None:
    world = World()
    world.patient("R1")
    world.stay("R1", "2014-03-01 10:00", "2014-03-05 09:00", episode_stay_id="R1-1")
    world.stay("R1", "2014-03-06 09:00", "2014-03-10 22:00", disposition="died", episode_stay_id="R1-1")
    world.stay("R1", "2014-03-11 08:00", "2014-03-12 08:00")
    episodes = world.build("intermediate.episodes").sort("admitted_at")
    assert episodes["episode_id"].to_list() == ["R1-1", "R1-3"]
    assert episodes["stay_ids"].to_list() == [["R1-1", "R1-2"], ["R1-3"]]
    assert episodes["has_died"].to_list() == [True, False]
    assert episodes["stay_hours"].to_list() == [9 * 24 + 12, 24]


@pytest.mark.parametrize(("disposition", "first", "second"), [("died", "unknown", "died"), ("home", "home", "unknown")])
def test_two_stays_in_one_front_page_stand_apart_again(disposition: str, first: str, second: str) -> None:
    """The length of the first is what the rows booked on it show, not the dates of the front page."""
    world = World()
    world.patient("R1")
    world.stay("R1", "2014-03-01 10:00", "2014-06-10 09:00", disposition=disposition)
    world.violations.append(("stays", "stays_merged", "flag", world.next_id - 1))
    for stay, at in (("R1-1", "2014-03-02 07:00"), ("R1-1", "2014-03-09 10:00"), ("R1-2", "2014-06-01 08:00"),
                     ("R1-1", "2015-01-01 08:00"), (None, "2014-05-01 08:00")):  # fmt: skip
        world.lab("R1", "inr", at, 1.5, stay_id=stay)
    stays = world.build("intermediate.stays").sort("stay_id")
    assert stays.select("stay_id", "disposition", "has_died", "is_end_inferred").rows() == [
        ("R1-1", first, False, True), ("R1-2", second, disposition == "died", True),
    ]  # fmt: skip
    assert [f"{at:%m-%d %H}" for at in stays["discharged_at"]] == ["03-09 10", "06-10 09"]
    assert world.build("intermediate.episodes").sort("episode_id")["stay_hours"].to_list() == [8 * 24, 9 * 24 + 1]


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
