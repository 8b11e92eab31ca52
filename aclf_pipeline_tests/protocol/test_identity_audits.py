"""Audits of persons, identity and stays: what is put right, what is asked of a person, what is set aside."""

from __future__ import annotations

import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline_tests.protocol.audit_world import AuditWorld

STAYS = """
    line | patient_id | stay_id | admitted_at
    2    | R1         | R1-1    | 2014-05-01 08:00
    3    | R2         | R2-1    | 2013-05-01 08:00
    4    | R3         | R3-1    | 2015-05-01 08:00
"""
SHARED = """
    line | patient_id | stay_id | national_id | national_id_valid | name_id | sex    | birth_month
    2    | R1         | R1-1    | N1          | true              | M1      | male   | 1970-01-01
    3    | R1         | R1-2    | N2          | true              | M2      | female | 1980-01-01
    4    | R2         | R2-1    | N3          | true              | M3      | male   | 1970-01-01
    5    | R2         | R2-2    | -           | -                 | M4      | male   | 1980-01-01
    6    | R3         | R3-1    | -           | -                 | M5      | male   | 1970-01-01
    7    | R3         | R3-2    | -           | -                 | M6      | female | 1970-01-01
    8    | R4         | R4-1    | N4          | true              | M7      | male   | 1970-01-01
    9    | R4         | R4-2    | N5          | false             | M7      | female | 1971-01-01
    10   | R4         | R4-3    | N4          | true              | M8      | female | 1971-01-01
    11   | R4         | R4-4    | -           | -                 | -       | female | -
"""


def test_a_record_number_with_two_identities_or_two_names_and_births_is_shared(audits: AuditWorld) -> None:
    """A name, a sex or a birth month that alone deviates is a mistake on a page; so is an invalid identity number."""
    assert audits.caught("patients_one_person_per_record", patients=SHARED) == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "patients"])
def test_every_row_of_a_shared_record_number_is_caught_in_every_kind(kind: str, audits: AuditWorld) -> None:
    drawn = "line | patient_id\n2 | R1\n3 | R4\n4 | R9"
    assert audits.caught(f"{kind}_one_person_per_record", patients=SHARED, **{kind: drawn}) == [2]


def test_record_numbers_with_one_valid_identity_number_become_one_person(audits: AuditWorld) -> None:
    """The number admitted first stands for the person; a page without the identity number goes with its number."""
    assert audits.mended("patients_one_record_number", stays=STAYS, patients="""
        line | patient_id | person_id | national_id | national_id_valid
        2    | R1         | R1        | N1          | true
        3    | R1         | R1        | -           | -
        4    | R2         | R2        | N1          | true
        5    | R3         | R3        | N1          | false
        6    | R4         | R4        | -           | -
    """) == [(2, "person_id", "R1", "R2"), (3, "person_id", "R1", "R2")]  # fmt: skip


def test_a_shared_record_number_joins_nobody(audits: AuditWorld) -> None:
    assert audits.mended("patients_one_record_number", stays=STAYS, patients="""
        line | patient_id | person_id | national_id | national_id_valid
        2    | R1         | R1        | N1          | true
        3    | R1         | R1        | N2          | true
        4    | R2         | R2        | N1          | true
    """) == []  # fmt: skip


@pytest.mark.parametrize(
    ("earlier", "later", "is_asked"),
    [
        ("N1 | true | M1 | male   | 1970-01-01", "-  | -    | M1 | male   | 1970-01-01", True),
        ("-  | -    | M1 | male   | 1970-01-01", "N1 | true | M1 | male   | 1970-01-01", True),
        ("-  | -    | M1 | male   | 1970-01-01", "-  | -    | M1 | female | 1970-01-01", True),
        ("N1 | true | M1 | male   | 1970-01-01", "N2 | true | M1 | male   | 1970-01-01", False),
        ("N1 | true | M1 | male   | 1970-01-01", "-  | -    | M1 | male   | 1970-02-01", False),
        ("N1 | true | M1 | male   | 1970-01-01", "-  | -    | M2 | male   | 1970-01-01", False),
        ("N1 | true | M1 | male   | 1970-01-01", "-  | -    | -  | male   | 1970-01-01", False),
        ("N1 | true | M1 | male   | 1970-01-01", "N2 | false | M1 | male  | 1970-01-01", True),
    ],
)
def test_a_namesake_of_the_same_month_without_proof_is_asked_about(
    earlier: str, later: str, is_asked: bool, audits: AuditWorld
) -> None:
    """The later record number is asked about; two valid identity numbers prove two persons."""
    patients = f"""
        line | patient_id | person_id | national_id | national_id_valid | name_id | sex | birth_month
        2    | R2         | R2        | {earlier}
        3    | R1         | R1        | {later}
    """
    assert audits.caught("patients_same_person_unproved", stays=STAYS, patients=patients) == ([3] if is_asked else [])


