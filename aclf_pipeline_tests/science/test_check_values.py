"""Every published check value is what the package computes; and what public implementations get wrong stays out."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest

import aclf_pipeline
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.science import markers, scores
from aclf_pipeline.science.check_values import KIM_2021, SCHEMA, Check, check_values
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs

DEFINITIONS = load_protocol(Path(aclf_pipeline.__file__).parent / "protocol", "nct07198854").definitions
CHECKS = check_values(
    OrganFailureCutoffs(**DEFINITIONS["organ_failure"].cutoffs),  # type: ignore[arg-type]
    DEFINITIONS["pta_from_inr"].cutoffs,  # type: ignore[arg-type]
)
LABS = ("bilirubin", "sodium", "inr", "creatinine", "albumin")


@pytest.mark.parametrize("row", CHECKS.to_dicts(), ids=lambda row: f"{row['formula']}: {row['inputs']}")
def test_the_published_value_is_what_comes_out(row) -> None:
    assert row["agrees"], f"expected {row['expected']}, got {row['got']} ({row['source']})"


def test_the_table_has_every_row_of_kim_2021_and_names_its_sources() -> None:
    assert CHECKS.schema == SCHEMA
    assert CHECKS.filter(CHECKS["formula"] == "MELD 3.0")["expected"].to_list() == [row[6] for row in KIM_2021]
    assert CHECKS["source"].str.len_chars().min() > 10  # type: ignore[operator]
    assert CHECKS.select("formula", "inputs").is_unique().all()


def test_a_check_fails_when_the_printed_decimals_differ() -> None:
    assert Check("x", "", 22.53, 2, 22.5349, "").agrees
    assert not Check("x", "", 22.53, 2, 22.5361, "").agrees
    assert not Check("x", "", 16, 0, float("nan"), "").agrees


# Public implementations that are wrong, as they are printed; each must miss a published value that ours meets.


def cal11_meld_3_0(female, bilirubin, sodium, inr, creatinine, albumin):
    """cal11.calculator.city, page "MELD 3.0": 6.43·ln(140 − sodium), neither albumin nor sex."""
    first = 9.57 * log(creatinine) + 3.78 * log(bilirubin) + 11.2 * log(inr)
    return first + 6.43 * log(max(140 - sodium, 1))


def quickutils_meld_3_0(female, bilirubin, sodium, inr, creatinine, albumin):
    """medcalc.quickutils.tools, page "MELD 3.0": interaction on creatinine, 1.85 for women, less 7."""
    deficit, short = 137 - np.clip(sodium, 125, 137), 3.5 - np.clip(albumin, 1.5, 3.5)
    logs = 4.56 * log(max(bilirubin, 1)) + 9.09 * log(max(inr, 1)) + 11.14 * log(min(max(creatinine, 1), 3))
    sodium_term = 0.82 * deficit - 0.24 * deficit * log(min(max(creatinine, 1), 3))
    return logs + sodium_term + 1.85 * short + 1.85 * female - 7


@pytest.mark.parametrize("wrong", [cal11_meld_3_0, quickutils_meld_3_0])
def test_wrong_calculators_of_meld_3_0_miss_what_is_published(wrong) -> None:
    for female, bilirubin, sodium, inr, creatinine, albumin, published, _ in KIM_2021[:8]:
        assert round(wrong(female, bilirubin, sodium, inr, creatinine, albumin)) != published
        assert scores.meld_3_0(bilirubin, creatinine, inr, sodium, albumin, female) == published


def test_sodium_and_creatinine_are_bounded_and_meld_rounded_unlike_transplantr() -> None:
    """R transplantr 0.2.0 meld_na: sodium not bounded, creatinine not capped at 4, ten digits instead of one."""

    def transplantr(bilirubin, creatinine, inr, sodium):
        raw = 10 * (0.957 * log(creatinine) + 0.378 * log(bilirubin) + 1.12 * log(inr) + 0.643)
        return raw + 1.32 * (137 - sodium) - 0.033 * raw * (137 - sodium)

    assert round(transplantr(4.2, 1.9, 1.2, 118)) != scores.meld_na_unos2016(4.2, 1.9, 1.2, 118) == 28
    assert round(transplantr(12, 7.0, 2.2, 125)) != scores.meld_na_unos2016(12, 7.0, 2.2, 125)
    assert scores.meld(22.3, 0.84, 2.1) == 26 != pytest.approx(26.475)


def test_a_missing_input_is_missing_unlike_mimic() -> None:
    """MIMIC's meld.sql: a missing bilirubin or creatinine counts as ln(1), a missing sodium as no correction."""
    as_mimic = scores.meld(1.0, 1.8, 2.2)
    assert np.isfinite(as_mimic)
    assert np.isnan(scores.meld(np.nan, 1.8, 2.2))
    assert np.isnan(scores.meld_na_unos2016(12, 1.8, 2.2, np.nan))


def test_the_two_meld_na_have_two_names_and_two_results_unlike_thecalculator() -> None:
    """thecalculator.co prints the formula of Kim 2008 as "MELD-Na", without its bounds."""

    def unbounded(meld, sodium):
        return meld - sodium - 0.025 * meld * (140 - sodium) + 140

    kim, unos = scores.meld_na_kim2008(4.2, 1.9, 1.2, 135), scores.meld_na_unos2016(4.2, 1.9, 1.2, 135)
    assert abs(float(kim) - float(unos)) > 1
    assert scores.meld_na_kim2008(4.2, 1.9, 1.2, 150) != pytest.approx(unbounded(20.0391626, 150))


def test_apri_is_a_hundred_times_the_ratio_unlike_cliot() -> None:
    """R cliot 0.2.0 divides by (platelets · 100)."""
    assert float(markers.apri(80, 100)) == pytest.approx(2.0)
    assert float(markers.apri(80, 100)) == pytest.approx(10_000 * (80 / 40) / (100 * 100))
