"""Reads a bundle back as a plain reader would: decode, split, name columns. Knows no more than the specification."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import polars as pl

OLD_NAMES = {
    "检验单号": "申请号",
    "条码号": "标本号",
    "住院号": "病案号",
    "采样时间": "采集时间",
    "审核时间": "报告时间",
    "检验结果": "结果",
}
BLANK = {"", "-"}


@dataclass
class Text:
    """A delivered text file: its bytes as sent, decoded text, header and records with their physical lines."""

    path: Path
    encoding: str
    bom: bool
    text: str
    header: list[str]
    records: list[list[str]]
    lines: list[int]


def decode(data: bytes) -> tuple[str, str, bool]:
    """(text, encoding, had a byte-order mark): mark, then strict UTF-8, then strict GB18030."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:].decode("utf-8"), "utf-8", True
    if data.startswith(b"\xff\xfe"):
        return data[2:].decode("utf-16-le"), "utf-16-le", True
    try:
        return data.decode("utf-8"), "utf-8", False
    except UnicodeDecodeError:
        return data.decode("gb18030"), "gb18030", False


def read_text(path: Path) -> Text:
    """Read one delivered CSV, TAB or gzip file."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    text, encoding, bom = decode(data)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".txt" else ",")
    header, records, lines = next(reader), [], []
    before = reader.line_num
    for record in reader:
        records.append(record)
        lines.append(before + 1)
        before = reader.line_num
    return Text(path, encoding, bom, text, header, records, lines)


def frame(text: Text) -> pl.DataFrame:
    """Text columns under canonical names; `_line`, `_file` say where a record stands. Broken records are left out."""
    whole = [i for i, record in enumerate(text.records) if len(record) == len(text.header)]
    records, lines = [text.records[i] for i in whole], [text.lines[i] for i in whole]
    names = [OLD_NAMES.get(name, name) for name in text.header]
    found = pl.DataFrame(records, schema=dict.fromkeys(names, pl.String), orient="row")
    return found.with_columns(
        pl.Series("_line", lines), pl.lit(f"{text.path.parent.name}/{text.path.name}").alias("_file")
    )


def kind(root: Path, name: str) -> pl.DataFrame:
    """All files of one text kind, in order of batch."""
    files = sorted((root / "exports" / "his").glob(f"*/{name}_*"), key=lambda p: (p.parent.name, p.name))
    return pl.concat([frame(read_text(path)) for path in files if path.suffix != ".xlsx"], how="diagonal")


def newest_labs(root: Path) -> pl.DataFrame:
    """Laboratory rows that count: newest version of each result, withdrawn ones gone; `at` and `value` parsed."""
    rows = kind(root, "检验结果").with_row_index("_i")
    at = pl.coalesce(
        pl.col("采集时间").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        pl.col("采集时间").str.to_datetime("%Y/%m/%d %H:%M", strict=False),
    )
    reported = pl.coalesce(
        pl.col("报告时间").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        pl.col("报告时间").str.to_datetime("%Y/%m/%d %H:%M", strict=False),
    )
    rows = rows.with_columns(at.alias("at"), reported.alias("reported"))
    rows = rows.sort("reported", "_i").unique(["标本号", "项目代码", "项目名称"], keep="last", maintain_order=True)
    number = (
        pl.col("结果").str.replace_all(",", "").str.extract(r"^([0-9.]+(?:E[+-]\d+)?)").cast(pl.Float64, strict=False)
    )
    in_mass = pl.col("单位") == "mg/dL"
    factor = pl.when(in_mass & (pl.col("项目代码") == "CREA")).then(88.40).when(in_mass).then(17.10).otherwise(1.0)
    return rows.filter(pl.col("报告状态") != "作废").with_columns((number * factor).alias("value"))


def sheet_rows(path: Path, header_row: int) -> dict[str, tuple[list[str], list[tuple[int, list[object]]]]]:
    """Per sheet: header, and (Excel row, cells) of the rows below it, merged cells filled down."""
    book = openpyxl.load_workbook(path)
    found = {}
    for sheet in book.worksheets:
        filled = {
            (r, c): sheet.cell(area.min_row, area.min_col).value
            for area in sheet.merged_cells.ranges
            for r in range(area.min_row, area.max_row + 1)
            for c in range(area.min_col, area.max_col + 1)
        }
        values = [
            [filled.get((r, c), sheet.cell(r, c).value) for c in range(1, sheet.max_column + 1)]
            for r in range(1, sheet.max_row + 1)
        ]
        if len(values) >= header_row:
            header = [str(v) for v in values[header_row - 1]]
            found[sheet.title] = (header, [(r + 1, row) for r, row in enumerate(values) if r >= header_row])
    return found
