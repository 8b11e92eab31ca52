"""What another value of a parameter would change: who enters, who leaves, whose time differs, which events.

Most parameters are read by queries alone, so the cohort is made again: in a rehearsal the other value is put into
`rules.parameters`, the tables that read it and everything below them are built, and all of it is undone. Two parameters
say how a censored patient is counted; these are carried out on the candidates as they are.

What does not belong here: which values are tried (`sensitivity` of the study page) and rules of the gate (`impact`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from aclf_pipeline.contracts import Contract, empty_frame
from aclf_pipeline.contracts.selection import ParameterChoices, ParameterMembers
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.science.cohort import who_and_when
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import Model, build
from aclf_pipeline.warehouse.rules_tables import set_parameter

KEY = "candidate_id"
PARAMETERS = "rules.parameters"
_TIMED = ("time_zero", "event", "event_days")
_KEPT = (*_TIMED, "end_state")


@dataclass(frozen=True)
class Selected:
    """Who is in, with what happened, and why the others are not.

    cohort: candidate_id, time_zero, event, event_days, end_state. reasons: candidate_id, exclusion_reason (all).
    """

    cohort: pl.DataFrame
    reasons: pl.DataFrame


@dataclass(frozen=True)
class Rebuild:
    """What is built again: the queries downstream of core, in order, their contracts, and the day looked back from."""

    models: Sequence[Model]
    contracts: Mapping[str, type[Contract]]
    as_of: date


def parameter_choices(
    wh: Warehouse, protocol: Protocol, rebuild: Rebuild, as_is: Selected
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two frames as `ParameterChoices` and `ParameterMembers` promise: per other value the counts, and the candidates.

    Values are tried one at a time, with every other parameter as it stands. The warehouse is left as it was.
    """
    counts, members = [], []
    for name, parameter in protocol.study.parameters.items():
        for value in parameter.sensitivity:
            then, remark = _selected(wh, protocol, rebuild, as_is, name, value)
            changed = _changes(as_is, then)
            named = {"parameter": name, "value": str(value)}
            counts.append(
                {**named, "chosen": str(parameter.value), **_counts(protocol, as_is, then, changed), "remark": remark}
            )
            members.append(changed.select(*(pl.lit(text).alias(key) for key, text in named.items()), pl.all()))
    promised = empty_frame(ParameterChoices).schema
    found = pl.concat(members) if members else empty_frame(ParameterMembers)
    return pl.DataFrame(counts, schema=promised), found.sort("parameter", "value", KEY)


def _selected(
    wh: Warehouse, protocol: Protocol, rebuild: Rebuild, as_is: Selected, name: str, value: Any
) -> tuple[Selected, str | None]:
    """The cohort with another value, and what keeps it from being an answer."""
    if (name, value) in _BY_COUNTING:
        return _BY_COUNTING[name, value](as_is, protocol), None
    affected = affected_by(rebuild.models, name)
    if not affected:
        return as_is, "no table reads this parameter: another value changes nothing"
    return _rehearsed(wh, protocol, rebuild, affected, name, value)


def affected_by(models: Sequence[Model], parameter: str) -> list[Model]:
    """The queries that look a parameter up, and everything that reads them, in the order they are built."""
    asks = re.compile(rf"\bparameter = '{re.escape(parameter)}'")
    touched: set[str] = set()
    for model in models:
        if (PARAMETERS in model.parents and asks.search(model.sql)) or touched & set(model.parents):
            touched.add(model.table)
    return [model for model in models if model.table in touched]


def _rehearsed(
    wh: Warehouse, protocol: Protocol, rebuild: Rebuild, affected: Sequence[Model], name: str, value: Any
) -> tuple[Selected, str | None]:
    """Make the cohort again with another value, and undo everything."""
    study = protocol.study
    with wh.rehearsal():
        set_parameter(wh, name, value)
        for model in affected:
            build(wh, model, rebuild.contracts.get(model.table))
        candidates = wh.frame("select * from marts.candidates")
    undecided = [
        criterion.says
        for criterion in study.eligibility
        if criterion.keep in candidates.columns and candidates[criterion.keep].null_count() == candidates.height
    ]
    remark = f"cannot be decided for any candidate with this value: {'; '.join(undecided)}" if undecided else None
    return selected(*who_and_when(candidates, study, rebuild.as_of)), remark


