"""CLIF-C OF subscores, their total and the EASL-CLIF grade, each as bounds [low, high].

An organ that was not measured could be anything from 1 to 3, so a patient's score is an interval; it is exact where
low equals high. Nothing is taken as normal by default.
The cut-offs do not belong here: they are stated in the protocol and arrive as `OrganFailureCutoffs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Bounds = tuple[Floats, Floats]

ORGANS = ("liver", "kidney", "brain", "coagulation", "circulation", "respiratory")


@dataclass(frozen=True)
class OrganFailureCutoffs:
    """Cut-offs of the organ subscores, in the units the field names end with; see `definitions.yaml`."""

    liver_2_mg_dl: float
    liver_3_mg_dl: float
    liver_operator: str
    kidney_dysfunction_mg_dl: float
    kidney_2_mg_dl: float
    kidney_3_mg_dl: float
    brain_2_grade: float
    brain_3_grade: float
    coagulation_2_inr: float
    coagulation_3_inr: float
    circulation_2_map_mmhg: float
    respiratory_2_pf: float
    respiratory_3_pf: float
    respiratory_2_sf: float
    respiratory_3_sf: float

    def __post_init__(self) -> None:
        """Refuse cut-offs that are out of order, naming every one."""
        rising = (
            ("liver_2_mg_dl", "liver_3_mg_dl"),
            ("kidney_dysfunction_mg_dl", "kidney_2_mg_dl"),
            ("kidney_2_mg_dl", "kidney_3_mg_dl"),
            ("brain_2_grade", "brain_3_grade"),
            ("coagulation_2_inr", "coagulation_3_inr"),
            ("respiratory_3_pf", "respiratory_2_pf"),
            ("respiratory_3_sf", "respiratory_2_sf"),
        )
        problems = [
            f"'{lower}' ({getattr(self, lower)}) must be below '{upper}' ({getattr(self, upper)})"
            for lower, upper in rising
            if not getattr(self, lower) < getattr(self, upper)
        ]
        if self.liver_operator not in (">=", ">"):
            problems.append(f"'liver_operator' is {self.liver_operator!r}, which is neither '>=' nor '>'")
        if problems:
            raise ValueError("organ failure cut-offs: " + "; ".join(problems))


@dataclass(frozen=True)
class OrganValues:
    """The worst values of a window: arrays of one length (or scalars), NaN where not measured.

    Bilirubin and creatinine in mg/dL, inr as ratio, he_grade by West Haven 0–4, map and pao2 in mmHg, spo2 in %,
    fio2 as a fraction 0.21–1, dialysis and vasopressor as 1, 0 or NaN (unknown).
    """

    bilirubin: ArrayLike = np.nan
    creatinine: ArrayLike = np.nan
    dialysis: ArrayLike = np.nan
    he_grade: ArrayLike = np.nan
    inr: ArrayLike = np.nan
    map: ArrayLike = np.nan
    vasopressor: ArrayLike = np.nan
    pao2: ArrayLike = np.nan
    spo2: ArrayLike = np.nan
    fio2: ArrayLike = np.nan


def _number(values: ArrayLike) -> Floats:
    """Return values as float64, rounded so that 205.2 µmol/L is 12 mg/dL in spite of binary noise."""
    return np.round(np.asarray(values, dtype=np.float64), 6).astype(np.float64)


def _steps(values: Floats, two: Booleans, three: Booleans) -> Bounds:
    """Return the subscore where the value is known and [1, 3] where it is not."""
    score = 1.0 + two.astype(np.float64) + three.astype(np.float64)
    unknown = np.isnan(values)
    return np.where(unknown, 1.0, score), np.where(unknown, 3.0, score)


def _with_support(bounds: Bounds, support: ArrayLike) -> Bounds:
    """Apply organ support: 3 where it was given; the upper bound is 3 where it is unknown."""
    given = _number(support)
    low, high = bounds
    return np.where(given == 1.0, 3.0, low), np.where((given == 1.0) | np.isnan(given), 3.0, high)


def liver(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Liver subscore from bilirubin (mg/dL); 3 is liver failure."""
    bilirubin = _number(values.bilirubin)
    failing = bilirubin >= cutoffs.liver_3_mg_dl
    if cutoffs.liver_operator == ">":
        failing = bilirubin > cutoffs.liver_3_mg_dl
    return _steps(bilirubin, bilirubin >= cutoffs.liver_2_mg_dl, failing)


