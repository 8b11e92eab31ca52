"""Tubes: results of one that do not add up, another person's results, and a negative HBsAg at a wrong moment."""

from __future__ import annotations

from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs

BALANCE = labs("""
    line | tube | item | value | unit   | operator
    2    | T1   | TBIL | 442.5 | umol/L | =
    3    | T1   | DBIL | 318.4 | umol/L | =
    4    | T1   | IBIL | 124.1 | umol/L | =
    5    | T2   | TBIL | 44.25 | umol/L | =
    6    | T2   | DBIL | 318.4 | umol/L | =
    7    | T2   | IBIL | 124.1 | umol/L | =
    8    | T3   | TBIL | 25.9  | mg/dL  | =
    9    | T3   | DBIL | 18.6  | mg/dL  | =
    10   | T3   | IBIL | 124.1 | umol/L | =
    11   | T4   | TP   | 61.2  | g/L    | =
    12   | T4   | ALB  | 33.4  | g/L    | =
    13   | T4   | GLO  | 27.8  | g/L    | =
    14   | T5   | TP   | 61.2  | g/L    | =
    15   | T5   | ALB  | 3.34  | g/L    | =
    16   | T5   | GLO  | 27.8  | g/L    | =
    17   | T6   | TP   | 61.2  | g/L    | =
    18   | T6   | ALB  | 3.34  | g/dL   | =
    19   | T6   | GLO  | 27.8  | g/L    | =
    20   | T7   | TP   | 61.2  | g/L    | =
    21   | T7   | ALB  | 30.0  | g/L    | =
    22   | T8   | WBC  | 8.1   | 10*9/L | =
    23   | T8   | NEU# | 6.3   | 10*9/L | =
    24   | T8   | NEU% | 78.2  | %      | =
    25   | T8   | LYM# | 0.9   | 10*9/L | =
    26   | T8   | LYM% | 22.0  | %      | =
    27   | T9   | WBC  | 0.9   | 10*9/L | =
    28   | T9   | LYM# | 0.2   | 10*9/L | =
    29   | T9   | LYM% | 33.0  | %      | =
""")


def test_results_of_a_tube_that_do_not_add_up_are_told_all_of_them(audits: AuditWorld) -> None:
    assert audits.caught("labs_bilirubins_add_up", labs=BALANCE) == [5, 6, 7]
    assert audits.caught("labs_globulin_adds_up", labs=BALANCE) == [14, 15, 16]
    assert audits.caught("labs_counts_match_percent", labs=BALANCE) == [25]


def test_a_blood_group_is_held_against_the_front_pages_too(audits: AuditWorld) -> None:
    drawn = labs("""
        line | tube | item | value | text_result | patient_id
        2    | T1   | ABO  | B     | blood_group | R1
        3    | T2   | ABO  | A型   | blood_group | R2
        4    | T3   | ABO  | O     | blood_group | R3
        5    | T4   | RHD  | 阳性  | positive    | R4
        6    | T5   | RHD  | 阳性  | positive    | R4
        7    | T6   | RHD  | 阴性  | negative    | R4
    """)
    stays = """
        line | patient_id | stay_id | blood_group
        2    | R1         | R1-1    | A
        3    | R2         | R2-1    | A
        4    | R3         | R3-1    | -
    """
    assert audits.caught("labs_blood_group_constant", labs=drawn, stays=stays) == [2, 7]


def liver(line: int, tube: str, at: str, values: tuple[str, ...], patient: str) -> str:
    return "\n".join(
        f"{line + step} | {tube} | {item} | {value} | {at} | {patient}"
        for step, (item, value) in enumerate(zip(("TBIL", "DBIL", "ALT", "AST", "ALB"), values, strict=True))
    )


ILL, WELL = ("380", "270", "812", "640", "29.1"), ("12", "4", "22", "25", "43.0")
HALVED = ("170", "120", "300", "210", "30.2")


def test_a_tube_with_three_results_far_from_those_around_it_is_doubtful(audits: AuditWorld) -> None:
    drawn = "\n".join([
        "line | tube | item | value | collected_at | patient_id",
        liver(10, "A1", "2014-06-01 07:00", ILL, "R1"),
        liver(20, "A2", "2014-06-03 07:00", WELL, "R1"),
        liver(30, "A3", "2014-06-05 07:00", ILL, "R1"),
        liver(40, "B1", "2014-06-01 07:00", ILL, "R2"),
        liver(50, "B2", "2014-07-03 07:00", WELL, "R2"),
        liver(60, "C1", "2014-06-01 07:00", ILL, "R3"),
        liver(70, "C2", "2014-06-04 07:00", HALVED, "R3"),
        liver(80, "C3", "2014-06-07 07:00", ("80", "55", "120", "90", "30.5"), "R3"),
        liver(90, "D1", "2014-06-01 07:00", ILL, "R4"),
        liver(100, "D2", "2014-06-03 07:00", ("360", "255", "90", "80", "30.1"), "R4"),
    ])  # fmt: skip
    assert audits.caught("labs_specimen_doubtful", labs=labs(drawn)) == list(range(20, 25))
    assert audits.caught("labs_specimen_mixed_up", labs=labs(drawn)) == []


