"""The ledger over time: what became of each finding since the last refresh, and whether the data went backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from aclf_pipeline.errors import UserError
from aclf_pipeline.protocol import Protocol, Rule
from aclf_pipeline.quality.gate import GateReport, run_gate
from aclf_pipeline.quality.row_keys import remember_rows
from aclf_pipeline.quality.verdicts import CheckResult
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.ledger import begin_refresh, finish_refresh, violation_rows
from aclf_pipeline.warehouse.over_time import check_state, findings_of, findings_told
from aclf_pipeline_tests.quality.world import files, protocol, rule, stage, stage_nothing, waiver

SHORT = rule("short_stay", "stays", "days_stated <= 100", tolerate=1)
UNIQUE = rule("stays_key_unique", "stays", None, tolerate=0.9)
UNIQUE_SQL = """-- stays whose key stands more than once: one row per such stay
select _row_id, stay_id as observed from staging.stays
qualify count(*) over (partition by patient_id, stay_id) > 1
"""
LATE = """-- stays longer than a figure of the pages: one row per stay
select s._row_id, s.days_stated::varchar as observed from staging.stays as s
join rules.figures as f on s.days_stated > f.value
"""

FIRST = """
    file | line | patient_id | stay_id | days_stated
    1    | 2    | R1         | R1-1    | 10
    1    | 3    | R2         | R2-1    | 400
    1    | 4    | R3         | R3-1    | 500
