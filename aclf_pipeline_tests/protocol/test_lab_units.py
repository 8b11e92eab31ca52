"""Units of laboratory results: what is put right on two signals, what is set aside on one, what is left alone."""

from __future__ import annotations

import pytest

from aclf_pipeline.quality.audits import current_views, run_audit
from aclf_pipeline.quality.repairs import repair
from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs
from aclf_pipeline_tests.quality.world import stage, stage_nothing


def becoming(audits: AuditWorld, rule_id: str, drawing: str) -> dict[int, str]:
    """The unit each line gets."""
    return {line: became for line, column, _, became in audits.mended(rule_id, labs=labs(drawing)) if column == "unit"}


def test_a_missing_unit_is_that_of_the_printed_range_when_it_is_of_one_unit_only(audits: AuditWorld) -> None:
    assert becoming(audits, "labs_unit_filled_in", """
        line | tube | item   | value   | unit   | ref_text             | specimen
        2    | T1   | TBIL   | 380     | -      | 0-23                 | serum
        3    | T1   | TBIL   | 22.2    | -      | 0-1.35               | serum
        4    | T1   | TBIL   | 21      | -      | 男:≤26;女:≤21        | serum
        5    | T1   | CHE    | 4200    | -      | 5000～12000          | serum
        6    | T1   | CHE    | 4.2     | -      | 5--12                | serum
        7    | T1   | UA     | 0.31    | -      | 0.15-0.42            | serum
        8    | T1   | ALT    | 812     | -      | 男:9-50;女:7-40      | serum
        9    | T1   | HGB    | 128     | -      | 男:130-175;女:115-150 | whole_blood
        10   | T1   | PTA    | 34      | -      | 70-130               | plasma
        11   | T1   | TBIL   | 380     | -      | -                    | serum
        12   | T1   | TBIL   | 380     | -      | 0-200                | serum
        13   | T1   | HBVDNA | 53200   | -      | <500                 | serum
        14   | T1   | INR    | 2.1     | -      | 0.8-1.15             | plasma
        15   | T1   | ALB    | 11      | -      | 35-55                | ascites
        16   | T1   | TBIL   | 380     | umol/L | 0-1.35               | serum
    """) == {
        2: "umol/L", 3: "mg/dL", 4: "umol/L", 5: "U/L", 6: "kU/L", 7: "mmol/L", 8: "U/L", 9: "g/L", 10: "%",
    }  # fmt: skip


def test_a_number_that_stays_without_a_unit_is_caught_and_no_activity_is_read_as_a_fraction(audits: AuditWorld) -> None:
    assert audits.caught("labs_unit_known", labs=labs("""
        line | tube | item | value | unit | unit_text
        2    | T1   | PTA  | 34    | -    | -
        3    | T1   | PTA  | 0.34  | 1    | %
        4    | T1   | INR  | 2.1   | -    | -
    """)) == [2]  # fmt: skip
    assert audits.caught("labs_within_hard_limits", labs=labs("""
        line | tube | item | value | unit | unit_text
        2    | T1   | PTA  | 0.34  | %    | %
        3    | T1   | PTA  | 0.34  | 1    | %
        4    | T1   | PTA  | 34    | 1    | %
    """)) == [2, 4]  # fmt: skip


def test_two_independent_signals_put_a_unit_right(audits: AuditWorld) -> None:
    assert becoming(audits, "labs_unit_put_right", """
        line | tube | item | value | ref_text   | collected_at     | patient_id
        2    | A1   | CREA | 0.88  | 0.57-1.24  | 2014-06-01 07:00 | R1
        3    | B1   | CREA | 79    | 50-110     | 2014-06-01 07:00 | R2
        4    | B2   | CREA | 0.88  | 50-110     | 2014-06-03 07:00 | R2
        5    | C1   | CREA | 0.88  | 50-110     | 2014-06-03 07:00 | R3
        6    | C1   | UREA | 5.1   | 2.5-6.5    | 2014-06-03 07:00 | R3
        7    | D1   | HGB  | 12.8  | 130-175    | 2014-06-03 07:00 | R4
        8    | D1   | HCT  | 0.38  | 0.40-0.50  | 2014-06-03 07:00 | R4
        9    | E1   | CHE  | 4.2   | 5-12       | 2014-06-03 07:00 | R5
        10   | E2   | CHE  | 4100  | 5000-12000 | 2014-06-05 07:00 | R5
    """) == {2: "mg/dL", 4: "mg/dL", 5: "mg/dL", 7: "g/dL", 9: "kU/L"}  # fmt: skip


