"""Scores against published values, and against the mistakes public calculators make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science import scores

# Kim 2021 (PMC8608337), table 4, as encoded in the tests of ampel-leipzig/ameld e12cd00.
KIM_2021 = [
    # female, bilirubin, sodium, inr, creatinine, albumin, published
    (False, 2.5, 131, 1.0, 1.2, 3.8, 16),
    (True, 2.5, 131, 1.0, 1.2, 3.8, 17),
    (False, 6, 131, 1.5, 1.5, 3.5, 25),
    (False, 6, 131, 1.5, 1.5, 2.2, 26),
    (True, 6, 131, 1.5, 1.5, 2.2, 27),
    (False, 12, 128, 2.2, 1.8, 2.0, 34),
    (False, 12, 128, 2.2, 2.8, 2.0, 38),
    (True, 12, 128, 2.2, 2.8, 2.0, 39),
    # ameld, tests/testthat/test_meld.R
    (True, 4.2, 140, 1.2, 1.9, 3.5, 23),
    (False, 4.2, 140, 1.2, 1.9, 3.5, 21),
    (True, 4.2, 140, 1.2, 1.9, 1.5, 24),
]
positive = st.floats(0.05, 60)
lab = {"bilirubin": positive, "creatinine": st.floats(0.1, 20), "inr": st.floats(0.5, 15)}


@pytest.mark.parametrize(("female", "bilirubin", "sodium", "inr", "creatinine", "albumin", "published"), KIM_2021)
def test_meld_3_0_as_published(female, bilirubin, sodium, inr, creatinine, albumin, published):
    assert scores.meld_3_0(bilirubin, creatinine, inr, sodium, albumin, female) == published


def test_meld_before_rounding_as_published():
    assert scores.meld_raw(4.2, 1.9, 1.2) == pytest.approx(20.0391626, abs=5e-8)
    assert scores.meld(4.2, 1.9, 1.2) == 20


def test_meld_na_variants_as_published():
    assert scores.meld_na_unos2016(4.2, 1.9, 1.2, 125) == 28
    assert scores.meld_na_unos2016(4.2, 1.9, 1.2, 135) == 21
    assert scores.meld_na_kim2008(4.2, 1.9, 1.2, 135) == pytest.approx(22.53, abs=0.005)


def test_meld_is_rounded_as_optn_says_to_one_decimal_before_times_ten():
    assert scores.meld(22.3, 0.84, 2.1) == 26  # 2.6475 -> 2.6 -> 26
    assert scores.meld(1, 1, 1) == 6  # 6.43 before rounding


def test_meld_at_11_or_below_ignores_sodium_but_not_a_missing_one():
    assert scores.meld_na_unos2016(1.5, 1.0, 1.2, 125) == scores.meld(1.5, 1.0, 1.2) <= 11
    assert np.isnan(scores.meld_na_unos2016(1.5, 1.0, 1.2, np.nan))


def test_umol_taken_for_mg_shows_in_the_raw_value_only():
    assert scores.meld_raw(442.5, 80.9, 2.08) == pytest.approx(79.7, abs=0.05)
    assert scores.meld(442.5, 80.9, 2.08) == 40


def test_a_raw_meld_above_40_is_possible_in_aclf():
    assert scores.meld_raw(35, 2, 5) == pytest.approx(44.5, abs=0.05)


def test_a_missing_input_is_not_a_normal_one():
    """MIMIC's meld.sql takes a missing bilirubin or creatinine as ln(1) = 0."""
    for missing in range(3):
        inputs = [12.0, 1.8, 2.2]
        inputs[missing] = np.nan
        assert np.isnan(scores.meld(*inputs))
    inputs = {"bilirubin": 12, "creatinine": 1.8, "inr": 2.2, "sodium": 128, "albumin": 2, "female": 0}
    for missing in inputs:
        assert np.isnan(scores.meld_3_0(**{**inputs, missing: np.nan})), missing


