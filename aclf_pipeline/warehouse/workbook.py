"""Data sheets of a workbook as grids of text cells, with the rows numbered as Excel shows them.

Numbers become their shortest exact text, date cells ISO text; a value merged over rows is filled down inside its merged
range only. Title rows above the header, wholly blank rows and totals rows are no data. An empty cell is null.

What does not belong here: what the columns mean (`headers`) and Excel serials in plain numeric cells (the SQL).
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook

from aclf_pipeline.warehouse.csv_records import Grid
from aclf_pipeline.warehouse.findings import Finding, RefusedError, truncated
from aclf_pipeline.warehouse.row_id import MAX_SHEET
from aclf_pipeline.warehouse.sources import FileForm, Sheets, normal_name

Row = list[str | None]
Range = tuple[tuple[int, int], tuple[int, int]]


def read_workbook(data: bytes, form: FileForm) -> tuple[list[Grid], list[str]]:
    """The data sheets of a workbook, and the names of all its sheets in their order (sheet n is names[n - 1]).

    Raises RefusedError: `truncated_file` when the workbook cannot be opened, `column_missing` when no sheet holds data.
    """
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = list(book.sheet_names)
        grids = []
        for number, name in enumerate(names, start=1):
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            merged: Sequence[Range] = sheet.merged_cell_ranges or ()
            grid = _grid([[_text(cell) for cell in row] for row in rows], merged, name, number, form)
            if grid is not None:
                grids.append(grid)
    except CalamineError as error:
        raise RefusedError(truncated(f"The workbook cannot be opened ({error})")) from error
    if not grids:
        raise RefusedError(
            Finding(
                "column_missing",
                f"No sheet of the workbook holds the data of '{form.kind}'; it has {len(names)} sheets",
                "Deliver the workbook with its usual sheets, or correct 'sheets' in source.yaml.",
            )
        )
    return grids, names


def _grid(rows: list[Row], merged: Sequence[Range], name: str, number: int, form: FileForm) -> Grid | None:
    """The data of a sheet; None for a sheet that holds none."""
    sheets = form.sheets
    if sheets.pattern is not None and not re.fullmatch(sheets.pattern, name):
        return None
    if len(rows) < sheets.header_row:
        return None
    header = _trimmed(rows[sheets.header_row - 1])
    names = {normal_name(cell) for cell in header}
    if not all(names & _spellings(form, column) for column in sheets.has_columns):
        return None
    if number > MAX_SHEET:
        raise RefusedError(Finding("column_missing", f"A workbook may have {MAX_SHEET} sheets", "Split the workbook."))
    numbered = [(place, row) for place, row in enumerate(rows, start=1) if place > sheets.header_row]
    kept = [(place, row) for place, row in numbered if any(cell for cell in row) and not _is_total(row, sheets)]
    if sheets.fill_down_merged:
        _fill_down(kept, merged)
    width = len(header)
    cells = pl.DataFrame(
        [row[:width] for _, row in kept], schema={str(i): pl.String for i in range(width)}, orient="row"
    )
    return Grid(header, cells, pl.Series("line", [place for place, _ in kept], dtype=pl.Int64), number)


def _spellings(form: FileForm, column: str) -> set[str]:
    listed = form.by_spelling[column]
    return {listed.name, *listed.aliases}


def _trimmed(row: Row) -> list[str]:
    """Header cells up to the last that is not empty."""
    filled = [place for place, cell in enumerate(row) if cell]
    return [cell or "" for cell in row[: filled[-1] + 1]] if filled else []


def _is_total(row: Row, sheets: Sheets) -> bool:
    return sheets.totals is not None and row[0] is not None and normal_name(row[0]) == normal_name(sheets.totals)


def _fill_down(kept: list[tuple[int, Row]], merged: Sequence[Range]) -> None:
    """Give every row of a range merged over rows the value of its first row, in place."""
    by_place = dict(kept)
    for (top, left), (bottom, right) in merged:
        first = by_place.get(top + 1)
        if first is None or bottom == top:
            continue
        for place in range(top + 2, bottom + 2):
            row = by_place.get(place)
            for column in range(left, min(right, len(first) - 1) + 1):
                if row is not None and not row[column]:
                    row[column] = first[left] if column == left else first[column]


def _text(cell: Any) -> str | None:
    """A cell as text: numbers shortest, whole numbers without a point, dates ISO, times of day HH:MM:SS."""
    if isinstance(cell, str):
        return cell or None
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d") if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat("seconds")
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)
