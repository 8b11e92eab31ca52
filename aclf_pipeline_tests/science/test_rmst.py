"""Restricted means against R, by hand, and by the identities they must keep."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.rmst import RestrictedMean, contrast_means, latest_tau, require_tau, restricted_mean
from aclf_pipeline_tests.science.published import published
from aclf_pipeline_tests.science.reference import answers, data, numbers


def as_r(mean: RestrictedMean) -> list[float]:
    return [mean.mean, mean.se, mean.lower, mean.upper]


def by_sex(frame: pl.DataFrame, tau: float) -> tuple[RestrictedMean, RestrictedMean]:
    first, second = (frame.filter(pl.col("sex") == code) for code in (2, 1))
    return tuple(restricted_mean(part["time"], part["event"], tau) for part in (first, second))  # type: ignore[return-value]


def test_by_hand():
    """Deaths on days 2 and 6, censored on 4 and 10; τ = 8.

    S is 1 to day 2, 3/4 to day 6, 3/8 to day 8: 2 + 4·3/4 + 2·3/8 = 5.75
    areas after the deaths: 3.75 and 0.75; variance 3.75²·1/(4·3) + 0.75²·1/(2·1)
    """
    mean = restricted_mean([2, 4, 6, 10], [1, 0, 1, 0], 8)
    assert (mean.mean, mean.lost) == (5.75, 2.25)
    assert mean.se == pytest.approx(np.sqrt(3.75**2 / 12 + 0.75**2 / 2))
    assert (mean.n, mean.events, mean.at_risk) == (4, 2, 1)


def test_with_nobody_censored_it_is_a_plain_mean():
    """The veterans who died of lung cancer (Kalbfleisch & Prentice 1980): the mean of days, 90 at most."""
    frame = published("veteran").filter(pl.col("status") == 1)
    mean = restricted_mean(frame["time"], frame["status"], 90)
    plain = np.minimum(frame["time"].to_numpy(), 90)
    assert mean.mean == pytest.approx(plain.mean())
    assert mean.se == pytest.approx(plain.std() / np.sqrt(len(plain)))


@pytest.mark.parametrize("tau", [168, 365])
def test_contrasts_equal_survrm2(tau):
    expected, frame = answers("07_rmst")[f"lung_sex_tau{tau}"], data("lung")
    women, men = by_sex(frame, tau)
    np.testing.assert_allclose(as_r(women), numbers(expected["arm1"]), rtol=0, atol=1e-10)
    np.testing.assert_allclose(as_r(men), numbers(expected["arm0"]), rtol=0, atol=1e-10)
    ours = contrast_means(women, men)
    rows = [[c.estimate, c.lower, c.upper, c.p] for c in (ours.difference, ours.ratio, ours.ratio_lost)]
    np.testing.assert_allclose(rows, numbers(expected["contrast"]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("tau", [84, 168, 1000])
def test_mean_and_error_equal_survfit(tau):
    expected, frame = answers("07_rmst")[f"pbc_tfs_tau{tau}"], data("pbc")
    mean = restricted_mean(frame["time"], frame["tfs"], tau)
    assert mean.mean == pytest.approx(expected["rmst"], abs=1e-10)
    assert mean.se == pytest.approx(expected["se"], abs=1e-10)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000))
def test_always(seed):
    rng = np.random.default_rng(seed)
    time, event = rng.integers(1, 30, 40).astype(float), rng.random(40) < 0.6
    end = time.max()
    means = [restricted_mean(time, event, tau) for tau in np.linspace(0.5, end, 7)]
    assert all(0 < mean.mean <= mean.tau for mean in means)
    assert (np.diff([mean.mean for mean in means]) >= -1e-12).all()
    assert (np.diff([mean.lost for mean in means]) >= -1e-12).all()
    turn = rng.permutation(40)
    weeks = restricted_mean(time[turn] / 7, event[turn], end / 7)
    assert [weeks.mean * 7, weeks.se * 7] == pytest.approx([means[-1].mean, means[-1].se])
    late = restricted_mean(time, event, end, entry=np.zeros(40))
    assert late.mean == pytest.approx(means[-1].mean)


def test_delayed_entry_counts_only_from_entry():
    """Day 2: one of two at risk dies (the third enters on day 3). S = 1/2 from then; nobody dies again up to τ = 5."""
    mean = restricted_mean([2, 9, 9], [1, 0, 0], 5, entry=[0, 0, 3])
    assert mean.mean == 2 + 3 / 2
    with pytest.raises(StatisticalProblem, match="all at risk at 2 had the event then, before others entered"):
        restricted_mean([2, 9, 9], [1, 0, 0], 5, entry=[0, 3, 3])


def test_tau_is_held_to_events_with_enough_at_risk():
    time, event = np.arange(1.0, 41), np.ones(40)
    assert latest_tau(time, event) == 31  # ten are at risk on day 31
    assert latest_tau(time, event, group=np.repeat(["a", "b"], 20)) == 11
    require_tau(31, time, event)
    with pytest.raises(
        StatisticalProblem, match=r"tau 31\.5 is after the last event with at least 10 at risk in every"
    ):
        require_tau(31.5, time, event)
    with pytest.raises(StatisticalProblem, match="no event with at least 10 at risk in 'b'"):
        latest_tau(time, event, group=np.repeat(["a", "b"], [33, 7]))


def test_what_is_undefined_says_why():
    nobody = restricted_mean([5, 6], [0, 0], 4)
    assert (nobody.mean, nobody.se, nobody.events) == (4, 0, 0)
    both = contrast_means(nobody, nobody)
    assert both.difference.estimate == 0
    assert np.isnan(both.difference.p)
    assert both.difference.reason is not None
    one = contrast_means(nobody, restricted_mean([2, 6], [1, 0], 4))
    assert one.difference.estimate == pytest.approx(1)
    assert np.isnan(one.ratio_lost.estimate)
    assert one.ratio_lost.reason == "a group lost no time, or all of it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 0], 0), "tau must be above 0"),
        (([1, 2], [1, 0], 3), "tau 3 is beyond the end of follow-up, 2"),
        (([1, 2], [1, 2], 1), "competing events"),
        (([1, None], [1, 1], 1), "1 rows have no time"),
    ],
)
def test_what_cannot_be_estimated_is_said_in_words(arguments, message):
    with pytest.raises(StatisticalProblem, match=message):
        restricted_mean(*arguments)


def test_when_all_have_died_tau_may_be_later():
    assert restricted_mean([1, 2], [1, 1], 9).mean == 1.5


def test_groups_of_different_tau_are_not_compared():
    with pytest.raises(StatisticalProblem, match="tau 1 and 2"):
        contrast_means(restricted_mean([2, 3], [1, 0], 1), restricted_mean([2, 3], [1, 0], 2))
