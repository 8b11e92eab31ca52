"""Which rows do not count any more, drawn: one table per situation a delivery can bring."""

from __future__ import annotations

import polars as pl
import pytest

from aclf_pipeline.contracts import KINDS
from aclf_pipeline.quality.versions import supersede
from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import pack, unpack
from aclf_pipeline_tests.quality.world import files, stage, stage_nothing


def superseded(wh: Warehouse, *kinds: str) -> list[tuple[str, str, str, str | None]]:
    """(table, 'file:line.item', reason, by), in order, after a run over the kinds."""
    supersede(wh, {kind: KINDS[kind] for kind in kinds})
    rows = wh.rows("select table_name, _row_id, reason, by_row_id from quality.superseded order by all")
    return [(table, _place(row_id), reason, None if by is None else _place(by)) for table, row_id, reason, by in rows]


def _place(row_id: int) -> str:
    place = unpack(row_id)
    return f"{place.file_id}:{place.line}" + (f".{place.item}" if place.item else "")


def raw(wh: Warehouse, table: str, *rows: tuple[int, int, str]) -> None:
    """Delivered records: (file, line, cells), the cells separated by commas; an empty one is null."""
    split = [[pack(file, line), *[cell or None for cell in cells.split(",")]] for file, line, cells in rows]
    names = ["_row_id", *(f"列{n}" for n in range(1, len(split[0])))]
    wh.write(f"raw.{table}", pl.DataFrame(split, schema=names, orient="row"))


def test_a_later_batch_corrects_an_order(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__orders", False), (2, 2, "raw.his__orders", False))
    stage(
        wh,
        "medications",
        """
        file | line | order_id | dose | status
        1    | 2    | A1       | 10   | executed
        1    | 3    | A2       | 20   | executed
        2    | 2    | A1       | 11   | executed
        """,
    )
    assert superseded(wh, "medications") == [("medications", "1:2", "corrected", "2:2")]


LABS = "file | line | specimen_id | source_code | source_name | reported_at | report_status | value\n"


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 100
               1 | 9 | T1 | TBIL | 总胆红素 | 2014-01-01 12:00 | corrected | 120""",
            [("labs", "1:2", "reissued", "1:9")],
            id="reissued later in the same file",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-03 10:00 | corrected | 100
               2 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 120""",
            [("labs", "2:2", "reissued", "1:2")],
            id="the version goes before the batch",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 100
               2 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 120""",
            [("labs", "1:2", "corrected", "2:2")],
            id="the batch decides between equal versions",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | - | final | 100
               1 | 3 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 120""",
            [("labs", "1:2", "reissued", "1:3")],
            id="a row without a version is the oldest",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 100
               1 | 3 | T1 | TBIL | 总胆红素 | 2014-01-01 11:00 | corrected | 110
               2 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 12:00 | withdrawn | 110""",
            [
                ("labs", "1:2", "withdrawn", "2:2"),
                ("labs", "1:3", "withdrawn", "2:2"),
                ("labs", "2:2", "withdrawn", None),
            ],
            id="a withdrawn report takes its earlier versions with it",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | withdrawn | 100
               1 | 3 | T1 | TBIL | 总胆红素 | 2014-01-01 11:00 | final | 110""",
            [("labs", "1:2", "reissued", "1:3")],
            id="a result reported again after a withdrawal counts",
        ),
        pytest.param(
            """1 | 2 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 100
               1 | 3 | T1 | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 110""",
            [],
            id="equal versions in one file are a conflict, not two versions",
        ),
        pytest.param(
            """1 | 2 | - | TBIL | 总胆红素 | 2014-01-01 10:00 | final | 100
               1 | 3 | - | TBIL | 总胆红素 | 2014-01-01 11:00 | final | 110
               2 | 2 | - | TBIL | 总胆红素 | 2014-01-01 11:00 | withdrawn | 110""",
            [("labs", "2:2", "withdrawn", None)],
            id="without an identity nothing is replaced, and a withdrawn row still does not count",
        ),
        pytest.param(
            """1 | 2 | T1 | PCT | 降钙素原 | 2014-01-01 10:00 | final | 1
               1 | 3 | T1 | PCT | 血小板压积 | 2014-01-01 11:00 | final | 2
               1 | 4 | T2 | PCT | 降钙素原 | 2014-01-01 11:00 | final | 2""",
            [],
            id="another name or another tube is another result",
        ),
    ],
)
def test_versions_of_a_report(wh: Warehouse, drawn: str, expected: list[tuple[str, str, str, str | None]]) -> None:
    files(wh, (1, 1, "raw.his__lab_results", False), (2, 2, "raw.his__lab_results", False))
    stage(wh, "labs", LABS + drawn)
    assert superseded(wh, "labs") == expected


