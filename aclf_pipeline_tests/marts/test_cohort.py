"""The cohort: who is in, what happened first, and why every value is what it is."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import Protocol
from aclf_pipeline.science.cohort import CohortTables, assemble, score_factors, variable_units
from aclf_pipeline.science.score_registry import SCORES
from aclf_pipeline_tests.marts.world import STUDY, World

AS_OF = date(2019, 10, 31)


def protocol() -> Protocol:
    """Two criteria, two scores and the units they need."""
    analyte = {"says": "…", "because": "…"}
    criterion = {"says": "…", "because": "…"}
    baseline = {"says": "…", "table": "labs", "days_before": 3, "pick": "nearest"}
    return Protocol.model_validate(
        {
            "analytes": {
                "bilirubin_total": {"id": "bilirubin_total", "unit": "umol/L", "accepts": {"mg/dL": 17.104}, **analyte},
                "creatinine": {"id": "creatinine", "unit": "umol/L", "accepts": {"mg/dL": 88.42}, **analyte},
                "inr": {"id": "inr", "unit": "1", **analyte},
            },
            "definitions": {}, "rules": {}, "waivers": [], "codelists": {}, "analysis": [], "digest": "…",
            "study": {
                "id": STUDY, "title": "…", "source": "his", "as_of": AS_OF, "time_zero": "…", "parameters": {},
                "baseline": {
                    "bilirubin_total": {"analyte": "bilirubin_total", **baseline},
                    "creatinine": {"analyte": "creatinine", **baseline},
                    "inr": {"analyte": "inr", **baseline},
                    "map": {**baseline, "table": "vitals", "item": "map"},
                },
                "eligibility": [
                    {"id": "one_infusion", "keep": "infusions_in_course >= 2", **criterion},
                    {"id": "hcv", "keep": "not has_hcv", **criterion},
                ],
                "endpoints": {"death_28d": {"says": "…", "event": "death", "horizon_days": 28, "primary": True}},
                "scores": ["meld"], "covariates": {},
            },
        }
    )  # fmt: skip


def assembled(world: World) -> CohortTables:
    con = world.open()
    return assemble(con.sql("from marts.candidates").pl(), con.sql("from intermediate.facts").pl(), protocol(), AS_OF)


def measured() -> World:
    """The eligible patient with a full MELD on the day of time zero, 12 March 2014."""
    world = World().eligible()
    for analyte, value in (("bilirubin_total", 71.8368), ("creatinine", 167.998), ("inr", 1.2)):
        world.lab("R1", analyte, "2014-03-12 06:00", value)
    return world


def test_the_eligible_are_in_and_the_others_have_all_their_reasons() -> None:
    world = measured()
    world.patient("R2")
    world.stay("R2", "2014-03-01 10:00", "2014-03-31 10:00")
    world.add("infusions", patient_id="R2", infused_on="2014-03-05")
    world.lab("R2", "hcv_ab", "2014-03-02 08:00", 5.0)
    made = assembled(world)
    assert made.cohort["candidate_id"].to_list() == ["R1"]
    assert made.eligibility["exclusion_reasons"].to_list() == [[], ["one_infusion", "hcv"]]
    assert made.attrition.select("criterion", "leaving", "left").rows() == [("one_infusion", 1, 1), ("hcv", 0, 1)]
    assert made.cohort_provenance["candidate_id"].unique().to_list() == ["R1"]


def test_scores_are_computed_in_the_unit_of_their_formula() -> None:
    """Creatinine 1.9 and bilirubin 4.2 mg/dL with INR 1.2 give 20 (ampel-leipzig/ameld e12cd00, test_meld.R)."""
    world = measured()
    assert assembled(world).cohort["meld"].to_list() == [20.0]


def test_a_missing_input_leaves_the_score_missing() -> None:
    world = measured()
    world.rows["labs"] = [row for row in world.rows["labs"] if row["value"] != 1.2]
    made = assembled(world)
    assert made.cohort["meld"].to_list() == [None]
    line = made.cohort_provenance.filter(pl.col("variable") == "meld").row(0, named=True)
    assert line["explanation"].startswith("MELD before the sodium term not computable (missing: inr)")


def test_a_score_carries_the_rows_of_everything_it_was_made_of() -> None:
    world = measured()
    rows = {row["value"]: row["_row_id"] for row in world.rows["labs"]}
    made = assembled(world)
    line = made.cohort_provenance.filter(pl.col("variable") == "meld").row(0, named=True)
    assert set(line["row_ids"]) == {rows[71.8368], rows[1.2], rows[167.998]}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, ("censored", date(2014, 3, 31), 19)),
        ({"death": "2014-05-01"}, ("death", date(2014, 5, 1), 50)),
        ({"transplant": "2014-04-01", "death": "2014-05-01"}, ("transplant", date(2014, 4, 1), 20)),
        ({"death": "2019-11-05"}, ("censored", AS_OF, 2059)),
    ],
)
def test_what_happened_first_is_the_event(event: dict[str, str], expected: tuple[Any, ...]) -> None:
    world = measured()
    if "death" in event:
        world.add("deaths", patient_id="R1", died_from=event["death"], died_to=event["death"])
    if "transplant" in event:
        world.add("procedures", patient_id="R1", category="liver_transplant", started_at=event["transplant"])
    cohort = assembled(world).cohort
    assert cohort.select("event", "event_on", "event_days").row(0) == expected


def test_a_death_known_as_an_interval_counts_on_its_middle_day_and_keeps_the_interval() -> None:
    world = measured()
    world.add(
        "deaths", patient_id="R1", died_from="2014-04-30", died_to="2014-04-30", information_source="household_register"
    )
    made = assembled(world)
    found = made.cohort.select("event", "event_from", "event_on", "event_to", "death_on").row(0)
    assert found == ("death", date(2014, 3, 31), date(2014, 4, 15), date(2014, 4, 30), None)
    line = made.cohort_provenance.filter(pl.col("variable") == "event").row(0, named=True)
    assert line["row_ids"] == [world.rows["deaths"][0]["_row_id"]]
    assert line["explanation"].startswith(
        "death on 2014-04-15, 34 days after time zero; died from 2014-03-31 to 2014-04-30"
    )


def test_a_transplant_told_by_the_month_counts_on_the_middle_of_it() -> None:
    world = measured()
    month = {"transplanted_on": "2014-04-01", "transplanted_to": "2014-04-30", "transplant": "yes"}
    world.add("followups", patient_id="R1", called_on="2014-09-01", vital_status="alive_after_transplant", **month)
    found = assembled(world).cohort.select("event", "event_from", "event_on", "event_to", "transplant_on").row(0)
    assert found == ("transplant", date(2014, 4, 1), date(2014, 4, 16), date(2014, 4, 30), None)


def test_the_units_of_scores_come_from_the_protocol() -> None:
    assert variable_units(protocol()) == {
        "age_years": "a",
        "bilirubin_total": "umol/L",
        "creatinine": "umol/L",
        "inr": "1",
        "map": "mm[Hg]",
    }
    assert score_factors(protocol())[("creatinine", "mg/dL")] == pytest.approx(1 / 88.42)


def test_candidates_and_the_companions_of_the_cohort_keep_their_contracts() -> None:
    contracts = MARTS[STUDY]
    contracts["candidates"].validate(measured().build("marts.candidates"))
    made = assembled(measured())
    for name in ("eligibility", "attrition", "cohort_provenance"):
        contracts[name].validate(getattr(made, name))
    key = made.cohort_provenance.select("candidate_id", "variable")
    assert key.height == key.unique().height
    promised = set(contracts["cohort"].to_schema().columns)
    scores = promised & SCORES.keys() - {"meld"}
    assert promised - set(made.cohort.columns) == scores
    assert set(made.cohort.columns) <= promised
