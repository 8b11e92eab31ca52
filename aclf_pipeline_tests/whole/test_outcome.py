"""On a hospital with known defects, what became of the patients is the truth, as far as the questions' defaults go."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey

pytestmark = pytest.mark.xdist_group("standard")

QUESTIONS = (
    "event_after_death", "alive_after_death", "death_dates_conflict", "death_date_year_typo", "death_in_note_only",
    "transplant_missing", "hcc_date_hidden",
)  # fmt: skip
"""Defects that are questions of the same name."""
# A word of life contradicts nothing, and dates some days apart are repaired: not every person hit becomes a case.
SOMETIMES = ("alive_after_death", "death_dates_conflict")
# A record that is set aside, or left apart from the rest of the person's, takes part of what is known with it.
LOST_WITH_THE_ROW = (
    "id_shared_by_two", "infusion_before_admission", "key_conflict", "labs_absent", "person_several_ids",
    "stay_impossible",
)  # fmt: skip
TACROLIMUS_AFTER = 1
"""Days after a transplant on which this hospital begins tacrolimus."""

OUTCOMES = """
    select eligibility.candidate_id, eligibility.eligible, eligibility.exclusion_reason, cohort.event, cohort.event_on,
        cohort.event_from, cohort.event_to
    from marts.eligibility left join marts.cohort on cohort.candidate_id = eligibility.candidate_id
"""
CASES = """
    select persons.person_id as candidate_id, list(distinct cases.question) as questions
    from quality.cases inner join intermediate.persons on persons.patient_id = cases.patient_id group by all
"""


@pytest.fixture(scope="module")
def beside(standard) -> pl.DataFrame:
    """Truth and pipeline side by side, one row per true person; the pipeline's columns end in _found."""
    key = PseudonymKey.load(standard.settings.key_file)
    truth = pl.read_parquet(standard.bundle / "truth" / "patients.parquet")
    planted = (
        pl.read_parquet(standard.bundle / "truth" / "defects.parquet")
        .filter(~pl.col("habit"))
        .group_by("patient")
        .agg(pl.col("defect_id").unique().alias("defects"))
    )
    with Warehouse.open(standard.settings.warehouse) as wh:
        persons = dict(wh.rows("select patient_id, person_id from intermediate.persons"))
        outcomes, cases = wh.frame(OUTCOMES), wh.frame(CASES)
    own = [persons.get(key.pseudonym("record_number", number)) for number in truth["index_bah"]]
    return (
        truth.with_columns(pl.Series("candidate_id", own, dtype=pl.String))
        .join(planted, left_on="patient_id", right_on="patient", how="left")
        .join(outcomes, on="candidate_id", how="left", suffix="_found")
        .join(cases, on="candidate_id", how="left")
        .with_columns(pl.col("defects", "questions").fill_null([]))
    )


def hit_by(*defects: str) -> pl.Expr:
    return pl.col("defects").list.eval(pl.element().is_in(defects)).list.any()


def test_whoever_the_record_contradicts_is_a_case(beside: pl.DataFrame) -> None:
    hit = beside.explode("defects").filter(
        pl.col("defects").is_in(QUESTIONS), ~pl.col("defects").is_in(SOMETIMES), pl.col("candidate_id").is_not_null()
    )
    assert hit["defects"].n_unique() >= 4
    asked = pl.col("questions").list.contains(pl.col("defects"))
    assert hit.filter(~asked).select("patient_id", "defects").rows() == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_nobody_else_is_asked_about(beside: pl.DataFrame, question: str) -> None:
    asked = beside.filter(pl.col("questions").list.contains(question), ~hit_by(question, "event_outside_stay"))
    assert asked.select("patient_id", "defects").rows() == []


@pytest.fixture(scope="module")
def told(beside: pl.DataFrame) -> pl.DataFrame:
    """The eligible of both sides whose outcome the record shows, with whether event and day are the truth."""
    both = beside.filter(
        pl.col("eligible") & pl.col("eligible_found"), pl.col("death_visible") | pl.col("death_date").is_null()
    )
    lost = pl.col("event").is_in(["lost", "admin"])
    true_day = pl.when(lost).then("last_alive").otherwise("event_date")
    return both.with_columns(
        same_event=pl.col("event_found") == pl.when(lost).then(pl.lit("censored")).otherwise("event"),
        same_day=true_day == pl.col("event_on"),
        within=(true_day >= pl.col("event_from")) & (true_day <= pl.col("event_to")),
    )


def test_the_agreement_with_the_truth_can_be_read(beside: pl.DataFrame, told: pl.DataFrame, capsys) -> None:
    known = beside.filter(pl.col("candidate_id").is_not_null())
    reasons = known.filter(pl.col("exclusion_reason").eq_missing(pl.col("exclusion_reason_found")))
    with capsys.disabled():
        print(
            f"\nexclusion as in truth: {reasons.height} of {known.height} persons; of {told.height} eligible: event as"
            f" in truth {told['same_event'].sum()}, day within its bounds {told['within'].sum()}, day exact"
            f" {told['same_day'].sum()}"
        )
    assert told.height > 40


def test_event_and_day_are_the_truth_for_everybody_whose_record_is_whole(told: pl.DataFrame) -> None:
    whole = told.filter(~hit_by(*LOST_WITH_THE_ROW, "alive_after_death", "transplant_missing"))
    assert whole.height > 0.7 * told.height
    wrong = whole.filter(~(pl.col("same_event") & pl.col("within")))
    assert wrong.select("patient_id", "event", "event_found", "event_on", "defects").rows() == []


def test_a_missing_transplant_is_dated_by_the_first_tacrolimus(told: pl.DataFrame) -> None:
    missing = told.filter(hit_by("transplant_missing"), pl.col("event") == "transplant")
    late = (missing["event_on"] - missing["event_date"]).dt.total_days()
    assert missing["event_found"].to_list() == ["transplant"] * missing.height
    assert late.is_between(0, TACROLIMUS_AFTER).all()


def test_a_contested_death_is_the_true_one_or_censored_before_it(told: pl.DataFrame) -> None:
    contested = told.filter(hit_by("alive_after_death"), pl.col("questions").list.contains("alive_after_death"))
    sound = (pl.col("same_event") & pl.col("within")) | (
        (pl.col("event_found") == "censored") & (pl.col("event_on") <= pl.col("death_date"))
    )
    assert contested.filter(~sound).is_empty()


def test_exclusions_are_the_truth_for_everybody_whose_record_is_whole(beside: pl.DataFrame) -> None:
    whole = beside.filter(pl.col("candidate_id").is_not_null(), ~hit_by(*LOST_WITH_THE_ROW))
    wrong = whole.filter(pl.col("exclusion_reason").ne_missing(pl.col("exclusion_reason_found")))
    assert wrong.select("patient_id", "exclusion_reason", "exclusion_reason_found", "defects").rows() == []
