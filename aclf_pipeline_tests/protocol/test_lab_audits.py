"""Audits of laboratory results: what each must catch, and what of a sick patient or a habit it must leave alone."""

from __future__ import annotations

import pytest

from aclf_pipeline_tests.protocol.audit_world import AuditWorld, labs


def test_a_number_without_an_accepted_unit_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_unit_known", labs=labs("""
        line | tube | item  | value | unit   | text_result | specimen
        2    | T1   | TBIL  | 380   | umol/L | -           | serum
        3    | T1   | TBIL  | 22.2  | mg/dL  | -           | serum
        4    | T1   | TBIL  | 380   | -      | -           | serum
        5    | T1   | TBIL  | 380   | g/L    | -           | serum
        6    | T1   | INR   | 2.1   | -      | -           | plasma
        7    | T1   | HBEAG | 0.4   | -      | -           | serum
        8    | T1   | HBEAG | 0.4   | {COI}  | -           | serum
        9    | T1   | TBIL  | 溶血  | -      | other_text  | serum
        10   | T1   | ALB   | 11    | -      | -           | ascites
    """)) == [4, 5]  # fmt: skip


def test_a_number_outside_the_hard_limits_is_caught_in_the_unit_it_is_in(audits: AuditWorld) -> None:
    assert audits.caught("labs_within_hard_limits", labs=labs("""
        line | tube | item   | value  | unit    | specimen
        2    | T1   | NA     | 13.7   | mmol/L  | serum
        3    | T1   | NA     | 118    | mmol/L  | serum
        4    | T1   | ALB    | 3.1    | g/L     | serum
        5    | T1   | ALB    | 3.1    | g/dL    | serum
        6    | T1   | ALB    | 3.1    | g/L     | ascites
        7    | T1   | TBIL   | 1157   | umol/L  | serum
        8    | T1   | TBIL   | 120    | mg/dL   | serum
        9    | T1   | INR    | 20.8   | -       | plasma
        10   | T1   | INR    | >15.5  | -       | plasma
        11   | T1   | PTA    | 0.34   | %       | plasma
        12   | T1   | HBVDNA | <20    | [IU]/mL | serum
        13   | T1   | TBIL   | 380    | -       | serum
    """)) == [2, 4, 8, 9, 11]  # fmt: skip


def test_two_results_of_one_item_and_report_are_caught_and_a_reissue_is_not(audits: AuditWorld) -> None:
    assert audits.caught("labs_key_unique", labs=labs("""
        line | tube | item | value | reported_at
        2    | T1   | TBIL | 380   | 2014-05-01 12:00
        3    | T1   | TBIL | 390   | 2014-05-01 12:00
        4    | T2   | TBIL | 380   | 2014-05-01 12:00
        5    | T2   | TBIL | 390   | 2014-05-01 15:00
        6    | T3   | TBIL | 380   | 2014-05-01 12:00
        7    | T3   | TBIL | 380   | 2014-05-01 12:00
        8    | T4   | DBIL | 280   | 2014-05-01 12:00
        9    | -    | TBIL | 380   | 2014-05-01 12:00
        10   | -    | TBIL | 390   | 2014-05-01 12:00
    """)) == [2, 3]  # fmt: skip


def test_results_of_one_time_are_caught_equal_or_not_where_there_is_no_tube(audits: AuditWorld) -> None:
    assert audits.caught("labs_one_value_per_time", labs=labs("""
        line | tube | item | value | collected_at
        2    | -    | TBIL | 380   | 2014-05-01 07:00
        3    | -    | TBIL | 390   | 2014-05-01 07:00
        4    | -    | TBIL | 390   | 2014-05-01 08:00
        5    | T1   | TBIL | 370   | 2014-05-01 07:00
        6    | -    | K    | 4.1   | 2014-05-01 07:00
        7    | -    | K    | 4.1   | 2014-05-01 07:00
    """)) == [2, 3, 6, 7]  # fmt: skip


def test_an_exchanged_inr_and_activity_are_caught_both(audits: AuditWorld) -> None:
    assert audits.caught("labs_inr_pta_consistent", labs=labs("""
        line | tube | item | value
        2    | T1   | INR  | 34
        3    | T1   | PTA  | 2.08
        4    | T2   | INR  | 2.08
        5    | T2   | PTA  | 34
        6    | T3   | INR  | 2.08
        7    | T3   | PTA  | 18
        8    | T4   | INR  | 9.6
        9    | T4   | PTA  | 6
        10   | T5   | INR  | 1.0
        11   | T5   | PTA  | 110
        12   | T6   | INR  | 2.1
        13   | T7   | PTA  | 2.0
    """)) == [2, 3]  # fmt: skip


def test_an_exchanged_pair_that_fits_both_ways_is_told_by_the_results_beside_it(audits: AuditWorld) -> None:
    assert audits.caught("labs_inr_pta_consistent", labs=labs("""
        line | patient_id | tube | item | value | collected_at
        2    | P1      | T1   | INR  | 2.9   | 2014-05-01 07:00
        3    | P1      | T2   | INR  | 15    | 2014-05-03 07:00
        4    | P1      | T2   | PTA  | 3.06  | 2014-05-03 07:00
        5    | P1      | T3   | INR  | 3.2   | 2014-05-05 07:00
        6    | P2      | T4   | INR  | 7.5   | 2014-05-01 07:00
        7    | P2      | T5   | INR  | 12    | 2014-05-03 07:00
        8    | P2      | T5   | PTA  | 4     | 2014-05-03 07:00
        9    | P3      | T6   | INR  | 15    | 2014-05-03 07:00
        10   | P3      | T6   | PTA  | 3.06  | 2014-05-03 07:00
    """)) == [3, 4]  # fmt: skip


@pytest.mark.parametrize(
    ("inr", "pta"), [(1.0, 100), (1.5, 40), (1.75, 30), (2.0, 25), (2.35, 20), (2.9, 15), (4.45, 10)]
)
def test_published_pairs_of_inr_and_activity_belong_together(inr: float, pta: float, audits: AuditWorld) -> None:
    """medicalalgorithms.com, percent prothrombin complex activity from the INR; and 35 % to either side."""
    drawn = "line | tube | item | value\n" + "\n".join(
        f"{line} | T{line // 2} | {item} | {value}"
        for pair, share in enumerate((0.65, 1.0, 1.35), start=1)
        for line, item, value in ((2 * pair, "INR", inr), (2 * pair + 1, "PTA", round(pta * share, 2)))
    )
    assert audits.caught("labs_inr_pta_consistent", labs=labs(drawn)) == []


def test_a_direct_bilirubin_filled_with_the_total_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_dbil_not_tbil", labs=labs("""
        line | tube | item | value
        2    | T1   | TBIL | 442.5
        3    | T1   | DBIL | 442.5
        4    | T1   | IBIL | 124.1
        5    | T2   | TBIL | 442.5
        6    | T2   | DBIL | 318.4
        7    | T2   | IBIL | 124.1
        8    | T3   | TBIL | 8.2
        9    | T3   | DBIL | 8.2
        10   | T3   | IBIL | 0
        11   | T4   | TBIL | 442.5
        12   | T4   | DBIL | 442.5
    """)) == [3]  # fmt: skip


def test_a_file_whose_direct_bilirubin_is_the_total_is_caught_and_a_few_tubes_are_not(audits: AuditWorld) -> None:
    def tube(file: int, number: int, direct: str) -> str:
        line = 10 * number
        return "\n".join(
            f"{file} | {line + step} | T{file}-{number} | {item} | {value}"
            for step, (item, value) in enumerate((("TBIL", "442.5"), ("DBIL", direct), ("IBIL", "124.1")))
        )

    some = [tube(1, n, "442.5" if n == 1 else "318.4") for n in range(1, 11)]
    many = [tube(2, n, "442.5" if n <= 3 else "318.4") for n in range(1, 11)]
    drawn = "\n".join(["file | line | tube | item | value", *some, *many])
    assert audits.caught("labs_file_dbil_not_tbil", labs=labs(drawn)) == [11, 21, 31]


def test_a_direct_bilirubin_above_the_total_is_caught_in_any_unit_beyond_rounding(audits: AuditWorld) -> None:
    assert audits.caught("labs_direct_below_total", labs=labs("""
        line | tube | item | value | unit
        2    | T1   | TBIL | 44.25 | umol/L
        3    | T1   | DBIL | 318.4 | umol/L
        4    | T2   | TBIL | 442.5 | umol/L
        5    | T2   | DBIL | 450   | umol/L
        6    | T3   | TBIL | 0.3   | umol/L
        7    | T3   | DBIL | 0.4   | umol/L
        8    | T4   | TBIL | 22.2  | mg/dL
        9    | T4   | DBIL | 318.4 | umol/L
    """)) == [2, 3]  # fmt: skip


def test_a_percentage_in_the_place_of_a_count_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_count_below_wbc", labs=labs("""
        line | tube | item | value
        2    | T1   | WBC  | 8.1
        3    | T1   | NEU# | 78.2
        4    | T1   | NEU% | 78.2
        5    | T1   | LYM# | 1.1
        6    | T1   | LYM% | 13.6
        7    | T2   | WBC  | 12.4
        8    | T2   | LYM# | 5.2
        9    | T2   | LYM% | 5.2
        10   | T3   | WBC  | 6.0
        11   | T3   | NEU# | 6.1
        12   | T3   | NEU% | 96.0
        13   | T4   | WBC  | 0.1
        14   | T4   | LYM# | 0
        15   | T4   | LYM% | 0
    """)) == [3, 8]  # fmt: skip


def test_a_logarithm_or_copies_under_iu_are_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_hbvdna_unit_plausible", labs=labs("""
        line | tube | item   | value   | unit        | collected_at     | text_result
        2    | T1   | HBVDNA | 5.32    | [IU]/mL     | 2014-05-01 07:00 | -
        3    | T2   | HBVDNA | 53200   | [IU]/mL     | 2014-05-01 07:00 | -
        4    | T3   | HBVDNA | 53200   | [IU]/mL     | 2011-05-01 07:00 | -
        5    | T4   | HBVDNA | 53200   | {copies}/mL | 2011-05-01 07:00 | -
        6    | T5   | HBVDNA | <20     | [IU]/mL     | 2016-05-01 07:00 | -
        7    | T6   | HBVDNA | 20.4    | [IU]/mL     | 2016-05-01 07:00 | -
        8    | T7   | HBVDNA | 未检出  | [IU]/mL     | 2016-05-01 07:00 | not_detected
    """)) == [2, 4]  # fmt: skip


def test_a_value_in_another_unit_than_printed_is_caught_by_its_range_or_its_course(audits: AuditWorld) -> None:
    assert audits.caught("labs_unit_silent", labs=labs("""
        line | tube | item | value | unit   | ref_text     | collected_at     | patient_id
        2    | T1   | TBIL | 22.2  | umol/L | 0.1-1.3      | 2014-05-01 07:00 | R1
        3    | T2   | TBIL | 22.2  | mg/dL  | 0.1-1.3      | 2014-05-01 07:00 | R1
        4    | T3   | CREA | 85    | umol/L | 50-110       | 2014-05-01 07:00 | R1
        5    | T4   | TBIL | 21    | umol/L | 男≤26 女≤21  | 2018-11-05 07:00 | R1
        10   | A1   | TBIL | 380   | umol/L | 0-23         | 2014-06-01 07:00 | R2
        11   | A1   | DBIL | 270   | umol/L | 0-6.84       | 2014-06-01 07:00 | R2
        12   | A2   | TBIL | 22.8  | umol/L | 0-23         | 2014-06-03 07:00 | R2
        13   | A2   | DBIL | 16.1  | umol/L | 0-6.84       | 2014-06-03 07:00 | R2
        14   | A3   | TBIL | 395   | umol/L | 0-23         | 2014-06-05 07:00 | R2
        15   | A3   | DBIL | 284   | umol/L | 0-6.84       | 2014-06-05 07:00 | R2
        20   | B1   | TBIL | 600   | umol/L | 0-23         | 2014-06-01 07:00 | R3
        21   | B1   | DBIL | 430   | umol/L | 0-6.84       | 2014-06-01 07:00 | R3
        22   | B2   | TBIL | 270   | umol/L | 0-23         | 2014-06-02 07:00 | R3
        23   | B2   | DBIL | 195   | umol/L | 0-6.84       | 2014-06-02 07:00 | R3
        30   | C1   | TBIL | 380   | umol/L | 0-23         | 2014-06-01 07:00 | R4
        31   | C2   | TBIL | 22.8  | umol/L | 0-23         | 2014-08-01 07:00 | R4
        40   | D1   | TBIL | 28.0  | umol/L | 0-23         | 2014-06-01 07:00 | R5
        41   | D1   | DBIL | 21.1  | umol/L | 0-6.84       | 2014-06-01 07:00 | R5
        42   | D2   | TBIL | 376.6 | umol/L | 0-23         | 2014-06-03 07:00 | R5
        43   | D2   | DBIL | 252.0 | umol/L | 0-6.84       | 2014-06-03 07:00 | R5
        44   | D3   | TBIL | 25.5  | umol/L | 0-23         | 2014-06-05 07:00 | R5
        45   | D3   | DBIL | 19.0  | umol/L | 0-6.84       | 2014-06-05 07:00 | R5
    """)) == [2, 12, 13]  # fmt: skip


def test_a_moved_decimal_point_is_caught_by_the_values_around_it(audits: AuditWorld) -> None:
    assert audits.caught("labs_decimal_point", labs=labs("""
        line | tube | item | value | collected_at     | patient_id
        2    | A1   | TBIL | 431   | 2014-06-01 07:00 | R1
        3    | A2   | TBIL | 44.25 | 2014-06-03 07:00 | R1
        4    | A3   | TBIL | 450   | 2014-06-05 07:00 | R1
        5    | B1   | INR  | 1.9   | 2014-06-01 07:00 | R2
        6    | B2   | INR  | 3.5   | 2014-06-02 07:00 | R2
        7    | C1   | TBIL | 431   | 2014-06-01 07:00 | R3
        8    | C2   | TBIL | 44.25 | 2014-07-01 07:00 | R3
        9    | D1   | K    | 4.1   | 2014-06-01 07:00 | R4
        10   | D2   | K    | 41    | 2014-06-03 07:00 | R4
    """)) == [3, 9, 10]  # fmt: skip


ITEMS = ("TBIL", "DBIL", "IBIL", "ALB", "CREA", "NA", "K", "UREA", "WBC")


def panel(line: int, tube: str, day: str, values: tuple[str, ...], patient: str = "R1") -> str:
    return "\n".join(
        f"{line + step} | {tube} | {item} | {value} | {day} 07:00 | {patient}"
        for step, (item, value) in enumerate(zip(ITEMS, values, strict=True))
    )


def test_a_panel_copied_from_another_day_is_caught(audits: AuditWorld) -> None:
    first = ("431.2", "310.4", "120.8", "31.2", "78.1", "137.4", "4.1", "5.2", "8.1")
    drawn = [
        "line | tube | item | value | collected_at | patient_id",
        panel(10, "A1", "2014-06-01", first),
        panel(20, "A2", "2014-06-03", first),
        panel(30, "A3", "2014-06-05", ("401.2", "300.4", "110.8", "30.2", "77.1", *first[5:])),
        panel(40, "B1", "2014-06-01", first, "R2"),
        panel(50, "B2", "2014-06-01", first, "R2"),
    ]
    assert audits.caught("labs_panel_not_copied", labs=labs("\n".join(drawn))) == list(range(20, 29))


def test_a_second_blood_group_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_blood_group_constant", labs=labs("""
        line | tube | item | value | text_result | patient_id
        2    | T1   | ABO  | A     | blood_group | R1
        3    | T2   | ABO  | A     | blood_group | R1
        4    | T3   | ABO  | B     | blood_group | R1
        5    | T4   | ABO  | O     | blood_group | R2
        6    | T5   | ABO  | O     | blood_group | R2
        7    | T6   | ABO  | A     | blood_group | R3
        8    | T7   | ABO  | B     | blood_group | R3
    """)) == [4, 7, 8]  # fmt: skip


STAYS = """
    line | patient_id | stay_id | admitted_at      | discharged_at
    2    | R1         | R1-1    | 2014-05-10 08:00 | 2014-05-20