def selected(cohort: pl.DataFrame, eligibility: pl.DataFrame) -> Selected:
    """What is compared of a cohort and of the verdicts on all candidates."""
    return Selected(cohort.select(KEY, *_KEPT), eligibility.select(KEY, "exclusion_reason"))


def _without_lost(as_is: Selected, protocol: Protocol) -> Selected:
    """The registry's own words: nobody of whom the primary horizon is unknown stays in."""
    horizon = protocol.study.endpoints[protocol.study.primary_endpoint].horizon_days
    lost = pl.col("end_state").is_in(["lost_to_follow_up", "against_advice"])
    early = pl.lit(value=True) if horizon is None else pl.col("event_days") < horizon
    leaves = as_is.cohort.filter(lost & early).select(KEY, left=pl.lit("lost_to_follow_up"))
    reasons = as_is.reasons.join(leaves, on=KEY, how="left").select(
        KEY, exclusion_reason=pl.coalesce("exclusion_reason", "left")
    )
    return Selected(as_is.cohort.join(leaves, on=KEY, how="anti"), reasons)


def _dead_at_home(as_is: Selected, protocol: Protocol) -> Selected:  # noqa: ARG001
    """Who left against advice and was never heard of again died on the day of leaving."""
    left = pl.col("end_state") == "against_advice"
    died = [pl.when(left).then(pl.lit("death")).otherwise(name).alias(name) for name in ("event", "end_state")]
    return Selected(as_is.cohort.with_columns(died), as_is.reasons)


_BY_COUNTING: dict[tuple[str, Any], Callable[[Selected, Protocol], Selected]] = {
    ("lost_to_follow_up", "exclude"): _without_lost,
    ("against_advice", "death"): _dead_at_home,
}


def _changes(as_is: Selected, then: Selected) -> pl.DataFrame:
    """One row per candidate that enters, leaves, or stays with another time."""
    both = as_is.cohort.join(then.cohort, on=KEY, how="full", suffix="_then", coalesce=True)
    here, there = (frame.select(KEY, pl.lit(value=True).alias(name))
                   for frame, name in ((as_is.cohort, "here"), (then.cohort, "there")))  # fmt: skip
    marked = both.join(here, on=KEY, how="left").join(there, on=KEY, how="left")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_then")) for name in _TIMED)
    reasons = as_is.reasons.join(then.reasons, on=KEY, how="full", suffix="_then", coalesce=True)
    return (
        marked.with_columns(
            change=pl.when(pl.col("here").is_null())
            .then(pl.lit("enters"))
            .when(pl.col("there").is_null())
            .then(pl.lit("leaves"))
            .when(~same)
            .then(pl.lit("retimed"))
        )
        .filter(pl.col("change").is_not_null())
        .join(reasons, on=KEY, how="left")
        .select(
            KEY,
            "change",
            pl.when(pl.col("change") == "enters")
            .then("exclusion_reason")
            .otherwise("exclusion_reason_then")
            .alias("reason"),
            "event",
            "event_days",
            "event_then",
            "event_days_then",
        )
    )


def _counts(protocol: Protocol, as_is: Selected, then: Selected, changed: pl.DataFrame) -> dict[str, int]:
    horizon = protocol.study.endpoints[protocol.study.primary_endpoint].horizon_days
    entering, leaving = (changed.filter(pl.col("change") == what) for what in ("enters", "leaves"))
    return {
        "members": then.cohort.height,
        "entering": entering.height,
        "leaving": leaving.height,
        "retimed": changed.filter(pl.col("change") == "retimed").height,
        "deaths": _events(as_is.cohort, "death", horizon),
        "deaths_then": _events(then.cohort, "death", horizon),
        "deaths_entering": _events(entering, "death", horizon, "_then"),
        "deaths_leaving": _events(leaving, "death", horizon),
        "transplants": _events(as_is.cohort, "transplant", horizon),
        "transplants_then": _events(then.cohort, "transplant", horizon),
    }


def _events(frame: pl.DataFrame, event: str, horizon: int | None, side: str = "") -> int:
    """How often an event happened up to a horizon, in days; an event on its day counts."""
    in_time = pl.lit(value=True) if horizon is None else pl.col(f"event_days{side}") <= horizon
    return frame.filter((pl.col(f"event{side}") == event) & in_time).height
