"""Concordance: how often of two people the one with the higher risk has the event first.

Harrell's C with its variance by the infinitesimal jackknife, for case weights, delayed entry, start–stop episodes,
strata and clusters, as R's concordance (Therneau & Watson 2015, Mayo Clinic technical report 85; Harrell et al. 1996,
Stat Med 15:361), and Uno's C, in which a pair counts 1/G(t−)², G the chance of not being censored (Uno et al. 2011,
Stat Med 30:1105). Pairs are counted in n·log n, without approximation.

Calibration and time-dependent ROC do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aclf_pipeline.science.cox_model import CoxFit
from aclf_pipeline.science.cox_residuals import summed_by_cluster
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Bools, Floats, Ints, settle

# Risks this near each other, in shares of the widest risk, are tied: sums of products in another order differ by less.
SAME_RISK = 1e-12


@dataclass(frozen=True)
class Concordance:
    """C, its standard error, and the (weighted) pairs behind it.

    c is (concordant + tied_risk / 2) / (concordant + discordant + tied_risk); tied_time pairs, of two events at one
    time, are not comparable and not in it.
    """

    c: float
    se: float
    concordant: float
    discordant: float
    tied_risk: float
    tied_time: float


def harrell(
    stop: Floats,
    event: Bools,
    risk: Floats,
    *,
    start: Floats | None = None,
    strata: Sequence[object] | Ints | None = None,
    weight: Floats | None = None,
    cluster: Sequence[object] | Ints | None = None,
    until: float = np.inf,
) -> Concordance:
    """Compare each event with all at risk at it who go on, or are censored at that time; the higher risk goes first.

    stop, event, risk, start, strata, weight, cluster: n each; at risk in (start, stop]. Pairs are of one stratum and
    count the product of their weights; the variance sums influence over clusters. Events after `until` are left out.
    Raises StatisticalProblem for missing or impossible values and when there is no comparable pair.
    """
    n = len(stop)
    begin = np.full(n, -np.inf) if start is None else np.asarray(start, dtype=np.float64)
    case = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    layer = np.zeros(n, dtype=np.int64) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    group = None if cluster is None else np.unique(np.asarray(cluster), return_inverse=True)[1]
    end, happened = np.asarray(stop, dtype=np.float64), np.asarray(event, dtype=np.bool_)
    both = _times(begin, end, happened, np.asarray(risk, dtype=np.float64), case)
    pairs = _Pairs.of(both[:n], both[n:], happened & (both[n:] <= until), happened, _ranks(risk), layer)
    return _summary(pairs, case, np.ones(n), group)


def harrell_index(stop: Floats, event: Bools, risk: Floats) -> float:
    """Return C of `harrell` alone, of right-censored rows (n each) without weights: what a resample needs.

    Values are taken as they are: finite, and equal where they are the same moment. Raises StatisticalProblem when
    there is no comparable pair.
    """
    rank, moment = _ranks(risk), np.unique(stop, return_inverse=True)[1]
    # A row is a comparator of events before its end, and at it if it is censored there.
    edge = moment - event
    order = np.argsort(edge, kind="stable")
    gone = np.searchsorted(edge[order], moment[event], "left")
    low, same, whole = _below(rank[order], np.ones(len(rank)), gone, rank[event])
    ladder = np.sort(rank)
    first, past = (np.searchsorted(ladder, rank[event], side) for side in ("left", "right"))
    lower, tied = float((first - low).sum()), float((past - first - same).sum())
    total = float((len(rank) - whole).sum())
    if not total > 0:
        raise StatisticalProblem("concordance: no two rows can be compared; no event has anyone at risk after it")
    return (lower + tied / 2) / total


def uno(
    stop: Floats, event: Bools, risk: Floats, *, weight: Floats | None = None, until: float = np.inf
) -> Concordance:
    """Weigh each event's pairs by 1/G(t−)², so that C does not depend on who was censored when.

    stop, event, risk, weight: n each; events after `until` (τ) are not compared, and without it late events among few
    uncensored weigh much. G is the Kaplan–Meier curve of censoring, deaths leaving before censorings of the same time.
    The variance takes G as known. Delayed entry has no such weight: use `harrell`. Raises as `harrell`.
    """
    n = len(stop)
    case = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    end, happened = np.asarray(stop, dtype=np.float64), np.asarray(event, dtype=np.bool_)
    both = _times(np.full(n, -np.inf), end, happened, np.asarray(risk, dtype=np.float64), case)
    pairs = _Pairs.of(
        both[:n], both[n:], happened & (both[n:] <= until), happened, _ranks(risk), np.zeros(n, dtype=np.int64)
    )
    uncensored = _uncensored(both[n:], happened, case)
    factor = np.divide(1.0, uncensored**2, out=np.zeros(n), where=happened & (uncensored > 0))
    return _summary(pairs, case, factor, None)


def of_fit(fit: CoxFit) -> Concordance:
    """Return Harrell's C of a Cox model on its own data: its entry, strata, weights and clusters."""
    data = fit.data
    return harrell(
        data.stop,
        data.event,
        fit.linear_predictor,
        start=data.start,
        strata=data.strata,
        weight=data.weight,
        cluster=data.cluster,
    )


