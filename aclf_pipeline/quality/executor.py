"""The executor: every check of a table in one pass inside the database, each failure keyed by `_row_id`.

Contracts and rules are Pandera objects and `oracle` runs Pandera itself; the executor gives the same failures without
its costs: a positional index, whole rows inside a failure, one pass per check, the table in memory. All conditions are
put to a row at once; only a row that fails one leaves the pass, with the columns that conditions name.

Why in the database and not as a Polars pass over streamed chunks, which it was: on ten million laboratory rows, with
the contract and ten rules, the Polars pass took 8.2 s of CPU and left the process at 2.4 GB; this takes 2.6 to 3.1 s
and leaves it at 0.6 GB (`aclf bench gate`, two processors, the same failures). What a condition means is the same in
both (`conditions`).

What does not belong here: rules across rows or tables (audits), versions of a row (`versions`), and what follows from
a failure (`gate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError

from aclf_pipeline.contracts import Contract, empty_frame, promises
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.quality.conditions import in_duckdb, in_polars
from aclf_pipeline.quality.found import FAILURE_SCHEMA, FOUND, PATIENT, ROW_ID, Failing, Found
from aclf_pipeline.warehouse.connection import Warehouse

__all__ = ["FAILURE_SCHEMA", "PATIENT", "ROW_ID", "Findings", "QualityError", "RowCheck", "judge", "row_checks"]

_WIDEST = 120
"""Characters of one observed value that are kept; enough for a date, a number or a coded word."""

_MASK = 60
"""Checks whose outcomes fit into one BIGINT."""

CheckKind = Literal["rule", "not_null", "vocabulary", "unique"]


class QualityError(Exception):
    """A rule, audit or contract cannot be carried out. The message names it and says what to look at."""


@dataclass(frozen=True)
class RowCheck:
    """One question put to every row. `kept` is SQL: true, false or null (null: kept); None for a unique column."""

    id: str
    table: str
    kind: CheckKind
    columns: tuple[str, ...]
    kept: str | None = None


@dataclass(frozen=True)
class Findings:
    """What a pass found: `rows` judged, and per check the rows that fail."""

    rows: int
    failures: Mapping[str, Failing]

    def failing(self, check: str) -> Failing:
        """The failing rows of a check; none when it found none."""
        return self.failures[check]

    @property
    def counts(self) -> dict[str, int]:
        """Failing rows per check that has any."""
        return {check: failing.rows for check, failing in self.failures.items() if failing.rows}


def table_of(contract: type[Contract]) -> str:
    """The table a contract is about: its class name in lower case."""
    return contract.__name__.lower()


def shape_problems(schema: Mapping[str, pl.DataType], contract: type[Contract]) -> dict[str, str]:
    """Per column that is missing, unpromised or of another type, one sentence; empty when the shape is as promised."""
    promised = empty_frame(contract).schema
    problems = {}
    for name, dtype in promised.items():
        if name not in schema:
            others = [other for other in schema if other not in promised]
            problems[name] = f"column '{name}' is missing.{did_you_mean(name, others)}"
        elif schema[name] != dtype:
            problems[name] = f"column '{name}' is {schema[name]}, promised is {dtype}"
    for name in schema:
        if name not in promised:
            problems[name] = f"column '{name}' is not promised.{did_you_mean(name, promised)}"
    return problems


def row_checks(contract: type[Contract], rules: Iterable[Rule] = ()) -> list[RowCheck]:
    """The checks of a table: what its contract promises of each value, then each rule that has `holds`.

    Raises QualityError naming every rule whose condition is no boolean over the promised columns; that it is one is
    asked of the oracle's engine, so that the oracle can answer every rule that the executor does.
    """
    table = table_of(contract)
    checks = _contract_checks(contract, table)
    empty, problems = empty_frame(contract), []
    for rule in rules:
        if rule.holds is None or rule.table != table:
            continue
        try:
            kept = in_polars(rule.holds)
            found = empty.select(kept).dtypes
        except PolarsError as error:
            problems.append(f"rule '{rule.id}' on {table}: '{rule.holds}' cannot be evaluated: {_first_line(error)}")
            continue
        if found != [pl.Boolean]:
            problems.append(f"rule '{rule.id}' on {table}: '{rule.holds}' gives {found[0]}, not true or false")
            continue
        columns = tuple(dict.fromkeys(kept.meta.root_names()))
        checks.append(RowCheck(rule.id, table, "rule", columns, in_duckdb(rule.holds)))
    if problems:
        raise QualityError("\n".join(problems))
    return checks


def _contract_checks(contract: type[Contract], table: str) -> list[RowCheck]:
    schema = empty_frame(contract).schema
    checks = []
    for promise in promises(contract):
        value, name = _quoted(promise.name), (promise.name,)
        if not promise.nullable:
            there = f"{value} is not null"
            if schema[promise.name].is_float():  # Pandera counts NaN as null
                there += f" and not isnan({value})"
            checks.append(RowCheck(f"{table}.{promise.name}.not_null", table, "not_null", name, there))
        if promise.within is not None:
            listed = f"{value} in ({', '.join(_text(word) for word in promise.within)})"
            checks.append(RowCheck(f"{table}.{promise.name}.vocabulary", table, "vocabulary", name, listed))
        if promise.unique:
            checks.append(RowCheck(f"{table}.{promise.name}.unique", table, "unique", name))
    return checks


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def judge(found: Found, relation: str, checks: Sequence[RowCheck]) -> Findings:
    """Hold every row of a table, view or query in parentheses against all checks at once.

    A null condition keeps the row. Every occurrence of a repeated value of a unique column fails. `observed` shows the
    columns the condition names and no other. Raises QualityError naming the rules whose condition cannot be evaluated.
    """
    wh = found.wh
    columns = wh.frame(f"select * from {relation} limit 0").columns
    rows = wh.scalar(f"select count(*) from {relation}")
    numbers = {check.id: found.number() for check in checks}
    asked = [check for check in checks if check.kept is not None]
    if asked and rows:
        try:
            _failing(wh, relation, columns, asked, numbers)
        except Exception as error:
            raise _blamed(wh, relation, asked) or error from error
    for check in checks:
        if check.kept is None and not _increases(wh, relation, check.columns[0]):
            _repeated(wh, relation, columns, check, numbers[check.id])
    counted = dict(
        wh.rows(
            f"""-- failing rows: one row per check that has any
            select number, count(distinct {ROW_ID}) from {FOUND}
            where number between {min(numbers.values())} and {max(numbers.values())} group by number"""
        )
    )
    return Findings(rows, {check: found.of(number, counted.get(number, 0)) for check, number in numbers.items()})


def _failing(
    wh: Warehouse, relation: str, columns: Sequence[str], asked: Sequence[RowCheck], numbers: Mapping[str, int]
) -> None:
    named = {ROW_ID, PATIENT} | {name for check in asked for name in check.columns}
    taken = [_quoted(name) for name in columns if name in named]
    masks = [
        " | ".join(f"if(({check.kept}) is false, {1 << bit}::bigint, 0)" for bit, check in enumerate(part))
        for part in (asked[start : start + _MASK] for start in range(0, len(asked), _MASK))
    ]
    wh.execute(
        f"""-- rows that fail anything, with a bit per check: one row per such row
        create or replace temp table suspects as
        select {", ".join(taken)}, {", ".join(f"{mask} as mask_{i}" for i, mask in enumerate(masks))}
        from {relation}
        where {" or ".join(f"not ({check.kept})" for check in asked)}"""
    )
    told = " union all ".join(
        f"select {numbers[check.id]} as number, {_observe(check, columns)} from temp.suspects"
        f" where mask_{i // _MASK} & {1 << i % _MASK} <> 0"
        for i, check in enumerate(asked)
    )
    wh.execute(f"-- one row per failing row and check\ninsert into {FOUND} by name {told}")
    wh.execute("drop table temp.suspects")


def _blamed(wh: Warehouse, relation: str, asked: Sequence[RowCheck]) -> QualityError | None:
    """The checks that fail to run even alone, as one error."""
    problems = []
    for check in asked:
        try:
            wh.execute(f"create or replace temp table suspects as select 1 from {relation} where not ({check.kept})")
        except Exception as error:
            problems.append(
                f"rule '{check.id}' on {check.table}: '{check.kept}' cannot be evaluated: {_first_line(error)}"
            )
    wh.execute("drop table if exists temp.suspects")
    return QualityError("\n".join(problems)) if problems else None


def _increases(wh: Warehouse, relation: str, column: str) -> bool:
    """Whether each value is above the one read before it; then none stands twice, and nothing had to be remembered."""
    ((rows, above),) = wh.rows(
        f"""-- one row
        select count(*), count(*) filter (where value > before)
        from (select {_quoted(column)} as value, lag({_quoted(column)}) over () as before from {relation})"""
    )
    return bool(rows <= above + 1)


def _repeated(wh: Warehouse, relation: str, columns: Sequence[str], check: RowCheck, number: int) -> None:
    name = _quoted(check.columns[0])
    wh.execute(
        f"""-- every occurrence of a value that repeats: one row per such row
        insert into {FOUND} by name
        with repeated as (
            select {name} as value from {relation} group by all having count(*) > 1
        )

        select {number} as number, {_observe(check, columns)}
        from {relation}
        join repeated on {name} is not distinct from repeated.value"""
    )


def _observe(check: RowCheck, columns: Sequence[str]) -> str:
    """Key, patient and what the named columns hold, as the columns of a failing row."""
    patient = _quoted(PATIENT) if PATIENT in columns else "null"
    pieces = [
        f"'{', ' if i else ''}{name}=', coalesce(left({_quoted(name)}::varchar, {_WIDEST}), '(missing)')"
        for i, name in enumerate(check.columns)
    ]
    return f"{ROW_ID}, {patient} as {PATIENT}, concat({', '.join(pieces)}) as observed"
