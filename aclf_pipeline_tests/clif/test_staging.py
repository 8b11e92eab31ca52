"""The other tables of source clif: raw cells in, canonical rows out; and the page and mapping files they rest on."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime
from itertools import permutations
from pathlib import Path

import pytest

import aclf_pipeline
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.contracts.measurements import ASSESSMENT_ITEMS, VITAL_ITEMS
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.protocol.units import is_ucum
from aclf_pipeline.quality.executor import shape_problems
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.clif.unit import CLIF, STAY, source, stage

PAGES = Path(aclf_pipeline.__file__).parent / "protocol"
AT = "2150-03-01 09:00:00+00:00"
KEYS = {
    "assessment_items": "category",
    "dispositions": "category",
    "drugs": "category",
    "lab_codes": "category",
    "procedure_codes": "prefix",
    "result_words": "text",
    "units": "unit_text",
    "vital_items": "category",
}


def rows_of(name: str) -> list[dict[str, str]]:
    with (CLIF / f"clif__{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in source().absent])
def test_every_kind_that_is_not_absent_has_the_promised_columns(wh: Warehouse, kind: str) -> None:
    stage(wh, kind)
    assert shape_problems(wh.frame(f"select * from staging.{kind}").schema, KINDS[kind]) == {}


def test_identifiers_are_hashed_and_places_never_stored() -> None:
    for form in source().files.values():
        classes = {column.name: (column.phi, column.as_) for column in form.columns}
        assert classes.get("patient_id", ("K", "record_number")) == ("K", "record_number")
        assert classes.get("hospitalization_id", ("K", "hospitalization")) == ("K", "hospitalization")
        personal = ("zipcode", "census", "state", "county", "race", "ethnicity", "language", "billing", "performing")
        assert {phi for name, (phi, _) in classes.items() if name.startswith(personal)} <= {"D"}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("clif_labs.parquet", ["clif_labs"]),
        ("clif_patient.parquet", ["clif_patient"]),
        ("clif_patient_assessments.parquet", ["clif_patient_assessments"]),
        ("clif_medication_admin_continuous.parquet", ["clif_medication_admin_continuous"]),
        ("clif_adt.parquet", []),
    ],
)
def test_a_kind_with_underscores_is_known_by_its_whole_name(name: str, kinds: list[str]) -> None:
    assert [form.kind for form in source().forms_of(name).values()] == kinds


def test_impossible_signs_stay_numbers_for_the_rules(wh: Warehouse) -> None:
    readings = [("map", "-27.0"), ("map", "801.0"), ("temp_c", "99.0"), ("weight_kg", "0.0"), ("heart_rate", "0.0")]
    cells = [
        {"hospitalization_id": "H1", "recorded_dttm": AT, "vital_category": category, "vital_value": value}
        for category, value in readings
    ]
    staged = stage(wh, "vitals", vitals=cells)
    assert [(row["item"], row["value"], row["unit"], row["unparsed"]) for row in staged] == [
        ("map", -27.0, "mm[Hg]", None),
        ("map", 801.0, "mm[Hg]", None),
        ("temperature", 99.0, "Cel", None),
        ("weight", 0.0, "kg", None),
        ("heart_rate", 0.0, "/min", None),
    ]


def test_an_oxygen_fraction_is_a_fraction_and_a_device_without_one_is_not_room_air(wh: Warehouse) -> None:
    cells = [
        {"hospitalization_id": "H1", "recorded_dttm": AT, "device_category": "IMV", "fio2_set": fio2}
        for fio2 in ("0.4", "40.0", None)
    ]
    staged = stage(wh, "vitals", respiratory_support=cells)
    assert [(row["item"], row["value_text"], row["value"], row["unparsed"]) for row in staged] == [
        ("fio2", "0.4", 0.4, None),
        ("fio2", "40.0", None, "value"),
    ]


def test_no_scale_becomes_a_grade_of_encephalopathy(wh: Warehouse) -> None:
    cells = [
        {"hospitalization_id": "H1", "recorded_dttm": AT, "assessment_category": category, "numerical_value": value}
        for category, value in [("gcs_total", "15.0"), ("gcs_total", "3.0"), ("RASS", "-5.0"), ("RASS", "0.0"),
                                ("cam_total", "1.0"), ("RASS", None)]
    ]  # fmt: skip
    staged = stage(wh, "assessments", patient_assessments=cells)
    assert [(row["item"], row["value"]) for row in staged] == [
        ("gcs_total", 15.0), ("gcs_total", 3.0), ("rass", -5.0), ("rass", 0.0)
    ]  # fmt: skip


def administration(at: str, action: str, dose: str, order: str = "1") -> dict[str, str]:
    return {"hospitalization_id": "H1", "med_order_id": order, "med_name": "Norepinephrine",
            "med_category": "norepinephrine", "admin_dttm": f"2150-03-01 {at}:00+00:00", "mar_action_category": action,
            "med_dose": dose, "med_dose_unit": "mcg/kg/min"}  # fmt: skip


def test_an_infusion_runs_from_each_change_to_the_next_and_a_stop_gives_nothing(wh: Warehouse) -> None:
    rows = [administration("09:00", "start", "0.1"), administration("10:00", "dose_change", "0.2"),
            administration("11:00", "stop", "0.0"), administration("11:00", "start", "0.3"),
            administration("12:00", "dose_change", "0.0")]  # fmt: skip
    staged = stage(wh, "medications", medication_admin_continuous=rows)

    def hour(moment: object) -> int | None:
        return moment.hour if isinstance(moment, datetime) else None

    assert [(row["status"], hour(row["executed_at"]), hour(row["stopped_at"])) for row in staged] == [
        ("executed", 9, 10),
        ("executed", 10, 11),
        ("stopped", None, 11),
        ("executed", 11, 12),
        ("stopped", None, 12),
    ]
    assert {(row["drug"], row["drug_class"]) for row in staged} == {("norepinephrine", "vasopressor")}


def test_a_single_dose_is_given_at_its_time_and_what_was_not_given_does_not_count(wh: Warehouse) -> None:
    rows = [administration("09:00", "given", "1.0"), administration("10:00", "not_given", "1.0"),
            administration("11:00", "perhaps", "1.0")]  # fmt: skip
    staged = stage(wh, "medications", medication_admin_intermittent=rows)
    assert [(row["status"], row["executed_at"] is not None, row["stopped_at"], row["unparsed"]) for row in staged] == [
        ("executed", True, None, None),
        ("cancelled", False, None, None),
        ("new", False, None, "status"),
    ]


def test_devices_and_billing_give_procedures(wh: Warehouse) -> None:
    device = {"hospitalization_id": "H1", "recorded_dttm": AT}
    billed = {"hospitalization_id": "H1", "procedure_billed_dttm": "2150-03-01 05:00:00+00:00"}
    codes = [("5A1D70Z", "ICD10PCS"), ("3995", "ICD9"), ("0W9G3ZZ", "ICD10PCS"), ("9671", "ICD9"),
             ("5A1955Z", "ICD10PCS"), ("5059", "ICD9"), ("99219", "CPT"), ("1", "SNOMED")]  # fmt: skip
    staged = stage(
        wh,
        "procedures",
        crrt_therapy=[{**device, "crrt_mode_category": "cvvhdf"}],
        respiratory_support=[
            {**device, "device_category": "IMV"},
            {**device, "device_category": "Nasal Cannula"},
            {**device, "device_category": None},
        ],
        patient_procedures=[{**billed, "procedure_code": code, "procedure_code_format": form} for code, form in codes],
    )
    assert [(row["category"], row["origin"], row["unparsed"]) for row in staged] == [
        ("renal_replacement", "device_record", None),
        ("ventilation", "device_record", None),
        ("renal_replacement", "front_page", None),
        ("renal_replacement", "front_page", None),
        ("paracentesis", "front_page", None),
        ("ventilation", "front_page", None),
        ("ventilation", "front_page", None),
        ("liver_transplant", "front_page", None),
        ("other", "front_page", None),
        ("other", "front_page", "code_system"),
    ]
    days = {(str(row["started_at"]), str(row["ended_at"])) for row in staged if row["origin"] == "front_page"}
    assert days == {("2150-03-01 05:00:00", "2150-03-02 04:59:59")}, "a billed procedure is known by its day"


@pytest.mark.parametrize(
    ("category", "disposition", "unparsed"),
    [
        ("Home", "home", None),
        ("Expired", "died", None),
        ("Against Medical Advice (AMA)", "against_advice", None),
        ("Hospice", "hospice", None),
        ("Skilled Nursing Facility (SNF)", "transfer", None),
        ("Missing", "unknown", None),
        ("Mars", "unknown", "disposition"),
    ],
)
def test_how_a_stay_ended(wh: Warehouse, category: str, disposition: str, unparsed: str | None) -> None:
    (row,) = stage(wh, "stays", hospitalization=[{**STAY, "discharge_category": category}])
    assert (row["disposition"], row["unparsed"], row["admitted_precision"]) == (disposition, unparsed, "minute")


def test_an_admission_without_a_time_is_named(wh: Warehouse) -> None:
    (row,) = stage(wh, "stays", hospitalization=[{**STAY, "admission_dttm": None}])
    assert (row["admitted_at"], row["unparsed"]) == (None, "admitted_at")


def test_only_a_stated_death_is_a_death(wh: Warehouse) -> None:
    cells = [{"patient_id": "R1", "death_dttm": "2150-03-09 22:05:00+00:00"}, {"patient_id": "R2", "death_dttm": None},
             {"patient_id": "R3", "death_dttm": "spring"}]  # fmt: skip
    staged = stage(wh, "deaths", patient=cells)
    assert [(row["patient_id"], str(row["died_to"]), row["information_source"], row["unparsed"]) for row in staged] == [
        ("R1", "2150-03-09", "source_system", None),
        ("R3", "None", "source_system", "died_to"),
    ]


def test_the_principal_diagnosis_comes_first_and_codes_keep_their_system(wh: Warehouse) -> None:
    cells = [
        {
            "hospitalization_id": "H1",
            "diagnosis_code": code,
            "diagnosis_code_format": form,
            "diagnosis_primary": primary,
        }
        for code, form, primary in [("i10", "ICD10CM", "0"), ("K7031", "ICD10CM", "1"), ("5715", "ICD9CM", "0")]
    ]
    staged = stage(wh, "diagnoses", hospital_diagnosis=cells)
    assert [(row["position"], row["role"], row["code"], row["code_system"]) for row in staged] == [
        (2, "other", "I10", "ICD-10-CM"),
        (1, "principal", "K7031", "ICD-10-CM"),
        (3, "other", "5715", "ICD-9-CM"),
    ]


def test_every_mapping_file_has_one_row_for_each_key() -> None:
    assert {path.stem.removeprefix("clif__") for path in CLIF.glob("clif__*.csv")} == set(KEYS)
    for name, key in KEYS.items():
        repeated = [value for value, count in Counter(row[key] for row in rows_of(name)).items() if count > 1]
        assert repeated == [], name
        assert {row["author"] for row in rows_of(name)} == {"proposal"}, name


def test_every_loinc_means_the_analyte_it_is_listed_for() -> None:
    analytes = load_protocol(PAGES, "icu_cirrhosis").analytes
    assert [row for row in rows_of("lab_codes") if row["loinc"] not in analytes[row["analyte"]].loinc] == []


def test_items_units_and_drugs_are_words_of_the_house() -> None:
    assert {row["item"] for row in rows_of("vital_items")} <= set(VITAL_ITEMS)
    assert {row["item"] for row in rows_of("assessment_items")} <= set(ASSESSMENT_ITEMS) - {"he_grade"}
    spelt = {row["unit"] for name in ("units", "vital_items") for row in rows_of(name)}
    assert [unit for unit in sorted(spelt) if not is_ucum(unit)] == []
    codelists = load_protocol(PAGES, "icu_cirrhosis").codelists
    for name in ("vasopressor", "albumin"):
        listed = {code.code for code in codelists[name] if code.system == "clif"}
        assert listed == {row["category"] for row in rows_of("drugs") if row["drug_class"] == name}


def test_no_procedure_code_falls_under_two_prefixes() -> None:
    rows = rows_of("procedure_codes")
    assert [
        (one["prefix"], other["prefix"])
        for one, other in permutations(rows, 2)
        if one["code_system"] == other["code_system"] and one["prefix"].startswith(other["prefix"])
    ] == []
