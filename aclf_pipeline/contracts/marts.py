"""Contracts of the marts: candidates, cohort, eligibility, attrition and provenance, for each study.

`MARTS[study][table]` is what a study's mart promises; a criterion of the study page may name what `candidates`
promises, a covariate what `cohort` promises.

What does not belong here: windows, cut-offs and the order of criteria (the study page), and how a value is found (SQL).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from aclf_pipeline.contracts.base import Contract, Timestamp, column
from aclf_pipeline.contracts.people import SEXES
from aclf_pipeline.contracts.selection import Codebook, Combinations, ParameterChoices, ParameterMembers
from aclf_pipeline.contracts.severity import SEVERITY, Defined, Severe
from aclf_pipeline.contracts.survival import (
    END_STATES,
    EVENTS,
    FollowUp,
    HbvAclfIntervals,
    IcuCirrhosisIntervals,
    SurvivalFindings,
    TimeZeros,
)

DISPOSITIONS = ("home", "transfer", "community", "against_advice", "died", "hospice", "other", "unknown")
DEATH_SOURCES = (
    "source_system",
    "hospital_record",
    "assessment",
    "front_page",
    "disease_control",
    "follow_up",
    "household_register",
)
KNOWN_SEXES = tuple(sex for sex in SEXES if sex != "unknown")
Texts = Annotated[pl.List, pl.String()]
RowIds = Annotated[pl.List, pl.Int64()]


class Keyed(Contract):
    """Who the row is about, and from when time counts."""

    candidate_id: str = column("Key of the candidate", unique=True)
    person_id: str = column("Pseudonym of the person")
    time_zero: pl.Date = column("Day from which time counts", null=True)
    index_at: Timestamp = column("Start of the index episode")


class Measured(Contract):
    """What is known of a candidate at baseline, in the protocol's units."""

    sex: str = column("Sex", null=True, within=KNOWN_SEXES)
    age_years: float = column("Age at baseline, years", null=True)
    bilirubin_total: float = column("Total bilirubin, umol/L", null=True)
    alt: float = column("Alanine aminotransferase, U/L", null=True)
    ast: float = column("Aspartate aminotransferase, U/L", null=True)
    albumin: float = column("Albumin, g/L", null=True)
    creatinine: float = column("Creatinine, umol/L", null=True)
    urea: float = column("Urea, mmol/L", null=True)
    sodium: float = column("Sodium, mmol/L", null=True)
    potassium: float = column("Potassium, mmol/L", null=True)
    inr: float = column("International normalised ratio", null=True)
    wbc: float = column("White blood cells, 10*9/L", null=True)
    neutrophils: float = column("Neutrophils, 10*9/L", null=True)
    lymphocytes: float = column("Lymphocytes, 10*9/L", null=True)
    platelets: float = column("Platelets, 10*9/L", null=True)
    hemoglobin: float = column("Haemoglobin, g/L", null=True)
    map: float = column("Mean arterial pressure, mm[Hg]", null=True)
    spo2: float = column("Oxygen saturation, percent", null=True)
    fio2: float = column("Inspired oxygen, as a fraction", null=True)
    pao2: float = column("Arterial partial pressure of oxygen, mm[Hg]", null=True)
    dialysis: bool = column("Renal replacement in the baseline window", null=True)
    vasopressor: bool = column("Vasopressor in the baseline window", null=True)
    height_cm: float = column("Height, cm", null=True)
    weight_kg: float = column("Weight, kg", null=True)


class Ended(Contract):
    """What became of a candidate, as far as the record tells."""

    disposition: str = column("How the index episode ended; against advice is never survival", within=DISPOSITIONS)
    death_on: pl.Date = column("Day of death; null while it is known as an interval only", null=True)
    death_from: pl.Date = column("First day on which the death can have been", null=True)
    death_to: pl.Date = column("Last day on which the death can have been", null=True)
    death_source: str = column("Who dates the death", null=True, within=DEATH_SOURCES)
    death_disputed: bool = column(
        "A death is stated and does not count: one source alone against a later word of life, or by decision"
    )
    transplant_on: pl.Date = column(
        "Day of the liver transplant; null while it is known as an interval only", null=True
    )
    transplant_from: pl.Date = column("First day on which the transplant can have been", null=True)
    transplant_to: pl.Date = column("Last day on which the transplant can have been", null=True)
    transplant_inferred: bool = column("The transplant is inferred from tacrolimus or a status code")
    last_alive_on: pl.Date = column("Last day known alive", null=True)


