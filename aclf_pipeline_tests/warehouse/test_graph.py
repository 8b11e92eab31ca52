"""The sql folder as a graph: order, parents, lineage, and what a reader is told when it does not fit together."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aclf_pipeline.contracts import KINDS, promises
from aclf_pipeline.warehouse import Warehouse, WarehouseError
from aclf_pipeline.warehouse.graph import (
    GraphError,
    absent_models,
    audit_parents,
    build,
    load_audits,
    load_graph,
    load_mappings,
    mapping_tables,
    parents_of,
    shared_views,
)
from aclf_pipeline.warehouse.sources import load_source

SQL = Path(__file__).parents[2] / "sql"
PAGE = """
id: toy
says: x
batches: {folder: '.*'}
files:
  labs: {kind: labs, says: x, format: csv, columns: [{name: 结果}, {name: 单位}]}
absent: {imaging: none is delivered}
"""


class Folder:
    """A sql folder drawn by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.add("staging/toy/source.yaml", PAGE)
        self.add("staging/toy/toy__units.csv", "\ufeffunit_text,unit\nμmol/L,umol/L\n×,\n")
        self.add(
            "staging/toy/toy__labs.sql",
            "-- Labs.\n-- one row per result\nselect _row_id, 结果 as value from raw.toy__labs",
        )

    def add(self, name: str, text: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def query(self, name: str, sql: str) -> None:
        self.add(name, f"-- It is this.\n-- one row per thing\n{sql}")

    def load(self, study: str = "study"):
        return load_graph(self.path, "toy", study)

    def tables(self, study: str = "study") -> list[str]:
        return [model.table for model in self.load(study)]

    def problems(self) -> str:
        with pytest.raises(GraphError) as error:
            self.load()
        return "\n".join(error.value.problems)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "sql")


def test_parents_come_before_children(folder):
    folder.query("intermediate/a.sql", "select * from intermediate.z")
    folder.query("intermediate/z.sql", "with labs as (select * from core.labs) select * from labs")
    folder.query("marts/study__m.sql", "select * from intermediate.a")
    assert folder.tables() == ["staging.labs", "intermediate.z", "intermediate.a", "marts.m"]


def test_a_file_of_another_study_or_source_is_not_taken(folder):
    folder.query("intermediate/study__a.sql", "select 1 as x")
    folder.query("intermediate/other__a.sql", "select 2 as x")
    folder.query("intermediate/toy__b.sql", "select 3 as x")
    assert folder.tables() == ["staging.labs", "intermediate.a", "intermediate.b"]
    assert folder.tables("other") == ["staging.labs", "intermediate.a", "intermediate.b"]
    assert folder.load("other")[1].sql.endswith("select 2 as x")


def test_the_header_says_what_and_how_fine(folder):
    folder.add(
        "intermediate/a.sql",
        "-- Facts of a thing: first\n-- and second. one row per thing and day.\n-- See also the page.\nselect 1 as x",
    )
    (model,) = [m for m in folder.load() if m.name == "a"]
    assert model.grain == "one row per thing and day"
    assert model.says == "Facts of a thing: first and second. See also the page."
    folder.add("intermediate/a.sql", "/* Facts.\n * one row per thing */\nselect 1 as x")
    (model,) = [m for m in folder.load() if m.name == "a"]
    assert (model.says, model.grain) == ("Facts.", "one row per thing")


@pytest.mark.parametrize(
    ("name", "sql", "says"),
    [
        ("intermediate/a.sql", "-- It is this.\n-- one row per x\nselect * from core.lab", "Did you mean 'core.labs'?"),
        ("intermediate/a.sql", "-- no grain\nselect 1 as x", "sql/intermediate/a.sql: must begin with a comment"),
        ("intermediate/a.sql", "select 1 as x -- one row per x", "must begin with a comment"),
        ("intermediate/a.sql", "-- one row per x\nselect * from labs", "reads 'labs' without its schema"),
        ("intermediate/a.sql", "-- one row per x\nselect (1", "cannot be read as SQL"),
        ("intermediate/a.sql", "-- one row per x\nselect 1 as x; select 2 as x", "exactly one query"),
        ("intermediate/a.sql", "-- one row per x\ndrop table core.labs", "exactly one query"),
        (
            "intermediate/a.sql",
            "-- one row per x\nselect * from staging.labs",
            "intermediate may not read staging.labs",
        ),
        ("staging/toy/toy__labs.sql", "-- one row per x\nselect * from core.labs", "staging may not read core.labs"),
        ("staging/toy/toy__lab.sql", "-- one row per x\nselect 1 as x", "'lab' is no kind. Did you mean 'labs'?"),
        ("staging/toy/labs.sql", "-- one row per x\nselect 1 as x", "must be named toy__<kind>.sql"),
        ("staging/toy/toy__imaging.sql", "-- one row per x\nselect 1 as x", "declared absent"),
    ],
)
def test_what_does_not_fit_is_told(folder, name, sql, says):
    folder.add(name, sql)
    assert says in folder.problems()


