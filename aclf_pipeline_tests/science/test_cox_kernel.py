"""The partial likelihood against its definition, and what a Cox model must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_kernel import Likelihood
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import RiskSets, settle
from aclf_pipeline_tests.science.cox_cases import by_definition, draw_case

SEEDS = st.integers(0, 10_000)
KINDS = st.fixed_dictionaries({"entry": st.booleans(), "strata": st.sampled_from([1, 3]), "weights": st.booleans()})
quick = settings(deadline=None, max_examples=15, derandomize=True)


def likelihood_of(case: dict, ties: str = "efron") -> Likelihood:
    n = len(case["stop"])
    sets = RiskSets.of(
        case.get("start", np.full(n, -np.inf)),
        case["stop"],
        case["event"],
        case.get("strata", np.zeros(n, dtype=np.int64)),
    )
    weight = case.get("weight", np.ones(n))
    return Likelihood(sets, np.ascontiguousarray(case["design"][sets.rows].T), weight[sets.rows], efron=ties == "efron")


@quick
@given(seed=SEEDS, kind=KINDS, ties=st.sampled_from(["efron", "breslow"]))
def test_value_score_and_information_are_those_of_the_definition(seed, kind, ties):
    case = draw_case(seed, **kind)
    likelihood = likelihood_of(case, ties)
    beta, h = np.array([0.4, -0.3, 0.2]), 1e-5
    state = likelihood.at(beta)
    assert state.loglik == pytest.approx(by_definition(case, beta, ties), abs=1e-10)
    for i, step in enumerate(np.eye(3) * h):
        slope = (by_definition(case, beta + step, ties) - by_definition(case, beta - step, ties)) / (2 * h)
        assert state.gradient[i] == pytest.approx(slope, abs=1e-6)
        bend = (likelihood.at(beta - step).gradient - likelihood.at(beta + step).gradient) / (2 * h)
        np.testing.assert_allclose(likelihood.information(state)[i], bend, atol=1e-6)


@quick
@given(seed=SEEDS, kind=KINDS)
def test_sums_by_the_tree_are_the_running_sums(seed, kind):
    likelihood = likelihood_of(draw_case(seed, **kind))
    beta = np.array([0.4, -0.3, 0.2])
    fast, exact = likelihood.at(beta), likelihood.at(beta, exact=True)
    assert exact.exact
    np.testing.assert_allclose(exact.gradient, fast.gradient, atol=1e-10)
    np.testing.assert_allclose(exact.s0, fast.s0, rtol=1e-10)
    np.testing.assert_allclose(likelihood.information(exact), likelihood.information(fast), atol=1e-10)


@pytest.mark.parametrize("reach", [20.0, 40.0, 200.0])
def test_a_huge_risk_that_enters_late_does_not_drown_those_before(reach):
    """Running sums hold everyone and take off who has not entered: e²⁰⁰ less e²⁰⁰ is not the risk of the others."""
    case = draw_case(5, n=40, entry=True)
    case["design"][:, 2] = 0
    case["design"][0, 2], case["start"][0], case["stop"][0], case["event"][0] = 1.0, 20.5, 30.0, True
    beta = np.array([0.4, -0.3, reach])
    likelihood = likelihood_of(case)
    state = likelihood.at(beta)
    _, lost = likelihood.sets.at_risk(state.risk[None, :], exact=False)
    assert lost
    assert state.exact
    assert state.loglik == pytest.approx(by_definition(case, beta), rel=1e-12)
    step = np.array([1e-4, 0, 0])
    slope = (by_definition(case, beta + step) - by_definition(case, beta - step)) / 2e-4
    assert state.gradient[0] == pytest.approx(slope, abs=1e-6)


def test_strata_of_very_different_risk_do_not_mix():
    case = draw_case(3, strata=2)
    case["design"][:, 2] = 60.0 * case["strata"] + case["design"][:, 2]
    beta = np.array([0.4, -0.3, 1.0])
    assert likelihood_of(case).at(beta).loglik == pytest.approx(by_definition(case, beta), abs=1e-9)


def test_times_that_differ_by_binary_noise_are_one_time():
    assert len(np.unique(settle(np.array([0.1 + 0.2, 0.3, 0.6, -np.inf])))) == 3
    assert settle(np.array([1.0, 1.0 + 1e-9, 2.0])).tolist() == [1.0, 1.0 + 1e-9, 2.0]
    case = draw_case(1)
    tenths = {**case, "stop": case["stop"] * 0.1}
    noisy = {**case, "stop": np.array([sum([0.1] * int(day)) for day in case["stop"]])}
    assert (tenths["stop"] != noisy["stop"]).any()
    assert fit_cox(**noisy).loglik == pytest.approx(fit_cox(**tenths).loglik, abs=1e-10)


def same(one, other, *, tolerance: float = 1e-8) -> None:
    np.testing.assert_allclose(one.coef, other.coef, atol=tolerance)
    np.testing.assert_allclose(one.se, other.se, atol=tolerance)
    assert one.loglik == pytest.approx(other.loglik, abs=1e-8)


@quick
@given(seed=SEEDS, kind=KINDS)
def test_the_order_of_rows_and_columns_does_not_matter(seed, kind):
    case = draw_case(seed, n=100, **kind)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(100), rng.permutation(3)
    shuffled = {name: value[rows] for name, value in case.items() if name != "names"}
    shuffled |= {"design": shuffled["design"][:, columns], "names": [case["names"][i] for i in columns]}
    one, other = fit_cox(**case), fit_cox(**shuffled)
    np.testing.assert_allclose(other.coef, one.coef[columns], atol=1e-9)
    np.testing.assert_allclose(other.vcov, one.vcov[np.ix_(columns, columns)], atol=1e-9)
    assert other.loglik == pytest.approx(one.loglik, abs=1e-9)


@quick
@given(seed=SEEDS, kind=KINDS, unit=st.floats(1e-6, 1e6), origin=st.floats(-1e3, 1e3))
def test_units_and_origins_of_covariates_do_not_matter(seed, kind, unit, origin):
    case = draw_case(seed, n=100, **kind)
    one = fit_cox(**case)
    changed = case["design"].copy()
    changed[:, 0] = (changed[:, 0] + origin) * unit
    other = fit_cox(**{**case, "design": changed})
    assert other.coef[0] * unit == pytest.approx(one.coef[0], abs=1e-7)
    assert other.se[0] * unit == pytest.approx(one.se[0], abs=1e-7)
    np.testing.assert_allclose(other.coef[1:], one.coef[1:], atol=1e-7)


@quick
@given(seed=SEEDS, kind=KINDS, cut=st.floats(0.5, 20))
def test_splitting_people_into_episodes_changes_nothing(seed, kind, cut):
    case = draw_case(seed, n=100, **kind)
    start, late = case.get("start", np.full(100, -np.inf)), case["stop"] > cut
    late &= start < cut
    episodes = {
        name: np.concatenate([value, value[late]]) for name, value in case.items() if name not in ("names", "start")
    }
    episodes["start"] = np.concatenate([start, np.full(late.sum(), cut)])
    episodes["stop"][:100][late] = cut
    episodes["event"][:100][late] = False
    same(fit_cox(**episodes, names=case["names"]), fit_cox(**case))


@quick
@given(seed=SEEDS, entry=st.booleans(), strata=st.sampled_from([1, 2]))
def test_weight_two_is_two_rows_under_breslow(seed, entry, strata):
    case = draw_case(seed, n=100, entry=entry, strata=strata)
    twice = {name: np.concatenate([value, value]) for name, value in case.items() if name != "names"}
    weighted = fit_cox(**case, weight=np.full(100, 2.0), ties="breslow")
    same(fit_cox(**twice, names=case["names"], ties="breslow"), weighted)


@quick
@given(seed=SEEDS, kind=KINDS, shift=st.floats(-50, 50))
def test_one_stratum_is_none_and_the_origin_of_time_does_not_matter(seed, kind, shift):
    case = draw_case(seed, n=100, **{**kind, "strata": 1, "entry": True})
    one = fit_cox(**case)
    same(fit_cox(**case, strata=["all"] * 100), one)
    same(fit_cox(**{**case, "start": case["start"] + shift, "stop": case["stop"] + shift}), one)


def test_rows_at_risk_at_no_event_have_no_part():
    case = draw_case(2, n=80, entry=True)
    extra = {**case, "start": np.append(case["start"], [-9.0, 900.0]), "stop": np.append(case["stop"], [-8.0, 901.0])}
    extra["event"] = np.append(case["event"], [False, False])
    extra["design"] = np.vstack([case["design"], [[1e3, 0, 0], [1e3, 1, 1]]])
    same(fit_cox(**extra), fit_cox(**case))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": np.zeros(60, dtype=bool)}, "no event among 60 rows"),
        ({"weight": np.append(np.ones(58), [0, np.nan])}, "2 rows have a weight that is not above 0"),
        ({"start": np.full(60, 900.0)}, "in 60 rows entry is not before the end"),
        ({"names": ["a", "b"]}, "3 columns of covariates, 2 names"),
        ({"ties": "exact"}, "efron or breslow, not 'exact'"),
        ({"strata": [1, 2]}, "must have the 60 rows"),
        ({"cluster": np.arange(60) % 2}, "2 clusters are too few for the robust variance of 3"),
        ({"event": np.append(np.ones(59), np.nan)}, "1 rows have no event"),
        ({"strata": [None, *"ab" * 29, "a"]}, "1 rows have no stratum"),
        ({"stop": np.append(np.arange(1.0, 60), np.inf)}, "1 rows have no time"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_words(change, message):
    with pytest.raises(StatisticalProblem, match=message):
        fit_cox(**{**draw_case(1), **change})


def test_missing_constant_and_collinear_columns_are_named():
    case = draw_case(1)
    design = case["design"].copy()
    design[:2, 0] = np.nan
    with pytest.raises(StatisticalProblem, match="2 rows have no finite 'x0'"):
        fit_cox(**{**case, "design": design})
    design = case["design"].copy()
    design[:, 1] = 7
    with pytest.raises(StatisticalProblem, match="'x1' does not vary among those at risk together"):
        fit_cox(**{**case, "design": design})
    design = case["design"].copy()
    design[:, 2] = 3 * design[:, 0] - 8 * design[:, 1] + 1
    with pytest.raises(StatisticalProblem, match="'x2' is a linear combination of 'x0', 'x1'"):
        fit_cox(**{**case, "design": design})
    strata = np.arange(60) % 2
    design = case["design"].copy()
    design[:, 2] = strata
    with pytest.raises(StatisticalProblem, match="'x2' does not vary among those at risk together"):
        fit_cox(**{**case, "design": design}, strata=strata)


@pytest.mark.parametrize("seed", range(5))
def test_separation_is_never_a_number(seed):
    case = draw_case(seed)
    dead = case["design"].copy()
    dead[:, 1] = case["event"]
    with pytest.raises(StatisticalProblem, match="separate the events or nearly so, 'x1'"):
        fit_cox(**{**case, "design": dead})
    ordered = case["design"].copy()
    ordered[:, 2] = -case["stop"]
    with pytest.raises(StatisticalProblem, match="'x2'"):
        fit_cox(**{**case, "design": ordered, "event": np.ones(60, dtype=bool)})


def test_newton_is_brought_back_where_a_full_step_overshoots():
    """A strong effect and one far outlier against it: full steps would end where the likelihood is lower."""
    rng = np.random.default_rng(25)
    x = np.append(rng.normal(size=30), rng.choice([-1, 1]) * 20.0)
    stop = np.append(rng.exponential(size=30) * np.exp(-2.5 * x[:30]), rng.choice([0.001, 50.0, 3.0]))
    case = {"stop": stop, "event": np.ones(31, dtype=bool), "design": x[:, None]}
    likelihood = likelihood_of(case)
    beta = np.zeros(1)
    for _ in range(3):
        state = likelihood.at(beta)
        beta = beta + state.gradient / likelihood.information(state)[0]
        overshot = likelihood.at(beta).loglik < state.loglik - 1e-6
        if overshot:
            break
    assert overshot
    fit = fit_cox(**case, names=["x"])
    top = by_definition(case, fit.coef)
    assert all(by_definition(case, fit.coef + step) < top for step in (-0.01 * fit.se, 0.01 * fit.se))
