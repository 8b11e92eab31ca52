"""A nomogram's numbers: points for each covariate, what their sum means, and survival at horizons.

As R's rms: the covariate that moves the linear predictor most over its axis has 0 to 100 points, the others in
proportion (Harrell 2015, Regression Modeling Strategies, 2nd ed., section 5.3). Axes are marked as R's pretty() marks
them. A nomogram shows a model and says nothing about how good it is; figures and performance do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_curves import hazard_parts
from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

WHAT = "nomogram"
MOST_POINTS = 100.0
MARKS = 10
CHANCES = (0.01, 0.05, *np.round(np.arange(0.1, 0.95, 0.1), 1).tolist(), 0.95, 0.99)


@dataclass(frozen=True)
class Axis:
    """One covariate: the labels of its marks (k) and its columns' part of the linear predictor there (k)."""

    labels: tuple[str, ...]
    effects: Floats


@dataclass(frozen=True)
class Nomogram:
    """Three tidy tables, and how to count for a person.

    points: variable, value (label), effect, points. total: points, linear_predictor (against one with mean
    covariates). survival: horizon, survival, linear_predictor, points; chances nobody of the fit comes near are left
    out. per_unit: points of one unit of the linear predictor; zero: its value at 0 points.
    """

    points: pl.DataFrame
    total: pl.DataFrame
    survival: pl.DataFrame
    per_unit: float
    zero: float


def nomogram(fit: CoxFit, horizons: Sequence[float], *, axes: Mapping[str, Axis] | None = None) -> Nomogram:
    """Lay out the points of a fitted Cox model without strata.

    horizons in the unit of the fit; axes by covariate (each column of the fit has one of its own if None; see
    `number_axis` and `level_axis`). The columns of the axes must make up the model. Raises StatisticalProblem for a
    model with strata, one whose linear predictor does not vary, and horizons beyond follow-up.
    """
    if len(np.unique(fit.data.strata)) > 1:
        raise StatisticalProblem(f"{WHAT}: a model with strata has several baselines and no one nomogram")
    shown = axes if axes is not None else {name: number_axis(fit, name) for name in fit.names}
    spread = {name: float(np.ptp(axis.effects)) for name, axis in shown.items()}
    if not spread or not max(spread.values()) > 0:
        raise StatisticalProblem(f"{WHAT}: no covariate moves the linear predictor")
    per_unit = MOST_POINTS / max(spread.values())
    middle = float(fit.data.design.mean(axis=0) @ fit.coef)
    zero = sum(float(axis.effects.min()) for axis in shown.values()) - middle
    rows = [
        (name, label, float(effect), float((effect - axis.effects.min()) * per_unit))
        for name, axis in shown.items()
        for label, effect in zip(axis.labels, axis.effects, strict=True)
    ]
    own = fit.data.design @ fit.coef - middle
    marks = pretty(float(own.min()), float(own.max()))
    total = pl.DataFrame({"points": (marks - zero) * per_unit, "linear_predictor": marks})
    columns = {"variable": pl.String, "value": pl.String, "effect": pl.Float64, "points": pl.Float64}
    points = pl.DataFrame(rows, schema=columns, orient="row")
    return Nomogram(points, total, _survival(fit, horizons, (zero, per_unit), own), per_unit, zero)


def number_axis(fit: CoxFit, column: str, values: ArrayLike | None = None) -> Axis:
    """The axis of one column of the fit, marked at `values` (in its unit), or where R's rms would mark it."""
    if column not in fit.names:
        raise StatisticalProblem(f"{WHAT}: the model has no '{column}'; it has {', '.join(fit.names)}")
    j = fit.names.index(column)
    observed = np.unique(fit.data.design[:, j])
    marks = observed if len(observed) <= 3 else pretty(float(observed[0]), float(observed[-1]))
    marks = marks if values is None else np.asarray(values, dtype=np.float64)
    return Axis(tuple(f"{mark:.10g}" for mark in marks), np.asarray(marks * fit.coef[j]))


def level_axis(fit: CoxFit, reference: str, levels: Mapping[str, str]) -> Axis:
    """The axis of a category: its reference level, and the column of the fit that marks each other level."""
    unknown = [f"'{column}'" for column in levels.values() if column not in fit.names]
    if unknown:
        raise StatisticalProblem(f"{WHAT}: the model has no {', '.join(unknown)}; it has {', '.join(fit.names)}")
    effects = [0.0, *(float(fit.coef[fit.names.index(column)]) for column in levels.values())]
    return Axis((reference, *levels), np.array(effects))


def pretty(low: float, high: float, marks: int = MARKS) -> Floats:
    """Return about `marks` equally spaced round values that cover low to high: R's pretty(c(low, high), n)."""
    if not (np.isfinite(low) and np.isfinite(high) and low <= high and marks > 0):
        raise StatisticalProblem(f"{WHAT}: an axis runs from a lower to a higher finite value")
    reach = max(abs(low), abs(high))
    if high - low < 1e-10 * reach or high == low:
        cell = 0.75 * (reach if reach <= 10 else 9 + reach / 10) / max(1, marks // 3) if reach else 1.0
    else:
        cell = (high - low) / marks
    base = 10.0 ** np.floor(np.log10(cell))
    unit = base
    # The biases of R_pretty: towards larger units, and towards 5.
    for step, bias in ((2, 1.5), (5, 2.75), (10, 1.5)):
        if step * base - cell >= bias * (cell - unit):
            break
        unit = step * base
    first, last = np.floor(low / unit + 1e-10), np.ceil(high / unit - 1e-10)
    missing = int(np.floor(0.5 + marks // 3 - (last - first)))
    if missing > 0:
        first, last = first - missing // 2, last + missing // 2 + missing % 2
    return np.asarray(np.round(np.arange(first, last + 1) * unit, 12))


def _survival(fit: CoxFit, horizons: Sequence[float], scale: tuple[float, float], own: Floats) -> pl.DataFrame:
    """Where round chances of survival stand on the axis of total points."""
    zero, per_unit = scale
    middle = np.exp((fit.data.design.mean(axis=0) - fit.centre) @ fit.coef)
    baseline = hazard_parts(fit, np.asarray(horizons, dtype=np.float64))[0] * middle
    beyond = [f"{horizon:g}" for horizon, value in zip(horizons, baseline, strict=True) if not value > 0]
    if beyond:
        raise StatisticalProblem(f"{WHAT}: nothing is known of survival to {', '.join(beyond)}")
    rows = []
    for horizon, hazard in zip(horizons, baseline.tolist(), strict=True):
        for chance in sorted(CHANCES, reverse=True):
            linear = float(np.log(-np.log(chance) / hazard))
            if own.min() <= linear <= own.max():
                rows.append((float(horizon), chance, linear, (linear - zero) * per_unit))
    columns = dict.fromkeys(("horizon", "survival", "linear_predictor", "points"), pl.Float64)
    return pl.DataFrame(rows, schema=columns, orient="row")
