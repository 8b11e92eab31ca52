"""Contracts of the kinds that describe persons: patients, stays, diagnoses, followups, deaths.

What does not belong here: measurements and treatments (their own modules), and any number.
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.contracts.base import Contract, Timestamp, column, row_key

SEXES = ("female", "male", "unknown")
PRECISIONS = ("minute", "hour", "day", "month", "year")


class Patients(Contract):
    """The person as one delivery of one front page states it; the same person may be stated several times.

    A record number is meant to persist but a re-registration gives a person a second one, so `patient_id` is the
    pseudonym of a record number, not of a person. `person_id` becomes another record number where the gate links two.
    """

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    person_id: str = column("The record number that stands for the person; as delivered the own one")
    stay_id: str = column("The stay whose front page states this", null=True)
    national_id: str = column("Pseudonym of the national identity number", null=True)
    national_id_valid: bool = column("The check character of the identity number is right", null=True)
    national_id_birth_month: pl.Date = column("First day of the birth month encoded in the identity number", null=True)
    national_id_sex: str = column("Sex encoded in the identity number", null=True, within=SEXES)
    name_id: str = column("Pseudonym of the name", null=True)
    sex: str = column("Sex as stated", within=SEXES)
    birth_month: pl.Date = column("First day of the stated birth month; the day is not kept", null=True)
    birth_problem: str = column(
        "Why the stated birth date cannot be, and is left out: no day since 1900, or after the admission",
        null=True,
        within=("no_such_day", "after_admission"),
    )
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per front page."""

        metadata = {
            "grain": "one row per delivered front page",
            "key": ["_row_id"],
            "identity": ["patient_id", "stay_id"],
        }


class Stays(Contract):
    """One inpatient stay as its front page states it. Non-medical discharge is not survival."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("Pseudonymous key of the stay: patient and ordinal, or the source's own stay key")
    stay_no: int = column("Ordinal of the stay under this record number", null=True)
    episode_stay_id: str = column("The stay that opens the episode, where the gate joined several stays", null=True)
    admitted_at: Timestamp = column("Start of the stay", null=True)
    admitted_precision: str = column("How exactly the start is known", null=True, within=PRECISIONS)
    discharged_at: Timestamp = column("End of the stay; at day precision the start of the day", null=True)
    discharged_precision: str = column("How exactly the end is known", null=True, within=PRECISIONS)
    age_years_stated: float = column("Age in completed years on admission, as stated", null=True)
    route: str = column(
        "Route of admission", null=True, within=("emergency", "outpatient", "transfer", "elective", "other")
    )
    ward_in: str = column("Admitting ward, as the source names it", null=True)
    ward_out: str = column("Discharging ward, as the source names it", null=True)
    disposition: str = column(
        "How the stay ended; `against_advice` is informative and never survival",
        within=("home", "transfer", "community", "against_advice", "died", "hospice", "other", "unknown"),
    )
    outcome_stated: str = column(
        "Outcome on forms that state one instead of a disposition",
        null=True,
        within=("cured", "improved", "not_cured", "died", "other"),
    )
    days_stated: float = column("Days in hospital, as stated", null=True)
    payer: str = column("Payer, as the source codes it", null=True)
    blood_group: str = column("Blood group on the front page", null=True, within=("A", "B", "O", "AB"))
    form: str = column("Version of the source's form", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per front page."""

        metadata = {
            "grain": "one row per stay and delivery",
            "key": ["_row_id"],
            "identity": ["patient_id", "stay_id"],
        }


