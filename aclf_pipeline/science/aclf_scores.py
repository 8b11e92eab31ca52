"""Scores of liver failure beside MELD: Child-Pugh, CLIF-C AD, COSSH-ACLF II and AARC, on numpy arrays.

Each function takes scalars or arrays that broadcast, returns float64, and knows one unit per argument. NaN is missing:
a score with a missing input is missing; the functions ending in `_bounds` say how low and high it could be instead.

Not here: MELD and its successors (`scores`), ratios (`markers`), organ failures (`organ_failure`), unit conversion
(`score_table`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aclf_pipeline.science.scores import measured

Floats = NDArray[np.float64]

CHILD_PUGH = {"bilirubin": (2.0, 3.0), "inr": (1.7, 2.2)}
AARC = {"bilirubin": (15.0, 25.0), "inr": (1.8, 2.5), "lactate": (1.5, 2.5), "creatinine": (0.7, 1.5)}
"""Lower and upper cut of the middle band, both inside it: explorationpub.com, article 100552, table 2."""


def _grade(values: ArrayLike, highest: int) -> Floats:
    """A clinical grade as 0, 1, … highest; anything else is missing."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isin(array, np.arange(highest + 1)), array, np.nan)


def _band(values: Floats, low: float, high: float) -> Floats:
    """1 below `low`, 2 from `low` to `high` inclusive, 3 above; missing stays missing."""
    # Rounded so that 51.3 µmol/L is 3 mg/dL in spite of binary noise.
    rounded = np.round(values, 6)
    points = 1.0 + (rounded >= low) + (rounded > high)
    return np.where(np.isnan(values), np.nan, points)


def _encephalopathy(he_grade: ArrayLike) -> Floats:
    """1 without encephalopathy, 2 for West Haven I–II, 3 for III–IV."""
    grade = _grade(he_grade, 4)
    return np.where(np.isnan(grade), np.nan, 1.0 + (grade >= 1) + (grade >= 3))


def child_pugh(
    bilirubin: ArrayLike, albumin: ArrayLike, inr: ArrayLike, ascites: ArrayLike, he_grade: ArrayLike
) -> Floats:
    """Child-Pugh points, 5 to 15.

    Bilirubin in mg/dL (below 2, 2–3, above 3), albumin in g/dL (above 3.5, 2.8–3.5, below 2.8), INR (below 1.7,
    1.7–2.2, above 2.2), ascites 0 none, 1 mild, 2 moderate or large, encephalopathy by West Haven 0, I–II, III–IV. The
    upper INR cut is printed as 2.2 or 2.3; here 2.2. Missing in, missing out.
    Source: medcalc.quickutils.tools Child-Pugh page.
    """
    return np.sum(_child_pugh_items(bilirubin, albumin, inr, ascites, he_grade), axis=0)


def child_pugh_bounds(
    bilirubin: ArrayLike, albumin: ArrayLike, inr: ArrayLike, ascites: ArrayLike, he_grade: ArrayLike
) -> tuple[Floats, Floats]:
    """The lowest and highest Child-Pugh points that the missing items allow. Units and source as `child_pugh`."""
    return _sums_between(_child_pugh_items(bilirubin, albumin, inr, ascites, he_grade))


def child_pugh_class(points: ArrayLike) -> Floats:
    """1 for A (5–6 points), 2 for B (7–9), 3 for C (10–15). Missing in, missing out."""
    total = measured(points)
    return np.where(np.isnan(total), np.nan, 1.0 + (total >= 7) + (total >= 10))


def clif_c_ad(age_years: ArrayLike, creatinine: ArrayLike, inr: ArrayLike, wbc: ArrayLike, sodium: ArrayLike) -> Floats:
    """CLIF-C AD: 10·(0.03·age + 0.66·ln(creatinine) + 1.71·ln(INR) + 0.88·ln(WBC) − 0.05·sodium + 8), 0 to 100.

    Creatinine in mg/dL, white cells in 10⁹/L, sodium in mmol/L. For acute decompensation *without* ACLF only; who has
    ACLF is not this function's to know. Missing in, missing out.
    Source: EF CLIF calculator page clif-c-of-aclf-ad.
    """
    total = (
        0.03 * measured(age_years)
        + 0.66 * np.log(measured(creatinine))
        + 1.71 * np.log(measured(inr))
        + 0.88 * np.log(measured(wbc))
        - 0.05 * measured(sodium)
        + 8.0
    )
    return np.clip(10.0 * total, 0.0, 100.0)