def test_sodium_is_bounded():
    """transplantr 0.2.0 leaves it as it is."""
    labs = (12, 1.8, 2.2)
    assert scores.meld_na_unos2016(*labs, 110) == scores.meld_na_unos2016(*labs, 125)
    assert scores.meld_na_unos2016(*labs, 150) == scores.meld_na_unos2016(*labs, 137) == scores.meld(*labs)
    assert scores.meld_na_kim2008(*labs, 150) == scores.meld_na_kim2008(*labs, 140)
    assert scores.meld_3_0(*labs, 110, 2, False) == scores.meld_3_0(*labs, 125, 2, False)


def test_creatinine_is_capped_and_dialysis_is_the_cap():
    """transplantr 0.2.0 does not cap it at 4."""
    assert scores.meld(12, 9.0, 2.2) == scores.meld(12, 4.0, 2.2) == scores.meld(12, 1.0, 2.2, dialysis=True)
    assert scores.meld_3_0(12, 9.0, 2.2, 128, 2, 1) == scores.meld_3_0(12, 0.8, 2.2, 128, 2, 1, dialysis=True)


def test_unknown_dialysis_is_missing():
    assert np.isnan(scores.meld(12, 1.8, 2.2, dialysis=np.nan))


def test_albumin_is_bounded_in_meld_3_0():
    labs = (6, 1.5, 1.5, 131)
    assert scores.meld_3_0(*labs, 0.9, False) == scores.meld_3_0(*labs, 1.5, False)
    assert scores.meld_3_0(*labs, 5.0, False) == scores.meld_3_0(*labs, 3.5, False)


def test_albi_as_published():
    assert scores.albi(20.52, 35) == pytest.approx(-2.11, abs=0.005)
    assert scores.albi_grade([10, 20.52, 400, np.nan], [45, 35, 25, 30]).tolist()[:3] == [1, 2, 3]
    assert np.isnan(scores.albi_grade(np.nan, 30))


def test_nlr_of_no_lymphocytes_is_missing():
    np.testing.assert_array_equal(scores.nlr([6, 6, np.nan, 0, -1], [2, 0, 1, 1, 1]), [3, np.nan, np.nan, 0, np.nan])


def test_clif_c_aclf_by_hand():
    """10·(0.33·12 + 0.04·50 + 0.63·ln 10 − 2) = 54.1."""
    assert scores.clif_c_aclf(12, 50, 10) == pytest.approx(54.106, abs=0.001)
    assert scores.clif_c_aclf(18, 100, 500) == 100
    assert np.isnan(scores.clif_c_aclf(np.nan, 50, 10))


@pytest.mark.parametrize("nonsense", [0.0, -3.0, np.inf])
def test_what_is_no_measurement_is_missing(nonsense):
    assert np.isnan(scores.meld(nonsense, 1, 1))
    assert np.isnan(scores.albi(nonsense, 30))


def test_scalars_and_arrays_broadcast_to_float64():
    result = scores.meld(np.array([2, 12]), 1, [[1], [2]])
    assert result.shape == (2, 2)
    assert result.dtype == np.float64


@given(**lab)
def test_meld_lies_between_6_and_40(bilirubin, creatinine, inr):
    assert 6 <= scores.meld(bilirubin, creatinine, inr) <= 40


@given(**lab, sodium=st.floats(95, 185))
def test_sodium_never_lowers_meld_na(bilirubin, creatinine, inr, sodium):
    assert scores.meld_na_unos2016(bilirubin, creatinine, inr, sodium) >= scores.meld(bilirubin, creatinine, inr)


@given(**lab, factor=st.floats(1, 10))
def test_meld_never_falls_as_a_value_worsens(bilirubin, creatinine, inr, factor):
    base = scores.meld(bilirubin, creatinine, inr)
    assert scores.meld(bilirubin * factor, creatinine, inr) >= base
    assert scores.meld(bilirubin, creatinine * factor, inr) >= base
    assert scores.meld(bilirubin, creatinine, inr * factor) >= base
