"""Restricted cubic splines against R's rms, by hand, and by what a spline is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.splines import (
    SplineModel,
    fit_cox_with_splines,
    hazard_ratio_curve,
    orthogonal,
    rms_knots,
    spline_basis,
    spline_names,
    spline_test,
)
from aclf_pipeline_tests.science.published import published
from aclf_pipeline_tests.science.reference import answers, assert_close, data, numbers

COVARIATES = ["log_bili", "age", "edema", "albumin", "log_protime"]


def pbc_fit(number: int) -> SplineModel:
    frame = data("pbc_cc")
    return fit_cox_with_splines(
        frame["time"].to_numpy(),
        frame["tfs"].to_numpy() == 1,
        frame.select(COVARIATES).to_numpy().astype(float),
        COVARIATES,
        {"log_bili": rms_knots(frame["log_bili"], number)},
    )


def draw(seed: int, *, bend: float = 0.0, n: int = 250) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.random(n) < 0.5]).astype(float)
    time = rng.exponential(np.exp(-0.5 * x[:, 0] - bend * x[:, 0] ** 2))
    return np.minimum(time, 2.0), time <= 2.0, x


def test_basis_by_hand():
    """Knots 0, 1, 3: the cubic term is (x₊³ − (x−1)₊³·3/2 + (x−3)₊³/2)/9; at 2 6.5/9, at 4 (64 − 81/2 + 1/2)/9."""
    assert spline_basis([-1, 0, 2, 4], [0, 1, 3])[:, 1] == pytest.approx([0, 0, 6.5 / 9, 24 / 9])
    assert spline_names("x", 4) == ("x", "x'", "x''")


def test_knots_by_hand():
    """Quantiles of 0, 1, …, 100 are themselves; of fewer than 100 values the outer knots are the fifth from the end."""
    assert rms_knots(range(101), 3).tolist() == pytest.approx([10, 50, 90])
    assert rms_knots(range(101), 4).tolist() == pytest.approx([5, 35, 65, 95])
    assert rms_knots(range(101), 5).tolist() == pytest.approx([5, 27.5, 50, 72.5, 95])
    assert rms_knots([*range(60), np.nan], 3).tolist() == [4, 29.5, 55]


@pytest.mark.parametrize("number", [3, 4, 5])
def test_splines_equal_rms(number):
    expected, model = answers("13_rcs")[f"k{number}"], pbc_fit(number)
    knots = model.knots["log_bili"]
    np.testing.assert_allclose(knots, numbers(expected["knots"]), rtol=0, atol=1e-12)
    basis = spline_basis(data("pbc_cc")["log_bili"], knots)
    np.testing.assert_allclose(basis[:10], numbers(expected["basis_head"]), rtol=0, atol=1e-12)
    assert list(model.names) == expected["terms"]
    np.testing.assert_allclose(model.coef, numbers(expected["coef"]), rtol=0, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(model.vcov)), numbers(expected["se"]), rtol=0, atol=1e-8)
    assert model.cox.loglik == pytest.approx(expected["loglik"][1], abs=1e-9)
    test = spline_test(model, "log_bili")
    for ours, theirs in zip((test.association, test.nonlinearity), expected["anova"]["values"][:2], strict=True):
        assert ours.statistic == pytest.approx(theirs[0], abs=1e-8)
        assert ours.df == theirs[1]
        assert ours.p == pytest.approx(theirs[2], abs=1e-10)
    contrast = expected["contrast"]
    curve = hazard_ratio_curve(model, "log_bili", contrast["x"], contrast["ref"])
    for column, theirs in (("log_hr", "loghr"), ("se", "se")):
        assert_close(curve[column], contrast[theirs], 1e-9)
    for column in ("lower", "upper"):
        assert_close(curve[column].log(), contrast[column], 1e-9)


def test_the_turned_basis_is_the_same_model():
    """Veterans' lung cancer (Kalbfleisch & Prentice 1980): Karnofsky score with three knots, fitted on either basis."""
    frame = published("veteran")
    time, died = frame["time"].to_numpy().astype(float), frame["status"].to_numpy() == 1
    design = frame.select("karno", "age").to_numpy().astype(float)
    knots = rms_knots(design[:, 0], 3)
    model = fit_cox_with_splines(time, died, design, ["karno", "age"], {"karno": knots})
    plain = fit_cox(time, died, np.column_stack([spline_basis(design[:, 0], knots), design[:, 1]]), model.names)
    np.testing.assert_allclose(model.coef, plain.coef, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(model.vcov, plain.vcov, rtol=1e-7, atol=1e-12)
    ours = cox_curves.survival(model.cox, model.columns(design[:3]), np.array([90.0]))
    theirs = cox_curves.survival(plain, plain.data.design[:3], np.array([90.0]))
    np.testing.assert_allclose(ours.survival, theirs.survival, rtol=1e-9)
    np.testing.assert_allclose(ours.lower, theirs.lower, rtol=1e-8)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), number=st.integers(3, 7))
