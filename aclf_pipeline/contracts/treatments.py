"""Contracts of the kinds that treat: medications, infusions, procedures.

What does not belong here: dose limits (protocol) and which drug means what for a study (codelists).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.contracts.base import Contract, Timestamp, column, row_key
from aclf_pipeline.contracts.people import SEXES


class Medications(Contract):
    """One order or administration. A cancelled order never counts; ordered is not executed."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay", null=True)
    order_id: str = column("Number of the order", null=True)
    order_class: str = column(
        "Class of the order", null=True, within=("drug", "blood_product", "treatment", "surgery", "other")
    )
    is_standing: bool = column("A standing order, not a single one", null=True)
    drug_text: str = column("Name as submitted", null=True)
    drug: str = column("Name in the drug codelist; null when not listed", null=True)
    drug_class: str = column("Class in the drug codelist", null=True)
    dose: float = column("Single dose in `dose_unit`", null=True)
    dose_unit: str = column("Unit of the dose, as submitted", null=True)
    frequency: str = column("Frequency, as submitted", null=True)
    route: str = column("Route, as submitted", null=True)
    ordered_at: Timestamp = column("When ordered", null=True)
    started_at: Timestamp = column("When started", null=True)
    stopped_at: Timestamp = column("When stopped", null=True)
    executed_at: Timestamp = column("When executed", null=True)
    status: str = column("State of the order", within=("executed", "stopped", "new", "cancelled"))
    note: str = column("Remark, identifiers redacted", null=True)
    receipt: str = column("How the name was read when not plainly: mojibake", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per order."""

        metadata = {
            "grain": "one row per order or administration",
            "key": ["_row_id"],
            "identity": ["order_id"],
            "withdrawn": "status = 'cancelled'",
        }


class Infusions(Contract):
    """One cell infusion in the cell laboratory's ledger: the source of date and dose."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    padded_patient_id: str = column("Pseudonym of the number with the leading zeros it may have lost", null=True)
    name_id: str = column("Pseudonym of the name", null=True)
    sex_stated: str = column("Sex as the ledger states it", null=True, within=SEXES)
    age_years_stated: float = column("Age as the ledger states it", null=True)
    diagnosis_text: str = column("Diagnosis as the ledger states it", null=True)
    weight_kg: float = column("Body weight as the ledger states it, kg", null=True)
    infused_on: pl.Date = column("Day of the infusion", null=True)
    infusion_no: int = column("Ordinal of the infusion", null=True)
    cell_source: str = column("Origin of the cells", null=True, within=("bone_marrow", "umbilical_cord"))
    batch_no: str = column("Production batch", null=True)
    passage: str = column("Passage", null=True)
    cells_counted_1e6: float = column("Cells counted, million", null=True)
    viability_pct: float = column("Viability, percent", null=True)
    cells_infused_1e6: float = column("Viable cells infused, million", null=True)
    route: str = column("Route", null=True, within=("peripheral_vein", "hepatic_artery", "other"))
    adverse_reaction: str = column("Reaction", null=True, within=("none", "fever", "chills", "rash", "other"))
    note: str = column("Remark, identifiers redacted", null=True)
    receipt: str = column("How the line was read when not plainly: repairs applied, comma-joined", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per infusion."""

        metadata = {
            "grain": "one row per ledger line and snapshot",
            "key": ["_row_id"],
            "identity": ["patient_id", "infused_on", "batch_no"],
        }


class Procedures(Contract):
    """One procedure: artificial liver, dialysis, puncture, endoscopy, ventilation, transplant."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay", null=True)
    procedure_id: str = column("Number of the procedure", null=True)
    category: str = column(
        "What it was",
        within=(
            "artificial_liver",
            "renal_replacement",
            "paracentesis",
            "endoscopic_haemostasis",
            "ventilation",
            "liver_transplant",
            "other",
        ),
    )
    method_text: str = column("Method as submitted", null=True)
    code: str = column("Procedure code, where coded", null=True)
    code_system: str = column("Code system", null=True, within=("ICD-9-CM-3", "ICD-10-PCS", "CPT", "HCPCS"))
    started_at: Timestamp = column("Start", null=True)
    ended_at: Timestamp = column("End", null=True)
    plasma_ml: float = column("Plasma exchanged, mL", null=True)
    is_plasma_exchange: bool = column("The method exchanges plasma", null=True)
    complication: str = column("Complication, identifiers redacted", null=True)
    note: str = column("Remark, identifiers redacted", null=True)
    origin: str = column("Where in the source it stands", within=("procedure_log", "front_page", "device_record"))
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per procedure."""

        metadata = {
            "grain": "one row per procedure and place where it is recorded",
            "key": ["_row_id"],
            "identity": ["procedure_id"],
        }
