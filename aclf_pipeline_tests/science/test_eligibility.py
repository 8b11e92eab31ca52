"""Eligibility: who stays, why the others do not, and counts that add up."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.science.eligibility import CriteriaError, Criterion, apply_criteria
from aclf_pipeline_tests.science.drawing import draw

CRITERIA = [
    Criterion("adult", "18 years or older", "age_years >= 18"),
    Criterion("aclf", "ACLF by the chosen definition", "aclf"),
    Criterion("infusions", "more than one infusion", "infusions >= 2"),
    Criterion("no_cancer", "no malignancy", "not malignancy"),
]


def test_a_drawn_cohort():
    candidates = draw(
        """
        candidate_id | age_years | aclf | infusions | malignancy
        a            | 40        | yes  | 4         | no
        b            | 17        | yes  | 4         | no
        c            | 40        | no   | 1         | no
        d            | 40        | yes  | 1         | yes
        e            |           | yes  | 2         | no
        f            | 18        |      | 2         | yes
        """,
        age_years=pl.Float64,
        infusions=pl.Int64,
        aclf=pl.Boolean,
        malignancy=pl.Boolean,
    )
    verdict, attrition = apply_criteria(candidates, CRITERIA)
    assert verdict["candidate_id"].to_list() == list("abcdef")
    assert verdict["eligible"].to_list() == [True, False, False, False, False, False]
    assert verdict["exclusion_reason"].to_list() == [None, "adult", "aclf", "infusions", "adult", "aclf"]
    assert verdict["exclusion_reasons"].to_list() == [
        [],
        ["adult"],
        ["aclf", "infusions"],
        ["infusions", "no_cancer"],
        ["adult"],
        ["aclf", "no_cancer"],
    ]
    assert verdict["criteria_mask"].to_list() == [0, 1, 2 + 4, 4 + 8, 1, 2 + 8]
    drawn = draw(
        """
        step | criterion | entering | leaving | left | failing_alone | failing_any
        1    | adult     | 6        | 2       | 4    | 2             | 2
        2    | aclf      | 4        | 2       | 2    | 0             | 2
        3    | infusions | 2        | 1       | 1    | 0             | 2
        4    | no_cancer | 1        | 0       | 1    | 0             | 2
        """
    )
    counts = attrition.drop("says").cast(pl.String)
    assert counts.equals(drawn)
    assert attrition["says"][0] == "18 years or older"


def test_nan_is_not_met_though_polars_thinks_it_large():
    candidates = pl.DataFrame({"candidate_id": ["a"], "age_years": [float("nan")]})
    assert apply_criteria(candidates, CRITERIA[:1])[0]["eligible"].to_list() == [False]


def test_every_misprint_is_named_at_once_with_a_suggestion():
    candidates = pl.DataFrame({"candidate_id": ["a"], "age_years": [40], "infusions": [2]})
    criteria = [
        Criterion("adult", "", "age_yaers >= 18"),
        Criterion("infusions", "", "infusions >="),
        Criterion("number", "", "infusions + 1"),
        Criterion("type", "", "infusions like 'x'"),
        Criterion("number", "", "infusions > 1"),
    ]
    with pytest.raises(CriteriaError) as caught:
        apply_criteria(candidates, criteria)
    message = str(caught.value)
    assert "'adult' asks for column 'age_yaers'" in message
    assert "Did you mean 'age_years'?" in message
    assert "They have: candidate_id, age_years, infusions" in message
    assert "'infusions' says 'infusions >='" in message
    assert "'number' says 'infusions + 1', which gives Int" in message
    assert "'type' says" in message
    assert "'number' is stated 2 times" in message


@pytest.mark.parametrize("keys", [["a", "a"], ["a", None]])
def test_a_key_must_name_one_candidate(keys):
    with pytest.raises(CriteriaError, match="the key 'candidate_id' is"):
        apply_criteria(pl.DataFrame({"candidate_id": keys, "age_years": [1, 2]}), CRITERIA[:1])


def test_more_criteria_than_bits_are_refused():
    many = [Criterion(f"c{i}", "", "age_years > 1") for i in range(64)]
    with pytest.raises(CriteriaError, match="at most 63"):
        apply_criteria(pl.DataFrame({"candidate_id": ["a"], "age_years": [40]}), many)


def test_the_last_bit_and_no_criteria():
    candidates = pl.DataFrame({"candidate_id": ["a", "b"], "age_years": [40, 10]})
    many = [Criterion(f"c{i}", "", "age_years > 1") for i in range(62)] + CRITERIA[:1]
    assert apply_criteria(candidates, many)[0]["criteria_mask"].to_list() == [0, 2**62]
    verdict, attrition = apply_criteria(candidates, [])
    assert verdict["eligible"].to_list() == [True, True]
    assert verdict["exclusion_reasons"].to_list() == [[], []]
    assert attrition.height == 0


def test_no_candidates_and_a_criterion_without_columns():
    candidates = pl.DataFrame({"candidate_id": ["a", "b"], "age_years": [40, 10]})
    verdict, attrition = apply_criteria(candidates, [Criterion("none", "nobody", "false")])
    assert verdict["eligible"].to_list() == [False, False]
    verdict, attrition = apply_criteria(candidates.clear(), CRITERIA[:1])
    assert verdict.height == 0
    assert attrition.select("entering", "left").row(0) == (0, 0)


flags = st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 4), max_size=20)


@given(rows=flags)
def test_ordered_and_unordered_counts_agree(rows):
    candidates = pl.DataFrame(
        {"candidate_id": [str(i) for i in range(len(rows))], **{f"x{k}": [row[k] for row in rows] for k in range(4)}},
        schema={"candidate_id": pl.String, **{f"x{k}": pl.Boolean for k in range(4)}},
    )
    verdict, attrition = apply_criteria(candidates, [Criterion(f"c{k}", "", f"x{k}") for k in range(4)])
    assert attrition["left"][-1] == verdict["eligible"].sum()
    assert attrition["leaving"].sum() == (~verdict["eligible"]).sum()
    assert attrition["entering"][1:].to_list() == attrition["left"][:-1].to_list()
    for row in attrition.iter_rows(named=True):
        name, bit = row["criterion"], 1 << (row["step"] - 1)
        assert row["leaving"] == (verdict["exclusion_reason"] == name).sum()
        assert row["failing_any"] == verdict["exclusion_reasons"].list.contains(name).sum()
        assert row["failing_any"] == sum(bool(mask & bit) for mask in verdict["criteria_mask"])
        assert row["failing_alone"] == (verdict["criteria_mask"] == bit).sum()
        assert row["failing_alone"] <= row["leaving"] <= row["failing_any"]
    assert (verdict["eligible"] == (verdict["criteria_mask"] == 0)).all()
    assert (verdict["eligible"] == verdict["exclusion_reason"].is_null()).all()