def test_record_numbers_joined_already_are_not_asked_about(audits: AuditWorld) -> None:
    assert audits.caught("patients_same_person_unproved", stays=STAYS, patients="""
        line | patient_id | person_id | national_id | national_id_valid | name_id | birth_month
        2    | R2         | R2        | N1          | true              | M1      | 1970-01-01
        3    | R1         | R2        | N1          | true              | M1      | 1970-01-01
        4    | R3         | R3        | -           | -                 | M1      | 1970-01-01
    """) == [4]  # fmt: skip


CONFLICTS = """
    line | patient_id | sex    | birth_month | national_id_valid | national_id_sex | national_id_birth_month
    2    | R1         | male   | 1970-03-01  | true              | female          | 1970-03-01
    3    | R2         | male   | 1960-03-01  | true              | male            | 1970-03-01
    4    | R3         | male   | 1970-04-01  | true              | male            | 1970-03-01
    5    | R4         | male   | 1971-03-01  | true              | male            | 1970-03-01
    6    | R5         | male   | 1971-03-01  | true              | male            | 1970-03-01
    7    | R6         | female | 1971-03-01  | false             | -               | -
    8    | R7         | male   | -           | true              | male            | 1970-03-01
"""
LABS = """
    line | patient_id | collected_at     | sex_stated | age_years_stated
    2    | R1         | 2014-05-01 08:00 | female     | 44
    3    | R1         | 2014-06-01 08:00 | female     | 44
    4    | R2         | 2014-05-01 08:00 | male       | 44
    5    | R2         | 2014-06-01 08:00 | male       | -
    6    | R3         | 2014-05-01 08:00 | male       | 44
    7    | R4         | 2014-05-01 08:00 | male       | 43
    8    | R1         | 2014-06-01 08:00 | unknown    | 44
"""


def test_sex_and_birth_month_become_those_of_the_identity_number_where_the_laboratory_agrees(
    audits: AuditWorld,
) -> None:
    """R3's age fits both months, which agrees; R4's fits the stated one only, and of R5 there is no result."""
    assert audits.mended("patients_sex_and_birth_from_id", patients=CONFLICTS, labs=LABS) == [
        (2, "sex", "male", "female"),
        (3, "birth_month", "1960-03-01", "1970-03-01"),
        (4, "birth_month", "1970-04-01", "1970-03-01"),
    ]


def test_what_the_laboratory_does_not_settle_is_asked_about(audits: AuditWorld) -> None:
    settled = CONFLICTS.replace("2    | R1         | male", "2    | R1         | female").replace("1960", "1970")
    assert audits.caught("patients_sex_or_birth_disputed", patients=settled.replace("-04-", "-03-"), labs=LABS) == [
        5,
        6,
    ]


def test_an_impossible_birth_date_becomes_that_of_a_valid_identity_number(audits: AuditWorld) -> None:
    assert audits.mended("patients_birth_date_possible", patients="""
        line | patient_id | birth_month | birth_problem   | national_id_valid | national_id_birth_month
        2    | R1         | -           | after_admission | true              | 1970-03-01
        3    | R2         | -           | no_such_day     | true              | 1971-03-01
        4    | R3         | -           | no_such_day     | false             | -
        5    | R4         | -           | -               | true              | 1970-03-01
    """) == [(2, "birth_month", None, "1970-03-01"), (3, "birth_month", None, "1971-03-01")]  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "is_off", "is_asked"),
    [
        (20, False, False),
        (16, True, True),
        (19, False, False),
        (17, False, False),
        (25, True, False),
        (21, True, False),
    ],
)
def test_an_age_on_the_other_side_of_18_is_asked_about(
    stated: int, is_off: bool, is_asked: bool, audits: AuditWorld
) -> None:
    """By dates the patient is 18 or 19, as the birth month is that of the admission; one year off is no finding."""
    drawn = {
        "patients": "line | patient_id | stay_id | birth_month\n2 | R1 | R1-1 | 1995-05-01",
        "stays": "line | patient_id | stay_id | admitted_at | age_years_stated\n"
        f"2 | R1 | R1-1 | 2014-05-10 08:00 | {stated}",
    }
    assert audits.caught("stays_age_matches_birth", **drawn) == ([2] if is_off else [])
    assert audits.caught("stays_age_of_majority", **drawn) == ([2] if is_asked else [])