def test_a_tube_with_two_signals_of_another_person_is_set_aside_whole(audits: AuditWorld) -> None:
    header = "line | tube | item | value | collected_at | patient_id | text_result"
    drawn = "\n".join([
        header,
        "1 | P1 | ABO | A | 2014-05-01 07:00 | R1 | blood_group",
        "2 | P2 | ABO | A | 2014-05-02 07:00 | R1 | blood_group",
        "3 | P1 | HBSAG | 210 | 2014-05-01 07:00 | R1 | -",
        "4 | P2 | HBSAG | 230 | 2014-05-02 07:00 | R1 | -",
        "5 | X | ABO | B | 2014-05-03 07:00 | R1 | blood_group",
        "6 | X | HBSAG | 0.02 | 2014-05-03 07:00 | R1 | -",
        "7 | X | NA | 137 | 2014-05-03 07:00 | R1 | -",
        "8 | P3 | HBSAG | 250 | 2014-05-04 07:00 | R1 | -",
    ])  # fmt: skip
    assert audits.caught("labs_specimen_mixed_up", labs=labs(drawn)) == [5, 6, 7]
    assert audits.caught("labs_specimen_doubtful", labs=labs(drawn)) == []


def test_an_antigen_that_changes_for_one_tube_is_doubtful_and_seroconversion_is_not(audits: AuditWorld) -> None:
    assert audits.caught("labs_specimen_doubtful", labs=labs("""
        line | tube | item  | value | unit  | collected_at     | patient_id
        2    | A1   | HBSAG | 210   | {COI} | 2014-01-01 07:00 | R1
        3    | A2   | HBSAG | 0.02  | {COI} | 2014-06-01 07:00 | R1
        4    | A3   | HBSAG | 230   | {COI} | 2014-09-01 07:00 | R1
        5    | B1   | HBEAG | 120   | {COI} | 2013-01-01 07:00 | R2
        6    | B2   | HBEAG | 0.3   | {COI} | 2014-06-01 07:00 | R2
        7    | B3   | HBEAG | 0.2   | {COI} | 2015-06-01 07:00 | R2
        8    | C1   | HBEAG | 0.3   | {COI} | 2013-01-01 07:00 | R3
        9    | C2   | HBEAG | 120   | {COI} | 2014-06-01 07:00 | R3
        10   | C3   | HBEAG | 0.3   | {COI} | 2014-08-01 07:00 | R3
        11   | D1   | HBSAG | >250  | {COI} | 2014-01-01 07:00 | R4
        12   | D2   | HBSAG | 230   | {COI} | 2014-09-01 07:00 | R4
    """)) == [3, 9]  # fmt: skip


INFUSIONS = """
    line | patient_id | infused_on
    2    | R1         | 2014-06-10
    3    | R1         | 2014-06-17
    4    | R2         | 2014-06-10
    5    | R3         | 2014-06-10
"""


def test_a_negative_hbsag_before_the_first_infusion_is_a_question_when_others_are_positive(audits: AuditWorld) -> None:
    assert audits.caught("labs_hbsag_positive_before_infusion", infusions=INFUSIONS, labs=labs("""
        line | tube | item  | value | unit  | collected_at     | patient_id | text_result
        2    | A1   | HBSAG | 210   | {COI} | 2014-05-01 07:00 | R1         | -
        3    | A2   | HBSAG | 0.02  | {COI} | 2014-05-11 07:00 | R1         | -
        4    | A3   | HBSAG | 0.02  | {COI} | 2014-06-10 07:00 | R1         | -
        5    | A4   | HBSAG | 0.02  | {COI} | 2014-05-10 07:00 | R1         | -
        6    | A5   | HBSAG | 0.02  | {COI} | 2014-06-11 07:00 | R1         | -
        7    | B1   | HBSAG | 0.02  | {COI} | 2014-06-01 07:00 | R2         | -
        8    | C1   | HBSAG | 阴性  | -     | 2014-06-01 07:00 | R3         | negative
        9    | C2   | HBSAG | 阳性  | -     | 2015-06-01 07:00 | R3         | positive
        10   | D1   | HBSAG | 0.02  | {COI} | 2014-06-01 07:00 | R4         | -
        11   | D2   | HBSAG | 210   | {COI} | 2014-07-01 07:00 | R4         | -
    """)) == [3, 4, 8]  # fmt: skip
