"""Adjusted p-values and E-values: against R, as published, and by the order the methods must keep."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.multiplicity import METHODS, adjust_p, e_value
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.reference import answers, numbers

# Benjamini & Hochberg 1995, section 4.1: fifteen endpoints of a trial of thrombolysis in myocardial infarction.
PUBLISHED = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1]  # fmt: skip  # noqa: E501


def test_as_published():
    """At 5 % Bonferroni's and Hochberg's procedures reject three hypotheses, that of the paper four."""
    rejected = {method: int((adjust_p(PUBLISHED, method) <= 0.05).sum()) for method in ("bonferroni", "hochberg", "bh")}
    assert rejected == {"bonferroni": 3, "hochberg": 3, "bh": 4}


def test_by_hand():
    p = [0.01, 0.04, 0.03]
    assert adjust_p(p, "bonferroni").tolist() == pytest.approx([0.03, 0.12, 0.09])
    assert adjust_p(p, "holm").tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert adjust_p(p, "hochberg").tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert adjust_p(p, "bh").tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert adjust_p(p, "by").tolist() == pytest.approx([0.055, 0.22 / 3, 0.22 / 3])
    assert adjust_p(p, "none").tolist() == p
    assert adjust_p(p, "holm", tests=5).tolist() == pytest.approx([0.05, 0.12, 0.12])


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
def test_adjusted_p_equals_r(method):
    expected = answers("19_p_adjust")
    np.testing.assert_allclose(adjust_p(expected["p"], method), numbers(expected[method]), rtol=0, atol=1e-12)


def simes_closure(p: np.ndarray) -> np.ndarray:
    """Hommel's procedure as its definition: the worst Simes test among all sets of hypotheses that have this one."""
    sets = [s for size in range(1, len(p) + 1) for s in combinations(range(len(p)), size)]
    simes = {s: float(np.min(len(s) * np.sort(p[list(s)]) / np.arange(1, len(s) + 1))) for s in sets}
    return np.array([max(value for s, value in simes.items() if i in s) for i in range(len(p))])


p_values = st.lists(st.floats(0, 1).map(lambda x: round(x, 4)), min_size=1, max_size=7)


@given(p=p_values, rotate=st.integers(0, 6))
def test_always(p, rotate):
    values = np.array(p)
    adjusted = {method: adjust_p(values, method) for method in METHODS}
    np.testing.assert_allclose(adjusted["hommel"], simes_closure(values), atol=1e-12)
    for better, worse in (("holm", "bonferroni"), ("hochberg", "holm"), ("hommel", "hochberg"), ("bh", "hommel")):
        assert (adjusted[better] <= adjusted[worse] + 1e-12).all()
    assert (adjusted["bh"] <= adjusted["by"] + 1e-12).all()
    for method, result in adjusted.items():
        assert ((result >= values - 1e-12) & (result <= 1)).all()
        assert (np.diff(result[np.argsort(values)]) >= -1e-12).all()
        np.testing.assert_allclose(adjust_p(np.roll(values, rotate), method), np.roll(result, rotate))
        # What is missing stays missing, and counts as no test.
        with_gap = adjust_p([*values, np.nan], method)
        np.testing.assert_allclose(with_gap[:-1], result)
        assert np.isnan(with_gap[-1])


@pytest.mark.parametrize("method", METHODS)
def test_a_family_larger_than_the_p_given_counts_the_others_as_1(method):
    p = [0.002, 0.03, 0.2]
    np.testing.assert_allclose(adjust_p(p, method, tests=6), adjust_p([*p, 1, 1, 1], method)[:3])


def test_e_values_as_published():
    """VanderWeele & Ding 2017: breast-feeding and infant death, 3.9 (1.8 to 8.7), has E-value 7.26, its limit 3.00."""
    value = e_value(3.9, 1.8, 8.7)
    assert (round(value.estimate, 2), round(value.limit, 2)) == (7.26, 3.0)
    protective = e_value(1 / 3.9, 1 / 8.7, 1 / 1.8)
    assert protective.estimate == pytest.approx(value.estimate)
    assert protective.limit == pytest.approx(value.limit)


def test_e_values_of_other_measures():
    """Of a common outcome a hazard ratio h = 4 stands for (1 − 0.5²)/(1 − 0.5^0.5) = 2.56; an odds ratio of 4 for 2."""
    ratio = 0.75 / (1 - np.sqrt(0.5))
    assert e_value(4, 2, 8, measure="hazard ratio").estimate == pytest.approx(ratio + np.sqrt(ratio * (ratio - 1)))
    assert e_value(4, 2, 8, measure="odds ratio").estimate == pytest.approx(2 + np.sqrt(2))
    assert e_value(4, 2, 8, measure="odds ratio", rare=True) == e_value(4, 2, 8)
    assert e_value(1.3, 0.9, 1.8, measure="hazard ratio").limit == 1
    assert e_value(1, 1, 1).estimate == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjust_p([0.1, 1.2], "sidak"), "a method is bonferroni.*; p-values lie between 0 and 1"),
        (lambda: adjust_p([0.1, 0.2], "holm", tests=1), "a family of 1 tests cannot have 2 p-values"),
        (lambda: e_value(2, 3, 4), "limits 3 and 4 must enclose 2"),
        (lambda: e_value(2, 1, 4, measure="rate"), "not 'rate'"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(call, message):
    with pytest.raises(StatisticalProblem, match=message):
        call()