"""


def test_a_specimen_far_outside_its_stay_is_caught(audits: AuditWorld) -> None:
    assert audits.caught("labs_collected_in_stay", stays=STAYS, labs=labs("""
        line | tube | item | value | collected_at     | stay_id
        2    | T1   | TBIL | 380   | 2014-05-15 07:00 | R1-1
        3    | T2   | TBIL | 380   | 2014-05-03 09:00 | R1-1
        4    | T3   | TBIL | 380   | 2014-05-02 09:00 | R1-1
        5    | T4   | TBIL | 380   | 2014-05-27 23:00 | R1-1
        6    | T5   | TBIL | 380   | 2014-05-28 00:00 | R1-1
        7    | T6   | TBIL | 380   | 2013-05-28 00:00 | -
        8    | T7   | TBIL | 380   | 2013-05-28 00:00 | R1-2
    """)) == [4, 6]  # fmt: skip


def test_a_result_of_a_stay_or_patient_nobody_knows_is_caught_and_an_outpatient_is_not(audits: AuditWorld) -> None:
    drawn = labs("""
        line | tube | item | value | stay_id | patient_id
        2    | T1   | TBIL | 380   | R1-1    | R1
        3    | T2   | TBIL | 380   | -       | R1
        4    | T3   | TBIL | 380   | R1-2    | R1
        5    | T4   | TBIL | 380   | -       | R9
    """)
    patients = "line | patient_id | stay_id\n2 | R1 | R1-1"
    assert audits.caught("labs_stay_known", stays=STAYS, labs=drawn) == [4]
    assert audits.caught("labs_patient_known", patients=patients, labs=drawn) == [5]


HOURS = """
what                                            | file 1    | file 2   | caught
a quarter by night                              | 24 of 96  | 10 of 40 | 0
a whole file by night                           | 0 of 40   | 24 of 24 | 24
most of a file by night, by day the rest        | 0 of 40   | 30 of 40 | 30
few specimens beside a hospital without nights  | 0 of 40   | 4 of 4   | 4
few specimens beside a hospital of many nights  | 16 of 40  | 4 of 4   | 0
two specimens of one night                      | 0 of 40   | 2 of 2   | 0
"""


@pytest.mark.parametrize("line", HOURS.strip().splitlines()[1:])
def test_a_file_in_another_time_zone_is_caught_and_nights_are_not(audits: AuditWorld, line: str) -> None:
    _, *counts, caught = (cell.strip() for cell in line.split("|"))
    drawn = ["line | file | tube | item | value | collected_at"]
    for file, count in enumerate(counts, start=1):
        by_night, specimens = (int(word) for word in count.split(" of "))
        drawn += [
            f"{number} | {file} | F{file}T{number} | K | 4.1 | 2014-0{1 + number // 28}-{1 + number % 28:02d}"
            f" {'22:30' if number <= by_night else '06:30'}"
            for number in range(1, specimens + 1)
        ]
    assert len(audits.caught("labs_file_clock_right", labs=labs("\n".join(drawn)))) == int(caught)


def test_a_file_with_exchanged_times_is_caught_and_single_rows_are_not(audits: AuditWorld) -> None:
    def rows(file: int, reversed_rows: int) -> list[str]:
        return [
            f"{file} | {line} | T{line} | TBIL | 380 | 2014-05-01 {'18' if line <= reversed_rows else '07'}:00"
            for line in range(1, 11)
        ]

    drawn = "\n".join(["file | line | tube | item | value | collected_at", *rows(1, 2), *rows(2, 7)])
    assert audits.caught("labs_file_times_in_order", labs=labs(drawn)) == [1, 2, 3, 4, 5, 6, 7]
