"""Performance of predicted risks: against R, by hand, and by the identities it must keep."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science import cox_curves
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.survival_performance import brier_score, integrated, roc_curve, time_dependent_auc
from aclf_pipeline_tests.science.reference import answers, assert_close, data, numbers

DAYS = [365, 1095, 1825, 2555]
PBC = ["age", "edema", "log_bili", "albumin", "log_protime"]


def draw(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole days, so that there are ties; code 2 is a competing event; the marker says something."""
    rng = np.random.default_rng(seed)
    marker = np.round(rng.normal(size=n), 1)
    time = np.ceil(rng.exponential(20 * np.exp(-marker)))
    code = rng.integers(0, 3, n)
    code[np.argmax(time)] = 0
    return time, code, marker


def test_by_hand():
    """Horizon 5. Censored on day 2 with four at risk: G = 3/4 from then on.

    day  event  marker  risk   weight
    1    1      3       0.9    1      case
    2    0      9       0.5    0      nobody knows
    4    1      1       0.6    4/3    case
    6    0      2       0.3    4/3    control
    7    1      0       0.2    4/3    control

    AUC: 3 beats both controls, 1 beats one: (1·1 + 4/3·1/2)/(1 + 4/3) = 5/7
    Brier: (0.1² + 4/3·(0.4² + 0.3² + 0.2²))/5
    """
    time, code, marker = [1, 2, 4, 6, 7], [1, 0, 1, 0, 1], [3, 9, 1, 2, 0]
    auc = time_dependent_auc(time, code, marker, [5])
    assert auc.select("auc", "cases", "controls", "censored").row(0) == (pytest.approx(5 / 7), 2, 2, 1)
    brier = brier_score(time, code, [0.9, 0.5, 0.6, 0.3, 0.2], [5])
    assert brier["brier"].item() == pytest.approx((0.01 + 4 / 3 * (0.16 + 0.09 + 0.04)) / 5)
    # Kaplan–Meier risk: 1 − 4/5·2/3 = 7/15
    null = ((8 / 15) ** 2 * (1 + 4 / 3) + (7 / 15) ** 2 * 8 / 3) / 5
    assert brier["null_brier"].item() == pytest.approx(null)
    assert brier["ipa"].item() == pytest.approx(1 - brier["brier"].item() / null)
    curve = roc_curve(time, code, marker, 5)
    assert curve["threshold"].to_list() == [None, 9, 3, 2, 1, 0]
    assert curve["false_positive"].to_list() == pytest.approx([0, 0, 0, 0.5, 0.5, 1])
    assert curve["true_positive"].to_list() == pytest.approx([0, 0, 3 / 7, 3 / 7, 1, 1])


def test_an_event_on_the_horizon_counts_or_not_as_named():
    time, code, marker = [1, 5, 6, 7], [1, 1, 0, 0], [1, 3, 2, 0]
    assert time_dependent_auc(time, code, marker, [5], cases="T<=t")["cases"].item() == 2
    before = time_dependent_auc(time, code, marker, [5], cases="T<t")
    assert before.select("cases", "controls", "auc").row(0) == (1, 2, 0.5)
    # 0.1 + 0.2 is not 0.3 in binary, but it is the same moment.
    noisy = time_dependent_auc([0.1, 0.1 + 0.2, 0.6, 0.7], code, marker, [0.3], cases="T<=t")
    assert noisy["cases"].item() == 2


def test_auc_equals_score():
    frame, marker, expected = data("pbc_risks"), data("pbc_lp")["lp"], answers("10_brier_auc_score")["auc"]
    ours = time_dependent_auc(frame["time"], frame["tfs"], marker, DAYS)
    for column, theirs in (("auc", "AUC"), ("se", "se"), ("lower", "lower"), ("upper", "upper")):
        assert_close(ours[column], expected[theirs], 1e-12)


def test_auc_with_competing_events_equals_score():
    frame, expected = data("pbc_csc_risks"), answers("10_brier_auc_score")["cr_auc"]
    ours = time_dependent_auc(frame["time"], frame["etype"], frame.select("^cif_.*$"), DAYS)
    for column, theirs in (("auc", "AUC"), ("se", "se"), ("lower", "lower"), ("upper", "upper")):
        assert_close(ours[column], expected[theirs], 1e-12)