def cossh_aclf_ii(
    inr: ArrayLike, he_grade: ArrayLike, neutrophils: ArrayLike, bilirubin: ArrayLike, urea: ArrayLike,
    age_years: ArrayLike,
) -> Floats:  # fmt: skip
    """COSSH-ACLF II (2021): 1.649·ln(INR) + 0.457·HE + 0.425·ln(neutrophils) + 0.396·ln(bilirubin) + 0.576·ln(urea)
    + 0.033·age.

    Bilirubin in µmol/L, urea in mmol/L, neutrophils in 10⁹/L; HE is 1, 2 or 3 for West Haven 0, I–II, III–IV. The
    formula is verified, the coding of HE is not: it stands on memory and on the published range (deaths 8.2 ± 0.7,
    survivors 6.8 ± 0.9). Missing in, missing out.
    Source: Zhejiang University's announcement (qhmstj.cn, cmmenglish, 2021/0707); range from 93 patients in J
    Clin Hepatol 2026;29(1):73.
    """
    return (
        1.649 * np.log(measured(inr))
        + 0.457 * _encephalopathy(he_grade)
        + 0.425 * np.log(measured(neutrophils))
        + 0.396 * np.log(measured(bilirubin))
        + 0.576 * np.log(measured(urea))
        + 0.033 * measured(age_years)
    )


def cossh_aclf_ii_bounds(
    inr: ArrayLike, he_grade: ArrayLike, neutrophils: ArrayLike, bilirubin: ArrayLike, urea: ArrayLike,
    age_years: ArrayLike,
) -> tuple[Floats, Floats]:  # fmt: skip
    """COSSH-ACLF II without and with the deepest encephalopathy where its grade is missing; another missing input has
    no bound and leaves both missing. Units and source as `cossh_aclf_ii`.
    """
    grade = _grade(he_grade, 4)
    low, high = (np.where(np.isnan(grade), extreme, grade) for extreme in (0.0, 4.0))
    return tuple(cossh_aclf_ii(inr, given, neutrophils, bilirubin, urea, age_years) for given in (low, high))  # type: ignore[return-value]


def aarc(
    bilirubin: ArrayLike, he_grade: ArrayLike, inr: ArrayLike, lactate: ArrayLike, creatinine: ArrayLike
) -> Floats:
    """AARC-ACLF points, 5 to 15, from five items of 1 to 3.

    Bilirubin in mg/dL (below 15, 15–25, above 25), encephalopathy 0, 1–2, 3–4, INR (below 1.8, 1.8–2.5, above 2.5),
    lactate in mmol/L (below 1.5, 1.5–2.5, above 2.5), creatinine in mg/dL (below 0.7, 0.7–1.5, above 1.5). Lactate is
    seldom measured on a general ward: without it the score is missing, see `aarc_bounds`.
    Source: explorationpub.com, article 100552, table 2.
    """
    return np.sum(_aarc_items(bilirubin, he_grade, inr, lactate, creatinine), axis=0)


def aarc_bounds(
    bilirubin: ArrayLike, he_grade: ArrayLike, inr: ArrayLike, lactate: ArrayLike, creatinine: ArrayLike
) -> tuple[Floats, Floats]:
    """The lowest and highest AARC points that the missing items allow; equal where none is. Units as `aarc`."""
    return _sums_between(_aarc_items(bilirubin, he_grade, inr, lactate, creatinine))


def aarc_grade(points: ArrayLike) -> Floats:
    """1 (5–7 points), 2 (8–10) or 3 (11–15). Missing in, missing out. Source as `aarc`."""
    total = measured(points)
    return np.where(np.isnan(total), np.nan, 1.0 + (total >= 8) + (total >= 11))


def _aarc_items(
    bilirubin: ArrayLike, he_grade: ArrayLike, inr: ArrayLike, lactate: ArrayLike, creatinine: ArrayLike
) -> Floats:
    given = {"bilirubin": bilirubin, "inr": inr, "lactate": lactate, "creatinine": creatinine}
    bands = [_band(measured(value), *AARC[name]) for name, value in given.items()]
    return np.stack(np.broadcast_arrays(_encephalopathy(he_grade), *bands))


def _child_pugh_items(
    bilirubin: ArrayLike, albumin: ArrayLike, inr: ArrayLike, ascites: ArrayLike, he_grade: ArrayLike
) -> Floats:
    protein = measured(albumin)
    of_albumin = np.where(np.isnan(protein), np.nan, 1.0 + (protein <= 3.5) + (protein < 2.8))
    of_bilirubin, of_inr = (
        _band(measured(value), *CHILD_PUGH[name]) for name, value in (("bilirubin", bilirubin), ("inr", inr))
    )
    items = (of_bilirubin, of_albumin, of_inr, 1.0 + _grade(ascites, 2), _encephalopathy(he_grade))
    return np.stack(np.broadcast_arrays(*items))


def _sums_between(items: Floats) -> tuple[Floats, Floats]:
    """Sums of items of 1 to 3 with each missing one at 1, and at 3."""
    return np.sum(np.nan_to_num(items, nan=1.0), axis=0), np.sum(np.nan_to_num(items, nan=3.0), axis=0)
