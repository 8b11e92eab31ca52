"""An analysis that a guard withholds leaves no number in the warehouse, not even an older one, and says why."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from aclf_pipeline.assets.analysis import analysis_assets
from aclf_pipeline.assets.house import House
from aclf_pipeline.protocol.plan import OfModel
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse.analysis_tables import read_analysis
from aclf_pipeline_tests.science.plan_world import cohort

COVARIATES = {"nlr": 4.0, "creatinine": 80.0, "bilirubin_total": 300.0}


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> House:
    return House.load(Settings(home=tmp_path_factory.mktemp("guards")))


def made_on(house: House, name: str, frame: pl.DataFrame) -> dg.AssetCheckResult:
    """Make one analysis on a cohort and return its check."""
    wide = frame.with_columns(
        [(pl.lit(middle) + pl.col("age_years") % 7 + pl.col("sodium") % k).alias(column)
         for k, (column, middle) in enumerate(COVARIATES.items(), start=3)]
    )  # fmt: skip
    with house.open() as wh:
        wh.write("marts.cohort", wide)
    (asset,) = [one for one in analysis_assets(house) if one.key == dg.AssetKey(["analysis", name])]
    (check,) = asset(dg.build_asset_context()).check_results
    return check


def test_a_withheld_model_leaves_no_number_and_says_what_to_do(house):
    assert made_on(house, "cox_primary", cohort(n=600)).passed
    with house.open() as wh:
        assert read_analysis(wh, "cox_primary").results.height >= 8
    check = made_on(house, "cox_primary", cohort(n=60))
    assert not check.passed
    assert check.description == "df_budget"
    with house.open() as wh:
        left = read_analysis(wh, "cox_primary")
        assert wh.scalar("select count(*) from analysis.results where analysis = 'cox_primary'") == 0
        assert not [table for table in wh.tables() if table.startswith("analysis.cox_primary")]
    assert left.table.is_empty()
    assert left.reason.startswith("Withheld by a guard: 'cox_primary' asks for 8 coefficients; 60 patients")
    assert left.reason.endswith("State fewer covariates, or wait for more patients.")


def test_what_is_of_a_withheld_model_is_withheld_too(house):
    assert not made_on(house, "cox_univariable", cohort(n=60)).passed
    with house.open() as wh:
        assert read_analysis(wh, "cox_univariable").reason.startswith("Withheld by a guard")


def test_a_curve_that_ends_is_shown_and_its_check_lists_the_verdict(house):
    check = made_on(house, "km_overall", cohort(n=30))
    assert check.passed
    assert "at_risk" in str(check.metadata["1_verdicts"].value)
    assert Path(house.settings.reports / "figures" / "km_overall.svg").exists()


def test_every_analysis_has_one_blocking_guard_and_waits_for_the_model_it_is_of(house):
    for spec, asset in zip(house.protocol.analysis, analysis_assets(house), strict=True):
        (check,) = asset.check_specs
        assert (check.name, check.blocking) == ("guards", True)
        parents = {key.to_user_string() for key in asset.dependency_keys}
        assert "marts/cohort" in parents
        assert not isinstance(spec, OfModel) or f"analysis/{spec.of}" in parents
        assert {f"marts/{name}" for name in spec.reads} <= parents