class Diagnoses(Contract):
    """A coded diagnosis of a stay, unpivoted from the wide front page.

    No code of ICD-10 means acute-on-chronic liver failure; the label carries it. K72.905 is hepatic insufficiency,
    not failure.
    """

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    stay_id: str = column("The stay", null=True)
    position: int = column("0 outpatient, 1 principal, then as listed")
    role: str = column("Place on the form", within=("outpatient", "principal", "other"))
    code_text: str = column("Code as submitted", null=True)
    code: str = column("ICD-10 code: upper case, no blanks, first part of a dagger-asterisk pair", null=True)
    code_second: str = column("Second part of a dagger-asterisk pair", null=True)
    code_system: str = column(
        "Code system and version", within=("ICD-10-GB2001", "ICD-10-GB2016", "ICD-10-CM", "ICD-9-CM")
    )
    label: str = column("Diagnosis text, identifiers redacted", null=True)
    present_on_admission: str = column(
        "Whether the condition was there on admission", null=True, within=("yes", "undetermined", "unknown", "no")
    )
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per listed diagnosis."""

        metadata = {
            "grain": "one row per listed diagnosis of a stay",
            "key": ["_row_id"],
            "identity": ["patient_id", "stay_id", "position"],
        }


class Followups(Contract):
    """One follow-up call or visit: what was said, when, and the day the statement is true for."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number")
    padded_patient_id: str = column("Pseudonym of the number with the leading zeros it may have lost", null=True)
    name_id: str = column("Pseudonym of the name", null=True)
    called_on: pl.Date = column("Day of the call", null=True)
    mode: str = column("How", null=True, within=("telephone", "clinic", "inpatient", "registry"))
    informant: str = column(
        "Who answered", null=True, within=("patient", "spouse", "child", "parent", "other_relative", "nobody")
    )
    reached: str = column(
        "Whether anybody was reached", null=True, within=("yes", "no", "empty_number", "out_of_service", "refused")
    )
    vital_status: str = column(
        "Status as stated", within=("alive", "dead", "lost", "alive_after_transplant", "unknown")
    )
    informed_on: pl.Date = column("Day the statement is true for", null=True)
    died_from: pl.Date = column("First day on which the stated death can have been", null=True)
    died_to: pl.Date = column("Last day on which the stated death can have been", null=True)
    died_precision: str = column("Precision of the stated death", null=True, within=("day", "month", "year"))
    cause: str = column("Cause of death, identifiers redacted", null=True)
    transplant: str = column("Liver transplant as stated", null=True, within=("yes", "no", "unknown"))
    transplanted_on: pl.Date = column("First day on which the stated transplant can have been", null=True)
    transplanted_to: pl.Date = column("Last day on which the stated transplant can have been", null=True)
    note: str = column("Remark, identifiers redacted", null=True)
    died_in_note: bool = column("The remark tells of the patient's death", null=True)
    receipt: str = column("How dates were read when not plainly: month_only, year_only, comma-joined", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per call."""

        metadata = {
            "grain": "one row per follow-up call and snapshot",
            "key": ["_row_id"],
            "identity": ["patient_id", "called_on", "mode"],
        }


class Deaths(Contract):
    """One notice of death. A household-register date may be later than the death itself."""

    row_id: int = row_key()
    patient_id: str = column("Pseudonym of the record number", null=True)
    national_id: str = column("Pseudonym of the national identity number", null=True)
    national_id_valid: bool = column("The check character of the identity number is right", null=True)
    name_id: str = column("Pseudonym of the name", null=True)
    notice_id: str = column("The source's number of the notice", null=True)
    died_from: pl.Date = column("First day on which the death can have been", null=True)
    died_to: pl.Date = column("Last day on which the death can have been", null=True)
    died_precision: str = column("Precision of the date", null=True, within=("day", "month", "year"))
    place: str = column("Where", null=True, within=("in_hospital", "outside"))
    cause_code: str = column("Underlying cause, ICD-10", null=True)
    cause: str = column("Cause of death, identifiers redacted", null=True)
    information_source: str = column(
        "Who says so",
        within=("hospital_record", "disease_control", "household_register", "source_system"),
    )
    registered_on: pl.Date = column("Day of registration", null=True)
    unparsed: str = column("Source columns whose text could not be read, comma-joined", null=True)

    class Config:
        """One row per notice."""

        metadata = {"grain": "one row per death notice", "key": ["_row_id"], "identity": ["notice_id"]}
