"""Unknown files as tables of text: format, encoding, delimiter and header found, each with what speaks for it.

The house's own readers do the reading, so what a draft says of a file is what the door will do with it; a library looks
at what they cannot know: the delimiter, and what an undecodable file might be. What cannot be read is told.

What does not belong here: what columns mean (`columns`), and ingest.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import clevercsv
import polars as pl
from charset_normalizer import from_bytes
from python_calamine import CalamineError, CalamineWorkbook

from aclf_pipeline.onboarding.lexicon import lexicon
from aclf_pipeline.warehouse.csv_records import Delimited
from aclf_pipeline.warehouse.decode import decode, decompress
from aclf_pipeline.warehouse.findings import RefusedError
from aclf_pipeline.warehouse.parquet import read_parquet
from aclf_pipeline.warehouse.sources import Column, FileForm, Sheets, normal_name
from aclf_pipeline.warehouse.workbook import read_workbook

DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_LINES, _HEADER_ROWS, _LEAST_COLUMNS = 60, 12, 3
_TELLING = 1 << 18
_NEIGHBOURS = ("big5", "big5hkscs", "cp949", "shift_jis", "euc_jp")
"""Encodings whose bytes are often valid GB18030 too, with other characters."""


@dataclass(frozen=True)
class Delivered:
    """A file that could be read: its header, its rows as text, and how it was read, in sentences."""

    path: str
    batch: str
    name: str
    format: str
    header: tuple[str, ...]
    rows: pl.DataFrame
    evidence: tuple[str, ...]
    delimiter: str | None = None
    sheets: Sheets = field(default_factory=Sheets)


@dataclass(frozen=True)
class Unread:
    """A file that could not be read, and why."""

    path: str
    reason: str


def files_in(folder: Path) -> Iterator[Delivered | Unread]:
    """Every file of a folder and of the folders in it, in the order of their names."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith((".", "~$"))):
        place = path.relative_to(folder).as_posix()
        try:
            yield _read(path, place)
        except RefusedError as refused:
            yield Unread(place, "; ".join(finding.message for finding in refused.findings))
        except CalamineError as error:
            yield Unread(place, f"it is packed as a workbook is, and is none ({error})")


def _read(path: Path, place: str) -> Delivered | Unread:
    data = path.read_bytes()
    zipped = data[:2] == b"\x1f\x8b"
    if zipped:
        data = decompress(data)
    batch = place.rsplit("/", 1)[0] if "/" in place else ""
    if data[:4] == b"PAR1":
        grid = read_parquet(data)
        rows = grid.cells.rename(dict(zip(grid.cells.columns, grid.header, strict=True)))
        return Delivered(
            place, batch, path.name, "parquet", tuple(grid.header), rows, ("its first bytes are Parquet's",)
        )
    if data[:4] == b"PK\x03\x04":
        return _workbook(data, place, batch, path.name)
    if b"\x00" in data[:_TELLING] and data[:2] != b"\xff\xfe":
        return Unread(place, "it is neither text, nor a workbook of the xlsx form, nor Parquet")
    return _text(data, place, batch, path.name, "its first bytes are gzip's; " if zipped else "")


def _text(data: bytes, place: str, batch: str, name: str, zipped: str) -> Delivered | Unread:
    try:
        decoded = decode(data)
    except RefusedError as refused:
        best = from_bytes(data[:_TELLING]).best()
        seems = f" It seems to be {best.encoding}; have it exported as UTF-8." if best else ""
        return Unread(place, f"{refused.findings[0].message}.{seems}")
    if decoded.encoding == "gb18030" and (other := _rather_than_gb18030(data)) is not None:
        return Unread(
            place,
            f"its bytes are valid GB18030, and read like {other} (charset-normalizer): the door would take it in"
            " garbled; have it exported as UTF-8",
        )
    delimiter, because = _delimiter(decoded.text)
    delimited = Delimited(decoded.text, delimiter)
    header = tuple(normal_name(cell) for cell in delimited.header)
    if problem := _header_problem(header):
        return Unread(place, problem)
    records = delimited.read(lambda _: True)
    rows = records.grid.cells.rename({str(i): column for i, column in enumerate(header)})
    evidence = [f"{zipped}all of it decodes as {decoded.encoding}", because]
    if records.rejects:
        evidence.append(f"{len(records.rejects):,} records do not fit the header and would be rejected")
    form = "tsv" if delimiter == "\t" else "csv"
    return Delivered(place, batch, name, form, header, rows, tuple(evidence), delimiter)


