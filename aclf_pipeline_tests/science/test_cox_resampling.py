"""Refits on drawn rows are fits of those rows; what cannot be fitted is counted, not replaced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.cox_curves import baseline_hazard
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_resampling import refit, refit_one
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.cox_cases import draw_case


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    kind=st.fixed_dictionaries({"entry": st.booleans(), "strata": st.sampled_from([1, 3]), "weights": st.booleans()}),
    ties=st.sampled_from(["efron", "breslow"]),
)
def test_a_refit_is_the_fit_of_the_rows_drawn(seed, kind, ties):
    case = draw_case(seed, n=120, **kind)
    fit = fit_cox(**case, ties=ties)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(0, 120, 120), rng.permutation(120)[:90], np.arange(120)]
    refits = refit(fit, draws)
    assert refits.failures == {}
    for coef, rows in zip(refits.coef, draws, strict=True):
        drawn = {name: value if name == "names" else value[rows] for name, value in case.items()}
        np.testing.assert_allclose(coef, fit_cox(**drawn, ties=ties).coef, atol=1e-8)


def test_draws_without_a_maximum_are_counted_by_reason():
    case = draw_case(1, n=80)
    fit = fit_cox(**case)
    alive, one_arm = np.flatnonzero(~case["event"]), np.flatnonzero(case["design"][:, 1] == 1)
    refits = refit(fit, [alive, np.arange(80), one_arm, alive])
    assert np.isnan(refits.coef[[0, 2, 3]]).all()
    np.testing.assert_allclose(refits.coef[1], fit.coef, atol=1e-10)
    assert sorted(refits.failures.values()) == [1, 2]
    assert refits.failures["Cox model: no event in the draw"] == 2


def test_no_draws_are_no_rows():
    assert refit(fit_cox(**draw_case(1)), []).coef.shape == (0, 3)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(
    seed=st.integers(0, 1000), entry=st.booleans(), weights=st.booleans(), ties=st.sampled_from(["efron", "breslow"])
)
def test_a_refit_knows_its_baseline_hazard(seed, entry, weights, ties):
    case = draw_case(seed, n=120, entry=entry, strata=1, weights=weights)
    fit = fit_cox(**case, ties=ties)
    rows = np.random.default_rng(seed).integers(0, 120, 120)
    found = refit_one(fit, rows)
    drawn = fit_cox(**{name: value if name == "names" else value[rows] for name, value in case.items()}, ties=ties)
    theirs = baseline_hazard(drawn, at=fit.centre)
    np.testing.assert_allclose(found.coef, drawn.coef, atol=1e-8)
    np.testing.assert_array_equal(found.times, theirs.time)
    np.testing.assert_allclose(found.hazard, theirs.hazard, rtol=1e-7)


def test_a_baseline_hazard_of_strata_is_refused():
    with pytest.raises(StatisticalProblem, match="without strata"):
        refit_one(fit_cox(**draw_case(1, n=90, strata=3)), np.arange(90))
