"""Populations are measured as the page says, by Great Expectations; what cannot be measured never passes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import aclf_pipeline.protocol
from aclf_pipeline.contracts.marts import MARTS
from aclf_pipeline.protocol import ProtocolError
from aclf_pipeline.protocol.expectations import Expectation, load_expectations
from aclf_pipeline.quality.data_docs import DataDocs
from aclf_pipeline.quality.executor import QualityError
from aclf_pipeline.quality.expectations import (
    expect,
    expectations_of,
    judge_expectations,
    volume_expectations_of,
)
from aclf_pipeline.quality.gate import run_gate
from aclf_pipeline.quality.volume import CHANGING, keep_volume, volume, with_change
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.world import protocol, rule, stage, stage_nothing

PAGES = Path(aclf_pipeline.protocol.__file__).parent
STUDIES = ("nct07198854", "icu_cirrhosis")

COHORT = pl.DataFrame(
    {
        "sex": ["male", "male", "male", "female", None],
        "bilirubin": [100.0, 400.0, 500.0, None, None],
        "cirrhosis": [True, False, None, True, True],
        "grade": [0, 1, 2, 2, 9],
        "empty": pl.Series([None] * 5, dtype=pl.Float64),
    }
)


def expectation(measure: str, **words: Any) -> Expectation:
    return Expectation.model_validate(
        {"id": "asked", "table": "cohort", "says": "as expected", "measure": measure, "because": "a test"} | words
    )


@pytest.mark.parametrize(
    ("measure", "words", "observed", "passed"),
    [
        ("rows", {"low": 5, "high": 5}, 5, True),
        ("rows", {"low": 6}, 5, False),
        ("complete", {"column": "bilirubin", "low": 0.6}, 0.6, True),
        ("complete", {"column": "sex", "low": 0.81}, 0.8, False),
        ("median", {"column": "bilirubin", "low": 200, "high": 550}, 400, True),
        ("median", {"column": "bilirubin", "high": 30}, 400, False),
        ("mean", {"column": "grade", "low": 2.8, "high": 2.8}, 2.8, True),
        ("share", {"column": "sex", "equals": ["male"], "low": 0.75, "high": 0.75}, 0.75, True),
        ("share", {"column": "cirrhosis", "equals": [True], "high": 0.7}, 0.75, False),
        ("distinct", {"column": "sex", "low": 2, "high": 2}, 2, True),
        ("value", {"column": "grade", "low": 0, "high": 4}, 9, False),
        ("value", {"column": "grade", "low": 0}, None, True),
        ("median", {"column": "empty", "low": 0}, None, False),
        ("complete", {"column": "empty", "low": 0.1}, 0, False),
    ],
)
def test_measures(measure: str, words: dict[str, Any], observed: float | None, passed: bool) -> None:
    (result,) = judge_expectations({"cohort": COHORT}, [expectation(measure, **words)])
    assert result.passed is passed
    assert result.observed == (None if observed is None else pytest.approx(observed))


@pytest.mark.parametrize("measure", ["median", "mean", "value", "share"])
def test_a_table_without_rows_is_never_as_expected(measure: str) -> None:
    words = {"equals": [1]} if measure == "share" else {}
    (result,) = judge_expectations({"cohort": COHORT.clear()}, [expectation(measure, column="grade", low=0, **words)])
    assert (result.passed, result.observed) == (False, None)


def test_results_come_in_the_order_of_the_page_over_several_tables() -> None:
    asked = [
        expectation("rows", id="c", table="cohort", low=1),
        expectation("value", id="a", table="volume", column="patients", low=9, severity="block"),
        expectation("median", id="b", table="cohort", column="bilirubin", low=1),
    ]
    results = judge_expectations({"volume": pl.DataFrame({"patients": [3]}), "cohort": COHORT}, asked)
    assert [(r.id, r.table, r.severity, r.passed, r.expected) for r in results] == [
        ("c", "cohort", "warn", True, "at least 1"),
        ("a", "volume", "block", False, "at least 9"),
        ("b", "cohort", "warn", True, "at least 1"),
    ]


def test_what_is_not_there_is_named_all_at_once() -> None:
    asked = [
        expectation("median", id="a", column="bilirubine", low=0),
        expectation("rows", id="b", table="kohort", low=0),
    ]
    with pytest.raises(QualityError) as error:
        judge_expectations({"cohort": COHORT}, asked)
    assert "'a' names column 'bilirubine', which cohort does not have. Did you mean 'bilirubin'?" in str(error.value)
    assert "'b' is about table 'kohort', which is not there. Did you mean 'cohort'?" in str(error.value)


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_a_page_with_volume_size_completeness_and_events(study: str) -> None:
    page = load_expectations(PAGES, study)
    assert {"volume", "cohort"} <= {stanza.table for stanza in page}
    assert {"rows", "complete", "share", "median", "value"} <= {stanza.measure for stanza in page}
    assert any(stanza.severity == "block" for stanza in page)
    assert any(stanza.column == "event" for stanza in page)


def test_the_tables_that_are_given_decide_what_is_asked() -> None:
    counts = pl.DataFrame({"patients": [3], "labs_per_patient": [1.0], "worst_quarantined_share": [0.0]})
    counts = counts.with_columns(pl.lit(0.5).alias(f"change_{name}") for name in CHANGING)
    asked = [(r.id, r.passed) for r in expect({"volume": counts}, PAGES, STUDIES[0])]
    assert asked[:3] == [("patients_present", True), ("labs_per_patient", False), ("quarantined_share", True)]
    assert ("patients_not_fewer", False) in asked
    counted = volume_expectations_of(PAGES, STUDIES[0])
    assert [e.id for e in counted if e.table == "volume"] == [name for name, _ in asked]
    assert {e.table for e in counted} == {"volume", "years"}
    assert not {e.id for e in expectations_of(PAGES, STUDIES[0])} & {name for name, _ in asked}
    with pytest.raises(QualityError, match="is about table 'cohort', which is not there"):
        expect({"attrition": counts}, PAGES, STUDIES[0])


@pytest.mark.parametrize("study", [study for study in STUDIES if study in MARTS])
def test_pages_name_promised_columns_and_possible_values_only(study: str) -> None:
    promised = MARTS[study]["cohort"].to_schema().columns
    for stanza in load_expectations(PAGES, study):
        if stanza.table != "cohort" or stanza.column is None:
            continue
        assert stanza.column in promised, stanza.id
        listed = [value for check in promised[stanza.column].checks for value in check.statistics["allowed_values"]]
        assert not listed or set(stanza.equals) <= set(listed), stanza.id


@pytest.mark.parametrize(
    ("stanza", "told"),
    [
        ("{id: a, table: t, says: s, measure: rows, because: b}", "'a' has neither low nor high"),
        ("{id: a, table: t, says: s, measure: rows, low: 2, high: 1, because: b}", "'a' has low 2 above high 1"),
        ("{id: a, table: t, says: s, measure: median, low: 2, because: b}", "'a' asks median of no column"),
        ("{id: a, table: t, says: s, measure: share, column: c, low: 0, because: b}", "'a' needs 'equals'"),
        ("{id: a, table: t, says: s, measure: rows, low: 1}", "'a' has no 'because'"),
        ("{id: a, table: t, says: s, mesure: rows, low: 1, because: b}", "Did you mean 'measure'?"),
    ],
)
def test_a_faulty_page_is_told_in_words(tmp_path: Path, stanza: str, told: str) -> None:
    (tmp_path / "studies/trial").mkdir(parents=True)
    (tmp_path / "studies/trial/expectations.yaml").write_text(f"- {stanza}\n- {stanza}\n", encoding="utf-8")
    with pytest.raises(ProtocolError) as error:
        load_expectations(tmp_path, "trial")
    assert told in str(error.value)


def test_a_name_may_stand_once_and_a_page_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "studies/trial").mkdir(parents=True)
    with pytest.raises(ProtocolError, match="this page is missing"):
        load_expectations(tmp_path, "trial")
    stanza = "- {id: a, table: t, says: s, measure: rows, low: 1, because: b}\n"
    (tmp_path / "studies/trial/expectations.yaml").write_text(stanza * 2, encoding="utf-8")
    with pytest.raises(ProtocolError, match="'a' stands 2 times; keep one"):
        load_expectations(tmp_path, "trial")


def test_volume_counts_core_and_what_was_set_aside(wh: Warehouse) -> None:
    stage_nothing(wh, "patients", "labs")
    stage(wh, "patients", "line | patient_id\n2 | R1\n3 | R2\n4 | R2")
    drawn = "\n".join(f"{line} | R1 | {line}" for line in range(2, 12))
    stage(wh, "labs", f"line | patient_id | value\n{drawn}")
    run_gate(wh, protocol(rule("low", "labs", "value < 10")), {}, "r1")
    row = volume(wh).row(0, named=True)
    assert (row["patients"], row["rows_labs"], row["labs_per_patient"]) == (2, 8, 4.0)
    assert row["worst_quarantined_share"] == pytest.approx(0.2)
    wh.execute("delete from core.patients")
    assert volume(wh)["labs_per_patient"].to_list() == [None]


def drift(column: str, before: list[object], now: list[object]) -> Any:
    (result,) = judge_expectations(
        {"cohort": pl.DataFrame({column: now})},
        [expectation("drift", column=column, high=0.05)],
        released={"cohort": pl.DataFrame({column: before})},
    )
    return result


AGES = [float(age) for age in range(20, 70)]


@pytest.mark.parametrize(
    ("before", "now", "passed"),
    [
        (AGES, AGES, True),
        (AGES, [age + 0.2 for age in AGES], True),
        (AGES, [age / 10 for age in AGES], False),
        (AGES, AGES[:25] * 2, False),
        ([5.0] * 10, [5.0] * 9 + [None], True),
        (["death", "admin"] * 50, ["death", "admin"] * 40 + ["admin"] * 20, True),
        (["death", "admin"] * 50, ["death", *["admin"] * 99], False),
        (["death", "admin"] * 50, ["transplant"] * 100, False),
        ([True, False] * 50, [False] * 100, False),
    ],
)
def test_drift_is_told_from_noise(before: list[object], now: list[object], passed: bool) -> None:
    result = drift("measured", before, now)
    assert result.passed is passed, result
    assert result.observed is not None


def test_without_an_earlier_release_nothing_has_drifted_and_it_says_so() -> None:
    (result,) = judge_expectations({"cohort": COHORT}, [expectation("drift", column="bilirubin", high=0.05)])
    assert (result.passed, result.observed) == (True, None)
    assert "once there is an earlier release" in result.expected


def test_a_column_that_lost_every_value_has_drifted() -> None:
    result = drift("measured", AGES, [None] * 50)
    assert not result.passed


def docs(tmp_path: Path, run: str, day: int) -> DataDocs:
    return DataDocs(
        tmp_path / "store", tmp_path / "site", "a study, SYNTHETIC DATA", run, datetime(2026, 1, day, tzinfo=UTC)
    )


def test_data_docs_keep_every_refresh_and_name_no_outside_address(tmp_path: Path) -> None:
    asked = [expectation("median", column="bilirubin", low=200, high=550), expectation("rows", id="rows", low=9)]
    for day in (1, 2):
        judge_expectations({"cohort": COHORT}, asked, docs=docs(tmp_path, f"refresh-{day}", day))
    pages = {
        path.relative_to(tmp_path / "site"): path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.html")
    }
    assert sum("validations" in path.parts for path in pages) == 2
    index = pages[Path("index.html")]
    assert index.index("refresh-2") < index.index("refresh-1")
    for path, text in pages.items():
        assert not re.search(r"(src|href)=\"(https?:)?//", text), path
        assert "<script" not in text, path
        assert "SYNTHETIC DATA" in text, path
    files = {path.suffix for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert files <= {".html"}


def test_every_link_of_data_docs_leads_to_a_page(tmp_path: Path) -> None:
    judge_expectations({"cohort": COHORT}, [expectation("rows", low=1)], docs=docs(tmp_path, "refresh", 1))
    for page in (tmp_path / "site").rglob("*.html"):
        for target in re.findall(r"href=\"([^\"#]+)", page.read_text("utf-8")):
            assert (page.parent / target).resolve().is_file(), (page, target)


def test_counts_are_compared_with_the_last_published_refresh(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        for refresh, state, day, patients in (
            ("a", "published", 1, 10.0),
            ("b", "published", 2, 20.0),
            ("c", "held_back", 3, 5.0),
        ):
            wh.execute(
                "insert into quality.refreshes (refresh_id, started_at, source, study, as_of, protocol_digest, state)"
                " values (?, ?, 'his', 's', date '2019-01-01', 'd', ?)",
                [refresh, datetime(2026, 1, day), state],
            )
            keep_volume(wh, pl.DataFrame({name: [patients] for name in CHANGING}), refresh)
        now = with_change(wh, pl.DataFrame({name: [15] for name in CHANGING}))
    assert now["change_patients"].to_list() == [0.75]


def test_without_a_published_refresh_a_change_is_unknown(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        now = with_change(wh, pl.DataFrame({name: [15] for name in CHANGING}))
    assert now["change_rows_labs"].to_list() == [None]
