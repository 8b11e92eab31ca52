"""A small hospital drawn by hand: core tables, protocol tables, and the real SQL run over them in a real DuckDB.

What does not belong here: expectations; each test states its own.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from aclf_pipeline.contracts import KINDS, empty_frame

SQL = Path(__file__).parents[2] / "sql"
STUDY = "nct07198854"

PARAMETERS: dict[str, float | str] = {
    "aclf_definition": "apasl_or_cn2012", "aclf_window_days": 7, "min_infusions": 2, "infusion_gap_days": 60,
    "infusion_double_entry_days": 3, "infusion_order_match_days": 1, "hbsag_days_apart": 183,
    "renal_creatinine_umol_l": 133, "hcg_min": 25, "hcv_antibody_min": 1, "hiv_antibody_min": 1, "hbsag_index_min": 1,
    "hbsag_quantity_min": 0.05, "hbeag_index_min": 1, "tacrolimus_days": 7,
    "death_agreement_days": 3,
}  # fmt: skip
ANALYTES = {
    # analyte: unit, loinc, worst, other units
    "bilirubin_total": ("umol/L", "14631-6", "high", {"mg/dL": 17.104}),
    "creatinine": ("umol/L", "14682-9", "high", {"mg/dL": 88.42}),
    "inr": ("1", "6301-6", "high", {}),
    "pta": ("%", "5894-1", "low", {}),
    "hbv_dna": ("[IU]/mL", "11258-1", "high", {}),
    "hbeag": ("1", "5191-2", None, {}),
    "hbsag_qual": ("1", "5195-3", None, {}),
    "hcv_ab": ("1", "13955-0", None, {}),
    "fio2": ("1", "3150-6", "high", {"%": 0.01}),
    "hcg": ("[IU]/L", "21198-7", None, {}),
    "pao2": ("mm[Hg]", "11556-8", "low", {}),
    "albumin": ("g/L", "1751-7", "low", {}),
}
ACLF = {
    "apasl_bilirubin_umol_l": 85.0, "apasl_inr": 1.5, "apasl_pta_percent": 40.0, "apasl_he_grade": 1.0,
    "cossh_bilirubin_umol_l": 205.0, "cossh_inr": 1.5, "cn_2012_bilirubin_umol_l": 171.0,
    "cn_2012_daily_rise_umol_l": 17.1, "cn_2012_pta_percent": 40.0, "cn_2012_inr": None, "easl_clif_grade": 1.0,
}  # fmt: skip
ORGANS = {
    "liver_2_mg_dl": 6.0, "liver_3_mg_dl": 12.0, "liver_operator": ">=", "kidney_dysfunction_mg_dl": 1.5,
    "kidney_2_mg_dl": 2.0, "kidney_3_mg_dl": 3.5, "brain_2_grade": 1.0, "brain_3_grade": 3.0, "coagulation_2_inr": 2.0,
    "coagulation_3_inr": 2.5, "circulation_2_map_mmhg": 70.0, "respiratory_2_pf": 300.0, "respiratory_3_pf": 200.0,
    "respiratory_2_sf": 357.0, "respiratory_3_sf": 214.0,
}  # fmt: skip
STAGES = {
    "middle_pta_percent": 30.0, "late_pta_percent": 20.0, "middle_he_grade": 1.0, "late_he_grade": 3.0,
    "middle_stage": 2.0, "late_stage": 3.0,
}  # fmt: skip
AKI = {
    "rise_umol_l": 26.5, "rise_hours": 48.0, "ratio_1": 1.5, "ratio_days": 7.0, "ratio_2": 2.0, "ratio_3": 3.0,
    "stage_3_umol_l": 353.6, "baseline_days": 90.0,
}  # fmt: skip
DEFINITIONS: dict[str, dict[str, float | str | None]] = {
    "aclf": dict(ACLF), "organ_failure": ORGANS, "cn_2012_stages": dict(STAGES), "aki_ica": dict(AKI),
    "after_albumin": {"albumin": 72.0}, "after_plasma": {"bilirubin_total": 72.0, "inr": 72.0},
    "after_artificial_liver": {"bilirubin_total": 72.0},
}  # fmt: skip
CODES = [
    ("hbv", "ICD-10", "B18.1", "prefix"), ("liver_failure", "ICD-10", "K72", "prefix"),
    ("malignancy", "ICD-10", "C", "prefix"), ("pregnancy", "ICD-10", "Z33", "prefix"),
    ("renal_failure", "ICD-10", "N18", "prefix"), ("cirrhosis", "ICD-10", "K74", "prefix"),
    ("liver_transplant_status", "ICD-10", "Z94.4", "prefix"),
]  # fmt: skip
BASELINE = [
    # variable, analyte, table, item, days before, days after, pick
    ("bilirubin_total", "bilirubin_total", "labs", None, 3, 0, "nearest"),
    ("creatinine", "creatinine", "labs", None, 3, 0, "nearest"),
    ("inr", "inr", "labs", None, 3, 0, "nearest"),
    ("hbv_dna_log10", "hbv_dna", "labs", None, 3, 0, "nearest"),
    ("hbeag_positive", "hbeag", "labs", None, 90, 0, "nearest"),
    ("he_grade", None, "assessments", "he_grade", 3, 0, "nearest"),
    ("ascites", None, "assessments", "ascites", 3, 0, "nearest"),
    ("cirrhosis", None, "assessments", "cirrhosis", 90, 0, "nearest"),
    ("antiviral", None, "assessments", "antiviral_history", 90, 0, "nearest"),
    ("alss_before", None, "procedures", "artificial_liver", 90, 0, "last"),
    ("dialysis", None, "procedures", "renal_replacement", 7, 0, "last"),
    ("vasopressor", None, "medications", "vasopressor", 1, 0, "last"),
    ("fio2", None, "vitals", "fio2", 1, 0, "nearest"),
    ("map", None, "vitals", "map", 1, 0, "nearest"),
]
DEFAULTS: dict[str, dict[str, Any]] = {
    "patients": {"sex": "male"},
    "stays": {"admitted_precision": "hour", "discharged_precision": "hour", "disposition": "home"},
    "diagnoses": {"position": 1, "role": "principal", "code_system": "ICD-10-GB2016"},
    "labs": {"specimen": "serum", "report_status": "final"},
    "medications": {"status": "executed"},
    "procedures": {"category": "other", "origin": "procedure_log"},
    "imaging": {"exam_type": "ct", "report_status": "final"},
    "followups": {"vital_status": "alive"},
    "deaths": {"information_source": "hospital_record", "died_precision": "day"},
}


class World:
    """Core rows, added one by one; `build` runs the SQL and gives back the named table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
        self.parameters = dict(PARAMETERS)
        self.repairs: list[tuple[str, str, int, str, str | None, str]] = []
        self.violations: list[tuple[str, str, str, int]] = []
        self.cases: list[tuple[str, str, str, str]] = []
        self.absent: dict[str, str] = {}
        self.next_id = 1

    def add(self, kind: str, **values: Any) -> int:
        """Add a row and give back its row id. Dates and moments may be written as text."""
        row = {**DEFAULTS.get(kind, {}), **values, "_row_id": self.next_id}
        self.rows[kind].append(row)
        self.next_id += 1
        return int(row["_row_id"])

    def patient(self, patient: str, **values: Any) -> int:
        """Add a front page; `person_id` is another record number where the gate joined two."""
        return self.add("patients", **{"patient_id": patient, "person_id": patient, **values})

    def stay(self, patient: str, admitted: str, discharged: str, **values: Any) -> str:
        """Add a patient's next stay and give back its key; `episode_stay_id` is set where the gate joined two."""
        number = 1 + sum(row["patient_id"] == patient for row in self.rows["stays"])
        stay = f"{patient}-{number}"
        times = {"admitted_at": admitted, "discharged_at": discharged}
        self.add(
            "stays",
            **{"patient_id": patient, "stay_id": stay, "stay_no": number, **times, **values},
        )
        return stay

    def lab(self, patient: str, analyte: str, at: str, value: float | None, **values: Any) -> int:
        """Add a result in the analyte's own unit unless told otherwise."""
        unit, loinc = ANALYTES[analyte][:2]
        given = {"loinc": loinc, "unit": unit, "unit_text": unit, "operator": "=", "value_text": str(value)}
        return self.add("labs", **{"patient_id": patient, "collected_at": at, "value": value, **given, **values})

    def assessed(self, patient: str, item: str, at: str, code: str | None, **values: Any) -> int:
        """Add an assessed item."""
        given = {"value_code": code, "value_text": code, "assessment_type": "daily"}
        return self.add("assessments", **{"patient_id": patient, "item": item, "assessed_at": at, **given, **values})

    def eligible(self, patient: str = "R1") -> World:
        """Add a patient whom every criterion keeps: ACLF, HBsAg history, infusions on 5 and 12 March 2014."""
        self.patient(patient, sex="male", birth_month="1970-06-01")
        stay = self.stay(patient, "2014-03-01 10:00", "2014-03-31 10:00", age_years_stated=43.0)
        self.add("diagnoses", patient_id=patient, stay_id=stay, code="B18.103", label="慢性乙型病毒性肝炎")
        self.lab(patient, "bilirubin_total", "2014-03-01 06:00", 400.0)
        self.lab(patient, "inr", "2014-03-01 06:00", 2.1)
        self.lab(patient, "pta", "2014-03-01 06:00", 34.0)
        self.assessed(patient, "ascites", "2014-03-01 11:00", "mild")
        self.assessed(patient, "hbsag_history", "2014-03-01 11:00", "over_6_months")
        for day in ("2014-03-05", "2014-03-12"):
            self.add("infusions", patient_id=patient, infused_on=day, batch_no="UC1", cells_infused_1e6=60.0)
        return self

    def case(self, question: str, patient: str, in_force: str, state: str = "decided") -> None:
        """Enter a case of the worklist with the choice in force."""
        self.cases.append((question, patient, in_force, state))

    def open(self) -> duckdb.DuckDBPyConnection:
        """Write core and protocol into an empty warehouse and run every model of the study in order."""
        con = duckdb.connect()
        for schema in ("core", "rules", "mapping", "quality", "intermediate", "marts"):
            con.execute(f"create schema {schema}")
        for kind, contract in KINDS.items():
            con.register("drawn", _frame(self.rows[kind], empty_frame(contract).schema).to_arrow())
            con.execute(f"create table core.{kind} as select * from drawn")
        self._rules(con)
        for table, sql in models():
            try:
                con.execute(f"create or replace table {table} as {sql}")
            except duckdb.Error as error:
                raise AssertionError(f"{table}: {error}") from error
        return con

    def _rules(self, con: duckdb.DuckDBPyConnection) -> None:
        _table(con, "rules.parameters", "parameter varchar, value double, text varchar, says varchar", [
            (name, None, v, "") if isinstance(v, str) else (name, v, None, "") for name, v in self.parameters.items()
        ])  # fmt: skip
        _table(con, "rules.analytes", "analyte varchar, says varchar, unit varchar, worst varchar",
               [(name, name, unit, worst) for name, (unit, _, worst, _) in ANALYTES.items()])  # fmt: skip
        _table(con, "rules.analyte_loinc", "analyte varchar, loinc varchar",
               [(name, loinc) for name, (_, loinc, _, _) in ANALYTES.items()])  # fmt: skip
        units = [(n, u, f) for n, (unit, _, _, more) in ANALYTES.items() for u, f in {**more, unit: 1.0}.items()]
        _table(con, "rules.analyte_units", "analyte varchar, unit varchar, factor double", units)
        _table(con, "rules.codelists", "codelist varchar, system varchar, code varchar, label varchar, match varchar",
               [(name, system, code, "", match) for name, system, code, match in CODES])  # fmt: skip
        _table(con, "rules.definitions", "definition varchar, item varchar, value double, text varchar",
               [(name, item, None, value) if isinstance(value, str) else (name, item, value, None)
                for name, cutoffs in DEFINITIONS.items() for item, value in cutoffs.items()])  # fmt: skip
        _table(con, "mapping.absent_kinds", "kind varchar, reason varchar", list(self.absent.items()))
        _table(con, "rules.baseline", "variable varchar, analyte varchar, source_table varchar, item varchar, "
               "days_before integer, days_after integer, pick varchar", BASELINE)  # fmt: skip
        owners = {row["_row_id"]: row.get("patient_id") for rows in self.rows.values() for row in rows}
        _table(con, "quality.violations",
               "table_name varchar, rule_id varchar, action varchar, _row_id bigint, patient_id varchar",
               [(*violation, owners[violation[3]]) for violation in self.violations])  # fmt: skip
        _table(con, "quality.repairs",
               "table_name varchar, rule_id varchar, _row_id bigint, column_name varchar, was varchar, became varchar, "
               "evidence varchar, confidence varchar",
               [(*repair, "two signals agree", "strong") for repair in self.repairs])  # fmt: skip
        _table(
            con, "quality.cases", "question varchar, patient_id varchar, in_force varchar, state varchar", self.cases
        )

    def build(self, table: str) -> pl.DataFrame:
        """The named table, all models having run."""
        return self.open().sql(f"from {table}").pl()


