"""What every kind of analysis shares: what it is given, how events are counted, and how results are keyed.

What does not belong here: any kind of analysis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import polars as pl

from aclf_pipeline.protocol.plan import Analysis, Cox, OfModel, root
from aclf_pipeline.protocol.study import Endpoint, Study
from aclf_pipeline.science.endpoints import at_horizon, event_indicator
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.science.risk_sets import Floats, Ints

KEY, DURATION, EVENT, HAPPENED = "candidate_id", "event_days", "event", "happened"
COUNTED = {"death": ("death",), "transplant": ("transplant",), "death_or_transplant": ("death", "transplant")}
RESULT_SCHEMA = {
    "analysis": pl.String,
    "key": pl.String,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p": pl.Float64,
    "n": pl.Int64,
    "events": pl.Int64,
    "method": pl.String,
    "spec": pl.String,
}
Row = dict[str, object]


@dataclass(frozen=True)
class AnalysisResult:
    """What one stanza came to: its tidy table, further tables, keyed results, and remarks a reader must see."""

    table: pl.DataFrame
    results: pl.DataFrame
    more: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """What an analysis is given: the cohort with the study's covariates, the study, the plan, and further tables.

    tables: 'time_zeros' and 'intervals' of the marts, where the study has them; empty ones are absent.
    """

    cohort: pl.DataFrame
    study: Study
    plan: Sequence[Analysis] = ()
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def endpoint(self, spec: Analysis) -> Endpoint:
        """The endpoint of a stanza, its own or that of the stanza it is of."""
        return self.study.endpoints[root(spec, self.plan).endpoint]

    def model(self, spec: OfModel) -> Cox:
        """The Cox model a stanza is of."""
        return cast(Cox, root(spec, self.plan))

    def counted(self, spec: Analysis) -> pl.DataFrame:
        """The cohort up to the stanza's horizon, with `happened` for its event."""
        return counted(self.cohort, self.endpoint(spec))

    def table(self, name: str, what: str) -> pl.DataFrame:
        """A further table; StatisticalProblem where the study has none."""
        if name not in self.tables or self.tables[name].is_empty():
            raise StatisticalProblem(f"{what} asks for the table '{name}', which is empty or not there")
        return self.tables[name]


def with_covariates(cohort: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Add a boolean column for every covariate of the study that is a question put to other columns."""
    asked = {name: covariate.holds for name, covariate in study.covariates.items() if covariate.holds}
    return cohort.with_columns(pl.sql_expr(holds).alias(name) for name, holds in asked.items())


def counted(frame: pl.DataFrame, endpoint: Endpoint) -> pl.DataFrame:
    """Stop at the endpoint's horizon and mark the rows in which its event happened.

    A death in hospital is a death up to discharge.
    """
    if endpoint.horizon_days is not None:
        frame = at_horizon(frame, endpoint.horizon_days)
    if endpoint.event == "death_in_hospital":
        return frame.with_columns(pl.col("died_in_hospital").alias(HAPPENED))
    return event_indicator(frame, COUNTED[endpoint.event], name=HAPPENED)


def cause_specific(endpoint: Endpoint) -> tuple[str, ...]:
    """What must be said where a competing event ends the observation."""
    if not endpoint.competing:
        return ()
    others = " and ".join(endpoint.competing)
    return (f"Observation ends at {others}, which competes with {endpoint.event}: this is the cause-specific hazard.",)


def digest(spec: Analysis, plan: Sequence[Analysis] = ()) -> str:
    """Twelve characters that change when the stanza, or the one it is of, changes."""
    chain = [spec.model_dump_json()]
    if isinstance(spec, OfModel):
        chain.append(root(spec, plan).model_dump_json())
    return hashlib.sha256("".join(chain).encode()).hexdigest()[:12]


def keyed(given: Given, spec: Analysis, rows: Iterable[Row]) -> pl.DataFrame:
    """Results of a stanza: key, estimate, lower, upper, p, n, events, method, each where it has one."""
    stamp = {"analysis": spec.id, "spec": digest(spec, given.plan)}
    return pl.DataFrame(
        [{name: {**stamp, **row}.get(name) for name in RESULT_SCHEMA} for row in rows], schema=RESULT_SCHEMA
    )


def ratio_rows(table: pl.DataFrame, method: str, prefix: str = "hr") -> list[Row]:
    """Hazard ratios of a table with term, hr, lower, upper, p, n, events as keyed results."""
    return [
        {"key": f"{prefix}:{row['term']}", "estimate": row["hr"], "method": method}
        | {name: row[name] for name in ("lower", "upper", "p", "n", "events")}
        for row in table.iter_rows(named=True)
    ]


def complete(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows that have a time and all of the columns; NaN is missing."""
    used = [DURATION, EVENT, *dict.fromkeys(columns)]
    floats = [name for name in used if frame.schema[name].is_float()]
    return frame.with_columns(pl.col(floats).fill_nan(None)).drop_nulls(used)


def codes(frame: pl.DataFrame, endpoint: Endpoint) -> tuple[Floats, Ints]:
    """Times and outcome codes: 0 censored, 1 the endpoint's event, 2 a competing one."""
    counts = list(COUNTED.get(endpoint.event, ("death",)))
    code = (
        pl.when(pl.col(EVENT).is_in(counts))
        .then(1)
        .when(pl.col(EVENT).is_in(list(endpoint.competing)))
        .then(2)
        .otherwise(0)
    )
    return frame[DURATION].cast(pl.Float64).to_numpy(), frame.select(code).to_series().cast(pl.Int64).to_numpy()


def lacking(before: int, after: int) -> tuple[str, ...]:
    """What a reader is told of rows that lack a covariate."""
    return (f"{before - after} of {before} patients lack a covariate and are not in this model.",) * (before > after)
