"""The data dictionary, made from what already exists: contracts and protocol. Nothing is written twice.

Every table and column with its meaning, type, nulls, vocabulary, range and reason; every analyte, rule, definition,
code and study variable. The page works without a script; with one, its search field narrows the tables.

What does not belong here: data. No value of any patient comes near this page; of the cohort it says how many lack one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from aclf_pipeline.contracts.base import ColumnPromise, Contract, facts, promises
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.protocol.models import Rule
from aclf_pipeline.reports import page as pages
from aclf_pipeline.reports import tables
from aclf_pipeline.reports.page import anchor

TYPES = {"String": "text", "Int64": "whole number", "Float64": "number", "Boolean": "yes or no", "Date": "day"}


@dataclass(frozen=True)
class TableInfo:
    """One table as its contract promises it."""

    name: str
    says: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[ColumnPromise, ...]
    absent: str | None = None


def table_info(name: str, contract: type[Contract], absent: str | None = None) -> TableInfo:
    """What a contract promises, under a table's name; `absent` is the reason why the source does not deliver it."""
    known = facts(contract)
    says = " ".join((contract.__doc__ or "").replace("`", "").split())
    return TableInfo(
        name, says, str(known.get("grain", "")), tuple(known.get("key", ())), tuple(promises(contract)), absent
    )


def page(
    protocol: Protocol,
    described: Sequence[TableInfo],
    *,
    source: str,
    audits: Mapping[str, str] | None = None,
    codebook: pl.DataFrame | None = None,
    synthetic: bool = False,
) -> str:
    """The data dictionary of one source and study, as one HTML document.

    `audits` maps a rule to its SQL. `codebook` is the codebook of the cohort; None where there is no cohort yet.
    """
    asked = [rule for rule in protocol.rules.values() if rule.applies_to(source)]
    return pages.render(
        "dictionary.html.j2",
        heading=f"Data dictionary of {source} and {protocol.study.id}",
        synthetic=synthetic,
        protocol=protocol,
        study=protocol.study,
        source=source,
        codebook=_codebook(codebook),
        described=[_table(table, asked) for table in described],
        analytes=[_analyte(analyte) for analyte in protocol.analytes.values()],
        rules=[_rule(rule, audits or {}) for rule in asked],
        definitions=[
            {
                "definition": definition.id,
                "says": definition.says,
                "because": definition.because,
                "item": item,
                "value": value,
            }
            for definition in protocol.definitions.values()
            for item, value in definition.cutoffs.items()
        ],
        codes=[
            {"codelist": name, "system": code.system, "code": code.code, "label": code.label, "match": code.match}
            for name, codelist in protocol.codelists.items()
            for code in codelist
        ],
    )


def _codebook(codebook: pl.DataFrame | None) -> list[dict[str, Any]]:
    """The codebook's rows, the missing as a number and its share."""
    if codebook is None:
        return []
    return [{**row, "missing": tables.n_percent(row["missing"], row["n"])} for row in tables.rows(codebook)]


def _table(table: TableInfo, rules: Iterable[Rule]) -> dict[str, Any]:
    """A table with its columns as rows, each with the rules that read it."""
    own = [rule for rule in rules if rule.table == table.name.rpartition(".")[2]]
    rows = []
    for column in table.columns:
        asked = [rule for rule in own if rule.holds and re.search(rf"\b{re.escape(column.name)}\b", rule.holds)]
        kind = column.dtype.partition("(")[0]
        rows.append(
            {
                "name": column.name,
                "type": TYPES.get(kind, "time" if kind == "Datetime" else "list" if kind == "List" else column.dtype),
                "null": "may be missing" if column.nullable else "always there",
                "unique": column.unique,
                "says": column.says.replace("`", ""),
                "within": column.within,
                "rules": asked,
            }
        )
    return {"info": table, "rows": rows}


def _analyte(analyte: Any) -> dict[str, Any]:
    low, high = analyte.hard_limits or (None, None)
    others = [
        f"{unit} × {tables.number(factor, 6)}" for unit, factor in analyte.accepts.items() if unit != analyte.unit
    ]
    return {
        "id": analyte.id,
        "says": analyte.says,
        "loinc": list(analyte.loinc),
        "unit": analyte.unit,
        "accepts": others,
        "limits": None if low is None else f"{tables.number(low, 6)} to {tables.number(high, 6)}",
        "worst": analyte.worst,
        "because": f"Unverified. {analyte.because}" if analyte.unverified else analyte.because,
    }


def _rule(rule: Rule, audits: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": rule.id,
        "anchor": anchor(rule.id),
        "table": rule.table,
        "says": rule.says,
        "category": rule.category,
        "action": rule.action,
        "tolerate": rule.tolerate,
        "because": rule.because,
        "fix": rule.fix,
        "condition": rule.holds or audits.get(rule.id),
    }
