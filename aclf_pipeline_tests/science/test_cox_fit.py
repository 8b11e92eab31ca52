"""Cox fits of record against R, number by number, and what their residuals and curves must satisfy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from aclf_pipeline.science.concordance import of_fit
from aclf_pipeline.science.cox_curves import baseline_hazard, survival
from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_residuals import deviance, dfbeta, dfbetas, martingale, schoenfeld, score
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.proportional_hazards import proportional_hazards
from aclf_pipeline_tests.science.cox_cases import R_FITS, draw_case, fit_as_r
from aclf_pipeline_tests.science.published import published, published_answers
from aclf_pipeline_tests.science.reference import answers, data, numbers

quick = settings(deadline=None, max_examples=10, derandomize=True)
FILES = {"lung": "lung_complete", "pbc_lt": "pbc_left_truncated", "pbcseq": "pbcseq_tv", "veteran": "veteran"}
PUBLISHED = {"lung": "lung", "pbc_lt": "pbc_second_visit", "veteran": "veteran"}


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), numbers(theirs), rtol=0, atol=tolerance)


def fit_equals_r(fit: CoxFit, expected: dict[str, Any]) -> None:
    assert (fit.n, fit.events) == (expected["n"], expected["nevent"])
    close(fit.coef, expected["coef"], 1e-10)
    close(fit.se, expected["se"], 1e-10)
    close([fit.loglik_null, fit.loglik], expected["loglik"], 1e-9)
    for test, name in ((fit.lr, "lrt"), (fit.score, "score")):
        close([test.statistic, test.df], expected[name][:2], 1e-8)
        assert test.p == pytest.approx(expected[name][2], rel=1e-6)
    close(fit.wald.statistic, expected["wald"][0], 0.00501)  # R prints two decimals
    found = of_fit(fit)
    close([found.c, found.se], expected["concordance"], 1e-10)
    for transform, table in expected["zph"].items():
        ours = proportional_hazards(fit, transform)
        assert ours["term"].to_list() == table["terms"]
        assert ours["df"].to_list() == table["df"]
        close(ours["statistic"], table["chisq"], 1e-8)
        close(ours["p"], table["p"], 1e-9)


def residuals_equal_r(fit: CoxFit, expected: dict[str, Any]) -> None:
    events = schoenfeld(fit)
    for ours, name in (
        (martingale(fit), "martingale"),
        (deviance(fit), "deviance"),
        (dfbeta(fit), "dfbeta"),
        (events.residual, "schoenfeld"),
        (events.scaled, "scaledsch"),
    ):
        close(ours[: len(expected[name])], expected[name], 1e-9)


def curves_equal_r(fit: CoxFit, expected: dict[str, Any]) -> None:
    base, theirs = baseline_hazard(fit), expected["basehaz0"]
    strata = np.array([int(label[-1]) - 1 for label in theirs.get("strata") or ["0=1"] * len(theirs["time"])])
    for code in np.unique(strata):
        mine, where = base.stratum == code, strata == code
        steps = np.concatenate([[0.0], base.hazard[mine]])
        at = steps[np.searchsorted(base.time[mine], numbers(theirs["time"])[where], "right")]
        np.testing.assert_allclose(at, numbers(theirs["hazard"])[where], rtol=1e-10)
    predicted = expected.get("pred")
    if predicted:
        people = fit.data.design[: len(predicted["surv"][0])]
        curves = survival(fit, people, numbers(predicted["times"]), interval="log")
        for ours, name in (
            (curves.survival, "surv"),
            (curves.se, "se"),
            (curves.lower, "lower"),
            (curves.upper, "upper"),
        ):
            close(ours.T, predicted[name], 1e-10)


@pytest.mark.parametrize("key", list(published_answers()["cox"]))
def test_published_data_give_the_answers_of_r(key):
    expected = published_answers()["cox"][key]
    name = next(file for start, file in PUBLISHED.items() if key.startswith(start))
    fit = fit_as_r(key, published(name), expected)
    fit_equals_r(fit, expected)
    residuals_equal_r(fit, expected)
    curves_equal_r(fit, expected)


@pytest.mark.parametrize("key", R_FITS)
def test_every_fit_of_the_reference_gives_the_answers_of_r(key):
    expected = answers("03_cox")[key]
    name = next((file for start, file in FILES.items() if key.startswith(start)), "pbc_cc")
    frame = data("pbc_left_truncated" if key.startswith("pbc_lt") else name)
    fit = fit_as_r(key, frame, expected)
    close(fit.vcov, expected["vcov"], 1e-10)
    if expected["naive_se"]:
        close(np.sqrt(np.diag(fit.naive_vcov)), expected["naive_se"], 1e-10)
    fit_equals_r(fit, expected)
    residuals_equal_r(fit, expected)
    curves_equal_r(fit, expected)


def test_a_coefficient_by_periods_as_in_r():
    """R: survSplit(veteran, cut = c(90, 180)), coxph(Surv(tstart, time, status) ~ trt2 + age + karno:strata(tg))."""
    frame, expected = published("veteran"), published_answers()["time_varying"]["split"]
    edges = [0, 90, 180, np.inf]
    parts = [
        frame.filter(pl.col("time") > begin)
        .with_columns(
            pl.lit(float(begin)).alias("start"),
            pl.col("time").cast(pl.Float64).clip(upper_bound=end).alias("stop"),
            died=(pl.col("status") == 1) & (pl.col("time") <= end),
        )
        .with_columns(pl.col("karno").mul(int(j == i)).alias(f"karno_{j}") for j in range(3))
        for i, (begin, end) in enumerate(pairwise(edges))
    ]
    rows = pl.concat(parts)
    names = ["trt2", "age", "karno_0", "karno_1", "karno_2"]
    columns = rows["stop"].to_numpy(), rows["died"].to_numpy(), rows.select(names).to_numpy()
    fit = fit_cox(*columns, names, start=rows["start"].to_numpy())
    close(fit.coef, expected["coef"], 1e-10)
    close(fit.se, expected["se"], 1e-10)


def test_a_coefficient_that_is_a_function_of_time_as_in_r():
    """R: coxph(Surv(time, status) ~ trt2 + age + karno + tt(karno), tt = function(x, t, ...) x * log(t + 20))."""
    frame, expected = published("veteran"), published_answers()["time_varying"]["tt"]
    moments = np.unique(frame.filter(pl.col("status") == 1)["time"].to_numpy())
    rows = []
    for person in frame.iter_rows(named=True):
        begins = [0, *moments[moments < person["time"]]]
        for begin, end in zip(begins, [*begins[1:], person["time"]], strict=True):
            growing = person["karno"] * np.log(end + 20)
            died = person["status"] == 1 and end == person["time"]
            rows.append((begin, end, died, person["trt2"], person["age"], person["karno"], growing))
    table = np.array(rows, dtype=float)
    fit = fit_cox(table[:, 1], table[:, 2] == 1, table[:, 3:], expected["terms"], start=table[:, 0])
    close(fit.coef, expected["coef"], 1e-9)
    close(fit.se, expected["se"], 1e-9)
    close([fit.loglik_null, fit.loglik], expected["loglik"], 1e-8)


KINDS = st.fixed_dictionaries({"entry": st.booleans(), "strata": st.sampled_from([1, 2]), "weights": st.booleans()})


@quick
@given(seed=st.integers(0, 1000), kind=KINDS, ties=st.sampled_from(["efron", "breslow"]))
def test_residuals_add_up(seed, kind, ties):
    fit = fit_cox(**draw_case(seed, n=90, **kind), ties=ties)
    weight = fit.data.weight
    assert weight @ martingale(fit) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(weight @ score(fit), 0, atol=1e-7)
    residual = schoenfeld(fit)
    np.testing.assert_allclose(weight[residual.row] @ residual.residual, 0, atol=1e-7)
    assert (fit.data.stop[residual.row] == residual.time).all()
    np.testing.assert_allclose(dfbetas(fit) * fit.se, dfbeta(fit))
    np.testing.assert_allclose(martingale(fit)[~fit.data.event] <= 1e-12, True)


def test_dfbeta_foretells_what_leaving_a_row_out_does():
    case = draw_case(4, n=150, entry=True, strata=2, weights=True)
    fit = fit_cox(**case)
    change = []
    for row in range(40):
        rest = {name: value if name == "names" else np.delete(value, row, axis=0) for name, value in case.items()}
        change.append(fit.coef - fit_cox(**rest).coef)
    for ours, true in zip(dfbeta(fit)[:40].T, np.array(change).T, strict=True):
        assert np.corrcoef(ours, true)[0, 1] > 0.99
        assert np.polyfit(ours, true, 1)[0] == pytest.approx(1, abs=0.15)


def test_the_robust_variance_of_split_episodes_is_that_of_people():
    case = draw_case(6, n=120)
    half = {name: np.concatenate([value, value]) for name, value in case.items() if name != "names"}
    cut = case["stop"] / 2
    half["start"] = np.concatenate([np.zeros(120), cut])
    half["stop"] = np.concatenate([cut, case["stop"]])
    half["event"][:120] = False
    people = np.tile(np.arange(120), 2)
    split = fit_cox(**half, names=case["names"], cluster=people)
    np.testing.assert_allclose(split.vcov, fit_cox(**case, robust=True).vcov, atol=1e-12)
    np.testing.assert_allclose(split.naive_vcov, fit_cox(**case).vcov, atol=1e-12)
    assert split.robust


@pytest.fixture(scope="module")
def pbc() -> CoxFit:
    return fit_as_r("pbc_lt", published("pbc_second_visit"), published_answers()["cox"]["pbc_lt"])


def test_intervals_are_those_of_their_scale(pbc):
    people, times = pbc.data.design[:3], np.array([365.0, 1000.0])
    curves = {name: survival(pbc, people, times, interval=name) for name in ("log-log", "log", "plain")}
    s, se = curves["log"].survival, curves["log"].se
    hazard, z = -np.log(s), norm.ppf(0.975)
    for sign, side in ((1, "lower"), (-1, "upper")):
        width = sign * z * se / s
        close(getattr(curves["log-log"], side), np.exp(-hazard * np.exp(width / hazard)), 1e-12)
        close(getattr(curves["log"], side), np.clip(np.exp(-hazard - width), 0, 1), 1e-12)
        close(getattr(curves["plain"], side), np.clip(s - sign * z * se, 0, 1), 1e-12)
    narrow = survival(pbc, people, times, level=0.5)
    assert (narrow.lower > curves["log-log"].lower).all()


def test_survival_since_a_time_is_conditional_on_reaching_it(pbc):
    people = pbc.data.design[:4]
    whole = survival(pbc, people, np.array([400.0, 1500.0])).survival
    since = survival(pbc, people, np.array([200.0, 400.0, 1500.0]), since=400.0)
    close(since.survival, np.column_stack([np.ones(4), np.ones(4), whole[:, 1] / whole[:, 0]]), 1e-12)
    close(since.lower[:, :2], np.ones((4, 2)), 0)
    assert (since.lower[:, 2] < since.survival[:, 2]).all()


def test_nothing_is_predicted_beyond_the_last_follow_up(pbc):
    last = pbc.data.stop.max()
    curves = survival(pbc, pbc.data.design[:2], np.array([last, last + 1]))
    assert np.isfinite(curves.survival[:, 0]).all()
    for part in (curves.survival, curves.se, curves.lower, curves.upper):
        assert np.isnan(part[:, 1]).all()


def test_a_prediction_needs_its_stratum_and_its_covariates():
    fit = fit_cox(**draw_case(1, n=100, strata=3))
    with pytest.raises(StatisticalProblem, match="the model has strata, and no stratum is given"):
        survival(fit, fit.data.design[:1], np.array([5.0]))
    with pytest.raises(StatisticalProblem, match="no stratum 7"):
        survival(fit, fit.data.design[:1], np.array([5.0]), stratum=np.array([7]))
    with pytest.raises(StatisticalProblem, match="1 people lack a covariate of x0, x1, x2"):
        survival(fit, np.array([[np.nan, 0, 0]]), np.array([5.0]), stratum=np.array([0]))
    with pytest.raises(StatisticalProblem, match="log-log, log, plain, not 'logit'"):
        survival(fit, fit.data.design[:1], np.array([5.0]), stratum=np.array([0]), interval="logit")


@quick
@given(seed=st.integers(0, 1000), strata=st.sampled_from([1, 2]), shift=st.floats(-20, 20))
def test_curves_do_not_depend_on_the_origin_of_covariates_or_on_a_shift_of_time(seed, strata, shift):
    case = draw_case(seed, n=90, entry=True, strata=strata)
    one = fit_cox(**case)
    moved = {**case, "design": case["design"] + 5, "start": case["start"] + shift, "stop": case["stop"] + shift}
    other = fit_cox(**moved)
    times, stratum = np.array([8.0, 14.0]), one.data.strata[:5]
    before = survival(one, case["design"][:5], times, stratum=stratum)
    after = survival(other, moved["design"][:5], times + shift, stratum=stratum)
    for name in ("survival", "se", "lower", "upper"):
        close(getattr(after, name), getattr(before, name), 1e-9)


def test_the_whole_likelihood_is_in_the_baseline():
    """Expected events, Λ₀(t)·exp(xβ) at the end of each row, are observed events (Breslow, no entry)."""
    fit = fit_cox(**draw_case(9, n=100), ties="breslow")
    base = baseline_hazard(fit)
    at = np.concatenate([[0.0], base.hazard])[np.searchsorted(base.time, fit.data.stop, "right")]
    expected = at * np.exp(fit.data.design @ fit.coef)
    np.testing.assert_allclose(fit.data.event - expected, martingale(fit), atol=1e-10)
    centred = baseline_hazard(fit, at=fit.data.design[0])
    np.testing.assert_allclose(centred.hazard, base.hazard * np.exp(fit.data.design[0] @ fit.coef))
