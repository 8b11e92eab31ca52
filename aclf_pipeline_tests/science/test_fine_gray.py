"""Fine–Gray against R, by hand, against Cox where they must agree, and in simulations with a known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.fine_gray import fit_fine_gray, predicted_incidence
from aclf_pipeline.science.fine_gray_episodes import fit_fine_gray_episodes, subdistribution_episodes
from aclf_pipeline.science.incidence_jackknife import incidence_with_jackknife
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.reference import answers, data, numbers


def draw(seed: int, n: int = 200, *, days: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fine & Gray 1999, section 4: log subdistribution hazard ratios 0.5 and −0.5 for cause 1. `days` makes ties."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.random(n) < 0.5]).astype(float)
    relative = np.exp(x @ [0.5, -0.5])
    ever = 1 - 0.5**relative
    first = rng.random(n) < ever
    # Given cause 1, T solves 1 − (1 − 0.5(1 − e^−t))^relative = u·ever.
    time = -np.log(1 - (1 - (1 - rng.random(n) * ever) ** (1 / relative)) / 0.5)
    time = np.where(first, time, rng.exponential(np.exp(x @ [0.3, -0.2])))
    censored = rng.uniform(0.5, 3.0, n)
    code = np.where(time > censored, 0, np.where(first, 1, 2))
    time = np.minimum(time, censored)
    return (np.ceil(time * days) if days else time), code, x


def test_by_hand():
    """Nobody is censored, so whoever had the other event stays at risk with weight 1.

    day  event  x    L(θ) = θ/(2θ + 2) · 1/(θ + 2) · θ/(θ + 1), θ the hazard ratio of x = 1
    1    cause  1    its derivative is 0 where θ² − θ − 4 = 0
    2    other  0    θ = (1 + √17)/2; the baseline hazard jumps by 1/(2θ + 2), 1/(θ + 2), 1/(θ + 1)
    3    cause  0
    4    cause  1
    """
    fit = fit_fine_gray([1, 2, 3, 4], [1, 2, 1, 1], np.array([[1.0], [0], [0], [1]]), ["x"])
    theta = (1 + np.sqrt(17)) / 2
    assert np.exp(fit.coef[0]) == pytest.approx(theta)
    assert fit.jumps == pytest.approx([1 / (2 * theta + 2), 1 / (theta + 2), 1 / (theta + 1)])
    expected = 1 - np.exp(-theta * np.cumsum(fit.jumps)[:2])
    incidence = predicted_incidence(fit, np.array([[1.0]]), [0.5, 1, 3.5, 4.5])
    assert incidence[0, :3] == pytest.approx([0, *expected])
    assert np.isnan(incidence[0, 3])
    assert (fit.n, fit.events, fit.competing) == (4, 3, 1)


@pytest.mark.parametrize(("key", "cause"), [("pbc_death", 1), ("pbc_tx", 2)])
def test_fine_gray_equals_crr(key, cause):
    frame, expected = data("pbc_cc"), answers("06_fine_gray")[key]
    design = frame.select(expected["terms"]).to_numpy().astype(float)
    fit = fit_fine_gray(frame["time"], frame["etype"], design, expected["terms"], cause=cause)
    np.testing.assert_allclose(fit.coef, numbers(expected["coef"]), rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit.se, numbers(expected["se"]), rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit.vcov, numbers(expected["vcov"]), rtol=0, atol=1e-11)
    assert fit.loglik == pytest.approx(expected["loglik"], abs=1e-10)
    assert fit.loglik_null == pytest.approx(expected["loglik_null"], abs=1e-10)
    assert fit.times.tolist() == expected["uftime"]
    np.testing.assert_allclose(fit.jumps, numbers(expected["bfitj"]), rtol=1e-10)
    if "pred_cif" in expected:
        ours = predicted_incidence(fit, design[:3], expected["pred_cif"]["time"])
        np.testing.assert_allclose(ours.T, numbers(expected["pred_cif"]["cif"]), rtol=0, atol=1e-12)


def test_episodes_equal_finegray_and_coxph():
    frame, expected = data("pbc_cc"), answers("06_fine_gray")["pbc_death_finegray"]
    design = frame.select(expected["terms"]).to_numpy().astype(float)
    fit = fit_fine_gray_episodes(frame["time"], frame["etype"], design, expected["terms"])
    np.testing.assert_allclose(fit.coef, numbers(expected["coef"]), rtol=0, atol=1e-11)
    np.testing.assert_allclose(fit.se, numbers(expected["se_robust"]), rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.naive_vcov)), numbers(expected["se_naive"]), rtol=0, atol=1e-11)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), late=st.booleans())
def test_product_limit_of_the_episodes_is_aalen_johansen(seed, late):
    """Geskus 2011: with delayed entry and ties too, if the weights are right."""
    rng = np.random.default_rng(seed)
    time, code = rng.integers(2, 15, 60).astype(float), rng.integers(0, 3, 60)
    code[0] = 1
    entry = np.where(rng.random(60) < 0.5, 0.0, rng.integers(0, time)) if late else None
    episodes = subdistribution_episodes(time, code, entry=entry)
    whole = incidence_with_jackknife(time, code, entry=entry)
    remaining = 1.0
    for moment in np.unique(episodes.stop[episodes.event]):
        there = (episodes.start < moment) & (episodes.stop >= moment)
        remaining *= 1 - episodes.event[episodes.stop == moment].sum() / episodes.weight[there].sum()
        assert 1 - remaining == pytest.approx(whole.probability[whole.time == moment, 1].item(), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_without_censoring_it_is_a_cox_model_in_which_other_events_never_leave(seed):
    time, code, x = draw(seed, days=10)
    rows = code > 0
    time, code, x = time[rows], code[rows], x[rows]
    fit = fit_fine_gray(time, code, x, ["a", "b"])
    never = np.where(code == 1, time, time.max() + 1)
    cox = fit_cox(never, code == 1, x, ["a", "b"], ties="breslow", robust=True)
    np.testing.assert_allclose(fit.coef, cox.coef, rtol=1e-9)
    np.testing.assert_allclose(fit.vcov, cox.vcov, rtol=1e-7)
    assert fit.loglik == pytest.approx(cox.loglik)


def test_without_other_events_it_is_the_cox_model():
    time, code, x = draw(5, days=10)
    fit = fit_fine_gray(time, np.minimum(code, 1), x, ["a", "b"])
    cox = fit_cox(time, code > 0, x, ["a", "b"], ties="breslow", robust=True)
    np.testing.assert_allclose(fit.coef, cox.coef, rtol=1e-9)
    np.testing.assert_allclose(fit.vcov, cox.vcov, rtol=1e-7)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_order_and_units_do_not_matter(seed):
    time, code, x = draw(seed, 150, days=20)
    fit = fit_fine_gray(time, code, x, ["a", "b"])
    turn = np.random.default_rng(seed).permutation(150)
    again = fit_fine_gray(time[turn] / 7, code[turn], x[turn] * [1000, 1] + [37, 0], ["a", "b"])
    np.testing.assert_allclose(again.coef * [1000, 1], fit.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(again.se * [1000, 1], fit.se, rtol=1e-7)
    curve = predicted_incidence(fit, x[:5], np.arange(0, 15))
    known = curve[:, ~np.isnan(curve[0])]
    assert (np.diff(known, axis=1) >= 0).all()
    assert ((known >= 0) & (known <= 1)).all()
    np.testing.assert_allclose(
        predicted_incidence(again, x[:5] * [1000, 1] + [37, 0], np.arange(0, 15) / 7), curve, atol=1e-8
    )


def test_truth_is_recovered_and_covered():
    """120 simulated studies of 300: the mean is within 4 Monte Carlo errors, 95 % intervals cover as they say."""
    fits = [fit_fine_gray(*draw(seed, 300), ["a", "b"]) for seed in range(120)]
    coef, se = np.array([fit.coef for fit in fits]), np.array([fit.se for fit in fits])
    truth = np.array([0.5, -0.5])
    assert (np.abs(coef.mean(axis=0) - truth) < 4 * coef.std(axis=0) / np.sqrt(120)).all()
    covered = np.abs(coef - truth) < 1.959964 * se
    assert 0.91 <= covered.mean() <= 0.985


def test_delayed_entry_does_not_bias():
    estimates = []
    for seed in range(40):
        time, code, x = draw(seed, 500)
        entry = np.random.default_rng(1000 + seed).uniform(0, 0.8, 500)
        seen = entry < time
        fit = fit_fine_gray_episodes(time[seen], code[seen], x[seen], ["a", "b"], entry=entry[seen])
        estimates.append(fit.coef)
    error = np.mean(estimates, axis=0) - [0.5, -0.5]
    assert (np.abs(error) < 4 * np.std(estimates, axis=0) / np.sqrt(40)).all()


@pytest.mark.parametrize(
    ("code", "design", "message"),
    [
        ([2, 2, 0, 2], [[1], [2], [3], [4]], "no event 1 among 4 rows"),
        ([1, 1, 0, 2], [[1], [1], [1], [1]], "'x' does not vary"),
        ([1, 1, 0, 2], [[1], [np.nan], [1], [1]], "1 rows have no finite 'x'"),
        ([1, 1, 0, 2], [[4], [3], [2], [1]], "separate the events or nearly so, 'x' most of all"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_words(code, design, message):
    with pytest.raises(StatisticalProblem, match=message):
        fit_fine_gray([1, 2, 3, 4], code, np.array(design, dtype=float), ["x"])


def test_collinear_columns_are_named():
    time, code, x = draw(1)
    with pytest.raises(StatisticalProblem, match="Fine–Gray model: 'c' is a linear combination of 'a'"):
        fit_fine_gray(time, code, np.column_stack([x[:, 0], x[:, 0] * 2 + 1]), ["a", "c"])
    with pytest.raises(StatisticalProblem, match="2 columns of covariates, 1 names"):
        fit_fine_gray(time, code, x, ["a"])
    with pytest.raises(StatisticalProblem, match="1 people lack a covariate of a, b"):
        predicted_incidence(fit_fine_gray(time, code, x, ["a", "b"]), np.array([[np.nan, 1.0]]), [1])
