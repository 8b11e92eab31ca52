"""Rows outside their stay, booked on the stay they belong to or told; stays without a result."""

from __future__ import annotations

import pytest

from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs

STAYS = """
    line | patient_id | stay_id | admitted_at      | discharged_at    | route
    2    | R1         | R1-1    | 2014-05-10 08:00 | 2014-05-20 10:00 | other
    3    | R1         | R1-2    | 2014-06-10 08:00 | 2014-06-20 10:00 | other
    4    | R1         | R1-3    | 2014-06-15 08:00 | 2014-06-25 10:00 | other
    5    | R2         | R2-1    | 2014-06-01 08:00 | 2014-06-09 10:00 | transfer
    6    | R3         | R3-1    | 2014-06-20 08:00 | 2014-05-20 10:00 | other
    7    | R3         | R3-2    | 2014-07-01 08:00 | 2014-07-09 10:00 | other
"""
# what happened when, by line: in the stay, near it, in one other stay, in two, in nobody's, before an impossible stay
WHEN = {
    2: ("R1-1", "2014-05-15 07:00"), 3: ("R1-1", "2014-05-27 07:00"), 4: ("R1-1", "2014-06-12 07:00"),
    5: ("R1-1", "2014-06-17 07:00"), 6: ("R1-1", "2014-06-05 07:00"), 7: ("R3-1", "2014-07-03 07:00"),
}  # fmt: skip


def drawn(kind: str) -> str:
    if kind == "labs":
        rows = [f"{line} | T{line} | NA | 137 | {at} | {stay} | {stay[:2]}" for line, (stay, at) in WHEN.items()]
        return labs("\n".join(["line | tube | item | value | collected_at | stay_id | patient_id", *rows]))
    time = {"assessments": "assessed_at", "procedures": "started_at"}[kind]
    rows = [f"{line} | {stay[:2]} | {stay} | {at}" for line, (stay, at) in WHEN.items()]
    return "\n".join([f"line | patient_id | stay_id | {time}", *rows])


@pytest.mark.parametrize("kind", ["labs", "assessments", "procedures"])
def test_a_row_inside_exactly_one_other_stay_is_booked_on_it(kind: str, audits: AuditWorld) -> None:
    tables = {"stays": STAYS, kind: drawn(kind)}
    assert audits.mended(f"{kind}_stay_put_right", **tables) == [(4, "stay_id", "R1-1", "R1-2")]


@pytest.mark.parametrize("rule_id", ["labs_collected_in_stay", "assessments_in_stay", "procedures_in_stay"])
def test_a_row_outside_its_stay_is_told_and_an_impossible_stay_accuses_nobody(rule_id: str, audits: AuditWorld) -> None:
    kind = rule_id.split("_")[0]
    assert audits.caught(rule_id, **{"stays": STAYS, kind: drawn(kind)}) == [4, 5, 6]


def test_a_stay_without_a_result_is_told(audits: AuditWorld) -> None:
    results = labs("""
        line | tube | item | value | stay_id | patient_id
        2    | T1   | NA   | 137   | R1-1    | R1
        3    | T2   | NA   | 137   | -       | R2
    """)
    assert audits.caught("stays_results_present", stays=STAYS, labs=results) == [3, 4, 5, 6, 7]
