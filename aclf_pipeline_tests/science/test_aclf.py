"""ACLF by four definitions: where they decide, where they disagree, and where they cannot know."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from aclf_pipeline.science.aclf import COLUMNS, aclf_status, any_of
from aclf_pipeline_tests.science.cutoffs import ACLF
from aclf_pipeline_tests.science.drawing import draw

NUMERIC = dict.fromkeys(
    ("bilirubin_max_umol_l", "bilirubin_daily_rise_max", "inr_max", "pta_min", "he_grade"), pl.Float64
) | {"easl_clif_grade_low": pl.Float64, "easl_clif_grade_high": pl.Float64}
SHORT = {
    "bili": "bilirubin_max_umol_l",
    "rise": "bilirubin_daily_rise_max",
    "inr": "inr_max",
    "pta": "pta_min",
    "he": "he_grade",
    "low": "easl_clif_grade_low",
    "high": "easl_clif_grade_high",
}
YES_NO = dict.fromkeys(("ascites", "cirrhosis", "apasl", "cossh", "easl", "cn"), pl.Boolean)


def test_definitions_case_by_case():
    drawn = draw(
        """
        bili  | rise | inr | pta | ascites | he | cirrhosis | low | high || apasl | cossh | easl | cn
        442   | 20   | 2.1 | 30  | yes     | 0  | yes       | 1   | 1    || yes   | yes   | yes  | yes
        85    | 0    | 1.5 | 60  | yes     | 0  | no        | 0   | 0    || yes   | no    | no   | no
        84.9  | 0    | 1.5 | 30  | yes     | 0  | no        | 0   | 3    || no    | no    | no   | no
        204.9 | 0    | 1.5 | 41  | no      | 0  | yes       | 0   | 0    || no    | no    | no   | no
        205   | 0    | 1.5 | 41  | no      | 1  | yes       | 0   | 2    || yes   | yes   |      | no
        100   | 17.1 | 1.4 | 40  | no      | 2  |           | 1   | 2    || no    | no    |      | yes
        100   | 17.1 | 1.4 | 39  | no      | 2  |           | 0   | 0    || yes   | no    | no   | yes
        300   |      | 2.0 |     | yes     |    | yes       | 2   | 3    || yes   | yes   | yes  |
        300   |      |     |     | no      | 0  | yes       |     |      || no    |       |      |
        300   |      |     |     | yes     | 0  | no        |     |      ||       |       | no   |
              | 18   |     | 20  |         |    |           | 1   | 1    ||       |       |      | yes
        50    |      |     |     |         |    |           |     |      || no    | no    |      |
        """.replace("||", "|")
    )
    frame = drawn.rename(SHORT).pipe(lambda f: f.with_columns(pl.col(c).cast(t) for c, t in NUMERIC.items()))
    frame = frame.with_columns(
        pl.col(name).replace_strict({"yes": True, "no": False}, return_dtype=pl.Boolean) for name in YES_NO
    )
    status = aclf_status(frame, ACLF)
    for ours, drawn_name in (("apasl", "apasl"), ("cossh", "cossh"), ("easl_clif", "easl"), ("cn_2012", "cn")):
        assert status[f"aclf_{ours}"].to_list() == frame[drawn_name].to_list(), ours


def patient(**values: object) -> pl.DataFrame:
    row = {**dict.fromkeys(COLUMNS), **values}
    return pl.DataFrame(row, schema_overrides=dict.fromkeys(COLUMNS, pl.Float64))


def test_nan_is_missing_and_not_a_large_number():
    status = aclf_status(patient(bilirubin_max_umol_l=np.nan, inr_max=np.nan, pta_min=30.0, ascites=1.0), ACLF)
    assert status.select("aclf_apasl", "aclf_cossh", "aclf_cn_2012").row(0) == (None, None, None)


def test_inr_counts_for_the_chinese_guideline_only_with_a_cutoff():
    frame = patient(bilirubin_max_umol_l=300.0, inr_max=2.0)
    assert aclf_status(frame, ACLF)["aclf_cn_2012"].item() is None
    assert aclf_status(frame, dataclasses.replace(ACLF, cn_2012_inr=1.5))["aclf_cn_2012"].item() is True


def test_degrees_of_ascites_count_from_1():
    degrees = pl.concat([patient(bilirubin_max_umol_l=300.0, inr_max=2.0, he_grade=0.0, ascites=d) for d in (0, 1, 2)])
    assert aclf_status(degrees, ACLF)["aclf_apasl"].to_list() == [False, True, True]


def test_any_of_several_definitions_is_decided_by_one_that_is_met():
    status = aclf_status(patient(bilirubin_max_umol_l=300.0, inr_max=2.0), ACLF)
    assert status.select(any_of(["apasl", "cossh"])).item() is True
    assert status.select(any_of(["apasl", "cn_2012"])).item() is None
    with pytest.raises(ValueError, match="aasld"):
        any_of(["aasld"])


def test_absent_columns_are_all_named():
    with pytest.raises(ValueError, match="inr_max") as caught:
        aclf_status(pl.DataFrame({"ascites": [True]}), ACLF)
    assert "cirrhosis" in str(caught.value)
