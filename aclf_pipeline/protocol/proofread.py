"""The pages against the contracts: every condition is a flat boolean and names only promised columns.

What does not belong here: what the contracts promise (they arrive as names), and carrying a condition out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aclf_pipeline.protocol.errors import ProtocolError, did_you_mean
from aclf_pipeline.protocol.reader import Protocol

_PREDICATES = (
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.Between, exp.In, exp.Like,
    exp.RegexpLike, exp.RegexpFullMatch, exp.StartsWith,
)  # fmt: skip
_PARTS = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg, exp.Add, exp.Sub, exp.Mul,
    exp.Div, exp.Abs, exp.Coalesce, exp.Length, exp.Lower, exp.Upper, exp.Cast, exp.DataType, exp.Interval, exp.Var,
)  # fmt: skip


def proofread(protocol: Protocol, promised: Mapping[str, Sequence[str]], audits: AbstractSet[str]) -> None:
    """Hold the pages against the promised columns of each table and the audits there are files for.

    `audits` are the names of the audits' files; one with a leading underscore is a view that audits share, and belongs
    to no rule. `promised` maps a table (a kind, or `candidates`, `cohort`) to its columns; conditions on a table of the
    marts that is not in it are only checked for their form. Raises `ProtocolError` with all problems.
    """
    audits = {name for name in audits if not name.startswith("_")}
    problems = [*_rules(protocol, promised, audits), *_waivers(protocol, promised), *_study(protocol, promised)]
    if problems:
        raise ProtocolError(problems)


def _rules(protocol: Protocol, promised: Mapping[str, Sequence[str]], audits: AbstractSet[str]) -> Iterable[str]:
    for rule in protocol.rules.values():
        where = f"rules.yaml: '{rule.id}'"
        if rule.table not in promised:
            near = did_you_mean(rule.table, promised)
            yield f"{where} is about table '{rule.table}', which no contract promises.{near}"
        elif rule.holds is not None:
            yield from check_condition(where, rule.holds, rule.table, promised[rule.table])
        if rule.holds is None and rule.id not in audits:
            near = did_you_mean(rule.id, audits - protocol.rules.keys())
            if rule.action in ("repair", "adjudicate"):
                yield f"{where} has action {rule.action} and no audit sql/audits/{rule.id}.sql; write it.{near}"
            else:
                yield f"{where} has no 'holds' and no audit sql/audits/{rule.id}.sql; write one of the two.{near}"
        if rule.holds is not None and rule.id in audits:
            yield f"{where} has both 'holds' and an audit sql/audits/{rule.id}.sql; keep one of the two"
    for audit in sorted(audits - protocol.rules.keys()):
        yield f"sql/audits/{audit}.sql belongs to no rule of rules.yaml.{did_you_mean(audit, protocol.rules)}"


def _waivers(protocol: Protocol, promised: Mapping[str, Sequence[str]]) -> Iterable[str]:
    for waiver in protocol.waivers:
        table = protocol.rules[waiver.rule].table
        if waiver.scope is not None and table in promised:
            yield from check_condition(f"waivers.yaml: '{waiver.rule}'", waiver.scope, table, promised[table])


def _study(protocol: Protocol, promised: Mapping[str, Sequence[str]]) -> Iterable[str]:
    study = protocol.study
    page = f"studies/{study.id}/study.yaml"
    for name, variable in study.baseline.items():
        if variable.table not in promised:
            yield (
                f"{page}, baseline: '{name}' is about table '{variable.table}', which no contract promises."
                f"{did_you_mean(variable.table, promised)}"
            )
    for name, zero in study.time_zeros.items():
        for column in (zero.at, zero.enters):
            if column is not None and column not in promised.get("candidates", (column,)):
                yield (
                    f"{page}, time_zeros: '{name}' names column '{column}', which table 'candidates' does not promise."
                    f"{did_you_mean(column, promised['candidates'])}"
                )
    for criterion in study.eligibility:
        where = f"{page}, eligibility: '{criterion.id}'"
        yield from check_condition(where, criterion.keep, "candidates", promised.get("candidates"))
    for name, covariate in study.covariates.items():
        if covariate.holds is not None:
            where = f"{page}, covariates: '{name}'"
            yield from check_condition(where, covariate.holds, "cohort", promised.get("cohort"))


def check_condition(where: str, condition: str, table: str, columns: Sequence[str] | None) -> Iterable[str]:
    """The problems of one condition: not SQL, not flat, not a yes/no question, or a column nobody promised."""
    try:
        tree = sqlglot.parse_one(condition, dialect="duckdb")
    except SqlglotError:
        yield f"{where} asks '{condition}', which is not a condition in SQL; look at quotation marks and operators"
        return
    strange = next((node for node in tree.walk() if not isinstance(node, (*_PREDICATES, *_PARTS))), None)
    if strange is not None:
        asked = strange.sql(dialect="duckdb")
        yield f"{where} uses '{asked}', which is more than a flat condition; write an audit in sql/audits/ instead"
        return
    if not _is_question(tree):
        yield f"{where} asks '{condition}', which is not a yes/no question"
    if columns is None:
        return
    for name in dict.fromkeys(column.name for column in tree.find_all(exp.Column)):
        if name not in columns:
            yield (
                f"{where} names column '{name}', which table '{table}' does not promise.{did_you_mean(name, columns)}"
            )


def _is_question(tree: exp.Expr) -> bool:
    bare = tree.unnest()
    return isinstance(bare, (*_PREDICATES, exp.Column, exp.Boolean))
