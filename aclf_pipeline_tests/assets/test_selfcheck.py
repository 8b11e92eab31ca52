"""The self-check stops the report on a breach, and its appendix stands on the study page."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from aclf_pipeline.assets.build import build_definitions
from aclf_pipeline.assets.reference_data import load_reference
from aclf_pipeline.assets.self_check_page import SEED, SIMULATIONS, TABLES, self_check_sections
from aclf_pipeline.assets.selfcheck import within_tolerance
from aclf_pipeline.science.selfcheck import SelfCheck, self_check
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.connection import Warehouse


@pytest.fixture(scope="module")
def found() -> SelfCheck:
    return self_check(*load_reference(), simulations=SIMULATIONS, seed=SEED)


def test_what_is_installed_here_computes_what_it_should(found):
    result = within_tolerance(found)
    assert result.passed, result.description


def test_a_breach_is_an_error_that_blocks(found):
    off = found.agreement.with_columns(within=pl.int_range(pl.len()) > 0)
    result = within_tolerance(replace(found, agreement=off))
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert "from R" in result.description


def test_the_report_waits_for_the_self_check(tmp_path):
    graph = build_definitions(Settings(home=tmp_path)).resolve_asset_graph()
    (check,) = [key for key in graph.asset_check_keys if key.asset_key.path == ["analysis", "self_check"]]
    assert graph.get(check).blocking
    assert dg.AssetKey(["analysis", "self_check"]) in graph.get(dg.AssetKey(["reports", "study"])).parent_keys


def test_the_appendix_shows_every_comparison(found, tmp_path):
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        assert self_check_sections(wh) == ()
        for part, name in TABLES.items():
            wh.write(name, getattr(found, part))
        agreement, coverage = self_check_sections(wh)
    assert agreement.frame.height == found.agreement.height
    assert set(agreement.frame["within"]) == {"yes"}
    assert coverage.frame.height == found.coverage.height
