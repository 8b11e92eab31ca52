"""A baseline value is the reading its window gives, and says why it is that one."""

from __future__ import annotations

from typing import Any

import pytest

from aclf_pipeline_tests.marts.world import World


def fact(world: World, variable: str) -> dict[str, Any]:
    """The one fact about a variable; time zero of the world is 12 March 2014."""
    facts = world.build("intermediate.facts")
    rows = facts.filter(facts["variable"] == variable).to_dicts()
    assert len(rows) == 1, rows
    return rows[0]


def test_the_nearest_result_up_to_the_day_of_time_zero_is_taken() -> None:
    world = World().eligible()
    world.lab("R1", "bilirubin_total", "2014-03-08 06:40", 200.0)
    world.lab("R1", "bilirubin_total", "2014-03-09 06:40", 300.0)
    nearest = world.lab("R1", "bilirubin_total", "2014-03-12 06:40", 312.0)
    world.lab("R1", "bilirubin_total", "2014-03-12 20:00", 250.0)
    world.lab("R1", "bilirubin_total", "2014-03-13 06:40", 100.0)
    found = fact(world, "bilirubin_total")
    assert (found["value"], found["row_ids"]) == (312.0, [nearest])
    assert found["explanation"] == (
        "nearest of 3 results from 2014-03-09 to 2014-03-12; taken 2014-03-12 06:40, 0 days from time zero; "
        "312.0 umol/L as submitted"
    )


def test_a_unit_is_converted_and_an_unknown_one_is_not_used() -> None:
    world = World().eligible()
    world.lab("R1", "bilirubin_total", "2014-03-11 06:00", 20.0, unit="mg/dL", unit_text="mg/dL")
    world.lab("R1", "bilirubin_total", "2014-03-12 06:00", 20.0, unit=None, unit_text="furlong")
    assert fact(world, "bilirubin_total")["value"] == pytest.approx(342.08)


def test_a_result_without_any_unit_is_read_in_unit_1() -> None:
    world = World().eligible()
    world.lab("R1", "inr", "2014-03-12 06:00", 2.4, unit=None, unit_text=None)
    world.lab("R1", "bilirubin_total", "2014-03-12 06:00", 300.0, unit=None, unit_text=None)
    assert (fact(world, "inr")["value"], fact(world, "bilirubin_total")["value"]) == (2.4, None)


def test_a_result_of_ascites_fluid_is_never_read_as_blood() -> None:
    world = World().eligible()
    world.lab("R1", "bilirubin_total", "2014-03-12 06:00", 30.0, specimen="ascites")
    assert fact(world, "bilirubin_total")["value"] is None


def test_nothing_in_the_window_is_missing_and_says_so() -> None:
    found = fact(World().eligible(), "bilirubin_total")
    assert (found["value"], found["row_ids"]) == (None, [])
    assert found["explanation"] == "no result from 2014-03-09 to 2014-03-12"


def test_a_treatment_not_recorded_was_not_given() -> None:
    world = World().eligible()
    world.add(
        "procedures", patient_id="R1", category="artificial_liver", started_at="2014-03-10 10:00", method_text="PE"
    )
    world.add("procedures", patient_id="R1", category="renal_replacement", started_at="2014-03-13 10:00")
    assert fact(world, "alss_before")["value"] == 1
    found = fact(world, "dialysis")
    assert (found["value"], found["explanation"]) == (
        0,
        "nothing recorded from 2014-03-05 to 2014-03-12, so it was not given",
    )


def test_where_the_source_has_no_such_records_a_treatment_is_unknown_for_the_reason_the_source_gives() -> None:
    world = World().eligible()
    world.absent["procedures"] = "The procedure log of this hospital is on paper."
    found = fact(world, "dialysis")
    assert (found["value"], found["explanation"]) == (
        None,
        "not delivered: The procedure log of this hospital is on paper.",
    )
    assert fact(world, "vasopressor")["value"] == 0
    candidate = world.build("marts.candidates").row(0, named=True)
    assert (candidate["alss_before"], candidate["dialysis"], candidate["vasopressor"]) == (None, None, False)


