"""The demonstration set of MIMIC-IV, 100 real patients, from the delivered files to the cohort.

What is expected is counted here from the Parquet files, not by the SQL under test. Skipped without the wheel.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

import aclf_pipeline
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import Waiver, load_protocol
from aclf_pipeline.quality.contract_check import check_table
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.science.cohort import CohortTables, assemble
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.graph import absent_models, build, load_audits, load_graph, load_mappings
from aclf_pipeline.warehouse.ingest import IngestReport, ingest
from aclf_pipeline.warehouse.pseudonyms import PseudonymKey
from aclf_pipeline.warehouse.rules_tables import load_rules
from aclf_pipeline_tests.clif.unit import SQL, source

STUDY = "icu_cirrhosis"
PROTOCOL = load_protocol(Path(aclf_pipeline.__file__).parent / "protocol", STUDY)
SIGNS = {"temp_c": "temperature", "height_cm": "height", "weight_kg": "weight"}
KEY = ["hospitalization_id", "lab_collect_dttm", "lab_category"]
CIRRHOSIS = r"^(K703|K74[3-6]|571[256])"


@dataclass(frozen=True)
class Demo:
    """The warehouse after the run, what each step reported, and the delivered tables."""

    wh: Warehouse
    taken: IngestReport
    gate: GateReport
    tables: CohortTables
    folder: Path

    def delivered(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"clif_{name}.parquet")

    def found(self, rule: str) -> int:
        return int(self.wh.scalar("select count(*) from quality.violations where rule_id = ?", [rule]))


@pytest.fixture(scope="module")
def demo(demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    models = load_graph(SQL, "clif", STUDY)
    with Warehouse.open(tmp_path_factory.mktemp("demo") / "clif.duckdb") as wh:
        taken = ingest(wh, source(), demo_folder, PseudonymKey(b"k" * 32), datetime(2020, 1, 1))
        load_rules(wh, PROTOCOL)
        load_mappings(wh, SQL, "clif")
        for model in [*absent_models(source()), *(model for model in models if model.schema == "staging")]:
            build(wh, model)
        report = run_gate(wh, PROTOCOL, load_audits(SQL), "demo", source="clif")
        for model in models:
            if model.schema != "staging":
                build(wh, model)
        tables = assemble(
            wh.frame("select * from marts.candidates"), wh.frame("select * from intermediate.facts"), PROTOCOL,
            PROTOCOL.study.as_of,
        )  # fmt: skip
        yield Demo(wh, taken, report, tables, demo_folder)


def test_the_folder_of_files_is_one_batch_and_nothing_blocks(demo: Demo) -> None:
    assert [(batch.name, batch.state) for batch in demo.taken.batches] == [(demo.folder.name, "loaded")]
    assert (demo.taken.files_loaded, demo.taken.rows_loaded) == (11, 209_657)
    assert not demo.gate.blocked
    assert [check.rule_id for check in demo.gate.checks if not check.passed] == []


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("patients", ["patient"]),
        ("stays", ["hospitalization"]),
        ("diagnoses", ["hospital_diagnosis"]),
        ("labs", ["labs"]),
        ("medications", ["medication_admin_continuous", "medication_admin_intermittent"]),
    ],
)
def test_every_delivered_row_is_staged(demo: Demo, kind: str, names: list[str]) -> None:
    rows = sum(demo.delivered(name).height for name in names)
    assert demo.wh.scalar(f"select count(*) from staging.{kind}") == rows
    assert demo.wh.scalar(f"select count(*) from staging.{kind} where unparsed is not null") == 0


def test_signs_outside_what_can_be_are_set_aside(demo: Demo) -> None:
    low, high = (PROTOCOL.definitions[name].cutoffs for name in ("vital_low", "vital_high"))
    signs = demo.delivered("vitals").with_columns(item=pl.col("vital_category").replace(SIGNS))
    outside = signs.filter(
        (pl.col("vital_value") < pl.col("item").replace_strict(dict(low), return_dtype=pl.Float64))
        | (pl.col("vital_value") > pl.col("item").replace_strict(dict(high), return_dtype=pl.Float64))
    )
    assert {-27.0, 801.0} <= set(outside.filter(pl.col("item") == "map")["vital_value"])
    worst = dict(outside.group_by("item").agg(pl.col("vital_value").sort().implode()).iter_rows())
    assert worst["temperature"][-1] == 99.0
    assert worst["weight"] == [0.0]
    assert set(worst["heart_rate"]) == {0.0}
    assert 61.0 in worst["height"]
    assert demo.found("vitals_within_limits") == outside.height == 84
    assert demo.wh.scalar("select min(value) from core.vitals where item = 'map'") >= low["map"]


def test_signs_far_from_their_stay_are_named(demo: Demo) -> None:
    stays = demo.delivered("hospitalization").select("hospitalization_id", "admission_dttm", "discharge_dttm")

    def strays(frame: pl.DataFrame) -> int:
        placed = frame.join(stays, on="hospitalization_id")
        early = pl.col("recorded_dttm") < pl.col("admission_dttm") - pl.duration(hours=6)
        late = pl.col("recorded_dttm") > pl.col("discharge_dttm") + pl.duration(hours=1)
        return placed.filter(early | late).height

    signs = strays(demo.delivered("vitals"))
    fractions = strays(demo.delivered("respiratory_support").filter(pl.col("fio2_set").is_not_null()))
    assert (signs, fractions) == (464, 15)
    assert demo.found("vitals_measured_in_stay") == signs + fractions


def test_the_unit_with_a_tab_is_mapped_with_a_receipt(demo: Demo) -> None:
    tabbed = demo.delivered("labs").filter(pl.col("reference_unit").str.ends_with("\t")).height
    told = demo.wh.rows(
        """select count(*), count(*) filter (where unit = '10*3/uL'), count(distinct loinc) from staging.labs
        where list_contains(string_split(receipt, ','), 'unit_trimmed')"""
    )
    assert told == [(tabbed, tabbed, 1)]
    assert tabbed == 276


def test_every_textual_result_is_coded_and_none_is_silent(demo: Demo) -> None:
    labs = demo.delivered("labs")
    words = labs.filter(pl.col("lab_value_numeric").is_null() & pl.col("lab_value").is_not_null()).height
    blank = labs.filter(pl.col("lab_value_numeric").is_null() & pl.col("lab_value").is_null()).height
    assert (words, blank) == (103, 4)
    assert demo.wh.scalar("select count(*) from staging.labs where text_result is not null") == words
    assert demo.wh.scalar("select count(*) from staging.labs where receipt = 'blank_result'") == blank
    assert demo.wh.scalar("select count(*) from staging.labs where value is null and receipt is null") == 0
    redacted = labs.filter((pl.col("lab_value") == "___") & pl.col("lab_value_numeric").is_not_null()).height
    assert demo.wh.scalar("select count(*) from staging.labs where receipt = 'redacted,numeric_column'") == redacted


def test_every_number_is_the_number_of_the_source(demo: Demo) -> None:
    staged = demo.wh.frame("select row_line(_row_id) as line, value from staging.labs order by _row_id")
    source_numbers = demo.delivered("labs")["lab_value_numeric"]
    assert staged["line"].to_list() == list(range(1, source_numbers.len() + 1))
    assert staged["value"].equals(source_numbers.alias("value"))


def test_results_reported_before_they_were_collected_are_set_aside(demo: Demo) -> None:
    early = demo.delivered("labs").filter(pl.col("lab_result_dttm") < pl.col("lab_collect_dttm")).height
    assert demo.found("labs_reported_after_collected") == early == 2


def test_repeated_results_of_one_item_and_minute_are_named(demo: Demo) -> None:
    keys = demo.delivered("labs").group_by(KEY).agg(pl.len().alias("rows"))
    repeated = keys.filter(pl.col("rows") > 1)
    assert (repeated.height, repeated["rows"].sum()) == (218, 436)
    named = demo.wh.rows(
        """select stay_id, collected_at, source_code, count(*) from staging.labs
        where _row_id in (select _row_id from quality.violations where rule_id = 'labs_one_value_per_time')
        group by stay_id, collected_at, source_code"""
    )
    assert (len(named), sum(key[-1] for key in named)) == (218, 436)


def test_the_flow_chart_starts_with_every_admission(demo: Demo) -> None:
    codes = demo.delivered("hospital_diagnosis").filter(pl.col("diagnosis_code").str.contains(CIRRHOSIS))
    stays = demo.delivered("hospitalization")
    admitted = stays.filter(pl.col("hospitalization_id").is_in(codes["hospitalization_id"].unique().implode()))
    adults = admitted.filter(pl.col("age_at_admission") >= 18)
    flow = [stays.height, admitted.height, adults.height, adults["patient_id"].n_unique()]
    assert flow == [310, 36, 36, 8]
    told = demo.tables.attrition.sort("step")
    assert told["criterion"].to_list() == ["no_cirrhosis", "age_under_18", "not_first_admission"]
    assert [*told["entering"].to_list(), told["left"][-1]] == flow


def test_deaths_and_times_are_those_of_the_source(demo: Demo) -> None:
    codes = demo.delivered("hospital_diagnosis").filter(pl.col("diagnosis_code").str.contains(CIRRHOSIS))
    died = demo.delivered("patient").select("patient_id", died=pl.col("death_dttm").dt.date())
    first = (
        demo.delivered("hospitalization")
        .filter(pl.col("hospitalization_id").is_in(codes["hospitalization_id"].unique().implode()))
        .sort("admission_dttm")
        .group_by("patient_id", maintain_order=True)
        .first()
        .join(died, on="patient_id")
        .with_columns(days=(pl.col("died") - pl.col("admission_dttm").dt.date()).dt.total_days())
    )
    cohort = demo.tables.cohort
    assert sorted(cohort.filter(pl.col("event") == "death")["event_days"]) == sorted(first["days"].drop_nulls())
    assert cohort["died_in_hospital"].sum() == (first["discharge_category"] == "Expired").sum() == 3
    assert cohort["endpoint_problem"].null_count() == cohort.height


def test_the_cohort_keeps_its_contract_and_encephalopathy_stays_unknown(demo: Demo) -> None:
    for name in ("cohort", "eligibility", "attrition", "cohort_provenance"):
        assert check_table(getattr(demo.tables, name), MARTS[STUDY][name]) == []
    cohort = demo.tables.cohort
    assert "he_grade" not in cohort.columns
    assert demo.wh.scalar("select count(*) from staging.assessments where item = 'he_grade'") == 0
    assert (cohort["clif_c_of_low"] < cohort["clif_c_of_high"]).all(), "the brain is unmeasured in everybody"
    assert set(cohort["easl_clif_grade_low"]) == {0.0, 1.0, 2.0, 3.0}


def test_no_identifier_of_the_source_reaches_the_warehouse(demo: Demo) -> None:
    stays = demo.delivered("hospitalization")
    identifiers = pl.Series("id", [*stays["patient_id"].unique(), *stays["hospitalization_id"]])
    demo.wh.write("intermediate.identifiers", identifiers.to_frame())
    schemas = ("raw.", "staging.", "core.", "intermediate.", "marts.", "quality.")
    leaks = [
        f"{table}.{column}"
        for table in sorted(demo.wh.tables())
        if table.startswith(schemas) and table != "intermediate.identifiers"
        for column, dtype in demo.wh.columns(table)
        if dtype == "VARCHAR"
        and demo.wh.scalar(f'select count(*) from {table} where "{column}" in (from intermediate.identifiers)')
    ]
    assert leaks == []
    assert demo.wh.scalar("select count(*) from core.stays where stay_id not similar to 'H[0-9a-f]{16}'") == 0


def test_the_same_files_again_change_nothing_and_a_newer_extract_replaces_them(
    demo_folder: Path, tmp_path: Path
) -> None:
    exports = tmp_path / "clif"
    for name in ("2020-01", "2020-02"):
        (exports / name).mkdir(parents=True)
    for name in ("patient", "hospitalization"):
        shutil.copy(demo_folder / f"clif_{name}.parquet", exports / "2020-01")
    newer = pl.read_parquet(demo_folder / "clif_patient.parquet")
    newer.head(99).write_parquet(exports / "2020-02" / "clif_patient.parquet")
    shutil.copy(demo_folder / "clif_hospitalization.parquet", exports / "2020-02")
    with Warehouse.open(tmp_path / "again.duckdb") as wh:
        for expected in (3, 0):
            report = ingest(wh, source(), exports, PseudonymKey(b"k" * 32), datetime(2020, 1, 1))
            assert report.files_loaded == expected
        load_rules(wh, PROTOCOL)
        load_mappings(wh, SQL, "clif")
        for model in [*absent_models(source()), *load_graph(SQL, "clif", STUDY)]:
            if model.schema == "staging":
                build(wh, model)
        run_gate(wh, PROTOCOL, load_audits(SQL), "again", source="clif")
        assert wh.scalar("select count(*) from core.patients") == 99
        assert wh.scalar("select count(*) from core.stays") == 310
        reasons = wh.rows("select reason, count(*) from quality.superseded where table_name = 'patients' group by all")
        assert dict(reasons) == {"snapshot": 99, "row_withdrawn": 1}


@pytest.mark.parametrize(
    ("expires", "at_most", "passed", "told"),
    [
        pytest.param(date(2026, 6, 1), 84, True, "84 rows are accepted until 2026-06-01", id="in time"),
        pytest.param(date(2026, 5, 31), 84, False, "expired on 2026-05-31; 84 rows count again", id="expired"),
        pytest.param(date(2026, 6, 1), 83, False, "is for 83 rows; 84 fail, so all count", id="exceeded"),
    ],
)
def test_a_waiver_is_judged_on_the_day_of_review(
    demo: Demo, expires: date, at_most: int, passed: bool, told: str
) -> None:
    """The study looks back from 2999, a day on which every waiver has expired; the day of review is another."""
    waiver = Waiver(
        rule="vitals_within_limits", reason="known to the registry", owner="data engineer", approver="clinician",
        expires=expires, at_most=at_most,
    )  # fmt: skip
    rules = {
        name: rule.model_copy(update={"tolerate": 0.0}) if name == waiver.rule else rule
        for name, rule in PROTOCOL.rules.items()
    }
    asked = PROTOCOL.model_copy(update={"rules": rules, "waivers": (waiver,)})
    report = run_gate(demo.wh, asked, load_audits(SQL), "demo", ["vitals"], source="clif", review_on=date(2026, 6, 1))
    (check,) = [check for check in report.checks if check.rule_id == waiver.rule]
    assert (check.passed, check.failing_rows) == (passed, 84)
    assert told in check.notes[0]