class Scored(Contract):
    """Scores at time zero that every study asks for; null where an input is missing."""

    meld: float = column("MELD before the sodium term", null=True)
    meld_na_unos2016: float = column("MELD-Na of UNOS 2016", null=True)
    meld_3_0: float = column("MELD 3.0", null=True)
    nlr: float = column("Neutrophils over lymphocytes", null=True)
    albi: float = column("Albumin-bilirubin score", null=True)
    clif_c_of_low: float = column("CLIF-C OF with every missing organ at its lowest", null=True)
    clif_c_of_high: float = column("CLIF-C OF with every missing organ at its highest", null=True)


class Timed(Contract):
    """What happened first, and after how many days."""

    event: str = column("What happened first after time zero", null=True, within=EVENTS)
    event_on: pl.Date = column("Day of the event; the middle of the interval where the day is not known", null=True)
    event_from: pl.Date = column("First day on which the event can have been", null=True)
    event_to: pl.Date = column("Last day on which the event can have been", null=True)
    event_days: int = column("Whole days from time zero to the event", null=True)
    end_state: str = column(
        "What ended the observation; how it was censored, where it was", null=True, within=END_STATES
    )
    endpoint_problem: str = column("Why there is no time to an event", null=True)
    endpoint_warning: str = column("What contradicts the event, which stands", null=True)
    calendar_year: int = column("Year of time zero", null=True)


class HbvAclfCandidates(Ended, Defined, Measured, Keyed):
    """Every person with an HBV-related liver admission or an infusion, with what decides eligibility."""

    first_infusion_on: pl.Date = column("Day of the first infusion", null=True)
    infusions_in_course: int = column("Infusions of the first course; known only later, never a baseline variable")
    pta: float = column("Prothrombin activity, percent", null=True)
    hbsag_evidence_level: int = column("Evidence of HBsAg over 6 months: 0 none, 1 code, 2 history, 3 two results")
    hbv_dna_log10: float = column("HBV-DNA, log10 of IU/mL; for a censored result the limit", null=True)
    hbv_dna_operator: str = column(
        "Comparator of a censored HBV-DNA; null for a number", null=True, within=("<", "<=", ">", ">=")
    )
    hbeag_positive: bool = column("HBeAg positive", null=True)
    he_grade: int = column("West Haven grade, 0 to 4", null=True)
    ascites: int = column("Ascites: 0 none, 1 mild, 2 moderate or large", null=True)
    cirrhosis: bool = column("Cirrhosis", null=True)
    infection: bool = column("Infection", null=True)
    gi_bleed: bool = column("Gastrointestinal bleeding", null=True)
    hrs: bool = column("Hepatorenal syndrome", null=True)
    antiviral: str = column("Antiviral treatment before admission", null=True, within=("naive", "on", "withdrawn"))
    alss_before: bool = column("Artificial liver support before time zero", null=True)
    infusions: int = column("MSC infusions in all")
    age_years_at_index: int = column("Completed years of age on the index admission", null=True)
    aclf: bool = column("ACLF at the index admission by the definition the study chose", null=True)
    has_malignancy: bool = column("Malignancy before the first infusion")
    has_hcv: bool = column("HCV infection")
    has_hiv_or_immunodeficiency: bool = column("HIV infection or another immunodeficiency")
    has_renal_dysfunction: bool = column("Renal dysfunction before onset, or renal replacement before infusion 1")
    has_pregnancy_or_lactation: bool = column("Pregnant or lactating")
    has_thyroid_disease: bool = column("Primary thyroid disease")
    stay_hours: float = column("Length of the index episode, hours; whole days where only dates are known", null=True)
    left_without_follow_up: bool = column(
        "Left the last stay against advice, never heard of again; censored at discharge, for sensitivity analyses"
    )

    class Config:
        """One row per candidate."""

        metadata = {"grain": "one row per candidate", "key": ["candidate_id"]}


class HbvAclfCohort(Timed, Severe, Scored, HbvAclfCandidates):
    """The eligible, with scores at time zero and what happened first."""

    meld_na_kim2008: float = column("MELD-Na of Kim 2008", null=True)
    child_pugh: float = column("Child-Pugh points, 5 to 15", null=True)
    cossh_aclf_ii: float = column("COSSH-ACLF II; the coding of encephalopathy is unverified", null=True)
    aarc: float = column("AARC-ACLF points, 5 to 15; without lactate missing", null=True)

    class Config:
        """One row per eligible candidate."""

        metadata = {"grain": "one row per eligible candidate", "key": ["candidate_id"]}


