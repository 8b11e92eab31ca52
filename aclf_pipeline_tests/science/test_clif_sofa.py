"""CLIF-SOFA: its bands at their edges, and what an unknown organ, dose or platelet count leaves open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.clif_sofa import clif_sofa
from aclf_pipeline.science.organ_failure import OrganValues

WELL = {"bilirubin": 0.5, "creatinine": 0.8, "dialysis": 0, "he_grade": 0, "inr": 1.0, "map": 80, "vasopressor": 0,
        "pao2": 95, "fio2": 0.21}  # fmt: skip
BANDS = """
    input       0     1     2     3     4
    bilirubin   1.19  1.2   2.0   6.0   12.0
    bilirubin   1.0   1.99  5.99  11.99 30
    creatinine  1.19  1.2   2.0   3.5   5.0
    creatinine  1.0   1.99  3.49  4.99  9
    he_grade    0     1     2     3     4
    inr         1.09  1.1   1.25  1.5   2.5
    inr         1.0   1.24  1.49  2.49  6
    pao2        84.1  84    63    42    21
"""


def bounds(platelets: float = 150, **changes: float) -> list[float]:
    return [float(side) for side in clif_sofa(OrganValues(**{**WELL, **changes}), platelets)]


@pytest.mark.parametrize("line", BANDS.strip().splitlines()[1:])
def test_every_band_at_its_edges(line: str) -> None:
    name, *values = line.split()
    assert [bounds(**{name: float(value)}) for value in values] == [[p, p] for p in range(5)]


def test_pulse_oximetry_stands_in_where_there_is_no_blood_gas() -> None:
    found = [bounds(pao2=np.nan, spo2=spo2, fio2=fio2)[0] for spo2, fio2 in
             ((98, 0.19), (98, 0.21), (97, 0.3), (95, 0.5), (80, 0.9))]  # fmt: skip
    assert found == [0, 1, 2, 3, 4]
    assert bounds(pao2=np.nan) == [0, 4]


def test_platelets_of_twenty_are_coagulation_failure_and_unknown_ones_may_be() -> None:
    assert (bounds(20), bounds(21), bounds(np.nan)) == ([4, 4], [0, 0], [0, 4])
    assert bounds(np.nan, inr=2.5) == [4, 4]


def test_renal_replacement_is_four_and_a_vasopressor_without_its_dose_two_to_four() -> None:
    assert bounds(dialysis=1, creatinine=0.8) == [4, 4]
    assert (bounds(vasopressor=1), bounds(vasopressor=1, map=np.nan)) == ([2, 4], [2, 4])
    assert (bounds(map=69), bounds(map=np.nan)) == ([1, 1], [0, 1])
    assert (bounds(dialysis=np.nan), bounds(vasopressor=np.nan)) == ([0, 4], [0, 4])


def test_nothing_known_is_anything() -> None:
    low, high = clif_sofa(OrganValues())
    assert (float(low), float(high)) == (0, 24)


@given(
    st.fixed_dictionaries(
        {
            "bilirubin": st.floats(0.1, 60),
            "creatinine": st.floats(0.2, 15),
            "he_grade": st.integers(0, 4),
            "inr": st.floats(0.8, 12),
            "map": st.floats(30, 140),
            "pao2": st.floats(30, 300),
            "fio2": st.floats(0.21, 1),
        }
    ),
    st.floats(5, 400),
    st.sets(st.sampled_from(["bilirubin", "creatinine", "he_grade", "inr", "map", "pao2"])),
)
def test_the_whole_lies_within_the_bounds_whatever_is_missing(known, platelets, missing) -> None:
    whole = bounds(platelets, **known)
    assert whole[0] == whole[1]
    low, high = bounds(platelets, **{**known, **dict.fromkeys(missing, np.nan)})
    assert 0 <= low <= whole[0] <= high <= 24