def _rather_than_gb18030(data: bytes) -> str | None:
    """Another encoding of East Asia in which the first lines make more sense; None when there is none."""
    sample = data[:_TELLING]
    whole = sample[: sample.rfind(b"\n") + 1] or sample
    best = from_bytes(whole, cp_isolation=["gb18030", *_NEIGHBOURS]).best()
    return best.encoding if best is not None and best.encoding in _NEIGHBOURS else None


def _delimiter(text: bytes) -> tuple[str, str]:
    """The delimiter, by clevercsv's measure of consistency over the first lines, else by the header."""
    sample = b"\n".join(text.split(b"\n", _SAMPLE_LINES)[:_SAMPLE_LINES]).decode("utf-8", "ignore").replace("\r", "")
    found = clevercsv.Detector().detect(sample, delimiters=list(DELIMITERS))
    if found is not None and found.delimiter in DELIMITERS:
        return found.delimiter, f"delimiter {found.delimiter!r} gives the most consistent table (clevercsv)"
    header = sample.split("\n", 1)[0]
    most = max(DELIMITERS, key=header.count)
    return most, f"delimiter {most!r} is the commonest in the header; no other sign"


def _header_problem(header: tuple[str, ...]) -> str | None:
    blank = sum(not cell for cell in header)
    twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if blank or twice:
        return f"line 1 is no header: {blank} of {len(header)} names are empty, {len(twice)} stand twice"
    if all(cell.replace(".", "").replace("-", "").isdigit() for cell in header):
        return "line 1 is no header: it holds numbers only"
    return None


def _workbook(data: bytes, place: str, batch: str, name: str) -> Delivered | Unread:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    found: dict[str, tuple[int, list[str]]] = {}
    merged, totals = False, None
    for sheet_name in book.sheet_names:
        sheet = book.get_sheet_by_name(sheet_name)
        rows = [[normal_name(str(cell)) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
        place_of_header = _header_row(rows)
        if place_of_header is None:
            continue
        found[sheet_name] = (place_of_header, [cell for cell in rows[place_of_header - 1] if cell])
        body = rows[place_of_header:]
        totals = next((row[0] for row in body if row and row[0].lower() in lexicon().totals), totals)
        merged |= any(bottom > top >= place_of_header for (top, _), (bottom, _) in sheet.merged_cell_ranges or ())
    if not found:
        return Unread(place, "no sheet has a row of at least three different names near its top")
    row, header = max(found.values(), key=lambda one: len(one[1]))
    data_sheets = [s for s, (at, names) in found.items() if at == row and len({*names} & {*header}) > len(header) / 2]
    union = list(dict.fromkeys(cell for sheet in data_sheets for cell in found[sheet][1]))
    shared = [cell for cell in header if all(cell in found[sheet][1] for sheet in data_sheets)]
    sheets = Sheets(has_columns=tuple(shared[:2]), header_row=row, totals=totals, fill_down_merged=merged)
    form = FileForm(
        kind=name, says=name, format="xlsx", sheets=sheets, columns=tuple(Column(name=cell) for cell in union)
    )
    grids, names = read_workbook(data, form)
    frames = [
        g.cells.rename({str(i): c or f"column {i + 1}" for i, c in enumerate(map(normal_name, g.header))})
        for g in grids
    ]
    left = [sheet for sheet in names if sheet not in data_sheets]
    evidence = [f"{len(data_sheets)} sheets share the header of row {row}: {', '.join(data_sheets)}"]
    evidence += [f"sheets without that header, not read: {', '.join(left)}"] if left else []
    evidence += [f"rows that begin with '{totals}' are totals"] if totals else []
    evidence += ["cells are merged over rows, so their value is filled down"] if merged else []
    rows_of_all = pl.concat(frames, how="diagonal")
    return Delivered(place, batch, name, "xlsx", tuple(rows_of_all.columns), rows_of_all, tuple(evidence), None, sheets)


def _header_row(rows: list[list[str]]) -> int | None:
    """The row near the top with the most different names; 1-based."""
    widths = [len({cell for cell in row if cell and not cell[0].isdigit()}) for row in rows[:_HEADER_ROWS]]
    best = max(widths, default=0)
    return widths.index(best) + 1 if best >= _LEAST_COLUMNS else None
