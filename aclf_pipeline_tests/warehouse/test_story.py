"""The story of a candidate: in or out, every part told, every row led back to its line, and nobody else's."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.protocol import Study, load_protocol
from aclf_pipeline.protocol.study import Criterion
from aclf_pipeline.settings import Settings
from aclf_pipeline.warehouse import Warehouse, WarehouseError
from aclf_pipeline.warehouse.places import MOST, place, with_places
from aclf_pipeline.warehouse.row_id import pack
from aclf_pipeline.warehouse.story import Stories, story_of, tell, text
from aclf_pipeline.warehouse.trace_text import render_story

IN, OUT = "cand-in", "cand-out"
LINE, SHEET = pack(1, 44), pack(2, 15, sheet=2)


@pytest.fixture(scope="module")
def study() -> Study:
    criteria = [
        Criterion(id=name, says=name, keep=keep, because="a test")
        for name, keep in (
            ("no_infusion", "infusions >= 1"), ("age_under_18", "age_years_at_index >= 18"),
            ("one_infusion", "infusions_in_course >= 2"),
        )
    ]  # fmt: skip
    study = load_protocol(Settings().protocol, "nct07198854").study
    return study.model_copy(update={"eligibility": tuple(criteria)})


@pytest.fixture
def wh(tmp_path: Path):
    """Two candidates: one in the cohort, one who had a single infusion; a row of each was set aside."""
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        for file_id, path, sheets in ((1, "b/front.csv", None), (2, "b/cells.xlsx", ["2010年", "2011年"])):
            wh.execute(
                "insert into quality.files by name select ? as file_id, 'his' as source, 'b' as batch, ? as path,"
                " 'n' as name, 'k' as kind, 'raw.t' as raw_table, 'f' as form, 'x' as sha256, 1 as bytes, 1 as columns,"
                " 1 as rows, false as is_snapshot, 'loaded' as state, timestamp '2020-01-01' as loaded_at, ? as sheets",
                [file_id, path, sheets],
            )
        for table, columns in _TABLES.items():
            wh.write(table, pl.DataFrame(columns, infer_schema_length=None))
        for person in ("in", "out"):
            wh.execute(
                "insert into quality.quarantine values ('labs', ?, ['labs_hard_limits'],"
                ' \'{"_row_id": 1, "patient_id": "R-\' || ? || \'", "value": 9999, "note": "x", "unit": null}\')',
                [LINE, person],
            )
        wh.execute(
            "insert into quality.violations by name select 'r' as refresh_id, 'labs' as table_name,"
            " 'labs_hard_limits' as rule_id, 'f' as rule_fingerprint, ? as _row_id, 'R-out' as patient_id,"
            " 'quarantine' as action, 'value 9999' as observed, 'd' as protocol_digest",
            [LINE],
        )
        yield wh


_TABLES = {
    "marts.candidates": {
        "candidate_id": [IN, OUT], "person_id": ["p-in", "p-out"], "infusions": [4, 1], "infusions_in_course": [4, 1],
        "age_years_at_index": [43, None], "disposition": ["home", "died"],
    },
    "marts.eligibility": {
        "candidate_id": [IN, OUT], "eligible": [True, False], "exclusion_reason": [None, "one_infusion"],
        "exclusion_reasons": [[], ["one_infusion", "age_under_18"]],
    },
    "intermediate.persons": {"patient_id": ["R-in", "R-out"], "person_id": ["p-in", "p-out"]},
    "intermediate.stays": {
        "person_id": ["p-in", "p-in", "p-out"], "stay_no": [2, 1, 1], "new_column": ["x", "x", "x"],
        "admitted_at": [datetime(2011, 9, 11), datetime(2011, 6, 1, 14), datetime(2012, 1, 1)],
        "_row_id": [pack(1, 57), LINE, pack(1, 60)],
    },
    "intermediate.infusions": {
        "person_id": ["p-in", "p-out"], "infused_on": [date(2011, 6, 5), date(2012, 1, 3)],
        "row_ids": [[SHEET], [SHEET]],
    },
    "intermediate.hbsag_evidence": {"candidate_id": [IN], "evidence": ["code"], "row_ids": [[LINE]]},
    "intermediate.facts": {
        "candidate_id": [IN, OUT], "variable": ["albumin", "albumin"], "value": [31.4, None],
        "value_text": [None, None],
        "explanation": ["nearest of 1", "no result"], "rule_ids": [["a_rule"], []], "row_ids": [[LINE], []],
    },
    "rules.baseline": {"variable": ["albumin"], "analyte": ["albumin"], "item": [""]},
    "rules.analytes": {"analyte": ["albumin"], "unit": ["g/L"]},
    "rules.rules": {"rule_id": ["labs_hard_limits"], "says": ["A result lies within limits"]},
}  # fmt: skip


def part(stories: Stories, candidate: str, name: str) -> list[dict[str, str]]:
    return next(rows for part, rows in story_of(stories, candidate) if part.id == name).to_dicts()


def test_a_candidate_in_the_cohort_and_one_outside_are_told_apart_with_the_reason(wh, study):
    heads = tell(wh, study).heads
    assert heads["in_cohort"].to_list() == [True, False]
    assert heads["says"][0] == "in the cohort"
    assert heads["says"][1].startswith("not in the cohort (one_infusion): not met: ")


def test_stays_are_in_time_and_each_leads_to_its_line(wh, study):
    stays = part(tell(wh, study), IN, "stays")
    assert [(s["stay_no"], s["admitted_at"], s["from"]) for s in stays] == [
        ("1", "2011-06-01 14:00", "b/front.csv line 44"),
        ("2", "2011-09-11", "b/front.csv line 57"),
    ]


def test_every_criterion_has_its_value_and_verdict_and_a_missing_value_is_said(wh, study):
    told = {row["criterion"]: row for row in part(tell(wh, study), OUT, "criteria")}
    assert list(told) == [criterion.id for criterion in study.eligibility]
    assert (told["one_infusion"]["value"], told["one_infusion"]["verdict"]) == ("infusions_in_course = 1", "not met")
    assert told["age_under_18"]["verdict"] == "not met: age_years_at_index missing"
    assert told["no_infusion"]["verdict"] == "met"


def test_values_have_unit_reason_rules_and_place(wh, study):
    (value,) = part(tell(wh, study), IN, "values")
    assert value == {
        "variable": "albumin", "value": "31.4", "unit": "g/L", "explanation": "nearest of 1", "rule_ids": "a_rule",
        "from": "b/front.csv line 44",
    }  # fmt: skip


def test_what_was_set_aside_is_told_of_the_person_alone_and_without_keys(wh, study):
    stories = tell(wh, study)
    (aside,) = part(stories, OUT, "quarantine")
    assert (aside["table_name"], aside["content"], aside["from"]) == (
        "labs", "value=9999  note=x", "b/front.csv line 44",
    )  # fmt: skip
    assert part(stories, IN, "violations") == []
    (finding,) = part(stories, OUT, "violations")
    assert (finding["rule_id"], finding["says"], finding["observed"]) == (
        "labs_hard_limits", "A result lies within limits", "value 9999",
    )  # fmt: skip


def test_the_story_of_one_is_that_of_the_same_one_among_all(wh, study):
    every, one = tell(wh, study), tell(wh, study, OUT)
    assert one.heads["candidate_id"].to_list() == [OUT]
    assert {p.id for p in one.parts} == {p.id for p in every.parts}
    for name in ("stays", "criteria", "quarantine", "violations", "infusions"):
        assert part(one, OUT, name) == part(every, OUT, name)


def test_no_record_number_is_told(wh, study):
    lines = list(render_story(tell(wh, study)))
    assert lines[0] == f"candidate {IN}, person p-in: in the cohort"
    assert not any("R-in" in line or "R-out" in line for line in lines)
    assert "Infusions" in lines
    assert "       from b/cells.xlsx sheet 2011年 line 15" in lines
    assert "  albumin = 31.4 g/L" in lines
    assert "  albumin = missing" in lines


def test_a_table_that_was_not_built_is_no_part_and_one_without_rows_says_so(wh, study):
    parts = {p.id: p for p in tell(wh, study).parts}
    assert "transplants" not in parts
    assert part(tell(wh, study), OUT, "hbsag_evidence") == []
    assert "Evidence: hbsag: nothing found" in list(render_story(tell(wh, study, OUT)))


def test_before_the_first_refresh_there_is_no_story(tmp_path, study):
    with Warehouse.open(tmp_path / "new.duckdb") as wh, pytest.raises(WarehouseError, match="Refresh the study first"):
        tell(wh, study)


def test_many_rows_of_one_value_are_counted_and_one_line_is_told_once(wh):
    many = [pack(1, line) for line in range(1, MOST + 4)]
    frame = pl.DataFrame({"n": [1, 2, 3], "row_ids": [many, [LINE, LINE + 1], None]})
    told = with_places(wh, frame)["from"].to_list()
    assert told[0].endswith(f"line {MOST}; and 3 more")
    assert told[1:] == ["b/front.csv line 44", None]
    assert place(pack(9, 3), {}) == "unknown file line 3"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, None), (True, "yes"), (False, "no"), (1 / 3, "0.3333333"), (datetime(2011, 6, 1), "2011-06-01"),
        (datetime(2011, 6, 1, 9, 5), "2011-06-01 09:05"), ("a\nb", "a ⏎ b"), ([1.0, None], "1, None"), ([], None),
    ],
)  # fmt: skip
def test_cells_are_put_into_words(value, words):
    assert text(value) == words
