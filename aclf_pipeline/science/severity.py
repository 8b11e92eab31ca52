"""How ill a population is, and how much of that is known: overlap of the ACLF definitions, organs measured and failing.

Three-valued throughout: who meets a definition whatever a missing value is, meets it; who may, is counted as open.
What does not belong here: the definitions (SQL, `aclf`), the subscores (`organ_failure`) and cut-offs (the protocol).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aclf_pipeline.science.aclf import DEFINITIONS
from aclf_pipeline.science.organ_failure import (
    ORGANS,
    Bounds,
    OrganFailureCutoffs,
    OrganValues,
    clif_c_of,
    easl_clif_grade,
    organ_subscores,
)
from aclf_pipeline.science.score_registry import SCORES
from aclf_pipeline.science.score_table import score_inputs

Booleans = NDArray[np.bool_]

FAILS_FROM = dict.fromkeys(ORGANS, 3.0) | {"kidney": 2.0}
"""Subscore of CLIF-C OF from which an organ counts as failed."""
_COUNTS = dict.fromkeys(("n", "unmeasured", "bounded", "failing", "may_fail"), pl.Int64)
_OVERLAP = dict.fromkeys(("n", "met", "undecided", "both", "not_other", "other_undecided"), pl.Int64)


def definition_overlap(
    populations: Mapping[str, pl.DataFrame], definitions: Sequence[str] = DEFINITIONS
) -> pl.DataFrame:
    """One row per population and ordered pair of definitions: population, definition, other, n, met, undecided, both,
    not_other, other_undecided.

    Each population has a yes/no column `aclf_<definition>` per definition, null where it is open. Of those who meet
    the definition, `both` meet the other too, `not_other` do not, and of `other_undecided` nobody can say; the three
    sum to `met`, and the diagonal is `met` itself. A definition without a column is open for everybody.
    """
    rows = []
    for population, frame in populations.items():
        known = {name: _three_valued(frame, f"aclf_{name}") for name in definitions}
        for definition in definitions:
            yes, open_ = known[definition]
            for other in definitions:
                also, unknown = known[other]
                counts = (yes & also, yes & ~also & ~unknown, yes & unknown)
                totals = [frame.height, yes.sum(), open_.sum(), *(count.sum() for count in counts)]
                rows.append((population, definition, other, *(int(total) for total in totals)))
    names = {"population": pl.String, "definition": pl.String, "other": pl.String}
    return pl.DataFrame(rows, schema={**names, **_OVERLAP}, orient="row")


def _three_valued(frame: pl.DataFrame, column: str) -> tuple[Booleans, Booleans]:
    """Who surely meets, and of whom it is unknown."""
    if column not in frame.columns:
        return np.zeros(frame.height, dtype=bool), np.ones(frame.height, dtype=bool)
    values = frame[column]
    return values.fill_null(value=False).to_numpy().astype(bool), values.is_null().to_numpy().astype(bool)


def organ_failures(
    populations: Mapping[str, pl.DataFrame],
    cutoffs: OrganFailureCutoffs,
    factors: Mapping[tuple[str, str], float],
    units: Mapping[str, str],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What of the organs was measured at baseline, and how the EASL-CLIF grades lie.

    First result, one row per population and organ, and `total` (CLIF-C OF) and `grade` (EASL-CLIF): population, part,
    n, unmeasured, bounded, failing, may_fail. Second result, one row per population and pair of bounds: population,
    grade_low, grade_high, n. An organ is unmeasured where no value and no support of it is known; total and grade are
    where some organ is. A total fails where some organ does, a grade from 1 on. Units as `score_table.add_scores`.
    """
    parts, grades = [], []
    for population, frame in populations.items():
        inputs = score_inputs(SCORES["clif_c_of_low"], frame, factors, units)
        values = OrganValues(**inputs)
        bounds = {name: _spread(side, frame.height) for name, side in organ_subscores(values, cutoffs).items()}
        unmeasured = {name: _unmeasured(name, inputs) for name in ORGANS}
        for organ, (low, high) in bounds.items():
            fails = FAILS_FROM[organ]
            parts.append(_row(population, organ, unmeasured[organ], (low, high), low >= fails, high >= fails))
        some = np.any([*unmeasured.values()], axis=0) if frame.height else np.zeros(0, dtype=bool)
        surely, maybe = (
            np.any([bounds[organ][side] >= FAILS_FROM[organ] for organ in ORGANS], axis=0) for side in (0, 1)
        )
        total, grade = (_spread(f(values, cutoffs), frame.height) for f in (clif_c_of, easl_clif_grade))
        parts.append(_row(population, "total", some, total, surely, maybe))
        parts.append(_row(population, "grade", some, grade, grade[0] >= 1, grade[1] >= 1))
        grades.append(_grade_bounds(population, grade))
    named = {"population": pl.String, "part": pl.String}
    empty = pl.DataFrame(schema={"population": pl.String, "grade_low": pl.Int64, "grade_high": pl.Int64, "n": pl.Int64})
    return pl.DataFrame(parts, schema={**named, **_COUNTS}, orient="row"), pl.concat([empty, *grades])


def _spread(bounds: Bounds, height: int) -> Bounds:
    low, high = (np.broadcast_to(side, (height,)).astype(np.float64) for side in bounds)
    return low, high


def _unmeasured(organ: str, inputs: Mapping[str, NDArray[np.float64]]) -> Booleans:
    """Whether nothing is known of an organ: neither its value nor, where support stands for one, that it was given."""
    by_organ: dict[str, Booleans] = {
        "liver": np.isnan(inputs["bilirubin"]),
        "kidney": np.isnan(inputs["creatinine"]) & (inputs["dialysis"] != 1),
        "brain": np.isnan(inputs["he_grade"]),
        "coagulation": np.isnan(inputs["inr"]),
        "circulation": np.isnan(inputs["map"]) & (inputs["vasopressor"] != 1),
        "respiratory": np.isnan(inputs["fio2"]) | (np.isnan(inputs["pao2"]) & np.isnan(inputs["spo2"])),
    }
    return by_organ[organ]


def _row(
    population: str, part: str, unmeasured: Booleans, bounds: Bounds, failing: Booleans, may_fail: Booleans
) -> tuple[str | int, ...]:
    low, high = bounds
    counted = (unmeasured, low != high, failing, may_fail)
    return population, part, len(low), *(int(np.sum(members)) for members in counted)


def _grade_bounds(population: str, grade: Bounds) -> pl.DataFrame:
    found = pl.DataFrame({"grade_low": grade[0], "grade_high": grade[1]}).cast(pl.Int64)
    return (
        found.group_by("grade_low", "grade_high")
        .agg(n=pl.len().cast(pl.Int64))
        .sort("grade_low", "grade_high")
        .select(pl.lit(population).alias("population"), "grade_low", "grade_high", "n")
    )
