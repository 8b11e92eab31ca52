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


def notice(world: World, day: str, source: str, **values: Any) -> int:
    return world.add(
        "deaths", **{"patient_id": "R1", "died_from": day, "died_to": day, "information_source": source, **values}
    )


def call(world: World, called: str, status: str, **values: Any) -> int:
    given = {"reached": "yes", "informant": "spouse"}
    return world.add(
        "followups", **{"patient_id": "R1", "called_on": called, "vital_status": status, **given, **values}
    )


def told_dead(world: World, called: str, day: str) -> int:
    """A call that tells of a death on a day."""
    return call(world, called, "dead", died_from=day, died_to=day)


def raised(world: World, question: str, choice: str, rule: str | None = None, row: int | None = None) -> World:
    """What the gate leaves of a case: the choice in force and, where a row is named, the finding against it."""
    world.case(question, "R1", choice)
    if rule is not None and row is not None:
        world.violations.append((rule.split("_")[0], rule, "adjudicate", row))
    return world


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


def misprinted(choice: str, told: str) -> World:
    """A death told on 1 May 2014 for a day that the gate found impossible."""
    world = discharged()
    row = told_dead(world, "2014-05-01", told)
    return raised(world, "death_date_year_typo", choice, "followups_death_date_possible", row)


@pytest.mark.parametrize("told", ["2013-04-15", "2015-04-15"])
def test_a_misprinted_year_leaves_the_day_of_death_unknown_until_it_is_decided(told: str) -> None:
    assert death(misprinted("other_source", told)) == ("follow_up", date(2014, 3, 31), date(2014, 5, 1), False)
    corrected = date(2014, 4, 15)
    assert death(misprinted("year_corrected", told)) == ("follow_up", corrected, corrected, False)
    assert death(misprinted("not_dead", told)) == ()


def test_a_misprinted_year_gives_way_to_any_other_source() -> None:
    world = misprinted("other_source", "2013-04-15")
    notice(world, "2014-04-20", "household_register")
    assert death(world)[:3] == ("household_register", date(2014, 3, 31), date(2014, 4, 20))


def test_a_notice_before_a_later_admission_gives_way_too() -> None:
    world = discharged()
    row = notice(world, "2013-04-20", "hospital_record", registered_on="2014-05-20")
    raised(world, "death_date_year_typo", "other_source", "deaths_date_possible", row)
    assert death(world)[:3] == ("hospital_record", date(2014, 3, 31), date(2014, 5, 20))
    told_dead(world, "2014-05-01", "2014-04-21")
    assert death(world)[:3] == ("follow_up", date(2014, 4, 21), date(2014, 4, 21))


def contested(choice: str | None, sources: int = 1) -> World:
    """A death in the register on 1 May 2014, perhaps told too, and a word of life of 30 August."""
    world = World().eligible()
    notice(world, "2014-05-01", "disease_control")
    call(world, "2014-09-01", "alive", informed_on="2014-08-30")
    if sources > 1:
        told_dead(world, "2014-10-01", "2014-05-02")
    return raised(world, "alive_after_death", choice) if choice else world


@pytest.mark.parametrize(
    ("choice", "sources", "died", "disputed", "seen"),
    [
        (None, 1, date(2014, 5, 1), False, date(2014, 3, 31)),
        ("by_sources", 1, None, True, date(2014, 3, 31)),
        ("by_sources", 2, date(2014, 5, 1), False, date(2014, 3, 31)),
        ("dead", 1, date(2014, 5, 1), False, date(2014, 3, 31)),
        ("alive", 2, None, True, date(2014, 8, 30)),
    ],
)
def test_a_word_of_life_after_a_death_does_what_the_choice_says(
    choice: str | None, sources: int, died: date | None, disputed: bool, seen: date
) -> None:
    row = contested(choice, sources).build("marts.candidates").row(0, named=True)
    assert (row["death_on"], row["death_disputed"], row["last_alive_on"]) == (died, disputed, seen)


