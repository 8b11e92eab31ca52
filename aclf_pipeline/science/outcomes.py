"""Times and outcome codes as arrays, held to what they can be, and the two product-limit curves of one group.

What Gray's test, Fine–Gray, restricted means and performance share. Outcome codes are whole numbers: 0 censored, 1, 2
and so on the competing events. Estimators, and the reading of frames (problems), do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import SAME_TIME, Bools, Floats, Ints, settle

CENSORED = 0


@dataclass(frozen=True)
class Outcomes:
    """One row per person: time, outcome code, entry (−inf without delayed entry), n each; times settled."""

    time: Floats
    code: Ints
    entry: Floats

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.time)

    def happened(self, cause: int) -> Bools:
        """Who had the event `cause` (n)."""
        return np.asarray(self.code == cause)

    def settled(self, times: ArrayLike) -> Floats:
        """Return times of any shape, those that differ from an observed one by binary noise made equal to it."""
        asked = np.asarray(times, dtype=np.float64)
        observed = np.unique(self.time)
        right = (
            np.clip(np.searchsorted(observed, asked), 1, len(observed) - 1)
            if len(observed) > 1
            else np.zeros_like(asked, dtype=np.int64)
        )
        left = np.maximum(right - 1, 0)
        nearest = np.where(
            np.abs(asked - observed[left]) <= np.abs(asked - observed[right]), observed[left], observed[right]
        )
        return np.where(np.abs(asked - nearest) <= SAME_TIME * observed.mean(), nearest, asked)


def read_outcomes(
    what: str,
    time: ArrayLike,
    code: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    others: Mapping[str, ArrayLike] | None = None,
) -> Outcomes:
    """Hold times, codes and further numeric columns (by name, n rows each) to what can be; tell every problem at once.

    code: 0/1 or yes/no for a single event, else 0 censored and 1, 2, … the events. Times that differ by binary noise
    are made one. Raises StatisticalProblem for rows of different number, missing or negative times, codes that are not
    whole numbers from 0, entries not before ends, and missing values of the further columns.
    """
    stop = np.asarray(time, dtype=np.float64)
    state = np.asarray(code, dtype=np.float64)
    start = np.full(len(stop), -np.inf) if entry is None else np.asarray(entry, dtype=np.float64)
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in (others or {}).items()}
    sizes = {"time": len(stop), "outcome": len(state), "entry": len(start)}
    sizes |= {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1 or not len(stop):
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise StatisticalProblem(f"{what}: columns must have one number of rows, at least 1, but have: {listed}")
    bad = {
        "have no time": ~np.isfinite(stop),
        "have a negative time": stop < 0,
        "have an outcome that is no whole number from 0": ~(np.isfinite(state) & (state >= 0) & (state % 1 == 0)),
        "enter at no known time or not before the end": ~(start < stop) & np.isfinite(stop),
    }
    bad |= {f"have no finite '{name}'": ~np.isfinite(column).reshape(len(stop), -1).all(axis=1)
            for name, column in columns.items()}  # fmt: skip
    problems = [f"{int(rows.sum())} rows {which}" for which, rows in bad.items() if rows.any()]
    if problems:
        raise StatisticalProblem(f"{what}: " + "; ".join(problems))
    both = settle(np.concatenate([start, stop]))
    if not (both[: len(stop)] < both[len(stop) :]).all():
        raise StatisticalProblem(f"{what}: some rows enter at no known time or not before the end")
    return Outcomes(both[len(stop) :], state.astype(np.int64), both[: len(stop)])


def labels(what: str, group: ArrayLike, n: int) -> tuple[NDArray[np.str_], Ints]:
    """Return the distinct group names in rising order and each row's place among them; missing names are refused."""
    values = np.asarray(group, dtype=object)
    if len(values) != n:
        raise StatisticalProblem(f"{what}: {len(values)} groups for {n} rows")
    missing = sum(value is None or value != value for value in values)
    if missing:
        raise StatisticalProblem(f"{what}: {missing} rows have no group")
    names, place = np.unique(values, return_inverse=True)
    return names.astype(str), place


def at_risk(outcomes: Outcomes, times: Floats) -> Ints:
    """Count who entered before, and left at or after, each of `times`."""
    starts, ends = np.sort(outcomes.entry), np.sort(outcomes.time)
    return np.searchsorted(starts, times, side="left") - np.searchsorted(ends, times, side="left")


@dataclass(frozen=True)
class Steps:
    """A right-continuous curve that starts at `first`: at each of `times` (k, rising) it takes `values` (k)."""

    times: Floats
    values: Floats
    first: float = 1.0

    def at(self, times: ArrayLike) -> Floats:
        """Read the curve at times of any shape."""
        return self._read(times, "right")

    def before(self, times: ArrayLike) -> Floats:
        """Read the curve just before times of any shape."""
        return self._read(times, "left")

    def _read(self, times: ArrayLike, side: str) -> Floats:
        padded = np.concatenate([[self.first], self.values])
        return np.asarray(padded[np.searchsorted(self.times, np.asarray(times, dtype=np.float64), side=side)])  # type: ignore[call-overload]


def survival_curve(outcomes: Outcomes) -> Steps:
    """Kaplan–Meier estimate of being free of every event, with delayed entry (Kaplan & Meier 1958, JASA 53:457)."""
    times, counts = np.unique(outcomes.time[outcomes.code != CENSORED], return_counts=True)
    return Steps(times, np.cumprod(1 - counts / at_risk(outcomes, times), dtype=np.float64))


def incidence_curve(outcomes: Outcomes, cause: int) -> Steps:
    """Aalen–Johansen estimate of having had the event `cause`, with delayed entry (Aalen & Johansen 1978)."""
    times, counts = np.unique(outcomes.time[outcomes.happened(cause)], return_counts=True)
    free = survival_curve(outcomes).before(times)
    return Steps(times, np.cumsum(free * counts / at_risk(outcomes, times), dtype=np.float64), first=0.0)


def censoring_curve(outcomes: Outcomes, *, events_leave_first: bool) -> Steps:
    """Kaplan–Meier estimate of not being censored yet, with delayed entry.

    events_leave_first: of those who leave at one time, events have left before the censored are counted (as in R's
    prodlim, timeROC, Score and pec), or are still at risk (as in survfit with the censored as events, and in crr).
    """
    censored = outcomes.code == CENSORED
    times, counts = np.unique(outcomes.time[censored], return_counts=True)
    risk = at_risk(outcomes, times)
    if events_leave_first:
        events = np.sort(outcomes.time[~censored])
        risk = risk - (np.searchsorted(events, times, "right") - np.searchsorted(events, times, "left"))
    return Steps(times, np.cumprod(1 - counts / risk, dtype=np.float64))
