"""Lasso and elastic net for the Cox model: the path of penalties, its choice by cross-validation, how often terms stay.

Minimises −ℓ(β)/n + λ[α‖β‖₁ + (1 − α)/2 ‖β‖²] over standardised columns, ℓ with Breslow's ties, as R's glmnet (Simon,
Friedman, Hastie & Tibshirani 2011, J Stat Softw 39(5)): Newton steps, each solved by coordinate descent on the p × p
information. Coefficients are shrunk and have no p-value: a sensitivity analysis of which covariates matter, never the
source of a test. How rows are drawn, and pooling over imputations, do not belong here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aclf_pipeline.science.cox_fit import read_cox_data, standardised
from aclf_pipeline.science.cox_kernel import Likelihood, State
from aclf_pipeline.science.cox_model import CoxData
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints, RiskSets

WHAT = "elastic net"
MOST_STEPS = 60
MOST_SWEEPS = 10_000
SETTLED = 1e-10
# glmnet ends a Cox path where four steps explain less than this share of what is explained, or nearly all is.
SMALLEST_GAIN, STEPS_OF_GAIN, NEARLY_ALL = 1e-3, 4, 0.999


@dataclass(frozen=True)
class Path:
    """Coefficients (l × p, in the covariates' units) at falling penalties (l), and the share of deviance explained."""

    names: tuple[str, ...]
    penalties: Floats
    coef: Floats
    explained: Floats
    alpha: float
    n: int
    events: int

    def table(self) -> pl.DataFrame:
        """One row per penalty and term: penalty, explained, term, coef."""
        many = len(self.names)
        return pl.DataFrame(
            {
                "penalty": np.repeat(self.penalties, many),
                "explained": np.repeat(self.explained, many),
                "term": list(self.names) * len(self.penalties),
                "coef": self.coef.ravel(),
            }
        )


@dataclass(frozen=True)
class CrossValidated:
    """Partial-likelihood deviance per event left out (l) with its standard error, and two choices of penalty.

    least: the penalty of least deviance; simplest: the largest within one standard error of it. coef_least and
    coef_simplest (p) are the whole data's there.
    """

    path: Path
    deviance: Floats
    se: Floats
    least: float
    simplest: float
    coef_least: Floats
    coef_simplest: Floats

    def table(self) -> pl.DataFrame:
        """One row per penalty: penalty, deviance, se, terms (not zero)."""
        terms = (self.path.coef != 0).sum(axis=1)
        return pl.DataFrame({"penalty": self.path.penalties, "deviance": self.deviance, "se": self.se, "terms": terms})


def elastic_net_path(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    *,
    alpha: float = 1.0,
    penalties: ArrayLike | None = None,
    steps: int = 100,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
) -> Path:
    """Fit the model at each penalty, each from the one before.

    stop, event (n), design (n × p), names, start, strata as `cox_fit.fit_cox`; alpha in (0, 1], 1 is the lasso.
    penalties: falling, above 0; without them `steps` from the least that leaves no term down to a ten-thousandth of it
    (a hundredth where n < p), ended where a step explains next to nothing. Missing values are refused. Raises
    StatisticalProblem, also where a small penalty leaves no maximum.
    """
    if not 0 < alpha <= 1:
        raise StatisticalProblem(f"{WHAT}: alpha is above 0 and at most 1, not {alpha:g}")
    data = read_cox_data(stop, event, design, names, start=start, strata=strata)
    problem = _Problem.of(data, names, alpha)
    asked = None if penalties is None else np.asarray(penalties, dtype=np.float64)
    if asked is not None and (not len(asked) or not (asked > 0).all() or (np.diff(asked) >= 0).any()):
        raise StatisticalProblem(f"{WHAT}: penalties are above 0 and fall")
    wanted = problem.ladder(steps) if asked is None else asked
    coef, explained = problem.path(wanted, names, ends_early=asked is None)
    return Path(tuple(names), wanted[: len(coef)], coef, explained, alpha, len(data.stop), int(data.event.sum()))


def cross_validate(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    folds: Sequence[int] | Ints,
    *,
    alpha: float = 1.0,
    penalties: ArrayLike | None = None,
    steps: int = 100,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
) -> CrossValidated:
    """Choose the penalty by the partial likelihood of rows left out, fold by fold.

    folds (n): which rows are left out together (all rows of a person in one); the rest as `elastic_net_path`. A fold's
    deviance is that of all rows less that of those fitted, at the coefficients of those fitted, per event left out
    (van Houwelingen et al. 2006, Stat Med 25:3201; glmnet's grouped = TRUE). Without `penalties` each fold has a path
    of its own, read between its penalties linearly, as cv.glmnet does. Raises StatisticalProblem, also for fewer than
    three folds or one without an event.
    """
    whole = elastic_net_path(
        stop, event, design, names, alpha=alpha, penalties=penalties, steps=steps, start=start, strata=strata
    )
    data, fold = read_cox_data(stop, event, design, names, start=start, strata=strata), np.asarray(folds)
    if len(fold) != len(data.stop) or len(np.unique(fold)) < 3:
        raise StatisticalProblem(f"{WHAT}: each of {len(data.stop)} rows has a fold, and there are at least three")
    left, weights = [], []
    for one in np.unique(fold):
        kept = fold != one
        out = int(data.event[~kept].sum())
        if not out:
            raise StatisticalProblem(f"{WHAT}: no event among the {int((~kept).sum())} rows of fold {one}")
        part = _rows(data, np.flatnonzero(kept))
        coef = _of_fold(
            _Problem.of(part, names, alpha), whole.penalties, names, asked=penalties is not None, steps=steps
        )
        left.append((_deviances(data, coef) - _deviances(part, coef)) / out)
        weights.append(out)
    each, weight = np.array(left), np.array(weights, dtype=np.float64)
    deviance = np.average(each, axis=0, weights=weight)
    se = np.sqrt(np.average((each - deviance) ** 2, axis=0, weights=weight) / (len(each) - 1))
    best = int(np.argmin(deviance))
    simple = int(np.flatnonzero(deviance <= deviance[best] + se[best])[0])
    return CrossValidated(
        whole, deviance, se, float(whole.penalties[best]), float(whole.penalties[simple]), whole.coef[best],
        whole.coef[simple],
    )  # fmt: skip


def selection_frequency(
    stop: Floats,
    event: Bools,
    design: Floats,
    names: Sequence[str],
    penalty: float,
    draws: Iterable[Ints],
    *,
    alpha: float = 1.0,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return how often each term stays in the model at one penalty, over draws of rows, and why which draws failed.

    draws: places of rows, with or without repetition. One row per term: term, coef (of all rows), selected (share of
    the draws fitted), positive (share with a coefficient above 0), draws. Draws without a fit are counted, never
    replaced. Arguments else as `elastic_net_path`; raises as that, and when no draw can be fitted.
    """
    options = {"alpha": alpha, "start": start, "strata": strata}
    whole = elastic_net_path(stop, event, design, names, penalties=[penalty], **options)  # type: ignore[arg-type]
    data, found = read_cox_data(stop, event, design, names, start=start, strata=strata), []
    failures: Counter[str] = Counter()
    for rows in draws:
        try:
            problem = _Problem.of(_rows(data, np.asarray(rows)), names, alpha)
            found.append(problem.path(np.array([penalty]), names, ends_early=False)[0][0])
        except StatisticalProblem as trouble:
            failures[str(trouble)] += 1
    if not found:
        raise StatisticalProblem(f"{WHAT}: no draw could be fitted: {'; '.join(failures)}")
    coef = np.array(found)
    table = pl.DataFrame(
        {
            "term": names,
            "coef": whole.coef[0],
            "selected": (coef != 0).mean(axis=0),
            "positive": (coef > 0).mean(axis=0),
        }
    ).with_columns(draws=pl.lit(len(coef)))
    return table, dict(failures)


@dataclass(frozen=True)
class _Problem:
    """The likelihood of standardised columns (spread with n, as glmnet), rows (n) and mixture of penalties."""

    likelihood: Likelihood
    scale: Floats
    n: int
    alpha: float

    @classmethod
    def of(cls, data: CoxData, names: Sequence[str], alpha: float) -> _Problem:
        """Standardise by the spread over all rows."""
        if not data.event.any():
            raise StatisticalProblem(f"{WHAT}: no event in the draw")
        sets, columns, _, kept_scale = standardised(data, names)
        scale = data.design.std(axis=0)
        columns = columns * (kept_scale / scale)[:, None]
        return cls(Likelihood(sets, columns, np.ones(columns.shape[1]), efron=False), scale, len(data.stop), alpha)

    def ladder(self, steps: int) -> Floats:
        """Penalties from the least that leaves no term, falling evenly on the log scale."""
        null = self.likelihood.at(np.zeros(len(self.scale)))
        highest = float(np.abs(null.gradient).max()) / self.n / max(self.alpha, 1e-3)
        lowest = 1e-4 if self.n > len(self.scale) else 1e-2
        return np.asarray(highest * lowest ** (np.arange(steps) / (steps - 1)))

    def path(self, penalties: Floats, names: Sequence[str], *, ends_early: bool) -> tuple[Floats, Floats]:
        """Coefficients (l × p) in the covariates' units, and the share of deviance explained (l)."""
        state = self.likelihood.at(np.zeros(len(self.scale)))
        saturated = -float(np.sum(self.likelihood.dead_weight * np.log(self.likelihood.dead_weight)))
        to_explain, null = saturated - state.loglik, state.loglik
        coef: list[Floats] = []
        explained: list[float] = []
        for penalty in penalties:
            state = self._descend(state, float(penalty), names)
            coef.append(state.beta / self.scale)
            explained.append((state.loglik - null) / to_explain)
            if ends_early and len(explained) > STEPS_OF_GAIN:
                gain = explained[-1] - explained[-1 - STEPS_OF_GAIN]
                if gain < SMALLEST_GAIN * explained[-1] or explained[-1] > NEARLY_ALL:
                    break
        return np.array(coef), np.array(explained)

    def _descend(self, state: State, penalty: float, names: Sequence[str]) -> State:
        """Newton steps from a state until no coefficient moves; a step that does not gain is halved."""
        for _ in range(MOST_STEPS):
            target = _coordinates(
                self.likelihood.information(state) / self.n, state.gradient / self.n, state.beta, penalty, self.alpha
            )
            step = target - state.beta
            if not np.abs(step).max() > SETTLED:
                return state
            worth = self._worth(state, penalty)
            ahead = self.likelihood.at(target)
            for halving in range(1, 31):
                if self._worth(ahead, penalty) >= worth - 1e-14 * abs(worth):
                    break
                ahead = self.likelihood.at(state.beta + step / 2**halving)
            else:
                return state
            state = ahead
        raise StatisticalProblem(
            f"{WHAT}: at the penalty {penalty:g} there is no maximum; one of {', '.join(names)} separates the events"
        )

    def _worth(self, state: State, penalty: float) -> float:
        """What is maximised."""
        size = self.alpha * np.abs(state.beta).sum() + (1 - self.alpha) / 2 * (state.beta**2).sum()
        return float(state.loglik / self.n - penalty * size) if np.isfinite(state.loglik) else -np.inf


def _coordinates(information: Floats, gradient: Floats, beta: Floats, penalty: float, alpha: float) -> Floats:
    """Minimise the quadratic approximation at beta plus the penalty, one coefficient after another."""
    found = beta.copy()
    slope = gradient.copy()
    soft, ridge = penalty * alpha, penalty * (1 - alpha)
    for _ in range(MOST_SWEEPS):
        moved = 0.0
        for j, curvature in enumerate(np.diag(information)):
            pull = slope[j] + curvature * found[j]
            value = np.sign(pull) * max(abs(pull) - soft, 0.0) / (curvature + ridge)
            change = value - found[j]
            if change:
                slope -= information[:, j] * change
                found[j] = value
                moved = max(moved, abs(change))
        if moved < SETTLED / 100:
            break
    return found


def _of_fold(problem: _Problem, penalties: Floats, names: Sequence[str], *, asked: bool, steps: int) -> Floats:
    """Coefficients of one fold's rows at the whole data's penalties (l × p)."""
    if asked:
        return problem.path(penalties, names, ends_early=False)[0]
    own = problem.ladder(steps)
    coef, _ = problem.path(own, names, ends_early=True)
    return np.column_stack([np.interp(-penalties, -own[: len(coef)], column) for column in coef.T])


def _rows(data: CoxData, rows: Ints) -> CoxData:
    """The data of some rows."""
    return CoxData(
        data.start[rows],
        data.stop[rows],
        data.event[rows],
        data.design[rows],
        data.strata[rows],
        data.weight[rows],
        None,
    )


def _deviances(data: CoxData, coef: Floats) -> Floats:
    """Twice the log likelihood the saturated model has over each of some coefficient vectors (l)."""
    sets = RiskSets.of(data.start, data.stop, data.event, data.strata)
    columns = np.ascontiguousarray((data.design - data.design.mean(axis=0))[sets.rows].T)
    likelihood = Likelihood(sets, columns, np.ones(columns.shape[1]), efron=False)
    saturated = -float(np.sum(likelihood.dead_weight * np.log(likelihood.dead_weight)))
    return np.array([2 * (saturated - likelihood.at(one).loglik) for one in coef])
