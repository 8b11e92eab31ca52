"""The regressions of imputation: parameters drawn from their posterior, then values drawn given the parameters.

Predictive mean matching and logistic regression as R's mice does them (van Buuren & Groothuis-Oudshoorn 2011, J Stat
Softw 45(3); mice.impute.pmm with matchtype 1, mice.impute.logreg). Which column is modelled on which does not belong
here (imputation).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import expit

from aclf_pipeline.science.risk_sets import Floats, Ints

# Shrinks collinear predictors by a share of their own spread that does not move others in the fifth digit.
RIDGE = 1e-5
MOST_STEPS = 50
STEP_LEFT = 1e-10


def draw_matched(y: Floats, x: Floats, wanted: Floats, rng: np.random.Generator, *, donors: int) -> Floats:
    """Draw for each row of `wanted` (w × p) a value of y (n), that of one of the `donors` nearest known rows.

    Nearness is type 1: known rows at the fitted, wanted rows at the drawn coefficients, so that the uncertainty of the
    regression is in the draw. x (n × p) needs no column of ones. Ties are broken at random.
    """
    known, asked = _standardised(x, wanted)
    root = _root(known.T @ known)
    fitted = _solve(root, known.T @ y)
    residual = y - known @ fitted
    free = max(len(y) - known.shape[1], 1)
    sigma = np.sqrt(residual @ residual / rng.chisquare(free))
    drawn = fitted + sigma * solve_triangular(root, rng.standard_normal(len(fitted)), lower=True, trans="T")
    return np.asarray(y[nearest(known @ fitted, asked @ drawn, donors, rng)])


def nearest(known: Floats, wanted: Floats, donors: int, rng: np.random.Generator) -> Ints:
    """Return for each of `wanted` (w) the place of one of its `donors` nearest in `known` (n), at random."""
    shuffled = rng.permutation(len(known))
    shuffled = shuffled[np.argsort(known[shuffled], kind="stable")]
    ladder = known[shuffled]
    k = min(donors, len(known))
    window = np.searchsorted(ladder, wanted)[:, None] + np.arange(-k, k)
    inside = (window >= 0) & (window < len(known))
    window = np.clip(window, 0, len(known) - 1)
    distance = np.where(inside, np.abs(ladder[window] - wanted[:, None]), np.inf)
    candidates = np.argpartition(distance, k - 1, axis=1)[:, :k]
    picked = candidates[np.arange(len(wanted)), rng.integers(0, k, len(wanted))]
    return np.asarray(shuffled[window[np.arange(len(wanted)), picked]])


def draw_logistic(y: Floats, x: Floats, wanted: Floats, rng: np.random.Generator) -> Floats:
    """Draw 0 or 1 for each row of `wanted` (w × p) from a logistic regression of y (n, two values) on x (n × p).

    A few weighted rows are added so that perfect prediction has a maximum (White, Daniel & Royston 2010, Comput Stat
    Data Anal 54:2267). Returns values of y: its lower for 0, its higher for 1.
    """
    low, high = float(y.min()), float(y.max())
    known, asked = _standardised(x, wanted)
    design, answer, weight = _augmented(known, (y == high).astype(float))
    beta, root = _logistic(design, answer, weight)
    drawn = beta + solve_triangular(root, rng.standard_normal(len(beta)), lower=True, trans="T")
    return np.where(rng.random(len(asked)) <= expit(asked @ drawn), high, low)


def _augmented(design: Floats, answer: Floats) -> tuple[Floats, Floats, Floats]:
    """Add rows at the middle, half a spread above and below it in one predictor, with either answer."""
    p = design.shape[1] - 1
    if not p:
        return design, answer, np.ones(len(answer))
    inner = design[:, 1:]
    middle, spread = inner.mean(axis=0), inner.std(axis=0, ddof=1)
    rows = np.repeat(np.append(1.0, middle)[None, :], 4 * p, axis=0)
    which = np.repeat(np.arange(p), 4)
    shift = np.tile([0.5, -0.5, 0.5, -0.5], p)
    rows[np.arange(4 * p), 1 + which] = np.clip(
        middle[which] + shift * spread[which], inner.min(axis=0)[which], inner.max(axis=0)[which]
    )
    answers = np.tile([0.0, 0.0, 1.0, 1.0], p)
    weight = np.concatenate([np.ones(len(answer)), np.full(4 * p, (p + 1) / (4 * p))])
    return np.vstack([design, rows]), np.concatenate([answer, answers]), weight


def _logistic(design: Floats, answer: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Climb to the maximum of the weighted likelihood; return it and the Cholesky root of its information."""
    beta = np.zeros(design.shape[1])
    for _ in range(MOST_STEPS):
        chance = expit(design @ beta)
        root = _root((design * (weight * chance * (1 - chance))[:, None]).T @ design)
        step = _solve(root, design.T @ (weight * (answer - chance)))
        # The added rows bound the maximum; a first step beyond it is cut, so that no chance becomes 0 or 1.
        beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < STEP_LEFT:
            break
    return beta, root


def _standardised(x: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """Return both designs with a column of ones, scaled by the known rows, without columns that do not vary there."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    varies = spread > 1e-10 * np.maximum(1.0, np.abs(centre))
    return tuple(  # type: ignore[return-value]
        np.column_stack([np.ones(len(part)), (part[:, varies] - centre[varies]) / spread[varies]])
        for part in (x, wanted)
    )


def _root(information: Floats) -> Floats:
    """Return the lower Cholesky root of an information with its diagonal raised by RIDGE."""
    return np.asarray(np.linalg.cholesky(information + RIDGE * np.diag(np.diag(information))))


def _solve(root: Floats, right: Floats) -> Floats:
    return np.asarray(solve_triangular(root, solve_triangular(root, right, lower=True), lower=True, trans="T"))
