"""Results in the protocol's terms: what a repaired or declared unit makes of a number, and on what evidence."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline_tests.marts.world import World


def harmonised(world: World) -> dict[int, dict[str, object]]:
    return {row["_row_id"]: row for row in world.build("intermediate.labs").to_dicts()}


def test_a_unit_that_was_put_right_converts_and_keeps_what_was_submitted_and_why() -> None:
    world = World()
    world.patient("R1")
    row = world.lab(
        "R1", "bilirubin_total", "2014-03-01 06:00", 20.0, unit="mg/dL", unit_text="μmol/L", ref_text="0-1.35"
    )
    world.repairs.append(("labs", "labs_unit_put_right", row, "unit", "umol/L", "mg/dL"))
    got = harmonised(world)[row]
    assert got["value"] == pytest.approx(342.08)
    assert (got["unit"], got["value_text"], got["unit_text"], got["ref_text"]) == ("umol/L", "20.0", "μmol/L", "0-1.35")
    assert (got["factor"], got["unit_evidence"], got["unit_confidence"]) == (17.104, "two signals agree", "strong")


def test_a_declared_unit_converts_on_the_evidence_of_the_print_and_the_usual_one_needs_none() -> None:
    world = World()
    world.patient("R1")
    declared = world.lab("R1", "creatinine", "2014-03-01 06:00", 1.0, unit="mg/dL", unit_text="mg/dL")
    usual = world.lab("R1", "creatinine", "2014-03-02 06:00", 88.0)
    got = harmonised(world)
    assert got[declared]["value"] == pytest.approx(88.42)
    assert str(got[declared]["unit_evidence"]).startswith("the unit is printed")
    assert (got[declared]["unit_confidence"], got[usual]["unit_evidence"]) == ("strong", None)


def test_a_unit_that_was_filled_in_makes_a_number_usable() -> None:
    world = World()
    world.patient("R1")
    filled = world.lab("R1", "bilirubin_total", "2014-03-01 06:00", 380.0, unit="umol/L", unit_text=None)
    lacking = world.lab("R1", "bilirubin_total", "2014-03-02 06:00", 380.0, unit=None, unit_text=None)
    world.repairs.append(("labs", "labs_unit_filled_in", filled, "unit", None, "umol/L"))
    got = harmonised(world)
    assert (got[filled]["verdict"], got[filled]["value"], got[lacking]["verdict"]) == ("used", 380.0, "unknown_unit")


def test_every_result_carries_the_assay_it_was_measured_by() -> None:
    world = World()
    world.patient("R1")
    row = world.lab("R1", "creatinine", "2014-03-01 06:00", 88.0, assay_era="creatinine_jaffe")
    assert harmonised(world)[row]["assay_era"] == "creatinine_jaffe"


@pytest.mark.parametrize(("choice", "kept"), [("other_evidence", True), ("lost", False)])
def test_a_decision_that_hbsag_was_lost_takes_its_evidence_away(choice: str, kept: bool) -> None:
    world = World().eligible("R1")
    world.case("hbsag_at_baseline", "R1", choice)
    evidence = world.build("intermediate.hbsag_evidence")
    assert (evidence.filter(pl.col("evidence") == "history").height == 1) == kept
    assert evidence.is_empty() != kept
