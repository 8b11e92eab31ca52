"""Rows to correct, as files for the hospital: CSV that a spreadsheet opens with Chinese in it, and a workbook.

A row is found by file, sheet and line; no pseudonym and no identifier is in it. A text that a spreadsheet would take
for a formula begins with an apostrophe. Text stays as it was seen, numbers stay numbers, nothing else is changed.

What does not belong here: reading the rows, opening files, and what to write where (assets).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import BinaryIO

import polars as pl
import xlsxwriter

MOST_CSV = 100_000
"""Most rows of one CSV file; a list longer than that is an export to repeat, not rows to correct one by one."""
MOST_XLSX = 20_000
"""Most rows of one workbook: what a person may work through; the CSV goes on where it ends."""
COLUMNS = ("file", "sheet", "line", "column", "observed", "what is wrong", "what to do", "rule")
FOUND = ("file", "sheet", "line", "rule_id", "table_name", "observed")
"""Columns of the frames that become rows to correct."""

_WIDTHS = (34, 12, 9, 18, 44, 52, 60, 30)
_STARTERS = "=+-@\t\r\n＝＋－＠"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_PEOPLE = (("R", "(record number)"), ("N", "(identity number)"), ("M", "(name)"), ("[A-Z]", "(pseudonym)"))
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Words:
    """What a row is told with: of each rule what it says, what to do, and the delivered columns it speaks of.

    A rule that is a query names the columns that what was observed was read from, which need not be the one at fault.
    `headers` maps (table, column of ours) to the columns of the delivered file it is read from.
    """

    says: Mapping[str, str]
    fixes: Mapping[str, str]
    columns: Mapping[str, str]
    headers: Mapping[tuple[str, str], str]


REJECTED = "Quote fields that hold a delimiter, a quotation mark or a line end, and deliver the file again."
"""What to do about a record that is no row."""


def rows_to_correct(found: pl.DataFrame, words: Words) -> pl.DataFrame:
    """Findings (columns `FOUND`) as rows with `COLUMNS`, in the same order, every text safe in a spreadsheet."""
    rule = pl.col("rule_id")
    says = rule.replace_strict(dict(words.says), default=None, return_dtype=pl.String)
    fixes = rule.replace_strict(dict(words.fixes), default=REJECTED, return_dtype=pl.String)
    wrong = pl.when(says.is_null()).then(pl.format("The record is no row ({})", rule)).otherwise("Not so: " + says)
    made = found.select(
        "file",
        "sheet",
        pl.col("line").cast(pl.Int64),
        _columns(found, words).alias("column"),
        without_people(pl.col("observed")).alias("observed"),
        wrong.alias("what is wrong"),
        fixes.alias("what to do"),
        rule.alias("rule"),
    )
    return _safe_texts(made)


def problems_to_correct(problems: pl.DataFrame) -> pl.DataFrame:
    """What the door refused or remarked on (path, line, rule_id, message, advice) as rows with `COLUMNS`."""
    made = problems.select(
        pl.col("path").alias("file"),
        pl.lit(None, pl.String).alias("sheet"),
        pl.col("line").cast(pl.Int64),
        pl.lit(None, pl.String).alias("column"),
        pl.lit(None, pl.String).alias("observed"),
        pl.col("message").alias("what is wrong"),
        pl.col("advice").alias("what to do"),
        pl.col("rule_id").alias("rule"),
    )
    return _safe_texts(made)


def _safe_texts(made: pl.DataFrame) -> pl.DataFrame:
    return made.with_columns(safe(pl.col(name)).alias(name) for name, kind in made.schema.items() if kind == pl.String)


def safe(text: pl.Expr) -> pl.Expr:
    """Text that no spreadsheet takes for a formula: an apostrophe before what would begin one; a number is none."""
    begins = text.str.strip_chars_start(" \u3000\u00a0").str.slice(0, 1).is_in(list(_STARTERS))
    begins = begins | text.str.slice(0, 1).is_in(list(_STARTERS))
    return pl.when(begins & ~text.str.contains(_NUMBER)).then("'" + text).otherwise(text)


def without_people(text: pl.Expr) -> pl.Expr:
    """A pseudonym is of no use to the hospital; it is said what stood there instead."""
    for prefix, said in _PEOPLE:
        text = text.str.replace_all(rf"\b{prefix}[0-9a-f]{{16}}", said)
    return text


def _columns(found: pl.DataFrame, words: Words) -> pl.Expr:
    """The delivered columns of each row: of the rule, or those that are named as unread in what was seen."""
    named = found.select("table_name", "observed").unique().filter(pl.col("observed").str.starts_with("unparsed="))
    unread = {
        observed: ", ".join(
            words.headers.get((table, name.strip()), name.strip())
            for name in observed.removeprefix("unparsed=").split(",")
        )
        for table, observed in named.iter_rows()
    }
    of_rule = pl.col("rule_id").replace_strict(dict(words.columns), default=None, return_dtype=pl.String)
    of_row = pl.col("observed").replace_strict(unread, default=None, return_dtype=pl.String)
    return pl.coalesce(of_row, of_rule)


def write_csv(stream: BinaryIO, parts: Iterable[pl.DataFrame]) -> int:
    """Rows onto an open stream as UTF-8 with the mark that spreadsheets need; gives the number of rows."""
    stream.write(_BOM)
    stream.write(pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String)).write_csv(line_terminator="\r\n").encode())
    rows = 0
    for part in _at_most(parts, MOST_CSV):
        stream.write(part.write_csv(include_header=False, line_terminator="\r\n").encode())
        rows += part.height
    return rows


def write_xlsx(stream: BinaryIO, parts: Iterable[pl.DataFrame], title: str, made_on: date) -> int:
    """Rows onto an open stream as a workbook of one sheet; gives the number of rows. The same rows, the same bytes."""
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(stream, options)
    book.set_properties({"title": title, "created": datetime.combine(made_on, time())})
    sheet = book.add_worksheet("rows to correct")
    head = book.add_format({"bold": True, "bottom": 2, "valign": "top"})
    sheet.write_row(0, 0, COLUMNS, head)
    sheet.freeze_panes(1, 0)
    for place, width in enumerate(_WIDTHS):
        sheet.set_column(place, place, width)
    line = COLUMNS.index("line")
    rows = 0
    for part in _at_most(parts, MOST_XLSX):
        for cells in part.iter_rows():
            rows += 1
            for place, cell in enumerate(cells):
                if cell is not None:
                    (sheet.write_number if place == line else sheet.write_string)(rows, place, cell)
    sheet.autofilter(0, 0, max(rows, 1), len(COLUMNS) - 1)
    sheet.ignore_errors({"number_stored_as_text": f"A1:H{rows + 1}"})
    book.close()
    return rows


def _at_most(parts: Iterable[pl.DataFrame], most: int) -> Iterator[pl.DataFrame]:
    for part in parts:
        if most <= 0:
            return
        yield part.head(most)
        most -= part.height
