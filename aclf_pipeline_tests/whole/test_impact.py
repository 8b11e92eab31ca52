"""What a rule changes is found out by the whole pipeline, leaves nothing behind, and looks at no outcome unasked."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.assets.house import House
from aclf_pipeline.assets.impact import ImpactReport, Unblinding, impact_report, impact_tables
from aclf_pipeline.errors import UserError
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.release import content_digest

pytestmark = pytest.mark.xdist_group("standard")

LEDGER = "select table_name, estimated_size from duckdb_tables() where schema_name in ('core', 'quality', 'marts')"


@pytest.fixture(scope="module")
def house(standard) -> House:
    return House.load(standard.settings)


def state(house: House) -> tuple[str, list[tuple[str, int]]]:
    with house.open() as wh:
        return content_digest(wh), sorted(wh.rows(LEDGER))


@pytest.fixture(scope="module")
def before(house) -> tuple[str, list[tuple[str, int]]]:
    return state(house)


@pytest.fixture(scope="module")
def blind(house, before) -> ImpactReport:
    rules = ["diagnoses_pregnancy_fits_sex", "medications_infusion_in_ledger", "labs_received_after_collected"]
    return impact_report(house, rules)


def test_another_answer_to_a_question_moves_the_cohort(blind):
    moved = {(i.rule_id, i.what): (i.entering, i.leaving, i.changed) for i in blind.impacts}
    assert moved["diagnoses_pregnancy_fits_sex", "pregnant"][1] >= 1
    assert sum(moved["medications_infusion_in_ledger", "not_given"]) >= 1


def test_a_rule_that_nothing_breaks_changes_nothing(blind):
    (idle,) = (i for i in blind.impacts if i.rule_id == "labs_received_after_collected")
    assert (idle.what, idle.entering, idle.leaving, idle.changed) == ("switched off", 0, 0, 0)
    assert "labs_received_after_collected" not in blind.touched["rule_id"].to_list()


def test_a_rehearsal_leaves_the_warehouse_as_it_was(house, before, blind):
    assert blind.impacts
    assert state(house) == before


def test_without_unblinding_no_outcome_is_read_or_told(house, blind):
    assert blind.by_outcome is None
    assert all(i.events is None and i.hazard_ratios is None for i in blind.impacts)
    shown = {name for _, frame in impact_tables(blind) for name in frame.columns}
    assert not shown & {"events", "hr", "event"}
    with house.open() as wh:
        assert wh.scalar("select count(*) from quality.unblindings") == 0


def test_touched_persons_are_no_more_than_there_are(house, blind):
    with house.open() as wh:
        candidates = wh.scalar("select count(*) from marts.candidates")
        members = wh.scalar("select count(*) from marts.cohort")
    assert blind.touched["candidates"].max() <= candidates
    assert 0 < blind.touched["members"].max() <= members
    assert (blind.touched["members"] <= blind.touched["candidates"]).all()


def test_looking_at_the_outcome_needs_a_reason_and_is_kept(house):
    with pytest.raises(UserError, match="needs --reason and --by"):
        impact_report(house, [], unblinding=Unblinding(" ", "statistician"))
    report = impact_report(house, ["diagnoses_pregnancy_fits_sex"], unblinding=Unblinding("planned", "statistician"))
    assert report.by_outcome is not None
    (impact,) = report.impacts
    assert impact.events is not None
    assert impact.hazard_ratios is not None
    assert impact.hazard_ratios.filter(pl.col("hr").is_not_null()).height >= 8
    with house.open() as wh:
        assert wh.rows("select what, reason, by_whom from quality.unblindings") == [
            ("aclf impact diagnoses_pregnancy_fits_sex", "planned", "statistician")
        ]


def test_an_unknown_rule_is_told_with_the_likeliest_one(house):
    with pytest.raises(UserError, match=r"there is no rule 'labs_unit_knwon'. Did you mean 'labs_unit_known'\?"):
        impact_report(house, ["labs_unit_knwon"])


def test_a_rehearsal_within_a_transaction_is_refused(tmp_path):
    with (
        Warehouse.open(tmp_path / "w.duckdb") as wh,
        wh.transaction(),
        pytest.raises(UserError, match="within a transaction"),
        wh.rehearsal(),
    ):
        pass
