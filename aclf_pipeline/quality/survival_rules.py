"""Rules of survival data: what a cohort's times and events must be before anything is estimated from them.

A rule that blocks states what this pipeline guarantees: a finding is a fault of ours and nothing is published. A rule
that flags states what the record should show: the member stays, as the endpoints say, and the finding is told. Findings
name candidates by their pseudonyms.

What does not belong here: rules about rows (rules.yaml) and shapes of tables (contracts).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from aclf_pipeline.contracts import empty_frame
from aclf_pipeline.contracts.survival import SurvivalFindings
from aclf_pipeline.protocol import Study
from aclf_pipeline.science.endpoints import one_day
from aclf_pipeline.science.intervals import person_time_problems

KEY = "candidate_id"


@dataclass(frozen=True)
class SurvivalRule:
    """One rule: what it says, whether a finding stops the refresh, and why."""

    id: str
    says: str
    blocking: bool
    because: str


RULES = (
    SurvivalRule("time_not_negative", "No time is negative, and each is the days from time zero to the event", True,
                 "A negative time has no place in a risk set; it is reported and left out, never clipped"),
    SurvivalRule("time_not_zero", "Every member is observed for at least a day", False,
                 "A member without a time, or with one of no length, adds no person-time: dates contradict each other,"
                 " or the event fell on the day of time zero"),
    SurvivalRule("baseline_by_time_zero", "No baseline value was measured after its window", True,
                 "A value from after time zero tells of the outcome (Suissa 2008, Am J Epidemiol 167:492)"),
    SurvivalRule("no_infusion_after_event", "No infusion follows the event", False,
                 "Nobody is treated after death; after a transplant the question is another"),
    SurvivalRule("transplant_after_entry", "No transplant lies before time zero", False,
                 "Who was transplanted before entering is not at risk of what is counted"),
    SurvivalRule("deaths_off_calling_days", "Deaths told by telephone do not heap on the days of calls", False,
                 "The day of the call written for the day of death moves deaths to when somebody telephoned"),
    SurvivalRule("nothing_after_cut_off", "No event and no censoring lies after the last day of the data", True,
                 "Nothing after it is known for everybody"),
    SurvivalRule("person_time", "The intervals are the cohort's observation: no gap, no overlap, the event last", True,
                 "Models of the counting process and of the cohort must rest on the same days"),
    SurvivalRule("primary_time_zero", "The primary time zero is the cohort's own", True,
                 "Sensitivity analyses are read beside the primary one"),
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What is held against the rules; frames as science and the marts have them.

    infusions: person_id, infused_on, or None. calls: person_id, called_on. measured: candidate_id, variable,
    observed_at.
    """

    study: Study
    as_of: date
    cohort: pl.DataFrame
    zeros: pl.DataFrame
    intervals: pl.DataFrame
    infusions: pl.DataFrame | None
    calls: pl.DataFrame
    measured: pl.DataFrame


def findings(judged: Judged) -> pl.DataFrame:
    """Every finding of every rule, as `SurvivalFindings` promises: rule, blocking, candidate_id, says."""
    found = {
        "time_not_negative": _negative(judged.cohort),
        "time_not_zero": _zero(judged.cohort),
        "baseline_by_time_zero": _late_baseline(judged),
        "no_infusion_after_event": _infused_after(judged),
        "transplant_after_entry": _transplanted_before(judged.cohort),
        "deaths_off_calling_days": _heaped(judged),
        "nothing_after_cut_off": _after(judged.cohort, judged.as_of),
        "person_time": person_time_problems(judged.intervals, judged.cohort),
        "primary_time_zero": _other_zero(judged),
    }
    parts = [
        found[rule.id].select(pl.lit(rule.id).alias("rule"), pl.lit(rule.blocking).alias("blocking"), KEY, "says")
        for rule in RULES
    ]
    return pl.concat([empty_frame(SurvivalFindings), *parts]).unique(maintain_order=True)


def _text(*parts: str | pl.Expr) -> pl.Expr:
    """Words and columns as one sentence."""
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part.cast(pl.String) for part in parts])


def _negative(cohort: pl.DataFrame) -> pl.DataFrame:
    days = (pl.col("event_on") - pl.col("time_zero").cast(pl.Date)).dt.total_days()
    wrong = (pl.col("event_days") < 0) | pl.col("event_days").ne_missing(days)
    return cohort.filter(wrong).select(
        KEY, says=_text("the time is not the days to the event: ", pl.col("event_days").fill_null(0))
    )


