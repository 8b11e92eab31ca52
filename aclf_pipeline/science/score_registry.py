"""The registry of scores: what each is, what it takes and in which unit, and whence its formula comes.

Formulas (`scores`, `aclf_scores`, `clif_sofa`, `markers`, `organ_failure`), computing them on a cohort (`score_table`),
conversion factors and cut-offs (both from the protocol) do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aclf_pipeline.science import aclf_scores, markers, organ_failure, scores
from aclf_pipeline.science.clif_sofa import clif_sofa
from aclf_pipeline.science.organ_failure import Bounds, OrganFailureCutoffs, OrganValues

Floats = NDArray[np.float64]
Inputs = Mapping[str, tuple[str, str]]
# A raw MELD above this is possible in ACLF, but a unit error is likelier (a proposal awaiting a clinician's signature).
IMPLAUSIBLE_MELD = 50.0
LOW, HIGH = 0, 1


@dataclass(frozen=True)
class Score:
    """A score: what it is, what it takes (argument → cohort variable and the unit the formula wants), and whence.

    `function` takes the arguments as float arrays. A score that `needs_cutoffs` takes them as its first argument;
    one with `bounds` accepts missing inputs and answers with a wider interval. `detail` adds words to the explanation;
    `refusal` says, per candidate, why the score is not for this patient, or nothing.
    """

    name: str
    says: str
    inputs: Mapping[str, tuple[str, str]]
    function: Callable[..., Floats]
    source: str
    unit: str = "{score}"
    needs_cutoffs: bool = False
    bounds: bool = False
    detail: Callable[..., list[str]] | None = field(default=None, repr=False)
    refusal: Callable[..., list[str]] | None = field(default=None, repr=False)


def _meld_detail(**inputs: Floats) -> list[str]:
    """Say what MELD would be without its ceilings, so that a unit error cannot hide under them."""
    raw = scores.meld_raw(**inputs)
    return [
        f"unclamped {value:.2f}" + (" (above 50: check the units of the inputs)" if value > IMPLAUSIBLE_MELD else "")
        for value in raw
    ]


def _side(function: Callable[..., Bounds], side: int) -> Callable[..., Floats]:
    """One side of a function that gives bounds."""
    return lambda *cutoffs, **inputs: function(*cutoffs, **inputs)[side]


def _exact(function: Callable[..., Bounds]) -> Callable[..., Floats]:
    """The value where both bounds agree, else NaN."""

    def exact(*cutoffs: OrganFailureCutoffs, **inputs: Floats) -> Floats:
        low, high = function(*cutoffs, **inputs)
        return np.where(low == high, low, np.nan)

    return exact


def _of(cutoffs: OrganFailureCutoffs, **inputs: Floats) -> Bounds:
    return organ_failure.clif_c_of(OrganValues(**inputs), cutoffs)


def _grade(cutoffs: OrganFailureCutoffs, **inputs: Floats) -> Bounds:
    return organ_failure.easl_clif_grade(OrganValues(**inputs), cutoffs)


def _aclf(cutoffs: OrganFailureCutoffs, *, age: Floats, wbc: Floats, **organs: Floats) -> Bounds:
    """CLIF-C ACLF of the lowest and highest CLIF-C OF; age and white cells have no bounds."""
    low, high = _of(cutoffs, **organs)
    return scores.clif_c_aclf(low, age, wbc), scores.clif_c_aclf(high, age, wbc)


def _sofa(*, platelets: Floats, **organs: Floats) -> Bounds:
    return clif_sofa(OrganValues(**organs), platelets)


def _ad(cutoffs: OrganFailureCutoffs, *, age: Floats, wbc: Floats, sodium: Floats, **organs: Floats) -> Floats:
    """CLIF-C AD of patients who surely have no ACLF by EASL-CLIF; it is made for no others."""
    score = aclf_scores.clif_c_ad(age, organs["creatinine"], organs["inr"], wbc, sodium)
    return np.where(_grade(cutoffs, **organs)[HIGH] == 0, score, np.nan)


def _ad_refusal(cutoffs: OrganFailureCutoffs, **inputs: Floats) -> list[str]:
    """Why CLIF-C AD is not for a patient: ACLF by EASL-CLIF, or organs that leave it open."""
    organs = {name: inputs[name] for name in _ORGANS}
    low, high = np.broadcast_arrays(*_grade(cutoffs, **organs))
    return [
        ""
        if upper == 0
        else f"made for decompensation without ACLF; here EASL-CLIF grade {lower:.0f}"
        + (f" to {upper:.0f}" if upper > lower else "")
        for lower, upper in zip(low.tolist(), high.tolist(), strict=True)
    ]


_AGE = {"age": ("age_years", "a")}
_WBC = {"wbc": ("wbc", "10*9/L")}
_SODIUM = {"sodium": ("sodium", "mmol/L")}
_PLATELETS = {"platelets": ("platelets", "10*9/L")}
_LYMPHOCYTES = {"lymphocytes": ("lymphocytes", "10*9/L")}
_NEUTROPHILS = {"neutrophils": ("neutrophils", "10*9/L")}
_HE = {"he_grade": ("he_grade", "1")}
_AST, _ALT = {"ast": ("ast", "U/L")}, {"alt": ("alt", "U/L")}
_MELD = {
    "bilirubin": ("bilirubin_total", "mg/dL"),
    "creatinine": ("creatinine", "mg/dL"),
    "inr": ("inr", "1"),
    "dialysis": ("dialysis", "1"),
}
_ORGANS = {
    **_MELD,
    **_HE,
    "map": ("map", "mm[Hg]"),
    "vasopressor": ("vasopressor", "1"),
    "pao2": ("pao2", "mm[Hg]"),
    "spo2": ("spo2", "%"),
    "fio2": ("fio2", "1"),
}
_CHILD_PUGH = {
    "bilirubin": ("bilirubin_total", "mg/dL"),
    "albumin": ("albumin", "g/dL"),
    "inr": ("inr", "1"),
    "ascites": ("ascites", "1"),
    **_HE,
}
_COSSH = {
    "inr": ("inr", "1"),
    **_HE,
    **_NEUTROPHILS,
    "bilirubin": ("bilirubin_total", "umol/L"),
    "urea": ("urea", "mmol/L"),
    "age_years": ("age_years", "a"),
}
_AARC = {
    "bilirubin": ("bilirubin_total", "mg/dL"),
    **_HE,
    "inr": ("inr", "1"),
    "lactate": ("lactate", "mmol/L"),
    "creatinine": ("creatinine", "mg/dL"),
}
_ALBI = {"bilirubin": ("bilirubin_total", "umol/L"), "albumin": ("albumin", "g/L")}
_OPTN = "OPTN policy 9.1 (2016) as in MIT-LCP/mimic-code 8bcbd19, concepts/organfailure/meld.sql"
_AMELD = "ampel-leipzig/ameld e12cd00, R/meld.R"
_CLIF = "Gut, CLIF-C OF (highwire 210726), table 7; EF CLIF calculator page clif-c-of-aclf-ad"
_EASL = "World J Gastroenterol v28/i48/6922, table 1"
_PUGH = "medcalc.quickutils.tools Child-Pugh page"
_COSSH_II = "Zhejiang University (qhmstj.cn, cmmenglish, 2021/0707); coding of encephalopathy unverified"
_AARC_SOURCE = "explorationpub.com, article 100552, table 2"
_SOFA_SOURCE = "PMC4641130, table 1; UpToDate calculator 133140 for creatinine"
_ALBI_SOURCE = "aihaoyisheng.com/en/tools/albi"
_COUNTS = "ratio of absolute counts"


def _between(
    name: str, says: str, inputs: Inputs, function: Callable[..., Bounds], source: str, *, needs_cutoffs: bool = False
) -> tuple[Score, Score]:
    """Both bounds of a score, as two scores."""
    return tuple(  # type: ignore[return-value]
        Score(f"{name}_{end}", f"{says}, {word} bound", inputs, _side(function, side), source,
              needs_cutoffs=needs_cutoffs, bounds=True)
        for end, word, side in (("low", "lower", LOW), ("high", "upper", HIGH))
    )  # fmt: skip


def _meld_family() -> tuple[Score, ...]:
    return (
        Score("meld", "MELD before the sodium term", _MELD, scores.meld, _OPTN, detail=_meld_detail),
        Score("meld_na_kim2008", "MELD-Na of Kim 2008", {**_MELD, **_SODIUM}, scores.meld_na_kim2008, _AMELD),
        Score("meld_na_unos2016", "MELD-Na of UNOS 2016", {**_MELD, **_SODIUM}, scores.meld_na_unos2016, _OPTN),
        Score(
            "meld_3_0",
            "MELD 3.0",
            {**_MELD, **_SODIUM, "albumin": ("albumin", "g/dL"), "female": ("sex", "1")},
            scores.meld_3_0,
            "Kim 2021, PMC8608337",
        ),
    )


def _organ_scores() -> tuple[Score, ...]:
    measured = {**_ORGANS, **_AGE, **_WBC}
    return (
        *_between("clif_c_of", "CLIF-C OF", _ORGANS, _of, _CLIF, needs_cutoffs=True),
        Score("clif_c_of", "CLIF-C OF where every organ is decided", _ORGANS, _exact(_of), _CLIF,
              needs_cutoffs=True, bounds=True),
        *_between("easl_clif_grade", "EASL-CLIF grade", _ORGANS, _grade, _EASL, needs_cutoffs=True),
        *_between("clif_c_aclf", "CLIF-C ACLF", measured, _aclf, _CLIF, needs_cutoffs=True),
        Score("clif_c_ad", "CLIF-C AD", {**measured, **_SODIUM}, _ad, _CLIF,
              needs_cutoffs=True, bounds=True, refusal=_ad_refusal),
        *_between("clif_sofa", "CLIF-SOFA", {**_ORGANS, **_PLATELETS}, _sofa, _SOFA_SOURCE),
    )  # fmt: skip


def _liver_scores() -> tuple[Score, ...]:
    return (
        Score("child_pugh", "Child-Pugh", _CHILD_PUGH, aclf_scores.child_pugh, _PUGH),
        *_between("child_pugh", "Child-Pugh", _CHILD_PUGH, aclf_scores.child_pugh_bounds, _PUGH),
        Score("cossh_aclf_ii", "COSSH-ACLF II", _COSSH, aclf_scores.cossh_aclf_ii, _COSSH_II),
        *_between("cossh_aclf_ii", "COSSH-ACLF II", _COSSH, aclf_scores.cossh_aclf_ii_bounds, _COSSH_II),
        Score("aarc", "AARC-ACLF", _AARC, aclf_scores.aarc, _AARC_SOURCE),
        *_between("aarc", "AARC-ACLF", _AARC, aclf_scores.aarc_bounds, _AARC_SOURCE),
        Score("albi", "ALBI", _ALBI, scores.albi, _ALBI_SOURCE),
        Score("albi_grade", "ALBI grade", _ALBI, scores.albi_grade, _ALBI_SOURCE),
    )


def _markers() -> tuple[Score, ...]:
    bilirubins = {
        "bilirubin_direct": ("bilirubin_direct", "umol/L"),
        "bilirubin_total": ("bilirubin_total", "umol/L"),
    }
    fib4 = {"age_years": ("age_years", "a"), **_AST, **_ALT, **_PLATELETS}
    listed: tuple[tuple[str, str, Inputs, Callable[..., Floats], str], ...] = (
        ("nlr", "neutrophil-to-lymphocyte ratio", {**_NEUTROPHILS, **_LYMPHOCYTES}, scores.nlr, _COUNTS),
        ("plr", "platelet-to-lymphocyte ratio", {**_PLATELETS, **_LYMPHOCYTES}, markers.plr, _COUNTS),
        ("mlr", "monocyte-to-lymphocyte ratio", {"monocytes": ("monocytes", "10*9/L"), **_LYMPHOCYTES}, markers.mlr,
         _COUNTS),
        ("fib4", "FIB-4, descriptive only", fib4, markers.fib4, "cran/cliot 74e469a, R/neelpackage.R"),
        ("apri", "APRI, descriptive only", {**_AST, **_PLATELETS}, markers.apri,
         "johnasher/transplantr 9662038, R/liver.R"),
        ("de_ritis", "AST over ALT", {**_AST, **_ALT}, markers.de_ritis, "ratio of activities"),
        ("direct_share", "direct over total bilirubin", bilirubins, markers.direct_share, "PMC7809456, table 1"),
    )  # fmt: skip
    return tuple(
        Score(name, says, inputs, function, source, unit="1") for name, says, inputs, function, source in listed
    )


SCORES: dict[str, Score] = {
    score.name: score for score in (*_meld_family(), *_organ_scores(), *_liver_scores(), *_markers())
}
"""Every score by name."""
