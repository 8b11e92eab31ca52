"""Contracts of what survival analyses read: time zeros, completeness of follow-up, the counting process.

What does not belong here: which time zeros and horizons there are (the study page) and how they are made (science).
"""

from __future__ import annotations

import polars as pl

from aclf_pipeline.contracts.base import Contract, column

EVENTS = ("death", "transplant", "censored")
PASSING = ("none", *EVENTS)
END_STATES = ("death", "transplant", "against_advice", "lost_to_follow_up", "end_of_data", "completed")


class TimeZeros(Contract):
    """Every day from which time could count, for everybody who belongs to it; observed on (entry_days, exit_days]."""

    candidate_id: str = column("Key of the candidate")
    time_zero: str = column("Name of the time zero on the study page")
    zero_on: pl.Date = column("Day from which time counts", null=True)
    in_cohort: bool = column("The candidate is a member of the cohort; else a criterion is waived for this time zero")
    entry_days: int = column("Days from the time zero to the start of observation; 0 without delayed entry", null=True)
    exit_days: int = column("Days from the time zero to the end of observation, whatever the horizon", null=True)
    event: str = column("What ended the observation", null=True, within=EVENTS)
    event_on: pl.Date = column("Day on which it ended", null=True)
    end_state: str = column("What ended it; how it was censored, where it was", null=True, within=END_STATES)
    infusions_by_entry: int = column(
        "Infusions given by the day of entry, known when observation starts; null in a study without infusions",
        null=True,
    )
    problem: str = column("Why there is no time from this time zero; the end is null then", null=True)

    class Config:
        """One row per time zero and candidate of its population."""

        metadata = {
            "grain": "one row per time zero and candidate of its population",
            "key": ["time_zero", "candidate_id"],
        }


class FollowUp(Contract):
    """How complete the observation is, up to each horizon, from each time zero."""

    time_zero: str = column("Name of the time zero on the study page")
    horizon_days: int = column("Days from the time zero")
    n: int = column("Candidates with a time from this time zero")
    without_time: int = column("Candidates of its population without one, set aside")
    deaths: int = column("Deaths up to the horizon")
    transplants: int = column("Transplants before death, up to the horizon")
    followed: int = column("Observed to the horizon without an event")
    against_advice: int = column("Left against advice before the horizon, never heard of again")
    lost_to_follow_up: int = column("Last sign of life before the horizon")
    end_of_data: int = column("The data end before the horizon")
    observed_days: int = column("Person-days observed up to the horizon, from entry")
    potential_days: int = column(
        "Person-days that could have been observed: to the event, the horizon or the end of the data"
    )
    completeness: float = column("Clark's C: observed over potential person-days", null=True)
    median_days: float = column("Median follow-up from entry by reverse Kaplan-Meier, days", null=True)
    median_lower: float = column("Its lower limit, 95 %", null=True)
    median_upper: float = column("Its upper limit, 95 %", null=True)

    class Config:
        """One row per time zero and horizon."""

        metadata = {"grain": "one row per time zero and horizon", "key": ["time_zero", "horizon_days"]}


class Intervals(Contract):
    """The counting process of the cohort from its time zero: observed on (start_days, stop_days].

    What is known by the end of day start_days counts for the interval. A result stays until the next one; before the
    first it is missing. The days of all intervals of a member are those of the cohort, and the event is on the last.
    """

    candidate_id: str = column("Key of the candidate")
    interval_no: int = column("Place of the interval, from 1")
    start_days: int = column("Days from time zero after which the interval begins")
    stop_days: int = column(
        "Day with which it ends; that of its start only for a member whose whole observation is one day"
    )
    event: str = column("What happened on the last day: none, unless it is the member's last interval", within=PASSING)


class Followed(Contract):
    """Results that vary in time, each with its age in days at the start of the interval."""

    bilirubin_total: float = column("Total bilirubin, umol/L", null=True)
    bilirubin_total_age_days: int = column("Days since total bilirubin was taken", null=True)
    inr: float = column("International normalised ratio", null=True)
    inr_age_days: int = column("Days since the INR was taken", null=True)
    creatinine: float = column("Creatinine, umol/L", null=True)
    creatinine_age_days: int = column("Days since creatinine was taken", null=True)
    albumin: float = column("Albumin, g/L", null=True)
    albumin_age_days: int = column("Days since albumin was taken", null=True)
    sodium: float = column("Sodium, mmol/L", null=True)
    sodium_age_days: int = column("Days since sodium was taken", null=True)
    wbc: float = column("White blood cells, 10*9/L", null=True)
    wbc_age_days: int = column("Days since white blood cells were taken", null=True)
    platelets: float = column("Platelets, 10*9/L", null=True)
    platelets_age_days: int = column("Days since platelets were taken", null=True)


class HbvAclfIntervals(Followed, Intervals):
    """The counting process with the infusions so far and the results that vary in time."""

    infusions_so_far: int = column("Infusions given by the end of day start_days")

    class Config:
        """One row per member with a time and interval."""

        metadata = {"grain": "one row per member with a time and interval", "key": ["candidate_id", "interval_no"]}


class IcuCirrhosisIntervals(Followed, Intervals):
    """The counting process with the results that vary in time."""

    class Config:
        """One row per member with a time and interval."""

        metadata = {"grain": "one row per member with a time and interval", "key": ["candidate_id", "interval_no"]}


class SurvivalFindings(Contract):
    """What contradicts the time or the event of a member, by rule. The member stays; what blocks stops the refresh."""

    rule: str = column("The rule of survival data")
    blocking: bool = column("A finding stops the refresh")
    candidate_id: str = column("Key of the candidate")
    says: str = column("What was found")

    class Config:
        """One row per rule, member and finding."""

        metadata = {"grain": "one row per rule, member and finding", "key": ["rule", "candidate_id", "says"]}
