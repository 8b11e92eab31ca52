"""Contracts and rules as an Open Data Contract Standard document: valid by its schema, complete, read back whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
import yaml as pyyaml

from aclf_pipeline.assets.exchange import export_contracts
from aclf_pipeline.assets.house import House
from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.quality.conditions import in_polars
from aclf_pipeline.quality.odcs import as_yaml, fingerprints_of, read_document, tables_of
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.world import draw

SCHEMA = Path(__file__).parent / "odcs" / "odcs-3.1.0.schema.json"
STUDIES = {"nct07198854": "his", "icu_cirrhosis": "clif"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("contracts")
    paths = export_contracts(Settings(home=folder), folder)
    assert sorted(path.name for path in paths) == ["clif_icu_cirrhosis.odcs.yaml", "his_nct07198854.odcs.yaml"]
    return {path.name.split("_", 1)[1].split(".")[0]: read_document(path) for path in paths}


@pytest.fixture(params=STUDIES)
def content(request: pytest.FixtureRequest, exported: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return exported[request.param]


def table(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(table for table in content["schema"] if table["id"] == name)


def checks(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for table in content["schema"] for check in table.get("quality", [])}


def custom(holder: dict[str, Any]) -> dict[str, Any]:
    return {p["property"]: p["value"] for p in holder["customProperties"]}


def test_the_document_is_valid_by_the_standards_own_schema(content: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    problems = [error.message for error in jsonschema.Draft201909Validator(schema).iter_errors(content)]
    assert problems == []


def test_a_document_that_is_not_valid_is_told(content: dict[str, Any]) -> None:
    """The schema does look: it would find a severity that is no text, and a word it does not know."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    assert not validator.is_valid({**content, "kind": "Promise"})
    assert not validator.is_valid({**content, "promises": []})


@pytest.mark.parametrize(("study", "source"), STUDIES.items())
def test_every_table_column_and_rule_is_there(exported: dict[str, dict[str, Any]], study: str, source: str) -> None:
    content = exported[study]
    house = House.load(Settings(study=study, source=source))
    tables = {f"core.{name}": contract for name, contract in KINDS.items()}
    tables |= {f"marts.{name}": contract for name, contract in MARTS[study].items()}
    found = tables_of(content)
    assert list(found) == list(tables)
    for name, contract in tables.items():
        assert [(p.name, p.nullable, p.unique, p.within) for p in promises(contract)] == [
            (column, not said["required"], said["unique"], said["within"] and tuple(said["within"]))
            for column, said in found[name].items()
        ], name
    assert set(checks(content)) == {rule.id for rule in house.rules}
    for rule in house.rules:
        said = custom(checks(content)[rule.id])
        assert (said["because"], said["fix"], said["action"]) == (rule.because, rule.fix, rule.action)
        assert said["backwards"] == rule.on_going_backwards
    assert custom(content)["protocolDigest"] == house.protocol.digest


def test_a_fingerprint_is_that_of_the_violations(exported: dict[str, dict[str, Any]]) -> None:
    house = House.load(Settings())
    prints = fingerprints_of(exported["nct07198854"])
    row_rule = next(rule for rule in house.rules if rule.holds)
    assert prints[row_rule.id] == row_rule.fingerprint
    audits = [rule for rule in house.rules if not rule.holds]
    assert all(prints[rule.id] != rule.fingerprint for rule in audits)


def test_every_column_is_described_and_classified(content: dict[str, Any]) -> None:
    for found in content["schema"]:
        for column in found["properties"]:
            assert column["description"], (found["id"], column["name"])
            assert column["classification"] in ("internal", "restricted", "confidential")


def test_open_text_is_restricted_and_a_vocabulary_is_not(exported: dict[str, dict[str, Any]]) -> None:
    columns = {c["name"]: c["classification"] for c in table(exported["nct07198854"], "core_patients")["properties"]}
    assert columns["patient_id"] == columns["national_id"] == columns["name_id"] == "restricted"
    assert (columns["_row_id"], columns["sex"]) == ("internal", "confidential")


def test_a_kind_the_source_does_not_deliver_says_why(exported: dict[str, dict[str, Any]]) -> None:
    absent = House.load(Settings(study="icu_cirrhosis", source="clif")).source.absent
    assert absent
    for kind, reason in absent.items():
        assert custom(table(exported["icu_cirrhosis"], f"core_{kind}"))["absent"] == reason


def test_a_document_is_read_as_it_was_written(tmp_path: Path, content: dict[str, Any]) -> None:
    path = tmp_path / "again.yaml"
    path.write_text(as_yaml(content), "utf-8")
    assert read_document(path) == content
    assert list(read_document(path)) == list(content)


def test_readers_of_the_older_yaml_read_the_same(content: dict[str, Any]) -> None:
    """To YAML 1.1 a bare `on` is true and a bare `no` false: vocabularies hold such words."""
    words = {word for t in tables_of(content).values() for column in t.values() for word in column["within"] or ()}
    assert words & {"on", "yes", "no"}
    assert pyyaml.safe_load(as_yaml(content)) == content


STAYS = """
    line | patient_id | stay_id | admitted_at | discharged_at | days_stated | unparsed
    2    | R1         | R1-1    | 2014-05-01  | 2014-05-20    | 19          | -
    3    | R2         | R2-1    | 2014-05-09  | 2014-05-02    | 400         | 入院日期
    4    | R3         | R3-1    | 2014-06-01  | -             | -           | -
"""


def test_a_rules_query_gives_the_share_the_gate_counts(wh: Warehouse, exported: dict[str, dict[str, Any]]) -> None:
    """Another engine that runs the document's queries comes to what the gate's own expressions come to."""
    drawn = draw(KINDS["stays"], STAYS)
    wh.write("core.stays", drawn)
    rules = House.load(Settings()).protocol.rules
    asked = {c["id"]: c for c in table(exported["nct07198854"], "core_stays")["quality"] if c["type"] == "sql"}
    assert len(asked) >= 2
    shares = {name: float(wh.scalar(check["query"])) for name, check in asked.items()}
    kept = {name: drawn.select(in_polars(str(rules[name].holds)).fill_null(value=True)).to_series() for name in asked}
    assert shares == pytest.approx({name: 1 - series.cast(pl.Float64).mean() for name, series in kept.items()})
    assert max(shares.values()) > 0
    wh.write("core.stays", drawn.clear())
    assert {float(wh.scalar(check["query"])) for check in asked.values()} == {0.0}
