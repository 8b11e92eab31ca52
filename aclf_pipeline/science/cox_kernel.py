"""The partial likelihood of the Cox model: value, score, information, and the climb to its maximum.

Arrays in, arrays out, NumPy alone. One evaluation is one sweep over the risk sets for S0; the score is Xᵀ(observed less
expected events); the information is XᵀWX, W the expected number of events less the correction for ties, minus the outer
products of the means, so that S2 is never formed (Therneau & Grambsch 2000, Modeling Survival Data, ch. 3; Efron 1977,
JASA 72:557; Breslow 1974, Biometrics 30:89).

Standard errors, residuals, curves and tests do not belong here (cox_fit, cox_residuals, cox_curves,
proportional_hazards), nor does who is at risk when (risk_sets), nor the reading of frames (cox).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import lapack

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints, RiskSets

MOST_STEPS = 60
MOST_HALVINGS = 30
# Log likelihood still to be gained at which the last step is taken; after it the error is of its square.
GAIN_LEFT = 1e-13
SINGULAR = 1e-11


@dataclass(frozen=True)
class State:
    """The likelihood at one coefficient vector; all in units in which the largest risk of a stratum is 1.

    loglik: log partial likelihood. risk (m): weight × relative risk. scale (m): log of the unit. expected (m): weighted
    expected events. gradient (p). For a group (G): s0 the sum of risk; a1, a2, b11, b12, b22 the sums over its events
    k = 0…d−1, with share f = k/d under Efron and 0 under Breslow and s = S0 − f·D0, of w̄/s, w̄f/s, w̄/s², w̄f/s², w̄f²/s².
    """

    beta: Floats
    loglik: float
    risk: Floats
    scale: Floats
    s0: Floats
    a1: Floats
    a2: Floats
    b11: Floats
    b12: Floats
    b22: Floats
    expected: Floats
    gradient: Floats
    exact: bool


@dataclass(frozen=True)
class Likelihood:
    """Efron's or Breslow's log partial likelihood of the coefficients of `columns`.

    columns (p × m): covariates of the kept rows, best centred and scaled. weight (m): case weights, positive.
    """

    sets: RiskSets
    columns: Floats
    weight: Floats
    efron: bool = True

    @cached_property
    def tied(self) -> Ints:
        """Groups of several events, to which Efron's correction applies."""
        return np.flatnonzero(self.sets.deaths > 1) if self.efron else np.zeros(0, dtype=np.int64)

    @cached_property
    def _slots(self) -> tuple[Ints, Floats, Ints]:
        """For the events of tied groups: their group's place in `tied`, the share k/d, and where each group starts."""
        count = self.sets.deaths[self.tied]
        starts = np.cumsum(count) - count
        share = (np.arange(count.sum()) - np.repeat(starts, count)) / np.repeat(count, count)
        return np.repeat(np.arange(len(count)), count), share, starts

    @cached_property
    def dead_weight(self) -> Floats:
        """Sum of the case weights of the events of a group (G)."""
        return self.sets.of_dead(self.weight[self.sets.dead])

    @cached_property
    def _ones(self) -> Floats:
        """A multiplier that changes nothing (G)."""
        return np.ones(len(self.sets.deaths))

    @cached_property
    def _strata_of_rows(self) -> tuple[Ints, Ints]:
        """First kept row, and number of kept rows, of each stratum."""
        edges = np.append(self.sets.leave[[b.start for b in self.sets.blocks]], len(self.sets.rows))
        return edges[:-1], np.diff(edges)

    def at(self, beta: Floats, *, exact: bool = False) -> State:
        """Evaluate at beta (p); running sums that lose digits are done again by the tree."""
        sets, dead = self.sets, self.sets.dead
        linear = beta @ self.columns
        starts, counts = self._strata_of_rows
        scale = np.repeat(np.maximum.reduceat(linear, starts), counts)
        linear = linear - scale
        risk = self.weight * np.exp(linear)
        sums, lost = sets.at_risk(risk[None, :], exact=exact)
        if lost:
            return self.at(beta, exact=True)
        s0, events = sums[0], self.dead_weight
        a1, b11, logs = events / s0, events / s0 / s0, events * np.log(s0)
        a2, b12, b22 = np.zeros_like(s0), np.zeros_like(s0), np.zeros_like(s0)
        if len(self.tied):
            place, share, first = self._slots
            d0 = sets.of_dead(risk[dead])[self.tied]
            mean = (events / sets.deaths)[self.tied][place]
            s = s0[self.tied][place] - share * d0[place]
            terms = np.stack([1 / s, share / s, 1 / s / s, share / s / s, share**2 / s / s, np.log(s)])
            a1[self.tied], a2[self.tied], b11[self.tied], b12[self.tied], b22[self.tied], logs[self.tied] = (
                np.add.reduceat(mean * terms, first, axis=1)
            )
        expected = risk * sets.over(a1, exact=exact)
        expected[dead] -= risk[dead] * a2[sets.last[dead]]
        surplus = -expected
        surplus[dead] += self.weight[dead]
        loglik = float(self.weight[dead] @ linear[dead] - logs.sum())
        gradient = self.columns @ surplus
        return State(beta, loglik, risk, scale, s0, a1, a2, b11, b12, b22, expected, gradient, exact)

    def sums(self, state: State) -> tuple[Floats, Floats]:
        """Return S1 and D1 (p × G): Σ risk·x over the risk set, and over the events of a group."""
        s1, _ = self.sets.at_risk(self.columns * state.risk, exact=state.exact)
        dead = self.sets.dead
        return s1, self.sets.of_dead(self.columns[:, dead] * state.risk[dead])

    def information(
        self, state: State, *, sums: tuple[Floats, Floats] | None = None, multiplier: Floats | None = None
    ) -> Floats:
        """Return the observed information (p × p), each group's share times a multiplier (G) where one is given.

        Σ over events of V = S2/s − (S1/s)(S1/s)ᵀ; S2 is never formed, its sum over time is XᵀWX.
        """
        s1, d1 = self.sums(state) if sums is None else sums
        dead = self.sets.dead
        if multiplier is None:
            multiplier, weight = self._ones, state.expected
        else:
            weight = state.risk * self.sets.over(state.a1 * multiplier, exact=state.exact)
            weight[dead] -= state.risk[dead] * (state.a2 * multiplier)[self.sets.last[dead]]
        total = (self.columns * weight) @ self.columns.T - (s1 * (state.b11 * multiplier)) @ s1.T
        if len(self.tied):
            s, d, m = s1[:, self.tied], d1[:, self.tied], multiplier[self.tied]
            cross = (s * (state.b12[self.tied] * m)) @ d.T
            total += cross + cross.T - (d * (state.b22[self.tied] * m)) @ d.T
        return np.asarray((total + total.T) / 2)


