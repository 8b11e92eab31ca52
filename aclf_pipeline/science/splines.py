"""Restricted cubic splines in a Cox model: basis, knots, the test of nonlinearity, and the curve of hazard ratios.

Natural cubic splines, linear beyond the outer knots, in the truncated power basis and with the knots of R's rms
(Harrell 2015, Regression Modeling Strategies, 2nd ed., section 2.4.5; Durrleman & Simon 1989, Stat Med 8:551). How
many knots a covariate gets is decided in the analysis plan, never by looking; figures do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.stats import norm

from aclf_pipeline.science.cox_fit import fit_cox
from aclf_pipeline.science.cox_model import ChiSquare, CoxFit
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats

FEWEST_KNOTS, MOST_KNOTS = 3, 7
# Below this many values the outer knots are the fifth smallest and fifth largest value, as in Hmisc::rcspline.eval.
FEW_VALUES, FIFTH = 100, 5


def rms_knots(values: ArrayLike, number: int) -> Floats:
    """Return 3 to 7 knots (number) at the quantiles rms uses: 0.1 to 0.9 (3), 0.05 to 0.95 (4–6), 0.025 to 0.975 (7).

    values (n) in any unit, missing ones ignored. Source: Harrell 2015, table 2.3 (Hmisc::rcspline.eval, which moves an
    outer knot where one in twenty values is the smallest or largest; this does not). Raises StatisticalProblem for
    another number, fewer than 6 values, and values so tied that knots coincide.
    """
    x = np.asarray(values, dtype=np.float64)
    x = np.sort(x[np.isfinite(x)])
    if not FEWEST_KNOTS <= number <= MOST_KNOTS:
        raise StatisticalProblem(f"spline: {FEWEST_KNOTS} to {MOST_KNOTS} knots are known, not {number}")
    if len(x) <= FIFTH:
        raise StatisticalProblem(f"spline: {len(x)} values are too few to place {number} knots")
    outer = {3: 0.1, 7: 0.025}.get(number, 0.05)
    knots = np.quantile(x, np.linspace(outer, 1 - outer, number))
    if len(x) < FEW_VALUES:
        knots[0], knots[-1] = x[FIFTH - 1], x[-FIFTH]
    if not (np.diff(knots) > 0).all():
        listed = ", ".join(f"{knot:g}" for knot in knots)
        raise StatisticalProblem(f"spline: values are so tied that {number} knots are not distinct: {listed}")
    return np.asarray(knots, dtype=np.float64)


def spline_basis(values: ArrayLike, knots: ArrayLike) -> Floats:
    """Return the k − 1 columns of the restricted cubic spline with k knots: the value itself, then the cubic terms.

    values (n), knots (k ≥ 3, rising) in one unit; column j ≥ 1 is in that unit too, being divided by (last knot − first
    knot)², rms' norm = 2. Missing in, missing out. Raises StatisticalProblem for knots that do not rise.
    """
    x, t = np.asarray(values, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    if len(t) < FEWEST_KNOTS or not (np.diff(t) > 0).all():
        raise StatisticalProblem("spline: at least three knots, rising")
    beyond = np.maximum(x[:, None] - t, 0) ** 3
    last, width = t[-1] - t[-2], (t[-1] - t[0]) ** 2
    cubic = beyond[:, :-2] - beyond[:, [-2]] * (t[-1] - t[:-2]) / last + beyond[:, [-1]] * (t[-2] - t[:-2]) / last
    return np.column_stack([x, cubic / width])


def spline_names(name: str, knots: int) -> tuple[str, ...]:
    """Name the columns of a basis as rms does: x, x', x'', …"""
    return tuple(name + "'" * j for j in range(knots - 1))


def orthogonal(basis: Floats) -> tuple[Floats, Floats]:
    """Return uncorrelated columns of unit spread that span a basis (n × q), and its turn to them (q × q).

    The columns are the centred basis times the turn; the turn times their coefficients are those of the basis.

    Cubic columns are so alike that the errors of their own coefficients look like those of a fit that ran away. Missing
    values are not looked for. Raises StatisticalProblem if a column is a combination of the others.
    """
    columns, triangle = np.linalg.qr(basis - basis.mean(axis=0))
    size = np.abs(np.diag(triangle))
    if not (size > 1e-10 * np.linalg.norm(basis, axis=0)).all():
        raise StatisticalProblem("spline: the values lie on too few places for this many knots")
    root = np.sqrt(len(basis))
    return columns * root, np.linalg.inv(triangle) * root


@dataclass(frozen=True)
class SplineModel:
    """A Cox model with splines.

    names (q) of the columns in rms' basis, the splines' expanded in place; coef (q) and vcov (q × q) of those; knots of
    each splined covariate. cox is the fit itself, on these columns times `back` (q × q); `columns` makes them.
    covariates (p): what went in.
    """

    names: tuple[str, ...]
    coef: Floats
    vcov: Floats
    knots: Mapping[str, Floats]
    cox: CoxFit
    back: Floats
    covariates: tuple[str, ...]

    def columns(self, design: Floats) -> Floats:
        """Return the columns `cox` takes (k × q) of people with these covariates (k × p), to predict from."""
        return _expanded(np.asarray(design, dtype=np.float64), self.covariates, self.knots) @ self.back