"""


@pytest.fixture
def hospital(wh: Warehouse) -> Warehouse:
    """Three deliveries of front pages, the first of them staged; every other kind is empty."""
    files(wh, *((n, n, "raw.his__front_pages", False) for n in (1, 2, 3)))
    wh.execute("update quality.files set loaded_at = make_timestamp(2020, 1, file_id, 0, 0, 0)")
    stage_nothing(wh, "stays")
    stage(wh, "stays", FIRST)
    return wh


def refresh(
    wh: Warehouse,
    name: str,
    *rules: Rule,
    published: bool = True,
    audits: Mapping[str, str] | None = None,
    pages: Protocol | None = None,
) -> GateReport:
    """Judge what is staged, and publish."""
    pages = pages or protocol(*(rules or (SHORT,)))
    begin_refresh(wh, name, datetime(2020, 1, int(name[1:])), "his", pages, date(2020, 1, 1))
    report = run_gate(wh, pages, audits or {}, name)
    if published and not report.blocked:
        finish_refresh(wh, name, datetime(2020, 1, int(name[1:]), 1), "published")
        remember_rows(wh)
    return report


def check(report: GateReport, rule_id: str = "short_stay") -> CheckResult:
    return next(c for c in report.checks if c.rule_id == rule_id)


def course(report: GateReport, rule_id: str = "short_stay") -> dict[str, int]:
    """The states there are any findings of."""
    return {state: n for state, n in check(report, rule_id).course.items() if n}


def findings(wh: Warehouse, rule_id: str = "short_stay") -> dict[str, tuple[str, str]]:
    """Patient → state and why."""
    rows = wh.rows("select patient_id, state, because from quality.findings where rule_id = ? order by 1", [rule_id])
    return {patient: (state, because) for patient, state, because in rows}


def releases(wh: Warehouse) -> list[tuple[str, str, str, str]]:
    return wh.rows("select refresh_id, patient_id, rule_id, because from quality.quarantine_releases order by all")


def delivered(text: str) -> str:
    """The first delivery and a later one."""
    return FIRST + "\n".join(f"    {line}" for line in text.strip().splitlines()) + "\n"


def test_in_the_first_refresh_everything_is_new(hospital: Warehouse) -> None:
    report = refresh(hospital, "r1")
    assert course(report) == {"new": 2}
    assert check(report).passed
    assert findings(hospital) == {"R2": ("new", "row delivered"), "R3": ("new", "row delivered")}


def test_a_finding_nothing_was_done_about_persists(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    assert course(refresh(hospital, "r2")) == {"persisting": 2}
    (row,) = hospital.rows(
        "select first_refresh, first_seen, last_refresh, last_seen, times_opened, changed_refresh"
        " from quality.findings where patient_id = 'R2'"
    )
    assert row == ("r1", datetime(2020, 1, 1), "r2", datetime(2020, 1, 2), 1, "r1")
    assert hospital.scalar("select count(*) from quality.finding_events where refresh_id = 'r2'") == 0


def test_a_row_corrected_by_a_later_batch_is_resolved_and_leaves_quarantine_with_a_record(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40"))
    report = refresh(hospital, "r2")
    assert course(report) == {"resolved": 1, "persisting": 1}
    assert findings(hospital)["R2"] == ("resolved", "row corrected")
    assert releases(hospital) == [("r2", "R2", "short_stay", "row corrected")]
    ended = "select resolved_refresh, last_refresh, is_open from quality.findings where patient_id = 'R2'"
    assert hospital.rows(ended) == [("r2", "r1", False)]


def test_a_row_sent_again_is_the_same_row_wherever_it_stands(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 9 | R2 | R2-1 | 400"))
    assert course(refresh(hospital, "r2")) == {"persisting": 2}
    assert hospital.scalar("select row_line(_row_id) from quality.findings where patient_id = 'R2'") == 9
    assert releases(hospital) == []


def test_a_batch_replaced_under_the_same_file_ids_is_told_from_the_one_before(hospital: Warehouse) -> None:
    """Ids of a replaced batch are given again: the same row id, another content."""
    refresh(hospital, "r1")
    hospital.execute("update quality.files set sha256 = 'replaced' where file_id = 1")
    stage(hospital, "stays", FIRST.replace("400", "40"))
    assert course(refresh(hospital, "r2")) == {"resolved": 1, "persisting": 1}
    assert findings(hospital)["R2"] == ("resolved", "row corrected")


def test_a_row_that_is_delivered_no_more_is_withdrawn_not_corrected(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    hospital.execute("update quality.files set sha256 = 'replaced' where file_id = 1")
    stage(hospital, "stays", "\n".join(FIRST.splitlines()[:3]))
    refresh(hospital, "r2")
    assert findings(hospital) == {"R2": ("resolved", "row withdrawn"), "R3": ("resolved", "row withdrawn")}


def test_a_resolved_finding_that_comes_back_fails_the_check_within_any_tolerance(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40"))
    refresh(hospital, "r2")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40\n3 | 2 | R2 | R2-1 | 401"))
    report = refresh(hospital, "r3")
    assert course(report) == {"reopened": 1, "persisting": 1}
    found = check(report)
    assert (found.passed, found.blocking, found.backwards, found.severity) == (False, False, 1, "ERROR")
    assert found.notes[0] == (
        "Went backwards: 1 findings came back and 0 rows fail that were known and clean."
        " R2 (his/batch3/file3.csv, line 2: came back)"
    )
    stored = "select new, persisting, resolved, reopened, backwards, passed from quality.checks"
    assert hospital.rows(f"{stored} where rule_id = 'short_stay' and refresh_id = 'r3'") == [(0, 1, 0, 1, 1, False)]
    assert hospital.scalar("select times_opened from quality.findings where patient_id = 'R2'") == 2


def test_going_backwards_is_not_forgotten_by_refreshing_again(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R1 | R1-1 | 300"))
    assert not check(refresh(hospital, "r2")).passed
    again = refresh(hospital, "r3")
    assert course(again) == {"persisting": 3}
    assert (check(again).passed, check(again).backwards) == (False, 1)
    stage(hospital, "stays", delivered("2 | 2 | R1 | R1-1 | 300\n3 | 2 | R1 | R1-1 | 30"))
    mended = refresh(hospital, "r4")
    assert (check(mended).passed, check(mended).backwards) == (True, 0)


def test_an_old_clean_row_that_fails_goes_backwards_and_a_new_row_does_not(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R9 | R9-1 | 300"))
    new = refresh(hospital, "r2")
    assert (course(new), check(new).passed) == ({"persisting": 2, "new": 1}, True)
    stage(hospital, "stays", delivered("2 | 2 | R9 | R9-1 | 300\n3 | 2 | R1 | R1-1 | 300"))
    old = refresh(hospital, "r3")
    assert (course(old), check(old).passed, check(old).backwards) == ({"persisting": 3, "new": 1}, False, 1)
    assert findings(hospital)["R1"] == ("new", "row changed")
    assert "R1 (his/batch3/file3.csv, line 2: row changed)" in check(old).notes[0]


def test_a_row_the_last_published_refresh_did_not_know_is_no_old_row(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R9 | R9-1 | 30"))
    refresh(hospital, "r2", published=False)
    stage(hospital, "stays", delivered("2 | 2 | R9 | R9-1 | 30\n3 | 2 | R9 | R9-1 | 300"))
    assert check(refresh(hospital, "r3")).passed


def test_tolerance_judges_as_before(hospital: Warehouse) -> None:
    strict = SHORT.model_copy(update={"tolerate": 0.1})
    assert not check(refresh(hospital, "r1", strict)).passed
    again = check(refresh(hospital, "r2", strict))
    assert (again.passed, again.backwards) == (False, 0)


@pytest.mark.parametrize(
    ("word", "action", "passed", "blocked", "is_told"),
    [
        pytest.param(None, "quarantine", False, False, True, id="without a word the check fails"),
        pytest.param("fail", "flag", False, False, True, id="a flag fails as a warning"),
        pytest.param("warn", "quarantine", True, False, True, id="warn: said, and passed"),
        pytest.param("ignore", "quarantine", True, False, False, id="ignore: not said"),
        pytest.param("block", "quarantine", False, True, True, id="block: nothing is promoted"),
        pytest.param(None, "block", False, True, True, id="a rule that blocks does so within its tolerance"),
    ],
)
def test_the_rules_word_says_what_follows(
    hospital: Warehouse, word: str | None, action: str, passed: bool, blocked: bool, is_told: bool
) -> None:
    asked = SHORT.model_copy(update={"action": action, "backwards": word})
    refresh(hospital, "r1", asked)
    stage(hospital, "stays", delivered("2 | 2 | R1 | R1-1 | 300"))
    report = refresh(hospital, "r2", asked)
    assert (check(report).passed, report.blocked) == (passed, blocked)
    assert check(report).backwards == 1
    assert ("Went backwards" in " ".join(check(report).notes)) == is_told


def test_a_rule_that_repairs_only_says_so() -> None:
    assert rule("r", "labs", None, action="repair").on_going_backwards == "warn"
    assert rule("r", "labs", "value > 0").on_going_backwards == "fail"


def test_a_waiver_accepts_what_went_backwards(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R1 | R1-1 | 300"))
    pages = protocol(SHORT, waivers=[waiver("short_stay", date(2026, 1, 1), 1, "patient_id = 'R1'")])
    report = refresh(hospital, "r2", pages=pages)
    assert (check(report).passed, check(report).backwards) == (True, 0)
    assert course(report) == {"persisting": 2, "new": 1}


def test_a_loosened_rule_releases_rows_without_calling_them_better(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    looser = SHORT.model_copy(update={"holds": "days_stated <= 450"})
    report = refresh(hospital, "r2", looser)
    assert course(report) == {"rule_changed": 1, "persisting": 1}
    assert findings(hospital)["R2"] == ("rule_changed", "rule changed")
    assert releases(hospital) == [("r2", "R2", "short_stay", "rule changed")]
    assert hospital.scalar("select count(*) from core.stays where patient_id = 'R2'") == 1


def test_a_tightened_rule_finds_more_without_calling_the_data_worse(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    report = refresh(hospital, "r2", SHORT.model_copy(update={"holds": "days_stated <= 5"}))
    assert (course(report), check(report).backwards) == ({"rule_changed": 1, "persisting": 2}, 0)
    assert findings(hospital)["R1"] == ("rule_changed", "rule changed")
    back = refresh(hospital, "r3", SHORT)
    assert (course(back), check(back).passed) == ({"rule_changed": 1, "persisting": 2}, True)
    assert course(refresh(hospital, "r4", SHORT)) == {"persisting": 2}


def test_a_finding_the_rule_let_go_is_not_reopened_by_the_rule(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40"))
    refresh(hospital, "r2")
    report = refresh(hospital, "r3", SHORT.model_copy(update={"holds": "days_stated <= 20"}))
    assert findings(hospital)["R2"] == ("rule_changed", "rule changed")
    assert check(report).backwards == 0


def test_a_row_withdrawn_while_the_rule_changes_is_withdrawn(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    hospital.execute("update quality.files set sha256 = 'replaced' where file_id = 1")
    stage(hospital, "stays", "\n".join(FIRST.splitlines()[:3]))
    refresh(hospital, "r2", SHORT.model_copy(update={"holds": "days_stated <= 1000"}))
    assert findings(hospital)["R2"] == ("resolved", "row withdrawn")


def test_a_new_rule_and_a_removed_one_make_the_data_neither_worse_nor_better(hospital: Warehouse) -> None:
    other = rule("very_short", "stays", "days_stated <= 5", tolerate=1)
    refresh(hospital, "r1")
    report = refresh(hospital, "r2", SHORT, other)
    assert (course(report, "very_short"), check(report, "very_short").backwards) == ({"rule_changed": 3}, 0)
    refresh(hospital, "r3", SHORT)
    assert set(findings(hospital, "very_short").values()) == {("rule_changed", "rule removed")}
    assert {row[3] for row in releases(hospital)} == {"rule removed"}
    assert len(releases(hospital)) == 3


def test_what_is_done_with_a_row_is_no_part_of_what_is_asked(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    report = refresh(hospital, "r2", SHORT.model_copy(update={"action": "flag"}))
    assert course(report) == {"persisting": 2}
    assert releases(hospital) == [
        ("r2", "R2", "short_stay", "rule changed"),
        ("r2", "R3", "short_stay", "rule changed"),
    ]


def test_a_figure_an_audit_looks_up_is_part_of_what_it_asks(hospital: Warehouse) -> None:
    late = rule("late", "stays", None, tolerate=0.9)
    hospital.write("rules.figures", pl.DataFrame({"value": [100.0]}))
    refresh(hospital, "r1", late, audits={"late": LATE})
    hospital.write("rules.figures", pl.DataFrame({"value": [450.0]}))
    report = refresh(hospital, "r2", late, audits={"late": LATE})
    assert course(report, "late") == {"rule_changed": 1, "persisting": 1}


def test_an_old_row_accused_because_of_a_new_one_says_so(hospital: Warehouse) -> None:
    audits = {"stays_key_unique": UNIQUE_SQL}
    refresh(hospital, "r1", UNIQUE, audits=audits)
    stage(hospital, "stays", FIRST + "    1 | 5 | R1 | R1-1 | 12\n")
    report = refresh(hospital, "r2", UNIQUE, audits=audits)
    assert course(report, "stays_key_unique") == {"new": 2}
    assert check(report, "stays_key_unique").backwards == 2
    assert findings(hospital, "stays_key_unique") == {"R1": ("new", "other rows")}
    assert hospital.rows("select row_line(_row_id), occurrence from quality.findings order by 2") == [(2, 1), (5, 2)]
    stage(hospital, "stays", FIRST)
    refresh(hospital, "r3", UNIQUE, audits=audits)
    stored = hospital.rows("select occurrence, state, because from quality.findings order by 1")
    assert stored == [(1, "resolved", "other rows"), (2, "resolved", "row corrected")]


def test_a_row_read_otherwise_is_not_called_corrected(hospital: Warehouse) -> None:
    """The same bytes, the same rule: only the way they are read can have changed."""
    refresh(hospital, "r1")
    hospital.execute("update staging.stays set days_stated = 40 where patient_id = 'R2'")
    refresh(hospital, "r2")
    assert findings(hospital)["R2"] == ("resolved", "read otherwise")


def test_rows_that_do_not_say_what_they_are_are_known_by_their_text(hospital: Warehouse) -> None:
    """A vital sign without a readable time has no identity; sent again word for word it is the same row."""
    hot = rule("hot", "vitals", "value <= 43", tolerate=0.9)
    sign = "file | line | patient_id | stay_id | measured_at | item        | value\n"
    hospital.execute("create table raw.his__vitals (_row_id bigint, a varchar, b varchar)")
    hospital.execute("update quality.files set raw_table = 'raw.his__vitals' where file_id in (2, 3)")
    for file, line, cell in ((2, 2, "99.1"), (2, 3, "88.1"), (3, 7, "99.1"), (3, 8, "38.1")):
        hospital.execute(
            f"insert into raw.his__vitals values (((({file}::bigint << 6) << 32) + {line}) << 8, 'P', '{cell}')"
        )
    stage(
        hospital, "vitals", sign + "2 | 2 | R1 | R1-1 | - | temperature | 99\n2 | 3 | R1 | R1-1 | - | temperature | 88"
    )
    assert course(refresh(hospital, "r1", hot), "hot") == {"new": 2}
    hospital.execute("delete from quality.files where file_id = 2")
    stage(
        hospital, "vitals", sign + "3 | 7 | R1 | R1-1 | - | temperature | 99\n3 | 8 | R1 | R1-1 | - | temperature | 38"
    )
    report = refresh(hospital, "r2", hot)
    assert course(report, "hot") == {"persisting": 1, "resolved": 1}
    stored = hospital.rows("select keyed_by, state, because from quality.findings where rule_id = 'hot' order by 2")
    assert stored == [("text", "persisting", "row delivered"), ("text", "resolved", "row replaced")]


def test_a_rule_that_could_not_be_judged_leaves_its_findings_as_they_were(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    hospital.execute("alter table staging.stays drop column ward_in")
    blocked = refresh(hospital, "r2")
    assert blocked.blocked
    assert course(blocked) == {}
    assert findings(hospital) == {"R2": ("new", "row delivered"), "R3": ("new", "row delivered")}
    stage(hospital, "stays", FIRST)
    assert course(refresh(hospital, "r3")) == {"persisting": 2}
    assert releases(hospital) == []


def test_a_refresh_judged_again_replaces_what_it_wrote(hospital: Warehouse) -> None:
    tables = ("quality.findings", "quality.finding_events", "quality.quarantine_releases")
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40\n2 | 3 | R1 | R1-1 | 300"))
    states = []
    for _ in range(2):
        report = refresh(hospital, "r2", published=False)
        assert course(report) == {"resolved": 1, "persisting": 1, "new": 1}
        states.append([hospital.rows(f"from {table} order by all") for table in tables])
    assert states[0] == states[1]


def test_judging_a_part_of_the_kinds_leaves_the_others(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    before = hospital.rows("from quality.findings order by all")
    run_gate(hospital, protocol(SHORT), {}, "r2", kinds=["labs"])
    assert hospital.rows("from quality.findings order by all") == before


def test_nothing_leaves_quarantine_without_a_record(hospital: Warehouse) -> None:
    """Over a chain of corrections, withdrawals and changes of rules: what stood aside and does not has its line."""
    steps: Sequence[tuple[str, str, list[Rule]]] = [
        ("r1", FIRST, [SHORT]),
        ("r2", delivered("2 | 2 | R2 | R2-1 | 40"), [SHORT, rule("late", "stays", "stay_id <> 'R1-1'", tolerate=1)]),
        ("r3", delivered("2 | 2 | R2 | R2-1 | 40"), [SHORT.model_copy(update={"holds": "days_stated <= 600"})]),
        ("r4", FIRST, [SHORT]),
        ("r5", FIRST, [SHORT.model_copy(update={"action": "flag"})]),
    ]
    aside: set[tuple[str, str]] = set()
    for name, rows, rules in steps:
        stage(hospital, "stays", rows)
        refresh(hospital, name, *rules)
        now = set(
            hospital.rows(
                """select s.patient_id, unnest(q.rule_ids) from quality.quarantine as q
                join staging.stays as s using (_row_id)"""
            )
        )
        recorded = {(patient, rule_id) for refresh_id, patient, rule_id, _ in releases(hospital) if refresh_id == name}
        assert recorded == aside - now, name
        aside = now
    assert aside == set()


def test_the_findings_of_every_refresh_add_up_to_its_failing_rows(hospital: Warehouse) -> None:
    for name, rows in (("r1", FIRST), ("r2", delivered("2|2|R2|R2-1|40\n2|3|R9|R9-1|999\n2|4|R9|R9-1|998"))):
        stage(hospital, "stays", rows)
        report = refresh(hospital, name)
        for found in report.checks:
            seen = {state: n for state, n in found.course.items() if state != "resolved"}
            assert sum(seen.values()) == found.failing_rows, found.rule_id


def test_a_warehouse_made_before_findings_were_followed_gets_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with Warehouse.open(path) as wh:
        for column in ("seq", "basis", "new", "persisting", "resolved", "reopened", "rule_changed", "backwards"):
            wh.execute(f"alter table quality.checks drop column {column}")
        wh.execute("drop view quality.findings")
        wh.execute("comment on table quality.refreshes is 'older'")
    with Warehouse.open(path) as wh:
        stage_nothing(wh)
        run_gate(wh, protocol(SHORT), {}, "r1")
        assert wh.scalar("select max(seq) from quality.checks") == 1


def test_what_went_backwards_is_listed_first_and_what_is_gone_can_be_asked_for(hospital: Warehouse) -> None:
    refresh(hospital, "r1")
    stage(hospital, "stays", delivered("2 | 2 | R2 | R2-1 | 40\n2 | 3 | R1 | R1-1 | 300"))
    refresh(hospital, "r2")
    assert violation_rows(hospital, "short_stay").select("patient", "state", "file", "line").rows() == [
        ("R1", "new", "his/batch2/file2.csv", 3),
        ("R3", "persisting", "his/batch1/file1.csv", 4),
    ]
    (gone,) = findings_of(hospital, "short_stay", "resolved").to_dicts()
    assert (gone["patient"], gone["because"], gone["file"], gone["line"]) == (
        "R2", "row corrected", "his/batch1/file1.csv", 3,
    )  # fmt: skip
    assert (gone["first_seen"], gone["last_seen"]) == (date(2020, 1, 1), date(2020, 1, 1))
    assert findings_told(hospital) == [
        "1 findings resolved, 1 new, 0 re-opened",
        "left quarantine: 1 row corrected (quality.quarantine_releases)",
        "gone backwards: 1 findings; `aclf violations RULE` lists them first",
    ]


def test_a_state_there_is_none_of_is_told() -> None:
    with pytest.raises(UserError, match=r"'resolvd', which is none of new, .* Did you mean 'resolved'"):
        check_state("short_stay", "resolvd")
    with pytest.raises(UserError, match="asks for a rule"):
        check_state(None, "new")


def test_a_warehouse_nothing_was_judged_in_has_nothing_to_tell(wh: Warehouse) -> None:
    assert findings_told(wh) == []
