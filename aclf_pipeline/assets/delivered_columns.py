"""Which delivered columns a rule speaks of, read from the queries: what a hospital must look at, in its own words.

A condition names columns; an audit quotes some in what it observed; a repair says which it changed. The lineage of the
staging queries leads from them to the headers of the delivered files.

What does not belong here: rules and lineage themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import polars as pl

from aclf_pipeline.assets.house import House
from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.protocol import Rule
from aclf_pipeline.warehouse.graph import shared_views
from aclf_pipeline.warehouse.ledger_tables import LEDGER_TABLES
from aclf_pipeline.warehouse.lineage import output_columns
from aclf_pipeline.warehouse.rules_tables import RULES_COLUMNS

Cell = tuple[str, str]
"""A table and a column of it."""

Headers = dict[Cell, str]

_PLACES = ("_row_id", "unparsed")
"""Columns of ours that stand for no cell."""


def delivered_headers(house: House) -> Headers:
    """(kind, column of ours) → the headers it is read from, comma-joined.

    A column that several forms of a file deliver under different headers is left out: which of them a row has is not
    told by lineage alone. So are columns that are made of no cell.
    """
    spelt = {
        (house.source.raw_table(name), column.name.lower()): column.name
        for name, file in house.source.files.items()
        for column in file.columns
    }
    found: Headers = {}
    for model in house.models:
        if model.schema != "staging":
            continue
        for column, parents in model.columns_lineage.items():
            cells = [(table, name) for table, name in parents if (table, name.lower()) in spelt]
            if column not in _PLACES and cells and len({table for table, _ in cells}) == 1:
                names = dict.fromkeys(spelt[table, name.lower()] for table, name in cells)
                found[model.name, column] = ", ".join(names)
    return found


def rule_columns(house: House, headers: Headers) -> dict[str, str]:
    """Rule → the headers of its table that it judges or quotes, comma-joined; rules that name none are left out."""
    staged = {f"staging.{kind}": [promise.name for promise in promises(contract)] for kind, contract in KINDS.items()}
    known = {**staged, **RULES_COLUMNS, **LEDGER_TABLES}
    found = {}
    for rule in house.rules:
        names = [headers[rule.table, name] for name in _columns(rule, house, known) if (rule.table, name) in headers]
        parts = dict.fromkeys(part for joined in names for part in joined.split(", "))
        if parts:
            found[rule.id] = ", ".join(parts)
    return found


def repaired_columns(repairs: pl.DataFrame, headers: Headers) -> dict[str, str]:
    """Rule → the headers of the cells it put right, comma-joined. `repairs` has rule_id, table_name, column_name."""
    found: dict[str, dict[str, None]] = {}
    for row in repairs.iter_rows(named=True):
        if names := headers.get((row["table_name"], row["column_name"])):
            found.setdefault(row["rule_id"], {}).update(dict.fromkeys(names.split(", ")))
    return {rule: ", ".join(names) for rule, names in found.items()}


def _columns(rule: Rule, house: House, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns of its own table that a rule's condition names, or that its audit quotes."""
    table = f"staging.{rule.table}"
    if rule.holds is not None:
        return [name for name in known[table] if re.search(rf"\b{re.escape(name)}\b", rule.holds)]
    if rule.id not in house.audits:
        return []
    return [name for parent, name in _observed_from(house.audits, rule.id, known) if parent == table]


def _observed_from(audits: Mapping[str, str], rule_id: str, known: Mapping[str, Sequence[str]]) -> list[Cell]:
    """The table columns an audit's `observed` is made of, followed through the shared views it reads."""
    tables = dict(known)
    behind: dict[Cell, list[Cell]] = {}
    for view, text in shared_views(audits, audits[rule_id]).items():
        name = f"audit.{view.removeprefix('_')}"
        tables[name], lineage = output_columns(text, tables)
        for column, parents in lineage.items():
            behind[name, column] = _followed(parents, behind)
    _, lineage = output_columns(audits[rule_id], tables)
    return _followed(lineage.get("observed", ()), behind)


def _followed(parents: Sequence[Cell], behind: Mapping[Cell, Sequence[Cell]]) -> list[Cell]:
    return list(dict.fromkeys(cell for parent in parents for cell in behind.get(parent, [parent])))
