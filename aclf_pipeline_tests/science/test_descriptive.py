"""Table 1: numbers as R gives them, counts that add up, and missing values that are counted."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.descriptive import table_one
from aclf_pipeline.science.problems import StatisticalProblem
from aclf_pipeline_tests.science.reference import answers, data


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "inr": [1.0, 2.0, 3.0, 4.0, None, float("nan")],
            "female": [True, False, True, None, False, True],
            "antiviral": ["on", "naive", None, "on", "withdrawn", "on"],
            "outcome": ["alive", "alive", "dead", "dead", "dead", None],
        }
    )


def pick(table: pl.DataFrame, variable: str, group: str = "all", level: str | None = None) -> dict[str, object]:
    rows = table.filter((pl.col("variable") == variable) & (pl.col("group") == group))
    if level is not None:
        rows = rows.filter(pl.col("level") == level)
    return rows.row(0, named=True)


def test_numbers_yes_no_and_text(frame):
    table = table_one(frame, ["inr", "female", "antiviral"], by="outcome")
    inr = pick(table, "inr")
    assert (inr["n"], inr["missing"], inr["median"], inr["q1"], inr["q3"]) == (4, 2, 2.5, 1.75, 3.25)
    assert inr["value_text"] == "2.5 (1.75–3.25)"
    assert inr["level"] is None
    female = pick(table, "female")
    assert (female["count"], female["share"], female["n"], female["missing"]) == (3, 0.6, 5, 1)
    assert (female["level"], female["value_text"]) == ("yes", "3 (60.0 %)")
    assert pick(table, "antiviral", level="on")["count"] == 3
    assert pick(table, "antiviral", "dead", "naive")["count"] == 0
    assert table["group"].unique(maintain_order=True).to_list() == ["all", "alive", "dead"]
    assert pick(table, "inr", "dead")["n"] == 2


def test_differences_between_two_groups_only(frame):
    two = table_one(frame, ["inr"], by="outcome")
    assert pick(two, "inr", "dead")["smd"] == pytest.approx((3.5 - 1.5) / 0.5**0.5)
    assert pick(two, "inr")["smd"] is None
    assert table_one(frame, ["inr"], by="antiviral")["smd"].null_count() == 4


def test_an_enum_keeps_its_order(frame):
    ordered = frame.with_columns(pl.col("antiviral").cast(pl.Enum(["withdrawn", "on", "naive"])))
    assert table_one(ordered, ["antiviral"])["level"].to_list() == ["withdrawn", "on", "naive"]


def test_nothing_measured_is_said(frame):
    empty = frame.with_columns(inr=pl.lit(None, pl.Float64), female=pl.lit(None, pl.Boolean))
    table = table_one(empty, ["inr", "female"])
    assert table["value_text"].to_list() == ["no value", "no value"]
    assert table["missing"].to_list() == [6, 6]
    assert table["median"].to_list() == [None, None]


def test_no_patients():
    table = table_one(pl.DataFrame({"inr": []}, schema={"inr": pl.Float64}), ["inr"])
    assert (table["n"].item(), table["missing"].item()) == (0, 0)


def test_misprints_and_types_that_cannot_be_described(frame):
    with pytest.raises(StatisticalProblem, match="'irn'"):
        table_one(frame, ["irn"])
    with pytest.raises(StatisticalProblem, match="'day' is Date"):
        table_one(frame.with_columns(day=pl.date(2015, 1, 1)), ["day"])


@pytest.mark.parametrize("variable", ["age", "bili", "albumin", "protime", "platelet", "chol"])
def test_numbers_equal_r(variable):
    """R 4.2.2: mean, sd, quantile(type = 7) and SMD of the pbc data by transplant-free survival."""
    expected = answers("20_table1_tests")[variable]
    table = table_one(data("pbc"), [variable], by="tfs")
    rows = [pick(table, variable, group) for group in ("0", "1")]
    for ours, theirs in (("mean", "mean"), ("sd", "sd"), ("median", "median"), ("q1", "q25"), ("q3", "q75")):
        assert [row[ours] for row in rows] == pytest.approx(expected[theirs], abs=1e-8), ours
    assert rows[0]["smd"] == pytest.approx(expected["smd"], abs=1e-8)
    assert pick(table, variable)["missing"] == expected["nmiss"]


@pytest.mark.parametrize("variable", ["ascites", "hepato", "spiders", "stage"])
def test_counts_equal_r(variable):
    """R's table() of the pbc data by transplant-free survival: one row per level, one column per group."""
    expected = answers("20_table1_tests")[variable]["table"]
    frame = data("pbc").with_columns(pl.col(variable).cast(pl.Int64).cast(pl.String))
    table = table_one(frame, [variable], by="tfs")
    counts = [
        [pick(table, variable, group, level)["count"] for group in ("0", "1")]
        for level in table["level"].unique().sort()
    ]
    assert counts == expected


@given(rows=st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from(["x", "y", "z", None])), min_size=1))
def test_counts_add_up(rows):
    frame = pl.DataFrame(
        {"v": [v for v, _ in rows], "g": [g for _, g in rows]}, schema={"v": pl.String, "g": pl.String}
    )
    table = table_one(frame, ["v"], by="g")
    for (group,), part in table.group_by("group"):
        size = frame.height if group == "all" else (frame["g"] == group).sum()
        assert part["count"].sum() == part["n"][0]
        assert part["n"][0] + part["missing"][0] == size
        if part["n"][0]:
            assert part["share"].sum() == pytest.approx(1)