def test_a_spline_is_smooth_and_linear_beyond_its_outer_knots(seed, number):
    knots = np.sort(np.random.default_rng(seed).uniform(-5, 5, number))
    if np.diff(knots).min() < 0.1:
        return
    left = np.linspace(knots[0] - 9, knots[0], 5)
    right = np.linspace(knots[-1], knots[-1] + 9, 5)
    for outside in (left, right):
        np.testing.assert_allclose(np.diff(spline_basis(outside, knots), n=2, axis=0), 0, atol=1e-7)
    # At each knot two derivatives agree from both sides; the third jumps.
    step = 1e-3
    for knot in knots:
        near = spline_basis(knot + step * np.array([-2, -1, 0, 1, 2]), knots)
        bend = near[:-2] - 2 * near[1:-1] + near[2:]
        assert np.abs(np.diff(bend / step**2, axis=0)).max() < 20 * step
    # A change of unit changes each column by that unit, and missing stays missing.
    np.testing.assert_allclose(spline_basis(right * 88.4, knots * 88.4), spline_basis(right, knots) * 88.4, rtol=1e-9)
    assert np.isnan(spline_basis([np.nan], knots)).all()


@pytest.mark.parametrize("seed", range(3))
def test_order_unit_and_reference_do_not_matter(seed):
    time, died, x = draw(seed, bend=0.3)
    knots = rms_knots(x[:, 0], 4)
    model = fit_cox_with_splines(time, died, x, ["x", "z"], {"x": knots})
    turn = np.random.default_rng(seed).permutation(len(time))
    other = fit_cox_with_splines(time[turn], died[turn], x[turn] * [17.1, 1], ["x", "z"], {"x": knots * 17.1})
    at = np.linspace(-2, 2, 9)
    ours, theirs = hazard_ratio_curve(model, "x", at, 0.5), hazard_ratio_curve(other, "x", at * 17.1, 0.5 * 17.1)
    for column in ("hr", "lower", "upper"):
        np.testing.assert_allclose(theirs[column], ours[column], rtol=1e-6)
    assert spline_test(other, "x").nonlinearity.p == pytest.approx(spline_test(model, "x").nonlinearity.p, rel=1e-5)
    at_reference = hazard_ratio_curve(model, "x", [0.5, np.nan], 0.5)
    assert at_reference.row(0)[1:] == (0, 0, 1, 1, 1)
    assert at_reference["hr"][1] is None


def test_nonlinearity_is_found_where_it_is_and_seldom_where_not():
    def p(seed: int, bend: float) -> float:
        time, died, x = draw(seed, bend=bend)
        knots = {"x": rms_knots(x[:, 0], 4)}
        return spline_test(fit_cox_with_splines(time, died, x, ["x", "z"], knots), "x").nonlinearity.p

    assert max(p(seed, 0.5) for seed in range(5)) < 0.01
    assert 0.01 <= np.mean([p(seed, 0.0) < 0.05 for seed in range(150)]) <= 0.11


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rms_knots(range(100), 8), "3 to 7 knots are known, not 8"),
        (lambda: rms_knots([1, 2, 3], 3), "3 values are too few to place 3 knots"),
        (lambda: rms_knots([0] * 90 + [1] * 30, 3), "so tied that 3 knots are not distinct: 0, 0, 1"),
        (lambda: spline_basis([1], [1, 1, 2]), "at least three knots, rising"),
        (lambda: orthogonal(spline_basis([0, 1] * 20, [-1, 0.5, 2])), "too few places for this many knots"),
        (lambda: spline_test(pair(), "z"), "'z' has no spline in the model; those that have: x"),
        (lambda: pair(knots={"w": [0, 1, 2]}), "there is no covariate 'w'. There are: x, z"),
        (lambda: pair(missing=True), "1 rows have no finite 'x'"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(call, message):
    with pytest.raises(StatisticalProblem, match=message.replace(".", r"\.")):
        call()


def pair(*, knots: dict[str, list[float]] | None = None, missing: bool = False) -> SplineModel:
    time, died, x = draw(1)
    x[0, 0] = np.nan if missing else x[0, 0]
    return fit_cox_with_splines(time, died, x, ["x", "z"], knots or {"x": [-1, 0, 1]})