def test_all_problems_are_told_at_once(folder):
    folder.query("intermediate/a.sql", "select * from intermediate.b")
    folder.query("intermediate/b.sql", "select * from intermediate.a")
    folder.query("intermediate/c.sql", "select * from core.nothing")
    folder.add("intermediate/d.sql", "select 1 as x")
    folder.query("intermediate/study__c.sql", "select 1 as x")
    told = folder.problems()
    assert "in a circle: " in told
    assert "intermediate.a → intermediate.b" in told or "intermediate.b → intermediate.a" in told
    assert "core.nothing, which nothing makes" in told
    assert "intermediate/d.sql: must begin" in told
    assert "makes intermediate.c, which" in told


def test_parents_are_tables_and_not_ctes_or_functions():
    sql = """
        with labs as (select * from core.labs), x as (select * from labs)
        select * from x, unnest([1]) as u(n) join rules.analytes as a on true
        where exists (select 1 from core.stays as s)
    """
    assert sorted(parents_of(sql)) == ["core.labs", "core.stays", "rules.analytes"]


def lineage(folder, sql):
    folder.query("intermediate/a.sql", sql)
    (model,) = [m for m in folder.load() if m.name == "a"]
    return model


@pytest.mark.parametrize(
    ("sql", "column", "sources"),
    [
        ("select l.value * u.factor as v from core.labs as l join rules.analyte_units as u using (unit)", "v",
         {("core.labs", "value"), ("rules.analyte_units", "factor")}),
        ("with x as (select value as a from core.labs), y as (select a + 1 as b from x) select b from y", "b",
         {("core.labs", "value")}),
        ("select value from core.labs union all select value from core.vitals", "value",
         {("core.labs", "value"), ("core.vitals", "value")}),
        ("select * from core.labs", "loinc", {("core.labs", "loinc")}),
        ("select max(value) over (partition by patient_id) as m from core.labs", "m",
         {("core.labs", "value"), ("core.labs", "patient_id")}),
        ("select (select max(v.value) from core.vitals as v where v.item = l.unit) as m from core.labs as l", "m",
         {("core.vitals", "value")}),
    ],
)  # fmt: skip
def test_lineage_of_a_column(folder, sql, column, sources):
    assert set(lineage(folder, sql).columns_lineage[column]) == sources


def test_lineage_that_cannot_be_told_is_left_out(folder):
    model = lineage(folder, "select u.n as n, l.unit from core.labs as l, unnest([l.value]) as u(n)")
    assert "n" not in model.columns_lineage
    assert model.columns_lineage["unit"] == (("core.labs", "unit"),)


def test_a_constant_comes_from_no_column(folder):
    assert lineage(folder, "select 1 as one from core.labs").columns_lineage == {"one": ()}


def test_columns_follow_through_models(folder):
    folder.query("intermediate/b.sql", "select * from intermediate.a")
    model = lineage(folder, "select value, unit from core.labs")
    (child,) = [m for m in folder.load() if m.name == "b"]
    assert child.columns == model.columns == ("value", "unit")
    assert child.columns_lineage["unit"] == (("intermediate.a", "unit"),)


