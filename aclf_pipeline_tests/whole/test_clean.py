"""On a hospital without defects nothing is set aside, and the cohort is the true one."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey

pytestmark = pytest.mark.xdist_group("clean")


def read_truth(refreshed) -> pl.DataFrame:
    """The truth with the pseudonym under which each person is known."""
    key = PseudonymKey.load(refreshed.settings.key_file)
    frame = pl.read_parquet(refreshed.bundle / "truth" / "patients.parquet")
    names = [[key.pseudonym("record_number", bah) for bah in row] for row in frame["bah"].to_list()]
    return frame.with_columns(pl.Series("candidate_id", [min(row) for row in names]))


def read(refreshed, sql: str) -> pl.DataFrame:
    with Warehouse.open(refreshed.settings.warehouse) as wh:
        return wh.frame(sql)


def wrong_eligibility(refreshed, truth: pl.DataFrame) -> list[dict]:
    """Persons whose eligibility or first reason is not the true one, and persons only one side knows."""
    found = read(refreshed, "select candidate_id, eligible, exclusion_reason from marts.eligibility")
    both = truth.select("candidate_id", "patient_id", "eligible", "exclusion_reason").join(
        found, on="candidate_id", how="full", suffix="_found", coalesce=True
    )
    wrong = both.filter(
        pl.col("eligible").ne_missing(pl.col("eligible_found"))
        | pl.col("exclusion_reason").ne_missing(pl.col("exclusion_reason_found"))
    )
    return wrong.to_dicts()


@pytest.fixture(scope="module")
def truth(clean):
    return read_truth(clean)


def test_the_refresh_succeeds_and_every_blocking_check_passes(clean):
    assert clean.success
    assert [name for name, passed in clean.checks.items() if not passed and name[1].endswith("contract")] == []


def test_not_one_row_is_quarantined(clean):
    quarantined = read(clean, "select table_name, rule_ids, count(*) as rows from quality.quarantine group by all")
    assert quarantined.rows() == []


def test_eligibility_and_its_reason_equal_the_truth_for_every_person(clean, truth):
    assert wrong_eligibility(clean, truth) == []


def test_time_zero_and_event_equal_the_truth_for_every_eligible_person_whose_death_shows(clean, truth):
    found = read(clean, "select candidate_id, time_zero, event, event_on, event_from, event_to from marts.cohort")
    shown = truth.filter(pl.col("eligible") & (pl.col("death_visible") | (pl.col("event") != "death")))
    both = shown.select("candidate_id", "time_zero", "event", "event_date", "last_alive").join(
        found, on="candidate_id", suffix="_found"
    )
    assert both.height == shown.height
    expected = both.with_columns(
        event=pl.col("event").replace({"lost": "censored", "admin": "censored"}),
        event_date=pl.when(pl.col("event").is_in(["lost", "admin"])).then("last_alive").otherwise("event_date"),
    )
    wrong = expected.filter(
        (pl.col("time_zero") != pl.col("time_zero_found").cast(pl.Date))
        | (pl.col("event") != pl.col("event_found"))
        | ~pl.col("event_date").is_between(pl.col("event_from").cast(pl.Date), pl.col("event_to").cast(pl.Date))
    )
    assert wrong.to_dicts() == []


@pytest.mark.parametrize(
    ("truth_name", "name", "relative"),
    [
        ("tbil_umol_l", "bilirubin_total", 0.35),
        ("inr", "inr", 0.35),
        ("crea_umol_l", "creatinine", 0.4),
        ("na_mmol_l", "sodium", 0.06),
        ("alb_g_l", "albumin", 0.3),
        ("age_years", "age_years", 0.01),
    ],
)
def test_a_baseline_value_is_the_true_one_up_to_measurement(clean, truth, truth_name, name, relative):
    """The measured value differs from the true one by assay error and the days between; the median by far less."""
    found = read(clean, f"select candidate_id, {name} as found from marts.cohort")
    both = (
        truth.filter("eligible").select("candidate_id", pl.col(truth_name).alias("true")).join(found, on="candidate_id")
    )
    error = both.filter(pl.col("found").is_not_null()).select(
        ((pl.col("found") - pl.col("true")) / pl.col("true")).abs()
    )
    assert error.height >= 0.9 * both.height
    assert error.to_series().max() < relative
    assert error.to_series().median() < relative / 3


def test_every_value_of_the_cohort_has_its_provenance(clean):
    silent = read(
        clean,
        """select c.candidate_id from marts.cohort as c
           left join marts.cohort_provenance as p on c.candidate_id = p.candidate_id and p.variable = 'bilirubin_total'
           where c.bilirubin_total is not null and (p.explanation is null or len(p.row_ids) = 0)""",
    )
    assert silent.height == 0
