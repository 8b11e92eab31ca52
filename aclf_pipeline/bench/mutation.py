"""What each rule is worth: the rule is removed, then each of its figures loosened, and the gate judges again.

A mutant that lets nothing slip shows a rule, or a figure, that no planted damage needs: it is listed, not hidden.

What does not belong here: scoring (`detection`) and making hospitals (`hospital`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import polars as pl
import sqlglot
from sqlglot import exp

from aclf_pipeline.bench import detection
from aclf_pipeline.bench.hospital import REFRESH, Judged
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.warehouse.connection import Warehouse

FACTORS = (0.5, 2.0)
"""A figure is halved, then doubled: one of the two loosens it."""


@dataclass(frozen=True)
class Mutant:
    """A rule without which, or with which, the gate judges again; `figure` names a loosened figure of `rules.*`."""

    rule: Rule
    what: str
    changed: Rule | None = None
    figure: tuple[str, str, str] | None = None
    factor: float = 1.0


SCHEMA = {
    "rule_id": pl.String,
    "mutation": pl.String,
    "met": pl.Int64,
    "slipped": pl.Int64,
}


def judge_mutants(judged: Judged, tick: Callable[[str], None] = lambda _: None) -> pl.DataFrame:
    """One row per mutant: instances the rule meets as it is, and those that no rule named for their class meets then.

    A rule that meets nothing is judged once, as removed. The warehouse is left as it was found.
    """
    rows: list[tuple[str, str, int, int]] = []
    protocol, audits = judged.house.protocol, judged.house.audits
    with judged.warehouse() as wh:
        evidence = detection.evidence_of(wh, judged.truth, judged.pseudonyms)
        for rule in judged.house.rules:
            own = replace(evidence, findings=evidence.findings.filter(pl.col("rule_id") == rule.id))
            met = detection.instances_met(own, rule.id).height
            if not met:
                rows.append((rule.id, "removed", 0, 0))
                continue
            tick(rule.id)
            before = detection.instances_met(evidence, rule.id)
            for mutant in mutants(rule, audits.get(rule.id), protocol):
                _judge(wh, judged, mutant)
                after = detection.instances_met(replace(evidence, findings=detection.findings_of(wh)), rule.id)
                rows.append((rule.id, mutant.what, met, before.join(after, on=before.columns, how="anti").height))
            _judge(wh, judged, Mutant(rule, "restored", changed=rule))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def mutants(rule: Rule, audit: str | None, protocol: Protocol) -> Iterator[Mutant]:
    """The rule removed, then each number of its condition and each figure its query names, halved and doubled."""
    yield Mutant(rule, "removed")
    for factor in FACTORS:
        if rule.holds is not None:
            for what, holds in _loosened(rule.holds, factor):
                yield Mutant(rule, what, changed=rule.model_copy(update={"holds": holds}))
        for table, key, item in _figures(audit or "", protocol):
            yield Mutant(rule, f"{key}.{item} × {factor:g}", changed=rule, figure=(table, key, item), factor=factor)


def _loosened(holds: str, factor: float) -> Iterator[tuple[str, str]]:
    """The condition with one number changed, for every number in it but 0 and 1."""
    tree = sqlglot.parse_one(holds, dialect="duckdb")
    numbers = [n for n in tree.find_all(exp.Literal) if not n.is_string and float(n.this) not in (0, 1)]
    for number in numbers:
        was = number.this
        now = f"{float(was) * factor:g}"
        number.set("this", now)
        yield f"{was} → {now}", tree.sql(dialect="duckdb")
        number.set("this", was)


def _figures(audit: str, protocol: Protocol) -> Iterator[tuple[str, str, str]]:
    """The figures of the protocol a query names: table, definition or parameter, item."""
    words = set(re.findall(r"'(\w+)'", audit))
    for definition in protocol.definitions.values():
        if definition.id in words:
            for item, value in definition.cutoffs.items():
                if item in words and isinstance(value, int | float) and not isinstance(value, bool) and value:
                    yield "rules.definitions", definition.id, item
    if "rules.analyte_limits" in audit:
        yield "rules.analyte_limits", "limits", "high"
        yield "rules.analyte_limits", "limits", "low"


def _judge(wh: Warehouse, judged: Judged, mutant: Mutant) -> None:
    """The gate, over the tables that are judged with the rule, with the mutant in its place."""
    pages, name = judged.house.protocol, mutant.rule.id
    kinds, protocol = pages.judged_with(name), pages.without(name)
    if mutant.changed is not None:
        protocol = pages.model_copy(update={"rules": {**pages.rules, name: mutant.changed}})
    with _with_figure(wh, mutant):
        run_gate(
            wh, protocol, judged.house.audits, REFRESH, kinds,
            source=judged.house.source.id, review_on=judged.house.as_of,
        )  # fmt: skip


@contextmanager
def _with_figure(wh: Warehouse, mutant: Mutant) -> Iterator[None]:
    """While open, one figure of `rules.*` is another."""
    if mutant.figure is None:
        yield
        return
    table, key, item = mutant.figure
    before = wh.frame(f"select * from {table}")
    if table == "rules.definitions":
        there, column = (pl.col("definition") == key) & (pl.col("item") == item), "value"
    else:
        there, column = pl.lit(value=True), item
    changed = pl.when(there).then(pl.col(column) * mutant.factor).otherwise(pl.col(column)).alias(column)
    wh.write(table, before.with_columns(changed))
    try:
        yield
    finally:
        wh.write(table, before)


def worth(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per rule over all hospitals: met, slipped when removed, figures, and figures that nothing needs.

    verdict: `earns its place`, `another rule meets the same` (met, and nothing slips without it), `nothing to meet` (no
    planted damage is of its kind).
    """
    summed = rows.group_by("rule_id", "mutation", maintain_order=True).agg(pl.col("met", "slipped").sum())
    removed = summed.filter(pl.col("mutation") == "removed").select("rule_id", "met", "slipped")
    figures = (
        summed.filter(pl.col("mutation") != "removed")
        .with_columns(pl.col("mutation").str.extract(r"^(\S+)").alias("figure"))
        .group_by("rule_id", "figure")
        .agg(pl.col("slipped").max())
        .group_by("rule_id")
        .agg(pl.len().alias("figures"), pl.col("figure").filter(pl.col("slipped") == 0).sort().alias("idle"))
    )
    verdict = (
        pl.when(pl.col("slipped") > 0).then(pl.lit("earns its place"))
        .when(pl.col("met") > 0).then(pl.lit("another rule meets the same"))
        .otherwise(pl.lit("nothing to meet"))
    )  # fmt: skip
    return removed.join(figures, on="rule_id", how="left").with_columns(
        pl.col("figures").fill_null(0), pl.col("idle").list.join(", ").fill_null(""), verdict.alias("verdict")
    )
