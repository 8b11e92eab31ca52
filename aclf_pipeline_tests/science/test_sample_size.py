"""Riley's criteria: against the values the authors' own package is held to, and by inverting one another."""

from __future__ import annotations

from math import ceil, exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.sample_size import (
    degrees_of_freedom,
    df_budget,
    expected_shrinkage,
    max_r2_cox_snell,
    required,
    risk_margin,
)


@pytest.mark.parametrize(
    ("parameters", "r2", "rate", "expected", "events_per_parameter"),
    [
        (25, 0.051, 0.065, (4286, 866, 4286), 23.07),
        (25, 0.065, 0.065, (3335, 859, 3335), 17.95),
        (50, 0.051, 0.065, (8572, 1731, 8572), 23.07),
        (25, 0.051, 0.1, (4286, 731, 4286), 35.49),
    ],
)
def test_people_needed_equal_pmsampsize(parameters, r2, rate, expected, events_per_parameter):
    """The tests of pmsampsize 1.1 (tests/testthat/test_surv.R, 3.1 to 3.4): mean follow-up 2.07, horizon 2.

    The package counts whole events among 10,000 people, which by_optimism feels in its last person: it is given that
    rate; the other criteria are the same at either.
    """
    whole = ceil(rate * 2.07 * 10_000) / 10_000 / 2.07
    found = required(parameters, r2, rate=rate, mean_followup=2.07, horizon=2)
    as_theirs = required(parameters, r2, rate=whole, mean_followup=2.07, horizon=2)
    assert (found.by_shrinkage, as_theirs.by_optimism, found.by_risk) == expected
    assert abs(found.by_optimism - expected[1]) <= 1
    assert round(found.events_per_df, 2) == events_per_parameter


def test_the_example_of_the_guidance():
    """Riley et al. 2020, BMJ 368:m441 and Stat Med 38:1276: recurrent venous thromboembolism, 30 parameters: 5,143."""
    assert required(30, 0.051, rate=0.065, mean_followup=2.07, horizon=2).n == 5143


def test_the_budget_of_446_people_with_220_events():
    low, high = df_budget(446, 220, 0.15), df_budget(446, 220, 0.30)
    assert (round(low.df, 1), round(high.df, 1)) == (6.5, 14.1)
    assert low.events_per_df == pytest.approx(220 / low.df)
    assert low.df == low.df_shrinkage < low.df_optimism
    assert low.r2_cox_snell == pytest.approx(0.15 * low.r2_cox_snell_max)


@given(n=st.integers(50, 5000), share=st.floats(0.05, 0.95), r2=st.floats(0.02, 0.6), p=st.integers(1, 40))
def test_budget_and_need_invert_one_another(n, share, r2, p):
    events = max(1, round(n * share))
    budget = df_budget(n, events, r2)
    needed = required(p, budget.r2_cox_snell, rate=events / n, mean_followup=1, horizon=1, margin=1.0)
    bears = min(budget.df_shrinkage, budget.df_optimism) * needed.n / n
    assert p <= bears + 1e-9
    assert bears - p <= budget.df / n + 1e-9, "one person fewer would not do"
    assert df_budget(2 * n, 2 * events, r2).df == pytest.approx(2 * budget.df)


def test_the_heuristic_shrinkage_is_nine_tenths_where_the_budget_is_used_up():
    """p of the budget and the LR that goes with R²cs/S (apparent) give 1 − p/LR = S (Riley et al. 2019)."""
    n, r2 = 446, 0.122
    p = degrees_of_freedom(n, r2, 0.9)
    assert expected_shrinkage(1, 10) == pytest.approx(0.9)
    lr = -n * log(1 - r2 / 0.9)
    assert expected_shrinkage(p, lr) == pytest.approx(0.9)


def test_the_margin_of_the_overall_risk():
    """100 events in 1,000 person-years, horizon 1: 1 − exp(−0.1 ± 1.96·0.01)."""
    assert risk_margin(0.1, 1000, 1) == pytest.approx(exp(-0.1 + 0.0196) - exp(-0.1))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: max_r2_cox_snell(10, 0), "0 events among 10"),
        (lambda: max_r2_cox_snell(10, 11), "11 events among 10"),
        (lambda: df_budget(100, 50, 1.2), "not between 0 and 1"),
        (lambda: degrees_of_freedom(100, 0.95, 0.9), "R² below shrinkage"),
        (lambda: required(0, 0.1, rate=1, mean_followup=1, horizon=1), "must be above 0"),
        (lambda: expected_shrinkage(3, 0), "says nothing of shrinkage"),
    ],
)
def test_figures_that_cannot_be_are_refused(made, says):
    with pytest.raises(StatisticalProblem, match=says):
        made()