class IcuCirrhosisCandidates(Ended, Defined, Measured, Keyed):
    """Every admission to hospital, with what decides eligibility. A candidate is an admission, not a person.

    The grade of encephalopathy is not assessed in these data and has no column: it is unmeasured, never none.
    """

    age_years_at_index: int = column("Completed years of age on admission", null=True)
    has_cirrhosis: bool = column("A code of cirrhosis in this admission; null without any diagnosis", null=True)
    is_first_admission: bool = column(
        "The person's first admission with a code of cirrhosis; null without any diagnosis", null=True
    )
    stay_hours: float = column("Length of the admission, hours", null=True)
    died_in_hospital: bool = column("The admission ended in death")

    class Config:
        """One row per admission."""

        metadata = {"grain": "one row per admission", "key": ["candidate_id"]}


class IcuCirrhosisCohort(Timed, Severe, Scored, IcuCirrhosisCandidates):
    """The eligible admissions, one per person, with scores of the first day and what happened first.

    Dates are shifted by an unknown number of years per person: the year of time zero means nothing here.
    """

    class Config:
        """One row per eligible admission."""

        metadata = {"grain": "one row per eligible admission", "key": ["candidate_id"]}


class Eligibility(Contract):
    """The verdict on every candidate, with every reason against."""

    candidate_id: str = column("Key of the candidate", unique=True)
    eligible: bool = column("Every criterion is met")
    exclusion_reason: str = column("First criterion, in the order of the study page, that is not met", null=True)
    exclusion_reasons: Texts = column("All criteria that are not met")
    criteria_mask: int = column("The criteria not met as bits; the first criterion is the lowest bit")

    class Config:
        """One row per candidate."""

        metadata = {"grain": "one row per candidate", "key": ["candidate_id"]}


class Attrition(Contract):
    """The flow chart: who leaves at which criterion."""

    step: int = column("Place of the criterion, from 1", unique=True)
    criterion: str = column("Criterion", unique=True)
    says: str = column("What it asks")
    entering: int = column("Candidates that reach the criterion")
    leaving: int = column("Candidates that leave at it")
    left: int = column("Candidates that stay")
    failing_alone: int = column("Candidates that fail this criterion and no other")
    failing_any: int = column("Candidates that fail this criterion, in any order")

    class Config:
        """One row per criterion."""

        metadata = {"grain": "one row per criterion", "key": ["step"]}


class Provenance(Contract):
    """Why each value of the cohort is what it is."""

    candidate_id: str = column("Key of the candidate")
    variable: str = column("Column of the cohort, or a part of it")
    value: float = column("Number, where the value is one", null=True)
    value_text: str = column("Words, where the value is words; for a result the value as submitted", null=True)
    row_ids: RowIds = column("Rows of the source the value comes from; empty where none says anything")
    rule_ids: Texts = column("Rules that flagged one of these rows")
    explanation: str = column("The reason in one line")

    class Config:
        """One row per eligible candidate and variable."""

        metadata = {"grain": "one row per eligible candidate and variable", "key": ["candidate_id", "variable"]}


_SHARED: dict[str, type[Contract]] = {
    "eligibility": Eligibility,
    "attrition": Attrition,
    "cohort_provenance": Provenance,
    "codebook": Codebook,
    "exclusion_combinations": Combinations,
    "parameter_choices": ParameterChoices,
    "parameter_members": ParameterMembers,
    "time_zeros": TimeZeros,
    "follow_up": FollowUp,
    "survival_findings": SurvivalFindings,
    **SEVERITY,
}

MARTS: dict[str, dict[str, type[Contract]]] = {
    "nct07198854": {
        "candidates": HbvAclfCandidates,
        "cohort": HbvAclfCohort,
        "intervals": HbvAclfIntervals,
        **_SHARED,
    },
    "icu_cirrhosis": {
        "candidates": IcuCirrhosisCandidates,
        "cohort": IcuCirrhosisCohort,
        "intervals": IcuCirrhosisIntervals,
        **_SHARED,
    },
}
"""What each study's marts promise, by table."""