LONE = labs("""
    line | tube | item | value | ref_text  | collected_at     | patient_id
    2    | A1   | CREA | 0.88  | 50-110    | 2014-06-01 07:00 | R1
    3    | B1   | TBIL | 22.2  | 0-1.35    | 2014-06-01 07:00 | R2
    4    | C1   | TBIL | 22.2  | 0-23      | 2014-06-01 07:00 | R3
    5    | D1   | HGB  | 12.8  | 130-175   | 2014-06-01 07:00 | R4
    6    | E1   | CREA | 16    | 50-110    | 2014-06-01 07:00 | R5
""")


def test_one_signal_alone_sets_a_result_aside_with_both_readings(audits: AuditWorld) -> None:
    assert audits.mended("labs_unit_put_right", labs=LONE) == []
    assert audits.caught("labs_unit_silent", labs=LONE) == [2, 3, 5]
    with current_views(audits.wh) as seen:
        found = run_audit(audits.wh, audits.protocol.rules["labs_unit_silent"], audits.audits, seen)
    assert "0.88 in umol/L, or in mg/dL, that is 77.8 in umol/L" in found["observed"].to_list()


COURSE = """
    line | tube | item | value | ref_text | collected_at     | patient_id
    10   | A1   | TBIL | 380   | 0-23     | 2014-06-01 07:00 | R1
    11   | A1   | DBIL | 270   | 0-6.84   | 2014-06-01 07:00 | R1
    12   | A1   | IBIL | 110   | 0-17     | 2014-06-01 07:00 | R1
    13   | A2   | TBIL | 22.8  | 0-23     | 2014-06-03 07:00 | R1
    14   | A2   | DBIL | 16.1  | 0-6.84   | 2014-06-03 07:00 | R1
    15   | A2   | IBIL | 6.7   | 0-17     | 2014-06-03 07:00 | R1
    16   | A3   | TBIL | 395   | 0-23     | 2014-06-05 07:00 | R1
    17   | A3   | DBIL | 284   | 0-6.84   | 2014-06-05 07:00 | R1
    18   | A3   | IBIL | 111   | 0-17     | 2014-06-05 07:00 | R1
"""


def test_bilirubins_that_fall_and_rise_together_by_the_factor_between_the_units_are_put_right(
    audits: AuditWorld,
) -> None:
    assert becoming(audits, "labs_unit_put_right", COURSE) == {13: "mg/dL", 14: "mg/dL", 15: "mg/dL"}


def test_a_bilirubin_follows_its_siblings_when_only_in_their_unit_the_three_add_up(audits: AuditWorld) -> None:
    drifting = COURSE.replace("| IBIL | 110 ", "| IBIL | 60  ").replace("| IBIL | 111 ", "| IBIL | 50  ")
    assert becoming(audits, "labs_unit_put_right", drifting) == {13: "mg/dL", 14: "mg/dL", 15: "mg/dL"}


FALLS = {
    "neighbours are too far in time": (("2014-06-03", "2014-07-03"),),
    "the fall is that of plasma exchange": (("| 22.8 ", "| 190  "), ("| 16.1 ", "| 135  "), ("| 6.7  ", "| 55   ")),
    "the next tube is low as well": (("| 395 ", "| 24  "), ("| 284 ", "| 17  "), ("| 111 ", "| 7   ")),
}


@pytest.mark.parametrize("what", FALLS)
def test_a_bilirubin_is_never_told_by_its_size(what: str, audits: AuditWorld) -> None:
    drawn = COURSE
    for old, new in FALLS[what]:
        drawn = drawn.replace(old, new)
    assert becoming(audits, "labs_unit_put_right", drawn) == {}
    assert audits.caught("labs_unit_silent", labs=labs(drawn)) == []


def test_the_jump_of_one_bilirubin_alone_accuses_nobody(audits: AuditWorld) -> None:
    alone = "\n".join(line for line in COURSE.splitlines() if "DBIL" not in line and "IBIL" not in line)
    assert becoming(audits, "labs_unit_put_right", alone) == {}
    assert audits.caught("labs_unit_silent", labs=labs(alone)) == []


