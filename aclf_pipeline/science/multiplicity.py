"""Many tests, and confounders nobody measured: adjusted p-values and E-values.

The methods of R's p.adjust, and the E-value of VanderWeele & Ding 2017, Ann Intern Med 167:268. Which tests make up a
family is decided in the analysis plan; tests themselves do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats

METHODS = ("bonferroni", "holm", "hochberg", "hommel", "bh", "by", "none")


def adjust_p(p: ArrayLike, method: str, *, tests: int | None = None) -> Floats:
    """Return adjusted p-values in the order given.

    p (m): 0 to 1; a missing one stays missing and is no test. tests: size of the family if larger than the p given.
    Family-wise error: 'bonferroni'; 'holm' (1979, Scand J Stat 6:65), which is never worse; 'hochberg' (1988,
    Biometrika 75:800) and 'hommel' (1988, Biometrika 75:383) for independent or positively dependent tests. False
    discovery rate: 'bh' (Benjamini & Hochberg 1995, JRSS B 57:289), and under any dependence 'by' (Benjamini &
    Yekutieli 2001, Ann Stat 29:1165). Raises StatisticalProblem for an unknown method, p outside 0 to 1, and a family
    with fewer tests than p given.
    """
    values = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(values)
    problems = []
    if method not in METHODS:
        problems.append(f"a method is {', '.join(METHODS)}, not '{method}'")
    if not ((values[known] >= 0) & (values[known] <= 1)).all():
        problems.append("p-values lie between 0 and 1")
    number = int(known.sum()) if tests is None else tests
    if number < known.sum():
        problems.append(f"a family of {number} tests cannot have {int(known.sum())} p-values")
    if problems:
        raise StatisticalProblem("adjusted p-values: " + "; ".join(problems))
    adjusted = np.full(len(values), np.nan)
    order = np.flatnonzero(known)[np.argsort(values[known], kind="stable")]
    if len(order):
        adjusted[order] = _adjusted(values[order], method, number)
    return adjusted


def _adjusted(rising: Floats, method: str, number: int) -> Floats:
    """Adjust p-values that rise, of a family of `number` tests."""
    rank = np.arange(1, len(rising) + 1)
    if method == "hommel":
        return _hommel(rising, number)
    if method == "holm":
        return np.minimum(1, np.maximum.accumulate((number - rank + 1) * rising))
    if method in ("bonferroni", "none"):
        return np.minimum(1, rising * (number if method == "bonferroni" else 1))
    factor = number - rank + 1.0
    if method in ("bh", "by"):
        factor = number / rank * (1 if method == "bh" else (1 / np.arange(1, number + 1)).sum())
    return np.minimum(1, np.minimum.accumulate((factor * rising)[::-1])[::-1])


def _hommel(rising: Floats, number: int) -> Floats:
    """Hommel's procedure by Wright's algorithm (1992, Biometrics 48:1005); tests not given have p = 1."""
    p = np.concatenate([rising, np.ones(number - len(rising))])
    rank = np.arange(1, number + 1)
    least = float(np.min(number * p / rank))
    adjusted = np.full(number, least)
    for m in range(number - 1, 1, -1):
        lower, upper = np.arange(number - m + 1), np.arange(number - m + 1, number)
        bound = float(np.min(m * p[upper] / np.arange(2, m + 1)))
        current = np.empty(number)
        current[lower] = np.minimum(m * p[lower], bound)
        current[upper] = current[number - m]
        adjusted = np.maximum(adjusted, current)
    return np.asarray(np.maximum(adjusted, p)[: len(rising)])


@dataclass(frozen=True)
class EValue:
    """Strength, as a risk ratio, an unmeasured confounder needs with both exposure and outcome to explain all away.

    estimate: of the point estimate; limit: of the confidence limit nearer to 1 (1 if the interval has 1 in it).
    """

    estimate: float
    limit: float


def e_value(ratio: float, lower: float, upper: float, *, measure: str = "risk ratio", rare: bool = False) -> EValue:
    """Return the E-value of a ratio and of its confidence limit.

    measure: 'risk ratio', 'hazard ratio' or 'odds ratio'; rare: the outcome happens to fewer than 15 % by the end of
    follow-up, so that those are near the risk ratio. Else a hazard ratio h stands for (1 − 0.5^√h)/(1 − 0.5^√(1/h)) and
    an odds ratio for its root (VanderWeele 2020, Biometrics 76:746, and 2017, Epidemiology 28:e58). E = r + √(r(r − 1))
    for r ≥ 1, of 1/r below. Raises StatisticalProblem for an unknown measure, or limits that do not enclose a ratio
    above 0.
    """
    if measure not in ("risk ratio", "hazard ratio", "odds ratio"):
        raise StatisticalProblem(f"E-value: a measure is risk ratio, hazard ratio or odds ratio, not '{measure}'")
    if not 0 < lower <= ratio <= upper < np.inf:
        raise StatisticalProblem(f"E-value: limits {lower:g} and {upper:g} must enclose {ratio:g}, all above 0")
    nearer = lower if ratio >= 1 else upper
    limit = 1.0 if lower <= 1 <= upper else _strength(_as_risk_ratio(nearer, measure, rare))
    return EValue(_strength(_as_risk_ratio(ratio, measure, rare)), limit)


def _as_risk_ratio(ratio: float, measure: str, rare: bool) -> float:
    """Approximate the risk ratio of a common outcome."""
    if measure == "risk ratio" or rare:
        return ratio
    if measure == "odds ratio":
        return float(np.sqrt(ratio))
    root = np.sqrt(ratio)
    return float((1 - 0.5**root) / (1 - 0.5 ** (1 / root)))


def _strength(ratio: float) -> float:
    """E-value of one risk ratio."""
    away = max(ratio, 1 / ratio)
    return float(away + np.sqrt(away * (away - 1)))
