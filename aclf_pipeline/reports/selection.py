"""Sections of the study page on selection and time: overlaps of criteria, other choices, time zeros, findings.

What does not belong here: counting (science, quality) and the layout of a section (the template).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from aclf_pipeline.protocol import Study
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.page import Section

_FROM_TO = "{}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{}"
COMBINATIONS = 15
"""So many combinations of criteria are shown, the commonest first; the table in the warehouse has them all."""


def sections(study: Study, frames: Mapping[str, pl.DataFrame]) -> tuple[Section, ...]:
    """The sections for which there is a frame: `exclusion_combinations`, `parameter_choices`, `follow_up`,
    `survival_findings`, as the contracts of the marts promise them.
    """
    made = {
        "exclusion_combinations": _overlap,
        "parameter_choices": lambda frame: _choices(study, frame),
        "follow_up": lambda frame: _follow_up(study, frame),
        "survival_findings": _findings,
    }
    return tuple(make(frames[name]) for name, make in made.items() if name in frames)


def _overlap(frame: pl.DataFrame) -> Section:
    shown = frame.sort("candidates", "criteria_mask", descending=[True, False]).head(COMBINATIONS)
    rest = frame.height - shown.height
    return Section(
        "overlap",
        "Which criteria are not met together",
        "Whatever the order of the criteria: each candidate is counted once, by exactly the criteria not met."
        + (f" {tables.count(rest)} rarer combinations are in marts.exclusion_combinations." if rest else ""),
        shown.select(
            criteria_not_met=pl.when(pl.col("failing") == 0)
            .then(pl.lit("none: eligible"))
            .otherwise(pl.col("criteria").list.join(", ")),
            candidates="candidates",
            share=pl.col("share").map_elements(tables.percent, return_dtype=pl.String),
        ),
    )


def _choices(study: Study, frame: pl.DataFrame) -> Section:
    primary = study.endpoints[study.primary_endpoint]
    until = "ever" if primary.horizon_days is None else f"within {primary.horizon_days} days"
    return Section(
        "other-choices",
        "What another choice would change",
        "Each value tried alone, by making the cohort again with it. Who would enter or leave is in"
        f" marts.parameter_members. Deaths, of all and in brackets of those, are counted {until}, the primary horizon.",
        frame.select(
            choice="parameter",
            instead_of="chosen",
            value="value",
            members="members",
            entering=_of_whom("entering"),
            leaving=_of_whom("leaving"),
            timed_otherwise="retimed",
            deaths=pl.format(_FROM_TO, "deaths", "deaths_then"),
            transplants=pl.format(_FROM_TO, "transplants", "transplants_then"),
            remark=pl.col("remark").fill_null("–"),
        ),
    )


def _of_whom(what: str) -> pl.Expr:
    """How many enter or leave, and in brackets how many of them died."""
    dead = pl.format("{}\N{NO-BREAK SPACE}({})", what, f"deaths_{what}")
    return pl.when(pl.col(what) > 0).then(dead).otherwise(pl.lit("0"))


def _follow_up(study: Study, frame: pl.DataFrame) -> Section:
    named = "; ".join(f"{tables.words(name)}: {zero.says.lower()}" for name, zero in study.time_zeros.items())
    return Section(
        "follow-up",
        "Time zeros and completeness of follow-up",
        "Completeness is Clark's C, observed over possible person-time (Clark 2002, Lancet 359:1309). The median"
        " follow-up is by reverse Kaplan-Meier, from entry. Leaving against advice is a state of its own, not survival."
        " Where observation starts on a later day than time, patients enter late, since who died before cannot be seen."
        f" {named}.",
        frame.select(
            time_zero=pl.col("time_zero").map_elements(_unbroken, return_dtype=pl.String),
            days="horizon_days",
            candidates="n",
            no_time="without_time",
            deaths="deaths",
            transplants="transplants",
            followed="followed",
            against_advice="against_advice",
            lost="lost_to_follow_up",
            data_end="end_of_data",
            completeness=pl.col("completeness").map_elements(tables.percent, return_dtype=pl.String),
            median="median_days",
        ),
    )


def _unbroken(name: str) -> str:
    """The name of a time zero as words that stay on one line."""
    return tables.words(name).replace(" ", "\N{NO-BREAK SPACE}")


def _findings(frame: pl.DataFrame) -> Section:
    counted = frame.group_by("rule", "says", maintain_order=True).agg(candidates=pl.col("candidate_id").n_unique())
    return Section(
        "time-findings",
        "What contradicts a time or an event",
        "Findings of the rules of survival data; the members stay. Who they are is in marts.survival_findings."
        if frame.height
        else "No rule of survival data found anything.",
        counted,
    )