def test_a_tube_is_not_accused_when_its_neighbour_is_the_strange_one(audits: AuditWorld) -> None:
    assert becoming(audits, "labs_unit_put_right", """
        line | tube | item | value | collected_at     | ref_text
        40   | D1   | TBIL | 28.0  | 2014-06-01 07:00 | 0-23
        41   | D1   | DBIL | 21.1  | 2014-06-01 07:00 | 0-6.84
        42   | D2   | TBIL | 376.6 | 2014-06-03 07:00 | 0-23
        43   | D2   | DBIL | 252.0 | 2014-06-03 07:00 | 0-6.84
        44   | D3   | TBIL | 25.5  | 2014-06-05 07:00 | 0-23
        45   | D3   | DBIL | 19.0  | 2014-06-05 07:00 | 0-6.84
    """) == {}  # fmt: skip


ALBUMIN = """
    line | tube | item | value | ref_text | collected_at     | patient_id
    2    | A1   | ALB  | 33.1  | 35-55    | 2014-06-01 07:00 | R1
    3    | A2   | ALB  | 3.34  | {range}  | 2014-06-03 07:00 | R1
    4    | A2   | TP   | 61.2  | 60-80    | 2014-06-03 07:00 | R1
    5    | A2   | GLO  | 27.8  | 20-40    | 2014-06-03 07:00 | R1
    6    | A3   | ALB  | 33.7  | 35-55    | 2014-06-05 07:00 | R1
"""


def test_an_albumin_ten_times_too_low_may_be_a_moved_point_and_is_put_right_with_its_range_only(
    audits: AuditWorld,
) -> None:
    assert becoming(audits, "labs_unit_put_right", ALBUMIN.format(range="35-55  ")) == {}
    assert audits.caught("labs_unit_silent", labs=labs(ALBUMIN.format(range="35-55  "))) == [3]
    assert becoming(audits, "labs_unit_put_right", ALBUMIN.format(range="3.5-5.5")) == {3: "g/dL"}


def test_what_was_put_right_is_not_accused_again(audits: AuditWorld) -> None:
    drawn = labs("""
        line | tube | item | value | ref_text | collected_at     | unit   | unit_text
        2    | A1   | TBIL | 22.8  | 0-23     | 2014-06-03 07:00 | umol/L | μmol/L
        3    | A1   | DBIL | 16.1  | 0-6.84   | 2014-06-03 07:00 | umol/L | μmol/L
        4    | A2   | TBIL | 395   | 0-23     | 2014-06-05 07:00 | umol/L | μmol/L
        5    | A2   | DBIL | 284   | 0-6.84   | 2014-06-05 07:00 | umol/L | μmol/L
    """)
    stage_nothing(audits.wh, "labs")
    stage(audits.wh, "labs", drawn)
    rules = audits.protocol.rules
    with current_views(audits.wh) as seen:
        first = repair(audits.wh, [rules["labs_unit_put_right"]], audits.audits, seen)
        again = repair(audits.wh, [rules["labs_unit_put_right"]], audits.audits, seen)
    assert (first.carried_out.height, again.carried_out.height) == (2, 0)


def test_an_activity_printed_as_a_fraction_is_one_when_the_inr_agrees(audits: AuditWorld) -> None:
    assert becoming(audits, "labs_pta_in_percent", """
        line | tube | item | value | unit | specimen
        2    | T1   | PTA  | 0.25  | %    | plasma
        3    | T1   | INR  | 2.0   | -    | plasma
        4    | T2   | PTA  | 0.25  | %    | plasma
        5    | T2   | INR  | 1.0   | -    | plasma
        6    | T3   | PTA  | 0.25  | %    | plasma
        7    | T4   | PTA  | 25    | %    | plasma
        8    | T4   | INR  | 2.0   | -    | plasma
        9    | T5   | PTA  | 1.2   | %    | plasma
        10   | T5   | INR  | 85    | -    | plasma
        11   | T6   | PTA  | 0.25  | 1    | plasma
        12   | T6   | INR  | 2.0   | -    | plasma
    """) == {2: "1"}  # fmt: skip
