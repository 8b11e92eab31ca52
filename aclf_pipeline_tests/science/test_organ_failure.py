"""CLIF-C OF and EASL-CLIF: the published bands, and what is left open when an organ was not measured."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science import organ_failure
from aclf_pipeline.science.organ_failure import OrganValues
from aclf_pipeline_tests.science.cutoffs import ORGANS

HEALTHY = {
    "bilirubin": 1.0,
    "creatinine": 0.8,
    "dialysis": 0,
    "he_grade": 0,
    "inr": 1.1,
    "map": 85,
    "vasopressor": 0,
    "spo2": 98,
    "fio2": 0.21,
}
NAN = np.nan


def values(**changes: float) -> OrganValues:
    return OrganValues(**{**HEALTHY, **changes})


def bounds(function, **changes: float) -> tuple[float, float]:
    low, high = function(values(**changes), ORGANS)
    return float(low), float(high)


@pytest.mark.parametrize(
    ("organ", "inputs", "score"),
    [
        ("liver", {"bilirubin": 5.99}, 1),
        ("liver", {"bilirubin": 6}, 2),
        ("liver", {"bilirubin": 11.99}, 2),
        ("liver", {"bilirubin": 12}, 3),
        ("liver", {"bilirubin": 205.2 / 17.1}, 3),  # binary noise must not decide
        ("kidney", {"creatinine": 1.99}, 1),
        ("kidney", {"creatinine": 2}, 2),
        ("kidney", {"creatinine": 3.5}, 3),
        ("kidney", {"creatinine": 0.8, "dialysis": 1}, 3),
        ("brain", {"he_grade": 0}, 1),
        ("brain", {"he_grade": 2}, 2),
        ("brain", {"he_grade": 3}, 3),
        ("coagulation", {"inr": 1.99}, 1),
        ("coagulation", {"inr": 2.0}, 2),
        ("coagulation", {"inr": 2.5}, 3),
        ("circulation", {"map": 70}, 1),
        ("circulation", {"map": 69}, 2),
        ("circulation", {"map": 90, "vasopressor": 1}, 3),
        ("respiratory", {"pao2": 301, "fio2": 1}, 1),
        ("respiratory", {"pao2": 300, "fio2": 1}, 2),
        ("respiratory", {"pao2": 200, "fio2": 1}, 3),
        ("respiratory", {"spo2": 90, "fio2": 0.25}, 1),  # 360
        ("respiratory", {"spo2": 90, "fio2": 0.4}, 2),  # 225
        ("respiratory", {"spo2": 85.6, "fio2": 0.4}, 3),  # 214
        ("respiratory", {"pao2": 150, "spo2": 100, "fio2": 0.21}, 1),  # the gas decides, 714
    ],
)
def test_subscores_at_their_boundaries(organ, inputs, score):
    assert bounds(getattr(organ_failure, organ), **inputs) == (score, score)


@pytest.mark.parametrize(
    ("organ", "inputs", "expected"),
    [
        ("liver", {"bilirubin": NAN}, (1, 3)),
        ("kidney", {"creatinine": NAN}, (1, 3)),
        ("kidney", {"creatinine": NAN, "dialysis": 1}, (3, 3)),
        ("kidney", {"creatinine": 2.5, "dialysis": NAN}, (2, 3)),
        ("circulation", {"map": NAN}, (1, 2)),
        ("circulation", {"map": 60, "vasopressor": NAN}, (2, 3)),
        ("circulation", {"map": NAN, "vasopressor": 1}, (3, 3)),
        ("respiratory", {"spo2": NAN}, (1, 3)),
        ("respiratory", {"fio2": NAN}, (1, 3)),
        ("respiratory", {"fio2": 0}, (1, 3)),
    ],
)
def test_what_was_not_measured_stays_open(organ, inputs, expected):
    assert bounds(getattr(organ_failure, organ), **inputs) == expected


def test_the_operator_of_liver_failure_is_a_cutoff():
    strict = dataclasses.replace(ORGANS, liver_operator=">")
    assert organ_failure.liver(values(bilirubin=12), strict)[0] == 2


def test_total_runs_from_6_to_18():
    assert bounds(organ_failure.clif_c_of) == (6, 6)
    worst = {"bilirubin": 30, "dialysis": 1, "he_grade": 4, "inr": 5, "vasopressor": 1, "spo2": 80, "fio2": 1}
    assert bounds(organ_failure.clif_c_of, **worst) == (18, 18)
    low, high = organ_failure.clif_c_of(OrganValues(), ORGANS)
    assert (low, high) == (6, 18)


@pytest.mark.parametrize(
    ("inputs", "grade"),
    [
        ({}, 0),
        ({"bilirubin": 20}, 0),
        ({"bilirubin": 20, "creatinine": 1.5}, 1),
        ({"bilirubin": 20, "he_grade": 1}, 1),
        ({"inr": 3, "creatinine": 1.9}, 1),
        ({"vasopressor": 1, "he_grade": 2}, 1),
        ({"he_grade": 3}, 0),
        ({"he_grade": 3, "creatinine": 1.4}, 0),
        ({"he_grade": 4, "creatinine": 1.6}, 1),
        ({"creatinine": 2.0}, 1),
        ({"dialysis": 1}, 1),
        ({"creatinine": 1.9, "he_grade": 2}, 0),
        ({"bilirubin": 20, "inr": 2.5}, 2),
        ({"bilirubin": 20, "he_grade": 3}, 2),
        ({"bilirubin": 20, "inr": 2.5, "creatinine": 2}, 3),
        ({"bilirubin": 20, "inr": 2.5, "creatinine": 2, "he_grade": 4}, 3),
    ],
)
def test_easl_clif_grades(inputs, grade):
    assert bounds(organ_failure.easl_clif_grade, **inputs) == (grade, grade)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"bilirubin": 20, "creatinine": NAN}, (0, 2)),
        ({"bilirubin": 20, "he_grade": NAN}, (0, 2)),
        ({"creatinine": NAN}, (0, 1)),
        ({"creatinine": 2.5, "he_grade": NAN}, (1, 2)),
        ({"bilirubin": 20, "inr": 3, "creatinine": 3, "spo2": NAN}, (3, 3)),
    ],
)
def test_grades_with_something_unmeasured(inputs, expected):
    assert bounds(organ_failure.easl_clif_grade, **inputs) == expected


def test_cutoffs_out_of_order_are_all_named():
    with pytest.raises(ValueError, match="liver_2_mg_dl") as caught:
        dataclasses.replace(ORGANS, liver_2_mg_dl=13, respiratory_3_pf=400, liver_operator="=>")
    assert "respiratory_3_pf" in str(caught.value)
    assert "liver_operator" in str(caught.value)


patient = st.fixed_dictionaries(
    {
        "bilirubin": st.sampled_from([1, 8, 20]),
        "creatinine": st.sampled_from([0.8, 1.7, 2.5, 4]),
        "dialysis": st.sampled_from([0, 1]),
        "he_grade": st.sampled_from([0, 1, 3]),
        "inr": st.sampled_from([1.2, 2.2, 3]),
        "map": st.sampled_from([60, 80]),
        "vasopressor": st.sampled_from([0, 1]),
        "pao2": st.sampled_from([60, 90]),
        "spo2": st.sampled_from([88, 98]),
        "fio2": st.sampled_from([0.21, 0.4]),
    }
)


@given(known=patient, hidden=st.sets(st.sampled_from([*sorted(HEALTHY), "pao2"])))
def test_the_truth_lies_within_the_bounds_whatever_is_hidden(known, hidden):
    # PaO2 hidden: SpO2 takes over, which is another measurement and may disagree; so both go together.
    if "pao2" in hidden:
        hidden = hidden | {"spo2"}
    seen = OrganValues(**{name: NAN if name in hidden else value for name, value in known.items()})
    for function in (organ_failure.clif_c_of, organ_failure.easl_clif_grade):
        truth, same = function(OrganValues(**known), ORGANS)
        low, high = function(seen, ORGANS)
        assert truth == same
        assert low <= truth <= high
