"""Admissions drawn by hand in, anchors, facts and candidates of icu_cirrhosis out, under the real pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aclf_pipeline
from aclf_pipeline.contracts import KINDS, empty_frame
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import load_protocol, proofread
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.science.analyses import run_analysis
from aclf_pipeline.science.cohort import CohortTables, assemble
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import build, load_audits, load_graph, load_mappings
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline_tests.clif.unit import SQL
from aclf_pipeline_tests.marts.world import World

STUDY = "icu_cirrhosis"
PROTOCOL = load_protocol(Path(aclf_pipeline.__file__).parent / "protocol", STUDY)
MODELS = [model for model in load_graph(SQL, "clif", STUDY) if model.schema in ("intermediate", "marts")]


class Unit(World):
    """Core tables by hand; `made` runs every model of the study over them."""

    def admit(self, patient: str, admitted: str, discharged: str, *codes: str, **values: Any) -> str:
        """Add an admission with its codes (ICD-10-CM) and give back its key."""
        stay = self.stay(patient, admitted, discharged, **{"age_years_stated": 52.0, "stay_no": None, **values})
        for position, code in enumerate(codes, start=1):
            given = {"code": code, "code_system": "ICD-10-CM", "position": position, "role": "other"}
            self.add("diagnoses", patient_id=patient, stay_id=stay, **given)
        return stay

    def made(self, wh: Warehouse) -> dict[str, dict[str, Any]]:
        """The candidates, by key."""
        load_rules(wh, PROTOCOL)
        load_mappings(wh, SQL, "clif")
        for kind, contract in KINDS.items():
            wh.write(f"core.{kind}", _typed(self.rows[kind], empty_frame(contract)))
        for model in MODELS:
            build(wh, model)
        candidates = wh.frame("select * from marts.candidates")
        assert check_table(candidates, MARTS[STUDY]["candidates"]) == []
        return {row["candidate_id"]: row for row in candidates.to_dicts()}


def _typed(rows: list[dict[str, Any]], empty: pl.DataFrame) -> pl.DataFrame:
    texts = {name: pl.String if dtype.is_temporal() else dtype for name, dtype in empty.schema.items()}
    drawn = pl.DataFrame([{name: row.get(name) for name in texts} for row in rows], schema=texts)
    return drawn.with_columns(
        pl.col(name).str.to_date() if dtype == pl.Date else pl.col(name).str.to_datetime(time_unit="us")
        for name, dtype in empty.schema.items()
        if dtype.is_temporal()
    )


def assembled(wh: Warehouse) -> CohortTables:
    return assemble(
        wh.frame("select * from marts.candidates"), wh.frame("select * from intermediate.facts"), PROTOCOL,
        PROTOCOL.study.as_of,
    )  # fmt: skip


def explained(wh: Warehouse, candidate: str, variable: str) -> dict[str, Any]:
    (row,) = wh.frame(
        "select * from intermediate.facts where candidate_id = ? and variable = ?", [candidate, variable]
    ).to_dicts()
    return row


@pytest.fixture
def unit() -> Unit:
    made = Unit()
    made.patient("R1", sex="female")
    return made


def test_every_admission_is_a_candidate_and_the_first_with_cirrhosis_is_the_first(wh: Warehouse, unit: Unit) -> None:
    earlier = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "I10")
    first = unit.admit("R1", "2150-02-01 10:00", "2150-02-05 10:00", "I10", "K7031")
    second = unit.admit("R1", "2150-03-01 10:00", "2150-03-05 10:00", "K7460")
    uncoded = unit.admit("R1", "2150-04-01 10:00", "2150-04-05 10:00")
    young = unit.admit("R2", "2150-04-01 10:00", "2150-04-05 10:00", "K7460", age_years_stated=17.0)
    made = unit.made(wh)
    told = {key: (row["has_cirrhosis"], row["is_first_admission"]) for key, row in made.items()}
    assert told == {
        earlier: (False, False),
        first: (True, True),
        second: (True, False),
        uncoded: (None, None),
        young: (True, True),
    }
    assert explained(wh, first, "has_cirrhosis")["explanation"] == "coded K7031"
    assert explained(wh, earlier, "has_cirrhosis")["explanation"].startswith("none of 1 codes")
    assert len(explained(wh, first, "has_cirrhosis")["row_ids"]) == 1
    cohort = assembled(wh)
    assert cohort.cohort["candidate_id"].to_list() == [first]
    assert cohort.attrition["entering"].to_list() == [5, 3, 2]
    assert cohort.attrition["left"].to_list() == [3, 2, 1]


def test_an_alcoholic_hepatitis_is_no_cirrhosis(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7010")
    assert unit.made(wh)[stay]["has_cirrhosis"] is False


def test_baseline_is_the_worst_of_the_24_hours_from_the_minute_of_admission(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460")
    for at, value in [("2150-01-01 09:59", 900.0), ("2150-01-01 10:00", 200.0), ("2150-01-02 09:59", 300.0),
                      ("2150-01-02 10:00", 800.0)]:  # fmt: skip
        unit.lab("R1", "creatinine", at, value)
    for at, value in [("2150-01-01 11:00", 71.0), ("2150-01-01 12:00", 64.0), ("2150-01-03 12:00", 40.0)]:
        unit.add("vitals", patient_id="R1", stay_id=stay, measured_at=at, item="map", value=value, unit="mm[Hg]",
                 value_text=str(value))  # fmt: skip
    made = unit.made(wh)[stay]
    assert (made["creatinine"], made["map"], made["bilirubin_total"]) == (300.0, 64.0, None)
    assert explained(wh, stay, "creatinine")["explanation"].startswith("worst of 2 results")
    assert explained(wh, stay, "bilirubin_total")["explanation"] == "no result from 2150-01-01 to 2150-01-02"


def test_treatments_of_the_first_day_count_and_a_stop_alone_does_not(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460")
    given = {"drug_class": "vasopressor", "drug_text": "Norepinephrine", "patient_id": "R1", "stay_id": stay}
    unit.add("medications", status="stopped", stopped_at="2150-01-01 11:00", **given)
    unit.add("procedures", patient_id="R1", stay_id=stay, category="renal_replacement", origin="device_record",
             started_at="2150-01-01 23:00")  # fmt: skip
    made = unit.made(wh)[stay]
    assert (made["vasopressor"], made["dialysis"]) == (False, True)


def test_encephalopathy_is_unmeasured_and_never_none(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460")
    for item, value in (("gcs_total", 15.0), ("rass", 0.0)):
        unit.add("assessments", patient_id="R1", stay_id=stay, assessed_at="2150-01-01 11:00", item=item, value=value)
    unit.lab("R1", "bilirubin_total", "2150-01-01 11:00", 30.0)
    unit.lab("R1", "creatinine", "2150-01-01 11:00", 80.0)
    unit.lab("R1", "inr", "2150-01-01 11:00", 1.2)
    assert "he_grade" not in unit.made(wh)[stay]
    tables = assembled(wh)
    (row,) = tables.cohort.to_dicts()
    assert (row["easl_clif_grade_low"], row["easl_clif_grade_high"]) == (0.0, 2.0)
    assert row["clif_c_of_low"] < row["clif_c_of_high"]
    line = tables.cohort_provenance.filter(pl.col("variable") == "clif_c_of_low")["explanation"].item()
    assert "unmeasured: he_grade" in line


def test_without_a_date_of_death_a_patient_lived_a_year_after_the_last_discharge(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460")
    unit.admit("R1", "2150-06-01 10:00", "2150-06-05 10:00")
    made = unit.made(wh)[stay]
    assert (made["last_alive_on"], made["death_on"], made["died_in_hospital"]) == (date(2151, 6, 5), None, False)
    (row,) = assembled(wh).cohort.to_dicts()
    assert (row["event"], row["event_days"]) == ("censored", 520)
    assert "365 days" in explained(wh, stay, "last_alive")["explanation"]


def test_with_a_date_of_death_the_last_sign_of_life_counts(wh: Warehouse, unit: Unit) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460")
    unit.add(
        "deaths", patient_id="R1", died_from="2150-02-01", died_to="2150-02-01", information_source="source_system"
    )
    made = unit.made(wh)[stay]
    assert (made["last_alive_on"], made["death_on"], made["died_in_hospital"]) == (
        date(2150, 1, 5), date(2150, 2, 1), False
    )  # fmt: skip
    (row,) = assembled(wh).cohort.to_dicts()
    assert (row["event"], row["event_days"]) == ("death", 31)


@pytest.mark.parametrize(
    ("disposition", "died_on", "in_hospital"),
    [
        ("died", "2150-01-05", True),
        ("died", "2150-01-06", True),
        ("hospice", "2150-01-05", False),
        ("home", "2150-01-03", True),
        ("home", None, False),
        ("died", None, True),
    ],
)
def test_death_in_hospital_is_the_disposition_or_a_death_before_the_day_of_discharge(
    wh: Warehouse, unit: Unit, disposition: str, died_on: str | None, in_hospital: bool
) -> None:
    stay = unit.admit("R1", "2150-01-01 10:00", "2150-01-05 10:00", "K7460", disposition=disposition)
    if died_on:
        unit.add("deaths", patient_id="R1", died_from=died_on, died_to=died_on, information_source="source_system")
    made = unit.made(wh)[stay]
    assert made["died_in_hospital"] is in_hospital
    assert (made["death_on"] is not None) is (died_on is not None or disposition == "died")


def test_the_cohort_keeps_its_contract_and_the_plan_can_be_carried_out(wh: Warehouse, unit: Unit) -> None:
    for number in range(2, 6):
        patient = f"R{number}"
        unit.patient(patient, sex="male")
        unit.admit(
            patient, "2150-01-01 10:00", "2150-01-05 10:00", "K7460", disposition="died" if number < 4 else "home"
        )
        unit.lab(patient, "creatinine", "2150-01-01 11:00", 40.0 + 100 * number)
    unit.made(wh)
    tables = assembled(wh)
    for name in ("cohort", "eligibility", "attrition", "cohort_provenance"):
        assert check_table(getattr(tables, name), MARTS[STUDY][name]) == []
    for spec in PROTOCOL.analysis:
        assert run_analysis(spec, tables.cohort, PROTOCOL.study).results.height


def test_the_pages_name_only_what_the_marts_promise() -> None:
    tables = {**KINDS, **MARTS[STUDY]}
    promised = {name: list(contract.to_schema().columns) for name, contract in tables.items()}
    proofread(PROTOCOL, promised, set(load_audits(SQL)))
    study = PROTOCOL.study
    assert study.baseline.keys() <= set(promised["candidates"])
    assert {*study.scores, *study.covariates} <= set(promised["cohort"])
