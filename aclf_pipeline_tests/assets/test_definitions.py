"""What Dagster sees: the exact graph, its checks, its owners, and what starts a refresh."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from aclf_pipeline.assets.build import build_definitions
from aclf_pipeline.contracts import KINDS
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def definitions(settings):
    return build_definitions(settings)


def test_everything_loads(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_the_layers_are_the_groups(definitions):
    graph = definitions.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {
        "raw", "rules", "mapping", "staging", "core", "quality", "intermediate", "marts", "analysis", "reports",
    }  # fmt: skip


def test_every_kind_is_staged_and_promoted_and_every_stanza_of_the_plan_is_an_asset(definitions, settings):
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    plan = load_protocol(settings.protocol, settings.study).analysis
    expected = {f"staging/{kind}" for kind in KINDS} | {f"core/{kind}" for kind in KINDS}
    expected |= {f"analysis/{stanza.id}" for stanza in plan}
    expected |= {"marts/cohort", "marts/attrition", "reports/study", "reports/validation", "release"}
    assert expected <= keys


def test_every_asset_has_a_description_an_owner_and_a_kind(definitions):
    graph = definitions.resolve_asset_graph()
    bare = [
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if not (graph.get(key).description and graph.get(key).owners and graph.get(key).kinds)
    ]
    assert bare == []


def test_every_rule_of_the_source_is_one_asset_check_and_the_whole_graph_stays_light(definitions, settings):
    checks = definitions.resolve_asset_graph().asset_check_keys
    protocol = load_protocol(settings.protocol, settings.study)
    rules = {rule.id for kind in KINDS for rule in protocol.rules_for(kind, "his")}
    assert rules <= {check.name for check in checks}
    # measured: 0.04 s of CPU a check, before its rule is judged; above this, one check per table and category
    assert len(checks) <= 270  # a guard for each analysis among them


def test_core_waits_for_staging_and_the_cohort_for_core(definitions):
    graph = definitions.resolve_asset_graph()

    def upstream(name):
        seen, todo = set(), [dg.AssetKey(name.split("/"))]
        while todo:
            for parent in graph.get(todo.pop()).parent_keys:
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return {key.to_user_string() for key in seen}

    assert "staging/labs" in upstream("core/labs")
    assert {"core/labs", "core/infusions", "rules/analytes", "raw/his__lab_results"} <= upstream("marts/cohort")
    assert "marts/cohort" in upstream("release")


def test_nothing_runs_by_itself_until_somebody_switches_it_on(definitions):
    repository = definitions.get_repository_def()
    assert {s.default_status for s in repository.schedule_defs} == {dg.DefaultScheduleStatus.STOPPED}
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.STOPPED}
    assert "refresh" in {job.name for job in repository.get_all_jobs()}


def test_the_sensor_asks_once_per_complete_batch_and_ignores_a_half_copied_one(tmp_path):
    exports = tmp_path / "exports"
    (exports / "20181015_full").mkdir(parents=True)
    (exports / "20190115_incr").mkdir()
    (exports / "20181015_full" / "导出清单.csv").write_text("文件名\n", "utf-8-sig")
    definitions = build_definitions(Settings(home=tmp_path / "home", exports_dir=exports))
    sensor = definitions.get_repository_def().get_sensor_def("new_complete_batch")
    with dg.DagsterInstance.ephemeral() as instance:
        first = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=None))
        again = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor))
        (exports / "20190115_incr" / "导出清单.csv").write_text("文件名\n", "utf-8-sig")
        later = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=first.cursor))
    assert [request.run_key for request in first.run_requests] == ["20181015_full"]
    assert again.run_requests == []
    assert [request.run_key for request in later.run_requests] == ["20190115_incr"]
    assert json.loads(later.cursor) == ["20181015_full", "20190115_incr"]