GIVEN = """
    drug or procedure   given             variable         altered
    albumin             2014-03-09 06:40  bilirubin_total  no
    plasma              2014-03-09 06:40  bilirubin_total  yes
    plasma              2014-03-09 06:39  bilirubin_total  no
    plasma              2014-03-12 06:40  bilirubin_total  no
    plasma              2014-03-11 06:40  creatinine       no
    cryoprecipitate     2014-03-11 06:40  bilirubin_total  yes
    artificial_liver    2014-03-11 06:40  bilirubin_total  yes
"""


def test_a_result_within_the_hours_after_a_product_that_alters_it_is_marked() -> None:
    world, expected = World(), {}
    for number, line in enumerate(GIVEN.strip().splitlines()[1:]):
        patient, (what, day, time, variable, altered) = f"R{number}", line.split()
        world.eligible(patient)
        world.lab(patient, variable, "2014-03-12 06:40", 300.0)
        if what == "artificial_liver":
            world.add("procedures", patient_id=patient, category=what, started_at=f"{day} {time}", method_text="PE")
        else:
            world.add("medications", patient_id=patient, drug_class=what, executed_at=f"{day} {time}", drug_text=what)
        expected[patient] = variable if altered == "yes" else None
    con = world.open()
    assert dict(con.sql("select candidate_id, post_product_variables from marts.candidates").fetchall()) == expected
    exchanged = con.sql(
        "select candidate_id from marts.candidates where post_exchange_variables is not null"
    ).fetchall()
    assert exchanged == [("R6",)]
    said = con.sql(
        "select candidate_id, variable from intermediate.facts where explanation like '%altered by what was given%'"
    ).fetchall()
    assert dict(said) == {patient: variable for patient, variable in expected.items() if variable}


def test_an_order_that_was_never_executed_alters_nothing() -> None:
    world = World().eligible()
    world.lab("R1", "bilirubin_total", "2014-03-12 06:40", 300.0)
    world.add("medications", patient_id="R1", drug_class="plasma", started_at="2014-03-11 06:40", status="new")
    assert "altered" not in fact(world, "bilirubin_total")["explanation"]


def test_a_fall_that_only_an_unrecorded_session_explains_is_marked_too() -> None:
    world = World().eligible()
    row = world.lab("R1", "bilirubin_total", "2014-03-12 06:40", 150.0)
    world.violations.append(("labs", "labs_post_product_explained", "flag", row))
    assert "fallen as after a session that left no record" in fact(world, "bilirubin_total")["explanation"]
    assert world.build("marts.candidates")["post_exchange_variables"].to_list() == ["bilirubin_total"]


def test_a_censored_hbv_dna_is_its_limit_with_the_operator_beside_it() -> None:
    world = World().eligible()
    world.lab("R1", "hbv_dna", "2014-03-11 06:00", 500.0, operator="<", value_text="<500")
    found = fact(world, "hbv_dna_log10")
    assert (found["value"], found["value_text"]) == (pytest.approx(2.69897), "<")
    assert world.build("marts.candidates")["hbv_dna_operator"].to_list() == ["<"]


@pytest.mark.parametrize(("index", "positive"), [(0.99, 0), (1.0, 1)])
def test_hbeag_is_positive_from_its_cut_off(index: float, positive: int) -> None:
    world = World().eligible()
    world.lab("R1", "hbeag", "2014-01-02 06:00", index)
    assert fact(world, "hbeag_positive")["value"] == positive


@pytest.mark.parametrize(("code", "degree"), [("none", 0), ("mild", 1), ("moderate", 2), ("severe", 2)])
def test_ascites_has_three_degrees(code: str, degree: int) -> None:
    world = World().eligible()
    world.assessed("R1", "ascites", "2014-03-12 08:00", code)
    assert fact(world, "ascites")["value"] == degree


