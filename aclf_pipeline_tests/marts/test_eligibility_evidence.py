"""What decides eligibility, at its limits: age, ACLF, HBsAg, exclusions and the days before which they must show."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from aclf_pipeline.science.aclf import AclfCutoffs, aclf_status
from aclf_pipeline_tests.marts.world import ACLF, World


def candidate(world: World) -> dict[str, Any]:
    return world.build("marts.candidates").row(0, named=True)


def excluded(world: World) -> set[str]:
    return {name.removeprefix("has_") for name, value in candidate(world).items() if name.startswith("has_") and value}


def test_the_drawn_eligible_patient_is_what_each_test_departs_from() -> None:
    found = candidate(World().eligible())
    kept = {
        name: found[name] for name in ("infusions", "age_years_at_index", "aclf", "hbsag_evidence_level", "stay_hours")
    }
    assert kept == {
        "infusions": 2,
        "age_years_at_index": 43,
        "aclf": True,
        "hbsag_evidence_level": 2,
        "stay_hours": 720,
    }
    assert excluded(World().eligible()) == set()


@pytest.mark.parametrize(
    ("birth_month", "stated", "age"),
    [
        ("1996-03-01", 17.0, 17),  # 18 in this very month: the stated age decides
        ("1996-03-01", 18.0, 18),
        ("1990-05-01", 33.0, 23),  # a stated age the birth month contradicts
        (None, 43.0, 43),
        ("1990-05-01", None, 23),
    ],
)
def test_stated_age_holds_where_the_birth_month_allows_it(
    birth_month: str | None, stated: float | None, age: int
) -> None:
    world = World().eligible()
    world.rows["patients"][0]["birth_month"] = birth_month
    world.rows["stays"][0]["age_years_stated"] = stated
    assert candidate(world)["age_years_at_index"] == age


def test_aclf_in_sql_is_aclf_in_science() -> None:
    """The definitions stand in SQL for the candidates and in science for reports: they must not drift apart."""
    values = [
        (bilirubin, inr, pta, ascites, he)
        for bilirubin in (84.9, 85.0, 171.0, 205.0, None)
        for inr in (1.49, 1.5, None)
        for pta in (39.9, 40.0, 40.1, None)
        for ascites in ("none", "mild", None)
        for he in (0.0, 1.0, None)
    ]
    world, expected = World(), []
    for number, (bilirubin, inr, pta, ascites, he) in enumerate(values):
        patient = f"R{number:04d}"
        world.patient(patient)
        world.stay(patient, "2014-03-01 10:00", "2014-03-31 10:00")
        world.add("infusions", patient_id=patient, infused_on="2014-03-05")
        for analyte, value in (("bilirubin_total", bilirubin), ("inr", inr), ("pta", pta)):
            if value is not None:
                world.lab(patient, analyte, "2014-03-02 06:00", value)
        if ascites is not None:
            world.assessed(patient, "ascites", "2014-03-02 06:00", ascites)
        if he is not None:
            world.assessed(patient, "he_grade", "2014-03-02 06:00", None, value=he)
        expected.append(
            (patient, bilirubin, None, inr, pta, None if ascites is None else ascites != "none", he, None, None, None)
        )
    names = ("candidate_id", "bilirubin_max_umol_l", "bilirubin_daily_rise_max", "inr_max", "pta_min", "ascites",
             "he_grade", "cirrhosis", "easl_clif_grade_low", "easl_clif_grade_high")  # fmt: skip
    asked = pl.DataFrame(expected, schema=names, orient="row", infer_schema_length=None)
    science = aclf_status(asked, AclfCutoffs(**ACLF)).sort("candidate_id")
    columns = ("candidate_id", "aclf_apasl", "aclf_cossh", "aclf_cn_2012")
    sql = world.build("marts.candidates").sort("candidate_id")
    assert sql.select(columns).rows() == science.select(columns).rows()
    assert sql.height == len(values)


@pytest.mark.parametrize(
    ("day", "aclf"), [("2014-02-21", False), ("2014-02-22", True), ("2014-03-08", True), ("2014-03-09", False)]
)
def test_aclf_is_looked_for_seven_days_either_side_of_the_index_admission(day: str, aclf: bool) -> None:
    world = World().eligible()
    world.rows["labs"].clear()
    world.lab("R1", "bilirubin_total", "2014-03-03 06:00", 180.0)
    world.lab("R1", "pta", "2014-03-03 06:00", 60.0)
    world.lab("R1", "pta", f"{day} 06:00", 40.0)
    assert candidate(world)["aclf_cn_2012"] is aclf


def test_a_daily_rise_of_bilirubin_stands_for_its_height() -> None:
    world = World().eligible()
    world.rows["labs"].clear()
    world.lab("R1", "pta", "2014-03-03 06:00", 38.0)
    world.lab("R1", "bilirubin_total", "2014-03-01 06:00", 90.0)
    world.lab("R1", "bilirubin_total", "2014-03-03 06:00", 124.2)
    assert candidate(world)["aclf_cn_2012"] is True
    world.rows["labs"][-1]["value"] = 124.1
    assert candidate(world)["aclf_cn_2012"] is False


def test_hbsag_evidence_is_the_highest_level_up_to_the_end_of_the_index_stay() -> None:
    world = World().eligible()
    world.rows["assessments"] = [row for row in world.rows["assessments"] if row["item"] != "hbsag_history"]
    assert candidate(world)["hbsag_evidence_level"] == 1
    world.rows["diagnoses"][0]["code"] = "K72.900x001"
    assert candidate(world)["hbsag_evidence_level"] == 0
    world.lab("R1", "hbsag_qual", "2013-09-01 08:00", 250.0, operator=">")
    world.lab("R1", "hbsag_qual", "2014-03-02 08:00", 1.0)
    assert candidate(world)["hbsag_evidence_level"] == 0  # 182 days
    world.lab("R1", "hbsag_qual", "2014-04-01 08:00", 5.0)
    assert candidate(world)["hbsag_evidence_level"] == 0  # after discharge
    world.lab("R1", "hbsag_qual", "2014-03-03 08:00", 5.0)
    assert candidate(world)["hbsag_evidence_level"] == 3


@pytest.mark.parametrize(
    ("from_on", "to_on", "level"), [("2003-01-01", "2003-12-31", 2), ("2013-09-01", "2013-09-30", 0), (None, None, 0)]
)
def test_a_dated_history_of_hbsag_must_lie_six_months_back(from_on: str | None, to_on: str | None, level: int) -> None:
    world = World().eligible()
    world.rows["diagnoses"][0]["code"] = "K72.900x001"
    world.rows["assessments"] = [row for row in world.rows["assessments"] if row["item"] != "hbsag_history"]
    world.assessed("R1", "hbsag_history", "2014-03-01 11:00", "dated", from_on=from_on, to_on=to_on)
    assert candidate(world)["hbsag_evidence_level"] == level


@pytest.mark.parametrize(("poa", "found"), [("yes", True), (None, True), ("unknown", True), ("no", False)])
def test_a_tumour_that_arose_in_the_stay_is_no_exclusion(poa: str | None, found: bool) -> None:
    world = World().eligible()
    world.add("diagnoses", patient_id="R1", stay_id="R1-1", code="C22.000", present_on_admission=poa)
    assert (excluded(world) == {"malignancy"}) is found


@pytest.mark.parametrize(
    ("day", "says", "found"),
    [("2014-03-04", "yes", True), ("2014-03-05", "yes", False), ("2014-03-04", "doubtful", False)],
)
def test_a_tumour_must_be_imaged_before_the_first_infusion(day: str, says: str, found: bool) -> None:
    world = World().eligible()
    world.add("imaging", patient_id="R1", examined_at=f"{day} 09:00", liver_cancer=says, conclusion="…")
    assert (excluded(world) == {"malignancy"}) is found


@pytest.mark.parametrize(
    ("choice", "coded", "found"), [("excluded", False, True), ("no_cancer", False, False), ("no_cancer", True, True)]
)
def test_a_tumour_on_an_image_alone_excludes_unless_a_decision_clears_the_patient(
    choice: str, coded: bool, found: bool
) -> None:
    world = World().eligible()
    world.add("imaging", patient_id="R1", examined_at="2014-03-04 09:00", liver_cancer="yes", conclusion="…")
    world.case("hcc_date_hidden", "R1", choice)
    if coded:
        world.add("diagnoses", patient_id="R1", stay_id="R1-1", code="C22.000")
    assert (excluded(world) == {"malignancy"}) is found


def test_without_infusion_before_the_first_infusion_means_up_to_the_end_of_the_index_stay() -> None:
    world = World().eligible()
    world.rows["infusions"].clear()
    world.add("imaging", patient_id="R1", examined_at="2014-03-31 09:00", liver_cancer="yes", conclusion="…")
    world.add("procedures", patient_id="R1", category="renal_replacement", started_at="2014-04-01 09:00")
    assert excluded(world) == {"malignancy"}


@pytest.mark.parametrize(
    ("day", "value", "found"),
    [("2014-02-09", 133.1, True), ("2014-02-09", 133.0, False), ("2014-02-10", 200.0, False)],
)
def test_creatinine_counts_before_the_onset_only(day: str, value: float, found: bool) -> None:
    world = World().eligible()
    world.assessed("R1", "onset", "2014-03-01 11:00", None, from_on="2014-02-10", to_on="2014-02-10")
    world.lab("R1", "creatinine", f"{day} 08:00", value)
    assert (excluded(world) == {"renal_dysfunction"}) is found


def test_a_man_is_not_pregnant_and_a_woman_is_only_in_the_index_stay() -> None:
    world = World().eligible()
    world.lab("R1", "hcg", "2014-03-02 08:00", 25.0)
    assert excluded(world) == set()
    world.rows["patients"][0]["sex"] = "female"
    assert excluded(world) == {"pregnancy_or_lactation"}
    world.rows["labs"][-1]["collected_at"] = "2012-03-02 08:00"
    assert excluded(world) == set()


@pytest.mark.parametrize(("choice", "found"), [("not_pregnant", set()), ("pregnant", {"pregnancy_or_lactation"})])
def test_a_decision_says_whether_who_is_recorded_as_a_man_is_pregnant(choice: str, found: set[str]) -> None:
    world = World().eligible()
    world.add("diagnoses", patient_id="R1", stay_id="R1-1", code="Z33.X00", label="妊娠状态")
    world.case("pregnant_man", "R1", choice)
    assert excluded(world) == found


def test_pending_is_not_positive_and_a_censored_low_is_not_either() -> None:
    world = World().eligible()
    world.lab("R1", "hcv_ab", "2014-03-02 08:00", None, text_result="pending", value_text="待确认")
    world.lab("R1", "hcv_ab", "2014-03-02 08:00", 2.0, operator="<")
    assert excluded(world) == set()
    world.lab("R1", "hcv_ab", "2014-03-02 08:00", 1.0)
    assert excluded(world) == {"hcv"}


def test_every_exclusion_names_where_it_shows() -> None:
    world = World().eligible()
    code = world.add("diagnoses", patient_id="R1", stay_id="R1-1", code="C22.000", label="肝细胞癌")
    told = world.assessed("R1", "comorbidity", "2014-03-01 11:00", "liver_cancer")
    facts = world.build("intermediate.facts").filter(pl.col("variable") == "has_malignancy").row(0, named=True)
    assert facts["row_ids"] == [told, code]
    assert facts["explanation"] == "comorbidity 2014-03-01: liver_cancer; diagnosis 2014-03-01: C22.000 肝细胞癌"
