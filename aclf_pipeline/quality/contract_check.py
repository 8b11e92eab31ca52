"""Strict validation of a finished table by Pandera itself: the tables of the marts, which are small and must be right.

What does not belong here: staged rows (`executor`), and row contents in a message; a problem names columns and counts.
"""

from __future__ import annotations

import polars as pl
from pandera.errors import SchemaErrors

from aclf_pipeline.contracts import Contract, facts, promises
from aclf_pipeline.quality.executor import shape_problems


def check_table(frame: pl.DataFrame, contract: type[Contract]) -> list[str]:
    """Every way in which an eager frame breaks its contract, in plain words; an empty list when it keeps it.

    Types are the promised ones exactly, nothing is coerced; the contract's key must be unique. No value is shown.
    """
    shape = list(shape_problems(frame.schema, contract).values())
    if shape:
        return shape
    return [*_values(frame, contract), *_key(frame, contract)]


def _values(frame: pl.DataFrame, contract: type[Contract]) -> list[str]:
    try:
        contract.to_schema().validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    within = {promise.name: promise.within for promise in promises(contract)}
    counted = cases.group_by("column", "check", maintain_order=True).len()
    return [
        _sentence(column, check, count, frame.height, within.get(column))
        for column, check, count in counted.iter_rows()
    ]


def _sentence(column: str, check: str, count: int, rows: int, within: tuple[str, ...] | None) -> str:
    of = f"in {count} of {rows} rows"
    if check == "not_nullable":
        return f"column '{column}' is missing {of}; it is promised in every row"
    if check == "field_uniqueness":
        return f"column '{column}' repeats a value {of}; it is promised to be unique"
    if within is not None and check.startswith("isin("):
        return f"column '{column}' is none of {', '.join(within)} {of}"
    return f"column '{column}' breaks '{check}' {of}"


def _key(frame: pl.DataFrame, contract: type[Contract]) -> list[str]:
    key = list(facts(contract).get("key", []))
    unique_alone = {promise.name for promise in promises(contract) if promise.unique}
    if not key or (len(key) == 1 and key[0] in unique_alone):
        return []
    repeated = int(frame.select(pl.struct(key).is_duplicated().sum()).item()) if frame.height else 0
    return [f"the key ({', '.join(key)}) repeats in {repeated} of {frame.height} rows"] if repeated else []