def models() -> list[tuple[str, str]]:
    """Table and query of every model of the study, parents before children."""
    found = {}
    for path in sorted([*SQL.glob("intermediate/*.sql"), *SQL.glob("marts/*.sql")]):
        study, _, name = path.stem.rpartition("__")
        if study in ("", STUDY):
            found[f"{path.parent.name}.{name}"] = path.read_text("utf-8")
    parents = {
        table: set(re.findall(r"(?:intermediate|marts)\.[a-z_]+", re.sub(r"--.*", "", sql))) & found.keys()
        for table, sql in found.items()
    }
    ordered: list[str] = []
    while len(ordered) < len(found):
        ready = [table for table in found if table not in ordered and parents[table] <= set(ordered)]
        assert ready, f"a circle among {found.keys() - set(ordered)}"
        ordered += ready
    return [(table, found[table]) for table in ordered]


def _frame(rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    unknown = {name for row in rows for name in row} - set(schema)
    assert not unknown, f"no contract promises {unknown}"
    read = [{name: _read(row.get(name), dtype) for name, dtype in schema.items()} for row in rows]
    return pl.DataFrame(read, schema=schema)


def _read(value: Any, dtype: pl.DataType) -> Any:
    if isinstance(value, str) and dtype == pl.Date:
        return date.fromisoformat(value)
    if isinstance(value, str) and isinstance(dtype, pl.Datetime):
        return datetime.fromisoformat(value)
    return value


def _table(con: duckdb.DuckDBPyConnection, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    con.execute(f"create table {name} ({columns})")
    if rows:
        con.executemany(f"insert into {name} values ({', '.join('?' * len(rows[0]))})", rows)
