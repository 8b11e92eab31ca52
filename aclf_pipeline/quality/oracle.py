"""The oracle: the same contracts and rules as one Pandera schema, for the tests that hold the executor against it.

Pandera's lazy validation of an eager frame is what a promise means; `executor` must find the same rows.

What does not belong here: anything that runs on a refresh. A failure of a frame-level Pandera check carries the whole
row, so its output must never be stored or shown.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from aclf_pipeline.contracts import Contract
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.quality.conditions import in_polars
from aclf_pipeline.quality.executor import ROW_ID, table_of

_SUFFIX = {"not_nullable": "not_null", "field_uniqueness": "unique"}


def pandera_schema(contract: type[Contract], rules: Iterable[Rule] = ()) -> pa.DataFrameSchema:
    """The contract's own schema with a frame-level check per rule that has `holds`."""
    schema = copy.deepcopy(contract.to_schema())  # the contract's own is cached and must not grow
    table = table_of(contract)
    schema.checks = [
        *schema.checks,
        *(
            pa.Check(_check(rule.holds), name=rule.id)
            for rule in rules
            if rule.holds is not None and rule.table == table
        ),
    ]
    return schema


def _check(holds: str) -> Any:
    expression = in_polars(holds)
    return lambda data: data.lazyframe.select(expression)


def pandera_failures(
    frame: pl.DataFrame, contract: type[Contract], rules: Iterable[Rule] = ()
) -> set[tuple[int | None, str]]:
    """(_row_id, check id) of every row Pandera rejects, in the ids of `executor.row_checks`.

    Failures without a row (missing column, wrong type) have `_row_id` None and Pandera's own name of the check.
    """
    try:
        pandera_schema(contract, rules).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return set()
    table, ids = table_of(contract), frame.get_column(ROW_ID)
    found: set[tuple[int | None, str]] = set()
    for context, column, check, index in cases.select("schema_context", "column", "check", "index").iter_rows():
        row_id = None if index is None else ids[index]
        if context == "DataFrameSchema":
            found.add((row_id, check))
        else:
            suffix = "vocabulary" if check.startswith("isin(") else _SUFFIX.get(check, check)
            found.add((row_id, f"{table}.{column}.{suffix}"))
    return found
