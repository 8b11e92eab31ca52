"""What a person must settle: one case per question and patient, its default until it is decided, never blocking."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from aclf_pipeline.protocol import Adjudication, Protocol
from aclf_pipeline.quality.cases import MOST_LINES, evidence_digest
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.quality.worklist import worklist
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline_tests.quality.test_gate import lines, result
from aclf_pipeline_tests.quality.world import decision, files, protocol, rule, stage, stage_nothing, waiver

DEATHS = """
    line | patient_id | died_from        | information_source
    2    | R1         | 2014-05-03       | hospital_record
    3    | R1         | 2014-06-09       | disease_control
    4    | R2         | 2014-07-01       | disease_control
    5    | R3         | 2014-07-01       | hospital_record
    6    | R3         | 2014-08-01       | hospital_record
"""
FOLLOWUPS = """
    file | line | patient_id | called_on  | vital_status
    2    | 2    | R1         | 2014-07-01 | alive
    2    | 3    | R2         | 2014-06-01 | alive
"""
TWO_DAYS = rule("deaths_one_day", "deaths", None, "adjudicate", quarantine_when=["drop"])
SEEN_LATER = rule("followups_alive_later", "followups", None, "adjudicate", quarantine_when=["keep"])
AUDITS = {
    "deaths_one_day": """-- deaths of patients with several days of death: one row per death
        select _row_id, 'died ' || died_from as observed from staging.deaths
        qualify min(died_from) over (partition by patient_id) < max(died_from) over (partition by patient_id)
    """,
    "followups_alive_later": """-- calls answered by somebody who is dead: one row per call
        select f._row_id, 'alive ' || f.called_on as observed from staging.followups as f
        join (select patient_id, max(died_from) as died_from from staging.deaths group by patient_id) as d
            on d.patient_id = f.patient_id and f.called_on > d.died_from
    """,
}


def world(wh: Warehouse, deaths: str = DEATHS, followups: str = FOLLOWUPS) -> None:
    if not wh.scalar("select count(*) from quality.files"):
        files(wh, (1, 1, "raw.his__deaths", False), (2, 1, "raw.his__followups", False))
    stage_nothing(wh, "deaths", "followups")
    stage(wh, "deaths", deaths)
    stage(wh, "followups", followups)


def gate(wh: Warehouse, asked: Protocol, refresh: str = "r1", **words: Any) -> GateReport:
    return run_gate(wh, asked, AUDITS, refresh, **words)


def cases(wh: Warehouse) -> dict[str, dict[str, Any]]:
    return {row["patient_id"]: row for row in wh.frame("select * from quality.cases").to_dicts()}


def digest_of(wh: Warehouse, patient: str) -> str:
    return str(cases(wh)[patient]["evidence_digest"])


def test_the_rows_of_all_rules_of_a_question_make_one_case_per_patient(wh: Warehouse) -> None:
    world(wh)
    report = gate(wh, protocol(TWO_DAYS, SEEN_LATER))
    found = cases(wh)
    assert set(found) == {"R1", "R3"}
    assert found["R1"]["rule_ids"] == ["deaths_one_day", "followups_alive_later"]
    assert found["R1"]["evidence"] == [
        "deaths, his/batch1/file1.csv, line 2: died 2014-05-03",
        "deaths, his/batch1/file1.csv, line 3: died 2014-06-09",
        "followups, his/batch1/file2.csv, line 2: alive 2014-07-01",
    ]
    assert {row: found["R3"][row] for row in ("question", "state", "in_force", "default_choice", "decision")} == {
        "question": "what_now", "state": "open", "in_force": "wait", "default_choice": "wait", "decision": None,
    }  # fmt: skip
    assert wh.rows("select rule_id, action, count(*) from quality.violations group by all order by 1") == [
        ("deaths_one_day", "adjudicate", 4), ("followups_alive_later", "adjudicate", 1),
    ]  # fmt: skip
    assert not report.blocked
    assert lines(wh, "core.deaths") == [2, 3, 4, 5, 6]


def test_an_open_case_warns_and_is_told_with_its_default(wh: Warehouse) -> None:
    world(wh)
    check = result(gate(wh, protocol(TWO_DAYS.model_copy(update={"tolerate": 1.0}))), "deaths_one_day")
    assert (check.passed, check.blocking, check.severity) == (False, False, "WARN")
    assert check.cases == {"open": 2, "decided": 0, "stale": 0}
    name = cases(wh)["R1"]["case_id"]
    assert check.notes[0] == f"Case {name}, what_now of patient R1: open, the default 'wait' holds"


def test_nothing_changes_where_there_is_no_case(wh: Warehouse) -> None:
    world(wh, DEATHS.replace("2014-06-09", "2014-05-03").replace("2014-08-01", "2014-07-01"), FOLLOWUPS[:60])
    report = gate(wh, protocol(TWO_DAYS, SEEN_LATER))
    assert cases(wh) == {}
    assert {check.passed for check in report.checks} == {True}
    assert lines(wh, "quality.quarantine") == []


def test_rows_are_set_aside_while_the_choice_in_force_says_so(wh: Warehouse) -> None:
    """By the default as by a decision; of the other rule's rows only under its own choices."""
    world(wh)
    gate(wh, protocol(TWO_DAYS, SEEN_LATER, default="drop"))
    assert wh.rows("select table_name, rule_ids, row->>'patient_id' from quality.quarantine order by 3, _row_id") == [
        ("deaths", ["deaths_one_day"], "R1"), ("deaths", ["deaths_one_day"], "R1"),
        ("deaths", ["deaths_one_day"], "R3"), ("deaths", ["deaths_one_day"], "R3"),
    ]  # fmt: skip
    assert lines(wh, "core.followups") == [2, 3]
    keep = decision("R1", digest_of(wh, "R1"), "keep")
    gate(wh, protocol(TWO_DAYS, SEEN_LATER, default="drop", decisions=[keep]), "r2")
    assert lines(wh, "core.deaths") == [2, 3, 4]
    assert lines(wh, "core.followups") == [3]
    assert {action for (action,) in wh.rows("select distinct action from quality.violations")} == {"adjudicate"}