def test_an_unknown_answer_gives_way_to_an_older_known_one() -> None:
    world = World().eligible()
    world.assessed("R1", "cirrhosis", "2014-03-01 08:00", "decompensated")
    world.assessed("R1", "cirrhosis", "2014-03-12 08:00", "unknown")
    world.assessed("R1", "antiviral_history", "2014-03-01 08:00", "withdrawn")
    assert fact(world, "cirrhosis")["value"] == 1
    assert world.build("marts.candidates")["antiviral"].to_list() == ["withdrawn"]


def test_mean_arterial_pressure_counts_the_diastolic_twice() -> None:
    world = World().eligible()
    for item, value in (("sbp", 120.0), ("dbp", 75.0)):
        world.add(
            "vitals", patient_id="R1", item=item, value=value, value_text=str(value), measured_at="2014-03-12 07:00"
        )
    assert fact(world, "map")["value"] == 90


@pytest.mark.parametrize(("value", "unit", "fraction"), [(35.0, "%", 0.35), (0.4, "1", 0.4), (35.0, "furlong", None)])
def test_a_sign_that_is_an_analyte_comes_in_the_analytes_unit(value: float, unit: str, fraction: float | None) -> None:
    world = World().eligible()
    world.add("vitals", patient_id="R1", item="fio2", value=value, unit=unit, measured_at="2014-03-12 07:00")
    assert fact(world, "fio2")["value"] == pytest.approx(fraction)


def test_hbv_dna_that_was_not_detected_is_below_a_limit_nobody_states() -> None:
    world = World().eligible()
    world.lab("R1", "hbv_dna", "2014-03-11 06:00", None, operator="<", text_result="not_detected", value_text="未检出")
    found = fact(world, "hbv_dna_log10")
    assert (found["value"], found["value_text"]) == (None, "<")


def test_a_copied_panel_is_taken_only_where_there_is_no_other_and_names_the_rule() -> None:
    world = World().eligible()
    copied = world.lab("R1", "inr", "2014-03-12 06:00", 2.0)
    world.violations.append(("labs", "labs_panel_not_copied", "flag", copied))
    assert (fact(world, "inr")["row_ids"], fact(world, "inr")["rule_ids"]) == ([copied], ["labs_panel_not_copied"])
    own = world.lab("R1", "inr", "2014-03-10 06:00", 2.5)
    assert (fact(world, "inr")["row_ids"], fact(world, "inr")["rule_ids"]) == ([own], [])


def test_a_result_outside_the_stay_it_is_filed_under_is_no_baseline() -> None:
    world = World().eligible()
    stray = world.lab("R1", "inr", "2014-03-12 06:00", 2.0)
    world.violations.append(("labs", "labs_in_stay", "flag", stray))
    assert fact(world, "inr")["value"] is None


def test_age_is_months_since_the_birth_month_and_sex_that_of_the_person() -> None:
    world = World().eligible()
    assert fact(world, "age_years")["value"] == pytest.approx(43 + 9 / 12)
    assert fact(world, "sex")["value_text"] == "male"


def test_without_infusion_baseline_is_taken_at_the_index_admission() -> None:
    world = World().eligible()
    world.rows["infusions"].clear()
    assert fact(world, "inr")["value"] == 2.1
    assert "0 days from the index admission" in fact(world, "inr")["explanation"]


def test_a_repaired_reading_tells_what_it_was_and_by_which_rule() -> None:
    world = World().eligible()
    sign = world.add(
        "vitals", patient_id="R1", item="map", measured_at="2014-03-12 07:00", value=62.0, value_text="124"
    )
    world.repairs.append(("vitals", "vitals_some_rule", sign, "value", "124.0", "62.0"))
    found = fact(world, "map")
    assert (found["value"], found["rule_ids"]) == (62.0, ["vitals_some_rule"])
    assert found["explanation"].endswith("124 as submitted; repaired: value 124.0 read as 62.0")