def _times(begin: Floats, end: Floats, event: Bools, risk: Floats, weight: Floats) -> Floats:
    """Return start and stop, end to end, settled; refuse what cannot be."""
    problems = []
    if len({len(end), len(event), len(risk), len(begin), len(weight)}) > 1:
        raise StatisticalProblem("concordance: times, events, risks, entries and weights differ in length")
    if not (np.isfinite(end).all() and np.isfinite(risk).all()) or np.isnan(begin).any():
        lacking = ~np.isfinite(end) | ~np.isfinite(risk) | np.isnan(begin)
        problems.append(f"{int(lacking.sum())} rows lack a time or a risk")
    elif not (begin < end).all():
        problems.append(f"in {int((begin >= end).sum())} rows entry is not before the end")
    if not (np.isfinite(weight) & (weight > 0)).all():
        problems.append(f"{int((~(np.isfinite(weight) & (weight > 0))).sum())} rows have a weight that is not above 0")
    if problems:
        raise StatisticalProblem("concordance: " + "; ".join(problems))
    return settle(np.concatenate([begin, end]))


def _ranks(risk: Floats) -> Ints:
    """Rank the risks from 0; those that differ by rounding only are tied."""
    values, place = np.unique(np.asarray(risk, dtype=np.float64), return_inverse=True)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    apart = np.diff(values) > SAME_RISK * np.abs(values).max()
    return np.asarray(np.concatenate([[0], np.cumsum(apart)])[place], dtype=np.int64)


@dataclass(frozen=True)
class _Pairs:
    """Comparable pairs as intervals on a common line of (stratum, time).

    moment (n): the place of each row's end. low, high (n): a row is a comparator of events with low < moment ≤ high.
    compared (n): its event is compared; rank (n): of the risk.
    """

    moment: Ints
    low: Ints
    high: Ints
    compared: Bools
    rank: Ints

    @classmethod
    def of(cls, begin: Floats, end: Floats, compared: Bools, event: Bools, rank: Ints, strata: Ints) -> _Pairs:
        values, place = np.unique(np.concatenate([begin, end]), return_inverse=True)
        # one place is left before each stratum's first time, for entries at −∞
        start, stop = (strata * (len(values) + 1) + part + 1 for part in (place[: len(end)], place[len(end) :]))
        return cls(stop, start, stop - event, compared, rank)


