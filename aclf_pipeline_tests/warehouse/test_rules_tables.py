"""The protocol as tables: what the pages say, and nothing else; the same pages give the same tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from aclf_pipeline import protocol as protocol_room
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.warehouse import Warehouse
from aclf_pipeline.warehouse.rules_tables import RULES_COLUMNS, RULES_TABLES, load_rules

PAGES = Path(protocol_room.__file__).parent


@pytest.fixture(scope="module")
def protocol():
    return load_protocol(PAGES, "nct07198854")


@pytest.fixture(scope="module")
def wh(protocol, tmp_path_factory):
    with Warehouse.open(tmp_path_factory.mktemp("w") / "w.duckdb") as wh:
        load_rules(wh, protocol)
        yield wh


def test_every_table_is_there_with_its_columns(wh):
    for table in RULES_TABLES:
        assert tuple(name for name, _ in wh.columns(table)) == RULES_COLUMNS[table]
        assert wh.scalar(f"select count(*) from {table}") > 0


def test_the_own_unit_of_an_analyte_has_factor_1(wh, protocol):
    assert wh.scalar(
        "select count(*) from rules.analytes join rules.analyte_units using (analyte, unit) where factor = 1"
    ) == len(protocol.analytes)


def test_units_limits_and_codes_are_those_of_the_page(wh, protocol):
    for analyte in protocol.analytes.values():
        units = dict(wh.rows("select unit, factor from rules.analyte_units where analyte = ?", [analyte.id]))
        assert units == analyte.factors
        limits = wh.rows("select low, high from rules.analyte_limits where analyte = ?", [analyte.id])
        assert limits == ([analyte.hard_limits] if analyte.hard_limits else [])
    for name, codes in protocol.codelists.items():
        assert wh.scalar("select count(*) from rules.codelists where codelist = ?", [name]) == len(codes)


def test_parameters_are_numbers_or_words(wh, protocol):
    for name, parameter in protocol.study.parameters.items():
        ((value, text),) = wh.rows("select value, text from rules.parameters where parameter = ?", [name])
        assert (value is None) != (text is None)
        assert (value if value is not None else text) == parameter.value


def test_a_switched_off_cut_off_is_null_not_absent(wh, protocol):
    cutoffs = [(d.id, item, v) for d in protocol.definitions.values() for item, v in d.cutoffs.items()]
    assert wh.scalar("select count(*) from rules.definitions") == len(cutoffs)
    off = sorted((definition, item) for definition, item, value in cutoffs if value is None)
    assert (
        wh.rows("select definition, item from rules.definitions where value is null and text is null order by all")
        == off
    )


def test_loading_again_changes_nothing(wh, protocol):
    before = {table: wh.rows(f"select * from {table}") for table in RULES_TABLES}
    assert load_rules(wh, protocol) == {table: len(rows) for table, rows in before.items()}
    assert {table: wh.rows(f"select * from {table}") for table in RULES_TABLES} == before
