"""CLIF-SOFA, 0 to 24 points from six organs of 0 to 4 each, as bounds [low, high].

An organ that was not measured could be anything from 0 to 4, and a vasopressor without its dose anything from 2 to 4,
so the score is an interval; it is exact where low equals high. Nothing is taken as normal by default.

Not here: CLIF-C OF, its simplification, and the EASL-CLIF grade (`organ_failure`); unit conversion (`score_table`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aclf_pipeline.science.organ_failure import Bounds, OrganValues

Floats = NDArray[np.float64]

RISING = {
    "bilirubin": (1.2, 2.0, 6.0, 12.0),
    "creatinine": (1.2, 2.0, 3.5, 5.0),
    "he_grade": (1.0, 2.0, 3.0, 4.0),
    "inr": (1.1, 1.25, 1.5, 2.5),
}
"""From where 1, 2, 3 and 4 points are given: PMC4641130, table 1, whose band of creatinine for 3 points is misprinted
(that of bilirubin); 3.5 to 4.9 mg/dL by UpToDate's calculator 133140."""
FALLING = {"pf": (400.0, 300.0, 200.0, 100.0), "sf": (512.0, 357.0, 214.0, 89.0)}
"""At or below which 1, 2, 3 and 4 points are given, same table."""
PLATELETS_4 = 20.0
MAP_1 = 70.0
ORGANS = 6
HIGHEST = 4.0


def _known(values: object) -> Floats:
    """Values as float64, rounded so that 205.2 µmol/L is 12 mg/dL in spite of binary noise."""
    return np.round(np.asarray(values, dtype=np.float64), 6).astype(np.float64)


def _rising(values: object, cuts: tuple[float, ...]) -> Bounds:
    number = _known(values)
    points = np.sum([number >= cut for cut in cuts], axis=0).astype(np.float64)
    return _or_anything(number, points)


def _falling(values: Floats, cuts: tuple[float, ...]) -> Bounds:
    points = np.sum([values <= cut for cut in cuts], axis=0).astype(np.float64)
    return _or_anything(values, points)


def _or_anything(number: Floats, points: Floats) -> Bounds:
    """The points where the number is known, 0 to 4 where it is not."""
    unknown = np.isnan(number)
    return np.where(unknown, 0.0, points), np.where(unknown, HIGHEST, points)


def _at_least(bounds: Bounds, given: Floats, low: float) -> Bounds:
    """A support raises the points to at least `low` and at most 4 where it is given, or may do so where unknown."""
    yes, maybe = given == 1.0, np.isnan(given)
    return np.where(yes, np.maximum(bounds[0], low), bounds[0]), np.where(yes | maybe, HIGHEST, bounds[1])


def _kidney(values: OrganValues) -> Bounds:
    return _at_least(_rising(values.creatinine, RISING["creatinine"]), _known(values.dialysis), HIGHEST)


def _coagulation(values: OrganValues, platelets: object) -> Bounds:
    low, high = _rising(values.inr, RISING["inr"])
    count = _known(platelets)
    few, maybe = count <= PLATELETS_4, np.isnan(count)
    return np.where(few, HIGHEST, low), np.where(few | maybe, HIGHEST, high)


def _circulation(values: OrganValues) -> Bounds:
    pressure = _known(values.map)
    low = np.where(pressure < MAP_1, 1.0, 0.0)
    bounds = low, np.where(np.isnan(pressure), 1.0, low)
    return _at_least(bounds, _known(values.vasopressor), 2.0)


def _lungs(values: OrganValues) -> Bounds:
    fio2 = np.asarray(values.fio2, dtype=np.float64)
    fio2 = np.where(fio2 > 0, fio2, np.nan)
    by_gas, by_pulse = _known(_known(values.pao2) / fio2), _known(_known(values.spo2) / fio2)
    gas, pulse = _falling(by_gas, FALLING["pf"]), _falling(by_pulse, FALLING["sf"])
    return tuple(np.where(np.isnan(by_gas), pulse[side], gas[side]) for side in (0, 1))  # type: ignore[return-value]


def clif_sofa(values: OrganValues, platelets: object = np.nan) -> Bounds:
    """The lowest and highest CLIF-SOFA (0–24) that the missing inputs allow; equal where all decide.

    `values` as `organ_failure.OrganValues` (bilirubin and creatinine in mg/dL, fio2 as a fraction), platelets in
    10⁹/L. Renal replacement gives 4 points; a vasopressor gives 2 to 4, because the dose that decides is not asked.
    Unknown platelets may hide a count of at most 20, which gives 4 points.
    Source: PMC4641130, table 1 (data from Moreau 2013); UpToDate calculator 133140 for creatinine and renal
    replacement, where that table is misprinted.
    """
    organs = [
        _rising(values.bilirubin, RISING["bilirubin"]),
        _kidney(values),
        _rising(values.he_grade, RISING["he_grade"]),
        _coagulation(values, platelets),
        _circulation(values),
        _lungs(values),
    ]
    low, high = (np.sum(np.broadcast_arrays(*(organ[side] for organ in organs)), axis=0) for side in (0, 1))
    return low, high
