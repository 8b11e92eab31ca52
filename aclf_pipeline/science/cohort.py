"""From candidates to the cohort: criteria, scores and endpoints put together, with the reason for every value.

Nothing is decided here that a page of the protocol could decide: criteria, scores, units and cut-offs are read from it.
What does not belong here: reading and writing tables, and how a baseline value is picked (SQL).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from aclf_pipeline.protocol import Protocol, Study
from aclf_pipeline.science.eligibility import Criterion, apply_criteria
from aclf_pipeline.science.endpoints import end_state, one_day, time_to_event
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs
from aclf_pipeline.science.score_table import SCORES, add_scores

KEY = "candidate_id"
PROVENANCE = (KEY, "variable", "value", "value_text", "row_ids", "rule_ids", "explanation")
# Signs have one unit in every source: the canonical tables deliver them so.
SIGN_UNITS = {"map": "mm[Hg]", "spo2": "%"}
# What is known of a person and not measured comes in one unit.
PERSON_UNITS = {"age_years": "a"}
# The percent sign of UCUM is a hundredth.
PERCENT = 0.01
# Who left against advice and was never heard of again; a study may have no such column.
LEFT = "left_without_follow_up"
# Which fact an event rests on.
EVENT_FACTS = {"death": "death", "transplant": "transplant", "censored": "last_alive"}


@dataclass(frozen=True)
class CohortTables:
    """The cohort and what explains it; one frame per table of the marts."""

    cohort: pl.DataFrame
    eligibility: pl.DataFrame
    attrition: pl.DataFrame
    cohort_provenance: pl.DataFrame


def assemble(candidates: pl.DataFrame, facts: pl.DataFrame, protocol: Protocol, as_of: date) -> CohortTables:
    """Assemble the cohort of a study.

    `candidates` has one row per candidate and every column the criteria, scores and endpoints ask for; `facts` one row
    per candidate and variable. The cohort has one row per eligible candidate: the candidate's columns, a Float64 column
    per score of the study (null where it cannot be computed), and event, event_on, event_from, event_to, event_days
    (see `endpoints.time_to_event`), endpoint_problem, endpoint_warning, end_state and calendar_year. Nothing after
    `as_of` counts. A missing input stays missing. Raises CriteriaError or ScoreError with every misprint at once.
    """
    study = protocol.study
    eligibility, attrition = apply_criteria(candidates, criteria_of(study))
    eligible = candidates.join(eligibility.filter("eligible"), on=KEY, how="semi").sort(KEY)
    scored, lines = add_scores(
        eligible,
        study.scores,
        score_factors(protocol),
        variable_units(protocol),
        cutoffs=organ_failure_cutoffs(protocol) if "organ_failure" in protocol.definitions else None,
    )
    cohort = _timed(scored, as_of, max(study.horizons, default=None))
    own = facts.join(cohort, on=KEY, how="semi").select(PROVENANCE)
    provenance = pl.concat([own, _score_rows(lines, own), _event_rows(cohort, own)]).sort(KEY, "variable")
    return CohortTables(cohort, eligibility.sort(KEY), attrition, provenance)


def criteria_of(study: Study) -> list[Criterion]:
    """The criteria of a study, in the order of its page."""
    return [Criterion(criterion.id, criterion.says, criterion.keep) for criterion in study.eligibility]


def who_and_when(candidates: pl.DataFrame, study: Study, as_of: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Eligible candidates with their time and event, without scores, and the verdict on every candidate.

    As `assemble` makes them, where nothing else of the cohort is asked.
    """
    eligibility, _ = apply_criteria(candidates, criteria_of(study))
    eligible = candidates.join(eligibility.filter("eligible"), on=KEY, how="semi").sort(KEY)
    return _timed(eligible, as_of, max(study.horizons, default=None)), eligibility


def variable_units(protocol: Protocol) -> dict[str, str]:
    """The unit of each baseline variable, its analyte's or that of the sign it is, and of the age."""
    units = dict(PERSON_UNITS)
    for variable, baseline in protocol.study.baseline.items():
        name = baseline.analyte or baseline.item or variable
        unit = protocol.analytes[name].unit if name in protocol.analytes else SIGN_UNITS.get(name)
        if unit is not None:
            units[variable] = unit
    return units