@pytest.mark.parametrize(
    ("key", "suffix", "outcome", "controls"),
    [
        ("pbc_tfs", "", "tfs", "event-free"),
        ("pbc_competing", "_1", "etype", "event-free"),
        ("pbc_competing", "_2", "etype", "not a case"),
    ],
)
def test_auc_equals_timeroc(key, suffix, outcome, controls):
    frame, expected = data("pbc_lp"), answers("09_timeROC")[key]
    ours = time_dependent_auc(frame["time"], frame[outcome], frame["lp"], DAYS, cases="T<t", controls=controls)
    assert_close(ours["auc"], expected["auc" + suffix], 1e-12)
    theirs = numbers(expected["se" + suffix])
    known = ~np.isnan(theirs)  # timeROC gives no error where there are no competing events yet
    np.testing.assert_allclose(ours["se"].to_numpy()[known], theirs[known], rtol=0, atol=1e-12)
    if f"fp_1095{suffix}" in expected:
        curve = roc_curve(frame["time"], frame[outcome], frame["lp"], 1095, cases="T<t")
        assert_close(curve["false_positive"], expected["fp_1095"], 1e-12)
        assert_close(curve["true_positive"], expected["tp_1095"], 1e-12)


@pytest.mark.parametrize(
    ("key", "name", "outcome", "columns"),
    [("brier", "pbc_risks", "tfs", "^risk_.*$"), ("cr_brier", "pbc_csc_risks", "etype", "^cif_.*$")],
)
def test_brier_equals_score(key, name, outcome, columns):
    frame, expected = data(name), answers("10_brier_auc_score")[key]
    ours = brier_score(frame["time"], frame[outcome], frame.select(columns), DAYS)
    for column, theirs in (("brier", "Brier"), ("se", "se"), ("lower", "lower"), ("upper", "upper")):
        assert_close(ours[column], expected[theirs][4:], 1e-12)
    assert_close(ours["null_brier"], expected["Brier"][:4], 1e-12)
    assert_close(ours["null_se"], expected["se"][:4], 1e-12)
    if "IPA" in expected:
        assert_close(ours["ipa"], expected["IPA"][4:], 1e-12)


def test_integrated_brier_equals_pec():
    frame, expected = data("pbc_cc"), answers("10_brier_auc_score")
    design = frame.select(PBC).to_numpy().astype(float)
    fit = fit_cox(frame["time"].to_numpy(), frame["tfs"].to_numpy() == 1, design, PBC)
    grid = numbers(expected["pec_times"])[1:]
    risk = 1 - cox_curves.survival(fit, design, grid).survival
    ours = brier_score(frame["time"], frame["tfs"], risk, grid.tolist())
    assert_close(ours["brier"], expected["pec_cox"][1:], 1e-9)
    assert_close(ours["null_brier"], expected["pec_ref"][1:], 1e-12)
    for column, name in (("brier", "cox"), ("null_brier", "Reference")):
        whole = integrated([0, *grid], [0, *ours[column]], until=2555)
        assert whole == pytest.approx(expected["ibs_2555"][name], abs=1e-9)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_always(seed):
    time, code, marker = draw(seed)
    horizons = [5.0, 15.0]
    ours = time_dependent_auc(time, code, marker, horizons)
    turn = np.random.default_rng(seed).permutation(len(time))
    # Order, unit of time and any rising function of the marker change nothing.
    again = time_dependent_auc(time[turn] / 7, code[turn], np.exp(marker[turn]), [h / 7 for h in horizons])
    for column in ("auc", "se"):
        assert again[column].to_list() == pytest.approx(ours[column].to_list(), rel=1e-9)
    backwards = time_dependent_auc(time, code, -marker, horizons)
    assert backwards["auc"].to_list() == pytest.approx((1 - ours["auc"]).to_list())
    assert backwards["se"].to_list() == pytest.approx(ours["se"].to_list())
    curve = roc_curve(time, code, marker, 15)
    area = np.trapezoid(curve["true_positive"], curve["false_positive"])
    assert area == pytest.approx(ours["auc"][1])
    assert (curve.select(pl.col("false_positive", "true_positive").diff().min()).row(0)) >= (-1e-12, -1e-12)
    # Risks that know the answer score 0; the null model scores as the constant Aalen–Johansen risk.
    known = np.column_stack([(time <= h) & (code == 1) for h in horizons]).astype(float)
    assert brier_score(time, code, known, horizons)["brier"].to_list() == pytest.approx([0, 0])
    constant = brier_score(time, code, np.full((len(time), 2), 0.5), horizons)
    assert constant["brier"].to_list() == pytest.approx([0.25, 0.25])


