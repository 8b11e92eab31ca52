"""Calibration and decision curves: against R, by hand, and where predictions are right or wrong by construction."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.calibration import Calibration, calibrate
from aclf_pipeline.science.decision_curve import decision_curve
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.reference import answers, assert_close, data


def draw(seed: int, n: int = 400, *, competing: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted risks at time 1 that are right: hazard exp(x), and with competing events Fine & Gray's model."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.7, 0.8, n)
    if competing:
        relative, whole = np.exp(x + 0.7), 1 - 0.5 ** np.exp(x + 0.7)
        first = rng.random(n) < whole
        time = -np.log(1 - (1 - (1 - rng.random(n) * whole) ** (1 / relative)) / 0.5)
        time = np.where(first, time, rng.exponential(size=n))
        risk = 1 - (1 - 0.5 * (1 - np.exp(-1))) ** relative
        code = np.where(first, 1, 2)
    else:
        time, code, risk = rng.exponential(np.exp(-x)), np.ones(n, dtype=int), 1 - np.exp(-np.exp(x))
    censored = rng.uniform(0.2, 3, n)
    return np.minimum(time, censored), np.where(time > censored, 0, code), risk


def overstated(risk: np.ndarray, factor: float = 1.5) -> np.ndarray:
    """Make the linear predictor `factor` times as wide about its mean."""
    linear = np.log(-np.log1p(-risk))
    return 1 - np.exp(-np.exp(np.minimum(linear.mean() + factor * (linear - linear.mean()), 3)))


def test_observed_over_expected_by_hand():
    """Half die by day 10 and nobody is censored before: O = 1/2; mean prediction 0.4, so O/E = 1.25.

    In each of two groups: of the ten lower predictions three died, of the ten higher seven.
    """
    time = np.arange(1.0, 21)
    low_died = {2, 5, 9}  # the days on which those of low risk die; the other seven deaths are of high risk
    low = np.array([day in low_died or (day > 10 and day % 2 == 0) or day in {11, 13} for day in range(1, 21)])
    assert low.sum() == 10
    risk = np.where(low, 0.2, 0.6) + np.tile([-0.01, 0.01], 10) * np.linspace(0.1, 1, 20)
    risk += 0.4 - risk.mean()
    result = calibrate(time, np.ones(20), risk, 10, groups=2)
    assert (result.n, result.events) == (20, 10)
    assert result.observed == pytest.approx(0.5)
    assert result.oe.estimate == pytest.approx(1.25)
    se = np.sqrt(0.25 / 20)
    assert result.oe.upper == pytest.approx(1.25 * np.exp(1.959964 * se / 0.5), rel=1e-5)
    assert result.groups["observed"].to_list() == pytest.approx([0.3, 0.7])
    assert result.groups["n"].to_list() == [10, 10]


def test_calibration_equals_r():
    frame, expected = data("pbc_risks"), answers("17_calibration")
    ours = calibrate(frame["time"], frame["tfs"], frame["risk_1095"], expected["time"])
    for name in ("ici", "e50", "e90", "emax"):
        assert getattr(ours, name) == pytest.approx(expected[name], abs=1e-10)
    assert ours.knots.tolist() == pytest.approx(expected["knots"], abs=1e-12)
    assert ours.calibrated[:10].tolist() == pytest.approx(expected["calibrated_head"], abs=1e-10)
    assert ours.slope.estimate == pytest.approx(expected["slope"], abs=1e-10)
    assert ours.oe.estimate == pytest.approx(expected["oe"], abs=1e-12)
    assert_close(ours.groups["predicted"], expected["group_pred"], 1e-12)
    assert_close(ours.groups["observed"], expected["group_obs"], 1e-12)
    assert_close(ours.groups["se"], expected["group_se"], 1e-12)
    assert ours.groups["n"].to_list() == expected["group_n"]
    assert [ours.groups["from"][0], *ours.groups["to"]] == pytest.approx(expected["group_cut"])


@pytest.mark.parametrize("competing", [False, True])
def test_right_predictions_are_found_right_and_extreme_ones_extreme(competing):
    def mean(results: list[Calibration], name: str) -> float:
        parts = [getattr(result, name) for result in results]
        return float(np.mean([getattr(part, "estimate", part) for part in parts]))

    samples = [draw(seed, competing=competing) for seed in range(16)]
    right = [calibrate(*sample, 1.0) for sample in samples]
    wrong = [calibrate(time, code, overstated(risk), 1.0) for time, code, risk in samples]
    assert mean(right, "oe") == pytest.approx(1, abs=0.06)
    assert mean(right, "slope") == pytest.approx(1, abs=0.06)
    assert mean(wrong, "slope") == pytest.approx(2 / 3, abs=0.05)
    assert mean(wrong, "ici") > 2 * mean(right, "ici")
    inside = [result.slope.lower < 1 < result.slope.upper and result.oe.lower < 1 < result.oe.upper for result in right]
    assert np.mean(inside) > 0.75


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_calibration_does_not_depend_on_order_or_unit(seed):
    time, code, risk = draw(seed, 150)
    ours = calibrate(time, code, risk, 1.0)
    turn = np.random.default_rng(seed).permutation(150)
    again = calibrate(time[turn] * 365.25, code[turn], risk[turn], 365.25)
    for name in ("ici", "e50", "e90", "emax", "observed"):
        assert getattr(again, name) == pytest.approx(getattr(ours, name), abs=1e-9)
    assert 0 <= ours.e50 <= ours.e90 <= ours.emax
    assert ours.ici <= ours.emax
    assert ours.groups["n"].sum() == 150


def test_a_group_that_is_not_followed_has_no_estimate_but_a_reason():
    time, code, risk = draw(2, 200)
    highest = risk > np.quantile(risk, 0.8)
    time, code = np.where(highest, np.minimum(time, 0.5), time), np.where(highest & (time > 0.5), 0, code)
    groups = calibrate(time, code, risk, 1.0).groups
    assert groups["observed"][-1] is None
    assert groups["reason"][-1] == "nobody is followed to 1; the last left on 0.5"
    assert groups["reason"][:-1].null_count() == 4


@pytest.mark.parametrize(
    ("horizon", "risk", "message"),
    [
        (99, None, "nobody is followed to 99; the last left on"),
        (1e-6, None, "no event 1 by 1e-06"),
        (1, 1.0, "100 rows have a risk that is not between 0 and 1"),
        (1, 0.5, "so tied that 3 knots are not distinct"),
    ],
)
def test_what_cannot_be_calibrated_is_said_in_words(horizon, risk, message):
    time, code, right = draw(4, 100)
    with pytest.raises(StatisticalProblem, match=message):
        calibrate(time, code, right if risk is None else np.full(100, risk), horizon)


def test_net_benefit_by_hand():
    """Ten people, four have the event; threshold 0.2, odds 1/4. The model calls five, of whom three have it.

    all    4/10 − 6/10·1/4 = 0.25
    model  3/10 − 2/10·1/4 = 0.25; nothing gained, so nobody is spared either
    """
    time = np.array([1, 2, 3, 4, 9, 9, 9, 9, 9, 9.0])
    risk = [0.5, 0.2, 0.3, 0.1, 0.4, 0.25, 0.1, 0.1, 0.1, 0.1]
    table = decision_curve(time, time < 5, {"model": risk}, 5, [0.2])
    rows = {row["strategy"]: row for row in table.iter_rows(named=True)}
    assert rows["all"]["net_benefit"] == pytest.approx(0.25)
    assert rows["none"]["net_benefit"] == 0
    assert rows["none"]["avoided"] == pytest.approx(-1)
    assert (rows["model"]["positive"], rows["model"]["true_positive"]) == (5, pytest.approx(0.3))
    assert rows["model"]["net_benefit"] == pytest.approx(0.25)
    assert rows["model"]["avoided"] == pytest.approx(0)


def test_decision_curve_equals_dcurves():
    frame, expected = data("pbc_risks"), answers("16_dca")
    thresholds = sorted(set(expected["threshold"]))
    ours = decision_curve(frame["time"], frame["tfs"], {"risk_1095": frame["risk_1095"]}, expected["time"], thresholds)
    assert ours["strategy"].to_list() == expected["variable"]
    assert ours["threshold"].to_list() == expected["threshold"]
    for column, theirs in (("net_benefit", "net_benefit"), ("true_positive", "tp_rate"), ("false_positive", "fp_rate")):
        assert_close(ours[column], expected[theirs], 1e-12)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), competing=st.booleans())
def test_net_benefit_always(seed, competing):
    time, code, risk = draw(seed, 120, competing=competing)
    thresholds = [0.01, 0.2, 0.5, 0.99]
    ours = decision_curve(time, code, {"a": risk, "b": np.ones(120)}, 1.0, thresholds)
    by = {name: ours.filter(pl.col("strategy") == name) for name in ("all", "none", "a", "b")}
    # A model that calls everybody is the strategy 'all'; positives only fall as the threshold rises.
    assert by["b"]["net_benefit"].to_list() == pytest.approx(by["all"]["net_benefit"].to_list())
    assert by["a"]["positive"].is_sorted(descending=True)
    known = by["a"].drop_nulls("net_benefit")
    assert (known["net_benefit"] <= by["all"]["true_positive"][0] + 0.2).all()
    turn = np.random.default_rng(seed).permutation(120)
    again = decision_curve(time[turn] * 7, code[turn], {"a": risk[turn]}, 7.0, thresholds)
    theirs = again.filter(pl.col("strategy") == "a")["net_benefit"]
    np.testing.assert_allclose(theirs.to_numpy(), by["a"]["net_benefit"].to_numpy(), atol=1e-12)


def test_positives_who_are_not_followed_have_no_net_benefit_but_a_reason():
    table = decision_curve([1, 2, 9, 9], [1, 0, 0, 0], {"m": [0.1, 0.9, 0.1, 0.1]}, 5, [0.5])
    row = table.filter(pl.col("strategy") == "m").row(0, named=True)
    assert (row["net_benefit"], row["avoided"]) == (None, None)
    assert row["reason"] == "nobody at or above 0.5 is followed to 5"


def test_every_problem_of_a_decision_curve_is_told_at_once():
    with pytest.raises(StatisticalProblem) as caught:
        decision_curve([1, 2], [1, 0], {"all": [0.1, 0.2], "m": [2, 0]}, 1, [0.5, 1])
    assert str(caught.value) == (
        "decision curve: a model cannot be called 'all'; 'm' is no risk of 0 to 1; threshold 1 is not between 0 and 1"
    )
