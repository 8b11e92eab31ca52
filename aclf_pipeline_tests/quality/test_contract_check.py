"""A finished table is held to its contract strictly, and what is wrong is said without showing a value."""

from __future__ import annotations

from typing import ClassVar

import polars as pl
import pytest

from aclf_pipeline.contracts import Contract
from aclf_pipeline.contracts.base import column
from aclf_pipeline.quality.contract_check import check_table


class Cohort(Contract):
    """A mart."""

    candidate_id: str = column("Key", unique=True)
    variable: str = column("Variable")
    sex: str = column("Sex", null=True, within=("female", "male"))
    score: float = column("Score")

    class Config:
        """One row per candidate and variable."""

        metadata: ClassVar = {"grain": "one row per candidate and variable", "key": ["candidate_id", "variable"]}


class Provenance(Cohort):
    """A mart with a key of two columns."""

    candidate_id: str = column("Key")


GOOD = pl.DataFrame(
    {"candidate_id": ["a", "b"], "variable": ["x", "x"], "sex": ["male", None], "score": [1.0, 2.0]},
    schema_overrides={"sex": pl.String},
)


def test_a_table_that_keeps_its_contract_has_no_problem() -> None:
    assert check_table(GOOD, Cohort) == []
    assert check_table(GOOD.clear(), Cohort) == []


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (GOOD.drop("sex"), ["column 'sex' is missing."]),
        (GOOD.with_columns(zzz=1), ["column 'zzz' is not promised."]),
        (GOOD.with_columns(pl.col("score").cast(pl.Int64)), ["column 'score' is Int64, promised is Float64"]),
        (
            GOOD.with_columns(sex=pl.lit("SECRET")),
            ["column 'sex' is none of female, male in 2 of 2 rows"],
        ),
        (
            GOOD.with_columns(score=pl.lit(None, pl.Float64)),
            ["column 'score' is missing in 2 of 2 rows; it is promised in every row"],
        ),
        (
            GOOD.with_columns(candidate_id=pl.lit("SECRET")),
            ["column 'candidate_id' repeats a value in 2 of 2 rows; it is promised to be unique",
             "the key (candidate_id, variable) repeats in 2 of 2 rows"],
        ),
    ],
)  # fmt: skip
def test_each_breach_is_one_sentence_with_counts_and_no_value(frame: pl.DataFrame, told: list[str]) -> None:
    assert check_table(frame, Cohort) == told
    assert "SECRET" not in str(check_table(frame, Cohort))


def test_a_key_of_several_columns_may_repeat_in_each_but_not_in_all() -> None:
    twice = pl.concat([GOOD, GOOD.with_columns(variable=pl.lit("y"))])
    assert check_table(twice, Provenance) == []
    assert check_table(pl.concat([GOOD, GOOD]), Provenance) == [
        "the key (candidate_id, variable) repeats in 4 of 4 rows"
    ]
