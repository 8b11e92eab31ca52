"""Deaths by the hierarchy of their sources, transplants, and the last sign of life."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from aclf_pipeline_tests.marts.world import World


def discharged() -> World:
    """A patient in hospital in March 2014, sent home."""
    world = World()
    world.patient("R1", national_id="N1", national_id_valid=True)
    world.stay("R1", "2014-03-01 10:00", "2014-03-31 10:00")
    return world


def died_in_hospital() -> World:
    """A patient whose front page says that he died on 31 March 2014."""
    world = World()
    world.patient("R1", national_id="N1", national_id_valid=True)
    world.stay("R1", "2014-03-01 10:00", "2014-03-31 10:00", disposition="died")
    return world


def notice(world: World, day: str, source: str, **values: Any) -> None:
    world.add(
        "deaths", **{"patient_id": "R1", "died_from": day, "died_to": day, "information_source": source, **values}
    )


def call(world: World, called: str, status: str, **values: Any) -> None:
    given = {"reached": "yes", "informant": "spouse"}
    world.add("followups", **{"patient_id": "R1", "called_on": called, "vital_status": status, **given, **values})


def death(world: World) -> tuple[Any, ...]:
    deaths = world.build("intermediate.deaths").select("source", "died_from", "died_to", "is_disputed").rows()
    return deaths[0] if deaths else ()


def last_alive(world: World) -> list[date]:
    return world.build("intermediate.last_alive")["last_alive_on"].to_list()


def test_each_source_of_death_gives_way_to_the_one_above_it() -> None:
    world = died_in_hospital()
    notice(world, "2014-04-10", "household_register")
    call(world, "2014-05-01", "dead", died_from="2014-04-02", died_to="2014-04-02")
    notice(world, "2014-04-01", "disease_control")
    assert death(world) == ("front_page", date(2014, 3, 31), date(2014, 3, 31), False)
    world.assessed("R1", "he_grade", "2014-03-30 23:00", None, assessment_type="death", value=4.0)
    assert death(world)[:2] == ("assessment", date(2014, 3, 30))
    notice(world, "2014-03-29", "hospital_record")
    assert death(world)[:2] == ("hospital_record", date(2014, 3, 29))


def test_a_notice_without_record_number_finds_its_person_by_a_valid_identity_number() -> None:
    world = discharged()
    notice(world, "2014-05-01", "disease_control", patient_id=None, national_id="N1")
    assert death(world)[0] == "disease_control"
    world.rows["patients"][0]["national_id_valid"] = False
    assert death(world) == ()


def test_a_death_known_from_the_household_register_lies_after_the_last_sign_of_life() -> None:
    world = discharged()
    world.add("labs", patient_id="R1", collected_at="2014-04-20 08:00")
    notice(world, "2014-06-01", "household_register")
    assert death(world) == ("household_register", date(2014, 4, 20), date(2014, 6, 1), False)
    candidates = World.eligible(World())
    notice(candidates, "2014-06-01", "household_register")
    row = candidates.build("marts.candidates").row(0, named=True)
    assert (row["death_on"], row["death_from"], row["death_to"]) == (None, date(2014, 3, 31), date(2014, 6, 1))


def test_a_month_told_on_the_telephone_is_cut_at_the_last_sign_of_life_and_at_the_call() -> None:
    world = discharged()
    month = {"died_from": "2014-03-01", "died_to": "2014-03-31", "died_precision": "month"}
    call(world, "2014-05-01", "dead", **month)
    assert death(world)[1:3] == (date(2014, 3, 31), date(2014, 3, 31))
    world.rows["followups"][0].update(died_from="2014-05-01", died_to="2014-05-31", called_on="2014-05-20")
    assert death(world)[1:3] == (date(2014, 5, 1), date(2014, 5, 20))


@pytest.mark.parametrize("told", ["2013-04-15", "2015-04-15"])
def test_a_misprinted_year_leaves_the_day_of_death_unknown(told: str) -> None:
    world = discharged()
    call(world, "2014-05-01", "dead", died_from=told, died_to=told)
    assert death(world) == ("follow_up", date(2014, 3, 31), date(2014, 5, 1), False)


def test_a_misprinted_year_gives_way_to_any_other_source() -> None:
    world = discharged()
    call(world, "2014-05-01", "dead", died_from="2013-04-15", died_to="2013-04-15")
    notice(world, "2014-04-20", "household_register")
    assert death(world)[:3] == ("household_register", date(2014, 3, 31), date(2014, 4, 20))


def test_one_source_against_a_later_word_of_life_is_disputed_and_two_are_not() -> None:
    world = World().eligible()
    notice(world, "2014-05-01", "disease_control")
    call(world, "2014-09-01", "alive", informed_on="2014-08-30")
    assert death(world)[3] is True
    row = world.build("marts.candidates").row(0, named=True)
    assert (row["death_on"], row["death_disputed"], row["last_alive_on"]) == (None, True, date(2014, 3, 31))
    call(world, "2014-10-01", "dead", died_from="2014-05-02", died_to="2014-05-02")
    row = world.build("marts.candidates").row(0, named=True)
    assert (row["death_on"], row["death_disputed"]) == (date(2014, 5, 1), False)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ({"informed_on": "2014-08-30"}, date(2014, 8, 30)),
        ({}, date(2014, 9, 1)),
        ({"informant": "nobody"}, date(2014, 3, 31)),
        ({"reached": "no", "informant": None}, date(2014, 3, 31)),
        ({"reached": "no", "informant": "nobody", "mode": "telephone", "informed_on": "2014-08-30"}, date(2014, 3, 31)),
        ({"reached": None, "informant": "nobody", "mode": "registry", "informed_on": "2014-08-30"}, date(2014, 8, 30)),
        ({"vital_status": "lost"}, date(2014, 3, 31)),
        ({"vital_status": "unknown", "note": "家属诉已故"}, date(2014, 3, 31)),
    ],
)
def test_a_follow_up_is_a_sign_of_life_for_the_day_it_is_true_for(values: dict[str, str], seen: date) -> None:
    world = discharged()
    call(world, "2014-09-01", **{"status": values.pop("vital_status", "alive"), **values})
    assert last_alive(world) == [seen]
    assert death(world) == ()


def test_leaving_hospital_dead_is_no_sign_of_life_and_nothing_after_death_is() -> None:
    world = died_in_hospital()
    assert last_alive(world) == [date(2014, 3, 1)]
    world.add("labs", patient_id="R1", collected_at="2014-03-20 08:00", reported_at="2014-04-05 08:00")
    world.add("vitals", patient_id="R1", item="spo2", measured_at="2014-04-02 08:00")
    assert last_alive(world) == [date(2014, 3, 20)]


def test_a_cancelled_order_is_no_sign_of_life() -> None:
    world = discharged()
    world.add("medications", patient_id="R1", started_at="2014-05-01 08:00", status="cancelled")
    assert last_alive(world) == [date(2014, 3, 31)]


def test_a_transplant_is_dated_by_the_log_then_the_front_page_then_the_call() -> None:
    world = discharged()
    told = {"transplant": "yes", "transplanted_on": "2014-04-03", "transplanted_to": "2014-04-03"}
    call(world, "2014-09-01", "alive_after_transplant", **told)
    assert transplant(world) == ("follow_up", date(2014, 4, 3), False)
    operated = {"patient_id": "R1", "category": "liver_transplant"}
    world.add("procedures", origin="front_page", started_at="2014-04-02", **operated)
    assert transplant(world) == ("front_page", date(2014, 4, 2), False)
    world.add("procedures", origin="procedure_log", started_at="2014-04-01 09:00", **operated)
    assert transplant(world) == ("procedure_log", date(2014, 4, 1), False)


def transplant(world: World) -> tuple[Any, ...]:
    found = world.build("intermediate.transplants").select("source", "to_on", "is_inferred").rows()
    return found[0] if found else ()


def test_a_week_of_tacrolimus_or_the_status_code_stand_for_a_transplant_nobody_recorded() -> None:
    world = discharged()
    stay = world.stay("R1", "2014-09-01 10:00", "2014-09-10 10:00")
    course = {"patient_id": "R1", "drug_class": "tacrolimus", "status": "stopped"}
    world.add("medications", started_at="2014-04-10 08:00", stopped_at="2014-04-16 07:00", **course)
    assert transplant(world) == ()
    world.rows["medications"][0]["stopped_at"] = "2014-04-17 07:00"
    assert transplant(world) == ("tacrolimus", date(2014, 4, 10), True)
    world.rows["medications"].clear()
    world.add("diagnoses", patient_id="R1", stay_id=stay, code="Z94.400")
    assert transplant(world) == ("status_code", date(2014, 9, 1), True)
