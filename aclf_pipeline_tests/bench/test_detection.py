"""The bench counts what it says it counts: on ledgers drawn by hand, where every share can be worked out on paper."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from aclf_pipeline.bench.catalogue import catalogue
from aclf_pipeline.bench.detection import Evidence, false_alarms, instances_met, missed, score
from aclf_pipeline.bench.detection_report import run_and_collect
from aclf_pipeline.bench.mutation import SCHEMA, worth
from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol import load_protocol
from aclf_pipeline.settings import PACKAGE
from aclf_pipeline.simulate.profiles import DEFECTS

RIGHT, OTHER = "labs_reported_after_collected", "labs_within_hard_limits"
FILE = "20181015_full/检验结果_2014.csv"


def planted(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Rows as (defect, instance, line, asked)."""
    return pl.DataFrame(
        [
            {
                "defect_id": defect, "instance": instance, "file": FILE, "sheet": "", "line": line, "asked": asked,
                "habit": False, "level": "row", "actions": ["quarantine"], "record": ["R1"], "column": "报告时间",
                "original_value": "1", "corrupted_value": "2",
            }
            for defect, instance, line, asked in rows
        ],
        schema_overrides={"line": pl.Int64, "instance": pl.Int64},
    )  # fmt: skip


def findings(*rows: tuple[str, str, int]) -> pl.DataFrame:
    """Rows as (rule, action, line); every row is a tube of its own."""
    return pl.DataFrame(
        [
            {"rule_id": rule, "action": action, "file": FILE, "line": line, "sheet": "", "patient_id": "R9",
             "twin": f"tube {line}"}
            for rule, action, line in rows
        ],
        schema_overrides={"line": pl.Int64},
    )  # fmt: skip


REPAIRS = pl.DataFrame(
    schema={
        "rule_id": pl.String, "column_name": pl.String, "became": pl.String, "file": pl.String, "line": pl.Int64,
        "sheet": pl.String, "in_stated_unit": pl.Float64,
    }
)  # fmt: skip
DEFECT = "report_before_collection"


def of(evidence: Evidence, defect: str = DEFECT) -> dict[str, Any]:
    return score(evidence).row(by_predicate=pl.col("defect") == defect, named=True)


def test_met_attributed_and_missed_are_counted_per_instance() -> None:
    evidence = Evidence(
        findings(
            (RIGHT, "quarantine", 2),
            (OTHER, "quarantine", 3),
            (RIGHT, "flag", 4),  # not an acceptable action
            (RIGHT, "quarantine", 9),  # nothing was done there
        ),
        planted((DEFECT, 1, 2, True), (DEFECT, 2, 3, True), (DEFECT, 3, 4, True), (DEFECT, 4, 5, False)),
        REPAIRS,
    )
    row = of(evidence)
    assert (row["planted"], row["asked"], row["met"], row["attributed"]) == (4, 3, 2, 1)
    assert (row["findings"], row["false"], row["stray_flags"]) == (2, 1, 0)
    lost = missed(evidence)
    assert sorted(zip(lost["what"], lost["line"], strict=True)) == [("missed", 4), ("other rule", 3)]


def test_a_finding_on_the_tube_of_a_damaged_row_is_no_false_alarm() -> None:
    on_tube = findings((RIGHT, "quarantine", 2), (RIGHT, "quarantine", 3)).with_columns(twin=pl.lit("one tube"))
    assert of(Evidence(on_tube, planted((DEFECT, 1, 2, True)), REPAIRS))["false"] == 0


@pytest.mark.parametrize(("became", "right"), [("100", 1), ("100.9", 1), ("102", 0)])
def test_a_repaired_number_is_right_within_a_hundredth(became: str, right: int) -> None:
    truth = planted((DEFECT, 1, 2, True)).with_columns(original_value=pl.lit("100"))
    repair = {"rule_id": RIGHT, "column_name": "value", "became": became, "file": FILE, "line": 2, "sheet": ""}
    repairs = pl.concat([REPAIRS, pl.DataFrame([repair])], how="diagonal")
    row = of(Evidence(findings((RIGHT, "quarantine", 2)), truth, repairs))
    assert (row["repaired_values"], row["right_values"]) == (1, right)


def test_on_a_clean_hospital_reading_a_habit_is_no_alarm_and_setting_aside_is() -> None:
    habit = planted(("censored_string", 1, 2, True)).with_columns(habit=pl.lit(value=True))
    found = findings(("censored", "repair", 2), (RIGHT, "quarantine", 3), (OTHER, "flag", 4))
    assert false_alarms(Evidence(found, habit, REPAIRS)).rows() == [(RIGHT, "quarantine", 1)]


def test_a_class_with_two_rules_is_met_by_either() -> None:
    truth = planted(("decimal_slip", 1, 2, True), ("decimal_slip", 2, 3, True))
    found = findings((OTHER, "quarantine", 2), ("vitals_within_limits", "quarantine", 3))
    met = instances_met(Evidence(found, truth, REPAIRS), OTHER)
    assert sorted(met.rows()) == [("decimal_slip", 1), ("decimal_slip", 2)]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([("r", "removed", 5, 3)], "earns its place"),
        ([("r", "removed", 5, 0)], "another rule meets the same"),
        ([("r", "removed", 0, 0)], "nothing to meet"),
    ],
)
def test_what_a_rule_is_worth(rows: list[tuple[str, str, int, int]], verdict: str) -> None:
    assert worth(pl.DataFrame(rows, schema=SCHEMA, orient="row"))["verdict"].to_list() == [verdict]


def test_a_figure_that_can_be_halved_and_doubled_unnoticed_is_listed() -> None:
    rows = [("r", "removed", 5, 5), ("r", "0.05 → 0.1", 5, 2), ("r", "0.05 → 0.025", 5, 0), ("r", "30 → 15", 5, 0)]
    row = worth(pl.DataFrame(rows, schema=SCHEMA, orient="row")).row(0, named=True)
    assert (row["figures"], row["idle"]) == (2, "30")


def test_the_catalogue_names_every_class_and_only_rules_that_are_there() -> None:
    assert set(DEFECTS) <= set(catalogue())
    rules = load_protocol(PACKAGE / "protocol", "nct07198854").rules
    named = {rule for expected in catalogue().values() for rule in expected.met_by}
    about_rows = {rule for rule in named if rule.split("_")[0] in {r.table for r in rules.values()}}
    assert about_rows <= set(rules)
    assert not [defect for defect, expected in catalogue().items() if not expected.met_by]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("1", "1", "standart"), "there is no profile 'standart'. Did you mean 'standard'?"),
        (("one", "1", "clean"), "--seeds asks for 'one'"),
        (("1", "many", "clean"), "--rates asks for 'many'"),
    ],
)
def test_a_wrong_word_is_told_before_anything_is_simulated(words: tuple[str, str, str], told: str) -> None:
    with pytest.raises(UserError, match=told.replace("?", r"\?")):
        run_and_collect(300, *words, mutation=False)
