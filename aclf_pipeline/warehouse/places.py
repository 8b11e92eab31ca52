"""Row ids as a reader finds them: file, sheet and line of the delivery.

What does not belong here: how a row id is packed (`row_id`) and what stands on the line (`trace`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse
from aclf_pipeline.warehouse.row_id import unpack

MOST = 5
"""Places of one cell that are told; the rest are counted."""

Files = Mapping[int, tuple[str, list[str] | None]]


def files_of(wh: Warehouse) -> dict[int, tuple[str, list[str] | None]]:
    """File id → path below the exports, and its sheets where it is a workbook."""
    return {
        number: (path, sheets) for number, path, sheets in wh.rows("select file_id, path, sheets from quality.files")
    }


def place(row_id: int, files: Files) -> str:
    """`20181015_full/检验结果_2013.csv line 812`, with the sheet where there is one."""
    found = unpack(row_id)
    path, sheets = files.get(found.file_id, ("unknown file", None))
    sheet = f" sheet {sheets[found.sheet - 1]}" if sheets and 0 < found.sheet <= len(sheets) else ""
    return f"{path}{sheet} line {found.line}"


def with_places(wh: Warehouse, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `_row_id` and `row_ids` told as one column `from`, at its end; it has neither afterwards."""
    ids = [name for name in ("_row_id", "row_ids") if name in frame.columns]
    if not ids:
        return frame
    files, known = files_of(wh), dict[int, str]()

    def told(row_id: int) -> str:
        if row_id not in known:
            known[row_id] = place(row_id, files)
        return known[row_id]

    cells = []
    for value in frame[ids[0]]:
        rows = [] if value is None else [value] if isinstance(value, int) else list(value)
        places = list(dict.fromkeys(told(row_id) for row_id in rows))
        more = f"; and {len(places) - MOST} more" if len(places) > MOST else ""
        cells.append("; ".join(places[:MOST]) + more or None)
    return frame.drop(ids).with_columns(pl.Series("from", cells, dtype=pl.String))
