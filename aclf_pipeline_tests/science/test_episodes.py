"""Landmarks and episodes: drawn follow-up, R's survSplit and tt(), and covariates that nobody can know early."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.science.cox import cox
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.episodes import fit_changing_coefficient, piecewise_ratios, split_at, with_changes
from aclf_pipeline.science.landmark import at_landmark
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.cox_cases import draw_case

DATA, ANSWERS = load_reference()
TERMS = ["trt2", "age", "karno"]


def veteran() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    frame = DATA["veteran"]
    return (
        frame["time"].to_numpy(),
        frame["status"].to_numpy() == 1,
        frame.select(TERMS).to_numpy().astype(float),
        TERMS,
    )


def test_piecewise_ratios_equal_survsplit():
    found, expected = piecewise_ratios(*veteran(), "karno", [90, 180]), ANSWERS["time_varying"]["split"]
    np.testing.assert_allclose(found.fit.coef, expected["coef"], atol=1e-10)
    np.testing.assert_allclose(found.fit.se, expected["se"], atol=1e-10)
    assert found.table["events"].sum() == 128
    assert found.constant.df == 2
    assert found.constant.p < 0.001


def test_a_changing_coefficient_equals_tt():
    fit = fit_changing_coefficient(*veteran(), "karno", lambda t: np.log(t + 20))
    expected = ANSWERS["time_varying"]["tt"]
    np.testing.assert_allclose(fit.coef, expected["coef"], atol=1e-10)
    np.testing.assert_allclose(fit.se, expected["se"], atol=1e-10)
    assert fit.loglik == pytest.approx(expected["loglik"][1], abs=1e-9)


def test_episodes_as_drawn():
    """
    person a  |----10----|----20----|--+ died on 24
    person b       5-----|----x 20, censored on a cut: it ends the episode before
    person c  |---+ 8 died before the first cut
    """
    frame = pl.DataFrame({"who": ["a", "b", "c"], "days": [24, 20, 8], "died": [True, False, True], "from": [0, 5, 0]})
    rows = split_at(frame, "days", "died", [10, 20], entry="from")
    drawn = [("a", 0, 10, False, 0), ("a", 10, 20, False, 1), ("a", 20, 24, True, 2),
             ("b", 5, 10, False, 0), ("b", 10, 20, False, 1), ("c", 0, 8, True, 0)]  # fmt: skip
    assert rows.select("who", "start", "stop", "died", "episode").rows() == drawn


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 30), min_size=1, max_size=4, unique=True))
def test_cutting_follow_up_changes_no_model(seed, cuts):
    case = draw_case(seed, n=40, entry=True)
    frame = pl.DataFrame(
        {"t": case["stop"], "e": case["event"], "s": case["start"]} | {n: case["design"][:, j] for j, n in
                                                                       enumerate(case["names"])}
    )  # fmt: skip
    rows = split_at(frame, "t", "e", sorted(cuts), entry="s")
    assert (rows["stop"] - rows["start"]).sum() == pytest.approx((frame["t"] - frame["s"]).sum())
    assert rows["e"].sum() == frame["e"].sum()
    whole = fit_cox(case["stop"], case["event"], case["design"], case["names"], start=case["start"])
    split = fit_cox(rows["stop"].to_numpy(), rows["e"].to_numpy(), rows.select(case["names"]).to_numpy(),
                    case["names"], start=rows["start"].to_numpy())  # fmt: skip
    np.testing.assert_allclose(split.coef, whole.coef, atol=1e-9)


CHANGES = pl.DataFrame({"who": ["a", "a", "a", "b", "b"], "time": [0, 7, 30, 9, 9], "given": [1, 2, 3, 1, 2]})


def test_changes_as_drawn():
    """
    person a  |1------7|2---------+ died on 12; what came on day 30 is not used
    person b  |0--------9|2-----o  censored on day 14; of two values of one day the last counts
    person c  |0---+              died on 4, nothing ever changed
    """
    frame = pl.DataFrame({"who": ["a", "b", "c"], "days": [12, 14, 4], "died": [True, False, True]})
    rows = with_changes(frame, "who", "days", "died", CHANGES, value="given", initial=0)
    assert rows.select("who", "start", "stop", "died", "given").rows() == [
        ("a", 0, 7, False, 1), ("a", 7, 12, True, 2), ("b", 0, 9, False, 0), ("b", 9, 14, False, 2),
        ("c", 0, 4, True, 0),
    ]  # fmt: skip


def test_with_entry_the_last_value_before_it_opens():
    frame = pl.DataFrame({"who": ["a", "b", "c"], "days": [12, 14, 40], "died": [1, 0, 1], "from": [8, 8, 2]})
    rows = with_changes(frame, "who", "days", "died", CHANGES, value="given", initial=0, entry="from")
    assert rows.select("who", "start", "stop", "given").rows() == [
        ("a", 8, 12, 2), ("b", 8, 9, 0), ("b", 9, 14, 2), ("c", 2, 40, 0)
    ]  # fmt: skip


def test_changes_of_nobody_and_doubled_persons_are_told_together():
    frame = pl.DataFrame({"who": ["a", "a"], "days": [12, 14], "died": [1, 0]})
    with pytest.raises(StatisticalProblem, match=r"not one row per person; 2 changes are of nobody"):
        with_changes(frame, "who", "days", "died", CHANGES, value="given")


def immortal(seed: int, n: int = 1500) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Persons who are given something again and again while they live, about every 17 days; it does nothing."""
    rng = np.random.default_rng(seed)
    life = np.ceil(rng.weibull(0.62, n) * 120)
    frame = pl.DataFrame({"who": np.arange(n), "days": np.minimum(life, 168), "died": life <= 168})
    days = np.cumsum(np.ceil(rng.exponential(17, (n, 8))), axis=1)
    rows = [(who, day, k + 1.0) for who in range(n) for k, day in enumerate(days[who]) if day < life[who]]
    return frame, pl.DataFrame(rows, schema=["who", "time", "given"], orient="row")