def _summary(pairs: _Pairs, weight: Floats, factor: Floats, cluster: Ints | None) -> Concordance:
    """Count the pairs of every row, as the event and as the comparator, and make C and its variance of them."""
    chosen = np.flatnonzero(pairs.compared)
    chosen = chosen[np.argsort(pairs.moment[chosen], kind="stable")]
    moments, mass = pairs.moment[chosen], (weight * factor)[chosen]
    # As the comparator: events within (low, high] of lower and of equal risk.
    at_high, at_low = np.searchsorted(moments, pairs.high, "right"), np.searchsorted(moments, pairs.low, "right")
    counts = [_below(pairs.rank[chosen], mass, q, pairs.rank) for q in (at_high, at_low)]
    lower, equal, every = (a - b for a, b in zip(*counts, strict=True))
    influence = np.stack([every - lower - equal, lower, equal])
    # As the event: comparators whose interval holds its moment, of lower and of equal risk.
    for edge, sign in ((pairs.low, 1.0), (pairs.high, -1.0)):
        order = np.argsort(edge, kind="stable")
        before = np.searchsorted(edge[order], moments, "left")
        low, same, whole = _below(pairs.rank[order], weight[order], before, pairs.rank[chosen])
        influence[:, chosen] += sign * factor[chosen] * np.stack([low, whole - low - same, same])
    concordant, discordant, tied = influence @ weight / 2
    total = concordant + discordant + tied
    if not total > 0:
        raise StatisticalProblem("concordance: no two rows can be compared; no event has anyone at risk after it")
    somers = (concordant - discordant) / total
    change = weight * (influence[0] - influence[1] - somers * influence.sum(axis=0)) / total / 2
    se = float(np.sqrt((summed_by_cluster(change[:, None], cluster) ** 2).sum()))
    pairs_at_one_time = _tied_times(moments, weight[chosen], factor[chosen])
    c = (float(somers) + 1) / 2
    return Concordance(c, se, float(concordant), float(discordant), float(tied), pairs_at_one_time)


def _below(rank: Ints, mass: Floats, prefix: Ints, asked: Ints) -> tuple[Floats, Floats, Floats]:
    """Sum the mass of the first `prefix` points with rank below, and equal to, the one asked, and of any rank.

    rank, mass (m): points in order. prefix, asked (q): queries. A prefix is made up of blocks of the powers of two in
    it; each size of block is sorted by rank once and searched by all queries that need one.
    """
    turn = np.argsort(prefix, kind="stable")  # neighbours in time search near each other, which is what is quick
    lengths, ranks = prefix[turn], asked[turn]
    below, equal = np.zeros(len(prefix)), np.zeros(len(prefix))
    wide = int(max(rank.max(initial=0), asked.max(initial=0))) + 2
    order = np.arange(len(rank))
    for bit in range(int(prefix.max(initial=0)).bit_length()):
        # Halves are in order already: a stable sort only merges them.
        key = (order >> bit) * wide + rank[order]
        merged = np.argsort(key, kind="stable")
        order, key = order[merged], key[merged]
        asking = np.flatnonzero(lengths >> bit & 1)
        if not len(asking):
            continue
        sums = np.concatenate([[0.0], np.cumsum(mass[order])])
        block = (lengths[asking] >> (bit + 1)) << 1
        sought = block * wide + ranks[asking]
        at, past = np.searchsorted(key, sought, "left"), np.searchsorted(key, sought, "right")
        below[turn[asking]] += sums[at] - sums[block << bit]
        equal[turn[asking]] += sums[past] - sums[at]
    return below, equal, np.concatenate([[0.0], np.cumsum(mass)])[prefix]


def _tied_times(moments: Ints, weight: Floats, factor: Floats) -> float:
    """Sum the weights of pairs of events at one time."""
    if not len(moments):
        return 0.0
    starts = np.flatnonzero(np.concatenate([[True], np.diff(moments) > 0]))
    sums, squares = np.add.reduceat(weight, starts), np.add.reduceat(weight**2, starts)
    return float(((sums**2 - squares) / 2 * factor[starts]).sum())


def _uncensored(end: Floats, event: Bools, weight: Floats) -> Floats:
    """Kaplan–Meier chance of not being censored before each row's time, deaths leaving before censorings (n)."""
    values, place = np.unique(end, return_inverse=True)
    died, left = (np.bincount(place, weight * part, len(values)) for part in (event, ~event))
    at_risk = np.cumsum((died + left)[::-1])[::-1] - died
    kept = np.divide(at_risk - left, at_risk, out=np.ones(len(values)), where=at_risk > 0)
    return np.asarray(np.concatenate([[1.0], np.cumprod(kept)[:-1]])[place])
