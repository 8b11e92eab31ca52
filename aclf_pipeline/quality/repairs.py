"""Repairs: cells put right because several signals agree on what they must be, each with a receipt.

A rule with action `repair` is an audit that proposes, for cells of current rows, what they become. Proposals that agree
are carried out before anything else is judged; where two disagree about a cell, its row is left as delivered and set
aside (`repair_conflict`). Delivered and staged rows keep what they hold: a rewritten copy stands in for them.

What does not belong here: the queries (sql/audits) and what follows for a table (`gate`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.quality.audits import REPAIRED, WIDEST, Seen, found_by, refuse_strangers
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.warehouse.connection import Warehouse, quoted

CONFLICT = "repair_conflict"
"""The rule id under which a row is set aside whose repairs disagree."""

RETURNS = ("_row_id", "observed", "column_name", "became", "evidence", "confidence")
CONFIDENCE = ("certain", "strong", "moderate")

_TEXTS = ("column_name", "was", "became", "observed", "evidence", "confidence")
PROPOSALS = pl.Schema(
    {"table_name": pl.String, "rule_id": pl.String, "_row_id": pl.Int64, "patient_id": pl.String}
    | dict.fromkeys(_TEXTS, pl.String)
)


@dataclass(frozen=True)
class Repairs:
    """What the repair rules proposed (columns as `PROPOSALS`, one row per rule and cell), and the seconds each took."""

    carried_out: pl.DataFrame = field(default_factory=PROPOSALS.to_frame)
    refused: pl.DataFrame = field(default_factory=PROPOSALS.to_frame)
    """Every proposal for a row of which one cell is disputed."""
    seconds: Mapping[str, float] = field(default_factory=dict)

    def failing(self, rule_id: str) -> pl.DataFrame:
        """The rows a rule met (_row_id, patient_id, observed, action): `repair`, or `quarantine` where refused."""
        met = [
            proposals.filter(pl.col("rule_id") == rule_id).select(
                "_row_id", "patient_id", _told().alias("observed"), pl.lit(action).alias("action")
            )
            for proposals, action in ((self.carried_out, "repair"), (self.refused, "quarantine"))
        ]
        return pl.concat(met).sort("_row_id", "observed")

    def notes(self, rule_id: str) -> list[str]:
        """How sure the repairs of a rule are, and how many rows are set aside because another disagrees."""
        done = self.carried_out.filter(pl.col("rule_id") == rule_id)
        sure = dict(done.group_by("confidence").len().iter_rows())
        counts = [f"{sure[word]} {word}" for word in CONFIDENCE if word in sure]
        refused = self.refused.filter(pl.col("rule_id") == rule_id).get_column("_row_id").n_unique()
        return [
            *([f"Cells put right: {', '.join(counts)}"] if counts else []),
            *([f"{refused} rows are set aside instead: another repair of theirs disagrees"] if refused else []),
        ]

    def conflicts(self, table: str) -> pl.DataFrame:
        """The rows of a table whose repairs disagree (_row_id, patient_id, observed): who proposes what."""
        cell = ["_row_id", "column_name"]
        disputed = self.refused.filter(pl.col("table_name") == table).filter(pl.col("became").n_unique().over(cell) > 1)
        proposal = pl.format("{} → {}", "rule_id", "became")
        return (
            disputed.group_by(*cell, "patient_id")
            .agg(proposal.unique().sort().str.join(", ").alias("proposals"))
            .select("_row_id", "patient_id", pl.format("{}: {}", "column_name", "proposals").alias("observed"))
            .sort("_row_id", "observed")
        )


def _told() -> pl.Expr:
    was = pl.col("was").fill_null("(missing)")
    return pl.format("{} ({}: {} → {})", "observed", "column_name", was, "became").str.slice(0, WIDEST)


def repair(wh: Warehouse, rules: Sequence[Rule], audits: Mapping[str, str], seen: Seen) -> Repairs:
    """Run the rules that repair over current rows, and let `seen` show the rows as they become.

    A row that is rewritten no longer counts the repaired columns among those that could not be read (`unparsed`).
    Raises QualityError naming rule and file for a query that is no repair.
    """
    proposed, seconds = [], {}
    for rule in (rule for rule in rules if rule.action == "repair"):
        started = time.perf_counter()
        proposed.append(_proposals(wh, rule, audits, seen))
        seconds[rule.id] = time.perf_counter() - started
    carried_out, refused = _settled(pl.concat([PROPOSALS.to_frame(), *proposed]))
    for kind in carried_out.get_column("table_name").unique().sort():
        _rewrite(wh, kind, carried_out.filter(pl.col("table_name") == kind), seen)
    return Repairs(carried_out, refused, seconds)


def _proposals(wh: Warehouse, rule: Rule, audits: Mapping[str, str], seen: Seen) -> pl.DataFrame:
    with found_by(wh, rule, audits, seen, RETURNS) as where:
        refuse_strangers(wh, rule, where)
        types = {name: kind for name, kind in wh.columns(f"staging.{rule.table}") if name != "_row_id"}
        named = [name for (name,) in wh.rows("select distinct column_name from temp.audit_found order by 1")]
        if strange := [name for name in named if name not in types]:
            near = did_you_mean(strange[0], types)
            raise QualityError(f"{where}: it repairs column '{strange[0]}', which {rule.table} does not have.{near}")
        _check_words(wh, where)
        if not named:
            return PROPOSALS.to_frame()
        was = " ".join(f"when '{name}' then s.{quoted(name)}::varchar" for name in named)
        became = " ".join(f"when '{name}' then try_cast(f.became as {types[name]})::varchar" for name in named)
        found = wh.frame(
            f"""-- cells that change: one row per cell and proposal
            with proposed as (
                select
                    s._row_id, s.patient_id, f.column_name,
                    case f.column_name {was} end as was,
                    case f.column_name {became} end as became,
                    left(f.observed::varchar, {WIDEST}) as observed,
                    left(f.evidence::varchar, {WIDEST}) as evidence,
                    f.confidence,
                from temp.audit_found as f
                join temp.{rule.table} as s on s._row_id = f._row_id
            )
            select distinct * from proposed where became is null or became is distinct from was order by all"""
        )
    unreadable = found.filter(pl.col("became").is_null())
    if unreadable.height:
        column = unreadable["column_name"][0]
        raise QualityError(
            f"{where}: {unreadable.height} values of 'became' cannot be read as {types[column]}, the type of column"
            f" '{column}'"
        )
    ids = {"table_name": pl.lit(rule.table), "rule_id": pl.lit(rule.id)}
    return found.with_columns(**ids).select(PROPOSALS.names()).cast(PROPOSALS)


def _check_words(wh: Warehouse, where: str) -> None:
    """What a receipt must say: what the cell became, on what evidence, and how sure that is."""
    listed = ", ".join(f"'{word}'" for word in CONFIDENCE)
    missing, unknown = wh.rows(
        f"""-- receipts that say too little: one row
        select
            count_if(became is null or observed is null or evidence is null or confidence is null),
            any_value(confidence) filter (confidence::varchar not in ({listed})),
        from temp.audit_found"""
    )[0]
    if missing:
        raise QualityError(f"{where}: {missing} repairs lack 'became', 'observed', 'evidence' or 'confidence'")
    if unknown is not None:
        raise QualityError(f"{where}: a repair has confidence '{unknown}', which is none of {', '.join(CONFIDENCE)}")


def _settled(proposals: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Proposals to carry out, and those for rows of which a cell is disputed."""
    row = ("table_name", "_row_id")
    marked = proposals.with_columns(disputed=pl.col("became").n_unique().over(*row, "column_name") > 1)
    marked = marked.with_columns(refused=pl.col("disputed").any().over(*row))
    return (
        marked.filter(~pl.col("refused")).select(PROPOSALS.names()),
        marked.filter(pl.col("refused")).select(PROPOSALS.names()),
    )


