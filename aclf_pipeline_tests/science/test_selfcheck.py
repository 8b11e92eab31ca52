"""The self-check: within tolerance and quick as shipped, and a breach wherever an answer or an estimator is off."""

from __future__ import annotations

import copy
import time

import polars as pl
import pytest

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.science import selfcheck
from aclf_pipeline.science.selfcheck import SelfCheck, coverage, self_check


@pytest.fixture(scope="module")
def checked() -> SelfCheck:
    began = time.process_time()
    found = self_check(*load_reference(), simulations=60)
    assert time.process_time() - began < 10
    return found


def test_as_shipped_every_estimator_agrees_and_covers(checked):
    assert checked.breaches == []
    assert checked.agreement.height > 100
    assert checked.agreement["max_difference"].max() < 1e-6
    assert set(checked.agreement["data_set"]) >= {"pbc", "lung_ties_efron", "pbc_lt", "separation", "veteran"}


def test_simulations_are_of_the_seed_and_their_truth_is_found(checked):
    again = coverage(60, 1)
    assert again.equals(checked.coverage)
    ratios = checked.coverage.filter(pl.col("quantity").str.starts_with("log hazard ratio"))
    assert ratios["bias"].abs().max() < 0.05
    assert not coverage(5, 2)["mean"].equals(coverage(5, 1)["mean"])


def test_an_answer_that_is_off_is_a_breach_that_names_it():
    data, answers = load_reference()
    off = copy.deepcopy(answers)
    off["cox"]["pbc_lt"]["se"][2] += 1e-6
    found = selfcheck._agreement(data, off)
    wrong = found.filter(~pl.col("within"))
    assert wrong.select("quantity", "data_set").rows() == [("Cox standard error", "pbc_lt")]
    assert wrong["max_difference"][0] == pytest.approx(1e-6, rel=1e-3)
    told = SelfCheck(found, coverage(2, 1).clear()).breaches
    assert told == ["Cox standard error on pbc_lt: 1e-06 from R, 1e-08 allowed"]


def test_a_value_missing_on_one_side_or_of_another_number_is_a_breach():
    data, answers = load_reference()
    off = copy.deepcopy(answers)
    off["calibration"]["group_obs"][0] = None
    off["p_adjust"]["holm"] = off["p_adjust"]["holm"][:-1]
    wrong = selfcheck._agreement(data, off).filter(~pl.col("within"))
    assert set(wrong["quantity"]) == {"calibration in fifths", "adjusted p, holm"}
    assert wrong["max_difference"].is_infinite().all()


def test_an_estimator_that_does_not_cover_is_a_breach(monkeypatch):
    monkeypatch.setitem(selfcheck.TRUTHS, "restricted mean", 70.0)
    found = SelfCheck(pl.DataFrame({"within": [True]}), coverage(40, 3))
    assert len(found.breaches) == 1
    assert found.breaches[0].startswith("restricted mean: mean 63")


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """A thousand cohorts: every coverage within 93–97 %, and no effect of what has none."""
    found = coverage(1000, 7)
    shares = found.filter(pl.col("coverage").is_not_null())
    assert shares["coverage"].is_between(0.93, 0.97).all()
    assert found.filter(pl.col("coverage").is_null())["mean"].abs().item() < 0.05
