"""Firth's and the elastic net's Cox models: against R, and by what a penalty does."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.elastic_net import cross_validate, elastic_net_path, selection_frequency
from aclf_pipeline.science.firth import FirthFit, fit_firth
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.cox_cases import draw_case
from aclf_pipeline_tests.science.reference import answers, data

DATA, ANSWERS = load_reference()


def arrays(frame: pl.DataFrame, time: str, event: str, terms: list[str]) -> tuple[np.ndarray, ...]:
    return frame[time].to_numpy(), frame[event].to_numpy() == 1, frame.select(terms).to_numpy().astype(float)


def firth_as_r(key: str) -> FirthFit:
    terms = ANSWERS["firth"][key]["terms"]
    frame, time = (DATA["separation"], "time") if key == "separation_PL" else (DATA["lung"], "month")
    return fit_firth(*arrays(frame, time, "event", terms), terms)


@pytest.mark.parametrize("key", ["separation_PL", "lung_ties"])
def test_firth_equals_coxphf(key):
    fit, expected = firth_as_r(key), ANSWERS["firth"][key]
    for ours, theirs in (
        (fit.coef, expected["coef"]),
        (fit.se, expected["se"]),
        (np.exp(fit.lower), expected["lower"]),
        (np.exp(fit.upper), expected["upper"]),
        (fit.p, expected["p"]),
        ([fit.loglik_null, fit.loglik], expected["loglik"]),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)


def test_firth_is_finite_where_the_plain_model_has_no_maximum():
    terms = ["x1", "x2"]
    separated = arrays(DATA["separation"], "time", "event", terms)
    with pytest.raises(StatisticalProblem, match="'x1'"):
        fit_cox(*separated, terms)
    row = fit_firth(*separated, terms).table().row(0, named=True)
    assert 0 < row["lower"] < row["hr"] < row["upper"] < 1


def test_firth_with_entry_and_strata_climbs_to_the_definition():
    """At the maximum no step in any direction gains, the penalty taken by differences of the definition."""
    case = draw_case(3, entry=True, strata=2)
    fit = fit_firth(case["stop"], case["event"], case["design"], case["names"], start=case["start"],
                    strata=case["strata"])  # fmt: skip

    def value(beta: np.ndarray) -> float:
        total, information = 0.0, np.zeros((3, 3))
        for layer in (0, 1):
            for person in np.flatnonzero(case["event"] & (case["strata"] == layer)):
                moment = case["stop"][person]
                there = (case["strata"] == layer) & (case["start"] < moment) & (case["stop"] >= moment)
                x, risk = case["design"][there], np.exp(case["design"][there] @ beta)
                mean = risk @ x / risk.sum()
                total += case["design"][person] @ beta - np.log(risk.sum())
                information += (x - mean).T @ ((x - mean) * risk[:, None]) / risk.sum()
        return float(total + np.linalg.slogdet(information)[1] / 2)

    top = value(fit.coef)
    assert all(value(fit.coef + step) < top for axis in np.eye(3) for step in (1e-3 * axis, -1e-3 * axis))
    slopes = [(value(fit.coef + 1e-5 * axis) - value(fit.coef - 1e-5 * axis)) / 2e-5 for axis in np.eye(3)]
    assert np.abs(slopes).max() < 1e-5


def test_firth_does_not_depend_on_the_unit():
    case = draw_case(5)
    arguments = case["stop"], case["event"]
    one = fit_firth(*arguments, case["design"], case["names"])
    other = fit_firth(*arguments, case["design"] * 1000 + 7, case["names"])
    np.testing.assert_allclose(other.coef * 1000, one.coef, atol=1e-7)
    np.testing.assert_allclose((other.loglik, *other.p), (one.loglik, *one.p), atol=1e-8)


def test_firth_refuses_what_no_penalty_mends():
    case = draw_case(1)
    twice = np.column_stack([case["design"][:, 0], case["design"][:, 0]])
    with pytest.raises(StatisticalProblem, match="linear combination"):
        fit_firth(case["stop"], case["event"], twice, ["a", "b"])
    with pytest.raises(StatisticalProblem, match="'flat'"):
        fit_firth(case["stop"], case["event"], np.ones((60, 1)), ["flat"])


def test_paths_and_cross_validation_equal_glmnet():
    expected = answers("15_glmnet_cox")
    inputs = (*arrays(data("rotterdam"), "time", "event", expected["terms"]), expected["terms"])
    for alpha, penalties, coef in ((1.0, "lambda", "beta"), (0.5, "alpha05_lambda", "alpha05_beta")):
        path = elastic_net_path(*inputs, alpha=alpha)
        np.testing.assert_allclose(path.penalties, expected[penalties], rtol=2e-6)
        np.testing.assert_allclose(path.coef, expected[coef], rtol=0, atol=2e-4)
    chosen = cross_validate(*inputs, data("rotterdam_folds")["fold"].to_numpy())
    np.testing.assert_allclose(chosen.deviance, expected["cv"]["cvm"], rtol=0, atol=2e-4)
    np.testing.assert_allclose(chosen.se, expected["cv"]["cvsd"], rtol=0, atol=2e-4)
    assert chosen.least == pytest.approx(expected["cv"]["lambda_min"], rel=2e-6)
    assert chosen.simplest == pytest.approx(expected["cv"]["lambda_1se"], rel=2e-6)
    assert (chosen.coef_simplest != 0).sum() < (chosen.coef_least != 0).sum()


def test_a_vanishing_penalty_is_the_plain_model_and_a_large_one_leaves_nothing():
    case = draw_case(8, n=120)
    inputs = (case["stop"], case["event"], case["design"], case["names"])
    path = elastic_net_path(*inputs, penalties=[10.0, 1e-9])
    assert path.coef[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(path.coef[1], fit_cox(*inputs, ties="breslow").coef, atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_every_solution_meets_its_conditions(alpha):
    """Kuhn–Tucker, by differences: a term in has the slope of its penalty, a term out a smaller one."""
    case = draw_case(11, n=150, p=5, entry=True)
    inputs = (case["stop"], case["event"], case["design"], case["names"])
    path = elastic_net_path(*inputs, alpha=alpha, start=case["start"], steps=20)
    plain = fit_cox(*inputs, start=case["start"], ties="breslow")
    spread = case["design"].std(axis=0)
    for penalty, coef in zip(path.penalties, path.coef, strict=True):
        state = plain.likelihood.at(coef * plain.scale)
        slope = state.gradient / plain.scale * spread / 150
        size, part = coef * spread, penalty * alpha
        stays = coef != 0
        np.testing.assert_allclose(
            slope[stays], (np.sign(size) * part + penalty * (1 - alpha) * size)[stays], atol=1e-7
        )
        assert (np.abs(slope[~stays]) <= part + 1e-9).all()


def test_selection_counts_the_draws_that_failed():
    case = draw_case(2, n=100)
    inputs = (case["stop"], case["event"], case["design"], case["names"])
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, 100, 100) for _ in range(20)] + [np.flatnonzero(~case["event"])[:10]]
    table, failures = selection_frequency(*inputs, 0.02, draws)
    assert table["draws"].to_list() == [20] * 3
    assert sum(failures.values()) == 1
    assert table.filter(pl.col("coef") != 0)["selected"].min() > 0.5
    assert ((table["positive"] == 0) | (table["positive"] <= table["selected"])).all()


def test_what_cannot_be_asked_is_refused():
    case = draw_case(2)
    inputs = (case["stop"], case["event"], case["design"], case["names"])
    with pytest.raises(StatisticalProblem, match="alpha"):
        elastic_net_path(*inputs, alpha=0)
    with pytest.raises(StatisticalProblem, match="fall"):
        elastic_net_path(*inputs, penalties=[0.1, 0.2])
    with pytest.raises(StatisticalProblem, match="three"):
        cross_validate(*inputs, np.arange(60) % 2)
