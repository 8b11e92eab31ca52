"""The landmark cohort: who is still at risk on a day, observed anew from there.

Anything measured by the landmark may be a baseline covariate of the cohort that reached it; anything counted later may
not, because only those who lived could be counted (Anderson, Cain & Gelber 1983, J Clin Oncol 1:710; Dafni 2011, Circ
Cardiovasc Qual Outcomes 4:363). Covariates that change on the way (episodes) and models do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from aclf_pipeline.science.problems import StatisticalProblem, event_flag, require_columns

WHAT = "landmark"


@dataclass(frozen=True)
class Landmark:
    """rows: those at risk beyond the landmark, their times (and entries) counted from it.

    died, censored: who had the event, or left, by the landmark (on it included) and is not in it; later: of `rows`,
    those who entered only after it; incomplete: rows without a time or event, set aside.
    """

    day: float
    rows: pl.DataFrame
    died: int
    censored: int
    later: int
    incomplete: int


def at_landmark(
    frame: pl.DataFrame,
    duration: str,
    event: str,
    day: float,
    *,
    entry: str | None = None,
    measured_on: Sequence[str] = (),
) -> Landmark:
    """Start observation anew at `day`, among those whose time is beyond it.

    `duration` and `entry` in days since time zero, `event` yes/no or 0/1, one row per person. measured_on: columns with
    the day on which a covariate was known; where one is after the landmark it is refused, by name: whoever has it has
    lived to have it. Missing days are let pass (the covariate is missing too). Raises StatisticalProblem, also when
    nobody reaches the landmark.
    """
    require_columns(frame, (duration, event, entry, *measured_on), WHAT)
    happened = event_flag(frame, event, WHAT)
    complete = frame.filter(pl.col(duration).is_not_null() & happened.is_not_null())
    if entry:
        complete = complete.filter(pl.col(entry).is_not_null())
    rows = complete.filter(pl.col(duration) > day)
    if rows.is_empty():
        raise StatisticalProblem(f"{WHAT}: none of {complete.height} persons is followed beyond day {day:g}")
    late = {name: rows.filter(pl.col(name) > day).height for name in measured_on}
    if any(late.values()):
        listed = "; ".join(f"'{name}' in {count} persons" for name, count in late.items() if count)
        raise StatisticalProblem(
            f"{WHAT}: known only after day {day:g}: {listed}. Who has such a value has lived to have it "
            "(immortal time); take the value known by the landmark, or a covariate that changes with time"
        )
    gone = complete.filter(pl.col(duration) <= day)
    died = gone.filter(event_flag(complete, event, WHAT)).height
    moved = [pl.col(duration) - day]
    if entry:
        moved.append((pl.col(entry) - day).clip(lower_bound=0))
    return Landmark(
        day=float(day),
        rows=rows.with_columns(moved),
        died=died,
        censored=gone.height - died,
        later=rows.filter(pl.col(entry) > day).height if entry else 0,
        incomplete=frame.height - complete.height,
    )
