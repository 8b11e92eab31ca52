"""The partial likelihood of the Cox model: value, score, information, and the climb to its maximum.

Arrays in, arrays out, NumPy alone. Rows are sorted once. Everything that depends on time is reduced to two whole
numbers per row, the first and the last event time at which the row is at risk, so right-censored data, delayed entry,
start–stop episodes and strata are one case. One evaluation is one sweep: running sums S0 and S1 over risk sets; the
information is XᵀWX, W the expected number of events less the correction for ties, minus the outer products of the means
(Therneau & Grambsch 2000, Modeling Survival Data, ch. 3; Efron 1977, JASA 72:557; Breslow 1974, Biometrics 30:89).

Standard errors, residuals, curves and tests do not belong here (cox_fit, cox_residuals, cox_curves,
proportional_hazards), nor does the reading of frames (cox).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.sparse import csr_array

from aclf_pipeline.science.problems import StatisticalProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Times that differ by less than this share of their mean are one time (0.1 + 0.2 is 0.3), as in R's aeqSurv.
SAME_TIME = 1.5e-8
# Below this share of the sum it was subtracted from, a running sum has lost five of its sixteen digits.
LOST_DIGITS = 1e-5
MOST_STEPS = 60
MOST_HALVINGS = 30
# Log likelihood still to be gained at which the last step is taken; after it the error is of its square.
GAIN_LEFT = 1e-13
# Log hazard ratio per standard deviation no finite maximum is looked for beyond.
RUNAWAY = 30.0
SINGULAR = 1e-11


def settle(times: Floats) -> Floats:
    """Return times in which those that differ by binary noise only are equal: the smallest of them.

    times: any shape; −inf is kept. Values closer than SAME_TIME × the mean magnitude are joined to their neighbour.
    """
    values, place = np.unique(times, return_inverse=True)
    finite = np.isfinite(values)
    if not finite.any():
        return times
    tolerance = SAME_TIME * float(np.abs(values[finite]).mean())
    fresh = np.ones(len(values), dtype=bool)
    fresh[1:] = ~np.isfinite(values[:-1]) | (values[1:] > values[:-1] + tolerance)
    return np.asarray(values[fresh][np.cumsum(fresh) - 1][place.reshape(times.shape)], dtype=np.float64)


@dataclass(frozen=True)
class RiskSets:
    """Who is at risk at which event time; no covariates.

    Groups are the G distinct event times, stratum by stratum and rising. Kept rows are the m rows at risk at one of
    them at least, sorted by `last`; the others have no part in the likelihood. rows (m): place in the input. first,
    last (m): groups at which the row is at risk, both included. dead: kept rows with an event, sorted by group. deaths,
    times, stratum (G): number of events, time, and stratum of a group. n: rows of the input.
    """

    n: int
    rows: Ints
    first: Ints
    last: Ints
    dead: Ints
    deaths: Ints
    times: Floats
    stratum: Ints

    @classmethod
    def of(cls, start: Floats, stop: Floats, event: Bools, strata: Ints) -> RiskSets:
        """Build from one row per person or episode: at risk in (start, stop], start −inf without delayed entry (n)."""
        values, place = np.unique(np.concatenate([start, stop]), return_inverse=True)
        wide = len(values)
        begin, end = strata * wide + place[: len(start)], strata * wide + place[len(start) :]
        groups, deaths = np.unique(end[event], return_counts=True)
        first = np.searchsorted(groups, begin, side="right")
        last = np.searchsorted(groups, end, side="right") - 1
        rows = np.flatnonzero(first <= last)
        rows = rows[np.argsort(last[rows], kind="stable")]
        return cls(
            n=len(stop),
            rows=rows,
            first=first[rows],
            last=last[rows],
            dead=np.flatnonzero(event[rows]),
            deaths=deaths,
            times=values[groups % wide],
            stratum=groups // wide,
        )

    @cached_property
    def leave(self) -> Ints:
        """The first kept row of each group, by `last` (G): every group has one, its event."""
        return np.searchsorted(self.last, np.arange(len(self.deaths)))

    @cached_property
    def blocks(self) -> list[slice]:
        """The groups of each stratum."""
        edges = [0, *(np.flatnonzero(np.diff(self.stratum)) + 1).tolist(), len(self.stratum)]
        return [slice(a, b) for a, b in pairwise(edges)]

    @cached_property
    def opening(self) -> Ints:
        """The first group of each group's stratum (G)."""
        return np.repeat([b.start for b in self.blocks], [b.stop - b.start for b in self.blocks])

    @cached_property
    def late(self) -> tuple[Ints, Ints, Ints]:
        """Kept rows that enter after their stratum's first event, sorted by entry; the groups entered; their starts."""
        late = np.flatnonzero(self.first > self.opening[self.first])
        late = late[np.argsort(self.first[late], kind="stable")]
        entered, starts = np.unique(self.first[late], return_index=True)
        return late, entered, starts

    @cached_property
    def tree(self) -> csr_array:
        """Which nodes of a binary tree over the groups make up each row's [first, last] (nodes × m).

        Sums over intervals by this tree only ever add; they are the recourse where running sums cancel.
        """
        low, high = self.first + self.width, self.last + 1 + self.width
        nodes: list[Ints] = []
        rows: list[Ints] = []
        while (low < high).any():
            left = np.flatnonzero((low & 1 == 1) & (low < high))
            nodes, rows = [*nodes, low[left]], [*rows, left]
            low[left] += 1
            right = np.flatnonzero((high & 1 == 1) & (low < high))
            high[right] -= 1
            nodes, rows = [*nodes, high[right]], [*rows, right]
            low, high = low >> 1, high >> 1
        index = np.concatenate(nodes), np.concatenate(rows)
        return csr_array((np.ones(len(index[0])), index), shape=(2 * self.width, len(self.rows)))

    @property
    def width(self) -> int:
        """Leaves of the tree: the least power of two not below G."""
        return 1 << (len(self.deaths) - 1).bit_length()

    def at_risk(self, values: Floats, *, exact: bool) -> tuple[Floats, bool]:
        """Sum a quantity of the kept rows (q × m) over each risk set (q × G); say whether digits were lost.

        exact: by the tree, at log G times the price; else by running sums, and the flag tells of the first quantity
        (which is positive) if a difference is less than LOST_DIGITS of what it was taken from.
        """
        if exact:
            node = np.asarray(self.tree @ values.T)
            for level in range(1, self.width.bit_length()):
                below = slice(1 << level, 2 << level)
                node[below] += np.repeat(node[1 << (level - 1) : 1 << level], 2, axis=0)
            return node[self.width : self.width + len(self.deaths)].T, False
        sums = self._backward(np.add.reduceat(values, self.leave, axis=1))
        late, entered, starts = self.late
        if not len(late):
            return sums, False
        before = sums[0].copy()
        entering = np.zeros_like(sums)
        entering[:, entered] = np.add.reduceat(values[:, late], starts, axis=1)
        sums -= self._backward(entering) - entering
        return sums, bool((sums[0] < LOST_DIGITS * before).any())

    def over(self, values: Floats, *, exact: bool) -> Floats:
        """Sum a quantity of the groups (… × G) over the interval of each kept row (… × m)."""
        if exact:
            node = np.zeros((*values.shape[:-1], 2 * self.width))
            node[..., self.width : self.width + values.shape[-1]] = values
            for level in reversed(range(1, self.width.bit_length())):
                below = node[..., 1 << level : 2 << level]
                node[..., 1 << (level - 1) : 1 << level] = below[..., ::2] + below[..., 1::2]
            return np.asarray((self.tree.T @ node.T).T)
        sums = np.empty_like(values)
        for block in self.blocks:
            np.cumsum(values[..., block], axis=-1, out=sums[..., block])
        result = sums[..., self.last]
        late = self.late[0]
        result[..., late] -= sums[..., self.first[late] - 1]
        return result

    def of_dead(self, values: Floats) -> Floats:
        """Sum a quantity of the dead (… × deaths, in the order of `dead`) over each group (… × G)."""
        starts = np.cumsum(self.deaths) - self.deaths
        return np.asarray(np.add.reduceat(values, starts, axis=-1))

    def _backward(self, values: Floats) -> Floats:
        """Running sums from the last group of each stratum to its first."""
        sums = np.empty_like(values)
        for block in self.blocks:
            np.cumsum(values[:, block][:, ::-1], axis=1, out=sums[:, block][:, ::-1])
        return sums


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
            multiplier, weight = np.ones_like(state.s0), state.expected
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
    """Climb by Newton's method with step halving, from zero, until the log likelihood left to gain is nothing.

    The columns should have unit spread: RUNAWAY is per unit. Raises StatisticalProblem, naming columns by `names`, for
    collinearity, for separation (no finite maximum), and when no step gains.
    """
    state = null = likelihood.at(np.zeros(len(names)))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        information = null_information = likelihood.information(state)
        refuse_collinear(information, names)
        for steps in range(1, MOST_STEPS + 1):
            step = _newton(information, state.gradient)
            if step is None or np.abs(state.beta).max() > RUNAWAY:
                raise StatisticalProblem(separation(state.beta, names))
            left = float(state.gradient @ step) / 2
            state = _advance(likelihood, state, step, names)
            information = likelihood.information(state)
            if left < GAIN_LEFT * max(1.0, abs(state.loglik)):
                return Maximum(state, information, null, null_information, steps)
    raise StatisticalProblem(separation(state.beta, names))


def _newton(information: Floats, gradient: Floats) -> Floats | None:
    """Solve for the step; None where the information is not positive definite."""
    if not np.isfinite(information).all():
        return None
    try:
        return np.asarray(cho_solve(cho_factor(information), gradient))
    except np.linalg.LinAlgError:
        return None


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
    values, vectors = eigh(information / np.outer(spread, spread))
    if values[0] > SINGULAR:
        return
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