def test_a_decision_on_the_evidence_seen_settles_the_case(wh: Warehouse) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    both = [decision("R1", digest_of(wh, "R1"), "keep"), decision("R3", digest_of(wh, "R3"), "drop")]
    one = result(gate(wh, protocol(TWO_DAYS, decisions=both[:1]), "r2"), "deaths_one_day")
    assert (one.passed, one.cases, len(one.notes)) == (False, {"open": 1, "decided": 1, "stale": 0}, 1)
    assert (one.failing_rows, one.share) == (4, 0.4)  # the rows of a decided case count no longer
    check = result(gate(wh, protocol(TWO_DAYS, decisions=both), "r3"), "deaths_one_day")
    assert (check.passed, check.share, check.notes) == (True, 0.0, ())
    assert lines(wh, "core.deaths") == [2, 3, 4]
    decided = cases(wh)["R3"]
    assert (decided["state"], decided["decision"], decided["in_force"]) == ("decided", "drop", "drop")
    assert (decided["decided_by"], decided["decided_on"], decided["reason"]) == (
        "hepatologist", date(2026, 1, 1), "the chart was looked at",
    )  # fmt: skip


def test_the_same_evidence_delivered_again_keeps_a_decision(wh: Warehouse) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    decisions = [decision("R1", digest_of(wh, "R1"), "drop")]
    world(wh, DEATHS.replace("2    | R1", "12   | R1").replace("3    | R1", "9    | R1"))
    gate(wh, protocol(TWO_DAYS, decisions=decisions), "r2")
    assert cases(wh)["R1"]["state"] == "decided"
    assert "line 12" in cases(wh)["R1"]["evidence"][1]


def test_other_evidence_makes_a_decision_stale_and_the_default_holds_again(wh: Warehouse) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    drop = decision("R1", digest_of(wh, "R1"), "drop")
    world(wh, DEATHS.replace("2014-06-09", "2014-06-10"))
    check = result(gate(wh, protocol(TWO_DAYS, decisions=[drop]), "r2"), "deaths_one_day")
    case = cases(wh)["R1"]
    assert (case["state"], case["decision"], case["in_force"]) == ("stale", "drop", "wait")
    assert lines(wh, "quality.quarantine") == []
    assert (check.passed, check.cases) == (False, {"open": 1, "decided": 0, "stale": 1})
    assert (
        "the evidence has changed since it was decided on 2026-01-01 ('drop'); the default 'wait' holds"
        in check.notes[0]
    )
    anew = decision("R1", digest_of(wh, "R1"), "keep", on=date(2026, 2, 1))
    gate(wh, protocol(TWO_DAYS, decisions=[drop, anew]), "r3")
    assert (cases(wh)["R1"]["state"], cases(wh)["R1"]["in_force"]) == ("decided", "keep")


