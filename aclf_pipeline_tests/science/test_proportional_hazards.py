"""The test of proportional hazards beyond its agreement with R (test_cox_fit): what it must and must not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.proportional_hazards import TRANSFORMS, proportional_hazards
from aclf_pipeline_tests.science.cox_cases import draw_case

quick = settings(deadline=None, max_examples=10, derandomize=True)


def crossing(n: int = 500) -> dict:
    """x0 harms up to day 10 and protects after it; x1 does neither."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2, size=(n, 2)).astype(float)
    early = rng.exponential(20 * np.exp(-x[:, 0]))
    life = np.where(early < 10, early, 10 + rng.exponential(20 * np.exp(x[:, 0])))
    return {"stop": life, "event": life < 40, "design": x, "names": ["x0", "x1"]}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_crossing_hazards_are_seen_and_constant_ones_are_not(transform):
    table = proportional_hazards(fit_cox(**crossing()), transform)
    p = dict(zip(table["term"], table["p"], strict=True))
    assert p["x0"] < 1e-6
    assert p["GLOBAL"] < 1e-6
    assert p["x1"] > 0.01


def test_the_size_is_right_when_hazards_are_proportional():
    """300 samples of 80, one true null each: between 2 and 8.5 % below 0.05 (chance alone allows 2.5 to 7.5 %)."""
    rng = np.random.default_rng(7)
    small = 0
    for _ in range(300):
        x = rng.normal(size=(80, 1))
        life = rng.exponential(np.exp(-0.5 * x[:, 0]))
        table = proportional_hazards(fit_cox(np.minimum(life, 2), life < 2, x, ["x"]), "km")
        small += table["p"][0] < 0.05
    assert 6 <= small <= 25


@quick
@given(
    seed=st.integers(0, 1000),
    kind=st.fixed_dictionaries({"entry": st.booleans(), "strata": st.sampled_from([1, 2]), "weights": st.booleans()}),
    unit=st.floats(0.01, 100),
)
def test_units_of_time_and_of_covariates_do_not_matter(seed, kind, unit):
    case = draw_case(seed, n=90, **kind)
    other = {**case, "stop": case["stop"] * unit, "design": case["design"] * [unit, 1, 1]}
    if kind["entry"]:
        other["start"] = case["start"] * unit
    for transform in TRANSFORMS:
        one, two = (proportional_hazards(fit_cox(**data), transform)["statistic"] for data in (case, other))
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-8)


def test_weight_two_is_two_rows_under_breslow():
    case = draw_case(3, n=90, entry=True, strata=2)
    twice = {name: np.concatenate([value, value]) for name, value in case.items() if name != "names"}
    weighted = fit_cox(**case, weight=np.full(90, 2.0), ties="breslow")
    for transform in ("identity", "km"):
        one = proportional_hazards(weighted, transform)["statistic"]
        two = proportional_hazards(fit_cox(**twice, names=case["names"], ties="breslow"), transform)["statistic"]
        np.testing.assert_allclose(one, two, rtol=1e-8)


def test_levels_of_a_category_are_tested_together():
    fit = fit_cox(**draw_case(2, n=120))
    table = proportional_hazards(fit, "identity", terms={"site": ["x0", "x2"], "male": ["x1"]})
    assert table["term"].to_list() == ["site", "male", "GLOBAL"]
    assert table["df"].to_list() == [2, 1, 3]
    alone = proportional_hazards(fit, "identity")
    assert table["statistic"][0] > max(alone["statistic"][0], alone["statistic"][2])
    whole = proportional_hazards(fit, "identity", terms={"all": ["x0", "x1", "x2"]})
    assert whole["statistic"][0] == pytest.approx(whole["statistic"][1], abs=1e-10)


def test_what_cannot_be_tested_is_said_in_words():
    case = draw_case(2, n=120)
    fit = fit_cox(**case)
    with pytest.raises(StatisticalProblem, match="km, rank, identity, log, not 'sqrt'"):
        proportional_hazards(fit, "sqrt")
    with pytest.raises(StatisticalProblem, match="the model has no 'age'"):
        proportional_hazards(fit, terms={"age": ["age"]})
    with pytest.raises(StatisticalProblem, match="'log' of an event at or before time 0"):
        proportional_hazards(fit_cox(**{**case, "stop": case["stop"] - 1}), "log")
    once = {**case, "stop": np.full(120, 5.0)}
    with pytest.raises(StatisticalProblem, match="all events are at one time"):
        proportional_hazards(fit_cox(**once))
