"""Where a row comes from, as one BIGINT: file, sheet, physical line and item, packed.

    _row_id = ((file_id * 64 + sheet) * 2**32 + line) * 256 + item

A file id is given in load order, from 1. A sheet is 0 for text and Parquet files and the 1-based place of the sheet in
its workbook otherwise. A line is the physical line on which the record starts (header = 1), the row number Excel
shows, or the 1-based row of a Parquet file. An item is 0 for the row as delivered and 1 to 255 for what is unpivoted
from it.

What does not belong here: what the file ids mean (that is `quality.files`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

ITEM_BITS, LINE_BITS, SHEET_BITS, FILE_BITS = 8, 32, 6, 17
MAX_ITEM = (1 << ITEM_BITS) - 1
MAX_LINE = (1 << LINE_BITS) - 1
MAX_SHEET = (1 << SHEET_BITS) - 1
MAX_FILE = (1 << FILE_BITS) - 1
_LINE_SHIFT = ITEM_BITS
_SHEET_SHIFT = ITEM_BITS + LINE_BITS
_FILE_SHIFT = ITEM_BITS + LINE_BITS + SHEET_BITS

MACROS = (
    f"create or replace macro row_file(id) as (id >> {_FILE_SHIFT})",
    f"create or replace macro row_sheet(id) as ((id >> {_SHEET_SHIFT}) & {MAX_SHEET})",
    f"create or replace macro row_line(id) as ((id >> {_LINE_SHIFT}) & {MAX_LINE})",
    f"create or replace macro row_raw(id) as (id & ~{MAX_ITEM})",
    f"create or replace macro row_item(id, n) as ((id & ~{MAX_ITEM}) + n::bigint)",
)
"""The same in SQL, kept in the warehouse file."""


@dataclass(frozen=True)
class Place:
    """The place a row id stands for."""

    file_id: int
    sheet: int
    line: int
    item: int = 0


def pack(file_id: int, line: int, sheet: int = 0, item: int = 0) -> int:
    """The row id of a place. Raises ValueError when a part does not fit, so that no two places share an id."""
    for name, value, least, most in (
        ("file_id", file_id, 1, MAX_FILE),
        ("sheet", sheet, 0, MAX_SHEET),
        ("line", line, 0, MAX_LINE),
        ("item", item, 0, MAX_ITEM),
    ):
        if not least <= value <= most:
            raise ValueError(f"row id: {name} is {value}, which is not between {least} and {most}")
    return (file_id << _FILE_SHIFT) | (sheet << _SHEET_SHIFT) | (line << _LINE_SHIFT) | item


def unpack(row_id: int) -> Place:
    """The place of a row id; the inverse of `pack`."""
    return Place(
        file_id=row_id >> _FILE_SHIFT,
        sheet=(row_id >> _SHEET_SHIFT) & MAX_SHEET,
        line=(row_id >> _LINE_SHIFT) & MAX_LINE,
        item=row_id & MAX_ITEM,
    )


def pack_lines(file_id: int, lines: pl.Series, sheet: int = 0) -> pl.Series:
    """Row ids (Int64, item 0) of many lines of one sheet, named `_row_id`."""
    base = pack(file_id, 0, sheet)
    if len(lines) and int(lines.max()) > MAX_LINE:  # type: ignore[arg-type]
        raise ValueError(f"row id: a line is beyond {MAX_LINE}")
    return (lines.cast(pl.Int64) * (1 << _LINE_SHIFT) + base).alias("_row_id")
