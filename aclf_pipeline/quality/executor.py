"""The executor: every check of a table in one fused Polars pass per chunk, each failure keyed by `_row_id`.

Contracts and rules are Pandera objects and `oracle` runs Pandera itself; the executor gives the same failures without
its costs: a positional index, whole rows inside a failure, one pass per check.

What does not belong here: rules across rows or tables (audits), versions of a row (`versions`), and what follows from
a failure (`gate`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError

from aclf_pipeline.contracts import Contract, empty_frame, promises
from aclf_pipeline.protocol.errors import did_you_mean
from aclf_pipeline.protocol.models import Rule

ROW_ID, PATIENT = "_row_id", "patient_id"
FAILURE_SCHEMA = pl.Schema({ROW_ID: pl.Int64, PATIENT: pl.String, "observed": pl.String})
_WIDEST = 120
"""Characters of one observed value that are kept; enough for a date, a number or a coded word."""

_REGEX_TEST = re.compile(r"\bregexp_matches\(", re.IGNORECASE)

CheckKind = Literal["rule", "not_null", "vocabulary", "unique"]


class QualityError(Exception):
    """A rule, audit or contract cannot be carried out. The message names it and says what to look at."""


@dataclass(frozen=True)
class RowCheck:
    """One question put to every row. `kept` is true, false or null (null: kept); None for a unique column."""

    id: str
    table: str
    kind: CheckKind
    columns: tuple[str, ...]
    kept: pl.Expr | None = None


@dataclass(frozen=True)
class Findings:
    """What a pass found: `rows` judged, and per check a frame (_row_id, patient_id, observed) of the rows that fail."""

    rows: int
    failures: Mapping[str, pl.DataFrame]

    def failing(self, check: str) -> pl.DataFrame:
        """The failing rows of a check, as they were met; an empty frame when there is none."""
        return self.failures.get(check, FAILURE_SCHEMA.to_frame())

    @property
    def counts(self) -> dict[str, int]:
        """Failing rows per check that has any."""
        return {check: frame.height for check, frame in self.failures.items()}


def condition(holds: str) -> pl.Expr:
    """The flat boolean of a page as an expression; pages speak DuckDB, Polars names its regex test otherwise."""
    return pl.sql_expr(_REGEX_TEST.sub("regexp_like(", holds))


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

    Raises QualityError naming every rule whose condition is no boolean over the promised columns.
    """
    table = table_of(contract)
    checks = _contract_checks(contract, table)
    empty, problems = empty_frame(contract), []
    for rule in rules:
        if rule.holds is None or rule.table != table:
            continue
        try:
            kept = condition(rule.holds)
            found = empty.select(kept).dtypes
        except PolarsError as error:
            problems.append(f"rule '{rule.id}' on {table}: '{rule.holds}' cannot be evaluated: {_first_line(error)}")
            continue
        if found != [pl.Boolean]:
            problems.append(f"rule '{rule.id}' on {table}: '{rule.holds}' gives {found[0]}, not true or false")
            continue
        checks.append(RowCheck(rule.id, table, "rule", _columns_in(kept), kept))
    if problems:
        raise QualityError("\n".join(problems))
    return checks


def _contract_checks(contract: type[Contract], table: str) -> list[RowCheck]:
    schema = empty_frame(contract).schema
    checks = []
    for promise in promises(contract):
        value, name = pl.col(promise.name), (promise.name,)
        if not promise.nullable:
            # Pandera counts NaN as null
            there = value.is_not_null() & value.is_not_nan() if schema[promise.name].is_float() else value.is_not_null()
            checks.append(RowCheck(f"{table}.{promise.name}.not_null", table, "not_null", name, there))
        if promise.within is not None:
            listed = value.is_in(list(promise.within))
            checks.append(RowCheck(f"{table}.{promise.name}.vocabulary", table, "vocabulary", name, listed))
        if promise.unique:
            checks.append(RowCheck(f"{table}.{promise.name}.unique", table, "unique", name))
    return checks


def _columns_in(expression: pl.Expr) -> tuple[str, ...]:
    return tuple(dict.fromkeys(expression.meta.root_names()))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def columns_needed(checks: Sequence[RowCheck], available: Iterable[str]) -> list[str]:
    """The columns a pass must read: the key, the patient where there is one, and what the conditions name."""
    named = {ROW_ID, PATIENT} | {column for check in checks for column in check.columns}
    return [column for column in available if column in named]


def judge(frames: Iterable[pl.DataFrame], checks: Sequence[RowCheck]) -> Findings:
    """Hold every row of every chunk against all checks at once.

    A null condition keeps the row. Uniqueness holds across chunks, and every occurrence of a repeated value fails.
    `observed` shows the columns the condition names and no other. Chunks may have any size; an empty one is no error.
    """
    rows = 0
    found: dict[str, list[pl.DataFrame]] = {}
    keys: dict[str, list[pl.DataFrame]] = {check.id: [] for check in checks if check.kept is None}
    for chunk in frames:
        rows += chunk.height
        for check, failing in _failing(chunk, checks):
            found.setdefault(check.id, []).append(failing)
        for check in checks:
            if check.kept is None:
                keys[check.id].append(chunk.select(_shown(chunk, (ROW_ID, PATIENT, *check.columns))))
    for check in checks:
        if check.kept is None and (repeated := _repeated(keys[check.id], check)) is not None:
            found[check.id] = [repeated]
    return Findings(rows, {check.id: pl.concat(found[check.id]) for check in checks if check.id in found})


def _failing(chunk: pl.DataFrame, checks: Sequence[RowCheck]) -> Iterable[tuple[RowCheck, pl.DataFrame]]:
    """Per check, the failing rows of one chunk; only rows with any failure leave the fused pass."""
    asked = [(check, check.kept) for check in checks if check.kept is not None]
    if not asked or chunk.is_empty():
        return
    failed = chunk.lazy().select(
        [kept.fill_null(value=True).not_().alias(check.id) for check, kept in asked]  # null is kept
    )
    masks = failed.collect()
    anything = masks.select(pl.any_horizontal(pl.all())).to_series()
    if not anything.any():
        return
    suspects, masks = chunk.filter(anything), masks.filter(anything)
    for check, _ in asked:
        mask = masks.get_column(check.id)
        if mask.any():
            yield check, _observe(suspects.filter(mask), check)


def _repeated(parts: list[pl.DataFrame], check: RowCheck) -> pl.DataFrame | None:
    """Every occurrence of a value of a unique column that stands more than once, over all chunks."""
    if not parts:
        return None
    whole = pl.concat(parts)
    values = whole.get_column(check.columns[0])
    if values.n_unique() == whole.height:
        return None
    return _observe(whole.filter(values.is_duplicated()), check)


def _shown(chunk: pl.DataFrame, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in chunk.columns]


def _observe(rows: pl.DataFrame, check: RowCheck) -> pl.DataFrame:
    patient = pl.col(PATIENT) if PATIENT in rows.columns else pl.lit(None, pl.String)
    rows = rows.rechunk()  # text functions of Polars may panic on the empty chunks a filter leaves
    return rows.select(pl.col(ROW_ID), patient.alias(PATIENT), _as_text(rows, check.columns).alias("observed"))


def _as_text(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Expr:
    pieces = [
        pl.concat_str(
            pl.lit(f"{name}="), pl.col(name).cast(pl.String).str.slice(0, _WIDEST).fill_null(pl.lit("(missing)"))
        )
        for name in columns
        if name in rows.columns
    ]
    return pl.concat_str(pieces, separator=", ") if pieces else pl.lit("")
