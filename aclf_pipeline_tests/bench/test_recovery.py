"""The recovery bench draws from the simulator's own hazards, counts what fails, and says what does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from aclf_pipeline.bench.cli import app
from aclf_pipeline.bench.recovery import (
    INFUSIONS,
    Estimate,
    Followed,
    Seed,
    episodes,
    failures,
    followed,
    one_seed,
    recover,
    summary,
    truths,
)
from aclf_pipeline.bench.recovery_table import as_json, table, verdicts
from aclf_pipeline.simulate.world import build_world

TIME_VARYING, LANDMARK, WRONG = INFUSIONS


def test_the_eligible_are_followed_as_the_simulator_drew_them() -> None:
    world = build_world(600, 3)
    people = followed(world)
    eligible = [person for person in world.persons if not person.reasons]
    assert len(people.days) == len(eligible)
    assert people.died.sum() == sum(person.event == "death" for person in eligible)
    for person, days, died, infusions in zip(eligible, people.days, people.died, people.infusions, strict=True):
        zero = person.time_zero or 0
        if died:
            assert days == (person.death or 0) - zero
        assert len(infusions) == len(person.infusions) - 2
        assert (infusions > 0).all()
    assert people.design.shape == (len(eligible), len(people.names))
    assert len(truths()) == len(people.names) + 1, "one effect changes with time"


def test_follow_up_is_cut_at_each_infusion() -> None:
    """
    person  days  died  infusions     episodes (start, stop, death, infusions so far)
    0       20    yes   7, 14         0–7 0 0, 7–14 0 1, 14–20 1 2
    1       5     no    7             0–5 0 0: it was never given while followed
    2       7     yes   7             0–7 1 0: given on the day of death, it comes after
    """
    people = Followed(
        np.array([20.0, 5.0, 7.0]), np.array([True, False, True]), np.zeros((3, 1)), ("x",),
        (np.array([7.0, 14.0]), np.array([7.0]), np.array([7.0])),
    )  # fmt: skip
    rows = [tuple(float(value) for value in row) for row in zip(*episodes(people), strict=True)]
    assert rows == [(0, 0, 7, 0, 0), (0, 7, 14, 0, 1), (0, 14, 20, 1, 2), (1, 0, 5, 0, 0), (2, 0, 7, 1, 0)]


def test_bias_and_coverage_by_hand() -> None:
    """Truth 0; estimates 0.1, 0.2, 0.6 with standard errors 0.1, 0.05, 0.4: two of three intervals hold it."""
    found = [
        Seed(k, 10, 5, (Estimate(LANDMARK, coef, se),), ())
        for k, (coef, se) in enumerate([(0.1, 0.1), (0.2, 0.05), (0.6, 0.4)])
    ]
    (row,) = summary(found)
    assert (row.term, row.truth, row.seeds) == (LANDMARK, 0, 3)
    assert (row.bias, row.coverage) == (pytest.approx(0.3), pytest.approx(2 / 3))
    assert row.sd == pytest.approx(np.std([0.1, 0.2, 0.6], ddof=1))
    assert row.bias_error == pytest.approx(row.sd / 3**0.5)
    assert row.coverage_error == pytest.approx((2 / 9 / 3) ** 0.5)
    says = {what.split(":")[0]: holds for holds, what in verdicts([row], found)}
    assert says[f"infusions without effect, {LANDMARK}"] is False, "0.3 is not less than 0.05"


def test_fits_that_fail_are_counted_and_shown() -> None:
    """Eighteen people and sixteen coefficients."""
    found = recover(100, [1, 2])
    assert [seed.seed for seed in found] == [1, 2]
    assert sum(failures(found).values()) > 0
    assert all("Cox model" in reason for reason in failures(found))
    holds, says = list(verdicts(summary(found), found))[-1]
    assert not holds
    assert "failed fits" in says


def test_a_seed_is_the_same_hospital_again() -> None:
    assert one_seed(600, 5) == one_seed(600, 5)
    assert one_seed(600, 5).estimates != one_seed(600, 6).estimates


def test_the_command_tells_everything(tmp_path: Path) -> None:
    file = tmp_path / "recovery.json"
    ran = CliRunner().invoke(
        app, ["recovery", "--seeds", "2", "--persons", "900", "--workers", "1", "--json", str(file)]
    )
    assert "2 hospitals of 900 persons" in ran.output
    told = json.loads(file.read_text("utf-8"))
    assert told["seeds"] == [1, 2]
    assert {row["term"] for row in told["summary"]} <= {*truths(), *INFUSIONS}
    assert all(row["estimates"] for row in told["estimates"])
    refused = CliRunner().invoke(app, ["recovery", "--seeds", "1"])
    assert refused.exit_code == 2
    assert "says nothing of bias" in refused.output


@pytest.mark.slow
def test_the_simulators_hazard_ratios_come_back() -> None:
    """The first hundred and twenty hospitals of the bench's own series, which draws two hundred and more."""
    found = recover(2500, range(1, 121))
    rows = {row.term: row for row in summary(found)}
    assert failures(found) == {}
    for term, truth in truths().items():
        assert abs(rows[term].mean - truth) < 4 * rows[term].bias_error, term
    assert np.mean([rows[term].coverage for term in truths()]) == pytest.approx(0.95, abs=0.02)
    for term in (TIME_VARYING, LANDMARK):
        assert abs(rows[term].mean) < 0.05 + 2 * rows[term].bias_error
    assert rows[WRONG].mean < -0.4, "immortal time"
    shown = Console(width=160, record=True)
    shown.print(table(list(rows.values()), found, 2500))
    assert "he_grade > 0 to day 90" in shown.export_text()
    assert json.loads(as_json(found, 2500))["persons"] == 2500
