"""Rows to correct: what a spreadsheet makes of them, and what the hospital may not be told."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclf_pipeline.reports.validation_site import corrections
from aclf_pipeline.reports.validation_site.corrections import (
    COLUMNS,
    MOST_CSV,
    MOST_XLSX,
    Words,
    problems_to_correct,
    rows_to_correct,
    safe,
    write_csv,
    write_xlsx,
)

WORDS = Words(
    says={"unit_known": "A number has a unit", "parsed": "Every cell could be read"},
    fixes={"unit_known": "Fill the unit column", "parsed": "Look at the named columns"},
    columns={"unit_known": "单位, 结果", "parsed": "备注"},
    headers={("labs", "collected_at"): "采集时间", ("labs", "value"): "结果"},
)
ON = date(2019, 10, 31)


def found(*rows: tuple[object, ...]) -> pl.DataFrame:
    names = ["file", "sheet", "line", "rule_id", "table_name", "observed"]
    types = {name: pl.Int64 if name == "line" else pl.String for name in names}
    return pl.DataFrame(list(rows), schema=types, orient="row")


def one(observed: str | None, rule: str = "unit_known", table: str = "labs") -> dict[str, object]:
    return rows_to_correct(found(("b/检验.csv", None, 37, rule, table, observed)), WORDS).row(0, named=True)


def from_csv(*parts: pl.DataFrame) -> list[list[str]]:
    stream = io.BytesIO()
    write_csv(stream, parts)
    return list(csv.reader(io.StringIO(stream.getvalue().decode("utf-8-sig"), newline="")))


def from_xlsx(*parts: pl.DataFrame) -> list[tuple[object, ...]]:
    stream = io.BytesIO()
    write_xlsx(stream, parts, "rows", ON)
    return list(openpyxl.load_workbook(stream).active.iter_rows(values_only=True))


TABLE = """
observed          becomes
=1+1              '=1+1
@SUM(A1)          '@SUM(A1)
+86x              '+86x
-2+3+cmd|' /C'    '-2+3+cmd|' /C'
＝1+1             '＝1+1
　=1+1            '　=1+1
-1                -1
+3.5              +3.5
-1.2e-3           -1.2e-3
128.5↑            128.5↑
5-7               5-7
a=b               a=b
"""


@pytest.mark.parametrize("line", TABLE.strip("\n").splitlines()[1:])
def test_what_begins_like_a_formula_is_neutralised_and_numbers_are_left(line: str) -> None:
    observed, becomes = re.split(r"  +", line)
    assert one(observed)["observed"] == becomes


@pytest.mark.parametrize("begin", ["\t", "\r", "\n"])
def test_what_begins_with_a_control_character_is_neutralised(begin: str) -> None:
    assert one(f"{begin}=1")["observed"] == f"'{begin}=1"


@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(text: str) -> None:
    said = pl.select(safe(pl.lit(text))).item()
    if said[:1] in tuple("=+-@\t\r\n"):
        float(said)
    else:
        assert said in (text, f"'{text}")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12), min_size=1, max_size=4))
def test_both_forms_give_back_every_cell(texts: list[str]) -> None:
    rows = rows_to_correct(
        found(*(("b.csv", text, n, "unit_known", "labs", text) for n, text in enumerate(texts))), WORDS
    )
    expected = [["" if cell is None else str(cell) for cell in row] for row in rows.iter_rows()]
    assert from_csv(rows) == [list(COLUMNS), *expected]
    assert [["" if c is None else str(c) for c in row] for row in from_xlsx(rows)] == [list(COLUMNS), *expected]


def test_a_row_says_where_what_and_what_to_do() -> None:
    assert one("75.5 without a unit") == {
        "file": "b/检验.csv",
        "sheet": None,
        "line": 37,
        "column": "单位, 结果",
        "observed": "75.5 without a unit",
        "what is wrong": "Not so: A number has a unit",
        "what to do": "Fill the unit column",
        "rule": "unit_known",
    }


def test_a_cell_that_could_not_be_read_names_its_own_columns() -> None:
    assert one("unparsed=collected_at,value", "parsed")["column"] == "采集时间, 结果"
    assert one("unparsed=collected_at,value", "parsed", "vitals")["column"] == "collected_at, value"


def test_a_record_that_is_no_row_says_so() -> None:
    row = one("22 fields where the header has 21", "unquoted_delimiter")
    assert row["what is wrong"] == "The record is no row (unquoted_delimiter)"
    assert row["what to do"] == corrections.REJECTED
    assert row["column"] is None


@pytest.mark.parametrize(
    ("observed", "becomes"),
    [
        ("R97759c6f6b342862-3", "(record number)-3"),
        ("N0123456789abcdef and M0123456789abcdef", "(identity number) and (name)"),
        ("X0123456789abcdef", "(pseudonym)"),
        ("R0123456789abcde", "R0123456789abcde"),
    ],
)
def test_no_pseudonym_goes_to_the_hospital(observed: str, becomes: str) -> None:
    assert one(observed)["observed"] == becomes


def test_problems_of_a_file_come_as_rows_too() -> None:
    problem = {"path": "b/检验.csv", "line": "7", "rule_id": "truncated_file", "message": "=torn", "advice": "Again"}
    row = problems_to_correct(pl.DataFrame([problem])).row(0, named=True)
    assert (row["line"], row["what is wrong"], row["what to do"]) == (7, "'=torn", "Again")
    assert list(row) == list(COLUMNS)


def test_the_csv_opens_with_chinese_in_it_and_the_workbook_keeps_numbers_numbers() -> None:
    rows = rows_to_correct(found(("b/检验.csv", "2012年", 1_536, "unit_known", "labs", "=75.5")), WORDS)
    stream = io.BytesIO()
    assert write_csv(stream, [rows]) == 1
    assert stream.getvalue().startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in stream.getvalue()
    head, row = from_xlsx(rows)
    assert head == COLUMNS
    assert (row[1], row[2], row[4]) == ("2012年", 1_536, "'=75.5")
    assert isinstance(row[2], int)


def test_no_cell_of_the_workbook_is_a_formula_or_a_link() -> None:
    stream = io.BytesIO()
    write_xlsx(stream, [rows_to_correct(found(("=b", "@s", 1, "unit_known", "labs", "http://x")), WORDS)], "rows", ON)
    with zipfile.ZipFile(stream) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "<hyperlink" not in sheet


def test_the_same_rows_give_the_same_bytes() -> None:
    def made() -> bytes:
        stream = io.BytesIO()
        write_xlsx(stream, [rows_to_correct(found(("b", None, 1, "unit_known", "labs", "x")), WORDS)], "rows", ON)
        return stream.getvalue()

    assert made() == made()


@pytest.mark.parametrize(
    ("most", "write"), [(MOST_CSV, write_csv), (MOST_XLSX, lambda s, p: write_xlsx(s, p, "t", ON))]
)
def test_a_long_list_is_cut_at_its_limit_and_not_read_further(most, write) -> None:
    part = rows_to_correct(found(*[("b", None, n, "unit_known", "labs", "x") for n in range(7_000)]), WORDS)
    asked = []

    def parts():
        for number in range(200):
            asked.append(number)
            yield part

    assert write(io.BytesIO(), parts()) == most
    assert len(asked) <= most // 7_000 + 2