def test_a_decision_about_no_case_is_told_once(wh: Warehouse) -> None:
    world(wh)
    report = gate(wh, protocol(TWO_DAYS, SEEN_LATER, decisions=[decision("R9", "00000000", "keep")]))
    told = "adjudications.yaml decides 'what_now' of patient 'R9', and there is no such case"
    assert [check.rule_id for check in report.checks if any(told in note for note in check.notes)] == [
        "followups_alive_later"
    ]


def test_a_row_without_a_patient_makes_no_case_and_is_treated_by_the_default(wh: Warehouse) -> None:
    """A death register may lack the record number."""
    world(wh, DEATHS.replace("R3", "- "))
    report = gate(wh, protocol(TWO_DAYS, default="drop"))
    assert set(cases(wh)) == {"R1"}
    assert lines(wh, "core.deaths") == [4]
    assert "2 rows name no patient and make no case; the default is applied to them" in (
        result(report, "deaths_one_day").notes
    )


def test_a_case_tells_at_most_so_many_lines_and_rests_on_all(wh: Warehouse) -> None:
    drawn = [f"{n + 2} | R1 | 2014-05-{n % 28 + 1:02} | disease_control" for n in range(MOST_LINES + 7)]
    world(wh, "\n".join(["line | patient_id | died_from | information_source", *drawn]))
    gate(wh, protocol(TWO_DAYS))
    case = cases(wh)["R1"]
    assert (len(case["evidence"]), case["evidence"][-1]) == (MOST_LINES + 1, "… and 7 more rows")
    assert case["evidence_digest"] == evidence_digest(("deaths", f"died 2014-05-{day:02}") for day in range(1, 29))


def test_cases_that_are_asked_no_longer_are_gone(wh: Warehouse) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    gate(wh, protocol(TWO_DAYS), "r2", kinds=["stays"])
    assert {case["refresh_id"] for case in cases(wh).values()} == {"r1"}
    gate(wh, protocol(), "r2")
    assert cases(wh) == {}


def test_a_broken_contract_leaves_the_cases_as_they_were(wh: Warehouse) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    wh.execute("alter table staging.stays drop column days_stated")
    assert gate(wh, protocol(TWO_DAYS), "r2").blocked
    assert {case["refresh_id"] for case in cases(wh).values()} == {"r1"}


def test_a_waiver_accepts_rows_of_an_open_case(wh: Warehouse) -> None:
    world(wh)
    asked = protocol(TWO_DAYS, waivers=[waiver("deaths_one_day", date(2026, 12, 31), 4)])
    check = result(gate(wh, asked, review_on=date(2026, 6, 1)), "deaths_one_day")
    assert (check.passed, check.waived_rows) == (True, 4)


texts = st.lists(st.tuples(st.sampled_from(["deaths", "stays"]), st.text(max_size=3)), max_size=5)


@given(texts, texts)
def test_two_bodies_of_evidence_have_one_digest_exactly_when_they_say_the_same(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    assert (evidence_digest(one) == evidence_digest(other)) == (set(one) == set(other))
    assert evidence_digest([*one, *one]) == evidence_digest(reversed(one))


def test_the_worklist_has_a_stanza_that_decides_the_case_it_stands_under(wh: Warehouse) -> None:
    """What is pasted into the page, and completed, is read as the decision of that case."""
    world(wh)
    asked = protocol(TWO_DAYS, SEEN_LATER)
    gate(wh, asked)
    (first, *_) = worklist(wh, asked)
    written = {"decision": "keep", "reason": "the chart", "by": "hepatologist", "on": "2026-12-31"}
    stanza = "\n".join(
        next((f"  {word}: {said}" for word, said in written.items() if line.startswith(f"  {word}:")), line)
        for line in first.stanza.splitlines()
    )
    (read,) = YAML(typ="safe").load(stanza)
    signed = Adjudication.model_validate(read)
    gate(wh, asked.model_copy(update={"adjudications": (signed,)}), "r2")
    assert cases(wh)[signed.patient]["state"] == "decided"


@pytest.mark.parametrize(("every", "patients"), [(False, ["R3"]), (True, ["R3", "R1"])])
def test_the_worklist_has_what_is_to_be_decided_first(wh: Warehouse, every: bool, patients: list[str]) -> None:
    world(wh)
    gate(wh, protocol(TWO_DAYS))
    asked = protocol(TWO_DAYS, decisions=[decision("R1", digest_of(wh, "R1"), "keep")])
    gate(wh, asked, "r2")
    assert [item.patient for item in worklist(wh, asked, every=every)] == patients
