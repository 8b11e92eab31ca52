"""The protocol as tables: every figure a query may use is a row of `rules.*`, written before anything is staged.

What does not belong here: figures (the protocol's pages) and holding rows against rules (quality).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import polars as pl

from aclf_pipeline.protocol import Protocol
from aclf_pipeline.warehouse.connection import Warehouse

Row = tuple[Any, ...]

_TEXT, _NUMBER, _COUNT = pl.String, pl.Float64, pl.Int32
_SCHEMAS: dict[str, dict[str, Any]] = {
    "rules.analytes": {"analyte": _TEXT, "says": _TEXT, "unit": _TEXT, "worst": _TEXT},
    "rules.analyte_loinc": {"analyte": _TEXT, "loinc": _TEXT},
    "rules.analyte_units": {"analyte": _TEXT, "unit": _TEXT, "factor": _NUMBER},
    "rules.analyte_limits": {"analyte": _TEXT, "low": _NUMBER, "high": _NUMBER, "because": _TEXT},
    "rules.codelists": {"codelist": _TEXT, "system": _TEXT, "code": _TEXT, "label": _TEXT, "match": _TEXT},
    "rules.definitions": {"definition": _TEXT, "item": _TEXT, "value": _NUMBER, "text": _TEXT},
    "rules.parameters": {"parameter": _TEXT, "value": _NUMBER, "text": _TEXT, "says": _TEXT},
    "rules.baseline": {
        "variable": _TEXT,
        "analyte": _TEXT,
        "source_table": _TEXT,
        "item": _TEXT,
        "days_before": _COUNT,
        "days_after": _COUNT,
        "pick": _TEXT,
    },
    "rules.rules": {
        "rule_id": _TEXT,
        "table_name": _TEXT,
        "category": _TEXT,
        "action": _TEXT,
        "tolerate": _NUMBER,
        "says": _TEXT,
    },
}
RULES_TABLES = tuple(_SCHEMAS)
"""The tables of the protocol, as `rules.<name>`."""

RULES_COLUMNS: dict[str, tuple[str, ...]] = {table: tuple(schema) for table, schema in _SCHEMAS.items()}
"""Their columns, in order."""


def load_rules(wh: Warehouse, protocol: Protocol) -> dict[str, int]:
    """Write every `rules.*` table anew, all or none; gives the rows of each. The result depends on the pages only."""
    rows = {table: sorted(_ROWS[table](protocol), key=_none_first) for table in RULES_TABLES}
    with wh.transaction():
        for table, found in rows.items():
            wh.write(table, pl.DataFrame(found, schema=_SCHEMAS[table], orient="row"))
    return {table: len(found) for table, found in rows.items()}


def set_parameter(wh: Warehouse, parameter: str, value: Any) -> None:
    """Put another value of one parameter of the study into `rules.parameters`; for rehearsals."""
    wh.execute(
        "update rules.parameters set value = ?, text = ? where parameter = ?", [*_value_and_text(value), parameter]
    )


def _none_first(row: Row) -> tuple[tuple[bool, str], ...]:
    return tuple((cell is not None, str(cell)) for cell in row)


def _value_and_text(value: Any) -> tuple[float | None, str | None]:
    """A scalar of a page: numbers and truth values (1, 0) as a number, all else as text, nothing as nothing."""
    if value is None:
        return None, None
    if isinstance(value, int | float):
        return float(value), None
    return None, value.isoformat() if isinstance(value, date) else str(value)


def _analytes(protocol: Protocol) -> Iterable[Row]:
    return ((a.id, a.says, a.unit, a.worst) for a in protocol.analytes.values())


def _loinc(protocol: Protocol) -> Iterable[Row]:
    return ((a.id, code) for a in protocol.analytes.values() for code in a.loinc)


def _units(protocol: Protocol) -> Iterable[Row]:
    return ((a.id, unit, factor) for a in protocol.analytes.values() for unit, factor in a.factors.items())


def _limits(protocol: Protocol) -> Iterable[Row]:
    return ((a.id, *a.hard_limits, a.because) for a in protocol.analytes.values() if a.hard_limits is not None)


def _codes(protocol: Protocol) -> Iterable[Row]:
    return ((name, c.system, c.code, c.label, c.match) for name, codes in protocol.codelists.items() for c in codes)


def _definitions(protocol: Protocol) -> Iterable[Row]:
    return (
        (definition.id, item, *_value_and_text(value))
        for definition in protocol.definitions.values()
        for item, value in definition.cutoffs.items()
    )


def _parameters(protocol: Protocol) -> Iterable[Row]:
    return ((name, *_value_and_text(p.value), p.says) for name, p in protocol.study.parameters.items())


def _baseline(protocol: Protocol) -> Iterable[Row]:
    return (
        (name, b.analyte, b.table, b.item, b.days_before, b.days_after, b.pick)
        for name, b in protocol.study.baseline.items()
    )


def _rules(protocol: Protocol) -> Iterable[Row]:
    return ((r.id, r.table, r.category, r.action, r.tolerate, r.says) for r in protocol.rules.values())


_ROWS: dict[str, Callable[[Protocol], Iterable[Row]]] = {
    "rules.analytes": _analytes,
    "rules.analyte_loinc": _loinc,
    "rules.analyte_units": _units,
    "rules.analyte_limits": _limits,
    "rules.codelists": _codes,
    "rules.definitions": _definitions,
    "rules.parameters": _parameters,
    "rules.baseline": _baseline,
    "rules.rules": _rules,
}