def _rewrite(wh: Warehouse, kind: str, proposals: pl.DataFrame, seen: Seen) -> None:
    """Write the repaired rows of a kind, whole, and let `temp.<kind>` show them in place of the current ones."""
    types = dict(wh.columns(f"staging.{kind}"))
    repaired = proposals.get_column("column_name").unique().sort().to_list()
    cells = proposals.group_by("_row_id").agg(
        *[pl.col("became").filter(pl.col("column_name") == name).first().alias(name) for name in repaired],
        pl.col("column_name").unique().sort().alias("repaired"),
    )
    columns = ", ".join(f"{quoted(name)} varchar" for name in repaired)
    wh.execute(f"create or replace temp table repaired_cells (_row_id bigint, {columns}, repaired varchar[])")
    wh.append("temp.repaired_cells", cells)
    changed = [f"coalesce(c.{quoted(n)}::{types[n]}, s.{quoted(n)}) as {quoted(n)}" for n in repaired]
    if "unparsed" in types and "unparsed" not in repaired:
        unread = "list_filter(string_split(s.unparsed, ','), lambda name: not list_contains(c.repaired, name))"
        changed.append(f"nullif(array_to_string({unread}, ','), '') as unparsed")
    wh.execute(
        f"""-- repaired rows, whole: one row per current row that a repair changes
        create or replace table {REPAIRED}{kind} as
        select s.* replace ({", ".join(changed)})
        from temp.{kind} as s
        join temp.repaired_cells as c on c._row_id = s._row_id"""
    )
    wh.execute("drop table temp.repaired_cells")
    seen.rewritten.add(kind)
    seen.show(kind)