def score_factors(protocol: Protocol) -> dict[tuple[str, str], float]:
    """For each variable and unit a formula wants: the factor from the protocol's unit, where the analyte states one."""
    factors = {}
    for score in SCORES.values():
        for variable, wanted in score.inputs.values():
            baseline = protocol.study.baseline.get(variable)
            analyte = protocol.analytes.get((baseline.analyte or baseline.item or "") if baseline else "")
            if analyte is None or analyte.unit == wanted:
                continue
            if wanted in analyte.factors:
                factors[(variable, wanted)] = 1.0 / analyte.factors[wanted]
            elif (analyte.unit, wanted) == ("%", "1"):
                factors[(variable, wanted)] = PERCENT
    return factors


def organ_failure_cutoffs(protocol: Protocol) -> OrganFailureCutoffs:
    """The cut-offs of organ failure, as the definitions state them."""
    return OrganFailureCutoffs(**protocol.definitions["organ_failure"].cutoffs)  # type: ignore[arg-type]


def _timed(cohort: pl.DataFrame, as_of: date, longest: int | None) -> pl.DataFrame:
    """Add the event and its time. What is known as an interval enters by its middle day; the interval is kept."""
    days = cohort.with_columns(_death_day=one_day("death"), _transplant_day=one_day("transplant"))
    left = LEFT if LEFT in cohort.columns else None
    timed = time_to_event(days, death="_death_day", transplant="_transplant_day", as_of=as_of)
    return timed.with_columns(
        event_from=_bound_of_event("from"),
        event_to=_bound_of_event("to"),
        end_state=end_state(as_of, longest, left=left),
        calendar_year=pl.col("time_zero").dt.year().cast(pl.Int64),
    ).drop("_death_day", "_transplant_day")


def _bound_of_event(side: str) -> pl.Expr:
    """One end of the interval in which the event lies; a censoring has its day only."""
    kind = pl.col("event")
    return (
        pl.when(kind == "death")
        .then(pl.coalesce(f"death_{side}", "event_on"))
        .when(kind == "transplant")
        .then(pl.coalesce(f"transplant_{side}", "event_on"))
        .otherwise("event_on")
    )


def _score_rows(lines: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """The scores' provenance: the rows and flags of everything they were made of."""
    inputs = (
        lines.select(KEY, pl.col("variable").alias("score"), "inputs")
        .explode("inputs")
        .rename({"inputs": "variable"})
        .join(facts.select(KEY, "variable", "row_ids", "rule_ids"), on=[KEY, "variable"], how="left")
        .group_by(KEY, pl.col("score").alias("variable"))
        .agg(_all_of("row_ids"), _all_of("rule_ids"))
    )
    return lines.join(inputs, on=[KEY, "variable"], how="left").select(
        KEY,
        "variable",
        "value",
        pl.lit(None, pl.String).alias("value_text"),
        pl.col("row_ids").fill_null([]),
        pl.col("rule_ids").fill_null([]),
        "explanation",
    )


def _all_of(column: str) -> pl.Expr:
    """Every entry of the lists of a group, once, in order."""
    return pl.col(column).drop_nulls().list.explode(keep_nulls=False, empty_as_null=False).unique().sort()


def _event_rows(cohort: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """The event's provenance: the rows of the death, the transplant or the last sign of life it rests on."""
    events = cohort.select(
        KEY,
        "event",
        pl.col("event_days").cast(pl.Float64).alias("value"),
        pl.col("event").replace_strict(EVENT_FACTS, default=None, return_dtype=pl.String).alias("variable"),
        says=pl.when(pl.col("event").is_null())
        .then(pl.concat_str(pl.lit("no time to event: "), "endpoint_problem"))
        .otherwise(
            pl.concat_str(
                pl.col("event"),
                pl.lit(" on "),
                pl.col("event_on").cast(pl.String),
                pl.lit(", "),
                pl.col("event_days").cast(pl.String),
                pl.lit(" days after time zero; "),
            )
        ),
    )
    grounds = facts.select(KEY, "variable", "row_ids", "rule_ids", "explanation")
    return events.join(grounds, on=[KEY, "variable"], how="left").select(
        KEY,
        pl.lit("event").alias("variable"),
        "value",
        pl.col("event").alias("value_text"),
        pl.col("row_ids").fill_null([]),
        pl.col("rule_ids").fill_null([]),
        pl.concat_str("says", pl.col("explanation").fill_null("")).alias("explanation"),
    )
