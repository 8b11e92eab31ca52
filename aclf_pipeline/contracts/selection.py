"""Contracts of what selection did: combinations of unmet criteria, and what other choices of the study would change.

What does not belong here: criteria and choices themselves (the study page).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl

from aclf_pipeline.contracts.base import Contract, column

Texts = Annotated[pl.List, pl.String()]
CHANGES = ("enters", "leaves", "retimed")


class Combinations(Contract):
    """Who fails exactly which criteria, whatever their order: the counts of an UpSet plot."""

    criteria_mask: int = column("The criteria not met as bits; the first criterion is the lowest bit", unique=True)
    criteria: Texts = column("The criteria not met; none for the eligible")
    failing: int = column("How many criteria are not met")
    candidates: int = column("Candidates that fail these criteria and no other")
    share: float = column("Of all candidates")

    class Config:
        """One row per combination that occurs."""

        metadata = {"grain": "one row per combination of unmet criteria that occurs", "key": ["criteria_mask"]}


class ParameterChoices(Contract):
    """What another value of a parameter of the study would change, found by making the cohort again with it."""

    parameter: str = column("Parameter of the study page")
    value: str = column("The other value")
    chosen: str = column("The value in force")
    members: int = column("Members of the cohort with the other value")
    entering: int = column("Candidates that would enter")
    leaving: int = column("Members that would leave")
    retimed: int = column("Members that would stay with another time zero, event or time")
    deaths: int = column("Deaths up to the primary horizon as things are")
    deaths_then: int = column("Deaths up to the primary horizon with the other value")
    deaths_entering: int = column("Deaths among those entering")
    deaths_leaving: int = column("Deaths among those leaving")
    transplants: int = column("Transplants up to the primary horizon as things are")
    transplants_then: int = column("Transplants up to the primary horizon with the other value")
    remark: str = column("What keeps the other value from being an answer", null=True)

    class Config:
        """One row per parameter and other value."""

        metadata = {"grain": "one row per parameter and other value", "key": ["parameter", "value"]}


class ParameterMembers(Contract):
    """Who would enter, leave or be timed otherwise with another value of a parameter."""

    parameter: str = column("Parameter of the study page")
    value: str = column("The other value")
    candidate_id: str = column("Key of the candidate")
    change: str = column("What would become of the candidate", within=CHANGES)
    reason: str = column(
        "First criterion not met: as things are for one who enters, with the other value for one who leaves", null=True
    )
    event: str = column("Event as things are", null=True)
    event_days: int = column("Days to it", null=True)
    event_then: str = column("Event with the other value", null=True)
    event_days_then: int = column("Days to it", null=True)

    class Config:
        """One row per parameter, other value and candidate it changes."""

        metadata = {
            "grain": "one row per parameter, other value and candidate it changes",
            "key": ["parameter", "value", "candidate_id"],
        }


class Codebook(Contract):
    """What every column of the cohort is, where it comes from, how often it is missing, what is valid, and why."""

    place: int = column("Place of the column, from 1", unique=True)
    variable: str = column("Column of the cohort", unique=True)
    definition: str = column("What it is")
    type: str = column("Kind of value")
    unit: str = column("Unit (UCUM)", null=True)
    source: str = column("Where the value comes from")
    window: str = column("Days around time zero, and which value of them", null=True)
    n: int = column("Members of the cohort")
    missing: int = column("Members without a value")
    missing_share: float = column("Share of the members without a value", null=True)
    valid: str = column("Vocabulary, grades or limits of what is a value", null=True)
    because: str = column("The reason the protocol gives")

    class Config:
        """One row per column of the cohort."""

        metadata = {"grain": "one row per column of the cohort", "key": ["variable"]}