@pytest.mark.parametrize(
    ("choice", "died", "seen"),
    [("death_stands", date(2014, 5, 1), date(2014, 3, 31)), ("rows_stand", None, date(2014, 5, 20))],
)
def test_a_tube_after_a_death_does_what_the_choice_says(choice: str, died: date | None, seen: date) -> None:
    world = World().eligible()
    notice(world, "2014-05-01", "disease_control")
    told_dead(world, "2014-06-01", "2014-05-01")
    world.lab("R1", "inr", "2014-05-20 06:00", 1.2)
    row = raised(world, "event_after_death", choice).build("marts.candidates").row(0, named=True)
    assert (row["death_on"], row["last_alive_on"]) == (died, seen)


@pytest.mark.parametrize(
    ("choice", "source", "first", "last"),
    [
        ("hierarchy", "disease_control", date(2014, 5, 1), date(2014, 5, 1)),
        ("lower_source", "follow_up", date(2014, 7, 15), date(2014, 7, 15)),
        ("interval", "disease_control", date(2014, 5, 1), date(2014, 7, 15)),
    ],
)
def test_a_conflict_of_dates_is_settled_as_the_choice_says(choice: str, source: str, first: date, last: date) -> None:
    world = raised(discharged(), "death_dates_conflict", choice)
    notice(world, "2014-05-01", "disease_control")
    notice(world, "2014-09-01", "household_register")
    told_dead(world, "2014-06-01", "2014-05-03")
    told_dead(world, "2014-08-01", "2014-07-15")
    assert death(world)[:3] == (source, first, last)


@pytest.mark.parametrize(
    ("choice", "found"), [("not_dead", ()), ("dead", ("follow_up", date(2014, 3, 31), date(2014, 9, 1), False))]
)
def test_a_death_in_a_remark_is_one_by_decision_only(choice: str, found: tuple[Any, ...]) -> None:
    world = discharged()
    row = call(world, "2014-09-01", "unknown", reached="no", informant="nobody", died_in_note=True)
    assert death(raised(world, "death_in_note_only", choice, "followups_death_not_in_note", row)) == found


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


def test_what_is_dated_far_outside_its_stay_is_no_sign_of_life() -> None:
    world = discharged()
    lab = world.lab("R1", "inr", "2014-05-10 06:00", 1.2)
    assessed = world.assessed("R1", "ascites", "2014-05-11 08:00", "mild")
    begun = world.add("procedures", patient_id="R1", started_at="2014-05-12 08:00")
    assert last_alive(world) == [date(2014, 5, 12)]
    for rule, row in (
        ("labs_collected_in_stay", lab),
        ("assessments_in_stay", assessed),
        ("procedures_in_stay", begun),
    ):
        world.violations.append((rule.split("_")[0], rule, "flag", row))
    assert last_alive(world) == [date(2014, 3, 31)]


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
    assert transplant(raised(world, "transplant_missing", "inferred")) == ("tacrolimus", date(2014, 4, 10), True)
    world.rows["medications"].clear()
    world.add("diagnoses", patient_id="R1", stay_id=stay, code="Z94.400")
    assert transplant(world) == ("status_code", date(2014, 9, 1), True)
    world.cases.clear()
    assert transplant(raised(world, "transplant_missing", "not_transplanted")) == ()


def test_a_refused_inference_leaves_a_recorded_transplant_alone() -> None:
    world = raised(discharged(), "transplant_missing", "not_transplanted")
    world.add(
        "procedures",
        patient_id="R1",
        category="liver_transplant",
        origin="procedure_log",
        started_at="2014-04-01 09:00",
    )
    assert transplant(world) == ("procedure_log", date(2014, 4, 1), False)


@pytest.mark.parametrize(
    ("disposition", "later", "left"),
    [
        ("against_advice", None, True),
        ("home", None, False),
        ("against_advice", "alive", False),
        ("against_advice", "dead", False),
        ("against_advice", "lost", True),
    ],
)
def test_who_left_against_advice_and_was_never_heard_of_is_marked(
    disposition: str, later: str | None, left: bool
) -> None:
    world = World().eligible()
    world.rows["stays"][0]["disposition"] = disposition
    if later == "dead":
        told_dead(world, "2014-09-01", "2014-04-20")
    elif later is not None:
        call(world, "2014-09-01", later, reached="yes" if later == "alive" else "no")
    row = world.build("marts.candidates").row(0, named=True)
    assert row["left_without_follow_up"] is left
    assert row["last_alive_on"] == (date(2014, 9, 1) if later == "alive" else date(2014, 3, 31))
