"""A hospital beside its truth: without damage nothing differs, with damage the ledger speaks of what does."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from aclf_pipeline.bench.agreement import Told, compare, errors_of, told
from aclf_pipeline.bench.hospital import Judged, judge_hospital

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("agreement")]
PERSONS, SEED = 120, 5


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Judged, Told]:
    judged = judge_hospital(tmp_path_factory.mktemp("clean"), persons=PERSONS, seed=SEED, profile="clean")
    return judged, told(judged)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Judged, Told]:
    judged = judge_hospital(tmp_path_factory.mktemp("standard"), persons=PERSONS, seed=SEED, profile="standard")
    return judged, told(judged)


def test_nothing_differs_in_a_hospital_without_damage(clean: tuple[Judged, Told]) -> None:
    judged, found = clean
    assert found.persons.filter("eligible").height > 0
    assert compare(judged, found, errors_of(found)).rows() == []


def test_every_difference_in_a_damaged_hospital_has_a_line_in_the_ledger(
    clean: tuple[Judged, Told], damaged: tuple[Judged, Told]
) -> None:
    judged, found = damaged
    differing = compare(judged, found, errors_of(clean[1]))
    assert differing.height > 0
    assert differing.filter(pl.col("lines") == "").rows() == []


def test_a_difference_that_the_ledger_does_not_speak_of_is_told(clean: tuple[Judged, Told]) -> None:
    judged, found = clean
    person = found.persons.filter("eligible")["patient_id"][0]
    other = pl.when(pl.col("patient_id") == person).then(pl.col("sodium") * 2).otherwise("sodium")
    changed = replace(found, persons=found.persons.with_columns(other), ledger=found.ledger.clear())
    ((who, what, _, _, lines),) = compare(judged, changed, errors_of(found)).rows()
    assert (who, what, lines) == (person, "sodium", "")
