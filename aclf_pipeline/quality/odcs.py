"""Contracts and rules as one document of the Open Data Contract Standard (ODCS) v3.1, and the tables read back from it.

Other tools lint, show and test such a document; a release keeps one, so that a later version can be held against it.
Each row rule is a query that another engine can run on `core`; an audit, which may read tables of the protocol, is
given as text of a custom engine.

What does not belong here: the pages of the protocol (a release keeps them whole) and deciding what a difference means
(protocol/diff.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import sqlglot
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString
from sqlglot import exp

from aclf_pipeline import __version__
from aclf_pipeline.contracts.base import ColumnPromise, Contract, facts, promises
from aclf_pipeline.protocol import Protocol, Rule

API_VERSION = "v3.1.0"
ENGINE = "aclf_pipeline"
_TYPES = {
    "String": ("string", "varchar"),
    "Int64": ("integer", "bigint"),
    "Float64": ("number", "double"),
    "Boolean": ("boolean", "boolean"),
    "Date": ("date", "date"),
    "Datetime(time_unit='us', time_zone=None)": ("timestamp", "timestamp"),
    "List(String)": ("array", "varchar[]"),
    "List(Int64)": ("array", "bigint[]"),
}
_SEVERITY = {"block": "error", "quarantine": "error", "flag": "warning", "repair": "info", "adjudicate": "warning"}
_DIMENSION = {
    "conformance/relational": "consistency",
    "conformance": "conformity",
    "completeness": "completeness",
    "plausibility/uniqueness": "uniqueness",
    "plausibility/temporal": "consistency",
    "plausibility": "accuracy",
}
"""Kahn's categories in the standard's words; the longest that fits counts."""


def document(
    protocol: Protocol,
    core: Mapping[str, type[Contract]],
    marts: Mapping[str, type[Contract]],
    audits: Mapping[str, str],
    *,
    source: str,
    database: str,
    fingerprints: Mapping[str, str],
    absent: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a source's `core` and a study's `marts` promise, as plain data in the order of the standard.

    `audits` maps a rule id to the text of its query, `fingerprints` a rule id to the rule's fingerprint, `absent` a
    kind the source does not deliver to the reason; such a table is promised and empty. `database` is the path of the
    warehouse file as a reader of the document sees it.
    """
    study, gone = protocol.study, absent or {}
    tables = [
        _table("core", name, contract, _checks(protocol, name, source, audits, fingerprints), gone.get(name))
        for name, contract in core.items()
    ]
    tables += [_table("marts", name, contract, [], None) for name, contract in marts.items()]
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"aclf-{source}-{study.id}".replace("_", "-"),
        "name": f"{study.title} ({source})",
        "version": f"{__version__}+{protocol.digest[:12]}",
        "status": "active",
        "domain": "hepatology",
        "tags": [source, study.id],
        "description": {
            "purpose": f"Rows of source {source} that passed the gate (core) and what study {study.id} counts (marts)",
            "limitations": "Persons stand under pseudonyms. Missing is missing, never normal. Rows that break a rule of"
            " action quarantine are not in core; the ledger (quality.*) keeps them.",
            "usage": "Research on retrospective records; not for the care of a patient.",
        },
        "servers": [
            {"server": schema, "type": "duckdb", "database": database, "schema": schema} for schema in ("core", "marts")
        ],
        "schema": tables,
        "customProperties": _custom(
            protocolDigest=protocol.digest, source=source, study=study.id, asOf=study.as_of.isoformat()
        ),
    }


def as_yaml(content: Mapping[str, Any]) -> str:
    """The document as YAML in UTF-8, read alike by readers of YAML 1.1 and 1.2: `on` and `no` stand in quotes."""
    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 1)
    yaml.allow_unicode = True
    yaml.width = 120
    written = StringIO()
    yaml.dump(_readable(content), written)
    return written.getvalue().removeprefix("%YAML 1.1\n---\n")


