"""Kaplan–Meier, log-rank, pseudo-values and the Weibull model from arrays: against R and by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.logrank import logrank_test
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.product_limit import product_limit
from aclf_pipeline.science.pseudo_values import pseudo_restricted_mean, pseudo_survival
from aclf_pipeline.science.rmst import restricted_mean
from aclf_pipeline.science.weibull import fit_weibull
from aclf_pipeline_tests.science.cox_cases import draw_case
from aclf_pipeline_tests.science.reference import answers, assert_close, data

DATA, ANSWERS = load_reference()


def test_by_hand():
    """
    a x 2          S 3/4
    b   o 3
    c     x 4      S 3/4 · 1/2
    d       o 5
    """
    curve = product_limit([2, 3, 4, 5], [1, 0, 1, 0], interval="plain")
    assert curve.survival.tolist() == pytest.approx([0.75, 0.75, 0.375, 0.375])
    assert curve.at_risk.tolist() == [4, 3, 2, 1]
    assert curve.se[0] == pytest.approx(0.75 * np.sqrt(1 / 4 / 3))
    read = curve.at([1, 4, 9])
    assert read["survival"].to_list() == [1, 0.375, None]
    assert curve.quantiles([0.5])["time"].to_list() == [4]
    assert product_limit([2, 4], [1, 1]).quantiles([0.5])["time"].to_list() == [3]  # halfway, on a flat stretch


@pytest.mark.parametrize("interval", ["plain", "log", "log-log"])
def test_tables_quantiles_and_limits_equal_survfit(interval):
    expected = answers("01_kaplan_meier")
    pbc, lung, late = data("pbc"), data("lung"), data("pbc_left_truncated")
    cases = {
        "lung_all": (lung["time"], lung["event"], None),
        "lung_sex2": (*(lung.filter(pl.col("sex") == 2)[name] for name in ("time", "event")), None),
        "pbc_tfs_all": (pbc["time"], pbc["tfs"], None),
        "pbc_lt": (late["time"], late["tfs"], late["entry"]),
    }
    for name, (time, event, entry) in cases.items():
        if f"{name}_{interval}" not in expected:
            continue
        answer = expected[f"{name}_{interval}"]
        curve = product_limit(time, event, entry=entry, interval=interval)
        table, quantiles = curve.table(), curve.quantiles(answer["quantiles"]["p"])
        for ours, theirs in (("survival", "surv"), ("se", "se_surv"), ("lower", "lower"), ("upper", "upper")):
            assert_close(table[ours], answer["table"][theirs], 1e-10)
        for ours, theirs in (("time", "q"), ("lower", "lower"), ("upper", "upper")):
            assert_close(quantiles[ours], answer["quantiles"][theirs], 0)


def test_weights_equal_r():
    """R's robust error comes times survival in the answers, which is why ours is multiplied."""
    frame, expected = DATA["pbc"], ANSWERS["weighted_curve"]
    curve = product_limit(frame["time"], frame["tfs"], weight=frame["w"])
    at = curve.at(expected["time"])
    np.testing.assert_allclose(at["survival"], expected["surv"], atol=1e-12)
    np.testing.assert_allclose(at["se"], expected["se_greenwood"], atol=1e-12)
    robust = product_limit(frame["time"], frame["tfs"], weight=frame["w"], robust=True).at(expected["time"])
    np.testing.assert_allclose(robust["se"] * robust["survival"], expected["se_robust"], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_whole_weight_is_so_many_rows(seed):
    rng = np.random.default_rng(seed)
    time, event, many = rng.integers(1, 12, 30), rng.random(30) < 0.6, rng.integers(1, 4, 30)
    one = product_limit(time, event, weight=many)
    other = product_limit(np.repeat(time, many), np.repeat(event, many))
    np.testing.assert_allclose(one.survival, other.survival, atol=1e-12)
    np.testing.assert_allclose(one.se, other.se, atol=1e-12)


def test_logrank_equals_survdiff():
    expected, lung, veteran = answers("02_logrank"), data("lung"), data("veteran")
    complete, late = data("lung_complete"), data("pbc_left_truncated")
    found = {
        "lung_sex": logrank_test(lung["time"], lung["event"], lung["sex"]),
        "lung_sex_peto": logrank_test(lung["time"], lung["event"], lung["sex"], rho=1),
        "veteran_trt": logrank_test(veteran["time"], veteran["status"], veteran["trt"]),
        "lung_sex_strat_ecog": logrank_test(
            complete["time"], complete["event"], complete["sex"], strata=complete["ph_ecog"]
        ),
    }
    for name, result in found.items():
        assert result.test.statistic == pytest.approx(expected[name]["chisq"], abs=1e-9)
        if "obs" in expected[name]:
            np.testing.assert_allclose(result.observed, expected[name]["obs"], atol=1e-10)
            np.testing.assert_allclose(result.expected, expected[name]["exp"], atol=1e-10)
    # R has no log-rank with delayed entry; its answer is Breslow's score test of a Cox model.
    score = fit_cox(late["time"].to_numpy(), late["tfs"].to_numpy() == 1, late.select("sex_f").to_numpy(), ["sex_f"],
                    start=late["entry"].to_numpy(), ties="breslow").score  # fmt: skip
    assert score.statistic == pytest.approx(expected["lt_sex_cox_score"]["chisq"], abs=1e-9)


def test_logrank_with_entry_is_the_score_test_of_a_cox_model_without_ties():
    case = draw_case(3, n=80, days=400, entry=True)
    rng = np.random.default_rng(0)
    stop = case["stop"] + rng.random(80) / 2
    group = case["design"][:, 1]
    test = logrank_test(stop, case["event"], group, entry=case["start"]).test
    score = fit_cox(stop, case["event"], group[:, None], ["g"], start=case["start"]).score
    assert test.statistic == pytest.approx(score.statistic, abs=1e-9)


def test_logrank_refuses_what_cannot_be_compared():
    with pytest.raises(StatisticalProblem, match="two groups"):
        logrank_test([1, 2], [1, 1], ["a", "a"])
    with pytest.raises(StatisticalProblem, match="no event"):
        logrank_test([1, 2], [0, 0], ["a", "b"])
    with pytest.raises(StatisticalProblem, match="weight"):
        product_limit([1, 2], [1, 0], weight=[1, 0])


def test_pseudo_values_equal_r_and_their_mean_is_the_estimate():
    expected, frame = answers("23_misc"), data("pbc_cc")
    time, event = frame["time"], frame["tfs"]
    np.testing.assert_allclose(pseudo_survival(time, event, 1095), np.ravel(expected["pseudo_surv_1095"]), atol=1e-10)
    mean = pseudo_restricted_mean(time, event, 1095)
    np.testing.assert_allclose(mean, np.ravel(expected["pseudo_rmst_1095"]), atol=1e-8)
    assert mean.mean() == pytest.approx(restricted_mean(time, event, 1095).mean)
    with pytest.raises(StatisticalProblem, match="followed"):
        pseudo_survival(time, event, 99_999)


def test_the_weibull_model_equals_survreg():
    expected, frame = ANSWERS["weibull"], DATA["lung"]
    terms = expected["terms"][1:]
    fit = fit_weibull(frame["time"].to_numpy(), frame["event"].to_numpy() == 1, frame.select(terms).to_numpy(), terms)
    np.testing.assert_allclose(fit.coef, expected["coef"], atol=1e-6)
    assert fit.scale == pytest.approx(expected["scale"], abs=1e-6)
    assert fit.loglik == pytest.approx(expected["loglik"][1], abs=1e-9)
    cox = fit_cox(frame["time"].to_numpy(), frame["event"].to_numpy() == 1, frame.select(terms).to_numpy(), terms)
    np.testing.assert_allclose(fit.log_hr, cox.coef, atol=0.1)
