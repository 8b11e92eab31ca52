"""Repairs and cases as Dagster shows them: tables of the gate, parents of what reads them, checks that warn."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from aclf_pipeline.assets.build import definitions_of
from aclf_pipeline.assets.gate import check_result, gate_asset
from aclf_pipeline.assets.house import House
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.test_cases import AUDITS, TWO_DAYS
from aclf_pipeline_tests.quality.test_cases import world as deaths_world
from aclf_pipeline_tests.quality.test_repairs import UNIT, UNIT_SQL
from aclf_pipeline_tests.quality.test_repairs import world as labs_world
from aclf_pipeline_tests.quality.world import protocol


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House.load(Settings(home=tmp_path_factory.mktemp("home")))


def test_what_reads_the_cases_is_below_the_gate(house: House) -> None:
    graph = definitions_of(house).resolve_asset_graph()
    cases = dg.AssetKey(["quality", "cases"])
    readers = {dg.AssetKey(model.table.split(".")) for model in house.models if "quality.cases" in model.parents}
    assert readers
    assert readers <= graph.get(cases).child_keys
    assert graph.get(cases).parent_keys >= {dg.AssetKey(["staging", "deaths"])}
    assert dg.AssetKey(["quality", "repairs"]) in graph.get_all_asset_keys()


def test_an_open_case_and_a_repair_above_tolerance_warn_and_block_nothing(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "cases.duckdb") as wh:
        deaths_world(wh)
        checks = run_gate(wh, protocol(TWO_DAYS), AUDITS, "r1").checks
    with Warehouse.open(tmp_path / "repairs.duckdb") as wh:
        labs_world(wh)
        rare = UNIT.model_copy(update={"tolerate": 0.1})
        checks += run_gate(wh, protocol(rare), {UNIT.id: UNIT_SQL}, "r1").checks
    shown = {check.rule_id: check_result(check, "http://127.0.0.1:3001") for check in checks}
    case, repair = shown[TWO_DAYS.id], shown[UNIT.id]
    assert {(r.passed, r.severity) for r in (case, repair)} == {(False, dg.AssetCheckSeverity.WARN)}
    assert case.description == "2 cases open (4 of 5 rows are evidence); since the last refresh: 4 new"
    assert repair.description == "1 of 3 rows repaired (33.333%; tolerated 10.000%); since the last refresh: 1 new"
    assert "the default 'wait' holds" in str(case.metadata["1_summary"])


def test_only_rules_that_block_are_blocking_checks(house: House) -> None:
    actions = {rule.id: rule.action for rule in house.rules}
    blocking = {spec.name for spec in gate_asset(house).check_specs if spec.blocking and spec.name in actions}
    assert {"repair", "adjudicate"} <= set(actions.values())
    assert blocking == {rule for rule, action in actions.items() if action == "block"}