def test_without_censoring_it_is_the_plain_auc_and_mean_square():
    rng = np.random.default_rng(3)
    time, marker = np.arange(1.0, 61), rng.normal(size=60)
    died = time <= 20
    ours = time_dependent_auc(time, np.ones(60), marker, [20])
    plain = (marker[died][:, None] > marker[~died][None, :]).mean()
    assert ours["auc"].item() == pytest.approx(plain)
    risk = rng.random(60)
    assert brier_score(time, np.ones(60), risk, [20])["brier"].item() == pytest.approx(((died - risk) ** 2).mean())


def test_errors_say_how_much_estimates_vary():
    """The mean standard error of 200 simulated studies is the spread of their estimates, within a tenth."""
    rows = [(time_dependent_auc(*draw(s, 200), [15]), draw(s, 200)) for s in range(200)]
    auc = np.array([row["auc"].item() for row, _ in rows])
    assert np.mean([row["se"].item() for row, _ in rows]) == pytest.approx(auc.std(), rel=0.15)
    strict = [time_dependent_auc(*sample, [15], cases="T<t")["se"].item() for _, sample in rows[:100]]
    assert np.mean(strict) == pytest.approx(auc.std(), rel=0.15)
    brier = [brier_score(t, c, 1 / (1 + np.exp(-m)), [15]) for _, (t, c, m) in rows]
    spread = np.std([row["brier"].item() for row in brier])
    assert np.mean([row["se"].item() for row in brier]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    ("time", "code", "horizon", "reason"),
    [
        ([1, 2, 3], [1, 0, 0], 3, "nobody is followed beyond 3; the last left on 3"),
        ([1, 2, 3], [1, 0, 0], 9, "nobody is followed beyond 9; the last left on 3"),
        ([2, 3, 4], [1, 1, 0], 1, "no event by 1"),
        ([1, 2, 3], [1, 1, 1], 5, "nobody without the event at 5"),
    ],
)
def test_at_the_edge_of_follow_up_estimates_are_null_with_a_reason(time, code, horizon, reason):
    row = time_dependent_auc(time, code, [1, 2, 3], [horizon]).row(0, named=True)
    assert (row["auc"], row["se"], row["lower"], row["reason"]) == (None, None, None, reason)
    with pytest.raises(StatisticalProblem, match=reason):
        roc_curve(time, code, [1, 2, 3], horizon)


def test_brier_at_the_edge():
    assert brier_score([1, 2], [1, 0], [0.5, 0.5], [2]).select("brier", "reason").row(0) == (
        None,
        "nobody is followed beyond 2; the last left on 2",
    )
    # All had an event: what they had is known for ever.
    assert brier_score([1, 2], [1, 2], [0.5, 0.5], [9])["brier"].item() == 0.25
    none = brier_score([5, 6], [1, 0], [0.5, 0.5], [2]).row(0, named=True)
    assert (none["brier"], none["null_brier"], none["ipa"]) == (0.25, 0, None)
    assert "null model makes no error" in none["reason"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: time_dependent_auc([1, 2], [1, 0], [1, 2], [1], cases="T=t"), "cases are T<=t or T<t"),
        (lambda: time_dependent_auc([1, 2], [1, 0], [1, np.nan], [1]), "1 rows have no finite 'marker'"),
        (lambda: time_dependent_auc([1, 2], [1, 0], [1, 2], []), "horizons must be named"),
        (lambda: brier_score([1, 2], [1, 0], [1.2, 0], [1]), "1 rows have a risk outside 0 to 1"),
        (lambda: brier_score([1, 2], [1, 0], [1, 0], [1, 2]), "1 columns of risk for 2 horizons"),
        (lambda: integrated([0, 5], [0, np.nan], until=9), "the score at 5 is unknown; end before it"),
        (lambda: integrated([0, 5], [0, 1], until=0), "an end after the first"),
    ],
)
def test_what_cannot_be_judged_is_said_in_words(call, message):
    with pytest.raises(StatisticalProblem, match=message):
        call()
