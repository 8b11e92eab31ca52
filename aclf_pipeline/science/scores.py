"""Liver scores and ratios as published, on numpy arrays.

Each function takes scalars or arrays that broadcast, returns float64, and knows one unit per argument, named in its
docstring. NaN is missing: a score with a missing input is missing, never computed as if the input were normal.
A concentration that is not positive is no measurement and counts as missing.
Unit conversion (see `score_table`) and cut-offs that a consensus may revise (see `organ_failure`) do not belong here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def measured(values: ArrayLike) -> Floats:
    """Values as float64, with everything that is not positive and finite turned into NaN."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array) & (array > 0), array, np.nan)


def _flag(values: ArrayLike) -> Floats:
    """Return a yes/no input as 1, 0 or NaN."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isin(array, (0.0, 1.0)), array, np.nan)


def _clamp(values: Floats, low: float, high: float = np.inf) -> Floats:
    """Bound values; NaN stays NaN."""
    return np.minimum(np.maximum(values, low), high)


def _round_half_up(values: Floats) -> Floats:
    """Round to a whole number as a calculator does; the tiny term undoes binary noise such as 26.499999999999996."""
    return np.floor(values + 0.5 + 1e-9)


def _creatinine(creatinine: ArrayLike, dialysis: ArrayLike, ceiling: float, capped: bool = True) -> Floats:
    """Bound creatinine at 1 and `ceiling`, and set it to `ceiling` under dialysis; unknown dialysis is missing."""
    treated = _flag(dialysis)
    value = _clamp(measured(creatinine), 1.0, ceiling if capped else np.inf)
    # Under dialysis the measured creatinine is not used, so it may be missing.
    return np.where(np.isnan(treated), np.nan, np.where(treated == 1.0, ceiling, value))


def _meld_sum(bilirubin: ArrayLike, creatinine: Floats, inr: ArrayLike) -> Floats:
    """Return MELD(i) before rounding, on the scale of 0.6 to 4."""
    return (
        0.957 * np.log(creatinine)
        + 0.378 * np.log(_clamp(measured(bilirubin), 1.0))
        + 1.120 * np.log(_clamp(measured(inr), 1.0))
        + 0.643
    )


def meld(bilirubin: ArrayLike, creatinine: ArrayLike, inr: ArrayLike, dialysis: ArrayLike = False) -> Floats:
    """MELD, OPTN policy 9.1 (2016), before the sodium term.

    Bilirubin and creatinine in mg/dL. Values below 1 count as 1; creatinine is capped
    at 4, and is 4 under dialysis. MELD(i) is rounded to one decimal and multiplied by 10; the maximum is 40.
    Missing in, missing out; unknown dialysis is missing.
    Source: MIT-LCP/mimic-code 8bcbd19, concepts/organfailure/meld.sql, which quotes the OPTN policy.
    """
    total = _meld_sum(bilirubin, _creatinine(creatinine, dialysis, 4.0), inr)
    return np.minimum(_round_half_up(total * 10.0), 40.0)


def meld_raw(bilirubin: ArrayLike, creatinine: ArrayLike, inr: ArrayLike, dialysis: ArrayLike = False) -> Floats:
    """MELD without rounding and without any ceiling, to be logged beside `meld`.

    Units as `meld`. The final ceiling of 40 hides unit errors: µmol/L taken for mg/dL gives about 80 here and an
    innocent 40 there. Values below 1 still count as 1; dialysis still counts as creatinine 4.
    Source: formula as `meld`; without etiology term as in ampel-leipzig/ameld e12cd00, R/meld.R.
    """
    return 10.0 * _meld_sum(bilirubin, _creatinine(creatinine, dialysis, 4.0, capped=False), inr)


def meld_na_kim2008(
    bilirubin: ArrayLike,
    creatinine: ArrayLike,
    inr: ArrayLike,
    sodium: ArrayLike,
    dialysis: ArrayLike = False,
) -> Floats:
    """MELD-Na of Kim 2008 (N Engl J Med): MELD − Na − 0.025·MELD·(140 − Na) + 140.

    Bilirubin and creatinine in mg/dL, sodium in mmol/L, bounded to 125–140. MELD enters unrounded, at most 40.
    Not the UNOS formula of 2016: see `meld_na_unos2016`. Missing in, missing out.
    Source: ampel-leipzig/ameld e12cd00, R/meld.R.
    """
    base = np.minimum(10.0 * _meld_sum(bilirubin, _creatinine(creatinine, dialysis, 4.0), inr), 40.0)
    na = _clamp(measured(sodium), 125.0, 140.0)
    return base - na - 0.025 * base * (140.0 - na) + 140.0


def meld_na_unos2016(
    bilirubin: ArrayLike,
    creatinine: ArrayLike,
    inr: ArrayLike,
    sodium: ArrayLike,
    dialysis: ArrayLike = False,
) -> Floats:
    """MELD-Na of OPTN/UNOS, January 2016: MELD + 1.32·(137 − Na) − 0.033·MELD·(137 − Na), where MELD is above 11.

    Bilirubin and creatinine in mg/dL, sodium in mmol/L, bounded to 125–137. At MELD 11 or below sodium changes
    nothing, yet a missing sodium is still missing. Rounded to a whole number, at most 40.
    Source: MIT-LCP/mimic-code 8bcbd19, concepts/organfailure/meld.sql.
    """
    base = _round_half_up(10.0 * _meld_sum(bilirubin, _creatinine(creatinine, dialysis, 4.0), inr))
    deficit = 137.0 - _clamp(measured(sodium), 125.0, 137.0)
    term = np.where(base > 11.0, 1.32 * deficit - 0.033 * base * deficit, 0.0 * deficit)
    return np.minimum(_round_half_up(base + term), 40.0)


def meld_3_0(
    bilirubin: ArrayLike,
    creatinine: ArrayLike,
    inr: ArrayLike,
    sodium: ArrayLike,
    albumin: ArrayLike,
    female: ArrayLike,
    dialysis: ArrayLike = False,
) -> Floats:
    """MELD 3.0 of Kim 2021 (PMC8608337), rounded to a whole number and, as in that paper, without a ceiling.

    Bilirubin and creatinine in mg/dL, sodium in mmol/L (bounded to 125–137), albumin in g/dL (1.5–3.5), female as
    yes/no. Bilirubin and INR below 1 count as 1; creatinine is bounded to 1–3 and is 3 under dialysis.
    Missing in, missing out.
    Source: Kim 2021, PMC8608337, with its table 4 as encoded in the tests of ampel-leipzig/ameld e12cd00.
    """
    ln_bilirubin = np.log(_clamp(measured(bilirubin), 1.0))
    ln_creatinine = np.log(_creatinine(creatinine, dialysis, 3.0))
    ln_inr = np.log(_clamp(measured(inr), 1.0))
    na_deficit = 137.0 - _clamp(measured(sodium), 125.0, 137.0)
    albumin_deficit = 3.5 - _clamp(measured(albumin), 1.5, 3.5)
    total = (
        1.33 * _flag(female)
        + 4.56 * ln_bilirubin
        + 0.82 * na_deficit
        - 0.24 * na_deficit * ln_bilirubin
        + 9.09 * ln_inr
        + 11.14 * ln_creatinine
        + 1.85 * albumin_deficit
        - 1.83 * albumin_deficit * ln_creatinine
        + 6.0
    )
    return _round_half_up(total)


def nlr(neutrophils: ArrayLike, lymphocytes: ArrayLike) -> Floats:
    """Neutrophil-to-lymphocyte ratio of absolute counts in one unit, from one specimen.

    Zero lymphocytes give no ratio: missing. Zero neutrophils give 0. Missing in, missing out.
    """
    count = np.asarray(neutrophils, dtype=np.float64)
    return np.where(np.isfinite(count) & (count >= 0), count, np.nan) / measured(lymphocytes)


def albi(bilirubin: ArrayLike, albumin: ArrayLike) -> Floats:
    """ALBI: 0.66·log10(bilirubin in µmol/L) − 0.085·(albumin in g/L). Missing in, missing out.

    Source: aihaoyisheng.com/en/tools/albi; 20.52 µmol/L and 35 g/L give −2.11.
    """
    return 0.66 * np.log10(measured(bilirubin)) - 0.085 * measured(albumin)


def albi_grade(bilirubin: ArrayLike, albumin: ArrayLike) -> Floats:
    """ALBI grade 1 (at most −2.60), 2 (at most −1.39) or 3; units and source as `albi`."""
    score = albi(bilirubin, albumin)
    return np.where(np.isnan(score), np.nan, 1.0 + (score > -2.60) + (score > -1.39))


def clif_c_aclf(clif_c_of: ArrayLike, age_years: ArrayLike, wbc: ArrayLike) -> Floats:
    """CLIF-C ACLF: 10·(0.33·CLIF-C OF + 0.04·age + 0.63·ln(WBC) − 2), bounded to 0–100.

    White cells in 10⁹/L, age in years, CLIF-C OF 6–18. Missing in, missing out.
    Source: EF CLIF calculator page clif-c-of-aclf-ad.
    """
    total = 0.33 * measured(clif_c_of) + 0.04 * measured(age_years) + 0.63 * np.log(measured(wbc)) - 2.0
    return _clamp(10.0 * total, 0.0, 100.0)