def _readable(value: Any) -> Any:
    """Queries as blocks of lines, as they were written."""
    if isinstance(value, Mapping):
        return {key: _readable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_readable(part) for part in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


def read_document(path: Path) -> dict[str, Any]:
    """A document written by `as_yaml`."""
    return dict(YAML(typ="safe", pure=True).load(path.read_text("utf-8")))


def tables_of(content: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """`schema.table` → column → type, required, unique, key and vocabulary (None when open), as a document has them."""
    return {
        table["id"].replace("_", ".", 1): {
            column["name"]: {
                "type": column["physicalType"],
                "required": column.get("required", False),
                "unique": column.get("unique", False),
                "key": column.get("primaryKey", False),
                "within": _vocabulary(column),
            }
            for column in table["properties"]
        }
        for table in content["schema"]
    }


def fingerprints_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Rule id → fingerprint, as a document has them."""
    return {
        check["id"]: custom["value"]
        for table in content["schema"]
        for check in table.get("quality", [])
        for custom in check["customProperties"]
        if custom["property"] == "fingerprint"
    }


def _vocabulary(column: Mapping[str, Any]) -> list[str] | None:
    return next((check["arguments"]["validValues"] for check in column.get("quality", [])), None)


def _table(
    schema: str, name: str, contract: type[Contract], checks: list[dict[str, Any]], absent: str | None
) -> dict[str, Any]:
    stated = facts(contract)
    key = list(stated.get("key", []))
    said = " ".join((contract.__doc__ or "").split())
    about: dict[str, Any] = {"identity": list(stated["identity"])} if "identity" in stated else {}
    if absent:
        about["absent"] = absent
    return {
        "id": f"{schema}_{name}",
        "name": name,
        "physicalName": name,
        "physicalType": "table",
        "logicalType": "object",
        "description": said,
        "dataGranularityDescription": stated.get("grain", ""),
        "tags": [schema],
        "properties": [_column(promise, key) for promise in promises(contract)],
        **({"quality": checks} if checks else {}),
        **({"customProperties": _custom(**about)} if about else {}),
    }


def _column(promise: ColumnPromise, key: list[str]) -> dict[str, Any]:
    logical, physical = _TYPES[promise.dtype]
    column: dict[str, Any] = {
        "name": promise.name,
        "logicalType": logical,
        "physicalType": physical,
        "description": promise.says,
        "required": not promise.nullable,
        "unique": promise.unique,
        "classification": _classification(promise),
    }
    if logical == "array":
        inner = physical.removesuffix("[]")
        column["items"] = {"logicalType": "string" if inner == "varchar" else "integer", "physicalType": inner}
    if promise.name in key:
        column |= {"primaryKey": True, "primaryKeyPosition": key.index(promise.name) + 1}
    if promise.within is not None:
        column["quality"] = [
            {
                "name": f"{promise.name}_vocabulary",
                "type": "library",
                "metric": "invalidValues",
                "arguments": {"validValues": list(promise.within)},
                "mustBe": 0,
                "dimension": "conformity",
                "severity": "error",
            }
        ]
    return column


def _classification(promise: ColumnPromise) -> str:
    """Text without a closed vocabulary may name or point to a person, whatever it is meant to hold."""
    if promise.name.startswith("_"):
        return "internal"
    open_text = promise.dtype == "String" and promise.within is None
    return "restricted" if open_text else "confidential"


def _checks(
    protocol: Protocol, table: str, source: str, audits: Mapping[str, str], fingerprints: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        _check(rule, audits.get(rule.id, ""), fingerprints.get(rule.id, ""))
        for rule in protocol.rules_for(table, source)
    ]


def _check(rule: Rule, audit: str, fingerprint: str) -> dict[str, Any]:
    said = {
        "id": rule.id,
        "name": rule.id,
        "description": rule.says,
        "dimension": _dimension(rule.category),
        "severity": _SEVERITY[rule.action],
        "businessImpact": rule.because,
    }
    more = {
        "category": rule.category, "action": rule.action, "tolerate": rule.tolerate,
        "backwards": rule.on_going_backwards, "because": rule.because, "fix": rule.fix, "fingerprint": fingerprint,
        **({"question": rule.question} if rule.question else {}),
    }  # fmt: skip
    if rule.holds is None:
        asked: dict[str, Any] = {"type": "custom", "engine": ENGINE, "implementation": audit.strip()}
    else:
        asked = {
            "type": "sql",
            "query": _share_of_failing(rule.holds, f"core.{rule.table}"),
            "mustBeLessOrEqualTo": rule.tolerate,
            "unit": "share",
        }
    return {**said, **asked, "customProperties": _custom(**more)}


def _share_of_failing(holds: str, table: str) -> str:
    """The failing share of a table's rows; what is missing counts as kept, and a table without rows has no failure."""
    condition = sqlglot.parse_one(holds, dialect="duckdb")
    failing = exp.Not(this=exp.func("coalesce", exp.Paren(this=condition), exp.true()))
    share = exp.select("coalesce(avg(case when failing then 1.0 else 0.0 end), 0)")
    return share.from_(exp.select(failing.as_("failing")).from_(table).subquery("judged")).sql(dialect="duckdb")


def _dimension(category: str) -> str:
    return next(_DIMENSION[word] for word in _prefixes(category) if word in _DIMENSION)


def _prefixes(category: str) -> Iterator[str]:
    yield category
    yield category.split("/")[0]


def _custom(**properties: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in properties.items()]
