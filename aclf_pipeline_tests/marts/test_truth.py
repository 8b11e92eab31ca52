"""A clean simulated hospital through the whole chain: the pipeline must find the truth it was made from.

Every person, not a sample: who is eligible, every reason against, time zero, the event and its day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

import aclf_pipeline
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.science.cohort import CohortTables, assemble
from aclf_pipeline.science.endpoints import time_to_event
from aclf_pipeline.simulate.bundle import write_bundle
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import absent_models, build, load_audits, load_graph, load_mappings
from aclf_pipeline.warehouse.ingest import ingest
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline.warehouse.sources import load_source
from aclf_pipeline_tests.marts.world import SQL, STUDY

PAGES = Path(aclf_pipeline.__file__).parent / "protocol"
AS_OF = date(2019, 10, 31)
KEY = PseudonymKey(b"a key that only this test knows.")


@dataclass(frozen=True)
class Found:
    """What the chain made of the bundle, beside the truth."""

    candidates: pl.DataFrame
    made: CohortTables
    beside: pl.DataFrame
    quarantined: int


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Truth and pipeline, one row per true person; the pipeline's columns end in _found."""
    bundle = tmp_path_factory.mktemp("bundle")
    write_bundle(bundle, n_persons=120, seed=3, profile="clean")
    with Warehouse.open(bundle / "his.duckdb") as wh:
        candidates, made = chain(wh, bundle)
        persons = dict(wh.frame("select patient_id, person_id from intermediate.persons").rows())
        quarantined = wh.scalar("select count(*) from quality.quarantine")
    truth = pl.read_parquet(bundle / "truth" / "patients.parquet")
    people = [{persons[KEY.pseudonym("record_number", number)] for number in numbers} for numbers in truth["bah"]]
    assert all(len(person) == 1 for person in people)
    truth = truth.with_columns(candidate_id=pl.Series([person.pop() for person in people]))
    times = made.eligibility.join(time_to_event(dated(candidates), death="_death", as_of=AS_OF), on="candidate_id")
    return Found(candidates, made, truth.join(times, on="candidate_id", how="left", suffix="_found"), int(quarantined))


def chain(wh: Warehouse, bundle: Path) -> tuple[pl.DataFrame, CohortTables]:
    """Exports to cohort, step by step, as a refresh does it."""
    protocol, source = load_protocol(PAGES, STUDY), load_source(SQL / "staging" / "his")
    models = [*absent_models(source), *load_graph(SQL, "his", STUDY)]
    ingest(wh, source, bundle / "exports" / "his", KEY, datetime(2019, 11, 16), None)
    load_rules(wh, protocol)
    load_mappings(wh, SQL, "his")
    for model in models:
        if model.schema == "staging":
            build(wh, model)
    assert not run_gate(wh, protocol, load_audits(SQL), "refresh", source="his").blocked
    for model in models:
        if model.schema != "staging":
            build(wh, model)
    candidates = wh.frame("select * from marts.candidates")
    return candidates, assemble(candidates, wh.frame("select * from intermediate.facts"), protocol, AS_OF)


def dated(candidates: pl.DataFrame) -> pl.DataFrame:
    """Everybody's death by its last possible day, so that persons who are not eligible are compared too."""
    return candidates.with_columns(_death=pl.coalesce("death_on", "death_to"))


def test_nothing_of_a_clean_delivery_is_set_aside(found: Found) -> None:
    assert found.quarantined == 0


def test_every_person_is_a_candidate(found: Found) -> None:
    assert set(found.candidates["candidate_id"]) == set(found.beside["candidate_id"])


@pytest.mark.parametrize("column", ["eligible", "exclusion_reason", "exclusion_reasons", "time_zero"])
def test_eligibility_and_time_zero_are_the_truth_for_everybody(found: Found, column: str) -> None:
    asked = found.beside.select("patient_id", column, f"{column}_found")
    differing = [row for row in asked.rows() if row[1] != row[2]]
    assert differing == []


def test_event_and_its_day_are_the_truth_for_everybody_whose_death_can_be_seen(found: Found) -> None:
    seen = found.beside.filter(
        pl.col("time_zero").is_not_null(), pl.col("death_visible") | pl.col("death_date").is_null()
    ).with_columns(
        true_event=pl.col("event").replace({"lost": "censored", "admin": "censored"}),
        true_day=pl.when(pl.col("event").is_in(["lost", "admin"]))
        .then(pl.min_horizontal("last_alive", pl.lit(AS_OF)))
        .otherwise("event_date"),
        first=pl.when(pl.col("event_found") == "death").then("death_from").otherwise("event_on"),
    )
    wrong = seen.filter(
        (pl.col("true_event") != pl.col("event_found"))
        | (pl.col("true_day") < pl.col("first"))
        | (pl.col("true_day") > pl.col("event_on"))
    )
    assert wrong.select("patient_id", "event", "event_date", "event_found", "event_on").rows() == []
    assert set(seen["event"]) == {"death", "transplant", "lost", "admin"}


@pytest.mark.parametrize(
    "column", ["sex", "he_grade", "ascites", "antiviral", "cirrhosis", "infection", "gi_bleed", "hrs", "alss_before"]
)
def test_what_is_seen_at_the_bedside_is_the_truth_for_the_eligible(found: Found, column: str) -> None:
    eligible = found.beside.filter("eligible")
    assert eligible[f"{column}_found"].to_list() == eligible[column].to_list()


@pytest.mark.parametrize(
    ("true", "column"),
    [("tbil_umol_l", "bilirubin_total"), ("inr", "inr_found"), ("na_mmol_l", "sodium"), ("alb_g_l", "albumin")],
)
def test_a_measured_covariate_is_the_true_one_up_to_its_error(found: Found, true: str, column: str) -> None:
    eligible = found.beside.filter("eligible")
    ratio = (eligible[column] / eligible[true]).drop_nulls()
    assert ratio.len() >= 0.85 * eligible.height
    assert abs(float(ratio.median()) - 1) < 0.05  # type: ignore[arg-type]


def test_the_cohort_and_its_companions_keep_their_contracts(found: Found) -> None:
    MARTS[STUDY]["candidates"].validate(found.candidates)
    for name in ("cohort", "eligibility", "attrition", "cohort_provenance"):
        MARTS[STUDY][name].validate(getattr(found.made, name))


def test_every_measured_value_of_the_cohort_names_a_row_and_a_reason(found: Found) -> None:
    known = found.made.cohort_provenance.filter(
        pl.col("variable").is_in(["bilirubin_total", "inr", "he_grade", "event", "meld"]), pl.col("value").is_not_null()
    )
    assert known.height > found.made.cohort.height
    assert known.filter(pl.col("row_ids").list.len() == 0).is_empty()
    assert known.filter(pl.col("explanation") == "").is_empty()
