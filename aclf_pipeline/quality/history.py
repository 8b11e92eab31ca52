"""The ledger over time: each finding (a row that breaks a rule) against those of the refresh before.

A finding is new, persisting, resolved or re-opened; or it appeared or went because the rule, or a figure the rule looks
up, was changed, which makes the data neither better nor worse. A rule that could not be judged leaves its findings as
they were; a refresh that is judged again replaces what it wrote.

Going backwards is a finding that comes back, or a row that fails although the last published refresh knew it and it was
clean; such a finding keeps that mark until it is gone. Whatever leaves quarantine gets a line that says why.

What does not belong here: how findings are told apart in the database (`findings`), how a row is known again
(`row_keys`) and whether a check fails by going backwards (`backwards`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from aclf_pipeline.protocol import Rule
from aclf_pipeline.quality import findings
from aclf_pipeline.quality.audits import asked_text
from aclf_pipeline.warehouse.connection import Warehouse, quoted
from aclf_pipeline.warehouse.graph import audit_parents
from aclf_pipeline.warehouse.over_time import STATES


@dataclass(frozen=True)
class Judged:
    """A rule or contract as a refresh judged it.

    `basis` names all that it asks, the figures it looks up included; None when it could not be judged. A rule without a
    check of its own (`has_check` false) is there in every refresh.
    """

    table: str
    rule_id: str
    basis: str | None
    is_audit: bool = False
    asks_person: bool = False
    has_check: bool = True


@dataclass(frozen=True)
class Course:
    """How the findings of one rule went on: counts by state, and the open ones that went backwards.

    `backwards` has _row_id, patient_id and because.
    """

    seq: int
    basis: str | None
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    backwards: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(
            schema={"_row_id": pl.Int64, "patient_id": pl.String, "because": pl.String}
        )
    )


def basis_of(wh: Warehouse, rule: Rule, audits: Mapping[str, str]) -> str:
    """What a rule asks, as one word: its condition, or its audit with all it reads and the figures of `rules.*`.

    What is done with a failing row is no part of it.
    """
    asked = [rule.table, rule.holds or asked_text(audits, rule.id) or ""]
    if rule.holds is None:
        there = wh.tables()
        figures = [table for table in audit_parents(audits, rule.id) if table.startswith("rules.") and table in there]
        asked += [f"{table} {_content(wh, table)}" for table in sorted(figures)]
    return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:12]


def _content(wh: Warehouse, table: str) -> str:
    return str(wh.scalar(f"select md5(string_agg(t::varchar, chr(10) order by t::varchar)) from {quoted(table)} as t"))


def follow(wh: Warehouse, refresh_id: str, kinds: Sequence[str], judged: Sequence[Judged]) -> dict[str, Course]:
    """Hold the violations of a refresh, which must be written, against the findings before; the course per rule id.

    All work is done by the database, in sets. Writes `quality.finding_events` (and so the view `quality.findings`) and
    `quality.quarantine_releases`.
    """
    seq = _place_in_order(wh, refresh_id)
    with wh.transaction():
        findings.undo(wh, refresh_id, kinds)
        _read_rules(wh, refresh_id, kinds, judged)
        findings.tell_apart(wh, refresh_id, kinds, seq)
        courses = _courses(wh, seq, judged)
        findings.forget(wh)
    return courses


def _place_in_order(wh: Warehouse, refresh_id: str) -> int:
    """The number of this refresh among those that were judged; the same again when the last one is judged again."""
    own, last = wh.rows(
        "select max(seq) filter (refresh_id = ?), coalesce(max(seq), 0) from quality.checks", [refresh_id]
    )[0]
    return int(last) if own == last else int(last) + 1


def _read_rules(wh: Warehouse, refresh_id: str, kinds: Sequence[str], judged: Sequence[Judged]) -> None:
    """Number the rules, those that are gone and left open findings included, and say what became of each."""
    wh.execute(
        """create or replace temp table history_rules (
        rule_no integer, table_name varchar, rule_id varchar, basis varchar, is_audit boolean, asks_person boolean,
        has_check boolean, is_judged boolean, is_removed boolean, is_rule_new boolean, is_rule_changed boolean,
        last_refresh varchar)"""
    )
    named = [
        {
            "rule_no": number, "table_name": rule.table, "rule_id": rule.rule_id, "basis": rule.basis,
            "is_audit": rule.is_audit, "asks_person": rule.asks_person, "has_check": rule.has_check,
            "is_judged": rule.basis is not None, "is_removed": False,
        }
        for number, rule in enumerate(judged)
    ]  # fmt: skip
    wh.append("temp.history_rules", pl.DataFrame(named, schema_overrides={"basis": pl.String}))
    wh.execute(
        """-- rules that are gone and left open findings: one row per rule
        insert into history_rules by name
        select
            -row_number() over () as rule_no, e.table_name, e.rule_id, false as is_audit, false as asks_person,
            true as has_check, false as is_judged, true as is_removed,
        from (
            select distinct table_name, rule_id from quality.finding_events
            where is_last and is_open and list_contains(?, table_name)
        ) as e
        anti join history_rules as r on r.table_name = e.table_name and r.rule_id = e.rule_id""",
        [list(kinds)],
    )
    wh.execute(
        """-- what each rule asked when it was last judged, and in which refresh that was
        update history_rules as r set
            is_rule_new = r.has_check and l.basis is null and whole.refresh_id is not null,
            is_rule_changed = coalesce(l.basis <> r.basis, false),
            last_refresh = coalesce(l.refresh_id, whole.refresh_id)
        from (
            select h.rule_no, max(c.basis) as basis, max(c.refresh_id) as refresh_id
            from history_rules as h
            left join (
                select table_name, rule_id, arg_max(basis, seq) as basis, arg_max(refresh_id, seq) as refresh_id
                from quality.checks where basis is not null and refresh_id <> $refresh
                group by table_name, rule_id
            ) as c on c.table_name = h.table_name and c.rule_id = h.rule_id
            group by h.rule_no
        ) as l
        cross join (
            select arg_max(refresh_id, seq) as refresh_id from quality.checks where refresh_id <> $refresh
        ) as whole
        where l.rule_no = r.rule_no""",
        {"refresh": refresh_id},
    )


def _courses(wh: Warehouse, seq: int, judged: Iterable[Judged]) -> dict[str, Course]:
    counted: dict[str, dict[str, int]] = {}
    for rule_id, state, count in findings.counts(wh):
        counted.setdefault(rule_id, {})[state] = count
    went = findings.gone_backwards(wh)
    courses = {}
    for rule in judged:
        if rule.basis is None:
            courses[rule.rule_id] = Course(seq, None)
        else:
            own = went.filter(pl.col("rule_id") == rule.rule_id).drop("rule_id")
            counts = dict.fromkeys(STATES, 0) | counted.get(rule.rule_id, {})
            courses[rule.rule_id] = Course(seq, rule.basis, counts, own)
    return courses