def test_a_stay_that_goes_on_belongs_to_the_stay_before(audits: AuditWorld) -> None:
    """Three in a row are one; another ward, a later day or another ordinal is another stay."""
    assert audits.mended("stays_split", stays="""
        line | patient_id | stay_id | stay_no | admitted_at      | discharged_at    | ward_in | ward_out
        2    | R1         | R1-1    | 1       | 2014-05-01 08:00 | 2014-05-05 14:00 | W1      | W1
        3    | R1         | R1-2    | 2       | 2014-05-05 15:00 | 2014-05-09 14:00 | W1      | W1
        4    | R1         | R1-3    | 3       | 2014-05-10 08:00 | 2014-05-12 14:00 | W1      | W2
        5    | R1         | R1-4    | 4       | 2014-05-14 08:00 | 2014-05-15 14:00 | W2      | W2
        6    | R1         | R1-5    | 5       | 2014-05-15 15:00 | 2014-05-16 14:00 | W1      | W1
        7    | R1         | R1-7    | 7       | 2014-05-16 15:00 | 2014-05-17 14:00 | W1      | W1
        8    | R2         | R2-8    | 8       | 2014-05-17 15:00 | 2014-05-18 14:00 | W1      | W1
    """) == [(line, "episode_stay_id", None, "R1-1") for line in (2, 3, 4)]  # fmt: skip


MERGED = """
    line | patient_id | stay_id | admitted_at      | discharged_at
    2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-07-20 10:00
    3    | R1         | R1-3    | 2014-08-01 08:00 | 2014-08-20 10:00
    4    | R2         | R2-1    | 2014-05-01 08:00 | 2014-05-20 10:00
"""


def test_a_front_page_that_covers_a_stay_without_one_is_caught(audits: AuditWorld) -> None:
    """Two of three rows booked on R1-2 fall into R1-1; the rows of R2-2 lie after R2-1, where its page is missing."""
    assert audits.caught("stays_merged", stays=MERGED, vitals="""
        line | patient_id | stay_id | measured_at
        2    | R1         | R1-2    | 2014-07-02 08:00
        3    | R1         | R1-2    | 2014-07-03 08:00
        4    | R1         | R1-2    | 2014-08-10 08:00
        5    | R1         | R1-1    | 2014-05-03 08:00
        6    | R2         | R2-2    | 2014-06-03 08:00
        7    | R2         | -       | 2014-05-03 08:00
    """) == [2]  # fmt: skip


@pytest.mark.parametrize("kind", ["medications", "procedures", "assessments", "vitals", "imaging"])
def test_a_row_of_a_stay_without_front_page_is_caught(kind: str, audits: AuditWorld) -> None:
    drawn = "line | patient_id | stay_id\n5 | R1 | R1-2\n6 | R1 | R1-1\n7 | R1 | -"
    assert audits.caught(f"{kind}_stay_known", stays=MERGED, **{kind: drawn}) == [5]


@pytest.mark.parametrize("kind", ["infusions", "followups"])
def test_zeros_are_put_back_where_the_front_page_of_the_number_has_the_same_name(kind: str, audits: AuditWorld) -> None:
    drawn = """
        line | patient_id | padded_patient_id | name_id
        5    | S1         | R1                | M1
        6    | S1         | R1                | M2
        7    | S1         | R1                | -
        8    | S9         | R9                | M1
        9    | R1         | -                 | M1
    """
    patients = "line | patient_id | name_id\n2 | R1 | M1\n3 | R1 | -"
    assert audits.mended(f"{kind}_record_number_padded", patients=patients, **{kind: drawn}) == [
        (5, "patient_id", "S1", "R1")
    ]
    assert audits.caught(f"{kind}_patient_known", patients=patients, **{kind: drawn}) == [5, 6, 7, 8]


SEXES = """
    line | patient_id | sex    | national_id_valid | national_id_sex
    2    | R1         | male   | -                 | -
    3    | R2         | male   | true              | female
    4    | R3         | female | -                 | -
"""


