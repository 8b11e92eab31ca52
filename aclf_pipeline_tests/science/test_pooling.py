"""Rubin's rules: against R's mice on the same completed data, by hand, and by what must hold of any pooling."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.pooling import imputations_needed, pool, pool_fits, pool_survival, wald_test
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.published import FOLDER, published
from aclf_pipeline_tests.science.reference import answers


@pytest.fixture(scope="module")
def mice() -> Any:
    return json.loads((FOLDER / "mice_pool.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def completed() -> list[pl.DataFrame]:
    """The 20 data sets mice completed: each gap took the value of the person named."""
    frame, donors = published("pbc_incomplete").with_columns(pl.exclude("id").cast(pl.Float64)), published("pbc_donors")
    frames = []
    for k in range(1, 21):
        whole = frame
        for column in donors["column"].unique(maintain_order=True):
            of = donors.filter(pl.col("column") == column)
            value = dict(zip(frame["id"], frame[column], strict=True))
            drawn = {gap: value[donor] for gap, donor in zip(of["id"], of[f"m{k}"], strict=True)}
            whole = whole.with_columns(
                pl.col(column).fill_null(pl.col("id").replace_strict(drawn, default=None, return_dtype=pl.Float64))
            )
        frames.append(whole)
    return frames


@pytest.fixture(scope="module")
def fits(completed: list[pl.DataFrame], mice: Any) -> list[CoxFit]:
    return [cox(frame, mice["terms"]) for frame in completed]


def cox(frame: pl.DataFrame, terms: list[str]) -> CoxFit:
    return fit_cox(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, frame.select(terms).to_numpy(), terms)


def test_pooled_cox_models_equal_mice(fits: list[CoxFit], mice: Any) -> None:
    pooled = pool_fits(fits)
    assert pooled.dfcom == mice["dfcom"]
    pairs = {"coef": "estimate", "se": "se", "statistic": "statistic", "p": "p", "lower": "lower", "upper": "upper"}
    pairs |= {"riv": "riv", "share": "lambda", "fmi": "fmi"}
    for ours, theirs in pairs.items():
        np.testing.assert_allclose(getattr(pooled, ours), mice[theirs], rtol=0, atol=1e-10, err_msg=ours)
    np.testing.assert_allclose(pooled.df, mice["df"], rtol=1e-9)
    for ours, theirs in (("within", "ubar"), ("between", "b"), ("vcov", "t")):
        np.testing.assert_allclose(np.diag(getattr(pooled, ours)), mice[theirs], rtol=1e-9)
    table = pooled.table()
    assert table.columns == [
        "term", "estimate", "se", "lower", "upper", "statistic", "df", "p", "fmi", "riv", "m",
    ]  # fmt: skip
    assert table["m"].unique().to_list() == [20]


def test_the_joint_test_equals_mice(fits: list[CoxFit], mice: Any) -> None:
    test = wald_test(pool_fits(fits), ["platelet", "log_copper", "log_chol"])
    theirs = mice["D1"]
    assert (test.df1, test.statistic, test.riv, test.p) == (
        theirs["df1"], *(pytest.approx(theirs[name], abs=1e-10) for name in ("F", "riv", "p")),
    )  # fmt: skip
    assert test.df2 == pytest.approx(theirs["df2"], rel=1e-10)


def test_the_complete_cases_equal_r(mice: Any) -> None:
    frame = published("pbc_incomplete").drop_nulls().cast(pl.Float64)
    fit, theirs = cox(frame, mice["terms"]), mice["complete_case"]
    assert fit.n == theirs["n"]
    np.testing.assert_allclose(fit.coef, theirs["coef"], atol=1e-9)
    np.testing.assert_allclose(fit.se, theirs["se"], atol=1e-9)


def test_pooling_of_rs_own_estimates_equals_mice(mice: Any) -> None:
    """No model of ours in between."""
    theirs = answers("11_mice_pool")
    pooled = pool(theirs["coefs"], np.square(theirs["ses"]), theirs["terms"], dfcom=177)
    np.testing.assert_allclose(pooled.df, theirs["df"], rtol=1e-11)
    np.testing.assert_allclose(pooled.lower, theirs["lower"], atol=1e-12)


def test_by_hand() -> None:
    """
    estimates 1, 2, 3; squared errors 1, 1, 4

    mean 2; within 2; between 1; total 2 + 4/3 = 10/3; riv (4/3)/2 = 2/3; share (4/3)/(10/3) = 2/5
    df of large samples 2/(2/5)² = 12.5; of 60: 61/63·60·3/5; joined 1/(1/12.5 + 1/34.857…)
    """
    pooled = pool([1, 2, 3], [1, 1, 4], ["x"], dfcom=60)
    assert (pooled.coef[0], pooled.se[0] ** 2) == (2, pytest.approx(10 / 3))
    assert (pooled.riv[0], pooled.share[0]) == (pytest.approx(2 / 3), pytest.approx(2 / 5))
    df = 1 / (1 / 12.5 + 1 / (61 / 63 * 60 * 3 / 5))
    assert pooled.df[0] == pytest.approx(df)
    assert pooled.fmi[0] == pytest.approx((2 / 3 + 2 / (df + 3)) / (5 / 3))
    assert pool([1, 2, 3], [1, 1, 4], ["x"]).df[0] == pytest.approx(12.5)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 30), p=st.integers(1, 5), dfcom=st.sampled_from([20.0, 200.0]))
def test_what_holds_of_every_pooling(seed: int, m: int, p: int, dfcom: float) -> None:
    rng = np.random.default_rng(seed)
    estimates, roots = rng.normal(size=(m, p)), rng.normal(size=(m, p, p + 2))
    variances, names = roots @ roots.transpose(0, 2, 1), [f"x{k}" for k in range(p)]
    pooled = pool(estimates, variances, names, dfcom=dfcom)
    assert (pooled.se**2 >= np.diag(pooled.within) - 1e-12).all()
    assert (pooled.df <= dfcom).all()
    assert ((pooled.share >= 0) & (pooled.share < 1)).all()
    turn = rng.permutation(m)
    np.testing.assert_allclose(pool(estimates[turn], variances[turn], names, dfcom=dfcom).upper, pooled.upper)
    # another unit of the first column
    unit = np.ones(p)
    unit[0] = 10.0
    scaled = pool(estimates * unit, variances * np.outer(unit, unit), names, dfcom=dfcom)
    np.testing.assert_allclose(scaled.statistic, pooled.statistic)
    assert wald_test(scaled).statistic == pytest.approx(wald_test(pooled).statistic)
    # Reiter's denominator is Li's in large samples
    if p * (m - 1) > 4:
        assert wald_test(pooled, dfcom=1e12).df2 == pytest.approx(wald_test(pooled).df2, rel=1e-4)


def test_nothing_missing_is_the_plain_analysis(fits: list[CoxFit]) -> None:
    pooled = pool_fits([fits[0]] * 5)
    np.testing.assert_allclose(pooled.coef, fits[0].coef)
    np.testing.assert_allclose(pooled.se, fits[0].se)
    assert (pooled.riv < 1e-12).all()
    test = wald_test(pooled)
    assert test.df2 == np.inf or test.df2 > 1e6
    assert test.statistic * test.df1 == pytest.approx(fits[0].wald.statistic, rel=1e-9)


def test_survival_is_pooled_on_the_scale_on_which_it_is_symmetric(fits: list[CoxFit]) -> None:
    people, times = fits[0].data.design[:3], np.array([0.0, 365.0, 1825.0, 1e5])
    curves = [cox_curves.survival(fit, people, times) for fit in fits]
    pooled = pool_survival(curves)
    assert (pooled.survival[:, 0] == 1).all()
    assert (pooled.lower[:, 0] == 1).all()
    assert np.isnan(pooled.survival[:, 3]).all(), "nobody was followed so far"
    inner = slice(1, 3)
    each = np.log(-np.log(np.stack([c.survival[:, inner] for c in curves])))
    np.testing.assert_allclose(np.log(-np.log(pooled.survival[:, inner])), each.mean(axis=0))
    assert (pooled.lower[:, inner] < pooled.survival[:, inner]).all()
    assert (pooled.upper[:, inner] > pooled.survival[:, inner]).all()
    # equal curves pool to themselves, with their own interval
    same = pool_survival([curves[0]] * 20)
    np.testing.assert_allclose(same.survival[:, inner], curves[0].survival[:, inner], atol=1e-12)
    np.testing.assert_allclose(same.lower[:, inner], curves[0].lower[:, inner], atol=1e-8)
    np.testing.assert_allclose(same.se[:, inner], curves[0].se[:, inner], atol=1e-12)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: pool([[1.0]], [[1.0]], ["x"]), "1 analyses; at least two"),
        (lambda: pool([1, 2], [1, 1], ["x", "y"]), "do not agree"),
        (lambda: pool([1, np.nan], [1, 1], ["x"]), "1 of 2 analyses lack an estimate"),
        (lambda: pool([1, 2], [1, 0], ["x"]), "not above 0"),
        (lambda: pool([1, 2], [1, 1], ["x"], dfcom=-3), "more coefficients than events"),
        (lambda: wald_test(pool([1, 2], [1, 1], ["x"]), ["z"]), "the model has no z; it has x"),
        (lambda: wald_test(pool([1, 2], [1, 1], ["x"]), dfcom=5), "too few for this test"),
    ],
)
def test_what_cannot_be_pooled_is_refused(made: Any, says: str) -> None:
    with pytest.raises(StatisticalProblem, match=says):
        made()


def test_imputations_are_as_many_as_the_missing_ask_for() -> None:
    assert [imputations_needed(fmi) for fmi in ([0.05], [0.1, 0.2], [0.21], 0.374897)] == [20, 20, 21, 38]