def _zero(cohort: pl.DataFrame) -> pl.DataFrame:
    without = cohort.filter(pl.col("endpoint_problem").is_not_null())
    short = cohort.filter(pl.col("event_days") == 0)
    return pl.concat(
        [
            without.select(KEY, says=_text("no time: ", pl.col("endpoint_problem"))),
            short.select(KEY, says=_text(pl.col("event"), " on the day of time zero: no person-time")),
        ]
    )


def _late_baseline(judged: Judged) -> pl.DataFrame:
    after = {name: baseline.days_after for name, baseline in judged.study.baseline.items()}
    windows = pl.DataFrame({"variable": list(after), "days_after": list(after.values())},
                           schema={"variable": pl.String, "days_after": pl.Int64})  # fmt: skip
    late = (pl.col("observed_at").cast(pl.Date) - pl.col("time_zero").cast(pl.Date)).dt.total_days()
    return (
        judged.measured.join(windows, on="variable")
        .join(judged.cohort.select(KEY, "time_zero"), on=KEY)
        .with_columns(late=late)
        .filter(pl.col("late") > pl.col("days_after"))
        .select(KEY, says=_text(pl.col("variable"), " was measured ", pl.col("late"), " days after time zero"))
    )


def _infused_after(judged: Judged) -> pl.DataFrame:
    if judged.infusions is None:
        return judged.cohort.clear().select(KEY, says=pl.lit(None, pl.String))
    ended = judged.cohort.filter(pl.col("event").is_in(["death", "transplant"])).select(
        KEY, "person_id", "event", "event_on"
    )
    late = ended.join(judged.infusions, on="person_id").filter(pl.col("infused_on") > pl.col("event_on"))
    return late.select(
        KEY,
        says=_text("infusion on ", pl.col("infused_on"), ", after the ", pl.col("event"), " on ", pl.col("event_on")),
    )


def _transplanted_before(cohort: pl.DataFrame) -> pl.DataFrame:
    days = (pl.col("time_zero").cast(pl.Date) - one_day("transplant")).dt.total_days()
    return cohort.filter(days > 0).select(KEY, says=_text("transplanted ", days, " days before time zero"))


def _heaped(judged: Judged) -> pl.DataFrame:
    """The deaths on a calling day, where they are more than the study tolerates of those told by telephone."""
    told = judged.cohort.filter((pl.col("death_source") == "follow_up") & pl.col("death_on").is_not_null())
    heaped = told.join(judged.calls, left_on=["person_id", "death_on"], right_on=["person_id", "called_on"], how="semi")
    tolerated = judged.study.calling_day_share
    if tolerated is None or heaped.height <= tolerated * told.height:
        heaped = heaped.clear()
    share = f"; so are {heaped.height} of {told.height} deaths told by telephone"
    return heaped.select(KEY, says=_text("the death on ", pl.col("death_on"), " is dated on the day of a call", share))


def _after(cohort: pl.DataFrame, as_of: date) -> pl.DataFrame:
    late = cohort.filter(pl.col("event_on") > as_of)
    return late.select(KEY, says=_text(pl.col("event"), " on ", pl.col("event_on"), f", after {as_of.isoformat()}"))


def _other_zero(judged: Judged) -> pl.DataFrame:
    names = [name for name, zero in judged.study.time_zeros.items() if zero.primary]
    if not names:
        return judged.cohort.clear().select(KEY, says=pl.lit(None, pl.String))
    primary = judged.zeros.filter(pl.col("time_zero") == names[0]).select(
        KEY, "exit_days", zero_event="event", entry="entry_days"
    )
    both = judged.cohort.select(KEY, "event", "event_days").join(primary, on=KEY, how="full", coalesce=True)
    same = (
        pl.col("event").eq_missing(pl.col("zero_event"))
        & pl.col("event_days").eq_missing(pl.col("exit_days"))
        & (pl.col("entry") == 0)
    )
    return both.filter(~same.fill_null(value=False)).select(
        KEY, says=pl.lit(f"{names[0]} is not the cohort's own time")
    )


def of_rule(found: pl.DataFrame, rule: str) -> pl.DataFrame:
    """The findings of one rule."""
    return found.filter(pl.col("rule") == rule)
