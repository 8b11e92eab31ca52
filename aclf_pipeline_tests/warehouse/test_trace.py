"""The journey of a value, from the cohort back to the line of the file it was delivered in."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.warehouse import Warehouse, WarehouseError
from aclf_pipeline.warehouse.row_id import pack, pack_lines
from aclf_pipeline.warehouse.trace import trace
from aclf_pipeline.warehouse.trace_text import render

ROW = pack(1, 5)
SHEET_ROW = pack(2, 4, sheet=2)


@pytest.fixture
def wh(tmp_path):
    """One candidate in the cohort, one that is not, a bilirubin in mg/dL, an infusion from a sheet."""
    with Warehouse.open(tmp_path / "w.duckdb") as wh:
        for file_id, path, table, sheets in [
            (1, "20181015_full/检验_2013.csv", "raw.his__labs", None),
            (2, "20181015_full/输注.xlsx", "raw.his__ledger", ["2010年", "2013年"]),
        ]:
            wh.execute(
                "insert into quality.files by name select ? as file_id, 'his' as source, 'b' as batch, ? as path,"
                " 'n' as name, 'k' as kind, ? as raw_table, 'f' as form, 'x' as sha256, 1 as bytes, 1 as columns,"
                " 1 as rows, false as is_snapshot, 'loaded' as state, now() as loaded_at, ? as sheets",
                [file_id, path, table, sheets],
            )
        wh.write(
            "raw.his__labs",
            pl.DataFrame(
                {
                    "_row_id": [ROW],
                    "病案号": ["R1"],
                    "病案号__padded": [None],
                    "姓名": ["M1"],
                    "姓名__damaged": [None],
                    "结果": ["20.0↑"],
                    "单位": ["mg/dL"],
                    "备注": [""],
                },
                schema_overrides={"病案号__padded": pl.String, "姓名__damaged": pl.String},
            ),
        )
        wh.write(
            "raw.his__ledger", pl.DataFrame({"_row_id": pack_lines(2, pl.Series([4]), 2), "批号": ["UC20140228-03"]})
        )
        wh.write(
            "staging.labs",
            pl.DataFrame(
                {"_row_id": [ROW], "patient_id": ["R1"], "value": [20.0], "unit": ["mg/dL"], "comment": [None]}
            ),
        )
        wh.write(
            "intermediate.labs",
            pl.DataFrame(
                {
                    "_row_id": [ROW],
                    "analyte": ["bilirubin_total"],
                    "operator": ["="],
                    "value": [342.08],
                    "unit": ["umol/L"],
                    "factor": [17.104],
                    "verdict": ["used"],
                    "unit_evidence": ["the unit is printed, and the printed range does not belie it"],
                    "unit_confidence": ["strong"],
                }
            ),
        )
        wh.write(
            "intermediate.persons", pl.DataFrame({"patient_id": ["R1", "R1b"], "person_id": ["person-1", "person-1"]})
        )
        wh.write(
            "marts.candidates",
            pl.DataFrame({"candidate_id": ["cand-1", "cand-2"], "person_id": ["person-1", "person-2"]}),
        )
        facts = pl.DataFrame(
            {
                "candidate_id": ["cand-1", "cand-1", "cand-1", "cand-2"],
                "variable": ["bilirubin_total", "infusions", "inr", "inr"],
                "value": [342.08, 2.0, None, 1.2],
                "value_text": ["20.0↑", None, None, "1.2"],
                "row_ids": [[ROW], [SHEET_ROW], [], []],
                "rule_ids": [["labs_limits"], [], [], []],
                "explanation": ["nearest to time zero", "two infusions", "no reading in the window", "nearest"],
            },
            schema_overrides={"row_ids": pl.List(pl.Int64), "rule_ids": pl.List(pl.String)},
        )
        wh.write("intermediate.facts", facts)
        wh.write("marts.cohort_provenance", facts.filter(pl.col("candidate_id") == "cand-1"))
        wh.write("marts.eligibility", pl.DataFrame({"candidate_id": ["cand-2"], "exclusion_reason": ["not_aclf"]}))
        wh.write("rules.analytes", pl.DataFrame({"analyte": ["bilirubin_total"], "unit": ["umol/L"]}))
        wh.write(
            "rules.baseline",
            pl.DataFrame({"variable": ["bilirubin_total"], "analyte": ["bilirubin_total"], "item": [""]}),
        )
        wh.execute(
            "insert into quality.violations values ('r', 'labs', 'labs_limits', 'f', ?, 'R1', 'flag', '20', 'd')", [ROW]
        )
        wh.execute(
            "insert into quality.receipts values (?, 'raw.his__labs', '备注', 'phi_in_text', '1 name', 'redacted')",
            [ROW],
        )
        yield wh


@pytest.mark.parametrize("asked", ["cand-1", "person-1", "R1", "R1b"])
def test_a_candidate_is_found_by_any_of_its_pseudonyms(wh, asked):
    assert trace(wh, asked).candidate_id == "cand-1"


def test_every_layer_of_a_value_is_shown(wh):
    (value,) = trace(wh, "cand-1", "bilirubin_total").values
    assert (value.value, value.value_text, value.unit) == (342.08, "20.0↑", "umol/L")
    assert value.rule_ids == ["labs_limits"]
    (step,) = value.steps
    assert (step.file, step.sheet, step.line) == ("20181015_full/检验_2013.csv", None, 5)
    assert step.cells == {"结果": "20.0↑", "单位": "mg/dL"}
    assert step.receipts == ["phi_in_text in 备注: 1 name → redacted"]
    assert (step.kind, step.staged) == ("labs", {"value": 20.0, "unit": "mg/dL"})
    assert step.harmonised["value"] == pytest.approx(20.0 * step.harmonised["factor"])
    assert step.rule_ids == ["labs_limits"]


def test_a_repaired_cell_is_told_with_its_evidence_and_the_conversion_starts_from_it(wh):
    """The number stands in mg/dL although umol/L is printed beside it: staging keeps that, core has the right unit."""
    wh.execute("update staging.labs set unit = 'umol/L'")
    wh.execute("create schema if not exists core")
    wh.execute("create table core.labs as select * replace ('mg/dL' as unit) from staging.labs")
    wh.execute(
        "insert into quality.repairs values ('r', 'labs', 'labs_unit_by_range', 'f', ?, 'R1', 'unit', 'umol/L',"
        " 'mg/dL', 'range 0.2-1.2', 'range and size agree', 'strong', 'd')",
        [ROW],
    )
    wh.execute(
        "insert into quality.violations values ('r', 'labs', 'labs_unit_by_range', 'f', ?, 'R1', 'repair', 'x', 'd')",
        [ROW],
    )
    traced = trace(wh, "cand-1", "bilirubin_total")
    lines = list(render(traced))
    assert "    put right   unit: umol/L → mg/dL (strong; range and size agree) by labs_unit_by_range" in lines
    assert "    converted   20 mg/dL × 17.104 = 342.08 umol/L (bilirubin_total)" in lines
    assert "    because     the unit is printed, and the printed range does not belie it (strong)" in lines
    assert "    flagged by  labs_limits" in lines
    assert any(line.startswith("    read as     20 umol/L") for line in lines)


def test_cases_are_told_of_the_person_and_of_the_row_that_is_their_evidence(wh):
    for case, patient, question, state in (("C1", "R1", "which_day", "open"), ("C2", "R1b", "same_person", "decided")):
        wh.execute(
            "insert into quality.cases values ('r', ?, ?, ?, ['a_rule'], '0a1b2c3d', [], 'first', null, 'first', ?,"
            " 'hepatologist', date '2026-01-01', 'x')",
            [case, question, patient, state],
        )
    wh.execute(
        "insert into quality.violations values ('r', 'labs', 'a_rule', 'f', ?, 'R1', 'adjudicate', 'x', 'd')", [ROW]
    )
    lines = list(render(trace(wh, "cand-1")))
    assert lines[1:3] == [
        "  case: C2, same_person: decided, 'first' in force, decided by hepatologist on 2026-01-01",
        "  case: C1, which_day: open, 'first' in force",
    ]
    evidence = [line for line in lines if line.startswith("    evidence of ")]
    assert evidence == ["    evidence of C1, which_day: open, 'first' in force"]
    assert trace(wh, "cand-2").cases == []


def test_a_row_of_a_workbook_is_shown_with_its_sheet(wh):
    (value,) = trace(wh, "cand-1", "infusions").values
    assert (value.steps[0].sheet, value.steps[0].line) == ("2013年", 4)


def test_without_a_variable_all_are_shown_and_missing_is_said(wh):
    lines = list(render(trace(wh, "cand-1")))
    assert lines[0] == "candidate cand-1, person person-1: in the cohort"
    assert "bilirubin_total = 342.08 umol/L" in lines
    assert "inr = missing" in lines
    assert "    delivered   结果=20.0↑  单位=mg/dL" in lines
    assert not any("R1" in line or "M1" in line for line in lines)


def test_a_candidate_outside_the_cohort_is_traced_with_the_reason(wh):
    traced = trace(wh, "cand-2")
    assert traced.verdict == "not in the cohort (not_aclf)"
    assert [value.variable for value in traced.values] == ["inr"]


@pytest.mark.parametrize(
    ("patient", "variable", "says"),
    [
        ("cand-11", None, "Did you mean 'cand-1'"),
        ("nobody at all", None, "no candidate, person or record 'nobody at all'"),
        ("cand-1", "bilirubin", "Did you mean 'bilirubin_total'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(wh, patient, variable, says):
    with pytest.raises(WarehouseError, match=says):
        trace(wh, patient, variable)


def test_before_the_first_refresh_there_is_nothing_to_trace(tmp_path):
    with Warehouse.open(tmp_path / "new.duckdb") as wh, pytest.raises(WarehouseError, match="Refresh the study first"):
        trace(wh, "cand-1")
