"""Tables and schemas as Dagster's metadata, and the entries every table asset carries.

Dagster refuses numpy scalars and dates in a table, so its cells are text; it shows keys in alphabetical order, so keys
that must come first are numbered.

What does not belong here: deciding what is worth showing for a particular asset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from aclf_pipeline.contracts import Contract, promises
from aclf_pipeline.warehouse.graph import Model

Yielded = dg.MaterializeResult | dg.AssetCheckResult
"""What a step of several assets yields."""

OWNERS = {
    "data": ["team:clinical-data-engineering"],
    "clinic": ["team:clinic"],
    "statistics": ["team:biostatistics"],
}


def key(table: str) -> dg.AssetKey:
    """The asset key of `schema.name`."""
    return dg.AssetKey(table.split(".", 1))


def table(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """Records as a table of text cells, with the given columns in this order."""
    rows = [dg.TableRecord({c: "" if r.get(c) is None else str(r[c]) for c in columns}) for r in records]
    schema = dg.TableSchema(columns=[dg.TableColumn(name=c, type="string") for c in columns])
    return dg.MetadataValue.table(records=rows, schema=schema)


def column_schema(contract: type[Contract]) -> dg.TableSchema:
    """A contract as the schema Dagster shows in its Columns panel."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=promise.name,
                type=promise.dtype,
                description=promise.says,
                constraints=dg.TableColumnConstraints(
                    nullable=promise.nullable,
                    unique=promise.unique,
                    other=[f"one of: {', '.join(promise.within)}"] if promise.within else [],
                ),
            )
            for promise in promises(contract)
        ]
    )


def lineage(model: Model) -> dg.TableColumnLineage:
    """Column lineage as read from the query; a column whose lineage is unknown is left out."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=key(parent), column_name=name) for parent, name in parents]
            for column, parents in model.columns_lineage.items()
            if parents
        }
    )


def table_entries(name: str, rows: int, contract: type[Contract] | None) -> dict[str, Any]:
    """What every materialized table reports: its name, its rows, its columns."""
    entries: dict[str, Any] = {"dagster/table_name": name, "dagster/row_count": int(rows)}
    if contract is not None:
        entries["dagster/column_schema"] = column_schema(contract)
    return entries