def test_a_count_that_grows_with_life_misleads_as_baseline_and_not_by_episodes_or_landmark():
    """What does nothing looks protective when counted over all of life, and like nothing when time is respected."""
    frame, given = immortal(7)
    naive = frame.join(given.group_by("who").agg(count=pl.len()), on="who", how="left")
    wrong = cox(naive.with_columns(many=pl.col("count").fill_null(0) >= 4), "days", "died", ["many"]).coefficients
    assert wrong["log_hr"][0] < -1
    rows = with_changes(frame, "who", "days", "died", given, value="given", initial=0)
    honest = cox(rows.with_columns(many=pl.col("given") >= 4), "stop", "died", ["many"], entry="start").coefficients
    assert abs(honest["log_hr"][0]) < 2.5 * honest["se"][0] < 0.6
    by_then = given.filter(pl.col("time") <= 28).group_by("who").agg(early=pl.len())
    reached = at_landmark(frame, "days", "died", 28).rows.join(by_then, on="who", how="left")
    landmark = cox(reached.with_columns(many=pl.col("early").fill_null(0) >= 2), "days", "died", ["many"]).coefficients
    assert abs(landmark["log_hr"][0]) < 2.5 * landmark["se"][0] < 0.6


def test_a_landmark_cohort_as_drawn():
    """
    landmark            28
    a  |-----+ died 20   |
    b  |-----------------+ died on day 28: by then, not after
    c  |-----------o 25  |
    d  |-----------------|------+ died 40 → 12 days after
    e           35 |-----|-o 50 entered 35: at risk from 7
    f  time not known
    """
    frame = pl.DataFrame({"days": [20, 28, 25, 40, 50, None], "died": [1, 1, 0, 1, 0, 0], "from": [0, 0, 0, 0, 35, 0]})
    found = at_landmark(frame, "days", "died", 28, entry="from")
    assert (found.died, found.censored, found.later, found.incomplete) == (2, 1, 1, 1)
    assert found.rows.rows() == [(12, 1, 0), (22, 0, 7)]


def test_what_is_known_later_than_the_landmark_is_refused_by_name():
    frame = pl.DataFrame({"days": [40, 50, 60], "died": [1, 0, 0], "fourth_on": [21, 35, None], "first_on": [0, 0, 0]})
    with pytest.raises(StatisticalProblem, match=r"'fourth_on' in 1 persons.*immortal"):
        at_landmark(frame, "days", "died", 28, measured_on=["first_on", "fourth_on"])
    assert at_landmark(frame, "days", "died", 28, measured_on=["first_on"]).rows.height == 3
    with pytest.raises(StatisticalProblem, match="none of 3"):
        at_landmark(frame, "days", "died", 60)


def test_a_landmark_model_equals_r():
    expected = ANSWERS["cox"]["pbc_landmark180"]
    rows = at_landmark(DATA["pbc"], "time", "tfs", 180).rows
    fit = fit_cox(rows["time"].to_numpy(), rows["tfs"].to_numpy() == 1, rows.select(expected["terms"]).to_numpy(),
                  expected["terms"])  # fmt: skip
    np.testing.assert_allclose(fit.coef, expected["coef"], atol=1e-9)
    np.testing.assert_allclose(fit.se, expected["se"], atol=1e-9)
