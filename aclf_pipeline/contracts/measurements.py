"""Contracts of the kinds that measure: labs, vitals, assessments, imaging.

What does not belong here: ranges (protocol/analytes.yaml) and unit factors (the same page).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.contracts.base import Contract, Timestamp, column, row_key
from aclf_pipeline.contracts.people import PRECISIONS, SEXES

STATUSES = ("final", "corrected", "withdrawn")
OPERATORS = ("=", "<", "<=", ">", ">=")
ASSESSMENT_ITEMS = (
    "he_grade",
    "ascites",
    "infection",
    "infection_site",
    "gi_bleed",
    "hrs",
    "cirrhosis",
    "hbsag_history",
    "antiviral_history",
    "onset",
    "aclf_diagnosis",
    "comorbidity",
    "note",
    "gcs_total",
    "rass",
)
VITAL_ITEMS = (
    "temperature",
    "heart_rate",
    "respiratory_rate",
    "sbp",
    "dbp",
    "map",
    "spo2",
    "fio2",
    "consciousness",
    "urine_output_24h",
    "height",
    "weight",
)


class Labs(Contract):
    """One reported laboratory item, in the codes and units of the source's door: LOINC and UCUM.

    `value` and `operator` keep a censored result apart from its limit, as OMOP does; nothing is substituted for a
    value below the limit of detection. The printed reference range is the row's own and is never replaced.
    """

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay; null for an outpatient result", null=True)
    request_id: str = column("Request number", null=True)
    specimen_id: str = column("Number of the tube; all items of a tube share it", null=True)
    specimen: str = column(
        "Material",
        within=("serum", "plasma", "whole_blood", "arterial_blood", "urine", "ascites", "unknown"),
    )
    collected_at: Timestamp = column("When the specimen was taken", null=True)
    received_at: Timestamp = column("When the laboratory received it", null=True)
    reported_at: Timestamp = column("When the result was reported", null=True)
    report_status: str = column("Status of the report", within=STATUSES)
    source_code: str = column("Item code of the source", null=True)
    source_name: str = column("Item name of the source, repaired when its encoding was", null=True)
    loinc: str = column("LOINC code of (code, name, unit); null when the pair is not mapped", null=True)
    value_text: str = column("Result as submitted", null=True)
    operator: str = column("Comparator of the number", null=True, within=OPERATORS)
    value: float = column("Number of the result, in `unit`; for a censored result the limit", null=True)
    text_result: str = column(
        "Coded textual result",
        null=True,
        within=(
            "positive",
            "negative",
            "weakly_positive",
            "indeterminate",
            "pending",
            "not_detected",
            "blood_group",
            "specimen_problem",
            "see_report",
            "other_text",
        ),
    )
    unit_text: str = column("Unit as submitted", null=True)
    unit: str = column("Unit in UCUM; null when the spelling is not mapped or none was given", null=True)
    ref_text: str = column("Printed reference range", null=True)
    flag_text: str = column("Abnormality flag as submitted", null=True)
    instrument: str = column("Analyser, which carries the assay", null=True)
    assay_era: str = column("Which assay of an item that changed its assay; null where no change is known", null=True)
    comment: str = column("Remark, identifiers redacted", null=True)
    sex_stated: str = column("Sex as the laboratory states it", null=True, within=SEXES)
    age_years_stated: float = column("Age as the laboratory states it", null=True)
    receipt: str = column("How the text was read when not plainly: repairs applied, comma-joined", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per item and report."""

        metadata = {
            "grain": "one row per laboratory item and report",
            "key": ["_row_id"],
            "identity": ["specimen_id", "source_code", "source_name"],
            "version": "reported_at",
            "withdrawn": "report_status = 'withdrawn'",
        }


class Vitals(Contract):
    """One measured sign, unpivoted where the source is wide."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay", null=True)
    measured_at: Timestamp = column("When", null=True)
    item: str = column("What was measured", within=VITAL_ITEMS)
    value_text: str = column("Value as submitted", null=True)
    value: float = column("Number in `unit`", null=True)
    unit: str = column("Unit in UCUM", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per sign and time."""

        metadata = {
            "grain": "one row per sign, patient and time",
            "key": ["_row_id"],
            "identity": ["patient_id", "stay_id", "measured_at", "item"],
        }


class Assessments(Contract):
    """One item of a structured progress assessment. Blank means not assessed, never none."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay", null=True)
    assessment_id: str = column("Number of the assessment", null=True)
    assessed_at: Timestamp = column("When", null=True)
    assessment_type: str = column(
        "Occasion", null=True, within=("admission", "daily", "rescue", "discharge", "death", "other")
    )
    item: str = column("What was assessed", within=ASSESSMENT_ITEMS)
    value_text: str = column("As submitted, identifiers redacted", null=True)
    value_code: str = column("Coded answer, e.g. none, mild, moderate, severe, suspected, yes", null=True)
    value: float = column("Numeric answer, e.g. the grade of encephalopathy 0 to 4", null=True)
    is_range: bool = column("The text gave a range and its upper bound was taken", null=True)
    from_on: pl.Date = column("First day of a dated answer", null=True)
    to_on: pl.Date = column("Last day of a dated answer", null=True)
    precision: str = column("Precision of a dated answer", null=True, within=PRECISIONS)
    receipt: str = column("How a date was read when not plainly: month_only or year_only", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per assessed item."""

        metadata = {
            "grain": "one row per assessed item (one per listed value for lists)",
            "key": ["_row_id"],
            "identity": ["assessment_id", "item", "value_code"],
        }


class Imaging(Contract):
    """One imaging report with the few findings a study needs; negation and doubt are honoured."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay; null for an outpatient", null=True)
    exam_id: str = column("Number of the examination", null=True)
    exam_type: str = column("Modality", within=("ultrasound", "ct", "mr", "x_ray", "gastroscopy", "other"))
    body_part: str = column("Region, as submitted", null=True)
    examined_at: Timestamp = column("When", null=True)
    reported_at: Timestamp = column("When reported", null=True)
    report_status: str = column("Status of the report", within=STATUSES)
    conclusion: str = column("Conclusion, identifiers redacted", null=True)
    liver_cancer: str = column("Primary liver cancer in the conclusion", null=True, within=("yes", "doubtful", "no"))
    cirrhosis: str = column("Cirrhosis in the conclusion", null=True, within=("yes", "doubtful", "no"))
    ascites: str = column("Ascites in the conclusion", null=True, within=("yes", "doubtful", "no"))
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per report."""

        metadata = {
            "grain": "one row per imaging report",
            "key": ["_row_id"],
            "identity": ["exam_id"],
            "version": "reported_at",
            "withdrawn": "report_status = 'withdrawn'",
        }
