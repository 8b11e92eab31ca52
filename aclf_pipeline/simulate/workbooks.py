"""Layout of the two workbooks and their bytes: titles, notes, headers, merged cells, totals.

Creation time is fixed, so that the same rows give the same bytes. Not here: what the rows say (`ledger`, `followup`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import xlsxwriter

from .clock import BATCHES, d1
from .followup import COLUMNS as CALL_COLUMNS
from .followup import Call, TypedCell
from .ledger import COLUMNS as LEDGER_COLUMNS
from .ledger import MERGED_YEARS, LedgerRow, headers

_CREATED = datetime(2018, 10, 15, 8, 0, 0)  # noqa: DTZ001 a constant of the files, not a time of day


@dataclass(slots=True)
class Laid:
    """A laid-out workbook: bytes, data rows, and where each row went (1-based Excel row)."""

    data: bytes = b""
    rows: int = 0
    uids: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    sheets: dict[int, str] = field(default_factory=dict)

    def place(self, uid: int, sheet: str, line: int) -> None:
        """Remember where a row stands."""
        self.uids.append(uid)
        self.lines.append(line)
        self.sheets[uid] = sheet
        self.rows += 1


class _Book:
    """An xlsx file in memory with the few formats the workbooks need."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.book = xlsxwriter.Workbook(self.stream, {"in_memory": True})
        self.book.set_properties({"created": _CREATED})
        self.as_date = self.book.add_format({"num_format": "yyyy-mm-dd"})
        self.merged = self.book.add_format({"valign": "vcenter"})
        self.merged_date = self.book.add_format({"num_format": "yyyy-mm-dd", "valign": "vcenter"})

    def write(self, sheet: Any, row: int, column: int, value: TypedCell) -> None:
        """Write one typed cell; None leaves it empty."""
        if isinstance(value, str):
            sheet.write_string(row, column, value)
        elif isinstance(value, date):
            sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), self.as_date)  # noqa: DTZ001
        elif value is not None:
            sheet.write_number(row, column, value)

    def finish(self) -> bytes:
        """Close and return the bytes."""
        self.book.close()
        return self.stream.getvalue()


def lay_out_ledger(rows: list[LedgerRow], batch: int) -> Laid:
    """The ledger as sent with a batch: a sheet per year, rows of earlier batches included."""
    laid, book = Laid(), _Book()
    for year in range(2010, 2019):
        name = f"{year}年"
        sheet = book.book.add_worksheet(name)
        width = len(LEDGER_COLUMNS)
        sheet.merge_range(0, 0, 0, width - 1, f"{year}年干细胞输注登记表", book.merged)
        sheet.merge_range(1, 0, 1, width - 1, f"细胞治疗实验室  截止{d1(BATCHES[batch].cutoff)}", book.merged)
        for column, header in enumerate(headers(year)):
            sheet.write_string(2, column, header)
        here = [row for row in rows if row.year == year and row.batch <= batch < row.until]
        _ledger_sheet(book, sheet, name, here, year, laid)
    laid.data = book.finish()
    return laid


def _ledger_sheet(book: _Book, sheet: Any, name: str, here: list[LedgerRow], year: int, laid: Laid) -> None:
    """Data rows, blank rows between some months, the row of totals."""
    merged = year in MERGED_YEARS
    if merged:
        first = {row.person.idx: row.day for row in sorted(here, key=lambda row: -row.day)}
        here = sorted(here, key=lambda row: (first[row.person.idx], row.person.idx, row.day, row.uid))
    else:
        here = sorted(here, key=lambda row: (row.day, row.person.idx, row.uid))
    line, total, previous = 3, 0.0, None
    for number, row in enumerate(here, start=1):
        month = d1(row.day)[:7]
        if not merged and previous is not None and month != previous and int(month[-2:]) % 2 == 0:
            line += 1
        previous = month
        book.write(sheet, line, 0, number)
        for column, value in enumerate(row.cells[1:], start=1):
            if not (merged and 1 <= column <= 6):
                book.write(sheet, line, column, value)
        given = row.cells[14]
        total += float(given) if isinstance(given, int | float) else 0.0
        laid.place(row.uid, name, line + 1)
        line += 1
    if merged:
        _merge_patients(book, sheet, here)
    sheet.write_string(line, 0, "合计")
    sheet.write_number(line, 8, len(here))
    sheet.write_number(line, 14, round(total, 2))


def _merge_patients(book: _Book, sheet: Any, here: list[LedgerRow]) -> None:
    """Columns B to G once per run of rows of one record number, merged over the run."""
    start = 0
    while start < len(here):
        stop = start + 1
        while stop < len(here) and here[stop].cells[1] == here[start].cells[1]:
            stop += 1
        for column in range(1, 7):
            value = here[start].cells[column]
            if stop - start == 1:
                book.write(sheet, 3 + start, column, value)
                continue
            sheet.merge_range(3 + start, column, 2 + stop, column, "", book.merged)
            if isinstance(value, str):
                sheet.write_string(3 + start, column, value, book.merged)
            elif value is not None:
                sheet.write_number(3 + start, column, value, book.merged)
        start = stop


def lay_out_calls(calls: list[Call], cells: dict[int, list[TypedCell]], batch: int) -> Laid:
    """The follow-up workbook as sent with a batch: sheets 随访, from 2019 2019补充, and 说明, which is no data."""
    laid, book = Laid(), _Book()
    here = [call for call in calls if call.batch <= batch < call.until]
    for name in ("随访", "2019补充"):
        rows = [call for call in here if call.sheet == name]
        if name != "随访" and not rows:
            continue
        sheet = book.book.add_worksheet(name)
        sheet.merge_range(0, 0, 0, len(CALL_COLUMNS) - 1, "干细胞治疗患者随访记录", book.merged)
        for column, header in enumerate(CALL_COLUMNS):
            sheet.write_string(1, column, header)
        for number, call in enumerate(rows, start=1):
            book.write(sheet, 1 + number, 0, number)
            for column, value in enumerate(cells[call.uid][1:], start=1):
                book.write(sheet, 1 + number, column, value)
            laid.place(call.uid, name, 2 + number)
    notes = book.book.add_worksheet("说明")
    notes.write_string(0, 0, f"随访数据截止{d1(BATCHES[batch].cutoff)}")
    notes.write_string(1, 0, "生存状态：存活、死亡、失访、肝移植后存活、不详")
    laid.data = book.finish()
    return laid
