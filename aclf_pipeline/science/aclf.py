"""ACLF status of a patient by four definitions, decided from the values of one window.

The definitions disagree and the records predate most of them, so each is computed and none is chosen here.
True, false, or null where the values cannot decide: who meets a definition whatever the missing value is, is true.
Cut-offs (they arrive as `AclfCutoffs`) and the choice of a definition for a study do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

DEFINITIONS = ("apasl", "cossh", "easl_clif", "cn_2012")
COLUMNS = {
    "bilirubin_max_umol_l": "highest total bilirubin of the window, µmol/L",
    "bilirubin_daily_rise_max": "steepest rise of total bilirubin, µmol/L per day",
    "inr_max": "highest INR of the window",
    "pta_min": "lowest prothrombin activity of the window, %",
    "ascites": "ascites seen in the window: yes/no or degree 0, 1, 2",
    "he_grade": "highest West Haven grade of the window, 0 to 4",
    "cirrhosis": "cirrhosis known, yes/no",
    "easl_clif_grade_low": "lower bound of the EASL-CLIF grade",
    "easl_clif_grade_high": "upper bound of the EASL-CLIF grade",
}


@dataclass(frozen=True)
class AclfCutoffs:
    """Cut-offs of the four definitions; see `definitions.yaml`. With a null cn_2012_inr that definition ignores INR."""

    apasl_bilirubin_umol_l: float
    apasl_inr: float
    apasl_pta_percent: float
    apasl_he_grade: float
    cossh_bilirubin_umol_l: float
    cossh_inr: float
    cn_2012_bilirubin_umol_l: float
    cn_2012_daily_rise_umol_l: float
    cn_2012_pta_percent: float
    cn_2012_inr: float | None
    easl_clif_grade: float


def _known(column: str) -> pl.Expr:
    """Return a numeric column with NaN as null; a comparison with NaN would be true in Polars."""
    return pl.col(column).cast(pl.Float64).fill_nan(None)


def apasl(cutoffs: AclfCutoffs) -> pl.Expr:
    """APASL: jaundice and coagulopathy, with ascites or encephalopathy within the window (4 weeks).

    PTA must be below its cut-off, INR at or above. In µmol/L, because 85 µmol/L is 4.97 mg/dL and would fail 5.
    Source: 10.1007/s12072-019-09946-3; PMC6728300; researchsquare rs-288395.
    """
    jaundice = _known("bilirubin_max_umol_l") >= cutoffs.apasl_bilirubin_umol_l
    coagulopathy = (_known("inr_max") >= cutoffs.apasl_inr) | (_known("pta_min") < cutoffs.apasl_pta_percent)
    complication = (_known("ascites") > 0) | (_known("he_grade") >= cutoffs.apasl_he_grade)
    return jaundice & coagulopathy & complication


def cossh(cutoffs: AclfCutoffs) -> pl.Expr:
    """COSSH in one line: bilirubin and INR at or above their cut-offs, with or without cirrhosis.

    Source: Journal of Nanjing Medical University (natural sciences) 20230107, which restates Gut 2018;67.
    """
    return (_known("bilirubin_max_umol_l") >= cutoffs.cossh_bilirubin_umol_l) & (_known("inr_max") >= cutoffs.cossh_inr)


def cn_2012(cutoffs: AclfCutoffs) -> pl.Expr:
    """Chinese guideline of 2012: bilirubin high or rising daily, and PTA at or below its cut-off.

    Its fatigue, gastrointestinal and bleeding symptoms are not recorded as data and are not asked for.
    INR counts only if the protocol gives a cut-off for it: the two tests are not interchangeable.
    Source: English rendering at kiraspecialist.com/9833385485580 (edition not stated).
    """
    jaundice = (_known("bilirubin_max_umol_l") >= cutoffs.cn_2012_bilirubin_umol_l) | (
        _known("bilirubin_daily_rise_max") >= cutoffs.cn_2012_daily_rise_umol_l
    )
    coagulopathy = _known("pta_min") <= cutoffs.cn_2012_pta_percent
    if cutoffs.cn_2012_inr is not None:
        coagulopathy = coagulopathy | (_known("inr_max") >= cutoffs.cn_2012_inr)
    return jaundice & coagulopathy


def easl_clif(cutoffs: AclfCutoffs) -> pl.Expr:
    """EASL-CLIF: cirrhosis with at least the given grade; null while the bounds of the grade straddle it.

    Organ failure is taken as the acute decompensation the definition asks for.
    Source: World J Gastroenterol v28/i48/6922, table 1; PMC10366797, table 1.
    """
    surely = _known("easl_clif_grade_low") >= cutoffs.easl_clif_grade
    possibly = _known("easl_clif_grade_high") >= cutoffs.easl_clif_grade
    reached = pl.when(surely).then(statement=True).when(~possibly).then(statement=False)
    return (_known("cirrhosis") > 0) & reached


def any_of(definitions: Sequence[str]) -> pl.Expr:
    """Return whether any of the named definitions is met, on the columns `aclf_status` adds."""
    unknown = [name for name in definitions if name not in DEFINITIONS]
    if unknown or not definitions:
        raise ValueError(f"ACLF definitions: {unknown or 'none'} asked for; known are {', '.join(DEFINITIONS)}")
    return pl.any_horizontal([pl.col(f"aclf_{name}") for name in definitions])


def aclf_status(frame: pl.DataFrame, cutoffs: AclfCutoffs) -> pl.DataFrame:
    """Add aclf_apasl, aclf_cossh, aclf_easl_clif and aclf_cn_2012 (true, false or null) to a frame with COLUMNS.

    One row per patient in, one row per patient out, in the same order. Raises ValueError naming every absent column.
    """
    absent = [f"'{column}' ({says})" for column, says in COLUMNS.items() if column not in frame.columns]
    if absent:
        raise ValueError("ACLF status asks for columns the frame does not have: " + ", ".join(absent))
    return frame.with_columns(
        aclf_apasl=apasl(cutoffs),
        aclf_cossh=cossh(cutoffs),
        aclf_easl_clif=easl_clif(cutoffs),
        aclf_cn_2012=cn_2012(cutoffs),
    )
