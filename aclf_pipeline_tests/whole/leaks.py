"""Where a direct identifier could have come to rest, read the way somebody who looks for it would read it.

Identifiers are taken from the delivered files themselves, by the meaning of their columns. What is searched is decoded
first: archives of Dagster and workbooks unpacked, escapes of JSON and HTML undone, Parquet read, bytes tried in three
encodings.
"""

from __future__ import annotations

import html
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from aclf_pipeline.warehouse.connection import Warehouse, quoted
from aclf_pipeline_tests.simulate.reading import read_text, sheet_rows

RECORDS = {"BAH", "病案号", "住院号", "SKU"}
NUMBERS = {"SFZH", "身份证号", "DH", "DH2", "联系电话"}
NAMES = {
    "XM", "姓名", "LXRXM", "联系人", "ZYYS", "开立医师", "操作医师", "医师", "记录者", "报告医师", "操作者", "随访人",
}  # fmt: skip
ADDRESSES = {"HKDZ", "XZZ"}
NO_NAMES = {"随访员", "护士", "医生", "本人"}
HEADER_ROWS = {"干细胞输注登记": 3, "随访": 2}
ENCODINGS = ("utf-8", "gb18030", "utf-16-le")
LEAST_BYTES = 8
"""Shorter values occur in a binary file by chance."""

_TOKEN = re.compile(r"(?<![\w.])(?:\d{17}[\dXx]|\d+)(?!\w|\.\d)", re.ASCII)
_ESCAPES = re.compile(r"(?:\\+u[0-9a-fA-F]{4})+")


@dataclass(frozen=True)
class Identifiers:
    """Numbers are found as whole numbers, texts anywhere; texts are names (of patients and others) and addresses."""

    numbers: frozenset[str]
    texts: frozenset[str]
    names: frozenset[str] = frozenset()

    def __or__(self, other: Identifiers) -> Identifiers:
        return Identifiers(self.numbers | other.numbers, self.texts | other.texts, self.names | other.names)

    def in_text(self, text: str) -> set[str]:
        """What of them a text holds."""
        numbers = {token.upper() for token in _TOKEN.findall(text)} & self.numbers
        return numbers | _any_of(self.texts, text)

    def in_bytes(self, data: bytes) -> set[str]:
        """What of them stands in bytes in one of the encodings of this house, short ones left out."""
        found: set[str] = set()
        for encoding in ENCODINGS:
            needles = {_as_bytes_text(word, encoding): word for word in self.numbers | self.texts}
            long = [needle for needle in needles if len(needle) >= LEAST_BYTES]
            found |= {needles[needle] for needle in _any_of(long, data.decode("latin-1"))}
        return found


def _as_bytes_text(word: str, encoding: str) -> str:
    """The bytes of a word as text of one character each, so that text can be searched for them."""
    return word.encode(encoding).decode("latin-1")


def _any_of(words: Iterable[str], text: str) -> set[str]:
    found = pl.Series([text]).str.extract_many(sorted(words), overlapping=True)
    return set(found[0])


def identifiers(exports: Path) -> Identifiers:
    """Every direct identifier of the batches below a folder."""
    numbers: set[str] = set()
    names: set[str] = set()
    addresses: set[str] = set()
    for header, cells in _records(exports):
        for column, cell in zip(header, cells, strict=False):
            value = "" if cell is None else str(cell).strip()
            if len(value) < 2:
                continue
            if column in RECORDS:
                numbers.add(value.split("-")[0].zfill(7))
            elif column in NUMBERS:
                numbers.add(value.upper())
            elif column in ADDRESSES:
                addresses.add(value)
            elif column in NAMES and value not in NO_NAMES:
                names.add(value)
    return Identifiers(frozenset(numbers), frozenset(names | addresses), frozenset(names))


def _records(exports: Path) -> Iterator[tuple[list[str], list[object]]]:
    for path in sorted(exports.glob("*/*")):
        kind = re.split(r"[_.]", path.name)[0]
        if path.suffix == ".xlsx":
            for header, rows in sheet_rows(path, HEADER_ROWS[kind]).values():
                yield from ((header, cells) for _, cells in rows)
        elif kind != "导出清单":
            text = read_text(path)
            yield from ((text.header, list(record)) for record in text.records)


def warehouse_cells(path: Path) -> Iterator[tuple[str, str]]:
    """(table and column, every distinct text in it), lists and JSON as text."""
    with Warehouse.open(path) as wh:
        for table in sorted(wh.tables()):
            for column, kind in wh.columns(table):
                if any(word in kind for word in ("VARCHAR", "JSON", "BLOB")):
                    name = '"' + column.replace('"', '""') + '"'
                    cells = wh.rows(
                        f"select distinct cast({name} as varchar) from {quoted(table)} where {name} is not null"
                    )
                    yield f"{table}.{column}", "\n".join(cell for (cell,) in cells)


def file_texts(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, its content as text) of every file below a folder, decoded as far as it can be."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for text in _texts(path):
                yield str(path.relative_to(folder)), plain(text)


def file_bytes(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(file, its bytes) of every file below a folder, and of every file inside an archive, unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            yield name, path.read_bytes()
            yield from ((f"{name}/{member}", data) for member, data in _members(path))


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files inside a workbook or another archive; none for any other file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.read(name)


def _texts(path: Path) -> Iterator[str]:
    data = path.read_bytes()
    yield data.decode("utf-8", "replace")
    yield from (member.decode("utf-8", "replace") for _, member in _members(path))
    if path.suffix == ".parquet":
        yield "\n".join(str(row) for row in pl.read_parquet(path).iter_rows())
    elif data.startswith(b"SQLite format 3\0"):
        yield from _sqlite_cells(path)


def _sqlite_cells(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as con:
        tables = [name for (name,) in con.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            rows = con.execute(f'select * from "{table}"')
            yield "\n".join(_unpacked(cell) for row in rows for cell in row if isinstance(cell, str | bytes))


def _unpacked(cell: str | bytes) -> str:
    if isinstance(cell, str):
        return cell
    try:
        return zlib.decompress(cell).decode("utf-8", "replace")
    except zlib.error:
        return cell.decode("utf-8", "replace")


def plain(text: str) -> str:
    """Text without the escapes of JSON, however often they were escaped, and of HTML."""
    return html.unescape(_ESCAPES.sub(_characters, text) if "\\u" in text else text)


def _characters(found: re.Match[str]) -> str:
    units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in re.findall(r"u(....)", found[0]))
    return units.decode("utf-16-be", "replace")
