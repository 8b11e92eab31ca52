"""Overlap of the definitions and the organs measured: counts over drawn patients, and identities that always hold."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.severity import definition_overlap, organ_failures
from aclf_pipeline_tests.science.cutoffs import ORGANS
from aclf_pipeline_tests.science.test_score_table import FACTORS, UNITS, cohort

DEFINITIONS = ("apasl", "cossh", "easl_clif", "cn_2012")
PATIENTS = """
    apasl cossh easl_clif cn_2012
    yes   yes   ?         yes
    yes   no    no        yes
    yes   ?     yes       no
    no    no    ?         no
    ?     yes   yes       ?
"""
WORDS = {"yes": True, "no": False, "?": None}


def drawn(table: str) -> pl.DataFrame:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return pl.DataFrame(
        [{f"aclf_{name}": WORDS[cell] for name, cell in zip(head, row, strict=True)} for row in rows],
        schema={f"aclf_{name}": pl.Boolean for name in head},
    )


def cell(found: pl.DataFrame, definition: str, other: str) -> tuple[int, ...]:
    one = found.filter((pl.col("definition") == definition) & (pl.col("other") == other))
    return one.select("n", "met", "undecided", "both", "not_other", "other_undecided").row(0)


def test_of_those_who_meet_one_definition_how_many_meet_another() -> None:
    found = definition_overlap({"candidates": drawn(PATIENTS)})
    assert found.height == 16
    assert cell(found, "apasl", "cossh") == (5, 3, 1, 1, 1, 1)
    assert cell(found, "cossh", "apasl") == (5, 2, 1, 1, 0, 1)
    assert cell(found, "easl_clif", "cn_2012") == (5, 2, 2, 0, 1, 1)
    assert cell(found, "apasl", "apasl") == (5, 3, 1, 3, 0, 0)


def test_a_definition_without_a_column_is_open_for_everybody() -> None:
    found = definition_overlap({"cohort": drawn(PATIENTS).drop("aclf_cn_2012")})
    assert cell(found, "cn_2012", "apasl") == (5, 0, 5, 0, 0, 0)
    assert cell(found, "apasl", "cn_2012") == (5, 3, 1, 0, 0, 3)


@given(st.lists(st.tuples(*[st.sampled_from(["yes", "no", "?"])] * 4), max_size=12))
def test_the_matrix_adds_up_whoever_the_patients_are(rows) -> None:
    table = "\n".join([" ".join(DEFINITIONS), *(" ".join(row) for row in rows)])
    found = definition_overlap({"x": drawn(table)})
    both = {(row["definition"], row["other"]): row["both"] for row in found.iter_rows(named=True)}
    for row in found.iter_rows(named=True):
        assert row["both"] + row["not_other"] + row["other_undecided"] == row["met"]
        assert row["met"] + row["undecided"] <= row["n"] == len(rows)
        assert row["both"] == both[(row["other"], row["definition"])]
        assert row["definition"] != row["other"] or row["both"] == row["met"]


def failures(*changes: dict[str, object]) -> tuple[dict[str, tuple[int, ...]], list[tuple[int, ...]]]:
    organs, grades = organ_failures({"cohort": cohort(*changes)}, ORGANS, FACTORS, UNITS)
    counts = organs.select("part", "n", "unmeasured", "bounded", "failing", "may_fail").rows()
    return {row[0]: row[1:] for row in counts}, grades.drop("population").rows()


def test_an_organ_without_a_value_is_unmeasured_and_may_fail() -> None:
    """The drawn patient has liver failure and encephalopathy of grade 1, which is EASL-CLIF grade 1."""
    parts, grades = failures({}, {"spo2": None}, {"he_grade": None}, {"creatinine": None, "dialysis": True})
    assert parts["liver"] == (4, 0, 0, 4, 4)
    assert parts["kidney"] == (4, 0, 0, 1, 1)
    assert parts["brain"] == (4, 1, 1, 0, 1)
    assert parts["respiratory"] == (4, 1, 1, 0, 1)
    assert parts["total"] == (4, 2, 2, 4, 4)
    assert parts["grade"] == (4, 2, 2, 4, 4)
    assert grades == [(1, 1, 1), (1, 2, 2), (2, 2, 1)]


def test_a_value_that_cannot_change_the_grade_leaves_it_exact() -> None:
    failed = {"creatinine": 400.0, "inr": 3.0, "he_grade": 3}
    parts, grades = failures({**failed, "spo2": None, "map": None})
    assert parts["total"][2] == 1
    assert parts["grade"] == (1, 1, 0, 1, 1)
    assert grades == [(3, 3, 1)]


def test_support_stands_for_the_value_of_its_organ() -> None:
    parts, _ = failures({"map": None, "vasopressor": True}, {"map": None, "vasopressor": False}, {"vasopressor": None})
    assert parts["circulation"] == (3, 1, 2, 1, 2)


def test_nobody_gives_empty_counts() -> None:
    organs, grades = organ_failures({"cohort": cohort().clear()}, ORGANS, FACTORS, UNITS)
    assert organs["n"].to_list() == [0] * 8
    assert grades.height == 0
