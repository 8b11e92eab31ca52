"""Published check values of the formulas, each beside what this package computes.

A row is a promise to a reader who would not read code: these inputs, this printed result, this source.
What does not belong here: formulas (`scores`, `aclf_scores`, `organ_failure`) and figures of the protocol (handed in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from aclf_pipeline.science import aclf_scores, scores
from aclf_pipeline.science.organ_failure import OrganFailureCutoffs, OrganValues, clif_c_of

_AMELD = "ampel-leipzig/ameld e12cd00, R/meld.R and its tests"
_KIM = "Kim 2021, PMC8608337, table 4"
_PTA = "medicalalgorithms.com, percent prothrombin complex activity from the INR"
_BY_HAND = "the formula by hand"

KIM_2021 = (
    # female, bilirubin mg/dL, sodium, INR, creatinine mg/dL, albumin g/dL, MELD 3.0, source
    (0, 2.5, 131, 1.0, 1.2, 3.8, 16, _KIM),
    (1, 2.5, 131, 1.0, 1.2, 3.8, 17, _KIM),
    (0, 6.0, 131, 1.5, 1.5, 3.5, 25, _KIM),
    (0, 6.0, 131, 1.5, 1.5, 2.2, 26, _KIM),
    (1, 6.0, 131, 1.5, 1.5, 2.2, 27, _KIM),
    (0, 12.0, 128, 2.2, 1.8, 2.0, 34, _KIM),
    (0, 12.0, 128, 2.2, 2.8, 2.0, 38, _KIM),
    (1, 12.0, 128, 2.2, 2.8, 2.0, 39, _KIM),
    (1, 4.2, 140, 1.2, 1.9, 3.5, 23, _AMELD),
    (0, 4.2, 140, 1.2, 1.9, 3.5, 21, _AMELD),
    (1, 4.2, 140, 1.2, 1.9, 1.5, 24, _AMELD),
)
ACTIVITY_OF_INR = ((1.0, 100), (1.5, 40), (1.75, 30), (2.0, 25), (2.35, 20), (2.9, 15), (4.45, 10))
"""INR and the prothrombin activity printed beside it, in %."""
SCHEMA = {
    "formula": pl.String,
    "inputs": pl.String,
    "expected": pl.Float64,
    "got": pl.Float64,
    "agrees": pl.Boolean,
    "source": pl.String,
}


@dataclass(frozen=True)
class Check:
    """One published value: what was put in, what is printed and to how many decimals, and what comes out here.

    `within` is how far the result may lie from the printed one; by default half a unit of the last printed decimal.
    """

    formula: str
    inputs: str
    expected: float
    decimals: int
    got: float
    source: str
    within: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the result is the printed one, to the printed decimals."""
        within = 0.5 * 10.0**-self.decimals if self.within is None else self.within
        return bool(abs(self.got - self.expected) <= within + 1e-9)


def check_values(organs: OrganFailureCutoffs, activity: Mapping[str, float]) -> pl.DataFrame:
    """One row per check value: formula, inputs, expected, got, agrees, source.

    `organs` are the cut-offs of organ failure, `activity` the coefficients c3, c2, c1, c0 of prothrombin activity from
    INR, both as the protocol has them. `got` is rounded to one decimal more than the printed value has.
    """
    checks = [*_meld(), *_meld_3_0(), *_liver(), *_organs(organs), *_activity(activity)]
    rows = [(c.formula, c.inputs, c.expected, round(c.got, c.decimals + 1), c.agrees, c.source) for c in checks]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _meld() -> list[Check]:
    labs, usual = "creatinine 1.9 mg/dL, bilirubin 4.2 mg/dL, INR 1.2", (4.2, 1.9, 1.2)
    wrong = "bilirubin 442.5 and creatinine 80.9 µmol/L taken for mg/dL, INR 2.08"
    capped = scores.meld_raw(442.5, 4.0, 2.08)
    return [
        Check("MELD, unrounded", labs, 20.0391626, 7, float(scores.meld_raw(*usual)), _AMELD),
        Check("MELD", labs, 20, 0, float(scores.meld(*usual)), _AMELD),
        Check("MELD-Na, Kim 2008", f"{labs}, sodium 135", 22.53, 2, float(scores.meld_na_kim2008(*usual, 135)), _AMELD),
        Check("MELD-Na, UNOS 2016", f"{labs}, sodium 125", 28, 0, float(scores.meld_na_unos2016(*usual, 125)), _AMELD),
        Check("MELD-Na, UNOS 2016", f"{labs}, sodium 135", 21, 0, float(scores.meld_na_unos2016(*usual, 135)), _AMELD),
        Check("MELD, lowest", "creatinine 1, bilirubin 1, INR 1", 6, 0, float(scores.meld(1, 1, 1)),
              "OPTN policy 9.1 (2016)"),
        Check("MELD, unclamped: units mixed up", wrong, 79.7, 1, float(scores.meld_raw(442.5, 80.9, 2.08)), _BY_HAND),
        Check("MELD, creatinine capped: units mixed up", wrong, 50.9, 1, float(capped), _BY_HAND, within=0.1),
        Check("MELD, unclamped: possible in ACLF", "bilirubin 35 mg/dL, creatinine 2 mg/dL, INR 5", 44.5, 1,
              float(scores.meld_raw(35, 2, 5)), _BY_HAND),
    ]  # fmt: skip


