"""What a rule changes: rows, persons, cohort members, and, once unblinded, events and the primary hazard ratios.

A rule is switched off, or a question answered otherwise, in a rehearsal: the gate judges again, everything downstream
is built again, and all of it is undone. So the answer is that of the whole pipeline, not of a shortcut.

By default nothing here looks at an outcome: who chooses rules by what they do to the result, chooses the result.
Looking is a decision with a reason, kept in `quality.unblindings`.

What does not belong here: estimators (science) and the association of damage with outcome or era (`association`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from aclf_pipeline.contracts import Contract
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.plan import Cox
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.science.analyses import run_analysis
from aclf_pipeline.science.cohort import CohortTables, assemble
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import Model, build

REHEARSAL = "rehearsal"
TOUCHED = """
    -- whom the rows of each rule belong to: one row per rule
    with people as (
        select v.rule_id, v.action, v._row_id, v.patient_id, persons.person_id
        from quality.violations as v
        left join intermediate.persons as persons on v.patient_id = persons.patient_id
    ),
    members as (
        select person_id, candidate_id, candidate_id in (select candidate_id from marts.cohort) as is_member
        from marts.candidates
    )
    select people.rule_id, min(people.action) as action, count(distinct people._row_id) as rows,
        count(distinct people.patient_id) as patients, count(distinct members.candidate_id) as candidates,
        count(distinct members.candidate_id) filter (where members.is_member) as members
    from people
    left join members on people.person_id = members.person_id
    group by people.rule_id
    order by members desc, candidates desc, rows desc, people.rule_id