def kidney(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Kidney subscore from creatinine (mg/dL) and dialysis; 2 is already kidney failure."""
    creatinine = _number(values.creatinine)
    measured = _steps(creatinine, creatinine >= cutoffs.kidney_2_mg_dl, creatinine >= cutoffs.kidney_3_mg_dl)
    return _with_support(measured, values.dialysis)


def brain(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Brain subscore from the West Haven grade; 3 is cerebral failure."""
    grade = _number(values.he_grade)
    return _steps(grade, grade >= cutoffs.brain_2_grade, grade >= cutoffs.brain_3_grade)


def coagulation(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Coagulation subscore from INR; 3 is coagulation failure."""
    inr = _number(values.inr)
    return _steps(inr, inr >= cutoffs.coagulation_2_inr, inr >= cutoffs.coagulation_3_inr)


def circulation(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Circulation subscore from mean arterial pressure (mmHg) and vasopressors; 3 (vasopressors) is failure.

    Pressure alone decides between 1 and 2, so unknown pressure without vasopressors is [1, 2].
    """
    pressure = _number(values.map)
    low, high = _steps(pressure, pressure < cutoffs.circulation_2_map_mmhg, np.zeros(pressure.shape, dtype=bool))
    return _with_support((low, np.minimum(high, 2.0)), values.vasopressor)


def respiratory(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Respiratory subscore from PaO2/FiO2, or SpO2/FiO2 where there is no PaO2; 3 is respiratory failure."""
    fio2 = np.asarray(values.fio2, dtype=np.float64)
    fio2 = np.where(fio2 > 0, fio2, np.nan)
    by_gas = _number(np.asarray(values.pao2, dtype=np.float64) / fio2)
    by_pulse = _number(np.asarray(values.spo2, dtype=np.float64) / fio2)
    gas = _steps(by_gas, by_gas <= cutoffs.respiratory_2_pf, by_gas <= cutoffs.respiratory_3_pf)
    pulse = _steps(by_pulse, by_pulse <= cutoffs.respiratory_2_sf, by_pulse <= cutoffs.respiratory_3_sf)
    no_gas = np.isnan(by_gas)
    return np.where(no_gas, pulse[0], gas[0]), np.where(no_gas, pulse[1], gas[1])


def organ_subscores(values: OrganValues, cutoffs: OrganFailureCutoffs) -> dict[str, Bounds]:
    """Return the CLIF-C OF subscore bounds (1–3) of each organ, in the order of ORGANS.

    Source: Gut, CLIF-C OF (highwire 210726), table 7; EF CLIF calculator page clif-c-of-aclf-ad.
    """
    functions = (liver, kidney, brain, coagulation, circulation, respiratory)
    return {organ: function(values, cutoffs) for organ, function in zip(ORGANS, functions, strict=True)}


def clif_c_of(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Return the CLIF-C OF total as bounds between 6 and 18; exact where they are equal.

    An organ without any value widens the interval by 2. Six subscores of 1–3 give 6–18, whatever is printed elsewhere.
    Source: as `organ_subscores`.
    """
    scores = organ_subscores(values, cutoffs).values()
    low = np.sum(np.broadcast_arrays(*(bounds[0] for bounds in scores)), axis=0)
    high = np.sum(np.broadcast_arrays(*(bounds[1] for bounds in scores)), axis=0)
    return low, high


def easl_clif_grade(values: OrganValues, cutoffs: OrganFailureCutoffs) -> Bounds:
    """Return the EASL-CLIF grade (0 = no ACLF, 1, 2, 3) as bounds; exact where they are equal.

    The grade never falls as an organ worsens, so it is bounded by taking every unknown at its best and at its worst.
    The grade presumes cirrhosis with acute decompensation, which is for the caller to establish.
    Source: World J Gastroenterol v28/i48/6922, table 1 (CANONIC definition).
    """
    scores = organ_subscores(values, cutoffs)
    creatinine = _number(values.creatinine)
    dysfunction = creatinine >= cutoffs.kidney_dysfunction_mg_dl
    return (
        _grade({organ: bounds[0] for organ, bounds in scores.items()}, dysfunction),
        _grade({organ: bounds[1] for organ, bounds in scores.items()}, dysfunction | np.isnan(creatinine)),
    )


def _grade(scores: dict[str, Floats], kidney_dysfunction: Booleans) -> Floats:
    """Grade fully known subscores: one failure needs the kidney, or company, to count as grade 1."""
    failing = {organ: score >= (2.0 if organ == "kidney" else 3.0) for organ, score in scores.items()}
    count = np.sum(np.broadcast_arrays(*failing.values()), axis=0)
    company = kidney_dysfunction | ((scores["brain"] >= 2.0) & ~failing["brain"])
    single = np.where(failing["kidney"] | company, 1.0, 0.0)
    return np.where(count >= 2, np.minimum(count, 3), np.where(count == 1, single, 0.0)).astype(np.float64)
