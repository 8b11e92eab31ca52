"""Association of damage with a yes/no of persons: worked examples, and silence where few would be told of."""

from __future__ import annotations

from math import comb
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.quality.association import FEWEST, associations, later_era, primary_event
from aclf_pipeline.warehouse.connection import Warehouse


@pytest.fixture
def wh(tmp_path: Path):
    with Warehouse.open(tmp_path / "w.duckdb") as warehouse:
        yield warehouse


def stage(wh: Warehouse, *, violated: int, missing: int, excluded: int, members: int = 40) -> None:
    """Members 0… of a cohort, then as many others; the first of each are violated, missing and excluded."""
    ids = [f"C{i}" for i in range(2 * members)]
    wh.write("marts.candidates", pl.DataFrame({"candidate_id": ids, "person_id": ids}).with_columns(
        index_at=pl.datetime(2010, 1, 1).dt.offset_by(pl.format("{}y", pl.int_range(pl.len()) % 8))
    ))  # fmt: skip
    wh.write("intermediate.persons", pl.DataFrame({"patient_id": ids, "person_id": ids}))
    wh.write(
        "marts.cohort",
        pl.DataFrame({"candidate_id": ids[:members], "inr": [None if i < missing else 1.5 for i in range(members)]}),
    )
    reasons = [None] * members + ["hcv" if i < excluded else "no_infusion" for i in range(members)]
    wh.write("marts.eligibility", pl.DataFrame({"candidate_id": ids, "exclusion_reason": reasons}))
    rows = pl.DataFrame({"patient_id": ids[:violated]}).with_columns(
        rule_id=pl.lit("a_rule"), refresh_id=pl.lit("r"), table_name=pl.lit("labs"), rule_fingerprint=pl.lit("f"),
        action=pl.lit("flag"), protocol_digest=pl.lit("d"), _row_id=pl.int_range(pl.len(), dtype=pl.Int64),
    )  # fmt: skip
    wh.append("quality.violations", rows)


def against(yes: set[int], n: int = 80) -> pl.DataFrame:
    return pl.DataFrame({"candidate_id": [f"C{i}" for i in range(n)], "yes": [i in yes for i in range(n)]})


def test_shares_odds_and_fishers_p_are_those_of_the_table(wh):
    stage(wh, violated=10, missing=0, excluded=0)
    # 8 of 10 with the violation, 2 of 30 without: odds ratio 56; no table as unlikely lies on the other side
    p = sum(comb(10, k) * comb(30, 10 - k) for k in (8, 9, 10)) / comb(40, 10)
    found = associations(wh, against({*range(8), 20, 21}), ["inr"])
    row = found.row(by_predicate=pl.col("what") == "a_rule", named=True)
    assert (row["with_it"], row["without_it"]) == (10, 30)
    assert row["share_with"] == pytest.approx(0.8)
    assert row["share_without"] == pytest.approx(2 / 30)
    assert row["odds_ratio"] == pytest.approx(56.0)
    assert row["p"] == pytest.approx(p)


@pytest.mark.parametrize("few", range(FEWEST))
def test_few_persons_are_not_told_of(wh, few):
    stage(wh, violated=few, missing=few, excluded=few)
    told = associations(wh, against({1, 2}), ["inr"])
    assert not {"a_rule", "inr", "hcv"} & set(told["what"])


def test_missing_values_and_exclusions_are_compared_too(wh):
    stage(wh, violated=0, missing=20, excluded=20)
    found = associations(wh, against(set(range(20))), ["inr", "not_a_column"])
    kinds = dict(zip(found["what"], found["kind"], strict=True))
    assert kinds["inr"] == "missing"
    assert kinds["hcv"] == "exclusion"
    assert found.row(by_predicate=pl.col("what") == "inr", named=True)["share_without"] == 0


def test_q_is_never_below_p(wh):
    stage(wh, violated=15, missing=12, excluded=9)
    found = associations(wh, against({1, 3, 5, 50}), ["inr"])
    assert (found["q"] >= found["p"] - 1e-12).all()


def test_nothing_to_compare_is_an_empty_table(wh):
    stage(wh, violated=0, missing=0, excluded=40)
    assert associations(wh, against({1}), []).height in (0, 1)


def test_the_later_era_begins_at_the_middle_year(wh):
    stage(wh, violated=0, missing=0, excluded=0)
    era, first = later_era(wh)
    assert first == 2014
    assert era["yes"].sum() == 40


@pytest.mark.parametrize(
    ("event", "days", "died"),
    [("death", 100.0, True), ("death", 200.0, False), ("censored", 100.0, None), ("censored", 200.0, False),
     ("transplant", 100.0, None)],
)  # fmt: skip
def test_who_was_not_followed_to_the_horizon_is_unknown(wh, event, days, died):
    wh.write("marts.cohort", pl.DataFrame({"candidate_id": ["C"], "event": [event], "event_days": [days]}))
    assert primary_event(wh, 168)["yes"].to_list() == [died]