def test_a_pregnancy_of_a_man_is_asked_about(audits: AuditWorld) -> None:
    """The identity number says that R2 is a woman."""
    assert audits.caught("diagnoses_pregnancy_fits_sex", patients=SEXES, diagnoses="""
        line | patient_id | code    | code_system
        2    | R1         | Z33.X00 | ICD-10-GB2016
        3    | R2         | Z33.X00 | ICD-10-GB2016
        4    | R3         | O26.600 | ICD-10-GB2016
        5    | R1         | B18.100 | ICD-10-GB2016
    """) == [2]  # fmt: skip
    assert audits.caught("assessments_pregnancy_fits_sex", patients=SEXES, assessments="""
        line | patient_id | item       | value_code
        2    | R1         | comorbidity | lactation
        3    | R2         | comorbidity | pregnancy
        4    | R1         | comorbidity | diabetes
    """) == [2]  # fmt: skip


PAGES = {
    "stays": """
        line | patient_id | stay_id | admitted_at      | discharged_at    | admitted_precision | unparsed
        2    | R1         | R1-1    | 2014-05-01 08:00 | 2014-04-20 10:00 | hour               | -
        3    | R2         | R2-1    | 2014-05-01 08:00 | 2014-05-01 00:00 | day                | -
        4    | R3         | R3-1    | 2014-05-01 08:00 | 2016-05-01 00:00 | hour               | -
        5    | R4         | R4-1    | 2014-05-01 08:00 | 2014-05-03 00:00 | hour               | -
        6    | R4         | R4-1    | 2014-05-01 08:00 | 2014-05-04 00:00 | hour               | -
        7    | R5         | R5-1    | -                | 2014-05-04 00:00 | -                  | admitted_at
        8    | R6         | R6-1    | 2014-05-01 08:00 | 2014-05-04 00:00 | hour               | -
        9    | R7         | R7-1    | 2014-05-01 08:00 | 2014-05-04 00:00 | hour               | -
    """,
    "patients": "line | patient_id | unparsed\n"
    + "\n".join(f"{line} | R{line} | {'birth_month' if line == 8 else '-'}" for line in range(2, 10)),
    "diagnoses": "line | patient_id\n" + "\n".join(f"{line} | R1" for line in range(2, 10)),
}


@pytest.mark.parametrize(
    ("kind", "lines"), [("patients", [2, 4, 5, 6, 7]), ("stays", [8]), ("diagnoses", [2, 4, 5, 6, 7, 8])]
)
def test_what_stands_beside_an_impossible_stay_or_patient_is_caught(
    kind: str, lines: list[int], audits: AuditWorld
) -> None:
    assert audits.caught(f"{kind}_front_page_believed", **PAGES) == lines


@pytest.mark.parametrize(
    "kind",
    ["patients", "labs", "medications", "infusions", "procedures", "assessments", "imaging", "followups", "deaths"],
)
def test_a_row_whose_name_lost_a_character_is_caught(kind: str, audits: AuditWorld) -> None:
    """Ingest leaves a receipt on the delivered row; of several rows made from it one stands for all."""
    drawn = "line | patient_id\n2 | R1\n3 | R1"
    audits.caught("patients_name_readable", **{kind: drawn})
    row_id = audits.wh.scalar(f"select row_raw(min(_row_id)) from staging.{kind}")
    audits.wh.execute("insert into quality.receipts values (?, 'raw', '姓名', 'name_rare_char', 'x', 'y')", [row_id])
    try:
        assert audits.caught(f"{kind}_name_readable", **{kind: drawn}) == [2]
    finally:
        audits.wh.execute("delete from quality.receipts")


@pytest.mark.parametrize("kind", ["infusions", "followups"])
def test_a_row_that_the_newest_workbook_lost_is_caught(kind: str, audits: AuditWorld) -> None:
    """A row that stands again in the newest workbook was not lost; neither counts any more."""
    drawn = {kind: "line | patient_id\n2 | R1\n3 | R2\n4 | R3"}
    audits.caught("patients_name_readable", **drawn)
    audits.wh.execute(
        f"""insert into quality.superseded
        select '{kind}', _row_id, null, case patient_id when 'R1' then 'row_withdrawn' else 'snapshot' end
        from staging.{kind} where patient_id <> 'R3'"""
    )
    try:
        assert audits.caught(f"{kind}_row_withdrawn", **drawn) == [2]
    finally:
        audits.wh.execute("delete from quality.superseded")
