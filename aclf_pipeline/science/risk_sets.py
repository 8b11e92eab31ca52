"""Who is at risk at which event time: the geometry of right-censored data, delayed entry, episodes and strata.

Everything that depends on time is reduced to two whole numbers per row, the first and the last event time at which the
row is at risk; sums over risk sets are then running sums, made once per evaluation, or, where running sums would
cancel, sums over a binary tree.

Covariates and likelihoods do not belong here (cox_kernel).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Times that differ by less than this share of their mean are one time (0.1 + 0.2 is 0.3). R's aeqSurv takes 1.5e-8, so
# that among decades a stay of a second ends as it begins; the rounding of sums is a thousand times below 1e-11.
SAME_TIME = 1e-11
# Below this share of the sum it was subtracted from, a running sum has lost five of its sixteen digits.
LOST_DIGITS = 1e-5


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

    def drawn(self, rows: Ints) -> tuple[RiskSets, Ints]:
        """Return the risk sets of rows drawn, with or without repetition, and which kept rows (places) they consist of.

        rows: places in the input. `rows` of the result are places in the draw. The times are sorted already, so that a
        draw costs no comparison of times.
        """
        place = np.full(self.n, -1)
        place[self.rows] = np.arange(len(self.rows))
        chosen = place[rows]
        kept = np.flatnonzero(chosen >= 0)
        kept = kept[np.argsort(chosen[kept], kind="stable")]
        chosen = chosen[kept]
        died = np.zeros(len(self.rows), dtype=bool)
        died[self.dead] = True
        deaths = np.bincount(self.last[chosen[died[chosen]]], minlength=len(self.deaths))
        group = np.concatenate([[0], np.cumsum(deaths > 0)])
        first, last = group[self.first[chosen]], group[self.last[chosen] + 1] - 1
        useful = first <= last
        chosen, present = chosen[useful], deaths > 0
        sets = RiskSets(
            n=len(rows),
            rows=kept[useful],
            first=first[useful],
            last=last[useful],
            dead=np.flatnonzero(died[chosen]),
            deaths=deaths[present],
            times=self.times[present],
            stratum=self.stratum[present],
        )
        return sets, chosen

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
