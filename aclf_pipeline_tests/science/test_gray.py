"""Gray's test and the errors of cumulative incidence: against R, by hand, and by the identities they must keep."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.gray import cuminc_variance, gray_test
from aclf_pipeline.science.incidence_jackknife import incidence_with_jackknife
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.reference import answers, data, numbers

BY_SEX = {"mgus2_by_sex": ("mgus2", "etime", "sex_m"), "pbc_by_sex": ("pbc", "time", "sex_f")}


def draw(seed: int, n: int, groups: int, *, last: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(1, last, n).astype(float), rng.integers(0, 3, n), rng.integers(0, groups, n)


def test_score_by_hand():
    """Four patients. The one of b whose other event was on day 2 still counts on day 3, half of it by Kaplan–Meier.

    group  day  event       day 1: 1 − 2/4 = 1/2
    a      1    cause       day 3: a has 1 at risk, S = 1/2, F = 1/2: 1·(1 − 1/2)/(1/2) = 1
    b      2    other              b has 1 at risk, S = 1/2, F = 0: 1/(1/2) = 2; so 1 − 1/3 = 2/3
    a      3    cause       day 4: nobody of a is left
    b      4    cause       sum: 7/6
    """
    test = gray_test([1, 2, 3, 4], [1, 2, 1, 1], ["a", "b", "a", "b"])
    assert test.score.tolist() == pytest.approx([7 / 6])
    assert (test.n, test.events, test.df, test.groups) == (4, 3, 1, ("a", "b"))


@pytest.mark.parametrize("key", BY_SEX)
def test_gray_equals_r(key):
    name, time, group = BY_SEX[key]
    frame, expected = data(name), answers("05_cuminc_gray")[key]
    for cause in (1, 2):
        test = gray_test(frame[time], frame["etype"], frame[group], cause=cause)
        assert test.statistic == pytest.approx(expected["tests"]["stat"][cause - 1], abs=1e-8)
        assert test.p == pytest.approx(expected["tests"]["pv"][cause - 1], abs=1e-10)
        assert test.df == expected["tests"]["df"][cause - 1]


@pytest.mark.parametrize("key", BY_SEX)
def test_variance_of_cumulative_incidence_equals_r(key):
    name, time, group = BY_SEX[key]
    for curve, expected in answers("05_cuminc_gray")[key]["curves"].items():
        member, cause = (int(part) for part in curve.split())
        rows = data(name).filter(pl.col(group) == member)
        times, incidence, variance = cuminc_variance(rows[time], rows["etype"], cause=cause)
        theirs = numbers(expected["time"])  # each time twice: the foot of the step and its top
        top = np.searchsorted(theirs, times, side="right") - 1
        np.testing.assert_allclose(incidence, numbers(expected["est"])[top], rtol=0, atol=1e-12)
        np.testing.assert_allclose(variance, numbers(expected["var"])[top], rtol=1e-9)


@pytest.mark.parametrize(("key", "time"), [("pbc", "time"), ("mgus2", "etime"), ("pbc_left_truncated", "time")])
def test_jackknife_equals_r_with_delayed_entry_too(key, time):
    frame, expected = data(key), answers("04_aalen_johansen")[key]
    entry = frame["entry"] if "entry" in frame.columns else None
    ours = incidence_with_jackknife(frame[time], frame["etype"], entry=entry)
    assert ours.time.tolist() == expected["time"]
    assert ours.risk.tolist() == expected["n_risk"]
    np.testing.assert_allclose(ours.probability, numbers(expected["pstate"]), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.se, numbers(expected["se"]), rtol=0, atol=1e-12)


def weighted_incidence(time: np.ndarray, code: np.ndarray, entry: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The estimate as its definition, so that it can be differentiated: incidence of cause 1 at the end."""
    free, total = 1.0, 0.0
    for moment in np.unique(time):
        risk = weight[(entry < moment) & (time >= moment)].sum()
        total += free * weight[(time == moment) & (code == 1)].sum() / risk
        free *= 1 - weight[(time == moment) & (code > 0)].sum() / risk
    return np.array([free, total])


@pytest.mark.parametrize("seed", range(4))
def test_jackknife_is_the_derivative_by_weights(seed):
    time, code, _ = draw(seed, 40, 1)
    entry = np.floor(time * np.random.default_rng(seed).random(40) * 0.9)
    entry[time == time.max()] = 0  # the last are there from the start, so that no risk set is empty
    slopes, step = [], 1e-6
    for i in range(40):
        up, down = np.ones(40), np.ones(40)
        up[i], down[i] = 1 + step, 1 - step
        ends = [weighted_incidence(time, code, entry, weight) for weight in (up, down)]
        slopes.append((ends[0] - ends[1]) / (2 * step))
    ours = incidence_with_jackknife(time, code, entry=entry)
    np.testing.assert_allclose(ours.se[-1, :2], np.sqrt((np.array(slopes) ** 2).sum(axis=0)), atol=1e-7)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_always(seed):
    time, code, group = draw(seed, 60, 3)
    test = gray_test(time, code, group)
    turn = np.random.default_rng(seed).permutation(60)
    again = gray_test(time[turn] / 7, code[turn], np.array(["z", "k", "b"])[group[turn]])
    assert again.statistic == pytest.approx(test.statistic, rel=1e-8)
    assert 0 <= test.p <= 1
    ours = incidence_with_jackknife(time, code)
    np.testing.assert_allclose(ours.probability.sum(axis=1), 1, atol=1e-12)
    assert (np.diff(ours.probability[:, 1:], axis=0) >= -1e-15).all()
    # A stratum whose rows are the whole sample twice over has twice the score and twice the variance.
    twice = gray_test(np.tile(time, 2), np.tile(code, 2), np.tile(group, 2), strata=np.repeat([0, 1], 60))
    assert twice.statistic == pytest.approx(2 * test.statistic, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_without_competing_events_the_score_is_that_of_the_logrank_test(seed):
    time, code, group = draw(seed, 80, 2, last=10_000)
    code = np.minimum(code, 1)
    test = gray_test(time, code, group)
    risk = np.array([[((time >= t) & (group == g)).sum() for g in (0, 1)] for t in time[code == 1]])
    expected = (group[code == 1] == 0).sum() - (risk[:, 0] / risk.sum(axis=1)).sum()
    assert test.score[0] == pytest.approx(expected, abs=1e-10)


def test_equal_groups_are_found_different_as_often_as_promised():
    p = [gray_test(*draw(seed, 120, 2)).p for seed in range(300)]
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.085


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 2], ["a", "a"]), "needs two groups; all 2 rows are 'a'"),
        (([1, 2], [0, 2], ["a", "b"]), "no event 1 among 2 rows"),
        (([1, np.nan], [1, 0.5], ["a", "b"]), "1 rows have no time; 1 rows have an outcome"),
        (([1, 2], [1, 1], ["a", None]), "1 rows have no group"),
        (([1, -2], [1, 1], ["a", "b"]), "1 rows have a negative time"),
        (([1], [1, 1], ["a", "b"]), "time 1, outcome 2"),
    ],
)
def test_what_cannot_be_tested_is_said_in_words(arguments, message):
    with pytest.raises(StatisticalProblem, match=message):
        gray_test(*arguments)


def test_nobody_enters_after_leaving():
    with pytest.raises(StatisticalProblem, match="1 rows enter at no known time or not before the end"):
        incidence_with_jackknife([1, 2], [1, 1], entry=[0, 2])
    with pytest.raises(StatisticalProblem, match="no event among 2 rows"):
        incidence_with_jackknife([1, 2], [0, 0])