def test_two_values_for_one_key_in_one_file_are_left_to_the_audit(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__front_pages", False), (2, 2, "raw.his__front_pages", False))
    stage(
        wh,
        "stays",
        """
        file | line | patient_id | stay_id | days_stated
        1    | 2    | R1         | R1-1    | 10
        2    | 2    | R1         | R1-1    | 11
        2    | 3    | R1         | R1-1    | 12
        """,
    )
    assert superseded(wh, "stays") == [("stays", "1:2", "corrected", "2:3")]


def test_the_newest_snapshot_is_the_truth(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__ledger", True), (2, 2, "raw.his__ledger", True), (3, 2, "raw.his__orders", False))
    stage(
        wh,
        "infusions",
        """
        file | line | patient_id | infused_on | batch_no
        1    | 4    | R1         | 2014-01-01 | B1
        1    | 5    | R1         | 2014-01-08 | B2
        1    | 6    | R2         | 2014-01-09 | -
        2    | 4    | R1         | 2014-01-01 | B1
        2    | 5    | R2         | 2014-01-09 | -
        2    | 6    | R3         | 2014-02-01 | B3
        """,
    )
    assert superseded(wh, "infusions") == [
        ("infusions", "1:4", "snapshot", "2:4"),
        ("infusions", "1:5", "row_withdrawn", None),
        ("infusions", "1:6", "snapshot", "2:5"),
    ]


def test_a_row_that_vanishes_is_told_once_where_it_stood_last(wh: Warehouse) -> None:
    files(wh, *((n, n, "raw.his__ledger", True) for n in (1, 2, 3, 4)))
    stage(
        wh,
        "infusions",
        """
        file | line | patient_id | infused_on | batch_no
        1    | 4    | R1         | 2014-01-01 | B1
        2    | 4    | R1         | 2014-01-01 | B1
        1    | 5    | R2         | 2014-01-01 | B1
        3    | 4    | R2         | 2014-01-01 | B1
        4    | 4    | R2         | 2014-01-01 | B1
        """,
    )
    assert superseded(wh, "infusions") == [
        ("infusions", "1:4", "snapshot", "2:4"),
        ("infusions", "1:5", "snapshot", "4:4"),
        ("infusions", "2:4", "row_withdrawn", None),
        ("infusions", "3:4", "snapshot", "4:4"),
    ]


def test_a_snapshot_delivered_again_unchanged_does_not_become_the_newest(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__ledger", True), (2, 2, "raw.his__ledger", True), (3, 3, "raw.his__ledger", True))
    wh.execute("update quality.files set state = 'same_content', same_as = 1 where file_id = 3")
    drawing = (
        "file | line | patient_id | infused_on | batch_no\n1 | 4 | R1 | 2014-01-01 | B1\n2 | 4 | R1 | 2014-01-01 | B1"
    )
    stage(wh, "infusions", drawing)
    assert superseded(wh, "infusions") == [("infusions", "1:4", "snapshot", "2:4")]


def test_a_record_repeated_byte_by_byte_counts_once(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__deaths", False), (2, 1, "raw.his__deaths", False))
    raw(
        wh,
        "his__deaths",
        (1, 2, "N1,R1,,家属"),
        (1, 3, "N1,R1,,家属"),
        (1, 4, "N1,R1,,"),
        (1, 5, "N1,R1,,家属"),
        (1, 6, "N1,R1,家属,"),
        (2, 2, "N1,R1,,家属"),
    )
    lines = "\n".join(f"1 | {line} | N1 | R1" for line in range(2, 7))
    stage(wh, "deaths", f"file | line | notice_id | patient_id\n{lines}\n2 | 2 | N1 | R1")
    assert superseded(wh, "deaths") == [
        ("deaths", "1:3", "duplicate_row", "1:2"),
        ("deaths", "1:5", "duplicate_row", "1:2"),
    ]


def test_repeated_records_without_an_identity_count_once_too(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__deaths", False))
    raw(wh, "his__deaths", (1, 2, "R1,x"), (1, 3, "R1,x"), (1, 4, "R1,y"))
    stage(wh, "deaths", "line | notice_id\n2 | -\n3 | -\n4 | -")
    assert superseded(wh, "deaths") == [("deaths", "1:3", "duplicate_row", "1:2")]


def test_items_of_one_record_never_replace_each_other(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__assessments", False))
    stage(
        wh,
        "assessments",
        """
        line | _item | assessment_id | item           | value_code
        2    | 1     | P1            | infection_site | lung
        2    | 2     | P1            | infection_site | lung
        2    | 3     | P1            | infection_site | blood
        2    | 4     | P1            | infection_site | -
        """,
    )
    assert superseded(wh, "assessments") == []


def test_a_corrected_record_takes_all_its_rows_in_every_kind_along(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__front_pages", False), (2, 2, "raw.his__front_pages", False))
    stage(
        wh,
        "stays",
        "file | line | patient_id | stay_id\n1 | 2 | R1 | R1-1\n2 | 2 | R1 | R1-1\n1 | 3 | R2 | R2-1",
    )
    drawn = """
        file | line | _item | patient_id | stay_id | position | code
        1    | 2    | 1     | R1         | R1-1    | 1        | K72.0
        1    | 2    | 2     | R1         | R1-1    | 2        | C22.0
        2    | 2    | 1     | R1         | R1-1    | 1        | K72.0
        1    | 3    | 1     | R2         | R2-1    | 1        | K72.0
        """
    stage(wh, "diagnoses", drawn)
    assert superseded(wh, "stays", "diagnoses") == [
        ("diagnoses", "1:2.1", "corrected", "2:2.1"),
        ("diagnoses", "1:2.2", "corrected", "2:2"),
        ("stays", "1:2", "corrected", "2:2"),
    ]


def test_a_second_run_gives_the_same_ledger(wh: Warehouse) -> None:
    files(wh, (1, 1, "raw.his__orders", False), (2, 2, "raw.his__orders", False))
    stage_nothing(wh, "medications")
    stage(wh, "medications", "file | line | order_id | status\n1 | 2 | A | executed\n2 | 2 | A | cancelled")
    first = superseded(wh, *KINDS)
    assert first == superseded(wh, *KINDS)
    assert first == [("medications", "1:2", "withdrawn", "2:2"), ("medications", "2:2", "withdrawn", None)]