def _meld_3_0() -> list[Check]:
    return [
        Check(
            "MELD 3.0",
            f"{'female' if female else 'male'}, bilirubin {bilirubin:g} mg/dL, sodium {sodium}, INR {inr:g}, "
            f"creatinine {creatinine:g} mg/dL, albumin {albumin:g} g/dL",
            expected,
            0,
            float(scores.meld_3_0(bilirubin, creatinine, inr, sodium, albumin, female)),
            source,
        )
        for female, bilirubin, sodium, inr, creatinine, albumin, expected, source in KIM_2021
    ]


def _liver() -> list[Check]:
    typical = "age 43, INR 2.08, neutrophils 5.36, urea 4.2 mmol/L, no encephalopathy"
    published = "median patient of PMC7809456, table 1, and PMC8455926, table 1, by the published formula"
    right, wrong = (
        float(aclf_scores.cossh_aclf_ii(2.08, 0, 5.36, bilirubin, 4.2, 43)) for bilirubin in (442.5, 442.5 / 17.1)
    )
    return [
        Check("ALBI", "bilirubin 20.52 µmol/L, albumin 35 g/L", -2.11, 2, float(scores.albi(20.52, 35)),
              "aihaoyisheng.com/en/tools/albi"),
        Check("COSSH-ACLF II", f"{typical}, bilirubin 442.5 µmol/L", 7.04, 2, right, published),
        Check("COSSH-ACLF II: bilirubin in the wrong unit", f"{typical}, bilirubin 25.9 mg/dL", 5.91, 2, wrong,
              _BY_HAND, within=0.01),
        Check("CLIF-C ACLF", "CLIF-C OF 12, age 50, white cells 10", 54.1, 1, float(scores.clif_c_aclf(12, 50, 10)),
              _BY_HAND),
    ]  # fmt: skip


def _organs(cutoffs: OrganFailureCutoffs) -> list[Check]:
    best = OrganValues(1, 0.8, 0, 0, 1, 90, 0, 95, 98, 0.21)
    worst = OrganValues(12, 3.5, 1, 4, 2.5, 50, 1, 40, 80, 1.0)
    source = "Gut, CLIF-C OF (highwire 210726), table 7: six subscores of 1 to 3"
    return [
        Check("CLIF-C OF, lowest", "no organ impaired", 6, 0, float(clif_c_of(best, cutoffs)[0]), source),
        Check("CLIF-C OF, highest", "every organ failed", 18, 0, float(clif_c_of(worst, cutoffs)[1]), source),
        Check("CLIF-C OF, lower bound", "nothing measured", 6, 0, float(clif_c_of(OrganValues(), cutoffs)[0]), source),
        Check("CLIF-C OF, upper bound", "nothing measured", 18, 0, float(clif_c_of(OrganValues(), cutoffs)[1]), source),
    ]


def _activity(coefficients: Mapping[str, float]) -> list[Check]:
    def percent(inr: float) -> float:
        return float(np.polyval([coefficients[name] for name in ("c3", "c2", "c1", "c0")], 1.0 / inr))

    return [
        Check("Prothrombin activity from INR, %", f"INR {inr:g}", expected, 0, percent(inr), _PTA)
        for inr, expected in ACTIVITY_OF_INR
    ]