def fit_cox_with_splines(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    knots: Mapping[str, ArrayLike],
    **options: Any,
) -> SplineModel:
    """Fit a Cox model in which the covariates of `knots` enter as restricted cubic splines.

    stop, event (n), design (n × p), names (p), options: as `cox_fit.fit_cox`; knots in each covariate's unit. Raises
    StatisticalProblem as that, and for knots of an unknown covariate.
    """
    x = np.asarray(design, dtype=np.float64).reshape(len(stop), -1)
    unknown = [f"'{name}'" for name in knots if name not in names]
    if unknown:
        raise StatisticalProblem(f"spline: there is no covariate {', '.join(unknown)}. There are: {', '.join(names)}")
    missing = dict(zip(names, (~np.isfinite(x)).sum(axis=0).tolist(), strict=True))
    if any(missing.values()):
        lacking = [f"{count} rows have no finite '{name}'" for name, count in missing.items() if count]
        raise StatisticalProblem("spline: " + "; ".join(lacking))
    placed = {name: np.asarray(at, dtype=np.float64) for name, at in knots.items()}
    expanded = tuple(c for name in names for c in _columns_of(name, placed))
    basis = _expanded(x, names, placed)
    back = np.eye(len(expanded))
    for name in placed:
        block = [expanded.index(c) for c in _columns_of(name, placed)]
        back[np.ix_(block, block)] = orthogonal(basis[:, block])[1]
    # The fit centres its columns itself; turning the basis without its mean or with it is the same to it.
    cox = fit_cox(stop, event, basis @ back, expanded, **options)
    return SplineModel(expanded, back @ cox.coef, back @ cox.vcov @ back.T, placed, cox, back, tuple(names))


def _columns_of(name: str, knots: Mapping[str, Floats]) -> tuple[str, ...]:
    """Name the columns of a covariate, which are one or a spline's."""
    return spline_names(name, len(knots[name])) if name in knots else (name,)


def _expanded(design: Floats, names: Sequence[str], knots: Mapping[str, Floats]) -> Floats:
    """Lay out the columns of all covariates."""
    parts = [
        spline_basis(x, knots[name]) if name in knots else x[:, None] for name, x in zip(names, design.T, strict=True)
    ]
    return np.column_stack(parts)


@dataclass(frozen=True)
class SplineTest:
    """Wald tests of one covariate: association (all its columns are 0) and nonlinearity (all but the first are)."""

    association: ChiSquare
    nonlinearity: ChiSquare


def spline_test(model: SplineModel, covariate: str) -> SplineTest:
    """Test one splined covariate by Wald, as rms' anova. Raises StatisticalProblem for one that has no spline."""
    place = _places(model, covariate)
    return SplineTest(_wald(model, place), _wald(model, place[1:]))


def hazard_ratio_curve(
    model: SplineModel, covariate: str, at: ArrayLike, reference: float, *, level: float = 0.95
) -> pl.DataFrame:
    """Return the hazard ratio of values against a reference value, everything else equal: one row per value of `at`.

    at (m) and reference in the covariate's unit. Columns: value, log_hr, se, hr, lower, upper. The interval is
    pointwise, of width 0 at the reference. Missing in, missing out. As rms::contrast. Raises StatisticalProblem for a
    covariate without a spline.
    """
    place, values = _places(model, covariate), np.asarray(at, dtype=np.float64)
    away = spline_basis(values, model.knots[covariate]) - spline_basis([reference], model.knots[covariate])
    log_hr = away @ model.coef[place]
    se = np.sqrt(np.einsum("mi,ij,mj->m", away, model.vcov[np.ix_(place, place)], away))
    z = float(norm.ppf(0.5 + level / 2))
    limits = {"hr": log_hr, "lower": log_hr - z * se, "upper": log_hr + z * se}
    columns = {"value": values, "log_hr": log_hr, "se": se} | {name: np.exp(part) for name, part in limits.items()}
    return pl.DataFrame(columns).with_columns(pl.all().fill_nan(None))


def _places(model: SplineModel, covariate: str) -> list[int]:
    """Find the columns of a splined covariate."""
    if covariate not in model.knots:
        known = ", ".join(model.knots) or "none"
        raise StatisticalProblem(f"spline: '{covariate}' has no spline in the model; those that have: {known}")
    return [model.names.index(name) for name in _columns_of(covariate, model.knots)]


def _wald(model: SplineModel, place: list[int]) -> ChiSquare:
    """Test that the coefficients at these places are all 0."""
    coef = model.coef[place]
    return ChiSquare.of(float(coef @ np.linalg.solve(model.vcov[np.ix_(place, place)], coef)), len(place))