"""


@dataclass(frozen=True)
class Rebuilt:
    """What is built again in a rehearsal: audits by rule id, the queries downstream of core in order, contracts."""

    protocol: Protocol
    audits: Mapping[str, str]
    models: Sequence[Model]
    contracts: Mapping[str, type[Contract]]
    source: str
    as_of: date


@dataclass(frozen=True)
class Variant:
    """A protocol in which one rule is otherwise: `without` it, or with another choice as the answer to its question."""

    rule_id: str
    what: str
    protocol: Protocol
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Impact:
    """What one variant does.

    entering and leaving: candidates that come into the cohort or drop out of it. changed: members of whom a baseline
    value, a time or an event differs. hazard_ratios: term, hr, lower, upper, hr_without, lower_without, upper_without,
    ratio; None while blinded. events: events of the primary endpoint with and without; None while blinded. reason: why
    the model could not be fitted in the variant.
    """

    rule_id: str
    what: str
    members: int
    entering: int
    leaving: int
    changed: int
    events: tuple[int, int] | None = None
    hazard_ratios: pl.DataFrame | None = None
    reason: str | None = None


def touched(wh: Warehouse) -> pl.DataFrame:
    """Per rule that anything violates: action, rows, patients, candidates and cohort members. No outcome is read."""
    return wh.frame(TOUCHED)


def primary_model(protocol: Protocol) -> Cox:
    """The first Cox model of the primary endpoint; UserError when the plan has none."""
    endpoint = protocol.study.primary_endpoint
    for spec in protocol.analysis:
        if isinstance(spec, Cox) and spec.endpoint == endpoint:
            return spec
    raise UserError(
        f"impact: study '{protocol.study.id}' has no Cox model of its primary endpoint '{endpoint}'. Add one to"
        " analysis.yaml, or ask without --unblind."
    )


def variants(protocol: Protocol, rule_id: str) -> list[Variant]:
    """The rule switched off; a rule that asks a person, with each other choice as what holds meanwhile."""
    rule, kinds = protocol.rules[rule_id], protocol.judged_with(rule_id)
    if rule.question is None:
        return [Variant(rule_id, "switched off", protocol.without(rule_id), kinds)]
    question = protocol.questions[rule.question]
    return [
        Variant(rule_id, choice, protocol.model_copy(
            update={"questions": {**protocol.questions, question.id: question.model_copy(update={"default": choice})}}
        ), kinds)
        for choice in question.choices if choice != question.default
    ]  # fmt: skip


def impact_of(wh: Warehouse, rebuilt: Rebuilt, rule_ids: Iterable[str], *, unblinded: bool) -> list[Impact]:
    """What each variant of each rule, one at a time, does to the cohort; with the outcome only when `unblinded`."""
    asked, known = list(rule_ids), rebuilt.protocol.rules
    if unknown := [name for name in asked if name not in known]:
        raise UserError([f"impact: there is no rule '{name}'.{did_you_mean(name, known)}" for name in unknown])
    if not asked:
        return []
    as_is = rehearse(wh, rebuilt)
    return [
        _compare(rebuilt, variant, as_is, rehearse(wh, rebuilt, variant), unblinded=unblinded)
        for name in asked
        for variant in variants(rebuilt.protocol, name)
    ]


def rehearse(wh: Warehouse, rebuilt: Rebuilt, variant: Variant | None = None) -> CohortTables:
    """The cohort as it would be (None: as things are); the warehouse is left as it was."""
    with wh.rehearsal():
        if variant is not None:
            run_gate(wh, variant.protocol, rebuilt.audits, REHEARSAL, variant.kinds, source=rebuilt.source)
        for model in rebuilt.models:
            build(wh, model, rebuilt.contracts.get(model.table))
        candidates, facts = (wh.frame(f"select * from {name}") for name in ("marts.candidates", "intermediate.facts"))
    return assemble(candidates, facts, rebuilt.protocol, rebuilt.as_of)


def _compare(rebuilt: Rebuilt, variant: Variant, as_is: CohortTables, then: CohortTables, *, unblinded: bool) -> Impact:
    key, before, after = "candidate_id", as_is.cohort, then.cohort
    entering, leaving = after.join(before, on=key, how="anti").height, before.join(after, on=key, how="anti").height
    stayed = before.join(after, on=key, how="semi").sort(key), after.join(before, on=key, how="semi").sort(key)
    same = [a.eq_missing(b) for a, b in zip(stayed[0].get_columns(), stayed[1].get_columns(), strict=True)
            if not a.dtype.is_nested()]  # fmt: skip
    changed = stayed[0].height - int(pl.DataFrame(same).select(pl.all_horizontal(pl.all())).to_series().sum() or 0)
    seen = Impact(variant.rule_id, variant.what, before.height, entering, leaving, changed)
    return _with_outcome(rebuilt, seen, before, after) if unblinded else seen


def _with_outcome(rebuilt: Rebuilt, seen: Impact, before: pl.DataFrame, after: pl.DataFrame) -> Impact:
    spec, study = primary_model(rebuilt.protocol), rebuilt.protocol.study
    first = run_analysis(spec, before, study)
    try:
        second = run_analysis(spec, after, study)
    except StatisticalProblem as problem:
        return replace(seen, reason=str(problem))
    ratios = _hazard_ratios(first.results).join(
        _hazard_ratios(second.results), on="term", how="full", suffix="_without", coalesce=True
    )
    events = tuple(int(r.results["events"].max() or 0) for r in (first, second))  # type: ignore[arg-type]
    return replace(
        seen,
        events=(events[0], events[1]),
        hazard_ratios=ratios.with_columns((pl.col("hr_without") / pl.col("hr")).alias("ratio")),
    )


def _hazard_ratios(results: pl.DataFrame) -> pl.DataFrame:
    named = results.filter(pl.col("key").str.starts_with("hr:"))
    return named.select(
        pl.col("key").str.strip_prefix("hr:").alias("term"), hr="estimate", lower="lower", upper="upper"
    )


def log_unblinding(wh: Warehouse, at: datetime, what: str, reason: str, by: str) -> None:
    """Keep that somebody looked at the outcome beside data quality: when, what, why, and who."""
    if not reason.strip() or not by.strip():
        raise UserError("impact: looking at the outcome needs --reason and --by; both are kept in quality.unblindings.")
    wh.execute("insert into quality.unblindings values (?, ?, ?, ?)", [at, what, reason, by])
