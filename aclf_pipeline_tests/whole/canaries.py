"""Identifiers planted in a copy of delivered files: in free text, in an unlisted column, in the name of a file.

The files stay what a hospital would send: same dialect, same encoding, and a manifest that tells their new hashes.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import openpyxl

from aclf_pipeline_tests.simulate.reading import decode
from aclf_pipeline_tests.whole.leaks import HEADER_ROWS, NAMES, NO_NAMES, RECORDS, Identifiers

TELEPHONE, ADDRESS, RECORD = "13912345678", "虚拟省虚拟市解放路918号27栋2605室", "0918273"
SEVENTEEN = "99010119490217123"
KEPT = "原文照录"
"""A clinical word of our own beside every canary: it must still be there when the canary is gone."""
FREE_TEXT = {"备注", "病程摘要", "结论", "死亡原因", "并发症"}
UNLISTED = "YBH"
ROWS_PER_FILE = 3
MANIFEST = "导出清单.csv"


def check_character(seventeen: str) -> str:
    """ISO 7064 MOD 11-2 as GB 11643-1999 states it: the sum of digits by powers of two, and of the check, is 1."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(seventeen)) % 11
    return next("0123456789X"[check] for check in range(11) if (total + check) % 11 == 1)


NATIONAL_ID = SEVENTEEN + check_character(SEVENTEEN)


@dataclass
class Planted:
    """How many cells of each free-text column were given canaries, and what may be found nowhere afterwards."""

    cells: dict[str, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @property
    def canaries(self) -> Identifiers:
        return Identifiers(frozenset({TELEPHONE, NATIONAL_ID, RECORD}), frozenset({ADDRESS, *self.names}))


def plant(exports: Path) -> Planted:
    """Give every file with free text its canaries, every front page an unlisted column, and deliver a telling name."""
    planted = Planted()
    for batch in sorted(path for path in exports.iterdir() if path.is_dir()):
        for path in sorted(batch.iterdir()):
            if path.suffix == ".xlsx":
                _into_workbook(path, planted)
            elif path.name != MANIFEST:
                _into_text(path, planted)
        write_manifest(batch)
    return planted


def telling_batch(exports: Path, name: str) -> str:
    """One more batch, with a file named after a patient and one after a record number; gives its folder's name."""
    last = max(path.name for path in exports.iterdir())
    batch = exports / f"{int(last[:8]) + 1}_incr"
    batch.mkdir()
    source = next(iter(sorted(exports.glob("*/影像_*")))).read_bytes()
    (batch / f"影像_{name}.csv").write_bytes(source[: source.rindex(b"\n", 0, -1) + 1])
    (batch / f"影像_增量_{RECORD}.csv").write_bytes(source)
    rows = [["文件名", "字节数", "行数", "SHA256", "导出时间", "数据截止"]]
    rows += [[path.name, "0", "", "", "", ""] for path in batch.iterdir()]
    _write_csv(batch / MANIFEST, rows, "utf-8-sig", "\r\n", csv.QUOTE_MINIMAL, ",")
    write_manifest(batch)
    return batch.name


def write_manifest(batch: Path) -> None:
    """Bytes and hashes of a batch's files as they are now; the rows a manifest promises stay."""
    header, *rows = csv.reader(io.StringIO((batch / MANIFEST).read_bytes().decode("utf-8-sig"), newline=""))
    name, size, sha = (header.index(column) for column in ("文件名", "字节数", "SHA256"))
    for row in rows:
        data = (batch / row[name]).read_bytes()
        row[size], row[sha] = str(len(data)), hashlib.sha256(data).hexdigest()
    _write_csv(batch / MANIFEST, [header, *rows], "utf-8-sig", "\r\n", csv.QUOTE_MINIMAL, ",")


def _into_text(path: Path, planted: Planted) -> None:
    data = path.read_bytes()
    text, encoding, bom = decode(gzip.decompress(data) if path.suffix == ".gz" else data)
    delimiter = "\t" if path.suffix == ".txt" else ","
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in _some(rows):
        for place, name in enumerate(header):
            if name in FREE_TEXT:
                row[place] += _canary(dict(zip(header, row, strict=True)), planted)
                planted.cells[name] = planted.cells.get(name, 0) + 1
    if path.name.startswith("病案首页"):
        header.append(UNLISTED)
        for row in rows:
            row.append(TELEPHONE)
    quoting = csv.QUOTE_ALL if text.startswith('"') else csv.QUOTE_MINIMAL
    line_end = "\r\n" if "\r\n" in text else "\n"
    _write_csv(
        path,
        [header, *rows],
        f"{encoding}-sig" if bom and encoding == "utf-8" else encoding,
        line_end,
        quoting,
        delimiter,
    )


def _into_workbook(path: Path, planted: Planted) -> None:
    book = openpyxl.load_workbook(path)
    at = HEADER_ROWS[path.name.split("_")[0].split(".")[0]]
    for sheet in book.worksheets:
        header = [cell.value for cell in sheet[at]] if sheet.max_row >= at else []
        if "病案号" not in header:
            continue
        rows = [
            row for row in sheet.iter_rows(min_row=at + 1) if row[0].value != "合计" and row[header.index("姓名")].value
        ]
        for row in _some(rows):
            known = {name: cell.value for name, cell in zip(header, row, strict=True)}
            for name, cell in zip(header, row, strict=True):
                if name in FREE_TEXT:
                    cell.value = f"{cell.value or ''}{_canary(known, planted)}"
                    planted.cells[name] = planted.cells.get(name, 0) + 1
    book.save(path)


def _some(rows: list) -> list:
    """A few rows of a file, first and last among them."""
    return rows if len(rows) <= ROWS_PER_FILE else [rows[0], rows[len(rows) // 2], rows[-1]]


def _canary(known: dict[str, object], planted: Planted) -> str:
    """Everything that may not stay, as a nurse would write it: with the names and the record number of the row."""
    names = [str(v) for n, v in known.items() if n in NAMES and v and str(v) not in NO_NAMES and len(str(v)) > 1]
    record = next((str(value) for name, value in known.items() if name in RECORDS), "")
    planted.names |= set(names)
    who = "、".join(names)
    return f"；{KEPT}：{who}(病案号{record}，电话{TELEPHONE}，身份证{NATIONAL_ID}，住{ADDRESS})"


def _write_csv(path: Path, rows: list[list[str]], encoding: str, line_end: str, quoting: int, delimiter: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    data = (mark + out.getvalue()).encode(encoding)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