@dataclass(frozen=True)
class Maximum:
    """Where the climb ended: the state there and at zero, the information at both, and the steps taken."""

    state: State
    information: Floats
    null: State
    null_information: Floats
    steps: int


def maximise(likelihood: Likelihood, names: Sequence[str]) -> Maximum:
    """Climb from zero until the log likelihood left to gain is nothing.

    The columns should have unit spread. Raises StatisticalProblem, naming columns by `names`, for
    collinearity, for separation (no finite maximum), and when no step gains.
    """
    null = likelihood.at(np.zeros(len(names)))
    information = likelihood.information(null)
    refuse_collinear(information, names)
    state, steps = climb(likelihood, null, names, information)
    return Maximum(state, likelihood.information(state), null, information, steps)


def climb(
    likelihood: Likelihood, state: State, names: Sequence[str], information: Floats | None = None
) -> tuple[State, int]:
    """Climb by Newton's method with step halving from a state (and its information); return the top and the steps."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for steps in range(1, MOST_STEPS + 1):
            step = _newton(likelihood.information(state) if information is None else information, state.gradient)
            if step is None:
                break
            left = float(state.gradient @ step) / 2
            state, information = _advance(likelihood, state, step, names), None
            if left < GAIN_LEFT * max(1.0, abs(state.loglik)):
                return state, steps
    raise StatisticalProblem(separation(state.beta, names))


def _newton(information: Floats, gradient: Floats) -> Floats | None:
    """Solve for the step; None where the information is not positive definite."""
    if not np.isfinite(information).all():
        return None
    _, step, failed = lapack.dposv(information, gradient)
    return None if failed else np.asarray(step)


def _advance(likelihood: Likelihood, state: State, step: Floats, names: Sequence[str]) -> State:
    """Take the step, halved until the likelihood does not fall (beyond rounding)."""
    floor = state.loglik - 1e-11 * max(1.0, abs(state.loglik))
    for halving in range(MOST_HALVINGS):
        ahead = likelihood.at(state.beta + step / 2**halving)
        if np.isfinite(ahead.loglik) and ahead.loglik >= floor:
            return ahead
    raise StatisticalProblem(separation(state.beta, names))


def refuse_collinear(information: Floats, names: Sequence[str]) -> None:
    """Raise StatisticalProblem if a column does not vary within risk sets, or is a combination of others there."""
    spread = np.sqrt(np.clip(np.diag(information), 0, None))
    flat = [name for name, value in zip(names, spread, strict=True) if not value > 1e-7 * max(1.0, spread.max())]
    if flat or not np.isfinite(information).all():
        listed = ", ".join(f"'{name}'" for name in flat) or "a covariate"
        raise StatisticalProblem(f"Cox model: {listed} does not vary among those at risk together")
    correlation = information / np.outer(spread, spread)
    if np.linalg.eigvalsh(correlation)[0] > SINGULAR:
        return
    _, vectors = np.linalg.eigh(correlation)
    loaded = [name for name, load in zip(names, vectors[:, 0], strict=True) if abs(load) > 1e-4]
    others = ", ".join(f"'{name}'" for name in loaded[:-1])
    raise StatisticalProblem(f"Cox model: '{loaded[-1]}' is a linear combination of {others}")


def separation(beta: Floats, names: Sequence[str]) -> str:
    """Say that the likelihood has no maximum, and which columns ran away: those within a tenth of the furthest."""
    size = np.abs(beta)
    listed = ", ".join(f"'{name}'" for name, far in zip(names, size > size.max() / 10, strict=True) if far)
    return (
        f"Cox model did not converge: the covariates separate the events or nearly so, {listed} most of all; "
        "a penalised (Firth) fit is needed"
    )
