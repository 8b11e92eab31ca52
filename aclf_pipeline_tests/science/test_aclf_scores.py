"""Child-Pugh, CLIF-C AD, COSSH-ACLF II, AARC and markers: published values, bands at their edges, missing inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science import aclf_scores, markers

CHILD_PUGH = """
    bilirubin albumin inr ascites he | points class
    1.9       3.6     1.6 0       0  | 5      1
    2.0       3.5     1.7 0       0  | 8      2
    3.0       2.8     2.2 1       1  | 10     3
    3.1       2.7     2.3 2       3  | 15     3
    1.0       3.6     1.0 0       2  | 6      1
    1.0       3.6     1.0 2       0  | 7      2
"""
AARC = """
    bilirubin he inr  lactate creatinine | points grade
    14.9      0  1.79 1.49    0.69       | 5      1
    15        1  1.8  1.5     0.7        | 10     2
    25        2  2.5  2.5     1.5        | 10     2
    25.1      3  2.51 2.51    1.51       | 15     3
    14        0  1.0  1.0     1.51       | 7      1
    26        0  2.6  1.0     0.5        | 9      2
    26        0  2.6  2.6     0.5        | 11     3
"""


def drawn(table: str) -> list[tuple[list[float], list[float]]]:
    rows = table.strip().splitlines()[1:]
    return [tuple([float(cell) for cell in half.split()] for half in row.split("|")) for row in rows]


@pytest.mark.parametrize(("inputs", "expected"), drawn(CHILD_PUGH))
def test_child_pugh_at_its_edges(inputs: list[float], expected: list[float]) -> None:
    points = aclf_scores.child_pugh(*inputs)
    assert [float(points), float(aclf_scores.child_pugh_class(points))] == expected


@pytest.mark.parametrize(("inputs", "expected"), drawn(AARC))
def test_aarc_at_its_edges(inputs: list[float], expected: list[float]) -> None:
    points = aclf_scores.aarc(*inputs)
    assert [float(points), float(aclf_scores.aarc_grade(points))] == expected


def test_cossh_aclf_ii_of_a_typical_patient() -> None:
    # age 43, INR 2.08, neutrophils 5.36, bilirubin 442.5 µmol/L, urea 4.2 mmol/L, no encephalopathy
    score = aclf_scores.cossh_aclf_ii(2.08, 0, 5.36, 442.5, 4.2, 43)
    assert float(score) == pytest.approx(7.04, abs=0.005)


def test_cossh_aclf_ii_tells_a_wrong_unit_of_bilirubin() -> None:
    assert float(aclf_scores.cossh_aclf_ii(2.08, 0, 5.36, 442.5 / 17.1, 4.2, 43)) == pytest.approx(5.91, abs=0.01)


def test_clif_c_ad_is_its_formula_and_stays_within_bounds() -> None:
    # ln of 1 is 0: 10·(0.03·50 − 0.05·140 + 8)
    assert float(aclf_scores.clif_c_ad(50, 1, 1, 1, 140)) == pytest.approx(25.0)
    assert float(aclf_scores.clif_c_ad(90, 9, 9, 60, 110)) == 100.0


def test_without_lactate_aarc_is_missing_and_its_bounds_are_not() -> None:
    items = (20.0, 2, 2.0, np.nan, 1.0)
    assert np.isnan(aclf_scores.aarc(*items))
    assert [float(bound) for bound in aclf_scores.aarc_bounds(*items)] == [9.0, 11.0]


@given(
    st.floats(0.1, 60), st.integers(0, 4), st.floats(0.8, 12), st.floats(0.1, 20), st.floats(0.1, 15), st.integers(0, 4)
)
def test_aarc_lies_within_its_bounds_whatever_is_missing(
    bilirubin: float, he: int, inr: float, lactate: float, creatinine: float, missing: int
) -> None:
    items = [bilirubin, float(he), inr, lactate, creatinine]
    whole = float(aclf_scores.aarc(*items))
    items[missing] = np.nan
    low, high = (float(bound) for bound in aclf_scores.aarc_bounds(*items))
    assert low <= whole <= high
    assert high - low == 2


@pytest.mark.parametrize(
    ("score", "arguments"),
    [
        (aclf_scores.child_pugh, (2.0, 3.0, 1.5, 1, 1)),
        (aclf_scores.clif_c_ad, (50, 1.0, 1.5, 6.0, 136)),
        (aclf_scores.cossh_aclf_ii, (2.0, 1, 5.0, 300, 5.0, 45)),
        (aclf_scores.aarc, (20, 1, 2.0, 2.0, 1.0)),
        (markers.plr, (150, 1.2)),
        (markers.mlr, (0.5, 1.2)),
        (markers.fib4, (45, 80, 60, 100)),
        (markers.apri, (80, 100)),
        (markers.de_ritis, (80, 60)),
        (markers.direct_share, (200, 300)),
    ],
)
def test_a_missing_or_impossible_input_gives_nothing(score, arguments) -> None:
    assert np.isfinite(score(*arguments))
    for place in range(len(arguments)):
        for nothing in (np.nan, -1.0):
            changed = [*arguments[:place], nothing, *arguments[place + 1 :]]
            assert np.isnan(score(*changed)), (score.__name__, place, nothing)


def test_no_grade_of_ascites_or_encephalopathy_is_made_up() -> None:
    assert np.isnan(aclf_scores.child_pugh(2, 3, 1.5, 3, 1))
    assert np.isnan(aclf_scores.aarc(20, 5, 2, 2, 1))


def test_markers_by_hand() -> None:
    assert float(markers.fib4(50, 100, 25, 200)) == pytest.approx(5.0)
    assert float(markers.apri(80, 100)) == pytest.approx(2.0)
    assert float(markers.plr(120, 1.5)) == pytest.approx(80.0)


def test_apri_is_not_the_one_that_divides_by_a_hundred_platelets() -> None:
    assert float(markers.apri(80, 100)) != pytest.approx(80 / 40 / (100 * 100))
