"""From frames of text to bytes: dialects, encodings, physical lines, manifests, the folder on disk.

Not here: what the rows say; xlsx layout (`workbooks`).
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from .clock import BATCHES, d1
from .streams import Ints

BOM_UTF8 = b"\xef\xbb\xbf"
MANIFEST = "导出清单.csv"
# The only columns that may hold a line break inside a field.
MULTILINE: tuple[str, ...] = ("病程摘要", "结论", "备注")

# Private-use characters that stand for damage CSV rules would quote away: a bare line break, a bare delimiter, and the
# edges of a field that stays unquoted where all fields are quoted. They never reach the bytes.
BARE_LF, BARE_COMMA, UNQUOTE_START, UNQUOTE_END = "\ue000", "\ue001", "\ue002", "\ue003"
_BARE = str.maketrans({BARE_LF: "\n", BARE_COMMA: ",", UNQUOTE_START: None, UNQUOTE_END: None})


def as_written(cell: str | None) -> str | None:
    """A cell with its stand-ins replaced."""
    return None if cell is None else cell.translate(_BARE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written. `encoding` is gb18030, utf-8, utf-8-sig or utf-16-le (with BOM)."""

    encoding: str
    line_end: str
    quote_all: bool = False
    separator: str = ","
    gzipped: bool = False


GB_CRLF = Dialect("gb18030", "\r\n")
GB_LF = Dialect("gb18030", "\n")
GB_QUOTED = Dialect("gb18030", "\r\n", quote_all=True)
BOM_CRLF = Dialect("utf-8-sig", "\r\n")
BOM_QUOTED = Dialect("utf-8-sig", "\r\n", quote_all=True)
BOM_LF_GZ = Dialect("utf-8-sig", "\n", gzipped=True)
PLAIN_LF = Dialect("utf-8", "\n")
UTF16_TAB = Dialect("utf-16-le", "\r\n", separator="\t")


@dataclass(slots=True)
class Delivered:
    """One CSV file before writing: text columns under delivered headers, and `_u` (row id), `_p` (person)."""

    batch: int
    name: str
    kind: str
    dialect: Dialect
    frame: pl.DataFrame

    @property
    def path(self) -> str:
        """Path under `exports/his/`."""
        return f"{BATCHES[self.batch].name}/{self.name}"

    @property
    def columns(self) -> list[str]:
        """Delivered headers in order."""
        return [name for name in self.frame.columns if not name.startswith("_")]


def physical_lines(frame: pl.DataFrame) -> Ints:
    """Line on which each record starts; the header is line 1, line breaks inside fields count."""
    breaks = np.zeros(frame.height, dtype=np.int64)
    for name in MULTILINE:
        if name in frame.columns:
            breaks += frame.get_column(name).str.count_matches(f"[\n{BARE_LF}]").fill_null(0).to_numpy()
    return 2 + np.arange(frame.height) + np.concatenate([[0], np.cumsum(breaks)[:-1]]) if frame.height else breaks


def encode(file: Delivered) -> bytes:
    """Bytes of a CSV file in its dialect. Blank cells are null and written as nothing (or `""` where all is quoted)."""
    dialect = file.dialect
    text = file.frame.select(file.columns).write_csv(
        separator=dialect.separator,
        line_terminator=dialect.line_end,
        quote_style="always" if dialect.quote_all else "necessary",
    )
    if UNQUOTE_START in text:
        text = text.replace(f'"{UNQUOTE_START}', "").replace(f'{UNQUOTE_END}"', "")
    if BARE_LF in text or BARE_COMMA in text:
        text = text.replace(BARE_LF, "\n").replace(BARE_COMMA, ",")
    if dialect.encoding == "utf-8-sig":
        data = BOM_UTF8 + text.encode()
    elif dialect.encoding == "utf-16-le":
        data = b"\xff\xfe" + text.encode("utf-16-le")
    else:
        data = text.encode(dialect.encoding)
    return gzip.compress(data, compresslevel=6, mtime=0) if dialect.gzipped else data


@dataclass(slots=True)
class Written:
    """What the manifest says of one file."""

    batch: int
    name: str
    size: int
    rows: int
    sha256: str


class Folder:
    """The exports on disk: writes files, remembers what the manifest will say, writes the manifests last."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.exports = root / "exports" / "his"
        self.written: list[Written] = []
        self.extra_batches: list[tuple[str, int, int, list[Written]]] = []

    def put(self, batch: int, name: str, data: bytes, rows: int) -> None:
        """Write one file of a batch."""
        place = self.exports / BATCHES[batch].name
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
        self.written.append(Written(batch, name, len(data), rows, hashlib.sha256(data).hexdigest()))

    def put_again(self, folder: str, sent: int, cutoff: int, files: list[Written]) -> None:
        """Send known files again, whole, in a new folder."""
        place = self.exports / folder
        place.mkdir(parents=True)
        for known in files:
            (place / known.name).write_bytes((self.exports / BATCHES[known.batch].name / known.name).read_bytes())
        self.extra_batches.append((folder, sent, cutoff, files))

    def finish(self) -> None:
        """Write the manifest of every batch."""
        for position, batch in enumerate(BATCHES):
            files = [w for w in self.written if w.batch == position]
            self._manifest(batch.name, batch.sent, batch.cutoff, files)
        for folder, sent, cutoff, files in self.extra_batches:
            self._manifest(folder, sent, cutoff, files)

    def _manifest(self, folder: str, sent: int, cutoff: int, files: list[Written]) -> None:
        lines = ["文件名,字节数,行数,SHA256,导出时间,数据截止"]
        for i, file in enumerate(sorted(files, key=lambda f: f.name)):
            stamp = f"{d1(sent)} 20:{i // 2:02d}:{i % 2 * 30:02d}"
            lines.append(f"{file.name},{file.size},{file.rows},{file.sha256},{stamp},{d1(cutoff)}")
        (self.exports / folder / MANIFEST).write_bytes(BOM_UTF8 + ("\r\n".join(lines) + "\r\n").encode())