def test_building(folder, tmp_path):
    folder.query("intermediate/a.sql", "select 1 as x union all select 2;\n")
    folder.query("intermediate/b.sql", "select nothing from intermediate.a")
    models = {model.name: model for model in folder.load()}
    source = load_source(folder.path / "staging" / "toy")
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        assert build(wh, models["a"]) == 2
        wh.execute("create table intermediate.b as select 9 as kept")
        with pytest.raises(WarehouseError, match=r"b\.sql: intermediate\.b cannot be made"):
            build(wh, models["b"])
        assert wh.scalar("select kept from intermediate.b") == 9
        (absent,) = absent_models(source)
        assert "none is delivered" in absent.says
        assert build(wh, absent, KINDS["imaging"]) == 0
        assert [name for name, _ in wh.columns("staging.imaging")] == [p.name for p in promises(KINDS["imaging"])]


def test_mappings_are_text_and_blank_cells_null(folder, tmp_path):
    assert mapping_tables(folder.path, "toy") == ["mapping.units", "mapping.absent_kinds"]
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        assert load_mappings(wh, folder.path, "toy") == {"mapping.units": 2, "mapping.absent_kinds": 1}
        assert wh.rows("select kind, reason from mapping.absent_kinds") == [("imaging", "none is delivered")]
        assert wh.rows("select * from mapping.units") == [("μmol/L", "umol/L"), ("×", None)]
        folder.add("staging/toy/toy__units.csv", "a,b\n1\n")
        with pytest.raises(GraphError, match="row 2"):
            load_mappings(wh, folder.path, "toy")


def test_audits_are_read_by_rule(folder):
    folder.add("audits/one.sql", "select 1")
    assert load_audits(folder.path) == {"one": "select 1"}


def test_views_that_audits_share_are_read_with_them_and_seen_through(folder):
    folder.query("audits/one.sql", "select _row_id, died as observed from audit.deaths_by_rank")
    folder.query("audits/_deaths_by_rank.sql", "select d.* from staging.deaths as d join audit.ranks using (origin)")
    folder.query("audits/_ranks.sql", "select * from rules.definitions")
    audits = load_audits(folder.path)
    assert list(audits) == ["_deaths_by_rank", "_ranks", "one"]
    assert list(shared_views(audits, audits["one"])) == ["_ranks", "_deaths_by_rank"]
    assert set(audit_parents(audits, "one")) == {"rules.definitions", "staging.deaths"}


def test_everything_wrong_with_shared_views_is_told_at_once(folder):
    folder.query("audits/one.sql", "select * from audit.death_by_hierarchie")
    folder.add("audits/_death_by_hierarchy.sql", "select 1 as x")
    folder.query("audits/_a.sql", "select * from audit.b")
    folder.query("audits/_b.sql", "select * from audit.a")
    folder.query("audits/two.sql", "select * frm staging.labs")
    with pytest.raises(GraphError) as error:
        load_audits(folder.path)
    assert error.value.problems[:3] == [
        "sql/audits/two.sql: cannot be read as SQL: Invalid expression / Unexpected token. Line 3, Col: 20.",
        "sql/audits/_death_by_hierarchy.sql: must begin with a comment that says what it is and its grain",
        "sql/audits/one.sql: reads audit.death_by_hierarchie, and there is no _death_by_hierarchie.sql. "
        "Did you mean 'audit.death_by_hierarchy'?",
    ]
    (circle,) = error.value.problems[3:]
    assert "sql/audits read each other in a circle: " in circle
    assert "_a → _b" in circle


def test_a_view_that_no_audit_reads_is_refused(folder):
    folder.query("audits/_a.sql", "select * from audit.b")
    folder.query("audits/_b.sql", "select 1 as x")
    with pytest.raises(GraphError) as error:
        load_audits(folder.path)
    assert error.value.problems == [
        "sql/audits/_a.sql: no audit reads it as audit.a", "sql/audits/_b.sql: no audit reads it as audit.b",
    ]  # fmt: skip
    folder.query("audits/one.sql", "select * from audit.a")
    assert set(load_audits(folder.path)) == {"_a", "_b", "one"}


def test_the_graph_of_this_house_is_read_quickly_with_most_lineage_known():
    started = time.process_time()
    models = load_graph(SQL, "his", "nct07198854")
    assert time.process_time() - started < 6
    assert {model.name for model in models if model.schema == "staging"} <= set(KINDS)
    total = sum(len(model.columns) for model in models)
    known = sum(len(model.columns_lineage) for model in models)
    assert known / total > 0.8
    for model in models:
        for sources in model.columns_lineage.values():
            assert {table for table, _ in sources} <= set(model.parents)
